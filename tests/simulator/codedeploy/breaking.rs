//! Deployments that fail for a reason, with what their lifecycle events say of it.

use serde_json::{Value, json};

use super::deployment::DeploymentStatus;
use super::lifecycle::{self, HOOK_LIMIT_SECONDS};
use super::undoing::Ending;
use crate::simulator::Simulator;
use crate::world::World;

/// A deployment that fails, as a script describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedDeployment {
    /// `errorInformation.code`, such as HEALTH_CONSTRAINTS.
    pub code: String,
    /// `errorInformation.message`.
    pub message: String,
    /// Lifecycle events of which something is said. The first that fails, fails the deployment; without any, it fails
    /// before it begins with them.
    pub events: Vec<Diagnosed>,
}

/// What is said of a lifecycle event (`diagnostics` in GetDeploymentTarget).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnosed {
    /// Such as AfterInstall.
    pub event: String,
    /// How it ends: Failed or Succeeded; InProgress when it hangs until the hour is over in which it must end.
    pub status: String,
    /// `errorCode`, such as ScriptFailed; without it, UnknownError of a failure, else Success.
    pub code: Option<String>,
    /// `scriptName`.
    pub script: String,
    /// `message`.
    pub message: String,
    /// `logTail`: "the last portion of the diagnostic log".
    pub log_tail: String,
}

impl Diagnosed {
    /// An event that ends so.
    pub fn of(event: &str, status: &str) -> Self {
        assert!(["Failed", "Succeeded", "InProgress"].contains(&status), "a lifecycle event ends {status:?}");
        let (event, status) = (event.to_owned(), status.to_owned());
        Self {
            event,
            status,
            code: None,
            script: String::new(),
            message: String::new(),
            log_tail: String::new(),
        }
    }

    pub(super) fn to_wire(&self, code: &str) -> Value {
        json!({
            "errorCode": self.code.as_deref().unwrap_or(code),
            "scriptName": self.script,
            "message": self.message,
            "logTail": self.log_tail,
        })
    }
}

/// What goes wrong in a group's next deployments.
#[derive(Debug, Clone)]
pub(crate) struct Broken {
    group: String,
    left: Option<u32>,
    failure: FailedDeployment,
}

impl Simulator {
    /// Lets the next deployments of a group fail, so many or all; CodeDeploy's own rollbacks do not.
    pub fn break_deployments(&self, group: &str, failure: FailedDeployment, times: Option<u32>) {
        let mut world = self.world();
        let _must_exist = world.code_deploy.group(group);
        world.code_deploy.broken.push(Broken { group: group.to_owned(), left: times, failure });
    }
}

impl World {
    pub(super) fn deployment_break_for(&mut self, group: &str) -> Option<FailedDeployment> {
        let mut broken = self.code_deploy.broken.iter_mut();
        let broken = broken.find(|broken| broken.group == group && broken.left != Some(0))?;
        broken.left = broken.left.map(|left| left - 1);
        Some(broken.failure.clone())
    }

    /// Lets a deployment that was just created fail.
    pub(crate) fn let_deployment_fail(&mut self, id: &str, failure: FailedDeployment) {
        let deployment = self.deployment_mut(id);
        for diagnosed in &failure.events {
            let event = deployment.events.iter_mut().find(|event| event.name == diagnosed.event);
            let event = event.unwrap_or_else(|| panic!("{id} has no lifecycle event {:?}", diagnosed.event));
            event.diagnostics = Some(diagnosed.clone());
        }
        deployment.failure = Some(failure);
    }

    /// Whether a script has a word about an event in progress: true when it fails now, false when it goes on.
    pub(super) fn scripted_end(&self, id: &str, event: &str, elapsed: i64) -> Option<bool> {
        let deployment = &self.code_deploy.deployments[id];
        let diagnosed =
            deployment.failure.as_ref()?.events.iter().find(|diagnosed| diagnosed.event == event)?;
        match diagnosed.status.as_str() {
            "Failed" => Some(elapsed >= lifecycle::seconds_of(deployment.platform, event)),
            // "Lifecycle event 3,600 s" (User Guide, "Quotas"): it is over then.
            "InProgress" => Some(elapsed >= HOOK_LIMIT_SECONDS),
            _ => None,
        }
    }

    pub(super) fn fail_as_scripted(&mut self, id: &str) {
        let deployment = &self.code_deploy.deployments[id];
        let FailedDeployment { code, message, .. } = deployment.failure.clone().expect("a scripted failure");
        let roll_back = deployment.auto_rollback.covers("DEPLOYMENT_FAILURE");
        self.end_early(id, Ending { status: DeploymentStatus::Failed, code, message, roll_back });
    }
}
