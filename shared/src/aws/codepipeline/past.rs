//! CodePipeline: what an execution brought and did, to be held against another one; and which execution waits for an
//! approval.

use crate::aws::client::Call as _;
use std::collections::BTreeMap;

use aws_sdk_codepipeline::{
    operation::{
        get_pipeline_state::GetPipelineStateInput, list_action_executions::ListActionExecutionsInput,
        list_pipeline_executions::ListPipelineExecutionsInput,
    },
    types::{ActionExecutionDetail, ActionExecutionFilter, ActionExecutionStatus, PipelineExecutionSummary},
};
use jiff::{SignedDuration, Timestamp};

use super::{ActionRun, CodePipeline, ExecutionSummary, action_run, execution_summary};
use crate::{
    approval::NotifiedToken,
    aws::AwsError,
    release::{ReleaseId, Stage},
};

/// The most pages of a listing that are read: 300 executions, or runs of actions.
const PAGES: usize = 3;
/// As many as AWS gives on a page.
const PAGE: i32 = 100;
/// How long before a deployment the action that makes it may have started. It makes it at once; the rest is for clocks, and
/// for calls that had to be repeated.
const BEFORE: SignedDuration = SignedDuration::from_hours(1);

/// An execution with all of its source revisions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastExecution {
    /// What else there is to say of it.
    pub summary: ExecutionSummary,
    /// What it brought, one for each source action. None while its sources are being fetched.
    pub sources: Vec<SourceRevision>,
}

/// What a source action brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceRevision {
    /// The action.
    pub action: String,
    /// The revision's id: a commit's, an image's digest, an object's version.
    pub id: Option<String>,
    /// Its summary, for a commit its message. Text from outside.
    pub summary: Option<String>,
}

/// One run of an action, with what it was told and what it found out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunInFull {
    /// What else there is to say of it.
    pub run: ActionRun,
    /// Its configuration, with the values of that execution in the places of variables. It may hold secrets.
    pub configuration: BTreeMap<String, String>,
}

/// An execution that waits for a person, and the run of the action that does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitingRun {
    /// The execution.
    pub execution: String,
    /// The action's run, by its `actionExecutionId`.
    pub run: String,
}

impl CodePipeline {
    /// A pipeline's executions back to the one that started at `since`, newest first, and whether that far was looked:
    /// at most 300 are.
    ///
    /// # Errors
    /// When CodePipeline does not tell.
    pub async fn past(
        &self,
        pipeline: &str,
        since: Option<Timestamp>,
    ) -> Result<(Vec<PastExecution>, bool), AwsError> {
        const OPERATION: &str = "codepipeline:ListPipelineExecutions";
        let (mut past, mut next) = (Vec::new(), None);
        for _ in 0..PAGES {
            let page = ListPipelineExecutionsInput::builder()
                .pipeline_name(pipeline)
                .max_results(PAGE)
                .set_next_token(next)
                .sent_by(&self.client)
                .await
                .map_err(|error| AwsError::from_sdk(OPERATION, pipeline, &error))?;
            for summary in page.pipeline_execution_summaries() {
                past.push(past_execution(OPERATION, pipeline, summary)?);
            }
            next = page.next_token().filter(|token| !token.is_empty()).map(str::to_owned);
            let far_enough =
                past.last().zip(since).is_some_and(|(last, since)| last.summary.started <= since);
            if next.is_none() || far_enough {
                return Ok((past, true));
            }
        }
        Ok((past, false))
    }

    /// The runs of an execution's actions, newest first: at most 300.
    ///
    /// # Errors
    /// When CodePipeline does not tell.
    pub async fn runs_in_full(&self, pipeline: &str, execution: &str) -> Result<Vec<RunInFull>, AwsError> {
        const OPERATION: &str = "codepipeline:ListActionExecutions";
        let filter = ActionExecutionFilter::builder().pipeline_execution_id(execution).build();
        let details = self.details(OPERATION, pipeline, Some(filter), |_| false).await?;
        details.iter().map(|detail| run_in_full(OPERATION, execution, detail)).collect()
    }

    /// The execution whose approval waits for this token; none if none does any more. Stages of PARALLEL pipelines show no
    /// token: there it is the `externalExecutionId` of the action that is in progress (PutApprovalResult, `token`).
    ///
    /// # Errors
    /// When CodePipeline does not tell.
    pub async fn waiting_for(
        &self,
        stage: &Stage,
        action: &str,
        token: &NotifiedToken,
    ) -> Result<Option<WaitingRun>, AwsError> {
        const OPERATION: &str = "codepipeline:GetPipelineState";
        const LISTING: &str = "codepipeline:ListActionExecutions";
        let subject = format!("{stage}, action {action}");
        let output = GetPipelineStateInput::builder()
            .name(&stage.pipeline)
            .sent_by(&self.client)
            .await
            .map_err(|error| AwsError::from_sdk(OPERATION, &subject, &error))?;
        let found = output.stage_states().iter().find(|found| found.stage_name() == Some(&stage.stage));
        let shown = found.and_then(|found| {
            let run = found.action_states().iter().find(|shown| shown.action_name() == Some(action));
            let run = run.and_then(|shown| shown.latest_execution())?;
            let waits = run.status() == Some(&ActionExecutionStatus::InProgress);
            (waits && run.token().is_some_and(|shown| token.is(shown)))
                .then_some((found.latest_execution()?, run))
        });
        if let Some((execution, run)) = shown {
            let unnamed =
                || AwsError::unreadable(OPERATION, &subject, "the action's run has no actionExecutionId");
            let run = run.action_execution_id().ok_or_else(unnamed)?.to_owned();
            return Ok(Some(WaitingRun { execution: execution.pipeline_execution_id().to_owned(), run }));
        }
        let is_it = |detail: &ActionExecutionDetail| {
            let result = detail.output().and_then(|output| output.execution_result());
            detail.stage_name() == Some(&stage.stage)
                && detail.action_name() == Some(action)
                && detail.status() == Some(&ActionExecutionStatus::InProgress)
                && result.and_then(|result| result.external_execution_id()).is_some_and(|id| token.is(id))
        };
        let details = self.details(LISTING, &stage.pipeline, None, is_it).await?;
        let Some(found) = details.iter().find(|detail| is_it(detail)) else { return Ok(None) };
        let lacks =
            |what: &str| AwsError::unreadable(LISTING, &subject, format!("the action's run has no {what}"));
        Ok(Some(WaitingRun {
            execution: found.pipeline_execution_id().ok_or_else(|| lacks("pipelineExecutionId"))?.to_owned(),
            run: found.action_execution_id().ok_or_else(|| lacks("actionExecutionId"))?.to_owned(),
        }))
    }

    /// The execution of which an action made a deployment that was created at `created`; none if none of the pipeline did.
    ///
    /// # Errors
    /// When CodePipeline does not tell, or not yet, or so much has run since that it is not looked at.
    pub async fn maker(
        &self,
        pipeline: &str,
        deployment: &ReleaseId,
        created: Timestamp,
    ) -> Result<Option<String>, AwsError> {
        const OPERATION: &str = "codepipeline:ListActionExecutions";
        let unknown = |why: &str| AwsError::unreadable(OPERATION, deployment, why);
        let long_before = created.checked_sub(BEFORE).unwrap_or(created);
        let (mut next, mut begins) = (None, false);
        for _ in 0..PAGES {
            let page = ListActionExecutionsInput::builder()
                .pipeline_name(pipeline)
                .max_results(PAGE)
                .set_next_token(next)
                .sent_by(&self.client)
                .await
                .map_err(|error| AwsError::from_sdk(OPERATION, deployment, &error))?;
            let mut far_enough = false;
            for detail in page.action_execution_details() {
                let run = action_run(OPERATION, pipeline, detail)?;
                if run.external.as_deref() == Some(deployment.as_str()) {
                    let unnamed = || unknown("the action's run has no pipelineExecutionId");
                    return Ok(Some(detail.pipeline_execution_id().ok_or_else(unnamed)?.to_owned()));
                }
                let deploys = run.provider.is_some_and(|provider| provider.starts_with("CodeDeploy"));
                begins |= deploys && run.status == "InProgress" && run.external.is_none();
                far_enough |= run.started < long_before;
            }
            next = page.next_token().filter(|token| !token.is_empty()).map(str::to_owned);
            if next.is_none() || far_enough {
                return if begins {
                    Err(unknown("an action that runs does not say yet which deployment it has made"))
                } else {
                    Ok(None)
                };
            }
        }
        Err(unknown("so many actions have run since that not all are looked at"))
    }

    /// Runs of actions, newest first: at most three pages, and none after the one on which `found` is.
    async fn details(
        &self,
        operation: &'static str,
        pipeline: &str,
        filter: Option<ActionExecutionFilter>,
        found: impl Fn(&ActionExecutionDetail) -> bool,
    ) -> Result<Vec<ActionExecutionDetail>, AwsError> {
        let (mut details, mut next) = (Vec::new(), None);
        for _ in 0..PAGES {
            let page = ListActionExecutionsInput::builder()
                .pipeline_name(pipeline)
                .set_filter(filter.clone())
                .max_results(PAGE)
                .set_next_token(next)
                .sent_by(&self.client)
                .await
                .map_err(|error| AwsError::from_sdk(operation, pipeline, &error))?;
            let shown = page.action_execution_details();
            let over = shown.iter().any(&found);
            details.extend(shown.iter().cloned());
            next = page.next_token().filter(|token| !token.is_empty()).map(str::to_owned);
            if over || next.is_none() {
                break;
            }
        }
        Ok(details)
    }
}

fn past_execution(
    operation: &'static str,
    pipeline: &str,
    summary: &PipelineExecutionSummary,
) -> Result<PastExecution, AwsError> {
    let told = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
    let sources = summary.source_revisions().iter().map(|source| SourceRevision {
        action: source.action_name().to_owned(),
        id: told(source.revision_id()),
        summary: told(source.revision_summary()).map(message),
    });
    Ok(PastExecution {
        summary: execution_summary(operation, pipeline, summary)?,
        sources: sources.collect(),
    })
}

/// A revision's summary as people read it. Of a connection to GitHub, GitLab or Bitbucket it is JSON with the message in
/// it (not verified: the service model says that it is the message).
pub(super) fn message(summary: String) -> String {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct OfConnection {
        commit_message: String,
    }
    match serde_json::from_str::<OfConnection>(&summary) {
        Ok(OfConnection { commit_message }) => commit_message,
        Err(_) => summary,
    }
}

fn run_in_full(
    operation: &'static str,
    execution: &str,
    detail: &ActionExecutionDetail,
) -> Result<RunInFull, AwsError> {
    let resolved = detail.input().and_then(|input| input.resolved_configuration());
    Ok(RunInFull {
        run: action_run(operation, execution, detail)?,
        configuration: resolved.map(|values| values.clone().into_iter().collect()).unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connections_summary_is_its_message() {
        let json = r#"{"ProviderType":"GitHub","CommitMessage":"Fix it\n\nwell"}"#;
        assert_eq!(message(json.to_owned()), "Fix it\n\nwell");
        for other in ["Fix it", "{}", "7", r#"{"CommitMessage": 7}"#] {
            assert_eq!(message(other.to_owned()), other);
        }
    }
}
