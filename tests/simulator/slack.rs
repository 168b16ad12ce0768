//! Slack, as the apps of one workspace see it: channels, the messages in them, and the Web API.
//!
//! `web_api` answers the methods, `blocks` holds messages against Block Kit's limits, `files` takes uploads,
//! `trouble` lets things go wrong, `people` presses buttons and types commands, `scripting` sets up and asks.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

mod blocks;
mod files;
mod people;
mod scripting;
mod trouble;
mod web_api;

pub use files::SlackFile;
pub use people::{Press, sign_slack};
pub use trouble::SlackFault;

use files::Upload;
use trouble::{Rates, Troubles};

/// The bot's user and bot id, and the app's id.
const BOT_USER: &str = "U0BOT00000";
const BOT: &str = "B0123456789";
const APP: &str = "A0123456789";

/// An app that is installed in a workspace. No `Debug`: it holds secrets.
#[derive(Clone)]
pub struct SlackApp {
    /// The bot token, `xoxb-…`: who bears it is the app.
    pub bot_token: String,
    /// With what Slack signs its requests to the app.
    pub signing_secret: String,
    /// The workspace, such as `T1DC2JH3J`.
    pub team: String,
}

/// What a channel is to the app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlackChannel {
    /// The bot is in it.
    Joined,
    /// It exists, without the bot.
    NotJoined,
    /// It is closed for ever.
    Archived,
}

/// One state of a message.
#[derive(Debug, Clone, PartialEq)]
pub struct SlackVersion {
    /// Since when it is so.
    pub at: Timestamp,
    /// The text for notifications.
    pub text: String,
    /// What people see of it, where there are any.
    pub blocks: Vec<Value>,
}

/// A message in a channel, as it is now.
#[derive(Debug, Clone, PartialEq)]
pub struct SlackMessage {
    /// The channel's id.
    pub channel: String,
    /// Its id in the channel, such as `1772719200.000100`.
    pub ts: String,
    /// The message under which it stands, if it is in a thread.
    pub thread_ts: Option<String>,
    /// Whether it is in a thread and shown in the channel as well.
    pub broadcast: bool,
    /// Who wrote it, if it was not the app.
    pub author: Option<String>,
    /// The text for notifications.
    pub text: String,
    /// What people see.
    pub blocks: Vec<Value>,
    /// When it was posted.
    pub at: Timestamp,
    /// How often it was updated.
    pub edits: usize,
    /// Every state it had, oldest first; the last one is how it is now.
    pub versions: Vec<SlackVersion>,
    /// The files in it.
    pub files: Vec<SlackFile>,
}

/// A message that one person sees and nobody else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlackWhisper {
    /// The channel's id.
    pub channel: String,
    /// Who sees it.
    pub user: String,
    /// What it says.
    pub text: String,
    /// When.
    pub at: Timestamp,
}

/// The state of the workspace.
#[derive(Default)]
pub(crate) struct Slack {
    app: Option<SlackApp>,
    channels: BTreeMap<String, SlackChannel>,
    /// Oldest first, of all channels.
    messages: Vec<SlackMessage>,
    whispers: Vec<SlackWhisper>,
    uploads: BTreeMap<String, Upload>,
    troubles: Troubles,
    rates: Rates,
    /// The channel's last `ts`: seconds, and microseconds.
    stamps: BTreeMap<String, (i64, u32)>,
    /// Requests that people made, for ids that differ.
    requests: u64,
}

impl Slack {
    /// A channel's next `ts`, from the virtual clock: a name that only looks like a time, unique in its channel.
    fn next_ts(&mut self, channel: &str, now: Timestamp) -> String {
        let seconds = now.as_second();
        let micros = match self.stamps.get(channel) {
            Some((last, micros)) if *last == seconds => micros + 100,
            Some(_) | None => 100,
        };
        self.stamps.insert(channel.to_owned(), (seconds, micros));
        format!("{seconds}.{micros:06}")
    }

    fn message(&self, channel: &str, ts: &str) -> Option<&SlackMessage> {
        self.messages.iter().find(|message| message.channel == channel && message.ts == ts)
    }

    fn team(&self) -> &str {
        self.app.as_ref().map_or("", |app| app.team.as_str())
    }

    /// A message in Slack's own field names.
    fn shown(&self, message: &SlackMessage) -> Value {
        let mut shown = json!({
            "type": "message",
            "text": message.text,
            "user": message.author.as_deref().unwrap_or(BOT_USER),
            "ts": message.ts,
            "team": self.team(),
            "blocks": message.blocks,
        });
        if message.author.is_none() {
            shown["bot_id"] = json!(BOT);
        }
        if let Some(thread) = &message.thread_ts {
            shown["thread_ts"] = json!(thread);
        }
        if message.edits > 0 {
            let last = message.versions.last().expect("a message has a version");
            let user = shown["user"].clone();
            shown["edited"] = json!({ "user": user, "ts": format!("{}.000000", last.at.as_second()) });
        }
        shown
    }
}
