//! CloudFormation's events about drift detections, by EventBridge.

use serde::{Deserialize, Deserializer};

use super::EventError;
use super::foreign::{self, not_for_us};
use super::moment::Stamp;
use super::wire::{Part, Text, payload, read};
use crate::drift::{StackCheck, StackHappening, StackId};

const DETECTION: &str = "CloudFormation Drift Detection Status Change";
const EXPECTED: &str = "an EventBridge event `Scheduled Event` of aws.events, or `CloudFormation Drift Detection \
                        Status Change` of aws.cloudformation with DETECTION_COMPLETE or DETECTION_FAILED";

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", expecting = "an object")]
struct Label {
    detail_type: Text,
    source: Text,
}

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct Event {
    time: Stamp,
    account: Option<String>,
    region: Option<String>,
    detail: Detail,
}

/// The detail. How many resources drifted is -1 while the detection runs and where it failed, and is not read: what
/// has drifted is asked for.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", expecting = "an object")]
struct Detail {
    stack_id: Text,
    stack_drift_detection_id: Text,
    status_details: Details,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", expecting = "an object")]
struct Details {
    detection_status: Status,
}

/// `StackDriftDetectionStatus` (CloudFormation API reference).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Status {
    InProgress,
    Complete,
    Failed,
}

impl<'de> Deserialize<'de> for Status {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let words = "DETECTION_IN_PROGRESS, DETECTION_COMPLETE or DETECTION_FAILED";
        read(deserializer, words, |word| match word {
            "DETECTION_IN_PROGRESS" => Some(Self::InProgress),
            "DETECTION_COMPLETE" => Some(Self::Complete),
            "DETECTION_FAILED" => Some(Self::Failed),
            _ => None,
        })
    }
}

/// Reads the end of a drift detection.
///
/// # Errors
/// `NotForUs` for anything else, also for the event of a detection that runs (several of them come); `Malformed` when it
/// cannot be understood.
pub fn drift(bytes: &[u8]) -> Result<StackCheck, EventError> {
    let value = payload(bytes)?;
    let whole = Part::whole(&value);
    if !whole.has("detail-type") && !whole.has("source") {
        return Err(not_for_us(foreign::payload(&whole), EXPECTED));
    }
    let label: Label = whole.decode()?;
    let (source, detail_type) = (label.source.0.as_str(), label.detail_type.0.as_str());
    if (source, detail_type) != ("aws.cloudformation", DETECTION) {
        return Err(not_for_us(foreign::eventbridge(detail_type, source), EXPECTED));
    }
    let Event { time, account, region, detail } = whole.decode()?;
    let failed = match detail.status_details.detection_status {
        Status::InProgress => {
            return Err(not_for_us("a drift detection that has not ended".to_owned(), EXPECTED));
        }
        Status::Complete => false,
        Status::Failed => true,
    };
    Ok(StackCheck {
        stack: StackId::from(detail.stack_id.0.as_str()),
        what: StackHappening::Detected { detection: detail.stack_drift_detection_id.0, failed },
        account,
        region,
        at: time.0,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::events::samples::sample;

    #[test]
    fn the_end_of_a_detection_is_read_and_its_progress_is_not_for_us() {
        let complete = drift(sample("cloudformation/cloudformation-drift-complete.json").as_bytes()).unwrap();
        assert_eq!(complete.stack.name(), "orders");
        assert_eq!(complete.account.as_deref(), Some("123456789012"));
        let detection = "9f6d3a20-0000-4000-8000-abcdef123456".to_owned();
        assert_eq!(complete.what, StackHappening::Detected { detection: detection.clone(), failed: false });
        let failed = drift(sample("cloudformation/cloudformation-drift-failed.json").as_bytes()).unwrap();
        assert_eq!(failed.what, StackHappening::Detected { detection, failed: true });
        let running = drift(sample("cloudformation/cloudformation-drift-in-progress.json").as_bytes());
        assert_eq!(running.unwrap_err().kind(), "NotForUs");
        let other = drift(sample("cloudformation/cloudformation-stack-status-change.json").as_bytes());
        let came =
            "an EventBridge event `CloudFormation Stack Status Change` of aws.cloudformation".to_owned();
        assert_eq!(other, Err(not_for_us(came, EXPECTED)));
    }

    #[test]
    fn an_unknown_word_is_refused_with_its_path() {
        let text = sample("cloudformation/cloudformation-drift-complete.json");
        let refused = drift(text.replace("DETECTION_COMPLETE", "DETECTION_DONE").as_bytes()).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "detail.status-details.detection-status: found \"DETECTION_DONE\", expected DETECTION_IN_PROGRESS, DETECTION_COMPLETE or DETECTION_FAILED"
        );
    }
}
