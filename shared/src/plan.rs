//! From a decision to the actions it takes: an ordered list that leaves no choice open.

pub mod check;

use jiff::Timestamp;

use crate::{
    decision::{Decision, HookAnswer, Verdict},
    ledger::{Began, DecisionRecord, Ended, OwedMessage, Partition},
    release::{DeploymentId, HookExecutionId},
    signal::Signal,
};

/// What is to be done, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a plan that nobody carries out is silence"]
pub struct Plan {
    /// The decision that it carries out.
    pub decision: Decision,
    /// What to do.
    pub actions: Vec<Action>,
}

/// One thing to do. Each is safe to be asked for twice, under its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Stop a deployment. Claimed under the release's one undo key.
    Stop {
        /// The deployment, and the partition of the claim.
        deployment: DeploymentId,
        /// Whether CodeDeploy is to redeploy the last good revision: taking back; otherwise halting.
        auto_rollback: bool,
    },
    /// Answer a lifecycle hook. CodeDeploy itself takes only the first answer.
    Answer {
        /// The deployment that waits.
        deployment: DeploymentId,
        /// The call that waits.
        execution: HookExecutionId,
        /// The answer.
        answer: HookAnswer,
    },
    /// Write down how a release began, unless that is written down already.
    Open {
        /// The release.
        release: DeploymentId,
        /// How it began.
        began: Box<Began>,
    },
    /// Write down how a release ended, unless that is written down already.
    Close {
        /// The release.
        release: DeploymentId,
        /// How it ended.
        ended: Ended,
    },
    /// Write down the decision, unless that is written down already.
    Record {
        /// Where.
        partition: Partition,
        /// What.
        record: DecisionRecord,
    },
    /// Tell people of the decision and of what came of it. Claimed under the message's key.
    Tell {
        /// Where the message is written down before it is sent.
        partition: Partition,
        /// Its key there.
        key: String,
    },
    /// Send a message that an earlier invocation wrote down and did not send.
    SendOwed(OwedMessage),
}

/// What the plan needs besides the decision.
pub struct Circumstances<'a> {
    /// The signal that was judged.
    pub signal: &'a Signal,
    /// How the release began, if this signal says so.
    pub began: Option<Began>,
    /// How it ended, if this signal says so.
    pub ended: Option<Ended>,
    /// What is owed for this release.
    pub owed: &'a [OwedMessage],
    /// When it was decided.
    pub now: Timestamp,
}

/// Makes the plan for one decision.
pub fn plan(decision: Decision, around: Circumstances<'_>) -> Plan {
    let mut actions = Vec::new();
    let partition = partition(&decision, around.signal);

    // Undoing never waits for anything that tells or remembers.
    match (decision.verdict, &decision.release, around.signal) {
        (Verdict::RollBack | Verdict::Halt, Some(subject), _) => actions.push(Action::Stop {
            deployment: subject.deployment.id.clone(),
            auto_rollback: decision.verdict == Verdict::RollBack,
        }),
        (Verdict::Answer(answer), _, Signal::Hook(call)) => actions.push(Action::Answer {
            deployment: call.deployment.clone(),
            execution: call.execution.clone(),
            answer,
        }),
        (
            Verdict::Ignore
            | Verdict::Notify(_)
            | Verdict::LookAgain
            | Verdict::Ask
            | Verdict::Halt
            | Verdict::RollBack
            | Verdict::Answer(_),
            _,
            _,
        ) => {}
    }

    if let Some(subject) = &decision.release {
        let release = subject.deployment.id.clone();
        if let Some(began) = around.began {
            actions.push(Action::Open { release: release.clone(), began: Box::new(began) });
        }
        if let Some(ended) = around.ended {
            actions.push(Action::Close { release, ended });
        }
    }
    if decision.verdict != Verdict::LookAgain {
        actions.push(Action::Record {
            partition: partition.clone(),
            record: DecisionRecord {
                service: decision.service.clone(),
                verdict: decision.verdict,
                reasons: decision.reasons.clone(),
                signal: around.signal.key(),
                at: around.now,
            },
        });
    }
    let key = message_key(&decision, around.signal);
    // The message of this very decision, if an earlier delivery wrote it down, is told as such and not sent twice.
    // What else is owed comes last: sending it must not keep this one from being written down.
    let owed = around.owed.iter().filter(|owed| owed.until <= around.now);
    let owed = owed.filter(|owed| owed.partition != partition || Some(&owed.key) != key.as_ref());
    let owed: Vec<Action> = owed.cloned().map(Action::SendOwed).collect();
    if let Some(key) = key {
        actions.push(Action::Tell { partition, key });
    }
    actions.extend(owed);
    Plan { decision, actions }
}

/// Where the decision and its message are written down.
fn partition(decision: &Decision, signal: &Signal) -> Partition {
    match (&decision.release, signal) {
        (Some(subject), _) => Partition::Release(subject.deployment.id.clone()),
        (None, Signal::Alarm(change)) => Partition::Alarm(change.alarm.clone()),
        (None, Signal::Deployment(change)) => Partition::Release(change.deployment.clone()),
        (None, Signal::Hook(call)) => Partition::Release(call.deployment.clone()),
    }
}

/// One key per message: the undo's own, shared by whatever alarms led to it; otherwise the signal's, once
/// per service that decided for itself.
fn message_key(decision: &Decision, signal: &Signal) -> Option<String> {
    match decision.verdict {
        Verdict::Ignore | Verdict::LookAgain => None,
        Verdict::RollBack | Verdict::Halt => Some("undo".to_owned()),
        Verdict::Notify(_) | Verdict::Ask | Verdict::Answer(_) => Some(match &decision.service {
            Some(service) => format!("{service}/{}", signal.key()),
            None => signal.key(),
        }),
    }
}
