//! The report: the four measures of each service and of all, from what the ledger holds.

use std::collections::BTreeMap;

use belay::{
    aws::{AwsError, ledger::Ledger},
    dora::{Measures, Period, ReleaseFact, by_service, measure},
    ledger::Incident,
    policy::Policy,
    release::ServiceName,
};
use jiff::Timestamp;

/// The four measures.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// Of which time.
    pub period: Period,
    /// By service; those of which the ledger knows something.
    pub services: BTreeMap<ServiceName, Measures>,
    /// Of all services together.
    pub overall: Measures,
}

impl Report {
    /// Reads what the ledger holds of the policy's services, and measures it.
    ///
    /// # Errors
    /// When the ledger does not tell, or holds a record that this version does not understand.
    pub async fn read(
        period: Period,
        policy: &Policy,
        ledger: &Ledger,
        now: Timestamp,
    ) -> Result<Self, AwsError> {
        let (mut releases, mut incidents) = (Vec::new(), Vec::new());
        for service in policy.services() {
            for watch in ledger.releases_of(&service.name, usize::MAX, now).await? {
                let known = ledger.release(&watch.release, now).await?;
                releases.push(ReleaseFact::of(&watch, &known));
            }
            incidents.extend(ledger.closed_incidents(&service.name, now).await?);
        }
        let (open, unreadable) = ledger.open_things(now).await?;
        if let Some(error) = unreadable.into_iter().next() {
            return Err(error);
        }
        incidents.extend(open.incidents);
        Ok(Self::of(period, &releases, &incidents))
    }

    fn of(period: Period, releases: &[ReleaseFact], incidents: &[Incident]) -> Self {
        Self {
            period,
            services: by_service(releases, incidents, &period),
            overall: measure(releases, incidents, &period),
        }
    }
}
