//! From a deployment that failed to its cause: by CodeDeploy to instances and to ECS, and by ECS itself.

use std::time::Duration;

use belay::{diagnosis::explain, gather::failure};
use belay_tests::{
    Break, Cause as Why, Diagnosed, FailedDeployment, FailedTargets, FailedTasks, Group, StoppedContainer,
    StoppedTask, TargetNow,
};

use crate::failures_are_explained::{adapters, cause, start};

/// Its task says that the load balancer gave it up, and its target why.
fn unhealthy() -> FailedTasks {
    let group =
        "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/orders-green/856238e446c9a134";
    FailedTasks {
        stopped: vec![StoppedTask {
            reason: format!("Task failed ELB health checks in (target-group {group})"),
            ..StoppedTask::default()
        }],
        targets: Some(FailedTargets {
            group: "orders-green".to_owned(),
            path: "/health".to_owned(),
            port: None,
            matcher: "200".to_owned(),
            targets: vec![TargetNow {
                id: "10.0.1.5".to_owned(),
                port: 8080,
                state: "unhealthy".to_owned(),
                reason: Some("Target.ResponseCodeMismatch".to_owned()),
                description: Some("Health checks failed with these codes: [404]".to_owned()),
            }],
        }),
        ..FailedTasks::of("prod", "orders")
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_deployment_is_explained_by_how_its_containers_ended() {
    let simulator = start().await;
    let exited = StoppedTask {
        reason: "Essential container in task exited".to_owned(),
        code: None,
        containers: vec![StoppedContainer {
            name: "app".to_owned(),
            exit_code: Some(137),
            reason: Some("OutOfMemoryError: Container killed due to memory usage".to_owned()),
            health: None,
        }],
    };
    let tasks = FailedTasks { stopped: vec![exited], ..FailedTasks::of("prod", "orders") };
    simulator.break_stage("orders", Break::of("Rolling", Why::Tasks(tasks)));
    let cause = cause(&simulator, "Rolling").await;
    assert_eq!((cause.rule.as_str(), cause.seen_in.as_str()), ("task-out-of-memory", "the container's exit"));
    assert_eq!(cause.not_learnt, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_deployment_is_explained_by_its_targets() {
    let simulator = start().await;
    simulator.break_stage("orders", Break::of("Rolling", Why::Tasks(unhealthy())));
    let cause = cause(&simulator, "Rolling").await;
    assert_eq!((cause.rule.as_str(), cause.seen_in.as_str()), ("target-path-wrong", "the target's health"));
    assert!(cause.evidence.contains("10.0.1.5:8080") && cause.evidence.contains("/health"), "{cause:?}");
    assert_eq!(cause.not_learnt, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deployment_to_ecs_is_explained_by_the_targets_of_the_new_tasks() {
    let simulator = start().await;
    let timed_out = FailedDeployment {
        code: "TIMEOUT".to_owned(),
        message: "The deployment timed out while waiting for the replacement task set to become healthy."
            .to_owned(),
        events: vec![Diagnosed::of("Install", "InProgress")],
    };
    let why = Why::Deployment { failure: timed_out, tasks: Some(unhealthy()) };
    simulator.break_stage("orders", Break::of("Production", why));
    let cause = cause(&simulator, "Production").await;
    assert_eq!((cause.rule.as_str(), cause.seen_in.as_str()), ("target-path-wrong", "the target's health"));
    assert_eq!(cause.not_learnt, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deployment_without_a_pipeline_is_explained_by_its_script() {
    let simulator = start().await;
    simulator.create_group(Group::server("basket", "basket-prod"));
    let script = Diagnosed {
        code: Some("ScriptFailed".to_owned()),
        script: "scripts/start.sh".to_owned(),
        message: "Script at specified location: scripts/start.sh failed with exit code 1".to_owned(),
        log_tail: "[stderr]address already in use".to_owned(),
        ..Diagnosed::of("AfterInstall", "Failed")
    };
    let failed = FailedDeployment {
        code: "HEALTH_CONSTRAINTS".to_owned(),
        message: "The overall deployment failed because too many individual instances failed".to_owned(),
        events: vec![Diagnosed::of("BeforeInstall", "Succeeded"), script],
    };
    simulator.break_deployments("basket-prod", failed, None);
    let id = simulator.start_deployment("basket", "basket-prod", "v2", "user").unwrap();
    simulator.advance(Duration::from_secs(300)).await;
    let adapters = adapters(&simulator, "pipeline-events");
    let release = adapters.codedeploy.deployment(&id.as_str().into()).await.unwrap();
    let gathered = failure::of_deployment(&adapters, &release, simulator.now()).await;
    let cause = explain(gathered.known().expect("it was told"));
    assert_eq!(
        (cause.rule.as_str(), cause.seen_in.as_str()),
        ("script-failed", "the deployment's lifecycle event")
    );
    assert!(cause.what.contains("scripts/start.sh"), "{cause:?}");
    // One that CodeDeploy has forgotten.
    let forgotten = belay::release::Release { id: "d-FORGOTTEN".into(), ..release };
    let gathered = failure::of_deployment(&adapters, &forgotten, simulator.now()).await;
    let why = gathered.known().expect_err("there is none").to_owned();
    assert!(why.contains("AWS says DeploymentDoesNotExistException"), "{why}");
    simulator.assert_all_modelled();
}
