//! AppSpec texts: what a Lambda or ECS deployment releases.
//!
//! CodeDeploy withholds the text of an AppSpec from a deployment's description and gives it by its hash. Lambda
//! writes its keys in lower case, ECS in Pascal case; both may be YAML or JSON, which is YAML as well (CodeDeploy
//! User Guide, "AppSpec file structure").

use std::fmt;

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
