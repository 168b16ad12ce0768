//! The sample payloads under tests/fixtures, and how tests change them.

use std::fmt::Debug;
use std::path::Path;

use serde_json::Value;

use super::EventError;

/// A sample payload's text.
pub(super) fn sample(file: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures");
    std::fs::read_to_string(folder.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// Every sample payload there is, by its file's name.
pub(super) fn all() -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures");
    let entries = |folder: &Path| {
        let found = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        found.map(|entry| entry.unwrap().path())
    };
    let mut files: Vec<_> = entries(&folder)
        .filter(|path| path.is_dir())
        .flat_map(|folder| entries(&folder))
        .filter(|path| path.extension().is_some_and(|ending| ending == "json"))
        .collect();
    files.sort();
    files.into_iter().map(|path| (path.display().to_string(), std::fs::read(&path).unwrap())).collect()
}

/// A sample payload as JSON.
pub(super) fn json(file: &str) -> Value {
    serde_json::from_str(&sample(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// Sets the field at a JSON pointer, or takes it away. A list's items can be set, not taken.
pub(super) fn change(value: &mut Value, pointer: &str, to: Option<Value>) {
    let (parent, key) = pointer.rsplit_once('/').expect("a pointer starts with /");
    match (value.pointer_mut(parent), to) {
        (Some(Value::Object(fields)), Some(new)) => drop(fields.insert(key.to_owned(), new)),
        (Some(Value::Object(fields)), None) => {
            assert!(fields.remove(key).is_some(), "{pointer} is not there");
        }
        (Some(Value::Array(items)), Some(new)) => {
            items[key.parse::<usize>().expect("a list's index")] = new;
        }
        (other, _) => panic!("{pointer} is in {other:?}"),
    }
}

/// The payload of an SNS record of Lambda's, with that message.
pub(super) fn with_message(message: &Value) -> Value {
    let mut payload = json("cloudwatch/sns-cloudwatch-alarm-metric.json");
    change(&mut payload, "/Records/0/Sns/Message", Some(Value::String(message.to_string())));
    payload
}

/// The message of that sample's only SNS record.
pub(super) fn message_of(file: &str) -> Value {
    let payload = json(file);
    let text = payload.pointer("/Records/0/Sns/Message").and_then(Value::as_str);
    serde_json::from_str(text.expect("an SNS sample")).expect("a message of JSON")
}

/// Asserts the three parts of a `Malformed`.
#[track_caller]
pub(super) fn assert_malformed<T: Debug + PartialEq>(
    outcome: Result<T, EventError>,
    path: &str,
    found: &str,
    expected: &str,
) {
    let (path, found, expected) = (path.to_owned(), found.to_owned(), expected.to_owned());
    assert_eq!(outcome, Err(EventError::Malformed { path, found, expected }));
}
