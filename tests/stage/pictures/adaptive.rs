//! Teams' Adaptive Cards as HTML (adaptivecards.io, "Schema Explorer").
//!
//! As with Slack's blocks, what Belay does not send shows as a red box.

use jiff::Timestamp;
use serde_json::Value;

use super::{
    block::each,
    mrkdwn::{clock, escape, unknown},
};

/// The body of a webhook's request: its cards, in the frame that Teams gives a workflow's message.
pub(super) fn message(body: &Value, at: Timestamp) -> String {
    let cards: String = each(&body["attachments"])
        .iter()
        .map(|attachment| match attachment["contentType"].as_str() {
            Some("application/vnd.microsoft.card.adaptive") => card(&attachment["content"]),
            Some(other) => unknown(other),
            None => unknown("an attachment without a type"),
        })
        .collect();
    let time = clock(at);
    format!(
        "<div class=\"message\"><div class=\"avatar\">{AVATAR}</div><div class=\"said\">\
         <div class=\"who\"><b>Workflows</b><span class=\"time\">{time}</span></div>{cards}</div></div>"
    )
}

fn card(card: &Value) -> String {
    format!("<div class=\"card\">{}{}</div>", elements(&card["body"]), actions(&card["actions"]))
}

fn elements(items: &Value) -> String {
    each(items).iter().map(element).collect()
}

fn element(element: &Value) -> String {
    match element["type"].as_str().unwrap_or("an element without a type") {
        "TextBlock" => {
            let mut classes = String::new();
            for key in ["size", "weight", "color"] {
                if let Some(word) = element[key].as_str() {
                    classes.push_str(&format!(" {}", escape(&word.to_lowercase())));
                }
            }
            if element["isSubtle"] == true {
                classes.push_str(" subtle");
            }
            if element["wrap"] != true {
                classes.push_str(" line");
            }
            format!("<p class=\"{}\">{}</p>", classes.trim(), markdown(&element["text"]))
        }
        "FactSet" => {
            let facts: String = each(&element["facts"])
                .iter()
                .map(|fact| {
                    format!("<dt>{}</dt><dd>{}</dd>", markdown(&fact["title"]), markdown(&fact["value"]))
                })
                .collect();
            format!("<dl>{facts}</dl>")
        }
        "Container" => {
            let style = escape(&element["style"].as_str().unwrap_or("default").to_lowercase());
            format!("<div class=\"container {style}\">{}</div>", elements(&element["items"]))
        }
        "ColumnSet" => {
            let columns: String = each(&element["columns"])
                .iter()
                .map(|column| format!("<div>{}</div>", elements(&column["items"])))
                .collect();
            format!("<div class=\"columns\">{columns}</div>")
        }
        "ActionSet" => actions(&element["actions"]),
        other => unknown(other),
    }
}

fn actions(actions: &Value) -> String {
    let buttons: String = each(actions)
        .iter()
        .map(|action| match action["type"].as_str().unwrap_or("an action without a type") {
            "Action.OpenUrl" => {
                let title = action["title"].as_str().unwrap_or_default();
                format!("<span class=\"button\">{}</span>", escape(title))
            }
            other => unknown(other),
        })
        .collect();
    if buttons.is_empty() { buttons } else { format!("<div class=\"actions\">{buttons}</div>") }
}

/// Teams' Markdown, of which Belay sends escapes alone: a backslash makes the next character plain.
fn markdown(text: &Value) -> String {
    let (mut shown, mut escaped) = (String::new(), false);
    for character in text.as_str().unwrap_or_default().chars() {
        match character {
            '\\' if !escaped => escaped = true,
            '*' | '_' | '[' | ']' | '`' | '~' | '#' if !escaped => {
                return unknown("Markdown that is not escaped");
            }
            other => {
                shown.push(other);
                escaped = false;
            }
        }
    }
    escape(&shown)
}

const AVATAR: &str = "<svg viewBox=\"0 0 32 32\"><circle cx=\"16\" cy=\"16\" r=\"16\" fill=\"#2266e3\"/>\
    <path d=\"M8 10h10l6 6-6 6H8l6-6z\" fill=\"#fff\"/></svg>";
