//! What is known of a pipeline's stage: the execution in it, and the way back from it.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{group::Standing, release::Told, way_back::not_good};
use crate::{
    aws::{
        Adapters, AwsError,
        codedeploy::UNKNOWN,
        codepipeline::{ActionRun, ExecutionSummary, StageNow, StageStatus, Structure, committed},
    },
    decision::approval::not_begun,
    evidence::{Back, Observed, Target, Way},
    ledger::Watch,
    release::{
        Change, Course, DeploymentGroup, Phase, Place, Platform, Release, ReleaseId, ReleaseStatus, Revision,
        Stage,
        course::{self, Run, Stands, StepState, Usual},
        no_rollback, requested_by,
    },
    signal::ReleaseChange,
};

/// How many earlier executions are looked at for a good one.
const CANDIDATES: usize = 5;

/// How many executions before one that waits are looked at for the one that users have: others may have waited, and been
/// superseded.
const EARLIER: usize = 20;

/// The stage now: GetPipelineState and GetPipeline, then ListActionExecutions of the execution that is in it and
/// ListPipelineExecutions, which names the ones that it could go back to.
///
/// Where that execution has released nothing there, because it waits for an approval or was not let in, the one before it is
/// what users have, and is described in its place, unless `waiting`.
pub(super) async fn stage(adapters: &Adapters, place: &Stage, waiting: bool, now: Timestamp) -> Standing {
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
        let why = "its pipeline runs in PARALLEL mode, in which CodePipeline does not say what is in a stage";
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
    if !seen.begun && !waiting && (seen.asks || !busy) {
        seen = match before(adapters, place, &execution, (&structure, &stages), now).await {
            Err(error) => return missing(&error),
            Ok(None) => return nothing(next_stage),
            Ok(Some(before)) => before,
        };
        if busy && seen.told.back.known().is_ok_and(|back| matches!(back, Back::To { .. })) {
            let why = format!(
                "the execution {execution} waits in the stage for an approval, and CodePipeline rolls back no stage in which one runs. Answer it, then roll back."
            );
            seen.told.back = Observed::Known { value: Back::Nowhere { why }, at: now };
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

/// What is told about a stage's beginning or end: as [`stage`], for the execution that the event names.
pub(super) async fn told(adapters: &Adapters, place: &Stage, change: &ReleaseChange, now: Timestamp) -> Told {
    let missing = |why: String| Told {
        release: Observed::Missing { why: why.clone() },
        back: Observed::Missing { why: why.clone() },
        marked: Observed::Missing { why },
    };
    let Some(execution) = change.deployment.execution() else {
        return missing(format!("{} names no execution of a pipeline", change.deployment));
    };
    let pipelines = &adapters.codepipeline;
    let (stages, structure, whole) = tokio::join!(
        pipelines.stages(&place.pipeline),
        pipelines.structure(&place.pipeline),
        pipelines.execution(&place.pipeline, execution),
    );
    let (stages, structure, rollback) = match (stages, structure, whole) {
        (Err(error), ..) | (_, Err(error), _) | (.., Err(error)) => return missing(error.to_string()),
        (Ok(stages), Ok(structure), Ok((_, rollback))) => (stages, structure, rollback),
    };
    // The stage may hold another execution by now; then this one is over there, and how is in its actions.
    let status = stages
        .iter()
        .find(|stage| stage.name == place.stage)
        .and_then(|stage| stage.execution.clone())
        .and_then(|(latest, status)| (latest == execution).then_some(status));
    let entered = Entered { place, execution, status, rollback, stages: &stages };
    entered.told(adapters, &structure, now).await.told
}

/// Executions of a pipeline, as far as CodePipeline told.
type Listed = Result<Vec<ExecutionSummary>, AwsError>;

/// What an undo would go back to of an execution that has not begun in the stage. `succeeded` are the executions that
/// succeeded there, `all` those of the pipeline.
pub(super) async fn would_go_back(
    adapters: &Adapters,
    structure: &Structure,
    place: &Stage,
    execution: &str,
    (succeeded, all): (Listed, &Listed),
    now: Timestamp,
) -> Observed<Back> {
    let watch = Watch {
        release: ReleaseId::of_stage(&place.stage, execution),
        service: "".into(),
        place: Place::Stage(place.clone()),
        began: now,
    };
    let release = not_begun(&watch, Change::default(), None);
    let entered = Entered { place, execution, status: None, rollback: false, stages: &[] };
    entered.back(adapters, structure, &release, &[], succeeded, all, now).await
}

/// The stage behind a stage.
fn next(structure: &Structure, stage: &str) -> Option<String> {
    let at = structure.stages.iter().position(|name| name == stage)?;
    structure.stages.get(at + 1).cloned()
}

/// An execution in a stage.
struct Entered<'a> {
    place: &'a Stage,
    execution: &'a str,
    /// Where it is there; none if another execution is in the stage by now.
    status: Option<StageStatus>,
    rollback: bool,
    /// The pipeline's stages now.
    stages: &'a [StageNow],
}

/// What is seen of an execution in a stage.
struct Seen {
    told: Told,
    /// The deployments that it ran there.
    within: Vec<ReleaseId>,
    /// Whether anything of it has begun there but approvals; also if that is not known.
    begun: bool,
    /// Whether an approval of it has.
    asks: bool,
}

impl Entered<'_> {
    async fn told(self, adapters: &Adapters, structure: &Structure, now: Timestamp) -> Seen {
        let pipelines = &adapters.codepipeline;
        let (pipeline, stage) = (self.place.pipeline.as_str(), self.place.stage.as_str());
        let (runs, succeeded, all) = tokio::join!(
            pipelines.actions(pipeline, self.execution),
            pipelines.succeeded_in(pipeline, stage),
            pipelines.executions(pipeline),
        );
        let mut runs = match runs {
            Ok(runs) => runs,
            Err(error) => {
                let missing = || error.to_string();
                let told = Told {
                    release: Observed::Missing { why: missing() },
                    back: Observed::Missing { why: missing() },
                    marked: Observed::Missing { why: missing() },
                };
                return Seen { told, within: Vec::new(), begun: true, asks: false };
            }
        };
        let summary = all.as_ref().ok().and_then(|all| all.iter().find(|one| one.id == self.execution));
        let change = change(&runs, summary);
        let course = summary.map(|summary| {
            let all = all.as_deref().unwrap_or_default();
            course(pipeline, &structure.stages, self.stages, &runs, summary, all)
        });
        // The commit's message is where the owners of a pipeline write their mark, in whichever of its sources.
        let found = runs.iter().filter_map(|run| run.variables.get("CommitMessage"));
        let marked = match (&all, summary) {
            (Err(error), _) => Observed::Missing { why: error.to_string() },
            (Ok(_), None) => {
                let why = format!("CodePipeline does not list the execution {} any more", self.execution);
                Observed::Missing { why }
            }
            (Ok(_), Some(summary)) => {
                let value = summary.messages.iter().chain(found).find_map(|message| no_rollback(message));
                Observed::Known { value, at: now }
            }
        };
        runs.retain(|run| run.stage == stage);
        let within = deployments(&runs, |_| true);
        let (asks, begun) =
            (runs.iter().any(ActionRun::is_approval), runs.iter().any(|run| !run.is_approval()));
        let words = summary.and_then(|summary| summary.revision.clone());
        let release = self.release(&runs, words, change).map(|release| Release { course, ..release });
        let back = match &release {
            Err(why) => Observed::Missing { why: why.clone() },
            Ok(release) => self.back(adapters, structure, release, &runs, succeeded, &all, now).await,
        };
        Seen {
            told: Told { release: Observed::from_result(release, now), back, marked },
            within,
            begun,
            asks,
        }
    }

    /// The execution as a release: it begins with the stage's first action that is no approval, since nothing changes for
    /// users before, and ends with its last one.
    fn release(&self, runs: &[ActionRun], words: Option<String>, change: Change) -> Result<Release, String> {
        let first = |runs: &mut dyn Iterator<Item = &ActionRun>| runs.map(|run| run.started).min();
        let began =
            first(&mut runs.iter().filter(|run| !run.is_approval())).or_else(|| first(&mut runs.iter()));
        let created_at = began.ok_or_else(|| {
            format!("no action of the execution {} has begun in the stage {}", self.execution, self.place)
        })?;
        let status = match &self.status {
            Some(StageStatus::InProgress | StageStatus::Stopping) => ReleaseStatus::InProgress,
            Some(StageStatus::Succeeded) => ReleaseStatus::Succeeded,
            Some(StageStatus::Failed) => ReleaseStatus::Failed,
            Some(StageStatus::Stopped | StageStatus::Cancelled) => ReleaseStatus::Stopped,
            Some(StageStatus::Skipped) => ReleaseStatus::Unrecognised("Skipped".to_owned()),
            Some(StageStatus::Unrecognised(word)) => ReleaseStatus::Unrecognised(word.clone()),
            None => by_its_actions(runs),
        };
        let over = status.phase() == Phase::Over;
        Ok(Release {
            id: ReleaseId::of_stage(&self.place.stage, self.execution),
            place: Place::Stage(self.place.clone()),
            platform: Platform::Pipeline,
            status,
            created_at,
            completed_at: runs.iter().map(|run| run.updated).max().filter(|_| over),
            creator: if self.rollback { "pipelineRollback" } else { "pipeline" }.to_owned(),
            rolls_back: None,
            rolled_back_by: None,
            error: None,
            revision: Revision::Named(words.unwrap_or_else(|| format!("the execution {}", self.execution))),
            description: None,
            change,
            again: tried_again(runs),
            course: None,
        })
    }

    /// What the stage can be rolled back to. The constraints are RollbackStage's own (CodePipeline User Guide,
    /// "Configure stage rollback").
    #[allow(clippy::too_many_arguments, reason = "each is one answer of CodePipeline, read side by side")]
    async fn back(
        &self,
        adapters: &Adapters,
        structure: &Structure,
        release: &Release,
        runs: &[ActionRun],
        succeeded: Result<Vec<ExecutionSummary>, AwsError>,
        all: &Result<Vec<ExecutionSummary>, AwsError>,
        now: Timestamp,
    ) -> Observed<Back> {
        let nowhere = |why: &str| Observed::Known { value: Back::Nowhere { why: why.to_owned() }, at: now };
        let place = self.place;
        if !structure.v2 {
            return nowhere(&format!(
                "the pipeline {} is of type V1, which cannot roll back.",
                place.pipeline
            ));
        }
        if structure.parallel {
            return nowhere(&format!(
                "the pipeline {} runs in PARALLEL mode, which cannot roll back.",
                place.pipeline
            ));
        }
        if structure.stages.first() == Some(&place.stage) {
            return nowhere("a source stage cannot be rolled back.");
        }
        let succeeded = match succeeded {
            Ok(succeeded) => succeeded,
            Err(error) => return Observed::Missing { why: error.to_string() },
        };
        let mut why_not = None;
        let earlier = succeeded.iter().filter(|one| one.id != self.execution && !one.rollback);
        // Newer ones are not what ran before.
        let began = all.as_ref().ok().and_then(|all| all.iter().find(|one| one.id == self.execution));
        let earlier = earlier.filter(|one| began.is_none_or(|began| one.started < began.started));
        for good in earlier.take(CANDIDATES) {
            let id = ReleaseId::of_stage(&place.stage, &good.id);
            match adapters.ledger.release(&id, now).await {
                Err(error) => return Observed::Missing { why: error.to_string() },
                Ok(ledger) => {
                    if let Some(why) = not_good(&id, &ledger, now) {
                        why_not = Some(why);
                        continue;
                    }
                }
            }
            let revision = good.revision.clone().unwrap_or_else(|| format!("the execution {}", good.id));
            let target = Target::KnownGood { deployment: good.id.clone(), revision };
            let runs_still = release.status.phase() == Phase::Running;
            let way = Way::RollBackStage {
                target: good.id.clone(),
                running: runs_still.then(|| self.execution.to_owned()),
                deployments: deployments(runs, |run| run.status == "InProgress"),
            };
            return Observed::Known { value: Back::To { target, way }, at: now };
        }
        if let Some(why) = why_not {
            return nowhere(&why);
        }
        let older = match all {
            Err(error) => return Observed::Missing { why: error.to_string() },
            Ok(all) => all.iter().any(|one| one.id != self.execution && one.status == "Succeeded"),
        };
        if older {
            nowhere(
                "no earlier execution succeeded in this stage with the pipeline's present structure, and CodePipeline goes back to no other: its structure has changed since.",
            )
        } else {
            nowhere("no earlier execution has succeeded in this stage.")
        }
    }
}

/// What is known of the change that an execution brings: by what its source action found out, and by who started it.
/// The names are those of a connection to GitHub, GitLab or Bitbucket; CodeCommit says less (CodePipeline User Guide,
/// "Variables reference").
pub(super) fn change(runs: &[ActionRun], summary: Option<&ExecutionSummary>) -> Change {
    let source = runs.iter().find(|run| run.variables.contains_key("CommitId"));
    let variable =
        |name: &str| source.and_then(|run| run.variables.get(name)).filter(|value| !value.is_empty());
    let commit = variable("CommitId").cloned().or_else(|| summary.and_then(|summary| summary.commit.clone()));
    let message =
        variable("CommitMessage").cloned().or_else(|| summary.and_then(|summary| summary.revision.clone()));
    let started_by = summary.and_then(|summary| summary.started_by.clone());
    let authors = ["AuthorEmail", "AuthorId", "AuthorDisplayName"].into_iter().filter_map(variable).cloned();
    let named = message.as_deref().and_then(requested_by);
    let mut all: Vec<String> = authors.chain(started_by.clone()).chain(named).collect();
    all.dedup();
    Change {
        committed: source.and_then(|run| committed(&run.variables)),
        author: variable("AuthorDisplayName").or_else(|| variable("AuthorId")).cloned(),
        commit,
        message,
        started_by,
        requested_by: all,
    }
}

/// An execution's way through its pipeline. `all` are the pipeline's executions, the newest first.
pub(super) fn course(
    pipeline: &str,
    names: &[String],
    stages: &[StageNow],
    runs: &[ActionRun],
    summary: &ExecutionSummary,
    all: &[ExecutionSummary],
) -> Course {
    let stands = Stands::from_wire(&summary.status);
    let shown = stages.iter().filter_map(|stage| {
        let (execution, status) = stage.execution.as_ref()?;
        let state = match status {
            StageStatus::InProgress | StageStatus::Stopping => StepState::Running,
            StageStatus::Succeeded => StepState::Done,
            StageStatus::Failed => StepState::Failed,
            StageStatus::Stopped | StageStatus::Cancelled => StepState::Stopped,
            StageStatus::Skipped => StepState::Skipped,
            StageStatus::Unrecognised(_) => return None,
        };
        (*execution == summary.id).then_some((stage.name.as_str(), state))
    });
    let runs: Vec<Run<'_>> = runs
        .iter()
        .map(|run| Run {
            stage: &run.stage,
            action: &run.action,
            asks: run.is_approval(),
            status: &run.status,
            started: run.started,
        })
        .collect();
    let took = |one: &ExecutionSummary| one.updated.map(|updated| updated.duration_since(one.started));
    let good = all.iter().filter(|one| {
        one.id != summary.id && !one.rollback && Stands::from_wire(&one.status) == Stands::Succeeded
    });
    Course {
        pipeline: pipeline.to_owned(),
        stands,
        steps: course::steps(names, &runs, &shown.collect(), stands),
        took: took(summary).filter(|_| stands != Stands::Running),
        over_since: summary.updated.filter(|_| stands != Stands::Running),
        usual: Usual::of(good.filter_map(took).take(course::USUAL_OF).collect()),
    }
}

/// The CodeDeploy deployments of some runs of actions.
fn deployments(runs: &[ActionRun], wanted: impl Fn(&ActionRun) -> bool) -> Vec<ReleaseId> {
    runs.iter()
        .filter(|run| run.provider.as_deref().is_some_and(|provider| provider.starts_with("CodeDeploy")))
        .filter(|run| wanted(run))
        .filter_map(|run| run.external.as_deref())
        .map(ReleaseId::from)
        .collect()
}

/// When the newest run began of those actions that ran more than once.
fn tried_again(runs: &[ActionRun]) -> Option<Timestamp> {
    let is_again =
        |run: &&ActionRun| runs.iter().any(|other| other.action == run.action && other.started < run.started);
    runs.iter().filter(|run| !run.is_approval()).filter(is_again).map(|run| run.started).max()
}

/// How an execution fared in a stage that holds another one by now: by the last run of each of its actions.
fn by_its_actions(runs: &[ActionRun]) -> ReleaseStatus {
    let last: Vec<&ActionRun> = runs
        .iter()
        .filter(|run| !runs.iter().any(|other| other.action == run.action && other.started > run.started))
        .collect();
    let any = |status: &str| last.iter().any(|run| run.status == status);
    if any("InProgress") {
        ReleaseStatus::InProgress
    } else if any("Failed") {
        ReleaseStatus::Failed
    } else if any("Abandoned") {
        ReleaseStatus::Stopped
    } else {
        ReleaseStatus::Succeeded
    }
}
