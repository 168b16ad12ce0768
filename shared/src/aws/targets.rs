//! Elastic Load Balancing: target groups, and which of their targets are not healthy.

use aws_sdk_elasticloadbalancingv2::{
    operation::{
        describe_target_groups::DescribeTargetGroupsInput, describe_target_health::DescribeTargetHealthInput,
    },
    types::{TargetGroup as Group, TargetHealthDescription, TargetHealthStateEnum as State},
};
use aws_types::SdkConfig;
use futures_util::future::join_all;

use super::client::{Call as _, Client, service};
use crate::{
    aws::AwsError,
    diagnosis::{TargetGroup, UnhealthyTarget},
};

service! {
    Api = aws_sdk_elasticloadbalancingv2, "Elastic Load Balancing v2", "elasticloadbalancing";
    describe_target_groups: DescribeTargetGroups DescribeTargetGroupsInputBuilder
        DescribeTargetGroupsOutput DescribeTargetGroupsError;
    describe_target_health: DescribeTargetHealth DescribeTargetHealthInputBuilder
        DescribeTargetHealthOutput DescribeTargetHealthError;
}

/// The target groups.
#[derive(Clone, Debug)]
pub struct Targets {
    client: Client<Api>,
}

/// How target groups are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Groups {
    /// By their ARNs.
    Arns(Vec<String>),
    /// By their names.
    Names(Vec<String>),
}

impl Targets {
    /// A client of one configuration.
    pub fn new(config: &SdkConfig) -> Self {
        Self { client: Client::of(config) }
    }

    /// Target groups with their targets that are not healthy, each by itself. Those that leave anyhow are not among them.
    ///
    /// # Errors
    /// When Elastic Load Balancing does not tell of the groups at all; one that is not there fails all of them.
    pub async fn unhealthy(&self, groups: &Groups) -> Result<Vec<Result<TargetGroup, AwsError>>, AwsError> {
        const OPERATION: &str = "elasticloadbalancing:DescribeTargetGroups";
        let asked = DescribeTargetGroupsInput::builder();
        let (asked, subject) = match groups {
            Groups::Arns(arns) => (asked.set_target_group_arns(Some(arns.clone())), arns.join(", ")),
            Groups::Names(names) => (asked.set_names(Some(names.clone())), names.join(", ")),
        };
        let output = asked
            .sent_by(&self.client)
            .await
            .map_err(|error| AwsError::from_sdk(OPERATION, &subject, &error))?;
        Ok(join_all(output.target_groups().iter().map(|group| self.group(group))).await)
    }

    async fn group(&self, group: &Group) -> Result<TargetGroup, AwsError> {
        const OPERATION: &str = "elasticloadbalancing:DescribeTargetHealth";
        let name = group.target_group_name().unwrap_or_default();
        let output = DescribeTargetHealthInput::builder()
            .set_target_group_arn(group.target_group_arn().map(str::to_owned))
            .sent_by(&self.client)
            .await
            .map_err(|error| AwsError::from_sdk(OPERATION, name, &error))?;
        let matcher = group.matcher();
        Ok(TargetGroup {
            name: name.to_owned(),
            path: group.health_check_path().map(str::to_owned),
            expects: matcher
                .and_then(|matcher| matcher.http_code().or_else(|| matcher.grpc_code()))
                .map(str::to_owned),
            unhealthy: output.target_health_descriptions().iter().filter_map(unhealthy).collect(),
        })
    }
}

fn unhealthy(described: &TargetHealthDescription) -> Option<UnhealthyTarget> {
    let health = described.target_health()?;
    if matches!(health.state()?, State::Healthy | State::Draining) {
        return None;
    }
    let target = described.target()?;
    let id = target.id().unwrap_or_default();
    Some(UnhealthyTarget {
        id: target.port().map_or_else(|| id.to_owned(), |port| format!("{id}:{port}")),
        reason: health.reason().map_or_else(String::new, |reason| reason.as_str().to_owned()),
        description: health.description().unwrap_or_default().to_owned(),
    })
}
