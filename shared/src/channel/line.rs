//! The line to one chat product: sends a request, waits once where that is asked for, and otherwise leaves the
//! product alone.

use std::time::Duration;

use crate::{
    aws::AwsError,
    channel::{
        http::{Answer, Http, NoAnswer, Post},
        quiet::{self, Quiet, UNWELL, Why},
    },
};

/// The code of an error when there were too many calls. Slack's own word, and ours for Teams.
pub(super) const THROTTLED: &str = "ratelimited";
/// The code of an error when no call was made because the product did not answer a moment ago.
pub(super) const QUIET: &str = "quiet";
/// The code of an error when no request could be made of what the secret holds.
pub(super) const NOT_MADE: &str = "not_made";

/// A pause of this length is waited for, once. Whoever called has not much time.
const SHORT: Duration = Duration::from_secs(2);

/// What is called, for errors.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call<'a> {
    /// As [`AwsError::operation`].
    pub(super) operation: &'static str,
    /// As [`AwsError::subject`]; never a person.
    pub(super) subject: &'a str,
}

/// What an answer comes to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard<T> {
    /// It was done.
    Taken(T),
    /// It was not done: there were too many calls, and none is wanted for so long.
    Throttled(Duration),
    /// It failed.
    Failed(Failure),
}

/// Why a call failed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Failure {
    /// As [`AwsError::code`].
    pub(super) code: Option<String>,
    /// As [`AwsError::refused`].
    pub(super) refused: bool,
    /// As [`AwsError::why`].
    pub(super) why: String,
    /// Whether the product is left alone for a while.
    pub(super) unwell: bool,
}

impl Failure {
    pub(super) fn at(self, call: Call<'_>) -> AwsError {
        AwsError {
            operation: call.operation,
            subject: call.subject.to_owned(),
            code: self.code,
            refused: self.refused,
            why: self.why,
        }
    }

    /// A call that was not made, so that it certainly did nothing.
    pub(super) fn before(code: &str, why: impl Into<String>) -> Self {
        Self { code: Some(code.to_owned()), refused: true, why: why.into(), unwell: false }
    }
}

/// The line. Clones share its pauses.
#[derive(Clone, Debug)]
pub(super) struct Line {
    http: Http,
    quiet: Quiet,
    /// The product's name, for sentences.
    product: &'static str,
}

impl Line {
    pub(super) fn new(http: Http, product: &'static str) -> Self {
        Self { http, quiet: Quiet::default(), product }
    }

    /// Whether a call may be made now.
    ///
    /// # Errors
    /// During a pause.
    pub(super) fn open(&self, call: Call<'_>) -> Result<(), AwsError> {
        let product = self.product;
        let failure = match self.quiet.why() {
            None => return Ok(()),
            Some(Why::Throttled) => {
                Failure::before(THROTTLED, format!("{product} asked for a pause, and it is not over"))
            }
            Some(Why::Unwell) => {
                Failure::before(QUIET, format!("{product} did not answer a moment ago, and is left alone"))
            }
        };
        Err(failure.at(call))
    }

    /// Sends a request, and once more after a short pause if that is asked for. One whose answer was lost is not sent
    /// again: it may have been done.
    ///
    /// # Errors
    /// When it was not done, or nobody knows: `refused` tells the two apart.
    pub(super) async fn send<'a, T>(
        &self,
        call: Call<'_>,
        post: impl Fn() -> Post<'a>,
        read: impl Fn(&Answer) -> Heard<T>,
    ) -> Result<T, AwsError> {
        let mut waited = false;
        loop {
            let heard = match self.http.post(post()).await {
                Ok(answer) => self.by_status(&answer).unwrap_or_else(|| read(&answer)),
                Err(none) => Heard::Failed(unanswered(none)),
            };
            match heard {
                Heard::Taken(done) => return Ok(done),
                Heard::Throttled(pause) if pause <= SHORT && !waited => {
                    waited = true;
                    tokio::time::sleep(pause).await;
                }
                Heard::Throttled(pause) => {
                    self.quiet.begin(pause, Why::Throttled);
                    let why = format!("{} asks for a pause of {} seconds", self.product, pause.as_secs());
                    return Err(Failure::before(THROTTLED, why).at(call));
                }
                Heard::Failed(failure) => {
                    if failure.unwell {
                        self.quiet.begin(UNWELL, Why::Unwell);
                    }
                    return Err(failure.at(call));
                }
            }
        }
    }

    /// What the status alone tells; `None` if the body has to tell.
    fn by_status<T>(&self, answer: &Answer) -> Option<Heard<T>> {
        match answer.status {
            200..=299 => None,
            429 => Some(Heard::Throttled(quiet::pause(answer.retry_after.as_deref()))),
            status => Some(Heard::Failed(Failure {
                code: Some(format!("http_{status}")),
                refused: (400..=499).contains(&status),
                why: format!("{} answered with the HTTP status {status}", self.product),
                unwell: status >= 500,
            })),
        }
    }
}

fn unanswered(none: NoAnswer) -> Failure {
    match none {
        NoAnswer::NotMade(why) => Failure::before(NOT_MADE, why),
        NoAnswer::Lost(why) => Failure { code: None, refused: false, why, unwell: true },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALL: Call<'static> = Call { operation: "slack:chat.update", subject: "C1" };

    fn line() -> Line {
        Line::new(Http::default(), "Slack")
    }

    fn answer(status: u16, retry_after: Option<&str>) -> Answer {
        Answer { status, retry_after: retry_after.map(str::to_owned), body: Vec::new() }
    }

    #[test]
    fn a_status_tells_whether_it_certainly_did_not_happen() {
        for (status, refused, unwell) in [
            (302, false, false),
            (403, true, false),
            (404, true, false),
            (500, false, true),
            (503, false, true),
        ] {
            let heard = line().by_status::<()>(&answer(status, None));
            let Some(Heard::Failed(failure)) = heard else { panic!("{status}: {heard:?}") };
            assert_eq!((failure.refused, failure.unwell), (refused, unwell), "{status}");
            assert_eq!(failure.code, Some(format!("http_{status}")));
        }
        assert_eq!(line().by_status::<()>(&answer(200, None)), None);
        let throttled = Heard::Throttled(Duration::from_secs(30));
        assert_eq!(line().by_status::<()>(&answer(429, Some("30"))), Some(throttled));
    }

    #[test]
    fn a_lost_answer_is_not_a_refusal() {
        let lost = unanswered(NoAnswer::Lost("no answer in time".to_owned())).at(CALL);
        assert_eq!((lost.refused, lost.code.as_deref()), (false, None));
        assert_eq!(lost.to_string(), "slack:chat.update for C1 failed: no answer in time");
        assert!(unanswered(NoAnswer::NotMade("no")).refused);
    }

    #[tokio::test]
    async fn a_line_that_is_quiet_refuses_at_once() {
        let line = line();
        // Nobody listens on this port.
        let post = || Post {
            url: "http://127.0.0.1:1/",
            content_type: "text/plain",
            authorization: None,
            body: Vec::new(),
        };
        assert_eq!(line.open(CALL), Ok(()));
        let lost = line.send(CALL, post, |_| Heard::Taken(())).await.expect_err("nobody is there");
        assert!(!lost.refused, "{lost}");
        let told = line.clone().open(CALL).expect_err("it is quiet");
        assert_eq!((told.code.as_deref(), told.refused), (Some(QUIET), true));
        line.quiet.begin(Duration::from_secs(30), Why::Throttled);
        let told = line.open(CALL).expect_err("it is quiet");
        assert_eq!((told.code.as_deref(), told.refused), (Some(THROTTLED), true));
    }
}
