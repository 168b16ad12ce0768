//! Revisions and the AppSpec text inside them.
//!
//! A script names revisions by labels that end in a number, such as `v42`; the number is the Lambda
//! version or the task definition's revision. AWS never sees a label.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::group::{Group, Platform};
use crate::refusal::Refusal;

/// The label of whatever served before CodeDeploy deployed anything.
pub(crate) const BEFORE_THE_FIRST: &str = "v0";

/// A revision that an application has registered.
#[derive(Debug, Clone)]
pub(crate) struct Revision {
    /// The revision location, without any AppSpec text.
    pub(crate) location: Value,
    /// The AppSpec text, where the revision is one.
    pub(crate) content: Option<String>,
    pub(crate) label: String,
    pub(crate) spec: AppSpec,
    pub(crate) groups: Vec<String>,
    pub(crate) first_used: Timestamp,
    pub(crate) last_used: Timestamp,
}

/// What the simulator needs of an AppSpec.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct AppSpec {
    /// Lambda: the version the alias must serve now.
    pub(crate) current_version: Option<String>,
    /// Lambda: the version to move to.
    pub(crate) target_version: Option<String>,
    pub(crate) hooks: BTreeMap<String, String>,
}

/// The number at a label's end: the version it stands for.
pub(crate) fn version_of(label: &str) -> String {
    let digits = label.trim_start_matches(|c: char| !c.is_ascii_digit());
    assert!(
        !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit()),
        "a revision's label ends in its version, such as v42: {label:?}"
    );
    digits.to_owned()
}

/// The hash by which CodeDeploy names an AppSpec text.
pub(crate) fn sha256(content: &str) -> String {
    Sha256::digest(content.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The revision that a deployment pipeline would send for this label. Lambda writes its keys in
/// lower case and YAML, ECS in PascalCase (User Guide, "AppSpec file structure"); EC2 takes a bundle
/// from S3.
pub(crate) fn revision_for(group: &Group, serving: &str, label: &str) -> Value {
    let name = &group.application;
    match group.platform {
        Platform::Lambda => {
            let mut content = format!(
                "version: 0.0\nresources:\n  - {name}:\n      type: AWS::Lambda::Function\n      properties:\n        name: {name}\n        alias: live\n        currentversion: \"{}\"\n        targetversion: \"{}\"\n",
                version_of(serving),
                version_of(label)
            );
            if !group.hooks.is_empty() {
                content.push_str("hooks:\n");
            }
            for (event, function) in &group.hooks {
                content.push_str(&format!("  - {event}: {function}\n"));
            }
            app_spec_content(&content)
        }
        Platform::Ecs => {
            let hooks: Vec<Value> =
                group.hooks.iter().map(|(event, function)| json!({ event.as_str(): function })).collect();
            let content = json!({
                "version": 0.0,
                "Resources": [{ "TargetService": {
                    "Type": "AWS::ECS::Service",
                    "Properties": {
                        "TaskDefinition": format!(
                            "arn:aws:ecs:us-east-1:123456789012:task-definition/{name}:{}",
                            version_of(label)
                        ),
                        "LoadBalancerInfo": { "ContainerName": "app", "ContainerPort": 8080 },
                    },
                }}],
                "Hooks": hooks,
            });
            app_spec_content(&content.to_string())
        }
        Platform::Server => json!({
            "revisionType": "S3",
            "s3Location": {
                "bucket": format!("{name}-releases"),
                "key": format!("{name}-{}.zip", version_of(label)),
                "bundleType": "zip",
            },
        }),
    }
}

fn app_spec_content(content: &str) -> Value {
    json!({ "revisionType": "AppSpecContent", "appSpecContent": { "content": content } })
}

/// Reads a revision that a client sent: the location to keep, the text, what is in it, and the version.
pub(crate) fn read(
    platform: Platform,
    sent: &Value,
) -> Result<(Value, Option<String>, AppSpec, String), Refusal> {
    let invalid = |why: &str| Refusal::new("InvalidRevisionException", why);
    match (sent["revisionType"].as_str(), platform) {
        (Some("AppSpecContent"), Platform::Lambda | Platform::Ecs) => {
            // A revision copied from GetDeployment carries the hash alone; what CodeDeploy needs is
            // the text (inferred from the content being withheld there).
            let content = sent["appSpecContent"]["content"]
                .as_str()
                .ok_or_else(|| invalid("The AppSpec content is missing."))?;
            let (spec, version) = app_spec(platform, content)?;
            let location = json!({
                "revisionType": "AppSpecContent",
                "appSpecContent": { "sha256": sha256(content) },
            });
            Ok((location, Some(content.to_owned()), spec, version))
        }
        (Some("S3"), Platform::Server) => {
            let key = sent["s3Location"]["key"]
                .as_str()
                .ok_or_else(|| invalid("The key of the S3 object is missing."))?;
            let version: String = key.chars().filter(char::is_ascii_digit).collect();
            Ok((sent.clone(), None, AppSpec::default(), version))
        }
        (_, Platform::Lambda | Platform::Ecs | Platform::Server) => {
            Err(invalid("The revision is missing, of an unknown type, or not one for this compute platform."))
        }
    }
}

fn app_spec(platform: Platform, content: &str) -> Result<(AppSpec, String), Refusal> {
    let invalid = |why: String| Refusal::new("InvalidRevisionException", why);
    let text: Value = serde_saphyr::from_str(content)
        .map_err(|error| invalid(format!("The AppSpec cannot be read: {error}")))?;
    let (resources, properties, hooks) = match platform {
        Platform::Lambda => ("resources", "properties", "hooks"),
        Platform::Ecs | Platform::Server => ("Resources", "Properties", "Hooks"),
    };
    let resource = text[resources][0]
        .as_object()
        .and_then(|named| named.values().next())
        .ok_or_else(|| invalid(format!("The AppSpec names no {resources}.")))?;
    let property = |name: &str| match &resource[properties][name] {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
            Err(invalid(format!("The AppSpec lacks the property {name}.")))
        }
    };
    let mut spec = AppSpec::default();
    for entry in text[hooks].as_array().into_iter().flatten() {
        for (event, function) in entry.as_object().into_iter().flatten() {
            if let Some(function) = function.as_str() {
                spec.hooks.insert(event.clone(), function.to_owned());
            }
        }
    }
    match platform {
        Platform::Lambda => {
            let target = property("targetversion")?;
            spec.current_version = Some(property("currentversion")?);
            spec.target_version = Some(target.clone());
            Ok((spec, target))
        }
        Platform::Ecs | Platform::Server => {
            let task_definition = property("TaskDefinition")?;
            let version = task_definition.rsplit(':').next().unwrap_or_default();
            if version.is_empty() || !version.chars().all(|c| c.is_ascii_digit()) {
                return Err(invalid(format!("{task_definition} is no task definition with a revision.")));
            }
            Ok((spec, version.to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_pipeline_sends_is_read_back() {
        for group in [
            Group::lambda("orders", "orders-prod"),
            Group::ecs("orders", "orders-prod"),
            Group::server("orders", "orders-prod"),
        ] {
            let group = group.hook("BeforeAllowTraffic", "CodeDeployHook_orders");
            let sent = revision_for(&group, "v41", "v42");
            let (location, content, spec, version) = read(group.platform, &sent).unwrap();
            assert_eq!(version, "42");
            assert!(location["appSpecContent"]["content"].is_null());
            match group.platform {
                Platform::Lambda => assert_eq!(spec.current_version.as_deref(), Some("41")),
                Platform::Ecs => {
                    assert_eq!(spec.hooks["BeforeAllowTraffic"], "CodeDeployHook_orders");
                }
                Platform::Server => assert_eq!(content, None),
            }
        }
    }
}
