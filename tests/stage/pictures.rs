//! Pictures of Belay's cards: what people see in Slack and in Teams, as pages of HTML.
//!
//! The cards are those that the scenarios hold as snapshots: the rehearsals', as Belay sent them. Only how Slack and Teams
//! draw them is imitated. The pages need nothing from outside and hold no scripts, so that a browser
//! without a network can photograph them (`docs/cards/photograph`).

mod adaptive;
mod block;
#[cfg(test)]
mod checks;
mod conversation;
mod graph;
mod mrkdwn;
mod page;
mod situations;

/// One picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Its name, which is the file's name without its ending.
    pub name: &'static str,
    /// The whole page.
    pub html: String,
}

/// All pictures, in the order in which a release may come to them.
pub fn all() -> Vec<Picture> {
    let slack = situations::slack().into_iter().map(|(name, conversation)| Picture {
        name,
        html: page::slack(name, situations::CHANNEL, &conversation.html(&situations::VIEWER)),
    });
    let teams = situations::teams()
        .into_iter()
        .map(|(name, at, body)| Picture { name, html: page::teams(name, &adaptive::message(&body, at)) });
    slack.chain(teams).collect()
}
