//! What a source action finds out about the commit that it fetched.

use jiff::Timestamp;

use super::execution::{ActionRun, ActionStatus, PipelineExecution};
use super::pipeline::{Action, Work};
use crate::simulator::Simulator;
use crate::world::World;

impl Simulator {
    /// Says when the commit of a source revision such as `v42` was made. Its source actions have output variables then,
    /// those of a connection to GitHub (CodePipeline User Guide, "Variables reference"); those of others have none here.
    /// In which form AWS writes `AuthorDate` is not verified: the CDK calls it ISO-8601.
    pub fn commit_made(&self, label: &str, at: Timestamp) {
        self.world().code_pipeline.commits.insert(label.to_owned(), at);
    }
}

impl World {
    /// When the commit was made that a source action has fetched, if a script says so.
    pub(super) fn made(
        &self,
        execution: &PipelineExecution,
        action: &Action,
        run: &ActionRun,
    ) -> Option<String> {
        let made = self.code_pipeline.commits.get(&execution.label)?;
        let fetched = matches!(action.work, Work::Source { .. }) && run.status == ActionStatus::Succeeded;
        fetched.then(|| made.to_string())
    }
}
