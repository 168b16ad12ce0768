//! A deployment began or ended: what its record says, and what people are told.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::sweep::REST_FOR;
use crate::{
    decision::{self, Decision, Urgency, Verdict, could_not_learn},
    evidence::{Back, Observed, ReleaseEvidence, Remains, Rest, Target, Way},
    ledger::{Began, Effect, EffectState, Ended, Half, RecordedState},
    policy::{Mode, Policy, Service},
    reason::{Reason, Reasons},
    release::{Phase, Place, Platform, Release, ReleaseId, ReleaseStatus, ServiceName},
    signal::{AlarmState, ReleaseChange, ReleaseHappening},
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
pub fn needs_evidence<'a>(policy: &'a Policy, change: &ReleaseChange) -> Option<&'a Service> {
    match happening(change) {
        Happening::Nothing => None,
        Happening::Began | Happening::Ended => policy.deployed_by(&change.place),
    }
}

enum Happening {
    Began,
    Ended,
    Nothing,
}

fn happening(change: &ReleaseChange) -> Happening {
    if change.instance.is_some() {
        // One instance of many: the deployment's own event says what came of it.
        return Happening::Nothing;
    }
    match change.what {
        ReleaseHappening::Started => Happening::Began,
        ReleaseHappening::Succeeded | ReleaseHappening::Failed | ReleaseHappening::Stopped => {
            Happening::Ended
        }
        ReleaseHappening::Ready | ReleaseHappening::Queued | ReleaseHappening::Stopping => Happening::Nothing,
    }
}

/// Decides what a deployment's beginning or ending means.
pub fn decide(policy: &Policy, evidence: &ReleaseEvidence, change: &ReleaseChange) -> Judged {
    let Some(service) = policy.deployed_by(&change.place) else {
        return ignore(None, None, Reason::NotGuarded { place: change.place.clone() });
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
                let decision = Decision::plain(Some(&service.name), None, verdict, reasons);
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
    deployment: &Release,
    evidence: &ReleaseEvidence,
    change: &ReleaseChange,
) -> Judged {
    let ended_already = evidence.ledger.known().is_ok_and(|ledger| ledger.ended.is_some());
    if ended_already || deployment.status.phase() == Phase::Over {
        // The alarms' states now are not those of the start: a record made of them would be a lie.
        let reason = Reason::StartCameLate { status: deployment.status.clone() };
        return ignore(Some(service), Some(deployment), reason);
    }
    let record = Began {
        service: service.name.clone(),
        place: deployment.place.clone(),
        platform: deployment.platform.clone(),
        revision: deployment.revision.to_string(),
        at: deployment.created_at,
        rolls_back: deployment.rolls_back.clone(),
        target: evidence.target.clone(),
        alarms: recorded(evidence, change.at),
        change: deployment.change.clone(),
    };
    let mut rest = Vec::new();
    let mut kept = false;
    let first = if deployment.is_rollback() {
        Reason::RollbackBegan { of: deployment.rolls_back.clone() }
    } else {
        match (evidence.marked.known(), &evidence.target) {
            (Ok(Some(why)), _) => {
                kept = true;
                Reason::MarkedNoRollback { why: why.clone() }
            }
            (Err(why), _) => {
                kept = true;
                Reason::ReleaseBeganTargetUnknown { why: why.to_owned() }
            }
            (Ok(None), Observed::Known { value, .. }) => Reason::ReleaseBegan { target: value.clone() },
            (Ok(None), Observed::Missing { why }) => Reason::ReleaseBeganTargetUnknown { why: why.clone() },
        }
    };
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
    let can_go_back = matches!(&evidence.target, Observed::Known { value: Target::KnownGood { .. }, .. })
        || deployment.is_rollback();
    let urgency = if can_go_back && !kept { Urgency::Calm } else { Urgency::Loud };
    let reasons = Reasons::new(first, rest);
    let decision = Decision::plain(Some(&service.name), Some(deployment), Verdict::Notify(urgency), reasons);
    Judged { decision, began: Some(record), ended: None }
}

/// The alarms' states for the record: a state that changed after the release began is not the state it
/// began with, and is recorded as unknown.
fn recorded(
    evidence: &ReleaseEvidence,
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
    deployment: &Release,
    evidence: &ReleaseEvidence,
    change: &ReleaseChange,
) -> Judged {
    let status = match change.what {
        ReleaseHappening::Succeeded => ReleaseStatus::Succeeded,
        ReleaseHappening::Failed => ReleaseStatus::Failed,
        ReleaseHappening::Stopped
        | ReleaseHappening::Started
        | ReleaseHappening::Ready
        | ReleaseHappening::Queued
        | ReleaseHappening::Stopping => ReleaseStatus::Stopped,
    };
    let at = deployment.completed_at.unwrap_or(change.at);
    let first = Reason::ReleaseEnded {
        status: status.clone(),
        took: Some(at.duration_since(deployment.created_at)),
        error: deployment.error.as_ref().map(|error| (error.code.clone(), error.message.clone())),
    };
    let well = status == ReleaseStatus::Succeeded;
    let mut rest = Vec::new();
    rest.extend(evidence.cause.clone().map(|cause| Reason::Because { cause: Box::new(cause) }));
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
        let takes_back = undo.and_then(|undo| undo.effect.as_ref()).map(decision::Effect::takes_back);
        match (&deployment.place, takes_back) {
            (Place::Group(_), Some(true) | None) => rest.push(Reason::NoRollbackStarted),
            (Place::Group(_), Some(false)) | (Place::Stage(_), Some(false) | None) => {
                rest.push(Reason::LeftAsItIs);
            }
            // The stage runs again as before.
            (Place::Stage(_), Some(true)) => {}
        }
        urgency = Urgency::Loud;
    } else if deployment.is_rollback() {
        rest.push(Reason::RollbackDone { of: deployment.rolls_back.clone() });
    } else {
        let watch = SignedDuration::try_from(service.watch_for).unwrap_or(SignedDuration::MAX);
        rest.push(Reason::StaysOnWatch { until: at.checked_add(watch).unwrap_or(Timestamp::MAX) });
    }
    let reasons = Reasons::new(first, rest);
    // Why a stage failed is a message of its own (`decision::pipeline`): this one would only announce it.
    let explained = status == ReleaseStatus::Failed
        && matches!(deployment.place, Place::Stage(_))
        && undo.is_none()
        && deployment.rolled_back_by.is_none();
    let verdict = if explained { Verdict::Ignore } else { Verdict::Notify(urgency) };
    let decision = Decision::plain(Some(&service.name), Some(deployment), verdict, reasons);
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

/// Decides about an undo that was claimed and never finished: what was decided is carried out. Whoever takes the
/// claim over looks first whether it happened.
pub fn unfinished(policy: &Policy, release: &Release, undo: &Effect, half: Half) -> Decision {
    let effect = undo.effect.clone().unwrap_or(decision::Effect::Stop {
        // Records of version 1 knew only stopping.
        auto_rollback: undo.verdict == Verdict::RollBack,
    });
    let service = policy.deployed_by(&release.place);
    acting(service, release, (undo.verdict, undo.reasons.clone()), (effect, half))
}

/// Something is done to a release, unless its owners have its service only observed by now.
fn acting(
    service: Option<&Service>,
    release: &Release,
    (verdict, reasons): (Verdict, Reasons),
    (effect, half): (decision::Effect, Half),
) -> Decision {
    Decision {
        effect: Some(effect),
        half,
        observed: service.is_some_and(|service| service.mode == Mode::Observe),
        ..Decision::plain(service.map(|service| &service.name), Some(release), verdict, reasons)
    }
}

/// Decides about an undo that was claimed and never begun, of a release that has finished well since, and whose alarm has
/// nothing more to say: an alarm that is red still is judged anew, and takes back what has finished.
pub fn missed(policy: &Policy, release: &Release, undo: &Effect) -> Decision {
    let name = policy.deployed_by(&release.place).map(|service| &service.name);
    let reasons = Reasons::from(Reason::UndoMissed { decided: undo.at }).and(undo.reasons.clone());
    Decision::plain(name, Some(release), Verdict::Notify(Urgency::Loud), reasons)
}

/// How long after its end a stopped release is given for the rollback that CodeDeploy was asked for.
pub const ROLLBACK_FOLLOWS: SignedDuration = SignedDuration::from_secs(60);

/// How long after that people are not told yet that the way back cannot be read: what CodeDeploy does not say in one
/// minute, it says in the next.
const WAY_BACK_UNREAD: SignedDuration = SignedDuration::from_secs(180);

/// Decides about a release that CodeDeploy stopped on Belay's request and did not take back, although it was to: what
/// ran before is deployed again, where that can work. Where the way back cannot be read, every minute looks again; that is
/// told once it has lasted.
pub fn no_rollback_followed(
    policy: &Policy,
    release: &Release,
    back: &Observed<Back>,
    now: Timestamp,
) -> Decision {
    let service = policy.deployed_by(&release.place);
    let name = service.map(|service| &service.name);
    let ago = now.duration_since(release.completed_at.unwrap_or(now));
    let first = Reason::NoRollbackFollowed { ago };
    let loud = |second: Reason| {
        let reasons = Reasons::new(first.clone(), vec![second]);
        Decision::plain(name, Some(release), Verdict::Notify(Urgency::Loud), reasons)
    };
    match (&release.platform, back.known()) {
        // The alias is left split over two versions, and every deployment fails until it is not (CodeDeploy User
        // Guide, "Troubleshoot Lambda deployment issues").
        (Platform::Lambda, _) if release.status != ReleaseStatus::Succeeded => {
            let why = "its alias is left split over two versions, which makes every new deployment fail.";
            loud(Reason::NoGoodTarget { why: why.to_owned() })
        }
        (_, Err(why)) => {
            let what = format!("what {} could go back to", release.id);
            let unknown = Reason::CouldNotLearn { what, why: why.to_owned() };
            if ago < ROLLBACK_FOLLOWS + WAY_BACK_UNREAD {
                let reasons = Reasons::new(first, vec![unknown]);
                return Decision::plain(name, Some(release), Verdict::LookAgain, reasons);
            }
            loud(unknown)
        }
        (_, Ok(Back::Nowhere { why } | Back::Later { why })) => {
            loud(Reason::NoGoodTarget { why: why.clone() })
        }
        (_, Ok(Back::To { way, .. })) => {
            let decided = (Verdict::RollBack, first.into());
            acting(service, release, decided, (way.clone().into(), Half::Second))
        }
    }
}

/// The key of the message that a release of a stage is taken back whole, after what ran of it had been stopped.
pub fn all_back(service: &ServiceName, release: &ReleaseId) -> String {
    format!("{service}/all-back/{release}")
}

/// What is left of a stage in which everything that ran was stopped: whether anything of it still runs or is still on its way
/// back, and the actions whose deployments still have the release.
pub fn left_of(rest: &[Rest], now: Timestamp) -> (bool, Vec<String>) {
    let (mut moves, mut actions) = (false, Vec::new());
    for one in rest {
        let (action, its) = match one {
            Rest::Deployed { action, deployment, rollback } => {
                (action, after_stop(deployment, rollback.as_deref(), now))
            }
            // One that failed may have deployed all the same: nobody else takes it back.
            Rest::Otherwise { action, runs } => (action, if *runs { After::Moves } else { After::Deployed }),
        };
        moves |= its == After::Moves;
        actions.extend((its == After::Deployed).then(|| action.clone()));
    }
    actions.sort_unstable();
    actions.dedup();
    (moves, actions)
}

/// Where something that a stopped stage deployed stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum After {
    /// It runs, or is on its way back.
    Moves,
    /// It was taken back.
    Back,
    /// It is what users have.
    Deployed,
}

fn after_stop(deployment: &Release, rollback: Option<&Release>, now: Timestamp) -> After {
    // Of one that was stopped a moment ago, CodeDeploy may not name the rollback yet.
    let fresh = deployment.completed_at.is_none_or(|ended| now.duration_since(ended) < ROLLBACK_FOLLOWS);
    match (deployment.status.phase(), rollback.map(|rollback| &rollback.status)) {
        (_, Some(ReleaseStatus::Succeeded)) => After::Back,
        (_, Some(status)) if status.phase() != Phase::Over => After::Moves,
        (Phase::Running | Phase::Unknown, None) => After::Moves,
        (Phase::Over, None) if deployment.status != ReleaseStatus::Succeeded && fresh => After::Moves,
        (_, Some(_) | None) => After::Deployed,
    }
}

/// Decides about a stage in which everything that ran was stopped, and that is no release any more: none while something of it
/// is on its way. What had been deployed before, or was not taken back, goes back with the stage.
pub fn rest_of_stage(
    policy: &Policy,
    release: &Release,
    remains: &Observed<Remains>,
    now: Timestamp,
) -> Option<Decision> {
    let service = policy.deployed_by(&release.place);
    let name = service.map(|service| &service.name);
    let ago = now.duration_since(release.completed_at.unwrap_or(now));
    let loud = |reasons: Reasons| {
        Some(Decision::plain(name, Some(release), Verdict::Notify(Urgency::Loud), reasons))
    };
    let unread = |what: String, why: &str| {
        let reasons: Reasons = Reason::CouldNotLearn { what, why: why.to_owned() }.into();
        if ago < ROLLBACK_FOLLOWS + WAY_BACK_UNREAD {
            return Some(Decision::plain(name, Some(release), Verdict::LookAgain, reasons));
        }
        loud(reasons)
    };
    let remains = match remains.known() {
        Err(why) => return unread(format!("what of {} is still deployed", release.id), why),
        // It takes that long: somebody has to look, while it is looked after still.
        Ok(remains) if remains.moves && ago > REST_FOR - SignedDuration::from_mins(30) => {
            let why = "something of it still runs, or is on its way back";
            return unread(format!("whether all of {} goes back", release.id), why);
        }
        Ok(remains) if remains.moves => return None,
        Ok(remains) => remains,
    };
    if remains.actions.is_empty() {
        let reason = Reason::RollbackDone { of: Some(release.id.clone()) };
        return Some(Decision::plain(name, Some(release), Verdict::Notify(Urgency::Calm), reason.into()));
    }
    let first = Reason::StillDeployed { actions: remains.actions.clone() };
    if let Some(other) = &remains.followed {
        let why = format!(
            "{other} has been deployed there since, and a rollback of the stage would take that back as well."
        );
        return loud(Reasons::new(first, vec![Reason::NoGoodTarget { why }]));
    }
    match remains.back.known() {
        Err(why) => unread(format!("what {} could go back to", release.id), why),
        Ok(Back::Nowhere { why } | Back::Later { why }) => {
            loud(Reasons::new(first, vec![Reason::NoGoodTarget { why: why.clone() }]))
        }
        Ok(Back::To { way: way @ Way::RollBackStage { running: None, .. }, .. }) => {
            let decided = (Verdict::RollBack, first.into());
            Some(acting(service, release, decided, (way.clone().into(), Half::Second)))
        }
        // It runs, by whatever: what that is, the next minute sees.
        Ok(Back::To { .. }) => None,
    }
}

fn ignore(service: Option<&Service>, release: Option<&Release>, reason: Reason) -> Judged {
    let service = service.map(|service| &service.name);
    let decision = Decision::plain(service, release, Verdict::Ignore, reason.into());
    Judged { decision, began: None, ended: None }
}
