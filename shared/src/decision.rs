//! The rules: what Belay knows goes in, a decision with its reasons comes out.
//!
//! Pure and total: no clock, no network, no default arm. One file per kind of signal; the tables they
//! follow are in the repository's ARCHITECTURE.md, row by row.

pub mod alarm;
pub mod deployment;
pub mod hook;

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::{
    reason::{Reason, Reasons},
    release::{Deployment, DeploymentGroup, DeploymentId, ServiceName},
};

/// What is to happen, about what, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a decision that nobody carries out is silence"]
pub struct Decision {
    /// The service it is about, where one is concerned.
    pub service: Option<ServiceName>,
    /// The release it is about, where there is one.
    pub release: Option<Subject>,
    /// What is to happen.
    pub verdict: Verdict,
    /// Why. The first reason is the one that decided.
    pub reasons: Reasons,
}

/// The release that a decision is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// The deployment.
    pub deployment: Deployment,
    /// The release in whose thread people read about it: the one that is rolled back, if this is a
    /// rollback, else the deployment itself.
    pub thread: DeploymentId,
}

impl Subject {
    /// A deployment as the subject of a decision.
    pub fn of(deployment: &Deployment) -> Self {
        Self {
            thread: deployment.rolls_back.clone().unwrap_or_else(|| deployment.id.clone()),
            deployment: deployment.clone(),
        }
    }

    /// Where it happens.
    pub fn group(&self) -> &DeploymentGroup {
        &self.deployment.group
    }
}

/// What is to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// Nothing; recorded, not told.
    Ignore,
    /// Tell people.
    Notify(Urgency),
    /// The signal is delivered again and judged again: something that the decision depends on was missing,
    /// and this was not the last delivery.
    LookAgain,
    /// Tell people that they have to decide.
    Ask,
    /// Stop the release where it is, without going back.
    Halt,
    /// Take the release back.
    RollBack,
    /// Answer the lifecycle hook.
    Answer(HookAnswer),
}

/// How loud a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Urgency {
    /// Worth reading.
    Calm,
    /// Worth waking somebody for.
    Loud,
}

/// What CodeDeploy is told about a lifecycle hook. Of the six words of the API it accepts these two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum HookAnswer {
    /// The deployment goes on.
    Succeeded,
    /// The deployment fails.
    Failed,
}

impl Verdict {
    /// Whether the release goes on as if nothing had happened, unless somebody reads a message and acts.
    /// More bad news must never turn a verdict that does not into one that does.
    pub fn lets_it_go_on(self) -> bool {
        match self {
            Self::Ignore | Self::Notify(_) | Self::Answer(HookAnswer::Succeeded) => true,
            Self::LookAgain | Self::Ask | Self::Halt | Self::RollBack | Self::Answer(HookAnswer::Failed) => {
                false
            }
        }
    }

    /// The verdict as the field's word, for the record and the log.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ignore => "Ignore",
            Self::Notify(_) => "Notify",
            Self::LookAgain => "LookAgain",
            Self::Ask => "Ask",
            Self::Halt => "Halt",
            Self::RollBack => "RollBack",
            Self::Answer(HookAnswer::Succeeded) => "Succeeded",
            Self::Answer(HookAnswer::Failed) => "Failed",
        }
    }
}

/// How often a signal is delivered before it is given up: Lambda invokes an asynchronous function once and,
/// when it fails, twice more, one and then two minutes later (Lambda Developer Guide, "Understanding
/// retry behavior").
pub const DELIVERIES: u32 = 3;

/// The verdict when something needed is missing: look again while the signal will come again, ask when it
/// will not. Missing evidence never lets a release go on unseen.
fn could_not_learn(what: impl Into<String>, why: &str, delivery: Result<&u32, &str>) -> (Verdict, Reasons) {
    let reason = Reason::CouldNotLearn { what: what.into(), why: why.to_owned() };
    match delivery {
        Ok(number) if *number < DELIVERIES => (Verdict::LookAgain, reason.into()),
        Ok(_) => (Verdict::Ask, reason.into()),
        // We do not even know how often it came: say it now rather than perhaps never.
        Err(uncounted) => (
            Verdict::Ask,
            Reasons::new(
                reason,
                vec![Reason::CouldNotLearn {
                    what: "how often this signal has been delivered".to_owned(),
                    why: uncounted.to_owned(),
                }],
            ),
        ),
    }
}
