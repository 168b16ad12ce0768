//! A role's statements, evaluated by `iam-rs`. What that crate would pass over, or read otherwise than IAM, is refused
//! here: unknown members, operators and keys, policy variables.

use std::collections::BTreeMap;

use iam_rs::{
    Arn, Context, ContextValue, Decision, IAMPolicy, IAMRequest, IAMStatement, Principal, PrincipalId,
};
use serde_json::Value;

/// One permission that a call needs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Need {
    /// Such as `codedeploy:StopDeployment`.
    pub action: String,
    /// The resource's ARN; `*` where the action has no resource type.
    pub resource: String,
    /// What conditions may ask for, by the key's name.
    pub context: BTreeMap<String, String>,
}

impl Need {
    /// An action on a resource.
    pub fn new(action: &str, resource: impl Into<String>) -> Self {
        Self { action: action.to_owned(), resource: resource.into(), context: BTreeMap::new() }
    }

    /// With something that a condition may ask for.
    pub fn with(mut self, key: &str, value: &str) -> Self {
        self.context.insert(key.to_owned(), value.to_owned());
        self
    }
}

/// A key's own policy (KMS Developer Guide, "Key policies"): what it lets every principal of the account do, for which a
/// role needs no permission of its own; and whether it leaves the rest to the account's IAM policies. If it does not, a
/// role's permission is worth nothing.
#[derive(Debug, Clone)]
pub struct KeyPolicy {
    for_everybody: Role,
    leaves_it_to_iam: bool,
}

impl KeyPolicy {
    /// A policy with these statements, in the policy language.
    ///
    /// # Errors
    /// When a statement for everybody has something that is not known here.
    pub fn new(key: &str, statements: &[Value]) -> Result<Self, String> {
        let for_everybody = statements
            .iter()
            .filter(|statement| statement["Principal"] == "*" || statement["Principal"]["AWS"] == "*")
            .map(|statement| {
                let mut statement = statement.clone();
                statement.as_object_mut().map(|members| members.remove("Principal"));
                statement
            });
        let leaves_it_to_iam = statements.iter().any(|statement| {
            let account = statement["Principal"]["AWS"].as_str().unwrap_or_default();
            statement["Effect"] == "Allow" && account.ends_with(":root") && statement["Action"] == "kms:*"
        });
        Ok(Self { for_everybody: Role::new(key, for_everybody.collect())?, leaves_it_to_iam })
    }

    /// Whether a principal may do that whose own role allows it, or does not.
    pub(super) fn allows(&self, need: &Need, by_its_role: bool) -> bool {
        (by_its_role && self.leaves_it_to_iam) || self.for_everybody.allows(need)
    }
}

/// One statement of a role.
#[derive(Debug, Clone)]
pub struct Statement {
    /// Its name.
    pub sid: String,
    /// Its actions, as written.
    pub actions: Vec<String>,
    /// Its resources, as written.
    pub resources: Vec<String>,
    policy: IAMPolicy,
}

/// A role, with everything that its policies say.
#[derive(Debug, Clone)]
pub struct Role {
    /// Its logical id in the template.
    pub name: String,
    /// Its statements.
    pub statements: Vec<Statement>,
}

/// The operators of conditions that are checked to be what IAM says.
const OPERATORS: [&str; 4] = ["StringEquals", "StringLike", "ArnLike", "Bool"];
/// The keys that the simulator gives.
const KEYS: [&str; 4] =
    ["kms:ViaService", "kms:CallerAccount", "kms:EncryptionContext:aws:sns:topicArn", "ecs:cluster"];

/// What stands for "no resource" in a request: only `*` matches it, because a pattern's service is never a wildcard.
const NO_RESOURCE: &str = "arn:aws:none:::nothing";

impl Role {
    /// A role with these statements, in the policy language.
    ///
    /// # Errors
    /// When a statement has no Sid, or something that is not known here.
    pub fn new(name: &str, statements: Vec<Value>) -> Result<Self, String> {
        let mut known: Vec<Statement> = Vec::new();
        for statement in statements {
            let statement = Statement::new(&statement).map_err(|why| format!("{name}: {why}"))?;
            if known.iter().any(|other| other.sid == statement.sid) {
                return Err(format!("{name}: the Sid {} is there twice", statement.sid));
            }
            known.push(statement);
        }
        Ok(Self { name: name.to_owned(), statements: known })
    }

    /// Whether the role allows this: a statement does, and none denies it.
    pub fn allows(&self, need: &Need) -> bool {
        let decisions: Vec<Decision> =
            self.statements.iter().map(|statement| statement.decides(need)).collect();
        decisions.contains(&Decision::Allow) && !decisions.contains(&Decision::Deny)
    }
}

impl Statement {
    fn new(value: &Value) -> Result<Self, String> {
        let sid =
            value["Sid"].as_str().ok_or_else(|| format!("this statement has no Sid: {value}"))?.to_owned();
        let wrong = |why: String| Err(format!("{sid}: {why}"));
        for member in value.as_object().into_iter().flatten().map(|(name, _)| name) {
            if !["Sid", "Effect", "Action", "Resource", "Condition"].contains(&member.as_str()) {
                return wrong(format!("{member} is not known here"));
            }
        }
        for (operator, keys) in value["Condition"].as_object().into_iter().flatten() {
            if !OPERATORS.contains(&operator.as_str()) {
                return wrong(format!("the operator {operator} is not known here"));
            }
            let unknown =
                keys.as_object().into_iter().flatten().find(|(key, _)| !KEYS.contains(&key.as_str()));
            if let Some((key, _)) = unknown {
                return wrong(format!("the key {key} is not known here"));
            }
        }
        let (actions, resources) = (texts(&value["Action"]), texts(&value["Resource"]));
        if actions.is_empty() || resources.is_empty() {
            return wrong("it needs an Action and a Resource".to_owned());
        }
        if let Some(resource) = resources.iter().find(|resource| resource.contains("${")) {
            return wrong(format!("policy variables are not known here: {resource}"));
        }
        for resource in resources.iter().filter(|resource| *resource != "*") {
            Arn::parse(resource).map_err(|error| format!("{sid}: {resource}: {error}"))?;
        }
        let statement: IAMStatement =
            serde_json::from_value(value.clone()).map_err(|error| format!("{sid}: {error}"))?;
        let policy = IAMPolicy::new().add_statement(statement);
        Ok(Self { sid, actions, resources, policy })
    }

    /// What this statement alone says of it.
    pub fn decides(&self, need: &Need) -> Decision {
        let resource = if need.resource == "*" { NO_RESOURCE } else { &need.resource };
        let mut context = Context::new();
        for (key, value) in &need.context {
            context.insert(key.clone(), ContextValue::String(value.clone()));
        }
        let request = IAMRequest {
            principal: Principal::Aws(PrincipalId::String(
                "arn:aws:iam::123456789012:role/rehearsed".to_owned(),
            )),
            action: need.action.clone(),
            resource: Arn::parse(resource)
                .unwrap_or_else(|error| panic!("{} is no ARN: {error}", need.resource)),
            context,
        };
        iam_rs::evaluate_policy(&self.policy, &request)
            .unwrap_or_else(|error| panic!("{} of {}: {error}", self.sid, need.action))
    }

    /// Whether one of its actions, alone, is used by this: `action` as written in the statement.
    pub fn is_used(&self, action: &str, need: &Need) -> bool {
        Arn::wildcard_match(&need.action.to_ascii_lowercase(), &action.to_ascii_lowercase())
            && self.decides(need) == Decision::Allow
    }
}

/// One text or several.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(items) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => Vec::new(),
    }
}
