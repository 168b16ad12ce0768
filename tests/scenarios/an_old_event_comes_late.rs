//! Events of one release that come when another has followed it: replayed, late, out of order. They never act on the
//! newer one, they name the older one, and the older one is nothing to go back to.

use std::time::Duration;

use belay::policy::Policy;
use belay_tests::{AlarmState, Group, stage::functions};
use serde_json::{Value, json};

use crate::a_release_is_guarded::{POLICY, Story, canary, lambda, noon};

fn policy() -> Policy {
    Policy::parse(&POLICY.replace("HEALTH", "http://127.0.0.1:1/")).unwrap()
}

/// A release of `v2` that finishes and goes bad, and whose alarm's event stays away; then a release of `v3` that runs.
async fn late(group: Group) -> (Story, Vec<u8>, [String; 2]) {
    let story = Story::without_functions(group, noon()).await;
    let step = |seconds| story.simulator.step(Duration::from_secs(seconds));
    let bad = story.release();
    step(3_600);
    story.simulator.take_deliveries();
    story.red("orders-5xx");
    step(5);
    let mut events = story.simulator.take_deliveries();
    events.retain(|event| event.function == "alarm-transitions");
    let event = events.remove(0).payload;
    step(60);
    story.simulator.set_alarm_state("orders-5xx", AlarmState::Ok, story.simulator.now());
    step(60);
    story.simulator.take_deliveries();
    let newer = story.simulator.start_deployment("orders", "prod", "v3", "user").unwrap();
    functions::install(&story.simulator, policy());
    story.simulator.advance(Duration::from_secs(60)).await;
    (story, event, [bad, newer])
}

/// A canary that ends so that its release is still on watch an hour after it began.
fn an_hour() -> Group {
    Group::lambda("orders", "prod")
        .shifting(belay_tests::Shifting::Canary { percent: 10, minutes: 30 })
        .baseline("v1")
}

#[tokio::test]
async fn it_never_acts_on_the_newer_release_and_names_the_older_one() {
    let ecs = Group::ecs("orders", "prod").shifting(canary()).baseline("v1");
    for group in [an_hour(), ecs] {
        let (story, event, [bad, newer]) = late(group).await;
        let before = story.titles().len();
        for _ in 0..3 {
            story.simulator.send("alarm-transitions", &event);
            story.minutes(1).await;
        }
        assert_eq!(story.stops(), Vec::<Value>::new());
        assert_eq!(story.simulator.effects("CreateDeployment"), Vec::<Value>::new());
        let titles = story.titles().split_off(before);
        let loud = format!("🔴 orders: {bad} went wrong before {newer} followed it");
        assert_eq!(titles.iter().filter(|title| **title == loud).count(), 1, "{titles:?}");
        assert_eq!(story.simulator.traffic("prod").new_label.as_deref(), Some("v3"));
        assert_eq!(story.simulator.dead_letters(), []);
    }
}

#[tokio::test]
async fn the_older_release_is_nothing_that_the_newer_one_goes_back_to() {
    // While the newer one runs: CodeDeploy would go back to the bad one by itself, so it is only stopped.
    let (story, event, [_, newer]) = late(an_hour()).await;
    story.simulator.send("alarm-transitions", &event);
    story.minutes(1).await;
    story.red("orders-latency");
    story.minutes(1).await;
    assert_eq!(story.stops(), [json!({ "deploymentId": newer, "autoRollbackEnabled": false })]);
    assert!(story.verdicts().contains(&"Halt".to_owned()), "{:?}", story.verdicts());

    // Once it has finished: what ran before the bad one.
    let (story, event, [_, newer]) = late(an_hour()).await;
    story.simulator.send("alarm-transitions", &event);
    story.minutes(40).await;
    assert_eq!(story.simulator.deployment(&newer).status, belay_tests::DeploymentStatus::Succeeded);
    story.red("orders-latency");
    story.minutes(5).await;
    assert_eq!(story.simulator.effects("CreateDeployment").len(), 1, "{:?}", story.decisions());
    assert_eq!(story.simulator.traffic("prod").old_label, "v1");
}

#[tokio::test]
async fn without_the_late_event_the_older_release_would_have_been_good() {
    // What makes the difference above is the event.
    let (story, _, [_, newer]) = late(an_hour()).await;
    story.red("orders-latency");
    story.minutes(5).await;
    assert_eq!(story.stops(), [json!({ "deploymentId": newer, "autoRollbackEnabled": true })]);
    assert_eq!(story.simulator.traffic("prod").old_label, "v2");
}

#[tokio::test]
async fn a_change_to_ok_that_overtakes_its_alarm_does_not_keep_the_release() {
    // The alarm went off, was OK again, and its two events come in the wrong order, and again.
    let story = Story::without_functions(lambda(), noon()).await;
    let id = story.release();
    story.simulator.step(Duration::from_secs(120));
    story.simulator.take_deliveries();
    for state in [AlarmState::Alarm, AlarmState::Ok] {
        story.simulator.set_alarm_state("orders-5xx", state, story.simulator.now());
        story.simulator.step(Duration::from_secs(20));
    }
    let mut events = story.simulator.take_deliveries();
    events.retain(|event| event.function == "alarm-transitions");
    functions::install(&story.simulator, policy());
    for event in events.iter().rev().chain(&events) {
        story.simulator.send("alarm-transitions", &event.payload);
        story.simulator.advance(Duration::from_secs(5)).await;
    }
    assert_eq!(story.stops(), [json!({ "deploymentId": id, "autoRollbackEnabled": true })]);
    let taken = story.titles().iter().filter(|title| title.contains("taking back")).count();
    assert_eq!(taken, 1, "{:?}", story.titles());
    story.minutes(5).await;
    assert_eq!(story.stops().len(), 1);
    // The incident is over as well, although its end was heard of before its beginning.
    let again = story.titles().iter().filter(|title| title.contains("orders-5xx is OK again")).count();
    assert_eq!(again, 1, "{:?}", story.titles());
}

#[tokio::test]
async fn an_alarm_that_is_red_again_is_not_said_to_be_ok() {
    // Off, OK, off again; of the OK it is heard last.
    let story = Story::without_functions(lambda(), noon()).await;
    story.release();
    story.simulator.step(Duration::from_secs(120));
    story.simulator.take_deliveries();
    let mut events = Vec::new();
    for state in [AlarmState::Alarm, AlarmState::Ok, AlarmState::Alarm] {
        story.simulator.set_alarm_state("orders-5xx", state, story.simulator.now());
        story.simulator.step(Duration::from_secs(20));
        let mut sent = story.simulator.take_deliveries();
        sent.retain(|event| event.function == "alarm-transitions");
        events.extend(sent);
    }
    assert_eq!(events.len(), 3);
    functions::install(&story.simulator, policy());
    for event in [&events[0], &events[2], &events[1], &events[1]] {
        story.simulator.send("alarm-transitions", &event.payload);
        story.minutes(1).await;
    }
    let said = || story.titles().iter().filter(|title| title.contains("orders-5xx is OK again")).count();
    assert_eq!(said(), 0, "{:?}", story.titles());
    // Its incident is over when it is, and that is told once.
    story.simulator.set_alarm_state("orders-5xx", AlarmState::Ok, story.simulator.now());
    story.minutes(3).await;
    assert_eq!(said(), 1, "{:?}", story.titles());
    assert_eq!(story.simulator.dead_letters(), []);
}
