//! Doing something again: RollbackStage and RetryStageExecution.

use serde_json::{Value, json};

use super::PipelineState;
use super::evolution::Beginning;
use super::execution::{ActionStatus, ExecutionStatus, PipelineExecution};
use super::operations::invalid;
use super::pipeline::{Action, ExecutionMode};
use super::reading::no_such_execution;
use crate::refusal::{Answer, Refusal};
use crate::world::World;

/// Concurrent executions in QUEUED and PARALLEL mode (User Guide, "Quotas").
const CONCURRENT: usize = 50;

impl World {
    /// Begins a new execution of type ROLLBACK inside the stage. A closed transition does not hold it
    /// (unverified: it enters through none).
    pub(super) fn rollback_stage(&mut self, input: &Value) -> Answer {
        let known = self.asked_pipeline(input, "pipelineName")?;
        let (stage, place) = Self::asked_stage(known, input)?;
        let target =
            self.asked_execution(known, input, "targetPipelineExecutionId")?.ok_or_else(no_such_execution)?;
        self.not_busy(known)?;
        // When AWS calls an execution outdated is not documented; a script says so.
        if target.outdated {
            return Err(Refusal::new(
                "PipelineExecutionOutdatedException",
                "The specified pipeline execution is outdated and cannot be used as a target pipeline execution for rollback.",
            ));
        }
        let running = self.code_pipeline.occupant(&known.settings.name, stage).is_some();
        if let Some(why) = no_rollback(known, stage, place, target, running) {
            return Err(Refusal::new("UnableToRollbackStageException", why));
        }
        let beginning = Beginning {
            label: target.label.clone(),
            commit: target.commit.clone(),
            trigger: "ManualRollback",
            back_to: Some((stage.to_owned(), target.id.clone())),
        };
        let name = known.settings.name.clone();
        let id = self.begin_execution(&name, beginning);
        Ok(json!({ "pipelineExecutionId": id }))
    }

    pub(super) fn retry_stage_execution(&mut self, input: &Value) -> Answer {
        let known = self.asked_pipeline(input, "pipelineName")?;
        let (stage, _) = Self::asked_stage(known, input)?;
        let all = match input["retryMode"].as_str() {
            Some("FAILED_ACTIONS") => false,
            Some("ALL_ACTIONS") => true,
            Some(_) | None => return Err(invalid("retryMode", "be one of [FAILED_ACTIONS, ALL_ACTIONS]")),
        };
        let asked = self.asked_execution(known, input, "pipelineExecutionId")?;
        self.not_busy(known)?;
        let execution = asked
            .filter(|execution| known.latest.get(stage) == Some(&execution.id))
            .ok_or_else(|| {
                Refusal::new(
                    "NotLatestPipelineExecutionException",
                    "The stage has failed in a later run of the pipeline and the pipelineExecutionId associated with the request is out of date.",
                )
            })?;
        let run = execution.stage(stage).expect("it entered last");
        let retryable = match run.status {
            ExecutionStatus::Failed | ExecutionStatus::Stopped => execution.version == known.version,
            ExecutionStatus::InProgress
            | ExecutionStatus::Stopping
            | ExecutionStatus::Succeeded
            | ExecutionStatus::Superseded
            | ExecutionStatus::Cancelled => false,
        };
        if !retryable {
            return Err(Refusal::new(
                "StageNotRetryableException",
                "Unable to retry. The pipeline structure or stage state might have changed while actions awaited retry, or the stage contains no failed actions.",
            ));
        }
        let name = known.settings.name.clone();
        let under_way =
            self.code_pipeline.executions_of(&name).filter(|execution| !execution.status.is_over()).count();
        if known.settings.mode != ExecutionMode::Superseded && under_way >= CONCURRENT {
            return Err(Refusal::new(
                "ConcurrentPipelineExecutionsLimitExceededException",
                "The pipeline has reached the limit for concurrent pipeline executions.",
            ));
        }
        let id = execution.id.clone();
        self.retry(&id, stage, all);
        self.evolve_pipeline(&name);
        Ok(json!({ "pipelineExecutionId": id }))
    }

    fn retry(&mut self, id: &str, stage: &str, all: bool) {
        let now = self.now;
        let execution = self.code_pipeline.execution_mut(id);
        execution.status = ExecutionStatus::InProgress;
        execution.stop_reason = None;
        execution.attempt += 1;
        execution.updated = now;
        let pipeline = execution.pipeline.clone();
        let run = execution.stage_mut(stage);
        run.status = ExecutionStatus::InProgress;
        run.retried = Some(now);
        if all {
            run.counted_from = run.actions.len();
        }
        let run = self.code_pipeline.execution(id).stage(stage).expect("a stage that was entered");
        let again: Vec<Action> = self
            .code_pipeline
            .pipeline(&pipeline)
            .settings
            .stage_named(stage)
            .actions
            .iter()
            .filter(|action| {
                run.last_of(&action.name).is_some_and(|last| last.status == ActionStatus::Failed)
            })
            .cloned()
            .collect();
        self.announce_execution(id, "RESUMED", None);
        self.announce_stage(id, stage, "RESUMED");
        for action in again {
            self.begin_action(id, stage, &action);
        }
    }
}

/// Why the stage cannot go back to the target (User Guide, "Configure stage rollback").
fn no_rollback(
    known: &PipelineState,
    stage: &str,
    place: usize,
    target: &PipelineExecution,
    running: bool,
) -> Option<String> {
    if !known.settings.v2 {
        Some("Only pipelines of type V2 can be rolled back.".to_owned())
    } else if known.settings.mode == ExecutionMode::Parallel {
        Some("A stage cannot be rolled back in PARALLEL mode.".to_owned())
    } else if place == 0 || known.settings.stages[place].is_source() {
        Some("The source stage cannot be rolled back.".to_owned())
    } else if target.target.is_some() {
        Some("The target is itself a rollback.".to_owned())
    } else if target.version != known.version {
        Some("The pipeline's version has changed since the target ran.".to_owned())
    } else if !target.succeeded_in(stage) {
        Some(format!("The target did not succeed in the stage {stage}."))
    } else if running {
        Some(format!("The stage {stage} is running."))
    } else {
        None
    }
}
