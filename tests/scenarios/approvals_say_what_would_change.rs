//! A pipeline's approval is heard of by event and by notification, once; it says what would change; and executions of a
//! PARALLEL pipeline that wait side by side have each its own.

use belay_tests::{
    Action, AlarmState, DeliverySettings, ExecutionMode, ExecutionStatus, Fault, Pipeline, Press, Stage, What,
};
use serde_json::{Value, json};

use crate::{
    people_in_chat::{ANNA, BOB, CHANNEL, shown},
    pipelines_ask::{Waiting, buttons},
};

/// A pipeline whose approval notifies, and whose plan has a parameter for each revision.
fn pipeline() -> Pipeline {
    let plan = r#"{"Tag": "{revision}", "DbPassword": "secret-of-{revision}"}"#;
    let variables = r#"[{"name": "PIN", "value": "secret-of-{revision}", "type": "PLAINTEXT"}]"#;
    let asks = Action::approval("Sign-off").notifying(belay_tests::stage::functions::APPROVALS);
    Pipeline::v2("release")
        .stage(Stage::of("Source", Action::source("Image").finding("ImageDigest", "sha256:{revision}")))
        .stage(Stage::of(
            "Plan",
            Action::build("Plan", 5)
                .configured("ParameterOverrides", plan)
                .configured("EnvironmentVariables", variables),
        ))
        .stage(Stage::of("Ask", asks))
        .stage(Stage::deploy_for("Production", 60))
}

/// What pipeline-events answered to notifications by SNS.
fn notified(waiting: &Waiting) -> Vec<Value> {
    let timeline = waiting.simulator.timeline().into_iter();
    let answers = timeline.filter_map(|happening| match happening.what {
        What::Invoked { function, payload, result, .. }
            if function == "pipeline-events" && payload.starts_with("{\"Records\"") =>
        {
            Some(serde_json::from_str(&result.unwrap()).unwrap())
        }
        _ => None,
    });
    answers.collect()
}

/// How often people were told that they are asked: by the topic.
fn asked(waiting: &Waiting) -> usize {
    let messages = waiting.simulator.messages().into_iter();
    messages.filter(|message| message.message.contains("waits for the approval")).count()
}

#[tokio::test]
async fn event_and_notification_ask_once() {
    let waiting = Waiting::notified().await;
    assert_eq!(notified(&waiting).len(), 1, "the notification came");
    assert_eq!((asked(&waiting), waiting.cards().len()), (1, 1));
    let card = shown(&waiting.card());
    assert!(card.contains("Look at &lt;staging&gt; with v2"), "the owners' words are escaped: {card}");
    let in_thread = waiting.simulator.slack_messages(CHANNEL).into_iter();
    assert_eq!(in_thread.filter(|message| message.thread_ts.is_some()).count(), 1);
    waiting.press_why(BOB, "Approve", None).await;
    waiting.minutes(3).await;
    assert_eq!((waiting.answers().len(), waiting.status()), (1, ExecutionStatus::Succeeded));
    assert_eq!(waiting.simulator.dead_letters(), []);
}

#[tokio::test]
async fn a_notification_whose_approval_waits_no_more_asks_nobody() {
    let waiting = Waiting::in_pipeline(pipeline()).await;
    // It is on its way for ten minutes; the pipeline's events are lost.
    let delay = std::time::Duration::from_secs(600);
    waiting.simulator.set_delivery(DeliverySettings { lose: 1.0, delay, ..DeliverySettings::default() });
    let waiting = waiting.starts("v2").await;
    let arn = "arn:aws:iam::123456789012:user/ada";
    waiting.simulator.approve_in_console("release", "Ask", "Sign-off", true, arn, "I saw the graph");
    waiting.minutes(15).await;
    let answers = notified(&waiting);
    let [answer] = answers.as_slice() else { panic!("{answers:?}") };
    assert_eq!(answer["outcomes"][0]["why"], "it waits no more: it was answered, stopped or replaced");
    assert_eq!((asked(&waiting), waiting.cards().len()), (0, 0));
    assert_eq!(waiting.simulator.dead_letters(), []);
}

#[tokio::test]
async fn a_notification_of_a_pipeline_that_nobody_guards_asks_aws_nothing() {
    let waiting = Waiting::in_pipeline(pipeline()).await;
    let ask = Action::approval("Sign-off").notifying(belay_tests::stage::functions::APPROVALS);
    let other = Pipeline::v2("other").stage(Stage::source("Source")).stage(Stage::of("Ask", ask));
    waiting.simulator.create_pipeline(other);
    waiting.simulator.start_pipeline("other", "v1");
    waiting.minutes(2).await;
    let answers = notified(&waiting);
    assert_eq!(answers[0]["outcomes"][0]["why"], "no service in the policy is released by this pipeline");
    assert!(waiting.simulator.calls("GetPipelineState").is_empty());
}

#[tokio::test]
async fn the_question_says_what_would_change() {
    let mut waiting = Waiting::in_pipeline(pipeline()).await.starts("v1").await;
    let first = shown(&waiting.card());
    assert!(first.contains("No execution is known to have succeeded in Production before."), "{first}");
    waiting.press_why(ANNA, "Approve", None).await;
    waiting.minutes(3).await;
    // v2 is rejected, and its commit is in v3 all the same.
    waiting = waiting.starts("v2").await;
    waiting.press_why(ANNA, "Reject", None).await;
    // So long that v1 is not to blame for the alarm.
    waiting.minutes(40).await;
    let now = waiting.simulator.now();
    waiting.simulator.set_alarm_state("orders-5xx", AlarmState::Alarm, now);
    waiting = waiting.starts("v3").await;
    let card = shown(&waiting.card());
    for said in [
        "Production has Release v1. New since then: at least 2 commits:",
        "“Release v3”;",
        "“Release v2”.",
        "Image ImageDigest was sha256:v1, is sha256:v3",
        "Plan EnvironmentVariables.PIN has changed",
        "Plan ParameterOverrides.DbPassword has changed",
        "Plan ParameterOverrides.Tag was v1, is v3;",
        "In ALARM right now: orders-5xx (of 1).",
        "An undo would go back to Release v1, which",
    ] {
        assert!(card.contains(said), "{said} is not in {card}");
    }
    // The same words for those who have no card, and no secret anywhere.
    let topic = waiting.simulator.messages().pop().unwrap().message;
    assert!(topic.contains("Tag was v1, is v3") && topic.contains("at least 2 commits"), "{topic}");
    let all = format!(
        "{:?} {:?} {}",
        waiting.simulator.messages(),
        waiting.simulator.slack_messages(CHANNEL),
        json!(waiting.simulator.table(belay_tests::stage::functions::TABLE))
    );
    assert!(all.contains("DbPassword") && !all.contains("secret-of-v"), "a secret was shown or stored");
    // Once it is answered there is no question any more.
    waiting.press_why(BOB, "Approve", None).await;
    waiting.minutes(3).await;
    assert!(!shown(&waiting.card()).contains("New since then"), "{}", shown(&waiting.card()));
    assert_eq!(waiting.simulator.dead_letters(), []);
}

#[tokio::test]
async fn what_cannot_be_learnt_is_said_and_the_question_is_asked() {
    let waiting = Waiting::in_pipeline(pipeline()).await;
    waiting.simulator.fault("ListPipelineExecutions", Fault::InternalError, u32::MAX);
    waiting.simulator.fault("DescribeAlarms", Fault::InternalError, u32::MAX);
    let waiting = waiting.starts("v1").await;
    assert_eq!(asked(&waiting), 1);
    let told = waiting.simulator.messages().pop().unwrap().message;
    for said in [
        "What is new could not be learnt: codepipeline:ListPipelineExecutions for release failed",
        "How the alarms are could not be learnt: cloudwatch:DescribeAlarms",
        "Whether it could be undone could not be learnt:",
    ] {
        assert!(told.contains(said), "{said} is not in {told}");
    }
    // As soon as the card can be drawn, it asks.
    waiting.simulator.clear_faults();
    waiting.minutes(2).await;
    let card = shown(&waiting.card());
    assert!(card.contains("May it go on?") && card.contains("could not be learnt"), "{card}");
}

#[tokio::test]
async fn executions_that_wait_side_by_side_have_each_its_own_answer() {
    let waiting = Waiting::in_pipeline(pipeline().mode(ExecutionMode::Parallel)).await;
    let ids: Vec<String> =
        ["v1", "v2", "v3"].map(|label| waiting.simulator.start_pipeline("release", label)).into();
    waiting.minutes(3).await;
    assert_eq!((waiting.cards().len(), asked(&waiting), notified(&waiting).len()), (3, 3, 3));
    let press = async |id: &str, user: &str, button: &str| {
        let card = waiting.cards().into_iter().find(|card| card.text.contains(&id[..8])).unwrap();
        assert_eq!(buttons(&card), ["Approve", "Reject"]);
        let press = Press { user, channel: CHANNEL, ts: &card.ts, action: button, why: None };
        let event = waiting.simulator.slack_press(press).unwrap();
        waiting.simulator.request("chat-actions", &event).await.unwrap();
    };
    press(&ids[1], ANNA, "Approve").await;
    press(&ids[0], BOB, "Reject").await;
    waiting.minutes(3).await;
    let statuses: Vec<ExecutionStatus> =
        ids.iter().map(|id| waiting.simulator.pipeline_execution(id).status).collect();
    let expected = [ExecutionStatus::Failed, ExecutionStatus::Succeeded, ExecutionStatus::InProgress];
    assert_eq!(statuses, expected);
    let tokens: Vec<Value> = waiting.answers().into_iter().map(|answer| answer["token"].clone()).collect();
    assert!(tokens.len() == 2 && tokens[0] != tokens[1], "{tokens:?}");
    // The third one is asked still, on its own card.
    let third = waiting.cards().into_iter().find(|card| card.text.contains(&ids[2][..8])).unwrap();
    assert_eq!(buttons(&third), ["Approve", "Reject"]);
    // An older one that waits is told apart from what is there already.
    press(&ids[2], ANNA, "Approve").await;
    waiting.minutes(3).await;
    assert_eq!(waiting.simulator.pipeline_execution(&ids[2]).status, ExecutionStatus::Succeeded);
    assert_eq!(waiting.simulator.dead_letters(), []);
    waiting.simulator.assert_all_modelled();
}
