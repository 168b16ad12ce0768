//! Slack is down, slow, full, or closed to Belay: no rollback waits for it, and no message is lost or comes twice.

use belay::policy::Policy;
use belay_tests::{
    AlarmState, Call, DeliverySettings, Invocation, Service, SlackChannel, SlackFault, SlackMessage,
    stage::functions::{self, invocation},
};
use jiff::Timestamp;
use lifecycle_hooks::Pace;
use serde_json::Value;

use crate::{
    a_release_is_guarded::{Story, lambda},
    people_in_chat::{ANNA, CHANNEL, TALKED, shown},
    secrets_stay_secret::Log,
};

/// Puts the functions in anew, so that every invocation is the first of its process: what a process remembers about a
/// chat product that does not answer, in real time, would last for the whole of a story here.
pub(crate) fn cold(story: &Story, policy: &str) {
    let simulator = &story.simulator;
    let health = format!("{}/health/orders", simulator.endpoint());
    let policy = Policy::parse(&policy.replace("HEALTH", &health)).unwrap();
    macro_rules! register {
        ($name:literal, |$guard:ident, $call:ident, $now:ident| $handled:expr) => {
            let policy = policy.clone();
            simulator.register($name, move |$call: Invocation| {
                let $guard = functions::guards(&$call.endpoint, policy.clone(), $name);
                Box::pin(async move {
                    let $now = invocation(&$call.id, $call.now);
                    let handled = $handled.await;
                    handled
                        .map(|answer| answer.to_string())
                        .map_err(|failure| format!("{}: {failure}", failure.kind))
                })
            });
        };
    }
    register!("alarm-transitions", |guard, call, now| alarm_transitions::handle(&guard, &call.payload, now));
    register!("pipeline-events", |guard, call, now| pipeline_events::handle(&guard, &call.payload, now));
    register!("sweep", |guard, call, now| sweep::handle(&guard, &call.payload, now));
    register!("chat-actions", |guard, call, now| chat_actions::handle(
        &guard,
        &call.payload,
        belay::start::Invocation { function: functions::CHAT_ACTIONS, ..now }
    ));
    register!("lifecycle-hooks", |guard, call, now| lifecycle_hooks::handle(
        guard.own(),
        &call.payload,
        || now,
        Pace { left: call.deadline, retry_every: std::time::Duration::from_millis(20) }
    ));
}

async fn talked() -> Story {
    let story = Story::under(lambda(), TALKED).await;
    cold(&story, TALKED);
    story
}

fn slack_calls(story: &Story) -> Vec<Call> {
    let journal = story.simulator.journal().into_iter();
    journal.filter(|call| call.service == Service::Slack).collect()
}

/// The moments of StopDeployment.
fn stopped_at(story: &Story) -> Vec<Timestamp> {
    story.simulator.calls("StopDeployment").into_iter().map(|call| call.at).collect()
}

fn cards(story: &Story) -> Vec<SlackMessage> {
    story.in_channel().into_iter().filter(|message| message.thread_ts.is_none()).collect()
}

/// The texts of what was said in threads, without pictures.
fn pings(story: &Story) -> Vec<String> {
    let messages = story.in_channel().into_iter();
    let mut pings: Vec<String> = messages
        .filter(|message| message.thread_ts.is_some() && message.files.is_empty())
        .map(|message| message.text)
        .collect();
    pings.sort();
    pings
}

fn pictures(story: &Story) -> usize {
    story.in_channel().iter().map(|message| message.files.len()).sum()
}

/// A bad release from its beginning to long after its end, with Slack as `weather` makes it at the beginning and,
/// ten minutes later, `then`.
async fn taken_back(weather: impl Fn(&Story), then: impl Fn(&Story)) -> Story {
    let story = talked().await;
    weather(&story);
    story.release();
    story.minutes(2).await;
    story.red("orders-latency");
    story.minutes(1).await;
    story.red("orders-5xx");
    story.minutes(7).await;
    then(&story);
    story.minutes(20).await;
    assert_eq!(story.simulator.dead_letters(), []);
    story.simulator.assert_all_modelled();
    story
}

/// The same with nothing wrong.
async fn in_good_weather() -> Story {
    taken_back(|_| {}, |_| {}).await
}

#[tokio::test]
async fn slack_is_down_for_ten_minutes_and_the_rollback_does_not_notice() {
    let good = in_good_weather().await;
    let down = taken_back(
        |story| story.simulator.slack_down(true),
        |story| {
            assert_eq!(story.in_channel(), [], "it was down");
            story.simulator.slack_down(false);
        },
    )
    .await;
    assert_eq!(stopped_at(&good).len(), 1);
    assert_eq!(stopped_at(&down), stopped_at(&good));
    assert_eq!(down.titles(), good.titles());
    assert_eq!(pings(&good).len(), 2, "{:?}", pings(&good));
    assert_eq!((pings(&down), pictures(&down)), (pings(&good), pictures(&good)));
    assert_eq!(pictures(&good), 2);
    assert_eq!(cards(&down).len(), 1);
    assert_eq!(shown(&down.card()), shown(&good.card()));
    // The channel sees of the undo what it would have seen.
    let broadcasts = |story: &Story| story.in_channel().iter().filter(|message| message.broadcast).count();
    assert_eq!(broadcasts(&down), broadcasts(&good));
}

#[tokio::test]
async fn a_process_that_found_slack_down_leaves_it_alone_and_comes_back() {
    // Not cold: one process, that remembers.
    let story = Story::under(lambda(), TALKED).await;
    story.simulator.slack_down(true);
    story.release();
    story.minutes(2).await;
    story.red("orders-5xx");
    story.minutes(8).await;
    assert_eq!(story.stops().len(), 1);
    assert!(slack_calls(&story).len() <= 3, "{}", slack_calls(&story).len());
    story.simulator.slack_down(false);
    // Its pause is five seconds of real time.
    tokio::time::sleep(std::time::Duration::from_millis(5_200)).await;
    story.minutes(3).await;
    assert_eq!((pings(&story).len(), pictures(&story)), (1, 1));
    assert!(shown(&story.card()).contains("was taken back by"), "{}", shown(&story.card()));
}

#[tokio::test]
async fn slack_wants_a_pause_again_and_again_and_everything_comes_once() {
    let good = in_good_weather().await;
    let story = talked().await;
    story.simulator.slack_enforces_rates(true);
    let (mut seen, mut refused) = (0, 0);
    let mut begin = |story: &Story| {
        // About every third call is refused.
        let calls = slack_calls(story).len();
        if calls >= seen + 2 {
            story.simulator.slack_fault("*", SlackFault::RateLimited { retry_after_seconds: 30 }, 1);
            (seen, refused) = (calls, refused + 1);
        }
    };
    story.simulator.slack_fault("*", SlackFault::RateLimited { retry_after_seconds: 30 }, 1);
    story.release();
    for second in 0..(30 * 60 / 5) {
        match second * 5 {
            120 => story.red("orders-latency"),
            180 => story.red("orders-5xx"),
            _ => {}
        }
        story.simulator.advance(std::time::Duration::from_secs(5)).await;
        begin(&story);
    }
    assert!(refused >= 5, "{refused}");
    story.minutes(5).await;
    assert_eq!(stopped_at(&story), stopped_at(&good));
    assert_eq!(story.titles(), good.titles());
    assert_eq!((pings(&story), pictures(&story)), (pings(&good), pictures(&good)));
    assert_eq!(shown(&story.card()), shown(&good.card()));
    assert_eq!(story.simulator.dead_letters(), []);
}

#[tokio::test]
async fn a_card_whose_receipt_is_lost_may_come_twice_and_not_three_times() {
    let story = taken_back(
        |story| story.simulator.slack_fault("chat.postMessage", SlackFault::LostResponse, 1),
        |_| {},
    )
    .await;
    let cards = cards(&story);
    assert_eq!(cards.len(), 2, "{cards:#?}");
    // The ledger knows the second, so that this one goes on, and everything is in its thread.
    assert_eq!(cards[0].edits, 0);
    assert!(cards[1].edits > 0 && shown(&cards[1]).contains("was taken back by"), "{}", shown(&cards[1]));
    let threads: Vec<Option<String>> =
        story.in_channel().into_iter().filter_map(|m| m.thread_ts.map(Some)).collect();
    assert!(!threads.is_empty() && threads.iter().all(|thread| thread.as_ref() == Some(&cards[1].ts)));
    assert_eq!((pings(&story).len(), pictures(&story)), (2, 2));
}

#[tokio::test]
async fn an_update_whose_receipt_is_lost_is_made_again() {
    let good = in_good_weather().await;
    let story = taken_back(
        |story| {
            story.simulator.slack_fault("chat.update", SlackFault::LostResponse, 1);
            story.simulator.slack_fault("chat.update", SlackFault::Cut, 2);
        },
        |_| {},
    )
    .await;
    assert_eq!(cards(&story).len(), 1);
    assert_eq!(shown(&story.card()), shown(&good.card()));
    assert_eq!((pings(&story), pictures(&story)), (pings(&good), pictures(&good)));
}

#[tokio::test]
async fn an_upload_that_fails_anywhere_is_made_again_and_shown_once() {
    for method in ["files.getUploadURLExternal", "upload", "files.completeUploadExternal"] {
        let story =
            taken_back(|story| story.simulator.slack_fault(method, SlackFault::ServerError, 2), |_| {}).await;
        assert_eq!((pings(&story).len(), pictures(&story)), (2, 2), "{method}");
    }
}

#[tokio::test]
async fn a_channel_that_the_bot_is_not_in_is_tried_once_a_minute_and_somebody_is_told_how_to_help() {
    let (log, _listening) = Log::begin();
    let good = in_good_weather().await;
    let story = talked().await;
    story.simulator.slack_channel(CHANNEL, SlackChannel::NotJoined);
    story.release();
    story.minutes(2).await;
    story.red("orders-latency");
    story.minutes(1).await;
    story.red("orders-5xx");
    story.minutes(7).await;
    let begun = slack_calls(&story).len();
    assert!(begun <= 30, "{begun} calls for eight events and ten minutes");
    story.minutes(60).await;
    let calls = slack_calls(&story).len() - begun;
    assert!((55..=61).contains(&calls), "{calls} calls in an hour");
    assert_eq!(stopped_at(&story), stopped_at(&good));
    assert_eq!(story.titles(), good.titles());
    log.says(&["not_in_channel", "Invite the bot into the channel: /invite @Belay."]);
    // Somebody does so: what was owed comes.
    story.simulator.slack_channel(CHANNEL, SlackChannel::Joined);
    story.minutes(3).await;
    assert_eq!((pings(&story), pictures(&story)), (pings(&good), pictures(&good)));
    assert_eq!(shown(&story.card()), shown(&good.card()));
    assert_eq!(story.simulator.dead_letters(), []);
}

#[tokio::test]
async fn every_event_comes_three_times_and_there_is_one_card_and_one_ping_each() {
    let good = in_good_weather().await;
    let twice = |shuffle| DeliverySettings { duplicates: 2, shuffle, seed: 7, ..DeliverySettings::default() };
    for shuffle in [false, true] {
        let story = taken_back(|story| story.simulator.set_delivery(twice(shuffle)), |_| {}).await;
        assert_eq!(cards(&story).len(), 1);
        assert_eq!((pings(&story), pictures(&story)), (pings(&good), pictures(&good)));
        assert_eq!(stopped_at(&story), stopped_at(&good));
        assert_eq!(shown(&story.card()), shown(&good.card()));
    }
}

#[tokio::test]
async fn a_press_while_slack_is_down_counts_all_the_same() {
    let story = talked().await;
    story.release();
    story.minutes(2).await;
    story.red("orders-latency");
    story.minutes(2).await;
    story.simulator.slack_down(true);
    story.press(ANNA, "Roll back").await;
    story.simulator.deliver_due().await;
    assert_eq!(story.stops().len(), 1);
    story.minutes(5).await;
    story.simulator.slack_down(false);
    story.minutes(2).await;
    assert!(shown(&story.card()).contains("<@U02ANNA>"), "{}", shown(&story.card()));
    story.simulator.set_alarm_state("orders-latency", AlarmState::Ok, story.simulator.now());
    story.minutes(2).await;
    assert_eq!(story.stops(), vec![story.stops()[0].clone()] as Vec<Value>);
}
