//! What a script may set up and ask of CloudFormation.

use std::collections::BTreeMap;

use serde_json::json;

use super::ARN;
use super::operations::is_status;
use super::stack::{Difference, Known, Stack, StackEvent, StackFailure};
use crate::simulator::Simulator;
use crate::stamps::seconds;
use crate::world::World;

impl Simulator {
    /// Adds a stack; the answer is its ARN. A parent must exist.
    pub fn create_stack(&self, stack: Stack) -> String {
        let mut world = self.world();
        assert!(is_status(&stack.status), "a stack is never {:?}", stack.status);
        assert!(world.cloud_formation.find(&stack.name).is_none(), "a stack of this name exists");
        let (now, number) = (world.now, world.chance.uuid());
        let id = format!("{ARN}:stack/{}/{number}", stack.name);
        if let Some((parent, logical)) = &stack.parent {
            let parent = world.cloud_formation.named(parent);
            let known = parent.resource(logical).is_some();
            assert!(known, "the parent has no resource {logical:?}");
            let resources = parent.settings.resources.iter_mut();
            resources.filter(|resource| resource.logical == *logical).for_each(|resource| {
                resource.physical.clone_from(&id);
            });
        }
        let status = stack.status.clone();
        world.cloud_formation.stacks.push(Known {
            id: id.clone(),
            settings: stack,
            created: now,
            updated: None,
            status_reason: None,
            events: Vec::new(),
            differs: BTreeMap::new(),
            found: BTreeMap::new(),
            drift_status: "NOT_CHECKED",
            checked: None,
            detecting: None,
        });
        world.note_own_event(&id, &status, "");
        id
    }

    /// Lets a resource differ from its template from now on; a property that differs already differs in the new way.
    pub fn drift_resource(&self, stack: &str, logical: &str, difference: Difference) {
        let mut world = self.world();
        let known = world.cloud_formation.named(stack);
        assert!(known.resource(logical).is_some(), "the stack {stack:?} has no resource {logical:?}");
        let all = known.differs.entry(logical.to_owned()).or_default();
        match &difference {
            Difference::Property { path: new, .. } => {
                all.retain(|other| matches!(other, Difference::Property { path, .. } if path != new));
            }
            Difference::Deleted | Difference::Unreadable(_) => all.clear(),
        }
        all.push(difference);
    }

    /// Makes a resource as its template says again.
    pub fn mend_resource(&self, stack: &str, logical: &str) {
        let mut world = self.world();
        let before = world.cloud_formation.named(stack).differs.remove(logical);
        assert!(before.is_some(), "the resource {logical:?} of the stack {stack:?} has not drifted");
    }

    /// Puts a stack into another status, as an update or a deletion does, with its event.
    pub fn set_stack_status(&self, stack: &str, status: &str) {
        let mut world = self.world();
        assert!(is_status(status), "a stack is never {status:?}");
        world.note_own_event(stack, status, "");
    }

    /// Lets an update of a stack fail: its events say how, and the last one is the stack's own.
    pub fn fail_stack(&self, stack: &str, failure: StackFailure) {
        let mut world = self.world();
        assert!(is_status(&failure.status), "a stack is never {:?}", failure.status);
        let (now, count) = (world.now, i64::try_from(failure.steps.len()).expect("a few events"));
        // "The following resource(s) failed to update: [X]. " is how CloudFormation sums an update up (User Guide,
        // "Troubleshooting CloudFormation").
        let mut failed: Vec<&str> = Vec::new();
        for step in failure.steps.iter().filter(|step| step.status.ends_with("_FAILED")) {
            if !failed.contains(&step.resource.as_str()) {
                failed.push(&step.resource);
            }
        }
        let reason = if failed.is_empty() {
            String::new()
        } else {
            format!("The following resource(s) failed to update: [{}]. ", failed.join(", "))
        };
        for (step, left) in failure.steps.iter().zip((0..count).rev()) {
            let id = world.chance.uuid();
            let known = world.cloud_formation.named(stack);
            let physical =
                known.resource(&step.resource).map_or(String::new(), |found| found.physical.clone());
            known.events.push(StackEvent {
                id: format!("{}-{id}", step.resource),
                logical: step.resource.clone(),
                physical,
                kind: step.kind.clone(),
                status: step.status.clone(),
                reason: step.reason.clone(),
                at: now - seconds(left),
            });
        }
        world.note_own_event(stack, &failure.status, &reason);
    }
}

impl World {
    /// A stack's event about itself, whose logical id is its name and whose physical id is its ARN; and the event
    /// "CloudFormation Stack Status Change" (sample cloudformation-stack-status-change.json).
    fn note_own_event(&mut self, stack: &str, status: &str, reason: &str) {
        let (now, event_id) = (self.now, self.chance.uuid());
        let known = self.cloud_formation.named(stack);
        status.clone_into(&mut known.settings.status);
        known.status_reason = Some(reason.to_owned()).filter(|reason| !reason.is_empty());
        if known.created != now || status.starts_with("UPDATE") {
            known.updated = Some(now);
        }
        let id = known.id.clone();
        known.events.push(StackEvent {
            id: event_id,
            logical: known.settings.name.clone(),
            physical: id.clone(),
            kind: "AWS::CloudFormation::Stack".to_owned(),
            status: status.to_owned(),
            reason: reason.to_owned(),
            at: now,
        });
        let detail = json!({
            "stack-id": id,
            "status-details": { "status": status, "status-reason": reason },
            "client-request-token": "",
        });
        self.emit("aws.cloudformation", "CloudFormation Stack Status Change", vec![id], now, detail);
    }
}
