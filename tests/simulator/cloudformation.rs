//! AWS CloudFormation: stacks, their events, and drift detection. Query in, XML out.
//!
//! `stack` says what a stack is made of, `operations` reads it, `drift` detects and announces.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::refusal::{Answer, Refusal};
use crate::world::World;

mod drift;
mod operations;
mod scripting;
mod stack;

pub use stack::{Difference, Resource, Stack, StackFailure, StackStep};

use drift::Detection;
use stack::{Known, is_of};

/// The state of the service.
#[derive(Debug, Default)]
pub(crate) struct CloudFormation {
    /// In the order in which they were created.
    stacks: Vec<Known>,
    /// By their id.
    detections: BTreeMap<String, Detection>,
}

impl CloudFormation {
    /// The stack of a name or an ARN. One that is deleted is found by its ARN only.
    fn find(&self, name: &str) -> Option<usize> {
        self.stacks.iter().position(|stack| is_of(stack, name))
    }

    /// The id of the stack of this name, if there is one.
    pub(crate) fn id_of(&self, name: &str) -> Option<String> {
        self.find(name).map(|index| self.stacks[index].id.clone())
    }

    fn named(&mut self, name: &str) -> &mut Known {
        let index = self.find(name).unwrap_or_else(|| panic!("no stack {name:?} was created"));
        &mut self.stacks[index]
    }

    /// The ARN of the stack that this name or ARN stands for, for permissions; any stack of that name where there is
    /// none.
    pub(crate) fn arn_of(&self, name: &str) -> String {
        match self.find(name) {
            Some(index) => self.stacks[index].id.clone(),
            None if name.starts_with("arn:") => name.to_owned(),
            None => format!("{ARN}:stack/{name}/*"),
        }
    }
}

/// How the ARNs of stacks begin.
const ARN: &str = "arn:aws:cloudformation:us-east-1:123456789012";

impl World {
    /// Answers an operation; `None` when it is not modelled.
    pub(crate) fn cloud_formation(&mut self, operation: &str, input: &Value) -> Option<Answer> {
        Some(match operation {
            "DescribeStacks" => self.describe_stacks(input),
            "ListStacks" => self.list_stacks(input),
            "DescribeStackEvents" => self.describe_stack_events(input),
            "DetectStackDrift" => self.detect_stack_drift(input),
            "DescribeStackDriftDetectionStatus" => self.describe_stack_drift_detection_status(input),
            "DescribeStackResourceDrifts" => self.describe_stack_resource_drifts(input),
            _ => return None,
        })
    }

    /// The stack that a request names. CloudFormation models no errors for these operations: everything is a
    /// ValidationError; its words are those that users report.
    fn asked_stack(&self, input: &Value) -> Result<&Known, Refusal> {
        let name = input["StackName"].as_str().unwrap_or_default();
        if name.is_empty() {
            return Err(invalid(
                "1 validation error detected: Value at 'stackName' failed to satisfy constraint: Member must not be null",
            ));
        }
        let found = self.cloud_formation.find(name).map(|index| &self.cloud_formation.stacks[index]);
        found.ok_or_else(|| invalid(format!("Stack with id {name} does not exist")))
    }
}

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new("ValidationError", message)
}

/// `<name>.member.1`, and so on from 1.
fn members<'a>(input: &'a Value, name: &str) -> Vec<&'a str> {
    (1..).map_while(|n| input[format!("{name}.member.{n}")].as_str()).collect()
}

/// One page of a list, and the token of the next. Tokens are this simulator's own.
fn page<T>(all: Vec<T>, input: &Value, size: usize) -> Result<(Vec<T>, Option<String>), Refusal> {
    let skip = match input["NextToken"].as_str() {
        None => 0,
        Some(token) => token
            .strip_prefix("after-")
            .and_then(|count| count.parse::<usize>().ok())
            .ok_or_else(|| invalid("Invalid value for parameter NextToken"))?,
    };
    let next = (all.len() > skip + size).then(|| format!("after-{}", skip + size));
    Ok((all.into_iter().skip(skip).take(size).collect(), next))
}
