//! Amazon SNS: topics and what was published to them.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::refusal::{Answer, Refusal, only_modelled};
use crate::simulator::Simulator;
use crate::stamps;
use crate::storm::Kind;
use crate::timeline::What;
use crate::world::World;

/// The default size limit in bytes of UTF-8, attributes included (SNS quotas).
const LIMIT: usize = 262_144;

/// A message that a topic accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The topic's ARN.
    pub topic: String,
    /// The subject, where there was one.
    pub subject: Option<String>,
    /// The text.
    pub message: String,
    /// Attribute name → string value.
    pub attributes: BTreeMap<String, String>,
    /// When.
    pub at: Timestamp,
}

/// The state of the service.
#[derive(Debug, Default)]
pub(crate) struct Sns {
    pub(crate) topics: BTreeSet<String>,
    pub(crate) messages: Vec<Message>,
    /// Topic and function, of each subscription of a function.
    pub(crate) functions: Vec<(String, String)>,
}

impl Simulator {
    /// Subscribes a function to a topic. It gets what AWS's own services publish there.
    pub fn subscribe(&self, topic: &str, function: &str) {
        self.world().sns.functions.push((topic.to_owned(), function.to_owned()));
    }
}

impl World {
    /// Answers an operation; `None` when it is not modelled.
    pub(crate) fn sns(&mut self, operation: &str, input: &Value) -> Option<Answer> {
        Some(match operation {
            "Publish" => self.publish(input),
            _ => return None,
        })
    }

    /// Hands what a service publishes to the functions that are subscribed, as SNS does. A topic that does not exist is a
    /// mistake of the script. SNS tries a function for weeks, so that nothing is lost on this way (SNS Developer Guide,
    /// "Message delivery retries").
    pub(crate) fn notify_functions(&mut self, topic: &str, subject: &str, message: &str, about: &str) {
        assert!(self.sns.topics.contains(topic), "no topic {topic} was created");
        let subscribed = self.sns.functions.clone();
        for (_, function) in subscribed.into_iter().filter(|(of, _)| of == topic) {
            let id = self.chance.uuid();
            let record = json!({
                "EventSource": "aws:sns",
                "EventVersion": "1.0",
                "EventSubscriptionArn": format!("{topic}:{id}"),
                "Sns": {
                    "Type": "Notification",
                    "MessageId": id,
                    "TopicArn": topic,
                    "Subject": subject,
                    "Message": message,
                    "Timestamp": stamps::milliseconds(self.now),
                    "SignatureVersion": "1",
                    "Signature": "EXAMPLE",
                    "SigningCertUrl": "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-0000000000000000000000.pem",
                    "UnsubscribeUrl": format!("https://sns.us-east-1.amazonaws.com/?Action=Unsubscribe&SubscriptionArn={topic}:{id}"),
                    "MessageAttributes": {},
                },
            });
            let event = self.outward(&json!({ "Records": [record] }).to_string());
            self.send(&function, event.as_bytes(), about, Kind::Accepted);
        }
    }

    fn publish(&mut self, input: &Value) -> Answer {
        only_modelled(input, &["PhoneNumber", "MessageGroupId", "MessageDeduplicationId"])?;
        let text = |name: &str| input[name].as_str().map(str::to_owned);
        let topic = text("TopicArn")
            .or_else(|| text("TargetArn"))
            .ok_or_else(|| invalid("TopicArn or TargetArn Reason: no value for required parameter"))?;
        if !self.sns.topics.contains(&topic) {
            return Err(Refusal { status: 404, ..Refusal::new("NotFound", "Topic does not exist") });
        }
        let message =
            text("Message").filter(|message| !message.is_empty()).ok_or_else(|| invalid("Empty message"))?;
        if let Some(structure) = text("MessageStructure") {
            let has_default = serde_json::from_str::<Value>(&message)
                .is_ok_and(|structured| structured["default"].is_string());
            if structure != "json" || !has_default {
                return Err(invalid("Message Structure - No default entry in JSON message body"));
            }
        }
        let subject = text("Subject");
        if subject.as_deref().is_some_and(|subject| !is_subject(subject)) {
            return Err(invalid("Subject"));
        }
        let attributes = attributes(input);
        let size =
            message.len() + attributes.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>();
        if size > LIMIT {
            return Err(invalid("Message too long"));
        }
        let id = self.chance.uuid();
        self.happened(What::Message { subject: subject.clone(), body: message.clone() });
        self.sns.messages.push(Message { topic, subject, message, attributes, at: self.now });
        Ok(json!({ "MessageId": id }))
    }
}

fn invalid(what: &str) -> Refusal {
    Refusal::new("InvalidParameter", format!("Invalid parameter: {what}"))
}

/// Fewer than 100 characters, begins with a letter, a number or punctuation, no line breaks or control
/// characters, ASCII (SNS API reference, "Publish").
fn is_subject(subject: &str) -> bool {
    subject.starts_with(|c: char| c.is_ascii_graphic())
        && subject.chars().count() < 100
        && subject.chars().all(|c| c.is_ascii() && !c.is_ascii_control())
}

/// `MessageAttributes.entry.1.Name`, `….Value.StringValue`, and so on from 1.
fn attributes(input: &Value) -> BTreeMap<String, String> {
    (1..)
        .map(|n| format!("MessageAttributes.entry.{n}"))
        .map_while(|entry| {
            let name = input[format!("{entry}.Name")].as_str()?;
            let value = input[format!("{entry}.Value.StringValue")].as_str();
            Some((name.to_owned(), value.unwrap_or_default().to_owned()))
        })
        .collect()
}
