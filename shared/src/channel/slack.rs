//! Slack's Web API: one message, its changes, and pictures in its thread (docs.slack.dev, "Web API").
//!
//! Neither the token nor what is written is in any error, nor who it is shown to.

mod answers;

pub use self::answers::{is_for_good, what_to_do};

use std::fmt;

use serde_json::{Map, Value, json};

use crate::{
    aws::{
        AwsError,
        secrets::{Secret, Secrets},
    },
    channel::{
        http::{Answer, Http, Post},
        line::{Call, Failure, Heard, Line},
        slack::answers::{NO_TOKEN, STRANGE_URL, is_about_the_token, read},
    },
};

/// Slack. Clones share its pauses: after Slack asked for one that is too long to wait for, or did not answer, every
/// call fails at once without a request until it is over, with the code `ratelimited` or `quiet`.
#[derive(Clone)]
pub struct Slack {
    line: Line,
    /// The URL of the Web API, without a slash at its end.
    api: String,
    /// Slack is a simulator on this machine.
    local: bool,
    secrets: Secrets,
}

impl fmt::Debug for Slack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slack").field("api", &self.api).finish_non_exhaustive()
    }
}

/// Where a message is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posted {
    /// The channel's id, also if it was posted to a name.
    pub channel: String,
    /// The message's id in the channel: `1772679600.000100`.
    pub ts: String,
}

/// The types of bodies.
const JSON: &str = "application/json; charset=utf-8";
const FORM: &str = "application/x-www-form-urlencoded";
const BYTES: &str = "application/octet-stream";

/// The longest description of a picture (files.getUploadURLExternal, `alt_txt_too_large`).
const ALT: usize = 1_000;

impl Slack {
    pub(super) fn new(http: Http, api: &str, local: bool, secrets: Secrets) -> Self {
        Self { line: Line::new(http, "Slack"), api: api.to_owned(), local, secrets }
    }

    /// Posts a message, into a thread if `thread` is the `ts` of its first message; `broadcast` shows it in the channel
    /// as well. `text` is what notifications and screen readers get; `blocks` may be null.
    ///
    /// # Errors
    /// When Slack did not take it, or nobody knows whether it did: `refused` tells the two apart. It is not sent again
    /// when its answer was lost.
    pub async fn post(
        &self,
        channel: &str,
        thread: Option<&str>,
        broadcast: bool,
        text: &str,
        blocks: &Value,
    ) -> Result<Posted, AwsError> {
        let call = Call { operation: "slack:chat.postMessage", subject: channel };
        let mut body = message(channel, text, blocks);
        body.insert("unfurl_links".to_owned(), json!(false));
        body.insert("unfurl_media".to_owned(), json!(false));
        if let Some(thread) = thread {
            body.insert("thread_ts".to_owned(), json!(thread));
            body.insert("reply_broadcast".to_owned(), json!(broadcast));
        }
        let answer = self.call(call, JSON, Value::Object(body).to_string().as_bytes()).await?;
        let text = |name: &str| answer[name].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        match (text("channel"), text("ts")) {
            (Some(channel), Some(ts)) => Ok(Posted { channel, ts }),
            (Some(_) | None, _) => Err(AwsError::unreadable(
                call.operation,
                channel,
                "Slack took it, and does not say where it is",
            )),
        }
    }

    /// Changes a message that we posted. Its blocks are replaced as a whole.
    ///
    /// # Errors
    /// As [`Slack::post`].
    pub async fn update(&self, channel: &str, ts: &str, text: &str, blocks: &Value) -> Result<(), AwsError> {
        let call = Call { operation: "slack:chat.update", subject: channel };
        let mut body = message(channel, text, blocks);
        body.insert("ts".to_owned(), json!(ts));
        self.call(call, JSON, Value::Object(body).to_string().as_bytes()).await?;
        Ok(())
    }

    /// Shows a text to one person in a channel. Slack does not keep it.
    ///
    /// # Errors
    /// As [`Slack::post`].
    pub async fn whisper(&self, channel: &str, user: &str, text: &str) -> Result<(), AwsError> {
        let call = Call { operation: "slack:chat.postEphemeral", subject: channel };
        let body = json!({ "channel": channel, "user": user, "text": text });
        self.call(call, JSON, body.to_string().as_bytes()).await?;
        Ok(())
    }

    /// Shows a picture in a thread: asks where to, sends it there, and has it shown. `alt` describes it to whoever does
    /// not see it, in at most 1,000 characters; the rest is cut off.
    ///
    /// # Errors
    /// As [`Slack::post`]. Nobody sees anything of it before its last step, so up to then `refused` is true.
    pub async fn picture(
        &self,
        channel: &str,
        thread: &str,
        title: &str,
        alt: &str,
        png: &[u8],
    ) -> Result<(), AwsError> {
        let unseen = |error: AwsError| AwsError { refused: true, ..error };
        let (url, file) = self.place(channel, alt, png.len()).await.map_err(unseen)?;
        self.upload(channel, &url, png).await.map_err(unseen)?;
        let call = Call { operation: "slack:files.completeUploadExternal", subject: channel };
        let files = json!([{ "id": file, "title": title }]);
        let body = json!({ "files": files, "channel_id": channel, "thread_ts": thread });
        self.call(call, JSON, body.to_string().as_bytes()).await?;
        Ok(())
    }

    /// Where a picture may be sent to, and the file's id.
    async fn place(&self, channel: &str, alt: &str, length: usize) -> Result<(Secret, String), AwsError> {
        let call = Call { operation: "slack:files.getUploadURLExternal", subject: channel };
        let alt: String = alt.chars().take(ALT).collect();
        // JSON is not taken by every version of this method; a form is.
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("filename", "graph.png")
            .append_pair("length", &length.to_string())
            .append_pair("alt_txt", &alt)
            .finish();
        let answer = self.call(call, FORM, form.as_bytes()).await?;
        match (answer["upload_url"].as_str(), answer["file_id"].as_str()) {
            (Some(url), Some(file)) if is_upload(url, self.local) => Ok((Secret::new(url), file.to_owned())),
            (Some(_), Some(_)) => {
                Err(Failure::before(STRANGE_URL, "Slack names an upload URL that is not its own").at(call))
            }
            (None, _) | (_, None) => {
                Err(AwsError::unreadable(call.operation, channel, "the answer names no place for it"))
            }
        }
    }

    /// Sends the bytes. The URL is for this file alone, and needs no token.
    async fn upload(&self, channel: &str, url: &Secret, png: &[u8]) -> Result<(), AwsError> {
        let call = Call { operation: "slack:upload", subject: channel };
        self.line.open(call)?;
        let post =
            || Post { url: url.reveal(), content_type: BYTES, authorization: None, body: png.to_vec() };
        self.line.send(call, post, |_: &Answer| Heard::Taken(())).await
    }

    /// Calls a method. If Slack does not know the token any more, the secret is looked at again, and a token that is
    /// another one is tried.
    async fn call(&self, call: Call<'_>, content_type: &'static str, body: &[u8]) -> Result<Value, AwsError> {
        self.line.open(call)?;
        let token = self.token(call, false).await?;
        let called = self.call_with(call, content_type, body, &token).await;
        match called {
            Err(error) if is_about_the_token(&error) => match self.token(call, true).await {
                Ok(other) if other != token => self.call_with(call, content_type, body, &other).await,
                Ok(_) | Err(_) => Err(error),
            },
            Ok(_) | Err(_) => called,
        }
    }

    async fn call_with(
        &self,
        call: Call<'_>,
        content_type: &'static str,
        body: &[u8],
        token: &Secret,
    ) -> Result<Value, AwsError> {
        let method = call.operation.trim_start_matches("slack:");
        let url = format!("{}/{method}", self.api);
        let post = || Post {
            url: &url,
            content_type,
            authorization: Some(format!("Bearer {}", token.reveal())),
            body: body.to_vec(),
        };
        self.line.send(call, post, read).await
    }

    /// The bot token. Without it nothing is sent, whatever is wrong with the secret.
    async fn token(&self, call: Call<'_>, refresh: bool) -> Result<Secret, AwsError> {
        let held = if refresh { self.secrets.refresh().await } else { self.secrets.chat().await };
        let held = held.map_err(|error| AwsError { refused: true, ..error })?;
        held.slack_bot_token
            .ok_or_else(|| Failure::before(NO_TOKEN, "the secret has no slack_bot_token").at(call))
    }
}

/// What posting and changing a message have in common.
fn message(channel: &str, text: &str, blocks: &Value) -> Map<String, Value> {
    let mut body = Map::new();
    body.insert("channel".to_owned(), json!(channel));
    body.insert("text".to_owned(), json!(text));
    if !blocks.is_null() {
        body.insert("blocks".to_owned(), blocks.clone());
    }
    body
}

/// Whether files may be sent there: https, and a host of Slack's. Slack answers with `files.slack.com`
/// [unverified: not documented].
fn is_upload(url: &str, local: bool) -> bool {
    let Ok(url) = url.parse::<http::Uri>() else { return false };
    let host = url.host().unwrap_or_default().to_ascii_lowercase();
    let plain = url.authority().is_some_and(|authority| !authority.as_str().contains('@'));
    local
        || (url.scheme_str() == Some("https")
            && plain
            && (host == "slack.com" || host.ends_with(".slack.com")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_go_to_slack_only() {
        assert!(is_upload("https://files.slack.com/upload/v1/ABC?x=1", false));
        assert!(is_upload("https://slack.com/upload", false));
        for strange in [
            "http://files.slack.com/upload",
            "https://files.slack.com.example.com/upload",
            "https://notslack.com/upload",
            "https://files.slack.com@example.com/upload",
            "https://me@files.slack.com/upload",
            "/upload",
            "",
        ] {
            assert!(!is_upload(strange, false), "{strange}");
        }
        assert!(is_upload("http://127.0.0.1:4010/upload", true));
        assert!(!is_upload("not a URL", true));
    }

    #[test]
    fn a_message_without_blocks_has_no_such_field() {
        let with = message("C1", "text", &json!([{ "type": "divider" }]));
        assert_eq!(Value::Object(with)["blocks"][0]["type"], "divider");
        let without = Value::Object(message("C1", "text", &Value::Null));
        assert_eq!(without, json!({ "channel": "C1", "text": "text" }));
    }
}
