//! What a service's releases and alarms were in a time, for whoever looks back.

use jiff::Timestamp;
use serde::de::DeserializeOwned;

use super::{Ledger, notes::beyond};
use crate::{
    aws::AwsError,
    ledger::{Incident, Partition, Watch, sort_key},
    release::ServiceName,
};

impl Ledger {
    /// The releases of a service that began in a time, the oldest first: the newest `most` of them.
    ///
    /// # Errors
    /// When DynamoDB does not tell, or holds a record that this version does not understand.
    pub async fn releases_between(
        &self,
        service: &ServiceName,
        time: (Timestamp, Timestamp),
        most: usize,
        now: Timestamp,
    ) -> Result<Vec<Watch>, AwsError> {
        self.between(service, sort_key::RELEASE, time, most, now).await
    }

    /// The alarms of a service that went off in a time and are OK again, the oldest first: the newest `most` of them.
    ///
    /// # Errors
    /// As [`Ledger::releases_between`].
    pub async fn incidents_between(
        &self,
        service: &ServiceName,
        time: (Timestamp, Timestamp),
        most: usize,
        now: Timestamp,
    ) -> Result<Vec<Incident>, AwsError> {
        self.between(service, sort_key::INCIDENT, time, most, now).await
    }

    /// The alarms of all services that are not OK again.
    ///
    /// # Errors
    /// As [`Ledger::releases_between`].
    pub async fn open_incidents(&self, now: Timestamp) -> Result<Vec<Incident>, AwsError> {
        let all = (sort_key::INCIDENT, &*beyond(sort_key::INCIDENT));
        self.bodies(&Partition::Open, all, now).await
    }

    /// What stands in a service's partition under a prefix and a time. The times are written to the millisecond.
    async fn between<T: DeserializeOwned>(
        &self,
        service: &ServiceName,
        prefix: &str,
        (from, to): (Timestamp, Timestamp),
        most: usize,
        now: Timestamp,
    ) -> Result<Vec<T>, AwsError> {
        let (from, to) = (format!("{prefix}{from:.3}"), beyond(&format!("{prefix}{to:.3}")));
        let mut found = self.newest(&Partition::Service(service.clone()), (&from, &to), most, now).await?;
        found.reverse();
        Ok(found)
    }
}
