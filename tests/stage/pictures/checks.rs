//! The pictures imitate Slack and Teams in everything that Belay sends, and nothing in them is alive.

use belay::{decision::Urgency, message::Message};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    adaptive, all,
    block::blocks,
    conversation::{Conversation, Entry},
    graph::Graph,
    mrkdwn::{escape, mrkdwn},
    situations::VIEWER,
};

fn shown(text: &str) -> String {
    mrkdwn(text, &VIEWER)
}

fn block(block: Value) -> String {
    blocks(&json!([block]), &VIEWER)
}

#[test]
fn mrkdwn_is_shown_as_slack_shows_it() {
    for (text, html) in [
        ("*bold* _slanted_ ~gone~ `code`", "<b>bold</b> <i>slanted</i> <s>gone</s> <code>code</code>"),
        ("*What Belay did:* x", "<b>What Belay did:</b> x"),
        ("*a _b_ c*", "<b>a <i>b</i> c</b>"),
        ("snake_case_name 2*3*4 * a*", "snake_case_name 2*3*4 * a*"),
        ("*open\nclosed*", "*open\nclosed*"),
        ("`*not bold* <b>`", "<code>*not bold* &lt;b&gt;</code>"),
        ("a ```x\n*y*``` b", "a <pre>x\n*y*</pre> b"),
        ("a &amp; b &lt;!here&gt; &amp;lt;", "a &amp; b &lt;!here&gt; &amp;lt;"),
        ("• one\n    • two 🔴", "• one\n    • two 🔴"),
        ("<https://x/?a=1&amp;b=2|A &amp; B>", "<a href=\"https://x/?a=1&amp;b=2\">A &amp; B</a>"),
        ("by <!date^1772719920^{date_short_pretty} {time}|then>", "by <time>today 14:12</time>"),
        ("<!date^1772668799^{date_short_pretty} {time}|then>", "<time>yesterday 23:59</time>"),
        ("<!date^1772546741^{date_short_pretty} {time}|then>", "<time>Mar 3, 2026 14:05</time>"),
    ] {
        assert_eq!(shown(text), html, "{text}");
    }
}

#[test]
fn a_person_is_shown_by_name() {
    assert_eq!(shown("👤 <@U03BOB>: chose"), "👤 <span class=\"mention\">@Bob Okafor</span>: chose");
    assert_eq!(shown("<@U0NOBODY>"), "<span class=\"mention\">@U0NOBODY</span>");
    assert_eq!(shown("*<!here>*"), "<b><span class=\"mention all\">@here</span></b>");
}

#[test]
fn what_slack_does_not_know_is_a_red_box() {
    for text in ["<b>", "<http://x|y>", "<javascript:alert(1)|y>", "<!date^x^{time}|y>", "<!date^1^{moon}|y>"]
    {
        assert!(shown(text).starts_with("<span class=\"unknown\">"), "{text}: {}", shown(text));
    }
}

#[test]
fn every_block_that_is_sent_is_drawn() {
    let words = |text: &str| json!({ "type": "mrkdwn", "text": text });
    let plain = |text: &str| json!({ "type": "plain_text", "text": text });
    for (sent, html) in [
        (json!({ "type": "header", "text": plain("*a* &amp; b") }), "<h3>*a* &amp; b</h3>"),
        (
            json!({ "type": "section", "text": words("*a*") }),
            "<div class=\"section\"><div><b>a</b></div></div>",
        ),
        (
            json!({ "type": "section", "fields": [words("a"), plain("b")] }),
            "<div class=\"section\"><div class=\"fields\"><div>a</div><div>b</div></div></div>",
        ),
        (
            json!({ "type": "context", "elements": [words("a"), words("b")] }),
            "<div class=\"context\"><span>a</span><span>b</span></div>",
        ),
        (
            json!({ "type": "actions", "elements": [
                { "type": "button", "text": plain("Keep"), "style": "primary" },
                { "type": "button", "text": plain("Halt"), "style": "danger" },
                { "type": "button", "text": plain("Extend") },
            ] }),
            "<div class=\"actions\"><span class=\"button primary\">Keep</span>\
             <span class=\"button danger\">Halt</span><span class=\"button\">Extend</span></div>",
        ),
        (
            json!({ "type": "input", "optional": true, "label": plain("Reason"),
                "element": { "type": "plain_text_input", "placeholder": plain("Why") } }),
            "<div class=\"input\"><b>Reason <small>(optional)</small></b><span class=\"box\">Why</span></div>",
        ),
        (json!({ "type": "divider" }), "<hr>"),
        (
            json!({ "type": "image", "image_url": "https://x", "alt_text": "<a graph>" }),
            "<span class=\"image large\">&lt;a graph&gt;</span>",
        ),
    ] {
        assert_eq!(block(sent), html);
    }
}

#[test]
fn what_is_not_drawn_is_a_red_box() {
    for strange in [
        json!({ "type": "rich_text" }),
        json!({}),
        json!({ "type": "section", "text": { "type": "html", "text": "x" } }),
        json!({ "type": "section", "text": { "type": "mrkdwn", "text": "x" }, "accessory": { "type": "overflow" } }),
        json!({ "type": "actions", "elements": [{ "type": "users_select" }] }),
        json!({ "type": "actions", "elements": [{ "type": "button", "style": "loud" }] }),
    ] {
        assert!(block(strange.clone()).contains("class=\"unknown\""), "{strange}");
    }
    let card = |content: Value| {
        let kind = "application/vnd.microsoft.card.adaptive";
        let body = json!({ "attachments": [{ "contentType": kind, "content": content }] });
        adaptive::message(&body, Timestamp::UNIX_EPOCH)
    };
    for strange in [
        json!({ "body": [{ "type": "Media" }] }),
        json!({ "body": [{ "type": "TextBlock", "text": "*bold*" }] }),
        json!({ "actions": [{ "type": "Action.Submit", "title": "Approve" }] }),
    ] {
        assert!(card(strange.clone()).contains("class=\"unknown\""), "{strange}");
    }
    let known = json!({ "body": [
        { "type": "TextBlock", "text": r"a\_b \\ c", "wrap": true, "color": "Attention" },
        { "type": "ColumnSet", "columns": [{ "items": [{ "type": "FactSet", "facts": [{ "title": "A", "value": "1" }] }] }] },
        { "type": "Container", "style": "good", "items": [{ "type": "ActionSet", "actions": [
            { "type": "Action.OpenUrl", "title": "Open <it>", "url": "https://x" },
        ] }] },
    ] });
    let html = card(known);
    assert!(!html.contains("unknown"), "{html}");
    for part in [
        "<p class=\"attention\">a_b \\ c</p>",
        "<dl><dt>A</dt><dd>1</dd></dl>",
        "<div class=\"container good\"><div class=\"actions\"><span class=\"button\">Open &lt;it&gt;</span></div></div>",
    ] {
        assert!(html.contains(part), "{part} in {html}");
    }
}

#[test]
fn nothing_from_outside_comes_alive() {
    let evil = "<script>alert(1)</script> & \"co\" <!here>";
    let message = Message {
        thread: "d-1".to_owned(),
        urgency: Urgency::Loud,
        title: evil.to_owned(),
        at: Timestamp::UNIX_EPOCH,
        reasons: vec![evil.to_owned()],
        did: evil.to_owned(),
        next_steps: vec![evil.to_owned()],
        links: Vec::new(),
        service: Some(evil.to_owned()),
        release: None,
        asks: false,
        who: None,
        slack: None,
        graph: None,
    };
    let post = belay::chat::slack::message(&message);
    let entry = Entry::Message { at: message.at, post, replies: Vec::new() };
    let slack = Conversation(vec![entry]).html(&VIEWER);
    // Title, reason, deed, step and service.
    assert_eq!(slack.matches(&escape(evil)).count(), 5, "{slack}");
    let teams = adaptive::message(&belay::chat::teams::message(&message), message.at);
    assert!(teams.contains("‹script›alert(1)‹/script› &amp; &quot;co&quot;"), "{teams}");
    for html in [slack, teams] {
        assert!(!html.contains("<script") && !html.contains("class=\"mention"), "{html}");
    }
}

#[test]
fn the_pictures_show_everything_and_load_nothing() {
    for picture in all() {
        let html = &picture.html;
        for alive in
            ["class=\"unknown\"", "<script", " src=", "url(", "@import", "<link", "<img", "javascript:"]
        {
            assert!(!html.contains(alive), "{}: {alive}", picture.name);
        }
        assert!(html.contains("default-src 'none'"), "{}", picture.name);
        let known = ["d-44MN5CAQD", "Production ", "checkout-prod-5xx-rate"];
        assert!(known.iter().any(|part| html.contains(part)), "{}", picture.name);
    }
}

#[test]
fn every_picture_is_described() {
    for (folder, described) in [
        ("cards", include_str!("../../../docs/cards/README.md")),
        ("widget", include_str!("../../../docs/widget/README.md")),
    ] {
        let described: Vec<&str> = described
            .lines()
            .filter_map(|line| line.strip_prefix("| [")?.split_once(".png](").map(|(name, _)| name))
            .collect();
        let all = all();
        let names = all.iter().filter(|picture| picture.folder == folder).map(|picture| picture.name);
        assert_eq!(described, names.collect::<Vec<_>>(), "docs/{folder}/README.md");
    }
}

/// The widget alone is what CloudWatch would get: nothing that it takes out, and no page of its own around it.
#[test]
fn the_widget_is_in_its_pictures_as_it_was_sent() {
    for picture in all().iter().filter(|picture| picture.folder == "widget") {
        let (_, widget) = picture.html.split_once("</h2>").unwrap();
        assert!(widget.contains("class=\"cwdb-no-default-styles\""), "{}", picture.name);
        for taken_out in ["<iframe", "<use", "<style", " onclick", " href="] {
            assert!(!widget.contains(taken_out), "{}: {taken_out}", picture.name);
        }
    }
}

#[test]
fn each_situation_is_in_its_picture() {
    let pictures = all();
    for (name, part) in [
        ("running", "▓░░░░░░░░░ 10 %"),
        ("asked", "<span class=\"button\">Extend</span>"),
        ("asked", "<span class=\"box\">"),
        ("taken-back", "<polyline"),
        ("taken-back", "Also sent to the channel"),
        ("approval-hook", "May d-44MN5CAQD go on past BeforeAllowTraffic?"),
        ("approval-pipeline", "<span class=\"button primary\">Approve</span>"),
        ("refused", "Only visible to you"),
        ("halted", "was halted, and not taken back"),
        ("succeeded", "@Anna Berg"),
        ("failed-stage", "<span class=\"button\">Retry</span>"),
        ("observed", "would have taken it back"),
        ("commands", "checkout: d-44MN5CAQD is on its way"),
        ("commands", "It could go back to checkout:live version 41"),
        ("commands", "Did you mean <code>checkout</code>?"),
        ("light", "taken back (Belay)"),
        ("light", "background:#ffffff"),
        ("dark", "Times are UTC+01:00"),
        ("dark", "background:#161d26"),
        ("dark", "Did you mean `search`?"),
        ("why", "What Belay decided"),
        ("teams", "<p class=\"large bolder attention\">checkout: taking back"),
    ] {
        let picture = pictures.iter().find(|picture| picture.name == name).unwrap();
        assert!(picture.html.contains(part), "{name}: {part}");
    }
}

#[test]
fn a_graph_is_drawn_to_scale() {
    let graph = Graph {
        title: "a <b>",
        unit: "%",
        from: Timestamp::UNIX_EPOCH,
        values: &[0.0, 5.0, 10.0],
        threshold: (5.0, "> 5"),
        began: 1.0,
        top: 10.0,
    };
    let svg = graph.svg();
    for part in [
        "points=\"46.0,236.0 413.0,141.0 780.0,46.0\"",
        "M46 141.0H780\" stroke=\"#d13212\"",
        "M413.0 46V236",
        "a &lt;b&gt;",
        "&gt; 5",
    ] {
        assert!(svg.contains(part), "{part} in {svg}");
    }
}
