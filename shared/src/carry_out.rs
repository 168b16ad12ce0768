//! Carries a plan out: the only place where effects are ordered.
//!
//! No rule lives here. Every action is asked for under its key and happens at most once; what fails does not
//! keep the later actions from being tried, and fails the invocation in the end, so that it is delivered
//! again and what was done is not done twice.

use jiff::Timestamp;
use tracing::{error, info, warn};

use crate::{
    aws::{
        Adapters, AwsError,
        codedeploy::{AnswerAccepted, StopAnswer},
        ledger::{Claim, Claimant, Claimed},
    },
    chat::{
        amazon_q,
        card::{self, Came, Stopped},
        console::Console,
    },
    decision::{Decision, Verdict},
    ledger::Partition,
    message::Message,
    plan::{Action, Plan, check},
    reason::Reason,
    release::{DeploymentId, DeploymentStatus, Phase},
    signal::Signal,
    start::Invocation,
};

/// What came of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What was decided, in the field's word.
    pub verdict: Verdict,
    /// The reasons, as sentences.
    pub reasons: Vec<String>,
    /// What was done, as sentences; what had been done before says so.
    pub done: Vec<String>,
    /// What failed, after its retries.
    pub failures: Vec<AwsError>,
    /// The signal had been judged and carried out before.
    pub judged_before: bool,
    /// Look again, and decide again: the release had ended by itself before it could be stopped, or somebody else
    /// holds a claim and may yet die with it.
    pub look_again: bool,
}

impl Outcome {
    /// What a function answers about it: for the log, for tests, and for whoever invokes it by hand.
    pub fn report(&self) -> serde_json::Value {
        serde_json::json!({
            "verdict": self.verdict.word(),
            "reasons": self.reasons,
            "done": self.done,
        })
    }

    /// Everything that failed, as one sentence.
    pub fn failed(&self) -> Option<String> {
        let failures: Vec<String> = self.failures.iter().map(ToString::to_string).collect();
        (!failures.is_empty()).then(|| failures.join("; "))
    }
}

/// Where and when a plan is carried out.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// The world outside.
    pub adapters: &'a Adapters,
    /// For the links in messages.
    pub console: &'a Console,
    /// This invocation: its claims are its own, and its leases count from its beginning.
    pub invocation: Invocation<'a>,
}

#[allow(
    clippy::too_many_lines,
    reason = "one arm per action; their order is the point and must be seen whole"
)]
/// Carries out `plan`, which answers `signal`, that happened at `at`.
pub async fn carry_out(plan: Plan, signal: &Signal, at: Timestamp, scene: Scene<'_>) -> Outcome {
    let Plan { decision, actions } = &plan;
    let mut outcome = Outcome {
        verdict: decision.verdict,
        reasons: decision.reasons.iter().map(ToString::to_string).collect(),
        done: Vec::new(),
        failures: Vec::new(),
        judged_before: matches!(decision.reasons.first(), Reason::AlreadyJudged { .. }),
        look_again: false,
    };
    let wrong = check::check(&plan);
    if !wrong.is_empty() {
        let why = wrong.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        error!(why, "the plan contradicts itself and is not carried out");
        outcome.failures.push(AwsError::unreadable("belay:plan", signal.key(), why));
        return outcome;
    }
    let mut came = Came::OfNothing;
    let mut claim = None;
    let mut effect_happened_before = false;
    for action in actions {
        match action {
            Action::Stop { deployment, auto_rollback } => {
                match stop(decision, deployment, *auto_rollback, scene).await {
                    Stop::Done { came: what, claim: ours } => {
                        outcome.done.push(match &what {
                            Came::Stopped { how: Stopped::Accepted, .. } => {
                                format!("CodeDeploy accepted to stop {deployment}")
                            }
                            _ => format!("stopped {deployment}"),
                        });
                        came = what;
                        claim = Some(ours);
                    }
                    Stop::Before { finished } => {
                        effect_happened_before = true;
                        outcome.look_again |= !finished;
                        outcome
                            .done
                            .push(format!("{deployment} is being stopped already; nothing was done twice"));
                    }
                    Stop::Overtaken => {
                        outcome.look_again = true;
                        outcome.done.push(format!("{deployment} had ended before it could be stopped"));
                        return outcome;
                    }
                    Stop::Failed(error) => {
                        came = Came::Failed(error.to_string());
                        outcome.failures.push(error);
                    }
                }
            }
            Action::Answer { deployment, execution, answer } => {
                match scene.adapters.codedeploy.answer(deployment, execution, *answer).await {
                    Ok(AnswerAccepted::Taken) => {
                        came = Came::Answered;
                        outcome.done.push(format!("answered the hook of {deployment}"));
                    }
                    Ok(AnswerAccepted::HadOneAlready) => {
                        came = Came::AnsweredBefore;
                        outcome.done.push(format!("the hook of {deployment} had an answer already"));
                    }
                    Err(error) => {
                        came = Came::Failed(error.to_string());
                        outcome.failures.push(error);
                    }
                }
            }
            // The ledger did not take something: asking it again costs the seconds that telling needs.
            Action::Open { .. } | Action::Close { .. } | Action::Record { .. }
                if ledger_is_down(&outcome) => {}
            Action::Open { release, began } => {
                let opened = scene.adapters.ledger.open(release, began, scene.invocation.now).await;
                keep(&mut outcome, opened, format!("opened the record of {release}"));
            }
            Action::Close { release, ended } => {
                let closed = scene.adapters.ledger.close(release, ended, scene.invocation.now).await;
                keep(&mut outcome, closed, format!("closed the record of {release}"));
            }
            Action::Record { partition, record } => {
                if let Err(error) =
                    scene.adapters.ledger.record(partition, record, scene.invocation.now).await
                {
                    outcome.failures.push(error);
                }
            }
            Action::Tell { partition, key } => {
                // Who did it tells it: a second teller would have only half of the story.
                if !effect_happened_before {
                    let message = card::of(decision, &came, signal, at, scene.console);
                    // An effect that failed is another message than the one of its success, which may follow.
                    let key = match came {
                        Came::Failed(_) => format!("failed/{}", signal.key()),
                        Came::OfNothing | Came::Stopped { .. } | Came::Answered | Came::AnsweredBefore => {
                            key.clone()
                        }
                    };
                    tell(&mut outcome, partition, &key, &message, claim.take(), scene).await;
                }
            }
            Action::SendOwed(owed) => {
                tell(&mut outcome, &owed.partition, &owed.key, &owed.message, None, scene).await;
            }
        }
    }
    outcome
}

fn ledger_is_down(outcome: &Outcome) -> bool {
    outcome.failures.iter().any(|failure| failure.operation.starts_with("dynamodb:"))
}

fn keep(outcome: &mut Outcome, result: Result<(), AwsError>, done: String) {
    match result {
        Ok(()) => outcome.done.push(done),
        Err(error) => outcome.failures.push(error),
    }
}

enum Stop {
    Done { came: Came, claim: Claim },
    Before { finished: bool },
    Overtaken,
    Failed(AwsError),
}

/// Claims the release's undo and stops the deployment. Whoever takes an expired claim over looks first whether
/// it happened.
async fn stop(decision: &Decision, deployment: &DeploymentId, auto_rollback: bool, scene: Scene<'_>) -> Stop {
    let adapters = scene.adapters;
    let owner = scene.invocation.claimant();
    let by = Claimant { owner: &owner, now: scene.invocation.now };
    let (claim, look_first) = match adapters.ledger.claim_undo(deployment, decision, by).await {
        Err(error) => return Stop::Failed(error),
        Ok(Claimed::BySomebodyElse) => return Stop::Before { finished: false },
        Ok(Claimed::Before) => return Stop::Before { finished: true },
        Ok(Claimed::Ours(claim)) => (claim, false),
        Ok(Claimed::TakenOver(claim)) => (claim, true),
    };
    if look_first {
        match look(deployment, adapters).await {
            Err(error) => return gave_up(claim, error, scene).await,
            // It did happen, and whoever did it died before saying so: say it now.
            Ok(Look::Ended { came: Some(came) }) => return Stop::Done { came, claim },
            Ok(Look::Ended { came: None }) => return overtaken(claim, adapters).await,
            Ok(Look::Running) => {}
        }
    }
    match adapters.codedeploy.stop(deployment, auto_rollback).await {
        Ok(StopAnswer::Stopped) => {
            Stop::Done { came: rollback_of(deployment, auto_rollback, Stopped::Now, adapters).await, claim }
        }
        Ok(StopAnswer::Pending) => Stop::Done {
            came: rollback_of(deployment, auto_rollback, Stopped::Accepted, adapters).await,
            claim,
        },
        // Its group's own alarm, a person, or a call of ours whose answer was lost was first.
        Ok(StopAnswer::AlreadyOver) => match look(deployment, adapters).await {
            Err(error) => gave_up(claim, error, scene).await,
            // Stopped by a request, while we hold the claim to make it: ours, whose answer was lost, or somebody
            // else's in the same moment. Either way it is told, with what came of it.
            Ok(Look::Ended { came: Some(came) }) => Stop::Done { came, claim },
            Ok(Look::Ended { came: None }) => overtaken(claim, adapters).await,
            // It says that it is over, and that it runs. Nothing was stopped: look again.
            Ok(Look::Running) => {
                if let Err(kept) = adapters.ledger.give_back(claim, scene.invocation.now).await {
                    warn!(error = %kept, "could not give the claim back; it ends by itself");
                }
                Stop::Overtaken
            }
        },
        Err(error) => gave_up(claim, error, scene).await,
    }
}

enum Look {
    Running,
    /// `came` when it was stopped by a request, as ours was.
    Ended {
        came: Option<Came>,
    },
}

async fn look(deployment: &DeploymentId, adapters: &Adapters) -> Result<Look, AwsError> {
    let seen = adapters.codedeploy.deployment(deployment).await?;
    Ok(match seen.status.phase() {
        Phase::Running | Phase::Unknown => Look::Running,
        Phase::Over => {
            // Somebody asked, unless an alarm of the group did it. CodeDeploy's mark of a request, MANUAL_STOP, is
            // not documented to come with every one, so that its absence proves nothing.
            let by_alarm = seen.error.as_ref().is_some_and(|error| error.code == "ALARM_ACTIVE");
            let by_request = seen.status == DeploymentStatus::Stopped && !by_alarm;
            Look::Ended {
                came: by_request
                    .then_some(Came::Stopped { rollback: seen.rolled_back_by, how: Stopped::Found }),
            }
        }
    })
}

/// Which rollback CodeDeploy started, if it names it already. The undo has happened: that this cannot be read
/// takes nothing from it.
async fn rollback_of(
    deployment: &DeploymentId,
    auto_rollback: bool,
    how: Stopped,
    adapters: &Adapters,
) -> Came {
    if !auto_rollback {
        return Came::Stopped { rollback: None, how };
    }
    match adapters.codedeploy.deployment(deployment).await {
        Ok(seen) => Came::Stopped { rollback: seen.rolled_back_by, how },
        Err(error) => {
            warn!(%error, "stopped, but could not look which rollback was started");
            Came::Stopped { rollback: None, how }
        }
    }
}

async fn overtaken(claim: Claim, adapters: &Adapters) -> Stop {
    match adapters.ledger.overtaken(claim).await {
        Ok(()) => Stop::Overtaken,
        Err(error) => Stop::Failed(error),
    }
}

/// The call failed, and may have happened all the same: the claim stays until its lease ends, and whoever takes
/// it over looks first. Only when CodeDeploy itself refused is it certain that nothing happened.
async fn gave_up(claim: Claim, error: AwsError, scene: Scene<'_>) -> Stop {
    if error.code.is_some()
        && let Err(kept) = scene.adapters.ledger.give_back(claim, scene.invocation.now).await
    {
        warn!(error = %kept, "could not give the claim back; it ends by itself");
    }
    Stop::Failed(error)
}

/// Writes the message down, finishes the effect that it tells of, and sends it.
///
/// The order is the promise: once the message is written down it cannot be lost, and only then is the effect
/// called done, so that there is no moment at which an effect is done and nobody will ever be told.
async fn tell(
    outcome: &mut Outcome,
    partition: &Partition,
    key: &str,
    message: &Message,
    effect: Option<Claim>,
    scene: Scene<'_>,
) {
    let ledger = &scene.adapters.ledger;
    let owner = scene.invocation.claimant();
    let by = Claimant { owner: &owner, now: scene.invocation.now };
    let claimed = match outcome.failures.iter().find(|failure| failure.operation.starts_with("dynamodb:")) {
        Some(down) => Err(down.clone()),
        None => ledger.claim_message(partition, key, message, by).await,
    };
    if claimed.is_ok()
        && let Some(effect) = effect
        && let Err(error) = ledger.done(effect).await
    {
        outcome.failures.push(error);
    }
    let claim = match claimed {
        Ok(Claimed::Ours(claim) | Claimed::TakenOver(claim)) => Some(claim),
        Ok(Claimed::Before) => {
            outcome.done.push(format!("the message {key} was told before"));
            return;
        }
        Ok(Claimed::BySomebodyElse) => {
            outcome.done.push(format!("the message {key} is being told already"));
            outcome.look_again = true;
            return;
        }
        Err(error) => {
            // Better told twice than never: without the ledger nobody remembers that it is owed.
            outcome.failures.push(error);
            None
        }
    };
    let notification = amazon_q::render(message, &format!("{}/{key}", partition.key()));
    match scene.adapters.topic.publish(&notification).await {
        Ok(()) => {
            info!(key, title = message.title, "told");
            outcome.done.push(format!("told: {}", message.title));
            if let Some(claim) = claim
                && let Err(error) = ledger.done(claim).await
            {
                outcome.failures.push(error);
            }
        }
        Err(error) => {
            // Nothing is lost: it is written down, and the next delivery, of this or of any other signal about
            // the release, sends it.
            if let Some(claim) = claim
                && let Err(kept) = ledger.give_back(claim, scene.invocation.now).await
            {
                warn!(error = %kept, "could not give the message's claim back; it ends by itself");
            }
            outcome.failures.push(error);
        }
    }
}
