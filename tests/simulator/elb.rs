//! Elastic Load Balancing, version 2: target groups, and which of their targets are healthy. Query in, XML out.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::chance::digest;
use crate::refusal::{Answer, Refusal};
use crate::simulator::Simulator;
use crate::world::World;

/// A target group with targets that are not healthy, as a script describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedTargets {
    /// The target group's name.
    pub group: String,
    /// The path of its health check.
    pub path: String,
    /// The port of its health check; without it, that of the traffic.
    pub port: Option<String>,
    /// The HTTP codes that count as healthy, such as `200` or `200-299`.
    pub matcher: String,
    /// Its targets.
    pub targets: Vec<TargetNow>,
}

/// A target, and how it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetNow {
    /// An address, or an instance's id.
    pub id: String,
    /// The port.
    pub port: u16,
    /// healthy, unhealthy, initial, draining, unused, unavailable.
    pub state: String,
    /// Such as Target.ResponseCodeMismatch; nothing of a healthy one.
    pub reason: Option<String>,
    /// Such as `Health checks failed with these codes: [404]`.
    pub description: Option<String>,
}

/// The state of the service: target groups by their ARN.
#[derive(Debug, Default)]
pub(crate) struct LoadBalancing {
    groups: BTreeMap<String, FailedTargets>,
}

impl Simulator {
    /// Adds a target group, or says anew what is in it; the answer is its ARN.
    pub fn set_targets(&self, targets: FailedTargets) -> String {
        self.world().set_targets(targets)
    }
}

impl World {
    pub(crate) fn set_targets(&mut self, targets: FailedTargets) -> String {
        let name = &targets.group;
        let id = format!("{:016x}", digest(name));
        let arn = format!("arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/{name}/{id}");
        self.load_balancing.groups.insert(arn.clone(), targets);
        arn
    }

    /// Answers an operation; `None` when it is not modelled.
    pub(crate) fn elastic_load_balancing(&self, operation: &str, input: &Value) -> Option<Answer> {
        match operation {
            "DescribeTargetHealth" => Some(self.describe_target_health(input)),
            "DescribeTargetGroups" => Some(self.describe_target_groups(input)),
            _ => None,
        }
    }

    fn describe_target_health(&self, input: &Value) -> Answer {
        refuse_beside(input, &["TargetGroupArn"])?;
        let arn = input["TargetGroupArn"].as_str().unwrap_or_default();
        let group = self.load_balancing.groups.get(arn).ok_or_else(no_such_group)?;
        let targets: Vec<Value> = group
            .targets
            .iter()
            .map(|target| {
                let mut health = Map::new();
                health.insert("State".to_owned(), json!(target.state));
                for (name, text) in [("Reason", &target.reason), ("Description", &target.description)] {
                    if let Some(text) = text {
                        health.insert(name.to_owned(), json!(text));
                    }
                }
                json!({
                    "Target": { "Id": target.id, "Port": target.port, "AvailabilityZone": "us-east-1a" },
                    "HealthCheckPort": check_port(group, target),
                    "TargetHealth": health,
                })
            })
            .collect();
        Ok(json!({ "TargetHealthDescriptions": targets }))
    }

    fn describe_target_groups(&self, input: &Value) -> Answer {
        refuse_beside(input, &["TargetGroupArns.", "Names."])?;
        let asked = |list: &str| -> Vec<&str> {
            let members = input.as_object().into_iter().flatten();
            members
                .filter(|(name, _)| name.starts_with(list))
                .filter_map(|(_, value)| value.as_str())
                .collect()
        };
        let (arns, names) = (asked("TargetGroupArns."), asked("Names."));
        let groups: Vec<(&String, &FailedTargets)> = self
            .load_balancing
            .groups
            .iter()
            .filter(|(arn, group)| {
                let wanted = |list: &[&str], own: &str| list.is_empty() || list.contains(&own);
                wanted(&arns, arn) && wanted(&names, &group.group)
            })
            .collect();
        if groups.len() < arns.len().max(names.len()) {
            return Err(no_such_group());
        }
        let shown: Vec<Value> = groups
            .into_iter()
            .map(|(arn, group)| {
                json!({
                    "TargetGroupArn": arn,
                    "TargetGroupName": group.group,
                    "Protocol": "HTTP",
                    "Port": group.targets.first().map_or(80, |target| target.port),
                    "VpcId": "vpc-0123456789abcdef0",
                    "HealthCheckProtocol": "HTTP",
                    "HealthCheckPort": group.port.as_deref().unwrap_or("traffic-port"),
                    "HealthCheckEnabled": true,
                    "HealthCheckIntervalSeconds": 30,
                    "HealthCheckTimeoutSeconds": 5,
                    "HealthyThresholdCount": 5,
                    "UnhealthyThresholdCount": 2,
                    "HealthCheckPath": group.path,
                    "Matcher": { "HttpCode": group.matcher },
                    "LoadBalancerArns": [],
                    "TargetType": "ip",
                    "ProtocolVersion": "HTTP1",
                    "IpAddressType": "ipv4",
                })
            })
            .collect();
        Ok(json!({ "TargetGroups": shown }))
    }
}

/// On which port a target is asked for its health.
fn check_port(group: &FailedTargets, target: &TargetNow) -> String {
    group.port.clone().unwrap_or_else(|| target.port.to_string())
}

/// The code of the query protocol has no `Exception` at its end (model, `awsQueryError`).
fn no_such_group() -> Refusal {
    Refusal::new("TargetGroupNotFound", "One or more target groups not found")
}

/// Refuses what is asked besides these members: lists are members with a point and a number behind their name.
fn refuse_beside(input: &Value, modelled: &[&str]) -> Result<(), Refusal> {
    let known = |name: &str| {
        ["Action", "Version"].contains(&name) || modelled.iter().any(|wanted| name.starts_with(wanted))
    };
    let strange = input.as_object().into_iter().flatten().find(|(name, _)| !known(name));
    match strange {
        None => Ok(()),
        Some((name, _)) => Err(Refusal { status: 501, ..Refusal::new("NotModelled", name.as_str()) }),
    }
}
