//! What can be written under `defaults` and again in a service: mode, watch, budget, question, doubt.

use std::time::Duration;

use super::reading::{Fields, Reading};

/// Whether Belay acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It does.
    Enforce,
    /// It decides, records and tells.
    Observe,
}

/// How many releases may be taken back in a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RollbackBudget {
    /// So many.
    pub count: u32,
    /// In so long.
    pub per: Duration,
}

/// How a question is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AskRule {
    /// How long to wait for an answer.
    pub within: Duration,
    /// What silence means.
    pub otherwise: Otherwise,
}

/// What silence means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Otherwise {
    /// The release is taken back.
    RollBack,
    /// It stays.
    Keep,
}

/// What a hook answers that could not learn what it had to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnDoubt {
    /// The deployment fails.
    Fail,
    /// It goes on.
    Succeed,
}

/// The five together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Defaults {
    pub(super) mode: Mode,
    pub(super) watch_for: Duration,
    pub(super) rollback_budget: RollbackBudget,
    pub(super) ask: AskRule,
    pub(super) on_doubt: OnDoubt,
}

pub(super) const FIELDS: [&str; 5] = ["mode", "watch_for", "rollback_budget", "ask", "on_doubt"];

impl Default for Defaults {
    fn default() -> Self {
        Self {
            mode: Mode::Enforce,
            watch_for: Duration::from_mins(30),
            rollback_budget: RollbackBudget { count: 2, per: Duration::from_hours(6) },
            ask: AskRule { within: Duration::from_mins(15), otherwise: Otherwise::RollBack },
            on_doubt: OnDoubt::Fail,
        }
    }
}

impl Defaults {
    /// These, but for what is written in `fields`.
    pub(super) fn overridden(self, reading: &mut Reading, fields: &Fields<'_>) -> Self {
        let mut new = self;
        if let Some(node) = fields.get("mode") {
            let path = fields.path("mode");
            let words = [("enforce", Mode::Enforce), ("observe", Mode::Observe)];
            new.mode = reading.word(node, &path, &words).unwrap_or(self.mode);
        }
        if let Some(node) = fields.get("watch_for") {
            new.watch_for =
                reading.duration(node, &fields.path("watch_for"), "30m").unwrap_or(self.watch_for);
        }
        if let Some(node) = fields.get("rollback_budget") {
            let path = fields.path("rollback_budget");
            let budget = reading.fields(node, &path, &["count", "per"]);
            let count = reading.required(&budget, "count", "2");
            let count = count.and_then(|node| reading.number(node, &budget.path("count"), 1..=1_000));
            let per = reading.required(&budget, "per", "6h");
            let per = per.and_then(|node| reading.duration(node, &budget.path("per"), "6h"));
            if let (Some(count), Some(per)) = (count, per) {
                new.rollback_budget = RollbackBudget { count, per };
            }
        }
        if let Some(node) = fields.get("ask") {
            let path = fields.path("ask");
            let ask = reading.fields(node, &path, &["within", "otherwise"]);
            let within = reading.required(&ask, "within", "15m");
            let within = within.and_then(|node| reading.duration(node, &ask.path("within"), "15m"));
            let otherwise = reading.required(&ask, "otherwise", "roll_back");
            let words = [("roll_back", Otherwise::RollBack), ("keep", Otherwise::Keep)];
            let otherwise = otherwise.and_then(|node| reading.word(node, &ask.path("otherwise"), &words));
            if let (Some(within), Some(otherwise)) = (within, otherwise) {
                new.ask = AskRule { within, otherwise };
            }
        }
        if let Some(node) = fields.get("on_doubt") {
            let words = [("fail", OnDoubt::Fail), ("succeed", OnDoubt::Succeed)];
            new.on_doubt = reading.word(node, &fields.path("on_doubt"), &words).unwrap_or(self.on_doubt);
        }
        new
    }
}
