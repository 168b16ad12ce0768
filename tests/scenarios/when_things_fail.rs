//! Calls that fail, answers that are lost, functions that die: never two undos, never none without a word.

use std::time::Duration;

use belay::{
    aws::ledger::{Claimant, Claimed, Ledger},
    decision::{Decision, Effect, Verdict},
    ledger::Half,
    policy::Policy,
    reason::Reason,
    release::ReleaseId,
    start::Invocation,
};
use belay_tests::{Fault, Group, Shifting, StopAnswer, stage::functions};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::a_release_is_guarded::{POLICY, Story, canary, events, lambda, noon};

/// A bad release, with `fault` befalling `operation` so many times.
async fn with_fault(operation: &str, fault: Fault, times: u32) -> Story {
    let story = Story::of(lambda()).await;
    story.release();
    story.minutes(2).await;
    story.simulator.fault(operation, fault, times);
    story.red("orders-5xx");
    story.minutes(10).await;
    story
}

fn told(story: &Story, title: &str) -> usize {
    story.titles().iter().filter(|told| told.contains(title)).count()
}

const EVERY_CALL: &[&str] = &[
    "ListDeployments",
    "BatchGetDeployments",
    "GetDeploymentGroup",
    "GetDeployment",
    "ListDeploymentTargets",
    "GetDeploymentTarget",
    "StopDeployment",
    "Query",
    "PutItem",
    "UpdateItem",
    "Publish",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whichever_call_fails_for_a_while_there_is_one_undo_and_it_is_told() {
    for operation in EVERY_CALL {
        for fault in [Fault::Throttle, Fault::InternalError, Fault::CutConnection, Fault::TimeoutAfterEffect]
        {
            // Twice is within the SDK's own retries; four times fails the first delivery.
            for times in [2, 4] {
                let story = with_fault(operation, fault, times).await;
                let what = format!("{operation} {fault:?} {times} times: {:?}", story.titles());
                assert_eq!(story.stops().len(), 1, "{what}");
                assert_eq!(story.simulator.traffic("prod").new_percent, 0, "{what}");
                assert!(told(&story, "taking back") >= 1, "{what}");
                // A topic whose receipts are lost cannot be told from one that is down: each try may have told.
                let lost = if *operation == "Publish" && fault == Fault::TimeoutAfterEffect { 3 } else { 0 };
                assert!(told(&story, "taking back") <= 2 + lost, "{what}");
                assert_eq!(story.simulator.dead_letters(), [], "{what}");
                story.simulator.clear_faults();
            }
        }
    }
}

#[tokio::test]
async fn what_cannot_be_learnt_is_asked_about_at_the_last_delivery() {
    for operation in ["ListDeployments", "GetDeploymentGroup", "Query"] {
        let story = with_fault(operation, Fault::InternalError, 1_000).await;
        assert_eq!(story.stops(), Vec::<Value>::new(), "{operation}");
        assert!(told(&story, "somebody has to decide") >= 1, "{operation}: {:?}", story.titles());
        story.simulator.clear_faults();
    }
}

#[tokio::test]
async fn a_topic_that_is_down_delays_no_undo_and_loses_no_message() {
    let story = Story::of(lambda()).await;
    story.release();
    story.minutes(2).await;
    story.simulator.fault("Publish", Fault::InternalError, 1_000);
    story.red("orders-5xx");
    story.simulator.advance(Duration::from_secs(10)).await;
    assert_eq!(story.stops().len(), 1);
    assert_eq!(told(&story, "taking back"), 0);
    story.simulator.clear_faults();
    story.minutes(5).await;
    assert_eq!(told(&story, "taking back"), 1, "{:?}", story.titles());
}

#[tokio::test]
async fn a_message_that_a_topic_did_not_take_is_sent_once_when_it_does() {
    let story = Story::of(lambda()).await;
    // Three tries of the first delivery.
    story.simulator.fault("Publish", Fault::InternalError, 3);
    story.release();
    story.minutes(5).await;
    assert_eq!(told(&story, "began"), 1, "{:?}", story.titles());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ledger_that_hangs_does_not_keep_people_from_being_asked_in_time() {
    let story = Story::without_functions(lambda(), noon()).await;
    story.release();
    story.simulator.step(Duration::from_secs(60));
    story.simulator.take_deliveries();
    story.red("orders-5xx");
    let event = events(&story, "alarm-transitions").remove(0);
    let policy = Policy::parse(&POLICY.replace("HEALTH", "http://127.0.0.1:1/")).unwrap();
    functions::install(&story.simulator, policy.clone());
    let guards = functions::guards(&story.simulator.endpoint(), policy, "alarm-transitions");
    for operation in ["Query", "PutItem", "UpdateItem"] {
        story.simulator.fault(operation, Fault::Hang(Duration::from_secs(60)), 1_000);
    }
    let handled =
        alarm_transitions::handle(&guards, &event.payload, functions::invocation("r", story.simulator.now()));
    // What Lambda gives, by the README.
    let failed = tokio::time::timeout(Duration::from_secs(30), handled).await.expect("in time").unwrap_err();
    assert!(failed.message.contains("dynamodb:"), "{failed}");
    assert_eq!(told(&story, "somebody has to decide"), 1, "{:?}", story.titles());
    assert_eq!(story.stops(), Vec::<Value>::new());
    story.simulator.clear_faults();
}

#[tokio::test]
async fn a_stop_that_keeps_failing_is_said_and_tried_again() {
    let story = with_fault("StopDeployment", Fault::InternalError, 5).await;
    assert_eq!(told(&story, "could not be stopped"), 1, "{:?}", story.titles());
    assert_eq!(told(&story, "taking back"), 1, "{:?}", story.titles());
    assert_eq!(story.stops().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_release_that_ended_in_the_same_moment_is_looked_at_again() {
    // The group's own alarm stops it between our look and our stop: CodeDeploy says it is over already.
    let group: Group = lambda().alarms(&["orders-5xx"]).auto_rollback(&["DEPLOYMENT_STOP_ON_ALARM"]);
    let story = Story::without_functions(group, noon()).await;
    story.release();
    story.simulator.step(Duration::from_secs(60));
    story.simulator.take_deliveries();
    story.red("orders-5xx");
    let event = events(&story, "alarm-transitions").remove(0);
    let policy = Policy::parse(&POLICY.replace("HEALTH", "http://127.0.0.1:1/")).unwrap();
    functions::install(&story.simulator, policy.clone());
    let guards = functions::guards(&story.simulator.endpoint(), policy, "alarm-transitions");
    story.simulator.fault("StopDeployment", Fault::Hang(Duration::from_secs(2)), 1);
    let now = story.simulator.now();
    let (answer, ()) = tokio::join!(
        alarm_transitions::handle(&guards, &event.payload, functions::invocation("r", now)),
        async {
            let claimed = async {
                while story.simulator.effects("PutItem").is_empty() {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            };
            // Far more than it takes: if nothing is ever claimed, this fails and does not hang.
            tokio::time::timeout(Duration::from_secs(60), claimed).await.expect("the claim of the undo");
            story.simulator.step(Duration::from_secs(5));
        }
    );
    let answer = answer.unwrap();
    assert_eq!(answer["outcomes"][0]["verdict"], "Ignore", "{answer}");
    assert!(answer.to_string().contains("CodeDeploy is taking this release back already"), "{answer}");
    assert_eq!(story.stops(), Vec::<Value>::new());
    story.simulator.take_deliveries();
}

#[tokio::test]
async fn a_stop_that_is_only_accepted_is_said_to_be_only_accepted() {
    let story = Story::of(lambda()).await;
    story.simulator.answer_stops_with(StopAnswer::Pending);
    story.release();
    story.minutes(2).await;
    story.red("orders-5xx");
    story.minutes(5).await;
    assert_eq!(story.stops().len(), 1);
    let text = story.messages().into_iter().map(|message| message.to_string()).collect::<String>();
    assert!(text.contains("CodeDeploy has accepted and is finishing what was under way"), "{text}");
    assert_eq!(story.simulator.traffic("prod").new_percent, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_at_once_undo_once_and_tell_once() {
    let story = Story::without_functions(lambda(), noon()).await;
    story.release();
    story.simulator.step(Duration::from_secs(60));
    story.simulator.take_deliveries();
    story.red("orders-5xx");
    story.red("orders-latency");
    let alarms = events(&story, "alarm-transitions");
    let policy = Policy::parse(&POLICY.replace("HEALTH", "http://127.0.0.1:1/")).unwrap();
    functions::install(&story.simulator, policy.clone());
    let guards = functions::guards(&story.simulator.endpoint(), policy, "alarm-transitions");
    story.simulator.fault_every(7, Fault::Throttle);
    let now = story.simulator.now();
    // Eight at a time; the second round is what Lambda delivers again a minute later.
    for round in 0..3 {
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..24 {
            let (guards, payload) = (guards.clone(), alarms[number % 2].payload.clone());
            let now = now + SignedDuration::from_mins(round);
            tasks.spawn(async move {
                let id = functions::id();
                alarm_transitions::handle(&guards, &payload, functions::invocation(&id, now)).await
            });
        }
        tasks.join_all().await;
    }
    assert_eq!(story.stops().len(), 1);
    assert_eq!(told(&story, "taking back"), 1, "{:?}", story.titles());
    story.simulator.clear_faults();
    story.simulator.take_deliveries();
}

#[tokio::test]
async fn hooks_are_answered_while_everything_is_throttled() {
    let group = lambda().hook("BeforeAllowTraffic", "CodeDeployHook_belay");
    let story = Story::of(group).await;
    story.simulator.fault("GetDeployment", Fault::Throttle, 3);
    story.simulator.fault("PutLifecycleEventHookExecutionStatus", Fault::Throttle, 4);
    story.release();
    story.minutes(2).await;
    let answers = story.simulator.effects("PutLifecycleEventHookExecutionStatus");
    assert_eq!(answers.len(), 1);
    // Nothing but the throttling was wrong.
    assert_eq!(answers[0]["status"], "Succeeded");
}

#[tokio::test]
async fn a_record_of_another_version_is_not_guessed_at() {
    let story = Story::of(lambda()).await;
    let id = story.release();
    story.minutes(2).await;
    let config = functions::sdk_config(&story.simulator.endpoint(), "somebody-else");
    let table = functions::TABLE;
    let client = aws_sdk_dynamodb::Client::new(&config);
    let text = |text: &str| aws_sdk_dynamodb::types::AttributeValue::S(text.to_owned());
    client
        .put_item()
        .table_name(table)
        .item("pk", text(&format!("release/{id}")))
        .item("sk", text("effect/undo"))
        .item("v", aws_sdk_dynamodb::types::AttributeValue::N("4".to_owned()))
        .item("body", text("{}"))
        .send()
        .await
        .unwrap();
    story.red("orders-5xx");
    story.minutes(10).await;
    assert_eq!(story.stops(), Vec::<Value>::new());
    let asked = story.messages().into_iter().any(|message| {
        message["content"]["description"]
            .as_str()
            .unwrap()
            .contains("records of version 4, this one reads 1 to 3")
    });
    assert!(asked, "{:?}", story.titles());
}

#[tokio::test]
async fn an_invocation_that_was_frozen_acts_on_nothing_and_tells_nothing() {
    let story = Story::without_functions(lambda(), noon()).await;
    let id = story.release();
    story.simulator.step(Duration::from_secs(120));
    story.simulator.take_deliveries();
    story.red("orders-5xx");
    story.simulator.step(Duration::from_secs(5));
    let event = events(&story, "alarm-transitions").remove(0);
    let policy = Policy::parse(&POLICY.replace("HEALTH", "http://127.0.0.1:1/")).unwrap();
    functions::install(&story.simulator, policy.clone());
    let guards = functions::guards(&story.simulator.endpoint(), policy, "alarm-transitions");
    // It began 21 seconds ago, by the clock that only goes forward: somebody else may have taken over since.
    let fresh = functions::invocation("frozen", story.simulator.now());
    let frozen = Invocation { begun: fresh.begun - Duration::from_secs(21), ..fresh };
    let failed = alarm_transitions::handle(&guards, &event.payload, frozen).await.unwrap_err();
    assert!(failed.message.contains("was up before it could"), "{failed:?}");
    assert_eq!(story.stops(), Vec::<Value>::new());
    assert_eq!(story.titles(), Vec::<String>::new());
    // What it had claimed it gave back, so that nobody waits for its lease.
    let handled = alarm_transitions::handle(
        &guards,
        &event.payload,
        functions::invocation("fresh", story.simulator.now()),
    );
    handled.await.unwrap();
    assert_eq!(story.stops(), [json!({ "deploymentId": id, "autoRollbackEnabled": true })]);
    assert_eq!(story.titles().len(), 1, "{:?}", story.titles());
}

/// How often Belay made a deployment that takes a release back.
fn redeployed(story: &Story) -> usize {
    let made = story.simulator.effects("CreateDeployment");
    made.iter()
        .filter(|input| input["description"].as_str().is_some_and(|text| text.starts_with("Belay undo/")))
        .count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whichever_call_fails_a_finished_release_is_deployed_away_once_and_it_is_told() {
    let operations = [
        "ListDeployments",
        "BatchGetDeployments",
        "GetDeploymentGroup",
        "GetApplicationRevision",
        "CreateDeployment",
        "DescribeAlarmHistory",
        "Query",
        "PutItem",
        "UpdateItem",
        "DeleteItem",
        "Publish",
    ];
    for operation in operations {
        for fault in [Fault::Throttle, Fault::InternalError, Fault::CutConnection, Fault::TimeoutAfterEffect]
        {
            let story = Story::of(lambda().shifting(Shifting::AllAtOnce)).await;
            story.release();
            story.minutes(3).await;
            story.simulator.fault(operation, fault, 4);
            story.red("orders-5xx");
            story.minutes(10).await;
            let what = format!("{operation} {fault:?}: {:?}", story.titles());
            assert_eq!((redeployed(&story), story.stops().len()), (1, 0), "{what}");
            assert_eq!(story.simulator.traffic("prod").old_label, "v1", "{what}");
            assert!(told(&story, "taking back") >= 1, "{what}");
            story.simulator.clear_faults();
        }
    }
}

/// The undo of a finished release could not be made, and somebody has released what is right by hand.
#[tokio::test]
async fn an_undo_that_nobody_could_make_is_not_made_once_another_release_has_followed() {
    let story = Story::under(Group::ecs("orders", "prod").shifting(canary()).baseline("v1"), POLICY).await;
    let bad = story.release();
    story.minutes(40).await;
    story.simulator.fault("CreateDeployment", Fault::Throttle, 1_000);
    story.red("orders-5xx");
    story.minutes(6).await;
    let better = story.simulator.start_deployment("orders", "prod", "v3", "user").unwrap();
    story.minutes(40).await;
    story.simulator.clear_faults();
    story.minutes(10).await;
    let undoing = |input: &Value| input["description"].as_str().is_some_and(|text| text.contains(&bad));
    let undone: Vec<Value> =
        story.simulator.effects("CreateDeployment").into_iter().filter(undoing).collect();
    assert_eq!(undone, Vec::<Value>::new());
    let title = format!("{bad} was not taken back, and {better} has followed it");
    assert_eq!(told(&story, &title), 1, "{:#?}", story.titles());
    assert_eq!(story.simulator.traffic("prod").old_label, "v3");
}

/// The one undo of a release, claimed by an invocation that began then.
async fn claim(ledger: &Ledger, release: &ReleaseId, owner: &str, now: Timestamp) -> Claimed {
    let decision = Decision {
        service: Some("orders".into()),
        release: None,
        verdict: Verdict::RollBack,
        reasons: Reason::NoRollbackFollowed { ago: SignedDuration::ZERO }.into(),
        effect: None,
        half: Half::Whole,
        question: None,
        waits: None,
        extends: None,
        unread: Vec::new(),
        blames: None,
        observed: false,
    };
    let effect = Effect::Stop { auto_rollback: true };
    let by = Claimant { owner, now };
    ledger.claim_undo(release, Half::Whole, &decision, &effect, by).await.unwrap()
}

#[tokio::test]
async fn a_claim_that_was_given_back_and_taken_again_is_nobody_elses() {
    let story = Story::of(lambda()).await;
    let ledger = Ledger::new(&functions::sdk_config(&story.simulator.endpoint(), "writer"), functions::TABLE);
    let (release, at) = (ReleaseId::from("d-2"), noon());
    let later = at + SignedDuration::from_secs(2);
    let Claimed::Ours(first) = claim(&ledger, &release, "one", at).await else { panic!("it was somebody's") };
    ledger.give_back(first).await.unwrap();
    // The same invocation looks again, and claims it again.
    let Claimed::TakenOver(first) = claim(&ledger, &release, "one", at).await else {
        panic!("it is not free")
    };
    assert!(matches!(claim(&ledger, &release, "two", later).await, Claimed::BySomebodyElse));
    // Given back, it is free for whoever comes, and at once.
    ledger.give_back(first).await.unwrap();
    assert!(matches!(claim(&ledger, &release, "two", later).await, Claimed::TakenOver(_)));
}

#[tokio::test]
async fn an_undo_is_as_old_as_the_claim_under_which_it_happened() {
    let story = Story::of(lambda()).await;
    let ledger = Ledger::new(&functions::sdk_config(&story.simulator.endpoint(), "writer"), functions::TABLE);
    let at = noon();
    let (soon, later) = (at + SignedDuration::from_secs(41), at + SignedDuration::from_mins(10));
    let undone_at =
        async |release: &ReleaseId| ledger.release(release, later).await.unwrap().undo.unwrap().at;
    // It may have happened under a claim that nobody finished.
    let died = ReleaseId::from("d-died");
    assert!(matches!(claim(&ledger, &died, "one", at).await, Claimed::Ours(_)));
    assert!(matches!(claim(&ledger, &died, "two", soon).await, Claimed::TakenOver(_)));
    assert_eq!(undone_at(&died).await, at);
    // It has not under one that was given back, or that was not needed.
    let given_back = ReleaseId::from("d-given-back");
    let Claimed::Ours(first) = claim(&ledger, &given_back, "one", at).await else { panic!("not free") };
    ledger.give_back(first).await.unwrap();
    let not_needed = ReleaseId::from("d-not-needed");
    let Claimed::Ours(first) = claim(&ledger, &not_needed, "one", at).await else { panic!("not free") };
    ledger.overtaken(first).await.unwrap();
    for release in [given_back, not_needed] {
        assert!(matches!(claim(&ledger, &release, "two", later).await, Claimed::TakenOver(_)));
        assert_eq!(undone_at(&release).await, later);
    }
}

#[tokio::test]
async fn an_undo_that_died_with_its_invocation_is_told_though_the_release_has_finished_and_the_alarm_is_ok() {
    let story = Story::of(lambda()).await;
    let ledger = Ledger::new(&functions::sdk_config(&story.simulator.endpoint(), "writer"), functions::TABLE);
    let release = ReleaseId::from(story.release());
    // Until the last moment of its canary.
    story.minutes(29).await;
    while told(&story, "succeeded") == 0 {
        assert!(story.simulator.now() < noon() + SignedDuration::from_mins(45), "{:?}", story.titles());
        drop(claim(&ledger, &release, "died", story.simulator.now()).await);
        story.simulator.advance(Duration::from_secs(5)).await;
    }
    story.minutes(4).await;
    assert_eq!(story.stops(), Vec::<Value>::new());
    assert_eq!(told(&story, "finished before it could be undone"), 1, "{:?}", story.titles());
}
