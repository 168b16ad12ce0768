//! The dashboard's row of the four DORA measures: it shows the metrics that the functions write, and no other.

use std::collections::BTreeSet;

use belay::{
    dora::{Measured, Trouble},
    metric,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{with_chat, without_chat};

fn widgets(stack: &belay_tests::stage::template::Stack) -> Vec<Value> {
    let (_, dashboard) = stack.of_type("AWS::CloudWatch::Dashboard").next().expect("a dashboard");
    let read: Value = serde_json::from_str(dashboard["DashboardBody"].as_str().unwrap()).unwrap();
    read["widgets"].as_array().unwrap().clone()
}

/// Every metric that is written for the measures, without its dimensions.
fn written() -> BTreeSet<String> {
    let at: Timestamp = "2026-03-05T14:05:40Z".parse().unwrap();
    let (service, release) = (|| "checkout".into(), || "d-1".into());
    let facts = [
        Measured::Deployed {
            service: service(),
            release: release(),
            at,
            lead_time: Some(SignedDuration::ZERO),
        },
        Measured::Failed { service: service(), release: release(), at, how: Trouble::Undone },
        Measured::Stopped { service: service(), release: release(), at },
        Measured::Restored { service: service(), alarm: "a".into(), began: at, at },
    ];
    let mut names = BTreeSet::new();
    for fact in facts {
        let line: Value = serde_json::from_str(&metric::measured(&fact)).unwrap();
        let directive = &line["_aws"]["CloudWatchMetrics"][0];
        // What is shown without a dimension is written without one, and what is searched by service with it.
        assert_eq!(directive["Dimensions"], serde_json::json!([["Service"], []]));
        let metrics = directive["Metrics"].as_array().unwrap().iter();
        names.extend(metrics.map(|metric| metric["Name"].as_str().unwrap().to_owned()));
    }
    names
}

#[test]
fn the_dashboard_shows_every_metric_of_the_measures_and_no_other() {
    for stack in [with_chat(), &without_chat()] {
        let mut shown = BTreeSet::new();
        for metric in widgets(stack)
            .iter()
            .flat_map(|one| one["properties"]["metrics"].as_array().cloned().unwrap_or_default())
        {
            let metric = metric.as_array().unwrap();
            // With a function's name it is one about Belay itself.
            if metric[0] == metric::NAMESPACE && metric[1] != "OldestQuestion" {
                assert!(
                    metric.len() == 3 && metric[2].is_object(),
                    "it has dimensions, or no label: {metric:?}"
                );
                shown.insert(metric[1].as_str().unwrap().to_owned());
            }
        }
        assert_eq!(shown, written());
    }
}

#[test]
fn what_is_computed_on_the_dashboard_is_computed_from_what_is_on_it() {
    let names = written();
    let mut expressions = 0;
    for widget in widgets(with_chat()) {
        let metrics = widget["properties"]["metrics"].as_array().cloned().unwrap_or_default();
        let options = |metric: &Value| metric.as_array().unwrap().last().cloned().unwrap_or_default();
        let ids: BTreeSet<String> =
            metrics.iter().filter_map(|metric| options(metric)["id"].as_str().map(str::to_owned)).collect();
        for expression in
            metrics.iter().filter_map(|metric| options(metric)["expression"].as_str().map(str::to_owned))
        {
            expressions += 1;
            let words: Vec<&str> = expression
                .split(|c: char| !c.is_ascii_alphanumeric())
                .filter(|word| !word.is_empty())
                .collect();
            if expression.starts_with("SEARCH(") {
                assert!(expression.contains("{Belay,Service}"), "{expression}");
                assert!(
                    names.iter().any(|name| expression.contains(&format!("MetricName=\"{name}\""))),
                    "{expression}"
                );
                continue;
            }
            // Ids begin with a small letter (CloudWatch User Guide, "Use metric math").
            let asked: Vec<&&str> =
                words.iter().filter(|word| word.starts_with(|c: char| c.is_ascii_lowercase())).collect();
            assert!(!asked.is_empty(), "{expression}");
            for id in asked {
                assert!(ids.contains(*id), "{id} of {expression} is not there: {ids:?}");
            }
        }
    }
    assert_eq!(expressions, 2);
}

#[test]
fn no_widget_lies_over_another_one() {
    let number = |widget: &Value, name: &str| widget[name].as_u64().unwrap();
    let all = widgets(with_chat());
    for (place, one) in all.iter().enumerate() {
        let [x, y, width, height] = ["x", "y", "width", "height"].map(|name| number(one, name));
        // A dashboard is 24 units wide (CloudWatch API Reference, "Dashboard Body Structure and Syntax").
        assert!(x + width <= 24, "{one}");
        for other in &all[..place] {
            let [left, top, wide, high] = ["x", "y", "width", "height"].map(|name| number(other, name));
            let apart = left + wide <= x || x + width <= left || top + high <= y || y + height <= top;
            assert!(apart, "{one} lies over {other}");
        }
    }
}
