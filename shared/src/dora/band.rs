//! The bands in which DORA groups those who answer its survey.
//!
//! They are those of the Accelerate State of DevOps Report 2023 (DORA, Google Cloud), table "Software delivery
//! performance":
//!
//! | | deployment frequency | lead time | change failure rate | failed deployment recovery |
//! | --- | --- | --- | --- | --- |
//! | elite | on demand | less than a day | 5 % | less than an hour |
//! | high | between once a day and once a week | a day to a week | 10 % | less than a day |
//! | medium | between once a week and once a month | a week to a month | 15 % | a day to a week |
//! | low | between once a week and once a month | a week to a month | 64 % | one to six months |
//!
//! The report describes groups that were found in answers; it draws no lines between them. The lines here are ours, at
//! each upper end: "on demand" is more than once a day, and what is worse than medium is low. 2023 is the newest year in
//! which each of the four gets worse from band to band; in 2024 the group called high had more failures (20 %) than
//! medium (10 %), so that a failure rate alone has no band there. The numbers were compared with several copies of the
//! table, not with the report itself (not verified).

use std::fmt;

use jiff::SignedDuration;

/// A band, from the best to the worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Band {
    /// The best.
    Elite,
    /// The second.
    High,
    /// The third.
    Medium,
    /// The worst.
    Low,
}

const DAY: SignedDuration = SignedDuration::from_hours(24);
const WEEK: SignedDuration = SignedDuration::from_hours(24 * 7);
/// A month is 30 days here.
const MONTH: SignedDuration = SignedDuration::from_hours(24 * 30);

impl Band {
    /// By deployments a day. Elite is more than one, high at least one a week, medium at least one in 30 days.
    pub fn of_frequency(per_day: f64) -> Self {
        if per_day > 1.0 {
            Self::Elite
        } else if per_day * 7.0 >= 1.0 {
            Self::High
        } else if per_day * 30.0 >= 1.0 {
            Self::Medium
        } else {
            Self::Low
        }
    }

    /// By the median lead time. Elite is less than a day, high up to a week, medium up to 30 days.
    pub fn of_lead_time(median: SignedDuration) -> Self {
        if median < DAY {
            Self::Elite
        } else if median <= WEEK {
            Self::High
        } else if median <= MONTH {
            Self::Medium
        } else {
            Self::Low
        }
    }

    /// By the share of changes that failed, from 0 to 1. Elite is up to 5 %, high up to 10 %, medium up to 15 %.
    pub fn of_failure_rate(share: f64) -> Self {
        if share <= 0.05 {
            Self::Elite
        } else if share <= 0.10 {
            Self::High
        } else if share <= 0.15 {
            Self::Medium
        } else {
            Self::Low
        }
    }

    /// By the median time to restore. Elite is less than an hour, high less than a day, medium up to a week.
    pub fn of_restore(median: SignedDuration) -> Self {
        if median < SignedDuration::from_hours(1) {
            Self::Elite
        } else if median < DAY {
            Self::High
        } else if median <= WEEK {
            Self::Medium
        } else {
            Self::Low
        }
    }
}

impl fmt::Display for Band {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Elite => "elite",
            Self::High => "high",
            Self::Medium => "medium",
            Self::Low => "low",
        })
    }
}
