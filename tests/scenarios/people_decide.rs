//! What people decide, when, and about what: late answers, more time, their own releases, releases that are gone.

use std::time::Duration;

use belay_tests::{Fault, Group, Press, Shifting, SlackMessage, stage::functions};
use serde_json::{Value, json};

use crate::{
    a_release_is_guarded::{Story, canary, events, lambda},
    people_in_chat::{ANNA, BOB, CHANNEL, TALKED, shown},
    pipelines_ask::buttons,
};

/// A release is asked about at half past the minute, so that the deadline lies between two looks of the sweep.
async fn asked() -> (Story, String) {
    let slow = Shifting::Canary { percent: 10, minutes: 90 };
    asked_about(lambda().shifting(slow), TALKED, None).await
}

async fn asked_about(group: Group, policy: &str, description: Option<&str>) -> (Story, String) {
    let story = Story::under(group, policy).await;
    let id = match description {
        Some(text) => story.simulator.start_described("prod", "v2", text).unwrap(),
        None => story.release(),
    };
    seconds(&story, 150).await;
    story.red("orders-latency");
    seconds(&story, 5).await;
    (story, id)
}

async fn seconds(story: &Story, seconds: u64) {
    story.simulator.advance(Duration::from_secs(seconds)).await;
}

fn cards(story: &Story) -> Vec<SlackMessage> {
    story.in_channel().into_iter().filter(|message| message.thread_ts.is_none()).collect()
}

/// What Slack sends when somebody presses a button of this card.
fn pressed(story: &Story, card: &SlackMessage, user: &str, button: &str) -> Vec<u8> {
    let press = Press { user, channel: CHANNEL, ts: &card.ts, action: button, why: None };
    story.simulator.slack_press(press).unwrap()
}

async fn send(story: &Story, event: &[u8]) -> Value {
    let answer = story.simulator.request("chat-actions", event).await.unwrap();
    story.simulator.deliver_due().await;
    answer
}

fn told(story: &Story, words: &str) -> bool {
    story.messages().iter().any(|message| message["content"].to_string().contains(words))
}

#[tokio::test]
async fn an_answer_after_the_deadline_is_none() {
    // Before silence was noticed, and after.
    for late in [10, 120] {
        let (story, id) = asked().await;
        seconds(&story, 14 * 60).await;
        let event = pressed(&story, &story.card(), ANNA, "Keep");
        seconds(&story, 55 + late).await;
        assert_eq!(story.stops().len(), usize::from(late == 120));
        send(&story, &event).await;
        let whispers = story.whispers(ANNA);
        let said = if late == 120 { "The deadline was first" } else { "The time to answer was over at" };
        assert!(whispers.len() == 1 && whispers[0].contains(said), "{whispers:?}");
        story.minutes(2).await;
        let stop = json!({ "deploymentId": id, "autoRollbackEnabled": true });
        assert_eq!(story.stops(), [stop], "silence rolls back, as the policy says");
        assert!(!shown(&story.card()).contains("<@U02ANNA>"), "{}", shown(&story.card()));
        assert_eq!(story.simulator.dead_letters(), []);
    }
}

#[tokio::test]
async fn more_time_is_given_and_silence_works_at_the_new_deadline() {
    let (story, _) = asked().await;
    let before = story.card();
    let old = |user: &str, button: &str| pressed(&story, &before, user, button);
    let (keep, back) = (old(BOB, "Keep"), old(BOB, "Roll back"));
    story.press(ANNA, "Extend").await;
    seconds(&story, 60).await;
    let card = shown(&story.card());
    assert!(card.contains("<@U02ANNA>") && card.contains("chose Extend"), "{card}");
    // The old buttons are used up.
    for event in [&keep, &back] {
        send(&story, event).await;
    }
    let whispers = story.whispers(BOB);
    assert!(
        whispers.len() == 2 && whispers.iter().all(|text| text.contains("was first with “Extend”")),
        "{whispers:?}"
    );
    // 12:17:30 passes, and 12:32:30 does not.
    story.minutes(27).await;
    assert_eq!(story.stops(), Vec::<Value>::new());
    assert!(buttons(&story.card()).contains(&"Keep".to_owned()));
    story.minutes(3).await;
    assert_eq!(story.stops().len(), 1, "{}", shown(&story.card()));
    assert_eq!(cards(&story).len(), 1);
}

#[tokio::test]
async fn the_new_question_is_answered_by_its_own_buttons() {
    let (story, _) = asked().await;
    story.press(ANNA, "Extend").await;
    seconds(&story, 60).await;
    story.press(BOB, "Keep").await;
    story.minutes(40).await;
    assert_eq!((story.stops().len(), story.whispers(BOB)), (0, Vec::new()));
}

#[tokio::test]
async fn nobody_lets_their_own_release_go_on() {
    let (story, id) =
        asked_about(lambda(), TALKED, Some("fix the cart. belay: requested-by Anna@Example.com")).await;
    for (count, button) in [(1, "Keep"), (2, "Extend")] {
        story.press(ANNA, button).await;
        seconds(&story, 10).await;
        let whispers = story.whispers(ANNA);
        assert!(
            whispers.len() == count && whispers[count - 1].contains("This release is your own"),
            "{button}: {whispers:?}"
        );
    }
    assert!(buttons(&story.card()).contains(&"Keep".to_owned()), "the question is still open");
    story.press(ANNA, "Roll back").await;
    seconds(&story, 10).await;
    assert_eq!(story.stops(), [json!({ "deploymentId": id, "autoRollbackEnabled": true })]);
    assert_eq!(story.whispers(ANNA).len(), 2);
}

#[tokio::test]
async fn nobody_approves_their_own_release_in_a_hook_and_others_may() {
    let policy = TALKED
        .replace("{ alarms: quiet }", "{ alarms: quiet }, { approval: { within: 45m, otherwise: fail } }");
    let group = lambda().hook("BeforeAllowTraffic", "lifecycle-hooks");
    let story = Story::under(group, &policy).await;
    story.simulator.start_described("prod", "v2", "belay: requested-by anna@example.com").unwrap();
    story.minutes(3).await;
    story.press(ANNA, "Approve").await;
    story.minutes(1).await;
    let answers = || story.simulator.effects("PutLifecycleEventHookExecutionStatus");
    assert_eq!(answers(), Vec::<Value>::new());
    assert!(story.whispers(ANNA)[0].contains("This release is your own"), "{:?}", story.whispers(ANNA));
    story.press(BOB, "Approve").await;
    story.minutes(1).await;
    assert_eq!(answers().len(), 1);
}

#[tokio::test]
async fn a_press_about_a_release_that_was_replaced_does_nothing_to_the_new_one() {
    let story = Story::under(lambda(), TALKED).await;
    let first = story.release();
    story.minutes(33).await;
    let card = story.card();
    assert_eq!(buttons(&card), ["Roll back"], "{}", shown(&card));
    let event = pressed(&story, &card, ANNA, "Roll back");
    let second = story.simulator.start_deployment("orders", "prod", "v3", "user").unwrap();
    story.minutes(2).await;
    send(&story, &event).await;
    story.minutes(2).await;
    let deployments = story.simulator.deployments("prod");
    assert_eq!(deployments.last().unwrap().id, second, "nothing was deployed");
    assert_eq!(story.stops(), Vec::<Value>::new());
    assert!(told(&story, &format!("{second} has been released since")), "{:?}", story.messages());
    let cards = cards(&story);
    assert_eq!(cards.len(), 2);
    // Its card says who wanted what, and offers nothing any more that would be refused.
    let old = cards
        .iter()
        .find(|card| shown(card).contains(&first) && !shown(card).contains("is on its way"))
        .unwrap();
    assert!(shown(old).contains("chose Roll back"), "{}", shown(old));
    story.minutes(40).await;
    assert_eq!(story.simulator.deployments("prod").len(), deployments.len());
}

#[tokio::test]
async fn a_release_that_was_stopped_in_the_console_is_not_stopped_again_and_whoever_pressed_is_told() {
    let (story, id) = asked().await;
    let (back, halt) = {
        let card = story.card();
        (pressed(&story, &card, ANNA, "Roll back"), pressed(&story, &card, BOB, "Halt"))
    };
    let client =
        aws_sdk_codedeploy::Client::new(&functions::sdk_config(&story.simulator.endpoint(), "somebody-else"));
    client.stop_deployment().deployment_id(&id).auto_rollback_enabled(true).send().await.unwrap();
    seconds(&story, 30).await;
    for event in [&back, &halt] {
        send(&story, event).await;
    }
    story.minutes(2).await;
    assert_eq!(story.stops().len(), 1, "the one of the console");
    let titles = story.titles();
    let count = |what: &str| titles.iter().filter(|title| title.contains(what)).count();
    let answered = count("is undone already") + count("has ended") + count("has settled itself");
    assert_eq!(answered, 2, "{titles:#?}");
    assert_eq!(buttons(&story.card()), [] as [&str; 0], "{}", shown(&story.card()));
    assert_eq!(story.simulator.dead_letters(), []);
}

#[tokio::test]
async fn after_a_halt_the_buttons_are_gone() {
    let story = Story::under(lambda(), TALKED).await;
    let id = story.release();
    story.minutes(2).await;
    let card = story.card();
    assert_eq!(buttons(&card), ["Roll back", "Halt"]);
    let back = pressed(&story, &card, BOB, "Roll back");
    story.press(ANNA, "Halt").await;
    story.minutes(2).await;
    assert_eq!(story.stops(), [json!({ "deploymentId": id, "autoRollbackEnabled": false })]);
    assert_eq!(buttons(&story.card()), [] as [&str; 0], "{}", shown(&story.card()));
    assert!(shown(&story.card()).contains("was halted"), "{}", shown(&story.card()));
    send(&story, &back).await;
    story.minutes(2).await;
    assert_eq!(story.stops().len(), 1);
    assert!(story.whispers(BOB)[0].contains("<@U02ANNA> was first with “Halt”"), "{:?}", story.whispers(BOB));
}

#[tokio::test]
async fn a_service_that_is_only_observed_offers_nothing_that_would_not_be_done() {
    let policy = TALKED.replace("    alarms:", "    mode: observe\n    alarms:");
    let story = Story::under(lambda(), &policy).await;
    story.release();
    story.minutes(2).await;
    assert_eq!(buttons(&story.card()), [] as [&str; 0], "{}", shown(&story.card()));
    for command in ["rollback orders", "halt orders"] {
        let said = story.types(ANNA, command).await;
        assert!(said.contains("is only observed (`mode: observe`)"), "{command}: {said}");
    }
    story.red("orders-latency");
    story.minutes(40).await;
    assert_eq!(story.stops(), Vec::<Value>::new());
}

#[tokio::test]
async fn a_service_without_approvers_has_no_buttons_and_nobody_may() {
    let policy = TALKED.replace("    approvers: [ { id: U02ANNA, also: [anna@example.com] }, U02BOB ]\n", "");
    assert_ne!(policy, TALKED);
    let (story, _) = asked_about(lambda(), &policy, None).await;
    assert_eq!(buttons(&story.card()), [] as [&str; 0], "{}", shown(&story.card()));
    let asked = story.thread().iter().map(shown).find(|text| text.contains("somebody has to decide"));
    let asked = asked.expect("it is asked");
    assert!(asked.contains("there are no buttons") && !asked.contains("Answer on the card"), "{asked}");
    assert!(story.types(ANNA, "rollback orders").await.contains("not among the approvers"));
    story.minutes(2).await;
    assert_eq!(story.stops(), Vec::<Value>::new());
    // The question is open all the same, and silence answers it.
    story.minutes(15).await;
    assert_eq!(story.stops().len(), 1);
}

#[tokio::test]
async fn a_press_while_belay_undoes_it_by_itself_makes_one_undo() {
    // Right before, right after, and at the same time as the alarm.
    for order in ["before", "after", "at once"] {
        let story = Story::under(lambda(), TALKED).await;
        story.release();
        story.minutes(2).await;
        let event = pressed(&story, &story.card(), ANNA, "Roll back");
        match order {
            "before" => {
                story.simulator.request("chat-actions", &event).await.unwrap();
                story.red("orders-5xx");
            }
            "after" => {
                story.red("orders-5xx");
                story.simulator.request("chat-actions", &event).await.unwrap();
            }
            _ => {
                story.simulator.request("chat-actions", &event).await.unwrap();
                let work = events(&story, "chat-actions").remove(0).payload;
                story.red("orders-5xx");
                let alarm = events(&story, "alarm-transitions").remove(0).payload;
                let (pressed, gone_off) = tokio::join!(
                    story.simulator.request("chat-actions", &work),
                    story.simulator.request("alarm-transitions", &alarm),
                );
                // Whoever finds the other at it says so, and is delivered again.
                assert!(pressed.is_ok() || gone_off.is_ok(), "{pressed:?} {gone_off:?}");
                if gone_off.is_err() {
                    story.simulator.send("alarm-transitions", &alarm);
                }
            }
        }
        story.minutes(6).await;
        assert_eq!(story.stops().len(), 1, "{order}");
        let undone = story.titles().iter().filter(|title| title.contains("taking back")).count();
        assert_eq!(undone, 1, "{order}: {:#?}", story.titles());
        assert!(shown(&story.card()).contains("was taken back by"), "{order}: {}", shown(&story.card()));
        assert_eq!(story.simulator.dead_letters(), [], "{order}");
    }
}

#[tokio::test]
async fn a_press_whose_hand_off_is_lost_is_judged_by_the_sweep() {
    for (fault, times) in [(Fault::CutConnection, 3), (Fault::InternalError, 3), (Fault::Throttle, 3)] {
        let story = Story::under(lambda(), TALKED).await;
        story.release();
        story.minutes(2).await;
        story.simulator.fault("Invoke", fault, times);
        let answer = story.press(ANNA, "Roll back").await;
        assert_eq!(answer["statusCode"], json!(200), "it is written down: {fault:?}");
        story.simulator.deliver_due().await;
        assert_eq!(story.stops(), Vec::<Value>::new(), "{fault:?}");
        story.minutes(2).await;
        assert_eq!(story.stops().len(), 1, "{fault:?}");
        story.minutes(5).await;
        assert_eq!((story.stops().len(), story.whispers(ANNA)), (1, Vec::new()));
    }
}

#[tokio::test]
async fn a_press_that_cannot_be_written_down_is_seen_to_have_failed() {
    let story = Story::under(lambda(), TALKED).await;
    story.release();
    story.minutes(2).await;
    story.simulator.fault("PutItem", Fault::InternalError, 3);
    let event = pressed(&story, &story.card(), ANNA, "Roll back");
    let answer = story.simulator.request("chat-actions", &event).await.unwrap();
    assert_eq!((&answer["statusCode"], &answer["body"]), (&json!(500), &json!("")));
    story.minutes(3).await;
    assert_eq!(story.stops(), Vec::<Value>::new(), "Slack said that nothing came of it");
    // Pressed again, it counts.
    story.press(ANNA, "Roll back").await;
    story.minutes(1).await;
    assert_eq!(story.stops().len(), 1);
}

#[tokio::test]
async fn on_ecs_people_decide_as_well() {
    let group = || Group::ecs("orders", "prod").shifting(canary()).baseline("v1");
    for (button, back) in [("Roll back", true), ("Halt", false)] {
        let (story, id) = asked_about(group(), TALKED, None).await;
        story.press(BOB, button).await;
        story.minutes(5).await;
        assert_eq!(story.stops(), [json!({ "deploymentId": id, "autoRollbackEnabled": back })]);
        let card = shown(&story.card());
        assert!(card.contains("<@U02BOB>") && card.contains(&format!("chose {button}")), "{card}");
    }
    let (story, _) = asked_about(group(), TALKED, None).await;
    story.press(BOB, "Keep").await;
    story.minutes(40).await;
    assert_eq!(story.stops(), Vec::<Value>::new());
}

#[tokio::test]
async fn a_service_in_two_places_is_asked_which_one() {
    let policy = TALKED.replace(
        "[ { codedeploy: { application: orders, deployment_group: prod } } ]",
        "[ { codedeploy: { application: orders, deployment_group: prod } }, { codedeploy: { application: orders, deployment_group: west } } ]",
    );
    assert_ne!(policy, TALKED);
    let story = Story::under(lambda(), &policy).await;
    story.simulator.create_group(Group::lambda("orders", "west").shifting(canary()).baseline("v1"));
    let east = story.release();
    let west = story.simulator.start_deployment("orders", "west", "v2", "user").unwrap();
    story.minutes(2).await;
    let said = story.types(ANNA, "rollback orders").await;
    assert!(said.contains("Which one?") && said.contains(&east) && said.contains(&west), "{said}");
    story.minutes(2).await;
    assert_eq!(story.stops(), Vec::<Value>::new());
    let said = story.types(ANNA, &format!("rollback orders {west}")).await;
    assert!(said.contains(&format!("Asked to roll back {west}")), "{said}");
    story.minutes(2).await;
    assert_eq!(story.stops(), [json!({ "deploymentId": west, "autoRollbackEnabled": true })]);
    // One is left.
    let said = story.types(ANNA, "rollback orders").await;
    assert!(said.contains(&format!("Asked to roll back {east}")), "{said}");
    let said = story.types(ANNA, "rollback orders d-NOTTHERE1").await;
    assert!(said.contains("is not the latest release"), "{said}");
}
