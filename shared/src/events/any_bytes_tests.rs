//! Whatever the bytes: no panic, and no state that the payload does not name.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::samples::{self, message_of};
use super::{AlarmPayload, EventError, alarm, hook, release, schedule};
use crate::release::Place;
use crate::signal::ReleaseHappening;

/// Samples of every form that is accepted, and some that are not.
const FILES: [&str; 17] = [
    "codepipeline/codepipeline-stage-failed.json",
    "codepipeline/codepipeline-action-started.json",
    "lambda/eventbridge-scheduled.json",
    "cloudwatch/cloudwatch-alarm-state-change-metric.json",
    "cloudwatch/cloudwatch-alarm-state-change-ok.json",
    "cloudwatch/cloudwatch-alarm-state-change-insufficient-data.json",
    "cloudwatch/cloudwatch-alarm-state-change-composite-suppressed.json",
    "cloudwatch/cloudwatch-alarm-state-change-muted.json",
    "cloudwatch/lambda-alarm-action-composite.json",
    "cloudwatch/sns-cloudwatch-alarm-metric.json",
    "cloudwatch/sns-cloudwatch-alarm-composite.json",
    "lambda/sqs-event.json",
    "codedeploy/codedeploy-deployment-stop.json",
    "codedeploy/codedeploy-instance-failure.json",
    "codedeploy/codedeploy-hook.json",
    "codepipeline/sns-codepipeline-approval.json",
    "lambda/lambda-destination-failure.json",
];

const STAGE_WORDS: [&str; 7] =
    ["STARTED", "RESUMED", "SUCCEEDED", "FAILED", "STOPPING", "STOPPED", "CANCELED"];

/// A change to JSON; where it happens is chosen by counting through all values.
#[derive(Clone, Debug)]
enum Mutation {
    Drop,
    Set(Value),
    Wrap,
    Twin(String),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let word = prop_oneof![
        Just("OK"),
        Just("ALARM"),
        Just("INSUFFICIENT_DATA"),
        Just("ok"),
        Just("WEIRD"),
        Just(""),
        Just("STOP"),
        Just("2026-03-05T14:05:40.989+0000"),
        Just("aws:sns"),
        Just("{}"),
        Just("["),
    ];
    prop_oneof![
        3 => Just(Mutation::Drop),
        3 => word.prop_map(|word| Mutation::Set(json!(word))),
        1 => any::<i64>().prop_map(|number| Mutation::Set(json!(number))),
        1 => prop_oneof![Just(json!(null)), Just(json!({})), Just(json!([])), Just(json!(true)), Just(json!(1.5))]
            .prop_map(Mutation::Set),
        1 => Just(Mutation::Wrap),
        1 => ".{0,12}".prop_map(Mutation::Twin),
    ]
}

/// Applies a mutation to the value that `left` counts down to. JSON inside strings is counted too.
fn mutate(value: &mut Value, mutation: &Mutation, left: &mut usize) {
    if let Value::String(text) = value
        && text.starts_with('{')
        && let Ok(mut inside) = serde_json::from_str::<Value>(text)
    {
        mutate(&mut inside, mutation, left);
        *text = inside.to_string();
        return;
    }
    let mut dropped = None;
    match value {
        Value::Object(fields) => {
            for (key, field) in fields.iter_mut() {
                if step(field, mutation, left) {
                    dropped = Some(key.clone());
                }
            }
            if let Some(key) = dropped {
                fields.remove(&key);
            }
        }
        Value::Array(items) => {
            // A list's item is emptied where a field would go.
            for item in items {
                if step(item, mutation, left) {
                    *item = Value::Null;
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// One field's turn; says whether it is to be dropped.
fn step(field: &mut Value, mutation: &Mutation, left: &mut usize) -> bool {
    if *left == 0 {
        *left = usize::MAX;
        match mutation {
            Mutation::Drop => return true,
            Mutation::Set(new) => *field = new.clone(),
            Mutation::Wrap => *field = json!([field.take()]),
            Mutation::Twin(key) => *field = json!({ key.as_str(): field.take() }),
        }
    } else {
        *left -= 1;
        mutate(field, mutation, left);
    }
    false
}

/// The state words at the places where an alarm's current state stands, by a reading of our own.
fn named(value: &Value, words: &mut Vec<String>) {
    for pointer in ["/detail/state/value", "/alarmData/state/value", "/NewStateValue"] {
        words.extend(value.pointer(pointer).and_then(Value::as_str).map(str::to_owned));
    }
    let records = value.get("Records").and_then(Value::as_array);
    let inside = records
        .into_iter()
        .flatten()
        .flat_map(|record| [record.pointer("/Sns/Message"), record.get("body")].into_iter().flatten());
    for text in inside.chain(value.get("Message")).filter_map(Value::as_str) {
        if let Ok(inside) = serde_json::from_str(text) {
            named(&inside, words);
        }
    }
}

/// Checks all three readers on a payload, whatever it is.
fn check(bytes: &[u8]) -> Result<(), TestCaseError> {
    let value: Value = serde_json::from_slice(bytes).unwrap_or_default();
    let mut words = Vec::new();
    named(&value, &mut words);
    let outcomes = match alarm(bytes) {
        Ok(AlarmPayload::One(changes)) => vec![Ok(changes)],
        Ok(AlarmPayload::Batch(items)) => items.into_iter().map(|item| item.changes).collect(),
        Err(error) => vec![Err(error)],
    };
    for outcome in outcomes {
        match outcome {
            Ok(changes) => {
                prop_assert!(!changes.is_empty());
                for change in changes {
                    prop_assert!(words.contains(&change.to.to_string()), "{:?}", change);
                }
            }
            Err(error) => is_short(&error)?,
        }
    }
    match release(bytes) {
        Ok(Some(change)) => {
            let word = value.pointer("/detail/state").and_then(Value::as_str);
            let what = change.what.to_string();
            match change.place {
                Place::Group(_) => prop_assert_eq!(word, Some(what.as_str())),
                Place::Stage(_) => prop_assert!(word.is_some_and(|word| STAGE_WORDS.contains(&word))),
            }
        }
        Ok(None) => prop_assert_eq!(value["source"].as_str(), Some("aws.codepipeline")),
        Err(error) => is_short(&error)?,
    }
    if schedule(bytes).is_ok() {
        prop_assert_eq!(value["detail-type"].as_str(), Some("Scheduled Event"));
    }
    match hook(bytes) {
        Ok(call) => prop_assert_eq!(value["DeploymentId"].as_str(), Some(call.deployment.as_str())),
        Err(error) => is_short(&error)?,
    }
    Ok(())
}

fn is_short(error: &EventError) -> Result<(), TestCaseError> {
    match error {
        EventError::NotForUs { came, .. } => prop_assert!(came.chars().count() < 250, "{}", came),
        EventError::Malformed { path, found, .. } => {
            prop_assert!(found.chars().count() <= 60, "{}", found);
            prop_assert!(path.chars().count() <= 180, "{}", path);
        }
    }
    prop_assert!(!error.to_string().contains(char::is_control));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn arbitrary_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        check(&bytes)?;
    }

    #[test]
    fn arbitrary_text_in_envelopes_is_refused(text in ".{0,200}") {
        check(text.as_bytes())?;
        check(samples::with_message(&json!(text)).to_string().as_bytes())?;
        check(json!({"Records": [{"eventSource": "aws:sqs", "messageId": "m", "body": text}]}).to_string().as_bytes())?;
    }

    #[test]
    fn changed_samples_never_say_more_than_they_name(
        file in prop::sample::select(&FILES[..]),
        mutations in prop::collection::vec((mutation(), 0..90_usize), 1..4),
    ) {
        let mut payload = samples::json(file);
        for (mutation, place) in mutations {
            mutate(&mut payload, &mutation, &mut { place });
        }
        check(payload.to_string().as_bytes())?;
    }

    #[test]
    fn truncated_samples_are_refused(file in prop::sample::select(&FILES[..]), cut in any::<prop::sample::Index>()) {
        let text = samples::sample(file);
        let text = text.trim_end();
        let end = cut.index(text.len());
        check(&text.as_bytes()[..end])?;
        prop_assert!(alarm(&text.as_bytes()[..end]).is_err());
    }
}

#[test]
fn deep_nesting_is_refused() {
    for deep in [
        "[".repeat(100_000),
        "{\"Records\":[".repeat(50_000),
        "{\"detail\":".repeat(120) + "1" + &"}".repeat(120),
    ] {
        assert!(alarm(deep.as_bytes()).is_err());
        assert!(release(deep.as_bytes()).is_err());
        assert!(hook(deep.as_bytes()).is_err());
    }
    let mut nested = message_of("cloudwatch/sns-cloudwatch-alarm-metric.json").to_string();
    for _ in 0..8 {
        nested =
            json!({"Records": [{"eventSource": "aws:sqs", "messageId": "m", "body": nested}]}).to_string();
    }
    let Ok(AlarmPayload::Batch(items)) = alarm(nested.as_bytes()) else { panic!("not a batch") };
    assert!(matches!(items[0].changes, Err(EventError::NotForUs { .. })));
}

#[test]
fn each_word_of_a_deployment_shows_itself() {
    // The check above compares words: what a state is called must be what it is shown as.
    for (what, word) in [(ReleaseHappening::Stopped, "STOP"), (ReleaseHappening::Failed, "FAILURE")] {
        assert_eq!(what.to_string(), word);
    }
}
