//! A rehearsal: a scripted release, what happens to it minute by minute, and what must come of it.
//!
//! The scripts are YAML files that anybody can write; this is their format. Strict, like the policy: an
//! unknown word is an error with its line, never ignored.

use std::{collections::BTreeMap, str::FromStr, time::Duration};

use serde::{Deserialize, Deserializer, de::Error as _};

/// One scripted release.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rehearsal {
    /// What it shows, in one line.
    pub title: String,
    /// What happens, for people.
    pub story: String,
    /// The policy it is played under, as text; without it, the example policy.
    pub policy: Option<String>,
    /// How long it is played.
    pub lasts: Span,
    /// What is deployed, and how.
    pub service: Deployed,
    /// The alarms, by name.
    pub alarms: BTreeMap<String, AlarmScript>,
    /// Health endpoints, by host name as the policy's checks name them.
    #[serde(default)]
    pub endpoints: BTreeMap<String, EndpointScript>,
    /// What happens.
    pub script: Vec<Event>,
    /// How the events reach Belay.
    #[serde(default)]
    pub delivery: Delivery,
    /// What must come of it.
    pub expect: Expect,
}

/// What is deployed.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deployed {
    /// CodeDeploy's application.
    pub application: String,
    /// Its deployment group.
    pub group: String,
    /// Onto what.
    pub platform: PlatformWord,
    /// How the traffic shifts.
    pub shifting: Shifting,
    /// Requests a minute.
    pub requests_per_minute: u64,
    /// A request slower than this counts as gone wrong for its user.
    pub slow_after: Span,
    /// What runs before; without it, nothing was ever deployed.
    pub baseline: Option<RevisionScript>,
    /// Lifecycle events at which CodeDeploy calls Belay's hook.
    #[serde(default)]
    pub hooks: Vec<String>,
    /// Alarms of the deployment group itself, on which CodeDeploy stops by its own.
    #[serde(default)]
    pub own_alarms: Vec<String>,
    /// When CodeDeploy rolls back by its own.
    #[serde(default)]
    pub auto_rollback: Vec<AutoRollback>,
}

/// A compute platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PlatformWord {
    /// A Lambda alias.
    Lambda,
    /// An ECS service.
    Ecs,
    /// EC2 instances.
    Ec2,
}

/// When CodeDeploy rolls back by its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AutoRollback {
    /// When the deployment fails.
    Failure,
    /// When an alarm of the group stops it.
    Alarm,
    /// When somebody asks it to stop.
    Request,
}

/// How the traffic shifts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shifting {
    /// A share first, the rest after a while: `canary 10% 5m`.
    Canary(u8, Duration),
    /// A share at every step: `linear 10% 1m`.
    Linear(u8, Duration),
    /// Everything at once: `all at once`.
    AllAtOnce,
}

impl<'de> Deserialize<'de> for Shifting {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let words: Vec<&str> = text.split_whitespace().collect();
        let parts = match words[..] {
            ["all", "at", "once"] => return Ok(Self::AllAtOnce),
            [kind @ ("canary" | "linear"), percent, every] => percent
                .strip_suffix('%')
                .and_then(|percent| percent.parse().ok())
                .zip(humantime::parse_duration(every).ok())
                .map(|(percent, every)| (kind, percent, every)),
            _ => None,
        };
        match parts {
            Some(("canary", percent, every)) => Ok(Self::Canary(percent, every)),
            Some((_, percent, every)) => Ok(Self::Linear(percent, every)),
            None => Err(D::Error::custom(format!(
                "found `{text}`, expected `canary 10% 5m`, `linear 10% 1m` or `all at once`"
            ))),
        }
    }
}

/// How a revision behaves.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevisionScript {
    /// What people call it.
    pub revision: String,
    /// The share of its requests that fail.
    #[serde(default)]
    pub errors: Share,
    /// Its 99th percentile latency.
    pub p99: Span,
}

/// An alarm on the service's error rate or latency, or one that only the script moves.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlarmScript {
    /// It goes off above this share of failed requests.
    pub errors_above: Option<Share>,
    /// It goes off above this latency.
    pub p99_above: Option<Span>,
    /// So many bad minutes …
    #[serde(default = "one")]
    pub bad: u32,
    /// … of so many.
    #[serde(default = "one")]
    pub of: u32,
    /// In ALARM when the rehearsal begins.
    #[serde(default)]
    pub red: bool,
}

fn one() -> u32 {
    1
}

/// What a health endpoint does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndpointScript {
    /// Answers 200.
    Well,
    /// Answers 503.
    Failing,
    /// Never answers.
    Hangs,
}

/// Something that happens.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// When, from the beginning.
    pub at: Span,
    /// A release begins.
    pub release: Option<RevisionScript>,
    /// A running revision changes its behaviour: by its name.
    pub behaves: Option<RevisionScript>,
    /// An alarm changes its state.
    pub alarm: Option<AlarmMove>,
}

/// An alarm's state, set by the script.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlarmMove {
    /// Which.
    pub name: String,
    /// Into which state, in CloudWatch's word.
    pub to: String,
}

/// How events reach Belay. The default is once each, in order, at once.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Delivery {
    /// So many times more than once.
    pub duplicates: u32,
    /// Up to so much later.
    pub late_by: Span,
    /// Out of order.
    pub shuffled: bool,
    /// The seed of what is drawn.
    pub seed: u64,
}

/// What must come of a rehearsal.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// Which revision gets all the traffic in the end.
    pub serves: String,
    /// How many undos Belay asks for: calls of StopDeployment.
    pub undos: usize,
    /// How the first release ends, in CodeDeploy's word: Succeeded, Stopped, Failed, InProgress.
    pub release: String,
    /// Verdicts that must have been reached, in any order, by anybody.
    #[serde(default)]
    pub verdicts: Vec<String>,
    /// Sentences of which each must be in some message.
    #[serde(default)]
    pub told: Vec<String>,
    /// Sentences that no message may have.
    #[serde(default)]
    pub not_told: Vec<String>,
    /// How many messages there are.
    pub messages: Option<usize>,
    /// At most this long from the alarm to the undo.
    pub undone_within: Option<Span>,
}

/// A duration with its unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Duration);

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        humantime::parse_duration(&text).map(Self).map_err(|error| {
            D::Error::custom(format!("found `{text}`, expected a duration such as 90s: {error}"))
        })
    }
}

/// A share of all, between 0 and 1; written as a percentage.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Share(pub f64);

impl<'de> Deserialize<'de> for Share {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.strip_suffix('%')
            .and_then(|percent| f64::from_str(percent.trim()).ok())
            .filter(|percent| (0.0..=100.0).contains(percent))
            .map(|percent| Self(percent / 100.0))
            .ok_or_else(|| D::Error::custom(format!("found `{text}`, expected a percentage such as 1.5%")))
    }
}

impl Rehearsal {
    /// Reads a rehearsal.
    ///
    /// # Errors
    /// The first mistake, with its line.
    pub fn parse(text: &str) -> Result<Self, String> {
        serde_saphyr::from_str(text).map_err(|error| error.to_string())
    }
}
