//! Whatever stands in the ledger, the widget is well-formed, holds nothing that comes alive, and says what it must.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp, tz::Offset};

use super::*;
use crate::{
    approval::{Choice, Person},
    decision::{self, Verdict},
    evidence::{Observed, Target},
    ledger::{
        Answered, Answerer, Began, DecisionRecord, Effect, EffectState, Ended, RecordedState, ReleaseLedger,
        Watch,
    },
    reason::{Reason, Reasons, Silent},
    release::{Change, DeploymentGroup, Place, Platform, ReleaseStatus},
    signal::AlarmState,
};

pub(super) const HOSTILE: &str =
    "</text></svg><script>alert(1)</script><img src=x onerror=\"a()\"> & 'q' \u{0}\u{b}\u{202e}\u{fffe}";

pub(super) fn at(minute: i64) -> Timestamp {
    let begins: Timestamp = "2026-03-05T12:00:00Z".parse().unwrap();
    begins.checked_add(SignedDuration::from_mins(minute)).unwrap()
}

pub(super) fn view(theme: Theme) -> View {
    View {
        from: at(0),
        to: at(180),
        theme,
        width: 900,
        offset: Offset::UTC,
        services: Vec::new(),
        strange: Vec::new(),
    }
}

const ENDPOINT: &str = "arn:aws:lambda:us-east-1:123456789012:function:customWidget-belay";

pub(super) fn frame(view: &View) -> Frame<'_> {
    Frame { view, endpoint: ENDPOINT, now: at(170) }
}

pub(super) fn watch(id: &str, minute: i64) -> Watch {
    let group = DeploymentGroup { application: "checkout".to_owned(), group: "prod".to_owned() };
    Watch { release: id.into(), service: "checkout".into(), place: Place::Group(group), began: at(minute) }
}

/// What the ledger holds of a release that began.
pub(super) fn began(watch: &Watch, words: &str) -> ReleaseLedger {
    let target = Target::KnownGood { deployment: "d-1".to_owned(), revision: words.to_owned() };
    let began = Began {
        service: watch.service.clone(),
        place: watch.place.clone(),
        platform: Platform::Lambda,
        revision: words.to_owned(),
        at: watch.began,
        rolls_back: None,
        target: Observed::Known { value: target, at: watch.began },
        alarms: BTreeMap::from([(words.into(), RecordedState::Was(AlarmState::Ok))]),
        change: Change { message: Some(words.to_owned()), ..Change::default() },
    };
    ReleaseLedger { began: Some(began), ..ReleaseLedger::default() }
}

fn ended(mut ledger: ReleaseLedger, status: ReleaseStatus, minute: i64) -> ReleaseLedger {
    ledger.ended = Some(Ended { status, at: at(minute), error: None, rolled_back_by: None });
    ledger
}

pub(super) fn undone(
    mut ledger: ReleaseLedger,
    reason: Reason,
    effect: decision::Effect,
    state: EffectState,
) -> ReleaseLedger {
    let reasons = Reasons::new(reason, Vec::new());
    let undo = Effect { state, at: at(20), verdict: Verdict::RollBack, reasons, effect: Some(effect) };
    ledger.undo = Some(undo);
    ledger
}

pub(super) const STOP: decision::Effect = decision::Effect::Stop { auto_rollback: true };

pub(super) fn lane(releases: Vec<Shown>, incidents: Vec<Bar>) -> Lane {
    Lane { service: "checkout".into(), releases, older: 0, more: false, incidents, unread: None }
}

pub(super) fn of(lanes: Vec<Lane>) -> Timeline {
    Timeline { lanes, notes: Vec::new() }
}

/// A page as XML, which HTML like ours is.
fn read(html: &str) -> roxmltree::Document<'_> {
    roxmltree::Document::parse(html).unwrap_or_else(|error| panic!("{error} in {html}"))
}

/// Everything that a reader reads.
fn text(document: &roxmltree::Document<'_>) -> String {
    let texts = document.descendants().filter(roxmltree::Node::is_text);
    texts.filter_map(|node| node.text()).collect::<Vec<_>>().join(" ")
}

/// The elements and attributes that the widget is made of. CloudWatch takes others out, or they could be alive.
pub(super) fn check_harmless(html: &str) {
    const ELEMENTS: [&str; 20] = [
        "div",
        "p",
        "b",
        "a",
        "span",
        "ul",
        "li",
        "table",
        "caption",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "svg",
        "g",
        "path",
        "text",
        "title",
        "cwdb-action",
    ];
    let document = read(html);
    for node in document.descendants().filter(roxmltree::Node::is_element) {
        let name = node.tag_name().name();
        assert!(ELEMENTS.contains(&name), "<{name}> in {html}");
        for attribute in node.attributes() {
            let (key, value) = (attribute.name(), attribute.value());
            assert!(!key.starts_with("on") && key != "href" && key != "src", "{key} in {html}");
            assert!(key != "style" || !value.contains("url("), "{value}");
        }
        if name == "cwdb-action" {
            // It belongs to the element before it.
            assert!(
                node.prev_sibling_element().is_some_and(|before| before.tag_name().name() == "a"),
                "{html}"
            );
            let call: serde_json::Value = serde_json::from_str(node.text().unwrap()).unwrap();
            assert_eq!((&call["belay"], call["release"].is_string()), (&"why".into(), true));
            assert_eq!((node.attribute("action"), node.attribute("display")), (Some("call"), Some("popup")));
            assert_eq!(node.attribute("endpoint"), Some(ENDPOINT));
        }
    }
}

#[test]
fn each_outcome_is_told_from_the_ledger() {
    let watch = watch("d-2", 10);
    let red = || Reason::RuleSaysHalt { alarm: "x".into() };
    let person = Reason::PersonChose { choice: Choice::RollBack, why: None };
    let silence = Reason::NobodyAnswered { asked: at(11), otherwise: Silent::RollsBack };
    let plain = || began(&watch, "v42");
    let halt = decision::Effect::Stop { auto_rollback: false };
    let lease = EffectState::Claimed { until: at(21) };
    let mut by_codedeploy = ended(plain(), ReleaseStatus::Failed, 20);
    by_codedeploy.ended.as_mut().unwrap().rolled_back_by = Some("d-3".into());
    let mut approved = ended(plain(), ReleaseStatus::Succeeded, 30);
    let who = Person { team: "T1".to_owned(), user: "U02ANNA".to_owned() };
    let by = Answerer::Person { who, stamp: "1".to_owned() };
    let answer = Answered { by, choice: Some(Choice::Approve), why: None, at: at(12) };
    approved.answers.insert("hook/1".to_owned(), answer);
    for (ledger, outcome, by) in vec![
        (plain(), Outcome::Running, DecidedBy::Nobody),
        (ended(plain(), ReleaseStatus::Succeeded, 30), Outcome::Succeeded, DecidedBy::Nobody),
        (ended(plain(), ReleaseStatus::Failed, 30), Outcome::Failed, DecidedBy::Deployer),
        (ended(plain(), ReleaseStatus::Stopped, 30), Outcome::Stopped, DecidedBy::Deployer),
        (by_codedeploy, Outcome::TakenBack, DecidedBy::Deployer),
        (approved, Outcome::Succeeded, DecidedBy::Person),
        (undone(plain(), red(), STOP, EffectState::Done), Outcome::TakenBack, DecidedBy::Belay),
        (undone(plain(), person, STOP, EffectState::Done), Outcome::TakenBack, DecidedBy::Person),
        (undone(plain(), silence, STOP, EffectState::Done), Outcome::TakenBack, DecidedBy::Silence),
        (undone(plain(), red(), halt, EffectState::Done), Outcome::Halted, DecidedBy::Belay),
        (undone(plain(), red(), STOP, lease), Outcome::Undoing, DecidedBy::Belay),
        (undone(plain(), red(), STOP, EffectState::Overtaken), Outcome::Running, DecidedBy::Nobody),
        // It finished in spite of the stop: it is live.
        (
            ended(undone(plain(), red(), STOP, EffectState::Done), ReleaseStatus::Succeeded, 21),
            Outcome::Succeeded,
            DecidedBy::Nobody,
        ),
    ] {
        let shown = Shown::of(&watch, &ledger);
        assert_eq!((&shown.outcome, shown.by), (&outcome, by), "{ledger:?}");
        let goes_back = outcome == Outcome::TakenBack;
        assert_eq!(shown.back_to.is_some(), goes_back, "{ledger:?}");
    }
    let odd = Shown::of(&watch, &ended(plain(), ReleaseStatus::Unrecognised("Odd".to_owned()), 30));
    assert!(matches!(odd.outcome, Outcome::Unknown { ref why } if why.contains("Odd")), "{odd:?}");
    let gone = Shown::of(&watch, &ReleaseLedger::default());
    assert!(matches!(gone.outcome, Outcome::Unknown { ref why } if why.contains("nothing")), "{gone:?}");
}

/// A service's afternoon: one release that succeeded, one that was taken back for it, one that runs.
fn afternoon() -> Timeline {
    let (first, second, third) = (watch("d-1", 10), watch("d-2", 60), watch("d-3", 150));
    let reason = Reason::AlarmDuringRelease {
        alarm: "checkout-5xx".into(),
        since_start: SignedDuration::from_secs(160),
        traffic: Some(10),
        said: "Threshold Crossed".to_owned(),
    };
    let mut taken_back = undone(began(&second, "v42"), reason, STOP, EffectState::Done);
    taken_back.undo.as_mut().unwrap().at = at(63);
    taken_back = ended(taken_back, ReleaseStatus::Stopped, 62);
    let releases = vec![
        Shown::of(&first, &ended(began(&first, "v41"), ReleaseStatus::Succeeded, 30)),
        Shown::of(&second, &taken_back),
        Shown::of(&third, &began(&third, "v43")),
    ];
    let bar = |alarm: &str, began, ended: Option<i64>| Bar {
        alarm: alarm.to_owned(),
        began: at(began),
        ended: ended.map(at),
    };
    of(vec![lane(releases, vec![bar("checkout-5xx", 62, Some(70)), bar("checkout-latency", 160, None)])])
}

#[test]
fn an_afternoon_is_drawn_to_scale_and_said_in_the_table() {
    let view = view(Theme::Light);
    let html = page(&afternoon(), &frame(&view));
    check_harmless(&html);
    let document = read(&html);
    let said = text(&document);
    for words in [
        "taken back (Belay)",
        "succeeded",
        "running",
        "d-2",
        "v42",
        "back to v42",
        "after 3m",
        "after 20m",
        "The alarm checkout-5xx went off 2m 40s into the release",
        "checkout-latency",
        "not yet",
        "8m",
        "Mar 5 13:00",
        "12:30",
        "14:30",
        "Times are UTC.",
    ] {
        assert!(said.contains(words), "{words} in {said}");
    }
    // 900 pixels, without the widget's edges and half a mark at each side: a minute is 4.744 of them.
    let x = |minute: f64| 11.0 + (876.0 - 22.0) * minute / 180.0;
    for (from, to) in [(10.0, 30.0), (60.0, 63.0), (150.0, 170.0), (62.0, 70.0)] {
        let line = format!("M{:.1} ", x(from));
        let drawn = document
            .descendants()
            .filter_map(|node| node.attribute("d"))
            .any(|path| path.starts_with(&line) && path.ends_with(&format!("H{:.1}", x(to))));
        assert!(drawn, "{line}… to {:.1}", x(to));
    }
    // The way back leads from the mark of the second release to that of the first.
    let way = document.descendants().filter_map(|node| node.attribute("d")).find(|path| path.contains('C'));
    let way = way.expect("an arrow");
    assert!(
        way.starts_with(&format!("M{:.1} ", x(63.0))) && way.contains(&format!(" {:.1} ", x(30.0))),
        "{way}"
    );
    // Each release can be clicked on the drawing and in the table.
    assert_eq!(html.matches("<cwdb-action").count(), 6);
    assert_eq!(html.matches(r#"{"belay":"why","release":"d-2"}"#).count(), 2);
}

#[test]
fn both_themes_show_the_same_in_other_colours() {
    let colourless = |theme| {
        let view = view(theme);
        let html = page(&afternoon(), &frame(&view));
        let hex = regex_lite::Regex::new("#[0-9a-f]{6}").unwrap();
        let colours: std::collections::BTreeSet<String> =
            hex.find_iter(&html).map(|found| found.as_str().to_owned()).collect();
        (hex.replace_all(&html, "colour").into_owned(), colours)
    };
    let (light, dark) = (colourless(Theme::Light), colourless(Theme::Dark));
    assert_eq!(light.0, dark.0);
    assert!(light.1.len() > 5 && light.1.is_disjoint(&dark.1), "{light:?} {dark:?}");
}

#[test]
fn nothing_there_is_said_with_the_time_that_was_asked_for() {
    let mut view = view(Theme::Dark);
    view.offset = Offset::from_seconds(7_200).unwrap();
    let html = page(&of(vec![lane(Vec::new(), Vec::new())]), &frame(&view));
    check_harmless(&html);
    let said = text(&read(&html)).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        said.contains("No release and no alarm of checkout from Mar 5 14:00 to Mar 5 17:00 (UTC+02:00)."),
        "{said}"
    );
    let none = page(&of(Vec::new()), &frame(&view));
    assert!(none.contains("any service"), "{none}");
}

#[test]
fn what_is_left_out_or_not_read_is_said() {
    let mut timeline = afternoon();
    timeline.lanes[0].older = 7;
    timeline.lanes[0].more = false;
    timeline.lanes[0].unread = Some("The history of <x> could not be read".to_owned());
    timeline.notes.push("There is no service `chekout`".to_owned());
    let view = view(Theme::Light);
    let html = page(&timeline, &frame(&view));
    let document = read(&html);
    let said = text(&document);
    for words in ["and 7 older ones", "The history of <x> could not be read", "There is no service `chekout`"]
    {
        assert!(said.contains(words), "{words} in {said}");
    }
    let failed = unreadable("dynamodb:Query of service/x failed: <down>", &view);
    check_harmless(&failed);
    let said = text(&read(&failed));
    assert!(said.contains("could not read its ledger") && said.contains("<down>"), "{said}");
}

#[test]
fn a_click_shows_every_decision_with_its_reasons() {
    let view = view(Theme::Dark);
    let watch = watch("d-2", 10);
    let mut ledger = ended(began(&watch, HOSTILE), ReleaseStatus::Stopped, 21);
    for minute in 0..25 {
        ledger.decisions.push(DecisionRecord {
            service: Some(watch.service.clone()),
            verdict: Verdict::RollBack,
            reasons: Reason::CouldNotLearn { what: format!("number {minute}"), why: HOSTILE.to_owned() }
                .into(),
            signal: "s".to_owned(),
            at: at(minute),
        });
    }
    let person = Person { team: "T1".to_owned(), user: "U02ANNA".to_owned() };
    let by = Answerer::Person { who: person, stamp: "1".to_owned() };
    let answer = Answered { by, choice: Some(Choice::Keep), why: Some("wait <b>".to_owned()), at: at(12) };
    ledger.answers.insert("q".to_owned(), answer);
    let html = why(&watch.release, &ledger, &frame(&view));
    check_harmless(&html);
    let said = text(&read(&html));
    for words in [
        "earlier decisions are left out",
        "roll back",
        "number 24",
        "number 5",
        "chose Keep",
        "wait <b>",
        "Lambda",
    ] {
        assert!(said.contains(words), "{words} in {said}");
    }
    assert!(!said.contains("number 4:") && !html.contains("U02ANNA"), "{said}");
    let unknown = why(&HOSTILE.into(), &ReleaseLedger::default(), &frame(&view));
    check_harmless(&unknown);
    assert!(text(&read(&unknown)).contains("knows nothing of"));
}
