//! A lifecycle hook was called: what CodeDeploy is told.

use std::{num::NonZeroUsize, time::Duration};

use jiff::{SignedDuration, Timestamp};

use crate::{
    approval::Choice,
    decision::{Asking, Decision, HookAnswer, Verdict},
    evidence::{CheckResult, Finding, HookBefore, HookEvidence, Observed},
    ledger::{About, Answered, Answerer, ReleaseLedger, WaitingHook},
    policy::{ApprovalOtherwise, Check, Mode, OnDoubt, Policy, Service},
    reason::{Reason, Reasons, Silent},
    release::{LifecycleEvent, Release, ServiceName},
    signal::{HookCall, Signal},
};

/// What a hook's call asks of the policy, once it is known which deployment and which event called.
pub enum Asked<'a> {
    /// These checks.
    Checks(&'a [Check], &'a Service),
    /// Nothing was configured; the noun phrase says what.
    Nothing(String, Option<&'a Service>),
}

/// The checks that the policy wants for one lifecycle event of one deployment.
pub fn asked<'a>(policy: &'a Policy, deployment: &Release, event: &LifecycleEvent) -> Asked<'a> {
    match policy.deployed_by(&deployment.place) {
        None => Asked::Nothing(format!("No service in the policy is deployed by {}", deployment.place), None),
        Some(service) => match service.hooks.get(event) {
            Some(checks) if !checks.is_empty() => Asked::Checks(checks, service),
            Some(_) | None => Asked::Nothing(
                format!("The policy has no checks of {} for {event}", service.name),
                Some(service),
            ),
        },
    }
}

/// What our own failure answers for a service. One that is only observed is never held up.
pub fn in_doubt_for(service: &Service) -> OnDoubt {
    match service.mode {
        Mode::Observe => OnDoubt::Succeed,
        Mode::Enforce => service.on_doubt,
    }
}

/// Whether what a deployment's hook is answered depends on the event that called it.
pub fn needs_event(policy: &Policy, deployment: &Release) -> bool {
    !deployment.is_rollback() && policy.deployed_by(&deployment.place).is_some()
}

/// What the ledger of a release knows of a call that was judged before.
pub fn before(ledger: &ReleaseLedger, call: &HookCall) -> Option<HookBefore> {
    let key = Signal::Hook(call.clone()).key();
    let of_this = || ledger.decisions.iter().filter(|decision| decision.signal == key);
    // What was answered without knowing whose hook it is was no judgement: it may be that of a service which is only observed.
    let known = || of_this().filter(|decision| decision.service.is_some());
    let answered = known().find_map(|decision| match decision.verdict {
        Verdict::Answer(answer) => Some((decision, answer)),
        _ => None,
    });
    if let Some((decision, answer)) = answered {
        let (service, reasons) = (decision.service.clone(), decision.reasons.clone());
        return Some(HookBefore::Answered { service, answer, reasons });
    }
    let asked = of_this().find(|decision| decision.verdict == Verdict::Ask)?;
    let offer = ledger.asked.iter().find(|offer| offer.key == key)?;
    let (About::Hook { event, .. }, Some(deadline), Some(otherwise)) =
        (&offer.about, offer.deadline, offer.otherwise)
    else {
        return None;
    };
    let (event, asking) = (event.clone(), Asking { deadline, otherwise });
    Some(HookBefore::Asked { event, asking, reasons: asked.reasons.clone() })
}

/// Decides what a lifecycle hook answers. Total: there is always an answer, or a question whose silence is one.
pub fn decide(policy: &Policy, evidence: &HookEvidence, call: &HookCall) -> Decision {
    // One call has one answer. By the time it comes again another event may be in progress.
    if let Some(HookBefore::Answered { service, answer, reasons }) = &evidence.before {
        return as_before(policy, service.as_ref(), evidence.deployment.known().ok(), *answer, reasons);
    }
    let deployment = match evidence.deployment.known() {
        Ok(deployment) => deployment,
        Err(why) => {
            // Which service is it? Unknown, and so is its `on_doubt`: the answer that lets nothing through.
            let what = "which deployment called the hook".to_owned();
            if evidence.before.is_some() {
                // A person is thinking about it, and the sweep answers for their silence.
                return Decision::plain(None, None, Verdict::LookAgain, learn(what, why).into());
            }
            return answer(None, None, HookAnswer::Failed, learn(what, why).into());
        }
    };
    let guarding = policy.deployed_by(&deployment.place);
    if deployment.is_rollback() {
        let reason = Reason::RollbackNotHeldUp { of: deployment.rolls_back.clone() };
        return answer(guarding, Some(deployment), HookAnswer::Succeeded, reason.into());
    }
    // Called again after somebody answered: that answer stands, and nobody is asked twice.
    if let Some(answered) = &evidence.answered {
        return as_answered(guarding, deployment, answered);
    }
    // Called again while a person is thinking: that question stands.
    if let (Some(HookBefore::Asked { event, asking, reasons }), Some(service)) = (&evidence.before, guarding)
    {
        return still_asked(service, deployment, call, (event, *asking), reasons);
    }
    let event = match evidence.event.known() {
        Ok(event) => event,
        Err(why) => {
            let what = format!("which lifecycle event of {} called the hook", deployment.id);
            return match guarding {
                Some(service) => in_doubt(service, deployment, learn(what, why), Vec::new()),
                None => answer(None, Some(deployment), HookAnswer::Failed, learn(what, why).into()),
            };
        }
    };
    let (checks, service) = match asked(policy, deployment, event) {
        Asked::Nothing(what, service) => {
            let reasons = Reason::NotConfigured { what }.into();
            return answer(service, Some(deployment), HookAnswer::Failed, reasons);
        }
        Asked::Checks(checks, service) => (checks, service),
    };
    let mut failed = Vec::new();
    let mut doubted = Vec::new();
    let mut passed = Vec::new();
    for CheckResult { check, finding } in &evidence.checks {
        let check = check.clone();
        match finding {
            Finding::Pass { saw } => passed.push(Reason::CheckPassed { check, saw: saw.clone() }),
            Finding::Fail { saw } => failed.push(Reason::CheckFailed { check, saw: saw.clone() }),
            Finding::Inconclusive { why } | Finding::Error { why } => {
                doubted.push(Reason::CheckInDoubt { check, why: why.clone() });
            }
        }
    }
    if !failed.is_empty() {
        let rest: Vec<Reason> = failed.split_off(1).into_iter().chain(doubted).chain(passed).collect();
        let reasons = Reasons::new(failed.remove(0), rest);
        return answer(Some(service), Some(deployment), HookAnswer::Failed, reasons);
    }
    if !doubted.is_empty() {
        let first = doubted.remove(0);
        doubted.extend(passed);
        if service.approvers.is_empty() || service.chat.slack.is_none() || service.mode == Mode::Observe {
            return in_doubt(service, deployment, first, doubted);
        }
        // People who can look decide better than a rule does; should they be silent, the rule does.
        let otherwise = match service.on_doubt {
            OnDoubt::Fail => Silent::HoldsUp,
            OnDoubt::Succeed => Silent::LetsThrough,
        };
        let asking = asking(evidence.called, service.ask.within.min(LONGEST), otherwise);
        return ask(service, deployment, call, event, asking, Reasons::new(first, doubted));
    }
    let measured = checks.iter().filter(|check| !matches!(check, Check::Approval { .. })).count();
    let approval = approval(checks, evidence.called);
    // A check that left no result behind is not a check that passed.
    match NonZeroUsize::new(passed.len()) {
        _ if passed.len() == measured && approval.is_some() && service.mode == Mode::Enforce => {
            let asking = approval.unwrap_or_else(|| asking(evidence.called, LONGEST, Silent::HoldsUp));
            let first = Reason::HookWaits { event: event.clone() };
            ask(service, deployment, call, event, asking, Reasons::new(first, passed))
        }
        Some(count) if passed.len() == measured => {
            let first = Reason::ChecksPassed { count, event: event.clone() };
            let reasons = Reasons::new(first, passed);
            answer(Some(service), Some(deployment), HookAnswer::Succeeded, reasons)
        }
        // In `observe` nobody is held up by a person who is asked.
        None if measured == 0 && approval.is_some() => {
            let reasons =
                Reasons::new(Reason::WouldHaveAsked, vec![Reason::HookWaits { event: event.clone() }]);
            answer(Some(service), Some(deployment), HookAnswer::Succeeded, reasons)
        }
        Some(_) | None => {
            let what = format!("what the checks found: {} results for {measured} checks", passed.len());
            let reason = learn(what, "a check left no result behind");
            in_doubt(service, deployment, reason, passed)
        }
    }
}

/// CodeDeploy waits for an hour, and what silence means has to be answered within it.
const LONGEST: Duration = Duration::from_mins(55);

/// Until when a person may answer, and what silence means, if the policy wants a person's approval. Of several, the
/// shortest: all of them have to be given.
fn approval(checks: &[Check], called: Timestamp) -> Option<Asking> {
    let asked = checks.iter().filter_map(|check| match check {
        Check::Approval { within, otherwise: ApprovalOtherwise::Fail } => Some((*within, Silent::HoldsUp)),
        Check::Approval { within, otherwise: ApprovalOtherwise::Succeed } => {
            Some((*within, Silent::LetsThrough))
        }
        Check::Http(_) | Check::AlarmsQuiet | Check::Lambda { .. } => None,
    });
    asked.min_by_key(|(within, _)| *within).map(|(within, otherwise)| asking(called, within, otherwise))
}

fn asking(called: Timestamp, within: Duration, otherwise: Silent) -> Asking {
    let deadline = called.checked_add(super::alarm::signed(within)).unwrap_or(Timestamp::MAX);
    Asking { deadline, otherwise }
}

fn ask(
    service: &Service,
    deployment: &Release,
    call: &HookCall,
    event: &LifecycleEvent,
    asking: Asking,
    reasons: Reasons,
) -> Decision {
    let Asking { deadline, otherwise } = asking;
    let reasons = reasons.and(Reason::AnswerBy { deadline, otherwise }.into());
    Decision {
        question: Some(asking),
        waits: Some(About::Hook { call: call.clone(), event: event.clone() }),
        ..Decision::plain(Some(&service.name), Some(deployment), Verdict::Ask, reasons)
    }
}

/// The question that stands, with its reasons and its deadline.
fn still_asked(
    service: &Service,
    deployment: &Release,
    call: &HookCall,
    (event, asking): (&LifecycleEvent, Asking),
    reasons: &Reasons,
) -> Decision {
    Decision {
        question: Some(asking),
        waits: Some(About::Hook { call: call.clone(), event: event.clone() }),
        ..Decision::plain(Some(&service.name), Some(deployment), Verdict::Ask, reasons.clone())
    }
}

/// The answer that was given before, again.
fn as_answered(service: Option<&Service>, deployment: &Release, answered: &Answered) -> Decision {
    // Nothing but an approval lets it through.
    let succeeded = answered.choice == Some(Choice::Approve);
    let verdict = if succeeded { HookAnswer::Succeeded } else { HookAnswer::Failed };
    let reason = match (&answered.by, answered.choice) {
        (Answerer::Person { .. } | Answerer::Elsewhere { .. }, Some(choice)) => {
            Reason::PersonChose { choice, why: answered.why.clone() }
        }
        (Answerer::Silence, _) | (_, None) => Reason::NobodyApproved { asked: answered.at, succeeded },
    };
    answer(service, Some(deployment), verdict, reason.into())
}

/// The answer that was decided before, again, with its reasons: what `observe` made of it is in them.
fn as_before(
    policy: &Policy,
    service: Option<&ServiceName>,
    deployment: Option<&Release>,
    answer: HookAnswer,
    reasons: &Reasons,
) -> Decision {
    let observed =
        service.and_then(|name| policy.service(name)).is_some_and(|service| service.mode == Mode::Observe);
    Decision { observed, ..Decision::plain(service, deployment, Verdict::Answer(answer), reasons.clone()) }
}

/// Decides about a hook that waited for a person, when nobody has answered in time.
pub fn unanswered(policy: &Policy, deployment: &Observed<Release>, waiting: &WaitingHook) -> Decision {
    let succeeded = waiting.otherwise == Some(Silent::LetsThrough);
    let verdict = if succeeded { HookAnswer::Succeeded } else { HookAnswer::Failed };
    let deployment = deployment.known().ok();
    let service = deployment.and_then(|deployment| policy.deployed_by(&deployment.place));
    let reason = Reason::NobodyApproved { asked: waiting.since, succeeded };
    answer(service, deployment, verdict, reason.into())
}

/// The decision when our own program failed, or ran out of time, before there was another.
///
/// `on_doubt` is that of the service, if it was known by then; unknown, nothing is let through.
pub fn own_failure(on_doubt: Option<OnDoubt>, deployment: Option<&Release>, what: String) -> Decision {
    if let Some(rollback) = deployment.filter(|deployment| deployment.is_rollback()) {
        let held = Reason::RollbackNotHeldUp { of: rollback.rolls_back.clone() };
        let reasons = Reasons::new(held, vec![Reason::OwnFailure { what }]);
        return Decision::plain(None, deployment, Verdict::Answer(HookAnswer::Succeeded), reasons);
    }
    let (verdict, succeeded) = doubt(on_doubt.unwrap_or(OnDoubt::Fail));
    let reasons = Reasons::new(Reason::OwnFailure { what }, vec![Reason::OnDoubtAnswers { succeeded }]);
    Decision::plain(None, deployment, Verdict::Answer(verdict), reasons)
}

/// The decision when a person was to be asked and cannot be: what their silence would have meant. A gate that fails
/// without an approval is not opened by our own failure, whatever `on_doubt` says.
pub fn cannot_ask(decision: Decision, what: String) -> Decision {
    let succeeded = decision.question.is_some_and(|asking| asking.otherwise == Silent::LetsThrough);
    let verdict = if succeeded { HookAnswer::Succeeded } else { HookAnswer::Failed };
    let asked = decision.reasons.without(|reason| matches!(reason, Reason::AnswerBy { .. }));
    Decision {
        verdict: Verdict::Answer(verdict),
        reasons: Reasons::from(Reason::OwnFailure { what }).and(asked),
        question: None,
        waits: None,
        ..decision
    }
}

/// How long a hook may wait for us to learn whose it is: CodeDeploy waits for an hour.
const PATIENCE: SignedDuration = SignedDuration::from_mins(40);

/// The decision about a hook whose call nobody has answered, long after whoever was at it must be dead. Whose it is
/// may be learnt in the next minute, as long as there is one. What was decided about it and did not get through stands.
pub fn left_waiting(
    policy: &Policy,
    deployment: &Observed<Release>,
    before: Option<&HookBefore>,
    since: Timestamp,
    now: Timestamp,
) -> Decision {
    if let Some(HookBefore::Answered { service, answer, reasons }) = before {
        return as_before(policy, service.as_ref(), deployment.known().ok(), *answer, reasons);
    }
    let reason = Reason::HookLeftWaiting { since };
    match deployment.known() {
        Ok(deployment) if deployment.is_rollback() => {
            let held = Reason::RollbackNotHeldUp { of: deployment.rolls_back.clone() };
            let service = policy.deployed_by(&deployment.place);
            answer(service, Some(deployment), HookAnswer::Succeeded, Reasons::new(held, vec![reason]))
        }
        Ok(deployment) => match policy.deployed_by(&deployment.place) {
            Some(service) => in_doubt(service, deployment, reason, Vec::new()),
            None => answer(None, Some(deployment), HookAnswer::Failed, reason.into()),
        },
        Err(why) => {
            let unknown = learn("which deployment called the hook".to_owned(), why);
            if now.duration_since(since) < PATIENCE {
                return Decision::plain(None, None, Verdict::LookAgain, Reasons::new(reason, vec![unknown]));
            }
            answer(None, None, HookAnswer::Failed, Reasons::new(reason, vec![unknown]))
        }
    }
}

fn learn(what: String, why: &str) -> Reason {
    Reason::CouldNotLearn { what, why: why.to_owned() }
}

fn doubt(on_doubt: OnDoubt) -> (HookAnswer, bool) {
    match on_doubt {
        OnDoubt::Fail => (HookAnswer::Failed, false),
        OnDoubt::Succeed => (HookAnswer::Succeeded, true),
    }
}

fn in_doubt(service: &Service, deployment: &Release, first: Reason, mut rest: Vec<Reason>) -> Decision {
    let (verdict, succeeded) = doubt(service.on_doubt);
    rest.insert(0, Reason::OnDoubtAnswers { succeeded });
    answer(Some(service), Some(deployment), verdict, Reasons::new(first, rest))
}

fn answer(
    service: Option<&Service>,
    deployment: Option<&Release>,
    answer: HookAnswer,
    reasons: Reasons,
) -> Decision {
    // Failing a hook acts on the release; `observe` never does.
    let observed = service.is_some_and(|service| service.mode == Mode::Observe);
    let (answer, reasons) = match answer {
        HookAnswer::Failed if observed => {
            (HookAnswer::Succeeded, Reasons::from(Reason::WouldHaveFailed).and(reasons))
        }
        HookAnswer::Failed | HookAnswer::Succeeded => (answer, reasons),
    };
    Decision {
        observed,
        ..Decision::plain(service.map(|service| &service.name), deployment, Verdict::Answer(answer), reasons)
    }
}
