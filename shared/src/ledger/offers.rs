//! Records of what people were asked and what they answered, and of the card on which they were.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Question;
use crate::{
    approval::{Choice, Person},
    evidence::Ahead,
    reason::Silent,
    release::{LifecycleEvent, Place, ReleaseId, ServiceName, Stage},
    signal::HookCall,
};

/// Something that people are asked, or may do. Answered once, by one of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// Its key: says what it is about, and stays with us. People's buttons carry an opaque id made of it.
    pub key: String,
    /// The service: its approvers may answer.
    pub service: ServiceName,
    /// The release it is about. An answer counts for this one and no other.
    pub release: ReleaseId,
    /// Where that is released.
    pub place: Place,
    /// What is answered.
    pub about: About,
    /// What may be chosen.
    pub choices: Vec<Choice>,
    /// When it was asked.
    pub asked: Timestamp,
    /// When silence becomes the answer; none if nothing waits for it.
    pub deadline: Option<Timestamp>,
    /// Which one.
    pub otherwise: Option<Silent>,
    /// What would change, as it was when it was asked: with a pipeline's manual approval. Records from before this was
    /// written have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ahead: Option<Box<Ahead>>,
}

/// What an answer is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum About {
    /// A question about an alarm and a release.
    Question(Box<Question>),
    /// A lifecycle hook that waits for a person.
    Hook {
        /// The call.
        call: HookCall,
        /// The lifecycle event.
        event: LifecycleEvent,
    },
    /// A pipeline's manual approval.
    Pipeline(PipelineApproval),
    /// Nothing was asked: what may be done to a release at any time.
    Release,
}

/// A manual approval in a pipeline. Its token stays with CodePipeline until it is used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PipelineApproval {
    /// The stage it stands in; not always the one that releases the service.
    pub stage: Stage,
    /// The action.
    pub action: String,
    /// The execution that waits.
    pub execution: String,
}

/// The one answer that an offer has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answered {
    /// Who gave it.
    pub by: Answerer,
    /// What was chosen; none if silence has answered.
    pub choice: Option<Choice>,
    /// Why, in their words. Text from outside.
    pub why: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// Who answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answerer {
    /// A person, in chat.
    Person {
        /// Who.
        who: Person,
        /// Which press of theirs, so that the same one handled twice is one.
        stamp: String,
    },
    /// Nobody, in time.
    Silence,
    /// Somebody, elsewhere: in the console, or by the CLI.
    Elsewhere {
        /// Who, as AWS calls them, where it says so.
        who: Option<String>,
    },
}

/// One press of a button, or one command that does something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Press {
    /// The opaque id of what was answered.
    pub offer: String,
    /// What was chosen.
    pub choice: Choice,
    /// Who.
    pub by: Person,
    /// Why, in their words. Text from outside.
    pub why: Option<String>,
    /// When it reached us.
    pub at: Timestamp,
    /// What tells it from every other press: the chat product's own stamp.
    pub stamp: String,
    /// The channel it was pressed in, where its answer is shown.
    pub channel: String,
}

/// What became of a press, for ever.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pressed {
    /// The press.
    pub press: Press,
    /// Why it did not count; none if it did.
    pub refused: Option<String>,
}

/// A release's card, where it was posted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownCard {
    /// The channel.
    pub channel: String,
    /// The message's id in it.
    pub ts: String,
    /// A digest of what it shows: the same need not be sent again.
    pub shown: String,
}
