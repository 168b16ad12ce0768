//! ListPipelineExecutions and ListActionExecutions: newest first, in pages.

use serde_json::{Value, json};

use super::declaring::{configuration, revision_summary, variables};
use super::execution::{ActionRun, ActionStatus, PipelineExecution};
use super::notifying::{as_written, resolved};
use super::operations::{asked_id, invalid};
use super::reading::{no_such_execution, trigger};
use super::state::error_details;
use super::working::{commit_of, url_of};
use super::{CALLER, PipelineState};
use crate::refusal::{Answer, Refusal, only_modelled};
use crate::stamps::epoch_seconds;
use crate::world::World;

impl World {
    /// With `succeededInStage`, those that succeeded there in the present version of the structure; a
    /// rollback that did is among them (inferred: the answer has the types), and a stage that does not
    /// exist has none (unverified: the operation has no error for it).
    pub(super) fn list_pipeline_executions(&self, input: &Value) -> Answer {
        let known = self.asked_pipeline(input, "pipelineName")?;
        let stage = input["filter"]["succeededInStage"]["stageName"].as_str();
        let matching: Vec<&PipelineExecution> = self
            .code_pipeline
            .executions_of(&known.settings.name)
            .rev()
            .filter(|execution| {
                stage.is_none_or(|stage| execution.succeeded_in(stage) && execution.version == known.version)
            })
            .collect();
        let (page, next) = page(&matching, input)?;
        let shown: Vec<Value> = page.iter().map(|execution| self.summarised(known, execution)).collect();
        Ok(with_token(json!({ "pipelineExecutionSummaries": shown }), next))
    }

    pub(super) fn list_action_executions(&self, input: &Value) -> Answer {
        only_modelled(&input["filter"], &["latestInPipelineExecution"])?;
        let known = self.asked_pipeline(input, "pipelineName")?;
        let only = match input["filter"]["pipelineExecutionId"] {
            Value::Null => None,
            _ => Some(asked_id(&input["filter"], "pipelineExecutionId")?),
        };
        if only.is_some_and(|only| !known.executions.iter().any(|known| known == only)) {
            return Err(no_such_execution());
        }
        let mut matching: Vec<(&PipelineExecution, &str, &ActionRun)> = self
            .code_pipeline
            .executions_of(&known.settings.name)
            .filter(|execution| only.is_none_or(|only| only == execution.id))
            .flat_map(|execution| {
                execution.stages.iter().flat_map(move |stage| {
                    stage.actions.iter().map(move |run| (execution, stage.stage.as_str(), run))
                })
            })
            .collect();
        // Stable: of two that began at the same moment the later one is listed first.
        matching.sort_by_key(|(_, _, run)| run.started);
        matching.reverse();
        let (page, next) = page(&matching, input)?;
        let shown: Vec<Value> = page
            .iter()
            .map(|(execution, stage, run)| self.action_execution(known, execution, stage, run))
            .collect();
        Ok(with_token(json!({ "actionExecutionDetails": shown }), next))
    }

    fn action_execution(
        &self,
        known: &PipelineState,
        execution: &PipelineExecution,
        stage: &str,
        run: &ActionRun,
    ) -> Value {
        let action = known.settings.stage_named(stage).action(&run.action);
        let mut result = json!({});
        for (name, value) in [
            // For an approval it is the token while it waits (model, PutApprovalResult).
            ("externalExecutionId", run.external.as_deref().or(run.open_token()).map(|id| json!(id))),
            ("externalExecutionSummary", run.summary.as_ref().map(|text| json!(text))),
            ("externalExecutionUrl", url_of(action, run)),
            ("errorDetails", error_details(run)),
        ] {
            if let Some(value) = value {
                result[name] = value;
            }
        }
        let mut detail = json!({
            "pipelineExecutionId": execution.id,
            "actionExecutionId": run.id,
            "pipelineVersion": execution.version,
            "stageName": stage,
            "actionName": run.action,
            "startTime": epoch_seconds(run.started),
            "lastUpdateTime": epoch_seconds(run.updated),
            "updatedBy": run.verdict.as_ref().map_or(CALLER, |verdict| verdict.by.as_str()),
            "status": run.status.name(),
            "input": {
                "actionTypeId": self.type_id(action),
                "configuration": with(configuration(action, &execution.pipeline), as_written(&action.configuration)),
                "resolvedConfiguration": with(
                    configuration(action, &execution.pipeline),
                    resolved(&action.configuration, &execution.label),
                ),
                "region": "us-east-1",
                "inputArtifacts": [],
            },
            "output": {
                "outputArtifacts": [],
                "executionResult": result,
                "outputVariables": variables(action, execution, run.status == ActionStatus::Succeeded),
            },
        });
        if run.status == ActionStatus::Succeeded {
            let outputs = &mut detail["output"]["outputVariables"];
            *outputs = with(outputs.take(), resolved(&action.outputs, &execution.label));
        }
        if let Some(made) = self.made(execution, action, run) {
            // Both kinds of sources have the author's, CodeCommit the committer's as well.
            let variables = &mut detail["output"]["outputVariables"];
            for name in ["AuthorDate", "CommitterDate"] {
                if !variables[name].is_null() {
                    variables[name] = json!(made);
                }
            }
        }
        detail
    }

    fn summarised(&self, known: &PipelineState, execution: &PipelineExecution) -> Value {
        let source = known.settings.stages.iter().find(|stage| stage.is_source());
        let mut revisions = Vec::new();
        if let Some(source) = source.filter(|_| execution.has_source) {
            revisions.push(json!({
                "actionName": source.actions[0].name,
                "revisionId": commit_of(&execution.label),
                "revisionSummary": revision_summary(self, execution),
            }));
        }
        let mut shown = json!({
            "pipelineExecutionId": execution.id,
            "status": execution.status.name(),
            "startTime": epoch_seconds(execution.started),
            "lastUpdateTime": epoch_seconds(execution.updated),
            "sourceRevisions": revisions,
            "trigger": trigger(execution),
            "executionMode": known.settings.mode.name(),
            "executionType": execution.type_name(),
        });
        if let Some(reason) = &execution.stop_reason {
            shown["stopTrigger"] = json!({ "reason": reason });
        }
        if let Some(target) = &execution.target {
            shown["rollbackMetadata"] = json!({ "rollbackTargetPipelineExecutionId": target });
        }
        shown
    }
}

/// A mapping with the entries of another one, which win.
pub(super) fn with(mut all: Value, more: Value) -> Value {
    for (name, value) in more.as_object().into_iter().flatten() {
        all[name] = value.clone();
    }
    all
}

fn page<'a, T>(all: &'a [T], input: &Value) -> Result<(&'a [T], Option<String>), Refusal> {
    let size = match &input["maxResults"] {
        Value::Null => 100,
        given => given
            .as_u64()
            .filter(|size| (1..=100).contains(size))
            .ok_or_else(|| invalid("maxResults", "have value between 1 and 100"))?,
    };
    let skip = match input["nextToken"].as_str() {
        None => 0,
        Some(token) => token
            .strip_prefix("after-")
            .and_then(|count| count.parse::<usize>().ok())
            .filter(|skip| *skip <= all.len())
            .ok_or_else(|| {
                Refusal::new(
                    "InvalidNextTokenException",
                    "The next token was specified in an invalid format.",
                )
            })?,
    };
    let end = all.len().min(skip + size as usize);
    Ok((&all[skip..end], (end < all.len()).then(|| format!("after-{end}"))))
}

fn with_token(mut answer: Value, next: Option<String>) -> Value {
    if let Some(token) = next {
        answer["nextToken"] = json!(token);
    }
    answer
}
