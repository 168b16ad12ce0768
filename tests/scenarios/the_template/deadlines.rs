//! Time: what the template gives is what the code counts on.

use std::time::Duration;

use belay::{aws, decision::DELIVERIES, ledger};
use belay_tests::stage::template::Function;
use lifecycle_hooks::RESERVE;
use serde_json::Value;

use super::with_chat;

fn function(name: &str) -> Function {
    with_chat().functions().into_iter().find(|function| function.name == name).unwrap()
}

fn seconds(value: &Value) -> Duration {
    let number = value.as_u64().or_else(|| value.as_str()?.parse().ok());
    Duration::from_secs(number.unwrap_or_else(|| panic!("{value} is no number of seconds")))
}

fn timeout(name: &str) -> Duration {
    seconds(&function(name).properties["Timeout"])
}

fn lease() -> Duration {
    ledger::LEASE.unsigned_abs()
}

/// How long one call of AWS may take with everything around it.
fn call() -> Duration {
    aws::timeouts().operation_timeout().unwrap()
}

#[test]
fn an_invocation_that_holds_a_claim_is_dead_before_the_claim_is() {
    for name in ["alarm-transitions", "pipeline-events", "chat-actions", "stack-drift"] {
        assert!(timeout(name) < lease(), "{name}: {:?}", timeout(name));
    }
}

#[test]
fn a_call_that_was_begun_in_time_may_come_to_its_end() {
    // Undoing is begun until the fence only. Whoever may undo lives long enough for that call.
    for name in ["alarm-transitions", "pipeline-events", "chat-actions", "sweep"] {
        assert!(timeout(name) >= ledger::FENCE + call(), "{name}: {:?}", timeout(name));
    }
    assert!(ledger::FENCE + call() < lease());
}

#[test]
fn a_hook_keeps_back_its_whole_reserve() {
    // Of a shorter time it keeps back a third.
    assert!(timeout("lifecycle-hooks") >= RESERVE * 3);
    // Lambda allows no more (Lambda quotas, "Function timeout").
    assert!(timeout("lifecycle-hooks") <= Duration::from_mins(15));
}

#[test]
fn the_last_delivery_is_the_one_at_which_a_person_is_asked() {
    for function in with_chat().functions().into_iter().filter(|function| function.name != "sweep") {
        let config = &function.properties["EventInvokeConfig"];
        let name = &function.name;
        assert_eq!(config["MaximumRetryAttempts"], DELIVERIES - 1, "{name}");
        // Lambda waits a minute, then two (Lambda Developer Guide, "Understanding retry behavior"); an invocation that is
        // older than this is not begun.
        let age = seconds(&config["MaximumEventAgeInSeconds"]);
        let timeout = seconds(&function.properties["Timeout"]);
        assert!(age >= Duration::from_mins(3) + timeout * (DELIVERIES - 1), "{name}: {age:?}");
        assert!(config["DestinationConfig"]["OnFailure"]["Destination"].is_string(), "{name}");
    }
}

#[test]
fn the_claim_of_a_failed_delivery_is_over_when_it_comes_again() {
    assert!(lease() < Duration::from_mins(1));
}

#[test]
fn the_sweep_runs_every_minute_and_never_twice_at_once() {
    let arn = with_chat().arn("Sweep").unwrap();
    let schedules: Vec<(&str, &Value)> = with_chat()
        .of_type("AWS::Events::Rule")
        .filter(|(_, rule)| !rule["ScheduleExpression"].is_null())
        // That of stack-drift has a test of its own.
        .filter(|(_, rule)| rule["Targets"][0]["Arn"].as_str() != with_chat().arn("StackDrift").as_deref())
        .collect();
    let [(_, rule)] = schedules.as_slice() else { panic!("{schedules:?}") };
    assert_eq!(rule["ScheduleExpression"], "rate(1 minute)");
    let targets = rule["Targets"].as_array().unwrap();
    assert!(targets.len() == 1 && targets[0]["Arn"] == arn, "{targets:?}");
    let sweep = function("sweep").properties;
    assert_eq!(sweep["ReservedConcurrentExecutions"], 1);
    // It is over when the next one is due.
    assert!(timeout("sweep") <= Duration::from_mins(1));
    // The next tick does what this one did not.
    assert_eq!(sweep["EventInvokeConfig"]["MaximumRetryAttempts"], 0);
}

#[test]
fn stacks_are_looked_at_once_a_day_and_only_where_that_was_asked_for() {
    let arn = with_chat().arn("StackDrift").unwrap();
    let mut rates = with_chat()
        .of_type("AWS::Events::Rule")
        .filter(|(_, rule)| rule["Targets"][0]["Arn"] == arn)
        .map(|(_, rule)| &rule["ScheduleExpression"])
        .filter(|rate| !rate.is_null());
    assert_eq!((rates.next(), rates.next()), (Some(&Value::from("rate(1 day)")), None));
    let by_default = super::without_chat();
    assert!(by_default.functions().iter().all(|function| function.name != "stack-drift"));
    for name in ["StackDriftRole", "EveryDay", "DriftDetected", "StackDriftFails", "ALetterAboutDriftWasLost"]
    {
        assert!(with_chat().resources.contains_key(name), "{name}");
        assert!(!by_default.resources.contains_key(name), "{name}");
    }
    let role = &with_chat().resources["StackDriftRole"]["Properties"];
    assert_eq!(role["ManagedPolicyArns"], serde_json::json!(["arn:aws:iam::aws:policy/ReadOnlyAccess"]));
    let own = "arn:aws:iam::123456789012:policy/stacks/read";
    let narrowed = [("Drift", "yes"), ("DriftReadPolicyArn", own)];
    let stack = super::deployed::template().stack(&narrowed).unwrap();
    let role = &stack.resources["StackDriftRole"]["Properties"];
    assert_eq!(role["ManagedPolicyArns"], serde_json::json!([own]));
}

#[test]
fn a_flood_of_requests_takes_nothing_from_the_other_functions() {
    let reserved = &function("chat-actions").properties["ReservedConcurrentExecutions"];
    assert_eq!(reserved, 5);
    // In an account whose quota leaves nothing to reserve.
    let small = super::deployed::template().stack(&[("ReserveConcurrency", "no")]).unwrap();
    for function in small.functions() {
        assert!(function.properties["ReservedConcurrentExecutions"].is_null(), "{}", function.name);
    }
}

#[test]
fn no_queue_feeds_a_function() {
    // One that did would need a visibility timeout and ReportBatchItemFailures: README, "Deploying".
    assert_eq!(with_chat().of_type("AWS::Lambda::EventSourceMapping").count(), 0);
    for function in with_chat().functions() {
        assert!(function.properties["Events"].is_null(), "{}", function.name);
    }
}

#[test]
fn hooks_have_a_name_that_codedeploy_may_invoke() {
    // AWSCodeDeployRoleForLambda and its like allow lambda:InvokeFunction on function:CodeDeployHook_* only.
    let name = function("lifecycle-hooks").properties["FunctionName"].clone();
    assert!(name.as_str().unwrap().starts_with("CodeDeployHook_"), "{name}");
}

#[test]
fn the_ledger_has_the_keys_and_the_time_to_live_that_the_code_writes() {
    let (_, table) = with_chat().of_type("AWS::DynamoDB::Table").next().unwrap();
    let keys: Vec<(&str, &str)> = table["KeySchema"]
        .as_array()
        .unwrap()
        .iter()
        .map(|key| (key["AttributeName"].as_str().unwrap(), key["KeyType"].as_str().unwrap()))
        .collect();
    assert_eq!(keys, [("pk", "HASH"), ("sk", "RANGE")]);
    let source = include_str!("../../../shared/src/aws/ledger/records.rs");
    let attribute = table["TimeToLiveSpecification"]["AttributeName"].as_str().unwrap();
    assert!(source.contains(&format!("\"{attribute}\"")), "{attribute}");
    assert_eq!(table["TimeToLiveSpecification"]["Enabled"], true);
}
