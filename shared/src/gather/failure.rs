//! Why something failed: what is asked about it, side by side, of the services behind it.
//!
//! All of it together has one time to answer in ([`Sources::within`]). What has not answered by then, or not at all, is
//! missing with its reason, and keeps nothing from the rest. What was read of a log goes into the explanation only, which
//! masks it (`diagnosis::explain`); no line of this writes any of it to our own log.

mod build;
mod deployment;

use std::{fmt::Display, future::Future};

use futures_util::future::join_all;
use jiff::Timestamp;
use tokio::time::{Instant, sleep, timeout_at};

use crate::{
    aws::{
        Adapters, Sources,
        codepipeline::{ActionDetail, ActionRun},
    },
    cause::Cause,
    diagnosis::{ActionError, Category, FailedAction, Failure, FunctionFailure, Learnt, explain},
    evidence::{ActionFailed, Observed},
    gather::inquiry::{Inquiry, failed_action, failed_in},
    release::{Release, Stage},
};

/// An action of a pipeline that failed, with what was learnt about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// `actionExecutionId`: a retry has another one. Empty where CodePipeline gives none.
    pub action_run: String,
    /// The stage.
    pub stage: String,
    /// The action.
    pub action: String,
    /// What was learnt: [`crate::diagnosis::explain`] makes a cause of it.
    pub failure: Failure,
}

/// Everybody who may know is asked.
#[derive(Clone, Copy, Debug)]
pub struct InFull;

impl Inquiry for InFull {
    async fn causes(
        &self,
        adapters: &Adapters,
        stage: &Stage,
        runs: &[ActionRun],
        now: Timestamp,
    ) -> Vec<ActionFailed> {
        let failed = of_stage(adapters, stage, runs, now).await;
        let explained = failed.into_iter().map(|failed| ActionFailed {
            cause: explain(&failed.failure),
            provider: failed.failure.action.provider,
            action: failed.action,
        });
        explained.collect()
    }

    async fn cause_of(&self, adapters: &Adapters, release: &Release, now: Timestamp) -> Option<Cause> {
        of_deployment(adapters, release, now).await.known().ok().map(explain)
    }
}

/// The actions that failed in a stage, by the last run of each, in the order in which they began; manual approvals are
/// told of as such. `runs` are all runs of the execution.
pub async fn of_stage(adapters: &Adapters, stage: &Stage, runs: &[ActionRun], now: Timestamp) -> Vec<Failed> {
    let asking = Asking::begin(&adapters.sources, now);
    let mut failed: Vec<&ActionRun> =
        failed_in(runs, &stage.stage).filter(|run| !run.is_approval()).collect();
    failed.sort_by_key(|run| run.started);
    join_all(failed.into_iter().map(|run| of_run(&asking, run))).await
}

/// A deployment of CodeDeploy that failed, whoever made it. Missing when CodeDeploy does not tell of it.
pub async fn of_deployment(adapters: &Adapters, release: &Release, now: Timestamp) -> Observed<Failure> {
    let asking = Asking::begin(&adapters.sources, now);
    let learnt = deployment::learnt(&asking, &asking.sources, release.id.as_str()).await;
    if let [Learnt::Deployment(Observed::Missing { why })] = learnt.as_slice() {
        return Observed::Missing { why: why.clone() };
    }
    let console = crate::chat::console::Console::of(asking.sources.region());
    let action = FailedAction {
        stage: release.place.to_string(),
        name: format!("the deployment {}", release.id),
        category: Category::Deploy,
        provider: "CodeDeploy".to_owned(),
        error: asking.known(ActionError {
            url: Some(console.deployment(release.id.as_str()).url),
            ..ActionError::default()
        }),
    };
    Observed::Known { value: Failure { action, learnt }, at: now }
}

async fn of_run(asking: &Asking, run: &ActionRun) -> Failed {
    let provider = run.provider.clone().unwrap_or_default();
    let detail = &run.detail;
    let sources = match &detail.region {
        Some(region) if region != asking.sources.region() => asking.sources.in_region(region),
        Some(_) | None => asking.sources.clone(),
    };
    let action = failed_action(run, asking.now);
    Failed {
        action_run: detail.id.clone().unwrap_or_default(),
        stage: run.stage.clone(),
        action: run.action.clone(),
        failure: Failure { action, learnt: learnt(asking, &sources, &provider, run).await },
    }
}

/// What the service behind an action tells. The providers' names and what they put into `externalExecutionId` are those of
/// the CodePipeline User Guide, "Action structure reference"; of CodeBuild, CodeDeploy and CloudFormation that they put
/// the build's, the deployment's and the stack's id there is as observed.
async fn learnt(asking: &Asking, sources: &Sources, provider: &str, run: &ActionRun) -> Vec<Learnt> {
    let ActionRun { detail, external, .. } = run;
    let named = |name: &str| detail.names.get(name).map(String::as_str);
    match provider {
        "CodeBuild" => match external {
            Some(build) => build::of_build(asking, sources, build).await,
            None => vec![Learnt::Build(unnamed("the action names no build, as when none began"))],
        },
        // The log is in the account's own CloudWatch Logs, as a build's is.
        "Commands" => match detail.log_stream.as_deref().or(external.as_deref()) {
            Some(stream) => build::of_commands(asking, sources, stream, run.started).await,
            None => vec![Learnt::Log(unnamed("the action names no log, as when no command ran"))],
        },
        "CodeDeploy" | "CodeDeployToECS" => match external {
            Some(deployment) => deployment::learnt(asking, sources, deployment).await,
            None => vec![Learnt::Deployment(unnamed("the action names no deployment, as when none began"))],
        },
        "CloudFormation" => {
            // By its id a stack is also found once it is deleted.
            let id = external.as_deref().filter(|id| id.starts_with("arn:") && id.contains(":stack/"));
            match id.or_else(|| named("StackName")) {
                Some(stack) => of_stack(asking, sources, stack, run.started).await,
                None => vec![Learnt::Stack(unnamed("the action names no stack"))],
            }
        }
        "ECS" => match (named("ClusterName"), named("ServiceName")) {
            (Some(cluster), Some(service)) => {
                deployment::of_service(asking, sources, cluster, service, &[], run.started).await
            }
            _ => vec![Learnt::Tasks(unnamed("the action names no service"))],
        },
        "Lambda" => reported(detail).map(|told| Learnt::Function(asking.known(told))).into_iter().collect(),
        // Approvals, sources and others: there is no more to it than what CodePipeline says.
        _ => Vec::new(),
    }
}

/// What a function reported by PutJobFailureResult as JobFailed, which CodePipeline tells as the action's error. The other
/// types of failure say themselves what they are.
fn reported(detail: &ActionDetail) -> Option<FunctionFailure> {
    let payload = detail.error_message.clone()?;
    let name = detail.names.get("FunctionName")?.clone();
    (detail.error_code.as_deref() == Some("JobFailed")).then_some(FunctionFailure {
        name,
        error: None,
        payload,
    })
}

async fn of_stack(asking: &Asking, sources: &Sources, stack: &str, since: Timestamp) -> Vec<Learnt> {
    match asking.within(sources.stacks().failure(stack, since)).await {
        Err(why) => vec![Learnt::Stack(Observed::Missing { why })],
        Ok((failure, unread)) => {
            let nested = unread.map(|error| Learnt::Stack(Observed::Missing { why: error.to_string() }));
            std::iter::once(Learnt::Stack(asking.known(failure))).chain(nested).collect()
        }
    }
}

/// What could not be asked, since nothing says what to ask about.
fn unnamed<T>(why: &str) -> Observed<T> {
    Observed::Missing { why: why.to_owned() }
}

/// One gathering: whom it asks, and by when they have to answer.
struct Asking {
    sources: Sources,
    until: Instant,
    now: Timestamp,
}

impl Asking {
    /// Begins now. Only inside tokio's runtime.
    fn begin(sources: &Sources, now: Timestamp) -> Self {
        Self { until: sleep(sources.within()).deadline(), sources: sources.clone(), now }
    }

    /// An answer, or why there is none.
    async fn within<T, E: Display>(&self, question: impl Future<Output = Result<T, E>>) -> Result<T, String> {
        match timeout_at(self.until, question).await {
            Ok(answer) => answer.map_err(|error| error.to_string()),
            Err(_) => Err(format!(
                "AWS did not answer within the {} that are given to all questions about a failure",
                seconds(self.sources.within())
            )),
        }
    }

    fn known<T>(&self, value: T) -> Observed<T> {
        Observed::Known { value, at: self.now }
    }

    fn observed<T>(&self, answer: Result<T, String>) -> Observed<T> {
        Observed::from_result(answer, self.now)
    }
}

fn seconds(within: std::time::Duration) -> String {
    match within.as_secs_f64() {
        one if (one - 1.0).abs() < f64::EPSILON => "1 second".to_owned(),
        many => format!("{many} seconds"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn run(stage: &str, action: &str, status: &str, started: i64) -> ActionRun {
        let at = Timestamp::from_second(started).expect("a time");
        ActionRun {
            stage: stage.to_owned(),
            action: action.to_owned(),
            provider: Some("CodeBuild".to_owned()),
            status: status.to_owned(),
            started: at,
            updated: at,
            external: None,
            variables: BTreeMap::new(),
            detail: ActionDetail::default(),
        }
    }

    #[test]
    fn of_each_action_of_the_stage_its_last_run_counts() {
        let runs = [
            run("Build", "lint", "Failed", 9),
            run("Build", "unit", "Failed", 5),
            run("Build", "unit", "Failed", 1),
            run("Build", "image", "Succeeded", 6),
            run("Build", "image", "Failed", 2),
            run("Test", "unit", "Failed", 3),
            run("Test", "lint", "Succeeded", 99),
            run("Build", "scan", "InProgress", 7),
        ];
        let failed = failed_in(&runs, "Build");
        let failed: Vec<(&str, i64)> =
            failed.map(|run| (run.action.as_str(), run.started.as_second())).collect();
        assert_eq!(failed, [("lint", 9), ("unit", 5)]);
    }

    #[test]
    fn a_function_reported_only_what_it_calls_a_failed_job() {
        let mut detail = ActionDetail {
            names: BTreeMap::from([("FunctionName".to_owned(), "orders-migrate".to_owned())]),
            error_code: Some("JobFailed".to_owned()),
            error_message: Some("two rows are left over".to_owned()),
            ..ActionDetail::default()
        };
        assert_eq!(reported(&detail).expect("it did").payload, "two rows are left over");
        detail.error_code = Some("ConfigurationError".to_owned());
        assert_eq!(reported(&detail), None);
    }
}
