//! Amazon ECS: services, their deployments and their tasks, as far as a failed release is read from them.
//!
//! `rollout` is one service and its deployments over time, `task` a task that has stopped or runs, `operations` the API.

use std::collections::BTreeMap;

use jiff::Timestamp;

mod operations;
mod rollout;
mod task;

use rollout::{Rollout, Service};
pub use task::{StoppedContainer, StoppedTask};

use crate::elb::FailedTargets;
use crate::simulator::Simulator;
use crate::stamps::seconds;
use crate::world::World;

/// A deployment to a service whose tasks do not come up, as a script describes it.
#[derive(Debug, Clone, Default)]
pub struct FailedTasks {
    /// The cluster's name.
    pub cluster: String,
    /// The service's name.
    pub service: String,
    /// The tasks that stop, oldest first.
    pub stopped: Vec<StoppedTask>,
    /// What the service says meanwhile, oldest first.
    pub events: Vec<String>,
    /// Why the deployment fails (`rolloutStateReason`), where the circuit breaker ends it; without it, it goes on trying.
    pub rollout: Option<String>,
    /// The target group, and its targets that are not healthy.
    pub targets: Option<FailedTargets>,
}

impl FailedTasks {
    /// Of this service in this cluster.
    pub fn of(cluster: &str, service: &str) -> Self {
        Self { cluster: cluster.to_owned(), service: service.to_owned(), ..Self::default() }
    }
}

/// Who moves a service to new tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Controller {
    /// ECS itself, by rolling.
    Rolling,
    /// CodeDeploy, by task sets.
    CodeDeploy,
}

/// The state of the service: by cluster and service.
#[derive(Debug, Default)]
pub(crate) struct Ecs {
    services: BTreeMap<(String, String), Service>,
}

impl Simulator {
    /// A service whose tasks began to fail two minutes ago, without a pipeline.
    pub fn add_failed_tasks(&self, failure: FailedTasks) {
        let mut world = self.world();
        let began = world.now - seconds(120);
        let until = world.now;
        let (cluster, service) = (failure.cluster.clone(), failure.service.clone());
        world.roll_out(&cluster, &service, Controller::Rolling, "by-hand", began, until, Some(failure));
    }
}

impl World {
    /// Begins a deployment to a service, which is created if it is new; the answer is the deployment's id. `name` is
    /// what the id is drawn from: CodeDeploy's deployment, or what else is known of it.
    #[allow(
        clippy::too_many_arguments,
        reason = "what, where, by whom, from when until when, and how it goes"
    )]
    pub(crate) fn roll_out(
        &mut self,
        cluster: &str,
        service: &str,
        controller: Controller,
        name: &str,
        began: Timestamp,
        until: Timestamp,
        failure: Option<FailedTasks>,
    ) -> String {
        let targets = failure.as_ref().and_then(|failure| failure.targets.clone());
        let target_group = targets.map(|targets| self.set_targets(targets));
        let key = (cluster.to_owned(), service.to_owned());
        let known = self.ecs.services.entry(key).or_insert_with(|| Service::new(cluster, service, began));
        known.controller = controller;
        if let Some(arn) = target_group {
            known.target_group = Some(arn);
        }
        let rollout = Rollout::new(service, name, known.rollouts.len(), began, until, failure);
        let id = rollout.id.clone();
        known.rollouts.push(rollout);
        id
    }
}
