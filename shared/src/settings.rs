//! What every function reads from its environment, through a lookup: the environment itself is read in
//! main.rs only. All mistakes are reported at once.
//!
//! A variable whose name is misspelt is not set, and a lookup cannot see it: the required ones are missed by
//! name, the optional ones silently keep their default.

use std::fmt;
use std::path::PathBuf;

use thiserror::Error;

const POLICY: &str = "BELAY_POLICY";
const LEDGER_TABLE: &str = "BELAY_LEDGER_TABLE";
const TOPIC_ARN: &str = "BELAY_TOPIC_ARN";
const REGION: &str = "AWS_REGION";
const CHAT_SECRET: &str = "BELAY_CHAT_SECRET";
const SLACK_API: &str = "BELAY_SLACK_API";

/// Where Slack's Web API is (docs.slack.dev, "Web API").
const SLACK: &str = "https://slack.com/api";

const A_TABLE: &str = "the name of a DynamoDB table (3 to 255 letters, digits, `_`, `-` and `.`) or its ARN";
const A_TOPIC: &str = "the ARN of an SNS topic, arn:<partition>:sns:<region>:<account>:<name>";
const A_REGION: &str = "an AWS region such as eu-central-1, for the console links in messages";
const A_SECRET: &str =
    "the name or ARN of a secret in Secrets Manager, 1 to 2048 printable ASCII characters without spaces";
const AN_API: &str =
    "the URL of Slack's Web API such as https://slack.com/api, and plain http only on 127.0.0.1 or localhost";

/// The settings, each fit for use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where the policy is; the policy's Lambda layer puts it at `/opt/belay.yaml`.
    pub policy: PathBuf,
    /// The ledger's DynamoDB table: a name or an ARN, DynamoDB takes both.
    pub ledger_table: String,
    /// The SNS topic that gets every message.
    pub topic_arn: String,
    /// The region whose console the messages link to.
    pub region: String,
    /// The chat products; `None` if Belay tells people by the topic only.
    pub chat: Option<ChatSettings>,
}

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

/// Why a setting cannot be used. Each is one sentence for whoever deploys Belay.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SettingMistake {
    /// It is required.
    #[error("{name} is not set: it must be {wanted}.")]
    Missing {
        /// The variable.
        name: &'static str,
        /// What it must be.
        wanted: &'static str,
    },
    /// It is required, and set to the empty string.
    #[error("{name} is empty, which counts as not set: it must be {wanted}.")]
    Empty {
        /// The variable.
        name: &'static str,
        /// What it must be.
        wanted: &'static str,
    },
    /// Its value is not what it must be.
    #[error("{name} is {found}: it must be {wanted}.")]
    Unfit {
        /// The variable.
        name: &'static str,
        /// The value, escaped, in at most 100 characters.
        found: String,
        /// What it must be.
        wanted: &'static str,
    },
    /// A FIFO topic reaches queues only: neither mail nor chat would get a message.
    #[error("{name} is {found}, a FIFO topic, which cannot reach mail or chat: it must be a standard topic.")]
    FifoTopic {
        /// The variable.
        name: &'static str,
        /// The value, escaped, in at most 100 characters.
        found: String,
    },
    /// It should name a secret, and looks like one. The value is not kept.
    #[error(
        "{name} looks like a secret itself, and is not shown here: it must be {wanted}. Treat what it holds as known to others, and replace it."
    )]
    LooksLikeASecret {
        /// The variable.
        name: &'static str,
        /// What it must be.
        wanted: &'static str,
    },
    /// It should name a secret, and cannot. The value may be the secret, and is not kept.
    #[error("{name} is not fit, and not shown here in case it is the secret itself: it must be {wanted}.")]
    NotShown {
        /// The variable.
        name: &'static str,
        /// What it must be.
        wanted: &'static str,
    },
    /// It does nothing without another one.
    #[error("{name} is set, but {other} is not, and without it {name} does nothing: set both or none.")]
    Alone {
        /// The variable.
        name: &'static str,
        /// The one that is not set.
        other: &'static str,
    },
}

/// All that is wrong with the settings, at least one mistake.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub struct SettingsMistakes(pub Vec<SettingMistake>);

impl fmt::Display for SettingsMistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, mistake) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            write!(f, "{mistake}")?;
        }
        Ok(())
    }
}

impl Settings {
    /// Reads the settings through `lookup`, which is asked for each variable by name. A variable set to the
    /// empty string counts as not set: that is how templates write "none".
    ///
    /// # Errors
    ///
    /// Every mistake there is, in the order of the settings.
    pub fn parse(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, SettingsMistakes> {
        let mut mistakes = Vec::new();
        let mut required = |name, wanted, fits: fn(&str) -> bool| {
            required(&lookup, name, wanted, fits).map_err(|mistake| mistakes.push(mistake)).ok()
        };
        let ledger_table = required(LEDGER_TABLE, A_TABLE, is_table);
        let topic_arn = required(TOPIC_ARN, A_TOPIC, is_topic);
        let region = required(REGION, A_REGION, is_region);
        let chat = chat(&lookup, &mut mistakes);
        let policy = match lookup(POLICY) {
            Some(path) if !path.is_empty() => path,
            Some(_) | None => "/opt/belay.yaml".to_owned(),
        };
        match (ledger_table, topic_arn, region) {
            (Some(ledger_table), Some(topic_arn), Some(region)) if mistakes.is_empty() => {
                Ok(Self { policy: PathBuf::from(policy), ledger_table, topic_arn, region, chat })
            }
            _ => Err(SettingsMistakes(mistakes)),
        }
    }
}

fn required(
    lookup: impl Fn(&str) -> Option<String>,
    name: &'static str,
    wanted: &'static str,
    fits: impl Fn(&str) -> bool,
) -> Result<String, SettingMistake> {
    let value = lookup(name).ok_or(SettingMistake::Missing { name, wanted })?;
    if value.is_empty() {
        Err(SettingMistake::Empty { name, wanted })
    } else if name == TOPIC_ARN && value.strip_suffix(".fifo").is_some_and(is_topic) {
        Err(SettingMistake::FifoTopic { name, found: quoted(&value) })
    } else if fits(&value) {
        Ok(value)
    } else {
        Err(SettingMistake::Unfit { name, found: quoted(&value), wanted })
    }
}

/// The settings of the chat products, if there are any; what is wrong with them goes to `mistakes`.
fn chat(lookup: impl Fn(&str) -> Option<String>, mistakes: &mut Vec<SettingMistake>) -> Option<ChatSettings> {
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
    // Nothing else has a slash or several at its end, and none is wanted.
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

/// A table's name by DynamoDB's rules, or `arn:<partition>:dynamodb:<region>:<account>:table/<name>`.
fn is_table(text: &str) -> bool {
    let is_name = |name: &str| {
        (3..=255).contains(&name.len()) && only(name, |c| c.is_ascii_alphanumeric() || "_.-".contains(c))
    };
    is_name(text)
        || resource(text, "dynamodb").and_then(|rest| rest.strip_prefix("table/")).is_some_and(is_name)
}

/// A topic's ARN; names have at most 256 letters, digits, `_` and `-` (SNS, CreateTopic).
fn is_topic(text: &str) -> bool {
    resource(text, "sns").is_some_and(|name| {
        name.len() <= 256 && only(name, |c| c.is_ascii_alphanumeric() || "_-".contains(c))
    })
}

fn is_region(text: &str) -> bool {
    only(text, |c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

/// What follows the account in an ARN of that service.
fn resource<'a>(arn: &'a str, service: &str) -> Option<&'a str> {
    let mut parts = arn.splitn(6, ':');
    let mut next = || parts.next();
    let (prefix, partition, of, region, account, rest) =
        (next()?, next()?, next()?, next()?, next()?, next()?);
    let fits = prefix == "arn"
        && is_region(partition)
        && of == service
        && is_region(region)
        && account.len() == 12
        && only(account, |c| c.is_ascii_digit());
    fits.then_some(rest)
}

/// Whether a text is not empty and has only such characters.
fn only(text: &str, fits: impl Fn(char) -> bool) -> bool {
    !text.is_empty() && text.chars().all(fits)
}

/// A value as a sentence shows it.
fn quoted(value: &str) -> String {
    let text = format!("{value:?}");
    match text.char_indices().nth(100) {
        Some((end, _)) => format!("{}…", text[..end].trim_end()),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TOPIC: &str = "arn:aws:sns:us-east-1:123456789012:belay";

    fn parse(changes: &[(&str, Option<&str>)]) -> Result<Settings, SettingsMistakes> {
        let base = [(LEDGER_TABLE, "belay-ledger"), (TOPIC_ARN, TOPIC), (REGION, "us-east-1")];
        Settings::parse(|name| match changes.iter().find(|(changed, _)| *changed == name) {
            Some((_, value)) => value.map(str::to_owned),
            None => base.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()),
        })
    }

    fn sentences(changes: &[(&str, Option<&str>)]) -> String {
        parse(changes).expect_err("a mistake").to_string()
    }

    #[test]
    fn the_policy_has_a_default_and_nothing_else_does() {
        let expected = Settings {
            policy: "/opt/belay.yaml".into(),
            ledger_table: "belay-ledger".into(),
            topic_arn: TOPIC.into(),
            region: "us-east-1".into(),
            chat: None,
        };
        assert_eq!(parse(&[]), Ok(expected.clone()));
        assert_eq!(parse(&[(POLICY, Some(""))]), Ok(expected.clone()));
        let elsewhere = Settings { policy: "/tmp/p.yaml".into(), ..expected };
        assert_eq!(parse(&[(POLICY, Some("/tmp/p.yaml"))]), Ok(elsewhere));
    }

    #[test]
    fn every_mistake_is_told_at_once() {
        let told = sentences(&[
            (LEDGER_TABLE, None),
            (TOPIC_ARN, Some("")),
            (REGION, Some("Frankfurt")),
            (CHAT_SECRET, Some("belay chat")),
            (SLACK_API, Some("http://slack.test/api")),
        ]);
        assert_eq!(
            told,
            "BELAY_LEDGER_TABLE is not set: it must be the name of a DynamoDB table (3 to 255 letters, \
             digits, `_`, `-` and `.`) or its ARN. BELAY_TOPIC_ARN is empty, which counts as not set: it \
             must be the ARN of an SNS topic, arn:<partition>:sns:<region>:<account>:<name>. AWS_REGION is \
             \"Frankfurt\": it must be an AWS region such as eu-central-1, for the console links in \
             messages. BELAY_CHAT_SECRET is not fit, and not shown here in case it is the secret itself: it \
             must be the name or ARN of a secret in Secrets Manager, 1 to 2048 printable ASCII characters \
             without spaces. BELAY_SLACK_API is \"http://slack.test/api\": it must be the URL of Slack's Web \
             API such as https://slack.com/api, and plain http only on 127.0.0.1 or localhost."
        );
    }

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

    #[test]
    fn tables_are_named_by_dynamodbs_rules() {
        let (longest, longer) = ("a".repeat(255), "a".repeat(256));
        let arn = "arn:aws-cn:dynamodb:cn-north-1:123456789012:table/belay";
        for good in ["abc", "Belay_ledger.v1-x", longest.as_str(), arn] {
            assert!(parse(&[(LEDGER_TABLE, Some(good))]).is_ok(), "{good}");
        }
        let index = "arn:aws:dynamodb:us-east-1:123456789012:table/belay/index/by-time";
        let short = "arn:aws:dynamodb:us-east-1:1234:table/belay";
        for bad in ["ab", "be lay", "belay/", "belüy", longer.as_str(), index, short, TOPIC, " "] {
            assert!(parse(&[(LEDGER_TABLE, Some(bad))]).is_err(), "{bad}");
        }
    }

    #[test]
    fn topics_are_standard_topics_by_arn() {
        for good in [TOPIC, "arn:aws-us-gov:sns:us-gov-west-1:123456789012:a_B-9"] {
            assert!(parse(&[(TOPIC_ARN, Some(good))]).is_ok(), "{good}");
        }
        let queue = "arn:aws:sqs:us-east-1:123456789012:belay";
        for bad in ["belay", queue, "arn:aws:sns:us-east-1:123456789012:", "arn:aws:sns::123456789012:b"] {
            assert!(parse(&[(TOPIC_ARN, Some(bad))]).is_err(), "{bad}");
        }
        assert_eq!(
            sentences(&[(TOPIC_ARN, Some("arn:aws:sns:us-east-1:123456789012:belay.fifo"))]),
            "BELAY_TOPIC_ARN is \"arn:aws:sns:us-east-1:123456789012:belay.fifo\", a FIFO topic, which \
             cannot reach mail or chat: it must be a standard topic."
        );
    }

    proptest! {
        #[test]
        fn any_value_is_read_or_refused_in_a_short_sentence(value in ".{0,400}", name in 0..3_usize) {
            let name = [LEDGER_TABLE, TOPIC_ARN, REGION][name];
            if let Err(mistakes) = parse(&[(name, Some(&value))]) {
                prop_assert_eq!(mistakes.0.len(), 1);
                let told = mistakes.to_string();
                prop_assert!(told.starts_with(name) && told.chars().count() < 300, "{}", told);
            }
        }
    }
}
