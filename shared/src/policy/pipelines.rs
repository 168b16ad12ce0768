//! What Belay may do about a pipeline of its own accord: run again what failed for a reason that passes by itself.

use super::{
    path::Path,
    reading::{Fields, Reading, listed, nearest},
};
use crate::{cause::RETRYABLE, yaml::Value};

/// What is run again without asking, and how often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryRule {
    /// The causes, by their ids in the catalogue. Never empty; each is one that passes by itself.
    pub causes: Vec<String>,
    /// How often in one stage of one execution, from 1.
    pub attempts: u32,
}

/// How often a stage may be run again at most: what has not passed by then does not pass by itself.
const MOST: u32 = 5;

/// Reads `pipelines`.
pub(super) fn pipelines(reading: &mut Reading, root: &Fields<'_>) -> Option<RetryRule> {
    let node = root.get("pipelines")?;
    let top = Path::TOP.to("pipelines");
    let fields = reading.fields(node, &top, &["retry"]);
    let node = reading.required(&fields, "retry", "{ causes: [throttled], attempts: 1 }")?;
    let path = fields.path("retry");
    let fields = reading.fields(node, &path, &["causes", "attempts"]);
    let attempts = match fields.get("attempts") {
        None => Some(1),
        Some(node) => reading.number(node, &fields.path("attempts"), 1..=MOST),
    };
    let node = reading.required(&fields, "causes", "[throttled]")?;
    let path = fields.path("causes");
    let items = reading.list(node, &path, || "a list of causes, such as `[throttled]`".to_owned());
    if items.is_empty() && matches!(node.value, Value::List(_)) {
        reading.wrong(node.line, &path, "names no cause: nothing would be retried");
    }
    let mut causes: Vec<String> = Vec::new();
    for (at, item) in items.iter().enumerate() {
        let at = at.to_string();
        let path = path.to(&at);
        let expected = "the id of a cause; `rehearse --causes` lists them";
        let Some(cause) = reading.text(item, &path, expected, 60) else { continue };
        if causes.contains(&cause) {
            reading.wrong(item.line, &path, format!("names `{cause}` twice"));
        } else if RETRYABLE.contains(&cause.as_str()) {
            causes.push(cause);
        } else {
            let said = match nearest(&cause, RETRYABLE) {
                Some(meant) => format!("found `{cause}`; did you mean `{meant}`?"),
                None => format!(
                    "found `{cause}`, which is no cause that passes by itself; these are: {}",
                    listed(RETRYABLE, "and")
                ),
            };
            reading.wrong(item.line, &path, said);
        }
    }
    Some(RetryRule { causes, attempts: attempts? })
}
