//! The timeline as SVG: a lane for each service, a mark for each release, its alarms as bars below, the way back as an
//! arrow. What can be clicked lies over it as HTML, because an action inside an SVG would be an element of SVG's: whether
//! CloudWatch finds it there is not verified.

mod rows;

use jiff::Timestamp;
use maud::{Markup, PreEscaped, html};

use self::rows::Rows;
use super::{
    Bar, Frame, Lane, Outcome, Shown, Timeline, asks_why, cut,
    mark::{HALF, mark},
    palette::Palette,
    scale::Scale,
    words,
};
use crate::release::ReleaseId;

/// The narrowest and the widest drawing, in pixels: below, it is scrolled; above, a wrong number would cost memory.
const WIDTHS: (u32, u32) = (320, 4_000);
/// What the widget's own edges take of its width.
const EDGES: u32 = 24;
/// Heights, in pixels.
const TITLE: f64 = 22.0;
const ROW: f64 = 30.0;
const BAR: f64 = 17.0;
const AXIS: f64 = 24.0;
const GAP: f64 = 10.0;
/// What a letter takes, roughly, in a label.
const LETTER: f64 = 6.1;

/// One lane with everything in its place.
struct Placed<'a> {
    lane: &'a Lane,
    /// Its upper edge.
    top: f64,
    /// Each release, the middle of its mark, and whether its label is written and at which side.
    releases: Vec<(&'a Shown, (f64, f64), Label)>,
    /// Each alarm and the middle of its bar.
    bars: Vec<(&'a Bar, f64)>,
    /// Its lower edge.
    bottom: f64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Label {
    Right,
    Left,
    None,
}

/// The whole drawing.
pub(super) fn drawing(timeline: &Timeline, frame: &Frame<'_>) -> Markup {
    let width = f64::from(frame.view.width.clamp(WIDTHS.0, WIDTHS.1).saturating_sub(EDGES));
    let view = frame.view;
    let scale = Scale::new((view.from, HALF + 4.0), (view.to, width - HALF - 4.0));
    let mut top = 0.0;
    let mut placed = Vec::new();
    for lane in &timeline.lanes {
        let lane = place(lane, top, &scale, frame.now);
        top = lane.bottom + GAP;
        placed.push(lane);
    }
    let height = top + AXIS;
    let palette = frame.palette();
    let clickable = placed.iter().flat_map(|lane| &lane.releases);
    html! {
        div style=(format!("position:relative;width:{width:.0}px;max-width:100%;overflow-x:auto")) {
            svg role="img" width=(number(width)) height=(number(height)) viewBox=(format!("0 0 {width:.0} {height:.0}"))
                style="display:block" font-size="11" {
                title { "Releases along the time. The table below says the same in words." }
                (axis(&scale, top, frame))
                @for lane in &placed { (self::lane(lane, &scale, frame)) }
            }
            @for (release, (x, y), _) in clickable {
                (asks_why(&html! {
                    a role="button" title=(told(release, frame)) style=(format!(
                        "position:absolute;left:{:.0}px;top:{:.0}px;width:22px;height:22px;cursor:pointer", x - 11.0, y - 11.0
                    )) {}
                }, &release.id, frame))
            }
        }
        p style=(format!("margin:2px 0 8px;color:{}", palette.muted)) {
            "Times are " (frame.clock().zone()) ". Click a mark, or why in the table, for the reasons."
        }
    }
}

/// A number as an attribute.
fn number(value: f64) -> String {
    format!("{value:.1}")
}

/// Where everything of a lane is: rows below each other, so that nothing lies on anything else as long as there is room.
fn place<'a>(lane: &'a Lane, top: f64, scale: &Scale, now: Timestamp) -> Placed<'a> {
    let (left, right) = scale.edges();
    let mut rows = Rows::new(8);
    let mut releases = Vec::new();
    for release in &lane.releases {
        let (begins, ends) = (scale.x(release.began), scale.x(end(release, now)));
        #[allow(clippy::cast_precision_loss, reason = "a label has some 40 letters")]
        let text = label(release).chars().count() as f64 * LETTER + 6.0;
        let (from, to) = (begins.min(ends - HALF) - 3.0, ends + HALF + 3.0);
        let (label, span) = if to + text <= right + HALF {
            (Label::Right, (from, to + text))
        } else if begins - HALF - text >= left - HALF {
            (Label::Left, (begins.min(ends - HALF) - text - 3.0, to))
        } else {
            (Label::None, (from, to))
        };
        let (row, fits) = match rows.take(span) {
            Some(row) => (row, true),
            None => (rows.take((from, to)).unwrap_or_else(|| rows.last((from, to))), false),
        };
        let y = top + TITLE + ROW * (f64::from(row) + 0.5);
        releases.push((release, (ends, y), if fits { label } else { Label::None }));
    }
    let below = top + TITLE + ROW * f64::from(rows.count().max(1));
    let mut rows = Rows::new(6);
    let mut bars = Vec::new();
    for bar in &lane.incidents {
        let (begins, ends) = (scale.x(bar.began), scale.x(bar.ended.unwrap_or(now)));
        #[allow(clippy::cast_precision_loss, reason = "a name has at most 40 letters here")]
        let text = name(bar).chars().count() as f64 * LETTER + 10.0;
        let span = if ends + text <= right { (begins, ends + text) } else { (begins - text, ends) };
        let row = rows.take(span).unwrap_or_else(|| rows.last(span));
        bars.push((bar, below + BAR * (f64::from(row) + 0.5)));
    }
    Placed { lane, top, releases, bars, bottom: below + BAR * f64::from(rows.count()) }
}

/// When a release's line ends: now, as long as it has not ended.
fn end(release: &Shown, now: Timestamp) -> Timestamp {
    match (release.ended, &release.outcome) {
        (Some(ended), _) => ended,
        (None, Outcome::Running | Outcome::Undoing) => now.max(release.began),
        // How long it took is not known.
        (
            None,
            Outcome::Succeeded
            | Outcome::Failed
            | Outcome::Stopped
            | Outcome::TakenBack
            | Outcome::Halted
            | Outcome::Would
            | Outcome::Unknown { .. },
        ) => release.began,
    }
}

/// What stands beside a mark.
fn label(release: &Shown) -> String {
    match release.by {
        super::DecidedBy::Nobody => release.outcome.word().to_owned(),
        by => format!("{} ({})", release.outcome.word(), by.word()),
    }
}

fn name(bar: &Bar) -> String {
    cut(&bar.alarm, 40)
}

/// A release in words, for whoever points at its mark.
fn told(release: &Shown, frame: &Frame<'_>) -> String {
    let clock = frame.clock();
    let revision = release.revision.as_ref().map(|revision| format!(" ({revision})")).unwrap_or_default();
    let ended = release.ended.map(|at| format!(" at {}", clock.minute(at))).unwrap_or_default();
    let told =
        format!("{}{revision}, begun {}: {}{ended}", release.id, clock.minute(release.began), label(release));
    cut(&told, 300)
}

/// The times below, with their lines, and where now is.
fn axis(scale: &Scale, bottom: f64, frame: &Frame<'_>) -> Markup {
    let palette = frame.palette();
    let (left, right) = scale.edges();
    html! {
        @for (at, label) in scale.ticks(frame.clock()) {
            @let x = scale.x(at);
            path d=(format!("M{x:.1} {TITLE}V{bottom:.1}")) stroke=(palette.grid) {}
            text x=(number(x.clamp(left + 8.0, right - 14.0))) y=(number(bottom + 15.0)) text-anchor="middle" fill=(palette.muted) { (label) }
        }
        path d=(format!("M{left:.1} {bottom:.1}H{right:.1}")) stroke=(palette.muted) {}
        @if scale.shows(frame.now) {
            @let x = scale.x(frame.now);
            path d=(format!("M{x:.1} {TITLE}V{bottom:.1}")) stroke=(palette.muted) stroke-dasharray="2 3" {}
        }
    }
}

fn lane(placed: &Placed<'_>, scale: &Scale, frame: &Frame<'_>) -> Markup {
    let palette = frame.palette();
    let (left, right) = scale.edges();
    let lines = placed.releases.iter().filter(|(_, (x, _), _)| *x > left);
    html! {
        text x=(number(left - HALF)) y=(number(placed.top + 14.0)) fill=(palette.text) font-size="13" font-weight="bold" {
            (cut(placed.lane.service.as_str(), 80))
        }
        @if placed.releases.is_empty() && placed.bars.is_empty() {
            text x=(number(left - HALF)) y=(number(placed.top + TITLE + 16.0)) fill=(palette.muted) { "Nothing in this time." }
        }
        @for (release, (x, y), _) in lines {
            path d=(format!("M{:.1} {y:.1}H{x:.1}", scale.x(release.began))) stroke=(palette.outcome(&release.outcome))
                stroke-width="4" stroke-linecap="round" {}
        }
        @for way in &placed.releases { (way_back(way, &placed.releases, scale, palette)) }
        @for (release, (x, y), side) in &placed.releases {
            (mark(&release.outcome, (*x, *y), palette))
            @let place = match side {
                Label::Right => Some((x + HALF + 5.0, "start")),
                Label::Left => Some((scale.x(release.began).min(x - HALF) - 5.0, "end")),
                Label::None => None,
            };
            @if let Some((x, anchor)) = place {
                text x=(number(x)) y=(number(y + 4.0)) text-anchor=(anchor) fill=(palette.outcome(&release.outcome)) { (label(release)) }
            }
        }
        @for (bar, y) in &placed.bars { (self::bar(bar, *y, (left, right), scale, frame)) }
    }
}

/// An alarm: from when it went off until it was OK again, open at the end if it is not.
fn bar(bar: &Bar, y: f64, (left, right): (f64, f64), scale: &Scale, frame: &Frame<'_>) -> Markup {
    let palette = frame.palette();
    let (begins, ends) =
        (scale.x(bar.began), scale.x(bar.ended.unwrap_or(frame.now)).max(scale.x(bar.began) + 2.0));
    let name = name(bar);
    #[allow(clippy::cast_precision_loss, reason = "a name has at most 40 letters here")]
    let text = name.chars().count() as f64 * LETTER + 10.0;
    let (x, anchor) = if ends + text <= right {
        (ends + 5.0, "start")
    } else if begins - text >= left {
        (begins - 5.0, "end")
    } else {
        (begins + 4.0, "start")
    };
    html! {
        path d=(format!("M{begins:.1} {y:.1}H{ends:.1}")) stroke=(palette.alarm) stroke-width="6"
            stroke-dasharray=[bar.ended.is_none().then_some("5 2")] {
            title { (words(&bar.alarm)) }
        }
        text x=(number(x)) y=(number(y + 4.0)) text-anchor=(anchor) fill=(palette.alarm) font-size="10" { (name) }
    }
}

/// The arrow from a release that was taken back to what users got again: to the mark of the release that had brought it,
/// where that is drawn, else to where it would be, outside.
fn way_back(
    (release, (x, y), _): &(&Shown, (f64, f64), Label),
    all: &[(&Shown, (f64, f64), Label)],
    scale: &Scale,
    palette: &Palette,
) -> Markup {
    let Some((target, revision)) = &release.back_to else { return PreEscaped(String::new()) };
    let named = all.iter().find(|(other, ..)| is(&other.id, target));
    // What it went back to may have come by a rollback, which is drawn as none: then the release that brought it first.
    let brought = || {
        let before = all.iter().rev().filter(|(other, ..)| other.began < release.began);
        before.into_iter().find(|(other, ..)| other.revision.as_ref() == Some(revision))
    };
    let drawn = named.or_else(brought).map(|(_, place, _)| *place);
    let (to_x, to_y) = drawn.unwrap_or((scale.edges().0.max(x - 60.0), *y));
    let high = y.min(to_y) - 19.0;
    let head = to_y - HALF - 2.0;
    html! {
        path d=(format!("M{x:.1} {:.1}C{x:.1} {high:.1} {to_x:.1} {high:.1} {to_x:.1} {head:.1}", y - HALF)) fill="none"
            stroke=(palette.taken_back) stroke-width="1.5" stroke-dasharray=[drawn.is_none().then_some("4 3")] {}
        path d=(format!("M{:.1} {:.1}L{to_x:.1} {head:.1}L{:.1} {:.1}", to_x - 4.0, head - 5.0, to_x + 4.0, head - 5.0)) fill="none"
            stroke=(palette.taken_back) stroke-width="1.5" {}
    }
}

/// Whether a release is the one that a target names: a deployment by its id, a stage's by its execution's alone.
fn is(release: &ReleaseId, target: &ReleaseId) -> bool {
    release == target || release.execution() == Some(target.as_str())
}
