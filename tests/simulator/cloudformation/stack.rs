//! What a stack is made of, and what a script makes of it.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

/// A stack to create.
#[derive(Debug, Clone)]
pub struct Stack {
    pub(super) name: String,
    pub(super) status: String,
    pub(super) resources: Vec<Resource>,
    pub(super) parent: Option<(String, String)>,
    pub(super) takes: Duration,
    pub(super) denied: bool,
}

impl Stack {
    /// A stack that was created, and whose drift detection takes 30 seconds.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            status: "CREATE_COMPLETE".to_owned(),
            resources: Vec::new(),
            parent: None,
            takes: Duration::from_secs(30),
            denied: false,
        }
    }

    /// In another status, by CloudFormation's word.
    #[must_use]
    pub fn status(self, status: &str) -> Self {
        Self { status: status.to_owned(), ..self }
    }

    /// With one more resource.
    #[must_use]
    pub fn resource(mut self, resource: Resource) -> Self {
        self.resources.push(resource);
        self
    }

    /// Nested: the resource `logical` of the stack `parent`.
    #[must_use]
    pub fn nested_in(self, parent: &str, logical: &str) -> Self {
        Self { parent: Some((parent.to_owned(), logical.to_owned())), ..self }
    }

    /// How long drift detection takes, in virtual time.
    #[must_use]
    pub fn detected_in(self, takes: Duration) -> Self {
        Self { takes, ..self }
    }

    /// Nobody may do anything with it but list it: a resource policy or a permissions boundary that is not in the
    /// functions' own roles.
    #[must_use]
    pub fn denied(self) -> Self {
        Self { denied: true, ..self }
    }
}

/// A resource of a stack.
#[derive(Debug, Clone)]
pub struct Resource {
    pub(super) logical: String,
    pub(super) kind: String,
    pub(super) physical: String,
}

impl Resource {
    /// A resource of a type such as `AWS::Lambda::Alias`, with its physical id.
    pub fn new(logical: &str, kind: &str, physical: &str) -> Self {
        let (logical, kind, physical) = (logical.to_owned(), kind.to_owned(), physical.to_owned());
        Self { logical, kind, physical }
    }
}

/// How a resource is not as its template says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// A property differs: its path, `NOT_EQUAL`, `ADD` or `REMOVE`, what the template says, and what is.
    Property {
        /// Such as `/Code/S3Key`.
        path: String,
        /// `NOT_EQUAL`, `ADD`, `REMOVE`.
        kind: String,
        /// By the template.
        expected: String,
        /// As it is.
        actual: String,
    },
    /// It was deleted.
    Deleted,
    /// It cannot be read: the detection fails, and says why.
    Unreadable(String),
}

/// What a script does to a stack that fails.
#[derive(Debug, Clone)]
pub struct StackFailure {
    /// The status in which it ends, such as `UPDATE_ROLLBACK_FAILED`.
    pub status: String,
    /// What its events say, oldest first, a second apart; the last one is now. The stack's own event follows.
    pub steps: Vec<StackStep>,
}

/// One event of a stack that fails.
#[derive(Debug, Clone)]
pub struct StackStep {
    /// The logical id.
    pub resource: String,
    /// Such as `AWS::Lambda::Function`.
    pub kind: String,
    /// Such as `UPDATE_FAILED`.
    pub status: String,
    /// CloudFormation's words; empty for none.
    pub reason: String,
}

/// An event of a stack.
#[derive(Debug, Clone)]
pub(super) struct StackEvent {
    pub(super) id: String,
    pub(super) logical: String,
    pub(super) physical: String,
    pub(super) kind: String,
    pub(super) status: String,
    pub(super) reason: String,
    pub(super) at: Timestamp,
}

/// A stack in the simulator's state.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) id: String,
    pub(super) settings: Stack,
    pub(super) created: Timestamp,
    pub(super) updated: Option<Timestamp>,
    pub(super) status_reason: Option<String>,
    /// Oldest first.
    pub(super) events: Vec<StackEvent>,
    /// How its resources differ now, by logical id.
    pub(super) differs: BTreeMap<String, Vec<Difference>>,
    /// What the last detection found, by logical id: with when.
    pub(super) found: BTreeMap<String, (Timestamp, Vec<Difference>)>,
    /// `DRIFTED`, `IN_SYNC`, `UNKNOWN`; `NOT_CHECKED` before the first detection.
    pub(super) drift_status: &'static str,
    pub(super) checked: Option<Timestamp>,
    /// The detection that runs.
    pub(super) detecting: Option<String>,
}

impl Known {
    pub(super) fn resource(&self, logical: &str) -> Option<&Resource> {
        self.settings.resources.iter().find(|resource| resource.logical == logical)
    }
}

/// Whether a stack is meant by a name or an ARN.
pub(super) fn is_of(stack: &Known, name: &str) -> bool {
    stack.id == name || (stack.settings.name == name && stack.settings.status != "DELETE_COMPLETE")
}
