//! From AWS to functions: EventBridge rules, asynchronous invocations, and what goes wrong on the way.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::chance::Chance;
use crate::stamps::{self, minutes};
use crate::storm::Kind;
use crate::timeline::What;
use crate::world::World;

/// How deliveries fare. EventBridge and Lambda's asynchronous invocations deliver at least once, in any
/// order; the default is exactly once, in order, at once.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DeliverySettings {
    /// Extra copies of every delivery.
    pub duplicates: u32,
    /// Virtual time between an event and its delivery.
    pub delay: Duration,
    /// Deliver what is due at the same moment in a random order.
    pub shuffle: bool,
    /// The fraction of events that never arrive, 0 to 1: the events of CodeDeploy, CodePipeline and of alarms are
    /// best effort. Hook invocations are not lost; Lambda accepted those.
    pub lose: f64,
    /// For `shuffle` and `lose`.
    pub seed: u64,
}

/// A payload on its way to a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The function's registered name.
    pub function: String,
    /// What it gets.
    pub payload: Vec<u8>,
    /// When it is to be invoked.
    pub due: Timestamp,
    /// 1, and after function errors 2 and 3.
    pub attempt: u32,
    /// The request id that Lambda gives all attempts of it.
    pub id: String,
    order: u64,
}

/// The state of everything on its way.
#[derive(Debug)]
pub(crate) struct Deliveries {
    settings: DeliverySettings,
    chance: Chance,
    counter: u64,
    pub(crate) queue: Vec<Delivery>,
    pub(crate) dead: Vec<Delivery>,
    /// Every event that was put on the bus, and the function to which a rule passes it on.
    pub(crate) announced: Vec<(Value, Option<&'static str>)>,
}

impl Default for Deliveries {
    fn default() -> Self {
        Self {
            settings: DeliverySettings::default(),
            chance: Chance::seeded(0),
            counter: 0,
            queue: Vec::new(),
            dead: Vec::new(),
            announced: Vec::new(),
        }
    }
}

impl Deliveries {
    pub(crate) fn set(&mut self, settings: DeliverySettings) {
        self.chance = Chance::seeded(settings.seed);
        self.settings = settings;
    }

    fn push(&mut self, function: &str, payload: &[u8], due: Timestamp) {
        let delay = stamps::seconds(self.settings.delay.as_secs().cast_signed());
        for _ in 0..=self.settings.duplicates {
            self.counter += 1;
            let order = if self.settings.shuffle { self.chance.next() } else { self.counter };
            self.queue.push(Delivery {
                function: function.to_owned(),
                payload: payload.to_vec(),
                due: due + delay,
                attempt: 1,
                id: format!("request-{}", self.counter),
                order,
            });
        }
    }

    /// A request that is waited for: it is never in the queue.
    pub(crate) fn request(&mut self, function: &str, payload: &[u8], now: Timestamp) -> Delivery {
        self.counter += 1;
        Delivery {
            function: function.to_owned(),
            payload: payload.to_vec(),
            due: now,
            attempt: 1,
            id: format!("request-{}", self.counter),
            order: self.counter,
        }
    }

    /// Takes the next delivery that is due and whose function `accepts`.
    pub(crate) fn take_due(&mut self, now: Timestamp, accepts: impl Fn(&str) -> bool) -> Option<Delivery> {
        let index = self
            .queue
            .iter()
            .enumerate()
            .filter(|(_, delivery)| delivery.due <= now && accepts(&delivery.function))
            .min_by_key(|(_, delivery)| (delivery.due, delivery.order))?
            .0;
        Some(self.queue.remove(index))
    }

    /// After a function error Lambda tries twice more, a minute and then two minutes later, and then
    /// gives the event to the dead-letter queue (Lambda Developer Guide, "Understanding retry behavior").
    pub(crate) fn failed(&mut self, mut delivery: Delivery, now: Timestamp) {
        let wait = match delivery.attempt {
            1 => minutes(1),
            2 => minutes(2),
            _ => {
                self.dead.push(delivery);
                return;
            }
        };
        delivery.attempt += 1;
        delivery.due = now + wait;
        self.queue.push(delivery);
    }
}

impl World {
    /// Puts an event on the bus; the rules pass it on.
    pub(crate) fn emit(
        &mut self,
        source: &str,
        detail_type: &str,
        resources: Vec<String>,
        at: Timestamp,
        detail: Value,
    ) {
        let function = match (source, detail_type) {
            ("aws.cloudwatch", "CloudWatch Alarm State Change") => Some("alarm-transitions"),
            ("aws.codedeploy", "CodeDeploy Deployment State-change Notification") => Some("pipeline-events"),
            (
                "aws.codepipeline",
                "CodePipeline Pipeline Execution State Change"
                | "CodePipeline Stage Execution State Change"
                | "CodePipeline Action Execution State Change",
            ) => Some("pipeline-events"),
            ("aws.cloudformation", "CloudFormation Drift Detection Status Change")
                if detail["status-details"]["detection-status"] != "DETECTION_IN_PROGRESS" =>
            {
                Some("stack-drift")
            }
            // No rule matches.
            _ => None,
        };
        let event = json!({
            "version": "0",
            "id": self.chance.uuid(),
            "detail-type": detail_type,
            "source": source,
            "account": "123456789012",
            "time": stamps::envelope(at),
            "region": "us-east-1",
            "resources": resources,
            "detail": detail,
        });
        let Some(function) = function else {
            self.deliveries.announced.push((event, None));
            return;
        };
        self.deliveries.announced.push((event.clone(), Some(function)));
        let lose = self.deliveries.settings.lose;
        if lose > 0.0 && self.deliveries.chance.happens(lose) {
            return;
        }
        let about = match detail_type {
            "CloudWatch Alarm State Change" => {
                let detail = &event["detail"];
                format!("{} {}", detail["alarmName"], detail["state"]["value"])
            }
            "CloudFormation Drift Detection Status Change" => {
                let detail = &event["detail"];
                format!("{} {}", detail["stack-id"], detail["status-details"]["detection-status"])
            }
            _ => format!("{} {}", event["detail"]["deploymentId"], event["detail"]["state"]),
        };
        let event = self.outward(&event.to_string());
        self.send(function, event.as_bytes(), &about.replace('"', ""), Kind::Event);
    }

    /// Sends something on its way, through whatever weather there is.
    pub(crate) fn send(&mut self, function: &str, payload: &[u8], about: &str, kind: Kind) {
        let count = self.deliveries.counter;
        for delay in self.travel(function, about, kind, count) {
            self.deliveries.push(function, payload, self.now + delay);
        }
    }

    /// CodeDeploy's event, whose words are START, SUCCESS, FAILURE, STOP and whose instanceGroupId is
    /// the deployment group's id.
    pub(crate) fn emit_deployment_event(&mut self, id: &str, state: &str) {
        let deployment = &self.code_deploy.deployments[id];
        let (application, group) = (&deployment.application, &deployment.group);
        let arn = "arn:aws:codedeploy:us-east-1:123456789012";
        let resources = vec![
            format!("{arn}:application:{application}"),
            format!("{arn}:deploymentgroup:{application}/{group}"),
        ];
        let detail = json!({
            "instanceGroupId": self.code_deploy.group(group).id,
            "region": "us-east-1",
            "application": application,
            "deploymentId": id,
            "state": state,
            "deploymentGroup": group,
        });
        self.happened(What::DeploymentEvent { id: id.to_owned(), state: state.to_owned() });
        let now = self.now;
        self.emit(
            "aws.codedeploy",
            "CodeDeploy Deployment State-change Notification",
            resources,
            now,
            detail,
        );
    }

    /// CodeDeploy invokes a hook by its name or ARN. Its managed roles may call `CodeDeployHook_*` only,
    /// and all of those are the one function registered as `lifecycle-hooks`.
    pub(crate) fn invoke_hook(&mut self, function: &str, payload: &Value) {
        let name = function.rsplit(":function:").next().unwrap_or(function);
        let registered = if name.starts_with("CodeDeployHook_") { "lifecycle-hooks" } else { name };
        let about = format!("hook of {}", payload["DeploymentId"].as_str().unwrap_or_default());
        self.send(registered, payload.to_string().as_bytes(), &about, Kind::Accepted);
    }
}
