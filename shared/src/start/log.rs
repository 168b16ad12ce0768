//! A function's log: what its program says of itself, as JSON, and lines that go into it as they are: metrics, which
//! CloudWatch reads there, and which that form would spoil.

use std::{fmt, sync::Arc};

#[cfg(feature = "lambda")]
use tracing_subscriber::filter::LevelFilter;

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
/// `said` is the least that is written ([`level`]). Filters by module are left out: they come with an engine for regular
/// expressions, a twentieth of the program.
#[cfg(feature = "lambda")]
pub(super) fn log_to_stdout(said: Option<&str>) {
    tracing_subscriber::fmt().json().with_target(false).without_time().with_max_level(level(said)).init();
}

/// INFO if nothing is said, and no less than DEBUG: at TRACE the SDK writes whole requests and answers, with the tokens of
/// approvals and the names of whoever pressed.
#[cfg(feature = "lambda")]
fn level(said: Option<&str>) -> LevelFilter {
    said.and_then(|said| said.parse().ok()).unwrap_or(LevelFilter::INFO).min(LevelFilter::DEBUG)
}

#[cfg(all(test, feature = "lambda"))]
mod tests {
    use super::*;

    #[test]
    fn requests_and_answers_are_never_logged() {
        let levels = [None, Some("nonsense"), Some("warn"), Some("DEBUG"), Some("trace"), Some("TRACE")];
        assert_eq!(
            levels.map(level),
            [
                LevelFilter::INFO,
                LevelFilter::INFO,
                LevelFilter::WARN,
                LevelFilter::DEBUG,
                LevelFilter::DEBUG,
                LevelFilter::DEBUG
            ]
        );
    }
}
