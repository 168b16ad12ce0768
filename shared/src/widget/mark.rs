//! The shapes of the outcomes. Each has one of its own, so that nobody needs the colours.

use maud::{Markup, html};

use super::{Outcome, palette::Palette};

/// Half of a shape's width, in pixels.
pub(super) const HALF: f64 = 7.0;

/// The shape of an outcome, around a point.
pub(super) fn mark(outcome: &Outcome, (x, y): (f64, f64), palette: &Palette) -> Markup {
    let (colour, ground) = (palette.outcome(outcome), palette.ground);
    let place = format!("translate({x:.1} {y:.1})");
    // Filled for what is over, open for what is not or did not happen.
    let (fill, ink) = match outcome {
        Outcome::Succeeded | Outcome::Failed | Outcome::TakenBack | Outcome::Halted | Outcome::Running => {
            (colour, ground)
        }
        Outcome::Stopped | Outcome::Undoing | Outcome::Would | Outcome::Unknown { .. } => (ground, colour),
    };
    let (outline, sign) = paths(outcome);
    html! {
        g transform=(place) stroke-linecap="round" stroke-linejoin="round" {
            path d=(outline) fill=(fill) stroke=(colour) stroke-width="1.5" {}
            path d=(sign) fill="none" stroke=(ink) stroke-width="1.8" {}
        }
    }
}

/// A shape's outline, and the sign in it.
fn paths(outcome: &Outcome) -> (&'static str, &'static str) {
    const CIRCLE: &str = "M-7 0a7 7 0 1 1 14 0a7 7 0 1 1 -14 0z";
    const SQUARE: &str = "M-6.5 -6.5h13v13h-13z";
    const OCTAGON: &str = "M-3 -7h6l4 4v6l-4 4h-6l-4 -4v-6z";
    const BACK: &str = "M-8 0l12 -7.5v15z";
    const ON: &str = "M8 0l-12 -7.5v15z";
    const DIAMOND: &str = "M0 -8l8 8l-8 8l-8 -8z";
    match outcome {
        Outcome::Succeeded => (CIRCLE, "M-3.5 0.5l2.5 2.5l4.5 -5.5"),
        Outcome::Failed => (SQUARE, "M-3.2 -3.2l6.4 6.4M3.2 -3.2l-6.4 6.4"),
        Outcome::Stopped => (SQUARE, "M-2.5 -2.5h5v5h-5z"),
        Outcome::TakenBack => (BACK, "M-2 0h3.5"),
        Outcome::Undoing => (BACK, "M-2 0h3.5"),
        Outcome::Halted => (OCTAGON, "M-2.2 -3v6M2.2 -3v6"),
        Outcome::Would => (DIAMOND, "M-3 0h6M-3 0l2.5 -2.5M-3 0l2.5 2.5"),
        Outcome::Running => (ON, "M-1.5 0h3"),
        Outcome::Unknown { .. } => (CIRCLE, "M-2.2 -1.5a2.2 2.2 0 1 1 3 2q-.8 .3 -.8 1.4M0 4v.1"),
    }
}

/// The same beside words.
pub(super) fn small(outcome: &Outcome, palette: &Palette) -> Markup {
    html! {
        svg width="16" height="16" viewBox="-9 -9 18 18" aria-hidden="true" style="vertical-align:-3px;margin-right:5px" {
            (mark(outcome, (0.0, 0.0), palette))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_outcomes_look_the_same_without_their_colours() {
        let all = [
            Outcome::Running,
            Outcome::Succeeded,
            Outcome::Failed,
            Outcome::Stopped,
            Outcome::TakenBack,
            Outcome::Undoing,
            Outcome::Halted,
            Outcome::Would,
            Outcome::Unknown { why: String::new() },
        ];
        let palette = Palette::of(super::super::Theme::Light);
        let drawn: std::collections::BTreeSet<String> = all
            .iter()
            .map(|outcome| {
                let drawn = mark(outcome, (0.0, 0.0), palette).into_string();
                drawn.replace(palette.outcome(outcome), "colour")
            })
            .collect();
        assert_eq!(drawn.len(), all.len());
    }
}
