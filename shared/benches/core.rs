//! How long the core takes: deciding, decoding, reading a policy, and looking up who watches an alarm.
//!
//! `cargo bench -p belay`; docs/benchmarks.md holds what came of it. Nothing here is a test.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a benchmark that fails should stop"
)]

use std::hint::black_box;

use belay::{
    decision, events,
    evidence::{AlarmEvidence, AlarmPast, Back, Observed, PlaceEvidence, ServiceEvidence, Target, Way},
    ledger::ReleaseLedger,
    policy::Policy,
    release::{AlarmName, DeploymentGroup, Place, Platform, Release, ReleaseStatus, Revision},
    signal::{AlarmChange, AlarmState},
};
use divan::{Bencher, counter::ItemsCount};
use jiff::{SignedDuration, Timestamp};

fn main() {
    divan::main();
}

/// Services of five exact alarms and two patterns each, the patterns as people write them: by the service's name.
fn policy_text(services: usize) -> String {
    let mut text = String::from("version: 1\nservices:\n");
    for n in 0..services {
        text.push_str(&format!(
            "  service-{n}:
    deployed_by: [ {{ codedeploy: {{ application: service-{n}, deployment_group: prod }} }} ]
    alarms:
      service-{n}-prod-5xx-rate: roll_back
      service-{n}-prod-latency-p99: {{ rule: roll_back, missing: alarm }}
      service-{n}-prod-saturation: halt
      service-{n}-prod-queue-age: ask
      service-{n}-prod-cost: notify
      service-{n}-prod-*: notify
      service-{n}-canary-*: roll_back
"
        ));
    }
    text
}

fn policy(services: usize) -> Policy {
    Policy::parse(&policy_text(services)).expect("a right policy")
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_secs(1_772_712_000 + seconds)
}

fn known<T>(value: T) -> Observed<T> {
    Observed::Known { value, at: at(90) }
}

fn change() -> AlarmChange {
    AlarmChange {
        alarm: "service-0-prod-5xx-rate".into(),
        arn: Some("arn:aws:cloudwatch:us-east-1:123456789012:alarm:service-0-prod-5xx-rate".into()),
        account: Some("123456789012".into()),
        region: Some("us-east-1".into()),
        to: AlarmState::Alarm,
        from: Some(AlarmState::Ok),
        reason: "Threshold Crossed: 2 out of the last 3 datapoints were greater than the threshold (0.005)."
            .into(),
        at: at(90),
        quieted: None,
    }
}

/// All that is known of a running release with a way back: row 16, after every other row was tried.
fn evidence() -> AlarmEvidence {
    let group = DeploymentGroup { application: "service-0".into(), group: "prod".into() };
    let release = Release {
        id: "d-2".into(),
        place: Place::Group(group.clone()),
        platform: Platform::Lambda,
        status: ReleaseStatus::InProgress,
        created_at: at(0),
        completed_at: None,
        creator: "user".into(),
        rolls_back: None,
        rolled_back_by: None,
        error: None,
        revision: Revision::Named("v42".into()),
        description: None,
        change: belay::release::Change::default(),
        again: None,
        course: None,
        released_nothing: false,
    };
    let target = Target::KnownGood { deployment: "d-1".into(), revision: "v41".into() };
    AlarmEvidence {
        services: vec![ServiceEvidence {
            service: "service-0".into(),
            places: vec![PlaceEvidence {
                place: Place::Group(group),
                latest: known(Some(release)),
                back: known(Back::To { target, way: Way::Stop }),
                marked: known(None),
                ledger: known(ReleaseLedger::default()),
                earlier: known(None),
                past: known(AlarmPast::News),
                flaps: known(0),
                taken_back: known(None),
                next_stage: None,
                within: Vec::new(),
                deploys_to: Vec::new(),
                traffic: known(10),
            }],
            taken_back: known(Vec::new()),
            would_have: known(Vec::new()),
        }],
        judged: known(Vec::new()),
        incidents: known(Vec::new()),
        stands: Observed::Missing { why: String::new() },
        delivery: known(1),
    }
}

#[divan::bench]
fn decide(bencher: Bencher) {
    let (policy, evidence, change) = (policy(100), evidence(), change());
    let decisions = decision::alarm::decide(&policy, &evidence, &change, at(91));
    assert!(decisions[0].verdict == decision::Verdict::RollBack, "{decisions:?}");
    bencher.bench(|| decision::alarm::decide(black_box(&policy), &evidence, black_box(&change), at(91)));
}

mod decode {
    use super::{Bencher, ItemsCount, black_box, events};

    const ALARM: &str =
        include_str!("../../tests/fixtures/cloudwatch/cloudwatch-alarm-state-change-metric.json");
    const SNS: &str = include_str!("../../tests/fixtures/cloudwatch/sns-cloudwatch-alarm-metric.json");
    const DEPLOYMENT: &str = include_str!("../../tests/fixtures/codedeploy/codedeploy-deployment-stop.json");

    fn alarms(bencher: Bencher, payload: &str, count: usize) {
        events::alarm(payload.as_bytes()).expect("an alarm");
        bencher.counter(ItemsCount::new(count)).bench(|| events::alarm(black_box(payload.as_bytes())));
    }

    #[divan::bench]
    fn eventbridge_alarm(bencher: Bencher) {
        alarms(bencher, ALARM, 1);
    }

    #[divan::bench]
    fn sns_alarm(bencher: Bencher) {
        alarms(bencher, SNS, 1);
    }

    #[divan::bench]
    fn sqs_batch_of_10(bencher: Bencher) {
        let record = |n: usize| serde_json::json!({ "eventSource": "aws:sqs", "messageId": format!("message-{n}"), "body": ALARM });
        let batch = serde_json::json!({ "Records": (0..10).map(record).collect::<Vec<_>>() }).to_string();
        alarms(bencher, &batch, 10);
    }

    #[divan::bench]
    fn codedeploy_event(bencher: Bencher) {
        events::release(DEPLOYMENT.as_bytes()).expect("a deployment's event");
        bencher.bench(|| events::release(black_box(DEPLOYMENT.as_bytes())));
    }
}

#[divan::bench(args = [10, 100, 1_000, 10_000])]
fn policy_parse(bencher: Bencher, services: usize) {
    let text = policy_text(services);
    bencher.counter(ItemsCount::new(services)).bench(|| Policy::parse(black_box(&text)));
}

mod watchers {
    use super::{AlarmName, Bencher, black_box, policy};

    const SERVICES: [usize; 4] = [10, 100, 1_000, 10_000];

    fn look_up(bencher: Bencher, services: usize, alarm: &str, found: usize) {
        let (policy, alarm) = (policy(services), AlarmName::from(alarm));
        assert_eq!(policy.watchers(&alarm).len(), found);
        bencher.bench(|| policy.watchers(black_box(&alarm)).len());
    }

    #[divan::bench(args = SERVICES)]
    fn by_name(bencher: Bencher, services: usize) {
        look_up(bencher, services, "service-7-prod-5xx-rate", 1);
    }

    #[divan::bench(args = SERVICES)]
    fn by_pattern(bencher: Bencher, services: usize) {
        look_up(bencher, services, "service-7-canary-5xx-rate", 1);
    }

    #[divan::bench(args = SERVICES)]
    fn by_nobody(bencher: Bencher, services: usize) {
        look_up(bencher, services, "warehouse-prod-5xx-rate", 0);
    }
}
