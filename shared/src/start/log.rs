//! Lines that go into a function's log as they are: metrics, which CloudWatch reads there, and which the logger's own form
//! would spoil.

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
