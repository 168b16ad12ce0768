//! Belay catches bad releases on AWS: it decides whether a release must go back, says why, undoes it, and
//! tells people.
//!
//! The one way through, which every Lambda function is and nothing else:
//!
//! ```text
//! AWS event (JSON)
//!   → events     translate: bytes → Signal            pure
//!   → gather     what do we know, what not?           read-only calls   (feature `aws`)
//!   → decision   Decision, with its Reasons           pure
//!   → plan       Plan: actions, no choice left open   pure
//!   → carry_out  Outcome: each action at most once    effects           (feature `aws`)
//! ```
//!
//! Without features the crate is pure: no SDK, no HTTP, no async, no clock. Time enters as an argument.
//! The layout, the tiers and the invariants are in ARCHITECTURE.md, and tests hold them.

pub mod approval;
pub mod appspec;
#[cfg(feature = "aws")]
pub mod aws;
#[cfg(feature = "aws")]
pub mod carry_out;
pub mod cause;
#[cfg(feature = "aws")]
pub mod channel;
pub mod chat;
pub mod decision;
pub mod diagnosis;
pub mod dora;
pub mod drift;
pub mod events;
pub mod evidence;
#[cfg(feature = "aws")]
pub mod gather;
#[cfg(feature = "aws")]
pub mod judge;
pub mod ledger;
pub mod mask;
pub mod message;
pub mod metric;
pub mod plan;
pub mod policy;
pub mod reason;
pub mod release;
pub mod settings;
pub mod signal;
#[cfg(feature = "aws")]
pub mod start;
pub mod widget;
mod yaml;
