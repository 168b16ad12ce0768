//! GetPipeline and GetPipelineExecution.

use serde_json::{Value, json};

use super::declaring::{configuration, revision_summary, type_of};
use super::evolution::trigger_detail;
use super::execution::PipelineExecution;
use super::listing::with;
use super::notifying::as_written;
use super::pipeline::Action;
use super::working::commit_of;
use crate::refusal::{Answer, Refusal, only_modelled};
use crate::stamps::epoch_seconds;
use crate::world::World;

impl World {
    pub(super) fn get_pipeline(&self, input: &Value) -> Answer {
        only_modelled(input, &["version"])?;
        let known = self.asked_pipeline(input, "name")?;
        let settings = &known.settings;
        let stages: Vec<Value> = settings
            .stages
            .iter()
            .map(|stage| {
                let actions: Vec<Value> =
                    stage.actions.iter().map(|action| self.declared(action, &settings.name)).collect();
                json!({ "name": stage.name, "actions": actions })
            })
            .collect();
        let arn = format!("arn:aws:codepipeline:us-east-1:123456789012:{}", settings.name);
        Ok(json!({
            "pipeline": {
                "name": settings.name,
                "roleArn": "arn:aws:iam::123456789012:role/code-pipeline",
                "artifactStore": { "type": "S3", "location": "codepipeline-us-east-1-111111111111" },
                "stages": stages,
                "version": known.version,
                "executionMode": settings.mode.name(),
                "pipelineType": if settings.v2 { "V2" } else { "V1" },
            },
            "metadata": {
                "pipelineArn": arn,
                "created": epoch_seconds(known.created),
                "updated": epoch_seconds(known.updated),
            },
        }))
    }

    fn declared(&self, action: &Action, pipeline: &str) -> Value {
        json!({
            "name": action.name,
            "actionTypeId": self.type_id(action),
            "runOrder": action.run_order,
            "configuration": with(configuration(action, pipeline), as_written(&action.configuration)),
            "inputArtifacts": [],
            "outputArtifacts": [],
        })
    }

    pub(super) fn type_id(&self, action: &Action) -> Value {
        let (category, provider) = type_of(self, action);
        json!({ "category": category, "owner": "AWS", "provider": provider, "version": "1" })
    }

    pub(super) fn get_pipeline_execution(&self, input: &Value) -> Answer {
        let known = self.asked_pipeline(input, "pipelineName")?;
        let asked = self.asked_execution(known, input, "pipelineExecutionId")?;
        let execution = asked.ok_or_else(no_such_execution)?;
        let revisions: Vec<Value> = if execution.has_source {
            vec![json!({
                "name": "SourceArtifact",
                "revisionId": commit_of(&execution.label),
                "revisionSummary": revision_summary(self, execution),
            })]
        } else {
            Vec::new()
        };
        let mut shown = json!({
            "pipelineName": execution.pipeline,
            "pipelineVersion": execution.version,
            "pipelineExecutionId": execution.id,
            "status": execution.status.name(),
            "artifactRevisions": revisions,
            "variables": [],
            "trigger": trigger(execution),
            "executionMode": known.settings.mode.name(),
            "executionType": execution.type_name(),
        });
        if let Some(target) = &execution.target {
            shown["rollbackMetadata"] = json!({ "rollbackTargetPipelineExecutionId": target });
        }
        Ok(json!({ "pipelineExecution": shown }))
    }
}

pub(super) fn trigger(execution: &PipelineExecution) -> Value {
    json!({ "triggerType": execution.trigger, "triggerDetail": trigger_detail(execution.trigger) })
}

pub(super) fn no_such_execution() -> Refusal {
    Refusal::new(
        "PipelineExecutionNotFoundException",
        "The pipeline execution was specified in an invalid format or cannot be found.",
    )
}
