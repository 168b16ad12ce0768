//! A serde deserializer over JSON that keeps what a mistake was, instead of a sentence about it.
//!
//! serde_json's own error is text: which field was missing would have to be parsed out of it. It also
//! reads a list as a struct, field by field, so `["ALARM"]` would pass for a state. Here a struct is read
//! from an object and from nothing else.

use std::fmt;

use serde::Deserializer;
use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{Error, Expected, IntoDeserializer, Unexpected, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::Value;

/// What was wrong with a field. Where it was is serde_path_to_error's part, and what was found there is
/// looked up in the payload.
#[derive(Debug)]
pub(super) enum Mistake {
    /// The object at the path lacks this key.
    Missing(&'static str),
    /// The value at the path is not what the struct asks for.
    Wrong {
        /// What would have been right, in a few words.
        expected: String,
    },
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(key) => write!(f, "`{key}` is missing"),
            Self::Wrong { expected } => write!(f, "expected {expected}"),
        }
    }
}

impl std::error::Error for Mistake {}

impl Error for Mistake {
    fn custom<T: fmt::Display>(expected: T) -> Self {
        Self::Wrong { expected: expected.to_string() }
    }

    fn invalid_type(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::Wrong { expected: expected.to_string() }
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::Wrong { expected: expected.to_string() }
    }

    fn invalid_length(_: usize, expected: &dyn Expected) -> Self {
        Self::Wrong { expected: expected.to_string() }
    }

    fn missing_field(field: &'static str) -> Self {
        Self::Missing(field)
    }
}

/// One value of the payload, ready to be read into a wire struct.
#[derive(Clone, Copy)]
pub(super) struct Node<'de>(pub &'de Value);

impl<'de> IntoDeserializer<'de, Mistake> for Node<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Node<'de> {
    type Error = Mistake;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Bool(flag) => visitor.visit_bool(*flag),
            Value::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
                (Some(whole), ..) => visitor.visit_u64(whole),
                (None, Some(whole), _) => visitor.visit_i64(whole),
                (None, None, Some(fraction)) => visitor.visit_f64(fraction),
                (None, None, None) => Err(Mistake::Wrong { expected: "a number".to_owned() }),
            },
            Value::String(text) => visitor.visit_borrowed_str(text),
            Value::Array(items) => visitor.visit_seq(SeqDeserializer::new(items.iter().map(Node))),
            Value::Object(fields) => visitor.visit_map(MapDeserializer::new(
                fields.iter().map(|(key, value)| (key.as_str(), Node(value))),
            )),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        match self.0 {
            Value::Null => visitor.visit_none(),
            Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
                visitor.visit_some(self)
            }
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        if self.0.is_object() {
            self.deserialize_any(visitor)
        } else {
            Err(Mistake::Wrong { expected: visitor_words(&visitor) })
        }
    }

    /// Fields that we do not read are not looked at, however deep they go.
    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct newtype_struct seq tuple tuple_struct map enum identifier
    }
}

/// What a visitor says that it expects.
fn visitor_words<'de>(visitor: &impl Visitor<'de>) -> String {
    (visitor as &dyn Expected).to_string()
}
