//! What an action is declared as: its type, its configuration, and what it hands on. The names are those of the action
//! structure reference in CodePipeline's User Guide.

use serde_json::{Map, Value, json};

use super::breaking::{project_of, stack_of};
use super::execution::PipelineExecution;
use super::pipeline::{Action, Deployer, Work};
use super::working::commit_of;
use crate::codedeploy::group::Platform;
use crate::world::World;

/// The repository of every source here.
const REPOSITORY: &str = "my-repo";
/// The same where it is reached through a connection.
const FULL_REPOSITORY: &str = "my-org/my-repo";
/// The connection.
pub(super) const CONNECTION: &str =
    "arn:aws:codestar-connections:us-east-1:123456789012:connection/5c9ab75b-7c3a-4d4e-9d0f-2a1f6f0a3f11";

/// `actionTypeId`: category and provider. For ECS the provider is `CodeDeployToECS` (User Guide, "Amazon ECS and
/// CodeDeploy blue-green deploy action reference").
pub(super) fn type_of(world: &World, action: &Action) -> (&'static str, &'static str) {
    match &action.work {
        Work::Source { connection: false } => ("Source", "CodeCommit"),
        Work::Source { connection: true } => ("Source", "CodeStarSourceConnection"),
        Work::Build { .. } => ("Build", "CodeBuild"),
        Work::Approval { .. } => ("Approval", "Manual"),
        Work::Deploy { by: Deployer::CloudFormation { .. }, .. } => ("Deploy", "CloudFormation"),
        Work::Deploy { by: Deployer::Ecs { .. }, .. } => ("Deploy", "ECS"),
        Work::Deploy { by: Deployer::Lambda { .. }, .. } => ("Invoke", "Lambda"),
        Work::CodeDeploy { group, .. } => match world.code_deploy.group(group).settings.platform {
            Platform::Ecs => ("Deploy", "CodeDeployToECS"),
            Platform::Lambda | Platform::Server => ("Deploy", "CodeDeploy"),
        },
    }
}

/// The action's configuration: texts by name.
pub(super) fn configuration(action: &Action, pipeline: &str) -> Value {
    match &action.work {
        Work::Source { connection: false } => json!({
            "RepositoryName": REPOSITORY, "BranchName": "main", "PollForSourceChanges": "false",
        }),
        Work::Source { connection: true } => json!({
            "ConnectionArn": CONNECTION, "FullRepositoryId": FULL_REPOSITORY, "BranchName": "main",
        }),
        Work::Build { project, .. } => {
            json!({ "ProjectName": project_of(project.as_ref(), pipeline, &action.name) })
        }
        Work::Approval { .. } => json!({}),
        Work::CodeDeploy { application, group, .. } => {
            json!({ "ApplicationName": application, "DeploymentGroupName": group })
        }
        Work::Deploy { by: Deployer::CloudFormation { stack }, .. } => json!({
            "ActionMode": "CREATE_UPDATE",
            "StackName": stack_of(stack.as_ref(), pipeline, &action.name),
            "TemplatePath": "SourceArtifact::template.yaml",
            "RoleArn": "arn:aws:iam::123456789012:role/cloudformation",
        }),
        Work::Deploy { by: Deployer::Ecs { cluster, service }, .. } => {
            json!({ "ClusterName": cluster, "ServiceName": service, "FileName": "imagedefinitions.json" })
        }
        Work::Deploy { by: Deployer::Lambda { function }, .. } => {
            json!({ "FunctionName": function, "UserParameters": "{\"environment\":\"production\"}" })
        }
    }
}

/// The variables of an action that succeeded (User Guide, "Variables": what each action type puts out). Other types put
/// out more than is modelled.
pub(super) fn variables(action: &Action, execution: &PipelineExecution, succeeded: bool) -> Value {
    let commit = &execution.commit;
    let date = commit.date.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let mut shown = Map::new();
    let mut put = |name: &str, value: String| shown.insert(name.to_owned(), json!(value));
    match &action.work {
        Work::Source { connection } if succeeded => {
            put("BranchName", commit.branch.clone());
            put("CommitId", commit_of(&execution.label));
            put("CommitMessage", commit.message.clone());
            put("AuthorDate", date.clone());
            if *connection {
                put("AuthorDisplayName", commit.author.clone());
                put("AuthorEmail", commit.email.clone());
                put("AuthorId", "1234567".to_owned());
                put("ConnectionArn", CONNECTION.to_owned());
                put("FullRepositoryName", FULL_REPOSITORY.to_owned());
                put("ProviderType", "GitHub".to_owned());
            } else {
                put("CommitterDate", date);
                put("RepositoryName", REPOSITORY.to_owned());
            }
        }
        Work::Source { .. }
        | Work::Build { .. }
        | Work::Approval { .. }
        | Work::CodeDeploy { .. }
        | Work::Deploy { .. } => {}
    }
    Value::Object(shown)
}

/// What a revision is summed up as: the commit's first line; with a connection, JSON with the provider (from memory of
/// real answers, not verified).
pub(super) fn revision_summary(world: &World, execution: &PipelineExecution) -> String {
    let first = execution.commit.message.lines().next().unwrap_or_default();
    if world.has_connection(&execution.pipeline) {
        json!({ "ProviderType": "GitHub", "CommitMessage": first }).to_string()
    } else {
        first.to_owned()
    }
}

impl World {
    /// Whether a pipeline's source is reached through a connection.
    pub(super) fn has_connection(&self, pipeline: &str) -> bool {
        let settings = &self.code_pipeline.pipeline(pipeline).settings;
        let mut actions = settings.stages.iter().flat_map(|stage| &stage.actions);
        actions.any(|action| action.work == Work::Source { connection: true })
    }
}

/// `execution-trigger` in the form that executions have which a push has started, in the events of their end.
pub(super) fn git_trigger(execution: &PipelineExecution) -> Value {
    let commit = &execution.commit;
    json!({
        "full-repository-name": FULL_REPOSITORY,
        "provider-type": "GitHub",
        "author-display-name": commit.author,
        "author-id": "1234567",
        "author-email": commit.email,
        "author-date": commit.date.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        "commit-message": commit.message,
        "commit-id": commit_of(&execution.label),
        "connection-arn": CONNECTION,
        "branch-name": commit.branch,
    })
}
