//! Plays a script: minute by minute, with Belay and, for the comparison, without.

mod as_written;
mod breaking;
mod dashboard;
mod expected;
mod people;
mod setting;
mod stacks;

use std::time::Duration;

use belay::policy::Policy;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

pub(crate) use self::as_written::as_written;
pub use self::dashboard::Looked;
pub(crate) use self::dashboard::question;
pub use self::people::{Act, Did};
use self::{
    as_written::card_as_written,
    people::People,
    setting::{behaviour, reroute, set_up, workload},
};
use crate::{
    AlarmState, Fault, Happening, Mute, Simulator, SlackMessage, SlackWhisper, Suppression, TeamsCard, What,
    stage::{
        as_read, functions,
        script::{Event, OutageScript, PipelineChange, Rehearsal, ReleaseScript},
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
    /// What people did, and what became of Slack, in order.
    pub acts: Vec<Act>,
    /// The cards in Slack as they are in the end, with every version that they had, oldest first.
    pub cards: Vec<SlackMessage>,
    /// The messages in the cards' threads, without the pictures.
    pub thread: Vec<SlackMessage>,
    /// How many pictures there are in the cards' threads.
    pub pictures: usize,
    /// What was said to one person only.
    pub whispers: Vec<SlackWhisper>,
    /// What arrived in Teams.
    pub teams: Vec<TeamsCard>,
    /// What was on the dashboard, each time that somebody looked.
    pub looked: Vec<Looked>,
    /// Every event that AWS announced, and the function to which the simulator's rules pass it on.
    pub announced: Vec<(Value, Option<&'static str>)>,
}

/// Plays `rehearsal` under `policy`. Without a policy Belay is not there: nobody is told, nobody undoes, and
/// CodeDeploy's hooks are not configured.
///
/// # Errors
/// When the script asks for something that cannot be played.
pub async fn play(rehearsal: &Rehearsal, policy: Option<&str>) -> Result<Played, String> {
    let began: Timestamp = BEGINS.parse().map_err(|error| format!("{error}"))?;
    let simulator = Simulator::start(began).await;
    if let Some(account) = &rehearsal.account {
        simulator.work_in(account);
    }
    set_up(&simulator, rehearsal, policy.is_some());
    stacks::set_up(&simulator, &rehearsal.stacks);
    breaking::declare(&simulator, rehearsal)?;
    let mut people = People::default();
    if let Some(policy) = policy {
        let text = reroute(policy, &simulator, rehearsal);
        let policy = Policy::parse(&text).map_err(|mistakes| mistakes.to_string())?;
        people = People::of(&policy);
        if rehearsal.teams && !people.are_reachable() {
            return Err("`teams: true` needs a policy that talks to Slack: they share one secret".to_owned());
        }
        functions::install_in_rehearsal(&simulator, policy, &people.slack_has_failed);
        if rehearsal.teams {
            functions::install_teams(&simulator);
        }
    }
    let mut looked = Vec::new();
    let mut release = None;
    let mut workload = workload(rehearsal);
    let moments = moments(rehearsal);
    let mut next = moments.iter().peekable();
    while let Some((at, moment)) = next.next() {
        simulator.advance_to(after(began, *at)).await;
        let event = match moment {
            Moment::Happens(event) => event,
            Moment::OutageEnds { of_slack: true } => {
                people.slack_comes_up(&simulator);
                continue;
            }
            Moment::OutageEnds { of_slack: false } => {
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
        stacks::happens(&simulator, event)?;
        if event.outage.as_ref().is_some_and(OutageScript::is_of_slack) {
            people.slack_goes_down(&simulator);
        }
        people.go_to_the_console(&simulator, rehearsal, event)?;
        people.see(&simulator, rehearsal, event)?;
        // Who presses at the same time as the one before sees the same card.
        let at_once = next.peek().is_some_and(|(then, next)| then == at && next.is_pressed());
        if !at_once {
            people.press(&simulator).await?;
        }
        people.types(&simulator, event).await?;
        if let Some(looks) = event.looks.as_ref().filter(|_| policy.is_some()) {
            looked.push(dashboard::look(&simulator, looks).await?);
        }
    }
    simulator.advance_to(after(began, rehearsal.lasts.0)).await;
    simulator.assert_all_modelled();
    let in_slack = people.in_slack(&simulator);
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
        cards: in_slack
            .iter()
            .filter(|message| is_card(message))
            .map(|card| card_as_written(card, &simulator.endpoint()))
            .collect(),
        thread: in_slack
            .iter()
            .filter(|message| message.thread_ts.is_some() && message.files.is_empty())
            .cloned()
            .collect(),
        pictures: in_slack
            .iter()
            .filter(|message| message.thread_ts.is_some() && !message.files.is_empty())
            .count(),
        whispers: simulator.slack_whispers(),
        teams: simulator.teams_cards(),
        announced: simulator.announced(),
        looked,
        acts: people.acts,
    })
}

/// What comes next in a script.
enum Moment<'a> {
    Happens(&'a Event),
    OutageEnds { of_slack: bool },
}

impl Moment<'_> {
    fn is_pressed(&self) -> bool {
        match self {
            Self::Happens(event) => event.press.is_some(),
            Self::OutageEnds { .. } => false,
        }
    }
}

/// Everything that a script says will happen, in order.
fn moments(rehearsal: &Rehearsal) -> Vec<(Duration, Moment<'_>)> {
    let mut moments = Vec::new();
    for event in &rehearsal.script {
        moments.push((event.at.0, Moment::Happens(event)));
        if let Some(outage) = &event.outage {
            let ends = Moment::OutageEnds { of_slack: outage.is_of_slack() };
            moments.push((event.at.0.saturating_add(outage.lasts.0), ends));
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
        let commit = breaking::commit(new.commit.as_ref());
        return Ok(simulator.start_pipeline_with(&pipeline.name, &new.revision, commit));
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
    if let Some(outage) = event.outage.as_ref().filter(|outage| !outage.is_of_slack()) {
        simulator.fault(&outage.of, Fault::InternalError, u32::MAX);
    }
    if let Some(breaks) = &event.breaks {
        breaking::breaks(simulator, rehearsal, breaks)?;
    }
    match (&event.pipeline, &rehearsal.service.pipeline) {
        (None, _) => {}
        (Some(PipelineChange::Restructured), Some(pipeline)) => simulator.change_pipeline(&pipeline.name),
        (Some(PipelineChange::Fails(stage) | PipelineChange::Recovers(stage)), Some(pipeline)) => {
            if !pipeline.stages.iter().any(|known| known.name == *stage) {
                return Err(format!("the pipeline {} has no stage `{stage}`", pipeline.name));
            }
            let fails = matches!(event.pipeline, Some(PipelineChange::Fails(_)));
            simulator.fail_action(&pipeline.name, stage, fails);
        }
        (Some(_), None) => return Err("the service has no `pipeline` to which that could happen".to_owned()),
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

/// Whether a message of ours is a release's card.
fn is_card(message: &SlackMessage) -> bool {
    message.author.is_none() && message.thread_ts.is_none() && as_read::is_card(&message.blocks)
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

/// The decisions in what a function returned: a list, or the one about a person's answer.
pub fn reported(answer: &str) -> Vec<Reported> {
    let sentences = |value: &Value| -> Vec<String> {
        value.as_array().into_iter().flatten().filter_map(|text| text.as_str().map(str::to_owned)).collect()
    };
    let answer: Value = serde_json::from_str(answer).unwrap_or_default();
    let alone = answer["verdict"].is_string().then_some(&answer);
    answer["outcomes"]
        .as_array()
        .into_iter()
        .flatten()
        .chain(alone)
        // What asked for no decision says why.
        .filter(|outcome| outcome["verdict"].is_string())
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
}
