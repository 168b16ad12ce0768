//! Stories about Belay, told to the real programs over the real wire, and the rules that hold the code in shape.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::too_many_lines,
    reason = "a test that panics is a test that fails"
)]

mod a_release_is_guarded;
mod a_storm_of_faults;
mod an_old_event_comes_late;
mod approvals_say_what_would_change;
mod architecture;
mod cards;
mod compiled_programs;
mod deployments_are_explained;
mod every_rehearsal_comes_true;
mod failures_are_explained;
mod from_outside;
mod hooks_on_bad_days;
mod it_scales;
mod many_at_once;
mod other_accounts;
mod over_tls;
mod people_decide;
mod people_in_chat;
mod people_on_bad_days;
mod pipelines_are_guarded;
mod pipelines_ask;
mod protocol;
mod requests_that_are_not_slacks;
mod secrets_stay_secret;
mod slack_is_down;
mod stacks_drift;
mod stages_on_bad_days;
mod stages_that_fail;
mod teams_and_topic;
mod the_benchmark;
mod the_examples;
mod the_measures;
mod the_pipeline_adapter;
mod the_protocol_is_model_checked;
mod the_release_widget;
mod the_sweep;
mod the_template;
mod when_things_fail;
