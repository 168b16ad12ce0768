//! What Belay's buttons and boxes are called in Slack: written by the card's renderer, read back from a press.
//!
//! A button is called `belay/<choice's word>/<n>` and a box for a reason `belay/why/<n>`, where `n` is the offer's
//! position on its card: ids are unique in a message. A button's value is the offer's opaque id and nothing else,
//! since anybody in the channel can read it.

use crate::approval::Choice;

const WHY: &str = "belay/why";

/// How many characters a reason may have.
pub const LONGEST_WHY: usize = 500;

/// What a button for a choice is called.
pub fn button(choice: Choice, n: usize) -> String {
    format!("belay/{}/{n}", choice.word())
}

/// The choice and the offer's position that a button of that name stands for; `None` if it is none of ours. The
/// position may be left out.
pub fn choice(action_id: &str) -> Option<(Choice, Option<usize>)> {
    let rest = action_id.strip_prefix("belay/")?;
    let Some((word, n)) = rest.split_once('/') else { return Some((Choice::from_word(rest)?, None)) };
    Some((Choice::from_word(word)?, Some(n.parse().ok()?)))
}

/// What the box for a reason is called.
pub fn why(n: usize) -> String {
    format!("{WHY}/{n}")
}

/// Whether this is a box for a reason.
pub fn is_why(action_id: &str) -> bool {
    action_id.starts_with(WHY)
}

/// Whether this can be an offer's id: 1 to 64 of `A–Z`, `a–z`, `0–9`, `_` and `-`.
pub fn is_offer(id: &str) -> bool {
    (1..=64).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_button_is_read_back() {
        for made in Choice::ALL {
            assert_eq!(choice(&button(made, 7)), Some((made, Some(7))));
            assert_eq!(choice(&format!("belay/{}", made.word())), Some((made, None)));
        }
    }

    #[test]
    fn other_buttons_are_not_ours() {
        for other in
            ["approve", "belay", "belay/", "belay/why/0", "belay/keep/", "belay/keep/x", "Belay/keep"]
        {
            assert_eq!(choice(other), None, "{other}");
        }
        assert!(is_why(&why(3)) && !is_why("belay/keep/3"));
    }

    #[test]
    fn an_offer_is_opaque_and_short() {
        assert!(is_offer("a-Z_9") && is_offer(&"a".repeat(64)));
        for id in ["", "a b", "ä", "a/b", "{}", &"a".repeat(65)] {
            assert!(!is_offer(id), "{id}");
        }
    }
}
