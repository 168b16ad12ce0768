//! A pipeline's execution got on, or did not.

use jiff::Timestamp;
use serde_json::{Value, json};
use tracing::warn;

use super::{Origin, settled};
use crate::{
    aws::codepipeline::ActionRun,
    carry_out::{advice, carry_out, refresh},
    decision,
    evidence::{Observed, StageEvidence},
    gather::{
        card::in_stage,
        inquiry::{Inquiry, failed_in},
    },
    ledger::{Effect, EffectState, Note, ReleaseLedger, Watch},
    message::OnCard,
    plan::{Circumstances, plan},
    policy::{Mode, Service},
    release::{Change, Place, ReleaseId, Stage, course::StepState},
    signal::{
        ActionHappening, ExecutionHappening, PipelineChange, PipelineHappening, ReleaseHappening, Signal,
        StageFailed,
    },
    start::{Failure, Guard, Invocation},
};

/// What failed, as far as an event says.
enum Failing {
    Nothing,
    /// Something in the execution.
    Something,
    /// Something in this stage.
    In(Stage),
}

/// What an event about a pipeline asks for.
struct Asks {
    /// The execution may be new to us: it is looked after from here on.
    begins: bool,
    /// What of it failed.
    failed: Failing,
    /// Its card shows something else than before.
    shows: bool,
}

impl Asks {
    fn of(change: &PipelineChange) -> Self {
        let nothing = Self { begins: false, failed: Failing::Nothing, shows: true };
        match &change.what {
            PipelineHappening::Execution(ExecutionHappening::Started | ExecutionHappening::Resumed)
            | PipelineHappening::Stage { what: ReleaseHappening::Started, .. } => {
                Self { begins: true, ..nothing }
            }
            // The stage's own event may have been lost.
            PipelineHappening::Execution(ExecutionHappening::Failed) => {
                Self { failed: Failing::Something, ..nothing }
            }
            PipelineHappening::Stage { stage, what: ReleaseHappening::Failed } => {
                let stage = Stage { pipeline: change.pipeline.clone(), stage: stage.clone() };
                Self { failed: Failing::In(stage), ..nothing }
            }
            // A card shows stages: what an action does is seen there, but where another one of its stage goes on.
            PipelineHappening::Action {
                what: ActionHappening::Started | ActionHappening::Succeeded | ActionHappening::Canceled,
                ..
            } => Self { shows: false, ..nothing },
            PipelineHappening::Execution(
                ExecutionHappening::Succeeded
                | ExecutionHappening::Stopping
                | ExecutionHappening::Stopped
                | ExecutionHappening::Canceled
                | ExecutionHappening::Superseded,
            )
            | PipelineHappening::Stage {
                what:
                    ReleaseHappening::Succeeded
                    | ReleaseHappening::Stopped
                    | ReleaseHappening::Stopping
                    | ReleaseHappening::Ready
                    | ReleaseHappening::Queued,
                ..
            }
            | PipelineHappening::Action {
                what: ActionHappening::Failed | ActionHappening::Abandoned, ..
            } => nothing,
        }
    }
}

/// The one way through, for what happened in a pipeline: the card of each service that it releases shows it, and a
/// failure is explained. A stage that releases is judged as such besides ([`super::release()`]), and shows its own card.
///
/// # Errors
/// When something could not be read or written down: then it is to be delivered again.
pub async fn pipeline(
    guard: &Guard,
    change: &PipelineChange,
    origin: Origin,
    inquiry: &impl Inquiry,
    invocation: Invocation<'_>,
) -> Result<Vec<Value>, Failure> {
    let asks = Asks::of(change);
    let own = match &change.what {
        PipelineHappening::Stage { stage, .. } => Some(stage),
        PipelineHappening::Execution(_) | PipelineHappening::Action { .. } => None,
    };
    let mut outcomes = Vec::new();
    let mut services = guard.policy.in_pipeline(&change.pipeline);
    // Who runs the stage again comes last: the others must hear of a failure before it is none any more.
    services.sort_by_key(|(service, released)| leads(guard, service, released));
    for (service, released) in services {
        let watch = watch(service, released, &change.execution, change.at);
        let has_card = guard.adapters.chat.is_some() && service.chat.slack.is_some();
        let own = own == Some(&released.stage);
        // From here on it is looked after: what fails on the way is found even if its events are lost.
        if asks.begins && !own {
            let kept = guard.adapters.ledger.keep(&Note::Watched(watch.clone()), invocation.now).await;
            kept?;
        }
        let stage = match &asks.failed {
            Failing::Nothing => None,
            Failing::Something => Some(None),
            Failing::In(stage) => Some(Some(stage)),
        };
        if let Some(stage) = stage {
            let found = Found { stage, watch: &watch, at: change.at, origin };
            outcomes.extend(Box::pin(stage_failed(guard, found, inquiry, invocation)).await?);
        }
        if asks.shows && has_card && !own {
            show(guard, &watch, invocation).await;
        }
    }
    Ok(outcomes)
}

/// A card that cannot be shown now is shown by the sweep: it fails nothing.
async fn show(guard: &Guard, watch: &Watch, invocation: Invocation<'_>) {
    if let Err(error) = Box::pin(refresh(&OnCard::of(watch), guard.scene(invocation))).await {
        let advice = advice(&error).unwrap_or_default();
        warn!(%error, advice, release = watch.release.as_str(), "a card is not as it should be");
    }
}

fn watch(service: &Service, released: &Stage, execution: &str, at: Timestamp) -> Watch {
    Watch {
        release: ReleaseId::of_stage(&released.stage, execution),
        service: service.name.clone(),
        place: Place::Stage(released.clone()),
        began: at,
    }
}

/// A failure in a pipeline, as it was heard of.
#[derive(Clone, Copy)]
pub struct Found<'a> {
    /// The stage, if it is known.
    pub stage: Option<&'a Stage>,
    /// The release that the execution is, or was to become.
    pub watch: &'a Watch,
    /// When.
    pub at: Timestamp,
    /// How.
    pub origin: Origin,
}

/// The one way through, for a stage that failed, for one service: why, and whether it is run again.
///
/// # Errors
/// When something could not be read or written down: then it is to be delivered again.
pub async fn stage_failed(
    guard: &Guard,
    found: Found<'_>,
    inquiry: &impl Inquiry,
    invocation: Invocation<'_>,
) -> Result<Option<Value>, Failure> {
    let (adapters, now) = (&guard.adapters, invocation.now);
    let (Place::Stage(first), Some(execution)) = (&found.watch.place, found.watch.release.execution()) else {
        return Ok(None);
    };
    let Some(service) = guard.policy.service(&found.watch.service) else { return Ok(None) };
    let runs = adapters.codepipeline.actions(&first.pipeline, execution).await;
    let stage = match (found.stage, &runs) {
        (Some(stage), _) => Some(stage.clone()),
        // The event named none: the last stage in which something failed.
        (None, Ok(runs)) => {
            let last = runs.iter().filter(|run| failed_in(runs, &run.stage).any(|failed| failed == *run));
            let last = last.max_by_key(|run| run.updated);
            last.map(|run| Stage { pipeline: first.pipeline.clone(), stage: run.stage.clone() })
        }
        (None, Err(error)) => return Err(error.clone().into()),
    };
    // A service may be released by several stages of a pipeline: then it is about the one that failed.
    let names = |stage: &&Stage| service.deployed_by.contains(&Place::Stage((*stage).clone()));
    let released = stage.as_ref().filter(names).unwrap_or(first).clone();
    let watch = Watch { began: found.watch.began, ..watch(service, &released, execution, found.at) };
    let (ledger, release) = tokio::join!(
        adapters.ledger.release(&watch.release, now),
        in_stage(adapters, &released, &watch.release, now),
    );
    let ledger = ledger?;
    let release = match release {
        Observed::Known { value, .. } => value,
        Observed::Missing { .. } => decision::approval::not_begun(&watch, Change::default(), None),
    };
    // No action failed: what its course shows.
    let shown = || release.course.as_ref().and_then(|course| course.failed()).map(str::to_owned);
    let shown = || Some(Stage { pipeline: first.pipeline.clone(), stage: shown()? });
    let Some(stage) = stage.or_else(shown) else { return Ok(None) };
    // What failed in it last tells this failure from another one after a retry; where that cannot be read, the time of
    // the event, so that people hear at least that it failed.
    let last = runs
        .as_ref()
        .ok()
        .and_then(|runs| failed_in(runs, &stage.stage).max_by_key(|run| run.updated).cloned());
    let run = last.as_ref().and_then(|run| run.detail.id.clone());
    // Where a condition failed, the newest run of its actions tells a failure from the one before a retry.
    let newest = |runs: &[ActionRun]| {
        let its = runs.iter().filter(|run| run.stage == stage.stage);
        its.max_by_key(|run| run.updated).and_then(|run| run.detail.id.clone())
    };
    let unread = || match &runs {
        Ok(runs) => newest(runs).unwrap_or_else(|| execution.to_owned()),
        Err(_) => found.at.to_string(),
    };
    let signal = StageFailed {
        stage: stage.clone(),
        execution: execution.to_owned(),
        run: run.unwrap_or_else(unread),
        at: found.at,
    };
    // A stage that did not fail in an action failed by a condition, or runs again by now: this event is an old one then.
    // That is not told, if it is known; a failure is, if it is not.
    let stands = release
        .course
        .as_ref()
        .and_then(|course| course.steps.iter().find(|step| step.stage == stage.stage).map(|step| step.state));
    if last.is_none() && runs.is_ok() && stands.is_some_and(|stands| stands != StepState::Failed) {
        return Ok(None);
    }
    let approvals_only = last.is_some()
        && runs.as_ref().is_ok_and(|runs| failed_in(runs, &stage.stage).all(ActionRun::is_approval));
    let key = Signal::StageFailed(signal.clone()).key();
    let message = format!("{}/{key}", service.name);
    // The pipeline's own event comes right after its stage's, which is at it, or is delivered again.
    let at_it = found.stage.is_none() && ledger.owed.iter().any(|owed| owed.key == message);
    if at_it || ledger.told.contains(&message) {
        return Ok(Some(json!({ "stage": "explained before" })));
    }
    let causes = match &runs {
        Ok(_) if approvals_only => Observed::Known { value: Vec::new(), at: now },
        Ok(runs) => {
            let value = Box::pin(inquiry.causes(adapters, &stage, runs, now)).await;
            Observed::Known { value, at: now }
        }
        Err(error) => Observed::Missing { why: error.to_string() },
    };
    // What began after the undo failed for reasons of its own.
    let began_before = |at: &Timestamp| last.as_ref().is_none_or(|last| last.started <= *at);
    let evidence = StageEvidence {
        stopped: stopped(guard, &stage, execution, &watch, &ledger, now).await?.filter(began_before),
        release,
        ledger,
        failed: causes,
        leads: leads(guard, service, &released),
    };
    let decision = if approvals_only {
        decision::pipeline::not_approved(service, &evidence, &signal)
    } else {
        decision::pipeline::failed(&guard.policy, service, &evidence, &signal)
    };
    let owed = &evidence.ledger.owed;
    let signal = Signal::StageFailed(signal);
    let around = Circumstances { owed, ..Circumstances::of(&signal, now) };
    let decision = found.origin.marked(decision);
    let outcome =
        Box::pin(carry_out(plan(decision, around), &signal, found.at, guard.scene(invocation))).await;
    settled(&outcome, &key).map(Some)
}

/// When Belay stopped what the failed stage itself did, if it did, for whichever service that stage releases.
async fn stopped(
    guard: &Guard,
    stage: &Stage,
    execution: &str,
    watch: &Watch,
    ledger: &ReleaseLedger,
    now: Timestamp,
) -> Result<Option<Timestamp>, Failure> {
    let place = Place::Stage(stage.clone());
    let stands =
        |undo: Option<&Effect>| undo.filter(|undo| undo.state != EffectState::Overtaken).map(|undo| undo.at);
    if place == watch.place {
        return Ok(stands(ledger.undo.as_ref()));
    }
    if guard.policy.deployed_by(&place).is_none() {
        return Ok(None);
    }
    let its = ReleaseId::of_stage(&stage.stage, execution);
    let its = guard.adapters.ledger.release(&its, now).await?;
    Ok(stands(its.undo.as_ref()))
}

/// Whether a pipeline that releases several services is this one's to run again: that of the first which Belay acts
/// for; where it acts for none, the first's.
fn leads(guard: &Guard, service: &Service, released: &Stage) -> bool {
    let all = guard.policy.in_pipeline(&released.pipeline);
    let acts = all.iter().find(|(one, _)| one.mode == Mode::Enforce);
    acts.or(all.first()).is_some_and(|(one, _)| one.name == service.name)
}
