//! Everything Belay can say. One function per message; the reasons' own sentences are in `reason.rs`.

mod people;
mod pipelines;
mod stacks;
mod steps;
mod undoing;

use jiff::{SignedDuration, Timestamp};

use self::{
    people::{answered, approval_given, ask, hook_answered, manual_told, retried},
    pipelines::{retried_by_policy, stage_failed},
    stacks::stack_told,
    steps::next_step,
    undoing::{effect_failed, followed, halted, taking_back, would_have},
};

use crate::{
    chat::console::Console,
    decision::{Decision, Urgency, Verdict},
    message::{Graph, InSlack, Link, Message, OnCard},
    reason::Reason,
    release::{Place, ReleaseId},
    signal::{ReleaseHappening, Signal},
};

/// What came of the effect that a decision asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Came {
    /// The decision asked for none.
    OfNothing,
    /// CodeDeploy stopped the deployment, or has begun to.
    Stopped {
        /// The rollback it started, if it names one already.
        rollback: Option<ReleaseId>,
        /// How far it is.
        how: Stopped,
    },
    /// What ran before is being deployed again.
    Redeployed {
        /// By this deployment.
        deployment: ReleaseId,
    },
    /// The pipeline's stage runs again as before.
    StageRolledBack {
        /// By this execution.
        execution: String,
        /// As this one ran it.
        target: String,
        /// Whether the way into it is closed, because another execution waits there.
        closed: bool,
    },
    /// The pipeline's execution is stopped.
    StageHalted {
        /// The stage behind it, whose way in is closed.
        next: Option<String>,
        /// Itself, if the way into it is closed because another execution waits there.
        own: Option<String>,
    },
    /// The hook, or the pipeline, has its answer.
    Answered,
    /// It had an answer before.
    AnsweredBefore,
    /// The pipeline runs again what failed.
    Retried,
    /// Nothing: another release has followed in the same place, and would be taken back with it.
    Followed {
        /// That one.
        by: ReleaseId,
    },
    /// It failed; the sentence says how.
    Failed(String),
}

/// How far a stop is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// CodeDeploy has stopped it.
    Now,
    /// CodeDeploy accepted the request, and may still run an event that was under way.
    Accepted,
    /// A request to stop it had arrived before: an earlier one of ours whose answer was lost, or somebody
    /// else's in the same moment.
    Found,
}

/// The message of a decision.
///
/// `at` is when the signal happened. Decisions that say nothing (`Ignore`, `LookAgain`) have one too, for the
/// log; nobody sends it. `channel` is the Slack channel of the service, where it has one.
pub fn of(
    decision: &Decision,
    came: &Came,
    signal: &Signal,
    at: Timestamp,
    console: &Console,
    channel: Option<&str>,
) -> Message {
    let service = decision.service.as_ref().map_or("a service".to_owned(), ToString::to_string);
    let asked_about = match signal {
        Signal::Silence(silence) => silence.release.as_ref(),
        Signal::Alarm(_)
        | Signal::Release(_)
        | Signal::Hook(_)
        | Signal::HookLeft(_)
        | Signal::Left(_)
        | Signal::Approval(_)
        | Signal::Stack(_)
        | Signal::Manual(_)
        | Signal::StageFailed(_) => None,
    };
    let release = decision.release.as_ref().map(|subject| &subject.deployment.id).or(asked_about);
    let release = release.map(ToString::to_string);
    let name = release.as_deref().unwrap_or("a release");
    let (title, urgency, did, next_steps) = match (decision.verdict, came) {
        (_, Came::Followed { by }) => followed(&service, name, by),
        (_, Came::Failed(how)) => effect_failed(&service, name, decision, how),
        (Verdict::RollBack | Verdict::Halt, _) if decision.observed => would_have(&service, name, decision),
        (Verdict::RollBack, _) => taking_back(&service, name, decision, came),
        (Verdict::Halt, _) => halted(&service, name, decision, came),
        (Verdict::Ask, _) => ask(&service, name, decision),
        (Verdict::Answer(answer), _) => match signal.approval() {
            Some(approval) => approval_given(&service, name, answer, came, approval),
            None => hook_answered(&service, name, answer, came),
        },
        (Verdict::Retry, _) => match signal {
            Signal::StageFailed(failed) => retried_by_policy(&service, failed, decision),
            Signal::Alarm(_)
            | Signal::Release(_)
            | Signal::Hook(_)
            | Signal::HookLeft(_)
            | Signal::Silence(_)
            | Signal::Left(_)
            | Signal::Approval(_)
            | Signal::Stack(_)
            | Signal::Manual(_) => retried(&service, name),
        },
        (Verdict::Notify(urgency), _) => match signal {
            Signal::StageFailed(failed) => stage_failed(&service, failed, decision, urgency),
            Signal::Release(change) => deployment_told(&service, name, decision, change.what, urgency),
            Signal::Approval(_) => answered(&service, name, decision, urgency),
            Signal::Manual(_) => manual_told(&service, name, decision),
            Signal::Stack(check) => stack_told(&check.stack, decision, urgency),
            Signal::Alarm(_)
            | Signal::Hook(_)
            | Signal::HookLeft(_)
            | Signal::Silence(_)
            | Signal::Left(_) => told(&service, name, decision, urgency),
        },
        (Verdict::Ignore | Verdict::LookAgain, _) => {
            (format!("{service}: nothing to do"), Urgency::Calm, "Belay did nothing.".to_owned(), Vec::new())
        }
    };
    Message {
        thread: thread(decision, signal),
        urgency,
        title,
        at,
        reasons: decision.reasons.iter().flat_map(Reason::lines).collect(),
        did,
        next_steps,
        links: links(decision, came, signal, console),
        service: decision.service.as_ref().map(ToString::to_string),
        release,
        asks: decision.verdict == Verdict::Ask,
        who: signal.approval().map(|approval| approval.press.by.user.clone()),
        slack: channel.and_then(|channel| in_slack(decision, signal, urgency, channel)),
        graph: graph(decision, signal),
    }
}

/// The same message where the policy names nobody who could answer what it asks.
pub fn to_nobody(message: Message) -> Message {
    const SO: &str = "The policy names nobody in `approvers` for this service, so there are no buttons: act by hand, or silence is the answer.";
    if !message.asks {
        return message;
    }
    let next_steps = message.next_steps.into_iter().chain([SO.to_owned()]).collect();
    Message { asks: false, next_steps, ..message }
}

type Words = (String, Urgency, String, Vec<String>);

fn deployment_told(
    service: &str,
    release: &str,
    decision: &Decision,
    what: ReleaseHappening,
    urgency: Urgency,
) -> Words {
    let rollback = decision.release.as_ref().is_some_and(|subject| subject.deployment.is_rollback());
    let noun = if rollback { "rollback " } else { "" };
    let title = match what {
        ReleaseHappening::Started => format!("{service}: {noun}{release} began"),
        ReleaseHappening::Succeeded => format!("{service}: {noun}{release} succeeded"),
        ReleaseHappening::Failed => format!("{service}: {noun}{release} failed"),
        ReleaseHappening::Stopped => format!("{service}: {noun}{release} was stopped"),
        ReleaseHappening::Ready | ReleaseHappening::Queued | ReleaseHappening::Stopping => {
            format!("{service}: {noun}{release} waits")
        }
    };
    let did = match what {
        ReleaseHappening::Started if rollback => {
            "Belay watches, and will not touch it: a rollback is never rolled back.".to_owned()
        }
        ReleaseHappening::Started => {
            let what = decision
                .release
                .as_ref()
                .map_or("It".to_owned(), |subject| subject.deployment.revision.to_string());
            format!("{what} is on its way. Belay watches its alarms.")
        }
        ReleaseHappening::Succeeded
        | ReleaseHappening::Failed
        | ReleaseHappening::Stopped
        | ReleaseHappening::Ready
        | ReleaseHappening::Queued
        | ReleaseHappening::Stopping => {
            let asked =
                decision.reasons.iter().any(|reason| matches!(reason, Reason::BelayAskedForIt { .. }));
            let hook = |reason: &Reason| matches!(reason, Reason::ReleaseEnded { error: Some((code, _)), .. } if code == "HOOK_EXECUTION_FAILURE");
            if asked {
                "Belay stopped it; why was told before this.".to_owned()
            } else if decision.reasons.iter().any(hook) {
                "A hook did not let it pass; if it was Belay's, why was told before this.".to_owned()
            } else {
                "Belay did nothing about this; it is told so that you know.".to_owned()
            }
        }
    };
    (title, urgency, did, decision.reasons.iter().filter_map(next_step).collect())
}

fn told(service: &str, release: &str, decision: &Decision, urgency: Urgency) -> Words {
    let title = match decision.reasons.first() {
        Reason::RollbackIsFailing { over: false, .. } => {
            format!("{service}: an alarm during the rollback {release}")
        }
        Reason::RollbackIsFailing { over: true, .. } => {
            format!("{service}: an alarm after the rollback {release}")
        }
        Reason::NoReleaseToBlame { alarm, .. } => {
            format!("{service}: {alarm} went off, and no release is to blame")
        }
        Reason::BeganBeforeRelease { alarm, .. } | Reason::AlreadyRedBefore { alarm } => {
            format!("{service}: {alarm} was red before {release}")
        }
        Reason::EarlierReleaseToBlame { earlier, .. } => {
            format!("{service}: {earlier} went wrong before {release} followed it")
        }
        Reason::OnlyHalted { alarm, .. } => {
            format!("{service}: {alarm} went off, and {release} is only halted")
        }
        Reason::RunAgainSinceUndone { .. } => {
            format!("{service}: {release} was taken back, was run again, and is red again")
        }
        Reason::EndedNotRolledBack { .. } => {
            format!("{service}: {release} ended and was not rolled back")
        }
        Reason::UndoMissed { .. } => format!("{service}: {release} finished before it could be undone"),
        Reason::FinishedBeforeAlarm { .. } => format!("{service}: an alarm after {release} had finished"),
        Reason::RuleSaysNotify { alarm, .. } | Reason::RuleSaysHalt { alarm } => {
            format!("{service}: {alarm} went off")
        }
        Reason::Restored { alarm, .. } => format!("{service}: {alarm} is OK again"),
        Reason::NobodyAnswered { .. } => format!("{service}: nobody answered, {release} stays"),
        Reason::QuestionOvertaken { .. } => format!("{service}: a question has settled itself"),
        Reason::CouldNotLearn { .. } => {
            format!("{service}: Belay still does not know enough about {release}")
        }
        _ => format!("{service}: about {release}"),
    };
    let did = "Belay did nothing.".to_owned();
    (title, urgency, did, decision.reasons.iter().filter_map(next_step).collect())
}

fn thread(decision: &Decision, signal: &Signal) -> String {
    if let Signal::Stack(check) = signal {
        return check.stack.to_string();
    }
    let release = decision.release.as_ref().map(|subject| &subject.thread).or(signal.release());
    match (release, signal.alarm()) {
        (Some(release), _) => release.to_string(),
        (None, Some(change)) => change.alarm.to_string(),
        (None, None) => signal.key(),
    }
}

/// Where in Slack a message goes: what deserves a ping into the release's thread, loud ones into the channel as well.
/// What the card says by itself is said there and not again.
fn in_slack(decision: &Decision, signal: &Signal, urgency: Urgency, channel: &str) -> Option<InSlack> {
    let card = match (&decision.release, &decision.service, signal) {
        (Some(subject), Some(service), _) => Some(OnCard {
            release: subject.thread.clone(),
            service: service.clone(),
            place: subject.deployment.place.clone(),
        }),
        // Another release is there by now: what comes of the answer stands on the card that was answered.
        (None, Some(_), Signal::Approval(approval)) => Some(OnCard {
            release: approval.offer.release.clone(),
            service: approval.offer.service.clone(),
            place: approval.offer.place.clone(),
        }),
        (_, _, _) => None,
    };
    let on_the_card = match signal {
        Signal::Release(_)
        | Signal::Hook(_)
        | Signal::HookLeft(_)
        | Signal::Approval(_)
        | Signal::Manual(_) => true,
        Signal::Alarm(_)
        | Signal::Silence(_)
        | Signal::Left(_)
        | Signal::StageFailed(_)
        | Signal::Stack(_) => false,
    };
    if card.is_some() && on_the_card && urgency == Urgency::Calm {
        return None;
    }
    // That an alarm is OK again is told only where a release was concerned: that one's card shows it.
    if matches!(decision.reasons.first(), Reason::Restored { .. }) {
        return None;
    }
    Some(InSlack { channel: channel.to_owned(), card, broadcast: urgency == Urgency::Loud })
}

/// The alarm's graph around the release, where an alarm led to something.
fn graph(decision: &Decision, signal: &Signal) -> Option<Graph> {
    let (Verdict::RollBack | Verdict::Halt | Verdict::Ask, Signal::Alarm(change)) =
        (decision.verdict, signal)
    else {
        return None;
    };
    let release = &decision.release.as_ref()?.deployment;
    let before =
        |at: Timestamp, minutes: i64| at.checked_sub(SignedDuration::from_mins(minutes)).unwrap_or(at);
    Some(Graph {
        alarm: change.arn.clone()?,
        // A quarter of an hour before the release shows what was usual; three hours are as much as a picture shows well.
        from: before(release.created_at, 15).max(before(change.at, 180)),
        to: change.at,
        began: release.created_at,
    })
}

fn links(decision: &Decision, came: &Came, signal: &Signal, console: &Console) -> Vec<Link> {
    let mut links = Vec::new();
    if let Some(subject) = &decision.release {
        let release = &subject.deployment;
        match &release.place {
            Place::Group(_) => {
                links.push(console.deployment(release.id.as_str()));
                links.extend(release.rolls_back.iter().map(|of| console.deployment(of.as_str())));
                links.extend(release.rolled_back_by.iter().map(|by| console.deployment(by.as_str())));
            }
            Place::Stage(stage) => links.push(console.pipeline(&stage.pipeline, release.id.execution())),
        }
    } else if let Signal::Release(change) = signal {
        links.push(match &change.place {
            Place::Group(_) => console.deployment(change.deployment.as_str()),
            Place::Stage(stage) => console.pipeline(&stage.pipeline, change.deployment.execution()),
        });
    } else if let Signal::Hook(call) | Signal::HookLeft(call) = signal {
        links.push(console.deployment(call.deployment.as_str()));
    } else if let Signal::Stack(check) = signal {
        links.push(console.stack_drift(&check.stack));
        links.extend(stacks::undone(decision).map(|release| console.deployment(release.as_str())));
    }
    match came {
        Came::Stopped { rollback: Some(by), .. } | Came::Redeployed { deployment: by } => {
            links.push(console.deployment(by.as_str()));
        }
        Came::Stopped { rollback: None, .. }
        | Came::StageRolledBack { .. }
        | Came::StageHalted { .. }
        | Came::OfNothing
        | Came::Answered
        | Came::AnsweredBefore
        | Came::Retried
        | Came::Followed { .. }
        | Came::Failed(_) => {}
    }
    if let Some(change) = signal.alarm() {
        // The alarm may live in another region than the function.
        let home = change.region.as_deref().map(|region| console.in_region(region));
        links.push(home.as_ref().unwrap_or(console).alarm(change.alarm.as_str()));
    }
    links
}
