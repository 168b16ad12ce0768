//! What the pictures show: one release of the service `checkout` on 18 June 2026, as it may go.
//!
//! Names, headlines and questions are those of `belay::chat::draw`; reasons are the real ones, with these numbers in
//! them.

mod answers;
mod cards;
mod messages;

use belay::{
    chat::{slack, slack::Post, teams},
    message::Message,
    reason::Reason,
    release::DeploymentGroup,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{
    conversation::{Conversation, Entry, Reply, Said},
    graph::Graph,
    mrkdwn::Viewer,
};

/// The channel.
pub(super) const CHANNEL: &str = "checkout-releases";

const APPROVER: &str = "U07JONAS3W";
const AUTHOR: &str = "U07MIRA42K";

/// Whoever looks at the pictures.
pub(super) const VIEWER: Viewer = Viewer {
    people: &[(AUTHOR, "Mira Okafor"), (APPROVER, "Jonas Lind")],
    // 2026-06-18T00:00:00Z
    today: 1_781_740_800,
};

const RELEASE: &str = "d-7K2M9QX4B";
const ROLLBACK: &str = "d-4QX8Z1RTM";
const ALARM: &str = "checkout-prod-5xx-rate";
/// What CloudWatch says about that alarm.
const SAID: &str = "Threshold Crossed: 2 out of the last 3 datapoints [4.6 (18/06/26 13:56:00), 3.9 (18/06/26 \
     13:55:00)] were greater than the threshold (1.0) (minimum 2 datapoints for OK -> ALARM transition).";

/// Every conversation in Slack, by its picture's name.
pub(super) fn slack() -> Vec<(&'static str, Conversation)> {
    let card = |at: Timestamp, card| Entry::Message { at, post: slack::card(&card), replies: Vec::new() };
    let began = at(52, 11);
    vec![
        ("running", Conversation(vec![card(began, cards::running())])),
        (
            "asked",
            Conversation(vec![thread(began, slack::card(&cards::asked()), vec![ping(messages::asked())])]),
        ),
        (
            "taken-back",
            Conversation(vec![thread(
                began,
                slack::card(&cards::taken_back()),
                vec![ping(messages::taken_back()), picture()],
            )]),
        ),
        ("approval-hook", Conversation(vec![card(began, cards::waits_at_hook())])),
        ("approval-pipeline", Conversation(vec![card(began, cards::waits_in_pipeline())])),
        (
            "refused",
            Conversation(vec![
                card(began, cards::running()),
                whisper(at(57, 20), Post { blocks: Value::Null, ..slack::words(&answers::refused()) }),
            ]),
        ),
        (
            "halted",
            Conversation(vec![thread(began, slack::card(&cards::halted()), vec![ping(messages::halted())])]),
        ),
        ("succeeded", Conversation(vec![card(began, cards::succeeded())])),
        ("failed-stage", Conversation(vec![card(began, cards::failed_stage())])),
        (
            "observed",
            Conversation(vec![thread(
                began,
                slack::card(&cards::observed()),
                vec![ping(messages::observed())],
            )]),
        ),
        (
            "commands",
            Conversation(vec![
                Entry::Typed("/belay status checkout"),
                whisper(at(57, 5), slack::words(&answers::status())),
                Entry::Typed("/belay why checkout"),
                whisper(at(59, 30), slack::words(&answers::why())),
                Entry::Typed("/belay rolback checkout"),
                whisper(at(59, 40), slack::words(&answers::misspelt())),
            ]),
        ),
    ]
}

/// Every request to Teams, by its picture's name, and when it was posted.
pub(super) fn teams() -> Vec<(&'static str, Timestamp, Value)> {
    let message = messages::taken_back();
    vec![("teams", message.at, teams::message(&message))]
}

/// A time on the day of the pictures, in the hour of 13:00 UTC.
fn at(minute: i64, second: i64) -> Timestamp {
    let hour = VIEWER.today + 13 * 3_600;
    Timestamp::from_second(hour + 60 * minute + second).unwrap_or_default()
}

/// So many minutes and seconds.
fn lasting(minutes: i64, seconds: i64) -> SignedDuration {
    SignedDuration::from_secs(60 * minutes + seconds)
}

/// Where it is released.
fn group() -> DeploymentGroup {
    DeploymentGroup { application: "checkout".to_owned(), group: "prod".to_owned() }
}

/// Reasons as people read them.
fn because(reasons: &[Reason]) -> Vec<String> {
    reasons.iter().map(ToString::to_string).collect()
}

fn thread(at: Timestamp, post: Post, replies: Vec<Reply>) -> Entry {
    Entry::Message { at, post, replies }
}

/// A message in the card's thread.
fn ping(message: Message) -> Reply {
    let broadcast = message.slack.as_ref().is_some_and(|place| place.broadcast);
    Reply { at: message.at, said: Said::Words { post: slack::message(&message), broadcast } }
}

fn whisper(at: Timestamp, post: Post) -> Entry {
    Entry::Whisper { at, post }
}

/// The graph of the alarm, as it hangs in the thread.
fn picture() -> Reply {
    let graph = Graph {
        title: ALARM,
        unit: "5xx answers, percent",
        from: at(38, 0),
        values: &[
            0.2, 0.3, 0.2, 0.2, 0.4, 0.3, 0.2, 0.2, 0.3, 0.3, 0.2, 0.4, 0.3, 0.2, 0.3, 0.9, 1.4, 3.9, 4.6,
            4.9,
        ],
        threshold: (1.0, "5xx answers > 1 for 2 datapoints within 3 minutes"),
        began: 14.2,
        top: 6.0,
    };
    Reply { at: at(57, 46), said: Said::Picture { title: format!("Alarm {ALARM}"), svg: graph.svg() } }
}
