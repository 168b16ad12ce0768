//! Event patterns. `quamina` matches them; what it has beyond EventBridge, or reads otherwise, is refused here
//! (EventBridge User Guide, "Comparison operators for use in event patterns").

use quamina::Quamina;
use serde_json::Value;

/// The operators that both have and read alike.
const OPERATORS: [&str; 6] = ["prefix", "suffix", "anything-but", "exists", "equals-ignore-case", "wildcard"];

/// Whether a pattern matches an event.
///
/// # Errors
/// When the pattern has something that is not known here.
pub(crate) fn matches(pattern: &Value, event: &Value) -> Result<bool, String> {
    check(pattern, "")?;
    let mut quamina = Quamina::new();
    quamina.add_pattern("it", &pattern.to_string()).map_err(|error| format!("{pattern}: {error}"))?;
    quamina.has_matches(event.to_string().as_bytes()).map_err(|error| format!("{event}: {error}"))
}

fn check(pattern: &Value, path: &str) -> Result<(), String> {
    let fields = pattern.as_object().ok_or_else(|| format!("{path}: a pattern is an object of lists"))?;
    for (name, value) in fields {
        let path = format!("{path}.{name}");
        if name == "$or" {
            return Err(format!("{path}: $or is not known here"));
        }
        match value {
            Value::Array(choices) if !choices.is_empty() => {
                for choice in choices {
                    check_choice(choice).map_err(|why| format!("{path}: {why}"))?;
                }
            }
            Value::Object(_) => check(value, &path)?,
            _ => return Err(format!("{path}: found {value}, expected a list that is not empty")),
        }
    }
    Ok(())
}

fn check_choice(choice: &Value) -> Result<(), String> {
    match choice {
        Value::String(_) | Value::Bool(_) | Value::Null => Ok(()),
        // EventBridge compares numbers as they are written: 3.0 is not 3. Quamina compares their values.
        Value::Number(number) => Err(format!("the number {number} is not known here")),
        Value::Array(_) => Err("a list in a list".to_owned()),
        Value::Object(operator) => match operator.keys().find(|name| !OPERATORS.contains(&name.as_str())) {
            Some(name) => Err(format!("the operator {name} is not known here")),
            None => Ok(()),
        },
    }
}

mod tests {
    use serde_json::json;

    use super::*;

    /// Examples of the EventBridge User Guide ("Comparison operators for use in event patterns", "Event pattern
    /// structure"), and their opposites.
    #[test]
    fn the_examples_of_the_user_guide_match_as_it_says() {
        for (pattern, yes, no) in [
            (json!({ "Name": ["Alice"] }), json!({ "Name": "Alice" }), json!({ "Name": "alice" })),
            (json!({ "LastName": [""] }), json!({ "LastName": "" }), json!({ "LastName": "A" })),
            (json!({ "UserID": [null] }), json!({ "UserID": null }), json!({ "UserID": "" })),
            (
                json!({ "Location": ["New York"], "Day": ["Monday"] }),
                json!({ "Location": "New York", "Day": "Monday" }),
                json!({ "Location": "New York", "Day": "Tuesday" }),
            ),
            (
                json!({ "PaymentType": ["Credit", "Debit"] }),
                json!({ "PaymentType": "Debit" }),
                json!({ "PaymentType": "Cash" }),
            ),
            (
                json!({ "ProductName": [{ "exists": true }] }),
                json!({ "ProductName": "x" }),
                json!({ "Product": "x" }),
            ),
            (
                json!({ "detail": { "state": [{ "exists": false }] } }),
                json!({ "detail": { "other": 1 } }),
                json!({ "detail": { "state": "x" } }),
            ),
            (
                json!({ "Region": [{ "prefix": "us-" }] }),
                json!({ "Region": "us-east-1" }),
                json!({ "Region": "eu-us-1" }),
            ),
            (
                json!({ "FileName": [{ "suffix": ".png" }] }),
                json!({ "FileName": "a.png" }),
                json!({ "FileName": "a.png.txt" }),
            ),
            (
                json!({ "Name": [{ "equals-ignore-case": "alice" }] }),
                json!({ "Name": "ALICE" }),
                json!({ "Name": "Alicia" }),
            ),
            (
                json!({ "state": [{ "anything-but": "initializing" }] }),
                json!({ "state": "running" }),
                json!({ "state": "initializing" }),
            ),
            (
                json!({ "state": [{ "anything-but": ["stopped", "overloaded"] }] }),
                json!({ "state": "running" }),
                json!({ "state": "overloaded" }),
            ),
            (
                json!({ "EventBusArn": [{ "wildcard": "arn:aws:events:us-east-1:*:event-bus/*" }] }),
                json!({ "EventBusArn": "arn:aws:events:us-east-1:1:event-bus/x" }),
                json!({ "EventBusArn": "arn:aws:events:us-east-2:1:event-bus/x" }),
            ),
            // An array in the event matches if one of its members does.
            (
                json!({ "resources": ["arn:aws:b"] }),
                json!({ "resources": ["arn:aws:a", "arn:aws:b"] }),
                json!({ "resources": ["arn:aws:a"] }),
            ),
        ] {
            assert_eq!(matches(&pattern, &yes), Ok(true), "{pattern} {yes}");
            assert_eq!(matches(&pattern, &no), Ok(false), "{pattern} {no}");
        }
    }

    #[test]
    fn what_is_not_known_is_refused() {
        for pattern in [
            json!({ "state": "running" }),
            json!({ "state": [] }),
            json!({ "code": [300] }),
            json!({ "price": [{ "numeric": [">", 0] }] }),
            json!({ "state": [{ "regexp": "x" }] }),
            json!({ "state": [{ "shellstyle": "x" }] }),
            json!({ "$or": [{ "a": ["b"] }, { "c": ["d"] }] }),
            json!({ "state": [{ "anything-but": { "prefix": "x" } }] }),
        ] {
            assert!(matches(&pattern, &json!({ "state": "running" })).is_err(), "{pattern}");
        }
    }
}
