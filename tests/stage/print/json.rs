//! A rehearsal for programs.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    What,
    stage::{
        as_read,
        play::{Act, Did, Played},
        script::Rehearsal,
    },
};

/// The whole of it for programs.
pub fn json(rehearsal: &Rehearsal, with: &Played, without: &Played, disappointments: &[String]) -> Value {
    let side = |played: &Played| {
        json!({
            "release": played.release,
            "status": played.status,
            "serves": played.serves,
            "requests": played.requests.round(),
            "failed": played.failed.round(),
        })
    };
    let seconds = |at: Timestamp| at.duration_since(with.began).as_secs();
    let happenings: Vec<Value> = with
        .timeline
        .iter()
        .map(|happening| json!({ "second": seconds(happening.at), "what": what(&happening.what) }))
        .collect();
    json!({
        "title": rehearsal.title,
        "timeline": happenings,
        "with": side(with),
        "without": side(without),
        "people": with.acts.iter().map(|act| person(act, seconds(act.at))).collect::<Vec<_>>(),
        "cards": with.cards.iter().map(|card| json!({
            "channel": card.channel, "ts": card.ts, "edits": card.edits, "says": as_read::slack(&card.blocks, with.began),
        })).collect::<Vec<_>>(),
        "whispers": with.whispers.iter().map(|whisper| json!({
            "second": seconds(whisper.at), "user": whisper.user, "text": whisper.text,
        })).collect::<Vec<_>>(),
        "undos": with.undos().len(),
        "undone_after_seconds": with.undone_after().map(|took| took.as_secs()),
        "messages": with.messages().iter().map(|(at, title, text)| {
            json!({ "second": seconds(*at), "title": title, "text": text })
        }).collect::<Vec<_>>(),
        "as_expected": disappointments.is_empty(),
        "disappointments": disappointments,
    })
}

fn what(what: &What) -> Value {
    match what {
        What::Traffic { new_percent, requests, failed, error_rate, latency_p99_ms, .. } => json!({
            "kind": "traffic", "new_percent": new_percent, "requests": requests, "failed": failed,
            "error_rate": error_rate, "latency_p99_ms": latency_p99_ms,
        }),
        What::Alarm { name, from, to, reason } => json!({
            "kind": "alarm", "name": name, "from": from.name(), "to": to.name(), "reason": reason,
        }),
        What::DeploymentEvent { id, state } => json!({ "kind": "deployment", "id": id, "state": state }),
        What::PipelineEvent { pipeline, execution, stage, action, state } => json!({
            "kind": "pipeline", "pipeline": pipeline, "execution": execution, "stage": stage,
            "action": action, "state": state,
        }),
        What::LifecycleEvent { id, event, status } => {
            json!({ "kind": "lifecycle", "id": id, "event": event, "status": status })
        }
        What::Delivery { function, about, mishap } => {
            json!({ "kind": "delivery", "function": function, "about": about, "mishap": format!("{mishap:?}") })
        }
        What::HookCalled { id, event, .. } => json!({ "kind": "hook", "id": id, "event": event }),
        What::Invoked { function, result, .. } => {
            let result = match result {
                Ok(answer) => serde_json::from_str(answer).unwrap_or_else(|_| json!(answer)),
                Err(error) => json!({ "error": error }),
            };
            json!({ "kind": "invoked", "function": function, "result": result })
        }
        What::ApiCall(call) => json!({
            "kind": "call", "operation": call.operation, "input": call.input, "changed": call.changed,
            "error": call.outcome.as_ref().err(),
        }),
        What::Chat { service, act, place, name, text, body } => json!({
            "kind": "chat", "product": format!("{service:?}"), "act": format!("{act:?}"), "place": place,
            "ts": name, "text": text, "body": body,
        }),
        What::Message { subject, body } => {
            let body = serde_json::from_str(body).unwrap_or_else(|_| json!(body));
            json!({ "kind": "message", "subject": subject, "body": body })
        }
    }
}

/// What a person did.
fn person(act: &Act, second: i64) -> Value {
    let mut told = match &act.did {
        Did::Pressed { user, button, why } => {
            json!({ "kind": "press", "user": user, "button": button, "why": why })
        }
        Did::Typed { user, text, answer } => {
            json!({ "kind": "command", "user": user, "text": text, "answer": answer })
        }
        Did::AnsweredInConsole { who, stage, approved } => {
            json!({ "kind": "console", "user": who, "stage": stage, "approved": approved })
        }
        Did::SlackWentDown => json!({ "kind": "slack", "up": false }),
        Did::SlackCameUp => json!({ "kind": "slack", "up": true }),
    };
    told["second"] = json!(second);
    told
}
