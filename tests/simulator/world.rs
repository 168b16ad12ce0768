//! The whole state, and how it moves: one clock, no threads, no clock but this one.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::accounts::Accounts;
use crate::chance::Chance;
use crate::cloudformation::CloudFormation;
use crate::cloudwatch::CloudWatch;
use crate::codebuild::CodeBuild;
use crate::codedeploy::CodeDeploy;
use crate::codepipeline::CodePipeline;
use crate::deliveries::Deliveries;
use crate::dynamodb::DynamoDb;
use crate::ecs::Ecs;
use crate::elb::LoadBalancing;
use crate::faults::Faults;
use crate::health::Endpoint;
use crate::journal::Call;
use crate::lambda::Invoked;
use crate::logs::Logs;
use crate::permissions::Permissions;
use crate::schedules::Schedule;
use crate::secrets::Secrets;
use crate::slack::Slack;
use crate::sns::Sns;
use crate::stamps::{minute_of, seconds, start_of_minute};
use crate::storm::Weather;
use crate::sts::Sts;
use crate::teams::Teams;
use crate::timeline::{Happening, What};
use crate::traffic::Served;

/// The longest step: fine enough for everything that AWS does in seconds.
const TICK_SECONDS: i64 = 5;

/// Everything the simulator knows.
pub(crate) struct World {
    pub(crate) now: Timestamp,
    /// For identifiers. Mishaps have generators of their own, so that they do not change the names.
    pub(crate) chance: Chance,
    /// The accounts: the state of the four services below, and the traffic, is that of one.
    pub(crate) accounts: Accounts,
    pub(crate) code_deploy: CodeDeploy,
    pub(crate) code_pipeline: CodePipeline,
    pub(crate) cloud_watch: CloudWatch,
    pub(crate) cloud_formation: CloudFormation,
    pub(crate) code_build: CodeBuild,
    pub(crate) logs: Logs,
    pub(crate) ecs: Ecs,
    pub(crate) load_balancing: LoadBalancing,
    pub(crate) sns: Sns,
    pub(crate) sts: Sts,
    pub(crate) dynamo_db: DynamoDb,
    pub(crate) secrets: Secrets,
    pub(crate) slack: Slack,
    pub(crate) teams: Teams,
    /// Calls of chat products through an invocation's own endpoint.
    pub(crate) chat_calls: u64,
    /// How functions answer an Invoke, by name.
    pub(crate) lambda: BTreeMap<String, Invoked>,
    /// The functions that events may be delivered to.
    pub(crate) registered: BTreeSet<String>,
    /// By deployment group.
    pub(crate) traffic: BTreeMap<String, Served>,
    pub(crate) deliveries: Deliveries,
    pub(crate) faults: Faults,
    pub(crate) weather: Weather,
    pub(crate) schedules: Vec<Schedule>,
    pub(crate) health: BTreeMap<String, Endpoint>,
    pub(crate) journal: Vec<Call>,
    pub(crate) timeline: Vec<Happening>,
    /// Operations that were called though not modelled, until acknowledged.
    pub(crate) unmodelled: Vec<String>,
    pub(crate) permissions: Permissions,
}

impl World {
    pub(crate) fn at(now: Timestamp) -> Self {
        Self {
            now,
            chance: Chance::seeded(0xBE1A),
            accounts: Accounts::default(),
            code_deploy: CodeDeploy::default(),
            code_pipeline: CodePipeline::default(),
            cloud_watch: CloudWatch::default(),
            cloud_formation: CloudFormation::default(),
            code_build: CodeBuild::default(),
            logs: Logs::default(),
            ecs: Ecs::default(),
            load_balancing: LoadBalancing::default(),
            sns: Sns::default(),
            sts: Sts::default(),
            dynamo_db: DynamoDb::at(now),
            secrets: Secrets::default(),
            slack: Slack::default(),
            teams: Teams::default(),
            chat_calls: 0,
            lambda: BTreeMap::new(),
            registered: BTreeSet::new(),
            traffic: BTreeMap::new(),
            deliveries: Deliveries::default(),
            faults: Faults::default(),
            weather: Weather::default(),
            schedules: Vec::new(),
            health: BTreeMap::new(),
            journal: Vec::new(),
            timeline: Vec::new(),
            unmodelled: Vec::new(),
            permissions: Permissions::default(),
        }
    }

    /// The next moment on the way to `until`: multiples of five seconds, then the end itself.
    pub(crate) fn next_tick(&self, until: Timestamp) -> Timestamp {
        let next = (self.now.as_second().div_euclid(TICK_SECONDS) + 1) * TICK_SECONDS;
        let next = Timestamp::from_second(next).expect("a moment within jiff's range");
        next.min(until)
    }

    /// Moves to the next tick: users first, then the metrics, the alarms on them, and the deployments
    /// that the alarms may stop, and the pipelines that wait for the deployments.
    pub(crate) fn tick(&mut self, to: Timestamp) {
        let before = self.now;
        self.everywhere(|world| world.serve_users(before, to));
        self.now = to;
        self.dynamo_db.set_clock(to);
        if minute_of(to) > minute_of(before) {
            self.everywhere(|world| world.close_minute(minute_of(before)));
        }
        self.everywhere(Self::apply_scripted_states);
        let evaluation = start_of_minute(minute_of(to)) + seconds(crate::cloudwatch::EVALUATED_AT_SECOND);
        if before < evaluation && evaluation <= to {
            self.everywhere(Self::evaluate_alarms);
        }
        self.everywhere(Self::evolve_deployments);
        self.everywhere(Self::evolve_pipelines);
        self.everywhere(Self::evolve_detections);
        self.ring_schedules(before, to);
    }

    pub(crate) fn happened(&mut self, what: What) {
        self.happened_at(self.now, what);
    }

    pub(crate) fn happened_at(&mut self, at: Timestamp, what: What) {
        self.timeline.push(Happening { at, what });
    }
}
