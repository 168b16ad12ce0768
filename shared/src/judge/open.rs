//! What is not over yet, and whose time has come: questions, hooks, messages, rollbacks that did not follow.

use std::{collections::BTreeSet, sync::Arc};

use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::{
    approval::Choice,
    aws::ledger::Claimant,
    carry_out::{carry_out, send},
    decision::{self, Decision, Verdict},
    evidence::{AlarmEvidence, Observed},
    gather::{self, Looked},
    judge::{Origin, alarm::watch, approval::handled, settled},
    ledger::{
        Answered, Answerer, Destination, Effect, Half, LEASE, Note, Owed, OwedMessage, Partition, Press,
        Question, WaitingHook,
    },
    plan::{Circumstances, plan},
    reason::{Reason, Silent},
    release::{Place, Release, ReleaseId},
    signal::{AlarmChange, AlarmState, Left, LeftAt, Quieted, Signal, Silence},
    start::{Failure, Guard, Invocation},
};

/// Nobody answered a question in time: `otherwise` does. `presses` are those that are not judged yet.
///
/// # Errors
/// When something that the answer depends on could not be learnt, or when a call kept failing. The question stays
/// open, and the next minute answers it.
pub async fn silence(
    guard: &Guard,
    question: &Question,
    presses: &[Press],
    invocation: Invocation<'_>,
) -> Result<Vec<Value>, Failure> {
    let now = invocation.now;
    let mut question = question.clone();
    if let Some(Quieted::Unread { .. }) = question.change.quieted {
        question.change.quieted = quieted(guard, &question.change).await;
    }
    let question = &question;
    if let Some(release) = &question.release {
        let key = format!("question/{}", question.key);
        was_not_silent(guard, release, &key, presses, now).await?;
        let over = Note::Answered(question.key.clone());
        if !silence_answers(guard, release, &key, None, &over, now).await? {
            // A person's answer came in time, and is being carried out: that closes the question.
            return Ok(vec![json!({ "question": "answered" })]);
        }
    }
    let signal = Signal::Silence(Silence {
        question: question.key.clone(),
        release: question.release.clone(),
        change: question.change.clone(),
        deadline: question.deadline,
    });
    let nothing = || Observed::Known { value: Vec::new(), at: now };
    let service = guard.policy.service(&question.service);
    let mut evidence = match (decision::silence::needs_evidence(&guard.policy, question), service) {
        (Some(change), Some(service)) => {
            gather::alarm::gather_again(&guard.adapters, &guard.policy, service, change, now).await
        }
        _ => AlarmEvidence {
            services: Vec::new(),
            judged: nothing(),
            incidents: Observed::Known { value: Vec::new(), at: now },
            stands: gather::alarm::not_asked_for(),
            delivery: Observed::Known { value: 1, at: now },
        },
    };
    let mut decisions = decision::silence::decide(&guard.policy, &evidence, question, now);
    if decisions.iter().any(|decision| decision.verdict == Verdict::LookAgain) {
        let owner = invocation.claimant();
        evidence.delivery = gather::delivery(&guard.adapters, &signal, Claimant { owner: &owner, now }).await;
        decisions = decision::silence::decide(&guard.policy, &evidence, question, now);
    }
    // Side by side: one place's undo does not wait for another one's message.
    let finished = decisions.into_iter().map(|decision| {
        let around = Circumstances { watch: watch(&evidence, &decision), ..Circumstances::of(&signal, now) };
        finish(guard, decision, around, question.deadline, invocation)
    });
    let outcomes = join_all(finished).await.into_iter().collect::<Result<Vec<Value>, Failure>>()?;
    // Over only once all of it is: whoever comes after a crash before this finds it open and finishes it.
    guard.adapters.ledger.keep(&Note::Answered(question.key.clone()), now).await?;
    Ok(outcomes)
}

/// A press that came in time and could not be judged yet is no silence: it is judged first, for as long as that is tried.
///
/// # Errors
/// That there is one, or that it cannot be read whether there is.
async fn was_not_silent(
    guard: &Guard,
    release: &ReleaseId,
    key: &str,
    presses: &[Press],
    now: Timestamp,
) -> Result<(), Failure> {
    for press in presses {
        let Some(offer) = guard.adapters.ledger.offered(&press.offer, now).await? else {
            continue;
        };
        if offer.release != *release || offer.key != key {
            continue;
        }
        let known = guard.adapters.ledger.release(release, now).await?;
        if handled(&known, &press.by, &press.stamp).is_none()
            && decision::approval::holds_up(&guard.policy, &offer, &known, press, now)
        {
            let message = format!("{key}: an answer of {:.0} is not judged yet", press.at);
            return Err(Failure { kind: "EvidenceMissing", message });
        }
    }
    Ok(())
}

/// Gives an offer silence for its answer; false if another came first. `over` closes what was open.
async fn silence_answers(
    guard: &Guard,
    release: &ReleaseId,
    key: &str,
    choice: Option<Choice>,
    over: &Note,
    now: Timestamp,
) -> Result<bool, Failure> {
    let answered = Answered { by: Answerer::Silence, choice, why: None, at: now };
    let first = guard.adapters.ledger.answer(release, key, &answered, now).await;
    let first = first?;
    let (who, stamp) = match &first.by {
        Answerer::Silence => return Ok(true),
        Answerer::Person { who, stamp } => (who, stamp),
        // Answered elsewhere: nothing of ours will close it.
        Answerer::Elsewhere { who: _ } => {
            guard.adapters.ledger.keep(over, now).await?;
            return Ok(false);
        }
    };
    // A delivery that came twice may have opened again what a person's answer has closed.
    let known = guard.adapters.ledger.release(release, now).await?;
    if handled(&known, who, stamp).is_some() {
        guard.adapters.ledger.keep(over, now).await?;
    }
    Ok(false)
}

/// A hook waits for an answer that nobody can give any more: the policy's `on_doubt` does.
///
/// # Errors
/// When a call kept failing. The hook stays open, and the next minute answers it.
pub async fn hook_left(
    guard: &Guard,
    waiting: &WaitingHook,
    presses: &[Press],
    invocation: Invocation<'_>,
) -> Result<Value, Failure> {
    let now = invocation.now;
    let signal = Signal::HookLeft(waiting.call.clone());
    if let Some(otherwise) = waiting.otherwise {
        let key = Signal::Hook(waiting.call.clone()).key();
        let choice = if otherwise == Silent::LetsThrough { Choice::Approve } else { Choice::Reject };
        let over = Note::Replied(waiting.call.clone());
        was_not_silent(guard, &waiting.call.deployment, &key, presses, now).await?;
        if !silence_answers(guard, &waiting.call.deployment, &key, Some(choice), &over, now).await? {
            return Ok(json!({ "question": "answered" }));
        }
    }
    let deployment =
        Observed::from_result(guard.adapters.codedeploy.deployment(&waiting.call.deployment).await, now);
    let decision = match waiting.otherwise {
        Some(_) => decision::hook::unanswered(&guard.policy, &deployment, waiting),
        None => {
            let ledger = guard.adapters.ledger.release(&waiting.call.deployment, now).await;
            let before = decision::hook::before(&ledger?, &waiting.call);
            decision::hook::left_waiting(&guard.policy, &deployment, before.as_ref(), waiting.since, now)
        }
    };
    let over = vec![Note::Replied(waiting.call.clone())];
    let around = Circumstances { over, ..Circumstances::of(&signal, now) };
    let answered = finish(guard, decision, around, now, invocation).await;
    if answered.is_err() && now.duration_since(waiting.since) > WAITED_FOR {
        // Nobody waits any more, or nobody ever did: a call that somebody made up.
        guard.adapters.ledger.keep(&Note::Replied(waiting.call.clone()), now).await?;
    }
    answered
}

/// CodeDeploy itself fails a hook that has no answer within an hour (CodeDeploy User Guide, "AppSpec 'hooks' section for an
/// AWS Lambda deployment"), and some minutes for clocks that differ.
const WAITED_FOR: SignedDuration = SignedDuration::from_mins(65);

/// A release was left behind in the middle of its undo: it is finished.
///
/// # Errors
/// As [`silence`].
pub async fn left(
    guard: &Guard,
    release: &Release,
    undo: &Effect,
    what: LeftAt,
    invocation: Invocation<'_>,
) -> Result<Value, Failure> {
    let now = invocation.now;
    let decision = match what {
        LeftAt::Claimed => decision::release::unfinished(&guard.policy, release, undo, Half::Whole),
        LeftAt::Redeploying => decision::release::unfinished(&guard.policy, release, undo, Half::Second),
        LeftAt::Missed => decision::release::missed(&guard.policy, release, undo),
        LeftAt::Stopped => match &release.place {
            Place::Group(_) => {
                let back = gather::way_back(&guard.adapters, release, now).await;
                decision::release::no_rollback_followed(&guard.policy, release, &back, now)
            }
            Place::Stage(place) => {
                let remains = Box::pin(gather::remains(&guard.adapters, place, &release.id, now)).await;
                let remains = Observed::from_result(remains, now);
                match decision::release::rest_of_stage(&guard.policy, release, &remains, now) {
                    Some(decision) => decision,
                    None => return Ok(json!({ "left": "still on its way back" })),
                }
            }
        },
    };
    let signal = Signal::Left(Left { release: release.id.clone(), what });
    // That something could not be read settles nothing, and has a message of its own.
    let unknown = decision.effect.is_none()
        && decision.reasons.iter().any(|reason| matches!(reason, Reason::CouldNotLearn { .. }));
    // Nor is it to be said of what has gone back that it has not.
    let back = matches!(decision.reasons.first(), Reason::RollbackDone { .. });
    let message = match (&decision.service, unknown, back) {
        (_, true, _) => Some(format!("unknown/{}", signal.key())),
        (Some(service), _, true) => Some(decision::release::all_back(service, &release.id)),
        (_, false, _) => None,
    };
    finish(guard, decision, Circumstances { message, ..Circumstances::of(&signal, now) }, now, invocation)
        .await
}

/// An alarm that the sweep found: judged like its event, unless it was judged already. What the event would have said of
/// mute rules is asked.
///
/// # Errors
/// As [`super::alarm`].
pub async fn found(
    guard: &Guard,
    change: &AlarmChange,
    looked: &Arc<Looked>,
    invocation: Invocation<'_>,
) -> Result<Vec<Value>, Failure> {
    let now = invocation.now;
    let partition = Partition::Signal(Signal::Alarm(change.clone()).key());
    let judged = guard.adapters.ledger.read(&partition, now).await?.judged;
    let watchers = guard.policy.watchers(&change.alarm);
    let is_judged = |service| judged.iter().any(|judged| judged.service.as_ref() == Some(service));
    if watchers.iter().all(|watcher| is_judged(&watcher.service.name)) {
        return Ok(Vec::new());
    }
    let mut change = change.clone();
    if change.to != AlarmState::Ok && change.quieted.is_none() {
        change.quieted = quieted(guard, &change).await;
    }
    Box::pin(super::alarm(guard, &change, looked, Origin::Sweep, invocation)).await
}

/// What an alarm's event would have said of mute rules, read now.
async fn quieted(guard: &Guard, change: &AlarmChange) -> Option<Quieted> {
    match guard.adapters.cloudwatch.muted(&change.alarm).await {
        Ok(muted) => muted.map(|by| Quieted::Muted { by, until: None }),
        Err(error) => Some(Quieted::Unread { why: error.to_string() }),
    }
}

/// How long a message is still worth sending to a chat product.
const STALE: SignedDuration = SignedDuration::from_hours(24);

/// A message was written down and may not have been sent: it is, unless somebody is at it. `cardless` are the releases
/// whose card could not be shown a moment ago: what belongs into their threads waits for the next minute.
///
/// # Errors
/// When it could not be read, or the topic did not take it: the next minute tries again. What a chat product did not take
/// is logged and stays owed, and is no failure: it would have Lambda repeat the sweep, which asks AWS everything again.
pub async fn owed(
    guard: &Guard,
    owed: &Owed,
    cardless: &BTreeSet<ReleaseId>,
    invocation: Invocation<'_>,
) -> Result<Vec<Value>, Failure> {
    let now = invocation.now;
    let ledger = guard.adapters.ledger.owed(owed, now).await?;
    let is_it = |message: &&OwedMessage| message.key == owed.key && message.to == owed.to;
    let Some(message) = ledger.owed.iter().find(is_it) else {
        // It was sent, and whoever did died before saying so here; or it was never written down, and whoever was to
        // write it is dead.
        let told = owed.to == Destination::Topic && ledger.told.contains(&owed.key);
        if told || now.duration_since(owed.since) > LEASE {
            guard.adapters.ledger.keep(&Note::Paid(owed.clone()), now).await?;
        }
        return Ok(Vec::new());
    };
    if now < message.until {
        return Ok(Vec::new());
    }
    // The topic has had it. After a day it is no news to anybody, and what did not pass by then never will.
    if owed.to != Destination::Topic && now.duration_since(message.message.at) > STALE {
        guard.adapters.ledger.keep(&Note::Paid(owed.clone()), now).await?;
        return Ok(Vec::new());
    }
    let on = message.message.slack.as_ref().and_then(|place| place.card.as_ref());
    let in_thread = matches!(owed.to, Destination::Slack | Destination::Picture);
    if in_thread && on.is_some_and(|card| cardless.contains(&card.release)) {
        return Ok(Vec::new());
    }
    let scene = guard.scene(invocation);
    let outcome = send(message, scene).await;
    match outcome.failed() {
        Some(message) => Err(Failure { kind: "AwsCallFailed", message }),
        None => Ok(vec![outcome.report()]),
    }
}

async fn finish(
    guard: &Guard,
    decision: Decision,
    around: Circumstances<'_>,
    at: Timestamp,
    invocation: Invocation<'_>,
) -> Result<Value, Failure> {
    let scene = guard.scene(invocation);
    let signal = around.signal;
    let outcome = Box::pin(carry_out(plan(decision, around), signal, at, scene)).await;
    settled(&outcome, &signal.key())
}
