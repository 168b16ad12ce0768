//! Plays a quarter: from one thing to the next, and minute by minute only while something is open.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use belay::{aws::ledger::Ledger, ledger::Open, policy::Policy};
use jiff::{SignedDuration, Timestamp};

use super::{GroupScript, Quarter, Released, Report, Wanted};
use crate::{
    Alarm, AlarmState, DeliverySettings, Group, Pipeline, Shifting as Shift, Simulator, Stage as InPipeline,
    stage::{
        functions::{self, TABLE},
        script::{PipelineScript, PlatformWord, Shifting, StageWork},
    },
};

/// What came of a quarter.
#[derive(Clone, Debug)]
pub struct Played {
    /// The measures, from what the ledger holds at the end.
    pub report: Report,
    /// Every line of metrics that the functions wrote into their logs, in order.
    pub logged: Vec<String>,
    /// Events that were given up after three deliveries.
    pub dead_letters: usize,
}

/// Plays a quarter under its own policy.
///
/// # Errors
/// When the script asks for something that cannot be played, or the ledger cannot be read.
pub async fn play(quarter: &Quarter) -> Result<Played, String> {
    let policy = quarter.checked_policy()?;
    let moments = quarter.moments()?;
    let simulator = Simulator::start(quarter.from).await;
    set_up(&simulator, quarter);
    let logged = Arc::new(Mutex::new(Vec::new()));
    let written = Arc::clone(&logged);
    functions::install_logging(&simulator, policy.clone(), move |line: &str| {
        written.lock().unwrap_or_else(PoisonError::into_inner).push(line.to_owned());
    });
    let ledger = Ledger::new(&functions::sdk_config(&simulator.endpoint(), "report"), TABLE);
    let longest = policy.services().map(|service| service.watch_for).max().unwrap_or_default();
    let watch_for = SignedDuration::try_from(longest).map_err(|error| error.to_string())?;
    let stage = Stage { simulator: &simulator, ledger: &ledger, watch_for };
    // Which stage is made to fail, by service: until the service's next release.
    let mut failing: BTreeMap<&str, &str> = BTreeMap::new();
    for (at, wanted) in moments {
        pass(&stage, at).await?;
        match wanted {
            Wanted::Red(alarm) => simulator.set_alarm_state(alarm, AlarmState::Alarm, at),
            Wanted::Ok(alarm) => simulator.set_alarm_state(alarm, AlarmState::Ok, at),
            Wanted::Release { service, revision, committed, fails_in } => {
                let released = &quarter.services[service];
                if let Some(pipeline) = &released.pipeline {
                    if let Some(stage) = failing.remove(service) {
                        simulator.fail_action(&pipeline.name, stage, false);
                    }
                    if let Some(stage) = fails_in {
                        simulator.fail_action(&pipeline.name, stage, true);
                        failing.insert(service, stage);
                    }
                }
                if let Some(committed) = committed {
                    simulator.commit_made(revision, committed);
                }
                begin(&simulator, released, revision)?;
            }
        }
    }
    pass(&stage, quarter.until).await?;
    let report = report(quarter, &policy, &ledger).await?;
    let logged = logged.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Ok(Played { report, logged, dead_letters: simulator.dead_letters().len() })
}

async fn report(quarter: &Quarter, policy: &Policy, ledger: &Ledger) -> Result<Report, String> {
    Report::read(quarter.period(), policy, ledger, quarter.until).await.map_err(|error| error.to_string())
}

/// Lets the time pass until `until`: while something is under way minute by minute, with the sweep; while finished
/// releases are on watch and no more, at once to where the longest watch ends; when nothing is open but incidents, at once.
/// What is passed over are sweeps that would find nothing to do: only the script moves the alarms, and it waits for
/// `until`.
async fn pass(stage: &Stage<'_>, until: Timestamp) -> Result<(), String> {
    let Stage { simulator, ledger, watch_for } = stage;
    while simulator.now() < until {
        let now = simulator.now();
        if simulator.is_quiet() {
            match open(ledger, now).await? {
                Still::Nothing => {
                    simulator.skip_to(until);
                    return Ok(());
                }
                Still::Watches => simulator.skip_to(later(now, *watch_for).min(until)),
                Still::Something => {}
            }
        }
        let minute = later(simulator.now(), SignedDuration::from_mins(1));
        simulator.advance_to(minute.min(until)).await;
    }
    Ok(())
}

/// Where a quarter is played.
struct Stage<'a> {
    simulator: &'a Simulator,
    ledger: &'a Ledger,
    /// The longest of the policy's services.
    watch_for: SignedDuration,
}

/// What is open in the ledger, beside incidents.
enum Still {
    Nothing,
    Watches,
    Something,
}

async fn open(ledger: &Ledger, now: Timestamp) -> Result<Still, String> {
    let (open, unreadable) = ledger.open_things(now).await.map_err(|error| error.to_string())?;
    if let Some(error) = unreadable.first() {
        return Err(error.to_string());
    }
    let Open { watches, incidents: _, questions, hooks, owed, presses } = &open;
    let rest = questions.is_empty() && hooks.is_empty() && owed.is_empty() && presses.is_empty();
    Ok(match (rest, watches.is_empty()) {
        (false, _) => Still::Something,
        (true, false) => Still::Watches,
        (true, true) => Still::Nothing,
    })
}

fn later(now: Timestamp, by: SignedDuration) -> Timestamp {
    now.checked_add(by).unwrap_or(Timestamp::MAX)
}

fn begin(simulator: &Simulator, released: &Released, revision: &str) -> Result<(), String> {
    if let Some(pipeline) = &released.pipeline {
        simulator.start_pipeline(&pipeline.name, revision);
    }
    if let Some(GroupScript { application, group, .. }) = &released.codedeploy {
        let begun = simulator.start_deployment(application, group, revision, "user");
        begun.map_err(|error| format!("{revision} cannot begin: {error:?}"))?;
    }
    Ok(())
}

fn set_up(simulator: &Simulator, quarter: &Quarter) {
    for released in quarter.services.values() {
        if let Some(script) = &released.codedeploy {
            simulator.create_group(group(script));
        }
        if let Some(script) = &released.pipeline {
            simulator.create_pipeline(pipeline(script, released.codedeploy.as_ref()));
        }
    }
    for alarm in &quarter.alarms {
        simulator.create_alarm(Alarm::scripted(alarm));
    }
    simulator.set_delivery(DeliverySettings {
        duplicates: quarter.delivery.duplicates,
        delay: quarter.delivery.late_by.0,
        shuffle: quarter.delivery.shuffled,
        lose: quarter.delivery.lost.0,
        seed: quarter.delivery.seed,
    });
}

fn group(script: &GroupScript) -> Group {
    let (application, name) = (&script.application, &script.group);
    let group = match script.platform {
        PlatformWord::Lambda => Group::lambda(application, name),
        PlatformWord::Ecs => Group::ecs(application, name),
        PlatformWord::Ec2 => Group::server(application, name),
    };
    let minutes = |every: std::time::Duration| u32::try_from(every.as_secs() / 60).unwrap_or(u32::MAX).max(1);
    let shifting = match script.shifting {
        Shifting::AllAtOnce => Shift::AllAtOnce,
        Shifting::Canary(percent, every) => {
            Shift::Canary { percent: percent.into(), minutes: minutes(every) }
        }
        Shifting::Linear(percent, every) => {
            Shift::Linear { percent: percent.into(), minutes: minutes(every) }
        }
    };
    group.shifting(shifting).baseline(&script.baseline)
}

fn pipeline(script: &PipelineScript, group: Option<&GroupScript>) -> Pipeline {
    script.stages.iter().fold(Pipeline::v2(&script.name), |pipeline, stage| {
        let seconds = u32::try_from(stage.takes.0.as_secs()).unwrap_or(u32::MAX);
        pipeline.stage(match (stage.does, group) {
            (StageWork::Source, _) => InPipeline::source(&stage.name),
            (StageWork::Connection, _) => InPipeline::connection(&stage.name),
            (StageWork::Build, _) => InPipeline::build(&stage.name, seconds),
            (StageWork::CodeDeploy, Some(group)) => {
                InPipeline::deploy(&stage.name, &group.application, &group.group)
            }
            (StageWork::Deploy | StageWork::CodeDeploy, _) => InPipeline::deploy_for(&stage.name, seconds),
            (StageWork::Approval, _) => InPipeline::approval(&stage.name),
        })
    })
}
