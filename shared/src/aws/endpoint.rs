//! The HTTP client of a hook's `http` checks.

use std::{sync::OnceLock, time::Duration};

use aws_smithy_runtime_api::client::{http::HttpConnector, orchestrator::HttpRequest};
use aws_smithy_types::body::SdkBody;

use super::{
    deepest,
    http::{Pool, Tls},
};

/// A check asks again after a pause.
const IDLE: usize = 1;

/// Endpoints under test.
///
/// A clone has connections of its own, for one check and not the next: what was connected before the traffic shifted would
/// answer for the old version. Whom to trust is found out once for all.
#[derive(Debug, Default)]
pub struct Endpoint {
    /// Made at the first request.
    connections: OnceLock<Pool>,
    tls: Tls,
}

impl Clone for Endpoint {
    fn clone(&self) -> Self {
        Self { connections: OnceLock::new(), tls: Tls::clone(&self.tls) }
    }
}

/// Why there is no status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoStatus {
    /// It did not answer in time. That is a measurement: it is too slow.
    TooSlow,
    /// The request could not be made or sent: nothing was measured.
    NotMeasured(String),
}

impl Endpoint {
    /// The status of one GET, which is never redirected: a 302 is a 302.
    ///
    /// # Errors
    /// When there is none within `within`, with what that means.
    pub async fn status(&self, url: &str, within: Duration) -> Result<u16, NoStatus> {
        let request = http::Request::get(url)
            .header("user-agent", concat!("belay/", env!("CARGO_PKG_VERSION")))
            .body(SdkBody::empty())
            .map_err(|error| NoStatus::NotMeasured(error.to_string()))?;
        let request =
            HttpRequest::try_from(request).map_err(|error| NoStatus::NotMeasured(error.to_string()))?;
        let connections = self.connections.get_or_init(|| Pool::keeping(IDLE, &self.tls));
        // Connecting has no limit of its own: slow to connect is slow to answer.
        let answer = connections.call(request);
        match tokio::time::timeout(within, answer).await {
            Err(_) => Err(NoStatus::TooSlow),
            Ok(Ok(response)) => Ok(response.status().as_u16()),
            Ok(Err(error)) if error.is_timeout() => Err(NoStatus::TooSlow),
            Ok(Err(error)) => Err(NoStatus::NotMeasured(deepest(&error))),
        }
    }
}
