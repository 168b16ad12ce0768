//! What came of a rehearsal, as a table.

use std::fmt::Write as _;

use belay::reason::spoken;
use comfy_table::{Table, presets};

use super::GREEN;
use crate::stage::{play::Played, script::Rehearsal};

/// What came of it, beside what would have come of it without Belay.
pub fn summary(rehearsal: &Rehearsal, with: &Played, without: &Played) -> String {
    let mut table = Table::new();
    table.load_style(presets::UTF8_BORDERS_ONLY);
    table.set_header(vec!["", "with Belay", "without"]);
    let undone = match (with.undone_after(), with.undos().is_empty()) {
        (Some(took), false) if took.as_secs() == 0 => "in the alarm's own second".to_owned(),
        (Some(took), false) => format!("{} after the alarm", spoken(took)),
        _ => "not needed".to_owned(),
    };
    table.add_row(vec!["undone by Belay", &undone, "–"]);
    table.add_row(vec!["the release", &with.status, &without.status]);
    table.add_row(vec!["users get", &with.serves, &without.serves]);
    let wrong = |played: &Played| format!("{:.0} of {:.0}", played.failed, played.requests);
    table.add_row(vec!["requests gone wrong", &wrong(with), &wrong(without)]);
    table.add_row(vec!["people were told", &format!("{} times", with.messages().len()), "–"]);
    if !with.cards.is_empty() {
        let edits: usize = with.cards.iter().map(|card| card.edits).sum();
        let times = |count: usize, one: &str| format!("{count} {one}{}", if count == 1 { "" } else { "s" });
        let told = format!(
            "{}, {}, {}",
            times(with.cards.len(), "card"),
            times(edits, "edit"),
            times(with.thread.len(), "ping")
        );
        table.add_row(vec!["in Slack", &told, "–"]);
    }
    let mut out = table.to_string();
    let saved = without.failed - with.failed;
    if saved >= 1.0 {
        let _ = write!(
            out,
            "\n{GREEN}{saved:.0} requests that would have gone wrong within {} did not.{GREEN:#}",
            humantime::format_duration(rehearsal.lasts.0)
        );
    }
    out
}
