//! The chat products' front: Slack's Web API under `/slack/`, Teams' webhooks under `/teams/`. They share the
//! journal, the faults and the storms of AWS's services, and nothing of their protocols.

use std::io;

use hyper::HeaderMap;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use serde_json::Value;

use crate::asked::INVOCATION;
use crate::dynamodb::Units;
use crate::faults::Fault;
use crate::front::{Shared, locked};
use crate::journal::{Call, Service};
use crate::storm::{Attempt, Fate, Killed};
use crate::wire::Reply;
use crate::world::World;

/// What a storm's throttling tells the caller to wait, in seconds. Slack's own answers name 1 to 60 or so
/// (unverified).
const STORM_WAITS: u64 = 30;

/// A call of a chat product, as it arrived.
pub(crate) struct ChatCall {
    pub(crate) service: Service,
    /// Slack: the method, or `upload`. Teams: `webhook`.
    pub(crate) operation: String,
    /// Slack: the file of an upload.
    pub(crate) file: Option<String>,
    /// Teams: the signature in the address.
    pub(crate) signature: Option<String>,
    pub(crate) authorization: Option<String>,
    pub(crate) content_type: Option<String>,
    /// Where this caller reaches the simulator, for addresses in answers.
    pub(crate) base: String,
    pub(crate) body: Vec<u8>,
    invocation: Option<u64>,
}

/// How a chat product answered.
pub(crate) struct ChatAnswer {
    pub(crate) reply: Reply,
    /// What goes into the journal.
    pub(crate) input: Value,
    pub(crate) outcome: Result<(), String>,
}

/// Something that goes wrong in the product itself, and is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// HTTP 429.
    RateLimited { seconds: u64 },
    /// HTTP 503.
    ServerError,
    /// The product's own way to say no with an HTTP 200.
    Said(String),
}

impl Trouble {
    /// Its name in the journal.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::RateLimited { .. } => "ratelimited",
            Self::ServerError => "service_unavailable",
            Self::Said(word) => word,
        }
    }
}

/// What befalls a call.
#[derive(Debug, Default)]
pub(crate) struct ChatFate {
    pub(crate) fate: Fate,
    pub(crate) trouble: Option<Trouble>,
}

impl ChatFate {
    pub(crate) fn troubled(trouble: Trouble) -> Self {
        let fault = match trouble {
            Trouble::RateLimited { .. } => Some(Fault::Throttle),
            Trouble::ServerError => Some(Fault::InternalError),
            Trouble::Said(_) => None,
        };
        Self { fate: Fate { fault, killed: None }, trouble: Some(trouble) }
    }
}

impl From<Fate> for ChatFate {
    fn from(fate: Fate) -> Self {
        let trouble = match fate.fault {
            Some(Fault::Throttle) => Some(Trouble::RateLimited { seconds: STORM_WAITS }),
            Some(Fault::InternalError) => Some(Trouble::ServerError),
            Some(Fault::CutConnection | Fault::TimeoutAfterEffect | Fault::Hang(_)) | None => None,
        };
        Self { fate, trouble }
    }
}

/// Recognises a call of a chat product by its path, without the invocation's part.
pub(crate) fn recognise(
    path: &str,
    query: Option<&str>,
    headers: &HeaderMap,
    invocation: Option<u64>,
    body: &[u8],
) -> Option<ChatCall> {
    let (service, operation, file) = if let Some(method) = path.strip_prefix("/slack/api/") {
        (Service::Slack, method, None)
    } else if let Some(file) = path.strip_prefix("/slack/upload/") {
        (Service::Slack, "upload", Some(file.to_owned()))
    } else if path.starts_with("/teams/") {
        (Service::Teams, "webhook", None)
    } else {
        return None;
    };
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let within = invocation.map(|number| format!("{INVOCATION}{number}")).unwrap_or_default();
    let signature = form_urlencoded::parse(query.unwrap_or_default().as_bytes())
        .find(|(name, _)| name == "sig")
        .map(|(_, value)| value.into_owned());
    Some(ChatCall {
        service,
        operation: operation.to_owned(),
        file,
        signature,
        authorization: header(AUTHORIZATION),
        content_type: header(CONTENT_TYPE),
        base: format!("http://{}{within}", header(HOST).unwrap_or_default()),
        body: body.to_vec(),
        invocation,
    })
}

/// Answers a call, or lets a fault answer it.
pub(crate) async fn answer(world: &Shared, call: ChatCall) -> io::Result<Reply> {
    let fate = {
        let mut world = locked(world);
        let lives = call.invocation.is_none_or(|invocation| !world.weather.is_dead(invocation));
        lives.then(|| world.chat_fate(&call))
    };
    let Some(fate) = fate else {
        // The dead make no calls.
        return std::future::pending().await;
    };
    if let Some(Fault::Hang(duration)) = fate.fate.fault {
        tokio::time::sleep(duration).await;
    }
    let Some(reply) = locked(world).settle_chat(&call, &fate) else {
        // Killed at this very call.
        return std::future::pending().await;
    };
    match fate.fate.fault {
        Some(Fault::CutConnection | Fault::TimeoutAfterEffect) => {
            Err(io::Error::other("a fault cut the connection"))
        }
        Some(Fault::Throttle | Fault::InternalError | Fault::Hang(_)) | None => Ok(reply),
    }
}

impl World {
    /// What befalls this call: what a test asked for, else what the storm draws.
    fn chat_fate(&mut self, call: &ChatCall) -> ChatFate {
        if let Some(fault) = self.faults.strike(&call.operation) {
            return ChatFate::from(Fate { fault: Some(fault), killed: None });
        }
        let struck = match call.service {
            Service::Slack => self.slack.strike(&call.operation),
            Service::Teams => self.teams.strike(),
            Service::CodeDeploy
            | Service::CodePipeline
            | Service::Lambda
            | Service::CloudWatch
            | Service::Sns
            | Service::Sts
            | Service::CloudFormation
            | Service::DynamoDb
            | Service::SecretsManager
            | Service::CodeBuild
            | Service::Logs
            | Service::Ecs
            | Service::LoadBalancing
            | Service::Unknown => None,
        };
        if let Some(fate) = struck {
            return fate;
        }
        let Some(invocation) = call.invocation else { return ChatFate::default() };
        // No header tells one call's attempts from another call: each attempt is a call of its own. The place
        // is in its kind: calls to two channels may run side by side.
        let body: Value = serde_json::from_slice(&call.body).unwrap_or_default();
        let operation = format!("{} {} {}", call.operation, body["channel"], body["ts"]);
        self.chat_calls += 1;
        let name = format!("chat call {}", self.chat_calls);
        let attempt =
            Attempt { invocation, operation: &operation, input: &Value::Null, call: &name, number: "" };
        self.weather.fate(&attempt).into()
    }

    /// Performs or refuses the call. There is no reply when the invocation dies of it.
    fn settle_chat(&mut self, call: &ChatCall, fate: &ChatFate) -> Option<Reply> {
        let nothing = |word: &str| ChatAnswer {
            reply: Reply { status: 500, headers: Vec::new(), body: Vec::new() },
            input: Value::Null,
            outcome: Err(word.to_owned()),
        };
        let answer = if fate.fate.killed == Some(Killed::Before) {
            nothing("Killed")
        } else if fate.fate.fault == Some(Fault::CutConnection) {
            nothing("CutConnection")
        } else if call.service == Service::Teams {
            self.teams(call, fate.trouble.as_ref())
        } else {
            self.slack(call, fate.trouble.as_ref())
        };
        self.note(Call {
            at: self.now,
            service: call.service,
            operation: call.operation.clone(),
            input: answer.input,
            changed: answer.outcome.is_ok(),
            outcome: answer.outcome,
            units: Units::default(),
            by: None,
            needs: Vec::new(),
            through: None,
            invocation: call.invocation,
            fault: fate.fate.fault,
            killed: fate.fate.killed,
        });
        match (fate.fate.killed, call.invocation) {
            (Some(_), Some(invocation)) => {
                self.weather.kill(invocation);
                None
            }
            (None, _) | (_, None) => Some(answer.reply),
        }
    }
}
