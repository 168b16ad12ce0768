//! One alarm's change of state, in the three shapes in which CloudWatch sends it (reference: CloudWatch,
//! "One alarm, three input shapes").

use std::fmt;

use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::EventError;
use super::moment::Stamp;
use super::wire::{Part, Text, read};
use crate::release::{AlarmArn, AlarmName};
use crate::signal::{AlarmChange, AlarmState, Quieted};

/// The state an alarm is in: one of three words, refused otherwise.
struct State(AlarmState);

impl<'de> Deserialize<'de> for State {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read(deserializer, "OK, ALARM or INSUFFICIENT_DATA", |word| AlarmState::from_wire(word).map(Self))
    }
}

/// The state an alarm was in: an unknown word is missing evidence, and no reason to refuse the change.
struct FormerState(Option<AlarmState>);

impl<'de> Deserialize<'de> for FormerState {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read(deserializer, "an alarm's state", |word| Some(Self(AlarmState::from_wire(word))))
    }
}

/// An EventBridge event. It is sent although the alarm's actions are muted or suppressed.
#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct Event {
    account: Option<String>,
    region: Option<String>,
    resources: Resources,
    detail: Detail,
}

/// The alarm's ARN stands first; nothing else is known to stand there.
struct Resources(AlarmArn);

impl<'de> Deserialize<'de> for Resources {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct First;

        impl<'de> Visitor<'de> for First {
            type Value = Resources;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the alarm's ARN in a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut arns: A) -> Result<Resources, A::Error> {
                let first: Option<Text> = arns.next_element()?;
                let Text(arn) = first.ok_or_else(|| A::Error::invalid_length(0, &self))?;
                Ok(Resources(AlarmArn::from(arn)))
            }
        }

        deserializer.deserialize_seq(First)
    }
}

/// The payload of an alarm's Lambda action. It has no detail-type, no `detail` and no id.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
struct Action {
    alarm_arn: Text,
    account_id: Option<String>,
    region: Option<String>,
    alarm_data: Detail,
}

/// What the event and the action share.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
struct Detail {
    alarm_name: Text,
    state: Now,
    previous_state: Option<Before>,
    mute_detail: Option<Mute>,
}

/// The current state. PromQL alarms carry no reason (reference: CloudWatch, "EventBridge").
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
struct Now {
    value: State,
    reason: Option<String>,
    timestamp: Stamp,
    actions_suppressed_by: Option<Text>,
    actions_suppressed_reason: Option<String>,
}

/// The previous state. That its actions were suppressed says nothing about those of the current one: they
/// run now, because the wait is over.
#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct Before {
    value: Option<FormerState>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
struct Mute {
    muted_by_arn: Text,
    mute_window_end: Option<String>,
}

/// The message of an SNS notification. CloudWatch does not send it while the actions are held back.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", expecting = "an object")]
struct Message {
    alarm_name: Text,
    /// Missing only in very old messages.
    alarm_arn: Option<Text>,
    #[serde(rename = "AWSAccountId")]
    account: Option<String>,
    new_state_value: State,
    old_state_value: Option<FormerState>,
    new_state_reason: Option<String>,
    state_change_time: Stamp,
}

/// Reads an EventBridge event `CloudWatch Alarm State Change`.
pub(super) fn event(part: &Part<'_>) -> Result<AlarmChange, EventError> {
    let Event { account, region, resources, detail } = part.decode()?;
    Ok(detail.told_by(resources.0, account, region))
}

/// Reads the payload of an alarm's Lambda action.
pub(super) fn action(part: &Part<'_>) -> Result<AlarmChange, EventError> {
    let Action { alarm_arn, account_id, region, alarm_data } = part.decode()?;
    Ok(alarm_data.told_by(AlarmArn::from(alarm_arn.0), account_id, region))
}

/// Reads the message of an alarm's SNS notification.
pub(super) fn message(part: &Part<'_>) -> Result<AlarmChange, EventError> {
    let message: Message = part.decode()?;
    let place = message.alarm_arn.as_ref().and_then(|arn| place(&arn.0));
    Ok(AlarmChange {
        alarm: AlarmName::from(message.alarm_name.0),
        // `Region` is a display name, "US East (N. Virginia)", so it is not read at all.
        account: place.as_ref().map(|place| place.account.clone()).or(said(message.account)),
        region: place.map(|place| place.region),
        arn: message.alarm_arn.map(|arn| AlarmArn::from(arn.0)),
        to: message.new_state_value.0,
        from: message.old_state_value.and_then(|state| state.0),
        reason: message.new_state_reason.unwrap_or_default(),
        at: message.state_change_time.0,
        quieted: None,
    })
}

impl Detail {
    fn told_by(self, arn: AlarmArn, account: Option<String>, region: Option<String>) -> AlarmChange {
        let Self { alarm_name, state, previous_state, mute_detail } = self;
        let place = place(arn.as_str());
        let muted =
            mute_detail.map(|mute| Quieted::Muted { by: mute.muted_by_arn.0, until: mute.mute_window_end });
        let suppressed = state
            .actions_suppressed_by
            .map(|by| Quieted::Suppressed { by: by.0, why: state.actions_suppressed_reason });
        AlarmChange {
            alarm: AlarmName::from(alarm_name.0),
            account: said(account).or_else(|| place.as_ref().map(|place| place.account.clone())),
            region: said(region).or_else(|| place.map(|place| place.region)),
            arn: Some(arn),
            to: state.value.0,
            from: previous_state.and_then(|before| before.value).and_then(|value| value.0),
            reason: state.reason.unwrap_or_default(),
            at: state.timestamp.0,
            quieted: muted.or(suppressed),
        }
    }
}

/// Where an alarm lives.
struct Place {
    account: String,
    region: String,
}

/// Reads `arn:<partition>:cloudwatch:<region>:<account>:alarm:<name>`.
fn place(arn: &str) -> Option<Place> {
    let mut parts = arn.split(':');
    let (Some("arn"), Some(_), Some("cloudwatch"), Some(region), Some(account), Some("alarm")) =
        (parts.next(), parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return None;
    };
    if region.is_empty() || account.is_empty() {
        return None;
    }
    Some(Place { account: account.to_owned(), region: region.to_owned() })
}

/// An empty text says nothing.
fn said(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}
