//! The actions inside a stage: begun, looked after, ended.

use serde_json::json;

use super::breaking::{Break, Cause};
use super::declaring::CONNECTION;
use super::execution::{ActionRun, ActionStatus, ExecutionStatus};
use super::pipeline::{Action, Work};
use crate::codedeploy::deployment::DeploymentStatus;
use crate::codedeploy::group::Routing;
use crate::codedeploy::{Wishes, revision};
use crate::stamps::{minutes, seconds};
use crate::world::World;

/// Fetching a source takes this long. Invented.
const SOURCE_SECONDS: i64 = 5;

/// How an action ended.
struct End {
    status: ActionStatus,
    summary: Option<String>,
}

impl World {
    /// Takes one step inside a stage; true if something changed.
    pub(super) fn work(&mut self, id: &str, stage: &str) -> bool {
        let mut moved = false;
        let running = self.code_pipeline.execution(id).stage(stage).expect("it is inside");
        for index in running.in_progress().collect::<Vec<_>>() {
            if let Some(end) = self.ended(id, stage, index) {
                self.end_action(id, stage, index, end);
                moved = true;
            }
        }
        let execution = self.code_pipeline.execution(id);
        let run = execution.stage(stage).expect("it is inside");
        if run.in_progress().next().is_some() {
            return moved;
        }
        // With a stop requested "subsequent actions are not started", and what is in progress ended.
        // Which status an execution gets whose last action failed meanwhile is not documented.
        if execution.status == ExecutionStatus::Stopping {
            self.end_stage(id, stage, ExecutionStatus::Stopped);
            return true;
        }
        let settings = &self.code_pipeline.pipeline(&execution.pipeline).settings;
        let actions = settings.stage_named(stage).actions.clone();
        let status_of = |action: &Action| run.last_of(&action.name).map(|run| run.status);
        if actions.iter().any(|action| status_of(action) == Some(ActionStatus::Failed)) {
            self.end_stage(id, stage, ExecutionStatus::Failed);
            return true;
        }
        let open: Vec<&Action> =
            actions.iter().filter(|action| status_of(action) != Some(ActionStatus::Succeeded)).collect();
        let Some(next) = open.iter().map(|action| action.run_order).min() else {
            self.end_stage(id, stage, ExecutionStatus::Succeeded);
            return true;
        };
        // Actions of equal run order run side by side.
        for action in open.into_iter().filter(|action| action.run_order == next) {
            self.begin_action(id, stage, action);
        }
        true
    }

    pub(super) fn begin_action(&mut self, id: &str, stage: &str, action: &Action) {
        let now = self.now;
        let token = matches!(action.work, Work::Approval { .. }).then(|| self.chance.uuid());
        let run = ActionRun {
            action: action.name.clone(),
            status: ActionStatus::InProgress,
            external: None,
            summary: None,
            error: None,
            broken: None,
            id: self.chance.uuid(),
            started: now,
            updated: now,
            token,
            verdict: None,
        };
        let actions = &mut self.code_pipeline.execution_mut(id).stage_mut(stage).actions;
        let index = actions.len();
        actions.push(run);
        let pipeline = self.code_pipeline.execution(id).pipeline.clone();
        let broken = self.break_for(&pipeline, stage, &action.name).map(Box::new);
        let begins = !broken.as_ref().is_some_and(|what| matches!(what.cause, Cause::Action));
        self.code_pipeline.execution_mut(id).stage_mut(stage).actions[index].broken = broken;
        self.announce_action(id, stage, index, "STARTED");
        self.begin_outside(id, stage, index, action);
        self.notify(id, stage, index);
        if let Work::CodeDeploy { group, fresh_app_spec, .. } = &action.work
            && begins
            && let Err(why) = self.deploy(id, stage, index, group, *fresh_app_spec)
        {
            let end = End { status: ActionStatus::Failed, summary: Some(why) };
            self.end_action(id, stage, index, end);
        }
    }

    /// Creates the deployment. CodePipeline's deployments are shown as created by `user`: CodeDeploy's
    /// enumeration has no word for CodePipeline, and that it counts as a user is unverified.
    fn deploy(
        &mut self,
        id: &str,
        stage: &str,
        index: usize,
        group: &str,
        fresh_app_spec: bool,
    ) -> Result<(), String> {
        let execution = self.code_pipeline.execution(id);
        let action = execution.stage(stage).expect("it is inside").actions[index].action.clone();
        let (label, place) = (execution.label.clone(), (stage.to_owned(), action));
        let users = self.code_deploy.group(group);
        let sent = match execution.sent.get(&place) {
            Some(sent) if !fresh_app_spec => sent.clone(),
            Some(_) | None => revision::revision_for(&users.settings, &users.routing.old, &label),
        };
        self.code_pipeline.execution_mut(id).sent.insert(place, sent.clone());
        let wishes = Wishes { creator: Some("user".to_owned()), ..Wishes::default() };
        let now = self.now;
        let deployment = self
            .create_deployment(group, &sent, Some(&label), wishes, now)
            .map_err(|refusal| refusal.to_string())?;
        let run = &mut self.code_pipeline.execution_mut(id).stage_mut(stage).actions[index];
        run.external = Some(deployment.clone());
        if let Some(broken) = run.broken.clone() {
            self.break_deployment(&deployment, &broken);
        }
        Ok(())
    }

    /// How an action in progress has ended by now, if it has.
    fn ended(&self, id: &str, stage: &str, index: usize) -> Option<End> {
        let execution = self.code_pipeline.execution(id);
        let run = &execution.stage(stage)?.actions[index];
        let settings = &self.code_pipeline.pipeline(&execution.pipeline).settings;
        let action = settings.stage_named(stage).action(&run.action);
        let after = |wait| (self.now >= run.started + seconds(wait)).then_some(());
        let good = |summary: Option<String>| End { status: ActionStatus::Succeeded, summary };
        let bad = |why: &str| End { status: ActionStatus::Failed, summary: Some(why.to_owned()) };
        let fails = action.fails || action.fails_for.contains(&execution.label);
        let outside = |broken: &&Break| !matches!(broken.cause, Cause::Deployment { .. });
        if let Some(broken) = run.broken.as_deref().filter(outside) {
            after(match (&broken.cause, &action.work) {
                // What CodePipeline knows by itself it knows soon.
                (Cause::Action, _) => SOURCE_SECONDS,
                (_, Work::Build { seconds, .. } | Work::Deploy { seconds, .. }) => i64::from(*seconds),
                (_, Work::Source { .. } | Work::Approval { .. } | Work::CodeDeploy { .. }) => SOURCE_SECONDS,
            })?;
            return Some(bad(&broken.details("").1));
        }
        match &action.work {
            Work::Source { .. } => {
                after(SOURCE_SECONDS)?;
                Some(if fails {
                    bad("The source could not be fetched")
                } else {
                    good(execution.commit.message.lines().next().map(str::to_owned))
                })
            }
            Work::Build { seconds, .. } => {
                after(i64::from(*seconds))?;
                Some(if fails { bad("CodeBuild action failed") } else { good(None) })
            }
            Work::Deploy { seconds, .. } => {
                after(i64::from(*seconds))?;
                Some(if fails { bad("Deployment failed") } else { good(None) })
            }
            Work::Approval { minutes: patience } => match &run.verdict {
                Some(verdict) if verdict.approved => Some(good(Some(verdict.summary.clone()))),
                Some(verdict) => Some(bad(&verdict.summary)),
                // The words are in no sample that was found: not verified, nor that they are in the summary.
                None if self.now >= run.started + minutes(i64::from(*patience)) => {
                    Some(bad("The approval action timed out"))
                }
                None => None,
            },
            Work::CodeDeploy { .. } => {
                let deployment = run.external.as_ref()?;
                match self.code_deploy.deployments[deployment].status {
                    DeploymentStatus::Created | DeploymentStatus::InProgress => None,
                    // The words of a success are not in any sample.
                    DeploymentStatus::Succeeded => Some(good(Some("Deployment Succeeded".to_owned()))),
                    DeploymentStatus::Failed | DeploymentStatus::Stopped => {
                        Some(bad(&format!("Deployment {deployment} failed")))
                    }
                }
            }
        }
    }

    fn end_action(&mut self, id: &str, stage: &str, index: usize, end: End) {
        let now = self.now;
        let execution = self.code_pipeline.execution_mut(id);
        execution.updated = now;
        let (pipeline, label) = (execution.pipeline.clone(), execution.label.clone());
        let run = &mut execution.stage_mut(stage).actions[index];
        run.status = end.status;
        let said = end.summary.clone().unwrap_or_default();
        run.summary = end.summary;
        run.error = match &run.broken {
            Some(broken) if end.status == ActionStatus::Failed => Some(broken.details(&said)),
            Some(_) | None => None,
        };
        if let Some((_, message)) = &run.error {
            run.summary = Some(message.clone());
        }
        run.updated = now;
        let name = run.action.clone();
        let settings = &self.code_pipeline.pipeline(&pipeline).settings;
        let work = settings.stage_named(stage).action(&name).work.clone();
        if end.status == ActionStatus::Succeeded {
            match work {
                Work::Source { .. } => {
                    let execution = self.code_pipeline.execution_mut(id);
                    execution.has_source = true;
                    let run = &mut execution.stage_mut(stage).actions[index];
                    run.external = Some(commit_of(&label));
                }
                Work::Deploy { serves: Some(group), .. } => {
                    self.group_mut(&group).routing = Routing { old: label, new: None };
                }
                Work::Deploy { serves: None, .. }
                | Work::Build { .. }
                | Work::Approval { .. }
                | Work::CodeDeploy { .. } => {}
            }
        }
        let shout = if end.status == ActionStatus::Succeeded { "SUCCEEDED" } else { "FAILED" };
        self.announce_action(id, stage, index, shout);
    }
}

/// The commit a label stands for: 40 hexadecimal digits, the same in every run.
pub(super) fn commit_of(label: &str) -> String {
    revision::sha256(label).chars().take(40).collect()
}

/// Where a person finds what the action began: CodeBuild's, CodeDeploy's and CodeCommit's pages (observed), and the way
/// to a commit that a connection has brought (not verified).
pub(super) fn url_of(action: &Action, run: &ActionRun) -> Option<serde_json::Value> {
    let external = run.external.as_ref()?;
    let console = "https://us-east-1.console.aws.amazon.com";
    match &action.work {
        Work::CodeDeploy { .. } => Some(json!(format!("{console}/codedeploy/home?#/deployments/{external}"))),
        Work::Source { connection: false } => {
            Some(json!(format!("{console}/codecommit/home#/repository/my-repo/commit/{external}")))
        }
        Work::Source { connection: true } => Some(json!(format!(
            "{console}/codesuite/settings/connections/redirect?connectionArn={CONNECTION}&referenceType=COMMIT&FullRepositoryId=my-org/my-repo&Commit={external}"
        ))),
        Work::Build { .. } => Some(json!(format!(
            "https://console.aws.amazon.com/codebuild/home?region=us-east-1#/builds/{external}/view/new"
        ))),
        Work::Approval { .. } | Work::Deploy { .. } => None,
    }
}
