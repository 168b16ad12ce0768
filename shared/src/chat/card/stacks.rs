//! What is said of stacks that have drifted.

use super::{Words, steps::next_step};
use crate::{
    decision::{Decision, Urgency},
    drift::StackId,
    reason::Reason,
    release::ReleaseId,
};

/// The message about one stack.
pub(super) fn stack_told(stack: &StackId, decision: &Decision, urgency: Urgency) -> Words {
    let name = stack.name();
    let title = match decision.reasons.first() {
        Reason::StackDrifted { resources: 1, .. } => format!("Stack {name} has drifted: 1 resource"),
        Reason::StackDrifted { resources, .. } => format!("Stack {name} has drifted: {resources} resources"),
        Reason::StackInSync { .. } => format!("Stack {name} is as its template says again"),
        Reason::StackPartlyChecked { .. } => format!("Stack {name} could not be checked whole"),
        Reason::StackNotChecked { .. } => format!("Stack {name} could not be checked for drift"),
        _ => format!("About the stack {name}"),
    };
    let mut steps: Vec<String> = decision.reasons.iter().filter_map(next_step).collect();
    steps.dedup();
    (title, urgency, "Belay did nothing: it only looks.".to_owned(), steps)
}

/// The release whose undo left something so, to look at.
pub(super) fn undone(decision: &Decision) -> Option<&ReleaseId> {
    decision.reasons.iter().find_map(|reason| match reason {
        Reason::LeftByUndo { release, .. } => Some(release),
        _ => None,
    })
}
