//! DescribeStacks, ListStacks, DescribeStackEvents.

use serde_json::{Value, json};

use super::stack::{Known, StackEvent};
use super::{invalid, members, page};
use crate::refusal::{Answer, Refusal, only_modelled};
use crate::stamps;
use crate::world::World;

/// How many stacks and events one answer holds here. AWS says only that an answer has at most 1 MB; a hundred is what
/// users see.
const PAGE: usize = 100;

/// `StackStatus` of the API model.
const STATUSES: [&str; 23] = [
    "CREATE_IN_PROGRESS",
    "CREATE_FAILED",
    "CREATE_COMPLETE",
    "ROLLBACK_IN_PROGRESS",
    "ROLLBACK_FAILED",
    "ROLLBACK_COMPLETE",
    "DELETE_IN_PROGRESS",
    "DELETE_FAILED",
    "DELETE_COMPLETE",
    "UPDATE_IN_PROGRESS",
    "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
    "UPDATE_COMPLETE",
    "UPDATE_FAILED",
    "UPDATE_ROLLBACK_IN_PROGRESS",
    "UPDATE_ROLLBACK_FAILED",
    "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
    "UPDATE_ROLLBACK_COMPLETE",
    "REVIEW_IN_PROGRESS",
    "IMPORT_IN_PROGRESS",
    "IMPORT_COMPLETE",
    "IMPORT_ROLLBACK_IN_PROGRESS",
    "IMPORT_ROLLBACK_FAILED",
    "IMPORT_ROLLBACK_COMPLETE",
];

pub(super) fn is_status(status: &str) -> bool {
    STATUSES.contains(&status)
}

impl World {
    pub(super) fn describe_stacks(&self, input: &Value) -> Answer {
        if !input["StackName"].is_null() {
            let stack = self.asked_stack(input)?;
            refuse_denied(stack, "DescribeStacks")?;
            return Ok(json!({ "Stacks": [self.described(stack)] }));
        }
        let living = self.cloud_formation.stacks.iter();
        let living = living.filter(|stack| stack.settings.status != "DELETE_COMPLETE");
        let (stacks, next) = page(living.map(|stack| self.described(stack)).collect(), input, PAGE)?;
        Ok(with_token(json!({ "Stacks": stacks }), next))
    }

    pub(super) fn list_stacks(&self, input: &Value) -> Answer {
        let wanted = members(input, "StackStatusFilter");
        if let Some(unknown) = wanted.iter().find(|status| !is_status(status)) {
            return Err(invalid(format!(
                "1 validation error detected: Value '[{unknown}]' at 'stackStatusFilter' failed to satisfy constraint"
            )));
        }
        let stacks = self.cloud_formation.stacks.iter();
        let matching =
            stacks.filter(|stack| wanted.is_empty() || wanted.contains(&stack.settings.status.as_str()));
        let summaries = matching.map(|stack| {
            let mut shown = self.described(stack);
            // Not in a StackSummary (API model).
            shown.as_object_mut().expect("an object").remove("DisableRollback");
            shown
        });
        let (summaries, next) = page(summaries.collect(), input, PAGE)?;
        Ok(with_token(json!({ "StackSummaries": summaries }), next))
    }

    /// Newest first ("in reverse chronological order", aws-sdk-cloudformation 1.136.0, DescribeStackEvents). The events
    /// of a nested stack are asked for by its own ARN, which is the physical id of its resource in the parent.
    pub(super) fn describe_stack_events(&self, input: &Value) -> Answer {
        let name = input["StackName"].as_str().unwrap_or_default();
        let stack = self.asked_stack(input).map_err(|refusal| match name {
            "" => refusal,
            // This operation's own words.
            name => invalid(format!("Stack [{name}] does not exist")),
        })?;
        refuse_denied(stack, "DescribeStackEvents")?;
        let events = stack.events.iter().rev().map(|event| shown(stack, event)).collect();
        let (events, next) = page(events, input, PAGE)?;
        Ok(with_token(json!({ "StackEvents": events }), next))
    }

    fn described(&self, stack: &Known) -> Value {
        let mut shown = json!({
            "StackId": stack.id,
            "StackName": stack.settings.name,
            "CreationTime": stamps::milliseconds(stack.created),
            "StackStatus": stack.settings.status,
            "DisableRollback": false,
            "DriftInformation": { "StackDriftStatus": stack.drift_status },
        });
        if let Some(at) = stack.checked {
            shown["DriftInformation"]["LastCheckTimestamp"] = json!(stamps::milliseconds(at));
        }
        if let Some(at) = stack.updated {
            shown["LastUpdatedTime"] = json!(stamps::milliseconds(at));
        }
        if let Some(reason) = &stack.status_reason {
            shown["StackStatusReason"] = json!(reason);
        }
        if let Some((parent, _)) = &stack.settings.parent {
            // One level: the parent is the root.
            let id = self.cloud_formation.arn_of(parent);
            (shown["ParentId"], shown["RootId"]) = (json!(id), json!(id));
        }
        shown
    }

    /// The one parameter that is left out of drift detection here.
    pub(super) fn only_whole_stacks(input: &Value) -> Result<(), Refusal> {
        only_modelled(input, &["LogicalResourceIds.member.1"])
    }
}

/// What IAM says where something else than the caller's role denies it.
pub(super) fn refuse_denied(stack: &Known, operation: &str) -> Result<(), Refusal> {
    if !stack.settings.denied {
        return Ok(());
    }
    let message = format!(
        "User: arn:aws:sts::123456789012:assumed-role/belay is not authorized to perform: cloudformation:{operation} on resource: {} with an explicit deny in a service control policy",
        stack.id
    );
    Err(Refusal { status: 403, ..Refusal::new("AccessDenied", message) })
}

pub(super) fn with_token(mut answer: Value, next: Option<String>) -> Value {
    if let Some(next) = next {
        answer["NextToken"] = json!(next);
    }
    answer
}

fn shown(stack: &Known, event: &StackEvent) -> Value {
    let mut shown = json!({
        "StackId": stack.id,
        "EventId": event.id,
        "StackName": stack.settings.name,
        "LogicalResourceId": event.logical,
        "PhysicalResourceId": event.physical,
        "ResourceType": event.kind,
        "Timestamp": stamps::milliseconds(event.at),
        "ResourceStatus": event.status,
    });
    if !event.reason.is_empty() {
        shown["ResourceStatusReason"] = json!(event.reason);
    }
    shown
}
