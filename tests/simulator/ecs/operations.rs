//! DescribeServices, ListTasks and DescribeTasks: limits and error names are those of aws-sdk-ecs 1.157.0.

use serde_json::{Value, json};

use super::rollout::Service;
use crate::refusal::{Answer, Refusal, only_modelled};
use crate::wire::texts;
use crate::world::World;

fn invalid(why: &str) -> Refusal {
    Refusal::new("InvalidParameterException", why)
}

/// The name at the end of an ARN, or the name itself.
fn last(text: &str) -> &str {
    text.rsplit('/').next().unwrap_or(text)
}

impl World {
    /// Answers an operation; `None` when it is not modelled.
    pub(crate) fn ecs(&self, operation: &str, input: &Value) -> Option<Answer> {
        match operation {
            "DescribeServices" => Some(self.describe_services(input)),
            "ListTasks" => Some(self.list_tasks(input)),
            "DescribeTasks" => Some(self.describe_tasks(input)),
            _ => None,
        }
    }

    /// The services of the cluster that is asked for; "if you do not specify a cluster, the default cluster is assumed".
    fn asked_cluster(&self, input: &Value) -> Result<Vec<&Service>, Refusal> {
        let name = last(input["cluster"].as_str().unwrap_or("default"));
        let services: Vec<&Service> =
            self.ecs.services.values().filter(|service| service.cluster == name).collect();
        if services.is_empty() {
            Err(Refusal::new("ClusterNotFoundException", "Cluster not found."))
        } else {
            Ok(services)
        }
    }

    fn describe_services(&self, input: &Value) -> Answer {
        only_modelled(input, &["include"])?;
        let asked = texts(&input["services"]);
        if asked.is_empty() || asked.len() > 10 {
            return Err(invalid("Services must have between 1 and 10 entries."));
        }
        let known = self.asked_cluster(input)?;
        let (mut found, mut failures) = (Vec::new(), Vec::new());
        for name in asked {
            match known.iter().find(|service| service.name == last(name) && service.created <= self.now) {
                Some(service) => found.push(service.to_wire(self.now)),
                None => {
                    let cluster = &known[0].cluster;
                    let arn = format!("arn:aws:ecs:us-east-1:123456789012:service/{cluster}/{}", last(name));
                    failures.push(json!({ "arn": arn, "reason": "MISSING" }));
                }
            }
        }
        Ok(json!({ "services": found, "failures": failures }))
    }

    fn list_tasks(&self, input: &Value) -> Answer {
        only_modelled(input, &["containerInstance", "family", "startedBy", "launchType", "daemonName"])?;
        let stopped = match input["desiredStatus"].as_str().unwrap_or("RUNNING") {
            "RUNNING" => Some(false),
            "STOPPED" => Some(true),
            "PENDING" => None,
            _ => return Err(invalid("desiredStatus must be RUNNING, PENDING or STOPPED.")),
        };
        let mut services = self.asked_cluster(input)?;
        if let Some(name) = input["serviceName"].as_str() {
            services.retain(|service| service.name == last(name));
            if services.is_empty() {
                return Err(Refusal::new("ServiceNotFoundException", "Service not found."));
            }
        }
        let tasks: Vec<String> = services
            .iter()
            .flat_map(|service| {
                service.tasks(self.now).into_iter().map(|task| (service.cluster.clone(), task))
            })
            .filter(|(_, task)| Some(task.has_stopped(self.now)) == stopped)
            .map(|(cluster, task)| task.arn(&cluster))
            .collect();
        let size = match &input["maxResults"] {
            Value::Null => 100,
            given => given
                .as_u64()
                .filter(|size| (1..=100).contains(size))
                .ok_or_else(|| invalid("maxResults must be between 1 and 100."))?
                as usize,
        };
        let skip: usize = match input["nextToken"].as_str() {
            None => 0,
            Some(token) => token.parse().map_err(|_| invalid("Invalid token."))?,
        };
        let rest = tasks.get(skip..).ok_or_else(|| invalid("Invalid token."))?;
        let page = &rest[..rest.len().min(size)];
        let mut answer = json!({ "taskArns": page });
        if skip + page.len() < tasks.len() {
            answer["nextToken"] = json!((skip + page.len()).to_string());
        }
        Ok(answer)
    }

    fn describe_tasks(&self, input: &Value) -> Answer {
        only_modelled(input, &["include"])?;
        let asked = texts(&input["tasks"]);
        if asked.is_empty() || asked.len() > 100 {
            return Err(invalid("Tasks must have between 1 and 100 entries."));
        }
        let services = self.asked_cluster(input)?;
        let (mut found, mut failures) = (Vec::new(), Vec::new());
        for id in asked {
            let task = services.iter().find_map(|service| {
                let tasks = service.tasks(self.now);
                let task = tasks.into_iter().find(|task| task.id == last(id))?;
                Some(task.to_wire(service, self.now))
            });
            match task {
                Some(task) => found.push(task),
                None => {
                    let cluster = &services[0].cluster;
                    let arn = format!("arn:aws:ecs:us-east-1:123456789012:task/{cluster}/{}", last(id));
                    failures.push(json!({ "arn": arn, "reason": "MISSING" }));
                }
            }
        }
        Ok(json!({ "tasks": found, "failures": failures }))
    }
}
