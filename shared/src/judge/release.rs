//! A release began or ended.

use jiff::Timestamp;
use serde_json::Value;

use super::{Origin, settled};
use crate::{
    aws::ledger::Claimant,
    carry_out::carry_out,
    cause::Cause,
    decision::{self, Verdict},
    dora,
    evidence::ReleaseEvidence,
    gather::{self, inquiry::Inquiry},
    ledger::{Note, Watch, Would},
    plan::{Circumstances, plan},
    signal::{ReleaseChange, ReleaseHappening, Signal},
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
    inquiry: &impl Inquiry,
    invocation: Invocation<'_>,
) -> Result<Value, Failure> {
    let now = invocation.now;
    let owner = invocation.claimant();
    let signal = Signal::Release(change.clone());
    let mut evidence = gather::release::gather(&guard.adapters, &guard.policy, change, now).await;
    evidence.cause = cause(guard, &evidence, change, inquiry, now).await;
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
        trouble: ledger.and_then(dora::trouble),
        notes,
        owed: &owed,
        ..Circumstances::of(&signal, now)
    };
    let scene = guard.scene(invocation);
    let decision = origin.marked(judged.decision);
    let outcome = Box::pin(carry_out(plan(decision, around), &signal, change.at, scene)).await;
    settled(&outcome, change.deployment.as_str())
}

/// Why a deployment failed. That of a stage is a matter of its own, and what Belay stopped needs no explanation.
async fn cause(
    guard: &Guard,
    evidence: &ReleaseEvidence,
    change: &ReleaseChange,
    inquiry: &impl Inquiry,
    now: Timestamp,
) -> Option<Cause> {
    let failed = change.what == ReleaseHappening::Failed && change.instance.is_none();
    let release = evidence.deployment.known().ok()?;
    let ours = evidence.ledger.known().is_ok_and(|ledger| ledger.undo.is_some());
    if !failed || ours || release.group().is_none() {
        return None;
    }
    Box::pin(inquiry.cause_of(&guard.adapters, release, now)).await
}
