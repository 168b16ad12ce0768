//! Carries a plan out: the only place where effects are ordered.
//!
//! No rule lives here. Every action is asked for under its key and happens at most once; what fails does not
//! keep the later actions from being tried, and fails the invocation in the end, so that it is delivered
//! again and what was done is not done twice.

mod undoing;

use std::time::Duration;

use jiff::Timestamp;
use tracing::{error, info, warn};

use self::undoing::{Undoing, too_late, undo};

use crate::{
    aws::{
        Adapters, AwsError,
        codedeploy::AnswerAccepted,
        ledger::{Claim, Claimant, Claimed},
    },
    chat::{
        amazon_q,
        card::{self, Came},
        console::Console,
    },
    decision::{Decision, Verdict},
    ledger::{Note, Owed, OwedMessage, Partition, Watch},
    message::Message,
    plan::{Action, Plan, check},
    reason::Reason,
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
    /// How long to wait before a busy deployer is asked again.
    pub pause: Duration,
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
            Action::Undo { release, effect, half } => match undo(decision, release, effect, *half, scene)
                .await
            {
                Undoing::Done { came: what, claim: ours } => {
                    outcome.done.push(undoing::sentence(release, &what));
                    came = what;
                    claim = Some(ours);
                    look_after(&mut outcome, decision, &came, scene).await;
                }
                Undoing::Before { finished } => {
                    effect_happened_before = true;
                    outcome.look_again |= !finished;
                    outcome.done.push(format!("{release} is being undone already; nothing was done twice"));
                }
                Undoing::Overtaken => {
                    outcome.look_again = true;
                    outcome.done.push(format!("{release} had moved on before it could be undone"));
                    return outcome;
                }
                Undoing::TooLate(error) => {
                    outcome.failures.push(error);
                    return outcome;
                }
                Undoing::Failed(error) => {
                    came = Came::Failed(error.to_string());
                    outcome.failures.push(error);
                }
            },
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
            Action::Open { .. } | Action::Close { .. } | Action::Record { .. } | Action::Keep(_)
                if ledger_is_down(&outcome) => {}
            // What did not happen, or was somebody else's doing, is not counted.
            Action::Keep(Note::TookBack(..)) if claim.is_none() => {}
            // A hook that CodeDeploy took no answer for still waits: the sweep answers it.
            Action::Keep(Note::Replied(_)) if matches!(came, Came::Failed(_)) => {}
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
                    let message = card::of(decision, &came, signal, at, scene.console);
                    // An effect that failed is another message than the one of its success, which may follow.
                    let key = match came {
                        Came::Failed(_) => format!("failed/{}", signal.key()),
                        Came::OfNothing
                        | Came::Stopped { .. }
                        | Came::Redeployed { .. }
                        | Came::StageRolledBack { .. }
                        | Came::StageHalted { .. }
                        | Came::Answered
                        | Came::AnsweredBefore => key.clone(),
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

/// The deployment by which a release is taken back is looked after from its beginning: its START may be lost, too.
async fn look_after(outcome: &mut Outcome, decision: &Decision, came: &Came, scene: Scene<'_>) {
    let (Came::Redeployed { deployment }, Some(service), Some(subject)) =
        (came, &decision.service, &decision.release)
    else {
        return;
    };
    let watch = Watch {
        release: deployment.clone(),
        service: service.clone(),
        place: subject.deployment.place.clone(),
        began: scene.invocation.now,
    };
    if let Err(error) = scene.adapters.ledger.keep(&Note::Watched(watch), scene.invocation.now).await {
        outcome.failures.push(error);
    }
}

/// Sends one message that was written down and, as far as the ledger knows, not sent.
pub async fn send(owed: &OwedMessage, scene: Scene<'_>) -> Outcome {
    let mut outcome = Outcome {
        verdict: Verdict::Ignore,
        reasons: vec![format!("The message {} was written down and not sent.", owed.key)],
        done: Vec::new(),
        failures: Vec::new(),
        judged_before: false,
        look_again: false,
    };
    tell(&mut outcome, &owed.partition, &owed.key, &owed.message, None, scene).await;
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
    let since = scene.invocation.now;
    let owed = Owed { partition: partition.clone(), key: key.to_owned(), since };
    let claimed = match outcome.failures.iter().find(|failure| failure.operation.starts_with("dynamodb:")) {
        Some(down) => Err(down.clone()),
        None => {
            // First where it is, then what it says: whoever dies in between leaves a pointer to nothing, which the
            // sweep forgets; the other way round it would leave a message that nobody finds.
            match ledger.keep(&Note::Owes(owed.clone()), scene.invocation.now).await {
                Ok(()) => ledger.claim_message(partition, key, message, by).await,
                Err(error) => Err(error),
            }
        }
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
            if let Err(error) = ledger.keep(&Note::Paid(owed), scene.invocation.now).await {
                outcome.failures.push(error);
            }
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
    // A message that is sent late is sent by somebody else as well: its lease counts from our beginning.
    if claim.is_some() && too_late(scene.invocation.begun).await {
        let why = "the time in which this invocation may tell was up before it could";
        outcome.failures.push(AwsError::unreadable("sns:Publish", key, why));
        if let Some(claim) = claim
            && let Err(kept) = ledger.give_back(claim, scene.invocation.now).await
        {
            warn!(error = %kept, "could not give the message's claim back; it ends by itself");
        }
        return;
    }
    let notification = amazon_q::render(message, &format!("{}/{key}", partition.key()));
    match scene.adapters.topic.publish(&notification).await {
        Ok(()) => {
            info!(key, title = message.title, "told");
            outcome.done.push(format!("told: {}", message.title));
            if let Some(claim) = claim {
                let paid = match ledger.done(claim).await {
                    Ok(()) => ledger.keep(&Note::Paid(owed), scene.invocation.now).await,
                    Err(error) => Err(error),
                };
                if let Err(error) = paid {
                    outcome.failures.push(error);
                }
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
