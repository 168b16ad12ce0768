//! Deployments, stages and manual approvals: a release began, ended, or waits for a person.

use belay::{
    events::{self, PipelineEvent},
    judge::{self, Origin},
    start::{Failure, Guard, Invocation},
};
use serde_json::{Value, json};
use tracing::error;

/// Handles one invocation: one event of CodeDeploy or CodePipeline.
///
/// # Errors
/// When the payload is not such an event, or when something could not be read or written down: then it is to be
/// delivered again.
pub async fn handle(guard: &Guard, payload: &[u8], invocation: Invocation<'_>) -> Result<Value, Failure> {
    let change = events::release(payload).map_err(|refusal| {
        error!(kind = refusal.kind(), %refusal, "refused");
        Failure { kind: refusal.kind(), message: refusal.to_string() }
    })?;
    match change {
        Some(PipelineEvent::Manual(change)) => {
            let outcomes = Box::pin(judge::manual(guard, &change, invocation)).await?;
            Ok(json!({ "outcomes": outcomes }))
        }
        Some(PipelineEvent::Release(change)) => {
            let outcome = Box::pin(judge::release(guard, &change, Origin::Event, invocation)).await?;
            Ok(json!({ "outcomes": [outcome] }))
        }
        None => Ok(json!({ "outcomes": [] })),
    }
}
