//! Thirty of a kind: the median, and how far they lie apart.

use serde::Serialize;

/// Measurements of one figure, in one unit.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Samples(pub Vec<f64>);

impl Samples {
    /// The value that this share of them does not exceed, by nearest rank; `None` of nothing.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "a rank among some thirty"
    )]
    pub fn percentile(&self, share: f64) -> Option<f64> {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let rank = (share * sorted.len() as f64).ceil() as usize;
        sorted.get(rank.max(1) - 1).copied()
    }

    /// The middle one.
    pub fn median(&self) -> Option<f64> {
        self.percentile(0.5)
    }

    /// Median, and in brackets the tenth and the ninetieth percentile.
    pub fn shown(&self, unit: &str) -> String {
        match (self.median(), self.percentile(0.1), self.percentile(0.9)) {
            (Some(median), Some(low), Some(high)) => {
                format!("{} {unit} ({}–{})", figure(median), figure(low), figure(high))
            }
            (_, _, _) => "–".to_owned(),
        }
    }
}

/// Three digits, or what of them there is.
pub fn figure(value: f64) -> String {
    match value.abs() {
        size if size < 10.0 => format!("{value:.2}"),
        size if size < 100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_by_nearest_rank() {
        let samples = Samples((1..=30).rev().map(f64::from).collect());
        assert_eq!(samples.median(), Some(15.0));
        assert_eq!((samples.percentile(0.1), samples.percentile(0.9)), (Some(3.0), Some(27.0)));
        assert_eq!(samples.shown("ms"), "15.0 ms (3.00–27.0)");
        assert_eq!(Samples::default().shown("ms"), "–");
    }
}
