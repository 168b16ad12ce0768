//! CodePipeline's API: which operation, what must be there, and the transitions. Limits, patterns and
//! error names are those of the botocore model.

use serde_json::{Value, json};

use super::execution::PipelineExecution;
use super::{PipelineState, Transition};
use crate::refusal::{Answer, Refusal};
use crate::world::World;

/// The longest name of a pipeline, a stage or an action.
const NAME: usize = 100;
/// The longest reason to close a transition.
const REASON: usize = 300;

impl World {
    /// Answers an operation; `None` when it is not modelled.
    pub(crate) fn code_pipeline(&mut self, operation: &str, input: &Value) -> Option<Answer> {
        Some(match operation {
            "GetPipeline" => self.get_pipeline(input),
            "GetPipelineState" => self.get_pipeline_state(input),
            "GetPipelineExecution" => self.get_pipeline_execution(input),
            "ListPipelineExecutions" => self.list_pipeline_executions(input),
            "ListActionExecutions" => self.list_action_executions(input),
            "RollbackStage" => self.rollback_stage(input),
            "RetryStageExecution" => self.retry_stage_execution(input),
            "PutApprovalResult" => self.put_approval_result(input),
            "StopPipelineExecution" => self.stop_pipeline_execution(input),
            "DisableStageTransition" => self.change_transition(input, true),
            "EnableStageTransition" => self.change_transition(input, false),
            _ => return None,
        })
    }

    /// The pipeline that `member` names.
    pub(super) fn asked_pipeline(&self, input: &Value, member: &str) -> Result<&PipelineState, Refusal> {
        let name = asked_name(input, member)?;
        self.code_pipeline.pipelines.get(name).ok_or_else(|| {
            Refusal::new(
                "PipelineNotFoundException",
                format!("Account '123456789012' does not have a pipeline with name '{name}'"),
            )
        })
    }

    /// The stage's name and place.
    pub(super) fn asked_stage<'a>(
        known: &PipelineState,
        input: &'a Value,
    ) -> Result<(&'a str, usize), Refusal> {
        let name = asked_name(input, "stageName")?;
        let place = known.place_of(name).ok_or_else(|| {
            Refusal::new(
                "StageNotFoundException",
                format!("Stage '{name}' is not in pipeline '{}'", known.settings.name),
            )
        })?;
        Ok((name, place))
    }

    /// An execution of this pipeline; `None` if it has no such one.
    pub(super) fn asked_execution(
        &self,
        known: &PipelineState,
        input: &Value,
        member: &str,
    ) -> Result<Option<&PipelineExecution>, Refusal> {
        let id = asked_id(input, member)?;
        let execution = self.code_pipeline.executions.get(id);
        Ok(execution.filter(|execution| execution.pipeline == known.settings.name))
    }

    /// "The pipeline is busy handling ongoing activities." (botocore model)
    pub(super) fn not_busy(&self, known: &PipelineState) -> Result<(), Refusal> {
        match known.busy_until {
            Some(until) if self.now < until => Err(Refusal {
                status: 409,
                ..Refusal::new(
                    "ConflictException",
                    "Your request cannot be handled because the pipeline is busy handling ongoing activities. Try again later.",
                )
            }),
            Some(_) | None => Ok(()),
        }
    }

    /// A stage's outbound transition is the inbound one of the stage behind it. Closing what is closed,
    /// or opening what is open, is harmless (unverified).
    fn change_transition(&mut self, input: &Value, close: bool) -> Answer {
        let known = self.asked_pipeline(input, "pipelineName")?;
        let (_, place) = Self::asked_stage(known, input)?;
        let place = match input["transitionType"].as_str() {
            Some("Inbound") => place,
            Some("Outbound") => place + 1,
            Some(_) | None => return Err(invalid("transitionType", "be one of [Inbound, Outbound]")),
        };
        let reason = if close { Some(asked_reason(input)?) } else { None };
        let name = known.settings.name.clone();
        if let Some(stage) = known.settings.stages.get(place).map(|stage| stage.name.clone()) {
            let transition = Transition { closed: reason, changed: self.now };
            self.code_pipeline.pipeline_mut(&name).transitions.insert(stage, transition);
            self.evolve_pipeline(&name);
        }
        Ok(json!({}))
    }
}

/// A required name: 1 to 100 of `[A-Za-z0-9.@\-_]`.
pub(super) fn asked_name<'a>(input: &'a Value, member: &str) -> Result<&'a str, Refusal> {
    let name = input[member].as_str().unwrap_or_default();
    let well_formed = |c: char| c.is_ascii_alphanumeric() || ".@-_".contains(c);
    if (1..=NAME).contains(&name.len()) && name.chars().all(well_formed) {
        Ok(name)
    } else {
        Err(invalid(member, "satisfy regular expression pattern: [A-Za-z0-9.@\\-_]+"))
    }
}

/// A required execution id: a lower-case UUID.
pub(super) fn asked_id<'a>(input: &'a Value, member: &str) -> Result<&'a str, Refusal> {
    let id = input[member].as_str().unwrap_or_default();
    let lengths: Vec<usize> = id.split('-').map(str::len).collect();
    let digits = id.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f' | '-'));
    if digits && lengths == [8, 4, 4, 4, 12] { Ok(id) } else { Err(invalid(member, "be a lower-case UUID")) }
}

/// The reason for closing a transition: 1 to 300 of few characters.
fn asked_reason(input: &Value) -> Result<String, Refusal> {
    let reason = input["reason"].as_str().unwrap_or_default();
    let well_formed = |c: char| c.is_ascii_alphanumeric() || "!@ ().*?-".contains(c);
    if (1..=REASON).contains(&reason.chars().count()) && reason.chars().all(well_formed) {
        Ok(reason.to_owned())
    } else {
        Err(invalid("reason", "satisfy regular expression pattern: [a-zA-Z0-9!@ \\(\\)\\.\\*\\?\\-]+"))
    }
}

pub(super) fn invalid(member: &str, must: &str) -> Refusal {
    Refusal::new(
        "ValidationException",
        format!(
            "1 validation error detected: Value at '{member}' failed to satisfy constraint: Member must {must}"
        ),
    )
}
