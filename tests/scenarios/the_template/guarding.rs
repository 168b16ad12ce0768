//! Who may invoke the functions, where what fails goes, and who watches the guard: what the roles of the functions do not
//! say, and what nobody would miss before the worst day.

use std::collections::BTreeSet;

use belay_tests::stage::template::Stack;
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
    for wanted in ["throttled", "the-clock-stood-still", "something-was-given-up", "a-question-is-old"] {
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
    for stack in [with_chat(), &without_chat()] {
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
