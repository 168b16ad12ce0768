//! Actions that fail for a reason: what a script lets go wrong the next time that a stage's action runs, and what the
//! services behind it say of that afterwards.

use serde_json::{Value, json};

use super::execution::ActionRun;
use super::pipeline::{Action, Deployer, Work};
use crate::chance::digest;
use crate::codebuild::build::FailedBuild;
use crate::codedeploy::breaking::FailedDeployment;
use crate::ecs::{Controller, FailedTasks};
use crate::simulator::Simulator;
use crate::stamps::seconds;
use crate::world::World;

/// `errorDetails.code` of a failure that its provider reported.
const JOB_FAILED: &str = "JobFailed";

/// Why an action fails.
#[derive(Debug, Clone)]
pub enum Cause {
    /// For a reason that CodePipeline itself knows: nothing is begun behind the action, and nothing else knows of it.
    Action,
    /// Its CodeBuild build fails.
    Build(FailedBuild),
    /// Its CloudFormation stack fails. Only the action is modelled here: it names the stack.
    Stack {
        /// The stack's name.
        name: String,
        /// In which status the stack ends, such as UPDATE_ROLLBACK_COMPLETE.
        status: String,
    },
    /// Its CodeDeploy deployment fails; on ECS perhaps because its tasks do not come up.
    Deployment {
        /// How CodeDeploy tells it.
        failure: FailedDeployment,
        /// What ECS and the load balancer know of it.
        tasks: Option<FailedTasks>,
    },
    /// The tasks of an ECS service that rolls by itself do not come up.
    Tasks(FailedTasks),
    /// The Lambda function that it invokes says that it failed (PutJobFailureResult).
    Function {
        /// The function's name.
        name: String,
        /// `failureDetails.message`.
        message: String,
    },
}

/// What a script lets go wrong.
#[derive(Debug, Clone)]
pub struct Break {
    /// The stage whose action fails.
    pub stage: String,
    /// Which of its actions; without it, the one of the stage's name, or its first.
    pub action: Option<String>,
    /// How many of its runs from now on; without it, all.
    pub times: Option<u32>,
    /// `errorDetails.code`; without it, JobFailed.
    pub code: Option<String>,
    /// `errorDetails.message`; without it, the sentence of the provider.
    pub message: Option<String>,
    /// Why.
    pub cause: Cause,
}

impl Break {
    /// Every run of a stage's action fails from now on.
    pub fn of(stage: &str, cause: Cause) -> Self {
        let stage = stage.to_owned();
        Self { stage, action: None, times: None, code: None, message: None, cause }
    }

    /// Only so many runs fail.
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    /// With these error details.
    pub fn saying(mut self, code: &str, message: &str) -> Self {
        (self.code, self.message) = (Some(code.to_owned()), Some(message.to_owned()));
        self
    }

    /// The details with which a run fails; `said` is what the action would say of itself. CodeBuild's sentence is observed, the others are the simulator's own unless
    /// the script says better.
    pub(super) fn details(&self, said: &str) -> (String, String) {
        let message = self.message.clone().unwrap_or_else(|| match &self.cause {
            Cause::Action => "The action failed.".to_owned(),
            Cause::Build(build) => build.summary(),
            Cause::Stack { name, status } => format!("Stack {name} is in the status {status}"),
            Cause::Deployment { .. } => said.to_owned(),
            Cause::Tasks(tasks) => format!("The tasks of the service {} did not start", tasks.service),
            Cause::Function { message, .. } => message.clone(),
        });
        (self.code.clone().unwrap_or_else(|| JOB_FAILED.to_owned()), message)
    }

    /// What the action is that can fail so: it is declared with this from now on.
    fn declare(&self, action: &mut Action) {
        let wrong = |what: &str| panic!("the action {:?} of {:?} is no {what}", action.name, self.stage);
        match (&self.cause, &mut action.work) {
            (Cause::Action, _) => {}
            (Cause::Build(build), Work::Build { project, .. }) => *project = Some(build.project.clone()),
            (Cause::Build(_), _) => wrong("build"),
            (Cause::Stack { name, .. }, Work::Deploy { by, .. }) => {
                *by = Deployer::CloudFormation { stack: Some(name.clone()) };
            }
            (Cause::Function { name, .. }, Work::Deploy { by, .. }) => {
                *by = Deployer::Lambda { function: name.clone() };
            }
            (Cause::Tasks(tasks), Work::Deploy { by, .. }) => {
                *by = Deployer::Ecs { cluster: tasks.cluster.clone(), service: tasks.service.clone() };
            }
            (Cause::Deployment { .. }, Work::CodeDeploy { .. }) => {}
            (Cause::Deployment { .. }, _) => wrong("deployment with CodeDeploy"),
            (Cause::Stack { .. } | Cause::Function { .. } | Cause::Tasks(_), _) => {
                wrong("deployment without CodeDeploy");
            }
        }
    }
}

/// A break that is in force.
#[derive(Debug, Clone)]
pub(crate) struct Broken {
    action: String,
    left: Option<u32>,
    what: Break,
}

impl Simulator {
    /// Lets a stage's action fail the next time it runs, or the next times.
    pub fn break_stage(&self, pipeline: &str, what: Break) {
        self.declare_broken(pipeline, &what);
        let mut world = self.world();
        let known = world.code_pipeline.pipeline_mut(pipeline);
        let action = broken_action(&mut known.settings.stages, &what).name.clone();
        known.broken.push(Broken { action, left: what.times, what });
    }

    /// Declares the action of a break that is still to come as what it will be then: a build of this project, a
    /// deployment to this stack. A pipeline does not change its structure because something fails.
    pub fn declare_broken(&self, pipeline: &str, what: &Break) {
        let mut world = self.world();
        let known = world.code_pipeline.pipeline_mut(pipeline);
        let action = broken_action(&mut known.settings.stages, what);
        what.declare(action);
        if let (Work::CodeDeploy { group, .. }, Cause::Deployment { tasks: Some(tasks), .. }) =
            (&action.work, &what.cause)
        {
            let (group, service) = (group.clone(), (tasks.cluster.clone(), tasks.service.clone()));
            world.group_mut(&group).settings.service = Some(service);
        }
    }

    /// Ends every break of a stage.
    pub fn mend_stage(&self, pipeline: &str, stage: &str) {
        let mut world = self.world();
        world.code_pipeline.pipeline_mut(pipeline).broken.retain(|broken| broken.what.stage != stage);
    }
}

fn broken_action<'a>(stages: &'a mut [super::pipeline::Stage], what: &Break) -> &'a mut Action {
    let stage = stages.iter_mut().find(|stage| stage.name == what.stage);
    let stage = stage.unwrap_or_else(|| panic!("the pipeline has no stage {:?}", what.stage));
    let wanted = what.action.as_ref().unwrap_or(&what.stage);
    let place = stage.actions.iter().position(|action| action.name == *wanted);
    assert!(place.is_some() || what.action.is_none(), "the stage {:?} has no action {wanted:?}", what.stage);
    stage.actions.get_mut(place.unwrap_or(0)).expect("a stage has an action")
}

impl World {
    /// The break that befalls a run which begins now.
    pub(super) fn break_for(&mut self, pipeline: &str, stage: &str, action: &str) -> Option<Break> {
        let known = self.code_pipeline.pipeline_mut(pipeline);
        let broken = known
            .broken
            .iter_mut()
            .find(|broken| broken.what.stage == stage && broken.action == action && broken.left != Some(0))?;
        broken.left = broken.left.map(|left| left - 1);
        Some(broken.what.clone())
    }

    /// Begins what is behind a build or a deployment without CodeDeploy, and says under which name its provider knows
    /// it. A failure that CodePipeline knows by itself begins nothing.
    pub(super) fn begin_outside(&mut self, id: &str, stage: &str, index: usize, action: &Action) {
        let execution = self.code_pipeline.execution(id);
        let run = &execution.stage(stage).expect("it is inside").actions[index];
        let (pipeline, label) = (execution.pipeline.clone(), execution.label.clone());
        let cause = run.broken.as_ref().map(|what| what.cause.clone());
        if matches!(cause, Some(Cause::Action)) {
            return;
        }
        let external = match &action.work {
            Work::Build { seconds, project } => {
                let project = project_of(project.as_ref(), &pipeline, &action.name);
                let plain = action.fails || action.fails_for.contains(&label);
                let failure = match cause {
                    Some(Cause::Build(failure)) => Some(failure),
                    Some(
                        Cause::Action
                        | Cause::Stack { .. }
                        | Cause::Function { .. }
                        | Cause::Deployment { .. }
                        | Cause::Tasks(_),
                    )
                    | None => {
                        let why = "Error while executing command: make. Reason: exit status 2";
                        plain.then(|| FailedBuild::of(&project, "BUILD", "COMMAND_EXECUTION_ERROR", why))
                    }
                };
                let (began, initiator) = (self.now, format!("codepipeline/{pipeline}"));
                Some(self.begin_build(&project, &initiator, began, *seconds, failure))
            }
            Work::Deploy { by: Deployer::CloudFormation { stack }, .. } => {
                let name = stack_of(stack.as_ref(), &pipeline, &action.name);
                Some(self.cloud_formation.id_of(&name).unwrap_or_else(|| stack_arn(&name)))
            }
            // That the id is the service's deployment is not verified.
            Work::Deploy { by: Deployer::Ecs { cluster, service }, seconds: lasts, .. } => {
                let failure = match cause {
                    Some(Cause::Tasks(failure)) => Some(failure),
                    Some(
                        Cause::Action
                        | Cause::Build(_)
                        | Cause::Stack { .. }
                        | Cause::Function { .. }
                        | Cause::Deployment { .. },
                    )
                    | None => None,
                };
                let until = self.now + seconds(i64::from(*lasts));
                let began = self.now;
                Some(self.roll_out(cluster, service, Controller::Rolling, id, began, until, failure))
            }
            // A job's external id is what the function gives with its answer, and it gives none here.
            Work::Deploy { by: Deployer::Lambda { .. }, .. } => None,
            Work::Source { .. } | Work::Approval { .. } | Work::CodeDeploy { .. } => None,
        };
        let run = &mut self.code_pipeline.execution_mut(id).stage_mut(stage).actions[index];
        run.external = external;
    }
}

impl World {
    /// Lets the deployment fail that a broken action has begun, and what is behind it.
    pub(super) fn break_deployment(&mut self, deployment: &str, what: &Break) {
        let Cause::Deployment { failure, tasks } = &what.cause else { return };
        self.let_deployment_fail(deployment, failure.clone());
        if let Some(tasks) = tasks {
            let (cluster, service) = (tasks.cluster.clone(), tasks.service.clone());
            // Task sets try for as long as the deployment lets them; the tries of the script are over in a minute.
            let (began, until) = (self.now, self.now + seconds(60));
            let controller = Controller::CodeDeploy;
            self.roll_out(&cluster, &service, controller, deployment, began, until, Some(tasks.clone()));
        }
    }
}

/// The project of a build that no script names.
pub(super) fn project_of(named: Option<&String>, pipeline: &str, action: &str) -> String {
    named.cloned().unwrap_or_else(|| format!("{pipeline}-{}", action.to_lowercase()))
}

/// The stack of a deployment that no script names.
pub(super) fn stack_of(named: Option<&String>, pipeline: &str, action: &str) -> String {
    named.cloned().unwrap_or_else(|| format!("{pipeline}-{}", action.to_lowercase()))
}

/// A stack's ARN: its name, and an id that is drawn from it here.
pub(super) fn stack_arn(name: &str) -> String {
    let drawn = digest(name);
    format!(
        "arn:aws:cloudformation:us-east-1:123456789012:stack/{name}/{:08x}-{:04x}-11ee-8000-0a58a9feac02",
        drawn >> 32,
        drawn & 0xffff
    )
}

/// `errorDetails` of a run that failed.
pub(super) fn error_of(run: &ActionRun) -> Value {
    match &run.error {
        Some((code, message)) => json!({ "code": code, "message": message }),
        None => json!({ "code": JOB_FAILED, "message": run.summary }),
    }
}

/// The error code of a run that failed, in its event.
pub(super) fn error_code_of(run: &ActionRun) -> String {
    run.error.as_ref().map_or_else(|| JOB_FAILED.to_owned(), |(code, _)| code.clone())
}
