//! The protocol by which one release is undone exactly once, as a model whose every interleaving can be tried.
//!
//! The model is the protocol, not the code: shared/src/carry_out.rs and shared/src/aws/ledger.rs are held to the
//! same promises by when_things_fail.rs, one fault at a time. Here all faults meet, at all moments.

use stateright::{Model, Property};

use self::{
    invocation::{Invocation, Kind, Step},
    world::{Call, Id, World},
};

pub(crate) mod invocation;
pub(crate) mod ledger;
pub(crate) mod world;

/// Times in ticks of five seconds: all that the protocol's numbers and the clocks' difference are multiples of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timing {
    /// How long a claim protects its holder: `LEASE` in shared/src/ledger.rs.
    pub(crate) lease: i8,
    /// Up to which age an invocation begins its call.
    pub(crate) fence: i8,
    /// How long a call is under way at most.
    pub(crate) call: i8,
    /// By how much two wall clocks differ at most.
    pub(crate) clocks_differ: i8,
}

const fn seconds(seconds: i8) -> i8 {
    seconds / 5
}

/// For how long an invocation can be frozen, at all its steps together: longer than the 30 seconds after which Lambda
/// ends it, and long enough to wake up after somebody took over and acted.
const LIFETIME: i8 = seconds(40);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Undo {
    /// CreateDeployment: each call that arrives makes one. That it is refused while one of the group runs protects
    /// nobody: the first one may be over by then. So here a refusal is a fault like others, and may come or not.
    Create,
    /// StopDeployment: the second one changes nothing.
    Stop,
}

/// The protocol, with every safeguard in place or not, and how much may go on and go wrong.
#[allow(clippy::struct_excessive_bools, reason = "each is one safeguard that a test takes away")]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Protocol {
    pub(crate) undo: Undo,
    pub(crate) timing: Timing,
    pub(crate) conditional_put: bool,
    pub(crate) claims_have_owners: bool,
    pub(crate) look_first: bool,
    pub(crate) fence_the_effect: bool,
    pub(crate) fence_the_message: bool,
    pub(crate) write_before_done: bool,
    /// CreateDeployment is sent once; the SDK's own retries are switched off for it.
    pub(crate) call_once: bool,
    /// A sweep goes on with what the ledger says is not finished, whatever the alarms are by now.
    pub(crate) sweep_reads_the_ledger: bool,
    /// Deaths, lost answers, refusals and failures, all told.
    pub(crate) faults: u8,
    pub(crate) deliveries: u8,
    pub(crate) sweeps: u8,
    pub(crate) at_once: usize,
}

impl Protocol {
    pub(crate) fn whole(undo: Undo) -> Self {
        Self {
            undo,
            timing: Timing {
                lease: seconds(40),
                fence: seconds(20),
                call: seconds(10),
                clocks_differ: seconds(5),
            },
            conditional_put: true,
            claims_have_owners: true,
            look_first: true,
            fence_the_effect: true,
            fence_the_message: true,
            write_before_done: true,
            call_once: true,
            sweep_reads_the_ledger: true,
            faults: 2,
            deliveries: 3,
            sweeps: 1,
            at_once: 2,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Five seconds pass.
    Tick,
    Begin(Kind),
    Step(Id),
    /// The same, of an invocation whose clock is ahead of the claimant's.
    StepAhead(Id),
    /// It is killed, or a call to the ledger keeps failing: it is delivered again.
    Kill(Id),
    /// The ledger took the write, and its answer was lost: the SDK repeats the call.
    LedgerAnswerLost(Id),
    Arrives(usize),
    /// It arrived, and its answer was lost.
    ArrivesAnswerLost(usize),
    Vanishes(usize),
    RefusedForCertain(usize),
}

impl Model for Protocol {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![World::new(self)]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        let may_fail = world.faults > 0;
        let somebody_waits =
            !world.invocations.is_empty() || !world.flights.is_empty() || world.undo.is_some();
        let nobody_is_due = world.flights.iter().all(|flight| flight.left > 0)
            && world.invocations.iter().all(|invocation| invocation.age < LIFETIME);
        if somebody_waits && nobody_is_due {
            actions.push(Action::Tick);
        }
        if world.invocations.len() < self.at_once {
            if world.deliveries > 0 && !world.settled {
                actions.push(Action::Begin(Kind::Alarm { last_delivery: world.deliveries == 1 }));
            }
            if world.sweeps > 0 {
                actions.push(Action::Begin(Kind::Sweep));
            }
        }
        for (id, invocation) in world.invocations.iter().enumerate() {
            if !matches!(invocation.step, Step::AwaitDeployer | Step::AwaitTopic) {
                actions.push(Action::Step(id));
                if world.turns_on_the_clock(*invocation, self.timing.clocks_differ) {
                    actions.push(Action::StepAhead(id));
                }
            }
            if may_fail {
                actions.push(Action::Kill(id));
                if matches!(
                    invocation.step,
                    Step::Read
                        | Step::ClaimUndo
                        | Step::WriteMessage
                        | Step::MarkUndone
                        | Step::TakeOwed
                        | Step::MarkSent
                ) {
                    actions.push(Action::LedgerAnswerLost(id));
                }
            }
        }
        for (place, flight) in world.flights.iter().enumerate() {
            actions.push(Action::Arrives(place));
            if flight.caller.is_none() {
                actions.push(Action::Vanishes(place));
            } else if may_fail {
                actions.extend([Action::ArrivesAnswerLost(place), Action::Vanishes(place)]);
                if flight.call == Call::Undo {
                    actions.push(Action::RefusedForCertain(place));
                }
            }
        }
    }

    fn next_state(&self, before: &World, action: Action) -> Option<World> {
        let mut world = before.clone();
        match action {
            Action::Tick => world.tick(),
            Action::Begin(kind) => {
                match kind {
                    Kind::Alarm { .. } => world.deliveries -= 1,
                    Kind::Sweep => world.sweeps -= 1,
                }
                world.invocations.push(Invocation::begin(kind));
            }
            Action::Step(id) => world.step(id, 0, self),
            Action::StepAhead(id) => world.step(id, self.timing.clocks_differ, self),
            Action::Kill(id) => {
                world.fault();
                world.kill(id);
            }
            Action::LedgerAnswerLost(id) => {
                world.fault();
                world.ledger_answer_lost(id, self);
            }
            Action::Arrives(place) => world.arrives(place, self),
            Action::ArrivesAnswerLost(place) => {
                world.fault();
                let flight = world.flights.remove(place);
                world.arrive(flight.call, self);
                world.excused |= flight.call == Call::Publish;
                world.no_answer(flight, self);
            }
            Action::Vanishes(place) => {
                let flight = world.flights.remove(place);
                if flight.caller.is_some() {
                    world.fault();
                }
                world.no_answer(flight, self);
            }
            Action::RefusedForCertain(place) => {
                world.fault();
                if let Some(id) = world.flights.remove(place).caller {
                    world.refused(id, self);
                }
            }
        }
        world.in_order();
        Some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(AT_MOST_ONE_EFFECT, |_, world: &World| world.deployer.effects <= 1),
            Property::always(WRITTEN_BEFORE_DONE, |_, world: &World| {
                !ledger::over(&world.undo) || world.message.is_some()
            }),
            Property::always(DONE_BY_ITS_OWNER, |_, world: &World| !world.done_by_the_wrong_one),
            Property::always(TOLD_ONCE, |_, world: &World| world.published <= 1 || world.excused),
            Property::always(NEVER_SILENCE, |protocol: &Self, world: &World| {
                world.after_one_clean_sweep(protocol).undone_and_told()
            }),
            Property::always(SETTLED_WHEN_TOLD, |_, world: &World| !world.settled || world.undone_and_told()),
            Property::always(ASKED_AT_THE_END, |protocol: &Self, world: &World| {
                // Slow and frozen as they may be, if nothing failed. If something did, the next sweep sees to it.
                !world.nothing_more_can_happen()
                    || world.faults < protocol.faults
                    || world.undone_and_told()
                    || world.asked
            }),
            Property::sometimes("a claim is taken over", |_, world: &World| world.anyone_at(Step::Look)),
            Property::sometimes("a slow claimant is fenced off", |_, world: &World| {
                world.anyone_at(Step::FencedOff)
            }),
            Property::sometimes("a message is sent by another than its writer", |_, world: &World| {
                world.invocations.iter().any(|invocation| {
                    invocation.step == Step::MarkSent
                        && invocation.message == Some(ledger::Claimed::TakenOver)
                })
            }),
            Property::sometimes("a person is asked", |_, world: &World| world.asked),
        ]
    }
}

pub(crate) const AT_MOST_ONE_EFFECT: &str = "at most one undo reaches the deployer";
pub(crate) const WRITTEN_BEFORE_DONE: &str = "what is done has its message written down";
pub(crate) const DONE_BY_ITS_OWNER: &str = "only its owner marks a claim done";
pub(crate) const TOLD_ONCE: &str = "success is told once, unless nobody could know that it was";
pub(crate) const NEVER_SILENCE: &str = "whatever happened, the next clean sweep undoes and tells";
pub(crate) const ASKED_AT_THE_END: &str = "in the end it is undone and told, or a person is asked";
pub(crate) const SETTLED_WHEN_TOLD: &str = "a signal is settled only when it is undone and told";
