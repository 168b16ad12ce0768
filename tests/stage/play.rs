//! Plays a script: minute by minute, with Belay and, for the comparison, without.

use std::time::Duration;

use belay::policy::Policy;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::{
    Alarm, AlarmMetric, AlarmState, Behaviour, CompositeAlarm, DeliverySettings, Fault, Group, Happening,
    Health, Mute, Pipeline, Shifting as Shift, Simulator, Stage, Suppression, What, Workload,
    stage::{
        functions,
        script::{
            AutoRollback, EndpointScript, Event, PipelineChange, PlatformWord, Rehearsal, ReleaseScript,
            RevisionScript, Shifting, StageWork,
        },
    },
};

/// When every rehearsal begins: a night when nobody is looking.
pub const BEGINS: &str = "2026-03-05T03:00:00Z";

/// What came of a rehearsal.
#[derive(Clone, Debug)]
pub struct Played {
    /// When it began.
    pub began: Timestamp,
    /// Everything that happened, in order.
    pub timeline: Vec<Happening>,
    /// The last release that the script began: its deployment or its pipeline's execution.
    pub release: Option<String>,
    /// What AWS says of it in the end.
    pub status: String,
    /// Which revision gets the traffic in the end; two, if it is split.
    pub serves: String,
    /// Requests that went wrong for their users.
    pub failed: f64,
    /// All requests.
    pub requests: f64,
    /// Events that were given up after three deliveries.
    pub dead_letters: usize,
}

/// Plays `rehearsal` under `policy`. Without a policy Belay is not there: nobody is told, nobody undoes, and
/// CodeDeploy's hooks are not configured.
///
/// # Errors
/// When the script asks for something that cannot be played.
pub async fn play(rehearsal: &Rehearsal, policy: Option<&str>) -> Result<Played, String> {
    let began: Timestamp = BEGINS.parse().map_err(|error| format!("{error}"))?;
    let simulator = Simulator::start(began).await;
    set_up(&simulator, rehearsal, policy.is_some());
    if let Some(policy) = policy {
        let text = reroute(policy, &simulator, rehearsal);
        let policy = Policy::parse(&text).map_err(|mistakes| mistakes.to_string())?;
        functions::install(&simulator, policy);
    }
    let mut release = None;
    let mut workload = workload(rehearsal);
    for (at, moment) in moments(rehearsal) {
        simulator.advance_to(after(began, at)).await;
        let event = match moment {
            Moment::Happens(event) => event,
            Moment::OutageEnds => {
                simulator.clear_faults();
                continue;
            }
        };
        if let Some(revision) = &event.behaves {
            workload = workload.revision(&revision.revision, behaviour(revision));
            simulator.set_workload(&rehearsal.service.group, workload.clone());
        }
        if let Some(new) = &event.release {
            workload = workload.revision(&new.revision, behaviour(&new.behaviour()));
            simulator.set_workload(&rehearsal.service.group, workload.clone());
            release = Some(begin(&simulator, rehearsal, new)?);
        }
        happens(&simulator, rehearsal, event, began)?;
    }
    simulator.advance_to(after(began, rehearsal.lasts.0)).await;
    simulator.assert_all_modelled();
    let requests = simulator.requests(&rehearsal.service.group);
    let share = simulator.traffic(&rehearsal.service.group);
    Ok(Played {
        began,
        timeline: as_written(simulator.timeline(), &simulator.endpoint()),
        status: match (&release, &rehearsal.service.pipeline) {
            (None, _) => String::new(),
            (Some(id), None) => simulator.deployment(id).status.name().to_owned(),
            (Some(id), Some(_)) => simulator.pipeline_execution(id).status.name().to_owned(),
        },
        release,
        serves: match share.new_label {
            Some(label) if share.new_percent >= 100 => label,
            // A split that is left behind.
            Some(label) if share.new_percent > 0 => {
                format!("{}, and {label} at {} %", share.old_label, share.new_percent)
            }
            Some(_) | None => share.old_label,
        },
        failed: requests.failed,
        requests: requests.total,
        dead_letters: simulator.dead_letters().len(),
    })
}

/// What comes next in a script.
enum Moment<'a> {
    Happens(&'a Event),
    OutageEnds,
}

/// Everything that a script says will happen, in order.
fn moments(rehearsal: &Rehearsal) -> Vec<(Duration, Moment<'_>)> {
    let mut moments = Vec::new();
    for event in &rehearsal.script {
        moments.push((event.at.0, Moment::Happens(event)));
        if let Some(outage) = &event.outage {
            moments.push((event.at.0.saturating_add(outage.lasts.0), Moment::OutageEnds));
        }
    }
    moments.sort_by_key(|(at, _)| *at);
    moments
}

/// Begins a release, and says by which deployment or execution.
fn begin(simulator: &Simulator, rehearsal: &Rehearsal, new: &ReleaseScript) -> Result<String, String> {
    let service = &rehearsal.service;
    if let Some(pipeline) = &service.pipeline {
        if new.description.is_some() {
            return Err(format!("{}: an execution of a pipeline has no description", new.revision));
        }
        return Ok(simulator.start_pipeline(&pipeline.name, &new.revision));
    }
    simulator
        .start_described_deployment(
            &service.application,
            &service.group,
            &new.revision,
            "user",
            new.description.as_deref(),
        )
        .map_err(|error| format!("{} cannot begin: {error:?}", new.revision))
}

/// What happens to alarms, to AWS and to the pipeline.
fn happens(
    simulator: &Simulator,
    rehearsal: &Rehearsal,
    event: &Event,
    began: Timestamp,
) -> Result<(), String> {
    let now = simulator.now();
    if let Some(mute) = &event.mute {
        let (rule, end) = ("rehearsed".to_owned(), after(began, mute.until.0));
        simulator.mute(&mute.alarm, Some(Mute { rule, start: now, end }));
    }
    if let Some(alarm) = &event.suppress {
        simulator.suppress(alarm, Some(Suppression::Alarm));
    }
    if let Some(outage) = &event.outage {
        simulator.fault(&outage.of, Fault::InternalError, u32::MAX);
    }
    match (event.pipeline, &rehearsal.service.pipeline) {
        (None, _) => {}
        (Some(PipelineChange::Restructured), Some(pipeline)) => simulator.change_pipeline(&pipeline.name),
        (Some(PipelineChange::Restructured), None) => {
            return Err("the service has no `pipeline` that could be restructured".to_owned());
        }
    }
    if let Some(alarm) = &event.alarm {
        let to = match alarm.to.as_str() {
            "OK" => AlarmState::Ok,
            "ALARM" => AlarmState::Alarm,
            "INSUFFICIENT_DATA" => AlarmState::InsufficientData,
            other => {
                return Err(format!(
                    "found the alarm state `{other}`, expected OK, ALARM or INSUFFICIENT_DATA"
                ));
            }
        };
        simulator.set_alarm_state(&alarm.name, to, now);
    }
    Ok(())
}

fn after(began: Timestamp, span: Duration) -> Timestamp {
    SignedDuration::try_from(span).ok().and_then(|span| began.checked_add(span).ok()).unwrap_or(began)
}

fn milliseconds(span: Duration) -> f64 {
    span.as_secs_f64() * 1_000.0
}

fn behaviour(revision: &RevisionScript) -> Behaviour {
    Behaviour {
        error_rate: revision.errors.0,
        latency_p99_ms: milliseconds(revision.p99.0),
        ..Behaviour::HEALTHY
    }
}

fn workload(rehearsal: &Rehearsal) -> Workload {
    let service = &rehearsal.service;
    #[allow(clippy::cast_precision_loss, reason = "nobody scripts 2^52 requests a minute")]
    let workload =
        Workload::steady(service.requests_per_minute as f64).slow_above(milliseconds(service.slow_after.0));
    match &service.baseline {
        Some(baseline) => workload.revision(&baseline.revision, behaviour(baseline)),
        None => workload,
    }
}

fn set_up(simulator: &Simulator, rehearsal: &Rehearsal, guarded: bool) {
    let service = &rehearsal.service;
    let (application, name) = (&service.application, &service.group);
    let group = match service.platform {
        PlatformWord::Lambda => Group::lambda(application, name),
        PlatformWord::Ecs => Group::ecs(application, name),
        PlatformWord::Ec2 => Group::server(application, name),
    };
    let minutes = |every: Duration| u32::try_from(every.as_secs() / 60).unwrap_or(u32::MAX).max(1);
    let mut group = group.shifting(match service.shifting {
        Shifting::AllAtOnce => Shift::AllAtOnce,
        Shifting::Canary(percent, every) => {
            Shift::Canary { percent: percent.into(), minutes: minutes(every) }
        }
        Shifting::Linear(percent, every) => {
            Shift::Linear { percent: percent.into(), minutes: minutes(every) }
        }
    });
    group = match &service.baseline {
        Some(baseline) => group.baseline(&baseline.revision),
        None => group.first_deployment(),
    };
    if !service.own_alarms.is_empty() {
        let names: Vec<&str> = service.own_alarms.iter().map(String::as_str).collect();
        group = group.alarms(&names);
    }
    let events: Vec<&str> = service
        .auto_rollback
        .iter()
        .map(|when| match when {
            AutoRollback::Failure => "DEPLOYMENT_FAILURE",
            AutoRollback::Alarm => "DEPLOYMENT_STOP_ON_ALARM",
            AutoRollback::Request => "DEPLOYMENT_STOP_ON_REQUEST",
        })
        .collect();
    if !events.is_empty() {
        group = group.auto_rollback(&events);
    }
    if guarded {
        for event in &service.hooks {
            if event == "AfterAllowTestTraffic" {
                group = group.test_listener();
            }
            group = group.hook(event, "CodeDeployHook_belay");
        }
    }
    simulator.create_group(group);
    simulator.set_workload(name, workload(rehearsal));
    if let Some(script) = &service.pipeline {
        let pipeline = script.stages.iter().fold(Pipeline::v2(&script.name), |pipeline, stage| {
            let seconds = u32::try_from(stage.takes.0.as_secs()).unwrap_or(u32::MAX);
            pipeline.stage(match stage.does {
                StageWork::Source => Stage::source(&stage.name),
                StageWork::Build => Stage::build(&stage.name, seconds),
                StageWork::Deploy => {
                    Stage::deploy_for(&stage.name, seconds).with(|action| action.serving(name))
                }
                StageWork::CodeDeploy => Stage::deploy(&stage.name, application, name),
            })
        });
        simulator.create_pipeline(pipeline);
    }
    for (alarm, script) in &rehearsal.alarms {
        if let Some(rule) = &script.composite {
            simulator.create_composite(CompositeAlarm::new(alarm, rule));
            continue;
        }
        let made = match (script.errors_above, script.p99_above) {
            (Some(share), _) => Alarm::new(alarm, AlarmMetric::ErrorRate, name, share.0),
            (None, Some(span)) => Alarm::new(alarm, AlarmMetric::LatencyP99, name, milliseconds(span.0)),
            (None, None) => Alarm::scripted(alarm),
        };
        let made = made.datapoints(script.bad, script.of);
        let made = if script.red { made.initially(AlarmState::Alarm) } else { made };
        simulator.create_alarm(made);
    }
    simulator.set_delivery(DeliverySettings {
        duplicates: rehearsal.delivery.duplicates,
        delay: rehearsal.delivery.late_by.0,
        shuffle: rehearsal.delivery.shuffled,
        lose: rehearsal.delivery.lost.0,
        seed: rehearsal.delivery.seed,
    });
}

/// A rehearsal must not call anybody's real endpoints: every address in the policy becomes one of the
/// simulator's, which behaves as the script says, or well.
fn reroute(policy: &str, simulator: &Simulator, rehearsal: &Rehearsal) -> String {
    let mut text = String::with_capacity(policy.len());
    let mut rest = policy;
    while let Some(start) = rest
        .find("http://")
        .or_else(|| rest.find("https://"))
        .map(|first| rest.find("https://").map_or(first, |second| first.min(second)))
    {
        let (before, from) = rest.split_at(start);
        let end = from.find(|c: char| c.is_whitespace() || "\"',}]".contains(c)).unwrap_or(from.len());
        let (url, after) = from.split_at(end);
        let host = url.split("//").nth(1).and_then(|rest| rest.split(['/', '?']).next()).unwrap_or_default();
        let script = rehearsal.endpoints.get(host).copied().unwrap_or(EndpointScript::Well);
        simulator.health_endpoint(
            host,
            match script {
                EndpointScript::Well => Health::Status(200),
                EndpointScript::Failing => Health::Status(503),
                EndpointScript::Hangs => Health::Hang,
            },
        );
        text.push_str(before);
        text.push_str(&format!("{}/health/{host}", simulator.endpoint()));
        rest = after;
    }
    text.push_str(rest);
    text
}

/// Addresses as the policy has them, where people read them.
pub(super) fn as_written(timeline: Vec<Happening>, endpoint: &str) -> Vec<Happening> {
    let health = format!("{endpoint}/health/");
    let restore = |text: String| text.replace(&health, "https://");
    timeline
        .into_iter()
        .map(|Happening { at, what }| {
            let what = match what {
                What::Invoked { number, id, attempt, function, payload, result } => {
                    let result = result.map(restore).map_err(restore);
                    What::Invoked { number, id, attempt, function, payload, result }
                }
                What::Message { subject, body } => What::Message { subject, body: restore(body) },
                other => other,
            };
            Happening { at, what }
        })
        .collect()
}

/// One decision that a function reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reported {
    /// In the field's word.
    pub verdict: String,
    /// As sentences.
    pub reasons: Vec<String>,
    /// What was done, as sentences.
    pub done: Vec<String>,
}

/// The decisions in what a function returned.
pub fn reported(answer: &str) -> Vec<Reported> {
    let sentences = |value: &Value| -> Vec<String> {
        value.as_array().into_iter().flatten().filter_map(|text| text.as_str().map(str::to_owned)).collect()
    };
    let answer: Value = serde_json::from_str(answer).unwrap_or_default();
    answer["outcomes"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|outcome| Reported {
            verdict: outcome["verdict"].as_str().unwrap_or_default().to_owned(),
            reasons: sentences(&outcome["reasons"]),
            done: sentences(&outcome["done"]),
        })
        .collect()
}

impl Played {
    /// Every decision, with when it was made.
    pub fn decisions(&self) -> Vec<(Timestamp, Reported)> {
        self.timeline
            .iter()
            .filter_map(|happening| match &happening.what {
                What::Invoked { result: Ok(answer), .. } => Some((happening.at, reported(answer))),
                _ => None,
            })
            .flat_map(|(at, all)| all.into_iter().map(move |one| (at, one)))
            .collect()
    }

    /// Every message's title and text, with when it was sent.
    pub fn messages(&self) -> Vec<(Timestamp, String, String)> {
        self.timeline
            .iter()
            .filter_map(|happening| match &happening.what {
                What::Message { body, .. } => {
                    let body: Value = serde_json::from_str(body).unwrap_or_default();
                    let content = &body["content"];
                    let mut text = content["description"].as_str().unwrap_or_default().to_owned();
                    for step in content["nextSteps"].as_array().into_iter().flatten() {
                        text.push_str("\n→ ");
                        text.push_str(step.as_str().unwrap_or_default());
                    }
                    let title = content["title"].as_str().unwrap_or_default().to_owned();
                    Some((happening.at, title, text))
                }
                _ => None,
            })
            .collect()
    }

    /// When Belay called one of these operations.
    fn called(&self, operations: &[&str]) -> Vec<Timestamp> {
        self.timeline
            .iter()
            .filter_map(|happening| match &happening.what {
                What::ApiCall(call) if operations.contains(&call.operation.as_str()) => Some(happening.at),
                _ => None,
            })
            .collect()
    }

    /// When Belay took something back or stopped it.
    pub fn undos(&self) -> Vec<Timestamp> {
        self.called(&["StopDeployment", "CreateDeployment", "RollbackStage", "StopPipelineExecution"])
    }

    /// How long after an alarm Belay first undid something.
    pub fn undone_after(&self) -> Option<SignedDuration> {
        let undo = *self.undos().first()?;
        let alarms = self.timeline.iter().filter_map(|happening| match &happening.what {
            What::Alarm { to: AlarmState::Alarm, .. } if happening.at <= undo => Some(happening.at),
            _ => None,
        });
        Some(undo.duration_since(alarms.max()?))
    }

    /// What did not come true of what the script expects.
    pub fn disappointments(&self, rehearsal: &Rehearsal) -> Vec<String> {
        let expect = &rehearsal.expect;
        let mut wrong = Vec::new();
        if self.status != expect.release {
            wrong.push(format!("the release is {}, expected {}", self.status, expect.release));
        }
        if self.serves != expect.serves {
            wrong.push(format!("{} gets the traffic, expected {}", self.serves, expect.serves));
        }
        for (operation, expected) in [
            ("StopDeployment", expect.undos),
            ("CreateDeployment", expect.creates),
            ("RollbackStage", expect.stage_rollbacks),
            ("StopPipelineExecution", expect.pipeline_stops),
        ] {
            let times = self.called(&[operation]).len();
            if times != expected {
                wrong.push(format!("{times} calls of {operation}, expected {expected}"));
            }
        }
        let reached: Vec<String> = self.decisions().into_iter().map(|(_, one)| one.verdict).collect();
        for verdict in &expect.verdicts {
            if !reached.contains(verdict) {
                wrong.push(format!("nobody decided {verdict}; decided was {}", reached.join(", ")));
            }
        }
        let messages = self.messages();
        let says = |sentence: &String| {
            messages.iter().any(|(_, title, text)| title.contains(sentence) || text.contains(sentence))
        };
        for sentence in &expect.told {
            if !says(sentence) {
                wrong.push(format!("no message says “{sentence}”"));
            }
        }
        for sentence in &expect.not_told {
            if says(sentence) {
                wrong.push(format!("a message says “{sentence}”"));
            }
        }
        if let Some(count) = expect.messages
            && count != messages.len()
        {
            wrong.push(format!("{} messages, expected {count}", messages.len()));
        }
        if let Some(within) = expect.undone_within {
            match self.undone_after() {
                None => wrong.push("nothing was undone".to_owned()),
                Some(took) if took > SignedDuration::try_from(within.0).unwrap_or(SignedDuration::MAX) => {
                    wrong.push(format!("undone {took:#} after the alarm, expected {:?}", within.0));
                }
                Some(_) => {}
            }
        }
        if self.dead_letters != expect.given_up {
            wrong.push(format!(
                "{} deliveries were given up, expected {}",
                self.dead_letters, expect.given_up
            ));
        }
        wrong
    }
}
