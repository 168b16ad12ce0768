//! What goes wrong behind an action of the pipeline: the build, the deployment and its tasks, the stack, the function.

use jiff::Timestamp;
use serde::Deserialize;

/// A stage's action fails the next time it runs, or the next times.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BreaksScript {
    /// The stage whose action fails; without it, the next deployment of the service's group does.
    pub stage: Option<String>,
    /// How many of its runs; without it, all from now on.
    pub times: Option<u32>,
    /// What CodePipeline says of it.
    #[serde(default)]
    pub action: ActionScript,
    /// Its build fails.
    pub build: Option<BuildScript>,
    /// Its CodeDeploy deployment fails.
    pub deployment: Option<DeploymentScript>,
    /// Its ECS tasks do not come up; beside `deployment`, those of the service that CodeDeploy deploys.
    pub tasks: Option<TasksScript>,
    /// Its stack fails.
    pub stack: Option<BrokenStackScript>,
    /// The function that it invokes fails.
    pub function: Option<FailedFunctionScript>,
}

/// An action's error details. Without anything behind the action, it fails for a reason of CodePipeline's own, and
/// nothing is begun.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ActionScript {
    /// Such as JobFailed, which it is without.
    pub code: Option<String>,
    /// Without it, what the provider says.
    pub message: Option<String>,
}

/// A CodeBuild build that fails.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BuildScript {
    /// The project.
    pub project: String,
    /// The phase that fails, such as BUILD.
    pub phase: String,
    /// The build's status.
    #[serde(default = "failed")]
    pub status: String,
    /// The phase context's code, such as COMMAND_EXECUTION_ERROR.
    pub code: String,
    /// The phase context's sentence.
    pub message: String,
    /// The VPC in which it runs.
    pub vpc: Option<String>,
    /// What the failing phase writes into the log.
    #[serde(default)]
    pub log: Vec<LineScript>,
    /// So many times more the log's first line is written.
    #[serde(default)]
    pub log_repeated: u64,
    /// The log's stream does not exist yet.
    #[serde(default)]
    pub no_log_yet: bool,
    /// CodeBuild has forgotten the build.
    #[serde(default)]
    pub year_old: bool,
}

fn failed() -> String {
    "FAILED".to_owned()
}

/// A line of a log: its text, or its text and how often it is repeated.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum LineScript {
    /// Once.
    Once(String),
    /// So many times.
    Repeated(RepeatedScript),
}

/// A line that is there more than once.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RepeatedScript {
    /// The text.
    pub line: String,
    /// How often.
    pub times: u64,
}

/// A CodeDeploy deployment that fails.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeploymentScript {
    /// The error's code, such as HEALTH_CONSTRAINTS.
    pub code: String,
    /// The error's sentence.
    pub message: String,
    /// What its lifecycle events say; without any, it fails before it begins with them.
    #[serde(default)]
    pub events: Vec<LifecycleScript>,
}

/// What is said of a lifecycle event.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LifecycleScript {
    /// Such as AfterInstall.
    pub event: String,
    /// Failed or Succeeded; InProgress when it hangs for an hour.
    pub status: LifecycleStatus,
    /// Such as ScriptFailed.
    pub code: Option<String>,
    /// The script on the instance.
    #[serde(default)]
    pub script: String,
    /// What went wrong.
    #[serde(default)]
    pub message: String,
    /// The end of the log.
    #[serde(default)]
    pub log_tail: String,
}

/// How a lifecycle event ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum LifecycleStatus {
    /// It fails, and the deployment with it.
    Failed,
    /// It succeeds.
    Succeeded,
    /// It hangs.
    InProgress,
}

impl LifecycleStatus {
    /// The API's word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Failed => "Failed",
            Self::Succeeded => "Succeeded",
            Self::InProgress => "InProgress",
        }
    }
}

/// An ECS service's tasks that do not come up.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TasksScript {
    /// The cluster.
    pub cluster: String,
    /// The service.
    pub service: String,
    /// The tasks that stop, oldest first.
    #[serde(default)]
    pub stopped: Vec<StoppedScript>,
    /// What the service says, oldest first.
    #[serde(default)]
    pub events: Vec<String>,
    /// Why the circuit breaker ends it; without it, ECS goes on trying.
    pub rollout: Option<String>,
    /// The target group.
    pub targets: Option<TargetsScript>,
}

/// A task that stops.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoppedScript {
    /// Why.
    pub reason: String,
    /// Its stop code; without it, what follows from the rest.
    pub code: Option<String>,
    /// Its containers.
    #[serde(default)]
    pub containers: Vec<ContainerScript>,
}

/// A container of a task that stops.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContainerScript {
    /// Its name.
    pub name: String,
    /// With which code it exited, if it ever ran.
    pub exit_code: Option<i32>,
    /// Why.
    pub reason: Option<String>,
    /// HEALTHY, UNHEALTHY or UNKNOWN.
    pub health: Option<String>,
}

/// A target group whose targets are not healthy.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TargetsScript {
    /// Its name.
    pub group: String,
    /// The path of its health check.
    pub path: String,
    /// The port of its health check; without it, that of the traffic.
    pub port: Option<String>,
    /// The codes that count as healthy.
    #[serde(default = "two_hundred")]
    pub matcher: String,
    /// The targets that are not healthy.
    #[serde(default)]
    pub unhealthy: Vec<TargetScript>,
}

fn two_hundred() -> String {
    "200".to_owned()
}

/// A target that is not healthy.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TargetScript {
    /// Its address, or an instance's id.
    pub id: String,
    /// Its port.
    pub port: u16,
    /// Such as Target.ResponseCodeMismatch.
    pub reason: String,
    /// Such as `Health checks failed with these codes: [404]`.
    #[serde(default)]
    pub description: String,
}

/// A CloudFormation stack that fails.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BrokenStackScript {
    /// Its name.
    pub name: String,
    /// In which status it ends.
    pub status: String,
}

/// A Lambda function that says that it failed.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FailedFunctionScript {
    /// Its name.
    pub name: String,
    /// What it says.
    pub message: String,
}

/// What is said about a release's commit.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommitScript {
    /// Its message.
    pub message: Option<String>,
    /// Who wrote it.
    pub author: Option<String>,
    /// Their address.
    pub email: Option<String>,
    /// The branch.
    pub branch: Option<String>,
    /// When it was written.
    pub date: Option<Timestamp>,
}
