//! CodePipeline: what a person says to a stage. Answers to manual approvals, and running again what failed.

use crate::aws::client::Call as _;
use std::fmt;

use aws_sdk_codepipeline::{
    operation::{
        get_pipeline_state::GetPipelineStateInput, put_approval_result::PutApprovalResultInput,
        retry_stage_execution::RetryStageExecutionInput,
    },
    types::{
        ActionExecution, ActionExecutionStatus, ApprovalResult, ApprovalStatus, StageRetryMode, StageState,
    },
};

use super::{ActionRun, CodePipeline};
use crate::{aws::AwsError, release::Stage};

/// What CodePipeline knows an approval that waits by: who has it and may call PutApprovalResult can answer. Not shown.
#[derive(Clone, PartialEq, Eq)]
pub struct ApprovalToken(String);

impl fmt::Debug for ApprovalToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApprovalToken(…)")
    }
}

/// How a manual approval stands, for one execution.
#[derive(Clone, PartialEq, Eq)]
pub enum ApprovalState {
    /// It waits for an answer.
    Waiting {
        /// To answer with.
        token: ApprovalToken,
    },
    /// It was answered, or nobody answered in time: then it counts as refused, by nobody.
    Answered {
        /// Whether the execution may go on.
        approved: bool,
        /// Who answered, as an ARN, where CodePipeline says so. For Belay's own answers that is the function's role.
        by: Option<String>,
        /// What they said with it. Text from outside.
        summary: Option<String>,
    },
    /// This execution is not asked there, or not any more: it was stopped, or another one has the stage.
    Gone,
}

impl fmt::Debug for ApprovalState {
    /// Who answered, and what they wrote, never reaches a log line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Waiting { token } => f.debug_struct("Waiting").field("token", token).finish(),
            Self::Answered { approved, by: _, summary: _ } => {
                f.debug_struct("Answered").field("approved", approved).finish_non_exhaustive()
            }
            Self::Gone => f.write_str("Gone"),
        }
    }
}

/// What CodePipeline made of an answer to an approval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApprovalAnswer {
    /// It took it.
    Taken,
    /// It has an answer, or the time for one is over. It may be our own answer, sent again after it was lost: look at
    /// the approval.
    AnsweredBefore,
}

/// What CodePipeline made of a request to run a stage's failed actions again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RetryAnswer {
    /// They run again.
    Started,
    /// They cannot be run again now, with what CodePipeline said.
    NotPossible(String),
}

/// The longest summary of an answer (PutApprovalResult).
const SUMMARY: usize = 512;

impl CodePipeline {
    /// How a manual approval stands for an execution. A stage shows its latest execution only, and in PARALLEL mode no
    /// token: what it does not show is looked up by the execution (PutApprovalResult, `token`).
    ///
    /// # Errors
    /// When CodePipeline does not tell, or in words that this version does not know.
    pub async fn approval(
        &self,
        stage: &Stage,
        action: &str,
        execution: &str,
    ) -> Result<ApprovalState, AwsError> {
        const OPERATION: &str = "codepipeline:GetPipelineState";
        let subject = subject(stage, action);
        let output = GetPipelineStateInput::builder()
            .name(&stage.pipeline)
            .sent_by(&self.client)
            .await
            .map_err(|error| AwsError::from_sdk(OPERATION, &subject, &error))?;
        let found = output.stage_states().iter().find(|state| state.stage_name() == Some(&stage.stage));
        match found {
            Some(found) if is_of(found, execution) && shows_it(found, action) => {
                in_stage(found, action, execution)
                    .map_err(|why| AwsError::unreadable(OPERATION, &subject, why))
            }
            Some(_) | None => {
                let runs = self.actions(&stage.pipeline, execution).await?;
                in_runs(&runs, stage, action)
                    .map_err(|why| AwsError::unreadable("codepipeline:ListActionExecutions", &subject, why))
            }
        }
    }

    /// Answers a manual approval. The summary is cut after 512 characters; it is where the approver is named, since
    /// CodePipeline itself sees the function's role only.
    ///
    /// # Errors
    /// When CodePipeline did not take it. That it has an answer is an answer.
    pub async fn answer_approval(
        &self,
        stage: &Stage,
        action: &str,
        token: &ApprovalToken,
        approved: bool,
        summary: &str,
    ) -> Result<ApprovalAnswer, AwsError> {
        const OPERATION: &str = "codepipeline:PutApprovalResult";
        let subject = subject(stage, action);
        let status = if approved { ApprovalStatus::Approved } else { ApprovalStatus::Rejected };
        let result = ApprovalResult::builder()
            .status(status)
            .summary(summary.chars().take(SUMMARY).collect::<String>())
            .build()
            .map_err(|error| AwsError::unreadable(OPERATION, &subject, error.to_string()))?;
        let sent = PutApprovalResultInput::builder()
            .pipeline_name(&stage.pipeline)
            .stage_name(&stage.stage)
            .action_name(action)
            .token(&token.0)
            .result(result)
            .sent_by(&self.client)
            .await;
        let Err(error) = sent else { return Ok(ApprovalAnswer::Taken) };
        let error = AwsError::from_sdk(OPERATION, &subject, &error);
        match error.code.as_deref() {
            Some("InvalidApprovalTokenException" | "ApprovalAlreadyCompletedException") => {
                Ok(ApprovalAnswer::AnsweredBefore)
            }
            // What it says of a request that it finds wrong may quote the token or the summary.
            Some("ValidationException") => Err(AwsError {
                why: "AWS says ValidationException: it finds something wrong with the request".to_owned(),
                ..error
            }),
            Some(_) | None => Err(error),
        }
    }

    /// Runs the failed actions of a stage again, in the same execution.
    ///
    /// A call whose answer was lost may have begun it: look at the stage before asking again.
    ///
    /// # Errors
    /// When it is not known whether CodePipeline took it. That it cannot or will not is an answer.
    pub async fn retry(&self, stage: &Stage, execution: &str) -> Result<RetryAnswer, AwsError> {
        const OPERATION: &str = "codepipeline:RetryStageExecution";
        let sent = RetryStageExecutionInput::builder()
            .pipeline_name(&stage.pipeline)
            .stage_name(&stage.stage)
            .pipeline_execution_id(execution)
            .retry_mode(StageRetryMode::FailedActions)
            // As with a rollback: the second one would be refused because of the first.
            .sent_by(&self.client.once())
            .await;
        let Err(error) = sent else { return Ok(RetryAnswer::Started) };
        let error = AwsError::from_sdk(OPERATION, stage, &error);
        match error.code.as_deref() {
            Some(
                "StageNotRetryableException"
                | "NotLatestPipelineExecutionException"
                | "ConcurrentPipelineExecutionsLimitExceededException"
                | "ConflictException"
                | "PipelineNotFoundException"
                | "StageNotFoundException",
            ) => Ok(RetryAnswer::NotPossible(error.why)),
            Some(_) | None => Err(error),
        }
    }
}

fn subject(stage: &Stage, action: &str) -> String {
    format!("{stage}, action {action}")
}

/// Whether a stage shows this execution.
fn is_of(state: &StageState, execution: &str) -> bool {
    state.latest_execution().is_some_and(|latest| latest.pipeline_execution_id() == execution)
}

/// Whether a stage shows how an action stands: with its token, while it waits.
fn shows_it(state: &StageState, action: &str) -> bool {
    let shown = state.action_states().iter().find(|shown| shown.action_name() == Some(action));
    let run = shown.and_then(|shown| shown.latest_execution());
    run.is_some_and(|run| run.status() != Some(&ActionExecutionStatus::InProgress) || run.token().is_some())
}

/// How an approval stands by what its stage shows.
fn in_stage(state: &StageState, action: &str, execution: &str) -> Result<ApprovalState, String> {
    let is_its = is_of(state, execution);
    let run = state
        .action_states()
        .iter()
        .find(|state| state.action_name() == Some(action))
        .and_then(|state| state.latest_execution());
    match run {
        Some(run) if is_its => in_run(run),
        Some(_) | None => Ok(ApprovalState::Gone),
    }
}

fn in_run(run: &ActionExecution) -> Result<ApprovalState, String> {
    let told = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
    let answered = |approved| ApprovalState::Answered {
        approved,
        by: told(run.last_updated_by()),
        summary: told(run.summary()),
    };
    match run.status() {
        Some(ActionExecutionStatus::InProgress) => match told(run.token()) {
            Some(token) => Ok(ApprovalState::Waiting { token: ApprovalToken(token) }),
            None => Err("the action is in progress, and has no token of an approval".to_owned()),
        },
        Some(ActionExecutionStatus::Succeeded) => Ok(answered(true)),
        Some(ActionExecutionStatus::Failed) => Ok(answered(false)),
        Some(ActionExecutionStatus::Abandoned) => Ok(ApprovalState::Gone),
        Some(other) => Err(format!("the action's status is {}", other.as_str())),
        // It did not run in this execution yet.
        None => Ok(ApprovalState::Gone),
    }
}

/// How an approval stands by an execution's runs, newest first. They do not say who answered.
fn in_runs(runs: &[ActionRun], stage: &Stage, action: &str) -> Result<ApprovalState, String> {
    let Some(run) = runs.iter().find(|run| run.stage == stage.stage && run.action == action) else {
        return Ok(ApprovalState::Gone);
    };
    let summary = || run.detail.summary.clone();
    let answered = |approved| ApprovalState::Answered { approved, by: None, summary: summary() };
    match (run.status.as_str(), &run.external) {
        ("InProgress", Some(token)) => Ok(ApprovalState::Waiting { token: ApprovalToken(token.clone()) }),
        ("InProgress", None) => Err("the action is in progress, and has no token of an approval".to_owned()),
        ("Succeeded", _) => Ok(answered(true)),
        ("Failed", _) => Ok(answered(false)),
        ("Abandoned", _) => Ok(ApprovalState::Gone),
        (other, _) => Err(format!("the action's status is {other}")),
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_codepipeline::types::{ActionState, StageExecution, StageExecutionStatus};

    use super::*;

    fn state(execution: &str, run: ActionExecution) -> StageState {
        let latest = StageExecution::builder()
            .pipeline_execution_id(execution)
            .status(StageExecutionStatus::InProgress)
            .build()
            .expect("an execution");
        let other = ActionState::builder().action_name("Deploy").build();
        let action = ActionState::builder().action_name("Approve").latest_execution(run).build();
        StageState::builder()
            .stage_name("Prod")
            .latest_execution(latest)
            .action_states(other)
            .action_states(action)
            .build()
    }

    fn run(status: &str) -> aws_sdk_codepipeline::types::builders::ActionExecutionBuilder {
        ActionExecution::builder().status(ActionExecutionStatus::from(status))
    }

    #[test]
    fn an_approval_waits_for_its_own_execution_only() {
        let waiting = state("e-1", run("InProgress").token("made-up").build());
        let token = ApprovalToken("made-up".to_owned());
        assert_eq!(in_stage(&waiting, "Approve", "e-1"), Ok(ApprovalState::Waiting { token }));
        assert_eq!(in_stage(&waiting, "Approve", "e-2"), Ok(ApprovalState::Gone));
        assert_eq!(in_stage(&waiting, "Deploy", "e-1"), Ok(ApprovalState::Gone));
        assert_eq!(in_stage(&waiting, "Other", "e-1"), Ok(ApprovalState::Gone));
    }

    #[test]
    fn an_answer_says_whose_it_is() {
        let approved = run("Succeeded").last_updated_by("arn:made-up").summary("go").build();
        let expected = ApprovalState::Answered {
            approved: true,
            by: Some("arn:made-up".to_owned()),
            summary: Some("go".to_owned()),
        };
        assert_eq!(in_run(&approved), Ok(expected));
        let expired = ApprovalState::Answered { approved: false, by: None, summary: None };
        assert_eq!(in_run(&run("Failed").summary("").build()), Ok(expired));
        assert_eq!(in_run(&run("Abandoned").build()), Ok(ApprovalState::Gone));
    }

    #[test]
    fn what_is_not_understood_is_no_answer() {
        assert!(in_run(&run("InProgress").build()).is_err());
        assert!(in_run(&run("Paused").token("made-up").build()).is_err());
    }

    #[test]
    fn neither_a_token_nor_a_person_is_shown() {
        let waiting = in_run(&run("InProgress").token("made-up").build()).expect("it waits");
        let answered = in_run(&run("Failed").last_updated_by("made-up").summary("made-up").build());
        let shown = format!("{waiting:?} {answered:?}");
        assert_eq!(shown, "Waiting { token: ApprovalToken(…) } Ok(Answered { approved: false, .. })");
    }

    #[test]
    fn an_approval_of_a_parallel_pipeline_is_found_by_its_execution() {
        let stage = Stage { pipeline: "orders".to_owned(), stage: "Prod".to_owned() };
        let at = "2026-03-05T14:00:00Z".parse().expect("a time");
        let one = |stage: &str, status: &str, external: Option<&str>| ActionRun {
            stage: stage.to_owned(),
            action: "Approve".to_owned(),
            provider: Some("Manual".to_owned()),
            status: status.to_owned(),
            started: at,
            updated: at,
            external: external.map(str::to_owned),
            variables: std::collections::BTreeMap::new(),
            detail: super::super::ActionDetail::default(),
        };
        let runs = [one("Test", "Succeeded", None), one("Prod", "InProgress", Some("made-up"))];
        let token = ApprovalToken("made-up".to_owned());
        assert_eq!(in_runs(&runs, &stage, "Approve"), Ok(ApprovalState::Waiting { token }));
        assert_eq!(in_runs(&runs[..1], &stage, "Approve"), Ok(ApprovalState::Gone));
        assert_eq!(in_runs(&runs, &stage, "Other"), Ok(ApprovalState::Gone));
        assert!(in_runs(&[one("Prod", "InProgress", None)], &stage, "Approve").is_err());
        assert!(in_runs(&[one("Prod", "Paused", None)], &stage, "Approve").is_err());
        let mut refused = one("Prod", "Failed", None);
        refused.detail.summary = Some("not today".to_owned());
        let expected =
            ApprovalState::Answered { approved: false, by: None, summary: Some("not today".to_owned()) };
        assert_eq!(in_runs(&[refused], &stage, "Approve"), Ok(expected));
    }
}
