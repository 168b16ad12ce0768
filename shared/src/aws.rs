//! AWS, one file per service. SDK types end here: what comes out are the core's own values.

pub mod builds;
pub mod client;
pub mod cloudwatch;
pub mod codedeploy;
pub mod codepipeline;
mod connection;
pub mod drift;
pub mod endpoint;
pub(crate) mod http;
pub mod lambda;
pub mod ledger;
pub mod logs;
pub mod secrets;
pub mod sns;
pub mod stacks;
pub mod sts;
pub mod targets;
pub mod tasks;
pub(crate) mod timer;

use std::time::Duration;

use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_types::{SdkConfig, region::Region};

pub use self::{
    connection::{Connection, connect, retries, timeouts},
    http::Http,
};
use crate::{channel::Chat, settings::Settings};

/// Everything outside that Belay talks to.
#[derive(Clone, Debug)]
pub struct Adapters {
    /// The deployer.
    pub codedeploy: codedeploy::CodeDeploy,
    /// The pipelines around the deployer.
    pub codepipeline: codepipeline::CodePipeline,
    /// The alarms.
    pub cloudwatch: cloudwatch::CloudWatch,
    /// What was done already.
    pub ledger: ledger::Ledger,
    /// Where people are told.
    pub topic: sns::Topic,
    /// Functions that can be asked.
    pub lambda: lambda::Lambda,
    /// What a hook's `http` checks call.
    pub endpoint: endpoint::Endpoint,
    /// The chat products; `None` if Belay tells people by the topic only.
    pub chat: Option<Chat>,
    /// What is asked about failures.
    pub sources: Sources,
}

impl Adapters {
    /// Clients made from one configuration.
    pub fn new(config: &SdkConfig, settings: &Settings) -> Self {
        Self {
            codedeploy: codedeploy::CodeDeploy::new(config),
            codepipeline: codepipeline::CodePipeline::new(config),
            cloudwatch: cloudwatch::CloudWatch::new(config),
            ledger: ledger::Ledger::new(config, &settings.ledger_table),
            topic: sns::Topic::new(config, &settings.topic_arn),
            lambda: lambda::Lambda::new(config),
            endpoint: endpoint::Endpoint::default(),
            chat: settings.chat.as_ref().map(|chat| Chat::new(config, chat)),
            sources: Sources::new(config),
        }
    }

    /// Makes the clients that stand between an alarm and its undo now, and begins the connections that they will use, before
    /// anybody waits for them: as many as one look at a release has calls under way. The others are made when they are
    /// first used.
    ///
    /// Only inside tokio's runtime.
    pub fn ready(&self, http: &Http) {
        for (url, calls) in
            [(self.ledger.ready(), 2), (self.codedeploy.ready(), 3), (self.cloudwatch.ready(), 1)]
        {
            // Where the SDK knows none, the first call will say so.
            if let Some(url) = url {
                http.connect_ahead(&url, calls);
            }
        }
    }

    /// The same, but for what is read and undone: that is in the account of `config`'s credentials. The ledger, the topic
    /// and the chat products stay where they are.
    #[must_use]
    pub fn in_account(&self, config: &SdkConfig) -> Self {
        Self {
            codedeploy: codedeploy::CodeDeploy::new(config),
            codepipeline: codepipeline::CodePipeline::new(config),
            cloudwatch: cloudwatch::CloudWatch::new(config),
            lambda: lambda::Lambda::new(config),
            sources: Sources::new(config),
            ..self.clone()
        }
    }
}

/// What is asked about failures and about drift, and by nothing else: these clients are made when they are asked for, so
/// that a function that asks neither does not have them in it.
#[derive(Clone, Debug)]
pub struct Sources {
    connection: Connection,
    within: Duration,
}

impl Sources {
    /// Clients of one configuration.
    pub fn new(config: &SdkConfig) -> Self {
        Self { connection: config.clone(), within: EXPLAINED }
    }

    /// With another time for all that is asked about one failure.
    #[must_use]
    pub fn answering_within(self, within: Duration) -> Self {
        Self { within, ..self }
    }

    /// How long all that is asked about one failure may take together.
    pub fn within(&self) -> Duration {
        self.within
    }

    /// The region that is asked.
    pub fn region(&self) -> &str {
        self.connection.region().map_or("", Region::as_ref)
    }

    /// The same account's in another region, where an action ran in another one than its pipeline.
    #[must_use]
    pub fn in_region(&self, region: &str) -> Self {
        let there = self.connection.clone().into_builder().region(Region::new(region.to_owned())).build();
        Self { connection: there, ..self.clone() }
    }

    /// CodeDeploy.
    pub fn deployments(&self) -> codedeploy::CodeDeploy {
        codedeploy::CodeDeploy::new(&self.connection)
    }

    /// CodeBuild.
    pub fn builds(&self) -> builds::Builds {
        builds::Builds::new(&self.connection)
    }

    /// CloudWatch Logs.
    pub fn logs(&self) -> logs::Logs {
        logs::Logs::new(&self.connection)
    }

    /// CloudFormation, for how stacks drift.
    pub fn drift(&self) -> drift::Stacks {
        drift::Stacks::new(&self.connection)
    }

    /// CloudFormation, for how a stack fails.
    pub fn stacks(&self) -> stacks::Stacks {
        stacks::Stacks::new(&self.connection)
    }

    /// ECS.
    pub fn tasks(&self) -> tasks::Ecs {
        tasks::Ecs::new(&self.connection)
    }

    /// Elastic Load Balancing.
    pub fn targets(&self) -> targets::Targets {
        targets::Targets::new(&self.connection)
    }
}

/// All that is asked about one failure may take this long together: nobody waits for more than ten seconds for it, and what
/// is made of it takes no time to speak of.
const EXPLAINED: Duration = Duration::from_secs(9);

/// A call to AWS that failed, after its retries.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{operation} for {subject} failed: {why}")]
pub struct AwsError {
    /// The operation, in AWS's spelling: `codedeploy:StopDeployment`.
    pub operation: &'static str,
    /// What it was about: a deployment, an alarm, a key.
    pub subject: String,
    /// The service's error code, if it answered with one. Throttling is not modelled on most operations,
    /// so codes are compared, never variants.
    pub code: Option<String>,
    /// The service itself refused the last attempt (an HTTP status of 400 to 499), so that this attempt certainly
    /// did nothing. After a lost answer or a 5xx nobody knows.
    pub refused: bool,
    /// What went wrong, as a sentence without its full stop.
    pub why: String,
}

impl AwsError {
    /// An answer that does not hold what it must.
    pub fn unreadable(operation: &'static str, subject: impl ToString, why: impl Into<String>) -> Self {
        Self { operation, subject: subject.to_string(), code: None, refused: false, why: why.into() }
    }

    /// From the SDK's error.
    pub fn from_sdk<E>(
        operation: &'static str,
        subject: impl ToString,
        error: &SdkError<E, HttpResponse>,
    ) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let code = error.code().map(str::to_owned);
        let refused = error.raw_response().is_some_and(|answer| answer.status().is_client_error());
        let why = match error {
            SdkError::ServiceError(_) => match (error.code(), error.message()) {
                (Some(code), Some(message)) => format!("AWS says {code}: {message}"),
                (Some(code), None) => format!("AWS says {code}"),
                (None, _) => "AWS answered with an error that it did not name".to_owned(),
            },
            SdkError::TimeoutError(_) => "no answer in time".to_owned(),
            SdkError::DispatchFailure(failure) => {
                let error = failure.as_connector_error();
                match error.and_then(|error| caused_by::<sts::NotAssumed>(error)) {
                    Some(not_assumed) => not_assumed.to_string(),
                    None => {
                        let cause = error.map(|error| deepest(error)).unwrap_or_default();
                        format!("the request could not be sent: {cause}")
                    }
                }
            }
            SdkError::ResponseError(_) => "the answer could not be read".to_owned(),
            SdkError::ConstructionFailure(_) => "the request could not be made".to_owned(),
            _ => "it failed in a way this version of the SDK does not name".to_owned(),
        };
        Self { operation, subject: subject.to_string(), code, refused, why }
    }

    /// Whether the service refused for the rate of calls. Throttling is not modelled on most operations; these are
    /// the codes that the SDK itself counts as throttling, without those of other services.
    pub fn is_throttling(&self) -> bool {
        const CODES: [&str; 6] = [
            "Throttling",
            "ThrottlingException",
            "ThrottledException",
            "RequestThrottledException",
            "TooManyRequestsException",
            "RequestLimitExceeded",
        ];
        self.code.as_deref().is_some_and(|code| CODES.contains(&code))
    }

    /// Whether the service answered with this error code.
    pub fn is(&self, code: &str) -> bool {
        self.code.as_deref() == Some(code)
    }
}

/// The cause at the bottom of an error's chain: the outer layers only say that something failed.
pub(crate) fn deepest(error: &(dyn std::error::Error + 'static)) -> String {
    let mut current = error;
    while let Some(source) = current.source() {
        current = source;
    }
    current.to_string()
}

/// The error of that type in an error's chain, if there is one.
pub(crate) fn caused_by<'a, E: std::error::Error + 'static>(
    error: &'a (dyn std::error::Error + 'static),
) -> Option<&'a E> {
    std::iter::successors(Some(error), |error| error.source()).find_map(|error| error.downcast_ref())
}

/// An AWS time as ours; `None` if it is out of range.
pub(crate) fn timestamp(time: &aws_smithy_types::DateTime) -> Option<jiff::Timestamp> {
    let nanos = i32::try_from(time.subsec_nanos()).ok()?;
    jiff::Timestamp::new(time.secs(), nanos).ok()
}

/// Our time as AWS's.
pub(crate) fn date_time(time: jiff::Timestamp) -> aws_smithy_types::DateTime {
    aws_smithy_types::DateTime::from_millis(time.as_millisecond())
}
