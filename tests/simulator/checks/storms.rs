//! Storms: the same seed is the same storm, the killed make no calls, schedules ring.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

use super::clients::config;
use super::{key_paths, minutes, thursday};
use crate::{Alarm, AlarmState, Fault, Invocation, Killed, Simulator, Storm, What};

/// Registers a function that publishes twice for each event.
async fn telling(simulator: &Simulator) -> Arc<Mutex<Vec<Invocation>>> {
    simulator.create_topic("belay");
    simulator.create_alarm(Alarm::scripted("orders-5xx"));
    let seen = Arc::new(Mutex::new(Vec::new()));
    let notes = Arc::clone(&seen);
    let config = config(simulator).await;
    simulator.register("alarm-transitions", move |call: Invocation| {
        notes.lock().unwrap().push(call.clone());
        let config = config.to_builder().endpoint_url(&call.endpoint).build();
        let client = aws_sdk_sns::Client::new(&config);
        async move {
            for subject in ["one", "two"] {
                let topic = "arn:aws:sns:us-east-1:123456789012:belay";
                let publish = client.publish().topic_arn(topic).subject(subject).message("m").send();
                publish.await.map_err(|_| "the topic did not take it".to_owned())?;
            }
            Ok("told".to_owned())
        }
    });
    seen
}

async fn red_and_green(simulator: &Simulator) {
    for round in 0..20 {
        let state = if round % 2 == 0 { AlarmState::Alarm } else { AlarmState::Ok };
        simulator.set_alarm_state("orders-5xx", state, simulator.now());
        simulator.advance(minutes(1)).await;
    }
}

#[tokio::test]
async fn the_killed_make_no_more_calls_and_come_again() {
    let simulator = Simulator::start(thursday()).await;
    let seen = telling(&simulator).await;
    simulator.storm(Storm { kill: 1.0, ..Storm::of(1) });
    simulator.set_alarm_state("orders-5xx", AlarmState::Alarm, thursday());
    simulator.advance(Duration::from_secs(5)).await;
    let calls = simulator.journal();
    assert_eq!(calls.len(), 1, "{calls:?}");
    assert_eq!(calls[0].invocation, Some(1));
    let happened = usize::from(calls[0].killed == Some(Killed::After));
    assert_eq!(simulator.messages().len(), happened);
    simulator.calm();
    simulator.advance(minutes(4)).await;
    assert_eq!(simulator.messages().len(), happened + 2);
    let ids: Vec<String> = seen.lock().unwrap().iter().map(|call| call.id.clone()).collect();
    assert_eq!(ids.len(), 2);
    assert_eq!(ids[0], ids[1], "all attempts of one delivery bear one request id");
    assert!(simulator.dead_letters().is_empty());
}

#[tokio::test]
async fn a_seed_is_one_storm_and_another_seed_another() {
    let run = |seed: u64| async move {
        let simulator = Simulator::start(thursday()).await;
        let seen = telling(&simulator).await;
        simulator.storm(Storm {
            throttle: 0.1,
            cut_after_effect: 0.1,
            kill: 0.1,
            lose: 0.1,
            duplicate: 0.2,
            late: 0.5,
            latest: minutes(4),
            skew: Duration::from_secs(3),
            ..Storm::of(seed)
        });
        red_and_green(&simulator).await;
        simulator.calm();
        simulator.advance(minutes(10)).await;
        let clocks: Vec<_> = seen.lock().unwrap().iter().map(|call| call.now).collect();
        format!("{clocks:?} {:?}", simulator.timeline())
    };
    let story = run(7).await;
    assert_eq!(story, run(7).await);
    for word in ["Throttle", "TimeoutAfterEffect", "Before", "After", "Lost", "Doubled", "Late"] {
        assert!(story.contains(word), "{word}");
    }
    assert_ne!(story, run(8).await);
}

#[tokio::test]
async fn calm_is_calm() {
    let simulator = Simulator::start(thursday()).await;
    let seen = telling(&simulator).await;
    let all = Storm { throttle: 0.5, cut: 0.5, lose: 1.0, skew: minutes(1), ..Storm::of(3) };
    simulator.storm(all);
    red_and_green(&simulator).await;
    assert!(seen.lock().unwrap().is_empty());
    simulator.calm();
    red_and_green(&simulator).await;
    assert_eq!(seen.lock().unwrap().len(), 20);
    assert_eq!(simulator.messages().len(), 40);
    let struck = simulator.journal().into_iter().filter(|call| call.fault == Some(Fault::Throttle));
    assert_eq!(struck.count(), 0);
}

#[tokio::test]
async fn schedules_ring_at_multiples_and_can_be_lost() {
    let simulator = Simulator::start(thursday() + Duration::from_secs(10)).await;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let notes = Arc::clone(&seen);
    simulator.register("sweep", move |call: Invocation| {
        let event: Value = serde_json::from_slice(&call.payload).unwrap();
        let time = event["time"].as_str().unwrap().to_owned();
        notes.lock().unwrap().push((time, call.now.to_string(), event));
        async { Ok(String::new()) }
    });
    simulator.schedule("sweep", minutes(1));
    simulator.advance(Duration::from_secs(150)).await;
    let seen = std::mem::take(&mut *seen.lock().unwrap());
    let times: Vec<&str> = seen
        .iter()
        .map(|(time, now, _)| {
            assert_eq!(time, now);
            time.as_str()
        })
        .collect();
    assert_eq!(times, ["2026-03-05T14:01:00Z", "2026-03-05T14:02:00Z"]);
    let sample: Value =
        serde_json::from_str(include_str!("../../fixtures/lambda/eventbridge-scheduled.json")).unwrap();
    assert_eq!(key_paths(&seen[0].2), key_paths(&sample));
    simulator.storm(Storm { lose: 1.0, ..Storm::of(1) });
    simulator.advance(minutes(3)).await;
    simulator.calm();
    let lost = simulator.timeline().into_iter().filter(|one| matches!(one.what, What::Delivery { .. }));
    assert_eq!(lost.count(), 3);
}

#[tokio::test]
async fn a_schedule_that_fails_is_tried_three_times_and_given_up() {
    let simulator = Simulator::start(thursday()).await;
    simulator.register("sweep", |_| async { Err("no".to_owned()) });
    simulator.schedule("sweep", minutes(60));
    simulator.advance(minutes(70)).await;
    let invoked = simulator.timeline().into_iter().filter(|one| matches!(one.what, What::Invoked { .. }));
    assert_eq!(invoked.count(), 3);
    assert_eq!(simulator.dead_letters().len(), 1);
}
