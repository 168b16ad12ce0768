//! AWS's release control plane and the chat products, as state behind their real wire protocols on 127.0.0.1,
//! with a virtual clock.
//!
//! | file | what |
//! | --- | --- |
//! | `simulator`, `scripting` | [`Simulator`], the handle: start, advance, set up, ask |
//! | `world` | the whole state and the order in which a tick moves it |
//! | `codedeploy` | groups, deployments, lifecycle events, rollbacks, the API |
//! | `cloudwatch` | alarms, their evaluation, history and events, the API |
//! | `codepipeline` | pipelines, executions, rollbacks of stages, the API |
//! | `cloudformation` | stacks, their events, drift detection, the API |
//! | `codebuild`, `logs` | builds, and what they and others write into CloudWatch Logs |
//! | `ecs`, `elb` | services, their deployments and stopped tasks; target groups and their targets' health |
//! | `accounts`, `sts` | other accounts, and the roles by which they are reached |
//! | `lambda` | Invoke, waited for or as an event |
//! | `sns`, `dynamodb`, `secrets`, `health` | messages; tables (an embedded engine); secrets; endpoints for health checks |
//! | `slack`, `teams`, `chat` | the chat products, and the front that they share |
//! | `function_url` | people's requests to functions |
//! | `traffic` | users, and how revisions answer them |
//! | `deliveries`, `functions` | events on their way, and the functions they reach |
//! | `storm`, `schedules` | faults drawn from a seed; functions invoked by the clock |
//! | `front`, `asked`, `wire`, `faults`, `journal` | HTTP, the protocols, what goes wrong, what was called |
//! | `permissions` | roles: what each call needs, and that its caller may |
//! | `timeline` | what happened, for people |
//! | `runtime_api`, `binary` | Lambda's Runtime API, for compiled functions in real time |
//!
//! Nothing here uses the crate under test or an AWS SDK: the simulator must not share their
//! assumptions. Nothing here reads a clock but `runtime_api`. Where AWS documents nothing, a comment
//! says what was observed, inferred or invented.

#![warn(missing_docs)]
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::missing_errors_doc,
    clippy::return_self_not_must_use,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::float_cmp,
    clippy::too_many_lines,
    reason = "a simulator that panics is a test that fails; its numbers are small"
)]

mod accounts;
mod asked;
mod binary;
mod chance;
mod chat;
mod cloudformation;
mod cloudwatch;
mod codebuild;
mod codedeploy;
mod codepipeline;
mod deliveries;
mod dynamodb;
mod ecs;
mod elb;
mod faults;
mod front;
mod function_url;
mod functions;
mod health;
mod journal;
mod lambda;
mod logs;
mod permissions;
mod refusal;
mod runtime_api;
mod schedules;
mod scripting;
mod secrets;
mod simulator;
mod skipping;
mod slack;
mod sns;
mod stamps;
mod storm;
mod sts;
mod teams;
mod timeline;
mod traffic;
mod wire;
mod world;

#[path = "../stage/mod.rs"]
pub mod stage;

#[cfg(test)]
mod checks;

pub use binary::Binary;
pub use cloudformation::{Difference, Resource, Stack, StackFailure, StackStep};
pub use cloudwatch::AlarmState;
pub use cloudwatch::alarm::{
    Alarm, AlarmMetric, CompositeAlarm, EvaluationState, Mute, Suppression, TreatMissing,
};
pub use codebuild::build::FailedBuild;
pub use codedeploy::StopAnswer;
pub use codedeploy::breaking::{Diagnosed, FailedDeployment};
pub use codedeploy::deployment::{Deployment, DeploymentStatus};
pub use codedeploy::group::{AutoRollback, Group, GroupAlarms, Platform};
pub use codedeploy::shifting::Shifting;
pub use codepipeline::breaking::{Break, Cause};
pub use codepipeline::execution::{ActionRun, ActionStatus, ExecutionStatus, PipelineExecution, StageRun};
pub use codepipeline::pipeline::{Action, Commit, ExecutionMode, Pipeline, Stage};
pub use deliveries::{Delivery, DeliverySettings};
pub use dynamodb::Units;
pub use ecs::{FailedTasks, StoppedContainer, StoppedTask};
pub use elb::{FailedTargets, TargetNow};
pub use faults::Fault;
pub use functions::{BoxFuture, Invocation};
pub use health::Health;
pub use journal::{Call, Service};
pub use lambda::Invoked;
pub use logs::LogLine;
pub use permissions::{KeyPolicy, Need, Role, Statement};
pub use refusal::Refusal;
pub use runtime_api::{InvocationError, RuntimeApi};
pub use simulator::Simulator;
pub use slack::{
    Press, SlackApp, SlackChannel, SlackFault, SlackFile, SlackMessage, SlackVersion, SlackWhisper,
    sign_slack,
};
pub use sns::Message;
pub use storm::{Killed, Storm};
pub use teams::{TeamsCard, TeamsFault};
pub use timeline::{ChatAct, Happening, Mishap, What};
pub use traffic::{Behaviour, Requests, Share, Workload};
