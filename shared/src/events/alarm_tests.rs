//! Alarms through every route: what is read, what is refused, and with which words.

use serde_json::{Value, json};

use super::alarm::{AlarmPayload, BatchItem, alarm};
use super::samples::{self, assert_malformed, change, message_of, sample, with_message};
use super::{EventError, hook, release};
use crate::release::{AlarmArn, AlarmName};
use crate::signal::{AlarmChange, AlarmState, Quieted, Signal};

const HIGH: &str = "Threshold Crossed: 1 out of the last 1 datapoints [99.0 (05/03/26 14:04:00)] was \
                    greater than the threshold (5.0) (minimum 1 datapoint for OK -> ALARM transition).";
const LOW: &str = "Threshold Crossed: 1 out of the last 1 datapoints [0.0 (05/03/26 14:02:00)] was not \
                   greater than the threshold (5.0) (minimum 1 datapoint for ALARM -> OK transition).";
const RATE: &str = "Threshold Crossed: 1 out of the last 1 datapoints [12.5 (05/03/26 14:04:00)] was \
                    greater than the threshold (1.0) (minimum 1 datapoint for OK -> ALARM transition).";
const CHILD: &str = "arn:aws:cloudwatch:us-east-1:123456789012:alarm:orders-5xx transitioned to ALARM at \
                     Thursday 05 March, 2026 14:05:45 UTC";
const STATES: &str = "OK, ALARM or INSUFFICIENT_DATA";
const TEXT: &str = "text that is not empty";
const TIME: &str = "a time as 2026-03-05T14:05:40.989+0000 or 2026-03-05T14:05:40Z";

const EVENT: &str = "cloudwatch/cloudwatch-alarm-state-change-metric.json";
const ACTION: &str = "cloudwatch/lambda-alarm-action-metric.json";
const SNS: &str = "cloudwatch/sns-cloudwatch-alarm-metric.json";

fn went(name: &str, from: AlarmState, to: AlarmState, at: &str, reason: &str) -> AlarmChange {
    AlarmChange {
        alarm: AlarmName::from(name),
        arn: Some(AlarmArn::from(format!("arn:aws:cloudwatch:us-east-1:123456789012:alarm:{name}"))),
        account: Some("123456789012".into()),
        region: Some("us-east-1".into()),
        to,
        from: Some(from),
        reason: reason.into(),
        at: at.parse().expect("a time"),
        quieted: None,
    }
}

fn orders_5xx() -> AlarmChange {
    let at = "2026-03-05T14:05:40.989Z";
    went("orders-5xx", AlarmState::Ok, AlarmState::Alarm, at, HIGH)
}

fn read(payload: &Value) -> Result<AlarmPayload, EventError> {
    alarm(payload.to_string().as_bytes())
}

#[allow(clippy::unnecessary_wraps, reason = "it is compared with what reading returns")]
fn one(change: AlarmChange) -> Result<AlarmPayload, EventError> {
    Ok(AlarmPayload::One(vec![change]))
}

fn changed(file: &str, pointer: &str, to: Option<Value>) -> Value {
    let mut payload = samples::json(file);
    change(&mut payload, pointer, to);
    payload
}

/// A batch of messages with these bodies, `m0`, `m1` and so on.
fn batch(bodies: &[String]) -> Value {
    let record = samples::json("lambda/sqs-event.json")["Records"][0].clone();
    let records = bodies.iter().enumerate().map(|(index, body)| {
        let mut record = record.clone();
        record["messageId"] = json!(format!("m{index}"));
        record["body"] = json!(body);
        record
    });
    json!({ "Records": records.collect::<Vec<_>>() })
}

/// The changes of each message of a batch.
fn items(payload: &Value) -> Vec<Result<Vec<AlarmChange>, EventError>> {
    match read(payload) {
        Ok(AlarmPayload::Batch(items)) => items.into_iter().map(|item| item.changes).collect(),
        other => panic!("not a batch: {other:?}"),
    }
}

/// An SNS envelope in its HTTP form around that message.
fn http_envelope(message: &str) -> String {
    let mut envelope = samples::json("lambda/sns-http-notification.json");
    envelope["Message"] = json!(message);
    envelope.to_string()
}

fn came(outcome: Result<AlarmPayload, EventError>) -> String {
    match outcome {
        Err(EventError::NotForUs { came, expected }) => {
            assert!(expected.starts_with("a CloudWatch alarm: "), "{expected}");
            came
        }
        other => panic!("not NotForUs: {other:?}"),
    }
}

#[test]
fn every_sample_of_an_alarm_is_read_whole() {
    use AlarmState::{Alarm, InsufficientData, Ok as Fine};
    let muted = Quieted::Muted {
        by: "arn:aws:cloudwatch:us-east-1:123456789012:alarm-mute-rule:release-window".into(),
        until: Some("2026-03-05T15:00:00.000+0000".into()),
    };
    let suppressed =
        Quieted::Suppressed { by: "WaitPeriod".into(), why: Some("Actions suppressed by WaitPeriod".into()) };
    let health = |from, at| went("orders-health", from, Alarm, at, CHILD);
    let unknown = "Insufficient Data: 5 datapoints were unknown.";
    let series = "2 out of 6 time series evaluated to ALARM";
    let at_989 = "2026-03-05T14:05:40.989Z";
    let at_394 = "2026-03-05T14:05:45.394Z";
    let anomaly = samples::json("cloudwatch/cloudwatch-alarm-state-change-anomaly.json");
    let anomaly = anomaly["detail"]["state"]["reason"].as_str().expect("a reason");
    for (file, expected) in [
        ("cloudwatch-alarm-state-change-metric.json", orders_5xx()),
        (
            "cloudwatch-alarm-state-change-ok.json",
            went("orders-5xx", Alarm, Fine, "2026-03-05T14:09:40.987Z", LOW),
        ),
        (
            "cloudwatch-alarm-state-change-insufficient-data.json",
            went("orders-5xx", Fine, InsufficientData, "2026-03-05T14:31:29.595Z", unknown),
        ),
        (
            "cloudwatch-alarm-state-change-metric-math.json",
            went("orders-5xx-rate", InsufficientData, Alarm, "2026-03-05T14:05:48.554Z", RATE),
        ),
        (
            "cloudwatch-alarm-state-change-anomaly.json",
            went("orders-latency-anomaly", Fine, Alarm, "2026-03-05T16:00:04.653Z", anomaly),
        ),
        ("cloudwatch-alarm-state-change-composite.json", health(Fine, at_394)),
        (
            "cloudwatch-alarm-state-change-composite-suppressed.json",
            AlarmChange { quieted: Some(suppressed), ..health(Fine, at_394) },
        ),
        (
            "cloudwatch-alarm-state-change-multi-series.json",
            went("lambda-errors", InsufficientData, Alarm, "2026-03-05T14:05:04.919Z", series),
        ),
        ("cloudwatch-alarm-state-change-muted.json", AlarmChange { quieted: Some(muted), ..orders_5xx() }),
        ("lambda-alarm-action-metric.json", orders_5xx()),
        // The wait is over: ALARM after ALARM is a signal, and not suppressed any more.
        ("lambda-alarm-action-composite.json", health(Alarm, "2026-03-05T14:07:45.394Z")),
        ("sns-cloudwatch-alarm-metric.json", orders_5xx()),
        ("sns-cloudwatch-alarm-metric-math.json", went("orders-5xx-rate", Fine, Alarm, at_989, HIGH)),
        ("sns-cloudwatch-alarm-composite.json", health(Fine, at_394)),
    ] {
        let outcome = alarm(sample(&format!("cloudwatch/{file}")).as_bytes());
        assert_eq!(outcome, one(expected), "{file}");
    }
}

#[test]
fn one_alarm_has_one_key_on_every_route() {
    let message = message_of(SNS).to_string();
    let bodies = [sample(EVENT), sample(ACTION), sample(SNS), http_envelope(&message), message];
    let changes: Vec<AlarmChange> =
        items(&batch(&bodies)).into_iter().flat_map(|changes| changes.expect("an alarm")).collect();
    assert_eq!(changes, vec![orders_5xx(); 5]);
    let key = "alarm/arn:aws:cloudwatch:us-east-1:123456789012:alarm:orders-5xx/ALARM/\
               2026-03-05T14:05:40Z";
    // The last one as CloudWatch's own answer has it.
    let read = AlarmChange { at: "2026-03-05T14:05:40.988Z".parse().expect("a time"), ..orders_5xx() };
    assert!(changes.into_iter().chain([read]).all(|change| Signal::Alarm(change).key() == key));
}

#[test]
fn a_batch_fails_message_by_message() {
    let sqs = "lambda/sqs-event.json";
    let id = "059f36b4-87a3-44ab-83d2-661975830a7d".to_owned();
    let item = BatchItem { message_id: id, changes: Ok(vec![orders_5xx()]) };
    assert_eq!(alarm(sample(sqs).as_bytes()), Ok(AlarmPayload::Batch(vec![item])));

    let approval = message_of("codepipeline/sns-codepipeline-approval.json");
    let odd = changed(EVENT, "/detail/state/value", Some(json!("WEIRD"))).to_string();
    let outcomes = items(&batch(&[
        sample(EVENT),
        odd.clone(),
        http_envelope(&approval.to_string()),
        "not json".to_owned(),
        sample(sqs),
        sample("lambda/sns-http-subscription-confirmation.json"),
        http_envelope(&changed(EVENT, "/id", None).to_string()),
        with_message(&json!({"AlarmName": "a", "NewStateValue": "odd"})).to_string(),
        http_envelope(r#"{"AlarmName":"a","NewStateValue":1}"#),
        r#"{"AlarmName":"a","NewStateValue":null}"#.to_owned(),
        "{}".to_owned(),
    ]));
    let told: Vec<String> = outcomes
        .iter()
        .map(|outcome| match outcome {
            Ok(changes) => format!("{} alarm", changes.len()),
            Err(EventError::NotForUs { came, .. }) => came.clone(),
            Err(EventError::Malformed { path, found, .. }) => format!("{path}: {found}"),
        })
        .collect();
    assert_eq!(
        told,
        [
            "1 alarm",
            "Records[1].body.detail.state.value: \"WEIRD\"",
            "a CodePipeline approval request by SNS",
            "Records[3].body: \"not json\"",
            "an SQS batch",
            "an SNS `SubscriptionConfirmation` message in its HTTP form",
            "an EventBridge event `CloudWatch Alarm State Change` of aws.cloudwatch, by SNS",
            "Records[7].body.Records[0].Sns.Message.NewStateValue: \"odd\"",
            "Records[8].body.Message.NewStateValue: 1",
            "Records[9].body.NewStateValue: null",
            "an object with no fields",
        ]
    );
}

#[test]
fn several_notifications_of_one_invocation_are_all_read() {
    let mut payload = samples::json(SNS);
    let composite = samples::json("cloudwatch/sns-cloudwatch-alarm-composite.json");
    payload["Records"].as_array_mut().expect("records").push(composite["Records"][0].clone());
    let at = "2026-03-05T14:05:45.394Z";
    let health = went("orders-health", AlarmState::Ok, AlarmState::Alarm, at, CHILD);
    assert_eq!(read(&payload), Ok(AlarmPayload::One(vec![orders_5xx(), health])));

    payload["Records"][1]["Sns"]["Message"] = json!("{\"AlarmName\":\"a\"}");
    assert_malformed(read(&payload), "Records[1].Sns.Message.NewStateValue", "nothing", STATES);
    payload["Records"][1]["EventSource"] = json!("aws:s3");
    let expected = "aws:sns, as in the first record";
    assert_malformed(read(&payload), "Records[1].EventSource", "\"aws:s3\"", expected);
}

#[test]
fn what_is_missing_or_unknown_is_refused_with_its_path() {
    let odd = || Some(json!("WEIRD"));
    for (file, pointer, to, path, found, expected) in [
        (EVENT, "/detail/state/value", None, "detail.state.value", "nothing", STATES),
        (EVENT, "/detail/state/value", odd(), "detail.state.value", "\"WEIRD\"", STATES),
        (EVENT, "/detail/state/value", Some(json!(["OK"])), "detail.state.value", "a list", STATES),
        (EVENT, "/detail/state", Some(json!(["OK"])), "detail.state", "a list", "an object"),
        (EVENT, "/detail/state", None, "detail.state", "nothing", "an object"),
        (EVENT, "/detail/state/timestamp", None, "detail.state.timestamp", "nothing", TIME),
        (EVENT, "/detail/state/timestamp", odd(), "detail.state.timestamp", "\"WEIRD\"", TIME),
        (EVENT, "/detail/state/reason", Some(json!(1)), "detail.state.reason", "1", "a string"),
        (
            EVENT,
            "/detail/state/actionsSuppressedBy",
            Some(json!(true)),
            "detail.state.actionsSuppressedBy",
            "true",
            TEXT,
        ),
        (EVENT, "/detail/alarmName", None, "detail.alarmName", "nothing", TEXT),
        (EVENT, "/detail/alarmName", Some(json!("")), "detail.alarmName", "\"\"", TEXT),
        (EVENT, "/detail/previousState", Some(json!("OK")), "detail.previousState", "\"OK\"", "an object"),
        (EVENT, "/detail/muteDetail", Some(json!({})), "detail.muteDetail.mutedByArn", "nothing", TEXT),
        (EVENT, "/detail", None, "detail", "nothing", "an object"),
        (EVENT, "/detail-type", None, "detail-type", "nothing", TEXT),
        (EVENT, "/source", Some(json!(0.5)), "source", "0.5", TEXT),
        (EVENT, "/resources", None, "resources", "nothing", "the alarm's ARN in a list"),
        (EVENT, "/resources", Some(json!([])), "resources", "an empty list", "the alarm's ARN in a list"),
        (EVENT, "/resources/0", Some(json!(null)), "resources[0]", "null", TEXT),
        (ACTION, "/alarmData/state/value", None, "alarmData.state.value", "nothing", STATES),
        (ACTION, "/alarmData/state/value", odd(), "alarmData.state.value", "\"WEIRD\"", STATES),
        (ACTION, "/alarmData/state/timestamp", odd(), "alarmData.state.timestamp", "\"WEIRD\"", TIME),
        (ACTION, "/alarmData/alarmName", Some(json!(-1)), "alarmData.alarmName", "-1", TEXT),
        (ACTION, "/alarmData", None, "alarmData", "nothing", "an object"),
        (ACTION, "/alarmArn", None, "alarmArn", "nothing", TEXT),
        (ACTION, "/accountId", Some(json!(12)), "accountId", "12", "a string"),
        (SNS, "/Records/0/Sns", None, "Records[0].Sns", "nothing", "an object"),
        (SNS, "/Records/0/Sns/Message", None, "Records[0].Sns.Message", "nothing", "JSON in a string"),
        (
            SNS,
            "/Records/0/Sns/Message",
            Some(json!("{\"AlarmName\":")),
            "Records[0].Sns.Message",
            "\"{\\\"AlarmName\\\":\"",
            "JSON in a string",
        ),
        (
            SNS,
            "/Records/0/Sns/Message",
            Some(json!({})),
            "Records[0].Sns.Message",
            "an object",
            "JSON in a string",
        ),
        (SNS, "/Records/0/EventSource", None, "Records[0].EventSource", "nothing", "aws:sns or aws:sqs"),
        (SNS, "/Records", Some(json!({})), "Records", "an object", "a list of records"),
        (
            "lambda/sqs-event.json",
            "/Records",
            Some(json!([])),
            "Records",
            "an empty list",
            "a list of records",
        ),
        ("lambda/sqs-event.json", "/Records/0/messageId", None, "Records[0].messageId", "nothing", TEXT),
    ] {
        assert_malformed(read(&changed(file, pointer, to)), path, found, expected);
    }
    for (key, to, found, expected) in [
        ("AlarmName", None, "nothing", TEXT),
        ("NewStateValue", None, "nothing", STATES),
        ("NewStateValue", odd(), "\"WEIRD\"", STATES),
        ("StateChangeTime", None, "nothing", TIME),
        ("StateChangeTime", odd(), "\"WEIRD\"", TIME),
        ("OldStateValue", Some(json!(3)), "3", "an alarm's state"),
        ("AlarmArn", Some(json!([1])), "a list", TEXT),
        ("AWSAccountId", Some(json!({})), "an object", "a string"),
    ] {
        let mut message = message_of(SNS);
        change(&mut message, &format!("/{key}"), to);
        let path = format!("Records[0].Sns.Message.{key}");
        assert_malformed(read(&with_message(&message)), &path, found, expected);
    }
    let body = changed("lambda/sqs-event.json", "/Records/0/body", None);
    assert!(matches!(&items(&body)[0], Err(EventError::Malformed { path, .. }) if path == "Records[0].body"));
}

#[test]
fn a_list_is_not_read_as_an_object() {
    let list = json!(["ALARM", "why", "2026-03-05T14:05:40Z", null, null]);
    let payload = changed(EVENT, "/detail/state", Some(list));
    assert_malformed(read(&payload), "detail.state", "a list", "an object");
}

#[test]
fn an_unknown_or_absent_previous_state_is_missing_evidence() {
    let without = || one(AlarmChange { from: None, ..orders_5xx() });
    for to in [None, Some(json!(null)), Some(json!("WEIRD"))] {
        for (file, pointer) in
            [(EVENT, "/detail/previousState/value"), (ACTION, "/alarmData/previousState/value")]
        {
            assert_eq!(read(&changed(file, pointer, to.clone())), without(), "{file} {to:?}");
        }
        let mut message = message_of(SNS);
        change(&mut message, "/OldStateValue", to);
        assert_eq!(read(&with_message(&message)), without());
    }
    for to in [None, Some(json!(null))] {
        assert_eq!(read(&changed(EVENT, "/detail/previousState", to)), without());
    }
}

#[test]
fn what_an_alarm_need_not_say_is_left_open() {
    let mute = |reason: Option<Value>| changed(EVENT, "/detail/state/reason", reason);
    let silent = || one(AlarmChange { reason: String::new(), ..orders_5xx() });
    assert_eq!(read(&mute(None)), silent());
    assert_eq!(read(&mute(Some(json!(null)))), silent());
    assert_eq!(read(&changed(EVENT, "/account", None)), one(orders_5xx()), "the ARN has it");
    assert_eq!(read(&changed(EVENT, "/region", Some(json!("")))), one(orders_5xx()));
    assert_eq!(read(&changed(EVENT, "/source", Some(json!("aws.monitoring")))), one(orders_5xx()));
    let unsuppressed = changed(EVENT, "/detail/state/actionsSuppressedBy", Some(json!(null)));
    assert_eq!(read(&unsuppressed), one(orders_5xx()));
    assert_eq!(read(&changed(EVENT, "/detail/muteDetail", Some(json!(null)))), one(orders_5xx()));

    let mut old = message_of(SNS);
    change(&mut old, "/AlarmArn", None);
    assert_eq!(
        read(&with_message(&old)),
        one(AlarmChange { arn: None, region: None, ..orders_5xx() }),
        "the region's display name is not a region"
    );
}

#[test]
fn a_contributor_is_not_the_alarm() {
    let told = "one contributor of a CloudWatch alarm, whose state is not the alarm's";
    let mut message = message_of(SNS);
    change(&mut message, "/AlarmContributorId", Some(json!("6d442278dba546f6")));
    assert_eq!(came(read(&with_message(&message))), told);
    let contributor = Some(json!({"id": "6d442278dba546f6"}));
    assert_eq!(came(read(&changed(ACTION, "/alarmData/alarmContributor", contributor))), told);
}

#[test]
fn other_payloads_are_named() {
    for (file, told) in [
        (
            "cloudwatch/cloudwatch-alarm-contributor-state-change.json",
            "an EventBridge event `CloudWatch Alarm Contributor State Change` of aws.cloudwatch",
        ),
        (
            "cloudwatch/cloudwatch-alarm-configuration-change.json",
            "an EventBridge event `CloudWatch Alarm Configuration Change` of aws.cloudwatch",
        ),
        ("codepipeline/sns-codepipeline-approval.json", "a CodePipeline approval request by SNS"),
        (
            "codedeploy/sns-codedeploy-trigger.json",
            "a CodeDeploy trigger notification by SNS, which this version of Belay does not handle yet",
        ),
        (
            "codedeploy/codedeploy-deployment-stop.json",
            "an EventBridge event `CodeDeploy Deployment State-change Notification` of aws.codedeploy",
        ),
        ("codedeploy/codedeploy-hook.json", "a CodeDeploy lifecycle hook call"),
        ("lambda/sns-http-notification.json", "an SNS `Notification` message in its HTTP form"),
        ("lambda/eventbridge-scheduled.json", "an EventBridge event `Scheduled Event` of aws.events"),
        ("lambda/lambda-destination-failure.json", "a Lambda destination's record of a failed invocation"),
        ("ecs/ecs-deployment-failed.json", "an EventBridge event `ECS Deployment State Change` of aws.ecs"),
    ] {
        assert_eq!(came(alarm(sample(file).as_bytes())), told, "{file}");
    }
    let plain = changed(SNS, "/Records/0/Sns/Message", Some(json!("Hello world!")));
    assert_eq!(came(read(&plain)), "an SNS message of plain text");
    let notice = samples::json("codepipeline/codepipeline-notification-pipeline-failed.json");
    assert_eq!(
        came(read(&with_message(&notice))),
        "a developer tools notification `CodePipeline Pipeline Execution State Change` by SNS"
    );
    assert_eq!(came(read(&json!({"Records": [{"eventSource": "aws:s3"}]}))), "a record of aws:s3");
    // A custom source cannot speak for CloudWatch.
    assert_eq!(
        came(read(&changed(EVENT, "/source", Some(json!("my.tests"))))),
        "an EventBridge event `CloudWatch Alarm State Change` of my.tests"
    );
    let raw = message_of(SNS);
    assert_eq!(came(read(&raw)), "a CloudWatch alarm's SNS message without its SNS envelope");
}

#[test]
fn errors_are_sentences_with_a_stable_kind() {
    let wrong = alarm(sample("codedeploy/codedeploy-hook.json").as_bytes()).expect_err("a hook");
    assert_eq!(wrong.kind(), "NotForUs");
    assert_eq!(
        wrong.to_string(),
        "this is a CodeDeploy lifecycle hook call; expected a CloudWatch alarm: an EventBridge event \
         `CloudWatch Alarm State Change` of aws.cloudwatch, the alarm's SNS notification, its direct Lambda \
         action, or an SQS batch of these"
    );
    let wrong = hook(b"{\"DeploymentId\":\"d\"}").expect_err("half a call");
    assert_eq!(wrong.kind(), "MalformedEvent");
    assert_eq!(
        wrong.to_string(),
        "LifecycleEventHookExecutionId: found nothing, expected text that is not empty"
    );
}

#[test]
fn values_are_shown_shortened_and_escaped() {
    let long = format!("{}\n{}", "ü".repeat(40), "secret".repeat(20));
    let error = read(&changed(EVENT, "/detail/state/value", Some(json!(long))));
    let Err(EventError::Malformed { found, .. }) = error else { panic!("{error:?}") };
    assert_eq!(found, format!("\"{}\\nsecretsecretsecr…", "ü".repeat(40)));
    let garbage = format!("token={}", "x".repeat(500));
    for outcome in [alarm(garbage.as_bytes()).map(drop), release(garbage.as_bytes()).map(drop)] {
        let found = format!("\"token={}…", "x".repeat(52));
        assert_malformed(outcome, "the whole payload", &found, "a JSON object");
    }
}

/// An independent reading of our samples: the types of the public Lambda crate know these envelopes.
#[test]
fn the_samples_envelopes_are_those_that_lambda_delivers() {
    use aws_lambda_events::{eventbridge::EventBridgeEvent, sns::SnsEvent, sqs::SqsEvent};
    let event: EventBridgeEvent<Value> = serde_json::from_str(&sample(EVENT)).expect("EventBridge");
    assert_eq!(event.detail_type, "CloudWatch Alarm State Change");
    let sns: SnsEvent = serde_json::from_str(&sample(SNS)).expect("SNS");
    assert_eq!(sns.records.len(), 1);
    let sqs: SqsEvent = serde_json::from_str(&sample("lambda/sqs-event.json")).expect("SQS");
    assert_eq!(sqs.records.len(), 1);
}
