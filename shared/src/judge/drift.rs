//! Stacks and their drift.
//!
//! Once a day the stacks that the policy names are listed and wait for their turn. Few detections run at once, since each
//! reads every resource of its stack: the end of each, which CloudFormation announces, starts the next. Nothing waits for
//! a detection and nothing asks how far it is, but the next day's tick, of those whose end nobody has heard of.

use std::{collections::BTreeSet, time::Duration};

use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio::time::{Instant, sleep_until, timeout};
use tracing::{info, warn};

use super::settled;
use crate::{
    aws::{
        AwsError,
        drift::{Detecting, Listed, Standing},
    },
    carry_out::carry_out,
    decision::drift::{Judged, decide},
    drift::{Detection, StackCheck, StackHappening, StackId, StackWaits},
    gather,
    ledger::Note,
    plan::{Circumstances, plan},
    policy::DriftRule,
    signal::Signal,
    start::{Failure, Guard, Invocation},
};

/// So many detections run at once. CloudFormation does not say how many it takes; ten read as many resources at once as
/// ten updates would.
const AT_ONCE: usize = 10;
/// A detection takes minutes ("DetectStackDrift can take up to several minutes", aws-sdk-cloudformation 1.136.0): one that
/// began longer ago holds nobody's place.
const HOLDS_A_PLACE: SignedDuration = SignedDuration::from_hours(2);
/// What is older at a tick was begun at an earlier one; a tick that Lambda repeats comes minutes later.
const A_DAY: SignedDuration = SignedDuration::from_hours(20);
/// So long into an invocation another detection is begun or looked at. A call takes at most ten seconds (`aws::connect`),
/// and telling must begin within twenty (`ledger::FENCE`).
const BEGINS_UNTIL: Duration = Duration::from_secs(9);
/// So long a list of all stacks may take.
const LISTING: Duration = Duration::from_secs(10);
/// So many stacks are written down side by side.
const SIDE_BY_SIDE: usize = 10;

/// The one way through, for a stack that was looked at.
///
/// # Errors
/// When something could not be read or written down: then it is to be delivered again.
pub async fn stack(guard: &Guard, check: &StackCheck, invocation: Invocation<'_>) -> Result<Value, Failure> {
    let now = invocation.now;
    let signal = Signal::Stack(check.clone());
    let evidence = gather::drift::gather(&guard.adapters, &guard.policy, check, now).await;
    let Judged { decision, told, message } = decide(&guard.policy, &evidence, check);
    let mut over: Vec<Note> =
        told.into_iter().map(|told| Note::StackTold(check.stack.clone(), told)).collect();
    if let StackHappening::Detected { detection, .. } = &check.what {
        over.push(Note::Detected { stack: check.stack.clone(), id: detection.clone() });
    }
    let around = Circumstances { over, message, ..Circumstances::of(&signal, now) };
    let scene = guard.scene(invocation);
    let outcome = Box::pin(carry_out(plan(decision, around), &signal, check.at, scene)).await;
    settled(&outcome, check.stack.name())
}

/// The daily tick: finishes what was left, lists the stacks, and starts the first detections.
///
/// # Errors
/// When something could not be read, written down or told: the tick is to be delivered again, and does what is left.
pub async fn tick(guard: &Guard, invocation: Invocation<'_>) -> Result<Vec<Value>, Failure> {
    let Some(rule) = guard.policy.drift() else { return Ok(Vec::new()) };
    let now = invocation.now;
    let (waiting, begun) = guard.adapters.ledger.detections(now).await?;
    let mut work = Work { guard, invocation, outcomes: Vec::new(), failures: Vec::new() };
    let running = work.finish(begun).await;
    for StackWaits { stack, since, why } in &waiting {
        if now.duration_since(*since) >= A_DAY && rule.names(stack.name()) {
            let what = StackHappening::NotItsTurn { since: *since, why: why.clone() };
            work.judge(stack, what).await;
        }
    }
    let listed = match timeout(LISTING, guard.adapters.sources.drift().all()).await {
        Ok(listed) => listed?,
        Err(_) => {
            let why = "the list of stacks took too long";
            return Err(AwsError::unreadable("cloudformation:ListStacks", "all stacks", why).into());
        }
    };
    work.enqueue(rule, &listed, &waiting, &running).await;
    work.start("").await;
    work.done()
}

/// Starts detections of stacks that wait, as many as have a place. `seed` says with which to begin: of two invocations
/// at once each begins elsewhere.
///
/// # Errors
/// As [`tick`].
pub async fn start(guard: &Guard, seed: &str, invocation: Invocation<'_>) -> Result<Vec<Value>, Failure> {
    let mut work = Work { guard, invocation, outcomes: Vec::new(), failures: Vec::new() };
    work.start(seed).await;
    work.done()
}

/// What one invocation does about stacks.
struct Work<'a> {
    guard: &'a Guard,
    invocation: Invocation<'a>,
    outcomes: Vec<Value>,
    failures: Vec<String>,
}

impl Work<'_> {
    fn done(self) -> Result<Vec<Value>, Failure> {
        if self.failures.is_empty() {
            Ok(self.outcomes)
        } else {
            Err(Failure { kind: "Unfinished", message: self.failures.join("; ") })
        }
    }

    fn now(&self) -> Timestamp {
        self.invocation.now
    }

    async fn judge(&mut self, of: &StackId, what: StackHappening) -> bool {
        let check = StackCheck { stack: of.clone(), what, account: None, region: None, at: self.now() };
        let judged = Box::pin(stack(self.guard, &check, self.invocation)).await;
        let well = judged.is_ok();
        match judged {
            Ok(outcome) => self.outcomes.push(outcome),
            Err(failure) => self.failures.push(failure.to_string()),
        }
        well
    }

    async fn keep(&mut self, note: Note) {
        if let Err(error) = self.guard.adapters.ledger.keep(&note, self.now()).await {
            self.failures.push(error.to_string());
        }
    }

    /// Looks after detections whose end nobody has heard of, and says which still run.
    async fn finish(&mut self, begun: Vec<Detection>) -> BTreeSet<StackId> {
        let mut running = BTreeSet::new();
        for Detection { stack, id, since } in begun {
            let lasts = self.now().duration_since(since);
            // What began lately still has its time; a repetition of this tick finds what it began itself.
            if lasts < HOLDS_A_PLACE || is_late(self.invocation.begun).await {
                running.insert(stack);
                continue;
            }
            match self.guard.adapters.sources.drift().standing(&id).await {
                Ok(Standing::Over { failed }) => {
                    self.judge(&stack, StackHappening::Detected { detection: id, failed }).await;
                }
                Ok(Standing::Runs) => {
                    if lasts >= A_DAY {
                        self.judge(&stack, StackHappening::NeverEnded { since }).await;
                    }
                    running.insert(stack);
                }
                Ok(Standing::Forgotten) => self.keep(Note::Detected { stack, id }).await,
                Err(error) => {
                    self.failures.push(error.to_string());
                    running.insert(stack);
                }
            }
        }
        running
    }

    /// Writes down which stacks are to be looked at, and forgets those that are not there any more.
    async fn enqueue(
        &mut self,
        rule: &DriftRule,
        listed: &[Listed],
        waiting: &[StackWaits],
        running: &BTreeSet<StackId>,
    ) {
        let named = || listed.iter().filter(|one| rule.names(one.stack.name()));
        for pattern in rule.patterns() {
            if !listed.iter().any(|one| pattern.matches(&one.stack.name().into())) {
                warn!(%pattern, "the policy's `drift` names a stack that there is not");
            }
        }
        let known: BTreeSet<&StackId> = named().map(|one| &one.stack).collect();
        let gone = waiting.iter().filter(|waits| !known.contains(&waits.stack));
        for waits in gone {
            self.keep(Note::StackWaitsNoMore(waits.stack.clone())).await;
        }
        let waits: BTreeSet<&StackId> = waiting.iter().map(|waits| &waits.stack).collect();
        let new: Vec<Note> = named()
            .filter(|one| !waits.contains(&one.stack) && !running.contains(&one.stack))
            .map(|one| {
                Note::StackWaits(StackWaits { stack: one.stack.clone(), since: self.now(), why: None })
            })
            .collect();
        info!(stacks = known.len(), new = new.len(), "the stacks whose drift is detected");
        let ledger = &self.guard.adapters.ledger;
        for some in new.chunks(SIDE_BY_SIDE) {
            let kept = join_all(some.iter().map(|note| ledger.keep(note, self.invocation.now))).await;
            let failures: Vec<String> =
                kept.into_iter().filter_map(Result::err).map(|error| error.to_string()).collect();
            if !failures.is_empty() {
                self.failures.extend(failures);
                return;
            }
        }
    }

    async fn start(&mut self, seed: &str) {
        let (mut waiting, begun) = match self.guard.adapters.ledger.detections(self.now()).await {
            Ok(read) => read,
            Err(error) => {
                self.failures.push(error.to_string());
                return;
            }
        };
        let holds = |one: &&Detection| self.now().duration_since(one.since) < HOLDS_A_PLACE;
        let mut places = AT_ONCE.saturating_sub(begun.iter().filter(holds).count());
        if let Some(first) = seed.bytes().map(usize::from).sum::<usize>().checked_rem(waiting.len()) {
            waiting.rotate_left(first);
        }
        for waits in waiting {
            if places == 0 || is_late(self.invocation.begun).await {
                return;
            }
            match self.guard.adapters.sources.drift().detect(&waits.stack).await {
                Ok(Detecting::Began(id)) => {
                    places -= 1;
                    let (stack, since) = (waits.stack.clone(), self.now());
                    self.keep(Note::Detecting(Detection { stack, id, since })).await;
                    self.keep(Note::StackWaitsNoMore(waits.stack)).await;
                }
                // Somebody else's. When it ends, it is judged like ours.
                Ok(Detecting::UnderWay) => {}
                Err(error) if error.refused && !error.is_throttling() => {
                    Box::pin(self.refused(waits, error)).await;
                }
                Err(error) => {
                    if places == AT_ONCE {
                        // Nothing runs whose end would start the next: Lambda's repetition does, a minute later.
                        self.failures.push(error.to_string());
                    } else {
                        warn!(%error, "no more detections are started for now; the end of one that runs starts the next");
                    }
                    return;
                }
            }
        }
    }

    /// A stack whose drift cannot be detected: people are told, but for a stack that is changing right now, which is
    /// tried again.
    async fn refused(&mut self, waits: StackWaits, error: AwsError) {
        let code = error.code.clone().unwrap_or_default();
        if code == "ValidationError" {
            match self.guard.adapters.sources.drift().changed(&waits.stack).await {
                Ok(None) => {
                    self.keep(Note::StackWaitsNoMore(waits.stack)).await;
                    return;
                }
                Ok(Some((status, _))) if status.ends_with("_IN_PROGRESS") => {
                    let why = Some(format!("it was {status} when it was tried last"));
                    self.keep(Note::StackWaits(StackWaits { why, ..waits })).await;
                    return;
                }
                Ok(Some(_)) | Err(_) => {}
            }
        }
        if self.judge(&waits.stack, StackHappening::Refused { code, why: error.why }).await {
            self.keep(Note::StackWaitsNoMore(waits.stack)).await;
        }
    }
}

/// Whether it is too late in an invocation to begin something. The timer is looked at before anything else.
async fn is_late(begun: Instant) -> bool {
    tokio::select! {
        biased;
        () = sleep_until(begun + BEGINS_UNTIL) => true,
        () = std::future::ready(()) => false,
    }
}
