//! What Belay already did: records and keys. Pure; the DynamoDB side is `aws/ledger.rs`.
//!
//! One partition holds everything about one release, so that one consistent read tells what was said, what
//! was done and what is still owed. Nothing is ever overwritten but a claim, and a claim only under a
//! condition.
//!
//! Every item carries the [`VERSION`] of its writer. A reader takes its own version only: an item of
//! another version is missing evidence, not a guess.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    decision::Verdict,
    evidence::{Observed, Target},
    message::Message,
    reason::Reasons,
    release::{
        AlarmName, DeploymentError, DeploymentGroup, DeploymentId, DeploymentStatus, Platform, ServiceName,
    },
    signal::AlarmState,
};

/// The version of the records this Belay writes and reads.
pub const VERSION: u32 = 1;

/// How long a claim protects whoever holds it. Longer than the longest that a claimant can spend between
/// the claim and the end of its effect (three attempts of an AWS call, see `aws::connect`), and shorter than
/// the minute after which Lambda delivers a failed invocation again.
pub const LEASE: SignedDuration = SignedDuration::from_secs(40);

/// How long an alarm after its end keeps a release from being gone back to. By then somebody has taken it back or
/// has decided to keep it, and then it is what users have.
pub const BLAMED_FOR: SignedDuration = SignedDuration::from_hours(24);

/// How long records are kept, by DynamoDB's own expiry.
pub const KEPT: SignedDuration = SignedDuration::from_hours(24 * 90);

/// Which partition a record lives in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Partition {
    /// Everything about one release.
    Release(DeploymentId),
    /// What was decided about an alarm while no release was concerned.
    Alarm(AlarmName),
    /// How often one signal was delivered, and what came of it.
    Signal(String),
}

impl Partition {
    /// The value of the partition key `pk`.
    pub fn key(&self) -> String {
        match self {
            Self::Release(id) => format!("release/{id}"),
            Self::Alarm(alarm) => format!("alarm/{alarm}"),
            Self::Signal(key) => format!("signal/{key}"),
        }
    }
}

/// The sort keys within a partition.
pub mod sort_key {
    /// How the release began.
    pub const BEGAN: &str = "began";
    /// How it ended.
    pub const ENDED: &str = "ended";
    /// Its one undo: taking it back and halting it share the key, so that only one of them happens.
    pub const UNDO: &str = "effect/undo";
    /// How often a signal was delivered.
    pub const DELIVERIES: &str = "deliveries";
    /// Prefix of what a signal was judged to be; the service and the release follow.
    pub const JUDGED: &str = "judged/";
    /// Prefix of decisions; the signal's key follows.
    pub const DECISION: &str = "decision/";
    /// Prefix of messages; the message's key follows.
    pub const MESSAGE: &str = "message/";
}

/// Everything the ledger holds about one release.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReleaseLedger {
    /// How it began, if its START was seen.
    pub began: Option<Began>,
    /// How it ended, if that was seen.
    pub ended: Option<Ended>,
    /// The undo of it, if there is one.
    pub undo: Option<Effect>,
    /// Messages that were written down and, as far as the ledger knows, not sent.
    pub owed: Vec<OwedMessage>,
    /// The alarm that went off while it was on watch after it had finished, and when that was judged.
    pub blamed_by: Option<(AlarmName, Timestamp)>,
    /// In a signal's partition: for which services it was judged.
    pub judged: Vec<Judged>,
}

/// How a release began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Began {
    /// The service.
    pub service: ServiceName,
    /// Where.
    pub group: DeploymentGroup,
    /// Onto what.
    pub platform: Platform,
    /// What, in a few words.
    pub revision: String,
    /// When.
    pub at: Timestamp,
    /// The release that it rolls back, if it does.
    pub rolls_back: Option<DeploymentId>,
    /// What it could go back to.
    pub target: Observed<Target>,
    /// What the watched alarms were.
    pub alarms: BTreeMap<AlarmName, RecordedState>,
}

/// What an alarm was when a release began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RecordedState {
    /// This.
    Was(AlarmState),
    /// It could not be told.
    Unknown {
        /// Why not.
        why: String,
    },
}

/// How a release ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// Well, badly, or by being stopped.
    pub status: DeploymentStatus,
    /// When.
    pub at: Timestamp,
    /// CodeDeploy's reason.
    pub error: Option<DeploymentError>,
    /// The rollback that CodeDeploy started.
    pub rolled_back_by: Option<DeploymentId>,
}

/// An effect that somebody claimed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effect {
    /// How far it is.
    pub state: EffectState,
    /// When it was claimed.
    pub at: Timestamp,
    /// What was decided, for whoever has to finish it.
    pub verdict: Verdict,
    /// Why.
    pub reasons: Reasons,
}

/// A signal that was judged for one service, and whose plan was carried out to its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judged {
    /// The service, where one is concerned.
    pub service: Option<ServiceName>,
    /// What was decided.
    pub verdict: Verdict,
    /// The release it was about, where there was one.
    pub release: Option<DeploymentId>,
    /// When.
    pub at: Timestamp,
}

/// How far a claimed effect is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EffectState {
    /// Somebody is at it until this time; later, somebody else may look and go on.
    Claimed {
        /// When the lease ends.
        until: Timestamp,
    },
    /// It happened.
    Done,
    /// It was not needed: the deployment had ended on its own before.
    Overtaken,
}

/// A message that is written down and not known to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwedMessage {
    /// Where it is written down.
    pub partition: Partition,
    /// Its key there, without the prefix.
    pub key: String,
    /// What it says.
    pub message: Message,
    /// Until when whoever wrote it down is still at it.
    pub until: Timestamp,
}

/// A decision as it is recorded, also an `Ignore`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecisionRecord {
    /// The service, where one is concerned.
    pub service: Option<ServiceName>,
    /// What was decided.
    pub verdict: Verdict,
    /// Why.
    pub reasons: Reasons,
    /// The signal it answered.
    pub signal: String,
    /// When.
    pub at: Timestamp,
}
