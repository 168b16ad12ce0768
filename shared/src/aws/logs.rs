//! CloudWatch Logs: of one stream the end, and what sounds like an error before that. Never more than about 2 MB, however
//! long the stream is.

use aws_sdk_cloudwatchlogs::operation::{
    filter_log_events::FilterLogEventsInput, get_log_events::GetLogEventsInput,
};
use aws_types::SdkConfig;
use jiff::Timestamp;

use super::client::{Call as _, Client, service};
use crate::aws::AwsError;

service! {
    Api = aws_sdk_cloudwatchlogs, "CloudWatch Logs", "logs";
    filter_log_events: FilterLogEvents FilterLogEventsInputBuilder FilterLogEventsOutput FilterLogEventsError;
    get_log_events: GetLogEvents GetLogEventsInputBuilder GetLogEventsOutput GetLogEventsError;
}

/// The logs.
#[derive(Clone, Debug)]
pub struct Logs {
    client: Client<Api>,
}

/// One event of a stream. It may hold line breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEvent {
    /// When, in milliseconds since 1970.
    pub at: i64,
    /// What.
    pub text: String,
}

/// How many pages of the end are read, since any may be empty (aws-sdk-cloudwatchlogs 1.162.0, GetLogEvents).
const PAGES: usize = 10;
/// How many calls search one stream. Each looks at a part of it and may find nothing there (aws-sdk-cloudwatchlogs
/// 1.162.0, FilterLogEvents); at how large a part is not documented.
const SEARCHES: usize = 60;
/// How much is read of what sounds like an error, in bytes of text: as much as GetLogEvents answers with at once, 1 MB.
const BYTES: usize = 1_000_000;
/// How many events are read of what sounds like an error.
const ERRORS: usize = 1_000;

/// What an error sounds like, as terms of which one is enough, case by case since terms are case-sensitive (CloudWatch
/// Logs User Guide, "Filter pattern syntax"), and the lines by which CodeBuild tells one command from the next. Whether a
/// term also matches inside a word is not verified, so the usual forms are all named.
const ERROR_TERMS: &str = r#"?error ?Error ?ERROR ?errors ?Errors ?"error:" ?"Error:" ?"ERR!" ?fail ?Fail ?FAIL ?failed ?Failed ?FAILED ?failure ?Failure ?FAILURE ?fatal ?Fatal ?FATAL ?Exception ?exception ?panicked ?denied ?Denied ?refused ?unauthorized ?Unauthorized ?"timed out" ?timeout ?Timeout ?"not found" ?"No such" ?"no such" ?"space left" ?Killed ?killed ?cannot ?Cannot ?"could not" ?"Could not" ?unable ?Unable ?exceeded ?"Running command" ?"Command did not exit""#;

impl Logs {
    /// A client of one configuration.
    pub fn new(config: &SdkConfig) -> Self {
        Self { client: Client::of(config) }
    }

    /// The last events of a stream, oldest first, of those from `since` on: one page that is not empty, up to 1 MB or
    /// 10,000 events (aws-sdk-cloudwatchlogs 1.162.0, GetLogEvents).
    ///
    /// # Errors
    /// When CloudWatch Logs does not tell; `ResourceNotFoundException` when there is no such group or stream.
    pub async fn end(
        &self,
        group: &str,
        stream: &str,
        since: Option<Timestamp>,
    ) -> Result<Vec<LogEvent>, AwsError> {
        const OPERATION: &str = "logs:GetLogEvents";
        let mut next: Option<String> = None;
        for _ in 0..PAGES {
            let page = GetLogEventsInput::builder()
                .log_group_name(group)
                .log_stream_name(stream)
                .set_start_time(since.map(Timestamp::as_millisecond))
                .start_from_head(false)
                .set_next_token(next.clone())
                .sent_by(&self.client)
                .await
                .map_err(|error| AwsError::from_sdk(OPERATION, subject(group, stream), &error))?;
            let events: Vec<LogEvent> =
                page.events().iter().map(|event| read(event.timestamp(), event.message())).collect();
            // The same token again is the end.
            let token = page.next_backward_token().map(str::to_owned);
            if !events.is_empty() || token.is_none() || token == next {
                return Ok(events);
            }
            next = token;
        }
        Ok(Vec::new())
    }

    /// Adds to `found` what sounds like an error, oldest first, from `since` on: up to 1,000 events and about 1 MB. What
    /// it has found stays there if it is given up on the way. Whether it came to the end, or has found all that it may.
    ///
    /// # Errors
    /// When CloudWatch Logs does not tell; `ResourceNotFoundException` when there is no such group or stream.
    pub async fn errors(
        &self,
        group: &str,
        stream: &str,
        since: Option<Timestamp>,
        found: &mut Vec<LogEvent>,
    ) -> Result<bool, AwsError> {
        const OPERATION: &str = "logs:FilterLogEvents";
        let mut bytes = 0;
        let mut next: Option<String> = None;
        for _ in 0..SEARCHES {
            let page = FilterLogEventsInput::builder()
                .log_group_name(group)
                .log_stream_names(stream)
                .set_start_time(since.map(Timestamp::as_millisecond))
                .filter_pattern(ERROR_TERMS)
                .limit(i32::try_from(ERRORS.saturating_sub(found.len()).max(1)).unwrap_or(1))
                .set_next_token(next)
                .sent_by(&self.client)
                .await
                .map_err(|error| AwsError::from_sdk(OPERATION, subject(group, stream), &error))?;
            for event in page.events() {
                let event = read(event.timestamp(), event.message());
                bytes += event.text.len();
                found.push(event);
            }
            match page.next_token() {
                Some(token) if !token.is_empty() && found.len() < ERRORS && bytes < BYTES => {
                    next = Some(token.to_owned());
                }
                Some(_) | None => return Ok(true),
            }
        }
        Ok(false)
    }
}

fn read(at: Option<i64>, message: Option<&str>) -> LogEvent {
    LogEvent { at: at.unwrap_or_default(), text: message.unwrap_or_default().trim_end().to_owned() }
}

fn subject(group: &str, stream: &str) -> String {
    format!("{group}, stream {stream}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pattern_is_one_that_cloudwatch_takes() {
        // "Maximum length of 1024" (CloudWatch Logs API Reference, FilterLogEvents, filterPattern).
        assert!(ERROR_TERMS.chars().count() <= 1_024);
        // Outside quotation marks a term has letters and digits only, and each is one of several.
        let bare = ERROR_TERMS.split('"').step_by(2).collect::<String>();
        for term in bare.split(' ') {
            assert!(term.starts_with('?') && term.chars().skip(1).all(char::is_alphanumeric), "{term}");
        }
    }
}
