//! The runs: cold, warm, and one in which every answer takes its time.

use std::{sync::Arc, time::Duration, time::Instant};

use serde::Serialize;

use crate::{
    Trouble,
    answers::Play,
    endpoint::Endpoint,
    process::{Conditions, Invocation, Process},
    programs::Program,
    runtime_api::RuntimeApi,
    samples::Samples,
    scene::{Scene, Way},
};

/// How long an answer is held back to see which calls wait for which.
/// Longer than a program that is held to a share of a CPU stands still, shorter than any client waits.
const SLOWLY: Duration = Duration::from_millis(150);

/// What was measured of one program; times in milliseconds.
#[derive(Debug, Default, Serialize)]
pub struct Figures {
    /// Start → first poll of the Runtime API.
    pub init: Samples,
    /// Start → StopDeployment on the wire; for a program that does not act: → its answer.
    pub cold: Samples,
    /// Start → the invocation's answer.
    pub cold_answered: Samples,
    /// How each start went.
    pub starts: Vec<Start>,
    /// Connections that were opened until then.
    pub connections: Samples,
    /// MB after the first answer.
    pub memory: Samples,
    /// MB after all of one process's events.
    pub memory_in_the_end: Samples,
    /// Event handed over → StopDeployment on the wire, or → the answer.
    pub warm: Samples,
    /// Event handed over → the answer.
    pub warm_answered: Samples,
    /// What the endpoint itself took for one call of those before the stop.
    pub answering: Samples,
    /// How many calls before the stop wait for one another.
    pub in_a_row: usize,
    /// All calls before the stop, and how many in a row each ends.
    pub calls: Vec<(usize, String)>,
}

/// A start, in milliseconds after it.
#[derive(Debug, Serialize)]
pub struct Start {
    /// The first poll of the Runtime API.
    pub polled: Option<f64>,
    /// Every call up to the stop, and when it arrived.
    pub calls: Vec<(String, f64)>,
    /// When what is waited for was there.
    pub acted: f64,
}

/// A program that runs.
pub struct Stage {
    process: Process,
    runtime: RuntimeApi,
    endpoint: Endpoint,
    acts: bool,
}

/// What came of one event.
struct Outcome {
    invocation: Invocation,
    scene: Arc<Scene>,
    /// When what is waited for was there.
    acted: Instant,
}

impl Stage {
    /// Starts a program for which an event waits already, and lets it answer. The figures are put down.
    ///
    /// # Errors
    /// When it does not do what it is for.
    pub async fn cold(
        program: &Program,
        play: &Play,
        conditions: &Conditions,
        figures: &mut Figures,
    ) -> Result<Self, Trouble> {
        let scene = Arc::new(Scene::of(play, Duration::ZERO)?);
        let endpoint = Endpoint::start(Arc::clone(&scene), conditions.tls.as_ref()).await?;
        let mut runtime = RuntimeApi::start().await?;
        runtime.put(scene.event());
        let mut process = Process::start(program, &runtime, &endpoint, conditions).await?;
        let invocation = process.answers(&mut runtime).await?;
        let mut stage = Self { process, runtime, endpoint, acts: program.acts };
        let outcome = stage.outcome(invocation, scene)?;
        let since = |at: Instant| (at - stage.process.started).as_secs_f64() * 1e3;
        let mut calls: Vec<(String, f64)> =
            outcome.scene.seen().into_iter().map(|seen| (seen.call, since(seen.arrived))).collect();
        calls.retain(|(_, arrived)| *arrived <= since(outcome.acted));
        calls.sort_by(|(_, one), (_, other)| one.total_cmp(other));
        let polled = outcome.invocation.polled.map(since);
        figures.starts.push(Start { polled, calls, acted: since(outcome.acted) });
        figures.init.0.extend(polled);
        figures.cold.0.push(since(outcome.acted));
        figures.cold_answered.0.push(since(outcome.invocation.answered));
        figures.memory.0.push(stage.process.peak()?);
        figures.connections.0.extend(u32::try_from(stage.endpoint.connections()).map(f64::from));
        Ok(stage)
    }

    /// Another event to the same process. The figures are put down.
    ///
    /// # Errors
    /// When it does not do what it is for.
    pub async fn warm(&mut self, play: &Play, figures: &mut Figures) -> Result<(), Trouble> {
        let outcome = self.event(play, Duration::ZERO).await?;
        let since = |at: Instant| (at - outcome.invocation.handed).as_secs_f64() * 1e3;
        figures.warm.0.push(since(outcome.acted));
        figures.warm_answered.0.push(since(outcome.invocation.answered));
        let seen = outcome.scene.seen();
        let before = seen.iter().filter(|seen| self.acts && seen.arrived < outcome.acted);
        figures.answering.0.extend(before.map(|seen| (seen.answered - seen.arrived).as_secs_f64() * 1e3));
        Ok(())
    }

    /// Another event, whose calls are answered slowly: so it shows which of them wait for which.
    ///
    /// # Errors
    /// When it does not do what it is for.
    pub async fn slowly(&mut self, play: &Play, figures: &mut Figures) -> Result<(), Trouble> {
        let Way { in_a_row, calls } = self.event(play, SLOWLY).await?.scene.way();
        (figures.in_a_row, figures.calls) = (in_a_row, calls);
        Ok(())
    }

    /// Puts down how much memory it has taken by now.
    ///
    /// # Errors
    /// When there is no such process any more.
    pub fn weigh(&self, figures: &mut Figures) -> Result<(), Trouble> {
        figures.memory_in_the_end.0.push(self.process.peak()?);
        Ok(())
    }

    /// Another event, of which nothing is put down.
    ///
    /// # Errors
    /// When it does not do what it is for.
    pub async fn again(&mut self, play: &Play) -> Result<(), Trouble> {
        self.event(play, Duration::ZERO).await.map(drop)
    }

    /// Ends the program.
    ///
    /// # Errors
    /// When it cannot be ended.
    pub async fn end(self) -> Result<(), Trouble> {
        self.process.kill().await
    }

    async fn event(&mut self, play: &Play, delay: Duration) -> Result<Outcome, Trouble> {
        let scene = Arc::new(Scene::of(play, delay)?);
        self.endpoint.set_scene(Arc::clone(&scene));
        self.runtime.put(scene.event());
        let invocation = self.process.answers(&mut self.runtime).await?;
        self.outcome(invocation, scene)
    }

    fn outcome(&mut self, invocation: Invocation, scene: Arc<Scene>) -> Result<Outcome, Trouble> {
        let unknown = scene.unknown();
        if !unknown.is_empty() {
            return Err(format!(
                "asked what was not recorded; record the answers anew (tests/scenarios/the_benchmark.rs):\n{}",
                unknown.join("\n")
            )
            .into());
        }
        let acted = if self.acts { scene.stopped() } else { Some(invocation.answered) };
        let Some(acted) = acted else {
            let calls: Vec<String> = scene.seen().into_iter().map(|seen| seen.call).collect();
            return Err(format!(
                "StopDeployment never came. The answer was {}; the calls were {}; it said:\n{}",
                String::from_utf8_lossy(&invocation.answer),
                calls.join(", "),
                self.process.said()
            )
            .into());
        };
        Ok(Outcome { invocation, scene, acted })
    }
}
