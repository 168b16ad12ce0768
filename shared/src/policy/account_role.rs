//! `account_role`: the role by which Belay works in another account, where a service is released.

use std::fmt;

use super::reading::{Fields, Reading};

/// A role of another account. Belay assumes it to read there what is released, and to undo it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AccountRole {
    arn: String,
    account: String,
}

impl AccountRole {
    /// Reads `arn:<partition>:iam::<account>:role/<path and name>`. A name has 1 to 64 letters, digits and `_+=,.@-`,
    /// a path at most 512 printable ASCII characters (IAM's API model, `roleNameType` and `pathType`).
    fn read(text: &str) -> Option<Self> {
        let mut parts = text.splitn(6, ':');
        let mut next = || parts.next();
        let ("arn", partition, "iam", "", account, resource) =
            (next()?, next()?, next()?, next()?, next()?, next()?)
        else {
            return None;
        };
        let path_and_name = resource.strip_prefix("role/")?;
        let (path, name) = path_and_name.rsplit_once('/').unwrap_or(("", path_and_name));
        let only = |text: &str, fits: fn(char) -> bool| !text.is_empty() && text.chars().all(fits);
        let fits = only(partition, |c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
            && account.len() == 12
            && only(account, |c| c.is_ascii_digit())
            && (1..=64).contains(&name.len())
            && only(name, |c| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c))
            && path.len() <= 510
            && path.chars().all(|c| c.is_ascii_graphic());
        fits.then(|| Self { arn: text.to_owned(), account: account.to_owned() })
    }

    /// Its ARN.
    pub fn arn(&self) -> &str {
        &self.arn
    }

    /// The account that it is in: twelve digits.
    pub fn account(&self) -> &str {
        &self.account
    }
}

impl fmt::Display for AccountRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.arn)
    }
}

/// A service's role, with its line.
pub(super) fn account_role(reading: &mut Reading, fields: &Fields<'_>) -> Option<(usize, AccountRole)> {
    let node = fields.get("account_role")?;
    let path = fields.path("account_role");
    let wanted = "a role's ARN such as `arn:aws:iam::222222222222:role/belay-workload`";
    let text = reading.text(node, &path, wanted, 2048)?;
    let role = AccountRole::read(&text);
    if role.is_none() {
        reading.wrong(node.line, &path, format!("found {}, expected {wanted}", node.shown()));
    }
    Some((node.line, role?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_read_with_its_account() {
        let longest = format!("arn:aws:iam::222222222222:role/{}", "n".repeat(64));
        for good in [
            "arn:aws:iam::222222222222:role/belay-workload",
            "arn:aws-us-gov:iam::222222222222:role/teams/checkout/Belay_+=,.@-1",
            longest.as_str(),
        ] {
            let role = AccountRole::read(good).map(|role| (role.arn, role.account));
            assert_eq!(role, Some((good.to_owned(), "222222222222".to_owned())));
        }
        for bad in [
            "",
            "belay-workload",
            "222222222222",
            "arn:aws:iam::22222222222:role/belay",
            "arn:aws:iam::2222222222222:role/belay",
            "arn:aws:iam::22222222222a:role/belay",
            "arn:aws:iam:us-east-1:222222222222:role/belay",
            "arn:aws:iam::222222222222:user/belay",
            "arn:aws:iam::222222222222:role/",
            "arn:aws:iam::222222222222:role/teams/",
            "arn:aws:iam::222222222222:role/be lay",
            "arn:aws:iam::222222222222:role/be/lä",
            "arn::iam::222222222222:role/belay",
            "arn:aws:sts::222222222222:assumed-role/belay/session",
            "ARN:aws:iam::222222222222:role/belay",
            &format!("{longest}n"),
        ] {
            assert_eq!(AccountRole::read(bad), None, "{bad}");
        }
    }
}
