//! The rules that put a failure down to a cause.

use std::{
    collections::BTreeMap,
    sync::{LazyLock, OnceLock},
};

use regex_lite::{Captures, Regex};

use super::{
    case::{Case, Source},
    failure::Failure,
};
pub(super) use crate::cause::{Concerns, Retry};

/// How much a rule says. Of the rules that fit a failure the most specific one explains it; of those, the one whose
/// evidence comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Specificity {
    /// It is known that something failed, and where: "a script failed".
    Symptom,
    /// It is known in what way: "the build ran out of memory", "targets do not answer".
    Kind,
    /// What it hangs on is known by name: this file, this test, this package, this role.
    Named,
    /// As named, and a special case of another rule that names: of missing permissions, the one on a key.
    Special,
    /// Nothing else that is found says more: an explicit deny, a stack that can no longer be updated.
    Decisive,
}

/// One entry of the catalogue.
#[derive(Debug)]
pub struct Rule {
    /// Its id; policies and ledgers name causes by it, so it never changes.
    pub id: &'static str,
    /// How such a failure looks, for people who read the catalogue.
    pub looks_like: &'static str,
    /// What to do about it.
    pub to_do: &'static str,
    /// Who has to.
    pub concerns: Concerns,
    /// Whether the same again can succeed.
    pub retry: Retry,
    /// How much it says.
    pub specificity: Specificity,
    /// On what condition its signs count.
    pub(super) when: fn(&Failure) -> bool,
    /// The lines that show it.
    pub(super) signs: &'static [Sign],
}

/// Signs that count on no condition.
pub(super) fn always(_: &Failure) -> bool {
    true
}

/// One way in which a line can show a cause.
#[derive(Debug)]
pub(super) struct Sign {
    sources: &'static [Source],
    hint: &'static str,
    pattern: &'static str,
    what: &'static str,
    weak: bool,
}

/// The patterns of the whole catalogue, each compiled when a line first has its hint. They are not in the signs, since
/// a table that is read by all must not change.
static COMPILED: LazyLock<BTreeMap<&'static str, OnceLock<Option<Regex>>>> = LazyLock::new(|| {
    let signs = super::catalogue().flat_map(|rule| rule.signs);
    signs.map(|sign| (sign.pattern, OnceLock::new())).collect()
});

impl Sign {
    /// In a line of `sources` that has `hint` in it and fits `pattern`; `what` is the sentence, with the pattern's
    /// groups as `$name`. The hint keeps most lines from the pattern, which costs more.
    pub(super) const fn new(
        sources: &'static [Source],
        hint: &'static str,
        pattern: &'static str,
        what: &'static str,
    ) -> Self {
        Self { sources, hint, pattern, what, weak: false }
    }

    /// The same, of a line that says less than the rule's other signs: it counts where none of those is found.
    pub(super) const fn weak(
        sources: &'static [Source],
        hint: &'static str,
        pattern: &'static str,
        what: &'static str,
    ) -> Self {
        Self { sources, hint, pattern, what, weak: true }
    }

    /// The pattern, once it is compiled. A test compiles all of them, so none is ever missing.
    pub(super) fn regex(&self) -> Option<&'static Regex> {
        COMPILED.get(self.pattern)?.get_or_init(|| Regex::new(self.pattern).ok()).as_ref()
    }

    /// The groups that the sentence names.
    #[cfg(test)]
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.what.split("${").skip(1).filter_map(|rest| Some(rest.split_once('}')?.0))
    }

    /// Whether any line shows it, also one that the rule does not come to.
    #[cfg(test)]
    pub(super) fn shown_by(&self, case: &Case<'_>) -> bool {
        let mut lines = case.lines.iter().filter(|line| self.sources.contains(&line.source));
        lines.any(|line| self.captures(&line.text).is_some())
    }

    fn captures<'a>(&self, line: &'a str) -> Option<Captures<'a>> {
        if !line.contains(self.hint) {
            return None;
        }
        self.regex()?.captures(line)
    }
}

/// That a rule fits, by which line, and what it says then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sighting {
    /// The sentence.
    pub(super) what: String,
    /// The number of the line in the case.
    pub(super) line: usize,
}

impl Rule {
    /// Whether this rule fits, by the first line that shows it.
    pub(super) fn sees(&self, case: &Case<'_>) -> Option<Sighting> {
        if !(self.when)(case.failure) {
            return None;
        }
        self.first(case, false).or_else(|| self.first(case, true))
    }

    fn first(&self, case: &Case<'_>, weak: bool) -> Option<Sighting> {
        case.lines.iter().enumerate().find_map(|(line, of)| {
            let mut signs =
                self.signs.iter().filter(|sign| sign.weak == weak && sign.sources.contains(&of.source));
            let (sign, captures) = signs.find_map(|sign| Some((sign, sign.captures(&of.text)?)))?;
            let mut what = String::new();
            captures.expand(sign.what, &mut what);
            Some(Sighting { what: tidy(&what.replace("{action}", &case.failure.action.name)), line })
        })
    }
}

/// A sentence without the blanks and colons that a group leaves which was not there.
fn tidy(what: &str) -> String {
    let words: Vec<&str> = what.split_whitespace().collect();
    words.join(" ").trim_end_matches([':', ' ', ',']).to_owned()
}
