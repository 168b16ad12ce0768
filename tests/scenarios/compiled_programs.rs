//! The compiled programs, as Lambda runs them: a process, a Runtime API, an environment.
#![allow(
    clippy::disallowed_methods,
    reason = "compiled programs read the real clock, so the simulator begins there; where they are is in the environment"
)]

use std::{
    fs,
    path::PathBuf,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use belay::policy::Policy;
use belay_tests::{
    Binary, Health, RuntimeApi,
    stage::{
        compiled, deployed,
        functions::{REGION, TABLE, TOPIC, install_chat},
    },
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::{
    a_release_is_guarded::{POLICY, Story, events, lambda},
    people_in_chat::{ANNA, CHANNEL, TALKED},
};

/// A function's program.
pub(crate) struct Compiled {
    /// Its name, which is also the access key id that it signs with: so the simulator holds it to its role.
    pub(crate) function: &'static str,
    /// What cargo built beside the tests.
    beside: &'static str,
}

impl Compiled {
    /// What is deployed, if it is built; otherwise what cargo built beside the tests.
    pub(crate) fn path(&self) -> PathBuf {
        compiled::deployed(self.function).unwrap_or_else(|| PathBuf::from(self.beside))
    }
}

pub(crate) const ALARM_TRANSITIONS: Compiled =
    Compiled { function: "alarm-transitions", beside: env!("CARGO_BIN_EXE_compiled-alarm-transitions") };
const LIFECYCLE_HOOKS: Compiled =
    Compiled { function: "lifecycle-hooks", beside: env!("CARGO_BIN_EXE_compiled-lifecycle-hooks") };
const PIPELINE_EVENTS: Compiled =
    Compiled { function: "pipeline-events", beside: env!("CARGO_BIN_EXE_compiled-pipeline-events") };
const CHAT_ACTIONS: Compiled =
    Compiled { function: "chat-actions", beside: env!("CARGO_BIN_EXE_compiled-chat-actions") };
const STACK_DRIFT: Compiled =
    Compiled { function: "stack-drift", beside: env!("CARGO_BIN_EXE_compiled-stack-drift") };
const RELEASE_WIDGET: Compiled =
    Compiled { function: "release-widget", beside: env!("CARGO_BIN_EXE_compiled-release-widget") };
const SWEEP: Compiled = Compiled { function: "sweep", beside: env!("CARGO_BIN_EXE_compiled-sweep") };

const PATIENT: Duration = Duration::from_secs(30);

/// A compiled function beside a simulator.
struct Program {
    story: Story,
    runtime: RuntimeApi,
    binary: Binary,
}

/// A policy in a file of its own, removed with the test's folder.
pub(crate) fn policy_file(text: &str) -> PathBuf {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let path = folder.join(format!("belay-{}-{number}.yaml", std::process::id()));
    fs::write(&path, text).unwrap();
    path
}

impl Program {
    async fn start(program: &Compiled, group: belay_tests::Group, health: Health, policy: &str) -> Self {
        // Three minutes ago, so that by now a release is under way.
        let begins = Timestamp::now() - SignedDuration::from_mins(3);
        let story = Story::without_functions(group, begins).await;
        story.simulator.create_ledger_table(TABLE);
        story.simulator.create_topic("belay");
        deployed::enforce(&story.simulator);
        let address = story.simulator.health_endpoint("orders", health);
        let policy = policy_file(&policy.replace("HEALTH", &address));
        let talks = fs::read_to_string(&policy).unwrap().contains("chat:");
        let runtime = RuntimeApi::start().await;
        if talks {
            install_chat(&story.simulator, &Policy::parse(&fs::read_to_string(&policy).unwrap()).unwrap());
        }
        let environment =
            compiled::environment(program.function, (&runtime, &story.simulator), &policy, talks);
        let binary = Binary::spawn(program.path(), &compiled::pairs(&environment)).unwrap();
        Self { story, runtime, binary }
    }

    fn step(&self, seconds: u64) {
        self.story.simulator.step(Duration::from_secs(seconds));
    }

    /// The hook call that CodeDeploy has made.
    fn hook_call(&self) -> Vec<u8> {
        self.story.release();
        self.step(60);
        let mut calls = events(&self.story, "lifecycle-hooks");
        assert_eq!(calls.len(), 1);
        calls.remove(0).payload
    }

    fn answers(&self) -> Vec<Value> {
        let answers = self.story.simulator.effects("PutLifecycleEventHookExecutionStatus");
        answers.iter().map(|answer| answer["status"].clone()).collect()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn alarm_transitions_stops_a_bad_release_once() {
    let program = Program::start(&ALARM_TRANSITIONS, lambda(), Health::Status(200), POLICY).await;
    let id = program.story.release();
    program.step(150);
    program.story.simulator.take_deliveries();
    program.story.red("orders-5xx");
    program.step(5);
    let first = events(&program.story, "alarm-transitions").remove(0);
    program.story.red("orders-latency");
    program.step(5);
    let second = events(&program.story, "alarm-transitions").remove(0);

    let answer = program.runtime.invoke(first.payload.clone(), PATIENT).await.unwrap();
    assert_eq!(answer["outcomes"][0]["verdict"], "RollBack", "{answer}");
    let again = program.runtime.invoke(first.payload, PATIENT).await.unwrap();
    assert_eq!(again["outcomes"][0]["verdict"], "Ignore", "{again}");
    program.runtime.invoke(second.payload, PATIENT).await.unwrap();
    let stops = [json!({ "deploymentId": id, "autoRollbackEnabled": true })];
    assert_eq!(program.story.stops(), stops);

    // A malformed event is refused by its field, nothing is done, and the process lives.
    let weird = json!({
        "version": "0", "source": "aws.cloudwatch", "detail-type": "CloudWatch Alarm State Change",
        "region": "us-east-1", "account": "123456789012", "time": "2026-03-05T12:00:00Z",
        "resources": ["arn:aws:cloudwatch:us-east-1:123456789012:alarm:orders-5xx"],
        "detail": { "alarmName": "orders-5xx", "state": { "value": "WEIRD", "timestamp": "2026-03-05T12:00:00.000+0000" } },
    });
    let refused = program.runtime.invoke(weird.to_string(), PATIENT).await.unwrap_err();
    assert_eq!(refused.error_type, "MalformedEvent");
    assert!(
        refused.message.contains("detail.state.value") && refused.message.contains("WEIRD"),
        "{refused:?}"
    );
    assert_eq!(program.story.stops(), stops);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chat_actions_takes_what_slack_signed_and_nothing_else() {
    let program = Program::start(&CHAT_ACTIONS, lambda(), Health::Status(200), TALKED).await;
    let simulator = &program.story.simulator;
    let help = simulator.slack_command(ANNA, CHANNEL, "help");
    let answer = program.runtime.invoke(help.clone(), PATIENT).await.unwrap();
    assert_eq!(answer["statusCode"], 200, "{answer}");
    assert!(answer["body"].as_str().unwrap().contains("/belay status"), "{answer}");
    let mut forged: Value = serde_json::from_slice(&help).unwrap();
    forged["headers"]["x-slack-signature"] = json!(format!("v0={}", "0".repeat(64)));
    let refused = program.runtime.invoke(forged.to_string(), PATIENT).await.unwrap();
    assert_eq!((&refused["statusCode"], &refused["body"]), (&json!(401), &json!("")), "{refused}");
    // What it is to judge it judges, also when nobody knows of it any more.
    let work = json!({ "belay": "answer", "offer": "0123456789abcdef", "stamp": "1.2" });
    let nothing = program.runtime.invoke(work.to_string(), PATIENT).await.unwrap();
    assert_eq!(nothing["press"], "handled before", "{nothing}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_that_talks_needs_its_secret() {
    let policy = policy_file(&TALKED.replace("HEALTH", "http://127.0.0.1:1/"));
    let runtime = RuntimeApi::start().await;
    let mut binary = Binary::spawn(
        CHAT_ACTIONS.path(),
        &[
            ("AWS_LAMBDA_RUNTIME_API", runtime.address()),
            ("AWS_REGION", REGION),
            ("BELAY_POLICY", policy.to_str().unwrap()),
            ("BELAY_LEDGER_TABLE", TABLE),
            ("BELAY_TOPIC_ARN", TOPIC),
        ],
    )
    .unwrap();
    assert!(!binary.wait_exit(PATIENT).await.unwrap().success());
    let said = binary.stderr();
    assert!(said.contains("talks to Slack about orders") && said.contains("BELAY_CHAT_SECRET"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_keeps_failing_fails_the_invocation_by_name_and_is_not_done_twice() {
    let program = Program::start(&ALARM_TRANSITIONS, lambda(), Health::Status(200), POLICY).await;
    let id = program.story.release();
    program.step(150);
    program.story.simulator.take_deliveries();
    program.story.red("orders-5xx");
    program.step(5);
    let event = events(&program.story, "alarm-transitions").remove(0);
    program.story.simulator.fault("StopDeployment", belay_tests::Fault::Throttle, 3);
    let failed = program.runtime.invoke(event.payload.clone(), PATIENT).await.unwrap_err();
    assert_eq!(failed.error_type, "AwsCallFailed");
    assert!(
        failed.message.contains("codedeploy:StopDeployment") && failed.message.contains(&id),
        "{failed:?}"
    );
    assert_eq!(program.story.stops(), Vec::<Value>::new());
    let second = program.runtime.invoke(event.payload.clone(), PATIENT).await;
    let third = program.runtime.invoke(event.payload, PATIENT).await;
    assert_eq!(program.story.stops().len(), 1, "{second:?} {third:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pipeline_events_opens_and_closes_a_release() {
    let program = Program::start(&PIPELINE_EVENTS, lambda(), Health::Status(200), POLICY).await;
    program.story.release();
    program.step(150);
    let began = events(&program.story, "pipeline-events").remove(0);
    let answer = program.runtime.invoke(began.payload.clone(), PATIENT).await.unwrap();
    assert!(answer.to_string().contains("It can be undone"), "{answer}");
    let again = program.runtime.invoke(began.payload, PATIENT).await.unwrap();
    assert!(again.to_string().contains("told before"), "{again}");
    assert_eq!(program.story.titles().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lifecycle_hooks_always_answers() {
    let hooked = || lambda().hook("BeforeAllowTraffic", "CodeDeployHook_belay");
    for (health, policy, expected) in [
        (Health::Status(200), POLICY.to_owned(), "Succeeded"),
        (Health::Status(503), POLICY.to_owned(), "Failed"),
        (Health::Status(200), POLICY.replace("BeforeAllowTraffic", "AfterAllowTraffic"), "Failed"),
        (Health::Status(200), POLICY.replace("application: orders", "application: others"), "Failed"),
        (Health::Hang, POLICY.to_owned(), "Failed"),
    ] {
        let program = Program::start(&LIFECYCLE_HOOKS, hooked(), health.clone(), &policy).await;
        let call = program.hook_call();
        program.runtime.invoke(call, PATIENT).await.unwrap();
        assert_eq!(program.answers(), [expected], "{health:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hook_whose_endpoint_hangs_is_answered_before_the_deadline() {
    let hooked = lambda().hook("BeforeAllowTraffic", "CodeDeployHook_belay");
    // The check would wait for ten minutes; Lambda gives six seconds.
    let policy = POLICY.replace("within: 300ms", "within: 10m");
    let program = Program::start(&LIFECYCLE_HOOKS, hooked, Health::Hang, &policy).await;
    let call = program.hook_call();
    // Its time is that of the invocation, not of its start.
    assert!(program.runtime.has_asked(1, PATIENT).await);
    let answer = program.runtime.invoke(call, Duration::from_secs(6)).await.unwrap();
    assert_eq!(program.answers(), ["Failed"]);
    assert!(
        answer.to_string().contains("it was not done when the function's time was nearly up"),
        "{answer}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hook_is_answered_even_when_the_policy_is_refused() {
    let hooked = lambda().hook("BeforeAllowTraffic", "CodeDeployHook_belay");
    let policy = POLICY.replace("orders-5xx: roll_back", "orders-5xx: rolback");
    let program = Program::start(&LIFECYCLE_HOOKS, hooked, Health::Status(200), &policy).await;
    let call = program.hook_call();
    let failed = program.runtime.invoke(call, PATIENT).await.unwrap_err();
    assert_eq!(program.answers(), ["Failed"]);
    assert!(failed.message.contains("did you mean `roll_back`?"), "{failed:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_misspelt_policy_keeps_a_function_from_starting_and_every_mistake_is_named() {
    let policy = POLICY
        .replace("orders-5xx: roll_back", "orders-5xx: rolback")
        .replace("orders-note: notify", "orders-note: notfy");
    for path in [&ALARM_TRANSITIONS, &PIPELINE_EVENTS, &SWEEP, &RELEASE_WIDGET] {
        let mut program = Program::start(path, lambda(), Health::Status(200), &policy).await;
        let status = program.binary.wait_exit(PATIENT).await.unwrap();
        assert!(!status.success());
        let said = program.binary.stderr();
        assert!(said.contains("found `rolback`; did you mean `roll_back`?"), "{said}");
        assert!(said.contains("found `notfy`; did you mean `notify`?"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_sweep_makes_one_query_and_refuses_what_is_no_tick() {
    let program = Program::start(&SWEEP, lambda(), Health::Status(200), POLICY).await;
    let tick = json!({
        "version": "0", "id": "1", "detail-type": "Scheduled Event", "source": "aws.events",
        "account": "123456789012", "time": "2026-03-05T14:00:00Z", "region": "us-east-1",
        "resources": ["arn:aws:events:us-east-1:123456789012:rule/belay-sweep"], "detail": {},
    });
    let answer = program.runtime.invoke(tick.to_string(), PATIENT).await.unwrap();
    assert_eq!(answer, json!({ "outcomes": [] }));
    let calls: Vec<String> =
        program.story.simulator.journal().into_iter().map(|call| call.operation).collect();
    assert_eq!(calls, ["Query"]);
    let refused = program.runtime.invoke("{}".to_owned(), PATIENT).await.unwrap_err();
    assert_eq!(refused.error_type, "NotForUs");
    assert!(refused.message.contains("Scheduled Event"), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn release_widget_describes_itself_draws_and_refuses_what_is_no_call_of_a_dashboards() {
    let program = Program::start(&RELEASE_WIDGET, lambda(), Health::Status(200), POLICY).await;
    let ask = |payload: Value| program.runtime.invoke(payload.to_string(), PATIENT);
    let described = ask(json!({ "describe": true })).await.unwrap();
    assert!(described.as_str().unwrap().contains("``` yaml\n"), "{described}");
    let now = Timestamp::now().as_millisecond();
    let context =
        json!({ "timeRange": { "start": now - 3_600_000, "end": now }, "theme": "dark", "width": 600 });
    let drawn = ask(json!({ "widgetContext": context })).await.unwrap();
    assert!(drawn.as_str().unwrap().contains("No release and no alarm of orders from"), "{drawn}");
    let calls: Vec<String> =
        program.story.simulator.journal().into_iter().map(|call| call.operation).collect();
    assert_eq!(calls, ["Query"; 3], "the open alarms, the service's releases, its alarms");
    let refused = ask(json!({ "widgetContext": { "timeRange": { "start": now } } })).await.unwrap_err();
    assert_eq!(refused.error_type, "MalformedEvent");
    assert!(refused.message.contains("widgetContext.timeRange.end: found nothing"), "{refused:?}");
    let refused =
        ask(json!({ "DeploymentId": "d-1", "LifecycleEventHookExecutionId": "x" })).await.unwrap_err();
    assert_eq!(refused.error_type, "NotForUs");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn missing_settings_are_named_all_at_once() {
    let runtime = RuntimeApi::start().await;
    let mut binary =
        Binary::spawn(ALARM_TRANSITIONS.path(), &[("AWS_LAMBDA_RUNTIME_API", runtime.address())]).unwrap();
    assert!(!binary.wait_exit(PATIENT).await.unwrap().success());
    let said = binary.stderr();
    for name in ["BELAY_LEDGER_TABLE", "BELAY_TOPIC_ARN"] {
        assert!(said.contains(name), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn outside_lambda_a_function_says_how_to_run_it() {
    for (path, name) in [
        (&ALARM_TRANSITIONS, "alarm-transitions"),
        (&CHAT_ACTIONS, "chat-actions"),
        (&LIFECYCLE_HOOKS, "lifecycle-hooks"),
        (&PIPELINE_EVENTS, "pipeline-events"),
        (&STACK_DRIFT, "stack-drift"),
        (&SWEEP, "sweep"),
        (&RELEASE_WIDGET, "release-widget"),
    ] {
        let mut binary = Binary::spawn(path.path(), &[]).unwrap();
        assert_eq!(binary.wait_exit(PATIENT).await.unwrap().code(), Some(2));
        let said = binary.stderr();
        assert!(said.contains(name) && said.contains("cargo lambda"), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}
