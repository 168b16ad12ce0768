//! CloudFormation: where a stack stands, and what failed in it first.

use aws_sdk_cloudformation::{
    operation::{describe_stack_events::DescribeStackEventsInput, describe_stacks::DescribeStacksInput},
    types::StackEvent,
};
use aws_types::SdkConfig;
use jiff::Timestamp;

use super::client::{Call as _, Client, service};
use crate::{
    aws::{AwsError, timestamp},
    diagnosis::{FailedResource, StackFailure},
};

// For drift.rs as well: it asks the same service.

service! {
    Api = aws_sdk_cloudformation, "CloudFormation", "cloudformation";
    describe_stack_drift_detection_status: DescribeStackDriftDetectionStatus DescribeStackDriftDetectionStatusInputBuilder
        DescribeStackDriftDetectionStatusOutput DescribeStackDriftDetectionStatusError;
    describe_stack_events: DescribeStackEvents DescribeStackEventsInputBuilder
        DescribeStackEventsOutput DescribeStackEventsError;
    describe_stack_resource_drifts: DescribeStackResourceDrifts DescribeStackResourceDriftsInputBuilder
        DescribeStackResourceDriftsOutput DescribeStackResourceDriftsError;
    describe_stacks: DescribeStacks DescribeStacksInputBuilder DescribeStacksOutput DescribeStacksError;
    detect_stack_drift: DetectStackDrift DetectStackDriftInputBuilder
        DetectStackDriftOutput DetectStackDriftError;
    list_stacks: ListStacks ListStacksInputBuilder ListStacksOutput ListStacksError;
}

/// The stacks.
#[derive(Clone, Debug)]
pub struct Stacks {
    client: Client<Api>,
}

/// How many pages of events are read back: 100 events each as AWS answers today, six for each of the 500 resources that a
/// stack may have.
const PAGES: usize = 30;
/// The type of a stack inside a stack.
const STACK: &str = "AWS::CloudFormation::Stack";

/// A failed event.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Failed {
    resource: FailedResource,
    /// The stack's id, if the resource is a stack inside this one.
    nested: Option<String>,
}

impl Stacks {
    /// A client of one configuration.
    pub fn new(config: &SdkConfig) -> Self {
        Self { client: Client::of(config) }
    }

    /// A stack, by its name or its id, and what failed first in it from `since` on; of a stack inside it, what failed
    /// first in that one, one level deep. Besides it, why that one could not be read, if it could not: the failure is
    /// then told as the outer stack has it.
    ///
    /// # Errors
    /// When CloudFormation does not tell, or tells of more than 3,000 events since.
    pub async fn failure(
        &self,
        stack: &str,
        since: Timestamp,
    ) -> Result<(StackFailure, Option<AwsError>), AwsError> {
        let (described, failed) = tokio::join!(self.status(stack), self.first_failed(stack, since));
        let ((name, status), failed) = (described?, failed?);
        let Some(failed) = failed else {
            return Ok((StackFailure { name, status, first: None }, None));
        };
        let (first, unread) = match &failed.nested {
            None => (failed.resource, None),
            Some(nested) => match self.first_failed(nested, since).await {
                Ok(inner) => (inner.map_or(failed.resource, |inner| inner.resource), None),
                Err(error) => (failed.resource, Some(error)),
            },
        };
        Ok((StackFailure { name, status, first: Some(first) }, unread))
    }

    /// A stack's name and status.
    async fn status(&self, stack: &str) -> Result<(String, String), AwsError> {
        const OPERATION: &str = "cloudformation:DescribeStacks";
        let output = DescribeStacksInput::builder()
            .stack_name(stack)
            .sent_by(&self.client)
            .await
            .map_err(|error| AwsError::from_sdk(OPERATION, stack, &error))?;
        let lacks = |what: &str| AwsError::unreadable(OPERATION, stack, format!("the answer has no {what}"));
        let described = output.stacks().first().ok_or_else(|| lacks("stack"))?;
        let name = described.stack_name().ok_or_else(|| lacks("StackName"))?;
        let status = described.stack_status().ok_or_else(|| lacks("StackStatus"))?;
        Ok((name.to_owned(), status.as_str().to_owned()))
    }

    /// The first event from `since` on that failed. Events come newest first, "in reverse chronological order"
    /// (CloudFormation API Reference, DescribeStackEvents), so they are read back to there.
    async fn first_failed(&self, stack: &str, since: Timestamp) -> Result<Option<Failed>, AwsError> {
        const OPERATION: &str = "cloudformation:DescribeStackEvents";
        let mut of_this: Vec<StackEvent> = Vec::new();
        let mut next = None;
        for _ in 0..PAGES {
            let page = DescribeStackEventsInput::builder()
                .stack_name(stack)
                .set_next_token(next)
                .sent_by(&self.client)
                .await
                .map_err(|error| AwsError::from_sdk(OPERATION, stack, &error))?;
            for event in page.stack_events.unwrap_or_default() {
                if event.timestamp().and_then(timestamp).is_some_and(|at| at < since) {
                    return Ok(first(&of_this));
                }
                of_this.push(event);
            }
            match page.next_token {
                Some(token) if !token.is_empty() => next = Some(token),
                Some(_) | None => return Ok(first(&of_this)),
            }
        }
        let why = "it has more events since the action began than are read, 30 pages of them";
        Err(AwsError::unreadable(OPERATION, stack, why))
    }
}

/// The first failure of events that come newest first. What was cancelled because of a failure is no failure, and what a
/// stack says about itself counts only where none of its resources says anything.
fn first(newest_first: &[StackEvent]) -> Option<Failed> {
    let failed = || {
        newest_first.iter().rev().filter(|event| {
            event.resource_status().is_some_and(|status| status.as_str().ends_with("_FAILED"))
        })
    };
    let itself = |event: &&StackEvent| {
        event.physical_resource_id().is_some() && event.physical_resource_id() == event.stack_id()
    };
    // CloudFormation User Guide, "Troubleshooting": "Resource creation cancelled", "Resource update cancelled".
    let cancelled = |event: &&StackEvent| {
        event.resource_status_reason().is_some_and(|why| {
            why.starts_with("Resource creation cancelled") || why.starts_with("Resource update cancelled")
        })
    };
    let event = failed()
        .find(|event| !itself(event) && !cancelled(event))
        .or_else(|| failed().find(itself))
        .or_else(|| failed().next())?;
    let kind = event.resource_type().unwrap_or_default();
    let nested = event
        .physical_resource_id()
        .filter(|id| kind == STACK && id.starts_with("arn:") && Some(*id) != event.stack_id());
    Some(Failed {
        resource: FailedResource {
            id: event.logical_resource_id().unwrap_or_default().to_owned(),
            kind: kind.to_owned(),
            reason: event.resource_status_reason().unwrap_or_default().to_owned(),
        },
        nested: nested.map(str::to_owned),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(id: &str, kind: &str, physical: &str, status: &str, reason: &str) -> StackEvent {
        StackEvent::builder()
            .stack_id("arn:aws:cloudformation:us-east-1:123456789012:stack/orders/1")
            .event_id(id)
            .stack_name("orders")
            .timestamp(aws_smithy_types::DateTime::from_secs(0))
            .logical_resource_id(id)
            .resource_type(kind)
            .physical_resource_id(physical)
            .resource_status(status.into())
            .resource_status_reason(reason)
            .build()
    }

    #[test]
    fn the_first_failure_is_no_cancelled_one_and_not_the_stack_s_own() {
        let own = "arn:aws:cloudformation:us-east-1:123456789012:stack/orders/1";
        let mut events = vec![
            event(
                "orders",
                STACK,
                own,
                "UPDATE_FAILED",
                "The following resource(s) failed to update: [Queue]",
            ),
            event("Queue", "AWS::SQS::Queue", "q", "UPDATE_FAILED", "Access denied"),
            event("Topic", "AWS::SNS::Topic", "t", "UPDATE_FAILED", "Resource update cancelled"),
            event("Queue", "AWS::SQS::Queue", "q", "UPDATE_IN_PROGRESS", ""),
        ];
        assert_eq!(first(&events).expect("a failure").resource.id, "Queue");
        events.remove(1);
        let found = first(&events).expect("a failure");
        assert_eq!((found.resource.id.as_str(), found.nested), ("orders", None));
        events.remove(0);
        assert_eq!(first(&events).expect("a failure").resource.id, "Topic");
        assert_eq!(first(&events[1..]), None);
    }

    #[test]
    fn a_stack_inside_a_stack_is_followed() {
        let inner = "arn:aws:cloudformation:us-east-1:123456789012:stack/orders-Data/2";
        let found = first(&[event("Data", STACK, inner, "UPDATE_FAILED", "Embedded stack was not updated")]);
        assert_eq!(found.expect("a failure").nested.as_deref(), Some(inner));
        // One that was never made has no id to ask by.
        let found = first(&[event("Data", STACK, "", "CREATE_FAILED", "Template error")]);
        assert_eq!(found.expect("a failure").nested, None);
    }
}
