//! An API request, recognised: which service, which operation, which protocol.

use hyper::{HeaderMap, Method};

use crate::accounts::HOME;
use crate::journal::Service;
use crate::lambda;
use crate::permissions::Need;
use crate::storm::Fate;
use crate::sts::Session;
use crate::wire::Wire;

/// The XML namespaces of the services that speak the query protocol (their API models, `xmlNamespace`).
const SNS: &str = "http://sns.amazonaws.com/doc/2010-03-31/";
/// Elastic Load Balancing's.
const ELB: &str = "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/";
const STS: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// The same, of CloudFormation.
const CLOUDFORMATION: &str = "http://cloudformation.amazonaws.com/doc/2010-05-15/";

/// Where the paths of one invocation's own endpoint begin; its number follows.
pub(crate) const INVOCATION: &str = "/invocation/";

/// An API request, recognised.
pub(crate) struct Asked {
    pub(crate) service: Service,
    pub(crate) operation: String,
    pub(crate) wire: Wire,
    /// Lambda: the function's name.
    pub(crate) function: Option<String>,
    /// Lambda: whether nobody waits for the answer.
    pub(crate) is_event: bool,
    pub(crate) invocation: Option<u64>,
    /// The access key id of the signature.
    pub(crate) by: Option<String>,
    /// The permissions that it needs.
    pub(crate) needs: Vec<Need>,
    /// The session token that came with it.
    pub(crate) token: Option<String>,
    /// Whose credentials these are, where STS gave them.
    pub(crate) session: Option<Session>,
    pub(crate) fate: Fate,
}

/// Takes the invocation's number off a path.
pub(crate) fn split_off_invocation(path: &str) -> (Option<u64>, &str) {
    let Some(rest) = path.strip_prefix(INVOCATION) else { return (None, path) };
    let end = rest.find('/').unwrap_or(rest.len());
    let (number, rest) = rest.split_at(end);
    (number.parse().ok(), if rest.is_empty() { "/" } else { rest })
}

/// Who signed a request: the access key id in `Authorization: AWS4-HMAC-SHA256 Credential=<id>/<date>/…` (IAM User
/// Guide, "Signature Version 4"). The signature itself is not checked.
pub(crate) fn signer(headers: &HeaderMap) -> Option<String> {
    let header = headers.get("authorization")?.to_str().ok()?;
    let (_, credential) = header.strip_prefix("AWS4-HMAC-SHA256 ")?.split_once("Credential=")?;
    credential.split_once('/').map(|(id, _)| id.to_owned())
}

/// Which service, which operation, which protocol: from the headers and the path.
pub(crate) fn recognise(method: &Method, path: &str, headers: &HeaderMap, body: &[u8]) -> Asked {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let target = header("x-amz-target").and_then(|target| target.split_once('.'));
    match target {
        Some(("CodeDeploy_20141006", operation)) => {
            return Asked::new(Service::CodeDeploy, operation, Wire::Json11);
        }
        Some(("CodePipeline_20150709", operation)) => {
            return Asked::new(Service::CodePipeline, operation, Wire::Json11);
        }
        Some(("DynamoDB_20120810", operation)) => {
            return Asked::new(Service::DynamoDb, operation, Wire::Json10);
        }
        Some(("secretsmanager", operation)) => {
            return Asked::new(Service::SecretsManager, operation, Wire::Json11);
        }
        Some(("CodeBuild_20161006", operation)) => {
            return Asked::new(Service::CodeBuild, operation, Wire::Json11);
        }
        Some(("Logs_20140328", operation)) => {
            return Asked::new(Service::Logs, operation, Wire::Json11);
        }
        Some(("AmazonEC2ContainerServiceV20141113", operation)) => {
            return Asked::new(Service::Ecs, operation, Wire::Json11);
        }
        Some((prefix, operation)) => {
            let operation = format!("{prefix}.{operation}");
            return Asked::new(Service::Unknown, &operation, Wire::Json11);
        }
        None => {}
    }
    if let Some(function) = lambda::function_of(path) {
        let invoke = Asked { function: Some(function), ..Asked::new(Service::Lambda, "Invoke", Wire::Rest) };
        // That a caller waits for the answer is the default. DryRun is not modelled.
        return match header("x-amz-invocation-type") {
            None | Some("RequestResponse") => invoke,
            Some("Event") => Asked { is_event: true, ..invoke },
            Some(other) => Asked::new(Service::Unknown, &format!("Invoke {other}"), Wire::Rest),
        };
    }
    let rpc = path
        .strip_prefix("/service/")
        .and_then(|rest| rest.split_once("/operation/"))
        .filter(|_| header("smithy-protocol") == Some("rpc-v2-cbor"));
    match rpc {
        Some(("CodeDeploy_20141006", operation)) => {
            return Asked::new(Service::CodeDeploy, operation, Wire::Cbor);
        }
        Some(("GraniteServiceVersion20100801", operation)) => {
            return Asked::new(Service::CloudWatch, operation, Wire::Cbor);
        }
        Some(_) | None => {}
    }
    let form = |wanted: &str| {
        form_urlencoded::parse(body).find(|(name, _)| name == wanted).map(|(_, value)| value.into_owned())
    };
    match (form("Action"), form("Version").as_deref()) {
        (Some(operation), Some("2010-03-31")) => Asked::new(Service::Sns, &operation, Wire::Query(SNS)),
        (Some(operation), Some("2011-06-15")) => Asked::new(Service::Sts, &operation, Wire::Query(STS)),
        (Some(operation), Some("2010-05-15")) => {
            Asked::new(Service::CloudFormation, &operation, Wire::Query(CLOUDFORMATION))
        }
        (Some(operation), Some("2015-12-01")) => {
            Asked::new(Service::LoadBalancing, &operation, Wire::Query(ELB))
        }
        (Some(operation), _) => Asked::new(Service::Unknown, &operation, Wire::Query(SNS)),
        (None, _) => Asked::new(Service::Unknown, &format!("{method} {path}"), Wire::Json11),
    }
}

impl Asked {
    /// Who makes the call: the role whose credentials STS gave, else whose access key signed it.
    pub(crate) fn principal(&self) -> Option<&String> {
        self.session.as_ref().map(|session| &session.role).or(self.by.as_ref())
    }

    /// The account whose credentials signed it.
    pub(crate) fn account(&self) -> &str {
        self.session.as_ref().map_or(HOME, Session::account)
    }

    pub(crate) fn new(service: Service, operation: &str, wire: Wire) -> Self {
        let operation = operation.to_owned();
        Self {
            service,
            operation,
            wire,
            function: None,
            is_event: false,
            invocation: None,
            by: None,
            needs: Vec::new(),
            token: None,
            session: None,
            fate: Fate::default(),
        }
    }

    /// Whether the operation is of a kind that changes something.
    pub(crate) fn changes(&self) -> bool {
        const VERBS: [&str; 12] = [
            "Create",
            "Put",
            "Update",
            "Delete",
            "Stop",
            "Publish",
            "TransactWrite",
            "BatchWrite",
            "Rollback",
            "Retry",
            "Disable",
            "Enable",
        ];
        self.is_event || VERBS.iter().any(|verb| self.operation.starts_with(verb))
    }
}
