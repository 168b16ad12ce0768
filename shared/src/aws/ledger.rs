//! The ledger in DynamoDB: one table, `pk` and `sk`, every write under a condition.
//!
//! The bodies of records are JSON in one attribute, `body`, beside the attributes that conditions need:
//! `state` and `until` (milliseconds) of claims. `v` is the writer's version, `expires_at` the time to live
//! in seconds (DynamoDB deletes lazily: an expired item that is still there is read as if it were not).

mod history;
mod measures;
mod notes;
mod people;
mod records;
mod stacks;

use std::time::Duration;

use aws_sdk_dynamodb::{
    operation::{put_item::PutItemError, update_item::UpdateItemError},
    operation::{put_item::PutItemInput, update_item::UpdateItemInput},
    types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure},
};
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;
use jiff::Timestamp;
use serde::Serialize;

use self::records::{Item, Undo, expiry, file, integer, item, lease_end, number, string, text};
use super::client::{Call as _, Client, service};
use crate::{
    aws::AwsError,
    decision::{Decision, Effect},
    ledger::{Began, DecisionRecord, Ended, Half, Judged, Owed, Partition, ReleaseLedger, VERSION, sort_key},
    message::Message,
    release::ReleaseId,
};

service! {
    Api = aws_sdk_dynamodb, "DynamoDB", "dynamodb";
    delete_item: DeleteItem DeleteItemInputBuilder DeleteItemOutput DeleteItemError;
    get_item: GetItem GetItemInputBuilder GetItemOutput GetItemError;
    put_item: PutItem PutItemInputBuilder PutItemOutput PutItemError;
    query: Query QueryInputBuilder QueryOutput QueryError;
    update_item: UpdateItem UpdateItemInputBuilder UpdateItemOutput UpdateItemError;
}

/// The table.
#[derive(Clone, Debug)]
pub struct Ledger {
    client: Client<Api>,
    table: String,
}

/// Who claims, and when.
#[derive(Clone, Copy, Debug)]
pub struct Claimant<'a> {
    /// What tells one invocation from all others. A claim whose answer was lost is sent again by the SDK, and finds
    /// itself: without this it would pass for somebody else's, and nobody would act.
    pub owner: &'a str,
    /// When the invocation began: the lease counts from here.
    pub now: Timestamp,
}

/// A proof that we hold a claim, and that nobody else does while its lease lasts. Only the ledger makes one.
#[derive(Debug)]
#[must_use = "a claim that is not finished blocks others until its lease ends"]
pub struct Claim {
    partition: String,
    sort: String,
    owner: String,
}

/// What came of claiming something.
#[derive(Debug)]
pub enum Claimed {
    /// It is ours, and nobody had it before.
    Ours(Claim),
    /// It is ours now; somebody had it, and let the lease run out. Look whether it happened.
    TakenOver(Claim),
    /// Somebody else is at it.
    BySomebodyElse,
    /// It is done.
    Before,
}

const CLAIMED: &str = "claimed";
const DONE: &str = "done";
const OVERTAKEN: &str = "overtaken";

impl Ledger {
    /// The table of this name.
    pub fn new(config: &SdkConfig, table: &str) -> Self {
        // The ledger answers in milliseconds or is down. Several of its calls stand one after the other, and all
        // must fit into an invocation that still has to tell people.
        let limits = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(1))
            .operation_attempt_timeout(Duration::from_millis(1_200))
            .operation_timeout(Duration::from_secs(3))
            .build();
        let client = Client::of(&config.clone().into_builder().timeout_config(limits).build());
        Self { client, table: table.to_owned() }
    }

    /// Makes the client now, before anybody waits for it, and says where it will call.
    pub fn ready(&self) -> Option<String> {
        self.client.ready()
    }

    /// Everything about one release, by one strongly consistent query (more, if it fills more than 1 MB).
    ///
    /// # Errors
    /// When DynamoDB does not tell, or holds a record that this version does not understand.
    pub async fn release(&self, id: &ReleaseId, now: Timestamp) -> Result<ReleaseLedger, AwsError> {
        self.read(&Partition::Release(id.clone()), now).await
    }

    /// Everything in one partition, read as what is known of a release.
    ///
    /// # Errors
    /// As [`Ledger::release`].
    pub async fn read(&self, partition: &Partition, now: Timestamp) -> Result<ReleaseLedger, AwsError> {
        let key = partition.key();
        let mut ledger = ReleaseLedger::default();
        for item in self.queried(&key, None).await? {
            file(&mut ledger, partition, &item, now)
                .map_err(|why| AwsError::unreadable("dynamodb:Query", &key, why))?;
        }
        Ok(ledger)
    }

    /// What there is of one message to one destination, read as what is known of a release: not the rest of its
    /// partition, since an alarm's holds what was said of it for as long as records are kept.
    ///
    /// # Errors
    /// As [`Ledger::release`].
    pub async fn owed(&self, owed: &Owed, now: Timestamp) -> Result<ReleaseLedger, AwsError> {
        let (key, sort) = (owed.partition.key(), format!("{}{}", owed.to.sort_key(), owed.key));
        let mut ledger = ReleaseLedger::default();
        for item in self.queried(&key, Some((&sort, &sort))).await? {
            file(&mut ledger, &owed.partition, &item, now)
                .map_err(|why| AwsError::unreadable("dynamodb:Query", &key, why))?;
        }
        Ok(ledger)
    }

    /// Counts a delivery of a signal and says which one it is, from 1. An invocation counts once, however often its
    /// write is sent: it adds its own name to a set.
    ///
    /// # Errors
    /// When DynamoDB does not take it.
    pub async fn count_delivery(&self, signal: &str, by: Claimant<'_>) -> Result<u32, AwsError> {
        const OPERATION: &str = "dynamodb:UpdateItem";
        let key = Partition::Signal(signal.to_owned()).key();
        let output = UpdateItemInput::builder()
            .table_name(&self.table)
            .key("pk", text(&key))
            .key("sk", text(sort_key::DELIVERIES))
            .update_expression("SET v = :v, expires_at = :expires ADD invocations :one")
            .expression_attribute_values(":v", number(VERSION))
            .expression_attribute_values(":expires", number(expiry(by.now)))
            .expression_attribute_values(":one", AttributeValue::Ss(vec![by.owner.to_owned()]))
            .return_values(ReturnValue::AllNew)
            .sent_by(&self.client)
            .await
            .map_err(|error| AwsError::from_sdk(OPERATION, &key, &error))?;
        output
            .attributes()
            .and_then(|attributes| attributes.get("invocations"))
            .and_then(|invocations| invocations.as_ss().ok())
            .and_then(|invocations| u32::try_from(invocations.len()).ok())
            .ok_or_else(|| AwsError::unreadable(OPERATION, &key, "the answer has no count"))
    }

    /// Writes down how a release began, unless that is written down already.
    ///
    /// # Errors
    /// When DynamoDB does not take it.
    pub async fn open(&self, id: &ReleaseId, began: &Began, now: Timestamp) -> Result<(), AwsError> {
        self.write_once(&Partition::Release(id.clone()), sort_key::BEGAN, began, now).await
    }

    /// Writes down how a release ended, unless that is written down already.
    ///
    /// # Errors
    /// When DynamoDB does not take it.
    pub async fn close(&self, id: &ReleaseId, ended: &Ended, now: Timestamp) -> Result<(), AwsError> {
        self.write_once(&Partition::Release(id.clone()), sort_key::ENDED, ended, now).await
    }

    /// Writes down a decision, unless one about the same signal and service is written down already.
    ///
    /// # Errors
    /// When DynamoDB does not take it.
    pub async fn record(
        &self,
        partition: &Partition,
        record: &DecisionRecord,
        now: Timestamp,
    ) -> Result<(), AwsError> {
        let service = record.service.as_ref().map_or("-", |service| service.as_str());
        // What was asked for first and what came of a redelivery are different decisions of one signal.
        let sort = format!("{}{}/{service}/{}", sort_key::DECISION, record.signal, record.verdict.word());
        self.write_once(partition, &sort, record, now).await
    }

    async fn write_once(
        &self,
        partition: &Partition,
        sort: &str,
        body: &impl Serialize,
        now: Timestamp,
    ) -> Result<(), AwsError> {
        let item = item(&partition.key(), sort, body, now)?;
        match self.put_if_absent(item).await {
            Ok(()) | Err(Refused::Exists(_)) => Ok(()),
            Err(Refused::Failed(error)) => Err(error),
        }
    }

    /// Writes a record over what is there.
    async fn replace(
        &self,
        partition: &Partition,
        sort: &str,
        body: &impl Serialize,
        now: Timestamp,
    ) -> Result<(), AwsError> {
        let key = partition.key();
        let put = PutItemInput::builder()
            .table_name(&self.table)
            .set_item(Some(item(&key, sort, body, now)?))
            .sent_by(&self.client)
            .await;
        put.map(|_| ()).map_err(|error| AwsError::from_sdk("dynamodb:PutItem", &key, &error))
    }

    /// Claims the release's one undo, or the second half of it (`sort_key::UNDO`, `sort_key::REDEPLOY`).
    ///
    /// # Errors
    /// When DynamoDB does not take it.
    pub async fn claim_undo(
        &self,
        id: &ReleaseId,
        half: Half,
        decision: &Decision,
        effect: &Effect,
        by: Claimant<'_>,
    ) -> Result<Claimed, AwsError> {
        let partition = Partition::Release(id.clone());
        let body = Undo {
            verdict: decision.verdict,
            reasons: decision.reasons.clone(),
            effect: Some(effect.clone()),
        };
        let sort = match half {
            Half::Whole => sort_key::UNDO,
            Half::Second => sort_key::REDEPLOY,
        };
        self.claim(&partition, sort, &body, by).await
    }

    /// Writes down that a signal was judged and carried out for a service.
    ///
    /// # Errors
    /// When DynamoDB does not take it.
    pub async fn settle(&self, signal: &str, judged: &Judged, now: Timestamp) -> Result<(), AwsError> {
        let release = judged.release.as_ref().map_or("-", ReleaseId::as_str);
        let service = judged.service.as_ref().map_or("-", |service| service.as_str());
        let sort = format!("{}{service}/{release}", sort_key::JUDGED);
        self.write_once(&Partition::Signal(signal.to_owned()), &sort, judged, now).await
    }

    /// Writes a message down and claims its sending to one destination.
    ///
    /// # Errors
    /// When DynamoDB does not take it.
    pub async fn claim_message(
        &self,
        owed: &Owed,
        message: &Message,
        by: Claimant<'_>,
    ) -> Result<Claimed, AwsError> {
        let sort = format!("{}{}", owed.to.sort_key(), owed.key);
        self.claim(&owed.partition, &sort, message, by).await
    }

    async fn claim(
        &self,
        partition: &Partition,
        sort: &str,
        body: &impl Serialize,
        by: Claimant<'_>,
    ) -> Result<Claimed, AwsError> {
        let Claimant { owner, now } = by;
        let partition = partition.key();
        let until = lease_end(now);
        let mut new = item(&partition, sort, body, now)?;
        let body = new.get("body").cloned().unwrap_or_else(|| text(""));
        new.insert("state".to_owned(), text(CLAIMED));
        new.insert("until".to_owned(), number(until));
        new.insert("owner".to_owned(), text(owner));
        new.insert("claimed_at".to_owned(), text(&now.to_string()));
        let claim = |sort: &str| Claim {
            partition: partition.clone(),
            sort: sort.to_owned(),
            owner: owner.to_owned(),
        };
        let held = match self.put_if_absent(new).await {
            Ok(()) => return Ok(Claimed::Ours(claim(sort))),
            Err(Refused::Failed(error)) => return Err(error),
            Err(Refused::Exists(held)) => held,
        };
        // Somebody had it. Over if it is done, theirs while the lease lasts, ours afterwards, or when it turned
        // out not to be needed then: one condition decides it, so that of two who come one gets it. What is ours already
        // is what an answer that was lost left behind, or an earlier attempt of this very invocation, which may have got as
        // far as the effect: it is looked for first, and its lease begins anew, should it have been given back.
        let expired = "#state = :claimed AND (#until <= :now OR #owner = :owner)";
        let (update, condition) = if held.as_ref().is_some_and(nothing_came_of) {
            // What was given back, or not needed, has not happened: an effect from now on is as old as this claim.
            let update = ", claimed_at = :at";
            (update, format!("#state = :overtaken OR ({expired})"))
        } else {
            ("", expired.to_owned())
        };
        let mut taken = UpdateItemInput::builder()
            .table_name(&self.table)
            .key("pk", text(&partition))
            .key("sk", text(sort))
            .update_expression(format!(
                "SET #until = :until, #owner = :owner, #state = :claimed, body = :body, v = :v{update}"
            ))
            .expression_attribute_values(":body", body)
            .expression_attribute_values(":v", number(VERSION))
            .condition_expression(condition)
            .expression_attribute_names("#state", "state")
            .expression_attribute_names("#until", "until")
            .expression_attribute_names("#owner", "owner")
            .expression_attribute_values(":owner", text(owner))
            .expression_attribute_values(":claimed", text(CLAIMED))
            .expression_attribute_values(":until", number(until))
            .expression_attribute_values(":now", number(now.as_millisecond()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        if !update.is_empty() {
            // DynamoDB refuses values that no expression names.
            taken = taken
                .expression_attribute_values(":overtaken", text(OVERTAKEN))
                .expression_attribute_values(":at", text(&now.to_string()));
        }
        let Err(error) = taken.sent_by(&self.client).await else {
            return Ok(Claimed::TakenOver(claim(sort)));
        };
        let Some(UpdateItemError::ConditionalCheckFailedException(refused)) = error.as_service_error() else {
            return Err(AwsError::from_sdk("dynamodb:UpdateItem", &partition, &error));
        };
        Ok(match refused.item().and_then(|item| string(item, "state")) {
            // Also one that was not needed a moment ago, since we looked.
            Some(CLAIMED | OVERTAKEN) => Claimed::BySomebodyElse,
            Some(_) | None => Claimed::Before,
        })
    }

    /// Says that what was claimed has happened. Nothing happens if the lease ran out and somebody took it over:
    /// then it is theirs to finish.
    ///
    /// # Errors
    /// When DynamoDB does not take it.
    pub async fn done(&self, claim: Claim) -> Result<(), AwsError> {
        self.finish(claim, DONE).await
    }

    /// Says that what was claimed was not needed.
    ///
    /// # Errors
    /// When DynamoDB does not take it.
    pub async fn overtaken(&self, claim: Claim) -> Result<(), AwsError> {
        self.finish(claim, OVERTAKEN).await
    }

    /// Gives a claim back whose effect certainly did not happen: free for whoever comes, also for one who began
    /// earlier. Whoever gave it back does nothing more under it, but may claim it anew.
    ///
    /// # Errors
    /// When DynamoDB does not take it.
    pub async fn give_back(&self, claim: Claim) -> Result<(), AwsError> {
        self.set(&claim, ("#until", "until"), number(GIVEN_BACK)).await
    }

    async fn finish(&self, claim: Claim, state: &str) -> Result<(), AwsError> {
        self.set(&claim, ("#state", "state"), text(state)).await
    }

    /// Changes one attribute of a claim that is still ours. `until` and `state` are reserved words in DynamoDB's
    /// expressions, so every attribute goes by a placeholder.
    async fn set(
        &self,
        claim: &Claim,
        (placeholder, attribute): (&str, &str),
        value: AttributeValue,
    ) -> Result<(), AwsError> {
        let result = UpdateItemInput::builder()
            .table_name(&self.table)
            .key("pk", text(&claim.partition))
            .key("sk", text(&claim.sort))
            .update_expression(format!("SET {placeholder} = :value"))
            .expression_attribute_names(placeholder, attribute)
            .condition_expression("#state = :claimed AND #owner = :ours")
            .expression_attribute_names("#state", "state")
            .expression_attribute_names("#owner", "owner")
            .expression_attribute_values(":claimed", text(CLAIMED))
            .expression_attribute_values(":ours", text(&claim.owner))
            .expression_attribute_values(":value", value)
            .sent_by(&self.client)
            .await;
        match result {
            Ok(_) => Ok(()),
            Err(error) => match error.as_service_error() {
                // Not ours any more, or an answer was lost and it is done already.
                Some(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(()),
                Some(_) | None => Err(AwsError::from_sdk("dynamodb:UpdateItem", &claim.partition, &error)),
            },
        }
    }

    async fn put_if_absent(&self, item: Item) -> Result<(), Refused> {
        let subject = string(&item, "pk").unwrap_or_default().to_owned();
        let put = PutItemInput::builder()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(pk)")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .sent_by(&self.client)
            .await;
        match put {
            Ok(_) => Ok(()),
            Err(error) => match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(refused)) => {
                    Err(Refused::Exists(refused.item().cloned()))
                }
                Some(_) | None => {
                    Err(Refused::Failed(AwsError::from_sdk("dynamodb:PutItem", &subject, &error)))
                }
            },
        }
    }
}

/// The end of a lease that was given back.
const GIVEN_BACK: i64 = 0;

/// Whether what a claim was for has certainly not happened under it.
fn nothing_came_of(held: &Item) -> bool {
    match string(held, "state") {
        Some(CLAIMED) => integer(held, "until") == Some(GIVEN_BACK),
        Some(OVERTAKEN) => true,
        Some(_) | None => false,
    }
}

enum Refused {
    /// What is there already, if DynamoDB shows it.
    Exists(Option<Item>),
    Failed(AwsError),
}
