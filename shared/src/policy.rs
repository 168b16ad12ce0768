//! belay.yaml: what is guarded, and how.
//!
//! Read strictly and whole: every mistake is reported at once, with its line, what was found and what was
//! meant, and a policy with a mistake is not used at all. A misspelt word must never change what happens.

mod account_role;
mod alarms;
mod defaults;
mod deployed_by;
mod drift;
mod hooks;
mod people;
mod pipelines;
mod reading;

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt,
    time::Duration,
};

pub use account_role::AccountRole;
pub use alarms::{AlarmPattern, Missing, Rule, WatchedAlarm};
pub use defaults::{AskRule, Mode, OnDoubt, Otherwise, RollbackBudget};
pub use drift::DriftRule;
pub use hooks::{ApprovalOtherwise, Check, HttpCheck};
pub use people::{Approver, Chat};
pub use pipelines::RetryRule;

use self::{
    defaults::Defaults,
    reading::{Reading, join},
};
use crate::{
    release::{AlarmName, LifecycleEvent, Place, ServiceName, Stage},
    yaml::{self, Node},
};

/// What the owners asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    services: BTreeMap<ServiceName, Service>,
    retry: Option<RetryRule>,
    index: Index,
    /// The stacks whose drift is detected, in Belay's own account.
    drift: Option<DriftRule>,
}

/// One guarded service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Its name in the policy.
    pub name: ServiceName,
    /// The role by which Belay works where it is released; `None` in Belay's own account.
    pub account_role: Option<AccountRole>,
    /// Whether Belay acts.
    pub mode: Mode,
    /// How long after its end a release can still be blamed.
    pub watch_for: Duration,
    /// How often releases may be taken back.
    pub rollback_budget: RollbackBudget,
    /// How questions are asked.
    pub ask: AskRule,
    /// What a hook answers in doubt.
    pub on_doubt: OnDoubt,
    /// What releases it. Never empty.
    pub deployed_by: Vec<Place>,
    /// The alarms that are watched, in the policy's order: the first that matches wins.
    pub alarms: Vec<WatchedAlarm>,
    /// What is checked at which lifecycle event.
    pub hooks: BTreeMap<LifecycleEvent, Vec<Check>>,
    /// Who may answer questions.
    pub approvers: Vec<Approver>,
    /// Where it is talked about.
    pub chat: Chat,
}

/// A service that watches an alarm, and how.
#[derive(Clone, Copy, Debug)]
pub struct Watcher<'a> {
    /// The service.
    pub service: &'a Service,
    /// The entry that matched first.
    pub alarm: &'a WatchedAlarm,
}

/// From an alarm's name to the services that may watch it, without trying every pattern: names exactly, and
/// patterns by what they begin with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Index {
    exact: HashMap<String, Vec<ServiceName>>,
    by_prefix: HashMap<String, Vec<ServiceName>>,
    places: HashMap<Place, ServiceName>,
}

impl Service {
    /// The account in which it is released; `None` for Belay's own.
    pub fn account(&self) -> Option<&str> {
        self.account_role.as_ref().map(AccountRole::account)
    }

    /// The entry that says what an alarm asks for, if the alarm is watched.
    pub fn watched(&self, alarm: &AlarmName) -> Option<&WatchedAlarm> {
        self.alarms.iter().find(|watched| watched.pattern.matches(alarm))
    }
}

impl Policy {
    /// Reads a policy.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn parse(text: &str) -> Result<Self, Mistakes> {
        let (policy, mistakes) = read(text);
        if mistakes.is_empty() { Ok(policy) } else { Err(Mistakes(mistakes)) }
    }

    /// A service by its name.
    pub fn service(&self, name: &ServiceName) -> Option<&Service> {
        self.services.get(name)
    }

    /// All services, by name.
    pub fn services(&self) -> impl Iterator<Item = &Service> {
        self.services.values()
    }

    /// The policy for one account: of its services alone. `None` is Belay's own account. Places and alarms have their
    /// meaning in one account only: another account's of the same name are others.
    #[must_use]
    pub fn of_account(&self, account: Option<&str>) -> Self {
        let released_there = |service: &&Service| service.account() == account;
        let services: BTreeMap<_, _> = self
            .services()
            .filter(released_there)
            .map(|service| (service.name.clone(), service.clone()))
            .collect();
        let drift = self.drift.clone().filter(|_| account.is_none());
        Self { index: Index::of(&services), services, retry: self.retry.clone(), drift }
    }

    /// What is run again in pipelines without asking. None: nothing is.
    pub fn retry(&self) -> Option<&RetryRule> {
        self.retry.as_ref()
    }

    /// The stacks whose drift is detected, in a policy for Belay's own account.
    pub fn drift(&self) -> Option<&DriftRule> {
        self.drift.as_ref()
    }

    /// The roles by which Belay works in other accounts, one for each account.
    pub fn roles(&self) -> BTreeSet<&AccountRole> {
        self.services().filter_map(|service| service.account_role.as_ref()).collect()
    }

    /// The service that is released there, in a policy for one account.
    pub fn deployed_by(&self, place: &Place) -> Option<&Service> {
        self.index.places.get(place).and_then(|name| self.services.get(name))
    }

    /// The services that are released by a pipeline, by name, each with the stage that releases it first.
    pub fn in_pipeline(&self, pipeline: &str) -> Vec<(&Service, &Stage)> {
        let stage = |service: &'_ Service| {
            service
                .deployed_by
                .iter()
                .position(|place| matches!(place, Place::Stage(stage) if stage.pipeline == pipeline))
        };
        self.services
            .values()
            .filter_map(|service| match &service.deployed_by[stage(service)?] {
                Place::Stage(stage) => Some((service, stage)),
                Place::Group(_) => None,
            })
            .collect()
    }

    /// The services that watch an alarm, by name. Looks up the alarm's name and each of its beginnings: as many
    /// steps as the name has characters, however many services there are.
    pub fn watchers(&self, alarm: &AlarmName) -> Vec<Watcher<'_>> {
        let mut candidates = self.index.candidates(alarm);
        candidates.sort_unstable();
        candidates.dedup();
        candidates
            .into_iter()
            .filter_map(|name| self.services.get(name))
            .filter_map(|service| service.watched(alarm).map(|alarm| Watcher { service, alarm }))
            .collect()
    }
}

impl Index {
    /// The services that have the alarm's name, or a pattern whose beginning is one of the name's: what is left to
    /// try. A service may come more than once.
    fn candidates(&self, alarm: &AlarmName) -> Vec<&ServiceName> {
        let name = alarm.as_str();
        let beginnings = name.char_indices().map(|(at, _)| &name[..at]).chain([name]);
        beginnings
            .filter_map(|beginning| self.by_prefix.get(beginning))
            .chain(self.exact.get(name))
            .flatten()
            .collect()
    }

    fn of(services: &BTreeMap<ServiceName, Service>) -> Self {
        let mut index = Self::default();
        for (name, service) in services {
            for watched in &service.alarms {
                let (map, key) = if watched.pattern.is_exact() {
                    (&mut index.exact, watched.pattern.as_str())
                } else {
                    (&mut index.by_prefix, watched.pattern.literal_prefix())
                };
                map.entry(key.to_owned()).or_default().push(name.clone());
            }
            for place in &service.deployed_by {
                index.places.insert(place.clone(), name.clone());
            }
        }
        index
    }
}

/// Everything that is wrong with a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistakes(pub Vec<Mistake>);

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The line, from 1.
    pub line: usize,
    /// Where in the policy, as a path of names.
    pub path: String,
    /// What is wrong, and what was meant.
    pub said: String,
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, mistake) in self.0.iter().enumerate() {
            if position > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{mistake}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Mistakes {}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, path, said } = self;
        if path.is_empty() {
            write!(f, "line {line}: {said}")
        } else {
            write!(f, "line {line}: {path}: {said}")
        }
    }
}

fn read(text: &str) -> (Policy, Vec<Mistake>) {
    let mut reading = Reading::default();
    let mut policy = Policy::default();
    match yaml::read(text) {
        Err(broken) => reading.wrong(broken.line, "", broken.why),
        Ok(None) => reading.wrong(1, "", "the policy is empty; begin with `version: 1` and `services:`"),
        Ok(Some(root)) => policy = whole(&mut reading, &root),
    }
    let mut mistakes = reading.mistakes;
    mistakes.sort_by_key(|mistake| mistake.line);
    (policy, mistakes)
}

fn whole(reading: &mut Reading, root: &Node) -> Policy {
    let fields = reading.fields(root, "", &["version", "defaults", "pipelines", "services", "drift"]);
    if let Some(node) = reading.required(&fields, "version", "1")
        && reading.number(node, "version", 1..=u32::MAX).is_some_and(|version| version != 1)
    {
        reading.wrong(
            node.line,
            "version",
            format!("found {}, but this Belay reads version 1", node.shown()),
        );
    }
    let defaults = match fields.get("defaults") {
        None => Defaults::default(),
        Some(node) => {
            let fields = reading.fields(node, "defaults", &defaults::FIELDS);
            Defaults::default().overridden(reading, &fields)
        }
    };
    let mut services = BTreeMap::new();
    let mut taken: Vec<(Place, Option<String>, usize, String)> = Vec::new();
    let mut roles: Vec<(AccountRole, usize)> = Vec::new();
    if let Some(node) = reading.required(&fields, "services", "{ checkout: … }") {
        let pairs = reading.pairs(node, "services", "a mapping of service names");
        if pairs.is_empty() {
            reading.wrong(node.line, "services", "names no service: nothing would be guarded");
        }
        for (_, name, node) in pairs {
            let path = join("services", name);
            let Read { service, deployed, role_line } = service(reading, node, name, &path, defaults);
            let account = service.account().map(str::to_owned);
            for (line, by) in deployed {
                let same = |(other, there, ..): &&(Place, Option<String>, usize, String)| {
                    (other, there) == (&by, &account)
                };
                if let Some((_, _, first, other)) = taken.iter().find(same) {
                    let said = format!("is released by what {other} is released by on line {first} already");
                    reading.wrong(line, &join(&path, "deployed_by"), said);
                }
                taken.push((by, account.clone(), line, name.to_owned()));
            }
            if let (Some(role), Some(line)) = (&service.account_role, role_line) {
                let another =
                    roles.iter().find(|(other, _)| other.account() == role.account() && other != role);
                if let Some((other, first)) = another {
                    let said = format!(
                        "names another role of account {} than line {first}, which has `{other}`: Belay works in an account by one role",
                        role.account()
                    );
                    reading.wrong(line, &join(&path, "account_role"), said);
                }
                roles.push((role.clone(), line));
            }
            services.insert(service.name.clone(), service);
        }
    }
    let retry = pipelines::pipelines(reading, &fields);
    let drift = drift::drift(reading, &fields);
    Policy { index: Index::of(&services), services, retry, drift }
}

/// A service as it is written.
struct Read {
    service: Service,
    /// What releases it, each with its line.
    deployed: Vec<(usize, Place)>,
    /// The line of its role.
    role_line: Option<usize>,
}

fn service(reading: &mut Reading, node: &Node, name: &str, path: &str, defaults: Defaults) -> Read {
    let mut known = vec!["deployed_by", "account_role", "alarms", "hooks", "approvers", "chat"];
    known.extend(defaults::FIELDS);
    let fields = reading.fields(node, path, &known);
    let Defaults { mode, watch_for, rollback_budget, ask, on_doubt } = defaults.overridden(reading, &fields);
    let example = "[ { codedeploy: { application: checkout, deployment_group: prod } } ]";
    let deployed = match reading.required(&fields, "deployed_by", example) {
        None => Vec::new(),
        Some(node) => deployed_by::read(reading, node, &fields.path("deployed_by")),
    };
    let alarms = match fields.get("alarms") {
        None => Vec::new(),
        Some(node) => alarms::read(reading, node, &fields.path("alarms")),
    };
    let hooks = match fields.get("hooks") {
        None => BTreeMap::new(),
        Some(node) => hooks::read(reading, node, &fields.path("hooks")),
    };
    if fields.get("alarms").is_none() && fields.get("hooks").is_none() {
        reading.wrong(node.line, path, "has neither alarms nor hooks: nothing of it would be guarded");
    }
    let (role_line, account_role) = account_role::account_role(reading, &fields).unzip();
    if let Some(hooks) = fields.get("hooks")
        && fields.get("account_role").is_some()
    {
        let said = "cannot stand with `account_role`: CodeDeploy calls a hook's function in the account of its deployment, and the answer must come from there";
        reading.wrong(hooks.line, &fields.path("hooks"), said);
    }
    let approvers = people::approvers(reading, &fields);
    let chat = people::chat(reading, &fields);
    if hooks.values().flatten().any(|check| matches!(check, Check::Approval { .. })) {
        if approvers.is_empty() {
            reading.wrong(node.line, path, "has an `approval` check and no `approvers`: nobody could answer");
        }
        if chat.slack.is_none() {
            reading.wrong(node.line, path, "has an `approval` check and no `chat`: nobody would be asked");
        }
    }
    let service = Service {
        name: ServiceName::from(name),
        account_role,
        mode,
        watch_for,
        rollback_budget,
        ask,
        on_doubt,
        deployed_by: deployed.iter().map(|(_, by)| by.clone()).collect(),
        alarms,
        hooks,
        approvers,
        chat,
    };
    Read { service, deployed, role_line }
}
