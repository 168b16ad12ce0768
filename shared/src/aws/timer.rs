//! How long ago something was, for what an adapter keeps or leaves alone. Nothing is decided by it.

use std::{pin::Pin, time::Duration};

use aws_smithy_async::time::{SystemTimeSource, TimeSource};
use futures_util::FutureExt;
use jiff::Timestamp;
use tokio::time::{Sleep, sleep};

/// A timer that nobody waits for. It is over when either clock says so: the one that only goes forward may stand still
/// while Lambda has a function frozen, which is not documented, and half an hour must not pass for a second; the one on
/// the wall may be set back.
#[derive(Debug)]
pub(crate) struct Timer {
    forward: Pin<Box<Sleep>>,
    wall: Timestamp,
}

impl Timer {
    /// One that begins now. Only inside tokio's runtime, and each belongs to the one that it began in.
    pub(crate) fn of(length: Duration) -> Self {
        let wall = on_the_wall().checked_add(length).unwrap_or(Timestamp::MAX);
        Self { forward: Box::pin(sleep(length)), wall }
    }

    /// Whether its time is up.
    pub(crate) fn is_over(&mut self) -> bool {
        self.forward.is_elapsed()
            || self.forward.as_mut().now_or_never().is_some()
            || self.wall <= on_the_wall()
    }

    /// Whether it ends later than another one.
    pub(crate) fn outlasts(&self, other: &Self) -> bool {
        self.forward.deadline() > other.forward.deadline()
    }
}

/// By the clock that the SDK signs by. One that cannot be right ends nothing.
fn on_the_wall() -> Timestamp {
    Timestamp::try_from(SystemTimeSource::new().now()).unwrap_or(Timestamp::MIN)
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
        assert!(!long.is_over() && long.outlasts(&short) && !short.outlasts(&long));
        sleep(Duration::from_millis(30)).await;
        assert!(short.is_over() && short.is_over() && !long.is_over());
        // One that nobody looked at in the meantime.
        let unseen = Timer::of(Duration::from_millis(20));
        sleep(Duration::from_millis(30)).await;
        assert!(!runs(&mut Some(unseen)) && !runs(&mut None) && runs(&mut Some(long)));
    }

    #[tokio::test]
    async fn a_timer_is_over_also_when_only_the_wall_says_so() {
        let hour = Duration::from_secs(3_600);
        let mut frozen = Timer { forward: Box::pin(sleep(hour)), wall: on_the_wall() };
        assert!(frozen.is_over());
        let mut set_back = Timer { forward: Box::pin(sleep(Duration::ZERO)), wall: on_the_wall() + hour };
        sleep(Duration::from_millis(5)).await;
        assert!(set_back.is_over());
    }
}
