//! Slack going wrong: faults, outages, rates, storms; and files.

use std::time::Duration;

use serde_json::json;

use super::chats::{CHANNEL, FORM, TOKEN, ask, call, call_at, post, say, word, workspace};
use crate::{Fault, Simulator, SlackFault, Storm};

async fn status(simulator: &Simulator, method: &str) -> Option<u16> {
    let body = json!({ "channel": CHANNEL, "text": "m" });
    call_at(&simulator.endpoint(), method, &body).await.map(|answer| answer.status)
}

#[tokio::test]
async fn calls_go_wrong_as_asked() {
    let simulator = workspace().await;
    let say_method = "chat.postMessage";
    let count = || simulator.slack_messages(CHANNEL).len();
    simulator.slack_fault(say_method, SlackFault::RateLimited { retry_after_seconds: 17 }, 1);
    let body = json!({ "channel": CHANNEL, "text": "m" });
    let limited = call_at(&simulator.endpoint(), say_method, &body).await.unwrap();
    assert_eq!((limited.status, limited.json()["error"].as_str()), (429, Some("ratelimited")));
    assert!(limited.head.contains("retry-after: 17"), "{}", limited.head);
    simulator.slack_fault("*", SlackFault::Error("missing_scope"), 1);
    assert_eq!(word(&simulator, say_method, &body).await, "missing_scope");
    simulator.slack_fault("chat.update", SlackFault::Cut, 1);
    simulator.slack_fault(say_method, SlackFault::ServerError, 1);
    assert_eq!(status(&simulator, say_method).await, Some(503));
    simulator.slack_fault(say_method, SlackFault::Cut, 1);
    assert_eq!(status(&simulator, say_method).await, None);
    assert_eq!(count(), 0);
    simulator.slack_fault(say_method, SlackFault::LostResponse, 1);
    assert_eq!(status(&simulator, say_method).await, None);
    assert_eq!(count(), 1);
    assert_eq!(status(&simulator, "chat.update").await, None);
    simulator.fault(say_method, Fault::Throttle, 1);
    assert_eq!(status(&simulator, say_method).await, Some(429));
    simulator.slack_down(true);
    assert_eq!(status(&simulator, say_method).await, Some(503));
    assert_eq!(count(), 1);
    simulator.slack_down(false);
    say(&simulator, "again").await;
    assert_eq!(count(), 2);
    let outcomes: Vec<_> = simulator.calls(say_method).into_iter().map(|call| call.outcome).collect();
    let no = |word: &str| Err(word.to_owned());
    assert_eq!(
        outcomes,
        [
            no("ratelimited"),
            no("missing_scope"),
            no("service_unavailable"),
            no("CutConnection"),
            Ok(()),
            no("ratelimited"),
            no("service_unavailable"),
            Ok(())
        ]
    );
    assert_eq!(simulator.calls(say_method)[4].fault, Some(Fault::TimeoutAfterEffect));
}

#[tokio::test]
async fn rates_are_enforced_by_the_virtual_clock() {
    let simulator = workspace().await;
    simulator.slack_enforces_rates(true);
    let ts = ask(&simulator).await;
    for _ in 0..4 {
        assert_eq!(status(&simulator, "chat.postMessage").await, Some(200));
    }
    assert_eq!(status(&simulator, "chat.postMessage").await, Some(429));
    simulator.advance(Duration::from_secs(2)).await;
    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.push(status(&simulator, "chat.postMessage").await.unwrap());
    }
    assert_eq!(seen, [200, 200, 429]);
    let update = json!({ "channel": CHANNEL, "ts": ts, "text": "m", "blocks": [{ "type": "divider" }] });
    for _ in 0..50 {
        assert_eq!(call(&simulator, "chat.update", &update).await["ok"], true);
    }
    simulator.advance(Duration::from_secs(10)).await;
    let limited = call_at(&simulator.endpoint(), "chat.update", &update).await.unwrap();
    assert_eq!(limited.status, 429);
    assert!(limited.head.contains("retry-after: 50"), "{}", limited.head);
    simulator.advance(Duration::from_secs(50)).await;
    assert_eq!(call(&simulator, "chat.update", &update).await["ok"], true);
}

#[tokio::test]
async fn storms_strike_slack_through_an_invocations_own_endpoint() {
    let run = |seed: u64| async move {
        let simulator = workspace().await;
        simulator.register("teller", |call: crate::Invocation| async move {
            let mut seen = Vec::new();
            for number in 0..30 {
                let body = json!({ "channel": CHANNEL, "text": format!("{number}") });
                let answer = call_at(&call.endpoint, "chat.postMessage", &body).await;
                seen.push(answer.map_or(0, |answer| answer.status));
            }
            Ok(format!("{seen:?}"))
        });
        let storm = Storm { throttle: 0.2, internal_error: 0.2, cut_after_effect: 0.2, ..Storm::of(seed) };
        simulator.storm(storm);
        let seen = simulator.request("teller", b"{}").await.unwrap().to_string();
        say(&simulator, "the test's own calls are spared").await;
        (seen, simulator.slack_messages(CHANNEL).len())
    };
    let (seen, posted) = run(3).await;
    for status in ["200", "429", "503", "0"] {
        assert!(seen.contains(status), "{status} {seen}");
    }
    let answered = seen.matches("200").count() + 1;
    assert!(posted > answered && posted < 31, "{posted} {answered}");
    assert_eq!(run(3).await, (seen.clone(), posted));
    assert_ne!(run(4).await.0, seen);
}

#[tokio::test]
async fn the_killed_post_no_more() {
    let simulator = workspace().await;
    simulator.register("teller", |call: crate::Invocation| async move {
        for text in ["one", "two"] {
            let body = json!({ "channel": CHANNEL, "text": text });
            call_at(&call.endpoint, "chat.postMessage", &body).await;
        }
        Ok(String::new())
    });
    simulator.storm(Storm { kill: 1.0, ..Storm::of(1) });
    assert!(simulator.request("teller", b"{}").await.is_err());
    assert_eq!(simulator.calls("chat.postMessage").len(), 1);
    assert!(simulator.calls("chat.postMessage")[0].killed.is_some());
}

#[tokio::test]
async fn a_file_is_asked_for_uploaded_and_shared() {
    let simulator = workspace().await;
    let bearer = format!("Bearer {TOKEN}");
    let headers = [("authorization", bearer.as_str()), ("content-type", FORM)];
    let url = format!("{}/slack/api/files.getUploadURLExternal", simulator.endpoint());
    let asked = post(&url, &headers, b"filename=red.png&length=5&alt_txt=A%20graph").await.unwrap().json();
    let (file, upload) = (&asked["file_id"], asked["upload_url"].as_str().unwrap());
    let in_json = json!({ "filename": "red.png", "length": 5 });
    assert_eq!(word(&simulator, "files.getUploadURLExternal", &in_json).await, "invalid_arguments");
    let ts = ask(&simulator).await;
    let complete = |thread: &str| {
        json!({
            "files": [{ "id": file, "title": "orders-5xx" }], "channel_id": CHANNEL, "thread_ts": thread,
            "initial_comment": "What the alarm saw",
        })
    };
    let method = "files.completeUploadExternal";
    assert_eq!(word(&simulator, method, &complete(&ts)).await, "file_not_found", "no bytes yet");
    assert_eq!(post(upload, &[], b"four").await.unwrap().status, 400);
    let took = post(upload, &[], b"bytes").await.unwrap();
    assert_eq!((took.status, took.body.as_str()), (200, "OK - 5"));
    assert_eq!(word(&simulator, method, &complete("1.000100")).await, "thread_not_found");
    let image = json!({ "type": "image", "slack_file": { "id": file }, "alt_text": "A graph" });
    let show = json!({ "channel": CHANNEL, "text": "m", "blocks": [image] });
    assert_eq!(word(&simulator, "chat.postMessage", &show).await, "invalid_blocks", "not completed yet");
    assert_eq!(call(&simulator, method, &complete(&ts)).await["files"][0]["id"], *file);
    assert_eq!(call(&simulator, "chat.postMessage", &show).await["ok"], true);
    let messages = simulator.slack_messages(CHANNEL);
    let shared = &messages[1];
    assert_eq!(
        (shared.thread_ts.as_deref(), shared.text.as_str()),
        (Some(ts.as_str()), "What the alarm saw")
    );
    let file = &shared.files[0];
    assert_eq!((file.filename.as_str(), file.title.as_str()), ("red.png", "orders-5xx"));
    assert_eq!((file.bytes.as_slice(), file.alt_text.as_deref()), (b"bytes".as_slice(), Some("A graph")));
    assert_eq!(word(&simulator, method, &complete(&ts)).await, "file_not_found", "once only");
    assert_eq!(simulator.effects("upload").len(), 1);
    simulator.assert_all_modelled();
}
