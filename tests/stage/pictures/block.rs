//! Slack's blocks as HTML (docs.slack.dev, "Blocks").
//!
//! What Belay does not send is not imitated, and shows as a red box: a picture that has one fails its check.

use serde_json::Value;

use super::mrkdwn::{Viewer, escape, mrkdwn, plain, unknown};

/// All blocks of a message.
pub(super) fn blocks(blocks: &Value, viewer: &Viewer) -> String {
    each(blocks).iter().map(|block| self::block(block, viewer)).collect()
}

fn block(block: &Value, viewer: &Viewer) -> String {
    match block["type"].as_str().unwrap_or("a block without a type") {
        "header" => format!("<h3>{}</h3>", text(&block["text"], viewer)),
        "section" => section(block, viewer),
        "context" => {
            let elements: String = each(&block["elements"])
                .iter()
                .map(|element| match element["type"].as_str() {
                    Some("image") => image(element, "small"),
                    Some(_) | None => format!("<span>{}</span>", text(element, viewer)),
                })
                .collect();
            format!("<div class=\"context\">{elements}</div>")
        }
        "actions" => {
            let elements: String = each(&block["elements"]).iter().map(element).collect();
            format!("<div class=\"actions\">{elements}</div>")
        }
        "input" => {
            let optional = if block["optional"] == true { " <small>(optional)</small>" } else { "" };
            let label = text(&block["label"], viewer);
            format!("<div class=\"input\"><b>{label}{optional}</b>{}</div>", element(&block["element"]))
        }
        "divider" => "<hr>".to_owned(),
        "image" => image(block, "large"),
        other => unknown(other),
    }
}

fn section(block: &Value, viewer: &Viewer) -> String {
    let mut html = String::new();
    if !block["text"].is_null() {
        html.push_str(&format!("<div>{}</div>", text(&block["text"], viewer)));
    }
    if !block["fields"].is_null() {
        let fields = each(&block["fields"]);
        let fields: String =
            fields.iter().map(|field| format!("<div>{}</div>", text(field, viewer))).collect();
        html.push_str(&format!("<div class=\"fields\">{fields}</div>"));
    }
    if !block["accessory"].is_null() {
        html.push_str(&format!("<div class=\"accessory\">{}</div>", element(&block["accessory"])));
    }
    format!("<div class=\"section\">{html}</div>")
}

/// What can be pressed or filled in.
fn element(element: &Value) -> String {
    let words = |value: &Value| plain(value["text"].as_str().unwrap_or_default());
    match element["type"].as_str().unwrap_or("an element without a type") {
        "button" => {
            let style = match element["style"].as_str() {
                None => "",
                Some("primary") => " primary",
                Some("danger") => " danger",
                Some(other) => return unknown(other),
            };
            format!("<span class=\"button{style}\">{}</span>", words(&element["text"]))
        }
        "plain_text_input" => {
            format!("<span class=\"box\">{}</span>", words(&element["placeholder"]))
        }
        "image" => image(element, "small"),
        other => unknown(other),
    }
}

/// An image as the words that describe it: the pages load nothing.
fn image(image: &Value, size: &str) -> String {
    let alt = image["alt_text"].as_str().unwrap_or_default();
    format!("<span class=\"image {size}\">{}</span>", escape(alt))
}

/// A text object.
fn text(value: &Value, viewer: &Viewer) -> String {
    let words = value["text"].as_str().unwrap_or_default();
    match value["type"].as_str().unwrap_or("a text without a type") {
        "mrkdwn" => mrkdwn(words, viewer),
        "plain_text" => plain(words),
        other => unknown(other),
    }
}

/// The items of an array.
pub(super) fn each(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}
