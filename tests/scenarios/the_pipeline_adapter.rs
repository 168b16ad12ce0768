//! What the adapters of CodePipeline and of Lambda's Invoke make of a real wire.

use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use belay::aws::{
    codepipeline::{CodePipeline, PipelineStopAnswer, RollBackAnswer, StageStatus, Structure},
    lambda::{InvokeError, Lambda},
    retries, timeouts,
};
use belay_tests::{ExecutionMode, ExecutionStatus, Fault, Group, Invoked, Pipeline, Simulator, Stage};
use serde_json::json;

const UNKNOWN: &str = "00000000-1111-4222-8333-444444444444";

async fn config(simulator: &Simulator) -> SdkConfig {
    aws_config::defaults(BehaviorVersion::v2026_01_12())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .retry_config(retries().with_initial_backoff(Duration::from_millis(1)))
        .timeout_config(timeouts())
        .endpoint_url(simulator.endpoint())
        .load()
        .await
}

async fn start() -> Simulator {
    Simulator::start("2026-03-05T14:00:00Z".parse().unwrap()).await
}

fn minutes(count: u64) -> Duration {
    Duration::from_secs(60 * count)
}

async fn released(mode: ExecutionMode) -> (Simulator, CodePipeline) {
    let simulator = start().await;
    simulator.create_group(Group::ecs("orders", "orders-prod"));
    simulator.create_pipeline(
        Pipeline::v2("release")
            .mode(mode)
            .stage(Stage::source("Source"))
            .stage(Stage::build("Build", 60))
            .stage(Stage::deploy("Production", "orders", "orders-prod")),
    );
    let adapter = CodePipeline::new(&config(&simulator).await);
    (simulator, adapter)
}

#[tokio::test]
async fn a_pipeline_is_read() {
    let (simulator, adapter) = released(ExecutionMode::Superseded).await;
    let structure = adapter.structure("release").await.unwrap();
    let stages = vec!["Source".to_owned(), "Build".to_owned(), "Production".to_owned()];
    assert_eq!(structure, Structure { version: 1, v2: true, parallel: false, stages });
    let before = adapter.stages("release").await.unwrap();
    assert!(before.iter().all(|stage| stage.execution.is_none() && stage.inbound_closed.is_none()));
    let id = simulator.start_pipeline("release", "v2");
    simulator.advance(Duration::from_secs(75)).await;
    let stages = adapter.stages("release").await.unwrap();
    assert_eq!(stages[1].execution, Some((id.clone(), StageStatus::Succeeded)));
    assert_eq!(stages[2].execution, Some((id.clone(), StageStatus::InProgress)));
    assert!(!stages[2].rollback);
    let runs = adapter.actions("release", &id).await.unwrap();
    let deployment = simulator.deployments("orders-prod").pop().unwrap();
    assert_eq!(runs.len(), 3);
    assert_eq!((runs[0].stage.as_str(), runs[0].action.as_str()), ("Production", "Production"));
    assert_eq!(runs[0].provider.as_deref(), Some("CodeDeployToECS"));
    assert_eq!((runs[0].status.as_str(), &runs[0].external), ("InProgress", &Some(deployment.id)));
    assert!(runs[1].started < runs[0].started && runs[0].started == runs[0].updated);
    assert_eq!(adapter.execution("release", &id).await.unwrap(), ("InProgress".to_owned(), false));
    let executions = adapter.executions("release").await.unwrap();
    assert_eq!(executions[0].revision.as_deref(), Some("Release v2"));
    assert!(adapter.succeeded_in("release", "Production").await.unwrap().is_empty());
    let succeeded = adapter.succeeded_in("release", "Build").await.unwrap();
    assert_eq!(succeeded[0].id, id);
    let error = adapter.structure("none").await.unwrap_err();
    assert!(error.is("PipelineNotFoundException"));
    assert_eq!(error.operation, "codepipeline:GetPipeline");
    let (_simulator, adapter) = released(ExecutionMode::Parallel).await;
    assert!(adapter.structure("release").await.unwrap().parallel);
}

#[tokio::test]
async fn more_actions_than_a_page_holds_are_all_read() {
    let simulator = start().await;
    let many = (0..150).fold(Stage::build("Build", 5), |stage, number| {
        stage.beside(belay_tests::Action::build(&format!("Part{number}"), 5))
    });
    simulator.create_pipeline(Pipeline::v2("release").stage(Stage::source("Source")).stage(many));
    let id = simulator.start_pipeline("release", "v2");
    simulator.advance(minutes(1)).await;
    let adapter = CodePipeline::new(&config(&simulator).await);
    assert_eq!(adapter.actions("release", &id).await.unwrap().len(), 152);
    assert_eq!(simulator.calls("ListActionExecutions").len(), 2);
}

#[tokio::test]
async fn a_stage_is_rolled_back_or_the_answer_says_why_not() {
    let (simulator, adapter) = released(ExecutionMode::Superseded).await;
    let good = simulator.start_pipeline("release", "v2");
    simulator.advance(minutes(10)).await;
    let bad = simulator.start_pipeline("release", "v3");
    simulator.advance(minutes(10)).await;
    let back = async || adapter.roll_back("release", "Production", &good).await;
    simulator.keep_pipeline_busy("release", minutes(1));
    assert_eq!(back().await.unwrap(), RollBackAnswer::Busy);
    simulator.advance(minutes(2)).await;
    let RollBackAnswer::Started(id) = back().await.unwrap() else { panic!("it did not begin") };
    let RollBackAnswer::Refused(why) = back().await.unwrap() else { panic!("twice") };
    assert!(why.contains("UnableToRollbackStageException") && why.contains("running"), "{why}");
    simulator.advance(minutes(10)).await;
    let stages = adapter.stages("release").await.unwrap();
    assert!(stages[2].rollback);
    assert_eq!(stages[2].execution, Some((id.clone(), StageStatus::Succeeded)));
    let succeeded = adapter.succeeded_in("release", "Production").await.unwrap();
    let seen: Vec<_> = succeeded.iter().map(|one| (one.id.as_str(), one.rollback)).collect();
    assert_eq!(seen, [(id.as_str(), true), (bad.as_str(), false), (good.as_str(), false)]);
    assert_eq!(succeeded[0].rollback_target.as_deref(), Some(good.as_str()));
    assert_eq!(succeeded[0].revision.as_deref(), Some("Release v2"));
    assert_eq!(adapter.execution("release", &id).await.unwrap(), ("Succeeded".to_owned(), true));
    for (stage, target) in [("Nowhere", good.as_str()), ("Production", UNKNOWN), ("Source", &good)] {
        let answer = adapter.roll_back("release", stage, target).await.unwrap();
        assert!(matches!(answer, RollBackAnswer::Refused(_)), "{stage} {target}: {answer:?}");
    }
    simulator.outdate_execution(&good);
    assert!(matches!(back().await.unwrap(), RollBackAnswer::Refused(_)));
}

/// Sent again by the SDK, a rollback whose answer was lost would be refused because of itself.
#[tokio::test]
async fn a_lost_answer_to_a_rollback_is_an_error_and_not_sent_again() {
    let (simulator, adapter) = released(ExecutionMode::Superseded).await;
    let good = simulator.start_pipeline("release", "v2");
    simulator.advance(minutes(10)).await;
    simulator.fault("RollbackStage", Fault::TimeoutAfterEffect, 1);
    adapter.roll_back("release", "Production", &good).await.unwrap_err();
    assert_eq!(simulator.calls("RollbackStage").len(), 1);
    assert_eq!(simulator.pipeline_executions("release").len(), 2);
}

#[tokio::test]
async fn an_execution_is_stopped_and_a_stage_closed() {
    let (simulator, adapter) = released(ExecutionMode::Superseded).await;
    let id = simulator.start_pipeline("release", "v2");
    simulator.advance(Duration::from_secs(30)).await;
    let stop = async |abandon| adapter.stop("release", &id, abandon, &"why: ".repeat(60)).await.unwrap();
    assert_eq!(stop(false).await, PipelineStopAnswer::Accepted);
    assert_eq!(stop(false).await, PipelineStopAnswer::AskedBefore);
    assert_eq!(stop(true).await, PipelineStopAnswer::Accepted);
    assert_eq!(stop(true).await, PipelineStopAnswer::AlreadyOver);
    assert_eq!(simulator.pipeline_execution(&id).status, ExecutionStatus::Stopped);
    adapter.stop("none", &id, true, "").await.unwrap_err();
    let reason = "belay: alarm orders_5xx, see https://example.com/#a";
    adapter.close("release", "Production", reason).await.unwrap();
    let told = "belay- alarm orders-5xx see https---example.com--a";
    assert_eq!(simulator.closed_transition("release", "Production").as_deref(), Some(told));
    let stages = adapter.stages("release").await.unwrap();
    assert_eq!(stages[2].inbound_closed.as_deref(), Some(told));
    assert!(adapter.close("release", "Nowhere", reason).await.unwrap_err().is("StageNotFoundException"));
}

#[tokio::test]
async fn an_invocation_tells_failed_from_slow_from_not_measured() {
    let simulator = start().await;
    let lambda = Lambda::new(&config(&simulator).await);
    let within = async |within| lambda.invoke("smoke", br#"{"release":"v2"}"#, within).await;
    let invoke = async || within(Duration::from_secs(30)).await;
    let Err(InvokeError::NotMeasured(error)) = invoke().await else { panic!("there is no function") };
    assert!(error.is("ResourceNotFoundException"));
    simulator.answer_invocations("smoke", Invoked::Answer(json!({ "healthy": true })));
    assert_eq!(invoke().await.unwrap(), br#"{"healthy":true}"#);
    for fault in [Fault::Throttle, Fault::InternalError, Fault::CutConnection, Fault::TimeoutAfterEffect] {
        let calls = simulator.calls("Invoke").len();
        simulator.fault("Invoke", fault, 1);
        assert!(matches!(invoke().await, Err(InvokeError::NotMeasured(_))), "{fault:?}");
        assert_eq!(simulator.calls("Invoke").len(), calls + 1, "{fault:?} was tried again");
    }
    let error = json!({ "errorType": "Unhealthy", "errorMessage": "3 of 5 checks failed" });
    simulator.answer_invocations("smoke", Invoked::Error(error));
    let failed = InvokeError::Failed("Unhealthy: 3 of 5 checks failed".to_owned());
    assert_eq!(invoke().await, Err(failed));
    simulator.answer_invocations("smoke", Invoked::Hang);
    let short = Duration::from_millis(400);
    assert_eq!(within(short).await, Err(InvokeError::TooSlow(short)));
}

/// Other calls to AWS must answer in three seconds; a function that somebody waits for may take longer.
#[tokio::test]
async fn an_invocation_may_take_longer_than_other_calls() {
    let simulator = start().await;
    let lambda = Lambda::new(&config(&simulator).await);
    simulator.answer_invocations("smoke", Invoked::Answer(json!(1)));
    simulator.fault("Invoke", Fault::Hang(Duration::from_millis(3_300)), 1);
    assert_eq!(lambda.invoke("smoke", b"{}", Duration::from_secs(8)).await.unwrap(), b"1");
}
