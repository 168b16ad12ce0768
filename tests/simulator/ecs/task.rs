//! A task, as DescribeTasks shows it.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::rollout::{HERE, Rollout, Service};
use crate::chance::digest;
use crate::stamps::{epoch_seconds, seconds};

/// "Stopped tasks appear in the returned results for at least one hour" (aws-sdk-ecs 1.157.0, DescribeTasks): here,
/// for one.
const SHOWN: SignedDuration = SignedDuration::from_hours(1);

/// A task that stops.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoppedTask {
    /// `stoppedReason`.
    pub reason: String,
    /// `stopCode`; without it, what follows from the rest.
    pub code: Option<String>,
    /// Its containers.
    pub containers: Vec<StoppedContainer>,
}

/// A container of a task that stops.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoppedContainer {
    /// Its name.
    pub name: String,
    /// With which code it exited; nothing if it never ran.
    pub exit_code: Option<i32>,
    /// Such as `OutOfMemoryError: Container killed due to memory usage`.
    pub reason: Option<String>,
    /// HEALTHY, UNHEALTHY; UNKNOWN without a check of its own.
    pub health: Option<String>,
}

impl StoppedTask {
    /// The code as the Developer Guide, "Stopped tasks error codes", relates it to what happened: a container that ran
    /// and exited; the scheduler, which stops what is not healthy; else the task did not start.
    fn stop_code(&self) -> &str {
        let exited = self.containers.iter().any(|container| container.exit_code.is_some());
        match &self.code {
            Some(code) => code,
            None if self.reason.contains("health checks") || self.reason.starts_with("Scaling activity") => {
                "ServiceSchedulerInitiated"
            }
            None if exited => "EssentialContainerExited",
            None => "TaskFailedToStart",
        }
    }
}

/// A task of a service: one that stops, or one that runs.
#[derive(Debug, Clone)]
pub(super) struct Task {
    pub(super) id: String,
    started_by: String,
    definition: String,
    created: Timestamp,
    stops: Option<(Timestamp, StoppedTask)>,
}

impl Task {
    /// The tasks of a deployment that stop: one after the other, in equal steps.
    pub(super) fn stopping(rollout: &Rollout) -> Vec<Self> {
        let stopped = rollout.failure.iter().flat_map(|failure| &failure.stopped);
        stopped
            .enumerate()
            .map(|(index, task)| {
                let stops = rollout.moment(index + 1, rollout.stopping());
                Self {
                    id: id_of(&format!("{} {index}", rollout.id)),
                    started_by: rollout.id.clone(),
                    definition: rollout.definition.clone(),
                    created: rollout.moment(index, rollout.stopping()),
                    stops: Some((stops, task.clone())),
                }
            })
            .collect()
    }

    /// The two tasks of a service that run.
    pub(super) fn running(service: &Service) -> Vec<Self> {
        let task = |index: u32| Self {
            id: id_of(&format!("{} {} runs {index}", service.cluster, service.name)),
            started_by: service.stable_id(),
            definition: service.stable_definition(),
            created: service.created,
            stops: None,
        };
        vec![task(1), task(2)]
    }

    pub(super) fn exists(&self, now: Timestamp) -> bool {
        self.created <= now && self.stops.as_ref().is_none_or(|(at, _)| now.duration_since(*at) < SHOWN)
    }

    pub(super) fn has_stopped(&self, now: Timestamp) -> bool {
        self.stops.as_ref().is_some_and(|(at, _)| *at <= now)
    }

    pub(super) fn arn(&self, cluster: &str) -> String {
        format!("arn:aws:ecs:{HERE}:task/{cluster}/{}", self.id)
    }

    pub(super) fn to_wire(&self, service: &Service, now: Timestamp) -> Value {
        let cluster = &service.cluster;
        let stopped = self.stops.as_ref().filter(|(at, _)| *at <= now);
        let word = if stopped.is_some() { "STOPPED" } else { "RUNNING" };
        let image = format!("123456789012.dkr.ecr.us-east-1.amazonaws.com/{}:latest", service.name);
        let container = |container: &StoppedContainer| {
            let name = &container.name;
            let mut shown = json!({
                "containerArn": format!(
                    "arn:aws:ecs:{HERE}:container/{cluster}/{}/{:016x}", self.id, digest(name)
                ),
                "taskArn": self.arn(cluster),
                "name": name,
                "image": image,
                "lastStatus": word,
                "networkInterfaces": [],
                "healthStatus": container.health.as_deref().unwrap_or("UNKNOWN"),
                "cpu": "0",
            });
            if let Some(code) = container.exit_code {
                shown["exitCode"] = json!(code);
            }
            if let Some(reason) = &container.reason {
                shown["reason"] = json!(reason);
            }
            shown
        };
        let runs = StoppedContainer {
            name: "app".to_owned(),
            health: Some("HEALTHY".to_owned()),
            ..StoppedContainer::default()
        };
        let containers: Vec<Value> = match stopped {
            Some((_, task)) => task.containers.iter().map(container).collect(),
            None => vec![container(&runs)],
        };
        let mut shown = json!({
            "taskArn": self.arn(cluster),
            "clusterArn": service.cluster_arn(),
            "taskDefinitionArn": self.definition,
            "containers": containers,
            "createdAt": epoch_seconds(self.created),
            "desiredStatus": word,
            "lastStatus": word,
            "group": format!("service:{}", service.name),
            "startedBy": self.started_by,
            "launchType": "FARGATE",
            "platformVersion": "1.4.0",
            "availabilityZone": "us-east-1a",
            "cpu": "256",
            "memory": "512",
            "healthStatus": if stopped.is_some() { "UNKNOWN" } else { "HEALTHY" },
            "version": 3,
        });
        if let Some((at, task)) = stopped {
            shown["stopCode"] = json!(task.stop_code());
            shown["stoppedReason"] = json!(task.reason);
            shown["stoppingAt"] = json!(epoch_seconds(*at - seconds(1)));
            shown["stoppedAt"] = json!(epoch_seconds(*at));
            shown["executionStoppedAt"] = json!(epoch_seconds(*at));
        }
        // A task that never started has no such moment.
        if stopped.is_none_or(|(_, task)| task.containers.iter().any(|one| one.exit_code.is_some())) {
            shown["startedAt"] = json!(epoch_seconds(self.created));
        }
        shown
    }
}

/// 32 hexadecimal digits, drawn from what the task is.
fn id_of(about: &str) -> String {
    format!("{:016x}{:016x}", digest(about), digest(&format!("{about} again")))
}
