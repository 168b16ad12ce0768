//! People's signed requests, and functions that answer them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use super::chats::{CHANNEL, SECRET, ask, call, workspace};
use super::{key_paths, minutes};
use crate::{Press, What, sign_slack};

/// The event, its raw body, and the body's fields.
fn opened(event: &[u8]) -> (Value, Vec<u8>, Vec<(String, String)>) {
    let event: Value = serde_json::from_slice(event).unwrap();
    assert_eq!(event["isBase64Encoded"], true);
    let body = BASE64.decode(event["body"].as_str().unwrap()).unwrap();
    let fields = form_urlencoded::parse(&body).into_owned().collect();
    (event, body, fields)
}

fn is_signed(event: &Value, body: &[u8], at: i64) {
    let header = |name: &str| event["headers"][name].as_str().unwrap().to_owned();
    assert_eq!(header("x-slack-request-timestamp"), at.to_string());
    assert_eq!(header("x-slack-signature"), sign_slack(SECRET, at, body));
    assert_eq!(header("content-length"), body.len().to_string());
}

fn press<'a>(ts: &'a str, action: &'a str, why: Option<&'a str>) -> Press<'a> {
    Press { user: "U2CERLKJA", channel: CHANNEL, ts, action, why }
}

#[tokio::test]
async fn a_press_has_the_samples_shape_and_the_messages_values() {
    let simulator = workspace().await;
    let ts = ask(&simulator).await;
    simulator.advance(minutes(1)).await;
    let event = simulator.slack_press(press(&ts, "Roll back", Some("too many errors"))).unwrap();
    let (event, body, fields) = opened(&event);
    let sample: Value =
        serde_json::from_str(include_str!("samples/slack-block-actions-function-url.json")).unwrap();
    assert_eq!(key_paths(&event), key_paths(&sample));
    assert_eq!(event["requestContext"]["time"], "05/Mar/2026:14:01:00 +0000");
    is_signed(&event, &body, 1_772_719_260);
    let payload: Value = serde_json::from_str(&fields[0].1).unwrap();
    let mut shape = payload.clone();
    shape["message"]["blocks"] = json!([]);
    shape["state"]["values"] = json!({});
    let sample: Value =
        serde_json::from_str(include_str!("samples/slack-block-actions-payload.json")).unwrap();
    // But for the sample's own button, whose value is JSON and whose text has a flag.
    let (shape, sample) = (key_paths(&shape), key_paths(&sample));
    let others = shape.symmetric_difference(&sample).filter(|path| !path.contains(".value"));
    assert_eq!(others.collect::<Vec<_>>(), [".actions[].text.emoji"]);
    let action = &payload["actions"][0];
    assert_eq!((&action["action_id"], &action["value"]), (&json!("roll_back:1"), &json!("offer-1")));
    assert_eq!((&action["block_id"], &action["style"]), (&json!("decision"), &json!("danger")));
    assert_eq!(payload["user"]["id"], "U2CERLKJA");
    assert_eq!(payload["team"]["id"], "T1DC2JH3J");
    assert_eq!(payload["container"]["message_ts"], ts.as_str());
    assert_eq!(payload["state"]["values"]["reason"]["why"]["value"], "too many errors");
    let silent = simulator.slack_press(press(&ts, "keep:1", None)).unwrap();
    let silent: Value = serde_json::from_str(&opened(&silent).2[0].1).unwrap();
    assert_eq!(silent["actions"][0]["action_id"], "keep:1");
    assert_eq!(silent["state"]["values"]["reason"]["why"]["value"], Value::Null);
    assert_ne!(silent["trigger_id"], payload["trigger_id"]);
    assert_ne!(silent["response_url"], payload["response_url"]);
    // Only what is there can be pressed, and the newest version of it.
    assert!(simulator.slack_press(press(&ts, "Approve", None)).is_err());
    assert!(simulator.slack_press(press("1.000100", "Keep", None)).is_err());
    let divider = json!([{ "type": "divider" }]);
    let update = json!({ "channel": CHANNEL, "ts": ts, "text": "over", "blocks": divider });
    call(&simulator, "chat.update", &update).await;
    assert!(simulator.slack_press(press(&ts, "Keep", None)).unwrap_err().contains("no button"));
}

#[tokio::test]
async fn one_text_on_two_buttons_is_no_button() {
    let simulator = workspace().await;
    let button = |id: &str| json!({ "type": "button", "action_id": id, "text": { "type": "plain_text", "text": "Keep" } });
    let blocks = json!([{ "type": "actions", "elements": [button("a"), button("b")] }]);
    let body = json!({ "channel": CHANNEL, "text": "m", "blocks": blocks });
    let ts = call(&simulator, "chat.postMessage", &body).await["ts"].as_str().unwrap().to_owned();
    assert!(simulator.slack_press(press(&ts, "Keep", None)).unwrap_err().contains("more than one"));
    assert!(simulator.slack_press(press(&ts, "b", None)).is_ok());
}

#[tokio::test]
async fn a_command_has_the_samples_fields() {
    let simulator = workspace().await;
    let event = simulator.slack_command("U2CERLKJA", CHANNEL, "why orders & more");
    let (event, body, fields) = opened(&event);
    is_signed(&event, &body, 1_772_719_200);
    let (sample, _, sample_fields) = opened(include_bytes!("samples/slack-slash-command-function-url.json"));
    assert_eq!(key_paths(&event), key_paths(&sample));
    for (name, _) in sample_fields {
        assert!(fields.iter().any(|(field, _)| *field == name), "{name}");
    }
    let field = |name: &str| fields.iter().find(|(field, _)| field == name).unwrap().1.as_str();
    assert_eq!((field("command"), field("text")), ("/belay", "why orders & more"));
    assert_eq!((field("user_id"), field("team_id")), ("U2CERLKJA", "T1DC2JH3J"));
}

#[tokio::test]
async fn a_request_is_waited_for_and_never_tried_again() {
    let simulator = workspace().await;
    simulator.register("chat-actions", |call| async move {
        match call.payload.as_slice() {
            b"fail" => Err("no".to_owned()),
            b"panic" => panic!("on purpose"),
            b"words" => Ok("not JSON".to_owned()),
            b"nothing" => Ok(String::new()),
            _ => Ok(json!({ "statusCode": 200, "body": "" }).to_string()),
        }
    });
    let event = simulator.slack_command("U1", CHANNEL, "status");
    assert_eq!(simulator.request("chat-actions", &event).await.unwrap()["statusCode"], 200);
    assert_eq!(simulator.request("chat-actions", b"nothing").await, Ok(Value::Null));
    assert_eq!(simulator.request("chat-actions", b"fail").await, Err("no".to_owned()));
    assert!(simulator.request("chat-actions", b"panic").await.unwrap_err().contains("panicked"));
    assert!(simulator.request("chat-actions", b"words").await.unwrap_err().contains("no JSON"));
    simulator.advance(minutes(10)).await;
    let invoked = simulator.timeline().into_iter().filter(|one| matches!(one.what, What::Invoked { .. }));
    assert_eq!(invoked.count(), 5);
    assert!(simulator.dead_letters().is_empty());
}
