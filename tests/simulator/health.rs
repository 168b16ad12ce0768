//! Endpoints for health checks to ask, at `{endpoint}/health/{name}`.

use std::time::Duration;

/// How an endpoint answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// This status.
    Status(u16),
    /// 200 after so long, in *real* time.
    Slow(Duration),
    /// Never, while the simulator lives.
    Hang,
    /// Closes the connection without an answer.
    Refuse,
    /// One status after the other; the last one stays.
    Sequence(Vec<u16>),
}

/// An endpoint in the simulator's state.
#[derive(Debug)]
pub(crate) struct Endpoint {
    pub(crate) health: Health,
    pub(crate) requests: usize,
}

impl Endpoint {
    /// Counts a request and says how this one is to be answered: a sequence becomes its next status.
    pub(crate) fn ask(&mut self) -> Health {
        self.requests += 1;
        match &self.health {
            Health::Sequence(statuses) => {
                let place = self.requests.min(statuses.len()) - 1;
                Health::Status(statuses[place])
            }
            Health::Status(_) | Health::Slow(_) | Health::Hang | Health::Refuse => self.health.clone(),
        }
    }
}
