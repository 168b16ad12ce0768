//! What is said when a stage of a pipeline failed.

use super::{Words, steps::next_step};
use crate::{
    decision::{Decision, Urgency},
    reason::Reason,
    signal::StageFailed,
};

/// A stage failed, and it is not run again.
pub(super) fn stage_failed(
    service: &str,
    failed: &StageFailed,
    decision: &Decision,
    urgency: Urgency,
) -> Words {
    let title = format!("{service}: {}", failure(failed, decision));
    let steps = decision.reasons.iter().filter_map(next_step).collect();
    (title, urgency, "Belay did nothing about this; it is told so that you know why.".to_owned(), steps)
}

/// A stage failed, for a reason that passes by itself, and is run again.
pub(super) fn retried_by_policy(service: &str, failed: &StageFailed, decision: &Decision) -> Words {
    let what = failure(failed, decision);
    if decision.observed {
        let did = "Belay would have run it again, and only observes this service.";
        let steps = decision.reasons.iter().filter_map(next_step).collect();
        return (format!("{service}: {what}"), Urgency::Calm, did.to_owned(), steps);
    }
    let did = "Belay had the pipeline run again what failed in the stage.";
    (format!("{service}: {what}, and is tried again"), Urgency::Calm, did.to_owned(), Vec::new())
}

/// What failed, in a line: "Build failed in 1234abcd: Compile".
fn failure(failed: &StageFailed, decision: &Decision) -> String {
    let execution: String = failed.execution.chars().take(8).collect();
    let actions: Vec<&str> = decision
        .reasons
        .iter()
        .filter_map(|reason| match reason {
            Reason::ActionFailed { failed, .. } => Some(failed.action.as_str()),
            _ => None,
        })
        .collect();
    let stage = &failed.stage.stage;
    if actions.is_empty() {
        format!("{stage} failed in {execution}")
    } else {
        format!("{stage} failed in {execution} ({})", actions.join(", "))
    }
}
