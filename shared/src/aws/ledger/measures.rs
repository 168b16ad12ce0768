//! What the measures are made of: what was counted, and the incidents of a service.

use jiff::Timestamp;

use super::{Ledger, Refused, notes::beyond, records::item};
use crate::{
    aws::AwsError,
    dora::Measured,
    ledger::{Incident, Partition, sort_key},
    release::ServiceName,
};

impl Ledger {
    /// Writes down that something was counted; whether it is news. An invocation whose answer was lost finds its own
    /// record and counts nothing: a metric is rather missing than there twice.
    ///
    /// # Errors
    /// When DynamoDB does not take it.
    pub async fn count(&self, fact: &Measured, now: Timestamp) -> Result<bool, AwsError> {
        let partition = Partition::Service(fact.service().clone()).key();
        let sort = format!("{}{}", sort_key::MEASURED, fact.key());
        match self.put_if_absent(item(&partition, &sort, fact, now)?).await {
            Ok(()) => Ok(true),
            Err(Refused::Exists(_)) => Ok(false),
            Err(Refused::Failed(error)) => Err(error),
        }
    }

    /// What was counted for a service, in the order of its keys.
    ///
    /// # Errors
    /// When DynamoDB does not tell, or holds one that this version does not understand.
    pub async fn counted(&self, service: &ServiceName, now: Timestamp) -> Result<Vec<Measured>, AwsError> {
        self.bodies(
            &Partition::Service(service.clone()),
            (sort_key::MEASURED, &beyond(sort_key::MEASURED)),
            now,
        )
        .await
    }

    /// The incidents of a service that are over, oldest first.
    ///
    /// # Errors
    /// As [`Ledger::counted`].
    pub async fn closed_incidents(
        &self,
        service: &ServiceName,
        now: Timestamp,
    ) -> Result<Vec<Incident>, AwsError> {
        self.bodies(
            &Partition::Service(service.clone()),
            (sort_key::INCIDENT, &beyond(sort_key::INCIDENT)),
            now,
        )
        .await
    }
}
