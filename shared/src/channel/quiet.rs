//! When a chat product is left alone: after it asked for that, or when it does not answer.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use crate::aws::timer::Timer;

/// A product that does not answer is left alone for so long. Somebody waits, and each try takes seconds.
pub(super) const UNWELL: Duration = Duration::from_secs(5);

/// What is waited when a product asks for a pause and does not say, or not in seconds, how long.
const UNSAID: Duration = Duration::from_secs(10);

/// A longer pause than this is a mistake.
const LONGEST: Duration = Duration::from_secs(3600);

/// How long a product asks to be left alone, from its `Retry-After`: whole seconds, as Slack (docs.slack.dev, "Rate
/// limits") and Teams write it. The form with a date is not used by either.
pub(super) fn pause(retry_after: Option<&str>) -> Duration {
    let seconds = retry_after.and_then(|text| text.trim().parse().ok());
    seconds.map_or(UNSAID, Duration::from_secs).min(LONGEST)
}

/// Why it is quiet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// There were too many calls.
    Throttled,
    /// It did not answer, or with an error of its own.
    Unwell,
}

/// Until when a product is left alone. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Quiet(Arc<Mutex<Option<(Timer, Why)>>>);

impl Quiet {
    /// Why no call may be made now; `None` if one may.
    pub(super) fn why(&self) -> Option<Why> {
        let mut pause = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pause.as_mut().and_then(|(pause, why)| (!pause.is_over()).then_some(*why))
    }

    /// No calls from now on for so long. A longer pause that was asked for before stays.
    pub(super) fn begin(&self, length: Duration, why: Why) {
        let mut pause = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let new = Timer::of(length);
        if pause.as_ref().is_none_or(|(before, _)| new.outlasts(before)) {
            *pause = Some((new, why));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_in_seconds() {
        assert_eq!(pause(Some("30")), Duration::from_secs(30));
        assert_eq!(pause(Some(" 0 ")), Duration::ZERO);
        assert_eq!(pause(Some("86400")), LONGEST);
        for unsaid in
            [None, Some(""), Some("soon"), Some("-1"), Some("1.5"), Some("Wed, 21 Oct 2026 07:28:00 GMT")]
        {
            assert_eq!(pause(unsaid), UNSAID, "{unsaid:?}");
        }
    }

    #[tokio::test]
    async fn it_is_quiet_for_all_clones_until_it_ends() {
        let quiet = Quiet::default();
        let other = quiet.clone();
        assert_eq!(other.why(), None);
        quiet.begin(Duration::from_millis(20), Why::Throttled);
        tokio::time::sleep(Duration::from_millis(60)).await;
        assert_eq!(other.why(), None);
        quiet.begin(UNWELL, Why::Throttled);
        quiet.begin(UNWELL / 2, Why::Unwell);
        assert_eq!(other.why(), Some(Why::Throttled), "a shorter one changes nothing");
        let quiet = Quiet::default();
        let other = quiet.clone();
        quiet.begin(UNWELL, Why::Unwell);
        assert_eq!(other.why(), Some(Why::Unwell));
        quiet.begin(UNWELL * 2, Why::Throttled);
        assert_eq!(other.why(), Some(Why::Throttled));
    }
}
