//! One log stream: runs of equal lines, of which the single events are made when somebody asks.

use jiff::Timestamp;

/// A line of a log, and how often it is repeated: a hundred megabytes in a few words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// The event's message.
    pub text: String,
    /// How often it is there in all; 0 is not at all.
    pub times: u64,
}

impl LogLine {
    /// A line that is there once.
    pub fn of(text: &str) -> Self {
        Self { text: text.to_owned(), times: 1 }
    }

    /// A line that is there so often.
    pub fn repeated(text: &str, times: u64) -> Self {
        Self { text: text.to_owned(), times }
    }
}

/// Equal lines, spread evenly over a time.
#[derive(Debug, Clone)]
struct Run {
    text: String,
    /// How many events are in the stream before it.
    first: u64,
    times: u64,
    from_ms: i64,
    lasts_ms: i64,
}

/// A stream. Its events are in the order of their times.
#[derive(Debug, Clone)]
pub(crate) struct Stream {
    /// Before this there is no such stream.
    since: Timestamp,
    runs: Vec<Run>,
}

/// One event.
#[derive(Debug, Clone, Copy)]
pub(super) struct Event<'a> {
    pub(super) at_ms: i64,
    pub(super) text: &'a str,
}

impl Stream {
    pub(super) fn since(since: Timestamp) -> Self {
        Self { since, runs: Vec::new() }
    }

    pub(super) fn exists(&self, now: Timestamp) -> bool {
        self.since <= now
    }

    /// Adds a line's events between two moments.
    pub(crate) fn write(&mut self, from: Timestamp, until: Timestamp, line: &LogLine) {
        if line.times == 0 {
            return;
        }
        let first = self.total();
        let (from_ms, lasts_ms) = (from.as_millisecond(), until.as_millisecond() - from.as_millisecond());
        let last = self.runs.last().map(|run| run.from_ms + run.lasts_ms);
        assert!(last.is_none_or(|last| last <= from_ms), "a log is written in the order of time");
        self.runs.push(Run { text: line.text.clone(), first, times: line.times, from_ms, lasts_ms });
    }

    /// How many events there will ever be.
    fn total(&self) -> u64 {
        self.runs.last().map_or(0, |run| run.first + run.times)
    }

    /// An event by its number, which is below `total`.
    pub(super) fn event(&self, number: u64) -> Event<'_> {
        let run = &self.runs[self.runs.partition_point(|run| run.first <= number) - 1];
        let gone = i128::from(run.lasts_ms) * i128::from(number - run.first) / i128::from(run.times);
        Event { at_ms: run.from_ms + gone as i64, text: &run.text }
    }

    /// The number of the first event at this time or later.
    pub(super) fn first_from(&self, at_ms: i64) -> u64 {
        let (mut low, mut high) = (0, self.total());
        while low < high {
            let middle = low + (high - low) / 2;
            if self.event(middle).at_ms < at_ms {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }
}
