//! What Slack's and Teams' checks share: requests by hand, and a workspace.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::thursday;
use crate::{Simulator, SlackApp, SlackChannel};

pub(super) const CHANNEL: &str = "C0RELEASES";
pub(super) const TOKEN: &str = "xoxb-1-not-a-real-token";
pub(super) const SECRET: &str = "8f742231b10e8888abcd99yyyzzz85a5";

pub(super) const JSON: &str = "application/json; charset=utf-8";
pub(super) const FORM: &str = "application/x-www-form-urlencoded";

/// An HTTP answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: String,
}

impl Answer {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// Posts to an address of the simulator's; `None` when the connection is cut.
pub(super) async fn post(url: &str, headers: &[(&str, &str)], body: &[u8]) -> Option<Answer> {
    let (host, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut request = format!("POST /{path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n");
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
    let mut stream = TcpStream::connect(host).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    stream.write_all(body).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Some(Answer { status, head: head.to_owned(), body: body.to_owned() })
}

/// A workspace with the app and three channels.
pub(super) async fn workspace() -> Simulator {
    let simulator = Simulator::start(thursday()).await;
    simulator.install_slack(SlackApp {
        bot_token: TOKEN.to_owned(),
        signing_secret: SECRET.to_owned(),
        team: "T1DC2JH3J".to_owned(),
    });
    simulator.slack_channel(CHANNEL, SlackChannel::Joined);
    simulator.slack_channel("C0ELSEWHERE", SlackChannel::NotJoined);
    simulator.slack_channel("C0OLD", SlackChannel::Archived);
    simulator
}

/// Calls a method at this endpoint; `None` when the connection is cut.
pub(super) async fn call_at(endpoint: &str, method: &str, body: &Value) -> Option<Answer> {
    let bearer = format!("Bearer {TOKEN}");
    let headers = [("authorization", bearer.as_str()), ("content-type", JSON)];
    post(&format!("{endpoint}/slack/api/{method}"), &headers, body.to_string().as_bytes()).await
}

pub(super) async fn call(simulator: &Simulator, method: &str, body: &Value) -> Value {
    let answer = call_at(&simulator.endpoint(), method, body).await.unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

/// The word with which a call is refused.
pub(super) async fn word(simulator: &Simulator, method: &str, body: &Value) -> String {
    let answer = call(simulator, method, body).await;
    assert_eq!(answer["ok"], false, "{answer}");
    answer["error"].as_str().unwrap().to_owned()
}

pub(super) async fn say(simulator: &Simulator, text: &str) -> Value {
    call(simulator, "chat.postMessage", &json!({ "channel": CHANNEL, "text": text })).await
}

/// A message with two buttons and a text box.
pub(super) async fn ask(simulator: &Simulator) -> String {
    let plain = |text: &str| json!({ "type": "plain_text", "text": text });
    let blocks = json!([
        { "type": "section", "text": { "type": "mrkdwn", "text": "*orders* v42" } },
        {
            "type": "input", "block_id": "reason", "optional": true, "label": plain("Why"),
            "element": { "type": "plain_text_input", "action_id": "why", "placeholder": plain("Because") },
        },
        { "type": "actions", "block_id": "decision", "elements": [
            {
                "type": "button", "action_id": "roll_back:1", "text": plain("Roll back"),
                "value": "offer-1", "style": "danger",
            },
            { "type": "button", "action_id": "keep:1", "text": plain("Keep"), "value": "offer-1" },
        ] },
    ]);
    let body = json!({ "channel": CHANNEL, "text": "orders v42", "blocks": blocks });
    let answer = call(simulator, "chat.postMessage", &body).await;
    assert_eq!(answer["ok"], true, "{answer}");
    answer["ts"].as_str().unwrap().to_owned()
}
