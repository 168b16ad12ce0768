//! Who is meant by a name: made once, so that no event looks through the services.

use std::{collections::HashMap, slice};

use super::Service;
use crate::release::{AlarmName, Place};

/// From an alarm's name to the services that may watch it, without trying every pattern: names exactly, and
/// patterns by what they begin with; and from a place or a pipeline to the services that it releases. Services go by
/// their position in the order of names.
#[derive(Debug, Default)]
pub(super) struct Index {
    exact: HashMap<String, Positions>,
    by_prefix: HashMap<String, Positions>,
    places: HashMap<Place, Positions>,
    pipelines: HashMap<String, Positions>,
}

/// Positions in order; nearly always one, which needs no list.
#[derive(Debug)]
enum Positions {
    One(usize),
    More(Vec<usize>),
}

impl Positions {
    fn all(&self) -> &[usize] {
        match self {
            Self::One(only) => slice::from_ref(only),
            Self::More(all) => all,
        }
    }

    fn add(&mut self, at: usize) {
        match self {
            Self::One(only) if *only == at => {}
            Self::One(only) => *self = Self::More(vec![*only, at]),
            Self::More(all) if all.last() == Some(&at) => {}
            Self::More(all) => all.push(at),
        }
    }
}

impl Index {
    /// The index of services that are in the order of names.
    pub(super) fn of(services: &[Service]) -> Self {
        let alarms = || services.iter().flat_map(|service| &service.alarms);
        let exact = alarms().filter(|watched| watched.pattern.is_exact()).count();
        let mut index = Self {
            exact: HashMap::with_capacity(exact),
            by_prefix: HashMap::with_capacity(alarms().count() - exact),
            places: HashMap::with_capacity(services.iter().map(|service| service.deployed_by.len()).sum()),
            pipelines: HashMap::new(),
        };
        for (at, service) in services.iter().enumerate() {
            for watched in &service.alarms {
                let (map, key) = if watched.pattern.is_exact() {
                    (&mut index.exact, watched.pattern.as_str())
                } else {
                    (&mut index.by_prefix, watched.pattern.literal_prefix())
                };
                add(map, key, at);
            }
            for place in &service.deployed_by {
                if let Place::Stage(stage) = place {
                    add(&mut index.pipelines, &stage.pipeline, at);
                }
                let there = index.places.entry(place.clone());
                there.and_modify(|there| there.add(at)).or_insert(Positions::One(at));
            }
        }
        index
    }

    /// The services that have the alarm's name, or a pattern whose beginning is one of the name's: what is left to
    /// try. A service may come more than once.
    pub(super) fn candidates(&self, alarm: &AlarmName) -> Vec<usize> {
        let name = alarm.as_str();
        let beginnings = name.char_indices().map(|(at, _)| &name[..at]).chain([name]);
        beginnings
            .filter_map(|beginning| self.by_prefix.get(beginning))
            .chain(self.exact.get(name))
            .flat_map(Positions::all)
            .copied()
            .collect()
    }

    /// The services that are released there, of all accounts.
    pub(super) fn deployed_by(&self, place: &Place) -> &[usize] {
        self.places.get(place).map_or(&[], Positions::all)
    }

    /// The services that a pipeline releases, of all accounts.
    pub(super) fn in_pipeline(&self, pipeline: &str) -> &[usize] {
        self.pipelines.get(pipeline).map_or(&[], Positions::all)
    }
}

/// One lookup where the key is there already, and no copy of it.
fn add(map: &mut HashMap<String, Positions>, key: &str, at: usize) {
    match map.get_mut(key) {
        Some(there) => there.add(at),
        None => {
            map.insert(key.to_owned(), Positions::One(at));
        }
    }
}
