//! What comes to the chat function: requests over HTTP from a chat product, and work that the function gives to
//! itself.
//!
//! A request is read in two steps, so that nothing is parsed before it is verified: [`http`] takes it out of
//! Lambda's envelope, its signature is checked over the bytes of its body (`chat/signature.rs`), and only then
//! [`chat`] reads the body. Errors name the field and never show its value: bodies hold tokens, and people.

mod slack;
#[cfg(test)]
mod tests;

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};
use thiserror::Error;

pub use slack::{ChatRequest, Press, SlashCommand, chat};

use super::EventError;
use super::foreign;
use super::wire::{Part, Text, payload, read};
use crate::chat::slack::button::is_offer;

/// The longest body that is looked at, in bytes. Slack's are a few kilobytes; Lambda would let six megabytes in.
pub const LONGEST_BODY: usize = 256 * 1024;

const EXPECTED: &str =
    "a function URL's or HTTP API's request (payload 2.0), or the chat function's own work";

/// Why something that came was not understood. Shows names of fields, never what is in them.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ChatRefusal {
    /// It is understood, as something that this function does not handle. A wiring mistake, mostly.
    #[error("this is {came}; expected {EXPECTED}")]
    NotForUs {
        /// What came, by its own names.
        came: String,
    },
    /// A field is missing, of another type, or not as it must be.
    #[error("{path}: expected {expected}")]
    Malformed {
        /// The field, from the top of the payload, or of the form that a body is.
        path: String,
        /// What would have been right.
        expected: String,
    },
    /// The body is longer than [`LONGEST_BODY`].
    #[error("the body is longer than {LONGEST_BODY} bytes")]
    TooLarge,
    /// The body is neither a form nor JSON, by its content type.
    #[error("content-type: expected application/x-www-form-urlencoded or application/json")]
    Unsupported,
}

impl ChatRefusal {
    /// The HTTP status that says so.
    pub fn status(&self) -> u16 {
        match self {
            Self::NotForUs { .. } | Self::Malformed { .. } | Self::Unsupported => 400,
            Self::TooLarge => 413,
        }
    }

    /// The error's type at the Lambda edge. Stable: alarms on failed invocations may filter on it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::NotForUs { .. } => "NotForUs",
            Self::Malformed { .. } => "MalformedEvent",
            Self::TooLarge => "TooLarge",
            Self::Unsupported => "UnsupportedContentType",
        }
    }

    fn malformed(path: &str, expected: &str) -> Self {
        Self::Malformed { path: path.to_owned(), expected: expected.to_owned() }
    }
}

impl From<EventError> for ChatRefusal {
    /// What was found is left out: it may be a secret, or what somebody wrote.
    fn from(error: EventError) -> Self {
        match error {
            EventError::NotForUs { came, .. } => Self::NotForUs { came },
            EventError::Malformed { path, expected, found: _ } => Self::Malformed { path, expected },
        }
    }
}

/// A request over HTTP, its body as it was sent.
///
/// `Debug` shows where it went and how long its body is: headers hold signatures, and bodies hold tokens.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpRequest {
    /// For example `POST`.
    pub method: String,
    /// For example `/`. An HTTP API puts its stage before it, unless that is `$default`.
    pub path: String,
    /// The body's bytes, decoded if Lambda encoded them; none if there was no body.
    pub body: Vec<u8>,
    headers: Vec<(String, String)>,
}

impl HttpRequest {
    /// A header's value, by its name in any case. Lambda writes names in lower case; some proxies do not.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(own, _)| own.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

impl fmt::Debug for HttpRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpRequest")
            .field("method", &self.method)
            .field("path", &self.path)
            .field("body", &format_args!("{} bytes", self.body.len()))
            .finish_non_exhaustive()
    }
}

/// Work that the chat function gives to itself, because Slack waits three seconds only: a press that is written down,
/// and is to be judged. Who pressed what is in the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Work {
    /// The offer that was answered.
    pub offer: String,
    /// Which press of it.
    pub stamp: String,
}

impl Work {
    /// The payload of the invocation, as [`chat_event`] reads it.
    pub fn payload(&self) -> Vec<u8> {
        json!({ "belay": ANSWER, "offer": self.offer, "stamp": self.stamp }).to_string().into_bytes()
    }
}

const ANSWER: &str = "answer";

/// What the chat function was invoked with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChatEvent {
    /// A request from outside. Nobody's, until its signature is verified.
    Http(HttpRequest),
    /// Its own work. Only who may invoke the function can send this: what comes in over its URL is always a request.
    Work(Work),
}

/// Reads what the chat function was invoked with.
///
/// What has a `requestContext` came over HTTP, and is never work, whatever else it says.
///
/// # Errors
///
/// [`ChatRefusal`] for anything else.
pub fn chat_event(bytes: &[u8]) -> Result<ChatEvent, ChatRefusal> {
    let value = payload(bytes)?;
    let whole = Part::whole(&value);
    if whole.has("requestContext") || !whole.has("belay") {
        return request(&whole).map(ChatEvent::Http);
    }
    let work: WorkWire = whole.decode()?;
    if work.belay.0 != ANSWER {
        return Err(ChatRefusal::malformed("belay", "`answer`"));
    }
    Ok(ChatEvent::Work(Work { offer: work.offer.0, stamp: work.stamp.0 }))
}

/// Reads a request of a function URL or an HTTP API (payload 2.0), and nothing of its body.
///
/// # Errors
///
/// [`ChatRefusal`]: not such a request, one without a method, or a body that is too long or not the base64 that it
/// is said to be. The length is looked at before anything is decoded.
pub fn http(bytes: &[u8]) -> Result<HttpRequest, ChatRefusal> {
    let value = payload(bytes)?;
    request(&Part::whole(&value))
}

fn request(whole: &Part<'_>) -> Result<HttpRequest, ChatRefusal> {
    if !whole.has("requestContext") {
        return Err(ChatRefusal::NotForUs { came: foreign::payload(whole) });
    }
    let wire: Request = whole.decode()?;
    let body = wire.body.unwrap_or_default();
    // Base64 writes four characters for three bytes, or for the rest of them.
    let longest = if wire.is_base64_encoded { LONGEST_BODY.div_ceil(3) * 4 } else { LONGEST_BODY };
    if body.len() > longest {
        return Err(ChatRefusal::TooLarge);
    }
    let body = if wire.is_base64_encoded {
        STANDARD.decode(body).map_err(|_| ChatRefusal::malformed("body", "base64"))?
    } else {
        body.into_bytes()
    };
    if body.len() > LONGEST_BODY {
        return Err(ChatRefusal::TooLarge);
    }
    let headers = whole.value.get("headers").and_then(Value::as_object);
    // A header that is no text is none that we could verify: then it is missing.
    let text = |(name, value): (&String, &Value)| Some((name.clone(), value.as_str()?.to_owned()));
    Ok(HttpRequest {
        method: wire.request_context.http.method.0,
        path: wire.raw_path.0,
        body,
        headers: headers.into_iter().flatten().filter_map(text).collect(),
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
struct Request {
    raw_path: Text,
    request_context: RequestContext,
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: bool,
}

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct RequestContext {
    http: Http,
}

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct Http {
    method: Text,
}

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct WorkWire {
    belay: Text,
    offer: OfferId,
    stamp: Text,
}

/// An offer's id.
#[derive(Debug)]
struct OfferId(String);

impl<'de> Deserialize<'de> for OfferId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let expected = "an offer's id: 1 to 64 letters, digits, `_` or `-`";
        read(deserializer, expected, |text| is_offer(text).then(|| Self(text.to_owned())))
    }
}
