//! Microsoft Teams: the body that a Workflows webhook is posted, with an Adaptive Card (reference: "Microsoft Teams").
//!
//! Nobody can answer such a card: without a bot behind it `Action.Submit` and `Action.Execute` do nothing, so all its
//! actions open addresses.

use serde_json::{Value, json};

use super::text::{cut, line, teams_escape};
use crate::{
    decision::Urgency,
    message::{Link, Message},
};

/// The longest body, in bytes of JSON. Teams documents 28 KB; one client measured 21.
const LONGEST: usize = 20_000;
/// How many links are shown.
const LINKS: usize = 6;
/// The longest address; a longer one is left out, since a cut one leads elsewhere.
const URL: usize = 1_000;
/// How many texts of a kind and how many characters of each are tried, until the body is short enough. The last
/// always is: a unit takes four bytes of JSON at most, which is what an escaped backslash takes.
const TRIED: [(usize, usize); 5] = [(30, 2_000), (20, 800), (12, 300), (8, 150), (5, 60)];

const CANNOT_ANSWER: &str =
    "Teams cannot take an answer. Answer in the AWS console, by the links below, or in Slack.";

/// A message.
pub fn message(message: &Message) -> Value {
    let mut body = Value::Null;
    for (most, limit) in TRIED {
        body = fitted(message, most, limit);
        if body.to_string().len() < LONGEST {
            break;
        }
    }
    body
}

/// The message with at most `most` texts of a kind, each of `limit` units.
fn fitted(message: &Message, most: usize, limit: usize) -> Value {
    let color = match message.urgency {
        Urgency::Loud => "Attention",
        Urgency::Calm => "Default",
    };
    let mut body = vec![json!({
        "type": "TextBlock",
        "size": "Large",
        "weight": "Bolder",
        "wrap": true,
        "color": color,
        "text": outside(&message.title, limit),
    })];
    body.extend(listed(&message.reasons, most, limit));
    let names = [("Service", &message.service), ("Release", &message.release)];
    let mut facts: Vec<Value> = names
        .into_iter()
        .filter_map(|(title, value)| {
            Some(json!({ "title": title, "value": outside(value.as_ref()?, limit) }))
        })
        .collect();
    if let Some(who) = &message.who {
        facts.push(json!({ "title": "Who answered", "value": outside(who, limit) }));
    }
    facts.push(json!({ "title": "When", "value": format!("{:.0}", message.at) }));
    body.push(json!({ "type": "FactSet", "facts": facts }));
    body.push(block("What Belay did", "Bolder"));
    body.push(block(&outside(&message.did, limit), "Default"));
    if !message.next_steps.is_empty() {
        body.push(block("What to do now", "Bolder"));
        body.extend(listed(&message.next_steps, most, limit));
    }
    if message.asks {
        body.push(block(CANNOT_ANSWER, "Default"));
    }
    let actions: Vec<Value> = message.links.iter().filter_map(action).take(LINKS).collect();
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "body": body,
                "actions": actions,
                "msteams": { "width": "Full" },
            },
        }],
    })
}

/// Text from outside: one line, at most `limit` long, its Markdown escaped; a dash for nothing.
fn outside(text: &str, limit: usize) -> String {
    let shown = teams_escape(&cut(&line(text), limit));
    if shown.is_empty() { "–".to_owned() } else { shown }
}

fn block(text: &str, weight: &str) -> Value {
    json!({ "type": "TextBlock", "wrap": true, "weight": weight, "text": text })
}

/// One block a text: a list of Markdown would be one block, and lose its lines in some clients.
fn listed(texts: &[String], most: usize, limit: usize) -> Vec<Value> {
    let mut blocks: Vec<Value> = texts
        .iter()
        .take(most)
        .map(|text| block(&format!("• {}", outside(text, limit)), "Default"))
        .collect();
    if let Some(rest) = texts.len().checked_sub(most).filter(|rest| *rest > 0) {
        blocks.push(block(&format!("… and {rest} more"), "Default"));
    }
    blocks
}

/// A link as a button, if its address is one that we would send anybody to. Its label is no Markdown.
fn action(link: &Link) -> Option<Value> {
    let graphic = link.url.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\'));
    let right = link.url.starts_with("https://") && graphic && link.url.len() <= URL;
    let label = cut(&line(&link.label), 60);
    let title = if label.is_empty() { "Open".to_owned() } else { label };
    right.then(|| json!({ "type": "Action.OpenUrl", "title": title, "url": link.url }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn told() -> Message {
        Message {
            thread: "d-1".to_owned(),
            urgency: Urgency::Loud,
            title: "orders: d-1 is taken back".to_owned(),
            at: "2026-03-05T14:05:41Z".parse().unwrap(),
            reasons: vec!["orders_5xx is in ALARM.".to_owned(), "[x](https://evil) *b*".to_owned()],
            did: "Stopped d-1.".to_owned(),
            next_steps: vec!["Look at the logs.".to_owned()],
            links: vec![Link {
                label: "Deployment d-1".to_owned(),
                url: "https://example.com/?a=1&b=2".to_owned(),
            }],
            service: Some("orders".to_owned()),
            release: None,
            asks: true,
            who: None,
            slack: None,
            graph: None,
        }
    }

    fn content(message: &Message) -> Value {
        super::message(message)["attachments"][0]["content"].clone()
    }

    fn texts(message: &Message) -> Vec<String> {
        let content = content(message);
        let blocks = content["body"].as_array().unwrap();
        blocks.iter().filter_map(|block| block["text"].as_str().map(str::to_owned)).collect()
    }

    #[test]
    fn the_envelope_is_that_of_the_sample() {
        let sample: Value =
            serde_json::from_str(include_str!("../../../tests/fixtures/teams/teams-adaptive-card.json"))
                .unwrap();
        let body = message(&told());
        for pointer in [
            "/type",
            "/attachments/0/contentType",
            "/attachments/0/contentUrl",
            "/attachments/0/content/$schema",
            "/attachments/0/content/type",
            "/attachments/0/content/version",
            "/attachments/0/content/msteams",
            "/attachments/0/content/body/0/color",
            "/attachments/0/content/actions/0/type",
        ] {
            assert_eq!(body.pointer(pointer), Some(sample.pointer(pointer).unwrap()), "{pointer}");
        }
    }

    #[test]
    fn a_message_says_all_it_has() {
        assert_eq!(
            texts(&told()),
            [
                "orders: d-1 is taken back",
                r"• orders\_5xx is in ALARM.",
                r"• \[x\]\(https://evil\) \*b\*",
                "What Belay did",
                "Stopped d-1.",
                "What to do now",
                "• Look at the logs.",
                CANNOT_ANSWER,
            ]
        );
        let content = content(&told());
        let facts = &content["body"][3]["facts"];
        let service = json!({"title": "Service", "value": "orders"});
        assert_eq!(*facts, json!([service, {"title": "When", "value": "2026-03-05T14:05:41Z"}]));
        let open = json!({"type": "Action.OpenUrl", "title": "Deployment d-1", "url": "https://example.com/?a=1&b=2"});
        assert_eq!(content["actions"], json!([open]));
    }

    #[test]
    fn who_has_nothing_to_do_is_not_sent_elsewhere() {
        let calm = Message { urgency: Urgency::Calm, next_steps: Vec::new(), asks: false, ..told() };
        assert!(!texts(&calm).iter().any(|text| text == CANNOT_ANSWER || text == "What to do now"));
        assert_eq!(content(&calm)["body"][0]["color"], "Default");
    }

    #[test]
    fn a_link_leads_where_we_meant_or_is_left_out() {
        let link = |url: &str| Link { label: "x".to_owned(), url: url.to_owned() };
        let long = format!("https://{}", "x".repeat(URL));
        let odd =
            ["http://x", "javascript:x", "https://x y", "https://ä", "https://\"", long.as_str()].map(link);
        let mut links = odd.to_vec();
        links.extend(vec![link("https://x"); 10]);
        let actions = content(&Message { links, ..told() })["actions"].clone();
        assert_eq!(actions.as_array().unwrap().len(), LINKS);
        assert!(actions.as_array().unwrap().iter().all(|action| action["url"] == "https://x"));
    }

    #[test]
    fn what_is_left_out_is_counted() {
        let texts = texts(&Message { reasons: vec!["because".to_owned(); 33], ..told() });
        assert!(texts.contains(&"… and 3 more".to_owned()));
    }

    #[test]
    fn the_longest_message_fits() {
        // What JSON and Markdown make longest, in every place at once.
        for long in ["x", "*", "\\", "\"", "😀", "\u{7f}", "<"].map(|piece| piece.repeat(5_000)) {
            let body = message(&Message {
                title: long.clone(),
                reasons: vec![long.clone(); 100],
                did: long.clone(),
                next_steps: vec![long.clone(); 100],
                links: vec![
                    Link { label: long.clone(), url: format!("https://{}", "x".repeat(URL - 8)) };
                    LINKS
                ],
                service: Some(long.clone()),
                release: Some(long.clone()),
                ..told()
            });
            assert_eq!(body["attachments"][0]["content"]["actions"].as_array().unwrap().len(), LINKS);
            let length = body.to_string().len();
            assert!(length < LONGEST, "{length} of {}", long.chars().next().unwrap());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

        #[test]
        fn whatever_comes_in_it_fits_and_only_opens_addresses(
            text in r"[\PC<*\\\[\]_]{0,300}", times in 1_usize..40, count in 0_usize..40, url in ".{0,40}",
        ) {
            let long = text.repeat(times);
            let body = message(&Message {
                title: long.clone(),
                reasons: vec![long.clone(); count],
                did: long.clone(),
                next_steps: vec![long.clone(); count],
                links: vec![Link { label: long.clone(), url: format!("https://{url}") }; count],
                ..told()
            });
            prop_assert!(body.to_string().len() < LONGEST);
            let content = &body["attachments"][0]["content"];
            for action in content["actions"].as_array().unwrap() {
                prop_assert_eq!(&action["type"], "Action.OpenUrl");
            }
            let title = content["body"][0]["text"].as_str().unwrap();
            prop_assert!(!title.is_empty() && !title.contains(['<', '>', '\n']));
        }
    }
}
