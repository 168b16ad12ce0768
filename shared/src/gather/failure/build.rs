//! What is asked about a build: CodeBuild's own account of it, then the telling part of its log.

use jiff::{SignedDuration, Timestamp};

use super::{Asking, unnamed};
use crate::{
    aws::{Sources, builds::LogPlace, logs::LogEvent},
    diagnosis::{Learnt, of_failing_command},
    evidence::Observed,
};

/// A phase's first lines may carry a time from just before it: CodeBuild's times and those of its log are of two clocks.
const SLACK: SignedDuration = SignedDuration::from_secs(2);

/// A build, and its log.
pub(super) async fn of_build(asking: &Asking, sources: &Sources, id: &str) -> Vec<Learnt> {
    let run = match asking.within(sources.builds().build(id)).await {
        Err(why) => return vec![Learnt::Build(Observed::Missing { why })],
        Ok(run) => run,
    };
    let mut learnt = vec![Learnt::Build(asking.known(run.build))];
    match run.log {
        LogPlace::Nowhere { why } => learnt.push(Learnt::Log(Observed::Missing { why })),
        LogPlace::Stream { group, stream } => {
            let since = run.failing_since.and_then(|began| began.checked_sub(SLACK).ok());
            learnt.extend(of_log(asking, sources, &group, &stream, since).await);
        }
    }
    learnt
}

/// A Commands action, by the ARN of its log stream.
pub(super) async fn of_commands(
    asking: &Asking,
    sources: &Sources,
    stream: &str,
    began: Timestamp,
) -> Vec<Learnt> {
    let Some((group, stream)) = stream_of_arn(stream) else {
        return vec![Learnt::Log(unnamed("what it names as its log is no log stream's ARN"))];
    };
    of_log(asking, sources, group, stream, began.checked_sub(SLACK).ok()).await
}

/// `arn:aws:logs:REGION:ACCOUNT:log-group:GROUP:log-stream:STREAM`, as its group and stream.
fn stream_of_arn(arn: &str) -> Option<(&str, &str)> {
    let (_, rest) = arn.split_once(":log-group:")?;
    rest.split_once(":log-stream:")
}

/// The lines of a log that tell: its end, and before that what sounds like an error, of the command that failed. What
/// could be read of the two is used, and what could not is said.
async fn of_log(
    asking: &Asking,
    sources: &Sources,
    group: &str,
    stream: &str,
    since: Option<Timestamp>,
) -> Vec<Learnt> {
    let logs = sources.logs();
    let mut errors = Vec::new();
    let (end, searched) = tokio::join!(
        asking.within(logs.end(group, stream, since)),
        asking.within(logs.errors(group, stream, since, &mut errors)),
    );
    let missing = |why: String| Learnt::Log(Observed::Missing { why });
    let unread = match (&end, searched) {
        (Ok(_), Ok(true)) => None,
        (Ok(_), Ok(false)) => {
            Some("it is so long that what comes before its end was searched in part".to_owned())
        }
        (Ok(_), Err(why)) => {
            Some(format!("only its end was read, and what comes before was not searched to the end: {why}"))
        }
        (Err(why), Ok(_)) => {
            Some(format!("it was searched for errors, and its end could not be read: {why}"))
        }
        // Both for the same reason, mostly.
        (Err(why), Err(_)) => Some(why.clone()),
    };
    let lines = of_failing_command(joined(errors, end.unwrap_or_default()));
    let known = (!lines.is_empty() || unread.is_none()).then(|| Learnt::Log(asking.known(lines)));
    known.into_iter().chain(unread.map(missing)).collect()
}

/// What was found before the end, and the end, as lines.
fn joined(mut errors: Vec<LogEvent>, end: Vec<LogEvent>) -> Vec<String> {
    if let Some(first) = end.first() {
        errors.retain(|event| event.at < first.at);
    }
    errors.into_iter().chain(end).map(|event| event.text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(at: i64, text: &str) -> LogEvent {
        LogEvent { at, text: text.to_owned() }
    }

    #[test]
    fn what_is_in_both_is_taken_once() {
        let errors = vec![event(1, "error: a"), event(5, "error: b"), event(7, "error: c")];
        let end = vec![event(5, "compiling"), event(5, "error: b"), event(7, "error: c"), event(9, "done")];
        let all = ["error: a", "compiling", "error: b", "error: c", "done"];
        assert_eq!(joined(errors.clone(), end), all);
        assert_eq!(joined(errors, Vec::new()), ["error: a", "error: b", "error: c"]);
    }

    #[test]
    fn a_stream_is_named_by_its_arn() {
        let arn = "arn:aws:logs:us-east-1:123456789012:log-group:/aws/codepipeline/orders:log-stream:47f8";
        assert_eq!(stream_of_arn(arn), Some(("/aws/codepipeline/orders", "47f8")));
        assert_eq!(stream_of_arn("47f8"), None);
    }
}
