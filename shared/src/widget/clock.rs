//! Times as the viewer's clocks show them. There is no database of time zones in a Lambda function: the dashboard says
//! what its offset from UTC is, and that holds for the whole drawing, also across a change to summer time.

use jiff::{Timestamp, civil::DateTime, tz::Offset};

/// A viewer's clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock(pub(super) Offset);

impl Clock {
    /// What the clock shows.
    pub(super) fn shown(self, at: Timestamp) -> DateTime {
        self.0.to_datetime(at)
    }

    /// The day and the minute.
    pub(super) fn minute(self, at: Timestamp) -> String {
        self.shown(at).strftime("%b %-d %H:%M").to_string()
    }

    /// The day and the second.
    pub(super) fn second(self, at: Timestamp) -> String {
        self.shown(at).strftime("%b %-d %H:%M:%S").to_string()
    }

    /// What the clock is set to: `UTC`, or `UTC+02:00`.
    pub(super) fn zone(self) -> String {
        let minutes = self.0.seconds() / 60;
        if minutes == 0 {
            return "UTC".to_owned();
        }
        let sign = if minutes < 0 { '-' } else { '+' };
        format!("UTC{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_shown_by_the_viewers_clock() {
        let at: Timestamp = "2026-03-05T23:05:40Z".parse().unwrap();
        let clock = |seconds| Clock(Offset::from_seconds(seconds).unwrap());
        assert_eq!(clock(0).minute(at), "Mar 5 23:05");
        assert_eq!(
            (clock(7_200).minute(at).as_str(), clock(7_200).zone().as_str()),
            ("Mar 6 01:05", "UTC+02:00")
        );
        assert_eq!(
            (clock(-12_600).second(at).as_str(), clock(-12_600).zone().as_str()),
            ("Mar 5 19:35:40", "UTC-03:30")
        );
        assert_eq!(clock(0).zone(), "UTC");
    }
}
