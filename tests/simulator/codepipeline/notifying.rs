//! What actions are told and find out, and the notification of an approval that waits.

use serde_json::{Value, json};

use super::working::commit_of;
use crate::stamps;
use crate::world::World;

/// What a script wrote, with what an execution brings in its places.
fn filled(value: &str, label: &str) -> String {
    value.replace("{revision}", label).replace("{commit}", &commit_of(label))
}

/// Names and values for one execution.
pub(super) fn resolved(written: &[(String, String)], label: &str) -> Value {
    written.iter().map(|(name, value)| (name.clone(), Value::from(filled(value, label)))).collect()
}

/// Names and values as they stand in the pipeline.
pub(super) fn as_written(written: &[(String, String)]) -> Value {
    written.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str()))).collect()
}

impl World {
    /// Tells the topic of an approval that it waits, shaped like the sample: its token is in there twice.
    pub(super) fn notify(&mut self, id: &str, stage: &str, index: usize) {
        let execution = self.code_pipeline.execution(id);
        let run = &execution.stage(stage).expect("a stage that was entered").actions[index];
        let settings = &self.code_pipeline.pipeline(&execution.pipeline).settings;
        let action = settings.stage_named(stage).action(&run.action);
        let configuration = resolved(&action.configuration, &execution.label);
        let (Some(topic), Some(token)) = (configuration["NotificationArn"].as_str(), &run.token) else {
            return;
        };
        let pipeline = &execution.pipeline;
        let review = "https://console.aws.amazon.com/codesuite/codepipeline/pipelines";
        // Seven days: this simulator's approvals that notify wait for no other time.
        let expires = stamps::envelope(self.now + stamps::minutes(7 * 24 * 60));
        let message = json!({
            "region": "us-east-1",
            "consoleLink": format!("{review}/{pipeline}/view?region=us-east-1"),
            "approval": {
                "pipelineName": pipeline,
                "stageName": stage,
                "actionName": action.name,
                "token": token,
                "expires": format!("{}Z", &expires[.."2026-03-12T13:54".len()]),
                "externalEntityLink": configuration["ExternalEntityLink"],
                "approvalReviewLink":
                    format!("{review}/{pipeline}/view?region=us-east-1#/{stage}/{}/approve/{token}", action.name),
                "customData": configuration["CustomData"],
            },
        });
        let subject = format!("APPROVAL NEEDED: AWS CodePipeline {pipeline} for action {}", action.name);
        let (topic, about) = (topic.to_owned(), format!("approval {}", action.name));
        self.notify_functions(&topic, &subject, &message.to_string(), &about);
    }
}
