//! What was gathered about a failed action of a pipeline: plain values, and for each its absence with the reason.

use crate::evidence::Observed;

/// A failed action, and what was asked about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The action.
    pub action: FailedAction,
    /// What was asked of the service behind it, each answered or missing with the reason. What was never asked,
    /// because the action has no such thing, is not in here.
    pub learnt: Vec<Learnt>,
}

/// The action that failed, as CodePipeline tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedAction {
    /// Its stage.
    pub stage: String,
    /// Its name.
    pub name: String,
    /// What sort of action it is.
    pub category: Category,
    /// Who carries it out: `CodeBuild`, `CodeDeploy`, `CloudFormation`, `Lambda`, `Manual`; an open set.
    pub provider: String,
    /// What CodePipeline says about the failure.
    pub error: Observed<ActionError>,
}

/// `output.executionResult` of ListActionExecutions (aws-sdk-codepipeline 1.131.0, `ActionExecutionResult`). Any of
/// it may be absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ActionError {
    /// `errorDetails.code`: "the system ID or number code of the error", such as `JobFailed`.
    pub code: Option<String>,
    /// `errorDetails.message`.
    pub message: Option<String>,
    /// `externalExecutionSummary`; of an approval, the words of whoever answered.
    pub summary: Option<String>,
    /// `externalExecutionUrl`.
    pub url: Option<String>,
}

/// CodePipeline's categories of actions (aws-sdk-codepipeline 1.131.0, `ActionCategory`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Category {
    /// Gets the source.
    Source,
    /// Builds.
    Build,
    /// Deploys.
    Deploy,
    /// Tests.
    Test,
    /// Invokes a function or a state machine.
    Invoke,
    /// Waits for a person.
    Approval,
    /// Runs commands.
    Compute,
    /// A category that was not there when this was written.
    Unrecognised(String),
}

impl Category {
    /// CodePipeline's word for it.
    pub fn from_wire(word: &str) -> Self {
        match word {
            "Source" => Self::Source,
            "Build" => Self::Build,
            "Deploy" => Self::Deploy,
            "Test" => Self::Test,
            "Invoke" => Self::Invoke,
            "Approval" => Self::Approval,
            "Compute" => Self::Compute,
            other => Self::Unrecognised(other.to_owned()),
        }
    }
}

/// One thing that was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Learnt {
    /// The build of CodeBuild.
    Build(Observed<Build>),
    /// The lines of its log, as gathered: bounded by whoever gathers. A line may hold line breaks.
    Log(Observed<Vec<String>>),
    /// What failed first in a CloudFormation stack.
    Stack(Observed<StackFailure>),
    /// The deployment of CodeDeploy.
    Deployment(Observed<DeploymentFailure>),
    /// Stopped tasks and the state of an ECS service.
    Tasks(Observed<Tasks>),
    /// A target group and its targets that are not healthy.
    Targets(Observed<TargetGroup>),
    /// A function's answer.
    Function(Observed<FunctionFailure>),
}

impl Learnt {
    /// What it is in a sentence, and why it is missing, if it is.
    pub fn missing(&self) -> Option<(&'static str, &str)> {
        match self {
            Self::Build(build) => build.known().err().map(|why| ("the build", why)),
            Self::Log(log) => log.known().err().map(|why| ("the build's log", why)),
            Self::Stack(stack) => stack.known().err().map(|why| ("the stack's events", why)),
            Self::Deployment(deployment) => deployment.known().err().map(|why| ("the deployment", why)),
            Self::Tasks(tasks) => tasks.known().err().map(|why| ("the service's tasks", why)),
            Self::Targets(group) => group.known().err().map(|why| ("the targets' health", why)),
            Self::Function(function) => function.known().err().map(|why| ("the function's answer", why)),
        }
    }
}

/// A build of CodeBuild that failed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Build {
    /// Its project.
    pub project: String,
    /// `buildStatus`: `FAILED`, `FAULT`, `TIMED_OUT`, `STOPPED`.
    pub status: String,
    /// The phase that failed first: `DOWNLOAD_SOURCE`, `INSTALL`, `BUILD`.
    pub phase: Option<String>,
    /// What that phase says about it.
    pub contexts: Vec<PhaseContext>,
    /// With what the failing command ended.
    pub exit_code: Option<i32>,
    /// The VPC that it runs in, if in one.
    pub vpc: Option<String>,
}

/// CodeBuild's `PhaseContext`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PhaseContext {
    /// `statusCode`: `COMMAND_EXECUTION_ERROR`, `CLIENT_ERROR`, `YAML_FILE_ERROR`.
    pub code: String,
    /// `message`.
    pub message: String,
}

/// Where a stack stands, and what failed in it first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StackFailure {
    /// Its name.
    pub name: String,
    /// Its status now: `UPDATE_ROLLBACK_FAILED`.
    pub status: String,
    /// The first event of this update that says failed; none when the change never began.
    pub first: Option<FailedResource>,
}

/// A resource that could not be made, changed or removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FailedResource {
    /// Its logical id.
    pub id: String,
    /// Its type: `AWS::Lambda::Function`.
    pub kind: String,
    /// `ResourceStatusReason`.
    pub reason: String,
}

/// A deployment of CodeDeploy that failed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeploymentFailure {
    /// Its id.
    pub id: String,
    /// `errorInformation.code`: `HEALTH_CONSTRAINTS`, `HOOK_EXECUTION_FAILURE`, `ALARM_ACTIVE`.
    pub code: Option<String>,
    /// `errorInformation.message`.
    pub message: Option<String>,
    /// The lifecycle events that failed, and those that hang, in their order.
    pub events: Vec<FailedEvent>,
}

/// A lifecycle event that failed or hangs, with CodeDeploy's `Diagnostics` of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FailedEvent {
    /// `AfterInstall`, `AllowTraffic`.
    pub event: String,
    /// `status`: `Failed`, `InProgress`.
    pub status: String,
    /// `Success`, `ScriptMissing`, `ScriptNotExecutable`, `ScriptTimedOut`, `ScriptFailed`, `UnknownError`.
    pub code: Option<String>,
    /// The script, or empty.
    pub script: Option<String>,
    /// `message`.
    pub message: Option<String>,
    /// Up to the last 4 KB of the script's output.
    pub log_tail: Option<String>,
}

/// What became of an ECS service's tasks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tasks {
    /// The service.
    pub service: String,
    /// Those that stopped, the latest first.
    pub stopped: Vec<StoppedTask>,
    /// `rolloutStateReason` of the deployment.
    pub rollout: Option<String>,
    /// The service's own messages, the latest first.
    pub messages: Vec<String>,
}

/// A task that stopped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoppedTask {
    /// `stoppedReason`.
    pub reason: String,
    /// Its containers.
    pub containers: Vec<StoppedContainer>,
}

/// A container of a task that stopped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoppedContainer {
    /// Its name.
    pub name: String,
    /// With what it ended, if it ever ran.
    pub exit_code: Option<i32>,
    /// `reason`.
    pub reason: Option<String>,
}

/// A target group whose targets do not become healthy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TargetGroup {
    /// Its name.
    pub name: String,
    /// The path that is asked, for HTTP.
    pub path: Option<String>,
    /// The codes that count as healthy: `200`, `200-299`.
    pub expects: Option<String>,
    /// The targets that are not healthy.
    pub unhealthy: Vec<UnhealthyTarget>,
}

/// A target that is not healthy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnhealthyTarget {
    /// Its address or instance, with its port where that is known: `10.0.1.45:8080`.
    pub id: String,
    /// `TargetHealth.Reason`: `Target.Timeout`, `Target.ResponseCodeMismatch`.
    pub reason: String,
    /// `TargetHealth.Description`.
    pub description: String,
}

/// A function that answered with an error, or not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FunctionFailure {
    /// The function.
    pub name: String,
    /// `FunctionError`: `Handled` or `Unhandled`; none when its answer was no error of the runtime's.
    pub error: Option<String>,
    /// The error object that it answered with, or what it reported by PutJobFailureResult.
    pub payload: String,
}
