//! Teams gets each message once as a card, whatever is wrong with it meanwhile; the topic gets all of them; and without
//! `chat` no chat product is called at all.

use belay_tests::{Fault, Service, TeamsFault, stage::functions};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    a_release_is_guarded::{Story, lambda},
    people_in_chat::TALKED,
    slack_is_down::cold,
};

async fn with_teams() -> Story {
    let story = Story::under(lambda(), TALKED).await;
    cold(&story, TALKED);
    let url = story.simulator.install_teams("a+b/c=&d");
    let secret = json!({
        "slack_bot_token": functions::BOT_TOKEN, "slack_signing_secret": functions::SIGNING_SECRET,
        "teams_webhook_url": url,
    });
    story.simulator.rotate_secret(functions::CHAT_SECRET, &secret.to_string());
    story
}

/// A bad release, from its beginning to after its end.
async fn taken_back(story: &Story) {
    story.release();
    story.minutes(2).await;
    story.red("orders-latency");
    story.minutes(1).await;
    story.red("orders-5xx");
    story.minutes(20).await;
    assert_eq!(story.stops().len(), 1);
    assert_eq!(story.simulator.dead_letters(), []);
    story.simulator.assert_all_modelled();
}

/// The first line of each card in Teams, sorted: a message may be overtaken by the one after it.
fn titles(story: &Story) -> Vec<String> {
    let cards = story.simulator.teams_cards().into_iter();
    let mut titles: Vec<String> = cards.map(|card| first_text(&card.content["body"])).collect();
    titles.sort();
    titles
}

fn first_text(body: &Value) -> String {
    let first = body.as_array().unwrap().iter().find_map(|part| {
        let inner = part["items"].as_array().map(|items| &items[0]["text"]);
        inner.unwrap_or(&part["text"]).as_str().map(str::to_owned)
    });
    first.unwrap_or_else(|| panic!("{body}"))
}

/// What was to be told, as the topic has it.
fn told(story: &Story) -> Vec<String> {
    let mut told = story.titles();
    told.sort();
    told
}

/// Each of the topic's messages is in Teams, this often.
fn has_each(story: &Story, twice: usize) {
    let (titles, told) = (titles(story), told(story));
    assert_eq!(titles.len(), told.len() + twice, "{titles:#?} {told:#?}");
    for title in &told {
        let words: String = title.chars().filter(|c| c.is_alphanumeric()).collect();
        let found = titles
            .iter()
            .filter(|card| card.chars().filter(|c| c.is_alphanumeric()).collect::<String>().contains(&words));
        assert!((1..=1 + twice).contains(&found.count()), "{title} in {titles:#?}");
    }
}

#[tokio::test]
async fn each_message_reaches_teams_once_as_a_card_with_links() {
    let story = with_teams().await;
    taken_back(&story).await;
    assert!(told(&story).len() >= 5, "{:?}", told(&story));
    has_each(&story, 0);
    for card in story.simulator.teams_cards() {
        assert_eq!(card.content["type"], json!("AdaptiveCard"));
        let actions = card.content.to_string();
        assert!(
            actions.contains("Action.OpenUrl") && actions.contains("console.aws.amazon.com"),
            "{actions}"
        );
    }
}

#[tokio::test]
async fn what_teams_does_not_take_is_sent_later_and_once() {
    for fault in [
        TeamsFault::RateLimited { retry_after_seconds: 30 },
        TeamsFault::ErrorInText,
        TeamsFault::ServerError,
        TeamsFault::Cut,
    ] {
        let story = with_teams().await;
        story.simulator.teams_fault(fault, 4);
        taken_back(&story).await;
        has_each(&story, 0);
        assert!(story.simulator.calls("webhook").len() >= told(&story).len() + 4, "{fault:?}");
    }
}

#[tokio::test]
async fn a_card_whose_receipt_is_lost_may_come_twice_and_is_not_lost() {
    let story = with_teams().await;
    story.simulator.teams_fault(TeamsFault::LostResponse, 1);
    taken_back(&story).await;
    has_each(&story, 1);
}

#[tokio::test]
async fn teams_is_not_forgotten_while_the_secret_cannot_be_read() {
    let story = with_teams().await;
    // Whether there is a Teams at all is not known then.
    story.simulator.fault("GetSecretValue", Fault::InternalError, 60);
    story.release();
    story.minutes(2).await;
    story.red("orders-5xx");
    story.minutes(1).await;
    assert_eq!((story.stops().len(), titles(&story)), (1, Vec::new()));
    story.minutes(1).await;
    story.simulator.clear_faults();
    story.minutes(10).await;
    has_each(&story, 0);
    assert_eq!(story.simulator.dead_letters(), []);
}

#[tokio::test]
async fn slack_that_is_down_keeps_nothing_from_teams() {
    let (good, story) = (with_teams().await, with_teams().await);
    story.simulator.slack_down(true);
    for story in [&good, &story] {
        taken_back(story).await;
        has_each(story, 0);
    }
    let moments = |story: &Story| -> Vec<Timestamp> {
        story.simulator.teams_cards().into_iter().map(|card| card.at).collect()
    };
    assert_eq!(moments(&story), moments(&good), "none comes later than it would have");
}

#[tokio::test]
async fn a_policy_without_chat_calls_no_chat_product() {
    let story = Story::of(lambda()).await;
    taken_back(&story).await;
    assert!(told(&story).len() >= 4, "{:?}", told(&story));
    let chatted = story
        .simulator
        .journal()
        .into_iter()
        .filter(|call| matches!(call.service, Service::Slack | Service::Teams | Service::SecretsManager));
    assert_eq!(chatted.map(|call| call.operation).collect::<Vec<_>>(), [] as [&str; 0]);
}
