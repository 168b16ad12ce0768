//! How long ago something was, for what an adapter keeps or leaves alone. No clock is read for it: a timer is looked at.

use std::{pin::Pin, time::Duration};

use futures_util::FutureExt;
use tokio::time::{Sleep, sleep};

/// A timer that nobody waits for. In real time, by a clock that only goes forward; what is decided does not hang on it.
#[derive(Debug)]
pub(crate) struct Timer(Pin<Box<Sleep>>);

impl Timer {
    /// One that begins now. Only inside tokio's runtime, and each belongs to the one that it began in.
    pub(crate) fn of(length: Duration) -> Self {
        Self(Box::pin(sleep(length)))
    }

    /// Whether its time is up.
    pub(crate) fn is_over(&mut self) -> bool {
        self.0.is_elapsed() || self.0.as_mut().now_or_never().is_some()
    }

    /// Whether it ends later than another one.
    pub(crate) fn outlasts(&self, other: &Self) -> bool {
        self.0.deadline() > other.0.deadline()
    }
}

/// Whether there is a timer, and it still runs.
pub(crate) fn runs(timer: &mut Option<Timer>) -> bool {
    timer.as_mut().is_some_and(|timer| !timer.is_over())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_timer_is_over_when_its_time_is_up() {
        let (mut short, mut long) =
            (Timer::of(Duration::from_millis(20)), Timer::of(Duration::from_secs(600)));
        assert!(!short.is_over() && long.outlasts(&short) && !short.outlasts(&long));
        sleep(Duration::from_millis(30)).await;
        assert!(short.is_over() && short.is_over() && !long.is_over());
        // One that nobody looked at in the meantime.
        let unseen = Timer::of(Duration::from_millis(20));
        sleep(Duration::from_millis(30)).await;
        assert!(!runs(&mut Some(unseen)) && !runs(&mut None) && runs(&mut Some(long)));
    }
}
