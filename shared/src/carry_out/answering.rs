//! What a person's answer does to a pipeline: a manual approval, and running again what failed.

use super::{
    Scene,
    undoing::{time_was_up, too_late},
};
use crate::{
    aws::{
        AwsError,
        codepipeline::{ApprovalAnswer, ApprovalState, RetryAnswer, StageStatus},
        ledger::{Claim, Claimant, Claimed},
    },
    chat::card::Came,
    ledger::{EffectState, PipelineApproval},
    release::{ReleaseId, Stage},
};

/// What came of running again what failed.
pub(super) enum Retrying {
    /// It runs again, now or by a claimant that died before saying so. The claim is finished with the message.
    Done(Claim),
    /// Somebody else has it.
    Before { finished: bool },
    /// It cannot be run again, in CodePipeline's words.
    NotPossible(String),
}

/// Runs again what failed in a stage, once for one answer: a stage that failed again since is another question.
/// `unless_undone`: and not if the release is being undone, or was.
pub(super) async fn retry(
    stage: &Stage,
    execution: &str,
    release: &ReleaseId,
    (key, unless_undone): (&str, bool),
    scene: Scene<'_>,
) -> Result<Retrying, AwsError> {
    let (ledger, now) = (&scene.adapters.ledger, scene.invocation.now);
    let owner = scene.invocation.claimant();
    let (claim, taken_over) = match ledger.claim_retry(release, key, Claimant { owner: &owner, now }).await? {
        Claimed::Ours(claim) => (claim, false),
        Claimed::TakenOver(claim) => (claim, true),
        Claimed::BySomebodyElse => return Ok(Retrying::Before { finished: false }),
        Claimed::Before => return Ok(Retrying::Before { finished: true }),
    };
    // Looked at only now that the claim is ours, however long ago it was judged.
    if unless_undone {
        let undo = ledger.release(release, now).await?.undo;
        if undo.is_some_and(|undo| undo.state != EffectState::Overtaken) {
            ledger.overtaken(claim).await?;
            return Ok(Retrying::NotPossible("Belay is undoing this release".to_owned()));
        }
    }
    if too_late(scene.invocation.begun).await {
        ledger.give_back(claim).await?;
        return Err(time_was_up("run a stage again", release));
    }
    match scene.adapters.codepipeline.retry(stage, execution).await {
        Ok(RetryAnswer::Started) => Ok(Retrying::Done(claim)),
        // Perhaps because it runs again: whoever had the claim before had it started, and died before saying so.
        Ok(RetryAnswer::NotPossible(_)) if taken_over && runs_again(stage, execution, scene).await? => {
            Ok(Retrying::Done(claim))
        }
        Ok(RetryAnswer::NotPossible(why)) => {
            ledger.overtaken(claim).await?;
            Ok(Retrying::NotPossible(why))
        }
        Err(error) => {
            if error.refused {
                ledger.give_back(claim).await?;
            }
            Err(error)
        }
    }
}

/// Whether an execution runs in a stage, or has got through it: then nothing is left there that failed.
async fn runs_again(stage: &Stage, execution: &str, scene: Scene<'_>) -> Result<bool, AwsError> {
    let stages = scene.adapters.codepipeline.stages(&stage.pipeline).await?;
    let now = stages.into_iter().find(|now| now.name == stage.stage).and_then(|now| now.execution);
    Ok(now.is_some_and(|(latest, status)| {
        latest == execution && matches!(status, StageStatus::InProgress | StageStatus::Succeeded)
    }))
}

/// Answers a pipeline's manual approval. Its token is fetched now and used at once: it never leaves Belay.
pub(super) async fn approve(
    approval: &PipelineApproval,
    approved: bool,
    summary: &str,
    scene: Scene<'_>,
) -> Result<Came, AwsError> {
    let PipelineApproval { stage, action, execution } = approval;
    let pipelines = &scene.adapters.codepipeline;
    let token = match pipelines.approval(stage, action, execution).await? {
        ApprovalState::Waiting { token } => token,
        state @ (ApprovalState::Answered { .. } | ApprovalState::Gone) => {
            return Ok(answered(&state, approved, summary));
        }
    };
    Ok(match pipelines.answer_approval(stage, action, &token, approved, summary).await? {
        ApprovalAnswer::Taken => Came::Answered,
        ApprovalAnswer::AnsweredBefore => {
            answered(&pipelines.approval(stage, action, execution).await?, approved, summary)
        }
    })
}

/// Whose answer an approval has. One of ours whose receipt was lost, or whose sender died, says so by its summary.
fn answered(state: &ApprovalState, approved: bool, summary: &str) -> Came {
    match state {
        ApprovalState::Answered { approved: so, summary: Some(said), .. }
            if *so == approved && said == summary =>
        {
            Came::Answered
        }
        ApprovalState::Answered { .. } | ApprovalState::Waiting { .. } | ApprovalState::Gone => {
            Came::AnsweredBefore
        }
    }
}
