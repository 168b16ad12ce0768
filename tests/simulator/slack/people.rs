//! People: what Slack sends to the app's address when somebody presses a button or types a command, signed.

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use sha2::Sha256;

use super::{APP, Slack, SlackApp, SlackMessage};
use crate::function_url;
use crate::simulator::Simulator;

/// The old verification token, which proves nothing.
const OLD_TOKEN: &str = "xyzz0WbapA4vBCDEFasx0q6G";
const DOMAIN: &str = "testteamnow";

/// Somebody presses a button.
#[derive(Debug, Clone, Copy)]
pub struct Press<'a> {
    /// Who, such as `U2CERLKJA`.
    pub user: &'a str,
    /// The channel of the message.
    pub channel: &'a str,
    /// The message's `ts`.
    pub ts: &'a str,
    /// The button's `action_id`, or the text on it.
    pub action: &'a str,
    /// What they typed into the message's first text box before.
    pub why: Option<&'a str>,
}

/// `v0=` and the HMAC-SHA256 of `v0:<timestamp>:<body>` in lower-case hexadecimal (Slack's developer site,
/// "Verifying requests from Slack"). The timestamp is in seconds since 1970, the body the raw bytes.
pub fn sign_slack(secret: &str, timestamp: i64, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes a key of any length");
    mac.update(format!("v0:{timestamp}:").as_bytes());
    mac.update(body);
    format!("v0={}", hex::encode(mac.finalize().into_bytes()))
}

impl Simulator {
    /// What the app's function URL gets when somebody presses a button: a signed function URL event, made from the
    /// message as it is now. An error if there is no such message or button, or more than one.
    pub fn slack_press(&self, press: Press<'_>) -> Result<Vec<u8>, String> {
        let mut world = self.world();
        let now = world.now;
        let slack = &mut world.slack;
        slack.requests += 1;
        let message = slack
            .message(press.channel, press.ts)
            .ok_or_else(|| format!("no message {} is in {}", press.ts, press.channel))?;
        let (block_id, button) = button(message, press.action)?;
        let payload = slack.interaction(&press, message, &block_id, &button, now);
        let body = form(&[("payload", payload.to_string())]);
        Ok(slack.signed(&body, now))
    }

    /// What the app's function URL gets when somebody types `/belay` and this text: a signed function URL event.
    pub fn slack_command(&self, user: &str, channel: &str, text: &str) -> Vec<u8> {
        let mut world = self.world();
        let now = world.now;
        let slack = &mut world.slack;
        slack.requests += 1;
        let fields = [
            ("token", OLD_TOKEN.to_owned()),
            ("team_id", slack.app().team.clone()),
            ("team_domain", DOMAIN.to_owned()),
            ("channel_id", channel.to_owned()),
            ("channel_name", channel.to_lowercase()),
            ("user_id", user.to_owned()),
            ("user_name", user.to_lowercase()),
            ("command", "/belay".to_owned()),
            ("text", text.to_owned()),
            ("api_app_id", APP.to_owned()),
            ("is_enterprise_install", "false".to_owned()),
            ("response_url", slack.response_url("commands")),
            ("trigger_id", slack.trigger_id()),
        ];
        slack.signed(&form(&fields), now)
    }
}

impl Slack {
    fn app(&self) -> &SlackApp {
        self.app.as_ref().expect("install_slack comes before people do something")
    }

    fn response_url(&self, kind: &str) -> String {
        format!(
            "https://hooks.slack.com/{kind}/{}/{:012}/96rGlfmibIGlgcZRskXaIFfN",
            self.team(),
            self.requests
        )
    }

    fn trigger_id(&self) -> String {
        format!("{:012}.47445629121.803a0bc887a14d10d2c447fce8b6703c", self.requests)
    }

    fn signed(&self, body: &[u8], now: Timestamp) -> Vec<u8> {
        let timestamp = now.as_second();
        let headers = [
            ("content-type", "application/x-www-form-urlencoded".to_owned()),
            ("x-slack-request-timestamp", timestamp.to_string()),
            ("x-slack-signature", sign_slack(&self.app().signing_secret, timestamp, body)),
        ];
        let request_id = format!("e1506fd5-9e7b-434f-bd42-{:012}", self.requests);
        function_url::event(now, &request_id, &headers, body)
    }

    /// The payload of `block_actions`, as in the sample (bolt-python's and the Java SDK's tests).
    fn interaction(
        &self,
        press: &Press<'_>,
        message: &SlackMessage,
        block_id: &str,
        button: &Value,
        now: Timestamp,
    ) -> Value {
        let name = press.user.to_lowercase();
        let team = self.team();
        let mut action = json!({
            "block_id": block_id,
            "type": "button",
            "action_ts": format!("{}.{:06}", now.as_second(), self.requests % 1_000_000),
        });
        for member in ["action_id", "text", "value", "style", "url"] {
            if !button[member].is_null() {
                action[member] = button[member].clone();
            }
        }
        let mut container = json!({
            "type": "message",
            "message_ts": message.ts,
            "channel_id": message.channel,
            "is_ephemeral": false,
        });
        if let Some(thread) = &message.thread_ts {
            container["thread_ts"] = json!(thread);
        }
        json!({
            "type": "block_actions",
            "user": { "id": press.user, "username": name, "name": name, "team_id": team },
            "api_app_id": APP,
            "token": OLD_TOKEN,
            "container": container,
            "trigger_id": self.trigger_id(),
            "team": { "id": team, "domain": DOMAIN },
            "enterprise": null,
            "is_enterprise_install": false,
            "channel": { "id": message.channel, "name": message.channel.to_lowercase() },
            "message": self.shown(message),
            "state": { "values": typed(message, press.why) },
            "response_url": self.response_url("actions"),
            "actions": [action],
        })
    }
}

fn form(fields: &[(&str, String)]) -> Vec<u8> {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish().into_bytes()
}

/// A block's id, or the one that Slack would have given it.
fn block_id(block: &Value, index: usize) -> String {
    block["block_id"].as_str().map_or_else(|| format!("auto{index}"), str::to_owned)
}

/// The one button with this `action_id`, else the one with this text, and its block's id.
fn button(message: &SlackMessage, action: &str) -> Result<(String, Value), String> {
    let mut buttons = Vec::new();
    for (index, block) in message.blocks.iter().enumerate() {
        let elements = block["elements"].as_array().map(Vec::as_slice).unwrap_or_default();
        for element in elements.iter().chain([&block["accessory"]]) {
            if element["type"] == "button" {
                buttons.push((block_id(block, index), element.clone()));
            }
        }
    }
    let by = |wanted: &dyn Fn(&Value) -> bool| -> Vec<&(String, Value)> {
        buttons.iter().filter(|(_, button)| wanted(button)).collect()
    };
    let mut found = by(&|button| button["action_id"] == action);
    if found.is_empty() {
        found = by(&|button| button["text"]["text"] == action);
    }
    match found.as_slice() {
        [one] => Ok((*one).clone()),
        [] => Err(format!("no button {action:?} is in the message {}", message.ts)),
        [_, _, ..] => Err(format!("more than one button says {action:?} in the message {}", message.ts)),
    }
}

/// `state.values`: every text box of the message, the first with what was typed, the others untouched.
fn typed(message: &SlackMessage, why: Option<&str>) -> Value {
    let mut values = Map::new();
    let mut why = why;
    for (index, block) in message.blocks.iter().enumerate() {
        let element = &block["element"];
        if element["type"] == "plain_text_input" {
            let initial = element["initial_value"].as_str();
            let value = why.take().or(initial);
            let action = element["action_id"].as_str().unwrap_or("auto");
            let typed = json!({ "type": "plain_text_input", "value": value });
            values.insert(block_id(block, index), json!({ action: typed }));
        }
    }
    Value::Object(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The public test vector of Slack's developer site.
    #[test]
    fn a_signature_is_slacks() {
        let body = b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
        let secret = "8f742231b10e8888abcd99yyyzzz85a5";
        assert_eq!(
            sign_slack(secret, 1_531_420_618, body),
            "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
        );
        assert_ne!(sign_slack(secret, 1_531_420_619, body), sign_slack(secret, 1_531_420_618, body));
    }
}
