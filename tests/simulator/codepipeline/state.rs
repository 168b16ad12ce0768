//! GetPipelineState: each stage with the execution that entered it last, which need not be that of its
//! neighbours.

use serde_json::{Value, json};

use super::announcement::entity_url;
use super::breaking::error_of;
use super::execution::{ActionRun, ActionStatus, PipelineExecution};
use super::pipeline::{Action, ExecutionMode, Stage, Work};
use super::working::{commit_of, url_of};
use super::{CALLER, PipelineState};
use crate::refusal::Answer;
use crate::stamps::epoch_seconds;
use crate::world::World;

impl World {
    pub(super) fn get_pipeline_state(&self, input: &Value) -> Answer {
        let known = self.asked_pipeline(input, "name")?;
        let stages: Vec<Value> =
            known.settings.stages.iter().map(|stage| self.stage_now(known, stage)).collect();
        Ok(json!({
            "pipelineName": known.settings.name,
            "pipelineVersion": known.version,
            "stageStates": stages,
            "created": epoch_seconds(known.created),
            "updated": epoch_seconds(known.updated),
        }))
    }

    fn stage_now(&self, known: &PipelineState, stage: &Stage) -> Value {
        let waiting: Vec<Value> = self
            .waiting_before(&known.settings.name, &stage.name)
            .iter()
            .map(|id| {
                let execution = self.code_pipeline.execution(id);
                json!({
                    "pipelineExecutionId": id,
                    "status": "InProgress",
                    "type": execution.type_name(),
                })
            })
            .collect();
        // In PARALLEL mode there is no state of a stage; what AWS shows then is unverified.
        let latest = known
            .latest
            .get(&stage.name)
            .filter(|_| known.settings.mode != ExecutionMode::Parallel)
            .map(|id| self.code_pipeline.execution(id));
        let actions: Vec<Value> =
            stage.actions.iter().map(|action| action_now(stage, action, latest)).collect();
        let mut shown = json!({
            "stageName": stage.name,
            "inboundExecutions": waiting,
            "inboundTransitionState": transition_now(known, stage),
            "actionStates": actions,
        });
        if let Some(execution) = latest {
            let run = execution.stage(&stage.name).expect("it entered");
            shown["latestExecution"] = json!({
                "pipelineExecutionId": execution.id,
                "status": run.status.name(),
                "type": execution.type_name(),
            });
        }
        shown
    }
}

fn transition_now(known: &PipelineState, stage: &Stage) -> Value {
    let Some(transition) = known.transitions.get(&stage.name) else {
        return json!({ "enabled": true });
    };
    let mut shown = json!({
        "enabled": transition.closed.is_none(),
        "lastChangedBy": CALLER,
        "lastChangedAt": epoch_seconds(transition.changed),
    });
    if let Some(reason) = &transition.closed {
        shown["disabledReason"] = json!(reason);
    }
    shown
}

fn action_now(stage: &Stage, action: &Action, latest: Option<&PipelineExecution>) -> Value {
    let mut shown = json!({ "actionName": action.name });
    if let Some(url) = entity_url(action) {
        shown["entityUrl"] = json!(url);
    }
    let Some(execution) = latest else { return shown };
    if matches!(action.work, Work::Source { .. }) && execution.has_source {
        shown["currentRevision"] = json!({ "revisionId": commit_of(&execution.label) });
    }
    let run = execution.stage(&stage.name).and_then(|stage| stage.last_of(&action.name));
    if let Some(run) = run {
        shown["latestExecution"] = run_now(action, run);
    }
    shown
}

fn run_now(action: &Action, run: &ActionRun) -> Value {
    let mut shown = json!({
        "actionExecutionId": run.id,
        "status": run.status.name(),
        "lastStatusChange": epoch_seconds(run.updated),
    });
    let failed = run.status == ActionStatus::Failed;
    for (name, value) in [
        ("token", run.open_token().map(|token| json!(token))),
        ("lastUpdatedBy", run.verdict.as_ref().map(|verdict| json!(verdict.by))),
        ("externalExecutionId", run.external.as_ref().map(|external| json!(external))),
        ("externalExecutionUrl", url_of(action, run)),
        (
            "summary",
            run.summary.as_ref().filter(|_| !failed || run.verdict.is_some()).map(|text| json!(text)),
        ),
        ("errorDetails", error_details(run)),
    ] {
        if let Some(value) = value {
            shown[name] = value;
        }
    }
    shown
}

pub(super) fn error_details(run: &ActionRun) -> Option<Value> {
    (run.status == ActionStatus::Failed).then(|| error_of(run))
}
