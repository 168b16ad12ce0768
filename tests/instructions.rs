//! `instructions`: counts the instructions of each function's cold start, and prints them beside the last landed ones.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    sync::Arc,
};

use anstream::{eprintln, println};
use belay_tests::stage::{
    compiled,
    everyday::Everyday,
    functions::FUNCTIONS,
    instructions::{Costs, Count, Counted, Counter, Picture, Record, STACKS},
};
use clap::{Parser, builder::PossibleValuesParser};
use comfy_table::{CellAlignment, Table, presets};
use serde_json::json;
use tokio::{sync::Semaphore, task::JoinSet};

/// Count the instructions of each function's cold start with its everyday event, and print them beside the last landed
/// figures.
///
/// Counted are the programs that `sam build` built, if BELAY_BUILT says where that is, and else those of
/// `cargo build --release`. A program that does not do its work is a failure; one that needs more instructions is none.
#[derive(Parser)]
#[command(name = "instructions", version, max_term_width = 100)]
struct Arguments {
    /// Only these functions
    #[arg(long, value_name = "FUNCTION", value_parser = PossibleValuesParser::new(FUNCTIONS))]
    only: Vec<String>,
    /// Count so many times, and take the least
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    runs: u64,
    /// A folder with the programs by the functions' names, as cargo leaves them, in place of those to build
    #[arg(long, value_name = "FOLDER")]
    programs: Option<PathBuf>,
    /// Write the figures down as the landed ones
    #[arg(long)]
    record: bool,
    /// Draw where the instructions go in place of counting them, one picture per function, of programs that are built
    /// with the names of their functions in them
    #[arg(long, value_name = "FOLDER", num_args = 0..=1, default_missing_value = "docs/performance",
        conflicts_with_all = ["record", "json", "runs"])]
    pictures: Option<PathBuf>,
    /// Write the figures, and which calls were made, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Where callgrind's files are kept
    #[arg(long, value_name = "FOLDER", default_value = "target/instructions")]
    folder: PathBuf,
}

/// The last landed figures.
const LANDED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../benches/instructions.yaml");

/// A function's counts: the least, and how far apart they were.
struct Row {
    case: Everyday,
    least: Counted,
    spread: u64,
}

#[tokio::main(flavor = "multi_thread")]
async fn main() -> ExitCode {
    match run(&Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &Arguments) -> Result<(), String> {
    let folder = std::path::absolute(&arguments.folder).map_err(|error| error.to_string())?;
    let counter = Counter::find(&folder)?;
    let cases: Vec<Everyday> = Everyday::ALL
        .into_iter()
        .filter(|case| arguments.only.is_empty() || arguments.only.iter().any(|name| name == case.function()))
        .collect();
    if let Some(pictures) = &arguments.pictures {
        let programs = match &arguments.programs {
            Some(folder) => in_folder(&cases, folder)?,
            None => in_folder(&cases, &build(&cases, Stripped::No)?)?,
        };
        return draw(&STACKS.into_iter().fold(counter, Counter::with), programs, pictures).await;
    }
    if arguments.record && cases.iter().any(|case| compiled::deployed(case.function()).is_none()) {
        return Err("the landed figures are those of what `sam build` built, as CI counts them: set BELAY_BUILT to the absolute path of .aws-sam/build".to_owned());
    }
    let programs = programs(&cases, arguments.programs.as_deref())?;
    let mut record = landed()?;
    let rows = count(&counter, programs, arguments.runs).await?;
    println!("{}", table(&rows, &record, arguments.runs));
    if let Some(path) = &arguments.json {
        let figures: BTreeMap<_, _> = rows
            .iter()
            .map(|Row { case, least, spread }| {
                let Count { init, whole } = least.count;
                let figures = json!({ "init": init, "whole": whole, "spread": spread, "calls": least.calls });
                (case.function(), figures)
            })
            .collect();
        write(path, &format!("{:#}\n", json!(figures)))?;
    }
    if arguments.record {
        for row in &rows {
            record.put(row.case.function(), row.least.count);
        }
        write(Path::new(LANDED), &record.to_string())?;
        println!("written down in benches/instructions.yaml");
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    let written = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(path, text));
    written.map_err(|error| format!("{} cannot be written: {error}", path.display()))
}

/// The last landed figures; none if none have landed.
fn landed() -> Result<Record, String> {
    match fs::read_to_string(LANDED) {
        Ok(text) => Record::parse(&text).map_err(|why| format!("{LANDED}: {why}")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Record::default()),
        Err(error) => Err(format!("{LANDED} cannot be read: {error}")),
    }
}

/// Where each program is: what is deployed, what is given, or what is built now.
fn programs(cases: &[Everyday], given: Option<&Path>) -> Result<Vec<(Everyday, PathBuf)>, String> {
    let deployed = |case: &Everyday| compiled::deployed(case.function()).map(|path| (*case, path));
    if given.is_none()
        && let Some(programs) = cases.iter().map(deployed).collect()
    {
        return Ok(programs);
    }
    match given {
        Some(folder) => in_folder(cases, folder),
        None => in_folder(cases, &build(cases, Stripped::Yes)?),
    }
}

fn in_folder(cases: &[Everyday], folder: &Path) -> Result<Vec<(Everyday, PathBuf)>, String> {
    let folder = std::path::absolute(folder).map_err(|error| error.to_string())?;
    cases
        .iter()
        .map(|case| (*case, folder.join(case.function())))
        .map(
            |(case, path)| {
                if path.is_file() {
                    Ok((case, path))
                } else {
                    Err(format!("{} is not there", path.display()))
                }
            },
        )
        .collect()
}

/// Whether the names of its functions are left out of a program, as they are of what is deployed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stripped {
    Yes,
    No,
}

/// Builds the programs with the profile of what is deployed; the folder where they are.
#[allow(clippy::disallowed_methods, reason = "cargo is told by the environment where to build")]
fn build(cases: &[Everyday], stripped: Stripped) -> Result<PathBuf, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    if stripped == Stripped::No {
        target.push("unstripped");
    }
    // One by one, as `sam build` does: together they would be given each other's features.
    for case in cases {
        let mut cargo = Command::new("cargo");
        cargo.args(["build", "--release", "--locked", "--package", case.function()]);
        cargo.arg("--target-dir").arg(&target).current_dir(&root);
        if stripped == Stripped::No {
            cargo.env("CARGO_PROFILE_RELEASE_STRIP", "none");
        }
        if !cargo.status().map_err(|error| format!("cargo cannot be run: {error}"))?.success() {
            return Err(format!("{} cannot be built", case.function()));
        }
    }
    Ok(target.join("release"))
}

/// Draws a picture of each program, one after the other: what is counted with whole stacks needs memory.
async fn draw(counter: &Counter, programs: Vec<(Everyday, PathBuf)>, folder: &Path) -> Result<(), String> {
    for (case, program) in programs {
        let came = counter.count(case, &program).await?;
        let read = |path: &Path| {
            let profile = fs::read_to_string(path).map_err(|error| error.to_string())?;
            Costs::read(&profile).map_err(|why| format!("{}: {why}", path.display()))
        };
        let (init, whole) = (read(&came.init)?, read(&came.whole)?);
        let answer = whole.without(&init);
        let (function, event) = (case.function(), case.title());
        let svg = Picture { function, event, calls: came.calls.len(), init, answer }.svg();
        let path = folder.join(function).with_extension("svg");
        write(&path, &svg)?;
        println!("{}: {} bytes", path.display(), svg.len());
    }
    Ok(())
}

/// Counts them all, on half of the processors: the simulator needs the other half. A program that is kept waiting for so
/// long that a connection is given up makes it again, and is counted with that.
async fn count(counter: &Counter, programs: Vec<(Everyday, PathBuf)>, runs: u64) -> Result<Vec<Row>, String> {
    let at_once = std::thread::available_parallelism().map_or(1, usize::from).div_ceil(2);
    let places = Arc::new(Semaphore::new(at_once));
    let mut counting = JoinSet::new();
    for (place, (case, program)) in programs.into_iter().enumerate() {
        let (counter, places) = (counter.clone(), Arc::clone(&places));
        counting.spawn(async move {
            let _turn = places.acquire_owned().await.map_err(|error| error.to_string())?;
            let mut least = counter.count(case, &program).await?;
            let (first, mut most) = (least.count.whole, least.count.whole);
            for _ in 1..runs {
                let next = counter.count(case, &program).await?;
                most = most.max(next.count.whole);
                least.count.init = least.count.init.min(next.count.init);
                least.count.whole = least.count.whole.min(next.count.whole);
            }
            let spread = most.max(first) - least.count.whole;
            Ok::<_, String>((place, Row { case, least, spread }))
        });
    }
    let mut rows = Vec::new();
    while let Some(counted) = counting.join_next().await {
        rows.push(counted.map_err(|error| error.to_string())??);
    }
    rows.sort_by_key(|(place, _)| *place);
    Ok(rows.into_iter().map(|(_, row)| row).collect())
}

fn table(rows: &[Row], record: &Record, runs: u64) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY);
    let mut header = vec![
        "cold start",
        "calls",
        "init",
        "landed",
        "",
        "whole",
        "landed",
        "",
        "until its event was answered",
    ];
    if runs > 1 {
        header.push("spread");
    }
    table.set_header(header);
    for Row { case, least, spread } in rows {
        let before = record.of(case.function());
        let (init, whole) = (before.map(|count| count.init), before.map(|count| count.whole));
        let mut row = vec![
            case.function().to_owned(),
            least.calls.len().to_string(),
            grouped(least.count.init),
            init.map_or_else(String::new, grouped),
            change(init, least.count.init),
            grouped(least.count.whole),
            whole.map_or_else(String::new, grouped),
            change(whole, least.count.whole),
            case.title().to_owned(),
        ];
        if runs > 1 {
            row.push(grouped(*spread));
        }
        table.add_row(row);
    }
    for column in (1..8).chain([9]) {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// A number with its thousands apart.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// By how many per cent a figure is above or below the landed one.
#[allow(clippy::cast_precision_loss, reason = "nothing executes 2^52 instructions here")]
fn change(landed: Option<u64>, now: u64) -> String {
    match landed {
        Some(landed) if landed > 0 => {
            format!("{:+.2} %", (now as f64 - landed as f64) / landed as f64 * 100.0)
        }
        Some(_) | None => String::new(),
    }
}
