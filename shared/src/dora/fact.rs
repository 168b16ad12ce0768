//! One release as the measures see it: read from what the ledger holds of it.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    decision::Verdict,
    ledger::{EffectState, ReleaseLedger, Watch},
    reason::{Reason, Reasons},
    release::{ReleaseError, ReleaseId, ReleaseStatus, ServiceName},
};

/// A release, as far as it is measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReleaseFact {
    /// Of which service.
    pub service: ServiceName,
    /// Which.
    pub release: ReleaseId,
    /// When it began.
    pub began: Timestamp,
    /// The commit's own time, where that is known.
    pub committed: Option<Timestamp>,
    /// How and when it ended. If well, all of its traffic was on the new revision by then: when exactly it was, CodeDeploy
    /// and CodePipeline do not say.
    pub ended: Option<(ReleaseStatus, Timestamp)>,
    /// What went wrong with it.
    pub trouble: Option<Trouble>,
    /// Whether it takes another release back.
    pub takes_back: bool,
}

/// What went wrong with a release. One that is several of these is the first of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trouble {
    /// It was taken back.
    Undone,
    /// It was halted where it was.
    Halted,
    /// An alarm that judges releases went off while it was on watch, and it was neither.
    Alarmed,
}

impl ReleaseFact {
    /// A release that was on watch, by what the ledger holds of it.
    pub fn of(watch: &Watch, ledger: &ReleaseLedger) -> Self {
        let began = ledger.began.as_ref();
        Self {
            service: watch.service.clone(),
            release: watch.release.clone(),
            began: watch.began,
            committed: began.and_then(|began| began.change.committed),
            ended: ended(ledger),
            trouble: trouble(ledger),
            takes_back: began.is_some_and(|began| began.rolls_back.is_some()),
        }
    }

    /// From the commit's own time to the release's end. None if the commit's time is not known, or is later: then one of
    /// the clocks is wrong.
    pub fn lead_time(&self) -> Option<SignedDuration> {
        let (_, ended) = self.ended.as_ref()?;
        lead_time(self.committed, *ended)
    }
}

pub(super) fn lead_time(committed: Option<Timestamp>, ended: Timestamp) -> Option<SignedDuration> {
    let took = ended.duration_since(committed?);
    (!took.is_negative()).then_some(took)
}

/// How a release ended. The ledger's own record is that of its first end: a stage that failed, was tried again and went
/// well did get through, as the decision about its second end says.
fn ended(ledger: &ReleaseLedger) -> Option<(ReleaseStatus, Timestamp)> {
    let first = ledger.ended.as_ref().map(|ended| (ended.status.clone(), ended.at));
    if matches!(first, Some((ReleaseStatus::Succeeded, _))) {
        return first;
    }
    let well =
        |reason: &Reason| matches!(reason, Reason::ReleaseEnded { status: ReleaseStatus::Succeeded, .. });
    let later = ledger.decisions.iter().find(|decision| decision.reasons.iter().any(well));
    later.map(|decision| (ReleaseStatus::Succeeded, decision.at)).or(first)
}

/// What went wrong with a release, by everything that was written down about it.
///
/// An undo that was not needed in the end is none. An alarm of which Belay could not learn whether it was news about the
/// release is none either, unless it was acted on.
pub fn trouble(ledger: &ReleaseLedger) -> Option<Trouble> {
    if let Some(undo) = ledger.undo.as_ref().filter(|undo| undo.state != EffectState::Overtaken) {
        // Records of version 1 knew only stopping.
        let takes_back = match &undo.effect {
            Some(effect) => effect.takes_back(),
            None => undo.verdict == Verdict::RollBack,
        };
        return Some(if takes_back { Trouble::Undone } else { Trouble::Halted });
    }
    if let Some(ended) = &ledger.ended
        && by_its_own_alarm(ended.error.as_ref())
    {
        return Some(if ended.rolled_back_by.is_some() { Trouble::Undone } else { Trouble::Halted });
    }
    let alarmed = ledger.blamed_by.is_some()
        || ledger.decisions.iter().any(|decision| says_that_an_alarm_fired(&decision.reasons));
    alarmed.then_some(Trouble::Alarmed)
}

/// Whether CodeDeploy stopped a deployment because of an alarm of its group: `ALARM_ACTIVE` (reference: CodeDeploy,
/// "Errors").
pub(super) fn by_its_own_alarm(error: Option<&ReleaseError>) -> bool {
    error.is_some_and(|error| error.code == "ALARM_ACTIVE")
}

/// Whether a decision about a release says that an alarm is news about it: rows 9 to 16 of the table do.
pub(super) fn says_that_an_alarm_fired(reasons: &Reasons) -> bool {
    reasons
        .iter()
        .any(|reason| matches!(reason, Reason::AlarmDuringRelease { .. } | Reason::AlarmAfterRelease { .. }))
}
