//! Slack's messages: posted, answered, changed, whispered; who may, and what blocks may hold.

use std::time::Duration;

use serde_json::{Value, json};

use super::chats::{CHANNEL, FORM, JSON, TOKEN, ask, call, call_at, post, say, word, workspace};
use super::{key_paths, thursday};
use crate::{ChatAct, Service, What};

#[tokio::test]
async fn a_message_is_posted_answered_and_changed() {
    let simulator = workspace().await;
    let sample: Value =
        serde_json::from_str(include_str!("samples/slack-post-message-response.json")).unwrap();
    let mut request: Value =
        serde_json::from_str(include_str!("samples/slack-post-message-request.json")).unwrap();
    request["channel"] = json!(CHANNEL);
    let first = call(&simulator, "chat.postMessage", &request).await;
    let mut shown = first.clone();
    shown["message"].as_object_mut().unwrap().remove("blocks");
    assert_eq!(key_paths(&shown), key_paths(&sample));
    assert_eq!(first["ts"], "1772719200.000100");
    let thread =
        json!({ "channel": CHANNEL, "text": "why", "thread_ts": first["ts"], "reply_broadcast": true });
    let reply = call(&simulator, "chat.postMessage", &thread).await;
    assert_eq!(reply["ts"], "1772719200.000200");
    simulator.advance(Duration::from_secs(60)).await;
    let blocks = json!([{ "type": "divider" }]);
    let update = json!({ "channel": CHANNEL, "ts": first["ts"], "text": "over", "blocks": blocks });
    let updated = call(&simulator, "chat.update", &update).await;
    assert_eq!((&updated["ts"], &updated["text"]), (&first["ts"], &json!("over")));
    let messages = simulator.slack_messages(CHANNEL);
    assert_eq!(messages.len(), 2);
    assert_eq!((messages[0].text.as_str(), messages[0].edits, messages[0].at), ("over", 1, thursday()));
    assert_eq!(Value::Array(messages[0].blocks.clone()), blocks);
    let lives: Vec<_> =
        messages[0].versions.iter().map(|version| (version.at, version.blocks.len())).collect();
    assert_eq!(lives, [(thursday(), 4), (thursday() + Duration::from_secs(60), 1)]);
    assert_eq!(messages[1].thread_ts.as_deref(), first["ts"].as_str());
    assert!(messages[1].broadcast && !messages[0].broadcast);
    let whisper = json!({ "channel": CHANNEL, "user": "U1", "text": "not you" });
    assert_eq!(call(&simulator, "chat.postEphemeral", &whisper).await["ok"], true);
    let whispers = simulator.slack_whispers();
    assert_eq!((whispers[0].user.as_str(), whispers[0].text.as_str()), ("U1", "not you"));
    assert_eq!(simulator.slack_messages(CHANNEL).len(), 2);
    let acts: Vec<_> = simulator
        .timeline()
        .into_iter()
        .filter_map(|one| match one.what {
            What::Chat { act, text, .. } => Some((act, text)),
            _ => None,
        })
        .collect();
    assert_eq!(acts.len(), 4);
    assert_eq!(acts[1], (ChatAct::Replied, "why".to_owned()));
    assert_eq!(acts[2], (ChatAct::Updated, "over".to_owned()));
    assert_eq!(acts[3].0, ChatAct::Whispered);
    assert_eq!(simulator.effects("chat.update"), [update]);
    assert!(!format!("{:?}", simulator.timeline()).contains(TOKEN));
    simulator.assert_all_modelled();
}

#[tokio::test]
async fn who_may_not_is_told_so_in_slacks_words() {
    let simulator = workspace().await;
    let url = format!("{}/slack/api/chat.postMessage", simulator.endpoint());
    let body = json!({ "channel": CHANNEL, "text": "m" }).to_string();
    let bearer = format!("Bearer {TOKEN}");
    for (headers, expected) in [
        (vec![("content-type", JSON)], "not_authed"),
        (vec![("content-type", JSON), ("authorization", "Bearer xoxb-other")], "invalid_auth"),
        (vec![("authorization", bearer.as_str())], "missing_post_type"),
        (vec![("authorization", bearer.as_str()), ("content-type", "text/plain")], "invalid_post_type"),
    ] {
        let answer = post(&url, &headers, body.as_bytes()).await.unwrap();
        assert_eq!((answer.status, answer.json()["error"].as_str()), (200, Some(expected)));
    }
    let headers = [("authorization", bearer.as_str()), ("content-type", JSON)];
    assert_eq!(post(&url, &headers, b"{").await.unwrap().json()["error"], "invalid_json");
    let headers = [("authorization", bearer.as_str()), ("content-type", FORM)];
    let form = format!("channel={CHANNEL}&text=a%20form&blocks=%5B%7B%22type%22%3A%22divider%22%7D%5D");
    assert_eq!(post(&url, &headers, form.as_bytes()).await.unwrap().json()["ok"], true);
    let ts = simulator.slack_messages(CHANNEL)[0].ts.clone();
    let theirs = simulator.slack_says("U1", CHANNEL, "hello");
    let post = "chat.postMessage";
    let long = "x".repeat(4001);
    let blocks = json!([{ "type": "divider" }]);
    for (method, body, expected) in [
        (post, json!({ "channel": "C0NONE", "text": "m" }), "channel_not_found"),
        (post, json!({ "channel": "C0ELSEWHERE", "text": "m" }), "not_in_channel"),
        (post, json!({ "channel": "C0OLD", "text": "m" }), "is_archived"),
        (post, json!({ "channel": CHANNEL }), "no_text"),
        (post, json!({ "channel": CHANNEL, "text": long }), "msg_too_long"),
        (post, json!({ "channel": CHANNEL, "text": "m", "thread_ts": "1.000100" }), "thread_not_found"),
        (post, json!({ "text": "m" }), "invalid_arguments"),
        (
            "chat.update",
            json!({ "channel": CHANNEL, "ts": "1.000100", "text": "m", "blocks": blocks }),
            "message_not_found",
        ),
        (
            "chat.update",
            json!({ "channel": CHANNEL, "ts": theirs, "text": "m", "blocks": blocks }),
            "cant_update_message",
        ),
        ("chat.postEphemeral", json!({ "channel": CHANNEL, "text": "m" }), "invalid_arguments"),
    ] {
        assert_eq!(word(&simulator, method, &body).await, expected, "{method} {body}");
    }
    assert_eq!(simulator.slack_messages(CHANNEL).len(), 2);
    assert_eq!(simulator.slack_messages(CHANNEL)[0].edits, 0);
    simulator.assert_all_modelled();
    assert_eq!(
        word(&simulator, "chat.delete", &json!({ "channel": CHANNEL, "ts": ts })).await,
        "unknown_method"
    );
    let icon = json!({ "channel": CHANNEL, "text": "m", "icon_emoji": ":climbing:" });
    call_at(&simulator.endpoint(), post, &icon).await.unwrap();
    let half = json!({ "channel": CHANNEL, "ts": ts, "text": "m" });
    call_at(&simulator.endpoint(), "chat.update", &half).await.unwrap();
    assert_eq!(
        simulator.acknowledge_unmodelled(),
        ["Slack chat.delete", "Slack chat.postMessage icon_emoji", "Slack chat.update without blocks"]
    );
    assert_eq!(simulator.journal().last().unwrap().service, Service::Slack);
}

/// A block of this type, with these members.
fn block(kind: &str, members: Value) -> Value {
    let mut block = members;
    block["type"] = json!(kind);
    block
}

fn plain(length: usize) -> Value {
    json!({ "type": "plain_text", "text": "x".repeat(length) })
}

fn mrkdwn(length: usize) -> Value {
    json!({ "type": "mrkdwn", "text": "ü".repeat(length) })
}

fn button(members: Value) -> Value {
    let mut button = block("button", members);
    if button["text"].is_null() {
        button["text"] = plain(75);
    }
    block("actions", json!({ "elements": [button] }))
}

fn input(element: Value) -> Value {
    block("input", json!({ "label": plain(2000), "element": block("plain_text_input", element) }))
}

#[tokio::test]
async fn blocks_are_held_against_their_limits() {
    let simulator = workspace().await;
    let confirm = |title: usize, text: usize, yes: usize| json!({ "title": plain(title), "text": mrkdwn(text), "confirm": plain(yes), "deny": plain(30) });
    let many = |count: usize, one: Value| -> Value { std::iter::repeat_n(one, count).collect() };
    let image = |url: &str, alt: usize| json!({ "image_url": url, "alt_text": "x".repeat(alt) });
    let good = [
        block("header", json!({ "text": plain(150) })),
        block("section", json!({ "text": mrkdwn(3000), "block_id": "x".repeat(255) })),
        block("section", json!({ "fields": many(2, mrkdwn(2000)) })),
        block("section", json!({ "fields": many(10, mrkdwn(20)) })),
        block("context", json!({ "elements": many(10, mrkdwn(10)) })),
        button(json!({ "value": "x".repeat(2000), "action_id": "x".repeat(255), "style": "primary" })),
        button(json!({ "url": "https://example.com/", "confirm": confirm(100, 300, 30) })),
        input(json!({ "action_id": "why", "placeholder": plain(150), "max_length": 3000 })),
        block("image", image("https://example.com/a.png", 2000)),
        block("divider", json!({})),
    ];
    let bad = [
        block("header", json!({ "text": plain(151) })),
        block("header", json!({ "text": mrkdwn(10) })),
        block("header", json!({ "text": plain(0) })),
        block("header", json!({})),
        block("section", json!({ "text": mrkdwn(3001) })),
        block("section", json!({ "text": mrkdwn(1), "block_id": "x".repeat(256) })),
        block("section", json!({})),
        block("section", json!({ "fields": many(11, mrkdwn(1)) })),
        block("section", json!({ "fields": [mrkdwn(2001)] })),
        block("section", json!({ "text": mrkdwn(1), "colour": "red" })),
        block("section", json!({ "text": { "type": "mrkdwn", "text": "x", "emoji": true } })),
        block("section", json!({ "text": "x" })),
        block("context", json!({ "elements": many(11, mrkdwn(1)) })),
        block("context", json!({ "elements": [] })),
        block("actions", json!({ "elements": many(26, block("button", json!({ "text": plain(1) }))) })),
        block("actions", json!({ "elements": [block("datepicker", json!({}))] })),
        button(json!({ "text": plain(76) })),
        button(json!({ "text": mrkdwn(1) })),
        button(json!({ "value": "x".repeat(2001) })),
        button(json!({ "action_id": "x".repeat(256) })),
        button(json!({ "url": "x".repeat(3001) })),
        button(json!({ "style": "default" })),
        button(json!({ "confirm": confirm(101, 300, 30) })),
        button(json!({ "confirm": confirm(100, 301, 30) })),
        button(json!({ "confirm": confirm(100, 300, 31) })),
        input(json!({ "placeholder": plain(151) })),
        input(json!({ "max_length": 3001 })),
        block("image", image("ftp://example.com/a.png", 1)),
        block("image", image("https://example.com/a.png", 2001)),
        block("image", json!({ "slack_file": { "id": "F9" }, "alt_text": "x" })),
        block("video", json!({})),
        json!("divider"),
    ];
    let send = |blocks: Value| json!({ "channel": CHANNEL, "text": "m", "blocks": blocks });
    for block in good {
        let answer = call(&simulator, "chat.postMessage", &send(json!([block]))).await;
        assert_eq!(answer["ok"], true, "{answer} {block}");
    }
    for block in bad {
        let answer = call(&simulator, "chat.postMessage", &send(json!([block]))).await;
        assert_eq!(answer["error"], "invalid_blocks", "{block}");
        let why = answer["response_metadata"]["messages"][0].as_str().unwrap();
        assert!(why.contains("[json-pointer:/blocks/0"), "{why}");
    }
    let twice = |block_id: Value, action_id: Value| {
        let button = block("button", json!({ "text": plain(1), "action_id": action_id }));
        let actions = block("actions", json!({ "elements": [button], "block_id": block_id }));
        json!([actions, actions])
    };
    for (blocks, expected) in [
        (many(50, block("divider", json!({}))), None),
        (many(51, block("divider", json!({}))), Some("invalid_blocks")),
        (many(5, block("section", json!({ "text": mrkdwn(2640) }))), None),
        (many(5, block("section", json!({ "text": mrkdwn(2641) }))), Some("msg_blocks_too_long")),
        (twice(Value::Null, Value::Null), None),
        (twice(Value::Null, json!("same")), Some("invalid_blocks")),
        (twice(json!("same"), Value::Null), Some("invalid_blocks")),
        (json!({}), Some("invalid_blocks")),
    ] {
        let answer = call(&simulator, "chat.postMessage", &send(blocks)).await;
        assert_eq!(answer["error"].as_str(), expected);
    }
    simulator.assert_all_modelled();
}

#[tokio::test]
async fn stamps_are_unique_and_follow_the_clock() {
    let simulator = workspace().await;
    ask(&simulator).await;
    say(&simulator, "two").await;
    simulator.advance(Duration::from_secs(3)).await;
    say(&simulator, "three").await;
    let stamps: Vec<_> = simulator.slack_messages(CHANNEL).into_iter().map(|message| message.ts).collect();
    assert_eq!(stamps, ["1772719200.000100", "1772719200.000200", "1772719203.000100"]);
}
