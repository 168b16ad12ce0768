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
mod index;
mod path;
mod people;
mod pipelines;
mod reading;
mod taken;

#[cfg(test)]
mod size_tests;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
    time::Duration,
};

pub use account_role::AccountRole;
pub use alarms::{AlarmPattern, Missing, Rule, WatchedAlarm};
pub use defaults::{AskRule, Mode, OnDoubt, Otherwise, RollbackBudget};
pub use drift::DriftRule;
pub use hooks::{ApprovalOtherwise, Check, HttpCheck};
pub use people::{Approver, Chat};
pub use pipelines::RetryRule;

use self::{defaults::Defaults, index::Index, path::Path, reading::Reading, taken::Taken};
use crate::{
    release::{AlarmName, LifecycleEvent, Place, ServiceName, Stage},
    yaml::{self, Node, Value},
};

/// What the owners asked for. It is read once and shared: a clone, and the part of one account, cost nothing.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    whole: Arc<Whole>,
    of: Accounts,
}

/// Everything that is written.
#[derive(Debug, Default)]
struct Whole {
    /// By name.
    services: Vec<Service>,
    roles: BTreeSet<AccountRole>,
    retry: Option<RetryRule>,
    /// The stacks whose drift is detected, in Belay's own account.
    drift: Option<DriftRule>,
    index: Index,
}

/// The services of which accounts a policy is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Accounts {
    #[default]
    All,
    /// `None` is Belay's own.
    One(Option<String>),
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
        let services = &self.whole.services;
        let at = services.binary_search_by(|service| service.name.cmp(name)).ok()?;
        self.at(at)
    }

    /// All services, by name.
    pub fn services(&self) -> impl Iterator<Item = &Service> {
        self.whole.services.iter().filter(|service| self.is_of(service))
    }

    /// The policy for one account: of its services alone. `None` is Belay's own account. Places and alarms have their
    /// meaning in one account only: another account's of the same name are others.
    #[must_use]
    pub fn of_account(&self, account: Option<&str>) -> Self {
        Self { whole: Arc::clone(&self.whole), of: Accounts::One(account.map(str::to_owned)) }
    }

    /// What is run again in pipelines without asking. None: nothing is.
    pub fn retry(&self) -> Option<&RetryRule> {
        self.whole.retry.as_ref()
    }

    /// The stacks whose drift is detected, in a policy for Belay's own account.
    pub fn drift(&self) -> Option<&DriftRule> {
        let drift = self.whole.drift.as_ref();
        drift.filter(|_| !matches!(self.of, Accounts::One(Some(_))))
    }

    /// The roles by which Belay works in other accounts, one for each account.
    pub fn roles(&self) -> BTreeSet<&AccountRole> {
        let there = |role: &&AccountRole| match &self.of {
            Accounts::All => true,
            Accounts::One(account) => account.as_deref() == Some(role.account()),
        };
        self.whole.roles.iter().filter(there).collect()
    }

    /// The service that is released there, in a policy for one account.
    pub fn deployed_by(&self, place: &Place) -> Option<&Service> {
        self.whole.index.deployed_by(place).iter().rev().find_map(|at| self.at(*at))
    }

    /// The services that are released by a pipeline, by name, each with the stage that releases it first.
    pub fn in_pipeline(&self, pipeline: &str) -> Vec<(&Service, &Stage)> {
        let first = |service: &'_ Service| {
            service
                .deployed_by
                .iter()
                .position(|place| matches!(place, Place::Stage(stage) if stage.pipeline == pipeline))
        };
        let services = self.whole.index.in_pipeline(pipeline).iter().filter_map(|at| self.at(*at));
        services
            .filter_map(|service| match &service.deployed_by[first(service)?] {
                Place::Stage(stage) => Some((service, stage)),
                Place::Group(_) => None,
            })
            .collect()
    }

    /// The services that watch an alarm, by name. Looks up the alarm's name and each of its beginnings: as many
    /// steps as the name has characters, however many services there are.
    pub fn watchers(&self, alarm: &AlarmName) -> Vec<Watcher<'_>> {
        let mut candidates = self.whole.index.candidates(alarm);
        candidates.sort_unstable();
        candidates.dedup();
        candidates
            .into_iter()
            .filter_map(|at| self.at(at))
            .filter_map(|service| service.watched(alarm).map(|alarm| Watcher { service, alarm }))
            .collect()
    }

    /// The service at this place in the order of names, if this policy is about its account.
    fn at(&self, at: usize) -> Option<&Service> {
        self.whole.services.get(at).filter(|service| self.is_of(service))
    }

    fn is_of(&self, service: &Service) -> bool {
        match &self.of {
            Accounts::All => true,
            Accounts::One(account) => service.account() == account.as_deref(),
        }
    }
}

/// Two policies are equal if the same is asked for in them.
impl PartialEq for Policy {
    fn eq(&self, other: &Self) -> bool {
        self.retry() == other.retry() && self.drift() == other.drift() && self.services().eq(other.services())
    }
}

impl Eq for Policy {}

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
        Err(broken) => reading.wrong(broken.line, &Path::TOP, broken.why),
        Ok(None) => {
            let said = "the policy is empty; begin with `version: 1` and `services:`";
            reading.wrong(1, &Path::TOP, said);
        }
        Ok(Some(root)) => policy.whole = Arc::new(whole(&mut reading, &root)),
    }
    let mut mistakes = reading.mistakes;
    mistakes.sort_by_key(|mistake| mistake.line);
    (policy, mistakes)
}

fn whole(reading: &mut Reading, root: &Node) -> Whole {
    let fields = reading.fields(root, &Path::TOP, &["version", "defaults", "pipelines", "services", "drift"]);
    if let Some(node) = reading.required(&fields, "version", "1")
        && reading.number(node, &fields.path("version"), 1..=u32::MAX).is_some_and(|version| version != 1)
    {
        let said = format!("found {}, but this Belay reads version 1", node.shown());
        reading.wrong(node.line, &fields.path("version"), said);
    }
    let defaults = match fields.get("defaults") {
        None => Defaults::default(),
        Some(node) => {
            let path = fields.path("defaults");
            let fields = reading.fields(node, &path, &defaults::FIELDS);
            Defaults::default().overridden(reading, &fields)
        }
    };
    let mut services = Vec::new();
    let mut taken = Taken::default();
    if let Some(node) = reading.required(&fields, "services", "{ checkout: … }") {
        let path = fields.path("services");
        let pairs = reading.pairs(node, &path, || "a mapping of service names".to_owned());
        if pairs.is_empty() {
            reading.wrong(node.line, &path, "names no service: nothing would be guarded");
        }
        services.reserve(pairs.len());
        for (_, name, node) in pairs {
            let path = path.to(name);
            let read = service(reading, node, name, &path, defaults);
            taken.by(reading, name, &read, &path);
            services.push(read.service);
        }
    }
    services.sort_by(|one: &Service, other| one.name.cmp(&other.name));
    let retry = pipelines::pipelines(reading, &fields);
    let drift = drift::drift(reading, &fields);
    Whole { index: Index::of(&services), services, roles: taken.roles(), retry, drift }
}

/// A service as it is written.
struct Read {
    service: Service,
    /// The lines of what releases it.
    lines: Vec<usize>,
    /// The line of its role.
    role_line: Option<usize>,
}

/// What may be written in a service.
const FIELDS: [&str; 11] = {
    let [mode, watch_for, rollback_budget, ask, on_doubt] = defaults::FIELDS;
    [
        "deployed_by",
        "account_role",
        "alarms",
        "hooks",
        "approvers",
        "chat",
        mode,
        watch_for,
        rollback_budget,
        ask,
        on_doubt,
    ]
};

fn service(reading: &mut Reading, node: &Node, name: &str, path: &Path<'_>, defaults: Defaults) -> Read {
    let fields = reading.fields(node, path, &FIELDS);
    let Defaults { mode, watch_for, rollback_budget, ask, on_doubt } = defaults.overridden(reading, &fields);
    let example = "[ { codedeploy: { application: checkout, deployment_group: prod } } ]";
    let (lines, deployed_by) = match reading.required(&fields, "deployed_by", example) {
        None => (Vec::new(), Vec::new()),
        Some(node) => deployed_by::read(reading, node, &fields.path("deployed_by")).into_iter().unzip(),
    };
    let alarms = match fields.get("alarms") {
        None => Vec::new(),
        Some(node) => alarms::read(reading, node, &fields.path("alarms")),
    };
    let hooks = match fields.get("hooks") {
        None => BTreeMap::new(),
        Some(node) => hooks::read(reading, node, &fields.path("hooks")),
    };
    let lacks = |field: &str| match fields.get(field).map(|node| &node.value) {
        None => true,
        Some(Value::Mapping(entries)) => entries.is_empty(),
        Some(Value::Scalar { .. } | Value::List(_)) => false,
    };
    if lacks("alarms") && lacks("hooks") {
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
        deployed_by,
        alarms,
        hooks,
        approvers,
        chat,
    };
    Read { service, lines, role_line }
}
