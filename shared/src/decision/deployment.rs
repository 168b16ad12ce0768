//! A deployment began or ended: what its record says, and what people are told.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::{
    decision::{Decision, Subject, Urgency, Verdict, could_not_learn},
    evidence::{DeploymentEvidence, Observed, Target},
    ledger::{Began, EffectState, Ended, RecordedState},
    policy::{Policy, Service},
    reason::{Reason, Reasons},
    release::{Deployment, DeploymentStatus, Phase},
    signal::{AlarmState, DeploymentChange, DeploymentHappening},
};

/// A decision about a deployment event, and what the ledger is to remember of the release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// What is to happen.
    pub decision: Decision,
    /// How the release began, if this event says so.
    pub began: Option<Began>,
    /// How it ended, if this event says so.
    pub ended: Option<Ended>,
}

/// The service whose release a deployment event is about, if it needs looking at: the policy guards its
/// group, and the event says that it began or ended.
pub fn needs_evidence<'a>(policy: &'a Policy, change: &DeploymentChange) -> Option<&'a Service> {
    match happening(change) {
        Happening::Nothing => None,
        Happening::Began | Happening::Ended => policy.deployed_by(&change.group),
    }
}

enum Happening {
    Began,
    Ended,
    Nothing,
}

fn happening(change: &DeploymentChange) -> Happening {
    if change.instance.is_some() {
        // One instance of many: the deployment's own event says what came of it.
        return Happening::Nothing;
    }
    match change.what {
        DeploymentHappening::Started => Happening::Began,
        DeploymentHappening::Succeeded | DeploymentHappening::Failed | DeploymentHappening::Stopped => {
            Happening::Ended
        }
        DeploymentHappening::Ready | DeploymentHappening::Queued => Happening::Nothing,
    }
}

/// Decides what a deployment's beginning or ending means.
pub fn decide(policy: &Policy, evidence: &DeploymentEvidence, change: &DeploymentChange) -> Judged {
    let Some(service) = policy.deployed_by(&change.group) else {
        return ignore(None, None, Reason::NotGuarded { group: change.group.clone() });
    };
    let deployment = match happening(change) {
        Happening::Nothing => {
            let reason = Reason::NothingToDo { what: change.what, instance: change.instance.clone() };
            return ignore(Some(service), None, reason);
        }
        Happening::Began | Happening::Ended => match &evidence.deployment {
            Observed::Known { value, .. } => value,
            Observed::Missing { why } => {
                let what = format!("what the deployment {} is", change.deployment);
                let (verdict, reasons) = could_not_learn(what, why, evidence.delivery.known());
                let service = Some(service.name.clone());
                let decision = Decision { service, release: None, verdict, reasons };
                return Judged { decision, began: None, ended: None };
            }
        },
    };
    if !deployment.is_release() {
        let reason = Reason::NotARelease { creator: deployment.creator.clone() };
        return ignore(Some(service), Some(deployment), reason);
    }
    match happening(change) {
        Happening::Began => began(service, deployment, evidence, change),
        Happening::Ended | Happening::Nothing => ended(service, deployment, evidence, change),
    }
}

fn began(
    service: &Service,
    deployment: &Deployment,
    evidence: &DeploymentEvidence,
    change: &DeploymentChange,
) -> Judged {
    let ended_already = evidence.ledger.known().is_ok_and(|ledger| ledger.ended.is_some());
    if ended_already || deployment.status.phase() == Phase::Over {
        // The alarms' states now are not those of the start: a record made of them would be a lie.
        let reason = Reason::StartCameLate { status: deployment.status.clone() };
        return ignore(Some(service), Some(deployment), reason);
    }
    let record = Began {
        service: service.name.clone(),
        group: deployment.group.clone(),
        platform: deployment.platform.clone(),
        revision: deployment.revision.to_string(),
        at: deployment.created_at,
        rolls_back: deployment.rolls_back.clone(),
        target: evidence.target.clone(),
        alarms: recorded(evidence, change.at),
    };
    let first = if deployment.is_rollback() {
        Reason::RollbackBegan { of: deployment.rolls_back.clone() }
    } else {
        match &evidence.target {
            Observed::Known { value, .. } => Reason::ReleaseBegan { target: value.clone() },
            Observed::Missing { why } => Reason::ReleaseBeganTargetUnknown { why: why.clone() },
        }
    };
    let mut rest = Vec::new();
    let watched = if deployment.is_rollback() {
        // The alarms that led to a rollback are red when it begins, and nothing is decided by them.
        &Observed::Known { value: BTreeMap::new(), at: change.at }
    } else {
        &evidence.alarms
    };
    match watched {
        Observed::Missing { why } => {
            rest.push(Reason::UnreadAtStart { alarm: "the watched alarms".to_owned(), why: why.clone() });
        }
        Observed::Known { value, .. } => {
            let (mut ok, mut red, mut without_data, mut unread) = (0, 0, 0, 0);
            for (alarm, watched) in value {
                match watched.state.known() {
                    Ok(AlarmState::Ok) => ok += 1,
                    Ok(AlarmState::InsufficientData) => without_data += 1,
                    Ok(AlarmState::Alarm) => {
                        red += 1;
                        rest.push(Reason::RedAtStart { alarm: alarm.clone() });
                    }
                    Err(why) => {
                        unread += 1;
                        let alarm = format!("the alarm {alarm}");
                        rest.push(Reason::UnreadAtStart { alarm, why: why.to_owned() });
                    }
                }
            }
            if !deployment.is_rollback() && !service.alarms.is_empty() {
                rest.insert(0, Reason::Watching { ok, red, without_data, unread });
            }
        }
    }
    let worth_waking = matches!(&evidence.target, Observed::Known { value: Target::KnownGood { .. }, .. })
        || deployment.is_rollback();
    let decision = Decision {
        service: Some(service.name.clone()),
        release: Some(Subject::of(deployment)),
        verdict: Verdict::Notify(if worth_waking { Urgency::Calm } else { Urgency::Loud }),
        reasons: Reasons::new(first, rest),
    };
    Judged { decision, began: Some(record), ended: None }
}

/// The alarms' states for the record: a state that changed after the release began is not the state it
/// began with, and is recorded as unknown.
fn recorded(
    evidence: &DeploymentEvidence,
    began: Timestamp,
) -> BTreeMap<crate::release::AlarmName, RecordedState> {
    let Ok(alarms) = evidence.alarms.known() else {
        return BTreeMap::new();
    };
    alarms
        .iter()
        .map(|(alarm, watched)| {
            let state = match (watched.state.known(), watched.since) {
                (Ok(state), Some(since)) if since <= began => RecordedState::Was(*state),
                (Ok(_), _) => RecordedState::Unknown {
                    why: "it changed, or may have changed, after the release began".to_owned(),
                },
                (Err(why), _) => RecordedState::Unknown { why: why.to_owned() },
            };
            (alarm.clone(), state)
        })
        .collect()
}

fn ended(
    service: &Service,
    deployment: &Deployment,
    evidence: &DeploymentEvidence,
    change: &DeploymentChange,
) -> Judged {
    let status = match change.what {
        DeploymentHappening::Succeeded => DeploymentStatus::Succeeded,
        DeploymentHappening::Failed => DeploymentStatus::Failed,
        DeploymentHappening::Stopped
        | DeploymentHappening::Started
        | DeploymentHappening::Ready
        | DeploymentHappening::Queued => DeploymentStatus::Stopped,
    };
    let at = deployment.completed_at.unwrap_or(change.at);
    let first = Reason::ReleaseEnded {
        status: status.clone(),
        took: Some(at.duration_since(deployment.created_at)),
        error: deployment.error.as_ref().map(|error| (error.code.clone(), error.message.clone())),
    };
    let well = status == DeploymentStatus::Succeeded;
    let mut rest = Vec::new();
    let mut urgency = Urgency::Calm;
    let undo = evidence.ledger.known().ok().and_then(|ledger| ledger.undo.as_ref());
    if let Some(undo) = undo
        && !well
        && (undo.state == EffectState::Done
            || deployment.error.as_ref().is_some_and(|error| error.code == "MANUAL_STOP"))
    {
        rest.push(Reason::BelayAskedForIt { at: undo.at });
    }
    if let Some(rollback) = &deployment.rolled_back_by {
        rest.push(Reason::DeployerRollsBack { rollback: rollback.clone() });
    } else if !well {
        rest.push(Reason::NoRollbackStarted);
        urgency = Urgency::Loud;
    } else if deployment.is_rollback() {
        rest.push(Reason::RollbackDone { of: deployment.rolls_back.clone() });
    } else {
        let watch = SignedDuration::try_from(service.watch_for).unwrap_or(SignedDuration::MAX);
        rest.push(Reason::StaysOnWatch { until: at.checked_add(watch).unwrap_or(Timestamp::MAX) });
    }
    let decision = Decision {
        service: Some(service.name.clone()),
        release: Some(Subject::of(deployment)),
        verdict: Verdict::Notify(urgency),
        reasons: Reasons::new(first, rest),
    };
    Judged {
        decision,
        began: None,
        ended: Some(Ended {
            status,
            at,
            error: deployment.error.clone(),
            rolled_back_by: deployment.rolled_back_by.clone(),
        }),
    }
}

fn ignore(service: Option<&Service>, release: Option<&Deployment>, reason: Reason) -> Judged {
    let decision = Decision {
        service: service.map(|service| service.name.clone()),
        release: release.map(Subject::of),
        verdict: Verdict::Ignore,
        reasons: reason.into(),
    };
    Judged { decision, began: None, ended: None }
}
