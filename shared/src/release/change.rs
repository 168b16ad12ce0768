//! What is known of the change that a release brings: the commit, and who wanted it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The change behind a release. What is not known is not guessed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Change {
    /// The commit's id.
    pub commit: Option<String>,
    /// Its message, or the deployment's own description. Text from outside.
    pub message: Option<String>,
    /// Its author, as people call them. Text from outside.
    pub author: Option<String>,
    /// Who started the release, where the deployer says so: an IAM principal's ARN.
    pub started_by: Option<String>,
    /// When the commit was made, by its own word. Not known of what CodeDeploy alone deploys, nor of a source that does
    /// not say.
    pub committed: Option<Timestamp>,
    /// Everybody who wanted it, by every name that is known of them: the author's name, id and address, whoever
    /// started it, and whom the release itself names ([`requested_by`]). None of them approves it.
    pub requested_by: Vec<String>,
}

/// What is written into a deployment's description, an AppSpec or a commit's message to say who wants the release.
const REQUESTED_BY: &str = "belay: requested-by";

/// Whom `text` names as wanting the release: `belay: requested-by anna@example.com`, whatever the case.
pub fn requested_by(text: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let at = line.to_ascii_lowercase().find(REQUESTED_BY)?;
        let who = line.get(at + REQUESTED_BY.len()..)?;
        let who = who.trim_matches(|c: char| c.is_whitespace() || matches!(c, ':' | ','));
        (!who.is_empty()).then(|| who.chars().take(300).collect())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_names_who_wants_it() {
        let text = "Release 42\nBelay: Requested-By: anna@example.com \nmore";
        assert_eq!(requested_by(text).as_deref(), Some("anna@example.com"));
        for text in ["", "requested-by anna", "belay: requested-by", "belay: requested-by :"] {
            assert_eq!(requested_by(text), None, "{text}");
        }
    }
}
