//! The four DORA measures, from what Belay itself knows: how often users get something new, how long a commit takes to
//! get to them, how often a change fails, and how long it takes until all is well again.
//!
//! What is counted, and what is not, is written for people in docs/measures.md; the definitions are these functions. Only
//! what is written down counts. What is not known (a commit's time, an incident that is still open) is counted apart and
//! never put in as a number.

mod band;
mod fact;
mod measured;
mod spread;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use crate::{
    ledger::Incident,
    release::{ReleaseStatus, ServiceName},
};

pub use self::{
    band::Band,
    fact::{ReleaseFact, Trouble, trouble},
    measured::{Measured, measured},
    spread::{Spread, percentile},
};

/// The time that is measured: from its beginning up to, not including, its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// The first moment in it.
    pub from: Timestamp,
    /// The first moment after it.
    pub until: Timestamp,
}

impl Period {
    /// Whether a moment is in it.
    pub fn holds(&self, at: Timestamp) -> bool {
        self.from <= at && at < self.until
    }

    /// How many days of 24 hours it has; not always a whole number.
    pub fn days(&self) -> f64 {
        self.until.duration_since(self.from).as_secs_f64() / SignedDuration::from_hours(24).as_secs_f64()
    }
}

/// The four measures of one service, or of all together.
#[derive(Clone, Debug, PartialEq)]
pub struct Measures {
    /// How often users get something new.
    pub frequency: Frequency,
    /// How long a commit takes to get to them.
    pub lead_time: LeadTime,
    /// How often a change fails.
    pub failures: FailureRate,
    /// How long it takes until all is well again.
    pub restore: Restore,
    /// Releases that ended in the period without getting through, and without any sign of trouble for users: the deployer
    /// gave them up, a hook refused them, a person stopped them. They are in none of the four.
    pub never_arrived: u32,
    /// Releases that began before the period's end and had not ended by then.
    pub unfinished: u32,
}

/// Deployment frequency: releases that got through to all users, and take nothing back.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Frequency {
    /// How many.
    pub deployments: u32,
    /// A day, on the average over the whole period.
    pub per_day: f64,
    /// None when there was not one.
    pub band: Option<Band>,
}

impl Frequency {
    /// A week, on the average over the whole period.
    pub fn per_week(&self) -> f64 {
        self.per_day * 7.0
    }
}

/// Lead time for changes: from a commit's own time to the end of the deployment that brought it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeadTime {
    /// Of the deployments whose commit's time is known; none if it is known of none.
    pub times: Option<Spread>,
    /// Deployments whose commit's time is not known.
    pub unknown: u32,
    /// By the median.
    pub band: Option<Band>,
}

/// Change failure rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FailureRate {
    /// Changes that failed: the three below together.
    pub failed: u32,
    /// Taken back, by Belay, by a person through Belay, or by CodeDeploy because of an alarm of its own.
    pub undone: u32,
    /// Halted and not taken back, by the same.
    pub halted: u32,
    /// Neither, but an alarm that judges releases went off while the release was on watch.
    pub alarmed: u32,
    /// Of how many: the deployments, and those that failed before they could become one.
    pub of: u32,
    /// By the share of `failed` in `of`.
    pub band: Option<Band>,
}

impl FailureRate {
    /// The share, from 0 to 1; none if nothing was released.
    pub fn share(&self) -> Option<f64> {
        (self.of > 0).then(|| f64::from(self.failed) / f64::from(self.of))
    }
}

/// Time to restore: from an alarm's transition to ALARM to its return to OK.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restore {
    /// Of the incidents that began in the period and are over.
    pub times: Option<Spread>,
    /// How many of those that began in the period were about a release.
    pub after_a_release: u32,
    /// Incidents that began in the period and are not over.
    pub open: u32,
    /// By the median.
    pub band: Option<Band>,
}

/// Measures each service by itself, in the order of their names. A service of which nothing is known is not there.
pub fn by_service(
    releases: &[ReleaseFact],
    incidents: &[Incident],
    period: &Period,
) -> BTreeMap<ServiceName, Measures> {
    let of_releases = releases.iter().map(|release| &release.service);
    let services: BTreeSet<&ServiceName> =
        of_releases.chain(incidents.iter().map(|incident| &incident.service)).collect();
    services
        .into_iter()
        .map(|service| {
            let releases: Vec<ReleaseFact> =
                releases.iter().filter(|one| one.service == *service).cloned().collect();
            let incidents: Vec<Incident> =
                incidents.iter().filter(|one| one.service == *service).cloned().collect();
            (service.clone(), measure(&releases, &incidents, period))
        })
        .collect()
}

/// Measures all that is given together. A release belongs to the period in which it ended, an incident to the one in which
/// it began. A release that takes another one back is part of that one's story, and no release of its own.
pub fn measure(releases: &[ReleaseFact], incidents: &[Incident], period: &Period) -> Measures {
    let mut lead_times = Vec::new();
    let (mut deployments, mut unknown, mut never_arrived, mut unfinished) = (0, 0, 0, 0);
    let (mut undone, mut halted, mut alarmed, mut stopped) = (0, 0, 0, 0);
    for release in releases.iter().filter(|release| !release.takes_back) {
        let (status, ended) = match &release.ended {
            Some((status, ended)) if *ended < period.until => (status, *ended),
            Some(_) | None => {
                unfinished += u32::from(release.began < period.until);
                continue;
            }
        };
        if !period.holds(ended) {
            continue;
        }
        let arrived = *status == ReleaseStatus::Succeeded;
        if arrived {
            deployments += 1;
            match release.lead_time() {
                Some(took) => lead_times.push(took),
                None => unknown += 1,
            }
        }
        match release.trouble {
            Some(Trouble::Undone) => undone += 1,
            Some(Trouble::Halted) => halted += 1,
            Some(Trouble::Alarmed) => alarmed += 1,
            None => never_arrived += u32::from(!arrived),
        }
        stopped += u32::from(!arrived && release.trouble.is_some());
    }
    let failed = undone + halted + alarmed;
    let failures = FailureRate { failed, undone, halted, alarmed, of: deployments + stopped, band: None };
    let per_day = f64::from(deployments) / period.days();
    let lead_time = Spread::of(lead_times);
    Measures {
        frequency: Frequency {
            deployments,
            per_day,
            band: (deployments > 0).then(|| Band::of_frequency(per_day)),
        },
        lead_time: LeadTime {
            times: lead_time,
            unknown,
            band: lead_time.map(|times| Band::of_lead_time(times.median)),
        },
        failures: FailureRate { band: failures.share().map(Band::of_failure_rate), ..failures },
        restore: restore(incidents, period),
        never_arrived,
        unfinished,
    }
}

fn restore(incidents: &[Incident], period: &Period) -> Restore {
    let (mut open, mut after_a_release) = (0, 0);
    let mut took = Vec::new();
    for incident in incidents.iter().filter(|incident| period.holds(incident.began)) {
        after_a_release += u32::from(incident.release.is_some());
        match incident.ended {
            Some(ended) => took.push(ended.duration_since(incident.began)),
            None => open += 1,
        }
    }
    let times = Spread::of(took);
    Restore { times, after_a_release, open, band: times.map(|times| Band::of_restore(times.median)) }
}
