//! CodePipeline: where a release is on its way, and taking a stage back.

mod approvals;
mod commits;
mod past;

use std::collections::{BTreeMap, HashMap};

pub use self::approvals::{ApprovalAnswer, ApprovalState, ApprovalToken, RetryAnswer};
pub use self::commits::committed;
pub use self::past::{PastExecution, RunInFull, SourceRevision, WaitingRun};

use aws_sdk_codepipeline::{
    operation::{
        disable_stage_transition::DisableStageTransitionInput, get_pipeline::GetPipelineInput,
        get_pipeline_execution::GetPipelineExecutionInput, get_pipeline_state::GetPipelineStateInput,
        list_action_executions::ListActionExecutionsInput,
        list_pipeline_executions::ListPipelineExecutionsInput, rollback_stage::RollbackStageInput,
        stop_pipeline_execution::StopPipelineExecutionInput,
    },
    types::{
        ActionExecutionDetail, ActionExecutionFilter, ExecutionMode, ExecutionType, PipelineExecutionFilter,
        PipelineExecutionSummary, PipelineType, StageExecutionStatus, StageState, StageTransitionType,
        SucceededInStageFilter, TriggerType,
    },
};
use aws_types::SdkConfig;
use jiff::Timestamp;

use super::client::{Call as _, Client, service};
use crate::aws::{AwsError, timestamp};

service! {
    Api = aws_sdk_codepipeline, "CodePipeline", "codepipeline", json "CodePipeline_20150709" "2015-07-09";
    disable_stage_transition: DisableStageTransition DisableStageTransitionInputBuilder
        DisableStageTransitionOutput DisableStageTransitionError;
    get_pipeline: GetPipeline GetPipelineInputBuilder GetPipelineOutput GetPipelineError;
    get_pipeline_execution: GetPipelineExecution GetPipelineExecutionInputBuilder
        GetPipelineExecutionOutput GetPipelineExecutionError;
    get_pipeline_state: GetPipelineState GetPipelineStateInputBuilder
        GetPipelineStateOutput GetPipelineStateError;
    list_action_executions: ListActionExecutions ListActionExecutionsInputBuilder
        ListActionExecutionsOutput ListActionExecutionsError;
    list_pipeline_executions: ListPipelineExecutions ListPipelineExecutionsInputBuilder
        ListPipelineExecutionsOutput ListPipelineExecutionsError;
    put_approval_result: PutApprovalResult PutApprovalResultInputBuilder
        PutApprovalResultOutput PutApprovalResultError;
    retry_stage_execution: RetryStageExecution RetryStageExecutionInputBuilder
        RetryStageExecutionOutput RetryStageExecutionError;
    rollback_stage: RollbackStage RollbackStageInputBuilder RollbackStageOutput RollbackStageError;
    stop_pipeline_execution: StopPipelineExecution StopPipelineExecutionInputBuilder
        StopPipelineExecutionOutput StopPipelineExecutionError;
}

/// The pipelines.
#[derive(Clone, Debug)]
pub struct CodePipeline {
    client: Client<Api>,
}

/// How a pipeline is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Structure {
    /// The structure's version: an execution of another one is nothing to roll back to.
    pub version: i32,
    /// Whether it is of type V2: others have no rollback.
    pub v2: bool,
    /// Whether it runs in PARALLEL mode, which has no rollback and no state of stages.
    pub parallel: bool,
    /// The names of its stages, in order. The first one holds the sources.
    pub stages: Vec<String>,
}

/// Where an execution is in a stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StageStatus {
    /// Its actions run, or wait for a person.
    InProgress,
    /// Asked to stop; what is in progress may end.
    Stopping,
    /// Stopped by a request.
    Stopped,
    /// An action failed.
    Failed,
    /// Done.
    Succeeded,
    /// The pipeline changed under it.
    Cancelled,
    /// A condition let it pass by.
    Skipped,
    /// A word this version does not know.
    Unrecognised(String),
}

/// A stage, with the execution that entered it last: stages of one pipeline may hold different ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StageNow {
    /// The stage.
    pub name: String,
    /// The execution that entered it last, and where that is in the stage. Always none in PARALLEL mode.
    pub execution: Option<(String, StageStatus)>,
    /// Whether that execution is a rollback, by hand or automatic.
    pub rollback: bool,
    /// Why nothing may enter, if the transition into it is disabled. AWS may give no reason: then it is empty.
    pub inbound_closed: Option<String>,
    /// Whether an execution waits to enter it.
    pub somebody_waits: bool,
}

/// One run of an action. A retry adds another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionRun {
    /// The stage.
    pub stage: String,
    /// The action.
    pub action: String,
    /// What does the work: `CodeDeploy`, `CodeDeployToECS`, `CodeBuild`, `Manual`.
    pub provider: Option<String>,
    /// AWS's word: `InProgress`, `Abandoned`, `Succeeded`, `Failed`.
    pub status: String,
    /// When it started.
    pub started: Timestamp,
    /// When it changed last.
    pub updated: Timestamp,
    /// The provider's own id of the work: a CodeDeploy deployment's id.
    pub external: Option<String>,
    /// What it found out for later actions, by name: a source action's commit, message and author (CodePipeline User
    /// Guide, "Variables reference").
    pub variables: BTreeMap<String, String>,
    /// What it was to do and how it went, for whoever explains its failure.
    pub detail: ActionDetail,
}

impl ActionRun {
    /// Whether it asks a person, by its category. The only provider of that category is `Manual` (CodePipeline User Guide,
    /// "Action structure reference").
    pub fn is_approval(&self) -> bool {
        self.detail.category.as_deref() == Some("Approval")
    }

    /// Whether it is there to deploy, by its category. A stage may release by a build or an invocation all the same.
    pub fn deploys(&self) -> bool {
        self.detail.category.as_deref() == Some("Deploy")
    }
}

/// What a run of an action was to do, and how that went. Any of it may be absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ActionDetail {
    /// `actionExecutionId`: a retry has another one.
    pub id: Option<String>,
    /// AWS's word: `Source`, `Build`, `Deploy`, `Test`, `Invoke`, `Approval`, `Compute`.
    pub category: Option<String>,
    /// Where it ran, if CodePipeline says so: that may be another region than the pipeline's.
    pub region: Option<String>,
    /// What it works on, by the names of its configuration that say so ([`NAMES`]), with variables resolved. The rest may
    /// hold anything, secrets among it, and is left where it is.
    pub names: BTreeMap<String, String>,
    /// The provider's own summary; of an approval, the words of whoever answered (that it is those is not verified).
    pub summary: Option<String>,
    /// The provider's own page about it.
    pub url: Option<String>,
    /// `errorDetails.code`: `JobFailed`, `ConfigurationError`.
    pub error_code: Option<String>,
    /// `errorDetails.message`.
    pub error_message: Option<String>,
    /// The ARN of its log stream, of a Commands action.
    pub log_stream: Option<String>,
}

/// The names of an action's configuration that say what it works on (CodePipeline User Guide, "Action structure
/// reference").
pub const NAMES: &[&str] = &[
    "ProjectName",
    "ApplicationName",
    "DeploymentGroupName",
    "StackName",
    "ChangeSetName",
    "ActionMode",
    "FunctionName",
    "ClusterName",
    "ServiceName",
];

/// One execution of a pipeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecutionSummary {
    /// Its id.
    pub id: String,
    /// Whether it is a rollback, by hand or automatic.
    pub rollback: bool,
    /// The execution whose revision a rollback brings back.
    pub rollback_target: Option<String>,
    /// AWS's word: `InProgress`, `Stopping`, `Stopped`, `Succeeded`, `Superseded`, `Failed`, `Cancelled`.
    pub status: String,
    /// When it started.
    pub started: Timestamp,
    /// When it changed last: its end, once it is over.
    pub updated: Option<Timestamp>,
    /// Its source revision in a few words for people: the summary, or else the id.
    pub revision: Option<String>,
    /// What each of its source revisions says of itself.
    pub messages: Vec<String>,
    /// The source revision's id.
    pub commit: Option<String>,
    /// The IAM principal that started it, if it was started by hand.
    pub started_by: Option<String>,
}

/// What CodePipeline made of a request to roll a stage back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RollBackAnswer {
    /// It began: the id of the new execution.
    Started(String),
    /// The pipeline is busy: it may be asked again later.
    Busy,
    /// It cannot be done, in AWS's words. Asking again does not help.
    Refused(String),
}

/// What CodePipeline made of a request to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PipelineStopAnswer {
    /// It took it.
    Accepted,
    /// There is nothing to stop: the execution had ended.
    AlreadyOver,
    /// It is stopping already, and waits for its actions. Abandoning them is still possible.
    AskedBefore,
}

impl CodePipeline {
    /// A client of one configuration.
    pub fn new(config: &SdkConfig) -> Self {
        Self { client: Client::of(config) }
    }

    /// How a pipeline is made now.
    ///
    /// # Errors
    /// When CodePipeline does not tell.
    pub async fn structure(&self, pipeline: &str) -> Result<Structure, AwsError> {
        const OPERATION: &str = "codepipeline:GetPipeline";
        let output = GetPipelineInput::builder()
            .name(pipeline)
            .sent_by(&self.client)
            .await
            .map_err(|error| AwsError::from_sdk(OPERATION, pipeline, &error))?;
        let declared = output
            .pipeline
            .ok_or_else(|| AwsError::unreadable(OPERATION, pipeline, "the answer describes no pipeline"))?;
        let version = declared
            .version()
            .ok_or_else(|| AwsError::unreadable(OPERATION, pipeline, "the answer has no version"))?;
        Ok(Structure {
            version,
            v2: declared.pipeline_type() == Some(&PipelineType::V2),
            parallel: declared.execution_mode() == Some(&ExecutionMode::Parallel),
            stages: declared.stages().iter().map(|stage| stage.name().to_owned()).collect(),
        })
    }

    /// What is in each stage now, in the stages' order.
    ///
    /// # Errors
    /// When CodePipeline does not tell.
    pub async fn stages(&self, pipeline: &str) -> Result<Vec<StageNow>, AwsError> {
        const OPERATION: &str = "codepipeline:GetPipelineState";
        let output = GetPipelineStateInput::builder()
            .name(pipeline)
            .sent_by(&self.client)
            .await
            .map_err(|error| AwsError::from_sdk(OPERATION, pipeline, &error))?;
        output.stage_states().iter().map(|stage| stage_now(OPERATION, pipeline, stage)).collect()
    }

    /// Every run of every action of an execution, newest first, on all pages.
    ///
    /// # Errors
    /// When CodePipeline does not tell, or leaves out what every run has.
    pub async fn actions(&self, pipeline: &str, execution: &str) -> Result<Vec<ActionRun>, AwsError> {
        const OPERATION: &str = "codepipeline:ListActionExecutions";
        let filter = ActionExecutionFilter::builder().pipeline_execution_id(execution).build();
        let mut runs = Vec::new();
        let mut next = None;
        loop {
            let page = ListActionExecutionsInput::builder()
                .pipeline_name(pipeline)
                .filter(filter.clone())
                .max_results(100)
                .set_next_token(next)
                .sent_by(&self.client)
                .await
                .map_err(|error| AwsError::from_sdk(OPERATION, execution, &error))?;
            for detail in page.action_execution_details() {
                runs.push(action_run(OPERATION, execution, detail)?);
            }
            match page.next_token() {
                Some(token) if !token.is_empty() => next = Some(token.to_owned()),
                Some(_) | None => return Ok(runs),
            }
        }
    }

    /// The executions that succeeded in a stage with the pipeline's present structure, newest first: at
    /// most a hundred, rollbacks among them.
    ///
    /// # Errors
    /// When CodePipeline does not tell.
    pub async fn succeeded_in(&self, pipeline: &str, stage: &str) -> Result<Vec<ExecutionSummary>, AwsError> {
        let succeeded = SucceededInStageFilter::builder().stage_name(stage).build();
        let filter = PipelineExecutionFilter::builder().succeeded_in_stage(succeeded).build();
        Ok(self.page(pipeline, Some(filter), None).await?.0)
    }

    /// A pipeline's executions, newest first: at most a hundred.
    ///
    /// # Errors
    /// When CodePipeline does not tell.
    pub async fn executions(&self, pipeline: &str) -> Result<Vec<ExecutionSummary>, AwsError> {
        Ok(self.page(pipeline, None, None).await?.0)
    }

    /// The same, and so many more, by the hundred, as have begun since this one: it may have waited for days. Not for ever:
    /// one that two thousand others have followed is not found.
    ///
    /// # Errors
    /// When CodePipeline does not tell.
    pub async fn executions_since(
        &self,
        pipeline: &str,
        execution: &str,
    ) -> Result<Vec<ExecutionSummary>, AwsError> {
        const PAGES: usize = 20;
        let (mut all, mut token) = self.page(pipeline, None, None).await?;
        for _ in 1..PAGES {
            if token.is_none() || all.iter().any(|one| one.id == execution) {
                break;
            }
            let (more, next) = self.page(pipeline, None, token).await?;
            all.extend(more);
            token = next;
        }
        Ok(all)
    }

    async fn page(
        &self,
        pipeline: &str,
        filter: Option<PipelineExecutionFilter>,
        token: Option<String>,
    ) -> Result<(Vec<ExecutionSummary>, Option<String>), AwsError> {
        const OPERATION: &str = "codepipeline:ListPipelineExecutions";
        let page = ListPipelineExecutionsInput::builder()
            .pipeline_name(pipeline)
            .set_filter(filter)
            .max_results(100)
            .set_next_token(token)
            .sent_by(&self.client)
            .await
            .map_err(|error| AwsError::from_sdk(OPERATION, pipeline, &error))?;
        let summaries = page.pipeline_execution_summaries().iter();
        let read = summaries.map(|summary| execution_summary(OPERATION, pipeline, summary));
        let next = page.next_token().filter(|token| !token.is_empty()).map(str::to_owned);
        Ok((read.collect::<Result<_, _>>()?, next))
    }

    /// An execution's status, in AWS's word, and whether it is a rollback.
    ///
    /// # Errors
    /// When CodePipeline does not tell.
    pub async fn execution(&self, pipeline: &str, id: &str) -> Result<(String, bool), AwsError> {
        const OPERATION: &str = "codepipeline:GetPipelineExecution";
        let output = GetPipelineExecutionInput::builder()
            .pipeline_name(pipeline)
            .pipeline_execution_id(id)
            .sent_by(&self.client)
            .await
            .map_err(|error| AwsError::from_sdk(OPERATION, id, &error))?;
        let execution = output
            .pipeline_execution()
            .ok_or_else(|| AwsError::unreadable(OPERATION, id, "the answer describes no execution"))?;
        let status = execution
            .status()
            .ok_or_else(|| AwsError::unreadable(OPERATION, id, "the answer has no status"))?;
        Ok((status.as_str().to_owned(), execution.execution_type() == Some(&ExecutionType::Rollback)))
    }

    /// Rolls a stage back to an execution that succeeded in it: its actions run again, with that
    /// execution's revisions, in a new execution.
    ///
    /// A call whose answer was lost may have begun one: look at the stage before asking again.
    ///
    /// # Errors
    /// When it is not known whether CodePipeline took it. That it cannot or will not is an answer.
    pub async fn roll_back(
        &self,
        pipeline: &str,
        stage: &str,
        target: &str,
    ) -> Result<RollBackAnswer, AwsError> {
        const OPERATION: &str = "codepipeline:RollbackStage";
        let sent = RollbackStageInput::builder()
            .pipeline_name(pipeline)
            .stage_name(stage)
            .target_pipeline_execution_id(target)
            // The SDK would send it again when the answer is lost, and the second one might be refused
            // because of the first.
            .sent_by(&self.client.once())
            .await;
        match sent {
            Ok(output) => Ok(RollBackAnswer::Started(output.pipeline_execution_id().to_owned())),
            Err(error) => {
                let error = AwsError::from_sdk(OPERATION, format!("{pipeline}, stage {stage}"), &error);
                match error.code.as_deref() {
                    Some("ConflictException") => Ok(RollBackAnswer::Busy),
                    Some(
                        "UnableToRollbackStageException"
                        | "PipelineExecutionOutdatedException"
                        | "PipelineExecutionNotFoundException"
                        | "PipelineNotFoundException"
                        | "StageNotFoundException",
                    ) => Ok(RollBackAnswer::Refused(error.why)),
                    Some(_) | None => Err(error),
                }
            }
        }
    }

    /// Stops an execution. With `abandon` its actions are given up at once, though what they began, such as
    /// a deployment, goes on. The stage is free afterwards: close it first if nothing may follow.
    ///
    /// # Errors
    /// When CodePipeline did not take it. That there was nothing to stop is an answer, not an error.
    pub async fn stop(
        &self,
        pipeline: &str,
        execution: &str,
        abandon: bool,
        reason: &str,
    ) -> Result<PipelineStopAnswer, AwsError> {
        const OPERATION: &str = "codepipeline:StopPipelineExecution";
        let sent = StopPipelineExecutionInput::builder()
            .pipeline_name(pipeline)
            .pipeline_execution_id(execution)
            .abandon(abandon)
            .reason(reason.chars().take(STOP_REASON).collect::<String>())
            .sent_by(&self.client)
            .await;
        match sent {
            Ok(_) => Ok(PipelineStopAnswer::Accepted),
            Err(error) => {
                let error = AwsError::from_sdk(OPERATION, execution, &error);
                match error.code.as_deref() {
                    Some("PipelineExecutionNotStoppableException") => Ok(PipelineStopAnswer::AlreadyOver),
                    Some("DuplicatedStopRequestException") => Ok(PipelineStopAnswer::AskedBefore),
                    Some(_) | None => Err(error),
                }
            }
        }
    }

    /// Lets nothing more enter a stage. The reason is shown to people, and is how we know our own doing
    /// again: what AWS does not allow in it is left out.
    ///
    /// # Errors
    /// When CodePipeline did not take it.
    pub async fn close(&self, pipeline: &str, stage: &str, reason: &str) -> Result<(), AwsError> {
        const OPERATION: &str = "codepipeline:DisableStageTransition";
        DisableStageTransitionInput::builder()
            .pipeline_name(pipeline)
            .stage_name(stage)
            .transition_type(StageTransitionType::Inbound)
            .reason(allowed_reason(reason))
            .sent_by(&self.client)
            .await
            .map_err(|error| AwsError::from_sdk(OPERATION, format!("{pipeline}, stage {stage}"), &error))?;
        Ok(())
    }
}

/// The longest reason for a stop.
const STOP_REASON: usize = 200;
/// The longest reason for closing a transition.
const CLOSE_REASON: usize = 300;

/// A reason as AWS takes it: letters, digits, spaces and `!@().*?-`. Anything else becomes a space, except
/// that `_`, `/`, `:` and `#` become `-`, so that names stay names.
fn allowed_reason(reason: &str) -> String {
    let replaced = reason.chars().map(|c| match c {
        c if c.is_ascii_alphanumeric() || "!@().*?-".contains(c) => c,
        '_' | '/' | ':' | '#' => '-',
        _ => ' ',
    });
    let words = replaced.collect::<String>();
    let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
    let cut: String = words.chars().take(CLOSE_REASON).collect();
    let cut = cut.trim_end();
    if cut.is_empty() { "no reason given".to_owned() } else { cut.to_owned() }
}

fn stage_now(operation: &'static str, pipeline: &str, stage: &StageState) -> Result<StageNow, AwsError> {
    let name = stage
        .stage_name()
        .ok_or_else(|| AwsError::unreadable(operation, pipeline, "a stage of the answer has no name"))?;
    let latest = stage.latest_execution();
    Ok(StageNow {
        name: name.to_owned(),
        execution: latest
            .map(|latest| (latest.pipeline_execution_id().to_owned(), stage_status(latest.status()))),
        rollback: latest.and_then(|latest| latest.r#type()) == Some(&ExecutionType::Rollback),
        inbound_closed: stage
            .inbound_transition_state()
            .filter(|transition| !transition.enabled())
            .map(|transition| transition.disabled_reason().unwrap_or_default().to_owned()),
        somebody_waits: !stage.inbound_executions().is_empty(),
    })
}

fn stage_status(status: &StageExecutionStatus) -> StageStatus {
    match status {
        StageExecutionStatus::InProgress => StageStatus::InProgress,
        StageExecutionStatus::Stopping => StageStatus::Stopping,
        StageExecutionStatus::Stopped => StageStatus::Stopped,
        StageExecutionStatus::Failed => StageStatus::Failed,
        StageExecutionStatus::Succeeded => StageStatus::Succeeded,
        StageExecutionStatus::Cancelled => StageStatus::Cancelled,
        StageExecutionStatus::Skipped => StageStatus::Skipped,
        other => StageStatus::Unrecognised(other.as_str().to_owned()),
    }
}

fn action_run(
    operation: &'static str,
    execution: &str,
    detail: &ActionExecutionDetail,
) -> Result<ActionRun, AwsError> {
    let lacks = |what: &str| {
        AwsError::unreadable(operation, execution, format!("an action of the answer has no {what}"))
    };
    let result = detail.output().and_then(|output| output.execution_result());
    Ok(ActionRun {
        stage: detail.stage_name().ok_or_else(|| lacks("stageName"))?.to_owned(),
        action: detail.action_name().ok_or_else(|| lacks("actionName"))?.to_owned(),
        provider: detail
            .input()
            .and_then(|input| input.action_type_id())
            .map(|kind| kind.provider().to_owned()),
        status: detail.status().ok_or_else(|| lacks("status"))?.as_str().to_owned(),
        started: detail.start_time().and_then(timestamp).ok_or_else(|| lacks("startTime"))?,
        updated: detail.last_update_time().and_then(timestamp).ok_or_else(|| lacks("lastUpdateTime"))?,
        external: result
            .and_then(|result| result.external_execution_id())
            .filter(|id| !id.is_empty())
            .map(str::to_owned),
        variables: detail
            .output()
            .and_then(|output| output.output_variables())
            .map(|variables| variables.clone().into_iter().collect())
            .unwrap_or_default(),
        detail: action_detail(detail),
    })
}

fn action_detail(detail: &ActionExecutionDetail) -> ActionDetail {
    let given = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
    let (input, result) = (detail.input(), detail.output().and_then(|output| output.execution_result()));
    let error = result.and_then(|result| result.error_details());
    let configured = |name: &str| {
        let of = |all: Option<&HashMap<String, String>>| all.and_then(|all| all.get(name)).cloned();
        let input = input?;
        of(input.resolved_configuration()).or_else(|| of(input.configuration()))
    };
    ActionDetail {
        id: given(detail.action_execution_id()),
        category: input
            .and_then(|input| input.action_type_id())
            .map(|kind| kind.category().as_str().to_owned()),
        region: given(input.and_then(|input| input.region())),
        names: NAMES
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), configured(name).filter(|of| !of.is_empty())?)))
            .collect(),
        summary: given(result.and_then(|result| result.external_execution_summary())),
        url: given(result.and_then(|result| result.external_execution_url())),
        error_code: given(error.and_then(|error| error.code())),
        error_message: given(error.and_then(|error| error.message())),
        log_stream: given(result.and_then(|result| result.log_stream_arn())),
    }
}

fn execution_summary(
    operation: &'static str,
    pipeline: &str,
    summary: &PipelineExecutionSummary,
) -> Result<ExecutionSummary, AwsError> {
    let id = summary.pipeline_execution_id().unwrap_or("an execution without an id");
    let lacks =
        |what: &str| AwsError::unreadable(operation, pipeline, format!("the answer has no {what} of {id}"));
    Ok(ExecutionSummary {
        id: summary.pipeline_execution_id().ok_or_else(|| lacks("pipelineExecutionId"))?.to_owned(),
        rollback: summary.execution_type() == Some(&ExecutionType::Rollback),
        rollback_target: summary
            .rollback_metadata()
            .and_then(|rollback| rollback.rollback_target_pipeline_execution_id())
            .map(str::to_owned),
        status: summary.status().ok_or_else(|| lacks("status"))?.as_str().to_owned(),
        started: summary.start_time().and_then(timestamp).ok_or_else(|| lacks("startTime"))?,
        updated: summary.last_update_time().and_then(timestamp),
        revision: summary.source_revisions().first().and_then(|source| {
            let told = source.revision_summary().filter(|told| !told.is_empty());
            let short = |id: &str| id.chars().take(12).collect();
            told.map(|told| past::message(told.to_owned())).or_else(|| source.revision_id().map(short))
        }),
        messages: summary
            .source_revisions()
            .iter()
            .filter_map(|source| source.revision_summary())
            .map(|told| past::message(told.to_owned()))
            .collect(),
        commit: summary.source_revisions().first().and_then(|source| source.revision_id()).map(str::to_owned),
        started_by: summary
            .trigger()
            .filter(|trigger| trigger.trigger_type() == Some(&TriggerType::StartPipelineExecution))
            .and_then(|trigger| trigger.trigger_detail())
            .map(str::to_owned),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_keeps_only_what_aws_takes() {
        let told = "belay: alarm \"orders_5xx\" (2 of 3), see https://example.com/a#b; it's in\nALARM!";
        assert_eq!(
            allowed_reason(told),
            "belay- alarm orders-5xx (2 of 3) see https---example.com-a-b it s in ALARM!"
        );
        assert_eq!(allowed_reason("Prüfung – äöü"), "Pr fung");
        assert_eq!(allowed_reason("…"), "no reason given");
        assert_eq!(allowed_reason(&"x".repeat(400)).len(), 300);
        assert_eq!(allowed_reason(&"ab ".repeat(200)).len(), 299, "it does not end in a space");
    }
}
