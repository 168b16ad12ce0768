//! What people read of a message in Slack or of a card in Teams, as lines of text without markup.

use jiff::Timestamp;
use serde_json::Value;

/// Whether a message of ours is a release's card: only cards show facts in two columns.
pub fn is_card(blocks: &[Value]) -> bool {
    blocks.iter().any(|block| block["fields"].is_array())
}

/// The lines of Slack's blocks. Times are read as minutes and seconds since `began`.
pub fn slack(blocks: &[Value], began: Timestamp) -> Vec<String> {
    let mut lines = Vec::new();
    for block in blocks {
        match block["type"].as_str().unwrap_or_default() {
            "header" => lines.push(text(&block["text"]["text"], began)),
            "section" => {
                lines.extend(text(&block["text"]["text"], began).lines().map(str::to_owned));
                // A name above its value.
                for field in list(&block["fields"]) {
                    lines.push(text(&field["text"], began).replacen('\n', ": ", 1));
                }
            }
            "context" => {
                for element in list(&block["elements"]) {
                    lines.push(text(&element["text"], began));
                }
            }
            "input" => lines.push(format!("{} …", text(&block["element"]["placeholder"]["text"], began))),
            "actions" => lines.push(buttons(std::slice::from_ref(block))),
            other => lines.push(format!("(a block of the type {other})")),
        }
    }
    lines.retain(|line| !line.trim().is_empty());
    lines
}

/// The buttons, each in brackets; nothing if there are none.
pub fn buttons(blocks: &[Value]) -> String {
    labels(blocks).iter().map(|label| format!("[{label}]")).collect::<Vec<_>>().join(" ")
}

/// What is on the buttons, in order.
pub fn labels(blocks: &[Value]) -> Vec<String> {
    let elements = blocks.iter().filter(|block| block["type"] == "actions");
    let elements = elements.flat_map(|block| list(&block["elements"]));
    elements.filter_map(|button| button["text"]["text"].as_str().map(str::to_owned)).collect()
}

/// The lines of an Adaptive Card.
pub fn teams(card: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    for part in list(&card["body"]) {
        if let Some(text) = part["text"].as_str() {
            lines.push(text.replace('\\', ""));
        }
        for fact in list(&part["facts"]) {
            let side = |name: &str| fact[name].as_str().unwrap_or_default().replace('\\', "");
            lines.push(format!("{}: {}", side("title"), side("value")));
        }
        for part in list(&part["items"]) {
            lines.extend(part["text"].as_str().map(|text| text.replace('\\', "")));
        }
    }
    for action in list(&card["actions"]) {
        lines.push(format!("[{}]", action["title"].as_str().unwrap_or_default()));
    }
    lines
}

/// A text in mrkdwn as it is read.
pub fn mrkdwn(text: &str, began: Timestamp) -> String {
    let mut read = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('<') {
        read.push_str(before);
        let (marked, after) = after.split_once('>').unwrap_or((after, ""));
        read.push_str(&reference(marked, began));
        rest = after;
    }
    read.push_str(rest);
    let lines: Vec<String> = read.lines().map(plain).collect();
    lines.join("\n").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

/// What stands between `<` and `>`: a time, a person, a link.
fn reference(marked: &str, began: Timestamp) -> String {
    if let Some(date) = marked.strip_prefix("!date^") {
        let second = date.split('^').next().and_then(|second| second.parse::<i64>().ok());
        let since = second.map(|second| second - began.as_second());
        return since.map_or_else(|| marked.to_owned(), clock);
    }
    match marked.split_once('|') {
        Some((_, label)) => label.to_owned(),
        None => marked.to_owned(),
    }
}

/// Minutes and seconds since a rehearsal began, such as `4:05`.
fn clock(seconds: i64) -> String {
    let sign = if seconds < 0 { "-" } else { "" };
    format!("{sign}{}:{:02}", seconds.abs() / 60, seconds.abs() % 60)
}

/// A line without the marks of what is bold or slanted at its beginning; elsewhere they are part of a name.
fn plain(line: &str) -> String {
    for mark in ['*', '_'] {
        if let Some(rest) = line.strip_prefix(mark)
            && let Some((marked, rest)) = rest.split_once(mark)
        {
            return format!("{marked}{rest}");
        }
    }
    line.to_owned()
}

fn text(value: &Value, began: Timestamp) -> String {
    mrkdwn(value.as_str().unwrap_or_default(), began)
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn markup_is_read_as_people_read_it() {
        let began: Timestamp = "2026-03-05T03:00:00Z".parse().unwrap();
        for (written, read) in [
            ("👤 <!date^1772679845^{time}|2026-03-05T03:04:05Z> <@U02ANNA>: no", "👤 4:05 @U02ANNA: no"),
            ("<!date^1772679540^{time}|x>", "-1:00"),
            ("*Traffic* ▓░ 10 %", "Traffic ▓░ 10 %"),
            ("orders-* and a*b", "orders-* and a*b"),
            ("<https://x/?a=1&amp;b=2|Deployment d-1> · d-2", "Deployment d-1 · d-2"),
            ("&lt;!here&gt; &amp; more", "<!here> & more"),
            ("an < that ends nowhere", "an  that ends nowhere"),
        ] {
            assert_eq!(mrkdwn(written, began), read);
        }
    }

    #[test]
    fn blocks_are_lines_and_buttons_are_in_brackets() {
        let began = Timestamp::UNIX_EPOCH;
        let button = |label: &str| json!({ "type": "button", "text": { "text": label } });
        let blocks = [
            json!({ "type": "header", "text": { "text": "orders" } }),
            json!({ "type": "section", "fields": [ { "text": "*Release*\nd-1" } ] }),
            json!({ "type": "actions", "elements": [button("Roll back"), button("Keep")] }),
            json!({ "type": "odd" }),
        ];
        let lines = ["orders", "Release: d-1", "[Roll back] [Keep]", "(a block of the type odd)"];
        assert_eq!(slack(&blocks, began), lines);
        assert!(is_card(&blocks) && !is_card(&blocks[..1]));
        assert_eq!(labels(&blocks), ["Roll back", "Keep"]);
    }
}
