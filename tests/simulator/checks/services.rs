//! ECS services whose tasks do not come up, their target groups, and deployments that say why they failed.

use std::time::Duration;

use aws_sdk_codedeploy::types::{DeploymentStatus as Status, ErrorCode, LifecycleErrorCode};
use aws_sdk_ecs::error::ProvideErrorMetadata;
use aws_sdk_ecs::types::{DeploymentControllerType, DeploymentRolloutState, DesiredStatus, TaskStopCode};

use super::clients::{code_deploy, code_pipeline, config};
use super::{minutes, thursday};
use crate::{
    Action, AutoRollback, Break, Cause, Diagnosed, ExecutionStatus, FailedDeployment, FailedTargets,
    FailedTasks, Group, Pipeline, Service, Simulator, Stage, StoppedContainer, StoppedTask, TargetNow,
};

const PULL: &str = "CannotPullContainerError: pull image manifest has been retried 1 time(s)";
const EXITED: &str = "Essential container in task exited";

fn failing() -> FailedTasks {
    FailedTasks {
        stopped: vec![
            StoppedTask { reason: PULL.to_owned(), ..StoppedTask::default() },
            StoppedTask {
                reason: EXITED.to_owned(),
                code: None,
                containers: vec![StoppedContainer {
                    name: "app".to_owned(),
                    exit_code: Some(137),
                    reason: Some("OutOfMemoryError: Container killed due to memory usage".to_owned()),
                    health: None,
                }],
            },
        ],
        events: vec![
            "(service checkout) has started 2 tasks.".to_owned(),
            "(service checkout) is".to_owned(),
        ],
        rollout: Some("ECS deployment circuit breaker: tasks failed to start.".to_owned()),
        targets: Some(FailedTargets {
            group: "checkout-blue".to_owned(),
            path: "/health?a=1&b=<2>".to_owned(),
            port: None,
            matcher: "200-299".to_owned(),
            targets: vec![
                TargetNow {
                    id: "10.0.1.5".to_owned(),
                    port: 8080,
                    state: "unhealthy".to_owned(),
                    reason: Some("Target.ResponseCodeMismatch".to_owned()),
                    description: Some("Health checks failed with these codes: [404]".to_owned()),
                },
                TargetNow {
                    id: "10.0.1.6".to_owned(),
                    port: 8080,
                    state: "healthy".to_owned(),
                    reason: None,
                    description: None,
                },
            ],
        }),
        ..FailedTasks::of("prod", "checkout")
    }
}

#[tokio::test]
async fn tasks_that_do_not_come_up_fail_their_stage_and_are_shown_for_an_hour() {
    let simulator = Simulator::start(thursday()).await;
    simulator.create_pipeline(
        Pipeline::v2("release")
            .stage(Stage::source("Source"))
            .stage(Stage::of("Production", Action::ecs("Production", 120, "prod", "checkout"))),
    );
    let client = aws_sdk_ecs::Client::new(&config(&simulator).await);
    let describe = || client.describe_services().cluster("prod").services("checkout");
    assert_eq!(describe().send().await.unwrap_err().code(), Some("ClusterNotFoundException"));
    simulator.break_stage("release", Break::of("Production", Cause::Tasks(failing())).times(1));
    let id = simulator.start_pipeline("release", "v2");
    simulator.advance(Duration::from_secs(70)).await;
    let early = describe().send().await.unwrap().services()[0].clone();
    assert_eq!(early.deployments()[0].rollout_state(), Some(&DeploymentRolloutState::InProgress));
    assert_eq!((early.deployments()[0].failed_tasks(), early.events().len()), (1, 1));
    simulator.advance(minutes(2)).await;
    assert_eq!(simulator.pipeline_execution(&id).status, ExecutionStatus::Failed);
    let shown = describe().services("other").send().await.unwrap();
    assert_eq!(shown.failures()[0].reason(), Some("MISSING"));
    let service = &shown.services()[0];
    let newest = &service.deployments()[0];
    assert_eq!((newest.status(), newest.failed_tasks()), (Some("PRIMARY"), 2));
    assert_eq!(newest.rollout_state(), Some(&DeploymentRolloutState::Failed));
    assert!(newest.rollout_state_reason().unwrap().contains("circuit breaker"));
    assert_eq!(service.deployments()[1].status(), Some("ACTIVE"));
    assert_eq!(service.events()[0].message(), Some("(service checkout) is"));
    let kind = service.deployment_controller().unwrap().r#type();
    assert_eq!(kind, &DeploymentControllerType::Ecs);
    let pipelines = code_pipeline(&simulator).await;
    let state = pipelines.get_pipeline_state().name("release").send().await.unwrap();
    let run = state.stage_states()[1].action_states()[0].latest_execution().unwrap();
    assert_eq!(run.external_execution_id(), newest.id());

    let list = |status: DesiredStatus| {
        client.list_tasks().cluster("prod").service_name("checkout").desired_status(status)
    };
    let stopped = list(DesiredStatus::Stopped).send().await.unwrap();
    assert_eq!(stopped.task_arns().len(), 2);
    assert_eq!(list(DesiredStatus::Running).send().await.unwrap().task_arns().len(), 2);
    let first = list(DesiredStatus::Stopped).max_results(1).send().await.unwrap();
    let rest = list(DesiredStatus::Stopped).max_results(1).next_token(first.next_token().unwrap());
    assert_eq!(rest.send().await.unwrap().task_arns(), &stopped.task_arns()[1..]);
    let arns = Some(stopped.task_arns().to_vec());
    let describe_tasks = || client.describe_tasks().cluster("prod").set_tasks(arns.clone());
    let tasks = describe_tasks().tasks("no-such").send().await.unwrap();
    assert_eq!(tasks.failures()[0].reason(), Some("MISSING"));
    let (pull, exited) = (&tasks.tasks()[0], &tasks.tasks()[1]);
    assert_eq!((pull.stopped_reason(), pull.started_at()), (Some(PULL), None));
    assert_eq!(pull.stop_code(), Some(&TaskStopCode::TaskFailedToStart));
    assert_eq!(exited.stop_code(), Some(&TaskStopCode::EssentialContainerExited));
    assert_eq!((exited.last_status(), exited.group()), (Some("STOPPED"), Some("service:checkout")));
    let container = &exited.containers()[0];
    assert_eq!((container.name(), container.exit_code()), (Some("app"), Some(137)));
    assert!(container.reason().unwrap().starts_with("OutOfMemoryError"));
    simulator.advance(minutes(61)).await;
    assert!(list(DesiredStatus::Stopped).send().await.unwrap().task_arns().is_empty());
    assert_eq!(describe_tasks().send().await.unwrap().failures().len(), 2);
    assert!(simulator.calls("ListTasks").iter().all(|call| call.service == Service::Ecs));

    simulator.start_pipeline("release", "v3");
    simulator.advance(minutes(5)).await;
    let healed = describe().send().await.unwrap().services()[0].clone();
    assert_eq!(healed.deployments()[0].rollout_state(), Some(&DeploymentRolloutState::Completed));
    assert!(healed.events()[0].message().unwrap().ends_with("has reached a steady state."));
}

#[tokio::test]
async fn target_groups_tell_their_check_and_who_fails_it() {
    let simulator = Simulator::start(thursday()).await;
    simulator.add_failed_tasks(failing());
    let tasks = aws_sdk_ecs::Client::new(&config(&simulator).await);
    let client = aws_sdk_elasticloadbalancingv2::Client::new(&config(&simulator).await);
    let service = tasks.describe_services().cluster("prod").services("checkout").send().await.unwrap();
    let balancer = &service.services()[0].load_balancers()[0];
    assert_eq!((balancer.container_name(), balancer.container_port()), (Some("app"), Some(8080)));
    let arn = balancer.target_group_arn().unwrap();
    let groups = client.describe_target_groups().target_group_arns(arn).send().await.unwrap();
    let group = &groups.target_groups()[0];
    assert_eq!(group.health_check_path(), Some("/health?a=1&b=<2>"));
    assert_eq!(group.matcher().unwrap().http_code(), Some("200-299"));
    assert_eq!((group.health_check_port(), group.port()), (Some("traffic-port"), Some(8080)));
    let health = client.describe_target_health().target_group_arn(arn).send().await.unwrap();
    let targets = health.target_health_descriptions();
    assert_eq!(targets.len(), 2);
    let (bad, good) = (&targets[0], &targets[1]);
    assert_eq!(bad.target().unwrap().id(), Some("10.0.1.5"));
    assert_eq!(bad.health_check_port(), Some("8080"));
    let state = bad.target_health().unwrap();
    assert_eq!(state.state().unwrap().as_str(), "unhealthy");
    assert_eq!(state.reason().unwrap().as_str(), "Target.ResponseCodeMismatch");
    assert!(state.description().unwrap().ends_with("[404]"));
    assert!(good.target_health().unwrap().reason().is_none());
    let none = format!("{arn}0");
    let missing = client.describe_target_health().target_group_arn(&none).send().await.unwrap_err();
    assert!(missing.into_service_error().is_target_group_not_found_exception());
    let missing = client.describe_target_groups().target_group_arns(&none).send().await.unwrap_err();
    assert!(missing.into_service_error().is_target_group_not_found_exception());
    assert!(client.describe_load_balancers().send().await.is_err());
    assert_eq!(simulator.acknowledge_unmodelled(), ["LoadBalancing DescribeLoadBalancers"]);
    let calls = simulator.calls("DescribeTargetHealth");
    assert!(calls.iter().all(|call| call.service == Service::LoadBalancing && !call.changed));
}

fn script_failed() -> FailedDeployment {
    FailedDeployment {
        code: "HEALTH_CONSTRAINTS".to_owned(),
        message: "The overall deployment failed because too many individual instances failed".to_owned(),
        events: vec![
            Diagnosed { log_tail: "installed".to_owned(), ..Diagnosed::of("BeforeInstall", "Succeeded") },
            Diagnosed {
                code: Some("ScriptFailed".to_owned()),
                script: "scripts/start.sh".to_owned(),
                message: "Script at specified location failed with exit code 1".to_owned(),
                log_tail: "[stderr]address already in use".to_owned(),
                ..Diagnosed::of("AfterInstall", "Failed")
            },
        ],
    }
}

#[tokio::test]
async fn a_deployment_says_which_script_failed() {
    let simulator = Simulator::start(thursday()).await;
    let group = Group::server("orders", "orders-prod");
    simulator.create_group(Group { auto_rollback: AutoRollback::on(&["DEPLOYMENT_FAILURE"]), ..group });
    simulator.break_deployments("orders-prod", script_failed(), Some(1));
    let id = simulator.start_deployment("orders", "orders-prod", "v2", "user").unwrap();
    simulator.advance(minutes(5)).await;
    let client = code_deploy(&simulator).await;
    let shown = client.get_deployment().deployment_id(&id).send().await.unwrap().deployment_info.unwrap();
    assert_eq!(shown.status(), Some(&Status::Failed));
    let error = shown.error_information().unwrap();
    assert_eq!(error.code(), Some(&ErrorCode::HealthConstraints));
    assert!(error.message().unwrap().contains("too many individual instances"));
    let target = client.get_deployment_target().deployment_id(&id).target_id("i-0123456789abcdef0");
    let target = target.send().await.unwrap().deployment_target.unwrap();
    let events = target.instance_target().unwrap().lifecycle_events().to_vec();
    let of =
        |name: &str| events.iter().find(|event| event.lifecycle_event_name() == Some(name)).unwrap().clone();
    let failed = of("AfterInstall");
    let said = failed.diagnostics().unwrap();
    assert_eq!(said.error_code(), Some(&LifecycleErrorCode::ScriptFailed));
    assert_eq!(said.script_name(), Some("scripts/start.sh"));
    assert_eq!(said.log_tail(), Some("[stderr]address already in use"));
    let before = of("BeforeInstall");
    let before = before.diagnostics().unwrap();
    assert_eq!(
        (before.error_code(), before.log_tail()),
        (Some(&LifecycleErrorCode::Success), Some("installed"))
    );
    assert!(of("ValidateService").diagnostics().is_none());
    // What CodeDeploy takes back by itself does not fail.
    let back = simulator.deployment(&id).rollback.unwrap();
    assert_eq!(simulator.deployment(&back).status.name(), "Succeeded");
    let again = simulator.start_deployment("orders", "orders-prod", "v2", "user").unwrap();
    simulator.advance(minutes(5)).await;
    assert_eq!(simulator.deployment(&again).status.name(), "Succeeded");
}

#[tokio::test]
async fn a_stage_fails_with_its_deployment_and_the_tasks_behind_it() {
    let simulator = Simulator::start(thursday()).await;
    simulator.create_group(Group::ecs("checkout", "checkout-prod"));
    simulator.create_pipeline(Pipeline::v2("release").stage(Stage::source("Source")).stage(Stage::deploy(
        "Production",
        "checkout",
        "checkout-prod",
    )));
    let timed_out = FailedDeployment {
        code: "TIMEOUT".to_owned(),
        message: "The deployment timed out while waiting for the replacement task set to become healthy."
            .to_owned(),
        events: vec![Diagnosed::of("Install", "InProgress")],
    };
    let cause = Cause::Deployment { failure: timed_out, tasks: Some(failing()) };
    simulator.break_stage("release", Break::of("Production", cause));
    let id = simulator.start_pipeline("release", "v2");
    simulator.advance(minutes(50)).await;
    assert_eq!(simulator.pipeline_execution(&id).status, ExecutionStatus::InProgress);
    let client = aws_sdk_ecs::Client::new(&config(&simulator).await);
    let service = client.describe_services().cluster("prod").services("checkout").send().await.unwrap();
    let service = &service.services()[0];
    assert!(service.deployments().is_empty());
    assert_eq!(service.deployment_controller().unwrap().r#type(), &DeploymentControllerType::CodeDeploy);
    let deployment = simulator.deployments("checkout-prod").pop().unwrap();
    assert_eq!(service.task_sets()[1].external_id(), Some(deployment.id.as_str()));
    let deployments = code_deploy(&simulator).await;
    let targets = deployments.list_deployment_targets().deployment_id(&deployment.id);
    assert_eq!(targets.send().await.unwrap().target_ids(), ["prod:checkout"]);
    simulator.advance(minutes(15)).await;
    assert_eq!(simulator.pipeline_execution(&id).status, ExecutionStatus::Failed);
    let deployment = simulator.deployment(&deployment.id);
    assert_eq!(deployment.error.unwrap().0, "TIMEOUT");
    let run = simulator.pipeline_execution(&id).stages[1].actions[0].clone();
    let said = format!("Deployment {} failed", deployment.id);
    assert_eq!(run.error, Some(("JobFailed".to_owned(), said)));
}

#[tokio::test]
async fn a_deployment_may_fail_before_its_first_event() {
    let simulator = Simulator::start(thursday()).await;
    simulator.create_group(Group::lambda("orders", "orders-prod"));
    let denied = FailedDeployment {
        code: "IAM_ROLE_PERMISSIONS".to_owned(),
        message: "The IAM role does not give you permission to perform operations in AWS Lambda.".to_owned(),
        events: Vec::new(),
    };
    simulator.break_deployments("orders-prod", denied, None);
    let id = simulator.start_deployment("orders", "orders-prod", "v2", "user").unwrap();
    simulator.advance(minutes(1)).await;
    let deployment = simulator.deployment(&id);
    assert_eq!(
        (deployment.status.name(), deployment.error.as_ref().unwrap().0.as_str()),
        ("Failed", "IAM_ROLE_PERMISSIONS")
    );
    assert!(deployment.lifecycle().iter().all(|(_, status)| *status == "Skipped"));
    assert_eq!(simulator.traffic("orders-prod").old_label, "v1");
}
