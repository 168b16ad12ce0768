//! One undo, one message, never silence: in every order in which invocations, faults and clocks can meet.

use std::collections::BTreeSet;

use stateright::{Checker, HasDiscoveries, Model};

use crate::protocol::{
    AT_MOST_ONE_EFFECT, DONE_BY_ITS_OWNER, NEVER_SILENCE, Protocol, TOLD_ONCE, Timing, Undo,
    WRITTEN_BEFORE_DONE,
};

/// Tries every interleaving.
fn holds(name: &str, protocol: Protocol) {
    let checker = protocol.checker().threads(2).spawn_bfs().join();
    println!("{name}: {} states, {} deep", checker.unique_state_count(), checker.max_depth());
    checker.assert_properties();
}

/// Looks for the shortest way in which `property` fails.
fn breaks(property: &'static str, protocol: Protocol) {
    let until = HasDiscoveries::AllOf(BTreeSet::from([property]));
    let checker = protocol.checker().finish_when(until).spawn_bfs().join();
    let states = checker.unique_state_count();
    let path = checker.discovery(property).unwrap_or_else(|| panic!("{property}: held in {states} states"));
    println!("not \"{property}\", found after {states} states:");
    for action in path.into_actions() {
        println!("  {action:?}");
    }
}

/// The whole protocol, and so many faults as it takes to need what is then taken away from it.
fn with_faults(faults: u8) -> Protocol {
    Protocol { faults, ..Protocol::whole(Undo::Create) }
}

#[test]
fn a_redeployment_is_made_once_and_told() {
    holds("CreateDeployment", Protocol::whole(Undo::Create));
}

#[test]
fn three_at_once_make_one_redeployment_and_tell_it() {
    holds("three at once", Protocol { at_once: 3, sweeps: 0, ..with_faults(2) });
}

/// Stopping twice changes nothing, so that the SDK may repeat it.
#[test]
fn a_deployment_is_stopped_once_and_told_though_the_sdk_repeats_the_call() {
    holds("StopDeployment", Protocol { call_once: false, faults: 1, ..Protocol::whole(Undo::Stop) });
}

#[test]
fn who_takes_over_without_looking_does_it_again() {
    breaks(AT_MOST_ONE_EFFECT, Protocol { look_first: false, ..with_faults(1) });
}

#[test]
fn who_wakes_up_unfenced_does_it_again() {
    breaks(AT_MOST_ONE_EFFECT, Protocol { fence_the_effect: false, ..with_faults(0) });
}

#[test]
fn who_wakes_up_unfenced_tells_it_again() {
    breaks(TOLD_ONCE, Protocol { fence_the_message: false, ..with_faults(0) });
}

#[test]
fn a_claim_without_an_owner_is_finished_by_the_wrong_one() {
    breaks(DONE_BY_ITS_OWNER, Protocol { claims_have_owners: false, ..with_faults(0) });
    // And given back by the wrong one, so that a third one calls while the second one's call is under way.
    breaks(AT_MOST_ONE_EFFECT, Protocol { claims_have_owners: false, ..with_faults(0) });
}

#[test]
fn a_message_written_down_after_the_mark_is_lost() {
    breaks(WRITTEN_BEFORE_DONE, Protocol { write_before_done: false, ..with_faults(0) });
    breaks(NEVER_SILENCE, Protocol { write_before_done: false, ..with_faults(1) });
}

#[test]
fn two_who_put_without_a_condition_both_do_it() {
    breaks(AT_MOST_ONE_EFFECT, Protocol { conditional_put: false, ..with_faults(0) });
}

#[test]
fn a_redeployment_that_the_sdk_repeats_is_made_twice() {
    breaks(AT_MOST_ONE_EFFECT, Protocol { call_once: false, ..with_faults(1) });
}

#[test]
fn a_sweep_that_asks_only_the_alarms_leaves_silence() {
    breaks(NEVER_SILENCE, Protocol { sweep_reads_the_ledger: false, ..with_faults(1) });
}

#[test]
fn a_lease_of_the_fence_the_call_and_the_clocks_together_is_too_short() {
    let whole = with_faults(0);
    let Timing { fence, call, clocks_differ, .. } = whole.timing;
    let lease = fence + call + clocks_differ;
    assert!(lease < whole.timing.lease);
    breaks(AT_MOST_ONE_EFFECT, Protocol { timing: Timing { lease, ..whole.timing }, ..whole });
}
