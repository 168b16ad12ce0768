//! CodePipeline's events, held against the samples.

use std::collections::BTreeSet;

use aws_sdk_codepipeline::types::StageRetryMode;
use serde_json::Value;

use super::clients::code_pipeline;
use super::{key_paths, minutes, thursday};
use crate::{
    Action, DeliverySettings, DeploymentStatus, ExecutionStatus, Group, Pipeline, Simulator, Stage,
    StopAnswer,
};

fn sample(name: &str) -> Value {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/codepipeline");
    serde_json::from_str(&std::fs::read_to_string(format!("{folder}/{name}.json")).unwrap()).unwrap()
}

fn events(simulator: &Simulator) -> Vec<Value> {
    let deliveries = simulator.take_deliveries();
    assert!(deliveries.iter().all(|delivery| delivery.function == "pipeline-events"));
    deliveries
        .iter()
        .map(|delivery| serde_json::from_slice::<Value>(&delivery.payload).unwrap())
        .filter(|event| event["source"] == "aws.codepipeline")
        .collect()
}

/// The first event of a level, in a state, of this action or stage.
fn find<'a>(events: &'a [Value], level: &str, state: &str, place: &str) -> &'a Value {
    let kind = format!("CodePipeline {level} Execution State Change");
    events
        .iter()
        .find(|event| {
            let detail = &event["detail"];
            let own = match level {
                "Action" => &detail["action"],
                "Stage" => &detail["stage"],
                _ => &detail["pipeline"],
            };
            event["detail-type"] == kind && detail["state"] == state && own == place
        })
        .unwrap_or_else(|| panic!("no {level} {state} {place}"))
}

fn same_shape(event: &Value, name: &str) {
    assert_eq!(key_paths(event), key_paths(&sample(name)), "{name}");
    assert!(event["detail"]["version"].is_f64(), "{name}");
    assert!(event["detail"]["pipeline-execution-attempt"].is_f64(), "{name}");
}

async fn released() -> Simulator {
    let simulator = Simulator::start(thursday()).await;
    simulator.create_group(Group::server("orders", "orders-prod"));
    simulator.create_pipeline(
        Pipeline::v2("release")
            .stage(Stage::source("Source"))
            .stage(Stage::approval("Approve"))
            .stage(Stage::deploy("Production", "orders", "orders-prod")),
    );
    simulator
}

#[tokio::test]
async fn events_have_the_samples_shapes() {
    let simulator = released().await;
    let client = code_pipeline(&simulator).await;
    simulator.start_pipeline("release", "v2");
    simulator.step(minutes(1));
    simulator.approve("release", "Approve", true, "go");
    simulator.step(minutes(10));
    let seen = events(&simulator);
    same_shape(find(&seen, "Pipeline", "STARTED", "release"), "codepipeline-pipeline-started");
    same_shape(find(&seen, "Pipeline", "SUCCEEDED", "release"), "codepipeline-pipeline-succeeded");
    same_shape(find(&seen, "Stage", "STARTED", "Production"), "codepipeline-stage-started");
    same_shape(find(&seen, "Action", "SUCCEEDED", "Source"), "codepipeline-action-succeeded");
    same_shape(find(&seen, "Action", "STARTED", "Approve"), "codepipeline-action-approval-started");
    let started = find(&seen, "Action", "STARTED", "Production");
    same_shape(started, "codepipeline-action-started");
    assert_eq!(started["detail"]["type"], sample("codepipeline-action-started")["detail"]["type"]);
    assert_eq!(started["resources"][0], "arn:aws:codepipeline:us-east-1:123456789012:release");
    assert_eq!(
        find(&seen, "Pipeline", "STARTED", "release")["detail"]["start-time"],
        "2026-03-05T14:00:00.000Z"
    );

    let rejected = simulator.start_pipeline("release", "v3");
    simulator.step(minutes(1));
    simulator.approve("release", "Approve", false, "not today");
    let seen = events(&simulator);
    let event = find(&seen, "Action", "FAILED", "Approve");
    same_shape(event, "codepipeline-action-approval-rejected");
    let result = &sample("codepipeline-action-approval-rejected")["detail"]["execution-result"];
    assert_eq!(event["detail"]["execution-result"], *result);
    same_shape(find(&seen, "Stage", "FAILED", "Approve"), "codepipeline-stage-failed");
    same_shape(find(&seen, "Pipeline", "FAILED", "release"), "codepipeline-pipeline-failed");

    let retry = client.retry_stage_execution().pipeline_name("release").stage_name("Approve");
    let retry = retry.pipeline_execution_id(&rejected).retry_mode(StageRetryMode::FailedActions);
    retry.send().await.unwrap();
    simulator.approve("release", "Approve", true, "well then");
    simulator.step(minutes(1));
    let seen = events(&simulator);
    let resumed = find(&seen, "Stage", "RESUMED", "Approve");
    same_shape(resumed, "codepipeline-stage-resumed");
    assert_eq!(resumed["detail"]["pipeline-execution-attempt"], 2.0);
    assert_eq!(find(&seen, "Pipeline", "RESUMED", "release")["detail"].get("start-time"), None);
    let after = find(&seen, "Stage", "SUCCEEDED", "Approve");
    assert!(after["detail"]["stage-last-retry-attempt-time"].is_string());

    let stop = client.stop_pipeline_execution().pipeline_name("release").pipeline_execution_id(&rejected);
    stop.abandon(true).reason("an update").send().await.unwrap();
    let seen = events(&simulator);
    same_shape(find(&seen, "Pipeline", "STOPPING", "release"), "codepipeline-pipeline-stopping");
    same_shape(find(&seen, "Action", "ABANDONED", "Production"), "codepipeline-action-abandoned");
    let states: Vec<_> = seen.iter().map(|event| event["detail"]["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["STOPPING", "STOPPING", "ABANDONED", "STOPPED", "STOPPED"]);
}

#[tokio::test]
async fn a_failed_deployment_fails_its_action() {
    let simulator = released().await;
    simulator.answer_stops_with(StopAnswer::Succeeded);
    let id = simulator.start_pipeline("release", "v2");
    simulator.step(minutes(1));
    simulator.approve("release", "Approve", true, "go");
    simulator.step(std::time::Duration::from_secs(10));
    let deployment = simulator.deployments("orders-prod").pop().unwrap();
    assert_eq!(deployment.status, DeploymentStatus::InProgress);
    simulator.world().stop_by_hand(&deployment.id, false);
    simulator.step(std::time::Duration::from_secs(5));
    assert_eq!(simulator.pipeline_execution(&id).status, ExecutionStatus::Failed);
    let seen = events(&simulator);
    let event = find(&seen, "Action", "FAILED", "Production");
    same_shape(event, "codepipeline-action-failed-codedeploy");
    let result = &event["detail"]["execution-result"];
    assert_eq!(result["external-execution-id"], deployment.id);
    assert_eq!(result["external-execution-summary"], format!("Deployment {} failed", deployment.id));
    assert_eq!(result["error-code"], "JobFailed");
    assert_eq!(event["detail"]["type"]["provider"], "CodeDeploy");
}

#[tokio::test]
async fn overtaken_and_cancelled_executions_say_so_in_events_words() {
    let simulator = released().await;
    let first = simulator.start_pipeline("release", "v2");
    simulator.step(minutes(1));
    let second = simulator.start_pipeline("release", "v3");
    simulator.step(minutes(1));
    simulator.start_pipeline("release", "v4");
    simulator.step(minutes(1));
    assert_eq!(simulator.pipeline_execution(&second).status, ExecutionStatus::Superseded);
    let seen = events(&simulator);
    let event = find(&seen, "Pipeline", "SUPERSEDED", "release");
    same_shape(event, "codepipeline-pipeline-superseded");
    assert_eq!(event["detail"]["execution-id"], second);
    simulator.cancel_execution(&first);
    assert_eq!(simulator.pipeline_execution(&first).status.name(), "Cancelled");
    let seen = events(&simulator);
    for (level, place) in [("Action", "Approve"), ("Stage", "Approve"), ("Pipeline", "release")] {
        assert_eq!(find(&seen, level, "CANCELED", place)["detail"]["execution-id"], first);
    }
}

#[tokio::test]
async fn the_state_has_the_samples_shape() {
    let simulator = Simulator::start(thursday()).await;
    simulator.create_group(Group::server("orders", "orders-prod"));
    simulator.create_pipeline(
        Pipeline::v2("release")
            .stage(Stage::source("Source"))
            .stage(Stage::of("Production", Action::deploy("Production", "orders", "orders-prod")))
            .stage(Stage::approval("Approve")),
    );
    simulator.start_pipeline("release", "v2");
    simulator.step(std::time::Duration::from_secs(10));
    let deployment = simulator.deployments("orders-prod").pop().unwrap();
    simulator.step(std::time::Duration::from_secs(5));
    simulator.world().stop_by_hand(&deployment.id, false);
    let close = serde_json::json!({
        "pipelineName": "release", "stageName": "Production", "transitionType": "Inbound", "reason": "x",
    });
    simulator.world().code_pipeline("DisableStageTransition", &close).unwrap().unwrap();
    simulator.step(minutes(1));
    let input = serde_json::json!({ "name": "release" });
    let shown = simulator.world().code_pipeline("GetPipelineState", &input).unwrap().unwrap();
    let sample = key_paths(&sample("api-codepipeline-get-pipeline-state"));
    let paths = key_paths(&shown);
    let of_approvals: BTreeSet<_> =
        sample.difference(&paths).filter(|path| !path.contains("latestExecution.token")).cloned().collect();
    assert!(of_approvals.is_empty(), "{of_approvals:?}");
    assert!(paths.is_subset(&sample), "{:?}", paths.difference(&sample));
}

#[tokio::test]
async fn events_of_pipelines_can_be_lost_and_doubled() {
    let simulator = released().await;
    simulator.set_delivery(DeliverySettings { lose: 1.0, ..DeliverySettings::default() });
    simulator.start_pipeline("release", "v2");
    simulator.step(minutes(1));
    assert!(simulator.take_deliveries().is_empty());
    simulator.set_delivery(DeliverySettings { duplicates: 1, ..DeliverySettings::default() });
    simulator.approve("release", "Approve", true, "go");
    let seen = events(&simulator);
    assert_eq!(seen[0]["id"], seen[1]["id"]);
    assert_eq!(seen.len() % 2, 0);
}
