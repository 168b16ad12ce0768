//! Gathers evidence: read-only calls, independent ones side by side. What cannot be read becomes a missing
//! fact with its reason, never an error that hides the rest, and never a guess.

pub mod alarm;
pub mod deployment;
pub mod hook;

use jiff::Timestamp;

use crate::{
    aws::{Adapters, AwsError},
    evidence::{Observed, Target},
    ledger::{BLAMED_FOR, EffectState, ReleaseLedger},
    policy::Service,
    release::{AlarmName, Deployment, DeploymentId},
    signal::Signal,
};

/// Which delivery of a signal this is. Asked for only when a decision turns on it, since counting is a write.
pub async fn delivery(adapters: &Adapters, signal: &Signal, now: Timestamp) -> Observed<u32> {
    Observed::from_result(adapters.ledger.count_delivery(&signal.key(), now).await, now)
}

/// What an undo of `release` would go back to: the newest deployment that ended well before it.
///
/// `last_successful` is the group's own account. While the release runs it cannot be the release itself; once
/// the release has ended well it is, and says nothing about what came before.
async fn target(
    adapters: &Adapters,
    release: &DeploymentId,
    last_successful: Result<Option<DeploymentId>, AwsError>,
    naming: Naming,
    now: Timestamp,
) -> Observed<Target> {
    let id = match last_successful {
        Err(error) => return Observed::Missing { why: error.to_string() },
        Ok(None) => {
            return Observed::Known {
                value: Target::None { why: "no deployment of this group has succeeded before.".to_owned() },
                at: now,
            };
        }
        Ok(Some(id)) if id == *release => {
            return Observed::Missing {
                why: "the last deployment that succeeded is the release itself".to_owned(),
            };
        }
        Ok(Some(id)) => id,
    };
    let codedeploy = &adapters.codedeploy;
    let (found, ledger) = tokio::join!(codedeploy.deployment(&id), adapters.ledger.release(&id, now));
    match ledger {
        Err(error) => return Observed::Missing { why: error.to_string() },
        Ok(ledger) => {
            if let Some(why) = not_good(&id, &ledger, now) {
                return Observed::Known { value: Target::None { why }, at: now };
            }
        }
    }
    let found = match (found, naming) {
        (Ok(good), Naming::ForPeople) => Ok(codedeploy.named(good).await),
        (found, Naming::ForPeople | Naming::ByHash) => found,
    };
    let found = found.map(|good: Deployment| Target::KnownGood {
        deployment: good.id.to_string(),
        revision: good.revision.to_string(),
    });
    Observed::from_result(found, now)
}

/// Why a deployment that succeeded is nothing to go back to all the same, if Belay knows a reason.
fn not_good(id: &DeploymentId, ledger: &ReleaseLedger, now: Timestamp) -> Option<String> {
    if ledger.undo.as_ref().is_some_and(|undo| undo.state != EffectState::Overtaken) {
        return Some(format!("the last deployment that succeeded, {id}, was itself to be taken back."));
    }
    let (alarm, at) = ledger.blamed_by.as_ref()?;
    if now.duration_since(*at) > BLAMED_FOR {
        return None;
    }
    Some(format!(
        "the last deployment that succeeded, {id}, had its alarm {alarm} go off when it had finished."
    ))
}

/// Whether a revision's name is worth a call: it is in a message about a beginning, not on the way to an undo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Naming {
    ForPeople,
    ByHash,
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
