//! Many deliveries at once, as Lambda makes them of a queue or a burst of events.

use std::mem;

use jiff::{SignedDuration, Timestamp};
use tokio::task::JoinSet;

/// Invocations at a time.
const AT_ONCE: usize = 8;

/// Gives the payloads to `invoke`, some at a time, and again a minute later what it gives back, three times in all: what
/// Lambda does with events that fail. Each comes with the virtual time of its delivery.
///
/// # Panics
/// When something fails three times, or an invocation panics.
pub async fn deliver<F, Fut>(payloads: Vec<Vec<u8>>, first: Timestamp, invoke: F)
where
    F: Fn(Vec<u8>, Timestamp) -> Fut,
    Fut: Future<Output = Result<(), Failed>> + Send + 'static,
{
    let mut left = payloads;
    let mut why = Vec::new();
    for delivery in 0..3 {
        let now = first + SignedDuration::from_mins(delivery);
        let (mut again, mut running) = (Vec::new(), JoinSet::new());
        let mut waiting = mem::take(&mut left).into_iter();
        loop {
            while running.len() < AT_ONCE
                && let Some(payload) = waiting.next()
            {
                running.spawn(invoke(payload, now));
            }
            match running.join_next().await {
                Some(invoked) => {
                    if let Err(failed) = invoked.expect("an invocation ends") {
                        why.push(failed.why);
                        again.push(failed.again);
                    }
                }
                None => break,
            }
        }
        left = again;
    }
    assert!(left.is_empty(), "{} deliveries failed three times: {why:#?}", left.len());
}

/// What is to be delivered again, and why.
#[derive(Debug)]
pub struct Failed {
    /// The payload, or what of it is left.
    pub again: Vec<u8>,
    /// What the function said.
    pub why: String,
}
