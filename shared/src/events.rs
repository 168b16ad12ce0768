//! Events of AWS, translated into what happened: bytes in, signals out.
//!
//! Payloads are routed by the keys that tell them apart, then read into private structs that hold only what
//! we need. No field has a default that could pass for good news: a state that is missing or unknown is
//! refused with its path, and fields that we do not read may be anything, so that AWS can add some.
//!
//! The envelopes of `aws_lambda_events` are not used. They read a batch whole, so one odd attribute would
//! fail every message of it, and require what we do not need (an SNS signature's address, for example): a
//! bad release must not go on because of those. Tests hold our samples against them.

mod alarm;
mod alarm_change;
mod approval_notice;
mod chat;
mod drift;
mod foreign;
mod hook;
mod moment;
mod release;
mod schedule;
mod strict;
mod widget;
mod wire;

#[cfg(test)]
mod alarm_tests;
#[cfg(test)]
mod any_bytes_tests;
#[cfg(test)]
mod samples;

use thiserror::Error;

pub use alarm::{AlarmPayload, BatchItem, alarm};
pub use chat::{
    ChatEvent, ChatRefusal, ChatRequest, HttpRequest, LONGEST_BODY, Press, SlashCommand, Work, chat,
    chat_event, http,
};
pub use drift::drift;
pub use hook::hook;
pub use release::{PipelineEvent, release};
pub use schedule::schedule;
pub use widget::{WidgetCall, widget};

/// Why a payload did not become a signal.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EventError {
    /// It is understood, as something that this function does not handle. A wiring mistake, mostly.
    #[error("this is {came}; expected {expected}")]
    NotForUs {
        /// What came, by its own names.
        came: String,
        /// What the function handles.
        expected: &'static str,
    },
    /// It cannot be understood: a field is missing, of another type, or a word that we do not know.
    #[error("{path}: found {found}, expected {expected}")]
    Malformed {
        /// The field, from the top of the whole payload, through JSON in strings too.
        path: String,
        /// The value, in at most 60 characters; `nothing` when there is none.
        found: String,
        /// What would have been right.
        expected: String,
    },
}

impl EventError {
    /// The error's type at the Lambda edge. Stable: alarms on failed invocations may filter on it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::NotForUs { .. } => "NotForUs",
            Self::Malformed { .. } => "MalformedEvent",
        }
    }
}
