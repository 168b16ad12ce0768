//! Telling people: the topic first, then the chat products, each with a claim of its own.
//!
//! The order is the promise: once a message is written down it cannot be lost, and only then is the effect that it tells
//! of called done, so that there is no moment at which an effect is done and nobody will ever be told. A product that is
//! down keeps nothing from the others: what it did not take is owed to it, and sent by the next event about the release
//! or by the sweep.

use std::time::Duration;

use tracing::{info, warn};

use super::{
    Outcome, Scene,
    showing::{doubt, show},
    undoing::{time_was_up, too_late},
};
use crate::{
    aws::{
        AwsError,
        ledger::{Claim, Claimant, Claimed},
    },
    channel::{self, Chat},
    chat::{amazon_q, slack, teams},
    ledger::{Destination, Note, Owed, Partition},
    message::{Message, OnCard},
};

/// A message that is written down for one destination, or is not.
pub(super) struct Written {
    owed: Owed,
    /// None if the ledger did not take it: it is sent all the same, since better told twice than never.
    claim: Option<Claim>,
}

/// The claim on an effect, and what became of it.
pub(super) enum Effect {
    /// It happened.
    Done(Claim),
    /// It is not done any more.
    GivenUp(Claim),
}

/// Writes a message down for every destination, finishes the effect that it tells of, and sends it to the topic. What is
/// left is for the chat products.
pub(super) async fn tell(
    outcome: &mut Outcome,
    partition: &Partition,
    key: &str,
    message: &Message,
    effect: Option<Effect>,
    scene: Scene<'_>,
) -> Vec<Written> {
    let owed_to =
        |to| Owed { to, partition: partition.clone(), key: key.to_owned(), since: scene.invocation.now };
    let topic = write_down(outcome, owed_to(Destination::Topic), message, scene).await;
    let mut rest = Vec::new();
    for to in chat_products(message, scene).await {
        // Without the ledger nobody knows in whose thread, and the topic has the message.
        let written = write_down(outcome, owed_to(to), message, scene).await;
        rest.extend(written.filter(|written| written.claim.is_some()));
    }
    let recorded = topic.as_ref().is_none_or(|topic| topic.claim.is_some());
    if recorded && let Some(effect) = effect {
        let finished = match effect {
            Effect::Done(claim) => scene.adapters.ledger.done(claim).await,
            Effect::GivenUp(claim) => scene.adapters.ledger.overtaken(claim).await,
        };
        outcome.failures.extend(finished.err());
    }
    if let Some(topic) = topic {
        send(outcome, topic, message, scene).await;
    }
    rest
}

/// Which chat products a message goes to. Whether there is a Teams is in the secret, which is read once in a while; while
/// it cannot be read soon, the message is owed, and whoever sends it knows.
async fn chat_products(message: &Message, scene: Scene<'_>) -> Vec<Destination> {
    const SOON: Duration = Duration::from_secs(1);
    let Some(chat) = &scene.adapters.chat else { return Vec::new() };
    let mut products = Vec::new();
    match tokio::time::timeout(SOON, chat.has_teams()).await {
        Ok(Ok(false)) => {}
        Ok(Ok(true) | Err(_)) | Err(_) => products.push(Destination::Teams),
    }
    if message.slack.is_some() {
        products.push(Destination::Slack);
        products.extend(message.graph.as_ref().map(|_| Destination::Picture));
    }
    products
}

/// Sends a message to the chat products that it was written down for.
pub(super) async fn say(outcome: &mut Outcome, written: Vec<Written>, message: &Message, scene: Scene<'_>) {
    for written in written {
        send(outcome, written, message, scene).await;
    }
}

/// Writes one message down for one destination, and sends it.
pub(super) async fn deliver(outcome: &mut Outcome, owed: Owed, message: &Message, scene: Scene<'_>) {
    if let Some(written) = write_down(outcome, owed, message, scene).await {
        send(outcome, written, message, scene).await;
    }
}

/// Writes one message down for one destination. None if it was told before, or somebody is telling it.
async fn write_down(
    outcome: &mut Outcome,
    owed: Owed,
    message: &Message,
    scene: Scene<'_>,
) -> Option<Written> {
    let (ledger, now) = (&scene.adapters.ledger, scene.invocation.now);
    let owner = scene.invocation.claimant();
    let by = Claimant { owner: &owner, now };
    let claimed = match outcome.failures.iter().find(|failure| failure.operation.starts_with("dynamodb:")) {
        Some(down) => Err(down.clone()),
        None => {
            // First where it is, then what it says: whoever dies in between leaves a pointer to nothing, which the
            // sweep forgets; the other way round it would leave a message that nobody finds.
            match ledger.keep(&Note::Owes(owed.clone()), now).await {
                Ok(()) => ledger.claim_message(&owed, message, by).await,
                Err(error) => Err(error),
            }
        }
    };
    let key = &owed.key;
    match claimed {
        Ok(Claimed::Ours(claim) | Claimed::TakenOver(claim)) => Some(Written { owed, claim: Some(claim) }),
        Ok(Claimed::Before) => {
            outcome.done.push(format!("the message {key} was told before"));
            if let Err(error) = ledger.keep(&Note::Paid(owed), now).await {
                outcome.failures.push(error);
            }
            None
        }
        Ok(Claimed::BySomebodyElse) => {
            outcome.done.push(format!("the message {key} is being told already"));
            // Should they die, what is owed to a chat product is found by the sweep; of the topic's message this very
            // signal has to make sure.
            outcome.look_again |= owed.to == Destination::Topic;
            None
        }
        Err(error) => {
            outcome.failures.push(error);
            Some(Written { owed, claim: None })
        }
    }
}

/// Sends one message to one destination.
async fn send(outcome: &mut Outcome, written: Written, message: &Message, scene: Scene<'_>) {
    let Written { owed, claim } = written;
    let (ledger, now, key) = (&scene.adapters.ledger, scene.invocation.now, &owed.key);
    // A message that is sent late is sent by somebody else as well: its lease counts from our beginning.
    if claim.is_some() && too_late(scene.invocation.begun).await {
        outcome.failed_to_tell(owed.to, time_was_up("tell", key));
        give_back(claim, scene).await;
        return;
    }
    match Box::pin(send_to(&owed, message, scene)).await {
        Ok(()) => {
            if owed.to == Destination::Topic {
                info!(key, title = message.title, "told");
                outcome.done.push(format!("told: {}", message.title));
            } else {
                info!(key, to = ?owed.to, "told");
            }
            if let Some(claim) = claim {
                let paid = match ledger.done(claim).await {
                    Ok(()) => ledger.keep(&Note::Paid(owed), now).await,
                    Err(error) => Err(error),
                };
                if let Err(error) = paid {
                    outcome.failures.push(error);
                }
            }
        }
        Err(error) => {
            // Nothing is lost: it is written down, and the next delivery, of this or of any other signal about
            // the release, sends it. Where nobody knows whether it arrived, it may arrive twice.
            give_back(claim, scene).await;
            outcome.failed_to_tell(owed.to, error);
        }
    }
}

async fn give_back(claim: Option<Claim>, scene: Scene<'_>) {
    if let Some(claim) = claim
        && let Err(kept) = scene.adapters.ledger.give_back(claim).await
    {
        warn!(error = %kept, "could not give the message's claim back; it ends by itself");
    }
}

async fn send_to(owed: &Owed, message: &Message, scene: Scene<'_>) -> Result<(), AwsError> {
    match owed.to {
        Destination::Topic => {
            let id = format!("{}/{}", owed.partition.key(), owed.key);
            scene.adapters.topic.publish(&amazon_q::render(message, &id)).await
        }
        Destination::Slack => to_slack(message, scene).await,
        Destination::Picture => picture(message, scene).await,
        Destination::Teams => {
            let chat = chat(scene)?;
            // Written down while nobody knew whether there is one.
            if chat.has_teams().await? { chat.teams.post(&teams::message(message)).await } else { Ok(()) }
        }
    }
}

fn chat(scene: Scene<'_>) -> Result<&Chat, AwsError> {
    let why = "a chat product is asked for, and BELAY_CHAT_SECRET is not set";
    scene.adapters.chat.as_ref().ok_or_else(|| AwsError::unreadable("belay:tell", "chat", why))
}

/// Into the thread of the release's card, which is posted first if it is not there yet; or into the channel.
async fn to_slack(message: &Message, scene: Scene<'_>) -> Result<(), AwsError> {
    let Some(place) = &message.slack else { return Ok(()) };
    let post = slack::message(message);
    let slack = &chat(scene)?.slack;
    let thread = match &place.card {
        Some(card) => Some(thread_of(card, scene).await?),
        None => None,
    };
    let (channel, broadcast) = (place.channel.as_str(), place.broadcast);
    let sent = slack.post(channel, thread.as_deref(), broadcast, &post.text, &post.blocks).await;
    if let (Err(error), Some(card)) = (&sent, &place.card)
        && error.is("thread_not_found")
    {
        // Somebody deleted the card. It is posted anew, and this message is owed to its new thread.
        let ledger = scene.adapters.ledger.release(&card.release, scene.invocation.now).await?;
        if let Some(shown) = ledger.card {
            doubt(card, shown, scene).await?;
        }
    }
    sent.map(|_| ())
}

/// The picture of the alarm's graph, in the same thread. An alarm that has no graph, a composite one, has no picture
/// either.
async fn picture(message: &Message, scene: Scene<'_>) -> Result<(), AwsError> {
    let (Some(place), Some(graph)) = (&message.slack, &message.graph) else { return Ok(()) };
    let Some(card) = &place.card else { return Ok(()) };
    let slack = &chat(scene)?.slack;
    let thread = thread_of(card, scene).await?;
    let until = graph.to.max(scene.invocation.now);
    let drawn = scene.adapters.cloudwatch.graph(&graph.alarm, graph.from, until, Some(graph.began)).await;
    let png = match drawn {
        Ok(png) => png,
        Err(error) if error.refused && !error.is_throttling() => {
            warn!(%error, "there is no picture of this alarm");
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    let name = graph.alarm.as_str().rsplit_once(":alarm:").map_or("the alarm", |(_, name)| name);
    let alt = format!("The graph of the alarm {name}, with a vertical line where the release began");
    slack.picture(&place.channel, &thread, &format!("Alarm {name}"), &alt, &png).await
}

/// The message that a release's thread hangs on: its card.
async fn thread_of(card: &OnCard, scene: Scene<'_>) -> Result<String, AwsError> {
    let ledger = scene.adapters.ledger.release(&card.release, scene.invocation.now).await?;
    if let Some(card) = ledger.card {
        return Ok(card.ts);
    }
    let shown = Box::pin(show(card, scene)).await?;
    let why = "its card is being posted by somebody else";
    shown.map(|card| card.ts).ok_or_else(|| AwsError::unreadable("belay:show", &card.release, why))
}

/// What to do about a chat product that will not take messages by itself, as a sentence.
pub(crate) fn advice(error: &AwsError) -> Option<String> {
    let slack = error.operation.starts_with("slack:");
    let for_good =
        if slack { channel::slack::is_for_good(error) } else { channel::teams::is_for_good(error) };
    if !for_good {
        return None;
    }
    let advice = if slack { channel::slack::what_to_do(error) } else { channel::teams::what_to_do(error) };
    Some(advice.unwrap_or("look at what it says").to_owned())
}
