//! From a call to the IAM actions and resources that it needs.
//!
//! Actions and their resource types are those of AWS's Service Authorization Reference. What an operation needs besides
//! its own action is said with its source.

use serde_json::Value;

use super::Need;
use crate::codedeploy::deployment::Deployment;
use crate::journal::Service;
use crate::wire::texts;
use crate::world::World;

/// Where the simulator's resources are.
const HERE: &str = "us-east-1:123456789012";

impl World {
    /// What a call needs; an error names an operation of which that is not known here.
    pub(super) fn needs(
        &self,
        service: Service,
        operation: &str,
        input: &Value,
    ) -> Result<Vec<Need>, String> {
        let needs = match service {
            Service::CodeDeploy => self.code_deploy_needs(operation, input),
            Service::CodePipeline => code_pipeline_needs(operation, input),
            Service::CloudWatch => cloud_watch_needs(operation, input),
            Service::CloudFormation => self.cloud_formation_needs(operation, input),
            Service::Lambda => Some(vec![self.invoke_needs(input)]),
            Service::Sns => self.sns_needs(operation, input),
            Service::DynamoDb => self.table_needs(operation, input),
            Service::SecretsManager => self.secret_needs(operation, input),
            Service::Sts => {
                (operation == "AssumeRole").then(|| vec![Need::new("sts:AssumeRole", name(input, "RoleArn"))])
            }
            Service::CodeBuild => code_build_needs(operation, input),
            Service::Logs => logs_needs(operation, input),
            Service::Ecs => ecs_needs(operation, input),
            Service::LoadBalancing => load_balancing_needs(operation),
            Service::Slack | Service::Teams => Some(Vec::new()),
            // It is complained of as it is.
            Service::Unknown => Some(Vec::new()),
        };
        needs.ok_or_else(|| format!("the permissions that {service:?} {operation} needs"))
    }

    fn code_deploy_needs(&self, operation: &str, input: &Value) -> Option<Vec<Need>> {
        let own = format!("codedeploy:{operation}");
        let application = name(input, "applicationName");
        let group = || group_arn(application, name(input, "deploymentGroupName"));
        Some(match operation {
            "GetDeployment" => vec![Need::new(&own, self.group_of(name(input, "deploymentId")))],
            "BatchGetDeployments" => texts(&input["deploymentIds"])
                .into_iter()
                .map(|id| Need::new(&own, self.group_of(id)))
                .collect(),
            "ListDeployments" | "GetDeploymentGroup" => vec![Need::new(&own, group())],
            "GetApplicationRevision" => vec![Need::new(&own, application_arn(application))],
            "CreateDeployment" => {
                // AWS's own examples of roles that deploy have the other three ("Identity-based policies (IAM) examples
                // for CodeDeploy"); that all three are asked for here is not verified.
                let application = application_arn(application);
                let mut needs = vec![
                    Need::new(&own, group()),
                    Need::new("codedeploy:GetDeploymentConfig", self.config_arn(input)),
                    Need::new("codedeploy:RegisterApplicationRevision", application.clone()),
                    Need::new("codedeploy:GetApplicationRevision", application),
                ];
                // "You must have UpdateDeploymentGroup" to override alarms (CodeDeploy API reference,
                // CreateDeployment, overrideAlarmConfiguration).
                if !input["overrideAlarmConfiguration"].is_null() {
                    needs.push(Need::new("codedeploy:UpdateDeploymentGroup", group()));
                }
                needs
            }
            // These have no resource type.
            "StopDeployment"
            | "ListDeploymentTargets"
            | "GetDeploymentTarget"
            | "BatchGetDeploymentTargets"
            | "PutLifecycleEventHookExecutionStatus" => vec![Need::new(&own, "*")],
            _ => return None,
        })
    }

    /// The deployment group of a deployment. What IAM asks for when there is no such deployment is not verified: the
    /// right to read all of them would do.
    fn group_of(&self, deployment: &str) -> String {
        match self.code_deploy.deployments.get(deployment) {
            Some(Deployment { application, group, .. }) => group_arn(application, group),
            None => group_arn("*", "*"),
        }
    }

    /// The configuration that a deployment is made with: the one that is asked for, else its group's.
    fn config_arn(&self, input: &Value) -> String {
        let of_group = || {
            let group = &self.code_deploy.groups.get(name(input, "deploymentGroupName"))?.settings;
            Some(group.shifting.config_name(group.platform))
        };
        let asked = input["deploymentConfigName"].as_str().map(str::to_owned);
        let name = asked.or_else(of_group).unwrap_or_else(|| "*".to_owned());
        format!("arn:aws:codedeploy:{HERE}:deploymentconfig:{name}")
    }

    fn cloud_formation_needs(&self, operation: &str, input: &Value) -> Option<Vec<Need>> {
        let own = format!("cloudformation:{operation}");
        let stack = || self.cloud_formation.arn_of(name(input, "StackName"));
        Some(match operation {
            // "If you don't pass a parameter to StackName … This requires ListStacks and DescribeStacks permissions"
            // (aws-sdk-cloudformation 1.136.0, DescribeStacks). That it is asked for all stacks is not verified.
            "DescribeStacks" if input["StackName"].is_null() => {
                vec![Need::new(&own, "*"), Need::new("cloudformation:ListStacks", "*")]
            }
            "DescribeStacks" | "DescribeStackEvents" | "DescribeStackResourceDrifts" => {
                vec![Need::new(&own, stack())]
            }
            // Users report that it is refused without the second, and that it reads the configurations of types, which
            // have no resource type here; not verified. What CloudFormation reads of the stack's resources with the
            // caller's right to them is not modelled.
            "DetectStackDrift" => vec![
                Need::new(&own, stack()),
                Need::new("cloudformation:DetectStackResourceDrift", stack()),
                Need::new("cloudformation:BatchDescribeTypeConfigurations", "*"),
            ],
            // The first has no resource type; of the second that is what users report, not verified.
            "ListStacks" | "DescribeStackDriftDetectionStatus" => vec![Need::new(&own, "*")],
            _ => return None,
        })
    }

    fn invoke_needs(&self, input: &Value) -> Need {
        let function = name(input, "FunctionName");
        if function.starts_with("arn:") {
            return Need::new("lambda:InvokeFunction", function);
        }
        let deployed = self.permissions.deployed_as.get(function).map_or(function, String::as_str);
        Need::new("lambda:InvokeFunction", format!("arn:aws:lambda:{HERE}:function:{deployed}"))
    }

    fn sns_needs(&self, operation: &str, input: &Value) -> Option<Vec<Need>> {
        if operation != "Publish" {
            return None;
        }
        let topic = input["TopicArn"].as_str().or(input["TargetArn"].as_str()).unwrap_or("*");
        let mut needs = vec![Need::new("sns:Publish", topic)];
        // "A publisher needs kms:GenerateDataKey* and kms:Decrypt on the key" (SNS Developer Guide, "Securing Amazon SNS
        // data with server-side encryption").
        for action in ["kms:GenerateDataKey", "kms:Decrypt"] {
            needs.extend(
                self.key_need(action, topic, "sns")
                    .map(|need| need.with("kms:EncryptionContext:aws:sns:topicArn", topic)),
            );
        }
        Some(needs)
    }

    fn table_needs(&self, operation: &str, input: &Value) -> Option<Vec<Need>> {
        let table = name(input, "TableName");
        let arn = if table.starts_with("arn:") {
            table.to_owned()
        } else {
            format!("arn:aws:dynamodb:{HERE}:table/{table}")
        };
        match operation {
            "GetItem" | "PutItem" | "UpdateItem" | "DeleteItem" | "Query" => {}
            // Transactions and batches need the actions of what is in them: none is used so far.
            _ => return None,
        }
        let mut needs = vec![Need::new(&format!("dynamodb:{operation}"), arn.clone())];
        // DynamoDB uses the key with the caller's right to it ("Encryption at rest: usage notes"). Which of the key's actions
        // each operation needs is not verified; all of them decrypt the table's key.
        needs.extend(self.key_need("kms:Decrypt", &arn, "dynamodb"));
        Some(needs)
    }

    fn secret_needs(&self, operation: &str, input: &Value) -> Option<Vec<Need>> {
        if operation != "GetSecretValue" {
            return None;
        }
        let id = name(input, "SecretId");
        let arn = if id.starts_with("arn:") { id.to_owned() } else { crate::secrets::arn(id) };
        let mut needs = vec![Need::new("secretsmanager:GetSecretValue", arn.clone())];
        // "kms:Decrypt on the key, if it is a customer managed one" (Secrets Manager User Guide, "Secret encryption and
        // decryption").
        needs.extend(self.key_need("kms:Decrypt", &arn, "secretsmanager"));
        Some(needs)
    }

    /// The right to use a resource's key through its service, if it has a key of its own.
    fn key_need(&self, action: &str, resource: &str, through: &str) -> Option<Need> {
        let key = self.permissions.keys.get(resource)?;
        let via = format!("{through}.us-east-1.amazonaws.com");
        Some(
            Need::new(action, key.clone())
                .with("kms:ViaService", &via)
                .with("kms:CallerAccount", "123456789012"),
        )
    }
}

fn code_pipeline_needs(operation: &str, input: &Value) -> Option<Vec<Need>> {
    let (pipeline, stage) = (name(input, "pipelineName"), name(input, "stageName"));
    let resource = match operation {
        "GetPipeline" | "GetPipelineState" => name(input, "name").to_owned(),
        "GetPipelineExecution"
        | "ListPipelineExecutions"
        | "ListActionExecutions"
        | "StopPipelineExecution" => pipeline.to_owned(),
        "RollbackStage" | "RetryStageExecution" | "DisableStageTransition" | "EnableStageTransition" => {
            format!("{pipeline}/{stage}")
        }
        "PutApprovalResult" => format!("{pipeline}/{stage}/{}", name(input, "actionName")),
        _ => return None,
    };
    let arn = format!("arn:aws:codepipeline:{HERE}:{resource}");
    Some(vec![Need::new(&format!("codepipeline:{operation}"), arn)])
}

fn code_build_needs(operation: &str, input: &Value) -> Option<Vec<Need>> {
    if operation != "BatchGetBuilds" {
        return None;
    }
    // A build belongs to its project: `<project>:<uuid>`, or the ARN that ends with it.
    let project = |id: &str| {
        let name = id.rsplit_once(":build/").map_or(id, |(_, name)| name);
        let project = name.rsplit_once(':').map_or("*", |(project, _)| project);
        format!("arn:aws:codebuild:{HERE}:project/{project}")
    };
    let ids = texts(&input["ids"]).into_iter();
    Some(ids.map(|id| Need::new("codebuild:BatchGetBuilds", project(id))).collect())
}

/// Of a group, all but its tags is addressed by its ARN with `:*` behind (CloudWatch Logs User Guide, "Overview of
/// managing access permissions to your CloudWatch Logs resources").
fn logs_needs(operation: &str, input: &Value) -> Option<Vec<Need>> {
    let group = format!("arn:aws:logs:{HERE}:log-group:{}", name(input, "logGroupName"));
    let resource = match operation {
        "GetLogEvents" => format!("{group}:log-stream:{}", name(input, "logStreamName")),
        "FilterLogEvents" => format!("{group}:*"),
        _ => return None,
    };
    Some(vec![Need::new(&format!("logs:{operation}"), resource)])
}

/// Services, tasks and container instances are addressed with their cluster's name, and the cluster is the condition key
/// `ecs:cluster` of each of these three.
fn ecs_needs(operation: &str, input: &Value) -> Option<Vec<Need>> {
    let last = |text: &str| text.rsplit('/').next().unwrap_or(text).to_owned();
    // "If you do not specify a cluster, the default cluster is assumed."
    let cluster = last(input["cluster"].as_str().unwrap_or("default"));
    let of = |kind: &str, name: &str| format!("arn:aws:ecs:{HERE}:{kind}/{cluster}/{name}");
    let resources: Vec<String> = match operation {
        "DescribeServices" => {
            texts(&input["services"]).into_iter().map(|name| of("service", &last(name))).collect()
        }
        // Its only resource type is the container instance, also where none is asked for.
        "ListTasks" => vec![of("container-instance", "*")],
        "DescribeTasks" => texts(&input["tasks"]).into_iter().map(|name| of("task", &last(name))).collect(),
        _ => return None,
    };
    let arn = format!("arn:aws:ecs:{HERE}:cluster/{cluster}");
    let need = |resource| Need::new(&format!("ecs:{operation}"), resource).with("ecs:cluster", &arn);
    Some(resources.into_iter().map(need).collect())
}

/// These have no resource type.
fn load_balancing_needs(operation: &str) -> Option<Vec<Need>> {
    match operation {
        "DescribeTargetHealth" | "DescribeTargetGroups" => {
            Some(vec![Need::new(&format!("elasticloadbalancing:{operation}"), "*")])
        }
        _ => None,
    }
}

fn cloud_watch_needs(operation: &str, input: &Value) -> Option<Vec<Need>> {
    let own = format!("cloudwatch:{operation}");
    let alarm = |name: &str| format!("arn:aws:cloudwatch:{HERE}:alarm:{name}");
    let composites = texts(&input["AlarmTypes"]).contains(&"CompositeAlarm");
    Some(match operation {
        // "To return information about composite alarms, the permission must be scoped to `*`" (aws-sdk-cloudwatch
        // 1.140.0, DescribeAlarms and DescribeAlarmHistory).
        "DescribeAlarms" | "DescribeAlarmHistory" if composites => vec![Need::new(&own, "*")],
        "DescribeAlarms" => match texts(&input["AlarmNames"]).as_slice() {
            // By prefix, or all: what IAM asks for is not verified.
            [] => vec![Need::new(&own, alarm("*"))],
            names => names.iter().map(|name| Need::new(&own, alarm(name))).collect(),
        },
        "DescribeAlarmHistory" => vec![Need::new(&own, alarm(input["AlarmName"].as_str().unwrap_or("*")))],
        // Newer than the table of actions at hand; that it takes no resource type is not verified.
        "ListAlarmMuteRules" => vec![Need::new(&own, "*")],
        // It has no resource type.
        "GetMetricWidgetImage" => vec![Need::new(&own, "*")],
        _ => return None,
    })
}

fn application_arn(application: &str) -> String {
    format!("arn:aws:codedeploy:{HERE}:application:{application}")
}

fn group_arn(application: &str, group: &str) -> String {
    format!("arn:aws:codedeploy:{HERE}:deploymentgroup:{application}/{group}")
}

/// A required member; `*` where it is missing, so that the service is what refuses it.
fn name<'a>(input: &'a Value, member: &str) -> &'a str {
    input[member].as_str().unwrap_or("*")
}
