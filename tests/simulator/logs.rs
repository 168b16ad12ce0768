//! Amazon CloudWatch Logs: groups, streams, and their events, which may be millions without taking their memory.
//!
//! `stream` is one stream, `pattern` a filter pattern, `operations` the API.

use std::collections::BTreeMap;

use jiff::Timestamp;

mod operations;
mod pattern;
mod stream;

pub use stream::LogLine;
use stream::Stream;

use crate::simulator::Simulator;

/// The state of the service.
#[derive(Debug, Default)]
pub(crate) struct Logs {
    /// Group → stream → what is in it.
    groups: BTreeMap<String, BTreeMap<String, Stream>>,
}

impl Logs {
    /// Adds a stream, and its group where that is new.
    pub(crate) fn create_stream(&mut self, group: &str, name: &str, at: Timestamp) -> &mut Stream {
        let streams = self.groups.entry(group.to_owned()).or_default();
        streams.entry(name.to_owned()).or_insert_with(|| Stream::since(at))
    }
}

impl Simulator {
    /// Writes lines into a log's stream, spread evenly over the time from a moment until now. Group and stream are
    /// created where they are new.
    pub fn write_log(&self, group: &str, stream: &str, from: Timestamp, lines: &[LogLine]) {
        let mut world = self.world();
        let until = world.now;
        let total: u64 = lines.iter().map(|line| line.times).sum();
        let lasts = until.duration_since(from).as_millis() as u64;
        let stream = world.logs.create_stream(group, stream, from);
        let mut written = 0;
        let at = |written: u64| {
            let gone = u128::from(lasts) * u128::from(written) / u128::from(total.max(1));
            from + jiff::SignedDuration::from_millis(gone as i64)
        };
        for line in lines {
            stream.write(at(written), at(written + line.times), line);
            written += line.times;
        }
    }

    /// Adds a group without streams, as of a function or a container that has never run.
    pub fn create_log_group(&self, group: &str) {
        self.world().logs.groups.entry(group.to_owned()).or_default();
    }
}
