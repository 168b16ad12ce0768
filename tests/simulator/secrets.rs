//! AWS Secrets Manager: secrets by name, and the version that is current. Their texts never reach the journal.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::chance::digest;
use crate::refusal::{Answer, Refusal, only_modelled};
use crate::simulator::Simulator;
use crate::stamps::epoch_seconds;
use crate::world::World;

/// One version of a secret. No `Debug`: a failed assertion must not print it.
struct Version {
    id: String,
    text: String,
    created: Timestamp,
}

/// The state of the service: each secret's versions, oldest first.
#[derive(Default)]
pub(crate) struct Secrets {
    versions: BTreeMap<String, Vec<Version>>,
}

/// `arn:…:secret:<name>-<six characters>`: Secrets Manager adds six random ones to every name (Secrets Manager
/// User Guide, "What's in a Secrets Manager secret?"). Drawn from the name, so that they are the same in every run.
pub(crate) fn arn(name: &str) -> String {
    let suffix: String = format!("{:016x}", digest(name)).chars().take(6).collect();
    format!("arn:aws:secretsmanager:us-east-1:123456789012:secret:{name}-{suffix}")
}

impl Simulator {
    /// Adds a secret; the answer is its ARN.
    pub fn create_secret(&self, name: &str, json_text: &str) -> String {
        let mut world = self.world();
        assert!(!world.secrets.versions.contains_key(name), "a secret of this name exists");
        world.add_version(name, json_text);
        arn(name)
    }

    /// Gives a secret a new current version; the one before it becomes AWSPREVIOUS.
    pub fn rotate_secret(&self, name: &str, json_text: &str) {
        let mut world = self.world();
        assert!(world.secrets.versions.contains_key(name), "no secret {name:?} was created");
        world.add_version(name, json_text);
    }
}

impl World {
    fn add_version(&mut self, name: &str, text: &str) {
        let versions = self.secrets.versions.entry(name.to_owned()).or_default();
        let drawn = digest(&format!("{name} {}", versions.len()));
        let id = format!("{:08x}-0000-4000-8000-{:012}", drawn >> 32, versions.len() + 1);
        versions.push(Version { id, text: text.to_owned(), created: self.now });
    }

    /// Answers an operation; `None` when it is not modelled.
    pub(crate) fn secrets_manager(&self, operation: &str, input: &Value) -> Option<Answer> {
        match operation {
            "GetSecretValue" => Some(self.get_secret_value(input)),
            _ => None,
        }
    }

    /// By name or ARN; AWSCURRENT unless another stage is asked for (API reference, "GetSecretValue").
    fn get_secret_value(&self, input: &Value) -> Answer {
        only_modelled(input, &["VersionId"])?;
        let id = input["SecretId"].as_str().unwrap_or_default();
        if id.is_empty() {
            return Err(Refusal::new("InvalidParameterException", "You must provide a SecretId."));
        }
        let missing = |what: &str| {
            Refusal::new(
                "ResourceNotFoundException",
                format!("Secrets Manager can't find the specified secret{what}."),
            )
        };
        let (name, versions) = self
            .secrets
            .versions
            .iter()
            .find(|(name, _)| name.as_str() == id || arn(name) == id)
            .ok_or_else(|| missing(""))?;
        let stage = input["VersionStage"].as_str().unwrap_or("AWSCURRENT");
        let back = match stage {
            "AWSCURRENT" => 0,
            "AWSPREVIOUS" => 1,
            _ => return Err(missing(" value for the staging label")),
        };
        let version =
            versions.iter().rev().nth(back).ok_or_else(|| missing(" value for the staging label"))?;
        Ok(json!({
            "ARN": arn(name),
            "Name": name,
            "VersionId": version.id,
            "SecretString": version.text,
            "VersionStages": [stage],
            "CreatedDate": epoch_seconds(version.created),
        }))
    }
}
