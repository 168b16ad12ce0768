//! What happened to a release, in order, and what its checks found.

use crate::{
    approval::Choice,
    chat::release_card::{CardCheck, StoryLine},
    decision::{HookAnswer, Verdict},
    evidence::CardFacts,
    ledger::{About, Answerer, DecisionRecord, ReleaseLedger},
    policy::Mode,
    reason::Reason,
    release::{ReleaseError, ReleaseStatus},
};

/// Decisions with their reasons, answers and the end.
pub(super) fn story(facts: &CardFacts) -> Vec<StoryLine> {
    let ledger = &facts.ledger;
    let mut lines: Vec<StoryLine> = Vec::new();
    for (key, answered) in &ledger.answers {
        let asked = ledger.asked.iter().find(|offer| offer.key == *key);
        let about = match asked.map(|offer| &offer.about) {
            Some(About::Hook { event, .. }) => format!(" ({event})"),
            Some(About::Pipeline(manual)) => format!(" ({})", manual.action),
            Some(About::Question(_) | About::Release) | None => String::new(),
        };
        let (who, what) = match (&answered.by, answered.choice) {
            (Answerer::Person { who, .. }, Some(choice)) => {
                (Some(who.user.clone()), format!("chose {choice}{about}"))
            }
            // The pipeline's summary is Belay's own: the same approval stood on another service's card.
            (Answerer::Elsewhere { .. }, Some(choice))
                if answered.why.as_ref().is_some_and(|why| why.contains(" through Belay")) =>
            {
                (None, format!("“{choice}” was chosen on another service's card{about}"))
            }
            (Answerer::Elsewhere { who: None }, Some(Choice::Reject)) => {
                (None, format!("It was rejected in the console or by the CLI, or its time was over{about}"))
            }
            (Answerer::Elsewhere { who }, choice) => {
                let what = choice.map_or("answered".to_owned(), |choice| format!("chose {choice}"));
                (
                    None,
                    format!(
                        "{} {what}{about} in the console or by the CLI",
                        who.as_deref().unwrap_or("Somebody")
                    ),
                )
            }
            (Answerer::Silence, _) | (Answerer::Person { .. }, None) => {
                (None, format!("Nobody answered in time{about}"))
            }
        };
        let details = answered.why.iter().map(|why| format!("“{why}”")).collect();
        lines.push(StoryLine { at: answered.at, sign: "👤", who, what, details });
    }
    // What was decided because of an answer, in the same second, stands below it.
    let observed = facts.service.mode == Mode::Observe;
    lines.extend(ledger.decisions.iter().filter_map(|record| decided(record, observed)));
    let retried = retried(facts);
    if let Some(ended) = &ledger.ended {
        let (sign, what) = match ended.status {
            ReleaseStatus::Succeeded => ("✅", "It succeeded".to_owned()),
            ReleaseStatus::Failed => ("❌", "It failed".to_owned()),
            _ if ledger.undo.is_none() => ("⏹️", "It was stopped, and not by Belay".to_owned()),
            _ => ("⏹️", "It was stopped".to_owned()),
        };
        // What Belay asked for itself is no news.
        let news = |error: &&ReleaseError| !(error.code == "MANUAL_STOP" && ledger.undo.is_some());
        let error = ended.error.iter().filter(news);
        let details = error.map(|error| format!("{}: {}", error.code, error.message)).collect();
        lines.push(StoryLine { at: ended.at, sign, who: None, what, details });
    }
    lines.extend(retried);
    if let Some(rollback) = &facts.rollback {
        let began = format!("{} began to take it back", rollback.id);
        lines.push(StoryLine {
            at: rollback.created_at,
            sign: "⏪",
            who: None,
            what: began,
            details: Vec::new(),
        });
        if let Some(at) = rollback.completed_at {
            let well = rollback.status == ReleaseStatus::Succeeded;
            let (sign, what) = if well { ("↩️", "is done") } else { ("❌", "failed") };
            let what = format!("{} {what}", rollback.id);
            lines.push(StoryLine { at, sign, who: None, what, details: Vec::new() });
        }
    }
    lines.sort_by_key(|line| line.at);
    lines
}

/// That a release which had failed has succeeded since: its end is written down once, and a stage can be tried again.
fn retried(facts: &CardFacts) -> Option<StoryLine> {
    let ended = facts.ledger.ended.as_ref().filter(|ended| ended.status != ReleaseStatus::Succeeded)?;
    let release = facts.release.known().ok().filter(|release| release.status == ReleaseStatus::Succeeded)?;
    let at = release.completed_at.unwrap_or(ended.at);
    let what = "It succeeded after all".to_owned();
    Some(StoryLine { at, sign: "✅", who: None, what, details: Vec::new() })
}

/// A decision as a line; those that say nothing beyond what stands elsewhere on the card have none.
fn decided(record: &DecisionRecord, observed: bool) -> Option<StoryLine> {
    // Beginnings and ends stand on the card already, and an answer has its own line.
    let said =
        |reason: &Reason| matches!(reason, Reason::ReleaseEnded { .. } | Reason::NobodyApproved { .. });
    // An answer that came to nothing gives its reason first.
    let redundant =
        record.reasons.iter().any(said) || matches!(record.reasons.first(), Reason::PersonChose { .. });
    let (sign, what) = match (record.verdict, record.reasons.first()) {
        (
            _,
            Reason::ReleaseBegan { .. }
            | Reason::ReleaseBeganTargetUnknown { .. }
            | Reason::RollbackBegan { .. },
        ) => ("🚀", "It began"),
        (_, Reason::AlreadyUndone { .. }) => ("🔕", "Another alarm went off, and it is being undone already"),
        (_, Reason::Muted { .. } | Reason::Suppressed { .. }) => ("🔕", "An alarm went off and is held back"),
        (Verdict::Ignore | Verdict::LookAgain, _) => return None,
        (Verdict::Retry, Reason::ActionFailed { .. }) if observed => {
            ("👀", "A stage failed, and Belay would have run it again")
        }
        (Verdict::Retry, Reason::ActionFailed { .. }) => ("🔁", "A stage failed, and is tried again"),
        (_, Reason::ActionFailed { .. } | Reason::NoActionFailed { .. }) => ("❌", "A stage failed"),
        (Verdict::RollBack, _) if observed => ("👀", "Belay would have taken it back"),
        (Verdict::Halt, _) if observed => ("👀", "Belay would have halted it"),
        (Verdict::RollBack, _) => ("⏪", "Belay decided to take it back"),
        (Verdict::Halt, _) => ("🛑", "Belay decided to halt it"),
        (Verdict::Ask, _) => ("❓", "Belay asks"),
        (Verdict::Retry, _) => ("🔁", "It is tried again"),
        (Verdict::Notify(_), _) if redundant => return None,
        (Verdict::Notify(_), _) => ("💬", "Belay told"),
        (Verdict::Answer(_), _) if redundant => return None,
        (Verdict::Answer(HookAnswer::Succeeded), _) => ("🟢", "A hook was passed"),
        (Verdict::Answer(HookAnswer::Failed), _) => ("🔴", "A hook was failed"),
    };
    let details = record
        .reasons
        .iter()
        .filter(|reason| {
            !matches!(
                reason,
                Reason::CheckPassed { .. }
                    | Reason::CheckFailed { .. }
                    | Reason::CheckInDoubt { .. }
                    | Reason::PersonChose { .. }
                    | Reason::Watching { .. }
                    // Stands beside the buttons.
                    | Reason::AnswerBy { .. }
                    | Reason::Ahead(_)
            )
        })
        .map(|reason| {
            // CloudWatch's own sentence is long, and stands in the thread.
            let said = reason.to_string();
            said.split(" CloudWatch says: ").next().unwrap_or_default().to_owned()
        })
        .collect();
    Some(StoryLine { at: record.at, sign, who: None, what: what.to_owned(), details })
}

/// What the hooks' checks found, the last word of each.
pub(super) fn checks(ledger: &ReleaseLedger) -> Vec<CardCheck> {
    let mut checks: Vec<CardCheck> = Vec::new();
    for reason in ledger.decisions.iter().flat_map(|record| record.reasons.iter()) {
        let (check, saw, passed) = match reason {
            Reason::CheckPassed { check, saw } => (check, saw, Some(true)),
            Reason::CheckFailed { check, saw } => (check, saw, Some(false)),
            Reason::CheckInDoubt { check, why } => (check, why, None),
            _ => continue,
        };
        checks.push(CardCheck { what: format!("{check}: {saw}"), passed });
    }
    checks
}
