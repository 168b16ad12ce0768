//! A service and its deployments over time, as DescribeServices shows them.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::task::Task;
use super::{Controller, FailedTasks};
use crate::chance::digest;
use crate::stamps::epoch_seconds;

/// Where the simulator's resources are.
pub(super) const HERE: &str = "us-east-1:123456789012";

/// A deployment to a service.
#[derive(Debug, Clone)]
pub(super) struct Rollout {
    /// `ecs-svc/` and nineteen digits.
    pub(super) id: String,
    /// What it was begun for: CodeDeploy's deployment.
    external: String,
    pub(super) definition: String,
    began: Timestamp,
    until: Timestamp,
    pub(super) failure: Option<FailedTasks>,
}

impl Rollout {
    pub(super) fn new(
        service: &str,
        external: &str,
        before: usize,
        began: Timestamp,
        until: Timestamp,
        failure: Option<FailedTasks>,
    ) -> Self {
        let number = digest(&format!("{service} {external} {before}")) % 9_000_000_000_000_000_000;
        Self {
            id: format!("ecs-svc/{:019}", number + 1_000_000_000_000_000_000),
            external: external.to_owned(),
            definition: format!("arn:aws:ecs:{HERE}:task-definition/{service}:{}", before + 2),
            began,
            until,
            failure,
        }
    }

    /// How many tasks stop in it.
    pub(super) fn stopping(&self) -> usize {
        self.failure.as_ref().map_or(0, |failure| failure.stopped.len())
    }

    /// A moment after so many of all steps.
    pub(super) fn moment(&self, steps: usize, all: usize) -> Timestamp {
        let lasts = self.until.duration_since(self.began).as_millis() as i64;
        let share = i64::try_from(steps).expect("a few") * lasts / i64::try_from(all.max(1)).expect("a few");
        self.began + SignedDuration::from_millis(share)
    }

    /// State and sentence: the former's words are those of the model, the latter's those that ECS's console shows.
    fn state(&self, now: Timestamp) -> (&'static str, String) {
        let ended = now >= self.until;
        match &self.failure {
            Some(FailedTasks { rollout: Some(reason), .. }) if ended => ("FAILED", reason.clone()),
            None if ended => ("COMPLETED", format!("ECS deployment {} completed.", self.id)),
            Some(_) | None => ("IN_PROGRESS", format!("ECS deployment {} in progress.", self.id)),
        }
    }
}

/// A service.
#[derive(Debug)]
pub(super) struct Service {
    pub(super) cluster: String,
    pub(super) name: String,
    pub(super) created: Timestamp,
    pub(super) controller: Controller,
    pub(super) target_group: Option<String>,
    /// Oldest first.
    pub(super) rollouts: Vec<Rollout>,
}

impl Service {
    pub(super) fn new(cluster: &str, name: &str, created: Timestamp) -> Self {
        Self {
            cluster: cluster.to_owned(),
            name: name.to_owned(),
            created: created - SignedDuration::from_hours(1),
            controller: Controller::Rolling,
            target_group: None,
            rollouts: Vec::new(),
        }
    }

    pub(super) fn arn(&self) -> String {
        format!("arn:aws:ecs:{HERE}:service/{}/{}", self.cluster, self.name)
    }

    pub(super) fn cluster_arn(&self) -> String {
        format!("arn:aws:ecs:{HERE}:cluster/{}", self.cluster)
    }

    /// The deployment that ran before all that were begun.
    pub(super) fn stable_id(&self) -> String {
        Rollout::new(&self.name, "stable", 0, self.created, self.created, None).id
    }

    pub(super) fn stable_definition(&self) -> String {
        format!("arn:aws:ecs:{HERE}:task-definition/{}:1", self.name)
    }

    /// Every task that there is, newest deployment first.
    pub(super) fn tasks(&self, now: Timestamp) -> Vec<Task> {
        let stopping = self.rollouts.iter().rev().flat_map(Task::stopping);
        stopping.chain(Task::running(self)).filter(|task| task.exists(now)).collect()
    }

    /// What it said so far, newest first, at most a hundred.
    fn events(&self, now: Timestamp) -> Vec<Value> {
        let mut said: Vec<(Timestamp, String)> = Vec::new();
        for rollout in &self.rollouts {
            let events = rollout.failure.as_ref().map_or(&[][..], |failure| &failure.events);
            let told = events.iter().enumerate();
            said.extend(told.map(|(index, text)| (rollout.moment(index + 1, events.len()), text.clone())));
            if rollout.failure.is_none() {
                said.push((rollout.until, format!("(service {}) has reached a steady state.", self.name)));
            }
        }
        said.retain(|(at, _)| *at <= now);
        said.reverse();
        said.truncate(100);
        let shown = |(at, text): &(Timestamp, String)| {
            let drawn = digest(&format!("{text} {at}"));
            json!({
                "id": format!("{:08x}-{:04x}-4000-8000-{:012x}", drawn >> 32, drawn & 0xffff, drawn >> 16),
                "createdAt": epoch_seconds(*at),
                "message": text,
            })
        };
        said.iter().map(shown).collect()
    }

    /// The newest deployment is PRIMARY; the one that still serves is ACTIVE until the newest is done.
    fn deployments(&self, now: Timestamp) -> Vec<Value> {
        let deployment = |id: &str, status: &str, definition: &str, at: Timestamp, running: u32| {
            json!({
                "id": id,
                "status": status,
                "taskDefinition": definition,
                "desiredCount": 2,
                "pendingCount": 0,
                "runningCount": running,
                "failedTasks": 0,
                "createdAt": epoch_seconds(at),
                "updatedAt": epoch_seconds(now),
                "launchType": "FARGATE",
                "platformVersion": "1.4.0",
            })
        };
        let stable = |status| {
            let id = self.stable_id();
            let mut shown = deployment(&id, status, &self.stable_definition(), self.created, 2);
            shown["rolloutState"] = json!("COMPLETED");
            shown["rolloutStateReason"] = json!(format!("ECS deployment {id} completed."));
            shown
        };
        let Some(newest) = self.rollouts.last() else { return vec![stable("PRIMARY")] };
        let (state, reason) = newest.state(now);
        let done = state == "COMPLETED";
        let running = if done { 2 } else { 0 };
        let mut primary = deployment(&newest.id, "PRIMARY", &newest.definition, newest.began, running);
        let failed = Task::stopping(newest).iter().filter(|task| task.has_stopped(now)).count();
        primary["failedTasks"] = json!(failed);
        primary["rolloutState"] = json!(state);
        primary["rolloutStateReason"] = json!(reason);
        if done { vec![primary] } else { vec![primary, stable("ACTIVE")] }
    }

    /// The task sets of a service that CodeDeploy moves: the one that serves, and the one that is to.
    fn task_sets(&self, now: Timestamp, load_balancers: &Value) -> Vec<Value> {
        let set =
            |id: &str, external: &str, status: &str, definition: &str, stability: &str, running: u32| {
                json!({
                    "id": id,
                    "taskSetArn": format!(
                        "arn:aws:ecs:{HERE}:task-set/{}/{}/{id}", self.cluster, self.name
                    ),
                    "serviceArn": self.arn(),
                    "clusterArn": self.cluster_arn(),
                    "startedBy": "CODE_DEPLOY",
                    "externalId": external,
                    "status": status,
                    "taskDefinition": definition,
                    "computedDesiredCount": 2,
                    "pendingCount": 0,
                    "runningCount": running,
                    "launchType": "FARGATE",
                    "platformVersion": "1.4.0",
                    "loadBalancers": load_balancers,
                    "scale": { "value": 100.0, "unit": "PERCENT" },
                    "stabilityStatus": stability,
                    "createdAt": epoch_seconds(self.created),
                    "updatedAt": epoch_seconds(now),
                })
            };
        let id = self.stable_id();
        let mut sets = vec![set(&id, "d-STABLE000", "PRIMARY", &self.stable_definition(), "STEADY_STATE", 2)];
        if let Some(newest) = self.rollouts.last() {
            let (id, definition) = (&newest.id, &newest.definition);
            sets.push(set(id, &newest.external, "ACTIVE", definition, "STABILIZING", 0));
        }
        sets
    }

    pub(super) fn to_wire(&self, now: Timestamp) -> Value {
        let load_balancers: Value = match &self.target_group {
            Some(arn) => json!([{ "targetGroupArn": arn, "containerName": "app", "containerPort": 8080 }]),
            None => json!([]),
        };
        let (controller, deployments, sets) = match self.controller {
            Controller::Rolling => ("ECS", self.deployments(now), Vec::new()),
            Controller::CodeDeploy => ("CODE_DEPLOY", Vec::new(), self.task_sets(now, &load_balancers)),
        };
        let mut shown = json!({
            "serviceArn": self.arn(),
            "serviceName": self.name,
            "clusterArn": self.cluster_arn(),
            "loadBalancers": load_balancers,
            "serviceRegistries": [],
            "status": "ACTIVE",
            "desiredCount": 2,
            "runningCount": 2,
            "pendingCount": 0,
            "launchType": "FARGATE",
            "platformVersion": "LATEST",
            "taskDefinition": self.rollouts.last().map_or_else(
                || self.stable_definition(),
                |rollout| rollout.definition.clone(),
            ),
            "deploymentController": { "type": controller },
            "deployments": deployments,
            "events": self.events(now),
            "createdAt": epoch_seconds(self.created),
            "schedulingStrategy": "REPLICA",
            "healthCheckGracePeriodSeconds": 0,
        });
        if self.controller == Controller::CodeDeploy {
            shown["taskSets"] = json!(sets);
        }
        shown
    }
}
