//! Deliveries: duplicated, lost, retried, given up.

use std::sync::{Arc, Mutex};

use serde_json::Value;

use super::clients::code_deploy;
use super::{key_paths, minutes, orders, release, thursday};
use crate::{Alarm, AlarmMetric, AlarmState, DeliverySettings, DeploymentStatus, Simulator, What};

type Seen = Arc<Mutex<Vec<jiff::Timestamp>>>;

/// Registers a function that notes when it was invoked and answers with `result`.
fn noting(simulator: &Simulator, name: &str, result: Result<String, String>) -> Seen {
    let seen = Seen::default();
    let notes = Arc::clone(&seen);
    simulator.register(name, move |invocation| {
        notes.lock().unwrap().push(invocation.now);
        let result = result.clone();
        async move { result }
    });
    seen
}

#[tokio::test]
async fn deployments_announce_themselves_in_the_samples_shape() {
    let simulator = orders(|group| group).await;
    let id = release(&simulator);
    simulator.step(minutes(7));
    let events: Vec<Value> = simulator
        .take_deliveries()
        .iter()
        .map(|delivery| serde_json::from_slice(&delivery.payload).unwrap())
        .collect();
    let sample: Value =
        serde_json::from_str(include_str!("../../fixtures/codedeploy/codedeploy-deployment-stop.json"))
            .unwrap();
    assert_eq!(key_paths(&events[0]), key_paths(&sample));
    let states: Vec<&str> = events.iter().map(|event| event["detail"]["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["START", "SUCCESS"]);
    assert_eq!(events[0]["detail"]["deploymentId"], id);
}

#[tokio::test]
async fn a_failing_function_is_tried_three_times_and_then_given_up() {
    let simulator = Simulator::start(thursday()).await;
    simulator.create_alarm(Alarm::scripted("orders-5xx"));
    let seen = noting(&simulator, "alarm-transitions", Err("no".to_owned()));
    simulator.set_alarm_state("orders-5xx", AlarmState::Alarm, thursday());
    simulator.advance(minutes(10)).await;
    let times: Vec<i64> =
        seen.lock().unwrap().iter().map(|at| at.duration_since(thursday()).as_secs()).collect();
    assert_eq!(times, [0, 60, 180]);
    assert_eq!(simulator.dead_letters().len(), 1);
}

#[tokio::test]
async fn a_panic_is_an_error_of_one_invocation() {
    let simulator = Simulator::start(thursday()).await;
    simulator.create_alarm(Alarm::scripted("orders-5xx"));
    simulator.register("alarm-transitions", |_| async { panic!("on purpose") });
    simulator.set_alarm_state("orders-5xx", AlarmState::Alarm, thursday());
    simulator.advance(minutes(1)).await;
    let errors = simulator
        .timeline()
        .into_iter()
        .filter(|happening| matches!(&happening.what, What::Invoked { result: Err(_), .. }))
        .count();
    assert_eq!(errors, 2);
}

#[tokio::test]
async fn duplicates_and_delays_arrive_as_asked() {
    let simulator = Simulator::start(thursday()).await;
    simulator.create_alarm(Alarm::scripted("orders-5xx"));
    let seen = noting(&simulator, "alarm-transitions", Ok(String::new()));
    simulator.set_delivery(DeliverySettings {
        duplicates: 2,
        delay: std::time::Duration::from_secs(30),
        shuffle: true,
        ..DeliverySettings::default()
    });
    simulator.set_alarm_state("orders-5xx", AlarmState::Alarm, thursday());
    simulator.advance(minutes(1)).await;
    let half_a_minute = thursday() + std::time::Duration::from_secs(30);
    assert_eq!(*seen.lock().unwrap(), [half_a_minute; 3]);
    assert!(simulator.dead_letters().is_empty());
}

#[tokio::test]
async fn events_can_be_lost_altogether() {
    let simulator = Simulator::start(thursday()).await;
    simulator.create_alarm(Alarm::scripted("orders-5xx"));
    simulator.set_delivery(DeliverySettings { lose: 1.0, ..DeliverySettings::default() });
    simulator.set_alarm_state("orders-5xx", AlarmState::Alarm, thursday());
    assert!(simulator.take_deliveries().is_empty());
}

/// A guard in five lines, at the end of the whole way: users, metric, alarm, event, function, API.
#[tokio::test]
async fn a_function_may_stop_the_release_that_set_off_its_alarm() {
    let simulator = orders(|group| group).await;
    simulator.create_alarm(Alarm::new("orders-5xx", AlarmMetric::ErrorRate, "orders-prod", 0.02));
    let client = code_deploy(&simulator).await;
    let id = release(&simulator);
    let release = id.clone();
    simulator.register("alarm-transitions", move |invocation| {
        let event: Value = serde_json::from_slice(&invocation.payload).unwrap();
        let stop = client.stop_deployment().deployment_id(&release).auto_rollback_enabled(true);
        async move {
            if event["detail"]["state"]["value"] == "ALARM" {
                stop.send().await.map_err(|error| error.to_string())?;
            }
            Ok("understood".to_owned())
        }
    });
    simulator.advance(minutes(10)).await;
    let stopped = simulator.deployment(&id);
    assert_eq!(stopped.status, DeploymentStatus::Stopped);
    assert_eq!(stopped.error.unwrap().0, "MANUAL_STOP");
    assert_eq!(simulator.traffic("orders-prod").old_label, "v41");
    assert_eq!(simulator.error_rate("orders-prod"), Some(0.0));
    // Once to ALARM and once back to OK.
    assert_eq!(simulator.effects("StopDeployment").len(), 1);
    simulator.assert_all_modelled();
}

#[tokio::test]
async fn the_same_script_gives_the_same_run() {
    let run = || async {
        let simulator = orders(|group| group.hook("AfterAllowTraffic", "CodeDeployHook_x")).await;
        simulator.create_alarm(Alarm::scripted("orders-5xx"));
        simulator.set_delivery(DeliverySettings {
            duplicates: 1,
            shuffle: true,
            lose: 0.3,
            seed: 7,
            ..DeliverySettings::default()
        });
        noting(&simulator, "lifecycle-hooks", Err("no".to_owned()));
        noting(&simulator, "pipeline-events", Ok(String::new()));
        release(&simulator);
        simulator.advance(minutes(80)).await;
        format!("{:?}", simulator.timeline())
    };
    assert_eq!(run().await, run().await);
}
