//! CodeDeploy: what is being released, how it is doing, and stopping it.

mod failing;

pub use self::failing::{EcsService, FailedDeployment};

use std::time::Duration;

use aws_sdk_codedeploy::{
    operation::{
        batch_get_deployments::BatchGetDeploymentsInput, create_deployment::CreateDeploymentInput,
        get_application_revision::GetApplicationRevisionInput, get_deployment::GetDeploymentInput,
        get_deployment_group::GetDeploymentGroupInput, get_deployment_target::GetDeploymentTargetInput,
        list_deployment_targets::ListDeploymentTargetsInput, list_deployments::ListDeploymentsInput,
        put_lifecycle_event_hook_execution_status::PutLifecycleEventHookExecutionStatusInput,
        stop_deployment::StopDeploymentInput,
    },
    types::{
        AlarmConfiguration, AppSpecContent, AutoRollbackConfiguration, BundleType, ComputePlatform,
        DeploymentInfo, DeploymentStatus as Status, DeploymentTarget, GitHubLocation, LifecycleEventStatus,
        RevisionLocation, RevisionLocationType, S3Location, StopStatus, TimeRange,
    },
};
use aws_smithy_types::retry::RetryConfig;
use aws_types::SdkConfig;

use jiff::{SignedDuration, Timestamp};

use super::client::{Call as _, Client, service};
use crate::{
    aws::{AwsError, date_time, retries, timestamp},
    decision::HookAnswer,
    evidence::{Redeploy, Sent},
    release::{
        Change, DeploymentGroup, HookExecutionId, LifecycleEvent, Place, Platform, Release, ReleaseError,
        ReleaseId, ReleaseStatus, Revision, requested_by, taken_back_by_description, undo_description,
    },
};

service! {
    Api = aws_sdk_codedeploy, "CodeDeploy", "codedeploy", json "CodeDeploy_20141006" "2014-10-06";
    batch_get_deployments: BatchGetDeployments BatchGetDeploymentsInputBuilder
        BatchGetDeploymentsOutput BatchGetDeploymentsError;
    create_deployment: CreateDeployment CreateDeploymentInputBuilder
        CreateDeploymentOutput CreateDeploymentError;
    get_application_revision: GetApplicationRevision GetApplicationRevisionInputBuilder
        GetApplicationRevisionOutput GetApplicationRevisionError;
    get_deployment: GetDeployment GetDeploymentInputBuilder GetDeploymentOutput GetDeploymentError;
    get_deployment_group: GetDeploymentGroup GetDeploymentGroupInputBuilder
        GetDeploymentGroupOutput GetDeploymentGroupError;
    get_deployment_target: GetDeploymentTarget GetDeploymentTargetInputBuilder
        GetDeploymentTargetOutput GetDeploymentTargetError;
    list_deployment_targets: ListDeploymentTargets ListDeploymentTargetsInputBuilder
        ListDeploymentTargetsOutput ListDeploymentTargetsError;
    list_deployments: ListDeployments ListDeploymentsInputBuilder ListDeploymentsOutput ListDeploymentsError;
    put_lifecycle_event_hook_execution_status: PutLifecycleEventHookExecutionStatus PutLifecycleEventHookExecutionStatusInputBuilder
        PutLifecycleEventHookExecutionStatusOutput PutLifecycleEventHookExecutionStatusError;
    stop_deployment: StopDeployment StopDeploymentInputBuilder StopDeploymentOutput StopDeploymentError;
}

/// CodeDeploy's code for a deployment that it does not know, here also of one that an answer leaves out.
pub const UNKNOWN: &str = "DeploymentDoesNotExistException";

/// The deployer.
#[derive(Clone, Debug)]
pub struct CodeDeploy {
    client: Client<Api>,
    /// Between two attempts of what the SDK must not repeat by itself.
    pause: Duration,
}

/// What CodeDeploy made of a request to deploy again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RedeployAnswer {
    /// It made this deployment.
    Created(ReleaseId),
    /// Another deployment of the group runs: one at a time.
    GroupIsBusy,
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
        let pause = config.retry_config().map_or(Duration::ZERO, RetryConfig::initial_backoff);
        Self { client: Client::of(config), pause }
    }

    /// Makes the client now, before anybody waits for it, and says where it will call.
    pub fn ready(&self) -> Option<String> {
        self.client.ready()
    }

    /// One deployment, as it is now.
    ///
    /// # Errors
    /// When CodeDeploy does not tell, or leaves out what every deployment has.
    pub async fn deployment(&self, id: &ReleaseId) -> Result<Release, AwsError> {
        const OPERATION: &str = "codedeploy:GetDeployment";
        let output = GetDeploymentInput::builder()
            .deployment_id(id.as_str())
            .sent_by(&self.client)
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
    pub async fn running(&self, group: &DeploymentGroup) -> Result<Option<Release>, AwsError> {
        let under_way =
            vec![Status::Created, Status::Queued, Status::InProgress, Status::Baking, Status::Ready];
        let ids = self.listed(group, Some(under_way), None).await?;
        let mut running = self.described(&ids).await?;
        running.retain(Release::is_release);
        running.sort_by_key(|deployment| {
            let waits = matches!(deployment.status, ReleaseStatus::Created | ReleaseStatus::Queued);
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
    ) -> Result<Option<Release>, AwsError> {
        let start = before.checked_sub(SignedDuration::from_hours(72)).unwrap_or(Timestamp::MIN);
        Ok(self.releases_between(group, start, before).await?.pop())
    }

    /// The releases at a group that were created in a time, oldest first.
    ///
    /// # Errors
    /// When CodeDeploy does not tell.
    pub async fn releases_between(
        &self,
        group: &DeploymentGroup,
        start: Timestamp,
        end: Timestamp,
    ) -> Result<Vec<Release>, AwsError> {
        let range = TimeRange::builder().start(date_time(start)).end(date_time(end)).build();
        let ids = self.listed(group, None, Some(range)).await?;
        let mut deployments = self.described(&ids).await?;
        deployments.retain(|one| one.is_release() && one.created_at <= end);
        deployments.sort_by_key(|one| one.created_at);
        Ok(deployments)
    }

    async fn listed(
        &self,
        group: &DeploymentGroup,
        statuses: Option<Vec<Status>>,
        created: Option<TimeRange>,
    ) -> Result<Vec<ReleaseId>, AwsError> {
        const OPERATION: &str = "codedeploy:ListDeployments";
        let mut ids = Vec::new();
        let mut next = None;
        loop {
            let page = ListDeploymentsInput::builder()
                .application_name(&group.application)
                .deployment_group_name(&group.group)
                .set_include_only_statuses(statuses.clone())
                .set_create_time_range(created.clone())
                .set_next_token(next)
                .sent_by(&self.client)
                .await
                .map_err(|error| AwsError::from_sdk(OPERATION, group, &error))?;
            ids.extend(page.deployments().iter().map(|id| ReleaseId::from(id.as_str())));
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
    ) -> Result<(Option<ReleaseId>, Option<ReleaseId>), AwsError> {
        const OPERATION: &str = "codedeploy:GetDeploymentGroup";
        let output = GetDeploymentGroupInput::builder()
            .application_name(&group.application)
            .deployment_group_name(&group.group)
            .sent_by(&self.client)
            .await
            .map_err(|error| AwsError::from_sdk(OPERATION, group, &error))?;
        let described = output
            .deployment_group_info
            .ok_or_else(|| AwsError::unreadable(OPERATION, group, "the answer describes no group"))?;
        let id = |last: Option<&aws_sdk_codedeploy::types::LastDeploymentInfo>| {
            last.and_then(|last| last.deployment_id()).map(ReleaseId::from)
        };
        Ok((id(described.last_attempted_deployment()), id(described.last_successful_deployment())))
    }

    /// The ECS service that a group deploys, by its cluster's name and its own; none for a group of another platform.
    ///
    /// # Errors
    /// When CodeDeploy does not tell.
    pub async fn ecs_service(&self, group: &DeploymentGroup) -> Result<Option<(String, String)>, AwsError> {
        const OPERATION: &str = "codedeploy:GetDeploymentGroup";
        let output = GetDeploymentGroupInput::builder()
            .application_name(&group.application)
            .deployment_group_name(&group.group)
            .sent_by(&self.client)
            .await
            .map_err(|error| AwsError::from_sdk(OPERATION, group, &error))?;
        let described = output.deployment_group_info;
        let service = described.as_ref().and_then(|described| described.ecs_services().first());
        Ok(service.and_then(|service| {
            Some((service.cluster_name()?.to_owned(), service.service_name()?.to_owned()))
        }))
    }

    /// Several deployments at once, 25 a call (its limit).
    ///
    /// # Errors
    /// When CodeDeploy does not tell, or one cannot be read, or is left out of the answer ([`UNKNOWN`]). The last two count
    /// as refusals: it did answer.
    pub async fn described(&self, ids: &[ReleaseId]) -> Result<Vec<Release>, AwsError> {
        const OPERATION: &str = "codedeploy:BatchGetDeployments";
        let mut described: Vec<Release> = Vec::new();
        for batch in ids.chunks(25) {
            let subject = batch.iter().map(ReleaseId::as_str).collect::<Vec<_>>().join(", ");
            let output = BatchGetDeploymentsInput::builder()
                .set_deployment_ids(Some(batch.iter().map(ToString::to_string).collect()))
                .sent_by(&self.client)
                .await
                .map_err(|error| AwsError::from_sdk(OPERATION, &subject, &error))?;
            for info in output.deployments_info() {
                let one = deployment(OPERATION, info);
                described.push(one.map_err(|unreadable| AwsError { refused: true, ..unreadable })?);
            }
        }
        match ids.iter().find(|id| !described.iter().any(|deployment| deployment.id == **id)) {
            None => Ok(described),
            Some(absent) => {
                let unreadable = AwsError::unreadable(OPERATION, absent, "the answer does not describe it");
                Err(AwsError { refused: true, code: Some(UNKNOWN.to_owned()), ..unreadable })
            }
        }
    }

    /// What the deployment's target tells: which lifecycle event is in progress, and the traffic's share.
    /// Two calls. A Lambda or ECS deployment has one target.
    ///
    /// # Errors
    /// When CodeDeploy does not tell.
    pub async fn target(&self, id: &ReleaseId) -> Result<TargetState, AwsError> {
        const LIST: &str = "codedeploy:ListDeploymentTargets";
        const GET: &str = "codedeploy:GetDeploymentTarget";
        let listed = ListDeploymentTargetsInput::builder()
            .deployment_id(id.as_str())
            .sent_by(&self.client)
            .await
            .map_err(|error| AwsError::from_sdk(LIST, id, &error))?;
        let target = listed
            .target_ids()
            .first()
            .ok_or_else(|| AwsError::unreadable(LIST, id, "the deployment has no target yet"))?;
        let output = GetDeploymentTargetInput::builder()
            .deployment_id(id.as_str())
            .target_id(target)
            .sent_by(&self.client)
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
    pub async fn stop(&self, id: &ReleaseId, auto_rollback: bool) -> Result<StopAnswer, AwsError> {
        const OPERATION: &str = "codedeploy:StopDeployment";
        let sent = StopDeploymentInput::builder()
            .deployment_id(id.as_str())
            .auto_rollback_enabled(auto_rollback)
            .sent_by(&self.client)
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

    /// The text of an AppSpec, by its hash: a deployment's description never has it.
    ///
    /// # Errors
    /// When CodeDeploy does not tell; `RevisionDoesNotExistException` when it is gone.
    pub async fn app_spec(&self, group: &DeploymentGroup, sha256: &str) -> Result<String, AwsError> {
        const OPERATION: &str = "codedeploy:GetApplicationRevision";
        let asked = RevisionLocation::builder()
            .revision_type(RevisionLocationType::AppSpecContent)
            .app_spec_content(AppSpecContent::builder().sha256(sha256).build())
            .build();
        let output = GetApplicationRevisionInput::builder()
            .application_name(&group.application)
            .revision(asked)
            .sent_by(&self.client)
            .await
            .map_err(|error| AwsError::from_sdk(OPERATION, group, &error))?;
        output
            .revision()
            .and_then(|revision| revision.app_spec_content())
            .and_then(|content| content.content())
            .map(str::to_owned)
            .ok_or_else(|| AwsError::unreadable(OPERATION, group, "the answer has no text"))
    }

    /// The deployments of a group that ended well and were created from `since` on and before `before`, newest first.
    /// CodeDeploy lists by time, not by count, and in no order that it promises.
    ///
    /// # Errors
    /// When CodeDeploy does not tell.
    pub async fn succeeded_between(
        &self,
        group: &DeploymentGroup,
        since: Timestamp,
        before: Timestamp,
    ) -> Result<Vec<Release>, AwsError> {
        let range = TimeRange::builder().start(date_time(since)).end(date_time(before)).build();
        let ids = self.listed(group, Some(vec![Status::Succeeded]), Some(range)).await?;
        let mut found = self.described(&ids).await?;
        found.retain(|release| {
            release.is_release() && since <= release.created_at && release.created_at < before
        });
        found.sort_by_key(|release| std::cmp::Reverse(release.created_at));
        Ok(found)
    }

    /// The deployment by which Belay takes a release back, if there is one: its description names the release.
    /// CreateDeployment has no token, so this is how anybody can tell whether it happened.
    ///
    /// # Errors
    /// When CodeDeploy does not tell.
    pub async fn undoing(
        &self,
        group: &DeploymentGroup,
        release: &ReleaseId,
        since: Timestamp,
    ) -> Result<Option<Release>, AwsError> {
        let range = TimeRange::builder().start(date_time(since)).build();
        let ids = self.listed(group, None, Some(range)).await?;
        let mut found = self.described(&ids).await?;
        found.retain(|made| {
            made.description.as_deref().and_then(taken_back_by_description).as_ref() == Some(release)
        });
        found.sort_by_key(|made| made.created_at);
        Ok(found.into_iter().next())
    }

    /// Deploys again what ran before `release`. The group's alarms are switched off for this one deployment, since an
    /// alarm that is red already would stop it at once, and so is its own automatic rollback.
    ///
    /// CreateDeployment is not idempotent. So it is sent once: only a call that CodeDeploy refused for its rate is
    /// sent again, because nothing came of it.
    ///
    /// # Errors
    /// When CodeDeploy refused, or when nobody knows whether it did: `refused` tells the two apart.
    pub async fn redeploy(
        &self,
        release: &ReleaseId,
        redeploy: &Redeploy,
    ) -> Result<RedeployAnswer, AwsError> {
        const OPERATION: &str = "codedeploy:CreateDeployment";
        let revision = location(&redeploy.revision).ok_or_else(|| {
            AwsError::unreadable(OPERATION, release, "the revision cannot be deployed again")
        })?;
        let mut attempts = 1;
        loop {
            let sent = CreateDeploymentInput::builder()
                .application_name(&redeploy.group.application)
                .deployment_group_name(&redeploy.group.group)
                .set_deployment_config_name(redeploy.config.clone())
                .revision(revision.clone())
                .description(undo_description(release))
                .override_alarm_configuration(AlarmConfiguration::builder().enabled(false).build())
                .auto_rollback_configuration(AutoRollbackConfiguration::builder().enabled(false).build())
                .sent_by(&self.client.once())
                .await;
            match sent {
                Ok(output) => {
                    return output.deployment_id().map(|id| RedeployAnswer::Created(id.into())).ok_or_else(
                        || AwsError::unreadable(OPERATION, release, "the answer names no deployment"),
                    );
                }
                Err(error) => {
                    let error = AwsError::from_sdk(OPERATION, release, &error);
                    if error.is("DeploymentLimitExceededException") {
                        return Ok(RedeployAnswer::GroupIsBusy);
                    }
                    if !error.is_throttling() || attempts == 3 {
                        return Err(error);
                    }
                }
            }
            tokio::time::sleep(self.pause * attempts).await;
            attempts += 1;
        }
    }

    /// Answers a lifecycle hook.
    ///
    /// # Errors
    /// When CodeDeploy did not take it. That it has an answer already is success.
    pub async fn answer(
        &self,
        deployment: &ReleaseId,
        execution: &HookExecutionId,
        answer: HookAnswer,
    ) -> Result<AnswerAccepted, AwsError> {
        const OPERATION: &str = "codedeploy:PutLifecycleEventHookExecutionStatus";
        let sent = PutLifecycleEventHookExecutionStatusInput::builder()
            .deployment_id(deployment.as_str())
            .lifecycle_event_hook_execution_id(execution.as_str())
            .status(match answer {
                HookAnswer::Succeeded => LifecycleEventStatus::Succeeded,
                HookAnswer::Failed => LifecycleEventStatus::Failed,
            })
            // An unanswered hook hangs for an hour: this call is worth more patience than the others.
            .sent_by(&self.client.trying(retries().with_max_attempts(6)))
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
fn deployment(operation: &'static str, info: &DeploymentInfo) -> Result<Release, AwsError> {
    let id = info.deployment_id().unwrap_or("a deployment without an id");
    let lacks = |what: &str| AwsError::unreadable(operation, id, format!("the answer has no {what}"));
    let rollback = info.rollback_info();
    Ok(Release {
        id: info.deployment_id().ok_or_else(|| lacks("deploymentId"))?.into(),
        place: Place::Group(DeploymentGroup {
            application: info.application_name().ok_or_else(|| lacks("applicationName"))?.to_owned(),
            group: info.deployment_group_name().ok_or_else(|| lacks("deploymentGroupName"))?.to_owned(),
        }),
        platform: match info.compute_platform() {
            Some(ComputePlatform::Lambda) => Platform::Lambda,
            Some(ComputePlatform::Ecs) => Platform::Ecs,
            Some(ComputePlatform::Server) => Platform::Server,
            Some(other) => Platform::Unrecognised(other.as_str().to_owned()),
            None => Platform::Unrecognised("no platform".to_owned()),
        },
        status: match info.status() {
            Some(Status::Created) => ReleaseStatus::Created,
            Some(Status::Queued) => ReleaseStatus::Queued,
            Some(Status::InProgress) => ReleaseStatus::InProgress,
            Some(Status::Baking) => ReleaseStatus::Baking,
            Some(Status::Ready) => ReleaseStatus::Ready,
            Some(Status::Succeeded) => ReleaseStatus::Succeeded,
            Some(Status::Failed) => ReleaseStatus::Failed,
            Some(Status::Stopped) => ReleaseStatus::Stopped,
            Some(other) => ReleaseStatus::Unrecognised(other.as_str().to_owned()),
            None => return Err(lacks("status")),
        },
        created_at: info.create_time().and_then(timestamp).ok_or_else(|| lacks("createTime"))?,
        completed_at: info.complete_time().and_then(timestamp),
        creator: info.creator().map_or_else(String::new, |creator| creator.as_str().to_owned()),
        rolls_back: rollback
            .and_then(|rollback| rollback.rollback_triggering_deployment_id())
            .filter(|of| !of.is_empty())
            .map(ReleaseId::from)
            .or_else(|| info.description().and_then(taken_back_by_description)),
        rolled_back_by: rollback
            .and_then(|rollback| rollback.rollback_deployment_id())
            .filter(|by| !by.is_empty())
            .map(ReleaseId::from),
        error: info.error_information().and_then(|error| {
            Some(ReleaseError {
                code: error.code()?.as_str().to_owned(),
                message: error.message().unwrap_or_default().to_owned(),
            })
        }),
        revision: info
            .revision()
            .map_or_else(|| Revision::Named("a revision it does not name".to_owned()), revision),
        description: info.description().map(str::to_owned),
        // CodeDeploy says what kind of thing created a deployment, and not who.
        change: Change {
            message: info.description().filter(|text| !text.is_empty()).map(str::to_owned),
            requested_by: info.description().and_then(requested_by).into_iter().collect(),
            ..Change::default()
        },
        again: None,
        course: None,
        released_nothing: false,
    })
}

/// A revision. CodeDeploy withholds the text of an AppSpec here and gives its hash.
fn revision(revision: &RevisionLocation) -> Revision {
    if let Some(s3) = revision.s3_location() {
        return Revision::S3 {
            bucket: s3.bucket().unwrap_or_default().to_owned(),
            key: s3.key().unwrap_or_default().to_owned(),
            bundle_type: s3.bundle_type().map(|kind| kind.as_str().to_owned()),
            version: s3.version().map(str::to_owned),
            e_tag: s3.e_tag().map(str::to_owned),
        };
    }
    if let Some(github) = revision.git_hub_location() {
        return Revision::GitHub {
            repository: github.repository().unwrap_or_default().to_owned(),
            commit: github.commit_id().unwrap_or_default().to_owned(),
        };
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

/// A revision as CreateDeployment takes it; `None` for one that it does not.
fn location(sent: &Sent) -> Option<RevisionLocation> {
    let builder = RevisionLocation::builder();
    Some(match sent {
        Sent::AppSpec(text) => builder
            .revision_type(RevisionLocationType::AppSpecContent)
            .app_spec_content(AppSpecContent::builder().content(text).build())
            .build(),
        Sent::Location(Revision::S3 { bucket, key, bundle_type, version, e_tag }) => builder
            .revision_type(RevisionLocationType::S3)
            .s3_location(
                S3Location::builder()
                    .bucket(bucket)
                    .key(key)
                    .set_bundle_type(bundle_type.as_deref().map(BundleType::from))
                    .set_version(version.clone())
                    .set_e_tag(e_tag.clone())
                    .build(),
            )
            .build(),
        Sent::Location(Revision::GitHub { repository, commit }) => builder
            .revision_type(RevisionLocationType::GitHub)
            .git_hub_location(GitHubLocation::builder().repository(repository).commit_id(commit).build())
            .build(),
        Sent::Location(Revision::Named(_) | Revision::AppSpec { .. }) => return None,
    })
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
