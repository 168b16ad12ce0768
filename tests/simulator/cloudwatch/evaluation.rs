//! How alarms change.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::alarm::{Alarm, AlarmMetric, AlarmState, CompositeAlarm, TreatMissing};
use super::rule::Rule;
use super::{Kind, Stated, Transition, Watch, arn};
use crate::stamps::{self, in_reason, minute_of, start_of_minute, without_colon};
use crate::timeline::What;
use crate::world::World;

/// CloudWatch evaluates every minute; the data point of 14:04 was judged at 14:05:40 in the sample of
/// the User Guide's "Alarm events and EventBridge".
pub(crate) const EVALUATED_AT_SECOND: i64 = 40;

impl World {
    /// Adds a metric alarm.
    pub(crate) fn create_alarm(&mut self, alarm: Alarm) {
        let created = self.now - stamps::minutes(60);
        let state = match alarm.initial {
            AlarmState::InsufficientData => Stated {
                value: AlarmState::InsufficientData,
                reason: "Unchecked: Initial alarm creation".to_owned(),
                reason_data: None,
                at: created,
                suppression: None,
            },
            AlarmState::Ok | AlarmState::Alarm => {
                let value = match alarm.initial {
                    AlarmState::Alarm => alarm.threshold * 2.0 + 1.0,
                    AlarmState::Ok | AlarmState::InsufficientData => 0.0,
                };
                let points = [(minute_of(created) - 1, Some(value))];
                judged(&alarm, alarm.initial, &points, created)
            }
        };
        let name = alarm.name.clone();
        self.add_alarm(&name, Kind::Metric(alarm), state, created);
    }

    /// Adds a composite alarm; its children exist already.
    pub(crate) fn create_composite(&mut self, alarm: CompositeAlarm) {
        let rule =
            Rule::parse(&alarm.rule).unwrap_or_else(|why| panic!("the rule of {:?}: {why}", alarm.name));
        let created = self.now - stamps::minutes(60);
        let value = self.rule_value(&rule);
        let name = alarm.name.clone();
        let state = Stated {
            value,
            reason: format!("{} was created and its alarm rule evaluates to {}", arn(&name), value.name()),
            reason_data: Some(self.triggering(&rule.children())),
            at: created,
            suppression: None,
        };
        self.add_alarm(&name, Kind::Composite(alarm, rule), state, created);
    }

    fn add_alarm(&mut self, name: &str, kind: Kind, state: Stated, created: Timestamp) {
        let watch = Watch {
            kind,
            transitioned: state.at,
            state,
            created,
            evaluation_state: None,
            mute: None,
            suppression: None,
            history: Vec::new(),
            metric_id: self.chance.uuid(),
        };
        let before = self.cloud_watch.alarms.insert(name.to_owned(), watch);
        assert!(before.is_none(), "two alarms are called {name:?}");
    }

    /// States that a script asked for by now.
    pub(crate) fn apply_scripted_states(&mut self) {
        let (due, later) = std::mem::take(&mut self.cloud_watch.scripted)
            .into_iter()
            .partition(|(at, _, _)| *at <= self.now);
        self.cloud_watch.scripted = later;
        let mut due: Vec<(Timestamp, String, AlarmState)> = due;
        due.sort_by_key(|(at, _, _)| *at);
        for (at, name, value) in due {
            self.set_alarm_state(&name, value, at);
        }
    }

    /// What SetAlarmState does: the state stands until the next evaluation contradicts it.
    pub(crate) fn set_alarm_state(&mut self, name: &str, value: AlarmState, at: Timestamp) {
        let watch = self.cloud_watch.watch(name);
        let state = match &watch.kind {
            Kind::Metric(alarm) => {
                let shown = match value {
                    AlarmState::Ok => Some(0.0),
                    AlarmState::Alarm => Some(alarm.threshold * 2.0 + 1.0),
                    AlarmState::InsufficientData => None,
                };
                judged(alarm, value, &[(minute_of(at) - 1, shown)], at)
            }
            Kind::Composite(_, rule) => Stated {
                value,
                reason: format!("{} was set to {}", arn(name), value.name()),
                reason_data: Some(self.triggering(&rule.children())),
                at,
                suppression: None,
            },
        };
        self.state_alarm(name, state);
    }

    /// Evaluates every metric alarm on the minutes that are complete.
    pub(crate) fn evaluate_alarms(&mut self) {
        let last_complete = minute_of(self.now) - 1;
        let names: Vec<String> = self.cloud_watch.alarms.keys().cloned().collect();
        for name in names {
            let watch = self.cloud_watch.watch(&name);
            let Kind::Metric(alarm) = &watch.kind else {
                continue;
            };
            let periods = i64::from(alarm.evaluation_periods);
            // Newest first, as CloudWatch lists them in a reason.
            let points: Vec<(i64, Option<f64>)> = (0..periods)
                .map(|back| last_complete - back)
                .map(|minute| (minute, self.data_point(alarm, minute)))
                .collect();
            if let Some(value) = verdict(alarm, &points)
                && value != watch.state.value
            {
                let state = judged(alarm, value, &points, self.now);
                self.state_alarm(&name, state);
            }
        }
    }

    fn data_point(&self, alarm: &Alarm, minute: i64) -> Option<f64> {
        match &alarm.metric {
            AlarmMetric::Custom(name) => self.cloud_watch.custom.get(name)?.get(&minute).copied(),
            AlarmMetric::ErrorRate => Some(self.measured(&alarm.service, minute)?.error_rate()),
            AlarmMetric::LatencyP99 => Some(self.measured(&alarm.service, minute)?.latency_p99_ms()),
        }
    }

    fn measured(&self, group: &str, minute: i64) -> Option<&crate::traffic::Minute> {
        self.traffic.get(group)?.minutes.get(&minute)
    }

    /// Writes a state down; a change of value goes into the history and out as an event, and
    /// composites look again.
    fn state_alarm(&mut self, name: &str, mut state: Stated) {
        let watch = self.cloud_watch.alarms.get_mut(name).expect("an alarm that was just read");
        state.suppression = watch.suppression;
        let before = std::mem::replace(&mut watch.state, state.clone());
        if before.value == state.value {
            return;
        }
        watch.transitioned = state.at;
        watch.history.push(Transition { at: state.at, from: before.clone(), to: state.clone() });
        self.happened_at(
            state.at,
            What::Alarm {
                name: name.to_owned(),
                from: before.value,
                to: state.value,
                reason: state.reason.clone(),
            },
        );
        self.emit_alarm_event(name, &before, &state);
        self.look_at_composites(name, state.value, state.at);
    }

    fn look_at_composites(&mut self, child: &str, child_value: AlarmState, at: Timestamp) {
        let parents: Vec<(String, AlarmState)> = self
            .cloud_watch
            .alarms
            .iter()
            .filter_map(|(name, watch)| match &watch.kind {
                Kind::Composite(_, rule) if rule.children().contains(&child) => {
                    let value = self.rule_value(rule);
                    (value != watch.state.value).then(|| (name.clone(), value))
                }
                Kind::Composite(..) | Kind::Metric(_) => None,
            })
            .collect();
        for (name, value) in parents {
            let state = Stated {
                value,
                reason: format!(
                    "{} transitioned to {} at {}",
                    arn(child),
                    child_value.name(),
                    stamps::in_words(at)
                ),
                reason_data: Some(self.triggering(&[child])),
                at,
                suppression: None,
            };
            self.state_alarm(&name, state);
        }
    }

    fn rule_value(&self, rule: &Rule) -> AlarmState {
        let state_of = |name: &str| self.cloud_watch.alarms.get(name).map(|watch| watch.state.value);
        if rule.holds(&state_of) { AlarmState::Alarm } else { AlarmState::Ok }
    }

    fn triggering(&self, children: &[&str]) -> Value {
        let alarms: Vec<Value> = children
            .iter()
            .filter_map(|name| Some((name, self.cloud_watch.alarms.get(*name)?)))
            .map(|(name, watch)| {
                json!({
                    "arn": arn(name),
                    "state": {
                        "value": watch.state.value.name(),
                        "timestamp": without_colon(watch.state.at),
                    },
                })
            })
            .collect();
        json!({ "triggeringAlarms": alarms })
    }
}

/// M of N with the missing points treated as asked; `None` keeps the state.
fn verdict(alarm: &Alarm, points: &[(i64, Option<f64>)]) -> Option<AlarmState> {
    let breaches = |value: &f64| *value > alarm.threshold;
    let known: Vec<f64> = points.iter().filter_map(|(_, value)| *value).collect();
    let mut breaching = known.iter().filter(|value| breaches(value)).count();
    match alarm.treat_missing {
        TreatMissing::Missing if known.is_empty() => return Some(AlarmState::InsufficientData),
        TreatMissing::Ignore if known.is_empty() => return None,
        TreatMissing::Breaching => breaching += points.len() - known.len(),
        TreatMissing::Missing | TreatMissing::Ignore | TreatMissing::NotBreaching => {}
    }
    Some(if breaching >= alarm.datapoints_to_alarm as usize { AlarmState::Alarm } else { AlarmState::Ok })
}

/// The state with reason and reasonData, worded as in the sample events.
fn judged(alarm: &Alarm, value: AlarmState, points: &[(i64, Option<f64>)], at: Timestamp) -> Stated {
    let series = alarm.series();
    let known: Vec<(i64, f64)> =
        points.iter().filter_map(|(minute, value)| Some((*minute, (*value)?))).collect();
    let mut data = json!({
        "version": "1.0",
        "queryDate": without_colon(at),
        "statistic": series.statistic,
        "period": 60,
        // Oldest first here, newest first in the sentence.
        "recentDatapoints": known.iter().rev().map(|(_, value)| *value).collect::<Vec<f64>>(),
        "threshold": alarm.threshold,
    });
    if let Some((oldest, _)) = known.last() {
        data["startDate"] = json!(without_colon(start_of_minute(*oldest)));
    }
    let evaluated: Vec<Value> = points
        .iter()
        .map(|(minute, value)| {
            let mut point = json!({ "timestamp": without_colon(start_of_minute(*minute)) });
            if let Some(value) = value {
                point["sampleCount"] = json!(1.0);
                point["value"] = json!(value);
            }
            point
        })
        .collect();
    let count = |matching: usize, verb: &str, moved: &str, needed: u32| {
        let shown: Vec<String> = known
            .iter()
            .map(|(minute, value)| format!("{value:?} ({})", in_reason(start_of_minute(*minute))))
            .collect();
        let number = if matching == 1 { "was" } else { "were" };
        let plural = if needed == 1 { "" } else { "s" };
        format!(
            "Threshold Crossed: {matching} out of the last {} datapoints [{}] {number} {verb}greater than the threshold ({:?}) (minimum {needed} datapoint{plural} for {moved} transition).",
            points.len(),
            shown.join(", "),
            alarm.threshold,
        )
    };
    let breaching = known.iter().filter(|(_, value)| *value > alarm.threshold).count();
    let reason = match value {
        AlarmState::Alarm => {
            data["evaluatedDatapoints"] = json!(evaluated);
            count(breaching, "", "OK -> ALARM", alarm.datapoints_to_alarm)
        }
        AlarmState::Ok => count(
            known.len() - breaching,
            "not ",
            "ALARM -> OK",
            alarm.evaluation_periods - alarm.datapoints_to_alarm + 1,
        ),
        AlarmState::InsufficientData => {
            data["evaluatedDatapoints"] = json!(evaluated);
            let unknown = points.len() - known.len();
            let (plural, verb) = if unknown == 1 { ("", "was") } else { ("s", "were") };
            format!("Insufficient Data: {unknown} datapoint{plural} {verb} unknown.")
        }
    };
    Stated { value, reason, reason_data: Some(data), at, suppression: None }
}
