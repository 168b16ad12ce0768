//! CloudWatch's API: which operation, and the reading of alarms.

use serde_json::{Value, json};

use super::{Kind, Transition, Watch, arn};
use crate::refusal::{Answer, Refusal, only_modelled};
use crate::stamps::epoch_seconds;
use crate::wire::texts;
use crate::world::World;

impl World {
    /// Answers an operation; `None` when it is not modelled.
    pub(crate) fn cloud_watch(&mut self, operation: &str, input: &Value) -> Option<Answer> {
        Some(match operation {
            "DescribeAlarms" => self.describe_alarms(input),
            "ListAlarmMuteRules" => self.list_alarm_mute_rules(input),
            "GetMetricWidgetImage" => self.get_metric_widget_image(input),
            "DescribeAlarmHistory" => self.describe_alarm_history(input),
            _ => return None,
        })
    }

    /// Names (up to 100) or a prefix; metric alarms only unless AlarmTypes says otherwise; names that
    /// do not exist are silently absent.
    fn describe_alarms(&self, input: &Value) -> Answer {
        only_modelled(input, &["ChildrenOfAlarmName", "ParentsOfAlarmName", "ActionPrefix"])?;
        let names = texts(&input["AlarmNames"]);
        let prefix = input["AlarmNamePrefix"].as_str();
        if names.len() > 100 {
            return Err(invalid_value("AlarmNames has at most 100 members."));
        }
        if !names.is_empty() && prefix.is_some() {
            return Err(Refusal::new(
                "InvalidParameterCombination",
                "AlarmNames and AlarmNamePrefix cannot be used together.",
            ));
        }
        let types = types(input);
        let state = input["StateValue"].as_str();
        let matching: Vec<(&String, &Watch)> = self
            .cloud_watch
            .alarms
            .iter()
            .filter(|(name, watch)| {
                types.contains(&watch.kind.type_name())
                    && (names.is_empty() || names.contains(&name.as_str()))
                    && prefix.is_none_or(|prefix| name.starts_with(prefix))
                    && state.is_none_or(|state| watch.state.value.name() == state)
            })
            .collect();
        let (page, next) = page(&matching, input, 50)?;
        let shown = |kind: &str| -> Vec<Value> {
            page.iter()
                .filter(|(_, watch)| watch.kind.type_name() == kind)
                .map(|(name, watch)| watch.to_wire(name))
                .collect()
        };
        let mut answer = json!({
            "MetricAlarms": shown("MetricAlarm"),
            "CompositeAlarms": shown("CompositeAlarm"),
        });
        if let Some(token) = next {
            answer["NextToken"] = json!(token);
        }
        Ok(answer)
    }

    /// The mute rules of one alarm. Those that are over are kept, as EXPIRED.
    fn list_alarm_mute_rules(&self, input: &Value) -> Answer {
        only_modelled(input, &["MaxRecords", "NextToken"])?;
        let statuses = texts(&input["Statuses"]);
        let mute = input["AlarmName"]
            .as_str()
            .and_then(|name| self.cloud_watch.alarms.get(name))
            .and_then(|watch| watch.mute.as_ref());
        let rules: Vec<Value> = mute
            .map(|mute| {
                let status = if self.now < mute.start {
                    "SCHEDULED"
                } else if self.now < mute.end {
                    "ACTIVE"
                } else {
                    "EXPIRED"
                };
                (mute, status)
            })
            .filter(|(_, status)| statuses.is_empty() || statuses.contains(status))
            .map(|(mute, status)| {
                let arn = "arn:aws:cloudwatch:us-east-1:123456789012:alarm-mute-rule";
                json!({ "AlarmMuteRuleArn": format!("{arn}:{}", mute.rule), "Status": status })
            })
            .into_iter()
            .collect();
        Ok(json!({ "AlarmMuteRuleSummaries": rules }))
    }

    fn describe_alarm_history(&self, input: &Value) -> Answer {
        only_modelled(input, &["AlarmContributorId"])?;
        let name = input["AlarmName"].as_str();
        let types = types(input);
        // Other kinds of items exist; the simulator has none of them.
        let updates = input["HistoryItemType"].as_str().is_none_or(|kind| kind == "StateUpdate");
        let (start, end) = (input["StartDate"].as_f64(), input["EndDate"].as_f64());
        let mut items: Vec<(&String, &Watch, &Transition)> = self
            .cloud_watch
            .alarms
            .iter()
            .filter(|(alarm, watch)| {
                updates
                    && name.is_none_or(|name| name == alarm.as_str())
                    && types.contains(&watch.kind.type_name())
            })
            .flat_map(|(alarm, watch)| watch.history.iter().map(move |item| (alarm, watch, item)))
            .filter(|(_, _, item)| {
                let at = epoch_seconds(item.at);
                start.is_none_or(|start| at >= start) && end.is_none_or(|end| at <= end)
            })
            .collect();
        items.sort_by_key(|(_, _, item)| item.at);
        if input["ScanBy"].as_str() != Some("TimestampAscending") {
            items.reverse();
        }
        let (page, next) = page(&items, input, 100)?;
        let shown: Vec<Value> = page
            .iter()
            .map(|(alarm, watch, item)| {
                let (from, to) = (&item.from, &item.to);
                let data = json!({
                    "version": "1.0",
                    "oldState": { "stateValue": from.value.name(), "stateReason": from.reason },
                    "newState": { "stateValue": to.value.name(), "stateReason": to.reason },
                });
                json!({
                    "AlarmName": alarm,
                    "AlarmType": watch.kind.type_name(),
                    "Timestamp": epoch_seconds(item.at),
                    "HistoryItemType": "StateUpdate",
                    "HistorySummary": format!(
                        "Alarm updated from {} to {}", from.value.name(), to.value.name()
                    ),
                    "HistoryData": data.to_string(),
                })
            })
            .collect();
        let mut answer = json!({ "AlarmHistoryItems": shown });
        if let Some(token) = next {
            answer["NextToken"] = json!(token);
        }
        Ok(answer)
    }
}

/// One page and the token of the next.
fn page<'a, T>(all: &'a [T], input: &Value, default: u64) -> Result<(&'a [T], Option<String>), Refusal> {
    let size = input["MaxRecords"].as_u64().unwrap_or(default);
    if !(1..=100).contains(&size) {
        return Err(invalid_value("MaxRecords is between 1 and 100."));
    }
    let skip = match input["NextToken"].as_str() {
        None => 0,
        Some(token) => token
            .strip_prefix("after-")
            .and_then(|count| count.parse::<usize>().ok())
            .filter(|skip| *skip <= all.len())
            .ok_or_else(|| Refusal::new("InvalidNextToken", "The next token is invalid."))?,
    };
    let end = all.len().min(skip + size as usize);
    let next = (end < all.len()).then(|| format!("after-{end}"));
    Ok((&all[skip..end], next))
}

/// AlarmTypes; omitted means metric alarms only.
fn types(input: &Value) -> Vec<&str> {
    let asked = texts(&input["AlarmTypes"]);
    if asked.is_empty() { vec!["MetricAlarm"] } else { asked }
}

pub(super) fn invalid_value(why: &str) -> Refusal {
    Refusal::new("InvalidParameterValue", why)
}

impl Kind {
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Self::Metric(_) => "MetricAlarm",
            Self::Composite(..) => "CompositeAlarm",
        }
    }
}

impl Watch {
    fn to_wire(&self, name: &str) -> Value {
        let state = &self.state;
        let mut shown = json!({
            "AlarmName": name,
            "AlarmArn": arn(name),
            "AlarmConfigurationUpdatedTimestamp": epoch_seconds(self.created),
            "OKActions": [],
            "AlarmActions": [],
            "InsufficientDataActions": [],
            "StateValue": state.value.name(),
            "StateReason": state.reason,
            "StateUpdatedTimestamp": epoch_seconds(state.at),
            "StateTransitionedTimestamp": epoch_seconds(self.transitioned),
        });
        if let Some(data) = &state.reason_data {
            shown["StateReasonData"] = json!(data.to_string());
        }
        let description = match &self.kind {
            Kind::Metric(alarm) => {
                let series = alarm.series();
                shown["ActionsEnabled"] = json!(alarm.actions_enabled);
                shown["MetricName"] = json!(series.name);
                shown["Namespace"] = json!(series.namespace);
                let statistic =
                    if series.statistic.starts_with('p') { "ExtendedStatistic" } else { "Statistic" };
                shown[statistic] = json!(series.statistic);
                shown["Dimensions"] = series
                    .dimensions
                    .iter()
                    .map(|(name, value)| json!({ "Name": name, "Value": value }))
                    .collect();
                shown["Period"] = json!(60);
                shown["EvaluationPeriods"] = json!(alarm.evaluation_periods);
                shown["DatapointsToAlarm"] = json!(alarm.datapoints_to_alarm);
                shown["Threshold"] = json!(alarm.threshold);
                shown["ComparisonOperator"] = json!("GreaterThanThreshold");
                shown["TreatMissingData"] = json!(alarm.treat_missing.name());
                &alarm.description
            }
            Kind::Composite(alarm, _) => {
                shown["ActionsEnabled"] = json!(alarm.actions_enabled);
                shown["AlarmRule"] = json!(alarm.rule);
                if let Some(suppression) = state.suppression {
                    shown["ActionsSuppressedBy"] = json!(suppression.name());
                }
                &alarm.description
            }
        };
        if let Some(text) = description {
            shown["AlarmDescription"] = json!(text);
        }
        if let Some(evaluation) = self.evaluation_state {
            shown["EvaluationState"] = json!(evaluation.name());
        }
        shown
    }
}
