//! What people decide while AWS does not answer: it is not overruled, not used up, and not given up in silence.

use std::time::Duration;

use belay::{
    approval::Choice,
    chat::draw,
    gather,
    message::OnCard,
    policy::Policy,
    release::{DeploymentGroup, Place},
};
use belay_tests::{Fault, Shifting, stage::functions};
use serde_json::Value;

use crate::{
    a_release_is_guarded::{Story, lambda},
    people_in_chat::{ANNA, BOB, TALKED, shown},
};

fn told(story: &Story, words: &str) -> usize {
    story.messages().iter().filter(|message| message["content"].to_string().contains(words)).count()
}

/// The deployments by which Belay takes something back.
fn undone(story: &Story) -> usize {
    let made = story.simulator.effects("CreateDeployment");
    made.iter().filter(|input| input["description"].to_string().contains("Belay undo/")).count()
}

/// A release that nobody has on watch any more.
async fn long_finished() -> Story {
    let story = Story::under(lambda(), TALKED).await;
    story.release();
    story.minutes(150).await;
    story
}

/// A release that runs, about which people have been asked for so many minutes.
async fn asked_for(minutes: u64) -> Story {
    let story = Story::under(lambda().shifting(Shifting::Canary { percent: 10, minutes: 90 }), TALKED).await;
    story.release();
    story.simulator.advance(Duration::from_secs(150)).await;
    story.red("orders-latency");
    story.minutes(minutes).await;
    story
}

fn who_wanted_it_is_not_told(story: &Story) {
    for operation in ["GetDeployment", "GetApplicationRevision"] {
        story.simulator.fault(operation, Fault::InternalError, 1_000);
    }
}

#[tokio::test]
async fn silence_does_not_overrule_an_answer_that_came_in_time_and_cannot_be_judged() {
    let story = asked_for(14).await;
    // So that nobody may let it go on.
    who_wanted_it_is_not_told(&story);
    story.press(BOB, "Keep").await;
    story.minutes(5).await;
    assert_eq!(story.stops(), Vec::<Value>::new());
    story.simulator.clear_faults();
    story.minutes(5).await;
    assert_eq!(story.stops(), Vec::<Value>::new());
    assert!(shown(&story.card()).contains("chose Keep"), "{}", shown(&story.card()));
    assert_eq!(story.whispers(BOB), Vec::<String>::new());
}

#[tokio::test]
async fn who_may_not_answer_is_told_so_whatever_else_is_not_known() {
    let story = asked_for(5).await;
    who_wanted_it_is_not_told(&story);
    story.press("U09CAROL", "Keep").await;
    story.simulator.advance(Duration::from_secs(10)).await;
    let whispers = story.whispers("U09CAROL");
    assert!(whispers.len() == 1 && whispers[0].contains("not among the approvers"), "{whispers:?}");
}

#[tokio::test]
async fn a_place_that_cannot_be_read_keeps_nobody_from_naming_a_release() {
    let policy = TALKED.replace(
        "[ { codedeploy: { application: orders, deployment_group: prod } } ]",
        "[ { codedeploy: { application: orders, deployment_group: prod } }, { codedeploy: { application: orders, deployment_group: gone } } ]",
    );
    let story = Story::under(lambda(), &policy).await;
    let id = story.release();
    story.minutes(2).await;
    let said = story.types(ANNA, "rollback orders").await;
    assert!(said.contains("orders/gone") && said.contains(&format!("rollback orders {id}")), "{said}");
    story.minutes(1).await;
    assert_eq!(story.stops(), Vec::<Value>::new());
    let said = story.types(ANNA, &format!("rollback orders {id}")).await;
    assert!(said.contains(&format!("Asked to roll back {id}")), "{said}");
    story.minutes(1).await;
    assert_eq!(story.stops().len(), 1);
}

#[tokio::test]
async fn a_question_can_be_answered_while_its_release_cannot_be_read() {
    let story = Story::under(lambda().shifting(Shifting::Canary { percent: 10, minutes: 90 }), TALKED).await;
    let id = story.release();
    story.simulator.advance(Duration::from_secs(150)).await;
    story.red("orders-latency");
    story.minutes(2).await;
    let policy = Policy::parse(&TALKED.replace("HEALTH", "http://127.0.0.1:1/")).unwrap();
    let guards = functions::guards(&story.simulator.endpoint(), policy, "chat-actions");
    let guard = guards.own();
    let group = DeploymentGroup { application: "orders".into(), group: "prod".into() };
    let on = OnCard { release: id.as_str().into(), service: "orders".into(), place: Place::Group(group) };
    let now = story.simulator.now();
    for unreadable in [false, true] {
        if unreadable {
            story.simulator.fault("GetDeployment", Fault::InternalError, 1_000);
        }
        let facts = gather::card::gather(&guard.adapters, &guard.policy, &on, now).await.unwrap();
        assert_eq!(facts.release.known().is_err(), unreadable);
        let (card, _) = draw::card(&facts, &guard.console);
        let choices: Vec<Choice> = card.offers.iter().flat_map(|offer| offer.choices.clone()).collect();
        assert!(choices.contains(&Choice::Keep) && choices.contains(&Choice::RollBack), "{choices:?}");
    }
}

#[tokio::test]
async fn a_press_is_not_used_up_while_somebody_else_is_at_it() {
    let story = long_finished().await;
    story.simulator.fault("CreateDeployment", Fault::InternalError, 1_000);
    story.press(ANNA, "Roll back").await;
    story.simulator.advance(Duration::from_secs(100)).await;
    assert_eq!(undone(&story), 0);
    assert_eq!(told(&story, "is undone already"), 0, "{:#?}", story.messages());
    story.simulator.clear_faults();
    story.minutes(4).await;
    assert_eq!(undone(&story), 1, "{:#?}", story.titles());
    assert!(told(&story, "taking back") + told(&story, "taken back") > 0, "{:#?}", story.titles());
}

#[tokio::test]
async fn what_a_person_wants_undone_is_tried_until_it_is() {
    let story = long_finished().await;
    story.simulator.fault("CreateDeployment", Fault::Throttle, 1_000);
    story.press(ANNA, "Roll back").await;
    story.minutes(25).await;
    assert_eq!(undone(&story), 0);
    // Everybody hears of it, and nobody hears that it is over.
    assert_eq!(told(&story, "goes on trying every minute"), 1, "{:#?}", story.messages());
    assert!(story.whispers(ANNA).iter().all(|text| !text.contains("will not do it")));
    story.simulator.clear_faults();
    story.minutes(3).await;
    assert_eq!(undone(&story), 1, "{:#?}", story.titles());
}
