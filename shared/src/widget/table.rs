//! The same in words, for whoever does not see the drawing, or wants to read.

use jiff::Timestamp;
use maud::{Markup, html};

use super::{DecidedBy, Frame, Shown, Timeline, asks_why, cut, mark::small, words};
use crate::{reason::spoken, release::ServiceName};

/// How much of a reason stands in the table; the whole is behind the click.
const REASON: usize = 160;

/// All releases, the newest first.
pub(super) fn releases(timeline: &Timeline, frame: &Frame<'_>) -> Markup {
    let mut all: Vec<(&ServiceName, &Shown)> = timeline
        .lanes
        .iter()
        .flat_map(|lane| lane.releases.iter().map(move |release| (&lane.service, release)))
        .collect();
    if all.is_empty() {
        return html! {};
    }
    all.sort_by_key(|(_, release)| std::cmp::Reverse(release.began));
    let several = timeline.lanes.len() > 1;
    let heads: &[&str] = if several {
        &["Service", "Release", "Began", "How it ended", "Decided by", "Why"]
    } else {
        &["Release", "Began", "How it ended", "Decided by", "Why"]
    };
    table(
        "Releases",
        heads,
        frame,
        &html! {
            @for (service, release) in all {
                tr {
                    @if several { td style=(cell(frame)) { (words(service.as_str())) } }
                    td style=(cell(frame)) {
                        (words(release.id.as_str()))
                        @if let Some(revision) = &release.revision { div style=(muted(frame)) { (cut(revision, 60)) } }
                    }
                    td style=(cell(frame)) { (frame.clock().minute(release.began)) }
                    td style=(cell(frame)) {
                        (small(&release.outcome, frame.palette())) (release.outcome.word())
                        @if let Some(ended) = release.ended { div style=(muted(frame)) { (took(release.began, ended)) } }
                        @if let Some((_, revision)) = &release.back_to { div style=(muted(frame)) { "back to " (cut(revision, 60)) } }
                    }
                    td style=(cell(frame)) { @if release.by == DecidedBy::Nobody { "–" } @else { (release.by.word()) } }
                    td style=(cell(frame)) {
                        @if let Some(why) = &release.why { (cut(why, REASON)) " " }
                        (asks_why(&html! {
                            a role="button" style=(format!("color:{};cursor:pointer;text-decoration:underline", frame.palette().link)) { "why" }
                        }, &release.id, frame))
                    }
                }
            }
        },
    )
}

/// All alarms that went off, the newest first.
pub(super) fn alarms(timeline: &Timeline, frame: &Frame<'_>) -> Markup {
    let mut all: Vec<_> = timeline
        .lanes
        .iter()
        .flat_map(|lane| lane.incidents.iter().map(move |bar| (&lane.service, bar)))
        .collect();
    if all.is_empty() {
        return html! {};
    }
    all.sort_by_key(|(_, bar)| std::cmp::Reverse(bar.began));
    table(
        "Alarms",
        &["Alarm", "Service", "Went off", "OK again after"],
        frame,
        &html! {
            @for (service, bar) in all {
                tr {
                    td style=(cell(frame)) { (words(&bar.alarm)) }
                    td style=(cell(frame)) { (words(service.as_str())) }
                    td style=(cell(frame)) { (frame.clock().minute(bar.began)) }
                    td style=(cell(frame)) {
                        @match bar.ended {
                            Some(ended) => { (spoken(ended.duration_since(bar.began))) }
                            None => { "not yet" }
                        }
                    }
                }
            }
        },
    )
}

fn table(caption: &str, heads: &[&str], frame: &Frame<'_>, rows: &Markup) -> Markup {
    let palette = frame.palette();
    let head = format!(
        "text-align:left;white-space:nowrap;padding:4px 10px 4px 0;color:{};border-bottom:1px solid {};font-weight:normal",
        palette.muted, palette.muted
    );
    html! {
        div style="overflow-x:auto" {
            table style="border-collapse:collapse;width:100%;margin:0 0 8px" {
                caption style="text-align:left;font-weight:bold;padding:2px 0" { (caption) }
                thead { tr { @for name in heads { th scope="col" style=(head) { (name) } } } }
                tbody { (rows) }
            }
        }
    }
}

fn cell(frame: &Frame<'_>) -> String {
    format!(
        "padding:4px 10px 4px 0;vertical-align:top;overflow-wrap:break-word;border-bottom:1px solid {}",
        frame.palette().grid
    )
}

fn muted(frame: &Frame<'_>) -> String {
    format!("color:{}", frame.palette().muted)
}

fn took(began: Timestamp, ended: Timestamp) -> String {
    format!("after {}", spoken(ended.duration_since(began)))
}
