//! CodeDeploy's call of a lifecycle hook: `{"DeploymentId", "LifecycleEventHookExecutionId"}` is the whole
//! payload (reference: CodeDeploy, "Lifecycle hooks"). It names neither the event nor the service.

use serde::Deserialize;

use super::EventError;
use super::foreign::{self, not_for_us};
use super::wire::{Part, Text, payload};
use crate::release::{HookExecutionId, ReleaseId};
use crate::signal::HookCall;

const DEPLOYMENT: &str = "DeploymentId";
const EXECUTION: &str = "LifecycleEventHookExecutionId";
const EXPECTED: &str =
    "a CodeDeploy lifecycle hook call {\"DeploymentId\", \"LifecycleEventHookExecutionId\"}";

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct Call {
    #[serde(rename = "DeploymentId")]
    deployment: Text,
    #[serde(rename = "LifecycleEventHookExecutionId")]
    execution: Text,
}

/// Reads a hook call.
///
/// # Errors
///
/// `NotForUs` when neither field is there, `Malformed` when one is missing, empty or not
/// text. A field that AWS may add is no reason to leave a hook unanswered.
pub fn hook(bytes: &[u8]) -> Result<HookCall, EventError> {
    let value = payload(bytes)?;
    let whole = Part::whole(&value);
    if !whole.has(DEPLOYMENT) && !whole.has(EXECUTION) {
        return Err(not_for_us(foreign::payload(&whole), EXPECTED));
    }
    let call: Call = whole.decode()?;
    Ok(HookCall {
        deployment: ReleaseId::from(call.deployment.0),
        execution: HookExecutionId::from(call.execution.0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::samples::{assert_malformed, sample};

    #[test]
    fn the_sample_is_read_whole() {
        let call = hook(sample("codedeploy/codedeploy-hook.json").as_bytes());
        assert_eq!(
            call,
            Ok(HookCall {
                deployment: "d-75I7MBT7C".into(),
                execution: "eyJlbmNyeXB0ZWREYXRhIjoiRVhBTVBMRSJ9".into(),
            })
        );
    }

    #[test]
    fn each_field_is_needed() {
        let text = "text that is not empty";
        for (payload, path, found, expected) in [
            (r#"{"DeploymentId":"d-1"}"#, EXECUTION, "nothing", text),
            (r#"{"LifecycleEventHookExecutionId":"e"}"#, DEPLOYMENT, "nothing", text),
            (r#"{"DeploymentId":"","LifecycleEventHookExecutionId":"e"}"#, DEPLOYMENT, "\"\"", text),
            (r#"{"DeploymentId":"d","LifecycleEventHookExecutionId":7}"#, EXECUTION, "7", text),
            (r#"{"DeploymentId":null,"LifecycleEventHookExecutionId":"e"}"#, DEPLOYMENT, "null", text),
            ("[]", "the whole payload", "an empty list", "a JSON object"),
        ] {
            assert_malformed(hook(payload.as_bytes()), path, found, expected);
        }
        let more = br#"{"DeploymentId":"d","LifecycleEventHookExecutionId":"e","More":{"new":1}}"#;
        assert!(hook(more).is_ok());
    }

    #[test]
    fn another_payload_is_named() {
        for (file, came) in [
            (
                "ecs/ecs-lifecycle-hook.json",
                "an ECS lifecycle hook call (ECS reads the function's return value instead)",
            ),
            (
                "codedeploy/codedeploy-deployment-start.json",
                "an EventBridge event `CodeDeploy Deployment State-change Notification` of aws.codedeploy",
            ),
            ("codepipeline/codepipeline-job.json", "a CodePipeline job"),
            ("cloudwatch/lambda-alarm-action-metric.json", "the direct Lambda action of a CloudWatch alarm"),
            ("cloudwatch/sns-cloudwatch-alarm-metric.json", "a CloudWatch alarm by SNS"),
            ("lambda/sqs-event.json", "an SQS batch"),
        ] {
            let expected = Err(not_for_us(came.to_owned(), EXPECTED));
            assert_eq!(hook(sample(file).as_bytes()), expected, "{file}");
        }
        let camel = hook(br#"{"deploymentId":"d","lifecycleEventHookExecutionId":"e"}"#);
        let came = "an object with the fields deploymentId, lifecycleEventHookExecutionId";
        assert_eq!(camel, Err(not_for_us(came.to_owned(), EXPECTED)));
    }
}
