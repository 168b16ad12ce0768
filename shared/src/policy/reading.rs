//! Reading a tree strictly: every mistake is kept, with its line and what was meant, and reading goes on.

use std::{collections::HashMap, time::Duration};

use super::{Mistake, path::Path};
use crate::yaml::{Node, Value};

/// The mistakes found so far.
#[derive(Default)]
pub(super) struct Reading {
    pub(super) mistakes: Vec<Mistake>,
}

/// The fields of a mapping, found by name.
pub(super) struct Fields<'a> {
    pub(super) line: usize,
    path: Path<'a>,
    pairs: Vec<(&'a str, &'a Node)>,
}

impl<'a> Fields<'a> {
    /// The field's value, if it is written. An empty value counts as written.
    pub(super) fn get(&self, name: &str) -> Option<&'a Node> {
        self.pairs.iter().find(|(key, _)| *key == name).map(|(_, node)| *node)
    }

    /// The path of one of the fields.
    pub(super) fn path<'b>(&'b self, name: &'b str) -> Path<'b> {
        self.path.to(name)
    }
}

/// Up to so many keys are compared one by one; more are looked up.
const FEW: usize = 16;

impl Reading {
    /// Keeps a mistake.
    pub(super) fn wrong(&mut self, line: usize, path: &Path<'_>, said: impl Into<String>) {
        self.mistakes.push(Mistake { line, path: path.to_string(), said: said.into() });
    }

    /// A mapping's pairs with their keys as text, each key once. `expected` is asked for only if it is no mapping.
    pub(super) fn pairs<'a>(
        &mut self,
        node: &'a Node,
        path: &Path<'_>,
        expected: impl FnOnce() -> String,
    ) -> Vec<(&'a Node, &'a str, &'a Node)> {
        let Value::Mapping(pairs) = &node.value else {
            self.wrong(node.line, path, format!("found {}, expected {}", node.shown(), expected()));
            return Vec::new();
        };
        let mut seen: Vec<(&Node, &str, &Node)> = Vec::with_capacity(pairs.len());
        let mut lines: HashMap<&str, usize> = HashMap::new();
        if pairs.len() > FEW {
            lines.reserve(pairs.len());
        }
        for (key, value) in pairs {
            let Value::Scalar { text, .. } = &key.value else {
                self.wrong(key.line, path, format!("found {} as a name, expected a word", key.shown()));
                continue;
            };
            let first = if pairs.len() > FEW {
                lines.get(text.as_str()).copied()
            } else {
                seen.iter().find(|(_, name, _)| name == text).map(|(first, ..)| first.line)
            };
            if let Some(first) = first {
                let said = format!("is written twice; the first is on line {first}");
                self.wrong(key.line, &path.to(text), said);
                continue;
            }
            if pairs.len() > FEW {
                lines.insert(text, key.line);
            }
            seen.push((key, text, value));
        }
        seen
    }

    /// A mapping of which only these fields may be written.
    pub(super) fn fields<'a>(&mut self, node: &'a Node, path: &Path<'a>, known: &[&str]) -> Fields<'a> {
        let expected = || format!("a mapping with {}", listed(known, "and"));
        let written = self.pairs(node, path, expected);
        let mut pairs = Vec::with_capacity(written.len());
        for (key, name, value) in written {
            if known.contains(&name) {
                pairs.push((name, value));
            } else {
                let said = match nearest(name, known) {
                    Some(meant) => format!("there is no such field; did you mean `{meant}`?"),
                    None => format!("there is no such field; known here: {}", listed(known, "and")),
                };
                self.wrong(key.line, &path.to(name), said);
            }
        }
        Fields { line: node.line, path: *path, pairs }
    }

    /// A list's items.
    pub(super) fn list<'a>(
        &mut self,
        node: &'a Node,
        path: &Path<'_>,
        expected: impl FnOnce() -> String,
    ) -> &'a [Node] {
        match &node.value {
            Value::List(items) => items,
            Value::Scalar { .. } | Value::Mapping(_) => {
                self.wrong(node.line, path, format!("found {}, expected {}", node.shown(), expected()));
                &[]
            }
        }
    }

    /// Text that is not empty.
    pub(super) fn text(
        &mut self,
        node: &Node,
        path: &Path<'_>,
        expected: &str,
        longest: usize,
    ) -> Option<String> {
        match &node.value {
            Value::Scalar { text, .. } if !node.is_empty() && !text.trim().is_empty() => {
                if text.len() > longest && text.chars().count() > longest {
                    self.wrong(
                        node.line,
                        path,
                        format!("is longer than the {longest} characters that AWS allows"),
                    );
                    return None;
                }
                Some(text.clone())
            }
            Value::Scalar { .. } | Value::List(_) | Value::Mapping(_) => {
                self.wrong(node.line, path, format!("found {}, expected {expected}", node.shown()));
                None
            }
        }
    }

    /// A field that must be written.
    pub(super) fn required<'a>(
        &mut self,
        fields: &Fields<'a>,
        name: &str,
        example: &str,
    ) -> Option<&'a Node> {
        let found = fields.get(name);
        if found.is_none() {
            let path = fields.path(name);
            self.wrong(fields.line, &path, format!("is missing; for example `{name}: {example}`"));
        }
        found
    }

    /// One of these words.
    pub(super) fn word<T: Copy>(&mut self, node: &Node, path: &Path<'_>, words: &[(&str, T)]) -> Option<T> {
        if let Value::Scalar { text, .. } = &node.value
            && let Some((_, value)) = words.iter().find(|(name, _)| name == text)
        {
            return Some(*value);
        }
        let names: Vec<&str> = words.iter().map(|(name, _)| *name).collect();
        if let Value::Scalar { text, .. } = &node.value
            && let Some(meant) = nearest(text, &names)
        {
            self.wrong(node.line, path, format!("found `{text}`; did you mean `{meant}`?"));
            return None;
        }
        let said = format!("found {}, expected {}", node.shown(), listed(&names, "or"));
        self.wrong(node.line, path, said);
        None
    }

    /// A whole number.
    pub(super) fn number(
        &mut self,
        node: &Node,
        path: &Path<'_>,
        range: std::ops::RangeInclusive<u32>,
    ) -> Option<u32> {
        if let Value::Scalar { text, quoted: false } = &node.value
            && let Ok(number) = text.parse()
            && range.contains(&number)
        {
            return Some(number);
        }
        let said = format!(
            "found {}, expected a whole number from {} to {}",
            node.shown(),
            range.start(),
            range.end()
        );
        self.wrong(node.line, path, said);
        None
    }

    /// A duration with its unit, longer than nothing and at most a year.
    pub(super) fn duration(&mut self, node: &Node, path: &Path<'_>, example: &str) -> Option<Duration> {
        if let Value::Scalar { text, .. } = &node.value {
            if !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit()) {
                let said = format!("found `{text}` without a unit; did you mean `{text}s` or `{text}m`?");
                self.wrong(node.line, path, said);
                return None;
            }
            // Where `m` was meant, an alarm would count against its release for months.
            if text.contains('M') || text.contains("month") {
                let meant = text.replace('M', "m");
                let said = if humantime::parse_duration(&meant).is_ok() && meant != *text {
                    format!("found `{text}`, which is months; did you mean `{meant}`?")
                } else {
                    format!(
                        "found {}, expected a duration such as `{example}` (ms, s, m, h, d)",
                        node.shown()
                    )
                };
                self.wrong(node.line, path, said);
                return None;
            }
            match humantime::parse_duration(text) {
                Ok(duration) if duration.is_zero() => {
                    self.wrong(node.line, path, format!("found `{text}`, expected longer than nothing"));
                    return None;
                }
                Ok(duration) if duration > Duration::from_hours(8784) => {
                    self.wrong(node.line, path, format!("found `{text}`, expected at most a year"));
                    return None;
                }
                Ok(duration) => return Some(duration),
                Err(_) => {}
            }
        }
        let said = format!(
            "found {}, expected a duration with a unit such as `{example}` (ms, s, m, h, d)",
            node.shown()
        );
        self.wrong(node.line, path, said);
        None
    }
}

/// The word that was most likely meant, if one is near enough.
pub(super) fn nearest<'a>(found: &str, known: &[&'a str]) -> Option<&'a str> {
    let plain = |text: &str| text.to_lowercase().replace(['-', ' '], "_");
    known
        .iter()
        .map(|word| (strsim::damerau_levenshtein(&plain(found), &plain(word)), *word))
        .filter(|(distance, word)| *distance <= (word.chars().count() / 3).max(1))
        .min()
        .map(|(_, word)| word)
}

/// `a`, `b` and `c`.
pub(super) fn listed(words: &[&str], last: &str) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        None => "nothing".to_owned(),
        Some((only, [])) => only.clone(),
        Some((end, rest)) => format!("{} {last} {end}", rest.join(", ")),
    }
}
