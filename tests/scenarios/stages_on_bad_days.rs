//! Stages of pipelines in the ways that things go at three in the morning: several alarms, somebody who was first, who runs
//! it again, or waits in it.

use aws_sdk_codepipeline::types::{StageRetryMode, StageTransitionType};
use belay::policy::Policy;
use belay_tests::{
    Action, AlarmState, Break, Cause, DeliverySettings, Diagnosed, ExecutionMode, FailedDeployment, Fault,
    Group, Pipeline, Simulator, Stage, stage::functions,
};
use jiff::SignedDuration;
use serde_json::Value;

use crate::{
    a_release_is_guarded::canary,
    pipelines_are_guarded::{Line, STAGE, by_itself},
};

fn both() -> String {
    format!("{STAGE}, {{ codedeploy: {{ application: orders, deployment_group: prod }} }}")
}

fn ecs() -> Group {
    Group::ecs("orders", "prod").shifting(canary()).baseline("v0")
}

fn production() -> Stage {
    Stage::deploy("Production", "orders", "prod")
}

fn count(line: &Line, words: &str) -> usize {
    line.told().iter().filter(|told| told.contains(words)).count()
}

fn nothing(line: &Line, operation: &str) {
    assert_eq!(line.simulator.effects(operation), Vec::<Value>::new(), "{operation}");
}

/// CodePipeline, asked by a person.
fn by_hand(simulator: &Simulator) -> aws_sdk_codepipeline::Client {
    aws_sdk_codepipeline::Client::new(&functions::sdk_config(&simulator.endpoint(), "a-person"))
}

/// The execution that is in the stage Production.
fn newest(line: &Line) -> String {
    line.simulator.pipeline_executions("release").last().unwrap().id.clone()
}

#[tokio::test]
async fn a_second_alarm_does_not_take_back_in_the_stage_what_is_taken_back_in_its_group() {
    let line = Line::of(production(), &both(), Some(ecs())).await;
    line.simulator.start_pipeline("release", "v2");
    line.minutes(3).await;
    line.red();
    line.minutes(2).await;
    // CodeDeploy goes back, so that the group's newest deployment is none of the stage's any more.
    line.goes("orders-latency", AlarmState::Alarm);
    line.minutes(30).await;
    assert_eq!(line.simulator.effects("StopDeployment").len(), 1);
    nothing(&line, "RollbackStage");
    assert_eq!(count(&line, "taking back"), 1, "{:#?}", line.told());
    assert_eq!(line.simulator.traffic("prod").old_label, "v1");
}

#[tokio::test]
async fn what_codedeploy_takes_back_by_itself_is_not_taken_back_in_the_stage_as_well() {
    let group = ecs().alarms(&["its-own"]).auto_rollback(&["DEPLOYMENT_STOP_ON_ALARM"]);
    let line = Line::of(production(), STAGE, Some(group)).await;
    line.simulator.start_pipeline("release", "v2");
    line.minutes(3).await;
    line.goes("its-own", AlarmState::Alarm);
    line.minutes(1).await;
    line.red();
    line.minutes(30).await;
    nothing(&line, "RollbackStage");
    assert_eq!(count(&line, "taking back"), 0, "{:#?}", line.told());
    // And an alarm that goes off after that is not passed over in silence.
    line.says("A rollback is never rolled back");
    assert_eq!(line.simulator.traffic("prod").old_label, "v1");
}

#[tokio::test]
async fn the_pipelines_own_rollback_is_not_rolled_back_in_its_group() {
    let line = Line::of(production(), &both(), Some(ecs())).await;
    let good = newest(&line);
    line.simulator.start_pipeline("release", "v2");
    line.minutes(60).await;
    let back = by_hand(&line.simulator)
        .rollback_stage()
        .pipeline_name("release")
        .stage_name("Production")
        .target_pipeline_execution_id(good)
        .send();
    back.await.unwrap();
    line.minutes(3).await;
    line.red();
    line.minutes(10).await;
    // It would have gone back to what was last successful: the release that is being taken back.
    nothing(&line, "StopDeployment");
    assert_eq!(count(&line, "taking back"), 0, "{:#?}", line.told());
    line.says("is a rollback");
}

#[tokio::test]
async fn who_waits_for_an_approval_in_the_stage_is_not_blamed_for_what_runs() {
    let production =
        Stage::of("Production", Action::approval("Sign-off")).then(Action::deploy_for("Deploy", 120));
    let pipeline = Pipeline::v2("release")
        .stage(Stage::source("Source"))
        .stage(production)
        .stage(Stage::build("After", 60));
    let line = Line::waiting(pipeline, STAGE, None).await;
    for version in ["v0", "v1"] {
        line.simulator.start_pipeline("release", version);
        line.minutes(1).await;
        line.simulator.approve("release", "Production", true, "it looks good");
        line.minutes(5).await;
    }
    let (bad, waits) = (newest(&line), line.simulator.start_pipeline("release", "v2"));
    line.minutes(2).await;
    line.red();
    line.minutes(5).await;
    nothing(&line, "StopPipelineExecution");
    nothing(&line, "RollbackStage");
    assert_eq!(count(&line, &format!("taking back Production/{waits}")), 0, "{:#?}", line.told());
    line.says(&format!("Production/{bad}"));
    line.says("waits in the stage");
}

#[tokio::test]
async fn an_execution_that_has_not_deployed_yet_is_not_taken_back_for_what_runs() {
    // Its test fails, and its test still runs.
    for fails in [true, false] {
        let tests =
            if fails { Action::build("Test", 60).failing_for("v2") } else { Action::build("Test", 900) };
        let pipeline = Pipeline::v2("release")
            .stage(Stage::source("Source"))
            .stage(Stage::of("Production", tests).then(Action::deploy_for("Deploy", 60)))
            .stage(Stage::build("After", 60));
        let line = Line::waiting(pipeline, STAGE, None).await;
        for version in ["v0", "v1"] {
            line.simulator.start_pipeline("release", version);
            line.minutes(18).await;
        }
        line.simulator.start_pipeline("release", "v2");
        line.minutes(3).await;
        line.red();
        line.minutes(10).await;
        nothing(&line, "RollbackStage");
        assert_eq!(count(&line, "taking back"), 0, "{fails}: {:#?}", line.told());
        line.says("none of its actions that deploy has begun there");
    }
}

#[tokio::test]
async fn a_rollback_that_overtook_who_waits_is_what_users_have() {
    let production =
        Stage::of("Production", Action::approval("Sign-off")).then(Action::deploy_for("Deploy", 60));
    let pipeline = Pipeline::v2("release")
        .stage(Stage::source("Source"))
        .stage(Stage::build("Build", 600))
        .stage(production);
    let line = Line::waiting(pipeline, STAGE, None).await;
    let mut good = None;
    for version in ["v0", "v1"] {
        good = good.or(Some(line.simulator.start_pipeline("release", version)));
        if version == "v1" {
            line.simulator.start_pipeline("release", version);
        }
        line.minutes(11).await;
        line.simulator.approve("release", "Production", true, "it looks good");
        line.minutes(3).await;
    }
    // The fix is on its way already when somebody goes back.
    line.simulator.start_pipeline("release", "v2");
    line.minutes(2).await;
    let back = by_hand(&line.simulator)
        .rollback_stage()
        .pipeline_name("release")
        .stage_name("Production")
        .target_pipeline_execution_id(good.unwrap())
        .send();
    back.await.unwrap();
    line.minutes(1).await;
    line.simulator.approve("release", "Production", true, "back");
    line.minutes(10).await;
    line.red();
    line.minutes(5).await;
    assert_eq!(line.simulator.effects("RollbackStage").len(), 1, "{:#?}", line.told());
    line.says("A rollback is never rolled back");
}

#[tokio::test]
async fn where_the_first_of_all_waits_for_an_approval_no_release_is_to_blame() {
    let production =
        Stage::of("Production", Action::approval("Sign-off")).then(Action::deploy_for("Deploy", 120));
    let pipeline = Pipeline::v2("release").stage(Stage::source("Source")).stage(production);
    let line = Line::waiting(pipeline, STAGE, None).await;
    line.simulator.start_pipeline("release", "v1");
    line.minutes(2).await;
    line.red();
    line.minutes(5).await;
    line.says("no release is to blame");
    nothing(&line, "StopPipelineExecution");
}

#[tokio::test]
async fn another_stages_rollback_is_not_taken_for_this_ones() {
    let pipeline = Pipeline::v2("release")
        .stage(Stage::source("Source"))
        .stage(Stage::of("Europe", Action::deploy_for("Deploy", 60)))
        .stage(Stage::of("America", Action::deploy_for("Deploy", 60)));
    let places =
        "{ pipeline: { name: release, stage: Europe } }, { pipeline: { name: release, stage: America } }";
    let line = Line::waiting(pipeline, places, None).await;
    for version in ["v1", "v2"] {
        line.simulator.start_pipeline("release", version);
        line.minutes(10).await;
    }
    // One of the two is made, and nobody hears of the other: whoever looks finds one rollback to v1.
    line.simulator.fault("RollbackStage", Fault::CutConnection, 1);
    line.red();
    line.minutes(15).await;
    let mut stages: Vec<String> = line
        .simulator
        .effects("RollbackStage")
        .iter()
        .map(|asked| asked["stageName"].as_str().unwrap().to_owned())
        .collect();
    stages.sort_unstable();
    assert_eq!(stages, ["America", "Europe"], "{:#?}", line.told());
}

/// Somebody runs Production again, all of it.
async fn run_again(line: &Line, execution: impl Into<String>) {
    let again = by_hand(&line.simulator)
        .retry_stage_execution()
        .pipeline_name("release")
        .stage_name("Production")
        .pipeline_execution_id(execution)
        .retry_mode(StageRetryMode::AllActions)
        .send();
    again.await.unwrap();
}

#[tokio::test]
async fn a_stage_that_is_run_again_after_its_undo_is_told_of() {
    let line = Line::of(production(), STAGE, Some(ecs())).await;
    let bad = line.simulator.start_pipeline("release", "v2");
    line.minutes(3).await;
    line.red();
    line.minutes(10).await;
    assert_eq!(line.simulator.effects("StopDeployment").len(), 1);
    line.goes("orders-5xx", AlarmState::Ok);
    line.minutes(20).await;
    run_again(&line, bad).await;
    line.minutes(3).await;
    line.red();
    line.minutes(3).await;
    line.says("was run again");
    assert_eq!(line.simulator.effects("StopDeployment").len(), 1);
}

#[tokio::test]
async fn a_stage_that_is_run_again_after_its_undo_and_fails_by_itself_is_told_of() {
    let line = Line::of(production(), STAGE, Some(ecs())).await;
    let bad = line.simulator.start_pipeline("release", "v2");
    line.minutes(3).await;
    line.red();
    line.minutes(30).await;
    assert_eq!(line.simulator.effects("StopDeployment").len(), 1);
    assert_eq!(count(&line, "Production failed"), 0, "Belay asked for it: {:#?}", line.told());
    line.goes("orders-5xx", AlarmState::Ok);
    let why = Cause::Deployment {
        failure: FailedDeployment {
            code: "TIMEOUT".to_owned(),
            message: "The deployment timed out while waiting for the replacement task set to become healthy."
                .to_owned(),
            events: vec![Diagnosed::of("Install", "Failed")],
        },
        tasks: None,
    };
    line.simulator.break_stage("release", Break::of("Production", why));
    run_again(&line, bad).await;
    line.minutes(10).await;
    assert_eq!(count(&line, "Production failed"), 1, "{:#?}", line.told());
}

/// A stage that deploys to Production and then to America, in which v2 has got as far as America.
async fn halfway(west: Group, minutes: u64) -> (Line, String) {
    let both = production().then(Action::deploy("America", "orders", "west"));
    let pipeline = Pipeline::v2("release").stage(Stage::source("Source")).stage(both);
    let line = Line::waiting(pipeline, STAGE, [ecs(), west]).await;
    line.simulator.start_pipeline("release", "v1");
    line.minutes(120).await;
    let bad = line.simulator.start_pipeline("release", "v2");
    line.minutes(minutes).await;
    (line, bad)
}

fn west() -> Group {
    Group::ecs("orders", "west").shifting(canary()).baseline("v0")
}

/// What each of the groups gives all of its traffic.
fn serve(line: &Line) -> [String; 2] {
    ["prod", "west"].map(|group| line.simulator.traffic(group).old_label)
}

#[tokio::test]
async fn what_had_been_deployed_in_a_stage_before_the_rest_was_stopped_goes_back_with_it() {
    // One that is back at once, and one whose way back takes minutes, in which nothing else may be deployed there.
    for (west, minutes) in [(west(), 40), (Group::server("orders", "west").baseline("v0"), 31)] {
        let (line, bad) = halfway(west, minutes).await;
        line.red();
        line.simulator.advance(std::time::Duration::from_secs(30)).await;
        assert_eq!(line.simulator.effects("StopDeployment").len(), 1, "{:#?}", line.told());
        line.says("Production had deployed before: once that is done, the stage is rolled back");
        nothing(&line, "RollbackStage");
        line.minutes(120).await;
        assert_eq!(line.simulator.effects("RollbackStage").len(), 1, "{:#?}", line.told());
        line.says("Production deployed the release, or began to, and nobody has taken that back");
        let back = line.simulator.pipeline_execution(&newest(&line));
        assert_eq!(back.status.name(), "Succeeded", "{:#?}", line.told());
        assert_eq!(serve(&line), ["v1", "v1"], "{:#?}", line.told());
        assert_eq!(count(&line, &format!("taking back Production/{bad}")), 2, "{:#?}", line.told());
        assert_eq!(line.simulator.effects("StopDeployment").len(), 1);
        assert_eq!(line.simulator.dead_letters(), []);
    }
}

#[tokio::test]
async fn what_somebody_deployed_since_past_the_pipeline_does_not_go_back_with_the_stage() {
    let (line, _) = halfway(west(), 40).await;
    line.red();
    line.simulator.advance(std::time::Duration::from_secs(10)).await;
    let fix = line.simulator.start_deployment("orders", "prod", "v3", "user").unwrap();
    line.minutes(60).await;
    nothing(&line, "RollbackStage");
    line.says(&format!("{fix} has been deployed there since"));
    assert_eq!(serve(&line), ["v3", "v1"], "{:#?}", line.told());
}

#[tokio::test]
async fn what_somebody_deployed_while_the_stage_could_not_be_rolled_back_stays() {
    let (line, _) = halfway(west(), 40).await;
    line.simulator.fault("RollbackStage", Fault::InternalError, 1_000);
    line.red();
    line.minutes(4).await;
    line.says("could not be taken back");
    let fix = line.simulator.start_deployment("orders", "prod", "v3", "user").unwrap();
    line.minutes(1).await;
    line.simulator.clear_faults();
    line.minutes(90).await;
    nothing(&line, "RollbackStage");
    line.says(&format!("{fix} has followed it"));
    assert_eq!(serve(&line), ["v3", "v1"], "{:#?}", line.told());
}

#[tokio::test]
async fn the_next_execution_is_not_stopped_for_the_rest_of_the_one_before() {
    let (line, bad) = halfway(west(), 40).await;
    line.red();
    line.simulator.advance(std::time::Duration::from_secs(10)).await;
    let next = line.simulator.start_pipeline("release", "v3");
    line.minutes(90).await;
    assert_eq!(line.simulator.effects("StopDeployment").len(), 1, "{:#?}", line.told());
    nothing(&line, "RollbackStage");
    nothing(&line, "StopPipelineExecution");
    line.says(&format!("Production/{next} has been deployed there since"));
    assert_eq!(count(&line, &format!("taking back Production/{bad}")), 1, "{:#?}", line.told());
    assert_eq!(serve(&line), ["v3", "v3"], "{:#?}", line.told());
}

#[tokio::test]
async fn a_stage_that_somebody_rolled_back_first_is_back() {
    let (line, bad) = halfway(west(), 40).await;
    let good = line.simulator.pipeline_executions("release")[0].id.clone();
    line.red();
    line.simulator.advance(std::time::Duration::from_secs(10)).await;
    let back = by_hand(&line.simulator)
        .rollback_stage()
        .pipeline_name("release")
        .stage_name("Production")
        .target_pipeline_execution_id(good)
        .send();
    back.await.unwrap();
    line.minutes(90).await;
    assert_eq!(line.simulator.effects("RollbackStage").len(), 1, "the one by hand: {:#?}", line.told());
    line.says(&format!("What ran before Production/{bad} gets the traffic again"));
    assert_eq!(serve(&line), ["v1", "v1"], "{:#?}", line.told());
}

#[tokio::test]
async fn a_stage_of_which_everything_went_back_is_told_and_left_alone() {
    let line = Line::of(production(), STAGE, Some(ecs())).await;
    let bad = line.simulator.start_pipeline("release", "v2");
    line.minutes(3).await;
    line.red();
    line.minutes(60).await;
    nothing(&line, "RollbackStage");
    line.says(&format!("What ran before Production/{bad} gets the traffic again"));
    assert_eq!(count(&line, "gets the traffic again"), 1, "{:#?}", line.told());
}

#[tokio::test]
async fn a_stage_whose_deployment_codedeploy_does_not_take_back_is_rolled_back() {
    let line = Line::of(production(), STAGE, Some(ecs())).await;
    line.simulator.forget_rollbacks(true);
    line.simulator.start_pipeline("release", "v2");
    line.minutes(3).await;
    line.red();
    line.minutes(60).await;
    assert_eq!(line.simulator.effects("RollbackStage").len(), 1, "{:#?}", line.told());
    assert_eq!(line.simulator.traffic("prod").old_label, "v1");
}

#[tokio::test]
async fn a_stage_that_somebody_runs_again_before_its_rest_has_gone_back_is_left_to_them() {
    let (line, bad) = halfway(west(), 40).await;
    line.red();
    line.simulator.advance(std::time::Duration::from_secs(30)).await;
    line.goes("orders-5xx", AlarmState::Ok);
    let again = by_hand(&line.simulator)
        .retry_stage_execution()
        .pipeline_name("release")
        .stage_name("Production")
        .pipeline_execution_id(bad)
        .retry_mode(StageRetryMode::FailedActions)
        .send();
    again.await.unwrap();
    line.minutes(120).await;
    nothing(&line, "RollbackStage");
}

#[tokio::test]
async fn a_rollback_of_a_stage_of_which_no_event_tells_is_looked_after() {
    let line = Line::of(by_itself(), STAGE, None).await;
    line.simulator.start_pipeline("release", "v2");
    line.minutes(10).await;
    line.simulator.set_delivery(DeliverySettings { lose: 1.0, seed: 4, ..DeliverySettings::default() });
    line.simulator.fail_action("release", "Deploy", true);
    line.red();
    line.minutes(15).await;
    assert_eq!(line.simulator.effects("RollbackStage").len(), 1);
    let back = newest(&line);
    assert!(
        line.told().iter().any(|one| one.contains(&back) && one.contains("failed")),
        "{:#?}",
        line.told()
    );
}

#[tokio::test]
async fn a_pipeline_that_does_not_say_what_is_in_a_stage_is_not_taken_for_idle() {
    let pipeline = Pipeline::v2("release")
        .mode(ExecutionMode::Parallel)
        .stage(Stage::source("Source"))
        .stage(by_itself());
    let line = Line::waiting(pipeline, STAGE, None).await;
    line.simulator.start_pipeline("release", "v1");
    line.minutes(4).await;
    line.red();
    line.minutes(10).await;
    line.says("PARALLEL");
    assert_eq!(count(&line, "no release"), 0, "{:#?}", line.told());
}

#[tokio::test]
async fn an_alarm_between_two_seconds_is_asked_about_once() {
    let line = Line::of(by_itself(), STAGE, None).await;
    line.simulator.start_pipeline("release", "v2");
    line.minutes(5).await;
    // As a double, which is how CloudWatch's answers carry it, it is a little less.
    let at = line.simulator.now() - SignedDuration::from_millis(446);
    line.simulator.set_alarm_state("orders-5xx", AlarmState::Alarm, at);
    line.minutes(10).await;
    let decided: Vec<Value> = line
        .simulator
        .table(functions::TABLE)
        .into_iter()
        .filter(|item| item["pk"].to_string().contains("alarm/") && item["sk"].to_string().contains("judged"))
        .collect();
    assert_eq!(decided.len(), 1, "{decided:#?}");
}

#[tokio::test]
async fn a_mark_counts_in_whichever_source_it_stands() {
    let schema =
        Action::source("Schema").finding("CommitMessage", "belay: no-rollback it migrates the schema");
    let pipeline = Pipeline::v2("release")
        .stage(Stage::source("Source").beside(schema))
        .stage(by_itself())
        .stage(Stage::build("After", 60));
    let line = Line::waiting(pipeline, STAGE, None).await;
    for version in ["v1", "v2"] {
        line.simulator.start_pipeline("release", version);
        line.minutes(10).await;
    }
    line.red();
    line.minutes(5).await;
    nothing(&line, "RollbackStage");
    line.says("it migrates the schema");
}

#[tokio::test]
async fn what_was_deployed_past_the_pipeline_is_taken_back_and_the_stage_stays() {
    let line = Line::of(production(), &both(), Some(ecs())).await;
    line.simulator.start_pipeline("release", "v2");
    line.minutes(40).await;
    let fix = line.simulator.start_deployment("orders", "prod", "v3", "user").unwrap();
    line.minutes(3).await;
    line.red();
    line.minutes(30).await;
    let stops = line.simulator.effects("StopDeployment");
    assert_eq!((stops.len(), &stops[0]["deploymentId"]), (1, &Value::from(fix)));
    nothing(&line, "RollbackStage");
    assert_eq!(count(&line, "taking back"), 1, "{:#?}", line.told());
    assert_eq!(line.simulator.traffic("prod").old_label, "v2");
}

#[tokio::test]
async fn what_failed_past_the_pipeline_does_not_keep_the_stage_from_being_taken_back() {
    let line = Line::of(production(), &both(), Some(ecs())).await;
    line.simulator.start_pipeline("release", "v2");
    line.minutes(40).await;
    let fix = line.simulator.start_deployment("orders", "prod", "v3", "user").unwrap();
    line.minutes(1).await;
    let codedeploy = functions::sdk_config(&line.simulator.endpoint(), "a-person");
    let stop = aws_sdk_codedeploy::Client::new(&codedeploy).stop_deployment().deployment_id(fix).send();
    stop.await.unwrap();
    line.minutes(1).await;
    line.red();
    line.minutes(20).await;
    assert_eq!(line.simulator.effects("RollbackStage").len(), 1, "{:#?}", line.told());
}

#[tokio::test]
async fn whether_codedeploy_goes_back_by_itself_is_not_guessed() {
    let line = Line::of(production(), STAGE, Some(ecs())).await;
    line.simulator.start_pipeline("release", "v2");
    line.minutes(40).await;
    line.simulator.fault("BatchGetDeployments", Fault::InternalError, 1_000);
    line.red();
    line.minutes(6).await;
    nothing(&line, "RollbackStage");
    line.says("somebody has to decide");
}

#[tokio::test]
async fn where_a_stage_cannot_be_read_its_group_is_asked_about_once() {
    let line = Line::of(production(), &both(), Some(ecs())).await;
    line.simulator.start_pipeline("release", "v2");
    line.minutes(3).await;
    // A mark in the commit, and that the pipeline itself goes back, is known to CodePipeline only.
    line.simulator.fault("GetPipelineState", Fault::InternalError, 1_000);
    line.red();
    line.minutes(6).await;
    nothing(&line, "StopDeployment");
    line.says("whether d-");
    assert_eq!(count(&line, "somebody has to decide"), 1, "{:#?}", line.told());
}

#[tokio::test]
async fn a_throttled_rollback_of_a_stage_is_tried_again_at_once() {
    let line = Line::of(by_itself(), STAGE, None).await;
    line.simulator.start_pipeline("release", "v2");
    line.minutes(1).await;
    // The stage has been stopped for it by then.
    line.simulator.fault("RollbackStage", Fault::Throttle, 2);
    line.red();
    line.simulator.advance(std::time::Duration::from_secs(30)).await;
    assert_eq!(line.simulator.effects("RollbackStage").len(), 1);
    assert_eq!(count(&line, "could not be"), 0, "{:#?}", line.told());
}

#[tokio::test]
async fn silence_looks_again_at_all_that_could_not_be_read() {
    // A group of its own, and a stage that deploys by itself.
    let line = Line::of(by_itself(), STAGE, Some(ecs())).await;
    line.obeys(&both(), "ask: { within: 15m, otherwise: roll_back }");
    line.simulator.start_pipeline("release", "v2");
    line.simulator.start_deployment("orders", "prod", "v2", "user").unwrap();
    line.minutes(3).await;
    line.simulator.fault("ListActionExecutions", Fault::InternalError, 1_000);
    line.red();
    line.minutes(8).await;
    // Whether the stage's is the group's is not known either.
    nothing(&line, "StopDeployment");
    nothing(&line, "RollbackStage");
    assert_eq!(count(&line, "somebody has to decide"), 1, "{:#?}", line.told());
    line.simulator.clear_faults();
    line.minutes(15).await;
    assert_eq!(line.simulator.effects("RollbackStage").len(), 1, "{:#?}", line.told());
    assert_eq!(line.simulator.effects("StopDeployment").len(), 1);
}

#[tokio::test]
async fn who_waits_before_a_stage_is_not_let_in_by_its_undo() {
    for rule in ["roll_back", "halt"] {
        let line = Line::of(by_itself(), STAGE, None).await;
        let policy = format!(
            "version: 1\nservices: {{ orders: {{ deployed_by: [ {STAGE} ], alarms: {{ its-own: {rule} }} }} }}\n"
        );
        functions::deploy_again(&line.simulator, &Policy::parse(&policy).unwrap());
        line.simulator.start_pipeline("release", "v2");
        line.minutes(1).await;
        let waits = line.simulator.start_pipeline("release", "v3");
        line.simulator.advance(std::time::Duration::from_secs(20)).await;
        line.goes("its-own", AlarmState::Alarm);
        line.minutes(15).await;
        assert_eq!(
            line.simulator.effects("RollbackStage").len(),
            usize::from(rule == "roll_back"),
            "{:#?}",
            line.told()
        );
        assert_eq!(line.simulator.effects("StopPipelineExecution").len(), 1, "{rule}");
        assert_eq!(count(&line, &format!("Production/{waits} began")), 0, "{rule}: {:#?}", line.told());
        let closed: Vec<Value> = line.simulator.effects("DisableStageTransition");
        assert_eq!(closed[usize::from(rule == "halt")]["stageName"], "Production", "{closed:?}");
        let messages = line.simulator.messages();
        let step = "Another execution waits before the stage Production, and Belay closed the way in";
        assert!(messages.iter().any(|message| message.message.contains(step)), "{rule}: {messages:#?}");
        line.says(if rule == "halt" {
            "the stage Production and After"
        } else {
            "closed to another execution"
        });
        assert_eq!(line.simulator.dead_letters(), []);
    }
}

#[tokio::test]
async fn a_way_that_somebody_closed_stays_closed_for_their_reason() {
    let line = Line::of(by_itself(), STAGE, None).await;
    line.simulator.start_pipeline("release", "v2");
    line.minutes(1).await;
    let closed = by_hand(&line.simulator)
        .disable_stage_transition()
        .pipeline_name("release")
        .stage_name("Production")
        .transition_type(StageTransitionType::Inbound)
        .reason("a freeze");
    closed.send().await.unwrap();
    line.simulator.start_pipeline("release", "v3");
    line.simulator.advance(std::time::Duration::from_secs(20)).await;
    line.red();
    line.minutes(15).await;
    assert_eq!(line.simulator.effects("RollbackStage").len(), 1, "{:#?}", line.told());
    let reasons: Vec<Value> = line
        .simulator
        .effects("DisableStageTransition")
        .iter()
        .map(|asked| asked["reason"].clone())
        .collect();
    assert_eq!(reasons, ["a freeze"]);
    assert_eq!(count(&line, "Belay closed the way in"), 0);
}
