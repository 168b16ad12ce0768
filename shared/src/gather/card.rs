//! What is known of a release, for its card.

use jiff::{SignedDuration, Timestamp};

use super::{group::traffic, release::alarms};
use crate::{
    aws::{Adapters, AwsError},
    decision::{Effect, approval::not_begun},
    evidence::{CardFacts, Observed},
    ledger::{EffectState, ReleaseLedger, Watch},
    message::OnCard,
    policy::Policy,
    release::{Change, Phase, Place, Release, ReleaseId, ReleaseStatus, Stage},
    signal::{ReleaseChange, ReleaseHappening},
};

/// Gathers what a card shows: one ledger query, the release, the watched alarms, of one that runs its traffic, of one
/// that is taken back the release that does it.
///
/// # Errors
/// When the ledger does not tell: a card that forgot half of its story would be worse than an old one.
pub async fn gather(
    adapters: &Adapters,
    policy: &Policy,
    card: &OnCard,
    now: Timestamp,
) -> Result<CardFacts, AwsError> {
    let Some(service) = policy.service(&card.service) else {
        let why = "the policy has no such service any more";
        return Err(AwsError::unreadable("belay:show", &card.service, why));
    };
    let (ledger, release, alarms) = tokio::join!(
        adapters.ledger.release(&card.release, now),
        release(adapters, card, now),
        alarms(adapters, service, now),
    );
    let ledger = ledger?;
    let runs = release.known().is_ok_and(|release| release.status.phase() == Phase::Running);
    let by = release.known().ok().and_then(|release| release.rolled_back_by.clone());
    let by = by.or_else(|| ledger.goes_back_by.clone());
    let (rollback, traffic) = tokio::join!(
        async {
            match (&card.place, by) {
                (Place::Group(_), Some(by)) => adapters.codedeploy.deployment(&by).await.ok(),
                (Place::Group(_), None) => None,
                (Place::Stage(stage), _) => stage_rollback(adapters, stage, &ledger).await,
            }
        },
        async {
            match &card.place {
                Place::Group(_) if runs => traffic(adapters, &card.release, now).await,
                Place::Group(_) | Place::Stage(_) => {
                    Observed::Missing { why: "nothing is being shifted".to_owned() }
                }
            }
        },
    );
    Ok(CardFacts {
        service: service.clone(),
        id: card.release.clone(),
        place: card.place.clone(),
        release,
        ledger,
        rollback,
        alarms: Observed::from_result(alarms, now),
        traffic,
    })
}

/// The execution by which a stage is rolled back, if Belay asked for it and CodePipeline shows it.
pub async fn stage_rollback(adapters: &Adapters, stage: &Stage, ledger: &ReleaseLedger) -> Option<Release> {
    let done = [&ledger.undo, &ledger.redeploy].into_iter().flatten();
    let mut done = done.filter(|undo| undo.state == EffectState::Done);
    let (undo, target) = done.find_map(|undo| match &undo.effect {
        Some(Effect::RollBackStage { target, .. }) => Some((undo, target)),
        _ => None,
    })?;
    let all = adapters.codepipeline.executions(&stage.pipeline).await.ok()?;
    let mut after =
        all.into_iter().filter(|one| one.rollback && one.rollback_target.as_ref() == Some(target));
    let before = undo.at.checked_sub(SignedDuration::from_mins(2)).unwrap_or(undo.at);
    // The list is the newest first; the rollback may have begun seconds before its claim was marked done.
    let found = after.find(|one| one.started >= before)?;
    let watch = Watch {
        release: ReleaseId::of_stage(&stage.stage, &found.id),
        service: "".into(),
        place: Place::Stage(stage.clone()),
        began: found.started,
    };
    let status = match found.status.as_str() {
        "Succeeded" => ReleaseStatus::Succeeded,
        "Failed" => ReleaseStatus::Failed,
        "Stopped" | "Cancelled" | "Superseded" => ReleaseStatus::Stopped,
        _ => ReleaseStatus::InProgress,
    };
    Some(Release { status, ..not_begun(&watch, Change::default(), found.revision) })
}

/// How much of the traffic a release gets.
pub async fn traffic_of(adapters: &Adapters, release: &ReleaseId, now: Timestamp) -> Observed<u8> {
    traffic(adapters, release, now).await
}

async fn release(adapters: &Adapters, card: &OnCard, now: Timestamp) -> Observed<Release> {
    match &card.place {
        Place::Group(_) => Observed::from_result(adapters.codedeploy.deployment(&card.release).await, now),
        Place::Stage(stage) => Box::pin(in_stage(adapters, stage, &card.release, now)).await,
    }
}

/// An execution in a stage; one that has not got there, or never will, is described by what the pipeline knows of it.
pub async fn in_stage(
    adapters: &Adapters,
    stage: &Stage,
    release: &ReleaseId,
    now: Timestamp,
) -> Observed<Release> {
    let place = Place::Stage(stage.clone());
    let change = ReleaseChange {
        deployment: release.clone(),
        place: place.clone(),
        what: ReleaseHappening::Started,
        instance: None,
        account: None,
        region: None,
        at: now,
    };
    let told = Box::pin(super::execution::told(adapters, stage, &change, now)).await.release;
    match told {
        Observed::Known { .. } => told,
        Observed::Missing { .. } => not_there(adapters, stage, release, now).await.unwrap_or(told),
    }
}

/// An execution of which no action has begun in a stage. None if one has, or if that is not known.
async fn not_there(
    adapters: &Adapters,
    stage: &Stage,
    release: &ReleaseId,
    now: Timestamp,
) -> Option<Observed<Release>> {
    let execution = release.execution()?;
    let (all, runs, structure, stages) = tokio::join!(
        adapters.codepipeline.executions_since(&stage.pipeline, execution),
        adapters.codepipeline.actions(&stage.pipeline, execution),
        adapters.codepipeline.structure(&stage.pipeline),
        adapters.codepipeline.stages(&stage.pipeline),
    );
    // A pipeline that was deleted takes its executions with it: nothing more comes of this one.
    if all.as_ref().is_err_and(|error| error.code.as_deref() == Some("PipelineNotFoundException")) {
        let place = Place::Stage(stage.clone());
        let watch = Watch { release: release.clone(), service: "".into(), place, began: now };
        let gone = not_begun(&watch, Change::default(), None);
        return Some(Observed::Known { value: Release { status: ReleaseStatus::Stopped, ..gone }, at: now });
    }
    let (all, runs) = (all.ok()?, runs.ok()?);
    if runs.iter().any(|run| run.stage == stage.stage) {
        return None;
    }
    let summary = all.iter().find(|one| one.id == execution)?;
    // Without its stages it is still a release.
    let course = structure.ok().zip(stages.ok()).map(|(structure, stages)| {
        super::execution::course(&stage.pipeline, &structure.stages, &stages, &runs, summary, &all)
    });
    let place = Place::Stage(stage.clone());
    let watch = Watch { release: release.clone(), service: "".into(), place, began: summary.started };
    let change = super::execution::change(&runs, Some(summary));
    let mut value = Release { course, ..not_begun(&watch, change, summary.revision.clone()) };
    if !matches!(summary.status.as_str(), "InProgress" | "Stopping") {
        // Rejected, superseded or stopped before it got there. It never began there, so that it has no end either.
        value.status = ReleaseStatus::Stopped;
    }
    Some(Observed::Known { value, at: now })
}
