//! Whatever the bytes: no panic, and no state that the payload does not name.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::samples::{self, message_of};
use super::{AlarmPayload, EventError, PipelineEvent, WidgetCall, alarm, hook, release, schedule, widget};
use crate::release::Place;
use crate::signal::ReleaseHappening;

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

/// Checks all readers on a payload, whatever it is.
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
        Ok(PipelineEvent::Manual(change)) => {
            prop_assert_eq!(value.pointer("/detail/type/category").and_then(Value::as_str), Some("Approval"));
            prop_assert!(!change.run.is_empty());
        }
        Ok(PipelineEvent::Release(change)) => {
            let word = value.pointer("/detail/state").and_then(Value::as_str);
            let what = change.what.to_string();
            match change.place {
                Place::Group(_) => prop_assert_eq!(word, Some(what.as_str())),
                Place::Stage(_) => prop_assert!(word.is_some_and(|word| STAGE_WORDS.contains(&word))),
            }
        }
        Ok(PipelineEvent::Pipeline(change)) => {
            prop_assert_eq!(value["source"].as_str(), Some("aws.codepipeline"));
            prop_assert!(!change.execution.is_empty() && !change.pipeline.is_empty());
        }
        Ok(PipelineEvent::Notified(notices)) => {
            prop_assert!(!notices.is_empty());
            prop_assert_eq!(value.pointer("/Records/0/EventSource").and_then(Value::as_str), Some("aws:sns"));
        }
        Err(error) => is_short(&error)?,
    }
    if schedule(bytes).is_ok() {
        prop_assert_eq!(value["detail-type"].as_str(), Some("Scheduled Event"));
    }
    match hook(bytes) {
        Ok(call) => prop_assert_eq!(value["DeploymentId"].as_str(), Some(call.deployment.as_str())),
        Err(error) => is_short(&error)?,
    }
    match widget(bytes) {
        Ok(WidgetCall::Describe) => prop_assert!(!value["describe"].is_null()),
        Ok(WidgetCall::Draw(view)) => prop_assert!(view.from < view.to && value["belay"].is_null()),
        Ok(WidgetCall::Why(release, view)) => {
            prop_assert!(view.from < view.to);
            prop_assert_eq!(value["release"].as_str(), Some(release.as_str()));
        }
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

/// Without PROPTEST_CASES, more than proptest's own default.
#[allow(clippy::disallowed_methods, reason = "how long to test is no setting of a function's")]
fn config() -> ProptestConfig {
    let config = ProptestConfig::default();
    let asked = std::env::var_os("PROPTEST_CASES").is_some();
    if asked { config } else { ProptestConfig { cases: 1024, ..config } }
}

proptest! {
    #![proptest_config(config())]

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
        sample in prop::sample::select(samples::all()),
        mutations in prop::collection::vec((mutation(), 0..90_usize), 1..4),
    ) {
        let mut payload: Value = serde_json::from_slice(&sample.1).unwrap();
        for (mutation, place) in mutations {
            mutate(&mut payload, &mutation, &mut { place });
        }
        check(payload.to_string().as_bytes())?;
    }

    #[test]
    fn truncated_samples_are_refused(
        sample in prop::sample::select(samples::all()),
        cut in any::<prop::sample::Index>(),
    ) {
        let text = sample.1.trim_ascii_end();
        let cut = &text[..cut.index(text.len())];
        check(cut)?;
        prop_assert!(alarm(cut).is_err());
    }

    /// Bytes changed, taken out and put in, without a thought for JSON: what a fuzzer does.
    #[test]
    fn samples_with_damaged_bytes_never_say_more_than_they_name(
        sample in prop::sample::select(samples::all()),
        damage in prop::collection::vec(
            (any::<prop::sample::Index>(), 0..8_usize, prop::collection::vec(any::<u8>(), 0..8)),
            1..6,
        ),
    ) {
        let mut bytes = sample.1;
        for (at, length, put) in damage {
            let at = at.index(bytes.len() + 1);
            bytes.splice(at..(at + length).min(bytes.len()), put);
        }
        check(&bytes)?;
    }

    /// Halves of two samples, as if one payload had overwritten another.
    #[test]
    fn two_samples_in_one_never_say_more_than_they_name(
        one in prop::sample::select(samples::all()),
        other in prop::sample::select(samples::all()),
        first in any::<prop::sample::Index>(),
        second in any::<prop::sample::Index>(),
    ) {
        let mut bytes = one.1[..first.index(one.1.len())].to_vec();
        bytes.extend_from_slice(&other.1[second.index(other.1.len())..]);
        check(&bytes)?;
    }
}

#[test]
fn every_sample_is_read_or_refused_with_a_short_sentence() {
    let all = samples::all();
    assert!(all.len() >= 50, "{} samples: is it the right folder?", all.len());
    for (name, bytes) in all {
        check(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
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
