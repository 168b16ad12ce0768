//! What a person sees of a rehearsal: the timeline, and what came of it.

mod chat;
mod json;
mod report;
mod summary;

use std::{collections::BTreeSet, fmt::Write as _};

use anstyle::{AnsiColor, Style};
use belay::reason::spoken;
use jiff::Timestamp;
use serde_json::Value;

pub use self::{json::json, report::report, summary::summary};
use crate::{
    AlarmState, Call, Fault, Happening, Killed, Mishap, Service, What,
    stage::{
        play::{Act, Did, Played, reported},
        script::Rehearsal,
    },
};

const RED: Style = AnsiColor::Red.on_default().bold();
const GREEN: Style = AnsiColor::Green.on_default();
const YELLOW: Style = AnsiColor::Yellow.on_default();
const BLUE: Style = AnsiColor::Cyan.on_default();
const FAINT: Style = Style::new().dimmed();
const BOLD: Style = Style::new().bold();

/// Where text is broken.
const WIDTH: usize = 100;
/// How far everything after the time is indented.
const INDENT: usize = 10;

/// The timeline of a rehearsal, as text with colours; whoever prints it takes them out where there is no
/// terminal.
pub fn timeline(rehearsal: &Rehearsal, played: &Played) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "{BOLD}{}{BOLD:#}", rehearsal.title);
    for line in wrapped(&rehearsal.story, WIDTH) {
        let _ = writeln!(out, "{FAINT}{line}{FAINT:#}");
    }
    let _ = writeln!(out);
    out.push_str(&told(played.began, &played.timeline, &played.acts));
    out
}

/// What happened, line by line.
pub fn story(began: Timestamp, timeline: &[Happening]) -> String {
    told(began, timeline, &[])
}

/// What happened, and what people did in between.
fn told(began: Timestamp, timeline: &[Happening], acts: &[Act]) -> String {
    let mut out = String::new();
    let in_chat = timeline.iter().any(|happening| matches!(happening.what, What::Chat { .. }));
    let mut shown = Shown { in_chat, ..Shown::default() };
    let mut from = 0;
    // An act is between two invocations.
    for act in acts {
        for happening in decisions_first(&timeline[from..act.after]) {
            happened(&mut out, began, happening, &mut shown);
        }
        from = act.after;
        chat::act(&mut out, began, act);
        shown.of_slack(&act.did);
    }
    for happening in decisions_first(&timeline[from..]) {
        happened(&mut out, began, happening, &mut shown);
    }
    out
}

/// What was printed last of what repeats itself.
#[derive(Default)]
struct Shown {
    minute: String,
    swept: Vec<String>,
    struck: Option<(Timestamp, String)>,
    /// There is chat, which shows what messages say: of those to the topic the titles are enough.
    in_chat: bool,
    /// Every call fails, which was said already.
    slack_is_down: bool,
    /// How each function failed since it last did not.
    failed: BTreeSet<(String, String)>,
    cards: chat::Cards,
}

impl Shown {
    fn of_slack(&mut self, did: &Did) {
        match did {
            Did::SlackWentDown => self.slack_is_down = true,
            Did::SlackCameUp => self.slack_is_down = false,
            Did::Pressed { .. } | Did::Typed { .. } | Did::AnsweredInConsole { .. } => {}
        }
    }
}

/// An invocation is over when everything that it did has happened; people want to read what it decided before
/// what it did. Its first call marks where it began: invocations come one after the other.
fn decisions_first(timeline: &[Happening]) -> Vec<&Happening> {
    let mut sorted: Vec<&Happening> = Vec::with_capacity(timeline.len());
    let mut first_call = None;
    for happening in timeline {
        match (&happening.what, first_call) {
            (What::Invoked { .. }, Some(position)) => {
                sorted.insert(position, happening);
                first_call = None;
                continue;
            }
            (What::ApiCall(_), None) => first_call = Some(sorted.len()),
            _ => {}
        }
        sorted.push(happening);
    }
    sorted
}

fn clock(began: Timestamp, at: Timestamp) -> String {
    let seconds = at.duration_since(began).as_secs();
    format!("{:>3}:{:02}", seconds / 60, seconds % 60)
}

fn line(out: &mut String, began: Timestamp, at: Timestamp, style: Style, sign: &str, text: &str) {
    let mut first = true;
    for part in wrapped(text, WIDTH - INDENT) {
        if first {
            let _ = writeln!(out, "{FAINT}{}{FAINT:#}  {style}{sign} {part}{style:#}", clock(began, at));
        } else {
            let _ = writeln!(out, "{:INDENT$}{style}{part}{style:#}", "");
        }
        first = false;
    }
}

fn happened(out: &mut String, began: Timestamp, happening: &Happening, shown: &mut Shown) {
    let at = happening.at;
    match &happening.what {
        What::Traffic { new_percent, error_rate, latency_p99_ms, requests, .. } => {
            let text = format!(
                "{} {new_percent:>3} % new   {requests:>7.0} requests   errors {:>5.2} %   p99 {latency_p99_ms:>5.0} ms",
                bar(*new_percent),
                error_rate * 100.0
            );
            // A minute like the last one tells nothing.
            if shown.minute != text {
                let _ = writeln!(out, "{FAINT}{}  · {text}{FAINT:#}", clock(began, at));
                shown.minute = text;
            }
        }
        What::Alarm { name, from, to, reason } => {
            let (style, sign) = match to {
                AlarmState::Alarm => (RED, "▲"),
                AlarmState::Ok => (GREEN, "▼"),
                AlarmState::InsufficientData => (YELLOW, "?"),
            };
            line(out, began, at, style, sign, &format!("alarm {name}: {} → {}", from.name(), to.name()));
            if *to == AlarmState::Alarm {
                indented(out, FAINT, reason);
            }
        }
        What::DeploymentEvent { id, state } => {
            let style = match state.as_str() {
                "FAILURE" | "STOP" => YELLOW,
                _ => BLUE,
            };
            line(out, began, at, style, "●", &format!("CodeDeploy: {id} {state}"));
        }
        What::PipelineEvent { pipeline, execution, stage, action, state } => {
            // An action's events say what its stage's and its deployment's say.
            if action.is_none() {
                let style = match state.as_str() {
                    "FAILED" | "STOPPING" | "STOPPED" | "SUPERSEDED" | "CANCELED" => YELLOW,
                    _ => BLUE,
                };
                let place = stage.as_ref().map_or_else(String::new, |stage| format!(", stage {stage}"));
                let short: String = execution.chars().take(8).collect();
                let text = format!("CodePipeline: {pipeline} {short}{place}: {state}");
                line(out, began, at, style, "◆", &text);
            }
        }
        What::LifecycleEvent { id, event, status } => {
            line(out, began, at, FAINT, "○", &format!("{id} {event}: {status}"));
        }
        What::Delivery { about, mishap, .. } => {
            let text = match mishap {
                Mishap::Lost => format!("the event {about} is lost"),
                Mishap::Doubled => format!("the event {about} comes twice"),
                Mishap::Late { by } => format!("the event {about} comes {} late", spoken(*by)),
            };
            line(out, began, at, YELLOW, "↯", &text);
        }
        // Its lifecycle event says it.
        What::HookCalled { .. } => {}
        What::Invoked { function, result, .. } => invoked(out, began, at, function, result, shown),
        What::ApiCall(call) => {
            if let Some(text) = struck(call)
                && !(shown.slack_is_down && call.service == Service::Slack)
                && shown.struck.as_ref() != Some(&(at, text.clone()))
            {
                shown.struck = Some((at, text.clone()));
                line(out, began, at, YELLOW, "↯", &text);
            }
            chat::told(out, (began, at), call);
            // The ledger's own writes are how, not what.
            if call.changed && matches!(call.service, Service::CodeDeploy | Service::CodePipeline) {
                let text = format!("Belay calls {} {}", call.operation, arguments(&call.input));
                line(out, began, at, BOLD, "⇒", &text);
            }
        }
        What::Message { body, .. } => message(out, began, at, body, shown.in_chat),
        What::Chat { service, act, place, name, body, .. } => {
            let seen = chat::Seen { service: *service, act: *act, place, name: name.as_deref(), body };
            chat::appeared(out, (began, at), &seen, &mut shown.cards);
        }
    }
}

/// What went wrong with a call.
fn struck(call: &Call) -> Option<String> {
    let what = match (call.killed, call.fault) {
        (Some(Killed::Before), _) => "killed before",
        (Some(Killed::After), _) => "killed right after",
        (None, Some(Fault::Throttle)) => "throttled at",
        (None, Some(Fault::InternalError)) => "a server error at",
        (None, Some(Fault::CutConnection)) => "cut off before",
        (None, Some(Fault::TimeoutAfterEffect)) => "cut off right after",
        (None, Some(Fault::Hang(_))) => "waits long for",
        (None, None) => return None,
    };
    Some(format!("{what} {}", call.operation))
}

fn invoked(
    out: &mut String,
    began: Timestamp,
    at: Timestamp,
    function: &str,
    result: &Result<String, String>,
    shown: &mut Shown,
) {
    match result {
        Err(error) => {
            // While a chat product is down, the sweep tries it in vain every minute.
            if shown.in_chat && !shown.failed.insert((function.to_owned(), error.clone())) {
                return;
            }
            let text = format!("{function} failed, and is called again later: {error}");
            line(out, began, at, YELLOW, "✗", &text);
        }
        Ok(answer) => {
            shown.failed.retain(|(other, _)| other != function);
            for decision in reported(answer) {
                // Every stage of a pipeline has events; those that nobody guards would drown the others.
                if decision
                    .reasons
                    .iter()
                    .any(|reason| reason.starts_with("No service in the policy is deployed by"))
                {
                    continue;
                }
                // Every minute the sweep finds again what nothing is done about.
                if function == "sweep" && decision.verdict == "Ignore" {
                    if shown.swept == decision.reasons {
                        continue;
                    }
                    shown.swept.clone_from(&decision.reasons);
                }
                let style = match decision.verdict.as_str() {
                    "RollBack" | "Halt" | "Failed" | "Ask" => RED,
                    "Succeeded" => GREEN,
                    _ => BOLD,
                };
                line(out, began, at, style, "◆", &format!("{function} decides: {}", decision.verdict));
                for reason in &decision.reasons {
                    indented(out, Style::new(), reason);
                }
                // What was done shows by itself; what was not done a second time does not.
                let twice = |done: &&String| {
                    !done.starts_with("told: ") && (done.contains("before") || done.contains("already"))
                };
                for done in decision.done.iter().filter(twice) {
                    indented(out, FAINT, done);
                }
            }
        }
    }
}

fn indented(out: &mut String, style: Style, text: &str) {
    for part in wrapped(text, WIDTH - INDENT) {
        let _ = writeln!(out, "{:INDENT$}{style}{part}{style:#}", "");
    }
}

/// A message as it appears in the channel.
fn message(out: &mut String, began: Timestamp, at: Timestamp, body: &str, title_only: bool) {
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    let content = &body["content"];
    let title = content["title"].as_str().unwrap_or("a message that cannot be read");
    if title_only {
        line(out, began, at, FAINT, "✉", &format!("to the topic: {}", unescaped(title)));
        return;
    }
    line(out, began, at, BLUE, "✉", &unescaped(title));
    let mut lines = Vec::new();
    for paragraph in content["description"].as_str().unwrap_or_default().lines() {
        // Addresses stay whole, so that they can be followed.
        if paragraph.contains("https://") {
            lines.push(unescaped(paragraph));
        } else {
            lines.extend(wrapped(&unescaped(paragraph), WIDTH - INDENT - 2));
        }
    }
    for step in content["nextSteps"].as_array().into_iter().flatten() {
        let step = format!("→ {}", unescaped(step.as_str().unwrap_or_default()));
        lines.extend(wrapped(&step, WIDTH - INDENT - 2));
    }
    for text in lines {
        let _ = writeln!(out, "{:INDENT$}{BLUE}│{BLUE:#} {text}", "");
    }
}

fn unescaped(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

/// The arguments that people recognise a call by.
fn arguments(input: &Value) -> String {
    let names = [
        "applicationName",
        "deploymentGroupName",
        "deploymentConfigName",
        "deploymentId",
        "autoRollbackEnabled",
        "status",
        "pipelineName",
        "stageName",
        "pipelineExecutionId",
        "targetPipelineExecutionId",
        "abandon",
        "reason",
    ];
    let shown = names.iter().filter_map(|name| {
        let value = input.get(name)?;
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        Some(format!("{name}={text}"))
    });
    format!("({})", shown.collect::<Vec<_>>().join(", "))
}

fn bar(percent: u32) -> String {
    let full = usize::try_from(percent.div_ceil(10)).unwrap_or(10).min(10);
    format!("{}{}", "█".repeat(full), "░".repeat(10 - full))
}

/// Breaks text at spaces; never empty.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let last = lines.last_mut().map_or(0, |line| line.chars().count());
        if last > 0 && last + 1 + word.chars().count() > width {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}

/// The verdict over the script's own expectations.
pub fn verdict(disappointments: &[String]) -> String {
    if disappointments.is_empty() {
        return format!("{GREEN}✓ everything the script expects came true{GREEN:#}");
    }
    let mut out = format!("{RED}✗ the script expects something else:{RED:#}");
    for disappointment in disappointments {
        let _ = write!(out, "\n  - {disappointment}");
    }
    out
}
