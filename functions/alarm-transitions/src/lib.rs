//! CloudWatch alarm state changes: does a release have to go back?

use std::{collections::BTreeMap, sync::Arc};

use belay::{
    events::{self, AlarmPayload},
    gather::Looked,
    judge::{self, Origin},
    signal::AlarmChange,
    start::{Failure, Guards, Invocation},
};
use futures_util::future::join_all;
use serde_json::{Value, json};
use tracing::error;

/// Handles one invocation: one alarm's change, in any of the forms in which CloudWatch sends it, or an SQS
/// batch of them.
///
/// # Errors
/// When the payload is not an alarm's change, or one of an account or a region that is not guarded; when something that the decision depends on could not be learnt,
/// or when a call kept failing: then it is to be delivered again. For a batch the answer names the messages
/// that are to come again instead.
pub async fn handle(guards: &Guards, payload: &[u8], invocation: Invocation<'_>) -> Result<Value, Failure> {
    let payload = events::alarm(payload).map_err(|refusal| {
        error!(kind = refusal.kind(), %refusal, "refused");
        Failure { kind: refusal.kind(), message: refusal.to_string() }
    })?;
    let looked: Looks<'_> =
        guards.all().map(|guard| (guard.account.as_deref(), Arc::new(Looked::default()))).collect();
    match payload {
        AlarmPayload::One(changes) => {
            let outcomes = judge_all(guards, &changes, &looked, invocation).await?;
            Ok(json!({ "outcomes": outcomes }))
        }
        AlarmPayload::Batch(items) => {
            // Side by side: one message's release does not wait for another one's, and each place is looked at once.
            let judged = items.into_iter().map(async |item| {
                // To the ledger each message is somebody of its own: alarms of one release that come in one batch
                // must not pass for each other, or each would undo and tell.
                let id = format!("{}/{}", invocation.id, item.message_id);
                let invocation = Invocation { id: &id, ..invocation };
                let result = match item.changes {
                    Ok(changes) => judge_all(guards, &changes, &looked, invocation).await.map(|_| ()),
                    Err(refusal) => Err(Failure { kind: refusal.kind(), message: refusal.to_string() }),
                };
                let failure = result.err()?;
                error!(kind = failure.kind, %failure, message_id = item.message_id, "to come again");
                Some(json!({ "itemIdentifier": item.message_id }))
            });
            let failed: Vec<Value> = join_all(judged).await.into_iter().flatten().collect();
            Ok(json!({ "batchItemFailures": failed }))
        }
    }
}

/// What was seen of places, by account: one of the same name is another one there.
type Looks<'a> = BTreeMap<Option<&'a str>, Arc<Looked>>;

/// All of them: one that fails has the whole payload come again, and keeps no other from being judged before that.
async fn judge_all(
    guards: &Guards,
    changes: &[AlarmChange],
    looked: &Looks<'_>,
    invocation: Invocation<'_>,
) -> Result<Vec<Value>, Failure> {
    let mut judged = Vec::new();
    for change in changes {
        let outcomes = judge_one(guards, change, looked, invocation).await;
        judged.push(outcomes.inspect_err(|failure| error!(%failure, alarm = %change.alarm, "not judged")));
    }
    Ok(judged.into_iter().collect::<Result<Vec<_>, _>>()?.concat())
}

async fn judge_one(
    guards: &Guards,
    change: &AlarmChange,
    looked: &Looks<'_>,
    invocation: Invocation<'_>,
) -> Result<Vec<Value>, Failure> {
    let home = (change.account.as_deref(), change.region.as_deref());
    let guard = guards.of_event(home, invocation)?;
    let looked = looked.get(&guard.account.as_deref()).cloned().unwrap_or_default();
    judge::alarm(guard, change, &looked, Origin::Event, invocation).await
}
