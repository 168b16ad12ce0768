//! What the benchmark of cold starts consists of: a Runtime API, an AWS that answers at once what it once answered
//! truly, the programs, and the table. It measures compiled programs from outside, and shares no code with them.
#![allow(
    clippy::disallowed_methods,
    reason = "a benchmark reads the clock and the environment: that is what it is for"
)]

pub mod answers;
pub mod control;
pub mod endpoint;
pub mod measure;
pub mod process;
pub mod programs;
pub mod relative;
pub mod report;
pub mod runtime_api;
pub mod samples;
pub mod scene;
mod served;
pub mod share;
pub mod tls;

/// Something did not work; the text says what, for whoever ran the benchmark. Being slow is no trouble.
pub type Trouble = Box<dyn std::error::Error + Send + Sync>;
