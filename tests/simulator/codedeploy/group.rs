//! Deployment groups: what is deployed where, how, and who may stop it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::shifting::Shifting;

/// Where the group's revisions run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Platform {
    /// A Lambda alias with weights.
    Lambda,
    /// An ECS service, blue/green.
    Ecs,
    /// EC2 instances, in place.
    Server,
}

impl Platform {
    /// The API's word.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Lambda => "Lambda",
            Self::Ecs => "ECS",
            Self::Server => "Server",
        }
    }
}

/// The alarms on which CodeDeploy itself stops a deployment (`alarmConfiguration`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GroupAlarms {
    /// Whether they count at all.
    pub enabled: bool,
    /// Their names.
    pub names: Vec<String>,
    /// Carry on when an alarm's state cannot be read.
    pub ignore_poll_failure: bool,
}

impl GroupAlarms {
    pub(crate) fn to_wire(&self) -> Value {
        let alarms: Vec<Value> = self.names.iter().map(|name| json!({ "name": name })).collect();
        json!({
            "enabled": self.enabled,
            "ignorePollAlarmFailure": self.ignore_poll_failure,
            "alarms": alarms,
        })
    }
}

/// When CodeDeploy rolls back by itself (`autoRollbackConfiguration`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AutoRollback {
    /// Whether the events count.
    pub enabled: bool,
    /// DEPLOYMENT_FAILURE, DEPLOYMENT_STOP_ON_ALARM, DEPLOYMENT_STOP_ON_REQUEST.
    pub events: Vec<String>,
}

impl AutoRollback {
    /// Enabled for these events.
    pub fn on(events: &[&str]) -> Self {
        Self { enabled: true, events: events.iter().map(|event| (*event).to_owned()).collect() }
    }

    pub(crate) fn covers(&self, event: &str) -> bool {
        self.enabled && self.events.iter().any(|enabled| enabled == event)
    }

    pub(crate) fn to_wire(&self) -> Value {
        json!({ "enabled": self.enabled, "events": self.events })
    }
}

/// A deployment group as a script describes it. The constructors give the plainest group of each
/// platform: no alarms, no hooks, no automatic rollback, revision `v1` deployed and live.
#[derive(Debug, Clone)]
pub struct Group {
    /// The CodeDeploy application; also the function's or service's name.
    pub application: String,
    /// The group. Unique in the whole simulator, which addresses groups by name alone.
    pub name: String,
    /// Where it runs.
    pub platform: Platform,
    /// How traffic moves.
    pub shifting: Shifting,
    /// CodeDeploy's own alarms.
    pub alarms: GroupAlarms,
    /// CodeDeploy's own rollbacks.
    pub auto_rollback: AutoRollback,
    /// Lifecycle event → the function it calls.
    pub hooks: BTreeMap<String, String>,
    /// ECS: minutes until the original task set is terminated.
    pub termination_wait_minutes: u32,
    /// ECS: whether there is a test listener, and with it two more lifecycle events.
    pub test_listener: bool,
    /// The last successful deployment's revision, such as `v41`; `None`: nothing was deployed here by
    /// CodeDeploy yet, so there is nothing to roll back to.
    pub baseline: Option<String>,
    /// ECS: cluster and service; without them, the cluster is `release`, the service named like the application.
    pub service: Option<(String, String)>,
}

impl Group {
    fn new(application: &str, name: &str, platform: Platform) -> Self {
        Self {
            application: application.to_owned(),
            name: name.to_owned(),
            platform,
            shifting: Shifting::AllAtOnce,
            alarms: GroupAlarms::default(),
            auto_rollback: AutoRollback::default(),
            hooks: BTreeMap::new(),
            termination_wait_minutes: 0,
            test_listener: false,
            baseline: Some("v1".to_owned()),
            service: None,
        }
    }

    /// A Lambda alias `live` of the function named like the application.
    pub fn lambda(application: &str, name: &str) -> Self {
        Self::new(application, name, Platform::Lambda)
    }

    /// An ECS service named like the application, in the cluster `release`.
    pub fn ecs(application: &str, name: &str) -> Self {
        Self::new(application, name, Platform::Ecs)
    }

    /// One EC2 instance, deployed in place.
    pub fn server(application: &str, name: &str) -> Self {
        Self::new(application, name, Platform::Server)
    }

    /// Sets how traffic moves.
    pub fn shifting(mut self, shifting: Shifting) -> Self {
        self.shifting = shifting;
        self
    }

    /// Lets CodeDeploy stop on these alarms.
    pub fn alarms(mut self, names: &[&str]) -> Self {
        self.alarms.enabled = true;
        self.alarms.names = names.iter().map(|name| (*name).to_owned()).collect();
        self
    }

    /// Lets CodeDeploy roll back on these events.
    pub fn auto_rollback(mut self, events: &[&str]) -> Self {
        self.auto_rollback = AutoRollback::on(events);
        self
    }

    /// Calls a function at a lifecycle event.
    pub fn hook(mut self, event: &str, function: &str) -> Self {
        self.hooks.insert(event.to_owned(), function.to_owned());
        self
    }

    /// ECS: keeps the original task set for so many minutes.
    pub fn termination_wait(mut self, minutes: u32) -> Self {
        self.termination_wait_minutes = minutes;
        self
    }

    /// ECS: the service that is deployed to.
    pub fn of_service(mut self, cluster: &str, service: &str) -> Self {
        self.service = Some((cluster.to_owned(), service.to_owned()));
        self
    }

    /// ECS: cluster and service.
    pub(crate) fn ecs_service(&self) -> (&str, &str) {
        let named = self.service.as_ref().map(|(cluster, service)| (cluster.as_str(), service.as_str()));
        named.unwrap_or(("release", &self.application))
    }

    /// ECS: adds a test listener.
    pub fn test_listener(mut self) -> Self {
        self.test_listener = true;
        self
    }

    /// The revision already live.
    pub fn baseline(mut self, label: &str) -> Self {
        self.baseline = Some(label.to_owned());
        self
    }

    /// Nothing deployed yet.
    pub fn first_deployment(mut self) -> Self {
        self.baseline = None;
        self
    }
}

/// What users get right now: a Lambda alias's two versions and weight, or an ECS listener's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Routing {
    /// The revision that serves whatever the new one does not (the alias's FunctionVersion).
    pub(crate) old: String,
    /// The additional version and its weight, in percent.
    pub(crate) new: Option<(String, u32)>,
}

impl Routing {
    pub(crate) fn percent_of(&self, label: &str) -> u32 {
        let new = self.new.as_ref().map_or(0, |(_, percent)| *percent);
        match &self.new {
            Some((at, percent)) if at == label => *percent,
            Some(_) | None if self.old == label => 100 - new,
            Some(_) | None => 0,
        }
    }
}

/// A group in the simulator's state.
#[derive(Debug)]
pub(crate) struct GroupState {
    pub(crate) settings: Group,
    pub(crate) id: String,
    pub(crate) routing: Routing,
    /// Deployment ids, oldest first.
    pub(crate) deployments: Vec<String>,
}
