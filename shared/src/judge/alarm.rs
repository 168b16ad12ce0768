//! An alarm changed its state.

use std::sync::Arc;

use futures_util::future::join_all;
use jiff::Timestamp;
use serde_json::Value;

use super::{Origin, log};
use crate::{
    aws::ledger::Claimant,
    carry_out::{Outcome, carry_out},
    decision::{self, Decision, Verdict},
    evidence::AlarmEvidence,
    gather::{self, Looked},
    ledger::{Incident, Judged, OwedMessage, Watch},
    plan::{Circumstances, plan},
    reason::{Reason, UndoneBy},
    signal::{AlarmChange, AlarmState, Signal},
    start::{Failure, Guard, Invocation},
};

/// The one way through, for one change of one alarm. While another invocation holds a claim that this one needs,
/// or when the release ended in the same moment, it looks again; and when that does not settle it, the signal is to
/// be delivered again.
///
/// # Errors
/// When something that the decision depends on could not be learnt, or when a call kept failing.
pub async fn alarm(
    guard: &Guard,
    change: &AlarmChange,
    looked: &Arc<Looked>,
    origin: Origin,
    invocation: Invocation<'_>,
) -> Result<Vec<Value>, Failure> {
    let now = invocation.now;
    let owner = invocation.claimant();
    let by = Claimant { owner: &owner, now };
    let mut looked = Arc::clone(looked);
    let signal = Signal::Alarm(change.clone());
    let scene = guard.scene(invocation);
    let mut outcomes;
    let mut delivery = None;
    let patience = tokio::time::sleep(guard.patience.look_for);
    tokio::pin!(patience);
    let mut last_look = false;
    loop {
        let gathered = gather::alarm::gather(&guard.adapters, &guard.policy, change, &looked, now);
        let mut evidence = Box::pin(gathered).await;
        let mut decisions = decision::alarm::decide(&guard.policy, &evidence, change, now);
        // Somebody else may be done in a moment; what does not wait for that is done now.
        let wait = !last_look && decisions.iter().any(somebody_is_at_it);
        if wait {
            decisions.retain(|decision| decision.verdict != Verdict::LookAgain);
        } else if decisions.iter().any(|decision| decision.verdict == Verdict::LookAgain) {
            // Whether it is time to ask turns on how often the signal has come: counted once an invocation.
            if delivery.is_none() {
                delivery = Some(gather::delivery(&guard.adapters, &signal, by).await);
            }
            evidence.delivery = delivery.clone().unwrap_or(evidence.delivery);
            decisions = decision::alarm::decide(&guard.policy, &evidence, change, now);
        }
        // Side by side: one release's undo does not wait for another one's message.
        let carried = decisions.into_iter().map(|decision| async {
            let owed = owed(&evidence, &decision).to_vec();
            let service = decision.service.clone();
            let release = decision.release.as_ref().map(|subject| subject.deployment.id.clone());
            let around = Circumstances {
                watch: watch(&evidence, &decision),
                incident: incident(guard, &evidence, change, &decision),
                owed: &owed,
                ..Circumstances::of(&signal, now)
            };
            let decision = origin.marked(decision);
            let mut outcome = Box::pin(carry_out(plan(decision, around), &signal, change.at, scene)).await;
            // Somebody is sending these, and may yet die: the signal is not settled before they are out.
            outcome.look_again |= owed.iter().any(|owed| now < owed.until);
            log(&outcome, change.alarm.as_str());
            (Judged { service, verdict: outcome.verdict, release, at: now }, outcome)
        });
        outcomes = join_all(carried).await;
        let again = wait || outcomes.iter().any(|(_, outcome)| outcome.look_again);
        if last_look || !again {
            break;
        }
        // What was seen before has changed, or is about to.
        looked = Arc::default();
        tokio::select! {
            () = tokio::time::sleep(guard.patience.pause) => {}
            () = patience.as_mut() => last_look = true,
        }
    }
    settle(guard, change, &signal, &outcomes, now).await
}

fn somebody_is_at_it(decision: &Decision) -> bool {
    decision.verdict == Verdict::LookAgain
        && matches!(
            decision.reasons.first(),
            Reason::AlreadyUndone { by: UndoneBy::BelayRightNow { .. }, .. }
        )
}

/// Writes down that the signal is done with, so that it is not judged again when it comes again. Only when
/// everything is: a service with several groups is settled as a whole.
async fn settle(
    guard: &Guard,
    change: &AlarmChange,
    signal: &Signal,
    outcomes: &[(Judged, Outcome)],
    now: Timestamp,
) -> Result<Vec<Value>, Failure> {
    let failures: Vec<String> = outcomes.iter().filter_map(|(_, outcome)| outcome.failed()).collect();
    if !failures.is_empty() {
        let message = format!("{}: {}", change.alarm, failures.join("; "));
        return Err(Failure { kind: "AwsCallFailed", message });
    }
    let unsettled = |outcome: &Outcome| outcome.look_again || outcome.verdict == Verdict::LookAgain;
    if let Some((_, again)) = outcomes.iter().find(|(_, outcome)| unsettled(outcome)) {
        let message = format!("{}: {}", change.alarm, again.reasons.join(" "));
        return Err(Failure { kind: "EvidenceMissing", message });
    }
    for (judged, outcome) in outcomes {
        // An OK that ends nothing may have come before its ALARM: once that has opened an incident, it ends it.
        let ends_nothing = change.to == AlarmState::Ok && outcome.verdict == Verdict::Ignore;
        if judged.service.is_some() && !outcome.judged_before && !ends_nothing {
            guard.adapters.ledger.settle(&signal.key(), judged, now).await?;
        }
    }
    Ok(outcomes.iter().map(|(_, outcome)| outcome.report()).collect())
}

/// That the release of a decision is on watch, if its beginning was not seen: the sweep looks after it from here on.
pub(super) fn watch(evidence: &AlarmEvidence, decision: &Decision) -> Option<Watch> {
    let release = &decision.release.as_ref()?.deployment;
    let service = decision.service.as_ref()?;
    let place = evidence.services.iter().flat_map(|service| &service.places).find(|place| {
        place.latest.known().ok().and_then(Option::as_ref).is_some_and(|latest| latest.id == release.id)
    })?;
    let unseen = place.ledger.known().is_ok_and(|ledger| ledger.began.is_none());
    unseen.then(|| Watch::of(service, release))
}

/// The incident that a change to OK ends.
fn incident<'a>(
    guard: &Guard,
    evidence: &'a AlarmEvidence,
    change: &AlarmChange,
    decision: &Decision,
) -> Option<&'a Incident> {
    if !matches!(decision.reasons.first(), Reason::Restored { .. }) {
        return None;
    }
    let service = guard.policy.service(decision.service.as_ref()?)?;
    decision::alarm::incident(service, evidence, change).ok().flatten()
}

/// The messages that are owed about the release of a decision.
fn owed<'a>(evidence: &'a AlarmEvidence, decision: &Decision) -> &'a [OwedMessage] {
    let Some(subject) = &decision.release else {
        return &[];
    };
    let id = &subject.deployment.id;
    for place in evidence.services.iter().flat_map(|service| &service.places) {
        if let Ok(Some(latest)) = place.latest.known()
            && latest.id == *id
            && let Ok(ledger) = place.ledger.known()
        {
            return &ledger.owed;
        }
        if let Ok(Some(taken_back)) = place.taken_back.known()
            && taken_back.deployment.id == *id
        {
            return &taken_back.ledger.owed;
        }
    }
    &[]
}
