//! ListDeployments: ids only, newest first (the order is observed, not promised), no page size to
//! choose.

use serde_json::{Value, json};

use crate::refusal::{Answer, Refusal, only_modelled};
use crate::stamps::epoch_seconds;
use crate::wire::texts;
use crate::world::World;

/// How many ids one answer holds here. AWS does not say.
const PAGE: usize = 100;

/// `DeploymentStatus` of the model.
const STATUSES: [&str; 8] =
    ["Created", "Queued", "InProgress", "Baking", "Succeeded", "Failed", "Stopped", "Ready"];

impl World {
    pub(crate) fn list_deployments(&self, input: &Value) -> Answer {
        only_modelled(input, &["externalId"])?;
        let names_given =
            ["applicationName", "deploymentGroupName"].iter().any(|name| !input[*name].is_null());
        // Both or neither.
        let group = if names_given { Some(self.asked_group(input)?.settings.name.as_str()) } else { None };
        let statuses = texts(&input["includeOnlyStatuses"]);
        if statuses.iter().any(|status| !STATUSES.contains(status)) {
            return Err(Refusal::new(
                "InvalidDeploymentStatusException",
                "The specified deployment status doesn't exist or cannot be determined.",
            ));
        }
        let range = &input["createTimeRange"];
        let (start, end) = (range["start"].as_f64(), range["end"].as_f64());
        if let (Some(start), Some(end)) = (start, end)
            && start > end
        {
            return Err(Refusal::new(
                "InvalidTimeRangeException",
                "The specified time range was specified in an invalid format.",
            ));
        }
        let skip = match input["nextToken"].as_str() {
            None => 0,
            Some(token) => token
                .strip_prefix("after-")
                .and_then(|count| count.parse::<usize>().ok())
                .ok_or_else(|| {
                    Refusal::new(
                        "InvalidNextTokenException",
                        "The next token was specified in an invalid format.",
                    )
                })?,
        };
        let mut matching: Vec<_> = self
            .code_deploy
            .order
            .iter()
            .enumerate()
            .map(|(place, id)| (place, &self.code_deploy.deployments[id]))
            .filter(|(_, deployment)| {
                let created = epoch_seconds(deployment.created);
                group.is_none_or(|group| group == deployment.group)
                    && (statuses.is_empty() || statuses.contains(&deployment.status.name()))
                    && start.is_none_or(|start| created >= start)
                    && end.is_none_or(|end| created <= end)
            })
            .collect();
        matching.sort_by_key(|(place, deployment)| (deployment.created, *place));
        let ids: Vec<&str> = matching
            .iter()
            .rev()
            .skip(skip)
            .take(PAGE)
            .map(|(_, deployment)| deployment.id.as_str())
            .collect();
        let mut answer = json!({ "deployments": ids });
        if matching.len() > skip + PAGE {
            answer["nextToken"] = json!(format!("after-{}", skip + PAGE));
        }
        Ok(answer)
    }
}
