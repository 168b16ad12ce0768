//! CodePipeline's events, shaped like the samples: numbers are floats, but the action type's version is
//! text; RESUMED and ABANDONED have no start-time.

use serde_json::{Map, Value, json};

use super::breaking::error_code_of;
use super::declaring::type_of;
use super::execution::ActionStatus;
use super::pipeline::{Action, Work};
use super::working::url_of;
use crate::stamps;
use crate::timeline::What;
use crate::world::World;

const ARN: &str = "arn:aws:codepipeline:us-east-1:123456789012";

impl World {
    pub(super) fn announce_execution(&mut self, id: &str, word: &str, extra: Option<(&str, Value)>) {
        let mut detail = self.about(id, word);
        if word != "RESUMED" {
            let started = self.code_pipeline.execution(id).started;
            detail.insert("start-time".to_owned(), json!(stamps::milliseconds(started)));
        }
        if let Some((name, value)) = extra {
            detail.insert(name.to_owned(), value);
        }
        self.announce(id, "Pipeline", detail);
    }

    pub(super) fn announce_stage(&mut self, id: &str, stage: &str, word: &str) {
        let mut detail = self.about(id, word);
        detail.insert("stage".to_owned(), json!(stage));
        let run = self.code_pipeline.execution(id).stage(stage).expect("a stage that was entered");
        if word != "RESUMED" {
            detail.insert("start-time".to_owned(), json!(stamps::milliseconds(run.started)));
        }
        if let Some(at) = run.retried {
            detail.insert("stage-last-retry-attempt-time".to_owned(), json!(stamps::milliseconds(at)));
        }
        self.announce(id, "Stage", detail);
    }

    pub(super) fn announce_action(&mut self, id: &str, stage: &str, index: usize, word: &str) {
        let mut detail = self.about(id, word);
        let execution = self.code_pipeline.execution(id);
        let run = &execution.stage(stage).expect("a stage that was entered").actions[index];
        let settings = &self.code_pipeline.pipeline(&execution.pipeline).settings;
        let action = settings.stage_named(stage).action(&run.action);
        let (category, provider) = type_of(self, action);
        let mut put = |name: &str, value: Value| detail.insert(name.to_owned(), value);
        put("stage", json!(stage));
        put("action", json!(run.action));
        put("action-execution-id", json!(run.id));
        put("type", json!({ "owner": "AWS", "provider": provider, "category": category, "version": "1" }));
        if word != "ABANDONED" {
            put("start-time", json!(stamps::milliseconds(run.started)));
        }
        // The one sample of a STARTED that is no approval has no region.
        if word != "STARTED" || matches!(action.work, Work::Approval { .. }) {
            put("region", json!("us-east-1"));
        }
        let artifacts = json!([artifact(&execution.pipeline)]);
        match (&action.work, word) {
            (Work::Source { .. }, "SUCCEEDED") => put("output-artifacts", artifacts),
            (Work::Build { .. } | Work::CodeDeploy { .. } | Work::Deploy { .. }, "STARTED") => {
                put("input-artifacts", artifacts)
            }
            (_, _) => None,
        };
        if let "SUCCEEDED" | "FAILED" = word {
            let mut result = Map::new();
            for (name, value) in [
                ("external-execution-url", url_of(action, run)),
                ("external-execution-summary", run.summary.as_ref().map(|text| json!(text))),
                ("external-execution-id", run.external.as_ref().map(|external| json!(external))),
                ("error-code", (run.status == ActionStatus::Failed).then(|| json!(error_code_of(run)))),
            ] {
                if let Some(value) = value {
                    result.insert(name.to_owned(), value);
                }
            }
            put("execution-result", Value::Object(result));
        }
        self.announce(id, "Action", detail);
    }

    /// What every level's event says.
    fn about(&self, id: &str, word: &str) -> Map<String, Value> {
        let execution = self.code_pipeline.execution(id);
        let mut detail = Map::new();
        detail.insert("pipeline".to_owned(), json!(execution.pipeline));
        detail.insert("execution-id".to_owned(), json!(id));
        detail.insert("state".to_owned(), json!(word));
        detail.insert("version".to_owned(), json!(f64::from(execution.version)));
        detail.insert("pipeline-execution-attempt".to_owned(), json!(f64::from(execution.attempt)));
        detail
    }

    fn announce(&mut self, id: &str, level: &str, detail: Map<String, Value>) {
        let text = |name: &str| detail.get(name).and_then(Value::as_str).map(str::to_owned);
        let pipeline = self.code_pipeline.execution(id).pipeline.clone();
        self.happened(What::PipelineEvent {
            pipeline: pipeline.clone(),
            execution: id.to_owned(),
            stage: text("stage"),
            action: text("action"),
            state: text("state").unwrap_or_default(),
        });
        let now = self.now;
        self.emit(
            "aws.codepipeline",
            &format!("CodePipeline {level} Execution State Change"),
            vec![format!("{ARN}:{pipeline}")],
            now,
            Value::Object(detail),
        );
    }
}

/// The one artifact that goes from stage to stage.
fn artifact(pipeline: &str) -> Value {
    json!({
        "name": "SourceArtifact",
        "s3location": {
            "bucket": "codepipeline-us-east-1-111111111111",
            "key": format!("{pipeline}/SourceArti/Ab12Cd3"),
        },
    })
}

/// An action's console page, in GetPipelineState.
pub(super) fn entity_url(action: &Action) -> Option<&'static str> {
    match action.work {
        Work::CodeDeploy { .. } => Some("https://us-east-1.console.aws.amazon.com/codedeploy/home"),
        Work::Source { .. } | Work::Build { .. } | Work::Approval { .. } | Work::Deploy { .. } => None,
    }
}
