//! ECS: what became of a service's tasks.

use aws_sdk_ecs::{
    operation::{
        describe_services::DescribeServicesInput, describe_tasks::DescribeTasksInput,
        list_tasks::ListTasksInput,
    },
    types::{Container, DeploymentRolloutState, DesiredStatus, Service, Task, TaskSet},
};
use aws_types::SdkConfig;
use jiff::Timestamp;

use super::client::{Call as _, Client, service};
use crate::{
    aws::{AwsError, timestamp},
    diagnosis::{StoppedContainer, StoppedTask, Tasks},
};

service! {
    Api = aws_sdk_ecs, "ECS", "ecs", json "AmazonEC2ContainerServiceV20141113" "2014-11-13";
    describe_services: DescribeServices DescribeServicesInputBuilder
        DescribeServicesOutput DescribeServicesError;
    describe_tasks: DescribeTasks DescribeTasksInputBuilder DescribeTasksOutput DescribeTasksError;
    list_tasks: ListTasks ListTasksInputBuilder ListTasksOutput ListTasksError;
}

/// The services and their tasks.
#[derive(Clone, Debug)]
pub struct Ecs {
    client: Client<Api>,
}

/// A service as ECS describes it, without its tasks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceState {
    /// Why its rollout failed, or how it stands, where ECS says so.
    pub rollout: Option<String>,
    /// Its own messages, the latest first.
    pub messages: Vec<String>,
    /// The ARNs of the target groups in which its tasks are.
    pub target_groups: Vec<String>,
}

/// How many of a service's messages are kept. ECS gives the latest hundred (aws-sdk-ecs 1.157.0, `Service::events`).
const MESSAGES: usize = 20;
/// How many stopped tasks are looked at: one call of DescribeTasks.
const TASKS: i32 = 100;
/// How many of them are kept, the latest.
const KEPT: usize = 10;

impl Ecs {
    /// A client of one configuration.
    pub fn new(config: &SdkConfig) -> Self {
        Self { client: Client::of(config) }
    }

    /// A service's state, with its messages from `since` on.
    ///
    /// # Errors
    /// When ECS does not tell, or knows no such service.
    pub async fn service(
        &self,
        cluster: &str,
        service: &str,
        since: Timestamp,
    ) -> Result<ServiceState, AwsError> {
        const OPERATION: &str = "ecs:DescribeServices";
        let subject = format!("{cluster}/{service}");
        let output = DescribeServicesInput::builder()
            .cluster(cluster)
            .services(service)
            .sent_by(&self.client)
            .await
            .map_err(|error| AwsError::from_sdk(OPERATION, &subject, &error))?;
        match (output.services().first(), output.failures().first()) {
            (Some(found), _) => Ok(state(found, since)),
            // What is not there is no error here but an entry of `failures`, with the reason MISSING.
            (None, failure) => {
                let why = failure.and_then(|failure| failure.reason()).unwrap_or("no reason");
                let why = format!("ECS describes no such service, and gives {why}");
                Err(AwsError::unreadable(OPERATION, &subject, why))
            }
        }
    }

    /// The tasks of a service that stopped from `since` on, the latest first. ECS shows stopped tasks for about an hour
    /// ("Stopped tasks only appear … for at least one hour", ECS Developer Guide, "View Amazon ECS stopped task errors").
    ///
    /// # Errors
    /// When ECS does not tell.
    pub async fn stopped(
        &self,
        cluster: &str,
        service: &str,
        since: Timestamp,
    ) -> Result<Vec<StoppedTask>, AwsError> {
        const LIST: &str = "ecs:ListTasks";
        const DESCRIBE: &str = "ecs:DescribeTasks";
        let subject = format!("{cluster}/{service}");
        let listed = ListTasksInput::builder()
            .cluster(cluster)
            .service_name(service)
            .desired_status(DesiredStatus::Stopped)
            .max_results(TASKS)
            .sent_by(&self.client)
            .await
            .map_err(|error| AwsError::from_sdk(LIST, &subject, &error))?;
        let arns = listed.task_arns.unwrap_or_default();
        if arns.is_empty() {
            return Ok(Vec::new());
        }
        let described = DescribeTasksInput::builder()
            .cluster(cluster)
            .set_tasks(Some(arns))
            .sent_by(&self.client)
            .await
            .map_err(|error| AwsError::from_sdk(DESCRIBE, &subject, &error))?;
        let mut stopped: Vec<(Timestamp, StoppedTask)> = described
            .tasks()
            .iter()
            // One that is still stopping has no `stoppedAt` yet.
            .filter_map(|task| {
                let at = task.stopped_at().or_else(|| task.stopping_at()).and_then(timestamp)?;
                (at >= since).then(|| (at, stopped_task(task)))
            })
            .collect();
        stopped.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
        Ok(stopped.into_iter().map(|(_, task)| task).take(KEPT).collect())
    }
}

impl ServiceState {
    /// With the tasks that stopped.
    pub fn with(&self, service: &str, stopped: Vec<StoppedTask>) -> Tasks {
        Tasks {
            service: service.to_owned(),
            stopped,
            rollout: self.rollout.clone(),
            messages: self.messages.clone(),
        }
    }
}

fn state(service: &Service, since: Timestamp) -> ServiceState {
    let rollout = |wanted: fn(&DeploymentRolloutState) -> bool| {
        let mut of =
            service.deployments().iter().filter(|deployment| deployment.rollout_state().is_some_and(wanted));
        of.find_map(|deployment| deployment.rollout_state_reason()).map(str::to_owned)
    };
    let messages = service
        .events()
        .iter()
        .filter(|event| event.created_at().and_then(timestamp).is_none_or(|at| at >= since))
        .filter_map(|event| event.message())
        .take(MESSAGES)
        .map(str::to_owned)
        .collect();
    // A service that CodeDeploy deploys has its target groups in its task sets.
    let of_sets = service.task_sets().iter().flat_map(TaskSet::load_balancers);
    let mut target_groups: Vec<String> = service
        .load_balancers()
        .iter()
        .chain(of_sets)
        .filter_map(|balancer| balancer.target_group_arn())
        .map(str::to_owned)
        .collect();
    target_groups.sort_unstable();
    target_groups.dedup();
    ServiceState {
        rollout: rollout(|state| *state == DeploymentRolloutState::Failed)
            .or_else(|| rollout(|state| *state == DeploymentRolloutState::InProgress)),
        messages,
        target_groups,
    }
}

fn stopped_task(task: &Task) -> StoppedTask {
    StoppedTask {
        reason: task.stopped_reason().unwrap_or_default().to_owned(),
        containers: task.containers().iter().map(stopped_container).collect(),
    }
}

fn stopped_container(container: &Container) -> StoppedContainer {
    StoppedContainer {
        name: container.name().unwrap_or_default().to_owned(),
        exit_code: container.exit_code(),
        reason: container.reason().filter(|reason| !reason.is_empty()).map(str::to_owned),
    }
}
