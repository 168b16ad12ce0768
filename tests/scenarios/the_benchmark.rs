//! The benchmark's canned answers are the simulator's own.
//!
//! `BELAY_RECORD=1 cargo test -p belay-tests --test scenarios the_benchmark` records them anew.
#![allow(clippy::disallowed_methods, reason = "a compiled program reads the real clock")]

mod overheard;

use std::{env, fs, sync::LazyLock, time::Duration};

use belay::policy::Policy;
use belay_benches::{
    answers::{Play, Protocol, RELEASE, Recorded, STOP, find, recognise, recorded},
    relative::Times,
};
use belay_tests::{
    Binary, RuntimeApi,
    stage::{
        deployed,
        functions::{self, REGION, TABLE, TOPIC, invocation},
    },
};
use ciborium::Value as Cbor;
use jiff::{SignedDuration, Timestamp};
use regex::Regex;
use serde_json::{Value, json};

use crate::{
    a_release_is_guarded::{Story, events, lambda},
    compiled_programs::{ALARM_TRANSITIONS, policy_file},
};
use overheard::{Exchange, Overheard};

/// What the benchmark's functions start with.
const POLICY: &str = include_str!("../../benches/belay.yaml");

/// Where the answers are kept.
const KEPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../benches/answers/alarm-transitions.json");

/// Names that are given anew in each play.
static IDS: LazyLock<Regex> =
    LazyLock::new(|| Regex::new("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}").unwrap());

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_benchmark_answers_what_the_simulator_answers() {
    let (played, requests) = play().await;
    if env::var_os("BELAY_RECORD").is_some() {
        fs::write(KEPT, format!("{}\n", serde_json::to_string_pretty(&played).unwrap())).unwrap();
        return;
    }
    let kept = recorded().unwrap();
    let names = |calls: &[Recorded]| -> (Vec<String>, Vec<String>) {
        let mut names: Vec<String> =
            calls.iter().map(|call| format!("{} {}", call.call, call.about.join(" "))).collect();
        // What is asked side by side comes in any order.
        let stop = calls.iter().position(|call| call.call == STOP).unwrap();
        let mut after = names.split_off(stop);
        names.sort();
        after.sort();
        (names, after)
    };
    assert_eq!(names(&played.calls), names(&kept.calls), "record the answers anew: see above");
    for (call, request) in played.calls.iter().zip(&requests) {
        let given = |place: usize| usize::from(kept.calls[place] != *call && same(&kept.calls[place], call));
        let place = find(&kept.calls, &call.call, request, given).unwrap();
        let answer = &kept.calls[place];
        assert_eq!(
            (answer.protocol, ids_aside(&answer.answer)),
            (call.protocol, ids_aside(&call.answer)),
            "{} {:?}",
            call.call,
            call.about
        );
    }
    assert_eq!(ids_aside(&kept.event), ids_aside(&played.event));
}

/// Whether both answer the same question.
fn same(one: &Recorded, other: &Recorded) -> bool {
    (&one.call, &one.about) == (&other.call, &other.about)
}

fn ids_aside(value: &Value) -> String {
    IDS.replace_all(&value.to_string(), "<id>").into_owned()
}

/// A bad release, stopped by the compiled program; and the bodies of what it asked.
async fn play() -> (Play, Vec<Vec<u8>>) {
    // On the minute, so that alarms look at the same data points in every play.
    let minute = SignedDuration::from_mins(1).as_secs();
    let begins = (Timestamp::now() - SignedDuration::from_mins(3)).as_second() / minute * minute;
    let story = Story::without_functions(lambda(), Timestamp::from_second(begins).unwrap()).await;
    let simulator = &story.simulator;
    simulator.create_ledger_table(TABLE);
    simulator.create_topic("belay");
    deployed::enforce(simulator);
    assert_eq!(story.release(), RELEASE);
    simulator.step(Duration::from_secs(5));
    // Its start was heard of, as it is everywhere where Belay is deployed.
    let began = events(&story, "pipeline-events").remove(0);
    let guards = functions::guards(&simulator.endpoint(), Policy::parse(POLICY).unwrap(), "pipeline-events");
    let invocation = invocation("the-start", simulator.now());
    pipeline_events::handle(&guards, &began.payload, invocation).await.unwrap();
    simulator.step(Duration::from_secs(145));
    simulator.take_deliveries();
    let times = Times::around(simulator.now());
    story.red("orders-5xx");
    simulator.step(Duration::from_secs(5));
    let alarm = events(&story, "alarm-transitions").remove(0);

    let overheard = Overheard::before(&simulator.endpoint()).await;
    let (runtime, policy) = (RuntimeApi::start().await, policy_file(POLICY));
    let program = Binary::spawn(
        ALARM_TRANSITIONS.path(),
        &[
            ("AWS_LAMBDA_RUNTIME_API", runtime.address()),
            ("AWS_ACCESS_KEY_ID", ALARM_TRANSITIONS.function),
            ("AWS_ENDPOINT_URL", &overheard.endpoint),
            ("AWS_REGION", REGION),
            ("BELAY_POLICY", policy.to_str().unwrap()),
            ("BELAY_LEDGER_TABLE", TABLE),
            ("BELAY_TOPIC_ARN", TOPIC),
        ],
    )
    .unwrap();
    let answer = runtime.invoke(alarm.payload.clone(), Duration::from_secs(30)).await.unwrap();
    assert_eq!(answer["outcomes"][0]["verdict"], "RollBack", "{answer}");
    assert_eq!(story.stops(), [json!({ "deploymentId": RELEASE, "autoRollbackEnabled": true })]);
    drop(program);
    let event = times.take_out(&serde_json::from_slice(&alarm.payload).unwrap());
    let exchanges = overheard.exchanges();
    let calls = exchanges.iter().map(|exchange| kept(exchange, &times)).collect();
    (Play { event, calls }, exchanges.into_iter().map(|exchange| exchange.asked.1.to_vec()).collect())
}

/// What is kept of an exchange.
fn kept(exchange: &Exchange, times: &Times) -> Recorded {
    let (headers, asked) = &exchange.asked;
    let target = headers.get("x-amz-target").map(|target| target.to_str().unwrap());
    let (call, protocol) = recognise(&exchange.path, target, asked).unwrap();
    let (_, answered) = &exchange.answered;
    assert_eq!(exchange.status, 200, "{call} {}", String::from_utf8_lossy(answered));
    let answer = match protocol {
        Protocol::Json10 | Protocol::Json11 => times.take_out(&serde_json::from_slice(answered).unwrap()),
        Protocol::Cbor => times.take_out(&from_cbor(ciborium::from_reader(answered.as_ref()).unwrap())),
        Protocol::Query => Value::String(String::from_utf8(answered.to_vec()).unwrap()),
    };
    let about = match protocol {
        Protocol::Json10 | Protocol::Json11 => about(&serde_json::from_slice(asked).unwrap()),
        Protocol::Cbor | Protocol::Query => Vec::new(),
    };
    Recorded { call, about, protocol, answer }
}

/// By what a question is told from others of its kind: the names in it, up to the first time in each.
fn about(asked: &Value) -> Vec<String> {
    let places = [
        "/deploymentId",
        "/deploymentIds/0",
        "/revision/appSpecContent/sha256",
        "/ExpressionAttributeValues/:pk/S",
        "/ExpressionAttributeValues/:from/S",
        "/Key/pk/S",
        "/Key/sk/S",
        "/Item/pk/S",
        "/Item/sk/S",
    ];
    // A moment, or a month.
    let time = Regex::new(r"\d{4}-\d\d(-\d\dT.*)?$").unwrap();
    let names = places.iter().filter_map(|place| asked.pointer(place)?.as_str());
    names.map(|name| time.replace(name, "").into_owned()).filter(|name| !name.is_empty()).collect()
}

/// Moments become numbers, as they are in JSON.
fn from_cbor(value: Cbor) -> Value {
    match value {
        Cbor::Integer(number) => i64::try_from(number).map(Value::from).unwrap(),
        Cbor::Float(number) => Value::from(number),
        Cbor::Text(text) => Value::String(text),
        Cbor::Bool(flag) => Value::Bool(flag),
        Cbor::Tag(1, inner) => from_cbor(*inner),
        Cbor::Array(members) => members.into_iter().map(from_cbor).collect(),
        Cbor::Map(members) => members
            .into_iter()
            .map(|(name, value)| (name.into_text().unwrap(), from_cbor(value)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        Cbor::Null => Value::Null,
        other => panic!("no recorded answer has this: {other:?}"),
    }
}
