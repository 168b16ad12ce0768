//! The recorded answers: what AWS (the simulator, which is held to AWS's documentation) said to `alarm-transitions`
//! in one play. `tests/scenarios/the_benchmark.rs` records them and holds them to the simulator.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Trouble;

/// The play: a Lambda deployment is under way since two and a half minutes and its start is in the ledger; the alarm
/// `orders-5xx` goes off.
const RECORDED: &str = include_str!("../answers/alarm-transitions.json");

/// The deployment of the play. Every event gets another one in its place, so that nothing was done about it before.
pub const RELEASE: &str = "d-44MN5CAQD";

/// The call that is waited for.
pub const STOP: &str = "CodeDeploy.StopDeployment";

/// A play, with its times taken out (see [`crate::relative`]).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Play {
    /// EventBridge's event, as the function gets it.
    pub event: Value,
    /// What it asked and was told, in order.
    pub calls: Vec<Recorded>,
}

/// One call and its answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recorded {
    /// `CodeDeploy.GetDeployment`.
    pub call: String,
    /// What a request contains that is this one, among those of the same name.
    pub about: Vec<String>,
    /// How it was answered.
    pub protocol: Protocol,
    /// The answer; the query protocol's as text.
    pub answer: Value,
}

/// The protocols of the recorded services.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// awsJson1.0.
    Json10,
    /// awsJson1.1.
    Json11,
    /// rpc-v2-cbor.
    Cbor,
    /// A form in, XML out.
    Query,
}

impl Protocol {
    /// Of the answer.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Json10 => "application/x-amz-json-1.0",
            Self::Json11 => "application/x-amz-json-1.1",
            Self::Cbor => "application/cbor",
            Self::Query => "text/xml",
        }
    }
}

/// The play in `benches/answers`.
///
/// # Errors
/// When it cannot be read.
pub fn recorded() -> Result<Play, Trouble> {
    serde_json::from_str(RECORDED).map_err(|error| format!("benches/answers: {error}").into())
}

/// Which call a request is, and in which protocol: from its path, its `x-amz-target`, its body. The models of
/// CodeDeploy list CBOR beside JSON, and clients choose.
pub fn recognise(path: &str, target: Option<&str>, body: &[u8]) -> Option<(String, Protocol)> {
    if let Some((service, operation)) = target.and_then(|target| target.split_once('.')) {
        let protocol = if service.starts_with("DynamoDB") { Protocol::Json10 } else { Protocol::Json11 };
        return Some((named(service, operation), protocol));
    }
    let rpc = path.strip_prefix("/service/").and_then(|rest| rest.split_once("/operation/"));
    if let Some((service, operation)) = rpc {
        return Some((named(service, operation), Protocol::Cbor));
    }
    let form = std::str::from_utf8(body).ok()?;
    let mut fields = form.split('&').filter_map(|field| field.split_once('='));
    let (_, operation) = fields.find(|(name, _)| *name == "Action")?;
    Some((named("Sns", operation), Protocol::Query))
}

fn named(service: &str, operation: &str) -> String {
    let service = match service.split('_').next() {
        Some("DynamoDB") => "DynamoDb",
        // What the model of CloudWatch calls it.
        Some("GraniteServiceVersion20100801") => "CloudWatch",
        Some(name) => name,
        None => service,
    };
    format!("{service}.{operation}")
}

/// The place of the answer to this request among the recorded ones: of those that fit, the `before`-th, or the last.
/// A write to the ledger that was not recorded is answered like the others of its kind.
pub fn find(calls: &[Recorded], call: &str, body: &[u8], before: impl Fn(usize) -> usize) -> Option<usize> {
    let of_name = || calls.iter().enumerate().filter(|(_, recorded)| recorded.call == call);
    let fitting: Vec<usize> = of_name()
        .filter(|(_, recorded)| recorded.about.iter().all(|about| contains(body, about.as_bytes())))
        .map(|(place, _)| place)
        .collect();
    match fitting.as_slice() {
        [] if call.starts_with("DynamoDb.") && call != "DynamoDb.Query" => {
            of_name().map(|(place, _)| place).next()
        }
        [] => None,
        [.., last] => Some(fitting.iter().copied().find(|place| before(*place) == 0).unwrap_or(*last)),
    }
}

fn contains(body: &[u8], part: &[u8]) -> bool {
    part.is_empty() || body.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_recognised_in_every_protocol() {
        let name = |path, target, body: &str| recognise(path, target, body.as_bytes());
        assert_eq!(
            name("/", Some("CodeDeploy_20141006.StopDeployment"), "{}"),
            Some((STOP.to_owned(), Protocol::Json11))
        );
        let rpc = "/service/CodeDeploy_20141006/operation/StopDeployment";
        assert_eq!(name(rpc, None, ""), Some((STOP.to_owned(), Protocol::Cbor)));
        let query = name("/", None, "Action=Publish&Version=2010-03-31");
        assert_eq!(query, Some(("Sns.Publish".to_owned(), Protocol::Query)));
        assert_eq!(name("/", None, "nothing"), None);
    }

    #[test]
    fn of_answers_to_the_same_question_the_next_is_given_and_then_the_last() {
        let recorded = |call: &str, about: &str| Recorded {
            call: call.to_owned(),
            about: vec![about.to_owned()],
            protocol: Protocol::Json10,
            answer: Value::Null,
        };
        let calls =
            [recorded("A", "x"), recorded("A", "y"), recorded("A", "x"), recorded("DynamoDb.PutItem", "z")];
        let given = [1, 0, 0, 0];
        assert_eq!(find(&calls, "A", b"?x", |_| 0), Some(0));
        assert_eq!(find(&calls, "A", b"?x", |place| given[place]), Some(2));
        assert_eq!(find(&calls, "A", b"?x", |_| 1), Some(2));
        assert_eq!(find(&calls, "A", b"?", |_| 0), None);
        assert_eq!(find(&calls, "DynamoDb.PutItem", b"?", |_| 0), Some(3));
    }
}
