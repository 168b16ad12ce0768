//! What people are told, before it takes a product's shape.
//!
//! A message is written down in the ledger before it is sent, so that a chat product that is down loses
//! nothing: it therefore holds words, not a reference to something that may have changed by then.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    decision::Urgency,
    ledger::Watch,
    release::{AlarmArn, Place, ReleaseId, ServiceName},
};

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
    /// Whether a person has to answer.
    #[serde(default)]
    pub asks: bool,
    /// Who answered, if a person did: their user id in the chat product.
    #[serde(default)]
    pub who: Option<String>,
    /// Where it goes in Slack, if it does.
    #[serde(default)]
    pub slack: Option<InSlack>,
    /// The graph that goes with it.
    #[serde(default)]
    pub graph: Option<Graph>,
}

/// Where in Slack a message goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InSlack {
    /// The channel's id.
    pub channel: String,
    /// In whose card's thread; without one it stands for itself.
    pub card: Option<OnCard>,
    /// Whether the whole channel sees what is said in the thread.
    pub broadcast: bool,
}

/// The release whose card it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OnCard {
    /// The release.
    pub release: ReleaseId,
    /// Its service.
    pub service: ServiceName,
    /// Where it is released.
    pub place: Place,
}

impl OnCard {
    /// The card of a release on watch.
    pub fn of(watch: &Watch) -> Self {
        let Watch { release, service, place, began: _ } = watch.clone();
        Self { release, service, place }
    }
}

/// An alarm's graph around a release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Graph {
    /// The alarm.
    pub alarm: AlarmArn,
    /// From when.
    pub from: Timestamp,
    /// Until when; what is drawn later is drawn until then.
    pub to: Timestamp,
    /// When the release began: a vertical line.
    pub began: Timestamp,
}

/// A place to look.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// What is there.
    pub label: String,
    /// Its address.
    pub url: String,
}
