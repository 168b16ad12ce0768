//! What we know when we decide, and what we could not learn.
//!
//! Every fact is [`Observed`]: known, with the time it was read, or missing, with the reason. There is no
//! third way and no default, so that "could not read" can never be mistaken for "healthy".

mod ahead;
mod elsewhere;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    cause::Cause,
    decision::{Asking, HookAnswer},
    ledger::{Answered, Incident, Judged, Open, ReleaseLedger, Would},
    policy::Service,
    reason::Reasons,
    release::{
        AlarmArn, AlarmName, DeploymentGroup, LifecycleEvent, Place, Release, ReleaseId, Revision,
        ServiceName,
    },
    signal::AlarmState,
};

pub use ahead::{Ahead, COMMITS, Coming, Commit, DIFFERENCES, Difference, Differing, Notice, RedNow};
pub use elsewhere::Elsewhere;

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
    /// The open incidents of the alarm; gathered when it is OK.
    pub incidents: Observed<Vec<Incident>>,
    /// What the alarm is by now; gathered when it is OK and an incident of it is open.
    pub stands: Observed<WatchedState>,
    /// Which delivery of this very signal this is, from 1. Gathered as the first; counted in the ledger when
    /// the decision turns on it (`gather::delivery`).
    pub delivery: Observed<u32>,
}

/// What is known of one service that watches the alarm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceEvidence {
    /// The service.
    pub service: ServiceName,
    /// One entry for each place where it is released.
    pub places: Vec<PlaceEvidence>,
    /// The releases of it that Belay took back within the budget's time.
    pub taken_back: Observed<Vec<Undone>>,
    /// In `observe`: the releases that would have been undone. For the message only.
    pub would_have: Observed<Vec<Would>>,
}

/// A release that Belay took back, for the budget.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undone {
    /// Which.
    pub release: ReleaseId,
    /// When.
    pub at: Timestamp,
}

/// What is known of one place of releases, around one alarm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlaceEvidence {
    /// Where.
    pub place: Place,
    /// The release that runs there, else the last one that ended; none if there never was one.
    pub latest: Observed<Option<Release>>,
    /// What an undo of `latest` would go back to, and how.
    pub back: Observed<Back>,
    /// Why `latest` must not be rolled back, if its owners marked it so.
    pub marked: Observed<Option<String>>,
    /// What the ledger holds of `latest`; empty if there is none.
    pub ledger: Observed<ReleaseLedger>,
    /// If the alarm went off before `latest` began: the release before it.
    pub earlier: Observed<Option<Release>>,
    /// What the alarm was when `latest` began, and since.
    pub past: Observed<AlarmPast>,
    /// How often the alarm went to ALARM in the hour before `latest` began.
    pub flaps: Observed<u32>,
    /// If `latest` is a rollback: the release that it takes back.
    pub taken_back: Observed<Option<TakenBack>>,
    /// The stage behind this one, if this is a pipeline's stage and there is one.
    pub next_stage: Option<String>,
    /// The CodeDeploy deployments that the stage ran, if this is a pipeline's stage: the same change, seen closer.
    pub within: Vec<ReleaseId>,
    /// The groups in which those are, as far as they are known here, each with when the newest of them was created.
    pub deploys_to: Vec<(DeploymentGroup, Timestamp)>,
    /// How much of the traffic the new revision gets, in percent. For the message only: no decision
    /// depends on it.
    pub traffic: Observed<u8>,
}

/// A release that is being rolled back, or was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakenBack {
    /// The release.
    pub deployment: Release,
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

/// What an undo would go back to, and the way there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Back {
    /// To this, by this way.
    To {
        /// What users had before.
        target: Target,
        /// How.
        way: Way,
    },
    /// There is nothing good to go back to.
    Nowhere {
        /// Why not, as a sentence.
        why: String,
    },
    /// There is, and first a person has to answer something else.
    Later {
        /// What, as a sentence.
        why: String,
    },
}

/// How a release is undone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Way {
    /// It runs: the deployer stops it and goes back by itself.
    Stop,
    /// It has finished: what ran before is deployed again.
    Redeploy(Box<Redeploy>),
    /// It is a pipeline's stage: the stage runs again as an earlier execution ran it.
    RollBackStage {
        /// The execution to go back to.
        target: String,
        /// The execution that has to be stopped first, because it still runs in the stage.
        running: Option<String>,
        /// The CodeDeploy deployments that run in the stage.
        deployments: Vec<ReleaseId>,
        /// The actions that have deployed in the stage already.
        #[serde(default)]
        finished: Vec<String>,
    },
}

/// What an action of a pipeline's stage deployed, as it stands after the stage was stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rest {
    /// By CodeDeploy.
    Deployed {
        /// The action.
        action: String,
        /// What it deployed.
        deployment: Box<Release>,
        /// What CodeDeploy takes that back by, if it names such a deployment.
        rollback: Option<Box<Release>>,
    },
    /// By whatever else.
    Otherwise {
        /// The action.
        action: String,
        /// Whether it still runs.
        runs: bool,
    },
}

/// What has become of a pipeline's stage in which everything that ran was stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remains {
    /// Whether anything of it still runs, or is still on its way back.
    pub moves: bool,
    /// The actions whose deployments still have the release.
    pub actions: Vec<String>,
    /// What has been released there since, by the stage or past it: with the stage it would go back as well.
    pub followed: Option<ReleaseId>,
    /// What the stage could be rolled back to.
    pub back: Observed<Back>,
}

/// A deployment that takes a finished release back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redeploy {
    /// Where.
    pub group: DeploymentGroup,
    /// What; an AppSpec by its text.
    pub revision: Sent,
    /// The deployment configuration: all at once where traffic shifts, as CodeDeploy's own rollbacks do; the
    /// group's own where it is not named.
    pub config: Option<String>,
}

/// A revision as it is handed to CodeDeploy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sent {
    /// An AppSpec's text.
    AppSpec(String),
    /// A bundle or a commit that CodeDeploy fetches itself.
    Location(Revision),
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
pub struct ReleaseEvidence {
    /// The deployment the event is about, as CodeDeploy describes it now.
    pub deployment: Observed<Release>,
    /// What the ledger holds of it.
    pub ledger: Observed<ReleaseLedger>,
    /// What an undo of it would go back to.
    pub target: Observed<Target>,
    /// Why it must not be rolled back, if its owners marked it so.
    pub marked: Observed<Option<String>>,
    /// The watched alarms right now, by name.
    pub alarms: Observed<BTreeMap<AlarmName, WatchedState>>,
    /// Which delivery of this signal this is (see [`AlarmEvidence::delivery`]).
    pub delivery: Observed<u32>,
    /// Why a deployment failed, where anybody was asked and knew.
    pub cause: Option<Cause>,
}

/// One watched alarm, as CloudWatch describes it now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchedState {
    /// Its state; missing when the alarm does not exist, or when CloudWatch says that it could not evaluate
    /// it, because the state it shows is then an old one.
    pub state: Observed<AlarmState>,
    /// When its state last changed its value.
    pub since: Option<Timestamp>,
    /// Its ARN.
    pub arn: Option<AlarmArn>,
    /// CloudWatch's own sentence about its state.
    pub said: String,
    /// What holds its actions back, in CloudWatch's word, if it is a composite alarm and something does.
    pub suppressed: Option<String>,
}

/// What is known of everything that is not over yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenEvidence {
    /// What the ledger holds open.
    pub open: Open,
    /// The releases on watch, as their deployers describe them now.
    pub releases: BTreeMap<ReleaseId, Observed<Release>>,
    /// What the ledger holds of each.
    pub ledgers: BTreeMap<ReleaseId, Observed<ReleaseLedger>>,
    /// The alarms that are watched for them, and those of open incidents.
    pub alarms: Observed<BTreeMap<AlarmName, WatchedState>>,
}

impl OpenEvidence {
    /// Why something could not be read. The next minute reads it again; until then nobody looks after it.
    pub fn unread(&self) -> Vec<&str> {
        let releases = self.releases.values().map(|release| release.known().err());
        let ledgers = self.ledgers.values().map(|ledger| ledger.known().err());
        releases.chain(ledgers).chain([self.alarms.known().err()]).flatten().collect()
    }
}

/// What is known when a stage of a pipeline has failed, for one service that the pipeline releases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StageEvidence {
    /// The release that the execution is, or was to become.
    pub release: Release,
    /// What the ledger holds of it.
    pub ledger: ReleaseLedger,
    /// The actions of the stage that failed, each with its cause; manual approvals are told of as such.
    pub failed: Observed<Vec<ActionFailed>>,
    /// When Belay stopped what the stage did, if that is why it failed.
    pub stopped: Option<Timestamp>,
    /// Whether the pipeline is this service's to run again: of several that it releases the first is asked.
    pub leads: bool,
}

/// An action of a pipeline that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActionFailed {
    /// Its name. Text from outside.
    pub action: String,
    /// What carried it out: `CodeBuild`, `CodeDeploy`.
    pub provider: String,
    /// Why.
    pub cause: Cause,
}

/// What is known of a release, for its card. Nothing is decided by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CardFacts {
    /// The service, as the policy has it.
    pub service: Service,
    /// The release.
    pub id: ReleaseId,
    /// Where it is released.
    pub place: Place,
    /// The release, as its deployer describes it now.
    pub release: Observed<Release>,
    /// What the ledger holds of it.
    pub ledger: ReleaseLedger,
    /// The release that takes it back, if there is one.
    pub rollback: Option<Release>,
    /// The watched alarms right now.
    pub alarms: Observed<BTreeMap<AlarmName, WatchedState>>,
    /// How much of the traffic it gets, in percent.
    pub traffic: Observed<u8>,
}

/// What is known when a person has answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApprovalEvidence {
    /// Where the release is, if something is to be done to it.
    pub place: Option<PlaceEvidence>,
    /// The release itself, where only its hook or its pipeline is answered.
    pub release: Observed<Release>,
    /// Which delivery of this answer this is (see [`AlarmEvidence::delivery`]).
    pub delivery: Observed<u32>,
}

/// What is known when a lifecycle hook was called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookEvidence {
    /// What was decided about this very call before.
    pub before: Option<HookBefore>,
    /// The deployment that waits.
    pub deployment: Observed<Release>,
    /// The lifecycle event that waits for this answer.
    pub event: Observed<LifecycleEvent>,
    /// What the checks of that event found, in the policy's order; those that people do are not among them.
    pub checks: Vec<CheckResult>,
    /// The answer that a person, or silence, has given to this very call before.
    pub answered: Option<Answered>,
    /// When it was called: a person's time to answer counts from here.
    pub called: Timestamp,
}

/// What was decided about a hook's call that comes again: it is not judged twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HookBefore {
    /// It was answered, or was to be: CodeDeploy may not have taken it.
    Answered {
        /// For which service, if it was known.
        service: Option<ServiceName>,
        /// What.
        answer: HookAnswer,
        /// Why.
        reasons: Reasons,
    },
    /// A person was asked, and is still.
    Asked {
        /// Which lifecycle event.
        event: LifecycleEvent,
        /// Until when, and what silence means.
        asking: Asking,
        /// Why.
        reasons: Reasons,
    },
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
