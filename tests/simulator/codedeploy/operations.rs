//! CodeDeploy's API, operation by operation. Limits and error names are those of the botocore model.

use serde_json::{Value, json};

use super::StopAnswer;
use super::deployment::{Deployment, StopRequest, blue_green, style};
use super::group::{AutoRollback, GroupAlarms, GroupState, Platform};
use super::shifting::Shifting;
use super::starting::Wishes;
use crate::refusal::{Answer, Refusal, only_modelled};
use crate::stamps::epoch_seconds;
use crate::wire::texts;
use crate::world::World;

/// Members that must be false or absent for Lambda, and how a true one is refused.
const FOR_EC2_ONLY: [(&str, &str); 2] = [
    ("updateOutdatedInstancesOnly", "InvalidUpdateOutdatedInstancesOnlyValueException"),
    ("ignoreApplicationStopFailures", "InvalidIgnoreApplicationStopFailuresValueException"),
];

impl World {
    /// Answers an operation; `None` when it is not modelled.
    pub(crate) fn code_deploy(&mut self, operation: &str, input: &Value) -> Option<Answer> {
        Some(match operation {
            "GetDeployment" => self.get_deployment(input),
            "BatchGetDeployments" => self.batch_get_deployments(input),
            "ListDeployments" => self.list_deployments(input),
            "GetDeploymentGroup" => self.get_deployment_group(input),
            "CreateDeployment" => self.create_deployment_as_asked(input),
            "StopDeployment" => self.stop_deployment(input),
            "ListDeploymentTargets" => self.list_deployment_targets(input),
            "GetDeploymentTarget" => self.get_deployment_target(input),
            "BatchGetDeploymentTargets" => self.batch_get_deployment_targets(input),
            "PutLifecycleEventHookExecutionStatus" => self.put_hook_status(input),
            "GetApplicationRevision" => self.get_application_revision(input),
            _ => return None,
        })
    }

    pub(super) fn asked_deployment(&self, input: &Value) -> Result<&Deployment, Refusal> {
        let id = input["deploymentId"].as_str().ok_or_else(|| {
            Refusal::new("DeploymentIdRequiredException", "At least one deployment ID must be specified.")
        })?;
        self.code_deploy.deployments.get(id).ok_or_else(|| {
            Refusal::new("DeploymentDoesNotExistException", format!("The deployment {id} could not be found"))
        })
    }

    /// The group named by applicationName and deploymentGroupName, both required.
    pub(crate) fn asked_group(&self, input: &Value) -> Result<&GroupState, Refusal> {
        let application = self.asked_application(input)?;
        let group = input["deploymentGroupName"].as_str().ok_or_else(|| {
            Refusal::new(
                "DeploymentGroupNameRequiredException",
                "The deployment group name was not specified.",
            )
        })?;
        self.code_deploy
            .groups
            .get(group)
            .filter(|state| state.settings.application == application)
            .ok_or_else(|| {
                Refusal::new(
                    "DeploymentGroupDoesNotExistException",
                    format!("No Deployment Group found for name: {group}"),
                )
            })
    }

    fn asked_application<'a>(&self, input: &'a Value) -> Result<&'a str, Refusal> {
        let application = input["applicationName"].as_str().ok_or_else(|| {
            Refusal::new("ApplicationNameRequiredException", "The application name was not specified.")
        })?;
        if self.code_deploy.revisions.contains_key(application) {
            Ok(application)
        } else {
            Err(Refusal::new(
                "ApplicationDoesNotExistException",
                format!("No application found for name: {application}"),
            ))
        }
    }

    fn shown(&self, deployment: &Deployment) -> Value {
        deployment.to_wire(self.code_deploy.group(&deployment.group))
    }

    fn get_deployment(&self, input: &Value) -> Answer {
        let deployment = self.asked_deployment(input)?;
        Ok(json!({ "deploymentInfo": self.shown(deployment) }))
    }

    fn batch_get_deployments(&self, input: &Value) -> Answer {
        let ids = texts(&input["deploymentIds"]);
        if ids.is_empty() {
            return Err(Refusal::new(
                "DeploymentIdRequiredException",
                "At least one deployment ID must be specified.",
            ));
        }
        if ids.len() > 25 {
            return Err(Refusal::new(
                "BatchLimitExceededException",
                "The maximum number of names or IDs allowed for this request (25) was exceeded.",
            ));
        }
        let found: Vec<Value> = ids
            .iter()
            .filter_map(|id| self.code_deploy.deployments.get(*id))
            .map(|deployment| self.shown(deployment))
            .collect();
        Ok(json!({ "deploymentsInfo": found }))
    }

    fn get_deployment_group(&self, input: &Value) -> Answer {
        let group = self.asked_group(input)?;
        let settings = &group.settings;
        let mut shown = json!({
            "applicationName": settings.application,
            "deploymentGroupId": group.id,
            "deploymentGroupName": settings.name,
            "deploymentConfigName": settings.shifting.config_name(settings.platform),
            "serviceRoleArn": "arn:aws:iam::123456789012:role/code-deploy",
            "triggerConfigurations": [],
            "alarmConfiguration": settings.alarms.to_wire(),
            "autoRollbackConfiguration": settings.auto_rollback.to_wire(),
            "deploymentStyle": style(settings.platform),
            "outdatedInstancesStrategy": "UPDATE",
            "computePlatform": settings.platform.name(),
            "terminationHookEnabled": false,
        });
        if let Some(blue_green) = blue_green(group) {
            shown["blueGreenDeploymentConfiguration"] = blue_green;
            let (cluster, service) = settings.ecs_service();
            shown["ecsServices"] = json!([{ "serviceName": service, "clusterName": cluster }]);
        }
        if let Some(last) = self.code_deploy.last_successful(&settings.name) {
            shown["lastSuccessfulDeployment"] = last_deployment(last);
        }
        if let Some(id) = group.deployments.last() {
            let last = &self.code_deploy.deployments[id];
            shown["lastAttemptedDeployment"] = last_deployment(last);
            shown["targetRevision"] = last.revision.location.clone();
        }
        Ok(json!({ "deploymentGroupInfo": shown }))
    }

    fn create_deployment_as_asked(&mut self, input: &Value) -> Answer {
        only_modelled(input, &["targetInstances", "deploymentMode", "ec2DeploymentOptions"])?;
        let group = self.asked_group(input)?;
        let settings = group.settings.clone();
        for (member, code) in FOR_EC2_ONLY {
            if settings.platform == Platform::Lambda && input[member].as_bool() == Some(true) {
                return Err(Refusal::new(code, format!("{member} must be false.")));
            }
        }
        let description = input["description"].as_str().map(str::to_owned);
        if description.as_ref().is_some_and(|text| text.chars().count() > 256) {
            return Err(Refusal::new("DescriptionTooLongException", "The description is too long."));
        }
        if input["revision"].is_null() {
            return Err(Refusal::new("RevisionRequiredException", "The revision ID was not specified."));
        }
        let config = match input["deploymentConfigName"].as_str() {
            Some(name) if name == settings.shifting.config_name(settings.platform) => None,
            Some(name) => Some((
                name.to_owned(),
                Shifting::predefined(name, settings.platform).ok_or_else(|| {
                    Refusal::new(
                        "DeploymentConfigDoesNotExistException",
                        format!("No Deployment Configuration found for name: {name}"),
                    )
                })?,
            )),
            None => None,
        };
        let wishes = Wishes {
            creator: None,
            description,
            config,
            auto_rollback: asked_auto_rollback(&input["autoRollbackConfiguration"])?,
            override_alarms: asked_alarms(&input["overrideAlarmConfiguration"])?,
            rolls_back: None,
        };
        let now = self.now;
        let id = self.create_deployment(&settings.name, &input["revision"], None, wishes, now)?;
        Ok(json!({ "deploymentId": id }))
    }

    fn stop_deployment(&mut self, input: &Value) -> Answer {
        let deployment = self.asked_deployment(input)?;
        if deployment.status.is_over() {
            return Err(Refusal::new(
                "DeploymentAlreadyCompletedException",
                format!("The deployment {} has already completed", deployment.id),
            ));
        }
        let id = deployment.id.clone();
        let roll_back = input["autoRollbackEnabled"].as_bool().unwrap_or(false)
            || deployment.auto_rollback.covers("DEPLOYMENT_STOP_ON_REQUEST");
        let first_request = deployment.stop_request.is_none();
        match self.code_deploy.stop_answer {
            StopAnswer::Pending if first_request => {
                let at = self.now;
                self.deployment_mut(&id).stop_request = Some(StopRequest { roll_back, at });
                Ok(json!({ "status": "Pending", "statusMessage": "The stop request was accepted." }))
            }
            // "A later call will answer Succeeded."
            StopAnswer::Pending | StopAnswer::Succeeded => {
                self.stop_by_hand(&id, roll_back);
                Ok(json!({
                    "status": "Succeeded",
                    "statusMessage": "No more lifecycle events will be scheduled.",
                }))
            }
        }
    }

    fn get_application_revision(&self, input: &Value) -> Answer {
        let application = self.asked_application(input)?;
        let asked = &input["revision"];
        if asked.is_null() {
            return Err(Refusal::new("RevisionRequiredException", "The revision ID was not specified."));
        }
        let known = self.code_deploy.revisions[application].iter().find(|known| match asked["revisionType"]
            .as_str()
        {
            Some("AppSpecContent") => {
                known.content.is_some()
                    && known.location["appSpecContent"]["sha256"] == asked["appSpecContent"]["sha256"]
            }
            Some("S3") => {
                let (known, asked) = (&known.location["s3Location"], &asked["s3Location"]);
                known.is_object() && known["bucket"] == asked["bucket"] && known["key"] == asked["key"]
            }
            Some(_) | None => false,
        });
        let known = known.ok_or_else(|| {
            Refusal::new(
                "RevisionDoesNotExistException",
                "The named revision does not exist with the IAM user or AWS account.",
            )
        })?;
        let mut revision = known.location.clone();
        if let Some(content) = &known.content {
            revision["appSpecContent"]["content"] = json!(content);
        }
        Ok(json!({
            "applicationName": application,
            "revision": revision,
            "revisionInfo": {
                "deploymentGroups": known.groups,
                "firstUsedTime": epoch_seconds(known.first_used),
                "lastUsedTime": epoch_seconds(known.last_used),
                "registerTime": epoch_seconds(known.first_used),
            },
        }))
    }
}

fn last_deployment(deployment: &Deployment) -> Value {
    let mut shown = json!({
        "deploymentId": deployment.id,
        "status": deployment.status.name(),
        "createTime": epoch_seconds(deployment.created),
    });
    if let Some(at) = deployment.completed {
        shown["endTime"] = json!(epoch_seconds(at));
    }
    shown
}

fn asked_alarms(asked: &Value) -> Result<Option<GroupAlarms>, Refusal> {
    if asked.is_null() {
        return Ok(None);
    }
    let names: Vec<String> = asked["alarms"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|alarm| alarm["name"].as_str().unwrap_or_default().to_owned())
        .collect();
    let alarms = GroupAlarms {
        enabled: asked["enabled"].as_bool().unwrap_or(false),
        ignore_poll_failure: asked["ignorePollAlarmFailure"].as_bool().unwrap_or(false),
        names,
    };
    let repeated = (1..alarms.names.len()).any(|i| alarms.names[..i].contains(&alarms.names[i]));
    if repeated || (alarms.enabled && alarms.names.iter().all(String::is_empty)) {
        return Err(Refusal::new(
            "InvalidAlarmConfigException",
            "The format of the alarm configuration is invalid.",
        ));
    }
    Ok(Some(alarms))
}

fn asked_auto_rollback(asked: &Value) -> Result<Option<AutoRollback>, Refusal> {
    if asked.is_null() {
        return Ok(None);
    }
    let rollback = AutoRollback {
        enabled: asked["enabled"].as_bool().unwrap_or(false),
        events: texts(&asked["events"]).into_iter().map(str::to_owned).collect(),
    };
    if rollback.enabled && rollback.events.is_empty() {
        return Err(Refusal::new(
            "InvalidAutoRollbackConfigException",
            "The automatic rollback configuration was specified in an invalid format.",
        ));
    }
    Ok(Some(rollback))
}
