//! A person's answer: who said what to which question.
//!
//! A question, or a button on a release's card, is an [`Offer`](crate::ledger::Offer). It has an opaque id, and that id
//! is all that leaves Belay: what it stands for is in the ledger.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A person, as the chat product knows them. A name is no identity: people choose their own.
///
/// Not shown by `Debug`: approvers' identities never reach a log line.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Person {
    /// The workspace.
    pub team: String,
    /// The user in it, for example `U02ABCDEF`.
    pub user: String,
}

impl fmt::Debug for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Person(…)")
    }
}

/// What a person may choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    /// Take the release back.
    RollBack,
    /// Leave it as it is.
    Keep,
    /// Give more time before silence is an answer.
    Extend,
    /// Stop it where it is, without going back.
    Halt,
    /// Let a hook or a pipeline go on.
    Approve,
    /// Do not let it go on.
    Reject,
    /// Run what failed in a pipeline's stage again.
    Retry,
}

impl Choice {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::RollBack, Self::Keep, Self::Extend, Self::Halt, Self::Approve, Self::Reject, Self::Retry];

    /// The word by which chat products send it back: part of what a button is called, fixed for ever.
    pub fn word(self) -> &'static str {
        match self {
            Self::RollBack => "roll_back",
            Self::Keep => "keep",
            Self::Extend => "extend",
            Self::Halt => "halt",
            Self::Approve => "approve",
            Self::Reject => "reject",
            Self::Retry => "retry",
        }
    }

    /// The choice with this word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|choice| choice.word() == word)
    }

    /// What stands on its button.
    pub fn label(self) -> &'static str {
        match self {
            Self::RollBack => "Roll back",
            Self::Keep => "Keep",
            Self::Extend => "Extend",
            Self::Halt => "Halt",
            Self::Approve => "Approve",
            Self::Reject => "Reject",
            Self::Retry => "Retry",
        }
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

/// The token of a manual approval of CodePipeline, as its notification carries it. Whoever has it and may call
/// PutApprovalResult can answer. So it is neither shown nor handed on: it can only be compared.
#[derive(Clone, PartialEq, Eq)]
pub struct NotifiedToken(String);

impl NotifiedToken {
    /// A token that came with a notification.
    pub fn new(token: String) -> Self {
        Self(token)
    }

    /// Whether it is this one.
    pub fn is(&self, token: &str) -> bool {
        self.0 == token
    }
}

impl fmt::Debug for NotifiedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NotifiedToken(…)")
    }
}
