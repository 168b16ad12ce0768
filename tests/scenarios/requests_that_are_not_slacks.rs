//! Requests that are not Slack's, or make no sense: they get a status and nothing else, and nothing comes of them.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use belay_tests::{Fault, Press, Simulator, sign_slack, stage::functions};
use serde_json::{Value, json};

use crate::{
    a_release_is_guarded::{Story, events, lambda},
    people_in_chat::{ANNA, CHANNEL, EVE, TALKED},
};

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";

/// A release is asked about, and its card has buttons.
pub(crate) async fn asked() -> Story {
    let story = Story::under(lambda(), TALKED).await;
    story.release();
    story.minutes(2).await;
    story.red("orders-latency");
    story.minutes(2).await;
    story
}

/// What Slack sends when somebody presses a button of the card.
fn press(story: &Story, user: &str, button: &str) -> Vec<u8> {
    let ts = story.card().ts;
    let press = Press { user, channel: CHANNEL, ts: &ts, action: button, why: None };
    story.simulator.slack_press(press).unwrap()
}

/// The payload of a press, unsigned.
fn payload(event: &[u8]) -> Value {
    let event: Value = serde_json::from_slice(event).unwrap();
    let body = BASE64.decode(event["body"].as_str().unwrap()).unwrap();
    let field = form_urlencoded::parse(&body).find(|(name, _)| name == "payload").unwrap().1;
    serde_json::from_str(&field).unwrap()
}

fn form(payload: &Value) -> Vec<u8> {
    form_urlencoded::Serializer::new(String::new())
        .append_pair("payload", &payload.to_string())
        .finish()
        .into_bytes()
}

/// A request through the function URL, signed with a secret at a time.
fn request(simulator: &Simulator, secret: &str, at: i64, content_type: &str, body: &[u8]) -> Value {
    let mut event: Value = serde_json::from_slice(&simulator.slack_command(EVE, CHANNEL, "help")).unwrap();
    event["headers"]["content-type"] = json!(content_type);
    event["headers"]["content-length"] = json!(body.len().to_string());
    event["headers"]["x-slack-request-timestamp"] = json!(at.to_string());
    event["headers"]["x-slack-signature"] = json!(sign_slack(secret, at, body));
    event["body"] = json!(BASE64.encode(body));
    event
}

/// The same, as Slack would sign it now.
fn good(story: &Story, content_type: &str, body: &[u8]) -> Value {
    let now = story.simulator.now().as_second();
    request(&story.simulator, functions::SIGNING_SECRET, now, content_type, body)
}

/// Everything that a request could have changed.
fn world(story: &Story) -> Value {
    let messages: Vec<Value> = story
        .in_channel()
        .into_iter()
        .map(|message| json!([message.ts, message.text, message.blocks, message.edits]))
        .collect();
    json!({
        "ledger": story.simulator.table(functions::TABLE),
        "slack": messages,
        "whispers": story.simulator.slack_whispers().len(),
        "topic": story.messages(),
        "stops": story.stops(),
        "invocations": story.simulator.effects("Invoke"),
    })
}

async fn answer(story: &Story, event: &Value) -> Value {
    let answer = story.simulator.request("chat-actions", event.to_string().as_bytes()).await.unwrap();
    story.simulator.deliver_due().await;
    answer
}

/// The request is refused with this status and an empty body, and nothing has changed.
async fn refused(story: &Story, what: &str, event: &Value, status: u16) {
    let before = world(story);
    let answer = answer(story, event).await;
    assert_eq!((&answer["statusCode"], &answer["body"]), (&json!(status), &json!("")), "{what}: {answer}");
    assert_eq!(world(story), before, "{what} changed something");
}

/// The request is answered with 200 and this body, and nothing has changed.
async fn shrugged_off(story: &Story, what: &str, event: &Value, body: &str) {
    let before = world(story);
    let answer = answer(story, event).await;
    assert_eq!((&answer["statusCode"], &answer["body"]), (&json!(200), &json!(body)), "{what}: {answer}");
    assert_eq!(world(story), before, "{what} changed something");
}

/// How often chat-actions fetched the secret.
pub(crate) fn fetches(story: &Story) -> usize {
    fetches_of(story, "chat-actions")
}

/// How often a function did: each is a process of its own.
pub(crate) fn fetches_of(story: &Story, function: &str) -> usize {
    let calls = story.simulator.journal().into_iter();
    calls.filter(|call| call.operation == "GetSecretValue" && call.by.as_deref() == Some(function)).count()
}

#[tokio::test]
async fn what_slack_did_not_sign_is_refused_without_a_word() {
    let story = asked().await;
    let now = story.simulator.now().as_second();
    let good: Value = serde_json::from_slice(&press(&story, ANNA, "Roll back")).unwrap();
    let body = BASE64.decode(good["body"].as_str().unwrap()).unwrap();
    let with = |name: &str, value: Option<Value>| {
        let mut event = good.clone();
        match value {
            Some(value) => event["headers"][name] = value,
            None => drop(event["headers"].as_object_mut().unwrap().remove(name)),
        }
        event
    };
    let signature = good["headers"]["x-slack-signature"].as_str().unwrap().to_owned();
    let (head, last) = signature.split_at(signature.len() - 1);
    let flipped = format!("{head}{:x}", u8::from_str_radix(last, 16).unwrap() ^ 1);
    for (what, event) in [
        ("no signature", with("x-slack-signature", None)),
        ("no timestamp", with("x-slack-request-timestamp", None)),
        ("an empty signature", with("x-slack-signature", Some(json!("")))),
        ("one bit of the signature", with("x-slack-signature", Some(json!(flipped)))),
        ("capital letters", with("x-slack-signature", Some(json!(signature.to_uppercase())))),
        ("another version", with("x-slack-signature", Some(json!(signature.replace("v0=", "v1="))))),
        ("a header that is no text", with("x-slack-signature", Some(json!([signature])))),
        ("a time of another second", with("x-slack-request-timestamp", Some(json!((now - 1).to_string())))),
        ("a time with a sign", with("x-slack-request-timestamp", Some(json!(format!("+{now}"))))),
        ("a time that is none", with("x-slack-request-timestamp", Some(json!("now")))),
    ] {
        refused(&story, what, &event, 401).await;
    }
    let mut other = body.clone();
    *other.last_mut().unwrap() ^= 1;
    let mut bit_of_body = good.clone();
    bit_of_body["body"] = json!(BASE64.encode(&other));
    refused(&story, "one bit of the body", &bit_of_body, 401).await;
    let mut as_text = good.clone();
    as_text["isBase64Encoded"] = json!(false);
    refused(&story, "the base64 itself, instead of what it stands for", &as_text, 401).await;
    let signed = |secret: &str, at: i64| request(&story.simulator, secret, at, FORM, &body);
    refused(&story, "another secret", &signed("another-secret", now), 401).await;
    refused(&story, "an empty secret", &signed("", now), 401).await;
    refused(&story, "stale", &signed(functions::SIGNING_SECRET, now - 301), 401).await;
    refused(&story, "from the future", &signed(functions::SIGNING_SECRET, now + 301), 401).await;
    // And the good one is good, also at the edge of the five minutes.
    let edge = answer(&story, &signed(functions::SIGNING_SECRET, now - 300)).await;
    assert_eq!(edge["statusCode"], json!(200));
    story.minutes(1).await;
    assert_eq!(story.stops().len(), 1);
}

#[tokio::test]
async fn a_press_that_is_sent_again_does_nothing_more() {
    let story = asked().await;
    let event = press(&story, ANNA, "Roll back");
    let presses = |story: &Story| {
        let items = story.simulator.table(functions::TABLE).into_iter();
        items.filter(|item| item["sk"]["S"].as_str().is_some_and(|key| key.starts_with("press"))).count()
    };
    for _ in 0..3 {
        assert_eq!(story.simulator.request("chat-actions", &event).await.unwrap()["statusCode"], json!(200));
    }
    story.minutes(1).await;
    let (told, topic) = (story.thread().len(), story.messages().len());
    assert_eq!(
        (story.stops().len(), presses(&story)),
        (1, 1),
        "{:#?}",
        story.simulator.table(functions::TABLE)
    );
    // Nobody is told that they were too late: it is one press.
    assert_eq!(story.whispers(ANNA), [] as [&str; 0]);
    story.simulator.advance(std::time::Duration::from_secs(235)).await;
    assert_eq!(story.simulator.request("chat-actions", &event).await.unwrap()["statusCode"], json!(200));
    story.simulator.deliver_due().await;
    assert_eq!((story.stops().len(), presses(&story), story.whispers(ANNA).len()), (1, 1, 0));
    assert!(story.thread().len() <= told + 1 && story.messages().len() <= topic + 1, "{:?}", story.titles());
    story.simulator.advance(std::time::Duration::from_secs(10)).await;
    assert_eq!(story.simulator.request("chat-actions", &event).await.unwrap()["statusCode"], json!(401));
    story.minutes(3).await;
    assert_eq!((story.stops().len(), story.simulator.dead_letters()), (1, Vec::new()));
}

#[tokio::test]
async fn a_command_that_is_sent_again_does_nothing_to_a_release_that_began_since() {
    let story = Story::under(lambda(), TALKED).await;
    let first = story.release();
    story.minutes(1).await;
    let command = story.simulator.slack_command(ANNA, CHANNEL, "rollback orders");
    story.simulator.request("chat-actions", &command).await.unwrap();
    story.minutes(2).await;
    let stop = |id: &str| json!({ "deploymentId": id, "autoRollbackEnabled": true });
    assert_eq!(story.stops(), [stop(&first)]);
    let second = story.release();
    story.simulator.advance(std::time::Duration::from_secs(20)).await;
    story.simulator.request("chat-actions", &command).await.unwrap();
    story.minutes(2).await;
    assert_eq!(story.stops(), [stop(&first)], "{second} began after the command was typed");
    // Somebody who means it types it again.
    story.types(ANNA, "rollback orders").await;
    story.minutes(1).await;
    assert_eq!(story.stops(), [stop(&first), stop(&second)]);
}

#[tokio::test]
async fn nonsense_with_a_good_signature_is_refused_and_nothing_happens() {
    let story = asked().await;
    let good_press = payload(&press(&story, ANNA, "Roll back"));
    let body = form(&good_press);
    let changed = |pointer: &str, value: Value| {
        let mut payload = good_press.clone();
        *payload.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer}")) = value;
        form(&payload)
    };
    let two_presses = {
        let mut payload = good_press.clone();
        let action = payload["actions"][0].clone();
        payload["actions"].as_array_mut().unwrap().push(action);
        form(&payload)
    };
    let twice = [body.as_slice(), b"&", body.as_slice()].concat();
    for (what, content_type, body) in [
        ("plain text", "text/plain", body.clone()),
        ("no content type", "", body.clone()),
        ("JSON by its type, a form by its body", JSON, body.clone()),
        ("not a form", FORM, b"\x00\xff%%%=&&".to_vec()),
        ("an empty body", FORM, Vec::new()),
        ("JSON that is none", JSON, b"{\"type\":".to_vec()),
        ("JSON that is no text", JSON, b"\xff\xfe".to_vec()),
        ("JSON without a type", JSON, b"[]".to_vec()),
        ("a payload that is no JSON", FORM, b"payload=%7Bnonsense".to_vec()),
        ("a payload that is a list", FORM, b"payload=%5B%5D".to_vec()),
        ("a payload that comes twice", FORM, twice),
        ("two presses at once", FORM, two_presses),
        ("no actions", FORM, changed("/actions", json!("none"))),
        ("a team of odd form", FORM, changed("/team/id", json!("T0'; DROP TABLE"))),
        ("a user of odd form", FORM, changed("/user/id", json!("<@U02ANNA>"))),
        ("a user that is a number", FORM, changed("/user/id", json!(2))),
        ("a user in small letters", FORM, changed("/user/id", json!("u02anna"))),
        ("a channel of odd form", FORM, changed("/channel/id", json!("../C1"))),
        ("an offer of odd form", FORM, changed("/actions/0/value", json!("release/d-1/../0"))),
        ("an offer that is too long", FORM, changed("/actions/0/value", json!("a".repeat(65)))),
        ("a stamp of odd form", FORM, changed("/actions/0/action_ts", json!("now"))),
        ("a command without a user", FORM, b"command=%2Fbelay&text=rollback+orders&team_id=T1".to_vec()),
    ] {
        let mut event = good(&story, content_type, &body);
        if content_type.is_empty() {
            event["headers"].as_object_mut().unwrap().remove("content-type");
        }
        refused(&story, what, &event, 400).await;
    }
    for (what, body) in [
        ("another type", changed("/type", json!("view_submission"))),
        ("a button of somebody else's", changed("/actions/0/action_id", json!("other/keep/0"))),
        ("a choice that there is not", changed("/actions/0/action_id", json!("belay/destroy/0"))),
        ("Slack's probe", b"ssl_check=1&token=x".to_vec()),
    ] {
        shrugged_off(&story, what, &good(&story, FORM, &body), "").await;
    }
    let hello = json!({ "type": "url_verification", "token": "x", "challenge": "3eZbrw1aB" });
    let event = good(&story, JSON, hello.to_string().as_bytes());
    shrugged_off(&story, "a challenge", &event, r#"{"challenge":"3eZbrw1aB"}"#).await;
    let event = good(&story, JSON, br#"{"type":"event_callback","event":{"type":"message"}}"#);
    shrugged_off(&story, "an event that nobody asked for", &event, "").await;
    // Neither is answered to anybody else.
    for (what, body) in
        [("a challenge of nobody's", hello.to_string()), ("a probe", "ssl_check=1".to_owned())]
    {
        let now = story.simulator.now().as_second();
        let kind = if body.starts_with('{') { JSON } else { FORM };
        refused(&story, what, &request(&story.simulator, "another", now, kind, body.as_bytes()), 401).await;
    }
    let mut get = good(&story, FORM, &body);
    get["requestContext"]["http"]["method"] = json!("GET");
    refused(&story, "GET", &get, 400).await;
    get["headers"].as_object_mut().unwrap().remove("x-slack-signature");
    get.as_object_mut().unwrap().remove("body");
    refused(&story, "GET of somebody who looks", &get, 401).await;
    let mut broken = good(&story, FORM, &body);
    broken["body"] = json!("this is *no* base64");
    refused(&story, "base64 that is none", &broken, 400).await;
    broken["requestContext"] = json!({});
    refused(&story, "a request without a method", &broken, 400).await;
    assert_eq!(story.stops(), Vec::<Value>::new());
    story.simulator.assert_all_modelled();
}

#[tokio::test]
async fn an_offer_that_nobody_made_and_a_choice_that_it_has_not_are_no_answers() {
    let story = asked().await;
    let good_press = payload(&press(&story, ANNA, "Keep"));
    let before = story.simulator.table(functions::TABLE);
    let mut unknown = good_press.clone();
    unknown["actions"][0]["value"] = json!("0123456789abcdef0123456789abcdef");
    let taken = answer(&story, &good(&story, FORM, &form(&unknown))).await;
    assert_eq!(taken["statusCode"], json!(200));
    assert_eq!(story.simulator.table(functions::TABLE), before);
    assert!(story.whispers(ANNA)[0].contains("too old"), "{:?}", story.whispers(ANNA));
    let mut not_offered = good_press.clone();
    not_offered["actions"][0]["action_id"] = json!("belay/approve/0");
    answer(&story, &good(&story, FORM, &form(&not_offered))).await;
    assert!(story.whispers(ANNA)[1].contains("not among the choices"), "{:?}", story.whispers(ANNA));
    let answers = |story: &Story| {
        let items = story.simulator.table(functions::TABLE).into_iter();
        items.filter(|item| item["sk"]["S"].as_str().is_some_and(|key| key.starts_with("answer"))).count()
    };
    assert_eq!(answers(&story), 0);
    // The question is still open.
    story.press(ANNA, "Keep").await;
    story.minutes(1).await;
    assert_eq!(answers(&story), 1);
    story.minutes(20).await;
    assert_eq!(story.stops(), Vec::<Value>::new());
}

#[tokio::test]
async fn a_body_that_is_too_long_is_not_even_verified() {
    let story = Story::under(lambda(), TALKED).await;
    let long = "a".repeat(300 * 1024).into_bytes();
    let longest = "a".repeat(6 * 1024 * 1024).into_bytes();
    for body in [&long, &longest] {
        refused(&story, "base64", &good(&story, FORM, body), 413).await;
        let mut plain = good(&story, FORM, body);
        plain["body"] = json!(String::from_utf8(body.clone()).unwrap());
        plain["isBase64Encoded"] = json!(false);
        refused(&story, "plain", &plain, 413).await;
    }
    assert_eq!(fetches(&story), 0, "without the secret nothing is signed or verified");
    // One that is just short enough is looked at.
    refused(&story, "short enough", &good(&story, FORM, &long[..256 * 1024]), 400).await;
    assert_eq!(fetches(&story), 1);
}

#[tokio::test]
async fn an_http_api_may_stand_in_front_as_well() {
    let story = asked().await;
    let good: Value = serde_json::from_slice(&press(&story, ANNA, "Roll back")).unwrap();
    let mut event = good.clone();
    let host = "a1b2c3d4e5.execute-api.us-east-1.amazonaws.com";
    event["routeKey"] = json!("POST /slack");
    event["rawPath"] = json!("/prod/slack");
    event["headers"]["host"] = json!(host);
    for (name, value) in [("routeKey", "POST /slack"), ("stage", "prod"), ("domainName", host)] {
        event["requestContext"][name] = json!(value);
    }
    event["requestContext"]["http"]["path"] = json!("/prod/slack");
    // It leaves text as it is, and some proxies write names of headers as people do.
    let body = BASE64.decode(good["body"].as_str().unwrap()).unwrap();
    event["body"] = json!(String::from_utf8(body).unwrap());
    event["isBase64Encoded"] = json!(false);
    let signature = event["headers"].as_object_mut().unwrap().remove("x-slack-signature").unwrap();
    event["headers"]["X-Slack-Signature"] = signature.clone();
    let mut bad = event.clone();
    bad["headers"]["X-Slack-Signature"] = json!(signature.as_str().unwrap().replace('0', "1"));
    refused(&story, "badly signed", &bad, 401).await;
    assert_eq!(answer(&story, &event).await["statusCode"], json!(200));
    story.minutes(1).await;
    assert_eq!(story.stops().len(), 1);
}

#[tokio::test]
async fn nobody_gives_the_function_its_own_work_over_http() {
    let story = asked().await;
    // A press that is written down, and whose hand-off is lost.
    story.simulator.fault("Invoke", Fault::CutConnection, 3);
    let event = press(&story, ANNA, "Roll back");
    story.simulator.request("chat-actions", &event).await.unwrap();
    assert_eq!(events(&story, "chat-actions").len(), 0);
    let action = &payload(&event)["actions"][0];
    let work = json!({ "belay": "answer", "offer": action["value"], "stamp": action["action_ts"] });
    let mut in_the_envelope = good(&story, JSON, work.to_string().as_bytes());
    for (name, value) in work.as_object().unwrap() {
        in_the_envelope[name] = value.clone();
    }
    let before = world(&story);
    in_the_envelope["headers"].as_object_mut().unwrap().remove("x-slack-signature");
    refused(&story, "unsigned work in the envelope", &in_the_envelope, 401).await;
    let in_the_body = good(&story, JSON, work.to_string().as_bytes());
    refused(&story, "work in the body", &in_the_body, 400).await;
    let mut typed = work.clone();
    typed["type"] = json!("answer");
    shrugged_off(&story, "work with a type", &good(&story, JSON, typed.to_string().as_bytes()), "").await;
    assert_eq!(world(&story), before);
    // It is work when Lambda brings it: only who may invoke the function sends that.
    answer(&story, &work).await;
    assert_eq!(story.stops().len(), 1);
}

#[tokio::test]
async fn a_flood_of_bad_signatures_costs_one_look_at_the_secret() {
    let story = asked().await;
    let body = form(&payload(&press(&story, ANNA, "Roll back")));
    story.types(ANNA, "help").await;
    let (fetched, before) = (fetches(&story), world(&story));
    for flood in 0..200 {
        let now = story.simulator.now().as_second();
        let event = request(&story.simulator, &format!("guess-{flood}"), now, FORM, &body);
        let answer = story.simulator.request("chat-actions", event.to_string().as_bytes()).await.unwrap();
        assert_eq!(answer["statusCode"], json!(401));
    }
    assert!(fetches(&story) <= fetched + 1, "{} after {fetched}", fetches(&story));
    assert_eq!(world(&story), before);
    let known = fetches(&story);
    story.press(ANNA, "Keep").await;
    assert_eq!(fetches(&story), known);
}
