//! The widget on a CloudWatch dashboard, by the function and the real client of the ledger: what a viewer sees of what was
//! played, of nothing, of a ledger that cannot be read, and of text that means harm.

use std::collections::{BTreeMap, BTreeSet};

use belay::{
    aws::ledger::Ledger,
    decision::Verdict,
    evidence::Observed,
    ledger::{Began, DecisionRecord, Ended, Incident, Note, Partition, Watch},
    policy::Policy,
    reason::Reason,
    release::{Change, DeploymentGroup, Place, Platform, ReleaseStatus},
    start::Failure,
};
use belay_tests::{
    Fault,
    stage::{
        functions::{self, id, invocation},
        play::{Looked, play},
    },
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::{
    a_release_is_guarded::{POLICY, Story, lambda, noon},
    every_rehearsal_comes_true::scripts,
};

/// A page as XML; everything that a reader reads of it.
fn said(html: &str) -> String {
    let document = roxmltree::Document::parse(html).unwrap_or_else(|error| panic!("{error} in {html}"));
    let texts = document.descendants().filter(roxmltree::Node::is_text).filter_map(|node| node.text());
    texts.collect::<Vec<_>>().join(" ")
}

/// The elements of a page, by name.
fn elements(html: &str) -> BTreeSet<String> {
    let document = roxmltree::Document::parse(html).unwrap();
    let elements = document.descendants().filter(roxmltree::Node::is_element);
    elements.map(|node| node.tag_name().name().to_owned()).collect()
}

/// Holds a page against how it was when somebody last looked at it; the pictures in docs/widget are drawn from this.
fn seen(name: &str, html: &str) {
    insta::with_settings!(
        { snapshot_path => "snapshots", prepend_module_to_snapshot => false, omit_expression => true },
        { insta::assert_snapshot!(name, html.replace("><", ">\n<")) }
    );
}

#[tokio::test]
async fn an_hour_of_releases_is_seen_light_and_dark_and_a_click_says_why() {
    let (_, rehearsal) = scripts().into_iter().find(|(name, _)| name == "dashboard").unwrap();
    let played = play(&rehearsal, rehearsal.policy.as_deref()).await.unwrap();
    assert_eq!(played.disappointments(&rehearsal), Vec::<String>::new());
    let [light, dark] = &played.looked[..] else { panic!("{:#?}", played.looked) };
    assert!(!light.dark && dark.dark);
    for Looked { widget, popup, .. } in [light, dark] {
        let words = format!("{} {}", said(widget), said(popup.as_ref().unwrap()));
        // Whoever may look at a dashboard need not know who.
        assert!(!words.contains("U02ANNA"), "{words}");
        assert!(elements(widget).contains("svg") && widget.contains("role=\"img\""));
    }
    // Four releases, each a line of the table and a mark: outcome, who, and why.
    let document = roxmltree::Document::parse(&light.widget).unwrap();
    let rows: Vec<String> = document
        .descendants()
        .filter(|node| node.has_tag_name("tr"))
        .map(|row| row.descendants().filter_map(|node| node.text()).collect::<Vec<_>>().join(" "))
        .filter(|row| row.contains("\"belay\":\"why\""))
        .collect();
    assert_eq!(rows.len(), 4, "{rows:#?}");
    for (row, (outcome, why)) in rows.iter().zip([
        ("running", "It can be undone"),
        ("a person", "An approver chose: Roll back"),
        ("Belay", "The alarm checkout-prod-5xx-rate went off"),
        ("succeeded", ""),
    ]) {
        assert!(row.contains(outcome) && row.contains(why), "{outcome}, {why}: {row}");
    }
    assert_eq!(rows.iter().filter(|row| row.contains("taken back")).count(), 2, "{rows:#?}");
    assert_eq!(light.widget.matches("<cwdb-action").count(), 8);
    // Both lead back to the release that went well: whole arrows, and none to where nothing is drawn.
    let arrows = document.descendants().filter(|node| node.attribute("d").is_some_and(|d| d.contains('C')));
    let whole: Vec<_> = arrows.filter(|node| node.attribute("stroke-dasharray").is_none()).collect();
    assert_eq!(whole.len(), 2);
    // What a click shows is the whole story.
    let popup = said(light.popup.as_ref().unwrap());
    for words in [
        "What people answered",
        "chose Roll back",
        "Checkout takes seconds",
        "is `ask`: a person decides",
        "asked",
    ] {
        assert!(popup.contains(words), "{words} in {popup}");
    }
    seen("widget_light", &light.widget);
    seen("widget_dark", &dark.widget);
    seen("widget_why", dark.popup.as_ref().unwrap());
}

/// A simulation with Belay's functions, and a client that writes the ledger's records.
async fn stage() -> (Story, Ledger) {
    let story = Story::of(lambda()).await;
    let ledger = Ledger::new(&functions::sdk_config(&story.simulator.endpoint(), "writer"), functions::TABLE);
    (story, ledger)
}

async fn asked(story: &Story, payload: Value) -> Result<String, Failure> {
    let policy = Policy::parse(&POLICY.replace("HEALTH", "http://127.0.0.1:1/")).unwrap();
    let guards = functions::guards(&story.simulator.endpoint(), policy, "release-widget");
    let (id, now) = (id(), story.simulator.now());
    let answer =
        release_widget::handle(&guards, payload.to_string().as_bytes(), invocation(&id, now)).await?;
    Ok(answer.as_str().expect("a string").to_owned())
}

/// What a dashboard that shows the last six hours asks for.
fn render(story: &Story) -> Value {
    let now = story.simulator.now().as_millisecond();
    let range = json!({ "start": now - 6 * 3_600_000, "end": now });
    json!({ "widgetContext": { "timeRange": range, "theme": "light", "width": 900 } })
}

fn why(story: &Story, release: &str) -> Value {
    let mut call = render(story);
    call["belay"] = json!("why");
    call["release"] = json!(release);
    call
}

fn watch(id: &str, began: Timestamp) -> Watch {
    let group = DeploymentGroup { application: "orders".to_owned(), group: "prod".to_owned() };
    Watch { release: id.into(), service: "orders".into(), place: Place::Group(group), began }
}

/// Writes down a release that brings this, was decided about for this reason, and ended well.
async fn released(ledger: &Ledger, id: &str, at: Timestamp, words: &str) {
    let watch = watch(id, at);
    ledger.keep(&Note::Listed(watch.clone()), at).await.unwrap();
    let began = Began {
        service: watch.service.clone(),
        place: watch.place.clone(),
        platform: Platform::Lambda,
        revision: words.to_owned(),
        at,
        rolls_back: None,
        target: Observed::Missing { why: words.to_owned() },
        alarms: BTreeMap::new(),
        change: Change { message: Some(words.to_owned()), ..Change::default() },
    };
    ledger.open(&watch.release, &began, at).await.unwrap();
    let record = DecisionRecord {
        service: Some(watch.service),
        verdict: Verdict::Ask,
        reasons: Reason::MarkedNoRollback { why: words.to_owned() }.into(),
        signal: "alarm/1".to_owned(),
        at,
    };
    ledger.record(&Partition::Release(watch.release.clone()), &record, at).await.unwrap();
    let ended = Ended { status: ReleaseStatus::Succeeded, at, error: None, rolled_back_by: None };
    ledger.close(&watch.release, &ended, at).await.unwrap();
}

fn ago(minutes: i64) -> Timestamp {
    noon().checked_sub(SignedDuration::from_mins(minutes)).unwrap()
}

#[tokio::test]
async fn nothing_there_is_said_and_a_description_reads_nothing() {
    let (story, _) = stage().await;
    let html = asked(&story, render(&story)).await.unwrap();
    assert!(
        said(&html).contains("No release and no alarm of orders from Mar 5 06:00 to Mar 5 12:00 (UTC)."),
        "{html}"
    );
    assert!(said(&asked(&story, why(&story, "d-none")).await.unwrap()).contains("knows nothing of"));
    let calls = story.simulator.journal().len();
    let described = asked(&story, json!({ "describe": true })).await.unwrap();
    assert!(described.starts_with("## Belay"), "{described}");
    assert_eq!(story.simulator.journal().len(), calls);
}

#[tokio::test]
async fn a_ledger_that_cannot_be_read_is_said_in_the_widget() {
    let (story, ledger) = stage().await;
    released(&ledger, "d-1", ago(30), "v41").await;
    story.simulator.fault("Query", Fault::InternalError, u32::MAX);
    for call in [render(&story), why(&story, "d-1")] {
        let html = asked(&story, call).await.unwrap();
        let said = said(&html);
        assert!(
            said.contains("Belay could not read its ledger") && said.contains("dynamodb:Query"),
            "{said}"
        );
        assert!(!elements(&html).contains("svg"));
    }
    story.simulator.clear_faults();
    assert!(said(&asked(&story, render(&story)).await.unwrap()).contains("d-1"));
}

#[tokio::test]
async fn one_record_that_cannot_be_read_hides_no_other() {
    let (story, ledger) = stage().await;
    released(&ledger, "d-1", ago(60), "v41").await;
    released(&ledger, "d-2", ago(30), "v42").await;
    let client = aws_sdk_dynamodb::Client::new(&functions::sdk_config(&story.simulator.endpoint(), "writer"));
    let text = |text: &str| aws_sdk_dynamodb::types::AttributeValue::S(text.to_owned());
    let newer = client
        .put_item()
        .table_name(functions::TABLE)
        .item("pk", text("release/d-2"))
        .item("sk", text("something-new"))
        .item("v", aws_sdk_dynamodb::types::AttributeValue::N("99".to_owned()))
        .item("body", text("{}"));
    newer.send().await.unwrap();
    let html = asked(&story, render(&story)).await.unwrap();
    let said = said(&html);
    assert!(said.contains("v41") && said.contains("not known") && said.contains("version 99"), "{said}");
    assert!(!said.contains("v42"), "{said}");
}

#[tokio::test]
async fn text_that_means_harm_is_text() {
    let hostile =
        "</text></svg><script>alert(1)</script><img src=x onerror=\"alert(2)\"> & 'q' \u{0}\u{b}\u{202e}]]>";
    let (story, ledger) = stage().await;
    released(&ledger, "d-1<script>", ago(30), hostile).await;
    let incident = Incident {
        alarm: hostile.into(),
        service: "orders".into(),
        began: ago(29),
        release: None,
        ended: Some(ago(20)),
    };
    ledger.keep(&Note::Restored(incident.clone()), ago(20)).await.unwrap();
    ledger.keep(&Note::Broke(Incident { began: ago(10), ended: None, ..incident }), ago(10)).await.unwrap();
    for call in [render(&story), why(&story, "d-1<script>"), why(&story, hostile)] {
        let html = asked(&story, call).await.unwrap();
        let alive = ["script", "img", "iframe", "use", "style"];
        assert!(alive.iter().all(|name| !elements(&html).contains(*name)), "{html}");
        assert!(
            said(&html).contains("<script>alert(1)</script>") || said(&html).contains("knows nothing"),
            "{html}"
        );
        assert!(!html.contains("<script") && !html.contains("<img"), "{html}");
    }
    // The click on it finds it.
    let html = asked(&story, render(&story)).await.unwrap();
    assert!(html.contains(r#"{"belay":"why","release":"d-1\u003cscript\u003e"}"#), "{html}");
    assert!(said(&html).contains("not yet"), "the alarm that is not OK again");
}

#[tokio::test]
async fn the_newest_sixty_are_drawn_and_the_others_counted() {
    let (story, ledger) = stage().await;
    for minute in 0..70 {
        let watch = watch(&format!("d-{minute}"), ago(200 - minute));
        ledger.keep(&Note::Listed(watch.clone()), watch.began).await.unwrap();
        let ended =
            Ended { status: ReleaseStatus::Failed, at: ago(199 - minute), error: None, rolled_back_by: None };
        ledger.close(&watch.release, &ended, watch.began).await.unwrap();
    }
    // One before the dashboard's time, which has ended by then, is nobody's business.
    released(&ledger, "d-old", ago(400), "v1").await;
    let calls = story.simulator.journal().len();
    let html = asked(&story, render(&story)).await.unwrap();
    let words = said(&html);
    assert!(words.contains("and 10 older ones"), "{words}");
    assert!(words.contains("d-69") && words.contains("d-11") && !words.contains("d-old"), "{words}");
    assert_eq!(html.matches("<cwdb-action").count(), 120);
    assert_eq!(story.simulator.journal().len() - calls, 63, "sixty releases, and three lists");
}
