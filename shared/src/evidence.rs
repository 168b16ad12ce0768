//! What we know when we decide, and what we could not learn.
//!
//! Every fact is [`Observed`]: known, with the time it was read, or missing, with the reason. There is no
//! third way and no default, so that "could not read" can never be mistaken for "healthy".

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    ledger::{Judged, ReleaseLedger},
    release::{AlarmName, Deployment, DeploymentGroup, LifecycleEvent, ServiceName},
    signal::AlarmState,
};

/// A fact about the world outside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Observed<T> {
    /// Read, and understood.
    Known {
        /// The fact.
        value: T,
        /// When it was read.
        at: Timestamp,
    },
    /// Not read, or read and not understood.
    Missing {
        /// Why, as a sentence for people: it goes into the message.
        why: String,
    },
}

impl<T> Observed<T> {
    /// A fact read at `at`, or the reason why it could not be read.
    pub fn from_result<E: std::fmt::Display>(result: Result<T, E>, at: Timestamp) -> Self {
        match result {
            Ok(value) => Self::Known { value, at },
            Err(error) => Self::Missing { why: error.to_string() },
        }
    }

    /// The fact, or why it is missing.
    ///
    /// # Errors
    /// The reason, when the fact is missing.
    pub fn known(&self) -> Result<&T, &str> {
        match self {
            Self::Known { value, .. } => Ok(value),
            Self::Missing { why } => Err(why),
        }
    }

    /// Whether the fact could not be learnt.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Missing { .. })
    }

    /// The same observation of something derived from the fact.
    pub fn map<U>(self, derive: impl FnOnce(T) -> U) -> Observed<U> {
        match self {
            Self::Known { value, at } => Observed::Known { value: derive(value), at },
            Self::Missing { why } => Observed::Missing { why },
        }
    }
}

/// What is known when an alarm went to ALARM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlarmEvidence {
    /// One entry for each service that watches the alarm and whose rule needs more than the event.
    pub services: Vec<ServiceEvidence>,
    /// For which services this very signal has been judged and carried out before.
    pub judged: Observed<Vec<Judged>>,
    /// Which delivery of this very signal this is, from 1. Gathered as the first; counted in the ledger when
    /// the decision turns on it (`gather::delivery`).
    pub delivery: Observed<u32>,
}

/// What is known of one service that watches the alarm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceEvidence {
    /// The service.
    pub service: ServiceName,
    /// One entry for each deployment group that deploys it.
    pub places: Vec<PlaceEvidence>,
}

/// What is known of one deployment group, around one alarm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlaceEvidence {
    /// The deployment group.
    pub group: DeploymentGroup,
    /// The deployment that runs there, else the last one that ended; none if there never was one.
    pub latest: Observed<Option<Deployment>>,
    /// What an undo of `latest` would go back to.
    pub target: Observed<Target>,
    /// What the ledger holds of `latest`; empty if there is none.
    pub ledger: Observed<ReleaseLedger>,
    /// What the alarm was when `latest` began, and since.
    pub past: Observed<AlarmPast>,
    /// If `latest` is a rollback: the release that it takes back.
    pub taken_back: Observed<Option<TakenBack>>,
    /// How much of the traffic the new revision gets, in percent. For the message only: no decision
    /// depends on it.
    pub traffic: Observed<u8>,
}

/// A release that is being rolled back, or was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakenBack {
    /// The release.
    pub deployment: Deployment,
    /// What the ledger holds of it.
    pub ledger: ReleaseLedger,
}

/// What an undo would go back to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Target {
    /// The newest successful deployment before the release.
    KnownGood {
        /// Its id.
        deployment: String,
        /// What it deployed, in a few words.
        revision: String,
    },
    /// There is nothing good to go back to.
    None {
        /// Why not, as a sentence.
        why: String,
    },
}

/// What an alarm was when a release began, and what it has been since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlarmPast {
    /// It was OK at some time since the release began, or was not in ALARM when it began: what it says now
    /// is news about this release.
    News,
    /// It was in ALARM when the release began and has not been OK since.
    RedSinceBefore,
}

/// What is known when a deployment event came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeploymentEvidence {
    /// The deployment the event is about, as CodeDeploy describes it now.
    pub deployment: Observed<Deployment>,
    /// What the ledger holds of it.
    pub ledger: Observed<ReleaseLedger>,
    /// What an undo of it would go back to.
    pub target: Observed<Target>,
    /// The watched alarms right now, by name.
    pub alarms: Observed<BTreeMap<AlarmName, WatchedState>>,
    /// Which delivery of this signal this is (see [`AlarmEvidence::delivery`]).
    pub delivery: Observed<u32>,
}

/// One watched alarm, as CloudWatch describes it now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchedState {
    /// Its state; missing when the alarm does not exist, or when CloudWatch says that it could not evaluate
    /// it, because the state it shows is then an old one.
    pub state: Observed<AlarmState>,
    /// When its state last changed its value.
    pub since: Option<Timestamp>,
}

/// What is known when a lifecycle hook was called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookEvidence {
    /// The deployment that waits.
    pub deployment: Observed<Deployment>,
    /// The lifecycle event that waits for this answer.
    pub event: Observed<LifecycleEvent>,
    /// What the checks of that event found, in the policy's order.
    pub checks: Vec<CheckResult>,
}

/// What one check found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckResult {
    /// The check in a few words, for people.
    pub check: String,
    /// What it found.
    pub finding: Finding,
}

/// A check's verdict. Measured and could not tell is not the same as could not measure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Finding {
    /// Measured, and good.
    Pass {
        /// What was seen.
        saw: String,
    },
    /// Measured, and bad.
    Fail {
        /// What was seen.
        saw: String,
    },
    /// Measured, and cannot tell.
    Inconclusive {
        /// Why not.
        why: String,
    },
    /// Could not measure.
    Error {
        /// Why not.
        why: String,
    },
}
