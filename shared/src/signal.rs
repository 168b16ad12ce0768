//! What just happened: one variant for everything that can happen to a release.
//!
//! Signals come from `events`, already understood. A signal carries the time at which the thing
//! happened by the source's own clock, not the time at which we heard of it.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    approval::NotifiedToken,
    drift::{StackCheck, StackHappening},
    evidence::Notice,
    ledger::{Offer, PipelineApproval, Press},
    release::{AlarmArn, AlarmName, HookExecutionId, Place, ReleaseId, Stage},
};

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signal {
    /// A CloudWatch alarm changed its state, or ran its action.
    Alarm(AlarmChange),
    /// A CodeDeploy deployment began, ended or waits.
    Release(ReleaseChange),
    /// CodeDeploy called a lifecycle hook and waits for its answer.
    Hook(HookCall),
    /// A question's deadline passed and nobody had answered.
    Silence(Silence),
    /// A hook's call has waited so long that whoever was to answer it must be dead.
    HookLeft(HookCall),
    /// A release was left behind in the middle of its undo.
    Left(Left),
    /// A person answered, and may.
    Approval(Box<Approval>),
    /// A pipeline's manual approval waits for a person, or has its answer.
    Manual(ManualChange),
    /// A stage of a pipeline failed.
    StageFailed(StageFailed),
    /// A stack was looked at for drift, or could not be.
    Stack(StackCheck),
}

/// A person's answer that counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    /// To what.
    pub offer: Offer,
    /// Who, what and when.
    pub press: Press,
}

/// What happened to a pipeline's manual approval.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManualChange {
    /// The approval.
    pub approval: PipelineApproval,
    /// Which run of the action: a stage that is retried asks again.
    pub run: String,
    /// What happened.
    pub what: ManualHappening,
    /// The account that the event is about, where the source says so.
    pub account: Option<String>,
    /// The region the event came from, where the source says so.
    pub region: Option<String>,
    /// The event's own time.
    pub at: Timestamp,
}

/// What happened to a pipeline's execution, or to a part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PipelineChange {
    /// The pipeline.
    pub pipeline: String,
    /// The execution.
    pub execution: String,
    /// What happened.
    pub what: PipelineHappening,
    /// The account that the event is about, where the source says so.
    pub account: Option<String>,
    /// The region the event came from, where the source says so. An action may have run in another one.
    pub region: Option<String>,
    /// The event's own time.
    pub at: Timestamp,
}

impl PipelineChange {
    /// A stage's change as one of its pipeline; none for what is no stage's.
    pub fn of_stage(change: &ReleaseChange) -> Option<Self> {
        let (Place::Stage(stage), Some(execution)) = (&change.place, change.deployment.execution()) else {
            return None;
        };
        Some(Self {
            pipeline: stage.pipeline.clone(),
            execution: execution.to_owned(),
            what: PipelineHappening::Stage { stage: stage.stage.clone(), what: change.what },
            account: change.account.clone(),
            region: change.region.clone(),
            at: change.at,
        })
    }
}

/// What happened in a pipeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PipelineHappening {
    /// To the whole execution.
    Execution(ExecutionHappening),
    /// To one of its stages.
    Stage {
        /// Which.
        stage: String,
        /// What.
        what: ReleaseHappening,
    },
    /// To an action that is no manual approval.
    Action {
        /// In which stage.
        stage: String,
        /// Which.
        action: String,
        /// What.
        what: ActionHappening,
    },
}

/// What happened to an execution as a whole (CodePipeline User Guide, "Monitoring CodePipeline events").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExecutionHappening {
    /// It began.
    Started,
    /// It goes on after a retry.
    Resumed,
    /// It ended well.
    Succeeded,
    /// It failed.
    Failed,
    /// It is being stopped.
    Stopping,
    /// It was stopped.
    Stopped,
    /// The pipeline changed under it.
    Canceled,
    /// A newer one took its place.
    Superseded,
}

/// What happened to an action (as [`ExecutionHappening`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActionHappening {
    /// It began.
    Started,
    /// It ended well.
    Succeeded,
    /// It failed.
    Failed,
    /// Nobody waits for it any more; what it began may go on.
    Abandoned,
    /// The pipeline changed under it.
    Canceled,
}

/// A stage of a pipeline failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StageFailed {
    /// The stage.
    pub stage: Stage,
    /// The execution.
    pub execution: String,
    /// The run of the action that failed last: a stage that is tried again and fails again is news.
    pub run: String,
    /// When.
    pub at: Timestamp,
}

impl StageFailed {
    /// What all of its keys begin with.
    const KEYS: &str = "stage-failed/";

    /// What the keys of all failures of this stage in this execution begin with.
    pub fn keys(&self) -> String {
        Self::keys_of(&self.stage, &self.execution)
    }

    /// The same, of a stage and an execution.
    pub fn keys_of(stage: &Stage, execution: &str) -> String {
        format!("{}{stage}/{execution}/", Self::KEYS)
    }
}

/// CodePipeline's own notification that a manual approval waits, by SNS. It names no execution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApprovalNotice {
    /// The stage it stands in.
    pub stage: Stage,
    /// The action.
    pub action: String,
    /// By this it is known which of the stage's executions waits.
    pub token: NotifiedToken,
    /// What was written into it for people. Text from outside.
    pub notice: Notice,
    /// The account of the topic that it came by; the notification itself names none.
    pub account: Option<String>,
    /// The region of the pipeline.
    pub region: Option<String>,
    /// When it was published.
    pub at: Timestamp,
}

impl ApprovalNotice {
    /// The change that it tells of, for the execution and the run of the action that wait for its token: the very same
    /// that the action's own event is.
    pub fn of(&self, execution: String, run: String) -> ManualChange {
        ManualChange {
            approval: PipelineApproval { stage: self.stage.clone(), action: self.action.clone(), execution },
            run,
            what: ManualHappening::Waits,
            account: self.account.clone(),
            region: self.region.clone(),
            at: self.at,
        }
    }
}

/// Where a manual approval stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ManualHappening {
    /// It waits for a person.
    Waits,
    /// Somebody approved it.
    Approved,
    /// Somebody rejected it, nobody answered in its time, or it is misconfigured: the event says the same of all
    /// three (reference: CodePipeline, "Events").
    Failed,
    /// It waits no more, because the execution was stopped or replaced.
    Gone,
}

impl ManualHappening {
    fn word(self) -> &'static str {
        match self {
            Self::Waits => "waits",
            Self::Approved => "approved",
            Self::Failed => "failed",
            Self::Gone => "gone",
        }
    }
}

/// A release that was left behind in the middle of its undo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// Which.
    pub release: ReleaseId,
    /// In the middle of what.
    pub what: LeftAt,
}

/// Where an undo stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeftAt {
    /// It was claimed, and the claim's lease ran out: whoever claimed it died.
    Claimed,
    /// It was claimed and not begun, and the release finished well before anybody could go on.
    Missed,
    /// CodeDeploy stopped the release, was to go back by itself, and has not.
    Stopped,
    /// After that, going back by a deployment of Belay's own was claimed, and the claim's lease ran out.
    Redeploying,
}

/// A question that nobody answered in time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Silence {
    /// The question's key.
    pub question: String,
    /// The release that it was asked about, where there was one.
    pub release: Option<ReleaseId>,
    /// The alarm's change that it was asked about.
    pub change: AlarmChange,
    /// Its deadline.
    pub deadline: Timestamp,
}

/// A CloudWatch alarm's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum AlarmState {
    /// Within its threshold.
    Ok,
    /// Neither good nor bad: the alarm cannot tell. Never read as healthy.
    InsufficientData,
    /// Beyond its threshold.
    Alarm,
}

impl AlarmState {
    /// CloudWatch's word for it, on every wire.
    pub fn from_wire(word: &str) -> Option<Self> {
        match word {
            "OK" => Some(Self::Ok),
            "ALARM" => Some(Self::Alarm),
            "INSUFFICIENT_DATA" => Some(Self::InsufficientData),
            _ => None,
        }
    }
}

impl fmt::Display for AlarmState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ok => "OK",
            Self::InsufficientData => "INSUFFICIENT_DATA",
            Self::Alarm => "ALARM",
        })
    }
}

/// Why an alarm's actions were held back although its event was sent. EventBridge delivers the event
/// all the same, so a guard has to look (reference: CloudWatch, "EventBridge").
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Quieted {
    /// A mute rule is active.
    Muted {
        /// The mute rule's ARN.
        by: String,
        /// When its window ends, as CloudWatch wrote it.
        until: Option<String>,
    },
    /// A composite alarm's suppressor holds its actions back.
    Suppressed {
        /// `WaitPeriod`, `ExtensionPeriod` or `Alarm`.
        by: String,
        /// CloudWatch's own sentence.
        why: Option<String>,
    },
    /// It was found without its event, and whether a mute rule is active could not be read.
    Unread {
        /// Why not.
        why: String,
    },
}

/// A change of a CloudWatch alarm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlarmChange {
    /// The alarm's name, by which the policy watches it.
    pub alarm: AlarmName,
    /// Its ARN; missing only in very old SNS messages.
    pub arn: Option<AlarmArn>,
    /// The account it lives in, where the source says so.
    pub account: Option<String>,
    /// The region it lives in, where the source says so.
    pub region: Option<String>,
    /// The state it is in now.
    pub to: AlarmState,
    /// The state it was in before, where the source says so and we know the word.
    pub from: Option<AlarmState>,
    /// CloudWatch's own sentence. Text from outside: escape it before showing it.
    pub reason: String,
    /// When the state changed, by the alarm's own timestamp: the same on all routes, so one alarm wired
    /// twice is one signal.
    pub at: Timestamp,
    /// Set when the alarm's actions were held back.
    pub quieted: Option<Quieted>,
}

/// What a deployment event says happened. The words of the events differ from those of the API
/// (STOP and Stopped, FAILURE and Failed).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ReleaseHappening {
    /// It began.
    Started,
    /// It ended well.
    Succeeded,
    /// It ended badly.
    Failed,
    /// It was stopped.
    Stopped,
    /// It waits for somebody to reroute its traffic.
    Ready,
    /// It waits behind another deployment.
    Queued,
    /// It is being stopped.
    Stopping,
}

impl fmt::Display for ReleaseHappening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Started => "START",
            Self::Succeeded => "SUCCESS",
            Self::Failed => "FAILURE",
            Self::Stopped => "STOP",
            Self::Ready => "READY",
            Self::Queued => "QUEUED",
            Self::Stopping => "STOPPING",
        })
    }
}

/// A deployment's change of state, or one of its instances'.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReleaseChange {
    /// The deployment.
    pub deployment: ReleaseId,
    /// Where it happens.
    pub place: Place,
    /// What happened.
    pub what: ReleaseHappening,
    /// The one instance it happened to, when the event is about an instance.
    pub instance: Option<String>,
    /// The account that the event is about, where the source says so.
    pub account: Option<String>,
    /// The region the event came from.
    pub region: Option<String>,
    /// The event's own time.
    pub at: Timestamp,
}

/// A call of a lifecycle hook. This is the whole payload: it names neither the event nor the service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HookCall {
    /// The deployment that waits.
    pub deployment: ReleaseId,
    /// What to answer.
    pub execution: HookExecutionId,
}

impl ManualChange {
    /// What the approval is called in the ledger: the same when it waits and when it is answered.
    pub fn key(&self) -> String {
        let PipelineApproval { stage, action, execution } = &self.approval;
        bounded(format!("manual/{stage}/{action}/{execution}/{}", self.run))
    }
}

impl Signal {
    /// The release that it names itself, before anybody has looked.
    pub fn release(&self) -> Option<&ReleaseId> {
        match self {
            Self::Alarm(_) | Self::Manual(_) | Self::StageFailed(_) | Self::Stack(_) => None,
            Self::Silence(silence) => silence.release.as_ref(),
            Self::Release(change) => Some(&change.deployment),
            Self::Hook(call) | Self::HookLeft(call) => Some(&call.deployment),
            Self::Left(left) => Some(&left.release),
            Self::Approval(approval) => Some(&approval.offer.release),
        }
    }

    /// The person's answer that it is, if it is one.
    pub fn approval(&self) -> Option<&Approval> {
        match self {
            Self::Approval(approval) => Some(approval),
            Self::Alarm(_)
            | Self::Release(_)
            | Self::Hook(_)
            | Self::Silence(_)
            | Self::HookLeft(_)
            | Self::Left(_)
            | Self::Stack(_)
            | Self::Manual(_)
            | Self::StageFailed(_) => None,
        }
    }

    /// The alarm's change that it is about, where it is about one.
    pub fn alarm(&self) -> Option<&AlarmChange> {
        match self {
            Self::Alarm(change) => Some(change),
            Self::Silence(silence) => Some(&silence.change),
            Self::Release(_)
            | Self::Hook(_)
            | Self::HookLeft(_)
            | Self::Left(_)
            | Self::Approval(_)
            | Self::Stack(_)
            | Self::Manual(_)
            | Self::StageFailed(_) => None,
        }
    }

    /// A key that is the same for every delivery of the same happening, by whatever route it came.
    ///
    /// At most 300 bytes: it is part of the ledger's keys, whose limit is 1,024.
    pub fn key(&self) -> String {
        bounded(match self {
            Self::Alarm(change) => {
                let who = change.arn.as_ref().map_or(change.alarm.as_str(), AlarmArn::as_str);
                // To the second: an event tells milliseconds, and CloudWatch's answers come as doubles, of which the
                // SDK drops what is left of one. No alarm changes twice into the same state within a second.
                format!("alarm/{who}/{}/{:.0}", change.to, change.at)
            }
            Self::Release(change) => match &change.instance {
                None => format!("deployment/{}/{}", change.deployment, change.what),
                Some(instance) => {
                    format!("instance/{}/{instance}/{}", change.deployment, change.what)
                }
            },
            // One call has one answer, whoever gives it.
            Self::Hook(call) | Self::HookLeft(call) => format!("hook/{}/{}", call.deployment, call.execution),
            Self::Left(Left { release, what: LeftAt::Claimed }) => format!("left/{release}"),
            Self::Left(Left { release, what: LeftAt::Stopped }) => format!("no-rollback/{release}"),
            Self::Left(Left { release, what: LeftAt::Missed }) => format!("missed/{release}"),
            Self::Left(Left { release, what: LeftAt::Redeploying }) => format!("left-redeploy/{release}"),
            Self::Silence(silence) => format!("silence/{}", silence.question),
            Self::Approval(approval) => format!("answer/{}", approval.offer.key),
            Self::Manual(change) => format!("{}/{}", change.key(), change.what.word()),
            Self::StageFailed(failed) => format!("{}{}", failed.keys(), failed.run),
            Self::Stack(StackCheck { stack, what, at, .. }) => match what {
                StackHappening::Detected { detection, .. } => format!("drift/{stack}/{detection}"),
                StackHappening::Refused { .. }
                | StackHappening::NeverEnded { .. }
                | StackHappening::NotItsTurn { .. } => format!("drift/{stack}/{at:.3}"),
            },
        })
    }
}

/// A long key cut to its beginning and a digest of the whole (FNV-1a, 64 bits: fixed for ever, as keys must be; two
/// keys of one alarm or deployment with the same digest are not to be expected).
fn bounded(key: String) -> String {
    const LONGEST: usize = 300;
    if key.len() <= LONGEST {
        return key;
    }
    let digest = key.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let mut end = LONGEST - 17;
    while !key.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}~{digest:016x}", &key[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_keys_are_bounded_and_stay_apart() {
        let key = |execution: &str| {
            Signal::Hook(HookCall { deployment: "d-1".into(), execution: execution.into() }).key()
        };
        assert_eq!(key("short"), "hook/d-1/short");
        let (one, other) = ("é".repeat(2_000) + "1", "é".repeat(2_000) + "2");
        assert!(key(&one).len() <= 300);
        assert_ne!(key(&one), key(&other));
        assert_eq!(key(&one), key(&one));
    }
}
