//! A person answered, or a pipeline asks for one.

use jiff::Timestamp;
use serde_json::{Value, json};
use tracing::{error, info, warn};

use super::settled;
use crate::{
    approval::Person,
    aws::ledger::Claimant,
    carry_out::carry_out,
    chat::{draw, text::escape},
    decision::{
        self, Decision, Urgency, Verdict,
        approval::{Refused, is_this, lets_go_on},
        manual::{Known, answer, is_ours},
    },
    evidence::{Ahead, Notice, Observed},
    gather,
    ledger::{About, Answered, Answerer, EffectState, Note, Offer, Press, Pressed, ReleaseLedger, Watch},
    plan::{Circumstances, plan},
    policy::Service,
    reason::{Reason, Reasons},
    release::{Change, Place, Release, Stage},
    signal::{Approval, ApprovalNotice, ManualChange, ManualHappening, Signal},
    start::{Failure, Guard, Invocation},
};

/// The one way through, for one press: does it count, what follows from it, and who is told. A press that comes again,
/// from Slack, from Lambda or from the sweep, finds that it was handled.
///
/// # Errors
/// When something that the answer turns on could not be learnt, or when a call kept failing. The press stays written
/// down, and the sweep judges it in the next minute.
pub async fn pressed(guard: &Guard, press: &Press, invocation: Invocation<'_>) -> Result<Value, Failure> {
    let (ledger, now) = (&guard.adapters.ledger, invocation.now);
    let Some(offer) = ledger.offered(&press.offer, now).await? else {
        // A button of ours always stands for something: this one is older than the ledger remembers.
        whisper(guard, press, "This button is too old: Belay does not know any more what it was about.")
            .await;
        ledger.keep(&Note::Unpressed(press.clone()), now).await?;
        return Ok(json!({ "press": "unknown" }));
    };
    let known = ledger.release(&offer.release, now).await?;
    if let Some(before) = handled(&known, &press.by, &press.stamp) {
        // What was refused has closed nothing: whoever may is still asked.
        let closing = closing(&offer).filter(|_| before.refused.is_none());
        for note in closing.into_iter().chain([Note::Unpressed(press.clone())]) {
            ledger.keep(&note, now).await?;
        }
        return Ok(json!({ "press": "handled before" }));
    }
    let counted = known.answers.get(&offer.key).is_some_and(|first| is_this(first, press));
    if now.duration_since(press.at) > decision::approval::patience(&offer.about) {
        return if counted {
            Box::pin(give_up(guard, press, &offer, &known, invocation)).await
        } else {
            Box::pin(refuse(guard, press, &offer, &known, &Refused::GivenUp, now)).await
        };
    }
    // Who may not answer is told so, and holds nothing up, whatever else is not known.
    if let Err(refused) = decision::approval::may(&guard.policy, &offer, &known, None, press) {
        return Box::pin(refuse(guard, press, &offer, &known, &refused, now)).await;
    }
    // Nobody approves what they may have wanted themselves: while that is not known, nothing is taken for an answer.
    let wanted = if lets_go_on(press.choice) {
        let service = guard.policy.service(&offer.service);
        let wanted = Box::pin(gather::approval::wanted(&guard.adapters, service, &offer)).await;
        Some(wanted?)
    } else {
        None
    };
    let evidence = Box::pin(gather::approval::gather(&guard.adapters, &offer, &known, now)).await;
    let may = decision::approval::may(&guard.policy, &offer, &known, wanted.as_ref(), press);
    let approval = Approval { offer: offer.clone(), press: press.clone() };
    let mut evidence = evidence;
    let mut decision = decision::approval::decide(&guard.policy, &evidence, &approval, now);
    let not_yet = decision::approval::not_yet(&evidence, &decision).filter(|_| may.is_ok() && !counted);
    if let Some(refused) = not_yet {
        return Box::pin(put_off(guard, &approval, decision, &known, &refused, invocation)).await;
    }
    let may = match may {
        Ok(()) => first(guard, &offer, press, now).await?,
        Err(refused) => Err(refused),
    };
    if let Err(refused) = may {
        return Box::pin(refuse(guard, press, &offer, &known, &refused, now)).await;
    }
    info!(choice = press.choice.word(), "an answer counts");
    let signal = Signal::Approval(Box::new(approval));
    if decision.verdict == Verdict::LookAgain {
        let owner = invocation.claimant();
        evidence.delivery = gather::delivery(&guard.adapters, &signal, Claimant { owner: &owner, now }).await;
        let Signal::Approval(approval) = &signal else { return Ok(Value::Null) };
        decision = decision::approval::decide(&guard.policy, &evidence, approval, now);
    }
    // Handled only once nothing waits for it any more: whoever dies in between leaves it to be handled again.
    let counted = Pressed { press: press.clone(), refused: None };
    let mut over = Vec::from_iter(closing(&offer));
    over.extend([Note::Handled(offer.release.clone(), counted), Note::Unpressed(press.clone())]);
    // However long ago it was let go: what is to be undone is looked after until it is.
    let release = decision.release.as_ref().map(|subject| &subject.deployment);
    let watch =
        release.filter(|_| decision.effect.is_some()).map(|release| Watch::of(&offer.service, release));
    let around = Circumstances { watch, over, owed: &known.owed, ..Circumstances::of(&signal, now) };
    let outcome =
        Box::pin(carry_out(plan(decision, around), &signal, press.at, guard.scene(invocation))).await;
    settled(&outcome, &signal.key())
}

/// What is open no more once an offer has its answer.
fn closing(offer: &Offer) -> Option<Note> {
    match &offer.about {
        About::Question(question) => Some(Note::Answered(question.key.clone())),
        About::Hook { call, .. } => Some(Note::Replied(call.clone())),
        About::Pipeline(_) | About::Release => None,
    }
}

/// What became of a press that has been handled to its end.
pub(super) fn handled<'a>(known: &'a ReleaseLedger, by: &Person, stamp: &str) -> Option<&'a Pressed> {
    known.presses.iter().find(|before| before.press.stamp == stamp && before.press.by == *by)
}

/// Gives the offer its answer, unless somebody was first.
async fn first(
    guard: &Guard,
    offer: &Offer,
    press: &Press,
    now: Timestamp,
) -> Result<Result<(), Refused>, Failure> {
    let answered = Answered {
        by: Answerer::Person { who: press.by.clone(), stamp: press.stamp.clone() },
        choice: Some(press.choice),
        why: press.why.clone(),
        at: press.at,
    };
    let first = guard.adapters.ledger.answer(&offer.release, &offer.key, &answered, now).await;
    let first = first?;
    Ok(if is_this(&first, press) { Ok(()) } else { Err(Refused::AnsweredBefore(Box::new(first))) })
}

/// An answer that counted and could not be carried out for too long: everybody is told, since nobody else can answer any
/// more. An undo that was begun is gone on with all the same, by the sweep.
async fn give_up(
    guard: &Guard,
    press: &Press,
    offer: &Offer,
    known: &ReleaseLedger,
    invocation: Invocation<'_>,
) -> Result<Value, Failure> {
    let undo = [&known.undo, &known.redeploy].into_iter().flatten();
    let begun = undo.map(|undo| undo.state).any(|state| matches!(state, EffectState::Claimed { .. }));
    let refused = if begun { Refused::GoesOn } else { Refused::GivenUp };
    whisper(guard, press, &refused.to_string()).await;
    let minutes = decision::approval::patience(&offer.about).as_mins();
    let then = if begun {
        "It goes on trying every minute"
    } else {
        "It does not try any more: look at the release, and do it in the console"
    };
    let what = format!("it could not carry out “{}” for {minutes} minutes. {then}", press.choice);
    let chose = Reason::PersonChose { choice: press.choice, why: press.why.clone() };
    let reasons = Reasons::new(Reason::OwnFailure { what }, vec![chose]);
    let decision = Decision::plain(Some(&offer.service), None, Verdict::Notify(Urgency::Loud), reasons);
    let pressed = Pressed { press: press.clone(), refused: Some(refused.to_string()) };
    let over = vec![Note::Handled(offer.release.clone(), pressed), Note::Unpressed(press.clone())];
    let signal = Signal::Approval(Box::new(Approval { offer: offer.clone(), press: press.clone() }));
    let around = Circumstances { over, ..Circumstances::of(&signal, invocation.now) };
    let outcome =
        Box::pin(carry_out(plan(decision, around), &signal, press.at, guard.scene(invocation))).await;
    settled(&outcome, &signal.key())
}

/// What has to wait for somebody else's answer: not taken for an answer, so that what was asked stays open. Everybody is
/// told, since users have for so long what somebody wants to be rid of.
async fn put_off(
    guard: &Guard,
    approval: &Approval,
    decision: Decision,
    known: &ReleaseLedger,
    refused: &Refused,
    invocation: Invocation<'_>,
) -> Result<Value, Failure> {
    let Approval { offer, press } = approval;
    info!(choice = press.choice.word(), why = %refused, "an answer has to wait");
    whisper(guard, press, &refused.to_string()).await;
    let pressed = Pressed { press: press.clone(), refused: Some(refused.to_string()) };
    let over = vec![Note::Handled(offer.release.clone(), pressed), Note::Unpressed(press.clone())];
    // It may be pressed again, with another end: a key of its own keeps nothing of that from being told.
    let key = format!("{}/not-yet/{:.3}", offer.key, press.at);
    let own = Approval { offer: Offer { key, ..offer.clone() }, press: press.clone() };
    let signal = Signal::Approval(Box::new(own));
    let around = Circumstances { over, owed: &known.owed, ..Circumstances::of(&signal, invocation.now) };
    let outcome =
        Box::pin(carry_out(plan(decision, around), &signal, press.at, guard.scene(invocation))).await;
    settled(&outcome, &signal.key())
}

/// A press that does not count: written down, and told to nobody but who pressed.
async fn refuse(
    guard: &Guard,
    press: &Press,
    offer: &Offer,
    known: &ReleaseLedger,
    refused: &Refused,
    now: Timestamp,
) -> Result<Value, Failure> {
    let text = match refused {
        Refused::AnsweredBefore(first) => was_first(guard, offer, known, first, now).await,
        Refused::NotAnApprover
        | Refused::OwnRelease
        | Refused::NotOffered(_)
        | Refused::TooLate(_)
        | Refused::GivenUp
        | Refused::GoesOn
        | Refused::NotYet { .. }
        | Refused::NotGuarded => refused.to_string(),
    };
    info!(choice = press.choice.word(), why = %refused, "an answer does not count");
    whisper(guard, press, &text).await;
    let pressed = Pressed { press: press.clone(), refused: Some(refused.to_string()) };
    let ledger = &guard.adapters.ledger;
    ledger.keep(&Note::Handled(offer.release.clone(), pressed), now).await?;
    ledger.keep(&Note::Unpressed(press.clone()), now).await?;
    Ok(json!({ "press": "refused", "why": refused.to_string() }))
}

/// Who was first, and what came of it: the release as its card describes it now.
async fn was_first(
    guard: &Guard,
    offer: &Offer,
    known: &ReleaseLedger,
    first: &Answered,
    now: Timestamp,
) -> String {
    let who = match &first.by {
        Answerer::Person { who, .. } => format!("<@{}>", who.user),
        Answerer::Elsewhere { who: _ } => "Somebody in the console or by the CLI".to_owned(),
        Answerer::Silence => "The deadline".to_owned(),
    };
    let chose = first.choice.map_or(String::new(), |choice| format!(" with “{choice}”"));
    let on = crate::message::OnCard {
        release: offer.release.clone(),
        service: offer.service.clone(),
        place: offer.place.clone(),
    };
    let now_is = match Box::pin(gather::card::gather(&guard.adapters, &guard.policy, &on, now)).await {
        Ok(facts) => format!(" {}.", escape(&draw::card(&facts, &guard.console).0.headline)),
        Err(_) => {
            let last = known.decisions.last();
            last.map_or(String::new(), |last| escape(&format!(" Then: {}", last.reasons.first())))
        }
    };
    format!("{who} was first{chose}, at {:.0}.{now_is}", first.at)
}

/// Tells whoever pressed, and nobody else. What is lost here is no message: the press stands in the ledger, and the
/// card shows how things are.
async fn whisper(guard: &Guard, press: &Press, text: &str) {
    let Some(chat) = &guard.adapters.chat else { return };
    if let Err(error) = chat.slack.whisper(&press.channel, &press.by.user, text).await {
        warn!(%error, "could not answer whoever pressed");
    }
}

/// The one way through, for a pipeline's manual approval: one decision for each service that it is about.
///
/// # Errors
/// When something could not be read or written down: then it is to be delivered again.
pub async fn manual(
    guard: &Guard,
    change: &ManualChange,
    invocation: Invocation<'_>,
) -> Result<Vec<Value>, Failure> {
    manual_with(guard, change, None, invocation).await
}

/// The same, when CodePipeline's own notification tells that an approval waits. It becomes the change that the action's
/// event is, under the same key, so that of both people are asked once. Which execution waits is known by the token; the
/// outcomes are none, and say so, if none does any more.
///
/// # Errors
/// As [`manual`].
pub async fn notified(
    guard: &Guard,
    notice: &ApprovalNotice,
    invocation: Invocation<'_>,
) -> Result<Vec<Value>, Failure> {
    let (stage, action) = (&notice.stage, &notice.action);
    let nothing = |why: &str| {
        info!(%stage, action, why, "nothing to ask");
        vec![json!({ "approval": format!("{stage}/{action}"), "why": why })]
    };
    if guard.policy.in_pipeline(&stage.pipeline).is_empty() {
        return Ok(nothing("no service in the policy is released by this pipeline"));
    }
    let waiting = guard.adapters.codepipeline.waiting_for(stage, action, &notice.token).await;
    let Some(waiting) = waiting? else {
        return Ok(nothing("it waits no more: it was answered, stopped or replaced"));
    };
    info!(%stage, action, execution = waiting.execution, "the approval waits in an execution");
    let change = notice.of(waiting.execution, waiting.run);
    manual_with(guard, &change, Some(&notice.notice), invocation).await
}

async fn manual_with(
    guard: &Guard,
    change: &ManualChange,
    notice: Option<&Notice>,
    invocation: Invocation<'_>,
) -> Result<Vec<Value>, Failure> {
    let mut judged = Vec::new();
    // One that fails has it come again, and keeps no other service from being asked before that.
    for (service, watch) in decision::approval::concerned(&guard.policy, change) {
        let outcome = Box::pin(manual_of(guard, service, &watch, (change, notice), invocation)).await;
        judged.push(outcome.inspect_err(|failure| error!(%failure, service = %service.name, "not asked")));
    }
    judged.into_iter().collect()
}

async fn manual_of(
    guard: &Guard,
    service: &Service,
    watch: &Watch,
    (change, notice): (&ManualChange, Option<&Notice>),
    invocation: Invocation<'_>,
) -> Result<Value, Failure> {
    let now = invocation.now;
    let Place::Stage(stage) = &watch.place else { return Ok(Value::Null) };
    let known = guard.adapters.ledger.release(&watch.release, now).await?;
    let (release, ahead) = tokio::join!(
        gather::approval::waiting(&guard.adapters, stage, &watch.release, now),
        ahead(guard, service, stage, (change, notice), &known, now),
    );
    let release: Release = match release {
        Observed::Known { value, .. } => value,
        // A person is asked all the same: the pipeline waits.
        Observed::Missing { .. } => decision::approval::not_begun(watch, Change::default(), None),
    };
    let mut answered = known.answers.get(&change.key()).cloned();
    let over = matches!(change.what, ManualHappening::Approved | ManualHappening::Failed);
    let elsewhere = if over && !is_ours(change, answered.as_ref()) {
        Some(Box::pin(gather::approval::elsewhere(&guard.adapters, change, now)).await)
    } else {
        None
    };
    // The answer that stands may be ours after all: then it was told when it was given.
    if let (None, Some(answer)) = (&answered, elsewhere.as_ref().and_then(|told| answer(change, told))) {
        let stands = guard.adapters.ledger.answer(&watch.release, &change.key(), &answer, now).await;
        answered = Some(stands?);
    }
    let known_of_it = Known { answered, elsewhere, ahead };
    let decision = decision::manual::manual(service, &release, change, known_of_it);
    let signal = Signal::Manual(change.clone());
    let watch = Watch { began: release.created_at, ..watch.clone() };
    let around = Circumstances { watch: Some(watch), owed: &known.owed, ..Circumstances::of(&signal, now) };
    let outcome =
        Box::pin(carry_out(plan(decision, around), &signal, change.at, guard.scene(invocation))).await;
    settled(&outcome, &signal.key())
}

/// What lies ahead of whoever is asked. What was asked before keeps what was told then: event and notification tell of
/// the same, and whoever comes second adds nothing to the question.
async fn ahead(
    guard: &Guard,
    service: &Service,
    stage: &Stage,
    (change, notice): (&ManualChange, Option<&Notice>),
    known: &ReleaseLedger,
    now: Timestamp,
) -> Option<Ahead> {
    if change.what != ManualHappening::Waits || known.answers.contains_key(&change.key()) {
        return None;
    }
    if let Some(asked) = known.asked.iter().find(|offer| offer.key == change.key()) {
        return asked.ahead.as_deref().cloned();
    }
    let gathered = gather::ahead::gather(&guard.adapters, service, stage, change, notice.cloned(), now);
    Some(Box::pin(gathered).await)
}
