//! AppSpec texts: what a Lambda or ECS deployment releases.
//!
//! CodeDeploy withholds the text of an AppSpec from a deployment's description and gives it by its hash. Lambda
//! writes its keys in lower case, ECS in Pascal case; both may be YAML or JSON, which is YAML as well (CodeDeploy
//! User Guide, "AppSpec file structure").

use std::{collections::BTreeMap, fmt};

use serde::Serialize;

use crate::yaml::{self, Node, Value};

/// What an AppSpec releases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AppSpec {
    /// A Lambda alias moves from one version to another.
    Lambda {
        /// The function.
        function: String,
        /// Its alias.
        alias: String,
        /// The version that the alias must be at when the deployment begins.
        current: String,
        /// The version it goes to.
        target: String,
    },
    /// An ECS service gets a task definition.
    Ecs {
        /// Its ARN, or `family:revision`.
        task_definition: String,
    },
}

impl AppSpec {
    /// The AppSpec that takes a finished release back: `good` is the text of what ran before, `bad` that of the
    /// release.
    ///
    /// A Lambda alias must be at the current version that an AppSpec names: after the release it is at the release's
    /// own, so the good AppSpec as it was written would fail. An ECS task definition is deployed as it was.
    ///
    /// # Errors
    /// Why it cannot be made: the two are not about the same thing, or bring the same.
    pub fn back(good: &str, bad: &str) -> Result<String, String> {
        match (Self::read(good)?, Self::read(bad)?) {
            (
                Self::Lambda { function, alias, target, .. },
                Self::Lambda { function: other, alias: other_alias, target: at, .. },
            ) => {
                if (&function, &alias) != (&other, &other_alias) {
                    return Err(format!(
                        "what ran before was {function}:{alias}, and the release is {other}:{other_alias}"
                    ));
                }
                if target == at {
                    return Err(format!("what ran before was version {target} of {function} as well"));
                }
                written(good, &function, &alias, &at, &target)
            }
            (Self::Ecs { task_definition }, Self::Ecs { task_definition: other }) => {
                if task_definition == other {
                    return Err(format!("what ran before was {task_definition} as well"));
                }
                Ok(good.to_owned())
            }
            (Self::Lambda { .. }, Self::Ecs { .. }) | (Self::Ecs { .. }, Self::Lambda { .. }) => {
                Err("what ran before was of another platform".to_owned())
            }
        }
    }

    /// Reads an AppSpec.
    ///
    /// # Errors
    /// What is missing in it.
    pub fn read(text: &str) -> Result<Self, String> {
        let root = yaml::read(text).map_err(|broken| format!("line {}: {}", broken.line, broken.why))?;
        let resources = root.as_ref().and_then(|root| root.field("resources"));
        let Some(Node { value: Value::List(resources), .. }) = resources else {
            return Err("it has no list of resources".to_owned());
        };
        // Each resource stands under a name of its own. A deployment has one.
        let properties = resources.iter().find_map(|resource| match &resource.value {
            Value::Mapping(pairs) => pairs.iter().find_map(|(_, resource)| resource.field("properties")),
            Value::Scalar { .. } | Value::List(_) => None,
        });
        let properties = properties.ok_or("its resource has no properties")?;
        let property = |name: &str| {
            let text = properties.field(name).and_then(Node::text);
            text.map(str::to_owned).ok_or_else(|| format!("its resource has no {name}"))
        };
        if let Ok(task_definition) = property("TaskDefinition") {
            return Ok(Self::Ecs { task_definition });
        }
        Ok(Self::Lambda {
            function: property("name")?,
            alias: property("alias")?,
            current: property("currentversion")?,
            target: property("targetversion")?,
        })
    }
}

#[derive(Serialize)]
struct Written<'a> {
    version: f64,
    resources: [BTreeMap<&'a str, Resource<'a>>; 1],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hooks: Vec<BTreeMap<&'a str, &'a str>>,
}

#[derive(Serialize)]
struct Resource<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    properties: Properties<'a>,
}

#[derive(Serialize)]
struct Properties<'a> {
    name: &'a str,
    alias: &'a str,
    #[serde(rename = "currentversion")]
    current: &'a str,
    #[serde(rename = "targetversion")]
    target: &'a str,
}

/// A Lambda AppSpec with these versions (Lambda's keys are in lower case), and with the resource's own name and the hooks of `like`.
fn written(like: &str, name: &str, alias: &str, current: &str, target: &str) -> Result<String, String> {
    let root = yaml::read(like).map_err(|broken| format!("line {}: {}", broken.line, broken.why))?;
    let pairs = |node: Option<&Node>| -> Vec<(String, Option<String>)> {
        let Some(Node { value: Value::List(items), .. }) = node else {
            return Vec::new();
        };
        let mappings = items.iter().filter_map(|item| match &item.value {
            Value::Mapping(pairs) => Some(pairs),
            Value::Scalar { .. } | Value::List(_) => None,
        });
        mappings
            .flatten()
            .filter_map(|(key, value)| Some((key.text()?.to_owned(), value.text().map(str::to_owned))))
            .collect()
    };
    let resources = pairs(root.as_ref().and_then(|root| root.field("resources")));
    let logical = resources.first().map_or(name, |(logical, _)| logical.as_str());
    let hooks = pairs(root.as_ref().and_then(|root| root.field("hooks")));
    let properties = Properties { name, alias, current, target };
    let spec = Written {
        version: 0.0,
        resources: [BTreeMap::from([(logical, Resource { kind: "AWS::Lambda::Function", properties })])],
        hooks: hooks
            .iter()
            .filter_map(|(event, function)| Some(BTreeMap::from([(event.as_str(), function.as_deref()?)])))
            .collect(),
    };
    serde_json::to_string(&spec).map_err(|error| error.to_string())
}

/// What is released, in a few words.
impl fmt::Display for AppSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lambda { function, alias, target, .. } => write!(f, "{function}:{alias} version {target}"),
            Self::Ecs { task_definition } => {
                f.write_str(task_definition.rsplit('/').next().unwrap_or(task_definition))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lambda_in_yaml() {
        let text = "version: 0.0
resources:
  - orders:
      type: AWS::Lambda::Function
      properties: {name: orders, alias: live, currentversion: \"5\", targetversion: \"4\"}
hooks:
  - BeforeAllowTraffic: CodeDeployHook_orders-pre
";
        assert_eq!(AppSpec::read(text).unwrap().to_string(), "orders:live version 4");
    }

    #[test]
    fn ecs_in_json() {
        let text = r#"{"version":0.0,"Resources":[{"TargetService":{"Type":"AWS::ECS::Service","Properties":{
 "TaskDefinition":"arn:aws:ecs:us-east-1:123456789012:task-definition/orders:41",
 "LoadBalancerInfo":{"ContainerName":"app","ContainerPort":8080},"PlatformVersion":"LATEST"}}}],
 "Hooks":[{"AfterAllowTestTraffic":"CodeDeployHook_orders-test"}]}"#;
        assert_eq!(AppSpec::read(text).unwrap().to_string(), "orders:41");
    }

    const GOOD: &str = "version: 0.0
resources:
  - orders-live:
      type: AWS::Lambda::Function
      properties: {name: orders, alias: live, currentversion: \"3\", targetversion: \"4\"}
hooks:
  - BeforeAllowTraffic: CodeDeployHook_orders-pre
";

    #[test]
    fn going_back_starts_at_the_version_that_the_alias_is_at() {
        let bad = GOOD.replace("\"4\"", "\"5\"").replace("\"3\"", "\"4\"");
        let back = AppSpec::back(GOOD, &bad).unwrap();
        assert_eq!(
            back,
            r#"{"version":0.0,"resources":[{"orders-live":{"type":"AWS::Lambda::Function","properties":{"name":"orders","alias":"live","currentversion":"5","targetversion":"4"}}}],"hooks":[{"BeforeAllowTraffic":"CodeDeployHook_orders-pre"}]}"#
        );
        let read = AppSpec::read(&back).unwrap();
        assert_eq!(read.to_string(), "orders:live version 4");
    }

    #[test]
    fn there_is_no_way_back_to_the_same_or_to_something_else() {
        let ecs = "Resources: [ { T: { Properties: { TaskDefinition: orders:41 } } } ]";
        let other = GOOD.replace("name: orders,", "name: others,");
        for (good, bad, why) in [
            (GOOD, GOOD, "version 4 of orders as well"),
            (GOOD, other.as_str(), "the release is others:live"),
            (ecs, ecs, "orders:41 as well"),
            (GOOD, ecs, "another platform"),
        ] {
            let said = AppSpec::back(good, bad).unwrap_err();
            assert!(said.contains(why), "{said}");
        }
        let newer = ecs.replace("41", "42");
        assert_eq!(AppSpec::back(ecs, &newer).unwrap(), ecs);
    }

    #[test]
    fn what_is_missing_is_named() {
        for (text, why) in [
            ("", "no list of resources"),
            ("resources: [ { a: {} } ]", "no properties"),
            ("resources: [ { a: { properties: { name: f, alias: live } } } ]", "no currentversion"),
            ("[", "not YAML"),
        ] {
            let said = AppSpec::read(text).unwrap_err();
            assert!(said.contains(why), "{said}");
        }
    }
}
