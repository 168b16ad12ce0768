//! What a release is: identifiers, deployments, revisions, and how the deployer says they are doing.
//!
//! A release is one change on its way to users. Everything here is a plain value: it was true when
//! somebody read it, and says nothing about now.

mod change;
pub mod course;

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use change::{Change, requested_by};
pub use course::Course;

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
    /// A release: a CodeDeploy deployment's id (`d-` and nine characters at AWS; never validated by a pattern,
    /// since other implementations use other forms: reference, CodeDeploy, "Wire"), or a pipeline's stage and the
    /// id of the execution in it (see [`ReleaseId::of_stage`]).
    ReleaseId,
    /// The opaque id of one call of a lifecycle hook.
    HookExecutionId,
    /// A CloudWatch alarm's name, at most 255 characters.
    AlarmName,
    /// A CloudWatch alarm's ARN.
    AlarmArn,
    /// A CodeDeploy lifecycle event, for example `AfterAllowTraffic`.
    LifecycleEvent,
}

impl ReleaseId {
    /// The release that a pipeline's execution is in one stage. Execution ids are UUIDs, so the pipeline need not be
    /// named.
    pub fn of_stage(stage: &str, execution: &str) -> Self {
        Self(format!("{stage}/{execution}"))
    }

    /// The pipeline's execution, if this is one in a stage.
    pub fn execution(&self) -> Option<&str> {
        self.0.rsplit_once('/').map(|(_, execution)| execution)
    }
}

/// What Belay writes into the description of a deployment by which it takes a release back. CreateDeployment has no
/// token that would make it idempotent, so this is how the deployment is found again. CodeDeploy takes at most 256
/// characters (service model).
pub fn undo_description(release: &ReleaseId) -> String {
    format!("{UNDO_MARK}{release}: takes it back after an alarm")
}

/// The release that a deployment takes back, if its description says that Belay made it for that.
pub fn taken_back_by_description(description: &str) -> Option<ReleaseId> {
    let rest = description.strip_prefix(UNDO_MARK)?;
    let (release, _) = rest.split_once(':')?;
    Some(ReleaseId::from(release))
}

const UNDO_MARK: &str = "Belay undo/";

/// What a release's owners write into its deployment's description, its AppSpec or its commit's message when it must
/// not be rolled back. What follows on the same line is why.
/// Whatever the case, with or without a space, with `-` or `_` or a space: who misspells it a little means it all the
/// same.
const NO_ROLLBACK: &str = "belay:norollback";

/// Why a release must not be rolled back, if `text` (a description, an AppSpec, a commit's message) marks it so.
pub fn no_rollback(text: &str) -> Option<String> {
    text.lines().find_map(|line| {
        // The line without what may be written in several ways, and where each of its characters stood.
        let kept: Vec<(usize, char)> = line
            .char_indices()
            .filter(|(_, c)| !c.is_whitespace() && !matches!(c, '-' | '_'))
            .map(|(at, c)| (at, c.to_ascii_lowercase()))
            .collect();
        let mark: Vec<char> = NO_ROLLBACK.chars().collect();
        let found = kept.windows(mark.len()).find(|window| window.iter().map(|(_, c)| c).eq(&mark))?;
        let end = found.last().map_or(line.len(), |(at, c)| at + c.len_utf8());
        let why = line[end..].trim_matches(|c: char| c.is_whitespace() || c == ',' || c == ':');
        Some(if why.is_empty() { "no reason is given".to_owned() } else { why.chars().take(200).collect() })
    })
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

/// A stage of a CodePipeline pipeline.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Stage {
    /// The pipeline's name.
    pub pipeline: String,
    /// The stage's name within it.
    pub stage: String,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.pipeline, self.stage)
    }
}

/// Where releases happen. Its records tell the two apart by their fields.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Place {
    /// In a CodeDeploy deployment group.
    Group(DeploymentGroup),
    /// In a stage of a pipeline.
    Stage(Stage),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Group(group) => group.fmt(f),
            Self::Stage(stage) => stage.fmt(f),
        }
    }
}

impl From<DeploymentGroup> for Place {
    fn from(group: DeploymentGroup) -> Self {
        Self::Group(group)
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
    /// Whatever a pipeline's stage does.
    Pipeline,
    /// A word this version of Belay does not know.
    Unrecognised(String),
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lambda => f.write_str("Lambda"),
            Self::Ecs => f.write_str("ECS"),
            Self::Server => f.write_str("EC2"),
            Self::Pipeline => f.write_str("CodePipeline"),
            Self::Unrecognised(word) => write!(f, "{word} (unknown to Belay)"),
        }
    }
}

/// `DeploymentStatus` of CodeDeploy's API. An open enum: a word that is not listed is kept as it came
/// and never counts as any of the others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReleaseStatus {
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

impl ReleaseStatus {
    /// Whether the deployment is still under way.
    pub fn phase(&self) -> Phase {
        match self {
            Self::Created | Self::Queued | Self::InProgress | Self::Baking | Self::Ready => Phase::Running,
            Self::Succeeded | Self::Failed | Self::Stopped => Phase::Over,
            Self::Unrecognised(_) => Phase::Unknown,
        }
    }
}

impl fmt::Display for ReleaseStatus {
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
pub struct ReleaseError {
    /// For example `ALARM_ACTIVE`, `HOOK_EXECUTION_FAILURE`, `MANUAL_STOP`.
    pub code: String,
    /// CodeDeploy's own sentence, for people; never parsed.
    pub message: String,
}

/// What a release brings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Revision {
    /// In a few words, for people.
    Named(String),
    /// An AppSpec, of which the deployment's description gives the hash only.
    AppSpec {
        /// SHA-256 of its text, in hexadecimal.
        sha256: String,
    },
    /// A bundle in S3.
    S3 {
        /// The bucket.
        bucket: String,
        /// The object's key.
        key: String,
        /// `tar`, `tgz`, `zip`, `YAML` or `JSON`.
        bundle_type: Option<String>,
        /// The object's version.
        version: Option<String>,
        /// The object's ETag.
        e_tag: Option<String>,
    },
    /// A commit on GitHub.
    GitHub {
        /// `owner/name`.
        repository: String,
        /// The commit.
        commit: String,
    },
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(words) => f.write_str(words),
            Self::AppSpec { sha256 } => {
                write!(f, "AppSpec {}", sha256.chars().take(12).collect::<String>())
            }
            Self::S3 { bucket, key, version: None, .. } => write!(f, "s3://{bucket}/{key}"),
            Self::S3 { bucket, key, version: Some(version), .. } => {
                write!(f, "s3://{bucket}/{key} (version {version})")
            }
            Self::GitHub { repository, commit } => {
                write!(f, "{repository} at {}", commit.chars().take(12).collect::<String>())
            }
        }
    }
}

/// One release, as its deployer described it: a CodeDeploy deployment, or a pipeline execution in one stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// Its id.
    pub id: ReleaseId,
    /// Where it happens.
    pub place: Place,
    /// What it deploys onto.
    pub platform: Platform,
    /// How it is doing.
    pub status: ReleaseStatus,
    /// When it was created. Belay counts a release from here: an alarm that went off earlier cannot be
    /// its doing.
    pub created_at: Timestamp,
    /// When it ended, if it has.
    pub completed_at: Option<Timestamp>,
    /// Who or what started it, in CodeDeploy's word (`user`, `codeDeployRollback`, …), or `pipeline`, or
    /// `pipelineRollback`.
    pub creator: String,
    /// The release that this one takes back: CodeDeploy's `rollbackInfo.rollbackTriggeringDeploymentId`, or what
    /// Belay wrote into the deployment's description.
    pub rolls_back: Option<ReleaseId>,
    /// The deployment that rolls this one back (`rollbackInfo.rollbackDeploymentId`).
    pub rolled_back_by: Option<ReleaseId>,
    /// Why it ended, where CodeDeploy says so.
    pub error: Option<ReleaseError>,
    /// What it deploys.
    pub revision: Revision,
    /// The deployment's own description.
    pub description: Option<String>,
    /// What is known of the change itself.
    pub change: Change,
    /// When the newest attempt began of what was tried again, if it is a pipeline's stage and something was: the execution
    /// stays the same.
    pub again: Option<Timestamp>,
    /// Its way through its pipeline, if it is an execution in one and the pipeline shows it.
    pub course: Option<Course>,
    /// Whether it has released nothing yet: of an execution in a pipeline's stage, nothing but approvals has begun there.
    /// Users have what was there before it.
    pub released_nothing: bool,
}

impl Release {
    /// The deployment group it happens in, if CodeDeploy deploys it.
    pub fn group(&self) -> Option<&DeploymentGroup> {
        match &self.place {
            Place::Group(group) => Some(group),
            Place::Stage(_) => None,
        }
    }

    /// Whether this deployment is itself a rollback. CodeDeploy's automatic rollback is a new deployment
    /// with its own id, creator `codeDeployRollback`; CloudFormation has a creator of its own for it.
    pub fn is_rollback(&self) -> bool {
        self.rolls_back.is_some()
            || matches!(
                self.creator.as_str(),
                "codeDeployRollback" | "CloudFormationRollback" | "pipelineRollback"
            )
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

    /// When somebody ran it again, if that was after its undo: then it is out once more.
    pub fn again_since(&self, undone: Timestamp) -> Option<Timestamp> {
        self.again.filter(|again| *again > undone)
    }

    /// Whether it is over without having begun: its pipeline ended before this stage, as after an approval that was
    /// not given. What did begin has an end.
    pub fn never_began(&self) -> bool {
        matches!(self.place, Place::Stage(_))
            && self.status == ReleaseStatus::Stopped
            && self.completed_at.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_against_rolling_back_is_read_as_people_write_it() {
        for text in [
            "belay: no-rollback it migrates the schema",
            "Release 42\n\nBelay:no-rollback: it migrates the schema",
            "# BELAY: no_rollback, it migrates the schema\nversion: 0.0",
            "fix (belay: no rollback it migrates the schema",
        ] {
            assert_eq!(no_rollback(text).as_deref(), Some("it migrates the schema"), "{text}");
        }
        assert_eq!(no_rollback("belay: no-rollback").as_deref(), Some("no reason is given"));
        for text in ["", "belay rolls back", "no-rollback", "beläy: no-rollback", "belay: rollback"] {
            assert_eq!(no_rollback(text), None, "{text}");
        }
    }

    #[test]
    fn a_description_names_the_release_that_it_takes_back() {
        let description = undo_description(&"d-2".into());
        assert!(description.chars().count() <= 256);
        assert_eq!(taken_back_by_description(&description), Some("d-2".into()));
        assert_eq!(taken_back_by_description("a deployment after Belay undo/d-2: was tried"), None);
    }
}
