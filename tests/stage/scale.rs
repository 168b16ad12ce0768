//! Belay at a size: so many services in its policy, so many releases in the past of one of them; and what one event of each
//! function costs there, in calls, in DynamoDB's units and in time.

mod past;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use belay::{aws::ledger::Ledger, policy::Policy, start::Guards};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{
    burst::{Failed, deliver},
    functions::{self, RELEASE_WIDGET, id, invocation},
};
use crate::{Alarm, AlarmState, Difference, Group, Resource, Service, Shifting, Simulator, Stack, Units};

/// How large.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Services in the policy.
    pub services: usize,
    /// Past releases of the first service in the ledger.
    pub past: usize,
    /// Of so many services, the first ones, there is something in AWS, and releases can be made.
    pub releasing: usize,
}

/// What something cost.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cost {
    /// Calls by service.
    pub calls: BTreeMap<Service, usize>,
    /// What DynamoDB bills.
    pub units: Units,
    /// How long it took, in real time. Not the same twice.
    pub took: Duration,
}

/// Belay's functions and the world, at a size.
pub struct Scale {
    /// The world.
    pub simulator: Simulator,
    /// A client of the ledger, of nobody's.
    pub ledger: Ledger,
    guards: BTreeMap<&'static str, Guards>,
}

/// One release of the first service, from its start to what followed its undo, and what each event of it cost.
pub type Round = Vec<(&'static str, Cost)>;

/// The events of a round, in order.
pub const EVENTS: [&str; 7] = [
    "pipeline-events: a release begins",
    "alarm-transitions: an alarm, the release is taken back",
    "alarm-transitions: the same event again",
    "sweep: a tick",
    "release-widget: drawn",
    "pipeline-events: a release ends",
    "stack-drift: a stack has drifted, as the undo left it",
];

/// Flapping alarms are another story: an hour is looked back.
const BETWEEN_ROUNDS: Duration = Duration::from_secs(3_700);

/// The policy of so many services: each with a group of its own, three alarms and a pattern, and a budget that rounds do
/// not use up.
pub fn policy_text(services: usize) -> String {
    let mut text =
        "version: 1\ndefaults: { rollback_budget: { count: 1000, per: 1h } }\ndrift: { stacks: [ s0 ] }\nservices:\n"
            .to_owned();
    for n in 0..services {
        text.push_str(&format!(
            "  s{n}:
    deployed_by: [ {{ codedeploy: {{ application: s{n}, deployment_group: s{n} }} }} ]
    alarms:
      s{n}-5xx: roll_back
      s{n}-latency: {{ rule: roll_back, missing: alarm }}
      s{n}-cost: notify
      s{n}-canary-*: halt
"
        ));
    }
    text
}

impl Scale {
    /// A world of this size, at that time.
    pub async fn of(size: Size, begins: Timestamp) -> Self {
        let simulator = Simulator::start(begins).await;
        simulator.create_ledger_table(functions::TABLE);
        simulator.create_topic("belay");
        for n in 0..size.releasing {
            let name = format!("s{n}");
            let shifting = Shifting::Canary { percent: 10, minutes: 30 };
            simulator.create_group(Group::lambda(&name, &name).shifting(shifting).baseline("v1"));
            simulator.create_alarm(Alarm::scripted(&format!("{name}-5xx")));
        }
        let alias = "arn:aws:lambda:us-east-1:123456789012:function:s0:live";
        simulator.create_stack(Stack::new("s0").resource(Resource::new(
            "Alias",
            "AWS::Lambda::Alias",
            alias,
        )));
        simulator.drift_resource(
            "s0",
            "Alias",
            Difference::Property {
                path: "/FunctionVersion".to_owned(),
                kind: "NOT_EQUAL".to_owned(),
                expected: "2".to_owned(),
                actual: "1".to_owned(),
            },
        );
        let policy = Policy::parse(&policy_text(size.services)).expect("a right policy");
        let endpoint = simulator.endpoint();
        let guards = functions::FUNCTIONS
            .map(|function| (function, functions::guards(&endpoint, policy.clone(), function)))
            .into();
        let ledger = Ledger::new(&functions::sdk_config(&endpoint, "scale"), functions::TABLE);
        past::write(&ledger, size.past, begins).await;
        Self { simulator, ledger, guards }
    }

    /// One release of the first service: it begins, its alarm goes off, it is taken back.
    ///
    /// # Panics
    /// When it is not taken back, once.
    pub async fn round(&self) -> Round {
        let simulator = &self.simulator;
        let undone = simulator.effects("StopDeployment").len();
        let mut costs = Vec::new();
        simulator.start_deployment("s0", "s0", "v2", "user").expect("nothing else is released");
        simulator.step(Duration::from_secs(10));
        let begins = self.waiting("pipeline-events");
        costs
            .push(self.costs("pipeline-events", begins.first().expect("an event says that it begins")).await);
        simulator.step(Duration::from_secs(120));
        simulator.take_deliveries();
        simulator.set_alarm_state("s0-5xx", AlarmState::Alarm, simulator.now());
        let alarms = self.waiting("alarm-transitions");
        let alarm = alarms.first().expect("an event says so");
        costs.push(self.costs("alarm-transitions", alarm).await);
        costs.push(self.costs("alarm-transitions", alarm).await);
        costs.push(self.costs("sweep", TICK.as_bytes()).await);
        costs.push(self.costs("release-widget", self.widget().to_string().as_bytes()).await);
        let mut ends = None;
        for _ in 0..10 {
            simulator.step(Duration::from_secs(60));
            for event in self.waiting("pipeline-events") {
                let cost = self.costs("pipeline-events", &event).await;
                ends.get_or_insert(cost);
            }
        }
        costs.push(ends.expect("an event says that it ended"));
        simulator.ring("stack-drift");
        for tick in self.waiting("stack-drift") {
            self.costs("stack-drift", &tick).await;
        }
        simulator.step(Duration::from_secs(60));
        let drifted = self.waiting("stack-drift");
        costs.push(
            self.costs("stack-drift", drifted.first().expect("an event says that it was detected")).await,
        );
        simulator.set_alarm_state("s0-5xx", AlarmState::Ok, simulator.now());
        for event in self.waiting("alarm-transitions") {
            self.costs("alarm-transitions", &event).await;
        }
        simulator.step(BETWEEN_ROUNDS);
        simulator.take_deliveries();
        self.costs("sweep", TICK.as_bytes()).await;
        assert_eq!(simulator.effects("StopDeployment").len(), undone + 1, "each release is taken back once");
        EVENTS.into_iter().zip(costs).collect()
    }

    /// Alarms of so many services, each with a release under way, all in one second: what all of it cost.
    pub async fn burst(&self, services: usize) -> Cost {
        for n in 0..services {
            let name = format!("s{n}");
            self.simulator.start_deployment(&name, &name, "v2", "user").expect("nothing else is released");
        }
        self.simulator.step(Duration::from_secs(120));
        self.simulator.take_deliveries();
        for n in 0..services {
            self.simulator.set_alarm_state(&format!("s{n}-5xx"), AlarmState::Alarm, self.simulator.now());
        }
        let events = self.waiting("alarm-transitions");
        assert_eq!(events.len(), services);
        self.deliver(events).await
    }

    /// So many copies of one alarm's event: what all of it cost.
    pub async fn copies(&self, copies: usize) -> Cost {
        self.simulator.start_deployment("s0", "s0", "v2", "user").expect("nothing else is released");
        self.simulator.step(Duration::from_secs(120));
        self.simulator.take_deliveries();
        self.simulator.set_alarm_state("s0-5xx", AlarmState::Alarm, self.simulator.now());
        let events = self.waiting("alarm-transitions");
        self.deliver(vec![events[0].clone(); copies]).await
    }

    /// What is on its way to a function.
    fn waiting(&self, function: &str) -> Vec<Vec<u8>> {
        let all = self.simulator.take_deliveries().into_iter();
        all.filter(|event| event.function == function).map(|event| event.payload).collect()
    }

    fn widget(&self) -> Value {
        let now = self.simulator.now();
        let begins = now - SignedDuration::from_hours(24 * 89);
        let range = json!({ "start": begins.as_millisecond(), "end": now.as_millisecond() });
        json!({ "widgetContext": {
            "timeRange": range, "theme": "light", "width": 980, "params": { "services": ["s0"] },
        } })
    }

    async fn costs(&self, function: &'static str, payload: &[u8]) -> Cost {
        let before = self.simulator.call_count();
        let (now, guards) = (self.simulator.now(), &self.guards[function]);
        let begun = clock();
        let result = handle(function, guards, payload, now).await;
        let took = begun.elapsed();
        result.unwrap_or_else(|why| panic!("{function} failed: {why}"));
        self.cost_since(before, took)
    }

    /// What reading something of the ledger cost.
    pub async fn reading<T>(&self, read: impl Future<Output = T>) -> (T, Cost) {
        let (before, begun) = (self.simulator.call_count(), clock());
        let found = read.await;
        (found, self.cost_since(before, begun.elapsed()))
    }

    fn cost_since(&self, before: usize, took: Duration) -> Cost {
        let mut cost = Cost { took, ..Cost::default() };
        for call in self.simulator.journal_after(before) {
            *cost.calls.entry(call.service).or_default() += 1;
            cost.units += call.units;
        }
        cost
    }

    /// Gives the events to alarm-transitions, some at a time, and again a minute later what failed, three times in all.
    async fn deliver(&self, events: Vec<Vec<u8>>) -> Cost {
        let (before, begun) = (self.simulator.call_count(), clock());
        deliver(events, self.simulator.now(), |payload, now| {
            let guards = self.guards["alarm-transitions"].clone();
            async move {
                let handled = handle("alarm-transitions", &guards, &payload, now).await;
                handled.map(drop).map_err(|why| Failed { again: payload, why })
            }
        })
        .await;
        self.cost_since(before, begun.elapsed())
    }
}

#[allow(clippy::disallowed_methods, reason = "a cost's time is real; nothing is decided by it")]
fn clock() -> Instant {
    Instant::now()
}

/// A tick of EventBridge's schedule, with what the sweep reads of it.
const TICK: &str = r#"{ "detail-type": "Scheduled Event", "source": "aws.events" }"#;

async fn handle(function: &str, guards: &Guards, payload: &[u8], now: Timestamp) -> Result<Value, String> {
    let id = id();
    let ours = invocation(&id, now);
    // Boxed: each is large, and a test's thread has two megabytes of stack.
    let handled = match function {
        "alarm-transitions" => Box::pin(alarm_transitions::handle(guards, payload, ours)).await,
        "pipeline-events" => Box::pin(pipeline_events::handle(guards, payload, ours)).await,
        "sweep" => Box::pin(sweep::handle(guards, payload, ours)).await,
        "stack-drift" => Box::pin(stack_drift::handle(guards, payload, ours)).await,
        _ => {
            let ours = belay::start::Invocation { function: RELEASE_WIDGET, ..ours };
            release_widget::handle(guards, payload, ours).await
        }
    };
    handled.map_err(|failure| format!("{}: {failure}", failure.kind))
}
