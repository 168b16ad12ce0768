//! What the roles allow is what is called, no more. That it is no less, the simulator holds in every rehearsal and
//! scenario: see `belay_tests::Simulator::enforce`.

use std::collections::{BTreeMap, BTreeSet};

use belay_tests::{
    Need, Role, Simulator, What,
    stage::{
        deployed, functions,
        template::{ACCOUNT, Function, PARTITION, REGION, Template},
    },
};
use serde_json::{Value, json};

use super::with_chat;
use crate::every_rehearsal_comes_true::all_played;

/// What each function needed in all rehearsals together.
async fn needed() -> BTreeMap<String, BTreeSet<Need>> {
    let mut needed: BTreeMap<String, BTreeSet<Need>> = BTreeMap::new();
    for (_, _, played) in all_played().await {
        for happening in &played.timeline {
            if let What::ApiCall(call) = &happening.what
                && let Some(by) = &call.by
            {
                needed.entry(by.clone()).or_default().extend(call.needs.iter().cloned());
            }
        }
    }
    needed
}

/// What the platform does under a function's role, by what the template says of the function.
fn of_the_platform(function: &Function) -> Vec<Need> {
    let properties = &function.properties;
    let mut needs = Vec::new();
    // Lambda writes the log as the function, into the group that `LoggingConfig` names (Lambda Developer Guide,
    // "Configuring CloudWatch log groups").
    if let Some(group) = properties["LoggingConfig"]["LogGroup"].as_str() {
        let stream = format!("arn:{PARTITION}:logs:{REGION}:{ACCOUNT}:log-group:{group}:log-stream:2026");
        needs.push(Need::new("logs:CreateLogStream", stream.clone()));
        needs.push(Need::new("logs:PutLogEvents", stream));
    }
    // "Tracing: the execution role needs xray:PutTraceSegments and xray:PutTelemetryRecords" (Lambda Developer Guide,
    // "Visualize Lambda function invocations using AWS X-Ray").
    if properties["Tracing"] == "Active" {
        needs.push(Need::new("xray:PutTraceSegments", "*"));
        needs.push(Need::new("xray:PutTelemetryRecords", "*"));
    }
    // "Your function's role needs permission for the destination" (Lambda Developer Guide, "Capturing records of Lambda
    // asynchronous invocations").
    let destination = &properties["EventInvokeConfig"]["DestinationConfig"]["OnFailure"];
    match (destination["Type"].as_str(), destination["Destination"].as_str()) {
        (Some("SQS"), Some(queue)) => needs.push(Need::new("sqs:SendMessage", queue)),
        (None, None) => {}
        other => panic!("{}: a destination {other:?} is not known here", function.logical),
    }
    needs
}

/// The actions of a role that nothing needs, with their statement.
fn unused(role: &Role, needs: &BTreeSet<Need>) -> Vec<String> {
    let actions = role
        .statements
        .iter()
        .flat_map(|statement| statement.actions.iter().map(move |action| (statement, action)));
    actions
        .filter(|(statement, action)| !needs.iter().any(|need| statement.is_used(action, need)))
        .map(|(statement, action)| format!("{}, {}: nothing uses {action}", role.name, statement.sid))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_permission_is_used_and_what_the_platform_needs_is_allowed() {
    let needed = needed().await;
    let mut wrong = Vec::new();
    for function in with_chat().functions() {
        let role = with_chat().role(&function).unwrap();
        let mut needs = needed.get(&function.name).cloned().unwrap_or_default();
        assert!(!needs.is_empty(), "no rehearsal has a call of {}", function.name);
        for need in of_the_platform(&function) {
            if !role.allows(&need) {
                wrong.push(format!("{} does not allow {} on {}", role.name, need.action, need.resource));
            }
            needs.insert(need);
        }
        wrong.extend(unused(&role, &needs));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_is_a_resource_only_where_aws_knows_no_narrower_one() {
    // Where no narrower one does, the simulator itself asks for `*`.
    let mut whole: BTreeSet<String> = BTreeSet::new();
    for need in needed().await.into_values().flatten() {
        if need.resource == "*" {
            whole.insert(need.action);
        }
    }
    for function in with_chat().functions() {
        let platform = of_the_platform(&function).into_iter();
        whole.extend(platform.filter(|need| need.resource == "*").map(|need| need.action));
    }
    let roles = deployed::roles().iter().map(|(_, role)| role).chain([deployed::member_role()]);
    let mut wrong = Vec::new();
    for role in roles {
        for statement in role.statements.iter().filter(|one| one.resources.contains(&"*".to_owned())) {
            for action in statement.actions.iter().filter(|action| !whole.contains(*action)) {
                wrong.push(format!(
                    "{}, {}: {action} has a narrower resource than *",
                    role.name, statement.sid
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is asked of the services behind an action of a pipeline, or a deployment, that failed.
const EXPLAIN: [&str; 10] = [
    "codebuild:BatchGetBuilds",
    "logs:GetLogEvents",
    "logs:FilterLogEvents",
    "cloudformation:DescribeStacks",
    "cloudformation:DescribeStackEvents",
    "ecs:DescribeServices",
    "ecs:ListTasks",
    "ecs:DescribeTasks",
    "elasticloadbalancing:DescribeTargetGroups",
    "elasticloadbalancing:DescribeTargetHealth",
];

/// Whether an action is one on releases, that a member account has as well. Hooks are answered at home only.
fn is_of_releases(action: &str) -> bool {
    let services = ["codedeploy:", "codepipeline:", "cloudwatch:"];
    if EXPLAIN.contains(&action) {
        return true;
    }
    services.iter().any(|service| action.starts_with(service))
        && action != "codedeploy:PutLifecycleEventHookExecutionStatus"
}

/// The actions on releases that a role allows.
fn of_releases(role: &Role) -> BTreeSet<String> {
    let actions = role.statements.iter().flat_map(|statement| statement.actions.iter().cloned());
    actions.filter(|action| is_of_releases(action)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_account_allows_its_actions_on_what_they_are_used_on() {
    // What is called in one account may be needed in another; each account calls itself by one number here.
    let role = deployed::member_role();
    let needed: BTreeSet<Need> = needed().await.into_values().flatten().collect();
    let here: Vec<&Need> = needed.iter().filter(|need| is_of_releases(&need.action)).collect();
    assert!(here.len() > 20, "{here:?}");
    let lacking: Vec<&&Need> = here.iter().filter(|need| !role.allows(need)).collect();
    assert!(lacking.is_empty(), "{lacking:#?}");
}

#[test]
fn a_member_account_allows_just_what_the_hubs_functions_may_do_with_releases() {
    let hub: BTreeSet<String> = deployed::roles().iter().flat_map(|(_, role)| of_releases(role)).collect();
    let role = deployed::member_role();
    let member = of_releases(role);
    assert!(member.len() > 10);
    let differ: Vec<&String> = member.symmetric_difference(&hub).collect();
    assert_eq!(differ, Vec::<&String>::new(), "the member's role, or the hub's, lacks these");
    let all: BTreeSet<String> =
        role.statements.iter().flat_map(|statement| statement.actions.iter().cloned()).collect();
    assert_eq!(all, member, "and nothing of other services");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn applications_and_pipelines_narrow_what_may_be_touched() {
    let narrow = [
        ("Applications", "checkout"),
        ("Pipelines", "checkout-release"),
        ("CheckFunctions", "checkout-smoke"),
    ];
    let secret = deployed::chat_secret_arn();
    let hub = [&narrow[..], &[("ChatSecretArn", secret.as_str())][..]].concat();
    let hub = deployed::template().stack(&hub).unwrap();
    let here =
        [&narrow[..2], &[("HubAccount", ACCOUNT), ("ExternalId", "rehearsed-external-id")][..]].concat();
    let member = Template::read(include_str!("../../../templates/workload-account.yaml")).unwrap();
    let member = member.stack(&here).unwrap().role_called("WorkloadRole").unwrap();
    let needed = needed().await;
    let (mut held, mut wrong) = (0, Vec::new());
    for function in hub.functions() {
        let role = hub.role(&function).unwrap();
        for need in needed.get(&function.name).into_iter().flatten() {
            let narrowed =
                ["deploymentgroup:", "application:", ":checkout-release", "function:checkout-smoke"];
            if !narrowed.iter().any(|part| need.resource.contains(part)) || need.resource.contains('*') {
                continue;
            }
            held += 1;
            let mut other = need.clone();
            other.resource = other.resource.replace(":checkout", ":other");
            let in_both = if is_of_releases(&need.action) { vec![&role, &member] } else { vec![&role] };
            for role in in_both {
                if other.resource != need.resource && role.allows(&other) {
                    wrong.push(format!("{} allows {} on {}", role.name, other.action, other.resource));
                }
                if need.resource.contains(":checkout") && !role.allows(need) {
                    wrong.push(format!("{} does not allow {} on {}", role.name, need.action, need.resource));
                }
            }
        }
    }
    assert!(held > 30, "{held}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_nobody_uses_is_told_by_its_statement() {
    let role = Role::new(
        "SomeRole",
        vec![json!({
            "Sid": "Read", "Effect": "Allow", "Action": ["sns:Publish", "sqs:SendMessage"],
            "Resource": "arn:aws:sns:us-east-1:123456789012:belay",
        })],
    );
    let used = BTreeSet::from([Need::new("sns:Publish", functions::TOPIC)]);
    assert_eq!(unused(&role.unwrap(), &used), ["SomeRole, Read: nothing uses sqs:SendMessage"]);
}

/// IAM's own examples ("Policy evaluation logic", "Resource", "Condition").
#[test]
fn statements_are_evaluated_as_iam_does() {
    let role = |statement: Value| {
        let mut whole = json!({ "Sid": "It", "Effect": "Allow", "Action": "a:Get*", "Resource": "*" });
        for (name, value) in statement.as_object().unwrap() {
            whole[name] = value.clone();
        }
        Role::new("SomeRole", vec![whole])
    };
    let arn = |name: &str| format!("arn:aws:a:us-east-1:123456789012:thing/{name}");
    let get = Need::new("a:GetThing", arn("x/y"));
    let allows = |statement: Value, need: &Need| role(statement).unwrap().allows(need);
    assert!(allows(json!({}), &get));
    assert!(allows(json!({ "Action": "A:getthing" }), &get), "actions have no case");
    assert!(!allows(json!({ "Action": "a:Put*" }), &get));
    assert!(allows(json!({ "Resource": arn("x*") }), &get), "a star spans slashes");
    assert!(allows(json!({ "Resource": arn("x/?") }), &get));
    assert!(!allows(json!({ "Resource": arn("X/y") }), &get), "resources have case");
    assert!(!allows(json!({ "Resource": arn("*") }), &Need::new("a:GetThing", "*")), "no resource needs *");
    assert!(allows(json!({}), &Need::new("a:GetThing", "*")));
    let via = json!({ "Condition": { "StringEquals": { "kms:ViaService": "sns.us-east-1.amazonaws.com" } } });
    assert!(!allows(via.clone(), &get), "a key that is not there does not match");
    assert!(allows(via.clone(), &get.clone().with("kms:ViaService", "sns.us-east-1.amazonaws.com")));
    assert!(!allows(via, &get.clone().with("kms:ViaService", "sqs.us-east-1.amazonaws.com")));
    let denied = Role::new(
        "SomeRole",
        vec![
            json!({ "Sid": "Yes", "Effect": "Allow", "Action": "a:*", "Resource": "*" }),
            json!({ "Sid": "No", "Effect": "Deny", "Action": "a:GetThing", "Resource": arn("x/*") }),
        ],
    );
    let denied = denied.unwrap();
    assert!(!denied.allows(&get) && denied.allows(&Need::new("a:GetThing", arn("z"))));
    for (wrong, why) in [
        (json!({ "NotAction": "a:Get" }), "NotAction"),
        (json!({ "Condition": { "DateLessThan": {} } }), "DateLessThan"),
        (json!({ "Condition": { "StringEquals": { "aws:SourceIp": "x" } } }), "aws:SourceIp"),
        (json!({ "Resource": arn("${aws:username}") }), "policy variables"),
        (json!({ "Resource": [] }), "needs an Action and a Resource"),
        (json!({ "Sid": null }), "has no Sid"),
    ] {
        assert!(role(wrong).unwrap_err().contains(why), "{why}");
    }
}

/// A simulation in which `sweep` may do what this statement says.
async fn held(action: &str) -> (Simulator, aws_config::SdkConfig) {
    let simulator = Simulator::start("2026-03-05T03:00:00Z".parse().unwrap()).await;
    let statement = json!({ "Sid": "It", "Effect": "Allow", "Action": action, "Resource": "*" });
    simulator.enforce("sweep", Role::new("SweepRole", vec![statement]).unwrap());
    let config = functions::sdk_config(&simulator.endpoint(), "sweep");
    (simulator, config)
}

#[tokio::test]
async fn a_call_that_the_role_does_not_allow_is_refused_and_told_by_name() {
    let (simulator, config) = held("codedeploy:GetDeployment").await;
    let stop = aws_sdk_codedeploy::Client::new(&config).stop_deployment().deployment_id("d-75I7MBT7C").send();
    let error = format!("{:?}", stop.await.unwrap_err());
    assert!(
        error.contains("AccessDeniedException") && error.contains("codedeploy:StopDeployment"),
        "{error}"
    );
    let alarms = aws_sdk_cloudwatch::Client::new(&config).describe_alarms().alarm_names("x").send();
    let error = format!("{:?}", alarms.await.unwrap_err());
    assert!(error.contains("AccessDenied") && error.contains(":alarm:x"), "{error}");
    let publish = aws_sdk_sns::Client::new(&config).publish().topic_arn(functions::TOPIC).message("x").send();
    let error = format!("{:?}", publish.await.unwrap_err());
    assert!(error.contains("AuthorizationError"), "{error}");
    assert_eq!(
        simulator.acknowledge_forbidden(),
        [
            "the role of sweep (SweepRole) does not allow codedeploy:StopDeployment on *".to_owned(),
            "the role of sweep (SweepRole) does not allow cloudwatch:DescribeAlarms on arn:aws:cloudwatch:us-east-1:123456789012:alarm:x".to_owned(),
            format!("the role of sweep (SweepRole) does not allow sns:Publish on {}", functions::TOPIC),
        ]
    );
    // Who has no role here may do everything; what is not there is another matter.
    let other = functions::sdk_config(&simulator.endpoint(), "somebody-else");
    let stop = aws_sdk_codedeploy::Client::new(&other).stop_deployment().deployment_id("d-75I7MBT7C").send();
    assert!(format!("{:?}", stop.await.unwrap_err()).contains("DeploymentDoesNotExistException"));
}

#[tokio::test]
#[should_panic(expected = "the role of sweep (SweepRole) does not allow codedeploy:StopDeployment on *")]
async fn a_refused_call_fails_the_test_that_made_it() {
    let (simulator, config) = held("codedeploy:GetDeployment").await;
    let stop = aws_sdk_codedeploy::Client::new(&config).stop_deployment().deployment_id("d-75I7MBT7C").send();
    assert!(stop.await.is_err());
    drop(simulator);
}
