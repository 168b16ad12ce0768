//! Events of CodeDeploy and CodePipeline, by EventBridge: a deployment or a stage began or ended. CodeDeploy's words differ from those of its API: STOP, not Stopped;
//! FAILURE, not Failed (reference: CodeDeploy, "Events out").

use serde::{Deserialize, Deserializer};

use super::EventError;
use super::foreign::{self, NOT_YET, not_for_us};
use super::moment::Stamp;
use super::wire::{Part, Text, payload, read};
use crate::ledger::PipelineApproval;
use crate::release::{DeploymentGroup, Place, ReleaseId, Stage};
use crate::signal::{ManualChange, ManualHappening, ReleaseChange, ReleaseHappening};

const DEPLOYMENT: &str = "CodeDeploy Deployment State-change Notification";
const INSTANCE: &str = "CodeDeploy Instance State-change Notification";
const STAGE: &str = "CodePipeline Stage Execution State Change";
const PIPELINE: &str = "CodePipeline Pipeline Execution State Change";
const ACTION: &str = "CodePipeline Action Execution State Change";
const EXPECTED: &str = "an EventBridge event of aws.codedeploy (`CodeDeploy Deployment State-change \
                        Notification`, `CodeDeploy Instance State-change Notification`) or of \
                        aws.codepipeline (pipeline, stage or action execution state change)";

/// The envelope. `E` is the detail.
#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct Event<E> {
    time: Stamp,
    account: Option<String>,
    region: Option<String>,
    detail: E,
}

/// A deployment's detail. It says neither why the deployment failed nor whether it is rolled back.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
struct OfDeployment {
    deployment_id: Text,
    application: Text,
    deployment_group: Text,
    state: Happening,
}

/// An instance's detail: the deployment's fields, the instance, and the instance's state.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
struct OfInstance {
    deployment_id: Text,
    application: Text,
    deployment_group: Text,
    instance_id: Text,
    state: Happening,
}

/// A stage's detail. Its numbers are floats and of no use here; the start time is missing on retries.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", expecting = "an object")]
struct OfStage {
    pipeline: Text,
    execution_id: Text,
    stage: Text,
    state: StageHappening,
}

/// A stage's state. Events say CANCELED with one L (CodePipeline User Guide, "Monitoring CodePipeline events").
struct StageHappening(ReleaseHappening);

impl<'de> Deserialize<'de> for StageHappening {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let words = "STARTED, RESUMED, SUCCEEDED, FAILED, STOPPING, STOPPED or CANCELED";
        read(deserializer, words, |word| match word {
            // A retry begins what had ended: the release's record stays as it was.
            "STARTED" | "RESUMED" => Some(Self(ReleaseHappening::Started)),
            "SUCCEEDED" => Some(Self(ReleaseHappening::Succeeded)),
            "FAILED" => Some(Self(ReleaseHappening::Failed)),
            "STOPPING" => Some(Self(ReleaseHappening::Stopping)),
            "STOPPED" | "CANCELED" => Some(Self(ReleaseHappening::Stopped)),
            _ => None,
        })
    }
}

struct Happening(ReleaseHappening);

impl<'de> Deserialize<'de> for Happening {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read(deserializer, "START, SUCCESS, FAILURE, STOP, READY or QUEUED", |word| match word {
            "START" => Some(Self(ReleaseHappening::Started)),
            "SUCCESS" => Some(Self(ReleaseHappening::Succeeded)),
            "FAILURE" => Some(Self(ReleaseHappening::Failed)),
            "STOP" => Some(Self(ReleaseHappening::Stopped)),
            "READY" => Some(Self(ReleaseHappening::Ready)),
            "QUEUED" => Some(Self(ReleaseHappening::Queued)),
            _ => None,
        })
    }
}

/// An action's detail. Only manual approvals are of concern.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", expecting = "an object")]
struct OfAction {
    pipeline: Text,
    execution_id: Text,
    stage: Text,
    action: Text,
    action_execution_id: Option<Text>,
    state: Text,
    r#type: OfType,
}

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct OfType {
    category: Text,
}

/// What a pipeline's event says, as far as Belay is concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PipelineEvent {
    /// A release began, ended or waits.
    Release(ReleaseChange),
    /// A manual approval waits, or has its answer.
    Manual(ManualChange),
}

impl PipelineEvent {
    /// The account and the region that it is about, where the source says so.
    pub fn home(&self) -> (Option<&str>, Option<&str>) {
        let (account, region) = match self {
            Self::Release(change) => (&change.account, &change.region),
            Self::Manual(change) => (&change.account, &change.region),
        };
        (account.as_deref(), region.as_deref())
    }
}

/// A manual approval's change; none for other actions, and for states that change nothing. An approval that was given
/// succeeds; one that was rejected or not given in its time fails (reference: CodePipeline, "Events").
fn manual(event: Event<OfAction>) -> Option<ManualChange> {
    let OfAction { pipeline, execution_id, stage, action, action_execution_id, state, r#type } = event.detail;
    if r#type.category.0 != "Approval" {
        return None;
    }
    let what = match state.0.as_str() {
        "STARTED" => ManualHappening::Waits,
        "SUCCEEDED" => ManualHappening::Approved,
        "FAILED" => ManualHappening::Failed,
        "CANCELED" | "ABANDONED" => ManualHappening::Gone,
        _ => return None,
    };
    Some(ManualChange {
        // Missing in older events: then an approval that is asked for again in a retried stage is one with the first.
        run: action_execution_id.map_or_else(|| execution_id.0.clone(), |run| run.0),
        approval: PipelineApproval {
            stage: Stage { pipeline: pipeline.0, stage: stage.0 },
            action: action.0,
            execution: execution_id.0,
        },
        what,
        account: event.account,
        region: event.region,
        at: event.time.0,
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", expecting = "an object")]
struct Label {
    detail_type: Text,
    source: Text,
}

/// Reads a change of a deployment, of one of its instances, of a pipeline's stage or of a manual approval. Events of a
/// whole pipeline and of other actions are understood, and nothing: the stage's own event says what came of them.
///
/// # Errors
///
/// `NotForUs` for anything else, also for CodeBuild's events and approval requests, which a later version will
/// handle; `Malformed` when a field is missing or its word unknown.
pub fn release(bytes: &[u8]) -> Result<Option<PipelineEvent>, EventError> {
    let value = payload(bytes)?;
    let whole = Part::whole(&value);
    if !whole.has("detail-type") && !whole.has("detail") {
        return Err(not_for_us(foreign::payload(&whole), EXPECTED));
    }
    let label: Label = whole.decode()?;
    match (label.source.0.as_str(), label.detail_type.0.as_str()) {
        ("aws.codedeploy", DEPLOYMENT) => {
            let event: Event<OfDeployment> = whole.decode()?;
            let OfDeployment { deployment_id, application, deployment_group, state } = event.detail;
            Ok(Some(PipelineEvent::Release(ReleaseChange {
                deployment: ReleaseId::from(deployment_id.0),
                place: DeploymentGroup { application: application.0, group: deployment_group.0 }.into(),
                what: state.0,
                instance: None,
                account: event.account,
                region: event.region,
                at: event.time.0,
            })))
        }
        ("aws.codedeploy", INSTANCE) => {
            let event: Event<OfInstance> = whole.decode()?;
            let OfInstance { deployment_id, application, deployment_group, instance_id, state } =
                event.detail;
            Ok(Some(PipelineEvent::Release(ReleaseChange {
                deployment: ReleaseId::from(deployment_id.0),
                place: DeploymentGroup { application: application.0, group: deployment_group.0 }.into(),
                what: state.0,
                instance: Some(instance_id.0),
                account: event.account,
                region: event.region,
                at: event.time.0,
            })))
        }
        ("aws.codepipeline", STAGE) => {
            let event: Event<OfStage> = whole.decode()?;
            let OfStage { pipeline, execution_id, stage, state } = event.detail;
            Ok(Some(PipelineEvent::Release(ReleaseChange {
                deployment: ReleaseId::of_stage(&stage.0, &execution_id.0),
                place: Place::Stage(Stage { pipeline: pipeline.0, stage: stage.0 }),
                what: state.0,
                instance: None,
                account: event.account,
                region: event.region,
                at: event.time.0,
            })))
        }
        ("aws.codepipeline", ACTION) => Ok(manual(whole.decode()?).map(PipelineEvent::Manual)),
        ("aws.codepipeline", PIPELINE) => Ok(None),
        (source @ "aws.codebuild", detail_type) => {
            let came = format!("{}{NOT_YET}", foreign::eventbridge(detail_type, source));
            Err(not_for_us(came, EXPECTED))
        }
        (source, detail_type) => Err(not_for_us(foreign::eventbridge(detail_type, source), EXPECTED)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::events::samples::{self, assert_malformed, change, sample};

    const WORDS: &str = "START, SUCCESS, FAILURE, STOP, READY or QUEUED";
    const TIME: &str = "a time as 2026-03-05T14:05:40.989+0000 or 2026-03-05T14:05:40Z";
    const TEXT: &str = "text that is not empty";

    fn orders(what: ReleaseHappening, instance: Option<&str>) -> ReleaseChange {
        ReleaseChange {
            deployment: "d-75I7MBT7C".into(),
            place: DeploymentGroup { application: "orders".into(), group: "orders-prod".into() }.into(),
            what,
            instance: instance.map(str::to_owned),
            account: Some("123456789012".into()),
            region: Some("us-east-1".into()),
            at: "2026-03-05T14:06:31Z".parse().expect("a time"),
        }
    }

    #[test]
    fn each_word_is_read() {
        for (word, what) in [
            ("start", ReleaseHappening::Started),
            ("success", ReleaseHappening::Succeeded),
            ("failure", ReleaseHappening::Failed),
            ("stop", ReleaseHappening::Stopped),
            ("ready", ReleaseHappening::Ready),
            ("queued", ReleaseHappening::Queued),
        ] {
            let file = format!("codedeploy/codedeploy-deployment-{word}.json");
            assert_eq!(
                release(sample(&file).as_bytes()),
                Ok(Some(PipelineEvent::Release(orders(what, None)))),
                "{file}"
            );
        }
    }

    #[test]
    fn an_instance_is_named() {
        let change = release(sample("codedeploy/codedeploy-instance-failure.json").as_bytes());
        let instance = Some("i-0000000aaaaaaaaaa");
        assert_eq!(change, Ok(Some(PipelineEvent::Release(orders(ReleaseHappening::Failed, instance)))));
    }

    #[test]
    fn a_stage_is_a_release_of_its_own() {
        for (word, what) in [
            ("started", ReleaseHappening::Started),
            ("resumed", ReleaseHappening::Started),
            ("failed", ReleaseHappening::Failed),
        ] {
            let file = format!("codepipeline/codepipeline-stage-{word}.json");
            let Ok(Some(PipelineEvent::Release(change))) = release(sample(&file).as_bytes()) else {
                panic!("{file}")
            };
            assert_eq!(change.what, what, "{file}");
            let Place::Stage(place) = &change.place else { panic!("{file}: {:?}", change.place) };
            assert_eq!(place.pipeline, "orders-release");
            let id = format!("{}/12345678-1234-5678-abcd-12345678abcd", place.stage);
            assert_eq!(change.deployment.as_str(), id);
            assert_eq!(change.deployment.execution(), Some("12345678-1234-5678-abcd-12345678abcd"));
        }
        let mut odd = samples::json("codepipeline/codepipeline-stage-failed.json");
        change(&mut odd, "/detail/state", Some(json!("CANCELLED")));
        let words = "STARTED, RESUMED, SUCCEEDED, FAILED, STOPPING, STOPPED or CANCELED";
        assert_malformed(release(odd.to_string().as_bytes()), "detail.state", "\"CANCELLED\"", words);
    }

    #[test]
    fn a_manual_approval_waits_and_is_answered() {
        for (file, what) in [
            ("codepipeline-action-approval-started", ManualHappening::Waits),
            ("codepipeline-action-approval-rejected", ManualHappening::Failed),
        ] {
            let file = format!("codepipeline/{file}.json");
            let Ok(Some(PipelineEvent::Manual(change))) = release(sample(&file).as_bytes()) else {
                panic!("{file}")
            };
            assert_eq!(change.what, what, "{file}");
            assert_eq!(change.approval.stage.pipeline, "orders-release");
            assert_eq!(change.approval.execution, "12345678-1234-5678-abcd-12345678abcd");
        }
    }

    #[test]
    fn whole_pipelines_and_single_actions_are_understood_and_nothing() {
        for file in ["codepipeline-pipeline-started", "codepipeline-action-started"] {
            let file = format!("codepipeline/{file}.json");
            assert_eq!(release(sample(&file).as_bytes()), Ok(None), "{file}");
        }
    }

    #[test]
    fn what_is_missing_or_unknown_is_refused_with_its_path() {
        let start = "codedeploy/codedeploy-deployment-start.json";
        let instance = "codedeploy/codedeploy-instance-failure.json";
        let none: Option<Value> = None;
        for (file, pointer, to, path, found, expected) in [
            (start, "/detail/state", none.clone(), "detail.state", "nothing", WORDS),
            (start, "/detail/state", Some(json!("STOPPED")), "detail.state", "\"STOPPED\"", WORDS),
            (start, "/detail/state", Some(json!(3)), "detail.state", "3", WORDS),
            (start, "/detail/deploymentId", none.clone(), "detail.deploymentId", "nothing", TEXT),
            (start, "/detail/deploymentId", Some(json!("")), "detail.deploymentId", "\"\"", TEXT),
            (start, "/detail/application", Some(json!([])), "detail.application", "an empty list", TEXT),
            (start, "/detail/deploymentGroup", Some(json!(null)), "detail.deploymentGroup", "null", TEXT),
            (instance, "/detail/instanceId", none.clone(), "detail.instanceId", "nothing", TEXT),
            (instance, "/detail/state", Some(json!("Failed")), "detail.state", "\"Failed\"", WORDS),
            (start, "/detail", none.clone(), "detail", "nothing", "an object"),
            (start, "/detail", Some(json!(["START"])), "detail", "a list", "an object"),
            (start, "/time", none.clone(), "time", "nothing", TIME),
            (start, "/time", Some(json!("yesterday")), "time", "\"yesterday\"", TIME),
            (start, "/region", Some(json!(1)), "region", "1", "a string"),
            (start, "/detail-type", none.clone(), "detail-type", "nothing", TEXT),
            (start, "/source", Some(json!({})), "source", "an object", TEXT),
        ] {
            let mut payload = samples::json(file);
            change(&mut payload, pointer, to);
            assert_malformed(release(payload.to_string().as_bytes()), path, found, expected);
        }
    }

    #[test]
    fn other_payloads_are_named() {
        for (file, came) in [
            (
                "codebuild/codebuild-state-change-failed.json",
                "an EventBridge event `CodeBuild Build State Change` of aws.codebuild, \
                 which this version of Belay does not handle yet",
            ),
            (
                "codepipeline/sns-codepipeline-approval.json",
                "a CodePipeline approval request by SNS, which this version of Belay does not handle yet",
            ),
            (
                "codedeploy/sns-codedeploy-trigger.json",
                "a CodeDeploy trigger notification by SNS, which this version of Belay does not handle yet",
            ),
            (
                "cloudwatch/cloudwatch-alarm-state-change-ok.json",
                "an EventBridge event `CloudWatch Alarm State Change` of aws.cloudwatch",
            ),
            ("lambda/eventbridge-scheduled.json", "an EventBridge event `Scheduled Event` of aws.events"),
            ("codedeploy/codedeploy-hook.json", "a CodeDeploy lifecycle hook call"),
            (
                "lambda/lambda-destination-failure.json",
                "a Lambda destination's record of a failed invocation",
            ),
        ] {
            let expected = Err(not_for_us(came.to_owned(), EXPECTED));
            assert_eq!(release(sample(file).as_bytes()), expected, "{file}");
        }
    }
}
