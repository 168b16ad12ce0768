//! What the pictures show: the cards of the rehearsals, as the scenarios hold them (`tests/scenarios/snapshots`). So a
//! picture shows what the tests produce, and nothing that somebody wrote down beside them.

use belay::chat::slack::{self, Post};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    conversation::{Conversation, Entry, Reply, Said},
    graph::Graph,
    mrkdwn::Viewer,
};

/// The channel.
pub(super) const CHANNEL: &str = "checkout-releases";

/// Whoever looks at the pictures.
pub(super) const VIEWER: Viewer = Viewer {
    people: &[("U02ANNA", "Anna Berg"), ("U03BOB", "Bob Okafor"), ("U04EVE", "Eve Lind")],
    // 2026-03-05T00:00:00Z
    today: 1_772_668_800,
};

const ALARM: &str = "checkout-prod-5xx-rate";

/// A snapshot's JSON: what stands behind its head of two lines with three dashes.
macro_rules! snapshot {
    ($name:literal) => {
        body(include_str!(concat!("../../scenarios/snapshots/", $name, ".snap")))
    };
}

fn body(snapshot: &str) -> Value {
    let json = snapshot.splitn(3, "---").nth(2).unwrap_or_default();
    serde_json::from_str(json).unwrap_or_else(|error| json!({ "text": format!("no snapshot: {error}") }))
}

fn post(shown: &Value) -> Post {
    Post { text: text(&shown["text"]), blocks: shown["blocks"].clone() }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Every conversation in Slack, by its picture's name.
pub(super) fn slack() -> Vec<(&'static str, Conversation)> {
    let began = at(2, 5);
    let alone = |shown: &Value| {
        Conversation(vec![Entry::Message { at: began, post: post(shown), replies: Vec::new() }])
    };
    let thread = vec![
        Reply { at: at(4, 45), said: Said::Words { post: post(&snapshot!("ping")), broadcast: true } },
        picture(),
    ];
    let told = snapshot!("whispers");
    let whisper = |said: &Value| Entry::Whisper {
        at: at(6, 30),
        post: Post { text: text(&said["text"]), blocks: Value::Null },
    };
    let mut refused = alone(&snapshot!("asked")).0;
    refused.extend(told.as_array().into_iter().flatten().take(1).map(whisper));
    vec![
        ("running", alone(&snapshot!("running"))),
        ("asked", alone(&snapshot!("asked"))),
        (
            "taken-back",
            Conversation(vec![Entry::Message {
                at: began,
                post: post(&snapshot!("taken_back")),
                replies: thread,
            }]),
        ),
        ("approval-hook", alone(&snapshot!("hook_approval"))),
        ("approval-pipeline", alone(&snapshot!("pipeline_approval"))),
        ("refused", Conversation(refused)),
        ("halted", alone(&snapshot!("halted"))),
        ("succeeded", alone(&snapshot!("hook_approved"))),
        ("failed-stage", alone(&snapshot!("failed_stage"))),
        ("observed", alone(&snapshot!("observed"))),
        ("commands", commands(&snapshot!("answers"))),
    ]
}

/// Commands and their answers.
fn commands(answers: &Value) -> Conversation {
    let asked = |one: &Value| {
        let typed = text(&one["typed"]);
        let worth_seeing = ["status checkuot", "status checkout", "why checkout", "history checkout"];
        worth_seeing.contains(&typed.as_str()).then(|| {
            let answer = slack::words(&text(&one["answer"]));
            [Entry::Typed(format!("/belay {typed}")), Entry::Whisper { at: at(7, 0), post: answer }]
        })
    };
    Conversation(answers.as_array().into_iter().flatten().filter_map(asked).flatten().collect())
}

/// Every request to Teams, by its picture's name, and when it was posted.
pub(super) fn teams() -> Vec<(&'static str, Timestamp, Value)> {
    let content = snapshot!("teams");
    let kind = "application/vnd.microsoft.card.adaptive";
    let body = json!({
        "type": "message",
        "attachments": [{ "contentType": kind, "contentUrl": null, "content": content }],
    });
    vec![("teams", at(6, 0), body)]
}

/// A time on the day of the pictures, in the hour of 03:00 UTC.
fn at(minute: i64, second: i64) -> Timestamp {
    let hour = VIEWER.today + 3 * 3_600;
    Timestamp::from_second(hour + 60 * minute + second).unwrap_or_default()
}

/// The graph of the alarm, as it hangs in the thread. CloudWatch draws the real one; the simulator has none.
fn picture() -> Reply {
    let graph = Graph {
        title: ALARM,
        unit: "5xx answers, percent",
        from: Timestamp::from_second(VIEWER.today + 3 * 3_600 - 13 * 60).unwrap_or_default(),
        values: &[
            0.2, 0.3, 0.2, 0.2, 0.4, 0.3, 0.2, 0.2, 0.3, 0.3, 0.2, 0.4, 0.3, 0.2, 0.3, 0.9, 1.4, 3.9, 4.6,
            4.9,
        ],
        threshold: (1.0, "5xx answers > 1 for 2 datapoints within 3 minutes"),
        began: 15.1,
        top: 6.0,
    };
    Reply { at: at(4, 46), said: Said::Picture { title: format!("Alarm {ALARM}"), svg: graph.svg() } }
}
