//! A release's one card: drawn from what is known now, posted once, edited in place.
//!
//! Whoever draws it claims it first, so that of two who draw at once the one who read last is shown last. Who finds it
//! claimed leaves it: the sweep draws every card of a release on watch again, each minute, and sends it if it differs
//! from what is shown. That is also how updates are coalesced, and how one that Slack did not take is made up for.

use tracing::{info, warn};

use super::{
    Scene,
    undoing::{time_was_up, too_late_to_draw},
};
use crate::{
    aws::{AwsError, ledger::Claimant},
    channel::Chat,
    chat::{draw, slack},
    gather,
    ledger::ShownCard,
    message::OnCard,
};

/// How often one who finds the card claimed looks again.
const LOOKS: u32 = 3;

/// Shows the card of a release as it is now. None if the service has no channel, or somebody else is at it.
pub(super) async fn show(card: &OnCard, scene: Scene<'_>) -> Result<Option<ShownCard>, AwsError> {
    let (Some(chat), Some(service)) = (&scene.adapters.chat, scene.policy.service(&card.service)) else {
        return Ok(None);
    };
    let Some(channel) = &service.chat.slack else { return Ok(None) };
    let (ledger, now) = (&scene.adapters.ledger, scene.invocation.now);
    let owner = scene.invocation.claimant();
    for look in 0..LOOKS {
        // The claim's lease counts from our beginning; a card that is drawn late is drawn by somebody else as well.
        if too_late_to_draw(scene.invocation.begun).await {
            return Err(time_was_up("draw", &card.release));
        }
        if let Some(claim) = ledger.claim_card(&card.release, Claimant { owner: &owner, now }).await? {
            let shown = Box::pin(draw_and_send(card, channel, chat, scene)).await;
            if let Err(kept) = ledger.give_back(claim).await {
                warn!(error = %kept, "could not let go of the card; its claim ends by itself");
            }
            return shown.map(Some);
        }
        if look + 1 < LOOKS {
            tokio::time::sleep(scene.pause).await;
        }
    }
    Ok(None)
}

async fn posted(
    chat: &Chat,
    channel: &str,
    post: &slack::Post,
    shown: String,
) -> Result<ShownCard, AwsError> {
    let posted = chat.slack.post(channel, None, false, &post.text, &post.blocks).await?;
    Ok(ShownCard { channel: posted.channel, ts: posted.ts, shown })
}

/// Forgets what a card shows, so that it is sent again: its message may not be there any more.
pub(super) async fn doubt(card: &OnCard, shown: ShownCard, scene: Scene<'_>) -> Result<(), AwsError> {
    let shown = ShownCard { shown: String::new(), ..shown };
    scene.adapters.ledger.shown(&card.release, &shown, scene.invocation.now).await
}

async fn draw_and_send(
    card: &OnCard,
    channel: &str,
    chat: &Chat,
    scene: Scene<'_>,
) -> Result<ShownCard, AwsError> {
    let (ledger, now) = (&scene.adapters.ledger, scene.invocation.now);
    let facts = Box::pin(gather::card::gather(scene.adapters, scene.policy, card, now)).await?;
    let before = facts.ledger.card.clone();
    let (drawn, offers) = draw::card(&facts, scene.console);
    let post = slack::card(&drawn);
    let digest = draw::digest(&post.text, &post.blocks.to_string());
    if let Some(before) = &before
        && before.shown == digest
    {
        return Ok(before.clone());
    }
    // A button must never be seen before it is known what it stands for.
    for (id, offer) in &offers {
        ledger.offer(id, offer, now).await?;
    }
    let shown = match before {
        Some(before) => {
            match chat.slack.update(&before.channel, &before.ts, &post.text, &post.blocks).await {
                Ok(()) => ShownCard { shown: digest, ..before },
                // Somebody deleted it, or the channel keeps nothing for so long.
                Err(error) if error.is("message_not_found") => posted(chat, channel, &post, digest).await?,
                Err(error) => return Err(error),
            }
        }
        None => posted(chat, channel, &post, digest).await?,
    };
    ledger.shown(&card.release, &shown, now).await?;
    info!(release = card.release.as_str(), "showed the card");
    Ok(shown)
}
