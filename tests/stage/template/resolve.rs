//! Intrinsic functions, resolved (CloudFormation User Guide, "Intrinsic function reference"). One that is not
//! known here is an error that names it: a guess would check another template.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::names;

/// How deep conditions and references may lead to each other.
const DEPTH: usize = 40;

/// A template with its parameters.
pub(super) struct Resolver<'a> {
    root: &'a Value,
    parameters: BTreeMap<String, Value>,
}

impl<'a> Resolver<'a> {
    /// With these parameters, and the defaults of all others.
    pub(super) fn new(root: &'a Value, given: &BTreeMap<String, String>) -> Result<Self, String> {
        let mut parameters = BTreeMap::new();
        for (name, parameter) in root["Parameters"].as_object().into_iter().flatten() {
            let value = match (given.get(name), &parameter["Default"]) {
                (Some(value), _) => value.clone(),
                (None, Value::Null) => {
                    return Err(format!("the parameter {name} has no default, and no value is given"));
                }
                (None, default) => {
                    scalar(default).ok_or_else(|| format!("the default of {name} is no word"))?
                }
            };
            let kind = parameter["Type"].as_str().unwrap_or_default();
            let value = if kind == "CommaDelimitedList" || kind.starts_with("List<") {
                // CloudFormation trims the members (CloudFormation User Guide, "Parameters").
                let members = value.split(',').map(str::trim).filter(|member| !member.is_empty());
                members.map(Value::from).collect()
            } else {
                Value::String(value)
            };
            parameters.insert(name.clone(), value);
        }
        Ok(Self { root, parameters })
    }

    /// A value with nothing left to resolve; `None` for `AWS::NoValue`.
    pub(super) fn value(&self, value: &Value, depth: usize) -> Result<Option<Value>, String> {
        if depth > DEPTH {
            return Err(format!("this leads back to itself: {value}"));
        }
        Ok(Some(match value {
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
            Value::Array(items) => {
                let mut resolved = Vec::new();
                for item in items {
                    resolved.extend(self.value(item, depth + 1)?);
                }
                resolved.into()
            }
            Value::Object(members) => {
                if let Some((name, argument)) = function(members) {
                    return self.call(name, argument, depth);
                }
                let mut resolved = Map::new();
                for (name, member) in members {
                    if let Some(member) = self.value(member, depth + 1)? {
                        resolved.insert(name.clone(), member);
                    }
                }
                resolved.into()
            }
        }))
    }

    /// Whether a condition of the template holds.
    pub(super) fn condition(&self, name: &str, depth: usize) -> Result<bool, String> {
        match &self.root["Conditions"][name] {
            Value::Null => Err(format!("the template has no condition {name}")),
            condition => self.truth(condition, depth + 1),
        }
    }

    fn truth(&self, value: &Value, depth: usize) -> Result<bool, String> {
        if depth > DEPTH {
            return Err(format!("this condition leads back to itself: {value}"));
        }
        let all = |argument: &Value| -> Result<Vec<bool>, String> {
            argument.as_array().into_iter().flatten().map(|one| self.truth(one, depth + 1)).collect()
        };
        let members = value.as_object().ok_or_else(|| format!("{value} is no condition"))?;
        match function(members) {
            Some(("Condition", name)) => self.condition(name.as_str().unwrap_or_default(), depth),
            Some(("Fn::Equals", sides)) => match sides.as_array().map(Vec::as_slice) {
                Some([one, other]) => Ok(self.value(one, depth + 1)? == self.value(other, depth + 1)?),
                Some(_) | None => Err(format!("Fn::Equals takes two values: {sides}")),
            },
            Some(("Fn::Not", argument)) => Ok(!all(argument)?.contains(&true)),
            Some(("Fn::And", argument)) => Ok(!all(argument)?.contains(&false)),
            Some(("Fn::Or", argument)) => Ok(all(argument)?.contains(&true)),
            Some((other, _)) => Err(format!("{other} is not known here as a condition")),
            None => Err(format!("{value} is no condition")),
        }
    }

    fn call(&self, name: &str, argument: &Value, depth: usize) -> Result<Option<Value>, String> {
        let wrong = || format!("{name} does not take {argument}");
        let text = |value: &Value| -> Result<String, String> {
            let resolved = self.value(value, depth + 1)?;
            resolved.as_ref().and_then(scalar).ok_or_else(wrong)
        };
        let list = |value: &Value| -> Result<Vec<Value>, String> {
            match self.value(value, depth + 1)? {
                Some(Value::Array(items)) => Ok(items),
                Some(_) | None => Err(wrong()),
            }
        };
        let arguments = argument.as_array().map(Vec::as_slice).unwrap_or_default();
        Ok(Some(match (name, arguments) {
            ("Ref", _) => return self.reference(argument.as_str().ok_or_else(wrong)?, depth),
            ("Fn::GetAtt", [Value::String(resource), attribute]) => {
                self.attribute(resource, &text(attribute)?, depth)?.into()
            }
            ("Fn::If", [Value::String(condition), then, or]) => {
                let branch = if self.condition(condition, depth)? { then } else { or };
                return self.value(branch, depth + 1);
            }
            ("Fn::Sub", [Value::String(template), Value::Object(own)]) => {
                self.substituted(template, own, depth)?.into()
            }
            ("Fn::Sub", []) => {
                self.substituted(argument.as_str().ok_or_else(wrong)?, &Map::new(), depth)?.into()
            }
            ("Fn::Join", [Value::String(between), items]) => {
                let items: Option<Vec<String>> = list(items)?.iter().map(scalar).collect();
                items.ok_or_else(wrong)?.join(between).into()
            }
            ("Fn::Split", [Value::String(at), whole]) => {
                text(whole)?.split(at.as_str()).map(Value::from).collect()
            }
            ("Fn::Select", [index, items]) => {
                let index: usize = text(index)?.parse().map_err(|_| wrong())?;
                list(items)?.get(index).cloned().ok_or_else(wrong)?
            }
            _ => return Err(format!("{name} is not known here: {argument}")),
        }))
    }

    fn reference(&self, name: &str, depth: usize) -> Result<Option<Value>, String> {
        if name == "AWS::NoValue" {
            return Ok(None);
        }
        if let Some(value) = self.parameters.get(name) {
            return Ok(Some(value.clone()));
        }
        if let Some(value) = names::pseudo(name) {
            return Ok(Some(value.into()));
        }
        let (kind, properties) = self.resource(name, depth)?;
        let value = names::reference(name, &kind, &properties);
        value
            .map(|value| Some(value.into()))
            .ok_or_else(|| format!("Ref of a {kind} is not known here: {name}"))
    }

    fn attribute(&self, resource: &str, attribute: &str, depth: usize) -> Result<String, String> {
        let (kind, properties) = self.resource(resource, depth)?;
        names::attribute(resource, &kind, &properties, attribute)
            .ok_or_else(|| format!("Fn::GetAtt of a {kind} is not known here: {resource}.{attribute}"))
    }

    /// A resource's type and the properties that name it.
    fn resource(&self, name: &str, depth: usize) -> Result<(String, Value), String> {
        let resource = &self.root["Resources"][name];
        let kind =
            resource["Type"].as_str().ok_or_else(|| format!("nothing in the template is called {name}"))?;
        if let Some(condition) = resource["Condition"].as_str()
            && !self.condition(condition, depth)?
        {
            return Err(format!("{name} is asked for, and {condition} does not hold, so it is not there"));
        }
        // Only what may name it: the rest may lead back here.
        let mut named = Map::new();
        for (property, value) in resource["Properties"].as_object().into_iter().flatten() {
            if (property.ends_with("Name") || property == "Path")
                && let Some(value) = self.value(value, depth + 1)?
            {
                named.insert(property.clone(), value);
            }
        }
        Ok((kind.to_owned(), named.into()))
    }

    /// `${Name}`, `${Resource.Attribute}`, and `${!Literal}`, which stays `${Literal}`.
    fn substituted(&self, template: &str, own: &Map<String, Value>, depth: usize) -> Result<String, String> {
        let mut text = String::new();
        let mut rest = template;
        while let Some((before, after)) = rest.split_once("${") {
            text.push_str(before);
            let (name, behind) =
                after.split_once('}').ok_or_else(|| format!("{template} has `${{` without `}}`"))?;
            rest = behind;
            if let Some(literal) = name.strip_prefix('!') {
                text.push_str(&format!("${{{literal}}}"));
                continue;
            }
            let value = match (own.get(name), name.split_once('.')) {
                (Some(value), _) => self.value(value, depth + 1)?,
                (None, Some((resource, attribute))) => {
                    Some(self.attribute(resource, attribute, depth)?.into())
                }
                (None, None) => self.reference(name, depth)?,
            };
            let value = value.as_ref().and_then(scalar);
            text.push_str(&value.ok_or_else(|| format!("${{{name}}} in {template} is no word"))?);
        }
        text.push_str(rest);
        Ok(text)
    }
}

/// The function that an object is, if it is one.
fn function(members: &Map<String, Value>) -> Option<(&str, &Value)> {
    let mut all = members.iter();
    match (all.next(), all.next()) {
        (Some((name, argument)), None)
            if name == "Ref" || name.starts_with("Fn::") || (name == "Condition" && argument.is_string()) =>
        {
            Some((name, argument))
        }
        _ => None,
    }
}

/// A word, as CloudFormation passes every scalar.
fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}
