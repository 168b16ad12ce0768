//! Text from outside, made safe for each chat product, and cut to its limits.
//!
//! The order matters: one line, then escaped, then cut, because an escaped `&` is five characters long.

/// The longest escape that [`escape`] writes, `&amp;`, without its `;`.
const ESCAPE: usize = 4;

/// One line: control characters become spaces, and marks that turn the direction of what follows are dropped, so
/// that a name cannot rearrange the words around it. Spaces at both ends go too.
pub fn line(text: &str) -> String {
    let turned: String = text
        .chars()
        .filter(|c| !matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}'))
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    turned.trim().to_owned()
}

/// Text from outside must not ping a channel: Slack reads `<!here>` and `<@U…>` in mrkdwn. These three are what it
/// asks to be escaped, and nothing else (docs.slack.dev, "Formatting message text").
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Cuts to at most `limit` units, the ellipsis among them, never through a character and never through an escape.
///
/// A unit is one of UTF-16, of which a character takes one or two: whether a product counts those or characters,
/// the text fits.
pub fn cut(text: &str, limit: usize) -> String {
    if units(text) <= limit {
        return text.to_owned();
    }
    let (mut kept, mut used) = (String::new(), 0);
    for character in text.chars() {
        used += character.len_utf16();
        // One is for the ellipsis.
        if used + 1 > limit {
            break;
        }
        kept.push(character);
    }
    if let Some(ampersand) = kept.rfind('&') {
        let rest = &kept[ampersand..];
        if rest.chars().count() <= ESCAPE && !rest.contains(';') {
            kept.truncate(ampersand);
        }
    }
    if limit > 0 {
        kept.push('…');
    }
    kept
}

/// How long a text is, in UTF-16 units.
pub fn units(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

/// Escapes what Teams reads as Markdown in an Adaptive Card (bold, italics, links, code), with a backslash. `<` and
/// `>` go, since a product that reads HTML some day must not find any in here.
pub fn teams_escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\\' | '*' | '_' | '[' | ']' | '(' | ')' | '`' | '~' | '#' => escaped.extend(['\\', character]),
            '<' => escaped.push('‹'),
            '>' => escaped.push('›'),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_slack_reads_as_markup_is_escaped() {
        assert_eq!(escape("a & b <!here> &amp;"), "a &amp; b &lt;!here&gt; &amp;amp;");
        assert_eq!(escape("*bold* `code`"), "*bold* `code`");
    }

    #[test]
    fn what_teams_reads_as_markup_is_escaped() {
        assert_eq!(teams_escape(r"a_b *c* [d](e) \f"), r"a\_b \*c\* \[d\]\(e\) \\f");
        assert_eq!(teams_escape("<at>x</at>"), "‹at›x‹/at›");
    }

    #[test]
    fn a_text_is_cut_at_its_limit_and_not_before() {
        assert_eq!(cut("abcdef", 6), "abcdef");
        assert_eq!(cut("abcdefg", 6), "abcde…");
        assert_eq!(cut("abc", 0), "");
        // A character of two units does not fit into one.
        assert_eq!(cut("ab😀d", 5), "ab😀d");
        assert_eq!(cut("ab😀de", 5), "ab😀…");
        assert_eq!(cut("ab😀de", 4), "ab…");
    }

    #[test]
    fn an_escape_is_kept_whole_or_left_out() {
        assert_eq!(cut("ab&amp;cd", 7), "ab…");
        assert_eq!(cut("ab&amp;cd", 8), "ab&amp;…");
        // An ampersand far away is none of this.
        assert_eq!(cut("a & bcdefghijkl", 10), "a & bcdef…");
    }

    #[test]
    fn one_line_is_one_line() {
        assert_eq!(line(" a\r\nb\u{202E}c\u{7} "), "a  bc");
    }

    proptest! {
        #[test]
        fn a_cut_text_fits_and_is_still_escaped(text in r"[&<>;a-e😀é]{0,40}", limit in 0_usize..60) {
            let kept = cut(&escape(&text), limit);
            prop_assert!(units(&kept) <= limit, "{}", kept);
            prop_assert!(!kept.contains(['<', '>']));
            for (at, _) in kept.match_indices('&') {
                let whole = ["&amp;", "&lt;", "&gt;"].iter().any(|escape| kept[at..].starts_with(escape));
                prop_assert!(whole, "{}", kept);
            }
        }
    }
}
