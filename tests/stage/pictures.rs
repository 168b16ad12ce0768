//! Pictures of Belay's cards and of its widget: what people see in Slack, in Teams and on a CloudWatch dashboard, as pages
//! of HTML.
//!
//! The cards are those that the scenarios hold as snapshots: the rehearsals', as Belay sent them. Only how Slack and Teams
//! draw them is imitated. The pages need nothing from outside and hold no scripts, so that a browser
//! without a network can photograph them (`docs/cards/photograph`).

mod adaptive;
mod block;
#[cfg(test)]
mod checks;
mod conversation;
mod dashboard;
mod graph;
mod mrkdwn;
mod page;
mod situations;

/// One picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Where it belongs, below `docs`.
    pub folder: &'static str,
    /// Its name, which is the file's name without its ending.
    pub name: &'static str,
    /// The whole page.
    pub html: String,
}

/// All pictures, in the order in which a release may come to them.
pub fn all() -> Vec<Picture> {
    let slack = situations::slack().into_iter().map(|(name, conversation)| Picture {
        folder: CARDS,
        name,
        html: page::slack(name, situations::CHANNEL, &conversation.html(&situations::VIEWER)),
    });
    let teams = situations::teams().into_iter().map(|(name, at, body)| Picture {
        folder: CARDS,
        name,
        html: page::teams(name, &adaptive::message(&body, at)),
    });
    slack.chain(teams).chain(dashboard::pictures()).collect()
}

const CARDS: &str = "cards";
