//! Pipelines: executions going through, waiting, overtaking; rolled back, stopped, retried.

use aws_sdk_codepipeline::error::ProvideErrorMetadata;
use aws_sdk_codepipeline::types::{
    ActionExecutionFilter, ExecutionMode as Mode, ExecutionType, PipelineExecutionFilter,
    PipelineExecutionStatus as Status, PipelineType, StageExecutionStatus, StageRetryMode,
    StageTransitionType, SucceededInStageFilter, TriggerType,
};

use super::clients::code_pipeline;
use super::{minutes, thursday};
use crate::{
    Action, ActionStatus, DeploymentStatus, ExecutionMode, ExecutionStatus, Fault, Group, Pipeline, Service,
    Simulator, Stage, Workload,
};

const UNKNOWN: &str = "00000000-1111-4222-8333-444444444444";

/// An ECS service at v1 behind a pipeline of three stages.
async fn released(change: impl FnOnce(Pipeline) -> Pipeline) -> Simulator {
    let simulator = Simulator::start(thursday()).await;
    simulator.create_group(Group::ecs("orders", "orders-prod"));
    let pipeline = Pipeline::v2("release")
        .stage(Stage::source("Source"))
        .stage(Stage::build("Build", 60))
        .stage(Stage::deploy("Production", "orders", "orders-prod"));
    simulator.create_pipeline(change(pipeline));
    simulator
}

async fn through(simulator: &Simulator, label: &str) -> String {
    let id = simulator.start_pipeline("release", label);
    simulator.advance(minutes(10)).await;
    assert_eq!(simulator.pipeline_execution(&id).status, ExecutionStatus::Succeeded);
    id
}

fn stage_status(simulator: &Simulator, id: &str, stage: &str) -> ExecutionStatus {
    simulator.pipeline_execution(id).stage(stage).unwrap().status
}

/// The code of the refusal with which an operation ends.
macro_rules! code {
    ($sent:expr) => {
        $sent.send().await.unwrap_err().code().unwrap().to_owned()
    };
}

#[tokio::test]
async fn an_execution_goes_through_its_stages_and_deploys() {
    let simulator = released(|pipeline| pipeline).await;
    let client = code_pipeline(&simulator).await;
    let pipeline = client.get_pipeline().name("release").send().await.unwrap().pipeline.unwrap();
    assert_eq!((pipeline.version(), pipeline.pipeline_type()), (Some(1), Some(&PipelineType::V2)));
    assert_eq!(pipeline.execution_mode(), Some(&Mode::Superseded));
    let id = simulator.start_pipeline("release", "v2");
    simulator.advance(std::time::Duration::from_secs(30)).await;
    assert_eq!(stage_status(&simulator, &id, "Source"), ExecutionStatus::Succeeded);
    assert_eq!(stage_status(&simulator, &id, "Build"), ExecutionStatus::InProgress);
    simulator.advance(minutes(1)).await;
    let state = client.get_pipeline_state().name("release").send().await.unwrap();
    let production = &state.stage_states()[2];
    assert_eq!(production.latest_execution().unwrap().pipeline_execution_id(), id);
    assert_eq!(production.latest_execution().unwrap().status(), &StageExecutionStatus::InProgress);
    let deployment = simulator.deployments("orders-prod").pop().unwrap();
    let action = production.action_states()[0].latest_execution().unwrap();
    assert_eq!(action.external_execution_id(), Some(deployment.id.as_str()));
    assert_eq!((deployment.label.as_str(), deployment.creator.as_str()), ("v2", "user"));
    simulator.advance(minutes(10)).await;
    assert_eq!(simulator.traffic("orders-prod").old_label, "v2");
    let shown = client.get_pipeline_execution().pipeline_name("release").pipeline_execution_id(&id);
    let shown = shown.send().await.unwrap().pipeline_execution.unwrap();
    assert_eq!(shown.status(), Some(&Status::Succeeded));
    assert_eq!(shown.execution_type(), Some(&ExecutionType::Standard));
    let filter = ActionExecutionFilter::builder().pipeline_execution_id(&id).build();
    let list = || client.list_action_executions().pipeline_name("release").filter(filter.clone());
    let first = list().max_results(2).send().await.unwrap();
    let stages: Vec<_> =
        first.action_execution_details().iter().map(|run| run.stage_name().unwrap()).collect();
    assert_eq!(stages, ["Production", "Build"]);
    let kind = first.action_execution_details()[0].input().unwrap().action_type_id().unwrap();
    assert_eq!(kind.provider(), "CodeDeployToECS");
    let rest = list().max_results(2).next_token(first.next_token().unwrap()).send().await.unwrap();
    assert_eq!(rest.action_execution_details().len(), 1);
    assert_eq!(rest.next_token(), None);
    simulator.assert_all_modelled();
}

#[tokio::test]
async fn a_failed_build_ends_the_execution_and_may_be_retried() {
    let simulator = released(|mut pipeline| {
        pipeline.stages[1] =
            Stage::build("Build", 60).beside(Action::build("Lint", 10)).with(Action::failing);
        pipeline
    })
    .await;
    let client = code_pipeline(&simulator).await;
    let id = simulator.start_pipeline("release", "v2");
    let retry = |stage: &str, mode: StageRetryMode| {
        client
            .retry_stage_execution()
            .pipeline_name("release")
            .stage_name(stage)
            .pipeline_execution_id(&id)
            .retry_mode(mode)
    };
    assert_eq!(code!(retry("Source", StageRetryMode::AllActions)), "StageNotRetryableException");
    simulator.advance(minutes(2)).await;
    assert_eq!(simulator.pipeline_execution(&id).status, ExecutionStatus::Failed);
    simulator.fail_action("release", "Lint", false);
    let answer = retry("Build", StageRetryMode::FailedActions).send().await.unwrap();
    assert_eq!(answer.pipeline_execution_id(), Some(id.as_str()));
    simulator.advance(minutes(1)).await;
    let build = simulator.pipeline_execution(&id).stage("Build").unwrap().clone();
    let names: Vec<_> = build.actions.iter().map(|run| (run.action.as_str(), run.status)).collect();
    assert_eq!(
        names,
        [
            ("Build", ActionStatus::Succeeded),
            ("Lint", ActionStatus::Failed),
            ("Lint", ActionStatus::Succeeded)
        ]
    );
    assert_eq!(simulator.pipeline_execution(&id).waiting, None);
    assert_eq!(code!(retry("Build", StageRetryMode::FailedActions)), "StageNotRetryableException");
    assert_eq!(code!(retry("Nowhere", StageRetryMode::FailedActions)), "StageNotFoundException");
    assert_eq!(code!(retry("Build", StageRetryMode::from("SOME"))), "ValidationException");
    simulator.advance(minutes(10)).await;
    let newer = through(&simulator, "v3").await;
    assert_ne!(newer, id);
    let late = retry("Build", StageRetryMode::FailedActions);
    assert_eq!(code!(late), "NotLatestPipelineExecutionException");
    simulator.keep_pipeline_busy("release", minutes(1));
    assert_eq!(code!(retry("Build", StageRetryMode::AllActions)), "ConflictException");
}

#[tokio::test]
async fn all_actions_may_be_retried_unless_the_pipeline_changed_or_is_full() {
    let simulator = released(|mut pipeline| {
        pipeline.mode = ExecutionMode::Queued;
        pipeline.stages[1] = Stage::build("Build", 10).then(Action::build("Lint", 10)).with(Action::failing);
        pipeline
    })
    .await;
    let client = code_pipeline(&simulator).await;
    let id = simulator.start_pipeline("release", "v2");
    simulator.advance(minutes(1)).await;
    let retry = || {
        client
            .retry_stage_execution()
            .pipeline_name("release")
            .stage_name("Build")
            .pipeline_execution_id(&id)
            .retry_mode(StageRetryMode::AllActions)
    };
    retry().send().await.unwrap();
    simulator.advance(minutes(1)).await;
    let runs = simulator.pipeline_execution(&id).stage("Build").unwrap().actions.len();
    assert_eq!(runs, 4);
    for _ in 0..50 {
        simulator.start_pipeline("release", "v3");
    }
    assert_eq!(code!(retry()), "ConcurrentPipelineExecutionsLimitExceededException");
    simulator.change_pipeline("release");
    assert_eq!(code!(retry()), "StageNotRetryableException");
}

#[tokio::test]
async fn a_newer_execution_overtakes_one_that_waits_but_not_in_queued_mode() {
    for (mode, second) in [
        (ExecutionMode::Superseded, ExecutionStatus::Superseded),
        (ExecutionMode::Queued, ExecutionStatus::InProgress),
    ] {
        let simulator = released(|pipeline| pipeline.mode(mode)).await;
        let first = simulator.start_pipeline("release", "v2");
        simulator.advance(std::time::Duration::from_secs(10)).await;
        let overtaken = simulator.start_pipeline("release", "v3");
        simulator.advance(std::time::Duration::from_secs(10)).await;
        // The build is locked by the first one, and the second one waits before it.
        assert_eq!(simulator.pipeline_execution(&overtaken).waiting.as_deref(), Some("Build"));
        let newest = simulator.start_pipeline("release", "v4");
        simulator.advance(std::time::Duration::from_secs(10)).await;
        assert_eq!(simulator.pipeline_execution(&overtaken).status, second, "{mode:?}");
        assert_eq!(stage_status(&simulator, &first, "Build"), ExecutionStatus::InProgress);
        assert_eq!(simulator.pipeline_execution(&newest).waiting.as_deref(), Some("Build"));
        simulator.advance(minutes(30)).await;
        assert_eq!(simulator.pipeline_execution(&first).status, ExecutionStatus::Succeeded);
        assert_eq!(simulator.pipeline_execution(&newest).status, ExecutionStatus::Succeeded);
        assert_eq!(simulator.traffic("orders-prod").old_label, "v4");
    }
}

#[tokio::test]
async fn parallel_executions_do_not_wait_for_each_other() {
    let simulator = released(|pipeline| pipeline.mode(ExecutionMode::Parallel)).await;
    let client = code_pipeline(&simulator).await;
    let ids = [simulator.start_pipeline("release", "v2"), simulator.start_pipeline("release", "v3")];
    simulator.advance(std::time::Duration::from_secs(30)).await;
    for id in &ids {
        assert_eq!(stage_status(&simulator, id, "Build"), ExecutionStatus::InProgress);
    }
    let state = client.get_pipeline_state().name("release").send().await.unwrap();
    assert!(state.stage_states().iter().all(|stage| stage.latest_execution().is_none()));
}

#[tokio::test]
async fn an_approval_waits_for_a_person() {
    let simulator = Simulator::start(thursday()).await;
    let pipeline = Pipeline::v2("release")
        .stage(Stage::source("Source"))
        .stage(Stage::approval("Approve"))
        .stage(Stage::deploy_for("Production", 60));
    simulator.create_pipeline(pipeline);
    let client = code_pipeline(&simulator).await;
    let id = simulator.start_pipeline("release", "v2");
    simulator.advance(minutes(60)).await;
    assert_eq!(stage_status(&simulator, &id, "Approve"), ExecutionStatus::InProgress);
    let state = client.get_pipeline_state().name("release").send().await.unwrap();
    let waiting = state.stage_states()[1].action_states()[0].latest_execution().unwrap();
    assert!(waiting.token().is_some());
    simulator.approve("release", "Approve", true, "go");
    simulator.advance(minutes(2)).await;
    assert_eq!(simulator.pipeline_execution(&id).status, ExecutionStatus::Succeeded);
    let rejected = simulator.start_pipeline("release", "v3");
    simulator.advance(minutes(1)).await;
    simulator.approve("release", "Approve", false, "not today");
    assert_eq!(simulator.pipeline_execution(&rejected).status, ExecutionStatus::Failed);
    let forgotten = simulator.start_pipeline("release", "v4");
    simulator.step(minutes(7 * 24 * 60 + 1));
    assert_eq!(simulator.pipeline_execution(&forgotten).status, ExecutionStatus::Failed);
}

#[tokio::test]
async fn a_deployment_without_codedeploy_may_move_users() {
    let simulator = Simulator::start(thursday()).await;
    simulator.create_group(Group::ecs("orders", "orders-prod"));
    simulator.set_workload("orders-prod", Workload::steady(60.0));
    let deploy = Action::deploy_for("Production", 60).serving("orders-prod").failing_for("v3");
    let pipeline =
        Pipeline::v1("release").stage(Stage::source("Source")).stage(Stage::of("Production", deploy));
    simulator.create_pipeline(pipeline);
    simulator.start_pipeline("release", "v2");
    simulator.advance(minutes(2)).await;
    assert_eq!(simulator.traffic("orders-prod").old_label, "v2");
    let bad = simulator.start_pipeline("release", "v3");
    simulator.advance(minutes(2)).await;
    assert_eq!(simulator.pipeline_execution(&bad).status, ExecutionStatus::Failed);
    assert_eq!(simulator.traffic("orders-prod").old_label, "v2");
}

#[tokio::test]
async fn a_stage_is_rolled_back_to_an_execution_that_succeeded_in_it() {
    let simulator = released(|pipeline| pipeline).await;
    let client = code_pipeline(&simulator).await;
    let good = through(&simulator, "v2").await;
    let bad = through(&simulator, "v3").await;
    let roll_back = |stage: &str, target: &str| {
        client
            .rollback_stage()
            .pipeline_name("release")
            .stage_name(stage)
            .target_pipeline_execution_id(target)
    };
    let id = roll_back("Production", &good).send().await.unwrap().pipeline_execution_id;
    assert!(id != good && id != bad);
    simulator.advance(std::time::Duration::from_secs(5)).await;
    assert_eq!(code!(roll_back("Production", &good)), "UnableToRollbackStageException", "it is running");
    simulator.advance(minutes(10)).await;
    let undone = simulator.pipeline_execution(&id);
    assert_eq!(undone.status, ExecutionStatus::Succeeded);
    assert_eq!((undone.label.as_str(), undone.target.as_deref()), ("v2", Some(good.as_str())));
    assert_eq!(undone.stages.len(), 1);
    let deployment = simulator.deployments("orders-prod").pop().unwrap();
    assert_eq!((deployment.label.as_str(), deployment.status), ("v2", DeploymentStatus::Succeeded));
    assert_eq!((deployment.creator.as_str(), deployment.rolls_back), ("user", None));
    assert_eq!(simulator.traffic("orders-prod").old_label, "v2");
    let stage = SucceededInStageFilter::builder().stage_name("Production").build();
    let filter = PipelineExecutionFilter::builder().succeeded_in_stage(stage).build();
    let list = || client.list_pipeline_executions().pipeline_name("release").filter(filter.clone());
    let listed = list().send().await.unwrap();
    let summaries = listed.pipeline_execution_summaries();
    let ids: Vec<_> = summaries.iter().map(|summary| summary.pipeline_execution_id().unwrap()).collect();
    assert_eq!(ids, [&id, &bad, &good]);
    assert_eq!(summaries[0].execution_type(), Some(&ExecutionType::Rollback));
    assert_eq!(summaries[0].trigger().unwrap().trigger_type(), Some(&TriggerType::ManualRollback));
    let metadata = summaries[0].rollback_metadata().unwrap();
    assert_eq!(metadata.rollback_target_pipeline_execution_id(), Some(good.as_str()));
    assert_eq!(summaries[1].source_revisions()[0].revision_summary(), Some("Release v3"));
    // Refusals.
    assert_eq!(code!(roll_back("Source", &good)), "UnableToRollbackStageException");
    assert_eq!(code!(roll_back("Production", &id)), "UnableToRollbackStageException", "a rollback");
    assert_eq!(code!(roll_back("Nowhere", &good)), "StageNotFoundException");
    assert_eq!(code!(roll_back("Production", UNKNOWN)), "PipelineExecutionNotFoundException");
    assert_eq!(code!(roll_back("Production", "v2")), "ValidationException");
    assert_eq!(code!(roll_back("", &good)), "ValidationException");
    assert_eq!(code!(roll_back("Production", &good).pipeline_name("none")), "PipelineNotFoundException");
    simulator.outdate_execution(&good);
    assert_eq!(code!(roll_back("Production", &good)), "PipelineExecutionOutdatedException");
    simulator.keep_pipeline_busy("release", minutes(1));
    let busy = roll_back("Production", &bad).send().await.unwrap_err();
    assert_eq!(
        (busy.code(), busy.raw_response().unwrap().status().as_u16()),
        (Some("ConflictException"), 409)
    );
    simulator.advance(minutes(2)).await;
    // A change of the structure makes everything before it nothing to go back to.
    simulator.change_pipeline("release");
    assert!(list().send().await.unwrap().pipeline_execution_summaries().is_empty());
    assert_eq!(code!(roll_back("Production", &bad)), "UnableToRollbackStageException");
    assert_eq!(simulator.effects("RollbackStage").len(), 1);
}

#[tokio::test]
async fn some_pipelines_and_some_targets_cannot_be_rolled_back() {
    for change in [(|pipeline| Pipeline { v2: false, ..pipeline }) as fn(Pipeline) -> Pipeline, |pipeline| {
        pipeline.mode(ExecutionMode::Parallel)
    }] {
        let simulator = released(change).await;
        let client = code_pipeline(&simulator).await;
        let good = through(&simulator, "v2").await;
        let sent = client.rollback_stage().pipeline_name("release").stage_name("Production");
        assert_eq!(code!(sent.target_pipeline_execution_id(good)), "UnableToRollbackStageException");
    }
    let simulator = released(|pipeline| pipeline).await;
    let client = code_pipeline(&simulator).await;
    simulator.fail_action("release", "Build", true);
    let failed = simulator.start_pipeline("release", "v2");
    simulator.advance(minutes(5)).await;
    let sent = client.rollback_stage().pipeline_name("release").stage_name("Production");
    assert_eq!(code!(sent.target_pipeline_execution_id(failed)), "UnableToRollbackStageException");
}

/// A Lambda AppSpec names the version that the alias must serve: replayed word for word, it fails.
#[tokio::test]
async fn a_replayed_app_spec_fails_on_lambda_unless_the_stage_writes_it_afresh() {
    for (fresh, end) in [(false, ExecutionStatus::Failed), (true, ExecutionStatus::Succeeded)] {
        let simulator = Simulator::start(thursday()).await;
        simulator.create_group(Group::lambda("orders", "orders-prod"));
        let deploy = Stage::deploy("Production", "orders", "orders-prod");
        let deploy = if fresh { deploy.with(Action::fresh_app_spec) } else { deploy };
        simulator.create_pipeline(Pipeline::v2("release").stage(Stage::source("Source")).stage(deploy));
        let client = code_pipeline(&simulator).await;
        let good = through(&simulator, "v2").await;
        through(&simulator, "v3").await;
        let sent = client.rollback_stage().pipeline_name("release").stage_name("Production");
        let id = sent.target_pipeline_execution_id(good).send().await.unwrap().pipeline_execution_id;
        simulator.advance(minutes(10)).await;
        assert_eq!(simulator.pipeline_execution(&id).status, end);
    }
}

#[tokio::test]
async fn a_stop_waits_for_the_actions_or_abandons_them_while_the_deployment_goes_on() {
    let simulator = released(|pipeline| pipeline).await;
    let client = code_pipeline(&simulator).await;
    let stop = |id: &str, abandon: bool| {
        client.stop_pipeline_execution().pipeline_name("release").pipeline_execution_id(id).abandon(abandon)
    };
    let id = simulator.start_pipeline("release", "v2");
    simulator.advance(std::time::Duration::from_secs(30)).await;
    stop(&id, false).reason("a look first").send().await.unwrap();
    assert_eq!(simulator.pipeline_execution(&id).status, ExecutionStatus::Stopping);
    assert_eq!(code!(stop(&id, false)), "DuplicatedStopRequestException");
    simulator.advance(minutes(1)).await;
    let stopped = simulator.pipeline_execution(&id);
    assert_eq!((stopped.status, stopped.stages.len()), (ExecutionStatus::Stopped, 2));
    assert_eq!(stopped.stages[1].actions[0].status, ActionStatus::Succeeded);
    assert_eq!(code!(stop(&id, true)), "PipelineExecutionNotStoppableException");
    let listed = client.list_pipeline_executions().pipeline_name("release").send().await.unwrap();
    let trigger = listed.pipeline_execution_summaries()[0].stop_trigger().unwrap();
    assert_eq!(trigger.reason(), Some("a look first"));
    let id = simulator.start_pipeline("release", "v3");
    simulator.advance(minutes(1) + std::time::Duration::from_secs(15)).await;
    let deployment = simulator.deployments("orders-prod").pop().unwrap();
    stop(&id, false).send().await.unwrap();
    stop(&id, true).send().await.unwrap();
    let stopped = simulator.pipeline_execution(&id);
    assert_eq!(stopped.status, ExecutionStatus::Stopped);
    assert_eq!(stopped.stages[2].actions[0].status, ActionStatus::Abandoned);
    assert_eq!(simulator.deployment(&deployment.id).status, DeploymentStatus::InProgress);
    simulator.advance(minutes(10)).await;
    assert_eq!(simulator.deployment(&deployment.id).status, DeploymentStatus::Succeeded);
    assert_eq!(simulator.traffic("orders-prod").old_label, "v3");
    assert_eq!(code!(stop(UNKNOWN, true)), "PipelineExecutionNotStoppableException");
    assert_eq!(code!(stop(UNKNOWN, true).pipeline_name("none")), "PipelineNotFoundException");
    assert_eq!(code!(stop(UNKNOWN, true).reason("x".repeat(201))), "ValidationException");
    simulator.keep_pipeline_busy("release", minutes(1));
    assert_eq!(code!(stop(&id, true)), "ConflictException");
}

#[tokio::test]
async fn a_closed_transition_holds_executions_until_it_is_opened() {
    let simulator = released(|pipeline| pipeline).await;
    let client = code_pipeline(&simulator).await;
    let close = |reason: &str| {
        client
            .disable_stage_transition()
            .pipeline_name("release")
            .stage_name("Production")
            .transition_type(StageTransitionType::Inbound)
            .reason(reason)
    };
    for bad in ["", "alarm: orders", "a_b", "a/b", "a,b", "it's", "a\nb", &"x".repeat(301)] {
        assert_eq!(code!(close(bad)), "ValidationException", "{bad:?}");
    }
    assert_eq!(code!(close("x").stage_name("Nowhere")), "StageNotFoundException");
    assert_eq!(code!(close("x").pipeline_name("none")), "PipelineNotFoundException");
    close("belay! alarm orders-5xx (2 of 3)?").send().await.unwrap();
    close("belay. again").send().await.unwrap();
    let first = simulator.start_pipeline("release", "v2");
    simulator.advance(minutes(5)).await;
    let second = simulator.start_pipeline("release", "v3");
    simulator.advance(minutes(5)).await;
    assert_eq!(simulator.pipeline_execution(&first).status, ExecutionStatus::Superseded);
    let state = client.get_pipeline_state().name("release").send().await.unwrap();
    let production = &state.stage_states()[2];
    assert_eq!(production.inbound_executions()[0].pipeline_execution_id(), second);
    let transition = production.inbound_transition_state().unwrap();
    assert_eq!((transition.enabled(), transition.disabled_reason()), (false, Some("belay. again")));
    // An execution that waits can be stopped, and is so at once.
    let stop = client.stop_pipeline_execution().pipeline_name("release").pipeline_execution_id(&second);
    stop.send().await.unwrap();
    assert_eq!(simulator.pipeline_execution(&second).status, ExecutionStatus::Stopped);
    let third = simulator.start_pipeline("release", "v4");
    simulator.advance(minutes(5)).await;
    // The inbound transition of a stage is the outbound one of the stage before it.
    let open = client.enable_stage_transition().pipeline_name("release").stage_name("Build");
    open.transition_type(StageTransitionType::Outbound).send().await.unwrap();
    assert_eq!(simulator.closed_transition("release", "Production"), None);
    simulator.advance(minutes(10)).await;
    assert_eq!(simulator.pipeline_execution(&third).status, ExecutionStatus::Succeeded);
    let open = client.enable_stage_transition().pipeline_name("release").stage_name("Build");
    assert_eq!(code!(open.transition_type("Sideways".into())), "ValidationException");
}

#[tokio::test]
async fn what_is_not_there_is_named() {
    let simulator = released(|pipeline| pipeline).await;
    let client = code_pipeline(&simulator).await;
    assert_eq!(code!(client.get_pipeline().name("none")), "PipelineNotFoundException");
    assert_eq!(code!(client.get_pipeline().name("no spaces")), "ValidationException");
    assert_eq!(code!(client.get_pipeline_state().name("none")), "PipelineNotFoundException");
    let one = || client.get_pipeline_execution().pipeline_name("release");
    assert_eq!(code!(one().pipeline_execution_id(UNKNOWN)), "PipelineExecutionNotFoundException");
    assert_eq!(code!(one().pipeline_execution_id(UNKNOWN.to_uppercase() + "A")), "ValidationException");
    let list = || client.list_pipeline_executions().pipeline_name("release");
    assert_eq!(code!(list().pipeline_name("none")), "PipelineNotFoundException");
    assert_eq!(code!(list().next_token("elsewhere")), "InvalidNextTokenException");
    assert_eq!(code!(list().max_results(101)), "ValidationException");
    let actions = || client.list_action_executions().pipeline_name("release");
    assert_eq!(code!(actions().pipeline_name("none")), "PipelineNotFoundException");
    assert_eq!(code!(actions().next_token("elsewhere")), "InvalidNextTokenException");
    let filter = ActionExecutionFilter::builder().pipeline_execution_id(UNKNOWN).build();
    assert_eq!(code!(actions().filter(filter)), "PipelineExecutionNotFoundException");
}

#[tokio::test]
async fn faults_strike_pipelines_too_and_the_journal_knows() {
    let simulator = released(|pipeline| pipeline).await;
    let client = code_pipeline(&simulator).await;
    let good = through(&simulator, "v2").await;
    through(&simulator, "v3").await;
    simulator.fault("GetPipeline", Fault::Throttle, 1);
    assert_eq!(code!(client.get_pipeline().name("release")), "ThrottlingException");
    simulator.fault("GetPipeline", Fault::InternalError, 1);
    assert_eq!(code!(client.get_pipeline().name("release")), "InternalFailure");
    simulator.fault("RollbackStage", Fault::TimeoutAfterEffect, 1);
    let sent = client.rollback_stage().pipeline_name("release").stage_name("Production");
    assert!(sent.target_pipeline_execution_id(good).send().await.is_err());
    assert_eq!(simulator.pipeline_executions("release").len(), 3);
    let calls = simulator.journal();
    assert!(calls.iter().all(|call| call.service == Service::CodePipeline));
    assert!(calls[2].changed);
    assert_eq!(calls[2].input["stageName"], "Production");
    // What is not modelled is said, not ignored.
    assert!(client.list_pipelines().send().await.is_err());
    assert_eq!(simulator.acknowledge_unmodelled(), ["CodePipeline ListPipelines"]);
}
