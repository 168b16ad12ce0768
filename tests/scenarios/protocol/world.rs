//! Everything there is: the ledger's two records, the deployer, who runs, and what is under way between them.

use super::{
    LIFETIME, Protocol, Undo,
    invocation::{Invocation, Kind, Step},
    ledger::{self, Slot},
};

/// Which of the invocations that are running: its place among them.
pub(crate) type Id = usize;

/// The deployer, as far as this release is concerned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Deployer {
    /// How many undo effects reached it and changed something.
    pub(crate) effects: u8,
}

impl Deployer {
    /// A deployment is listed whose description carries `undo/<release>`, or the deployment is Stopped.
    pub(crate) fn undone(self) -> bool {
        self.effects > 0
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Call {
    Undo,
    Publish,
}

/// A call under way. It outlives its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Flight {
    pub(crate) call: Call,
    pub(crate) left: i8,
    pub(crate) caller: Option<Id>,
}

#[allow(clippy::struct_excessive_bools, reason = "each is a fact that a property is about")]
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct World {
    /// The ledger's `effect/undo`.
    pub(crate) undo: Slot,
    /// The ledger's `message/undo/<release>`.
    pub(crate) message: Slot,
    pub(crate) settled: bool,
    pub(crate) deployer: Deployer,
    pub(crate) invocations: Vec<Invocation>,
    pub(crate) flights: Vec<Flight>,
    pub(crate) deliveries: u8,
    pub(crate) sweeps: u8,
    pub(crate) faults: u8,
    /// How often the message of success was published.
    pub(crate) published: u8,
    /// A person was told, loudly, that it is not known how this ends.
    pub(crate) asked: bool,
    /// It was published, and nobody could know: an answer was lost, or the publisher died or froze before the mark.
    pub(crate) excused: bool,
    pub(crate) done_by_the_wrong_one: bool,
}

impl World {
    pub(crate) fn new(protocol: &Protocol) -> Self {
        Self {
            undo: None,
            message: None,
            settled: false,
            deployer: Deployer::default(),
            invocations: Vec::new(),
            flights: Vec::new(),
            deliveries: protocol.deliveries,
            sweeps: protocol.sweeps,
            faults: protocol.faults,
            published: 0,
            asked: false,
            excused: false,
            done_by_the_wrong_one: false,
        }
    }

    pub(crate) fn owes_message(&self) -> bool {
        self.message.is_some() && !ledger::over(&self.message)
    }

    pub(crate) fn undone_and_told(&self) -> bool {
        self.deployer.undone() && self.published > 0
    }

    pub(crate) fn anyone_at(&self, step: Step) -> bool {
        self.invocations.iter().any(|invocation| invocation.step == step)
    }

    /// Whoever ended is nobody's owner and nobody's caller any more; those after it move up.
    pub(crate) fn ended(&mut self, id: Id) {
        self.invocations.remove(id);
        let moved = |place: &mut Option<Id>| {
            *place = place.filter(|other| *other != id).map(|other| other - usize::from(other > id));
        };
        for slot in [&mut self.undo, &mut self.message].into_iter().flatten() {
            moved(&mut slot.owner);
        }
        for flight in &mut self.flights {
            moved(&mut flight.caller);
        }
    }

    pub(crate) fn kill(&mut self, id: Id) {
        let publishing = matches!(self.invocations[id].step, Step::AwaitTopic | Step::MarkSent);
        self.excused |= publishing;
        self.ended(id);
    }

    pub(crate) fn tick(&mut self) {
        for invocation in &mut self.invocations {
            invocation.age += 1;
        }
        for flight in &mut self.flights {
            flight.left -= 1;
        }
        for slot in [&mut self.undo, &mut self.message] {
            ledger::tick(slot, -LIFETIME);
        }
    }

    pub(crate) fn arrive(&mut self, call: Call, protocol: &Protocol) {
        match (call, protocol.undo) {
            (Call::Publish, _) if self.excused => self.published = 1,
            (Call::Publish, _) => self.published += 1,
            (Call::Undo, Undo::Create) => self.deployer.effects += 1,
            // The second one is answered that the deployment had ended: whoever looks sees that it was stopped.
            (Call::Undo, Undo::Stop) => self.deployer.effects = 1,
        }
    }

    pub(crate) fn arrives(&mut self, place: usize, protocol: &Protocol) {
        let Flight { call, caller, .. } = self.flights.remove(place);
        self.arrive(call, protocol);
        match (caller, call) {
            (None, _) => {}
            (Some(id), Call::Undo) => self.after_effect(id, protocol),
            (Some(id), Call::Publish) => self.published(id),
        }
    }

    /// It may have happened and may not: an effect's claim is kept until its lease ends.
    pub(crate) fn no_answer(&mut self, flight: Flight, protocol: &Protocol) {
        match (flight.caller, flight.call) {
            (None, _) => {}
            (Some(_), Call::Undo) if !protocol.call_once => {
                self.flights.push(Flight { left: protocol.timing.call, ..flight });
            }
            (Some(id), Call::Undo) => self.fail(id),
            (Some(id), Call::Publish) => self.not_published(id, protocol),
        }
    }

    /// The records change and the caller does not know: it repeats the call, with the same name and beginning.
    pub(crate) fn ledger_answer_lost(&mut self, id: Id, protocol: &Protocol) {
        let Invocation { step, message, .. } = self.invocations[id];
        if step == Step::MarkSent {
            self.excused = true;
            return self.mark_sent_record(id, protocol);
        }
        let mut written = self.clone();
        written.step(id, 0, protocol);
        // An answer upon which it would have ended was no write: it changed nothing.
        if written.invocations.len() == self.invocations.len() {
            let repeats = match (step, written.invocations[id].message) {
                (Step::Read, Some(_)) => Step::TakeOwed,
                (Step::Read, None) => Step::ClaimUndo,
                (_, _) => step,
            };
            *self = written;
            self.invocations[id].step = repeats;
            self.invocations[id].message = message;
        }
    }

    /// Whether a lease has run out only for a clock that is ahead.
    pub(crate) fn turns_on_the_clock(&self, invocation: Invocation, ahead: i8) -> bool {
        matches!(invocation.step, Step::Read | Step::ClaimUndo | Step::WriteMessage | Step::TakeOwed)
            && [self.undo, self.message].iter().any(|slot| {
                ledger::lease_ran_out(slot, invocation.now(ahead))
                    && !ledger::lease_ran_out(slot, invocation.now(0))
            })
    }

    pub(crate) fn fault(&mut self) {
        self.faults = self.faults.saturating_sub(1);
    }

    /// One order of those that run, so that worlds that differ in nothing else are one.
    pub(crate) fn in_order(&mut self) {
        let mut order: Vec<Id> = (0..self.invocations.len()).collect();
        let owns = |slot: Slot, id| slot.is_some_and(|held| held.owner == Some(id));
        order.sort_by_key(|&id| (self.invocations[id], owns(self.undo, id), owns(self.message, id)));
        let place = |id: Id| order.iter().position(|&other| other == id);
        for slot in [&mut self.undo, &mut self.message].into_iter().flatten() {
            slot.owner = slot.owner.and_then(place);
        }
        for flight in &mut self.flights {
            flight.caller = flight.caller.and_then(place);
        }
        self.invocations = order.iter().map(|&id| self.invocations[id]).collect();
        self.flights.sort_unstable();
    }

    /// What remains to hope for: everybody who runs dies, what is under way vanishes, all leases end, and then one
    /// sweep comes that nothing befalls.
    pub(crate) fn after_one_clean_sweep(&self, protocol: &Protocol) -> Self {
        let mut world = self.clone();
        world.flights.clear();
        while !world.invocations.is_empty() {
            world.ended(0);
        }
        for slot in [&mut world.undo, &mut world.message] {
            ledger::end_lease(slot, -LIFETIME);
        }
        world.invocations.push(Invocation::begin(Kind::Sweep));
        while !world.invocations.is_empty() {
            if world.flights.is_empty() {
                world.step(0, 0, protocol);
            } else {
                world.arrives(0, protocol);
            }
        }
        world
    }

    /// Nobody runs, nothing is under way, and no signal will come.
    pub(crate) fn nothing_more_can_happen(&self) -> bool {
        self.invocations.is_empty()
            && self.flights.is_empty()
            && self.sweeps == 0
            && (self.settled || self.deliveries == 0)
    }
}
