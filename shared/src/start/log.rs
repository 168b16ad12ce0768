//! A function's log: what its program says of itself, as JSON, and lines that go into it as they are: metrics, which
//! CloudWatch reads there, and which that form would spoil.

use std::{fmt, sync::Arc};

/// What writes a line.
type Write = dyn Fn(&str) + Send + Sync;

/// Where such lines go; nowhere, unless somebody says so.
#[derive(Clone, Default)]
pub struct Log(Option<Arc<Write>>);

impl Log {
    /// Every line goes to `write`, which adds the line's end.
    pub fn to(write: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(write)))
    }

    /// Writes one line.
    pub fn line(&self, line: &str) {
        if let Some(write) = &self.0 {
            write(line);
        }
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Log" } else { "Log(nowhere)" })
    }
}

/// Sends what the program logs to standard output, one JSON object a line.
///
/// `level` is the least that is written, INFO if it is none. Filters by module are left out: they come with an engine for
/// regular expressions, a twentieth of the program.
#[cfg(feature = "lambda")]
pub(super) fn log_to_stdout(level: Option<&str>) {
    use tracing_subscriber::filter::LevelFilter;

    let level = level.and_then(|level| level.parse().ok()).unwrap_or(LevelFilter::INFO);
    tracing_subscriber::fmt().json().with_target(false).without_time().with_max_level(level).init();
}
