//! Once a day, and whenever a drift detection ends: which stacks are not as their templates say.

use belay::{
    drift::StackHappening,
    events, judge,
    start::{Failure, Guards, Invocation},
};
use serde_json::{Value, json};
use tracing::error;

/// Handles one invocation: a tick of the daily schedule, or CloudFormation's event that a detection has ended. Stacks of
/// Belay's own account only.
///
/// # Errors
/// When the payload is neither, or is about an account or a region that is not guarded; or when something could not be
/// read, written down or told: then it is to be delivered again.
pub async fn handle(guards: &Guards, payload: &[u8], invocation: Invocation<'_>) -> Result<Value, Failure> {
    let own = guards.own();
    if events::schedule(payload).is_ok() {
        let outcomes = Box::pin(judge::drift::tick(own, invocation)).await?;
        return Ok(json!({ "outcomes": outcomes }));
    }
    let check = events::drift(payload).map_err(|refusal| {
        error!(kind = refusal.kind(), %refusal, "refused");
        Failure { kind: refusal.kind(), message: refusal.to_string() }
    })?;
    let home = (check.account.as_deref(), check.region.as_deref());
    let guard = guards.of_event(home, invocation).inspect_err(|failure| error!(%failure, "refused"))?;
    if guard.account.is_some() {
        // Their stacks are not looked at, and their detections are somebody else's.
        return Ok(json!({ "outcomes": [] }));
    }
    let mut outcomes = vec![Box::pin(judge::drift::stack(own, &check, invocation)).await?];
    let seed = match &check.what {
        StackHappening::Detected { detection, .. } => detection.as_str(),
        StackHappening::Refused { .. }
        | StackHappening::NeverEnded { .. }
        | StackHappening::NotItsTurn { .. } => "",
    };
    outcomes.extend(Box::pin(judge::drift::start(own, seed, invocation)).await?);
    Ok(json!({ "outcomes": outcomes }))
}
