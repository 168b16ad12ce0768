//! Lifecycle hooks in the ways that things go at three in the morning: slow checks, calls that come again, a CodeDeploy that
//! does not say who called, an answer that it does not take.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use belay::{policy::Policy, start::Invocation};
use belay_tests::{Fault, Group, Health, Invocation as Call, What, stage::functions};
use lifecycle_hooks::Pace;
use serde_json::Value;

use crate::{
    a_release_is_guarded::{POLICY, Story, lambda},
    people_in_chat::{ANNA, TALKED},
};

const HOOK: &str = "CodeDeployHook_belay";
const ANSWER: &str = "PutLifecycleEventHookExecutionStatus";

fn hooked() -> Group {
    lambda().hook("BeforeAllowTraffic", HOOK)
}

fn answers(story: &Story) -> Vec<Value> {
    story.simulator.effects(ANSWER).into_iter().map(|answer| answer["status"].clone()).collect()
}

/// How each invocation of the hooks' function ended.
fn invoked(story: &Story) -> Vec<bool> {
    let timeline = story.simulator.timeline();
    let results = timeline.iter().filter_map(|happening| match &happening.what {
        What::Invoked { function, result, .. } if function == "lifecycle-hooks" => Some(result.is_ok()),
        _ => None,
    });
    results.collect()
}

/// The function, which calls `before` each time; `ago` is how long its checks seem to take.
fn install(
    story: &Story,
    policy: &str,
    ago: Duration,
    times: u32,
    before: impl Fn(u32) + Send + Sync + 'static,
) {
    let health = story.simulator.health_endpoint("orders", Health::Status(200));
    let policy = Policy::parse(&policy.replace("HEALTH", &health)).unwrap();
    let guards = functions::guards(&story.simulator.endpoint(), policy, "lifecycle-hooks");
    let (before, count) = (Arc::new(before), Arc::new(AtomicU32::new(0)));
    story.simulator.register("lifecycle-hooks", move |call: Call| {
        let (guards, before, count) = (guards.clone(), Arc::clone(&before), Arc::clone(&count));
        async move {
            let pace = Pace { left: call.deadline, retry_every: Duration::from_millis(20) };
            let mut last = Ok(String::new());
            for _ in 0..times {
                before(count.fetch_add(1, Ordering::Relaxed));
                let begun = Mutex::new(ago);
                let begins = || {
                    let fresh = functions::invocation(&call.id, call.now);
                    let ago = std::mem::take(&mut *begun.lock().unwrap());
                    Invocation { begun: fresh.begun - ago, ..fresh }
                };
                let handled = lifecycle_hooks::handle(guards.own(), &call.payload, begins, pace).await;
                last = handled.map(|answer| answer.to_string()).map_err(|failure| failure.to_string());
            }
            last
        }
    });
}

#[tokio::test]
async fn a_hook_whose_checks_took_long_tells_at_once_and_is_not_run_again() {
    let story = Story::of(hooked()).await;
    install(&story, POLICY, Duration::from_secs(25), 1, |_| {});
    story.simulator.health_endpoint("orders", Health::Status(503));
    story.release();
    story.simulator.advance(Duration::from_secs(30)).await;
    assert_eq!(answers(&story), ["Failed"]);
    let said = |story: &Story| story.titles().iter().any(|title| title.contains("failed"));
    assert!(said(&story), "{:?}", story.titles());
    story.minutes(5).await;
    assert_eq!(invoked(&story), [true]);
}

#[tokio::test]
async fn who_called_is_asked_again_before_anything_is_held_up() {
    for operation in ["GetDeployment", "ListDeploymentTargets", "GetDeploymentTarget"] {
        let story = Story::of(hooked()).await;
        // More often than the SDK tries by itself.
        story.simulator.fault(operation, Fault::Throttle, 4);
        story.release();
        story.minutes(2).await;
        assert_eq!(answers(&story), ["Succeeded"], "{operation}");
    }
}

#[tokio::test]
async fn whose_hook_it_is_stays_known_while_the_event_is_asked_for() {
    let policy = POLICY.replace("services:", "defaults: { mode: observe }\nservices:");
    let story = Story::under(hooked(), &policy).await;
    let simulator = story.simulator.clone();
    install(&story, &policy, Duration::ZERO, 1, move |_| {
        simulator.fault("ListDeploymentTargets", Fault::Throttle, 1_000);
        let simulator = simulator.clone();
        let asked = simulator.calls("GetDeployment").len();
        tokio::spawn(async move {
            // The first look learns it, and no other one.
            while simulator.calls("GetDeployment").len() == asked {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            simulator.fault("GetDeployment", Fault::Throttle, 1_000);
        });
    });
    story.release();
    story.simulator.advance(Duration::from_secs(30)).await;
    assert_eq!(answers(&story), ["Succeeded"], "who is only observed is not held up");
}

#[tokio::test]
async fn a_hook_that_comes_again_gets_the_answer_that_it_had() {
    let story = Story::of(hooked()).await;
    let simulator = story.simulator.clone();
    install(&story, POLICY, Duration::ZERO, 2, move |count| {
        if count == 1 {
            simulator.health_endpoint("orders", Health::Status(503));
        }
    });
    let id = story.release();
    story.minutes(3).await;
    assert_eq!(answers(&story), ["Succeeded"]);
    let decided: Vec<Value> = story
        .simulator
        .table(functions::TABLE)
        .into_iter()
        .filter(|item| {
            item.to_string().contains(&format!("hook/{id}")) && item["sk"].to_string().contains("decision")
        })
        .collect();
    assert_eq!(decided.len(), 1, "{decided:#?}");
    assert!(story.titles().iter().all(|title| !title.contains("failed")), "{:?}", story.titles());
}

#[tokio::test]
async fn a_question_stands_when_its_hook_comes_again() {
    let policy = TALKED
        .replace("{ alarms: quiet }", "{ alarms: quiet }, { approval: { within: 45m, otherwise: fail } }");
    let story = Story::under(lambda().hook("BeforeAllowTraffic", "lifecycle-hooks"), &policy).await;
    let simulator = story.simulator.clone();
    install(&story, &policy, Duration::ZERO, 2, move |count| {
        if count == 1 {
            simulator.health_endpoint("orders", Health::Status(503));
        }
    });
    story.release();
    story.minutes(3).await;
    assert_eq!(answers(&story), Vec::<Value>::new(), "somebody is asked");
    story.press(ANNA, "Approve").await;
    story.minutes(1).await;
    assert_eq!(answers(&story), ["Succeeded"]);
}

#[tokio::test]
async fn what_codedeploy_did_not_take_is_answered_as_it_was_decided() {
    let policy = POLICY.replace("services:", "defaults: { on_doubt: succeed }\nservices:");
    let story = Story::under(hooked(), &policy).await;
    story.simulator.health_endpoint("orders", Health::Status(503));
    story.simulator.fault(ANSWER, Fault::InternalError, 1_000);
    story.release();
    story.minutes(10).await;
    assert_eq!(answers(&story), Vec::<Value>::new());
    story.simulator.clear_faults();
    story.minutes(5).await;
    assert_eq!(answers(&story), ["Failed"]);
}
