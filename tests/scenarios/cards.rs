//! What people see in Slack and Teams, word by word, from played rehearsals. A card that looks different fails here; who
//! meant it looks at the difference and takes it over with `INSTA_UPDATE=always`.

use std::collections::BTreeMap;

use belay_tests::{
    SlackMessage,
    stage::{
        play::{Did, Played, play},
        script::Rehearsal,
    },
};
use serde_json::{Value, json};

use crate::every_rehearsal_comes_true::scripts;

/// Holds what is seen against how it was when somebody last looked at it.
fn seen(name: &str, what: &Value) {
    let text = serde_json::to_string_pretty(what).unwrap();
    insta::with_settings!(
        { snapshot_path => "snapshots", prepend_module_to_snapshot => false, omit_expression => true },
        { insta::assert_snapshot!(name, text) }
    );
}

fn message(text: &str, blocks: &[Value]) -> Value {
    json!({ "text": text, "blocks": blocks })
}

/// The first version of the only card that says this in its headline.
fn card(played: &Played, says: &str) -> Value {
    version(only(&played.cards), says)
}

fn version(card: &SlackMessage, says: &str) -> Value {
    let version = card.versions.iter().find(|version| version.text.contains(says));
    let version = version.unwrap_or_else(|| panic!("no version says {says}: {:#?}", card.versions));
    message(&version.text, &version.blocks)
}

/// The last version whose text says so.
fn last(played: &Played, says: &str) -> Value {
    let versions = &only(&played.cards).versions;
    let version = versions.iter().rfind(|version| version.text.contains(says));
    let version = version.unwrap_or_else(|| panic!("no version says {says}: {versions:#?}"));
    message(&version.text, &version.blocks)
}

fn ended(played: &Played) -> Value {
    let card = only(&played.cards);
    message(&card.text, &card.blocks)
}

fn only(cards: &[SlackMessage]) -> &SlackMessage {
    assert_eq!(cards.len(), 1, "{cards:#?}");
    &cards[0]
}

fn script(name: &str) -> Rehearsal {
    let scripts: BTreeMap<String, Rehearsal> = scripts().into_iter().collect();
    scripts[name].clone()
}

async fn played(rehearsal: &Rehearsal) -> Played {
    play(rehearsal, rehearsal.policy.as_deref()).await.unwrap()
}

#[tokio::test]
async fn a_release_that_is_asked_about_and_taken_back() {
    let played = played(&script("chat-roll-back")).await;
    seen("running", &card(&played, "is on its way"));
    seen("asked", &card(&played, "waits for a person"));
    seen("taken_back", &ended(&played));
    let ping = &played.thread[0];
    seen("ping", &message(&ping.text, &ping.blocks));
}

#[tokio::test]
async fn approvals() {
    let hook = played(&script("hook-approval")).await;
    seen("hook_approval", &card(&hook, "waits for a person"));
    seen("hook_approved", &ended(&hook));
    let pipeline = played(&script("pipeline-approval")).await;
    seen("pipeline_approval", &card(&pipeline, "waits for a person"));
    seen("pipeline_rejected", &ended(&played(&script("pipeline-approval-console")).await));
}

#[tokio::test]
async fn a_halt_a_failed_stage_and_the_answers_to_commands() {
    let commands = played(&script("chat-commands")).await;
    seen("halted", &ended(&commands));
    let answers = commands.acts.iter().filter_map(|act| match &act.did {
        Did::Typed { text, answer, .. } => Some(json!({ "typed": text, "answer": answer })),
        Did::Pressed { .. } | Did::AnsweredInConsole { .. } | Did::SlackWentDown | Did::SlackCameUp => None,
    });
    seen("answers", &answers.collect());
    seen("failed_stage", &last(&played(&script("stage-retry")).await, "failed"));
}

/// A service in `mode: observe`, which has a channel here.
#[tokio::test]
async fn an_observed_release() {
    let mut observed = script("observe");
    let policy = observed.policy.take().unwrap();
    let talked = policy.replacen(
        "    alarms:",
        "    approvers: [ U02ANNA ]\n    chat: { slack: C0CHECKOUT }\n    alarms:",
        1,
    );
    assert_ne!(policy, talked);
    observed.policy = Some(talked);
    let played = played(&observed).await;
    // The second release is another one, with a card of its own.
    assert_eq!(played.cards.len(), 2);
    seen("observed", &version(&played.cards[0], "would have taken it back"));
}

#[tokio::test]
async fn what_one_person_is_told_and_what_teams_shows() {
    let whispers = played(&script("chat-own-release")).await.whispers;
    let whispers = whispers.iter().map(|whisper| json!({ "user": whisper.user, "text": whisper.text }));
    seen("whispers", &whispers.collect());
    let down = played(&script("slack-down")).await;
    let loud = down.teams.iter().find(|card| card.content.to_string().contains("taking back"));
    seen("teams", &loud.unwrap().content);
}
