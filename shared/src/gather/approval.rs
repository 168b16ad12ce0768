//! What is known when a person has answered.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use jiff::Timestamp;
use tracing::warn;

use super::{
    Looked,
    card::in_stage,
    inquiry::failed_action,
    way_back::{Spec, spec},
};
use crate::{
    approval::Choice,
    aws::{Adapters, AwsError, codepipeline::ApprovalState},
    cause::Cause,
    diagnosis::{Failure, explain},
    evidence::{ApprovalEvidence, Elsewhere, Observed, PlaceEvidence},
    ledger::{About, Offer, PipelineApproval, ReleaseLedger},
    policy::Service,
    release::{Change, Place, Release, ReleaseId, Stage, requested_by},
    signal::{ManualChange, ManualHappening},
};

/// Gathers what an answer turns on: where something is to be done to a release, what is released there now; else only
/// the release itself. `ledger` is what the ledger holds of the release.
pub async fn gather(
    adapters: &Adapters,
    offer: &Offer,
    ledger: &ReleaseLedger,
    now: Timestamp,
) -> ApprovalEvidence {
    let delivery = Observed::Known { value: 1, at: now };
    match &offer.about {
        About::Question(_) | About::Release => {
            let place = at_place(adapters, &offer.place, &offer.release, ledger, now).await;
            let unasked = "it was not asked for".to_owned();
            ApprovalEvidence { place: Some(place), release: Observed::Missing { why: unasked }, delivery }
        }
        About::Hook { .. } | About::Pipeline(_) => {
            let release = match &offer.place {
                Place::Group(_) => {
                    Observed::from_result(adapters.codedeploy.deployment(&offer.release).await, now)
                }
                Place::Stage(stage) => in_stage(adapters, stage, &offer.release, now).await,
            };
            ApprovalEvidence { place: None, release, delivery }
        }
    }
}

/// The change that an answer would let go on, and who wanted it: read anew, and whole or not at all. What CodeDeploy
/// deploys for a pipeline that the service names as well is the pipeline's change: CodeDeploy does not say who wrote it.
///
/// # Errors
/// When any part of it cannot be read.
pub async fn wanted(
    adapters: &Adapters,
    service: Option<&Service>,
    offer: &Offer,
) -> Result<Change, AwsError> {
    match &offer.place {
        Place::Group(group) => {
            let deployment = adapters.codedeploy.deployment(&offer.release).await?;
            let mut change = deployment.change.clone();
            let (spec, by_pipelines) = tokio::join!(
                spec(adapters, group, &deployment.revision),
                wanted_by_pipelines(adapters, service, &deployment),
            );
            match spec {
                Spec::Text(text) => change.requested_by.extend(requested_by(&text)),
                Spec::None => {}
                Spec::Unread(error) => return Err(error),
            }
            change.requested_by.extend(by_pipelines?);
            Ok(change)
        }
        Place::Stage(stage) => {
            let unnamed = || AwsError::unreadable("belay:gather", &offer.release, "it names no execution");
            let execution = offer.release.execution().ok_or_else(unnamed)?;
            brought(adapters, &stage.pipeline, execution).await
        }
    }
}

/// Who wanted what a deployment deploys, by the executions that made it, of the pipelines which the service names.
async fn wanted_by_pipelines(
    adapters: &Adapters,
    service: Option<&Service>,
    deployment: &Release,
) -> Result<Vec<String>, AwsError> {
    let places = service.into_iter().flat_map(|service| &service.deployed_by);
    let pipelines: BTreeSet<&str> = places
        .filter_map(|place| match place {
            Place::Stage(stage) => Some(stage.pipeline.as_str()),
            Place::Group(_) => None,
        })
        .collect();
    let mut all = Vec::new();
    for pipeline in pipelines {
        let maker = adapters.codepipeline.maker(pipeline, &deployment.id, deployment.created_at).await?;
        if let Some(execution) = maker {
            all.extend(brought(adapters, pipeline, &execution).await?.requested_by);
        }
    }
    Ok(all)
}

/// The change that an execution brings.
///
/// # Errors
/// When any part of it cannot be read.
async fn brought(adapters: &Adapters, pipeline: &str, execution: &str) -> Result<Change, AwsError> {
    let (all, runs) = tokio::join!(
        adapters.codepipeline.executions_since(pipeline, execution),
        adapters.codepipeline.actions(pipeline, execution),
    );
    let (all, runs) = (all?, runs?);
    let summary = all.iter().find(|one| one.id == execution).ok_or_else(|| {
        let why = "the pipeline does not list the execution, so that nobody knows who started it";
        AwsError::unreadable("codepipeline:ListPipelineExecutions", execution, why)
    })?;
    Ok(super::execution::change(&runs, Some(summary)))
}

/// A release of a pipeline, also one that waits before its stage has begun.
pub async fn waiting(
    adapters: &Adapters,
    stage: &Stage,
    release: &ReleaseId,
    now: Timestamp,
) -> Observed<Release> {
    in_stage(adapters, stage, release, now).await
}

/// What CodePipeline tells of a manual approval that has come to its end: who answered, and why it was not given. What it
/// does not tell keeps nobody from hearing of the end.
pub async fn elsewhere(adapters: &Adapters, change: &ManualChange, now: Timestamp) -> Elsewhere {
    let PipelineApproval { stage, action, execution } = &change.approval;
    let (state, cause) = tokio::join!(adapters.codepipeline.approval(stage, action, execution), async {
        match change.what {
            ManualHappening::Failed => cause(adapters, change, now).await,
            ManualHappening::Waits | ManualHappening::Approved | ManualHappening::Gone => None,
        }
    });
    let (by, words) = match state {
        Ok(ApprovalState::Answered { by, summary, .. }) => (by, summary),
        Ok(ApprovalState::Waiting { .. } | ApprovalState::Gone) => (None, None),
        Err(error) => {
            // Then the cause is not known either: that nobody answered, and that somebody did, are told apart by who did.
            warn!(%error, "who answered is not known");
            return Elsewhere::default();
        }
    };
    Elsewhere { by, words, cause }
}

/// Why an approval failed, by the very run of it.
async fn cause(adapters: &Adapters, change: &ManualChange, now: Timestamp) -> Option<Cause> {
    let PipelineApproval { stage, execution, .. } = &change.approval;
    let runs = adapters.codepipeline.actions(&stage.pipeline, execution).await;
    let runs = runs.inspect_err(|error| warn!(%error, "why an approval was not given is not known")).ok()?;
    // A list that is behind the event tells nothing yet.
    let failed = runs.iter().find(|run| {
        run.detail.id.as_ref() == Some(&change.run) && run.status == "Failed" && run.is_approval()
    })?;
    Some(explain(&Failure { action: failed_action(failed, now), learnt: Vec::new() }))
}

/// A place, as far as people's answers turn on it: no alarm is concerned.
pub async fn at_place(
    adapters: &Adapters,
    place: &Place,
    release: &ReleaseId,
    ledger: &ReleaseLedger,
    now: Timestamp,
) -> PlaceEvidence {
    let standing = Looked::about(release).at(adapters, place, now).await;
    // The ledger that is known is that of the release which was answered about; of another one nothing is asked.
    let same = standing
        .latest
        .known()
        .is_ok_and(|latest| latest.as_ref().is_some_and(|latest| latest.id == *release));
    let unasked = || "no alarm is concerned".to_owned();
    PlaceEvidence {
        place: place.clone(),
        latest: standing.latest,
        back: standing.back,
        marked: standing.marked,
        ledger: if same {
            Observed::Known { value: ledger.clone(), at: now }
        } else {
            Observed::Missing { why: "another release is there now".to_owned() }
        },
        earlier: Observed::Missing { why: unasked() },
        past: Observed::Missing { why: unasked() },
        flaps: Observed::Missing { why: unasked() },
        taken_back: Observed::Missing { why: unasked() },
        next_stage: standing.next_stage,
        within: standing.within,
        deploys_to: standing.deploys_to,
        traffic: standing.traffic,
    }
}

/// The latest release of a service in each of its places, with what the ledger holds of it; and each place of which that
/// cannot be read, with the reason. Which one is the latest goes with what somebody wants to do, and whether they named one:
/// what is rolled back is what users have, and what is halted is on its way, also if it only waits for an approval.
pub async fn current(
    adapters: &Adapters,
    service: &Service,
    (choice, named): (Choice, Option<&ReleaseId>),
    now: Timestamp,
) -> (Vec<(Release, ReleaseLedger)>, Vec<(Place, String)>) {
    let looked = match (named, choice) {
        (Some(named), _) => Looked::about(named),
        (None, Choice::RollBack) => Looked::default(),
        (
            None,
            Choice::Halt | Choice::Keep | Choice::Extend | Choice::Approve | Choice::Reject | Choice::Retry,
        ) => Looked::at_what_waits(),
    };
    let found = join_all(service.deployed_by.iter().map(async |place| {
        let standing = looked.at(adapters, place, now).await;
        let unread = |why: String| (place.clone(), why);
        let Some(release) = standing.latest.known().map_err(|why| unread(why.to_owned()))? else {
            return Ok(None);
        };
        let ledger = adapters.ledger.release(&release.id, now).await;
        Ok(Some((release.clone(), ledger.map_err(|error| unread(error.to_string()))?)))
    }))
    .await;
    let (mut releases, mut unread) = (Vec::new(), Vec::new());
    for found in found {
        match found {
            Ok(release) => releases.extend(release),
            Err(place) => unread.push(place),
        }
    }
    (releases, unread)
}
