//! What lies ahead of a pipeline that waits for a manual approval: what would change, how things stand, what the way
//! back would be. Nothing is decided by it; it is what people are told with the question.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Observed, Target};
use crate::release::AlarmName;

/// How many commits are named; the others are counted.
pub const COMMITS: usize = 8;
/// How many differences are named; the others are counted.
pub const DIFFERENCES: usize = 8;
/// How many alarms are named; the others are counted.
const ALARMS: usize = 8;

/// What is known with a pipeline's manual approval. Text in it is from outside, without its secrets and cut to a length:
/// escape it before showing it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ahead {
    /// The stage that releases: everything here is compared with what it got last.
    pub stage: String,
    /// What it has now; none if no execution has succeeded in it.
    pub has: Observed<Option<String>>,
    /// The source revisions that would be new there.
    pub coming: Observed<Coming>,
    /// What else differs from the execution that it got last.
    pub differs: Observed<Differing>,
    /// The service's alarms right now.
    pub alarms: Observed<RedNow>,
    /// What an undo would go back to.
    pub back: Observed<Target>,
    /// What was written into the approval for whoever answers.
    pub notice: Option<Notice>,
}

/// The source revisions of the executions since the one that a stage got last: those that never got there are in this
/// one too.
///
/// CodePipeline knows the newest revision of each execution and no log: a repository may have more between two of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coming {
    /// The newest first, at most [`COMMITS`].
    pub commits: Vec<Commit>,
    /// How many more there are.
    pub more: usize,
    /// Whether all executions since then were looked at.
    pub whole: bool,
    /// What the stage has that is newer than this execution, in a few words: so it is in PARALLEL mode.
    pub newer: Option<String>,
}

/// A source revision of a pipeline: a commit, an image, an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commit {
    /// The source action.
    pub source: String,
    /// Its id: a commit's, an image's digest, an object's version.
    pub id: Option<String>,
    /// Its summary, for a commit its message.
    pub message: Option<String>,
    /// Who made it, where that is known.
    pub author: Option<String>,
}

/// In what the actions of two executions differ: in their configuration or in what they found out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Differing {
    /// At most [`DIFFERENCES`].
    pub changes: Vec<Difference>,
    /// How many more there are.
    pub more: usize,
}

/// One value that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// The action.
    pub action: String,
    /// What, by its name in the configuration or among the variables.
    pub key: String,
    /// What it was; none if it was not there.
    pub before: Option<String>,
    /// What it is; none if it is not there any more.
    pub after: Option<String>,
}

/// A service's alarms at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RedNow {
    /// Those in ALARM.
    pub red: Vec<AlarmName>,
    /// How many are watched.
    pub watched: usize,
    /// How many of them could not be read.
    pub unread: usize,
}

/// What was written into a manual approval for whoever answers it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// Where to look before answering.
    pub link: Option<String>,
    /// What it is about, in the words of the pipeline's owners.
    pub words: Option<String>,
    /// Until when CodePipeline waits.
    pub expires: Option<Timestamp>,
}

impl Ahead {
    /// All of it, a sentence or two each: what is asked for, what would be new, what differs, how things stand, the way
    /// back.
    pub fn sentences(&self) -> Vec<String> {
        let mut told: Vec<String> = self.notice.iter().flat_map(Notice::sentences).collect();
        let unknown = |what: &str, why: &str| format!("{what} could not be learnt: {}", ended(why));
        told.push(match (self.has.known(), self.coming.known()) {
            (Err(why), _) | (_, Err(why)) => unknown("What is new", why),
            (Ok(has), Ok(coming)) => coming.sentence(&self.stage, has.as_deref()),
        });
        if let Ok(Coming { newer: Some(newer), .. }) = self.coming.known() {
            let stage = &self.stage;
            told.push(format!(
                "{stage} has something newer already ({newer}): this execution would go back behind it."
            ));
        }
        match (self.has.known(), self.differs.known()) {
            // Said above, or nothing to compare with.
            (Err(_) | Ok(None), _) => {}
            (Ok(Some(_)), Err(why)) => told.push(unknown("What differs from it", why)),
            (Ok(Some(_)), Ok(differing)) => told.push(differing.sentence()),
        }
        told.push(match self.alarms.known() {
            Err(why) => unknown("How the alarms are", why),
            Ok(alarms) => alarms.sentence(),
        });
        told.push(match self.back.known() {
            Err(why) => unknown("Whether it could be undone", why),
            Ok(Target::KnownGood { deployment, revision }) => {
                format!("An undo would go back to {revision}, which {deployment} deployed.")
            }
            Ok(Target::None { why }) => format!("It could not be undone: {}", ended(why)),
        });
        told
    }
}

impl Coming {
    fn sentence(&self, stage: &str, has: Option<&str>) -> String {
        let named: Vec<String> = self.commits.iter().map(Commit::words).collect();
        let mut named = named.join("; ");
        if self.more > 0 {
            named.push_str(&format!("; and {} more", self.more));
        }
        let unseen = if self.whole { "" } else { " Older executions were not looked at." };
        let Some(has) = has else {
            let brings = if named.is_empty() {
                "It names no source revision.".to_owned()
            } else {
                format!("It brings {named}.")
            };
            return format!("No execution is known to have succeeded in {stage} before. {brings}");
        };
        let count = self.commits.len() + self.more;
        let is_commit = |commit: &Commit| {
            commit
                .id
                .as_ref()
                .is_some_and(|id| id.len() == 40 && id.bytes().all(|byte| byte.is_ascii_hexdigit()))
        };
        let noun = match (self.commits.iter().all(is_commit), count) {
            (true, 1) => "commit",
            (true, _) => "commits",
            (false, 1) => "source revision",
            (false, _) => "source revisions",
        };
        if count == 0 {
            return format!("No source revision is new: {stage} has {has}.{unseen}");
        }
        format!("{stage} has {has}. New since then: at least {count} {noun}: {named}.{unseen}")
    }
}

impl Commit {
    fn words(&self) -> String {
        // Twelve characters tell commits apart; a digest keeps its algorithm.
        let short = self.id.as_deref().map(|id| match id.split_once(':') {
            Some((algorithm, digest)) => {
                format!("{algorithm}:{}", digest.chars().take(12).collect::<String>())
            }
            None => id.chars().take(12).collect(),
        });
        let mut words = short.unwrap_or_else(|| format!("a revision of {}", self.source));
        if let Some(message) = &self.message {
            words.push_str(&format!(" “{message}”"));
        }
        if let Some(author) = &self.author {
            words.push_str(&format!(" by {author}"));
        }
        words
    }
}

impl Differing {
    fn sentence(&self) -> String {
        if self.changes.is_empty() {
            return "Nothing else differs in its actions so far: neither configuration nor variables."
                .to_owned();
        }
        let named: Vec<String> = self.changes.iter().map(Difference::words).collect();
        let more = if self.more > 0 { format!("; and {} more", self.more) } else { String::new() };
        format!("What else differs in its actions so far: {}{more}.", named.join("; "))
    }
}

impl Difference {
    fn words(&self) -> String {
        let what = format!("{} {}", self.action, self.key);
        match (&self.before, &self.after) {
            // What is masked looks the same.
            (Some(before), Some(after)) if before == after => format!("{what} has changed"),
            (Some(before), Some(after)) => format!("{what} was {before}, is {after}"),
            (None, Some(after)) => format!("{what} is new: {after}"),
            (Some(before), None) => format!("{what} is gone; it was {before}"),
            (None, None) => what,
        }
    }
}

impl RedNow {
    fn sentence(&self) -> String {
        let Self { red, watched, unread } = self;
        let unread = match unread {
            0 => String::new(),
            1 => " One could not be read.".to_owned(),
            several => format!(" {several} could not be read."),
        };
        let names: Vec<&str> = red.iter().take(ALARMS).map(AlarmName::as_str).collect();
        match (names.as_slice(), red.len().saturating_sub(ALARMS)) {
            ([], _) if *watched == 0 => "No alarm of the policy exists.".to_owned(),
            ([], _) => format!("In ALARM right now: none of {watched}.{unread}"),
            (names, 0) => format!("In ALARM right now: {} (of {watched}).{unread}", names.join(", ")),
            (names, more) => {
                format!("In ALARM right now: {} and {more} more (of {watched}).{unread}", names.join(", "))
            }
        }
    }
}

impl Notice {
    fn sentences(&self) -> Vec<String> {
        let words = self.words.as_ref().map(|words| format!("The pipeline's owners say: “{words}”"));
        let link = self.link.as_ref().map(|link| format!("They point to {link}"));
        let expires = self.expires.map(|until| format!("CodePipeline waits until {until:.0}."));
        words.into_iter().chain(link).chain(expires).collect()
    }
}

/// A reason with a full stop.
fn ended(why: &str) -> String {
    if why.ends_with(['.', '!', '?']) { why.to_owned() } else { format!("{why}.") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known<T>(value: T) -> Observed<T> {
        Observed::Known { value, at: Timestamp::UNIX_EPOCH }
    }

    fn missing<T>() -> Observed<T> {
        Observed::Missing { why: "AWS was silent".to_owned() }
    }

    fn commit(id: &str) -> Commit {
        let (source, message) = ("Source".to_owned(), Some("fix it".to_owned()));
        Commit { source, id: Some(id.to_owned()), message, author: None }
    }

    fn ahead() -> Ahead {
        let ada = Commit { author: Some("Ada".to_owned()), ..commit(&"a1".repeat(20)) };
        let (commits, newer) = (vec![ada, commit(&"b2".repeat(20))], None);
        let tag = |tag: &str| Some(tag.to_owned());
        let change =
            Difference { action: "Plan".into(), key: "ImageTag".into(), before: tag("v1"), after: tag("v2") };
        Ahead {
            stage: "Prod".to_owned(),
            has: known(Some("v1".to_owned())),
            coming: known(Coming { commits, more: 0, whole: true, newer }),
            differs: known(Differing { changes: vec![change], more: 0 }),
            alarms: known(RedNow { red: vec!["5xx".into()], watched: 3, unread: 1 }),
            back: known(Target::KnownGood { deployment: "e-1".to_owned(), revision: "v1".to_owned() }),
            notice: None,
        }
    }

    #[test]
    fn all_that_is_known_is_said() {
        assert_eq!(
            ahead().sentences(),
            [
                "Prod has v1. New since then: at least 2 commits: a1a1a1a1a1a1 “fix it” by Ada; b2b2b2b2b2b2 “fix it”.",
                "What else differs in its actions so far: Plan ImageTag was v1, is v2.",
                "In ALARM right now: 5xx (of 3). One could not be read.",
                "An undo would go back to v1, which e-1 deployed.",
            ]
        );
    }

    #[test]
    fn what_could_not_be_learnt_is_said_with_why() {
        let ahead = Ahead {
            has: missing(),
            coming: missing(),
            differs: missing(),
            alarms: missing(),
            back: missing(),
            ..ahead()
        };
        assert_eq!(
            ahead.sentences(),
            [
                "What is new could not be learnt: AWS was silent.",
                "How the alarms are could not be learnt: AWS was silent.",
                "Whether it could be undone could not be learnt: AWS was silent.",
            ]
        );
        let half = Ahead { has: known(Some("v1".to_owned())), ..ahead };
        assert!(
            half.sentences()
                .contains(&"What differs from it could not be learnt: AWS was silent.".to_owned())
        );
    }

    #[test]
    fn nothing_before_nothing_new_and_something_newer_are_told_apart() {
        let said = |has: Option<&str>, coming: Coming| {
            let ahead = Ahead { has: known(has.map(str::to_owned)), coming: known(coming), ..ahead() };
            ahead.sentences().remove(0)
        };
        let coming =
            Coming { commits: vec![commit("sha256:0123456789abcdef")], more: 2, whole: false, newer: None };
        assert_eq!(
            said(None, coming.clone()),
            "No execution is known to have succeeded in Prod before. It brings sha256:0123456789ab “fix it”; and 2 more."
        );
        assert_eq!(
            said(Some("v1"), coming.clone()),
            "Prod has v1. New since then: at least 3 source revisions: sha256:0123456789ab “fix it”; and 2 more. Older executions were not looked at."
        );
        let none = Coming { commits: Vec::new(), more: 0, whole: true, newer: Some("v3".to_owned()) };
        assert_eq!(said(Some("v1"), none.clone()), "No source revision is new: Prod has v1.");
        let ahead = Ahead { coming: known(none), ..ahead() };
        assert!(ahead.sentences()[1].contains("something newer already (v3)"), "{:?}", ahead.sentences());
    }

    #[test]
    fn a_masked_value_that_changed_shows_neither() {
        let masked = Some("[masked]".to_owned());
        let secret = Difference {
            action: "Plan".into(),
            key: "Password".into(),
            before: masked.clone(),
            after: masked,
        };
        assert_eq!(secret.words(), "Plan Password has changed");
        let one = |before: Option<&str>, after: Option<&str>| Difference {
            before: before.map(str::to_owned),
            after: after.map(str::to_owned),
            ..secret.clone()
        };
        assert_eq!(one(None, Some("x")).words(), "Plan Password is new: x");
        assert_eq!(one(Some("x"), None).words(), "Plan Password is gone; it was x");
    }

    #[test]
    fn the_owners_words_come_first() {
        let notice = Notice {
            link: Some("https://example.com".to_owned()),
            words: Some("look twice".to_owned()),
            expires: Some(Timestamp::UNIX_EPOCH),
        };
        let told = Ahead { notice: Some(notice), ..ahead() }.sentences();
        let expected = [
            "The pipeline's owners say: “look twice”",
            "They point to https://example.com",
            "CodePipeline waits until 1970-01-01T00:00:00Z.",
        ];
        assert_eq!(told[..3], expected);
    }
}
