//! What people do in a rehearsal: press buttons, type commands, go to the console.

use serde::Deserialize;

use super::Span;

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

/// Somebody looks at Belay's widget on a CloudWatch dashboard.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LooksScript {
    /// How far back the dashboard shows.
    pub back: Span,
    /// Whether it is dark.
    #[serde(default)]
    pub dark: bool,
    /// What the viewer's clock is ahead of UTC, as `+01:00`.
    pub clock: Option<String>,
    /// The services that the widget's parameters name; without it, there are no parameters.
    pub services: Option<Vec<String>>,
    /// A word of the row in the table whose "why" they click.
    pub clicks: Option<String>,
}
