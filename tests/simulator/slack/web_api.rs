//! The Web API: who asks, in which form, and the methods on messages. Errors are words in an HTTP 200 (Slack's
//! developer site, the methods' pages).

use serde_json::{Map, Value, json};

use super::blocks::{self, Rejected};
use super::{SlackChannel, SlackMessage, SlackVersion, SlackWhisper};
use crate::chat::{ChatAnswer, ChatCall, Trouble};
use crate::timeline::{ChatAct, What};
use crate::wire::Reply;
use crate::world::World;

/// The longest text, in characters. Slack names 4,000 for updates; new messages are cut at 40,000 there, and
/// messages observed to fall apart from about 4,040 on. Refused here for both, so that nobody finds out in
/// production.
const TEXT: usize = 4000;

/// Why a method did nothing.
pub(super) enum No {
    Word(&'static str),
    /// A word, and what is wrong where.
    Because(&'static str, Vec<String>),
    RateLimited(u64),
    /// The simulator does not know.
    NotModelled(String),
}

impl From<Rejected> for No {
    fn from(rejected: Rejected) -> Self {
        Self::Because(rejected.word, rejected.why)
    }
}

pub(super) type Done = Result<Value, No>;

/// A call with its arguments.
pub(super) struct Arguments {
    pub(super) values: Value,
    pub(super) are_json: bool,
}

impl Arguments {
    /// Reads the body by its content type (Slack's developer site, "Using the Slack Web API").
    fn read(call: &ChatCall) -> Result<Self, No> {
        let kind = call.content_type.as_deref().ok_or(No::Word("missing_post_type"))?;
        match kind.split(';').next().unwrap_or_default().trim() {
            "application/json" => {
                let values: Value =
                    serde_json::from_slice(&call.body).map_err(|_| No::Word("invalid_json"))?;
                if !values.is_object() {
                    return Err(No::Word("json_not_object"));
                }
                Ok(Self { values, are_json: true })
            }
            "application/x-www-form-urlencoded" => {
                let mut values = Map::new();
                for (name, value) in form_urlencoded::parse(&call.body) {
                    let parsed = match name.as_ref() {
                        // Lists, objects and flags travel as JSON in a form.
                        "blocks" | "files" | "metadata" | "reply_broadcast" | "unfurl_links"
                        | "unfurl_media" | "length" => serde_json::from_str(&value)
                            .map_err(|_| No::Because("invalid_arguments", vec![name.to_string()]))?,
                        _ => json!(value),
                    };
                    values.insert(name.into_owned(), parsed);
                }
                Ok(Self { values: Value::Object(values), are_json: false })
            }
            _ => Err(No::Word("invalid_post_type")),
        }
    }

    /// An argument that is text; an empty one is none.
    pub(super) fn text(&self, name: &str) -> Result<Option<&str>, No> {
        match &self.values[name] {
            Value::Null => Ok(None),
            Value::String(text) => Ok(Some(text.as_str()).filter(|text| !text.is_empty())),
            _ => Err(No::Because("invalid_arguments", vec![format!("{name} must be a string")])),
        }
    }

    pub(super) fn required(&self, name: &str) -> Result<&str, No> {
        let missing = || No::Because("invalid_arguments", vec![format!("missing required field: {name}")]);
        self.text(name)?.ok_or_else(missing)
    }

    /// Refuses arguments that the simulator does not know.
    pub(super) fn only(&self, known: &[&str]) -> Result<(), No> {
        let mut names = self.values.as_object().into_iter().flatten().map(|(name, _)| name);
        match names.find(|name| !known.contains(&name.as_str())) {
            None => Ok(()),
            Some(name) => Err(No::NotModelled(name.clone())),
        }
    }
}

impl World {
    /// Answers a call, or lets the trouble answer it.
    pub(crate) fn slack(&mut self, call: &ChatCall, trouble: Option<&Trouble>) -> ChatAnswer {
        if let Some(trouble) = trouble {
            let input = Arguments::read(call).map(|arguments| arguments.values).unwrap_or_default();
            return ChatAnswer { reply: troubled(trouble), input, outcome: Err(trouble.name().to_owned()) };
        }
        if let Some(file) = &call.file {
            return self.slack_upload(file, &call.body);
        }
        let read = self.slack_lets_in(call).and_then(|()| Arguments::read(call));
        let (input, done) = match read {
            Ok(arguments) => {
                let done = self.slack_method(call, &arguments);
                (arguments.values, done)
            }
            Err(no) => (Value::Null, Err(no)),
        };
        let (reply, outcome) = match done {
            Ok(mut answer) => {
                answer["ok"] = json!(true);
                (json_reply(200, &answer), Ok(()))
            }
            Err(No::RateLimited(seconds)) => {
                let trouble = Trouble::RateLimited { seconds };
                (troubled(&trouble), Err(trouble.name().to_owned()))
            }
            Err(No::Word(word)) => (said(word, &[]), Err(word.to_owned())),
            Err(No::Because(word, why)) => (said(word, &why), Err(word.to_owned())),
            Err(No::NotModelled(what)) => {
                let name = format!("Slack {} {what}", call.operation);
                self.unmodelled.push(name.trim_end().to_owned());
                (said("unknown_method", &[what]), Err("NotModelled".to_owned()))
            }
        };
        ChatAnswer { reply, input, outcome }
    }

    fn slack_lets_in(&self, call: &ChatCall) -> Result<(), No> {
        let token = call.authorization.as_deref().and_then(|header| header.strip_prefix("Bearer "));
        match (token, &self.slack.app) {
            (None, _) => Err(No::Word("not_authed")),
            (Some(token), Some(app)) if token == app.bot_token => Ok(()),
            (Some(_), _) => Err(No::Word("invalid_auth")),
        }
    }

    fn slack_method(&mut self, call: &ChatCall, arguments: &Arguments) -> Done {
        match call.operation.as_str() {
            "chat.postMessage" => self.post_message(arguments),
            "chat.update" => self.update_message(arguments),
            "chat.postEphemeral" => self.post_ephemeral(arguments),
            "files.getUploadURLExternal" => self.get_upload_url(call, arguments),
            "files.completeUploadExternal" => self.complete_upload(arguments),
            _ => Err(No::NotModelled(String::new())),
        }
    }

    /// A channel that the app may write to.
    pub(super) fn slack_place(&self, id: &str) -> Result<(), No> {
        match self.slack.channels.get(id) {
            Some(SlackChannel::Joined) => Ok(()),
            Some(SlackChannel::NotJoined) => Err(No::Word("not_in_channel")),
            Some(SlackChannel::Archived) => Err(No::Word("is_archived")),
            None => Err(No::Word("channel_not_found")),
        }
    }

    /// The thread, which must be a message of the channel and no reply itself.
    pub(super) fn slack_thread(&self, channel: &str, ts: Option<&str>) -> Result<Option<String>, No> {
        let Some(ts) = ts else { return Ok(None) };
        match self.slack.message(channel, ts) {
            Some(parent) if parent.thread_ts.is_none() => Ok(Some(ts.to_owned())),
            Some(_) | None => Err(No::Word("thread_not_found")),
        }
    }

    /// Text and blocks: one of them must be there.
    fn slack_content(&self, arguments: &Arguments) -> Result<(String, Vec<Value>), No> {
        let text = arguments.text("text")?.unwrap_or_default();
        let blocks = match &arguments.values["blocks"] {
            Value::Null => Vec::new(),
            blocks => blocks::check(blocks, &|file| self.slack.is_file(file))?,
        };
        if text.is_empty() && blocks.is_empty() {
            return Err(No::Word("no_text"));
        }
        if text.chars().count() > TEXT {
            return Err(No::Word("msg_too_long"));
        }
        Ok((text.to_owned(), blocks))
    }

    fn post_message(&mut self, arguments: &Arguments) -> Done {
        arguments.only(&[
            "channel",
            "text",
            "blocks",
            "thread_ts",
            "reply_broadcast",
            "unfurl_links",
            "unfurl_media",
            "metadata",
        ])?;
        let channel = arguments.required("channel")?;
        self.slack_place(channel)?;
        let (text, blocks) = self.slack_content(arguments)?;
        let thread_ts = self.slack_thread(channel, arguments.text("thread_ts")?)?;
        let now = self.now;
        self.slack.rates.post(channel, now).map_err(No::RateLimited)?;
        let broadcast = thread_ts.is_some() && arguments.values["reply_broadcast"] == true;
        let message = SlackMessage {
            channel: channel.to_owned(),
            ts: self.slack.next_ts(channel, now),
            thread_ts,
            broadcast,
            author: None,
            versions: vec![SlackVersion { at: now, text: text.clone(), blocks: blocks.clone() }],
            text,
            blocks,
            at: now,
            edits: 0,
            files: Vec::new(),
        };
        let shown = self.slack.shown(&message);
        let answer = json!({ "channel": channel, "ts": message.ts, "message": shown });
        let act = if message.thread_ts.is_some() { ChatAct::Replied } else { ChatAct::Posted };
        self.slack_happened(act, &message);
        self.slack.messages.push(message);
        Ok(answer)
    }

    fn update_message(&mut self, arguments: &Arguments) -> Done {
        arguments.only(&["channel", "ts", "text", "blocks", "metadata", "reply_broadcast"])?;
        // What becomes of the part that is left out depends on the call (chatops.md): nobody should rely on it.
        for part in ["text", "blocks"] {
            if arguments.values[part].is_null() {
                return Err(No::NotModelled(format!("without {part}")));
            }
        }
        let (channel, ts) = (arguments.required("channel")?, arguments.required("ts")?);
        self.slack_place(channel)?;
        let found = self.slack.message(channel, ts).ok_or(No::Word("message_not_found"))?;
        if found.author.is_some() {
            return Err(No::Word("cant_update_message"));
        }
        let (text, blocks) = self.slack_content(arguments)?;
        let now = self.now;
        self.slack.rates.update(now).map_err(No::RateLimited)?;
        let same = |message: &&mut SlackMessage| message.channel == channel && message.ts == ts;
        let message = self.slack.messages.iter_mut().find(same).ok_or(No::Word("message_not_found"))?;
        message.versions.push(SlackVersion { at: now, text: text.clone(), blocks: blocks.clone() });
        message.edits += 1;
        (message.text, message.blocks) = (text, blocks);
        let message = message.clone();
        let shown = self.slack.shown(&message);
        self.slack_happened(ChatAct::Updated, &message);
        Ok(json!({ "channel": channel, "ts": ts, "text": message.text, "message": shown }))
    }

    fn post_ephemeral(&mut self, arguments: &Arguments) -> Done {
        arguments.only(&["channel", "user", "text", "blocks", "thread_ts"])?;
        let (channel, user) = (arguments.required("channel")?, arguments.required("user")?);
        self.slack_place(channel)?;
        let (text, blocks) = self.slack_content(arguments)?;
        self.slack_thread(channel, arguments.text("thread_ts")?)?;
        let now = self.now;
        let ts = self.slack.next_ts(channel, now);
        self.happened(What::Chat {
            service: crate::Service::Slack,
            act: ChatAct::Whispered,
            place: channel.to_owned(),
            name: Some(ts.clone()),
            text: text.clone(),
            body: Value::Array(blocks),
        });
        let whisper = SlackWhisper { channel: channel.to_owned(), user: user.to_owned(), text, at: now };
        self.slack.whispers.push(whisper);
        Ok(json!({ "message_ts": ts }))
    }

    pub(super) fn slack_happened(&mut self, act: ChatAct, message: &SlackMessage) {
        self.happened(What::Chat {
            service: crate::Service::Slack,
            act,
            place: message.channel.clone(),
            name: Some(message.ts.clone()),
            text: message.text.clone(),
            body: Value::Array(message.blocks.clone()),
        });
    }
}

fn json_reply(status: u16, answer: &Value) -> Reply {
    let headers = vec![("content-type", "application/json; charset=utf-8".to_owned())];
    Reply { status, headers, body: answer.to_string().into_bytes() }
}

fn said(word: &str, why: &[String]) -> Reply {
    let mut answer = json!({ "ok": false, "error": word });
    if !why.is_empty() {
        answer["response_metadata"] = json!({ "messages": why });
    }
    json_reply(200, &answer)
}

pub(super) fn troubled(trouble: &Trouble) -> Reply {
    match trouble {
        Trouble::RateLimited { seconds } => {
            let mut reply = json_reply(429, &json!({ "ok": false, "error": "ratelimited" }));
            reply.headers.push(("retry-after", seconds.to_string()));
            reply
        }
        Trouble::ServerError => Reply {
            status: 503,
            headers: vec![("content-type", "text/html".to_owned())],
            body: b"<html>Service Unavailable</html>".to_vec(),
        },
        Trouble::Said(word) => said(word, &[]),
    }
}
