//! What Belay says of itself in numbers: lines of a function's log that CloudWatch reads as metrics (the embedded
//! metric format, CloudWatch User Guide, "Embedded metric format specification"). No call is made for them.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::dora::Measured;

/// The namespace of all of them.
pub const NAMESPACE: &str = "Belay";

/// How long the oldest question has been open, in seconds. There is no such line while no question is open.
///
/// `function` is the name of the function whose log it is: the only dimension, so that two stacks do not mix, and each
/// further value would be a metric that is billed. The line is JSON from its first character to its last, or CloudWatch
/// would not read it.
pub fn oldest_question(age: SignedDuration, function: &str, at: Timestamp) -> String {
    json!({
        "_aws": {
            "Timestamp": at.as_millisecond(),
            "CloudWatchMetrics": [{
                "Namespace": NAMESPACE,
                "Dimensions": [["FunctionName"]],
                "Metrics": [{ "Name": "OldestQuestion", "Unit": "Seconds" }],
            }],
        },
        "FunctionName": function,
        "OldestQuestion": age.as_secs(),
    })
    .to_string()
}

/// Something that counts for the four measures (see [`crate::dora`]), for its service and for all services together.
///
/// The dimension sets are `[["Service"], []]`: two metrics for each name, which is what CloudWatch bills. There is no
/// dimension whose values nobody bounds, such as the release. Two stacks in one account and region add up to one.
/// CloudWatch takes a timestamp of up to two weeks ago (CloudWatch User Guide, "Publish custom metrics"); what is heard of
/// later is in the ledger only.
pub fn measured(fact: &Measured) -> String {
    let numbers: &[(&str, &str, i64)] = &match fact {
        Measured::Deployed { lead_time, .. } => {
            let mut numbers = vec![("Deployments", "Count", 1)];
            numbers.extend(lead_time.map(|took| ("LeadTime", "Seconds", took.as_secs())));
            numbers
        }
        Measured::Failed { .. } => vec![("ChangeFailures", "Count", 1)],
        Measured::Stopped { .. } => vec![("ChangesStopped", "Count", 1)],
        Measured::Restored { began, at, .. } => {
            vec![("TimeToRestore", "Seconds", at.duration_since(*began).as_secs())]
        }
    };
    let directives: Vec<Value> =
        numbers.iter().map(|(name, unit, _)| json!({ "Name": name, "Unit": unit })).collect();
    let mut line = json!({
        "_aws": {
            "Timestamp": fact.at().as_millisecond(),
            "CloudWatchMetrics": [{
                "Namespace": NAMESPACE,
                "Dimensions": [["Service"], []],
                "Metrics": directives,
            }],
        },
        "Service": fact.service().as_str(),
        // What it was, for whoever reads the log: properties, of which CloudWatch makes no metric.
        "Fact": fact.key(),
    });
    for (name, _, number) in numbers {
        line[*name] = Value::from(*number);
    }
    line.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dora::Trouble;

    #[test]
    fn a_metric_is_one_line_of_json_whose_targets_are_at_its_root() {
        let at: Timestamp = "2026-03-05T14:05:41Z".parse().unwrap();
        let line = oldest_question(SignedDuration::from_mins(61), "belay-sweep", at);
        assert!(line.starts_with('{') && !line.contains('\n'), "{line}");
        let line: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(line["_aws"]["Timestamp"], 1_772_719_541_000_i64);
        let directive = &line["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(directive["Namespace"], NAMESPACE);
        for dimension in directive["Dimensions"][0].as_array().unwrap() {
            assert!(
                line[dimension.as_str().unwrap()].is_string(),
                "{dimension}: dimensions point to strings"
            );
        }
        for metric in directive["Metrics"].as_array().unwrap() {
            let target = &line[metric["Name"].as_str().unwrap()];
            assert_eq!((target, &metric["Unit"]), (&Value::from(3660), &Value::from("Seconds")));
        }
    }

    /// One fact of each kind.
    fn facts() -> [Measured; 5] {
        let at: Timestamp = "2026-03-05T14:05:40Z".parse().unwrap();
        let (service, release) = (|| "checkout".into(), || "d-1".into());
        let lead_time = Some(SignedDuration::from_hours(2));
        [
            Measured::Deployed { service: service(), release: release(), at, lead_time },
            Measured::Deployed { service: service(), release: release(), at, lead_time: None },
            Measured::Failed { service: service(), release: release(), at, how: Trouble::Halted },
            Measured::Stopped { service: service(), release: release(), at },
            Measured::Restored {
                service: service(),
                alarm: "checkout-5xx".into(),
                began: at - SignedDuration::from_mins(12),
                at,
            },
        ]
    }

    #[test]
    fn each_fact_is_a_line_for_its_service_and_for_all() {
        let mut said = Vec::new();
        for fact in facts() {
            let text = measured(&fact);
            assert!(text.starts_with('{') && text.ends_with('}') && !text.contains('\n'), "{text}");
            let line: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(line["_aws"]["Timestamp"], fact.at().as_millisecond());
            let directives = line["_aws"]["CloudWatchMetrics"].as_array().unwrap();
            assert_eq!(directives.len(), 1);
            assert_eq!(directives[0]["Namespace"], NAMESPACE);
            assert_eq!(directives[0]["Dimensions"], json!([["Service"], []]));
            assert_eq!(line["Service"], "checkout");
            for metric in directives[0]["Metrics"].as_array().unwrap() {
                let (name, unit) = (metric["Name"].as_str().unwrap(), metric["Unit"].as_str().unwrap());
                said.push((name.to_owned(), unit.to_owned(), line[name].as_i64().unwrap()));
            }
        }
        let said: Vec<(&str, &str, i64)> =
            said.iter().map(|(name, unit, value)| (name.as_str(), unit.as_str(), *value)).collect();
        assert_eq!(
            said,
            [
                ("Deployments", "Count", 1),
                ("LeadTime", "Seconds", 7_200),
                ("Deployments", "Count", 1),
                ("ChangeFailures", "Count", 1),
                ("ChangesStopped", "Count", 1),
                ("TimeToRestore", "Seconds", 720),
            ]
        );
    }
}
