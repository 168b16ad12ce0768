//! Amazon DynamoDB: not a stand-in of our own but the embedded engine `dynoxide`, on the virtual clock.

mod units;

use dynoxide::storage_backend::ManualClock;
use dynoxide::{Database, DynoxideError};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use crate::wire::{Reply, Wire};

pub use units::Units;

/// The tables.
pub(crate) struct DynamoDb {
    database: Database,
    clock: ManualClock,
}

impl DynamoDb {
    pub(crate) fn at(now: Timestamp) -> Self {
        let clock = ManualClock::new(whole_seconds(now));
        let database = Database::memory_with_clock(clock.arc()).expect("a database in memory opens");
        Self { database, clock }
    }

    pub(crate) fn set_clock(&self, now: Timestamp) {
        self.clock.set(whole_seconds(now));
    }

    /// A table with the string keys `pk` and `sk`, billed on demand.
    pub(crate) fn create_ledger_table(&self, name: &str) {
        let request = json!({
            "TableName": name,
            "KeySchema": [
                { "AttributeName": "pk", "KeyType": "HASH" },
                { "AttributeName": "sk", "KeyType": "RANGE" },
            ],
            "AttributeDefinitions": [
                { "AttributeName": "pk", "AttributeType": "S" },
                { "AttributeName": "sk", "AttributeType": "S" },
            ],
            "BillingMode": "PAY_PER_REQUEST",
        });
        if let Err(error) = self.call("CreateTable", &request.to_string()) {
            panic!("the table {name:?} was not created: {error:?}");
        }
    }

    /// Everything in a table.
    pub(crate) fn scan(&self, name: &str) -> Vec<Value> {
        let request = json!({ "TableName": name }).to_string();
        let answer = run(&request, |request| self.database.scan(request))
            .unwrap_or_else(|error| panic!("the table {name:?} cannot be read: {error:?}"));
        answer["Items"].as_array().cloned().unwrap_or_default()
    }

    /// Runs an operation, and says what it is billed as.
    pub(crate) fn metered(&self, operation: &str, body: &str) -> (Result<Value, DynamoFailure>, Units) {
        let asking = units::asking(operation, body);
        let mut answer = self.call(operation, asking.as_deref().unwrap_or(body));
        let units = match &mut answer {
            Ok(answer) => {
                let units = units::consumed(operation, answer);
                if let Some(fields) = answer.as_object_mut().filter(|_| asking.is_some()) {
                    fields.remove("ConsumedCapacity");
                }
                units
            }
            Err(DynamoFailure::Refused(error))
                if error.error_type().ends_with("#ConditionalCheckFailedException") =>
            {
                units::refused(self.there(body).as_ref())
            }
            Err(DynamoFailure::Refused(_) | DynamoFailure::NotModelled) => Units::default(),
        };
        (answer, units)
    }

    /// The item of the ledger that a write was about, if there is one.
    fn there(&self, body: &str) -> Option<Value> {
        let request: Value = serde_json::from_str(body).ok()?;
        let key = if request["Key"].is_object() { &request["Key"] } else { &request["Item"] };
        let get = json!({
            "TableName": request["TableName"], "Key": { "pk": key["pk"], "sk": key["sk"] },
            "ConsistentRead": true,
        });
        let answer = self.call("GetItem", &get.to_string()).ok()?;
        Some(answer["Item"].clone()).filter(Value::is_object)
    }

    /// Runs an operation on the engine's typed API; the error is the whole reply, because a cancelled
    /// transaction's reasons and a failed condition's item travel in it.
    pub(crate) fn call(&self, operation: &str, body: &str) -> Result<Value, DynamoFailure> {
        let db = &self.database;
        match operation {
            "CreateTable" => run(body, |request| db.create_table(request)),
            "DescribeTable" => run(body, |request| db.describe_table(request)),
            "GetItem" => run(body, |request| db.get_item(request)),
            "PutItem" => run(body, |request| db.put_item(request)),
            "UpdateItem" => run(body, |request| db.update_item(request)),
            "DeleteItem" => run(body, |request| db.delete_item(request)),
            "Query" => run(body, |request| db.query(request)),
            "TransactWriteItems" => run(body, |request| db.transact_write_items(request)),
            "TransactGetItems" => run(body, |request| db.transact_get_items(request)),
            "BatchGetItem" => run(body, |request| db.batch_get_item(request)),
            "BatchWriteItem" => run(body, |request| db.batch_write_item(request)),
            "UpdateTimeToLive" => run(body, |request| db.update_time_to_live(request)),
            _ => Err(DynamoFailure::NotModelled),
        }
    }
}

/// Why an operation has no answer.
#[derive(Debug)]
pub(crate) enum DynamoFailure {
    NotModelled,
    Refused(DynoxideError),
}

impl DynamoFailure {
    /// The code without its namespace, and the reply.
    pub(crate) fn code_and_reply(error: &DynoxideError, request_id: &str) -> (String, Reply) {
        let name = error.error_type();
        let code = name.rsplit('#').next().unwrap_or(name).to_owned();
        let mut reply = crate::wire::accepted(Wire::Json10, "", &Value::Null, request_id);
        reply.status = error.status_code();
        reply.body = error.to_json().into_bytes();
        (code, reply)
    }
}

fn run<Request, Response>(
    body: &str,
    operation: impl FnOnce(Request) -> dynoxide::Result<Response>,
) -> Result<Value, DynamoFailure>
where
    Request: serde::de::DeserializeOwned,
    Response: Serialize,
{
    let refused = |error: serde_json::Error| {
        DynamoFailure::Refused(DynoxideError::SerializationException(error.to_string()))
    };
    let request = serde_json::from_str(body).map_err(refused)?;
    let response = operation(request).map_err(DynamoFailure::Refused)?;
    serde_json::to_value(response).map_err(refused)
}

fn whole_seconds(at: Timestamp) -> u64 {
    u64::try_from(at.as_second()).expect("simulations happen after 1970")
}
