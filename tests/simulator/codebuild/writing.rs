//! What a build writes into its log: the agent's lines around each phase, and between them what the script says that
//! the failing phase wrote. The agent's words are those of logs that people have published.

use jiff::{SignedDuration, Timestamp};

use super::build::Build;
use crate::logs::LogLine;
use crate::world::World;

impl World {
    pub(super) fn write_build_log(&mut self, build: &Build) {
        let failure = build.failure.as_ref();
        let Some(from) = build.container_from() else { return };
        if failure.is_some_and(|failure| failure.no_log_yet) {
            return;
        }
        let stream = self.logs.create_stream(&build.log_group(), &build.uuid, from);
        for text in
            ["Running on CodeBuild On-demand", "Waiting for agent ping", "Waiting for DOWNLOAD_SOURCE"]
        {
            stream.write(from, from, &of_the_agent(from, text));
        }
        for phase in build.phases().iter().filter(|phase| phase.starts >= from) {
            let enters = if phase.name == "DOWNLOAD_SOURCE" { "Phase is" } else { "Entering phase" };
            let line = of_the_agent(phase.starts, &format!("{enters} {}", phase.name));
            stream.write(phase.starts, phase.starts, &line);
            let (mut state, mut code, mut message) = ("SUCCEEDED", "", "");
            if let Some(failure) = failure.filter(|_| phase.fails) {
                (state, code, message) = (&failure.status, &failure.code, &failure.message);
                let lasts = phase.ends.duration_since(phase.starts).as_millis() as i64;
                let count = i64::try_from(failure.log.len().max(1)).expect("a script's lines");
                let at = |index: i64| phase.starts + SignedDuration::from_millis(lasts * index / count);
                for (index, line) in (0..).zip(&failure.log) {
                    let line = LogLine { text: format!("{}\n", line.text), times: line.times };
                    stream.write(at(index), at(index + 1), &line);
                }
            }
            for text in [
                format!("Phase complete: {} State: {state}", phase.name),
                format!("Phase context status code: {code} Message: {message}"),
            ] {
                stream.write(phase.ends, phase.ends, &of_the_agent(phase.ends, &text));
            }
        }
    }
}

/// A line of CodeBuild's agent. Events of builds end with a line break (observed).
fn of_the_agent(at: Timestamp, text: &str) -> LogLine {
    LogLine::of(&format!("[Container] {} {text}\n", at.strftime("%Y/%m/%d %H:%M:%S.%6f")))
}
