//! A CloudFormation template as its stack would be: parameters filled in, conditions decided, names known.

mod names;
mod resolve;
mod stack;
mod yaml;

use std::collections::BTreeMap;

use serde_json::{Map, Value};

pub use self::{
    names::{ACCOUNT, PARTITION, REGION, STACK, function_name},
    stack::{Function, Stack},
};

/// A template, read and not yet resolved.
#[derive(Clone, Debug)]
pub struct Template {
    root: Value,
}

impl Template {
    /// Reads a template in YAML, with the short forms of CloudFormation's intrinsic functions.
    ///
    /// # Errors
    /// When it is not one YAML mapping; the sentence names the line.
    pub fn read(text: &str) -> Result<Self, String> {
        let root = yaml::read(text)?;
        match root["Resources"] {
            Value::Object(_) => Ok(Self { root }),
            _ => Err("a template has `Resources`".to_owned()),
        }
    }

    /// One section, such as `Parameters`: its names and what stands under them.
    pub fn section(&self, name: &str) -> Map<String, Value> {
        self.root[name].as_object().cloned().unwrap_or_default()
    }

    /// The stack, with these parameters instead of their defaults.
    ///
    /// # Errors
    /// When a parameter has neither a value nor a default, or an intrinsic function cannot be resolved.
    pub fn stack(&self, parameters: &[(&str, &str)]) -> Result<Stack, String> {
        let known = self.section("Parameters");
        let mut given = BTreeMap::new();
        for (name, value) in parameters {
            if !known.contains_key(*name) {
                return Err(format!("the template has no parameter {name}"));
            }
            given.insert((*name).to_owned(), (*value).to_owned());
        }
        Stack::resolved(&self.root, &given)
    }
}

#[cfg(test)]
mod tests;
