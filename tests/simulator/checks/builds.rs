//! Builds and their logs, and the actions that fail with them.

use aws_sdk_cloudwatchlogs::error::ProvideErrorMetadata;
use aws_sdk_codebuild::types::{BuildPhaseType, StatusType};
use aws_sdk_codepipeline::types::{ActionExecutionFilter, StageRetryMode};
use serde_json::Value;

use super::clients::{code_pipeline, config};
use super::{minutes, thursday};
use crate::{
    Action, Break, Cause, Commit, ExecutionStatus, FailedBuild, LogLine, Pipeline, Service, Simulator, Stage,
};

const WHY: &str = "Error while executing command: npm test. Reason: exit status 1";

async fn released() -> Simulator {
    let simulator = Simulator::start(thursday()).await;
    simulator.create_pipeline(
        Pipeline::v2("release")
            .stage(Stage::connection("Source"))
            .stage(Stage::build("Build", 60))
            .stage(Stage::of("Warm", Action::invoke("Warm", 10, "warm-up")))
            .stage(Stage::deploy_for("Production", 60)),
    );
    simulator
}

fn failing() -> FailedBuild {
    FailedBuild::of("checkout-build", "BUILD", "COMMAND_EXECUTION_ERROR", WHY).log([
        LogLine::of("> checkout@1.0.0 test"),
        LogLine::repeated("  ok", 3),
        LogLine::of("1) adds the tax: expected 19 to equal 7"),
    ])
}

async fn builds(simulator: &Simulator) -> aws_sdk_codebuild::Client {
    aws_sdk_codebuild::Client::new(&config(simulator).await)
}

async fn logs(simulator: &Simulator) -> aws_sdk_cloudwatchlogs::Client {
    aws_sdk_cloudwatchlogs::Client::new(&config(simulator).await)
}

fn details(simulator: &Simulator, kind: &str, state: &str) -> Vec<Value> {
    let kind = format!("CodePipeline {kind} Execution State Change");
    simulator
        .announced()
        .into_iter()
        .map(|(event, _)| event)
        .filter(|event| event["detail-type"] == kind && event["detail"]["state"] == state)
        .map(|mut event| event["detail"].take())
        .collect()
}

#[tokio::test]
async fn a_broken_build_fails_its_action_and_is_mended_by_a_retry() {
    let simulator = released().await;
    let (client, builds) = (code_pipeline(&simulator).await, builds(&simulator).await);
    simulator.break_stage("release", Break::of("Build", Cause::Build(failing())).times(1));
    let id = simulator.start_pipeline("release", "v2");
    simulator.advance(minutes(2)).await;
    assert_eq!(simulator.pipeline_execution(&id).status, ExecutionStatus::Failed);
    let filter = ActionExecutionFilter::builder().pipeline_execution_id(&id).build();
    let list = || client.list_action_executions().pipeline_name("release").filter(filter.clone()).send();
    let runs = list().await.unwrap();
    let run = &runs.action_execution_details()[0];
    let configuration = run.input().unwrap().configuration().unwrap();
    assert_eq!(configuration["ProjectName"], "checkout-build");
    let result = run.output().unwrap().execution_result().unwrap();
    let build_id = result.external_execution_id().unwrap();
    assert!(build_id.starts_with("checkout-build:"), "{build_id}");
    assert!(result.external_execution_url().unwrap().contains(build_id));
    let error = result.error_details().unwrap();
    let said = format!(
        "Build terminated with state: FAILED. Phase: BUILD, Code: COMMAND_EXECUTION_ERROR, Message: {WHY}"
    );
    assert_eq!((error.code(), error.message()), (Some("JobFailed"), Some(said.as_str())));
    // Words of actions, stages and the pipeline, in this order, and numbers as floats.
    let failed = details(&simulator, "Action", "FAILED").remove(0);
    assert_eq!(failed["execution-result"]["external-execution-id"], build_id);
    assert_eq!(failed["execution-result"]["external-execution-summary"], said);
    assert_eq!(failed["execution-result"]["error-code"], "JobFailed");
    assert!(failed["version"].is_f64() && failed["pipeline-execution-attempt"] == 1.0, "{failed}");
    let words: Vec<String> = simulator
        .announced()
        .iter()
        .filter(|(event, _)| event["detail"]["state"] == "FAILED")
        .map(|(event, _)| event["detail-type"].as_str().unwrap().split(' ').nth(1).unwrap().to_owned())
        .collect();
    assert_eq!(words, ["Action", "Stage", "Pipeline"]);
    let shown = builds.batch_get_builds().ids(build_id).ids("checkout-build:no-such").send().await.unwrap();
    assert_eq!(shown.builds_not_found(), ["checkout-build:no-such"]);
    let build = &shown.builds()[0];
    assert_eq!(build.build_status(), Some(&StatusType::Failed));
    assert_eq!((build.initiator(), build.build_number()), (Some("codepipeline/release"), Some(1)));
    assert!(build.build_complete() && build.vpc_config().is_none());
    let failed: Vec<_> = build
        .phases()
        .iter()
        .filter(|phase| phase.phase_status() == Some(&StatusType::Failed))
        .map(|phase| (phase.phase_type().unwrap(), phase.contexts()[0].status_code().unwrap()))
        .collect();
    assert_eq!(failed, [(&BuildPhaseType::Build, "COMMAND_EXECUTION_ERROR")]);
    assert_eq!(build.phases().last().unwrap().phase_type(), Some(&BuildPhaseType::Completed));
    let by_arn = builds.batch_get_builds().ids(build.arn().unwrap()).send().await.unwrap();
    assert_eq!(by_arn.builds()[0].id(), Some(build_id));

    let retry = client.retry_stage_execution().pipeline_name("release").stage_name("Build");
    let retry = retry.pipeline_execution_id(&id).retry_mode(StageRetryMode::FailedActions);
    retry.send().await.unwrap();
    simulator.advance(minutes(5)).await;
    assert_eq!(simulator.pipeline_execution(&id).status, ExecutionStatus::Succeeded);
    let again = list().await.unwrap();
    let runs: Vec<_> =
        again.action_execution_details().iter().filter(|run| run.stage_name() == Some("Build")).collect();
    assert_eq!(runs.len(), 2);
    assert_ne!(runs[0].action_execution_id(), runs[1].action_execution_id());
    let newer = runs[0].output().unwrap().execution_result().unwrap();
    assert_ne!(newer.external_execution_id(), Some(build_id));
    assert!(newer.error_details().is_none());
    assert_eq!(details(&simulator, "Pipeline", "RESUMED").len(), 1);
    let succeeded = details(&simulator, "Stage", "SUCCEEDED");
    let build = succeeded.iter().find(|detail| detail["stage"] == "Build").unwrap();
    assert_eq!(build["pipeline-execution-attempt"], 2.0);
}

#[tokio::test]
async fn a_build_goes_through_its_phases_and_writes_its_log() {
    let simulator = released().await;
    let (builds, logs) = (builds(&simulator).await, logs(&simulator).await);
    simulator.break_stage("release", Break::of("Build", Cause::Build(failing())));
    let id = simulator.start_pipeline("release", "v2");
    simulator.advance(std::time::Duration::from_secs(10)).await;
    let build_id = simulator.pipeline_execution(&id).stage("Build").unwrap().actions[0].external.clone();
    let build_id = build_id.unwrap();
    let shown = || builds.batch_get_builds().ids(&build_id).send();
    // A container is being made: there is no log and no name of it.
    let early = shown().await.unwrap().builds()[0].clone();
    assert_eq!(early.build_status(), Some(&StatusType::InProgress));
    assert_eq!(early.current_phase(), Some("PROVISIONING"));
    assert_eq!((early.logs().unwrap().group_name(), early.end_time()), (None, None));
    assert!(early.logs().unwrap().deep_link().unwrap().ends_with("#logEvent:group=null;stream=null"));
    let stream = build_id.split(':').nth(1).unwrap();
    let page =
        || logs.get_log_events().log_group_name("/aws/codebuild/checkout-build").log_stream_name(stream);
    let missing = page().send().await.unwrap_err();
    assert_eq!(missing.code(), Some("ResourceNotFoundException"));
    simulator.advance(minutes(2)).await;
    let late = shown().await.unwrap().builds()[0].clone();
    let named = late.logs().unwrap();
    assert_eq!(named.group_name(), Some("/aws/codebuild/checkout-build"));
    assert_eq!(named.stream_name(), Some(stream));
    let all = page().start_from_head(true).send().await.unwrap();
    let texts: Vec<&str> = all.events().iter().map(|event| event.message().unwrap()).collect();
    assert!(texts.iter().all(|text| text.ends_with('\n')));
    let place = |wanted: &str| texts.iter().position(|text| text.contains(wanted)).unwrap();
    assert!(place("Entering phase BUILD") < place("adds the tax"));
    assert!(place("adds the tax") < place("Phase complete: BUILD State: FAILED"));
    let context = format!("Phase context status code: COMMAND_EXECUTION_ERROR Message: {WHY}");
    assert!(place(&context) < place("Entering phase POST_BUILD"));
    assert_eq!(texts.iter().filter(|text| **text == "  ok\n").count(), 3);
    let times: Vec<i64> = all.events().iter().map(|event| event.timestamp().unwrap()).collect();
    assert!(times.is_sorted());
    let calls = simulator.calls("GetLogEvents");
    assert!(calls.iter().all(|call| call.service == Service::Logs && !call.changed));
    assert!(simulator.calls("BatchGetBuilds").iter().all(|call| call.service == Service::CodeBuild));
}

#[tokio::test]
async fn builds_of_a_year_ago_and_logs_that_are_not_there_yet() {
    let simulator = released().await;
    let (builds, logs) = (builds(&simulator).await, logs(&simulator).await);
    let old = simulator.add_failed_build(FailedBuild { year_old: true, ..failing() });
    let silent = simulator.add_failed_build(FailedBuild {
        no_log_yet: true,
        vpc: Some("vpc-1".to_owned()),
        ..failing()
    });
    let shown = builds.batch_get_builds().ids(&old).ids(&silent).send().await.unwrap();
    assert_eq!(shown.builds_not_found(), [old]);
    let build = &shown.builds()[0];
    assert_eq!(build.vpc_config().unwrap().vpc_id(), Some("vpc-1"));
    let named = build.logs().unwrap();
    let page = logs.get_log_events().log_group_name(named.group_name().unwrap());
    let page = page.log_stream_name(named.stream_name().unwrap()).send().await.unwrap_err();
    assert_eq!(page.code(), Some("ResourceNotFoundException"));
    assert!(builds.batch_get_builds().set_ids(Some(Vec::new())).send().await.is_err());
    simulator.world().now += jiff::SignedDuration::from_hours(24 * 366);
    let shown = builds.batch_get_builds().ids(&silent).send().await.unwrap();
    assert_eq!(shown.builds_not_found(), [silent]);
}

#[tokio::test]
async fn what_codepipeline_knows_by_itself_begins_nothing() {
    let simulator = released().await;
    let client = code_pipeline(&simulator).await;
    let denied = "The service role or action role doesn't have the permissions required";
    simulator
        .break_stage("release", Break::of("Build", Cause::Action).times(1).saying("PermissionError", denied));
    let first = simulator.start_pipeline("release", "v2");
    simulator.advance(minutes(1)).await;
    let state = client.get_pipeline_state().name("release").send().await.unwrap();
    let run = state.stage_states()[1].action_states()[0].latest_execution().unwrap();
    assert_eq!((run.external_execution_id(), run.summary()), (None, None));
    let error = run.error_details().unwrap();
    assert_eq!((error.code(), error.message()), (Some("PermissionError"), Some(denied)));
    let failed = details(&simulator, "Action", "FAILED").remove(0);
    assert_eq!(failed["execution-result"]["error-code"], "PermissionError");
    assert_eq!(simulator.pipeline_execution(&first).status, ExecutionStatus::Failed);

    let cause = Cause::Function { name: "warm-up".to_owned(), message: "cold".to_owned() };
    simulator.break_stage("release", Break::of("Warm", cause));
    let cause =
        Cause::Stack { name: "checkout-prod".to_owned(), status: "UPDATE_ROLLBACK_FAILED".to_owned() };
    simulator.break_stage("release", Break::of("Production", cause));
    simulator.start_pipeline("release", "v3");
    simulator.advance(minutes(5)).await;
    simulator.mend_stage("release", "Warm");
    let last = simulator.start_pipeline("release", "v4");
    simulator.advance(minutes(5)).await;
    let all = client.list_action_executions().pipeline_name("release").send().await.unwrap();
    let of = |stage: &str| {
        all.action_execution_details().iter().find(|run| run.stage_name() == Some(stage)).unwrap()
    };
    let production = of("Production");
    assert_eq!(production.pipeline_execution_id(), Some(last.as_str()));
    let result = production.output().unwrap().execution_result().unwrap();
    let arn = result.external_execution_id().unwrap();
    assert!(arn.starts_with("arn:aws:cloudformation:us-east-1:123456789012:stack/checkout-prod/"));
    assert_eq!(production.input().unwrap().configuration().unwrap()["StackName"], "checkout-prod");
    let warm = of("Warm").input().unwrap();
    let kind = warm.action_type_id().unwrap();
    assert_eq!((kind.category().as_str(), kind.provider()), ("Invoke", "Lambda"));
    assert_eq!(warm.configuration().unwrap()["FunctionName"], "warm-up");
    let cold = details(&simulator, "Action", "FAILED");
    assert!(cold.iter().any(|detail| detail["execution-result"]["external-execution-summary"] == "cold"));
}

#[tokio::test]
async fn a_push_tells_who_wrote_what_and_when() {
    let simulator = released().await;
    let client = code_pipeline(&simulator).await;
    let commit = Commit {
        message: Some("Lower the tax\n\nAs asked.".to_owned()),
        author: Some("Anna".to_owned()),
        date: Some("2026-03-04T09:00:00Z".parse().unwrap()),
        ..Commit::default()
    };
    let id = simulator.start_pipeline_with("release", "v2", commit);
    simulator.advance(minutes(5)).await;
    let filter = ActionExecutionFilter::builder().pipeline_execution_id(&id).build();
    let list = client.list_action_executions().pipeline_name("release").filter(filter);
    let runs = list.send().await.unwrap();
    let source = runs.action_execution_details().last().unwrap();
    let variables = source.output().unwrap().output_variables().unwrap();
    assert_eq!(variables["CommitMessage"], "Lower the tax\n\nAs asked.");
    assert_eq!(
        (variables["AuthorDisplayName"].as_str(), variables["AuthorDate"].as_str()),
        ("Anna", "2026-03-04T09:00:00Z")
    );
    assert_eq!(variables["CommitId"].len(), 40);
    let listed = client.list_pipeline_executions().pipeline_name("release").send().await.unwrap();
    let revision = &listed.pipeline_execution_summaries()[0].source_revisions()[0];
    let summary: Value = serde_json::from_str(revision.revision_summary().unwrap()).unwrap();
    assert_eq!(summary["CommitMessage"], "Lower the tax");
    let started = details(&simulator, "Pipeline", "STARTED").remove(0);
    assert_eq!(started["execution-trigger"]["trigger-type"], "WebhookV2");
    let ended = details(&simulator, "Pipeline", "SUCCEEDED").remove(0);
    assert_eq!(ended["execution-trigger"]["author-display-name"], "Anna");
    assert_eq!(ended["execution-trigger"]["commit-id"], variables["CommitId"].as_str());
}
