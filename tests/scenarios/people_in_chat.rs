//! People in chat: one card per release, buttons that count once, and only from those who may press them.

use std::time::Duration;

use belay_tests::{DeliverySettings, Fault, Press, SlackMessage};
use serde_json::{Value, json};

use crate::a_release_is_guarded::{Story, canary, lambda};

pub(crate) use belay_tests::stage::everyday::{ANNA, CHANNEL, TALKED};

pub(crate) const BOB: &str = "U02BOB";
pub(crate) const EVE: &str = "U66EVE";

impl Story {
    pub(crate) fn in_channel(&self) -> Vec<SlackMessage> {
        self.simulator.slack_messages(CHANNEL)
    }

    /// The card: the one message of ours that is in no thread.
    pub(crate) fn card(&self) -> SlackMessage {
        let cards: Vec<SlackMessage> =
            self.in_channel().into_iter().filter(|message| message.thread_ts.is_none()).collect();
        assert_eq!(cards.len(), 1, "{cards:#?}");
        cards.into_iter().next().unwrap()
    }

    /// What was said in the card's thread.
    pub(crate) fn thread(&self) -> Vec<SlackMessage> {
        let card = self.card().ts;
        self.in_channel().into_iter().filter(|message| message.thread_ts.as_ref() == Some(&card)).collect()
    }

    /// Somebody presses a button of the card, and Slack gets its answer.
    pub(crate) async fn press(&self, user: &str, button: &str) -> Value {
        self.press_why(user, button, None).await
    }

    pub(crate) async fn press_why(&self, user: &str, button: &str, why: Option<&str>) -> Value {
        let ts = self.card().ts;
        let press = Press { user, channel: CHANNEL, ts: &ts, action: button, why };
        let event = self.simulator.slack_press(press).unwrap();
        self.simulator.request("chat-actions", &event).await.unwrap()
    }

    /// Somebody types a command; the text that they are answered with.
    pub(crate) async fn types(&self, user: &str, text: &str) -> String {
        let event = self.simulator.slack_command(user, CHANNEL, text);
        let answer = self.simulator.request("chat-actions", &event).await.unwrap();
        assert_eq!(answer["statusCode"], json!(200), "{answer}");
        let body: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
        assert_eq!(body["response_type"], json!("ephemeral"));
        texts(&body["blocks"])
    }

    pub(crate) fn whispers(&self, user: &str) -> Vec<String> {
        let whispers = self.simulator.slack_whispers().into_iter();
        whispers.filter(|whisper| whisper.user == user).map(|whisper| whisper.text).collect()
    }
}

/// Everything that a message shows, as one text.
pub(crate) fn shown(message: &SlackMessage) -> String {
    format!("{}\n{}", message.text, texts(&json!(message.blocks)))
}

fn texts(blocks: &Value) -> String {
    fn collect(value: &Value, into: &mut Vec<String>) {
        match value {
            Value::Object(object) => {
                if let Some(text) = object.get("text").and_then(Value::as_str) {
                    into.push(text.to_owned());
                }
                object.values().for_each(|value| collect(value, into));
            }
            Value::Array(items) => items.iter().for_each(|item| collect(item, into)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let mut texts = Vec::new();
    collect(blocks, &mut texts);
    texts.join("\n")
}

#[tokio::test]
async fn a_release_has_one_card_that_is_edited_as_it_goes() {
    let story = Story::under(lambda(), TALKED).await;
    let id = story.release();
    story.minutes(2).await;
    let card = story.card();
    assert!(shown(&card).contains(&format!("{id} is on its way")), "{}", shown(&card));
    assert!(shown(&card).contains("10 %"), "{}", shown(&card));
    story.red("orders-5xx");
    story.minutes(5).await;
    let later = story.card();
    assert_eq!(later.ts, card.ts);
    assert!(later.edits >= 1);
    assert!(shown(&later).contains(&format!("{id} was taken back by")), "{}", shown(&later));
    // One ping for the undo, seen by the whole channel, with the alarm's graph; the rest stands on the card.
    let thread = story.thread();
    let pings: Vec<&SlackMessage> = thread.iter().filter(|message| message.files.is_empty()).collect();
    assert_eq!(pings.len(), 1, "{:#?}", pings.iter().map(|ping| &ping.text).collect::<Vec<_>>());
    assert!(pings[0].broadcast && shown(pings[0]).contains("taking back"), "{}", shown(pings[0]));
    let pictures: Vec<_> = thread.iter().flat_map(|message| &message.files).collect();
    assert_eq!(pictures.len(), 1);
    assert!(pictures[0].bytes.starts_with(b"\x89PNG"));
    let why = story.types(EVE, "why orders").await;
    assert!(why.contains(&id) && why.contains("roll back"), "{why}");
    let history = story.types(EVE, "history orders").await;
    assert!(history.contains(&format!("{id}, ")) && history.contains("taken back"), "{history}");
    // The topic has the same words.
    assert_eq!(story.messages().len(), 5, "{:?}", story.titles());
    story.simulator.assert_all_modelled();
}

#[tokio::test]
async fn an_approver_answers_a_question_and_the_second_is_told_who_was_first() {
    let story = Story::under(lambda(), TALKED).await;
    let id = story.release();
    story.minutes(2).await;
    story.red("orders-latency");
    story.minutes(2).await;
    assert_eq!(story.stops(), Vec::<Value>::new());
    assert_eq!(
        story.press_why(ANNA, "Roll back", Some("p99 is <!here> awful")).await["statusCode"],
        json!(200)
    );
    story.minutes(1).await;
    assert_eq!(story.stops(), [json!({ "deploymentId": id, "autoRollbackEnabled": true })]);
    let card = shown(&story.card());
    assert!(card.contains("<@U02ANNA>") && card.contains("chose Roll back"), "{card}");
    assert!(card.contains("&lt;!here&gt;") && !card.contains("<!here>"), "{card}");
    story.minutes(20).await;
    assert_eq!(story.stops().len(), 1, "silence came after the answer");
    assert_eq!(story.simulator.dead_letters(), []);
    story.simulator.assert_all_modelled();
}

#[tokio::test]
async fn two_press_at_once_and_one_counts() {
    let story = Story::under(lambda(), TALKED).await;
    story.release();
    story.minutes(2).await;
    story.red("orders-latency");
    story.minutes(2).await;
    let ts = story.card().ts;
    let press = |user: &str, action: &str| {
        let press = Press { user, channel: CHANNEL, ts: &ts, action, why: None };
        story.simulator.slack_press(press).unwrap()
    };
    // Both see the same buttons.
    let (anna, bob) = (press(ANNA, "Keep"), press(BOB, "Roll back"));
    for event in [&anna, &bob, &anna] {
        story.simulator.request("chat-actions", event).await.unwrap();
    }
    story.minutes(30).await;
    let stops = story.stops().len();
    let told: Vec<String> = [story.whispers(ANNA), story.whispers(BOB)].concat();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("was first"), "{told:?}");
    let anna_was_first = story.whispers(ANNA).is_empty();
    assert_eq!(stops, usize::from(!anna_was_first));
    story.simulator.assert_all_modelled();
}

#[tokio::test]
async fn nobody_else_may_and_everything_is_written_down() {
    let story = Story::under(lambda(), TALKED).await;
    story.release();
    story.minutes(2).await;
    story.red("orders-latency");
    story.minutes(2).await;
    story.press(EVE, "Roll back").await;
    story.minutes(1).await;
    assert_eq!(story.stops(), Vec::<Value>::new());
    assert!(story.whispers(EVE)[0].contains("not among the approvers"), "{:?}", story.whispers(EVE));
    assert!(story.types(EVE, "rollback orders").await.contains("not among the approvers"));
    assert_eq!(story.stops(), Vec::<Value>::new());
    // The question is still open for those who may.
    story.press(BOB, "Keep").await;
    story.minutes(30).await;
    assert_eq!(story.stops(), Vec::<Value>::new(), "kept, although silence would have taken it back");
}

#[tokio::test]
async fn a_refused_press_that_comes_again_closes_no_question() {
    let story = Story::under(lambda(), TALKED).await;
    let id = story.release();
    story.minutes(2).await;
    story.red("orders-latency");
    story.minutes(2).await;
    let ts = story.card().ts;
    let press = Press { user: EVE, channel: CHANNEL, ts: &ts, action: "Keep", why: None };
    let event = story.simulator.slack_press(press).unwrap();
    for _ in 0..2 {
        story.simulator.request("chat-actions", &event).await.unwrap();
        story.minutes(1).await;
    }
    assert_eq!(story.stops(), Vec::<Value>::new());
    story.minutes(16).await;
    assert_eq!(
        story.stops(),
        [json!({ "deploymentId": id, "autoRollbackEnabled": true })],
        "silence answers"
    );
}

#[tokio::test]
async fn a_hook_waits_for_a_person() {
    let policy = TALKED
        .replace("{ alarms: quiet }", "{ alarms: quiet }, { approval: { within: 45m, otherwise: fail } }");
    for (button, status) in [(Some("Approve"), "Succeeded"), (Some("Reject"), "Failed"), (None, "Failed")] {
        let group = lambda().shifting(canary()).hook("BeforeAllowTraffic", "lifecycle-hooks");
        let story = Story::under(group, &policy).await;
        let id = story.release();
        story.minutes(3).await;
        let card = shown(&story.card());
        assert!(card.contains(&format!("{id} waits for a person")), "{card}");
        match button {
            Some(button) => {
                story.press_why(ANNA, button, Some("looked at it")).await;
                story.minutes(1).await;
                let answers = story.simulator.effects("PutLifecycleEventHookExecutionStatus");
                assert_eq!(answers.len(), 1, "{button}: {answers:?}");
            }
            None => story.minutes(47).await,
        }
        story.minutes(40).await;
        assert_eq!(story.simulator.deployment(&id).status.name(), status, "{button:?}");
        assert_eq!(story.simulator.dead_letters(), []);
        story.simulator.assert_all_modelled();
    }
}

#[tokio::test]
async fn nothing_is_approved_while_nobody_knows_who_wanted_it() {
    let policy = TALKED
        .replace("{ alarms: quiet }", "{ alarms: quiet }, { approval: { within: 45m, otherwise: fail } }");
    let group = lambda().shifting(canary()).hook("BeforeAllowTraffic", "lifecycle-hooks");
    let story = Story::under(group, &policy).await;
    let wanted = Some("Release 42, belay: requested-by anna@example.com");
    // Its START is lost, so that the ledger does not know either.
    story.simulator.set_delivery(DeliverySettings { lose: 1.0, ..DeliverySettings::default() });
    story.simulator.start_described_deployment("orders", "prod", "v2", "user", wanted).unwrap();
    story.simulator.advance(Duration::from_secs(20)).await;
    assert!(shown(&story.card()).contains("waits for a person"), "{}", shown(&story.card()));
    // What would say that it is her own release cannot be read when she approves it, and can some seconds later.
    story.simulator.fault("GetApplicationRevision", Fault::InternalError, 12);
    story.simulator.fault("GetDeployment", Fault::InternalError, 12);
    story.press(ANNA, "Approve").await;
    story.minutes(5).await;
    assert_eq!(story.simulator.effects("PutLifecycleEventHookExecutionStatus"), Vec::<Value>::new());
    assert!(story.whispers(ANNA)[0].contains("your own"), "{:?}", story.whispers(ANNA));
    story.press(BOB, "Approve").await;
    story.minutes(1).await;
    assert_eq!(story.simulator.effects("PutLifecycleEventHookExecutionStatus").len(), 1);
}

#[tokio::test]
async fn commands_are_answered() {
    let story = Story::under(lambda(), TALKED).await;
    let id = story.release();
    story.minutes(2).await;
    assert!(story.types(EVE, "help").await.contains("/belay status"));
    assert!(story.types(EVE, "statsu").await.contains("status"), "{}", story.types(EVE, "statsu").await);
    assert!(story.types(EVE, "status").await.contains(&id));
    let status = story.types(EVE, "status orders").await;
    assert!(status.contains("is on its way") && status.contains("Traffic: 10 %"), "{status}");
    assert!(story.types(EVE, "status order").await.contains("Did you mean `orders`?"));
    let why = story.types(EVE, &format!("why {id}")).await;
    assert!(why.contains("told") && why.contains("It could go back to"), "{why}");
    let asked = story.types(ANNA, "halt orders").await;
    assert!(asked.contains(&format!("Asked to halt {id}")), "{asked}");
    story.minutes(2).await;
    assert_eq!(story.stops(), [json!({ "deploymentId": id, "autoRollbackEnabled": false })]);
    assert!(story.types(EVE, "history orders").await.contains("halted"));
    assert!(story.types(BOB, "rollback orders").await.contains("There is nothing to roll back"));
    story.simulator.assert_all_modelled();
}
