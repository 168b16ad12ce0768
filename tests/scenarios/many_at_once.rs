//! Many alarms of many services in one moment, and many processes at once.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use belay::{policy::Policy, start::Guards};
use belay_tests::{
    Alarm, AlarmState, Binary, DeliverySettings, Fault, Group, RuntimeApi, Simulator,
    stage::{
        burst::{Failed, deliver},
        compiled, functions,
    },
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::{
    a_release_is_guarded::{POLICY, Story, canary, events, lambda, noon},
    compiled_programs::{ALARM_TRANSITIONS, policy_file},
};

/// 200 services and 1,000 events were measured as well, with the same costs per event; they take minutes in a debug
/// build (see ARCHITECTURE.md, "Many at once").
const SERVICES: usize = 30;
const ALARMS: usize = 5;

/// At most so many calls an event, on the average of a burst. An event that meets another invocation at its release
/// looks again, so that what belongs to a look counts several times; an alarm's past does not.
const PER_EVENT: &[(&str, usize)] = &[
    ("Query", 18),
    ("ListDeployments", 4),
    ("BatchGetDeployments", 4),
    ("GetDeploymentGroup", 4),
    ("GetDeployment", 8),
    ("GetApplicationRevision", 8),
    ("ListDeploymentTargets", 4),
    ("GetDeploymentTarget", 4),
    ("DescribeAlarmHistory", 1),
    ("StopDeployment", 1),
    ("PutItem", 10),
    ("UpdateItem", 3),
    ("DeleteItem", 1),
    ("Publish", 1),
];

type Calls = BTreeMap<String, usize>;

/// So many services with a release under way each, and every alarm of theirs red in the same second.
struct Burst {
    simulator: Simulator,
    guards: Guards,
    events: Vec<Vec<u8>>,
}

impl Burst {
    async fn of(services: usize) -> Self {
        let simulator = Simulator::start(noon()).await;
        simulator.create_ledger_table(functions::TABLE);
        simulator.create_topic("belay");
        let mut policy = "version: 1\nservices:\n".to_owned();
        for number in 0..services {
            let name = format!("s{number}");
            let alarms: Vec<String> = (0..ALARMS).map(|alarm| format!("{name}-a{alarm}")).collect();
            let rules: Vec<String> = alarms.iter().map(|alarm| format!("{alarm}: roll_back")).collect();
            policy.push_str(&format!(
                "  {name}:\n    deployed_by: [ {{ codedeploy: {{ application: {name}, deployment_group: {name} }} }} ]\n    alarms: {{ {} }}\n",
                rules.join(", ")
            ));
            simulator.create_group(Group::lambda(&name, &name).shifting(canary()));
            for alarm in &alarms {
                simulator.create_alarm(Alarm::scripted(alarm));
            }
            simulator.start_deployment(&name, &name, "v2", "user").unwrap();
        }
        simulator.step(Duration::from_secs(120));
        simulator.take_deliveries();
        for number in 0..services {
            for alarm in 0..ALARMS {
                let at = simulator.now();
                simulator.set_alarm_state(&format!("s{number}-a{alarm}"), AlarmState::Alarm, at);
            }
        }
        let events = simulator.take_deliveries().into_iter().map(|event| event.payload).collect();
        // Hundreds of calls are under way at once, and one simulator answers all: on a busy machine that takes longer than
        // a call may. What is held to here is what happens how often.
        let policy = Policy::parse(&policy).unwrap();
        let guards = functions::unhurried(&simulator.endpoint(), policy, "alarm-transitions");
        Self { simulator, guards, events }
    }

    async fn deliver(&self, payloads: Vec<Vec<u8>>) {
        deliver(payloads, self.simulator.now(), |payload, now| invoke(self.guards.clone(), payload, now))
            .await;
    }

    /// Each release was stopped and told of once, and no event cost more than a few looks.
    fn is_settled(&self) {
        let calls = self.calls();
        let services = self.simulator.effects("StopDeployment").len();
        assert_eq!(services, self.events.len() / ALARMS, "{calls:?}");
        assert_eq!((calls["StopDeployment"], calls["Publish"]), (services, services), "{calls:?}");
        assert_eq!(calls.get("DescribeAlarms"), None, "{calls:?}");
        for (operation, at_most) in PER_EVENT {
            let bound = at_most * self.events.len();
            assert!(calls[*operation] <= bound, "{operation}: {} > {bound}; {calls:?}", calls[*operation]);
        }
        let known: Vec<&str> = PER_EVENT.iter().map(|(operation, _)| *operation).collect();
        assert!(calls.keys().all(|operation| known.contains(&operation.as_str())), "{calls:?}");
    }

    fn calls(&self) -> Calls {
        let mut calls = Calls::new();
        for call in self.simulator.journal() {
            *calls.entry(call.operation).or_default() += 1;
        }
        calls
    }
}

/// One invocation. What is to come again is in the answer.
async fn invoke(guards: Guards, payload: Vec<u8>, now: Timestamp) -> Result<(), Failed> {
    let id = functions::id();
    let handled = alarm_transitions::handle(&guards, &payload, functions::invocation(&id, now)).await;
    let answer = match handled {
        Ok(answer) => answer,
        Err(failure) => return Err(Failed { again: payload, why: failure.to_string() }),
    };
    let failed = answer["batchItemFailures"].as_array().cloned().unwrap_or_default();
    if failed.is_empty() {
        return Ok(());
    }
    let failed: Vec<&Value> = failed.iter().map(|item| &item["itemIdentifier"]).collect();
    let mut batch: Value = serde_json::from_slice(&payload).unwrap();
    batch["Records"].as_array_mut().unwrap().retain(|record| failed.contains(&&record["messageId"]));
    Err(Failed { again: batch.to_string().into_bytes(), why: answer.to_string() })
}

fn batches(events: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let message = |(number, event): (usize, &Vec<u8>)| {
        json!({
            "messageId": format!("message-{number}"), "eventSource": "aws:sqs",
            "body": String::from_utf8(event.clone()).unwrap(),
        })
    };
    let records: Vec<Value> = events.iter().enumerate().map(message).collect();
    records.chunks(10).map(|ten| json!({ "Records": ten }).to_string().into_bytes()).collect()
}

/// The same in another order: neighbours are of different services.
fn mixed(events: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let count = events.len();
    (0..count).map(|at| events[at * 377 % count].clone()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn alarms_of_one_release_in_one_batch_undo_it_once_and_tell_once() {
    let burst = Burst::of(1).await;
    burst.deliver(batches(&burst.events)).await;
    let calls = burst.calls();
    assert_eq!((calls["StopDeployment"], calls["Publish"]), (1, 1), "{calls:?}");
    assert_eq!(burst.simulator.messages().len(), 1);
}

#[tokio::test]
async fn what_one_event_costs() {
    let burst = Burst::of(1).await;
    let mut before = Calls::new();
    let mut costs = async |event: usize| {
        burst.deliver(vec![burst.events[event].clone()]).await;
        let now = burst.calls();
        let cost: Calls = now
            .iter()
            .map(|(operation, count)| (operation.clone(), count - before.get(operation).unwrap_or(&0)))
            .filter(|(_, count)| *count > 0)
            .collect();
        before = now;
        cost
    };
    let expected = |costs: &[(&str, usize)]| -> Calls {
        costs.iter().map(|(operation, count)| ((*operation).to_owned(), *count)).collect()
    };
    // The first alarm of a release: it is taken back.
    let first = [
        ("Query", 4),
        ("ListDeployments", 1),
        ("BatchGetDeployments", 1),
        ("GetDeploymentGroup", 1),
        ("GetDeployment", 2),
        ("GetApplicationRevision", 2),
        ("ListDeploymentTargets", 1),
        ("GetDeploymentTarget", 1),
        ("DescribeAlarmHistory", 1),
        ("StopDeployment", 1),
        ("PutItem", 11),
        ("UpdateItem", 2),
        ("DeleteItem", 1),
        ("Publish", 1),
    ];
    assert_eq!(costs(0).await, expected(&first));
    // Another one: the rollback runs, and is said to be of that release.
    let second = [
        ("Query", 5),
        ("ListDeployments", 1),
        ("BatchGetDeployments", 1),
        ("GetDeploymentGroup", 1),
        ("GetDeployment", 2),
        ("GetApplicationRevision", 2),
        ("ListDeploymentTargets", 1),
        ("PutItem", 2),
    ];
    assert_eq!(costs(1).await, expected(&second));
    // The same event again.
    assert_eq!(costs(1).await, expected(&[("Query", 1), ("PutItem", 1)]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burst_of_single_events_stops_each_release_once() {
    let burst = Burst::of(SERVICES).await;
    burst.deliver(mixed(&burst.events)).await;
    burst.is_settled();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burst_in_batches_stops_each_release_once() {
    for order in [<[Vec<u8>]>::to_vec, mixed] {
        let burst = Burst::of(SERVICES).await;
        burst.deliver(batches(&order(&burst.events))).await;
        burst.is_settled();
    }
}

/// Events that wait, each with the number of its next delivery.
type Heap = Mutex<Vec<(Vec<u8>, u32)>>;

/// One of the eight: takes an event from the heap, as long as there are any.
async fn works(runtime: Arc<RuntimeApi>, left: Arc<Heap>) {
    loop {
        let taken = left.lock().unwrap().pop();
        let Some((event, delivery)) = taken else { return };
        let failed = runtime.invoke(event.clone(), Duration::from_secs(30)).await.is_err();
        if failed && delivery < 3 {
            // At the other end: others come in between.
            left.lock().unwrap().insert(0, (event, delivery + 1));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[allow(
    clippy::disallowed_methods,
    reason = "compiled programs read the real clock, so the simulator begins there"
)]
async fn eight_processes_and_two_hundred_duplicates_undo_once_and_tell_once() {
    let story = Story::without_functions(lambda(), Timestamp::now() - SignedDuration::from_mins(3)).await;
    story.simulator.create_ledger_table(functions::TABLE);
    story.simulator.create_topic("belay");
    let id = story.release();
    story.simulator.step(Duration::from_secs(150));
    story.simulator.take_deliveries();
    // EventBridge's copies, in whatever order.
    let settings =
        DeliverySettings { duplicates: 199, shuffle: true, seed: 7, ..DeliverySettings::default() };
    story.simulator.set_delivery(settings);
    story.red("orders-5xx");
    let events = events(&story, "alarm-transitions");
    assert_eq!(events.len(), 200);
    let left = Arc::new(Mutex::new(events.into_iter().map(|event| (event.payload, 1)).collect::<Vec<_>>()));
    let policy = policy_file(&POLICY.replace("HEALTH", "http://127.0.0.1:1/"));
    let mut processes = Vec::new();
    for _ in 0..8 {
        let runtime = Arc::new(RuntimeApi::start().await);
        let environment =
            compiled::environment(ALARM_TRANSITIONS.function, (&runtime, &story.simulator), &policy, false);
        let binary = Binary::spawn(ALARM_TRANSITIONS.path(), &compiled::pairs(&environment)).unwrap();
        processes.push((runtime, binary));
    }
    story.simulator.fault_every(7, Fault::Throttle);
    let mut eight = JoinSet::new();
    for (runtime, _) in &processes {
        eight.spawn(works(Arc::clone(runtime), Arc::clone(&left)));
    }
    eight.join_all().await;
    story.simulator.clear_faults();

    assert_eq!(story.stops(), [json!({ "deploymentId": id, "autoRollbackEnabled": true })]);
    let throttled =
        story.simulator.journal().iter().filter(|call| call.fault == Some(Fault::Throttle)).count();
    assert!(throttled > 20, "{throttled}");
    let taking_back = story.titles().iter().filter(|title| title.contains("taking back")).count();
    assert_eq!(taking_back, 1, "{:?}", story.titles());
    for (_, binary) in &mut processes {
        assert_eq!(binary.wait_exit(Duration::from_millis(1)).await, None, "{}", binary.stderr());
    }
}

#[tokio::test]
async fn an_alarm_that_asks_for_more_than_a_halt_is_heard_whichever_comes_first() {
    let policy = POLICY.replace("orders-latency: roll_back", "orders-latency: halt");
    // A minute later, and in the same moment.
    for apart in [60, 0] {
        let story = Story::under(lambda(), &policy).await;
        let id = story.release();
        story.minutes(2).await;
        story.red("orders-latency");
        story.simulator.advance(Duration::from_secs(apart)).await;
        story.red("orders-5xx");
        story.minutes(5).await;
        assert_eq!(story.stops().len(), 1, "{apart}");
        let back = story.titles().iter().any(|title| title.contains(&format!("taking back {id}")));
        let loud = format!("orders-5xx went off, and {id} is only halted");
        let heard = story.titles().iter().filter(|title| title.contains(&loud)).count();
        // In the same moment either may be first.
        assert_eq!(heard, usize::from(!back), "{apart}: {:?}", story.titles());
        assert!(apart == 0 || !back, "{:?}", story.titles());
    }
}

#[tokio::test]
async fn of_several_alarms_in_one_notification_one_that_fails_keeps_no_other_waiting() {
    let story = Story::of(lambda()).await;
    let id = story.release();
    story.minutes(2).await;
    let stamp = story.simulator.now().strftime("%Y-%m-%dT%H:%M:%S.%3f+0000").to_string();
    let text = include_str!("../fixtures/cloudwatch/sns-cloudwatch-alarm-metric.json");
    let mut payload: Value = serde_json::from_str(text).unwrap();
    let record = |account: &str| {
        let mut record = payload["Records"][0].clone();
        let mut message: Value =
            serde_json::from_str(record["Sns"]["Message"].as_str().expect("a text")).unwrap();
        (message["StateChangeTime"], message["AWSAccountId"]) = (json!(stamp), json!(account));
        message["AlarmArn"] = json!(format!("arn:aws:cloudwatch:us-east-1:{account}:alarm:orders-5xx"));
        record["Sns"]["Message"] = json!(message.to_string());
        record
    };
    // Nobody guards that account.
    let records = [record("999999999999"), record("123456789012")];
    payload["Records"] = json!(records);
    story.simulator.send("alarm-transitions", payload.to_string().as_bytes());
    story.simulator.advance(Duration::from_secs(5)).await;
    assert_eq!(story.stops(), [json!({ "deploymentId": id, "autoRollbackEnabled": true })]);
    assert!(story.decisions().iter().all(|reported| reported.verdict != "RollBack"), "the invocation failed");
}
