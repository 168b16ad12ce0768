//! The clock: EventBridge's scheduled event.

use serde::Deserialize;

use super::EventError;
use super::foreign::{self, not_for_us};
use super::wire::{Part, Text, payload};

const EXPECTED: &str = "an EventBridge event `Scheduled Event` of aws.events";

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", expecting = "an object")]
struct Label {
    detail_type: Text,
    source: Text,
}

/// Reads a tick of the clock. It carries nothing: what time it is, the invocation knows.
///
/// # Errors
/// `NotForUs` for anything else, `Malformed` when it does not say what it is.
pub fn schedule(bytes: &[u8]) -> Result<(), EventError> {
    let value = payload(bytes)?;
    let whole = Part::whole(&value);
    if !whole.has("detail-type") && !whole.has("source") {
        return Err(not_for_us(foreign::payload(&whole), EXPECTED));
    }
    let label: Label = whole.decode()?;
    match (label.source.0.as_str(), label.detail_type.0.as_str()) {
        // EventBridge Scheduler calls itself `aws.scheduler`, rules on a schedule `aws.events`.
        ("aws.events" | "aws.scheduler", "Scheduled Event") => Ok(()),
        (source, detail_type) => Err(not_for_us(foreign::eventbridge(detail_type, source), EXPECTED)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::samples::sample;

    #[test]
    fn a_tick_is_a_tick_and_nothing_else_is() {
        assert_eq!(schedule(sample("lambda/eventbridge-scheduled.json").as_bytes()), Ok(()));
        let other = schedule(sample("codedeploy/codedeploy-deployment-stop.json").as_bytes());
        let came = "an EventBridge event `CodeDeploy Deployment State-change Notification` of aws.codedeploy";
        assert_eq!(other, Err(not_for_us(came.to_owned(), EXPECTED)));
        let hook = schedule(sample("codedeploy/codedeploy-hook.json").as_bytes());
        assert_eq!(hook, Err(not_for_us("a CodeDeploy lifecycle hook call".to_owned(), EXPECTED)));
    }
}
