//! The graph of an alarm's metric, drawn as CloudWatch draws it: the line, the threshold, and where the release began.

use jiff::Timestamp;

use super::mrkdwn::{clock, escape};

/// What is drawn.
pub(super) struct Graph {
    /// Above it.
    pub(super) title: &'static str,
    /// What the numbers count.
    pub(super) unit: &'static str,
    /// The time of the first value; one follows each minute.
    pub(super) from: Timestamp,
    /// The values.
    pub(super) values: &'static [f64],
    /// The alarm's threshold, and what stands at its line.
    pub(super) threshold: (f64, &'static str),
    /// When the release began, in minutes after `from`.
    pub(super) began: f64,
    /// The top of the scale.
    pub(super) top: f64,
}

const WIDTH: f64 = 800.0;
const HEIGHT: f64 = 300.0;
/// The place of the graph itself: left, top, right, bottom.
const PLACE: (f64, f64, f64, f64) = (46.0, 46.0, 780.0, 236.0);
/// How many lines there are across.
const LINES: u32 = 3;
/// How many minutes lie between two times under the graph.
const STEP: usize = 5;

impl Graph {
    /// An `<svg>` of 800 by 300, as large as what Belay asks CloudWatch for.
    pub(super) fn svg(&self) -> String {
        let (left, top, right, bottom) = PLACE;
        #[allow(clippy::cast_precision_loss, reason = "a graph has few values")]
        let minutes = self.values.len().saturating_sub(1).max(1) as f64;
        let x = |minute: f64| left + (right - left) * minute / minutes;
        let y = |value: f64| bottom - (bottom - top) * value / self.top;
        let mut svg = format!(
            "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"Arial, 'Liberation Sans', sans-serif\" font-size=\"12\">\
             <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#fff\"/>\
             <text x=\"16\" y=\"24\" font-size=\"15\" fill=\"#16191f\">{}</text>",
            escape(self.title)
        );
        for line in 0..=LINES {
            let value = self.top * f64::from(line) / f64::from(LINES);
            let at = y(value);
            svg.push_str(&format!(
                "<path d=\"M{left} {at:.1}H{right}\" stroke=\"#eaeded\"/>\
                 <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"#545b64\">{value:.0}</text>",
                left - 6.0,
                at + 4.0
            ));
        }
        let mut line = String::new();
        for (minute, value) in (0_u32..).zip(self.values) {
            let at = x(f64::from(minute));
            line.push_str(&format!("{at:.1},{:.1} ", y(*value)));
            if (minute as usize).is_multiple_of(STEP) {
                let seconds = self.from.as_second() + 60 * i64::from(minute);
                let time = Timestamp::from_second(seconds).map(clock).unwrap_or_default();
                svg.push_str(&format!(
                    "<text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"#545b64\">{time}</text>",
                    bottom + 18.0
                ));
            }
        }
        let (limit, label) = (y(self.threshold.0), escape(self.threshold.1));
        let began = x(self.began);
        svg.push_str(&format!(
            "<path d=\"M{left} {limit:.1}H{right}\" stroke=\"#d13212\" stroke-width=\"1.5\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" fill=\"#d13212\">{label}</text>\
             <path d=\"M{began:.1} {top}V{bottom}\" stroke=\"#16191f\" stroke-dasharray=\"4 3\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" fill=\"#16191f\">the release began</text>\
             <polyline points=\"{}\" fill=\"none\" stroke=\"#1f77b4\" stroke-width=\"2\"/>\
             <path d=\"M{left} 277h14\" stroke=\"#1f77b4\" stroke-width=\"4\"/>\
             <text x=\"{:.1}\" y=\"281\" fill=\"#16191f\">{}</text></svg>",
            left + 6.0,
            limit - 6.0,
            began + 6.0,
            top + 12.0,
            line.trim_end(),
            left + 20.0,
            escape(self.unit)
        ));
        svg
    }
}
