//! Cards that are not as they should be: a traffic share that moved, an alarm that is OK again, an update that a chat
//! product did not take.

use std::{collections::BTreeSet, time::Duration};

use jiff::{SignedDuration, Timestamp};
use tracing::{error, warn};

use crate::{
    aws::timer::Timer,
    carry_out::{advice, refresh},
    chat::{draw, slack},
    evidence::{CardFacts, Observed, OpenEvidence},
    gather,
    ledger::Watch,
    message::OnCard,
    release::{Phase, Place, ReleaseId},
    start::{Guard, Invocation},
};

/// How long after its beginning a release is kept on watch for its card's sake alone.
const STALE: SignedDuration = SignedDuration::from_hours(24);

/// For so long cards are drawn in one minute.
const AT_MOST: Duration = Duration::from_secs(8);

/// Shows the card of every release on watch again that is not as it should be, in all accounts, each with its guard.
/// Those that could not be shown are given back.
pub async fn cards(accounts: &[(&Guard, &OpenEvidence)], invocation: Invocation<'_>) -> BTreeSet<ReleaseId> {
    let mut stale = BTreeSet::new();
    let mut time = Timer::of(AT_MOST);
    for (guard, evidence) in accounts {
        if guard.adapters.chat.is_none() {
            continue;
        }
        for watch in &evidence.open.watches {
            let kept = invocation.now.duration_since(watch.began) < STALE;
            // Messages that are owed still have to be sent, and the next minute draws what this one did not.
            let right = !time.is_over() && is_right(guard, watch, evidence, invocation).await;
            stale.extend((kept && !right).then(|| watch.release.clone()));
        }
    }
    stale
}

/// Shows a release's card again if it is not as it should be. False if that could not be done.
async fn is_right(guard: &Guard, watch: &Watch, evidence: &OpenEvidence, invocation: Invocation<'_>) -> bool {
    let Some(facts) = facts(guard, watch, evidence, invocation.now).await else { return true };
    let (card, _) = draw::card(&facts, &guard.console);
    let post = slack::card(&card);
    let digest = draw::digest(&post.text, &post.blocks.to_string());
    if facts.ledger.card.as_ref().is_some_and(|card| card.shown == digest) {
        return true;
    }
    let Err(error) = Box::pin(refresh(&OnCard::of(watch), guard.scene(invocation))).await else {
        return true;
    };
    let release = watch.release.as_str();
    match advice(&error) {
        Some(advice) => error!(%error, advice, release, "a card cannot be shown"),
        None => warn!(%error, release, "a card is not as it should be"),
    }
    false
}

/// What is known of a release on watch, from what the sweep has read anyway; and its traffic, while that moves. None
/// for one that has no card of its own.
async fn facts(guard: &Guard, watch: &Watch, evidence: &OpenEvidence, now: Timestamp) -> Option<CardFacts> {
    let service = guard.policy.service(&watch.service)?;
    service.chat.slack.as_ref()?;
    let release = evidence.releases.get(&watch.release)?.clone();
    let ledger = evidence.ledgers.get(&watch.release)?.known().ok()?.clone();
    let seen = release.known().ok()?;
    if seen.rolls_back.is_some() {
        return None;
    }
    let by = seen.rolled_back_by.clone().or_else(|| ledger.goes_back_by.clone());
    let rollback = match &watch.place {
        Place::Group(_) => by.and_then(|by| evidence.releases.get(&by)?.known().ok().cloned()),
        Place::Stage(stage) => gather::card::stage_rollback(&guard.adapters, stage, &ledger).await,
    };
    let runs = seen.status.phase() == Phase::Running && matches!(watch.place, Place::Group(_));
    let traffic = if runs {
        gather::card::traffic_of(&guard.adapters, &watch.release, now).await
    } else {
        Observed::Missing { why: "nothing is being shifted".to_owned() }
    };
    let alarms = evidence.alarms.clone().map(|mut alarms| {
        alarms.retain(|alarm, _| service.watched(alarm).is_some());
        alarms
    });
    Some(CardFacts {
        service: service.clone(),
        id: watch.release.clone(),
        place: watch.place.clone(),
        release,
        ledger,
        rollback,
        alarms,
        traffic,
    })
}
