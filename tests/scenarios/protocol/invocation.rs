//! One invocation, one function per step. The real thing is `stop` and `tell` in shared/src/carry_out.rs, and `judge`
//! and `settle` in functions/alarm-transitions/src/lib.rs.
//!
//! Recording the decision is left out: it is written once, nothing is decided by it.

use super::{
    LIFETIME, Protocol,
    ledger::{self, Claimant, Claimed},
    world::{Call, Flight, Id, World},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// A delivery of the alarm's signal. At the last one, what is not settled is asked of a person.
    Alarm { last_delivery: bool },
    /// Once a minute, for ever.
    Sweep,
}

/// What an invocation does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Step {
    Read,
    ClaimUndo,
    Look,
    CallDeployer,
    /// The call is under way: its flight says what becomes of it.
    AwaitDeployer,
    /// The time for the call was up before it began.
    FencedOff,
    WriteMessage,
    MarkUndone,
    /// Takes over a message that somebody wrote down and did not send.
    TakeOwed,
    Publish,
    AwaitTopic,
    MarkSent,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Invocation {
    pub(crate) kind: Kind,
    pub(crate) step: Step,
    /// Ticks since its beginning, by its own monotonic clock. It may be frozen between any two steps.
    pub(crate) age: i8,
    /// What came of claiming the message, as far as it knows.
    pub(crate) message: Option<Claimed>,
}

impl Invocation {
    pub(crate) fn begin(kind: Kind) -> Self {
        Self { kind, step: Step::Read, age: 0, message: None }
    }

    /// Its beginning by its own wall clock, relative to the true time now. Clocks differ: whoever compares may be
    /// ahead of whoever claimed. The other way round leases only last longer.
    pub(crate) fn now(self, ahead: i8) -> i8 {
        ahead - self.age
    }
}

impl World {
    fn go(&mut self, id: Id, step: Step) {
        self.invocations[id].step = step;
    }

    fn claimant(&self, id: Id) -> Claimant {
        Claimant { owner: id, now: self.invocations[id].now(0) }
    }

    /// It could not settle the signal: it is delivered again, or this was the last time.
    pub(crate) fn fail(&mut self, id: Id) {
        match self.invocations[id].kind {
            Kind::Alarm { last_delivery } => self.asked |= last_delivery,
            Kind::Sweep => {}
        }
        self.ended(id);
    }

    /// One step that goes well, of an invocation whose clock is so much ahead.
    pub(crate) fn step(&mut self, id: Id, ahead: i8, protocol: &Protocol) {
        match self.invocations[id].step {
            Step::Read => self.read(id, ahead, protocol),
            Step::ClaimUndo => self.claim_undo(id, ahead, protocol),
            Step::Look => self.look(id, protocol),
            Step::CallDeployer => self.call_deployer(id, protocol),
            Step::FencedOff => self.fenced_off(id, protocol),
            Step::WriteMessage => self.write_message(id, ahead, protocol),
            Step::MarkUndone => self.mark_undone(id, protocol),
            Step::TakeOwed => self.take_owed(id, ahead, protocol),
            Step::Publish => self.publish(id, protocol),
            Step::MarkSent => self.mark_sent(id, protocol),
            Step::AwaitDeployer | Step::AwaitTopic => {}
        }
    }

    /// Reads the ledger and the deployer, and decides.
    fn read(&mut self, id: Id, ahead: i8, protocol: &Protocol) {
        let Invocation { kind, .. } = self.invocations[id];
        let now = self.invocations[id].now(ahead);
        if kind == Kind::Sweep && !protocol.sweep_reads_the_ledger && self.deployer.undone() {
            // The undo worked, the alarm is green again, and nothing is left for this sweep to find.
            self.ended(id);
        } else if self.undo.is_none() || ledger::lease_ran_out(&self.undo, now) {
            self.go(id, Step::ClaimUndo);
            // The claim's condition says again what was read: the two are one step. Without it they are not.
            if protocol.conditional_put {
                self.claim_undo(id, ahead, protocol);
            }
        } else if ledger::lease_ran_out(&self.message, now) {
            self.go(id, Step::TakeOwed);
            self.take_owed(id, ahead, protocol);
        } else if ledger::over(&self.undo) && !self.owes_message() {
            self.settle(id);
        } else {
            // Somebody else is at it: nothing is touched.
            self.fail(id);
        }
    }

    fn claim_undo(&mut self, id: Id, ahead: i8, protocol: &Protocol) {
        let by = self.claimant(id);
        match ledger::claim(&mut self.undo, by, ahead, protocol) {
            Claimed::Ours => self.go(id, Step::CallDeployer),
            Claimed::TakenOver if protocol.look_first => self.go(id, Step::Look),
            Claimed::TakenOver => self.go(id, Step::CallDeployer),
            Claimed::BySomebodyElse | Claimed::Before => self.fail(id),
        }
    }

    /// Did it happen already? Whoever did it died before saying so: say it now.
    fn look(&mut self, id: Id, protocol: &Protocol) {
        if self.deployer.undone() {
            self.after_effect(id, protocol);
        } else {
            self.go(id, Step::CallDeployer);
        }
    }

    /// The fence: too late by our own clock, and somebody else may have the claim by now.
    fn call_deployer(&mut self, id: Id, protocol: &Protocol) {
        if protocol.fence_the_effect && self.invocations[id].age > protocol.timing.fence {
            return self.go(id, Step::FencedOff);
        }
        self.flights.push(Flight { call: Call::Undo, left: protocol.timing.call, caller: Some(id) });
        self.go(id, Step::AwaitDeployer);
    }

    fn fenced_off(&mut self, id: Id, protocol: &Protocol) {
        ledger::give_back(&mut self.undo, id, protocol, -LIFETIME);
        self.fail(id);
    }

    pub(crate) fn after_effect(&mut self, id: Id, protocol: &Protocol) {
        self.go(id, if protocol.write_before_done { Step::WriteMessage } else { Step::MarkUndone });
    }

    /// The deployer refused for certain.
    pub(crate) fn refused(&mut self, id: Id, protocol: &Protocol) {
        ledger::give_back(&mut self.undo, id, protocol, -LIFETIME);
        self.fail(id);
    }

    fn write_message(&mut self, id: Id, ahead: i8, protocol: &Protocol) {
        self.claim_message(id, ahead, protocol);
        if protocol.write_before_done {
            self.go(id, Step::MarkUndone);
        } else {
            self.after_writing(id);
        }
    }

    fn mark_undone(&mut self, id: Id, protocol: &Protocol) {
        self.done_by_the_wrong_one |= ledger::done(&mut self.undo, id, protocol);
        if protocol.write_before_done {
            self.after_writing(id);
        } else {
            self.go(id, Step::WriteMessage);
        }
    }

    /// A message that is written down but not ours is somebody else's to send: the signal is not settled before.
    fn after_writing(&mut self, id: Id) {
        match self.invocations[id].message {
            Some(Claimed::Ours | Claimed::TakenOver) => self.go(id, Step::Publish),
            Some(Claimed::Before) => self.settle(id),
            Some(Claimed::BySomebodyElse) | None => self.fail(id),
        }
    }

    fn take_owed(&mut self, id: Id, ahead: i8, protocol: &Protocol) {
        self.claim_message(id, ahead, protocol);
        self.after_writing(id);
    }

    fn claim_message(&mut self, id: Id, ahead: i8, protocol: &Protocol) {
        let by = self.claimant(id);
        let publisher = self.message.and_then(|held| held.owner).map(|owner| self.invocations[owner].step);
        let claimed = ledger::claim(&mut self.message, by, ahead, protocol);
        // Published, and frozen before it was marked until the lease was over: nobody can tell it from a death.
        self.excused |= claimed == Claimed::TakenOver && publisher == Some(Step::MarkSent);
        self.invocations[id].message = Some(claimed);
    }

    /// The same fence as the effect's: who comes too late leaves the message to the next one.
    fn publish(&mut self, id: Id, protocol: &Protocol) {
        if protocol.fence_the_message && self.invocations[id].age > protocol.timing.fence {
            return self.not_published(id, protocol);
        }
        self.flights.push(Flight { call: Call::Publish, left: protocol.timing.call, caller: Some(id) });
        self.go(id, Step::AwaitTopic);
    }

    /// Nothing is lost: it is written down.
    pub(crate) fn not_published(&mut self, id: Id, protocol: &Protocol) {
        ledger::give_back(&mut self.message, id, protocol, -LIFETIME);
        self.fail(id);
    }

    pub(crate) fn published(&mut self, id: Id) {
        self.go(id, Step::MarkSent);
    }

    fn mark_sent(&mut self, id: Id, protocol: &Protocol) {
        self.mark_sent_record(id, protocol);
        // Who sent what was owed while another one is at the undo has not settled anything.
        if ledger::over(&self.undo) {
            self.settle(id);
        } else {
            self.fail(id);
        }
    }

    pub(crate) fn mark_sent_record(&mut self, id: Id, protocol: &Protocol) {
        self.done_by_the_wrong_one |= ledger::done(&mut self.message, id, protocol);
    }

    fn settle(&mut self, id: Id) {
        self.settled = true;
        self.ended(id);
    }
}
