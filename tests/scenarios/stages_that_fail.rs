//! A stage of a pipeline fails: people hear why, once for each service, and what passes by itself is run again once.

use std::time::Duration;

use belay::policy::Policy;
use belay_tests::{
    Alarm, Break, Cause, DeliverySettings, FailedBuild, Fault, LogLine, Message, Pipeline, Simulator, Stage,
    stage::functions,
};
use serde_json::json;

use crate::a_release_is_guarded::noon;

const TWO_SERVICES: &str = "version: 1
pipelines: { retry: { causes: [download-timed-out], attempts: 1 } }
services:
  orders:
    deployed_by: [ { pipeline: { name: release, stage: Production } } ]
    alarms: { orders-5xx: roll_back }
  admin:
    deployed_by: [ { pipeline: { name: release, stage: Staging } } ]
    alarms: { orders-5xx: notify }
";

const TWO_STAGES: &str = "version: 1
services:
  orders:
    deployed_by:
      - pipeline: { name: release, stage: Staging }
      - pipeline: { name: release, stage: Production }
    alarms: { orders-5xx: roll_back }
";

async fn start(policy: &str) -> Simulator {
    let simulator = Simulator::start(noon()).await;
    simulator.create_alarm(Alarm::scripted("orders-5xx"));
    simulator.create_pipeline(
        Pipeline::v2("release")
            .stage(Stage::source("Source"))
            .stage(Stage::build("Build", 60))
            .stage(Stage::deploy_for("Staging", 60))
            .stage(Stage::deploy_for("Production", 60)),
    );
    functions::install(&simulator, Policy::parse(policy).unwrap_or_else(|mistakes| panic!("{mistakes}")));
    simulator
}

fn no_network() -> Cause {
    let message = "Error while executing command: npm ci. Reason: exit status 1";
    let line = "npm error network request to https://registry.npmjs.org/react failed, reason: connect ETIMEDOUT 104.16.1.35:443";
    let build = FailedBuild::of("release-build", "INSTALL", "COMMAND_EXECUTION_ERROR", message);
    Cause::Build(build.log([LogLine::of(line)]))
}

/// What the topic was told under subjects that hold these words.
fn told(simulator: &Simulator, words: &str) -> Vec<Message> {
    let is_it = |message: &Message| message.subject.as_ref().is_some_and(|subject| subject.contains(words));
    simulator.messages().into_iter().filter(is_it).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pipeline_of_two_services_is_run_again_once_and_each_hears_of_it() {
    let simulator = start(TWO_SERVICES).await;
    simulator.set_delivery(DeliverySettings { duplicates: 2, seed: 4, ..DeliverySettings::default() });
    simulator.break_stage("release", Break::of("Build", no_network()).times(1));
    let execution = simulator.start_pipeline("release", "v2");
    simulator.advance(Duration::from_secs(600)).await;
    assert_eq!(simulator.calls("RetryStageExecution").len(), 1);
    assert_eq!(simulator.pipeline_execution(&execution).status.name(), "Succeeded");
    assert_eq!(told(&simulator, "admin: Build failed").len(), 1, "{:#?}", simulator.messages());
    assert_eq!(told(&simulator, "orders: Build failed").len(), 1, "{:#?}", simulator.messages());
    simulator.assert_all_modelled();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_that_no_event_told_of_is_found_and_told_once() {
    let simulator = start(&TWO_SERVICES.replace("[download-timed-out]", "[throttled]")).await;
    simulator.break_stage("release", Break::of("Build", no_network()));
    simulator.start_pipeline("release", "v2");
    // Its start was heard of, and nothing after that.
    simulator.advance(Duration::from_secs(20)).await;
    simulator.set_delivery(DeliverySettings { lose: 1.0, seed: 4, ..DeliverySettings::default() });
    simulator.advance(Duration::from_secs(900)).await;
    for service in ["admin", "orders"] {
        let told = told(&simulator, &format!("{service}: Build failed"));
        assert_eq!(told.len(), 1, "{:#?}", simulator.messages());
        assert!(told[0].message.contains("only CodePipeline was asked"), "{told:?}");
    }
    // Nothing is looked after any more.
    let open: Vec<_> = simulator
        .table(functions::TABLE)
        .into_iter()
        .filter(|item| item["pk"].to_string().contains("open") && item["sk"].to_string().contains("watch/"))
        .collect();
    assert!(open.is_empty(), "{open:#?}");
    simulator.assert_all_modelled();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_service_of_two_stages_the_one_that_failed_is_told_of_loudly_and_once() {
    let simulator = start(TWO_STAGES).await;
    simulator.break_stage("release", Break::of("Production", Cause::Action).saying("JobFailed", "no reason"));
    simulator.start_pipeline("release", "v2");
    simulator.advance(Duration::from_secs(900)).await;
    let told = told(&simulator, "orders: Production failed");
    assert_eq!(told.len(), 1, "{:#?}", simulator.messages());
    assert!(told[0].attributes["urgency"] == "loud", "{told:?}");
    simulator.assert_all_modelled();
}

/// As when a condition of the stage failed, which the simulator does not have: no action did.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_in_no_action_is_told_unless_it_is_known_to_be_none() {
    let simulator = start(TWO_SERVICES).await;
    let execution = simulator.start_pipeline("release", "v2");
    simulator.advance(Duration::from_secs(20)).await;
    let failed = json!({
        "version": "0",
        "id": "0f1e2d3c-0000-4000-8000-000000000077",
        "detail-type": "CodePipeline Stage Execution State Change",
        "source": "aws.codepipeline",
        "account": "123456789012",
        "time": simulator.now().to_string(),
        "region": "us-east-1",
        "resources": ["arn:aws:codepipeline:us-east-1:123456789012:release"],
        "detail": {
            "pipeline": "release",
            "execution-id": execution,
            "stage": "Build",
            "state": "FAILED",
            "version": 1.0,
            "pipeline-execution-attempt": 1.0
        }
    });
    // The stage runs: this event is an old one.
    simulator.send("pipeline-events", failed.to_string().as_bytes());
    simulator.advance(Duration::from_secs(2)).await;
    assert_eq!(told(&simulator, "Build failed"), []);
    // How it stands is not known.
    simulator.fault("GetPipeline", Fault::InternalError, 1_000);
    simulator.send("pipeline-events", failed.to_string().as_bytes());
    simulator.advance(Duration::from_secs(2)).await;
    simulator.clear_faults();
    for service in ["admin", "orders"] {
        let told = told(&simulator, &format!("{service}: Build failed"));
        assert_eq!(told.len(), 1, "{:#?}", simulator.messages());
        assert!(told[0].message.contains("no action of it did"), "{told:?}");
    }
    simulator.assert_all_modelled();
}
