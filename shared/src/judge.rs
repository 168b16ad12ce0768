//! The one way through, from a signal to what came of it. Every function is this and its own edge, and the sweep,
//! which no event calls, takes the same way under the same keys.

mod alarm;
mod open;
mod release;

use crate::{
    decision::{Decision, Verdict},
    reason::Reason,
};

pub use alarm::alarm;
pub use open::{found, hook_left, left, owed, silence};
pub use release::release;

/// How we came to know of a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// AWS said so.
    Event,
    /// The sweep looked, because no event had said so by then.
    Sweep,
}

impl Origin {
    /// Says in a decision's reasons that no event had come.
    fn marked(self, mut decision: Decision) -> Decision {
        match (self, decision.verdict) {
            (Self::Event, _) | (Self::Sweep, Verdict::Ignore | Verdict::LookAgain) => {}
            (Self::Sweep, _) => decision.reasons = decision.reasons.and(Reason::FoundBySweep.into()),
        }
        decision
    }
}
