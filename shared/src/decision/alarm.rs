//! An alarm changed its state: the rows of "An alarm went to ALARM", first match wins.

use jiff::{SignedDuration, Timestamp};

use crate::{
    decision::{DELIVERIES, Decision, Subject, Urgency, Verdict, could_not_learn},
    evidence::{AlarmEvidence, AlarmPast, PlaceEvidence, ServiceEvidence, Target},
    ledger::{EffectState, Judged, ReleaseLedger},
    policy::{Policy, Rule, Service},
    reason::{Reason, Reasons, UndoneBy},
    release::{AlarmName, Deployment, DeploymentStatus, Phase},
    signal::{AlarmChange, AlarmState, Quieted},
};

/// Decides what an alarm's change means: one decision for each release that it concerns, and at least one.
///
/// `evidence` holds an entry for each service that [`needs_evidence`] named; `now` is when we decide, and
/// counts only for leases. Every duration in the reasons is measured by the alarm's and the deployer's own
/// times, so that an event that comes late is judged as if it had come in time.
pub fn decide(
    policy: &Policy,
    evidence: &AlarmEvidence,
    change: &AlarmChange,
    now: Timestamp,
) -> Vec<Decision> {
    if let Some(decision) = from_the_event_alone(policy, change) {
        return vec![decision];
    }
    let mut decisions = Vec::new();
    for watcher in policy.watchers(&change.alarm) {
        let service = watcher.service;
        let before = evidence.judged.known().unwrap_or(&NOTHING_JUDGED);
        if let Some(before) = before.iter().find(|before| before.service.as_ref() == Some(&service.name)) {
            decisions.push(already_judged(before, change));
            continue;
        }
        match watcher.alarm.rule {
            // Row 3.
            Rule::Notify => decisions.push(Decision {
                service: Some(service.name.clone()),
                release: None,
                verdict: Verdict::Notify(Urgency::Calm),
                reasons: Reason::RuleSaysNotify { alarm: change.alarm.clone(), said: change.reason.clone() }
                    .into(),
            }),
            rule @ (Rule::RollBack | Rule::Halt | Rule::Ask) => {
                let known = evidence.services.iter().find(|known| known.service == service.name);
                decisions.extend(judge_service(service, rule, known, evidence, change, now));
            }
        }
    }
    decisions
}

/// The ledger could not say whether this signal was judged before. Rules that act need the ledger anyway and
/// stop there; a message is better told twice than never.
static NOTHING_JUDGED: Vec<Judged> = Vec::new();

fn already_judged(before: &Judged, change: &AlarmChange) -> Decision {
    Decision {
        service: before.service.clone(),
        release: None,
        verdict: Verdict::Ignore,
        reasons: Reason::AlreadyJudged {
            alarm: change.alarm.clone(),
            verdict: before.verdict.word().to_owned(),
            release: before.release.clone(),
            at: before.at,
        }
        .into(),
    }
}

/// The services whose decision needs more than the event: those that would act on this change.
pub fn needs_evidence<'a>(policy: &'a Policy, change: &AlarmChange) -> Vec<&'a Service> {
    if from_the_event_alone(policy, change).is_some() {
        return Vec::new();
    }
    policy
        .watchers(&change.alarm)
        .into_iter()
        .filter(|watcher| watcher.alarm.rule != Rule::Notify)
        .map(|watcher| watcher.service)
        .collect()
}

/// Rows 1 and 2, and changes that are no alarm at all.
fn from_the_event_alone(policy: &Policy, change: &AlarmChange) -> Option<Decision> {
    let alarm = change.alarm.clone();
    let reason = if policy.watchers(&alarm).is_empty() {
        Reason::NotWatched { alarm }
    } else if change.to != AlarmState::Alarm {
        Reason::NotInAlarm { alarm, state: change.to }
    } else {
        match &change.quieted {
            Some(Quieted::Muted { by, until }) => {
                Reason::Muted { alarm, by: by.clone(), until: until.clone() }
            }
            Some(Quieted::Suppressed { by, .. }) => Reason::Suppressed { alarm, by: by.clone() },
            None => return None,
        }
    };
    Some(Decision { service: None, release: None, verdict: Verdict::Ignore, reasons: reason.into() })
}

/// Where the releases of one service stand. A service that is deployed in several places is judged in each
/// of them that has something on watch; only when none has, there is nothing to blame.
fn judge_service(
    service: &Service,
    rule: Rule,
    known: Option<&ServiceEvidence>,
    evidence: &AlarmEvidence,
    change: &AlarmChange,
    now: Timestamp,
) -> Vec<Decision> {
    let decision = |release: Option<&Deployment>, (verdict, reasons): (Verdict, Reasons)| Decision {
        service: Some(service.name.clone()),
        release: release.map(Subject::of),
        verdict,
        reasons,
    };
    let Some(known) = known else {
        let nothing = could_not_learn(
            format!("what is being released for {}", service.name),
            "nothing was gathered",
            evidence.delivery.known(),
        );
        return vec![decision(None, nothing)];
    };
    let mut decisions = Vec::new();
    let mut unknown: Option<(Verdict, Reasons)> = None;
    let mut last_ended: Option<(&Deployment, SignedDuration)> = None;
    for place in &known.places {
        match on_watch(service, place, change) {
            OnWatch::Unknown { what, why } => {
                let (verdict, reasons) = could_not_learn(what, &why, evidence.delivery.known());
                // One question for a service, however many of its groups cannot be read.
                unknown = Some(match unknown {
                    None => (verdict, reasons),
                    Some((verdict, before)) => (verdict, before.and(reasons)),
                });
            }
            OnWatch::Nothing { last } => {
                if let Some((deployment, ago)) = last
                    && last_ended.is_none_or(|(_, other)| ago < other)
                {
                    last_ended = Some((deployment, ago));
                }
            }
            OnWatch::Release(release, ledger) => {
                let judged = judge_release(rule, release, ledger, place, evidence, change, now);
                decisions.push(decision(Some(release), judged));
            }
        }
    }
    decisions.extend(unknown.map(|unknown| decision(None, unknown)));
    if decisions.is_empty() {
        // Row 4.
        decisions.push(decision(
            None,
            (
                Verdict::Notify(Urgency::Calm),
                Reason::NoReleaseToBlame {
                    alarm: change.alarm.clone(),
                    last: last_ended.map(|(deployment, ago)| (deployment.id.clone(), ago)),
                    watch_for: signed(service.watch_for),
                }
                .into(),
            ),
        ));
    }
    decisions
}

/// Whether a place has a release on watch.
enum OnWatch<'a> {
    /// It has: it runs, or it ended recently enough. With what the ledger holds of it, or why that is unknown.
    Release(&'a Deployment, Result<&'a ReleaseLedger, &'a str>),
    /// It has none; the last one that ended, and how long before the alarm.
    Nothing { last: Option<(&'a Deployment, SignedDuration)> },
    /// It could not be learnt.
    Unknown { what: String, why: String },
}

fn on_watch<'a>(service: &Service, place: &'a PlaceEvidence, change: &AlarmChange) -> OnWatch<'a> {
    let latest = match place.latest.known() {
        Err(why) => {
            let what = format!("what is being released in {}", place.group);
            return OnWatch::Unknown { what, why: why.to_owned() };
        }
        Ok(None) => return OnWatch::Nothing { last: None },
        Ok(Some(latest)) => latest,
    };
    // An alarm that went off before a rollback began is about the release that is being rolled back. In the same
    // second it is what started the rollback: CodeDeploy needs no longer for its own.
    if latest.is_rollback() && change.at <= latest.created_at {
        match place.taken_back.known() {
            Err(why) => {
                let what = format!("which release {} takes back", latest.id);
                return OnWatch::Unknown { what, why: why.to_owned() };
            }
            Ok(Some(taken_back)) if taken_back.deployment.created_at <= change.at => {
                return OnWatch::Release(&taken_back.deployment, Ok(&taken_back.ledger));
            }
            Ok(Some(_) | None) => {}
        }
    }
    match latest.status.phase() {
        Phase::Running => OnWatch::Release(latest, place.ledger.known()),
        Phase::Unknown => OnWatch::Unknown {
            what: format!("how {} is doing", latest.id),
            why: format!("CodeDeploy says it is {}", latest.status),
        },
        Phase::Over => match latest.completed_at {
            None => OnWatch::Unknown {
                what: format!("when {} ended", latest.id),
                why: "CodeDeploy does not say".to_owned(),
            },
            Some(ended) => {
                let ago = change.at.duration_since(ended);
                if ago <= signed(service.watch_for) {
                    OnWatch::Release(latest, place.ledger.known())
                } else {
                    OnWatch::Nothing { last: Some((latest, ago)) }
                }
            }
        },
    }
}

/// Rows 5 to 16, for one release that is on watch.
fn judge_release(
    rule: Rule,
    release: &Deployment,
    ledger: Result<&ReleaseLedger, &str>,
    place: &PlaceEvidence,
    evidence: &AlarmEvidence,
    change: &AlarmChange,
    now: Timestamp,
) -> (Verdict, Reasons) {
    let alarm = change.alarm.clone();
    let missing = |what: String, why: &str| could_not_learn(what, why, evidence.delivery.known());

    // Row 5. A rollback that does not say of which release it is one is loud all the same: the alarm is about what
    // it takes back.
    if change.at < release.created_at && release.is_rollback() {
        let (of, since_start) = (release.rolls_back.clone(), SignedDuration::ZERO);
        let over = release.status.phase() == Phase::Over;
        return loud(Reason::RollbackIsFailing { alarm, of, since_start, over });
    }
    if change.at < release.created_at {
        let before = release.created_at.duration_since(change.at);
        return calm(Reason::BeganBeforeRelease { alarm, before });
    }
    let since_start = change.at.duration_since(release.created_at);

    // Row 6.
    if release.is_rollback() {
        let of = release.rolls_back.clone();
        let over = release.status.phase() == Phase::Over;
        return loud(Reason::RollbackIsFailing { alarm, of, since_start, over });
    }

    // Row 7. What the ledger holds counts before what the deployer says: a stop that is under way is not
    // visible at the deployer yet.
    let ledger = match ledger {
        Ok(ledger) => ledger,
        Err(why) => return missing(format!("what was already done about {}", release.id), why),
    };
    if let Err(why) = evidence.judged.known() {
        return missing(format!("whether this change of {alarm} was judged before"), why);
    }
    if let Some(undo) = &ledger.undo {
        match undo.state {
            // Asked to stop, and finished well all the same: it is live, and the alarm is about it.
            EffectState::Done if unharmed(release) => {}
            EffectState::Done => return already_undone(alarm, UndoneBy::Belay { at: undo.at }),
            EffectState::Claimed { until } if now < until => {
                return right_now(alarm, undo.at, evidence.delivery.known());
            }
            // Whoever claimed it died on the way: finish what was decided. Taking the claim over begins with
            // a look at whether it happened.
            EffectState::Claimed { .. } => return (undo.verdict, undo.reasons.clone()),
            EffectState::Overtaken => {}
        }
    }
    if let Some(rollback) = &release.rolled_back_by {
        return already_undone(alarm, UndoneBy::Deployer { rollback: rollback.clone() });
    }
    match release.status {
        DeploymentStatus::Stopped | DeploymentStatus::Failed => {
            return loud(Reason::EndedNotRolledBack { alarm, status: release.status.clone() });
        }
        DeploymentStatus::Created
        | DeploymentStatus::Queued
        | DeploymentStatus::InProgress
        | DeploymentStatus::Baking
        | DeploymentStatus::Ready
        | DeploymentStatus::Succeeded
        | DeploymentStatus::Unrecognised(_) => {}
    }

    // Row 8.
    match place.past.known() {
        Ok(AlarmPast::News) => {}
        Ok(AlarmPast::RedSinceBefore) => return calm(Reason::AlreadyRedBefore { alarm }),
        Err(why) => return missing(format!("what {alarm} was when the release began"), why),
    }

    // Row 12, and what comes between: rows 9, 10, 11, 13 and 15 need parts of the policy that are refused
    // when it is read, so that no rule can be written down and not be kept.
    if release.status.phase() == Phase::Over {
        let ended = release.completed_at.unwrap_or(change.at);
        return loud(Reason::FinishedBeforeAlarm { alarm, ago: change.at.duration_since(ended) });
    }
    let during = Reason::AlarmDuringRelease {
        alarm,
        since_start,
        traffic: place.traffic.known().ok().copied(),
        said: change.reason.clone(),
    };
    match (place.target.known(), rule) {
        (Err(why), _) => missing(format!("what {} could go back to", release.id), why),
        (Ok(Target::None { why }), _) => {
            (Verdict::Halt, Reasons::new(Reason::NoGoodTarget { why: why.clone() }, vec![during]))
        }
        // Row 16.
        (Ok(Target::KnownGood { .. }), Rule::RollBack) => (Verdict::RollBack, during.into()),
        (Ok(Target::KnownGood { .. }), Rule::Halt) => (Verdict::Halt, during.into()),
        (Ok(Target::KnownGood { .. }), Rule::Ask) => (Verdict::Ask, during.into()),
        (Ok(Target::KnownGood { .. }), Rule::Notify) => calm(during),
    }
}

/// Whether a release ended well and nobody is rolling it back.
fn unharmed(release: &Deployment) -> bool {
    release.status == DeploymentStatus::Succeeded && release.rolled_back_by.is_none()
}

fn already_undone(alarm: AlarmName, by: UndoneBy) -> (Verdict, Reasons) {
    (Verdict::Ignore, Reason::AlreadyUndone { alarm, by }.into())
}

/// Somebody else is at it and may yet die: the signal is not done with before that one is. Should that not be so
/// by the last delivery, a person has to know.
fn right_now(alarm: AlarmName, since: Timestamp, delivery: Result<&u32, &str>) -> (Verdict, Reasons) {
    match delivery {
        Ok(number) if *number < DELIVERIES => (
            Verdict::LookAgain,
            Reason::AlreadyUndone { alarm, by: UndoneBy::BelayRightNow { since } }.into(),
        ),
        Ok(_) | Err(_) => {
            let what = "whether the release is really being taken back".to_owned();
            let why = format!("another invocation claimed it at {since:.0} and has not said that it is done");
            (Verdict::Ask, Reason::CouldNotLearn { what, why }.into())
        }
    }
}

fn calm(reason: Reason) -> (Verdict, Reasons) {
    (Verdict::Notify(Urgency::Calm), reason.into())
}

fn loud(reason: Reason) -> (Verdict, Reasons) {
    (Verdict::Notify(Urgency::Loud), reason.into())
}

fn signed(duration: std::time::Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}
