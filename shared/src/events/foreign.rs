//! Names payloads that are understood as something else than what was asked for, so that whoever wired
//! the wrong source reads which one it was.

use serde_json::Value;

use super::EventError;
use super::wire::{Part, shortened};

/// How many characters of a name from the payload go into a sentence.
const NAME: usize = 60;

/// What the rest of a sentence says about a source that a later version will understand.
pub(super) const NOT_YET: &str = ", which this version of Belay does not handle yet";

/// The refusal of a payload that is not for the function it reached.
pub(super) fn not_for_us(came: String, expected: &'static str) -> EventError {
    EventError::NotForUs { came, expected }
}

/// An EventBridge event, by its detail-type and source.
pub(super) fn eventbridge(detail_type: &str, source: &str) -> String {
    format!("an EventBridge event `{}` of {}", shortened(detail_type, NAME), shortened(source, NAME))
}

/// Any payload of an invocation, by its keys.
pub(super) fn payload(part: &Part<'_>) -> String {
    let has = |key| part.has(key);
    if let (Some(detail_type), Some(source)) = (part.text("detail-type"), part.text("source")) {
        return eventbridge(detail_type, source);
    }
    if let Some(record) = part.value.get("Records").and_then(|records| records.get(0)) {
        return self::record(&Part::whole(record));
    }
    if has("alarmArn") || has("alarmData") {
        "the direct Lambda action of a CloudWatch alarm".to_owned()
    } else if has("DeploymentId") && has("LifecycleEventHookExecutionId") {
        "a CodeDeploy lifecycle hook call".to_owned()
    } else if has("lifecycleStage") && has("executionDetails") {
        "an ECS lifecycle hook call (ECS reads the function's return value instead)".to_owned()
    } else if has("requestPayload") && has("requestContext") {
        "a Lambda destination's record of a failed invocation".to_owned()
    } else if has("CodePipeline.job") {
        "a CodePipeline job".to_owned()
    } else if has("TopicArn") && has("Type") {
        envelope(part)
    } else if has("AlarmName") && has("NewStateValue") {
        "a CloudWatch alarm's SNS message without its SNS envelope".to_owned()
    } else {
        format!("an object with {}", keys(part.value))
    }
}

/// A record of a `Records` list, by its source.
pub(super) fn record(part: &Part<'_>) -> String {
    match part.text("EventSource").or_else(|| part.text("eventSource")) {
        Some("aws:sns") => {
            let message = part.value.get("Sns").and_then(|sns| sns.get("Message"));
            match message.and_then(Value::as_str) {
                Some(text) => match serde_json::from_str::<Value>(text) {
                    Ok(message) => self::message(&Part::whole(&message)),
                    Err(_) => "an SNS message that is not JSON".to_owned(),
                },
                None => "an SNS notification".to_owned(),
            }
        }
        Some("aws:sqs") => "an SQS batch".to_owned(),
        Some(source) => format!("a record of {}", shortened(source, NAME)),
        None => format!("a record with {}", keys(part.value)),
    }
}

/// An SNS envelope in its HTTP form, by its type.
pub(super) fn envelope(part: &Part<'_>) -> String {
    match part.text("Type") {
        Some(kind) => format!("an SNS `{}` message in its HTTP form", shortened(kind, NAME)),
        None => "an SNS message in its HTTP form".to_owned(),
    }
}

/// An SNS message, by its keys (reference: CodeDeploy, "SNS triggers"; CodePipeline, approvals).
pub(super) fn message(part: &Part<'_>) -> String {
    let has = |key| part.has(key);
    if has("approval") && has("consoleLink") {
        "a CodePipeline approval request by SNS".to_owned()
    } else if has("eventTriggerName") && has("deploymentId") {
        format!("a CodeDeploy trigger notification by SNS{NOT_YET}")
    } else if let Some(detail_type) = part.text("detailType") {
        format!("a developer tools notification `{}` by SNS", shortened(detail_type, NAME))
    } else if let (Some(detail_type), Some(source)) = (part.text("detail-type"), part.text("source")) {
        format!("{}, by SNS", eventbridge(detail_type, source))
    } else if has("AlarmName") && has("AlarmContributorId") {
        "one contributor of a CloudWatch alarm by SNS".to_owned()
    } else if has("AlarmName") && has("NewStateValue") {
        "a CloudWatch alarm by SNS".to_owned()
    } else {
        format!("an SNS message with {}", keys(part.value))
    }
}

/// The keys of an object, never its values.
fn keys(value: &Value) -> String {
    match value {
        Value::Object(fields) if fields.is_empty() => "no fields".to_owned(),
        Value::Object(fields) => {
            let names: Vec<&str> = fields.keys().map(String::as_str).collect();
            format!("the fields {}", shortened(&names.join(", "), NAME))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            "no fields".to_owned()
        }
    }
}
