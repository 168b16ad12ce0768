//! What an event costs, in calls and in DynamoDB's units, is the same with one past release of its service and with a
//! thousand, and with ten services in the policy and a thousand. Counts only: how long it takes, `cargo bench --bench
//! scale` says.

use belay::{
    decision::Verdict,
    evidence::Undone,
    ledger::{Note, SCORED, Watch, Would},
    release::{DeploymentGroup, Place, ReleaseId, ReleaseStatus, ServiceName},
};
use belay_tests::{
    Service,
    stage::scale::{Cost, EVENTS, Round, Scale, Size},
};
use jiff::SignedDuration;

use crate::a_release_is_guarded::noon;

/// Two rounds at a size; without their times, which are never the same twice.
async fn rounds(services: usize, past: usize) -> Vec<Round> {
    let scale = Scale::of(Size { services, past, releasing: 1 }, noon()).await;
    let mut rounds = Vec::new();
    for _ in 0..2 {
        rounds.push(scale.round().await.into_iter().map(|(event, cost)| (event, untimed(cost))).collect());
    }
    rounds
}

fn untimed(cost: Cost) -> Cost {
    Cost { took: std::time::Duration::ZERO, ..cost }
}

/// Without what a bounded page costs: the widget reads up to sixty releases of the past.
fn but_the_widget(rounds: Vec<Round>) -> Vec<Round> {
    rounds
        .into_iter()
        .map(|round| round.into_iter().filter(|(event, _)| !event.starts_with("release-widget")).collect())
        .collect()
}

#[tokio::test]
async fn an_event_costs_the_same_at_every_size() {
    let small = rounds(10, 1).await;
    assert_eq!(small[0].iter().map(|(event, _)| *event).collect::<Vec<_>>(), EVENTS);
    // Not nothing: an undo reads and writes the ledger, and asks CodeDeploy.
    let undo = &small[0][1].1;
    assert!(undo.units.read >= 4.0 && undo.units.write >= 10.0, "{undo:?}");
    assert!(undo.calls[&Service::CodeDeploy] >= 5 && undo.calls[&Service::Sns] == 1, "{undo:?}");
    let large = rounds(1_000, 1_000).await;
    assert_eq!(but_the_widget(large.clone()), but_the_widget(small));
    // What the widget reads is a page of each: as many calls with a thousand releases as with two hundred, and no more
    // units than sixty releases, a hundred lines of them and a hundred alarms are.
    let widget = |rounds: &[Round]| -> Vec<Cost> { rounds.iter().map(|round| round[4].1.clone()).collect() };
    for (large, middle) in widget(&large).into_iter().zip(widget(&rounds(10, 200).await)) {
        assert_eq!(large.calls, middle.calls);
        assert!(large.units.read <= 80.0, "{large:?}");
    }
}

#[tokio::test]
async fn what_was_undone_is_found_across_months_by_a_query_for_each() {
    let scale = Scale::of(Size { services: 1, past: 0, releasing: 1 }, noon()).await;
    let (ledger, now) = (&scale.ledger, scale.simulator.now());
    let ago = |days: i64| now - SignedDuration::from_hours(24 * days);
    for (service, days) in [("s0", 1), ("s1", 40), ("s0", 89), ("s1", 89)] {
        let undone = Undone { release: ReleaseId::from(format!("d-{days}")), at: ago(days) };
        ledger.keep(&Note::TookBack(ServiceName::from(service), undone), now).await.unwrap();
    }
    // Noon is in March.
    for (since, expected, months) in [(2, vec!["s0 d-1"], 1), (41, vec!["s0 d-1", "s1 d-40"], 3)] {
        let (found, cost) = scale.reading(ledger.all_taken_back(ago(since), now)).await;
        let mut found: Vec<String> =
            found.unwrap().iter().map(|(service, undone)| format!("{service} {}", undone.release)).collect();
        found.sort();
        assert_eq!(
            (found, cost.calls[&Service::DynamoDb]),
            (expected.into_iter().map(str::to_owned).collect(), months)
        );
    }
    // No further back than records are kept.
    let (found, cost) = scale.reading(ledger.all_taken_back(ago(4_000), now)).await;
    assert_eq!((found.unwrap().len(), cost.calls[&Service::DynamoDb]), (4, 4));
}

#[tokio::test]
async fn what_looks_back_reads_a_page() {
    let scale = Scale::of(Size { services: 1, past: 300, releasing: 1 }, noon()).await;
    let (ledger, now) = (&scale.ledger, scale.simulator.now());
    let service = ServiceName::from("s0");
    // Ten of three hundred: the newest, the newest first.
    let (last, cost) = scale.reading(ledger.releases_of(&service, 10, now)).await;
    let last: Vec<String> = last.unwrap().iter().map(|watch| watch.release.to_string()).collect();
    assert_eq!(last, (0..10).map(|n| format!("d-PAST{n:05}")).collect::<Vec<_>>());
    assert_eq!((cost.calls[&Service::DynamoDb], cost.units.read), (1, 1.0));
    // The newest in a time, the oldest first.
    let within = (now - SignedDuration::from_hours(24 * 89), now);
    let (some, _) = scale.reading(ledger.releases_between(&service, within, 3, now)).await;
    let some: Vec<String> = some.unwrap().iter().map(|watch| watch.release.to_string()).collect();
    assert_eq!(some, ["d-PAST00002", "d-PAST00001", "d-PAST00000"]);
    // What would have been undone: a hundred and some, of which a hundred are counted.
    for n in 0..SCORED + 7 {
        let at = now - SignedDuration::from_hours(i64::try_from(n).unwrap() + 1);
        let release = ReleaseId::from(format!("d-WOULD{n:04}"));
        let ended = Some(ReleaseStatus::Succeeded);
        let would = Would { service: service.clone(), release, verdict: Verdict::RollBack, at, ended };
        ledger.keep(&Note::Would(would), at).await.unwrap();
    }
    let (would, cost) = scale.reading(ledger.would_have(&service, now)).await;
    let would = would.unwrap();
    assert_eq!((would.len(), cost.calls[&Service::DynamoDb]), (SCORED, 1));
    assert!(would.iter().all(|would| would.release.as_str() < "d-WOULD0100"), "the newest are counted");
    // More than a page of DynamoDB's holds (1 MB) is not read for a few.
    let place = Place::Group(DeploymentGroup { application: "x".repeat(50), group: "y".repeat(50) });
    let long = ServiceName::from("z".repeat(800));
    for n in 0..3 {
        let release = ReleaseId::from(format!("d-{n}"));
        let watch = Watch { release, service: long.clone(), place: place.clone(), began: now };
        ledger.keep(&Note::Listed(watch), now).await.unwrap();
    }
    assert_eq!(ledger.releases_of(&long, usize::MAX, now).await.unwrap().len(), 3);
    // Nothing there is nothing found.
    let nobody = ServiceName::from("nobody");
    assert_eq!(ledger.releases_of(&nobody, 10, now).await.unwrap(), []);
    assert_eq!(
        ledger.taken_back(&nobody, SignedDuration::from_hours(6), now).await.unwrap(),
        Vec::<Undone>::new()
    );
}
