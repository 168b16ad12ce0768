//! A lifecycle hook was called: what CodeDeploy is told.

use std::num::NonZeroUsize;

use jiff::{SignedDuration, Timestamp};

use crate::{
    decision::{Decision, HookAnswer, Verdict},
    evidence::{CheckResult, Finding, HookEvidence, Observed},
    policy::{Check, Mode, OnDoubt, Policy, Service},
    reason::{Reason, Reasons},
    release::{LifecycleEvent, Release},
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

/// Decides what a lifecycle hook answers. Total: there is always an answer.
pub fn decide(policy: &Policy, evidence: &HookEvidence) -> Decision {
    let deployment = match evidence.deployment.known() {
        Ok(deployment) => deployment,
        Err(why) => {
            // Which service is it? Unknown, and so is its `on_doubt`: the answer that lets nothing through.
            let what = "which deployment called the hook".to_owned();
            return answer(None, None, HookAnswer::Failed, learn(what, why).into());
        }
    };
    let guarding = policy.deployed_by(&deployment.place);
    if deployment.is_rollback() {
        let reason = Reason::RollbackNotHeldUp { of: deployment.rolls_back.clone() };
        return answer(guarding, Some(deployment), HookAnswer::Succeeded, reason.into());
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
        return in_doubt(service, deployment, first, doubted);
    }
    // A check that left no result behind is not a check that passed.
    match NonZeroUsize::new(passed.len()) {
        Some(count) if passed.len() == checks.len() => {
            let first = Reason::ChecksPassed { count, event: event.clone() };
            let reasons = Reasons::new(first, passed);
            answer(Some(service), Some(deployment), HookAnswer::Succeeded, reasons)
        }
        Some(_) | None => {
            let what = format!("what the checks found: {} results for {} checks", passed.len(), checks.len());
            let reason = learn(what, "a check left no result behind");
            in_doubt(service, deployment, reason, passed)
        }
    }
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

/// How long a hook may wait for us to learn whose it is: CodeDeploy waits for an hour.
const PATIENCE: SignedDuration = SignedDuration::from_mins(40);

/// The decision about a hook whose call nobody has answered, long after whoever was at it must be dead. Whose it is
/// may be learnt in the next minute, as long as there is one.
pub fn left_waiting(
    policy: &Policy,
    deployment: &Observed<Release>,
    since: Timestamp,
    now: Timestamp,
) -> Decision {
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
