//! CloudWatch: what alarms are now, and what they were.

mod graph;

use std::collections::BTreeMap;

use aws_sdk_cloudwatch::{
    operation::{
        describe_alarm_history::DescribeAlarmHistoryInput, describe_alarms::DescribeAlarmsInput,
        list_alarm_mute_rules::ListAlarmMuteRulesInput,
    },
    types::{AlarmMuteRuleStatus, AlarmType, EvaluationState, HistoryItemType, ScanBy, StateValue},
};
use aws_types::SdkConfig;
use jiff::Timestamp;
use serde::Deserialize;

use super::client::{Call as _, Client, service};
use crate::{
    aws::{AwsError, date_time, timestamp},
    evidence::{Observed, WatchedState},
    release::{AlarmArn, AlarmName},
    signal::AlarmState,
};

service! {
    Api = aws_sdk_cloudwatch, "CloudWatch", "monitoring";
    describe_alarm_history: DescribeAlarmHistory DescribeAlarmHistoryInputBuilder
        DescribeAlarmHistoryOutput DescribeAlarmHistoryError;
    describe_alarms: DescribeAlarms DescribeAlarmsInputBuilder DescribeAlarmsOutput DescribeAlarmsError;
    get_metric_widget_image: GetMetricWidgetImage GetMetricWidgetImageInputBuilder
        GetMetricWidgetImageOutput GetMetricWidgetImageError;
    list_alarm_mute_rules: ListAlarmMuteRules ListAlarmMuteRulesInputBuilder
        ListAlarmMuteRulesOutput ListAlarmMuteRulesError;
}

/// The alarms.
#[derive(Clone, Debug)]
pub struct CloudWatch {
    client: Client<Api>,
}

/// One change of an alarm's state, from its history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    /// When.
    pub at: Timestamp,
    /// From which state; `None` for a word we do not know.
    pub from: Option<AlarmState>,
    /// Into which state; `None` for a word we do not know.
    pub to: Option<AlarmState>,
}

/// DescribeAlarms takes at most so many names at once.
const NAMES: usize = 100;

/// How many pages of an alarm's history are read before we give up: 100 changes each.
const HISTORY_PAGES: usize = 5;

impl CloudWatch {
    /// A client of one configuration.
    pub fn new(config: &SdkConfig) -> Self {
        Self { client: Client::of(config) }
    }

    /// Makes the client now, before anybody waits for it, and says where it will call.
    pub fn ready(&self) -> Option<String> {
        self.client.ready()
    }

    /// The alarms with these names, and all whose names begin with one of these prefixes.
    ///
    /// A name that CloudWatch does not know is silently absent from its answer; here it is in the result, as
    /// missing. Names go in batches of 100 (DescribeAlarms has a quota of 9 calls a second); metric,
    /// composite and log alarms are asked for by name, since the default is metric alarms only.
    ///
    /// # Errors
    /// When CloudWatch does not tell.
    pub async fn alarms(
        &self,
        names: &[AlarmName],
        prefixes: &[String],
        now: Timestamp,
    ) -> Result<BTreeMap<AlarmName, WatchedState>, AwsError> {
        let mut found = BTreeMap::new();
        for batch in names.chunks(NAMES) {
            let batch = batch.iter().map(ToString::to_string).collect();
            self.describe(Some(batch), None, now, &mut found).await?;
        }
        for prefix in prefixes {
            self.describe(None, Some(prefix.clone()), now, &mut found).await?;
        }
        for name in names {
            found.entry(name.clone()).or_insert_with(|| {
                let why = "CloudWatch knows no alarm of this name".to_owned();
                watched(Observed::Missing { why }, None, None, None)
            });
        }
        Ok(found)
    }

    async fn describe(
        &self,
        names: Option<Vec<String>>,
        prefix: Option<String>,
        now: Timestamp,
        found: &mut BTreeMap<AlarmName, WatchedState>,
    ) -> Result<(), AwsError> {
        const OPERATION: &str = "cloudwatch:DescribeAlarms";
        let subject = match (&names, &prefix) {
            (Some(names), _) => names.join(", "),
            (None, Some(prefix)) => format!("{prefix}*"),
            (None, None) => "all alarms".to_owned(),
        };
        // An empty prefix (a pattern that begins with `*`) is not a valid parameter: it means every alarm.
        let prefix = prefix.filter(|prefix| !prefix.is_empty());
        let mut next = None;
        loop {
            let page = DescribeAlarmsInput::builder()
                .set_alarm_names(names.clone())
                .set_alarm_name_prefix(prefix.clone())
                .alarm_types(AlarmType::MetricAlarm)
                .alarm_types(AlarmType::CompositeAlarm)
                .alarm_types(AlarmType::LogAlarm)
                .max_records(100)
                .set_next_token(next)
                .sent_by(&self.client)
                .await
                .map_err(|error| AwsError::from_sdk(OPERATION, &subject, &error))?;
            for alarm in page.metric_alarms() {
                let state = read(alarm.state_value(), alarm.evaluation_state(), now);
                let since = alarm.state_transitioned_timestamp().and_then(timestamp);
                let watched = watched(state, since, alarm.alarm_arn(), alarm.state_reason());
                remember(found, alarm.alarm_name(), watched);
            }
            for alarm in page.log_alarms() {
                let state = read(alarm.state_value(), alarm.evaluation_state(), now);
                let since = alarm.state_transitioned_timestamp().and_then(timestamp);
                let watched = watched(state, since, alarm.alarm_arn(), alarm.state_reason());
                remember(found, alarm.alarm_name(), watched);
            }
            for alarm in page.composite_alarms() {
                let state = read(alarm.state_value(), None, now);
                let since = alarm.state_transitioned_timestamp().and_then(timestamp);
                let mut watched = watched(state, since, alarm.alarm_arn(), alarm.state_reason());
                watched.suppressed = alarm.actions_suppressed_by().map(|by| by.as_str().to_owned());
                remember(found, alarm.alarm_name(), watched);
            }
            match page.next_token() {
                Some(token) if !token.is_empty() => next = Some(token.to_owned()),
                Some(_) | None => return Ok(()),
            }
        }
    }

    /// The mute rule that is active for an alarm, if one is. An event says so itself; a state that was read does not.
    ///
    /// # Errors
    /// When CloudWatch does not tell.
    pub async fn muted(&self, alarm: &AlarmName) -> Result<Option<String>, AwsError> {
        const OPERATION: &str = "cloudwatch:ListAlarmMuteRules";
        let output = ListAlarmMuteRulesInput::builder()
            .alarm_name(alarm.as_str())
            .statuses(AlarmMuteRuleStatus::Active)
            .sent_by(&self.client)
            .await
            .map_err(|error| AwsError::from_sdk(OPERATION, alarm, &error))?;
        let active = output
            .alarm_mute_rule_summaries()
            .iter()
            .find(|rule| rule.status() == Some(&AlarmMuteRuleStatus::Active));
        Ok(active.map(|rule| rule.alarm_mute_rule_arn().unwrap_or("a mute rule").to_owned()))
    }

    /// An alarm's changes of state up to `until`, newest first, back to and including the last one at or
    /// before `since`; all there are, if there is none so old. CloudWatch keeps them for 30 days.
    ///
    /// # Errors
    /// When CloudWatch does not tell, when a change cannot be read, or when there are more than 500.
    pub async fn transitions(
        &self,
        alarm: &AlarmName,
        since: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<Transition>, AwsError> {
        const OPERATION: &str = "cloudwatch:DescribeAlarmHistory";
        let mut transitions: Vec<Transition> = Vec::new();
        let mut next = None;
        for _ in 0..HISTORY_PAGES {
            let page = DescribeAlarmHistoryInput::builder()
                .alarm_name(alarm.as_str())
                .alarm_types(AlarmType::MetricAlarm)
                .alarm_types(AlarmType::CompositeAlarm)
                .alarm_types(AlarmType::LogAlarm)
                .history_item_type(HistoryItemType::StateUpdate)
                .end_date(date_time(until))
                .scan_by(ScanBy::TimestampDescending)
                .max_records(100)
                .set_next_token(next)
                .sent_by(&self.client)
                .await
                .map_err(|error| AwsError::from_sdk(OPERATION, alarm, &error))?;
            for item in page.alarm_history_items() {
                let transition = transition(item.timestamp(), item.history_data())
                    .map_err(|why| AwsError::unreadable(OPERATION, alarm, why))?;
                transitions.push(transition);
                if transition.at <= since {
                    return Ok(transitions);
                }
            }
            match page.next_token() {
                Some(token) if !token.is_empty() => next = Some(token.to_owned()),
                Some(_) | None => return Ok(transitions),
            }
        }
        Err(AwsError::unreadable(
            OPERATION,
            alarm,
            "its history is too long to be read to the release's start",
        ))
    }
}

/// The state that CloudWatch shows, unless it says that it could not evaluate the alarm: then what it shows is
/// an old state (CloudWatch User Guide, "Alarm evaluation").
fn read(
    state: Option<&StateValue>,
    evaluation: Option<&EvaluationState>,
    now: Timestamp,
) -> Observed<AlarmState> {
    if let Some(EvaluationState::EvaluationError | EvaluationState::EvaluationFailure) = evaluation {
        return Observed::Missing {
            why: "CloudWatch could not evaluate it, so the state it shows is an old one".to_owned(),
        };
    }
    let word = state.map_or("nothing", |state| state.as_str());
    match AlarmState::from_wire(word) {
        Some(value) => Observed::Known { value, at: now },
        None => Observed::Missing { why: format!("CloudWatch says its state is {word}") },
    }
}

fn watched(
    state: Observed<AlarmState>,
    since: Option<Timestamp>,
    arn: Option<&str>,
    said: Option<&str>,
) -> WatchedState {
    let said = said.unwrap_or_default().to_owned();
    WatchedState { state, since, arn: arn.map(AlarmArn::from), said, suppressed: None }
}

fn remember(found: &mut BTreeMap<AlarmName, WatchedState>, name: Option<&str>, watched: WatchedState) {
    if let Some(name) = name {
        found.insert(name.into(), watched);
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HistoryData {
    old_state: Option<HistoryState>,
    new_state: HistoryState,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HistoryState {
    state_value: String,
}

fn transition(at: Option<&aws_smithy_types::DateTime>, data: Option<&str>) -> Result<Transition, String> {
    let at = at.and_then(timestamp).ok_or("a change in its history has no time")?;
    let data: HistoryData = serde_json::from_str(data.unwrap_or("null"))
        .map_err(|error| format!("a change in its history cannot be read: {error}"))?;
    Ok(Transition {
        at,
        from: data.old_state.and_then(|state| AlarmState::from_wire(&state.state_value)),
        to: AlarmState::from_wire(&data.new_state.state_value),
    })
}
