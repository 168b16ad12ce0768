//! Who may answer, and what follows from an answer.

use jiff::SignedDuration;
use proptest::prelude::*;

use super::approval::{Refused, decide, may, not_yet, standing, summary};
use super::tests::{POLICY, at, change, known, missing, place, release, undo};
use super::{Decision, Effect, HookAnswer, Urgency, Verdict};
use crate::{
    approval::{Choice, Person},
    evidence::{ApprovalEvidence, Back, PlaceEvidence},
    ledger::{About, Answered, Answerer, EffectState, Offer, Press, Question, ReleaseLedger},
    plan::{Action, Circumstances, check, plan},
    policy::Policy,
    reason::{Reason, Silent},
    release::{Change, Platform, Release, ReleaseStatus},
    signal::{Approval, Signal},
};

fn policy() -> Policy {
    let text = POLICY.replace(
        "watch_for: 30m",
        "watch_for: 30m\n    approvers: [ { id: U02ANNA, also: [anna@example.com] }, U02BOB ]",
    );
    Policy::parse(&text).unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

fn question() -> Question {
    Question {
        key: "checkout/q".into(),
        service: "checkout".into(),
        unread: Vec::new(),
        release: Some("d-2".into()),
        change: change(),
        asked: at(91),
        deadline: at(91 + 900),
        otherwise: Silent::RollsBack,
    }
}

fn offer(about: About) -> Offer {
    Offer {
        key: "question/checkout/q".into(),
        service: "checkout".into(),
        release: "d-2".into(),
        place: release().place,
        about,
        choices: vec![Choice::RollBack, Choice::Keep, Choice::Extend],
        asked: at(91),
        deadline: Some(at(91 + 900)),
        otherwise: Some(Silent::RollsBack),
        ahead: None,
    }
}

fn asked() -> Offer {
    offer(About::Question(Box::new(question())))
}

fn press(user: &str, choice: Choice, at_second: i64) -> Press {
    Press {
        offer: "id".into(),
        choice,
        by: Person { team: "T1".into(), user: user.into() },
        why: Some("because".into()),
        at: at(at_second),
        stamp: format!("{user}/{at_second}"),
        channel: "C1".into(),
    }
}

fn answered_by(user: &str) -> ReleaseLedger {
    let who = Person { team: "T1".into(), user: user.into() };
    let answered = Answered {
        by: Answerer::Person { who, stamp: format!("{user}/100") },
        choice: Some(Choice::Keep),
        why: None,
        at: at(100),
    };
    let mut ledger = ReleaseLedger::default();
    ledger.answers.insert(asked().key, answered);
    ledger
}

fn wanted_by(name: &str) -> Change {
    Change { requested_by: vec![name.to_owned()], ..Change::default() }
}

#[test]
fn only_an_approver_in_time_who_did_not_want_it_and_who_is_first() {
    let (policy, offer, nothing) = (policy(), asked(), ReleaseLedger::default());
    let may = |ledger: &ReleaseLedger, live: Option<&Change>, press: &Press| {
        may(&policy, &offer, ledger, live, press)
    };
    for choice in offer.choices.clone() {
        assert_eq!(may(&nothing, None, &press("U02BOB", choice, 991)), Ok(()));
        assert_eq!(may(&nothing, None, &press("U66EVE", choice, 100)), Err(Refused::NotAnApprover));
        let late = press("U02BOB", choice, 992);
        assert_eq!(may(&nothing, None, &late), Err(Refused::TooLate(at(991))));
        // Whoever wanted it may stop it, and nothing else.
        let own = may(&nothing, Some(&wanted_by("Anna@Example.com")), &press("U02ANNA", choice, 100));
        let stops = choice == Choice::RollBack;
        assert_eq!(own, if stops { Ok(()) } else { Err(Refused::OwnRelease) }, "{choice}");
        assert_eq!(
            may(&nothing, Some(&wanted_by("anna@example.com")), &press("U02BOB", choice, 100)),
            Ok(())
        );
        let second = may(&answered_by("U02ANNA"), None, &press("U02BOB", choice, 101));
        assert!(matches!(second, Err(Refused::AnsweredBefore(_))), "{second:?}");
    }
    // The same press, handled again, is first still.
    assert_eq!(may(&answered_by("U02BOB"), None, &press("U02BOB", Choice::Keep, 100)), Ok(()));
    assert_eq!(
        may(&nothing, None, &press("U02BOB", Choice::Approve, 100)),
        Err(Refused::NotOffered(Choice::Approve))
    );
}

fn answer(about: About, choice: Choice, edit: impl FnOnce(&mut PlaceEvidence)) -> Decision {
    let mut place = place();
    edit(&mut place);
    let evidence = ApprovalEvidence { place: Some(place), release: missing(), delivery: known(1) };
    let approval = Approval { offer: offer(about), press: press("U02BOB", choice, 100) };
    let decision = decide(&policy(), &evidence, &approval, at(101));
    let signal = Signal::Approval(Box::new(approval));
    assert_eq!(check::check(&plan(decision.clone(), Circumstances::of(&signal, at(101)))), []);
    decision
}

fn about_q() -> About {
    About::Question(Box::new(question()))
}

#[test]
fn a_person_takes_back_halts_keeps_and_extends() {
    let taken = answer(about_q(), Choice::RollBack, |_| {});
    assert_eq!(
        (taken.verdict, taken.effect),
        (Verdict::RollBack, Some(Effect::Stop { auto_rollback: true }))
    );
    let halted = answer(About::Release, Choice::Halt, |_| {});
    assert_eq!((halted.verdict, halted.effect), (Verdict::Halt, Some(Effect::Stop { auto_rollback: false })));
    let kept = answer(about_q(), Choice::Keep, |_| {});
    assert_eq!((kept.verdict, kept.effect), (Verdict::Notify(Urgency::Calm), None));
    let extended = answer(about_q(), Choice::Extend, |_| {}).extends.unwrap();
    assert_eq!(extended.deadline, at(91 + 900) + SignedDuration::from_mins(15));
    assert_ne!(extended.key, question().key, "the old buttons are no answer to it");
}

/// Changes what is known of the place.
type Edit = fn(&mut PlaceEvidence);

#[test]
fn a_persons_word_stands_over_marks_and_flapping_and_over_no_invariant() {
    for edit in [
        (|place| place.marked = known(Some("schema".to_owned()))) as fn(&mut PlaceEvidence),
        |place| place.flaps = known(9),
        |place| place.past = missing(),
    ] {
        assert_eq!(answer(about_q(), Choice::RollBack, edit).verdict, Verdict::RollBack);
    }
    let nothing_done: [(Edit, &str); 6] = [
        (|place| place.latest = known(Some(Release { id: "d-3".into(), ..release() })), "another release"),
        (|place| place.latest = known(None), "no release"),
        (
            |place| place.latest = known(Some(Release { rolls_back: Some("d-1".into()), ..release() })),
            "a rollback",
        ),
        (
            |place| {
                let ledger =
                    ReleaseLedger { undo: Some(undo(EffectState::Done)), ..ReleaseLedger::default() };
                place.ledger = known(ledger);
            },
            "undone",
        ),
        (
            |place| place.latest = known(Some(Release { rolled_back_by: Some("d-4".into()), ..release() })),
            "rolled back by CodeDeploy",
        ),
        (|place| place.back = known(Back::Nowhere { why: "it is the first.".into() }), "nothing good"),
    ];
    for (edit, what) in nothing_done {
        let decision = answer(about_q(), Choice::RollBack, edit);
        assert!(matches!(decision.verdict, Verdict::Notify(_)), "{what}: {:?}", decision.verdict);
        assert_eq!(decision.effect, None, "{what}");
    }
    // What cannot be read is looked at again, and never guessed.
    for edit in [
        (|place| place.latest = missing()) as fn(&mut PlaceEvidence),
        |place| place.ledger = missing(),
        |place| place.back = missing(),
    ] {
        assert_eq!(answer(about_q(), Choice::RollBack, edit).verdict, Verdict::LookAgain);
    }
}

#[test]
fn a_hook_is_passed_by_an_approval_and_by_nothing_else() {
    let call = super::tests::hook_call();
    let about = About::Hook { call: call.clone(), event: "BeforeAllowTraffic".into() };
    for choice in Choice::ALL {
        let approval = Approval { offer: offer(about.clone()), press: press("U02BOB", choice, 100) };
        let evidence = ApprovalEvidence { place: None, release: known(release()), delivery: known(1) };
        let decision = decide(&policy(), &evidence, &approval, at(101));
        let expected = if choice == Choice::Approve { HookAnswer::Succeeded } else { HookAnswer::Failed };
        assert_eq!(decision.verdict, Verdict::Answer(expected), "{choice}");
        let signal = Signal::Approval(Box::new(approval));
        let plan = plan(decision, Circumstances::of(&signal, at(101)));
        assert!(plan.actions.iter().any(
            |action| matches!(action, Action::Answer { execution, .. } if *execution == call.execution)
        ));
    }
}

#[test]
fn what_may_be_done_goes_with_how_the_release_is() {
    let policy = policy();
    let service = policy.service(&"checkout".into()).unwrap();
    let offered = |release: &Release, ledger: &ReleaseLedger| standing(service, release, ledger).choices;
    let nothing = ReleaseLedger::default();
    assert_eq!(offered(&release(), &nothing), [Choice::RollBack, Choice::Halt]);
    let over = |status| Release { status, completed_at: Some(at(60)), ..release() };
    assert_eq!(offered(&over(ReleaseStatus::Succeeded), &nothing), [Choice::RollBack]);
    assert_eq!(offered(&over(ReleaseStatus::Stopped), &nothing), []);
    let undone = ReleaseLedger { undo: Some(undo(EffectState::Done)), ..ReleaseLedger::default() };
    assert_eq!(offered(&release(), &undone), []);
    let stage = crate::release::Stage { pipeline: "p".into(), stage: "s".into() };
    let failed = Release {
        place: crate::release::Place::Stage(stage),
        platform: Platform::Pipeline,
        ..over(ReleaseStatus::Failed)
    };
    assert_eq!(offered(&failed, &nothing), [Choice::Retry, Choice::RollBack]);
}

/// An execution of which nothing but an approval has begun in its stage.
fn only_asked(status: ReleaseStatus) -> Release {
    let stage = crate::release::Stage { pipeline: "p".into(), stage: "s".into() };
    Release {
        place: crate::release::Place::Stage(stage),
        platform: Platform::Pipeline,
        status,
        released_nothing: true,
        ..release()
    }
}

#[test]
fn what_has_released_nothing_is_nothing_to_roll_back() {
    let policy = policy();
    let service = policy.service(&"checkout".into()).unwrap();
    let offered = |status| standing(service, &only_asked(status), &ReleaseLedger::default()).choices;
    assert_eq!(offered(ReleaseStatus::InProgress), [Choice::Halt]);
    assert_eq!(offered(ReleaseStatus::Failed), [Choice::Retry]);
    assert_eq!(offered(ReleaseStatus::Succeeded), []);
    // Whoever saw the button before takes nothing from anybody.
    for status in [ReleaseStatus::InProgress, ReleaseStatus::Failed] {
        let waits = |place: &mut PlaceEvidence| place.latest = known(Some(only_asked(status)));
        let decision = answer(About::Release, Choice::RollBack, waits);
        assert_eq!((decision.verdict, decision.effect), (Verdict::Notify(Urgency::Loud), None));
    }
}

#[test]
fn who_has_to_wait_for_somebody_elses_answer_has_not_answered() {
    let later = Back::Later { why: "another one waits.".into() };
    let nowhere = Back::Nowhere { why: "it is the first.".into() };
    for (back, choice, waits) in [
        (later.clone(), Choice::RollBack, true),
        (nowhere, Choice::RollBack, false),
        (super::tests::back(), Choice::RollBack, false),
        (later, Choice::Keep, false),
    ] {
        let place = PlaceEvidence { back: known(back), ..place() };
        let evidence = ApprovalEvidence { place: Some(place), release: missing(), delivery: known(1) };
        let approval = Approval { offer: asked(), press: press("U02BOB", choice, 100) };
        let decision = decide(&policy(), &evidence, &approval, at(101));
        let refused = not_yet(&evidence, &decision);
        let why = waits.then(|| Refused::NotYet { why: "another one waits.".to_owned() });
        assert_eq!(refused, why, "{choice}");
        assert!(!waits || decision.verdict == Verdict::Notify(Urgency::Loud));
    }
}

#[test]
fn a_summary_names_who_when_and_why_and_fits() {
    let said = summary(&press("U02BOB", Choice::Approve, 100));
    assert_eq!(said, "Approved by Slack user U02BOB of T1 at 2026-03-05T12:01:40Z through Belay: because");
    let long = Press { why: Some("é".repeat(2_000)), ..press("U02BOB", Choice::Reject, 100) };
    assert_eq!(summary(&long).chars().count(), 512);
}

proptest! {
    /// Invariant 4 and 7: whatever is pressed by whomever, nothing is done to another release than the one that was
    /// asked about, and nothing without somebody who may.
    #[test]
    fn an_answer_acts_on_its_release_or_not_at_all(
        user in prop::sample::select(vec!["U02ANNA", "U02BOB", "U66EVE"]),
        choice in prop::sample::select(Choice::ALL.to_vec()),
        second in 0..3_000_i64,
        latest in prop::sample::select(vec!["d-1", "d-2", "d-3"]),
        wanted in prop::sample::select(vec!["", "anna@example.com", "U02BOB"]),
    ) {
        let press = press(user, choice, second);
        let live = wanted_by(wanted);
        let allowed = may(&policy(), &asked(), &ReleaseLedger::default(), Some(&live), &press).is_ok();
        prop_assert!(!allowed || (user != "U66EVE" && second <= 991 && asked().choices.contains(&choice)));
        let mut place = place();
        place.latest = known(Some(Release { id: latest.into(), ..release() }));
        let evidence = ApprovalEvidence { place: Some(place), release: missing(), delivery: known(1) };
        let decision = decide(&policy(), &evidence, &Approval { offer: asked(), press }, at(second + 1));
        if decision.effect.is_some() {
            prop_assert_eq!(latest, "d-2");
            prop_assert_eq!(&decision.release.unwrap().deployment.id, &"d-2".into());
        }
    }
}

#[test]
fn who_was_asked_is_told_what_was_chosen_and_not_by_whom() {
    let said = Reason::PersonChose { choice: Choice::RollBack, why: Some("p99 is bad".into()) }.to_string();
    assert_eq!(said, "An approver chose: Roll back. In their words: p99 is bad.");
    let shown = format!("{:?}", Person { team: "T1".into(), user: "U02ANNA".into() });
    assert!(!shown.contains("U02ANNA"), "{shown}");
}

#[test]
fn our_own_failure_opens_no_gate() {
    for (otherwise, expected) in
        [(Silent::HoldsUp, HookAnswer::Failed), (Silent::LetsThrough, HookAnswer::Succeeded)]
    {
        let asks = Decision {
            question: Some(super::Asking { deadline: at(900), otherwise }),
            ..Decision::plain(None, Some(&release()), Verdict::Ask, Reason::WouldHaveFailed.into())
        };
        let answered = super::hook::cannot_ask(asks, "it could not".to_owned());
        assert_eq!(answered.verdict, Verdict::Answer(expected));
        assert!(answered.question.is_none() && answered.waits.is_none());
    }
}
