//! How durations are spread: the median and the percentiles, by nearest rank.

use jiff::SignedDuration;

/// Some durations, as their percentiles. There is at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spread {
    /// How many there are.
    pub count: usize,
    /// Half of them took no longer.
    pub median: SignedDuration,
    /// Three of four took no longer.
    pub p75: SignedDuration,
    /// Nine of ten took no longer.
    pub p90: SignedDuration,
    /// Nineteen of twenty took no longer.
    pub p95: SignedDuration,
}

impl Spread {
    /// The spread of `all`, in any order; none of nothing.
    pub fn of(mut all: Vec<SignedDuration>) -> Option<Self> {
        all.sort_unstable();
        Some(Self {
            count: all.len(),
            median: percentile(&all, 50)?,
            p75: percentile(&all, 75)?,
            p90: percentile(&all, 90)?,
            p95: percentile(&all, 95)?,
        })
    }
}

/// The percentile of durations that are sorted, by nearest rank: the smallest one of which at least `percent` of 100 are
/// no longer, at place ⌈percent × count / 100⌉ counted from 1. So it is always a duration that somebody waited, never a
/// mean of two: of an even number the median is the lower one of the middle two. None of nothing.
pub fn percentile(sorted: &[SignedDuration], percent: usize) -> Option<SignedDuration> {
    let place = percent.saturating_mul(sorted.len()).div_ceil(100).max(1);
    sorted.get(place - 1).copied()
}
