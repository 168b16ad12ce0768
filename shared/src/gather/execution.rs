//! What is known of an execution in a pipeline's stage: how it fares, what it brings, the way back from it.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{release::Told, way_back::not_good};
use crate::{
    aws::{
        Adapters, AwsError,
        codepipeline::{ActionRun, ExecutionSummary, StageNow, StageStatus, Structure, committed},
    },
    decision::approval::not_begun,
    evidence::{Back, Observed, Target, Way},
    ledger::Watch,
    release::{
        Change, Course, Phase, Place, Platform, Release, ReleaseId, ReleaseStatus, Revision, Stage,
        course::{self, Run, Stands, StepState, Usual},
        no_rollback, requested_by,
    },
    signal::ReleaseChange,
};

/// How many earlier executions are looked at for a good one.
const CANDIDATES: usize = 5;

/// What is told about a stage's beginning or end: as [`super::stage::stage`], for the execution that the event names.
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

/// An execution in a stage.
pub(super) struct Entered<'a> {
    pub(super) place: &'a Stage,
    pub(super) execution: &'a str,
    /// Where it is there; none if another execution is in the stage by now.
    pub(super) status: Option<StageStatus>,
    pub(super) rollback: bool,
    /// The pipeline's stages now.
    pub(super) stages: &'a [StageNow],
}

/// What is seen of an execution in a stage.
pub(super) struct Seen {
    pub(super) told: Told,
    /// The deployments that it ran there.
    pub(super) within: Vec<ReleaseId>,
    /// Whether anything of it has begun there but approvals; also if that is not known.
    pub(super) begun: bool,
    /// Whether an approval of it has.
    pub(super) asks: bool,
    /// Whether an action has that is there to deploy.
    pub(super) deploys: bool,
}

impl Entered<'_> {
    pub(super) async fn told(self, adapters: &Adapters, structure: &Structure, now: Timestamp) -> Seen {
        let pipelines = &adapters.codepipeline;
        let (pipeline, stage) = (self.place.pipeline.as_str(), self.place.stage.as_str());
        let (runs, succeeded, all) = tokio::join!(
            pipelines.actions(pipeline, self.execution),
            pipelines.succeeded_in(pipeline, stage),
            pipelines.executions_since(pipeline, self.execution),
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
                return Seen { told, within: Vec::new(), begun: true, asks: false, deploys: true };
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
            (Ok(_), None) => Observed::Missing { why: self.unlisted() },
            (Ok(_), Some(summary)) => {
                let value = summary.messages.iter().chain(found).find_map(|message| no_rollback(message));
                Observed::Known { value, at: now }
            }
        };
        runs.retain(|run| run.stage == stage);
        let within = deployments(&runs, |_| true);
        let (asks, begun) =
            (runs.iter().any(ActionRun::is_approval), runs.iter().any(|run| !run.is_approval()));
        let deploys = runs.iter().any(ActionRun::deploys);
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
            deploys,
        }
    }

    fn unlisted(&self) -> String {
        format!("CodePipeline does not list the execution {} any more", self.execution)
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
            released_nothing: runs.iter().all(ActionRun::is_approval),
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
        let (succeeded, all) = match (succeeded, all) {
            (Ok(succeeded), Ok(all)) => (succeeded, all),
            (Err(error), _) => return Observed::Missing { why: error.to_string() },
            (_, Err(error)) => return Observed::Missing { why: error.to_string() },
        };
        let Some(began) = all.iter().find(|one| one.id == self.execution) else {
            return Observed::Missing { why: self.unlisted() };
        };
        let mut why_not = None;
        let earlier = succeeded.iter().filter(|one| one.id != self.execution && !one.rollback);
        // Newer ones are not what ran before.
        let earlier = earlier.filter(|one| one.started < began.started);
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
                finished: finished(runs),
            };
            return Observed::Known { value: Back::To { target, way }, at: now };
        }
        if let Some(why) = why_not {
            return nowhere(&why);
        }
        if all.iter().any(|one| one.id != self.execution && one.status == "Succeeded") {
            nowhere(
                "no earlier execution succeeded in this stage with the pipeline's present structure, and CodePipeline goes back to no other: its structure has changed since.",
            )
        } else {
            nowhere("no earlier execution has succeeded in this stage.")
        }
    }
}

/// What is known of the change that an execution brings: by what its source actions found out, and by who started it.
/// The names are those of a connection to GitHub, GitLab or Bitbucket; CodeCommit says less (CodePipeline User Guide,
/// "Variables reference").
///
/// One commit is shown. But everybody behind any of the sources wanted it: which of these brought something new is not
/// known here, and nobody gets to approve their own commit by the order in which they are listed.
pub(super) fn change(runs: &[ActionRun], summary: Option<&ExecutionSummary>) -> Change {
    let source = runs.iter().find(|run| run.variables.contains_key("CommitId"));
    let variable =
        |name: &str| source.and_then(|run| run.variables.get(name)).filter(|value| !value.is_empty());
    let commit = variable("CommitId").cloned().or_else(|| summary.and_then(|summary| summary.commit.clone()));
    let message =
        variable("CommitMessage").cloned().or_else(|| summary.and_then(|summary| summary.revision.clone()));
    Change {
        committed: source.and_then(|run| committed(&run.variables)),
        author: variable("AuthorDisplayName").or_else(|| variable("AuthorId")).cloned(),
        commit,
        message,
        started_by: summary.and_then(|summary| summary.started_by.clone()),
        requested_by: wanted_by(runs, summary).into_iter().collect(),
    }
}

/// Everybody who wanted what an execution brings: who wrote any of its commits, whom their messages name, and who started
/// it.
fn wanted_by(runs: &[ActionRun], summary: Option<&ExecutionSummary>) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for run in runs {
        let authors = ["AuthorEmail", "AuthorId", "AuthorDisplayName"];
        let authors = authors.into_iter().filter_map(|name| run.variables.get(name));
        all.extend(authors.filter(|author| !author.is_empty()).cloned());
        all.extend(run.variables.get("CommitMessage").and_then(|message| requested_by(message)));
    }
    if let Some(summary) = summary {
        all.extend(summary.started_by.clone());
        all.extend(summary.messages.iter().filter_map(|message| requested_by(message)));
    }
    all
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
pub(super) fn deployments(runs: &[ActionRun], wanted: impl Fn(&ActionRun) -> bool) -> Vec<ReleaseId> {
    runs.iter()
        .filter(|run| run.provider.as_deref().is_some_and(|provider| provider.starts_with("CodeDeploy")))
        .filter(|run| wanted(run))
        .filter_map(|run| run.external.as_deref())
        .map(ReleaseId::from)
        .collect()
}

/// The actions that have deployed: what they did stays when the others are stopped.
fn finished(runs: &[ActionRun]) -> Vec<String> {
    let done = runs.iter().filter(|run| run.status == "Succeeded" && run.deploys());
    let mut actions: Vec<String> = done.map(|run| run.action.clone()).collect();
    actions.sort_unstable();
    actions.dedup();
    actions
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::codepipeline::ActionDetail;

    fn fetched(action: &str, variables: &[(&str, &str)]) -> ActionRun {
        ActionRun {
            stage: "Source".to_owned(),
            action: action.to_owned(),
            provider: None,
            status: "Succeeded".to_owned(),
            started: Timestamp::UNIX_EPOCH,
            updated: Timestamp::UNIX_EPOCH,
            external: None,
            variables: variables
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            detail: ActionDetail::default(),
        }
    }

    #[test]
    fn who_wrote_any_of_the_commits_wanted_it_in_whatever_order_they_are_listed() {
        let app = fetched("App", &[("CommitId", "a1"), ("AuthorEmail", "bob@example.com"), ("AuthorId", "")]);
        let message = "Wider subnets\n\nbelay: requested-by dora@example.com";
        let infra = fetched(
            "Infra",
            &[("CommitId", "b2"), ("AuthorEmail", "anna@example.com"), ("CommitMessage", message)],
        );
        let summary = ExecutionSummary {
            id: "e-1".to_owned(),
            rollback: false,
            rollback_target: None,
            status: "InProgress".to_owned(),
            started: Timestamp::UNIX_EPOCH,
            updated: None,
            revision: None,
            messages: vec!["Fix".to_owned(), "belay: requested-by carol@example.com".to_owned()],
            commit: None,
            started_by: Some("arn:aws:iam::123456789012:user/eve".to_owned()),
        };
        for runs in [[app.clone(), infra.clone()], [infra, app]] {
            let change = change(&runs, Some(&summary));
            assert_eq!(
                change.requested_by,
                [
                    "anna@example.com",
                    "arn:aws:iam::123456789012:user/eve",
                    "bob@example.com",
                    "carol@example.com",
                    "dora@example.com",
                ]
            );
        }
    }
}
