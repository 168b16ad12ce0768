//! Amazon CloudWatch: alarms, their states and their history.
//!
//! `evaluation` moves states, `announcement` writes the events, `operations` answers the API.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

pub(crate) mod alarm;
mod announcement;
mod evaluation;
mod operations;
mod rule;
mod widget;

pub use alarm::AlarmState;
use alarm::{Alarm, CompositeAlarm, EvaluationState, Mute, Suppression};
pub(crate) use evaluation::EVALUATED_AT_SECOND;
use rule::Rule;

/// What an alarm is made of.
#[derive(Debug)]
pub(crate) enum Kind {
    Metric(Alarm),
    Composite(CompositeAlarm, Rule),
}

/// A state with everything that CloudWatch says about it.
#[derive(Debug, Clone)]
pub(crate) struct Stated {
    pub(crate) value: AlarmState,
    pub(crate) reason: String,
    /// A JSON object that goes out as text; absent where CloudWatch gives none.
    pub(crate) reason_data: Option<Value>,
    pub(crate) at: Timestamp,
    pub(crate) suppression: Option<Suppression>,
}

/// A change of state in the history.
#[derive(Debug, Clone)]
pub(crate) struct Transition {
    pub(crate) at: Timestamp,
    pub(crate) from: Stated,
    pub(crate) to: Stated,
}

/// An alarm in the simulator's state.
#[derive(Debug)]
pub(crate) struct Watch {
    pub(crate) kind: Kind,
    pub(crate) state: Stated,
    /// When the value last changed: `StateTransitionedTimestamp`.
    pub(crate) transitioned: Timestamp,
    pub(crate) created: Timestamp,
    pub(crate) evaluation_state: Option<EvaluationState>,
    pub(crate) mute: Option<Mute>,
    pub(crate) suppression: Option<Suppression>,
    /// Oldest first.
    pub(crate) history: Vec<Transition>,
    /// The id of the metric in events.
    pub(crate) metric_id: String,
}

/// The state of the service.
#[derive(Debug, Default)]
pub(crate) struct CloudWatch {
    pub(crate) alarms: BTreeMap<String, Watch>,
    /// Custom metric → minute since 1970 → sum.
    pub(crate) custom: BTreeMap<String, BTreeMap<i64, f64>>,
    /// States that a script sets later.
    pub(crate) scripted: Vec<(Timestamp, String, AlarmState)>,
    /// The widgets of which images were drawn, oldest first.
    pub(crate) widgets: Vec<Value>,
}

impl CloudWatch {
    pub(crate) fn watch(&self, name: &str) -> &Watch {
        self.alarms.get(name).unwrap_or_else(|| panic!("no alarm {name:?} was created"))
    }

    pub(crate) fn is_in_alarm(&self, name: &str) -> bool {
        self.alarms.get(name).is_some_and(|watch| watch.state.value == AlarmState::Alarm)
    }
}

/// An alarm's ARN.
pub(crate) fn arn(name: &str) -> String {
    format!("arn:aws:cloudwatch:us-east-1:123456789012:alarm:{name}")
}
