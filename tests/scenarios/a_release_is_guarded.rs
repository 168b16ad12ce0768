//! One release in one group, told step by step: who decides what, and what the world looks like afterwards.

use std::time::Duration;

use belay::policy::Policy;
use belay_tests::{
    Alarm, AlarmMetric, AlarmState, Behaviour, Delivery, Fault, Group, Health, Simulator, What, Workload,
    stage::{
        everyday,
        functions::{self, id, invocation},
        play::{Reported, reported},
    },
};
use jiff::Timestamp;
use serde_json::{Value, json};

pub(crate) use belay_tests::stage::everyday::{POLICY, canary, lambda};

pub(crate) const NOON: &str = "2026-03-05T12:00:00Z";

pub(crate) fn noon() -> Timestamp {
    NOON.parse().unwrap()
}

/// A simulator with one group of `orders`, its alarms, and Belay's functions.
pub(crate) struct Story {
    pub(crate) simulator: Simulator,
}

impl Story {
    pub(crate) async fn of(group: Group) -> Self {
        Self::at(group, noon()).await
    }

    pub(crate) async fn at(group: Group, begins: Timestamp) -> Self {
        Self::with(group, begins, POLICY).await
    }

    /// The same under another policy.
    pub(crate) async fn under(group: Group, policy: &str) -> Self {
        Self::with(group, noon(), policy).await
    }

    async fn with(group: Group, begins: Timestamp, policy: &str) -> Self {
        let story = Self::without_functions(group, begins).await;
        let health = story.simulator.health_endpoint("orders", Health::Status(200));
        let policy = Policy::parse(&policy.replace("HEALTH", &health)).unwrap();
        functions::install(&story.simulator, policy);
        story
    }

    pub(crate) async fn without_functions(group: Group, begins: Timestamp) -> Self {
        Self { simulator: everyday::orders(group, begins).await }
    }

    pub(crate) fn release(&self) -> String {
        self.simulator.start_deployment("orders", "prod", "v2", "user").unwrap()
    }

    pub(crate) async fn minutes(&self, minutes: u64) {
        self.simulator.advance(Duration::from_secs(60 * minutes)).await;
    }

    pub(crate) fn red(&self, alarm: &str) {
        self.simulator.set_alarm_state(alarm, AlarmState::Alarm, self.simulator.now());
    }

    pub(crate) fn stops(&self) -> Vec<Value> {
        self.simulator.effects("StopDeployment")
    }

    pub(crate) fn decisions(&self) -> Vec<Reported> {
        let timeline = self.simulator.timeline();
        let answers = timeline.iter().filter_map(|happening| match &happening.what {
            What::Invoked { result: Ok(answer), .. } => Some(answer.clone()),
            _ => None,
        });
        answers.flat_map(|answer| reported(&answer)).collect()
    }

    pub(crate) fn verdicts(&self) -> Vec<String> {
        self.decisions().into_iter().map(|decision| decision.verdict).collect()
    }

    pub(crate) fn titles(&self) -> Vec<String> {
        self.messages()
            .into_iter()
            .map(|message| message["content"]["title"].as_str().unwrap().to_owned())
            .collect()
    }

    pub(crate) fn messages(&self) -> Vec<Value> {
        self.simulator
            .messages()
            .into_iter()
            .map(|message| serde_json::from_str(&message.message).unwrap())
            .collect()
    }
}

#[tokio::test]
async fn on_every_platform_the_release_is_stopped_with_a_rollback_once() {
    for group in [
        lambda(),
        Group::ecs("orders", "prod").shifting(canary()).baseline("v1"),
        Group::server("orders", "prod").baseline("v1"),
    ] {
        let story = Story::of(group).await;
        let id = story.release();
        story.simulator.advance(Duration::from_secs(20)).await;
        story.red("orders-5xx");
        story.red("orders-latency");
        story.minutes(5).await;
        assert_eq!(story.stops(), [json!({ "deploymentId": id, "autoRollbackEnabled": true })]);
        assert_eq!(story.simulator.traffic("prod").old_label, "v1");
        assert_eq!(story.simulator.dead_letters(), []);
    }
}

#[tokio::test]
async fn one_thread_per_release_and_every_message_gives_reasons_and_links() {
    let story = Story::of(lambda()).await;
    let id = story.release();
    story.minutes(2).await;
    story.red("orders-5xx");
    story.minutes(5).await;
    let messages = story.messages();
    assert_eq!(messages.len(), 5, "{:?}", story.titles());
    for message in &messages {
        assert_eq!(message["metadata"]["threadId"], json!(id), "{message}");
        assert_eq!((&message["version"], &message["source"]), (&json!("1.0"), &json!("custom")));
        let text = message["content"]["description"].as_str().unwrap();
        assert!(text.contains("*What Belay did:*") && text.contains("https://") && text.contains("*When:*"));
    }
}

#[tokio::test]
async fn the_same_event_again_and_other_alarms_of_the_release_do_nothing_more() {
    let story = Story::without_functions(lambda(), noon()).await;
    story.release();
    story.minutes(2).await;
    story.red("orders-5xx");
    story.simulator.step(Duration::from_secs(5));
    let first = events(&story, "alarm-transitions");
    assert_eq!(first.len(), 1);
    let policy = Policy::parse(&POLICY.replace("HEALTH", "http://127.0.0.1:1/")).unwrap();
    story.simulator.create_ledger_table(functions::TABLE);
    story.simulator.create_topic("belay");
    let guards = functions::guards(&story.simulator.endpoint(), policy, "alarm-transitions");
    let handle = |payload: Vec<u8>| {
        let (guards, now) = (guards.clone(), story.simulator.now());
        async move { alarm_transitions::handle(&guards, &payload, invocation(&id(), now)).await.unwrap() }
    };
    let verdict = |answer: Value| answer["outcomes"][0]["verdict"].as_str().unwrap().to_owned();
    assert_eq!(verdict(handle(first[0].payload.clone()).await), "RollBack");
    assert_eq!(verdict(handle(first[0].payload.clone()).await), "Ignore");
    story.red("orders-latency");
    story.simulator.step(Duration::from_secs(5));
    let second = events(&story, "alarm-transitions");
    handle(second[0].payload.clone()).await;
    assert_eq!(story.stops().len(), 1);
    story.simulator.take_deliveries();
}

/// What is on its way to a function.
pub(crate) fn events(story: &Story, function: &str) -> Vec<Delivery> {
    story.simulator.take_deliveries().into_iter().filter(|delivery| delivery.function == function).collect()
}

#[tokio::test]
async fn an_alarm_that_only_tells_touches_nothing() {
    let story = Story::of(lambda()).await;
    story.release();
    story.minutes(2).await;
    story.red("orders-note");
    story.minutes(2).await;
    assert_eq!(story.stops(), Vec::<Value>::new());
    assert!(
        story.titles().iter().any(|title| title == "orders: orders-note went off"),
        "{:?}",
        story.titles()
    );
}

#[tokio::test]
async fn without_a_release_nobody_is_blamed() {
    let story = Story::of(lambda()).await;
    story.minutes(60).await;
    story.red("orders-5xx");
    story.minutes(1).await;
    assert_eq!(story.stops(), Vec::<Value>::new());
    assert_eq!(story.titles(), ["orders: orders-5xx went off, and no release is to blame"]);
}

#[tokio::test]
async fn an_alarm_from_before_the_release_never_acts_on_it() {
    let story = Story::without_functions(lambda(), noon()).await;
    story.red("orders-5xx");
    story.simulator.step(Duration::from_secs(5));
    let old = events(&story, "alarm-transitions");
    story.simulator.step(Duration::from_secs(60));
    story.release();
    story.simulator.step(Duration::from_secs(60));
    story.simulator.take_deliveries();
    let policy = Policy::parse(&POLICY.replace("HEALTH", "http://127.0.0.1:1/")).unwrap();
    functions::install(&story.simulator, policy.clone());
    let guards = functions::guards(&story.simulator.endpoint(), policy, "alarm-transitions");
    let answer = alarm_transitions::handle(&guards, &old[0].payload, invocation("r", story.simulator.now()))
        .await
        .unwrap();
    assert_eq!(answer["outcomes"][0]["verdict"], "Notify", "{answer}");
    assert_eq!(story.stops(), Vec::<Value>::new());
}

#[tokio::test]
async fn red_before_the_release_is_known_from_history_when_its_start_was_never_seen() {
    for (ok_in_between, verdict) in [(false, "Notify"), (true, "RollBack")] {
        let story = Story::without_functions(lambda(), noon()).await;
        let simulator = &story.simulator;
        story.red("orders-5xx");
        simulator.step(Duration::from_secs(60));
        story.release();
        simulator.step(Duration::from_secs(60));
        if ok_in_between {
            simulator.set_alarm_state("orders-5xx", AlarmState::Ok, simulator.now());
            simulator.step(Duration::from_secs(5));
        }
        simulator.set_alarm_state("orders-5xx", AlarmState::InsufficientData, simulator.now());
        simulator.step(Duration::from_secs(60));
        simulator.take_deliveries();
        story.red("orders-5xx");
        simulator.step(Duration::from_secs(5));
        let event = events(&story, "alarm-transitions");
        let policy = Policy::parse(&POLICY.replace("HEALTH", "http://127.0.0.1:1/")).unwrap();
        functions::install(simulator, policy.clone());
        let guards = functions::guards(&simulator.endpoint(), policy, "alarm-transitions");
        let answer = alarm_transitions::handle(&guards, &event[0].payload, invocation("r", simulator.now()))
            .await
            .unwrap();
        assert_eq!(answer["outcomes"][0]["verdict"], verdict, "{answer}");
        simulator.take_deliveries();
    }
}

#[tokio::test]
async fn the_alarms_metrics_lead_to_the_undo_without_any_script() {
    let simulator = Simulator::start(noon()).await;
    simulator.create_group(lambda());
    simulator.set_workload("prod", Workload::steady(6_000.0).revision("v2", Behaviour::failing(0.5)));
    simulator.create_alarm(Alarm::new("orders-5xx", AlarmMetric::ErrorRate, "prod", 0.01).datapoints(2, 3));
    let policy = POLICY.replace("orders-latency: roll_back, orders-note: notify", "unused-*: notify");
    functions::install(&simulator, Policy::parse(&policy.replace("HEALTH", "http://127.0.0.1:1/")).unwrap());
    simulator.start_deployment("orders", "prod", "v2", "user").unwrap();
    simulator.advance(Duration::from_secs(600)).await;
    assert_eq!(simulator.effects("StopDeployment").len(), 1);
    assert_eq!(simulator.traffic("prod").new_percent, 0);
}

#[tokio::test]
async fn a_service_with_two_groups_is_settled_when_both_are() {
    let story = Story::without_functions(lambda(), noon()).await;
    story.simulator.create_group(Group::lambda("orders-eu", "eu").shifting(canary()).baseline("v1"));
    story.simulator.set_workload("eu", Workload::steady(6_000.0));
    let both = "[ { codedeploy: { application: orders, deployment_group: prod } }, { codedeploy: { application: orders-eu, deployment_group: eu } } ]";
    let policy = POLICY.replace("[ { codedeploy: { application: orders, deployment_group: prod } } ]", both);
    functions::install(
        &story.simulator,
        Policy::parse(&policy.replace("HEALTH", "http://127.0.0.1:1/")).unwrap(),
    );
    let first = story.release();
    let second = story.simulator.start_deployment("orders-eu", "eu", "v2", "user").unwrap();
    story.minutes(2).await;
    // One of the two stops fails at the first delivery.
    story.simulator.fault("StopDeployment", Fault::InternalError, 3);
    story.red("orders-5xx");
    story.minutes(5).await;
    let mut stopped: Vec<String> =
        story.stops().iter().map(|stop| stop["deploymentId"].as_str().unwrap().to_owned()).collect();
    stopped.sort();
    let mut both = vec![first, second];
    both.sort();
    assert_eq!(stopped, both);
}

#[tokio::test]
async fn scaling_out_is_no_release() {
    let story = Story::of(Group::server("orders", "prod").baseline("v1")).await;
    story.simulator.start_deployment("orders", "prod", "v1", "autoscaling").unwrap();
    story.simulator.advance(Duration::from_secs(20)).await;
    story.red("orders-5xx");
    story.minutes(2).await;
    assert_eq!(story.stops(), Vec::<Value>::new());
    assert!(story.titles().iter().all(|title| !title.contains("began")), "{:?}", story.titles());
}

#[tokio::test]
async fn what_was_blamed_after_it_had_finished_is_nothing_to_go_back_to_for_a_day() {
    for (hours, verdict) in [(1, "Halt"), (25, "RollBack")] {
        let group = Group::lambda("orders", "prod").shifting(canary()).baseline("v1");
        // People are asked about the one alarm, and keep what it is about.
        let policy = POLICY
            .replace("orders-latency: roll_back", "orders-latency: ask")
            .replace("services:", "defaults: { ask: { within: 15m, otherwise: keep } }\nservices:");
        let story = Story::under(group, &policy).await;
        story.release();
        story.minutes(35).await;
        story.red("orders-latency");
        story.minutes(20).await;
        let kept = story.titles().iter().any(|title| title.contains("nobody answered"));
        assert!(kept, "{:?}", story.titles());
        assert_eq!(story.stops(), Vec::<Value>::new());
        story.simulator.set_alarm_state("orders-latency", AlarmState::Ok, story.simulator.now());
        story.minutes(60 * hours).await;
        story.simulator.start_deployment("orders", "prod", "v3", "user").unwrap();
        story.minutes(2).await;
        story.red("orders-5xx");
        story.minutes(2).await;
        assert!(story.verdicts().contains(&verdict.to_owned()), "{hours} h: {:?}", story.verdicts());
    }
}

#[tokio::test]
async fn hooks_are_answered_for_what_the_checks_found() {
    for (health, red, expected) in [
        (Health::Status(200), false, "Succeeded"),
        (Health::Status(503), false, "Failed"),
        (Health::Sequence(vec![503, 200, 200]), false, "Succeeded"),
        (Health::Sequence(vec![503, 503, 200]), false, "Failed"),
        (Health::Hang, false, "Failed"),
        (Health::Slow(Duration::from_millis(900)), false, "Failed"),
        (Health::Refuse, false, "Failed"),
        (Health::Status(200), true, "Failed"),
    ] {
        let group = lambda()
            .hook("BeforeAllowTraffic", "CodeDeployHook_belay")
            .auto_rollback(&["DEPLOYMENT_FAILURE"]);
        let story = Story::of(group).await;
        story.simulator.health_endpoint("orders", health.clone());
        let id = story.release();
        if red {
            // It goes off after the deployment began, and before the hook is asked.
            story.simulator.set_alarm_state(
                "orders-note",
                AlarmState::Alarm,
                story.simulator.now() + jiff::SignedDuration::from_secs(1),
            );
        }
        story.minutes(2).await;
        let answers = story.simulator.effects("PutLifecycleEventHookExecutionStatus");
        assert_eq!(answers.len(), 1, "{health:?}");
        assert_eq!(answers[0]["status"], expected, "{health:?} {:?}", story.decisions());
        if !red {
            let lifecycle = story.simulator.deployment(&id).lifecycle();
            assert!(lifecycle.contains(&("BeforeAllowTraffic", expected)), "{lifecycle:?}");
        }
    }
}

#[tokio::test]
async fn an_answer_that_codedeploy_has_already_is_success() {
    let group = lambda().hook("BeforeAllowTraffic", "CodeDeployHook_belay");
    let story = Story::of(group).await;
    // The answer arrives, and its receipt is lost.
    story.simulator.fault("PutLifecycleEventHookExecutionStatus", Fault::TimeoutAfterEffect, 1);
    story.release();
    story.minutes(2).await;
    assert_eq!(story.simulator.dead_letters(), []);
    assert_eq!(story.simulator.effects("PutLifecycleEventHookExecutionStatus").len(), 1);
    assert!(story.verdicts().contains(&"Succeeded".to_owned()));
}

#[tokio::test]
async fn a_hook_without_checks_or_of_an_unknown_service_fails() {
    for policy in [
        POLICY.replace("BeforeAllowTraffic", "AfterAllowTraffic"),
        POLICY.replace("application: orders", "application: others"),
    ] {
        let group = lambda().hook("BeforeAllowTraffic", "CodeDeployHook_belay");
        let story = Story::without_functions(group, noon()).await;
        functions::install(
            &story.simulator,
            Policy::parse(&policy.replace("HEALTH", "http://127.0.0.1:1/")).unwrap(),
        );
        story.release();
        story.minutes(2).await;
        let answers = story.simulator.effects("PutLifecycleEventHookExecutionStatus");
        assert_eq!(answers.len(), 1);
        assert_eq!(answers[0]["status"], "Failed");
        assert!(story.decisions().iter().any(|decision| {
            decision.reasons.iter().any(|reason| reason.contains("A hook that checks nothing is a mistake"))
        }));
    }
}
