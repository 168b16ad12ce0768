//! What people do while a rehearsal is played.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use belay::policy::Policy;
use jiff::Timestamp;
use serde_json::Value;

use super::is_card;
use crate::{
    ActionStatus, Press, Simulator, SlackMessage,
    stage::{
        as_read,
        script::{ConsoleScript, Event, Rehearsal},
    },
};

/// Something that a person did, or that became of Slack.
#[derive(Clone, Debug)]
pub struct Act {
    /// When.
    pub at: Timestamp,
    /// How much of the timeline had happened before.
    pub after: usize,
    /// What.
    pub did: Did,
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Did {
    /// A button of a card was pressed.
    Pressed {
        /// By whom.
        user: String,
        /// What is on it.
        button: String,
        /// What was in the box for the reason.
        why: Option<String>,
    },
    /// A command was typed.
    Typed {
        /// By whom.
        user: String,
        /// What followed `/belay`.
        text: String,
        /// What they were answered with, which nobody else sees.
        answer: String,
    },
    /// A pipeline's approval was answered in CodePipeline's console.
    AnsweredInConsole {
        /// By whom: an ARN.
        who: String,
        /// The stage in which it waited.
        stage: String,
        /// Whether it was approved.
        approved: bool,
    },
    /// From now on every call of Slack fails.
    SlackWentDown,
    /// No longer.
    SlackCameUp,
}

/// The people around a service.
#[derive(Default)]
pub(super) struct People {
    pub(super) acts: Vec<Act>,
    /// The channels of the policy's services.
    channels: Vec<String>,
    slack_is_down: bool,
    /// It is down, or was.
    pub(super) slack_has_failed: Arc<AtomicBool>,
    /// What is being pressed in this moment: who presses what, as Slack tells Belay.
    presses: Vec<(Did, Vec<u8>)>,
}

impl People {
    /// People who meet in the channels of a policy.
    pub(super) fn of(policy: &Policy) -> Self {
        let mut channels: Vec<String> =
            policy.services().filter_map(|service| service.chat.slack.clone()).collect();
        channels.sort();
        channels.dedup();
        Self { channels, ..Self::default() }
    }

    /// Whether there is a channel. Where Belay is not there, nobody meets anybody.
    pub(super) fn are_reachable(&self) -> bool {
        !self.channels.is_empty()
    }

    /// Everything in the channels, oldest first.
    pub(super) fn in_slack(&self, simulator: &Simulator) -> Vec<SlackMessage> {
        let channels = self.channels.iter();
        let mut messages: Vec<SlackMessage> =
            channels.flat_map(|channel| simulator.slack_messages(channel)).collect();
        messages.sort_by_key(|message| message.at);
        messages
    }

    pub(super) fn slack_goes_down(&mut self, simulator: &Simulator) {
        if self.are_reachable() {
            self.slack_is_down = true;
            self.slack_has_failed.store(true, Ordering::Relaxed);
            simulator.slack_down(true);
            self.acts.push(act(simulator, Did::SlackWentDown));
        }
    }

    pub(super) fn slack_comes_up(&mut self, simulator: &Simulator) {
        if self.are_reachable() {
            self.slack_is_down = false;
            simulator.slack_down(false);
            self.acts.push(act(simulator, Did::SlackCameUp));
        }
    }

    /// Somebody looks at the card and is about to press: what Slack will tell Belay is made of the card as it is.
    pub(super) fn see(
        &mut self,
        simulator: &Simulator,
        rehearsal: &Rehearsal,
        event: &Event,
    ) -> Result<(), String> {
        let Some(press) = event.press.as_ref().filter(|_| self.are_reachable()) else { return Ok(()) };
        let who = &press.user;
        if self.slack_is_down {
            return Err(format!("{who} cannot press {}: Slack is down", press.button));
        }
        let pipeline = rehearsal.service.pipeline.as_ref();
        let execution = match (&press.on, pipeline) {
            (None, _) => None,
            (Some(_), None) => {
                return Err("`on` names a revision of a pipeline, and there is none".to_owned());
            }
            (Some(revision), Some(pipeline)) => {
                let all = simulator.pipeline_executions(&pipeline.name).into_iter();
                let mut its = all.filter(|one| one.label == *revision);
                Some(its.next().ok_or_else(|| format!("no execution brings {revision}"))?.id)
            }
        };
        // A card's headline names its execution by the beginning of its id.
        let is_its = |card: &SlackMessage| execution.as_ref().is_none_or(|id| card.text.contains(&id[..8]));
        let card = self.in_slack(simulator).into_iter().rfind(|message| is_card(message) && is_its(message));
        let card = card.ok_or_else(|| format!("{who} cannot press {}: there is no card", press.button))?;
        let labels = as_read::labels(&card.blocks);
        if !labels.contains(&press.button) {
            let there = match labels.as_slice() {
                [] => "there are none".to_owned(),
                some => format!("there are {}", some.join(", ")),
            };
            let card = card.text;
            return Err(format!("{who} finds no button `{}` on the card “{card}”: {there}", press.button));
        }
        if press.why.is_some() && !card.blocks.iter().any(|block| block["type"] == "input") {
            return Err(format!("{who} finds no box for a reason on the card “{}”", card.text));
        }
        let (channel, ts, action) = (&card.channel, &card.ts, &press.button);
        let why = press.why.as_deref();
        let told = simulator.slack_press(Press { user: who, channel, ts, action, why })?;
        let (user, button) = (who.clone(), press.button.clone());
        self.presses.push((Did::Pressed { user, button, why: press.why.clone() }, told));
        Ok(())
    }

    /// Everybody who is about to press does.
    pub(super) async fn press(&mut self, simulator: &Simulator) -> Result<(), String> {
        for (did, told) in std::mem::take(&mut self.presses) {
            self.acts.push(act(simulator, did));
            answered(simulator, &told).await?;
        }
        Ok(())
    }

    /// Somebody types a command into the first channel.
    pub(super) async fn types(&mut self, simulator: &Simulator, event: &Event) -> Result<(), String> {
        let (Some(types), Some(channel)) = (&event.types, self.channels.first()) else { return Ok(()) };
        if self.slack_is_down {
            return Err(format!("{} cannot type /belay {}: Slack is down", types.user, types.text));
        }
        let (at, after) = (simulator.now(), simulator.timeline().len());
        let answer = answered(simulator, &simulator.slack_command(&types.user, channel, &types.text)).await?;
        let blocks = answer["blocks"].as_array().map(Vec::as_slice).unwrap_or_default();
        let answer = as_read::slack(blocks, Timestamp::UNIX_EPOCH).join("\n");
        let did = Did::Typed { user: types.user.clone(), text: types.text.clone(), answer };
        self.acts.push(Act { at, after, did });
        Ok(())
    }

    /// Somebody answers an approval where Belay is not asked.
    pub(super) fn go_to_the_console(
        &mut self,
        simulator: &Simulator,
        rehearsal: &Rehearsal,
        event: &Event,
    ) -> Result<(), String> {
        for (console, approved) in [(&event.approves_in_console, true), (&event.rejects_in_console, false)] {
            let Some(ConsoleScript { who, stage, why }) = console else { continue };
            let pipeline = rehearsal.service.pipeline.as_ref();
            let pipeline = &pipeline.ok_or("the service has no `pipeline` with an approval")?.name;
            let executions = simulator.pipeline_executions(pipeline);
            let actions = executions.iter().flat_map(|execution| &execution.stages);
            let mut actions = actions.filter(|run| run.stage == *stage).flat_map(|run| &run.actions);
            let waiting = actions.find(|run| run.status == ActionStatus::InProgress);
            let action = &waiting.ok_or_else(|| format!("no approval waits in the stage {stage}"))?.action;
            self.acts.push(act(
                simulator,
                Did::AnsweredInConsole { who: who.clone(), stage: stage.clone(), approved },
            ));
            simulator.approve_in_console(pipeline, stage, action, approved, who, why);
        }
        Ok(())
    }
}

fn act(simulator: &Simulator, did: Did) -> Act {
    Act { at: simulator.now(), after: simulator.timeline().len(), did }
}

/// Hands a request of Slack's to Belay; the body of the answer.
async fn answered(simulator: &Simulator, request: &[u8]) -> Result<Value, String> {
    let answer = simulator.request("chat-actions", request).await?;
    if answer["statusCode"] != 200 {
        return Err(format!("Slack was answered with {}", answer["statusCode"]));
    }
    Ok(answer["body"].as_str().and_then(|body| serde_json::from_str(body).ok()).unwrap_or_default())
}
