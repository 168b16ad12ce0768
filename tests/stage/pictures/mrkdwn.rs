//! Slack's mrkdwn as HTML (docs.slack.dev, "Formatting message text").

use jiff::{Timestamp, tz::TimeZone};

/// Who looks: whom they know, and when.
pub(super) struct Viewer {
    /// People's ids and names.
    pub(super) people: &'static [(&'static str, &'static str)],
    /// The day that is "today" to them, as Unix time of any moment in it. Their clock shows UTC.
    pub(super) today: i64,
}

/// What has a meaning in mrkdwn.
const MARKS: [char; 5] = ['<', '*', '_', '~', '`'];

/// Text for HTML, also between quotes.
pub(super) fn escape(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('"', "&quot;").replace('\'', "&#39;")
}

/// Slack's plain text: it knows the three escapes and no other markup.
pub(super) fn plain(text: &str) -> String {
    escape(&text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))
}

/// A red box in place of what this imitation of Slack and Teams does not know.
pub(super) fn unknown(what: &str) -> String {
    format!("<span class=\"unknown\">unknown: {}</span>", escape(what))
}

/// mrkdwn as HTML. Lines stay lines: the page keeps white space.
pub(super) fn mrkdwn(text: &str, viewer: &Viewer) -> String {
    let (mut html, mut rest, mut before) = (String::new(), text, None);
    while !rest.is_empty() {
        let after = match span(rest, before, viewer) {
            Some((shown, after)) => {
                html.push_str(&shown);
                after
            }
            None => {
                let next = rest.char_indices().skip(1).find(|(_, character)| MARKS.contains(character));
                let (words, after) = rest.split_at(next.map_or(rest.len(), |(at, _)| at));
                html.push_str(&plain(words));
                after
            }
        };
        before = rest[..rest.len() - after.len()].chars().next_back();
        rest = after;
    }
    html
}

/// What stands at the beginning, if it is marked up, and what follows it.
fn span<'a>(text: &'a str, before: Option<char>, viewer: &Viewer) -> Option<(String, &'a str)> {
    if let Some((code, after)) = text.strip_prefix("```").and_then(|rest| rest.split_once("```")) {
        return Some((format!("<pre>{}</pre>", plain(code.trim_matches('\n'))), after));
    }
    if let Some((code, after)) = text.strip_prefix('`').and_then(|rest| rest.split_once('`')) {
        let is_code = !code.is_empty() && !code.contains('\n');
        return is_code.then(|| (format!("<code>{}</code>", plain(code)), after));
    }
    if let Some((inside, after)) = text.strip_prefix('<').and_then(|rest| rest.split_once('>')) {
        return Some((marked(inside, viewer), after));
    }
    for (mark, tag) in [('*', "b"), ('_', "i"), ('~', "s")] {
        let Some(rest) = text.strip_prefix(mark) else { continue };
        if before.is_some_and(char::is_alphanumeric) {
            return None;
        }
        let end = closing(rest, mark)?;
        let inside = mrkdwn(&rest[..end], viewer);
        return Some((format!("<{tag}>{inside}</{tag}>"), &rest[end + 1..]));
    }
    None
}

/// Where a mark is closed: on the same line, after no space and before no letter, outside of `<…>` and code.
fn closing(text: &str, mark: char) -> Option<usize> {
    let (mut before, mut within) = (' ', None);
    for (at, character) in text.char_indices() {
        match within {
            Some(end) if character == end => within = None,
            Some(_) => {}
            None if character == '\n' => return None,
            None if character == '<' => within = Some('>'),
            None if character == '`' => within = Some('`'),
            None if character == mark => {
                let next = text[at + 1..].chars().next();
                // Slack takes `* a*` for no bold, and `a*b` neither.
                if at == 0 {
                    return None;
                }
                if !before.is_whitespace() && !next.is_some_and(char::is_alphanumeric) {
                    return Some(at);
                }
            }
            None if at == 0 && character.is_whitespace() => return None,
            None => {}
        }
        before = character;
    }
    None
}

/// What stands between `<` and `>`.
fn marked(inside: &str, viewer: &Viewer) -> String {
    if let Some(id) = inside.strip_prefix('@') {
        let name = viewer.people.iter().find(|(known, _)| *known == id).map_or(id, |(_, name)| *name);
        return format!("<span class=\"mention\">@{}</span>", escape(name));
    }
    if let Some(words) = inside.strip_prefix("!date^") {
        return date(words, viewer).unwrap_or_else(|| unknown(inside));
    }
    if let Some(word @ ("here" | "channel" | "everyone")) = inside.strip_prefix('!') {
        return format!("<span class=\"mention all\">@{word}</span>");
    }
    match inside.split_once('|') {
        Some((url, label)) if url.starts_with("https://") => {
            // Its escapes are those of HTML already.
            let url = url.replace('"', "%22");
            format!("<a href=\"{url}\">{}</a>", plain(label))
        }
        Some(_) | None => unknown(inside),
    }
}

/// A time, from `<Unix time>^<format>|<fallback>` (docs.slack.dev, "Date formatting").
fn date(words: &str, viewer: &Viewer) -> Option<String> {
    let (seconds, rest) = words.split_once('^')?;
    let (format, _) = rest.split_once('|')?;
    let day = |at: Timestamp| at.to_zoned(TimeZone::UTC).date();
    let at = Timestamp::from_second(seconds.parse().ok()?).ok()?;
    let today = day(Timestamp::from_second(viewer.today).ok()?);
    let pretty = if day(at) == today {
        "today".to_owned()
    } else if Some(day(at)) == today.yesterday().ok() {
        "yesterday".to_owned()
    } else {
        at.strftime("%b %-d, %Y").to_string()
    };
    let shown = format.replace("{date_short_pretty}", &pretty).replace("{time}", &clock(at));
    (!shown.contains('{')).then(|| format!("<time>{}</time>", plain(&shown)))
}

/// The time of day.
pub(super) fn clock(at: Timestamp) -> String {
    at.strftime("%H:%M").to_string()
}
