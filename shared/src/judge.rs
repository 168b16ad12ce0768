//! The one way through, from a signal to what came of it. Every function is this and its own edge, and the sweep,
//! which no event calls, takes the same way under the same keys.

mod alarm;
mod approval;
mod card;
pub mod drift;
mod open;
mod pipeline;
mod release;

use serde_json::Value;
use tracing::info;

use crate::{
    carry_out::Outcome,
    decision::{Decision, Verdict},
    reason::Reason,
    start::Failure,
};

pub use alarm::alarm;
pub use approval::{manual, notified, pressed};
pub use card::cards;
pub use open::{found, hook_left, left, owed, silence};
pub use pipeline::{Found, pipeline, stage_failed};
pub use release::release;

/// What a function answers about one outcome, once it is logged: its report, or why the signal is to be delivered again.
fn settled(outcome: &Outcome, what: &str) -> Result<Value, Failure> {
    log(outcome, what);
    if let Some(failed) = outcome.failed() {
        return Err(Failure { kind: "AwsCallFailed", message: format!("{what}: {failed}") });
    }
    if outcome.look_again || outcome.verdict == Verdict::LookAgain {
        let message = format!("{what}: {}", outcome.reasons.join(" "));
        return Err(Failure { kind: "EvidenceMissing", message });
    }
    Ok(outcome.report())
}

fn log(outcome: &Outcome, what: &str) {
    info!(
        what,
        verdict = outcome.verdict.word(),
        reasons = ?outcome.reasons,
        done = ?outcome.done,
        "judged"
    );
}

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
