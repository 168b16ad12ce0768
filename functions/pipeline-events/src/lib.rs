//! Deployments, pipelines and their stages, manual approvals: a release began, ended, failed on its way, or waits for a
//! person.

use belay::{
    events::{self, PipelineEvent},
    gather::failure::InFull,
    judge::{self, Origin},
    signal::PipelineChange,
    start::{Failure, Guards, Invocation},
};
use serde_json::{Value, json};
use tracing::error;

/// Handles one invocation: one event of CodeDeploy or CodePipeline, or CodePipeline's notification of an approval by SNS.
///
/// # Errors
/// When the payload is not such an event, or one of an account or a region that is not guarded; or when something could not be read or written down: then it is to be
/// delivered again.
pub async fn handle(guards: &Guards, payload: &[u8], invocation: Invocation<'_>) -> Result<Value, Failure> {
    let change = events::release(payload).map_err(|refusal| {
        error!(kind = refusal.kind(), %refusal, "refused");
        Failure { kind: refusal.kind(), message: refusal.to_string() }
    })?;
    let guard =
        guards.of_event(change.home(), invocation).inspect_err(|failure| error!(%failure, "refused"))?;
    let outcomes = match change {
        PipelineEvent::Notified(notices) => {
            let mut outcomes = Vec::new();
            for notice in &notices {
                let home = (notice.account.as_deref(), notice.region.as_deref());
                let guard =
                    guards.of_event(home, invocation).inspect_err(|failure| error!(%failure, "refused"))?;
                outcomes.extend(Box::pin(judge::notified(guard, notice, invocation)).await?);
            }
            outcomes
        }
        PipelineEvent::Manual(change) => Box::pin(judge::manual(guard, &change, invocation)).await?,
        PipelineEvent::Pipeline(change) => {
            Box::pin(judge::pipeline(guard, &change, Origin::Event, &InFull, invocation)).await?
        }
        PipelineEvent::Release(change) => {
            let outcome =
                Box::pin(judge::release(guard, &change, Origin::Event, &InFull, invocation)).await?;
            let mut outcomes = vec![outcome];
            if let Some(stage) = PipelineChange::of_stage(&change) {
                outcomes.extend(
                    Box::pin(judge::pipeline(guard, &stage, Origin::Event, &InFull, invocation)).await?,
                );
            }
            outcomes
        }
    };
    Ok(json!({ "outcomes": outcomes }))
}
