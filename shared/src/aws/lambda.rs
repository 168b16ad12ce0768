//! Lambda: asking a function of somebody else's how the release is doing, and handing work to one of our own.

use std::time::Duration;

use aws_sdk_lambda::{
    error::SdkError, operation::invoke::InvokeInput, primitives::Blob, types::InvocationType,
};
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;

use super::client::{Call as _, Client, service};
use crate::aws::AwsError;

service! {
    Api = aws_sdk_lambda, "Lambda", "lambda";
    invoke: Invoke InvokeInputBuilder InvokeOutput InvokeError;
}

/// Functions that can be invoked and waited for.
#[derive(Clone, Debug)]
pub struct Lambda {
    client: Client<Api>,
}

/// Connecting may take this long.
const CONNECT: Duration = Duration::from_secs(1);

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvokeError {
    /// Nothing was measured: throttled, refused, a fault of Lambda's own, or a connection that was cut. The
    /// function may have run all the same.
    #[error("the function was not measured: {0}")]
    NotMeasured(AwsError),
    /// The function ran and failed, in its own words.
    #[error("the function failed: {0}")]
    Failed(String),
    /// It did not answer in time, and goes on without us.
    #[error("no answer within {} seconds", .0.as_secs_f64())]
    TooSlow(Duration),
}

impl Lambda {
    /// A client of one configuration.
    pub fn new(config: &SdkConfig) -> Self {
        Self { client: Client::of(config) }
    }

    /// Invokes a function once, by its name or ARN, and waits for what it returns. Whoever wants it tried
    /// again asks again: a function may be slow, or do something.
    ///
    /// # Errors
    /// When there is no answer within `within`, with what that means.
    pub async fn invoke(
        &self,
        function: &str,
        payload: &[u8],
        within: Duration,
    ) -> Result<Vec<u8>, InvokeError> {
        const OPERATION: &str = "lambda:Invoke";
        // The limits of other calls are for calls that answer at once. Who cannot be reached was not measured,
        // so connecting keeps a limit of its own.
        let patient = TimeoutConfig::builder()
            .connect_timeout(within.min(CONNECT))
            .disable_read_timeout()
            .operation_attempt_timeout(within)
            .operation_timeout(within)
            .build();
        let sent = InvokeInput::builder()
            .function_name(function)
            .invocation_type(InvocationType::RequestResponse)
            .payload(Blob::new(payload))
            .sent_by(&self.client.once().within(patient))
            .await;
        match sent {
            Ok(output) => {
                let answer = output.payload.map(Blob::into_inner).unwrap_or_default();
                match output.function_error {
                    None => Ok(answer),
                    Some(kind) => Err(InvokeError::Failed(failure(&kind, &answer))),
                }
            }
            Err(SdkError::TimeoutError(_)) => Err(InvokeError::TooSlow(within)),
            Err(error) => Err(InvokeError::NotMeasured(AwsError::from_sdk(OPERATION, function, &error))),
        }
    }

    /// Hands work to a function, by its name or ARN, and does not wait for it. Lambda queues it, runs it at least once,
    /// and tries twice more if the function fails (Lambda Developer Guide, "Invoking a function asynchronously").
    ///
    /// A call whose answer was lost is sent again, so that the function may get the same work twice.
    ///
    /// # Errors
    /// When Lambda did not take it, or nobody knows whether it did: `refused` tells the two apart.
    pub async fn hand_off(&self, function: &str, payload: &[u8]) -> Result<(), AwsError> {
        const OPERATION: &str = "lambda:Invoke";
        let output = InvokeInput::builder()
            .function_name(function)
            .invocation_type(InvocationType::Event)
            .payload(Blob::new(payload))
            .sent_by(&self.client)
            .await
            .map_err(|error| AwsError::from_sdk(OPERATION, function, &error))?;
        queued(function, output.status_code)
    }
}

/// What is queued is answered with the status 202 (API reference, Invoke). Anything else is not queued.
fn queued(function: &str, status: i32) -> Result<(), AwsError> {
    if status == 202 {
        return Ok(());
    }
    let why = format!("Lambda answered with the HTTP status {status} instead of queueing it");
    Err(AwsError::unreadable("lambda:Invoke", function, why))
}

/// What a failed function said: `errorType` and `errorMessage`, where its body has them.
fn failure(kind: &str, body: &[u8]) -> String {
    let told: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    let member = |name: &str| told.as_ref().and_then(|told| told[name].as_str());
    match (member("errorType"), member("errorMessage")) {
        (Some(name), Some(message)) => format!("{name}: {message}"),
        (None, Some(message)) => message.to_owned(),
        (Some(name), None) => name.to_owned(),
        (None, None) => kind.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_queued_is_handed_off() {
        assert_eq!(queued("belay-chat", 202), Ok(()));
        for status in [0, 200, 204] {
            assert!(queued("belay-chat", status).is_err(), "{status}");
        }
    }

    #[test]
    fn a_failure_is_told_in_the_functions_own_words() {
        let body = br#"{"errorMessage": "no database", "errorType": "Timeout"}"#;
        assert_eq!(failure("Unhandled", body), "Timeout: no database");
        assert_eq!(failure("Unhandled", br#"{"errorMessage": "no database"}"#), "no database");
        assert_eq!(failure("Unhandled", br#"{"errorType": "Timeout"}"#), "Timeout");
        assert_eq!(failure("Unhandled", b"not JSON"), "Unhandled");
    }
}
