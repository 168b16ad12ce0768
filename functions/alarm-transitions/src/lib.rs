//! CloudWatch alarm state changes: does a release have to go back?

use belay::{
    carry_out::{Outcome, Scene, carry_out},
    decision::{self, Decision, Verdict},
    events::{self, AlarmPayload},
    evidence::AlarmEvidence,
    gather,
    ledger::{Judged, OwedMessage},
    plan::{Circumstances, plan},
    reason::{Reason, UndoneBy},
    signal::{AlarmChange, Signal},
    start::{Failure, Guard, Invocation},
};
use futures_util::future::join_all;
use jiff::Timestamp;
use serde_json::{Value, json};
use tracing::{error, info};

/// Handles one invocation: one alarm's change, in any of the forms in which CloudWatch sends it, or an SQS
/// batch of them.
///
/// # Errors
/// When the payload is not an alarm's change, when something that the decision depends on could not be learnt,
/// or when a call kept failing: then it is to be delivered again. For a batch the answer names the messages
/// that are to come again instead.
pub async fn handle(guard: &Guard, payload: &[u8], invocation: Invocation<'_>) -> Result<Value, Failure> {
    let payload = events::alarm(payload).map_err(|refusal| {
        error!(kind = refusal.kind(), %refusal, "refused");
        Failure { kind: refusal.kind(), message: refusal.to_string() }
    })?;
    match payload {
        AlarmPayload::One(changes) => {
            let mut outcomes = Vec::new();
            for change in &changes {
                outcomes.extend(judge(guard, change, invocation).await?);
            }
            Ok(json!({ "outcomes": outcomes }))
        }
        AlarmPayload::Batch(items) => {
            let mut failed = Vec::new();
            for item in items {
                let result = match item.changes {
                    Ok(changes) => judge_all(guard, &changes, invocation).await,
                    Err(refusal) => Err(Failure { kind: refusal.kind(), message: refusal.to_string() }),
                };
                if let Err(failure) = result {
                    error!(kind = failure.kind, %failure, message_id = item.message_id, "to come again");
                    failed.push(json!({ "itemIdentifier": item.message_id }));
                }
            }
            Ok(json!({ "batchItemFailures": failed }))
        }
    }
}

async fn judge_all(
    guard: &Guard,
    changes: &[AlarmChange],
    invocation: Invocation<'_>,
) -> Result<(), Failure> {
    for change in changes {
        judge(guard, change, invocation).await?;
    }
    Ok(())
}

/// The one way through, for one change of one alarm. While another invocation holds a claim that this one needs,
/// or when the release ended in the same moment, it looks again; and when that does not settle it, the signal is to
/// be delivered again.
async fn judge(
    guard: &Guard,
    change: &AlarmChange,
    invocation: Invocation<'_>,
) -> Result<Vec<Value>, Failure> {
    let now = invocation.now;
    let signal = Signal::Alarm(change.clone());
    let scene = Scene { adapters: &guard.adapters, console: &guard.console, invocation };
    let mut outcomes;
    let mut delivery = None;
    let patience = tokio::time::sleep(guard.patience.look_for);
    tokio::pin!(patience);
    let mut last_look = false;
    loop {
        let mut evidence = gather::alarm::gather(&guard.adapters, &guard.policy, change, now).await;
        let mut decisions = decision::alarm::decide(&guard.policy, &evidence, change, now);
        // Somebody else may be done in a moment; what does not wait for that is done now.
        let wait = !last_look && decisions.iter().any(somebody_is_at_it);
        if wait {
            decisions.retain(|decision| decision.verdict != Verdict::LookAgain);
        } else if decisions.iter().any(|decision| decision.verdict == Verdict::LookAgain) {
            // Whether it is time to ask turns on how often the signal has come: counted once an invocation.
            if delivery.is_none() {
                delivery = Some(gather::delivery(&guard.adapters, &signal, now).await);
            }
            evidence.delivery = delivery.clone().unwrap_or(evidence.delivery);
            decisions = decision::alarm::decide(&guard.policy, &evidence, change, now);
        }
        // Side by side: one release's undo does not wait for another one's message.
        let carried = decisions.into_iter().map(|decision| async {
            let owed = owed(&evidence, &decision).to_vec();
            let service = decision.service.clone();
            let release = decision.release.as_ref().map(|subject| subject.deployment.id.clone());
            let around = Circumstances { signal: &signal, began: None, ended: None, owed: &owed, now };
            let mut outcome = carry_out(plan(decision, around), &signal, change.at, scene).await;
            // Somebody is sending these, and may yet die: the signal is not settled before they are out.
            outcome.look_again |= owed.iter().any(|owed| now < owed.until);
            info!(
                alarm = change.alarm.as_str(),
                verdict = outcome.verdict.word(),
                reasons = ?outcome.reasons,
                done = ?outcome.done,
                "judged"
            );
            (Judged { service, verdict: outcome.verdict, release, at: now }, outcome)
        });
        outcomes = join_all(carried).await;
        let again = wait || outcomes.iter().any(|(_, outcome)| outcome.look_again);
        if last_look || !again {
            break;
        }
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
        if judged.service.is_some() && !outcome.judged_before {
            let settled = guard.adapters.ledger.settle(&signal.key(), judged, now).await;
            settled.map_err(|error| Failure { kind: "AwsCallFailed", message: error.to_string() })?;
        }
    }
    Ok(outcomes.iter().map(|(_, outcome)| outcome.report()).collect())
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
