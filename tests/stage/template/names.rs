//! What a stack's resources are called, and what `Ref` and `Fn::GetAtt` say of them: by the simulator's names.

use serde_json::Value;

/// The partition in which the simulator's resources are.
pub const PARTITION: &str = "aws";
/// Their region.
pub const REGION: &str = "us-east-1";
/// Their account.
pub const ACCOUNT: &str = "123456789012";
/// The stack's name.
pub const STACK: &str = "belay";

/// `AWS::Partition` and its like; `None` for `AWS::NoValue` and what is not known.
pub(super) fn pseudo(name: &str) -> Option<&'static str> {
    Some(match name {
        "AWS::Partition" => PARTITION,
        "AWS::Region" => REGION,
        "AWS::AccountId" => ACCOUNT,
        "AWS::StackName" => STACK,
        "AWS::URLSuffix" => "amazonaws.com",
        "AWS::StackId" => "arn:aws:cloudformation:us-east-1:123456789012:stack/belay/rehearsed",
        _ => return None,
    })
}

/// The name of a function's program: `AlarmTransitions` is `alarm-transitions`.
pub fn function_name(logical: &str) -> String {
    let mut name = String::new();
    for letter in logical.chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('-');
        }
        name.push(letter.to_ascii_lowercase());
    }
    name
}

/// What `Ref` says of a resource. `properties` are resolved.
pub(super) fn reference(logical: &str, kind: &str, properties: &Value) -> Option<String> {
    Some(match kind {
        "AWS::SNS::Topic" | "AWS::SecretsManager::Secret" | "AWS::ElasticLoadBalancingV2::TargetGroup" => {
            arn(logical, kind, properties)?
        }
        "AWS::SQS::Queue" => {
            format!("https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{}", own_name(logical, kind, properties)?)
        }
        "AWS::KMS::Key" => key_id(logical),
        "AWS::Serverless::LayerVersion" | "AWS::Lambda::LayerVersion" => {
            format!("arn:aws:lambda:{REGION}:{ACCOUNT}:layer:{}:1", own_name(logical, kind, properties)?)
        }
        _ => own_name(logical, kind, properties)?,
    })
}

/// What `Fn::GetAtt` says of a resource.
pub(super) fn attribute(logical: &str, kind: &str, properties: &Value, attribute: &str) -> Option<String> {
    match (kind, attribute) {
        (_, "Arn") | ("AWS::SNS::Topic", "TopicArn") | ("AWS::SecretsManager::Secret", "Id") => {
            arn(logical, kind, properties)
        }
        ("AWS::SNS::Topic", "TopicName") | ("AWS::SQS::Queue", "QueueName") | (_, "Name") => {
            own_name(logical, kind, properties)
        }
        ("AWS::KMS::Key", "KeyId") => Some(key_id(logical)),
        _ => None,
    }
}

/// A key's id: any UUID, but always the same one.
fn key_id(logical: &str) -> String {
    format!("00000000-0000-4000-8000-{:012x}", crate::chance::digest(logical) & 0xffff_ffff_ffff)
}

/// The name of a resource: the one that the template gives it, else the stack's name and its own.
fn own_name(logical: &str, kind: &str, properties: &Value) -> Option<String> {
    let given = |property: &str| properties[property].as_str().map(str::to_owned);
    let made = format!("{STACK}-{logical}");
    Some(match kind {
        // What the simulator calls them, whatever the template does.
        "AWS::DynamoDB::Table" => crate::stage::functions::TABLE.to_owned(),
        "AWS::SNS::Topic" => given("TopicName").unwrap_or_else(|| STACK.to_owned()),
        "AWS::SecretsManager::Secret" => given("Name").unwrap_or(made),
        "AWS::SQS::Queue" => given("QueueName").unwrap_or(made),
        "AWS::IAM::Role" => given("RoleName").unwrap_or(made),
        "AWS::Logs::LogGroup" => given("LogGroupName").unwrap_or(made),
        "AWS::Events::EventBus" | "AWS::Events::Rule" => given("Name").unwrap_or(made),
        "AWS::CloudWatch::Alarm" | "AWS::CloudWatch::CompositeAlarm" => given("AlarmName").unwrap_or(made),
        "AWS::CloudWatch::Dashboard" => given("DashboardName").unwrap_or(made),
        "AWS::Serverless::Function" | "AWS::Lambda::Function" => given("FunctionName").unwrap_or(made),
        "AWS::Serverless::LayerVersion" | "AWS::Lambda::LayerVersion" => given("LayerName").unwrap_or(made),
        "AWS::IAM::ManagedPolicy" => given("ManagedPolicyName").unwrap_or(made),
        "AWS::KMS::Alias" => given("AliasName").unwrap_or(made),
        _ => return None,
    })
}

fn arn(logical: &str, kind: &str, properties: &Value) -> Option<String> {
    if kind == "AWS::KMS::Key" {
        return Some(format!("arn:aws:kms:{REGION}:{ACCOUNT}:key/{}", key_id(logical)));
    }
    let name = own_name(logical, kind, properties)?;
    let here = format!("{REGION}:{ACCOUNT}");
    Some(match kind {
        "AWS::DynamoDB::Table" => format!("arn:aws:dynamodb:{here}:table/{name}"),
        "AWS::SNS::Topic" => format!("arn:aws:sns:{here}:{name}"),
        "AWS::SecretsManager::Secret" => crate::secrets::arn(&name),
        "AWS::SQS::Queue" => format!("arn:aws:sqs:{here}:{name}"),
        "AWS::IAM::Role" => {
            format!("arn:aws:iam::{ACCOUNT}:role{}{name}", properties["Path"].as_str().unwrap_or("/"))
        }
        // CloudFormation gives a log group's ARN with `:*` behind it (AWS::Logs::LogGroup, "Return values").
        "AWS::Logs::LogGroup" => format!("arn:aws:logs:{here}:log-group:{name}:*"),
        "AWS::Events::EventBus" => format!("arn:aws:events:{here}:event-bus/{name}"),
        "AWS::Events::Rule" => format!("arn:aws:events:{here}:rule/{name}"),
        "AWS::CloudWatch::Alarm" | "AWS::CloudWatch::CompositeAlarm" => {
            format!("arn:aws:cloudwatch:{here}:alarm:{name}")
        }
        "AWS::Serverless::Function" | "AWS::Lambda::Function" => {
            format!("arn:aws:lambda:{here}:function:{name}")
        }
        _ => return None,
    })
}
