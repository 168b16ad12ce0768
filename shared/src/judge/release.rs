//! A release began or ended.

use serde_json::Value;

use super::{Origin, settled};
use crate::{
    aws::ledger::Claimant,
    carry_out::carry_out,
    decision::{self, Verdict},
    gather,
    ledger::{Note, Watch, Would},
    plan::{Circumstances, plan},
    signal::{ReleaseChange, Signal},
    start::{Failure, Guard, Invocation},
};

/// The one way through, for a release's beginning or end.
///
/// # Errors
/// When something could not be read or written down: then it is to be delivered again.
pub async fn release(
    guard: &Guard,
    change: &ReleaseChange,
    origin: Origin,
    invocation: Invocation<'_>,
) -> Result<Value, Failure> {
    let now = invocation.now;
    let owner = invocation.claimant();
    let signal = Signal::Release(change.clone());
    let mut evidence = gather::release::gather(&guard.adapters, &guard.policy, change, now).await;
    let mut judged = decision::release::decide(&guard.policy, &evidence, change);
    if judged.decision.verdict == Verdict::LookAgain {
        // Whether it is time to ask turns on how often the signal has come.
        evidence.delivery = gather::delivery(&guard.adapters, &signal, Claimant { owner: &owner, now }).await;
        judged = decision::release::decide(&guard.policy, &evidence, change);
    }
    let ledger = evidence.ledger.known().ok();
    let owed = ledger.map(|ledger| ledger.owed.clone()).unwrap_or_default();
    // Also when only its end is heard of, or its beginning too late: it is on watch from now on.
    let subject = judged.decision.release.as_ref().map(|subject| &subject.deployment);
    let watch = match (subject.filter(|release| release.is_release()), &judged.decision.service) {
        (Some(release), Some(service)) => Some(Watch::of(service, release)),
        (_, _) => None,
    };
    let would = ledger.and_then(|ledger| ledger.would.clone());
    let notes = match (would, &judged.ended) {
        (Some(would), Some(ended)) => {
            vec![Note::WouldEnded(Would { ended: Some(ended.status.clone()), ..would })]
        }
        (Some(_), None) | (None, _) => Vec::new(),
    };
    let around = Circumstances {
        began: judged.began,
        ended: judged.ended,
        watch,
        notes,
        owed: &owed,
        ..Circumstances::of(&signal, now)
    };
    let scene = guard.scene(invocation);
    let decision = origin.marked(judged.decision);
    let outcome = Box::pin(carry_out(plan(decision, around), &signal, change.at, scene)).await;
    settled(&outcome, change.deployment.as_str())
}
