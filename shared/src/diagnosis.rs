//! Why an action of a pipeline failed: what was gathered about it, put down to a cause of the catalogue.
//!
//! Pure: somebody else gathers ([`Failure`]). A failure is read as lines of text, the deepest first; each rule of
//! the catalogue says by which lines it is known; the most specific one that fits explains it, and of several the
//! one whose line comes first. Where none fits, the deepest text that tells anything is shown, and that it is unknown.
//!
//! Reading is linear in the input: each line is tried against each rule once, and no more than 2,000 characters of it.
//! Everything that leaves is masked ([`crate::mask`]).
//!
//! Where the text of a rule comes from is said at each rule. "Not verified" there means that the text is from memory
//! or from a third party and was not found in AWS's own documentation or models.

mod access;
mod build;
mod case;
mod cause;
mod code;
mod deployment;
mod failure;
mod function;
mod limits;
mod log;
mod network;
mod packages;
mod pipeline;
mod stack;
mod targets;
mod tasks;
#[cfg(test)]
mod tests;

pub use cause::{Rule, Specificity};
pub use failure::{
    ActionError, Build, Category, DeploymentFailure, FailedAction, FailedEvent, FailedResource, Failure,
    FunctionFailure, Learnt, PhaseContext, StackFailure, StoppedContainer, StoppedTask, TargetGroup, Tasks,
    UnhealthyTarget,
};

pub use log::of_failing_command;

pub use crate::cause::{Cause, Concerns, RETRYABLE, Retry, UNKNOWN};
use crate::mask::mask;

/// All rules, in groups by where such failures come from. Of two that say equally much by the same line the earlier
/// one would win; a test holds that there are none.
pub fn catalogue() -> impl Iterator<Item = &'static Rule> {
    [
        access::RULES,
        network::RULES,
        packages::RULES,
        limits::RULES,
        code::RULES,
        build::RULES,
        stack::RULES,
        targets::RULES,
        tasks::RULES,
        deployment::RULES,
        function::RULES,
        pipeline::RULES,
    ]
    .into_iter()
    .flatten()
}

/// Explains a failure.
pub fn explain(failure: &Failure) -> Cause {
    let case = case::Case::of(failure);
    let fits = catalogue().filter_map(|rule| Some((rule, rule.sees(&case)?)));
    // The least: `min_by_key` keeps the first of equals.
    let best = fits.min_by_key(|(rule, seen)| (std::cmp::Reverse(rule.specificity), seen.line));
    let not_learnt = not_learnt(failure);
    let shown = |line: usize| case.lines.get(line).map(|line| (mask(line.text.trim()), line.source.place()));
    match best {
        Some((rule, seen)) => {
            let (evidence, seen_in) = shown(seen.line).unwrap_or_default();
            Cause {
                rule: rule.id.to_owned(),
                what: mask(&seen.what),
                evidence,
                seen_in: seen_in.to_owned(),
                to_do: rule.to_do.to_owned(),
                concerns: rule.concerns,
                retry: rule.retry,
                not_learnt,
            }
        }
        None => unknown(failure, case.deepest().and_then(shown), not_learnt),
    }
}

/// What is said where no rule fits.
fn unknown(failure: &Failure, deepest: Option<(String, &'static str)>, not_learnt: Vec<String>) -> Cause {
    let (name, provider) = (mask(&failure.action.name), mask(&failure.action.provider));
    let (evidence, seen_in) = deepest.unwrap_or_default();
    let what = if evidence.is_empty() {
        format!("{name} ({provider}) failed, and nothing was found that says why.")
    } else {
        format!(
            "{name} ({provider}) failed in a way that is not known here; the deepest word on it: {evidence}"
        )
    };
    let to_do = match &failure.action.error {
        crate::evidence::Observed::Known { value: ActionError { url: Some(url), .. }, .. } => {
            format!("Look at {}", mask(url))
        }
        crate::evidence::Observed::Known { .. } | crate::evidence::Observed::Missing { .. } => {
            "Look at the action in CodePipeline's console.".to_owned()
        }
    };
    Cause {
        rule: UNKNOWN.to_owned(),
        what,
        evidence,
        seen_in: seen_in.to_owned(),
        to_do,
        concerns: Concerns::Unknown,
        retry: Retry::Unknown,
        not_learnt,
    }
}

fn not_learnt(failure: &Failure) -> Vec<String> {
    let action = failure.action.error.known().err().map(|why| ("what CodePipeline says", why));
    let others = failure.learnt.iter().filter_map(Learnt::missing);
    action
        .into_iter()
        .chain(others)
        .map(|(what, why)| mask(&format!("Not learnt: {what}, because {why}")))
        .collect()
}
