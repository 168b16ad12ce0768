//! How each AWS service writes a moment: five notations, none of them interchangeable.

use jiff::{SignedDuration, Timestamp};

/// awsJson and CBOR: seconds since 1970, with milliseconds as a fraction.
pub(crate) fn epoch_seconds(at: Timestamp) -> f64 {
    at.as_millisecond() as f64 / 1000.0
}

/// CloudWatch in `detail`: `2026-03-05T14:05:40.989+0000`, without the colon that RFC 3339 wants
/// (CloudWatch User Guide, "Alarm events and EventBridge").
pub(crate) fn without_colon(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.%3f+0000").to_string()
}

/// CodePipeline in `detail`: `2026-03-05T13:49:39.208Z`.
pub(crate) fn milliseconds(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

/// The EventBridge envelope's `time`: RFC 3339, whole seconds.
pub(crate) fn envelope(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// A data point inside an alarm's reason: `05/03/26 14:04:00`, the day first.
pub(crate) fn in_reason(at: Timestamp) -> String {
    at.strftime("%d/%m/%y %H:%M:%S").to_string()
}

/// A composite alarm's reason: `Thursday 05 March, 2026 14:05:45 UTC`.
pub(crate) fn in_words(at: Timestamp) -> String {
    at.strftime("%A %d %B, %Y %H:%M:%S UTC").to_string()
}

/// The number of whole minutes since 1970: the name of a CloudWatch period of 60 seconds.
pub(crate) fn minute_of(at: Timestamp) -> i64 {
    at.as_second().div_euclid(60)
}

/// The moment a period of 60 seconds begins.
pub(crate) fn start_of_minute(minute: i64) -> Timestamp {
    Timestamp::from_second(minute * 60).expect("a minute within jiff's range")
}

/// Seconds as a duration that can be added to a timestamp.
pub(crate) fn seconds(count: i64) -> SignedDuration {
    SignedDuration::from_secs(count)
}

/// Minutes as a duration that can be added to a timestamp.
pub(crate) fn minutes(count: i64) -> SignedDuration {
    SignedDuration::from_mins(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_notation_is_that_of_the_sample_events() {
        let at: Timestamp = "2026-03-05T14:05:40.989Z".parse().unwrap();
        assert_eq!(without_colon(at), "2026-03-05T14:05:40.989+0000");
        assert_eq!(milliseconds(at), "2026-03-05T14:05:40.989Z");
        assert_eq!(envelope(at), "2026-03-05T14:05:40Z");
        assert_eq!(in_reason(at), "05/03/26 14:05:40");
        assert_eq!(in_words(at), "Thursday 05 March, 2026 14:05:40 UTC");
        assert_eq!(epoch_seconds(at), 1_772_719_540.989);
    }
}
