//! AWS, one file per service. SDK types end here: what comes out are the core's own values.

pub mod builds;
pub mod cloudwatch;
pub mod codedeploy;
pub mod codepipeline;
pub mod drift;
pub mod endpoint;
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

use aws_config::{
    BehaviorVersion, Region, SdkConfig, environment::EnvironmentVariableCredentialsProvider,
    retry::RetryConfig, timeout::TimeoutConfig,
};
use aws_smithy_http_client::tls::{self, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::{http::SharedHttpClient, orchestrator::HttpResponse, result::SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::{channel::Chat, settings::Settings};

/// How clients reach AWS: where, with whose credentials, and how patiently.
pub type Connection = SdkConfig;

/// Everything outside that Belay talks to.
#[derive(Clone, Debug)]
pub struct Adapters {
    /// The deployer.
    pub codedeploy: codedeploy::CodeDeploy,
    /// The pipelines around the deployer.
    pub codepipeline: codepipeline::CodePipeline,
    /// The alarms.
    pub cloudwatch: cloudwatch::CloudWatch,
    /// The stacks, and how they drift.
    pub stacks: drift::Stacks,
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
            stacks: drift::Stacks::new(config),
            ledger: ledger::Ledger::new(config, &settings.ledger_table),
            topic: sns::Topic::new(config, &settings.topic_arn),
            lambda: lambda::Lambda::new(config),
            endpoint: endpoint::Endpoint::default(),
            chat: settings.chat.as_ref().map(|chat| Chat::new(config, chat)),
            sources: Sources::new(config),
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
            stacks: drift::Stacks::new(config),
            lambda: lambda::Lambda::new(config),
            sources: Sources::new(config),
            ..self.clone()
        }
    }
}

/// What is asked about a failure, and by nothing else: these clients are made when they are asked for, so that a function
/// that explains no failure neither has them in it nor makes them when it starts.
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

    /// CloudFormation.
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

/// The SDK's HTTPS client: rustls on ring, the system's certificates.
pub fn http_client() -> SharedHttpClient {
    aws_smithy_http_client::Builder::new().tls_provider(tls::Provider::Rustls(CryptoMode::Ring)).build_https()
}

/// One attempt of a call may take this long.
const ATTEMPT: Duration = Duration::from_secs(3);
/// A call with all its attempts may take this long: well inside the ledger's lease.
const CALL: Duration = Duration::from_secs(10);

/// All that is asked about one failure may take this long together: nobody waits for more than ten seconds for it, and what
/// is made of it takes no time to speak of.
const EXPLAINED: Duration = Duration::from_secs(9);

/// The SDK's configuration: three attempts with exponential backoff and jitter by the SDK's own standard
/// retry mode, bounded attempts and calls.
///
/// Credentials come from the environment only, which is how Lambda gives them; so nothing is read from
/// files or from instance metadata at start. The region is given. `AWS_ENDPOINT_URL` and
/// `AWS_ENDPOINT_URL_<SERVICE>` are honoured by the SDK.
pub async fn connect(region: &str, http: SharedHttpClient) -> SdkConfig {
    aws_config::defaults(BehaviorVersion::v2026_01_12())
        .region(Region::new(region.to_owned()))
        .credentials_provider(EnvironmentVariableCredentialsProvider::new())
        .http_client(http)
        .retry_config(retries())
        .timeout_config(timeouts())
        .load()
        .await
}

/// How calls are retried, for anybody who makes a configuration by hand.
pub fn retries() -> RetryConfig {
    RetryConfig::standard()
        .with_max_attempts(3)
        .with_initial_backoff(Duration::from_millis(200))
        .with_max_backoff(Duration::from_secs(2))
}

/// How long calls may take.
pub fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(1))
        .operation_attempt_timeout(ATTEMPT)
        .operation_timeout(CALL)
        .build()
}

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
