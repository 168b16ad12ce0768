//! A stage of a pipeline is a release: rolled back, halted, or judged where its deployment is.

use std::time::Duration;

use belay::policy::Policy;
use belay_tests::{Action, Alarm, AlarmState, Group, Pipeline, Simulator, Stage, stage::functions};
use serde_json::{Value, json};

use crate::a_release_is_guarded::{canary, noon};

pub(crate) const STAGE: &str = "{ pipeline: { name: release, stage: Production } }";

/// A pipeline that releases the service `orders`.
pub(crate) struct Line {
    pub(crate) simulator: Simulator,
}

impl Line {
    /// A pipeline whose stage Production is `production`, and one release that went well in it.
    pub(crate) async fn of(production: Stage, deployed_by: &str, group: Option<Group>) -> Self {
        let pipeline = Pipeline::v2("release")
            .stage(Stage::source("Source"))
            .stage(production)
            .stage(Stage::build("After", 60));
        let line = Self::waiting(pipeline, deployed_by, group).await;
        line.simulator.start_pipeline("release", "v1");
        line.minutes(60).await;
        line
    }

    /// A pipeline in which nothing has run yet.
    pub(crate) async fn waiting(
        pipeline: Pipeline,
        deployed_by: &str,
        groups: impl IntoIterator<Item = Group>,
    ) -> Self {
        let simulator = Simulator::start(noon()).await;
        for group in groups {
            simulator.create_group(group);
        }
        for alarm in ["orders-5xx", "orders-latency", "its-own"] {
            simulator.create_alarm(Alarm::scripted(alarm));
        }
        simulator.create_pipeline(pipeline);
        functions::install(&simulator, policy(deployed_by, "mode: enforce"));
        Self { simulator }
    }

    /// Deploys a policy that says this of the service as well.
    pub(crate) fn obeys(&self, deployed_by: &str, says: &str) {
        functions::deploy_again(&self.simulator, &policy(deployed_by, says));
    }

    pub(crate) async fn minutes(&self, minutes: u64) {
        self.simulator.advance(Duration::from_secs(60 * minutes)).await;
    }

    pub(crate) fn red(&self) {
        self.goes("orders-5xx", AlarmState::Alarm);
    }

    pub(crate) fn goes(&self, alarm: &str, state: AlarmState) {
        self.simulator.set_alarm_state(alarm, state, self.simulator.now());
    }

    pub(crate) fn told(&self) -> Vec<String> {
        let messages = self.simulator.messages();
        let read = messages.iter().map(|message| serde_json::from_str::<Value>(&message.message).unwrap());
        read.map(|body| format!("{} {}", body["content"]["title"], body["content"]["description"])).collect()
    }

    pub(crate) fn says(&self, sentence: &str) {
        let told = self.told();
        assert!(told.iter().any(|one| one.contains(sentence)), "“{sentence}” is not in {told:#?}");
    }
}

fn policy(deployed_by: &str, says: &str) -> Policy {
    let policy = format!(
        "version: 1\nservices:\n  orders:\n    deployed_by: [ {deployed_by} ]\n    {says}\n    alarms: {{ orders-5xx: roll_back, orders-latency: roll_back }}\n"
    );
    Policy::parse(&policy).unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

/// Takes two minutes and does not use CodeDeploy.
pub(crate) fn by_itself() -> Stage {
    Stage::of("Production", Action::deploy_for("Deploy", 120))
}

#[tokio::test]
async fn a_stage_says_at_its_start_what_it_can_go_back_to_and_is_rolled_back_once_it_has_finished() {
    let line = Line::of(by_itself(), STAGE, None).await;
    let first = line.simulator.pipeline_executions("release")[0].id.clone();
    line.simulator.start_pipeline("release", "v2");
    line.minutes(5).await;
    line.says("It can be undone: back to");
    line.red();
    line.minutes(10).await;
    let asked = line.simulator.effects("RollbackStage");
    let target = json!({
        "pipelineName": "release", "stageName": "Production", "targetPipelineExecutionId": first,
    });
    assert_eq!(asked, [target]);
    line.says("taking back Production/");
    // The rollback is recognised, and an alarm during it is told and not acted upon.
    line.says("rollback Production/");
    assert_eq!(line.simulator.dead_letters(), []);
}

#[tokio::test]
async fn a_stage_that_runs_is_stopped_first() {
    let line = Line::of(by_itself(), STAGE, None).await;
    let bad = line.simulator.start_pipeline("release", "v2");
    line.minutes(1).await;
    line.red();
    line.minutes(10).await;
    let stopped = line.simulator.effects("StopPipelineExecution");
    assert_eq!(stopped.len(), 1, "{stopped:?}");
    assert_eq!((&stopped[0]["pipelineExecutionId"], &stopped[0]["abandon"]), (&json!(bad), &json!(true)));
    assert_eq!(line.simulator.effects("RollbackStage").len(), 1);
}

#[tokio::test]
async fn a_stage_in_which_codedeploy_deploys_is_undone_by_stopping_that() {
    let group = Group::ecs("orders", "prod").shifting(canary()).baseline("v0");
    let production = Stage::deploy("Production", "orders", "prod");
    let line = Line::of(production, STAGE, Some(group)).await;
    line.simulator.start_pipeline("release", "v2");
    line.minutes(3).await;
    line.red();
    line.minutes(10).await;
    let stops = line.simulator.effects("StopDeployment");
    assert_eq!(stops.len(), 1, "{stops:?}");
    assert_eq!(stops[0]["autoRollbackEnabled"], json!(true));
    assert_eq!(line.simulator.effects("RollbackStage"), Vec::<Value>::new());
    assert_eq!(line.simulator.traffic("prod").old_label, "v1");
}

#[tokio::test]
async fn a_change_that_is_seen_in_the_stage_and_in_its_group_is_undone_once() {
    let group = Group::ecs("orders", "prod").shifting(canary()).baseline("v0");
    let production = Stage::deploy("Production", "orders", "prod");
    let both = format!("{STAGE}, {{ codedeploy: {{ application: orders, deployment_group: prod }} }}");
    let line = Line::of(production, &both, Some(group)).await;
    line.simulator.start_pipeline("release", "v2");
    line.minutes(45).await;
    line.red();
    line.minutes(10).await;
    assert_eq!(line.simulator.effects("RollbackStage"), Vec::<Value>::new());
    let created: Vec<Value> = line
        .simulator
        .effects("CreateDeployment")
        .into_iter()
        .filter(|input| input["description"].as_str().is_some_and(|text| text.starts_with("Belay undo/")))
        .collect();
    assert_eq!(created.len(), 1, "{created:?}");
    assert_eq!(line.simulator.traffic("prod").old_label, "v1");
}

#[tokio::test]
async fn what_the_commit_says_counts_also_where_the_group_is_judged() {
    let both = format!("{STAGE}, {{ codedeploy: {{ application: orders, deployment_group: prod }} }}");
    for (commit, verdict, rolls_back) in [
        ("v2", "taking back d-", json!(true)),
        ("belay: no-rollback it migrates v2", "halted d-", json!(false)),
    ] {
        let group = Group::ecs("orders", "prod").shifting(canary()).baseline("v0");
        let line = Line::of(Stage::deploy("Production", "orders", "prod"), &both, Some(group)).await;
        line.simulator.start_pipeline("release", commit);
        line.minutes(3).await;
        line.red();
        line.minutes(10).await;
        line.says(verdict);
        let stops = line.simulator.effects("StopDeployment");
        assert_eq!(stops.len(), 1, "{commit}: {stops:?}");
        assert_eq!(stops[0]["autoRollbackEnabled"], rolls_back, "{commit}");
    }
}

#[tokio::test]
async fn a_pipeline_whose_structure_changed_is_halted_and_the_way_on_closed() {
    let line = Line::of(by_itself(), STAGE, None).await;
    line.simulator.change_pipeline("release");
    let bad = line.simulator.start_pipeline("release", "v2");
    line.minutes(1).await;
    line.says("its structure has changed since");
    line.red();
    line.minutes(10).await;
    assert_eq!(line.simulator.effects("RollbackStage"), Vec::<Value>::new());
    let stopped = line.simulator.effects("StopPipelineExecution");
    assert_eq!(stopped.len(), 1, "{stopped:?}");
    assert_eq!(stopped[0]["pipelineExecutionId"], json!(bad));
    assert!(line.simulator.closed_transition("release", "After").is_some());
    line.says("closed the way into the stage After");
}

#[tokio::test]
async fn a_finished_stage_without_a_way_back_is_a_question_that_silence_keeps() {
    let line = Line::of(by_itself(), STAGE, None).await;
    line.simulator.change_pipeline("release");
    line.simulator.start_pipeline("release", "v2");
    line.minutes(8).await;
    line.red();
    line.minutes(25).await;
    line.says("somebody has to decide about Production/");
    line.says("nobody answered");
    assert_eq!(line.simulator.effects("RollbackStage"), Vec::<Value>::new());
}
