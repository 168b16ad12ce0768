//! What one person is told: answers to commands, and why a press does not count.

use belay::{chat::command::command, decision::approval::Refused};

use super::{RELEASE, ROLLBACK, because, cards::alarm_went_off};

/// Somebody pressed whom the policy does not name.
pub(super) fn refused() -> String {
    Refused::NotAnApprover.to_string()
}

/// How every service's release is doing.
pub(super) fn status() -> String {
    format!(
        "*checkout*: {RELEASE} is on its way, with 30 % of the traffic; 3 alarms OK, 1 red before it\n\
         *search*: d-2V6N0JH8K succeeded, and stays on watch until 2026-06-18T14:20:00Z\n\
         *payments*: nothing is on its way"
    )
}

/// Why the last decision was taken.
pub(super) fn why() -> String {
    let mut words = format!("*Why {RELEASE} of checkout was taken back*");
    for reason in because(&[alarm_went_off()]) {
        words.push_str(&format!("\n• {reason}"));
    }
    words.push_str(&format!("\nBelay stopped it; {ROLLBACK} brought checkout:211 back."));
    words
}

/// A command that there is not.
pub(super) fn misspelt() -> String {
    command("rolback checkout").map_or_else(|error| error.to_string(), |command| format!("{command:?}"))
}
