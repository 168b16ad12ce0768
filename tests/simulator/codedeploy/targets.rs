//! Deployment targets and their lifecycle events: read, and answered by hooks.

use serde_json::{Value, json};

use super::deployment::Deployment;
use super::lifecycle::EventStatus;
use crate::refusal::{Answer, Refusal, only_modelled};
use crate::wire::texts;
use crate::world::World;

impl World {
    fn started_deployment(&self, input: &Value) -> Result<&Deployment, Refusal> {
        let deployment = self.asked_deployment(input)?;
        if deployment.started.is_none() {
            return Err(Refusal::new(
                "DeploymentNotStartedException",
                "The specified deployment has not started.",
            ));
        }
        Ok(deployment)
    }

    pub(super) fn list_deployment_targets(&self, input: &Value) -> Answer {
        only_modelled(&input["targetFilters"], &["ServerInstanceLabel"])?;
        let deployment = self.started_deployment(input)?;
        let target = deployment.target_id(&self.code_deploy.group(&deployment.group).settings);
        // Without a filter, any status will do.
        let wanted = texts(&input["targetFilters"]["TargetStatus"]);
        let shown = self.shown_target(deployment, &target)?;
        let status = shown.as_object().into_iter().flatten().find_map(|(_, of)| of["status"].as_str());
        let fits = wanted.is_empty() || status.is_some_and(|status| wanted.contains(&status));
        let listed: &[String] = if fits { &[target] } else { &[] };
        Ok(json!({ "targetIds": listed }))
    }

    fn shown_target(&self, deployment: &Deployment, target: &str) -> Answer {
        let group = self.code_deploy.group(&deployment.group);
        if target == deployment.target_id(&group.settings) {
            Ok(deployment.target_to_wire(group))
        } else {
            Err(Refusal::new(
                "DeploymentTargetDoesNotExistException",
                "The provided target ID does not belong to the attempted deployment.",
            ))
        }
    }

    pub(super) fn get_deployment_target(&self, input: &Value) -> Answer {
        let deployment = self.started_deployment(input)?;
        let target = input["targetId"].as_str().ok_or_else(target_required)?;
        Ok(json!({ "deploymentTarget": self.shown_target(deployment, target)? }))
    }

    pub(super) fn batch_get_deployment_targets(&self, input: &Value) -> Answer {
        let deployment = self.started_deployment(input)?;
        let targets = texts(&input["targetIds"]);
        if targets.is_empty() {
            return Err(target_required());
        }
        if targets.len() > 25 {
            return Err(Refusal::new(
                "DeploymentTargetListSizeExceededException",
                "The maximum number of targets that can be associated with this request is 25.",
            ));
        }
        let shown = targets
            .iter()
            .map(|target| self.shown_target(deployment, target))
            .collect::<Result<Vec<Value>, Refusal>>()?;
        Ok(json!({ "deploymentTargets": shown }))
    }

    pub(super) fn put_hook_status(&mut self, input: &Value) -> Answer {
        let deployment = self.asked_deployment(input)?;
        let id = deployment.id.clone();
        let execution = input["lifecycleEventHookExecutionId"].as_str().unwrap_or_default().to_owned();
        let index = deployment
            .events
            .iter()
            .position(|event| event.hook_execution.as_deref() == Some(execution.as_str()))
            .ok_or_else(|| {
                Refusal::new(
                    "InvalidLifecycleEventHookExecutionIdException",
                    "The lifecycle event hook execution ID is invalid.",
                )
            })?;
        // The enumeration has six values; these two are accepted.
        let status = match input["status"].as_str() {
            Some("Succeeded") => EventStatus::Succeeded,
            Some("Failed") => EventStatus::Failed,
            Some(_) | None => {
                return Err(Refusal::new(
                    "InvalidLifecycleEventHookExecutionStatusException",
                    "The result of a Lambda validation function that verifies a lifecycle event is invalid. It should return Succeeded or Failed.",
                ));
            }
        };
        if deployment.events[index].status != EventStatus::InProgress {
            return Err(Refusal::new(
                "LifecycleEventAlreadyCompletedException",
                "An attempt to return the status of an already completed lifecycle event occurred.",
            ));
        }
        if status == EventStatus::Failed {
            self.fail_hook(&id);
        } else {
            self.set_event(&id, index, status);
        }
        Ok(json!({ "lifecycleEventHookExecutionId": execution }))
    }
}

fn target_required() -> Refusal {
    Refusal::new("DeploymentTargetIdRequiredException", "A deployment target ID was not provided.")
}
