//! What is said when people are asked, and when they have answered.

use super::{Came, Words, steps::next_step};
use crate::{
    approval::Choice,
    cause::APPROVAL_EXPIRED,
    decision::{Decision, HookAnswer, Urgency},
    ledger::About,
    reason::{Reason, Silent},
    release::Place,
    signal::Approval,
};

pub(super) fn ask(service: &str, release: &str, decision: &Decision) -> Words {
    match &decision.waits {
        Some(About::Hook { .. }) => hook_waits(service, release, decision),
        Some(About::Pipeline(manual)) => (
            format!("{service}: {release} waits for the approval {}", manual.action),
            Urgency::Loud,
            "Belay asks; the pipeline waits, until its own time for this approval is over.".to_owned(),
            vec!["Approve or reject it: on the card, or in the console.".to_owned()],
        ),
        Some(About::Question(_) | About::Release) | None => about_an_alarm(service, release, decision),
    }
}

fn hook_waits(service: &str, release: &str, decision: &Decision) -> Words {
    let doubt = decision.reasons.iter().any(|reason| matches!(reason, Reason::CheckInDoubt { .. }));
    let did = if doubt {
        "Belay could not tell whether the checks pass, so it asks. CodeDeploy waits."
    } else {
        "Belay asks, because the policy wants a person's approval here. CodeDeploy waits."
    };
    (
        format!("{service}: {release} waits for an approval"),
        Urgency::Loud,
        did.to_owned(),
        vec!["Approve or reject it on the card.".to_owned()],
    )
}

fn about_an_alarm(service: &str, release: &str, decision: &Decision) -> Words {
    let subject = decision.release.as_ref().map(|subject| &subject.deployment);
    let stop = match subject.map(|release| (&release.place, release.completed_at.is_some(), &release.id)) {
        Some((Place::Group(_), false, id)) => format!(
            "To take it back now: `aws deploy stop-deployment --deployment-id {id} --auto-rollback-enabled`"
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
        Some(Silent::LooksAgain | Silent::LetsThrough | Silent::HoldsUp) | None => {
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

pub(super) fn hook_answered(service: &str, release: &str, answer: HookAnswer, came: &Came) -> Words {
    if *came == Came::AnsweredBefore {
        // This one, if only its receipt was lost; an earlier one; or CodeDeploy's hour is over.
        let urgency = if answer == HookAnswer::Failed { Urgency::Loud } else { Urgency::Calm };
        return (
            format!("{service}: a hook of {release} had its answer already"),
            urgency,
            "CodeDeploy has an answer for this hook: this one, if only its receipt was lost, or an earlier one. Its deployment shows which.".to_owned(),
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
            vec!["Look at what the check saw; the release's own end follows.".to_owned()],
        ),
    }
}

/// A person approved or rejected.
pub(super) fn approval_given(
    service: &str,
    release: &str,
    answer: HookAnswer,
    came: &Came,
    approval: &Approval,
) -> Words {
    let what = match &approval.offer.about {
        About::Pipeline(manual) => {
            format!("the approval {} of the pipeline {}", manual.action, manual.stage.pipeline)
        }
        About::Hook { event, .. } => format!("{event}"),
        About::Question(_) | About::Release => "the question".to_owned(),
    };
    if *came == Came::AnsweredBefore {
        // A pipeline says whose answer it has. CodeDeploy does not: it may be this one, whose receipt was lost.
        let (urgency, did) = match &approval.offer.about {
            About::Hook { .. } => (
                if answer == HookAnswer::Failed { Urgency::Loud } else { Urgency::Calm },
                "CodeDeploy has an answer for this hook: this one, if only its receipt was lost, or another that was first. Its deployment shows which.",
            ),
            About::Pipeline(_) | About::Question(_) | About::Release => (
                Urgency::Calm,
                "Somebody was first, in the console, by the CLI or in chat, or its time was over; nothing was changed by this answer.",
            ),
        };
        return (format!("{service}: {what} had its answer already"), urgency, did.to_owned(), Vec::new());
    }
    match answer {
        HookAnswer::Succeeded => (
            format!("{service}: {release} is approved"),
            Urgency::Calm,
            format!("Belay passed {what}: the release goes on."),
            Vec::new(),
        ),
        HookAnswer::Failed => (
            format!("{service}: {release} is rejected"),
            Urgency::Loud,
            format!("Belay rejected {what}: the release does not go on."),
            vec!["Look at what users get now; the release's own end follows.".to_owned()],
        ),
    }
}

pub(super) fn retried(service: &str, release: &str) -> Words {
    (
        format!("{service}: {release} is tried again"),
        Urgency::Calm,
        "Belay had the pipeline run again what had failed in the stage.".to_owned(),
        Vec::new(),
    )
}

/// A person's answer after which nothing is done to the release.
pub(super) fn answered(service: &str, release: &str, decision: &Decision, urgency: Urgency) -> Words {
    let kept = "Belay leaves the release as it is.";
    let (title, did) = match decision.reasons.first() {
        Reason::PersonChose { choice: Choice::Keep, .. } => (format!("{service}: {release} stays"), kept),
        Reason::PersonChose { choice: Choice::Extend, .. } => {
            (format!("{service}: more time to decide about {release}"), "Belay waits longer for an answer.")
        }
        Reason::UndoneAlready { .. } => {
            (format!("{service}: {release} is undone already"), "Belay did nothing twice.")
        }
        Reason::QuestionOvertaken { .. } => {
            (format!("{service}: a question has settled itself"), "Belay did nothing.")
        }
        Reason::NothingToHalt => (format!("{service}: {release} has ended"), "Belay did nothing."),
        Reason::NothingToRetry => {
            (format!("{service}: nothing of {release} is to be retried"), "Belay did nothing.")
        }
        _ => (format!("{service}: {release} could not be done as asked"), "Belay did nothing."),
    };
    let steps = if urgency == Urgency::Loud {
        vec!["Look whether users are hurt, and act by hand: Belay cannot do what was asked.".to_owned()]
    } else {
        Vec::new()
    };
    (title, urgency, did.to_owned(), steps)
}

/// A pipeline's manual approval was answered, and not by us, or by nobody.
pub(super) fn manual_told(service: &str, release: &str, decision: &Decision) -> Words {
    let title = match decision.reasons.first() {
        Reason::ManualAnsweredElsewhere { approved: true, .. } => format!("{service}: {release} is approved"),
        Reason::ManualAnsweredElsewhere { approved: false, .. } => {
            format!("{service}: {release} is not approved")
        }
        Reason::Because { cause } if cause.rule == APPROVAL_EXPIRED => {
            format!("{service}: nobody approved {release} in time")
        }
        Reason::Because { .. } => format!("{service}: {release} is rejected"),
        _ => format!("{service}: about {release}"),
    };
    (
        title,
        Urgency::Calm,
        "Belay did nothing about this; it is told so that you know.".to_owned(),
        decision.reasons.iter().filter_map(next_step).collect(),
    )
}
