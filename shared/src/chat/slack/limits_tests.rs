//! Whatever comes in, a post keeps every limit of Slack's and holds no markup but ours.

use std::collections::BTreeSet;

use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::tests::{at, blocks, of_type, offer, orders, said, told};
use super::*;
use crate::approval::Choice;
use crate::chat::release_card::{CardCheck, CardOffer, StoryLine};
use crate::chat::text::units;
use crate::message::Link;

/// Checks a post against the table of limits (reference, "Block limits").
fn keeps_every_limit(post: &Post) {
    let short = |value: &Value, limit: usize, what: &str| {
        let text = value.as_str().unwrap_or_else(|| panic!("{what} is no text: {value}"));
        assert!((1..=limit).contains(&units(text)), "{what} has {} of {limit}: {text}", units(text));
    };
    let object = |value: &Value, limit: usize, what: &str| {
        assert!(value["type"] == "plain_text" || value["type"] == "mrkdwn", "{what}");
        short(&value["text"], limit, what);
        assert!(!value["text"].as_str().unwrap().trim().is_empty(), "{what} is empty");
    };
    short(&json!(post.text), 4_000, "text");
    let blocks = blocks(post);
    assert!((1..=50).contains(&blocks.len()), "{} blocks", blocks.len());
    let (mut block_ids, mut action_ids) = (BTreeSet::new(), BTreeSet::new());
    let mut unique = |value: &Value, action: bool| {
        short(value, 255, "an id");
        let ids = if action { &mut action_ids } else { &mut block_ids };
        assert!(ids.insert(value.to_string()), "{value} twice");
    };
    for block in &blocks {
        if let Some(id) = block.get("block_id") {
            unique(id, false);
        }
        match block["type"].as_str().unwrap() {
            "header" => object(&block["text"], 150, "header"),
            "section" if block.get("fields").is_some() => {
                let fields = block["fields"].as_array().unwrap();
                assert!((1..=10).contains(&fields.len()));
                for field in fields {
                    object(field, 2_000, "field");
                }
            }
            "section" => object(&block["text"], 3_000, "section"),
            "context" => {
                let elements = block["elements"].as_array().unwrap();
                assert!((1..=10).contains(&elements.len()));
                for element in elements {
                    object(element, 3_000, "context");
                }
            }
            "input" => {
                object(&block["label"], 2_000, "label");
                object(&block["element"]["placeholder"], 150, "placeholder");
                unique(&block["element"]["action_id"], true);
            }
            "actions" => {
                let elements = block["elements"].as_array().unwrap();
                assert!((1..=25).contains(&elements.len()));
                for button in elements {
                    unique(&button["action_id"], true);
                    object(&button["text"], 75, "button");
                    short(&button["value"], 2_000, "value");
                    if let Some(confirm) = button.get("confirm") {
                        object(&confirm["title"], 100, "title");
                        object(&confirm["text"], 300, "confirm text");
                        object(&confirm["confirm"], 30, "confirm");
                        object(&confirm["deny"], 30, "deny");
                    }
                }
            }
            other => panic!("a block of type {other}"),
        }
    }
    let all = units(&post.text) + total(&post.blocks);
    assert!(all <= 13_000, "{all} in all");
}

/// Checks that every `<` begins something that we wrote, and that every `&` is an escape.
fn holds_only_our_markup(value: &Value) {
    match value {
        Value::Array(items) => items.iter().for_each(holds_only_our_markup),
        Value::Object(fields) => fields.values().for_each(holds_only_our_markup),
        Value::String(text) => {
            let mut rest = text.as_str();
            while let Some(start) = rest.find('<') {
                assert!(!rest[..start].contains('>'), "{text}");
                let end = rest[start..].find('>').unwrap_or_else(|| panic!("not closed: {text}"));
                assert!(is_ours(&rest[start + 1..start + end]), "{text}");
                rest = &rest[start + end + 1..];
            }
            assert!(!rest.contains('>'), "{text}");
            for (at, _) in text.match_indices('&') {
                let whole = ["&amp;", "&lt;", "&gt;"].iter().any(|escape| text[at..].starts_with(escape));
                assert!(whole, "{text}");
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// What stands between `<` and `>`: a time, a person by id, or a link of a label without any of it.
fn is_ours(inside: &str) -> bool {
    if let Some(date) = inside.strip_prefix("!date^") {
        let Some((number, rest)) = date.split_once('^') else { return false };
        let rest = rest.strip_prefix("{date_short_pretty} ").unwrap_or(rest);
        let Some(fallback) = rest.strip_prefix("{time}|") else { return false };
        return number.parse::<i64>().is_ok() && fallback.parse::<Timestamp>().is_ok();
    }
    if let Some(id) = inside.strip_prefix('@') {
        // The only person in these tests who is one, maybe several times over; what is hostile has another.
        return !id.is_empty() && id.replace("U02ABCDEF", "").is_empty();
    }
    let Some((url, label)) = inside.split_once('|') else { return false };
    url.starts_with("https://")
        && url.bytes().all(|byte| byte.is_ascii_graphic())
        && !label.is_empty()
        && !label.contains('|')
}

fn check(post: &Post) {
    keeps_every_limit(post);
    holds_only_our_markup(&post.blocks);
    holds_only_our_markup(&json!(post.text));
}

/// Text that wants to be markup, and long text.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("<!here>"),
        Just("<@U0EVIL>"),
        Just("<#C1>"),
        Just("<https://evil|x>"),
        Just("<!date^1^{time}|x>"),
        Just("|>"),
        Just("&"),
        Just("&amp;"),
        Just("😀"),
        Just("\n"),
        Just("\u{202E}"),
        Just("U02ABCDEF"),
        Just("https://x/"),
        Just("wort "),
    ];
    (prop::collection::vec(piece, 0..8), prop::sample::select(vec![1_usize, 1, 1, 30, 300]))
        .prop_map(|(pieces, times)| pieces.concat().repeat(times))
}

fn hostile_link() -> impl Strategy<Value = Link> {
    (hostile(), hostile(), any::<bool>()).prop_map(|(label, rest, right)| Link {
        label,
        url: if right { format!("https://{rest}") } else { rest },
    })
}

fn time() -> impl Strategy<Value = Timestamp> {
    (-4_000_000_000_i64..4_000_000_000).prop_map(at)
}

prop_compose! {
    fn any_offer()(
        id in prop_oneof![hostile(), "[a-z]{1,64}", Just("same".to_owned())],
        question in prop::option::of(hostile()),
        silence in prop::option::of((time(), hostile())),
        choices in prop::collection::vec(prop::sample::select(Choice::ALL.to_vec()), 0..12),
        reason_box in any::<bool>(),
        ahead in prop::collection::vec(hostile(), 0..8),
    ) -> CardOffer {
        CardOffer { id, question, ahead, silence, choices, reason_box }
    }
}

prop_compose! {
    fn any_line()(
        at in time(),
        sign in prop::sample::select(vec!["✋", "🔴"]),
        who in prop::option::of(prop_oneof![hostile(), Just("U02ABCDEF".to_owned())]),
        what in hostile(),
        details in prop::collection::vec(hostile(), 0..12),
    ) -> StoryLine {
        StoryLine { at, sign, who, what, details }
    }
}

prop_compose! {
    fn any_card()(
        (service, release, headline) in (hostile(), hostile(), hostile()),
        state in prop::sample::select(vec![
            CardState::Waiting, CardState::Running, CardState::Undoing, CardState::Good, CardState::Undone,
            CardState::Bad,
        ]),
        facts in prop::collection::vec((hostile(), hostile()), 0..30),
        (began, ended, traffic) in (time(), prop::option::of(time()), prop::option::of(any::<u8>())),
        alarms in prop::collection::vec(
            (
                hostile(),
                prop::option::of(prop::sample::select(vec![
                    AlarmState::Ok, AlarmState::Alarm, AlarmState::InsufficientData,
                ])),
                prop::option::of(hostile()),
            ),
            0..40,
        ),
        checks in prop::collection::vec((hostile(), prop::option::of(any::<bool>())), 0..20),
        stages in prop::collection::vec(
            (hostile(), prop::sample::select(vec![StepState::Done, StepState::Failed, StepState::Waiting])),
            0..30,
        ),
        pace in hostile(),
        story in prop::collection::vec(any_line(), 0..30),
        offers in prop::collection::vec(any_offer(), 0..12),
        links in prop::collection::vec(hostile_link(), 0..15),
    ) -> ReleaseCard {
        let alarms = alarms.into_iter().map(|(name, state, note)| CardAlarm { name, state, note }).collect();
        let stages = stages.into_iter().map(|(name, state)| CardStage { name, state }).collect();
        let checks = checks.into_iter().map(|(what, passed)| CardCheck { what, passed }).collect();
        ReleaseCard {
            service, release, state, headline, facts, began, ended, traffic, stages, pace, alarms, checks,
            story, offers, links,
        }
    }
}

prop_compose! {
    fn any_message()(
        (title, did) in (hostile(), hostile()),
        loud in any::<bool>(),
        at in time(),
        reasons in prop::collection::vec(hostile(), 0..20),
        next_steps in prop::collection::vec(hostile(), 0..20),
        links in prop::collection::vec(hostile_link(), 0..15),
        (service, release) in (prop::option::of(hostile()), prop::option::of(hostile())),
    ) -> Message {
        let urgency = if loud { Urgency::Loud } else { Urgency::Calm };
        Message {
            thread: String::new(),
            urgency,
            title,
            at,
            reasons,
            did,
            next_steps,
            links,
            service,
            release,
            asks: false,
            who: None,
            slack: None,
            graph: None,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn no_card_exceeds_a_limit_or_pings(card in any_card()) {
        let newest = card.story.last().map(|line| line.sign);
        let post = super::card(&card);
        check(&post);
        if let Some(sign) = newest {
            prop_assert!(said(&blocks(&post)).iter().any(|text| text.contains(sign)));
        }
    }

    #[test]
    fn no_message_exceeds_a_limit_or_pings(message in any_message()) {
        check(&super::message(&message));
    }

    #[test]
    fn no_answer_exceeds_a_limit_or_pings(text in prop::collection::vec(hostile(), 0..6)) {
        check(&words(&text.join("\n")));
    }
}

/// Everything as long as it can be, in each alphabet: characters of one unit, of two, and those that are escaped.
#[test]
fn the_longest_card_and_message_fit() {
    for long in ["x", "😀", "&", "<!here>"].map(|piece| piece.repeat(5_000)) {
        let line = StoryLine {
            at: at(1_772_719_560),
            sign: "✋",
            who: Some(long.clone()),
            what: long.clone(),
            details: vec![long.clone(); 20],
        };
        let fits = format!("https://{}", "x".repeat(900));
        let most = ReleaseCard {
            service: long.clone(),
            release: long.clone(),
            headline: long.clone(),
            facts: vec![(long.clone(), long.clone()); 40],
            ended: Some(at(4_000_000_000)),
            alarms: vec![CardAlarm { name: long.clone(), state: None, note: Some(long.clone()) }; 40],
            checks: vec![CardCheck { what: long.clone(), passed: None }; 40],
            story: vec![line; 40],
            offers: vec![
                CardOffer {
                    ahead: vec![long.clone(); 10],
                    silence: Some((at(4_000_000_000), long.clone())),
                    ..offer(&"o".repeat(64), Some(&long), &Choice::ALL, true)
                };
                10
            ],
            links: vec![Link { label: long.clone(), url: fits.clone() }; 40],
            ..orders()
        };
        let post = card(&most);
        check(&post);
        let blocks = blocks(&post);
        assert_eq!(of_type(&blocks, "actions").len(), 3, "three of the longest offers are shown");
        assert!(said(&blocks).iter().any(|text| text.starts_with('✋')), "the newest line is shown");
        check(&message(&Message {
            title: long.clone(),
            reasons: vec![long.clone(); 40],
            did: long.clone(),
            next_steps: vec![long.clone(); 40],
            links: vec![Link { label: long.clone(), url: fits }; 40],
            service: Some(long.clone()),
            release: Some(long.clone()),
            ..told()
        }));
        check(&words(&vec![long; 10].join("\n")));
    }
}

/// What lies ahead stands between the question and its buttons, as much of it as there is room for.
#[test]
fn what_lies_ahead_stands_under_its_question() {
    let asked = CardOffer {
        ahead: vec!["Prod has <v1>.".to_owned(), "x".repeat(5_000), "y".repeat(5_000), "z".repeat(5_000)],
        ..offer("o1", Some("May it go on?"), &[Choice::Approve], true)
    };
    let quiet = CardOffer { question: None, ..asked.clone() };
    let post = card(&ReleaseCard { offers: vec![asked, quiet], ..orders() });
    check(&post);
    let blocks = blocks(&post);
    let at = |words: &str| {
        blocks
            .iter()
            .position(|block| said(std::slice::from_ref(block)).iter().any(|text| text.contains(words)))
    };
    let (question, ahead) = (at("May it go on?").unwrap(), at("• Prod has &lt;v1&gt;.").unwrap());
    assert_eq!(ahead, question + 1);
    assert!(blocks[ahead]["text"]["text"].as_str().unwrap().ends_with("… and 1 more"), "{}", blocks[ahead]);
    let actions = blocks.iter().position(|block| block["type"] == "actions").unwrap();
    assert!(ahead < actions);
    assert_eq!(
        said(&blocks).iter().filter(|text| text.contains("Prod has")).count(),
        1,
        "only with a question"
    );
}
