//! CodeDeploy's deployment events: a release began, a release ended.

use belay::{
    carry_out::{Scene, carry_out},
    decision::{self, Verdict},
    events, gather,
    plan::{Circumstances, plan},
    signal::Signal,
    start::{Failure, Guard, Invocation},
};
use serde_json::{Value, json};
use tracing::{error, info};

/// Handles one invocation: one deployment event.
///
/// # Errors
/// When the payload is not a deployment event of CodeDeploy, or when something could not be read or written
/// down: then it is to be delivered again.
pub async fn handle(guard: &Guard, payload: &[u8], invocation: Invocation<'_>) -> Result<Value, Failure> {
    let now = invocation.now;
    let change = events::deployment(payload).map_err(|refusal| {
        error!(kind = refusal.kind(), %refusal, "refused");
        Failure { kind: refusal.kind(), message: refusal.to_string() }
    })?;
    let signal = Signal::Deployment(change.clone());
    let mut evidence = gather::deployment::gather(&guard.adapters, &guard.policy, &change, now).await;
    let mut judged = decision::deployment::decide(&guard.policy, &evidence, &change);
    if judged.decision.verdict == Verdict::LookAgain {
        // Whether it is time to ask turns on how often the signal has come.
        evidence.delivery = gather::delivery(&guard.adapters, &signal, now).await;
        judged = decision::deployment::decide(&guard.policy, &evidence, &change);
    }
    let owed = evidence.ledger.known().map(|ledger| ledger.owed.clone()).unwrap_or_default();
    let around =
        Circumstances { signal: &signal, began: judged.began, ended: judged.ended, owed: &owed, now };
    let scene = Scene { adapters: &guard.adapters, console: &guard.console, invocation };
    let outcome = carry_out(plan(judged.decision, around), &signal, change.at, scene).await;
    info!(
        deployment = change.deployment.as_str(),
        what = %change.what,
        verdict = outcome.verdict.word(),
        reasons = ?outcome.reasons,
        done = ?outcome.done,
        "judged"
    );
    if let Some(failed) = outcome.failed() {
        let message = format!("{}: {failed}", change.deployment);
        return Err(Failure { kind: "AwsCallFailed", message });
    }
    if outcome.look_again || outcome.verdict == Verdict::LookAgain {
        let message = format!("{}: {}", change.deployment, outcome.reasons.join(" "));
        return Err(Failure { kind: "EvidenceMissing", message });
    }
    Ok(json!({ "outcomes": [outcome.report()] }))
}
