//! What comes to the chat function, read or refused.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::approval::{Choice, Person};
use crate::chat::slack::button;
use crate::events::samples::{self, change, sample};

const FORM: Option<&str> = Some("application/x-www-form-urlencoded");

fn roadrunner() -> Person {
    Person { team: "T1DC2JH3J".to_owned(), user: "U2CERLKJA".to_owned() }
}

/// Slack's sample of a press, with one of our buttons in it.
fn press() -> Value {
    let mut payload = samples::json("slack/slack-block-actions-payload.json");
    change(&mut payload, "/actions/0/action_id", Some(json!("belay/roll_back/1")));
    change(&mut payload, "/actions/0/value", Some(json!("offer-1")));
    payload
}

fn form(payload: &Value) -> Vec<u8> {
    let text = payload.to_string();
    form_urlencoded::Serializer::new(String::new()).append_pair("payload", &text).finish().into_bytes()
}

fn read(payload: &Value) -> Result<ChatRequest, ChatRefusal> {
    chat(FORM, &form(payload))
}

fn malformed<T>(path: &str, expected: &str) -> Result<T, ChatRefusal> {
    Err(ChatRefusal::Malformed { path: path.to_owned(), expected: expected.to_owned() })
}

#[test]
fn slacks_sample_command_is_read_whole() {
    let request = http(sample("slack/slack-slash-command-function-url.json").as_bytes()).unwrap();
    assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/"));
    assert_eq!(request.header("X-Slack-Request-Timestamp"), Some("1531420618"));
    assert_eq!(request.header("nothing"), None);
    assert!(request.body.starts_with(b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id="));
    let command = SlashCommand {
        by: roadrunner(),
        channel: "G8PSS9T3V".to_owned(),
        command: "/webhook-collect".to_owned(),
        text: String::new(),
        stamp: "398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c".to_owned(),
    };
    let read = chat(request.header("content-type"), &request.body);
    assert_eq!(read, Ok(ChatRequest::Command(command)));
}

#[test]
fn slacks_sample_press_is_of_another_apps_button() {
    let request = http(sample("slack/slack-block-actions-function-url.json").as_bytes()).unwrap();
    let read = chat(request.header("content-type"), &request.body);
    assert_eq!(read, Ok(ChatRequest::Nothing { kind: "block_actions".to_owned() }));
}

#[test]
fn plain_bodies_and_none_are_taken_as_they_are() {
    for (file, path) in [("http/function-url-request.json", "/"), ("http/apigw-v2-request.json", "/slack")] {
        let mut event = samples::json(file);
        let request = http(event.to_string().as_bytes()).unwrap();
        assert_eq!((request.path.as_str(), request.body.as_slice()), (path, &br#"{"hello":"world"}"#[..]));
        change(&mut event, "/body", None);
        assert_eq!(http(event.to_string().as_bytes()).unwrap().body, b"");
    }
}

#[test]
fn a_body_is_refused_before_it_is_decoded_when_it_is_too_long() {
    let mut event = samples::json("http/function-url-request.json");
    let mut sent = |body: String, base64: bool| {
        change(&mut event, "/body", Some(json!(body)));
        change(&mut event, "/isBase64Encoded", Some(json!(base64)));
        http(event.to_string().as_bytes()).map(|request| request.body.len())
    };
    assert_eq!(sent("a".repeat(LONGEST_BODY), false), Ok(LONGEST_BODY));
    assert_eq!(sent("a".repeat(LONGEST_BODY + 1), false), Err(ChatRefusal::TooLarge));
    assert_eq!(sent(STANDARD.encode("a".repeat(LONGEST_BODY)), true), Ok(LONGEST_BODY));
    assert_eq!(sent(STANDARD.encode("a".repeat(LONGEST_BODY + 1)), true), Err(ChatRefusal::TooLarge));
    // This is no base64 at all, and is not looked at.
    assert_eq!(sent("!".repeat(LONGEST_BODY * 2), true), Err(ChatRefusal::TooLarge));
    assert_eq!(sent("!".to_owned(), true), malformed("body", "base64"));
    assert_eq!(ChatRefusal::TooLarge.status(), 413);
}

#[test]
fn a_request_shows_nothing_of_its_headers_and_body() {
    let request = http(sample("slack/slack-slash-command-function-url.json").as_bytes()).unwrap();
    let shown = format!("{request:?}");
    assert!(shown.contains("362 bytes"), "{shown}");
    assert!(!shown.contains("a2114d57") && !shown.contains("xyzz0"), "{shown}");
}

#[test]
fn work_is_read_back() {
    let work = Work { offer: "offer-1".to_owned(), stamp: "1772719560.123456".to_owned() };
    assert_eq!(chat_event(&work.payload()), Ok(ChatEvent::Work(work)));
    let other = json!({"belay": "answer", "stamp": "1.2", "offer": "not an id"}).to_string();
    let expected = "an offer's id: 1 to 64 letters, digits, `_` or `-`";
    assert_eq!(chat_event(other.as_bytes()), malformed("offer", expected));
    let other = json!({"belay": "approve", "stamp": "1.2", "offer": "o"}).to_string();
    assert_eq!(chat_event(other.as_bytes()), malformed("belay", "`answer`"));
}

#[test]
fn what_came_over_http_is_never_work() {
    let mut event = samples::json("http/function-url-request.json");
    for (key, value) in [("belay", "answer"), ("release", "d-1"), ("offer", "o")] {
        change(&mut event, &format!("/{key}"), Some(json!(value)));
    }
    assert!(matches!(chat_event(event.to_string().as_bytes()), Ok(ChatEvent::Http(_))));
    change(&mut event, "/requestContext", Some(json!({})));
    assert_eq!(chat_event(event.to_string().as_bytes()), malformed("requestContext.http", "an object"));
}

#[test]
fn another_functions_event_is_named() {
    let refused = chat_event(sample("codedeploy/codedeploy-hook.json").as_bytes());
    let came = "a CodeDeploy lifecycle hook call".to_owned();
    assert_eq!(refused, Err(ChatRefusal::NotForUs { came }));
    assert_eq!(chat_event(b"{"), malformed("the whole payload", "a JSON object"));
}

#[test]
fn a_press_of_our_button_is_read_whole() {
    let pressed = Press {
        by: roadrunner(),
        channel: "G8PSS9T3V".to_owned(),
        message_ts: "1772719541.000200".to_owned(),
        offer: "offer-1".to_owned(),
        choice: Choice::RollBack,
        why: None,
        stamp: "1772719560.123456".to_owned(),
    };
    assert_eq!(read(&press()), Ok(ChatRequest::Press(pressed)));
}

#[test]
fn every_button_that_we_make_comes_back() {
    for choice in Choice::ALL {
        for name in [button::button(choice, 3), format!("belay/{}", choice.word())] {
            let mut payload = press();
            change(&mut payload, "/actions/0/action_id", Some(json!(name)));
            let Ok(ChatRequest::Press(press)) = read(&payload) else { panic!("{name}") };
            assert_eq!(press.choice, choice);
        }
    }
}

#[test]
fn the_reason_is_that_of_the_pressed_offer_first() {
    let why = |values: Value| {
        let mut payload = press();
        change(&mut payload, "/state", Some(json!({"values": values})));
        match read(&payload) {
            Ok(ChatRequest::Press(press)) => press.why,
            other => panic!("{other:?}"),
        }
    };
    let text = |value: &str| json!({"type": "plain_text_input", "value": value});
    let two = json!({"a": {"belay/why/0": text("first")}, "b": {"belay/why/1": text(" own\n")}});
    assert_eq!(why(two).as_deref(), Some("own"));
    let other = json!({"a": {"belay/why/0": text(" ")}, "b": {"belay/why/1": {"value": null}},
        "c": {"belay/why/2": text("third")}});
    assert_eq!(why(other).as_deref(), Some("third"));
    assert_eq!(why(json!({"a": {"elsewhere": text("x")}})), None);
    assert_eq!(why(json!({"a": {"belay/why": text(&"ä".repeat(501))}})), Some("ä".repeat(500)));
    // What is odd about a reason takes nothing from the answer.
    for odd in [json!(null), json!([]), json!({"a": 1}), json!({"a": {"belay/why/1": {"value": 7}}})] {
        assert_eq!(why(odd), None);
    }
}

#[test]
fn a_press_without_its_names_is_refused_by_path() {
    let id = "1 to 32 of A–Z and 0–9";
    let stamp = "a timestamp such as 1772719560.123456";
    let offer = "an offer's id: 1 to 64 letters, digits, `_` or `-`";
    for (pointer, to, path, expected) in [
        ("/user/id", None, "payload.user.id", id),
        ("/user/id", Some(json!("")), "payload.user.id", id),
        ("/user/id", Some(json!("<!here>")), "payload.user.id", id),
        ("/user/id", Some(json!("U".repeat(33))), "payload.user.id", id),
        ("/team/id", Some(json!("t1")), "payload.team.id", id),
        ("/user", None, "payload.user", "an object"),
        ("/container/message_ts", None, "payload.container.message_ts", stamp),
        ("/actions/0/value", None, "payload.actions[0].value", offer),
        ("/actions/0/value", Some(json!("a b")), "payload.actions[0].value", offer),
        ("/actions/0/action_ts", Some(json!(7)), "payload.actions[0].action_ts", stamp),
        ("/actions", Some(json!({})), "payload.actions", "a list"),
        ("/type", None, "payload.type", "text that is not empty"),
    ] {
        let mut payload = press();
        change(&mut payload, pointer, to);
        assert_eq!(read(&payload), malformed(path, expected), "{pointer}");
    }
    let mut twice = press();
    let action = twice["actions"][0].clone();
    twice["actions"] = json!([action, action]);
    assert_eq!(read(&twice), malformed("payload.actions", "one press at a time"));
}

#[test]
fn team_and_channel_have_a_second_place() {
    let mut payload = press();
    change(&mut payload, "/team", Some(Value::Null));
    change(&mut payload, "/channel", None);
    let Ok(ChatRequest::Press(press)) = read(&payload) else { panic!("refused") };
    assert_eq!((press.by, press.channel.as_str()), (roadrunner(), "G8PSS9T3V"));
    change(&mut payload, "/user/team_id", None);
    assert_eq!(read(&payload), malformed("payload.team.id", "1 to 32 of A–Z and 0–9"));
}

#[test]
fn what_asks_nothing_is_named() {
    for kind in ["view_closed", "view_submission", "shortcut", "message_action", "block_suggestion"] {
        let nothing = Ok(ChatRequest::Nothing { kind: kind.to_owned() });
        assert_eq!(read(&json!({"type": kind})), nothing);
    }
    let mut payload = press();
    change(&mut payload, "/actions/0/action_id", Some(json!("belay/why/0")));
    assert_eq!(read(&payload), Ok(ChatRequest::Nothing { kind: "block_actions".to_owned() }));
}

#[test]
fn probes_and_challenges_are_known() {
    assert_eq!(chat(FORM, b"ssl_check=1&token=x"), Ok(ChatRequest::Probe));
    let json = Some("application/json; charset=utf-8");
    let challenge = br#"{"type":"url_verification","token":"x","challenge":"3eZbrw1a"}"#;
    assert_eq!(chat(json, challenge), Ok(ChatRequest::Challenge("3eZbrw1a".to_owned())));
    let event = br#"{"type":"event_callback","event":{}}"#;
    assert_eq!(chat(json, event), Ok(ChatRequest::Nothing { kind: "event_callback".to_owned() }));
    let empty = chat(json, br#"{"type":"url_verification","challenge":""}"#);
    assert_eq!(empty, malformed("challenge", "text that is not empty"));
    assert_eq!(chat(json, b"\xff"), malformed("body", "JSON"));
    for other in [None, Some("text/plain"), Some("")] {
        assert_eq!(chat(other, b"ssl_check=1"), Err(ChatRefusal::Unsupported), "{other:?}");
    }
    assert_eq!(ChatRefusal::Unsupported.status(), 400);
}

#[test]
fn a_command_without_its_names_is_refused_by_field() {
    let id = "1 to 32 of A–Z and 0–9";
    for (body, path, expected) in [
        ("", "command", "a slash command's name"),
        ("command=%2Fbelay&user_id=U1&channel_id=C1", "team_id", id),
        ("command=%2Fbelay&team_id=T1&user_id=&channel_id=C1", "user_id", id),
        ("command=%2Fbelay&team_id=T1&user_id=U1", "channel_id", id),
        ("command=%2Fbelay&team_id=T1&user_id=U1&user_id=U2&channel_id=C1", "user_id", "this field once"),
        ("payload=%7B", "payload", "JSON"),
        ("payload=%5B%5D", "payload", "an object"),
    ] {
        assert_eq!(chat(FORM, body.as_bytes()), malformed(path, expected), "{body}");
    }
}

/// Reads it in every way there is. What is refused is refused shortly, and shows nothing that was sent.
fn check(bytes: &[u8]) -> Result<(), TestCaseError> {
    let mut refusals = Vec::new();
    refusals.extend(chat_event(bytes).err());
    match http(bytes) {
        Ok(request) => refusals.extend(chat(request.header("content-type"), &request.body).err()),
        Err(refusal) => refusals.push(refusal),
    }
    for content_type in [FORM, Some("application/json"), None] {
        match chat(content_type, bytes) {
            Ok(ChatRequest::Press(press)) => {
                prop_assert!(is_offer(&press.offer));
                prop_assert!(!press.by.team.is_empty() && !press.by.user.is_empty());
            }
            Ok(ChatRequest::Nothing { kind }) => prop_assert!(kind.chars().count() <= 60),
            Ok(ChatRequest::Command(_) | ChatRequest::Probe | ChatRequest::Challenge(_)) => {}
            Err(refusal) => refusals.push(refusal),
        }
    }
    for refusal in refusals {
        let said = refusal.to_string();
        prop_assert!(said.chars().count() < 400 && !said.contains(char::is_control), "{}", said);
        prop_assert!(!said.contains("SECRET"), "{}", said);
    }
    Ok(())
}

#[test]
fn every_sample_is_read_or_refused_with_a_short_sentence() {
    for (name, bytes) in samples::all() {
        check(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..400), text in ".{0,200}") {
        check(&bytes)?;
        check(text.as_bytes())?;
        let mut event = samples::json("http/function-url-request.json");
        change(&mut event, "/body", Some(json!(text)));
        check(event.to_string().as_bytes())?;
    }

    /// Presses with bytes changed, taken out and put in, as forms and as JSON.
    #[test]
    fn damaged_presses_do_not_make_it_panic(
        whole in any::<bool>(),
        damage in prop::collection::vec(
            (any::<prop::sample::Index>(), 0..8_usize, prop::collection::vec(any::<u8>(), 0..8)),
            0..5,
        ),
    ) {
        let mut bytes = if whole { press().to_string().into_bytes() } else { form(&press()) };
        for (at, length, put) in damage {
            let at = at.index(bytes.len() + 1);
            bytes.splice(at..(at + length).min(bytes.len()), put);
        }
        check(&bytes)?;
    }

    /// Any value of a press in the place of any other kind, or gone: a refusal never says what was sent.
    #[test]
    fn a_refusal_never_shows_what_was_sent(
        pointer in prop::sample::select(vec![
            "/type", "/user", "/user/id", "/user/team_id", "/team", "/team/id", "/container", "/container/message_ts",
            "/channel", "/channel/id", "/actions", "/actions/0", "/actions/0/value", "/actions/0/action_ts",
            "/actions/0/action_id", "/state", "/state/values",
        ]),
        to in prop::sample::select(vec![
            json!("SECRET a"), json!({"SECRET": "SECRET"}), json!(["SECRET"]), json!(7), json!(null),
        ]),
    ) {
        let mut payload = press();
        change(&mut payload, pointer, Some(to));
        check(&form(&payload))?;
        check(payload.to_string().as_bytes())?;
    }
}
