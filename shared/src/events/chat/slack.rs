//! Slack's requests: slash commands and presses of buttons are forms, the Events API sends JSON
//! (docs.slack.dev, "Slash commands", "Handling user interaction").

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::{ChatRefusal, OfferId};
use crate::approval::{Choice, Person};
use crate::chat::slack::button::{self, LONGEST_WHY};
use crate::events::wire::{Part, Text, read, shortened};

/// How many characters of a name that we do not know are kept.
const NAME: usize = 60;
/// How long a challenge may be; Slack's have about fifty characters.
const LONGEST_CHALLENGE: usize = 1_000;
/// What people, teams and channels are called.
const ID: &str = "1 to 32 of A–Z and 0–9";
/// What messages and actions are called: seconds and a serial number.
const STAMP: &str = "a timestamp such as 1772719560.123456";

/// What a chat product asks of us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChatRequest {
    /// Slack looks whether anybody is there (`ssl_check=1`). Answer 200.
    Probe,
    /// The Events API looks whether it is us (`url_verification`). Answer with this text.
    Challenge(String),
    /// Somebody typed a slash command.
    Command(SlashCommand),
    /// Somebody pressed one of our buttons.
    Press(Press),
    /// Something that asks nothing of us: a closed dialog, a shortcut, a button that is not ours. Answer 200.
    Nothing {
        /// What, by its own name, in at most 60 characters.
        kind: String,
    },
}

/// A slash command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlashCommand {
    /// Who typed it.
    pub by: Person,
    /// Where: a channel's id.
    pub channel: String,
    /// Its name, for example `/belay`.
    pub command: String,
    /// What followed. Text from outside; may be empty.
    pub text: String,
    /// The command itself (`trigger_id`): the same one sent twice has the same.
    pub stamp: String,
}

/// A press of a button on one of our messages. Whether it may count is not known from this: the offer may be
/// answered, or over, or not for this person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Press {
    /// Who pressed it.
    pub by: Person,
    /// Where: a channel's id.
    pub channel: String,
    /// The message, by its `ts`.
    pub message_ts: String,
    /// The offer's opaque id.
    pub offer: String,
    /// The button.
    pub choice: Choice,
    /// What stood in the box for the reason, at most 500 characters. Text from outside.
    pub why: Option<String>,
    /// The press itself (`action_ts`): the same press sent twice has the same.
    pub stamp: String,
}

/// Reads a request's body. Call it for what is verified only.
///
/// # Errors
///
/// [`ChatRefusal`]: a content type that is neither, a body that is not what its content type says, or a field that
/// must be there and is not, or is not as it must be.
pub fn chat(content_type: Option<&str>, body: &[u8]) -> Result<ChatRequest, ChatRefusal> {
    let media = content_type.and_then(|value| value.split(';').next()).map_or("", str::trim);
    if media.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        form(&Form::read(body)?)
    } else if media.eq_ignore_ascii_case("application/json") {
        let body = str::from_utf8(body).map_err(|_| ChatRefusal::malformed("body", "JSON"))?;
        json("body", body).and_then(|value| event(&Part::whole(&value)))
    } else {
        Err(ChatRefusal::Unsupported)
    }
}

fn json(path: &str, text: &str) -> Result<Value, ChatRefusal> {
    serde_json::from_str(text).map_err(|_| ChatRefusal::malformed(path, "JSON"))
}

/// A form's fields, as far as they are read.
struct Form(Vec<(&'static str, String)>);

impl Form {
    const FIELDS: [&'static str; 8] =
        ["ssl_check", "payload", "command", "text", "team_id", "user_id", "channel_id", "trigger_id"];

    /// A field that is there twice is refused: who checks one must not be answered by the other.
    fn read(body: &[u8]) -> Result<Self, ChatRefusal> {
        let mut fields: Vec<(&'static str, String)> = Vec::new();
        for (name, value) in form_urlencoded::parse(body) {
            let Some(known) = Self::FIELDS.into_iter().find(|known| *known == name) else { continue };
            if fields.iter().any(|(own, _)| *own == known) {
                return Err(ChatRefusal::malformed(known, "this field once"));
            }
            fields.push((known, value.into_owned()));
        }
        Ok(Self(fields))
    }

    fn get(&self, name: &'static str) -> Option<&str> {
        self.0.iter().find(|(own, _)| *own == name).map(|(_, value)| value.as_str())
    }

    fn id(&self, name: &'static str) -> Result<String, ChatRefusal> {
        let value = self.get(name).filter(|value| is_id(value));
        value.map(str::to_owned).ok_or_else(|| ChatRefusal::malformed(name, ID))
    }
}

fn form(form: &Form) -> Result<ChatRequest, ChatRefusal> {
    if form.get("ssl_check") == Some("1") {
        return Ok(ChatRequest::Probe);
    }
    if let Some(payload) = form.get("payload") {
        let value = json("payload", payload)?;
        return interaction(&Part { value: &value, path: "payload".to_owned() });
    }
    let command = form.get("command").filter(|command| !command.is_empty());
    let command = command.ok_or_else(|| ChatRefusal::malformed("command", "a slash command's name"))?;
    Ok(ChatRequest::Command(SlashCommand {
        by: Person { team: form.id("team_id")?, user: form.id("user_id")? },
        channel: form.id("channel_id")?,
        command: command.to_owned(),
        text: form.get("text").unwrap_or_default().to_owned(),
        stamp: form.get("trigger_id").filter(|stamp| is_stamp(stamp)).map(str::to_owned).ok_or_else(
            || ChatRefusal::malformed("trigger_id", "1 to 100 letters, digits, `.`, `_` or `-`"),
        )?,
    }))
}

fn is_stamp(text: &str) -> bool {
    (1..=100).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
}

/// The Events API. Only its check of the address is read: nothing is subscribed to.
fn event(whole: &Part<'_>) -> Result<ChatRequest, ChatRefusal> {
    #[derive(Deserialize)]
    #[serde(expecting = "an object")]
    struct Kind {
        r#type: Text,
    }
    #[derive(Deserialize)]
    #[serde(expecting = "an object")]
    struct Verification {
        challenge: Text,
    }
    let kind: Kind = whole.decode()?;
    if kind.r#type.0 != "url_verification" {
        return Ok(ChatRequest::Nothing { kind: shortened(&kind.r#type.0, NAME) });
    }
    let challenge = whole.decode::<Verification>()?.challenge.0;
    if challenge.len() > LONGEST_CHALLENGE {
        return Err(ChatRefusal::malformed("challenge", "at most 1,000 characters"));
    }
    Ok(ChatRequest::Challenge(challenge))
}

/// An interaction: a press, or something that we do not offer.
fn interaction(whole: &Part<'_>) -> Result<ChatRequest, ChatRefusal> {
    #[derive(Deserialize)]
    #[serde(expecting = "an object")]
    struct Kind {
        r#type: Text,
    }
    let kind = whole.decode::<Kind>()?.r#type.0;
    let nothing = || Ok(ChatRequest::Nothing { kind: shortened(&kind, NAME) });
    if kind != "block_actions" {
        return nothing();
    }
    let actions = whole.field("actions");
    let actions = actions.as_ref().and_then(|list| Some((list, list.value.as_array()?)));
    let (list, actions) = actions.ok_or_else(|| ChatRefusal::malformed("payload.actions", "a list"))?;
    let mut ours = actions.iter().enumerate().filter_map(|(index, action)| {
        let (choice, n) = button::choice(action.get("action_id")?.as_str()?)?;
        Some((list.item(index, action), choice, n))
    });
    // What is pressed beside, or typed into, another app's blocks is not ours to refuse.
    let Some((action, choice, n)) = ours.next() else { return nothing() };
    if ours.next().is_some() {
        return Err(ChatRefusal::malformed("payload.actions", "one press at a time"));
    }
    let pressed: Pressed = action.decode()?;
    let around: Around = whole.decode()?;
    let team = around.team.map(|team| team.id).or(around.user.team_id);
    let team = team.ok_or_else(|| ChatRefusal::malformed("payload.team.id", ID))?;
    let channel = around.channel.map(|channel| channel.id).or(around.container.channel_id);
    let channel = channel.ok_or_else(|| ChatRefusal::malformed("payload.channel.id", ID))?;
    Ok(ChatRequest::Press(Press {
        by: Person { team: team.0, user: around.user.id.0 },
        channel: channel.0,
        message_ts: around.container.message_ts.0,
        offer: pressed.value.0,
        choice,
        why: why(whole.value, n),
        stamp: pressed.action_ts.0,
    }))
}

/// The reason: from the pressed offer's own box, or else the first box with something in it.
///
/// A reason that cannot be read is none: an answer must not be lost over it.
fn why(payload: &Value, n: Option<usize>) -> Option<String> {
    let blocks = payload.get("state")?.get("values")?.as_object()?;
    let boxes = blocks.values().filter_map(Value::as_object).flatten();
    let filled: Vec<(&str, &str)> = boxes
        .filter(|(action_id, _)| button::is_why(action_id))
        .filter_map(|(action_id, state)| Some((action_id.as_str(), state.get("value")?.as_str()?.trim())))
        .filter(|(_, text)| !text.is_empty())
        .collect();
    let own = n.map(button::why);
    let found = filled.iter().find(|(action_id, _)| own.as_deref() == Some(*action_id)).or(filled.first());
    found.map(|(_, text)| text.chars().take(LONGEST_WHY).collect::<String>().trim_end().to_owned())
}

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct Pressed {
    value: OfferId,
    action_ts: Stamp,
}

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct Around {
    user: User,
    /// Null where an app is installed for a whole enterprise.
    team: Option<Named>,
    channel: Option<Named>,
    container: Container,
}

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct User {
    id: Id,
    team_id: Option<Id>,
}

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct Named {
    id: Id,
}

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct Container {
    message_ts: Stamp,
    channel_id: Option<Id>,
}

/// A team's, person's or channel's id.
struct Id(String);

fn is_id(text: &str) -> bool {
    (1..=32).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read(deserializer, ID, |text| is_id(text).then(|| Self(text.to_owned())))
    }
}

/// A message's or an action's timestamp, as text: it is a name, not a number.
struct Stamp(String);

impl<'de> Deserialize<'de> for Stamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let right = |text: &str| {
            (1..=32).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
        };
        read(deserializer, STAMP, |text| right(text).then(|| Self(text.to_owned())))
    }
}
