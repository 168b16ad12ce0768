//! `hooks`: what is checked when CodeDeploy calls a lifecycle hook.

use std::{collections::BTreeMap, time::Duration};

use super::{
    path::Path,
    reading::{Reading, listed, nearest},
};
use crate::{
    release::LifecycleEvent,
    yaml::{Node, Value},
};

/// One check of a hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Check {
    /// An endpoint answers well.
    Http(HttpCheck),
    /// No watched alarm is in ALARM that was not before the release.
    AlarmsQuiet,
    /// A person approves.
    Approval {
        /// How long to wait for an answer.
        within: Duration,
        /// What silence means.
        otherwise: ApprovalOtherwise,
    },
    /// A Lambda function says so.
    Lambda {
        /// Its name.
        function: String,
        /// How long it may take.
        within: Duration,
    },
}

/// What silence means to a hook that waits for a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApprovalOtherwise {
    /// The deployment fails.
    Fail,
    /// It goes on.
    Succeed,
}

/// An endpoint that has to answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpCheck {
    /// Its address.
    pub url: String,
    /// The status that is good; 200 if not written.
    pub status: u16,
    /// How long one request may take.
    pub within: Duration,
    /// How many requests are made; 1 if not written.
    pub requests: u32,
    /// How many of them may fail; 0 if not written.
    pub failures: u32,
}

/// The lifecycle events at which CodeDeploy can call a function: Lambda has the last and the first but two, ECS
/// all (CodeDeploy User Guide, "AppSpec hooks section").
const EVENTS: &[&str] =
    &["BeforeInstall", "AfterInstall", "AfterAllowTestTraffic", "BeforeAllowTraffic", "AfterAllowTraffic"];

/// CodeDeploy waits for a hook's answer for an hour. What silence means is answered by the sweep, within its minute.
const LONGEST_APPROVAL: Duration = Duration::from_mins(55);

pub(super) fn read(
    reading: &mut Reading,
    node: &Node,
    path: &Path<'_>,
) -> BTreeMap<LifecycleEvent, Vec<Check>> {
    let mut hooks = BTreeMap::new();
    for (key, event, value) in
        reading.pairs(node, path, || "a mapping of lifecycle events to checks".to_owned())
    {
        let path = path.to(event);
        if !EVENTS.contains(&event) {
            let said = match nearest(event, EVENTS) {
                Some(meant) => format!("there is no such lifecycle event; did you mean `{meant}`?"),
                None => {
                    format!("CodeDeploy calls no function at this event; known: {}", listed(EVENTS, "and"))
                }
            };
            reading.wrong(key.line, &path, said);
        }
        let items = reading.list(value, &path, || "a list of checks such as `- alarms: quiet`".to_owned());
        if matches!(value.value, Value::List(_)) && items.is_empty() {
            reading.wrong(value.line, &path, "has no checks: a hook that checks nothing is a mistake");
        }
        let checks = items
            .iter()
            .enumerate()
            .filter_map(|(position, item)| check(reading, item, &path.at(position)))
            .collect();
        hooks.insert(LifecycleEvent::from(event), checks);
    }
    hooks
}

fn check(reading: &mut Reading, node: &Node, path: &Path<'_>) -> Option<Check> {
    let kinds = ["http", "alarms", "approval", "lambda"];
    let fields = reading.fields(node, path, &kinds);
    let written: Vec<&str> = kinds.into_iter().filter(|kind| fields.get(kind).is_some()).collect();
    let [kind] = written[..] else {
        if matches!(node.value, Value::Mapping(_)) {
            let said = match written.len() {
                0 => format!("needs one of {}", listed(&kinds, "or")),
                _ => format!("has {}: write one list entry each", listed(&written, "and")),
            };
            reading.wrong(node.line, path, said);
        }
        return None;
    };
    let node = fields.get(kind)?;
    let path = fields.path(kind);
    match kind {
        "http" => http(reading, node, &path).map(Check::Http),
        "alarms" => reading
            .word(node, &path, &[("quiet", Check::AlarmsQuiet)].map(|(word, _)| (word, ())))
            .map(|()| Check::AlarmsQuiet),
        "approval" => approval(reading, node, &path),
        _ => lambda(reading, node, &path),
    }
}

fn http(reading: &mut Reading, node: &Node, path: &Path<'_>) -> Option<HttpCheck> {
    let fields = reading.fields(node, path, &["url", "status", "within", "requests", "failures"]);
    let url = reading.required(&fields, "url", "\"https://checkout.example.com/healthz\"");
    let url = url.and_then(|node| address(reading, node, &fields.path("url")));
    let within = reading.required(&fields, "within", "500ms");
    let within = within.and_then(|node| reading.duration(node, &fields.path("within"), "500ms"));
    let mut number = |name: &str, default: u32, range| match fields.get(name) {
        None => Some(default),
        Some(node) => reading.number(node, &fields.path(name), range),
    };
    let status = number("status", 200, 100..=599);
    let requests = number("requests", 1, 1..=1_000);
    let failures = number("failures", 0, 0..=999);
    if let (Some(requests), Some(failures)) = (requests, failures)
        && failures >= requests
    {
        let line = fields.get("failures").map_or(node.line, |node| node.line);
        let said = format!("{failures} of {requests} requests may fail: the check could never fail");
        reading.wrong(line, &fields.path("failures"), said);
    }
    Some(HttpCheck {
        url: url?,
        status: u16::try_from(status?).ok()?,
        within: within?,
        requests: requests?,
        failures: failures?,
    })
}

fn address(reading: &mut Reading, node: &Node, path: &Path<'_>) -> Option<String> {
    let url = reading.text(node, path, "an address", 2_048)?;
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let host = rest.map(|rest| rest.split(['/', '?', '#']).next().unwrap_or_default());
    match host {
        Some(host) if !host.is_empty() && !url.chars().any(|c| c.is_whitespace() || c.is_control()) => {
            if host.contains('@') {
                reading.wrong(node.line, path, "holds a password: a policy is no place for secrets");
                return None;
            }
            Some(url)
        }
        Some(_) | None => {
            let said = format!(
                "found {}, expected an address such as `https://checkout.example.com/healthz`",
                node.shown()
            );
            reading.wrong(node.line, path, said);
            None
        }
    }
}

fn approval(reading: &mut Reading, node: &Node, path: &Path<'_>) -> Option<Check> {
    let fields = reading.fields(node, path, &["within", "otherwise"]);
    let within = reading.required(&fields, "within", "45m");
    let within = within.and_then(|node| {
        let within = reading.duration(node, &fields.path("within"), "45m")?;
        if within > LONGEST_APPROVAL {
            let said = "CodeDeploy waits for an hour only, and some minutes of it are needed to answer: at most `55m`";
            reading.wrong(node.line, &fields.path("within"), said);
            return None;
        }
        Some(within)
    });
    let otherwise = reading.required(&fields, "otherwise", "fail");
    let words = [("fail", ApprovalOtherwise::Fail), ("succeed", ApprovalOtherwise::Succeed)];
    let otherwise = otherwise.and_then(|node| reading.word(node, &fields.path("otherwise"), &words));
    Some(Check::Approval { within: within?, otherwise: otherwise? })
}

fn lambda(reading: &mut Reading, node: &Node, path: &Path<'_>) -> Option<Check> {
    let fields = reading.fields(node, path, &["function", "within"]);
    let function = reading.required(&fields, "function", "checkout-smoke");
    let function =
        function.and_then(|node| reading.text(node, &fields.path("function"), "a function's name", 170));
    let within = reading.required(&fields, "within", "30s");
    let within = within.and_then(|node| reading.duration(node, &fields.path("within"), "30s"));
    Some(Check::Lambda { function: function?, within: within? })
}
