//! Lambda's Invoke.

use std::time::Duration;

use aws_sdk_lambda::error::ProvideErrorMetadata;
use aws_sdk_lambda::primitives::Blob;
use serde_json::json;

use super::clients::config;
use super::thursday;
use crate::{Fault, Invoked, Service, Simulator};

#[tokio::test]
async fn a_function_answers_fails_or_hangs_as_the_script_says() {
    let simulator = Simulator::start(thursday()).await;
    let client = aws_sdk_lambda::Client::new(&config(&simulator).await);
    let invoke = || client.invoke().function_name("smoke").payload(Blob::new(r#"{"release":"v2"}"#));
    let refused = invoke().send().await.unwrap_err();
    assert_eq!(refused.raw_response().unwrap().status().as_u16(), 404);
    assert!(refused.into_service_error().is_resource_not_found_exception());
    simulator.answer_invocations("smoke", Invoked::Answer(json!({ "healthy": true })));
    let answer = invoke().send().await.unwrap();
    assert_eq!((answer.status_code(), answer.function_error()), (200, None));
    assert_eq!(answer.payload().unwrap().as_ref(), br#"{"healthy":true}"#);
    let arn = "arn:aws:lambda:us-east-1:123456789012:function:smoke:live";
    assert!(invoke().function_name(arn).send().await.unwrap().payload().is_some());
    simulator.answer_invocations("smoke", Invoked::Error(json!({ "errorMessage": "no" })));
    let failed = invoke().send().await.unwrap();
    assert_eq!((failed.status_code(), failed.function_error()), (200, Some("Unhandled")));
    simulator.answer_invocations("smoke", Invoked::Hang);
    assert!(tokio::time::timeout(Duration::from_millis(200), invoke().send()).await.is_err());
    let calls = simulator.calls("Invoke");
    assert_eq!(calls.len(), 5);
    assert_eq!(calls[0].service, Service::Lambda);
    assert_eq!(calls[0].input, json!({ "FunctionName": "smoke", "Payload": { "release": "v2" } }));
    simulator.answer_invocations("smoke", Invoked::Answer(json!(1)));
    let garbled = invoke().payload(Blob::new("{release")).send().await.unwrap_err();
    assert!(garbled.into_service_error().is_invalid_request_content_exception());
    simulator.fault("Invoke", Fault::Throttle, 1);
    let throttled = invoke().send().await.unwrap_err();
    assert_eq!(throttled.raw_response().unwrap().status().as_u16(), 429);
    assert_eq!(throttled.code(), Some("TooManyRequestsException"));
    simulator.fault("Invoke", Fault::InternalError, 1);
    let broken = invoke().send().await.unwrap_err();
    assert_eq!(
        (broken.code(), broken.raw_response().unwrap().status().as_u16()),
        (Some("ServiceException"), 500)
    );
    simulator.fault("Invoke", Fault::CutConnection, 1);
    assert!(invoke().send().await.is_err());
}
