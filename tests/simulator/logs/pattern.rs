//! Filter patterns for unstructured events: terms that must all be there, `?terms` of which one must, `-terms` that must
//! not (CloudWatch Logs User Guide, "Filter pattern syntax").

use crate::refusal::Refusal;

/// A pattern, read. Terms are looked for anywhere in the message, upper and lower case apart; that a term may be a part
/// of a longer word is not verified.
#[derive(Debug, Default)]
pub(super) struct Pattern {
    all: Vec<String>,
    any: Vec<String>,
    none: Vec<String>,
}

impl Pattern {
    /// Reads a pattern. "Enclose exact phrases and terms that include non-alphanumeric characters in double quotation
    /// marks": others are refused. Patterns for JSON, with spaces as delimiters, and regular expressions are not
    /// modelled, nor is `?` beside other terms, which the guide advises against.
    pub(super) fn read(text: &str) -> Result<Self, Refusal> {
        let not_modelled = |what: &str| Refusal {
            status: 501,
            ..Refusal::new("NotModelled", format!("filterPattern {what}"))
        };
        if text.trim_start().starts_with(['{', '[', '%']) {
            return Err(not_modelled(text));
        }
        let mut pattern = Self::default();
        let mut rest = text.trim_start();
        while !rest.is_empty() {
            let (list, after) = match rest.as_bytes()[0] {
                b'?' => (&mut pattern.any, &rest[1..]),
                b'-' => (&mut pattern.none, &rest[1..]),
                _ => (&mut pattern.all, rest),
            };
            let (term, after) = term(after)?;
            list.push(term);
            rest = after.trim_start();
        }
        let others = pattern.all.len() + pattern.none.len();
        if others > 0 && !pattern.any.is_empty() {
            return Err(not_modelled("with ? beside other terms"));
        }
        Ok(pattern)
    }

    pub(super) fn matches(&self, message: &str) -> bool {
        let has = |term: &String| message.contains(term.as_str());
        self.all.iter().all(has)
            && (self.any.is_empty() || self.any.iter().any(has))
            && !self.none.iter().any(has)
    }
}

/// Takes one term: a word, or what is between double quotation marks; a backslash keeps a mark inside.
fn term(text: &str) -> Result<(String, &str), Refusal> {
    let invalid = || Refusal::new("InvalidParameterException", "Invalid filter pattern");
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(char::is_whitespace).unwrap_or(text.len());
        let (word, rest) = text.split_at(end);
        let plain = !word.is_empty() && word.chars().all(|c| c.is_alphanumeric() || c == '_');
        return if plain { Ok((word.to_owned(), rest)) } else { Err(invalid()) };
    };
    let mut term = String::new();
    let mut characters = quoted.char_indices();
    while let Some((index, character)) = characters.next() {
        match character {
            '"' => return Ok((term, &quoted[index + 1..])),
            '\\' => term.push(characters.next().ok_or_else(invalid)?.1),
            _ => term.push(character),
        }
    }
    Err(invalid())
}
