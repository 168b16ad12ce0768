//! What a script may set up and ask of CodePipeline.

use std::time::Duration;

use super::evolution::Beginning;
use super::execution::{ExecutionStatus, PipelineExecution};
use super::pipeline::{Commit, Pipeline, Work};
use super::{CodePipeline, PipelineState};
use crate::simulator::Simulator;

impl Simulator {
    /// Adds a pipeline. Its CodeDeploy groups must exist.
    pub fn create_pipeline(&self, pipeline: Pipeline) {
        let mut world = self.world();
        assert!(pipeline.stages.len() >= 2, "a pipeline has at least two stages");
        for action in pipeline.stages.iter().flat_map(|stage| &stage.actions) {
            if let Work::CodeDeploy { application, group, .. } = &action.work {
                let owner = &world.code_deploy.group(group).settings.application;
                assert_eq!(owner, application, "the group {group:?} is another's");
            }
        }
        let now = world.now;
        let known = PipelineState {
            version: 1,
            created: now,
            updated: now,
            executions: Vec::new(),
            transitions: std::collections::BTreeMap::new(),
            latest: std::collections::BTreeMap::new(),
            broken: Vec::new(),
            busy_until: None,
            settings: pipeline,
        };
        let name = known.settings.name.clone();
        let before = world.code_pipeline.pipelines.insert(name, known);
        assert!(before.is_none(), "a pipeline of this name exists");
    }

    /// Starts an execution with a source revision such as `v42`; the answer is its id.
    pub fn start_pipeline(&self, name: &str, label: &str) -> String {
        self.start_pipeline_with(name, label, Commit::default())
    }

    /// The same with what is said about the commit.
    pub fn start_pipeline_with(&self, name: &str, label: &str, commit: Commit) -> String {
        let mut world = self.world();
        let trigger = if world.has_connection(name) { "WebhookV2" } else { "StartPipelineExecution" };
        let commit = commit.filled_in(label, world.now);
        let beginning = Beginning { label: label.to_owned(), commit, trigger, back_to: None };
        world.begin_execution(name, beginning)
    }

    /// Changes a pipeline's structure: what succeeded before did so in another version.
    pub fn change_pipeline(&self, name: &str) {
        let mut world = self.world();
        let now = world.now;
        let known = world.code_pipeline.pipeline_mut(name);
        known.version += 1;
        known.updated = now;
    }

    /// An execution as it is now.
    pub fn pipeline_execution(&self, id: &str) -> PipelineExecution {
        self.world().code_pipeline.execution(id).clone()
    }

    /// A pipeline's executions, oldest first; rollbacks are among them.
    pub fn pipeline_executions(&self, name: &str) -> Vec<PipelineExecution> {
        self.world().code_pipeline.executions_of(name).cloned().collect()
    }

    /// Why the transition into a stage is closed, if it is.
    pub fn closed_transition(&self, pipeline: &str, stage: &str) -> Option<String> {
        let world = self.world();
        world.code_pipeline.pipeline(pipeline).transitions.get(stage)?.closed.clone()
    }

    /// Lets an action fail from now on, or succeed again.
    pub fn fail_action(&self, pipeline: &str, action: &str, fails: bool) {
        let mut world = self.world();
        let CodePipeline { pipelines, .. } = &mut world.code_pipeline;
        let known = pipelines.get_mut(pipeline).unwrap_or_else(|| panic!("no pipeline {pipeline:?}"));
        let mut actions = known.settings.stages.iter_mut().flat_map(|stage| &mut stage.actions);
        let found = actions.find(|known| known.name == action);
        found.unwrap_or_else(|| panic!("no action {action:?}")).fails = fails;
    }

    /// Answers every request to roll back, retry or stop with ConflictException for so long.
    pub fn keep_pipeline_busy(&self, name: &str, duration: Duration) {
        let mut world = self.world();
        let until = world.now + duration;
        world.code_pipeline.pipeline_mut(name).busy_until = Some(until);
    }

    /// Makes an execution too old for a rollback.
    pub fn outdate_execution(&self, id: &str) {
        self.world().code_pipeline.execution_mut(id).outdated = true;
    }

    /// Cancels an execution, as CodePipeline does when its stage is taken out of the pipeline.
    pub fn cancel_execution(&self, id: &str) {
        let mut world = self.world();
        world.give_up(id, "CANCELED", ExecutionStatus::Cancelled);
        let pipeline = world.code_pipeline.execution(id).pipeline.clone();
        world.evolve_pipeline(&pipeline);
    }
}
