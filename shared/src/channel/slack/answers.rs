//! What Slack's answers mean. Its errors come with the HTTP status 200, as `"ok": false` and a word (docs.slack.dev,
//! "chat.postMessage", "chat.update", "files.completeUploadExternal").

use serde_json::Value;

use crate::{
    aws::AwsError,
    channel::{
        about_the_secret,
        http::Answer,
        line::{Failure, Heard, NOT_MADE, THROTTLED},
        quiet,
    },
};

/// The code of an error when the secret has no bot token.
pub(super) const NO_TOKEN: &str = "no_token";
/// The code of an error when Slack names an upload URL that is not its own.
pub(super) const STRANGE_URL: &str = "strange_upload_url";

/// Words after which nobody knows whether it was done: something of Slack's own failed.
const UNKNOWN: [&str; 4] = ["fatal_error", "internal_error", "service_unavailable", "request_timeout"];

/// Words that a new token may help against.
const TOKEN: [&str; 4] = ["invalid_auth", "token_revoked", "not_authed", "token_expired"];

/// What came of a call, by its body.
pub(super) fn read(answer: &Answer) -> Heard<Value> {
    let unread =
        |why: &str| Heard::Failed(Failure { code: None, refused: false, why: why.to_owned(), unwell: false });
    let Ok(body) = serde_json::from_slice::<Value>(&answer.body) else {
        return unread("the answer is not JSON");
    };
    if body["ok"] == Value::Bool(true) {
        return Heard::Taken(body);
    }
    let Some(code) = word(&body["error"]) else {
        return unread("the answer says neither that it was done nor why not");
    };
    if code == THROTTLED || code == "rate_limited" {
        return Heard::Throttled(quiet::pause(answer.retry_after.as_deref()));
    }
    // Which scope is missing, for `missing_scope`.
    let needed = word(&body["needed"]).map(|scope| format!(", {scope} is needed")).unwrap_or_default();
    Heard::Failed(Failure {
        why: format!("Slack says {code}{needed}"),
        refused: !UNKNOWN.contains(&code),
        code: Some(code.to_owned()),
        unwell: false,
    })
}

/// A word of Slack's vocabulary. Anything else may be what somebody wrote, and goes into no error.
fn word(value: &Value) -> Option<&str> {
    value.as_str().filter(|text| {
        (1..=80).contains(&text.len())
            && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "_:.,-".contains(c))
    })
}

/// Whether another token may help.
pub(super) fn is_about_the_token(error: &AwsError) -> bool {
    error.code.as_deref().is_some_and(|code| TOKEN.contains(&code))
}

/// What somebody can do about an error, as a sentence; `None` if there is nothing to be done but to wait, or nothing
/// that we know.
pub fn what_to_do(error: &AwsError) -> Option<&'static str> {
    Some(match error.code.as_deref()? {
        "not_in_channel" => "Invite the bot into the channel: /invite @Belay.",
        "channel_not_found" => {
            "Write the channel's id into the policy (C0123456789, at the end of the channel's details), and if the channel is private, invite the bot: /invite @Belay."
        }
        "is_archived" => "Take the channel out of the archive, or write another one into the policy.",
        "invalid_auth" | "not_authed" | "token_revoked" | "token_expired" => {
            "Install the Slack app again and put its bot token into the secret as slack_bot_token."
        }
        "account_inactive" => {
            "The app's user or its workspace is deactivated: install the Slack app again and put its bot token into the secret as slack_bot_token."
        }
        "missing_scope" | "no_permission" | "not_allowed_token_type" => {
            "Give the Slack app the bot scopes chat:write and files:write, and install it again."
        }
        "restricted_action"
        | "restricted_action_read_only_channel"
        | "restricted_action_thread_only_channel"
        | "restricted_action_non_threadable_channel" => {
            "Let the app post there: somebody who administers the workspace restricts who may post in this channel."
        }
        "team_access_not_granted" | "org_login_required" | "access_denied" | "ekm_access_denied" => {
            "Ask somebody who administers the Slack organisation to let the app into this workspace."
        }
        "file_uploads_disabled" | "file_uploads_except_images_disabled" | "file_type_not_allowed" => {
            "The workspace allows no such uploads: somebody who administers it can allow them."
        }
        "http_404" | "unknown_method" => "Correct or remove BELAY_SLACK_API: there is no Slack Web API.",
        NO_TOKEN => "Put the Slack app's bot token into the secret as slack_bot_token.",
        NOT_MADE => "Look at slack_bot_token in the secret: it has characters that no token has.",
        code => return about_the_secret(code),
    })
}

/// Whether an error will not pass by itself, so that trying again is in vain until somebody does something, or the
/// message is another one.
pub fn is_for_good(error: &AwsError) -> bool {
    // What is wrong with the message, or with what it refers to. For the rest somebody has to do something.
    const OF_THE_MESSAGE: [&str; 31] = [
        "alt_txt_too_large",
        "as_user_not_supported",
        "cannot_reply_to_message",
        "cant_broadcast_message",
        "cant_post_message",
        "cant_update_message",
        "deprecated_endpoint",
        "edit_window_closed",
        "enterprise_is_restricted",
        "file_not_found",
        "file_upload_size_restricted",
        "invalid_arg_name",
        "invalid_arguments",
        "invalid_array_arg",
        "invalid_blocks",
        "invalid_blocks_format",
        "invalid_charset",
        "invalid_form_data",
        "invalid_post_type",
        "message_not_found",
        "messages_tab_disabled",
        "metadata_too_large",
        "method_deprecated",
        "missing_argument",
        "msg_blocks_too_long",
        "msg_too_long",
        "no_text",
        "thread_not_found",
        "too_many_attachments",
        "user_not_in_channel",
        STRANGE_URL,
    ];
    what_to_do(error).is_some() || error.code.as_deref().is_some_and(|code| OF_THE_MESSAGE.contains(&code))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::aws::secrets::UNREADABLE;
    use crate::channel::line::{Call, QUIET};

    fn heard(body: &str) -> Heard<Value> {
        read(&Answer { status: 200, retry_after: Some("3".to_owned()), body: body.as_bytes().to_vec() })
    }

    fn failed(body: &str) -> AwsError {
        let Heard::Failed(failure) = heard(body) else { panic!("{body}") };
        failure.at(Call { operation: "slack:chat.postMessage", subject: "C1" })
    }

    fn error(code: &str) -> AwsError {
        Failure::before(code, "it says so").at(Call { operation: "slack:chat.postMessage", subject: "C1" })
    }

    #[test]
    fn ok_is_a_field_and_not_a_status() {
        assert!(matches!(heard(r#"{"ok":true,"ts":"1.2"}"#), Heard::Taken(body) if body["ts"] == "1.2"));
        let refused = failed(r#"{"ok":false,"error":"not_in_channel"}"#);
        assert_eq!((refused.code.as_deref(), refused.refused), (Some("not_in_channel"), true));
        assert_eq!(refused.to_string(), "slack:chat.postMessage for C1 failed: Slack says not_in_channel");
        let scope = failed(r#"{"ok":false,"error":"missing_scope","needed":"files:write","provided":"x"}"#);
        assert_eq!(scope.why, "Slack says missing_scope, files:write is needed");
    }

    #[test]
    fn what_failed_in_slack_may_have_happened() {
        for code in UNKNOWN {
            let unknown = failed(&format!(r#"{{"ok":false,"error":"{code}"}}"#));
            assert_eq!((unknown.code.as_deref(), unknown.refused), (Some(code), false));
        }
        for body in ["", "<html>", "[]", "{}", r#"{"ok":"true"}"#, r#"{"ok":false}"#, "null"] {
            let unread = failed(body);
            assert_eq!((unread.code.as_deref(), unread.refused), (None, false), "{body}");
        }
    }

    #[test]
    fn too_many_calls_may_come_as_a_word() {
        for word in ["ratelimited", "rate_limited"] {
            let body = format!(r#"{{"ok":false,"error":"{word}"}}"#);
            assert_eq!(heard(&body), Heard::Throttled(Duration::from_secs(3)));
        }
    }

    #[test]
    fn only_words_get_into_an_error() {
        let body = r#"{"ok":false,"error":"Hello, <@U1> made this up"}"#;
        assert!(!failed(body).to_string().contains("made"), "{}", failed(body));
        let body = format!(r#"{{"ok":false,"error":"missing_scope","needed":"{}"}}"#, "x".repeat(81));
        assert_eq!(failed(&body).why, "Slack says missing_scope");
    }

    #[test]
    fn some_errors_do_not_pass_by_themselves() {
        let briefed = [
            "channel_not_found",
            "not_in_channel",
            "is_archived",
            "invalid_auth",
            "account_inactive",
            "token_revoked",
            "missing_scope",
            "restricted_action",
            "no_permission",
            "invalid_blocks",
            "msg_too_long",
            NO_TOKEN,
            UNREADABLE,
        ];
        for code in briefed {
            assert!(is_for_good(&error(code)), "{code}");
        }
        for code in UNKNOWN.into_iter().chain([THROTTLED, QUIET, "http_503", "http_500", "a_new_word"]) {
            assert!(!is_for_good(&error(code)), "{code}");
            assert_eq!(what_to_do(&error(code)), None, "{code}");
        }
        assert!(!is_for_good(&AwsError { code: None, ..error("lost") }));
    }

    #[test]
    fn somebody_is_told_what_to_do() {
        let told = what_to_do(&error("not_in_channel"));
        assert_eq!(told, Some("Invite the bot into the channel: /invite @Belay."));
        assert_eq!(what_to_do(&error("msg_too_long")), None);
    }

    #[test]
    fn a_new_token_helps_against_a_bad_one_only() {
        for code in TOKEN {
            assert!(is_about_the_token(&error(code)) && is_for_good(&error(code)), "{code}");
        }
        assert!(!is_about_the_token(&error("missing_scope")));
    }
}
