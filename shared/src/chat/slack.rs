//! Slack: a release's card, a message and a short answer as Block Kit.
//!
//! Whatever comes in, what goes out keeps every limit of Block Kit, and nothing in it can ping anybody or lead
//! elsewhere but what we meant to.

mod block;
pub mod button;
#[cfg(test)]
mod limits_tests;
mod offer;
mod story;
#[cfg(test)]
mod tests;

use std::time::Duration;

use serde_json::Value;

use self::block::{
    SECTION, TOTAL, date, fine_print, first, header, links, mrkdwn, outside, outside_or_dash, section,
    sections, total,
};
use super::{
    release_card::{CardAlarm, CardStage, CardState, ReleaseCard},
    text::{cut, escape, line, units},
};
use crate::{decision::Urgency, message::Message, release::course::StepState, signal::AlarmState};

/// What is posted: `chat.postMessage` and `chat.update` take both fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Post {
    /// What notifications and screen readers say, in mrkdwn.
    pub text: String,
    /// What is shown.
    pub blocks: Value,
}

/// The longest notification.
const TEXT: usize = 300;
/// How many facts fit into a section, and how long all of them may be.
const FIELDS: usize = 10;
const FACTS: usize = 1_800;
const ALARMS: usize = 1_200;
/// How long a pipeline's stages may be, together.
const STAGES: usize = 900;
const CHECKS: usize = 1_000;

/// A release's card.
pub fn card(card: &ReleaseCard) -> Post {
    let sign = match card.state {
        CardState::Waiting => "🟡",
        CardState::Running => "🔵",
        CardState::Undoing => "🟠",
        CardState::Good => "🟢",
        CardState::Undone => "↩️",
        CardState::Halted => "🛑",
        CardState::Bad => "🔴",
    };
    let title = format!("{sign} {}: {}", outside(&card.service, 60), outside_or_dash(&card.headline, TEXT));
    let text = cut(&title, TEXT);
    // What is asked comes first: a long message is folded, and somebody who was just woken reads the top of it.
    let (asked, standing) = offer::offers(card);
    let mut above = vec![header(&title)];
    above.extend(asked);
    above.extend(facts(card));
    if !card.stages.is_empty() {
        above.push(section(&stages(&card.stages)));
    }
    if let Some(percent) = card.traffic {
        above.push(section(&traffic(percent)));
    }
    if !card.alarms.is_empty() {
        above.extend(sections(&first(alarms(card), ALARMS)));
    }
    if !card.checks.is_empty() {
        let lines = card.checks.iter().map(|check| {
            let sign = match check.passed {
                Some(true) => "✅",
                Some(false) => "❌",
                None => "❔",
            };
            format!("{sign} {}", outside(&check.what, 300))
        });
        above.extend(sections(&first(lines.collect(), CHECKS)));
    }
    let mut below = vec![fine_print(&times(card))];
    if !standing.is_empty() {
        below.push(fine_print("At any time:"));
    }
    below.extend(standing);
    below.extend(links(&card.links));
    // The story takes what the others leave. They leave enough for its newest line: their own limits see to that.
    let (above, below) = (Value::Array(above), Value::Array(below));
    let left = TOTAL.saturating_sub(units(&text) + total(&above) + total(&below)).max(story::LEAST);
    let story = Value::Array(story::story(&card.story, left));
    Post { text, blocks: joined([above, story, below]) }
}

/// A message.
pub fn message(message: &Message) -> Post {
    let sign = match message.urgency {
        Urgency::Loud => "🔴 ",
        Urgency::Calm => "",
    };
    let title = format!("{sign}{}", outside_or_dash(&message.title, 1_000));
    let did = outside_or_dash(&message.did, 1_000);
    let mut blocks = vec![header(&title)];
    if blocks[0]["text"]["text"] != title.as_str() {
        blocks.push(section(&format!("*{title}*")));
    }
    let bullets = |texts: &[String]| texts.iter().map(|text| format!("• {}", outside(text, 1_500))).collect();
    blocks.extend(sections(&first(bullets(&message.reasons), 5_000)));
    if let Some(who) = &message.who {
        blocks.push(section(&format!("*Who answered:* {}", block::person(who))));
    }
    blocks.push(section(&format!("*What Belay did:* {did}")));
    let on_a_card = message.slack.as_ref().is_some_and(|place| place.card.is_some());
    if message.asks && on_a_card {
        blocks.push(section(
            "*Answer on the card* at the top of this thread: its buttons are always the right ones.",
        ));
    }
    if !message.next_steps.is_empty() {
        let mut lines = vec!["*What to do now*".to_owned()];
        lines.extend(first(bullets(&message.next_steps), 2_500));
        blocks.extend(sections(&lines));
    }
    let mut about: Vec<String> = [&message.service, &message.release]
        .into_iter()
        .flatten()
        .map(|name| outside_or_dash(name, 100))
        .collect();
    about.push(date(message.at));
    blocks.push(fine_print(&about.join(" · ")));
    blocks.extend(links(&message.links));
    Post { text: format!("{}\n{}", cut(&title, TEXT), cut(&did, TEXT)), blocks: Value::Array(blocks) }
}

/// A short answer. Lines stay lines, and bold and code are shown as such; mentions and links are not.
pub fn words(text: &str) -> Post {
    let lines: Vec<String> = text.lines().map(|text| cut(&escape(&line(text)), SECTION)).collect();
    let mut blocks = sections(&first(lines, TOTAL - 4_000));
    // Slack refuses empty texts, and a section of empty lines is one.
    blocks.retain(|block| block["text"]["text"].as_str().is_some_and(|text| !text.trim().is_empty()));
    if blocks.is_empty() {
        blocks.push(section("–"));
    }
    let said = text.lines().map(line).find(|line| !line.is_empty());
    Post { text: outside_or_dash(&said.unwrap_or_default(), TEXT), blocks: Value::Array(blocks) }
}

/// What is released, in two columns.
fn facts(card: &ReleaseCard) -> Vec<Value> {
    let fields: Vec<String> = card
        .facts
        .iter()
        .map(|(name, value)| format!("*{}*\n{}", outside_or_dash(name, 60), outside_or_dash(value, 300)))
        .take(2 * FIELDS)
        .collect();
    let fit = block::fitting(fields.iter(), FACTS);
    fields[..fit]
        .chunks(FIELDS)
        .map(|fields| {
            let fields: Vec<Value> = fields.iter().map(|field| mrkdwn(field)).collect();
            serde_json::json!({ "type": "section", "fields": fields })
        })
        .collect()
}

/// A pipeline's stages as one line. One that is longer than a line ends with how many are left out.
fn stages(stages: &[CardStage]) -> String {
    let sign = |state| match state {
        StepState::Done => "✓",
        StepState::Running => "▶",
        StepState::Asks => "✋",
        StepState::Waiting => "○",
        StepState::Failed => "✗",
        StepState::Stopped => "■",
        StepState::Skipped => "–",
    };
    let shown: Vec<String> = stages
        .iter()
        .map(|stage| format!("{} {}", sign(stage.state), outside_or_dash(&stage.name, 100)))
        .collect();
    let fit = block::fitting(shown.iter(), STAGES);
    let left = shown.len() - fit;
    let mut line = shown[..fit].join("  ");
    if left > 0 {
        line.push_str(&format!("  … and {left} more"));
    }
    line
}

/// A bar of ten blocks. It is empty and full for nothing and everything only.
fn traffic(percent: u8) -> String {
    let percent = percent.min(100);
    let full = if percent == 0 { 0 } else { usize::from(percent / 10).max(1) };
    format!("*Traffic* {}{} {percent} %", "▓".repeat(full), "░".repeat(10 - full))
}

/// One line per alarm. What is red comes first, lest it be left out.
fn alarms(card: &ReleaseCard) -> Vec<String> {
    let rank = |alarm: &&CardAlarm| match alarm.state {
        Some(AlarmState::Alarm) => 0,
        Some(AlarmState::InsufficientData) | None => 1,
        Some(AlarmState::Ok) => 2,
    };
    let mut alarms: Vec<&CardAlarm> = card.alarms.iter().collect();
    alarms.sort_by_key(rank);
    let line = |alarm: &CardAlarm| {
        let (sign, state) = match alarm.state {
            Some(AlarmState::Ok) => ("🟢", ""),
            Some(AlarmState::Alarm) => ("🔴", ""),
            Some(AlarmState::InsufficientData) => ("⚪", ": no data"),
            None => ("⚪", ": cannot be read"),
        };
        let note = alarm.note.as_deref().map(|note| format!(" ({})", outside(note, 200)));
        format!("{sign} {}{state}{}", outside_or_dash(&alarm.name, 255), note.unwrap_or_default())
    };
    alarms.into_iter().map(line).collect()
}

/// When it began and ended, and how long it took.
fn times(card: &ReleaseCard) -> String {
    let mut times = began_and_ended(card);
    if !card.pace.is_empty() {
        times.push_str(". ");
        times.push_str(&outside(&card.pace, 200));
    }
    times
}

fn began_and_ended(card: &ReleaseCard) -> String {
    let began = format!("Began {}", date(card.began));
    let Some(ended) = card.ended else { return began };
    let seconds = ended.as_second() - card.began.as_second();
    match u64::try_from(seconds) {
        Ok(seconds) => {
            let took = humantime::format_duration(Duration::from_secs(seconds));
            format!("{began}, ended {}, took {took}", date(ended))
        }
        // Two clocks.
        Err(_) => format!("{began}, ended {}", date(ended)),
    }
}

fn joined<const N: usize>(parts: [Value; N]) -> Value {
    let blocks = parts.into_iter().flat_map(|part| match part {
        Value::Array(blocks) => blocks,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => Vec::new(),
    });
    Value::Array(blocks.collect())
}
