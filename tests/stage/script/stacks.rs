//! What a rehearsal says of CloudFormation's stacks.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::Span;

/// A stack that is there when the rehearsal begins.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StackScript {
    /// Its name.
    pub name: String,
    /// Its status, in CloudFormation's word; CREATE_COMPLETE without it.
    pub status: Option<String>,
    /// Its resources, by logical id.
    #[serde(default)]
    pub resources: BTreeMap<String, ResourceScript>,
    /// The stack in which it is nested, and as which resource; that stack is listed before it.
    pub nested_in: Option<NestedIn>,
    /// How long the detection of its drift takes; 30 seconds without it.
    pub detected_in: Option<Span>,
    /// Whether something else than the functions' roles denies everything but listing it.
    #[serde(default)]
    pub denied: bool,
}

/// A resource of a stack.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResourceScript {
    /// Such as `AWS::Lambda::Alias`.
    pub r#type: String,
    /// Its physical id.
    pub id: String,
}

/// Where a stack is nested.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NestedIn {
    /// The parent.
    pub stack: String,
    /// The parent's resource that it is.
    pub resource: String,
}

/// Somebody changes a resource behind CloudFormation's back.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DriftScript {
    /// Which stack.
    pub stack: String,
    /// Which resource, by its logical id.
    pub resource: String,
    /// In what way.
    #[serde(default)]
    pub kind: DriftKind,
    /// The property's path, such as `/Timeout`; of a property only.
    pub property: Option<String>,
    /// What the template says; of a property only.
    #[serde(default)]
    pub expected: String,
    /// What it is now; of a property only. Of what cannot be read: why.
    #[serde(default)]
    pub actual: String,
}

/// In what way a resource is not as its template says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DriftKind {
    /// A property has another value.
    #[default]
    NotEqual,
    /// A member was added to a list.
    Add,
    /// A property was taken away.
    Remove,
    /// The resource was deleted.
    Deleted,
    /// Whoever detects may not read it.
    Unreadable,
}

/// Somebody sets a resource right again.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MendScript {
    /// Which stack.
    pub stack: String,
    /// Which resource, by its logical id.
    pub resource: String,
}

/// An update of a stack fails.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StackFailsScript {
    /// Which stack.
    pub stack: String,
    /// The status in which it ends, such as UPDATE_ROLLBACK_FAILED.
    pub status: String,
    /// What its events say, oldest first.
    #[serde(default)]
    pub events: Vec<StackEventScript>,
}

/// One event of a stack.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StackEventScript {
    /// The logical id.
    pub resource: String,
    /// Such as `AWS::Lambda::Function`.
    pub r#type: String,
    /// Such as UPDATE_FAILED.
    pub status: String,
    /// CloudFormation's words.
    #[serde(default)]
    pub reason: String,
}
