//! Manual approvals, answered through the API, in the console, or not at all.

use aws_sdk_codepipeline::error::ProvideErrorMetadata;
use aws_sdk_codepipeline::types::{ActionExecutionFilter, ApprovalResult, ApprovalStatus, StageRetryMode};
use serde_json::Value;

use super::clients::code_pipeline;
use super::{minutes, thursday};
use crate::{Action, ActionStatus, ExecutionMode, ExecutionStatus, Pipeline, Simulator, Stage};

const UNKNOWN: &str = "00000000-1111-4222-8333-444444444444";

macro_rules! code {
    ($sent:expr) => {
        $sent.send().await.unwrap_err().code().unwrap().to_owned()
    };
}

fn result(status: ApprovalStatus, summary: &str) -> ApprovalResult {
    ApprovalResult::builder().status(status).summary(summary).build().unwrap()
}

/// A pipeline whose approval waits.
async fn waiting(mode: ExecutionMode) -> (Simulator, String) {
    let simulator = Simulator::start(thursday()).await;
    let approval = Stage::of("Approve", Action::approval("ApproveProd").expiring_after(60));
    simulator.create_pipeline(
        Pipeline::v2("release")
            .mode(mode)
            .stage(Stage::source("Source"))
            .stage(approval)
            .stage(Stage::deploy_for("Production", 60)),
    );
    let id = simulator.start_pipeline("release", "v2");
    simulator.step(minutes(1));
    (simulator, id)
}

type Client = aws_sdk_codepipeline::Client;

fn put(
    client: &Client,
    token: &str,
) -> aws_sdk_codepipeline::operation::put_approval_result::builders::PutApprovalResultFluentBuilder {
    client
        .put_approval_result()
        .pipeline_name("release")
        .stage_name("Approve")
        .action_name("ApproveProd")
        .token(token)
        .result(result(ApprovalStatus::Approved, ""))
}

/// The approval's newest run, as GetPipelineState has it.
async fn shown(client: &Client) -> aws_sdk_codepipeline::types::ActionExecution {
    let state = client.get_pipeline_state().name("release").send().await.unwrap();
    state.stage_states()[1].action_states()[0].latest_execution().unwrap().clone()
}

fn approval_events(simulator: &Simulator) -> Vec<(String, Value)> {
    let events = simulator.take_deliveries().into_iter();
    events
        .map(|delivery| serde_json::from_slice::<Value>(&delivery.payload).unwrap())
        .filter(|event| event["detail"]["type"]["category"] == "Approval")
        .map(|event| {
            let detail = &event["detail"];
            (detail["state"].as_str().unwrap().to_owned(), detail["execution-result"].clone())
        })
        .collect()
}

#[tokio::test]
async fn an_approval_lets_the_execution_go_on_once() {
    let (simulator, id) = waiting(ExecutionMode::Superseded).await;
    let client = code_pipeline(&simulator).await;
    let asking = shown(&client).await;
    assert_eq!((asking.status().unwrap().as_str(), asking.last_updated_by()), ("InProgress", None));
    let token = asking.token().unwrap();
    for (sent, expected) in [
        (put(&client, "no token"), "ValidationException"),
        (put(&client, UNKNOWN), "InvalidApprovalTokenException"),
        (
            put(&client, token).result(result(ApprovalStatus::Approved, &"x".repeat(513))),
            "ValidationException",
        ),
        (put(&client, token).result(result("Maybe".into(), "")), "ValidationException"),
        (put(&client, token).pipeline_name("none"), "PipelineNotFoundException"),
        (put(&client, token).stage_name("none"), "StageNotFoundException"),
        (put(&client, token).action_name("none"), "ActionNotFoundException"),
    ] {
        assert_eq!(code!(sent), expected);
    }
    assert_eq!(simulator.pipeline_execution(&id).status, ExecutionStatus::InProgress);
    let summary = "x".repeat(512);
    let answered =
        put(&client, token).result(result(ApprovalStatus::Approved, &summary)).send().await.unwrap();
    assert_eq!(answered.approved_at().unwrap().secs(), simulator.now().as_second());
    let done = shown(&client).await;
    assert_eq!((done.status().unwrap().as_str(), done.token()), ("Succeeded", None));
    assert_eq!(done.summary(), Some(summary.as_str()));
    assert!(done.last_updated_by().unwrap().ends_with("my-user"));
    assert_eq!(code!(put(&client, token)), "ApprovalAlreadyCompletedException");
    let states: Vec<_> = approval_events(&simulator).into_iter().map(|(state, _)| state).collect();
    assert_eq!(states, ["STARTED", "SUCCEEDED"]);
    simulator.step(minutes(2));
    assert_eq!(simulator.pipeline_execution(&id).status, ExecutionStatus::Succeeded);
    assert_eq!(simulator.effects("PutApprovalResult").len(), 1);
}

#[tokio::test]
async fn a_rejection_fails_the_stage_which_may_be_retried() {
    let (simulator, id) = waiting(ExecutionMode::Superseded).await;
    let client = code_pipeline(&simulator).await;
    let old = shown(&client).await.token().unwrap().to_owned();
    put(&client, &old).result(result(ApprovalStatus::Rejected, "not today")).send().await.unwrap();
    let execution = simulator.pipeline_execution(&id);
    assert_eq!(execution.status, ExecutionStatus::Failed);
    assert_eq!(execution.stages[1].status, ExecutionStatus::Failed);
    assert_eq!(shown(&client).await.summary(), Some("not today"));
    let (state, told) = approval_events(&simulator).pop().unwrap();
    assert_eq!((state.as_str(), &told["external-execution-summary"]), ("FAILED", &"not today".into()));
    let retry = client.retry_stage_execution().pipeline_name("release").stage_name("Approve");
    retry.pipeline_execution_id(&id).retry_mode(StageRetryMode::FailedActions).send().await.unwrap();
    let new = shown(&client).await.token().unwrap().to_owned();
    assert_ne!(new, old);
    assert_eq!(code!(put(&client, &old)), "ApprovalAlreadyCompletedException");
    put(&client, &new).send().await.unwrap();
    simulator.step(minutes(2));
    assert_eq!(simulator.pipeline_execution(&id).status, ExecutionStatus::Succeeded);
}

#[tokio::test]
async fn somebody_in_the_console_may_be_first() {
    let (simulator, id) = waiting(ExecutionMode::Superseded).await;
    let client = code_pipeline(&simulator).await;
    let token = shown(&client).await.token().unwrap().to_owned();
    let arn = "arn:aws:iam::123456789012:user/ada";
    simulator.approve_in_console("release", "Approve", "ApproveProd", false, arn, "I saw the graph");
    assert_eq!(code!(put(&client, &token)), "ApprovalAlreadyCompletedException");
    let done = shown(&client).await;
    assert_eq!((done.last_updated_by(), done.summary()), (Some(arn), Some("I saw the graph")));
    assert_eq!(simulator.pipeline_execution(&id).status, ExecutionStatus::Failed);
    assert!(simulator.effects("PutApprovalResult").is_empty());
}

#[tokio::test]
async fn an_approval_expires() {
    let (simulator, id) = waiting(ExecutionMode::Superseded).await;
    let client = code_pipeline(&simulator).await;
    let token = shown(&client).await.token().unwrap().to_owned();
    simulator.step(minutes(58));
    assert_eq!(simulator.pipeline_execution(&id).status, ExecutionStatus::InProgress);
    simulator.step(minutes(2));
    assert_eq!(simulator.pipeline_execution(&id).stages[1].actions[0].status, ActionStatus::Failed);
    assert_eq!(code!(put(&client, &token)), "InvalidApprovalTokenException");
    assert_eq!(approval_events(&simulator).pop().unwrap().0, "FAILED");
}

/// In PARALLEL mode GetPipelineState has no token, and ListActionExecutions does.
#[tokio::test]
async fn parallel_approvals_are_found_in_the_list() {
    let (simulator, first) = waiting(ExecutionMode::Parallel).await;
    let second = simulator.start_pipeline("release", "v3");
    simulator.step(minutes(1));
    let client = code_pipeline(&simulator).await;
    let filter = ActionExecutionFilter::builder().pipeline_execution_id(&first).build();
    let list = client.list_action_executions().pipeline_name("release").filter(filter);
    let listed = list.clone().send().await.unwrap();
    let run = &listed.action_execution_details()[0];
    let token = run.output().unwrap().execution_result().unwrap().external_execution_id().unwrap();
    put(&client, token).send().await.unwrap();
    simulator.step(minutes(2));
    assert_eq!(simulator.pipeline_execution(&first).status, ExecutionStatus::Succeeded);
    assert_eq!(simulator.pipeline_execution(&second).status, ExecutionStatus::InProgress);
    let listed = list.send().await.unwrap();
    let run =
        listed.action_execution_details().iter().find(|run| run.stage_name() == Some("Approve")).unwrap();
    assert_eq!(run.output().unwrap().execution_result().unwrap().external_execution_id(), None);
}
