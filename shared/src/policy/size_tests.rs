//! Large policies are read, and what is only large is refused.
#![allow(clippy::unwrap_used, reason = "tests")]

use super::{
    tests::{SMALL, mistakes},
    *,
};

/// So many services as people write them, with so many alarms each.
fn of_size(services: usize) -> String {
    let mut text = String::from("version: 1\nservices:\n");
    for n in 0..services {
        text.push_str(&format!("  s{n}:\n    deployed_by: [ {{ codedeploy: {{ application: a{n}, deployment_group: g }} }} ]\n    alarms: {{ s{n}-5xx: roll_back, s{n}-slow: {{ rule: ask, missing: alarm }}, \"s{n}-*\": notify }}\n    chat: {{ slack: C0123 }}\n"));
    }
    text
}

#[test]
fn ten_thousand_services_are_read() {
    let policy = Policy::parse(&of_size(10_000)).unwrap();
    assert_eq!(policy.services().count(), 10_000);
    assert_eq!(policy.watchers(&AlarmName::from("s9999-slow"))[0].alarm.rule, Rule::Ask);
    // Also where each repeats what one says.
    let one = "version: 1\nservices:\n  first:\n    deployed_by: [ { codedeploy: { application: a, deployment_group: g } } ]\n    alarms: &alarms { a: ask, b: ask, c: ask, d: ask, \"e-*\": notify }\n";
    let mut text = one.to_owned();
    for n in 0..10_000 {
        text.push_str(&format!("  s{n}:\n    deployed_by: [ {{ codedeploy: {{ application: a{n}, deployment_group: g }} }} ]\n    alarms: *alarms\n"));
    }
    assert_eq!(Policy::parse(&text).unwrap().watchers(&AlarmName::from("d")).len(), 10_001);
}

#[test]
fn what_a_text_takes_is_bounded_by_its_length() {
    // Two bytes a node, and nothing else: as dense as nobody writes.
    let dense = |nodes: usize| format!("[{}]\n", vec!["a"; nodes].join(","));
    assert!(mistakes(&dense(190_000)).contains("expected a mapping"));
    assert!(mistakes(&dense(210_000)).contains("too large"));
    // Anchors within anchors: each remembers all that is in it. Sixty times ten thousand, in twenty thousand bytes.
    let nested = |anchors: usize| {
        let opening: String = (0..anchors).map(|n| format!("&a{n} [")).collect();
        format!("{opening}{}{}\n", vec!["x"; 10_000].join(","), "]".repeat(anchors))
    };
    assert!(mistakes(&nested(9)).contains("expected a mapping"));
    assert!(mistakes(&nested(11)).contains("too large"));
    // And one anchor, repeated: nothing of it is copied once there is too much.
    let repeated =
        |times: usize| format!("- &a [{}]\n{}", vec!["x"; 10_000].join(","), "- *a\n".repeat(times));
    assert!(mistakes(&repeated(9)).contains("expected a mapping"));
    assert!(mistakes(&repeated(11)).contains("too large"));
}

#[test]
fn many_alarms_of_one_service_are_read_in_no_more_than_their_number() {
    // Ten thousand names and one pattern behind them: each is held against the patterns alone.
    let names: String = (0..10_000).map(|n| format!("      a{n}: ask\n")).collect();
    let text = SMALL.replace("{ checkout-5xx: roll_back }", &format!("\n{names}      \"a*\": notify"));
    assert_eq!(Policy::parse(&text).unwrap().services().next().unwrap().alarms.len(), 10_001);
    // The same name twice is found among many, too.
    let twice = text.replace("a9999: ask", "a17: ask");
    let said = "line 10005: services.checkout.alarms.a17: is written twice; the first is on line 23";
    assert_eq!(mistakes(&twice), said);
}

#[test]
fn a_pipeline_finds_its_services_and_an_account_only_its_own() {
    let mut text = String::from("version: 1\nservices:\n");
    for (name, role, places) in [
        ("b", "", "[ { pipeline: { name: shop, stage: Two } }, { pipeline: { name: shop, stage: One } } ]"),
        (
            "a",
            "",
            "[ { codedeploy: { application: a, deployment_group: g } }, { pipeline: { name: shop, stage: Three } } ]",
        ),
        (
            "c",
            "    account_role: arn:aws:iam::222222222222:role/belay\n",
            "[ { pipeline: { name: shop, stage: One } } ]",
        ),
        ("d", "", "[ { pipeline: { name: other, stage: One } } ]"),
    ] {
        text.push_str(&format!("  {name}:\n{role}    deployed_by: {places}\n    alarms: {{ x: ask }}\n"));
    }
    let policy = Policy::parse(&text).unwrap();
    let found = |policy: &Policy, pipeline: &str| -> Vec<String> {
        let all = policy.in_pipeline(pipeline);
        all.iter().map(|(service, stage)| format!("{} {}", service.name, stage.stage)).collect()
    };
    let (own, there) = (policy.of_account(None), policy.of_account(Some("222222222222")));
    assert_eq!(found(&own, "shop"), ["a Three", "b Two"]);
    assert_eq!(found(&there, "shop"), ["c One"]);
    assert_eq!(found(&policy, "shop"), ["a Three", "b Two", "c One"]);
    assert_eq!(found(&own, "none"), Vec::<String>::new());
    assert_eq!(own.watchers(&AlarmName::from("x")).len(), 3);
    let c = ServiceName::from("c");
    assert!(own.service(&c).is_none() && there.service(&c).is_some() && policy.service(&c).is_some());
    assert!(own.roles().is_empty() && there.roles().len() == 1 && policy.roles().len() == 1);
    assert_ne!(own, there);
}
