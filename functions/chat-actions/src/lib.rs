//! Chat: people press buttons and type commands. Signature first, then everything else.
//!
//! Slack waits three seconds. Within them a press is written down and handed to another invocation of this same
//! function, which judges it; should that be lost, the sweep finds the press and judges it. What cannot be verified is
//! answered with a status and nothing else.

mod commands;

use std::time::Duration;

use belay::{
    channel::Chat,
    chat::{
        signature::{self, Unsigned},
        slack,
    },
    events::{self, ChatEvent, ChatRequest, HttpRequest, Work},
    judge,
    ledger::{Note, Press},
    start::{Failure, Guard, Guards, Invocation},
};
use jiff::Timestamp;
use serde_json::{Value, json};
use tracing::{error, info, warn};

/// Slack waits for three seconds. By now the press is written down, so nothing is lost by not waiting for more.
const HAND_OFF: Duration = Duration::from_millis(1_500);

/// Handles one request of a function URL or an HTTP API, or work that this function gave to itself.
///
/// # Errors
/// When the payload is neither, or when work could not be done: Lambda repeats that, and the sweep does.
pub async fn handle(guards: &Guards, payload: &[u8], invocation: Invocation<'_>) -> Result<Value, Failure> {
    match events::chat_event(payload) {
        Ok(ChatEvent::Http(request)) => Ok(Box::pin(respond(guards, &request, invocation)).await),
        Ok(ChatEvent::Work(work)) => Box::pin(judge_press(guards, &work, invocation)).await,
        Err(refusal @ events::ChatRefusal::NotForUs { .. }) => {
            error!(kind = refusal.kind(), %refusal, "refused");
            Err(Failure { kind: refusal.kind(), message: refusal.to_string() })
        }
        // It came over HTTP: whoever sent it gets a status and learns nothing.
        Err(refusal) => Ok(refuse(refusal.status(), refusal.kind())),
    }
}

/// Judges a press that an invocation before this one wrote down.
async fn judge_press(guards: &Guards, work: &Work, invocation: Invocation<'_>) -> Result<Value, Failure> {
    let ledger = &guards.own().adapters.ledger;
    match ledger.pressed(&work.offer, &work.stamp, invocation.now).await? {
        Some(press) => {
            let guard = guards.of_press(&press, invocation.now).await?;
            Box::pin(judge::pressed(guard, &press, invocation)).await
        }
        None => Ok(json!({ "press": "handled before" })),
    }
}

async fn respond(guards: &Guards, request: &HttpRequest, invocation: Invocation<'_>) -> Value {
    let Some(chat) = &guards.own().adapters.chat else {
        error!("a request came, and BELAY_CHAT_SECRET is not set: nothing can be verified");
        return refuse(401, "NotConfigured");
    };
    if let Err(refused) = verified(chat, request, invocation.now).await {
        return refused;
    }
    let Some(signed) = signature::signed_at(|name| request.header(name)) else {
        return refuse(401, "Unsigned");
    };
    if request.method != "POST" {
        return refuse(400, "NotPost");
    }
    match events::chat(request.header("content-type"), &request.body) {
        Err(refusal) => refuse(refusal.status(), refusal.kind()),
        Ok(ChatRequest::Probe) => empty(),
        Ok(ChatRequest::Challenge(challenge)) => answer(&json!({ "challenge": challenge })),
        Ok(ChatRequest::Nothing { kind }) => {
            info!(kind, "nothing to do about this");
            empty()
        }
        Ok(ChatRequest::Press(pressed)) => {
            let press = Press {
                offer: pressed.offer,
                choice: pressed.choice,
                by: pressed.by,
                why: pressed.why,
                at: invocation.now,
                stamp: pressed.stamp,
                channel: pressed.channel,
            };
            match take(guards.own(), &press, invocation).await {
                Ok(()) => empty(),
                // Slack shows a warning at the button: whoever pressed knows that nothing came of it.
                Err(status) => status,
            }
        }
        Ok(ChatRequest::Command(command)) => {
            let text = Box::pin(commands::run(guards, &command, signed, invocation)).await;
            let post = slack::words(&text);
            answer(&json!({ "response_type": "ephemeral", "text": post.text, "blocks": post.blocks }))
        }
    }
}

/// Writes a press down and hands it on. Once it is written down it is judged, by that invocation or by the sweep.
/// `own` is the guard of Belay's own account, where this function is.
pub(crate) async fn take(own: &Guard, press: &Press, invocation: Invocation<'_>) -> Result<(), Value> {
    if let Err(error) = own.adapters.ledger.keep(&Note::Pressed(press.clone()), invocation.now).await {
        error!(%error, "a press could not be written down");
        return Err(refuse(500, "NotTaken"));
    }
    let work = Work { offer: press.offer.clone(), stamp: press.stamp.clone() };
    info!(choice = press.choice.word(), "pressed");
    let payload = work.payload();
    // The version that runs, not the newest.
    let handed = own.adapters.lambda.hand_off(invocation.function, &payload);
    match tokio::time::timeout(HAND_OFF, handed).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => warn!(%error, "could not hand a press on; the sweep judges it"),
        Err(_) => warn!("handing a press on took too long; if it did not arrive, the sweep judges it"),
    }
    Ok(())
}

/// Whether Slack signed the request, over the bytes as they came. A secret that was rotated meanwhile is fetched again,
/// at most once a minute, however many bad signatures come.
async fn verified(chat: &Chat, request: &HttpRequest, now: Timestamp) -> Result<(), Value> {
    for refresh in [false, true] {
        let secrets = chat.signing_secrets(refresh).await.map_err(|error| {
            error!(%error, "the signing secret cannot be read: nothing can be verified");
            refuse(500, "NotConfigured")
        })?;
        let secrets: Vec<&[u8]> = secrets.iter().map(|secret| secret.reveal().as_bytes()).collect();
        let header = |name: &str| request.header(name);
        match signature::verify(&secrets, header, &request.body, now) {
            Ok(()) => return Ok(()),
            Err(Unsigned::Wrong) if !refresh => {}
            Err(unsigned) => {
                warn!(why = %unsigned, "a request is not Slack's");
                return Err(refuse(401, "Unsigned"));
            }
        }
    }
    Err(refuse(401, "Unsigned"))
}

/// A refusal: a status, and no detail. The log line is what is counted.
fn refuse(status: u16, kind: &'static str) -> Value {
    warn!(status, kind, "refused a request");
    json!({ "statusCode": status, "headers": { "content-type": "text/plain" }, "body": "" })
}

/// Slack shows nothing.
fn empty() -> Value {
    json!({ "statusCode": 200, "headers": { "content-type": "text/plain" }, "body": "" })
}

fn answer(body: &Value) -> Value {
    json!({
        "statusCode": 200,
        "headers": { "content-type": "application/json" },
        "body": body.to_string(),
    })
}
