//! Gathers evidence: read-only calls, independent ones side by side. What cannot be read becomes a missing
//! fact with its reason, never an error that hides the rest, and never a guess.

pub mod ahead;
pub mod alarm;
pub mod approval;
pub mod card;
pub mod drift;
mod execution;
pub mod failure;
mod group;
pub mod hook;
pub mod inquiry;
pub mod open;
mod past;
pub mod release;
mod since;
mod stage;
pub mod timeline;
mod way_back;

use crate::{
    aws::{Adapters, ledger::Claimant},
    evidence::Observed,
    policy::Service,
    release::AlarmName,
    signal::Signal,
};

pub use group::Looked;
pub use since::{followed, remains};
pub use way_back::way_back;

/// Which delivery of a signal this is. Asked for only when a decision turns on it, since counting is a write.
pub async fn delivery(adapters: &Adapters, signal: &Signal, by: Claimant<'_>) -> Observed<u32> {
    Observed::from_result(adapters.ledger.count_delivery(&signal.key(), by).await, by.now)
}

/// What the policy watches for a service, as CloudWatch can be asked for it: names, and the literal beginnings
/// of patterns.
fn watched(service: &Service) -> (Vec<AlarmName>, Vec<String>) {
    let mut names = Vec::new();
    let mut prefixes = Vec::new();
    for watched in &service.alarms {
        if watched.pattern.is_exact() {
            names.push(AlarmName::from(watched.pattern.as_str()));
        } else {
            prefixes.push(watched.pattern.literal_prefix().to_owned());
        }
    }
    (names, prefixes)
}
