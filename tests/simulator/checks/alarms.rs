//! Alarms: fired by users' errors, described over CBOR, announced in the sample's shape.

use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{AlarmType, HistoryItemType, ScanBy, StateValue};
use serde_json::Value;

use super::clients::cloud_watch;
use super::{key_paths, minutes, orders, release, thursday};
use crate::{
    Alarm, AlarmMetric, AlarmState, CompositeAlarm, EvaluationState, Mute, Simulator, Suppression,
    TreatMissing,
};

fn error_rate() -> Alarm {
    Alarm::new("orders-5xx", AlarmMetric::ErrorRate, "orders-prod", 0.02).described("Too many 5xx answers")
}

/// The alarm events on their way, oldest first.
fn events(simulator: &Simulator) -> Vec<Value> {
    simulator
        .take_deliveries()
        .into_iter()
        .filter(|delivery| delivery.function == "alarm-transitions")
        .map(|delivery| serde_json::from_slice(&delivery.payload).unwrap())
        .collect()
}

#[tokio::test]
async fn a_bad_canary_fires_the_alarm_and_the_event_has_the_samples_shape() {
    let simulator = orders(|group| group).await;
    simulator.create_alarm(error_rate());
    simulator.advance(minutes(3)).await;
    assert_eq!(simulator.alarm_state("orders-5xx"), AlarmState::Ok);
    assert!(events(&simulator).is_empty());
    release(&simulator);
    simulator.advance(minutes(3)).await;
    assert_eq!(simulator.error_rate("orders-prod"), Some(0.05));
    assert_eq!(simulator.alarm_state("orders-5xx"), AlarmState::Alarm);
    let events = events(&simulator);
    assert_eq!(events.len(), 1);
    let sample: Value = serde_json::from_str(include_str!(
        "../../fixtures/cloudwatch/cloudwatch-alarm-state-change-metric.json"
    ))
    .unwrap();
    // The dimension's own name is the alarm's business.
    let paths = |value: &Value| -> Vec<String> {
        key_paths(value)
            .into_iter()
            .map(|path| match path.split_once(".dimensions.") {
                Some((before, _)) => format!("{before}.dimensions.*"),
                None => path,
            })
            .collect()
    };
    assert_eq!(paths(&events[0]), paths(&sample));
    let detail = &events[0]["detail"];
    assert_eq!(detail["state"]["value"], "ALARM");
    assert_eq!(detail["state"]["timestamp"], "2026-03-05T14:04:40.000+0000");
    let reason = detail["state"]["reason"].as_str().unwrap();
    assert!(reason.ends_with(
        "was greater than the threshold (0.02) (minimum 1 datapoint for OK -> ALARM transition)."
    ));
}

#[tokio::test]
async fn describe_alarms_gives_composites_only_when_asked_and_skips_unknown_names() {
    let simulator = orders(|group| group).await;
    simulator.create_alarm(error_rate());
    simulator.create_alarm(Alarm::scripted("orders-latency"));
    simulator
        .create_composite(CompositeAlarm::new("orders-health", "ALARM(orders-5xx) OR ALARM(orders-latency)"));
    let client = cloud_watch(&simulator).await;
    let metric_only = client
        .describe_alarms()
        .set_alarm_names(Some(vec!["orders-5xx".to_owned(), "orders-health".to_owned(), "nobody".to_owned()]))
        .send()
        .await
        .unwrap();
    assert_eq!(metric_only.metric_alarms().len(), 1);
    assert!(metric_only.composite_alarms().is_empty());
    let alarm = &metric_only.metric_alarms()[0];
    assert_eq!(alarm.state_value(), Some(&StateValue::Ok));
    assert_eq!(alarm.threshold(), Some(0.02));
    assert_eq!(alarm.period(), Some(60));
    assert_eq!(
        alarm.state_transitioned_timestamp(),
        Some(&DateTime::from_secs(thursday().as_second() - 3600))
    );
    simulator.set_alarm_state("orders-latency", AlarmState::Alarm, simulator.now());
    simulator.set_evaluation_state("orders-latency", Some(EvaluationState::EvaluationError));
    let all = client
        .describe_alarms()
        .alarm_name_prefix("orders-")
        .alarm_types(AlarmType::MetricAlarm)
        .alarm_types(AlarmType::CompositeAlarm)
        .state_value(StateValue::Alarm)
        .send()
        .await
        .unwrap();
    assert_eq!(all.composite_alarms()[0].alarm_name(), Some("orders-health"));
    let latency = &all.metric_alarms()[0];
    assert_eq!(latency.evaluation_state().unwrap().as_str(), "EVALUATION_ERROR");
    let event = events(&simulator).pop().unwrap();
    assert_eq!(event["detail"]["alarmName"], "orders-health");
    assert_eq!(
        event["detail"]["state"]["reason"],
        "arn:aws:cloudwatch:us-east-1:123456789012:alarm:orders-latency transitioned to ALARM at Thursday 05 March, 2026 14:00:00 UTC"
    );
    let mut pages = client.describe_alarms().max_records(1).into_paginator().send();
    let mut names = Vec::new();
    while let Some(page) = pages.next().await {
        for alarm in page.unwrap().metric_alarms() {
            names.push(alarm.alarm_name().unwrap().to_owned());
        }
    }
    assert_eq!(names, ["orders-5xx", "orders-latency"]);
}

#[tokio::test]
async fn history_holds_scripted_transitions_at_their_own_times() {
    let simulator = Simulator::start(thursday()).await;
    simulator.create_alarm(Alarm::scripted("orders-5xx"));
    for (ago, state) in [(40, AlarmState::Alarm), (35, AlarmState::Ok)] {
        let at = thursday() - minutes(ago);
        simulator.set_alarm_state("orders-5xx", state, at);
    }
    simulator.set_alarm_state("orders-5xx", AlarmState::Alarm, thursday() + minutes(1));
    simulator.advance(minutes(2)).await;
    let client = cloud_watch(&simulator).await;
    let history = client
        .describe_alarm_history()
        .alarm_name("orders-5xx")
        .history_item_type(HistoryItemType::StateUpdate)
        .scan_by(ScanBy::TimestampAscending)
        .start_date(DateTime::from_secs(thursday().as_second() - 37 * 60))
        .send()
        .await
        .unwrap();
    let items = history.alarm_history_items();
    assert_eq!(items.len(), 2);
    assert_eq!(items[0].timestamp().unwrap().secs(), thursday().as_second() - 35 * 60);
    let data: Value = serde_json::from_str(items[1].history_data().unwrap()).unwrap();
    assert_eq!(data["oldState"]["stateValue"], "OK");
    assert_eq!(data["newState"]["stateValue"], "ALARM");
}

#[tokio::test]
async fn muted_and_suppressed_events_are_sent_and_say_so() {
    let simulator = Simulator::start(thursday()).await;
    simulator.create_alarm(Alarm::scripted("orders-5xx"));
    simulator.mute(
        "orders-5xx",
        Some(Mute {
            rule: "release-window".to_owned(),
            start: thursday() - minutes(60),
            end: thursday() + minutes(60),
        }),
    );
    simulator.suppress("orders-5xx", Some(Suppression::WaitPeriod));
    simulator.set_alarm_state("orders-5xx", AlarmState::Alarm, thursday());
    let event = events(&simulator).pop().unwrap();
    let detail = &event["detail"];
    assert_eq!(detail["muteDetail"]["muteWindowEnd"], "2026-03-05T15:00:00.000+0000");
    assert_eq!(detail["state"]["actionsSuppressedBy"], "WaitPeriod");
}

#[tokio::test]
async fn lost_metrics_leave_an_alarm_without_data() {
    let simulator = orders(|group| group).await;
    simulator.create_alarm(error_rate().treat_missing(TreatMissing::Missing));
    simulator.advance(minutes(2)).await;
    simulator.lose_metrics("orders-prod", true);
    simulator.advance(minutes(3)).await;
    assert_eq!(simulator.alarm_state("orders-5xx"), AlarmState::InsufficientData);
    let event = events(&simulator).pop().unwrap();
    assert_eq!(event["detail"]["state"]["reason"], "Insufficient Data: 1 datapoint was unknown.");
}
