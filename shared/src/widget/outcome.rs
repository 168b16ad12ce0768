//! From the ledger's records of a release to what is drawn of it: how it ended, who decided, and why in a sentence.

use jiff::Timestamp;

use crate::{
    decision::{self, HookAnswer, Verdict},
    evidence::Target,
    ledger::{Answerer, Effect, EffectState, ReleaseLedger, Watch},
    reason::{Reason, Reasons},
    release::{ReleaseId, ReleaseStatus},
};

/// A release as it is drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Which.
    pub id: ReleaseId,
    /// When it began.
    pub began: Timestamp,
    /// When it ended, or was undone, whichever came later; none if it has not.
    pub ended: Option<Timestamp>,
    /// How.
    pub outcome: Outcome,
    /// Who decided that.
    pub by: DecidedBy,
    /// Why, in a sentence. Text from outside in it.
    pub why: Option<String>,
    /// What it brings. Text from outside.
    pub revision: Option<String>,
    /// What users got again when it was taken back, and by which release that had come.
    pub back_to: Option<(ReleaseId, String)>,
}

/// How a release ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It has not ended, as far as Belay knows.
    Running,
    /// Well.
    Succeeded,
    /// Badly, and nobody took it back.
    Failed,
    /// Somebody else stopped it.
    Stopped,
    /// It was taken back.
    TakenBack,
    /// Its undo is under way.
    Undoing,
    /// Belay stopped it where it was.
    Halted,
    /// In `observe`: Belay would have undone it.
    Would,
    /// It cannot be told.
    Unknown {
        /// Why not.
        why: String,
    },
}

impl Outcome {
    /// In a word or two.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
            Self::TakenBack => "taken back",
            Self::Undoing => "being undone",
            Self::Halted => "halted",
            Self::Would => "would have been undone",
            Self::Unknown { .. } => "not known",
        }
    }
}

/// Who decided how a release ended. Not which person: whoever may look at a dashboard need not know that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecidedBy {
    /// A person, in chat.
    Person,
    /// A person, in the console or by the CLI.
    Elsewhere,
    /// Belay, by the policy.
    Belay,
    /// Nobody answered in time, and the policy said what that means.
    Silence,
    /// Whatever deploys it.
    Deployer,
    /// There was nothing to decide.
    Nobody,
}

impl DecidedBy {
    /// In a few words, behind "decided by".
    pub fn word(self) -> &'static str {
        match self {
            Self::Person => "a person",
            Self::Elsewhere => "a person, in the console",
            Self::Belay => "Belay",
            Self::Silence => "silence",
            Self::Deployer => "the deployer",
            Self::Nobody => "nobody",
        }
    }
}

impl Shown {
    /// What the ledger says of a release.
    pub fn of(watch: &Watch, ledger: &ReleaseLedger) -> Self {
        let undo = undo(ledger);
        let taken_back = matches!(outcome(ledger), Outcome::TakenBack);
        let ends = [ledger.ended.as_ref().map(|ended| ended.at), undo.map(|undo| undo.at)];
        Self {
            id: watch.release.clone(),
            began: watch.began,
            ended: ends.into_iter().flatten().max(),
            outcome: outcome(ledger),
            by: decided_by(ledger),
            why: why(ledger),
            revision: ledger.began.as_ref().map(|began| began.revision.clone()),
            back_to: ledger.began.as_ref().filter(|_| taken_back).and_then(|began| {
                match began.target.known() {
                    Ok(Target::KnownGood { deployment, revision }) => {
                        Some((ReleaseId::from(deployment.as_str()), revision.clone()))
                    }
                    Ok(Target::None { .. }) | Err(_) => None,
                }
            }),
        }
    }

    /// A release of which the records cannot be read.
    pub fn unread(watch: &Watch, why: &str) -> Self {
        Self {
            id: watch.release.clone(),
            began: watch.began,
            ended: None,
            outcome: Outcome::Unknown { why: why.to_owned() },
            by: DecidedBy::Nobody,
            why: Some(why.to_owned()),
            revision: None,
            back_to: None,
        }
    }
}

/// The undo that counts: not one that turned out not to be needed, and not a stop in spite of which the release finished.
fn undo(ledger: &ReleaseLedger) -> Option<&Effect> {
    let finished = ledger.ended.as_ref().is_some_and(|ended| ended.status == ReleaseStatus::Succeeded);
    ledger
        .redeploy
        .as_ref()
        .into_iter()
        .chain(&ledger.undo)
        .find(|undo| undo.state != EffectState::Overtaken && !(finished && undo.stops_only()))
}

pub(super) fn outcome(ledger: &ReleaseLedger) -> Outcome {
    if let Some(undo) = undo(ledger) {
        return match undo.state {
            EffectState::Claimed { .. } => Outcome::Undoing,
            EffectState::Done | EffectState::Overtaken => {
                if undo.effect.as_ref().is_none_or(decision::Effect::takes_back) {
                    Outcome::TakenBack
                } else {
                    Outcome::Halted
                }
            }
        };
    }
    if ledger.would.is_some() {
        return Outcome::Would;
    }
    let Some(ended) = &ledger.ended else {
        return if ledger.began.is_some() || !ledger.decisions.is_empty() {
            Outcome::Running
        } else {
            Outcome::Unknown { why: "The ledger knows nothing of it any more.".to_owned() }
        };
    };
    if ended.rolled_back_by.is_some() {
        return Outcome::TakenBack;
    }
    match &ended.status {
        ReleaseStatus::Succeeded => Outcome::Succeeded,
        ReleaseStatus::Failed => Outcome::Failed,
        ReleaseStatus::Stopped => Outcome::Stopped,
        other @ (ReleaseStatus::Created
        | ReleaseStatus::Queued
        | ReleaseStatus::InProgress
        | ReleaseStatus::Baking
        | ReleaseStatus::Ready
        | ReleaseStatus::Unrecognised(_)) => Outcome::Unknown {
            why: format!("It ended as “{other}”, which Belay does not know as an end."),
        },
    }
}

fn decided_by(ledger: &ReleaseLedger) -> DecidedBy {
    if let Some(undo) = undo(ledger) {
        return by_reasons(&undo.reasons);
    }
    if ledger.would.is_some() {
        return DecidedBy::Belay;
    }
    if ledger.ended.as_ref().is_some_and(|ended| ended.rolled_back_by.is_some()) {
        return DecidedBy::Deployer;
    }
    let answer = ledger.answers.values().max_by_key(|answer| answer.at);
    if let Some(answer) = answer {
        return match answer.by {
            Answerer::Person { .. } => DecidedBy::Person,
            Answerer::Silence => DecidedBy::Silence,
            Answerer::Elsewhere { .. } => DecidedBy::Elsewhere,
        };
    }
    let failed = |verdict| verdict == Verdict::Answer(HookAnswer::Failed);
    if ledger.decisions.iter().any(|record| failed(record.verdict)) {
        return DecidedBy::Belay;
    }
    match outcome(ledger) {
        Outcome::Failed | Outcome::Stopped => DecidedBy::Deployer,
        Outcome::Running
        | Outcome::Succeeded
        | Outcome::TakenBack
        | Outcome::Undoing
        | Outcome::Halted
        | Outcome::Would
        | Outcome::Unknown { .. } => DecidedBy::Nobody,
    }
}

fn by_reasons(reasons: &Reasons) -> DecidedBy {
    if reasons.iter().any(|reason| matches!(reason, Reason::PersonChose { .. })) {
        return DecidedBy::Person;
    }
    let silent =
        |reason: &Reason| matches!(reason, Reason::NobodyAnswered { .. } | Reason::NobodyApproved { .. });
    if reasons.iter().any(silent) { DecidedBy::Silence } else { DecidedBy::Belay }
}

/// The reason that decided: of the undo, else of the newest decision that was told.
fn why(ledger: &ReleaseLedger) -> Option<String> {
    if let Outcome::Unknown { why } = outcome(ledger) {
        return Some(why);
    }
    if let Some(undo) = undo(ledger) {
        return Some(undo.reasons.first().to_string());
    }
    let would = ledger.would.as_ref().map(|would| would.verdict);
    let told = |verdict: Verdict| would.is_none_or(|would| would == verdict) && verdict != Verdict::Ignore;
    let record = ledger.decisions.iter().rev().find(|record| told(record.verdict));
    record.map(|record| record.reasons.first().to_string())
}
