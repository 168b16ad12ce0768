//! How a service says no.

use serde_json::Value;

/// An error answer of an AWS service: the code a client matches on, the sentence a person reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The error code, such as `DeploymentAlreadyCompletedException`.
    pub code: String,
    /// The sentence that came with it. AWS promises nothing about its wording.
    pub message: String,
    /// The HTTP status: 400 for everything that is the caller's doing.
    pub status: u16,
}

impl Refusal {
    pub(crate) fn new(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into(), status: 400 }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for Refusal {}

/// What an operation answers: a body in the service's own field names, or a refusal.
pub(crate) type Answer = Result<Value, Refusal>;

/// Refuses a request that uses a parameter the simulator does not model, in a way that fails the test
/// by name: an ignored parameter would be an answer to another question.
pub(crate) fn only_modelled(input: &Value, not_modelled: &[&str]) -> Result<(), Refusal> {
    match not_modelled.iter().find(|name| !input[**name].is_null()) {
        None => Ok(()),
        Some(name) => Err(Refusal { status: 501, ..Refusal::new("NotModelled", *name) }),
    }
}
