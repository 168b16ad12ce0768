//! Slack.

pub mod button;
