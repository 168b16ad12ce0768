//! CodeDeploy's lifecycle hooks: does the deployment go on? There is always an answer.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use belay::{
    aws::{AwsError, Connection, codedeploy::CodeDeploy},
    carry_out::{Outcome, carry_out},
    decision::{
        Decision, HookAnswer, Verdict,
        hook::{self, Asked},
    },
    events,
    evidence::HookEvidence,
    gather,
    ledger::{Note, WaitingHook, Watch},
    plan::{Action, Circumstances, Plan, plan},
    policy::OnDoubt,
    release::Release,
    signal::{HookCall, Signal},
    start::{Failure, Guard, Invocation, StartError},
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tracing::{error, info, warn};

/// How the time of one invocation is spent.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// How long is left until Lambda ends the invocation.
    pub left: Duration,
    /// How long to wait before a check that could not be measured is tried again.
    pub retry_every: Duration,
}

/// Ten seconds between tries, as the decision table says.
pub const RETRY_EVERY: Duration = Duration::from_secs(10);

/// What is kept back of the time that is left, so that the answer can always be given: a third, but not more
/// than this.
pub const RESERVE: Duration = Duration::from_secs(20);

/// The pace of an invocation that Lambda ends at `deadline_ms`, in milliseconds since 1970.
pub fn pace(deadline_ms: u64, now: Timestamp) -> Pace {
    let now = u64::try_from(now.as_millisecond()).unwrap_or(0);
    Pace { left: Duration::from_millis(deadline_ms.saturating_sub(now)), retry_every: RETRY_EVERY }
}

impl Pace {
    fn reserve(self) -> Duration {
        (self.left / 3).min(RESERVE)
    }

    /// Checks stop here.
    fn checks(self) -> Duration {
        self.left.saturating_sub(self.reserve())
    }

    /// Everything before the answer stops here.
    fn everything(self) -> Duration {
        self.left.saturating_sub(self.reserve() * 3 / 4)
    }
}

/// What is known so far, for the answer that is given when nothing more can be learnt.
#[derive(Clone, Default)]
struct SoFar(Arc<Mutex<(Option<OnDoubt>, Option<Release>)>>);

impl SoFar {
    fn learn(&self, on_doubt: Option<OnDoubt>, deployment: &Release) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = (on_doubt, Some(deployment.clone()));
    }

    fn known(&self) -> (Option<OnDoubt>, Option<Release>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Handles one call of a hook. CodeDeploy ignores what a hook returns and waits for an hour for a call that
/// answers it; so whatever happens here, that call is made before the time is up.
///
/// Checks may take minutes, and leases and fences count from an invocation's beginning: `begins` is asked for it at the
/// start, and once more when everything is decided and is to be done. Nothing is claimed before.
///
/// # Errors
/// When the payload is not a hook's call, so that there is nothing to answer; when CodeDeploy did not take the
/// answer; or when the message about it could not be sent. The hook is called again then.
pub async fn handle<'a>(
    guard: &Guard,
    payload: &[u8],
    begins: impl Fn() -> Invocation<'a>,
    pace: Pace,
) -> Result<Value, Failure> {
    let now = begins().now;
    let call = events::hook(payload).map_err(|refusal| {
        error!(kind = refusal.kind(), %refusal, "refused");
        Failure { kind: refusal.kind(), message: refusal.to_string() }
    })?;
    let so_far = SoFar::default();
    let work = {
        let (guard, call, so_far) = (guard.clone(), call.clone(), so_far.clone());
        async move { learn_and_decide(&guard, &call, now, pace, &so_far).await }
    };
    let until = must_be_dead(now, pace.left);
    let waits = Note::Waiting(WaitingHook { call: call.clone(), since: now, until, otherwise: None });
    let (kept, decision) =
        tokio::join!(guard.adapters.ledger.keep(&waits, now), always(work, pace, &so_far),);
    if let Err(error) = kept {
        // It is answered all the same, unless this invocation dies.
        warn!(%error, "the sweep does not know of this hook");
    }
    let plan = match written_down(guard, planned(&call, decision.clone(), now), now).await {
        Ok(plan) => plan,
        Err(error) => {
            // A question that nobody wrote down is never answered: then its silence is the answer, now, and nobody is
            // asked.
            error!(%error, "a person cannot be asked");
            let what = "it could not write down that a person is asked".to_owned();
            planned(&call, hook::cannot_ask(decision, what), now)
        }
    };
    let signal = Signal::Hook(call.clone());
    let outcome = Box::pin(carry_out(plan, &signal, now, guard.scene(begins()))).await;
    answered(&call, &outcome)
}

/// Writes down what a plan asks of a person before anything else of it is done. Carrying it out does that again, under
/// the same keys.
async fn written_down(guard: &Guard, plan: Plan, now: Timestamp) -> Result<Plan, AwsError> {
    for action in &plan.actions {
        if let Action::Keep(note @ (Note::Offered(_) | Note::WaitsForPerson(_))) = action {
            guard.adapters.ledger.keep(note, now).await?;
        }
    }
    Ok(plan)
}

fn planned(call: &HookCall, decision: Decision, now: Timestamp) -> Plan {
    let signal = Signal::Hook(call.clone());
    // A hook that waits for a person stays open: the answer, or the deadline's, closes it.
    let over = match decision.verdict {
        Verdict::Ask => Vec::new(),
        Verdict::Ignore
        | Verdict::Notify(_)
        | Verdict::LookAgain
        | Verdict::Halt
        | Verdict::RollBack
        | Verdict::Answer(_)
        | Verdict::Retry => vec![Note::Replied(call.clone())],
    };
    plan(decision.clone(), Circumstances { watch: watch(&decision), over, ..Circumstances::of(&signal, now) })
}

/// When an invocation that began `now` and has `left` of its time is certainly over: Lambda ends it by then, and clocks
/// differ by seconds.
fn must_be_dead(now: Timestamp, left: Duration) -> Timestamp {
    let left = SignedDuration::try_from(left).unwrap_or(SignedDuration::MAX);
    now.checked_add(left)
        .and_then(|end| end.checked_add(SignedDuration::from_secs(30)))
        .unwrap_or(Timestamp::MAX)
}

/// A hook's call is the one thing about a release that Lambda, and not a best-effort event, tells: from here on the
/// sweep looks after it.
fn watch(decision: &Decision) -> Option<Watch> {
    let release = &decision.release.as_ref()?.deployment;
    let service = decision.service.as_ref()?;
    release.is_release().then(|| Watch::of(service, release))
}

/// A decision in any case: `work` runs in a task of its own, so that a panic there is a result here, and under
/// the deadline.
async fn always(
    work: impl Future<Output = Decision> + Send + 'static,
    pace: Pace,
    so_far: &SoFar,
) -> Decision {
    let work = tokio::spawn(work);
    let abort = work.abort_handle();
    let what = match tokio::time::timeout(pace.everything(), work).await {
        Ok(Ok(decision)) => return decision,
        Ok(Err(failed)) if failed.is_panic() => "its program panicked".to_owned(),
        Ok(Err(_)) => "its program was cancelled".to_owned(),
        Err(_) => {
            abort.abort();
            format!("nothing was decided {} s before the time was up", pace.reserve().as_secs())
        }
    };
    error!(what, "answering in doubt");
    let (on_doubt, deployment) = so_far.known();
    hook::own_failure(on_doubt, deployment.as_ref(), what)
}

async fn learn_and_decide(
    guard: &Guard,
    call: &HookCall,
    now: Timestamp,
    pace: Pace,
    so_far: &SoFar,
) -> Decision {
    let deadline = tokio::time::sleep(pace.checks());
    tokio::pin!(deadline);
    // What is decided when the time is up needs whose it is: learnt as soon as it is known.
    let learnt = |deployment: &Release| {
        let service = guard.policy.deployed_by(&deployment.place);
        so_far.learn(service.map(hook::in_doubt_for), deployment);
        hook::needs_event(&guard.policy, deployment)
    };
    let ((deployment, event), ledger) = tokio::join!(
        gather::hook::caller(&guard.adapters, call, learnt, pace.retry_every, now),
        guard.adapters.ledger.release(&call.deployment, now),
    );
    // Without the ledger nobody can be asked either, and an answer that was given before is given again by whoever
    // gave it.
    let key = Signal::Hook(call.clone()).key();
    let (before, answered, called) = match ledger {
        Ok(ledger) => {
            let asked = ledger.asked.iter().find(|offer| offer.key == key).map(|offer| offer.asked);
            let before = hook::before(&ledger, call);
            (before, ledger.answers.get(&key).cloned(), asked.unwrap_or(now))
        }
        Err(error) => {
            warn!(%error, "whether the hook was answered before is not known");
            (None, None, now)
        }
    };
    let mut checks = Vec::new();
    if before.is_none()
        && let (Ok(deployment), Ok(event)) = (deployment.known(), event.known())
        && let Asked::Checks(asked, service) = hook::asked(&guard.policy, deployment, event)
    {
        let (adapters, retry_every) = (&guard.adapters, pace.retry_every);
        let deadline = deadline.as_mut();
        checks = gather::hook::run(adapters, service, asked, deployment, retry_every, deadline, now).await;
    }
    let evidence = HookEvidence { before, deployment, event, checks, answered, called };
    hook::decide(&guard.policy, &evidence, call)
}

fn answered(call: &HookCall, outcome: &Outcome) -> Result<Value, Failure> {
    info!(
        deployment = call.deployment.as_str(),
        verdict = outcome.verdict.word(),
        reasons = ?outcome.reasons,
        done = ?outcome.done,
        "judged"
    );
    let Some(failed) = outcome.failed() else {
        return Ok(json!({ "outcomes": [outcome.report()] }));
    };
    let message = format!("{}: {failed}", call.deployment);
    let kind = match outcome.verdict {
        Verdict::Answer(_) if outcome.done.is_empty() => "HookNotAnswered",
        _ => "AwsCallFailed",
    };
    Err(Failure { kind, message })
}

/// Answers a call with Failed, because this function could not start: its settings or its policy are wrong. A
/// hook that only refused to start would keep the deployment waiting for an hour.
///
/// Every other function refuses to start. This one refuses to check: it says everything that is wrong at its
/// start and again in every answer.
pub async fn refuse(connection: &Connection, payload: &[u8], why: &StartError) -> Failure {
    let call = match events::hook(payload) {
        Err(refusal) => return Failure { kind: refusal.kind(), message: refusal.to_string() },
        Ok(call) => call,
    };
    let codedeploy = CodeDeploy::new(connection);
    error!(deployment = call.deployment.as_str(), %why, "answering Failed");
    match codedeploy.answer(&call.deployment, &call.execution, HookAnswer::Failed).await {
        Ok(_) => Failure {
            kind: "NotStarted",
            message: format!("The hook of {} was answered with Failed. {why}", call.deployment),
        },
        Err(error) => Failure { kind: "HookNotAnswered", message: format!("{error}. {why}") },
    }
}

#[cfg(test)]
mod tests {
    use belay::reason::Reason;

    use super::*;

    const PACE: Pace = Pace { left: Duration::from_millis(90), retry_every: Duration::from_millis(1) };

    fn fell_back(decision: &Decision) -> String {
        assert_eq!(decision.verdict, Verdict::Answer(HookAnswer::Failed));
        match decision.reasons.first() {
            Reason::OwnFailure { what } => what.clone(),
            other => panic!("expected our own failure, got {other}"),
        }
    }

    #[tokio::test]
    async fn a_panic_is_answered() {
        let panicking = async { panic!("on purpose") };
        let decision = always(panicking, PACE, &SoFar::default()).await;
        assert!(fell_back(&decision).contains("panicked"));
    }

    #[tokio::test]
    async fn work_that_never_ends_is_answered() {
        let decision = always(std::future::pending(), PACE, &SoFar::default()).await;
        assert!(fell_back(&decision).contains("before the time was up"));
    }

    #[test]
    fn the_answer_always_has_time() {
        for seconds in [1, 3, 10, 60, 300, 900] {
            let pace = Pace { left: Duration::from_secs(seconds), retry_every: RETRY_EVERY };
            assert!(pace.checks() < pace.everything(), "{seconds}");
            assert!(pace.everything() < pace.left, "{seconds}");
        }
    }
}
