//! Users: how many requests they send, and how the revisions answer them.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::stamps;
use crate::timeline::What;
use crate::world::World;

/// How one revision answers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Behaviour {
    /// The fraction of requests answered with a server error, 0 to 1.
    pub error_rate: f64,
    /// The 99th percentile of latency.
    pub latency_p99_ms: f64,
    /// Behaves like this from this minute of its service on; healthily before.
    pub from_minute: u32,
}

impl Behaviour {
    /// No errors, 120 ms: what a revision without an entry does.
    pub const HEALTHY: Self = Self { error_rate: 0.0, latency_p99_ms: 120.0, from_minute: 0 };

    /// Fails this fraction of requests.
    pub fn failing(error_rate: f64) -> Self {
        Self { error_rate, ..Self::HEALTHY }
    }

    /// Answers this slowly.
    pub fn slow(latency_p99_ms: f64) -> Self {
        Self { latency_p99_ms, ..Self::HEALTHY }
    }

    /// Only from this minute of service on.
    pub fn from_minute(mut self, minute: u32) -> Self {
        self.from_minute = minute;
        self
    }

    /// The fraction of requests slower than this. Latencies above the median are taken to follow a
    /// Pareto law with exponent 2, so the tail beyond the 99th percentile falls with the square.
    fn slower_than(&self, limit_ms: f64) -> f64 {
        (0.01 * (self.latency_p99_ms / limit_ms).powi(2)).min(1.0)
    }
}

/// What a deployment group's users do.
#[derive(Debug, Clone)]
pub struct Workload {
    /// Requests per minute; 0 means that no metric has data.
    pub requests_per_minute: f64,
    /// By revision label.
    pub revisions: BTreeMap<String, Behaviour>,
    /// A request slower than this has failed its user, too.
    pub slow_ms: Option<f64>,
}

impl Workload {
    /// So many requests, all revisions healthy.
    pub fn steady(requests_per_minute: f64) -> Self {
        Self { requests_per_minute, revisions: BTreeMap::new(), slow_ms: None }
    }

    /// Lets a revision behave so.
    pub fn revision(mut self, label: &str, behaviour: Behaviour) -> Self {
        self.revisions.insert(label.to_owned(), behaviour);
        self
    }

    /// Counts slower requests as failed.
    pub fn slow_above(mut self, milliseconds: f64) -> Self {
        self.slow_ms = Some(milliseconds);
        self
    }
}

/// Requests since the start of the simulation.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Requests {
    /// All.
    pub total: f64,
    /// Those that failed their users: server errors and, with a limit, slow answers.
    pub failed: f64,
}

/// Who serves whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    /// The new revision's part, 0 to 100.
    pub new_percent: u32,
    /// The revision being released, if any traffic goes to one.
    pub new_label: Option<String>,
    /// The revision that serves the rest. `v0` stands for whatever was there before CodeDeploy.
    pub old_label: String,
}

/// One minute of one group.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Minute {
    pub(crate) requests: f64,
    errors: f64,
    failed: f64,
    /// Requests times the square of the 99th percentile: see [`Minute::latency_p99_ms`].
    latency_squares: f64,
}

impl Minute {
    pub(crate) fn error_rate(&self) -> f64 {
        tidy(self.errors / self.requests)
    }

    /// Of two Pareto tails with exponent 2 the mixture's 99th percentile is the root mean square.
    pub(crate) fn latency_p99_ms(&self) -> f64 {
        tidy((self.latency_squares / self.requests).sqrt())
    }
}

/// Sums over five-second steps leave digits that no metric would show.
fn tidy(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

/// A group's traffic in the simulator's state.
#[derive(Debug)]
pub(crate) struct Served {
    pub(crate) workload: Workload,
    pub(crate) totals: Requests,
    /// The metrics of this group are not delivered.
    pub(crate) dark: bool,
    current: Minute,
    /// Minute since 1970 → what was measured in it.
    pub(crate) minutes: BTreeMap<i64, Minute>,
    first_served: BTreeMap<String, Timestamp>,
}

impl Served {
    pub(crate) fn new(workload: Workload) -> Self {
        Self {
            workload,
            totals: Requests::default(),
            dark: false,
            current: Minute::default(),
            minutes: BTreeMap::new(),
            first_served: BTreeMap::new(),
        }
    }

    /// Counts the requests that one revision got in a step.
    fn serve(&mut self, label: &str, requests: f64, at: Timestamp) {
        let since = *self.first_served.entry(label.to_owned()).or_insert(at);
        let behaviour = match self.workload.revisions.get(label) {
            Some(behaviour) if at >= since + stamps::minutes(i64::from(behaviour.from_minute)) => *behaviour,
            Some(_) | None => Behaviour::HEALTHY,
        };
        let slow = self.workload.slow_ms.map_or(0.0, |limit| behaviour.slower_than(limit));
        let failing = 1.0 - (1.0 - behaviour.error_rate) * (1.0 - slow);
        self.current.requests += requests;
        self.current.errors += requests * behaviour.error_rate;
        self.current.failed += requests * failing;
        self.current.latency_squares += requests * behaviour.latency_p99_ms.powi(2);
        self.totals.total += requests;
        self.totals.failed += requests * failing;
    }
}

impl World {
    /// Lets users send requests from one moment to the next.
    pub(crate) fn serve_users(&mut self, from: Timestamp, to: Timestamp) {
        let minutes = to.duration_since(from).as_secs_f64() / 60.0;
        for (group, served) in &mut self.traffic {
            let routing = &self.code_deploy.groups[group].routing;
            let requests = served.workload.requests_per_minute * minutes;
            let to_new = match &routing.new {
                Some((label, percent)) if *percent > 0 => {
                    let part = requests * f64::from(*percent) / 100.0;
                    served.serve(label, part, from);
                    part
                }
                Some(_) | None => 0.0,
            };
            if to_new < requests {
                served.serve(&routing.old, requests - to_new, from);
            }
        }
    }

    /// Ends a minute: what was counted becomes data points.
    pub(crate) fn close_minute(&mut self, minute: i64) {
        let mut ended = Vec::new();
        for (group, served) in &mut self.traffic {
            let counted = std::mem::take(&mut served.current);
            if counted.requests > 0.0 && !served.dark {
                served.minutes.insert(minute, counted);
            }
            ended.push((group.clone(), counted));
        }
        for (group, counted) in ended {
            let new_percent = self.share(&group).new_percent;
            let measured = counted.requests > 0.0;
            self.happened(What::Traffic {
                group,
                new_percent,
                requests: tidy(counted.requests),
                failed: tidy(counted.failed),
                error_rate: if measured { counted.error_rate() } else { 0.0 },
                latency_p99_ms: if measured { counted.latency_p99_ms() } else { 0.0 },
            });
        }
    }

    pub(crate) fn share(&self, group: &str) -> Share {
        let routing = &self.code_deploy.group(group).routing;
        Share {
            new_percent: routing.new.as_ref().map_or(0, |(_, percent)| *percent),
            new_label: routing.new.as_ref().map(|(label, _)| label.clone()),
            old_label: routing.old.clone(),
        }
    }

    pub(crate) fn served(&self, group: &str) -> &Served {
        self.traffic.get(group).unwrap_or_else(|| panic!("no workload was given to the group {group:?}"))
    }
}
