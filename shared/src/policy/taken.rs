//! What the services before are released by, and by which roles: nothing may be taken twice.

use std::collections::{BTreeSet, HashMap, hash_map::Entry};

use super::{AccountRole, Read, path::Path, reading::Reading};
use crate::release::Place;

/// What the services that were read before are released by, and the roles of their accounts.
#[derive(Default)]
pub(super) struct Taken<'a> {
    /// Each place of an account, with its line and the service.
    places: HashMap<(Place, Option<String>), (usize, &'a str)>,
    /// By account its first role with its line, and the first other one.
    roles: HashMap<String, Vec<(AccountRole, usize)>>,
}

impl<'a> Taken<'a> {
    /// Takes what a service is released by. Nothing may be taken twice, and an account has one role.
    pub(super) fn by(&mut self, reading: &mut Reading, name: &'a str, read: &Read, path: &Path<'_>) {
        let Read { service, lines, role_line } = read;
        for (line, place) in lines.iter().zip(&service.deployed_by) {
            let account = service.account().map(str::to_owned);
            match self.places.entry((place.clone(), account)) {
                Entry::Occupied(taken) => {
                    let (first, other) = taken.get();
                    let said = format!("is released by what {other} is released by on line {first} already");
                    reading.wrong(*line, &path.to("deployed_by"), said);
                }
                Entry::Vacant(free) => {
                    free.insert((*line, name));
                }
            }
        }
        let (Some(role), Some(line)) = (&service.account_role, *role_line) else { return };
        if !self.roles.contains_key(role.account()) {
            self.roles.insert(role.account().to_owned(), Vec::new());
        }
        let Some(roles) = self.roles.get_mut(role.account()) else { return };
        if let Some((other, first)) = roles.iter().find(|(other, _)| other != role) {
            let said = format!(
                "names another role of account {} than line {first}, which has `{other}`: Belay works in an account by one role",
                role.account()
            );
            reading.wrong(line, &path.to("account_role"), said);
        }
        if roles.len() < 2 && roles.iter().all(|(other, _)| other != role) {
            roles.push((role.clone(), line));
        }
    }

    /// The roles of all accounts.
    pub(super) fn roles(self) -> BTreeSet<AccountRole> {
        self.roles.into_values().flatten().map(|(role, _)| role).collect()
    }
}
