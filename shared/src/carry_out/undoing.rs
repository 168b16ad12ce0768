//! The one undo of a release: claimed, looked for by whoever takes an expired claim over, fenced, done.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use tracing::warn;

use super::Scene;
use crate::{
    aws::{
        Adapters, AwsError,
        codedeploy::{RedeployAnswer, StopAnswer},
        codepipeline::{PipelineStopAnswer, RollBackAnswer, StageNow},
        ledger::{Claim, Claimant, Claimed},
    },
    chat::card::{Came, Stopped},
    decision::{Decision, Effect},
    evidence::Redeploy,
    gather,
    ledger::{FENCE, Half},
    release::{Phase, Place, Release, ReleaseId, ReleaseStatus, Stage},
};

/// What came of trying to undo.
pub(super) enum Undoing {
    /// It happened, now or by a claimant that died before saying so. The claim is finished with the message.
    Done { came: Came, claim: Claim },
    /// Somebody else has it.
    Before { finished: bool },
    /// The release moved on: look again, and decide again.
    Overtaken,
    /// Another release has followed in the same place, and would be taken back with it: it is not done any more.
    /// The claim ends with the message.
    Followed { by: ReleaseId, claim: Claim },
    /// This invocation must not act any more: another one will, and that one tells.
    TooLate(AwsError),
    /// It failed, or nobody knows.
    Failed(AwsError),
}

/// Claims the release's undo and does it. Whoever takes an expired claim over looks first whether it happened.
pub(super) async fn undo(
    decision: &Decision,
    id: &ReleaseId,
    effect: &Effect,
    half: Half,
    scene: Scene<'_>,
) -> Undoing {
    let Some(subject) = &decision.release else {
        return Undoing::Failed(AwsError::unreadable("belay:undo", id, "the decision names no release"));
    };
    let release = &subject.deployment;
    let owner = scene.invocation.claimant();
    let by = Claimant { owner: &owner, now: scene.invocation.now };
    let (claim, look_first) = match scene.adapters.ledger.claim_undo(id, half, decision, effect, by).await {
        Err(error) => return Undoing::Failed(error),
        Ok(Claimed::BySomebodyElse) => return Undoing::Before { finished: false },
        Ok(Claimed::Before) => {
            return match halted_before(id, effect, scene).await {
                Ok(false) => Undoing::Before { finished: true },
                // In the same moment, for an alarm that asks for less: that is decided about again.
                Ok(true) => Undoing::Overtaken,
                Err(error) => Undoing::Failed(error),
            };
        }
        Ok(Claimed::Ours(claim)) => (claim, false),
        Ok(Claimed::TakenOver(claim)) => (claim, true),
    };
    let at_work = AtWork { release, effect, scene };
    if look_first {
        match at_work.look().await {
            Err(error) => return at_work.gave_up(claim, error).await,
            // It did happen, and whoever did it died before saying so: say it now.
            Ok(Look::Happened(came)) => return Undoing::Done { came, claim },
            Ok(Look::MovedOn) => return at_work.overtaken(claim).await,
            Ok(Look::NotYet) => {}
        }
    }
    // However long ago it was decided: what has been released since must not be taken back for this one.
    if look_first || half == Half::Second {
        match at_work.followed_by(half).await {
            Err(error) => return at_work.gave_up(claim, error).await,
            Ok(Some(by)) => return Undoing::Followed { by, claim },
            Ok(None) => {}
        }
    }
    if too_late(scene.invocation.begun).await {
        // Nothing was begun: if the claim is still ours, somebody else need not wait for its lease to end.
        at_work.give_back(claim).await;
        return Undoing::TooLate(time_was_up("undo", id));
    }
    at_work.act(claim).await
}

/// Whether a release that is to be taken back was only halted.
async fn halted_before(id: &ReleaseId, effect: &Effect, scene: Scene<'_>) -> Result<bool, AwsError> {
    if !effect.takes_back() {
        return Ok(false);
    }
    let known = scene.adapters.ledger.release(id, scene.invocation.now).await?;
    Ok(known.undo.and_then(|undo| undo.effect).is_some_and(|done| !done.takes_back()))
}

/// Why something was not begun: it would have been too late for it.
pub(super) fn time_was_up(to: &str, subject: impl ToString) -> AwsError {
    let why = format!("the time in which this invocation may {to} was up before it could");
    AwsError::unreadable("belay:carry_out", subject, why)
}

/// The fence: an effect is begun only early in the claim's lease, so that it ends within it. An invocation that was
/// frozen and wakes up later finds the time up, whatever the others have done meanwhile. The timer is looked at before
/// anything else.
pub(super) async fn too_late(begun: Instant) -> bool {
    is_past(begun + FENCE).await
}

/// The same for a card: reading, drawing and sending it take seconds of the lease's forty.
pub(super) async fn too_late_to_draw(begun: Instant) -> bool {
    const DRAWING: Duration = Duration::from_secs(28);
    is_past(begun + DRAWING).await
}

async fn is_past(moment: Instant) -> bool {
    tokio::select! {
        biased;
        () = sleep_until(moment) => true,
        () = std::future::ready(()) => false,
    }
}

enum Look {
    NotYet,
    Happened(Came),
    /// The release ended by itself, or by somebody else.
    MovedOn,
}

struct AtWork<'a> {
    release: &'a Release,
    effect: &'a Effect,
    scene: Scene<'a>,
}

/// How the reasons begin that the pipeline shows.
const OURS: &str = "Belay undo";

fn is_closed_by_us(now: &StageNow) -> bool {
    now.inbound_closed.as_deref().is_some_and(|why| why.starts_with(OURS))
}

/// A stage that was asked to stop is free some seconds later, and CodePipeline answers "busy" until then.
const STAGE_TRIES: u32 = 10;

impl AtWork<'_> {
    fn adapters(&self) -> &Adapters {
        self.scene.adapters
    }

    /// Whether the effect happened already.
    async fn look(&self) -> Result<Look, AwsError> {
        match self.effect {
            Effect::Stop { .. } => self.look_at_deployment(&self.release.id).await,
            Effect::StopWithin { deployments, stays: _ } => self.look_within(deployments).await,
            Effect::Redeploy(redeploy) => Ok(match self.redeployed(redeploy).await? {
                Some(came) => Look::Happened(came),
                None => Look::NotYet,
            }),
            Effect::RollBackStage { target, .. } => Ok(match self.stage_rolled_back(target).await? {
                Some((execution, closed)) => {
                    Look::Happened(Came::StageRolledBack { execution, target: target.clone(), closed })
                }
                None => Look::NotYet,
            }),
            // Stopping and closing twice is once.
            Effect::HaltStage { .. } => Ok(Look::NotYet),
        }
    }

    /// Stopped only if none of them runs any more: one that was not reached is stopped yet.
    async fn look_within(&self, deployments: &[ReleaseId]) -> Result<Look, AwsError> {
        let mut all = Look::MovedOn;
        for id in deployments {
            match self.look_at_deployment(id).await? {
                Look::NotYet => return Ok(Look::NotYet),
                Look::Happened(came) => all = Look::Happened(came),
                Look::MovedOn => {}
            }
        }
        Ok(if deployments.is_empty() { Look::NotYet } else { all })
    }

    /// The execution that rolled this very stage back to `target` since the release began. Other stages of the pipeline
    /// may have gone back to the same one. And whether the way into it was closed for that.
    async fn stage_rolled_back(&self, target: &str) -> Result<Option<(String, bool)>, AwsError> {
        let stage = self.stage()?;
        let pipelines = &self.adapters().codepipeline;
        let executions = pipelines.executions(&stage.pipeline).await?;
        let rollbacks = executions.into_iter().filter(|one| {
            one.rollback
                && one.rollback_target.as_deref() == Some(target)
                && one.started >= self.release.created_at
        });
        // A moment after its start no action of it has begun, and it is in its stage already.
        let stages = pipelines.stages(&stage.pipeline).await?;
        for rollback in rollbacks {
            let is_in = |now: &StageNow| {
                now.name == stage.stage && now.execution.as_ref().is_some_and(|(id, _)| *id == rollback.id)
            };
            if stages.iter().any(is_in)
                || pipelines
                    .actions(&stage.pipeline, &rollback.id)
                    .await?
                    .iter()
                    .any(|run| run.stage == stage.stage)
            {
                let closed = stages.iter().any(|now| now.name == stage.stage && is_closed_by_us(now));
                return Ok(Some((rollback.id, closed)));
            }
        }
        Ok(None)
    }

    async fn redeployed(&self, redeploy: &Redeploy) -> Result<Option<Came>, AwsError> {
        let (id, since) = (&self.release.id, self.release.created_at);
        let made = self.adapters().codedeploy.undoing(&redeploy.group, id, since).await?;
        Ok(made.map(|made| Came::Redeployed { deployment: made.id }))
    }

    /// What was released after this release in the same place, if an undo would take that back as well: what runs is
    /// stopped by its own id, and the others go by the place. For the rest of a stage that is also what was deployed past
    /// the pipeline, who waits in the stage, and the release itself where somebody has run it again.
    async fn followed_by(&self, half: Half) -> Result<Option<ReleaseId>, AwsError> {
        let id = &self.release.id;
        match (self.effect, &self.release.place) {
            (Effect::Redeploy(redeploy), _) => {
                let (since, now) = (self.release.created_at, self.scene.invocation.now);
                let ours = std::slice::from_ref(self.release);
                gather::followed(self.adapters(), &redeploy.group, since, ours, now).await
            }
            (Effect::RollBackStage { .. }, Place::Stage(stage)) => {
                let pipelines = &self.adapters().codepipeline;
                let stages = pipelines.stages(&stage.pipeline).await?;
                let now = stages.into_iter().find(|now| now.name == stage.stage);
                let inside = now.and_then(|now| now.execution).map(|(execution, _)| execution);
                let Some(other) = inside.filter(|execution| id.execution() != Some(execution)) else {
                    return if half == Half::Second { self.rest_followed_by(stage).await } else { Ok(None) };
                };
                if half == Half::Second {
                    return Ok(Some(ReleaseId::of_stage(&stage.stage, &other)));
                }
                // One that waits for an approval, or was not let in, changed nothing either.
                let runs = pipelines.actions(&stage.pipeline, &other).await?;
                let begun = runs.iter().any(|run| run.stage == stage.stage && !run.is_approval());
                Ok(begun.then(|| ReleaseId::of_stage(&stage.stage, &other)))
            }
            (
                Effect::RollBackStage { .. }
                | Effect::Stop { .. }
                | Effect::StopWithin { .. }
                | Effect::HaltStage { .. },
                _,
            ) => Ok(None),
        }
    }

    async fn rest_followed_by(&self, stage: &Stage) -> Result<Option<ReleaseId>, AwsError> {
        let (id, now) = (&self.release.id, self.scene.invocation.now);
        let undo = self.adapters().ledger.release(id, now).await?.undo;
        if undo.is_some_and(|undo| self.release.again_since(undo.at).is_some()) {
            return Ok(Some(id.clone()));
        }
        Ok(Box::pin(gather::remains(self.adapters(), stage, id, now)).await?.followed)
    }

    async fn look_at_deployment(&self, id: &ReleaseId) -> Result<Look, AwsError> {
        let seen = self.adapters().codedeploy.deployment(id).await?;
        Ok(match seen.status.phase() {
            Phase::Running | Phase::Unknown => Look::NotYet,
            Phase::Over => {
                // Somebody asked, unless an alarm of the group did it. CodeDeploy's mark of a request, MANUAL_STOP,
                // is not documented to come with every one, so that its absence proves nothing.
                let by_alarm = seen.error.as_ref().is_some_and(|error| error.code == "ALARM_ACTIVE");
                if seen.status == ReleaseStatus::Stopped && !by_alarm {
                    Look::Happened(Came::Stopped { rollback: seen.rolled_back_by, how: Stopped::Found })
                } else {
                    Look::MovedOn
                }
            }
        })
    }

    async fn act(&self, claim: Claim) -> Undoing {
        match self.effect {
            Effect::Stop { auto_rollback } => self.stop(claim, &self.release.id, *auto_rollback).await,
            Effect::StopWithin { deployments, stays: _ } => self.stop_within(claim, deployments).await,
            Effect::Redeploy(redeploy) => self.redeploy(claim, redeploy).await,
            Effect::RollBackStage { target, running } => {
                self.roll_back_stage(claim, target, running.as_deref()).await
            }
            Effect::HaltStage { deployments, next } => {
                match self.halt_stage(deployments, next.as_deref()).await {
                    Ok(own) => Undoing::Done { came: Came::StageHalted { next: next.clone(), own }, claim },
                    Err(error) => self.gave_up(claim, error).await,
                }
            }
        }
    }

    async fn stop(&self, claim: Claim, id: &ReleaseId, auto_rollback: bool) -> Undoing {
        match self.adapters().codedeploy.stop(id, auto_rollback).await {
            Ok(StopAnswer::Stopped) => {
                Undoing::Done { came: self.rollback_of(id, auto_rollback, Stopped::Now).await, claim }
            }
            Ok(StopAnswer::Pending) => {
                Undoing::Done { came: self.rollback_of(id, auto_rollback, Stopped::Accepted).await, claim }
            }
            // Its group's own alarm, a person, or a call of ours whose answer was lost was first.
            Ok(StopAnswer::AlreadyOver) => match self.look_at_deployment(id).await {
                Err(error) => self.gave_up(claim, error).await,
                // Stopped by a request, while we hold the claim to make it: ours, whose answer was lost, or somebody
                // else's in the same moment. Either way it is told, with what came of it.
                Ok(Look::Happened(came)) => Undoing::Done { came, claim },
                Ok(Look::MovedOn) => self.overtaken(claim).await,
                // It says that it is over, and that it runs. Nothing was stopped: look again.
                Ok(Look::NotYet) => {
                    self.give_back(claim).await;
                    Undoing::Overtaken
                }
            },
            Err(error) => self.gave_up(claim, error).await,
        }
    }

    async fn stop_within(&self, claim: Claim, deployments: &[ReleaseId]) -> Undoing {
        let mut came = None;
        for id in deployments {
            match self.adapters().codedeploy.stop(id, true).await {
                Ok(StopAnswer::Stopped) => came = Some(self.rollback_of(id, true, Stopped::Now).await),
                Ok(StopAnswer::Pending) => came = Some(self.rollback_of(id, true, Stopped::Accepted).await),
                Ok(StopAnswer::AlreadyOver) => match self.look_at_deployment(id).await {
                    Ok(Look::Happened(found)) => came = Some(found),
                    Ok(Look::MovedOn | Look::NotYet) => {}
                    Err(error) => return self.gave_up(claim, error).await,
                },
                Err(error) => return self.gave_up(claim, error).await,
            }
        }
        match came {
            Some(came) => Undoing::Done { came, claim },
            None => self.overtaken(claim).await,
        }
    }

    async fn redeploy(&self, claim: Claim, redeploy: &Redeploy) -> Undoing {
        let error = match self.adapters().codedeploy.redeploy(&self.release.id, redeploy).await {
            Ok(RedeployAnswer::Created(deployment)) => {
                return Undoing::Done { came: Came::Redeployed { deployment }, claim };
            }
            Ok(RedeployAnswer::GroupIsBusy) => None,
            Err(error) if error.refused => return self.gave_up(claim, error).await,
            Err(error) => Some(error),
        };
        // Busy with our own deployment, whose answer was lost? Or with a newer release?
        match (self.redeployed(redeploy).await, error) {
            (Ok(Some(came)), _) => Undoing::Done { came, claim },
            (Ok(None), None) => {
                self.give_back(claim).await;
                Undoing::Overtaken
            }
            // Nobody knows. The claim stays, and whoever takes it over looks first.
            (Ok(None), Some(error)) | (Err(error), _) => Undoing::Failed(error),
        }
    }

    async fn roll_back_stage(&self, claim: Claim, target: &str, running: Option<&str>) -> Undoing {
        let stage = match self.stage() {
            Ok(stage) => stage,
            Err(error) => return Undoing::Failed(error),
        };
        let pipelines = &self.adapters().codepipeline;
        let mut closed = false;
        if let Some(execution) = running {
            let why = self.why();
            closed = self.closed_to_who_waits(stage).await;
            match pipelines.stop(&stage.pipeline, execution, true, &why).await {
                Ok(
                    PipelineStopAnswer::Accepted
                    | PipelineStopAnswer::AlreadyOver
                    | PipelineStopAnswer::AskedBefore,
                ) => {}
                Err(error) => return self.gave_up(claim, error).await,
            }
        }
        let mut refused = "the pipeline stayed busy".to_owned();
        for _ in 0..STAGE_TRIES {
            // Each try is an effect of its own, and no effect is begun late.
            if too_late(self.scene.invocation.begun).await {
                break;
            }
            match pipelines.roll_back(&stage.pipeline, &stage.stage, target).await {
                Ok(RollBackAnswer::Started(execution)) => {
                    let came = Came::StageRolledBack { execution, target: target.to_owned(), closed };
                    return Undoing::Done { came, claim };
                }
                Ok(RollBackAnswer::Busy) => {}
                // It may only say so because the stage still runs for a moment.
                Ok(RollBackAnswer::Refused(why)) if running.is_some() => refused = why,
                Ok(RollBackAnswer::Refused(why)) => {
                    refused = why;
                    break;
                }
                // The stage may have been stopped for this already: it is tried again now, as the SDK would.
                Err(error) if error.is_throttling() => refused = error.why,
                Err(error) if error.refused => return self.gave_up(claim, error).await,
                Err(error) => {
                    return match self.look().await {
                        Ok(Look::Happened(came)) => Undoing::Done { came, claim },
                        Ok(Look::NotYet | Look::MovedOn) | Err(_) => Undoing::Failed(error),
                    };
                }
            }
            tokio::time::sleep(self.scene.pause).await;
        }
        self.give_back(claim).await;
        if closed {
            refused.push_str(" (the way into the stage is closed, because another execution waits there: open it again when it is settled)");
        }
        Undoing::Failed(AwsError::unreadable("codepipeline:RollbackStage", stage, refused))
    }

    /// Freeing a stage lets in who waits before it (CodePipeline User Guide, "Stop a pipeline execution"), and CodePipeline
    /// rolls back no stage in which one runs. So the way in is closed first, unless somebody has closed it; whether it is by
    /// us. What cannot be read or closed keeps no undo waiting.
    async fn closed_to_who_waits(&self, stage: &Stage) -> bool {
        let pipelines = &self.adapters().codepipeline;
        let now = match pipelines.stages(&stage.pipeline).await {
            Ok(stages) => stages.into_iter().find(|now| now.name == stage.stage),
            Err(error) => {
                warn!(%error, "who waits before the stage is not known");
                None
            }
        };
        let Some(now) = now else { return false };
        if now.inbound_closed.is_some() || !now.somebody_waits {
            return is_closed_by_us(&now);
        }
        let closed = pipelines.close(&stage.pipeline, &stage.stage, &self.why()).await;
        closed.inspect_err(|error| warn!(%error, "the way into the stage is not closed")).is_ok()
    }

    /// Closes the way on first, so that nothing slips through while the rest is stopped.
    /// Answers the stage, if the way into it is closed as well.
    async fn halt_stage(
        &self,
        deployments: &[ReleaseId],
        next: Option<&str>,
    ) -> Result<Option<String>, AwsError> {
        let stage = self.stage()?;
        let adapters = self.adapters();
        let why = self.why();
        if let Some(next) = next {
            adapters.codepipeline.close(&stage.pipeline, next, &why).await?;
        }
        let own = self.closed_to_who_waits(stage).await.then(|| stage.stage.clone());
        for id in deployments {
            match adapters.codedeploy.stop(id, false).await? {
                StopAnswer::Stopped | StopAnswer::Pending | StopAnswer::AlreadyOver => {}
            }
        }
        if let Some(execution) = self.release.id.execution() {
            match adapters.codepipeline.stop(&stage.pipeline, execution, false, &why).await? {
                PipelineStopAnswer::Accepted
                | PipelineStopAnswer::AlreadyOver
                | PipelineStopAnswer::AskedBefore => {}
            }
        }
        Ok(own)
    }

    /// What the pipeline shows as the reason.
    fn why(&self) -> String {
        format!("{OURS} {}", self.release.id)
    }

    fn stage(&self) -> Result<&Stage, AwsError> {
        match &self.release.place {
            Place::Stage(stage) => Ok(stage),
            Place::Group(group) => {
                Err(AwsError::unreadable("belay:undo", group, "it is no pipeline's stage"))
            }
        }
    }

    /// Which rollback CodeDeploy started, if it names it already. The undo has happened: that this cannot be read
    /// takes nothing from it.
    async fn rollback_of(&self, id: &ReleaseId, auto_rollback: bool, how: Stopped) -> Came {
        if !auto_rollback {
            return Came::Stopped { rollback: None, how };
        }
        match self.adapters().codedeploy.deployment(id).await {
            Ok(seen) => Came::Stopped { rollback: seen.rolled_back_by, how },
            Err(error) => {
                warn!(%error, "stopped, but could not look which rollback was started");
                Came::Stopped { rollback: None, how }
            }
        }
    }

    async fn overtaken(&self, claim: Claim) -> Undoing {
        match self.adapters().ledger.overtaken(claim).await {
            Ok(()) => Undoing::Overtaken,
            Err(error) => Undoing::Failed(error),
        }
    }

    async fn give_back(&self, claim: Claim) {
        if let Err(kept) = self.adapters().ledger.give_back(claim).await {
            warn!(error = %kept, "could not give the claim back; it ends by itself");
        }
    }

    /// The call failed, and may have happened all the same: the claim stays until its lease ends, and whoever takes
    /// it over looks first. Only when the deployer itself refused is it certain that nothing happened.
    async fn gave_up(&self, claim: Claim, error: AwsError) -> Undoing {
        if error.refused {
            self.give_back(claim).await;
        }
        Undoing::Failed(error)
    }
}

/// What was done, for the answer and the log.
pub(super) fn sentence(release: &ReleaseId, came: &Came) -> String {
    match came {
        Came::Stopped { how: Stopped::Accepted, .. } => format!("CodeDeploy accepted to stop {release}"),
        Came::Redeployed { deployment } => format!("took {release} back by {deployment}"),
        Came::StageRolledBack { execution, .. } => {
            format!("took {release} back by the execution {execution}")
        }
        Came::StageHalted { .. } => format!("halted {release}"),
        Came::Stopped { how: Stopped::Now | Stopped::Found, .. }
        | Came::OfNothing
        | Came::Answered
        | Came::AnsweredBefore
        | Came::Retried
        | Came::Followed { .. }
        | Came::Failed(_) => format!("stopped {release}"),
    }
}
