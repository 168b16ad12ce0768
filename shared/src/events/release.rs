//! Events of CodeDeploy and CodePipeline, by EventBridge: a deployment or a stage began or ended. CodeDeploy's words differ from those of its API: STOP, not Stopped;
//! FAILURE, not Failed (reference: CodeDeploy, "Events out").

use serde::{Deserialize, Deserializer};

use super::EventError;
use super::approval_notice;
use super::foreign::{self, not_for_us};
use super::moment::Stamp;
use super::wire::{Part, Text, payload, read};
use crate::ledger::PipelineApproval;
use crate::release::{DeploymentGroup, Place, ReleaseId, Stage};
use crate::signal::{
    ActionHappening, ApprovalNotice, ExecutionHappening, ManualChange, ManualHappening, PipelineChange,
    PipelineHappening, ReleaseChange, ReleaseHappening,
};

const DEPLOYMENT: &str = "CodeDeploy Deployment State-change Notification";
const INSTANCE: &str = "CodeDeploy Instance State-change Notification";
const STAGE: &str = "CodePipeline Stage Execution State Change";
const PIPELINE: &str = "CodePipeline Pipeline Execution State Change";
const ACTION: &str = "CodePipeline Action Execution State Change";
const EXPECTED: &str = "an EventBridge event of aws.codedeploy (`CodeDeploy Deployment State-change \
                        Notification`, `CodeDeploy Instance State-change Notification`) or of \
                        aws.codepipeline (pipeline, stage or action execution state change), or the SNS \
                        notification of a CodePipeline approval";

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

/// A whole execution's detail. Its trigger comes in two forms, and not always: the API says what it was.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", expecting = "an object")]
struct OfExecution {
    pipeline: Text,
    execution_id: Text,
    state: Whole,
}

struct Whole(ExecutionHappening);

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let words = "STARTED, RESUMED, SUCCEEDED, FAILED, STOPPING, STOPPED, CANCELED or SUPERSEDED";
        read(deserializer, words, |word| match word {
            "STARTED" => Some(Self(ExecutionHappening::Started)),
            "RESUMED" => Some(Self(ExecutionHappening::Resumed)),
            "SUCCEEDED" => Some(Self(ExecutionHappening::Succeeded)),
            "FAILED" => Some(Self(ExecutionHappening::Failed)),
            "STOPPING" => Some(Self(ExecutionHappening::Stopping)),
            "STOPPED" => Some(Self(ExecutionHappening::Stopped)),
            "CANCELED" => Some(Self(ExecutionHappening::Canceled)),
            "SUPERSEDED" => Some(Self(ExecutionHappening::Superseded)),
            _ => None,
        })
    }
}

struct Acted(ActionHappening);

impl<'de> Deserialize<'de> for Acted {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read(deserializer, "STARTED, SUCCEEDED, FAILED, ABANDONED or CANCELED", |word| match word {
            "STARTED" => Some(Self(ActionHappening::Started)),
            "SUCCEEDED" => Some(Self(ActionHappening::Succeeded)),
            "FAILED" => Some(Self(ActionHappening::Failed)),
            "ABANDONED" => Some(Self(ActionHappening::Abandoned)),
            "CANCELED" => Some(Self(ActionHappening::Canceled)),
            _ => None,
        })
    }
}

/// An action's detail.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", expecting = "an object")]
struct OfAction {
    pipeline: Text,
    execution_id: Text,
    stage: Text,
    action: Text,
    action_execution_id: Option<Text>,
    state: Acted,
    r#type: OfType,
}

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct OfType {
    category: Text,
}

/// What an event says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PipelineEvent {
    /// A release began, ended or waits.
    Release(ReleaseChange),
    /// A manual approval waits, or has its answer.
    Manual(ManualChange),
    /// A pipeline's execution got on, or did not.
    Pipeline(PipelineChange),
    /// CodePipeline's own notifications that manual approvals wait, by SNS: one, or all of one invocation.
    Notified(Vec<ApprovalNotice>),
}

impl PipelineEvent {
    /// The account and the region that it is about, where the source says so.
    pub fn home(&self) -> (Option<&str>, Option<&str>) {
        let (account, region) = match self {
            Self::Release(change) => (&change.account, &change.region),
            Self::Manual(change) => (&change.account, &change.region),
            Self::Pipeline(change) => (&change.account, &change.region),
            // One at a time, each with the topic's account.
            Self::Notified(notices) => {
                let first = notices.first();
                let account = first.and_then(|notice| notice.account.as_deref());
                return (account, first.and_then(|notice| notice.region.as_deref()));
            }
        };
        (account.as_deref(), region.as_deref())
    }
}

/// What an action's event says. A manual approval that was given succeeds; one that was rejected or not given in its
/// time fails (reference: CodePipeline, "Events").
fn action(event: Event<OfAction>) -> PipelineEvent {
    let OfAction { pipeline, execution_id, stage, action, action_execution_id, state, r#type } = event.detail;
    let (account, region, at) = (event.account, event.region, event.time.0);
    if r#type.category.0 != "Approval" {
        let what = PipelineHappening::Action { stage: stage.0, action: action.0, what: state.0 };
        let (pipeline, execution) = (pipeline.0, execution_id.0);
        return PipelineEvent::Pipeline(PipelineChange { pipeline, execution, what, account, region, at });
    }
    let what = match state.0 {
        ActionHappening::Started => ManualHappening::Waits,
        ActionHappening::Succeeded => ManualHappening::Approved,
        ActionHappening::Failed => ManualHappening::Failed,
        ActionHappening::Canceled | ActionHappening::Abandoned => ManualHappening::Gone,
    };
    PipelineEvent::Manual(ManualChange {
        // Missing in older events: then an approval that is asked for again in a retried stage is one with the first.
        run: action_execution_id.map_or_else(|| execution_id.0.clone(), |run| run.0),
        approval: PipelineApproval {
            stage: Stage { pipeline: pipeline.0, stage: stage.0 },
            action: action.0,
            execution: execution_id.0,
        },
        what,
        account,
        region,
        at,
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", expecting = "an object")]
struct Label {
    detail_type: Text,
    source: Text,
}

/// Reads a change of a deployment, of one of its instances, of a pipeline's execution, of its stages, its actions or its
/// manual approvals.
///
/// # Errors
///
/// `NotForUs` for anything else, also for CodeBuild's events: what came of a build is told by the pipeline that ran it,
/// with the build's id. `Malformed` when a field is missing or its word unknown.
pub fn release(bytes: &[u8]) -> Result<PipelineEvent, EventError> {
    let value = payload(bytes)?;
    let whole = Part::whole(&value);
    if whole.has("Records") {
        return approval_notice::read(&whole, EXPECTED).map(PipelineEvent::Notified);
    }
    if !whole.has("detail-type") && !whole.has("detail") {
        return Err(not_for_us(foreign::payload(&whole), EXPECTED));
    }
    let label: Label = whole.decode()?;
    match (label.source.0.as_str(), label.detail_type.0.as_str()) {
        ("aws.codedeploy", DEPLOYMENT) => {
            let event: Event<OfDeployment> = whole.decode()?;
            let OfDeployment { deployment_id, application, deployment_group, state } = event.detail;
            Ok(PipelineEvent::Release(ReleaseChange {
                deployment: ReleaseId::from(deployment_id.0),
                place: DeploymentGroup { application: application.0, group: deployment_group.0 }.into(),
                what: state.0,
                instance: None,
                account: event.account,
                region: event.region,
                at: event.time.0,
            }))
        }
        ("aws.codedeploy", INSTANCE) => {
            let event: Event<OfInstance> = whole.decode()?;
            let OfInstance { deployment_id, application, deployment_group, instance_id, state } =
                event.detail;
            Ok(PipelineEvent::Release(ReleaseChange {
                deployment: ReleaseId::from(deployment_id.0),
                place: DeploymentGroup { application: application.0, group: deployment_group.0 }.into(),
                what: state.0,
                instance: Some(instance_id.0),
                account: event.account,
                region: event.region,
                at: event.time.0,
            }))
        }
        ("aws.codepipeline", STAGE) => {
            let event: Event<OfStage> = whole.decode()?;
            let OfStage { pipeline, execution_id, stage, state } = event.detail;
            Ok(PipelineEvent::Release(ReleaseChange {
                deployment: ReleaseId::of_stage(&stage.0, &execution_id.0),
                place: Place::Stage(Stage { pipeline: pipeline.0, stage: stage.0 }),
                what: state.0,
                instance: None,
                account: event.account,
                region: event.region,
                at: event.time.0,
            }))
        }
        ("aws.codepipeline", ACTION) => Ok(action(whole.decode()?)),
        ("aws.codepipeline", PIPELINE) => {
            let event: Event<OfExecution> = whole.decode()?;
            let OfExecution { pipeline, execution_id, state } = event.detail;
            Ok(PipelineEvent::Pipeline(PipelineChange {
                pipeline: pipeline.0,
                execution: execution_id.0,
                what: PipelineHappening::Execution(state.0),
                account: event.account,
                region: event.region,
                at: event.time.0,
            }))
        }
        (source @ "aws.codebuild", detail_type) => {
            let came = format!(
                "{} (what came of a build is told by the pipeline that ran it)",
                foreign::eventbridge(detail_type, source)
            );
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
                Ok(PipelineEvent::Release(orders(what, None))),
                "{file}"
            );
        }
    }

    #[test]
    fn an_instance_is_named() {
        let change = release(sample("codedeploy/codedeploy-instance-failure.json").as_bytes());
        let instance = Some("i-0000000aaaaaaaaaa");
        assert_eq!(change, Ok(PipelineEvent::Release(orders(ReleaseHappening::Failed, instance))));
    }

    #[test]
    fn a_stage_is_a_release_of_its_own() {
        for (word, what) in [
            ("started", ReleaseHappening::Started),
            ("resumed", ReleaseHappening::Started),
            ("failed", ReleaseHappening::Failed),
        ] {
            let file = format!("codepipeline/codepipeline-stage-{word}.json");
            let Ok(PipelineEvent::Release(change)) = release(sample(&file).as_bytes()) else {
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
            let Ok(PipelineEvent::Manual(change)) = release(sample(&file).as_bytes()) else {
                panic!("{file}")
            };
            assert_eq!(change.what, what, "{file}");
            assert_eq!(change.approval.stage.pipeline, "orders-release");
            assert_eq!(change.approval.execution, "12345678-1234-5678-abcd-12345678abcd");
        }
    }

    #[test]
    fn whole_pipelines_and_single_actions_are_read_in_each_state() {
        use {ActionHappening as A, ExecutionHappening as E, PipelineHappening as P};
        let built = |what| P::Action { stage: "Build".to_owned(), action: "Compile".to_owned(), what };
        let states = [
            ("pipeline-started", "STARTED", P::Execution(E::Started)),
            ("pipeline-started", "RESUMED", P::Execution(E::Resumed)),
            ("pipeline-succeeded-git-trigger", "SUCCEEDED", P::Execution(E::Succeeded)),
            ("pipeline-failed", "FAILED", P::Execution(E::Failed)),
            ("pipeline-stopping", "STOPPING", P::Execution(E::Stopping)),
            ("pipeline-stopping", "STOPPED", P::Execution(E::Stopped)),
            ("pipeline-started", "CANCELED", P::Execution(E::Canceled)),
            ("pipeline-superseded", "SUPERSEDED", P::Execution(E::Superseded)),
            ("action-started", "STARTED", built(A::Started)),
            ("action-started", "SUCCEEDED", built(A::Succeeded)),
            ("action-started", "FAILED", built(A::Failed)),
            ("action-abandoned", "ABANDONED", built(A::Abandoned)),
            ("action-started", "CANCELED", built(A::Canceled)),
        ];
        for (file, word, wanted) in states {
            let mut event = samples::json(&format!("codepipeline/codepipeline-{file}.json"));
            change(&mut event, "/detail/state", Some(json!(word)));
            // Numbers come as floats.
            change(&mut event, "/detail/pipeline-execution-attempt", Some(json!(2.0)));
            if matches!(wanted, P::Action { .. }) {
                change(&mut event, "/detail/stage", Some(json!("Build")));
                change(&mut event, "/detail/action", Some(json!("Compile")));
                // An action may run in another region than its pipeline.
                change(&mut event, "/detail/region", Some(json!("eu-west-1")));
            }
            let Ok(PipelineEvent::Pipeline(read)) = release(event.to_string().as_bytes()) else {
                panic!("{file}: {word}")
            };
            assert_eq!(read.what, wanted, "{file}: {word}");
            assert_eq!(read.execution, "12345678-1234-5678-abcd-12345678abcd");
            assert_eq!(read.region.as_deref(), Some("us-east-1"), "the pipeline's own");
        }
        for (file, words) in [
            (
                "pipeline-started",
                "STARTED, RESUMED, SUCCEEDED, FAILED, STOPPING, STOPPED, CANCELED or SUPERSEDED",
            ),
            ("action-started", "STARTED, SUCCEEDED, FAILED, ABANDONED or CANCELED"),
            // An approval's words are the same.
            ("action-approval-started", "STARTED, SUCCEEDED, FAILED, ABANDONED or CANCELED"),
        ] {
            let mut odd = samples::json(&format!("codepipeline/codepipeline-{file}.json"));
            change(&mut odd, "/detail/state", Some(json!("Cancelled")));
            assert_malformed(release(odd.to_string().as_bytes()), "detail.state", "\"Cancelled\"", words);
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
                "an EventBridge event `CodeBuild Build State Change` of aws.codebuild \
                 (what came of a build is told by the pipeline that ran it)",
            ),
            ("cloudwatch/sns-cloudwatch-alarm-metric.json", "a CloudWatch alarm by SNS"),
            ("lambda/sqs-event.json", "an SQS batch"),
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
