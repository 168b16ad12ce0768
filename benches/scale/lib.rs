//! How Belay scales: what an event costs in time, calls and DynamoDB units, at sizes of the policy, of a service's past and
//! of a burst.
//!
//! `cargo bench --bench scale` plays the real functions in this process against the simulator, by real SDK clients over
//! HTTP; docs/performance.md holds what came of it. Nothing here is a test: `tests/scenarios/it_scales.rs` holds the counts.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::cast_precision_loss,
    clippy::disallowed_methods,
    reason = "a benchmark that fails should stop, and measures real time"
)]

use std::time::{Duration, Instant};

use belay::policy::Policy;
use belay_benches::samples::Samples;
use belay_tests::{
    Service,
    stage::scale::{Cost, EVENTS, Scale, Size, policy_text},
};
use comfy_table::{CellAlignment, Table, presets};
use jiff::Timestamp;

/// Releases for a median.
const ROUNDS: usize = 15;
const SERVICES: [usize; 3] = [100, 1_000, 10_000];
const PAST: [usize; 3] = [1, 100, 10_000];
const BURSTS: [usize; 3] = [10, 100, 1_000];

/// Prints all tables. Takes minutes.
pub async fn run() {
    println!("The simulator answers in this process, so its own time is in all times.\n");
    policies();
    let mut table = header("services in the policy, one past release");
    let all = rounds(SERVICES.map(|services| (services, Size { services, past: 1, releasing: 1 }))).await;
    by_event(&mut table, &all);
    let mut table = header("past releases of the service, 100 services");
    let all = rounds(PAST.map(|past| (past, Size { services: 100, past, releasing: 1 }))).await;
    by_event(&mut table, &all);
    bursts().await;
}

/// Reading the policy: what a cold start pays. And looking up who watches an alarm.
fn policies() {
    let mut table = table(&["services", "KB", "read, ms", "µs a service"]);
    for services in SERVICES {
        let text = policy_text(services);
        let times = (0..ROUNDS).map(|_| {
            let begun = Instant::now();
            std::hint::black_box(Policy::parse(&text).expect("a right policy"));
            begun.elapsed()
        });
        let time = median(times);
        table.add_row([
            services.to_string(),
            (text.len() / 1_024).to_string(),
            format!("{time:.2}"),
            format!("{:.1}", time * 1e3 / services as f64),
        ]);
    }
    println!("Reading the policy\n{table}\n");
}

/// By size the costs of each event, over the rounds: one of each size in turn, so that a slow minute hits all. The first
/// of each is thrown away.
async fn rounds(sizes: [(usize, Size); 3]) -> Vec<(usize, Vec<Vec<Cost>>)> {
    let mut all = Vec::new();
    for (name, size) in sizes {
        let scale = Scale::of(size, noon()).await;
        scale.round().await;
        all.push((scale, (name, vec![Vec::new(); EVENTS.len()])));
    }
    for _ in 0..ROUNDS {
        for (scale, (_, by_event)) in &mut all {
            for (at, (_, cost)) in scale.round().await.into_iter().enumerate() {
                by_event[at].push(cost);
            }
        }
    }
    all.into_iter().map(|(_, measured)| measured).collect()
}

const COLUMNS: [&str; 10] = [
    "event",
    "size",
    "median ms",
    "CodeDeploy",
    "CloudWatch",
    "DynamoDB",
    "SNS",
    "other",
    "read units",
    "write units",
];

fn header(what: &str) -> Table {
    println!("By {what}; calls and units of the first round, medians of {ROUNDS}");
    table(&COLUMNS)
}

fn by_event(table: &mut Table, all: &[(usize, Vec<Vec<Cost>>)]) {
    for (at, event) in EVENTS.into_iter().enumerate() {
        let mut times = Vec::new();
        for (size, costs) in all {
            let time = median(costs[at].iter().map(|cost| cost.took));
            times.push(time);
            table.add_row(row(event, &size.to_string(), &format!("{time:.2}"), &costs[at][0], 1));
        }
        let verdict = verdict(&all.iter().map(|(_, costs)| &costs[at][0]).collect::<Vec<_>>());
        let slower = format!("× {}", ratio(times[times.len() - 1], times[0]));
        let mut cells = vec![String::new(), "largest / smallest".to_owned(), slower, verdict];
        cells.resize(COLUMNS.len(), String::new());
        table.add_row(cells);
    }
    println!("{table}\n");
}

/// What of an event's cost is not the same at all sizes.
fn verdict(costs: &[&Cost]) -> String {
    let differs =
        |of: fn(&Cost) -> f64| costs.iter().any(|cost| (of(cost) - of(costs[0])).abs() > f64::EPSILON);
    let mut different = Vec::new();
    if costs.iter().any(|cost| cost.calls != costs[0].calls) {
        different.push("calls");
    }
    if differs(|cost| cost.units.read) {
        different.push("read units");
    }
    if differs(|cost| cost.units.write) {
        different.push("write units");
    }
    if different.is_empty() { "the same".to_owned() } else { format!("{} differ", different.join(", ")) }
}

/// Many events at once: of as many services, and of one.
async fn bursts() {
    // What is done for the first time in this process is not the burst's.
    Scale::of(Size { services: 100, past: 1, releasing: 10 }, noon()).await.burst(10).await;
    println!("Bursts through alarm-transitions, eight invocations at a time; all figures for one event");
    let mut table = table(&COLUMNS);
    for size in BURSTS {
        let scale = Scale::of(Size { services: 1_000, past: 1, releasing: size }, noon()).await;
        let cost = scale.burst(size).await;
        let each = milliseconds(cost.took / u32::try_from(size).expect("a small number"));
        table.add_row(row("alarms of as many services", &size.to_string(), &each, &cost, size));
    }
    for size in BURSTS {
        let scale = Scale::of(Size { services: 1_000, past: 1, releasing: 1 }, noon()).await;
        let cost = scale.copies(size).await;
        assert_eq!(scale.simulator.effects("StopDeployment").len(), 1, "copies undo once");
        let each = milliseconds(cost.took / u32::try_from(size).expect("a small number"));
        table.add_row(row("copies of one alarm", &size.to_string(), &each, &cost, size));
    }
    println!("{table}");
}

fn row(event: &str, size: &str, time: &str, cost: &Cost, events: usize) -> Vec<String> {
    const OWN: [Service; 4] = [Service::CodeDeploy, Service::CloudWatch, Service::DynamoDb, Service::Sns];
    let each = |count: f64| {
        let each = count / events as f64;
        if events == 1 { format!("{each}") } else { format!("{each:.2}") }
    };
    let asked = |service: &Service| cost.calls.get(service).copied().unwrap_or_default() as f64;
    let other = cost
        .calls
        .iter()
        .filter(|(service, _)| !OWN.contains(service))
        .map(|(_, count)| *count)
        .sum::<usize>();
    let mut cells = vec![event.to_owned(), size.to_owned(), time.to_owned()];
    cells.extend(OWN.iter().map(|service| each(asked(service))));
    cells.extend([each(other as f64), each(cost.units.read), each(cost.units.write)]);
    cells
}

fn table(columns: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN).set_header(columns.to_vec());
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// In milliseconds.
fn median(times: impl Iterator<Item = Duration>) -> f64 {
    Samples(times.map(|time| time.as_secs_f64() * 1e3).collect()).median().expect("some rounds")
}

fn milliseconds(time: Duration) -> String {
    format!("{:.2}", time.as_secs_f64() * 1e3)
}

fn ratio(large: f64, small: f64) -> String {
    if small == 0.0 { "–".to_owned() } else { format!("{:.2}", large / small) }
}

fn noon() -> Timestamp {
    "2026-03-05T12:00:00Z".parse().expect("a time")
}
