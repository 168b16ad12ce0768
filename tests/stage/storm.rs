//! A storm of faults over whole stories: one seed is one run, and the invariants hold over all of it.

pub mod drawn;
pub mod invariants;
pub mod record;

use std::{
    collections::BTreeMap,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::Duration,
};

use belay::policy::Policy;
use jiff::Timestamp;

use self::{
    drawn::{Drawn, Watches, draw},
    invariants::{Breach, INVARIANTS},
    record::Record,
};
use crate::{
    Alarm, AlarmMetric, AlarmState, Fault, Health, Mishap, Simulator, StopAnswer, What, Workload,
    stage::{functions, play, play::reported, print},
};

/// How long it is calm before the end is looked at, in minutes: an event is four minutes late at most, and its
/// retries are due within three more.
const CALM: u64 = 12;

/// How many lines of the story lead up to a breach.
const LINES: usize = 45;

/// What was survived, counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Survived {
    /// By what was counted.
    pub counts: BTreeMap<&'static str, u64>,
}

/// A seed in which an invariant broke.
#[derive(Clone, Debug)]
pub struct Broken {
    /// The seed.
    pub seed: u64,
    /// What broke, by the invariant's name.
    pub breaches: Vec<(&'static str, Breach)>,
    /// When the story began.
    pub began: Timestamp,
    /// The story up to the first breach: its last lines.
    pub story: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {} broke:", self.seed)?;
        for (name, breach) in &self.breaches {
            let seconds = breach.at.duration_since(self.began).as_secs();
            writeln!(f, "  {:>3}:{:02}  {name}: {}", seconds / 60, seconds % 60, breach.what)?;
        }
        writeln!(f, "the story so far:\n{}", self.story)?;
        write!(f, "play it again: cargo run --release --bin rehearse -- --storm 1 --seed {}", self.seed)
    }
}

/// Plays the story of a seed and judges it.
///
/// # Errors
/// What broke.
pub async fn survive(seed: u64) -> Result<Survived, Broken> {
    judge(&tell(seed, functions::install_in_storm).await)
}

/// Judges what happened.
///
/// # Errors
/// What broke.
pub fn judge(record: &Record) -> Result<Survived, Broken> {
    let mut breaches: Vec<(&'static str, Breach)> = INVARIANTS
        .iter()
        .flat_map(|(name, invariant)| invariant(record).into_iter().map(move |breach| (*name, breach)))
        .collect();
    breaches.sort_by_key(|(_, breach)| breach.at);
    let Some((_, first)) = breaches.first() else {
        return Ok(Survived { counts: counts(record) });
    };
    let until = record.timeline.partition_point(|happening| happening.at <= first.at);
    let story = print::story(record.began, &record.timeline[..until]);
    let lines: Vec<&str> = story.lines().collect();
    let story = lines[lines.len().saturating_sub(LINES)..].join("\n");
    Err(Broken { seed: record.seed, began: record.began, story, breaches })
}

/// Plays the story of a seed with the functions that `install` puts into it.
pub async fn tell(seed: u64, install: impl FnOnce(&Simulator, Policy)) -> Record {
    let drawn = draw(seed);
    let began: Timestamp = play::BEGINS.parse().expect("a time");
    let simulator = Simulator::start(began).await;
    let policy = set_up(&simulator, &drawn);
    install(&simulator, policy);
    simulator.storm(drawn.storm.clone());
    let mut acts: Vec<(u64, Act<'_>)> = Vec::new();
    for service in &drawn.services {
        let releases = service.releases.iter();
        acts.extend(releases.map(|release| (release.at, Act::Release(service.name, &release.label))));
        let probe = format!("{}-probe", service.name);
        acts.extend(service.probe.iter().map(|(at, state)| (*at, Act::Probe(probe.clone(), *state))));
    }
    acts.extend(drawn.replays.map(|minute| (minute * 60, Act::Replay)));
    acts.sort_by_key(|(at, _)| *at);
    for (at, act) in acts {
        if at >= drawn.lasts * 60 {
            break;
        }
        simulator.advance_to(began + Duration::from_secs(at)).await;
        match act {
            // Refused while another one runs, as a pipeline's would be.
            Act::Release(name, label) => drop(simulator.start_deployment(name, name, label, "user")),
            Act::Probe(alarm, state) => {
                if simulator.alarm_state(&alarm) != state {
                    simulator.set_alarm_state(&alarm, state, simulator.now());
                }
            }
            Act::Replay => replay(&simulator),
        }
    }
    simulator.advance_to(began + Duration::from_secs(drawn.lasts * 60)).await;
    simulator.calm();
    simulator.advance(Duration::from_secs(CALM * 60)).await;
    record(seed, began, drawn, &simulator)
}

enum Act<'a> {
    Release(&'a str, &'a str),
    Probe(String, AlarmState),
    Replay,
}

/// The first alarm event that a function was given comes once more.
fn replay(simulator: &Simulator) {
    let old = simulator.timeline().into_iter().find_map(|happening| match happening.what {
        What::Invoked { function, payload, .. } if function == "alarm-transitions" => Some(payload),
        _ => None,
    });
    if let Some(old) = old {
        simulator.send("alarm-transitions", old.as_bytes());
    }
}

fn set_up(simulator: &Simulator, drawn: &Drawn) -> Policy {
    for service in &drawn.services {
        simulator.create_group(service.group.clone());
        let mut workload = Workload::steady(600.0);
        for release in &service.releases {
            workload = workload.revision(&release.label, release.behaves);
        }
        simulator.set_workload(service.name, workload);
        simulator.health_endpoint(service.name, Health::Status(service.health));
        for alarm in &service.alarms {
            let made = match alarm.watches {
                Watches::Errors => Alarm::new(&alarm.name, AlarmMetric::ErrorRate, service.name, 0.02),
                Watches::Latency => Alarm::new(&alarm.name, AlarmMetric::LatencyP99, service.name, 1_000.0),
                Watches::Script => Alarm::scripted(&alarm.name),
            };
            let made = if alarm.red { made.initially(AlarmState::Alarm) } else { made };
            simulator.create_alarm(made);
        }
    }
    if drawn.stops_later {
        simulator.answer_stops_with(StopAnswer::Pending);
    }
    let text = drawn.policy(&simulator.endpoint());
    Policy::parse(&text).unwrap_or_else(|mistakes| panic!("{mistakes}\n{text}"))
}

fn record(seed: u64, began: Timestamp, drawn: Drawn, simulator: &Simulator) -> Record {
    let deployments = drawn.services.iter().flat_map(|service| simulator.deployments(service.name)).collect();
    Record {
        seed,
        began,
        ended: simulator.now(),
        deployments,
        table: simulator.table(functions::TABLE),
        given_up: simulator.dead_letters(),
        on_its_way: simulator.take_deliveries(),
        unmodelled: simulator.acknowledge_unmodelled(),
        timeline: play::as_written(simulator.timeline(), &simulator.endpoint()),
        drawn,
    }
}

fn counts(record: &Record) -> BTreeMap<&'static str, u64> {
    let mut counts = BTreeMap::new();
    let mut count = |what: &'static str| *counts.entry(what).or_insert(0) += 1;
    for happening in &record.timeline {
        match &happening.what {
            What::ApiCall(call) => {
                count("calls");
                match call.fault {
                    None => {}
                    Some(Fault::Throttle) => count("faults: throttled"),
                    Some(Fault::InternalError) => count("faults: server errors"),
                    Some(Fault::CutConnection) => count("faults: cut off before the effect"),
                    Some(Fault::TimeoutAfterEffect) => count("faults: cut off after the effect"),
                    Some(Fault::Hang(_)) => count("faults: hung"),
                }
                if call.killed.is_some() {
                    count("invocations killed");
                }
                if call.changed && ["StopDeployment", "CreateDeployment"].contains(&call.operation.as_str()) {
                    count("undos");
                }
                if call.changed && call.operation == "PutLifecycleEventHookExecutionStatus" {
                    count("hooks answered");
                }
            }
            What::Delivery { mishap, .. } => count(match mishap {
                Mishap::Lost => "events lost",
                Mishap::Doubled => "events doubled",
                Mishap::Late { .. } => "events late",
            }),
            What::HookCalled { .. } => count("hooks called"),
            What::Message { .. } => count("messages"),
            What::Chat { .. } => count("chat messages and their changes"),
            What::Invoked { result, .. } => {
                count("invocations");
                for decision in result.iter().flat_map(|answer| reported(answer)) {
                    if decision.verdict == "Ask" {
                        count("asks");
                    }
                }
            }
            What::DeploymentEvent { state, .. } if state == "START" => count("deployments"),
            What::Traffic { .. }
            | What::Alarm { .. }
            | What::DeploymentEvent { .. }
            | What::PipelineEvent { .. }
            | What::LifecycleEvent { .. } => {}
        }
    }
    for _ in &record.given_up {
        count("deliveries given up");
    }
    counts
}

impl Survived {
    /// Adds what another seed survived.
    pub fn add(&mut self, other: &Self) {
        for (what, count) in &other.counts {
            *self.counts.entry(what).or_insert(0) += count;
        }
    }
}

/// Plays one story on a runtime of its own: what a killed invocation left behind ends with it. A simulator that
/// panics has broken the seed as well.
///
/// # Errors
/// What broke.
pub fn survive_alone(seed: u64) -> Result<Survived, Broken> {
    alone(seed, survive(seed))
}

/// Runs one story on a runtime of its own.
///
/// # Errors
/// What broke.
pub fn alone(seed: u64, story: impl Future<Output = Result<Survived, Broken>>) -> Result<Survived, Broken> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    catch_unwind(AssertUnwindSafe(|| runtime.block_on(story))).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        let what = format!("the story ended in a panic: {}", text.unwrap_or_default());
        let began = play::BEGINS.parse().expect("a time");
        let breaches = vec![("nothing panics", Breach { at: began, what })];
        Err(Broken { seed, breaches, began, story: String::new() })
    })
}

/// Plays `count` seeds from `first`, so many at once, and hands each result over as it comes.
pub fn survive_many(
    first: u64,
    count: u64,
    at_once: usize,
    each: impl Fn(u64, Result<Survived, Broken>) + Sync,
) {
    let next = AtomicU64::new(0);
    thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        return;
                    }
                    let seed = first.wrapping_add(number);
                    each(seed, survive_alone(seed));
                }
            });
        }
    });
}
