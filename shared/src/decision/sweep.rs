//! What no event said: what is due, by the ledger's open things and the world as it is.
//!
//! Nothing is decided here about a release. What is due becomes a signal, with the very key that the event would have
//! had, and is judged by the same rules: an event that comes late finds it done.

use jiff::{SignedDuration, Timestamp};

use super::release::{ROLLBACK_FOLLOWS, all_back};
use crate::{
    approval::Choice,
    decision::{Effect, Verdict, alarm::signed},
    evidence::{OpenEvidence, WatchedState},
    ledger::{
        Answered, DecisionRecord, EffectState, LEASE, Open, Owed, Press, Question, ReleaseLedger,
        WaitingHook, Watch,
    },
    policy::{Missing, Policy, Service},
    release::{AlarmName, Phase, Place, Release, ReleaseId, ReleaseStatus, Stage, course::Stands},
    signal::{AlarmChange, AlarmState, LeftAt, Quieted, ReleaseChange, ReleaseHappening, StageFailed},
};

/// Something whose time has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Due {
    /// A question's deadline has passed.
    Silence(Question),
    /// A hook waits for somebody who must be dead.
    HookLeft(WaitingHook),
    /// A press was written down, and whoever was to judge it has not.
    Pressed(Press),
    /// A release was left in the middle of its undo.
    Left(Box<Release>, crate::ledger::Effect, LeftAt),
    /// A message was written down and may not have been sent.
    Owed(Owed),
    /// A release began, or ended.
    Release(ReleaseChange),
    /// A stage of a release's pipeline failed, and nobody has said why.
    StageFailed(Watch, Stage, Timestamp),
    /// A watched alarm is red, or an incident's alarm is OK.
    Alarm(AlarmChange),
    /// A release is to be looked after that nobody has heard of.
    Watched(Watch),
    /// A release is not on watch any more.
    Unwatched(ReleaseId),
}

/// Everything that is due, the most urgent first: bad releases, then questions and hooks, then what is to be told.
pub fn due(policy: &Policy, evidence: &OpenEvidence, now: Timestamp) -> Vec<Due> {
    let mut left = Vec::new();
    let mut told = Vec::new();
    let mut over = Vec::new();
    let mut on_watch: Vec<(&Service, Timestamp)> = Vec::new();
    for watch in &evidence.open.watches {
        let Some(service) = policy.service(&watch.service) else {
            over.push(Due::Unwatched(watch.release.clone()));
            continue;
        };
        on_watch.push((service, watch.began));
        let release = evidence.releases.get(&watch.release).map(|release| release.known());
        let ledger = evidence.ledgers.get(&watch.release).map(|ledger| ledger.known());
        // What cannot be read says nothing: the next minute reads it again.
        let (Some(Ok(release)), Some(Ok(ledger))) = (release, ledger) else { continue };
        left.extend(left_behind(release, ledger, service, now));
        told.extend(unsaid(watch, release, ledger, now).map(Due::Release));
        told.extend(unheard_rollback(&evidence.open, watch, release).map(Due::Watched));
        let unexplained = if anothers(&evidence.open, service, watch, release) {
            Unexplained::No
        } else {
            unexplained(release, ledger, now)
        };
        if let Unexplained::Due(stage, since) = &unexplained {
            told.push(Due::StageFailed(watch.clone(), stage.clone(), *since));
        }
        if unexplained == Unexplained::No && is_over(service, release, ledger, now) {
            over.push(Due::Unwatched(watch.release.clone()));
        }
    }
    let mut due = left;
    // Who is known not to answer keeps the others waiting: it comes after them.
    let (unread, read): (Vec<_>, Vec<_>) = alarms(policy, evidence, &on_watch)
        .into_iter()
        .partition(|change| is_unread(policy, evidence, change));
    due.extend(read.into_iter().map(Due::Alarm));
    let open = &evidence.open;
    // Before silence answers anything, whatever was pressed in time is judged, however young it is.
    let silent = open.questions.iter().any(|question| question.deadline <= now)
        || open.hooks.iter().any(|hook| hook.otherwise.is_some() && hook.until <= now);
    let late = |press: &&Press| silent || now.duration_since(press.at) >= LEASE;
    due.extend(open.presses.iter().filter(late).cloned().map(Due::Pressed));
    due.extend(open.questions.iter().filter(|question| question.deadline <= now).cloned().map(Due::Silence));
    due.extend(open.hooks.iter().filter(|hook| hook.until <= now).cloned().map(Due::HookLeft));
    due.extend(unread.into_iter().map(Due::Alarm));
    due.extend(told);
    due.extend(open.owed.iter().cloned().map(Due::Owed));
    due.extend(over);
    due
}

/// Whether an alarm is about a release that could not be read a moment ago.
fn is_unread(policy: &Policy, evidence: &OpenEvidence, change: &AlarmChange) -> bool {
    let watched = |watch: &Watch| {
        policy.service(&watch.service).is_some_and(|service| service.watched(&change.alarm).is_some())
    };
    let unread =
        |watch: &Watch| evidence.releases.get(&watch.release).is_some_and(|release| release.known().is_err());
    evidence.open.watches.iter().any(|watch| watched(watch) && unread(watch))
}

/// A release that was left behind in the middle of its undo. This is looked for whatever its alarm says by now: an undo
/// that worked turns the alarm green, and whoever did it may have died before telling anybody.
fn left_behind(release: &Release, ledger: &ReleaseLedger, service: &Service, now: Timestamp) -> Option<Due> {
    let half = |undo: &crate::ledger::Effect, what| match undo.state {
        EffectState::Claimed { until } if until <= now => {
            Some(Due::Left(Box::new(release.clone()), undo.clone(), what))
        }
        EffectState::Claimed { .. } | EffectState::Done | EffectState::Overtaken => None,
    };
    if let Some(due) = ledger.redeploy.as_ref().and_then(|redeploy| half(redeploy, LeftAt::Redeploying)) {
        return Some(due);
    }
    let undo = ledger.undo.as_ref()?;
    if let Some(due) = half(undo, LeftAt::Claimed) {
        return Some(due);
    }
    let long_ago = release.completed_at.is_some_and(|ended| now.duration_since(ended) >= ROLLBACK_FOLLOWS);
    if long_ago && was_missed(release, undo, ledger, service) {
        return Some(Due::Left(Box::new(release.clone()), undo.clone(), LeftAt::Missed));
    }
    // Stopped, and nobody goes back; or CodeDeploy accepted to stop it, and it finished all the same.
    let was_to_go_back = undo.state == EffectState::Done
        && matches!(undo.effect, Some(Effect::Stop { auto_rollback: true }))
        && matches!(release.status, ReleaseStatus::Stopped | ReleaseStatus::Succeeded)
        && release.rolled_back_by.is_none()
        && ledger.redeploy.is_none();
    let told = format!("{}/no-rollback/{}", service.name, release.id);
    let due = was_to_go_back && !ledger.told.contains(&told) || rest_is_open(service, release, ledger, now);
    (due && long_ago).then(|| Due::Left(Box::new(release.clone()), undo.clone(), LeftAt::Stopped))
}

/// Whether an undo was decided, not begun in time, and neither told nor decided about anew: by an alarm, silence or a person.
fn was_missed(
    release: &Release,
    undo: &crate::ledger::Effect,
    ledger: &ReleaseLedger,
    service: &Service,
) -> bool {
    let anew = |record: &DecisionRecord| {
        let kinds = ["alarm/", "silence/", "answer/"];
        record.at >= undo.at && kinds.iter().any(|kind| record.signal.starts_with(kind))
    };
    undo.state == EffectState::Overtaken
        && release.status == ReleaseStatus::Succeeded
        && !ledger.decisions.iter().any(anew)
        && !ledger.told.contains(&format!("{}/missed/{}", service.name, release.id))
}

/// For how long after its end the rest of a stage is looked after, whose deployments may take their time to go back.
pub(super) const REST_FOR: SignedDuration = SignedDuration::from_hours(6);

/// Whether what ran in a stage was stopped, and nobody has said yet whether all of the release is taken back. Who has it run
/// again has seen to it.
fn rest_is_open(service: &Service, release: &Release, ledger: &ReleaseLedger, now: Timestamp) -> bool {
    let Some(undo) = ledger.undo.as_ref().filter(|undo| undo.state == EffectState::Done) else {
        return false;
    };
    let no_rollback = format!("{}/no-rollback/{}", service.name, release.id);
    matches!(undo.effect, Some(Effect::StopWithin { .. }))
        && release.status.phase() == Phase::Over
        && release.again_since(undo.at).is_none()
        && ledger.redeploy.is_none()
        && now.duration_since(release.completed_at.unwrap_or(undo.at)) < REST_FOR
        && !ledger.told.contains(&no_rollback)
        && !ledger.told.contains(&all_back(&service.name, &release.id))
}

/// A beginning or an end that no event has told of. The keys are those of the events.
fn unsaid(watch: &Watch, release: &Release, ledger: &ReleaseLedger, now: Timestamp) -> Option<ReleaseChange> {
    // One that waits for its pipeline's approval has not begun.
    if matches!(watch.place, Place::Stage(_)) && release.status == ReleaseStatus::Created {
        return None;
    }
    let (what, at) = match release.status.phase() {
        Phase::Running if ledger.began.is_none() => (ReleaseHappening::Started, release.created_at),
        // Why a stage failed is better told by its events.
        Phase::Over
            if matches!(watch.place, Place::Stage(_))
                && release.status == ReleaseStatus::Failed
                && release.completed_at.is_some_and(|at| now.duration_since(at) < EVENTS_FOLLOW) =>
        {
            return None;
        }
        Phase::Over if ledger.ended.is_none() => {
            let what = match release.status {
                ReleaseStatus::Succeeded => ReleaseHappening::Succeeded,
                ReleaseStatus::Failed => ReleaseHappening::Failed,
                _ => ReleaseHappening::Stopped,
            };
            (what, release.completed_at?)
        }
        Phase::Running | Phase::Over | Phase::Unknown => return None,
    };
    let (deployment, place) = (watch.release.clone(), watch.place.clone());
    Some(ReleaseChange { deployment, place, what, instance: None, account: None, region: None, at })
}

/// Whether a pipeline failed, and nobody has said why.
#[derive(Debug, PartialEq, Eq)]
enum Unexplained {
    /// It has not, or somebody has.
    No,
    /// Its events may be on their way: what they bring says more.
    NotYet,
    /// This stage, since then.
    Due(Stage, Timestamp),
}

/// How long the events of a failure are waited for. They bring a better explanation than the sweep's.
const EVENTS_FOLLOW: SignedDuration = SignedDuration::from_secs(90);

/// How long a failure is looked after that nobody could explain: nothing is to be gained by then.
const EXPLAINED_FOR: SignedDuration = SignedDuration::from_hours(6);

/// How long before the end of its execution an approval's rejection stands for what failed.
const REJECTED_BEFORE: SignedDuration = SignedDuration::from_mins(15);

/// Whether a failure is another watch's to explain: that of the stage which failed, where a service names several.
fn anothers(open: &Open, service: &Service, watch: &Watch, release: &Release) -> bool {
    let course = release.course.as_ref();
    let Some((pipeline, stage)) = course.and_then(|course| Some((&course.pipeline, course.failed()?))) else {
        return false;
    };
    let place = Place::Stage(Stage { pipeline: pipeline.clone(), stage: stage.to_owned() });
    let its = |other: &Watch| other.place == place && other.release.execution() == watch.release.execution();
    place != watch.place && service.deployed_by.contains(&place) && open.watches.iter().any(its)
}

fn unexplained(release: &Release, ledger: &ReleaseLedger, now: Timestamp) -> Unexplained {
    let Some(course) = release.course.as_ref().filter(|course| course.stands == Stands::Failed) else {
        return Unexplained::No;
    };
    let (Some(stage), Some(execution), Some(since)) =
        (course.failed(), release.id.execution(), course.over_since)
    else {
        return Unexplained::No;
    };
    let stage = Stage { pipeline: course.pipeline.clone(), stage: stage.to_owned() };
    let keys = StageFailed::keys_of(&stage, execution);
    // Of this failure: what was said before it was about another one, after which it was tried again.
    let written = |signal: &str| {
        let mut messages = ledger.told.iter().chain(ledger.owed.iter().map(|owed| &owed.key));
        messages.any(|key| key.ends_with(signal))
    };
    // A decision without its message is half done.
    let said = |record: &DecisionRecord| {
        record.signal.starts_with(&keys)
            && record.at >= since
            && (record.verdict == Verdict::Ignore || written(&record.signal))
    };
    let rejected = |answered: &Answered| {
        answered.choice == Some(Choice::Reject) && since.duration_since(answered.at) < REJECTED_BEFORE
    };
    if now.duration_since(since) > EXPLAINED_FOR {
        return Unexplained::No;
    }
    if ledger.decisions.iter().any(said) || ledger.answers.values().any(rejected) {
        Unexplained::No
    } else if now.duration_since(since) < EVENTS_FOLLOW {
        Unexplained::NotYet
    } else {
        Unexplained::Due(stage, since)
    }
}

/// The deployer's own rollback of a release, if nobody has heard of it: from here on it is looked after like the
/// release.
fn unheard_rollback(open: &Open, watch: &Watch, release: &Release) -> Option<Watch> {
    let rollback = release.rolled_back_by.clone()?;
    let heard = open.watches.iter().any(|watch| watch.release == rollback);
    let began = release.completed_at?;
    (!heard).then(|| Watch { release: rollback, began, ..watch.clone() })
}

/// Whether nothing more is to be expected of a release: its watch is over, its end is told, and nothing is owed.
fn is_over(service: &Service, release: &Release, ledger: &ReleaseLedger, now: Timestamp) -> bool {
    let claimed = |effect: &Option<crate::ledger::Effect>| {
        effect.as_ref().is_some_and(|effect| matches!(effect.state, EffectState::Claimed { .. }))
    };
    // A stop is given its minute for the rollback, also where releases are watched for less.
    let watched = signed(service.watch_for).max(ROLLBACK_FOLLOWS + SignedDuration::from_secs(120));
    let ended_long_ago = release.completed_at.is_some_and(|ended| now.duration_since(ended) > watched);
    release.never_began()
        || release.status.phase() == Phase::Over
            && ended_long_ago
            && ledger.ended.is_some()
            && !claimed(&ledger.undo)
            && !claimed(&ledger.redeploy)
            && !rest_is_open(service, release, ledger, now)
}

/// The alarms that say something which is news: red for a service with a release on watch, since that began; or OK
/// while an incident of theirs is open.
fn alarms(policy: &Policy, evidence: &OpenEvidence, on_watch: &[(&Service, Timestamp)]) -> Vec<AlarmChange> {
    let Ok(alarms) = evidence.alarms.known() else {
        return Vec::new();
    };
    let mut changes = Vec::new();
    for (name, watched) in alarms {
        let (Ok(state), Some(since)) = (watched.state.known(), watched.since) else { continue };
        let red = |service: &Service| match (state, service.watched(name).map(|watched| watched.missing)) {
            (AlarmState::Alarm, Some(_)) | (AlarmState::InsufficientData, Some(Missing::Alarm)) => true,
            (AlarmState::Ok | AlarmState::InsufficientData | AlarmState::Alarm, _) => false,
        };
        let blames = on_watch.iter().any(|(service, began)| *began <= since && red(service));
        let ends = *state == AlarmState::Ok
            && evidence.open.incidents.iter().any(|incident| {
                incident.alarm == *name
                    && incident.began <= since
                    && policy
                        .service(&incident.service)
                        .is_some_and(|service| service.watched(name).is_some())
            });
        if blames || ends {
            changes.push(change(name, watched, *state, since));
        }
    }
    changes
}

/// The change that brought an alarm into its state. What it was before is not told by a state that is read.
fn change(name: &AlarmName, watched: &WatchedState, to: AlarmState, at: Timestamp) -> AlarmChange {
    AlarmChange {
        alarm: name.clone(),
        arn: watched.arn.clone(),
        account: None,
        region: None,
        to,
        from: None,
        reason: watched.said.clone(),
        at,
        quieted: watched.suppressed.clone().map(|by| Quieted::Suppressed { by, why: None }),
    }
}
