//! What a script may set up and ask: the rest of [`Simulator`].

use jiff::Timestamp;
use serde_json::Value;

use crate::cloudwatch::AlarmState;
use crate::cloudwatch::alarm::{Alarm, CompositeAlarm, EvaluationState, Mute, Suppression};
use crate::codedeploy::StopAnswer;
use crate::codedeploy::deployment::Deployment;
use crate::codedeploy::group::{Group, Routing};
use crate::codedeploy::{self, revision};
use crate::deliveries::{Delivery, DeliverySettings};
use crate::faults::Fault;
use crate::health::{Endpoint, Health};
use crate::journal::Call;
use crate::refusal::Refusal;
use crate::schedules::Schedule;
use crate::simulator::Simulator;
use crate::sns::Message;
use crate::stamps::minute_of;
use crate::storm::{Kind, Storm};
use crate::timeline::Happening;
use crate::traffic::{Requests, Served, Share, Workload};

/// CodeDeploy.
impl Simulator {
    /// Adds a deployment group, and its application where that is new.
    pub fn create_group(&self, group: Group) {
        self.world().create_group(group);
    }

    /// Deploys a revision as the group's pipeline would. `by` is the creator's word: `user` for most.
    pub fn start_deployment(
        &self,
        application: &str,
        group: &str,
        label: &str,
        by: &str,
    ) -> Result<String, Refusal> {
        self.start_described_deployment(application, group, label, by, None)
    }

    /// The same, with a description for people.
    pub fn start_described_deployment(
        &self,
        application: &str,
        group: &str,
        label: &str,
        by: &str,
        description: Option<&str>,
    ) -> Result<String, Refusal> {
        let mut world = self.world();
        let owner = &world.code_deploy.group(group).settings.application;
        assert_eq!(owner, application, "the group {group:?} is another's");
        let wishes = codedeploy::Wishes {
            creator: Some(by.to_owned()),
            description: description.map(str::to_owned),
            ..codedeploy::Wishes::default()
        };
        let now = world.now;
        world.create_labelled(group, label, wishes, now)
    }

    /// The same with a description, as its owners would write one.
    pub fn start_described(&self, group: &str, label: &str, description: &str) -> Result<String, Refusal> {
        let wishes = codedeploy::Wishes {
            creator: Some("user".to_owned()),
            description: Some(description.to_owned()),
            ..codedeploy::Wishes::default()
        };
        let mut world = self.world();
        let now = world.now;
        world.create_labelled(group, label, wishes, now)
    }

    /// Whether CodeDeploy forgets, from now on, the rollbacks that should follow. Invented: the documents know no
    /// such failure, and a stop that nothing follows is what users would feel of any.
    pub fn forget_rollbacks(&self, forgets: bool) {
        self.world().code_deploy.forgets_rollbacks = forgets;
    }

    /// A deployment as it is now.
    pub fn deployment(&self, id: &str) -> Deployment {
        self.world().code_deploy.deployments.get(id).unwrap_or_else(|| panic!("no deployment {id:?}")).clone()
    }

    /// A group's deployments, oldest first; the baseline's is among them.
    pub fn deployments(&self, group: &str) -> Vec<Deployment> {
        let world = self.world();
        let ids = &world.code_deploy.group(group).deployments;
        ids.iter().map(|id| world.code_deploy.deployments[id].clone()).collect()
    }

    /// How StopDeployment answers from now on.
    pub fn answer_stops_with(&self, answer: StopAnswer) {
        self.world().code_deploy.stop_answer = answer;
    }

    /// Points a Lambda alias at one version again, as a person would after a stop without rollback.
    pub fn repair_alias(&self, group: &str, label: &str) {
        let _must_be_a_version = revision::version_of(label);
        self.world().group_mut(group).routing = Routing { old: label.to_owned(), new: None };
    }
}

/// Traffic.
impl Simulator {
    /// Gives a group its users.
    pub fn set_workload(&self, group: &str, workload: Workload) {
        let mut world = self.world();
        let _must_exist = world.code_deploy.group(group);
        match world.traffic.get_mut(group) {
            Some(served) => served.workload = workload,
            None => {
                world.traffic.insert(group.to_owned(), Served::new(workload));
            }
        }
    }

    /// Requests so far.
    pub fn requests(&self, group: &str) -> Requests {
        self.world().served(group).totals
    }

    /// Who serves whom now.
    pub fn traffic(&self, group: &str) -> Share {
        self.world().share(group)
    }

    /// The error rate of the last minute that has data, 0 to 1.
    pub fn error_rate(&self, group: &str) -> Option<f64> {
        let world = self.world();
        let (_, minute) = world.served(group).minutes.last_key_value()?;
        Some(minute.error_rate())
    }

    /// The 99th percentile of latency in the last minute that has data.
    pub fn latency_p99(&self, group: &str) -> Option<f64> {
        let world = self.world();
        let (_, minute) = world.served(group).minutes.last_key_value()?;
        Some(minute.latency_p99_ms())
    }

    /// Loses a group's metrics, or delivers them again; users are served either way.
    pub fn lose_metrics(&self, group: &str, lost: bool) {
        self.world()
            .traffic
            .get_mut(group)
            .unwrap_or_else(|| panic!("no workload was given to the group {group:?}"))
            .dark = lost;
    }
}

/// CloudWatch.
impl Simulator {
    /// Adds a metric alarm, an hour old.
    pub fn create_alarm(&self, alarm: Alarm) {
        self.world().create_alarm(alarm);
    }

    /// Adds a composite alarm over alarms that exist.
    pub fn create_composite(&self, alarm: CompositeAlarm) {
        self.world().create_composite(alarm);
    }

    /// Sets an alarm's state at a moment, with history and event: now for moments past (the transition
    /// is dated back), later for moments to come.
    pub fn set_alarm_state(&self, name: &str, state: AlarmState, at: Timestamp) {
        let mut world = self.world();
        let _must_exist = world.cloud_watch.watch(name);
        if at <= world.now {
            world.set_alarm_state(name, state, at);
        } else {
            world.cloud_watch.scripted.push((at, name.to_owned(), state));
        }
    }

    /// An alarm's state now.
    pub fn alarm_state(&self, name: &str) -> AlarmState {
        self.world().cloud_watch.watch(name).state.value
    }

    /// Adds to a custom metric's data point of the present minute.
    pub fn put_metric(&self, metric: &str, value: f64) {
        let mut world = self.world();
        let minute = minute_of(world.now);
        let series = world.cloud_watch.custom.entry(metric.to_owned()).or_default();
        *series.entry(minute).or_default() += value;
    }

    /// Mutes an alarm's actions in a window: events within it carry `muteDetail`.
    pub fn mute(&self, alarm: &str, mute: Option<Mute>) {
        self.alarm_mut(alarm, |watch| watch.mute = mute);
    }

    /// Marks the states to come as suppressed.
    pub fn suppress(&self, alarm: &str, suppression: Option<Suppression>) {
        self.alarm_mut(alarm, |watch| watch.suppression = suppression);
    }

    /// Sets what DescribeAlarms says about the evaluation itself.
    pub fn set_evaluation_state(&self, alarm: &str, state: Option<EvaluationState>) {
        self.alarm_mut(alarm, |watch| watch.evaluation_state = state);
    }

    fn alarm_mut(&self, name: &str, change: impl FnOnce(&mut crate::cloudwatch::Watch)) {
        let mut world = self.world();
        let watch =
            world.cloud_watch.alarms.get_mut(name).unwrap_or_else(|| panic!("no alarm {name:?} was created"));
        change(watch);
    }
}

/// SNS, DynamoDB, health endpoints.
impl Simulator {
    /// Adds a topic; the answer is its ARN.
    pub fn create_topic(&self, name: &str) -> String {
        let arn = format!("arn:aws:sns:us-east-1:123456789012:{name}");
        self.world().sns.topics.insert(arn.clone());
        arn
    }

    /// Everything that was published, oldest first.
    pub fn messages(&self) -> Vec<Message> {
        self.world().sns.messages.clone()
    }

    /// Adds a table with string keys `pk` and `sk`.
    pub fn create_ledger_table(&self, name: &str) {
        self.world().dynamo_db.create_ledger_table(name);
    }

    /// Sets how `{endpoint}/health/{name}` answers; the answer is that address.
    pub fn health_endpoint(&self, name: &str, health: Health) -> String {
        if let Health::Sequence(statuses) = &health {
            assert!(!statuses.is_empty(), "an empty sequence has no last status");
        }
        let endpoint = Endpoint { health, requests: 0 };
        self.world().health.insert(name.to_owned(), endpoint);
        format!("{}/health/{name}", self.endpoint())
    }

    /// How often a health endpoint was asked since it was set.
    pub fn health_requests(&self, name: &str) -> usize {
        self.world().health.get(name).map_or(0, |endpoint| endpoint.requests)
    }
}

/// Deliveries, faults, and what was seen.
impl Simulator {
    /// How deliveries fare from now on.
    pub fn set_delivery(&self, settings: DeliverySettings) {
        self.world().deliveries.set(settings);
    }

    /// Lets a storm of faults begin. Calls are struck that are made through [`crate::Invocation::endpoint`].
    pub fn storm(&self, storm: Storm) {
        self.world().weather.storm = Some(storm);
    }

    /// Ends the storm: nothing is struck, lost, doubled or delayed any more. What is late already stays so.
    pub fn calm(&self) {
        self.world().weather.storm = None;
    }

    /// Invokes a function at every multiple of so much virtual time, whole seconds.
    pub fn schedule(&self, function: &str, every: std::time::Duration) {
        assert!(every.as_secs() > 0, "a schedule has a rate of a second or more");
        self.world().schedules.push(Schedule { function: function.to_owned(), every });
    }

    /// Sends a function a payload, as an event of EventBridge's: an old one again, or one of the test's own.
    pub fn send(&self, function: &str, payload: &[u8]) {
        self.world().send(function, payload, "sent by hand", Kind::Event);
    }

    /// Everything in a table, in the service's notation.
    pub fn table(&self, name: &str) -> Vec<Value> {
        self.world().dynamo_db.scan(name)
    }

    /// Takes everything on its way, due or not, in order of arrival, for tests that deliver themselves.
    pub fn take_deliveries(&self) -> Vec<Delivery> {
        std::mem::take(&mut self.world().deliveries.queue)
    }

    /// What three attempts did not deliver.
    pub fn dead_letters(&self) -> Vec<Delivery> {
        self.world().deliveries.dead.clone()
    }

    /// Lets the next calls of an operation go wrong, so many times.
    pub fn fault(&self, operation: &str, fault: Fault, times: u32) {
        self.world().faults.add(operation, fault, times);
    }

    /// Lets every n-th call of any service go wrong.
    pub fn fault_every(&self, n: u32, fault: Fault) {
        self.world().faults.every(n, fault);
    }

    /// Ends all faults.
    pub fn clear_faults(&self) {
        self.world().faults.clear();
    }

    /// Every API call so far.
    pub fn journal(&self) -> Vec<Call> {
        self.world().journal.clone()
    }

    /// How many API calls there were so far.
    pub fn call_count(&self) -> usize {
        self.world().journal.len()
    }

    /// The API calls after the first `count`.
    pub fn journal_after(&self, count: usize) -> Vec<Call> {
        self.world().journal.get(count..).unwrap_or_default().to_vec()
    }

    /// Every event that was put on the bus, lost ones included, and the function to which a rule passes it on.
    pub fn announced(&self) -> Vec<(Value, Option<&'static str>)> {
        self.world().deliveries.announced.clone()
    }

    /// The calls of one operation.
    pub fn calls(&self, operation: &str) -> Vec<Call> {
        let mut calls = self.journal();
        calls.retain(|call| call.operation == operation);
        calls
    }

    /// The inputs of the calls of one operation that took effect.
    pub fn effects(&self, operation: &str) -> Vec<Value> {
        let calls = self.calls(operation).into_iter();
        calls.filter(|call| call.changed).map(|call| call.input).collect()
    }

    /// Everything that happened, oldest first. It only ever grows: keep a length as a cursor.
    pub fn timeline(&self) -> Vec<Happening> {
        self.world().timeline.clone()
    }

    /// What happened since a cursor, and the cursor for the next time.
    pub fn timeline_since(&self, cursor: usize) -> (Vec<Happening>, usize) {
        let world = self.world();
        let new = world.timeline.get(cursor..).unwrap_or_default().to_vec();
        (new, world.timeline.len())
    }

    /// Panics, by name, if anything was asked that the simulator does not model or a role does not allow.
    pub fn assert_all_modelled(&self) {
        let complaints = self.world().complaints();
        self.acknowledge_unmodelled();
        self.acknowledge_forbidden();
        assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    }

    /// Takes the list of what was asked though not modelled: the test knows, and goes on.
    pub fn acknowledge_unmodelled(&self) -> Vec<String> {
        std::mem::take(&mut self.world().unmodelled)
    }
}
