//! What a release is: identifiers, deployments, revisions, and how the deployer says they are doing.
//!
//! A release is one change on its way to users. Everything here is a plain value: it was true when
//! somebody read it, and says nothing about now.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Declares newtypes over `String`, so that an alarm's name cannot be passed where a deployment's id
/// is meant.
macro_rules! identifiers {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// The identifier as AWS or the policy spells it.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

identifiers! {
    /// A service as the policy names it.
    ServiceName,
    /// A CodeDeploy deployment, `d-` and nine characters at AWS. Never validated by a pattern: other
    /// implementations use other forms (reference: CodeDeploy, "Wire").
    DeploymentId,
    /// The opaque id of one call of a lifecycle hook.
    HookExecutionId,
    /// A CloudWatch alarm's name, at most 255 characters.
    AlarmName,
    /// A CloudWatch alarm's ARN.
    AlarmArn,
    /// A CodeDeploy lifecycle event, for example `AfterAllowTraffic`.
    LifecycleEvent,
}

/// A CodeDeploy application and one of its deployment groups: where releases happen one at a time
/// (CodeDeploy runs at most one deployment of a group at once).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DeploymentGroup {
    /// CodeDeploy's application name.
    pub application: String,
    /// The deployment group's name within the application.
    pub group: String,
}

impl fmt::Display for DeploymentGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.application, self.group)
    }
}

/// What CodeDeploy deploys onto. How traffic shifts, and what a stop leaves behind, depends on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Platform {
    /// A weighted Lambda alias.
    Lambda,
    /// An ECS service with two task sets.
    Ecs,
    /// EC2 or on-premises instances.
    Server,
    /// A word this version of Belay does not know.
    Unrecognised(String),
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lambda => f.write_str("Lambda"),
            Self::Ecs => f.write_str("ECS"),
            Self::Server => f.write_str("EC2"),
            Self::Unrecognised(word) => write!(f, "{word} (unknown to Belay)"),
        }
    }
}

/// `DeploymentStatus` of CodeDeploy's API. An open enum: a word that is not listed is kept as it came
/// and never counts as any of the others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeploymentStatus {
    /// Accepted, nothing done yet.
    Created,
    /// Waiting behind another deployment.
    Queued,
    /// Being carried out.
    InProgress,
    /// All traffic shifted, being watched by CodeDeploy; not terminal.
    Baking,
    /// Blue/green waiting for somebody to continue it; not terminal.
    Ready,
    /// Finished well.
    Succeeded,
    /// Finished badly.
    Failed,
    /// Stopped by a person, by Belay or by an alarm of the deployment group.
    Stopped,
    /// A word this version of Belay does not know.
    Unrecognised(String),
}

/// Where a deployment stands, once its status word is understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It can still change what users get.
    Running,
    /// It ended: well, badly, or by being stopped.
    Over,
    /// The deployer used a word we do not know. Neither of the two may be assumed.
    Unknown,
}

impl DeploymentStatus {
    /// Whether the deployment is still under way.
    pub fn phase(&self) -> Phase {
        match self {
            Self::Created | Self::Queued | Self::InProgress | Self::Baking | Self::Ready => Phase::Running,
            Self::Succeeded | Self::Failed | Self::Stopped => Phase::Over,
            Self::Unrecognised(_) => Phase::Unknown,
        }
    }
}

impl fmt::Display for DeploymentStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Created => "created",
            Self::Queued => "queued",
            Self::InProgress => "in progress",
            Self::Baking => "baking",
            Self::Ready => "waiting to be continued",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
            Self::Unrecognised(word) => return write!(f, "{word} (unknown to Belay)"),
        })
    }
}

/// Why CodeDeploy ended a deployment: `errorInformation`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeploymentError {
    /// For example `ALARM_ACTIVE`, `HOOK_EXECUTION_FAILURE`, `MANUAL_STOP`.
    pub code: String,
    /// CodeDeploy's own sentence, for people; never parsed.
    pub message: String,
}

/// What a deployment deploys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Revision {
    /// In a few words, for people.
    Named(String),
    /// An AppSpec, of which the deployment's description gives the hash only.
    AppSpec {
        /// SHA-256 of its text, in hexadecimal.
        sha256: String,
    },
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(words) => f.write_str(words),
            Self::AppSpec { sha256 } => {
                write!(f, "AppSpec {}", sha256.chars().take(12).collect::<String>())
            }
        }
    }
}

/// One deployment, as CodeDeploy described it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployment {
    /// Its id.
    pub id: DeploymentId,
    /// Where it happens.
    pub group: DeploymentGroup,
    /// What it deploys onto.
    pub platform: Platform,
    /// How it is doing.
    pub status: DeploymentStatus,
    /// When it was created. Belay counts a release from here: an alarm that went off earlier cannot be
    /// its doing.
    pub created_at: Timestamp,
    /// When it ended, if it has.
    pub completed_at: Option<Timestamp>,
    /// Who or what started it, in CodeDeploy's word (`user`, `codeDeployRollback`, …).
    pub creator: String,
    /// The deployment that this one rolls back (`rollbackInfo.rollbackTriggeringDeploymentId`).
    pub rolls_back: Option<DeploymentId>,
    /// The deployment that rolls this one back (`rollbackInfo.rollbackDeploymentId`).
    pub rolled_back_by: Option<DeploymentId>,
    /// Why it ended, where CodeDeploy says so.
    pub error: Option<DeploymentError>,
    /// What it deploys.
    pub revision: Revision,
    /// The deployment's own description.
    pub description: Option<String>,
}

impl Deployment {
    /// Whether this deployment is itself a rollback. CodeDeploy's automatic rollback is a new deployment
    /// with its own id, creator `codeDeployRollback`; CloudFormation has a creator of its own for it.
    pub fn is_rollback(&self) -> bool {
        self.rolls_back.is_some()
            || matches!(self.creator.as_str(), "codeDeployRollback" | "CloudFormationRollback")
    }

    /// Whether it releases anything: CodeDeploy deploys to new instances, on scaling out or to bring them up to
    /// date, what runs on the others already (`DeploymentCreator` of the service model).
    pub fn is_release(&self) -> bool {
        !matches!(self.creator.as_str(), "autoscaling" | "autoscalingTermination" | "CodeDeployAutoUpdate")
    }

    /// Whether the deployer itself is taking it back already, or has.
    pub fn is_being_undone(&self) -> bool {
        self.rolled_back_by.is_some()
    }
}
