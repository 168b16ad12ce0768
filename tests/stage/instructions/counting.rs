//! Runs a program under `valgrind --tool=callgrind` with its everyday event, and reads what it counted.
//!
//! Twice: once until it waits for its first event, once until it has answered it and waits for the next. Callgrind
//! writes its file when the program is ended. The environment, the length of every path and number in it, and what the
//! simulator answers are the same each time; valgrind loads every program at the same addresses.
#![allow(
    clippy::disallowed_methods,
    reason = "a compiled program reads the real clock, so the simulator begins there"
)]

use std::{
    env, fs,
    path::{Path, PathBuf},
    time::Duration,
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    Binary, RuntimeApi,
    stage::{compiled, everyday::Everyday},
};

/// How long a program may take, which is some fifty times slower than without valgrind, and on a busy machine more.
const PATIENT: Duration = Duration::from_secs(120);
/// How often a program may fail before that is its fault.
const ATTEMPTS: u32 = 3;
/// A program that has not run in between two looks this far apart is taken to be asleep…
const LOOK: Duration = Duration::from_millis(20);
/// …when that was so this many times in a row.
const ASLEEP: u32 = 5;

/// Instructions executed, of the program and all libraries, without the kernel's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Count {
    /// From the start of the process until it waits for its first event.
    pub init: u64,
    /// From the start of the process until its first event was answered, and it waits for the next.
    pub whole: u64,
}

/// What a program was counted to do.
#[derive(Clone, Debug)]
pub struct Counted {
    /// How many.
    pub count: Count,
    /// Which calls it made for its event, in order.
    pub calls: Vec<String>,
    /// What callgrind wrote until it waited for its first event.
    pub init: PathBuf,
    /// What callgrind wrote of the whole.
    pub whole: PathBuf,
}

/// Counts by valgrind.
#[derive(Clone, Debug)]
pub struct Counter {
    valgrind: PathBuf,
    /// Where callgrind's files are written.
    folder: PathBuf,
    /// Further arguments for callgrind.
    arguments: Vec<String>,
}

/// What came of one run.
struct Run {
    total: u64,
    calls: Vec<String>,
    profile: PathBuf,
}

/// Whether an event waits for the program.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Until {
    Init,
    Answer,
}

impl Counter {
    /// Finds valgrind, and makes the folder for what it writes.
    ///
    /// # Errors
    /// When there is no valgrind: where to get it; when the folder cannot be made.
    pub fn find(folder: &Path) -> Result<Self, String> {
        let places = env::var_os("PATH").unwrap_or_default();
        let mut places = env::split_paths(&places).map(|place| place.join("valgrind"));
        let valgrind = places.find(|place| place.is_file()).ok_or(
            "instructions are counted by valgrind, which is not here: `apt-get install valgrind`, or see https://valgrind.org",
        )?;
        fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        Ok(Self { valgrind, folder: folder.to_owned(), arguments: Vec::new() })
    }

    /// With a further argument for callgrind.
    #[must_use]
    pub fn with(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// Counts the instructions of a program in its everyday case.
    ///
    /// # Errors
    /// When valgrind cannot run it, or when it does not work.
    pub async fn count(&self, case: Everyday, program: &Path) -> Result<Counted, String> {
        let init = self.persistently(case, program, Until::Init).await?;
        let whole = self.persistently(case, program, Until::Answer).await?;
        let count = Count { init: init.total, whole: whole.total };
        Ok(Counted { count, calls: whole.calls, init: init.profile, whole: whole.profile })
    }

    /// Runs it again when it has not worked. Belay's limits are of real time: a program that is slowed down by valgrind,
    /// on a machine with other work, may not get its evidence in time.
    async fn persistently(&self, case: Everyday, program: &Path, until: Until) -> Result<Run, String> {
        for _ in 1..ATTEMPTS {
            if let Ok(run) = self.run(case, program, until).await {
                return Ok(run);
            }
        }
        self.run(case, program, until).await
    }

    async fn run(&self, case: Everyday, program: &Path, until: Until) -> Result<Run, String> {
        let function = case.function();
        let name = match until {
            Until::Init => format!("{function}.init"),
            Until::Answer => format!("{function}.whole"),
        };
        let written = self.folder.join(format!("{name}.callgrind"));
        let failed = |why: String| format!("{function}: {why}");
        // What an earlier run wrote is not this one's.
        let _ = fs::remove_file(&written);
        let scene = case.set_up(Timestamp::now()).await.map_err(failed)?;
        let policy = self.folder.join(format!("{name}.yaml"));
        fs::write(&policy, &scene.policy).map_err(|error| failed(error.to_string()))?;
        let runtime = RuntimeApi::start_as(&case.arn()).await;
        let environment =
            compiled::environment(function, (&runtime, &scene.simulator), &policy, case.talks());
        let mut tool =
            vec!["--tool=callgrind".to_owned(), format!("--callgrind-out-file={}", written.display())];
        tool.extend(self.arguments.iter().cloned());
        let mut binary =
            Binary::spawn_under((&self.valgrind, &tool), program, &compiled::pairs(&environment))
                .map_err(|error| failed(format!("{} cannot be started: {error}", self.valgrind.display())))?;
        let well = match until {
            Until::Init => Ok(()),
            Until::Answer => runtime
                .invoke(scene.event.clone(), PATIENT)
                .await
                .map_err(|error| format!("{}: {}", error.error_type, error.message))
                .and_then(|answer| scene.came_true(case, &answer)),
        };
        let waits = match until {
            Until::Init => runtime.has_asked(1, PATIENT).await,
            Until::Answer => well.is_ok() && runtime.has_asked(2, PATIENT).await,
        };
        if waits {
            asleep(&binary).await;
        }
        let ended = binary.terminate(PATIENT).await;
        // Without what valgrind says.
        let said = || {
            let stderr = binary.stderr();
            let lines: Vec<&str> = stderr.lines().filter(|line| !line.starts_with("==")).collect();
            format!("\n{}\n{}", binary.stdout(), lines.join("\n"))
        };
        well.map_err(|why| failed(why + &said()))?;
        if !waits || ended.is_none() {
            return Err(failed(format!("it does not ask for an event, or does not end{}", said())));
        }
        let text = fs::read_to_string(&written)
            .map_err(|error| failed(format!("callgrind has written nothing: {error}{}", said())))?;
        let total = total(&text).ok_or_else(|| failed(format!("{} has no total", written.display())))?;
        Ok(Run { total, calls: scene.calls(), profile: written })
    }
}

/// Waits until the process sleeps: what it does between asking for an event and waiting for it takes a moment.
async fn asleep(binary: &Binary) {
    let Some(id) = binary.id() else { return };
    let (mut before, mut quiet) = (None, 0);
    while quiet < ASLEEP {
        tokio::time::sleep(LOOK).await;
        let now = state(id);
        if now.is_none() {
            return;
        }
        let sleeps = now.as_ref().is_some_and(|(letter, _)| letter == "S") && now == before;
        quiet = if sleeps { quiet + 1 } else { 0 };
        before = now;
    }
}

/// The state of a process, and how long it has run: the fields 3 and 14 of /proc/PID/stat (proc(5)). Its name, field 2,
/// is in parentheses and may hold anything.
fn state(id: u32) -> Option<(String, String)> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace();
    Some((fields.next()?.to_owned(), fields.nth(10)?.to_owned()))
}

/// The sum of all costs: the line `totals:`, or what stands for it (Valgrind User Manual, "Callgrind Format
/// Specification").
fn total(profile: &str) -> Option<u64> {
    let mut lines = profile.lines().rev();
    let line =
        lines.find_map(|line| line.strip_prefix("totals:").or_else(|| line.strip_prefix("summary:")))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::total;

    #[test]
    fn a_profiles_total_is_its_last_line_and_not_a_line_of_costs() {
        assert_eq!(
            total("# callgrind format\nevents: Ir\nfn=(1) main\n10 88\n\ntotals: 26423002\n"),
            Some(26_423_002)
        );
        assert_eq!(total("events: Ir\nsummary: 7 8\n\n"), Some(7));
        assert_eq!(total("events: Ir\nfn=(1) totals\n10 88\n"), None);
    }
}
