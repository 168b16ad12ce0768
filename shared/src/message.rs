//! What people are told, before it takes a product's shape.
//!
//! A message is written down in the ledger before it is sent, so that a chat product that is down loses
//! nothing: it therefore holds words, not a reference to something that may have changed by then.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::decision::Urgency;

/// One message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Messages of one thread are shown together: one thread per release.
    pub thread: String,
    /// How loud it is.
    pub urgency: Urgency,
    /// What happened, in one line.
    pub title: String,
    /// When it happened, by the clock of whoever saw it.
    pub at: Timestamp,
    /// Why, a sentence each; the deciding one first. Never empty.
    pub reasons: Vec<String>,
    /// What Belay did, or that it did nothing.
    pub did: String,
    /// What a person should do now.
    pub next_steps: Vec<String>,
    /// Where to look.
    pub links: Vec<Link>,
    /// The service, where one is concerned.
    pub service: Option<String>,
    /// The release, where one is concerned.
    pub release: Option<String>,
}

/// A place to look.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// What is there.
    pub label: String,
    /// Its address.
    pub url: String,
}
