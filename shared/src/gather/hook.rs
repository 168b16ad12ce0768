//! What is known when a lifecycle hook was called: who calls, and what the checks find.

use std::{pin::Pin, time::Duration};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::{task::JoinSet, time::Sleep};

use crate::{
    aws::{Adapters, endpoint::NoStatus},
    evidence::{CheckResult, Finding, Observed},
    gather::release::alarms,
    policy::{Check, HttpCheck, Missing, Service},
    release::{LifecycleEvent, Release},
    signal::{AlarmState, HookCall},
};

/// A check that could not be measured so many times in a row is given up, and so is looking for who called.
pub const CONSECUTIVE_ERRORS: u32 = 4;

/// Which deployment called, and which of its lifecycle events waits: the call names neither. What CodeDeploy does not say
/// is asked again after `retry_every`, like a check: there is time, and whoever calls may be on the way back. `learnt` is
/// told which deployment it is as soon as that is known, and says whether the event matters.
pub async fn caller(
    adapters: &Adapters,
    call: &HookCall,
    learnt: impl Fn(&Release) -> bool,
    retry_every: Duration,
    now: Timestamp,
) -> (Observed<Release>, Observed<LifecycleEvent>) {
    let mut known: Option<Observed<Release>> = None;
    let mut looks = 0;
    loop {
        let (deployment, event) = look(adapters, call, now).await;
        // What was learnt stays known, also if the next look, which is for the event's sake, does not get through.
        let deployment = known.take().unwrap_or(deployment);
        looks += 1;
        let enough = match deployment.known() {
            Ok(deployment) => !learnt(deployment) || event.known().is_ok(),
            Err(_) => false,
        };
        if enough || looks >= CONSECUTIVE_ERRORS {
            return (deployment, event);
        }
        known = deployment.known().is_ok().then_some(deployment);
        tokio::time::sleep(retry_every).await;
    }
}

async fn look(
    adapters: &Adapters,
    call: &HookCall,
    now: Timestamp,
) -> (Observed<Release>, Observed<LifecycleEvent>) {
    let (deployment, target) = tokio::join!(
        adapters.codedeploy.deployment(&call.deployment),
        adapters.codedeploy.target(&call.deployment),
    );
    let event = match target {
        Ok(state) => match state.in_progress {
            Some(value) => Observed::Known { value, at: now },
            None => {
                Observed::Missing { why: format!("{} has no lifecycle event in progress", call.deployment) }
            }
        },
        Err(error) => Observed::Missing { why: error.to_string() },
    };
    (Observed::from_result(deployment, now), event)
}

/// Runs the checks of one lifecycle event side by side, in tasks of their own: one that hangs or panics takes
/// nothing from the others. The results are in the policy's order.
///
/// At `deadline`, a check that is not done has not measured anything. What could not be measured is tried again
/// after `retry_every`. Approvals are left out: they are asked for once everything else has passed.
pub async fn run(
    adapters: &Adapters,
    service: &Service,
    checks: &[Check],
    deployment: &Release,
    retry_every: Duration,
    mut deadline: Pin<&mut Sleep>,
    now: Timestamp,
) -> Vec<CheckResult> {
    let checks: Vec<&Check> =
        checks.iter().filter(|check| !matches!(check, Check::Approval { .. })).collect();
    let mut tasks = JoinSet::new();
    for (position, check) in checks.iter().copied().enumerate() {
        let (adapters, service) = (adapters.clone(), service.clone());
        let (check, deployment) = (check.clone(), deployment.clone());
        tasks.spawn(async move {
            let finding = measure(&adapters, &service, &check, &deployment, retry_every, now).await;
            (position, finding)
        });
    }
    let mut findings: Vec<Option<Finding>> = vec![None; checks.len()];
    let mut why_not = "Belay's own program failed while it ran";
    loop {
        tokio::select! {
            joined = tasks.join_next() => match joined {
                None => break,
                Some(Ok((position, finding))) => findings[position] = Some(finding),
                // A task that panicked does not say which it was: its place stays empty, and is filled below.
                Some(Err(_)) => {}
            },
            () = deadline.as_mut() => {
                why_not = "it was not done when the function's time was nearly up";
                break;
            }
        }
    }
    let names = checks.iter().copied().map(name);
    names
        .zip(findings)
        .map(|(check, finding)| CheckResult {
            check,
            finding: finding.unwrap_or_else(|| Finding::Error { why: why_not.to_owned() }),
        })
        .collect()
}

/// A check in a few words. The address is shown without its query, which may hold a secret.
fn name(check: &Check) -> String {
    match check {
        Check::Http(http) => format!("GET {}", without_query(&http.url)),
        Check::AlarmsQuiet => "watched alarms are quiet".to_owned(),
        Check::Approval { .. } => "somebody approves".to_owned(),
        Check::Lambda { function, .. } => format!("function {function}"),
    }
}

fn without_query(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or(url)
}

async fn measure(
    adapters: &Adapters,
    service: &Service,
    check: &Check,
    deployment: &Release,
    retry_every: Duration,
    now: Timestamp,
) -> Finding {
    match check {
        Check::Http(http) => endpoint(adapters, http, retry_every).await,
        Check::AlarmsQuiet => quiet(adapters, service, deployment, retry_every, now).await,
        Check::Lambda { function, within } => {
            asked(adapters, function, *within, &question(service, deployment), retry_every).await
        }
        // Left out by `run`: a person is no measurement.
        Check::Approval { .. } => Finding::Error { why: "a person has to be asked".to_owned() },
    }
}

/// What a function is told when it is asked how a release is doing.
#[derive(Serialize)]
struct Question<'a> {
    service: &'a str,
    deployment: &'a str,
    application: Option<&'a str>,
    deployment_group: Option<&'a str>,
}

fn question(service: &Service, deployment: &Release) -> String {
    let group = deployment.group();
    let question = Question {
        service: service.name.as_str(),
        deployment: deployment.id.as_str(),
        application: group.map(|group| group.application.as_str()),
        deployment_group: group.map(|group| group.group.as_str()),
    };
    serde_json::to_string(&question).unwrap_or_else(|_| "{}".to_owned())
}

/// What it answers: `{"pass": true | false | null, "why": "…"}`. No word for `pass` means that it looked and cannot
/// tell.
#[derive(Deserialize)]
struct Answer {
    pass: Option<bool>,
    why: Option<String>,
}

/// Asks a function. One that fails, is throttled or does not answer in time has measured nothing, and is asked again.
async fn asked(
    adapters: &Adapters,
    function: &str,
    within: Duration,
    question: &str,
    retry_every: Duration,
) -> Finding {
    let mut errors = 0;
    loop {
        let why = match adapters.lambda.invoke(function, question.as_bytes(), within).await {
            Ok(answer) => return read(&answer),
            Err(error) => error.to_string(),
        };
        errors += 1;
        if errors >= CONSECUTIVE_ERRORS {
            return Finding::Error { why: format!("{errors} times in a row: {why}") };
        }
        tokio::time::sleep(retry_every).await;
    }
}

fn read(answer: &[u8]) -> Finding {
    let said = |why: Option<String>| {
        let why = why.map(|why| why.chars().take(500).collect::<String>());
        why.filter(|why| !why.is_empty()).unwrap_or_else(|| "it gave no reason".to_owned())
    };
    match serde_json::from_slice(answer) {
        Ok(Answer { pass: Some(true), why }) => Finding::Pass { saw: said(why) },
        Ok(Answer { pass: Some(false), why }) => Finding::Fail { saw: said(why) },
        Ok(Answer { pass: None, why: Some(why) }) => Finding::Inconclusive { why: said(Some(why)) },
        Ok(Answer { pass: None, why: None }) | Err(_) => Finding::Inconclusive {
            why: "its answer is not of the form {\"pass\": true, \"why\": \"…\"}".to_owned(),
        },
    }
}

/// Requests one after the other, until more have failed than may.
async fn endpoint(adapters: &Adapters, check: &HttpCheck, retry_every: Duration) -> Finding {
    let mut failures = Vec::new();
    let mut made = 0;
    while made < check.requests {
        let mut errors = 0;
        let status = loop {
            match adapters.endpoint.status(&check.url, check.within).await {
                Err(NoStatus::NotMeasured(why)) => {
                    errors += 1;
                    if errors >= CONSECUTIVE_ERRORS {
                        return Finding::Error { why: format!("{errors} times in a row: {why}") };
                    }
                    tokio::time::sleep(retry_every).await;
                }
                measured => break measured,
            }
        };
        made += 1;
        match status {
            Ok(status) if status == check.status => {}
            Ok(status) => failures.push(format!("answered {status} and not {}", check.status)),
            Err(NoStatus::TooSlow) => {
                failures.push(format!("did not answer within {}", spoken(check.within)));
            }
            Err(NoStatus::NotMeasured(_)) => {}
        }
        if u32::try_from(failures.len()).unwrap_or(u32::MAX) > check.failures {
            let last = failures.last().map_or("failed", String::as_str);
            return Finding::Fail {
                saw: format!(
                    "{} of {made} requests failed ({} may); the last one {last}",
                    failures.len(),
                    check.failures
                ),
            };
        }
    }
    Finding::Pass {
        saw: format!(
            "{} of {made} requests answered {} within {}",
            made - u32::try_from(failures.len()).unwrap_or(made),
            check.status,
            spoken(check.within)
        ),
    }
}

/// No watched alarm may be in ALARM, but for those that were before the deployment began.
async fn quiet(
    adapters: &Adapters,
    service: &Service,
    deployment: &Release,
    retry_every: Duration,
    now: Timestamp,
) -> Finding {
    let mut errors = 0;
    let alarms = loop {
        match alarms(adapters, service, now).await {
            Ok(alarms) => break alarms,
            Err(error) => {
                errors += 1;
                if errors >= CONSECUTIVE_ERRORS {
                    return Finding::Error { why: format!("{errors} times in a row: {error}") };
                }
                tokio::time::sleep(retry_every).await;
            }
        }
    };
    if alarms.is_empty() {
        return Finding::Inconclusive { why: "the policy's patterns match no alarm".to_owned() };
    }
    let mut red = Vec::new();
    let mut unread = Vec::new();
    let mut red_before = 0;
    let mut without_data = 0;
    for (alarm, watched) in &alarms {
        match watched.state.known() {
            Ok(AlarmState::Alarm) => match watched.since {
                Some(since) if since <= deployment.created_at => red_before += 1,
                Some(_) => red.push(alarm.to_string()),
                None => unread.push(format!("{alarm}: CloudWatch does not say since when it is in ALARM")),
            },
            Ok(AlarmState::InsufficientData) => match service.watched(alarm).map(|watched| watched.missing) {
                Some(Missing::Alarm) => red.push(format!("{alarm} (INSUFFICIENT_DATA)")),
                Some(Missing::Ignore) | None => without_data += 1,
            },
            Ok(AlarmState::Ok) => {}
            Err(why) => unread.push(format!("{alarm}: {why}")),
        }
    }
    if !red.is_empty() {
        return Finding::Fail { saw: format!("in ALARM since the deployment began: {}", red.join(", ")) };
    }
    if !unread.is_empty() {
        return Finding::Error { why: unread.join("; ") };
    }
    // One that was red before says nothing about this release either.
    if without_data + red_before == alarms.len() {
        let why = match red_before {
            0 => format!("none of the {without_data} alarms has data"),
            _ => {
                format!("{red_before} of the {} alarms went off before, and no other has data", alarms.len())
            }
        };
        return Finding::Inconclusive { why };
    }
    let without_data = match without_data {
        0 => String::new(),
        count => format!("; {count} without data"),
    };
    let before = match red_before {
        0 => String::new(),
        count => format!(", not counting {count} that went off before"),
    };
    Finding::Pass { saw: format!("none of {} in ALARM{before}{without_data}", alarms.len()) }
}

fn spoken(duration: Duration) -> String {
    humantime::format_duration(duration).to_string()
}
