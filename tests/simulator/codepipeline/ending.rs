//! Ending an execution before its time: StopPipelineExecution, and a cancellation.

use serde_json::{Value, json};

use super::execution::{ActionStatus, ExecutionStatus};
use super::operations::invalid;
use crate::refusal::{Answer, Refusal};
use crate::world::World;

/// The longest reason to stop.
const REASON: usize = 200;

impl World {
    pub(super) fn stop_pipeline_execution(&mut self, input: &Value) -> Answer {
        let known = self.asked_pipeline(input, "pipelineName")?;
        let asked = self.asked_execution(known, input, "pipelineExecutionId")?;
        let reason = input["reason"].as_str().map(str::to_owned);
        if reason.as_ref().is_some_and(|reason| reason.chars().count() > REASON) {
            return Err(invalid("reason", "have length less than or equal to 200"));
        }
        let abandon = input["abandon"].as_bool().unwrap_or(false);
        self.not_busy(known)?;
        // The operation has no error for an execution that does not exist.
        let execution = asked.filter(|execution| !execution.status.is_over()).ok_or_else(|| {
            Refusal::new(
                "PipelineExecutionNotStoppableException",
                "Unable to stop the pipeline execution. The execution might already be in a Stopped state, or it might no longer be in progress.",
            )
        })?;
        let stopping = execution.status == ExecutionStatus::Stopping;
        if stopping && !abandon {
            return Err(Refusal::new(
                "DuplicatedStopRequestException",
                "The pipeline execution is already in a Stopping state. If you already chose to stop and wait, you cannot make that request again.",
            ));
        }
        let (id, pipeline) = (execution.id.clone(), execution.pipeline.clone());
        if !stopping {
            self.begin_to_stop(&id, reason);
        }
        if abandon {
            self.give_up(&id, "ABANDONED", ExecutionStatus::Stopped);
        }
        self.evolve_pipeline(&pipeline);
        Ok(json!({ "pipelineExecutionId": id }))
    }

    fn begin_to_stop(&mut self, id: &str, reason: Option<String>) {
        let now = self.now;
        let comments = reason.as_ref().map(|reason| ("stop-execution-comments", json!(reason)));
        let execution = self.code_pipeline.execution_mut(id);
        execution.status = ExecutionStatus::Stopping;
        execution.updated = now;
        execution.stop_reason = reason;
        let inside = execution.inside().map(|run| run.stage.clone());
        self.announce_execution(id, "STOPPING", comments);
        if let Some(stage) = inside {
            self.code_pipeline.execution_mut(id).stage_mut(&stage).status = ExecutionStatus::Stopping;
            self.announce_stage(id, &stage, "STOPPING");
        } else {
            // It waited before a stage: nothing is in progress.
            self.code_pipeline.execution_mut(id).waiting = None;
            self.end_execution(id, ExecutionStatus::Stopped);
        }
    }

    /// Ends an execution at once. The actions are abandoned; what they began, such as a deployment,
    /// goes on.
    pub(super) fn give_up(&mut self, id: &str, word: &str, status: ExecutionStatus) {
        let now = self.now;
        let execution = self.code_pipeline.execution_mut(id);
        if execution.status.is_over() {
            return;
        }
        execution.waiting = None;
        let Some(stage) = execution.inside().map(|run| run.stage.clone()) else {
            self.end_execution(id, status);
            return;
        };
        let run = execution.stage_mut(&stage);
        let indices: Vec<usize> = run.in_progress().collect();
        for index in &indices {
            let action = &mut run.actions[*index];
            action.status = ActionStatus::Abandoned;
            action.updated = now;
        }
        for index in indices {
            self.announce_action(id, &stage, index, word);
        }
        self.end_stage(id, &stage, status);
    }
}
