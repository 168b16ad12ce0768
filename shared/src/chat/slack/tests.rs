//! Cards and messages as Slack would take them: what is on them, and that every limit holds whatever comes in.

use std::collections::BTreeSet;

use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::approval::Choice;
use crate::chat::release_card::{CardCheck, CardOffer, StoryLine};
use crate::chat::text::units;
use crate::message::Link;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn link(url: &str) -> Link {
    Link { label: "Deployment d-1".to_owned(), url: url.to_owned() }
}

fn offer(id: &str, question: Option<&str>, choices: &[Choice], reason_box: bool) -> CardOffer {
    CardOffer {
        id: id.to_owned(),
        question: question.map(str::to_owned),
        silence: question.map(|_| (at(1_772_720_141), "Belay rolls back.".to_owned())),
        choices: choices.to_vec(),
        reason_box,
    }
}

fn orders() -> ReleaseCard {
    let alarm = |name: &str, state, note: Option<&str>| CardAlarm {
        name: name.to_owned(),
        state,
        note: note.map(str::to_owned),
    };
    ReleaseCard {
        service: "orders".to_owned(),
        release: "d-1".to_owned(),
        state: CardState::Waiting,
        headline: "d-1 waits for you".to_owned(),
        facts: vec![("Commit".to_owned(), "1f3c <!here> & more\nlines".to_owned())],
        began: at(1_772_719_541),
        ended: None,
        traffic: Some(35),
        alarms: vec![
            alarm("orders-latency", Some(AlarmState::Ok), None),
            alarm("orders-5xx", Some(AlarmState::Alarm), Some("red before the release")),
            alarm("orders-queue", Some(AlarmState::InsufficientData), None),
            alarm("orders-gone", None, None),
        ],
        checks: [("health answers", Some(true)), ("p99 is 2 s", Some(false)), ("logs", None)]
            .map(|(what, passed)| CardCheck { what: what.to_owned(), passed })
            .to_vec(),
        story: vec![StoryLine {
            at: at(1_772_719_560),
            sign: "✋",
            who: Some("U02ABCDEF".to_owned()),
            what: "kept it".to_owned(),
            details: vec!["It is fine.".to_owned()],
        }],
        offers: vec![
            offer("offer-1", Some("Roll back?"), &[Choice::RollBack, Choice::Keep, Choice::Extend], true),
            offer("offer-2", None, &[Choice::Halt], false),
        ],
        links: vec![link("https://example.com/d-1?a=1&b=2")],
    }
}

fn blocks(post: &Post) -> Vec<Value> {
    post.blocks.as_array().unwrap().clone()
}

fn of_type<'a>(blocks: &'a [Value], kind: &str) -> Vec<&'a Value> {
    blocks.iter().filter(|block| block["type"] == kind).collect()
}

/// The texts of all sections, in order.
fn said(blocks: &[Value]) -> Vec<String> {
    let texts = of_type(blocks, "section").into_iter().filter_map(|block| block["text"]["text"].as_str());
    texts.map(str::to_owned).collect()
}

#[test]
fn a_card_says_what_is_known_from_top_to_bottom() {
    let post = card(&orders());
    assert_eq!(post.text, "🟡 orders: d-1 waits for you");
    let blocks = blocks(&post);
    let kinds: Vec<&str> = blocks.iter().map(|block| block["type"].as_str().unwrap()).collect();
    let expected = [
        "header", "section", "section", "section", "section", "section", "context", "section", "input",
        "actions", "actions", "context",
    ];
    assert_eq!(kinds, expected);
    assert_eq!(blocks[0]["text"]["text"], "🟡 orders: d-1 waits for you");
    assert_eq!(blocks[1]["fields"][0]["text"], "*Release*\nd-1");
    assert_eq!(blocks[1]["fields"][1]["text"], "*Commit*\n1f3c &lt;!here&gt; &amp; more lines");
    let began = "<!date^1772719541^{date_short_pretty} {time}|2026-03-05T14:05:41Z>";
    let answered = "<!date^1772719560^{date_short_pretty} {time}|2026-03-05T14:06:00Z>";
    let silence = "<!date^1772720141^{date_short_pretty} {time}|2026-03-05T14:15:41Z>";
    assert_eq!(
        said(&blocks),
        [
            "*Traffic* ▓▓▓░░░░░░░ 35 %".to_owned(),
            "🔴 orders-5xx (red before the release)\n⚪ orders-queue: no data\n⚪ orders-gone: cannot be read\n\
             🟢 orders-latency"
                .to_owned(),
            "✅ health answers\n❌ p99 is 2 s\n❔ logs".to_owned(),
            format!("✋ {answered} <@U02ABCDEF>: kept it\n    • It is fine."),
            format!("*Roll back?*\nWithout an answer by {silence}, Belay rolls back."),
        ]
    );
    assert_eq!(blocks[6]["elements"][0]["text"], format!("Began {began}"));
    assert_eq!(blocks[11]["elements"][0]["text"], "<https://example.com/d-1?a=1&amp;b=2|Deployment d-1>");
}

#[test]
fn each_offer_has_its_buttons_and_its_box() {
    let blocks = blocks(&card(&orders()));
    let input = of_type(&blocks, "input")[0];
    assert_eq!(input["optional"], true);
    assert_eq!(input["element"]["action_id"], "belay/why/0");
    assert_eq!(input["element"]["placeholder"]["text"], "Why (optional)");
    let actions = of_type(&blocks, "actions");
    let buttons: Vec<Value> =
        actions.iter().flat_map(|block| block["elements"].as_array().unwrap().clone()).collect();
    let shown: Vec<(&str, &str, &str, Option<&str>, bool)> = buttons
        .iter()
        .map(|button| {
            let text = |key: &str| button[key].as_str();
            let name = button["text"]["text"].as_str().unwrap();
            let confirm = button["confirm"].is_object();
            (text("action_id").unwrap(), text("value").unwrap(), name, text("style"), confirm)
        })
        .collect();
    assert_eq!(
        shown,
        [
            ("belay/roll_back/0", "offer-1", "Roll back", Some("danger"), true),
            ("belay/keep/0", "offer-1", "Keep", Some("primary"), false),
            ("belay/extend/0", "offer-1", "Extend", None, false),
            ("belay/halt/1", "offer-2", "Halt", Some("danger"), true),
        ]
    );
    assert_eq!(buttons[0]["confirm"]["text"]["text"], "Belay takes d-1 of orders back.");
}

#[test]
fn an_offer_that_could_not_come_back_has_no_buttons() {
    for offers in [
        offer("not an id", Some("Roll back?"), &[Choice::RollBack], true),
        offer("offer-1", Some("Roll back?"), &[], true),
    ] {
        let blocks = blocks(&card(&ReleaseCard { offers: vec![offers], ..orders() }));
        assert!(of_type(&blocks, "actions").is_empty() && of_type(&blocks, "input").is_empty());
        assert!(said(&blocks).last().unwrap().starts_with("*Roll back?*"));
    }
    let twice = offer("offer-1", None, &[Choice::Keep, Choice::Keep], false);
    let blocks = blocks(&card(&ReleaseCard { offers: vec![twice], ..orders() }));
    assert_eq!(of_type(&blocks, "actions")[0]["elements"].as_array().unwrap().len(), 1);
}

#[test]
fn the_bar_is_full_for_everything_only() {
    for (percent, bar) in [
        (0, "░░░░░░░░░░ 0 %"),
        (1, "▓░░░░░░░░░ 1 %"),
        (50, "▓▓▓▓▓░░░░░ 50 %"),
        (99, "▓▓▓▓▓▓▓▓▓░ 99 %"),
        (100, "▓▓▓▓▓▓▓▓▓▓ 100 %"),
        (250, "▓▓▓▓▓▓▓▓▓▓ 100 %"),
    ] {
        assert_eq!(traffic(percent), format!("*Traffic* {bar}"));
    }
}

#[test]
fn an_ended_release_says_how_long_it_took() {
    let print = |ended| {
        let blocks = blocks(&card(&ReleaseCard { ended: Some(at(ended)), ..orders() }));
        of_type(&blocks, "context")[0]["elements"][0]["text"].as_str().unwrap().to_owned()
    };
    assert!(print(1_772_719_541 + 723).ends_with(", took 12m 3s"), "{}", print(1_772_719_541 + 723));
    assert!(!print(1_772_719_540).contains("took"));
}

#[test]
fn the_story_keeps_the_newest() {
    let long = |n: usize| StoryLine {
        at: at(1_772_719_560),
        sign: "•",
        who: None,
        what: format!("line {n}. "),
        details: vec!["x".repeat(500); 20],
    };
    let blocks = blocks(&card(&ReleaseCard { story: (0..30).map(long).collect(), ..orders() }));
    let said = said(&blocks).join("\n");
    let (before, kept) = said.split_once("_27 earlier lines are left out._").expect("how many are left out");
    assert!(!before.contains("line "), "{before}");
    let places: Vec<_> = ["line 27.", "line 28.", "line 29."].iter().map(|line| kept.find(line)).collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{places:?}");
    assert!(said.contains("… and 12 more"), "{said}");
}

fn told() -> Message {
    Message {
        thread: "d-1".to_owned(),
        urgency: Urgency::Loud,
        title: "orders: d-1 is taken back".to_owned(),
        at: at(1_772_719_541),
        reasons: vec!["orders-5xx is in ALARM.".to_owned(), "It <@U1> is 7 > 5.".to_owned()],
        did: "Stopped d-1.".to_owned(),
        next_steps: vec!["Look at the logs.".to_owned()],
        links: vec![link("https://example.com/d-1")],
        service: Some("orders".to_owned()),
        release: Some("d-1".to_owned()),
    }
}

#[test]
fn a_message_says_all_it_has() {
    let post = message(&told());
    assert_eq!(post.text, "🔴 orders: d-1 is taken back\nStopped d-1.");
    let blocks = blocks(&post);
    assert_eq!(blocks[0]["text"]["text"], "🔴 orders: d-1 is taken back");
    assert_eq!(
        said(&blocks),
        [
            "• orders-5xx is in ALARM.\n• It &lt;@U1&gt; is 7 &gt; 5.",
            "*What Belay did:* Stopped d-1.",
            "*What to do now*\n• Look at the logs.",
        ]
    );
    let print: Vec<&str> = of_type(&blocks, "context")
        .iter()
        .map(|block| block["elements"][0]["text"].as_str().unwrap())
        .collect();
    let when = "orders · d-1 · <!date^1772719541^{date_short_pretty} {time}|2026-03-05T14:05:41Z>";
    assert_eq!(print, [when, "<https://example.com/d-1|Deployment d-1>"]);
    let calm = message(&Message { urgency: Urgency::Calm, next_steps: Vec::new(), ..told() });
    assert!(calm.text.starts_with("orders: d-1"));
    assert!(!calm.blocks.to_string().contains("What to do now"));
}

#[test]
fn a_long_title_is_said_in_full_below() {
    let title = format!("orders: {}", "x".repeat(200));
    let blocks = blocks(&message(&Message { title: title.clone(), ..told() }));
    assert!(blocks[0]["text"]["text"].as_str().unwrap().ends_with('…'));
    assert_eq!(said(&blocks)[0], format!("*🔴 {title}*"));
}

#[test]
fn an_answer_keeps_its_lines_and_cannot_ping() {
    let post = words("*orders* is `Good`\n<!here> & you\n");
    assert_eq!(post.text, "*orders* is `Good`");
    assert_eq!(said(&blocks(&post)), ["*orders* is `Good`\n&lt;!here&gt; &amp; you"]);
    assert_eq!(said(&blocks(&words(" \n\n"))), ["–"]);
    assert!(
        said(&blocks(&words(&crate::chat::command::help())))[0].contains("/belay history &lt;service&gt;")
    );
}

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
        let Some(fallback) = rest.strip_prefix("{date_short_pretty} {time}|") else { return false };
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
    (prop::collection::vec(piece, 0..8), prop::sample::select(vec![1_usize, 1, 1, 30, 700]))
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
    ) -> CardOffer {
        CardOffer { id, question, silence, choices, reason_box }
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
        story in prop::collection::vec(any_line(), 0..30),
        offers in prop::collection::vec(any_offer(), 0..12),
        links in prop::collection::vec(hostile_link(), 0..15),
    ) -> ReleaseCard {
        let alarms = alarms.into_iter().map(|(name, state, note)| CardAlarm { name, state, note }).collect();
        let checks = checks.into_iter().map(|(what, passed)| CardCheck { what, passed }).collect();
        ReleaseCard {
            service, release, state, headline, facts, began, ended, traffic, alarms, checks, story, offers, links,
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
        Message { thread: String::new(), urgency, title, at, reasons, did, next_steps, links, service, release }
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
