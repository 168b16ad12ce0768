//! The environment that the template gives is the one that is read.

use std::{cell::RefCell, collections::BTreeSet};

use belay::settings::{Settings, SettingsMistakes};
use belay_tests::stage::{
    deployed,
    template::{Function, REGION, Stack},
};

use super::{with_chat, without_chat};

/// What settings make of a function's environment, and the names that they looked for.
fn read(function: &Function) -> (Result<Settings, SettingsMistakes>, BTreeSet<String>) {
    let asked = RefCell::new(BTreeSet::new());
    let settings = Settings::parse(|name| {
        asked.borrow_mut().insert(name.to_owned());
        match name {
            // Lambda sets it (Lambda Developer Guide, "Defined runtime environment variables").
            "AWS_REGION" => Some(REGION.to_owned()),
            _ => variables(function).find(|(known, _)| known == name).map(|(_, value)| value),
        }
    });
    (settings, asked.into_inner())
}

/// A function's variables.
fn variables(function: &Function) -> impl Iterator<Item = (String, String)> {
    let variables = function.properties["Environment"]["Variables"].as_object().cloned().unwrap_or_default();
    variables.into_iter().map(|(name, value)| {
        let value = value.as_str().unwrap_or_else(|| panic!("{name} is no word: {value}")).to_owned();
        (name, value)
    })
}

fn every_function(stack: &Stack, names: &[&str]) -> Vec<Function> {
    let functions = stack.functions();
    let found: Vec<&str> = functions.iter().map(|function| function.name.as_str()).collect();
    assert_eq!(found, names);
    functions
}

#[test]
fn each_function_reads_its_settings_with_chat() {
    let names = [
        "alarm-transitions",
        "chat-actions",
        "lifecycle-hooks",
        "pipeline-events",
        "release-widget",
        "stack-drift",
        "sweep",
    ];
    for function in every_function(with_chat(), &names) {
        let settings = read(&function).0.unwrap_or_else(|mistakes| panic!("{}: {mistakes}", function.name));
        let secret = settings.chat.map(|chat| chat.secret);
        assert_eq!(secret, Some(deployed::chat_secret_arn()), "{}: BELAY_CHAT_SECRET", function.name);
        let id = settings.external_id.as_deref();
        assert_eq!(
            id,
            Some(belay_tests::stage::functions::EXTERNAL_ID),
            "{}: BELAY_EXTERNAL_ID",
            function.name
        );
        assert_eq!(settings.ledger_table, belay_tests::stage::functions::TABLE);
        assert_eq!(settings.topic_arn, belay_tests::stage::functions::TOPIC);
    }
}

#[test]
fn without_chat_there_is_none_and_no_function_for_it() {
    let names = ["alarm-transitions", "lifecycle-hooks", "pipeline-events", "release-widget", "sweep"];
    for function in every_function(&without_chat(), &names) {
        let settings = read(&function).0.unwrap_or_else(|mistakes| panic!("{}: {mistakes}", function.name));
        assert_eq!(settings.chat, None, "{}", function.name);
    }
}

/// What has the right value on Lambda when it is not set: the policy is the layer's, Slack is Slack.
const BY_DEFAULT: [&str; 2] = ["BELAY_POLICY", "BELAY_SLACK_API"];
/// What Lambda sets.
const BY_LAMBDA: [&str; 1] = ["AWS_REGION"];

#[test]
fn every_variable_that_is_read_is_set_and_says_what_its_parameter_says() {
    let mut unset = BTreeSet::new();
    for function in with_chat().functions() {
        let set: BTreeSet<String> = variables(&function).map(|(name, _)| name).collect();
        let (_, mut wanted) = read(&function);
        wanted.insert("RUST_LOG".to_owned());
        wanted.retain(|name| !BY_DEFAULT.contains(&name.as_str()) && !BY_LAMBDA.contains(&name.as_str()));
        unset.extend(wanted.difference(&set).map(|name| format!("{}: {name} is not set", function.name)));
    }
    assert!(unset.is_empty(), "{unset:#?}");
    let quiet = deployed::template().stack(&[("LogLevel", "error")]).unwrap();
    for function in quiet.functions() {
        let level = variables(&function).find(|(name, _)| name == "RUST_LOG").map(|(_, value)| value);
        assert_eq!(level.as_deref(), Some("error"), "{}: RUST_LOG", function.name);
    }
}

#[test]
fn no_variable_is_set_that_nobody_reads() {
    let mut idle = BTreeSet::new();
    for function in with_chat().functions() {
        let (_, mut asked) = read(&function);
        // Read by lambda_runtime's subscriber (lambda_runtime_api_client 1.1.1, tracing.rs).
        asked.insert("RUST_LOG".to_owned());
        let unread = variables(&function).map(|(name, _)| name).filter(|name| !asked.contains(name));
        idle.extend(unread.map(|name| format!("{}: nobody reads {name}", function.name)));
    }
    assert!(idle.is_empty(), "{idle:#?}");
}

#[test]
fn the_policy_is_where_it_is_looked_for() {
    // A layer's files are under /opt (Lambda Developer Guide, "Working with layers"), and the layer is the folder policy/.
    let function = &with_chat().functions()[0];
    assert_eq!(read(function).0.unwrap().policy.to_str(), Some("/opt/belay.yaml"));
    let (name, layer) = with_chat().of_type("AWS::Serverless::LayerVersion").next().unwrap();
    assert_eq!(layer["ContentUri"], "policy/", "{name}");
    for function in with_chat().functions() {
        assert_eq!(function.properties["Layers"].as_array().map(Vec::len), Some(1), "{}", function.name);
    }
}

#[test]
fn each_function_is_built_from_its_own_program() {
    for function in with_chat().functions() {
        let resource = &with_chat().resources[&function.logical];
        assert_eq!(resource["Metadata"]["BuildProperties"]["Binary"], function.name, "{}", function.logical);
        let folder = format!("functions/{}", function.name);
        assert_eq!(function.properties["CodeUri"], folder, "{}", function.logical);
    }
}
