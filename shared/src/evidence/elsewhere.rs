//! What CodePipeline tells of a manual approval that Belay did not answer.

use std::fmt;

use crate::cause::Cause;

/// What is known of an approval's end. What CodePipeline does not say, or could not be asked, is left out.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Elsewhere {
    /// Who answered, as an ARN.
    pub by: Option<String>,
    /// What they said with it. Text from outside.
    pub words: Option<String>,
    /// What its failure is put down to.
    pub cause: Option<Cause>,
}

impl fmt::Debug for Elsewhere {
    /// Who answered, and what they wrote, never reaches a log line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Elsewhere(…)")
    }
}
