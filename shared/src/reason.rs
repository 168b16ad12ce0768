//! Why Belay decided what it decided: one variant per reason, with the numbers in it.
//!
//! The sentence that a person reads is the `Display` of the variant and of nothing else, so that the
//! record and the message can never say different things. Text from outside (alarm names, CloudWatch's
//! sentences) is interpolated as it came: the renderers escape it.

use std::{fmt, num::NonZeroUsize};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    approval::Choice,
    cause::{Cause, UNKNOWN},
    drift::{DifferenceKind, PropertyDrift, ResourceName, StackId},
    evidence::{ActionFailed, Ahead, Target},
    ledger::SCORED,
    release::{AlarmName, LifecycleEvent, Place, ReleaseId, ReleaseStatus, ServiceName, Stage},
    signal::{AlarmState, ReleaseHappening},
};

/// One reason for a decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[must_use = "a reason that nobody reads is silence"]
pub enum Reason {
    /// No service in the policy watches the alarm.
    NotWatched {
        /// The alarm.
        alarm: AlarmName,
    },
    /// The alarm changed to a state that asks for nothing.
    NotInAlarm {
        /// The alarm.
        alarm: AlarmName,
        /// What it is now.
        state: AlarmState,
    },
    /// A mute rule holds the alarm's actions back.
    Muted {
        /// The alarm.
        alarm: AlarmName,
        /// The mute rule's ARN.
        by: String,
        /// When its window ends, as CloudWatch wrote it.
        until: Option<String>,
    },
    /// A composite alarm's suppressor holds its actions back.
    Suppressed {
        /// The alarm.
        alarm: AlarmName,
        /// CloudWatch's word for it.
        by: String,
    },
    /// The policy says to tell, not to act.
    RuleSaysNotify {
        /// The alarm.
        alarm: AlarmName,
        /// CloudWatch's sentence.
        said: String,
    },
    /// Nothing is being released, and nothing finished recently enough to be blamed.
    NoReleaseToBlame {
        /// The alarm.
        alarm: AlarmName,
        /// The last release that ended, and how long before the alarm it did.
        last: Option<(ReleaseId, SignedDuration)>,
        /// How long after its end a release is watched.
        watch_for: SignedDuration,
    },
    /// The alarm went off before the release began.
    BeganBeforeRelease {
        /// The alarm.
        alarm: AlarmName,
        /// By how much.
        before: SignedDuration,
    },
    /// The alarm went off while an earlier release was on watch, and was heard of when another one had followed it.
    EarlierReleaseToBlame {
        /// The alarm.
        alarm: AlarmName,
        /// The earlier release.
        earlier: ReleaseId,
        /// By how much the alarm went off before the later one began.
        before: SignedDuration,
    },
    /// The release that would be blamed is itself a rollback.
    RollbackIsFailing {
        /// The alarm.
        alarm: AlarmName,
        /// The release that it takes back, where known.
        of: Option<ReleaseId>,
        /// How long after the rollback began the alarm went off.
        since_start: SignedDuration,
        /// Whether the rollback has ended.
        over: bool,
    },
    /// The release is already on its way back.
    AlreadyUndone {
        /// The alarm.
        alarm: AlarmName,
        /// By whom.
        by: UndoneBy,
    },
    /// An alarm asks for the release to be taken back, and Belay has halted it for another one, which asked for less.
    OnlyHalted {
        /// The alarm.
        alarm: AlarmName,
        /// When it was halted.
        at: Timestamp,
    },
    /// Belay took the stage's execution back, and it has been run there again since.
    RunAgainSinceUndone {
        /// The alarm.
        alarm: AlarmName,
        /// When it was undone.
        undone: Timestamp,
        /// When it was run again.
        again: Timestamp,
    },
    /// This very signal was judged, and that was carried out, before.
    AlreadyJudged {
        /// The alarm.
        alarm: AlarmName,
        /// What was decided, in the field's word.
        verdict: String,
        /// About which release.
        release: Option<ReleaseId>,
        /// When.
        at: Timestamp,
    },
    /// The release was stopped or failed, and nobody has rolled it back.
    EndedNotRolledBack {
        /// The alarm.
        alarm: AlarmName,
        /// How the release ended.
        status: ReleaseStatus,
    },
    /// The alarm was in ALARM when the release began, and has not been OK since.
    AlreadyRedBefore {
        /// The alarm.
        alarm: AlarmName,
    },
    /// The alarm came and went before the release, so that it proves little about it.
    AlarmWasFlapping {
        /// The alarm.
        alarm: AlarmName,
        /// How often it went to ALARM in the hour before the release began.
        times: u32,
    },
    /// The release's owners marked it as not to be rolled back.
    MarkedNoRollback {
        /// What they wrote.
        why: String,
    },
    /// The policy says to stop the release where it is, not to take it back.
    RuleSaysHalt {
        /// The alarm.
        alarm: AlarmName,
    },
    /// The policy says to ask.
    RuleSaysAsk {
        /// The alarm.
        alarm: AlarmName,
    },
    /// Belay has taken back as many releases as the policy allows in a time.
    BudgetSpent {
        /// How many it took back.
        count: usize,
        /// In how long.
        per: SignedDuration,
    },
    /// INSUFFICIENT_DATA, which the policy reads as ALARM for this alarm.
    MissingCountsAsAlarm {
        /// The alarm.
        alarm: AlarmName,
    },
    /// In `observe`: this release would have been undone before.
    AlreadyWouldHave {
        /// The alarm.
        alarm: AlarmName,
        /// When that was decided.
        at: Timestamp,
    },
    /// What became of the releases that Belay would have undone.
    Scoreboard {
        /// How many it would have undone, this one not counted; only the newest are looked at (`SCORED`).
        would_have: usize,
        /// How many of them ended well all the same.
        succeeded: usize,
        /// How many failed or were stopped.
        ended_badly: usize,
    },
    /// A question's deadline, and what silence means.
    AnswerBy {
        /// The deadline.
        deadline: Timestamp,
        /// What happens then.
        otherwise: Silent,
    },
    /// Nobody answered a question.
    NobodyAnswered {
        /// When it was asked.
        asked: Timestamp,
        /// What the policy says silence means.
        otherwise: Silent,
    },
    /// A question is no question any more.
    QuestionOvertaken {
        /// By which release, if by another one.
        by: Option<ReleaseId>,
    },
    /// The alarm is OK again.
    Restored {
        /// The alarm.
        alarm: AlarmName,
        /// How long it was not: the time to restore.
        took: SignedDuration,
    },
    /// The alarm was OK, and went off again before that was heard of.
    RedAgain {
        /// The alarm.
        alarm: AlarmName,
        /// When it was OK.
        ok: Timestamp,
        /// When it went off again.
        since: Timestamp,
    },
    /// No event said so: the sweep looked.
    FoundBySweep,
    /// CodeDeploy was asked to stop and go back, has stopped, and has not gone back.
    NoRollbackFollowed {
        /// How long ago it stopped.
        ago: SignedDuration,
    },
    /// It was decided to undo the release, nobody got as far as to begin, and it has finished well meanwhile.
    UndoMissed {
        /// When that was decided.
        decided: Timestamp,
    },
    /// The rest of a stage was stopped, and this of it still has the release.
    StillDeployed {
        /// The actions that deployed it, or began to.
        actions: Vec<String>,
    },
    /// There is nothing good to go back to.
    NoGoodTarget {
        /// Why not.
        why: String,
    },
    /// The release had finished when the alarm went off.
    FinishedBeforeAlarm {
        /// The alarm.
        alarm: AlarmName,
        /// How long before.
        ago: SignedDuration,
    },
    /// The alarm went off after the release had finished, while it was still on watch.
    AlarmAfterRelease {
        /// The alarm.
        alarm: AlarmName,
        /// How long after the release's end.
        since_end: SignedDuration,
        /// CloudWatch's sentence.
        said: String,
    },
    /// An action of a pipeline's stage failed.
    ActionFailed {
        /// The stage.
        stage: String,
        /// The action, and why.
        failed: Box<ActionFailed>,
    },
    /// Why a deployment failed, or why a manual approval was not given.
    Because {
        /// Why.
        cause: Box<Cause>,
    },
    /// A stage failed, and no action of it did.
    NoActionFailed {
        /// The stage.
        stage: String,
    },
    /// A stage failed because its approval was not given.
    NotApproved {
        /// The stage.
        stage: String,
    },
    /// What failed passes by itself, and the policy has it run again.
    PassesByItself {
        /// For the how many-th time, from 1.
        attempt: u32,
        /// Of how many at most.
        of: u32,
    },
    /// It has been run again as often as the policy allows.
    RetriesSpent {
        /// How often.
        attempts: u32,
    },
    /// Something that the decision depends on could not be learnt.
    CouldNotLearn {
        /// What.
        what: String,
        /// Why not.
        why: String,
    },
    /// The alarm went off while the release was on its way.
    AlarmDuringRelease {
        /// The alarm.
        alarm: AlarmName,
        /// How long after the release began.
        since_start: SignedDuration,
        /// How much of the traffic the new revision had, in percent, where known.
        traffic: Option<u8>,
        /// CloudWatch's sentence.
        said: String,
    },
    /// A deployment of a group that the policy does not name.
    NotGuarded {
        /// Where.
        #[serde(alias = "group")]
        place: Place,
    },
    /// A deployment that brings new instances up to what the others run.
    NotARelease {
        /// Who started it, in CodeDeploy's word.
        creator: String,
    },
    /// A deployment event that asks for nothing.
    NothingToDo {
        /// What happened.
        what: ReleaseHappening,
        /// The instance it happened to, if it was about one.
        instance: Option<String>,
    },
    /// A release began.
    ReleaseBegan {
        /// What it would go back to.
        target: Target,
    },
    /// A release began, and what it could go back to could not be learnt.
    ReleaseBeganTargetUnknown {
        /// Why not.
        why: String,
    },
    /// The watched alarms when a release began, counted by their states.
    Watching {
        /// In state OK.
        ok: usize,
        /// In ALARM.
        red: usize,
        /// Without data.
        without_data: usize,
        /// That could not be read.
        unread: usize,
    },
    /// A watched alarm is in ALARM already: it will not count against the release until it has been OK.
    RedAtStart {
        /// The alarm.
        alarm: AlarmName,
    },
    /// A watched alarm's state at the start could not be read.
    UnreadAtStart {
        /// The alarm, or several in words.
        alarm: String,
        /// Why not.
        why: String,
    },
    /// A rollback began.
    RollbackBegan {
        /// The release that it takes back, where known.
        of: Option<ReleaseId>,
    },
    /// The event says "began", but the deployment has ended meanwhile.
    StartCameLate {
        /// What the deployment is by now.
        status: ReleaseStatus,
    },
    /// A release ended.
    ReleaseEnded {
        /// How.
        status: ReleaseStatus,
        /// How long it took.
        took: Option<SignedDuration>,
        /// CodeDeploy's error code and sentence.
        error: Option<(String, String)>,
    },
    /// Belay had asked for this end.
    BelayAskedForIt {
        /// When.
        at: Timestamp,
    },
    /// A rollback ended well.
    RollbackDone {
        /// The release that was taken back, where known.
        of: Option<ReleaseId>,
    },
    /// The deployer rolls the ended release back.
    DeployerRollsBack {
        /// The rollback's deployment.
        rollback: ReleaseId,
    },
    /// The release ended badly and CodeDeploy names no rollback.
    NoRollbackStarted,
    /// The release ended badly, and nothing goes back by itself: Belay halted it, or it is a pipeline's stage.
    LeftAsItIs,
    /// A release that ended well stays on watch.
    StaysOnWatch {
        /// Until when.
        until: Timestamp,
    },
    /// Every check of a hook passed.
    ChecksPassed {
        /// How many.
        count: NonZeroUsize,
        /// The hook's event.
        event: LifecycleEvent,
    },
    /// One check of a hook passed; told beside one that did not.
    CheckPassed {
        /// The check.
        check: String,
        /// What it saw.
        saw: String,
    },
    /// A check failed.
    CheckFailed {
        /// The check.
        check: String,
        /// What it saw.
        saw: String,
    },
    /// A check measured and cannot tell, or could not measure.
    CheckInDoubt {
        /// The check.
        check: String,
        /// Why.
        why: String,
    },
    /// In doubt, the policy's `on_doubt` answers.
    OnDoubtAnswers {
        /// `true` for Succeeded.
        succeeded: bool,
    },
    /// The hook has no checks in the policy. A hook that checks nothing is a mistake.
    NotConfigured {
        /// What is not configured, as a noun phrase.
        what: String,
    },
    /// The deployment takes a bad release back: no check may hold it up.
    RollbackNotHeldUp {
        /// The release that it takes back, where known.
        of: Option<ReleaseId>,
    },
    /// In `observe`, a hook is let through that would have failed.
    WouldHaveFailed,
    /// In `observe`, a hook is let through for which a person would have been asked.
    WouldHaveAsked,
    /// Whoever was to answer a hook has not.
    HookLeftWaiting {
        /// Since when it waits.
        since: Timestamp,
    },
    /// A person answered. Who is not in the sentence: sentences are logged, approvers are not.
    PersonChose {
        /// What.
        choice: Choice,
        /// Why, in their words.
        why: Option<String>,
    },
    /// The release that a person answered about is a rollback.
    IsRollback {
        /// The rollback.
        release: ReleaseId,
    },
    /// The release that a person answered about is being undone already, or was.
    UndoneAlready {
        /// By whom.
        by: UndoneBy,
    },
    /// The release that was to be halted has ended.
    NothingToHalt,
    /// Nothing has failed that could be run again.
    NothingToRetry,
    /// A lifecycle hook waits for a person's approval.
    HookWaits {
        /// The lifecycle event.
        event: LifecycleEvent,
    },
    /// Nobody approved in time.
    NobodyApproved {
        /// When it was asked.
        asked: Timestamp,
        /// Whether silence lets the deployment go on.
        succeeded: bool,
    },
    /// A pipeline waits for a manual approval.
    ManualWaits {
        /// The stage it stands in.
        stage: Stage,
        /// The action.
        action: String,
    },
    /// What lies ahead if a pipeline's manual approval is given.
    Ahead(Box<Ahead>),
    /// A pipeline's manual approval has its answer, and Belay did not give it.
    ManualAnsweredElsewhere {
        /// The action.
        action: String,
        /// Whether it lets the pipeline go on.
        approved: bool,
    },
    /// A pipeline's manual approval waits no more, or is about nothing that is guarded.
    ManualIsNoQuestion {
        /// The action.
        action: String,
    },
    /// Our own program failed.
    OwnFailure {
        /// How.
        what: String,
    },
    /// The policy does not name the stack.
    StackNotNamed {
        /// The stack.
        stack: StackId,
    },
    /// A detection's event that comes after a later one's.
    DetectionCameLate {
        /// As of when the stack was looked at since.
        as_of: Timestamp,
    },
    /// The stack is as it was when it was told of.
    StackUnchanged {
        /// Since when.
        since: Timestamp,
    },
    /// Resources of a stack are not as its template says.
    StackDrifted {
        /// The stack.
        stack: StackId,
        /// How many resources.
        resources: usize,
        /// When another state of the stack was told of last, if one ever was.
        before: Option<Timestamp>,
    },
    /// Resources of a stack could not be checked; the others are as the template says.
    StackPartlyChecked {
        /// The stack.
        stack: StackId,
    },
    /// A stack is as its template says.
    StackInSync {
        /// The stack.
        stack: StackId,
        /// Since when it was not, or nobody could tell; none if this is how it was found first.
        not_since: Option<Timestamp>,
    },
    /// The drift of a stack could not be detected.
    StackNotChecked {
        /// The stack.
        stack: StackId,
        /// Why not.
        why: String,
    },
    /// A resource's property is not as the template says.
    PropertyDrifted {
        /// The resource.
        resource: ResourceName,
        /// The property.
        property: PropertyDrift,
    },
    /// A resource was deleted.
    ResourceDeleted {
        /// The resource.
        resource: ResourceName,
    },
    /// A resource could not be checked.
    ResourceUnchecked {
        /// The resource.
        resource: ResourceName,
        /// Why not.
        why: String,
    },
    /// CloudFormation could not check everything, and does not say what.
    DetectionIncomplete,
    /// There is more than a message holds.
    MoreDrift {
        /// How many differences more.
        count: usize,
    },
    /// Resources differ in nothing but what CodeDeploy moves.
    MovedByReleases {
        /// How many.
        resources: usize,
    },
    /// A release's undo left a resource so.
    LeftByUndo {
        /// The resource.
        resource: ResourceName,
        /// The service.
        service: ServiceName,
        /// The release.
        release: ReleaseId,
        /// When it was undone.
        at: Timestamp,
    },
    /// Whether a release's undo left a resource so is not known.
    UndoUnknown {
        /// The resource.
        resource: ResourceName,
        /// Why not.
        why: String,
    },
}

/// What happens when nobody answers a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Silent {
    /// The release is taken back.
    RollsBack,
    /// It stays as it is.
    Keeps,
    /// Belay looks again, and decides by what it finds then.
    LooksAgain,
    /// The lifecycle hook succeeds: the deployment goes on.
    LetsThrough,
    /// The lifecycle hook fails, and with it the deployment.
    HoldsUp,
}

/// Who is taking a release back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum UndoneBy {
    /// Belay has done it.
    Belay {
        /// When.
        at: Timestamp,
    },
    /// Another invocation of Belay is at it, and may yet fail.
    BelayRightNow {
        /// Since when.
        since: Timestamp,
    },
    /// The deployer started a rollback of its own.
    Deployer {
        /// The rollback's deployment.
        rollback: ReleaseId,
    },
}

/// Somebody's words with a full stop, unless they end a sentence themselves.
fn ended_sentence(words: &str) -> String {
    if words.ends_with(['.', '!', '?']) { words.to_owned() } else { format!("{words}.") }
}

/// What a failure is put down to, what shows it, and what could not be learnt.
fn told(cause: &Cause, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str(&ended_sentence(&cause.what))?;
    if !cause.evidence.is_empty() && !cause.what.contains(&cause.evidence) {
        write!(f, " Seen in {}: {}", cause.seen_in, ended_sentence(&cause.evidence))?;
    }
    cause.not_learnt.iter().try_for_each(|missing| write!(f, " {}", ended_sentence(missing)))
}

/// A duration as people say it, to the second: `3m 20s`.
pub fn spoken(duration: SignedDuration) -> String {
    format!("{:#}", SignedDuration::from_secs(duration.as_secs()))
}

impl fmt::Display for Reason {
    #[allow(clippy::too_many_lines, reason = "one sentence per variant; splitting would hide them")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotWatched { alarm } => write!(f, "No service in the policy watches the alarm {alarm}."),
            Self::NotInAlarm { alarm, state } => {
                write!(f, "The alarm {alarm} is {state} now: there is nothing to undo.")
            }
            Self::Muted { alarm, by, until } => {
                write!(f, "The alarm {alarm} is muted by {by}")?;
                match until {
                    Some(until) => write!(f, " until {until}."),
                    None => f.write_str("."),
                }
            }
            Self::Suppressed { alarm, by } => {
                write!(f, "The alarm {alarm} is suppressed ({by}).")
            }
            Self::RuleSaysNotify { alarm, said } => write!(
                f,
                "The alarm {alarm} went off, and the policy's rule for it is `notify`. CloudWatch says: {said}"
            ),
            Self::NoReleaseToBlame { alarm, last, watch_for } => {
                write!(f, "The alarm {alarm} went off while no release was on watch: ")?;
                match last {
                    None => f.write_str("nothing was ever released here."),
                    Some((id, ago)) => write!(
                        f,
                        "the last one, {id}, ended {} before it, and a release is watched for {}.",
                        spoken(*ago),
                        spoken(*watch_for)
                    ),
                }
            }
            Self::BeganBeforeRelease { alarm, before } => write!(
                f,
                "The alarm {alarm} went off {} before this release began, so this release did not cause it; the one before it may have.",
                spoken(*before)
            ),
            Self::EarlierReleaseToBlame { alarm, earlier, before } => write!(
                f,
                "The alarm {alarm} went off {} before this release began, while {earlier} was on watch: that one is to blame. Belay never takes back what has been replaced.",
                spoken(*before)
            ),
            Self::RollbackIsFailing { alarm, of, since_start, over } => {
                let since = spoken(*since_start);
                if *over {
                    write!(f, "The alarm {alarm} went off {since} after a rollback began that has ended by now")?;
                } else {
                    write!(f, "The alarm {alarm} went off {since} into a rollback")?;
                }
                if let Some(of) = of {
                    write!(f, " (of {of})")?;
                }
                f.write_str(
                    ". A rollback is never rolled back: either what it goes back to is bad as well, \
                     or the alarm still counts the minutes before it.",
                )
            }
            Self::AlreadyUndone { alarm, by } => match by {
                UndoneBy::Belay { at } => write!(
                    f,
                    "The alarm {alarm} went off as well; Belay has stopped it or taken it back already, at {at:.0}."
                ),
                UndoneBy::BelayRightNow { since } => write!(
                    f,
                    "The alarm {alarm} went off as well; Belay has been at it since {since:.0}, in another invocation."
                ),
                UndoneBy::Deployer { rollback } => write!(
                    f,
                    "The alarm {alarm} went off as well; CodeDeploy is taking this release back already, by {rollback}."
                ),
            },
            Self::OnlyHalted { alarm, at } => write!(
                f,
                "The policy's rule for the alarm {alarm} is `roll_back`, and the release was halted at {at:.0} for an alarm whose rule is `halt`. Belay takes nothing back that it has halted."
            ),
            Self::RunAgainSinceUndone { alarm, undone, again } => write!(
                f,
                "The alarm {alarm} went off, and the stage was run again at {again:.0} after Belay had stopped it or taken it back at {undone:.0}. Belay undoes a release once."
            ),
            Self::AlreadyJudged { alarm, verdict, release, at } => {
                write!(f, "This change of the alarm {alarm} was judged at {at:.0} already ({verdict}")?;
                if let Some(release) = release {
                    write!(f, ", about {release}")?;
                }
                f.write_str("): nothing is done or told twice.")
            }
            Self::EndedNotRolledBack { alarm, status } => write!(
                f,
                "The alarm {alarm} went off after the release was {status}, and CodeDeploy names no rollback of it so far."
            ),
            Self::AlreadyRedBefore { alarm } => write!(
                f,
                "The alarm {alarm} was in ALARM before the release began and has not been OK since, so it says nothing about the release."
            ),
            Self::AlarmWasFlapping { alarm, times } => write!(
                f,
                "The alarm {alarm} went off {times} times in the hour before this release began, so that it going off once more proves little."
            ),
            Self::MarkedNoRollback { why } => {
                write!(f, "The release is marked as not to be rolled back: {}", ended_sentence(why))
            }
            Self::RuleSaysHalt { alarm } => {
                write!(f, "The policy's rule for the alarm {alarm} is `halt`: stop, and do not go back.")
            }
            Self::RuleSaysAsk { alarm } => {
                write!(f, "The policy's rule for the alarm {alarm} is `ask`: a person decides.")
            }
            Self::BudgetSpent { count, per } => write!(
                f,
                "Belay has taken back {count} {} of this service within {} already, which is as many as the policy allows without asking.",
                if *count == 1 { "release" } else { "releases" },
                spoken(*per)
            ),
            Self::MissingCountsAsAlarm { alarm } => write!(
                f,
                "The alarm {alarm} has no data any more (INSUFFICIENT_DATA), and the policy counts that as ALARM for it."
            ),
            Self::AlreadyWouldHave { alarm, at } => write!(
                f,
                "The alarm {alarm} went off as well; that Belay would have undone this release was said at {at:.0}."
            ),
            Self::Scoreboard { would_have: 0, .. } => {
                f.write_str("This is the first release of this service that Belay would have undone.")
            }
            Self::Scoreboard { would_have, succeeded, ended_badly } if *would_have >= SCORED => write!(
                f,
                "Before this one, Belay would have undone {would_have} of this service's releases and more. Of the newest {would_have}, {succeeded} succeeded all the same, {ended_badly} failed or were stopped, {} have not ended yet.",
                would_have.saturating_sub(succeeded + ended_badly)
            ),
            Self::Scoreboard { would_have, succeeded, ended_badly } => write!(
                f,
                "Before this one, Belay would have undone {would_have} of this service's releases: {succeeded} of them succeeded all the same, {ended_badly} failed or were stopped, {} have not ended yet.",
                would_have.saturating_sub(succeeded + ended_badly)
            ),
            Self::AnswerBy { deadline, otherwise } => {
                write!(f, "If nobody answers by {deadline:.0}, ")?;
                f.write_str(match otherwise {
                    Silent::RollsBack => "the release is taken back.",
                    Silent::Keeps => "the release stays as it is.",
                    Silent::LooksAgain => "Belay looks again and decides by what it finds then.",
                    Silent::LetsThrough => "the deployment goes on.",
                    Silent::HoldsUp => "the deployment fails.",
                })
            }
            Self::NobodyAnswered { asked, otherwise } => {
                write!(f, "The question of {asked:.0} was not answered in time, and the policy answers silence with ")?;
                f.write_str(match otherwise {
                    Silent::RollsBack => "`roll_back`.",
                    Silent::Keeps => "`keep`.",
                    Silent::LooksAgain => "another look.",
                    Silent::LetsThrough => "`succeed`.",
                    Silent::HoldsUp => "`fail`.",
                })
            }
            Self::QuestionOvertaken { by: Some(by) } => {
                write!(f, "The question is no question any more: {by} has been released since.")
            }
            Self::QuestionOvertaken { by: None } => {
                f.write_str("The question is no question any more: the release it was about is not on watch now.")
            }
            Self::Restored { alarm, took } => {
                write!(f, "The alarm {alarm} is OK again, {} after it went off.", spoken(*took))
            }
            Self::RedAgain { alarm, ok, since } => write!(
                f,
                "The alarm {alarm} was OK at {ok:.0}, and went off again at {since:.0}: its incident is not over."
            ),
            Self::FoundBySweep => f.write_str("No event had said so; the sweep found it."),
            Self::UndoMissed { decided } => write!(
                f,
                "At {decided:.0} Belay had decided to undo the release, was cut off before it could begin, and found it finished when it came back. Nothing was undone."
            ),
            Self::NoRollbackFollowed { ago } => write!(
                f,
                "CodeDeploy was to stop the release and to go back by itself; it ended {} ago, and CodeDeploy names no rollback.",
                spoken(*ago)
            ),
            Self::StillDeployed { actions } => write!(
                f,
                "What ran in the stage was stopped; {} deployed the release, or began to, and nobody has taken that back.",
                actions.join(" and ")
            ),
            Self::NoGoodTarget { why } => write!(f, "There is nothing good to go back to: {why}"),
            Self::FinishedBeforeAlarm { alarm, ago } => write!(
                f,
                "The alarm {alarm} went off {} after the release had finished. It may well be its doing.",
                spoken(*ago)
            ),
            Self::ActionFailed { stage: _, failed } => {
                let ActionFailed { action, provider, cause } = &**failed;
                // What is not known says of itself which action it is about.
                if cause.rule != UNKNOWN {
                    write!(f, "{action} ({provider}) failed: ")?;
                }
                told(cause, f)
            }
            Self::Because { cause } => told(cause, f),
            Self::NoActionFailed { stage } => write!(
                f,
                "The stage {stage} failed, and no action of it did: a condition of the stage may have stopped it."
            ),
            Self::NotApproved { stage } => {
                write!(f, "The stage {stage} failed because its approval was not given.")
            }
            Self::PassesByItself { attempt, of } => write!(
                f,
                "That passes by itself, and the policy has it run again: attempt {attempt} of {of}."
            ),
            Self::RetriesSpent { attempts } => write!(
                f,
                "It would pass by itself, and has been run again {attempts} {} already, as often as the policy allows.",
                if *attempts == 1 { "time" } else { "times" }
            ),
            Self::CouldNotLearn { what, why } => write!(f, "Belay could not learn {what}: {}", ended_sentence(why)),
            Self::AlarmDuringRelease { alarm, since_start, traffic, said } => {
                write!(f, "The alarm {alarm} went off {} into the release", spoken(*since_start))?;
                match traffic {
                    Some(percent) => write!(f, ", with {percent} % of the traffic on the new revision")?,
                    None => f.write_str(", with an unknown share of the traffic on the new revision")?,
                }
                write!(f, ". CloudWatch says: {said}")
            }
            Self::AlarmAfterRelease { alarm, since_end, said } => write!(
                f,
                "The alarm {alarm} went off {} after the release had finished, while it was on watch. CloudWatch says: {said}",
                spoken(*since_end)
            ),
            Self::NotGuarded { place } => {
                write!(f, "No service in the policy is deployed by {place}.")
            }
            Self::NotARelease { creator } => write!(
                f,
                "The deployment was started by `{creator}`: it brings instances up to what the others run, and releases nothing."
            ),
            Self::NothingToDo { what, instance: None } => {
                write!(f, "A deployment's {what} asks for nothing.")
            }
            Self::NothingToDo { what, instance: Some(instance) } => {
                write!(f, "{what} of the instance {instance} asks for nothing: the deployment decides.")
            }
            Self::ReleaseBegan { target: Target::KnownGood { deployment, revision } } => write!(
                f,
                "It can be undone: back to {revision}, which {deployment} deployed."
            ),
            Self::ReleaseBegan { target: Target::None { why } } => {
                write!(f, "It cannot be undone: {why}")
            }
            Self::ReleaseBeganTargetUnknown { why } => {
                write!(f, "Whether it can be undone could not be learnt: {}", ended_sentence(why))
            }
            Self::Watching { ok, red, without_data, unread } => {
                let states = [(ok, "OK"), (red, "in ALARM"), (without_data, "without data"), (unread, "unreadable")];
                let counted: Vec<String> = states
                    .into_iter()
                    .filter(|(count, _)| **count > 0)
                    .map(|(count, state)| format!("{count} {state}"))
                    .collect();
                match &counted[..] {
                    [] => f.write_str("No alarm of the policy exists yet."),
                    _ => write!(f, "Watched alarms: {}.", counted.join(", ")),
                }
            }
            Self::RedAtStart { alarm } => write!(
                f,
                "The alarm {alarm} is in ALARM already: it will not count against this release until it has been OK."
            ),
            Self::UnreadAtStart { alarm, why } => {
                write!(f, "The state of {alarm} could not be read: {}", ended_sentence(why))
            }
            Self::RollbackBegan { of: Some(of) } => write!(f, "It takes back the release {of}."),
            Self::RollbackBegan { of: None } => {
                f.write_str("It is a rollback; the deployer does not say of which release.")
            }
            Self::StartCameLate { status } => write!(
                f,
                "The event says that the deployment began, but it has {status} meanwhile: the event came late."
            ),
            Self::ReleaseEnded { status, took, error } => {
                write!(f, "The deployment {}", match status {
                    ReleaseStatus::Succeeded => "succeeded",
                    ReleaseStatus::Failed => "failed",
                    ReleaseStatus::Stopped => "was stopped",
                    ReleaseStatus::Created
                    | ReleaseStatus::Queued
                    | ReleaseStatus::InProgress
                    | ReleaseStatus::Baking
                    | ReleaseStatus::Ready
                    | ReleaseStatus::Unrecognised(_) => "ended",
                })?;
                if let Some(took) = took {
                    write!(f, " after {}", spoken(*took))?;
                }
                match error {
                    Some((code, message)) => write!(f, ". CodeDeploy says {code}: {message}"),
                    None => f.write_str("."),
                }
            }
            Self::BelayAskedForIt { at } => write!(f, "Belay asked for it, at {at:.0}."),
            Self::RollbackDone { of: Some(of) } => {
                write!(f, "What ran before {of} gets the traffic again.")
            }
            Self::RollbackDone { of: None } => f.write_str("What ran before gets the traffic again."),
            Self::DeployerRollsBack { rollback } => {
                write!(f, "CodeDeploy is rolling it back: {rollback}.")
            }
            Self::NoRollbackStarted => f.write_str(
                "CodeDeploy names no rollback of it so far. If none begins within a minute, users get whatever the deployment left behind.",
            ),
            Self::LeftAsItIs => {
                f.write_str("Nothing goes back by itself: users get whatever it left behind.")
            }
            Self::StaysOnWatch { until } => {
                write!(f, "It stays on watch until {until:.0}: an alarm until then still counts against it.")
            }
            Self::ChecksPassed { count, event } => {
                let plural = if count.get() == 1 { "check" } else { "checks" };
                write!(f, "All {count} {plural} of {event} passed.")
            }
            Self::CheckPassed { check, saw } => write!(f, "Passed: {check}: {saw}."),
            Self::CheckFailed { check, saw } => write!(f, "Failed: {check}: {saw}."),
            Self::CheckInDoubt { check, why } => write!(f, "In doubt: {check}: {why}."),
            Self::OnDoubtAnswers { succeeded } => write!(
                f,
                "The policy answers doubt with `{}`.",
                if *succeeded { "succeed" } else { "fail" }
            ),
            Self::NotConfigured { what } => write!(
                f,
                "{what}. A hook that checks nothing is a mistake, so it fails."
            ),
            Self::RollbackNotHeldUp { of: Some(of) } => {
                write!(f, "This deployment takes back {of}: no check may hold it up.")
            }
            Self::RollbackNotHeldUp { of: None } => {
                f.write_str("This deployment takes a release back: no check may hold it up.")
            }
            Self::WouldHaveFailed => f.write_str(
                "The service is in `observe`: the hook is let through, where Belay would have failed it.",
            ),
            Self::WouldHaveAsked => f.write_str(
                "The service is in `observe`: the hook is let through, where Belay would have asked a person.",
            ),
            Self::HookLeftWaiting { since } => write!(
                f,
                "The hook has waited since {since:.0}, longer than the function that was to answer it can run."
            ),
            Self::PersonChose { choice, why } => {
                write!(f, "An approver chose: {choice}.")?;
                match why {
                    Some(why) => write!(f, " In their words: {}", ended_sentence(why)),
                    None => Ok(()),
                }
            }
            Self::IsRollback { release } => {
                write!(f, "{release} takes another release back, and a rollback is never rolled back.")
            }
            Self::UndoneAlready { by: UndoneBy::Belay { at } } => {
                write!(f, "Belay undid it already, at {at:.0}.")
            }
            Self::UndoneAlready { by: UndoneBy::BelayRightNow { since } } => {
                write!(f, "Belay is undoing it already, since {since:.0}.")
            }
            Self::UndoneAlready { by: UndoneBy::Deployer { rollback } } => {
                write!(f, "It is being rolled back already, by {rollback}.")
            }
            Self::NothingToRetry => f.write_str("Nothing has failed here that a pipeline could run again."),
            Self::NothingToHalt => f.write_str("It has ended: there is nothing left to halt."),
            Self::HookWaits { event } => {
                write!(f, "The policy wants a person's approval before {event} is passed.")
            }
            Self::NobodyApproved { asked, succeeded } => write!(
                f,
                "The approval asked for at {asked:.0} was not given in time, and the policy answers silence with `{}`.",
                if *succeeded { "succeed" } else { "fail" }
            ),
            Self::ManualWaits { stage, action } => write!(
                f,
                "The pipeline {} waits in the stage {} for the approval {action}.",
                stage.pipeline, stage.stage
            ),
            Self::Ahead(ahead) => f.write_str(&ahead.sentences().join(" ")),
            Self::ManualAnsweredElsewhere { action, approved: true } => {
                write!(f, "The approval {action} was given in the console or by the CLI.")
            }
            Self::ManualAnsweredElsewhere { action, approved: false } => write!(
                f,
                "The approval {action} was rejected in the console or by the CLI, or was not given in its time."
            ),
            Self::ManualIsNoQuestion { action } => {
                write!(f, "The approval {action} is no question to anybody here.")
            }
            Self::OwnFailure { what } => write!(f, "Belay itself failed: {what}."),
            Self::StackNotNamed { stack } => {
                write!(f, "The policy's `drift` does not name the stack {}.", stack.name())
            }
            Self::DetectionCameLate { as_of } => {
                write!(f, "The stack was looked at again by {as_of:.0}: this event came late.")
            }
            Self::StackUnchanged { since } => {
                write!(f, "The stack is as it has been since {since:.0}, and that was told then.")
            }
            Self::StackDrifted { stack, resources, before } => {
                let (noun, verb) = if *resources == 1 { ("resource", "is") } else { ("resources", "are") };
                write!(f, "{resources} {noun} of the stack {} {verb} not as its template says.", stack.name())?;
                match before {
                    Some(before) => write!(f, " It was otherwise when it was told of at {before:.0}."),
                    None => Ok(()),
                }
            }
            Self::StackPartlyChecked { stack } => write!(
                f,
                "Not all of the stack {} could be checked; what could be is as its template says.",
                stack.name()
            ),
            Self::StackInSync { stack, not_since: None } => {
                write!(f, "The stack {} is as its template says.", stack.name())
            }
            Self::StackInSync { stack, not_since: Some(since) } => write!(
                f,
                "The stack {} is as its template says again. Since {since:.0} it was not, or nobody could tell.",
                stack.name()
            ),
            Self::StackNotChecked { stack, why } => write!(
                f,
                "Whether the stack {} has drifted is not known: {}",
                stack.name(),
                ended_sentence(why)
            ),
            Self::PropertyDrifted { resource, property } => {
                let PropertyDrift { path, kind, expected, actual, digest: _ } = property;
                match kind {
                    DifferenceKind::Added => write!(f, "{resource}: {path} was added: {actual}."),
                    DifferenceKind::Removed => {
                        write!(f, "{resource}: {path} was removed; the template says {expected}.")
                    }
                    DifferenceKind::NotEqual => {
                        write!(f, "{resource}: {path}: {expected} in the template → {actual} now.")
                    }
                    DifferenceKind::Unrecognised(word) => write!(
                        f,
                        "{resource}: {path}: {expected} in the template → {actual} now ({word}, unknown to Belay)."
                    ),
                }
            }
            Self::ResourceDeleted { resource } if resource.physical.is_empty() => {
                write!(f, "{resource} was deleted.")
            }
            Self::ResourceDeleted { resource } => {
                write!(f, "{resource} was deleted: {} is gone.", resource.physical)
            }
            Self::ResourceUnchecked { resource, why } => {
                write!(f, "{resource} could not be checked: {}", ended_sentence(why))
            }
            Self::DetectionIncomplete => f.write_str(
                "CloudFormation says that it could not check everything, and not what it could not.",
            ),
            Self::MoreDrift { count } => {
                write!(f, "And {count} more, which CloudFormation's page of the stack shows.")
            }
            Self::MovedByReleases { resources } => {
                let noun = if *resources == 1 { "resource differs" } else { "resources differ" };
                write!(f, "{resources} {noun} only in what CodeDeploy moves with every release, which is no drift.")
            }
            Self::LeftByUndo { resource, service, release, at } => write!(
                f,
                "{} was left so by the undo of {release} ({service}) at {at:.0}.",
                resource.logical
            ),
            Self::UndoUnknown { resource, why } => write!(
                f,
                "Whether the undo of a release left {} so is not known: {}",
                resource.logical,
                ended_sentence(why)
            ),
        }
    }
}

impl Reason {
    /// The reason as the lines of a message: one, but for what is a list by itself.
    pub fn lines(&self) -> Vec<String> {
        if let Self::Ahead(ahead) = self { ahead.sentences() } else { vec![self.to_string()] }
    }
}

/// At least one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reasons {
    first: Reason,
    rest: Vec<Reason>,
}

impl Reasons {
    /// One reason, and any others.
    pub fn new(first: Reason, rest: Vec<Reason>) -> Self {
        Self { first, rest }
    }

    /// These, and others behind them.
    #[must_use]
    pub fn and(mut self, others: Self) -> Self {
        self.rest.push(others.first);
        self.rest.extend(others.rest);
        self
    }

    /// These without some of those that follow the deciding one.
    #[must_use]
    pub fn without(mut self, unwanted: impl Fn(&Reason) -> bool) -> Self {
        self.rest.retain(|reason| !unwanted(reason));
        self
    }

    /// The reason that decided.
    pub fn first(&self) -> &Reason {
        &self.first
    }

    /// All of them, the deciding one first.
    pub fn iter(&self) -> impl Iterator<Item = &Reason> {
        std::iter::once(&self.first).chain(&self.rest)
    }
}

impl From<Reason> for Reasons {
    fn from(reason: Reason) -> Self {
        Self::new(reason, Vec::new())
    }
}
