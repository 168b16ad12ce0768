//! AWS CodePipeline: pipelines, and the executions that go through their stages.
//!
//! `evolution` moves executions from stage to stage, `working` the actions inside a stage, `reading`,
//! `state` and `listing` answer questions, `operations`, `approving`, `returning` and `ending` change
//! things,
//! `announcement` raises the events, `declaring` says what each action is, `breaking` lets actions fail for a reason, `notifying` tells
//! topics of approvals.

use std::collections::BTreeMap;

use jiff::Timestamp;

mod announcement;
mod approving;
pub(crate) mod breaking;
mod commits;
mod declaring;
mod ending;
mod evolution;
pub(crate) mod execution;
mod listing;
mod notifying;
mod operations;
pub(crate) mod pipeline;
mod reading;
mod returning;
mod scripting;
mod state;
mod working;

use execution::PipelineExecution;
use pipeline::Pipeline;

/// Who the simulator's scripts and callers are to CodePipeline.
pub(crate) const CALLER: &str = "arn:aws:sts::123456789012:assumed-role/Admin/my-user";

/// A transition into a stage that somebody closed or opened again.
#[derive(Debug, Clone)]
pub(crate) struct Transition {
    /// The reason, while it is closed.
    pub(crate) closed: Option<String>,
    pub(crate) changed: Timestamp,
}

/// A pipeline in the simulator's state.
#[derive(Debug)]
pub(crate) struct PipelineState {
    pub(crate) settings: Pipeline,
    /// The structure's version.
    pub(crate) version: i32,
    pub(crate) created: Timestamp,
    pub(crate) updated: Timestamp,
    /// Execution ids, oldest first.
    pub(crate) executions: Vec<String>,
    /// Stage → its inbound transition, where it was ever changed.
    pub(crate) transitions: BTreeMap<String, Transition>,
    /// Stage → the execution that entered it last.
    pub(crate) latest: BTreeMap<String, String>,
    /// What a script lets go wrong, in the order of its wishes.
    pub(crate) broken: Vec<breaking::Broken>,
    /// Until then requests to change something are answered with ConflictException.
    pub(crate) busy_until: Option<Timestamp>,
}

impl PipelineState {
    pub(crate) fn is_closed(&self, stage: &str) -> bool {
        self.transitions.get(stage).is_some_and(|transition| transition.closed.is_some())
    }

    pub(crate) fn place_of(&self, stage: &str) -> Option<usize> {
        self.settings.stages.iter().position(|known| known.name == stage)
    }
}

/// The state of the service.
#[derive(Debug, Default)]
pub(crate) struct CodePipeline {
    pub(crate) pipelines: BTreeMap<String, PipelineState>,
    pub(crate) executions: BTreeMap<String, PipelineExecution>,
    /// A source revision's label → when its commit was made, by a script's word.
    pub(crate) commits: BTreeMap<String, Timestamp>,
}

impl CodePipeline {
    pub(crate) fn pipeline(&self, name: &str) -> &PipelineState {
        self.pipelines.get(name).unwrap_or_else(|| panic!("no pipeline {name:?} was created"))
    }

    pub(crate) fn pipeline_mut(&mut self, name: &str) -> &mut PipelineState {
        self.pipelines.get_mut(name).unwrap_or_else(|| panic!("no pipeline {name:?} was created"))
    }

    pub(crate) fn execution(&self, id: &str) -> &PipelineExecution {
        self.executions.get(id).unwrap_or_else(|| panic!("no pipeline execution {id:?}"))
    }

    pub(crate) fn execution_mut(&mut self, id: &str) -> &mut PipelineExecution {
        self.executions.get_mut(id).unwrap_or_else(|| panic!("no pipeline execution {id:?}"))
    }

    /// A pipeline's executions, oldest first.
    pub(crate) fn executions_of(
        &self,
        pipeline: &str,
    ) -> impl DoubleEndedIterator<Item = &PipelineExecution> {
        self.pipeline(pipeline).executions.iter().map(|id| self.execution(id))
    }

    /// The executions inside a stage: never more than one, but in PARALLEL mode.
    pub(crate) fn occupant(&self, pipeline: &str, stage: &str) -> Option<&PipelineExecution> {
        self.executions_of(pipeline).find(|execution| execution.is_inside(stage))
    }
}
