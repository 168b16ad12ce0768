//! Carries a plan out: the only place where effects are ordered.
//!
//! No rule lives here. Every action is asked for under its key and happens at most once; what fails does not
//! keep the later actions from being tried, and fails the invocation in the end, so that it is delivered
//! again and what was done is not done twice.

mod answering;
mod showing;
mod telling;
mod undoing;

use std::time::Duration;

use jiff::Timestamp;
use tracing::{error, warn};

pub(crate) use self::telling::advice;

use self::{
    answering::{Retrying, approve, retry},
    showing::show,
    telling::{deliver, say, tell},
    undoing::{Undoing, undo},
};

use crate::{
    aws::{Adapters, AwsError, codedeploy::AnswerAccepted},
    chat::{
        card::{self, Came},
        console::Console,
    },
    decision::{Decision, Verdict},
    dora::Measured,
    ledger::{Destination, Note, Owed, OwedMessage, Watch},
    message::OnCard,
    metric,
    plan::{Action, Plan, check},
    policy::Policy,
    reason::Reason,
    release::{Place, ReleaseId},
    signal::Signal,
    start::{Invocation, Log},
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
    /// What a chat product did not take. It is owed to it and fails nothing: the topic has it, and an invocation that was
    /// repeated for a chat's sake would ask AWS everything again.
    pub owed: Vec<AwsError>,
}

impl Outcome {
    fn of(verdict: Verdict, reasons: Vec<String>) -> Self {
        Self {
            verdict,
            reasons,
            done: Vec::new(),
            failures: Vec::new(),
            judged_before: false,
            look_again: false,
            owed: Vec::new(),
        }
    }

    /// Keeps why something was not told, by what follows from it.
    fn failed_to_tell(&mut self, to: Destination, error: AwsError) {
        match to {
            Destination::Topic => self.failures.push(error),
            Destination::Slack | Destination::Teams | Destination::Picture => {
                match advice(&error) {
                    // It will not pass by itself: whoever looks at the log is told what to do.
                    Some(advice) => error!(%error, advice, "a chat product does not take messages"),
                    None => warn!(%error, "a chat product did not take a message; it is sent again"),
                }
                self.owed.push(error);
            }
        }
    }

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
    /// What the owners asked for: where a service is talked about.
    pub policy: &'a Policy,
    /// The world outside.
    pub adapters: &'a Adapters,
    /// For the links in messages.
    pub console: &'a Console,
    /// How long to wait before a busy deployer is asked again.
    pub pause: Duration,
    /// This invocation: its claims are its own, and its leases count from its beginning.
    pub invocation: Invocation<'a>,
    /// Where metrics go.
    pub log: &'a Log,
}

#[allow(
    clippy::too_many_lines,
    reason = "one arm per action; their order is the point and must be seen whole"
)]
/// Carries out `plan`, which answers `signal`, that happened at `at`.
pub async fn carry_out(plan: Plan, signal: &Signal, at: Timestamp, scene: Scene<'_>) -> Outcome {
    let Plan { decision, actions } = &plan;
    let mut outcome =
        Outcome::of(decision.verdict, decision.reasons.iter().map(ToString::to_string).collect());
    outcome.judged_before = matches!(decision.reasons.first(), Reason::AlreadyJudged { .. });
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
    // What the topic was told and the chat products were not yet: the card comes first, its thread hangs on it.
    let mut told = None;
    for action in actions {
        match action {
            Action::Undo { release, effect, half } => {
                match Box::pin(undo(decision, release, effect, *half, scene)).await {
                    Undoing::Done { came: what, claim: ours } => {
                        outcome.done.push(undoing::sentence(release, &what));
                        came = what;
                        claim = Some(ours);
                        Box::pin(look_after(&mut outcome, decision, &came, scene)).await;
                    }
                    Undoing::Before { finished } => {
                        effect_happened_before = true;
                        outcome.look_again |= !finished;
                        outcome
                            .done
                            .push(format!("{release} is being undone already; nothing was done twice"));
                    }
                    Undoing::Overtaken => {
                        outcome.look_again = true;
                        outcome.done.push(format!("{release} had moved on before it could be undone"));
                        return outcome;
                    }
                    Undoing::Followed { by, claim: ours } => {
                        claim = Some(ours);
                        outcome
                            .done
                            .push(format!("{by} has followed {release}, which is not undone any more"));
                        came = Came::Followed { by };
                    }
                    Undoing::TooLate(error) => {
                        outcome.failures.push(error);
                        return outcome;
                    }
                    Undoing::Failed(error) => {
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
            Action::Approve { approval, approved, summary } => {
                match Box::pin(approve(approval, *approved, summary, scene)).await {
                    Ok(what) => {
                        outcome.done.push(match what {
                            Came::AnsweredBefore => {
                                format!("the approval {} had an answer already", approval.action)
                            }
                            _ => format!("answered the approval {}", approval.action),
                        });
                        came = what;
                    }
                    Err(error) => {
                        came = Came::Failed(error.to_string());
                        outcome.failures.push(error);
                    }
                }
            }
            Action::Retry { stage, execution, release, key, unless_undone } => {
                match Box::pin(retry(stage, execution, release, (key, *unless_undone), scene)).await {
                    Ok(Retrying::Done(ours)) => {
                        came = Came::Retried;
                        claim = Some(ours);
                        outcome.done.push(format!("had {stage} tried again"));
                    }
                    Ok(Retrying::Before { finished }) => {
                        effect_happened_before = true;
                        outcome.look_again |= !finished;
                        outcome.done.push(format!("{stage} is tried again already; nothing was done twice"));
                    }
                    // Nothing to repeat: people are told why.
                    Ok(Retrying::NotPossible(why)) => came = Came::Failed(why),
                    Err(error) => {
                        came = Came::Failed(error.to_string());
                        outcome.failures.push(error);
                    }
                }
            }
            // The ledger did not take something: asking it again costs the seconds that telling needs.
            Action::Open { .. }
            | Action::Close { .. }
            | Action::Record { .. }
            | Action::Keep(_)
            | Action::Measure(_)
                if ledger_is_down(&outcome) => {}
            // What did not happen, or was somebody else's doing, is not counted.
            Action::Keep(Note::TookBack(..)) if claim.is_none() || matches!(came, Came::Followed { .. }) => {}
            // A hook that CodeDeploy took no answer for still waits: the sweep answers it. A press that could not be
            // carried out is not handled: Lambda's repetition or the sweep does.
            Action::Keep(Note::Replied(_) | Note::Handled(..) | Note::Unpressed(_))
                if matches!(came, Came::Failed(_)) && !outcome.failures.is_empty() => {}
            // Nor is one that somebody else is at, who may yet die.
            Action::Keep(Note::Handled(..) | Note::Unpressed(_) | Note::Answered(_))
                if effect_happened_before && outcome.look_again => {}
            Action::Keep(note) => {
                if let Err(error) = scene.adapters.ledger.keep(note, scene.invocation.now).await {
                    outcome.failures.push(error);
                }
            }
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
                    let service = decision.service.as_ref().and_then(|name| scene.policy.service(name));
                    let channel = service.and_then(|service| service.chat.slack.as_deref());
                    let channel = channel.filter(|_| scene.adapters.chat.is_some());
                    let message = card::of(decision, &came, signal, at, scene.console, channel);
                    let message = match service {
                        Some(service) if service.approvers.is_empty() => card::to_nobody(message),
                        Some(_) | None => message,
                    };
                    // An effect that failed is another message than the one of its success, which may follow.
                    let key = match came {
                        Came::Failed(_) => format!("failed/{}", signal.key()),
                        Came::Followed { .. } => format!("followed/{}", signal.key()),
                        Came::OfNothing
                        | Came::Stopped { .. }
                        | Came::Redeployed { .. }
                        | Came::StageRolledBack { .. }
                        | Came::StageHalted { .. }
                        | Came::Answered
                        | Came::Retried
                        | Came::AnsweredBefore => key.clone(),
                    };
                    let effect = claim.take().map(|claim| match came {
                        Came::Followed { .. } => telling::Effect::GivenUp(claim),
                        _ => telling::Effect::Done(claim),
                    });
                    let telling = tell(&mut outcome, partition, &key, &message, effect, scene);
                    let written = Box::pin(telling).await;
                    told = Some((written, message));
                }
            }
            Action::Show(card) => {
                if let Err(error) = Box::pin(show(card, scene)).await {
                    outcome.failed_to_tell(Destination::Slack, error);
                }
                if let Some((written, message)) = told.take() {
                    Box::pin(say(&mut outcome, written, &message, scene)).await;
                }
            }
            Action::Measure(fact) => count(fact, scene).await,
            Action::SendOwed(owed) => {
                Box::pin(deliver(&mut outcome, pointer(owed, scene), &owed.message, scene)).await;
            }
        }
    }
    if let Some((written, message)) = told {
        Box::pin(say(&mut outcome, written, &message, scene)).await;
    }
    outcome
}

/// Counts something, unless it was counted before: whoever writes it down is the one that says it. A number is not worth
/// a failed invocation; what the ledger holds of the release is the same without it.
async fn count(fact: &Measured, scene: Scene<'_>) {
    match scene.adapters.ledger.count(fact, scene.invocation.now).await {
        Ok(true) => scene.log.line(&metric::measured(fact)),
        Ok(false) => {}
        Err(error) => warn!(%error, "something was not counted for the measures"),
    }
}

fn pointer(owed: &OwedMessage, scene: Scene<'_>) -> Owed {
    Owed {
        to: owed.to,
        partition: owed.partition.clone(),
        key: owed.key.clone(),
        since: scene.invocation.now,
    }
}

/// By what a release is taken back is looked after from its beginning: its events may be lost, too.
async fn look_after(outcome: &mut Outcome, decision: &Decision, came: &Came, scene: Scene<'_>) {
    let (Some(service), Some(subject)) = (&decision.service, &decision.release) else {
        return;
    };
    // A rollback of CodeDeploy's own is named by the release itself.
    let place = &subject.deployment.place;
    let (by, names_it) = match (came, place) {
        (Came::Redeployed { deployment }, _) => (deployment.clone(), true),
        // CodePipeline names the execution's target itself.
        (Came::StageRolledBack { execution, .. }, Place::Stage(stage)) => {
            (ReleaseId::of_stage(&stage.stage, execution), false)
        }
        (_, _) => return,
    };
    let release = subject.deployment.id.clone();
    let named = names_it.then(|| Note::GoesBackBy { release, by: by.clone() });
    let (service, place, began) = (service.clone(), place.clone(), scene.invocation.now);
    let watched = Note::Watched(Watch { release: by, service, place, began });
    for note in named.into_iter().chain([watched]) {
        if let Err(error) = scene.adapters.ledger.keep(&note, scene.invocation.now).await {
            outcome.failures.push(error);
        }
    }
}

/// Shows a release's card as it is now.
///
/// # Errors
/// When something that it shows could not be read, or the chat product did not take it.
pub async fn refresh(card: &OnCard, scene: Scene<'_>) -> Result<(), AwsError> {
    show(card, scene).await.map(|_| ())
}

/// Sends one message that was written down and, as far as the ledger knows, not sent.
pub async fn send(owed: &OwedMessage, scene: Scene<'_>) -> Outcome {
    let reason = format!("The message {} was written down and not sent.", owed.key);
    let mut outcome = Outcome::of(Verdict::Ignore, vec![reason]);
    Box::pin(deliver(&mut outcome, pointer(owed, scene), &owed.message, scene)).await;
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
