//! Stages of pipelines in the ways that things go at three in the morning: several alarms, somebody who was first, who runs
//! it again, or waits in it.

use aws_sdk_codepipeline::types::StageRetryMode;
use belay_tests::{
    Action, AlarmState, ExecutionMode, Fault, Group, Pipeline, Simulator, Stage, stage::functions,
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
    let again = by_hand(&line.simulator)
        .retry_stage_execution()
        .pipeline_name("release")
        .stage_name("Production")
        .pipeline_execution_id(bad)
        .retry_mode(StageRetryMode::AllActions)
        .send();
    again.await.unwrap();
    line.minutes(3).await;
    line.red();
    line.minutes(3).await;
    line.says("was run again");
    assert_eq!(line.simulator.effects("StopDeployment").len(), 1);
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
