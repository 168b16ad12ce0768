//! One execution of a pipeline, and what it did in each stage.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use super::approving::Verdict;
use super::breaking::Break;
use super::pipeline::Written;

/// The status of an execution, in the API's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExecutionStatus {
    /// Under way, or waiting before a stage.
    InProgress,
    /// Asked to stop; what is in progress may end.
    Stopping,
    /// Stopped by a request.
    Stopped,
    /// Through.
    Succeeded,
    /// Overtaken.
    Superseded,
    /// An action failed.
    Failed,
    /// The pipeline changed under it.
    Cancelled,
}

impl ExecutionStatus {
    /// The API's word.
    pub fn name(self) -> &'static str {
        match self {
            Self::InProgress => "InProgress",
            Self::Stopping => "Stopping",
            Self::Stopped => "Stopped",
            Self::Succeeded => "Succeeded",
            Self::Superseded => "Superseded",
            Self::Failed => "Failed",
            Self::Cancelled => "Cancelled",
        }
    }

    /// Whether nothing more will come of it, unless it is retried.
    pub fn is_over(self) -> bool {
        match self {
            Self::InProgress | Self::Stopping => false,
            Self::Stopped | Self::Succeeded | Self::Superseded | Self::Failed | Self::Cancelled => true,
        }
    }
}

/// The status of one run of an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActionStatus {
    /// Under way.
    InProgress,
    /// Given up; what it began may go on elsewhere.
    Abandoned,
    /// Done.
    Succeeded,
    /// Failed.
    Failed,
}

impl ActionStatus {
    /// The API's word.
    pub fn name(self) -> &'static str {
        match self {
            Self::InProgress => "InProgress",
            Self::Abandoned => "Abandoned",
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
        }
    }
}

/// One run of an action. A retry adds another.
#[derive(Debug, Clone)]
pub struct ActionRun {
    /// The action.
    pub action: String,
    /// Where it is.
    pub status: ActionStatus,
    /// What its provider knows it by: the deployment, for CodeDeploy; the build, for CodeBuild.
    pub external: Option<String>,
    /// What it said.
    pub summary: Option<String>,
    /// The code and the message of its failure, where more is known than what it said.
    pub error: Option<(String, String)>,
    /// What lets this run fail.
    pub(crate) broken: Option<Box<Break>>,
    pub(crate) id: String,
    pub(crate) started: Timestamp,
    pub(crate) updated: Timestamp,
    /// An approval's: who answers must know it. It is shown while the approval waits.
    pub(crate) token: Option<String>,
    /// An approval's answer.
    pub(crate) verdict: Option<Verdict>,
}

/// What an execution did in a stage.
#[derive(Debug, Clone)]
pub struct StageRun {
    /// The stage.
    pub stage: String,
    /// Where it is: the stage's words are those of an execution.
    pub status: ExecutionStatus,
    /// Every run of every action, oldest first.
    pub actions: Vec<ActionRun>,
    pub(crate) started: Timestamp,
    pub(crate) retried: Option<Timestamp>,
    /// The runs before this one were forgotten by a retry of all actions.
    pub(crate) counted_from: usize,
}

impl ActionRun {
    /// An approval's token while it waits for its answer.
    pub(crate) fn open_token(&self) -> Option<&str> {
        self.token.as_deref().filter(|_| self.status == ActionStatus::InProgress)
    }
}

impl StageRun {
    /// An action's newest run.
    pub(crate) fn last_of(&self, action: &str) -> Option<&ActionRun> {
        self.actions[self.counted_from..].iter().rev().find(|run| run.action == action)
    }

    pub(crate) fn in_progress(&self) -> impl Iterator<Item = usize> {
        self.actions
            .iter()
            .enumerate()
            .filter(|(_, run)| run.status == ActionStatus::InProgress)
            .map(|(index, _)| index)
    }
}

/// An execution, as the simulator knows it and as scripts may read it.
#[derive(Debug, Clone)]
pub struct PipelineExecution {
    /// A lower-case UUID.
    pub id: String,
    /// The pipeline.
    pub pipeline: String,
    /// The source revision's label in the script.
    pub label: String,
    /// Where it is.
    pub status: ExecutionStatus,
    /// The execution whose revision it brings back, if it is a rollback.
    pub target: Option<String>,
    /// When it started.
    pub started: Timestamp,
    /// The stages it entered, in order.
    pub stages: Vec<StageRun>,
    /// The stage before which it waits.
    pub waiting: Option<String>,
    pub(crate) commit: Written,
    pub(crate) updated: Timestamp,
    /// The structure's version when it started.
    pub(crate) version: i32,
    pub(crate) trigger: &'static str,
    pub(crate) stop_reason: Option<String>,
    /// 1, and one more after each retry.
    pub(crate) attempt: u32,
    /// (stage, action) → the revision that was given to CodeDeploy.
    pub(crate) sent: BTreeMap<(String, String), Value>,
    /// Whether its source was fetched.
    pub(crate) has_source: bool,
    /// Too old for a rollback, by a script's word.
    pub(crate) outdated: bool,
}

impl PipelineExecution {
    pub(crate) fn stage(&self, name: &str) -> Option<&StageRun> {
        self.stages.iter().find(|run| run.stage == name)
    }

    pub(crate) fn stage_mut(&mut self, name: &str) -> &mut StageRun {
        self.stages.iter_mut().find(|run| run.stage == name).expect("a stage that was entered")
    }

    /// The stage it is in.
    pub(crate) fn inside(&self) -> Option<&StageRun> {
        self.stages.iter().find(|run| !run.status.is_over())
    }

    pub(crate) fn is_inside(&self, stage: &str) -> bool {
        self.stage(stage).is_some_and(|run| !run.status.is_over())
    }

    pub(crate) fn succeeded_in(&self, stage: &str) -> bool {
        self.stage(stage).is_some_and(|run| run.status == ExecutionStatus::Succeeded)
    }

    pub(crate) fn type_name(&self) -> &'static str {
        if self.target.is_some() { "ROLLBACK" } else { "STANDARD" }
    }
}
