//! Teams' webhook: which cards it takes, and how it goes wrong.

use serde_json::{Value, json};

use super::chats::{Answer, post};
use super::thursday;
use crate::{ChatAct, Simulator, TeamsFault, What};

const SIG: &str = "a+secret/sig=";

fn sample() -> Value {
    serde_json::from_str(include_str!("samples/teams-adaptive-card.json")).unwrap()
}

async fn send(url: &str, body: &Value) -> Option<Answer> {
    post(url, &[("content-type", "application/json")], body.to_string().as_bytes()).await
}

#[tokio::test]
async fn a_card_is_taken_or_refused() {
    let simulator = Simulator::start(thursday()).await;
    let url = simulator.install_teams(SIG);
    assert_eq!(send(&url, &sample()).await.unwrap().status, 202);
    let cards = simulator.teams_cards();
    assert_eq!((cards.len(), cards[0].at), (1, thursday()));
    assert_eq!(cards[0].content, sample()["attachments"][0]["content"]);
    let with = |change: &dyn Fn(&mut Value)| {
        let mut body = sample();
        change(&mut body["attachments"][0]);
        body
    };
    let action = |kind: &'static str| {
        with(&move |card| {
            card["content"]["actions"][0] = json!({ "type": kind, "title": "Roll back", "data": {} });
        })
    };
    let hidden = with(&|card| {
        let show = json!({ "type": "Action.ShowCard", "title": "Why", "card": {
            "type": "AdaptiveCard", "body": [], "actions": [{ "type": "Action.Execute", "title": "Go" }],
        } });
        card["content"]["actions"] = json!([show]);
    });
    for (body, why) in [
        (json!({}), "type is not message"),
        (json!({ "type": "message" }), "no attachments"),
        (with(&|card| card["contentType"] = json!("text/plain")), "no Adaptive Card"),
        (with(&|card| card["content"]["type"] = json!("MessageCard")), "no AdaptiveCard"),
        (with(&|card| card["content"]["version"] = json!("1.6")), "1.6"),
        (with(&|card| card["content"]["version"] = json!(1.4)), "version"),
        (with(&|card| card["content"]["body"] = Value::Null), "no body"),
        (with(&|card| card["content"]["body"][0]["text"] = json!("")), "TextBlock"),
        (with(&|card| card["content"]["body"][1]["facts"][0]["value"] = json!(1)), "FactSet"),
        (with(&|card| card["content"]["body"][0]["type"] = json!("Marquee")), "Marquee"),
        (action("Action.Submit"), "Action.Submit does nothing"),
        (action("Action.OpenUrl"), "needs url"),
        (hidden, "Action.Execute does nothing"),
    ] {
        let answer = send(&url, &body).await.unwrap();
        assert_eq!(answer.status, 400, "{body}");
        assert!(answer.body.contains(why), "{why:?} {:?}", answer.body);
    }
    let long =
        |length: usize| with(&move |card| card["content"]["body"][2]["text"] = json!("x".repeat(length)));
    let room = 28 * 1024 - long(0).to_string().len();
    assert_eq!(send(&url, &long(room)).await.unwrap().status, 202);
    assert_eq!(send(&url, &long(room + 1)).await.unwrap().status, 413);
    let (address, _) = url.split_once("&sig=").unwrap();
    assert_eq!(send(address, &sample()).await.unwrap().status, 401);
    assert_eq!(send(&format!("{address}&sig=other"), &sample()).await.unwrap().status, 401);
    assert_eq!(simulator.teams_cards().len(), 2);
    let told = simulator.timeline().into_iter().filter_map(|one| match one.what {
        What::Chat { act, text, .. } => Some((act, text)),
        _ => None,
    });
    assert_eq!(told.collect::<Vec<_>>()[0], (ChatAct::Posted, "Release stopped".to_owned()));
    let all = format!("{:?}", simulator.timeline());
    assert!(!all.contains(SIG) && !all.contains("a%2Bsecret"), "the signature is a secret");
    assert_eq!(simulator.effects("webhook").len(), 2);
}

#[tokio::test]
async fn posts_go_wrong_as_asked() {
    let simulator = Simulator::start(thursday()).await;
    let url = simulator.install_teams(SIG);
    simulator.teams_fault(TeamsFault::RateLimited { retry_after_seconds: 9 }, 1);
    simulator.teams_fault(TeamsFault::ServerError, 1);
    simulator.teams_fault(TeamsFault::ErrorInText, 1);
    simulator.teams_fault(TeamsFault::Cut, 1);
    simulator.teams_fault(TeamsFault::LostResponse, 1);
    let limited = send(&url, &sample()).await.unwrap();
    assert_eq!(limited.status, 429);
    assert!(limited.head.contains("retry-after: 9"), "{}", limited.head);
    assert_eq!(send(&url, &sample()).await.unwrap().status, 503);
    let text = send(&url, &sample()).await.unwrap();
    assert!(text.status == 200 && text.body.contains("HTTP error 429"), "{text:?}");
    assert!(send(&url, &sample()).await.is_none());
    assert!(simulator.teams_cards().is_empty());
    assert!(send(&url, &sample()).await.is_none());
    assert_eq!(simulator.teams_cards().len(), 1);
    assert_eq!(send(&url, &sample()).await.unwrap().status, 202);
}
