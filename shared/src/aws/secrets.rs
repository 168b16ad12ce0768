//! Secrets Manager: the tokens of the chat products, kept in the process for a while and never shown.

use aws_sdk_secretsmanager::operation::get_secret_value::GetSecretValueInput;
use std::{fmt, sync::Arc, time::Duration};

use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;
use serde_json::Value;
use tokio::sync::Mutex;

use super::client::{Call as _, Client, service};
use crate::aws::{
    AwsError,
    timer::{Timer, runs},
};

service! {
    Api = aws_sdk_secretsmanager, "Secrets Manager", "secretsmanager";
    get_secret_value: GetSecretValue GetSecretValueInputBuilder GetSecretValueOutput GetSecretValueError;
}

/// Something that nobody may see. It is shown as `…`, and cannot be serialised.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes a text out of sight.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for the one place that sends it or verifies with it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// What the secret holds, as JSON under these names. Whatever is absent or empty is not used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChatSecrets {
    /// Slack's bot token, `xoxb-…`.
    pub slack_bot_token: Option<Secret>,
    /// What Slack signs its requests with.
    pub slack_signing_secret: Option<Secret>,
    /// The URL of a Teams workflow, with its signature: whoever has it can post.
    pub teams_webhook_url: Option<Secret>,
}

/// One secret of Secrets Manager. Clones share what was fetched.
#[derive(Clone, Debug)]
pub struct Secrets {
    client: Client<Api>,
    id: String,
    kept: Arc<Mutex<Kept>>,
}

/// What is fetched counts as current for so long.
const FRESH: Duration = Duration::from_secs(5 * 60);
/// Between two fetches that were asked for before the time, and after one that failed while an old value is there.
/// Anybody can send a badly signed request, and each is a reason to look for a new secret.
const REFRESH_EVERY: Duration = Duration::from_secs(60);
/// After a fetch that failed while nothing is there.
const TRY_EVERY: Duration = Duration::from_secs(5);
/// For so long after a rotation the signing secret before it still counts.
const BEFORE: Duration = Duration::from_secs(10 * 60);

const OPERATION: &str = "secretsmanager:GetSecretValue";

/// The code of an error of ours: the secret is there, and does not hold what it must.
pub const UNREADABLE: &str = "UnreadableSecret";

impl Secrets {
    /// The secret with this name or ARN.
    pub fn new(config: &SdkConfig, id: &str) -> Self {
        // Slack waits three seconds for the answer to a request, and nothing can be verified without the secret.
        let limits = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(1))
            .operation_attempt_timeout(Duration::from_millis(1_200))
            .operation_timeout(Duration::from_secs(3))
            .build();
        let client = Client::of(&config.clone().into_builder().timeout_config(limits).build());
        Self { client, id: id.to_owned(), kept: Arc::default() }
    }

    /// What the secret holds: fetched at most five minutes ago, or longer ago if Secrets Manager does not
    /// give it any more.
    ///
    /// # Errors
    /// When it was never fetched and cannot be, or does not hold JSON with texts in it. Nothing of the content is in
    /// the error.
    pub async fn chat(&self) -> Result<ChatSecrets, AwsError> {
        self.current(false).await.map(|kept| kept.0)
    }

    /// The same, fetched again if that was not asked for in the last minute: when something that the secret holds
    /// turned out to be wrong.
    ///
    /// # Errors
    /// As [`Secrets::chat`].
    pub async fn refresh(&self) -> Result<ChatSecrets, AwsError> {
        self.current(true).await.map(|kept| kept.0)
    }

    /// What a request of Slack's may be signed with: the signing secret, and for ten minutes after a rotation was
    /// seen also the one before. Empty if there is none. With `refresh`, as [`Secrets::refresh`].
    ///
    /// # Errors
    /// As [`Secrets::chat`].
    pub async fn signing_secrets(&self, refresh: bool) -> Result<Vec<Secret>, AwsError> {
        let (current, before) = self.current(refresh).await?;
        Ok(current.slack_signing_secret.into_iter().chain(before).collect())
    }

    /// What is held now, and the signing secret before. Whoever comes while it is being fetched waits for that fetch:
    /// the lock is held as long.
    async fn current(&self, refresh: bool) -> Result<(ChatSecrets, Option<Secret>), AwsError> {
        let mut kept = self.kept.lock().await;
        if kept.is_due(refresh) {
            if refresh {
                kept.refreshed = Some(Timer::of(REFRESH_EVERY));
            }
            let fetched = self.fetch().await;
            kept.took(fetched);
        }
        kept.answer()
    }

    async fn fetch(&self) -> Result<ChatSecrets, AwsError> {
        let output = GetSecretValueInput::builder()
            .secret_id(&self.id)
            .sent_by(&self.client)
            .await
            .map_err(|error| AwsError::from_sdk(OPERATION, &self.id, &error))?;
        let read = match output.secret_string() {
            Some(text) => parse(text),
            None => Err("it holds bytes instead of a text".to_owned()),
        };
        read.map_err(|why| AwsError {
            code: Some(UNREADABLE.to_owned()),
            ..AwsError::unreadable(OPERATION, &self.id, why)
        })
    }
}

/// The fields of the secret. What is wrong is said by name only: a parser's own words would quote the content.
fn parse(text: &str) -> Result<ChatSecrets, String> {
    let Ok(Value::Object(fields)) = serde_json::from_str(text) else {
        return Err("it does not hold a JSON object".to_owned());
    };
    let field = |name: &str| match fields.get(name) {
        // Whoever pastes a token pastes a line's end with it.
        Some(Value::String(text)) => Ok(Some(text.trim()).filter(|text| !text.is_empty()).map(Secret::new)),
        Some(Value::Null) | None => Ok(None),
        Some(Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
            Err(format!("its field {name} is not a text"))
        }
    };
    Ok(ChatSecrets {
        slack_bot_token: field("slack_bot_token")?,
        slack_signing_secret: field("slack_signing_secret")?,
        teams_webhook_url: field("teams_webhook_url")?,
    })
}

/// What was fetched, and for how long it counts.
#[derive(Debug, Default)]
struct Kept {
    value: Option<ChatSecrets>,
    /// The signing secret before the present one, while it counts.
    before: Option<(Secret, Timer)>,
    /// Runs while the value is current.
    fresh: Option<Timer>,
    /// Runs while it is not fetched before the time again.
    refreshed: Option<Timer>,
    /// Why the last fetch failed, if it did.
    failed: Option<AwsError>,
    /// Runs while it is not tried again after that.
    resting: Option<Timer>,
}

impl Kept {
    /// Whether it has to be fetched.
    fn is_due(&mut self, refresh: bool) -> bool {
        if self.value.is_none() {
            return !runs(&mut self.resting);
        }
        (refresh && !runs(&mut self.refreshed)) || (!runs(&mut self.fresh) && !runs(&mut self.resting))
    }

    /// Takes what a fetch came to. One that failed leaves the old value where it is.
    fn took(&mut self, fetched: Result<ChatSecrets, AwsError>) {
        let new = match fetched {
            Ok(new) => new,
            Err(error) => {
                let rest = if self.value.is_some() { REFRESH_EVERY } else { TRY_EVERY };
                (self.failed, self.resting) = (Some(error), Some(Timer::of(rest)));
                return;
            }
        };
        let old = self.value.as_mut().and_then(|old| old.slack_signing_secret.take());
        match (old, &new.slack_signing_secret) {
            (Some(old), Some(new)) if old != *new => self.before = Some((old, Timer::of(BEFORE))),
            // Taken out, not rotated: nothing counts any more.
            (_, None) => self.before = None,
            (Some(_) | None, Some(_)) => {}
        }
        (self.value, self.fresh) = (Some(new), Some(Timer::of(FRESH)));
        (self.failed, self.resting) = (None, None);
    }

    fn answer(&mut self) -> Result<(ChatSecrets, Option<Secret>), AwsError> {
        let before =
            self.before.as_mut().and_then(|(secret, counts)| (!counts.is_over()).then(|| secret.clone()));
        match (&self.value, &self.failed) {
            (Some(value), _) => Ok((value.clone(), before)),
            (None, Some(error)) => Err(error.clone()),
            (None, None) => Err(AwsError::unreadable(OPERATION, "the secret", "it was not fetched")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signing(text: &str) -> ChatSecrets {
        ChatSecrets { slack_signing_secret: Some(Secret::new(text)), ..ChatSecrets::default() }
    }

    fn failure() -> AwsError {
        AwsError::unreadable(OPERATION, "belay/chat", "it is down")
    }

    /// Whether a timer was begun with this length just now.
    fn is_of(timer: Option<&Timer>, length: Duration) -> bool {
        let (shorter, longer) = (Timer::of(length.saturating_sub(Duration::from_secs(1))), Timer::of(length));
        timer.is_some_and(|timer| timer.outlasts(&shorter) && !timer.outlasts(&longer))
    }

    async fn over() -> Timer {
        let timer = Timer::of(Duration::ZERO);
        tokio::time::sleep(Duration::from_millis(5)).await;
        timer
    }

    #[test]
    fn a_secret_is_never_shown() {
        let secret = Secret::new("xoxb-made-up");
        assert_eq!(format!("{secret} {secret:?}"), "… …");
        let all = ChatSecrets {
            slack_bot_token: Some(secret.clone()),
            slack_signing_secret: Some(secret.clone()),
            teams_webhook_url: Some(secret),
        };
        let kept = Kept { value: Some(all), ..Kept::default() };
        let shown = format!("{kept:#?}");
        assert!(!shown.contains("made-up") && shown.contains('…'), "{shown}");
    }

    #[test]
    fn each_field_is_optional_and_others_are_ignored() {
        let read = parse(r#"{"slack_bot_token": " xoxb-1\n", "slack_signing_secret": "", "other": 5}"#);
        let expected = ChatSecrets { slack_bot_token: Some(Secret::new("xoxb-1")), ..ChatSecrets::default() };
        assert_eq!(read, Ok(expected));
        assert_eq!(parse(r#"{"teams_webhook_url": null}"#), Ok(ChatSecrets::default()));
        let url = parse(r#"{"teams_webhook_url": "https://x.logic.azure.com/?sig=1"}"#).expect("it is right");
        assert_eq!(url.teams_webhook_url.expect("a URL").reveal(), "https://x.logic.azure.com/?sig=1");
    }

    #[test]
    fn what_is_wrong_is_said_without_the_content() {
        for (text, told) in [
            ("xoxb-made-up", "it does not hold a JSON object"),
            ("\"xoxb-made-up\"", "it does not hold a JSON object"),
            (r#"{"slack_bot_token": ["made-up"]}"#, "its field slack_bot_token is not a text"),
            (r#"{"slack_signing_secret": 12345}"#, "its field slack_signing_secret is not a text"),
            (r#"{"teams_webhook_url": {"u": "made-up"}}"#, "its field teams_webhook_url is not a text"),
        ] {
            assert_eq!(parse(text), Err(told.to_owned()));
        }
    }

    #[tokio::test]
    async fn it_is_fetched_every_five_minutes() {
        let mut kept = Kept::default();
        assert!(kept.is_due(false));
        kept.took(Ok(signing("one")));
        assert!(!kept.is_due(false));
        assert!(is_of(kept.fresh.as_ref(), Duration::from_secs(300)));
        kept.fresh = Some(over().await);
        assert!(kept.is_due(false));
    }

    #[tokio::test]
    async fn it_is_fetched_before_the_time_once_a_minute() {
        let mut kept = Kept::default();
        kept.took(Ok(signing("one")));
        assert!(kept.is_due(true), "right after the first fetch too");
        kept.refreshed = Some(Timer::of(REFRESH_EVERY));
        assert!(!kept.is_due(true));
        kept.refreshed = Some(over().await);
        assert!(kept.is_due(true));
    }

    #[tokio::test]
    async fn a_failed_fetch_leaves_the_old_value() {
        let mut kept = Kept::default();
        kept.took(Ok(signing("one")));
        kept.fresh = Some(over().await);
        kept.took(Err(failure()));
        assert_eq!(kept.answer(), Ok((signing("one"), None)));
        assert!(!kept.is_due(false), "not with every call while it is down");
        assert!(is_of(kept.resting.as_ref(), Duration::from_secs(60)));
        kept.resting = Some(over().await);
        assert!(kept.is_due(false));
    }

    #[tokio::test]
    async fn a_first_fetch_that_failed_is_tried_again_soon() {
        let mut kept = Kept::default();
        kept.took(Err(failure()));
        assert_eq!(kept.answer(), Err(failure()));
        assert!(!kept.is_due(true) && is_of(kept.resting.as_ref(), Duration::from_secs(5)));
        kept.resting = Some(over().await);
        assert!(kept.is_due(false));
        kept.took(Ok(signing("one")));
        assert_eq!(kept.answer(), Ok((signing("one"), None)));
    }

    #[tokio::test]
    async fn the_signing_secret_before_counts_for_ten_minutes() {
        let mut kept = Kept::default();
        kept.took(Ok(signing("one")));
        kept.took(Ok(signing("one")));
        assert_eq!(kept.answer(), Ok((signing("one"), None)));
        kept.took(Ok(signing("two")));
        let before = kept.before.as_ref().map(|(_, counts)| counts);
        assert!(is_of(before, Duration::from_secs(600)));
        // The same once more is no rotation.
        kept.took(Ok(signing("two")));
        assert_eq!(kept.answer(), Ok((signing("two"), Some(Secret::new("one")))));
        kept.before = Some((Secret::new("one"), over().await));
        assert_eq!(kept.answer(), Ok((signing("two"), None)));
    }

    #[tokio::test]
    async fn a_signing_secret_that_was_taken_out_does_not_count() {
        let mut kept = Kept::default();
        kept.took(Ok(signing("one")));
        kept.took(Ok(signing("two")));
        kept.took(Ok(ChatSecrets::default()));
        assert_eq!(kept.answer(), Ok((ChatSecrets::default(), None)));
    }
}
