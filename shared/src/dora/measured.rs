//! What one signal adds to the measures: the facts that become metrics, each once.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::fact::{Trouble, by_its_own_alarm, lead_time, says_that_an_alarm_fired};
use crate::{
    decision::{Decision, Verdict},
    ledger::{Ended, Incident},
    release::{AlarmName, ReleaseId, ReleaseStatus, ServiceName},
};

/// Something that counts. It is written into the ledger under its key before it becomes a metric, so that it becomes one
/// once, however often its signal comes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Measured {
    /// A release got through.
    Deployed {
        /// The service.
        service: ServiceName,
        /// The release.
        release: ReleaseId,
        /// When.
        at: Timestamp,
        /// How long its commit took to get there, where the commit's time is known.
        lead_time: Option<SignedDuration>,
    },
    /// A change failed. That is once, whatever else happens to it.
    Failed {
        /// The service.
        service: ServiceName,
        /// The release.
        release: ReleaseId,
        /// When that was known.
        at: Timestamp,
        /// How it began to be known.
        how: Trouble,
    },
    /// A change that failed ended without having got through: it is one change more than there are deployments.
    Stopped {
        /// The service.
        service: ServiceName,
        /// The release.
        release: ReleaseId,
        /// When.
        at: Timestamp,
    },
    /// An alarm is OK again.
    Restored {
        /// The service.
        service: ServiceName,
        /// The alarm.
        alarm: AlarmName,
        /// When it went off.
        began: Timestamp,
        /// When it was OK again.
        at: Timestamp,
    },
}

impl Measured {
    /// The service that it counts for.
    pub fn service(&self) -> &ServiceName {
        match self {
            Self::Deployed { service, .. }
            | Self::Failed { service, .. }
            | Self::Stopped { service, .. }
            | Self::Restored { service, .. } => service,
        }
    }

    /// When it was so.
    pub fn at(&self) -> Timestamp {
        match self {
            Self::Deployed { at, .. }
            | Self::Failed { at, .. }
            | Self::Stopped { at, .. }
            | Self::Restored { at, .. } => *at,
        }
    }

    /// What makes it one thing and no other, within its service.
    pub fn key(&self) -> String {
        match self {
            Self::Deployed { release, .. } => format!("deployed/{release}"),
            Self::Failed { release, .. } => format!("failed/{release}"),
            Self::Stopped { release, .. } => format!("stopped/{release}"),
            Self::Restored { alarm, began, .. } => format!("restored/{began:.3}/{alarm}"),
        }
    }
}

/// What a decision and its circumstances add to the measures. `ended` is how the release ended, if the signal says so;
/// `known` what had gone wrong with it before; `restored` the incident that the signal ends, with its end.
pub fn measured(
    decision: &Decision,
    ended: Option<&Ended>,
    known: Option<Trouble>,
    restored: Option<&Incident>,
    now: Timestamp,
) -> Vec<Measured> {
    let mut all = Vec::new();
    if decision.verdict == Verdict::LookAgain {
        return all;
    }
    if let Some(Incident { alarm, service, began, ended: Some(at), .. }) = restored {
        all.push(Measured::Restored {
            service: service.clone(),
            alarm: alarm.clone(),
            began: *began,
            at: *at,
        });
    }
    let Some(service) = decision.service.clone() else { return all };
    if let Some(release) = decision.blames.clone() {
        all.push(Measured::Failed { service: service.clone(), release, at: now, how: Trouble::Alarmed });
    }
    let release = decision.release.as_ref().map(|subject| &subject.deployment);
    let Some(release) = release.filter(|release| release.is_release() && !release.is_rollback()) else {
        return all;
    };
    let by_its_own = ended.filter(|ended| by_its_own_alarm(ended.error.as_ref()));
    let acts = decision.effect.as_ref().filter(|_| !decision.observed);
    let fails = match (acts, by_its_own) {
        (Some(effect), _) => Some(if effect.takes_back() { Trouble::Undone } else { Trouble::Halted }),
        (None, Some(Ended { rolled_back_by: Some(_), .. })) => Some(Trouble::Undone),
        (None, Some(Ended { rolled_back_by: None, .. })) => Some(Trouble::Halted),
        (None, None) => says_that_an_alarm_fired(&decision.reasons).then_some(Trouble::Alarmed),
    };
    let id = || release.id.clone();
    if let Some(how) = fails {
        all.push(Measured::Failed { service: service.clone(), release: id(), at: now, how });
    }
    if let Some(ended) = ended {
        let at = ended.at;
        if ended.status == ReleaseStatus::Succeeded {
            let lead_time = lead_time(release.change.committed, at);
            all.push(Measured::Deployed { service, release: id(), at, lead_time });
        } else if known.or(fails).is_some() {
            all.push(Measured::Stopped { service, release: id(), at });
        }
    }
    all
}
