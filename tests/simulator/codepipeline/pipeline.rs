//! Pipelines as a script describes them: stages, and the actions in them.

use jiff::Timestamp;

use crate::stamps::minutes;

/// "Timeout 7 days by default", configurable from 5 to 86,400 minutes (User Guide, "Approval action reference").
const APPROVAL_MINUTES: u32 = 7 * 24 * 60;

/// How executions share a pipeline.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ExecutionMode {
    /// A newer execution overtakes one that waits before a stage.
    #[default]
    Superseded,
    /// One after the other, in the order of their start.
    Queued,
    /// All at once, none waiting for another.
    Parallel,
}

impl ExecutionMode {
    /// The API's word.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Superseded => "SUPERSEDED",
            Self::Queued => "QUEUED",
            Self::Parallel => "PARALLEL",
        }
    }
}

/// A pipeline: type, mode, stages.
#[derive(Debug, Clone)]
pub struct Pipeline {
    /// Its name.
    pub name: String,
    /// Type V2; V1 has no rollback.
    pub v2: bool,
    /// How executions share it.
    pub mode: ExecutionMode,
    /// Its stages, in order.
    pub stages: Vec<Stage>,
}

impl Pipeline {
    /// A pipeline of type V2, without stages yet.
    pub fn v2(name: &str) -> Self {
        Self { name: name.to_owned(), v2: true, mode: ExecutionMode::default(), stages: Vec::new() }
    }

    /// A pipeline of type V1.
    pub fn v1(name: &str) -> Self {
        Self { v2: false, ..Self::v2(name) }
    }

    /// Sets how executions share it.
    pub fn mode(mut self, mode: ExecutionMode) -> Self {
        self.mode = mode;
        self
    }

    /// Adds a stage at the end.
    pub fn stage(mut self, stage: Stage) -> Self {
        self.stages.push(stage);
        self
    }

    pub(crate) fn stage_named(&self, name: &str) -> &Stage {
        self.stages.iter().find(|stage| stage.name == name).expect("a stage of this pipeline")
    }
}

/// What an action does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Work {
    /// Fetches the revision, in five seconds: from CodeCommit, or from GitHub through a connection.
    Source { connection: bool },
    /// A CodeBuild build that takes its time; without a name, the project has one after pipeline and action.
    Build { seconds: u32, project: Option<String> },
    /// Waits for a person, so long.
    Approval { minutes: u32 },
    /// A real simulated deployment.
    CodeDeploy {
        application: String,
        group: String,
        /// Whether an action of the same stage writes the AppSpec for what the alias serves then.
        fresh_app_spec: bool,
    },
    /// Takes its time, and then a deployment group's users may get the new revision.
    Deploy { seconds: u32, serves: Option<String>, by: Deployer },
}

/// By what an action deploys that does so without CodeDeploy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Deployer {
    /// A stack; without a name, it has one after pipeline and action.
    CloudFormation { stack: Option<String> },
    /// An ECS service, which rolls by itself.
    Ecs { cluster: String, service: String },
    /// A Lambda function that the action invokes.
    Lambda { function: String },
}

/// What is said about the commit of an execution's source. What is left empty is filled in when the execution starts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Commit {
    /// Its message; else `Release` and the revision's label.
    pub message: Option<String>,
    /// Who wrote it; else Mary Major.
    pub author: Option<String>,
    /// Their address.
    pub email: Option<String>,
    /// The branch; else main.
    pub branch: Option<String>,
    /// When it was written; else ten minutes before the execution started.
    pub date: Option<Timestamp>,
}

/// The same, filled in.
#[derive(Debug, Clone)]
pub(crate) struct Written {
    pub(crate) message: String,
    pub(crate) author: String,
    pub(crate) email: String,
    pub(crate) branch: String,
    pub(crate) date: Timestamp,
}

impl Commit {
    pub(crate) fn filled_in(self, label: &str, started: Timestamp) -> Written {
        Written {
            message: self.message.unwrap_or_else(|| format!("Release {label}")),
            author: self.author.unwrap_or_else(|| "Mary Major".to_owned()),
            email: self.email.unwrap_or_else(|| "mary.major@example.com".to_owned()),
            branch: self.branch.unwrap_or_else(|| "main".to_owned()),
            date: self.date.unwrap_or_else(|| started - minutes(10)),
        }
    }
}

/// An action of a stage.
#[derive(Debug, Clone)]
pub struct Action {
    pub(crate) name: String,
    pub(crate) work: Work,
    pub(crate) run_order: u32,
    /// Fails, whatever the revision.
    pub(crate) fails: bool,
    /// Fails with these revisions.
    pub(crate) fails_for: Vec<String>,
    /// Its configuration, and what it finds out, as scripts write them: see [`Action::configured`].
    pub(crate) configuration: Vec<(String, String)>,
    pub(crate) outputs: Vec<(String, String)>,
}

impl Action {
    fn new(name: &str, work: Work) -> Self {
        let (configuration, outputs) = (Vec::new(), Vec::new());
        let name = name.to_owned();
        Self { name, work, run_order: 1, fails: false, fails_for: Vec::new(), configuration, outputs }
    }

    /// Fetches the source.
    pub fn source(name: &str) -> Self {
        Self::new(name, Work::Source { connection: false })
    }

    /// Fetches the source from GitHub, through a connection; a push starts the pipeline.
    pub fn connection(name: &str) -> Self {
        Self::new(name, Work::Source { connection: true })
    }

    /// A CodeBuild build of so many seconds.
    pub fn build(name: &str, seconds: u32) -> Self {
        Self::new(name, Work::Build { seconds, project: None })
    }

    /// A manual approval.
    pub fn approval(name: &str) -> Self {
        Self::new(name, Work::Approval { minutes: APPROVAL_MINUTES })
    }

    /// A CodeDeploy deployment in a group that exists. An execution's AppSpec is written when it is first
    /// deployed and never again: what is built is an artifact, and a rollback or a retry replays it word
    /// for word. A Lambda AppSpec names the version that the alias must serve, so that a replayed one
    /// fails when the alias serves another; see [`Action::fresh_app_spec`]. Whether CodePipeline's
    /// CodeDeploy action takes a Lambda group at all is unverified: its User Guide names EC2 and ECS.
    pub fn deploy(name: &str, application: &str, group: &str) -> Self {
        Self::new(
            name,
            Work::CodeDeploy {
                application: application.to_owned(),
                group: group.to_owned(),
                fresh_app_spec: false,
            },
        )
    }

    /// A deployment without CodeDeploy, that takes so many seconds.
    pub fn deploy_for(name: &str, seconds: u32) -> Self {
        let by = Deployer::CloudFormation { stack: None };
        Self::new(name, Work::Deploy { seconds, serves: None, by })
    }

    /// Invokes a Lambda function that answers after so many seconds.
    pub fn invoke(name: &str, seconds: u32, function: &str) -> Self {
        let by = Deployer::Lambda { function: function.to_owned() };
        Self::new(name, Work::Deploy { seconds, serves: None, by })
    }

    /// Gives an ECS service new tasks, by rolling, in so many seconds.
    pub fn ecs(name: &str, seconds: u32, cluster: &str, service: &str) -> Self {
        let by = Deployer::Ecs { cluster: cluster.to_owned(), service: service.to_owned() };
        Self::new(name, Work::Deploy { seconds, serves: None, by })
    }

    /// CodeBuild: the project's name.
    pub fn in_project(mut self, named: &str) -> Self {
        match &mut self.work {
            Work::Build { project, .. } => *project = Some(named.to_owned()),
            Work::Source { .. } | Work::Approval { .. } | Work::CodeDeploy { .. } | Work::Deploy { .. } => {
                panic!("only a build has a project")
            }
        }
        self
    }

    /// CodeDeploy: as if another action of the same stage wrote the AppSpec before each run, for the
    /// version that the alias serves then.
    pub fn fresh_app_spec(mut self) -> Self {
        match &mut self.work {
            Work::CodeDeploy { fresh_app_spec, .. } => *fresh_app_spec = true,
            Work::Source { .. } | Work::Build { .. } | Work::Approval { .. } | Work::Deploy { .. } => {
                panic!("only a CodeDeploy action has an AppSpec")
            }
        }
        self
    }

    /// Gives the users of a deployment group the new revision when the action, one of
    /// [`Action::deploy_for`], succeeds.
    pub fn serving(mut self, group: &str) -> Self {
        match &mut self.work {
            Work::Deploy { serves, .. } => *serves = Some(group.to_owned()),
            Work::Source { .. } | Work::Build { .. } | Work::Approval { .. } | Work::CodeDeploy { .. } => {
                panic!("only an action of deploy_for moves users by itself")
            }
        }
        self
    }

    /// Lets a manual approval fail after so many minutes without an answer; 7 days otherwise.
    pub fn expiring_after(mut self, expires: u32) -> Self {
        match &mut self.work {
            Work::Approval { minutes } => *minutes = expires,
            Work::Source { .. } | Work::Build { .. } | Work::CodeDeploy { .. } | Work::Deploy { .. } => {
                panic!("only a manual approval waits for a person")
            }
        }
        self
    }

    /// Adds a value to its configuration. `{revision}` in it is what the execution brings, and `{commit}` its commit: as
    /// variables are resolved in each execution.
    pub fn configured(mut self, name: &str, value: &str) -> Self {
        self.configuration.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Adds an output variable, which is there once it has succeeded. Written as in [`Action::configured`].
    pub fn finding(mut self, name: &str, value: &str) -> Self {
        self.outputs.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A manual approval: tells a topic when it waits. What is in its configuration as `CustomData` and
    /// `ExternalEntityLink` goes with it (User Guide, "Approval action reference").
    pub fn notifying(self, topic: &str) -> Self {
        assert!(matches!(self.work, Work::Approval { .. }), "only a manual approval notifies");
        self.configured("NotificationArn", topic)
    }

    /// Fails, until a script says otherwise.
    pub fn failing(mut self) -> Self {
        self.fails = true;
        self
    }

    /// Fails with this revision.
    pub fn failing_for(mut self, label: &str) -> Self {
        self.fails_for.push(label.to_owned());
        self
    }
}

/// A stage. The constructors make one with a single action of the same name.
#[derive(Debug, Clone)]
pub struct Stage {
    pub(crate) name: String,
    pub(crate) actions: Vec<Action>,
}

impl Stage {
    /// A stage with one action.
    pub fn of(name: &str, action: Action) -> Self {
        Self { name: name.to_owned(), actions: vec![action] }
    }

    /// Fetches the source.
    pub fn source(name: &str) -> Self {
        Self::of(name, Action::source(name))
    }

    /// Fetches the source through a connection.
    pub fn connection(name: &str) -> Self {
        Self::of(name, Action::connection(name))
    }

    /// Builds for so many seconds.
    pub fn build(name: &str, seconds: u32) -> Self {
        Self::of(name, Action::build(name, seconds))
    }

    /// Waits for a person.
    pub fn approval(name: &str) -> Self {
        Self::of(name, Action::approval(name))
    }

    /// Deploys through CodeDeploy, in a group that exists.
    pub fn deploy(name: &str, application: &str, group: &str) -> Self {
        Self::of(name, Action::deploy(name, application, group))
    }

    /// Deploys without CodeDeploy, in so many seconds.
    pub fn deploy_for(name: &str, seconds: u32) -> Self {
        Self::of(name, Action::deploy_for(name, seconds))
    }

    /// Adds an action that runs after those before it.
    pub fn then(mut self, action: Action) -> Self {
        let run_order = self.last_order() + 1;
        self.actions.push(Action { run_order, ..action });
        self
    }

    /// Adds an action that runs at the same time as the last one.
    pub fn beside(mut self, action: Action) -> Self {
        let run_order = self.last_order();
        self.actions.push(Action { run_order, ..action });
        self
    }

    /// Changes the last action, such as with [`Action::failing`].
    pub fn with(mut self, change: impl FnOnce(Action) -> Action) -> Self {
        let last = self.actions.pop().expect("a stage has an action");
        self.actions.push(change(last));
        self
    }

    fn last_order(&self) -> u32 {
        self.actions.last().map_or(0, |action| action.run_order)
    }

    pub(crate) fn action(&self, name: &str) -> &Action {
        self.actions.iter().find(|action| action.name == name).expect("an action of this stage")
    }

    pub(crate) fn is_source(&self) -> bool {
        self.actions.iter().any(|action| matches!(action.work, Work::Source { .. }))
    }
}
