//! What happened, newest last, as much of it as there is room for.

use serde_json::Value;

use super::block::{clock, fitting, outside, person, section, sections};
use crate::chat::release_card::StoryLine;

/// The longest sentence of a line.
const WHAT: usize = 400;
/// How many details a line shows, and the longest.
const DETAILS: usize = 8;
const DETAIL: usize = 220;
/// What the sentence about earlier lines takes.
const LEFT_OUT: usize = 60;
/// What a card's story must always be given, so that its newest line is shown: its time, sign and person take at
/// most 150.
pub(super) const LEAST: usize = WHAT + DETAILS * (DETAIL + 8) + 150 + LEFT_OUT;
/// More than this nobody reads.
const MOST: usize = 6_000;

/// The newest lines that fit into `budget`, oldest first, and before them how many are left out.
pub(super) fn story(lines: &[StoryLine], budget: usize) -> Vec<Value> {
    let shown: Vec<String> = lines.iter().map(line).collect();
    let kept = fitting(shown.iter().rev(), budget.min(MOST) - LEFT_OUT);
    let left_out = shown.len() - kept;
    let mut blocks = Vec::new();
    match left_out {
        0 => {}
        1 => blocks.push(section("_1 earlier line is left out._")),
        more => blocks.push(section(&format!("_{more} earlier lines are left out._"))),
    }
    blocks.extend(sections(&shown[left_out..]));
    blocks
}

fn line(line: &StoryLine) -> String {
    let mut text = format!("{} {} · ", line.sign, clock(line.at));
    if let Some(who) = &line.who {
        text.push_str(&format!("{}: ", person(who)));
    }
    text.push_str(&outside(&line.what, WHAT));
    for detail in line.details.iter().take(DETAILS) {
        text.push_str(&format!("\n    • {}", outside(detail, DETAIL)));
    }
    if let Some(rest) = line.details.len().checked_sub(DETAILS).filter(|rest| *rest > 0) {
        text.push_str(&format!("\n    … and {rest} more"));
    }
    text
}
