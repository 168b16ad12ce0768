//! Amazon Q Developer in chat applications: custom notifications, published as SNS messages.
//!
//! Limits and field names: "Custom notifications" of the Amazon Q Developer in chat applications guide.
//! What does not match the schema never appears in the channel, so every length is kept here. The same text
//! reaches mail subscribers, with a subject that SNS accepts.

use serde_json::{Map, Value, json};

use super::text::{cut, escape};
use crate::{decision::Urgency, message::Message};

/// What is published to the topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// SNS subject: fewer than 100 characters, no line breaks or control characters.
    pub subject: String,
    /// SNS message: the custom notification, as JSON.
    pub body: String,
    /// For subscription filters: `calm` or `loud`.
    pub urgency: &'static str,
}

/// Renders a message. `id` is its key: the same message sent twice has the same id.
pub fn render(message: &Message, id: &str) -> Notification {
    let mark = match message.urgency {
        Urgency::Loud => "🔴 ",
        Urgency::Calm => "",
    };
    let mut description = String::new();
    for reason in &message.reasons {
        description.push_str(&escape(reason));
        description.push('\n');
    }
    if let Some(who) = &message.who {
        // Not as a mention: in Slack it would ping them in every channel that the topic reaches.
        description.push_str(&format!("\n*Who answered:* {}\n", escape(who)));
    }
    description.push_str(&format!("\n*What Belay did:* {}\n", escape(&message.did)));
    description.push_str(&format!("*When:* {:.0}\n", message.at));
    for link in &message.links {
        description.push_str(&format!("• {}: {}\n", escape(&link.label), link.url));
    }
    let mut context = Map::new();
    for (name, value) in [("service", &message.service), ("release", &message.release)] {
        if let Some(value) = value {
            context.insert(name.to_owned(), Value::from(value.as_str()));
        }
    }
    let keywords: Vec<String> = [&message.service, &message.release]
        .into_iter()
        .flatten()
        .map(|word| cut(&escape(word), 75))
        .collect();
    let next_steps: Vec<String> = message.next_steps.iter().map(|step| cut(&escape(step), 350)).collect();
    let body = json!({
        "version": "1.0",
        "source": "custom",
        "id": id,
        "content": {
            "textType": "client-markdown",
            "title": cut(&format!("{mark}{}", escape(&message.title)), 250),
            "description": cut(description.trim_end(), 8_000),
            "nextSteps": next_steps,
            "keywords": keywords,
        },
        "metadata": {
            "threadId": message.thread,
            "summary": cut(&escape(&message.title), 250),
            "additionalContext": context,
            "enableCustomActions": false,
        },
    });
    Notification {
        subject: subject(&message.title),
        body: body.to_string(),
        urgency: match message.urgency {
            Urgency::Calm => "calm",
            Urgency::Loud => "loud",
        },
    }
}

/// SNS: fewer than 100 ASCII characters, beginning with a letter, number or punctuation mark, without line
/// breaks or control characters.
fn subject(title: &str) -> String {
    let ascii: String =
        title.chars().map(|c| if c.is_ascii() && !c.is_ascii_control() { c } else { '?' }).take(99).collect();
    let trimmed = ascii.trim();
    if trimmed.is_empty() { "Belay".to_owned() } else { trimmed.to_owned() }
}
