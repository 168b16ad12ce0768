//! Parameters refuse nonsense, take their own default, and say what is wrong.

use belay_tests::stage::{deployed, template::Template};
use regex::Regex;
use serde_json::Value;

/// For each parameter with a pattern: what it takes, and what it refuses.
const SAMPLES: &[(&str, &[&str], &[&str])] = &[
    ("Applications", &["*", "orders", "orders-*"], &["", "orders/prod", "a b", "arn:aws:codedeploy:x", "é"]),
    ("Pipelines", &["*", "orders", "orders.*"], &["", "orders/Production", "a b", "arn:aws:codepipeline:x"]),
    ("CheckFunctions", &["*-smoke", "smoke"], &["", "arn:aws:lambda:x", "a b", "a/b"]),
    (
        "ChatSecretArn",
        &["", "arn:aws:secretsmanager:us-east-1:123456789012:secret:belay/chat-AbCdEf"],
        &[
            "belay/chat",
            "xoxb-1-2-abc",
            "arn:aws:ssm:us-east-1:123456789012:parameter/x",
            "arn:aws:secretsmanager:us-east-1:1234:secret:x",
        ],
    ),
    (
        "ChatSecretKeyArn",
        &["", "arn:aws:kms:us-east-1:123456789012:key/0000-a"],
        &["alias/belay", "arn:aws:kms:us-east-1:123456789012:alias/belay", "0000-a"],
    ),
    (
        "MemberAccounts",
        &["", "222222222222", "222222222222,333333333333"],
        &[
            "2222",
            "222222222222,",
            "222222222222, 333333333333",
            "22222222222a",
            "arn:aws:iam::222222222222:root",
            "2222222222222",
        ],
    ),
    (
        "MemberRoles",
        &[
            "",
            "arn:aws:iam::222222222222:role/belay-workload",
            "arn:aws:iam::222222222222:role/a/b,arn:aws:iam::333333333333:role/c",
        ],
        &[
            "belay-workload",
            "arn:aws:iam::222222222222:role/a,b",
            "arn:aws:iam::2222:role/x",
            "arn:aws:iam::222222222222:user/x",
            "*",
        ],
    ),
    (
        "DriftReadPolicyArn",
        &[
            "",
            "arn:aws:iam::aws:policy/ReadOnlyAccess",
            "arn:aws-us-gov:iam::123456789012:policy/stacks/read",
        ],
        &["ReadOnlyAccess", "arn:aws:iam::123456789012:role/x", "*"],
    ),
    ("ExternalId", &["", "a-long-external-id", "a:b/c"], &["x", "with space", "ü-ü-ü"]),
    ("NotifyEmail", &["", "anna@example.com"], &["anna", "@example.com", "a b@example.com", "anna@example"]),
    ("HubAccount", &["123456789012"], &["", "1234", "12345678901x"]),
    ("HubRolePath", &["/belay/belay/"], &["", "/", "belay", "/other/belay/", "/belay/belay"]),
    ("RoleName", &["belay-workload"], &["", "a/b", "a b", "a,b"]),
    (
        "AlarmTopicArn",
        &["", "arn:aws:sns:us-east-1:222222222222:on-call"],
        &["on-call", "arn:aws:sqs:us-east-1:222222222222:on-call"],
    ),
];

/// What the workload account's template, where an external id is required, takes and refuses.
const IN_A_MEMBER: &[(&str, &[&str], &[&str])] =
    &[("ExternalId", &["a-long-external-id"], &["", "x", "with space"])];

fn check(template: &Template, own: &[(&str, &[&str], &[&str])]) {
    for (name, parameter) in template.section("Parameters") {
        let has = |property: &str| !parameter[property].is_null();
        assert!(has("Description"), "{name} says nothing of itself");
        let rule = ["AllowedPattern", "AllowedValues", "MinValue", "MaxLength"];
        assert!(rule.into_iter().any(has), "{name} takes anything");
        if has("AllowedPattern") || has("MinValue") {
            assert!(has("ConstraintDescription"), "{name} does not say what is wrong");
        }
        let default = match &parameter["Default"] {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        };
        if let Some(values) = parameter["AllowedValues"].as_array() {
            let default = default.as_deref().unwrap_or_default();
            let is_it = |value: &Value| match value {
                Value::String(text) => text == default,
                other => default.parse::<Value>().is_ok_and(|default| default == *other),
            };
            assert!(values.iter().any(is_it), "{name} does not take its default {default}");
        }
        if let (Some(least), Some(most)) = (parameter["MinValue"].as_f64(), parameter["MaxValue"].as_f64()) {
            let default: f64 = default.as_deref().unwrap_or_default().parse().unwrap();
            assert!((least..=most).contains(&default), "{name} does not take its default {default}");
        }
        let Some(pattern) = parameter["AllowedPattern"].as_str() else { continue };
        // CloudFormation's pattern must match the whole value; of a list, each of its members (CloudFormation User
        // Guide, "Parameters").
        let pattern =
            Regex::new(&format!("^(?:{pattern})$")).unwrap_or_else(|error| panic!("{name}: {error}"));
        if let Some(default) = default {
            let is_list = parameter["Type"] == "CommaDelimitedList";
            let parts: Vec<&str> = if is_list { default.split(',').collect() } else { vec![&default] };
            for part in parts {
                assert!(pattern.is_match(part), "{name} does not take its default {part:?}");
            }
        }
        let samples = own.iter().chain(SAMPLES).find(|(known, _, _)| *known == name);
        let (_, taken, refused) = samples.unwrap_or_else(|| panic!("there are no samples for {name}"));
        for sample in *taken {
            assert!(pattern.is_match(sample), "{name} does not take {sample:?}");
        }
        for sample in *refused {
            assert!(!pattern.is_match(sample), "{name} takes {sample:?}");
        }
    }
}

#[test]
fn the_stacks_parameters_refuse_nonsense() {
    check(deployed::template(), &[]);
}

#[test]
fn a_member_accounts_parameters_refuse_nonsense() {
    let text = include_str!("../../../templates/workload-account.yaml");
    check(&Template::read(text).unwrap(), IN_A_MEMBER);
}

#[test]
fn log_levels_are_levels() {
    let parameters = deployed::template().section("Parameters");
    for level in parameters["LogLevel"]["AllowedValues"].as_array().unwrap() {
        let level = level.as_str().unwrap();
        assert!(["error", "warn", "info", "debug", "trace"].contains(&level), "{level}");
    }
}
