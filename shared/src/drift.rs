//! CloudFormation stacks, and how they drift from their templates.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    evidence::Observed,
    release::{ReleaseId, ServiceName},
};

/// A stack's ARN: `arn:<partition>:cloudformation:<region>:<account>:stack/<name>/<id>` (the events' `stack-id`). A
/// stack that is deleted and made again has another one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StackId(String);

impl StackId {
    /// The ARN.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The stack's name; of what is no stack's ARN, all of it.
    pub fn name(&self) -> &str {
        let path = self.0.splitn(6, ':').nth(5).and_then(|path| path.strip_prefix("stack/"));
        path.map_or(self.as_str(), |path| path.split('/').next().unwrap_or(path))
    }
}

impl From<&str> for StackId {
    fn from(arn: &str) -> Self {
        Self(arn.to_owned())
    }
}

impl fmt::Display for StackId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A stack was looked at, or could not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackCheck {
    /// Which stack.
    pub stack: StackId,
    /// What came of it.
    pub what: StackHappening,
    /// The account that the event is about, where it says so.
    pub account: Option<String>,
    /// The region that the event came from, where it says so.
    pub region: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// What came of looking at a stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StackHappening {
    /// A drift detection has ended.
    Detected {
        /// The detection's id.
        detection: String,
        /// It failed for some resources. The others have results (CloudFormation API, `DetectionStatus`).
        failed: bool,
    },
    /// No detection could be started.
    Refused {
        /// CloudFormation's error code.
        code: String,
        /// As a sentence.
        why: String,
    },
    /// A detection was started and has not ended for a day.
    NeverEnded {
        /// When it was started.
        since: Timestamp,
    },
    /// A day has passed and no detection has been started.
    NotItsTurn {
        /// Since when it waits.
        since: Timestamp,
        /// What kept it, where that is known.
        why: Option<String>,
    },
}

/// How a stack is not as its template says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Drift {
    /// What is not as it should be, in CloudFormation's order.
    pub resources: Vec<DriftedResource>,
    /// What could not be checked.
    pub unchecked: Vec<UncheckedResource>,
}

/// A resource that is not as its template says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DriftedResource {
    /// Which.
    pub resource: ResourceName,
    /// In what way.
    pub how: How,
}

/// In what way a resource is not as its template says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum How {
    /// It was deleted.
    Deleted,
    /// These properties differ.
    Modified(Vec<PropertyDrift>),
}

/// A resource that could not be checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UncheckedResource {
    /// Which.
    pub resource: ResourceName,
    /// Why not, in CloudFormation's words.
    pub why: String,
}

/// A resource of a stack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceName {
    /// What the template calls it.
    pub logical: String,
    /// Its type, such as `AWS::Lambda::Alias`.
    pub kind: String,
    /// What AWS calls it; empty where CloudFormation does not say.
    pub physical: String,
}

impl fmt::Display for ResourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.logical, self.kind)
    }
}

/// A property that differs. Values are for people: without their secrets and cut short.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PropertyDrift {
    /// Its path, such as `/Environment/Variables/LEVEL`.
    pub path: String,
    /// How it differs.
    pub kind: DifferenceKind,
    /// What the template says.
    pub expected: String,
    /// What it is.
    pub actual: String,
    /// What tells these very values from others, also where they are masked.
    pub digest: String,
}

/// How a property differs (CloudFormation API, `DifferenceType`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DifferenceKind {
    /// A value was added to a list.
    Added,
    /// The property was removed.
    Removed,
    /// It has another value.
    NotEqual,
    /// A word that this Belay does not know.
    Unrecognised(String),
}

impl DifferenceKind {
    /// CloudFormation's word for it.
    pub fn from_wire(word: &str) -> Self {
        match word {
            "ADD" => Self::Added,
            "REMOVE" => Self::Removed,
            "NOT_EQUAL" => Self::NotEqual,
            other => Self::Unrecognised(other.to_owned()),
        }
    }
}

/// What is known of a stack that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackEvidence {
    /// How it has drifted; gathered where a detection has ended.
    pub drift: Observed<Drift>,
    /// What was told of it last.
    pub told: Observed<Option<StackTold>>,
    /// The last releases that Belay undid after the stack was last updated; gathered where something has drifted that a
    /// release may have moved.
    pub undone: Vec<UndoneRelease>,
    /// Why it is not known which those are, where that could not be learnt.
    pub unsure: Option<String>,
}

/// A service's last release, which Belay undid after the stack was last updated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UndoneRelease {
    /// The service.
    pub service: ServiceName,
    /// The release.
    pub release: ReleaseId,
    /// When it was undone.
    pub at: Timestamp,
    /// What it had moved.
    pub moved: Observed<Moved>,
}

/// What a release moves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Moved {
    /// A Lambda alias, by its function's name and its own.
    Alias {
        /// The function's name or ARN.
        function: String,
        /// The alias.
        alias: String,
    },
    /// An ECS service.
    EcsService {
        /// Its cluster's name.
        cluster: String,
        /// Its name.
        service: String,
    },
}

/// The types of resources that a release of CodeDeploy's moves, and that a template declares.
pub const MOVED_KINDS: [&str; 2] = ["AWS::Lambda::Alias", "AWS::ECS::Service"];

impl Moved {
    /// Whether it is this resource, by its physical id: an alias's is its ARN, `…:function:<function>:<alias>`, an ECS
    /// service's is `…:service/<cluster>/<service>` (CloudFormation, "Return values" of the two types).
    pub fn is(&self, resource: &ResourceName) -> bool {
        match self {
            Self::Alias { function, alias } => {
                let function = function.rsplit(':').next().unwrap_or(function);
                resource.kind == MOVED_KINDS[0]
                    && resource.physical.ends_with(&format!(":function:{function}:{alias}"))
            }
            Self::EcsService { cluster, service } => {
                resource.kind == MOVED_KINDS[1]
                    && resource.physical.ends_with(&format!(":service/{cluster}/{service}"))
            }
        }
    }
}

/// What was told of a stack last. It is written again whenever the stack has been looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StackTold {
    /// How often its state had changed by then.
    pub turn: u64,
    /// What tells the state from others: see [`fingerprint`].
    pub fingerprint: String,
    /// When the state changed.
    pub since: Timestamp,
    /// As of when it was looked at last.
    pub as_of: Timestamp,
}

/// A stack whose drift is to be detected, once it is its turn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StackWaits {
    /// Which.
    pub stack: StackId,
    /// Since when.
    pub since: Timestamp,
    /// What keeps it, where that is known.
    pub why: Option<String>,
}

/// A drift detection that was started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Detection {
    /// Of which stack.
    pub stack: StackId,
    /// CloudFormation's id of it.
    pub id: String,
    /// When.
    pub since: Timestamp,
}

/// A short digest of a state, from what makes it up (FNV-1a, 64 bits: fixed for ever, since it is compared with what an
/// older Belay wrote).
pub fn fingerprint<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for part in parts {
        // The end of each part counts: `ab`, `c` is not `a`, `bc`.
        for byte in part.bytes().chain([0]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    format!("{hash:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stack_has_the_name_that_its_arn_says() {
        for (arn, name) in [
            ("arn:aws:cloudformation:us-east-1:123456789012:stack/prod-orders/6a7e8feb-b491", "prod-orders"),
            ("arn:aws-cn:cloudformation:cn-north-1:123456789012:stack/a", "a"),
            ("prod-orders", "prod-orders"),
        ] {
            assert_eq!(StackId::from(arn).name(), name);
        }
    }

    #[test]
    fn a_release_moves_the_resource_of_that_very_name() {
        let resource = |kind: &str, physical: &str| ResourceName {
            logical: "R".to_owned(),
            kind: kind.to_owned(),
            physical: physical.to_owned(),
        };
        let alias = resource(MOVED_KINDS[0], "arn:aws:lambda:us-east-1:123456789012:function:orders:live");
        let moved = |function: &str, alias: &str| Moved::Alias {
            function: function.to_owned(),
            alias: alias.to_owned(),
        };
        assert!(moved("orders", "live").is(&alias));
        assert!(moved("arn:aws:lambda:us-east-1:123456789012:function:orders", "live").is(&alias));
        assert!(!moved("ders", "live").is(&alias));
        assert!(!moved("orders", "test").is(&alias));
        let service = resource(MOVED_KINDS[1], "arn:aws:ecs:us-east-1:123456789012:service/prod/orders");
        let moved = |cluster: &str, service: &str| Moved::EcsService {
            cluster: cluster.to_owned(),
            service: service.to_owned(),
        };
        assert!(moved("prod", "orders").is(&service));
        assert!(!moved("test", "orders").is(&service));
        assert!(!moved("prod", "orders").is(&resource("AWS::ECS::TaskSet", &service.physical)));
    }

    #[test]
    fn a_fingerprint_tells_what_is_apart() {
        assert_eq!(fingerprint(["a", "b"]), fingerprint(["a", "b"]));
        assert_ne!(fingerprint(["a", "b"]), fingerprint(["ab"]));
        assert_ne!(fingerprint(["ab", "c"]), fingerprint(["a", "bc"]));
        assert_ne!(fingerprint([]), fingerprint([""]));
    }
}
