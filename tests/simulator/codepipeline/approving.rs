//! Manual approvals: PutApprovalResult, and people in the console.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::CALLER;
use super::execution::{ActionRun, ActionStatus};
use super::operations::{asked_id, asked_name, invalid};
use crate::refusal::{Answer, Refusal};
use crate::simulator::Simulator;
use crate::stamps::epoch_seconds;
use crate::world::World;

/// The longest summary, in characters.
const SUMMARY: usize = 512;

/// Somebody's answer to an approval action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) approved: bool,
    pub(crate) summary: String,
    /// The ARN of who gave it.
    pub(crate) by: String,
    pub(crate) at: Timestamp,
}

impl Simulator {
    /// Approves what waits in a stage, or rejects it, as a person would.
    pub fn approve(&self, pipeline: &str, stage: &str, approved: bool, summary: &str) {
        self.decide(pipeline, stage, None, approved, CALLER, summary);
    }

    /// Answers one approval action as somebody does in the console: `arn` is who.
    pub fn approve_in_console(
        &self,
        pipeline: &str,
        stage: &str,
        action: &str,
        approved: bool,
        arn: &str,
        summary: &str,
    ) {
        self.decide(pipeline, stage, Some(action), approved, arn, summary);
    }

    fn decide(
        &self,
        pipeline: &str,
        stage: &str,
        action: Option<&str>,
        approved: bool,
        by: &str,
        summary: &str,
    ) {
        let mut world = self.world();
        let at = world.now;
        let occupant = world.code_pipeline.occupant(pipeline, stage).map(|execution| execution.id.clone());
        let id = occupant.unwrap_or_else(|| panic!("nothing waits in the stage {stage:?}"));
        let run = world.code_pipeline.execution_mut(&id).stage_mut(stage);
        let waiting = run
            .actions
            .iter_mut()
            .find(|run| run.is_asking() && action.is_none_or(|action| action == run.action));
        let waiting = waiting.unwrap_or_else(|| panic!("no approval waits in the stage {stage:?}"));
        waiting.verdict = Some(Verdict { approved, summary: summary.to_owned(), by: by.to_owned(), at });
        world.evolve_pipeline(pipeline);
    }
}

impl ActionRun {
    /// Whether a person's answer would count.
    fn is_asking(&self) -> bool {
        self.status == ActionStatus::InProgress && self.token.is_some() && self.verdict.is_none()
    }
}

impl World {
    /// When it is which error is not documented: the token of a run that somebody answered is
    /// ApprovalAlreadyCompletedException here, every other one that is not waited for InvalidApprovalTokenException,
    /// such as that of an expired, abandoned or retried one.
    pub(super) fn put_approval_result(&mut self, input: &Value) -> Answer {
        let approved = match input["result"]["status"].as_str() {
            Some("Approved") => true,
            Some("Rejected") => false,
            Some(_) | None => return Err(invalid("result.status", "be one of [Approved, Rejected]")),
        };
        let summary = input["result"]["summary"]
            .as_str()
            .filter(|summary| summary.chars().count() <= SUMMARY)
            .ok_or_else(|| invalid("result.summary", "have length less than or equal to 512"))?;
        let token = asked_id(input, "token")?;
        let action = asked_name(input, "actionName")?;
        let known = self.asked_pipeline(input, "pipelineName")?;
        let (stage, place) = Self::asked_stage(known, input)?;
        let pipeline = known.settings.name.clone();
        if !known.settings.stages[place].actions.iter().any(|known| known.name == action) {
            return Err(Refusal::new(
                "ActionNotFoundException",
                format!("Action '{action}' is not in stage '{stage}' of pipeline '{pipeline}'"),
            ));
        }
        let now = self.now;
        let mut runs = known
            .executions
            .iter()
            .filter_map(|id| self.code_pipeline.execution(id).stage(stage).map(|run| (id, run)))
            .flat_map(|(id, stage)| {
                stage.actions.iter().enumerate().map(move |(index, run)| (id, index, run))
            })
            .filter(|(_, _, run)| run.action == action);
        let invalid_token = || {
            Refusal::new(
                "InvalidApprovalTokenException",
                "The approval request already received a response or has expired.",
            )
        };
        let (id, index, run) =
            runs.find(|(_, _, run)| run.token.as_deref() == Some(token)).ok_or_else(invalid_token)?;
        if run.verdict.is_some() {
            return Err(Refusal::new(
                "ApprovalAlreadyCompletedException",
                "The approval action has already been approved or rejected.",
            ));
        }
        if run.status != ActionStatus::InProgress {
            return Err(invalid_token());
        }
        let (id, stage) = (id.clone(), stage.to_owned());
        let run = &mut self.code_pipeline.execution_mut(&id).stage_mut(&stage).actions[index];
        run.verdict = Some(Verdict { approved, summary: summary.to_owned(), by: CALLER.to_owned(), at: now });
        self.evolve_pipeline(&pipeline);
        Ok(json!({ "approvedAt": epoch_seconds(now) }))
    }
}
