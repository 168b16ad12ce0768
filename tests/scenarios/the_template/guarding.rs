//! Who may invoke the functions, where what fails goes, and who watches the guard: what the roles of the functions do not
//! say, and what nobody would miss before the worst day.

use std::collections::BTreeSet;

use belay_tests::stage::template::{Stack, Template};
use serde_json::{Value, json};

use super::{with_chat, without_chat};

/// The permissions to invoke a function: who, and by what.
fn permissions(stack: &Stack, function: &str) -> Vec<Value> {
    let of_it = |permission: &&Value| {
        let named = permission["FunctionName"].as_str().unwrap_or_default();
        let name = stack.resources[function]["Properties"]["FunctionName"].as_str().unwrap();
        named == name || stack.arn(function).as_deref() == Some(named)
    };
    stack
        .of_type("AWS::Lambda::Permission")
        .map(|(_, permission)| permission)
        .filter(of_it)
        .cloned()
        .collect()
}

/// Each rule and its one target.
fn rules(stack: &Stack) -> Vec<(&str, &Value)> {
    stack.of_type("AWS::Events::Rule").map(|(name, rule)| (name, &rule["Targets"][0])).collect()
}

/// The statements of a resource's own policy.
fn statements<'a>(stack: &'a Stack, kind: &'a str) -> Vec<&'a Value> {
    let policies = stack.of_type(kind).map(|(_, policy)| &policy["PolicyDocument"]["Statement"]);
    policies.flat_map(|statements| statements.as_array().into_iter().flatten()).collect()
}

#[test]
fn whatever_invokes_a_function_may() {
    let stack = with_chat();
    for (name, target) in rules(stack) {
        let rule = stack.arn(name).unwrap();
        let target = target["Arn"].as_str().unwrap();
        let function =
            stack.functions().into_iter().find(|one| stack.arn(&one.logical).as_deref() == Some(target));
        let Some(function) = function else { continue };
        let may = permissions(stack, &function.logical).iter().any(|permission| {
            permission["Action"] == "lambda:InvokeFunction"
                && permission["Principal"] == "events.amazonaws.com"
                && permission["SourceArn"] == rule.as_str()
        });
        assert!(may, "{name} may not invoke {}", function.name);
    }
    // An alarm's own action (CloudWatch User Guide, "Using Amazon CloudWatch alarms", Lambda actions).
    let alarms = permissions(stack, "AlarmTransitions");
    let direct = alarms.iter().find(|one| one["Principal"] == "lambda.alarms.cloudwatch.amazonaws.com");
    let direct = direct.expect("AlarmsMayInvoke: alarms may invoke alarm-transitions");
    assert_eq!(direct["SourceAccount"], "123456789012", "of this account only");
    // A function URL without IAM needs both (Lambda Developer Guide, "Control access to Lambda function URLs").
    let url = permissions(stack, "ChatActions");
    let has = |wanted: Value| {
        url.iter().any(|one| wanted.as_object().unwrap().iter().all(|(key, value)| one[key] == *value))
    };
    assert!(
        has(json!({ "Action": "lambda:InvokeFunctionUrl", "Principal": "*", "FunctionUrlAuthType": "NONE" })),
        "AnybodyMayCallTheUrl: {url:#?}"
    );
    assert!(
        has(json!({ "Action": "lambda:InvokeFunction", "Principal": "*", "InvokedViaFunctionUrl": true })),
        "TheUrlMayInvoke: {url:#?}"
    );
    assert_eq!(url.len(), 2, "nobody else may invoke chat-actions");
}

#[test]
fn what_cannot_be_delivered_or_fails_for_good_is_kept() {
    let stack = with_chat();
    let queue = stack.arn("DeadLetters").unwrap();
    let may: BTreeSet<&str> = statements(stack, "AWS::SQS::QueuePolicy")
        .into_iter()
        .filter(|one| one["Effect"] == "Allow" && one["Principal"]["Service"] == "events.amazonaws.com")
        .filter_map(|one| one["Condition"]["ArnEquals"]["aws:SourceArn"].as_array())
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let mut named = BTreeSet::new();
    for (name, target) in rules(stack) {
        assert_eq!(target["DeadLetterConfig"]["Arn"], queue.as_str(), "{name} loses what it cannot deliver");
        assert!(target["RetryPolicy"].is_object(), "{name} has the default of 24 hours");
        named.insert(stack.arn(name).unwrap());
    }
    let named: BTreeSet<&str> = named.iter().map(String::as_str).collect();
    assert_eq!(may, named, "the queue takes letters of each rule and of nothing else");
    for function in stack.functions() {
        let failed =
            &function.properties["EventInvokeConfig"]["DestinationConfig"]["OnFailure"]["Destination"];
        assert_eq!(*failed, queue.as_str(), "{}", function.name);
    }
}

#[test]
fn approvals_that_tell_their_topic_reach_pipeline_events_and_nobody_else() {
    let stack = with_chat();
    let (topic, queue) = (stack.arn("ApprovalsTopic").unwrap(), stack.arn("DeadLetters").unwrap());
    // The rehearsals' pipelines tell the same one, by the name that the template gives it.
    assert_eq!(topic, belay_tests::stage::functions::APPROVALS);
    assert_eq!(stack.outputs["ApprovalsTopic"], topic.as_str());
    let of_topic = &stack.resources["ApprovalsTopic"]["Properties"];
    assert_eq!(of_topic["KmsMasterKeyId"], key_arn(stack), "encrypted as Belay's own topic is");
    assert_eq!(stack.outputs["TopicsKeyArn"], key_arn(stack));
    let subscriptions: Vec<&Value> = stack.of_type("AWS::SNS::Subscription").map(|(_, one)| one).collect();
    let [subscription] = subscriptions.as_slice() else { panic!("{subscriptions:?}") };
    assert_eq!(subscription["TopicArn"], topic.as_str());
    assert_eq!(subscription["Protocol"], "lambda");
    assert_eq!(subscription["Endpoint"], stack.arn("PipelineEvents").unwrap());
    assert_eq!(subscription["RedrivePolicy"]["deadLetterTargetArn"], queue.as_str());
    let may =
        permissions(stack, "PipelineEvents").into_iter().find(|one| one["Principal"] == "sns.amazonaws.com");
    let may = may.expect("ApprovalsMayInvoke: SNS may invoke pipeline-events");
    assert_eq!((&may["Action"], &may["SourceArn"]), (&json!("lambda:InvokeFunction"), &json!(topic)));
    let takes = statements(stack, "AWS::SQS::QueuePolicy");
    let takes = takes.iter().find(|one| one["Principal"]["Service"] == "sns.amazonaws.com");
    let takes = takes.expect("WhatApprovalsCouldNotDeliver: the queue takes what SNS could not deliver");
    assert_eq!(takes["Action"], "sqs:SendMessage");
    assert_eq!(takes["Condition"]["ArnEquals"]["aws:SourceArn"], topic.as_str(), "of this topic only");
    // The topic's own policy lets nobody in: whoever publishes has a permission of its own in this account.
    let (_, policy) =
        stack.of_type("AWS::SNS::TopicPolicy").find(|(_, one)| one["Topics"] == json!([topic])).unwrap();
    let policy = policy["PolicyDocument"]["Statement"].as_array().unwrap();
    assert!(policy.iter().all(|one| one["Effect"] == "Deny") && policy.len() == 1, "{policy:?}");
    assert_eq!(policy[0]["Condition"]["Bool"]["aws:SecureTransport"], "false");
}

/// The alarms on Belay itself, by their names.
fn alarms(stack: &Stack) -> Vec<(String, &Value)> {
    let named = |(_, alarm): (&str, &'_ Value)| alarm["AlarmName"].as_str().map(str::to_owned);
    stack.of_type("AWS::CloudWatch::Alarm").map(|alarm| (named(alarm).expect("a name"), alarm.1)).collect()
}

#[test]
fn every_alarm_on_belay_itself_tells_the_topic_and_says_what_to_do() {
    let operations = include_str!("../../../docs/operations.md");
    let stack = with_chat();
    let topic = stack.arn("Topic").unwrap();
    for (name, alarm) in alarms(stack) {
        assert_eq!(alarm["AlarmActions"], json!([topic]), "{name}");
        assert_eq!(alarm["OKActions"], json!([topic]), "{name}");
        let description = alarm["AlarmDescription"].as_str().unwrap();
        assert!(description.contains("docs/operations.md"), "{name}: {description}");
        let heading = description.split('"').nth(1).expect("a heading in quotes");
        assert!(operations.contains(&format!("\n## {heading}\n")), "{name}: no heading {heading}");
        let short = name.strip_prefix("belay-").unwrap();
        assert!(operations.contains(short), "docs/operations.md does not say what {short} means");
    }
    for function in stack.functions() {
        let wanted = json!([{ "Name": "FunctionName", "Value": function.properties["FunctionName"] }]);
        let watched = alarms(stack)
            .iter()
            .any(|(_, alarm)| alarm["MetricName"] == "Errors" && alarm["Dimensions"] == wanted);
        assert!(watched, "nobody watches the errors of {}", function.name);
    }
    let names: Vec<String> = alarms(stack).into_iter().map(|(name, _)| name).collect();
    for wanted in [
        "a-letter-was-lost",
        "throttled",
        "the-clock-stood-still",
        "something-was-given-up",
        "a-question-is-old",
    ] {
        assert!(names.contains(&format!("belay-{wanted}")), "{names:?}");
    }
    // CloudWatch may publish, by the topic's policy and the key's, for alarms of such names.
    let publish = statements(stack, "AWS::SNS::TopicPolicy");
    let of = |service: &str| {
        publish
            .iter()
            .find(|one| one["Principal"]["Service"] == service && one["Action"] == "sns:Publish")
            .unwrap_or_else(|| panic!("{service} may not publish to the topic"))
    };
    let pattern = of("cloudwatch.amazonaws.com")["Condition"]["ArnLike"]["aws:SourceArn"].as_str().unwrap();
    let prefix = pattern.strip_suffix('*').unwrap();
    for name in &names {
        assert!(
            format!("arn:aws:cloudwatch:us-east-1:123456789012:alarm:{name}").starts_with(prefix),
            "{name}"
        );
    }
    // EventBridge fills no condition there: with one it would be refused, unseen.
    assert!(of("events.amazonaws.com")["Condition"].is_null());
    let (_, key) = stack.of_type("AWS::KMS::Key").next().unwrap();
    for service in ["cloudwatch.amazonaws.com", "events.amazonaws.com"] {
        let found = key["KeyPolicy"]["Statement"].as_array().unwrap().iter().find(|one| {
            one["Principal"]["Service"] == service
                && one["Action"] == json!(["kms:Decrypt", "kms:GenerateDataKey*"])
        });
        let found = found.unwrap_or_else(|| panic!("{service} may not use the topic's key"));
        assert_eq!(found["Condition"].is_null(), service == "events.amazonaws.com", "{found}");
    }
}

#[test]
fn the_dashboard_is_json_about_what_is_there() {
    for stack in [with_chat(), &without_chat(), &with_teams_alone()] {
        let (_, dashboard) = stack.of_type("AWS::CloudWatch::Dashboard").next().expect("a dashboard");
        let body = dashboard["DashboardBody"].as_str().unwrap();
        let read: Value = serde_json::from_str(body).unwrap_or_else(|error| panic!("{error} in {body}"));
        let shown = &read["widgets"][0]["properties"]["alarms"];
        let shown: BTreeSet<&str> = shown.as_array().unwrap().iter().filter_map(Value::as_str).collect();
        let there: BTreeSet<String> =
            stack.of_type("AWS::CloudWatch::Alarm").filter_map(|(logical, _)| stack.arn(logical)).collect();
        assert_eq!(shown, there.iter().map(String::as_str).collect::<BTreeSet<&str>>());
        for function in stack.functions() {
            let name = function.properties["FunctionName"].to_string();
            assert!(body.matches(&name).count() >= 3, "{} is not on it", function.name);
        }
    }
}

/// The widget is a function that the dashboard calls with its viewer's credentials (not verified in AWS), so nobody but
/// those with the policy needs to be let in. What stands in the dashboard is of the CloudWatch API reference, "Dashboard
/// body structure and syntax".
#[test]
fn the_releases_are_on_the_dashboard_and_viewers_may_look_and_no_more() {
    let stack = with_chat();
    let arn = stack.arn("ReleaseWidget").unwrap();
    let (_, dashboard) = stack.of_type("AWS::CloudWatch::Dashboard").next().unwrap();
    let read: Value = serde_json::from_str(dashboard["DashboardBody"].as_str().unwrap()).unwrap();
    let widgets = read["widgets"].as_array().unwrap();
    let custom: Vec<&Value> = widgets.iter().filter(|widget| widget["type"] == "custom").collect();
    let [widget] = custom[..] else { panic!("{custom:?}") };
    let properties = &widget["properties"];
    assert_eq!((&properties["endpoint"], &properties["title"]), (&json!(arn), &json!("Releases")));
    assert_eq!(properties["updateOn"], json!({ "refresh": true, "resize": true, "timeRange": true }));
    // Nothing lies on anything else.
    for other in widgets.iter().filter(|other| *other != widget) {
        let bottom = other["y"].as_u64().unwrap() + other["height"].as_u64().unwrap();
        assert!(bottom <= widget["y"].as_u64().unwrap(), "{other}");
    }
    assert_eq!(permissions(stack, "ReleaseWidget"), Vec::<Value>::new(), "nobody else may call it");
    let policies = statements(stack, "AWS::IAM::ManagedPolicy");
    let [policy] = policies[..] else { panic!("{policies:?}") };
    let may = (&policy["Effect"], &policy["Action"], &policy["Resource"]);
    assert_eq!(may, (&json!("Allow"), &json!("lambda:InvokeFunction"), &json!(arn)));
    let role = stack.role_called("ReleaseWidgetRole").unwrap();
    let reads: Vec<&String> = role
        .statements
        .iter()
        .filter(|statement| !["WriteLogs", "Trace", "KeepWhatFailed"].contains(&statement.sid.as_str()))
        .flat_map(|statement| &statement.actions)
        .collect();
    assert_eq!(reads, ["dynamodb:Query"]);
}

/// Every target that a letter may be lost for is watched, and an alarm takes ten metrics at most (CloudWatch User Guide,
/// "Create an alarm based on a metric math expression").
#[test]
fn the_alarm_on_lost_letters_has_every_function_and_every_rule() {
    for stack in [with_chat(), &without_chat()] {
        let alarms = stack.of_type("AWS::CloudWatch::Alarm").filter(|(name, _)| name.ends_with("WasLost"));
        let mut watched: Vec<String> = Vec::new();
        for (name, alarm) in alarms {
            let metrics = alarm["Metrics"].as_array().unwrap();
            let of_it = metrics
                .iter()
                .filter_map(|metric| metric["MetricStat"]["Metric"]["Dimensions"][0]["Value"].as_str());
            let before = watched.len();
            watched.extend(of_it.map(str::to_owned));
            assert!((1..=10).contains(&(watched.len() - before)), "{name}: {watched:?}");
        }
        let functions = stack.functions().into_iter();
        let mut wanted: BTreeSet<String> =
            functions.map(|one| one.properties["FunctionName"].as_str().unwrap().to_owned()).collect();
        for (rule, _) in rules(stack) {
            wanted.insert(stack.arn(rule).unwrap().rsplit('/').next().unwrap().to_owned());
        }
        assert_eq!(watched.into_iter().collect::<BTreeSet<_>>(), wanted);
    }
}

/// A chat secret without Slack's tokens.
fn with_teams_alone() -> Stack {
    let secret = belay_tests::stage::deployed::chat_secret_arn();
    belay_tests::stage::deployed::template().stack(&[("ChatSecretArn", &secret), ("Slack", "no")]).unwrap()
}

#[test]
fn without_slack_there_is_no_url_and_nobody_who_could_be_asked_by_it() {
    for stack in [&without_chat(), &with_teams_alone()] {
        assert!(stack.functions().iter().all(|function| function.name != "chat-actions"));
        assert_eq!(stack.of_type("AWS::Lambda::Url").count(), 0);
        assert!(!stack.resources.contains_key("ChatActionsRole"));
        assert!(!stack.outputs.contains_key("ChatUrl"));
    }
    let teams = with_teams_alone();
    for function in teams.functions() {
        let secret = &function.properties["Environment"]["Variables"]["BELAY_CHAT_SECRET"];
        assert_eq!(*secret, belay_tests::stage::deployed::chat_secret_arn(), "{}", function.name);
    }
}

#[test]
fn only_lambda_is_the_functions_and_the_key_is_what_the_logs_need() {
    let stack = with_chat();
    for (name, role) in stack.of_type("AWS::IAM::Role") {
        let trusts = &role["AssumeRolePolicyDocument"]["Statement"];
        assert_eq!(trusts.as_array().map(Vec::len), Some(1), "{name}");
        assert_eq!(trusts[0]["Principal"], json!({ "Service": "lambda.amazonaws.com" }), "{name}");
        assert_eq!(trusts[0]["Action"], "sts:AssumeRole", "{name}");
        // The members' trust policies know the roles by this path.
        assert_eq!(stack.outputs["RolePath"], role["Path"], "{name}");
    }
    let (_, key) = stack.of_type("AWS::KMS::Key").next().unwrap();
    let logs = key["KeyPolicy"]["Statement"].as_array().unwrap().iter().find(|one| one["Sid"] == "Logs");
    let logs = logs.expect("Logs: log groups cannot be made without it");
    assert_eq!(logs["Principal"]["Service"], "logs.us-east-1.amazonaws.com");
    let pattern = logs["Condition"]["ArnLike"]["kms:EncryptionContext:aws:logs:arn"].as_str().unwrap();
    let prefix = pattern.strip_suffix('*').unwrap();
    for (name, group) in stack.of_type("AWS::Logs::LogGroup") {
        let arn = format!(
            "arn:aws:logs:us-east-1:123456789012:log-group:{}",
            group["LogGroupName"].as_str().unwrap()
        );
        assert!(arn.starts_with(prefix), "{name}: the key is not for {arn}");
        assert_eq!(group["KmsKeyId"], key_arn(stack), "{name}");
    }
}

fn key_arn(stack: &Stack) -> String {
    stack.arn("Key").unwrap()
}

#[test]
fn a_member_account_trusts_the_hubs_functions_and_sends_to_the_hubs_bus_only() {
    let member = Template::read(include_str!("../../../templates/workload-account.yaml")).unwrap();
    let stack = member.stack(&[("HubAccount", "111111111111"), ("ExternalId", "old-id,new-id")]).unwrap();
    let role = &stack.resources["WorkloadRole"]["Properties"];
    let trust = &role["AssumeRolePolicyDocument"]["Statement"];
    assert_eq!(trust.as_array().map(Vec::len), Some(1));
    assert_eq!(trust[0]["Principal"], json!({ "AWS": "arn:aws:iam::111111111111:root" }));
    assert_eq!(trust[0]["Condition"]["StringEquals"]["sts:ExternalId"], json!(["old-id", "new-id"]));
    let path = with_chat().outputs["RolePath"].as_str().unwrap();
    assert_eq!(
        trust[0]["Condition"]["ArnLike"]["aws:PrincipalArn"],
        format!("arn:aws:iam::111111111111:role{path}*"),
        "the default HubRolePath is the path of a hub of the default name"
    );
    let bus = "arn:aws:events:us-east-1:111111111111:event-bus/default";
    let forward = &stack.resources["ForwardRole"]["Properties"];
    let trusted = &forward["AssumeRolePolicyDocument"]["Statement"];
    assert_eq!(trusted[0]["Principal"], json!({ "Service": "events.amazonaws.com" }));
    let may = &forward["Policies"][0]["PolicyDocument"]["Statement"];
    assert_eq!(may.as_array().map(Vec::len), Some(1));
    assert_eq!((&may[0]["Action"], &may[0]["Resource"]), (&json!("events:PutEvents"), &json!(bus)));
    let queue = stack.arn("NotForwarded").unwrap();
    let mut named = BTreeSet::new();
    for (name, target) in rules(&stack) {
        assert_eq!(target["Arn"], bus, "{name}");
        assert_eq!(target["RoleArn"], stack.arn("ForwardRole").unwrap(), "{name}");
        assert_eq!(target["DeadLetterConfig"]["Arn"], queue, "{name}");
        let hub = with_chat().resources[name]["Properties"]["Targets"][0]["RetryPolicy"].clone();
        assert_eq!(target["RetryPolicy"], hub, "{name}: as long as the hub tries");
        named.insert(stack.arn(name).unwrap());
    }
    let may = statements(&stack, "AWS::SQS::QueuePolicy");
    let takes = may.iter().find(|one| one["Effect"] == "Allow").expect("a queue that takes letters");
    let takes = takes["Condition"]["ArnEquals"]["aws:SourceArn"].as_array().unwrap();
    assert_eq!(takes.iter().filter_map(Value::as_str).map(str::to_owned).collect::<BTreeSet<_>>(), named);
    let (_, alarm) = stack.of_type("AWS::CloudWatch::Alarm").next().expect("an alarm on the queue");
    assert_eq!(alarm["MetricName"], "ApproximateNumberOfMessagesVisible");

    let (_, bus) =
        with_chat().of_type("AWS::Events::EventBusPolicy").next().expect("the hub's bus takes them");
    let statement = &bus["Statement"];
    assert_eq!(statement["Principal"], json!({ "AWS": ["222222222222"] }));
    assert_eq!((&statement["Effect"], &statement["Action"]), (&json!("Allow"), &json!("events:PutEvents")));
    assert_eq!(statement["Condition"]["Null"]["events:source"], "false");
}
