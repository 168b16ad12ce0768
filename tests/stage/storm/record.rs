//! All that is left of a story, in the shape in which invariants ask for it.

use jiff::Timestamp;
use serde_json::Value;

use crate::{AlarmState, Call, Delivery, Deployment, Happening, What, stage::storm::drawn::Drawn};

/// Everything that happened, and what is left.
#[derive(Clone, Debug)]
pub struct Record {
    /// What it was drawn from.
    pub seed: u64,
    /// What was drawn.
    pub drawn: Drawn,
    /// When it began.
    pub began: Timestamp,
    /// When it ended.
    pub ended: Timestamp,
    /// Everything that happened, in order.
    pub timeline: Vec<Happening>,
    /// All deployments, those of a day ago among them.
    pub deployments: Vec<Deployment>,
    /// The ledger, in DynamoDB's notation.
    pub table: Vec<Value>,
    /// Deliveries that failed three times.
    pub given_up: Vec<Delivery>,
    /// Deliveries that never became due.
    pub on_its_way: Vec<Delivery>,
    /// What was called and is not modelled.
    pub unmodelled: Vec<String>,
}

/// One invocation that came back, or died.
#[derive(Clone, Copy, Debug)]
pub struct Invoked<'a> {
    /// When.
    pub at: Timestamp,
    /// Its number, which its calls bear.
    pub number: u64,
    /// Its delivery's request id.
    pub id: &'a str,
    /// Its function.
    pub function: &'a str,
    /// Its event.
    pub payload: &'a str,
    /// What came of it.
    pub result: &'a Result<String, String>,
}

/// A message that the topic took.
#[derive(Clone, Debug)]
pub struct Published<'a> {
    /// Where in the timeline.
    pub place: usize,
    /// The call.
    pub call: &'a Call,
    /// The notification.
    pub body: Value,
    /// Its id: the message's key in the ledger.
    pub id: String,
}

impl Published<'_> {
    /// Whether it is meant to wake somebody.
    pub fn is_loud(&self) -> bool {
        let urgency = self.call.input.as_object().into_iter().flatten();
        urgency.into_iter().any(|(_, value)| value == "loud")
    }

    /// Whether it is about this deployment, or says its id.
    pub fn is_about(&self, id: &str) -> bool {
        self.body.to_string().contains(id)
    }
}

/// An alarm that went off.
#[derive(Clone, Copy, Debug)]
pub struct WentOff<'a> {
    /// When.
    pub at: Timestamp,
    /// Which.
    pub name: &'a str,
    /// From OK, so that it is news.
    pub from_ok: bool,
}

impl Record {
    /// The API calls with their places in the timeline.
    pub fn calls(&self) -> impl Iterator<Item = (usize, &Call)> {
        self.timeline.iter().enumerate().filter_map(|(place, happening)| match &happening.what {
            What::ApiCall(call) => Some((place, call)),
            _ => None,
        })
    }

    /// The calls of one invocation.
    pub fn calls_of(&self, invocation: Option<u64>) -> impl Iterator<Item = (usize, &Call)> {
        self.calls().filter(move |(_, call)| invocation.is_some() && call.invocation == invocation)
    }

    /// The invocations.
    pub fn invocations(&self) -> impl Iterator<Item = Invoked<'_>> {
        self.timeline.iter().filter_map(|happening| match &happening.what {
            What::Invoked { number, id, function, payload, result, .. } => {
                Some(Invoked { at: happening.at, number: *number, id, function, payload, result })
            }
            _ => None,
        })
    }

    /// The messages that the topic took.
    pub fn published(&self) -> Vec<Published<'_>> {
        self.calls()
            .filter(|(_, call)| call.operation == "Publish" && call.changed)
            .map(|(place, call)| {
                let text = call.input["Message"].as_str().unwrap_or_default();
                let body: Value = serde_json::from_str(text).unwrap_or_default();
                let id = body["id"].as_str().unwrap_or_default().to_owned();
                Published { place, call, body, id }
            })
            .collect()
    }

    /// The alarms that went off.
    pub fn went_off(&self) -> impl Iterator<Item = WentOff<'_>> {
        self.timeline.iter().filter_map(|happening| match &happening.what {
            What::Alarm { name, from, to: AlarmState::Alarm, .. } => {
                Some(WentOff { at: happening.at, name, from_ok: *from == AlarmState::Ok })
            }
            _ => None,
        })
    }

    /// Since when an alarm is in ALARM in the end; none if it is not.
    pub fn red_since(&self, alarm: &str) -> Option<Timestamp> {
        let last = self.timeline.iter().rev().find_map(|happening| match &happening.what {
            What::Alarm { name, to, .. } if name == alarm => Some((happening.at, *to)),
            _ => None,
        });
        last.and_then(|(at, to)| (to == AlarmState::Alarm).then_some(at))
    }

    /// A deployment by its id.
    pub fn deployment(&self, id: &str) -> Option<&Deployment> {
        self.deployments.iter().find(|deployment| deployment.id == id)
    }

    /// The policy's word for an alarm of a group's service.
    pub fn rule(&self, group: &str, alarm: &str) -> Option<&'static str> {
        let service = self.drawn.service(group)?;
        service.alarms.iter().find(|drawn| drawn.name == alarm).map(|drawn| drawn.rule)
    }

    /// Whether a delivery was given up.
    pub fn gave_up(&self, id: &str) -> bool {
        self.given_up.iter().any(|delivery| delivery.id == id)
    }
}

/// Whether a deployment takes a release back, CodeDeploy's or Belay's.
pub fn takes_back(deployment: &Deployment) -> bool {
    deployment.creator == "codeDeployRollback"
        || deployment.description.as_deref().is_some_and(|text| text.contains("undo/"))
}

/// When the alarm of an event changed its state; `None` for any other payload.
pub fn alarm_of(payload: &str) -> Option<(String, String, Timestamp)> {
    let event: Value = serde_json::from_str(payload).ok()?;
    let detail = &event["detail"];
    let at = detail["state"]["timestamp"].as_str()?.replace("+0000", "Z").parse().ok()?;
    Some((detail["alarmName"].as_str()?.to_owned(), detail["state"]["value"].as_str()?.to_owned(), at))
}
