//! Bytes to JSON to private wire structs, with the path of whatever is wrong, counted from the top of the
//! whole payload also where JSON sits inside a string.

use std::fmt;

use serde::de::{Deserialize, DeserializeOwned, Deserializer, Error, Visitor};
use serde_json::Value;
use serde_path_to_error::{Path, Segment};

use super::EventError;
use super::strict::{Mistake, Node};

/// How many characters of a value an error shows. Payloads may hold tokens and other people's secrets.
const SHOWN: usize = 60;

/// A part of the payload and its path from the top.
pub(super) struct Part<'a> {
    pub value: &'a Value,
    pub path: String,
}

impl<'a> Part<'a> {
    /// The whole payload.
    pub(super) fn whole(value: &'a Value) -> Self {
        Self { value, path: String::new() }
    }

    /// The field of this object, if it has it.
    pub(super) fn field(&self, key: &str) -> Option<Part<'a>> {
        let value = self.value.get(key)?;
        Some(Part { value, path: join(&self.path, key) })
    }

    /// Whether this is an object with that key, whatever its value.
    pub(super) fn has(&self, key: &str) -> bool {
        self.value.get(key).is_some()
    }

    /// The text of that field, if it is text.
    pub(super) fn text(&self, key: &str) -> Option<&'a str> {
        self.value.get(key)?.as_str()
    }

    /// An item of this list.
    pub(super) fn item(&self, index: usize, value: &'a Value) -> Part<'a> {
        Part { value, path: format!("{}[{index}]", self.path) }
    }

    /// Reads a wire struct.
    ///
    /// # Errors
    ///
    /// `Malformed` for the first field that is missing or not as the struct asks.
    pub(super) fn decode<T: DeserializeOwned>(&self) -> Result<T, EventError> {
        let error = match serde_path_to_error::deserialize::<_, T>(Node(self.value)) {
            Ok(read) => return Ok(read),
            Err(error) => error,
        };
        let (mut path, mut found) = (self.path.clone(), Some(self.value));
        for segment in error.path() {
            path = below(&path, segment);
            found = found.and_then(|value| step(value, segment));
        }
        match error.inner() {
            Mistake::Wrong { expected } => Err(malformed(path, found, expected)),
            Mistake::Missing(key) => {
                Err(malformed(join(&path, key), None, self.wanted::<T>(error.path(), key)))
            }
        }
    }

    /// What the struct wants under a key that is missing: a null in its place makes it say so.
    fn wanted<T: DeserializeOwned>(&self, object: &Path, key: &str) -> String {
        let mut copy = self.value.clone();
        let object = object.iter().try_fold(&mut copy, |value, segment| match segment {
            Segment::Seq { index } => value.get_mut(index),
            Segment::Map { key } | Segment::Enum { variant: key } => value.get_mut(key),
            Segment::Unknown => None,
        });
        if let Some(Value::Object(fields)) = object {
            fields.insert(key.to_owned(), Value::Null);
        }
        match T::deserialize(Node(&copy)) {
            Err(Mistake::Wrong { expected }) => expected,
            Err(Mistake::Missing(_)) | Ok(_) => "a value".to_owned(),
        }
    }

    /// JSON that is carried as text in this value.
    ///
    /// # Errors
    ///
    /// `Malformed` when this is not text, or the text is not JSON.
    pub(super) fn parse_text(&self) -> Result<Value, EventError> {
        let Some(text) = self.value.as_str() else {
            return Err(malformed(self.path.clone(), Some(self.value), "JSON in a string"));
        };
        serde_json::from_str(text)
            .map_err(|_| malformed(self.path.clone(), Some(self.value), "JSON in a string"))
    }
}

/// Reads the payload of an invocation.
///
/// # Errors
///
/// `Malformed` when it is not one JSON object. serde_json stops at 128 levels, so no payload can exhaust
/// the stack.
pub(super) fn payload(bytes: &[u8]) -> Result<Value, EventError> {
    let refuse = |found: String| EventError::Malformed {
        path: "the whole payload".to_owned(),
        found,
        expected: "a JSON object".to_owned(),
    };
    match serde_json::from_slice(bytes) {
        Ok(value @ Value::Object(_)) => Ok(value),
        Ok(other) => Err(refuse(shown(Some(&other)))),
        Err(_) if bytes.is_empty() => Err(refuse("nothing".to_owned())),
        // No character takes more than four bytes.
        Err(_) => Err(refuse(quoted(&String::from_utf8_lossy(&bytes[..bytes.len().min(4 * SHOWN)])))),
    }
}

/// A field that is not as it should be; `found` is `None` when it is not there at all.
pub(super) fn malformed(path: String, found: Option<&Value>, expected: impl Into<String>) -> EventError {
    let path = if path.is_empty() { "the whole payload".to_owned() } else { path };
    EventError::Malformed {
        path: shortened(&path, 3 * SHOWN),
        found: shown(found),
        expected: expected.into(),
    }
}

/// A path and a step below it.
fn below(path: &str, segment: &Segment) -> String {
    match segment {
        Segment::Seq { index } => format!("{path}[{index}]"),
        Segment::Map { key } | Segment::Enum { variant: key } => join(path, key),
        Segment::Unknown => path.to_owned(),
    }
}

fn step<'a>(value: &'a Value, segment: &Segment) -> Option<&'a Value> {
    match segment {
        Segment::Seq { index } => value.get(index),
        Segment::Map { key } | Segment::Enum { variant: key } => value.get(key),
        Segment::Unknown => Some(value),
    }
}

/// A path and the key below it.
pub(super) fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// A value as an error shows it: scalars shortened, the contents of lists and objects never.
fn shown(value: Option<&Value>) -> String {
    match value {
        None => "nothing".to_owned(),
        Some(Value::Null) => "null".to_owned(),
        Some(Value::Bool(flag)) => flag.to_string(),
        Some(Value::Number(number)) => shortened(&number.to_string(), SHOWN),
        Some(Value::String(text)) => quoted(text),
        Some(Value::Array(items)) if items.is_empty() => "an empty list".to_owned(),
        Some(Value::Array(_)) => "a list".to_owned(),
        Some(Value::Object(_)) => "an object".to_owned(),
    }
}

/// Text from outside, escaped, in quotes, and short enough for a log line.
fn quoted(text: &str) -> String {
    let head: String = text.chars().take(SHOWN + 1).collect();
    shortened(&format!("{head:?}"), SHOWN)
}

/// At most `most` characters of a text from outside, without control characters, an ellipsis included.
pub(super) fn shortened(text: &str, most: usize) -> String {
    let clean = |character: char| {
        if character.is_control() { ' ' } else { character }
    };
    if text.chars().nth(most).is_none() {
        text.chars().map(clean).collect()
    } else {
        text.chars().take(most - 1).map(clean).chain(['…']).collect()
    }
}

/// Text that says something: an empty string is refused.
#[derive(Debug)]
pub(super) struct Text(pub String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read(deserializer, "text that is not empty", |text| (!text.is_empty()).then(|| Self(text.to_owned())))
    }
}

/// Reads a text through a function that knows the accepted ones.
pub(super) fn read<'de, D: Deserializer<'de>, T>(
    deserializer: D,
    expected: &'static str,
    accept: impl Fn(&str) -> Option<T>,
) -> Result<T, D::Error> {
    struct Words<F>(&'static str, F);

    impl<'de, T, F: Fn(&str) -> Option<T>> Visitor<'de> for Words<F> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
            (self.1)(text).ok_or_else(|| E::custom(self.0))
        }
    }

    deserializer.deserialize_str(Words(expected, accept))
}
