//! What the calls of a failure's gathering need, seen from a role that allows just that.

use aws_sdk_ecs::error::ProvideErrorMetadata;
use serde_json::json;

use super::clients::config;
use super::{minutes, thursday};
use crate::{FailedBuild, FailedTasks, LogLine, Role, Simulator};

const HERE: &str = "us-east-1:123456789012";

fn role() -> Role {
    let arn = |service: &str, resource: &str| format!("arn:aws:{service}:{HERE}:{resource}");
    let allow = |sid: &str, action: &str, resource: String| json!({ "Sid": sid, "Effect": "Allow", "Action": action, "Resource": resource });
    let in_prod = json!({ "ArnLike": { "ecs:cluster": arn("ecs", "cluster/prod") } });
    let mut listing = allow("Tasks", "ecs:ListTasks", "*".to_owned());
    listing["Condition"] = in_prod;
    let logs = "log-group:/aws/codebuild/checkout:log-stream:*";
    Role::new(
        "GatheringRole",
        vec![
            allow("Builds", "codebuild:BatchGetBuilds", arn("codebuild", "project/checkout")),
            allow("Lines", "logs:GetLogEvents", arn("logs", logs)),
            allow("Search", "logs:FilterLogEvents", arn("logs", "log-group:/aws/codebuild/checkout:*")),
            allow("Services", "ecs:DescribeServices", arn("ecs", "service/prod/*")),
            listing,
            allow("Stopped", "ecs:DescribeTasks", arn("ecs", "task/prod/*")),
            allow("Targets", "elasticloadbalancing:DescribeTargetHealth", "*".to_owned()),
        ],
    )
    .unwrap()
}

#[tokio::test]
async fn each_call_needs_its_own_permission_on_its_own_resource() {
    let simulator = Simulator::start(thursday()).await;
    simulator.advance(minutes(10)).await;
    simulator.enforce("test", role());
    simulator.add_failed_tasks(FailedTasks::of("prod", "checkout"));
    simulator.add_failed_tasks(FailedTasks::of("test", "checkout"));
    let failure = |project: &str| FailedBuild::of(project, "BUILD", "COMMAND_EXECUTION_ERROR", "no");
    let ours = simulator.add_failed_build(failure("checkout"));
    let theirs = simulator.add_failed_build(failure("billing"));
    simulator.write_log("/aws/codebuild/checkout", "one", thursday(), &[LogLine::of("ERROR")]);
    let config = config(&simulator).await;
    let builds = aws_sdk_codebuild::Client::new(&config);
    let logs = aws_sdk_cloudwatchlogs::Client::new(&config);
    let tasks = aws_sdk_ecs::Client::new(&config);
    let targets = aws_sdk_elasticloadbalancingv2::Client::new(&config);
    builds.batch_get_builds().ids(&ours).send().await.unwrap();
    let page = |group: &str| logs.get_log_events().log_group_name(group).log_stream_name("one").send();
    page("/aws/codebuild/checkout").await.unwrap();
    let search = |group: &str| logs.filter_log_events().log_group_name(group).send();
    search("/aws/codebuild/checkout").await.unwrap();
    let services = |cluster: &str| tasks.describe_services().cluster(cluster).services("checkout").send();
    services("prod").await.unwrap();
    services(&format!("arn:aws:ecs:{HERE}:cluster/prod")).await.unwrap();
    let list = |cluster: &str| tasks.list_tasks().cluster(cluster).send();
    let running = list("prod").await.unwrap();
    let describe = |arn: &str| tasks.describe_tasks().cluster("prod").tasks(arn).send();
    describe(&running.task_arns()[0]).await.unwrap();
    let health = targets.describe_target_health().target_group_arn("arn:none").send().await.unwrap_err();
    assert_eq!(health.code(), Some("TargetGroupNotFound"));
    assert!(simulator.acknowledge_forbidden().is_empty());

    let denied = "AccessDeniedException";
    assert_eq!(
        builds.batch_get_builds().ids(&ours).ids(&theirs).send().await.unwrap_err().code(),
        Some(denied)
    );
    assert_eq!(page("/aws/codebuild/billing").await.unwrap_err().code(), Some(denied));
    assert_eq!(search("/aws/codebuild/billing").await.unwrap_err().code(), Some(denied));
    assert_eq!(services("test").await.unwrap_err().code(), Some(denied));
    assert_eq!(list("test").await.unwrap_err().code(), Some(denied));
    let groups = targets.describe_target_groups().send().await.unwrap_err();
    assert_eq!(groups.code(), Some("AccessDenied"));
    let said = simulator.acknowledge_forbidden();
    let project = format!("codebuild:BatchGetBuilds on arn:aws:codebuild:{HERE}:project/billing");
    assert!(said.len() == 6 && said[0].ends_with(&project), "{said:#?}");
}
