//! How clients reach AWS: where, with whose credentials, and how patiently.

use std::time::Duration;

use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_smithy_async::{
    rt::sleep::{SharedAsyncSleep, TokioSleep},
    time::{SharedTimeSource, SystemTimeSource},
};
use aws_smithy_runtime::client::identity::IdentityCache;
use aws_smithy_runtime_api::client::{behavior_version::BehaviorVersion, http::SharedHttpClient};
use aws_smithy_types::{retry::RetryConfig, timeout::TimeoutConfig};
use aws_types::{
    SdkConfig,
    origin::Origin,
    region::Region,
    service_config::{LoadServiceConfig, ServiceConfigKey},
};

/// The configuration that clients are made from.
pub type Connection = SdkConfig;

/// A connection may take this long to come about: name, TCP, TLS, to whatever region.
const CONNECT: Duration = Duration::from_secs(2);
/// One attempt of a call may take this long.
const ATTEMPT: Duration = Duration::from_secs(3);
/// A call with all its attempts may take this long: well inside the ledger's lease.
const CALL: Duration = Duration::from_secs(10);

/// The SDK's configuration: three attempts with exponential backoff and jitter by the SDK's own standard
/// retry mode, bounded attempts and calls.
///
/// What the environment says about AWS comes by `lookup`, under the names that all of AWS's SDKs take (AWS SDKs and Tools
/// Reference Guide, "Settings reference"): credentials, which is how Lambda gives a function its role's; endpoints other
/// than AWS's own; FIPS and dual-stack endpoints. Nothing is read from files or from instance metadata, so that the SDK's
/// own loader, which would read them, is not in the program. The region is given.
pub fn connect(
    region: &str,
    http: SharedHttpClient,
    lookup: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
) -> Connection {
    let environment = Environment(Box::new(lookup));
    let mut builder = SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new(region.to_owned()))
        .http_client(http)
        .retry_config(retries())
        .timeout_config(timeouts())
        .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
        .time_source(SharedTimeSource::new(SystemTimeSource::new()))
        .identity_cache(IdentityCache::lazy().build())
        .use_fips(environment.says("AWS_USE_FIPS_ENDPOINT"))
        .use_dual_stack(environment.says("AWS_USE_DUALSTACK_ENDPOINT"));
    builder.set_credentials_provider(environment.credentials().map(SharedCredentialsProvider::new));
    // Told where it comes from, the SDK lets a service's own endpoint win over it.
    builder.insert_origin("endpoint_url", Origin::shared_environment_variable());
    builder.set_endpoint_url(environment.endpoint());
    builder.service_config(environment).build()
}

/// The endpoint that the environment says for a service of this id, as the SDK's own clients find it.
pub(super) fn endpoint(config: &SdkConfig, service: &'static str) -> Option<String> {
    if config.get_origin("endpoint_url").is_client_config() {
        return config.endpoint_url().map(str::to_owned);
    }
    let key =
        ServiceConfigKey::builder().service_id(service).env(ENDPOINT).profile("endpoint_url").build().ok();
    let own = config.service_config().zip(key).and_then(|(environment, key)| environment.load_config(key));
    own.or_else(|| config.endpoint_url().map(str::to_owned))
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
        .connect_timeout(CONNECT)
        .operation_attempt_timeout(ATTEMPT)
        .operation_timeout(CALL)
        .build()
}

/// What finds a variable by its name.
type Lookup = dyn Fn(&str) -> Option<String> + Send + Sync;

/// What AWS's SDKs read from the environment, of which they take the empty string for nothing.
struct Environment(Box<Lookup>);

const ENDPOINT: &str = "AWS_ENDPOINT_URL";

impl Environment {
    fn value(&self, name: &str) -> Option<String> {
        (self.0)(name).filter(|value| !value.trim().is_empty())
    }

    fn says(&self, name: &str) -> bool {
        self.value(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    fn credentials(&self) -> Option<Credentials> {
        let (key, secret) = (self.value("AWS_ACCESS_KEY_ID")?, self.value("AWS_SECRET_ACCESS_KEY")?);
        Some(Credentials::new(key, secret, self.value("AWS_SESSION_TOKEN"), None, "Environment"))
    }

    /// For all services.
    fn endpoint(&self) -> Option<String> {
        if self.says("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS") { None } else { self.value(ENDPOINT) }
    }
}

impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Environment")
    }
}

impl LoadServiceConfig for Environment {
    /// A service's own variable is named by its id: `AWS_ENDPOINT_URL_CLOUDWATCH_LOGS` for `CloudWatch Logs`.
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        if key.env() == ENDPOINT && self.says("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS") {
            return None;
        }
        let service = key.service_id().to_uppercase().replace(' ', "_");
        self.value(&format!("{}_{service}", key.env())).or_else(|| self.value(key.env()))
    }
}

#[cfg(test)]
mod tests {
    use aws_credential_types::provider::ProvideCredentials;

    use super::*;

    fn of(variables: &'static [(&'static str, &'static str)]) -> Connection {
        let value = |name: &str| Some(variables.iter().find(|(named, _)| *named == name)?.1.to_owned());
        connect("eu-central-1", super::super::Http::default().client(), value)
    }

    fn asks(connection: &Connection, service: &str) -> Option<String> {
        let key =
            ServiceConfigKey::builder().service_id(service).env(ENDPOINT).profile("endpoint_url").build();
        connection.service_config()?.load_config(key.expect("a key"))
    }

    #[test]
    fn endpoints_are_those_of_the_environment() {
        let connection = of(&[
            (ENDPOINT, "http://all/"),
            ("AWS_ENDPOINT_URL_CLOUDWATCH_LOGS", "http://logs/"),
            ("AWS_ENDPOINT_URL_SNS", " "),
        ]);
        assert_eq!(connection.endpoint_url(), Some("http://all/"));
        assert!(!connection.get_origin("endpoint_url").is_client_config());
        assert_eq!(asks(&connection, "CloudWatch Logs").as_deref(), Some("http://logs/"));
        assert_eq!(asks(&connection, "CloudWatch").as_deref(), Some("http://all/"));
        assert_eq!(asks(&connection, "SNS").as_deref(), Some("http://all/"), "an empty one is not set");
        let ignored = of(&[(ENDPOINT, "http://all/"), ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")]);
        assert_eq!((ignored.endpoint_url(), asks(&ignored, "SNS")), (None, None));
    }

    #[tokio::test]
    async fn credentials_are_those_of_the_environment() {
        let full = of(&[
            ("AWS_ACCESS_KEY_ID", "id"),
            ("AWS_SECRET_ACCESS_KEY", "made-up"),
            ("AWS_SESSION_TOKEN", "session"),
            ("AWS_USE_FIPS_ENDPOINT", "TRUE"),
        ]);
        let given =
            full.credentials_provider().expect("a provider").provide_credentials().await.expect("some");
        assert_eq!((given.access_key_id(), given.secret_access_key()), ("id", "made-up"));
        assert_eq!(given.session_token(), Some("session"));
        assert_eq!((full.use_fips(), full.use_dual_stack()), (Some(true), Some(false)));
        let half = of(&[("AWS_ACCESS_KEY_ID", "id"), ("AWS_SECRET_ACCESS_KEY", "")]);
        assert!(half.credentials_provider().is_none());
    }
}
