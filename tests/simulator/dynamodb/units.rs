//! What a call to DynamoDB is billed as.
//!
//! The rules (DynamoDB Developer Guide, "DynamoDB read and write operations",
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html>): a strongly consistent
//! read costs one unit for each 4 KB, an eventually consistent one half of that, a transactional one twice; what a Query
//! reads is added up and then rounded up, and a read of nothing costs as one of something. A write costs one unit for each
//! 1 KB of the item before or after it, whichever is larger, a transactional one twice. A write whose condition fails
//! costs as one of the item that is there, and at least one unit. The size of an item is that of its attributes' names and
//! values ("DynamoDB item sizes and formats", CapacityUnitCalculations.html in the same guide).
//!
//! The engine counts what succeeded by these rules, if it is asked; what failed its condition is counted here. A cancelled
//! transaction is not: Belay has none.

use std::ops::{Add, AddAssign, Sub};

use dynoxide::types::{Item, item_size, write_capacity_units};
use serde_json::{Value, json};

/// What calls to DynamoDB were billed as: read and write request units.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Units {
    /// For reading.
    pub read: f64,
    /// For writing, failed conditions among it.
    pub write: f64,
}

impl Add for Units {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { read: self.read + other.read, write: self.write + other.write }
    }
}

impl AddAssign for Units {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sub for Units {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self { read: self.read - other.read, write: self.write - other.write }
    }
}

/// The operations that are counted, and whether they write.
const COUNTED: [(&str, bool); 9] = [
    ("GetItem", false),
    ("Query", false),
    ("BatchGetItem", false),
    ("TransactGetItems", false),
    ("PutItem", true),
    ("UpdateItem", true),
    ("DeleteItem", true),
    ("BatchWriteItem", true),
    ("TransactWriteItems", true),
];

/// The request with the question what it costs; `None` where that is not asked, or was asked already.
pub(super) fn asking(operation: &str, body: &str) -> Option<String> {
    COUNTED.iter().find(|(counted, _)| *counted == operation)?;
    let mut request: Value = serde_json::from_str(body).ok()?;
    let fields = request.as_object_mut()?;
    if fields.contains_key("ReturnConsumedCapacity") {
        return None;
    }
    fields.insert("ReturnConsumedCapacity".to_owned(), json!("TOTAL"));
    Some(request.to_string())
}

/// What an answer says that its call cost.
pub(super) fn consumed(operation: &str, answer: &Value) -> Units {
    let said = &answer["ConsumedCapacity"];
    let total = match said {
        Value::Array(tables) => tables.iter().filter_map(|table| table["CapacityUnits"].as_f64()).sum(),
        one => one["CapacityUnits"].as_f64().unwrap_or_default(),
    };
    if COUNTED.contains(&(operation, true)) {
        Units { read: 0.0, write: total }
    } else {
        Units { read: total, write: 0.0 }
    }
}

/// What a write costs whose condition failed, by the item that is there.
pub(super) fn refused(there: Option<&Value>) -> Units {
    let item = there.and_then(|item| serde_json::from_value::<Item>(item.clone()).ok());
    Units { read: 0.0, write: write_capacity_units(item.map_or(0, |item| item_size(&item))) }
}
