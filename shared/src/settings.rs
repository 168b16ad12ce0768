//! What every function reads from its environment, through a lookup: the environment itself is read in
//! main.rs only. All mistakes are reported at once.
//!
//! A variable whose name is misspelt is not set, and a lookup cannot see it: the required ones are missed by
//! name, the optional ones silently keep their default.

mod chat;

pub use self::chat::ChatSettings;

use std::fmt;
use std::path::PathBuf;

use thiserror::Error;

const POLICY: &str = "BELAY_POLICY";
const LEDGER_TABLE: &str = "BELAY_LEDGER_TABLE";
const TOPIC_ARN: &str = "BELAY_TOPIC_ARN";
const REGION: &str = "AWS_REGION";
const EXTERNAL_ID: &str = "BELAY_EXTERNAL_ID";

const A_TABLE: &str = "the name of a DynamoDB table (3 to 255 letters, digits, `_`, `-` and `.`) or its ARN";
const A_TOPIC: &str = "the ARN of an SNS topic, arn:<partition>:sns:<region>:<account>:<name>";
const A_REGION: &str = "an AWS region such as eu-central-1, for the console links in messages";
const AN_EXTERNAL_ID: &str =
    "the external id that the roles in other accounts demand (2 to 1224 letters, digits and `_+=,.@:/-`)";

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
    /// What is shown to the roles of other accounts when they are assumed; `None` if Belay works in its own only.
    pub external_id: Option<String>,
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
        let chat = chat::read(&lookup, &mut mistakes);
        let external_id = lookup(EXTERNAL_ID).filter(|id| !id.is_empty());
        if external_id.as_deref().is_some_and(|id| !is_external_id(id)) {
            mistakes.push(SettingMistake::NotShown { name: EXTERNAL_ID, wanted: AN_EXTERNAL_ID });
        }
        let policy = match lookup(POLICY) {
            Some(path) if !path.is_empty() => path,
            Some(_) | None => "/opt/belay.yaml".to_owned(),
        };
        match (ledger_table, topic_arn, region) {
            (Some(ledger_table), Some(topic_arn), Some(region)) if mistakes.is_empty() => {
                Ok(Self { policy: PathBuf::from(policy), ledger_table, topic_arn, region, chat, external_id })
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

/// What STS takes as an external id: 2 to 1224 characters of `[\w+=,.@:\/-]` (its API model, `externalIdType`).
fn is_external_id(text: &str) -> bool {
    (2..=1224).contains(&text.len())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "_+=,.@:/-".contains(c))
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

    use super::{
        chat::{CHAT_SECRET, SLACK_API},
        *,
    };

    const TOPIC: &str = "arn:aws:sns:us-east-1:123456789012:belay";

    pub(super) fn parse(changes: &[(&str, Option<&str>)]) -> Result<Settings, SettingsMistakes> {
        let base = [(LEDGER_TABLE, "belay-ledger"), (TOPIC_ARN, TOPIC), (REGION, "us-east-1")];
        Settings::parse(|name| match changes.iter().find(|(changed, _)| *changed == name) {
            Some((_, value)) => value.map(str::to_owned),
            None => base.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()),
        })
    }

    pub(super) fn sentences(changes: &[(&str, Option<&str>)]) -> String {
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
            external_id: None,
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

    #[test]
    fn an_external_id_is_one_that_sts_takes_and_is_never_shown() {
        let (longest, longer) = ("a".repeat(1224), "a".repeat(1225));
        for good in ["ab", "belay/prod:2026_03+=,.@-", longest.as_str()] {
            let read = parse(&[(EXTERNAL_ID, Some(good))]).map(|settings| settings.external_id);
            assert_eq!(read, Ok(Some(good.to_owned())));
        }
        assert_eq!(parse(&[(EXTERNAL_ID, Some(""))]).map(|settings| settings.external_id), Ok(None));
        for bad in ["%", "be lay", "belay!", "beläy", longer.as_str()] {
            let told = sentences(&[(EXTERNAL_ID, Some(bad))]);
            assert!(told.starts_with("BELAY_EXTERNAL_ID is not fit") && !told.contains(bad), "{told}");
        }
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
