//! Stopping, failing, rolling back.

use super::deployment::{Deployment, DeploymentStatus};
use super::group::Platform;
use super::lifecycle::EventStatus;
use super::revision::Revision;
use super::shifting::Shifting;
use super::starting::Wishes;
use crate::timeline::What;
use crate::world::World;

/// Why a deployment ends before its time.
#[derive(Debug, Clone)]
pub(crate) struct Ending {
    pub(crate) status: DeploymentStatus,
    /// One of the API's error codes.
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) roll_back: bool,
}

impl World {
    /// Ends a deployment early. The interrupted lifecycle event becomes Failed, the remaining ones
    /// Skipped (observed on Lambda and ECS); then the rollback, if one is wanted and possible.
    pub(crate) fn end_early(&mut self, id: &str, ending: Ending) {
        let now = self.now;
        let wanted = ending.roll_back && !self.code_deploy.forgets_rollbacks;
        let deployment = self.deployment_mut(id);
        let rollback = if wanted { what_to_roll_back_to(deployment) } else { None };
        deployment.status = ending.status;
        deployment.error = Some((ending.code, ending.message));
        deployment.completed = Some(now);
        deployment.last_updated = now;
        deployment.stop_request = None;
        let mut changed = Vec::new();
        for event in &mut deployment.events {
            let status = match event.status {
                EventStatus::InProgress => EventStatus::Failed,
                EventStatus::Pending => EventStatus::Skipped,
                EventStatus::Succeeded | EventStatus::Failed | EventStatus::Skipped => continue,
            };
            event.status = status;
            if status == EventStatus::Failed {
                event.ended = Some(now);
            }
            changed.push((event.name, status));
        }
        let group = deployment.group.clone();
        let platform = deployment.platform;
        for (event, status) in changed {
            self.happened(What::LifecycleEvent {
                id: id.to_owned(),
                event: event.to_owned(),
                status: status.name().to_owned(),
            });
        }
        self.emit_deployment_event(id, event_word(ending.status));
        if let Some(good) = rollback {
            self.roll_back(id, &group, platform, good);
        }
    }

    /// A rollback is a deployment of its own with its own events, by `codeDeployRollback`, and on ECS
    /// with CodeDeployDefault.ECSAllAtOnce whatever the group says (observed; that Lambda's is
    /// LambdaAllAtOnce likewise is inferred from its speed).
    fn roll_back(&mut self, failed: &str, group: &str, platform: Platform, good: Revision) {
        let config = match platform {
            Platform::Lambda | Platform::Ecs => {
                Some((Shifting::AllAtOnce.config_name(platform), Shifting::AllAtOnce))
            }
            Platform::Server => None,
        };
        let wishes = Wishes {
            creator: Some("codeDeployRollback".to_owned()),
            auto_rollback: Some(self.code_deploy.deployments[failed].auto_rollback.clone()),
            config,
            rolls_back: Some(failed.to_owned()),
            ..Wishes::default()
        };
        let now = self.now;
        let rollback = self.add_deployment(group, good, wishes, now);
        self.deployment_mut(failed).rollback = Some(rollback);
    }
}

/// The revision of the last successful deployment, unless there is none (a first deployment), the
/// deployment is itself a rollback, or an ECS deployment has not got past BeforeInstall, where "there
/// is nothing yet to roll back" (User Guide, "AppSpec hooks section").
fn what_to_roll_back_to(deployment: &Deployment) -> Option<Revision> {
    if deployment.is_rollback() {
        return None;
    }
    let past_before_install = match deployment.platform {
        Platform::Lambda | Platform::Server => true,
        Platform::Ecs => {
            deployment.events.first().is_some_and(|event| event.status == EventStatus::Succeeded)
        }
    };
    deployment.previous_revision.clone().filter(|_| past_before_install)
}

/// The words of events differ from those of the API.
pub(crate) fn event_word(status: DeploymentStatus) -> &'static str {
    match status {
        DeploymentStatus::Created | DeploymentStatus::InProgress => "START",
        DeploymentStatus::Succeeded => "SUCCESS",
        DeploymentStatus::Failed => "FAILURE",
        DeploymentStatus::Stopped => "STOP",
    }
}
