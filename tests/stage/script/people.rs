//! What people do in a rehearsal: press buttons, type commands, go to the console.

use serde::Deserialize;

/// Somebody presses a button on the service's card as it is then.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PressScript {
    /// Who, by their id in Slack, such as `U02ANNA`.
    pub user: String,
    /// On the card of the pipeline's execution that brings this revision; without it, on the newest card.
    pub on: Option<String>,
    /// What is on the button, such as `Roll back`.
    pub button: String,
    /// What they wrote into the box for the reason before.
    pub why: Option<String>,
}

/// Somebody types `/belay` and this text.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TypesScript {
    /// Who, by their id in Slack.
    pub user: String,
    /// What follows `/belay`, such as `status checkout`.
    pub text: String,
}

/// Somebody answers a pipeline's approval in the console.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConsoleScript {
    /// Who, by their ARN.
    pub who: String,
    /// The approval's stage.
    pub stage: String,
    /// What they wrote as the reason.
    #[serde(default)]
    pub why: String,
}
