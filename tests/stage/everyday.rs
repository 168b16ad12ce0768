//! The everyday case of each function: what is there, and the event for which Lambda mostly starts it. What the
//! programs cost is measured by these.

use std::time::Duration;

use belay::policy::Policy;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{
    functions::{self, CHAT_ACTIONS, RELEASE_WIDGET},
    play,
    script::{LooksScript, Span},
};
use crate::{
    Alarm, AlarmState, Behaviour, Group, Health, Press, Resource, Shifting, Simulator, SlackMessage, Stack,
    Workload,
};

/// A policy of one service. `HEALTH` stands for the address of its health check.
pub const POLICY: &str = "version: 1
services:
  orders:
    deployed_by: [ { codedeploy: { application: orders, deployment_group: prod } } ]
    alarms: { orders-5xx: roll_back, orders-latency: roll_back, orders-note: notify }
    hooks:
      BeforeAllowTraffic: [ { http: { url: \"HEALTH\", within: 300ms, requests: 3, failures: 1 } }, { alarms: quiet } ]
";

/// The same, talked about in Slack.
pub const TALKED: &str = "version: 1
services:
  orders:
    deployed_by: [ { codedeploy: { application: orders, deployment_group: prod } } ]
    alarms: { orders-5xx: roll_back, orders-latency: ask, orders-note: notify }
    hooks:
      BeforeAllowTraffic: [ { http: { url: \"HEALTH\", within: 300ms, requests: 3, failures: 1 } }, { alarms: quiet } ]
    ask: { within: 15m, otherwise: roll_back }
    approvers: [ { id: U02ANNA, also: [anna@example.com] }, U02BOB ]
    chat: { slack: C0ORDERS01 }
";

/// The channel of that policy.
pub const CHANNEL: &str = "C0ORDERS01";
/// One of its approvers.
pub const ANNA: &str = "U02ANNA";

/// A tenth of the traffic for half an hour, then all.
pub fn canary() -> Shifting {
    Shifting::Canary { percent: 10, minutes: 30 }
}

/// The group of both policies, on Lambda.
pub fn lambda() -> Group {
    Group::lambda("orders", "prod").shifting(canary()).baseline("v1")
}

/// A simulator with one group of `orders` and its alarms. The revision `v2` fails for a fifth of its users.
pub async fn orders(group: Group, begins: Timestamp) -> Simulator {
    let simulator = Simulator::start(begins).await;
    let name = group.name.clone();
    simulator.create_group(group);
    let workload = Workload::steady(6_000.0).revision("v2", Behaviour::failing(0.2));
    simulator.set_workload(&name, workload);
    for alarm in ["orders-5xx", "orders-latency", "orders-note"] {
        simulator.create_alarm(Alarm::scripted(alarm));
    }
    simulator
}

/// A function's everyday case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Everyday {
    /// An alarm goes red while a release is on its way, and it is taken back.
    AlarmTransitions,
    /// A deployment has started, and people are told.
    PipelineEvents,
    /// A hook's checks pass, and it is answered.
    LifecycleHooks,
    /// Somebody presses a button, and the press is taken.
    ChatActions,
    /// A minute has passed, with one release on watch.
    Sweep,
    /// A day has passed, with one stack to look at.
    StackDrift,
    /// Somebody looks at the dashboard.
    ReleaseWidget,
}

/// An everyday case, set up in a simulator.
#[derive(Clone)]
pub struct Scene {
    /// The world.
    pub simulator: Simulator,
    /// The policy of Belay's.
    pub policy: String,
    /// For what the function is started.
    pub event: Vec<u8>,
    /// How many calls there had been before.
    calls: usize,
}

impl Everyday {
    /// All, in the order of [`functions::FUNCTIONS`].
    pub const ALL: [Self; 7] = [
        Self::AlarmTransitions,
        Self::PipelineEvents,
        Self::LifecycleHooks,
        Self::ChatActions,
        Self::Sweep,
        Self::StackDrift,
        Self::ReleaseWidget,
    ];

    /// The function's name.
    pub fn function(self) -> &'static str {
        match self {
            Self::AlarmTransitions => "alarm-transitions",
            Self::PipelineEvents => "pipeline-events",
            Self::LifecycleHooks => "lifecycle-hooks",
            Self::ChatActions => "chat-actions",
            Self::Sweep => "sweep",
            Self::StackDrift => "stack-drift",
            Self::ReleaseWidget => "release-widget",
        }
    }

    /// By which ARN it is invoked.
    pub fn arn(self) -> String {
        match self {
            Self::ChatActions => CHAT_ACTIONS.to_owned(),
            Self::ReleaseWidget => RELEASE_WIDGET.to_owned(),
            Self::AlarmTransitions
            | Self::PipelineEvents
            | Self::LifecycleHooks
            | Self::Sweep
            | Self::StackDrift => {
                format!("arn:aws:lambda:us-east-1:123456789012:function:{}", self.function())
            }
        }
    }

    /// The case in a few words.
    pub fn title(self) -> &'static str {
        match self {
            Self::AlarmTransitions => "an alarm goes red, the release is taken back",
            Self::PipelineEvents => "a deployment has started, people are told",
            Self::LifecycleHooks => "a hook's checks pass, it is answered",
            Self::ChatActions => "a button is pressed, the press is taken",
            Self::Sweep => "a minute has passed, one release is on watch",
            Self::StackDrift => "a day has passed, one stack is looked at",
            Self::ReleaseWidget => "somebody looks at the dashboard",
        }
    }

    /// Whether people are told in Slack: only where people in Slack are what it is about.
    pub fn talks(self) -> bool {
        match self {
            Self::ChatActions => true,
            Self::AlarmTransitions
            | Self::PipelineEvents
            | Self::LifecycleHooks
            | Self::Sweep
            | Self::StackDrift
            | Self::ReleaseWidget => false,
        }
    }

    /// Calls that must have been made and answered well when the event was handled.
    fn must_call(self) -> &'static [&'static str] {
        match self {
            Self::AlarmTransitions => &["StopDeployment", "Publish"],
            Self::PipelineEvents => &["GetDeployment", "PutItem", "Publish"],
            Self::LifecycleHooks => &["DescribeAlarms", "PutLifecycleEventHookExecutionStatus"],
            Self::ChatActions => &["GetSecretValue", "PutItem", "Invoke"],
            Self::Sweep => &["Query", "DescribeAlarms"],
            Self::StackDrift => &["ListStacks", "DetectStackDrift"],
            Self::ReleaseWidget => &["Query"],
        }
    }

    fn group(self) -> Group {
        match self {
            Self::LifecycleHooks => lambda().hook("BeforeAllowTraffic", "CodeDeployHook_belay"),
            Self::AlarmTransitions
            | Self::PipelineEvents
            | Self::ChatActions
            | Self::Sweep
            | Self::StackDrift
            | Self::ReleaseWidget => lambda(),
        }
    }

    /// The policy. Health checks have time, for programs that are slowed down by being looked at.
    fn policy(self) -> String {
        let policy = if self.talks() { TALKED } else { POLICY };
        let policy = policy.replace("within: 300ms", "within: 20s");
        match self {
            Self::StackDrift => policy.replace("services:", "drift: { stacks: [ \"prod-*\" ] }\nservices:"),
            Self::AlarmTransitions
            | Self::PipelineEvents
            | Self::LifecycleHooks
            | Self::ChatActions
            | Self::Sweep
            | Self::ReleaseWidget => policy,
        }
    }

    /// Sets the case up, about three minutes before `now`: Belay's functions have done until then what they do, in this
    /// process. The minutes begin together with the clock's, so that as many sweeps have been made each time.
    ///
    /// # Errors
    /// When what should come of it did not.
    pub async fn set_up(self, now: Timestamp) -> Result<Scene, String> {
        let minute = now.as_second().div_euclid(60) * 60;
        let minute = Timestamp::from_second(minute).map_err(|error| error.to_string())?;
        let simulator = orders(self.group(), minute - SignedDuration::from_mins(3)).await;
        let health = simulator.health_endpoint("orders", Health::Status(200));
        let policy = self.policy().replace("HEALTH", &health);
        let parsed = Policy::parse(&policy).map_err(|mistakes| mistakes.to_string())?;
        functions::install(&simulator, parsed);
        if self == Self::StackDrift {
            let queue = "https://sqs.us-east-1.amazonaws.com/123456789012/orders";
            let queue = Resource::new("Queue", "AWS::SQS::Queue", queue);
            simulator.create_stack(Stack::new("prod-orders").resource(queue));
        }
        let begun = simulator.start_deployment("orders", "prod", "v2", "user");
        begun.map_err(|refusal| format!("{refusal:?}"))?;
        let event = self.event(&simulator).await?;
        let calls = simulator.journal().len();
        Ok(Scene { simulator, policy, event, calls })
    }

    async fn event(self, simulator: &Simulator) -> Result<Vec<u8>, String> {
        match self {
            Self::PipelineEvents | Self::LifecycleHooks => simulator.step(Duration::from_secs(60)),
            Self::AlarmTransitions
            | Self::ChatActions
            | Self::Sweep
            | Self::StackDrift
            | Self::ReleaseWidget => simulator.advance(Duration::from_secs(150)).await,
        }
        match self {
            Self::PipelineEvents | Self::LifecycleHooks => {}
            Self::AlarmTransitions => {
                simulator.set_alarm_state("orders-5xx", AlarmState::Alarm, simulator.now());
                simulator.step(Duration::from_secs(5));
            }
            Self::Sweep | Self::StackDrift => simulator.ring(self.function()),
            Self::ChatActions => {
                let is_card = |message: &SlackMessage| message.thread_ts.is_none();
                let card = simulator.slack_messages(CHANNEL).into_iter().find(is_card);
                let ts = card.ok_or("there is no card to press a button on")?.ts;
                let (user, channel, action) = (ANNA, CHANNEL, "Roll back");
                return simulator.slack_press(Press { user, channel, ts: &ts, action, why: None });
            }
            Self::ReleaseWidget => {
                let looks = LooksScript {
                    back: Span(Duration::from_secs(3 * 3_600)),
                    dark: false,
                    clock: None,
                    services: Some(vec!["orders".to_owned()]),
                    clicks: None,
                };
                return Ok(play::question(simulator.now(), &looks)?.to_string().into_bytes());
            }
        }
        let deliveries = simulator.take_deliveries();
        let its = deliveries.into_iter().find(|delivery| delivery.function == self.function());
        its.map(|delivery| delivery.payload)
            .ok_or_else(|| format!("nothing is on its way to {}", self.function()))
    }
}

impl Scene {
    /// Whether the function has done its work: which calls it made, and what it answered.
    ///
    /// # Errors
    /// What is missing.
    pub fn came_true(&self, case: Everyday, answer: &Value) -> Result<(), String> {
        let calls = self.calls();
        for wanted in case.must_call() {
            if !calls.iter().any(|call| call == wanted) {
                return Err(format!("it has not called {wanted}, only {}: {answer}", calls.join(", ")));
            }
        }
        match case {
            Everyday::ReleaseWidget
                if !answer.as_str().is_some_and(|html| html.contains("orders:live version 2")) =>
            {
                Err(format!("the release is not drawn: {answer}"))
            }
            Everyday::ChatActions if answer["statusCode"] != 200 => {
                Err(format!("Slack is answered {answer}"))
            }
            Everyday::AlarmTransitions
            | Everyday::PipelineEvents
            | Everyday::LifecycleHooks
            | Everyday::ChatActions
            | Everyday::Sweep
            | Everyday::StackDrift
            | Everyday::ReleaseWidget => Ok(()),
        }
    }

    /// Which calls were answered well since it was set up, in order.
    pub fn calls(&self) -> Vec<String> {
        let journal = self.simulator.journal().into_iter().skip(self.calls);
        journal.filter(|call| call.outcome.is_ok()).map(|call| call.operation).collect()
    }
}
