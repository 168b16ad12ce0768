//! What a script may set up and ask of Slack.

use super::{SlackApp, SlackChannel, SlackFault, SlackMessage, SlackVersion, SlackWhisper};
use crate::simulator::Simulator;

impl Simulator {
    /// Installs the app: from now on its bot token is valid, and people's requests are signed for it. The Web
    /// API is at `{endpoint}/slack/api/<method>`.
    pub fn install_slack(&self, app: SlackApp) {
        self.world().slack.app = Some(app);
    }

    /// Adds a channel, or changes what it is to the app.
    pub fn slack_channel(&self, id: &str, channel: SlackChannel) {
        self.world().slack.channels.insert(id.to_owned(), channel);
    }

    /// Lets the next calls of a method go wrong, so many times; `*` stands for all methods, and `upload` for the
    /// upload of a file.
    pub fn slack_fault(&self, method: &str, fault: SlackFault, times: u32) {
        self.world().slack.troubles.add(method, fault, times);
    }

    /// Whether Slack is down: every call is answered with HTTP 503, and nothing happens.
    pub fn slack_down(&self, is_down: bool) {
        self.world().slack.troubles.is_down = is_down;
    }

    /// Whether Slack enforces its rates by the virtual clock: about a message a second and channel with bursts of
    /// five, and fifty updates a minute.
    pub fn slack_enforces_rates(&self, are_enforced: bool) {
        self.world().slack.rates.are_enforced = are_enforced;
    }

    /// Everything in a channel as it is now, oldest first; replies are among it.
    pub fn slack_messages(&self, channel: &str) -> Vec<SlackMessage> {
        let world = self.world();
        world.slack.messages.iter().filter(|message| message.channel == channel).cloned().collect()
    }

    /// Everything that was shown to one person only, oldest first.
    pub fn slack_whispers(&self) -> Vec<SlackWhisper> {
        self.world().slack.whispers.clone()
    }

    /// Lets a person write a message; the answer is its `ts`.
    pub fn slack_says(&self, user: &str, channel: &str, text: &str) -> String {
        let mut world = self.world();
        let now = world.now;
        let ts = world.slack.next_ts(channel, now);
        world.slack.messages.push(SlackMessage {
            channel: channel.to_owned(),
            ts: ts.clone(),
            thread_ts: None,
            broadcast: false,
            author: Some(user.to_owned()),
            text: text.to_owned(),
            blocks: Vec::new(),
            at: now,
            edits: 0,
            versions: vec![SlackVersion { at: now, text: text.to_owned(), blocks: Vec::new() }],
            files: Vec::new(),
        });
        ts
    }
}
