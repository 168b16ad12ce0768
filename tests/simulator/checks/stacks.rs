//! CloudFormation: stacks, their events, and how their drift is detected.

use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::error::ProvideErrorMetadata;
use aws_sdk_cloudformation::types::{
    StackDriftDetectionStatus, StackDriftStatus, StackResourceDriftStatus, StackStatus,
};
use serde_json::Value;

use super::clients::config;
use super::{key_paths, minutes, thursday};
use crate::{Difference, Fault, Resource, Simulator, Stack, StackFailure, StackStep};

async fn client(simulator: &Simulator) -> Client {
    Client::new(&config(simulator).await)
}

fn orders() -> Stack {
    let alias = "arn:aws:lambda:us-east-1:123456789012:function:orders:live";
    Stack::new("orders")
        .resource(Resource::new("Alias", "AWS::Lambda::Alias", alias))
        .resource(Resource::new(
            "Queue",
            "AWS::SQS::Queue",
            "https://sqs.us-east-1.amazonaws.com/123456789012/orders",
        ))
        .resource(Resource::new("Inner", "AWS::CloudFormation::Stack", ""))
}

fn timeout(actual: &str) -> Difference {
    Difference::Property {
        path: "/VisibilityTimeout".to_owned(),
        kind: "NOT_EQUAL".to_owned(),
        expected: "30".to_owned(),
        actual: actual.to_owned(),
    }
}

#[tokio::test]
async fn a_stack_that_fails_says_why_newest_first_and_its_nested_stack_has_events_of_its_own() {
    let simulator = Simulator::start(thursday()).await;
    let id = simulator.create_stack(orders());
    let inner = simulator.create_stack(Stack::new("orders-inner").nested_in("orders", "Inner"));
    simulator.advance(minutes(5)).await;
    let step = |resource: &str, kind: &str, status: &str, reason: &str| StackStep {
        resource: resource.to_owned(),
        kind: kind.to_owned(),
        status: status.to_owned(),
        reason: reason.to_owned(),
    };
    let refused = "Resource handler returned message: \"<not authorized> & co\"";
    simulator.fail_stack(
        "orders-inner",
        StackFailure {
            status: "UPDATE_FAILED".to_owned(),
            steps: vec![step("Role", "AWS::IAM::Role", "UPDATE_FAILED", refused)],
        },
    );
    let stack = "AWS::CloudFormation::Stack";
    simulator.fail_stack(
        "orders",
        StackFailure {
            status: "UPDATE_ROLLBACK_FAILED".to_owned(),
            steps: vec![
                step(
                    "Inner",
                    stack,
                    "UPDATE_FAILED",
                    &format!("Embedded stack {inner} was not successfully updated."),
                ),
                step("Queue", "AWS::SQS::Queue", "UPDATE_FAILED", "Resource update cancelled"),
            ],
        },
    );
    let client = client(&simulator).await;
    let events = client.describe_stack_events().stack_name("orders").send().await.unwrap();
    let seen: Vec<_> = events
        .stack_events()
        .iter()
        .map(|event| (event.logical_resource_id().unwrap(), event.resource_status().unwrap().as_str()))
        .collect();
    assert_eq!(
        seen,
        [
            ("orders", "UPDATE_ROLLBACK_FAILED"),
            ("Queue", "UPDATE_FAILED"),
            ("Inner", "UPDATE_FAILED"),
            ("orders", "CREATE_COMPLETE"),
        ]
    );
    // The way into the nested stack is the physical id.
    let nested = events.stack_events()[2].physical_resource_id().unwrap();
    assert_eq!(nested, inner);
    let deeper = client.describe_stack_events().stack_name(nested).send().await.unwrap();
    assert_eq!(deeper.stack_events()[1].resource_status_reason(), Some(refused));
    let times: Vec<i64> =
        events.stack_events().iter().map(|event| event.timestamp().unwrap().secs()).collect();
    assert!(times.is_sorted_by(|one, other| one >= other), "{times:?}");
    let described = client.describe_stacks().stack_name(&id).send().await.unwrap();
    let described = &described.stacks()[0];
    assert_eq!(described.stack_status(), Some(&StackStatus::UpdateRollbackFailed));
    assert_eq!(
        described.stack_status_reason(),
        Some("The following resource(s) failed to update: [Inner, Queue]. ")
    );
    let error = client.describe_stack_events().stack_name("no-such").send().await.unwrap_err();
    assert_eq!(
        (error.code(), error.message()),
        (Some("ValidationError"), Some("Stack [no-such] does not exist"))
    );
}

#[tokio::test]
async fn stacks_are_listed_in_pages_by_their_status() {
    let simulator = Simulator::start(thursday()).await;
    for number in 0..250 {
        let stack = Stack::new(&format!("s-{number:03}"));
        simulator.create_stack(if number % 50 == 0 { stack.status("DELETE_COMPLETE") } else { stack });
    }
    let client = client(&simulator).await;
    let (mut names, mut sizes, mut token) = (Vec::new(), Vec::new(), None);
    loop {
        let answer = client
            .list_stacks()
            .stack_status_filter(StackStatus::CreateComplete)
            .stack_status_filter(StackStatus::UpdateComplete)
            .set_next_token(token)
            .send()
            .await
            .unwrap();
        sizes.push(answer.stack_summaries().len());
        names.extend(answer.stack_summaries().iter().map(|one| one.stack_name().unwrap().to_owned()));
        token = answer.next_token().map(str::to_owned);
        if token.is_none() {
            break;
        }
    }
    assert_eq!(sizes, [100, 100, 45]);
    assert!(names.is_sorted() && !names.contains(&"s-050".to_owned()), "{names:?}");
    assert_eq!(client.describe_stacks().send().await.unwrap().stacks().len(), 100);
    let error = client.describe_stacks().stack_name("s-050").send().await.unwrap_err();
    assert_eq!(error.message(), Some("Stack with id s-050 does not exist"));
}

#[tokio::test]
async fn drift_is_detected_in_its_time_and_announced_like_the_samples() {
    let simulator = Simulator::start(thursday()).await;
    let id = simulator.create_stack(orders());
    simulator.drift_resource("orders", "Queue", timeout("3"));
    simulator.drift_resource("orders", "Queue", timeout("5"));
    simulator.drift_resource("orders", "Alias", Difference::Deleted);
    let client = client(&simulator).await;
    let detect = || client.detect_stack_drift().stack_name("orders").send();
    let run = detect().await.unwrap();
    let run = run.stack_drift_detection_id().unwrap().to_owned();
    assert!(run.len() <= 36);
    let status = || client.describe_stack_drift_detection_status().stack_drift_detection_id(&run).send();
    let before = status().await.unwrap();
    assert_eq!(before.detection_status(), Some(&StackDriftDetectionStatus::DetectionInProgress));
    assert_eq!(before.drifted_stack_resource_count(), None);
    let twice = detect().await.unwrap_err();
    assert_eq!(twice.code(), Some("ValidationError"));
    assert!(twice.message().unwrap().starts_with("Drift detection is already in progress for stack"));
    simulator.advance(minutes(1)).await;
    let after = status().await.unwrap();
    assert_eq!(after.detection_status(), Some(&StackDriftDetectionStatus::DetectionComplete));
    assert_eq!(after.stack_drift_status(), Some(&StackDriftStatus::Drifted));
    assert_eq!(after.drifted_stack_resource_count(), Some(2));
    let drifts = |size: i32, token: Option<String>| {
        client
            .describe_stack_resource_drifts()
            .stack_name(&id)
            .stack_resource_drift_status_filters(StackResourceDriftStatus::Modified)
            .stack_resource_drift_status_filters(StackResourceDriftStatus::Deleted)
            .max_results(size)
            .set_next_token(token)
            .send()
    };
    let first = drifts(1, None).await.unwrap();
    assert_eq!(
        first.stack_resource_drifts()[0].stack_resource_drift_status(),
        Some(&StackResourceDriftStatus::Deleted)
    );
    let second = drifts(1, first.next_token().map(str::to_owned)).await.unwrap();
    assert_eq!(second.next_token(), None);
    let queue = &second.stack_resource_drifts()[0];
    let [difference] = queue.property_differences() else { panic!("{queue:?}") };
    assert_eq!(difference.property_path(), Some("/VisibilityTimeout"));
    assert_eq!((difference.expected_value(), difference.actual_value()), (Some("30"), Some("5")));
    let samples = [
        include_str!("../../fixtures/cloudformation/cloudformation-drift-in-progress.json"),
        include_str!("../../fixtures/cloudformation/cloudformation-drift-complete.json"),
    ];
    let events = simulator.announced();
    let events: Vec<&Value> = events
        .iter()
        .map(|(event, _)| event)
        .filter(|event| event["detail-type"].as_str().unwrap().contains("Drift"))
        .collect();
    let statuses: Vec<&str> = events
        .iter()
        .map(|event| event["detail"]["status-details"]["detection-status"].as_str().unwrap())
        .collect();
    assert_eq!(statuses, ["DETECTION_IN_PROGRESS", "DETECTION_IN_PROGRESS", "DETECTION_COMPLETE"]);
    for (event, sample) in [events[0], events[2]].into_iter().zip(samples) {
        let sample: Value = serde_json::from_str(sample).unwrap();
        assert_eq!(key_paths(event), key_paths(&sample));
    }
    assert_eq!(events[0]["detail"]["drift-detection-details"]["drifted-stack-resource-count"], -1);
}

#[tokio::test]
async fn a_detection_is_refused_fails_and_is_throttled_as_aws_words_it() {
    let simulator = Simulator::start(thursday()).await;
    simulator.create_stack(orders());
    simulator.create_stack(Stack::new("busy").status("UPDATE_IN_PROGRESS"));
    simulator.create_stack(Stack::new("denied").denied());
    let client = client(&simulator).await;
    let detect = |name: &'static str| client.detect_stack_drift().stack_name(name).send();
    assert_eq!(detect("busy").await.unwrap_err().code(), Some("ValidationError"));
    assert_eq!(detect("denied").await.unwrap_err().code(), Some("AccessDenied"));
    assert_eq!(detect("none").await.unwrap_err().message(), Some("Stack with id none does not exist"));
    simulator.fault("DetectStackDrift", Fault::Throttle, 1);
    let throttled = detect("orders").await.unwrap_err();
    assert_eq!((throttled.code(), throttled.message()), (Some("Throttling"), Some("Rate exceeded")));
    simulator.drift_resource("orders", "Alias", Difference::Unreadable("not authorized".to_owned()));
    simulator.drift_resource("orders", "Queue", timeout("3"));
    let run = detect("orders").await.unwrap().stack_drift_detection_id().unwrap().to_owned();
    simulator.advance(minutes(1)).await;
    let status =
        client.describe_stack_drift_detection_status().stack_drift_detection_id(run).send().await.unwrap();
    assert_eq!(status.detection_status(), Some(&StackDriftDetectionStatus::DetectionFailed));
    // What could be checked is there all the same.
    let drifts = client.describe_stack_resource_drifts().stack_name("orders").send().await.unwrap();
    let seen: Vec<_> = drifts
        .stack_resource_drifts()
        .iter()
        .map(|drift| drift.stack_resource_drift_status().unwrap().as_str())
        .collect();
    assert_eq!(seen, ["UNKNOWN", "MODIFIED"]);
    assert_eq!(drifts.stack_resource_drifts()[0].drift_status_reason(), Some("not authorized"));
    simulator.mend_resource("orders", "Queue");
    simulator.mend_resource("orders", "Alias");
    detect("orders").await.unwrap();
    simulator.advance(minutes(1)).await;
    let described = client.describe_stacks().stack_name("orders").send().await.unwrap();
    let drift = described.stacks()[0].drift_information().unwrap();
    assert_eq!(drift.stack_drift_status(), Some(&StackDriftStatus::InSync));
    assert_eq!(drift.last_check_timestamp().unwrap().secs(), simulator.now().as_second() - 30);
}
