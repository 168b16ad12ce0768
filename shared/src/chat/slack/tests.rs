//! What is on a card, a message and an answer.

use jiff::Timestamp;
use serde_json::Value;

use super::*;
use crate::approval::Choice;
use crate::chat::release_card::{CardCheck, CardOffer, StoryLine};
use crate::message::Link;

pub(super) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn link(url: &str) -> Link {
    Link { label: "Deployment d-1".to_owned(), url: url.to_owned() }
}

pub(super) fn offer(id: &str, question: Option<&str>, choices: &[Choice], reason_box: bool) -> CardOffer {
    CardOffer {
        ahead: Vec::new(),
        id: id.to_owned(),
        question: question.map(str::to_owned),
        silence: question.map(|_| (at(1_772_720_141), "Belay rolls back.".to_owned())),
        choices: choices.to_vec(),
        reason_box,
    }
}

pub(super) fn orders() -> ReleaseCard {
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
        stages: [
            ("Source", StepState::Done),
            ("Build & *test*", StepState::Failed),
            ("Prod", StepState::Waiting),
        ]
        .map(|(name, state)| CardStage { name: name.to_owned(), state })
        .to_vec(),
        pace: "The pipeline usually takes 9m, the median of the last 10 good ones.".to_owned(),
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

pub(super) fn blocks(post: &Post) -> Vec<Value> {
    post.blocks.as_array().unwrap().clone()
}

pub(super) fn of_type<'a>(blocks: &'a [Value], kind: &str) -> Vec<&'a Value> {
    blocks.iter().filter(|block| block["type"] == kind).collect()
}

/// The texts of all sections, in order.
pub(super) fn said(blocks: &[Value]) -> Vec<String> {
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
        "header", "section", "input", "actions", "section", "section", "section", "section", "section",
        "section", "context", "context", "actions", "context",
    ];
    assert_eq!(kinds, expected);
    assert_eq!(blocks[0]["text"]["text"], "🟡 orders: d-1 waits for you");
    assert_eq!(blocks[4]["fields"][0]["text"], "*Commit*\n1f3c &lt;!here&gt; &amp; more lines");
    let began = "<!date^1772719541^{date_short_pretty} {time}|2026-03-05T14:05:41Z>";
    let answered = "<!date^1772719560^{time}|2026-03-05T14:06:00Z>";
    let silence = "<!date^1772720141^{date_short_pretty} {time}|2026-03-05T14:15:41Z>";
    assert_eq!(
        said(&blocks),
        [
            format!("*Roll back?*\nWithout an answer by {silence}, Belay rolls back."),
            "✓ Source  ✗ Build &amp; *test*  ○ Prod".to_owned(),
            "*Traffic* ▓▓▓░░░░░░░ 35 %".to_owned(),
            "🔴 orders-5xx (red before the release)\n⚪ orders-queue: no data\n⚪ orders-gone: cannot be read\n\
             🟢 orders-latency"
                .to_owned(),
            "✅ health answers\n❌ p99 is 2 s\n❔ logs".to_owned(),
            format!("✋ {answered} · <@U02ABCDEF>: kept it\n    • It is fine."),
        ]
    );
    let pace = "The pipeline usually takes 9m, the median of the last 10 good ones.";
    assert_eq!(blocks[10]["elements"][0]["text"], format!("Began {began}. {pace}"));
    assert_eq!(blocks[13]["elements"][0]["text"], "<https://example.com/d-1?a=1&amp;b=2|Deployment d-1>");
}

#[test]
fn each_offer_has_its_buttons_and_its_box() {
    let blocks = blocks(&card(&orders()));
    let input = of_type(&blocks, "input")[0];
    assert_eq!(input["optional"], true);
    assert_eq!(input["element"]["action_id"], "belay/why/0");
    assert_eq!(input["element"]["placeholder"]["text"], "What you saw");
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
            ("belay/halt/1", "offer-2", "Halt", None, true),
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
        assert!(said(&blocks).first().unwrap().starts_with("*Roll back?*"));
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
    assert!(
        print(1_772_719_541 + 723).contains(", took 12m 3s. The pipeline"),
        "{}",
        print(1_772_719_541 + 723)
    );
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
    // It is the newest whose length counts.
    let short = |n: usize| StoryLine { details: Vec::new(), ..long(n) };
    let mixed = (0..30).map(short).chain((30..33).map(long)).collect();
    let text = self::said(&self::blocks(&card(&ReleaseCard { story: mixed, ..orders() }))).join("\n");
    assert!(text.contains("line 32.") && !text.contains("line 20."), "{text}");
    let places: Vec<_> = ["line 27.", "line 28.", "line 29."].iter().map(|line| kept.find(line)).collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{places:?}");
    assert!(said.contains("… and 12 more"), "{said}");
}

pub(super) fn told() -> Message {
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
        asks: false,
        who: None,
        slack: None,
        graph: None,
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
