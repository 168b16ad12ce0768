//! A storm of faults: what goes wrong is drawn from a seed, call by call and event by event.
//!
//! A call's fate hangs on what it is, not on when it comes: calls of one invocation that run side by side
//! arrive in any order, and one seed must be one run all the same.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio::sync::Notify;

use crate::chance::{Chance, digest};
use crate::faults::Fault;
use crate::timeline::{Mishap, What};
use crate::world::World;

/// How hard it storms. Probabilities are 0 to 1; those of calls count for each attempt of a call, and
/// together they are 1 or less.
#[derive(Debug, Clone, PartialEq)]
pub struct Storm {
    /// Everything is drawn from this.
    pub seed: u64,
    /// A call is refused for its rate.
    pub throttle: f64,
    /// A call is answered with HTTP 500.
    pub internal_error: f64,
    /// A call's connection is cut before anything happened.
    pub cut: f64,
    /// A call's connection is cut after its effect.
    pub cut_after_effect: f64,
    /// A call hangs for `hangs_for`.
    pub hang: f64,
    /// In real time.
    pub hangs_for: Duration,
    /// The invocation dies at a call, half of the times before its effect.
    pub kill: f64,
    /// An event is lost. Invocations that Lambda accepted, which is what a hook's call is, are not.
    pub lose: f64,
    /// An event comes twice.
    pub duplicate: f64,
    /// An event, or a copy of it, comes late.
    pub late: f64,
    /// So late at most: each by its own amount, so that events overtake one another.
    pub latest: Duration,
    /// An invocation's clock is off by at most so much, in either direction.
    pub skew: Duration,
}

impl Storm {
    /// No fault at all, but for what is set.
    pub fn of(seed: u64) -> Self {
        Self {
            seed,
            throttle: 0.0,
            internal_error: 0.0,
            cut: 0.0,
            cut_after_effect: 0.0,
            hang: 0.0,
            hangs_for: Duration::ZERO,
            kill: 0.0,
            lose: 0.0,
            duplicate: 0.0,
            late: 0.0,
            latest: Duration::ZERO,
            skew: Duration::ZERO,
        }
    }

    fn draw(&self, about: &str) -> Chance {
        Chance::seeded(self.seed ^ digest(about))
    }
}

/// Where an invocation dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Killed {
    /// Before the call had any effect.
    Before,
    /// After the call's effect.
    After,
}

/// What befalls one attempt of a call.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Fate {
    pub(crate) fault: Option<Fault>,
    pub(crate) killed: Option<Killed>,
}

/// One attempt of a call, as the front sees it.
pub(crate) struct Attempt<'a> {
    pub(crate) invocation: u64,
    pub(crate) operation: &'a str,
    pub(crate) input: &'a Value,
    /// The caller's name for all attempts of one call, and which attempt this is.
    pub(crate) call: &'a str,
    pub(crate) number: &'a str,
}

/// The storm, and the invocations in it.
#[derive(Debug, Default)]
pub(crate) struct Weather {
    pub(crate) storm: Option<Storm>,
    /// The caller's names of the calls of the present invocation → which one it is of its kind.
    calls: BTreeMap<String, usize>,
    kinds: BTreeMap<String, usize>,
    /// Invocations so far.
    pub(crate) invocations: u64,
    /// The one that runs, and how to end it.
    running: Option<(u64, Arc<Notify>)>,
    dead: BTreeSet<u64>,
}

impl Weather {
    /// Begins an invocation: its number, how its death is announced, and its clock.
    pub(crate) fn begin(&mut self, now: Timestamp) -> (u64, Arc<Notify>, Timestamp) {
        self.invocations += 1;
        self.calls.clear();
        self.kinds.clear();
        let number = self.invocations;
        let death = Arc::new(Notify::new());
        self.running = Some((number, Arc::clone(&death)));
        let skew = self.storm.as_ref().map_or(0, |storm| {
            let most = u64::try_from(storm.skew.as_millis()).expect("a skew of seconds");
            let drawn = storm.draw(&format!("clock of {number}")).below(2 * most + 1);
            drawn.cast_signed() - most.cast_signed()
        });
        (number, death, now + SignedDuration::from_millis(skew))
    }

    pub(crate) fn end(&mut self) {
        self.running = None;
    }

    pub(crate) fn is_dead(&self, invocation: u64) -> bool {
        self.dead.contains(&invocation)
    }

    pub(crate) fn kill(&mut self, invocation: u64) {
        if let Some((running, death)) = &self.running
            && *running == invocation
        {
            self.dead.insert(invocation);
            death.notify_one();
        }
    }

    pub(crate) fn fate(&mut self, attempt: &Attempt<'_>) -> Fate {
        let Some(storm) = &self.storm else { return Fate::default() };
        let kind = format!("{} {}", attempt.operation, subject(attempt.input));
        let which = *self.calls.entry(attempt.call.to_owned()).or_insert_with(|| {
            let count = self.kinds.entry(kind.clone()).or_default();
            *count += 1;
            *count
        });
        let about = format!("call {which} of {kind} in {}, attempt {}", attempt.invocation, attempt.number);
        let mut chance = storm.draw(&about);
        let mut left = chance.fraction();
        let mut drawn = |probability: f64| {
            left -= probability;
            left < 0.0
        };
        let fault = if drawn(storm.throttle) {
            Fault::Throttle
        } else if drawn(storm.internal_error) {
            Fault::InternalError
        } else if drawn(storm.cut) {
            Fault::CutConnection
        } else if drawn(storm.cut_after_effect) {
            Fault::TimeoutAfterEffect
        } else if drawn(storm.hang) {
            Fault::Hang(storm.hangs_for)
        } else if drawn(storm.kill) {
            let killed = if chance.happens(0.5) { Killed::Before } else { Killed::After };
            return Fate { fault: None, killed: Some(killed) };
        } else {
            return Fate::default();
        };
        Fate { fault: Some(fault), killed: None }
    }
}

/// What a call is about, in words that are the same in every run of a seed: bodies hold the port of the
/// day. A write is told by its key and its expression, a message by its subject.
fn subject(input: &Value) -> String {
    let members = [
        "pk",
        "sk",
        "Key",
        "UpdateExpression",
        "ExpressionAttributeValues",
        "Subject",
        "deploymentId",
        "deploymentIds",
        "deploymentGroupName",
        "includeOnlyStatuses",
        "targetId",
        "AlarmName",
        "AlarmNames",
        "AlarmNamePrefix",
        "lifecycleEventHookExecutionId",
    ];
    let key = &input["Item"];
    let part = |name: &str| match name {
        "pk" | "sk" => Some(key[name].to_string()).filter(|text| text != "null"),
        // Only what is asked for: the values of a write hold times.
        "ExpressionAttributeValues" => Some(input[name][":pk"].to_string()).filter(|text| text != "null"),
        _ => input.get(name).map(Value::to_string),
    };
    members.iter().filter_map(|name| part(name)).collect::<Vec<_>>().join(" ")
}

/// What is on its way, and how it fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// EventBridge's, or a schedule's: best effort.
    Event,
    /// Accepted by Lambda: never lost.
    Accepted,
}

impl World {
    /// How late each copy of something on its way arrives; none when it is lost.
    pub(crate) fn travel(
        &mut self,
        function: &str,
        about: &str,
        kind: Kind,
        count: u64,
    ) -> Vec<SignedDuration> {
        let Some(storm) = &self.weather.storm else { return vec![SignedDuration::ZERO] };
        let mut chance = storm.draw(&format!("delivery {count} of {about}"));
        let mut mishaps = Vec::new();
        let mut copies = Vec::new();
        if kind == Kind::Event && chance.happens(storm.lose) {
            mishaps.push(Mishap::Lost);
        } else {
            copies.push(late(&mut chance, storm));
            if chance.happens(storm.duplicate) {
                mishaps.push(Mishap::Doubled);
                copies.push(late(&mut chance, storm));
            }
        }
        let delays = copies.iter().filter(|delay| !delay.is_zero());
        mishaps.extend(delays.map(|delay| Mishap::Late { by: *delay }));
        for mishap in mishaps {
            let (function, about) = (function.to_owned(), about.to_owned());
            self.happened(What::Delivery { function, about, mishap });
        }
        copies
    }
}

fn late(chance: &mut Chance, storm: &Storm) -> SignedDuration {
    if chance.happens(storm.late) {
        let most = i64::try_from(storm.latest.as_secs()).expect("minutes");
        SignedDuration::from_secs(chance.below(most.cast_unsigned().max(1)).cast_signed() + 1)
    } else {
        SignedDuration::ZERO
    }
}
