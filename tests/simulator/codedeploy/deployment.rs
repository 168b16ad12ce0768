//! One deployment: its state, and how GetDeployment and the targets show it.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::breaking::FailedDeployment;
use super::group::{AutoRollback, Group, GroupAlarms, GroupState, Platform};
use super::lifecycle::{EventStatus, LifecycleEvent};
use super::revision::{Revision, version_of};
use super::shifting::Shifting;
use crate::stamps::epoch_seconds;

/// A deployment's status. `Queued`, `Baking` and `Ready` of the API's eight do not occur here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeploymentStatus {
    /// Accepted, nothing done yet.
    Created,
    /// Under way; on ECS also while the original task set waits for its end.
    InProgress,
    /// Done.
    Succeeded,
    /// Gave up.
    Failed,
    /// Stopped, by a person or by an alarm.
    Stopped,
}

impl DeploymentStatus {
    /// The API's word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Created => "Created",
            Self::InProgress => "InProgress",
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
            Self::Stopped => "Stopped",
        }
    }

    /// Whether nothing more will come of it.
    pub fn is_over(self) -> bool {
        match self {
            Self::Created | Self::InProgress => false,
            Self::Succeeded | Self::Failed | Self::Stopped => true,
        }
    }
}

/// A stop that was accepted with the answer Pending.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StopRequest {
    pub(crate) roll_back: bool,
    pub(crate) at: Timestamp,
}

/// A deployment, as the simulator knows it and as scripts may read it.
#[derive(Debug, Clone)]
pub struct Deployment {
    /// `d-` and nine characters.
    pub id: String,
    /// The application.
    pub application: String,
    /// The group.
    pub group: String,
    /// The revision's label in the script.
    pub label: String,
    /// What it would return to: the last successful deployment's revision when this one began.
    pub previous_label: Option<String>,
    /// Where it is.
    pub status: DeploymentStatus,
    /// `user`, or `codeDeployRollback`.
    pub creator: String,
    /// What its creator wrote.
    pub description: Option<String>,
    /// The error code and sentence, once it failed or stopped.
    pub error: Option<(String, String)>,
    /// The rollback this one caused.
    pub rollback: Option<String>,
    /// The deployment this one rolls back.
    pub rolls_back: Option<String>,
    /// When it was created.
    pub created: Timestamp,
    /// When it ended.
    pub completed: Option<Timestamp>,
    pub(crate) started: Option<Timestamp>,
    pub(crate) platform: Platform,
    pub(crate) config_name: String,
    pub(crate) shifting: Shifting,
    pub(crate) revision: Revision,
    pub(crate) previous_revision: Option<Revision>,
    pub(crate) serving_before: String,
    pub(crate) auto_rollback: AutoRollback,
    pub(crate) override_alarms: Option<GroupAlarms>,
    pub(crate) events: Vec<LifecycleEvent>,
    pub(crate) stop_request: Option<StopRequest>,
    pub(crate) termination_wait_since: Option<Timestamp>,
    /// What lets it fail.
    pub(crate) failure: Option<FailedDeployment>,
    pub(crate) last_updated: Timestamp,
}

impl Deployment {
    pub(crate) fn is_rollback(&self) -> bool {
        self.creator == "codeDeployRollback"
    }

    pub(crate) fn current_event(&self) -> Option<usize> {
        self.events.iter().position(|event| match event.status {
            EventStatus::Pending | EventStatus::InProgress => true,
            EventStatus::Succeeded | EventStatus::Failed | EventStatus::Skipped => false,
        })
    }

    /// The lifecycle events and their statuses, in order.
    pub fn lifecycle(&self) -> Vec<(&'static str, &'static str)> {
        self.events.iter().map(|event| (event.name, event.status.name())).collect()
    }

    /// `deploymentInfo`, with the AppSpec's hash and never its text.
    pub(crate) fn to_wire(&self, group: &GroupState) -> Value {
        let settings = &group.settings;
        let mut shown = Map::new();
        let mut show = |name: &str, value: Value| {
            shown.insert(name.to_owned(), value);
        };
        show("applicationName", json!(self.application));
        show("deploymentGroupName", json!(self.group));
        show("deploymentConfigName", json!(self.config_name));
        show("deploymentId", json!(self.id));
        if let Some(previous) = &self.previous_revision {
            show("previousRevision", previous.location.clone());
        }
        show("revision", self.revision.location.clone());
        show("status", json!(self.status.name()));
        if let Some((code, message)) = &self.error {
            show("errorInformation", json!({ "code": code, "message": message }));
        }
        show("createTime", json!(epoch_seconds(self.created)));
        if let Some(at) = self.started {
            show("startTime", json!(epoch_seconds(at)));
        }
        if let Some(at) = self.completed {
            show("completeTime", json!(epoch_seconds(at)));
        }
        show("deploymentOverview", self.overview());
        if let Some(text) = &self.description {
            show("description", json!(text));
        }
        show("creator", json!(self.creator));
        show("ignoreApplicationStopFailures", json!(false));
        show("autoRollbackConfiguration", self.auto_rollback.to_wire());
        show("updateOutdatedInstancesOnly", json!(false));
        show("rollbackInfo", self.rollback_info());
        show("deploymentStyle", style(settings.platform));
        show("instanceTerminationWaitTimeStarted", json!(self.termination_wait_since.is_some()));
        if let Some(blue_green) = blue_green(group) {
            show("blueGreenDeploymentConfiguration", blue_green);
        }
        if let Some(alarms) = &self.override_alarms {
            show("overrideAlarmConfiguration", alarms.to_wire());
        }
        show("fileExistsBehavior", json!("DISALLOW"));
        show("deploymentStatusMessages", json!([]));
        show("computePlatform", json!(settings.platform.name()));
        Value::Object(shown)
    }

    /// One target, so one of the six counts is 1. A stopped deployment's target counts as failed.
    fn overview(&self) -> Value {
        let mut counts = json!({
            "Pending": 0, "InProgress": 0, "Succeeded": 0, "Failed": 0, "Skipped": 0, "Ready": 0,
        });
        let place = match self.status {
            DeploymentStatus::Created => "Pending",
            DeploymentStatus::InProgress => "InProgress",
            DeploymentStatus::Succeeded => "Succeeded",
            DeploymentStatus::Failed | DeploymentStatus::Stopped => "Failed",
        };
        counts[place] = json!(1);
        counts
    }

    /// Both sentences as observed; on a deployment without a rollback the object is empty.
    fn rollback_info(&self) -> Value {
        let id = &self.id;
        if let Some(rollback) = &self.rollback {
            json!({
                "rollbackDeploymentId": rollback,
                "rollbackMessage": format!("Deployment {id} terminated. Automatic rollback is triggered with a DeploymentId {rollback}."),
            })
        } else if let Some(failed) = &self.rolls_back {
            json!({
                "rollbackTriggeringDeploymentId": failed,
                "rollbackMessage": format!("Deployment {id} is triggered to roll back deployment {failed}."),
            })
        } else {
            json!({})
        }
    }

    /// The one target's id. `function:alias` is the form of the sample (unverified); `cluster:service`
    /// was observed.
    pub(crate) fn target_id(&self, settings: &Group) -> String {
        match self.platform {
            Platform::Lambda => format!("{}:live", self.application),
            Platform::Ecs => {
                let (cluster, service) = settings.ecs_service();
                format!("{cluster}:{service}")
            }
            Platform::Server => "i-0123456789abcdef0".to_owned(),
        }
    }

    /// `deploymentTarget`, with the lifecycle events.
    pub(crate) fn target_to_wire(&self, group: &GroupState) -> Value {
        let percent = group.routing.percent_of(&self.label);
        let name = &self.application;
        let target_id = self.target_id(&group.settings);
        let mut target = json!({
            "deploymentId": self.id,
            "targetId": target_id,
            "status": self.target_status(),
            "lastUpdatedAt": epoch_seconds(self.last_updated),
            "lifecycleEvents": self.events.iter().map(event_to_wire).collect::<Vec<_>>(),
        });
        match self.platform {
            Platform::Lambda => {
                target["targetArn"] =
                    json!(format!("arn:aws:lambda:us-east-1:123456789012:function:{target_id}"));
                let spec = &self.revision.spec;
                target["lambdaFunctionInfo"] = json!({
                    "functionName": name,
                    "functionAlias": "live",
                    "currentVersion": version_of(&self.serving_before),
                    "targetVersion": spec.target_version,
                    "targetVersionWeight": f64::from(percent) / 100.0,
                });
                json!({ "deploymentTargetType": "LambdaTarget", "lambdaTarget": target })
            }
            Platform::Ecs => {
                target["targetArn"] = json!(format!(
                    "arn:aws:ecs:us-east-1:123456789012:service/{}",
                    target_id.replace(':', "/")
                ));
                target["taskSetsInfo"] = json!([
                    task_set(&self.serving_before, "Blue", "PRIMARY", 100 - percent),
                    task_set(&self.label, "Green", "ACTIVE", percent),
                ]);
                json!({ "deploymentTargetType": "ECSTarget", "ecsTarget": target })
            }
            Platform::Server => {
                target["targetArn"] =
                    json!(format!("arn:aws:ec2:us-east-1:123456789012:instance/{target_id}"));
                json!({ "deploymentTargetType": "InstanceTarget", "instanceTarget": target })
            }
        }
    }

    fn target_status(&self) -> &'static str {
        match self.status {
            DeploymentStatus::Created => "Pending",
            DeploymentStatus::InProgress => "InProgress",
            DeploymentStatus::Succeeded => "Succeeded",
            DeploymentStatus::Failed | DeploymentStatus::Stopped => "Failed",
        }
    }
}

fn event_to_wire(event: &LifecycleEvent) -> Value {
    let mut shown = json!({ "lifecycleEventName": event.name, "status": event.status.name() });
    if let Some(at) = event.started {
        shown["startTime"] = json!(epoch_seconds(at));
    }
    if let Some(at) = event.ended {
        shown["endTime"] = json!(epoch_seconds(at));
    }
    let error_code = match event.status {
        EventStatus::Failed => Some("UnknownError"),
        EventStatus::Succeeded => Some("Success"),
        EventStatus::Pending | EventStatus::InProgress | EventStatus::Skipped => None,
    };
    let over = matches!(event.status, EventStatus::Failed | EventStatus::Succeeded);
    match (&event.diagnostics, error_code) {
        (Some(diagnosed), Some(code)) if over => shown["diagnostics"] = diagnosed.to_wire(code),
        (_, Some(code)) => {
            shown["diagnostics"] =
                json!({ "errorCode": code, "scriptName": "", "message": "", "logTail": "" });
        }
        (_, None) => {}
    }
    shown
}

/// The model spells it `identifer`.
fn task_set(label: &str, colour: &str, status: &str, weight: u32) -> Value {
    json!({
        "identifer": format!("ecs-svc/{}", version_of(label)),
        "desiredCount": 2,
        "pendingCount": 0,
        "runningCount": 2,
        "status": status,
        "trafficWeight": f64::from(weight),
        "targetGroup": { "name": colour.to_lowercase() },
        "taskSetLabel": colour,
    })
}

/// `deploymentStyle`: Lambda and ECS are always blue/green with traffic control.
pub(crate) fn style(platform: Platform) -> Value {
    match platform {
        Platform::Lambda | Platform::Ecs => json!({
            "deploymentType": "BLUE_GREEN", "deploymentOption": "WITH_TRAFFIC_CONTROL",
        }),
        Platform::Server => json!({
            "deploymentType": "IN_PLACE", "deploymentOption": "WITHOUT_TRAFFIC_CONTROL",
        }),
    }
}

/// `blueGreenDeploymentConfiguration`, on ECS.
pub(crate) fn blue_green(group: &GroupState) -> Option<Value> {
    match group.settings.platform {
        Platform::Ecs => Some(json!({
            "terminateBlueInstancesOnDeploymentSuccess": {
                "action": "TERMINATE",
                "terminationWaitTimeInMinutes": group.settings.termination_wait_minutes,
            },
            "deploymentReadyOption": {
                "actionOnTimeout": "CONTINUE_DEPLOYMENT", "waitTimeInMinutes": 0,
            },
        })),
        Platform::Lambda | Platform::Server => None,
    }
}
