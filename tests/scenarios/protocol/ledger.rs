//! The ledger as the protocol needs it: two records, each written under a condition. The real one is
//! shared/src/aws/ledger.rs; `claim`, `done` and `give_back` are its functions of these names.

use super::{Protocol, world::Id};

/// What tells one invocation from all others, and its beginning by its own clock (relative to the true time now).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claimant {
    pub(crate) owner: Id,
    pub(crate) now: i8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum EffectState {
    /// Somebody is at it until this time (relative to the true time now); later, somebody else may look and go on.
    Claimed { until: i8 },
    /// It happened; for a message: it was sent.
    Done,
}

/// `effect/undo` or `message/<key>`. It is never deleted, and what is done is never undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Record {
    pub(crate) state: EffectState,
    /// None is an invocation that has ended: nobody answers to its name any more.
    pub(crate) owner: Option<Id>,
    /// Whether the owner has it by a takeover. The real ledger need not store it: there the repeated call knows
    /// whether it is the put or the update.
    taken_over: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Claimed {
    Ours,
    /// It is ours now; somebody had it, and let the lease run out. Look whether it happened.
    TakenOver,
    BySomebodyElse,
    Before,
}

/// A record that may be there or not.
pub(crate) type Slot = Option<Record>;

pub(crate) fn over(slot: &Slot) -> bool {
    matches!(slot, Some(Record { state: EffectState::Done, .. }))
}

pub(crate) fn lease_ran_out(slot: &Slot, now: i8) -> bool {
    matches!(slot, Some(Record { state: EffectState::Claimed { until }, .. }) if *until <= now)
}

/// A conditional put if it is absent, a conditional update if its lease ran out. Both are atomic in `DynamoDB`, and
/// a put that was refused stays refused, so that the two make one step here.
pub(crate) fn claim(slot: &mut Slot, by: Claimant, ahead: i8, protocol: &Protocol) -> Claimed {
    // Also a claim that is made late counts from the invocation's beginning: then its lease is short, or over.
    let state = EffectState::Claimed { until: by.now + protocol.timing.lease };
    let ours = |taken_over| Some(Record { state, owner: Some(by.owner), taken_over });
    let Some(held) = *slot else {
        *slot = ours(false);
        return Claimed::Ours;
    };
    if !protocol.conditional_put {
        *slot = ours(false);
        return Claimed::Ours;
    }
    if held.state == EffectState::Done {
        return Claimed::Before;
    }
    // The answer to our claim was lost, and the SDK repeats it: it finds itself, and its lease begins anew.
    if protocol.claims_have_owners && held.owner == Some(by.owner) {
        *slot = ours(held.taken_over);
        return if held.taken_over { Claimed::TakenOver } else { Claimed::Ours };
    }
    if lease_ran_out(slot, by.now + ahead) {
        *slot = ours(true);
        return Claimed::TakenOver;
    }
    Claimed::BySomebodyElse
}

/// Whether a change to a claim passes its condition: claimed, and still ours.
fn still_ours(slot: &Slot, owner: Id, protocol: &Protocol) -> bool {
    slot.is_some_and(|held| {
        held.state != EffectState::Done && (!protocol.claims_have_owners || held.owner == Some(owner))
    })
}

/// Says that what was claimed has happened. Refused, without harm, when it is somebody else's by now. Answers
/// whether a record of somebody else was marked, which must never be.
pub(crate) fn done(slot: &mut Slot, owner: Id, protocol: &Protocol) -> bool {
    if !still_ours(slot, owner, protocol) {
        return false;
    }
    let by_the_wrong_one = slot.is_some_and(|held| held.owner != Some(owner));
    *slot = Some(Record { state: EffectState::Done, owner: None, taken_over: false });
    by_the_wrong_one
}

/// Gives a claim back whose effect certainly did not happen: whoever comes next need not wait for the lease's end,
/// but takes it over, and so looks first all the same.
pub(crate) fn give_back(slot: &mut Slot, owner: Id, protocol: &Protocol, long_ago: i8) {
    if still_ours(slot, owner, protocol)
        && let Some(held) = slot
    {
        held.state = EffectState::Claimed { until: long_ago };
    }
}

/// A tick of the true time; what ran out for every clock there can be needs no exact number any more.
pub(crate) fn tick(slot: &mut Slot, long_ago: i8) {
    if let Some(Record { state: EffectState::Claimed { until }, .. }) = slot {
        *until = (*until - 1).max(long_ago);
    }
}

pub(crate) fn end_lease(slot: &mut Slot, long_ago: i8) {
    if let Some(Record { state: EffectState::Claimed { until }, .. }) = slot {
        *until = long_ago;
    }
}
