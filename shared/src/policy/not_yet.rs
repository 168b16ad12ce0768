//! What the format has and this version of Belay does not do yet. It is refused by name: a rule that can be
//! written down and is not kept would be worse than none.

use super::{Missing, Mode, Rule, WatchedAlarm, reading::Reading};

/// How every such mistake ends, so that the whole format can be read without them.
pub(super) const ENDING: &str = "is understood, but this version of Belay cannot do it yet: remove it";

/// Refuses a part.
pub(super) fn part(reading: &mut Reading, line: usize, path: &str, what: &str) {
    reading.wrong(line, path, format!("{what} {ENDING}"));
}

pub(super) fn alarm(reading: &mut Reading, line: usize, path: &str, alarm: &WatchedAlarm) {
    match alarm.rule {
        Rule::Halt => part(reading, line, path, "the rule `halt`"),
        Rule::Ask => part(reading, line, path, "the rule `ask`"),
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
