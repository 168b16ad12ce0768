//! What a script finds when it begins: the service, its users, its pipeline, its alarms.

use std::time::Duration;

use serde_json::json;

use crate::{
    Action, Alarm, AlarmMetric, AlarmState, Behaviour, CompositeAlarm, DeliverySettings, ExecutionMode,
    Group, Health, Invoked, Pipeline, Shifting as Shift, Simulator, Stage, Workload,
    stage::{
        functions::APPROVALS,
        script::{
            AutoRollback, EndpointScript, ModeWord, PlatformWord, Rehearsal, RevisionScript, Shifting,
            StageWork,
        },
    },
};

fn milliseconds(span: Duration) -> f64 {
    span.as_secs_f64() * 1_000.0
}

pub(super) fn behaviour(revision: &RevisionScript) -> Behaviour {
    Behaviour {
        error_rate: revision.errors.0,
        latency_p99_ms: milliseconds(revision.p99.0),
        ..Behaviour::HEALTHY
    }
}

pub(super) fn workload(rehearsal: &Rehearsal) -> Workload {
    let service = &rehearsal.service;
    #[allow(clippy::cast_precision_loss, reason = "nobody scripts 2^52 requests a minute")]
    let workload =
        Workload::steady(service.requests_per_minute as f64).slow_above(milliseconds(service.slow_after.0));
    match &service.baseline {
        Some(baseline) => workload.revision(&baseline.revision, behaviour(baseline)),
        None => workload,
    }
}

pub(super) fn set_up(simulator: &Simulator, rehearsal: &Rehearsal, guarded: bool) {
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
        let mode = match script.mode {
            ModeWord::Superseded => ExecutionMode::Superseded,
            ModeWord::Queued => ExecutionMode::Queued,
            ModeWord::Parallel => ExecutionMode::Parallel,
        };
        let pipeline = Pipeline::v2(&script.name).mode(mode);
        let pipeline = script.stages.iter().fold(pipeline, |pipeline, stage| {
            let seconds = u32::try_from(stage.takes.0.as_secs()).unwrap_or(u32::MAX);
            let scripted = |action: Action| {
                let action = stage
                    .configuration
                    .iter()
                    .fold(action, |action, (name, value)| action.configured(name, value));
                let action =
                    stage.finds.iter().fold(action, |action, (name, value)| action.finding(name, value));
                // Without Belay nobody has such a topic.
                if stage.notifies && guarded { action.notifying(APPROVALS) } else { action }
            };
            let declared = match stage.does {
                StageWork::Source => Stage::source(&stage.name),
                StageWork::Connection => Stage::connection(&stage.name),
                StageWork::Build => Stage::build(&stage.name, seconds),
                StageWork::Deploy => {
                    Stage::deploy_for(&stage.name, seconds).with(|action| action.serving(name))
                }
                StageWork::CodeDeploy => Stage::deploy(&stage.name, application, name),
                StageWork::Approval => Stage::approval(&stage.name),
            };
            pipeline.stage(declared.with(scripted))
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
    for (function, script) in &rehearsal.functions {
        let answer = json!({ "pass": script.pass, "why": script.why });
        simulator.answer_invocations(function, Invoked::Answer(answer));
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
pub(super) fn reroute(policy: &str, simulator: &Simulator, rehearsal: &Rehearsal) -> String {
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
