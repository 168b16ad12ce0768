//! When a commit was made, by what the source action found out about it.

use std::collections::BTreeMap;

use jiff::Timestamp;

/// The commit's own time among a source action's output variables: `CommitterDate`, which CodeCommit alone has, or else
/// `AuthorDate`, which connections to GitHub, GitLab and Bitbucket have, too (CodePipeline User Guide, "Variables
/// reference"). The committer's is when the commit became what it is: a rebase keeps the author's.
///
/// The AWS CDK calls both "in ISO-8601 format" (`CodeStarSourceVariables`, `CodeCommitSourceVariables`); the User Guide
/// says "timestamp format". So both forms are read, RFC 3339 and seconds or milliseconds since 1970, these also with
/// Git's offset behind them. Which of them comes is not verified. None if it is neither.
pub fn committed(variables: &BTreeMap<String, String>) -> Option<Timestamp> {
    ["CommitterDate", "AuthorDate"].iter().find_map(|name| moment(variables.get(*name)?.trim()))
}

fn moment(text: &str) -> Option<Timestamp> {
    let (number, offset) = text.split_once(' ').unwrap_or((text, "+0000"));
    let is_offset = matches!(offset.as_bytes(), [b'+' | b'-', rest @ ..]
        if rest.len() == 4 && rest.iter().all(u8::is_ascii_digit));
    if number.bytes().all(|byte| byte.is_ascii_digit()) {
        // The offset says where the author was; the seconds are the same everywhere.
        let number: i64 = number.parse().ok().filter(|_| is_offset)?;
        return match text.split(' ').next().map(str::len) {
            Some(10) => Timestamp::from_second(number).ok(),
            Some(13) => Timestamp::from_millisecond(number).ok(),
            Some(_) | None => None,
        };
    }
    // jiff reads more than a moment: without a time of day it would be somebody's midnight.
    if text.get(10..11)? == "T" { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str, value: &str) -> Option<Timestamp> {
        committed(&BTreeMap::from([(name.to_owned(), value.to_owned())]))
    }

    #[test]
    fn a_commits_time_is_read_in_every_form_and_never_guessed() {
        let expected: Timestamp = "2026-03-05T14:05:40Z".parse().unwrap();
        for text in [
            "2026-03-05T14:05:40Z",
            "2026-03-05T15:05:40+01:00",
            "2026-03-05T15:05:40+0100",
            "2026-03-05T14:05:40.000Z",
            "1772719540",
            "1772719540 -0800",
            "1772719540000",
        ] {
            assert_eq!(of("AuthorDate", text), Some(expected), "{text}");
        }
        for text in ["", "yesterday", "2026-03-05", "2026-03-05T14:05:40", "17727195", "1772719540 PST", "-1"]
        {
            assert_eq!(of("AuthorDate", text), None, "{text}");
        }
        assert_eq!(of("CommitId", "2026-03-05T14:05:40Z"), None);
    }

    #[test]
    fn the_committers_time_counts_before_the_authors() {
        let both = BTreeMap::from([
            ("AuthorDate".to_owned(), "2026-01-01T00:00:00Z".to_owned()),
            ("CommitterDate".to_owned(), "2026-03-05T14:05:40Z".to_owned()),
        ]);
        assert_eq!(committed(&both), "2026-03-05T14:05:40Z".parse().ok());
    }
}
