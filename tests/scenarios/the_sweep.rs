//! What no event said, nobody answered or somebody left half done: the sweep's minute finds it, and only once.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use belay::{
    ledger::{Note, WaitingHook},
    policy::Policy,
    release::{HookExecutionId, ReleaseId},
    signal::HookCall,
    start::Invocation as Ours,
};
use belay_tests::{AlarmState, DeliverySettings, Fault, Group, Invocation, Mute, stage::functions};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::a_release_is_guarded::{POLICY, Story, canary, lambda};

const HOOK: &str = "BeforeAllowTraffic";

fn told(story: &Story, title: &str) -> usize {
    story.titles().iter().filter(|told| told.contains(title)).count()
}

fn lose_every_event(story: &Story) {
    story.simulator.set_delivery(DeliverySettings { lose: 1.0, ..DeliverySettings::default() });
}

/// The operations of the calls since the journal was so long.
fn operations_since(story: &Story, calls: usize) -> Vec<String> {
    story.simulator.journal().split_off(calls).into_iter().map(|call| call.operation).collect()
}

/// What the ledger's open partition holds.
fn open_things(story: &Story) -> Vec<String> {
    let items = story.simulator.table(functions::TABLE).into_iter();
    let open = items.filter(|item| item["pk"]["S"] == "open");
    open.map(|item| item["sk"]["S"].as_str().unwrap().to_owned()).collect()
}

/// The event that CloudWatch sends when an alarm goes off.
pub(crate) fn event_of(alarm: &str, at: Timestamp) -> Value {
    let stamp = at.strftime("%Y-%m-%dT%H:%M:%S.%3f+0000").to_string();
    json!({
        "version": "0", "id": "2c6a53ac-8b17-4d2f-9d2a-0f9e6f2b3c11", "source": "aws.cloudwatch",
        "detail-type": "CloudWatch Alarm State Change", "account": "123456789012", "region": "us-east-1",
        "time": at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        "resources": [format!("arn:aws:cloudwatch:us-east-1:123456789012:alarm:{alarm}")],
        "detail": {
            "alarmName": alarm,
            "state": { "value": "ALARM", "reason": "It came late.", "timestamp": stamp },
            "previousState": { "value": "OK", "reason": "", "timestamp": stamp },
        },
    })
}

#[tokio::test]
async fn an_idle_minute_costs_one_query_and_nothing_else() {
    let story = Story::of(lambda()).await;
    story.minutes(3).await;
    story.red("orders-note");
    story.minutes(1).await;
    story.simulator.set_alarm_state("orders-note", AlarmState::Ok, story.simulator.now());
    story.minutes(2).await;
    let before = story.simulator.journal().len();
    story.minutes(5).await;
    assert_eq!(operations_since(&story, before), ["Query"; 5]);
    assert_eq!(open_things(&story), [] as [&str; 0]);
}

#[tokio::test]
async fn without_a_single_event_a_bad_release_is_stopped_within_a_minute_and_told_from_beginning_to_end() {
    let story = Story::of(lambda().hook(HOOK, "CodeDeployHook_belay")).await;
    lose_every_event(&story);
    let id = story.release();
    story.simulator.advance(Duration::from_secs(200)).await;
    story.red("orders-5xx");
    let red = story.simulator.now();
    story.simulator.advance(Duration::from_secs(60)).await;
    assert_eq!(story.stops(), [json!({ "deploymentId": id, "autoRollbackEnabled": true })]);
    story.minutes(5).await;
    for title in [&format!("{id} began"), &format!("taking back {id}"), &format!("{id} was stopped")] {
        assert_eq!(told(&story, title), 1, "{title}: {:?}", story.titles());
    }
    assert_eq!(story.simulator.traffic("prod").old_label, "v1");
    let found = story.messages().iter().any(|message| message.to_string().contains("the sweep found it"));
    assert!(found, "{:?}", story.messages());

    // The event comes after all.
    let (titles, decisions) = (story.titles(), story.decisions().len());
    story.simulator.send("alarm-transitions", event_of("orders-5xx", red).to_string().as_bytes());
    story.simulator.advance(Duration::from_secs(5)).await;
    let late = story.decisions().split_off(decisions);
    assert_eq!(late[0].verdict, "Ignore", "{late:?}");
    assert!(late[0].reasons[0].contains("was judged at"), "{late:?}");
    story.minutes(5).await;
    assert_eq!((story.stops().len(), story.titles()), (1, titles));
    assert_eq!(story.simulator.dead_letters(), []);
}

#[tokio::test]
async fn silence_answers_a_question_at_its_deadline() {
    for (otherwise, stops, title) in [("roll_back", 1, "taking back"), ("keep", 0, "nobody answered")] {
        let asks = format!("defaults: {{ ask: {{ within: 15m, otherwise: {otherwise} }} }}\nservices:");
        let policy =
            POLICY.replace("orders-latency: roll_back", "orders-latency: ask").replace("services:", &asks);
        let story = Story::under(lambda(), &policy).await;
        story.release();
        story.minutes(2).await;
        story.red("orders-latency");
        story.minutes(14).await;
        assert_eq!(told(&story, "somebody has to decide"), 1, "{:?}", story.titles());
        assert_eq!((story.stops().len(), told(&story, title)), (0, 0), "{otherwise}: {:?}", story.titles());
        story.minutes(3).await;
        assert_eq!(
            (story.stops().len(), told(&story, title)),
            (stops, 1),
            "{otherwise}: {:?}",
            story.titles()
        );
        story.minutes(5).await;
        assert_eq!(
            (story.stops().len(), told(&story, title)),
            (stops, 1),
            "{otherwise}: {:?}",
            story.titles()
        );
        assert!(!open_things(&story).iter().any(|open| open.starts_with("question/")));
    }
}

#[tokio::test]
async fn how_long_the_oldest_question_is_open_is_a_metric_that_the_templates_alarm_reads() {
    let policy = POLICY.replace("orders-latency: roll_back", "orders-latency: ask");
    let story = Story::under(lambda(), &policy).await;
    let policy = Policy::parse(&policy.replace("HEALTH", "http://127.0.0.1:1/")).unwrap();
    let guards = functions::guards(&story.simulator.endpoint(), policy, "sweep");
    let tick = json!({ "source": "aws.events", "detail-type": "Scheduled Event" }).to_string();
    let logged = async || {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let function = "arn:aws:lambda:us-east-1:123456789012:function:belay-sweep";
        let now = Ours { function, ..functions::invocation("tick", story.simulator.now()) };
        let written = Arc::clone(&lines);
        let guards = guards.clone().logging(move |line| written.lock().unwrap().push(line.to_owned()));
        sweep::handle(&guards, tick.as_bytes(), now).await.unwrap();
        lines.lock().unwrap().clone()
    };
    story.release();
    story.minutes(2).await;
    assert_eq!(logged().await, Vec::<String>::new(), "no question, no metric");
    let asked = story.simulator.now();
    story.red("orders-latency");
    story.minutes(9).await;
    let lines = logged().await;
    assert_eq!(lines.len(), 1);
    let line: Value = serde_json::from_str(&lines[0]).unwrap();
    let age = story.simulator.now().duration_since(asked).as_secs();
    let told = line["OldestQuestion"].as_i64().unwrap();
    assert!((age - 10..=age).contains(&told), "{told} of {age}");

    // The alarm in the template is on this metric and no other.
    let stack = belay_tests::stage::deployed::stack();
    let (_, alarm) =
        stack.of_type("AWS::CloudWatch::Alarm").find(|(name, _)| *name == "AQuestionIsOld").unwrap();
    let metrics = alarm["Metrics"].as_array().unwrap();
    let metric = &metrics.iter().find_map(|metric| metric.get("MetricStat")).unwrap()["Metric"];
    let directive = &line["_aws"]["CloudWatchMetrics"][0];
    assert_eq!(metric["Namespace"], directive["Namespace"]);
    assert_eq!(metric["MetricName"], directive["Metrics"][0]["Name"]);
    let dimension = &metric["Dimensions"][0];
    assert_eq!(dimension["Name"], directive["Dimensions"][0][0]);
    assert_eq!(dimension["Value"], line["FunctionName"]);
}

#[tokio::test]
async fn a_hook_whose_function_died_is_answered_by_on_doubt() {
    for (on_doubt, answer) in [("fail", "Failed"), ("succeed", "Succeeded")] {
        let doubts = format!("defaults: {{ on_doubt: {on_doubt} }}\nservices:");
        let policy = POLICY.replace("services:", &doubts);
        let story = Story::under(lambda().hook(HOOK, "CodeDeployHook_belay"), &policy).await;
        let policy = Policy::parse(&policy.replace("HEALTH", "http://127.0.0.1:1/")).unwrap();
        let guards = functions::guards(&story.simulator.endpoint(), policy, "lifecycle-hooks");
        let ledger = guards.own().adapters.ledger.clone();
        // It writes down that it is at it, as the real one does first, and is gone.
        story.simulator.register("lifecycle-hooks", move |call: Invocation| {
            let ledger = ledger.clone();
            async move {
                let payload: Value = serde_json::from_slice(&call.payload).unwrap();
                let waiting = WaitingHook {
                    call: HookCall {
                        deployment: ReleaseId::from(payload["DeploymentId"].as_str().unwrap()),
                        execution: HookExecutionId::from(
                            payload["LifecycleEventHookExecutionId"].as_str().unwrap(),
                        ),
                    },
                    since: call.now,
                    until: call.now + SignedDuration::from_secs(90),
                    otherwise: None,
                };
                ledger.keep(&Note::Waiting(waiting), call.now).await.unwrap();
                Ok("{}".to_owned())
            }
        });
        story.release();
        story.minutes(1).await;
        let answers = || story.simulator.effects("PutLifecycleEventHookExecutionStatus");
        assert_eq!(answers(), Vec::<Value>::new(), "it may yet answer");
        story.minutes(3).await;
        let given: Vec<Value> = answers().iter().map(|answer| answer["status"].clone()).collect();
        assert_eq!(given, [answer]);
        let said = story.messages().iter().any(|message| {
            message.to_string().contains("longer than the function that was to answer it can run")
        });
        assert!(said, "{:?}", story.messages());
        assert!(!open_things(&story).iter().any(|open| open.starts_with("hook/")));
    }
}

#[tokio::test]
async fn an_alarm_that_is_ok_again_ends_its_incident_with_the_time_that_it_took() {
    let story = Story::of(lambda()).await;
    story.release();
    story.minutes(2).await;
    story.red("orders-5xx");
    story.minutes(4).await;
    lose_every_event(&story);
    assert!(open_things(&story).iter().any(|open| open.starts_with("incident/")));
    story.simulator.set_alarm_state("orders-5xx", AlarmState::Ok, story.simulator.now());
    story.minutes(2).await;
    assert_eq!(told(&story, "orders-5xx is OK again"), 1, "{:?}", story.titles());
    let text = story.messages().iter().map(Value::to_string).collect::<String>();
    assert!(text.contains("is OK again, 4m after it went off"), "{text}");
    assert!(!open_things(&story).iter().any(|open| open.starts_with("incident/")));
    story.minutes(5).await;
    assert_eq!(told(&story, "orders-5xx is OK again"), 1, "{:?}", story.titles());
}

#[tokio::test]
async fn a_watch_ends_when_the_policy_says() {
    let story = Story::of(Group::lambda("orders", "prod").baseline("v1")).await;
    story.release();
    story.minutes(29).await;
    assert_eq!(open_things(&story).len(), 1, "{:?}", open_things(&story));
    story.minutes(4).await;
    assert_eq!(open_things(&story), [] as [&str; 0]);
    let before = story.simulator.journal().len();
    story.minutes(3).await;
    assert_eq!(operations_since(&story, before), ["Query"; 3]);
}

/// A release that was stopped, and that CodeDeploy does not take back although it was to.
async fn stopped_for_good(group: Group) -> (Story, String) {
    let story = Story::of(group).await;
    story.simulator.forget_rollbacks(true);
    let id = story.release();
    story.simulator.advance(Duration::from_secs(20)).await;
    story.red("orders-5xx");
    story.simulator.advance(Duration::from_secs(30)).await;
    (story, id)
}

#[tokio::test]
async fn a_stop_that_no_rollback_follows_is_followed_by_a_redeploy_once() {
    for group in [
        Group::ecs("orders", "prod").shifting(canary()).baseline("v1"),
        Group::server("orders", "prod").baseline("v1"),
    ] {
        let platform = group.platform;
        let (story, id) = stopped_for_good(group).await;
        assert_eq!(story.stops().len(), 1, "{platform:?}");
        assert_eq!(story.simulator.effects("CreateDeployment"), Vec::<Value>::new(), "{platform:?}");
        story.minutes(15).await;
        let redeploys = story.simulator.effects("CreateDeployment");
        assert_eq!(redeploys.len(), 1, "{platform:?}: {:?}", story.titles());
        let description = redeploys[0]["description"].as_str().unwrap();
        assert!(description.starts_with(&format!("Belay undo/{id}")), "{description}");
        assert_eq!(story.simulator.traffic("prod").old_label, "v1", "{platform:?}");
        assert_eq!(story.stops().len(), 1, "{platform:?}");
        assert_eq!(told(&story, &format!("taking back {id}")), 2, "{:?}", story.titles());
        assert_eq!(story.simulator.dead_letters(), []);
    }
}

#[tokio::test]
async fn who_only_observes_by_now_has_no_undo_finished() {
    let (story, id) = stopped_for_good(Group::ecs("orders", "prod").shifting(canary()).baseline("v1")).await;
    assert_eq!(story.stops().len(), 1);
    let observed = POLICY.replace("services:", "defaults: { mode: observe }\nservices:");
    let policy = Policy::parse(&observed.replace("HEALTH", "http://127.0.0.1:1/")).unwrap();
    functions::deploy_again(&story.simulator, &policy);
    story.minutes(15).await;
    assert_eq!(story.simulator.effects("CreateDeployment"), Vec::<Value>::new());
    assert_eq!(told(&story, &format!("would have taken back {id}")), 1, "{:?}", story.titles());
}

#[tokio::test]
async fn an_alarm_that_may_be_muted_is_asked_about() {
    let asks =
        POLICY.replace("services:", "defaults: { ask: { within: 15m, otherwise: roll_back } }\nservices:");
    for muted in [false, true] {
        let story = Story::under(lambda(), &asks).await;
        let id = story.release();
        story.minutes(2).await;
        lose_every_event(&story);
        story.simulator.fault("ListAlarmMuteRules", Fault::InternalError, 1_000);
        story.red("orders-5xx");
        story.minutes(6).await;
        assert_eq!(story.stops(), Vec::<Value>::new());
        let asked: Vec<Value> = story
            .messages()
            .into_iter()
            .filter(|message| message.to_string().contains("whether orders-5xx is muted"))
            .collect();
        assert_eq!(asked.len(), 1, "{:?}", story.titles());
        story.simulator.clear_faults();
        if muted {
            let (start, end) = (story.simulator.now(), story.simulator.now() + SignedDuration::from_hours(1));
            story.simulator.mute("orders-5xx", Some(Mute { rule: "maintenance".to_owned(), start, end }));
        }
        story.minutes(20).await;
        assert_eq!(told(&story, &format!("taking back {id}")), usize::from(!muted), "{:?}", story.titles());
    }
}

#[tokio::test]
async fn a_hook_that_nobody_waits_for_is_let_go_after_its_hour() {
    let story = Story::of(lambda()).await;
    let call = json!({ "DeploymentId": "d-NOWHERE01", "LifecycleEventHookExecutionId": "made-up" });
    story.simulator.send("lifecycle-hooks", call.to_string().as_bytes());
    story.minutes(50).await;
    // CodeDeploy may still wait for it, and not know it for a while.
    assert_eq!(open_things(&story).len(), 1, "{:?}", open_things(&story));
    story.minutes(20).await;
    assert_eq!(open_things(&story), [] as [&str; 0]);
}

#[tokio::test]
async fn a_way_back_that_cannot_be_read_for_a_while_is_gone_once_it_can() {
    // For a minute, and for so long that people have to hear of it.
    for (minutes, heard) in [(3, 0), (8, 1)] {
        let group = Group::ecs("orders", "prod").shifting(canary()).baseline("v1");
        let (story, id) = stopped_for_good(group).await;
        assert_eq!(story.stops().len(), 1);
        story.simulator.fault("GetApplicationRevision", Fault::InternalError, 1_000);
        story.minutes(minutes).await;
        let unknown = |story: &Story| {
            let all = story.messages();
            all.iter().filter(|message| message.to_string().contains("could go back to")).count()
        };
        assert_eq!(unknown(&story), heard, "{minutes}: {:?}", story.titles());
        story.simulator.clear_faults();
        story.minutes(15).await;
        let redeploys = story.simulator.effects("CreateDeployment");
        assert_eq!(redeploys.len(), 1, "{minutes}: {:?}", story.titles());
        assert_eq!(story.simulator.traffic("prod").old_label, "v1");
        assert_eq!((unknown(&story), told(&story, &format!("taking back {id}"))), (heard, 2));
    }
}

#[tokio::test]
async fn a_split_alias_is_told_and_not_deployed_to() {
    let story = Story::of(lambda()).await;
    story.simulator.forget_rollbacks(true);
    let id = story.release();
    story.minutes(2).await;
    story.red("orders-5xx");
    story.minutes(15).await;
    assert_eq!(story.stops().len(), 1);
    assert_eq!(story.simulator.effects("CreateDeployment"), Vec::<Value>::new());
    let texts: Vec<String> = story.messages().iter().map(Value::to_string).collect();
    let split = texts.iter().filter(|text| text.contains("its alias is left split over two versions"));
    assert_eq!(split.count(), 1, "{:?}", story.titles());
    assert_eq!(told(&story, &id), story.titles().len(), "{:?}", story.titles());
}

#[tokio::test]
async fn who_does_not_answer_about_all_releases_is_not_asked_about_each() {
    let story = Story::of(lambda()).await;
    story.release();
    story.minutes(2).await;
    for fault in [Fault::InternalError, Fault::Throttle] {
        story.simulator.fault("BatchGetDeployments", fault, 3);
        let before = story.simulator.journal().len();
        story.minutes(1).await;
        let calls = operations_since(&story, before);
        assert!(calls.iter().filter(|call| *call == "BatchGetDeployments").count() >= 3, "{calls:?}");
        assert_eq!(calls.iter().filter(|call| *call == "GetDeployment").count(), 0, "{calls:?}");
    }
}
