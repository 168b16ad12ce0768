//! A pipeline's manual approval waits, or has come to its end: what is asked, and what is told.

use crate::{
    approval::Choice,
    cause::{APPROVAL_EXPIRED, APPROVAL_REJECTED, Cause, UNKNOWN},
    decision::{Decision, Urgency, Verdict},
    evidence::{Ahead, Elsewhere},
    ledger::{About, Answered, Answerer},
    policy::Service,
    reason::{Reason, Reasons},
    release::Release,
    signal::{ManualChange, ManualHappening},
};

/// What is known beside the change itself.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// The answer that the ledger holds.
    pub answered: Option<Answered>,
    /// Of an approval that has its end, what CodePipeline tells of it, unless Belay gave the answer.
    pub elsewhere: Option<Elsewhere>,
    /// Of one that waits, what people are told with the question.
    pub ahead: Option<Ahead>,
}

/// Decides what a change of a pipeline's manual approval means for one service.
pub fn manual(service: &Service, release: &Release, change: &ManualChange, known: Known) -> Decision {
    let action = change.approval.action.clone();
    let decision = |verdict, reasons| Decision::plain(Some(&service.name), Some(release), verdict, reasons);
    match (change.what, &known.answered) {
        // An event that comes late asks nothing that is answered.
        (ManualHappening::Waits, Some(_)) | (ManualHappening::Gone, _) => {
            decision(Verdict::Ignore, Reason::ManualIsNoQuestion { action }.into())
        }
        (ManualHappening::Waits, None) => {
            let stage = change.approval.stage.clone();
            let ahead = known.ahead.map(|ahead| Reason::Ahead(Box::new(ahead)));
            let reasons = Reasons::new(Reason::ManualWaits { stage, action }, ahead.into_iter().collect());
            let waits = Some(About::Pipeline(change.approval.clone()));
            Decision { waits, ..decision(Verdict::Ask, reasons) }
        }
        // Ours: it was told when it was given.
        (ManualHappening::Approved | ManualHappening::Failed, answered)
            if is_ours(change, answered.as_ref()) =>
        {
            decision(Verdict::Ignore, Reason::ManualIsNoQuestion { action }.into())
        }
        (ManualHappening::Approved | ManualHappening::Failed, _) => {
            decision(Verdict::Notify(Urgency::Calm), ended(change, known.elsewhere.as_ref()))
        }
    }
}

/// Whether an approval has come to the end that a person gave it through Belay. Not so if CodePipeline has the other
/// answer: somebody was faster there.
pub fn is_ours(change: &ManualChange, answered: Option<&Answered>) -> bool {
    let approved = change.what == ManualHappening::Approved;
    answered.is_some_and(|answered| {
        matches!(answered.by, Answerer::Person { .. })
            && (answered.choice == Some(Choice::Approve)) == approved
    })
}

/// The answer that an approval has, as it is written down. None while it waits, and if nobody is asked any more.
pub fn answer(change: &ManualChange, elsewhere: &Elsewhere) -> Option<Answered> {
    let choice = match change.what {
        ManualHappening::Approved => Choice::Approve,
        ManualHappening::Failed => Choice::Reject,
        ManualHappening::Waits | ManualHappening::Gone => return None,
    };
    let by = match End::of(elsewhere) {
        End::Expired(_) => Answerer::Silence,
        End::Rejected(_) | End::InDoubt(_) | End::Untold => Answerer::Elsewhere { who: elsewhere.by.clone() },
    };
    Some(Answered { by, choice: Some(choice), why: elsewhere.words.clone(), at: change.at })
}

/// How an approval was not given.
enum End<'a> {
    /// Nobody answered.
    Expired(&'a Cause),
    /// Somebody rejected it, with words.
    Rejected(&'a Cause),
    /// The one or the other: this is all that shows.
    InDoubt(&'a Cause),
    /// Nothing shows which.
    Untold,
}

impl<'a> End<'a> {
    /// A cause is read from words alone, which may be anybody's: so it has to agree with whether CodePipeline names
    /// somebody. That it names nobody where nobody answered is not verified; if it does, neither is claimed.
    fn of(Elsewhere { by, words, cause }: &'a Elsewhere) -> Self {
        match cause {
            None => Self::Untold,
            Some(cause) => match (cause.rule.as_str(), by, words) {
                (UNKNOWN, ..) | (APPROVAL_EXPIRED, Some(_), _) => Self::Untold,
                (APPROVAL_EXPIRED, None, _) => Self::Expired(cause),
                (APPROVAL_REJECTED, Some(_), Some(_)) => Self::Rejected(cause),
                (..) => Self::InDoubt(cause),
            },
        }
    }
}

/// That it has come to its end, and why as far as that is known.
fn ended(change: &ManualChange, elsewhere: Option<&Elsewhere>) -> Reasons {
    let approved = change.what == ManualHappening::Approved;
    let plain = Reason::ManualAnsweredElsewhere { action: change.approval.action.clone(), approved };
    let because = |cause: &Cause| Reason::Because { cause: Box::new(cause.clone()) };
    match elsewhere.map_or(End::Untold, End::of) {
        End::Expired(cause) | End::Rejected(cause) => because(cause).into(),
        End::InDoubt(cause) => Reasons::new(plain, vec![because(cause)]),
        End::Untold => plain.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        approval::Person,
        cause::{Concerns, Retry},
        decision::approval::concerned,
        decision::approval::not_begun,
        ledger::PipelineApproval,
        policy::Policy,
        release::{Change, Stage},
    };

    const POLICY: &str = "version: 1\nservices:\n  shop:\n    deployed_by: [ { pipeline: { name: shop, stage: Prod } } ]\n    alarms: { a: ask }\n";

    fn change(what: ManualHappening) -> ManualChange {
        let stage = Stage { pipeline: "shop".to_owned(), stage: "Ask".to_owned() };
        let (action, execution) = ("Sign-off".to_owned(), "e-1".to_owned());
        ManualChange {
            approval: PipelineApproval { stage, action, execution },
            run: "r-1".to_owned(),
            what,
            account: None,
            region: None,
            at: jiff::Timestamp::UNIX_EPOCH,
        }
    }

    fn decide(what: ManualHappening, known: Known) -> Decision {
        let (policy, change) = (Policy::parse(POLICY).unwrap(), change(what));
        let (service, watch) = concerned(&policy, &change).remove(0);
        manual(service, &not_begun(&watch, Change::default(), None), &change, known)
    }

    fn elsewhere(rule: &str, by: Option<&str>, words: Option<&str>) -> Elsewhere {
        let cause = Cause {
            rule: rule.to_owned(),
            what: format!("it is {rule}"),
            evidence: String::new(),
            seen_in: String::new(),
            to_do: String::new(),
            concerns: Concerns::Unknown,
            retry: Retry::Unknown,
            not_learnt: Vec::new(),
        };
        Elsewhere { by: by.map(str::to_owned), words: words.map(str::to_owned), cause: Some(cause) }
    }

    #[test]
    fn an_approval_that_is_not_given_was_rejected_or_expired_or_it_is_not_claimed_which() {
        let plain =
            "The approval Sign-off was rejected in the console or by the CLI, or was not given in its time.";
        let failed = ManualHappening::Failed;
        for (told, silence, expected) in [
            (Elsewhere::default(), false, vec![plain]),
            (elsewhere(APPROVAL_EXPIRED, None, None), true, vec!["it is approval-expired."]),
            (elsewhere(APPROVAL_EXPIRED, None, Some("timed out")), true, vec!["it is approval-expired."]),
            // Somebody's own words.
            (elsewhere(APPROVAL_EXPIRED, Some("bob"), Some("timed out")), false, vec![plain]),
            (elsewhere(APPROVAL_REJECTED, Some("bob"), Some("no")), false, vec!["it is approval-rejected."]),
            (elsewhere(APPROVAL_REJECTED, Some("bob"), None), false, vec![plain, "it is approval-rejected."]),
            (elsewhere(APPROVAL_REJECTED, None, Some("no")), false, vec![plain, "it is approval-rejected."]),
            (
                elsewhere("action-misconfigured", None, None),
                false,
                vec![plain, "it is action-misconfigured."],
            ),
            (elsewhere(UNKNOWN, None, None), false, vec![plain]),
        ] {
            let answered = answer(&change(failed), &told).expect("it has its end");
            assert_eq!((answered.by == Answerer::Silence, answered.choice), (silence, Some(Choice::Reject)));
            let known = Known { answered: Some(answered), elsewhere: Some(told), ahead: None };
            let decision = decide(failed, known);
            assert_eq!(decision.verdict, Verdict::Notify(Urgency::Calm));
            let said: Vec<String> = decision.reasons.iter().map(ToString::to_string).collect();
            assert_eq!(said, expected);
        }
    }

    #[test]
    fn what_a_person_answered_here_is_told_once_unless_somebody_was_faster() {
        let who = Person { team: "T1".to_owned(), user: "U1".to_owned() };
        let by = Answerer::Person { who, stamp: "1".to_owned() };
        let ours = Answered { by, choice: Some(Choice::Approve), why: None, at: jiff::Timestamp::UNIX_EPOCH };
        for (what, ignored) in [(ManualHappening::Approved, true), (ManualHappening::Failed, false)] {
            let known = Known { answered: Some(ours.clone()), ..Known::default() };
            assert_eq!(is_ours(&change(what), Some(&ours)), ignored);
            assert_eq!(decide(what, known).verdict == Verdict::Ignore, ignored);
        }
        assert_eq!(answer(&change(ManualHappening::Gone), &Elsewhere::default()), None);
    }
}
