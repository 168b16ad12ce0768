//! Everything Belay can say. One function per message; the reasons' own sentences are in `reason.rs`.

use jiff::Timestamp;

use crate::{
    chat::console::Console,
    decision::{Decision, HookAnswer, Urgency, Verdict},
    message::{Link, Message},
    reason::{Reason, UndoneBy},
    release::{DeploymentId, Platform},
    signal::{DeploymentHappening, Signal},
};

/// What came of the effect that a decision asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Came {
    /// The decision asked for none.
    OfNothing,
    /// CodeDeploy stopped the deployment, or has begun to.
    Stopped {
        /// The rollback it started, if it names one already.
        rollback: Option<DeploymentId>,
        /// How far it is.
        how: Stopped,
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
    let release = decision.release.as_ref().map(|subject| subject.deployment.id.to_string());
    let name = release.as_deref().unwrap_or("a release");
    let (title, urgency, did, next_steps) = match (decision.verdict, came) {
        (_, Came::Failed(how)) => effect_failed(&service, name, decision.verdict, how),
        (Verdict::RollBack, _) => taking_back(&service, name, came),
        (Verdict::Halt, _) => halted(&service, name, decision, came),
        (Verdict::Ask, _) => ask(&service, name, decision),
        (Verdict::Answer(answer), _) => hook_answered(&service, name, answer, came),
        (Verdict::Notify(urgency), _) => match signal {
            Signal::Deployment(change) => deployment_told(&service, name, decision, change.what, urgency),
            Signal::Alarm(_) | Signal::Hook(_) => told(&service, name, decision, urgency),
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

fn taking_back(service: &str, release: &str, came: &Came) -> Words {
    let did = match came {
        Came::Stopped { rollback: Some(rollback), how: Stopped::Now | Stopped::Accepted } => format!(
            "Belay stopped {release}; CodeDeploy is going back to the last good revision by {rollback}."
        ),
        Came::Stopped { rollback: Some(rollback), how: Stopped::Found } => format!(
            "{release} is stopped on request; CodeDeploy is going back to the last good revision by {rollback}."
        ),
        Came::Stopped { rollback: None, how: Stopped::Accepted } => format!(
            "Belay asked CodeDeploy to stop {release} and to go back to the last good revision; CodeDeploy has accepted and is finishing what was under way."
        ),
        Came::Stopped { rollback: None, how: Stopped::Found } => {
            format!("{release} is stopped on request, and CodeDeploy names no rollback of it yet.")
        }
        Came::Stopped { rollback: None, how: Stopped::Now }
        | Came::OfNothing
        | Came::Answered
        | Came::AnsweredBefore
        | Came::Failed(_) => {
            format!("Belay stopped {release} and asked CodeDeploy to go back to the last good revision.")
        }
    };
    let steps = vec![
        "Wait for the rollback's own message in this thread before you call it over.".to_owned(),
        "Do not release the same revision again before you know what was wrong with it.".to_owned(),
    ];
    (format!("{service}: taking back {release}"), Urgency::Loud, did, steps)
}

fn halted(service: &str, release: &str, decision: &Decision, came: &Came) -> Words {
    let title = format!("{service}: halted {release}, not rolled back");
    let mut steps =
        vec!["Decide what users should get, and release that: nothing else will change it.".to_owned()];
    let did = match came {
        Came::Stopped { rollback: Some(rollback), .. } => {
            return (
                format!("{service}: {release} is stopped"),
                Urgency::Loud,
                format!(
                    "{release} is stopped on request, and CodeDeploy is rolling it back by {rollback}: somebody asked for that in the same moment."
                ),
                vec!["Wait for the rollback's own message in this thread.".to_owned()],
            );
        }
        Came::Stopped { rollback: None, how: Stopped::Accepted } => format!(
            "Belay asked CodeDeploy to stop {release} where it is; CodeDeploy has accepted and is finishing what was under way. It does not go back, because there is nothing good to go back to."
        ),
        Came::Stopped { rollback: None, how: Stopped::Found } => format!(
            "{release} is stopped on request. It did not go back, because there is nothing good to go back to."
        ),
        Came::Stopped { rollback: None, how: Stopped::Now }
        | Came::OfNothing
        | Came::Answered
        | Came::AnsweredBefore
        | Came::Failed(_) => format!(
            "Belay stopped {release} where it was. It did not go back, because there is nothing good to go back to."
        ),
    };
    let platform = decision.release.as_ref().map(|subject| &subject.deployment.platform);
    if let Some(Platform::Lambda) = platform {
        // Sourced: CodeDeploy User Guide, "Troubleshoot Lambda deployment issues".
        steps.insert(
            0,
            "The Lambda alias still splits its traffic over two versions, and later deployments fail until it does not: once the deployment has stopped, point it at one version (aws lambda update-alias --function-version GOOD --routing-config '{\"AdditionalVersionWeights\":{}}')."
                .to_owned(),
        );
    }
    (title, Urgency::Loud, did, steps)
}

fn ask(service: &str, release: &str, decision: &Decision) -> Words {
    let stop = match &decision.release {
        Some(subject) => format!(
            "If it is the release: aws deploy stop-deployment --deployment-id {} --auto-rollback-enabled",
            subject.deployment.id
        ),
        None => "If a release is on its way, stop it in the console: CodeDeploy goes back to the last good revision."
            .to_owned(),
    };
    (
        format!("{service}: somebody has to decide about {release}"),
        Urgency::Loud,
        "Belay did nothing, because it does not act on a guess. Nobody answers this for you: it waits for a person."
            .to_owned(),
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
    what: DeploymentHappening,
    urgency: Urgency,
) -> Words {
    let rollback = decision.release.as_ref().is_some_and(|subject| subject.deployment.is_rollback());
    let noun = if rollback { "rollback " } else { "" };
    let title = match what {
        DeploymentHappening::Started => format!("{service}: {noun}{release} began"),
        DeploymentHappening::Succeeded => format!("{service}: {noun}{release} succeeded"),
        DeploymentHappening::Failed => format!("{service}: {noun}{release} failed"),
        DeploymentHappening::Stopped => format!("{service}: {noun}{release} was stopped"),
        DeploymentHappening::Ready | DeploymentHappening::Queued => {
            format!("{service}: {noun}{release} waits")
        }
    };
    let did = match what {
        DeploymentHappening::Started if rollback => {
            "Belay watches, and will not touch it: a rollback is never rolled back.".to_owned()
        }
        DeploymentHappening::Started => {
            let what = decision
                .release
                .as_ref()
                .map_or("It".to_owned(), |subject| subject.deployment.revision.to_string());
            format!("{what} is on its way. Belay watches its alarms.")
        }
        DeploymentHappening::Succeeded
        | DeploymentHappening::Failed
        | DeploymentHappening::Stopped
        | DeploymentHappening::Ready
        | DeploymentHappening::Queued => {
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
        Reason::EndedNotRolledBack { .. } => {
            format!("{service}: {release} ended and was not rolled back")
        }
        Reason::FinishedBeforeAlarm { .. } => format!("{service}: an alarm after {release} had finished"),
        Reason::RuleSaysNotify { alarm, .. } => format!("{service}: {alarm} went off"),
        _ => format!("{service}: about {release}"),
    };
    let did = "Belay did nothing.".to_owned();
    (title, urgency, did, decision.reasons.iter().filter_map(next_step).collect())
}

fn effect_failed(service: &str, release: &str, verdict: Verdict, how: &str) -> Words {
    let (what, step) = match verdict {
        Verdict::Answer(_) => (
            format!("{service}: the hook of {release} could not be answered"),
            "CodeDeploy waits for an hour and then fails the deployment: stop it by hand if that is too long.",
        ),
        Verdict::Ignore
        | Verdict::Notify(_)
        | Verdict::LookAgain
        | Verdict::Ask
        | Verdict::Halt
        | Verdict::RollBack => (
            format!("{service}: {release} could not be stopped"),
            "If no message of success follows within five minutes, stop the deployment by hand.",
        ),
    };
    (
        what,
        Urgency::Loud,
        format!("Belay tried and failed: {how}. It tries again if the event is delivered again."),
        vec![step.to_owned()],
    )
}

/// What a person should do about one reason, where there is something.
fn next_step(reason: &Reason) -> Option<String> {
    let step = match reason {
        Reason::RuleSaysNotify { .. } => "Look at the alarm; the policy leaves this one to you.",
        Reason::NoReleaseToBlame { .. } => {
            "Look elsewhere than at releases: traffic, dependencies, the platform."
        }
        Reason::BeganBeforeRelease { .. } | Reason::AlreadyRedBefore { .. } => {
            "Find out what was wrong before this release; stop it by hand if it makes things worse."
        }
        Reason::RollbackIsFailing { .. } => {
            "Look now: if the alarm stays red once the rollback is done, what it went back to is bad as well."
        }
        Reason::EndedNotRolledBack { .. } | Reason::NoRollbackStarted => {
            "If no rollback begins, look at what users get now, and redeploy the last good revision if it is not good."
        }
        Reason::FinishedBeforeAlarm { .. } => {
            "Redeploy the last good revision by hand if users are hurt: CodeDeploy, Deployments, the last good one, Copy deployment."
        }
        Reason::ReleaseBegan { target: crate::evidence::Target::None { .. } } => {
            "Watch this release yourself: an alarm can halt it, and nothing can bring the old state back."
        }
        Reason::ReleaseBeganTargetUnknown { .. } => "Watch this release yourself until you know.",
        Reason::RedAtStart { .. } => "Find out why it is red: until it is OK once, it guards nothing.",
        Reason::UnreadAtStart { .. } => {
            "Check that the alarm exists and that Belay may read it; when it goes off, Belay looks at its history instead."
        }
        Reason::NotWatched { .. }
        | Reason::NotInAlarm { .. }
        | Reason::Muted { .. }
        | Reason::Suppressed { .. }
        | Reason::AlreadyJudged { .. }
        | Reason::AlreadyUndone {
            by: UndoneBy::Belay { .. } | UndoneBy::BelayRightNow { .. } | UndoneBy::Deployer { .. },
            ..
        }
        | Reason::NoGoodTarget { .. }
        | Reason::CouldNotLearn { .. }
        | Reason::AlarmDuringRelease { .. }
        | Reason::NotGuarded { .. }
        | Reason::NothingToDo { .. }
        | Reason::NotARelease { .. }
        | Reason::Watching { .. }
        | Reason::ReleaseBegan { target: crate::evidence::Target::KnownGood { .. } }
        | Reason::RollbackBegan { .. }
        | Reason::StartCameLate { .. }
        | Reason::ReleaseEnded { .. }
        | Reason::DeployerRollsBack { .. }
        | Reason::BelayAskedForIt { .. }
        | Reason::RollbackDone { .. }
        | Reason::StaysOnWatch { .. }
        | Reason::ChecksPassed { .. }
        | Reason::CheckPassed { .. }
        | Reason::CheckFailed { .. }
        | Reason::CheckInDoubt { .. }
        | Reason::OnDoubtAnswers { .. }
        | Reason::NotConfigured { .. }
        | Reason::OwnFailure { .. } => return None,
    };
    Some(step.to_owned())
}

fn thread(decision: &Decision, signal: &Signal) -> String {
    match (&decision.release, signal) {
        (Some(subject), _) => subject.thread.to_string(),
        (None, Signal::Alarm(change)) => change.alarm.to_string(),
        (None, Signal::Deployment(change)) => change.deployment.to_string(),
        (None, Signal::Hook(call)) => call.deployment.to_string(),
    }
}

fn links(decision: &Decision, came: &Came, signal: &Signal, console: &Console) -> Vec<Link> {
    let mut links = Vec::new();
    if let Some(subject) = &decision.release {
        links.push(console.deployment(subject.deployment.id.as_str()));
        if let Some(of) = &subject.deployment.rolls_back {
            links.push(console.deployment(of.as_str()));
        }
        if let Some(by) = &subject.deployment.rolled_back_by {
            links.push(console.deployment(by.as_str()));
        }
    } else if let Signal::Deployment(change) = signal {
        links.push(console.deployment(change.deployment.as_str()));
    } else if let Signal::Hook(call) = signal {
        links.push(console.deployment(call.deployment.as_str()));
    }
    if let Came::Stopped { rollback: Some(rollback), .. } = came {
        links.push(console.deployment(rollback.as_str()));
    }
    if let Signal::Alarm(change) = signal {
        // The alarm may live in another region than the function.
        let home = change.region.as_deref().map(Console::of);
        links.push(home.as_ref().unwrap_or(console).alarm(change.alarm.as_str()));
    }
    links
}
