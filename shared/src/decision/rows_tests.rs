//! The rows that ask, halt, count and observe; silence; and alarms that are OK again.

use jiff::SignedDuration;
use proptest::prelude::*;

use super::tests::{
    POLICY, any_evidence, at, back, change, changed, evidence, first, known, missing, place, release,
    with_release,
};
use super::{Asking, Decision, Effect, Urgency, Verdict, alarm, silence};
use crate::{
    evidence::{AlarmEvidence, AlarmPast, Back, Observed, PlaceEvidence, Target, Undone, WatchedState, Way},
    ledger::{Incident, Question, ReleaseLedger, Would},
    plan::{Action, Circumstances, check, plan},
    policy::Policy,
    reason::{Reason, Silent},
    release::{DeploymentGroup, Place, Platform, Release, ReleaseId, ReleaseStatus, Stage},
    signal::{AlarmChange, AlarmState, Signal},
};

/// The tests' policy with other words in it.
fn policy_with(from: &str, to: &str) -> Policy {
    let text = POLICY.replace(from, to);
    assert_ne!(text, POLICY, "{from} is not there");
    Policy::parse(&text).unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

fn decided(policy: &Policy, evidence: &AlarmEvidence, change: &AlarmChange) -> Decision {
    let mut decisions = alarm::decide(policy, evidence, change, at(91));
    assert_eq!(decisions.len(), 1, "{decisions:?}");
    decisions.remove(0)
}

fn over(place: &mut PlaceEvidence) {
    let ended = Release { status: ReleaseStatus::Succeeded, completed_at: Some(at(60)), ..release() };
    place.latest = known(Some(ended));
}

fn asking(otherwise: Silent) -> Asking {
    Asking { deadline: at(91) + SignedDuration::from_mins(15), otherwise }
}

#[test]
fn row_9_an_alarm_that_came_and_went_before_proves_little() {
    for (times, verdict) in [(2, Verdict::RollBack), (3, Verdict::Ask), (7, Verdict::Ask)] {
        let decision = changed(|place| place.flaps = known(times));
        assert_eq!(decision.verdict, verdict, "{times}");
        assert_eq!(decision.question, (times >= 3).then(|| asking(Silent::RollsBack)));
    }
}

#[test]
fn row_10_a_marked_release_is_halted_and_silence_never_overrules_the_mark() {
    let marked = |place: &mut PlaceEvidence| place.marked = known(Some("it migrated the schema".to_owned()));
    let halted = changed(marked);
    assert_eq!(halted.verdict, Verdict::Halt);
    assert_eq!(halted.effect, Some(Effect::Stop { auto_rollback: false }));
    assert_eq!(
        first(&halted).to_string(),
        "The release is marked as not to be rolled back: it migrated the schema."
    );
    let asked = changed(|place| {
        marked(place);
        over(place);
    });
    assert_eq!((asked.verdict, asked.question), (Verdict::Ask, Some(asking(Silent::Keeps))));
}

#[test]
fn row_11_the_rule_is_halt() {
    let policy = policy_with("checkout-5xx: roll_back", "checkout-5xx: halt");
    let halted = decided(&policy, &evidence(place()), &change());
    assert_eq!((halted.verdict, halted.effect), (Verdict::Halt, Some(Effect::Stop { auto_rollback: false })));
    let mut place = place();
    over(&mut place);
    let told = decided(&policy, &evidence(place), &change());
    assert_eq!((told.verdict, told.effect), (Verdict::Notify(Urgency::Loud), None));
}

#[test]
fn row_12_without_a_target_a_finished_release_is_asked_about() {
    for back in [
        Back::Nowhere { why: "its structure has changed since.".into() },
        Back::Later { why: "another one waits in its stage.".into() },
    ] {
        let decision = changed(|place| {
            over(place);
            place.back = known(back);
        });
        assert_eq!((decision.verdict, decision.question), (Verdict::Ask, Some(asking(Silent::Keeps))));
    }
}

#[test]
fn row_13_the_budget_is_spent_by_other_releases() {
    let spent = |releases: &[&str]| {
        let mut evidence = evidence(place());
        let undone = releases.iter().map(|id| Undone { release: ReleaseId::from(*id), at: at(-600) });
        evidence.services[0].taken_back = known(undone.collect());
        decided(&super::tests::policy(), &evidence, &change())
    };
    assert_eq!(spent(&["d-0"]).verdict, Verdict::RollBack);
    // This very release, taken over from somebody who died, does not count against itself.
    assert_eq!(spent(&["d-0", "d-2"]).verdict, Verdict::RollBack);
    let asked = spent(&["d-0", "d-1"]);
    assert_eq!((asked.verdict, asked.question), (Verdict::Ask, Some(asking(Silent::RollsBack))));
    assert!(first(&asked).to_string().contains("2 releases of this service within 6h"), "{}", first(&asked));
}

#[test]
fn row_14_asks_without_promising_a_rollback() {
    let mut evidence = evidence(place());
    evidence.services[0].taken_back = missing();
    evidence.delivery = known(3);
    let decision = decided(&super::tests::policy(), &evidence, &change());
    assert_eq!((decision.verdict, decision.question), (Verdict::Ask, Some(asking(Silent::LooksAgain))));
}

#[test]
fn row_15_the_rule_is_ask() {
    let policy = policy_with("checkout-5xx: roll_back", "checkout-5xx: ask");
    let decision = decided(&policy, &evidence(place()), &change());
    assert_eq!((decision.verdict, decision.question), (Verdict::Ask, Some(asking(Silent::RollsBack))));
    let said: Vec<String> = decision.reasons.iter().map(ToString::to_string).collect();
    assert_eq!(said[2], "If nobody answers by 2026-03-05T12:16:31Z, the release is taken back.");
    let keep = policy_with("checkout-5xx: roll_back", "checkout-5xx: ask")
        .service(&"checkout".into())
        .map(|service| service.ask.otherwise);
    assert_eq!(keep, Some(crate::policy::Otherwise::RollBack));
}

#[test]
fn a_finished_release_is_deployed_away_and_says_so() {
    let decision = changed(over);
    assert_eq!(decision.verdict, Verdict::RollBack);
    assert!(matches!(first(&decision), Reason::AlarmAfterRelease { .. }));
    // It went off on the way, and is heard of after the end.
    let late = changed(|place| {
        let ended = Release { status: ReleaseStatus::Succeeded, completed_at: Some(at(95)), ..release() };
        place.latest = known(Some(ended));
    });
    assert!(matches!(first(&late), Reason::AlarmDuringRelease { .. }));
}

#[test]
fn observing_decides_the_same_and_does_nothing() {
    let policy = policy_with("    watch_for: 30m", "    watch_for: 30m\n    mode: observe");
    let mut seen = evidence(place());
    seen.services[0].would_have =
        known(vec![would(Some(ReleaseStatus::Succeeded)), would(Some(ReleaseStatus::Stopped)), would(None)]);
    let decision = decided(&policy, &seen, &change());
    assert_eq!((decision.verdict, decision.observed), (Verdict::RollBack, true));
    let score = decision.reasons.iter().last().unwrap().to_string();
    assert!(
        score.contains("3 of this service's releases: 1 of them succeeded all the same, 1 failed"),
        "{score}"
    );
    let signal = Signal::Alarm(change());
    let planned = plan(decision, Circumstances::of(&signal, at(91)));
    assert_eq!(check::check(&planned), Vec::new());
    assert!(!planned.actions.iter().any(|action| matches!(action, Action::Undo { .. })), "{planned:?}");
    // The next alarm of the release joins in.
    let mut again = place();
    again.ledger = known(ReleaseLedger { would: Some(would(None)), ..ReleaseLedger::default() });
    let joined = decided(&policy, &evidence(again.clone()), &change());
    assert_eq!(joined.verdict, Verdict::Ignore);
    assert!(matches!(first(&joined), Reason::AlreadyWouldHave { .. }));
    // Since it acts, what it would have done holds it back no more.
    let enforced = decided(&super::tests::policy(), &evidence(again), &change());
    assert_eq!(enforced.verdict, Verdict::RollBack);
}

fn would(ended: Option<ReleaseStatus>) -> Would {
    Would {
        service: "checkout".into(),
        release: "d-0".into(),
        verdict: Verdict::RollBack,
        at: at(-600),
        ended,
    }
}

#[test]
fn losing_data_counts_only_where_the_policy_says_so() {
    let lost = AlarmChange { to: AlarmState::InsufficientData, ..change() };
    let ignored = decided(&super::tests::policy(), &evidence(place()), &lost);
    assert_eq!(ignored.verdict, Verdict::Ignore);
    let policy = policy_with("checkout-5xx: roll_back", "checkout-5xx: { rule: roll_back, missing: alarm }");
    let counted = decided(&policy, &evidence(place()), &lost);
    assert_eq!(counted.verdict, Verdict::RollBack);
    assert!(counted.reasons.iter().any(|reason| matches!(reason, Reason::MissingCountsAsAlarm { .. })));
}

#[test]
fn an_alarm_that_is_ok_again_ends_its_incident_and_undoes_nothing() {
    let ok = AlarmChange { to: AlarmState::Ok, at: at(690), ..change() };
    let incident = |release: Option<ReleaseId>| {
        let mut evidence = evidence(place());
        evidence.incidents = known(vec![Incident {
            alarm: "checkout-5xx".into(),
            service: "checkout".into(),
            began: at(90),
            release,
            ended: None,
        }]);
        evidence
    };
    let told = decided(&super::tests::policy(), &incident(Some("d-2".into())), &ok);
    assert_eq!((told.verdict, told.effect.clone()), (Verdict::Notify(Urgency::Calm), None));
    assert_eq!(first(&told).to_string(), "The alarm checkout-5xx is OK again, 10m after it went off.");
    assert_eq!(decided(&super::tests::policy(), &incident(None), &ok).verdict, Verdict::Ignore);
    // An OK from before the incident ends nothing.
    let early = AlarmChange { at: at(89), ..ok };
    let kept = decided(&super::tests::policy(), &incident(Some("d-2".into())), &early);
    assert!(matches!(first(&kept), Reason::NotInAlarm { .. }));
}

#[test]
fn an_ok_that_comes_late_ends_no_incident_of_an_alarm_that_is_red_again() {
    let ok = AlarmChange { to: AlarmState::Ok, at: at(690), ..change() };
    let by_now = |state: Observed<AlarmState>, since: i64| {
        let mut evidence = evidence(place());
        evidence.incidents = known(vec![Incident {
            alarm: "checkout-5xx".into(),
            service: "checkout".into(),
            began: at(90),
            release: Some("d-2".into()),
            ended: None,
        }]);
        let (arn, said, suppressed) = (None, String::new(), None);
        evidence.stands = known(WatchedState { state, since: Some(at(since)), arn, said, suppressed });
        evidence
    };
    let kept = decided(&super::tests::policy(), &by_now(known(AlarmState::Alarm), 700), &ok);
    assert_eq!(kept.verdict, Verdict::Ignore);
    assert!(matches!(first(&kept), Reason::RedAgain { .. }));
    // It is told where that is not so, or not known: also where an answer is older than the event.
    let told = [
        (known(AlarmState::Ok), 690),
        (known(AlarmState::Alarm), 90),
        (known(AlarmState::InsufficientData), 700),
        (missing(), 700),
    ];
    for (state, since) in told {
        let told = decided(&super::tests::policy(), &by_now(state, since), &ok);
        assert!(matches!(first(&told), Reason::Restored { .. }), "{told:?}");
    }
    let lost = policy_with("checkout-5xx: roll_back", "checkout-5xx: { rule: roll_back, missing: alarm }");
    let kept = decided(&lost, &by_now(known(AlarmState::InsufficientData), 700), &ok);
    assert!(matches!(first(&kept), Reason::RedAgain { .. }));
}

#[test]
fn a_late_alarm_blames_the_release_that_was_on_watch_then() {
    let later = Release { id: "d-3".into(), created_at: at(200), ..release() };
    let decision = changed(|place| {
        place.latest = known(Some(later.clone()));
        place.earlier = known(Some(release()));
    });
    assert_eq!((decision.verdict, decision.effect), (Verdict::Notify(Urgency::Loud), None));
    assert_eq!(decision.blames, Some("d-2".into()));
    // Long over by then: nobody is blamed.
    let innocent = changed(|place| {
        place.latest = known(Some(later));
        let ended = Release { completed_at: Some(at(90 - 1_801)), created_at: at(-4_000), ..release() };
        place.earlier = known(Some(ended));
    });
    assert_eq!((innocent.verdict, innocent.blames), (Verdict::Notify(Urgency::Calm), None));
}

fn stage_place(status: ReleaseStatus, way: Option<Way>) -> PlaceEvidence {
    let stage = Place::Stage(Stage { pipeline: "checkout".into(), stage: "Production".into() });
    let completed_at = (status != ReleaseStatus::InProgress).then(|| at(60));
    let latest = Release {
        id: ReleaseId::of_stage("Production", "e-2"),
        place: stage.clone(),
        platform: Platform::Pipeline,
        status,
        completed_at,
        ..release()
    };
    let back = match way {
        Some(way) => {
            Back::To { target: Target::KnownGood { deployment: "e-1".into(), revision: "v41".into() }, way }
        }
        None => Back::Nowhere { why: "its structure has changed since.".into() },
    };
    PlaceEvidence {
        place: stage,
        latest: known(Some(latest)),
        back: known(back),
        next_stage: Some("After".into()),
        within: vec!["d-9".into()],
        deploys_to: Vec::new(),
        ..place()
    }
}

#[test]
fn a_stage_is_rolled_back_or_its_deployments_are_stopped_or_the_way_on_is_closed() {
    let way = |running: Option<&str>, deployments: &[&str]| Way::RollBackStage {
        target: "e-1".into(),
        running: running.map(str::to_owned),
        deployments: deployments.iter().map(|id| ReleaseId::from(*id)).collect(),
        finished: Vec::new(),
    };
    let effect = |place| decided(&super::tests::policy(), &evidence(place), &change()).effect;
    let target = "e-1".to_owned();
    assert_eq!(
        effect(stage_place(ReleaseStatus::Succeeded, Some(way(None, &[])))),
        Some(Effect::RollBackStage { target: target.clone(), running: None })
    );
    assert_eq!(
        effect(stage_place(ReleaseStatus::InProgress, Some(way(Some("e-2"), &[])))),
        Some(Effect::RollBackStage { target, running: Some("e-2".into()) })
    );
    assert_eq!(
        effect(stage_place(ReleaseStatus::InProgress, Some(way(Some("e-2"), &["d-9"])))),
        Some(Effect::StopWithin { deployments: vec!["d-9".into()], stays: Vec::new() })
    );
    let Way::RollBackStage { target, running, deployments, .. } = way(Some("e-2"), &["d-9"]) else {
        panic!()
    };
    let partly = Way::RollBackStage { target, running, deployments, finished: vec!["Europe".to_owned()] };
    let stays = vec!["Europe".to_owned()];
    assert_eq!(
        effect(stage_place(ReleaseStatus::InProgress, Some(partly))),
        Some(Effect::StopWithin { deployments: vec!["d-9".into()], stays })
    );
    assert_eq!(
        effect(stage_place(ReleaseStatus::InProgress, None)),
        Some(Effect::HaltStage { deployments: vec!["d-9".into()], next: Some("After".into()) })
    );
}

// Silence.

fn question(otherwise: Silent) -> Question {
    Question {
        key: "q".into(),
        service: "checkout".into(),
        release: Some("d-2".into()),
        unread: Vec::new(),
        change: change(),
        asked: at(91),
        deadline: at(991),
        otherwise,
    }
}

fn silent(place: PlaceEvidence, otherwise: Silent) -> Decision {
    the_one(silence::decide(&super::tests::policy(), &evidence(place), &question(otherwise), at(992)))
}

fn the_one(mut decisions: Vec<Decision>) -> Decision {
    assert_eq!(decisions.len(), 1, "{decisions:?}");
    decisions.remove(0)
}

#[test]
fn silence_rolls_back_what_only_needed_consent() {
    let mut flapping = place();
    flapping.flaps = known(5);
    let decision = silent(flapping, Silent::RollsBack);
    assert_eq!(decision.verdict, Verdict::RollBack);
    assert!(decision.reasons.iter().any(|reason| matches!(reason, Reason::NobodyAnswered { .. })));
}

#[test]
fn silence_is_no_consent_to_more_than_was_asked() {
    // Keep means keep.
    assert_eq!(silent(place(), Silent::Keeps).verdict, Verdict::Notify(Urgency::Calm));
    // What could not be learnt then is judged anew: by its own rows, not by consent.
    let mut flapping = place();
    flapping.flaps = known(5);
    assert_eq!(silent(flapping, Silent::LooksAgain).verdict, Verdict::Ask);
    assert_eq!(silent(place(), Silent::LooksAgain).verdict, Verdict::RollBack);
    // Still unknown: no guess, no second question.
    let mut unknown = place();
    unknown.past = missing();
    let mut evidence = evidence(unknown);
    evidence.delivery = known(3);
    let policy = super::tests::policy();
    for otherwise in [Silent::RollsBack, Silent::LooksAgain] {
        let decision = the_one(silence::decide(&policy, &evidence, &question(otherwise), at(992)));
        assert_eq!((decision.verdict, decision.question), (Verdict::Notify(Urgency::Loud), None));
    }
    // Red before after all.
    let mut before = place();
    before.past = known(AlarmPast::RedSinceBefore);
    assert_eq!(silent(before, Silent::RollsBack).verdict, Verdict::Notify(Urgency::Calm));
}

#[test]
fn silence_looks_again_at_every_place_that_could_not_be_read() {
    let group = |name: &str| DeploymentGroup { application: "checkout".into(), group: name.into() };
    let mut evidence = evidence(place());
    for name in ["eu", "us"] {
        let mut other = place();
        other.place = group(name).into();
        let Observed::Known { value: Some(release), .. } = &mut other.latest else { unreachable!() };
        (release.id, release.place) = (name.into(), group(name).into());
        evidence.services[0].places.push(other);
    }
    let decided = |unread: Vec<Place>| {
        let question = Question { release: None, unread, ..question(Silent::LooksAgain) };
        let decisions = silence::decide(&super::tests::policy(), &evidence, &question, at(992));
        assert!(decisions.iter().all(|decision| decision.verdict == Verdict::RollBack), "{decisions:?}");
        let about = |decision: Decision| decision.release.unwrap().deployment.id.to_string();
        decisions.into_iter().map(about).collect::<Vec<_>>()
    };
    // What could be read was decided when the question was asked.
    assert_eq!(decided(vec![group("eu").into()]), ["eu"]);
    assert_eq!(decided(vec![group("eu").into(), group("us").into()]), ["eu", "us"]);
    // A stage that is read now, and seen closer in its group.
    let stage = Stage { pipeline: "p".into(), stage: "s".into() };
    assert_eq!(decided(vec![Place::Stage(stage)]), [] as [&str; 0]);
    // A question from before places were written down.
    assert_eq!(decided(Vec::new()), ["d-2", "eu", "us"]);
}

proptest! {
    #[test]
    fn silence_acts_on_nothing_but_what_it_was_asked_about(
        evidence in any_evidence(),
        otherwise in prop_oneof![Just(Silent::Keeps), Just(Silent::RollsBack), Just(Silent::LooksAgain)],
    ) {
        let question = question(otherwise);
        let decision = the_one(silence::decide(&super::tests::policy(), &evidence, &question, at(992)));
        if let Some(effect) = &decision.effect {
            prop_assert_ne!(otherwise, Silent::Keeps);
            let subject = decision.release.as_ref().unwrap();
            prop_assert_eq!(Some(&subject.deployment.id), question.release.as_ref());
            prop_assert!(!subject.deployment.is_rollback());
            // The owners' mark stands.
            let place = &evidence.services[0].places[0];
            let resumed = matches!(first(&decision), Reason::NoGoodTarget { why } if why == "kept");
            if effect.takes_back() && !resumed {
                prop_assert_eq!(place.marked.known(), Ok(&None));
            }
        }
        let signal = Signal::Silence(crate::signal::Silence {
            question: question.key.clone(),
            release: question.release.clone(),
            change: question.change.clone(),
            deadline: question.deadline,
        });
        let planned = plan(decision, Circumstances::of(&signal, at(992)));
        prop_assert_eq!(check::check(&planned), Vec::new(), "{:?}", planned);
    }

    #[test]
    fn observing_never_plans_an_effect(evidence in any_evidence()) {
        let policy = policy_with("    watch_for: 30m", "    watch_for: 30m\n    mode: observe");
        let signal = Signal::Alarm(change());
        for decision in alarm::decide(&policy, &evidence, &change(), at(91)) {
            let planned = plan(decision, Circumstances::of(&signal, at(91)));
            let acts = planned.actions.iter().any(|action| matches!(action, Action::Undo { .. }));
            prop_assert!(!acts, "{:?}", planned);
            prop_assert_eq!(check::check(&planned), Vec::new());
        }
    }
}

#[test]
fn silence_never_answers_for_a_newer_release() {
    let mut newer = place();
    newer.latest = known(Some(Release { id: "d-3".into(), created_at: at(200), ..release() }));
    let decision = silent(newer, Silent::RollsBack);
    assert_eq!((decision.verdict, decision.effect.clone()), (Verdict::Notify(Urgency::Calm), None));
    assert!(matches!(first(&decision), Reason::QuestionOvertaken { by: Some(by) } if by.as_str() == "d-3"));
    // The same release, finished since: it is deployed away.
    let mut finished = place();
    over(&mut finished);
    finished.back = known(back());
    assert_eq!(silent(finished, Silent::RollsBack).verdict, Verdict::RollBack);
    // Undone by somebody else since.
    let undone = with_release(|release| release.rolled_back_by = Some("d-4".into()));
    assert_eq!(undone.verdict, Verdict::Ignore);
}
