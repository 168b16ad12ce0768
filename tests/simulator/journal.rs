//! Every API call the simulator received, in order.

use jiff::Timestamp;
use serde_json::Value;

use crate::dynamodb::Units;
use crate::faults::Fault;
use crate::permissions::Need;
use crate::storm::Killed;

/// The services behind the one endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Service {
    /// AWS CodeDeploy.
    CodeDeploy,
    /// AWS CodePipeline.
    CodePipeline,
    /// AWS Lambda.
    Lambda,
    /// Amazon CloudWatch.
    CloudWatch,
    /// AWS CloudFormation.
    CloudFormation,
    /// Amazon SNS.
    Sns,
    /// AWS STS.
    Sts,
    /// Amazon DynamoDB.
    DynamoDb,
    /// AWS Secrets Manager.
    SecretsManager,
    /// AWS CodeBuild.
    CodeBuild,
    /// Amazon CloudWatch Logs.
    Logs,
    /// Amazon ECS.
    Ecs,
    /// Elastic Load Balancing, version 2.
    LoadBalancing,
    /// Slack's Web API.
    Slack,
    /// Microsoft Teams' webhooks.
    Teams,
    /// A request that no modelled service would recognise.
    Unknown,
}

/// One API call, as it arrived and as it ended.
#[derive(Debug, Clone)]
pub struct Call {
    /// The virtual time.
    pub at: Timestamp,
    /// Which service was called.
    pub service: Service,
    /// The operation's name, such as `StopDeployment`.
    pub operation: String,
    /// The request, in the service's own field names.
    pub input: Value,
    /// What the service made of it, or the error code. A call whose connection was cut *after* the
    /// effect is `Ok` here, though the caller never learnt so.
    pub outcome: Result<(), String>,
    /// Whether the call is of a kind that changes something and did so.
    pub changed: bool,
    /// DynamoDB: what it was billed as.
    pub units: Units,
    /// Who made it: the access key id that its signature names, or the ARN of the role for which STS gave the
    /// credentials; `None` for what is not signed by AWS's rules.
    pub by: Option<String>,
    /// The permissions that it needs, if its caller has a role.
    pub needs: Vec<Need>,
    /// Who had assumed that role, by the access key id of the call that did; `None` for calls with credentials of one's
    /// own.
    pub through: Option<String>,
    /// The invocation that made it, if it was made through an invocation's own endpoint.
    pub invocation: Option<u64>,
    /// What befell it.
    pub fault: Option<Fault>,
    /// The invocation died here.
    pub killed: Option<Killed>,
}
