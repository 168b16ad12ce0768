//! Why a stage failed: how far to ask.
//!
//! Whoever hears of a failure first asks everybody who may know. The sweep, which finds one whose events were lost, asks
//! CodePipeline alone: the clients of five more services in it would cost every tick their start. A type, and no
//! switch, says which: so a function that asks little has nothing of the rest in it.

use std::future::Future;

use jiff::Timestamp;

use crate::{
    aws::{
        Adapters,
        codepipeline::{ActionDetail, ActionRun},
    },
    cause::Cause,
    diagnosis::{ActionError, Category, FailedAction, Failure, explain},
    evidence::{ActionFailed, Observed},
    release::{Release, Stage},
};

/// What is asked about a stage that failed.
pub trait Inquiry: Sync {
    /// The failed actions of a stage in an execution, each with its cause: `runs` are all of the execution's, the newest
    /// first. Manual approvals are left out: they are told of as such.
    fn causes(
        &self,
        adapters: &Adapters,
        stage: &Stage,
        runs: &[ActionRun],
        now: Timestamp,
    ) -> impl Future<Output = Vec<ActionFailed>> + Send;

    /// Why a deployment of CodeDeploy failed that no pipeline made. None where nobody was asked, or nobody knew.
    fn cause_of(
        &self,
        adapters: &Adapters,
        release: &Release,
        now: Timestamp,
    ) -> impl Future<Output = Option<Cause>> + Send;
}

/// CodePipeline's own words, and nothing else.
#[derive(Clone, Copy, Debug)]
pub struct InBrief;

impl Inquiry for InBrief {
    async fn causes(
        &self,
        _: &Adapters,
        stage: &Stage,
        runs: &[ActionRun],
        now: Timestamp,
    ) -> Vec<ActionFailed> {
        failed_in(runs, &stage.stage)
            .filter(|run| !run.is_approval())
            .map(|run| {
                let action = failed_action(run, now);
                let mut cause = explain(&Failure { action, learnt: Vec::new() });
                cause.not_learnt.push(
                    "No event told of this failure, so that only CodePipeline was asked about it".to_owned(),
                );
                ActionFailed { action: run.action.clone(), provider: provider(run), cause }
            })
            .collect()
    }

    async fn cause_of(&self, _: &Adapters, _: &Release, _: Timestamp) -> Option<Cause> {
        None
    }
}

/// The last run of each action of a stage, where that failed.
pub fn failed_in<'a>(runs: &'a [ActionRun], stage: &'a str) -> impl Iterator<Item = &'a ActionRun> {
    runs.iter().filter(move |run| {
        let newer = |other: &ActionRun| {
            other.stage == run.stage && other.action == run.action && other.started > run.started
        };
        run.stage == stage && run.status == "Failed" && !runs.iter().any(newer)
    })
}

/// What carried a run out, in CodePipeline's word.
pub fn provider(run: &ActionRun) -> String {
    run.provider.clone().unwrap_or_else(|| "an unknown provider".to_owned())
}

/// A failed action, as CodePipeline tells of it.
pub fn failed_action(run: &ActionRun, now: Timestamp) -> FailedAction {
    let ActionDetail { category, summary, url, error_code, error_message, .. } = &run.detail;
    let error = ActionError {
        code: error_code.clone(),
        message: error_message.clone(),
        summary: summary.clone(),
        url: url.clone(),
    };
    FailedAction {
        stage: run.stage.clone(),
        name: run.action.clone(),
        category: Category::from_wire(category.as_deref().unwrap_or("unknown")),
        provider: provider(run),
        error: Observed::Known { value: error, at: now },
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::{
        aws::codepipeline::ExecutionSummary,
        gather::execution::course,
        release::course::{Course, StepState},
    };

    fn run(category: &str, provider: &str, status: &str) -> ActionRun {
        ActionRun {
            stage: "Ask".to_owned(),
            action: "Sign-off".to_owned(),
            provider: Some(provider.to_owned()),
            status: status.to_owned(),
            started: Timestamp::UNIX_EPOCH,
            updated: Timestamp::UNIX_EPOCH,
            external: None,
            variables: BTreeMap::new(),
            detail: ActionDetail { category: Some(category.to_owned()), ..ActionDetail::default() },
        }
    }

    fn course_of(run: ActionRun) -> Course {
        let summary = ExecutionSummary {
            id: "e-1".to_owned(),
            rollback: false,
            rollback_target: None,
            status: "InProgress".to_owned(),
            started: Timestamp::UNIX_EPOCH,
            updated: None,
            revision: None,
            messages: Vec::new(),
            commit: None,
            started_by: None,
        };
        course("orders", &["Ask".to_owned()], &[], &[run], &summary, &[])
    }

    /// A card, an explanation and a comparison must not have each its own idea of what asks a person.
    #[test]
    fn what_asks_a_person_is_an_approval_wherever_that_counts() {
        for (category, provider, asks) in
            [("Approval", "Manual", true), ("Approval", "Another", true), ("Invoke", "Manual", false)]
        {
            let waits = run(category, provider, "InProgress");
            assert_eq!(waits.is_approval(), asks);
            let stands = if asks { StepState::Asks } else { StepState::Running };
            assert_eq!(course_of(waits).steps[0].state, stands, "{category} {provider}");
        }
    }
}
