//! EventBridge schedules: functions that are invoked at every so much virtual time.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;

use crate::simulator::Simulator;
use crate::stamps;
use crate::storm::Kind;
use crate::world::World;

/// A rule with a rate.
#[derive(Debug, Clone)]
pub(crate) struct Schedule {
    pub(crate) function: String,
    pub(crate) every: Duration,
}

impl World {
    /// Sends a Scheduled Event for each multiple of its rate after `before` and up to `to`. One that fails is
    /// delivered again like any other, three times in all; the next one comes by itself.
    pub(crate) fn ring_schedules(&mut self, before: Timestamp, to: Timestamp) {
        for Schedule { function, every } in self.schedules.clone() {
            let every = i64::try_from(every.as_secs()).expect("a rate of minutes");
            let first = before.as_second().div_euclid(every) + 1;
            for multiple in first..=to.as_second().div_euclid(every) {
                let at = Timestamp::from_second(multiple * every).expect("a moment within jiff's range");
                self.ring(&function, at);
            }
        }
    }

    /// Sends one Scheduled Event.
    fn ring(&mut self, function: &str, at: Timestamp) {
        let event = json!({
            "version": "0",
            "id": self.chance.uuid(),
            "detail-type": "Scheduled Event",
            "source": "aws.events",
            "account": "123456789012",
            "time": stamps::envelope(at),
            "region": "us-east-1",
            "resources": [format!("arn:aws:events:us-east-1:123456789012:rule/{function}")],
            "detail": {},
        });
        self.send(function, event.to_string().as_bytes(), "schedule", Kind::Event);
    }
}

impl Simulator {
    /// Lets a function's schedule ring now, whatever its rate.
    pub fn ring(&self, function: &str) {
        let mut world = self.world();
        let now = world.now;
        world.ring(function, now);
    }
}
