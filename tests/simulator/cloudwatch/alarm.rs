//! Alarms as a script describes them.

use std::collections::BTreeMap;

/// An alarm's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlarmState {
    /// Within the threshold.
    Ok,
    /// Beyond it.
    Alarm,
    /// Unknown: neither good nor bad.
    InsufficientData,
}

impl AlarmState {
    /// CloudWatch's word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Alarm => "ALARM",
            Self::InsufficientData => "INSUFFICIENT_DATA",
        }
    }
}

/// What an alarm watches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AlarmMetric {
    /// The fraction of requests with a server error, 0 to 1: API Gateway's `5XXError`, whose Average is
    /// the error rate.
    ErrorRate,
    /// The 99th percentile of latency in milliseconds: API Gateway's `Latency`.
    LatencyP99,
    /// A metric of the script's own, fed by `Simulator::put_metric`.
    Custom(String),
}

/// What CloudWatch does about periods without data (`TreatMissingData`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TreatMissing {
    /// INSUFFICIENT_DATA when nothing is there. CloudWatch's default.
    Missing,
    /// Keep the state.
    Ignore,
    /// As if beyond the threshold.
    Breaching,
    /// As if within.
    NotBreaching,
}

impl TreatMissing {
    /// CloudWatch's word.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Ignore => "ignore",
            Self::Breaching => "breaching",
            Self::NotBreaching => "notBreaching",
        }
    }
}

/// `EvaluationState`: with the last two the shown state is stale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EvaluationState {
    /// PARTIAL_DATA.
    PartialData,
    /// EVALUATION_ERROR.
    EvaluationError,
    /// EVALUATION_FAILURE.
    EvaluationFailure,
}

impl EvaluationState {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::PartialData => "PARTIAL_DATA",
            Self::EvaluationError => "EVALUATION_ERROR",
            Self::EvaluationFailure => "EVALUATION_FAILURE",
        }
    }
}

/// A metric alarm on one series with a period of 60 seconds and GreaterThanThreshold.
#[derive(Debug, Clone)]
pub struct Alarm {
    /// The name.
    pub name: String,
    /// The description, which events carry as well.
    pub description: Option<String>,
    /// What it watches.
    pub metric: AlarmMetric,
    /// Whose metric: a deployment group's name.
    pub service: String,
    /// Beyond this.
    pub threshold: f64,
    /// N of "M of N".
    pub evaluation_periods: u32,
    /// M of "M of N".
    pub datapoints_to_alarm: u32,
    /// What periods without data mean.
    pub treat_missing: TreatMissing,
    /// Whether actions run. Events are sent either way.
    pub actions_enabled: bool,
    /// The state when the simulation begins. OK and ALARM are an hour old then; a new alarm begins with
    /// INSUFFICIENT_DATA.
    pub initial: AlarmState,
}

impl Alarm {
    /// One data point of one, missing data ignored, OK at the beginning.
    pub fn new(name: &str, metric: AlarmMetric, service: &str, threshold: f64) -> Self {
        Self {
            name: name.to_owned(),
            description: None,
            metric,
            service: service.to_owned(),
            threshold,
            evaluation_periods: 1,
            datapoints_to_alarm: 1,
            treat_missing: TreatMissing::Ignore,
            actions_enabled: true,
            initial: AlarmState::Ok,
        }
    }

    /// An alarm that only the script moves: its metric has no data and missing data is ignored, so no
    /// evaluation contradicts `Simulator::set_alarm_state`.
    pub fn scripted(name: &str) -> Self {
        Self::new(name, AlarmMetric::Custom(name.to_owned()), "script", 5.0)
    }

    /// Sets M of N.
    pub fn datapoints(mut self, to_alarm: u32, of: u32) -> Self {
        assert!(0 < to_alarm && to_alarm <= of, "{to_alarm} of {of} is never met");
        self.datapoints_to_alarm = to_alarm;
        self.evaluation_periods = of;
        self
    }

    /// Sets the description.
    pub fn described(mut self, text: &str) -> Self {
        self.description = Some(text.to_owned());
        self
    }

    /// Sets what missing data means.
    pub fn treat_missing(mut self, treat_missing: TreatMissing) -> Self {
        self.treat_missing = treat_missing;
        self
    }

    /// Sets the state at the beginning.
    pub fn initially(mut self, state: AlarmState) -> Self {
        self.initial = state;
        self
    }

    /// Namespace, name, statistic and dimensions, as CloudWatch shows them.
    pub(crate) fn series(&self) -> Series {
        let api = |name: &str, statistic: &str| Series {
            namespace: "AWS/ApiGateway".to_owned(),
            name: name.to_owned(),
            statistic: statistic.to_owned(),
            dimensions: BTreeMap::from([("ApiName".to_owned(), self.service.clone())]),
        };
        match &self.metric {
            AlarmMetric::ErrorRate => api("5XXError", "Average"),
            AlarmMetric::LatencyP99 => api("Latency", "p99"),
            AlarmMetric::Custom(name) => Series {
                namespace: "Custom".to_owned(),
                name: name.clone(),
                statistic: "Sum".to_owned(),
                dimensions: BTreeMap::from([("Service".to_owned(), self.service.clone())]),
            },
        }
    }
}

/// One series of data points.
#[derive(Debug, Clone)]
pub(crate) struct Series {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) statistic: String,
    pub(crate) dimensions: BTreeMap<String, String>,
}

/// A composite alarm: a rule over others.
#[derive(Debug, Clone)]
pub struct CompositeAlarm {
    /// The name.
    pub name: String,
    /// Such as `ALARM(orders-5xx) OR ALARM(orders-latency)`.
    pub rule: String,
    /// The description. Events do not carry a composite's.
    pub description: Option<String>,
    /// Whether actions run.
    pub actions_enabled: bool,
}

impl CompositeAlarm {
    /// A composite with actions.
    pub fn new(name: &str, rule: &str) -> Self {
        Self { name: name.to_owned(), rule: rule.to_owned(), description: None, actions_enabled: true }
    }
}

/// A mute rule's window (`muteDetail` of events).
#[derive(Debug, Clone)]
pub struct Mute {
    /// The mute rule's name.
    pub rule: String,
    /// When it begins.
    pub start: jiff::Timestamp,
    /// When it ends.
    pub end: jiff::Timestamp,
}

/// Why an alarm's actions are suppressed (`actionsSuppressedBy`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Suppression {
    /// Waiting for the suppressor alarm to fire.
    WaitPeriod,
    /// Holding on after it cleared.
    ExtensionPeriod,
    /// The suppressor alarm is firing.
    Alarm,
}

impl Suppression {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::WaitPeriod => "WaitPeriod",
            Self::ExtensionPeriod => "ExtensionPeriod",
            Self::Alarm => "Alarm",
        }
    }
}
