//! The table, and what is to be known beside it.

use std::{collections::BTreeMap, fmt::Write as _};

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

use crate::{
    control::Calls,
    measure::Figures,
    programs::{BELAY, CALLS, HELLO, NAMES, NODE, PYTHON},
    samples::{Samples, figure},
};

/// Everything that one run measured.
#[derive(Debug, Default)]
pub struct Measured {
    /// By program.
    pub figures: BTreeMap<&'static str, Figures>,
    /// MB of the deployment package, by program.
    pub zipped: BTreeMap<&'static str, f64>,
    /// What could not be measured, and why.
    pub missing: Vec<(&'static str, String)>,
    /// One call.
    pub control: Calls,
}

/// What the goals allow.
const COLD_TO_HELLO: f64 = 2.0;
const PYTHON_TO_COLD: f64 = 30.0;
const NODE_TO_COLD: f64 = 15.0;
const OWN_WARM: f64 = 1.0;
const MEMORY: f64 = 16.0;
const ZIP: f64 = 2.5;

impl Measured {
    fn median(&self, name: &str, of: impl Fn(&Figures) -> &Samples) -> Option<f64> {
        self.figures.get(name).and_then(|figures| of(figures).median())
    }

    fn cold(&self, name: &str) -> Option<f64> {
        self.median(name, |figures| &figures.cold)
    }

    fn ratio(&self, name: &str, to: &str) -> Option<f64> {
        Some(self.cold(name)? / self.cold(to)?)
    }

    fn warm(&self, name: &str) -> Option<f64> {
        self.median(name, |figures| &figures.warm)
    }

    /// What waiting for answers takes: as many single calls as wait for one another.
    fn waiting(&self, name: &str) -> Option<f64> {
        let in_a_row = u32::try_from(self.figures.get(name)?.in_a_row).ok()?;
        Some(f64::from(in_a_row) * self.control.kept.median()?)
    }

    /// Why the calls alone are no measure of Belay's, if they are not: somebody changed one and not the other.
    pub fn differs(&self) -> Option<String> {
        let asked = |name: &str| {
            let figures = self.figures.get(name).filter(|figures| !figures.calls.is_empty())?;
            let mut calls: Vec<&str> = figures.calls.iter().map(|(_, call)| call.as_str()).collect();
            calls.sort_unstable();
            Some((calls.join(", "), figures.in_a_row))
        };
        let (alone, belay) = asked(CALLS).zip(asked(BELAY))?;
        (alone != belay).then(|| {
            format!(
                "{CALLS} are not Belay's any more, so they are no measure of them; change benches/calls:\n{} ({} in a row)\n{} ({} in a row)",
                alone.0, alone.1, belay.0, belay.1
            )
        })
    }

    /// The table.
    pub fn table(&self) -> Table {
        let mut table = Table::new();
        table.load_style(presets::UTF8_BORDERS_ONLY).set_content_arrangement(ContentArrangement::Disabled);
        table.set_header(["figure"].into_iter().chain(NAMES).chain(["goal for Belay", "met?"]));
        let mut row =
            |title: &str, cell: &dyn Fn(&str) -> Option<String>, goal: String, met: Option<bool>| {
                let cells = NAMES.iter().map(|name| cell(name).unwrap_or_else(|| "–".to_owned()));
                let met = match (goal.as_str(), met) {
                    ("", _) => "",
                    (_, Some(true)) => "yes",
                    (_, Some(false)) => "no",
                    (_, None) => "not measured",
                };
                table.add_row([title.to_owned()].into_iter().chain(cells).chain([goal, met.to_owned()]));
            };
        let shown = |of: &'static dyn Fn(&Figures) -> &Samples, unit: &'static str| {
            move |name: &str| self.figures.get(name).map(|figures| of(figures).shown(unit))
        };
        let at_most = |value: Option<f64>, goal: f64| value.map(|value| value <= goal);
        let at_least = |value: Option<f64>, goal: f64| value.map(|value| value >= goal);
        let times = |value: Option<f64>| value.map(|value| format!("{} ×", figure(value)));
        row("cold: start → first poll", &shown(&|figures| &figures.init, "ms"), String::new(), None);
        row(
            "cold: start → StopDeployment on the wire ¹",
            &shown(&|figures| &figures.cold, "ms"),
            String::new(),
            None,
        );
        row(
            "  as a multiple of hello world's",
            &|name| times(self.ratio(name, HELLO)),
            format!("≤ {COLD_TO_HELLO} ×"),
            at_most(self.ratio(BELAY, HELLO), COLD_TO_HELLO),
        );
        let peers = [
            at_least(self.ratio(PYTHON, BELAY), PYTHON_TO_COLD),
            at_least(self.ratio(NODE, BELAY), NODE_TO_COLD),
        ];
        row(
            "  as a multiple of Belay's",
            &|name| times(self.ratio(name, BELAY)),
            format!("Python ≥ {PYTHON_TO_COLD} ×, Node ≥ {NODE_TO_COLD} ×"),
            peers.into_iter().try_fold(true, |all, met| Some(all && met?)),
        );
        row("cold: start → answer", &shown(&|figures| &figures.cold_answered, "ms"), String::new(), None);
        let calls = self.warm(CALLS);
        row(
            "warm: event in → StopDeployment on the wire ¹",
            &shown(&|figures| &figures.warm, "ms"),
            calls.map_or_else(
                || "calls + 1 ms".to_owned(),
                |calls| format!("≤ calls {} + {OWN_WARM} ms", figure(calls)),
            ),
            self.warm(BELAY).zip(calls).map(|(warm, calls)| warm <= calls + OWN_WARM),
        );
        row(
            "  of that not the calls' ²",
            &|name| {
                let own = self.warm(name).filter(|_| name == BELAY)? - calls?;
                Some(format!("{} ms", figure(own)))
            },
            String::new(),
            None,
        );
        row("warm: event in → answer", &shown(&|figures| &figures.warm_answered, "ms"), String::new(), None);
        row(
            "peak memory",
            &shown(&|figures| &figures.memory, "MB"),
            format!("≤ {MEMORY} MB"),
            at_most(self.median(BELAY, |figures| &figures.memory), MEMORY),
        );
        row(
            "zip",
            &|name| self.zipped.get(name).map(|zipped| format!("{} MB", figure(*zipped))),
            format!("≤ {ZIP} MB"),
            at_most(self.zipped.get(BELAY).copied(), ZIP),
        );
        row(
            "calls before the stop (one after the other)",
            &|name| {
                let figures = self.figures.get(name)?;
                Some(format!("{} ({})", figures.calls.len(), figures.in_a_row))
            },
            String::new(),
            None,
        );
        row(
            "connections, cold",
            &|name| self.median(name, |figures| &figures.connections).map(|opened| format!("{opened:.0}")),
            String::new(),
            None,
        );
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        table
    }

    /// What is to be known beside the table.
    pub fn notes(&self, runs: usize) -> String {
        let mut notes = format!(
            "Medians of {runs} runs, in brackets the 10th and the 90th percentile; one run of each in turn, so that a noisy \
             minute hits all; warm are the events of one process. MB are 1,000,000 bytes.\n¹ hello world: its answer.\n² what it takes beyond its calls alone: the same calls by the same clients, \
             in the same order and as much of them side by side, with nothing decided.\n"
        );
        if let Some(peak) = self.median(BELAY, |figures| &figures.memory_in_the_end) {
            let _ =
                writeln!(notes, "Belay's peak memory after all events of one process: {} MB.", figure(peak));
        }
        if let Some(waiting) = self.waiting(BELAY) {
            let _ = writeln!(notes, "Of Belay's warm time {} ms are waiting for answers.", figure(waiting));
        }
        let _ = writeln!(
            notes,
            "One loopback call: {} on a kept connection, {} on a new one. The endpoint's own part of a call: {}.",
            self.control.kept.shown("ms"),
            self.control.new.shown("ms"),
            self.figures.get(BELAY).map_or_else(|| "–".to_owned(), |figures| figures.answering.shown("ms")),
        );
        for name in NAMES {
            let Some(figures) = self.figures.get(name).filter(|figures| !figures.calls.is_empty()) else {
                continue;
            };
            let _ = write!(notes, "{name} before the stop, with `|` where an answer is waited for:");
            let mut before = None;
            for (row, call) in &figures.calls {
                let parted = before.is_some_and(|before| before < row);
                let _ = write!(notes, " {}{call}", if parted { "| " } else { "" });
                before = before.max(Some(row));
            }
            notes.push('\n');
            // The run in the middle, told whole: medians of each moment would be of no run.
            let middle = figures
                .cold
                .median()
                .and_then(|cold| figures.starts.iter().find(|start| start.acted.total_cmp(&cold).is_eq()));
            if let Some(start) = middle {
                let polled = start.polled.map(|polled| ("first poll".to_owned(), polled));
                let moments = polled.into_iter().chain(start.calls.iter().cloned());
                let moments: Vec<String> =
                    moments.map(|(what, at)| format!("{} {what}", figure(at))).collect();
                let _ = writeln!(notes, "{name}'s start in the middle, ms: {}", moments.join(" · "));
            }
        }
        for (name, why) in &self.missing {
            let _ = writeln!(notes, "{name}: not measured: {why}");
        }
        notes
    }

    /// Every single measurement.
    pub fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "programs": self.figures,
            "zip_mb": self.zipped,
            "loopback_call": { "kept_ms": self.control.kept, "new_ms": self.control.new },
            "not_measured": self.missing.iter().map(|(name, why)| (*name, why.as_str())).collect::<BTreeMap<_, _>>(),
        })
    }
}
