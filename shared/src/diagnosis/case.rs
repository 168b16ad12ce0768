//! A failure as the rules read it: lines of text, each with where it is from, the deepest first.
//!
//! Deepest first, because what a service says about a failure repeats, shortened, what the service below it said.

use super::{
    failure::{Failure, Learnt, Tasks},
    log,
};
use crate::mask;

/// Where a line is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Source {
    /// A build's log.
    Log,
    /// A lifecycle event of a deployment: `event (status) code script: message`, and then its output.
    Lifecycle,
    /// Why a container ended: `container NAME exited with CODE: reason`.
    Container,
    /// Why a task stopped.
    Task,
    /// A target that is not healthy: `TARGET reason: description (expects CODES at PATH)`.
    Target,
    /// A function's answer.
    Function,
    /// A stack: first `STACK is in STATUS`, then `RESOURCE (TYPE): reason`.
    Stack,
    /// A service's or its rollout's own message.
    Rollout,
    /// A deployment's error: `CODE: message`.
    Deployment,
    /// A build's phase: `PHASE CODE: message`.
    Phase,
    /// What CodePipeline says: `CODE: message`.
    Action,
    /// The action's summary; of an approval, what a person said.
    Summary,
}

impl Source {
    /// Where that is, for people.
    pub(super) fn place(self) -> &'static str {
        match self {
            Self::Log => "the build's log",
            Self::Lifecycle => "the deployment's lifecycle event",
            Self::Container => "the container's exit",
            Self::Task => "the stopped task",
            Self::Target => "the target's health",
            Self::Function => "the function's answer",
            Self::Stack => "the stack's events",
            Self::Rollout => "the service's messages",
            Self::Deployment => "the deployment's error",
            Self::Phase => "the build's phase",
            Self::Action => "the action's error",
            Self::Summary => "the action's summary",
        }
    }
}

/// Every source.
pub(super) const ANY: &[Source] = &[
    Source::Log,
    Source::Lifecycle,
    Source::Container,
    Source::Task,
    Source::Target,
    Source::Function,
    Source::Stack,
    Source::Rollout,
    Source::Deployment,
    Source::Phase,
    Source::Action,
    Source::Summary,
];
/// What commands printed.
pub(super) const OUTPUT: &[Source] = &[Source::Log, Source::Lifecycle];
/// What ECS says.
pub(super) const ECS: &[Source] = &[
    Source::Container,
    Source::Task,
    Source::Rollout,
    Source::Stack,
    Source::Deployment,
    Source::Action,
    Source::Summary,
];

/// A line, cleaned of colours and of what logs put before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) source: Source,
    pub(super) text: String,
}

/// A failure, with all its lines.
#[derive(Debug)]
pub(super) struct Case<'a> {
    pub(super) failure: &'a Failure,
    pub(super) lines: Vec<Line>,
}

impl<'a> Case<'a> {
    /// Reads a failure.
    pub(super) fn of(failure: &'a Failure) -> Self {
        let mut lines = Vec::new();
        for learnt in &failure.learnt {
            read(learnt, &mut lines);
        }
        if let Ok(error) = failure.action.error.known() {
            let told = [error.code.as_deref(), error.message.as_deref()];
            say(&mut lines, Source::Action, &joined(": ", &told));
            say(&mut lines, Source::Summary, error.summary.as_deref().unwrap_or_default());
        }
        without_private_keys(&mut lines);
        // Stable: lines of one source stay in their order.
        lines.sort_by_key(|line| line.source);
        Self { failure, lines }
    }

    /// The number of the line that says most, where no rule knows it: the telling line of the deepest source that
    /// has one, else the first line that is no noise.
    pub(super) fn deepest(&self) -> Option<usize> {
        let mut begin = 0;
        for of in self.lines.chunk_by(|one, next| one.source == next.source) {
            if let Some(line) = log::telling(of.iter().map(|line| line.text.as_str())) {
                return Some(begin + line);
            }
            begin += of.len();
        }
        self.lines.iter().position(|line| !log::noise(&line.text)).or((!self.lines.is_empty()).then_some(0))
    }
}

fn say(lines: &mut Vec<Line>, source: Source, text: &str) {
    lines.extend(log::lines(text).map(|text| Line { source, text }).filter(|line| !line.text.is_empty()));
}

/// A line of a key tells nothing by itself that it is one, so none of them is ever shown or tried.
fn without_private_keys(lines: &mut Vec<Line>) {
    let mut inside = false;
    let mut of = Source::Log;
    lines.retain(|line| {
        let was_inside = inside && line.source == of;
        of = line.source;
        inside = mask::begins_private_key(&line.text) || (was_inside && !mask::ends_private_key(&line.text));
        !was_inside && !inside
    });
}

/// The parts that are there and not empty.
fn joined(by: &str, parts: &[Option<&str>]) -> String {
    let there: Vec<&str> = parts.iter().copied().flatten().filter(|part| !part.is_empty()).collect();
    there.join(by)
}

fn read(learnt: &Learnt, lines: &mut Vec<Line>) {
    match learnt {
        Learnt::Build(build) => {
            let Ok(build) = build.known() else { return };
            let phase = build.phase.as_deref().unwrap_or("BUILD");
            for context in &build.contexts {
                say(lines, Source::Phase, &format!("{phase} {}: {}", context.code, context.message));
            }
            if build.contexts.is_empty() || build.status == "TIMED_OUT" {
                say(lines, Source::Phase, &format!("{phase} {}", build.status));
            }
            if let Some(code) = build.exit_code {
                say(lines, Source::Phase, &format!("{phase} exit code {code}"));
            }
        }
        Learnt::Log(log) => {
            let Ok(log) = log.known() else { return };
            lines.extend(
                log::output(log.iter().map(String::as_str))
                    .into_iter()
                    .map(|text| Line { source: Source::Log, text }),
            );
        }
        Learnt::Stack(stack) => {
            let Ok(stack) = stack.known() else { return };
            if let Some(first) = &stack.first {
                say(lines, Source::Stack, &format!("{} ({}): {}", first.id, first.kind, first.reason));
            }
            say(lines, Source::Stack, &format!("stack {} is in {}", stack.name, stack.status));
        }
        Learnt::Deployment(deployment) => {
            let Ok(deployment) = deployment.known() else { return };
            for event in &deployment.events {
                let code = event.code.as_deref().unwrap_or_default();
                let script = event.script.as_deref().unwrap_or_default();
                let head = joined(" ", &[Some(code), Some(script)]);
                let told = joined(": ", &[Some(&head), event.message.as_deref()]);
                say(lines, Source::Lifecycle, &format!("{} ({}) {told}", event.event, event.status));
                say(lines, Source::Lifecycle, event.log_tail.as_deref().unwrap_or_default());
            }
            let told = [deployment.code.as_deref(), deployment.message.as_deref()];
            say(lines, Source::Deployment, &joined(": ", &told));
        }
        Learnt::Tasks(tasks) => {
            let Ok(tasks) = tasks.known() else { return };
            read_tasks(tasks, lines);
        }
        Learnt::Targets(group) => {
            let Ok(group) = group.known() else { return };
            let expects = group.expects.as_deref().unwrap_or("200");
            let path = group.path.as_deref().unwrap_or("/");
            for target in &group.unhealthy {
                let (id, reason, told) = (&target.id, &target.reason, &target.description);
                say(lines, Source::Target, &format!("{id} {reason}: {told} (expects {expects} at {path})"));
            }
        }
        Learnt::Function(function) => {
            let Ok(function) = function.known() else { return };
            let error = function.error.as_deref().unwrap_or("answered");
            say(lines, Source::Function, &format!("{} {error}: {}", function.name, function.payload));
        }
    }
}

fn read_tasks(tasks: &Tasks, lines: &mut Vec<Line>) {
    for task in &tasks.stopped {
        for container in &task.containers {
            let name = &container.name;
            let reason = container.reason.as_deref().unwrap_or("no reason given");
            match container.exit_code {
                Some(0) | None if container.reason.is_none() => {}
                Some(code) => {
                    say(lines, Source::Container, &format!("container {name} exited with {code}: {reason}"));
                }
                None => say(lines, Source::Container, &format!("container {name} never ran: {reason}")),
            }
        }
        say(lines, Source::Task, &task.reason);
    }
    say(lines, Source::Rollout, tasks.rollout.as_deref().unwrap_or_default());
    for message in &tasks.messages {
        say(lines, Source::Rollout, message);
    }
}
