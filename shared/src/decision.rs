//! The rules: what Belay knows goes in, a decision with its reasons comes out.
//!
//! Pure and total: no clock, no network, no default arm. One file per kind of signal; the tables they
//! follow are in the repository's ARCHITECTURE.md, row by row.

pub mod alarm;
pub mod approval;
pub mod drift;
pub mod hook;
pub mod manual;
pub mod pipeline;
pub mod release;
pub mod silence;
pub mod sweep;

#[cfg(test)]
mod approval_tests;
#[cfg(test)]
mod rows_tests;
#[cfg(test)]
mod sweep_tests;
#[cfg(test)]
mod tests;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    evidence::{Redeploy, Way},
    ledger::{About, Half, Question},
    reason::{Reason, Reasons, Silent},
    release::{Place, Release, ReleaseId, ServiceName},
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
    /// What is done to the release: something for `Halt` and `RollBack`, nothing for everything else.
    pub effect: Option<Effect>,
    /// Which part of the release's undo the effect is.
    pub half: Half,
    /// What is asked, for `Ask`.
    pub question: Option<Asking>,
    /// What waits for the answer to an `Ask`, where that is not an alarm's question.
    pub waits: Option<About>,
    /// A question that is asked again with more time.
    pub extends: Option<Question>,
    /// Where something may be on watch and could not be read: whoever looks again looks there.
    pub unread: Vec<Place>,
    /// An earlier release that was on watch when the alarm went off. It is not touched any more, and nothing to go back
    /// to either.
    pub blames: Option<ReleaseId>,
    /// The service is only observed: what the decision would do is told and not done.
    pub observed: bool,
}

/// What is done to a release. Every choice is made: carrying it out leaves none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Effect {
    /// Its CodeDeploy deployment is stopped.
    Stop {
        /// Whether CodeDeploy is to go back by itself: taking back; otherwise halting.
        auto_rollback: bool,
    },
    /// What ran before is deployed again.
    Redeploy(Box<Redeploy>),
    /// The pipeline's stage runs again as an earlier execution ran it.
    RollBackStage {
        /// The execution to go back to.
        target: String,
        /// The execution that has to be stopped first, because it still runs in the stage.
        running: Option<String>,
    },
    /// The CodeDeploy deployments that run in a pipeline's stage are stopped, and CodeDeploy goes back. A stage that
    /// runs cannot be rolled back; giving it up would let its deployments go on.
    StopWithin {
        /// Which.
        deployments: Vec<ReleaseId>,
        /// The actions that have deployed in the stage already, which stopping does not take back. Records from before this
        /// was written have none.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        stays: Vec<String>,
    },
    /// The pipeline's execution is stopped, and nothing more enters the next stage.
    HaltStage {
        /// The CodeDeploy deployments that run in it, and are stopped as well.
        deployments: Vec<ReleaseId>,
        /// The stage behind this one, if there is one.
        next: Option<String>,
    },
}

impl From<Way> for Effect {
    fn from(way: Way) -> Self {
        match way {
            Way::Stop => Self::Stop { auto_rollback: true },
            Way::Redeploy(redeploy) => Self::Redeploy(redeploy),
            Way::RollBackStage { running: Some(_), deployments, finished, target: _ }
                if !deployments.is_empty() =>
            {
                Self::StopWithin { deployments, stays: finished }
            }
            Way::RollBackStage { target, running, .. } => Self::RollBackStage { target, running },
        }
    }
}

impl Effect {
    /// Whether it takes the release back; otherwise it halts it.
    pub fn takes_back(&self) -> bool {
        match self {
            Self::Stop { auto_rollback } => *auto_rollback,
            Self::Redeploy(_) | Self::RollBackStage { .. } | Self::StopWithin { .. } => true,
            Self::HaltStage { .. } => false,
        }
    }
}

/// A question to people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asking {
    /// When silence becomes the answer.
    pub deadline: Timestamp,
    /// Which one.
    pub otherwise: Silent,
}

impl Decision {
    /// A decision that does nothing to a release and asks nothing.
    pub(crate) fn plain(
        service: Option<&ServiceName>,
        release: Option<&Release>,
        verdict: Verdict,
        reasons: Reasons,
    ) -> Self {
        Self {
            service: service.cloned(),
            release: release.map(Subject::of),
            verdict,
            reasons,
            effect: None,
            half: Half::Whole,
            question: None,
            waits: None,
            extends: None,
            unread: Vec::new(),
            blames: None,
            observed: false,
        }
    }
}

/// The release that a decision is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// The deployment.
    pub deployment: Release,
    /// The release in whose thread people read about it: the one that is rolled back, if this is a
    /// rollback, else the deployment itself.
    pub thread: ReleaseId,
}

impl Subject {
    /// A deployment as the subject of a decision.
    pub fn of(deployment: &Release) -> Self {
        Self {
            thread: deployment.rolls_back.clone().unwrap_or_else(|| deployment.id.clone()),
            deployment: deployment.clone(),
        }
    }

    /// Where it happens.
    pub fn place(&self) -> &Place {
        &self.deployment.place
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
    /// Answer what waits: a lifecycle hook, or a pipeline's manual approval.
    Answer(HookAnswer),
    /// Run again what failed in a pipeline's stage: a person wants it, or it passes by itself and the policy says so.
    Retry,
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
            Self::Ignore | Self::Notify(_) | Self::Answer(HookAnswer::Succeeded) | Self::Retry => true,
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
            Self::Retry => "Retry",
        }
    }
}

/// How often a signal is delivered before it is given up: Lambda invokes an asynchronous function once and,
/// when it fails, twice more, one and then two minutes later (Lambda Developer Guide, "Understanding
/// retry behavior").
pub const DELIVERIES: u32 = 3;

/// Why nobody knows whether an undo is being done: whoever claimed it `since` then may have died.
fn claimed_and_silent(since: Timestamp) -> Reason {
    let what = "whether the release is really being taken back".to_owned();
    let why = format!("another invocation claimed it at {since:.0} and has not said that it is done");
    Reason::CouldNotLearn { what, why }
}

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
