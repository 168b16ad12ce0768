//! CodeDeploy: what is being released, how it is doing, and stopping it.

use aws_config::SdkConfig;
use aws_sdk_codedeploy::{
    Client,
    types::{
        AppSpecContent, ComputePlatform, DeploymentInfo, DeploymentStatus as Status, DeploymentTarget,
        LifecycleEventStatus, RevisionLocation, RevisionLocationType, StopStatus, TimeRange,
    },
};

use jiff::{SignedDuration, Timestamp};

use crate::{
    appspec::AppSpec,
    aws::{AwsError, date_time, retries, timestamp},
    decision::HookAnswer,
    release::{
        Deployment, DeploymentError, DeploymentGroup, DeploymentId, DeploymentStatus, HookExecutionId,
        LifecycleEvent, Platform, Revision,
    },
};

/// The deployer.
#[derive(Clone, Debug)]
pub struct CodeDeploy {
    client: Client,
}

/// What CodeDeploy made of a request to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopAnswer {
    /// Stopped: no further lifecycle events are scheduled.
    Stopped,
    /// Accepted: an event that is under way may still run.
    Pending,
    /// It had ended before the request came: too late, not failed.
    AlreadyOver,
}

/// What CodeDeploy made of a hook's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerAccepted {
    /// It took it.
    Taken,
    /// It had one already, or its hour was over.
    HadOneAlready,
}

/// What a deployment's target tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetState {
    /// The lifecycle event that is in progress.
    pub in_progress: Option<LifecycleEvent>,
    /// How much of the traffic the new revision gets, in percent, where the target says so.
    pub traffic: Option<u8>,
}

impl CodeDeploy {
    /// A client of one configuration.
    pub fn new(config: &SdkConfig) -> Self {
        Self { client: Client::new(config) }
    }

    /// One deployment, as it is now.
    ///
    /// # Errors
    /// When CodeDeploy does not tell, or leaves out what every deployment has.
    pub async fn deployment(&self, id: &DeploymentId) -> Result<Deployment, AwsError> {
        const OPERATION: &str = "codedeploy:GetDeployment";
        let output = self
            .client
            .get_deployment()
            .deployment_id(id.as_str())
            .send()
            .await
            .map_err(|error| AwsError::from_sdk(OPERATION, id, &error))?;
        let info = output
            .deployment_info
            .ok_or_else(|| AwsError::unreadable(OPERATION, id, "the answer describes no deployment"))?;
        deployment(OPERATION, &info)
    }

    /// The deployment that runs in a group, if one does. Two calls: the ids, then what they are.
    ///
    /// CodeDeploy runs one deployment of a group at a time; where it names several (one queued behind
    /// another), the oldest that is not queued is the one that changes what users get.
    ///
    /// # Errors
    /// When CodeDeploy does not tell.
    pub async fn running(&self, group: &DeploymentGroup) -> Result<Option<Deployment>, AwsError> {
        let under_way =
            vec![Status::Created, Status::Queued, Status::InProgress, Status::Baking, Status::Ready];
        let ids = self.listed(group, Some(under_way), None).await?;
        let mut running = self.described(&ids).await?;
        running.retain(Deployment::is_release);
        running.sort_by_key(|deployment| {
            let waits = matches!(deployment.status, DeploymentStatus::Created | DeploymentStatus::Queued);
            (waits, deployment.created_at)
        });
        Ok(running.into_iter().next())
    }

    /// The newest deployment of a group that released something, among those created in the three days before
    /// `before`; none, if there is none.
    ///
    /// # Errors
    /// When CodeDeploy does not tell.
    pub async fn newest_release(
        &self,
        group: &DeploymentGroup,
        before: Timestamp,
    ) -> Result<Option<Deployment>, AwsError> {
        let start = before.checked_sub(SignedDuration::from_hours(72)).unwrap_or(Timestamp::MIN);
        let range = TimeRange::builder().start(date_time(start)).build();
        let ids = self.listed(group, None, Some(range)).await?;
        let mut deployments = self.described(&ids).await?;
        deployments.retain(Deployment::is_release);
        Ok(deployments.into_iter().max_by_key(|deployment| deployment.created_at))
    }

    async fn listed(
        &self,
        group: &DeploymentGroup,
        statuses: Option<Vec<Status>>,
        created: Option<TimeRange>,
    ) -> Result<Vec<DeploymentId>, AwsError> {
        const OPERATION: &str = "codedeploy:ListDeployments";
        let mut ids = Vec::new();
        let mut next = None;
        loop {
            let page = self
                .client
                .list_deployments()
                .application_name(&group.application)
                .deployment_group_name(&group.group)
                .set_include_only_statuses(statuses.clone())
                .set_create_time_range(created.clone())
                .set_next_token(next)
                .send()
                .await
                .map_err(|error| AwsError::from_sdk(OPERATION, group, &error))?;
            ids.extend(page.deployments().iter().map(|id| DeploymentId::from(id.as_str())));
            match page.next_token() {
                Some(token) if !token.is_empty() => next = Some(token.to_owned()),
                Some(_) | None => return Ok(ids),
            }
        }
    }

    /// The ids of the deployments that ended last, and that ended well last, by the group's own account.
    ///
    /// # Errors
    /// When CodeDeploy does not tell.
    pub async fn last(
        &self,
        group: &DeploymentGroup,
    ) -> Result<(Option<DeploymentId>, Option<DeploymentId>), AwsError> {
        const OPERATION: &str = "codedeploy:GetDeploymentGroup";
        let output = self
            .client
            .get_deployment_group()
            .application_name(&group.application)
            .deployment_group_name(&group.group)
            .send()
            .await
            .map_err(|error| AwsError::from_sdk(OPERATION, group, &error))?;
        let described = output
            .deployment_group_info
            .ok_or_else(|| AwsError::unreadable(OPERATION, group, "the answer describes no group"))?;
        let id = |last: Option<&aws_sdk_codedeploy::types::LastDeploymentInfo>| {
            last.and_then(|last| last.deployment_id()).map(DeploymentId::from)
        };
        Ok((id(described.last_attempted_deployment()), id(described.last_successful_deployment())))
    }

    /// Several deployments at once, 25 a call (its limit).
    ///
    /// # Errors
    /// When CodeDeploy does not tell, or tells of fewer than it was asked about.
    pub async fn described(&self, ids: &[DeploymentId]) -> Result<Vec<Deployment>, AwsError> {
        const OPERATION: &str = "codedeploy:BatchGetDeployments";
        let mut described: Vec<Deployment> = Vec::new();
        for batch in ids.chunks(25) {
            let subject = batch.iter().map(DeploymentId::as_str).collect::<Vec<_>>().join(", ");
            let output = self
                .client
                .batch_get_deployments()
                .set_deployment_ids(Some(batch.iter().map(ToString::to_string).collect()))
                .send()
                .await
                .map_err(|error| AwsError::from_sdk(OPERATION, &subject, &error))?;
            for info in output.deployments_info() {
                described.push(deployment(OPERATION, info)?);
            }
        }
        match ids.iter().find(|id| !described.iter().any(|deployment| deployment.id == **id)) {
            None => Ok(described),
            Some(absent) => Err(AwsError::unreadable(OPERATION, absent, "the answer does not describe it")),
        }
    }

    /// What the deployment's target tells: which lifecycle event is in progress, and the traffic's share.
    /// Two calls. A Lambda or ECS deployment has one target.
    ///
    /// # Errors
    /// When CodeDeploy does not tell.
    pub async fn target(&self, id: &DeploymentId) -> Result<TargetState, AwsError> {
        const LIST: &str = "codedeploy:ListDeploymentTargets";
        const GET: &str = "codedeploy:GetDeploymentTarget";
        let listed = self
            .client
            .list_deployment_targets()
            .deployment_id(id.as_str())
            .send()
            .await
            .map_err(|error| AwsError::from_sdk(LIST, id, &error))?;
        let target = listed
            .target_ids()
            .first()
            .ok_or_else(|| AwsError::unreadable(LIST, id, "the deployment has no target yet"))?;
        let output = self
            .client
            .get_deployment_target()
            .deployment_id(id.as_str())
            .target_id(target)
            .send()
            .await
            .map_err(|error| AwsError::from_sdk(GET, id, &error))?;
        let target = output
            .deployment_target()
            .ok_or_else(|| AwsError::unreadable(GET, id, "the answer describes no target"))?;
        Ok(target_state(target))
    }

    /// Stops a deployment; with `auto_rollback`, CodeDeploy redeploys the last good revision.
    ///
    /// # Errors
    /// When CodeDeploy did not take it. That it had ended already is an answer, not an error.
    pub async fn stop(&self, id: &DeploymentId, auto_rollback: bool) -> Result<StopAnswer, AwsError> {
        const OPERATION: &str = "codedeploy:StopDeployment";
        let sent = self
            .client
            .stop_deployment()
            .deployment_id(id.as_str())
            .auto_rollback_enabled(auto_rollback)
            .send()
            .await;
        match sent {
            Ok(output) => Ok(match output.status() {
                Some(StopStatus::Succeeded) => StopAnswer::Stopped,
                // An unknown word is not yet "stopped".
                Some(_) | None => StopAnswer::Pending,
            }),
            Err(error) => {
                let error = AwsError::from_sdk(OPERATION, id, &error);
                if error.is("DeploymentAlreadyCompletedException") {
                    Ok(StopAnswer::AlreadyOver)
                } else {
                    Err(error)
                }
            }
        }
    }

    /// What a deployment releases, named for people: the AppSpec's text is fetched by its hash and read. Where
    /// that fails the hash stays: a name is worth a call, not a failure.
    pub async fn named(&self, mut deployment: Deployment) -> Deployment {
        if let Revision::AppSpec { sha256 } = &deployment.revision {
            match self.app_spec(&deployment.group, sha256).await {
                Ok(spec) => deployment.revision = Revision::Named(spec.to_string()),
                Err(error) => tracing::warn!(%error, "the revision keeps its hash for a name"),
            }
        }
        deployment
    }

    async fn app_spec(&self, group: &DeploymentGroup, sha256: &str) -> Result<AppSpec, AwsError> {
        const OPERATION: &str = "codedeploy:GetApplicationRevision";
        let asked = RevisionLocation::builder()
            .revision_type(RevisionLocationType::AppSpecContent)
            .app_spec_content(AppSpecContent::builder().sha256(sha256).build())
            .build();
        let output = self
            .client
            .get_application_revision()
            .application_name(&group.application)
            .revision(asked)
            .send()
            .await
            .map_err(|error| AwsError::from_sdk(OPERATION, group, &error))?;
        let text = output
            .revision()
            .and_then(|revision| revision.app_spec_content())
            .and_then(|content| content.content())
            .ok_or_else(|| AwsError::unreadable(OPERATION, group, "the answer has no text"))?;
        AppSpec::read(text).map_err(|why| {
            AwsError::unreadable(OPERATION, group, format!("the AppSpec cannot be read: {why}"))
        })
    }

    /// Answers a lifecycle hook.
    ///
    /// # Errors
    /// When CodeDeploy did not take it. That it has an answer already is success.
    pub async fn answer(
        &self,
        deployment: &DeploymentId,
        execution: &HookExecutionId,
        answer: HookAnswer,
    ) -> Result<AnswerAccepted, AwsError> {
        const OPERATION: &str = "codedeploy:PutLifecycleEventHookExecutionStatus";
        let sent = self
            .client
            .put_lifecycle_event_hook_execution_status()
            .deployment_id(deployment.as_str())
            .lifecycle_event_hook_execution_id(execution.as_str())
            .status(match answer {
                HookAnswer::Succeeded => LifecycleEventStatus::Succeeded,
                HookAnswer::Failed => LifecycleEventStatus::Failed,
            })
            // An unanswered hook hangs for an hour: this call is worth more patience than the others.
            .customize()
            .config_override(
                aws_sdk_codedeploy::config::Builder::new().retry_config(retries().with_max_attempts(6)),
            )
            .send()
            .await;
        match sent {
            Ok(_) => Ok(AnswerAccepted::Taken),
            Err(error) => {
                let error = AwsError::from_sdk(OPERATION, deployment, &error);
                if error.is("LifecycleEventAlreadyCompletedException") {
                    Ok(AnswerAccepted::HadOneAlready)
                } else {
                    Err(error)
                }
            }
        }
    }
}

/// A deployment from CodeDeploy's description of it. What every deployment has must be there; a word that
/// is not known is kept as it is.
fn deployment(operation: &'static str, info: &DeploymentInfo) -> Result<Deployment, AwsError> {
    let id = info.deployment_id().unwrap_or("a deployment without an id");
    let lacks = |what: &str| AwsError::unreadable(operation, id, format!("the answer has no {what}"));
    let rollback = info.rollback_info();
    Ok(Deployment {
        id: info.deployment_id().ok_or_else(|| lacks("deploymentId"))?.into(),
        group: DeploymentGroup {
            application: info.application_name().ok_or_else(|| lacks("applicationName"))?.to_owned(),
            group: info.deployment_group_name().ok_or_else(|| lacks("deploymentGroupName"))?.to_owned(),
        },
        platform: match info.compute_platform() {
            Some(ComputePlatform::Lambda) => Platform::Lambda,
            Some(ComputePlatform::Ecs) => Platform::Ecs,
            Some(ComputePlatform::Server) => Platform::Server,
            Some(other) => Platform::Unrecognised(other.as_str().to_owned()),
            None => Platform::Unrecognised("no platform".to_owned()),
        },
        status: match info.status() {
            Some(Status::Created) => DeploymentStatus::Created,
            Some(Status::Queued) => DeploymentStatus::Queued,
            Some(Status::InProgress) => DeploymentStatus::InProgress,
            Some(Status::Baking) => DeploymentStatus::Baking,
            Some(Status::Ready) => DeploymentStatus::Ready,
            Some(Status::Succeeded) => DeploymentStatus::Succeeded,
            Some(Status::Failed) => DeploymentStatus::Failed,
            Some(Status::Stopped) => DeploymentStatus::Stopped,
            Some(other) => DeploymentStatus::Unrecognised(other.as_str().to_owned()),
            None => return Err(lacks("status")),
        },
        created_at: info.create_time().and_then(timestamp).ok_or_else(|| lacks("createTime"))?,
        completed_at: info.complete_time().and_then(timestamp),
        creator: info.creator().map_or_else(String::new, |creator| creator.as_str().to_owned()),
        rolls_back: rollback
            .and_then(|rollback| rollback.rollback_triggering_deployment_id())
            .filter(|of| !of.is_empty())
            .map(DeploymentId::from),
        rolled_back_by: rollback
            .and_then(|rollback| rollback.rollback_deployment_id())
            .filter(|by| !by.is_empty())
            .map(DeploymentId::from),
        error: info.error_information().and_then(|error| {
            Some(DeploymentError {
                code: error.code()?.as_str().to_owned(),
                message: error.message().unwrap_or_default().to_owned(),
            })
        }),
        revision: info
            .revision()
            .map_or_else(|| Revision::Named("a revision it does not name".to_owned()), revision),
        description: info.description().map(str::to_owned),
    })
}

/// A revision in a few words. CodeDeploy withholds the text of an AppSpec here and gives its hash.
fn revision(revision: &RevisionLocation) -> Revision {
    if let Some(s3) = revision.s3_location() {
        let (bucket, key) = (s3.bucket().unwrap_or("?"), s3.key().unwrap_or("?"));
        return Revision::Named(match s3.version() {
            Some(version) => format!("s3://{bucket}/{key} (version {version})"),
            None => format!("s3://{bucket}/{key}"),
        });
    }
    if let Some(github) = revision.git_hub_location() {
        let commit: String = github.commit_id().unwrap_or("?").chars().take(12).collect();
        return Revision::Named(format!("{}@{commit}", github.repository().unwrap_or("?")));
    }
    #[allow(deprecated, reason = "CodeDeploy still answers with it for revisions that were made with it")]
    let hash = revision
        .app_spec_content()
        .and_then(|content| content.sha256())
        .or_else(|| revision.string().and_then(|raw| raw.sha256()));
    match hash {
        Some(hash) => Revision::AppSpec { sha256: hash.to_owned() },
        None => Revision::Named("a revision it does not name".to_owned()),
    }
}

fn target_state(target: &DeploymentTarget) -> TargetState {
    let events = if let Some(lambda) = target.lambda_target() {
        lambda.lifecycle_events()
    } else if let Some(ecs) = target.ecs_target() {
        ecs.lifecycle_events()
    } else if let Some(instance) = target.instance_target() {
        instance.lifecycle_events()
    } else {
        &[]
    };
    let in_progress = events
        .iter()
        .find(|event| event.status() == Some(&LifecycleEventStatus::InProgress))
        .and_then(|event| event.lifecycle_event_name())
        .map(LifecycleEvent::from);
    // Lambda gives a fraction (1.0 is all), ECS a percentage of each task set: the new one is Green.
    let percent = if let Some(lambda) = target.lambda_target() {
        lambda.lambda_function_info().map(|function| function.target_version_weight() * 100.0)
    } else if let Some(ecs) = target.ecs_target() {
        ecs.task_sets_info()
            .iter()
            .find(|set| set.task_set_label() == Some(&aws_sdk_codedeploy::types::TargetLabel::Green))
            .map(aws_sdk_codedeploy::types::EcsTaskSet::traffic_weight)
    } else {
        None
    };
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=100")]
    let traffic = percent.map(|percent| percent.round().clamp(0.0, 100.0) as u8);
    TargetState { in_progress, traffic }
}
