//! What must come of a rehearsal.

use serde::Deserialize;

use super::Span;

/// What must come of a rehearsal.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// Which revision gets all the traffic in the end.
    pub serves: String,
    /// How many deployments Belay stops: calls of StopDeployment.
    pub undos: usize,
    /// How many it deploys again: calls of CreateDeployment.
    #[serde(default)]
    pub creates: usize,
    /// How many stages it rolls back: calls of RollbackStage.
    #[serde(default)]
    pub stage_rollbacks: usize,
    /// How many executions of pipelines it stops: calls of StopPipelineExecution.
    #[serde(default)]
    pub pipeline_stops: usize,
    /// How the last release that the script began ends, in AWS's word: Succeeded, Stopped, Failed, InProgress.
    pub release: String,
    /// Verdicts that must have been reached, in any order, by anybody.
    #[serde(default)]
    pub verdicts: Vec<String>,
    /// Sentences of which each must be in some message.
    #[serde(default)]
    pub told: Vec<String>,
    /// Sentences that no message may have.
    #[serde(default)]
    pub not_told: Vec<String>,
    /// How many messages there are.
    pub messages: Option<usize>,
    /// How many deliveries Lambda gives up after three attempts.
    #[serde(default)]
    pub given_up: usize,
    /// How many cards there are in Slack.
    pub cards: Option<usize>,
    /// Sentences of which each must be on the newest card in the end, as people read it.
    #[serde(default)]
    pub card: Vec<String>,
    /// Sentences of which each must have been on some card at some time.
    #[serde(default)]
    pub shown: Vec<String>,
    /// Sentences that must not be on it.
    #[serde(default)]
    pub not_on_card: Vec<String>,
    /// How many messages there are in the threads of cards, without the pictures.
    pub thread: Option<usize>,
    /// How many pictures there are in the threads of cards.
    pub pictures: Option<usize>,
    /// What must have been said to one person only.
    #[serde(default)]
    pub whispered: Vec<Whispered>,
    /// Sentences of which each must be in the answer to some command.
    #[serde(default)]
    pub answered: Vec<String>,
    /// How many cards there are in Teams, where each message is one.
    pub teams_cards: Option<usize>,
    /// Sentences of which each must be on some widget that somebody looked at.
    #[serde(default)]
    pub widget: Vec<String>,
    /// Sentences of which each must be in what a click on it has shown.
    #[serde(default)]
    pub clicked: Vec<String>,
    /// At most this long from the alarm to the undo.
    pub undone_within: Option<Span>,
}

/// What one person must have been told, and nobody else saw.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Whispered {
    /// Who, such as `U02ANNA`.
    pub user: String,
    /// A sentence of it.
    pub says: String,
}
