//! Deployments: shifting, stopping, rolling back, listing.

use aws_sdk_codedeploy::types::{
    AlarmConfiguration, AppSpecContent, DeploymentCreator, DeploymentStatus as Status, ErrorCode,
    RevisionLocation, RevisionLocationType, StopStatus,
};
use serde_json::Value;

use super::clients::code_deploy;
use super::{key_paths, minutes, orders, release, thursday};
use crate::{Alarm, AlarmState, DeploymentStatus, Group, Simulator, StopAnswer};

fn app_spec(current: &str, target: &str) -> RevisionLocation {
    let content = format!(
        "version: 0.0\nresources:\n  - orders:\n      type: AWS::Lambda::Function\n      properties: {{name: orders, alias: live, currentversion: \"{current}\", targetversion: \"{target}\"}}\n"
    );
    RevisionLocation::builder()
        .revision_type(RevisionLocationType::AppSpecContent)
        .app_spec_content(AppSpecContent::builder().content(content).build())
        .build()
}

#[tokio::test]
async fn a_canary_gets_ten_percent_and_then_everything() {
    let simulator = orders(|group| group).await;
    let client = code_deploy(&simulator).await;
    let id = release(&simulator);
    simulator.advance(minutes(1)).await;
    assert_eq!(simulator.traffic("orders-prod").new_percent, 10);
    let target =
        client.get_deployment_target().deployment_id(&id).target_id("orders:live").send().await.unwrap();
    let target = target.deployment_target().unwrap().lambda_target().unwrap();
    let info = target.lambda_function_info().unwrap();
    assert_eq!(info.current_version(), Some("41"));
    assert_eq!(info.target_version_weight(), 0.1);
    simulator.advance(minutes(3)).await;
    assert_eq!(simulator.traffic("orders-prod").new_percent, 10);
    simulator.advance(minutes(2)).await;
    let got = client.get_deployment().deployment_id(&id).send().await.unwrap();
    let shown = got.deployment_info().unwrap();
    assert_eq!(shown.status(), Some(&Status::Succeeded));
    assert_eq!(shown.deployment_config_name(), Some("CodeDeployDefault.LambdaCanary10Percent5Minutes"));
    let share = simulator.traffic("orders-prod");
    assert_eq!((share.old_label.as_str(), share.new_label), ("v42", None));
    // 4,980 or so requests by now; the canary's half of 10 percent failed, and later half of all.
    let requests = simulator.requests("orders-prod");
    assert!(requests.failed > 100.0 && requests.failed < requests.total / 2.0);
}

#[tokio::test]
async fn a_stop_with_rollback_brings_the_old_version_back() {
    let simulator = orders(|group| group).await;
    let client = code_deploy(&simulator).await;
    let id = release(&simulator);
    simulator.advance(minutes(2)).await;
    let stop = client.stop_deployment().deployment_id(&id).auto_rollback_enabled(true).send().await.unwrap();
    assert_eq!(stop.status(), Some(&StopStatus::Succeeded));
    let stopped = client.get_deployment().deployment_id(&id).send().await;
    let stopped = stopped.unwrap().deployment_info.unwrap();
    assert_eq!(stopped.status(), Some(&Status::Stopped));
    let error = stopped.error_information().unwrap();
    assert_eq!(error.code(), Some(&ErrorCode::ManualStop));
    let info = stopped.rollback_info().unwrap();
    let rollback = info.rollback_deployment_id().unwrap().to_owned();
    assert_eq!(
        info.rollback_message().unwrap(),
        format!(
            "Deployment {id} terminated. Automatic rollback is triggered with a DeploymentId {rollback}."
        )
    );
    // Traffic takes its time to come back.
    assert_eq!(simulator.traffic("orders-prod").new_percent, 10);
    simulator.advance(minutes(1)).await;
    let share = simulator.traffic("orders-prod");
    assert_eq!((share.new_percent, share.old_label.as_str()), (0, "v41"));
    let undone = client.get_deployment().deployment_id(&rollback).send().await;
    let undone = undone.unwrap().deployment_info.unwrap();
    assert_eq!(undone.status(), Some(&Status::Succeeded));
    assert_eq!(undone.creator(), Some(&DeploymentCreator::CodeDeployRollback));
    let info = undone.rollback_info().unwrap();
    assert_eq!(info.rollback_triggering_deployment_id(), Some(id.as_str()));
    assert_eq!(
        info.rollback_message().unwrap(),
        format!("Deployment {rollback} is triggered to roll back deployment {id}.")
    );
    // A second stop is too late.
    let again = client.stop_deployment().deployment_id(&id).send().await;
    let error = again.unwrap_err().into_service_error();
    assert!(error.is_deployment_already_completed_exception());
    let calls = simulator.calls("StopDeployment");
    assert_eq!(calls.len(), 2);
    assert!(calls[0].changed && !calls[1].changed);
}

#[tokio::test]
async fn a_stop_without_rollback_leaves_the_alias_weighted_and_the_next_release_failing() {
    let simulator = orders(|group| group).await;
    let client = code_deploy(&simulator).await;
    let id = release(&simulator);
    simulator.advance(minutes(2)).await;
    let stop = client.stop_deployment().deployment_id(&id).send().await;
    stop.unwrap();
    simulator.advance(minutes(5)).await;
    assert_eq!(simulator.traffic("orders-prod").new_percent, 10);
    assert_eq!(simulator.deployment(&id).rollback, None);
    let next = simulator.start_deployment("orders", "orders-prod", "v43", "user").unwrap();
    simulator.advance(minutes(1)).await;
    assert_eq!(simulator.deployment(&next).status, DeploymentStatus::Failed);
    simulator.repair_alias("orders-prod", "v41");
    let after = simulator.start_deployment("orders", "orders-prod", "v43", "user").unwrap();
    simulator.advance(minutes(1)).await;
    assert_eq!(simulator.deployment(&after).status, DeploymentStatus::InProgress);
}

#[tokio::test]
async fn a_stop_may_be_pending_at_first() {
    let simulator = orders(|group| group).await;
    simulator.answer_stops_with(StopAnswer::Pending);
    let client = code_deploy(&simulator).await;
    let id = release(&simulator);
    simulator.advance(minutes(1)).await;
    let stop = client.stop_deployment().deployment_id(&id).send().await;
    assert_eq!(stop.unwrap().status(), Some(&StopStatus::Pending));
    assert_eq!(simulator.deployment(&id).status, DeploymentStatus::InProgress);
    simulator.advance(minutes(1)).await;
    assert_eq!(simulator.deployment(&id).status, DeploymentStatus::Stopped);
}

#[tokio::test]
async fn a_first_deployment_has_nothing_to_roll_back_to() {
    let simulator = orders(Group::first_deployment).await;
    let client = code_deploy(&simulator).await;
    let id = release(&simulator);
    simulator.advance(minutes(1)).await;
    client.stop_deployment().deployment_id(&id).auto_rollback_enabled(true).send().await.unwrap();
    let stopped = client.get_deployment().deployment_id(&id).send().await;
    let stopped = stopped.unwrap().deployment_info.unwrap();
    assert_eq!(stopped.rollback_info().unwrap().rollback_deployment_id(), None);
    assert!(stopped.previous_revision().is_none());
    assert_eq!(simulator.deployments("orders-prod").len(), 1);
}

#[tokio::test]
async fn the_groups_own_alarm_stops_an_ecs_deployment_and_rolls_it_back() {
    let simulator = Simulator::start(thursday()).await;
    simulator.create_group(
        Group::ecs("orders", "orders-prod")
            .baseline("v41")
            .alarms(&["orders-5xx"])
            .auto_rollback(&["DEPLOYMENT_STOP_ON_ALARM"])
            .termination_wait(5),
    );
    simulator.create_alarm(Alarm::scripted("orders-5xx"));
    let client = code_deploy(&simulator).await;
    let id = release(&simulator);
    simulator.advance(minutes(2)).await;
    // All traffic has moved, and still the deployment is in progress.
    let waiting = simulator.deployment(&id);
    assert_eq!(simulator.traffic("orders-prod").new_percent, 100);
    assert_eq!(waiting.status, DeploymentStatus::InProgress);
    assert!(waiting.lifecycle().iter().all(|(_, status)| *status == "Succeeded"));
    simulator.set_alarm_state("orders-5xx", AlarmState::Alarm, simulator.now());
    simulator.advance(minutes(1)).await;
    let stopped = simulator.deployment(&id);
    let (code, message) = stopped.error.clone().unwrap();
    assert_eq!(code, "ALARM_ACTIVE");
    assert!(message.ends_with("Activated alarms: <orders-5xx>"));
    let rollback = simulator.deployment(stopped.rollback.as_deref().unwrap());
    assert_eq!(rollback.status, DeploymentStatus::Succeeded);
    assert_eq!(simulator.traffic("orders-prod").old_label, "v41");
    for (id, fixture) in [
        (
            &stopped.id,
            include_str!("../../fixtures/codedeploy/api-codedeploy-get-deployment-stopped-by-alarm.json"),
        ),
        (
            &rollback.id,
            include_str!("../../fixtures/codedeploy/api-codedeploy-get-deployment-auto-rollback.json"),
        ),
    ] {
        let sample: Value = serde_json::from_str(fixture).unwrap();
        let input = serde_json::json!({ "deploymentId": id });
        let shown = simulator.world().code_deploy("GetDeployment", &input);
        assert_eq!(key_paths(&shown.unwrap().unwrap()), key_paths(&sample));
    }
    // Redeploying while the alarm fires is stopped at once, unless alarms are overridden.
    let quickly = simulator.start_deployment("orders", "orders-prod", "v43", "user").unwrap();
    simulator.advance(minutes(2)).await;
    assert_eq!(simulator.deployment(&quickly).status, DeploymentStatus::Stopped);
    let content = simulator.deployment(&rollback.id).revision.content.unwrap();
    let revision = RevisionLocation::builder()
        .revision_type(RevisionLocationType::AppSpecContent)
        .app_spec_content(AppSpecContent::builder().content(content).build())
        .build();
    let created = client
        .create_deployment()
        .application_name("orders")
        .deployment_group_name("orders-prod")
        .revision(revision)
        .override_alarm_configuration(AlarmConfiguration::builder().enabled(false).build())
        .send()
        .await
        .unwrap();
    simulator.advance(minutes(10)).await;
    let redeployed = simulator.deployment(created.deployment_id().unwrap());
    assert_eq!(redeployed.status, DeploymentStatus::Succeeded);
    assert_eq!(redeployed.label, "v41");
}

#[tokio::test]
async fn an_app_spec_text_is_withheld_and_fetched_by_its_hash() {
    let simulator = orders(|group| group).await;
    let client = code_deploy(&simulator).await;
    let id = release(&simulator);
    let got = client.get_deployment().deployment_id(&id).send().await;
    let revision = got.unwrap().deployment_info.unwrap().revision.unwrap();
    let spec = revision.app_spec_content().unwrap();
    assert_eq!(spec.content(), None);
    let fetched = client
        .get_application_revision()
        .application_name("orders")
        .revision(revision.clone())
        .send()
        .await
        .unwrap();
    let content = fetched.revision.unwrap().app_spec_content.unwrap().content;
    assert!(content.unwrap().contains("targetversion: \"42\""));
    let unknown = RevisionLocation::builder()
        .revision_type(RevisionLocationType::AppSpecContent)
        .app_spec_content(AppSpecContent::builder().sha256("00").build())
        .build();
    let refused = client.get_application_revision().application_name("orders").revision(unknown).send().await;
    let error = refused.unwrap_err().into_service_error();
    assert!(error.is_revision_does_not_exist_exception());
}

#[tokio::test]
async fn a_redeploy_names_the_version_that_the_alias_serves() {
    let simulator = orders(|group| group).await;
    let client = code_deploy(&simulator).await;
    release(&simulator);
    let create = |revision| {
        client
            .create_deployment()
            .application_name("orders")
            .deployment_group_name("orders-prod")
            .deployment_config_name("CodeDeployDefault.LambdaAllAtOnce")
            .description("undo")
            .revision(revision)
            .send()
    };
    let refused = create(app_spec("42", "41")).await.unwrap_err();
    assert!(refused.into_service_error().is_deployment_limit_exceeded_exception());
    simulator.advance(minutes(10)).await;
    let replayed = create(app_spec("41", "41")).await.unwrap();
    simulator.advance(minutes(1)).await;
    let replayed = simulator.deployment(replayed.deployment_id().unwrap());
    assert_eq!(replayed.status, DeploymentStatus::Failed);
    let swapped = create(app_spec("42", "41")).await.unwrap();
    simulator.advance(minutes(1)).await;
    let swapped = simulator.deployment(swapped.deployment_id().unwrap());
    assert_eq!(swapped.status, DeploymentStatus::Succeeded);
    assert_eq!(swapped.label, "v41");
    assert_eq!(simulator.traffic("orders-prod").old_label, "v41");
    let listed = client
        .list_deployments()
        .application_name("orders")
        .deployment_group_name("orders-prod")
        .include_only_statuses(Status::Failed)
        .include_only_statuses(Status::Succeeded)
        .send()
        .await
        .unwrap();
    let newest = &listed.deployments()[..2];
    assert_eq!(newest, [swapped.id.clone(), replayed.id]);
    let one_name = client.list_deployments().application_name("orders").send();
    let error = one_name.await.unwrap_err().into_service_error();
    assert!(error.is_deployment_group_name_required_exception());
    let group = client
        .get_deployment_group()
        .application_name("orders")
        .deployment_group_name("orders-prod")
        .send()
        .await
        .unwrap();
    let group = group.deployment_group_info().unwrap();
    let last = group.last_successful_deployment().unwrap();
    assert_eq!(last.deployment_id(), Some(swapped.id.as_str()));
    let batch = client
        .batch_get_deployments()
        .deployment_ids(&swapped.id)
        .deployment_ids("d-UNKNOWN00")
        .send()
        .await
        .unwrap();
    assert_eq!(batch.deployments_info().len(), 1);
}
