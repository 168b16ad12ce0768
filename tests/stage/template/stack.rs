//! A stack: what a template becomes. What its functions are given, which roles they have, what invokes them.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{
    names::{self, function_name},
    resolve::Resolver,
};
use crate::Role;

/// The resources that are there, resolved.
#[derive(Clone, Debug)]
pub struct Stack {
    /// Logical id → `Type`, `Properties` and what stands beside them.
    pub resources: BTreeMap<String, Value>,
    /// Name → `Value`.
    pub outputs: BTreeMap<String, Value>,
}

/// A Lambda function, with what `Globals` say of all of them.
#[derive(Clone, Debug)]
pub struct Function {
    /// Its logical id, such as `AlarmTransitions`.
    pub logical: String,
    /// Its program, such as `alarm-transitions`.
    pub name: String,
    /// Its properties.
    pub properties: Value,
}

impl Stack {
    pub(super) fn resolved(root: &Value, given: &BTreeMap<String, String>) -> Result<Self, String> {
        let resolver = Resolver::new(root, given)?;
        let globals = resolver.value(&root["Globals"]["Function"], 0)?.unwrap_or_default();
        let mut resources = BTreeMap::new();
        for (name, resource) in root["Resources"].as_object().into_iter().flatten() {
            let is_there = resource["Condition"].as_str().map(|condition| resolver.condition(condition, 0));
            if !is_there.unwrap_or(Ok(true))? {
                continue;
            }
            let made = resolver.value(resource, 0).map_err(|why| format!("{name}: {why}"))?;
            let mut made = made.unwrap_or_default();
            if made["Type"] == "AWS::Serverless::Function" {
                made["Properties"] = with_globals(&globals, &made["Properties"]);
            }
            resources.insert(name.clone(), made);
        }
        let mut outputs = BTreeMap::new();
        for (name, output) in root["Outputs"].as_object().into_iter().flatten() {
            let is_there = output["Condition"].as_str().map(|condition| resolver.condition(condition, 0));
            if is_there.unwrap_or(Ok(true))? {
                // What only the real stack knows, such as a function's URL, is nothing here.
                let value = resolver.value(&output["Value"], 0).ok().flatten();
                outputs.insert(name.clone(), value.unwrap_or_default());
            }
        }
        Ok(Self { resources, outputs })
    }

    /// The resources of one type, by logical id.
    pub fn of_type<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = (&'a str, &'a Value)> {
        let resources = self.resources.iter().filter(move |(_, resource)| resource["Type"] == kind);
        resources.map(|(name, resource)| (name.as_str(), &resource["Properties"]))
    }

    /// The functions.
    pub fn functions(&self) -> Vec<Function> {
        self.of_type("AWS::Serverless::Function")
            .map(|(logical, properties)| Function {
                logical: logical.to_owned(),
                name: function_name(logical),
                properties: properties.clone(),
            })
            .collect()
    }

    /// The role of a function, with what it allows.
    ///
    /// # Errors
    /// When it is not a role of this template, or has a policy that cannot be read here.
    pub fn role(&self, function: &Function) -> Result<Role, String> {
        let wanted = function.properties["Role"].as_str();
        let wanted = wanted.ok_or_else(|| format!("{} has no Role", function.logical))?;
        let (name, properties) = self
            .of_type("AWS::IAM::Role")
            .find(|(name, role)| self.arn_of(name, "AWS::IAM::Role", role).as_deref() == Some(wanted))
            .ok_or_else(|| format!("{}: {wanted} is no role of this template", function.logical))?;
        role_of(name, properties)
    }

    /// A role of this template.
    ///
    /// # Errors
    /// When there is none of that logical id, or it has a policy that cannot be read here.
    pub fn role_called(&self, logical: &str) -> Result<Role, String> {
        let role = self.of_type("AWS::IAM::Role").find(|(name, _)| *name == logical);
        let (name, properties) = role.ok_or_else(|| format!("the template has no role {logical}"))?;
        role_of(name, properties)
    }

    /// The ARN of a resource.
    pub fn arn(&self, logical: &str) -> Option<String> {
        let resource = self.resources.get(logical)?;
        self.arn_of(logical, resource["Type"].as_str()?, &resource["Properties"])
    }

    #[allow(clippy::unused_self, reason = "an ARN is one of a stack")]
    fn arn_of(&self, logical: &str, kind: &str, properties: &Value) -> Option<String> {
        names::attribute(logical, kind, properties, "Arn")
    }
}

fn role_of(name: &str, properties: &Value) -> Result<Role, String> {
    // CloudFormation alone uses what is attached to this one, and what it reads with it is not modelled.
    if !properties["ManagedPolicyArns"].is_null() && name != "StackDriftRole" {
        return Err(format!("{name}: what a managed policy allows cannot be read here"));
    }
    let mut statements = Vec::new();
    for policy in properties["Policies"].as_array().into_iter().flatten() {
        match &policy["PolicyDocument"]["Statement"] {
            Value::Array(all) => statements.extend(all.clone()),
            one @ Value::Object(_) => statements.push(one.clone()),
            other => return Err(format!("{name}: {other} is no statement")),
        }
    }
    Role::new(name, statements)
}

/// A function's properties and those that `Globals` give to all: mappings are joined, lists are added, words are the
/// function's own (SAM Developer Guide, "Globals section").
fn with_globals(globals: &Value, own: &Value) -> Value {
    match (globals, own) {
        (Value::Object(globals), Value::Object(own)) => {
            let mut both: Map<String, Value> = globals.clone();
            for (name, value) in own {
                let joined =
                    both.get(name).map_or_else(|| value.clone(), |global| with_globals(global, value));
                both.insert(name.clone(), joined);
            }
            both.into()
        }
        (Value::Array(globals), Value::Array(own)) => globals.iter().chain(own).cloned().collect(),
        (Value::Null, own) => own.clone(),
        (globals, Value::Null) => globals.clone(),
        (_, own) => json!(own),
    }
}
