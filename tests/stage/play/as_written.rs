//! Addresses as the policy has them: a rehearsal calls the simulator's instead.

use serde_json::Value;

use crate::{Call, Happening, SlackMessage, What};

/// Addresses as the policy has them, where people read them.
pub(crate) fn as_written(timeline: Vec<Happening>, endpoint: &str) -> Vec<Happening> {
    let health = format!("{endpoint}/health/");
    let restore = |text: String| text.replace(&health, "https://");
    timeline
        .into_iter()
        .map(|Happening { at, what }| {
            let what = match what {
                What::Invoked { number, id, attempt, function, payload, result } => {
                    let result = result.map(restore).map_err(restore);
                    What::Invoked { number, id, attempt, function, payload, result }
                }
                What::Message { subject, body } => What::Message { subject, body: restore(body) },
                What::Chat { service, act, place, name, text, body } => {
                    let body = restored(body, &health);
                    What::Chat { service, act, place, name, text: restore(text), body }
                }
                What::ApiCall(call) => {
                    let input = restored(call.input, &health);
                    What::ApiCall(Call { input, ..call })
                }
                other => other,
            };
            Happening { at, what }
        })
        .collect()
}

/// A card with the addresses as the policy has them, in all of its versions.
pub(super) fn card_as_written(card: &SlackMessage, endpoint: &str) -> SlackMessage {
    let health = format!("{endpoint}/health/");
    let mut card = card.clone();
    let versions = card.versions.iter_mut().map(|version| &mut version.blocks);
    for blocks in versions.chain([&mut card.blocks]) {
        *blocks = blocks.drain(..).map(|block| restored(block, &health)).collect();
    }
    card
}

/// The same value with other addresses in its texts.
fn restored(value: Value, health: &str) -> Value {
    match value {
        Value::String(text) => Value::String(text.replace(health, "https://")),
        Value::Array(items) => items.into_iter().map(|item| restored(item, health)).collect(),
        Value::Object(members) => {
            members.into_iter().map(|(name, member)| (name, restored(member, health))).collect()
        }
        plain @ (Value::Null | Value::Bool(_) | Value::Number(_)) => plain,
    }
}
