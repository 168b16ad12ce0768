//! The compiled program meets a world in which it has seen nothing begin: all that it knows, it asks AWS.
#![allow(
    clippy::disallowed_methods,
    reason = "compiled programs read the real clock, so the simulator begins before it"
)]

use std::time::Duration;

use belay_tests::{
    Alarm, AlarmState, Binary, Delivery, Group, Mute, RuntimeApi, Simulator, Suppression,
    stage::{
        compiled, deployed,
        functions::{self, TABLE},
    },
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::{
    a_release_is_guarded::canary,
    compiled_programs::{ALARM_TRANSITIONS, policy_file},
};

const PATIENT: Duration = Duration::from_secs(30);

type Step = Box<dyn FnOnce(&Simulator)>;

/// What happened before the program was there. Each service has a group and an alarm of its own name.
struct Past {
    simulator: Simulator,
    services: String,
    script: Vec<(i64, Step)>,
}

impl Past {
    async fn begins() -> Self {
        // What is played ends a while ago, so that what follows can be played as well.
        let simulator = Simulator::start(Timestamp::now() - SignedDuration::from_hours(4)).await;
        simulator.create_ledger_table(TABLE);
        simulator.create_topic("belay");
        Self { simulator, services: String::new(), script: Vec::new() }
    }

    /// A service that is deployed by a group and watches an alarm, under the policy's words for it.
    fn guards(&mut self, group: Group, rule: &str, words: &str) {
        let name = &group.name;
        self.services.push_str(&format!(
            "  {name}:\n    deployed_by: [ {{ codedeploy: {{ application: {}, deployment_group: {name} }} }} ]\n    alarms: {{ {name}: {rule} }}\n{words}",
            group.application
        ));
        self.simulator.create_alarm(Alarm::scripted(name));
        self.simulator.create_group(group);
    }

    fn then(&mut self, seconds_ago: i64, step: impl FnOnce(&Simulator) + 'static) {
        self.script.push((seconds_ago, Box::new(step)));
    }

    fn releases(&mut self, name: &str, seconds_ago: i64, label: &'static str) {
        let name = name.to_owned();
        self.then(seconds_ago, move |aws| {
            aws.start_deployment(&name, &name, label, "user").unwrap();
        });
    }

    fn alarms(&mut self, name: &str, seconds_ago: i64, state: AlarmState) {
        let name = name.to_owned();
        self.then(seconds_ago, move |aws| aws.set_alarm_state(&name, state, aws.now()));
    }

    /// Plays it, and starts the program.
    async fn present(mut self) -> Outside {
        let end = Timestamp::now() - SignedDuration::from_mins(10);
        self.script.sort_by_key(|(ago, _)| -ago);
        for (ago, step) in self.script {
            play_to(&self.simulator, end - SignedDuration::from_secs(ago));
            step(&self.simulator);
        }
        play_to(&self.simulator, end);
        let missed = self.simulator.take_deliveries();
        deployed::enforce(&self.simulator);
        let runtime = RuntimeApi::start().await;
        let policy = policy_file(&format!("version: 1\nservices:\n{}", self.services));
        let environment =
            compiled::environment(ALARM_TRANSITIONS.function, (&runtime, &self.simulator), &policy, false);
        let binary = Binary::spawn(ALARM_TRANSITIONS.path(), &compiled::pairs(&environment)).unwrap();
        Outside { simulator: self.simulator, missed, runtime, _binary: binary }
    }
}

fn play_to(simulator: &Simulator, until: Timestamp) {
    let left = until.duration_since(simulator.now());
    simulator.step(Duration::try_from(left).unwrap_or_default());
}

/// The program, in the present.
struct Outside {
    simulator: Simulator,
    /// The events of the past, which nobody was there to get.
    missed: Vec<Delivery>,
    runtime: RuntimeApi,
    _binary: Binary,
}

/// What came of an alarm.
struct Came {
    verdict: String,
    reasons: String,
    title: Option<String>,
    stops: Vec<Value>,
    redeploys: Vec<Value>,
}

impl Outside {
    /// The alarm goes off, and its event comes.
    async fn red(&self, name: &str) -> Came {
        self.simulator.set_alarm_state(name, AlarmState::Alarm, self.simulator.now());
        let mut events = self.simulator.take_deliveries();
        events.retain(|event| event.function == "alarm-transitions");
        assert_eq!(events.len(), 1, "{name}");
        self.gets(&events[0].payload).await
    }

    /// An event comes; only what it leads to is in the answer.
    async fn gets(&self, payload: &[u8]) -> Came {
        let seen = |operation: &str| self.simulator.effects(operation);
        let (stops, redeploys) = (seen("StopDeployment").len(), seen("CreateDeployment").len());
        let messages = self.simulator.messages().len();
        let answer = self.runtime.invoke(payload, PATIENT).await.unwrap();
        let outcome = &answer["outcomes"][0];
        let titles: Vec<String> = self.simulator.messages()[messages..]
            .iter()
            .map(|message| serde_json::from_str::<Value>(&message.message).unwrap())
            .map(|message| message["content"]["title"].as_str().unwrap().to_owned())
            .collect();
        assert!(titles.len() <= 1, "{titles:?}");
        let reasons = outcome["reasons"].as_array().into_iter().flatten();
        Came {
            verdict: outcome["verdict"].as_str().unwrap_or_default().to_owned(),
            reasons: reasons.filter_map(Value::as_str).collect::<Vec<_>>().join(" "),
            title: titles.into_iter().next(),
            stops: seen("StopDeployment").split_off(stops),
            redeploys: seen("CreateDeployment").split_off(redeploys),
        }
    }

    fn newest(&self, group: &str) -> String {
        self.simulator.deployments(group).last().unwrap().id.clone()
    }
}

impl Came {
    /// The title of the one message; a sign for its urgency stands before it.
    fn says(&self, title: &str) {
        assert!(self.title.as_ref().is_some_and(|told| told.ends_with(title)), "{:?}", self.title);
    }

    /// Nothing was done, and the title says `told`; nothing was told if that is empty.
    fn only_tells(&self, verdict: &str, told: &str, because: &str) {
        let Self { reasons, title, stops, redeploys, .. } = self;
        assert_eq!(self.verdict, verdict, "{title:?} {reasons}");
        assert_eq!((stops.len(), redeploys.len()), (0, 0), "{title:?} {reasons}");
        match title {
            Some(title) => assert!(!told.is_empty() && title.contains(told), "{title} {reasons}"),
            None => assert_eq!(told, "", "{reasons}"),
        }
        assert!(reasons.contains(because), "{reasons}");
    }
}

/// A group whose releases are still at their first tenth, and one whose releases are done at once.
fn slow(name: &str) -> Group {
    Group::lambda(name, name).shifting(canary())
}

fn quick(name: &str) -> Group {
    Group::lambda(name, name)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_release_that_runs_is_stopped_and_goes_back() {
    let mut past = Past::begins().await;
    past.guards(slow("lambda"), "roll_back", "");
    past.guards(Group::ecs("ecs", "ecs").shifting(canary()), "roll_back", "");
    past.guards(Group::server("server", "server"), "roll_back", "");
    past.releases("lambda", 300, "v2");
    past.releases("ecs", 300, "v2");
    past.releases("server", 20, "v2");
    let outside = past.present().await;
    for name in ["lambda", "ecs", "server"] {
        let id = outside.newest(name);
        let came = outside.red(name).await;
        assert_eq!(came.verdict, "RollBack", "{}", came.reasons);
        assert_eq!(came.stops, [json!({ "deploymentId": id, "autoRollbackEnabled": true })]);
        assert_eq!(came.redeploys, [] as [Value; 0]);
        came.says(&format!("{name}: taking back {id}"));
    }
    outside.simulator.step(Duration::from_secs(300));
    for name in ["lambda", "ecs", "server"] {
        assert_eq!(outside.simulator.traffic(name).old_label, "v1", "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_release_that_has_finished_is_taken_back_by_deploying_what_ran_before_it() {
    let mut past = Past::begins().await;
    past.guards(quick("lambda"), "roll_back", "");
    past.guards(Group::ecs("ecs", "ecs"), "roll_back", "");
    past.guards(Group::server("server", "server"), "roll_back", "");
    for name in ["lambda", "ecs", "server"] {
        past.releases(name, 900, "v2");
    }
    let outside = past.present().await;
    for name in ["lambda", "ecs", "server"] {
        let bad = outside.newest(name);
        let came = outside.red(name).await;
        assert_eq!(came.verdict, "RollBack", "{}", came.reasons);
        assert_eq!(came.stops, [] as [Value; 0]);
        came.says(&format!("{name}: taking back {bad}"));
        let [sent] = &came.redeploys[..] else { panic!("{:?}", came.redeploys) };
        assert_eq!(sent["overrideAlarmConfiguration"]["enabled"], false, "{sent}");
        assert_eq!(sent["autoRollbackConfiguration"]["enabled"], false, "{sent}");
        let description = sent["description"].as_str().unwrap();
        assert!(description.starts_with(&format!("Belay undo/{bad}")), "{description}");
        let text = sent["revision"]["appSpecContent"]["content"].as_str();
        match name {
            // Its current version is the one that the alias is at, or CodeDeploy refuses it.
            "lambda" => {
                let spec: Value = serde_json::from_str(text.unwrap()).unwrap();
                let properties = &spec["resources"][0]["lambda"]["properties"];
                assert_eq!(properties["currentversion"], "2", "{spec}");
                assert_eq!(properties["targetversion"], "1", "{spec}");
            }
            "ecs" => assert_eq!(text.unwrap(), baseline_spec(&outside, name).await),
            _ => assert_eq!(sent["revision"]["s3Location"]["key"], "server-1.zip", "{sent}"),
        }
    }
    outside.simulator.step(Duration::from_secs(300));
    for name in ["lambda", "ecs", "server"] {
        assert_eq!(outside.simulator.traffic(name).old_label, "v1", "{name}");
    }
}

/// The AppSpec of the group's first deployment, as CodeDeploy keeps it.
async fn baseline_spec(outside: &Outside, group: &str) -> String {
    let client = aws_sdk_codedeploy::Client::new(&functions::sdk_config(
        &outside.simulator.endpoint(),
        "somebody-else",
    ));
    let first = outside.simulator.deployments(group)[0].id.clone();
    let deployment = client.get_deployment().deployment_id(first).send().await.unwrap();
    let revision = deployment.deployment_info().unwrap().revision().unwrap().clone();
    let asked = client.get_application_revision().application_name(group).revision(revision);
    let registered = asked.send().await.unwrap();
    let text = registered.revision().unwrap().app_spec_content().unwrap().content().unwrap();
    text.to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_there_is_nothing_to_blame_or_to_go_back_to_nothing_is_undone() {
    let mut past = Past::begins().await;
    for name in ["long-over", "never", "too-late", "first-over", "rollback-over"] {
        let group = quick(name);
        let group = match name {
            "never" | "first-over" => group.first_deployment(),
            "rollback-over" => group.shifting(canary()).alarms(&["gate"]),
            _ => group,
        };
        past.guards(group.auto_rollback(&["DEPLOYMENT_STOP_ON_ALARM"]), "roll_back", "");
    }
    past.guards(slow("first-runs").first_deployment(), "roll_back", "");
    past.guards(slow("rollback-runs"), "roll_back", "");
    past.simulator.create_alarm(Alarm::scripted("gate"));
    past.releases("long-over", 3_600, "v2");
    past.alarms("too-late", 1_200, AlarmState::Alarm);
    past.releases("too-late", 600, "v2");
    past.releases("first-over", 600, "v2");
    past.releases("first-runs", 600, "v2");
    past.releases("rollback-over", 600, "v2");
    past.alarms("gate", 300, AlarmState::Alarm);
    past.then(2, |aws| {
        aws.start_deployment("rollback-runs", "rollback-runs", "v2", "codeDeployRollback").unwrap();
    });
    let outside = past.present().await;

    let came = outside.red("long-over").await;
    came.only_tells("Notify", "no release is to blame", "a release is watched for 30m");
    let came = outside.red("never").await;
    came.only_tells("Notify", "no release is to blame", "nothing was ever released here");
    let late = outside.missed.iter().find(|event| {
        event.function == "alarm-transitions"
            && String::from_utf8_lossy(&event.payload).contains("\"alarmName\":\"too-late\"")
    });
    let came = outside.gets(&late.unwrap().payload).await;
    came.only_tells(
        "Notify",
        "was red before",
        "before this release began, so this release did not cause it",
    );
    let came = outside.red("first-over").await;
    came.only_tells("Ask", "somebody has to decide", "no deployment of this group has succeeded before it");
    let came = outside.red("rollback-over").await;
    came.only_tells("Notify", "an alarm after the rollback", "A rollback is never rolled back");
    let came = outside.red("rollback-runs").await;
    came.only_tells("Notify", "an alarm during the rollback", "A rollback is never rolled back");

    let id = outside.newest("first-runs");
    let came = outside.red("first-runs").await;
    assert_eq!(came.verdict, "Halt", "{}", came.reasons);
    assert_eq!(came.stops, [json!({ "deploymentId": id, "autoRollbackEnabled": false })]);
    came.says(&format!("first-runs: halted {id}, not rolled back"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_rule_does_what_it_says_before_and_after_the_end() {
    const RULES: [&str; 4] = ["roll_back", "halt", "ask", "notify"];
    let mut past = Past::begins().await;
    for rule in RULES {
        let word = rule.replace('_', "-");
        let (runs, over) = (format!("{word}-runs"), format!("{word}-over"));
        past.guards(slow(&runs), rule, "");
        past.guards(quick(&over), rule, "");
        past.releases(&runs, 300, "v2");
        past.releases(&over, 300, "v2");
    }
    let outside = past.present().await;
    for (name, verdict, stops, redeploys, title) in [
        ("roll-back-runs", "RollBack", Some(true), 0, "taking back"),
        ("roll-back-over", "RollBack", None, 1, "taking back"),
        ("halt-runs", "Halt", Some(false), 0, "halted"),
        ("halt-over", "Notify", None, 0, "went off"),
        ("ask-runs", "Ask", None, 0, "somebody has to decide"),
        ("ask-over", "Ask", None, 0, "somebody has to decide"),
        ("notify-runs", "Notify", None, 0, "went off"),
        ("notify-over", "Notify", None, 0, "went off"),
    ] {
        let id = outside.newest(name);
        let came = outside.red(name).await;
        assert_eq!(came.verdict, verdict, "{name}: {}", came.reasons);
        let stop = |back: bool| json!({ "deploymentId": id, "autoRollbackEnabled": back });
        assert_eq!(came.stops, stops.map(stop).into_iter().collect::<Vec<_>>(), "{name}");
        assert_eq!(came.redeploys.len(), redeploys, "{name}");
        assert!(came.title.as_ref().is_some_and(|told| told.contains(title)), "{name}: {:?}", came.title);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_holds_belay_back_holds_it_back_on_first_sight() {
    let mut past = Past::begins().await;
    past.guards(slow("observed-runs"), "roll_back", "    mode: observe\n");
    past.guards(quick("observed-over"), "roll_back", "    mode: observe\n");
    past.guards(slow("spent"), "roll_back", "    rollback_budget: { count: 1, per: 6h }\n");
    for name in ["muted", "suppressed", "flapping"] {
        past.guards(slow(name), "roll_back", "");
        past.releases(name, 300, "v2");
    }
    past.guards(slow("marked-runs"), "roll_back", "");
    past.guards(quick("marked-over"), "roll_back", "");
    for name in ["observed-runs", "observed-over", "spent"] {
        past.releases(name, 300, "v2");
    }
    for name in ["marked-runs", "marked-over"] {
        past.then(300, move |aws| {
            aws.start_described(name, "v2", "Rename a column (belay: no-rollback, it drops the old one)")
                .unwrap();
        });
    }
    for minutes in [50, 40, 30] {
        past.alarms("flapping", 60 * minutes, AlarmState::Alarm);
        past.alarms("flapping", 60 * minutes - 120, AlarmState::Ok);
    }
    past.then(60, |aws| {
        let hour = SignedDuration::from_hours(1);
        let (start, end) = (aws.now() - hour, aws.now() + hour);
        aws.mute("muted", Some(Mute { rule: "maintenance".to_owned(), start, end }));
        aws.suppress("suppressed", Some(Suppression::Alarm));
    });
    let outside = past.present().await;

    for name in ["observed-runs", "observed-over"] {
        let came = outside.red(name).await;
        came.only_tells("RollBack", ": would have taken back", "This is the first release of this service");
    }
    outside.red("muted").await.only_tells("Ignore", "", "is muted by");
    outside.red("suppressed").await.only_tells("Ignore", "", "is suppressed (Alarm)");
    let came = outside.red("flapping").await;
    came.only_tells("Ask", "somebody has to decide", "went off 3 times in the hour before this release");
    let came = outside.red("marked-over").await;
    came.only_tells("Ask", "somebody has to decide", "marked as not to be rolled back: it drops the old one");
    let id = outside.newest("marked-runs");
    let came = outside.red("marked-runs").await;
    assert_eq!((came.verdict.as_str(), came.stops.len()), ("Halt", 1), "{}", came.reasons);
    assert_eq!(came.stops[0]["autoRollbackEnabled"], false);
    came.says(&format!("marked-runs: halted {id}, not rolled back"));

    // The one rollback that the budget allows, and the release after it.
    assert_eq!(outside.red("spent").await.verdict, "RollBack");
    outside.simulator.step(Duration::from_secs(120));
    outside.simulator.set_alarm_state("spent", AlarmState::Ok, outside.simulator.now());
    outside.simulator.start_deployment("spent", "spent", "v3", "user").unwrap();
    outside.simulator.step(Duration::from_secs(60));
    outside.simulator.take_deliveries();
    let came = outside.red("spent").await;
    came.only_tells("Ask", "somebody has to decide", "has taken back 1 release of this service within 6h");
}
