//! An execution's way through its pipeline: its stages, how each of them stands, and how long it takes.
//!
//! Drawn from what CodePipeline says now, never from the events: whatever order those come in, and however often, what
//! is read later is never older.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

/// Of how many executions the usual time is the median.
pub const USUAL_OF: usize = 10;

/// The way of one execution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Course {
    /// The pipeline.
    pub pipeline: String,
    /// How the execution stands as a whole.
    pub stands: Stands,
    /// Its stages, in the pipeline's order.
    pub steps: Vec<Step>,
    /// How long it took, once it is over.
    pub took: Option<SignedDuration>,
    /// Since when it is over.
    pub over_since: Option<Timestamp>,
    /// How long they usually take, where any has succeeded before.
    pub usual: Option<Usual>,
}

/// How an execution stands as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stands {
    /// It is under way, or is being stopped.
    Running,
    /// It ended well.
    Succeeded,
    /// Something in it failed. It can be tried again.
    Failed,
    /// Somebody stopped it, or the pipeline was changed under it.
    Stopped,
    /// A newer one took its place before it got on.
    Superseded,
}

impl Stands {
    /// CodePipeline's word (`PipelineExecutionStatus`). A word that is not known is read as under way: nothing is
    /// decided by it.
    pub fn from_wire(word: &str) -> Self {
        match word {
            "Succeeded" => Self::Succeeded,
            "Failed" => Self::Failed,
            "Stopped" | "Cancelled" => Self::Stopped,
            "Superseded" => Self::Superseded,
            _ => Self::Running,
        }
    }
}

/// One stage of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The stage's name. Text from outside.
    pub stage: String,
    /// How it stands.
    pub state: StepState,
}

/// How a stage stands for one execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepState {
    /// The execution has not got there.
    Waiting,
    /// Its actions run.
    Running,
    /// It waits for a person.
    Asks,
    /// It is done.
    Done,
    /// Something in it failed.
    Failed,
    /// It was stopped.
    Stopped,
    /// It was passed by.
    Skipped,
}

/// How long the last executions took that succeeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usual {
    /// The median.
    pub median: SignedDuration,
    /// Of how many: at most [`USUAL_OF`].
    pub of: usize,
}

impl Usual {
    /// The median of some times, of an even number the mean of the two in the middle. None of none.
    pub fn of(mut times: Vec<SignedDuration>) -> Option<Self> {
        times.sort_unstable();
        let (of, middle) = (times.len(), times.len() / 2);
        let upper = *times.get(middle)?;
        let median = if of % 2 == 1 { upper } else { (upper + *times.get(middle.checked_sub(1)?)?) / 2 };
        Some(Self { median, of })
    }
}

/// One run of an action of the execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run<'a> {
    /// Its stage.
    pub stage: &'a str,
    /// The action.
    pub action: &'a str,
    /// Whether it waits for a person.
    pub asks: bool,
    /// AWS's word: `InProgress`, `Abandoned`, `Succeeded`, `Failed`.
    pub status: &'a str,
    /// When it started.
    pub started: Timestamp,
}

impl Course {
    /// The stage that failed, if one did.
    pub fn failed(&self) -> Option<&str> {
        self.first(StepState::Failed)
    }

    /// The stage where the execution is now: it runs there, or waits for a person.
    pub fn is_in(&self) -> Option<&str> {
        self.first(StepState::Asks).or_else(|| self.first(StepState::Running))
    }

    /// Whether a person may be waited for in a stage: the execution is under way, and not past it. What CodePipeline lists
    /// may be behind the event that an approval waits, so that one which it has not got to counts; and what failed beside
    /// an approval does not answer it.
    pub fn may_ask_in(&self, stage: &str) -> bool {
        let may = |step: &Step| match step.state {
            StepState::Asks | StepState::Running | StepState::Waiting | StepState::Failed => true,
            StepState::Done | StepState::Stopped | StepState::Skipped => false,
        };
        self.stands == Stands::Running && self.steps.iter().any(|step| step.stage == stage && may(step))
    }

    fn first(&self, state: StepState) -> Option<&str> {
        self.steps.iter().find(|step| step.state == state).map(|step| step.stage.as_str())
    }
}

/// How each stage stands, by the runs of its actions, and by what the pipeline shows of those stages that hold this
/// execution now (`shown`): that tells of conditions, and of a stage whose next action has not started yet.
pub fn steps(
    stages: &[String],
    runs: &[Run<'_>],
    shown: &BTreeMap<&str, StepState>,
    stands: Stands,
) -> Vec<Step> {
    let there =
        |stage: &String| shown.contains_key(stage.as_str()) || runs.iter().any(|run| run.stage == stage);
    let got_to = stages.iter().rposition(there);
    let state = |at: usize, stage: &str| {
        let last = |run: &&Run<'_>| {
            let newer = |other: &Run<'_>| {
                other.stage == run.stage && other.action == run.action && other.started > run.started
            };
            run.stage == stage && !runs.iter().any(newer)
        };
        let last: Vec<&Run<'_>> = runs.iter().filter(last).collect();
        let shown = shown.get(stage).copied();
        let is = |status: &str| last.iter().any(|run| run.status == status);
        if last.is_empty() {
            return match (shown, stands) {
                (Some(shown), _) => shown,
                (None, Stands::Succeeded) => StepState::Skipped,
                // What is behind it has begun all the same.
                (None, _) if got_to.is_some_and(|got_to| at < got_to) => StepState::Skipped,
                (None, _) => StepState::Waiting,
            };
        }
        // Bad news first: what else runs beside it changes nothing.
        if is("Failed") {
            StepState::Failed
        } else if last.iter().any(|run| run.status == "InProgress" && run.asks) {
            StepState::Asks
        } else if is("InProgress") {
            StepState::Running
        } else if is("Abandoned") {
            StepState::Stopped
        } else if stands == Stands::Succeeded || got_to.is_some_and(|got_to| at < got_to) {
            StepState::Done
        } else {
            // All that has run is done: only the pipeline knows whether more comes.
            match (shown, stands) {
                (Some(shown), _) => shown,
                (None, Stands::Failed) => StepState::Failed,
                (None, Stands::Stopped | Stands::Superseded) => StepState::Stopped,
                (None, Stands::Running | Stands::Succeeded) => StepState::Running,
            }
        }
    };
    let step = |(at, stage): (usize, &String)| Step { stage: stage.clone(), state: state(at, stage) };
    stages.iter().enumerate().map(step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAGES: [&str; 4] = ["Source", "Build", "Approval", "Deploy"];

    fn run(stage: &'static str, action: &'static str, status: &'static str, at: i64) -> Run<'static> {
        let asks = stage == "Approval";
        Run { stage, action, asks, status, started: Timestamp::from_second(at).unwrap() }
    }

    fn line(runs: &[Run<'_>], shown: &[(&'static str, StepState)], stands: Stands) -> String {
        let stages = STAGES.map(str::to_owned);
        let steps = steps(&stages, runs, &shown.iter().copied().collect(), stands);
        let sign = |state| match state {
            StepState::Waiting => 'o',
            StepState::Running => '>',
            StepState::Asks => '?',
            StepState::Done => 'v',
            StepState::Failed => 'x',
            StepState::Stopped => '#',
            StepState::Skipped => '-',
        };
        steps.iter().map(|step| sign(step.state)).collect()
    }

    #[test]
    fn a_person_may_be_waited_for_until_the_execution_is_past_the_stage() {
        for (state, stands, may) in [
            (StepState::Asks, Stands::Running, true),
            (StepState::Waiting, Stands::Running, true),
            (StepState::Running, Stands::Running, true),
            (StepState::Failed, Stands::Running, true),
            (StepState::Done, Stands::Running, false),
            (StepState::Skipped, Stands::Running, false),
            (StepState::Stopped, Stands::Running, false),
            (StepState::Asks, Stands::Stopped, false),
            (StepState::Failed, Stands::Failed, false),
            (StepState::Waiting, Stands::Superseded, false),
        ] {
            let course = Course {
                pipeline: "release".to_owned(),
                stands,
                steps: vec![Step { stage: "Approval".to_owned(), state }],
                took: None,
                over_since: None,
                usual: None,
            };
            assert_eq!(course.may_ask_in("Approval"), may, "{state:?} {stands:?}");
            assert!(!course.may_ask_in("Deploy"));
        }
    }

    #[test]
    fn each_stage_stands_as_its_last_runs_do() {
        let source = run("Source", "Get", "Succeeded", 1);
        let built = run("Build", "Compile", "Succeeded", 2);
        let failed = run("Build", "Compile", "Failed", 2);
        let beside = run("Build", "Lint", "InProgress", 2);
        let running = Stands::Running;
        for (runs, shown, stands, wanted) in [
            (vec![], vec![], running, "oooo"),
            (vec![run("Source", "Get", "InProgress", 1)], vec![], running, ">ooo"),
            // Between two actions of a stage, or between two stages: what the pipeline shows decides.
            (vec![source, built], vec![("Build", StepState::Running)], running, "v>oo"),
            (vec![source, built], vec![("Build", StepState::Done)], running, "vvoo"),
            (vec![source, built], vec![], running, "v>oo"),
            (vec![source, failed, beside], vec![], running, "vxoo"),
            // A retry's run is what counts, in whatever order they are listed.
            (vec![run("Build", "Compile", "InProgress", 9), failed, source], vec![], running, "v>oo"),
            (vec![source, built, run("Approval", "Ask", "InProgress", 3)], vec![], running, "vv?o"),
            (vec![source, built, run("Approval", "Ask", "Failed", 3)], vec![], Stands::Failed, "vvxo"),
            (vec![source, run("Build", "Compile", "Abandoned", 2)], vec![], Stands::Stopped, "v#oo"),
            (vec![source, built], vec![], Stands::Superseded, "v#oo"),
            // A condition at the entry or at the end of a stage, which no action tells of.
            (vec![source, built], vec![("Build", StepState::Failed)], Stands::Failed, "vxoo"),
            (vec![source, built], vec![("Approval", StepState::Failed)], Stands::Failed, "vvxo"),
            (vec![source, built, run("Deploy", "Ship", "Succeeded", 4)], vec![], Stands::Succeeded, "vv-v"),
            (vec![source, built, run("Deploy", "Ship", "InProgress", 4)], vec![], running, "vv->"),
        ] {
            assert_eq!(line(&runs, &shown, stands), wanted, "{runs:?} {shown:?} {stands:?}");
        }
    }

    #[test]
    fn the_usual_time_is_a_median() {
        let of = |minutes: &[i64]| {
            Usual::of(minutes.iter().map(|minutes| SignedDuration::from_mins(*minutes)).collect())
                .map(|usual| (usual.median.as_secs(), usual.of))
        };
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[7]), Some((420, 1)));
        assert_eq!(of(&[90, 7, 8]), Some((480, 3)));
        assert_eq!(of(&[90, 7, 8, 9]), Some((510, 4)));
    }
}
