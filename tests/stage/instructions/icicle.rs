//! A picture of where a cold start's instructions go: a bar by purpose, and below it two icicles, in which each
//! row is what the row above is made of. SVG, with text that is text, for light and dark pages.

use std::{collections::BTreeMap, fmt::Write as _};

use super::phases::{Costs, Phase};

/// What a picture shows.
#[derive(Clone, Debug)]
pub struct Picture<'a> {
    /// The function.
    pub function: &'a str,
    /// Its event, in a few words.
    pub event: &'a str,
    /// How many calls it made.
    pub calls: usize,
    /// Until it waited for its first event.
    pub init: Costs,
    /// From then on until the event was answered.
    pub answer: Costs,
}

/// All lengths in pixels.
const WIDE: f64 = 1000.0;
const MARGIN: f64 = 10.0;
const ROW: f64 = 26.0;
/// How wide a letter of the labels is, on the average and generously.
const LETTER: f64 = 6.4;
/// What is smaller than this share of its icicle is not drawn.
const LEAST: f64 = 0.005;

/// A box of the icicle, and those below it.
struct Node {
    label: String,
    /// The instructions, by purpose.
    costs: BTreeMap<Phase, u64>,
    below: BTreeMap<String, Node>,
}

impl Node {
    fn new(label: &str) -> Self {
        Self { label: label.to_owned(), costs: BTreeMap::new(), below: BTreeMap::new() }
    }

    fn add(&mut self, path: &[&str], phase: Phase, cost: u64) {
        *self.costs.entry(phase).or_default() += cost;
        if let [first, rest @ ..] = path {
            let below = self.below.entry((*first).to_owned()).or_insert_with(|| Self::new(first));
            below.add(rest, phase, cost);
        }
    }

    fn total(&self) -> u64 {
        self.costs.values().sum()
    }

    /// What most of it is for.
    fn phase(&self) -> Phase {
        self.costs.iter().max_by_key(|(_, cost)| **cost).map_or(Phase::Own, |(phase, _)| *phase)
    }
}

fn color(phase: Phase) -> &'static str {
    match phase {
        Phase::Loading => "#a9b0b8",
        Phase::Runtime => "#c9b3f5",
        Phase::Roots => "#f58f80",
        Phase::Clients => "#f7b955",
        Phase::Sdk => "#9fd19f",
        Phase::Signing => "#e6d450",
        Phase::Wire => "#73cdc4",
        Phase::Http => "#86b6f2",
        Phase::Own => "#f29ac0",
    }
}

/// The style of all texts: on boxes it is dark, for their colours are light; beside them it is as the page wants it.
const STYLE: &str = "text{font:11px system-ui,sans-serif;fill:#16191d}.p{fill:#1f2328}.h{font-size:16px;font-weight:600}\
rect{stroke:#fff;stroke-width:.6}@media(prefers-color-scheme:dark){.p{fill:#e6edf3}rect{stroke:#0d1117}}";

impl Picture<'_> {
    /// Draws it.
    pub fn svg(&self) -> String {
        let total = self.init.total() + self.answer.total();
        let mut body = String::new();
        let head = format!(
            "{}: {} instructions from its start until its first event was answered",
            self.function,
            millions(total)
        );
        text(&mut body, (MARGIN, 24.0), "p h", &head);
        let calls = if self.calls == 1 { "call" } else { "calls" };
        let under = format!("The event: {}, with {} {calls}. Counted by valgrind.", self.event, self.calls);
        text(&mut body, (MARGIN, 43.0), "p", &under);
        let mut y = 56.0;
        self.bar(&mut body, y, total);
        y += ROW + 12.0;
        y = self.legend(&mut body, y, total) + 14.0;
        // Before the event there is nothing to judge: what is Belay's own by its names alone makes ready for it.
        for (when, costs, judge) in [
            ("Until it waits for its first event", &self.init, "make ready"),
            ("The event", &self.answer, "judge"),
        ] {
            let mut root = Node::new(when);
            for (place, cost) in costs.iter() {
                let step = if place.step == "judge" { judge } else { place.step };
                let mut path = vec![step];
                path.extend(place.call.as_deref());
                path.extend(place.part.filter(|part| *part != step));
                root.add(&path, place.phase, cost);
            }
            let icicle = Icicle { total, across: root.total() };
            text(&mut body, (MARGIN, y + 14.0), "p", &format!("{when}: {}", icicle.percent(root.total())));
            y += 20.0;
            let mut x = MARGIN;
            let mut deepest = 0.0_f64;
            for step in icicle.shown(&root) {
                deepest = deepest.max(icicle.draw(&mut body, step, (x, y)));
                x += icicle.wide(step.total());
            }
            y += deepest * ROW + 14.0;
        }
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDE} {y}\" role=\"img\" aria-label=\"{}\">\n<style>{STYLE}</style>\n{body}</svg>\n",
            escaped(&head)
        )
    }

    fn phases(&self) -> Vec<(Phase, u64)> {
        let (init, answer) = (self.init.by_phase(), self.answer.by_phase());
        let of = |phase: &Phase| [&init, &answer].iter().filter_map(|costs| costs.get(phase)).sum();
        Phase::ALL.iter().map(|phase| (*phase, of(phase))).filter(|(_, cost)| *cost > 0).collect()
    }

    fn bar(&self, body: &mut String, y: f64, total: u64) {
        let bar = Icicle { total, across: total };
        let mut x = MARGIN;
        for (phase, cost) in self.phases() {
            boxed(body, (x, y, bar.wide(cost)), color(phase), &phase.to_string(), (cost, &bar.percent(cost)));
            x += bar.wide(cost);
        }
    }

    /// Every colour with its share, in columns; the height at which it ends.
    fn legend(&self, body: &mut String, y: f64, total: u64) -> f64 {
        const COLUMNS: usize = 5;
        let scale = share_of(total);
        let phases = self.phases();
        #[allow(clippy::cast_precision_loss, reason = "a handful of rows and columns")]
        for (place, (phase, cost)) in phases.iter().enumerate() {
            let x = MARGIN + (place % COLUMNS) as f64 * (WIDE - 2.0 * MARGIN) / COLUMNS as f64;
            let y = y + (place / COLUMNS) as f64 * 18.0;
            let _ = writeln!(
                body,
                "<rect x=\"{x:.1}\" y=\"{:.1}\" width=\"11\" height=\"11\" fill=\"{}\"/>",
                y - 9.5,
                color(*phase)
            );
            text(body, (x + 16.0, y), "p", &format!("{phase} {:.1} %", scale(*cost) * 100.0));
        }
        #[allow(clippy::cast_precision_loss, reason = "a handful of rows")]
        let rows = phases.len().div_ceil(COLUMNS) as f64;
        y + rows * 18.0 - 9.5
    }
}

/// A part of a cold start, drawn across the whole width.
#[derive(Clone, Copy)]
struct Icicle {
    /// The instructions of the whole cold start, of which shares are told.
    total: u64,
    /// Those of this part.
    across: u64,
}

impl Icicle {
    fn wide(self, cost: u64) -> f64 {
        share_of(self.across)(cost) * (WIDE - 2.0 * MARGIN)
    }

    fn percent(self, cost: u64) -> String {
        format!("{:.1} %", share_of(self.total)(cost) * 100.0)
    }

    /// What is drawn below a node, the greatest first.
    fn shown(self, node: &Node) -> Vec<&Node> {
        let is_seen = |below: &&Node| share_of(self.across)(below.total()) >= LEAST;
        let mut below: Vec<&Node> = node.below.values().filter(is_seen).collect();
        below.sort_by_key(|below| std::cmp::Reverse(below.total()));
        below
    }

    /// Draws a node and what is below it; how many rows that takes.
    fn draw(self, body: &mut String, node: &Node, (x, y): (f64, f64)) -> f64 {
        let total = node.total();
        boxed(
            body,
            (x, y, self.wide(total)),
            color(node.phase()),
            &node.label,
            (total, &self.percent(total)),
        );
        let (mut x, mut deepest) = (x, 0.0_f64);
        for below in self.shown(node) {
            deepest = deepest.max(self.draw(body, below, (x, y + ROW)));
            x += self.wide(below.total());
        }
        deepest + 1.0
    }
}

#[allow(clippy::cast_precision_loss, reason = "nothing executes 2^52 instructions here")]
fn share_of(total: u64) -> impl Fn(u64) -> f64 + Copy {
    move |cost| cost as f64 / total.max(1) as f64
}

#[allow(clippy::cast_precision_loss, reason = "nothing executes 2^52 instructions here")]
fn millions(cost: u64) -> String {
    format!("{:.2} million", cost as f64 / 1e6)
}

/// A box with its label as far as there is room for it, and all of it for whoever points at it.
fn boxed(
    body: &mut String,
    (x, y, wide): (f64, f64, f64),
    fill: &str,
    label: &str,
    (cost, percent): (u64, &str),
) {
    let _ = write!(
        body,
        "<g><title>{}: {} instructions, {percent}</title><rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{wide:.1}\" height=\"{ROW}\" fill=\"{fill}\"/>",
        escaped(label),
        millions(cost)
    );
    #[allow(clippy::cast_precision_loss, reason = "labels are short")]
    let fits = |text: &str| text.chars().count() as f64 * LETTER + 6.0 <= wide;
    let with_share = format!("{label} {percent}");
    // The adapter's name is told by the box's text; without room for it, its function is.
    let shorter = label.rsplit(": ").next().unwrap_or(label);
    let shown = [with_share.as_str(), label, shorter].into_iter().find(|text| fits(text));
    if let Some(shown) = shown {
        text(body, (x + 4.0, y + 17.0), "", shown);
    }
    body.push_str("</g>\n");
}

fn text(body: &mut String, (x, y): (f64, f64), class: &str, shown: &str) {
    let class = if class.is_empty() { String::new() } else { format!(" class=\"{class}\"") };
    let _ = write!(body, "<text x=\"{x:.1}\" y=\"{y:.1}\"{class}>{}</text>", escaped(shown));
    body.push('\n');
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::{Costs, Picture};

    #[test]
    fn a_picture_is_xml_and_shows_each_purpose_with_its_share() {
        let profile = "fn=(1) _dl_start'0x1\n1 600\nfn=(2) sha2::compress'aws_sigv4::sign'aws_smithy_runtime::invoke'belay::aws::ledger::Ledger::read'belay::gather::a<b>'main\n1 400\n";
        let whole = Costs::read(profile).unwrap();
        let init = Costs::read("fn=(1) _dl_start'0x1\n1 600\n").unwrap();
        let answer = whole.without(&init);
        let svg = Picture { function: "sweep", event: "a & b", calls: 1, init, answer }.svg();
        let document = roxmltree::Document::parse(&svg).unwrap();
        let texts: Vec<&str> = document
            .descendants()
            .filter(|node| node.has_tag_name("text"))
            .filter_map(|node| node.text())
            .collect();
        for wanted in [
            "The event: a & b, with 1 call. Counted by valgrind.",
            "loading the program 60.0 %",
            "signing 40.0 %",
            "gather 40.0 %",
            "ledger: read 40.0 %",
            "sign 40.0 %",
        ] {
            assert!(texts.contains(&wanted), "{wanted} is not in {texts:?}");
        }
    }
}
