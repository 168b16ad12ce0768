//! Slack and Teams in the timeline: cards as they change, and what people do.

use std::{collections::BTreeMap, fmt::Write as _};

use anstyle::Style;
use jiff::Timestamp;
use serde_json::Value;

use super::{BLUE, BOLD, FAINT, INDENT, WIDTH, YELLOW, line, wrapped};
use crate::{
    Call, ChatAct, Service,
    stage::{
        as_read,
        play::{Act, Did},
    },
};

/// What was shown of each message when it was printed last, by its channel and `ts`.
pub(super) type Cards = BTreeMap<(String, String), Vec<String>>;

/// Something that appeared in a chat product, as the timeline has it.
pub(super) struct Seen<'a> {
    pub(super) service: Service,
    pub(super) act: ChatAct,
    pub(super) place: &'a str,
    pub(super) name: Option<&'a str>,
    pub(super) body: &'a Value,
}

/// Shows what appeared. Of a card that was edited only what is new about it.
pub(super) fn appeared(out: &mut String, when: (Timestamp, Timestamp), seen: &Seen<'_>, cards: &mut Cards) {
    let blocks = seen.body.as_array().map(Vec::as_slice).unwrap_or_default();
    if seen.service == Service::Teams {
        say(out, when, "Teams: a card");
        boxed(out, &as_read::teams(seen.body));
        return;
    }
    match seen.act {
        ChatAct::Posted | ChatAct::Updated => {
            let lines = as_read::slack(blocks, when.0);
            let key = (seen.place.to_owned(), seen.name.unwrap_or_default().to_owned());
            let before = cards.insert(key, lines.clone());
            let (what, shown) = match before {
                Some(before) => ("the card changes", changed(&before, &lines)),
                None if as_read::is_card(blocks) => ("a card appears", lines),
                None => ("a message", lines),
            };
            say(out, when, &format!("Slack, {}: {what}", seen.place));
            boxed(out, &shown);
        }
        // The calls say more: who is told, whether the channel sees it, what a picture is called.
        ChatAct::Replied | ChatAct::Whispered | ChatAct::SharedFile => {}
    }
}

/// What a call says in a thread, or to one person.
pub(super) fn told(out: &mut String, when: (Timestamp, Timestamp), call: &Call) {
    if call.service != Service::Slack || !call.changed {
        return;
    }
    let input = &call.input;
    match call.operation.as_str() {
        "chat.postMessage" if input["thread_ts"].is_string() => {
            let everybody = if input["reply_broadcast"] == true { ", seen by the whole channel" } else { "" };
            say(out, when, &format!("Slack, in the card's thread{everybody}:"));
            let blocks = input["blocks"].as_array().map(Vec::as_slice).unwrap_or_default();
            // Where to look stands on the card.
            let blocks: Vec<Value> =
                blocks.iter().filter(|block| block["type"] != "context").cloned().collect();
            boxed(out, &as_read::slack(&blocks, when.0));
        }
        "chat.postEphemeral" => {
            let (user, text) = (input["user"].as_str().unwrap_or_default(), &input["text"]);
            let text = as_read::mrkdwn(text.as_str().unwrap_or_default(), when.0);
            say(out, when, &format!("Slack, to {user} only: {text}"));
        }
        "files.completeUploadExternal" => {
            let title = input["files"][0]["title"].as_str().unwrap_or("without a title");
            say(out, when, &format!("Slack, in the card's thread: a picture, {title}"));
        }
        _ => {}
    }
}

/// Shows what a person did.
pub(super) fn act(out: &mut String, began: Timestamp, act: &Act) {
    let mut says = |style: Style, sign: &str, text: &str| line(out, began, act.at, style, sign, text);
    match &act.did {
        Did::Pressed { user, button, why } => {
            let why = why.as_ref().map(|why| format!(", with the reason “{why}”")).unwrap_or_default();
            says(BOLD, "👤", &format!("{user} presses {button}{why}"));
        }
        Did::Typed { user, text, answer } => {
            says(BOLD, "👤", &format!("{user} types /belay {text}"));
            let lines: Vec<String> = answer.lines().map(str::to_owned).collect();
            boxed(out, &lines);
        }
        Did::AnsweredInConsole { who, stage, approved } => {
            let what = if *approved { "approves" } else { "rejects" };
            says(BOLD, "👤", &format!("{who} {what} {stage} in CodePipeline's console"));
        }
        Did::SlackWentDown => says(YELLOW, "↯", "Slack is down: every call of it fails"),
        Did::SlackCameUp => says(YELLOW, "↯", "Slack is up again"),
    }
}

/// What is new on a card: its headline, the lines that it did not have, and the buttons if they are others.
fn changed(before: &[String], now: &[String]) -> Vec<String> {
    let mut shown: Vec<String> = now.first().into_iter().cloned().collect();
    shown.extend(now.iter().skip(1).filter(|line| !before.contains(line)).cloned());
    let has_buttons = |lines: &[String]| lines.iter().any(|line| line.starts_with('['));
    if has_buttons(before) && !has_buttons(now) {
        shown.push("(no buttons any more)".to_owned());
    }
    shown
}

fn say(out: &mut String, (began, at): (Timestamp, Timestamp), text: &str) {
    line(out, began, at, BLUE, "▣", text);
}

/// Lines in a box that is open to the right: how wide a sign is only the terminal knows.
fn boxed(out: &mut String, lines: &[String]) {
    let rule = "─".repeat(WIDTH - INDENT - 1);
    let _ = writeln!(out, "{:INDENT$}{BLUE}┌{rule}{BLUE:#}", "");
    for text in lines {
        let depth = text.chars().take_while(|c| *c == ' ').count();
        for (number, part) in wrapped(text, WIDTH - INDENT - 4 - depth).into_iter().enumerate() {
            let hanging = depth + if number > 0 { 2 } else { 0 };
            let style = if text.starts_with('[') {
                BOLD
            } else if depth > 0 {
                FAINT
            } else {
                Style::new()
            };
            let _ = writeln!(out, "{:INDENT$}{BLUE}│{BLUE:#} {:hanging$}{style}{part}{style:#}", "", "");
        }
    }
    let _ = writeln!(out, "{:INDENT$}{BLUE}└{rule}{BLUE:#}", "");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_new_about_a_card_is_shown() {
        let lines = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let before = lines(&["d-1 waits", "Traffic 10 %", "[Keep] [Roll back]"]);
        let after = lines(&["d-1 is taken back", "Traffic 10 %", "👤 U1 chose Roll back"]);
        let shown = ["d-1 is taken back", "👤 U1 chose Roll back", "(no buttons any more)"];
        assert_eq!(changed(&before, &after), shown);
        assert_eq!(changed(&before, &lines(&["d-1 waits", "[Keep]"])), ["d-1 waits", "[Keep]"]);
    }
}
