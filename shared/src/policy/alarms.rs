//! `alarms`: which alarms are watched, and what each asks for.

use std::fmt;

use super::reading::{Reading, join, nearest};
use crate::{
    release::AlarmName,
    yaml::{Node, Value},
};

/// One entry of a service's `alarms`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchedAlarm {
    /// Which alarms.
    pub pattern: AlarmPattern,
    /// What one of them going off asks for.
    pub rule: Rule,
    /// What INSUFFICIENT_DATA counts as.
    pub missing: Missing,
}

/// What an alarm asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Take the release back.
    RollBack,
    /// Stop it where it is.
    Halt,
    /// Ask a person.
    Ask,
    /// Tell people.
    Notify,
}

/// What INSUFFICIENT_DATA counts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// As nothing; it is recorded.
    Ignore,
    /// As ALARM.
    Alarm,
}

/// An alarm's name, or a pattern in which `*` stands for any characters, also none.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AlarmPattern(String);

impl AlarmPattern {
    /// The pattern as it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is one alarm's name.
    pub fn is_exact(&self) -> bool {
        !self.0.contains('*')
    }

    /// What every matching name begins with: everything before the first `*`.
    pub fn literal_prefix(&self) -> &str {
        self.0.split('*').next().unwrap_or_default()
    }

    /// Whether an alarm is meant.
    pub fn matches(&self, alarm: &AlarmName) -> bool {
        self.fits(alarm.as_str())
    }

    /// A pattern of other names than alarms'.
    pub(super) fn of(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// Whether a name is meant.
    pub(super) fn fits(&self, name: &str) -> bool {
        let name: Vec<char> = name.chars().collect();
        let pattern: Vec<char> = self.0.chars().collect();
        // One star at a time: remember the last one, and let it take one character more on a mismatch.
        let (mut p, mut n, mut star) = (0, 0, None);
        while n < name.len() {
            if pattern.get(p) == Some(&'*') {
                star = Some((p, n));
                p += 1;
            } else if pattern.get(p) == name.get(n) {
                p += 1;
                n += 1;
            } else if let Some((at, took)) = star {
                star = Some((at, took + 1));
                p = at + 1;
                n = took + 1;
            } else {
                return false;
            }
        }
        pattern[p..].iter().all(|c| *c == '*')
    }

    /// Whether some name is meant by both.
    fn overlaps(&self, other: &Self) -> bool {
        let (a, b): (Vec<char>, Vec<char>) = (self.0.chars().collect(), other.0.chars().collect());
        // reachable[j]: the first i characters of `a` and the first j of `b` can mean the same text.
        let mut reachable = vec![false; b.len() + 1];
        reachable[0] = true;
        for j in 0..b.len() {
            reachable[j + 1] = reachable[j] && b[j] == '*';
        }
        for &c in &a {
            let mut next = vec![false; b.len() + 1];
            next[0] = reachable[0] && c == '*';
            for (j, &d) in b.iter().enumerate() {
                // A star means nothing more, or one more of the other side's characters.
                next[j + 1] =
                    if c == '*' || d == '*' { reachable[j + 1] || next[j] } else { reachable[j] && c == d };
            }
            reachable = next;
        }
        reachable[b.len()]
    }

    /// Whether this one means everything that `other` means: then `other`, written later, can never win. Exact
    /// for an exact `other`; for two patterns it may miss a case, never invent one.
    pub(super) fn covers(&self, other: &Self) -> bool {
        if other.is_exact() {
            return self.matches(&AlarmName::from(other.as_str()));
        }
        // A `*` of `other` must be taken by a `*` of this one: treated as a character that no name has.
        self.matches(&AlarmName::from(other.as_str().replace('*', "\u{0}")))
    }
}

impl fmt::Display for AlarmPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// CloudWatch's limit of an alarm's name.
const LONGEST: usize = 255;

const RULES: &[(&str, Rule)] =
    &[("roll_back", Rule::RollBack), ("halt", Rule::Halt), ("ask", Rule::Ask), ("notify", Rule::Notify)];

pub(super) fn read(reading: &mut Reading, node: &Node, path: &str) -> Vec<WatchedAlarm> {
    let expected = "a mapping of alarm names or patterns to rules, such as `checkout-5xx: roll_back`";
    let mut watched: Vec<(usize, WatchedAlarm)> = Vec::new();
    for (key, name, value) in reading.pairs(node, path, expected) {
        let path = join(path, name);
        if name.trim().is_empty() || name.chars().count() > LONGEST {
            reading.wrong(key.line, &path, format!("an alarm's name has 1 to {LONGEST} characters"));
            continue;
        }
        if let Some(alarm) = entry(reading, name, value, &path) {
            contradicts(reading, &watched, key.line, &path, &alarm);
            watched.push((key.line, alarm));
        }
    }
    watched.into_iter().map(|(_, alarm)| alarm).collect()
}

fn entry(reading: &mut Reading, name: &str, node: &Node, path: &str) -> Option<WatchedAlarm> {
    let pattern = AlarmPattern(name.to_owned());
    if let Value::Mapping(_) = &node.value {
        let fields = reading.fields(node, path, &["rule", "missing"]);
        let rule = reading.required(&fields, "rule", "roll_back");
        let rule = rule.and_then(|node| reading.word(node, &fields.path("rule"), RULES));
        let missing = match fields.get("missing") {
            None => Some(Missing::Ignore),
            Some(node) => {
                let words = [("ignore", Missing::Ignore), ("alarm", Missing::Alarm)];
                reading.word(node, &fields.path("missing"), &words)
            }
        };
        return Some(WatchedAlarm { pattern, rule: rule?, missing: missing? });
    }
    // What other tools call it.
    if let Value::Scalar { text, .. } = &node.value
        && nearest(text, &["rollback", "roll_back"]).is_some()
        && text != "roll_back"
    {
        reading.wrong(node.line, path, format!("found `{text}`; did you mean `roll_back`?"));
        return None;
    }
    let rule = reading.word(node, path, RULES)?;
    Some(WatchedAlarm { pattern, rule, missing: Missing::Ignore })
}

/// First match wins: an entry that can never win, and two patterns that overlap with different rules, are
/// mistakes. A name before a pattern that covers it is not: that is how an exception is written.
fn contradicts(
    reading: &mut Reading,
    earlier: &[(usize, WatchedAlarm)],
    line: usize,
    path: &str,
    alarm: &WatchedAlarm,
) {
    for (other_line, other) in earlier {
        if other.pattern.covers(&alarm.pattern) {
            let said =
                format!("never applies: `{}` on line {other_line} covers it and comes first", other.pattern);
            reading.wrong(line, path, said);
            return;
        }
        let same = other.rule == alarm.rule && other.missing == alarm.missing;
        if !same && !alarm.pattern.covers(&other.pattern) && other.pattern.overlaps(&alarm.pattern) {
            let said = format!(
                "overlaps `{}` on line {other_line}, which has a different rule: some alarms match both",
                other.pattern
            );
            reading.wrong(line, path, said);
        }
    }
}
