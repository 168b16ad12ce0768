//! Drift detection: it takes its time, and announces itself.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::operations::{refuse_denied, with_token};
use super::stack::{Difference, Known, Resource};
use super::{invalid, members, page};
use crate::refusal::Answer;
use crate::stamps::{self, seconds};
use crate::world::World;

/// One run.
#[derive(Debug)]
pub(super) struct Detection {
    stack: String,
    began: Timestamp,
    ends: Timestamp,
    /// What it found, once it ended.
    ended: Option<Ended>,
}

#[derive(Debug, Clone, Copy)]
struct Ended {
    status: &'static str,
    drift: &'static str,
    drifted: usize,
}

/// The states in which a stack's drift can be detected (CloudFormation User Guide, "Detect unmanaged configuration
/// changes": CREATE_COMPLETE, UPDATE_COMPLETE, UPDATE_ROLLBACK_COMPLETE, UPDATE_ROLLBACK_FAILED).
const ALLOWED: [&str; 4] =
    ["CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "UPDATE_ROLLBACK_FAILED"];

/// `StackResourceDriftStatus` of the API model.
const STATUSES: [&str; 6] = ["IN_SYNC", "MODIFIED", "DELETED", "NOT_CHECKED", "UNKNOWN", "UNSUPPORTED"];

/// Types whose drift is not detected, as far as scripts need them: they are not among the results.
const UNSUPPORTED: [&str; 1] = ["AWS::CloudFormation::Stack"];

impl World {
    pub(super) fn detect_stack_drift(&mut self, input: &Value) -> Answer {
        Self::only_whole_stacks(input)?;
        let stack = self.asked_stack(input)?;
        refuse_denied(stack, "DetectStackDrift")?;
        let (name, id, status) = (&stack.settings.name, stack.id.clone(), &stack.settings.status);
        if !ALLOWED.contains(&status.as_str()) {
            // Not documented: the words are invented.
            return Err(invalid(format!(
                "Drift detection is not supported for stack [{name}] in [{status}] state"
            )));
        }
        if stack.detecting.is_some() {
            // How it begins is what users match on.
            return Err(invalid(format!("Drift detection is already in progress for stack {id}")));
        }
        let (now, takes) = (self.now, stack.settings.takes);
        let ends = now + takes.max(std::time::Duration::from_secs(1));
        let detection = self.chance.uuid();
        self.cloud_formation.named(&id).detecting = Some(detection.clone());
        let run = Detection { stack: id.clone(), began: now, ends, ended: None };
        self.cloud_formation.detections.insert(detection.clone(), run);
        self.announce_detection(&detection);
        Ok(json!({ "StackDriftDetectionId": detection }))
    }

    /// Ends the detections that have had their time. Announced is progress once more and then the end, so that a shuffled
    /// delivery turns them round.
    pub(crate) fn evolve_detections(&mut self) {
        let now = self.now;
        let due = self.cloud_formation.detections.iter();
        let due = due.filter(|(_, run)| run.ended.is_none() && run.ends <= now);
        let due: Vec<(String, String)> = due.map(|(id, run)| (id.clone(), run.stack.clone())).collect();
        for (id, stack) in due {
            self.announce_detection(&id);
            let ended = self.cloud_formation.named(&stack).conclude(now);
            let run = self.cloud_formation.detections.get_mut(&id).expect("it was just found");
            run.ended = Some(ended);
            self.announce_detection(&id);
        }
    }

    /// "CloudFormation Drift Detection Status Change", in the shape of the three samples.
    fn announce_detection(&mut self, id: &str) {
        let run = &self.cloud_formation.detections[id];
        let (drift, status, count) = match run.ended {
            None => ("", "DETECTION_IN_PROGRESS", -1),
            Some(Ended { status: "DETECTION_FAILED", drift, .. }) => (drift, "DETECTION_FAILED", -1),
            Some(Ended { status, drift, drifted }) => (drift, status, i64::try_from(drifted).unwrap_or(-1)),
        };
        let detail = json!({
            "stack-id": run.stack,
            "stack-drift-detection-id": id,
            "status-details": { "stack-drift-status": drift, "detection-status": status },
            "drift-detection-details": { "drifted-stack-resource-count": count },
            "client-request-token": "",
        });
        let (resources, now) = (vec![run.stack.clone()], self.now);
        let kind = "CloudFormation Drift Detection Status Change";
        self.emit("aws.cloudformation", kind, resources, now, detail);
    }

    pub(super) fn describe_stack_drift_detection_status(&self, input: &Value) -> Answer {
        let id = input["StackDriftDetectionId"].as_str().unwrap_or_default();
        let Some(run) = self.cloud_formation.detections.get(id) else {
            // Not documented: the words are invented.
            return Err(invalid(format!("Stack drift detection id [{id}] does not exist")));
        };
        let mut answer = json!({
            "StackId": run.stack,
            "StackDriftDetectionId": id,
            "DetectionStatus": "DETECTION_IN_PROGRESS",
            "DetectionStatusReason": "User Initiated",
            "Timestamp": stamps::milliseconds(run.began),
        });
        if let Some(Ended { status, drift, drifted }) = run.ended {
            answer["DetectionStatus"] = json!(status);
            answer["StackDriftStatus"] = json!(drift);
            if status == "DETECTION_COMPLETE" {
                answer["DriftedStackResourceCount"] = json!(drifted);
            } else {
                answer["DetectionStatusReason"] = json!("Failed to detect drift on some of the resources");
            }
        }
        Ok(answer)
    }

    pub(super) fn describe_stack_resource_drifts(&self, input: &Value) -> Answer {
        let stack = self.asked_stack(input)?;
        refuse_denied(stack, "DescribeStackResourceDrifts")?;
        let wanted = members(input, "StackResourceDriftStatusFilters");
        if wanted.len() > 4 || wanted.iter().any(|status| !STATUSES.contains(status)) {
            return Err(invalid(
                "1 validation error detected: Value at 'stackResourceDriftStatusFilters' failed to satisfy constraint",
            ));
        }
        let size: usize = input["MaxResults"].as_str().map_or(Some(100), |n| n.parse().ok()).unwrap_or(0);
        if !(1..=100).contains(&size) {
            return Err(invalid(
                "1 validation error detected: Value at 'maxResults' failed to satisfy constraint",
            ));
        }
        let resources = stack.settings.resources.iter();
        let drifts = resources.filter_map(|resource| {
            let (at, found) = stack.found.get(&resource.logical)?;
            let shown = shown(stack, resource, *at, found);
            let status = shown["StackResourceDriftStatus"].as_str().unwrap_or_default();
            (wanted.is_empty() || wanted.contains(&status)).then_some(shown)
        });
        let (drifts, next) = page(drifts.collect(), input, size)?;
        Ok(with_token(json!({ "StackResourceDrifts": drifts }), next))
    }
}

impl Known {
    /// Ends a detection: what differs now is what it found.
    fn conclude(&mut self, now: Timestamp) -> Ended {
        self.detecting = None;
        let checked = self.settings.resources.iter();
        let checked = checked.filter(|resource| !UNSUPPORTED.contains(&resource.kind.as_str()));
        let found = checked.map(|resource| {
            let differences = self.differs.get(&resource.logical).cloned().unwrap_or_default();
            (resource.logical.clone(), (now, differences))
        });
        self.found = found.collect::<BTreeMap<_, _>>();
        let is_unreadable =
            |(_, all): &(Timestamp, Vec<Difference>)| matches!(all[..], [Difference::Unreadable(_)]);
        let unreadable = self.found.values().filter(|found| is_unreadable(found)).count();
        let drifted = self.found.values().filter(|(_, all)| !all.is_empty()).count() - unreadable;
        // Which of the two a stack is that has both is not verified.
        let drift = match (drifted, unreadable) {
            (0, 0) => "IN_SYNC",
            (0, _) => "UNKNOWN",
            (_, _) => "DRIFTED",
        };
        (self.drift_status, self.checked) = (drift, Some(now));
        let status = if unreadable == 0 { "DETECTION_COMPLETE" } else { "DETECTION_FAILED" };
        Ended { status, drift, drifted }
    }
}

/// A member of DescribeStackResourceDrifts. Of the properties here only those are known that differ.
fn shown(stack: &Known, resource: &Resource, at: Timestamp, found: &[Difference]) -> Value {
    let Resource { logical, kind, physical } = resource;
    let mut shown = json!({
        "StackId": stack.id,
        "LogicalResourceId": logical,
        "PhysicalResourceId": physical,
        "ResourceType": kind,
        "StackResourceDriftStatus": "IN_SYNC",
        "Timestamp": stamps::milliseconds(at - seconds(1)),
    });
    match found {
        [] => {}
        [Difference::Deleted] => shown["StackResourceDriftStatus"] = json!("DELETED"),
        [Difference::Unreadable(why)] => {
            shown["StackResourceDriftStatus"] = json!("UNKNOWN");
            shown["DriftStatusReason"] = json!(why);
        }
        all => {
            let (mut differences, mut expected_all, mut actual_all) = (Vec::new(), json!({}), json!({}));
            for difference in all {
                let Difference::Property { path, kind, expected, actual } = difference else { continue };
                let top = path.trim_start_matches('/').split('/').next().unwrap_or_default();
                (expected_all[top], actual_all[top]) = (json!(expected), json!(actual));
                differences.push(json!({
                    "PropertyPath": path, "DifferenceType": kind,
                    "ExpectedValue": expected, "ActualValue": actual,
                }));
            }
            shown["StackResourceDriftStatus"] = json!("MODIFIED");
            shown["ExpectedProperties"] = json!(expected_all.to_string());
            shown["ActualProperties"] = json!(actual_all.to_string());
            shown["PropertyDifferences"] = json!(differences);
        }
    }
    shown
}
