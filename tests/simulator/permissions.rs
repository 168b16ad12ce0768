//! Roles: what a principal may do, and that it does nothing else.
//!
//! A call that is signed by a principal with a role must be allowed by it: else it is refused as AWS refuses it, and
//! the test fails by name when it ends. Who has no role here may do everything.

mod needs;
mod role;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::asked::Asked;
use crate::journal::Service;
use crate::refusal::Refusal;
use crate::simulator::Simulator;
use crate::world::World;

pub use role::{KeyPolicy, Need, Role, Statement};

/// Who may do what, and what was done that nobody may.
#[derive(Debug, Default)]
pub(crate) struct Permissions {
    /// By access key id.
    roles: BTreeMap<String, Role>,
    /// Under which name a function is deployed, by the one that the simulator knows.
    deployed_as: BTreeMap<String, String>,
    /// The customer managed key of a resource, both by ARN.
    keys: BTreeMap<String, String>,
    /// The policies of keys, by the key's ARN.
    key_policies: BTreeMap<String, KeyPolicy>,
    /// Calls that a role did not allow, until acknowledged.
    pub(crate) forbidden: Vec<String>,
    /// What was decided before, by access key id.
    decided: BTreeMap<(String, Need), bool>,
}

impl Simulator {
    /// From now on, calls signed with this access key id need the role's permission.
    pub fn enforce(&self, principal: &str, role: Role) {
        let mut world = self.world();
        world.permissions.decided.retain(|(known, _), _| known != principal);
        world.permissions.roles.insert(principal.to_owned(), role);
    }

    /// From now on, calls signed with this access key id need no permission: of a function that is broken on purpose.
    pub fn trust(&self, principal: &str) {
        self.world().permissions.roles.remove(principal);
    }

    /// Under which name a function is deployed: permissions to invoke it speak of that one.
    pub fn deployed_as(&self, function: &str, name: &str) {
        self.world().permissions.deployed_as.insert(function.to_owned(), name.to_owned());
    }

    /// Says that a resource is encrypted with a customer managed key, both by ARN.
    pub fn encrypted_with(&self, resource: &str, key: &str) {
        self.world().permissions.keys.insert(resource.to_owned(), key.to_owned());
    }

    /// What a customer managed key lets everybody do.
    pub fn key_policy(&self, key: &str, policy: KeyPolicy) {
        self.world().permissions.key_policies.insert(key.to_owned(), policy);
    }

    /// Takes the list of calls that a role did not allow: the test knows, and goes on.
    pub fn acknowledge_forbidden(&self) -> Vec<String> {
        std::mem::take(&mut self.world().permissions.forbidden)
    }
}

impl World {
    /// What a call needs; nothing where its caller has no role.
    pub(crate) fn needs_of(&mut self, asked: &Asked, input: &Value) -> Vec<Need> {
        let Some(principal) = asked.principal() else { return Vec::new() };
        if !self.permissions.roles.contains_key(principal) || input.is_null() {
            return Vec::new();
        }
        match self.needs(asked.service, &asked.operation, input) {
            Ok(needs) => needs,
            Err(why) => {
                self.unmodelled.push(why);
                Vec::new()
            }
        }
    }

    /// Refuses a call whose caller's role does not allow all that it needs.
    pub(crate) fn forbid(&mut self, asked: &Asked, needs: &[Need]) -> Option<Refusal> {
        let principal = asked.principal()?;
        let role = self.permissions.roles.get(principal)?;
        let mut lacking = None;
        for need in needs {
            let known = (principal.clone(), need.clone());
            let allowed = match self.permissions.decided.get(&known) {
                Some(allowed) => *allowed,
                None => {
                    let by_its_role = role.allows(need);
                    let of_key = self.permissions.key_policies.get(&need.resource);
                    let allowed = of_key.map_or(by_its_role, |policy| policy.allows(need, by_its_role));
                    self.permissions.decided.insert(known, allowed);
                    allowed
                }
            };
            if !allowed {
                lacking = Some((role.name.clone(), need));
                break;
            }
        }
        let (role, need) = lacking?;
        let said =
            format!("the role of {principal} ({role}) does not allow {} on {}", need.action, need.resource);
        if !self.permissions.forbidden.contains(&said) {
            self.permissions.forbidden.push(said);
        }
        Some(denied(asked.service, principal, need))
    }

    /// Everything that was asked for and must not be, as sentences.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let unmodelled = BTreeSet::from_iter(&self.unmodelled);
        let mut complaints = Vec::new();
        if !unmodelled.is_empty() {
            let names: Vec<&str> = unmodelled.into_iter().map(String::as_str).collect();
            let names = names.join(", ");
            complaints.push(format!("the simulator was asked for what it does not model: {names}"));
        }
        complaints.extend(self.permissions.forbidden.iter().cloned());
        complaints
    }
}

/// AWS's refusal. The codes: `AccessDeniedException` of the JSON and REST protocols, `AccessDenied` of CloudWatch and
/// `AuthorizationError` of SNS (botocore models and "Common errors" of each API reference). The statuses are 400 for
/// JSON 1.0 and 1.1, else 403.
fn denied(service: Service, principal: &str, need: &Need) -> Refusal {
    let (code, status) = match service {
        Service::CodeDeploy | Service::CodePipeline | Service::DynamoDb | Service::SecretsManager => {
            ("AccessDeniedException", 400)
        }
        Service::CodeBuild | Service::Logs | Service::Ecs => ("AccessDeniedException", 400),
        Service::LoadBalancing => ("AccessDenied", 403),
        Service::Lambda => ("AccessDeniedException", 403),
        Service::Sns => ("AuthorizationError", 403),
        Service::CloudFormation => ("AccessDenied", 403),
        Service::CloudWatch | Service::Sts | Service::Slack | Service::Teams | Service::Unknown => {
            ("AccessDenied", 403)
        }
    };
    let message = format!(
        "User: arn:aws:sts::123456789012:assumed-role/{principal} is not authorized to perform: {} on resource: {} because no identity-based policy allows the {} action",
        need.action, need.resource, need.action
    );
    Refusal { status, ..Refusal::new(code, message) }
}
