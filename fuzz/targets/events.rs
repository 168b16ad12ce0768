//! Any bytes into every decoder: none may panic, hang or eat the memory, and what is refused is refused shortly.

#![no_main]

use belay::events::{self, AlarmPayload, EventError};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    match events::alarm(bytes) {
        Ok(AlarmPayload::One(changes)) => assert!(!changes.is_empty()),
        Ok(AlarmPayload::Batch(items)) => {
            for item in items {
                match item.changes {
                    Ok(changes) => assert!(!changes.is_empty()),
                    Err(error) => is_short(&error),
                }
            }
        }
        Err(error) => is_short(&error),
    }
    events::release(bytes).map_or_else(|error| is_short(&error), drop);
    events::hook(bytes).map_or_else(|error| is_short(&error), drop);
    events::widget(bytes).map_or_else(|error| is_short(&error), drop);
    events::schedule(bytes).map_or_else(|error| is_short(&error), drop);
});

fn is_short(error: &EventError) {
    match error {
        EventError::NotForUs { came, .. } => assert!(came.chars().count() < 250, "{came}"),
        EventError::Malformed { path, found, .. } => {
            assert!(found.chars().count() <= 60, "{found}");
            assert!(path.chars().count() <= 180, "{path}");
        }
    }
    assert!(!error.to_string().contains(char::is_control));
}
