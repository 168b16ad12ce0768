//! A deployment that failed: what CodeDeploy says about it, and which of its targets' lifecycle events failed.

use crate::aws::client::Call as _;
use aws_sdk_codedeploy::{
    operation::{
        get_deployment::GetDeploymentInput, get_deployment_target::GetDeploymentTargetInput,
        list_deployment_targets::ListDeploymentTargetsInput,
    },
    types::{
        DeploymentTarget, LifecycleEvent, LifecycleEventStatus as EventStatus, TargetFilterName, TargetLabel,
    },
};
use futures_util::future::join_all;
use jiff::Timestamp;

use super::CodeDeploy;
use crate::{
    aws::{AwsError, timestamp},
    diagnosis::{DeploymentFailure, FailedEvent},
    release::ReleaseId,
};

/// A deployment that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedDeployment {
    /// What CodeDeploy says.
    pub failure: DeploymentFailure,
    /// When it was created.
    pub created: Option<Timestamp>,
    /// The ECS service that it deploys to, if to one.
    pub service: Option<EcsService>,
    /// Why its targets could not be read, if they could not.
    pub unread: Option<AwsError>,
}

/// The ECS service that a deployment deploys to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EcsService {
    /// Its cluster.
    pub cluster: String,
    /// Its name.
    pub service: String,
    /// The names of the target groups of the new tasks.
    pub target_groups: Vec<String>,
}

/// At how many targets that failed we look: each says the same, mostly.
const TARGETS: usize = 3;

impl CodeDeploy {
    /// A deployment that failed. Its targets are read beside it; that they cannot be is said in the answer.
    ///
    /// # Errors
    /// When CodeDeploy does not tell of the deployment.
    pub async fn failure(&self, id: &ReleaseId) -> Result<FailedDeployment, AwsError> {
        const OPERATION: &str = "codedeploy:GetDeployment";
        let described = async {
            let sent = GetDeploymentInput::builder().deployment_id(id.as_str()).sent_by(&self.client).await;
            let output = sent.map_err(|error| AwsError::from_sdk(OPERATION, id, &error))?;
            output
                .deployment_info
                .ok_or_else(|| AwsError::unreadable(OPERATION, id, "the answer describes no deployment"))
        };
        let (described, targets) = tokio::join!(described, self.failed_targets(id));
        let described = described?;
        let error = described.error_information();
        let (targets, unread) = match targets {
            Ok(targets) => (targets, None),
            Err(error) => (Vec::new(), Some(error)),
        };
        let mut events: Vec<FailedEvent> = Vec::new();
        for event in targets.iter().flat_map(events_of).filter_map(failed) {
            if !events.contains(&event) {
                events.push(event);
            }
        }
        Ok(FailedDeployment {
            failure: DeploymentFailure {
                id: id.as_str().to_owned(),
                code: error.and_then(|error| error.code()).map(|code| code.as_str().to_owned()),
                message: error
                    .and_then(|error| error.message())
                    .filter(|message| !message.is_empty())
                    .map(str::to_owned),
                events,
            },
            created: described.create_time().and_then(timestamp),
            service: targets.iter().find_map(service),
            unread,
        })
    }

    /// The targets that failed, or else the first one: of one that was stopped before it began, none failed.
    async fn failed_targets(&self, id: &ReleaseId) -> Result<Vec<DeploymentTarget>, AwsError> {
        const GET: &str = "codedeploy:GetDeploymentTarget";
        let mut ids = self.target_ids(id, true).await?;
        if ids.is_empty() {
            ids = self.target_ids(id, false).await?;
            ids.truncate(1);
        }
        let read = async |target: &String| {
            let asked = GetDeploymentTargetInput::builder().deployment_id(id.as_str()).target_id(target);
            let output =
                asked.sent_by(&self.client).await.map_err(|error| AwsError::from_sdk(GET, id, &error))?;
            output
                .deployment_target
                .ok_or_else(|| AwsError::unreadable(GET, id, "the answer describes no target"))
        };
        join_all(ids.iter().take(TARGETS).map(read)).await.into_iter().collect()
    }

    async fn target_ids(&self, id: &ReleaseId, failed: bool) -> Result<Vec<String>, AwsError> {
        const LIST: &str = "codedeploy:ListDeploymentTargets";
        let asked = ListDeploymentTargetsInput::builder().deployment_id(id.as_str());
        let asked = if failed {
            // A filter's values are those of the statuses (aws-sdk-codedeploy 1.124.0, ListDeploymentTargets).
            asked.target_filters(TargetFilterName::TargetStatus, vec!["Failed".to_owned()])
        } else {
            asked
        };
        let output =
            asked.sent_by(&self.client).await.map_err(|error| AwsError::from_sdk(LIST, id, &error))?;
        Ok(output.target_ids.unwrap_or_default())
    }
}

fn events_of(target: &DeploymentTarget) -> &[LifecycleEvent] {
    if let Some(lambda) = target.lambda_target() {
        lambda.lifecycle_events()
    } else if let Some(ecs) = target.ecs_target() {
        ecs.lifecycle_events()
    } else if let Some(instance) = target.instance_target() {
        instance.lifecycle_events()
    } else if let Some(stack) = target.cloud_formation_target() {
        stack.lifecycle_events()
    } else {
        &[]
    }
}

/// An event that failed or hangs.
fn failed(event: &LifecycleEvent) -> Option<FailedEvent> {
    let status = event.status()?;
    if !matches!(status, EventStatus::Failed | EventStatus::InProgress) {
        return None;
    }
    let given = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
    let told = event.diagnostics();
    Some(FailedEvent {
        event: event.lifecycle_event_name().unwrap_or_default().to_owned(),
        status: status.as_str().to_owned(),
        code: told.and_then(|told| told.error_code()).map(|code| code.as_str().to_owned()),
        script: given(told.and_then(|told| told.script_name())),
        message: given(told.and_then(|told| told.message())),
        log_tail: given(told.and_then(|told| told.log_tail())),
    })
}

/// The service of an ECS target: its id is `cluster:service`, as observed. The new tasks are the green ones.
fn service(target: &DeploymentTarget) -> Option<EcsService> {
    let ecs = target.ecs_target()?;
    let (cluster, service) = ecs.target_id()?.split_once(':')?;
    let green = ecs.task_sets_info().iter().filter(|set| set.task_set_label() == Some(&TargetLabel::Green));
    let mut target_groups: Vec<String> = green
        .filter_map(|set| set.target_group()?.name())
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect();
    target_groups.dedup();
    Some(EcsService { cluster: cluster.to_owned(), service: service.to_owned(), target_groups })
}

#[cfg(test)]
mod tests {
    use aws_sdk_codedeploy::types::{
        Diagnostics, EcsTarget, EcsTaskSet, LifecycleErrorCode, TargetGroupInfo,
    };

    use super::*;

    #[test]
    fn what_failed_and_what_hangs_is_told_and_nothing_else() {
        let told = Diagnostics::builder()
            .error_code(LifecycleErrorCode::ScriptFailed)
            .script_name("scripts/migrate.sh")
            .message("")
            .log_tail("relation exists")
            .build();
        let event = |status: EventStatus| {
            LifecycleEvent::builder().lifecycle_event_name("AfterInstall").status(status)
        };
        let found = failed(&event(EventStatus::Failed).diagnostics(told).build()).expect("it failed");
        assert_eq!((found.status.as_str(), found.code.as_deref()), ("Failed", Some("ScriptFailed")));
        assert_eq!((found.message, found.log_tail.as_deref()), (None, Some("relation exists")));
        assert!(failed(&event(EventStatus::InProgress).build()).is_some());
        for status in [EventStatus::Succeeded, EventStatus::Skipped, EventStatus::Pending] {
            assert_eq!(failed(&event(status).build()), None);
        }
    }

    #[test]
    fn the_service_is_in_the_id_of_its_target() {
        let set = |label: TargetLabel, group: &str| {
            let group = TargetGroupInfo::builder().name(group).build();
            EcsTaskSet::builder().task_set_label(label).target_group(group).build()
        };
        let ecs = EcsTarget::builder()
            .target_id("prod:orders")
            .task_sets_info(set(TargetLabel::Blue, "orders-1"))
            .task_sets_info(set(TargetLabel::Green, "orders-2"))
            .build();
        let found = service(&DeploymentTarget::builder().ecs_target(ecs).build()).expect("a service");
        assert_eq!((found.cluster.as_str(), found.service.as_str()), ("prod", "orders"));
        assert_eq!(found.target_groups, ["orders-2"]);
        let strange = EcsTarget::builder().target_id("orders").build();
        assert_eq!(service(&DeploymentTarget::builder().ecs_target(strange).build()), None);
    }
}
