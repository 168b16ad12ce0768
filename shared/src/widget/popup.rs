//! What a click on a release shows: everything that Belay decided about it, with the reasons, and what those rested on.

use maud::{Markup, html};

use super::{
    Frame, cut,
    mark::small,
    outcome::{Shown, outcome},
    words,
};
use crate::{
    approval::Choice,
    chat::{draw::short, replies::said},
    evidence::Target,
    ledger::{Answerer, Began, RecordedState, ReleaseLedger, Watch},
    reason::spoken,
    release::ReleaseId,
};

/// How many decisions are shown, the newest.
const DECISIONS: usize = 20;
/// How much of a sentence, in characters.
const SENTENCE: usize = 1_000;

/// A release's story.
pub(super) fn popup(release: &ReleaseId, ledger: &ReleaseLedger, frame: &Frame<'_>) -> Markup {
    let skipped = ledger.decisions.len().saturating_sub(DECISIONS);
    let clock = frame.clock();
    if ledger.began.is_none() && ledger.decisions.is_empty() {
        return html! { p style="margin:0" { "Belay knows nothing of " b { (words(release.as_str())) } ", or nothing any more." } };
    }
    html! {
        p style="margin:0 0 6px;font-size:14px" {
            (small(&outcome(ledger), frame.palette())) b { (words(&short(release))) } " " (headline(release, ledger, frame))
        }
        @if let Some(began) = &ledger.began { (facts(began, ledger, frame)) }
        @if !ledger.answers.is_empty() {
            (heading("What people answered"))
            ul style=(LIST) {
                @for answer in ledger.answers.values() {
                    li {
                        (clock.second(answer.at)) ": " (who(&answer.by)) " " (chose(answer.choice))
                        @if let Some(why) = &answer.why { ". In their words: " (cut(why, SENTENCE)) }
                    }
                }
            }
        }
        (heading("What Belay decided"))
        @if skipped > 0 { p style="margin:0" { (skipped) " earlier decisions are left out." } }
        @for record in ledger.decisions.iter().skip(skipped) {
            p style="margin:4px 0 0" { (clock.second(record.at)) ": " b { (said(record.verdict)) } }
            ul style=(LIST) { @for reason in record.reasons.iter() { li { (cut(&reason.to_string(), SENTENCE)) } } }
        }
        p style=(format!("margin:6px 0 0;color:{}", frame.palette().muted)) { "Times are " (clock.zone()) "; inside of sentences, UTC." }
    }
}

const LIST: &str = "margin:0 0 4px;padding-left:20px";

fn heading(text: &str) -> Markup {
    html! { p style="margin:8px 0 2px;font-weight:bold" { (text) } }
}

/// How it ended and who decided, behind its name.
fn headline(release: &ReleaseId, ledger: &ReleaseLedger, frame: &Frame<'_>) -> Markup {
    let began = ledger.began.as_ref();
    let shown = began.map(|began| {
        let watch = Watch {
            release: release.clone(),
            service: began.service.clone(),
            place: began.place.clone(),
            began: began.at,
        };
        Shown::of(&watch, ledger)
    });
    html! {
        (outcome(ledger).word())
        @if let Some(shown) = shown {
            @if let Some(ended) = shown.ended { " " (spoken(ended.duration_since(shown.began))) " after it began" }
            @if shown.by != super::DecidedBy::Nobody { "; decided by " (shown.by.word()) }
        }
        "."
        @if let Some(by) = &ledger.goes_back_by {
            span style=(format!("color:{}", frame.palette().muted)) { " Taken back by " (words(by.as_str())) "." }
        }
    }
}

/// What it brings, from where, and how its alarms were.
fn facts(began: &Began, ledger: &ReleaseLedger, frame: &Frame<'_>) -> Markup {
    let mut all: Vec<(&str, String)> = vec![
        ("Service", began.service.to_string()),
        ("Brings", began.revision.clone()),
        ("Where", format!("{} ({})", began.place, began.platform)),
        ("Began", frame.clock().second(began.at)),
    ];
    let change = &began.change;
    let told = [("Commit", &change.commit), ("Message", &change.message), ("Author", &change.author)];
    all.extend(told.into_iter().filter_map(|(name, value)| Some((name, value.clone()?))));
    if let Some(ended) = &ledger.ended {
        let error = ended.error.as_ref().map(|error| format!(". {}: {}", error.code, error.message));
        let at = frame.clock().second(ended.at);
        all.push(("Ended", format!("{at}, {}{}", ended.status, error.unwrap_or_default())));
    }
    all.push(match began.target.known() {
        Ok(Target::KnownGood { deployment, revision }) => {
            ("Goes back to", format!("{revision} ({deployment})"))
        }
        Ok(Target::None { why }) => ("Goes back to", format!("nothing: {why}")),
        Err(why) => ("Goes back to", format!("not known: {why}")),
    });
    for (alarm, state) in &began.alarms {
        let state = match state {
            RecordedState::Was(state) => format!("{state} when it began"),
            RecordedState::Unknown { why } => format!("not known when it began: {why}"),
        };
        all.push(("Alarm", format!("{alarm}: {state}")));
    }
    html! {
        table style="border-collapse:collapse;margin:0" {
            @for (name, value) in all {
                tr {
                    th scope="row" style=(format!("text-align:left;vertical-align:top;font-weight:normal;padding:1px 12px 1px 0;color:{}", frame.palette().muted)) { (name) }
                    td style="padding:1px 0;overflow-wrap:anywhere" { (cut(&value, SENTENCE)) }
                }
            }
        }
    }
}

fn who(by: &Answerer) -> &'static str {
    match by {
        Answerer::Person { .. } => "a person",
        Answerer::Silence => "nobody, in time",
        Answerer::Elsewhere { .. } => "a person, in the console or by the CLI",
    }
}

fn chose(choice: Option<Choice>) -> String {
    choice.map_or_else(|| "answered".to_owned(), |choice| format!("chose {choice}"))
}
