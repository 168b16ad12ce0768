//! What is not over yet, and what a service's releases added up to.

use crate::aws::client::Call as _;
use aws_sdk_dynamodb::operation::{delete_item::DeleteItemInput, query::QueryInput};
use futures_util::future::try_join_all;
use jiff::{SignedDuration, Timestamp};
use serde::de::DeserializeOwned;

use super::{
    Item, Ledger,
    records::{file_open, read_body, text},
};
use crate::{
    aws::AwsError,
    evidence::Undone,
    ledger::{
        Destination, Incident, KEPT, Month, Note, Open, Owed, Partition, Press, SCORED, Would, sort_key,
    },
    release::{AlarmName, ServiceName},
    signal::{HookCall, Signal},
};

const QUERY: &str = "dynamodb:Query";

impl Ledger {
    /// Everything that is not over yet, by one strongly consistent query. What cannot be read is named beside what can:
    /// one record of another version must not keep the sweep from the others.
    ///
    /// # Errors
    /// When DynamoDB does not tell.
    pub async fn open_things(&self, now: Timestamp) -> Result<(Open, Vec<AwsError>), AwsError> {
        let key = Partition::Open.key();
        let mut open = Open::default();
        let mut unreadable = Vec::new();
        for item in self.queried(&key, None).await? {
            if let Err(why) = file_open(&mut open, &item, now) {
                unreadable.push(AwsError::unreadable(QUERY, &key, why));
            }
        }
        Ok((open, unreadable))
    }

    /// The open incidents of one alarm.
    ///
    /// # Errors
    /// When DynamoDB does not tell, or holds one that this version does not understand.
    pub async fn incidents(&self, alarm: &AlarmName, now: Timestamp) -> Result<Vec<Incident>, AwsError> {
        let from = format!("{}{alarm}/", sort_key::INCIDENT);
        self.bodies(&Partition::Open, (&from, &beyond(&from)), now).await
    }

    /// The releases of a service that Belay took back in the time before `now`.
    ///
    /// # Errors
    /// As [`Ledger::incidents`].
    pub async fn taken_back(
        &self,
        service: &ServiceName,
        within: SignedDuration,
        now: Timestamp,
    ) -> Result<Vec<Undone>, AwsError> {
        let since = now.checked_sub(within).unwrap_or(Timestamp::MIN);
        let (from, to) = (format!("{}{since:.3}", sort_key::TAKEN_BACK), beyond(sort_key::TAKEN_BACK));
        let partition = Partition::Service(service.clone());
        let mut undone: Vec<Undone> = self.bodies(&partition, (&from, &to), now).await?;
        // Written again by whoever finished it: one release is one.
        undone.sort_by(|one, other| (&one.release, one.at).cmp(&(&other.release, other.at)));
        undone.dedup_by(|one, other| one.release == other.release);
        Ok(undone)
    }

    /// What Belay took back after `since`, of all services, as far back as records are kept: one query for each month.
    ///
    /// # Errors
    /// As [`Ledger::incidents`].
    pub async fn all_taken_back(
        &self,
        since: Timestamp,
        now: Timestamp,
    ) -> Result<Vec<(ServiceName, Undone)>, AwsError> {
        let since = now.checked_sub(KEPT).map_or(since, |kept| since.max(kept));
        let (from, to) = (format!("{}{since:.3}", sort_key::TAKEN_BACK), beyond(sort_key::TAKEN_BACK));
        let months = Month::between(since, now)
            .map(async |month| self.bodies(&Partition::Undone(month), (&from, &to), now).await);
        let found: Vec<Vec<_>> = try_join_all(months).await?;
        Ok(found.into_iter().flatten().collect())
    }

    /// The releases of a service that Belay would have undone: the newest [`SCORED`], in no order.
    ///
    /// # Errors
    /// As [`Ledger::incidents`].
    pub async fn would_have(&self, service: &ServiceName, now: Timestamp) -> Result<Vec<Would>, AwsError> {
        let (from, to) = (sort_key::WOULD_HAVE, beyond(sort_key::WOULD_HAVE));
        self.newest(&Partition::Service(service.clone()), (from, &to), SCORED, now).await
    }

    /// Remembers or forgets one thing. Twice is once.
    ///
    /// # Errors
    /// When DynamoDB does not take it.
    pub async fn keep(&self, note: &Note, now: Timestamp) -> Result<(), AwsError> {
        match note {
            Note::Watched(watch) => {
                let sort = format!("{}{}", sort_key::WATCH, watch.release);
                self.write_once(&Partition::Open, &sort, watch, now).await
            }
            Note::Unwatched(release) => self.forget(&format!("{}{release}", sort_key::WATCH)).await,
            Note::Asked(question) => {
                let sort = format!("{}{}", sort_key::QUESTION, question.key);
                self.write_once(&Partition::Open, &sort, question, now).await
            }
            Note::Answered(key) => self.forget(&format!("{}{key}", sort_key::QUESTION)).await,
            Note::Waiting(hook) => self.write_once(&Partition::Open, &hook_key(&hook.call), hook, now).await,
            Note::Replied(call) => self.forget(&hook_key(call)).await,
            Note::WaitsForPerson(hook) => {
                self.replace(&Partition::Open, &hook_key(&hook.call), hook, now).await
            }
            Note::Offered(offer) => {
                let partition = Partition::Release(offer.release.clone());
                self.write_once(&partition, &format!("{}{}", sort_key::ASKED, offer.key), offer, now).await
            }
            Note::Pressed(press) => self.write_once(&Partition::Open, &press_key(press), press, now).await,
            Note::Unpressed(press) => self.forget(&press_key(press)).await,
            Note::Handled(release, pressed) => {
                let partition = Partition::Release(release.clone());
                let Press { at, stamp, .. } = &pressed.press;
                let sort = format!("{}{at:.3}/{stamp}", sort_key::PRESS);
                self.write_once(&partition, &sort, pressed, now).await
            }
            Note::GoesBackBy { release, by } => {
                let partition = Partition::Release(release.clone());
                self.write_once(&partition, sort_key::GOES_BACK_BY, by, now).await
            }
            Note::Listed(watch) => {
                let partition = Partition::Service(watch.service.clone());
                let sort = format!("{}{:.3}/{}", sort_key::RELEASE, watch.began, watch.release);
                self.write_once(&partition, &sort, watch, now).await
            }
            Note::Broke(incident) => {
                self.write_once(&Partition::Open, &incident_key(incident), incident, now).await
            }
            Note::Restored(incident) => {
                let partition = Partition::Service(incident.service.clone());
                let sort = format!("{}{:.3}/{}", sort_key::INCIDENT, incident.began, incident.alarm);
                self.write_once(&partition, &sort, incident, now).await?;
                self.forget(&incident_key(incident)).await
            }
            Note::TookBack(service, undone) => {
                let (of_service, of_all) =
                    (Partition::Service(service.clone()), Partition::Undone(undone.at.into()));
                let sort = format!("{}{:.3}/{}", sort_key::TAKEN_BACK, undone.at, undone.release);
                let (among_all, both) = (format!("{sort}/{service}"), (service, undone));
                let (one, other) = tokio::join!(
                    self.write_once(&of_service, &sort, undone, now),
                    self.write_once(&of_all, &among_all, &both, now)
                );
                one.and(other)
            }
            Note::Would(would) => {
                let service = Partition::Service(would.service.clone());
                self.write_once(&service, &would_key(would), would, now).await?;
                let release = Partition::Release(would.release.clone());
                self.write_once(&release, sort_key::WOULD, would, now).await
            }
            Note::StackWaits(waits) => {
                let sort = format!("{}{}", sort_key::STACK_WAITS, waits.stack);
                self.replace(&Partition::Detections, &sort, waits, now).await
            }
            Note::StackWaitsNoMore(stack) => {
                let sort = format!("{}{stack}", sort_key::STACK_WAITS);
                self.forget_in(&Partition::Detections, &sort).await
            }
            Note::Detecting(detection) => {
                let sort = format!("{}{}/{}", sort_key::DETECTION, detection.stack, detection.id);
                self.write_once(&Partition::Detections, &sort, detection, now).await
            }
            Note::Detected { stack, id } => {
                let sort = format!("{}{stack}/{id}", sort_key::DETECTION);
                self.forget_in(&Partition::Detections, &sort).await
            }
            Note::StackTold(stack, told) => self.tell_stack(stack, told, now).await,
            Note::Owes(owed) => self.write_once(&Partition::Open, &owed_key(owed), owed, now).await,
            Note::Paid(owed) => self.forget(&owed_key(owed)).await,
            Note::Blamed { release, alarm, at } => {
                let partition = Partition::Release(release.clone());
                self.write_once(&partition, sort_key::BLAMED, &(alarm, at), now).await
            }
            Note::WouldEnded(would) => {
                let service = Partition::Service(would.service.clone());
                self.replace(&service, &would_key(would), would, now).await
            }
        }
    }

    pub(super) async fn bodies<T: DeserializeOwned>(
        &self,
        partition: &Partition,
        between: (&str, &str),
        now: Timestamp,
    ) -> Result<Vec<T>, AwsError> {
        let key = partition.key();
        let items = self.queried(&key, Some(between)).await?;
        read_bodies(&key, &items, now)
    }

    /// The last `most` by their keys, the last first: what is read, and paid for, does not grow with what is there.
    pub(super) async fn newest<T: DeserializeOwned>(
        &self,
        partition: &Partition,
        between: (&str, &str),
        most: usize,
        now: Timestamp,
    ) -> Result<Vec<T>, AwsError> {
        let key = partition.key();
        let items = self.paged(&key, Some(between), Some(most)).await?;
        read_bodies(&key, &items, now)
    }

    pub(super) async fn queried(
        &self,
        key: &str,
        between: Option<(&str, &str)>,
    ) -> Result<Vec<Item>, AwsError> {
        self.paged(key, between, None).await
    }

    /// Everything between two keys on all pages, the first first; or the last `newest` of it, the last first.
    async fn paged(
        &self,
        key: &str,
        between: Option<(&str, &str)>,
        newest: Option<usize>,
    ) -> Result<Vec<Item>, AwsError> {
        let mut items = Vec::new();
        let mut start = None;
        loop {
            let query = QueryInput::builder()
                .table_name(&self.table)
                .consistent_read(true)
                .expression_attribute_values(":pk", text(key))
                .set_scan_index_forward(newest.map(|_| false))
                .set_limit(newest.and_then(|most| i32::try_from(most - items.len()).ok()))
                .set_exclusive_start_key(start);
            let query = match between {
                None => query.key_condition_expression("pk = :pk"),
                Some((from, to)) => query
                    .key_condition_expression("pk = :pk AND sk BETWEEN :from AND :to")
                    .expression_attribute_values(":from", text(from))
                    .expression_attribute_values(":to", text(to)),
            };
            let page =
                query.sent_by(&self.client).await.map_err(|error| AwsError::from_sdk(QUERY, key, &error))?;
            items.extend(page.items.unwrap_or_default());
            let enough = newest.is_some_and(|most| items.len() >= most);
            match page.last_evaluated_key {
                Some(last) if !last.is_empty() && !enough => start = Some(last),
                Some(_) | None => return Ok(items),
            }
        }
    }

    /// Removes an item of the open partition.
    async fn forget(&self, sort: &str) -> Result<(), AwsError> {
        self.forget_in(&Partition::Open, sort).await
    }

    async fn forget_in(&self, partition: &Partition, sort: &str) -> Result<(), AwsError> {
        DeleteItemInput::builder()
            .table_name(&self.table)
            .key("pk", text(&partition.key()))
            .key("sk", text(sort))
            .sent_by(&self.client)
            .await
            .map(|_| ())
            .map_err(|error| AwsError::from_sdk("dynamodb:DeleteItem", sort, &error))
    }
}

fn read_bodies<T: DeserializeOwned>(key: &str, items: &[Item], now: Timestamp) -> Result<Vec<T>, AwsError> {
    let read = items.iter().map(|item| read_body(item, now)).filter_map(Result::transpose);
    read.collect::<Result<_, _>>().map_err(|why| AwsError::unreadable(QUERY, key, why))
}

fn hook_key(call: &HookCall) -> String {
    format!("{}{}", sort_key::HOOK, Signal::Hook(call.clone()).key())
}

fn owed_key(owed: &Owed) -> String {
    match owed.to {
        // As versions before the third wrote it.
        Destination::Topic => format!("{}{}/{}", sort_key::OWED, owed.partition.key(), owed.key),
        Destination::Slack | Destination::Teams | Destination::Picture => {
            let to = owed.to.sort_key();
            format!("{}{}/{to}{}", sort_key::OWED, owed.partition.key(), owed.key)
        }
    }
}

fn press_key(press: &Press) -> String {
    format!("{}{}/{}", sort_key::PRESS, press.offer, press.stamp)
}

/// One open incident for an alarm and a service: an alarm that goes off again while it is open is the same one.
fn incident_key(incident: &Incident) -> String {
    format!("{}{}/{}", sort_key::INCIDENT, incident.alarm, incident.service)
}

fn would_key(would: &Would) -> String {
    format!("{}{:.3}/{}", sort_key::WOULD_HAVE, would.at, would.release)
}

/// A key behind all keys with this beginning.
pub(super) fn beyond(beginning: &str) -> String {
    format!("{beginning}\u{10ffff}")
}
