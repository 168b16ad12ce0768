//! The parts of which a Slack message is made, each within Block Kit's limits (reference: "Block limits").
//!
//! Text from outside enters through [`outside`] and nowhere else. A limit that is exceeded loses the whole message
//! (`invalid_blocks`), so ours are a little below Slack's.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    chat::text::{cut, escape, line, units},
    message::Link,
};

/// A header's text; Slack takes 150.
const HEADER: usize = 140;
/// A section's text; Slack takes 3,000.
pub(super) const SECTION: usize = 2_900;
/// All texts of a message; Slack takes about 13,200 (observed: bolt-js issue 2509).
pub(super) const TOTAL: usize = 12_800;
/// A link's address; a longer one is not shown, since a cut one leads elsewhere.
const URL: usize = 1_000;
/// All links of a message.
const LINKS: usize = 1_500;

/// Text from outside: one line, without markup, at most `limit` long.
pub(super) fn outside(text: &str, limit: usize) -> String {
    cut(&escape(&line(text)), limit)
}

/// The same, with a dash for nothing: Slack refuses empty texts.
pub(super) fn outside_or_dash(text: &str, limit: usize) -> String {
    let shown = outside(text, limit);
    if shown.is_empty() { "–".to_owned() } else { shown }
}

/// Plain text, for buttons and titles.
pub(super) fn plain(text: &str) -> Value {
    json!({ "type": "plain_text", "text": text, "emoji": true })
}

/// Text with markup of ours. `verbatim`: Slack makes no mention or link out of what is not marked as one.
pub(super) fn mrkdwn(text: &str) -> Value {
    json!({ "type": "mrkdwn", "text": text, "verbatim": true })
}

pub(super) fn header(text: &str) -> Value {
    json!({ "type": "header", "text": plain(&cut(text, HEADER)) })
}

/// `text` has at most [`SECTION`] units.
pub(super) fn section(text: &str) -> Value {
    json!({ "type": "section", "text": mrkdwn(text) })
}

/// Small print. `text` has at most [`SECTION`] units.
pub(super) fn fine_print(text: &str) -> Value {
    json!({ "type": "context", "elements": [mrkdwn(text)] })
}

/// Lines as few sections; no line is longer than [`SECTION`].
pub(super) fn sections(lines: &[String]) -> Vec<Value> {
    let mut texts: Vec<String> = Vec::new();
    for line in lines {
        match texts.last_mut() {
            Some(text) if units(text) + 1 + units(line) <= SECTION => {
                text.push('\n');
                text.push_str(line);
            }
            Some(_) | None => texts.push(line.clone()),
        }
    }
    texts.iter().map(|text| section(text)).collect()
}

/// How many of the texts fit into `budget`, each with a line break.
pub(super) fn fitting<'a>(texts: impl Iterator<Item = &'a String>, budget: usize) -> usize {
    let mut used = 0;
    texts
        .take_while(|text| {
            used += units(text) + 1;
            used <= budget
        })
        .count()
}

/// The first lines that fit into `budget`, and a last one that says how many do not.
pub(super) fn first(mut lines: Vec<String>, budget: usize) -> Vec<String> {
    let fit = fitting(lines.iter(), budget);
    let rest = lines.len() - fit;
    lines.truncate(fit);
    if rest > 0 {
        lines.push(format!("… and {rest} more"));
    }
    lines
}

/// A time as everybody reads it in their own time zone; in ISO where Slack cannot (docs.slack.dev, "Date
/// formatting").
pub(super) fn clock(at: Timestamp) -> String {
    format!("<!date^{}^{{time}}|{at:.0}>", at.as_second())
}

/// A time with its day, in the reader's own time zone.
pub(super) fn date(at: Timestamp) -> String {
    format!("<!date^{}^{{date_short_pretty}} {{time}}|{at:.0}>", at.as_second())
}

/// A person, by their id; what is no id is shown as it is.
pub(super) fn person(who: &str) -> String {
    let is_id = (1..=32).contains(&who.len())
        && who.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    if is_id { format!("<@{who}>") } else { outside_or_dash(who, 40) }
}

/// All links as one line of small print, as far as there is room.
pub(super) fn links(links: &[Link]) -> Option<Value> {
    let shown: Vec<String> = links.iter().map(link).collect();
    let fit = fitting(shown.iter(), LINKS - 2 * shown.len().min(LINKS / 2));
    (fit > 0).then(|| fine_print(&shown[..fit].join(" · ")))
}

/// A link, or its label alone if its address is none that we would send anybody to.
fn link(link: &Link) -> String {
    let label = outside_or_dash(&link.label, 75).replace('|', "/");
    match address(&link.url) {
        Some(url) => format!("<{url}|{label}>"),
        None => label,
    }
}

/// An address in which nothing ends the link or begins another.
fn address(url: &str) -> Option<String> {
    url.strip_prefix("https://").filter(|rest| !rest.is_empty())?;
    let mut safe = String::new();
    for character in url.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' | '>' | '|' | '"' | '\\' | '^' | '`' | '{' | '}' | ' ' => escape_byte(character, &mut safe),
            graphic if graphic.is_ascii_graphic() => safe.push(graphic),
            other => escape_byte(other, &mut safe),
        }
    }
    (units(&safe) <= URL).then_some(safe)
}

/// Writes a character as `%XX`, byte by byte.
fn escape_byte(character: char, into: &mut String) {
    for byte in character.encode_utf8(&mut [0; 4]).bytes() {
        into.push_str(&format!("%{byte:02X}"));
    }
}

/// How long all texts in these blocks are together.
pub(super) fn total(blocks: &Value) -> usize {
    match blocks {
        Value::Array(items) => items.iter().map(total).sum(),
        Value::Object(fields) => fields
            .iter()
            .map(|(key, value)| match value {
                Value::String(text) if key == "text" => units(text),
                Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => 0,
                Value::Array(_) | Value::Object(_) => total(value),
            })
            .sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(label: &str, url: &str) -> String {
        link(&Link { label: label.to_owned(), url: url.to_owned() })
    }

    #[test]
    fn no_address_breaks_out_of_its_link() {
        assert_eq!(to("a|<b>", "https://x/?a=1&b=2"), "<https://x/?a=1&amp;b=2|a/&lt;b&gt;>");
        assert_eq!(to("a", "https://x/ä|b><!here>"), "<https://x/%C3%A4%7Cb%3E%3C!here%3E|a>");
        for other in ["http://x", "javascript:alert(1)", "https://", "", "!here"] {
            assert_eq!(to("a", other), "a", "{other}");
        }
        assert_eq!(to("", &format!("https://{}", "x".repeat(1_000))), "–");
    }

    #[test]
    fn a_person_is_mentioned_by_id_only() {
        assert_eq!(person("U02ABCDEF"), "<@U02ABCDEF>");
        assert_eq!(person("U1><!here"), "U1&gt;&lt;!here");
        assert_eq!(person("roadrunner"), "roadrunner");
        assert_eq!(person(""), "–");
    }

    #[test]
    fn a_time_has_a_fallback() {
        let at = Timestamp::from_second(1_772_719_541).unwrap();
        assert_eq!(date(at), "<!date^1772719541^{date_short_pretty} {time}|2026-03-05T14:05:41Z>");
    }

    #[test]
    fn lines_share_sections_until_they_are_full() {
        let lines = [1_450, 1_449, 1].map(|length| "x".repeat(length));
        let texts = sections(&lines);
        assert_eq!(texts.len(), 2);
        assert_eq!(units(texts[0]["text"]["text"].as_str().unwrap()), SECTION);
    }

    #[test]
    fn what_does_not_fit_is_counted() {
        let lines = vec!["aaa".to_owned(), "bbb".to_owned(), "ccc".to_owned()];
        assert_eq!(first(lines.clone(), 12), lines);
        assert_eq!(first(lines, 11), ["aaa", "bbb", "… and 1 more"]);
    }

    #[test]
    fn every_text_counts() {
        let blocks = json!([header("ab"), {"type": "actions", "elements": [
            {"type": "button", "text": plain("cde"), "value": "no", "confirm": {"text": mrkdwn("f")}}]}]);
        assert_eq!(total(&blocks), 6);
        assert_eq!(total(&json!([{"type": "x", "confirm": {"confirm": plain("12")}}])), 2);
    }
}
