//! Lambda's Invoke.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_lambda::error::ProvideErrorMetadata;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::InvocationType;
use serde_json::json;

use super::clients::config;
use super::thursday;
use crate::{Fault, Invocation, Invoked, Service, Simulator};

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

#[tokio::test]
async fn an_event_is_taken_at_once_and_delivered_up_to_three_times() {
    let simulator = Simulator::start(thursday()).await;
    let client = aws_sdk_lambda::Client::new(&config(&simulator).await);
    let event = |name: &str, payload: &str| {
        let invoke = client.invoke().function_name(name).payload(Blob::new(payload));
        invoke.invocation_type(InvocationType::Event)
    };
    let unknown = event("chat-actions", "{}").send().await.unwrap_err();
    assert!(unknown.into_service_error().is_resource_not_found_exception());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let notes = Arc::clone(&seen);
    simulator.register("chat-actions", move |call: Invocation| {
        let text = String::from_utf8(call.payload).unwrap();
        let fails = text.contains("bad");
        notes.lock().unwrap().push((call.now.duration_since(thursday()).as_secs(), text));
        async move { if fails { Err("no".to_owned()) } else { Ok(String::new()) } }
    });
    // What a script says about waiting callers is nothing to events.
    simulator.answer_invocations("chat-actions", Invoked::Hang);
    let taken = event("chat-actions", r#"{ "good":1 }"#).send().await.unwrap();
    assert_eq!((taken.status_code(), taken.payload()), (202, None));
    assert!(seen.lock().unwrap().is_empty());
    let arn = "arn:aws:lambda:us-east-1:123456789012:function:chat-actions:live";
    event(arn, r#"{"bad":2}"#).send().await.unwrap();
    simulator.advance(Duration::from_secs(600)).await;
    let bad = || r#"{"bad":2}"#.to_owned();
    let good = r#"{ "good":1 }"#.to_owned();
    assert_eq!(*seen.lock().unwrap(), [(0, good), (0, bad()), (60, bad()), (180, bad())]);
    assert_eq!(simulator.dead_letters().len(), 1);
    let garbled = event("chat-actions", "{bad").send().await.unwrap_err();
    assert!(garbled.into_service_error().is_invalid_request_content_exception());
    let large = format!("\"{}\"", "x".repeat(1024 * 1024));
    let refused = event("chat-actions", &large).send().await.unwrap_err();
    assert!(refused.into_service_error().is_request_too_large_exception());
    let effects = simulator.effects("Invoke");
    assert_eq!(effects.len(), 2);
    assert_eq!(effects[1]["InvocationType"], "Event");
    // A dry run is not modelled.
    let dry = client.invoke().function_name("chat-actions").invocation_type(InvocationType::DryRun);
    assert!(dry.send().await.is_err());
    assert_eq!(simulator.acknowledge_unmodelled(), ["Unknown Invoke DryRun"]);
}
