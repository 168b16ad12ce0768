//! Every minute: the one clock. What no event said, what nobody answered, what somebody left half done.

use std::{collections::BTreeSet, sync::Arc};

use belay::{
    decision::sweep::{Due, due},
    events,
    evidence::OpenEvidence,
    gather::{self, Looked, inquiry::InBrief},
    judge::{self, Found, Origin},
    ledger::{Destination, Note, Open, Press},
    metric,
    release::ReleaseId,
    signal::{PipelineChange, ReleaseHappening},
    start::{Failure, Guard, Guards, Invocation},
};
use futures_util::future::join_all;
use jiff::Timestamp;
use serde_json::{Value, json};
use tracing::{error, info};

/// One account's part of a tick.
struct Part<'a> {
    guard: &'a Guard,
    evidence: OpenEvidence,
    looked: Arc<Looked>,
    /// What comes after the cards.
    last: Vec<Due>,
}

impl<'a> Part<'a> {
    async fn gathered(guard: &'a Guard, open: Open, now: Timestamp) -> Self {
        let evidence = gather::open::gather(&guard.adapters, &guard.policy, open, now).await;
        Self { guard, evidence, looked: Arc::new(Looked::in_brief()), last: Vec::new() }
    }
}

/// Handles one tick. Idle, it costs one query of the ledger and no other call.
///
/// # Errors
/// When the payload is no tick, or when something that is due could not be done: the next minute does it.
pub async fn handle(guards: &Guards, payload: &[u8], invocation: Invocation<'_>) -> Result<Value, Failure> {
    events::schedule(payload).map_err(|refusal| {
        error!(kind = refusal.kind(), %refusal, "refused");
        Failure { kind: refusal.kind(), message: refusal.to_string() }
    })?;
    let now = invocation.now;
    let read = guards.own().adapters.ledger.open_things(now).await;
    let (open, unreadable) = read?;
    let mut failures: Vec<String> = unreadable.iter().map(ToString::to_string).collect();
    // Before anything is tried: an alarm on it tells when trying does not help.
    if let Some(asked) = open.questions.iter().map(|question| question.asked).min() {
        guards.own().log.line(&metric::oldest_question(now.duration_since(asked), invocation.name(), now));
    }
    let mut outcomes = Vec::new();
    if open != Open::default() {
        let (open, unread) = guards.divided(open, now).await;
        failures.extend(unread.into_iter().map(|why| format!("not read: {why}")));
        // Side by side: an account that does not answer keeps the others waiting for one call's time, not for each.
        let gathered = open.into_iter().map(|(guard, open)| Part::gathered(guard, open, now));
        let mut parts = join_all(gathered).await;
        let mut stale = BTreeSet::new();
        for part in &mut parts {
            failures.extend(part.evidence.unread().into_iter().map(|why| format!("not read: {why}")));
            let due = due(&part.guard.policy, &part.evidence, now);
            let (last, first): (Vec<Due>, Vec<Due>) = due.into_iter().partition(after_cards);
            part.last = last;
            for due in first {
                let (looked, presses) = (&part.looked, part.evidence.open.presses.as_slice());
                match settle(part.guard, due, looked, presses, &stale, invocation).await {
                    Ok(settled) => outcomes.extend(settled),
                    // One that fails must not keep the others waiting.
                    Err(failure) => failures.push(failure.to_string()),
                }
            }
        }
        // Cards come after everything that matters more, before what belongs into their threads; and a release is let go
        // only once its card says how it ended.
        let shown: Vec<_> = parts.iter().map(|part| (part.guard, &part.evidence)).collect();
        stale.extend(Box::pin(judge::cards(&shown, invocation)).await);
        for Part { guard, evidence, looked, last } in parts {
            for due in last {
                if matches!(&due, Due::Unwatched(release) if stale.contains(release)) {
                    continue;
                }
                let presses = evidence.open.presses.as_slice();
                match settle(guard, due, &looked, presses, &stale, invocation).await {
                    Ok(settled) => outcomes.extend(settled),
                    Err(failure) => failures.push(failure.to_string()),
                }
            }
        }
    }
    for failure in &failures {
        error!(%failure, "not done, or not read; the next minute tries again");
    }
    info!(outcomes = outcomes.len(), failures = failures.len(), "swept");
    if failures.is_empty() {
        Ok(json!({ "outcomes": outcomes }))
    } else {
        Err(Failure { kind: "Unfinished", message: failures.join("; ") })
    }
}

fn after_cards(due: &Due) -> bool {
    match due {
        Due::Unwatched(_) => true,
        Due::Owed(owed) => matches!(owed.to, Destination::Slack | Destination::Picture),
        Due::Silence(_)
        | Due::HookLeft(_)
        | Due::Pressed(_)
        | Due::Left(..)
        | Due::Release(_)
        | Due::StageFailed(..)
        | Due::Alarm(_)
        | Due::Watched(_) => false,
    }
}

/// Takes one thing the way that its event would have taken.
async fn settle(
    guard: &Guard,
    due: Due,
    looked: &Arc<Looked>,
    presses: &[Press],
    cardless: &BTreeSet<ReleaseId>,
    invocation: Invocation<'_>,
) -> Result<Vec<Value>, Failure> {
    match due {
        Due::Alarm(change) => Box::pin(judge::found(guard, &change, looked, invocation)).await,
        Due::Left(release, undo, what) => {
            Box::pin(judge::left(guard, &release, &undo, what, invocation)).await.map(|outcome| vec![outcome])
        }
        Due::Silence(question) => Box::pin(judge::silence(guard, &question, presses, invocation)).await,
        Due::HookLeft(waiting) => Box::pin(judge::hook_left(guard, &waiting, presses, invocation))
            .await
            .map(|outcome| vec![outcome]),
        Due::Pressed(press) => {
            Box::pin(judge::pressed(guard, &press, invocation)).await.map(|outcome| vec![outcome])
        }
        Due::Owed(owed) => Box::pin(judge::owed(guard, &owed, cardless, invocation)).await,
        Due::Release(change) => {
            let released = judge::release(guard, &change, Origin::Sweep, &InBrief, invocation);
            let mut outcomes = vec![Box::pin(released).await?];
            // Why a stage failed is told besides.
            if change.what == ReleaseHappening::Failed
                && let Some(stage) = PipelineChange::of_stage(&change)
            {
                let told = judge::pipeline(guard, &stage, Origin::Sweep, &InBrief, invocation);
                outcomes.extend(Box::pin(told).await?);
            }
            Ok(outcomes)
        }
        Due::StageFailed(watch, stage, at) => {
            let found = Found { stage: Some(&stage), watch: &watch, at, origin: Origin::Sweep };
            let outcome = Box::pin(judge::stage_failed(guard, found, &InBrief, invocation)).await?;
            Ok(outcome.into_iter().collect())
        }
        Due::Watched(watch) => keep(guard, Note::Watched(watch), invocation).await,
        Due::Unwatched(release) => keep(guard, Note::Unwatched(release), invocation).await,
    }
}

async fn keep(guard: &Guard, note: Note, invocation: Invocation<'_>) -> Result<Vec<Value>, Failure> {
    guard.adapters.ledger.keep(&note, invocation.now).await?;
    Ok(Vec::new())
}
