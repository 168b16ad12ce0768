//! Every event that a function understands reaches that function, by one rule; every other reaches nobody.

use std::{fs, path::Path};

use belay::events as ours;
use belay_tests::stage::template::{Stack, Template};
use serde_json::{Value, json};

use super::{patterns::matches, with_chat};
use crate::every_rehearsal_comes_true::all_played;

/// A rule, and where it sends what it matches: names of functions, or ARNs.
struct Rule {
    name: String,
    pattern: Value,
    targets: Vec<String>,
}

/// The rules that match events. Those on a schedule match none.
fn rules(stack: &Stack) -> Vec<Rule> {
    let functions = stack.functions();
    let target = |arn: &str| {
        let function = functions.iter().find(|function| stack.arn(&function.logical).as_deref() == Some(arn));
        function.map_or_else(|| arn.to_owned(), |function| function.name.clone())
    };
    stack
        .of_type("AWS::Events::Rule")
        .filter(|(_, rule)| !rule["EventPattern"].is_null())
        .map(|(name, rule)| {
            assert!(rule["State"].is_null() || rule["State"] == "ENABLED", "{name} is switched off");
            let targets = rule["Targets"].as_array().into_iter().flatten();
            Rule {
                name: name.to_owned(),
                pattern: rule["EventPattern"].clone(),
                targets: targets.map(|one| target(one["Arn"].as_str().unwrap())).collect(),
            }
        })
        .collect()
}

/// The functions, or what else, that an event reaches: once for each rule that matches it.
fn reached(rules: &[Rule], event: &Value) -> Vec<String> {
    let matching = rules.iter().filter(|rule| matches(&rule.pattern, event).unwrap());
    matching.flat_map(|rule| rule.targets.iter().cloned()).collect()
}

/// The functions whose own decoder understands an event of EventBridge's. The clock's is not matched by a pattern.
fn understood_by(event: &Value) -> Vec<String> {
    let bytes = event.to_string();
    let mut by = Vec::new();
    if ours::alarm(bytes.as_bytes()).is_ok() {
        by.push("alarm-transitions".to_owned());
    }
    if ours::release(bytes.as_bytes()).is_ok() {
        by.push("pipeline-events".to_owned());
    }
    if ours::drift(bytes.as_bytes()).is_ok() {
        by.push("stack-drift".to_owned());
    }
    by
}

/// Every fixture that is an event of EventBridge's, by its file.
fn fixtures() -> Vec<(String, Value)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let mut found = Vec::new();
    for folder in fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir())
    {
        let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        for file in files.filter(|file| file.extension().is_some_and(|ending| ending == "json")) {
            let event: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
            if event["detail-type"].is_string() && event["source"].is_string() {
                found.push((file.file_name().unwrap().to_string_lossy().into_owned(), event));
            }
        }
    }
    found.sort_by(|one, other| one.0.cmp(&other.0));
    found
}

/// What could be mistaken for an event of ours: each fixture with another source, another type, another state.
fn near_misses() -> Vec<(String, Value)> {
    let mut all = Vec::new();
    for (file, event) in fixtures() {
        for (pointer, label) in [
            ("/source", "another source"),
            ("/detail-type", "another type"),
            ("/detail/state/value", "another state"),
            ("/detail/status-details/status", "another status"),
        ] {
            let mut other = event.clone();
            if let Some(value) = other.pointer_mut(pointer) {
                *value = json!("com.example.something-else");
                all.push((format!("{file} with {label}"), other));
            }
        }
        // The type of one source and the source of another.
        for source in ["aws.cloudwatch", "aws.codedeploy", "aws.codepipeline", "aws.cloudformation"] {
            if event["source"] != source {
                let mut other = event.clone();
                other["source"] = json!(source);
                all.push((format!("{file} from {source}"), other));
            }
        }
    }
    all
}

/// The statuses of a stack, and whether people are told of them when the stack is Belay's own: what changed it, or
/// could not (CloudFormation User Guide, "Stack status codes").
const OWN_STACK: [(&str, bool); 12] = [
    ("UPDATE_COMPLETE", true),
    ("UPDATE_FAILED", true),
    ("DELETE_FAILED", true),
    ("UPDATE_ROLLBACK_COMPLETE", true),
    ("UPDATE_ROLLBACK_FAILED", true),
    ("DELETE_IN_PROGRESS", true),
    ("UPDATE_IN_PROGRESS", false),
    ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", false),
    ("UPDATE_ROLLBACK_IN_PROGRESS", false),
    ("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", false),
    ("CREATE_IN_PROGRESS", false),
    ("CREATE_COMPLETE", false),
];

/// Events of Belay's own stack, and whether the topic gets them.
fn own_stack() -> Vec<(String, Value, bool)> {
    let id = "arn:aws:cloudformation:us-east-1:123456789012:stack/belay/rehearsed";
    let sample = fixtures().into_iter().find(|(file, _)| file == "cloudformation-stack-status-change.json");
    let mut event = sample.unwrap().1;
    (event["resources"], event["detail"]["stack-id"]) = (json!([id]), json!(id));
    let mut all: Vec<(String, Value, bool)> = OWN_STACK
        .into_iter()
        .map(|(status, told)| {
            event["detail"]["status-details"]["status"] = json!(status);
            (format!("the own stack's {status}"), event.clone(), told)
        })
        .collect();
    // Its resources' and its drift's events have the same stack, and other types and sources.
    event["detail"]["status-details"]["status"] = json!("UPDATE_COMPLETE");
    for (key, other) in
        [("detail-type", "CloudFormation Resource Status Change"), ("source", "com.example.something-else")]
    {
        let mut near = event.clone();
        near[key] = json!(other);
        all.push((format!("the own stack's event with the {key} {other}"), near, false));
    }
    all
}

/// Every event that is known here, and whom it must reach.
fn expected(stack: &Stack) -> Vec<(String, Value, Vec<String>)> {
    let topic = stack.arn("Topic").unwrap();
    let events = fixtures().into_iter().chain(near_misses());
    let of_aws = events.map(|(name, event)| {
        let by = understood_by(&event);
        (name, event, by)
    });
    let own = own_stack().into_iter();
    of_aws
        .chain(
            own.map(|(name, event, told)| (name, event, if told { vec![topic.clone()] } else { Vec::new() })),
        )
        .collect()
}

/// What lands wrongly under these rules, by name.
fn misled<'a>(rules: &[Rule], expected: &'a [(String, Value, Vec<String>)]) -> Vec<&'a str> {
    let wrong = expected.iter().filter(|(_, event, wanted)| reached(rules, event) != *wanted);
    wrong.map(|(name, _, _)| name.as_str()).collect()
}

#[test]
fn each_event_reaches_the_function_that_understands_it_and_no_other() {
    let stack = with_chat();
    let rules = rules(stack);
    let mut wrong = Vec::new();
    let mut reaching = 0;
    for (name, event, wanted) in expected(stack) {
        let reached = reached(&rules, &event);
        reaching += reached.len();
        if reached != wanted {
            let sources = |rule: &&Rule| {
                rule.pattern["source"].as_array().is_some_and(|all| all.contains(&event["source"]))
            };
            let by: Vec<&str> = rules.iter().filter(sources).map(|rule| rule.name.as_str()).collect();
            wrong.push(format!(
                "{name}: reaches {reached:?}, and {wanted:?} should get it; rules of its source: {by:?}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(reaching > 30, "{reaching}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_aws_announces_in_the_rehearsals_goes_by_the_templates_rules_where_the_simulator_sends_it() {
    let rules = rules(with_chat());
    let mut wrong = Vec::new();
    let mut seen = 0;
    for (name, _, played) in all_played().await {
        for (event, function) in &played.announced {
            seen += 1;
            let wanted: Vec<String> = function.iter().map(|function| (*function).to_owned()).collect();
            let (reached, understood) = (reached(&rules, event), understood_by(event));
            if reached != wanted || understood != wanted {
                wrong.push(format!(
                    "{name}: {} {}: reaches {reached:?}, {understood:?} understands it, the simulator sent it to {wanted:?}",
                    event["detail-type"], event["detail"]
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(seen > 200, "{seen}");
}

/// The places of a pattern's values and keys.
fn places(pattern: &Value, at: &str, into: &mut Vec<String>) {
    match pattern {
        Value::Object(fields) => {
            for (name, value) in fields {
                let place = format!("{at}/{name}");
                places(value, &place, into);
                into.push(place);
            }
        }
        Value::Array(choices) if choices.len() > 1 => {
            into.extend((0..choices.len()).map(|index| format!("{at}/{index}")));
        }
        // The only value of a key goes with the key.
        _ => {}
    }
}

/// A pattern without what is at this place.
fn without(pattern: &Value, place: &str) -> Value {
    let mut pattern = pattern.clone();
    let (parent, last) = place.rsplit_once('/').unwrap();
    match pattern.pointer_mut(parent).unwrap() {
        Value::Object(fields) => {
            fields.remove(last);
        }
        Value::Array(choices) => {
            choices.remove(last.parse().unwrap());
        }
        other => panic!("{other} has no members"),
    }
    pattern
}

#[test]
fn no_value_and_no_key_of_a_pattern_is_dead_weight() {
    let stack = with_chat();
    let expected = expected(stack);
    let mut idle = Vec::new();
    for changed in 0..rules(stack).len() {
        let mut here = Vec::new();
        places(&rules(stack)[changed].pattern, "", &mut here);
        assert!(!here.is_empty());
        for place in here {
            let mut rules = rules(stack);
            rules[changed].pattern = without(&rules[changed].pattern, &place);
            if misled(&rules, &expected).is_empty() {
                idle.push(format!("{}: nothing lands wrongly without {place}", rules[changed].name));
            }
        }
    }
    assert!(idle.is_empty(), "{}", idle.join("\n"));
}

#[test]
fn member_accounts_forward_what_the_hub_matches_and_nothing_else() {
    let text = include_str!("../../../templates/workload-account.yaml");
    let hub = with_chat();
    let member = Template::read(text)
        .unwrap()
        .stack(&[("HubAccount", "123456789012"), ("ExternalId", "rehearsed-external-id")])
        .unwrap();
    let bus = "arn:aws:events:us-east-1:123456789012:event-bus/default";
    // What is Belay's own stack's is not a member's, and only the hub's own stacks are looked at for drift.
    let own = [hub.arn("Topic").unwrap(), "stack-drift".to_owned()];
    let at_the_hub: Vec<Rule> =
        rules(hub).into_iter().filter(|rule| !own.iter().any(|own| rule.targets.contains(own))).collect();
    let forwarding = rules(&member);
    let mut wrong = Vec::new();
    for (name, event, _) in expected(hub) {
        let wanted: Vec<String> = reached(&at_the_hub, &event).iter().map(|_| bus.to_owned()).collect();
        let forwarded = reached(&forwarding, &event);
        if forwarded != wanted {
            wrong.push(format!("{name}: forwarded to {forwarded:?}, expected {wanted:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // And from no source that the bus does not take.
    let hub = super::deployed::template()
        .stack(&[("MemberAccounts", "222222222222"), ("ExternalId", "rehearsed-external-id")]);
    let hub = hub.unwrap();
    let (_, policy) = hub.of_type("AWS::Events::EventBusPolicy").next().unwrap();
    let taken = &policy["Statement"]["Condition"]["ForAllValues:StringEquals"]["events:source"];
    let mut sent: Vec<Value> = forwarding.iter().map(|rule| rule.pattern["source"][0].clone()).collect();
    sent.sort_by_key(ToString::to_string);
    assert_eq!(taken.as_array(), Some(&sent));
}
