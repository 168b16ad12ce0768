//! What goes wrong with Slack: on request, all the time, or because too much was asked.

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;

use super::Slack;
use crate::chat::{ChatFate, Trouble};
use crate::faults::Fault;
use crate::storm::Fate;

/// A way for one call of Slack to go wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SlackFault {
    /// HTTP 429 with `Retry-After`, in seconds.
    RateLimited {
        /// So long the caller is to wait.
        retry_after_seconds: u64,
    },
    /// HTTP 200 with `ok: false` and this word, such as `missing_scope` or `token_revoked`.
    Error(&'static str),
    /// HTTP 503.
    ServerError,
    /// The effect happens and then the connection is cut: the caller cannot know.
    LostResponse,
    /// The connection is cut before anything happened.
    Cut,
}

/// The faults still to come.
#[derive(Debug, Default)]
pub(super) struct Troubles {
    pub(super) is_down: bool,
    queue: Vec<(String, SlackFault, u32)>,
}

impl Troubles {
    pub(super) fn add(&mut self, method: &str, fault: SlackFault, times: u32) {
        self.queue.push((method.to_owned(), fault, times));
    }
}

impl Slack {
    /// What befalls the next call of this method; `*` stands for all. In the order they were asked for.
    pub(crate) fn strike(&mut self, method: &str) -> Option<ChatFate> {
        if self.troubles.is_down {
            return Some(ChatFate::troubled(Trouble::ServerError));
        }
        let (_, fault, times) = self
            .troubles
            .queue
            .iter_mut()
            .find(|(name, _, times)| *times > 0 && (name == method || name == "*"))?;
        *times -= 1;
        let only = |fault| ChatFate::from(Fate { fault: Some(fault), killed: None });
        Some(match fault {
            SlackFault::RateLimited { retry_after_seconds } => {
                ChatFate::troubled(Trouble::RateLimited { seconds: *retry_after_seconds })
            }
            SlackFault::Error(word) => ChatFate::troubled(Trouble::Said((*word).to_owned())),
            SlackFault::ServerError => ChatFate::troubled(Trouble::ServerError),
            SlackFault::LostResponse => only(Fault::TimeoutAfterEffect),
            SlackFault::Cut => only(Fault::CutConnection),
        })
    }
}

/// Messages that may come at once. "Short bursts" are allowed; how short is not documented.
const BURST: f64 = 5.0;
/// Updates in a minute: tier 3 (Slack's developer site, "Rate limits").
const UPDATES: usize = 50;

/// How much was asked lately, by the virtual clock.
#[derive(Debug, Default)]
pub(super) struct Rates {
    pub(super) are_enforced: bool,
    /// Channel → what is left of its burst, and when that was counted. One a second comes back.
    posts: BTreeMap<String, (f64, Timestamp)>,
    updates: VecDeque<Timestamp>,
}

impl Rates {
    /// Counts a message; the error is how many seconds to wait.
    pub(super) fn post(&mut self, channel: &str, now: Timestamp) -> Result<(), u64> {
        if !self.are_enforced {
            return Ok(());
        }
        let (left, counted) = self.posts.get(channel).copied().unwrap_or((BURST, now));
        let left = (left + now.duration_since(counted).as_secs_f64()).min(BURST);
        let allowed = left >= 1.0;
        self.posts.insert(channel.to_owned(), (if allowed { left - 1.0 } else { left }, now));
        if allowed { Ok(()) } else { Err((1.0 - left).ceil() as u64) }
    }

    /// Counts an update; the error is how many seconds to wait.
    pub(super) fn update(&mut self, now: Timestamp) -> Result<(), u64> {
        if !self.are_enforced {
            return Ok(());
        }
        let age = |at: Timestamp| now.duration_since(at).as_secs();
        while self.updates.front().is_some_and(|at| age(*at) >= 60) {
            self.updates.pop_front();
        }
        match self.updates.front() {
            Some(oldest) if self.updates.len() >= UPDATES => Err((60 - age(*oldest)).cast_unsigned()),
            Some(_) | None => {
                self.updates.push_back(now);
                Ok(())
            }
        }
    }
}
