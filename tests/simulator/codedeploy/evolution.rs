//! Deployments moving through time.

use serde_json::json;

use super::deployment::DeploymentStatus;
use super::group::Platform;
use super::lifecycle::{self, EventStatus, HOOK_LIMIT_SECONDS, ROLLBACK_SECONDS};
use super::revision::version_of;
use super::undoing::Ending;
use crate::stamps::{minutes, seconds};
use crate::timeline::What;
use crate::world::World;

/// A stop answered with Pending takes effect after this long. Invented: AWS says only "later".
const STOP_PENDING_SECONDS: i64 = 10;

impl World {
    /// Moves every deployment to the present.
    pub(crate) fn evolve_deployments(&mut self) {
        // By index: ending a deployment may append its rollback, which starts at the next tick.
        for index in 0..self.code_deploy.order.len() {
            let id = self.code_deploy.order[index].clone();
            self.evolve(&id);
        }
    }

    fn evolve(&mut self, id: &str) {
        let deployment = &self.code_deploy.deployments[id];
        match deployment.status {
            DeploymentStatus::Created => {
                if self.now > deployment.created {
                    self.begin(id);
                }
            }
            DeploymentStatus::InProgress => {}
            DeploymentStatus::Succeeded | DeploymentStatus::Failed | DeploymentStatus::Stopped => {
                return;
            }
        }
        if self.stop_if_asked(id) || self.stop_if_alarmed(id) {
            return;
        }
        while self.code_deploy.deployments[id].status == DeploymentStatus::InProgress
            && self.evolve_lifecycle(id)
        {}
    }

    fn begin(&mut self, id: &str) {
        let now = self.now;
        let deployment = self.deployment_mut(id);
        deployment.status = DeploymentStatus::InProgress;
        deployment.started = Some(now);
        deployment.last_updated = now;
        self.emit_deployment_event(id, "START");
        let fails_at_once = self.code_deploy.deployments[id]
            .failure
            .as_ref()
            .is_some_and(|failure| failure.events.is_empty());
        if fails_at_once {
            self.fail_as_scripted(id);
            return;
        }
        if let Some(message) = self.alias_refuses(id) {
            self.end_early(
                id,
                Ending {
                    status: DeploymentStatus::Failed,
                    // The pairing of code and cause is inferred from the code's name.
                    code: "INVALID_LAMBDA_CONFIGURATION".to_owned(),
                    message,
                    // Nothing was moved, so there is nothing to move back.
                    roll_back: false,
                },
            );
        }
    }

    /// Lambda: the AppSpec must name the version that the alias serves, and the alias must serve one
    /// version only; else the deployment fails (User Guide, "Troubleshoot Lambda deployment issues").
    fn alias_refuses(&self, id: &str) -> Option<String> {
        let deployment = &self.code_deploy.deployments[id];
        if deployment.platform != Platform::Lambda || deployment.is_rollback() {
            return None;
        }
        let routing = &self.code_deploy.group(&deployment.group).routing;
        let serves = version_of(&routing.old);
        let named = deployment.revision.spec.current_version.as_deref()?;
        if routing.new.is_some() {
            Some("The Lambda alias points to more than one version.".to_owned())
        } else if named != serves {
            Some(format!(
                "The current version {named} of the AppSpec is not the version {serves} that the alias serves."
            ))
        } else {
            None
        }
    }

    fn stop_if_asked(&mut self, id: &str) -> bool {
        let Some(request) = self.code_deploy.deployments[id].stop_request else {
            return false;
        };
        if self.now < request.at + seconds(STOP_PENDING_SECONDS) {
            return false;
        }
        self.stop_by_hand(id, request.roll_back);
        true
    }

    pub(crate) fn stop_by_hand(&mut self, id: &str, roll_back: bool) {
        self.end_early(
            id,
            Ending {
                status: DeploymentStatus::Stopped,
                code: "MANUAL_STOP".to_owned(),
                message: "The deployment was stopped by a request.".to_owned(),
                roll_back,
            },
        );
    }

    /// The group's own alarms stop a deployment, also when they were in ALARM before it began: Lambda
    /// within a second of creation, ECS during Install (both observed). Rollbacks went through while
    /// the alarm was still firing (observed).
    fn stop_if_alarmed(&mut self, id: &str) -> bool {
        let deployment = &self.code_deploy.deployments[id];
        if deployment.is_rollback() || deployment.status != DeploymentStatus::InProgress {
            return false;
        }
        let too_early = match deployment.platform {
            Platform::Ecs => deployment.events[0].status != EventStatus::Succeeded,
            Platform::Lambda | Platform::Server => false,
        };
        if too_early {
            return false;
        }
        let alarms = match &deployment.override_alarms {
            Some(alarms) => alarms,
            None => &self.code_deploy.group(&deployment.group).settings.alarms,
        };
        if !alarms.enabled {
            return false;
        }
        // A state that cannot be read stops the deployment too, unless the group ignores that; with
        // which error code is not documented, so a script must not come here by mistake.
        for name in &alarms.names {
            assert!(
                alarms.ignore_poll_failure || self.cloud_watch.alarms.contains_key(name),
                "the group {:?} watches {name:?}, an alarm that was not created",
                deployment.group
            );
        }
        let firing: Vec<String> = alarms
            .names
            .iter()
            .filter(|name| self.cloud_watch.is_in_alarm(name))
            .map(|name| format!("<{name}>"))
            .collect();
        if firing.is_empty() {
            return false;
        }
        let roll_back = deployment.auto_rollback.covers("DEPLOYMENT_STOP_ON_ALARM");
        self.end_early(
            id,
            Ending {
                status: DeploymentStatus::Stopped,
                code: "ALARM_ACTIVE".to_owned(),
                message: format!(
                    "One or more alarms have been activated according to the Amazon CloudWatch metrics you selected, and the affected deployments have been stopped. Activated alarms: {}",
                    firing.join(" ")
                ),
                roll_back,
            },
        );
        true
    }

    /// Takes one step; true if another may follow at the same moment.
    fn evolve_lifecycle(&mut self, id: &str) -> bool {
        let now = self.now;
        let deployment = &self.code_deploy.deployments[id];
        let Some(index) = deployment.current_event() else {
            self.finish(id);
            return false;
        };
        let (platform, is_rollback) = (deployment.platform, deployment.is_rollback());
        let event = deployment.events[index].clone();
        match event.status {
            EventStatus::Pending => {
                self.set_event(id, index, EventStatus::InProgress);
                if let Some(function) = event.hook {
                    self.call_hook(id, index, &function);
                }
                true
            }
            EventStatus::InProgress => {
                let began = event.started.unwrap_or(now);
                let elapsed = now.duration_since(began).as_secs();
                match self.scripted_end(id, event.name, elapsed) {
                    Some(true) => {
                        self.fail_as_scripted(id);
                        return false;
                    }
                    Some(false) => return false,
                    None => {}
                }
                if event.hook.is_some() {
                    // Answers arrive through the API; silence ends here.
                    if elapsed >= HOOK_LIMIT_SECONDS {
                        self.fail_hook(id);
                    }
                    return false;
                }
                let wait = if lifecycle::moves_traffic(platform, event.name) {
                    if !self.move_traffic(id, elapsed) {
                        return false;
                    }
                    lifecycle::seconds_of(platform, event.name)
                } else if is_rollback && platform != Platform::Server {
                    // "Nothing new is created": an ECS rollback points back at the original task set.
                    0
                } else {
                    lifecycle::seconds_of(platform, event.name)
                };
                if elapsed < wait {
                    return false;
                }
                self.set_event(id, index, EventStatus::Succeeded);
                true
            }
            EventStatus::Succeeded | EventStatus::Failed | EventStatus::Skipped => false,
        }
    }

    /// Moves users as far as they should have got by now; true when all have arrived.
    fn move_traffic(&mut self, id: &str, elapsed: i64) -> bool {
        let deployment = &self.code_deploy.deployments[id];
        let (group, label) = (deployment.group.clone(), deployment.label.clone());
        let since_creation = self.now.duration_since(deployment.created).as_secs();
        let at_once = deployment.is_rollback() && deployment.platform != Platform::Server;
        let percent = deployment.shifting.percent_after(elapsed);
        let routing = &mut self.group_mut(&group).routing;
        if at_once {
            if since_creation < ROLLBACK_SECONDS {
                return false;
            }
            routing.old = label;
            routing.new = None;
            return true;
        }
        routing.new = Some((label, percent));
        percent >= 100
    }

    fn finish(&mut self, id: &str) {
        let now = self.now;
        let deployment = &self.code_deploy.deployments[id];
        let (group, label) = (deployment.group.clone(), deployment.label.clone());
        let wait = self.code_deploy.group(&group).settings.termination_wait_minutes;
        if deployment.platform == Platform::Ecs && !deployment.is_rollback() && wait > 0 {
            // All events have succeeded and the weight is 100, yet the deployment stays InProgress
            // until the original task set may go (observed).
            let deployment = self.deployment_mut(id);
            let since = *deployment.termination_wait_since.get_or_insert(now);
            if now < since + minutes(i64::from(wait)) {
                return;
            }
        }
        let routing = &mut self.group_mut(&group).routing;
        routing.old = label;
        routing.new = None;
        let deployment = self.deployment_mut(id);
        deployment.status = DeploymentStatus::Succeeded;
        deployment.completed = Some(now);
        deployment.last_updated = now;
        self.emit_deployment_event(id, "SUCCESS");
    }

    pub(crate) fn set_event(&mut self, id: &str, index: usize, status: EventStatus) {
        let now = self.now;
        let deployment = self.deployment_mut(id);
        deployment.last_updated = now;
        let event = &mut deployment.events[index];
        event.status = status;
        match status {
            EventStatus::InProgress => event.started = Some(now),
            EventStatus::Succeeded | EventStatus::Failed => event.ended = Some(now),
            EventStatus::Pending | EventStatus::Skipped => {}
        }
        let name = event.name;
        self.happened(What::LifecycleEvent {
            id: id.to_owned(),
            event: name.to_owned(),
            status: status.name().to_owned(),
        });
    }

    /// Invokes the function with the two ids and nothing else (User Guide, "AppSpec hooks section").
    fn call_hook(&mut self, id: &str, index: usize, function: &str) {
        let execution = self.chance.hook_execution_id();
        self.deployment_mut(id).events[index].hook_execution = Some(execution.clone());
        self.happened(What::HookCalled {
            id: id.to_owned(),
            event: self.code_deploy.deployments[id].events[index].name.to_owned(),
            execution: execution.clone(),
        });
        let payload = json!({ "DeploymentId": id, "LifecycleEventHookExecutionId": execution });
        self.invoke_hook(function, &payload);
    }

    /// A hook answered Failed, or not at all for an hour.
    pub(crate) fn fail_hook(&mut self, id: &str) {
        let roll_back = self.code_deploy.deployments[id].auto_rollback.covers("DEPLOYMENT_FAILURE");
        self.end_early(
            id,
            Ending {
                status: DeploymentStatus::Failed,
                code: "HOOK_EXECUTION_FAILURE".to_owned(),
                message: "A lifecycle event hook did not succeed.".to_owned(),
                roll_back,
            },
        );
    }
}
