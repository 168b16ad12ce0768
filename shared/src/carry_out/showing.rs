//! A release's one card: drawn from what is known now, posted once, edited in place.
//!
//! Whoever draws it claims it first, so that of two who draw at once the one who read last is shown last. Who finds it
//! claimed leaves it: the sweep draws every card of a release on watch again, each minute, and sends it if it differs
//! from what is shown. That is also how updates are coalesced, and how one that Slack did not take is made up for.

use tracing::{info, warn};

use super::Scene;
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
        if let Some(claim) = ledger.claim_card(&card.release, Claimant { owner: &owner, now }).await? {
            let shown = Box::pin(draw_and_send(card, channel, chat, scene)).await;
            if let Err(kept) = ledger.let_go(claim).await {
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
            chat.slack.update(&before.channel, &before.ts, &post.text, &post.blocks).await?;
            ShownCard { shown: digest, ..before }
        }
        None => {
            let posted = chat.slack.post(channel, None, false, &post.text, &post.blocks).await?;
            ShownCard { channel: posted.channel, ts: posted.ts, shown: digest }
        }
    };
    ledger.shown(&card.release, &shown, now).await?;
    info!(release = card.release.as_str(), "showed the card");
    Ok(shown)
}
