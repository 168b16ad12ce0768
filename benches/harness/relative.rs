//! Times in recorded answers: kept relative to the moment of the alarm, and filled in when they are served.

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use regex_lite::{Captures, Regex};
use serde_json::{Number, Value};

/// What a time looks like in the answers: ISO 8601 with `Z` or `+0000`, as alarms write it in their reasons, as
/// milliseconds and as seconds since 1970.
const TIMES: &str = r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?)(Z|\+0000)|\b(\d\d/\d\d/\d\d \d\d:\d\d:\d\d)\b|\b(1[6-9]\d{11})\b|\b(1[6-9]\d{8})\b";

/// What stands in their place: how it is written, and the seconds after the moment.
const PLACES: &str = r"\{(seconds|z|offset|reason|millis|digits):(-?\d+(?:\.\d+)?)\}";

/// Numbers of that size are seconds since 1970.
const SECONDS: std::ops::Range<f64> = 1.6e9..2.0e9;

/// Turns times into places and back.
pub struct Times {
    times: Regex,
    places: Regex,
    moment: Timestamp,
}

impl Times {
    /// Around that moment.
    ///
    /// # Panics
    /// Never: the patterns are constants.
    #[allow(clippy::expect_used, reason = "constant patterns")]
    pub fn around(moment: Timestamp) -> Self {
        let pattern = |text| Regex::new(text).expect("a well-formed pattern");
        Self { times: pattern(TIMES), places: pattern(PLACES), moment }
    }

    /// Replaces every time by its place.
    pub fn take_out(&self, value: &Value) -> Value {
        match value {
            Value::Number(number) => match number.as_f64() {
                Some(seconds) if SECONDS.contains(&seconds) => {
                    Value::String(self.place("seconds", (seconds * 1_000.0).round()))
                }
                Some(_) | None => value.clone(),
            },
            Value::String(text) => Value::String(self.take_out_of_text(text)),
            Value::Array(members) => members.iter().map(|member| self.take_out(member)).collect(),
            Value::Object(members) => {
                members.iter().map(|(name, member)| (name.clone(), self.take_out(member))).collect()
            }
            Value::Null | Value::Bool(_) => value.clone(),
        }
    }

    /// The same in a text, such as an XML body.
    pub fn take_out_of_text(&self, text: &str) -> String {
        let taken = self.times.replace_all(text, |found: &Captures<'_>| {
            let group = |number: usize| found.get(number).map(|part| part.as_str());
            let place = match (group(1), group(3), group(4), group(5)) {
                (Some(time), ..) => {
                    let how = if group(2) == Some("Z") { "z" } else { "offset" };
                    iso(time).map(|at| self.place(how, at))
                }
                (_, Some(time), ..) => in_a_reason(time).map(|at| self.place("reason", at)),
                (_, _, Some(millis), _) => millis.parse().ok().map(|at| self.place("millis", at)),
                (_, _, _, Some(seconds)) => {
                    seconds.parse::<f64>().ok().map(|at| self.place("digits", at * 1_000.0))
                }
                (None, None, None, None) => None,
            };
            place.unwrap_or_else(|| found[0].to_owned())
        });
        taken.into_owned()
    }

    /// `millis`: since 1970.
    #[allow(clippy::cast_precision_loss, reason = "milliseconds of our century fit")]
    fn place(&self, how: &str, millis: f64) -> String {
        let seconds = (millis - self.moment.as_millisecond() as f64) / 1_000.0;
        format!("{{{how}:{seconds:.3}}}")
    }

    /// Fills the places in again.
    pub fn fill_in(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => match self.whole_place(text) {
                Some(seconds) => Number::from_f64(seconds).map_or(Value::Null, Value::Number),
                None => Value::String(self.fill_in_text(text)),
            },
            Value::Array(members) => members.iter().map(|member| self.fill_in(member)).collect(),
            Value::Object(members) => {
                members.iter().map(|(name, member)| (name.clone(), self.fill_in(member))).collect()
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        }
    }

    /// The seconds since 1970 of a text that is nothing but a place for a number.
    pub fn whole_place(&self, text: &str) -> Option<f64> {
        let found = self.places.captures(text)?;
        (&found[1] == "seconds" && found[0].len() == text.len())
            .then(|| found[2].parse().ok())
            .flatten()
            .map(|after| in_seconds(self.at(after)))
    }

    /// The same in a text.
    pub fn fill_in_text(&self, text: &str) -> String {
        let filled = self.places.replace_all(text, |found: &Captures<'_>| {
            let Ok(after) = found[2].parse() else { return found[0].to_owned() };
            let at = self.at(after);
            match &found[1] {
                "z" => at.to_string(),
                "offset" => at.strftime("%Y-%m-%dT%H:%M:%S.%3f+0000").to_string(),
                "reason" => at.strftime("%d/%m/%y %H:%M:%S").to_string(),
                "millis" => at.as_millisecond().to_string(),
                "digits" => at.as_second().to_string(),
                _ => in_seconds(at).to_string(),
            }
        });
        filled.into_owned()
    }

    fn at(&self, after: f64) -> Timestamp {
        let after = SignedDuration::try_from_secs_f64(after).unwrap_or_default();
        self.moment.checked_add(after).unwrap_or(self.moment)
    }
}

#[allow(clippy::cast_precision_loss, reason = "milliseconds of our century fit")]
fn in_seconds(at: Timestamp) -> f64 {
    at.as_millisecond() as f64 / 1_000.0
}

#[allow(clippy::cast_precision_loss, reason = "milliseconds of our century fit")]
fn iso(time: &str) -> Option<f64> {
    let at: Timestamp = format!("{time}Z").parse().ok()?;
    Some(at.as_millisecond() as f64)
}

#[allow(clippy::cast_precision_loss, reason = "milliseconds of our century fit")]
fn in_a_reason(time: &str) -> Option<f64> {
    let time = jiff::civil::DateTime::strptime("%d/%m/%y %H:%M:%S", time).ok()?;
    Some(time.to_zoned(TimeZone::UTC).ok()?.timestamp().as_millisecond() as f64)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_taken_out_is_filled_in_again_at_another_moment() {
        let said = json!({
            "createTime": 1_795_312_188.81, "count": 3, "account": "123456789012",
            "body": "{\"at\":\"2026-11-22T01:49:50Z\",\"began\":\"2026-11-22T01:49:53.81Z\"}",
            "timestamp": "2026-11-22T01:52:18.810+0000",
            "reason": "[11.0 (22/11/26 01:51:00)]", "owner": "request@1795312193810", "expires_at": { "N": "1803088193" },
        });
        let then: Timestamp = "2026-11-22T01:52:18.810Z".parse().unwrap();
        let taken = Times::around(then).take_out(&said);
        assert_eq!(taken["createTime"], "{seconds:-150.000}");
        assert_eq!(taken["reason"], "[11.0 ({reason:-78.810})]");
        assert_eq!((&taken["count"], &taken["account"]), (&said["count"], &said["account"]));
        assert_eq!(Times::around(then).fill_in(&taken), said);
        let later = Times::around(then + SignedDuration::from_hours(24)).fill_in(&taken);
        assert_eq!(later["createTime"], 1_795_398_588.81);
        assert_eq!(later["timestamp"], "2026-11-23T01:52:18.810+0000");
        assert_eq!(later["owner"], "request@1795398593810");
        assert_eq!(later["expires_at"], json!({ "N": "1803174593" }));
    }
}
