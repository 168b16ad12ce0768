//! What is known of a pipeline's stage: which execution users have there, and the way back from it.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{
    execution::{Entered, Seen},
    group::Standing,
};
use crate::{
    aws::{
        Adapters, AwsError,
        codedeploy::UNKNOWN,
        codepipeline::{ExecutionSummary, StageNow, StageStatus, Structure},
    },
    evidence::{Back, Observed, Way},
    release::{DeploymentGroup, Release, ReleaseId, Stage},
};

/// How many executions before one that waits are looked at for the one that users have: others may have waited, and been
/// superseded.
const EARLIER: usize = 20;

/// Whether an execution is looked at that has released nothing in its stage, because it waits there for an approval or was
/// not let in.
#[derive(Clone, Debug, Default)]
pub(super) enum Waiting {
    /// What users have is looked at in its place.
    #[default]
    PassedOver,
    /// It is.
    LookedAt,
    /// It is if it is this one.
    If(ReleaseId),
}

impl Waiting {
    fn is_looked_at(&self, place: &Stage, execution: &str) -> bool {
        match self {
            Self::PassedOver => false,
            Self::LookedAt => true,
            Self::If(release) => *release == ReleaseId::of_stage(&place.stage, execution),
        }
    }
}

/// The stage now: GetPipelineState and GetPipeline, then ListActionExecutions of the execution that is in it and
/// ListPipelineExecutions, which names the ones that it could go back to.
///
/// Where that execution has released nothing there, the one before it is what users have, and is described in its place,
/// unless `waiting` says otherwise.
pub(super) async fn stage(adapters: &Adapters, place: &Stage, waiting: &Waiting, now: Timestamp) -> Standing {
    let pipelines = &adapters.codepipeline;
    let (stages, structure) =
        tokio::join!(pipelines.stages(&place.pipeline), pipelines.structure(&place.pipeline));
    let missing = |error: &AwsError| Standing {
        latest: Observed::Missing { why: error.to_string() },
        back: Observed::Missing { why: error.to_string() },
        marked: Observed::Missing { why: error.to_string() },
        traffic: Observed::Missing { why: "a stage does not say".to_owned() },
        next_stage: None,
        within: Vec::new(),
        deploys_to: Vec::new(),
    };
    let (stages, structure) = match (stages, structure) {
        (Err(error), _) | (_, Err(error)) => return missing(&error),
        (Ok(stages), Ok(structure)) => (stages, structure),
    };
    let next_stage = next(&structure, &place.stage);
    let Some(found) = stages.iter().find(|stage| stage.name == place.stage).cloned() else {
        let operation = "codepipeline:GetPipelineState";
        return missing(&AwsError::unreadable(operation, place, "the pipeline has no such stage"));
    };
    if structure.parallel {
        let operation = "codepipeline:GetPipelineState";
        let why = "its pipeline runs in PARALLEL mode, in which CodePipeline does not say what is in a stage (a policy that names its deployment group alone has that judged)";
        return missing(&AwsError::unreadable(operation, place, why));
    }
    let nothing = |next_stage| Standing {
        latest: Observed::Known { value: None, at: now },
        back: Observed::Known {
            value: Back::Nowhere { why: "nothing is being released.".to_owned() },
            at: now,
        },
        marked: Observed::Known { value: None, at: now },
        traffic: Observed::Missing { why: "nothing is being released".to_owned() },
        next_stage,
        within: Vec::new(),
        deploys_to: Vec::new(),
    };
    let Some((execution, status)) = found.execution else {
        return nothing(next_stage);
    };
    let busy = matches!(status, StageStatus::InProgress | StageStatus::Stopping);
    let (status, rollback) = (Some(status), found.rollback);
    let entered = Entered { place, execution: &execution, status, rollback, stages: &stages };
    let mut seen = entered.told(adapters, &structure, now).await;
    // One that has entered a moment ago has no runs yet: then it is not known.
    let passed_over = !seen.begun && !waiting.is_looked_at(place, &execution);
    if passed_over && (seen.asks || !busy) {
        seen = match before(adapters, place, &execution, (&structure, &stages), now).await {
            Err(error) => return missing(&error),
            Ok(None) => return nothing(next_stage),
            Ok(Some(before)) => before,
        };
        if busy && seen.told.back.known().is_ok_and(|back| matches!(back, Back::To { .. })) {
            let why = format!(
                "the execution {execution} waits in the stage for an approval, and CodePipeline rolls back no stage in which one runs. Answer it, then roll back."
            );
            seen.told.back = Observed::Known { value: Back::Later { why }, at: now };
        }
    }
    let target = match &seen.told.back {
        Observed::Known { value: Back::To { way: Way::RollBackStage { target, .. }, .. }, .. } => {
            Some(target.clone())
        }
        Observed::Known { .. } | Observed::Missing { .. } => None,
    };
    if let Some(target) = target.filter(|_| seen.begun && !seen.deploys) {
        // Where a stage builds or invokes only, that is how it releases.
        match pipelines.actions(&place.pipeline, &target).await {
            Ok(runs) if runs.iter().any(|run| run.stage == place.stage && run.deploys()) => {
                let why = "none of its actions that deploy has begun there, so that users have what ran before, which may be what is wrong.".to_owned();
                seen.told.back = Observed::Known { value: Back::Nowhere { why }, at: now };
            }
            Ok(_) => {}
            Err(error) => seen.told.back = Observed::Missing { why: error.to_string() },
        }
    }
    let Seen { told, within, .. } = seen;
    let (latest, deploys_to) = match (told.release, deployed(adapters, &within).await) {
        (Observed::Known { .. }, Err(error)) => (Observed::Missing { why: error.to_string() }, Vec::new()),
        (release, Err(_)) => (release, Vec::new()),
        (release, Ok(Deployed { rolled_back_by, to })) => {
            (release.map(|release| Release { rolled_back_by, ..release }), to)
        }
    };
    Standing {
        latest: latest.map(Some),
        back: told.back,
        marked: told.marked,
        traffic: Observed::Missing { why: "a stage does not say".to_owned() },
        next_stage,
        within,
        deploys_to,
    }
}

/// The execution that released in a stage before one that has released nothing there; none if there never was one.
async fn before(
    adapters: &Adapters,
    place: &Stage,
    execution: &str,
    (structure, stages): (&Structure, &[StageNow]),
    now: Timestamp,
) -> Result<Option<Seen>, AwsError> {
    let pipelines = &adapters.codepipeline;
    let all = pipelines.executions(&place.pipeline).await?;
    // The newest first, and also those that began after it: a rollback overtakes what is on its way.
    let earlier: Vec<&ExecutionSummary> = all.iter().filter(|one| one.id != execution).collect();
    for one in earlier.iter().take(EARLIER) {
        let runs = pipelines.actions(&place.pipeline, &one.id).await?;
        if runs.iter().any(|run| run.stage == place.stage && !run.is_approval()) {
            let entered = Entered { place, execution: &one.id, status: None, rollback: one.rollback, stages };
            return Ok(Some(entered.told(adapters, structure, now).await));
        }
    }
    if earlier.len() <= EARLIER {
        return Ok(None);
    }
    let why = format!("the execution {execution} has released nothing yet, nor have {EARLIER} others");
    Err(AwsError::unreadable("codepipeline:ListActionExecutions", place, why))
}

/// What CodeDeploy knows of the deployments of a stage.
#[derive(Default)]
struct Deployed {
    /// The rollback that CodeDeploy made of them, if it takes back all.
    rolled_back_by: Option<ReleaseId>,
    /// In which groups, and when last.
    to: Vec<(DeploymentGroup, Timestamp)>,
}

async fn deployed(adapters: &Adapters, within: &[ReleaseId]) -> Result<Deployed, AwsError> {
    let deployments = match adapters.codedeploy.described(within).await {
        Ok(deployments) => deployments,
        // An action may deploy in another region or account, whose deployments are not known here: said, or left out.
        Err(error) if error.is(UNKNOWN) => return Ok(Deployed::default()),
        Err(error) => return Err(error),
    };
    // What was tried again deployed more than once into the same group.
    let mut newest: BTreeMap<DeploymentGroup, Release> = BTreeMap::new();
    for one in deployments {
        let Some(group) = one.group().cloned() else { continue };
        if newest.get(&group).is_none_or(|other| other.created_at < one.created_at) {
            newest.insert(group, one);
        }
    }
    let all = newest.values().all(Release::is_being_undone);
    let rolled_back_by = newest.values().find_map(|one| one.rolled_back_by.clone()).filter(|_| all);
    let to = newest.into_iter().map(|(group, one)| (group, one.created_at)).collect();
    Ok(Deployed { rolled_back_by, to })
}

/// The stage behind a stage.
fn next(structure: &Structure, stage: &str) -> Option<String> {
    let at = structure.stages.iter().position(|name| name == stage)?;
    structure.stages.get(at + 1).cloned()
}
