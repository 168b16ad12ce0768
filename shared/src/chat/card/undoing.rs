//! What is said when something was done to a release, would have been, or could not be.

use super::{Came, Stopped, Words};
use crate::{
    decision::{Decision, Effect, Subject, Urgency, Verdict},
    reason::Reason,
    release::{Place, Platform, ReleaseId},
};

pub(super) fn taking_back(service: &str, release: &str, decision: &Decision, came: &Came) -> Words {
    let did = match came {
        Came::Stopped { rollback: Some(rollback), how: Stopped::Now | Stopped::Accepted } => format!(
            "Belay stopped {release}; CodeDeploy is going back to the last good revision by {rollback}."
        ),
        Came::Stopped { rollback: Some(rollback), how: Stopped::Found } => format!(
            "{release} is stopped on request; CodeDeploy is going back to the last good revision by {rollback}."
        ),
        Came::Stopped { rollback: None, how: Stopped::Accepted } => format!(
            "Belay asked CodeDeploy to stop {release} and to go back to the last good revision; CodeDeploy has accepted and is finishing what was under way."
        ),
        Came::Stopped { rollback: None, how: Stopped::Found } => {
            format!("{release} is stopped on request, and CodeDeploy names no rollback of it yet.")
        }
        Came::Redeployed { deployment }
            if matches!(decision.reasons.first(), Reason::NoRollbackFollowed { .. }) =>
        {
            format!(
                "CodeDeploy stopped {release} and did not go back, so Belay deploys again what ran before it, by {deployment}. The group's own alarms are switched off for that one deployment, because they are red already."
            )
        }
        Came::Redeployed { deployment } => format!(
            "{release} had finished, so Belay deploys again what ran before it, by {deployment}. The group's own alarms are switched off for that one deployment, because they are red already."
        ),
        Came::StageRolledBack { execution, target, closed } => {
            let closed =
                if *closed { " The way in is closed to another execution that waits before it." } else { "" };
            format!(
                "Belay had the pipeline's stage run again as {target} ran it, by the execution {execution}.{closed}"
            )
        }
        Came::Stopped { rollback: None, how: Stopped::Now }
        | Came::StageHalted { .. }
        | Came::OfNothing
        | Came::Answered
        | Came::AnsweredBefore
        | Came::Retried
        | Came::Followed { .. }
        | Came::Failed(_) => {
            format!("Belay stopped {release} and asked CodeDeploy to go back to the last good revision.")
        }
    };
    let mut steps = vec![
        "Wait for the rollback's own message before you call it over.".to_owned(),
        "Do not release the same revision again before you know what was wrong with it.".to_owned(),
    ];
    let stage = decision.release.as_ref().map(Subject::place);
    if let (Came::StageRolledBack { closed: true, .. }, Some(Place::Stage(stage))) = (came, stage) {
        steps.push(open_again(&stage.stage));
    }
    let did = match &decision.effect {
        Some(Effect::StopWithin { stays, .. }) if !stays.is_empty() => {
            let stays = stays.join(" and ");
            format!("{did} {stays} had deployed before: once that is done, the stage is rolled back.")
        }
        _ => did,
    };
    (format!("{service}: taking back {release}"), Urgency::Loud, did, steps)
}

const OPENED_BY: &str = "the console, or aws codepipeline enable-stage-transition";

/// What is to be done once an undo is over that somebody waited behind.
fn open_again(stage: &str) -> String {
    format!(
        "Another execution waits before the stage {stage}, and Belay closed the way in. Open it again when it is settled, or stop that execution first: {OPENED_BY}."
    )
}

/// Why a halted release did not go back, as the end of a sentence.
fn why_not_back(decision: &Decision) -> &'static str {
    match decision.reasons.first() {
        Reason::RuleSaysHalt { .. } => "because the policy's rule is `halt`",
        Reason::PersonChose { .. } => "because an approver chose to halt it",
        Reason::MarkedNoRollback { .. } => "because it is marked as not to be rolled back",
        _ => "because there is nothing good to go back to",
    }
}

pub(super) fn halted(service: &str, release: &str, decision: &Decision, came: &Came) -> Words {
    let why = why_not_back(decision);
    let title = format!("{service}: halted {release}, not rolled back");
    let mut steps =
        vec!["Decide what users should get, and release that: nothing else will change it.".to_owned()];
    let did = match came {
        Came::Stopped { rollback: Some(rollback), .. } => {
            return (
                format!("{service}: {release} is stopped"),
                Urgency::Loud,
                format!(
                    "{release} is stopped on request, and CodeDeploy is rolling it back by {rollback}: somebody asked for that in the same moment."
                ),
                vec!["Wait for the rollback's own message.".to_owned()],
            );
        }
        Came::StageHalted { next, own } => {
            let closed: Vec<&str> = own.iter().chain(next).map(String::as_str).collect();
            if closed.is_empty() {
                format!("Belay stopped {release}. It did not go back, {why}.")
            } else {
                let closed = closed.join(" and ");
                steps.extend(own.as_deref().map(open_again));
                steps.extend(next.as_deref().map(|next| {
                    format!("When it is settled, open the way into the stage {next} again: {OPENED_BY}.")
                }));
                format!(
                    "Belay stopped {release} and closed the way into the stage {closed}. It did not go back, {why}."
                )
            }
        }
        Came::Stopped { rollback: None, how: Stopped::Accepted } => format!(
            "Belay asked CodeDeploy to stop {release} where it is; CodeDeploy has accepted and is finishing what was under way. It does not go back, {why}."
        ),
        Came::Stopped { rollback: None, how: Stopped::Found } => {
            format!("{release} is stopped on request. It did not go back, {why}.")
        }
        Came::Stopped { rollback: None, how: Stopped::Now }
        | Came::Redeployed { .. }
        | Came::StageRolledBack { .. }
        | Came::OfNothing
        | Came::Answered
        | Came::AnsweredBefore
        | Came::Retried
        | Came::Followed { .. }
        | Came::Failed(_) => {
            format!("Belay stopped {release} where it was. It did not go back, {why}.")
        }
    };
    let platform = decision.release.as_ref().map(|subject| &subject.deployment.platform);
    if let Some(Platform::Lambda) = platform {
        // Sourced: CodeDeploy User Guide, "Troubleshoot Lambda deployment issues".
        steps.insert(
            0,
            "The Lambda alias still splits its traffic over two versions, and later deployments fail until it does not: once the deployment has stopped, point it at one version (aws lambda update-alias --function-version GOOD --routing-config '{\"AdditionalVersionWeights\":{}}')."
                .to_owned(),
        );
    }
    (title, Urgency::Loud, did, steps)
}

/// In `observe`: what would have been done.
pub(super) fn would_have(service: &str, release: &str, decision: &Decision) -> Words {
    let what = match &decision.effect {
        Some(effect) if effect.takes_back() => "taken back",
        Some(_) | None => "halted",
    };
    let how = match &decision.effect {
        Some(Effect::Stop { auto_rollback: true } | Effect::StopWithin { .. }) => {
            "would have stopped it, and CodeDeploy would have gone back to the last good revision"
        }
        Some(Effect::Stop { auto_rollback: false } | Effect::HaltStage { .. }) | None => {
            "would have stopped it where it is"
        }
        Some(Effect::Redeploy(_)) => "would have deployed again what ran before it",
        Some(Effect::RollBackStage { .. }) => "would have had the stage run again as before",
    };
    (
        format!("{service}: would have {what} {release}"),
        Urgency::Loud,
        format!("Belay {how}. It did nothing, because the policy says `mode: observe`."),
        vec![
            "Look whether users are hurt: nobody undoes this release for you.".to_owned(),
            "Set `mode: enforce` once you trust these decisions.".to_owned(),
        ],
    )
}

fn in_a_pipeline(subject: &Subject) -> bool {
    matches!(subject.deployment.place, Place::Stage(_))
}

/// What could not be undone in time, and must not be any more.
pub(super) fn followed(service: &str, release: &str, by: &ReleaseId) -> Words {
    (
        format!("{service}: {release} was not taken back, and {by} has followed it"),
        Urgency::Loud,
        format!(
            "{release} was to be taken back, and that had not come about when {by} followed it in the same place. It would be taken back with it now, so Belay has given that up."
        ),
        vec![format!("Look whether {by} carries the same fault, and take it back by hand if it does.")],
    )
}

pub(super) fn effect_failed(service: &str, release: &str, decision: &Decision, how: &str) -> Words {
    let (what, step) = match (decision.verdict, &decision.effect) {
        (Verdict::Retry, _) => (
            format!("{service}: {release} could not be tried again"),
            "Look at the pipeline in the console: it says why a stage cannot be retried.",
        ),
        (Verdict::Answer(_), _) if decision.release.as_ref().is_some_and(in_a_pipeline) => (
            format!("{service}: the approval of {release} could not be given"),
            "Approve or reject it in the console if that is too long to wait.",
        ),
        (Verdict::Answer(_), _) => (
            format!("{service}: the hook of {release} could not be answered"),
            "CodeDeploy waits for an hour and then fails the deployment: stop it by hand if that is too long.",
        ),
        (_, Some(Effect::Redeploy(_) | Effect::RollBackStage { .. })) => (
            format!("{service}: {release} could not be taken back"),
            "If no message of success follows within five minutes, deploy the last good revision by hand.",
        ),
        (_, Some(Effect::Stop { .. } | Effect::StopWithin { .. } | Effect::HaltStage { .. }) | None) => (
            format!("{service}: {release} could not be stopped"),
            "If no message of success follows within five minutes, stop it by hand.",
        ),
    };
    (
        what,
        Urgency::Loud,
        format!(
            "Belay tried and failed: {}. It tries again if the event is delivered again, and with the sweep's next minute.",
            how.trim_end_matches('.')
        ),
        vec![step.to_owned()],
    )
}
