//! What the format has and this version of Belay does not do yet. It is refused by name: a rule that can be
//! written down and is not kept would be worse than none.

use super::reading::Reading;

/// What every such mistake says, so that the whole format can be read without them.
pub(super) const NOT_YET: &str = "is understood, but this version of Belay cannot do it yet";

/// Refuses a part.
pub(super) fn part(reading: &mut Reading, line: usize, path: &str, what: &str) {
    reading.wrong(line, path, format!("{what} {NOT_YET}: remove it"));
}
