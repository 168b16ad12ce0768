//! Nobody answered a question in time: the policy's `otherwise` answers it, and never more than it was asked.

use jiff::Timestamp;

use crate::{
    decision::{Decision, Urgency, Verdict, alarm::Case},
    evidence::{AlarmEvidence, ServiceEvidence},
    ledger::Question,
    policy::{Policy, Rule},
    reason::{Reason, Reasons, Silent},
    signal::{AlarmChange, Quieted},
};

/// The alarm's change whose evidence the answer turns on; none if silence keeps everything as it is.
pub fn needs_evidence<'a>(policy: &Policy, question: &'a Question) -> Option<&'a AlarmChange> {
    let guarded = policy.service(&question.service).is_some();
    (guarded && question.otherwise != Silent::Keeps).then_some(&question.change)
}

/// Decides what follows from silence: one decision for the release that was asked about, or one for each place that could
/// not be read then; none where what is there is seen closer in another place, which was judged then. `evidence` is that of the alarm's change which the question was asked about, read now: a release that
/// is over, undone or replaced by now is left alone.
pub fn decide(
    policy: &Policy,
    evidence: &AlarmEvidence,
    question: &Question,
    now: Timestamp,
) -> Vec<Decision> {
    let answered = Reason::NobodyAnswered { asked: question.asked, otherwise: question.otherwise };
    let plain = |verdict, reasons| vec![Decision::plain(Some(&question.service), None, verdict, reasons)];
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
    // Read only now, of an alarm whose event did not come.
    if let Some(Quieted::Muted { by, until }) = &question.change.quieted {
        let alarm = question.change.alarm.clone();
        let muted = Reason::Muted { alarm, by: by.clone(), until: until.clone() };
        return plain(Verdict::Notify(Urgency::Calm), Reasons::new(muted, vec![answered]));
    }
    let known = evidence.services.iter().find(|known| known.service == question.service);
    let rule = service.watched(&question.change.alarm).map_or(Rule::Ask, |watched| watched.rule);
    let consent = question.otherwise == Silent::RollsBack;
    let case = Case { service, rule, evidence, change: &question.change, now, consent };
    let mut decisions = match &question.release {
        // What could be read was decided then.
        None => {
            let there = known.map(|known| where_unread(known, question));
            if there.as_ref().is_some_and(|there| there.places.is_empty()) {
                return Vec::new();
            }
            case.judge(there.as_ref())
        }
        Some(_) => case.judge(known),
    };
    if question.release.is_some() {
        let about =
            |decision: &Decision| decision.release.as_ref().map(|subject| subject.deployment.id.clone());
        let by = decisions.iter().find_map(about);
        decisions.retain(|decision| about(decision) == question.release);
        if decisions.is_empty() {
            // Another release, or none, is on watch there now: the answer was about the one that was asked about.
            return plain(
                Verdict::Notify(Urgency::Calm),
                Reasons::new(Reason::QuestionOvertaken { by }, vec![answered]),
            );
        }
    }
    let decided = decisions.into_iter().map(|mut decision| {
        // What cannot be learnt now either stays as it is: silence is no reason to guess, nor to ask the same again.
        let asks_again = decision.verdict == Verdict::Ask
            && (consent || matches!(decision.reasons.first(), Reason::CouldNotLearn { .. }));
        if asks_again {
            decision.verdict = Verdict::Notify(Urgency::Loud);
            decision.question = None;
            decision.reasons = decision.reasons.without(|reason| matches!(reason, Reason::AnswerBy { .. }));
        }
        decision.reasons = decision.reasons.and(answered.clone().into());
        decision
    });
    decided.collect()
}

/// What is known now of the places that could not be read when a question was asked.
fn where_unread(known: &ServiceEvidence, question: &Question) -> ServiceEvidence {
    let mut known = known.clone();
    known.places.retain(|place| question.unread.is_empty() || question.unread.contains(&place.place));
    known
}
