//! Checks a finished plan against the invariants. Shares no code with the maker of plans, on purpose: a
//! mistake there must not be able to hide here.

use thiserror::Error;

use crate::{
    decision::{Effect, HookAnswer, Verdict},
    ledger::Note,
    plan::{Action, Plan},
    release::Place,
};

/// What is wrong with a plan.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Inconsistency {
    /// Invariant 6: one message for every decision but `Ignore`, none for `Ignore`.
    #[error("{verdict} plans {messages} messages")]
    Messages {
        /// The verdict.
        verdict: &'static str,
        /// How many it would send.
        messages: usize,
    },
    /// An effect that the decision does not ask for, or one that it asks for and that is not planned.
    #[error("{verdict} plans these effects: {effects}")]
    Effects {
        /// The verdict.
        verdict: &'static str,
        /// Which effects.
        effects: String,
    },
    /// Invariant 5: a rollback would be rolled back.
    #[error("{deployment} is a rollback and would be stopped")]
    RollbackOfRollback {
        /// The rollback.
        deployment: String,
    },
    /// Invariant 4: the effect is on another release than the one that was judged.
    #[error("{judged} was judged and {touched} would be touched")]
    WrongRelease {
        /// The judged release.
        judged: String,
        /// The other one.
        touched: String,
    },
    /// Invariant 9: something is told before it is done.
    #[error("the message comes before the effect")]
    ToldFirst,
    /// A question that is told and not kept, or kept and not told: it would never be answered.
    #[error("{verdict} keeps {questions} questions")]
    Asked {
        /// The verdict.
        verdict: &'static str,
        /// How many it would keep.
        questions: usize,
    },
    /// Invariant 6: the decision is not recorded, or more than once.
    #[error("the decision is recorded {times} times")]
    Recorded {
        /// How often.
        times: usize,
    },
}

/// Everything that is wrong with `plan`; nothing, if it may be carried out.
pub fn check(plan: &Plan) -> Vec<Inconsistency> {
    let mut wrong = Vec::new();
    let verdict = plan.decision.verdict;
    let tells = plan.actions.iter().filter(|action| matches!(action, Action::Tell { .. })).count();
    let silent = matches!(verdict, Verdict::Ignore | Verdict::LookAgain);
    let judged = plan.decision.release.as_ref().map(|subject| &subject.deployment.id);
    let waits = |action: &&Action| match action {
        // Beside the one about the release there may be one about what could not be read.
        Action::Keep(Note::Asked(question)) => {
            plan.decision.extends.is_none()
                && (question.release.as_ref() == judged || question.unread.is_empty())
        }
        Action::Keep(Note::WaitsForPerson(_)) => plan.decision.extends.is_none(),
        _ => false,
    };
    let asked = plan.actions.iter().filter(waits).count();
    if asked != usize::from(verdict == Verdict::Ask && plan.decision.question.is_some()) {
        wrong.push(Inconsistency::Asked { verdict: verdict.word(), questions: asked });
    }
    if tells != usize::from(!silent) {
        wrong.push(Inconsistency::Messages { verdict: verdict.word(), messages: tells });
    }
    let records = plan.actions.iter().filter(|action| matches!(action, Action::Record { .. })).count();
    if records != usize::from(verdict != Verdict::LookAgain) {
        wrong.push(Inconsistency::Recorded { times: records });
    }
    let mut effects = Vec::new();
    for action in &plan.actions {
        match action {
            Action::Undo { release, effect, .. } => {
                effects.push(match effect {
                    Effect::Stop { auto_rollback: true }
                    | Effect::Redeploy(_)
                    | Effect::RollBackStage { .. }
                    | Effect::StopWithin { .. } => "take back",
                    Effect::Stop { auto_rollback: false } | Effect::HaltStage { .. } => "halt",
                });
                if let Some(subject) = &plan.decision.release {
                    if subject.deployment.id != *release {
                        wrong.push(Inconsistency::WrongRelease {
                            judged: subject.deployment.id.to_string(),
                            touched: release.to_string(),
                        });
                    }
                    if subject.deployment.is_rollback() {
                        wrong.push(Inconsistency::RollbackOfRollback { deployment: release.to_string() });
                    }
                    if let Effect::Redeploy(redeploy) = effect
                        && Place::Group(redeploy.group.clone()) != subject.deployment.place
                    {
                        wrong.push(Inconsistency::WrongRelease {
                            judged: subject.deployment.place.to_string(),
                            touched: redeploy.group.to_string(),
                        });
                    }
                }
            }
            Action::Answer { answer, .. } => effects.push(match answer {
                HookAnswer::Succeeded => "let the hook pass",
                HookAnswer::Failed => "fail the hook",
            }),
            Action::Approve { approved: true, .. } => effects.push("let the hook pass"),
            Action::Approve { approved: false, .. } => effects.push("fail the hook"),
            Action::Retry { .. } => effects.push("retry"),
            Action::Open { .. }
            | Action::Close { .. }
            | Action::Record { .. }
            | Action::Keep(_)
            | Action::Measure(_)
            | Action::Tell { .. }
            | Action::Show(_)
            | Action::SendOwed(_) => {}
        }
    }
    let expected: &[&str] = match verdict {
        Verdict::Ignore | Verdict::Notify(_) | Verdict::LookAgain | Verdict::Ask => &[],
        Verdict::Halt | Verdict::RollBack | Verdict::Retry if plan.decision.observed => &[],
        Verdict::Halt => &["halt"],
        Verdict::RollBack => &["take back"],
        Verdict::Retry => &["retry"],
        Verdict::Answer(HookAnswer::Succeeded) => &["let the hook pass"],
        Verdict::Answer(HookAnswer::Failed) => &["fail the hook"],
    };
    if effects != expected {
        wrong.push(Inconsistency::Effects { verdict: verdict.word(), effects: effects.join(", ") });
    }
    let first_tell = plan.actions.iter().position(|action| matches!(action, Action::Tell { .. }));
    let last_effect = plan.actions.iter().rposition(|action| {
        matches!(
            action,
            Action::Undo { .. } | Action::Answer { .. } | Action::Approve { .. } | Action::Retry { .. }
        )
    });
    if let (Some(tell), Some(effect)) = (first_tell, last_effect)
        && tell < effect
    {
        wrong.push(Inconsistency::ToldFirst);
    }
    wrong
}
