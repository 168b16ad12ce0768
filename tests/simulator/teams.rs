//! Microsoft Teams' Workflows webhooks, which take Adaptive Cards and answer before anybody sees them.
//!
//! Whoever knows the address may post. What an unreadable card does inside a flow is nowhere documented: here it is
//! refused at once, so that somebody notices.

use std::collections::VecDeque;

use jiff::Timestamp;
use serde_json::Value;

use crate::chat::{ChatAnswer, ChatCall, ChatFate, Trouble};
use crate::faults::Fault;
use crate::simulator::Simulator;
use crate::storm::Fate;
use crate::timeline::{ChatAct, What};
use crate::wire::Reply;
use crate::world::World;

/// The largest message in bytes (msteams-docs, "Create incoming webhooks").
const LARGEST: usize = 28 * 1024;
/// What the old connectors said on an HTTP 200 when too much was asked (same page).
const OLD_THROTTLE: &str = "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429 with ContextId tcid=0";
/// The elements that a card of version 1.2 to 1.5 may have in Teams.
const ELEMENTS: [&str; 12] = [
    "AdaptiveCard",
    "TextBlock",
    "RichTextBlock",
    "TextRun",
    "FactSet",
    "Container",
    "ColumnSet",
    "Column",
    "Image",
    "ImageSet",
    "Table",
    "ActionSet",
];
/// The actions that do something on a card of a webhook.
const ACTIONS: [&str; 3] = ["Action.OpenUrl", "Action.ToggleVisibility", "Action.ShowCard"];

/// A card that arrived.
#[derive(Debug, Clone, PartialEq)]
pub struct TeamsCard {
    /// When.
    pub at: Timestamp,
    /// The Adaptive Card itself.
    pub content: Value,
}

/// A way for one post to a webhook to go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TeamsFault {
    /// HTTP 429 with `Retry-After`, in seconds.
    RateLimited {
        /// So long the caller is to wait.
        retry_after_seconds: u64,
    },
    /// HTTP 503.
    ServerError,
    /// What the old connectors did: HTTP 200 with a text that says HTTP error 429, and no card.
    ErrorInText,
    /// The card arrives and then the connection is cut: the caller cannot know.
    LostResponse,
    /// The connection is cut before anything happened.
    Cut,
}

/// The state of the one webhook.
#[derive(Default)]
pub(crate) struct Teams {
    signature: Option<String>,
    cards: Vec<TeamsCard>,
    faults: VecDeque<(TeamsFault, u32)>,
}

impl Teams {
    pub(crate) fn strike(&mut self) -> Option<ChatFate> {
        let (fault, times) = self.faults.iter_mut().find(|(_, times)| *times > 0)?;
        *times -= 1;
        let only = |fault| ChatFate::from(Fate { fault: Some(fault), killed: None });
        Some(match fault {
            TeamsFault::RateLimited { retry_after_seconds } => {
                ChatFate::troubled(Trouble::RateLimited { seconds: *retry_after_seconds })
            }
            TeamsFault::ServerError => ChatFate::troubled(Trouble::ServerError),
            TeamsFault::ErrorInText => ChatFate::troubled(Trouble::Said(OLD_THROTTLE.to_owned())),
            TeamsFault::LostResponse => only(Fault::TimeoutAfterEffect),
            TeamsFault::Cut => only(Fault::CutConnection),
        })
    }
}

impl Simulator {
    /// Sets up a webhook with this signature in its address, and answers the address: all of it is a secret.
    pub fn install_teams(&self, sig: &str) -> String {
        self.world().teams.signature = Some(sig.to_owned());
        let sig: String = form_urlencoded::byte_serialize(sig.as_bytes()).collect();
        let path = "teams/workflows/0123456789abcdef/triggers/manual/paths/invoke";
        format!(
            "{}/{path}?api-version=2016-06-01&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig={sig}",
            self.endpoint()
        )
    }

    /// Lets the next posts to the webhook go wrong, so many times.
    pub fn teams_fault(&self, fault: TeamsFault, times: u32) {
        self.world().teams.faults.push_back((fault, times));
    }

    /// The cards that arrived, oldest first.
    pub fn teams_cards(&self) -> Vec<TeamsCard> {
        self.world().teams.cards.clone()
    }
}

impl World {
    /// Takes a card, or lets the trouble answer. A post without a valid signature gets no reason.
    pub(crate) fn teams(&mut self, call: &ChatCall, trouble: Option<&Trouble>) -> ChatAnswer {
        let body: Value = serde_json::from_slice(&call.body).unwrap_or_default();
        if let Some(trouble) = trouble {
            let reply = match trouble {
                Trouble::RateLimited { seconds } => {
                    let mut reply = text(429, "Too many requests");
                    reply.headers.push(("retry-after", seconds.to_string()));
                    reply
                }
                Trouble::ServerError => text(503, "Service unavailable"),
                Trouble::Said(said) => text(200, said),
            };
            return ChatAnswer { reply, input: body, outcome: Err(trouble.name().to_owned()) };
        }
        let (reply, outcome) = match self.check_post(call, &body) {
            Ok(cards) => {
                for content in cards {
                    self.happened(What::Chat {
                        service: crate::Service::Teams,
                        act: ChatAct::Posted,
                        place: "Teams".to_owned(),
                        name: None,
                        text: first_text(&content["body"]),
                        body: content.clone(),
                    });
                    self.teams.cards.push(TeamsCard { at: self.now, content });
                }
                (text(202, ""), Ok(()))
            }
            Err((status, why)) => (text(status, &why), Err(why)),
        };
        ChatAnswer { reply, input: body, outcome }
    }

    fn check_post(&self, call: &ChatCall, body: &Value) -> Result<Vec<Value>, (u16, String)> {
        let no = |status: u16, why: &str| (status, why.to_owned());
        if call.signature.is_none() || call.signature != self.teams.signature {
            return Err(no(401, "The authentication credentials are not valid."));
        }
        if call.body.len() > LARGEST {
            return Err(no(413, "The message is larger than 28 KB."));
        }
        if body["type"] != "message" {
            return Err(no(400, "type is not message"));
        }
        let attachments = body["attachments"].as_array().map(Vec::as_slice).unwrap_or_default();
        if attachments.is_empty() {
            return Err(no(400, "there are no attachments"));
        }
        let mut cards = Vec::new();
        for attachment in attachments {
            if attachment["contentType"] != "application/vnd.microsoft.card.adaptive" {
                return Err(no(400, "an attachment is no Adaptive Card"));
            }
            let card = &attachment["content"];
            check_card(card).map_err(|why| (400, why))?;
            cards.push(card.clone());
        }
        Ok(cards)
    }
}

fn text(status: u16, text: &str) -> Reply {
    let headers = vec![("content-type", "text/plain; charset=utf-8".to_owned())];
    Reply { status, headers, body: text.as_bytes().to_vec() }
}

fn check_card(card: &Value) -> Result<(), String> {
    if card["type"] != "AdaptiveCard" {
        return Err("the content is no AdaptiveCard".to_owned());
    }
    let version = card["version"].as_str().unwrap_or_default();
    if !["1.2", "1.3", "1.4", "1.5"].contains(&version) {
        return Err(format!("version {version:?} is none of 1.2 to 1.5"));
    }
    if !card["body"].is_array() {
        return Err("the card has no body".to_owned());
    }
    check_part(card)
}

/// Walks through everything in a card that has a type.
fn check_part(part: &Value) -> Result<(), String> {
    match part {
        Value::Array(members) => members.iter().try_for_each(check_part),
        Value::Object(members) => {
            if let Some(kind) = members.get("type").and_then(Value::as_str) {
                check_type(kind, part)?;
            }
            members.values().try_for_each(check_part)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
    }
}

fn check_type(kind: &str, part: &Value) -> Result<(), String> {
    let has_text = |member: &str| part[member].as_str().is_some_and(|text| !text.is_empty());
    match kind {
        "Action.Submit" | "Action.Execute" => {
            Err(format!("{kind} does nothing on a webhook's card: there is no bot behind it"))
        }
        "Action.OpenUrl" if !has_text("url") || !has_text("title") => {
            Err("an Action.OpenUrl needs url and title".to_owned())
        }
        "TextBlock" if !has_text("text") => Err("a TextBlock needs text".to_owned()),
        "FactSet" => {
            let facts = part["facts"].as_array().map(Vec::as_slice).unwrap_or_default();
            let good = |fact: &Value| fact["title"].is_string() && fact["value"].is_string();
            if !facts.is_empty() && facts.iter().all(good) {
                Ok(())
            } else {
                Err("a FactSet needs facts of title and value".to_owned())
            }
        }
        known if ELEMENTS.contains(&known) || ACTIONS.contains(&known) => Ok(()),
        other => Err(format!("{other} is not known")),
    }
}

/// The first text that people read.
fn first_text(part: &Value) -> String {
    match part {
        Value::Array(members) => {
            members.iter().map(first_text).find(|text| !text.is_empty()).unwrap_or_default()
        }
        Value::Object(members) => match part["text"].as_str() {
            Some(text) => text.to_owned(),
            None => members.values().map(first_text).find(|text| !text.is_empty()).unwrap_or_default(),
        },
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => String::new(),
    }
}
