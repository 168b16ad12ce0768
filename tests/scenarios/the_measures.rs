//! The four DORA measures of a quarter, played through the functions: every figure as it comes out by hand, and the same
//! figures again from the metrics that the functions wrote into their logs.
//!
//! Counted by hand from tests/quarters/2026-q1.yaml. A release by a pipeline takes three minutes, so that a commit of
//! 08:03 that is released at 10:00 has a lead time of two hours. Percentiles are by nearest rank: place ⌈p·n⌉ of n.
//!
//! **checkout**: 20 releases. c05 and c13 were stopped on their way, c16 failed by itself: 17 deployments in 90 days.
//!
//! | | |
//! | --- | --- |
//! | frequency | 17 / 90 = 0.1889 a day, × 7 = 1.3222 a week: at least one a week, high |
//! | lead times (h) | 1, 1.5, 2, 3, 4, 5, 6, 8, **10**, 12, 14, 20, **24**, 30, 36, **48**, **72** |
//! | | median ⌈8.5⌉ = 9th, p75 ⌈12.75⌉ = 13th, p90 ⌈15.3⌉ = 16th, p95 ⌈16.15⌉ = 17th; under a day: elite |
//! | failures | c05 and c09 taken back, c13 halted: 3 of 17 + 2 (c05, c13) = 19; 3 / 19 = 15.79 %: low |
//! | restore (min) | 12 (c05), **30** (c09), **45** (c13), **130** (no release): of 4 the 2nd, 3rd, 4th, 4th; elite |
//!
//! **search**: 14 releases. s4 was stopped on its way: 13 deployments, none with a known commit.
//!
//! | | |
//! | --- | --- |
//! | frequency | 13 / 90 = 0.1444 a day, × 7 = 1.0111 a week: high |
//! | failures | v4 taken back, v8 had an alarm and was kept: 2 of 13 + 1 = 14; 2 / 14 = 14.29 %: medium |
//! | restore (min) | 6 (v4), **90** (v8), **1560** (no release): ⌈1.5⌉ = 2nd, then ⌈2.25⌉ = 3rd; under a day: high |
//!
//! **billing**: 6 deployments, no failure; b03's alarm came when it was not on watch any more.
//!
//! | | |
//! | --- | --- |
//! | frequency | 6 / 90 = 0.0667 a day, × 7 = 0.4667 a week, × 30 = 2 a month: medium |
//! | lead times (d) | 3, 6, **9**, 12, **20**, **33**: ⌈3⌉, ⌈4.5⌉ = 5th, ⌈5.4⌉ = 6th, 6th; up to a month: medium |
//! | failures | 0 of 6: elite |
//! | restore (min) | **180**; one is open; high |
//!
//! **overall**: 17 + 13 + 6 = 36 deployments; 36 / 90 = 0.4 a day, 2.8 a week: high.
//!
//! | | |
//! | --- | --- |
//! | lead times (h) | checkout's 17 and 72, 144, 216, 288, 480, 792: in order 1, 1.5, 2, 3, 4, 5, 6, 8, 10, 12, 14, **20**, 24, 30, 36, 48, 72, **72**, 144, 216, **288**, **480**, 792 |
//! | | of 23: ⌈11.5⌉ = 12th, ⌈17.25⌉ = 18th, ⌈20.7⌉ = 21st, ⌈21.85⌉ = 22nd; elite |
//! | failures | 3 taken back, 1 halted, 1 alarmed: 5 of 36 + 3 = 39; 12.82 %: medium |
//! | restore (min) | 6, 12, 30, **45**, 90, **130**, 180, **1560**: of 8 the 4th, 6th, ⌈7.2⌉ = 8th, 8th; elite; one open |

use std::collections::BTreeMap;

use belay::dora::{Band, Measures, Spread};
use belay_tests::stage::quarter::{Played, Quarter, Report, play};
use jiff::SignedDuration;
use serde_json::Value;
use tokio::sync::OnceCell;

const QUARTER: &str = include_str!("../quarters/2026-q1.yaml");

/// Played once for all tests that look at it.
async fn played() -> &'static Played {
    static PLAYED: OnceCell<Played> = OnceCell::const_new();
    PLAYED.get_or_init(async || play(&Quarter::parse(QUARTER).unwrap()).await.unwrap()).await
}

/// One column of the table above; minutes, and shares in hundredths of a per cent.
#[derive(Debug, PartialEq)]
struct Column {
    deployments: u32,
    per_week: i64,
    frequency: Option<Band>,
    lead_times: Option<[i64; 4]>,
    known_and_not: (usize, u32),
    lead_time: Option<Band>,
    undone_halted_alarmed: [u32; 3],
    failed_of: (u32, u32),
    rate: Option<i64>,
    failures: Option<Band>,
    restore_times: Option<[i64; 4]>,
    over_and_open: (usize, u32),
    after_a_release: u32,
    restore: Option<Band>,
    never_arrived_and_unfinished: (u32, u32),
}

fn column(of: &Measures) -> Column {
    let minutes = |times: Spread| [times.median, times.p75, times.p90, times.p95].map(|one| one.as_mins());
    let count = |times: Option<Spread>| times.map_or(0, |times| times.count);
    #[allow(clippy::cast_possible_truncation, reason = "rounded, and small")]
    let hundredths = |number: f64| (number * 10_000.0).round() as i64;
    Column {
        deployments: of.frequency.deployments,
        per_week: hundredths(of.frequency.per_week()),
        frequency: of.frequency.band,
        lead_times: of.lead_time.times.map(minutes),
        known_and_not: (count(of.lead_time.times), of.lead_time.unknown),
        lead_time: of.lead_time.band,
        undone_halted_alarmed: [of.failures.undone, of.failures.halted, of.failures.alarmed],
        failed_of: (of.failures.failed, of.failures.of),
        rate: of.failures.share().map(hundredths),
        failures: of.failures.band,
        restore_times: of.restore.times.map(minutes),
        over_and_open: (count(of.restore.times), of.restore.open),
        after_a_release: of.restore.after_a_release,
        restore: of.restore.band,
        never_arrived_and_unfinished: (of.never_arrived, of.unfinished),
    }
}

const HOUR: i64 = 60;
const DAY: i64 = 24 * HOUR;

#[tokio::test]
async fn every_figure_of_the_quarter_is_the_one_worked_out_by_hand() {
    let Played { report, dead_letters, .. } = played().await;
    assert_eq!(*dead_letters, 0);
    assert_eq!(report.services.len(), 3, "{:?}", report.services.keys());
    assert_eq!(
        column(&report.services[&"checkout".into()]),
        Column {
            deployments: 17,
            per_week: 13_222,
            frequency: Some(Band::High),
            lead_times: Some([10 * HOUR, 24 * HOUR, 48 * HOUR, 72 * HOUR]),
            known_and_not: (17, 0),
            lead_time: Some(Band::Elite),
            undone_halted_alarmed: [2, 1, 0],
            failed_of: (3, 19),
            rate: Some(1_579),
            failures: Some(Band::Low),
            restore_times: Some([30, 45, 130, 130]),
            over_and_open: (4, 0),
            after_a_release: 3,
            restore: Some(Band::Elite),
            never_arrived_and_unfinished: (1, 0),
        },
        "checkout"
    );
    assert_eq!(
        column(&report.services[&"search".into()]),
        Column {
            deployments: 13,
            per_week: 10_111,
            frequency: Some(Band::High),
            lead_times: None,
            known_and_not: (0, 13),
            lead_time: None,
            undone_halted_alarmed: [1, 0, 1],
            failed_of: (2, 14),
            rate: Some(1_429),
            failures: Some(Band::Medium),
            restore_times: Some([90, 26 * HOUR, 26 * HOUR, 26 * HOUR]),
            over_and_open: (3, 0),
            after_a_release: 2,
            restore: Some(Band::High),
            never_arrived_and_unfinished: (0, 0),
        },
        "search"
    );
    assert_eq!(
        column(&report.services[&"billing".into()]),
        Column {
            deployments: 6,
            per_week: 4_667,
            frequency: Some(Band::Medium),
            lead_times: Some([9 * DAY, 20 * DAY, 33 * DAY, 33 * DAY]),
            known_and_not: (6, 0),
            lead_time: Some(Band::Medium),
            undone_halted_alarmed: [0, 0, 0],
            failed_of: (0, 6),
            rate: Some(0),
            failures: Some(Band::Elite),
            restore_times: Some([180, 180, 180, 180]),
            over_and_open: (1, 1),
            after_a_release: 0,
            restore: Some(Band::High),
            never_arrived_and_unfinished: (0, 0),
        },
        "billing"
    );
    assert_eq!(
        column(&report.overall),
        Column {
            deployments: 36,
            per_week: 28_000,
            frequency: Some(Band::High),
            lead_times: Some([20 * HOUR, 72 * HOUR, 12 * DAY, 20 * DAY]),
            known_and_not: (23, 13),
            lead_time: Some(Band::Elite),
            undone_halted_alarmed: [3, 1, 1],
            failed_of: (5, 39),
            rate: Some(1_282),
            failures: Some(Band::Medium),
            restore_times: Some([45, 130, 26 * HOUR, 26 * HOUR]),
            over_and_open: (8, 1),
            after_a_release: 5,
            restore: Some(Band::Elite),
            never_arrived_and_unfinished: (1, 0),
        },
        "overall"
    );
}

/// Metric → its values in order, of one service.
type Series = BTreeMap<String, Vec<i64>>;

/// What CloudWatch would make of the lines, by service.
fn series(logged: &[String]) -> BTreeMap<String, Series> {
    let mut services: BTreeMap<String, Series> = BTreeMap::new();
    for line in logged {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let Some(service) = line["Service"].as_str() else { continue };
        let directive = &line["_aws"]["CloudWatchMetrics"][0];
        for metric in directive["Metrics"].as_array().unwrap() {
            let name = metric["Name"].as_str().unwrap();
            let value = line[name].as_i64().unwrap_or_else(|| panic!("{name} is no number in {line}"));
            services.entry(service.to_owned()).or_default().entry(name.to_owned()).or_default().push(value);
        }
    }
    services
}

/// Although every event came twice, and the sweep looked for what no event had said.
#[tokio::test]
async fn the_metrics_in_the_logs_add_up_to_the_same_measures() {
    let Played { report: Report { services, .. }, logged, .. } = played().await;
    let series = series(logged);
    assert_eq!(series.len(), services.len());
    for (service, measures) in services {
        let of = |name: &str| series[service.as_str()].get(name).cloned().unwrap_or_default();
        let total = |name: &str| u32::try_from(of(name).iter().sum::<i64>()).unwrap();
        assert_eq!(total("Deployments"), measures.frequency.deployments, "{service}");
        assert_eq!(total("ChangeFailures"), measures.failures.failed, "{service}");
        assert_eq!(total("Deployments") + total("ChangesStopped"), measures.failures.of, "{service}");
        let spread = |name| Spread::of(of(name).into_iter().map(SignedDuration::from_secs).collect());
        assert_eq!(spread("LeadTime"), measures.lead_time.times, "{service}");
        assert_eq!(spread("TimeToRestore"), measures.restore.times, "{service}");
    }
}

#[test]
fn a_misspelt_quarter_is_refused_with_its_line() {
    let line_of = |text: &str, part: &str| text.lines().position(|line| line.contains(part)).unwrap() + 1;
    for (from, to, said) in [
        ("releases: checkout, revision: c03", "relaeses: checkout, revision: c03", "relaeses"),
        (
            "releases: checkout, revision: c03",
            "releases: chekout, revision: c03",
            "there is no service `chekout`",
        ),
        (
            "alarm: search-latency, red_for",
            "alarm: serch-latency, red_for",
            "there is no alarm `serch-latency`",
        ),
        ("fails_in: Production", "fails_in: Prodution", "there is no stage `Prodution`"),
        ("red_for: 26h", "red_for: 26", "expected a duration"),
        ("at: 2026-03-30T12:00:00Z", "at: 2026-04-30T12:00:00Z", "not between"),
        (
            "revision: v3 }",
            "revision: v3, committed: 2026-01-20T12:00:00Z }",
            "does not know when the commit",
        ),
        ("alarm: billing-5xx, red_for: 3h", "alarm: billing-5xx, revision: b1", "expected either"),
    ] {
        assert!(QUARTER.contains(from), "{from}");
        let text = QUARTER.replace(from, to);
        let line = line_of(&text, to);
        let why = Quarter::parse(&text).unwrap_err();
        assert!(why.contains(said), "{to}: {why}");
        assert!(why.contains(&format!("line {line}")), "{to}, line {line}: {why}");
    }
    let text = QUARTER.replace("checkout-saturation: halt", "checkout-saturation: hold");
    let why = Quarter::parse(&text).unwrap_err();
    assert!(why.contains("the policy in line") && why.contains("hold"), "{why}");
}
