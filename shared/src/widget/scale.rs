//! Where a moment is on the drawing, and where the time under it is written.

use jiff::{SignedDuration, Timestamp, civil::DateTime};

use super::clock::Clock;

/// Pixels that a time under the drawing needs.
const LABEL: f64 = 84.0;

/// How far apart times may be written, in minutes.
const STEPS: [i64; 17] =
    [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1_440, 2_880, 10_080, 20_160, 43_200, 129_600];

/// The time along the drawing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    from: Timestamp,
    to: Timestamp,
    left: f64,
    right: f64,
}

impl Scale {
    /// From one moment at one place to a later one at another.
    pub(super) fn new((from, left): (Timestamp, f64), (to, right): (Timestamp, f64)) -> Self {
        Self { from, to, left, right }
    }

    /// Where a moment is; what lies outside is at the edge.
    pub(super) fn x(&self, at: Timestamp) -> f64 {
        let whole = self.to.duration_since(self.from).as_secs_f64();
        let part = at.duration_since(self.from).as_secs_f64();
        if whole <= 0.0 {
            return self.left;
        }
        self.left + (self.right - self.left) * (part / whole).clamp(0.0, 1.0)
    }

    /// Whether a moment lies on the drawing.
    pub(super) fn shows(&self, at: Timestamp) -> bool {
        (self.from..=self.to).contains(&at)
    }

    /// Where the drawing begins and ends.
    pub(super) fn edges(&self) -> (f64, f64) {
        (self.left, self.right)
    }

    /// The moments that are written, and how: as many as fit, on full hours or whatever the step is by the viewer's
    /// clock.
    pub(super) fn ticks(&self, clock: Clock) -> Vec<(Timestamp, String)> {
        let minutes = self.to.duration_since(self.from).as_secs_f64() / 60.0;
        let most = ((self.right - self.left) / LABEL).max(1.0);
        #[allow(clippy::cast_precision_loss, reason = "a step is at most 129,600")]
        let fits = |step: &&i64| minutes / **step as f64 <= most;
        let step = STEPS.iter().find(fits).copied().unwrap_or(STEPS[STEPS.len() - 1]);
        let seconds = step * 60;
        // By the viewer's clock: midnight is theirs.
        let ahead = i64::from(clock.0.seconds());
        let first = (self.from.as_second() + ahead).div_euclid(seconds) * seconds - ahead;
        let mut at = Timestamp::from_second(first).unwrap_or(self.from);
        let mut ticks = Vec::new();
        while at <= self.to && ticks.len() < 100 {
            if at >= self.from {
                ticks.push((at, written(clock.shown(at), step)));
            }
            match at.checked_add(SignedDuration::from_secs(seconds)) {
                Ok(next) => at = next,
                Err(_) => break,
            }
        }
        ticks
    }
}

/// A moment as it is written: the time, or the day where a new one begins.
fn written(at: DateTime, step: i64) -> String {
    let midnight = at.hour() == 0 && at.minute() == 0;
    let form = if midnight || step >= 1_440 { "%b %-d" } else { "%H:%M" };
    at.strftime(form).to_string()
}

#[cfg(test)]
mod tests {
    use jiff::tz::Offset;

    use super::*;

    fn scale(from: &str, to: &str, width: f64) -> Scale {
        Scale::new((from.parse().unwrap(), 0.0), (to.parse().unwrap(), width))
    }

    fn labels(scale: Scale, seconds: i32) -> Vec<String> {
        let clock = Clock(Offset::from_seconds(seconds).unwrap());
        scale.ticks(clock).into_iter().map(|(_, label)| label).collect()
    }

    #[test]
    fn a_moment_is_where_it_belongs() {
        let scale = scale("2026-03-05T00:00:00Z", "2026-03-05T10:00:00Z", 500.0);
        for (at, x) in
            [("2026-03-05T03:00:00Z", 150.0), ("2026-03-04T00:00:00Z", 0.0), ("2026-03-06T00:00:00Z", 500.0)]
        {
            assert!((scale.x(at.parse().unwrap()) - x).abs() < 0.001, "{at}");
        }
        assert!(scale.shows("2026-03-05T10:00:00Z".parse().unwrap()));
        assert!(!scale.shows("2026-03-05T10:00:01Z".parse().unwrap()));
    }

    #[test]
    fn times_are_full_hours_of_the_viewers_clock() {
        let day = scale("2026-03-05T20:10:00Z", "2026-03-06T04:10:00Z", 500.0);
        assert_eq!(labels(day, 0), ["22:00", "Mar 6", "02:00", "04:00"]);
        assert_eq!(labels(day, 19_800), ["02:00", "04:00", "06:00", "08:00"]);
        assert_eq!(labels(scale("2026-03-01T00:00:00Z", "2026-05-30T00:00:00Z", 500.0), 0).len(), 3);
        assert_eq!(
            labels(scale("2026-03-05T00:00:30Z", "2026-03-05T00:03:30Z", 500.0), 0),
            ["00:01", "00:02", "00:03"]
        );
    }

    #[test]
    fn no_range_has_too_many_times_or_none_to_stand_on() {
        for (from, to) in [
            ("-009999-02-02T00:00:00Z", "9999-12-29T00:00:00Z"),
            ("2026-03-05T00:00:00Z", "2026-03-05T00:00:00Z"),
        ] {
            let scale = scale(from, to, 500.0);
            assert!(scale.ticks(Clock(Offset::UTC)).len() <= 100);
            assert!(scale.x("2026-03-05T00:00:00Z".parse().unwrap()).is_finite());
        }
    }
}
