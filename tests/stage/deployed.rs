//! The stack that ships, as it would be deployed: whose roles Belay's functions have in the simulator.

use std::sync::OnceLock;

use serde_json::Value;

use super::{
    functions::{CHAT_SECRET, EXTERNAL_ID, FUNCTIONS},
    template::{ACCOUNT, Function, Stack, Template},
};
use crate::{KeyPolicy, Role, Simulator, secrets};

/// The template that ships.
pub const TEMPLATE: &str = include_str!("../../template.yaml");

/// The ARN of the chat products' secret in the simulator.
pub fn chat_secret_arn() -> String {
    secrets::arn(CHAT_SECRET)
}

/// The key of that secret.
pub const CHAT_SECRET_KEY: &str =
    "arn:aws:kms:us-east-1:123456789012:key/00000000-0000-4000-8000-00000000c4a7";

/// The template that ships, read.
///
/// # Panics
/// When it cannot be read.
pub fn template() -> &'static Template {
    static READ: OnceLock<Template> = OnceLock::new();
    READ.get_or_init(|| Template::read(TEMPLATE).unwrap_or_else(|why| panic!("template.yaml: {why}")))
}

/// The role that a member account of a rehearsal offers, under the name that templates/workload-account.yaml gives it.
pub const MEMBER_ROLE: &str = "arn:aws:iam::222222222222:role/belay-workload";

/// Its stack with chat, whose secret has a key of its own, and a member account; everything else by default.
///
/// # Panics
/// When it cannot be resolved.
pub fn stack() -> &'static Stack {
    static RESOLVED: OnceLock<Stack> = OnceLock::new();
    RESOLVED.get_or_init(|| {
        let secret = chat_secret_arn();
        let stack = template().stack(&[
            ("ChatSecretArn", &secret),
            ("ChatSecretKeyArn", CHAT_SECRET_KEY),
            ("MemberAccounts", "222222222222"),
            ("MemberRoles", MEMBER_ROLE),
            ("ExternalId", EXTERNAL_ID),
            ("Drift", "yes"),
        ]);
        stack.unwrap_or_else(|why| panic!("template.yaml: {why}"))
    })
}

/// Each function and its role.
///
/// # Panics
/// When a function has no role, or one that cannot be read.
pub fn roles() -> &'static [(String, Role)] {
    static READ: OnceLock<Vec<(String, Role)>> = OnceLock::new();
    READ.get_or_init(|| {
        let functions = stack().functions().into_iter();
        let role =
            |function: &Function| stack().role(function).unwrap_or_else(|why| panic!("template.yaml: {why}"));
        functions.map(|function| (function.name.clone(), role(&function))).collect()
    })
}

/// The role that a member account offers, as it is written inside that account: the simulator has every account call
/// itself by one number.
///
/// # Panics
/// When templates/workload-account.yaml has none, or one that cannot be read.
pub fn member_role() -> &'static Role {
    static READ: OnceLock<Role> = OnceLock::new();
    READ.get_or_init(|| {
        let text = include_str!("../../templates/workload-account.yaml");
        let stack = Template::read(text)
            .and_then(|template| template.stack(&[("HubAccount", ACCOUNT), ("ExternalId", EXTERNAL_ID)]));
        let role = stack.and_then(|stack| stack.role_called("WorkloadRole"));
        role.unwrap_or_else(|why| panic!("templates/workload-account.yaml: {why}"))
    })
}

/// Lets each function do what its role in the template allows, and nothing else.
pub fn enforce(simulator: &Simulator) {
    for (function, role) in roles() {
        assert!(FUNCTIONS.contains(&function.as_str()), "template.yaml has a function {function}");
        simulator.enforce(function, role.clone());
    }
    for function in stack().functions() {
        if let Some(name) = function.properties["FunctionName"].as_str() {
            simulator.deployed_as(&function.name, name);
        }
    }
    simulator.enforce(MEMBER_ROLE, member_role().clone());
    simulator.encrypted_with(&chat_secret_arn(), CHAT_SECRET_KEY);
    for (resource, key) in encrypted() {
        simulator.encrypted_with(&resource, &key);
    }
    for (logical, key) in stack().of_type("AWS::KMS::Key") {
        let statements = key["KeyPolicy"]["Statement"].as_array().cloned().unwrap_or_default();
        let policy = KeyPolicy::new(logical, &statements);
        let arn = stack().arn(logical).unwrap_or_default();
        simulator.key_policy(&arn, policy.unwrap_or_else(|why| panic!("template.yaml: {why}")));
    }
}

/// What is encrypted with a customer managed key, and with which: both ARNs.
fn encrypted() -> Vec<(String, String)> {
    let key = |properties: &Value| {
        let key = [
            &properties["KmsMasterKeyId"],
            &properties["SSESpecification"]["KMSMasterKeyId"],
            &properties["KmsKeyId"],
        ];
        key.into_iter().find_map(Value::as_str).map(str::to_owned)
    };
    ["AWS::DynamoDB::Table", "AWS::SNS::Topic", "AWS::SecretsManager::Secret"]
        .into_iter()
        .flat_map(|kind| stack().of_type(kind))
        .filter_map(|(logical, properties)| Some((stack().arn(logical)?, key(properties)?)))
        .collect()
}
