//! What Belay already did: records and keys. Pure; the DynamoDB side is `aws/ledger.rs`.
//!
//! One partition holds everything about one release, so that one consistent read tells what was said, what
//! was done and what is still owed. Nothing is ever overwritten but a claim, and a claim only under a
//! condition.
//!
//! Every item carries the [`VERSION`] of its writer. A reader takes its own version and older ones down to
//! [`OLDEST`]: a newer item is missing evidence, not a guess.

mod offers;

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp, ToSpan, civil::Date, tz::TimeZone};
use serde::{Deserialize, Serialize};

use crate::{
    decision::{self, Verdict},
    drift::{Detection, StackId, StackTold, StackWaits},
    evidence::{Observed, Target, Undone},
    message::Message,
    reason::{Reasons, Silent},
    release::{
        AlarmName, Change, Place, Platform, Release, ReleaseError, ReleaseId, ReleaseStatus, ServiceName,
    },
    signal::{AlarmChange, AlarmState, HookCall},
};

pub use offers::{About, Answered, Answerer, Offer, PipelineApproval, Press, Pressed, ShownCard};

/// The version of the records this Belay writes and reads. Version 3 added offers, answers, presses and cards.
pub const VERSION: u32 = 3;

/// The oldest records that this Belay reads. Version 1 knew no effects in its claims (it could only stop), no open
/// partition and no places but deployment groups; what it wrote means the same here.
pub const OLDEST: u32 = 1;

/// How long a claim protects whoever holds it. Longer than the longest that a claimant can spend between
/// the claim and the end of its effect (three attempts of an AWS call, see `aws::connect`), and shorter than
/// the minute after which Lambda delivers a failed invocation again.
pub const LEASE: SignedDuration = SignedDuration::from_secs(40);

/// How late in an invocation an effect may still be begun. A call takes at most ten seconds (`aws::connect`), and the
/// clocks of two invocations differ by less than the ten that remain of the [`LEASE`]: so whatever a claimant does, it
/// does before anybody else may take its claim over.
pub const FENCE: std::time::Duration = std::time::Duration::from_secs(20);

/// How long an alarm after its end keeps a release from being gone back to. By then somebody has taken it back or
/// has decided to keep it, and then it is what users have.
pub const BLAMED_FOR: SignedDuration = SignedDuration::from_hours(24);

/// How long records are kept, by DynamoDB's own expiry.
pub const KEPT: SignedDuration = SignedDuration::from_hours(24 * 90);

/// Of so many releases that it would have undone, the newest, Belay keeps the score.
pub const SCORED: usize = 100;

/// Which partition a record lives in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Partition {
    /// Everything about one release.
    Release(ReleaseId),
    /// What was decided about an alarm while no release was concerned.
    Alarm(AlarmName),
    /// How often one signal was delivered, and what came of it.
    Signal(String),
    /// What is not over yet: the sweep reads it every minute, by one query.
    Open,
    /// What a service's releases added up to: the budget and the scoreboard.
    Service(ServiceName),
    /// What an offer's opaque id stands for.
    Offer(String),
    /// What was told of a stack's drift.
    Stack(StackId),
    /// The stacks whose drift is being detected, or is to be.
    Detections,
    /// What Belay took back in a month, of all services: whoever asks what was undone asks once, and not once for each.
    Undone(Month),
}

/// A month of the calendar, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Month(Date);

impl Month {
    /// Those from one moment's to another one's, with both.
    pub fn between(from: Timestamp, to: Timestamp) -> impl Iterator<Item = Self> {
        let last = Self::from(to);
        let next = |month: &Self| month.0.checked_add(1.month()).ok().map(Self);
        std::iter::successors(Some(Self::from(from)), next).take_while(move |month| month.0 <= last.0)
    }
}

impl From<Timestamp> for Month {
    fn from(at: Timestamp) -> Self {
        Self(at.to_zoned(TimeZone::UTC).date().first_of_month())
    }
}

impl Partition {
    /// The value of the partition key `pk`.
    pub fn key(&self) -> String {
        match self {
            Self::Release(id) => format!("release/{id}"),
            Self::Alarm(alarm) => format!("alarm/{alarm}"),
            Self::Signal(key) => format!("signal/{key}"),
            Self::Open => "open".to_owned(),
            Self::Service(name) => format!("service/{name}"),
            Self::Offer(id) => format!("offer/{id}"),
            Self::Stack(id) => format!("stack/{id}"),
            Self::Detections => "detections".to_owned(),
            Self::Undone(Month(first)) => format!("undone/{:04}-{:02}", first.year(), first.month()),
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
    /// The deployment that goes back where CodeDeploy, asked to stop and go back, only stopped.
    pub const REDEPLOY: &str = "effect/redeploy";
    /// What would have been done to it, in `observe`.
    pub const WOULD: &str = "would";
    /// How often a signal was delivered.
    pub const DELIVERIES: &str = "deliveries";
    /// In the open partition, prefix of releases on watch; the release follows.
    pub const WATCH: &str = "watch/";
    /// In the open partition, prefix of questions; the question's key follows.
    pub const QUESTION: &str = "question/";
    /// In the open partition, prefix of hooks that wait for their answer; the call's key follows.
    pub const HOOK: &str = "hook/";
    /// In the open partition, prefix of incidents; alarm and service follow. In a service's partition, of closed
    /// ones; their beginning follows.
    pub const INCIDENT: &str = "incident/";
    /// In a service's partition, prefix of releases that were taken back; time and release follow.
    pub const TAKEN_BACK: &str = "taken-back/";
    /// In a service's partition, prefix of releases that would have been undone; time and release follow.
    pub const WOULD_HAVE: &str = "would-have/";
    /// Prefix of what a signal was judged to be; the service and the release follow.
    pub const JUDGED: &str = "judged/";
    /// Prefix of decisions; the signal's key follows.
    pub const DECISION: &str = "decision/";
    /// The alarm that went off while the release was on watch, heard of when another release had followed it.
    pub const BLAMED: &str = "blamed";
    /// In the open partition, prefix of messages that may not have been sent; where they are follows.
    pub const OWED: &str = "owed/";
    /// Prefix of messages; the message's key follows.
    pub const MESSAGE: &str = "message/";
    /// Prefix of messages as a chat product gets them; the product and the message's key follow.
    pub const SAID: &str = "said/";
    /// Prefix of what people were asked about a release; the offer's key follows.
    pub const ASKED: &str = "asked/";
    /// Prefix of answers; the offer's key follows.
    pub const ANSWER: &str = "answer/";
    /// Prefix of presses, allowed or refused; their time and stamp follow. In the open partition, of those that nobody
    /// has handled yet; the offer's id and the stamp follow.
    pub const PRESS: &str = "press/";
    /// The release's card.
    pub const CARD: &str = "card";
    /// Prefix of claims on running again what failed in a stage; the answer's key follows.
    pub const RETRY: &str = "effect/retry/";
    /// Whoever is drawing the release's card.
    pub const CARD_LOCK: &str = "card-lock";
    /// The release by which this one is taken back.
    pub const GOES_BACK_BY: &str = "goes-back-by";
    /// In an offer's partition: what its id stands for.
    pub const OFFER: &str = "offer";
    /// In a service's partition, prefix of its releases; their beginning and id follow.
    pub const RELEASE: &str = "release/";
    /// In a service's partition, prefix of what was counted for the measures; its key follows.
    pub const MEASURED: &str = "measured/";
    /// In a stack's partition: what was told of its drift last.
    pub const DRIFT: &str = "drift";
    /// Among the detections, prefix of stacks that wait for their turn; the stack's ARN follows.
    pub const STACK_WAITS: &str = "waits/";
    /// Among the detections, prefix of those that were started; the stack's ARN and the detection's id follow.
    pub const DETECTION: &str = "detection/";
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
    /// The second half of the undo, where CodeDeploy did only the first.
    pub redeploy: Option<Effect>,
    /// The keys of the messages that were sent.
    pub told: BTreeSet<String>,
    /// Messages that were written down and, as far as the ledger knows, not sent.
    pub owed: Vec<OwedMessage>,
    /// The alarm that went off while it was on watch after it had finished, and when that was judged.
    pub blamed_by: Option<(AlarmName, Timestamp)>,
    /// What would have been done to it, had its service not been in `observe`.
    pub would: Option<Would>,
    /// In a signal's partition: for which services it was judged.
    pub judged: Vec<Judged>,
    /// What was decided, in order.
    pub decisions: Vec<DecisionRecord>,
    /// What people were asked.
    pub asked: Vec<Offer>,
    /// The answers, by the offers' keys.
    pub answers: BTreeMap<String, Answered>,
    /// Every press, allowed or refused, in order.
    pub presses: Vec<Pressed>,
    /// Its card, if it has one.
    pub card: Option<ShownCard>,
    /// The release by which it is taken back, where Belay was told.
    pub goes_back_by: Option<ReleaseId>,
}

/// Everything that is not over yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Open {
    /// Releases on watch.
    pub watches: Vec<Watch>,
    /// Questions without an answer.
    pub questions: Vec<Question>,
    /// Hooks without an answer.
    pub hooks: Vec<WaitingHook>,
    /// Alarms that are not OK again.
    pub incidents: Vec<Incident>,
    /// Messages that were written down and are not known to be sent.
    pub owed: Vec<Owed>,
    /// Presses that nobody has handled.
    pub presses: Vec<Press>,
}

/// Where a message is written down that may not have been sent.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Owed {
    /// For whom.
    #[serde(default)]
    pub to: Destination,
    /// The partition.
    pub partition: Partition,
    /// Its key there, without the prefix.
    pub key: String,
    /// Since when.
    pub since: Timestamp,
}

/// Where a message goes. Each has a claim of its own: one that is down keeps nothing from the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Destination {
    /// The topic, which gets every message.
    #[default]
    Topic,
    /// Slack.
    Slack,
    /// Microsoft Teams.
    Teams,
    /// The picture of an alarm's graph, in Slack.
    Picture,
}

impl Destination {
    /// Where a message for it is written down: the beginning of its sort key.
    pub fn sort_key(self) -> String {
        match self {
            Self::Topic => sort_key::MESSAGE.to_owned(),
            Self::Slack => format!("{}slack/", sort_key::SAID),
            Self::Teams => format!("{}teams/", sort_key::SAID),
            Self::Picture => format!("{}picture/", sort_key::SAID),
        }
    }
}

/// A release on watch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watch {
    /// Which.
    pub release: ReleaseId,
    /// Of which service.
    pub service: ServiceName,
    /// Where.
    pub place: Place,
    /// When it began.
    pub began: Timestamp,
}

impl Watch {
    /// That a release of a service is on watch from its beginning.
    pub fn of(service: &ServiceName, release: &Release) -> Self {
        Self {
            release: release.id.clone(),
            service: service.clone(),
            place: release.place.clone(),
            began: release.created_at,
        }
    }
}

/// A question that waits for an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// Its key: that of the message that asks it.
    pub key: String,
    /// The service it is about.
    pub service: ServiceName,
    /// The release it is about, where there is one.
    pub release: Option<ReleaseId>,
    /// Where else to look when silence answers it: what could not be read when it was asked. Of a question without a
    /// release, nothing here means all of the service's places, as records from before this was written have it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unread: Vec<Place>,
    /// The alarm's change it was asked about.
    pub change: AlarmChange,
    /// When it was asked.
    pub asked: Timestamp,
    /// When silence becomes the answer.
    pub deadline: Timestamp,
    /// Which one.
    pub otherwise: Silent,
}

/// A lifecycle hook that waits for its answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitingHook {
    /// The call.
    pub call: HookCall,
    /// When it came.
    pub since: Timestamp,
    /// When whoever is at it must have answered or be dead; when a person is asked, until when they may answer.
    pub until: Timestamp,
    /// If a person is asked: what it is answered when nobody does.
    #[serde(default)]
    pub otherwise: Option<Silent>,
}

/// An alarm that went off for a service and is not OK again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    /// The alarm.
    pub alarm: AlarmName,
    /// The service.
    pub service: ServiceName,
    /// When it went off.
    pub began: Timestamp,
    /// The release that it was about, where there was one.
    pub release: Option<ReleaseId>,
    /// When it was OK again.
    pub ended: Option<Timestamp>,
}

/// What Belay would have done to a release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Would {
    /// The service.
    pub service: ServiceName,
    /// The release.
    pub release: ReleaseId,
    /// What was decided.
    pub verdict: Verdict,
    /// When.
    pub at: Timestamp,
    /// How the release ended, once it has.
    pub ended: Option<ReleaseStatus>,
}

/// One small thing to remember or to forget. Each is written or removed under its own key, so that twice is once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// A release is on watch.
    Watched(Watch),
    /// A release is not on watch any more.
    Unwatched(ReleaseId),
    /// A question was asked.
    Asked(Question),
    /// A question has its answer.
    Answered(String),
    /// A hook waits.
    Waiting(WaitingHook),
    /// A hook has its answer.
    Replied(HookCall),
    /// An alarm went off.
    Broke(Incident),
    /// An alarm is OK again.
    Restored(Incident),
    /// A release was taken back.
    TookBack(ServiceName, Undone),
    /// A release would have been undone.
    Would(Would),
    /// A release that would have been undone has ended.
    WouldEnded(Would),
    /// A hook waits for a person.
    WaitsForPerson(WaitingHook),
    /// Something was asked about a release.
    Offered(Offer),
    /// Somebody pressed a button.
    Pressed(Press),
    /// What became of a press.
    Handled(ReleaseId, Pressed),
    /// Nothing is to be done about a press any more.
    Unpressed(Press),
    /// A release is taken back by another one.
    GoesBackBy {
        /// The release.
        release: ReleaseId,
        /// The other one.
        by: ReleaseId,
    },
    /// A release of a service, for its history.
    Listed(Watch),
    /// A stack waits for the detection of its drift.
    StackWaits(StackWaits),
    /// It does not any more.
    StackWaitsNoMore(StackId),
    /// A detection was started.
    Detecting(Detection),
    /// A detection is over.
    Detected {
        /// Of which stack.
        stack: StackId,
        /// Its id.
        id: String,
    },
    /// What was told of a stack last.
    StackTold(StackId, StackTold),
    /// A message is about to be written down.
    Owes(Owed),
    /// A message is sent.
    Paid(Owed),
    /// An alarm went off while this release was on watch, and was heard of when another one had followed it.
    Blamed {
        /// The release.
        release: ReleaseId,
        /// The alarm.
        alarm: AlarmName,
        /// When that was judged.
        at: Timestamp,
    },
}

/// How a release began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Began {
    /// The service.
    pub service: ServiceName,
    /// Where.
    #[serde(alias = "group")]
    pub place: Place,
    /// Onto what.
    pub platform: Platform,
    /// What, in a few words.
    pub revision: String,
    /// When.
    pub at: Timestamp,
    /// The release that it rolls back, if it does.
    pub rolls_back: Option<ReleaseId>,
    /// What it could go back to.
    pub target: Observed<Target>,
    /// What the watched alarms were.
    pub alarms: BTreeMap<AlarmName, RecordedState>,
    /// The change it brings.
    #[serde(default)]
    pub change: Change,
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
    pub status: ReleaseStatus,
    /// When.
    pub at: Timestamp,
    /// CodeDeploy's reason.
    pub error: Option<ReleaseError>,
    /// The rollback that CodeDeploy started.
    pub rolled_back_by: Option<ReleaseId>,
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
    /// What is done; not in records of version 1, which knew only stopping.
    pub effect: Option<decision::Effect>,
}

impl Effect {
    /// Whether it could only stop the deployment. A deployment that finished well in spite of it is live.
    pub fn stops_only(&self) -> bool {
        matches!(self.effect, None | Some(decision::Effect::Stop { .. }))
    }
}

/// A signal that was judged for one service, and whose plan was carried out to its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judged {
    /// The service, where one is concerned.
    pub service: Option<ServiceName>,
    /// What was decided.
    pub verdict: Verdict,
    /// The release it was about, where there was one.
    pub release: Option<ReleaseId>,
    /// When.
    pub at: Timestamp,
}

/// Which part of an undo is claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Half {
    /// All of it, as far as Belay knows.
    Whole,
    /// Going back, after a stop that CodeDeploy was to follow by a rollback of its own and did not.
    Second,
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
    /// For whom.
    pub to: Destination,
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
