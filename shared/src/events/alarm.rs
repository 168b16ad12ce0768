//! CloudWatch alarms, by whatever route they come: tells the routes apart, and opens the envelopes.

use serde::Deserialize;
use serde_json::Value;

use super::EventError;
use super::alarm_change;
use super::foreign::{self, not_for_us};
use super::wire::{Part, Text, malformed, payload};
use crate::signal::AlarmChange;

const STATE_CHANGE: &str = "CloudWatch Alarm State Change";
const EXPECTED: &str = "a CloudWatch alarm: an EventBridge event `CloudWatch Alarm State Change` of \
                        aws.cloudwatch, the alarm's SNS notification, its direct Lambda action, or an \
                        SQS batch of these";
const CONTRIBUTOR: &str = "one contributor of a CloudWatch alarm, whose state is not the alarm's";

/// The alarms of one invocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AlarmPayload {
    /// Not from a queue: every record of the invocation, understood. It succeeds or fails as one.
    One(Vec<AlarmChange>),
    /// A batch from a queue: each message succeeds or fails on its own.
    Batch(Vec<BatchItem>),
}

/// One message of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchItem {
    /// By this id Lambda is told that the message failed.
    pub message_id: String,
    /// The alarms in its body, or why there are none.
    pub changes: Result<Vec<AlarmChange>, EventError>,
}

/// How a `Records` list reached us.
enum Records {
    Sns,
    Sqs,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", expecting = "an object")]
struct Label {
    detail_type: Text,
    source: Text,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
struct Queued {
    message_id: Text,
}

/// Reads the alarms of an invocation.
///
/// # Errors
///
/// `NotForUs` for anything that is not an alarm's change of state, also for a contributor's or a
/// configuration's change; `Malformed` for what cannot be understood. In a batch, each message has its own
/// error; the whole batch fails only where a message's id cannot be read.
pub fn alarm(bytes: &[u8]) -> Result<AlarmPayload, EventError> {
    let value = payload(bytes)?;
    let whole = Part::whole(&value);
    let Some((records, items)) = records(&whole)? else {
        return direct(&whole).map(|change| AlarmPayload::One(vec![change]));
    };
    match records {
        Records::Sns => notifications(&items).map(AlarmPayload::One),
        Records::Sqs => items.iter().map(queued).collect::<Result<_, _>>().map(AlarmPayload::Batch),
    }
}

/// The items of a `Records` list and where they come from, when the payload has one.
fn records<'a>(part: &Part<'a>) -> Result<Option<(Records, Vec<Part<'a>>)>, EventError> {
    let Some(list) = part.field("Records") else {
        return Ok(None);
    };
    let items: Vec<Part<'a>> = match list.value.as_array() {
        Some(items) => items.iter().enumerate().map(|(i, item)| list.item(i, item)).collect(),
        None => Vec::new(),
    };
    let Some(first) = items.first() else {
        return Err(malformed(list.path, Some(list.value), "a list of records"));
    };
    // SNS spells the key with a capital, SQS without (reference: Lambda, "SQS source").
    let records = match (first.text("EventSource"), first.text("eventSource")) {
        (Some("aws:sns"), _) => Records::Sns,
        (_, Some("aws:sqs")) => Records::Sqs,
        (Some(_), _) | (_, Some(_)) => return Err(not_for_us(foreign::record(first), EXPECTED)),
        (None, None) => {
            let found = first.field("EventSource").or_else(|| first.field("eventSource"));
            let path = found
                .as_ref()
                .map_or_else(|| format!("{}.EventSource", first.path), |part| part.path.clone());
            return Err(malformed(path, found.map(|part| part.value), "aws:sns or aws:sqs"));
        }
    };
    Ok(Some((records, items)))
}

/// An alarm that came without SNS or SQS around it.
fn direct(part: &Part<'_>) -> Result<AlarmChange, EventError> {
    if part.has("detail-type") || part.has("detail") {
        let label: Label = part.decode()?;
        return match (label.source.0.as_str(), label.detail_type.0.as_str()) {
            // The samples say aws.cloudwatch, EventBridge's own catalogue aws.monitoring.
            ("aws.cloudwatch" | "aws.monitoring", STATE_CHANGE) => alarm_change::event(part),
            (source, detail_type) => Err(not_for_us(foreign::eventbridge(detail_type, source), EXPECTED)),
        };
    }
    if part.has("alarmArn") || part.has("alarmData") {
        if part.field("alarmData").is_some_and(|data| data.has("alarmContributor")) {
            return Err(not_for_us(CONTRIBUTOR.to_owned(), EXPECTED));
        }
        return alarm_change::action(part);
    }
    Err(not_for_us(foreign::payload(part), EXPECTED))
}

/// Every SNS record of one invocation.
fn notifications(items: &[Part<'_>]) -> Result<Vec<AlarmChange>, EventError> {
    items.iter().map(notification).collect()
}

fn notification(item: &Part<'_>) -> Result<AlarmChange, EventError> {
    if item.text("EventSource") != Some("aws:sns") {
        return Err(malformed(
            format!("{}.EventSource", item.path),
            item.value.get("EventSource"),
            "aws:sns, as in the first record",
        ));
    }
    let Some(sns) = item.field("Sns") else {
        return Err(malformed(format!("{}.Sns", item.path), None, "an object"));
    };
    enveloped(&sns)
}

/// The alarm in `Message`, which is JSON in a string. Lambda's envelope and the HTTP form both have it.
fn enveloped(envelope: &Part<'_>) -> Result<AlarmChange, EventError> {
    let Some(message) = envelope.field("Message") else {
        return Err(malformed(format!("{}.Message", envelope.path), None, "JSON in a string"));
    };
    // People write to topics too; an alarm's message is an object.
    if message.value.as_str().is_some_and(|text| !text.trim_start().starts_with('{')) {
        return Err(not_for_us("an SNS message of plain text".to_owned(), EXPECTED));
    }
    let value = message.parse_text()?;
    published(&Part { value: &value, path: message.path })
}

/// An alarm as CloudWatch published it to a topic.
fn published(message: &Part<'_>) -> Result<AlarmChange, EventError> {
    if message.has("AlarmContributorId") {
        return Err(not_for_us(CONTRIBUTOR.to_owned(), EXPECTED));
    }
    if ["AlarmName", "AlarmArn", "NewStateValue"].iter().any(|key| message.has(key)) {
        return alarm_change::message(message);
    }
    Err(not_for_us(foreign::message(message), EXPECTED))
}

/// One message of a queue.
fn queued(item: &Part<'_>) -> Result<BatchItem, EventError> {
    if item.text("eventSource") != Some("aws:sqs") {
        return Err(malformed(
            format!("{}.eventSource", item.path),
            item.value.get("eventSource"),
            "aws:sqs, as in the first record",
        ));
    }
    let Queued { message_id } = item.decode()?;
    Ok(BatchItem { message_id: message_id.0, changes: body(item) })
}

/// What a queue's message carries: any of the other routes, or SNS's own forms, with an envelope or without
/// (raw delivery). A Lambda dead-letter queue carries whole SNS events. A batch within a batch is nothing
/// that AWS makes.
fn body(item: &Part<'_>) -> Result<Vec<AlarmChange>, EventError> {
    let Some(body) = item.field("body") else {
        return Err(malformed(format!("{}.body", item.path), None, "JSON in a string"));
    };
    let value = body.parse_text()?;
    let part = Part { value: &value, path: body.path };
    if let Some((records, items)) = records(&part)? {
        return match records {
            Records::Sns => notifications(&items),
            Records::Sqs => Err(not_for_us(foreign::payload(&part), EXPECTED)),
        };
    }
    let change = match part.text("Type") {
        Some("Notification") if part.has("Message") => enveloped(&part),
        Some(_) if part.has("TopicArn") => Err(not_for_us(foreign::envelope(&part), EXPECTED)),
        Some(_) | None if plain(&value) => published(&part),
        Some(_) | None => direct(&part),
    };
    change.map(|change| vec![change])
}

/// Whether the object has the spelling of an alarm's SNS message.
fn plain(value: &Value) -> bool {
    value.get("AlarmName").is_some() || value.get("NewStateValue").is_some()
}
