//! What happened, for people: the rehearsal binary prints it, tests may read it.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::cloudwatch::AlarmState;
use crate::journal::{Call, Service};

/// One thing that happened, at a virtual time. Times never run backwards but for alarm states that a
/// script dates back.
#[derive(Debug, Clone)]
pub struct Happening {
    /// When, in virtual time.
    pub at: Timestamp,
    /// What.
    pub what: What,
}

/// What may go wrong on the way of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mishap {
    /// It never arrives.
    Lost,
    /// It arrives twice.
    Doubled,
    /// It, or a copy of it, arrives late.
    Late {
        /// So late.
        by: SignedDuration,
    },
}

/// What an app does in a chat product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChatAct {
    /// A message, or a card.
    Posted,
    /// A message in a thread.
    Replied,
    /// A message was changed.
    Updated,
    /// A message that one person sees.
    Whispered,
    /// A message with files.
    SharedFile,
}

/// The kinds of things that happen.
#[derive(Debug, Clone)]
pub enum What {
    /// A minute of users' traffic ended.
    Traffic {
        /// The deployment group that serves it.
        group: String,
        /// The new revision's share, 0 to 100.
        new_percent: u32,
        /// Requests in this minute.
        requests: f64,
        /// Failed ones among them.
        failed: f64,
        /// Server errors as a fraction, 0 to 1.
        error_rate: f64,
        /// The 99th percentile of latency.
        latency_p99_ms: f64,
    },
    /// An alarm changed its state.
    Alarm {
        /// The alarm.
        name: String,
        /// Its state before.
        from: AlarmState,
        /// Its state from now on.
        to: AlarmState,
        /// CloudWatch's sentence.
        reason: String,
    },
    /// CodeDeploy raised an event: START, SUCCESS, FAILURE, STOP.
    DeploymentEvent {
        /// The deployment.
        id: String,
        /// The event's word, which is not the API's.
        state: String,
    },
    /// CodePipeline raised an event.
    PipelineEvent {
        /// The pipeline.
        pipeline: String,
        /// The execution.
        execution: String,
        /// The stage, but for events of the whole pipeline.
        stage: Option<String>,
        /// The action, in events of actions.
        action: Option<String>,
        /// The event's word: CANCELED has one L.
        state: String,
    },
    /// A lifecycle event of a deployment changed its status.
    LifecycleEvent {
        /// The deployment.
        id: String,
        /// Such as BeforeAllowTraffic.
        event: String,
        /// InProgress, Succeeded, Failed, Skipped.
        status: String,
    },
    /// Something on its way to a function did not arrive once and at once.
    Delivery {
        /// The function.
        function: String,
        /// The alarm and its state, the deployment and its.
        about: String,
        /// What went wrong.
        mishap: Mishap,
    },
    /// CodeDeploy called a hook's function, and waits for the answer.
    HookCalled {
        /// The deployment.
        id: String,
        /// Such as BeforeAllowTraffic.
        event: String,
        /// The id under which it must be answered.
        execution: String,
    },
    /// A function was invoked and came back, or died.
    Invoked {
        /// Counted from 1; the calls that it made bear the same number.
        number: u64,
        /// The request id: the same for all attempts of one delivery.
        id: String,
        /// 1, and after errors 2 and 3.
        attempt: u32,
        /// The function.
        function: String,
        /// What it was given.
        payload: String,
        /// What it returned.
        result: Result<String, String>,
    },
    /// An API call arrived.
    ApiCall(Call),
    /// Something appeared in a chat product, or changed there.
    Chat {
        /// Slack or Teams.
        service: Service,
        /// What was done.
        act: ChatAct,
        /// Slack: the channel's id.
        place: String,
        /// Slack: the message's `ts`.
        name: Option<String>,
        /// Slack: the text for notifications. Teams: the card's first text.
        text: String,
        /// Slack: the blocks. Teams: the card.
        body: Value,
    },
    /// A message was published.
    Message {
        /// The subject, where there was one.
        subject: Option<String>,
        /// The text.
        body: String,
    },
}
