//! Stacks in a rehearsal: what is there, and what happens to it.

use crate::{
    Difference, Resource, Simulator, Stack, StackFailure, StackStep,
    stage::script::{DriftKind, DriftScript, Event, StackFailsScript, StackScript},
};

/// Creates the stacks that are there when a rehearsal begins.
pub(super) fn set_up(simulator: &Simulator, stacks: &[StackScript]) {
    for script in stacks {
        let mut stack = Stack::new(&script.name);
        if let Some(status) = &script.status {
            stack = stack.status(status);
        }
        for (logical, resource) in &script.resources {
            stack = stack.resource(Resource::new(logical, &resource.r#type, &resource.id));
        }
        if let Some(parent) = &script.nested_in {
            stack = stack.nested_in(&parent.stack, &parent.resource);
        }
        if let Some(takes) = script.detected_in {
            stack = stack.detected_in(takes.0);
        }
        if script.denied {
            stack = stack.denied();
        }
        simulator.create_stack(stack);
    }
}

/// What happens to stacks.
pub(super) fn happens(simulator: &Simulator, event: &Event) -> Result<(), String> {
    if let Some(drift) = &event.drifts {
        simulator.drift_resource(&drift.stack, &drift.resource, difference(drift)?);
    }
    if let Some(mend) = &event.mends {
        simulator.mend_resource(&mend.stack, &mend.resource);
    }
    if let Some(fails) = &event.stack_fails {
        let StackFailsScript { stack, status, events } = fails;
        let steps = events.iter().map(|event| StackStep {
            resource: event.resource.clone(),
            kind: event.r#type.clone(),
            status: event.status.clone(),
            reason: event.reason.clone(),
        });
        simulator.fail_stack(stack, StackFailure { status: status.clone(), steps: steps.collect() });
    }
    if event.drift_is_detected {
        simulator.ring("stack-drift");
    }
    Ok(())
}

fn difference(drift: &DriftScript) -> Result<Difference, String> {
    let DriftScript { stack: _, resource, kind, property, expected, actual } = drift;
    let of_property = |kind: &str| {
        let path = property.clone().ok_or_else(|| format!("how {resource} drifts needs its `property`"))?;
        Ok(Difference::Property {
            path,
            kind: kind.to_owned(),
            expected: expected.clone(),
            actual: actual.clone(),
        })
    };
    match kind {
        DriftKind::NotEqual => of_property("NOT_EQUAL"),
        DriftKind::Add => of_property("ADD"),
        DriftKind::Remove => of_property("REMOVE"),
        DriftKind::Deleted => Ok(Difference::Deleted),
        DriftKind::Unreadable => Ok(Difference::Unreadable(actual.clone())),
    }
}
