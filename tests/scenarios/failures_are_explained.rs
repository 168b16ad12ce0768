//! From an action that failed to its cause: what is asked of the services behind it, with the role of `pipeline-events`,
//! and what is said where they do not tell.

use std::time::Duration;

use belay::{
    aws::Adapters,
    cause::{Cause, Retry, UNKNOWN},
    diagnosis::explain,
    evidence::Observed,
    gather::failure::{self, Failed},
    policy::Policy,
    release::Stage as Place,
};
use belay_tests::{
    Action, Break, Cause as Why, FailedBuild, Fault, Group, LogLine, Pipeline, Resource, Simulator, Stack,
    StackFailure, StackStep, Stage,
    stage::{deployed, functions},
};
use jiff::Timestamp;

const POLICY: &str = "version: 1
services:
  orders:
    deployed_by: [ { pipeline: { name: orders, stage: Deploy } } ]
    alarms: { orders-5xx: roll_back }
";

/// What an npm build prints that failed in a test.
const TEST: &str = "FAIL src/orders.test.ts > adds up: expected 3 to be 4";

pub(crate) async fn start() -> Simulator {
    let simulator = Simulator::start("2026-03-05T14:00:00Z".parse().unwrap()).await;
    deployed::enforce(&simulator);
    simulator.create_group(Group::ecs("orders", "orders-prod"));
    simulator.create_pipeline(
        Pipeline::v2("orders")
            .stage(Stage::source("Source"))
            .stage(Stage::build("Build", 60))
            .stage(Stage::deploy_for("Deploy", 60))
            .stage(Stage::deploy("Production", "orders", "orders-prod"))
            .stage(Stage::of("Rolling", Action::ecs("Rolling", 120, "prod", "orders"))),
    );
    simulator
}

pub(crate) fn adapters(simulator: &Simulator, function: &str) -> Adapters {
    let policy = Policy::parse(POLICY).unwrap();
    functions::guards(&simulator.endpoint(), policy, function).own().adapters.clone()
}

/// Plays an execution to its end; what failed in one of its stages then.
async fn gathered(simulator: &Simulator, stage: &str) -> Observed<Vec<Failed>> {
    let id = simulator.start_pipeline("orders", "v2");
    while simulator.pipeline_execution(&id).status.name() == "InProgress" {
        simulator.advance(Duration::from_secs(60)).await;
    }
    asked(simulator, stage, &id).await
}

async fn asked(simulator: &Simulator, stage: &str, execution: &str) -> Observed<Vec<Failed>> {
    let place = Place { pipeline: "orders".to_owned(), stage: stage.to_owned() };
    of_stage(&adapters(simulator, "pipeline-events"), &place, execution, simulator.now()).await
}

/// What failed in a stage, of the runs that CodePipeline tells of.
async fn of_stage(
    adapters: &Adapters,
    stage: &Place,
    execution: &str,
    now: Timestamp,
) -> Observed<Vec<Failed>> {
    match adapters.codepipeline.actions(&stage.pipeline, execution).await {
        Err(error) => Observed::Missing { why: error.to_string() },
        Ok(runs) => Observed::Known { value: failure::of_stage(adapters, stage, &runs, now).await, at: now },
    }
}

/// The one action that failed.
fn the_one(observed: Observed<Vec<Failed>>) -> Failed {
    let mut failed = observed.known().expect("it was told").clone();
    assert_eq!(failed.len(), 1, "{failed:?}");
    failed.remove(0)
}

pub(crate) async fn cause(simulator: &Simulator, stage: &str) -> Cause {
    let cause = explain(&the_one(gathered(simulator, stage).await).failure);
    simulator.assert_all_modelled();
    cause
}

fn npm_test() -> FailedBuild {
    let message = "Error while executing command: npm test. Reason: exit status 1";
    FailedBuild::of("orders-build", "BUILD", "COMMAND_EXECUTION_ERROR", message)
}

fn breaks(simulator: &Simulator, build: FailedBuild) {
    simulator.break_stage("orders", Break::of("Build", Why::Build(build)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_build_is_explained_by_the_line_of_its_log_that_tells() {
    let simulator = start().await;
    breaks(&simulator, npm_test().log([LogLine::of("> vitest run"), LogLine::of(TEST)]));
    let id = simulator.start_pipeline("orders", "v2");
    simulator.advance(Duration::from_secs(300)).await;
    let failed = the_one(asked(&simulator, "Build", &id).await);
    assert_eq!((failed.stage.as_str(), failed.action.as_str()), ("Build", "Build"));
    assert!(!failed.action_run.is_empty());
    let cause = explain(&failed.failure);
    assert_eq!(
        (cause.rule.as_str(), cause.seen_in.as_str()),
        ("test-failed", "the build's log"),
        "{cause:?}"
    );
    assert!(cause.what.contains("src/orders.test.ts"), "{cause:?}");
    assert_eq!(cause.not_learnt, Vec::<String>::new());
    // No other stage has failed.
    assert_eq!(asked(&simulator, "Deploy", &id).await.known().expect("it was told"), &Vec::new());
    simulator.assert_all_modelled();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_error_in_a_log_of_a_hundred_megabytes_is_found() {
    let simulator = start().await;
    let filler = "Downloading https://registry.npmjs.org/left-pad/-/left-pad-1.3.0.tgz (3 of 3)";
    let log = [LogLine::repeated(filler, 100_000), LogLine::of(TEST), LogLine::repeated(filler, 1_200_000)];
    breaks(&simulator, npm_test().log(log));
    let cause = cause(&simulator, "Build").await;
    // What was found stays, also where the search does not come to the log's end in time.
    assert_eq!(cause.rule, "test-failed", "{cause:?}");
    // It was read at its end, and searched: no page after another to the beginning.
    assert_eq!(simulator.calls("GetLogEvents").len(), 1);
    assert!(simulator.calls("FilterLogEvents").len() <= 60);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_in_a_log_is_in_no_cause() {
    let simulator = start().await;
    let line = "FAILED tests/test_login.py::test_login - AssertionError: password='hunter2hunter2' refused";
    breaks(&simulator, npm_test().log([LogLine::of(line)]));
    let cause = cause(&simulator, "Build").await;
    assert_eq!(cause.rule, "test-failed", "{cause:?}");
    assert!(!format!("{cause:?}").contains("hunter2"), "{cause:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_does_not_exist_yet_is_said_to_be_missing() {
    let simulator = start().await;
    breaks(&simulator, FailedBuild { no_log_yet: true, ..npm_test() });
    let cause = cause(&simulator, "Build").await;
    assert_eq!(cause.not_learnt.len(), 1, "{cause:?}");
    assert!(cause.not_learnt[0].starts_with("Not learnt: the build's log, because "), "{cause:?}");
    assert!(cause.evidence.contains("npm test"), "the phase's word is kept: {cause:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_build_from_last_year_is_said_to_be_forgotten() {
    let simulator = start().await;
    breaks(&simulator, FailedBuild { year_old: true, ..npm_test() });
    let cause = cause(&simulator, "Build").await;
    assert_eq!(cause.not_learnt.len(), 1, "{cause:?}");
    assert!(cause.not_learnt[0].contains("knows no such build any more"), "{cause:?}");
    assert!(cause.evidence.contains("npm test"), "CodePipeline's word is kept: {cause:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_execution_that_was_deleted_is_said_to_be_unknown() {
    let simulator = start().await;
    let gathered = asked(&simulator, "Build", "00000000-1111-4222-8333-444444444444").await;
    let why = gathered.known().expect_err("there is no such execution").to_owned();
    assert!(why.contains("AWS says PipelineExecutionNotFoundException"), "{why}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_answer_in_time_keeps_nothing_from_the_rest() {
    let simulator = start().await;
    breaks(&simulator, npm_test().log([LogLine::of(TEST)]));
    let id = simulator.start_pipeline("orders", "v2");
    simulator.advance(Duration::from_secs(300)).await;
    let place = Place { pipeline: "orders".to_owned(), stage: "Build".to_owned() };
    let mut adapters = adapters(&simulator, "pipeline-events");
    adapters.sources = adapters.sources.answering_within(Duration::from_secs(2));
    for operation in ["GetLogEvents", "FilterLogEvents"] {
        simulator.fault(operation, Fault::Hang(Duration::from_secs(60)), 9);
    }
    let failed = the_one(of_stage(&adapters, &place, &id, simulator.now()).await);
    let cause = explain(&failed.failure);
    assert_eq!(cause.not_learnt.len(), 1, "{cause:?}");
    assert!(cause.not_learnt[0].contains("did not answer within the 2 seconds"), "{cause:?}");
    assert!(cause.evidence.contains("npm test"), "the build was read: {cause:?}");
    // Where the search alone hangs, the end of the log still tells.
    simulator.clear_faults();
    simulator.fault("FilterLogEvents", Fault::Hang(Duration::from_secs(60)), 9);
    let failed = the_one(of_stage(&adapters, &place, &id, simulator.now()).await);
    let cause = explain(&failed.failure);
    assert_eq!(cause.rule, "test-failed", "{cause:?}");
    assert!(cause.not_learnt[0].contains("only its end was read"), "{cause:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_an_action_that_was_retried_the_last_run_counts() {
    let simulator = start().await;
    simulator
        .break_stage("orders", Break::of("Build", Why::Build(npm_test().log([LogLine::of(TEST)]))).times(1));
    let id = simulator.start_pipeline("orders", "v2");
    simulator.advance(Duration::from_secs(300)).await;
    let first = the_one(asked(&simulator, "Build", &id).await);
    let full = FailedBuild { vpc: None, ..npm_test().log([LogLine::of("write: No space left on device")]) };
    breaks(&simulator, full);
    let adapters = adapters(&simulator, "chat-actions");
    let place = Place { pipeline: "orders".to_owned(), stage: "Build".to_owned() };
    adapters.codepipeline.retry(&place, &id).await.expect("it can be retried");
    simulator.advance(Duration::from_secs(300)).await;
    let second = the_one(asked(&simulator, "Build", &id).await);
    assert_ne!(first.action_run, second.action_run);
    assert_eq!(explain(&first.failure).rule, "test-failed");
    assert_eq!(explain(&second.failure).rule, "disk-full", "{second:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_function_s_own_word_is_told() {
    let simulator = start().await;
    let why =
        Why::Function { name: "orders-migrate".to_owned(), message: "two rows are left over".to_owned() };
    simulator.break_stage("orders", Break::of("Deploy", why));
    let cause = cause(&simulator, "Deploy").await;
    assert_eq!(cause.rule, "function-failed", "{cause:?}");
    assert!(
        cause.what.contains("orders-migrate") && cause.what.contains("two rows are left over"),
        "{cause:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_only_codepipeline_knows_is_told_as_it_says_it() {
    let simulator = start().await;
    let throttled = Break::of("Deploy", Why::Action).saying(
        "JobFailed",
        "Rate exceeded (Service: AmazonECS; Status Code: 400; Error Code: ThrottlingException)",
    );
    simulator.break_stage("orders", throttled);
    let known = cause(&simulator, "Deploy").await;
    assert_eq!((known.rule.as_str(), known.retry), ("throttled", Retry::Helps), "{known:?}");
    simulator.mend_stage("orders", "Deploy");
    simulator
        .break_stage("orders", Break::of("Deploy", Why::Action).saying("JobFailed", "the gremlins did it"));
    let unknown = cause(&simulator, "Deploy").await;
    assert_eq!((unknown.rule.as_str(), unknown.retry), (UNKNOWN, Retry::Unknown), "{unknown:?}");
    assert!(unknown.what.contains("the gremlins did it"), "{unknown:?}");
}

fn step(resource: &str, kind: &str, status: &str, reason: &str) -> StackStep {
    let [resource, kind, status, reason] = [resource, kind, status, reason].map(str::to_owned);
    StackStep { resource, kind, status, reason }
}

/// Stacks `orders` and, in it as its resource `Data`, `orders-data`; an action that deploys `orders` and fails, and half a
/// minute into it what these events say.
async fn stack_failed(
    simulator: &Simulator,
    status: &str,
    outer: Vec<StackStep>,
    inner: Vec<StackStep>,
) -> Cause {
    let why = Why::Stack { name: "orders".to_owned(), status: status.to_owned() };
    simulator.break_stage("orders", Break::of("Deploy", why));
    let id = simulator.start_pipeline("orders", "v2");
    let pipelines = adapters(simulator, "pipeline-events").codepipeline;
    while pipelines.actions("orders", &id).await.unwrap().iter().all(|run| run.stage != "Deploy") {
        simulator.advance(Duration::from_secs(5)).await;
    }
    simulator.advance(Duration::from_secs(20)).await;
    if !inner.is_empty() {
        let status = "UPDATE_ROLLBACK_COMPLETE".to_owned();
        simulator.fail_stack("orders-data", StackFailure { status, steps: inner });
        simulator.advance(Duration::from_secs(5)).await;
    }
    simulator.fail_stack("orders", StackFailure { status: status.to_owned(), steps: outer });
    simulator.advance(Duration::from_secs(300)).await;
    explain(&the_one(asked(simulator, "Deploy", &id).await).failure)
}

/// The stacks, with an update an hour ago that failed too: that one is over and does not count.
async fn with_stacks() -> Simulator {
    let simulator = start().await;
    simulator.create_stack(Stack::new("orders").resource(Resource::new(
        "Data",
        "AWS::CloudFormation::Stack",
        "",
    )));
    simulator.create_stack(Stack::new("orders-data").nested_in("orders", "Data"));
    let steps = vec![step("Old", "AWS::SQS::Queue", "UPDATE_FAILED", "Bucket old-bucket already exists")];
    simulator.fail_stack("orders", StackFailure { status: "UPDATE_ROLLBACK_COMPLETE".to_owned(), steps });
    simulator.advance(Duration::from_secs(3_600)).await;
    simulator
}

const DENIED: &str = "User: arn:aws:sts::123456789012:assumed-role/deploy/AWSCloudFormation is not authorized to perform: sqs:CreateQueue on resource: arn:aws:sqs:us-east-1:123456789012:orders because no identity-based policy allows the sqs:CreateQueue action (Service: AmazonSQS; Status Code: 403; Error Code: AccessDenied)";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stack_is_explained_by_what_failed_in_it_first() {
    let simulator = with_stacks().await;
    let outer = vec![
        step("Queue", "AWS::SQS::Queue", "UPDATE_IN_PROGRESS", ""),
        step("Queue", "AWS::SQS::Queue", "UPDATE_FAILED", DENIED),
        step("Topic", "AWS::SNS::Topic", "UPDATE_FAILED", "Resource update cancelled"),
    ];
    let cause = stack_failed(&simulator, "UPDATE_ROLLBACK_COMPLETE", outer, Vec::new()).await;
    assert_eq!((cause.rule.as_str(), cause.seen_in.as_str()), ("permission-missing", "the stack's events"));
    assert!(cause.evidence.starts_with("Queue (AWS::SQS::Queue): "), "{cause:?}");
    simulator.assert_all_modelled();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stack_inside_a_stack_is_explained_by_its_own_event() {
    let simulator = with_stacks().await;
    let nested = "AWS::CloudFormation::Stack";
    let outer = vec![step("Data", nested, "UPDATE_FAILED", "Embedded stack was not successfully updated")];
    let inner = vec![step("Queue", "AWS::SQS::Queue", "UPDATE_FAILED", DENIED)];
    let cause = stack_failed(&simulator, "UPDATE_ROLLBACK_COMPLETE", outer, inner).await;
    assert_eq!(cause.rule, "permission-missing", "{cause:?}");
    assert!(cause.evidence.starts_with("Queue (AWS::SQS::Queue): "), "{cause:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stack_that_could_not_go_back_is_told_before_all_else() {
    let simulator = with_stacks().await;
    let outer = vec![step("Queue", "AWS::SQS::Queue", "UPDATE_FAILED", DENIED)];
    let cause = stack_failed(&simulator, "UPDATE_ROLLBACK_FAILED", outer, Vec::new()).await;
    assert_eq!(cause.rule, "stack-rollback-failed", "{cause:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stack_without_permission_is_said_to_be_closed() {
    let simulator = start().await;
    simulator.create_stack(Stack::new("orders").denied());
    let cause = stack_failed(&simulator, "UPDATE_ROLLBACK_COMPLETE", Vec::new(), Vec::new()).await;
    assert_eq!(cause.not_learnt.len(), 1, "{cause:?}");
    let said = &cause.not_learnt[0];
    assert!(said.contains("the stack's events") && said.contains("AWS says AccessDenied: "), "{said}");
}
