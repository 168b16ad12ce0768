//! The one card of a release: what is shown of it, before it takes a product's shape.
//!
//! A card is drawn from what is known, each time anew, and says nothing that changes by itself with the time (no
//! "four minutes ago"): two cards that are equal need not be sent twice.

use jiff::Timestamp;

use crate::{approval::Choice, message::Link, release::course::StepState, signal::AlarmState};

/// A release's card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReleaseCard {
    /// The service.
    pub service: String,
    /// The release.
    pub release: String,
    /// How it is doing.
    pub state: CardState,
    /// How it is doing, as one line without the service's name: "d-1 is on its way".
    pub headline: String,
    /// What is released and where, as name and value: revision, commit, message, author, image, version, place,
    /// started by. Text from outside.
    pub facts: Vec<(String, String)>,
    /// When it began.
    pub began: Timestamp,
    /// When it ended, if it has.
    pub ended: Option<Timestamp>,
    /// How much of the traffic the new revision gets, in percent, where that is known.
    pub traffic: Option<u8>,
    /// The stages of its pipeline, in their order, if it comes by one.
    pub stages: Vec<CardStage>,
    /// How long that takes, as a sentence; empty where there is nothing to say.
    pub pace: String,
    /// The watched alarms and their state, by name.
    pub alarms: Vec<CardAlarm>,
    /// What the hooks' checks found.
    pub checks: Vec<CardCheck>,
    /// What happened, in order: decisions with their reasons, answers, the end.
    pub story: Vec<StoryLine>,
    /// What people are asked, or may do.
    pub offers: Vec<CardOffer>,
    /// Where to look.
    pub links: Vec<Link>,
}

/// How a release is doing, as its colour says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CardState {
    /// It waits for a person.
    Waiting,
    /// It is on its way.
    Running,
    /// It is being taken back or stopped.
    Undoing,
    /// It ended well, and is on watch or past it.
    Good,
    /// It was taken back, and that is done.
    Undone,
    /// It was stopped where it was, as somebody wanted.
    Halted,
    /// It went wrong, or its undo did, and somebody has to look.
    Bad,
}

/// A pipeline's stage on a card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CardStage {
    /// Its name. Text from outside.
    pub name: String,
    /// How it stands.
    pub state: StepState,
}

/// A watched alarm on a card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CardAlarm {
    /// Its name. Text from outside.
    pub name: String,
    /// Its state; `None` if it cannot be read.
    pub state: Option<AlarmState>,
    /// What there is to say about it: red before the release, muted.
    pub note: Option<String>,
}

/// A hook's check on a card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CardCheck {
    /// The check in a few words, with what it saw.
    pub what: String,
    /// Whether it passed; `None` if it could not tell.
    pub passed: Option<bool>,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoryLine {
    /// When.
    pub at: Timestamp,
    /// A sign for it, one emoji.
    pub sign: &'static str,
    /// Who, if it was a person: the chat product's user id.
    pub who: Option<String>,
    /// What happened, a sentence.
    pub what: String,
    /// More about it, a sentence each: a decision's reasons.
    pub details: Vec<String>,
}

/// Something that people are asked, or may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CardOffer {
    /// Its opaque id: the buttons' value.
    pub id: String,
    /// What is asked; `None` for what may be done at any time.
    pub question: Option<String>,
    /// What would change if it went on, a sentence or two each. Text from outside is in it.
    pub ahead: Vec<String>,
    /// When silence becomes the answer, and which one, as the end of the sentence "Without an answer by …, ".
    pub silence: Option<(Timestamp, String)>,
    /// The buttons, in order.
    pub choices: Vec<Choice>,
    /// Whether there is a box for the reason.
    pub reason_box: bool,
}
