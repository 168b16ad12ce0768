//! What the format has and this version of Belay does not do yet. It is refused by name: a rule that can be
//! written down and is not kept would be worse than none.

use super::{Missing, Mode, Rule, WatchedAlarm, reading::Reading};

/// What every such mistake says, so that the whole format can be read without them.
pub(super) const NOT_YET: &str = "is understood, but this version of Belay cannot do it yet";

/// Refuses a part.
pub(super) fn part(reading: &mut Reading, line: usize, path: &str, what: &str) {
    reading.wrong(line, path, format!("{what} {NOT_YET}: remove it"));
}

/// An alarm's rule is not to be removed: that would stop watching the alarm.
fn rule(reading: &mut Reading, line: usize, path: &str, word: &str) {
    reading.wrong(line, path, format!("the rule `{word}` {NOT_YET}: write `roll_back` or `notify`"));
}

pub(super) fn alarm(reading: &mut Reading, line: usize, path: &str, alarm: &WatchedAlarm) {
    match alarm.rule {
        Rule::Halt => rule(reading, line, path, "halt"),
        Rule::Ask => rule(reading, line, path, "ask"),
        Rule::RollBack | Rule::Notify => {}
    }
    match alarm.missing {
        Missing::Alarm => part(reading, line, path, "`missing: alarm`"),
        Missing::Ignore => {}
    }
}

pub(super) fn mode(reading: &mut Reading, line: usize, path: &str, mode: Mode) {
    match mode {
        Mode::Observe => part(reading, line, path, "`mode: observe`"),
        Mode::Enforce => {}
    }
}
