//! The five wire protocols, each to and from plain JSON in the service's own field names.
//!
//! CodeDeploy: awsJson1.1 or smithy-rpc-v2-cbor. CloudWatch: smithy-rpc-v2-cbor, the only one the Rust
//! SDK speaks. DynamoDB: awsJson1.0. SNS, STS: query in, XML out. CodePipeline: awsJson1.1. Lambda: REST, its answers in `lambda`. Read off real requests.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ciborium::Value as Cbor;
use serde_json::{Map, Value};

use crate::refusal::Refusal;

/// The protocol that a request came in, and its answer goes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wire {
    Json10,
    Json11,
    Cbor,
    /// With the namespace of the answers' XML.
    Query(&'static str),
    /// The body is the payload.
    Rest,
}

/// An answer ready to send.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
}

/// The members that are timestamps: CBOR tags them, JSON does not, so the names must tell.
const TIMESTAMPS: [&str; 13] = [
    "AlarmConfigurationUpdatedTimestamp",
    "StateUpdatedTimestamp",
    "StateTransitionedTimestamp",
    "Timestamp",
    "createTime",
    "startTime",
    "completeTime",
    "endTime",
    "lastUpdatedAt",
    "firstUsedTime",
    "lastUsedTime",
    "registerTime",
    "timestamp",
];

/// The strings of a list.
pub(crate) fn texts(value: &Value) -> Vec<&str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// Reads a request body.
pub(crate) fn decode(wire: Wire, body: &[u8]) -> Result<Value, Refusal> {
    let unreadable = |why: String| Refusal::new("SerializationException", why);
    match wire {
        // Invoke without a payload sends no body.
        Wire::Rest if body.is_empty() => Ok(Value::Object(Map::new())),
        Wire::Json10 | Wire::Json11 | Wire::Rest => {
            serde_json::from_slice(body).map_err(|error| unreadable(error.to_string()))
        }
        // An operation without input may send no body at all.
        Wire::Cbor if body.is_empty() => Ok(Value::Object(Map::new())),
        Wire::Cbor => {
            ciborium::from_reader(body).map(from_cbor).map_err(|error| unreadable(error.to_string()))
        }
        Wire::Query(_) => Ok(form_urlencoded::parse(body)
            .map(|(name, value)| (name.into_owned(), Value::String(value.into_owned())))
            .collect::<Map<String, Value>>()
            .into()),
    }
}

/// Writes a success.
pub(crate) fn accepted(wire: Wire, operation: &str, answer: &Value, request_id: &str) -> Reply {
    let body = match wire {
        Wire::Json10 | Wire::Json11 | Wire::Rest => answer.to_string().into_bytes(),
        Wire::Cbor => cbor_bytes(&to_cbor("", answer)),
        Wire::Query(namespace) => {
            let members = elements(answer);
            format!(
                "<{operation}Response xmlns=\"{namespace}\"><{operation}Result>{members}</{operation}Result><ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{operation}Response>"
            )
            .into_bytes()
        }
    };
    Reply { status: 200, headers: headers(wire, request_id), body }
}

/// Writes an error.
pub(crate) fn refused(wire: Wire, refusal: &Refusal, request_id: &str) -> Reply {
    let mut headers = headers(wire, request_id);
    let shape = serde_json::json!({ "__type": refusal.code, "message": refusal.message });
    let body = match wire {
        Wire::Json10 | Wire::Json11 | Wire::Rest => shape.to_string().into_bytes(),
        Wire::Cbor => {
            // CloudWatch is awsQueryCompatible; a client that knows the header reads the code there.
            let fault = if refusal.status < 500 { "Sender" } else { "Receiver" };
            headers.push(("x-amzn-query-error", format!("{};{fault}", refusal.code)));
            cbor_bytes(&to_cbor("", &shape))
        }
        Wire::Query(namespace) => format!(
            "<ErrorResponse xmlns=\"{namespace}\"><Error><Type>Sender</Type><Code>{}</Code><Message>{}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>",
            escaped(&refusal.code),
            escaped(&refusal.message)
        )
        .into_bytes(),
    };
    Reply { status: refusal.status, headers, body }
}

fn headers(wire: Wire, request_id: &str) -> Vec<(&'static str, String)> {
    let content_type = match wire {
        Wire::Json10 => "application/x-amz-json-1.0",
        Wire::Json11 => "application/x-amz-json-1.1",
        Wire::Rest => "application/json",
        Wire::Cbor => "application/cbor",
        Wire::Query(_) => "text/xml",
    };
    let mut headers =
        vec![("content-type", content_type.to_owned()), ("x-amzn-requestid", request_id.to_owned())];
    if wire == Wire::Cbor {
        headers.push(("smithy-protocol", "rpc-v2-cbor".to_owned()));
    }
    headers
}

/// Members as XML elements: texts, numbers, structures, and lists, whose members are called `member`.
fn elements(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(text) => escaped(text),
        Value::Array(members) => {
            members.iter().map(|member| format!("<member>{}</member>", elements(member))).collect()
        }
        Value::Object(members) => {
            members.iter().map(|(name, value)| format!("<{name}>{}</{name}>", elements(value))).collect()
        }
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn cbor_bytes(value: &Cbor) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).expect("a vector takes every byte");
    bytes
}

fn from_cbor(value: Cbor) -> Value {
    match value {
        Cbor::Integer(number) => i64::try_from(number).map_or(Value::Null, Value::from),
        Cbor::Float(number) => Value::from(number),
        Cbor::Text(text) => Value::String(text),
        Cbor::Bool(flag) => Value::Bool(flag),
        // Tag 1: a moment, in seconds since 1970.
        Cbor::Tag(_, inner) => from_cbor(*inner),
        Cbor::Array(members) => members.into_iter().map(from_cbor).collect(),
        Cbor::Map(members) => members
            .into_iter()
            .filter_map(|(name, value)| Some((name.into_text().ok()?, from_cbor(value))))
            .collect::<Map<String, Value>>()
            .into(),
        // No modelled operation takes bytes. `Value` may grow kinds; none would be a field we read.
        Cbor::Bytes(_) | Cbor::Null | _ => Value::Null,
    }
}

fn to_cbor(name: &str, value: &Value) -> Cbor {
    match value {
        Value::Null => Cbor::Null,
        Value::Bool(flag) => Cbor::Bool(*flag),
        Value::Number(number) => {
            if TIMESTAMPS.contains(&name) {
                let seconds = number.as_f64().unwrap_or_default();
                Cbor::Tag(1, Box::new(Cbor::Float(seconds)))
            } else if let Some(integer) = number.as_i64() {
                Cbor::Integer(integer.into())
            } else {
                Cbor::Float(number.as_f64().unwrap_or_default())
            }
        }
        // The one member of the modelled operations that is bytes; JSON carries it as base64.
        Value::String(text) if name == "MetricWidgetImage" => {
            Cbor::Bytes(BASE64.decode(text).expect("the simulator's own base64"))
        }
        Value::String(text) => Cbor::Text(text.clone()),
        Value::Array(members) => Cbor::Array(members.iter().map(|member| to_cbor(name, member)).collect()),
        Value::Object(members) => Cbor::Map(
            members.iter().map(|(name, value)| (Cbor::Text(name.clone()), to_cbor(name, value))).collect(),
        ),
    }
}
