//! Starts Belay's `alarm-transitions`, a function that does nothing, one that makes the same calls and decides nothing, and
//! the same job in Python and in JavaScript, and measures the time from the start, or from the event, to StopDeployment on
//! the wire.
//!
//!     cargo bench --bench cold_start
//!
//! `BELAY_BUILT=<absolute path of .aws-sam/build>` measures what `sam build` built. Being slow is never an error;
//! comparing what cannot be compared is one.

use std::{path::PathBuf, process::ExitCode, sync::Arc, time::Duration};

use belay_benches::{
    Trouble,
    answers::{Play, recorded},
    control::loopback,
    measure::{Figures, Stage},
    process::Conditions,
    programs::{self, NAMES, NODE, PYTHON, Program},
    report::Measured,
    scene::Scene,
    tls::Tls,
};
use clap::Parser;

/// Events of which nothing is put down, between the first and those that count as warm.
const WARMING: usize = 3;

/// Calls of the control for each round.
const CONTROLS: usize = 5;

/// Time from a process's start, or from an event, to StopDeployment on the wire.
#[derive(Parser)]
struct Asked {
    /// How many runs of each.
    #[arg(long, default_value_t = 30)]
    runs: usize,
    /// Only these: "hello world", "its calls alone", Belay, Python, Node.
    #[arg(long)]
    only: Vec<String>,
    /// Writes every single measurement to this file.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Holds the programs to this share of one CPU; 128 MB on Lambda are 0.0723. Needs a writable control group.
    #[arg(long)]
    share: Option<f64>,
    /// Has AWS asked by TLS, each service at its own address, as on Lambda.
    #[arg(long)]
    tls: bool,
    /// What cargo says to a benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    let asked = Asked::parse();
    let outcome = tokio::runtime::Runtime::new()
        .map_err(Trouble::from)
        .and_then(|runtime| runtime.block_on(run(&asked)));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(trouble) => {
            eprintln!("{trouble}");
            ExitCode::FAILURE
        }
    }
}

async fn run(asked: &Asked) -> Result<(), Trouble> {
    let play = recorded()?;
    let conditions = Conditions { share: asked.share, tls: asked.tls.then(Tls::made).transpose()? };
    let mut measured = Measured::default();
    let programs = make(asked, &mut measured)?;
    for round in 1..=asked.runs {
        eprint!("\rcold: {round} of {} ", asked.runs);
        for program in in_turn(&programs, round) {
            let figures = measured.figures.entry(program.name).or_default();
            Stage::cold(program, &play, &conditions, figures).await?.end().await?;
        }
        control(&play, &mut measured).await?;
    }
    warm(&programs, &play, &conditions, asked.runs, &mut measured).await?;
    eprintln!();
    print!("{}\n{}", measured.table(), measured.notes(asked.runs));
    if let Some(share) = asked.share {
        println!("Each program had {share} of one CPU.");
    }
    if asked.tls {
        println!("AWS was asked by TLS 1.3, each service at its own address.");
    }
    if let Some(path) = &asked.json {
        std::fs::write(path, measured.json().to_string())?;
    }
    measured.differs().map_or(Ok(()), |why| Err(why.into()))
}

/// What is asked for and can be had.
fn make(asked: &Asked, measured: &mut Measured) -> Result<Vec<Program>, Trouble> {
    if let Some(unknown) = asked.only.iter().find(|only| !NAMES.contains(&only.as_str())) {
        return Err(format!("there is no program {unknown}; there are {}", NAMES.join(", ")).into());
    }
    let mut made = Vec::new();
    for name in
        NAMES.into_iter().filter(|name| asked.only.is_empty() || asked.only.iter().any(|only| only == name))
    {
        match programs::make(name) {
            Ok(program) => {
                if let Some(deployed) = &program.deployed {
                    measured.zipped.extend(programs::zipped(deployed).map(|size| (name, size)));
                }
                made.push(program);
            }
            // What the others are compared with must be there.
            Err(why) if ![PYTHON, NODE].contains(&name) => return Err(format!("{name}: {why}").into()),
            Err(why) => {
                eprintln!("{name}: not measured: {why}");
                measured.missing.push((name, why.to_string()));
            }
        }
    }
    Ok(made)
}

async fn control(play: &Play, measured: &mut Measured) -> Result<(), Trouble> {
    let calls = loopback(Arc::new(Scene::of(play, Duration::ZERO)?), CONTROLS).await?;
    measured.control.kept.0.extend(calls.kept.0);
    measured.control.new.0.extend(calls.new.0);
    Ok(())
}

/// Each round begins with another one: what comes after a slow program must not always be the same.
fn in_turn(programs: &[Program], round: usize) -> impl Iterator<Item = &Program> {
    let (before, from) = programs.split_at(round % programs.len().max(1));
    from.iter().chain(before)
}

/// Further events to one process of each program, in turn.
async fn warm(
    programs: &[Program],
    play: &Play,
    conditions: &Conditions,
    runs: usize,
    measured: &mut Measured,
) -> Result<(), Trouble> {
    let mut stages = Vec::new();
    for program in programs {
        // Its start counts no more than the others' of this kind: nothing of it is put down.
        let mut stage = Stage::cold(program, play, conditions, &mut Figures::default()).await?;
        for _ in 0..WARMING {
            stage.again(play).await?;
        }
        stages.push((program, stage));
    }
    for round in 1..=runs {
        eprint!("\rwarm: {round} of {runs} ");
        let first = round % stages.len().max(1);
        stages.rotate_left(first);
        for (program, stage) in &mut stages {
            stage.warm(play, measured.figures.entry(program.name).or_default()).await?;
        }
        stages.rotate_right(first);
    }
    for (program, mut stage) in stages {
        let figures = measured.figures.entry(program.name).or_default();
        stage.weigh(figures)?;
        if program.acts {
            stage.slowly(play, figures).await?;
        }
        stage.end().await?;
    }
    Ok(())
}
