//! How a function starts: settings, policy, clients. Everything that is wrong is said at once, and nothing
//! starts with half of it.

mod guards;
mod log;
#[cfg(feature = "lambda")]
mod program;

use std::{io, path::PathBuf, time::Duration};

use jiff::Timestamp;

use crate::{
    aws::{Adapters, AwsError},
    carry_out::Scene,
    chat::console::Console,
    policy::{Mistakes, Policy},
    settings::{Settings, SettingsMistakes},
};

pub use guards::Guards;
pub use log::Log;
#[cfg(feature = "lambda")]
pub use program::Program;

/// A function, ready to work in one account.
#[derive(Clone, Debug)]
pub struct Guard {
    /// The account; `None` for Belay's own.
    pub account: Option<String>,
    /// What the owners asked for, of the services of this account.
    pub policy: Policy,
    /// The world outside.
    pub adapters: Adapters,
    /// For links.
    pub console: Console,
    /// How long to look on while another invocation is at it.
    pub patience: Patience,
    /// Where metrics go.
    pub log: Log,
}

/// How long one invocation goes on looking while another one is at it, and how long it waits in between. Real time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// So long.
    pub look_for: Duration,
    /// Between two looks.
    pub pause: Duration,
}

impl Default for Patience {
    /// Another invocation is done in that time with what this one would have done.
    fn default() -> Self {
        Self { look_for: Duration::from_secs(4), pause: Duration::from_millis(500) }
    }
}

/// Why a function refuses to start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Settings are missing or wrong; all of them are named.
    #[error("Belay does not start: its environment is not right.\n{0}")]
    Settings(#[from] SettingsMistakes),
    /// The policy cannot be read.
    #[error(
        "Belay does not start: the policy {path} cannot be read: {source}.\nSet BELAY_POLICY to the policy's path, or deploy it as the layer that is mounted at /opt."
    )]
    PolicyUnreadable {
        /// Where it was looked for.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The policy talks to Slack, and there is no secret to do it with.
    #[error(
        "Belay does not start: the policy talks to Slack about {services}, and BELAY_CHAT_SECRET is not set.\nSet it to the id of the chat secret (README, \"Slack\"), or remove `chat` from the policy."
    )]
    NoChat {
        /// Which services.
        services: String,
    },
    /// The policy names services of other accounts, and there is no external id to show to their roles.
    #[error(
        "Belay does not start: the policy has `account_role` for {services}, and BELAY_EXTERNAL_ID is not set.\nSet it to what the roles' trust policies demand as sts:ExternalId, or remove `account_role` from the policy."
    )]
    NoExternalId {
        /// Which services.
        services: String,
    },
    /// The policy is wrong; all its mistakes are named.
    #[error("Belay does not start: the policy {path} is refused.\n{mistakes}")]
    Policy {
        /// Where it is.
        path: PathBuf,
        /// What is wrong with it.
        mistakes: Mistakes,
    },
}

impl Guard {
    /// Where and when this invocation carries plans out.
    pub fn scene<'a>(&'a self, invocation: Invocation<'a>) -> Scene<'a> {
        Scene {
            policy: &self.policy,
            adapters: &self.adapters,
            console: &self.console,
            pause: self.patience.pause,
            invocation,
            log: &self.log,
        }
    }
}

fn read_policy(settings: &Settings) -> Result<Policy, StartError> {
    let path = settings.policy.clone();
    match std::fs::read_to_string(&path) {
        Err(source) => Err(StartError::PolicyUnreadable { path, source }),
        Ok(text) => Policy::parse(&text).map_err(|mistakes| StartError::Policy { path, mistakes }),
    }
}

/// One invocation of a function.
#[derive(Clone, Copy, Debug)]
pub struct Invocation<'a> {
    /// What tells it from every other, also from one in the same millisecond: Lambda's request id. Lambda gives a
    /// repeated delivery the same one, so claims take it together with `now`.
    pub id: &'a str,
    /// The ARN by which the function was invoked (the Lambda context's `invoked_function_arn`): it says in which account
    /// Belay runs, and where a function hands work to itself.
    pub function: &'a str,
    /// When it began.
    pub now: Timestamp,
    /// When it began, by a clock that only goes forward: what may not be begun too late is measured by it.
    pub begun: tokio::time::Instant,
}

impl Invocation<'_> {
    /// Whose the claims of this invocation are.
    pub fn claimant(&self) -> String {
        format!("{}@{}", self.id, self.now.as_millisecond())
    }

    /// The function's name, by `arn:<partition>:lambda:<region>:<account>:function:<name>`, whatever version was invoked.
    pub fn name(&self) -> &str {
        self.function.split(':').nth(6).unwrap_or_default()
    }

    /// The account in which Belay runs, by `arn:<partition>:lambda:<region>:<account>:function:<name>`.
    pub fn account(&self) -> Option<&str> {
        self.function.split(':').nth(4).filter(|account| !account.is_empty())
    }
}

/// What a binary says when it is run outside Lambda.
pub fn how_to_run(function: &str) -> String {
    format!(
        "{function} is a Lambda function: run it with `cargo lambda watch` and `cargo lambda invoke {function}`, or see what it does with `cargo run --bin rehearse`."
    )
}

/// A failed invocation, with a kind that an alarm can filter on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// A stable word: `NotForUs`, `MalformedEvent`, `EvidenceMissing`, `AwsCallFailed`, `HookNotAnswered`,
    /// `Unfinished`.
    pub kind: &'static str,
    /// What happened, as a sentence.
    pub message: String,
}

impl From<AwsError> for Failure {
    fn from(error: AwsError) -> Self {
        Self { kind: "AwsCallFailed", message: error.to_string() }
    }
}

#[cfg(feature = "lambda")]
impl From<Failure> for lambda_runtime::Diagnostic {
    fn from(failure: Failure) -> Self {
        Self { error_type: failure.kind.to_owned(), error_message: failure.message }
    }
}
