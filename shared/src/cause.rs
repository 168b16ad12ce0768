//! Why something failed, once that is explained: plain values that a message, a reason or a ledger can carry.
//!
//! What explains is [`crate::diagnosis`]. Every text in here is masked by then ([`crate::mask`]).

use std::fmt;

use serde::{Deserialize, Serialize};

/// What [`Cause::rule`] says when no rule fits.
pub const UNKNOWN: &str = "unknown";

/// The rule of a manual approval that nobody answered in its time.
pub const APPROVAL_EXPIRED: &str = "approval-expired";
/// The rule of a manual approval that somebody rejected.
pub const APPROVAL_REJECTED: &str = "approval-rejected";

/// The ids of all rules of the catalogue whose failures pass by themselves ([`Retry::Helps`]): the only causes that a
/// policy may ask to be retried. A test of the catalogue holds this list to it.
pub const RETRYABLE: &[&str] = &[
    "download-timed-out",
    "registry-out-of-order",
    "docker-hub-limit",
    "throttled",
    "build-queued-too-long",
    "stack-busy",
    "deployment-under-way",
    "aws-failed",
];

/// Why an action failed. Every text in it is masked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// The id of the rule, or [`UNKNOWN`].
    pub rule: String,
    /// What happened, in one sentence, with what the evidence names.
    pub what: String,
    /// The line or the field that shows it; empty when nothing was found that says anything.
    pub evidence: String,
    /// Where the evidence is from: "the build's log".
    pub seen_in: String,
    /// What to do about it.
    pub to_do: String,
    /// Who has to.
    pub concerns: Concerns,
    /// Whether the same again can succeed.
    pub retry: Retry,
    /// What could not be learnt, each with the reason, as sentences.
    pub not_learnt: Vec<String>,
}

/// Who has to do something about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Concerns {
    /// Whoever wrote the change.
    Author,
    /// Whoever runs the pipeline and what it deploys to.
    PipelineOwner,
    /// Whoever owns the account's permissions, quotas and keys.
    AccountOwner,
    /// Whoever owns the network.
    NetworkOwner,
    /// Whoever is to answer approvals.
    Approvers,
    /// AWS, or another service outside; there is nothing to mend here.
    Outside,
    /// It is not known.
    Unknown,
}

impl fmt::Display for Concerns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Author => "the author",
            Self::PipelineOwner => "whoever runs the pipeline",
            Self::AccountOwner => "whoever owns the account",
            Self::NetworkOwner => "whoever owns the network",
            Self::Approvers => "the approvers",
            Self::Outside => "AWS, or another service outside",
            Self::Unknown => "not known",
        })
    }
}

/// Whether doing the same again can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Retry {
    /// It passes by itself.
    Helps,
    /// It fails again until somebody has mended something.
    DoesNot,
    /// Either is possible.
    Unknown,
}

impl fmt::Display for Retry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Helps => "helps",
            Self::DoesNot => "does not help",
            Self::Unknown => "may help",
        })
    }
}
