//! The ledger's items: how records become attributes, and how they are read back, or refused.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{CLAIMED, DONE, OVERTAKEN};
use crate::{
    aws::AwsError,
    decision::{self, Verdict},
    ledger::{
        DecisionRecord, Destination, Effect, EffectState, KEPT, LEASE, OLDEST, Open, OwedMessage, Partition,
        ReleaseLedger, VERSION, sort_key,
    },
    reason::{Reason, Reasons},
};

/// The body of a claimed undo: what whoever takes it over has to finish.
#[derive(Serialize, Deserialize)]
pub(super) struct Undo {
    pub(super) verdict: Verdict,
    pub(super) reasons: Reasons,
    /// Not in records of version 1, which knew only stopping.
    #[serde(default)]
    pub(super) effect: Option<decision::Effect>,
}

pub(super) type Item = HashMap<String, AttributeValue>;

pub(super) fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

pub(super) fn number(value: impl ToString) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

pub(super) fn string<'a>(item: &'a Item, name: &str) -> Option<&'a str> {
    item.get(name).and_then(|value| value.as_s().ok()).map(String::as_str)
}

pub(super) fn integer(item: &Item, name: &str) -> Option<i64> {
    item.get(name).and_then(|value| value.as_n().ok()).and_then(|value| value.parse().ok())
}

pub(super) fn expiry(now: Timestamp) -> i64 {
    now.as_second().saturating_add(KEPT.as_secs())
}

/// When a lease that begins now ends, in milliseconds.
pub(super) fn lease_end(now: Timestamp) -> i64 {
    now.as_millisecond().saturating_add(i64::try_from(LEASE.as_millis()).unwrap_or(i64::MAX))
}

pub(super) fn item(
    partition: &str,
    sort: &str,
    body: &impl Serialize,
    now: Timestamp,
) -> Result<Item, AwsError> {
    let body = serde_json::to_string(body)
        .map_err(|error| AwsError::unreadable("dynamodb:PutItem", partition, error.to_string()))?;
    Ok(HashMap::from([
        ("pk".to_owned(), text(partition)),
        ("sk".to_owned(), text(sort)),
        ("v".to_owned(), number(VERSION)),
        ("body".to_owned(), text(&body)),
        ("expires_at".to_owned(), number(expiry(now))),
    ]))
}

/// Whether an item can be read: it is of this version, or of an older one that means the same.
fn readable(item: &Item, sort: &str) -> Result<(), String> {
    match integer(item, "v") {
        Some(version) if (i64::from(OLDEST)..=i64::from(VERSION)).contains(&version) => Ok(()),
        Some(other) => Err(format!(
            "the record {sort} was written by another version of Belay (records of version {other}, this one reads {OLDEST} to {VERSION})"
        )),
        None => Err(format!("the record {sort} does not say which version of Belay wrote it")),
    }
}

/// Whether an item is past its time: DynamoDB removes such items when it comes to it.
fn expired(item: &Item, now: Timestamp) -> bool {
    integer(item, "expires_at").is_some_and(|expires| expires <= now.as_second())
}

/// Files one item of the open partition.
pub(super) fn file_open(open: &mut Open, item: &Item, now: Timestamp) -> Result<(), String> {
    let sort = string(item, "sk").ok_or("an item has no sort key")?;
    if expired(item, now) {
        return Ok(());
    }
    readable(item, sort)?;
    if sort.starts_with(sort_key::WATCH) {
        open.watches.push(body(item, sort)?);
    } else if sort.starts_with(sort_key::QUESTION) {
        open.questions.push(body(item, sort)?);
    } else if sort.starts_with(sort_key::HOOK) {
        open.hooks.push(body(item, sort)?);
    } else if sort.starts_with(sort_key::OWED) {
        open.owed.push(body(item, sort)?);
    } else if sort.starts_with(sort_key::PRESS) {
        open.presses.push(body(item, sort)?);
    } else if sort.starts_with(sort_key::INCIDENT) {
        open.incidents.push(body(item, sort)?);
    } else {
        return Err(format!("the record {sort} is of a kind that this version of Belay does not know"));
    }
    Ok(())
}

/// What a service's partition holds of one kind; items of other kinds are not asked for.
pub(super) fn read_body<T: DeserializeOwned>(item: &Item, now: Timestamp) -> Result<Option<T>, String> {
    let sort = string(item, "sk").ok_or("an item has no sort key")?;
    if expired(item, now) {
        return Ok(None);
    }
    readable(item, sort)?;
    body(item, sort).map(Some)
}

/// Files one item under what it is.
pub(super) fn file(
    ledger: &mut ReleaseLedger,
    partition: &Partition,
    item: &Item,
    now: Timestamp,
) -> Result<(), String> {
    let sort = string(item, "sk").ok_or("an item has no sort key")?;
    if expired(item, now) {
        return Ok(());
    }
    readable(item, sort)?;
    if sort == sort_key::BEGAN {
        ledger.began = Some(body(item, sort)?);
    } else if sort == sort_key::ENDED {
        ledger.ended = Some(body(item, sort)?);
    } else if sort == sort_key::UNDO {
        let (state, at) = claim_state(item, sort)?;
        let Undo { verdict, reasons, effect } = body(item, sort)?;
        ledger.undo = Some(Effect { state, at, verdict, reasons, effect });
    } else if sort == sort_key::REDEPLOY {
        let (state, at) = claim_state(item, sort)?;
        let Undo { verdict, reasons, effect } = body(item, sort)?;
        ledger.redeploy = Some(Effect { state, at, verdict, reasons, effect });
    } else if sort == sort_key::BLAMED {
        ledger.blamed_by = Some(body(item, sort)?);
    } else if sort == sort_key::WOULD {
        ledger.would = Some(body(item, sort)?);
    } else if sort.starts_with(sort_key::JUDGED) {
        ledger.judged.push(body(item, sort)?);
    } else if let Some((to, key)) = sent_to(sort) {
        match (claim_state(item, sort)?.0, to) {
            (EffectState::Claimed { until }, _) => ledger.owed.push(OwedMessage {
                to,
                partition: partition.clone(),
                key: key.to_owned(),
                message: body(item, sort)?,
                until,
            }),
            (EffectState::Done | EffectState::Overtaken, Destination::Topic) => {
                ledger.told.insert(key.to_owned());
            }
            (
                EffectState::Done | EffectState::Overtaken,
                Destination::Slack | Destination::Teams | Destination::Picture,
            ) => {}
        }
    } else if sort.starts_with(sort_key::ASKED) {
        ledger.asked.push(body(item, sort)?);
    } else if let Some(key) = sort.strip_prefix(sort_key::ANSWER) {
        ledger.answers.insert(key.to_owned(), body(item, sort)?);
    } else if sort.starts_with(sort_key::PRESS) {
        ledger.presses.push(body(item, sort)?);
    } else if sort == sort_key::CARD {
        ledger.card = Some(body(item, sort)?);
    } else if sort == sort_key::GOES_BACK_BY {
        ledger.goes_back_by = Some(body(item, sort)?);
    } else if sort.starts_with(sort_key::DECISION) {
        let record: DecisionRecord = body(item, sort)?;
        let blamed = record.reasons.iter().find_map(|reason| match reason {
            Reason::FinishedBeforeAlarm { alarm, .. } | Reason::AlarmAfterRelease { alarm, .. } => {
                Some(alarm)
            }
            _ => None,
        });
        if let Some(alarm) = blamed {
            ledger.blamed_by = Some((alarm.clone(), record.at));
        }
        // By time: the keys are in another order.
        let at = ledger.decisions.partition_point(|other| other.at <= record.at);
        ledger.decisions.insert(at, record);
    } else if sort != sort_key::DELIVERIES
        && sort != sort_key::CARD_LOCK
        && sort != sort_key::DRIFT
        && !sort.starts_with(sort_key::RETRY)
    {
        return Err(format!("the record {sort} is of a kind that this version of Belay does not know"));
    }
    Ok(())
}

/// For whom a record is a message, and its key.
fn sent_to(sort: &str) -> Option<(Destination, &str)> {
    let all = [Destination::Topic, Destination::Slack, Destination::Teams, Destination::Picture];
    all.into_iter().find_map(|to| Some((to, sort.strip_prefix(&to.sort_key())?)))
}

pub(super) fn body<T: DeserializeOwned>(item: &Item, sort: &str) -> Result<T, String> {
    let body = string(item, "body").ok_or_else(|| format!("the record {sort} has no body"))?;
    serde_json::from_str(body).map_err(|error| format!("the record {sort} cannot be read: {error}"))
}

fn claim_state(item: &Item, sort: &str) -> Result<(EffectState, Timestamp), String> {
    let at = string(item, "claimed_at")
        .and_then(|at| at.parse().ok())
        .ok_or_else(|| format!("the record {sort} does not say when it was claimed"))?;
    let until = integer(item, "until")
        .and_then(|until| Timestamp::from_millisecond(until).ok())
        .ok_or_else(|| format!("the record {sort} does not say when its lease ends"))?;
    let state = match string(item, "state") {
        Some(CLAIMED) => EffectState::Claimed { until },
        Some(DONE) => EffectState::Done,
        Some(OVERTAKEN) => EffectState::Overtaken,
        other => return Err(format!("the record {sort} is in an unknown state: {other:?}")),
    };
    Ok((state, at))
}
