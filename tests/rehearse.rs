//! `rehearse`: plays a scripted release against the simulator and prints what happens.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Mutex,
};

use anstream::{eprintln, println};
use belay::{diagnosis, policy::Policy};
use belay_tests::stage::{
    functions,
    play::play,
    print,
    quarter::{self, Quarter},
    script::Rehearsal,
    storm::{Survived, alone, judge, survive_many, tell},
};
use clap::Parser;
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use indicatif::{ProgressBar, ProgressStyle};

/// Rehearse a release: watch Belay catch it, minute by minute, on your own machine.
///
/// AWS is played by a simulator that speaks the real protocols; Belay's functions are the real ones. The exit
/// status is 0 only if everything that the script expects came true.
#[derive(Parser)]
#[command(name = "rehearse", version, max_term_width = 100)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag on the command line")]
struct Arguments {
    /// A rehearsal by its name (see --list), or a script's path
    #[arg(default_value = "canary-5xx")]
    rehearsal: String,
    /// Play it under this policy instead of the example's
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Print everything as JSON
    #[arg(long)]
    json: bool,
    /// List the rehearsals that come with Belay
    #[arg(long, conflicts_with_all = ["json", "policy"])]
    list: bool,
    /// Play all of them, and print only how each ended
    #[arg(long, conflicts_with_all = ["json", "list"])]
    all: bool,
    /// Check a policy and play nothing: every mistake, with its line
    #[arg(long, value_name = "FILE", conflicts_with_all = ["json", "list", "all", "policy"])]
    check: Option<PathBuf>,
    /// Print the catalogue of what failed pipelines are put down to
    #[arg(long, conflicts_with_all = ["json", "list", "all", "check", "policy"])]
    causes: bool,
    /// Play a scripted quarter, and print the four DORA measures of it; without a script, the one that comes with Belay
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = QUARTER,
        conflicts_with_all = ["json", "list", "all", "check", "policy", "causes", "storm"])]
    report: Option<PathBuf>,
    /// Play so many storms of faults, each drawn from a seed, and print what was survived; a single one is told
    #[arg(long, value_name = "COUNT", conflicts_with_all = ["json", "list", "all", "check", "policy", "causes"],
        value_parser = clap::value_parser!(u64).range(1..))]
    storm: Option<u64>,
    /// The first storm's seed
    #[arg(long, default_value_t = 1, requires = "storm")]
    seed: u64,
    /// How many storms at once; as many as there are processors else
    #[arg(long, requires = "storm")]
    at_once: Option<usize>,
}

/// The rehearsals that come with Belay, in the order in which they are worth seeing.
const SHIPPED: &[(&str, &str)] = &[
    ("canary-5xx", include_str!("rehearsals/canary-5xx.yaml")),
    ("slow-canary", include_str!("rehearsals/slow-canary.yaml")),
    ("healthy", include_str!("rehearsals/healthy.yaml")),
    ("red-before", include_str!("rehearsals/red-before.yaml")),
    ("hook-fails", include_str!("rehearsals/hook-fails.yaml")),
    ("hook-function", include_str!("rehearsals/hook-function.yaml")),
    ("hook-hangs", include_str!("rehearsals/hook-hangs.yaml")),
    ("rollback-fails", include_str!("rehearsals/rollback-fails.yaml")),
    ("duplicates", include_str!("rehearsals/duplicates.yaml")),
    ("first-release", include_str!("rehearsals/first-release.yaml")),
    ("aws-first", include_str!("rehearsals/aws-first.yaml")),
    ("rule-notify", include_str!("rehearsals/rule-notify.yaml")),
    ("not-watched", include_str!("rehearsals/not-watched.yaml")),
    ("nothing-to-blame", include_str!("rehearsals/nothing-to-blame.yaml")),
    ("began-before", include_str!("rehearsals/began-before.yaml")),
    ("rule-halt", include_str!("rehearsals/rule-halt.yaml")),
    ("marked", include_str!("rehearsals/marked.yaml")),
    ("finished-lambda", include_str!("rehearsals/finished-lambda.yaml")),
    ("finished-ecs", include_str!("rehearsals/finished-ecs.yaml")),
    ("flapping", include_str!("rehearsals/flapping.yaml")),
    ("budget-spent", include_str!("rehearsals/budget-spent.yaml")),
    ("ask-roll-back", include_str!("rehearsals/ask-roll-back.yaml")),
    ("ask-keep", include_str!("rehearsals/ask-keep.yaml")),
    ("ask-stage", include_str!("rehearsals/ask-stage.yaml")),
    ("cannot-learn", include_str!("rehearsals/cannot-learn.yaml")),
    ("observe", include_str!("rehearsals/observe.yaml")),
    ("missing-data", include_str!("rehearsals/missing-data.yaml")),
    ("muted", include_str!("rehearsals/muted.yaml")),
    ("suppressed", include_str!("rehearsals/suppressed.yaml")),
    ("restored", include_str!("rehearsals/restored.yaml")),
    ("hook-left", include_str!("rehearsals/hook-left.yaml")),
    ("events-lost", include_str!("rehearsals/events-lost.yaml")),
    ("events-lost-finished", include_str!("rehearsals/events-lost-finished.yaml")),
    ("stage-rolled-back", include_str!("rehearsals/stage-rolled-back.yaml")),
    ("stage-halted", include_str!("rehearsals/stage-halted.yaml")),
    ("halt-left", include_str!("rehearsals/halt-left.yaml")),
    ("chat-roll-back", include_str!("rehearsals/chat-roll-back.yaml")),
    ("chat-finished", include_str!("rehearsals/chat-finished.yaml")),
    ("chat-stage-rolled-back", include_str!("rehearsals/chat-stage-rolled-back.yaml")),
    ("chat-stage-halted", include_str!("rehearsals/chat-stage-halted.yaml")),
    ("chat-keep", include_str!("rehearsals/chat-keep.yaml")),
    ("chat-two-at-once", include_str!("rehearsals/chat-two-at-once.yaml")),
    ("chat-own-release", include_str!("rehearsals/chat-own-release.yaml")),
    ("chat-late", include_str!("rehearsals/chat-late.yaml")),
    ("chat-commands", include_str!("rehearsals/chat-commands.yaml")),
    ("slack-down", include_str!("rehearsals/slack-down.yaml")),
    ("hook-approval", include_str!("rehearsals/hook-approval.yaml")),
    ("hook-approval-silence", include_str!("rehearsals/hook-approval-silence.yaml")),
    ("pipeline-approval", include_str!("rehearsals/pipeline-approval.yaml")),
    ("pipeline-approval-ahead", include_str!("rehearsals/pipeline-approval-ahead.yaml")),
    ("pipeline-approval-console", include_str!("rehearsals/pipeline-approval-console.yaml")),
    ("pipeline-approval-notified", include_str!("rehearsals/pipeline-approval-notified.yaml")),
    ("pipeline-approval-parallel", include_str!("rehearsals/pipeline-approval-parallel.yaml")),
    ("other-account", include_str!("rehearsals/other-account.yaml")),
    ("build-fails", include_str!("rehearsals/build-fails.yaml")),
    ("build-retried", include_str!("rehearsals/build-retried.yaml")),
    ("build-retried-in-vain", include_str!("rehearsals/build-retried-in-vain.yaml")),
    ("stack-fails", include_str!("rehearsals/stack-fails.yaml")),
    ("tasks-fail", include_str!("rehearsals/tasks-fail.yaml")),
    ("drift-found", include_str!("rehearsals/drift-found.yaml")),
    ("drift-mended", include_str!("rehearsals/drift-mended.yaml")),
    ("drift-event-lost", include_str!("rehearsals/drift-event-lost.yaml")),
    ("stage-retry", include_str!("rehearsals/stage-retry.yaml")),
    ("dashboard", include_str!("rehearsals/dashboard.yaml")),
    ("press-left", include_str!("rehearsals/press-left.yaml")),
];

/// The quarter that comes with Belay.
const QUARTER: &str = "2026-q1";

/// The policy that rehearsals are played under unless they bring one.
const EXAMPLE_POLICY: &str = include_str!("../policy/belay.yaml");

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(count) = arguments.storm {
        let well = if count == 1 {
            one_storm(arguments.seed)
        } else {
            storms(arguments.seed, count, arguments.at_once)
        };
        return if well { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    rehearse(&arguments)
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn rehearse(arguments: &Arguments) -> ExitCode {
    let result = if let Some(path) = &arguments.check {
        check(path)
    } else if arguments.causes {
        causes();
        Ok(true)
    } else if let Some(path) = &arguments.report {
        report(path).await
    } else if arguments.list {
        list()
    } else if arguments.all {
        all(arguments.policy.as_deref()).await
    } else {
        one(arguments).await
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{} cannot be read: {error}", path.display()))
}

fn check(path: &Path) -> Result<bool, String> {
    match Policy::parse(&read(path)?) {
        Ok(policy) => {
            let count = policy.services().count();
            let services = if count == 1 { "service" } else { "services" };
            println!("{} is right: {count} {services}", path.display());
            for service in policy.services() {
                let (alarms, hooks) = (service.alarms.len(), service.hooks.len());
                println!("  {}: {alarms} alarms or patterns, {hooks} hooks", service.name);
            }
            Ok(true)
        }
        Err(mistakes) => {
            println!("{} is refused:\n{mistakes}", path.display());
            Ok(false)
        }
    }
}

/// Plays a quarter and prints its measures.
async fn report(path: &Path) -> Result<bool, String> {
    let text = if path == Path::new(QUARTER) {
        include_str!("quarters/2026-q1.yaml").to_owned()
    } else {
        read(path)?
    };
    let refused = |error| format!("{} is not a quarter: {error}", path.display());
    let quarter = Quarter::parse(&text).map_err(refused)?;
    let played = quarter::play(&quarter).await?;
    println!("{}", print::report(&quarter, &played.report));
    Ok(true)
}

fn list() -> Result<bool, String> {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    for (name, text) in SHIPPED {
        table.add_row(vec![(*name).to_owned(), script(name, text)?.title]);
    }
    println!("{table}");
    println!("\nPlay one with: cargo run --bin rehearse -- NAME");
    Ok(true)
}

/// How wide the catalogue is printed, in characters: the table does not know the terminal.
const CAUSES_WIDE: u16 = 150;

/// The catalogue of causes.
fn causes() {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(CAUSES_WIDE);
    table.set_header(vec!["rule", "looks like", "what to do", "concerns", "a retry"]);
    for rule in diagnosis::catalogue() {
        table.add_row(vec![
            rule.id.to_owned(),
            rule.looks_like.to_owned(),
            rule.to_do.to_owned(),
            rule.concerns.to_string(),
            rule.retry.to_string(),
        ]);
    }
    println!("{table}");
    println!(
        "{} rules; what none of them knows is shown as it is, and said to be unknown",
        diagnosis::catalogue().count()
    );
}

fn script(name: &str, text: &str) -> Result<Rehearsal, String> {
    Rehearsal::parse(text).map_err(|error| format!("{name} is not a rehearsal: {error}"))
}

fn find(name: &str) -> Result<Rehearsal, String> {
    if let Some((name, text)) = SHIPPED.iter().find(|(shipped, _)| *shipped == name) {
        return script(name, text);
    }
    let path = Path::new(name);
    if path.exists() {
        return script(name, &read(path)?);
    }
    let names: Vec<&str> = SHIPPED.iter().map(|(name, _)| *name).collect();
    Err(format!("there is no rehearsal and no file {name}; the rehearsals are {}", names.join(", ")))
}

/// The policy that a rehearsal is played under: the one asked for, its own, or the example.
fn policy(asked: Option<&Path>, rehearsal: &Rehearsal) -> Result<String, String> {
    let text = match (asked, &rehearsal.policy) {
        (Some(path), _) => read(path)?,
        (None, Some(own)) => own.clone(),
        (None, None) => EXAMPLE_POLICY.to_owned(),
    };
    match Policy::parse(&text) {
        Ok(_) => Ok(text),
        Err(mistakes) => Err(format!("the policy is refused:\n{mistakes}")),
    }
}

async fn one(arguments: &Arguments) -> Result<bool, String> {
    let rehearsal = find(&arguments.rehearsal)?;
    let policy = policy(arguments.policy.as_deref(), &rehearsal)?;
    let with = play(&rehearsal, Some(&policy)).await?;
    let without = play(&rehearsal, None).await?;
    let disappointments = with.disappointments(&rehearsal);
    if arguments.json {
        println!("{:#}", print::json(&rehearsal, &with, &without, &disappointments));
    } else {
        println!("{}", print::timeline(&rehearsal, &with));
        println!("{}", print::summary(&rehearsal, &with, &without));
        println!("{}", print::verdict(&disappointments));
    }
    Ok(disappointments.is_empty())
}

async fn all(asked: Option<&Path>) -> Result<bool, String> {
    let mut well = true;
    for (name, text) in SHIPPED {
        let rehearsal = script(name, text)?;
        let policy = policy(asked, &rehearsal)?;
        let disappointments = play(&rehearsal, Some(&policy)).await?.disappointments(&rehearsal);
        println!("{name}: {}", print::verdict(&disappointments));
        well &= disappointments.is_empty();
    }
    Ok(well)
}

/// Plays one storm and tells it, minute by minute.
fn one_storm(seed: u64) -> bool {
    let result = alone(seed, async {
        let record = tell(seed, functions::install_in_storm).await;
        println!("{}", print::story(record.began, &record.timeline));
        judge(&record)
    });
    match result {
        Ok(survived) => {
            println!("{}", counted(&survived));
            println!("seed {seed} held: every invariant");
            true
        }
        Err(broken) => {
            println!("{broken}");
            false
        }
    }
}

/// Plays many storms, and tells those that broke.
fn storms(first: u64, count: u64, at_once: Option<usize>) -> bool {
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} storms  {per_sec}  {eta} left  {msg}");
    let bar = ProgressBar::new(count).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let at_once = at_once.unwrap_or_else(|| std::thread::available_parallelism().map_or(2, Into::into));
    let survived = Mutex::new(Survived::default());
    let broken = Mutex::new(Vec::new());
    survive_many(first, count, at_once, |_, result| {
        match result {
            Ok(counts) => {
                if let Ok(mut survived) = survived.lock() {
                    survived.add(&counts);
                }
            }
            Err(why) => {
                if let Ok(mut broken) = broken.lock() {
                    broken.push(why);
                    bar.set_message(format!("{} broken", broken.len()));
                }
            }
        }
        bar.inc(1);
    });
    let took = bar.elapsed();
    bar.finish_and_clear();
    let mut broken = broken.into_inner().unwrap_or_default();
    broken.sort_by_key(|broken| broken.seed);
    for why in &broken {
        println!("{why}\n");
    }
    println!("{}", counted(&survived.into_inner().unwrap_or_default()));
    #[allow(clippy::cast_precision_loss, reason = "nobody plays 2^52 storms")]
    let rate = count as f64 / took.as_secs_f64();
    println!("{count} storms from seed {first} in {:.1} s, {rate:.1} a second", took.as_secs_f64());
    if broken.is_empty() {
        println!("all held");
        return true;
    }
    let seeds: Vec<String> = broken.iter().map(|broken| broken.seed.to_string()).collect();
    println!("{} held, {} broke: {}", count - broken.len() as u64, broken.len(), seeds.join(", "));
    false
}

/// A table of what was survived.
fn counted(survived: &Survived) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_BORDERS_ONLY);
    table.set_header(vec!["survived", ""]);
    for (what, count) in &survived.counts {
        table.add_row(vec![(*what).to_owned(), count.to_string()]);
    }
    if let Some(column) = table.column_mut(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}
