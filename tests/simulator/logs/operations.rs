//! GetLogEvents and FilterLogEvents: limits and error names are those of aws-sdk-cloudwatchlogs 1.162.0.

use serde_json::{Value, json};

use super::pattern::Pattern;
use super::stream::Stream;
use crate::refusal::{Answer, Refusal, only_modelled};
use crate::wire::texts;
use crate::world::World;

/// "As many log events as can fit in a response size of 1 MB (up to 10,000 log events)."
const PAGE_EVENTS: u64 = 10_000;
const PAGE_BYTES: usize = 1_048_576;
/// What an event takes of a page beside its message: as PutLogEvents counts it (API reference); of pages unverified.
const EVENT_BYTES: usize = 26;
/// How many events one call of FilterLogEvents looks at, whether they match or not: so pages may be empty. That they
/// may is documented; the number is invented.
const SEARCHED: u64 = 50_000;

fn not_found(what: &str) -> Refusal {
    Refusal::new("ResourceNotFoundException", format!("The specified log {what} does not exist."))
}

fn invalid(why: &str) -> Refusal {
    Refusal::new("InvalidParameterException", why)
}

/// The number of events that a page may have.
fn limit(input: &Value) -> Result<u64, Refusal> {
    match &input["limit"] {
        Value::Null => Ok(PAGE_EVENTS),
        given => given
            .as_u64()
            .filter(|limit| (1..=PAGE_EVENTS).contains(limit))
            .ok_or_else(|| invalid("1 validation error detected: Value at 'limit' failed to satisfy constraint: Member must have value between 1 and 10000")),
    }
}

impl World {
    /// Answers an operation; `None` when it is not modelled.
    pub(crate) fn cloud_watch_logs(&self, operation: &str, input: &Value) -> Option<Answer> {
        match operation {
            "GetLogEvents" => Some(self.get_log_events(input)),
            "FilterLogEvents" => Some(self.filter_log_events(input)),
            _ => None,
        }
    }

    /// The streams of the group that is asked for by its name.
    fn asked_log_group(&self, input: &Value) -> Result<Vec<(&str, &Stream)>, Refusal> {
        only_modelled(input, &["logGroupIdentifier", "unmask"])?;
        let name = input["logGroupName"].as_str().ok_or_else(|| invalid("logGroupName is missing"))?;
        let streams = self.logs.groups.get(name).ok_or_else(|| not_found("group"))?;
        let there = |(_, stream): &(&String, &Stream)| stream.exists(self.now);
        let there: Vec<(&str, &Stream)> =
            streams.iter().filter(there).map(|(name, stream)| (name.as_str(), stream)).collect();
        // A group comes to be with its first stream.
        if there.is_empty() && !streams.is_empty() { Err(not_found("group")) } else { Ok(there) }
    }

    /// One page, always in the order of time. Without a token it is the first page if `startFromHead`, else the last
    /// one. "If you have reached the end of the stream, it returns the same token you passed in."
    fn get_log_events(&self, input: &Value) -> Answer {
        let name = input["logStreamName"].as_str().ok_or_else(|| invalid("logStreamName is missing"))?;
        let streams = self.asked_log_group(input)?;
        let (_, stream) =
            streams.into_iter().find(|(known, _)| *known == name).ok_or_else(|| not_found("stream"))?;
        let limit = limit(input)?;
        let from_head = input["startFromHead"].as_bool().unwrap_or(false);
        // Events at `endTime` or later are not included, and none is there before its time.
        let low = input["startTime"].as_i64().map_or(0, |start| stream.first_from(start));
        let high = stream.first_from(self.now.as_millisecond() + 1);
        let high = input["endTime"].as_i64().map_or(high, |end| stream.first_from(end).min(high)).max(low);
        let (from, until) = match input["nextToken"].as_str() {
            None if from_head => forward(stream, low, high, limit),
            None => backward(stream, low, high, limit),
            Some(token) => match token.split_once('/') {
                Some(("f", number)) => {
                    // "If you are using a previous nextForwardToken value as the nextToken in this operation, you must
                    // specify true for startFromHead." What happens else is not documented.
                    if !from_head {
                        return Err(invalid("A forward token needs startFromHead."));
                    }
                    forward(stream, number_of(number)?.clamp(low, high), high, limit)
                }
                Some(("b", number)) => backward(stream, low, number_of(number)?.clamp(low, high), limit),
                Some(_) | None => return Err(invalid("The specified nextToken is invalid.")),
            },
        };
        let events: Vec<Value> = (from..until)
            .map(|number| {
                let event = stream.event(number);
                json!({ "timestamp": event.at_ms, "message": event.text, "ingestionTime": event.at_ms })
            })
            .collect();
        Ok(json!({
            "events": events,
            "nextForwardToken": format!("f/{until:056}"),
            "nextBackwardToken": format!("b/{from:056}"),
        }))
    }

    /// The matching events of the group's streams, or of those that are named, in the order of time. A page may be empty
    /// though there is a token for the next: only a missing token is the end.
    fn filter_log_events(&self, input: &Value) -> Answer {
        let mut streams = self.asked_log_group(input)?;
        if input["startFromHead"] == json!(false) {
            only_modelled(input, &["startFromHead"])?;
        }
        let limit = limit(input)?;
        let names = texts(&input["logStreamNames"]);
        let prefix = input["logStreamNamePrefix"].as_str();
        if prefix.is_some() && !names.is_empty() {
            return Err(invalid("Both logStreamNames and logStreamNamePrefix are given."));
        }
        if let Some(prefix) = prefix {
            streams.retain(|(name, _)| name.starts_with(prefix));
        }
        if !names.is_empty() {
            // That a name without a stream is refused is not verified.
            if names.iter().any(|name| !streams.iter().any(|(known, _)| known == name)) {
                return Err(not_found("stream"));
            }
            streams.retain(|(name, _)| names.contains(name));
        }
        let pattern = Pattern::read(input["filterPattern"].as_str().unwrap_or_default())?;
        // Events later than `endTime` are not returned: those at it are, other than in GetLogEvents.
        let end = input["endTime"].as_i64().unwrap_or(i64::MAX - 1).min(self.now.as_millisecond()) + 1;
        let start = input["startTime"].as_i64().unwrap_or(i64::MIN);
        let mut next: Vec<u64> = match input["nextToken"].as_str() {
            None => streams.iter().map(|(_, stream)| stream.first_from(start)).collect(),
            Some(token) => token.split('-').map(number_of).collect::<Result<_, _>>()?,
        };
        if next.len() != streams.len() {
            return Err(invalid("The specified nextToken is invalid."));
        }
        let ends: Vec<u64> = streams.iter().map(|(_, stream)| stream.first_from(end)).collect();
        let (mut found, mut bytes, mut searched) = (Vec::new(), 0, 0);
        let mut complete = false;
        while (found.len() as u64) < limit && bytes < PAGE_BYTES && searched < SEARCHED {
            let earliest = (0..streams.len())
                .filter(|index| next[*index] < ends[*index])
                .min_by_key(|index| streams[*index].1.event(next[*index]).at_ms);
            let Some(index) = earliest else {
                complete = true;
                break;
            };
            let (name, stream) = streams[index];
            let (number, event) = (next[index], stream.event(next[index]));
            next[index] += 1;
            searched += 1;
            if pattern.matches(event.text) {
                bytes += event.text.len() + EVENT_BYTES;
                found.push(json!({
                    "logStreamName": name,
                    "timestamp": event.at_ms,
                    "message": event.text,
                    "ingestionTime": event.at_ms,
                    "eventId": format!("{:056}", u128::from(number) + ((index as u128) << 64)),
                }));
            }
        }
        let mut answer = json!({ "events": found, "searchedLogStreams": [] });
        if !complete {
            let token: Vec<String> = next.iter().map(u64::to_string).collect();
            answer["nextToken"] = json!(token.join("-"));
        }
        Ok(answer)
    }
}

/// The events from `from` on that fit into a page.
fn forward(stream: &Stream, from: u64, high: u64, limit: u64) -> (u64, u64) {
    let (mut until, mut bytes) = (from, 0);
    while until < high && until - from < limit {
        bytes += stream.event(until).text.len() + EVENT_BYTES;
        if bytes > PAGE_BYTES && until > from {
            break;
        }
        until += 1;
    }
    (from, until)
}

/// The events before `until` that fit into a page.
fn backward(stream: &Stream, low: u64, until: u64, limit: u64) -> (u64, u64) {
    let (mut from, mut bytes) = (until, 0);
    while from > low && until - from < limit {
        bytes += stream.event(from - 1).text.len() + EVENT_BYTES;
        if bytes > PAGE_BYTES && from < until {
            break;
        }
        from -= 1;
    }
    (from, until)
}

fn number_of(text: &str) -> Result<u64, Refusal> {
    text.parse().map_err(|_| invalid("The specified nextToken is invalid."))
}
