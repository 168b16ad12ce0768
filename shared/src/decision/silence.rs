//! Nobody answered a question in time: the policy's `otherwise` answers it, and never more than it was asked.

use jiff::Timestamp;

use crate::{
    decision::{Decision, Urgency, Verdict, alarm::Case},
    evidence::AlarmEvidence,
    ledger::Question,
    policy::{Policy, Rule},
    reason::{Reason, Reasons, Silent},
    signal::AlarmChange,
};

/// The alarm's change whose evidence the answer turns on; none if silence keeps everything as it is.
pub fn needs_evidence<'a>(policy: &Policy, question: &'a Question) -> Option<&'a AlarmChange> {
    let guarded = policy.service(&question.service).is_some();
    (guarded && question.otherwise != Silent::Keeps).then_some(&question.change)
}

/// Decides what follows from silence. `evidence` is that of the alarm's change which the question was asked about,
/// read now: a release that is over, undone or replaced by now is left alone.
pub fn decide(policy: &Policy, evidence: &AlarmEvidence, question: &Question, now: Timestamp) -> Decision {
    let answered = Reason::NobodyAnswered { asked: question.asked, otherwise: question.otherwise };
    let plain = |verdict, reasons| Decision::plain(Some(&question.service), None, verdict, reasons);
    let Some(service) = policy.service(&question.service) else {
        let what = format!("The policy has no service {} any more", question.service);
        return plain(
            Verdict::Notify(Urgency::Loud),
            Reasons::new(Reason::NotConfigured { what }, vec![answered]),
        );
    };
    if question.otherwise == Silent::Keeps {
        return plain(Verdict::Notify(Urgency::Calm), answered.into());
    }
    let known = evidence.services.iter().find(|known| known.service == question.service);
    let rule = service.watched(&question.change.alarm).map_or(Rule::Ask, |watched| watched.rule);
    let consent = question.otherwise == Silent::RollsBack;
    let case = Case { service, rule, evidence, change: &question.change, now, consent };
    let about = |decision: &Decision| decision.release.as_ref().map(|subject| subject.deployment.id.clone());
    let mut decisions = case.judge(known);
    let Some(position) = decisions
        .iter()
        .position(|decision| question.release.is_none() || about(decision) == question.release)
    else {
        // Another release, or none, is on watch there now: the answer was about the one that was asked about.
        let by = decisions.iter().find_map(about);
        return plain(
            Verdict::Notify(Urgency::Calm),
            Reasons::new(Reason::QuestionOvertaken { by }, vec![answered]),
        );
    };
    let mut decision = decisions.swap_remove(position);
    // What cannot be learnt now either stays as it is: silence is no reason to guess, nor to ask the same again.
    let asks_again = decision.verdict == Verdict::Ask
        && (consent || matches!(decision.reasons.first(), Reason::CouldNotLearn { .. }));
    if asks_again {
        decision.verdict = Verdict::Notify(Urgency::Loud);
        decision.question = None;
        decision.reasons = decision.reasons.without(|reason| matches!(reason, Reason::AnswerBy { .. }));
    }
    decision.reasons = decision.reasons.and(answered.into());
    decision
}
