//! A rehearsal: a scripted release, what happens to it minute by minute, and what must come of it.
//!
//! The scripts are YAML files that anybody can write; this is their format. Strict, like the policy: an
//! unknown word is an error with its line, never ignored.

mod breaks;
mod expect;
mod measures;
mod people;
mod stacks;

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Deserializer, de::Error as _};

pub use self::{
    breaks::{
        ActionScript, BreaksScript, BrokenStackScript, BuildScript, CommitScript, ContainerScript,
        DeploymentScript, FailedFunctionScript, LifecycleScript, LifecycleStatus, LineScript, RepeatedScript,
        StoppedScript, TargetScript, TargetsScript, TasksScript,
    },
    expect::{Expect, Whispered},
    measures::{Share, Span},
    people::{ConsoleScript, LooksScript, PressScript, TypesScript},
    stacks::{DriftKind, DriftScript, MendScript, StackFailsScript, StackScript},
};

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
    /// In which account it all happens, twelve digits; without it, in the one in which Belay runs. Its services have an
    /// `account_role` there.
    pub account: Option<String>,
    /// How long it is played.
    pub lasts: Span,
    /// What is deployed, and how.
    pub service: Deployed,
    /// The alarms, by name.
    pub alarms: BTreeMap<String, AlarmScript>,
    /// Health endpoints, by host name as the policy's checks name them.
    #[serde(default)]
    pub endpoints: BTreeMap<String, EndpointScript>,
    /// Functions that the policy's checks ask, by name.
    #[serde(default)]
    pub functions: BTreeMap<String, FunctionScript>,
    /// CloudFormation's stacks.
    #[serde(default)]
    pub stacks: Vec<StackScript>,
    /// What happens.
    pub script: Vec<Event>,
    /// Whether the secret has the address of a Teams workflow as well; only under a policy that talks to Slack.
    #[serde(default)]
    pub teams: bool,
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
    /// Its deployment group; where a pipeline deploys without CodeDeploy, a name for its users.
    pub group: String,
    /// The pipeline that releases it; without one, CodeDeploy is called directly.
    pub pipeline: Option<PipelineScript>,
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

/// A pipeline of type V2.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PipelineScript {
    /// Its name.
    pub name: String,
    /// How executions share it.
    #[serde(default)]
    pub mode: ModeWord,
    /// Its stages, in order; each has one action of the same name.
    pub stages: Vec<StageScript>,
}

/// How the executions of a pipeline share it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ModeWord {
    /// A newer execution overtakes one that waits before a stage.
    #[default]
    Superseded,
    /// One after the other.
    Queued,
    /// All at once.
    Parallel,
}

/// A stage of a pipeline.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StageScript {
    /// Its name.
    pub name: String,
    /// What its action does.
    pub does: StageWork,
    /// How long it takes; where CodeDeploy deploys, the service's `shifting` says that.
    #[serde(default)]
    pub takes: Span,
    /// Its action's configuration; `{revision}` and `{commit}` in it stand for what an execution brings.
    #[serde(default)]
    pub configuration: BTreeMap<String, String>,
    /// What its action finds out for later ones, written in the same way.
    #[serde(default)]
    pub finds: BTreeMap<String, String>,
    /// Whether an approval tells Belay's topic for approvals that it waits.
    #[serde(default)]
    pub notifies: bool,
}

/// What a stage's action does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StageWork {
    /// Fetches the revision.
    Source,
    /// Fetches the revision from GitHub, through a connection.
    Connection,
    /// Builds.
    Build,
    /// Gives the service's users the new revision, without CodeDeploy.
    Deploy,
    /// Deploys with CodeDeploy to the service's group.
    CodeDeploy,
    /// Waits for a person's approval, for seven days at most.
    Approval,
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
    /// It is a composite with this rule over alarms that are listed before it by name, such as `ALARM(orders-5xx)`.
    pub composite: Option<String>,
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

/// What a function answers that a `lambda` check asks.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FunctionScript {
    /// Whether the release passes.
    pub pass: bool,
    /// Why, as the function says it.
    pub why: String,
}

/// Something that happens.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// When, from the beginning.
    pub at: Span,
    /// A release begins.
    pub release: Option<ReleaseScript>,
    /// A running revision changes its behaviour: by its name.
    pub behaves: Option<RevisionScript>,
    /// An alarm changes its state.
    pub alarm: Option<AlarmMove>,
    /// An alarm is muted.
    pub mute: Option<MuteScript>,
    /// A composite's suppressor goes off: its actions are held back from now on.
    pub suppress: Option<String>,
    /// An operation of AWS's, or all of Slack, fails for a while.
    pub outage: Option<OutageScript>,
    /// Something is done to the pipeline.
    pub pipeline: Option<PipelineChange>,
    /// The action of a stage fails for a reason, the next time it runs.
    pub breaks: Option<BreaksScript>,
    /// Somebody presses a button on the service's newest card. What is pressed at the same time is pressed at once, on
    /// the card as it was before.
    pub press: Option<PressScript>,
    /// Somebody types a command into the service's channel.
    pub types: Option<TypesScript>,
    /// Somebody approves what waits in the pipeline, in CodePipeline's console.
    pub approves_in_console: Option<ConsoleScript>,
    /// Somebody rejects it there.
    pub rejects_in_console: Option<ConsoleScript>,
    /// The daily schedule of stack-drift rings.
    #[serde(default)]
    pub drift_is_detected: bool,
    /// Somebody changes a resource behind CloudFormation's back.
    pub drifts: Option<DriftScript>,
    /// Somebody sets it right again.
    pub mends: Option<MendScript>,
    /// An update of a stack fails.
    pub stack_fails: Option<StackFailsScript>,
    /// Somebody looks at Belay's widget on a CloudWatch dashboard.
    pub looks: Option<LooksScript>,
}

/// A release.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReleaseScript {
    /// What people call its revision.
    pub revision: String,
    /// The share of its requests that fail.
    #[serde(default)]
    pub errors: Share,
    /// Its 99th percentile latency.
    pub p99: Span,
    /// The deployment's description.
    pub description: Option<String>,
    /// What is said about the commit, where a pipeline releases it.
    pub commit: Option<CommitScript>,
}

impl ReleaseScript {
    /// How its revision behaves.
    pub fn behaviour(&self) -> RevisionScript {
        RevisionScript { revision: self.revision.clone(), errors: self.errors, p99: self.p99 }
    }
}

/// A mute rule's window, which begins at once.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MuteScript {
    /// Which alarm.
    pub alarm: String,
    /// Until when, from the beginning.
    pub until: Span,
}

/// An operation that is answered with HTTP 500, or Slack, of which every call is answered with HTTP 503.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutageScript {
    /// Which, in the API's word; `Slack` for all of Slack.
    pub of: String,
    /// For how long.
    pub lasts: Span,
}

impl OutageScript {
    /// Whether all of Slack is down.
    pub fn is_of_slack(&self) -> bool {
        self.of == "Slack"
    }
}

/// What may be done to a pipeline.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PipelineChange {
    /// Somebody changes its structure: what succeeded before did so in another version.
    Restructured,
    /// What runs in this stage fails from now on.
    Fails(String),
    /// It succeeds again.
    Recovers(String),
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
    /// The share that never arrives. CodeDeploy's calls of its hooks are no events.
    pub lost: Share,
    /// The seed of what is drawn.
    pub seed: u64,
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
