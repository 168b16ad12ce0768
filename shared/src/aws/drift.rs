//! CloudFormation's drift detection: which stacks there are, how they differ from their templates.
//!
//! The operations model no errors of their own: a stack that does not exist, or is in a state that allows no detection,
//! is a `ValidationError`, known by its words alone.

use aws_sdk_cloudformation::{
    operation::{
        describe_stack_drift_detection_status::DescribeStackDriftDetectionStatusInput,
        describe_stack_resource_drifts::DescribeStackResourceDriftsInput,
        describe_stacks::DescribeStacksInput, detect_stack_drift::DetectStackDriftInput,
        list_stacks::ListStacksInput,
    },
    types::{StackDriftDetectionStatus, StackResourceDrift, StackResourceDriftStatus, StackStatus},
};
use aws_types::SdkConfig;
use jiff::Timestamp;

use super::{
    client::{Call as _, Client},
    stacks::Api,
};
use crate::{
    aws::{AwsError, timestamp},
    drift::{
        DifferenceKind, Drift, DriftedResource, How, PropertyDrift, ResourceName, StackId, UncheckedResource,
    },
};

/// The stacks.
#[derive(Clone, Debug)]
pub struct Stacks {
    client: Client<Api>,
}

/// A stack in the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Which.
    pub stack: StackId,
    /// Its status, in CloudFormation's word.
    pub status: String,
}

/// What CloudFormation made of a request to detect drift.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Detecting {
    /// It has begun, under this id.
    Began(String),
    /// A detection of the stack was under way already: one at a time.
    UnderWay,
}

/// Where a detection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It runs.
    Runs,
    /// It has ended.
    Over {
        /// Whether it failed for some resources.
        failed: bool,
    },
    /// CloudFormation does not know it any more: "the number of reports CloudFormation retains for any given stack, and
    /// for how long, may vary" (aws-sdk-cloudformation 1.136.0, DescribeStackDriftDetectionStatus).
    Forgotten,
}

/// All statuses of stacks but DELETE_COMPLETE, whose stacks are listed for 90 days (ListStacks).
const LIVING: [StackStatus; 22] = [
    StackStatus::CreateComplete,
    StackStatus::CreateFailed,
    StackStatus::CreateInProgress,
    StackStatus::DeleteFailed,
    StackStatus::DeleteInProgress,
    StackStatus::ImportComplete,
    StackStatus::ImportInProgress,
    StackStatus::ImportRollbackComplete,
    StackStatus::ImportRollbackFailed,
    StackStatus::ImportRollbackInProgress,
    StackStatus::ReviewInProgress,
    StackStatus::RollbackComplete,
    StackStatus::RollbackFailed,
    StackStatus::RollbackInProgress,
    StackStatus::UpdateComplete,
    StackStatus::UpdateCompleteCleanupInProgress,
    StackStatus::UpdateFailed,
    StackStatus::UpdateInProgress,
    StackStatus::UpdateRollbackComplete,
    StackStatus::UpdateRollbackCompleteCleanupInProgress,
    StackStatus::UpdateRollbackFailed,
    StackStatus::UpdateRollbackInProgress,
];

/// An answer has at most 1 MB and a stack at most 500 resources, so so many pages are more than there can be.
const PAGES: usize = 100;

impl Stacks {
    /// The stacks that `config`'s credentials reach.
    pub fn new(config: &SdkConfig) -> Self {
        Self { client: Client::of(config) }
    }

    /// Every stack that is not deleted, also nested ones.
    ///
    /// # Errors
    /// When CloudFormation does not tell.
    pub async fn all(&self) -> Result<Vec<Listed>, AwsError> {
        const OPERATION: &str = "cloudformation:ListStacks";
        let (mut all, mut next) = (Vec::new(), None);
        for _ in 0..PAGES {
            let page = ListStacksInput::builder()
                .set_stack_status_filter(Some(LIVING.to_vec()))
                .set_next_token(next)
                .sent_by(&self.client)
                .await
                .map_err(|error| AwsError::from_sdk(OPERATION, "all stacks", &error))?;
            for stack in page.stack_summaries() {
                let (Some(id), Some(status)) = (stack.stack_id(), stack.stack_status()) else {
                    return Err(AwsError::unreadable(OPERATION, "all stacks", "a stack has no id or status"));
                };
                all.push(Listed { stack: StackId::from(id), status: status.as_str().to_owned() });
            }
            next = page.next_token().filter(|token| !token.is_empty()).map(str::to_owned);
            if next.is_none() {
                return Ok(all);
            }
        }
        Err(AwsError::unreadable(
            OPERATION,
            "all stacks",
            format!("there are more than {PAGES} pages of them"),
        ))
    }

    /// A stack's status, in CloudFormation's word, and when it was last changed by CloudFormation; none if there is no
    /// such stack any more.
    ///
    /// # Errors
    /// When CloudFormation does not tell.
    pub async fn changed(&self, stack: &StackId) -> Result<Option<(String, Timestamp)>, AwsError> {
        const OPERATION: &str = "cloudformation:DescribeStacks";
        let described = DescribeStacksInput::builder().stack_name(stack.as_str()).sent_by(&self.client).await;
        let described = match described.map_err(|error| AwsError::from_sdk(OPERATION, stack, &error)) {
            Ok(described) => described,
            Err(error) if error.is("ValidationError") && error.why.contains("does not exist") => {
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let unreadable = |why: &str| AwsError::unreadable(OPERATION, stack, why);
        let found = described.stacks().first().ok_or_else(|| unreadable("the answer describes no stack"))?;
        let status = found.stack_status().ok_or_else(|| unreadable("the stack has no status"))?.as_str();
        let at = found.last_updated_time().or(found.creation_time()).and_then(timestamp);
        let at = at.ok_or_else(|| unreadable("the stack has no time"))?;
        Ok(Some((status.to_owned(), at)))
    }

    /// Starts the detection of a stack's drift. It ends by itself, and announces that.
    ///
    /// # Errors
    /// When CloudFormation does not take it.
    pub async fn detect(&self, stack: &StackId) -> Result<Detecting, AwsError> {
        const OPERATION: &str = "cloudformation:DetectStackDrift";
        let begun = DetectStackDriftInput::builder().stack_name(stack.as_str()).sent_by(&self.client).await;
        match begun.map_err(|error| AwsError::from_sdk(OPERATION, stack, &error)) {
            Ok(begun) => match begun.stack_drift_detection_id() {
                Some(id) => Ok(Detecting::Began(id.to_owned())),
                None => Err(AwsError::unreadable(OPERATION, stack, "the answer has no detection id")),
            },
            // Not documented: these are the words that users report.
            Err(error) if error.is("ValidationError") && error.why.contains("already in progress") => {
                Ok(Detecting::UnderWay)
            }
            Err(error) => Err(error),
        }
    }

    /// Where a detection stands.
    ///
    /// # Errors
    /// When CloudFormation does not tell.
    pub async fn standing(&self, detection: &str) -> Result<Standing, AwsError> {
        const OPERATION: &str = "cloudformation:DescribeStackDriftDetectionStatus";
        let call = DescribeStackDriftDetectionStatusInput::builder().stack_drift_detection_id(detection);
        let told = match call
            .sent_by(&self.client)
            .await
            .map_err(|error| AwsError::from_sdk(OPERATION, detection, &error))
        {
            Ok(told) => told,
            Err(error) if error.is("ValidationError") => return Ok(Standing::Forgotten),
            Err(error) => return Err(error),
        };
        match told.detection_status() {
            Some(StackDriftDetectionStatus::DetectionInProgress) => Ok(Standing::Runs),
            Some(StackDriftDetectionStatus::DetectionComplete) => Ok(Standing::Over { failed: false }),
            Some(StackDriftDetectionStatus::DetectionFailed) => Ok(Standing::Over { failed: true }),
            other => {
                let why = format!("the detection is in a state that Belay does not know: {other:?}");
                Err(AwsError::unreadable(OPERATION, detection, why))
            }
        }
    }

    /// What the last detection of a stack's drift found, with values as they are.
    ///
    /// # Errors
    /// When CloudFormation does not tell.
    pub async fn drift(&self, stack: &StackId) -> Result<Drift, AwsError> {
        const OPERATION: &str = "cloudformation:DescribeStackResourceDrifts";
        // Four at most. UNSUPPORTED is nothing that could be checked.
        let wanted = vec![
            StackResourceDriftStatus::Modified,
            StackResourceDriftStatus::Deleted,
            StackResourceDriftStatus::UnknownValue,
            StackResourceDriftStatus::NotChecked,
        ];
        let (mut drift, mut next) = (Drift::default(), None);
        for _ in 0..PAGES {
            let page = DescribeStackResourceDriftsInput::builder()
                .stack_name(stack.as_str())
                .set_stack_resource_drift_status_filters(Some(wanted.clone()))
                .max_results(100)
                .set_next_token(next)
                .sent_by(&self.client)
                .await
                .map_err(|error| AwsError::from_sdk(OPERATION, stack, &error))?;
            for found in page.stack_resource_drifts() {
                file(&mut drift, found).map_err(|why| AwsError::unreadable(OPERATION, stack, why))?;
            }
            next = page.next_token().filter(|token| !token.is_empty()).map(str::to_owned);
            if next.is_none() {
                return Ok(drift);
            }
        }
        Err(AwsError::unreadable(OPERATION, stack, format!("there are more than {PAGES} pages of it")))
    }
}

/// Files one resource under what it is.
fn file(drift: &mut Drift, found: &StackResourceDrift) -> Result<(), String> {
    let resource = ResourceName {
        logical: found.logical_resource_id().ok_or("a resource has no logical id")?.to_owned(),
        kind: found.resource_type().ok_or("a resource has no type")?.to_owned(),
        physical: found.physical_resource_id().unwrap_or_default().to_owned(),
    };
    match found.stack_resource_drift_status() {
        Some(StackResourceDriftStatus::InSync | StackResourceDriftStatus::Unsupported) => {}
        Some(StackResourceDriftStatus::Deleted) => {
            drift.resources.push(DriftedResource { resource, how: How::Deleted });
        }
        Some(StackResourceDriftStatus::Modified) => {
            let properties = found.property_differences().iter().map(|property| PropertyDrift {
                path: property.property_path().unwrap_or_default().to_owned(),
                kind: DifferenceKind::from_wire(property.difference_type().map_or("", |kind| kind.as_str())),
                expected: property.expected_value().unwrap_or_default().to_owned(),
                actual: property.actual_value().unwrap_or_default().to_owned(),
                digest: String::new(),
            });
            let how = How::Modified(properties.collect());
            drift.resources.push(DriftedResource { resource, how });
        }
        // A status that is not known was not understood: that is not in sync.
        other => {
            let reason = found.drift_status_reason().filter(|reason| !reason.is_empty());
            let why = match (reason, other) {
                (Some(reason), _) => reason.to_owned(),
                (None, Some(status)) => format!("CloudFormation says {}", status.as_str()),
                (None, None) => "CloudFormation does not say why".to_owned(),
            };
            drift.unchecked.push(UncheckedResource { resource, why });
        }
    }
    Ok(())
}
