//! Lifecycle events: which there are, and how long each takes.

use jiff::Timestamp;

use super::breaking::Diagnosed;
use super::group::{Group, Platform};

/// A lifecycle event's status, of the API's six the five that occur here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EventStatus {
    Pending,
    InProgress,
    Succeeded,
    Failed,
    Skipped,
}

impl EventStatus {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::InProgress => "InProgress",
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
            Self::Skipped => "Skipped",
        }
    }
}

/// One lifecycle event of one deployment.
#[derive(Debug, Clone)]
pub(crate) struct LifecycleEvent {
    pub(crate) name: &'static str,
    pub(crate) status: EventStatus,
    pub(crate) started: Option<Timestamp>,
    pub(crate) ended: Option<Timestamp>,
    /// The function to call, and once called the id under which it must answer.
    pub(crate) hook: Option<String>,
    pub(crate) hook_execution: Option<String>,
    /// What is said of it when it is over, where a script says so.
    pub(crate) diagnostics: Option<Diagnosed>,
}

/// A hook that does not answer fails its event after this long (User Guide, "AppSpec hooks section").
pub(crate) const HOOK_LIMIT_SECONDS: i64 = 3600;

/// From the start of an automatic rollback until users have the old revision back: 16 to 23 seconds
/// were observed on Lambda and ECS.
pub(crate) const ROLLBACK_SECONDS: i64 = 20;

/// The events of a deployment of this group, in order (User Guide, "AppSpec hooks section"). Lambda's
/// Start and End are instants that GetDeploymentTarget does not list.
pub(crate) fn events(group: &Group) -> Vec<&'static str> {
    match group.platform {
        Platform::Lambda => vec!["BeforeAllowTraffic", "AllowTraffic", "AfterAllowTraffic"],
        Platform::Ecs => {
            let mut names = vec!["BeforeInstall", "Install", "AfterInstall"];
            if group.test_listener {
                names.extend(["AllowTestTraffic", "AfterAllowTestTraffic"]);
            }
            names.extend(["BeforeAllowTraffic", "AllowTraffic", "AfterAllowTraffic"]);
            names
        }
        Platform::Server => vec![
            "ApplicationStop",
            "DownloadBundle",
            "BeforeInstall",
            "Install",
            "AfterInstall",
            "ApplicationStart",
            "ValidateService",
        ],
    }
}

/// Whether the event may call a function.
pub(crate) fn may_call(platform: Platform, event: &str) -> bool {
    match platform {
        Platform::Lambda | Platform::Ecs => event.starts_with("Before") || event.starts_with("After"),
        // EC2 hooks are scripts on the host.
        Platform::Server => false,
    }
}

/// How long CodeDeploy's own part of an event takes. Invented, but for being short.
pub(crate) fn seconds_of(platform: Platform, event: &str) -> i64 {
    match (platform, event) {
        (Platform::Ecs, "Install") => 30,
        (Platform::Ecs, "AllowTestTraffic") => 5,
        (Platform::Lambda | Platform::Ecs, "AllowTraffic") => 5,
        (Platform::Lambda | Platform::Ecs, _) => 0,
        (Platform::Server, _) => 10,
    }
}

/// The event during which users move to the new revision.
pub(crate) fn moves_traffic(platform: Platform, event: &str) -> bool {
    match platform {
        Platform::Lambda | Platform::Ecs => event == "AllowTraffic",
        Platform::Server => event == "ApplicationStart",
    }
}
