//! Executions moving from stage to stage. A stage is locked while an execution is inside; a closed
//! transition holds executions before it; in SUPERSEDED mode a newer execution overtakes a waiting one.

use super::declaring::git_trigger;
use super::execution::{ExecutionStatus, StageRun};
use super::pipeline::{ExecutionMode, Written};
use super::{CALLER, PipelineState};
use crate::codepipeline::execution::PipelineExecution;
use crate::world::World;

/// How an execution comes to be.
pub(crate) struct Beginning {
    pub(crate) label: String,
    pub(crate) commit: Written,
    pub(crate) trigger: &'static str,
    /// A rollback's target: the execution begins inside this stage, and ends with it.
    pub(crate) back_to: Option<(String, String)>,
}

impl World {
    /// Moves every pipeline to the present.
    pub(crate) fn evolve_pipelines(&mut self) {
        let names: Vec<String> = self.code_pipeline.pipelines.keys().cloned().collect();
        for name in names {
            self.evolve_pipeline(&name);
        }
    }

    /// Everything that can happen at this moment: each step may make another possible.
    pub(crate) fn evolve_pipeline(&mut self, name: &str) {
        let mut moved = true;
        while moved {
            moved = false;
            for id in self.code_pipeline.pipeline(name).executions.clone() {
                let stage = self.code_pipeline.execution(&id).inside().map(|run| run.stage.clone());
                if let Some(stage) = stage {
                    moved |= self.work(&id, &stage);
                }
            }
            // From the end: a stage that is left makes room for the one before it.
            for place in (0..self.code_pipeline.pipeline(name).settings.stages.len()).rev() {
                let stage = self.code_pipeline.pipeline(name).settings.stages[place].name.clone();
                self.supersede(name, &stage);
                moved |= self.let_in(name, &stage);
            }
        }
    }

    pub(crate) fn begin_execution(&mut self, pipeline: &str, beginning: Beginning) -> String {
        let id = self.chance.uuid();
        let now = self.now;
        let known = self.code_pipeline.pipeline(pipeline);
        let first = known.settings.stages.first().expect("a pipeline has stages").name.clone();
        let target = beginning.back_to.as_ref().map(|(_, target)| target.clone());
        let sent = target.as_ref().map(|target| self.code_pipeline.execution(target).sent.clone());
        let execution = PipelineExecution {
            id: id.clone(),
            pipeline: pipeline.to_owned(),
            label: beginning.label,
            commit: beginning.commit,
            status: ExecutionStatus::InProgress,
            has_source: target.is_some(),
            target,
            started: now,
            stages: Vec::new(),
            waiting: if beginning.back_to.is_none() { Some(first) } else { None },
            updated: now,
            version: known.version,
            trigger: beginning.trigger,
            stop_reason: None,
            attempt: 1,
            sent: sent.unwrap_or_default(),
            outdated: false,
        };
        self.code_pipeline.executions.insert(id.clone(), execution);
        self.code_pipeline.pipeline_mut(pipeline).executions.push(id.clone());
        let detail = trigger_detail(beginning.trigger);
        let trigger = serde_json::json!({ "trigger-type": beginning.trigger, "trigger-detail": detail });
        self.announce_execution(&id, "STARTED", Some(("execution-trigger", trigger)));
        if let Some((stage, _)) = beginning.back_to {
            self.enter(&id, &stage);
        }
        self.evolve_pipeline(pipeline);
        id
    }

    /// Of those that wait before a stage only the newest goes on.
    fn supersede(&mut self, pipeline: &str, stage: &str) {
        if self.code_pipeline.pipeline(pipeline).settings.mode != ExecutionMode::Superseded {
            return;
        }
        let mut waiting = self.waiting_before(pipeline, stage);
        waiting.pop();
        for id in waiting {
            self.code_pipeline.execution_mut(&id).waiting = None;
            self.end_execution(&id, ExecutionStatus::Superseded);
        }
    }

    /// Who waits before a stage, oldest first.
    pub(super) fn waiting_before(&self, pipeline: &str, stage: &str) -> Vec<String> {
        self.code_pipeline
            .executions_of(pipeline)
            .filter(|execution| execution.waiting.as_deref() == Some(stage))
            .map(|execution| execution.id.clone())
            .collect()
    }

    /// Lets the first that waits into a free stage; true if one entered. That a closed transition holds
    /// executions of PARALLEL mode too is not documented.
    fn let_in(&mut self, pipeline: &str, stage: &str) -> bool {
        let known = self.code_pipeline.pipeline(pipeline);
        let locked = known.settings.mode != ExecutionMode::Parallel
            && self.code_pipeline.occupant(pipeline, stage).is_some();
        if locked || known.is_closed(stage) {
            return false;
        }
        let Some(id) = self.waiting_before(pipeline, stage).into_iter().next() else {
            return false;
        };
        self.enter(&id, stage);
        true
    }

    fn enter(&mut self, id: &str, stage: &str) {
        let now = self.now;
        let execution = self.code_pipeline.execution_mut(id);
        execution.waiting = None;
        execution.updated = now;
        execution.stages.push(StageRun {
            stage: stage.to_owned(),
            status: ExecutionStatus::InProgress,
            actions: Vec::new(),
            started: now,
            retried: None,
            counted_from: 0,
        });
        let pipeline = execution.pipeline.clone();
        let latest = &mut self.code_pipeline.pipeline_mut(&pipeline).latest;
        latest.insert(stage.to_owned(), id.to_owned());
        self.announce_stage(id, stage, "STARTED");
    }

    /// Ends a stage, and with it the execution unless there is a next stage to go to. That a rollback
    /// ends with the stage it rolls back is inferred from its name.
    pub(super) fn end_stage(&mut self, id: &str, stage: &str, status: ExecutionStatus) {
        let now = self.now;
        let execution = self.code_pipeline.execution_mut(id);
        execution.updated = now;
        execution.stage_mut(stage).status = status;
        let (pipeline, is_rollback) = (execution.pipeline.clone(), execution.target.is_some());
        self.announce_stage(id, stage, event_word(status));
        let next = next_stage(self.code_pipeline.pipeline(&pipeline), stage);
        match next {
            Some(next) if status == ExecutionStatus::Succeeded && !is_rollback => {
                self.code_pipeline.execution_mut(id).waiting = Some(next);
            }
            Some(_) | None => self.end_execution(id, status),
        }
    }

    pub(super) fn end_execution(&mut self, id: &str, status: ExecutionStatus) {
        let now = self.now;
        let execution = self.code_pipeline.execution_mut(id);
        execution.status = status;
        execution.updated = now;
        // "SUCCEEDED and FAILED of trigger-driven pipelines (not when the source stage itself failed)" tell of the push.
        let ended = matches!(status, ExecutionStatus::Succeeded | ExecutionStatus::Failed);
        let execution = self.code_pipeline.execution(id);
        let pushed = ended && execution.has_source && execution.trigger == "WebhookV2";
        let trigger = pushed.then(|| ("execution-trigger", git_trigger(execution)));
        self.announce_execution(id, event_word(status), trigger);
    }
}

/// Who or what started an execution: a push comes by its connection. The form of the latter is not verified.
pub(super) fn trigger_detail(trigger: &str) -> &'static str {
    if trigger == "WebhookV2" { super::declaring::CONNECTION } else { CALLER }
}

fn next_stage(known: &PipelineState, stage: &str) -> Option<String> {
    let place = known.place_of(stage)?;
    known.settings.stages.get(place + 1).map(|next| next.name.clone())
}

/// The words of events: CANCELED with one L, while the API writes two.
fn event_word(status: ExecutionStatus) -> &'static str {
    match status {
        ExecutionStatus::InProgress => "STARTED",
        ExecutionStatus::Stopping => "STOPPING",
        ExecutionStatus::Stopped => "STOPPED",
        ExecutionStatus::Succeeded => "SUCCEEDED",
        ExecutionStatus::Superseded => "SUPERSEDED",
        ExecutionStatus::Failed => "FAILED",
        ExecutionStatus::Cancelled => "CANCELED",
    }
}
