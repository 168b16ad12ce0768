//! The colours of the two themes. No colour says anything alone: each outcome has a shape and a word as well.

use super::{Outcome, Theme};

/// A theme's colours, as CSS.
#[derive(Debug)]
pub(super) struct Palette {
    pub(super) ground: &'static str,
    pub(super) text: &'static str,
    /// For what matters less.
    pub(super) muted: &'static str,
    /// Lines behind everything: decoration.
    pub(super) grid: &'static str,
    pub(super) link: &'static str,
    pub(super) succeeded: &'static str,
    pub(super) failed: &'static str,
    pub(super) taken_back: &'static str,
    pub(super) halted: &'static str,
    pub(super) would: &'static str,
    pub(super) running: &'static str,
    pub(super) alarm: &'static str,
}

const LIGHT: Palette = Palette {
    ground: "#ffffff",
    text: "#0f141a",
    muted: "#424650",
    grid: "#d5dbdb",
    link: "#0b5cad",
    succeeded: "#00695c",
    failed: "#b3310b",
    taken_back: "#0b5cad",
    halted: "#7b3f98",
    would: "#7a5c00",
    running: "#37475a",
    alarm: "#c2320f",
};

const DARK: Palette = Palette {
    ground: "#161d26",
    text: "#ebebf0",
    muted: "#b4b9c4",
    grid: "#414d5c",
    link: "#7cc4ff",
    succeeded: "#4fd1b5",
    failed: "#ff8a65",
    taken_back: "#7cc4ff",
    halted: "#d3a4ee",
    would: "#f0c95a",
    running: "#b6becd",
    alarm: "#ff9178",
};

impl Palette {
    pub(super) fn of(theme: Theme) -> &'static Self {
        match theme {
            Theme::Light => &LIGHT,
            Theme::Dark => &DARK,
        }
    }

    /// The colour of an outcome.
    pub(super) fn outcome(&self, outcome: &Outcome) -> &'static str {
        match outcome {
            Outcome::Succeeded => self.succeeded,
            Outcome::Failed | Outcome::Stopped => self.failed,
            Outcome::TakenBack | Outcome::Undoing => self.taken_back,
            Outcome::Halted => self.halted,
            Outcome::Would => self.would,
            Outcome::Running => self.running,
            Outcome::Unknown { .. } => self.muted,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Relative luminance (WCAG 2.2, "relative luminance").
    fn luminance(colour: &str) -> f64 {
        let part = |at: usize| {
            let share = f64::from(u8::from_str_radix(&colour[at..at + 2], 16).unwrap()) / 255.0;
            if share <= 0.040_45 { share / 12.92 } else { ((share + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * part(1) + 0.7152 * part(3) + 0.0722 * part(5)
    }

    /// WCAG 2.2, "contrast ratio".
    fn contrast(one: &str, other: &str) -> f64 {
        let (one, other) = (luminance(one), luminance(other));
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    #[test]
    fn everything_can_be_read_in_both_themes() {
        assert!((contrast("#000000", "#ffffff") - 21.0).abs() < 0.01 && contrast("#777777", "#ffffff") < 4.5);
        for palette in [&LIGHT, &DARK] {
            let Palette {
                text,
                muted,
                link,
                succeeded,
                failed,
                taken_back,
                halted,
                would,
                running,
                alarm,
                ..
            } = palette;
            // Words stand in each of these: WCAG 2.2, 1.4.3 asks for 4.5, and for 3 for shapes (1.4.11).
            for colour in [text, muted, link, succeeded, failed, taken_back, halted, would, running, alarm] {
                let ratio = contrast(colour, palette.ground);
                assert!(ratio >= 4.5, "{colour} on {}: {ratio:.2}", palette.ground);
            }
        }
    }
}
