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
            .filter(|run| !is_approval(run))
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

/// Whether it waited for a person.
pub fn is_approval(run: &ActionRun) -> bool {
    run.detail.category.as_deref() == Some("Approval")
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
