//! What a seed stands for: services, their releases and alarms, and how hard it storms.

use std::time::Duration;

use crate::{AlarmState, Behaviour, Group, Shifting, Storm, chance::Chance};

/// A story, drawn.
#[derive(Clone, Debug)]
pub struct Drawn {
    /// One or two.
    pub services: Vec<DrawnService>,
    /// What goes wrong.
    pub storm: Storm,
    /// Minutes of storm.
    pub lasts: u64,
    /// Minutes after which an old alarm event comes again.
    pub replays: Option<u64>,
    /// CodeDeploy accepts stops and carries them out later.
    pub stops_later: bool,
}

/// A service in one deployment group, which bears its name.
#[derive(Clone, Debug)]
pub struct DrawnService {
    /// Its name, its application's and its group's.
    pub name: &'static str,
    /// Where and how it is deployed.
    pub group: Group,
    /// What the policy watches.
    pub alarms: Vec<DrawnAlarm>,
    /// The lifecycle events with a hook.
    pub hooks: Vec<&'static str>,
    /// What its health endpoint answers.
    pub health: u16,
    /// What is released, and when.
    pub releases: Vec<DrawnRelease>,
    /// What a script does to its probe's alarm: seconds, state.
    pub probe: Vec<(u64, AlarmState)>,
    /// The policy only observes it.
    pub observed: bool,
    /// Minutes for which a finished release is watched.
    pub watched: u64,
    /// Minutes after which silence answers a question, and the policy's word for what it says.
    pub ask: (u64, &'static str),
}

/// An alarm.
#[derive(Clone, Debug)]
pub struct DrawnAlarm {
    /// Its name.
    pub name: String,
    /// What it watches.
    pub watches: Watches,
    /// The policy's word.
    pub rule: &'static str,
    /// In ALARM before anything happens.
    pub red: bool,
}

/// What an alarm watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watches {
    /// Server errors.
    Errors,
    /// Slow answers.
    Latency,
    /// Nothing that is modelled: a script moves it.
    Script,
}

/// A revision, and when it is released.
#[derive(Clone, Debug)]
pub struct DrawnRelease {
    /// Seconds after the beginning.
    pub at: u64,
    /// Such as v42.
    pub label: String,
    /// How it does.
    pub behaves: Behaviour,
}

/// Draws a story. The same seed draws the same one for ever, as long as nothing is drawn in between.
pub fn draw(seed: u64) -> Drawn {
    let mut chance = Chance::seeded(seed.wrapping_mul(0x9E37_79B9).wrapping_add(0x5707));
    let lasts = 30 + chance.below(31);
    let names: &[&'static str] = if chance.happens(0.35) { &["orders", "search"] } else { &["orders"] };
    let services = names.iter().map(|name| service(name, lasts, &mut chance)).collect();
    let replays = chance.happens(0.4).then(|| 10 + chance.below(lasts - 10));
    let stops_later = chance.happens(0.15);
    Drawn { services, storm: storm(seed, &mut chance), lasts, replays, stops_later }
}

/// Each kind of mishap is absent from a fifth of the storms; and a fifth of them is twice as hard on calls.
fn storm(seed: u64, chance: &mut Chance) -> Storm {
    let mut up_to = |most: f64| if chance.happens(0.2) { 0.0 } else { most * chance.fraction() };
    let storm = Storm {
        throttle: up_to(0.15),
        internal_error: up_to(0.1),
        cut: up_to(0.1),
        cut_after_effect: up_to(0.1),
        kill: up_to(0.04),
        lose: up_to(0.3),
        duplicate: up_to(0.4),
        late: up_to(0.7),
        latest: Duration::from_secs(240),
        skew: Duration::from_secs(3),
        ..Storm::of(seed)
    };
    let times = if chance.happens(0.2) { 2.0 } else { 1.0 };
    Storm {
        throttle: storm.throttle * times,
        internal_error: storm.internal_error * times,
        cut: storm.cut * times,
        cut_after_effect: storm.cut_after_effect * times,
        ..storm
    }
}

fn service(name: &'static str, lasts: u64, chance: &mut Chance) -> DrawnService {
    let minutes = u32::try_from(1 + chance.below(10)).unwrap_or(1);
    let shifting = match chance.below(5) {
        0 => Shifting::AllAtOnce,
        1 | 2 => Shifting::Linear { percent: 10, minutes: minutes.min(3) },
        _ => Shifting::Canary { percent: 10, minutes },
    };
    let (mut group, may_hook): (Group, &[&'static str]) = match chance.below(4) {
        0 | 1 => (Group::lambda(name, name), &["BeforeAllowTraffic", "AfterAllowTraffic"]),
        2 => {
            let group = Group::ecs(name, name).termination_wait(u32::try_from(chance.below(6)).unwrap_or(0));
            (group, &["BeforeInstall", "AfterInstall", "BeforeAllowTraffic", "AfterAllowTraffic"])
        }
        _ => (Group::server(name, name), &[]),
    };
    group = group.shifting(shifting).baseline("v41");
    if chance.happens(0.15) {
        group = group.first_deployment();
    }
    let alarms = alarms(name, chance);
    if chance.happens(0.3) {
        group = group.alarms(&[&alarms[usize::from(chance.happens(0.3))].name]);
    }
    let events = match chance.below(4) {
        0 => &["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM"][..],
        1 => &["DEPLOYMENT_FAILURE"][..],
        _ => &[][..],
    };
    if !events.is_empty() {
        group = group.auto_rollback(events);
    }
    let hooks: Vec<&'static str> = may_hook.iter().copied().filter(|_| chance.happens(0.4)).collect();
    for event in &hooks {
        group = group.hook(event, "CodeDeployHook_belay");
    }
    let first = 60 + 5 * chance.below(48);
    let mut releases = vec![release(first, 42, chance)];
    if chance.happens(0.5) {
        releases.push(release(first + 300 + 5 * chance.below(300), 43, chance));
    }
    let mut probe = Vec::new();
    let mut at = 30 + 5 * chance.below(60);
    while at < lasts * 60 && chance.happens(0.6) {
        probe.push((at, AlarmState::Ok));
        at += 10 + 5 * chance.below(100);
        probe.push((at, AlarmState::Alarm));
        at += 30 + 5 * chance.below(100);
    }
    let observed = chance.happens(0.1);
    let watched = chance.one_of(&[5, 10, 30]);
    let ask = (chance.one_of(&[3, 8, 15]), chance.one_of(&["roll_back", "roll_back", "keep"]));
    DrawnService {
        observed,
        watched,
        ask,
        name,
        group,
        alarms,
        hooks,
        health: if chance.happens(0.15) { 503 } else { 200 },
        releases,
        probe,
    }
}

fn alarms(name: &str, chance: &mut Chance) -> Vec<DrawnAlarm> {
    let mut alarm = |kind: &str, watches, rules: &[&'static str]| DrawnAlarm {
        name: format!("{name}-{kind}"),
        watches,
        rule: chance.one_of(rules),
        red: watches == Watches::Script && chance.happens(0.25),
    };
    let back = "roll_back";
    vec![
        alarm("5xx", Watches::Errors, &[back, back, back, back, back, "notify", "halt", "ask"]),
        alarm("latency", Watches::Latency, &[back, back, back, "notify", "ask"]),
        alarm("probe", Watches::Script, &[back, back, back, "notify", "halt"]),
    ]
}

fn release(at: u64, version: u32, chance: &mut Chance) -> DrawnRelease {
    let behaves = match chance.below(5) {
        0 | 1 => Behaviour::HEALTHY,
        2 | 3 => Behaviour::failing(0.3 + chance.fraction() * 0.6),
        _ => Behaviour::slow(12_000.0),
    };
    let behaves = behaves.from_minute(u32::try_from(chance.below(4)).unwrap_or(0));
    DrawnRelease { at, label: format!("v{version}"), behaves }
}

impl Drawn {
    /// The policy, with the health endpoints where the simulator has them.
    pub fn policy(&self, endpoint: &str) -> String {
        let mut text = "version: 1\nservices:\n".to_owned();
        for service in &self.services {
            let name = service.name;
            text.push_str(&format!(
                "  {name}:\n    deployed_by: [ {{ codedeploy: {{ application: {name}, deployment_group: {name} }} }} ]\n    alarms:\n"
            ));
            let (within, otherwise) = service.ask;
            let settings = format!(
                "    watch_for: {}m\n    ask: {{ within: {within}m, otherwise: {otherwise} }}\n    mode: {}\n",
                service.watched,
                if service.observed { "observe" } else { "enforce" },
            );
            let alarms = text.rfind("    alarms:\n").unwrap_or(text.len());
            text.insert_str(alarms, &settings);
            for alarm in &service.alarms {
                text.push_str(&format!("      {}: {}\n", alarm.name, alarm.rule));
            }
            if !service.hooks.is_empty() {
                text.push_str("    hooks:\n");
            }
            for event in &service.hooks {
                text.push_str(&format!(
                    "      {event}: [ {{ http: {{ url: \"{endpoint}/health/{name}\", within: 3s, requests: 2, failures: 0 }} }}, {{ alarms: quiet }} ]\n"
                ));
            }
        }
        text
    }

    /// The service that a deployment group belongs to.
    pub fn service(&self, group: &str) -> Option<&DrawnService> {
        self.services.iter().find(|service| service.name == group)
    }
}
