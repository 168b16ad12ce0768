//! CodePipeline's notification that a manual approval waits, as SNS hands it to Lambda (CodePipeline User Guide, "JSON
//! data format for manual approval notifications").
//!
//! It carries the approval's token, and a link with the token in it. Neither is ever shown: so an error in here says
//! where something was wrong and what was expected, and never what was found.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::EventError;
use super::foreign::{self, not_for_us};
use super::moment::Stamp;
use super::wire::{Part, Text, join};
use crate::approval::NotifiedToken;
use crate::evidence::Notice;
use crate::release::Stage;
use crate::signal::ApprovalNotice;

/// How much of the owners' words and of their link is kept, in characters.
const WORDS: usize = 300;

/// What SNS says of a message.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", expecting = "an object")]
struct Envelope {
    timestamp: Stamp,
    topic_arn: Option<Text>,
}

/// The notifications of one invocation; SNS hands over one at a time, in a list.
///
/// # Errors
///
/// `NotForUs` for records of something else than SNS and for other messages; `Malformed` where a field is missing.
pub(super) fn read(whole: &Part<'_>, expected: &'static str) -> Result<Vec<ApprovalNotice>, EventError> {
    let Some(list) = whole.field("Records") else {
        return Err(not_for_us(foreign::payload(whole), expected));
    };
    let Some(items) = list.value.as_array().filter(|items| !items.is_empty()) else {
        return Err(wrong(list.path, "a list of records"));
    };
    items.iter().enumerate().map(|(index, item)| notice(&list.item(index, item), expected)).collect()
}

fn notice(item: &Part<'_>, expected: &'static str) -> Result<ApprovalNotice, EventError> {
    if item.text("EventSource") != Some("aws:sns") {
        return Err(not_for_us(foreign::record(item), expected));
    }
    let Some(sns) = item.field("Sns") else {
        return Err(wrong(join(&item.path, "Sns"), "an object"));
    };
    let path = join(&sns.path, "Message");
    let parsed = sns.text("Message").and_then(|text| serde_json::from_str::<Value>(text).ok());
    let Some(value) = parsed else { return Err(wrong(path, "JSON in a string")) };
    let message = Part { value: &value, path };
    let Some(approval) = message.field("approval") else {
        return Err(not_for_us(foreign::message(&message), expected));
    };
    let text = |name: &str| {
        let found = approval.text(name).filter(|text| !text.is_empty()).map(str::to_owned);
        found.ok_or_else(|| wrong(join(&approval.path, name), "text that is not empty"))
    };
    let said = |name: &str| {
        let told = approval.text(name).map(str::trim).filter(|text| !text.is_empty());
        told.map(|text| text.chars().take(WORDS).collect::<String>())
    };
    let envelope: Envelope = sns.decode()?;
    let topic = envelope.topic_arn.map(|arn| arn.0);
    Ok(ApprovalNotice {
        stage: Stage { pipeline: text("pipelineName")?, stage: text("stageName")? },
        action: text("actionName")?,
        token: NotifiedToken::new(text("token")?),
        notice: Notice {
            link: said("externalEntityLink"),
            words: said("customData"),
            expires: approval.text("expires").and_then(expires),
        },
        account: topic.as_deref().and_then(account).map(str::to_owned),
        region: message.text("region").filter(|region| !region.is_empty()).map(str::to_owned),
        at: envelope.timestamp.0,
    })
}

/// `2016-07-07T20:22Z`, without seconds. What is written otherwise is not known: it is for people only.
fn expires(text: &str) -> Option<Timestamp> {
    text.strip_suffix('Z').and_then(|minute| format!("{minute}:00Z").parse().ok())
}

/// The account of `arn:aws:sns:<region>:<account>:<name>`.
fn account(arn: &str) -> Option<&str> {
    arn.split(':')
        .nth(4)
        .filter(|account| account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit()))
}

/// A field that is not as it should be. What was found is not said: it may be the token.
fn wrong(path: String, expected: &str) -> EventError {
    EventError::Malformed { path, found: "something else".to_owned(), expected: expected.to_owned() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::events::release::{PipelineEvent, release};
    use crate::events::samples::{change, json as sample, sample as text};

    const FILE: &str = "codepipeline/sns-codepipeline-approval.json";
    const TOKEN: &str = "1a2b3c4d-573f-4ea7-a67e-0123456789ab";

    /// The sample with another message.
    fn saying(message: &str) -> Vec<u8> {
        let mut event = sample(FILE);
        change(&mut event, "/Records/0/Sns/Message", Some(json!(message)));
        event.to_string().into_bytes()
    }

    /// The sample with a field of the approval changed, or without it.
    fn with(pointer: &str, to: Option<Value>) -> Result<PipelineEvent, EventError> {
        let event = sample(FILE);
        let message = event["Records"][0]["Sns"]["Message"].as_str().expect("a message");
        let mut message: Value = serde_json::from_str(message).expect("JSON");
        change(&mut message, pointer, to);
        release(&saying(&message.to_string()))
    }

    #[test]
    fn a_notification_is_read_and_its_token_is_not_shown() {
        let Ok(PipelineEvent::Notified(notices)) = release(text(FILE).as_bytes()) else {
            panic!("it is not understood")
        };
        let [notice] = notices.as_slice() else { panic!("{notices:?}") };
        assert_eq!(notice.stage.to_string(), "orders-release/Approve");
        assert_eq!(notice.action, "ApproveProd");
        assert!(notice.token.is(TOKEN));
        assert_eq!(notice.at.to_string(), "2026-03-05T13:54:01.123Z");
        assert_eq!(
            (notice.account.as_deref(), notice.region.as_deref()),
            (Some("123456789012"), Some("us-east-1"))
        );
        let words = "Review the latest changes and approve or reject within seven days.".to_owned();
        let expires = "2026-03-12T13:54:00Z".parse().ok();
        assert_eq!(notice.notice, Notice { link: None, words: Some(words), expires });
        assert!(!format!("{notice:?}").contains(TOKEN));
        // The same change as the event of the action.
        let told = notice.of("e-1".to_owned(), "run-1".to_owned());
        assert_eq!(told.key(), "manual/orders-release/Approve/ApproveProd/e-1/run-1");
    }

    #[test]
    fn what_is_wrong_is_named_and_never_shown() {
        for (pointer, to, path) in [
            ("/approval/token", None, "Records[0].Sns.Message.approval.token"),
            ("/approval/token", Some(json!([TOKEN])), "Records[0].Sns.Message.approval.token"),
            ("/approval/token", Some(json!("")), "Records[0].Sns.Message.approval.token"),
            ("/approval/stageName", Some(json!({ TOKEN: 1 })), "Records[0].Sns.Message.approval.stageName"),
            ("/approval/pipelineName", None, "Records[0].Sns.Message.approval.pipelineName"),
            ("/approval/actionName", Some(json!(null)), "Records[0].Sns.Message.approval.actionName"),
        ] {
            let Err(EventError::Malformed { path: at, found, .. }) = with(pointer, to) else {
                panic!("{pointer}")
            };
            assert_eq!((at.as_str(), found.as_str()), (path, "something else"));
        }
        for message in [format!("{{\"approval\": {{\"token\": \"{TOKEN}\""), TOKEN.to_owned(), String::new()]
        {
            let error = release(&saying(&message)).expect_err("it is no JSON object").to_string();
            assert!(!error.contains("1a2b"), "{error}");
        }
        for message in ["[]", "7", "{\"AlarmName\": \"x\", \"NewStateValue\": \"OK\"}"] {
            let refused = release(&saying(message)).expect_err("it is no approval");
            assert_eq!(refused.kind(), "NotForUs", "{message}");
        }
    }

    #[test]
    fn what_is_for_people_may_be_missing_or_odd() {
        for (pointer, to) in [
            ("/approval/externalEntityLink", Some(json!("https://example.com"))),
            ("/approval/customData", Some(json!(null))),
            ("/approval/expires", Some(json!("soon"))),
            ("/approval/approvalReviewLink", None),
            ("/consoleLink", Some(json!(7))),
            ("/region", None),
        ] {
            assert!(matches!(with(pointer, to), Ok(PipelineEvent::Notified(_))), "{pointer}");
        }
        let long = with("/approval/customData", Some(json!("é".repeat(1_000))));
        let Ok(PipelineEvent::Notified(notices)) = long else { panic!("{long:?}") };
        assert_eq!(notices[0].notice.words.as_ref().map(|words| words.chars().count()), Some(WORDS));
    }
}
