//! The settings of the chat products. What they hold may be a secret that was pasted by mistake, so little of it is
//! shown.

use super::{SettingMistake, only, quoted};

pub(super) const CHAT_SECRET: &str = "BELAY_CHAT_SECRET";
pub(super) const SLACK_API: &str = "BELAY_SLACK_API";

/// Where Slack's Web API is (docs.slack.dev, "Web API").
const SLACK: &str = "https://slack.com/api";

const A_SECRET: &str =
    "the name or ARN of a secret in Secrets Manager, 1 to 2048 printable ASCII characters without spaces";
const AN_API: &str =
    "the URL of Slack's Web API such as https://slack.com/api, and plain http only on 127.0.0.1 or localhost";

/// How the chat products are reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChatSettings {
    /// The name or ARN of the secret in Secrets Manager that holds their tokens; not the secret itself.
    pub secret: String,
    /// The URL of Slack's Web API, without a slash at its end.
    pub slack_api: String,
}

impl ChatSettings {
    /// Whether Slack is a simulator on this machine: plain http is allowed nowhere else.
    pub fn is_local(&self) -> bool {
        self.slack_api.starts_with("http://")
    }
}

/// The settings of the chat products, if there are any; what is wrong with them goes to `mistakes`.
pub(super) fn read(
    lookup: impl Fn(&str) -> Option<String>,
    mistakes: &mut Vec<SettingMistake>,
) -> Option<ChatSettings> {
    let set = |name| lookup(name).filter(|value| !value.is_empty());
    let (secret, slack_api) = (set(CHAT_SECRET), set(SLACK_API));
    match &secret {
        // A webhook's URL is a secret as a whole, and no secret's id has `://` in it.
        Some(id) if looks_like_a_secret(id) || id.contains("://") => {
            mistakes.push(SettingMistake::LooksLikeASecret { name: CHAT_SECRET, wanted: A_SECRET });
        }
        Some(id) if !is_secret_id(id) => {
            mistakes.push(SettingMistake::NotShown { name: CHAT_SECRET, wanted: A_SECRET });
        }
        None if slack_api.is_some() => {
            mistakes.push(SettingMistake::Alone { name: SLACK_API, other: CHAT_SECRET });
        }
        Some(_) | None => {}
    }
    // Methods are appended with a slash of their own.
    let slack_api = slack_api.map_or_else(|| SLACK.to_owned(), |url| url.trim_end_matches('/').to_owned());
    if looks_like_a_secret(&slack_api) {
        mistakes.push(SettingMistake::LooksLikeASecret { name: SLACK_API, wanted: AN_API });
    } else if !is_api(&slack_api) {
        mistakes.push(SettingMistake::Unfit { name: SLACK_API, found: quoted(&slack_api), wanted: AN_API });
    }
    Some(ChatSettings { secret: secret?, slack_api })
}

/// Whether a text that should be none has a secret in it: a token of Slack's (`xoxb-…`, `xapp-…`), its signing secret
/// (32 hexadecimal digits), a webhook of Slack's or of Teams', or the JSON that belongs into the secret.
fn looks_like_a_secret(text: &str) -> bool {
    let text = text.trim().to_ascii_lowercase();
    let parts = ["xoxb-", "xoxp-", "xoxe", "xapp-", "hooks.slack.com", "sig=", "{"];
    text.starts_with("xox")
        || parts.iter().any(|part| text.contains(part))
        || (text.len() == 32 && text.chars().all(|c| c.is_ascii_hexdigit()))
}

/// Secrets Manager takes 1 to 2048 characters (GetSecretValue, SecretId).
fn is_secret_id(text: &str) -> bool {
    text.len() <= 2048 && only(text, |c| c.is_ascii_graphic())
}

/// `https://<host>[:<port>][/<path>]`, or the same with http on this machine.
fn is_api(url: &str) -> bool {
    let (encrypted, rest) = match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
        (Some(rest), _) => (true, rest),
        (None, Some(rest)) => (false, rest),
        (None, None) => return false,
    };
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (host, port) = authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port)));
    let here = host == "127.0.0.1" || host == "localhost";
    (encrypted || here)
        && only(host, |c| c.is_ascii_alphanumeric() || ".-".contains(c))
        && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0))
        && path.chars().all(|c| c.is_ascii_alphanumeric() || "/._~-".contains(c))
}

#[cfg(test)]
mod tests {
    use super::{
        super::tests::{parse, sentences},
        *,
    };

    fn chat_of(secret: &str, slack_api: Option<&str>) -> Option<ChatSettings> {
        parse(&[(CHAT_SECRET, Some(secret)), (SLACK_API, slack_api)]).expect("no mistake").chat
    }

    #[test]
    fn a_secret_is_named_and_slack_is_slack() {
        let arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:belay/chat-AbCdEf";
        for good in ["belay/chat", "a", arn, "x".repeat(2048).as_str()] {
            let expected = ChatSettings { secret: good.to_owned(), slack_api: SLACK.to_owned() };
            assert_eq!(chat_of(good, None), Some(expected.clone()));
            assert_eq!(chat_of(good, Some("")), Some(expected));
        }
        for bad in ["belay chat", "belay\n", "bel\u{fc}y", "x".repeat(2049).as_str()] {
            let told = sentences(&[(CHAT_SECRET, Some(bad))]);
            assert!(told.starts_with("BELAY_CHAT_SECRET is not fit") && !told.contains(bad), "{told}");
        }
    }

    #[test]
    fn a_secret_that_was_pasted_is_never_shown() {
        let signing = "8f742231b10e8888abcd99baeefe85a5";
        let json = r#"{"slack_bot_token":"made-up"}"#;
        let workflow = "https://prod-1.logic.azure.com/workflows/1?sig=made-up";
        let hook = "hooks.slack.com/services/T0/B0/madeup";
        for (name, pasted) in [
            (CHAT_SECRET, "xoxb-made-up"),
            (CHAT_SECRET, " xoxb-made-up"),
            (CHAT_SECRET, "xapp-made-up"),
            (CHAT_SECRET, signing),
            (CHAT_SECRET, json),
            (CHAT_SECRET, workflow),
            (CHAT_SECRET, "https://example.com/made-up"),
            (CHAT_SECRET, "xox-made-up"),
            (SLACK_API, "xoxb-made-up"),
            (SLACK_API, signing),
            (SLACK_API, workflow),
            (SLACK_API, hook),
            (SLACK_API, "https://hooks.slack.com/services/T0/B0/madeup"),
        ] {
            let mut changes = vec![(CHAT_SECRET, Some("belay/chat"))];
            changes.retain(|(kept, _)| *kept != name);
            changes.push((name, Some(pasted)));
            let told = sentences(&changes);
            assert!(told.starts_with(&format!("{name} looks like a secret itself")), "{told}");
            assert!(!told.contains("made") && !told.contains("8f74"), "{told}");
        }
    }

    #[test]
    fn slack_is_elsewhere_only_by_https_or_on_this_machine() {
        for (given, read) in [
            ("https://slack.com/api/", "https://slack.com/api"),
            ("https://slack-gov.com/api", "https://slack-gov.com/api"),
            ("http://127.0.0.1:4010/slack/api//", "http://127.0.0.1:4010/slack/api"),
            ("http://localhost:80", "http://localhost:80"),
        ] {
            let chat = chat_of("belay/chat", Some(given)).expect("chat");
            assert_eq!(chat.slack_api, read);
            assert_eq!(chat.is_local(), given.starts_with("http:"));
        }
        for bad in [
            "slack.com/api",
            "https://",
            "https:///api",
            "https://slack.com:0/api",
            "https://slack.com:x/api",
            "https://me@slack.com/api",
            "https://slack.com/api?a=b",
            "https://sl ack.com",
            "http://slack.com/api",
            "http://127.0.0.1.example.com/api",
            "http://127.0.0.1@example.com/api",
            "ftp://localhost/",
        ] {
            let mistakes = parse(&[(CHAT_SECRET, Some("belay/chat")), (SLACK_API, Some(bad))]);
            assert_eq!(mistakes.expect_err(bad).0.len(), 1, "{bad}");
        }
    }

    #[test]
    fn slack_without_a_secret_does_nothing_and_says_so() {
        assert_eq!(
            sentences(&[(SLACK_API, Some("https://slack.com/api"))]),
            "BELAY_SLACK_API is set, but BELAY_CHAT_SECRET is not, and without it BELAY_SLACK_API does \
             nothing: set both or none."
        );
        assert_eq!(parse(&[(CHAT_SECRET, Some("")), (SLACK_API, Some(""))]).expect("no mistake").chat, None);
    }
}
