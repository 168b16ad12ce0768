//! The widget for CloudWatch dashboards: a service's releases along the time, how they ended, who decided, and why.
//!
//! CloudWatch shows the HTML that a function returns, and takes scripts, `<iframe>` and `<use>` out of it (CloudWatch User
//! Guide, "Details about custom widgets in CloudWatch", "Security and JavaScript"). So everything is HTML and SVG with
//! its style inside; what is clicked calls the function again by a `<cwdb-action>`. Nothing in here reads or does
//! anything: a timeline goes in, text comes out. All of it is written through `maud`, which escapes whatever is
//! interpolated; `words` takes out what no document may hold.

mod clock;
mod documentation;
mod drawing;
mod mark;
mod outcome;
mod palette;
mod popup;
mod scale;
mod table;

#[cfg(test)]
mod any_text_tests;
#[cfg(test)]
mod tests;

use jiff::{Timestamp, tz::Offset};
use maud::{Markup, PreEscaped, html};

use self::{clock::Clock, palette::Palette};
use crate::{
    chat::text::line,
    release::{ReleaseId, ServiceName},
};

pub use documentation::DOCUMENTATION;
pub use outcome::{DecidedBy, Outcome, Shown};

/// How many releases are drawn at most, the newest of all services together. Each is one query of the ledger.
pub const MOST: usize = 60;

/// How many services are drawn at most where the widget's parameters name none.
pub const LANES: usize = 20;

/// How a viewer looks at the dashboard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// The beginning of the time that the dashboard shows.
    pub from: Timestamp,
    /// Its end.
    pub to: Timestamp,
    /// Light or dark.
    pub theme: Theme,
    /// The widget's width, in CSS pixels.
    pub width: u32,
    /// What the viewer's clocks show, as an offset from UTC.
    pub offset: Offset,
    /// The services that the widget's parameters name; empty for all of the policy.
    pub services: Vec<ServiceName>,
    /// Parameters that the widget does not have. Said to the viewer. Text from outside.
    pub strange: Vec<String>,
}

/// The dashboard's colours (`widgetContext.theme`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Theme {
    /// Dark on light; also for a word that this version of Belay does not know.
    Light,
    /// Light on dark.
    Dark,
}

/// What is drawn.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Timeline {
    /// One for each service.
    pub lanes: Vec<Lane>,
    /// What there is to say above it: services that are not known, or not drawn, and what could not be read. Sentences.
    pub notes: Vec<String>,
}

/// One service's releases and alarms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lane {
    /// The service.
    pub service: ServiceName,
    /// Its releases, the oldest first.
    pub releases: Vec<Shown>,
    /// How many older ones of the same time are not drawn.
    pub older: usize,
    /// Whether there may be more of those: not all were read.
    pub more: bool,
    /// The alarms that went off, the oldest first.
    pub incidents: Vec<Bar>,
    /// Why its releases or alarms are not, or not all, known.
    pub unread: Option<String>,
}

/// An alarm that went off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bar {
    /// Its name. Text from outside.
    pub alarm: String,
    /// When it went off.
    pub began: Timestamp,
    /// When it was OK again; none if it is not.
    pub ended: Option<Timestamp>,
}

/// Everything that a drawing needs besides what it draws.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// How the viewer looks at it.
    pub view: &'a View,
    /// The ARN of the function that answers clicks: this one.
    pub endpoint: &'a str,
    /// When it is drawn.
    pub now: Timestamp,
}

impl Frame<'_> {
    fn palette(&self) -> &'static Palette {
        Palette::of(self.view.theme)
    }

    fn clock(&self) -> Clock {
        Clock(self.view.offset)
    }
}

/// The whole widget.
pub fn page(timeline: &Timeline, frame: &Frame<'_>) -> String {
    let palette = frame.palette();
    let nothing = timeline.lanes.iter().all(|lane| lane.releases.is_empty() && lane.incidents.is_empty());
    let notes = timeline.notes.iter().chain(timeline.lanes.iter().filter_map(|lane| lane.unread.as_ref()));
    let inside = html! {
        @for note in notes {
            p role="alert" style=(format!("margin:0 0 6px;padding:4px 8px;border-left:4px solid {}", palette.failed)) { (words(note)) }
        }
        @for lane in timeline.lanes.iter().filter(|lane| lane.older > 0) {
            p style="margin:0 0 6px" { (words(lane.service.as_str())) ": and " @if lane.more { "at least " } (lane.older) " older ones." }
        }
        @if nothing {
            p style="margin:0 0 6px" {
                "No release and no alarm of " (known(timeline)) " from " (frame.clock().minute(frame.view.from))
                " to " (frame.clock().minute(frame.view.to)) " (" (frame.clock().zone()) ")."
            }
        } @else {
            (drawing::drawing(timeline, frame))
            (table::releases(timeline, frame))
            (table::alarms(timeline, frame))
        }
    };
    framed(&inside, palette)
}

/// Which services a timeline is about.
fn known(timeline: &Timeline) -> String {
    let names: Vec<&str> = timeline.lanes.iter().map(|lane| lane.service.as_str()).collect();
    match &names[..] {
        [] => "any service".to_owned(),
        names => words(&names.join(", ")),
    }
}

/// Why a release ended as it did: what a click on it shows.
pub fn why(release: &ReleaseId, ledger: &crate::ledger::ReleaseLedger, frame: &Frame<'_>) -> String {
    framed(&popup::popup(release, ledger, frame), frame.palette())
}

/// What the widget shows where nothing could be read: words, and not the error page of the dashboard.
pub fn unreadable(why: &str, view: &View) -> String {
    let palette = Palette::of(view.theme);
    let inside = html! {
        p role="alert" style=(format!("margin:0 0 6px;padding:4px 8px;border-left:4px solid {}", palette.failed)) {
            b { "Belay could not read its ledger." }
            " What was released, and how it ended, cannot be shown just now; it says nothing about how the services are. "
            "Refresh the widget in a moment; if that does not help, look into the log of release-widget."
        }
        p style=(format!("margin:0;color:{}", palette.muted)) { (cut(why, 400)) }
    };
    framed(&inside, palette)
}

/// The widget's own colours and letters, so that both themes are readable whatever surrounds them. The class switches
/// CloudWatch's own styles off (User Guide, "Details about custom widgets in CloudWatch").
fn framed(inside: &Markup, palette: &Palette) -> String {
    let style = format!(
        "background:{};color:{};font:12px/1.4 'Amazon Ember','Helvetica Neue',Roboto,Arial,sans-serif;padding:8px",
        palette.ground, palette.text
    );
    html! { div class="cwdb-no-default-styles" style=(style) { (inside) } }.into_string()
}

/// Text from outside as one line that every document may hold: no control characters, none that turn the direction of
/// what follows, and not the two that XML forbids (XML 1.0, "Characters"). It is escaped where it is written.
fn words(text: &str) -> String {
    line(text).replace(['\u{FFFE}', '\u{FFFF}'], "")
}

/// The same, at most so many characters long.
fn cut(text: &str, most: usize) -> String {
    let whole = words(text);
    if whole.chars().nth(most).is_none() {
        return whole;
    }
    whole.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

/// An element that can be clicked, and what the click calls: this function, with the release's name. The action belongs
/// to the element right before it (User Guide, "Interactivity in the custom widget").
fn asks_why(element: &Markup, release: &ReleaseId, frame: &Frame<'_>) -> Markup {
    html! {
        (element)
        cwdb-action action="call" display="popup" endpoint=(words(frame.endpoint)) { (payload(release)) }
    }
}

/// The call's parameters. In JSON, characters that HTML would read are written as `\u003c` and the like; so it can stand
/// there as AWS's own examples have it, with its quotes as they are.
fn payload(release: &ReleaseId) -> PreEscaped<String> {
    let json = serde_json::json!({ "belay": "why", "release": release.as_str() }).to_string();
    let mut safe = String::with_capacity(json.len());
    for character in json.chars() {
        match character {
            '<' | '>' | '&' | '\'' | '\u{7f}'..='\u{10ffff}' => {
                let mut units = [0; 2];
                for unit in character.encode_utf16(&mut units) {
                    safe.push_str(&format!("\\u{unit:04x}"));
                }
            }
            other => safe.push(other),
        }
    }
    PreEscaped(safe)
}
