//! Everything Belay can say. One function per message; the reasons' own sentences are in `reason.rs`.

mod steps;
mod undoing;

use jiff::Timestamp;

use self::{
    steps::next_step,
    undoing::{effect_failed, halted, taking_back, would_have},
};

use crate::{
    chat::console::Console,
    decision::{Decision, HookAnswer, Urgency, Verdict},
    message::{Link, Message},
    reason::{Reason, Silent},
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
    },
    /// The pipeline's execution is stopped.
    StageHalted {
        /// The stage whose way in is closed.
        next: Option<String>,
    },
    /// CodeDeploy has the hook's answer.
    Answered,
    /// CodeDeploy had an answer to the hook before.
    AnsweredBefore,
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
/// log; nobody sends it.
pub fn of(decision: &Decision, came: &Came, signal: &Signal, at: Timestamp, console: &Console) -> Message {
    let service = decision.service.as_ref().map_or("a service".to_owned(), ToString::to_string);
    let asked_about = match signal {
        Signal::Silence(silence) => silence.release.as_ref(),
        Signal::Alarm(_) | Signal::Release(_) | Signal::Hook(_) | Signal::HookLeft(_) | Signal::Left(_) => {
            None
        }
    };
    let release = decision.release.as_ref().map(|subject| &subject.deployment.id).or(asked_about);
    let release = release.map(ToString::to_string);
    let name = release.as_deref().unwrap_or("a release");
    let (title, urgency, did, next_steps) = match (decision.verdict, came) {
        (_, Came::Failed(how)) => effect_failed(&service, name, decision, how),
        (Verdict::RollBack | Verdict::Halt, _) if decision.observed => would_have(&service, name, decision),
        (Verdict::RollBack, _) => taking_back(&service, name, decision, came),
        (Verdict::Halt, _) => halted(&service, name, decision, came),
        (Verdict::Ask, _) => ask(&service, name, decision),
        (Verdict::Answer(answer), _) => hook_answered(&service, name, answer, came),
        (Verdict::Notify(urgency), _) => match signal {
            Signal::Release(change) => deployment_told(&service, name, decision, change.what, urgency),
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
        reasons: decision.reasons.iter().map(ToString::to_string).collect(),
        did,
        next_steps,
        links: links(decision, came, signal, console),
        service: decision.service.as_ref().map(ToString::to_string),
        release,
    }
}

type Words = (String, Urgency, String, Vec<String>);

fn ask(service: &str, release: &str, decision: &Decision) -> Words {
    let subject = decision.release.as_ref().map(|subject| &subject.deployment);
    let stop = match subject.map(|release| (&release.place, release.completed_at.is_some(), &release.id)) {
        Some((Place::Group(_), false, id)) => format!(
            "To take it back now: aws deploy stop-deployment --deployment-id {id} --auto-rollback-enabled"
        ),
        Some((Place::Group(_), true, _)) => {
            "To take it back now: CodeDeploy, Deployments, the last good one, Copy deployment.".to_owned()
        }
        Some((Place::Stage(stage), _, _)) => {
            format!("To take it back now: the pipeline {}, the stage {}, Start rollback.", stage.pipeline, stage.stage)
        }
        None => "If a release is on its way, stop it in the console: CodeDeploy goes back to the last good revision."
            .to_owned(),
    };
    let did = match decision.question.map(|asking| asking.otherwise) {
        Some(Silent::RollsBack) if decision.observed => {
            "Belay did nothing yet, and will only say what it would do, because the policy says `mode: observe`."
        }
        Some(Silent::RollsBack) => {
            "Belay did nothing yet. Silence is an answer: it takes the release back at the deadline."
        }
        Some(Silent::Keeps) => "Belay did nothing, and nothing happens unless somebody does something.",
        Some(Silent::LooksAgain) | None => {
            "Belay did nothing, because it does not act on a guess. It looks once more at the deadline."
        }
    };
    (
        format!("{service}: somebody has to decide about {release}"),
        Urgency::Loud,
        did.to_owned(),
        vec!["Look whether users are hurt.".to_owned(), stop],
    )
}

fn hook_answered(service: &str, release: &str, answer: HookAnswer, came: &Came) -> Words {
    if *came == Came::AnsweredBefore {
        // What was found this time is news to nobody: an earlier answer, or the end of CodeDeploy's hour, stands.
        return (
            format!("{service}: a hook of {release} had its answer already"),
            Urgency::Calm,
            "Belay was called again for a hook that CodeDeploy does not wait for any more; what follows from it is decided already.".to_owned(),
            Vec::new(),
        );
    }
    match answer {
        HookAnswer::Succeeded => (
            format!("{service}: {release} passed its checks"),
            Urgency::Calm,
            "Belay answered the hook with Succeeded: the deployment goes on.".to_owned(),
            Vec::new(),
        ),
        HookAnswer::Failed => (
            format!("{service}: {release} failed its checks"),
            Urgency::Loud,
            "Belay answered the hook with Failed: CodeDeploy fails the deployment, and goes back if its group says so.".to_owned(),
            vec!["Look at what the check saw; the release's own end follows in this thread.".to_owned()],
        ),
    }
}

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
                "Belay stopped it; why is told in this thread.".to_owned()
            } else if decision.reasons.iter().any(hook) {
                "A hook did not let it pass; if it was Belay's, why is told in this thread.".to_owned()
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
        Reason::EndedNotRolledBack { .. } => {
            format!("{service}: {release} ended and was not rolled back")
        }
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
    match (&decision.release, signal) {
        (Some(subject), _) => subject.thread.to_string(),
        (None, Signal::Alarm(change)) => change.alarm.to_string(),
        (None, Signal::Left(left)) => left.release.to_string(),
        (None, Signal::Silence(silence)) => match &silence.release {
            Some(release) => release.to_string(),
            None => silence.change.alarm.to_string(),
        },
        (None, Signal::Release(change)) => change.deployment.to_string(),
        (None, Signal::Hook(call) | Signal::HookLeft(call)) => call.deployment.to_string(),
    }
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
        | Came::Failed(_) => {}
    }
    let change = match signal {
        Signal::Alarm(change) => Some(change),
        Signal::Silence(silence) => Some(&silence.change),
        Signal::Release(_) | Signal::Hook(_) | Signal::HookLeft(_) | Signal::Left(_) => None,
    };
    if let Some(change) = change {
        // The alarm may live in another region than the function.
        let home = change.region.as_deref().map(Console::of);
        links.push(home.as_ref().unwrap_or(console).alarm(change.alarm.as_str()));
    }
    links
}
