//! Time in which nothing happens, passed in one step: a quarter has a million and a half ticks.

use jiff::Timestamp;

use crate::simulator::Simulator;
use crate::world::World;

impl World {
    /// Whether nothing is under way: no deployment, no execution of a pipeline, nothing to deliver, nothing scripted, and
    /// no users whom somebody has to serve.
    fn is_quiet(&self) -> bool {
        self.traffic.is_empty()
            && self.deliveries.queue.is_empty()
            && self.cloud_watch.scripted.is_empty()
            && self.code_deploy.deployments.values().all(|one| one.status.is_over())
            && self.code_pipeline.executions.values().all(|one| one.status.is_over())
    }
}

impl Simulator {
    /// Whether nothing is under way that time would move.
    pub fn is_quiet(&self) -> bool {
        self.world().is_quiet()
    }

    /// Lets time pass in one step, in which nothing is evaluated and no schedule rings. For simulations in one account.
    ///
    /// # Panics
    /// When something is under way: it would be passed over.
    pub fn skip_to(&self, until: Timestamp) {
        let mut world = self.world();
        assert!(world.is_quiet(), "something is under way at {}", world.now);
        world.now = world.now.max(until);
        let now = world.now;
        world.dynamo_db.set_clock(now);
    }
}
