//! The four measures of a quarter, as a table, and how they were counted.

use std::fmt::Write as _;

use belay::{
    dora::{Band, Measures, Spread},
    reason::spoken,
};
use comfy_table::{CellAlignment, Table, presets};
use jiff::{SignedDuration, tz::TimeZone};

use super::{BOLD, FAINT, WIDTH, wrapped};
use crate::stage::quarter::{Quarter, Report};

/// How the numbers came about. The definitions in full are in docs/measures.md.
const COUNTED: &[&str] = &[
    "deployments: releases that got through to all users. What takes another release back is none.",
    "lead time: from the commit's own time to the end of the deployment. What CodeDeploy alone deploys has no known commit.",
    "change failure rate: releases that were taken back or halted, or during or after which an alarm that judges releases went off, of the deployments and of those that failed before they could become one.",
    "time to restore: from an alarm's transition to ALARM to its return to OK, with a release to blame or without.",
    "median and percentiles: by nearest rank. Bands: DORA's report of 2023, with the lines between them drawn at each upper end.",
];

/// The report of a quarter.
pub fn report(quarter: &Quarter, report: &Report) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "{BOLD}{}{BOLD:#}", quarter.title);
    for line in wrapped(&quarter.story, WIDTH) {
        let _ = writeln!(out, "{FAINT}{line}{FAINT:#}");
    }
    let day = |at: jiff::Timestamp| at.to_zoned(TimeZone::UTC).date();
    let days = report.period.days();
    let (from, until) = (day(report.period.from), day(report.period.until));
    let _ = writeln!(out, "\nFrom {from} until {until} (not included), {days:.0} days.");
    let _ = writeln!(out, "{}", table(report));
    for how in COUNTED {
        for (number, line) in wrapped(how, WIDTH - 2).into_iter().enumerate() {
            let _ = writeln!(out, "{FAINT}{} {line}{FAINT:#}", if number == 0 { "·" } else { " " });
        }
    }
    out
}

fn table(report: &Report) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_BORDERS_ONLY);
    let columns: Vec<(&str, &Measures)> = report
        .services
        .iter()
        .map(|(name, measures)| (name.as_str(), measures))
        .chain([("overall", &report.overall)])
        .collect();
    table.set_header(std::iter::once("").chain(columns.iter().map(|(name, _)| *name)));
    for (title, cell) in ROWS {
        let cells = columns.iter().map(|(_, measures)| cell(measures));
        table.add_row(std::iter::once((*title).to_owned()).chain(cells));
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

type Row = (&'static str, fn(&Measures) -> String);

const ROWS: &[Row] = &[
    ("deployments", |of| of.frequency.deployments.to_string()),
    ("  a day", |of| format!("{:.2}", of.frequency.per_day)),
    ("  a week", |of| format!("{:.2}", of.frequency.per_week())),
    ("  band", |of| band(of.frequency.band)),
    ("lead time, median", |of| long(of.lead_time.times, |times| times.median)),
    ("  p75", |of| long(of.lead_time.times, |times| times.p75)),
    ("  p90", |of| long(of.lead_time.times, |times| times.p90)),
    ("  p95", |of| long(of.lead_time.times, |times| times.p95)),
    ("  commit's time known, not known", |of| {
        format!("{}, {}", of.lead_time.times.map_or(0, |times| times.count), of.lead_time.unknown)
    }),
    ("  band", |of| band(of.lead_time.band)),
    ("change failure rate", |of| match of.failures.share() {
        Some(share) => format!("{:.1} %", share * 100.0),
        None => "–".to_owned(),
    }),
    ("  failed, of", |of| format!("{}, {}", of.failures.failed, of.failures.of)),
    ("  taken back, halted, alarmed", |of| {
        format!("{}, {}, {}", of.failures.undone, of.failures.halted, of.failures.alarmed)
    }),
    ("  band", |of| band(of.failures.band)),
    ("time to restore, median", |of| long(of.restore.times, |times| times.median)),
    ("  p75", |of| long(of.restore.times, |times| times.p75)),
    ("  p90", |of| long(of.restore.times, |times| times.p90)),
    ("  p95", |of| long(of.restore.times, |times| times.p95)),
    ("  over, still open", |of| {
        format!("{}, {}", of.restore.times.map_or(0, |times| times.count), of.restore.open)
    }),
    ("  about a release", |of| of.restore.after_a_release.to_string()),
    ("  band", |of| band(of.restore.band)),
    ("never got through, no alarm", |of| of.never_arrived.to_string()),
    ("not ended by then", |of| of.unfinished.to_string()),
];

fn band(band: Option<Band>) -> String {
    band.map_or_else(|| "–".to_owned(), |band| band.to_string())
}

/// A duration of a spread, in days from two days on.
fn long(times: Option<Spread>, which: fn(&Spread) -> SignedDuration) -> String {
    let Some(took) = times.as_ref().map(which) else { return "–".to_owned() };
    let days = took.as_hours() / 24;
    if days < 2 {
        return spoken(took);
    }
    let rest = took - SignedDuration::from_hours(days * 24);
    if rest.is_zero() { format!("{days}d") } else { format!("{days}d {}", spoken(rest)) }
}
