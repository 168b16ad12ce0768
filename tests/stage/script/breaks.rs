//! What goes wrong behind an action of the pipeline: the build, the stack, the function.

use jiff::Timestamp;
use serde::Deserialize;

/// A stage's action fails the next time it runs, or the next times.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BreaksScript {
    /// The stage whose action fails.
    pub stage: String,
    /// How many of its runs; without it, all from now on.
    pub times: Option<u32>,
    /// What CodePipeline says of it.
    #[serde(default)]
    pub action: ActionScript,
    /// Its build fails.
    pub build: Option<BuildScript>,
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
