//! Lifecycle hooks: answered, refused, forgotten.

use aws_sdk_codedeploy::types::LifecycleEventStatus;
use serde_json::Value;

use super::clients::code_deploy;
use super::{key_paths, minutes, orders, release};
use crate::{DeploymentStatus, Group, Simulator};

fn with_hook(group: Group) -> Group {
    group.hook("BeforeAllowTraffic", "CodeDeployHook_orders").auto_rollback(&["DEPLOYMENT_FAILURE"])
}

/// The one hook invocation on its way: deployment and execution id.
fn invoked(simulator: &Simulator) -> (String, String) {
    let mut deliveries = simulator.take_deliveries();
    deliveries.retain(|delivery| delivery.function == "lifecycle-hooks");
    assert_eq!(deliveries.len(), 1);
    let payload: Value = serde_json::from_slice(&deliveries[0].payload).unwrap();
    let sample: Value =
        serde_json::from_str(include_str!("../../fixtures/codedeploy/codedeploy-hook.json")).unwrap();
    assert_eq!(key_paths(&payload), key_paths(&sample));
    let text = |name: &str| payload[name].as_str().unwrap().to_owned();
    (text("DeploymentId"), text("LifecycleEventHookExecutionId"))
}

#[tokio::test]
async fn traffic_waits_for_the_answer() {
    let simulator = orders(with_hook).await;
    let client = code_deploy(&simulator).await;
    let id = release(&simulator);
    simulator.advance(minutes(3)).await;
    assert_eq!(simulator.traffic("orders-prod").new_percent, 0);
    let (deployment, execution) = invoked(&simulator);
    assert_eq!(deployment, id);
    let answer = |status| {
        client
            .put_lifecycle_event_hook_execution_status()
            .deployment_id(&id)
            .lifecycle_event_hook_execution_id(&execution)
            .status(status)
            .send()
    };
    let error = answer(LifecycleEventStatus::Skipped).await.unwrap_err();
    assert!(error.into_service_error().is_invalid_lifecycle_event_hook_execution_status_exception());
    answer(LifecycleEventStatus::Succeeded).await.unwrap();
    let error = answer(LifecycleEventStatus::Failed).await.unwrap_err();
    assert!(error.into_service_error().is_lifecycle_event_already_completed_exception());
    let unknown = client
        .put_lifecycle_event_hook_execution_status()
        .deployment_id(&id)
        .lifecycle_event_hook_execution_id("unknown")
        .status(LifecycleEventStatus::Succeeded)
        .send()
        .await;
    assert!(
        unknown.unwrap_err().into_service_error().is_invalid_lifecycle_event_hook_execution_id_exception()
    );
    simulator.advance(minutes(1)).await;
    assert_eq!(simulator.traffic("orders-prod").new_percent, 10);
}

#[tokio::test]
async fn a_failed_hook_fails_the_deployment_and_rolls_back() {
    let simulator = orders(with_hook).await;
    let client = code_deploy(&simulator).await;
    let id = release(&simulator);
    simulator.advance(minutes(1)).await;
    let (_, execution) = invoked(&simulator);
    client
        .put_lifecycle_event_hook_execution_status()
        .deployment_id(&id)
        .lifecycle_event_hook_execution_id(execution)
        .status(LifecycleEventStatus::Failed)
        .send()
        .await
        .unwrap();
    let failed = simulator.deployment(&id);
    assert_eq!(failed.status, DeploymentStatus::Failed);
    assert_eq!(failed.error.as_ref().unwrap().0, "HOOK_EXECUTION_FAILURE");
    assert_eq!(
        failed.lifecycle(),
        [("BeforeAllowTraffic", "Failed"), ("AllowTraffic", "Skipped"), ("AfterAllowTraffic", "Skipped")]
    );
    let target = client.get_deployment_target().deployment_id(&id).target_id("orders:live").send().await;
    target.unwrap();
    let input = serde_json::json!({ "deploymentId": id, "targetId": "orders:live" });
    let shown = simulator.world().code_deploy("GetDeploymentTarget", &input);
    let sample: Value = serde_json::from_str(include_str!(
        "../../fixtures/codedeploy/api-codedeploy-get-deployment-target-lambda.json"
    ))
    .unwrap();
    assert_eq!(key_paths(&shown.unwrap().unwrap()), key_paths(&sample));
    // The rollback does not call the hook.
    simulator.advance(minutes(1)).await;
    let rollback = simulator.deployment(failed.rollback.as_deref().unwrap());
    assert_eq!(rollback.status, DeploymentStatus::Succeeded);
    assert!(simulator.take_deliveries().iter().all(|delivery| delivery.function != "lifecycle-hooks"));
}

#[tokio::test]
async fn an_hour_of_silence_fails_the_deployment() {
    let simulator = orders(with_hook).await;
    let id = release(&simulator);
    simulator.advance(minutes(59)).await;
    assert_eq!(simulator.deployment(&id).status, DeploymentStatus::InProgress);
    simulator.advance(minutes(2)).await;
    assert_eq!(simulator.deployment(&id).status, DeploymentStatus::Failed);
    // The answer comes too late.
    let (_, execution) = invoked(&simulator);
    let late = code_deploy(&simulator)
        .await
        .put_lifecycle_event_hook_execution_status()
        .deployment_id(&id)
        .lifecycle_event_hook_execution_id(execution)
        .status(LifecycleEventStatus::Succeeded)
        .send()
        .await;
    assert!(late.unwrap_err().into_service_error().is_lifecycle_event_already_completed_exception());
}
