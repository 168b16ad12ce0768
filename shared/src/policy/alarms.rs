//! `alarms`: which alarms are watched, and what each asks for.

use std::fmt;

use super::{
    path::Path,
    reading::{Reading, nearest},
};
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
        self.takes(name.as_bytes(), |byte| byte)
    }

    /// Whether a text is meant of which each byte is read as `read` says. By bytes: what stands between two stars is
    /// whole characters, and those are found in UTF-8 only where they are.
    fn takes(&self, name: &[u8], read: fn(u8) -> u8) -> bool {
        let pattern = self.0.as_bytes();
        // One star at a time: remember the last one, and let it take one byte more on a mismatch.
        let (mut p, mut n, mut star) = (0, 0, None);
        while let Some(byte) = name.get(n).copied().map(read) {
            if pattern.get(p) == Some(&b'*') {
                star = Some((p, n));
                p += 1;
            } else if pattern.get(p) == Some(&byte) {
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
        pattern[p..].iter().all(|byte| *byte == b'*')
    }

    /// Whether some name is meant by both.
    fn overlaps(&self, other: &Self) -> bool {
        let (one, another) = (self.literal_prefix(), other.literal_prefix());
        if !one.starts_with(another) && !another.starts_with(one) {
            return false;
        }
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
        // A `*` of `other` must be taken by a `*` of this one: read as a character that no name has.
        self.takes(other.0.as_bytes(), |byte| if byte == b'*' { 0 } else { byte })
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

pub(super) fn read(reading: &mut Reading, node: &Node, path: &Path<'_>) -> Vec<WatchedAlarm> {
    let expected =
        || "a mapping of alarm names or patterns to rules, such as `checkout-5xx: roll_back`".to_owned();
    let pairs = reading.pairs(node, path, expected);
    let mut watched: Vec<WatchedAlarm> = Vec::with_capacity(pairs.len());
    // The patterns among them, each with its line.
    let mut patterns: Vec<(usize, usize)> = Vec::new();
    for (key, name, value) in pairs {
        let path = path.to(name);
        if name.trim().is_empty() || (name.len() > LONGEST && name.chars().count() > LONGEST) {
            reading.wrong(key.line, &path, format!("an alarm's name has 1 to {LONGEST} characters"));
            continue;
        }
        if let Some(alarm) = entry(reading, name, value, &path) {
            let earlier = patterns.iter().map(|(line, at)| (*line, &watched[*at]));
            contradicts(reading, earlier, key.line, &path, &alarm);
            if !alarm.pattern.is_exact() {
                patterns.push((key.line, watched.len()));
            }
            watched.push(alarm);
        }
    }
    watched
}

fn entry(reading: &mut Reading, name: &str, node: &Node, path: &Path<'_>) -> Option<WatchedAlarm> {
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
    if let Some((_, rule)) = RULES.iter().find(|(word, _)| node.text() == Some(word)) {
        return Some(WatchedAlarm { pattern, rule: *rule, missing: Missing::Ignore });
    }
    // What other tools call it.
    if let Value::Scalar { text, .. } = &node.value
        && nearest(text, &["rollback", "roll_back"]).is_some()
    {
        reading.wrong(node.line, path, format!("found `{text}`; did you mean `roll_back`?"));
        return None;
    }
    let rule = reading.word(node, path, RULES)?;
    Some(WatchedAlarm { pattern, rule, missing: Missing::Ignore })
}

/// First match wins: an entry that can never win, and two patterns that overlap with different rules, are
/// mistakes. A name before a pattern that covers it is not: that is how an exception is written. So of what stands
/// `earlier`, only patterns matter: a name covers itself alone, which is not written twice, and what it overlaps covers
/// it.
fn contradicts<'a>(
    reading: &mut Reading,
    earlier: impl Iterator<Item = (usize, &'a WatchedAlarm)>,
    line: usize,
    path: &Path<'_>,
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
