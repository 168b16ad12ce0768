//! AWS Lambda's Invoke: REST, the payload is the body. Waited for, a function's error is a header on an HTTP 200;
//! as an event, it is taken with a 202 and delivered later (Lambda API reference, "Invoke").

use serde_json::{Value, json};

use crate::refusal::Refusal;
use crate::simulator::Simulator;
use crate::storm::Kind;
use crate::wire::Reply;
use crate::world::World;

/// How a function answers when it is invoked and waited for.
#[derive(Debug, Clone, PartialEq)]
pub enum Invoked {
    /// It returns this.
    Answer(Value),
    /// It fails; Lambda answers 200 with this body, such as `{"errorMessage": …, "errorType": …}`.
    Error(Value),
    /// It does not come back.
    Hang,
}

/// An event's largest payload, in bytes (Lambda quotas, "Invocation payload": 1 MB asynchronous).
const EVENT: usize = 1024 * 1024;

impl Simulator {
    /// How a function answers from now on, by its name.
    pub fn answer_invocations(&self, function: &str, invoked: Invoked) {
        self.world().lambda.insert(function.to_owned(), invoked);
    }
}

/// The function's name from the path of an invocation: a name, or an ARN with or without a qualifier.
pub(crate) fn function_of(path: &str) -> Option<String> {
    let name = path.strip_prefix("/2015-03-31/functions/")?.strip_suffix("/invocations")?;
    let decoded = form_urlencoded::parse(format!("name={name}").as_bytes()).next()?.1.into_owned();
    let after_function = decoded.split(":function:").nth(1).map(str::to_owned);
    let with_qualifier = after_function.unwrap_or(decoded);
    with_qualifier.split(':').next().map(str::to_owned)
}

impl World {
    /// How an invocation of this function goes.
    pub(crate) fn invoked(&self, function: &str) -> Result<Invoked, Refusal> {
        self.lambda.get(function).cloned().ok_or_else(|| no_such_function(function))
    }

    /// Puts an event for a registered function on its way: Lambda accepted it, so that it is never lost, and it
    /// is tried three times.
    pub(crate) fn take_event(&mut self, function: &str, payload: &[u8]) -> Result<(), Refusal> {
        if !self.registered.contains(function) {
            return Err(no_such_function(function));
        }
        if payload.len() > EVENT {
            let refusal = Refusal::new(
                "RequestTooLargeException",
                "Request must be smaller than 1048576 bytes for the InvokeFunction operation",
            );
            return Err(Refusal { status: 413, ..refusal });
        }
        let payload = if payload.is_empty() { b"{}" } else { payload };
        self.send(function, payload, &format!("event for {function}"), Kind::Accepted);
        Ok(())
    }
}

fn no_such_function(function: &str) -> Refusal {
    Refusal {
        status: 404,
        ..Refusal::new(
            "ResourceNotFoundException",
            format!("Function not found: arn:aws:lambda:us-east-1:123456789012:function:{function}"),
        )
    }
}

/// An event was taken: no body.
pub(crate) fn taken(request_id: &str) -> Reply {
    Reply { status: 202, headers: vec![("x-amzn-requestid", request_id.to_owned())], body: Vec::new() }
}

/// A function that came back, well or not.
pub(crate) fn came_back(payload: &Value, failed: bool, request_id: &str) -> Reply {
    let mut headers = vec![
        ("content-type", "application/json".to_owned()),
        ("x-amzn-requestid", request_id.to_owned()),
        ("x-amz-executed-version", "$LATEST".to_owned()),
    ];
    if failed {
        headers.push(("x-amz-function-error", "Unhandled".to_owned()));
    }
    Reply { status: 200, headers, body: payload.to_string().into_bytes() }
}

/// A refusal: the code is a header.
pub(crate) fn refused(refusal: &Refusal, request_id: &str) -> Reply {
    let kind = if refusal.status < 500 { "User" } else { "Service" };
    Reply {
        status: refusal.status,
        headers: vec![
            ("content-type", "application/json".to_owned()),
            ("x-amzn-requestid", request_id.to_owned()),
            ("x-amzn-errortype", refusal.code.clone()),
        ],
        body: json!({ "Type": kind, "Message": refusal.message }).to_string().into_bytes(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_named_by_name_or_arn() {
        let named = |middle: &str| function_of(&format!("/2015-03-31/functions/{middle}/invocations"));
        assert_eq!(named("smoke").as_deref(), Some("smoke"));
        assert_eq!(named("smoke%3Alive").as_deref(), Some("smoke"));
        let arn = "arn%3Aaws%3Alambda%3Aus-east-1%3A123456789012%3Afunction%3Asmoke%3Alive";
        assert_eq!(named(arn).as_deref(), Some("smoke"));
        assert_eq!(function_of("/2015-03-31/functions/smoke"), None);
    }
}
