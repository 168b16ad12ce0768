//! Offers, answers and cards in the ledger.

use crate::aws::client::Call as _;
use aws_sdk_dynamodb::operation::get_item::GetItemInput;
use jiff::Timestamp;
use serde::de::DeserializeOwned;

use super::{
    Claim, Claimant, Claimed, Ledger, Refused,
    records::{item, read_body, text},
};
use crate::{
    aws::AwsError,
    ledger::{Answered, Offer, Partition, Press, ShownCard, Watch, sort_key},
    release::{ReleaseId, ServiceName},
};

const GET: &str = "dynamodb:GetItem";

impl Ledger {
    /// Writes down what an offer's opaque id stands for, unless that is written down already.
    ///
    /// # Errors
    /// When DynamoDB does not take it.
    pub async fn offer(&self, id: &str, offer: &Offer, now: Timestamp) -> Result<(), AwsError> {
        self.write_once(&Partition::Offer(id.to_owned()), sort_key::OFFER, offer, now).await
    }

    /// What an offer's opaque id stands for; none if nobody made it, or too long ago.
    ///
    /// # Errors
    /// When DynamoDB does not tell, or holds a record that this version does not understand.
    pub async fn offered(&self, id: &str, now: Timestamp) -> Result<Option<Offer>, AwsError> {
        self.get(&Partition::Offer(id.to_owned()), sort_key::OFFER, now).await
    }

    async fn get<T: DeserializeOwned>(
        &self,
        partition: &Partition,
        sort: &str,
        now: Timestamp,
    ) -> Result<Option<T>, AwsError> {
        let key = partition.key();
        let output = GetItemInput::builder()
            .table_name(&self.table)
            .key("pk", text(&key))
            .key("sk", text(sort))
            .consistent_read(true)
            .sent_by(&self.client)
            .await
            .map_err(|error| AwsError::from_sdk(GET, &key, &error))?;
        match output.item {
            None => Ok(None),
            Some(item) => read_body(&item, now).map_err(|why| AwsError::unreadable(GET, &key, why)),
        }
    }

    /// A press that nobody has handled yet; none if somebody has.
    ///
    /// # Errors
    /// As [`Ledger::offered`].
    pub async fn pressed(&self, offer: &str, stamp: &str, now: Timestamp) -> Result<Option<Press>, AwsError> {
        let sort = format!("{}{offer}/{stamp}", sort_key::PRESS);
        self.get(&Partition::Open, &sort, now).await
    }

    /// Gives an offer its one answer. Two who answer at once are told apart by one condition: who comes second gets the
    /// answer that was first.
    ///
    /// # Errors
    /// When DynamoDB does not take it.
    pub async fn answer(
        &self,
        release: &ReleaseId,
        offer: &str,
        answered: &Answered,
        now: Timestamp,
    ) -> Result<Answered, AwsError> {
        let partition = Partition::Release(release.clone());
        let sort = format!("{}{offer}", sort_key::ANSWER);
        match self.put_if_absent(item(&partition.key(), &sort, answered, now)?).await {
            Ok(()) => Ok(answered.clone()),
            Err(Refused::Failed(error)) => Err(error),
            Err(Refused::Exists(first)) => {
                let first = first.map(|first| read_body(&first, now)).transpose();
                let unreadable = |why| AwsError::unreadable("dynamodb:PutItem", release, why);
                first
                    .map_err(unreadable)?
                    .flatten()
                    .ok_or_else(|| unreadable("the first answer is not shown".to_owned()))
            }
        }
    }

    /// Claims running again what failed, for one answer.
    ///
    /// # Errors
    /// When DynamoDB does not take it.
    pub async fn claim_retry(
        &self,
        release: &ReleaseId,
        key: &str,
        by: Claimant<'_>,
    ) -> Result<Claimed, AwsError> {
        let partition = Partition::Release(release.clone());
        self.claim(&partition, &format!("{}{key}", sort_key::RETRY), &"", by).await
    }

    /// Claims the drawing of a release's card, so that of two who draw it the one who read last is shown last.
    ///
    /// # Errors
    /// When DynamoDB does not take it.
    pub async fn claim_card(&self, release: &ReleaseId, by: Claimant<'_>) -> Result<Option<Claim>, AwsError> {
        let partition = Partition::Release(release.clone());
        Ok(match self.claim(&partition, sort_key::CARD_LOCK, &"", by).await? {
            Claimed::Ours(claim) | Claimed::TakenOver(claim) => Some(claim),
            Claimed::BySomebodyElse | Claimed::Before => None,
        })
    }

    /// Writes down where a release's card is and what it shows.
    ///
    /// # Errors
    /// When DynamoDB does not take it.
    pub async fn shown(&self, release: &ReleaseId, card: &ShownCard, now: Timestamp) -> Result<(), AwsError> {
        self.replace(&Partition::Release(release.clone()), sort_key::CARD, card, now).await
    }

    /// The last `most` releases of a service, the newest first.
    ///
    /// # Errors
    /// When DynamoDB does not tell, or holds a record that this version does not understand.
    pub async fn releases_of(
        &self,
        service: &ServiceName,
        most: usize,
        now: Timestamp,
    ) -> Result<Vec<Watch>, AwsError> {
        let between = (sort_key::RELEASE, &*super::notes::beyond(sort_key::RELEASE));
        self.newest(&Partition::Service(service.clone()), between, most, now).await
    }
}
