//! One test per row of the decision tables, at its boundary, and the invariants over arbitrary evidence.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::{Decision, HookAnswer, Urgency, Verdict, alarm, hook, release as releases};
use crate::{
    evidence::{
        AlarmEvidence, AlarmPast, Back, CheckResult, Finding, HookEvidence, Observed, PlaceEvidence,
        ReleaseEvidence, ServiceEvidence, TakenBack, Target, WatchedState, Way,
    },
    ledger::{Effect, EffectState, Half, Judged, ReleaseLedger},
    plan::{Circumstances, check, plan},
    policy::Policy,
    reason::{Reason, UndoneBy},
    release::{
        AlarmName, DeploymentGroup, LifecycleEvent, Platform, Release, ReleaseError, ReleaseStatus, Revision,
        ServiceName,
    },
    signal::{AlarmChange, AlarmState, HookCall, Quieted, ReleaseChange, ReleaseHappening, Signal},
};

pub(super) const POLICY: &str = "version: 1
services:
  checkout:
    deployed_by: [ { codedeploy: { application: checkout, deployment_group: prod } } ]
    watch_for: 30m
    alarms: { checkout-5xx: roll_back, checkout-quiet: notify }
    hooks: { AfterAllowTraffic: [ { alarms: quiet }, { http: { url: \"https://a.example.com\", within: 1s } } ] }
  lenient:
    deployed_by: [ { codedeploy: { application: lenient, deployment_group: prod } } ]
    on_doubt: succeed
    hooks: { AfterAllowTraffic: [ { alarms: quiet } ] }
";

pub(super) fn policy() -> Policy {
    Policy::parse(POLICY).unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

/// Seconds after an arbitrary noon.
pub(super) fn at(seconds: i64) -> Timestamp {
    "2026-03-05T12:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_secs(seconds)
}

pub(super) fn known<T>(value: T) -> Observed<T> {
    Observed::Known { value, at: at(0) }
}

pub(super) fn missing<T>() -> Observed<T> {
    Observed::Missing { why: "no answer in time".to_owned() }
}

pub(super) fn hook_call() -> HookCall {
    HookCall { deployment: "d-2".into(), execution: "h-1".into() }
}

pub(super) fn release() -> Release {
    Release {
        id: "d-2".into(),
        place: DeploymentGroup { application: "checkout".into(), group: "prod".into() }.into(),
        platform: Platform::Lambda,
        status: ReleaseStatus::InProgress,
        created_at: at(0),
        completed_at: None,
        creator: "user".into(),
        rolls_back: None,
        rolled_back_by: None,
        error: None,
        revision: Revision::Named("v42".into()),
        description: None,
        change: crate::release::Change::default(),
        again: None,
        course: None,
        released_nothing: false,
    }
}

pub(super) fn change() -> AlarmChange {
    AlarmChange {
        alarm: "checkout-5xx".into(),
        arn: Some("arn:aws:cloudwatch:eu-central-1:123456789012:alarm:checkout-5xx".into()),
        account: Some("123456789012".into()),
        region: Some("eu-central-1".into()),
        to: AlarmState::Alarm,
        from: Some(AlarmState::Ok),
        reason: "Threshold Crossed.".into(),
        at: at(90),
        quieted: None,
    }
}

pub(super) fn place() -> PlaceEvidence {
    PlaceEvidence {
        place: release().place,
        latest: known(Some(release())),
        back: known(back()),
        marked: known(None),
        ledger: known(ReleaseLedger::default()),
        earlier: known(None),
        past: known(AlarmPast::News),
        flaps: known(0),
        taken_back: known(None),
        next_stage: None,
        within: Vec::new(),
        deploys_to: Vec::new(),
        traffic: known(10),
    }
}

pub(super) fn back() -> Back {
    let target = Target::KnownGood { deployment: "d-1".into(), revision: "v41".into() };
    Back::To { target, way: Way::Stop }
}

pub(super) fn evidence(place: PlaceEvidence) -> AlarmEvidence {
    AlarmEvidence {
        services: vec![ServiceEvidence {
            service: "checkout".into(),
            places: vec![place],
            taken_back: known(Vec::new()),
            would_have: missing(),
        }],
        judged: known(Vec::new()),
        incidents: known(Vec::new()),
        stands: missing(),
        delivery: known(1),
    }
}

pub(super) fn judged(evidence: &AlarmEvidence, change: &AlarmChange) -> Decision {
    let mut decisions = alarm::decide(&policy(), evidence, change, at(91));
    assert_eq!(decisions.len(), 1, "{decisions:?}");
    decisions.remove(0)
}

pub(super) fn changed(make: impl FnOnce(&mut PlaceEvidence)) -> Decision {
    let mut place = place();
    make(&mut place);
    judged(&evidence(place), &change())
}

pub(super) fn with_release(make: impl FnOnce(&mut Release)) -> Decision {
    changed(|place| {
        let mut deployment = release();
        make(&mut deployment);
        place.latest = known(Some(deployment));
    })
}

pub(super) fn first(decision: &Decision) -> &Reason {
    decision.reasons.first()
}

#[test]
fn row_1_an_alarm_that_nobody_watches() {
    let other = AlarmChange { alarm: "other".into(), ..change() };
    let decision = judged(&evidence(place()), &other);
    assert_eq!(decision.verdict, Verdict::Ignore);
    assert!(matches!(first(&decision), Reason::NotWatched { .. }));
    assert!(alarm::needs_evidence(&policy(), &other).is_empty());
}

#[test]
fn row_2_muted_and_suppressed() {
    let muted = Quieted::Muted { by: "arn:mute".into(), until: None };
    let suppressed = Quieted::Suppressed { by: "Alarm".into(), why: None };
    for quieted in [muted, suppressed] {
        let decision = judged(&evidence(place()), &AlarmChange { quieted: Some(quieted), ..change() });
        assert_eq!(decision.verdict, Verdict::Ignore);
        assert!(matches!(first(&decision), Reason::Muted { .. } | Reason::Suppressed { .. }));
    }
}

#[test]
fn a_change_to_another_state_undoes_nothing() {
    for to in [AlarmState::Ok, AlarmState::InsufficientData] {
        let decision = judged(&evidence(place()), &AlarmChange { to, ..change() });
        assert_eq!(decision.verdict, Verdict::Ignore);
        assert!(matches!(first(&decision), Reason::NotInAlarm { .. }));
    }
}

#[test]
fn row_3_the_rule_is_notify() {
    let quiet = AlarmChange { alarm: "checkout-quiet".into(), ..change() };
    let decision = judged(&evidence(place()), &quiet);
    assert_eq!(decision.verdict, Verdict::Notify(Urgency::Calm));
    assert!(matches!(first(&decision), Reason::RuleSaysNotify { .. }));
    assert!(alarm::needs_evidence(&policy(), &quiet).is_empty());
}

#[test]
fn row_4_nothing_is_on_watch() {
    let decision = changed(|place| place.latest = known(None));
    assert_eq!(decision.verdict, Verdict::Notify(Urgency::Calm));
    assert!(matches!(first(&decision), Reason::NoReleaseToBlame { last: None, .. }));

    // Watched for 30 minutes: exactly 30 are on watch, one second more is not.
    let ended = |seconds: i64| {
        with_release(|release| {
            release.created_at = at(-4_000);
            release.status = ReleaseStatus::Succeeded;
            release.completed_at = Some(at(90 - seconds));
        })
    };
    assert!(matches!(first(&ended(1_801)), Reason::NoReleaseToBlame { last: Some(_), .. }));
    let on_watch = ended(1_800);
    assert_eq!(on_watch.verdict, Verdict::RollBack);
    assert!(matches!(first(&on_watch), Reason::AlarmAfterRelease { .. }));
}

#[test]
fn row_5_the_alarm_was_first() {
    let decision = with_release(|release| release.created_at = at(91));
    assert_eq!(decision.verdict, Verdict::Notify(Urgency::Calm));
    assert!(matches!(first(&decision), Reason::BeganBeforeRelease { before, .. } if before.as_secs() == 1));
    let same_second = with_release(|release| release.created_at = at(90));
    assert_eq!(same_second.verdict, Verdict::RollBack);
}

#[test]
fn row_6_a_rollback_is_never_rolled_back() {
    let by_id = with_release(|release| release.rolls_back = Some("d-1".into()));
    let by_creator = with_release(|release| release.creator = "codeDeployRollback".into());
    for decision in [by_id, by_creator] {
        assert_eq!(decision.verdict, Verdict::Notify(Urgency::Loud));
        assert!(matches!(first(&decision), Reason::RollbackIsFailing { .. }));
    }
}

#[test]
fn an_alarm_from_before_the_rollback_is_about_what_is_rolled_back() {
    let decision = changed(|place| {
        let mut rollback = release();
        rollback.id = "d-3".into();
        rollback.created_at = at(92);
        rollback.rolls_back = Some("d-2".into());
        place.latest = known(Some(rollback));
        let mut bad = release();
        bad.status = ReleaseStatus::Stopped;
        bad.completed_at = Some(at(91));
        bad.rolled_back_by = Some("d-3".into());
        place.taken_back = known(Some(TakenBack { deployment: bad, ledger: ReleaseLedger::default() }));
    });
    assert_eq!(decision.verdict, Verdict::Ignore);
    assert!(matches!(first(&decision), Reason::AlreadyUndone { by: UndoneBy::Deployer { .. }, .. }));
    assert_eq!(decision.release.map(|subject| subject.deployment.id), Some("d-2".into()));
}

pub(super) fn undo(state: EffectState) -> Effect {
    let verdict = Verdict::RollBack;
    let effect = Some(super::Effect::Stop { auto_rollback: true });
    Effect { state, at: at(80), verdict, reasons: Reason::NoGoodTarget { why: "kept".into() }.into(), effect }
}

#[test]
fn row_7_already_being_undone() {
    let by_belay = |state| {
        changed(|place| {
            place.ledger = known(ReleaseLedger { undo: Some(undo(state)), ..ReleaseLedger::default() });
        })
    };
    let done = by_belay(EffectState::Done);
    assert_eq!(done.verdict, Verdict::Ignore);
    assert!(matches!(first(&done), Reason::AlreadyUndone { by: UndoneBy::Belay { .. }, .. }));
    let right_now = by_belay(EffectState::Claimed { until: at(92) });
    assert_eq!(right_now.verdict, Verdict::LookAgain);
    assert!(matches!(first(&right_now), Reason::AlreadyUndone { by: UndoneBy::BelayRightNow { .. }, .. }));
    // Whoever claimed it is gone: what was decided is finished, with its reasons.
    let resumed = by_belay(EffectState::Claimed { until: at(91) });
    assert_eq!(resumed.verdict, Verdict::RollBack);
    assert!(matches!(first(&resumed), Reason::NoGoodTarget { .. }));

    let by_deployer = with_release(|release| release.rolled_back_by = Some("d-3".into()));
    assert_eq!(by_deployer.verdict, Verdict::Ignore);
    assert!(matches!(first(&by_deployer), Reason::AlreadyUndone { by: UndoneBy::Deployer { .. }, .. }));
}

#[test]
fn a_halt_for_one_alarm_does_not_silence_another_that_asks_for_more() {
    let after = |verdict, because: Reason| {
        let effect = Some(super::Effect::Stop { auto_rollback: false });
        let halt = Effect { state: EffectState::Done, at: at(80), verdict, reasons: because.into(), effect };
        changed(|place| {
            place.ledger = known(ReleaseLedger { undo: Some(halt), ..ReleaseLedger::default() });
        })
    };
    let by_rule = after(Verdict::Halt, Reason::RuleSaysHalt { alarm: "checkout-latency".into() });
    assert_eq!(by_rule.verdict, Verdict::Notify(Urgency::Loud));
    assert!(matches!(first(&by_rule), Reason::OnlyHalted { .. }));
    // This alarm would have led to no more either.
    let kept = after(Verdict::Halt, Reason::MarkedNoRollback { why: "a schema".into() });
    assert_eq!(kept.verdict, Verdict::Ignore);
}

#[test]
fn an_undo_that_the_release_outlived_silences_no_alarm() {
    let decision = changed(|place| {
        let mut lived = release();
        lived.status = ReleaseStatus::Succeeded;
        lived.completed_at = Some(at(85));
        place.latest = known(Some(lived));
        place.ledger =
            known(ReleaseLedger { undo: Some(undo(EffectState::Done)), ..ReleaseLedger::default() });
    });
    // What it was asked then counts for nothing: going back is the second half.
    assert_eq!((decision.verdict, decision.half), (Verdict::RollBack, Half::Second));
    assert!(matches!(first(&decision), Reason::AlarmAfterRelease { .. }));
}

#[test]
fn two_unreadable_groups_are_one_question() {
    let mut unread = place();
    unread.latest = missing();
    let mut evidence = evidence(unread.clone());
    unread.place = DeploymentGroup { application: "checkout".into(), group: "eu".into() }.into();
    evidence.services[0].places.push(unread);
    evidence.delivery = known(3);
    let decision = judged(&evidence, &change());
    assert_eq!(decision.verdict, Verdict::Ask);
    assert_eq!(decision.reasons.iter().count(), 3, "both, and the deadline");
}

#[test]
fn stopped_and_not_rolled_back_is_loud() {
    for status in [ReleaseStatus::Stopped, ReleaseStatus::Failed] {
        let decision = with_release(|release| {
            release.status = status;
            release.completed_at = Some(at(60));
        });
        assert_eq!(decision.verdict, Verdict::Notify(Urgency::Loud));
        assert!(matches!(first(&decision), Reason::EndedNotRolledBack { .. }));
    }
}

#[test]
fn row_8_red_since_before_the_release() {
    let decision = changed(|place| place.past = known(AlarmPast::RedSinceBefore));
    assert_eq!(decision.verdict, Verdict::Notify(Urgency::Calm));
    assert!(matches!(first(&decision), Reason::AlreadyRedBefore { .. }));
}

#[test]
fn row_12_nothing_to_go_back_to() {
    for back in [Back::Nowhere { why: "first.".into() }, Back::Later { why: "another one waits.".into() }] {
        let decision = changed(|place| place.back = known(back));
        assert_eq!(decision.verdict, Verdict::Halt);
        assert!(matches!(first(&decision), Reason::NoGoodTarget { .. }));
    }
}

#[test]
fn row_14_what_could_not_be_learnt() {
    let gaps: [fn(&mut PlaceEvidence); 6] = [
        |place| place.flaps = missing(),
        |place| place.marked = missing(),
        |place| place.latest = missing(),
        |place| place.ledger = missing(),
        |place| place.past = missing(),
        |place| place.back = missing(),
    ];
    for gap in gaps {
        let mut place = place();
        gap(&mut place);
        let mut evidence = evidence(place);
        for (delivery, verdict) in [
            (known(1), Verdict::LookAgain),
            (known(2), Verdict::LookAgain),
            (known(3), Verdict::Ask),
            (known(4), Verdict::Ask),
            (missing(), Verdict::Ask),
        ] {
            evidence.delivery = delivery;
            let decision = judged(&evidence, &change());
            assert_eq!(decision.verdict, verdict);
            assert!(matches!(first(&decision), Reason::CouldNotLearn { .. }));
        }
    }
    let unknown = with_release(|release| release.status = ReleaseStatus::Unrecognised("Thinking".into()));
    assert_eq!(unknown.verdict, Verdict::LookAgain);
    let no_end = with_release(|release| release.status = ReleaseStatus::Succeeded);
    assert_eq!(no_end.verdict, Verdict::LookAgain);
}

#[test]
fn row_16_otherwise_the_release_is_taken_back() {
    let decision = judged(&evidence(place()), &change());
    assert_eq!(decision.verdict, Verdict::RollBack);
    let expected = Reason::AlarmDuringRelease {
        alarm: "checkout-5xx".into(),
        since_start: SignedDuration::from_secs(90),
        traffic: Some(10),
        said: "Threshold Crossed.".into(),
    };
    assert_eq!(first(&decision), &expected);
    assert_eq!(
        expected.to_string(),
        "The alarm checkout-5xx went off 1m 30s into the release, with 10 % of the traffic on the new revision. CloudWatch says: Threshold Crossed."
    );
}

#[test]
fn the_traffic_share_decides_nothing() {
    assert_eq!(changed(|place| place.traffic = missing()).verdict, Verdict::RollBack);
}

#[test]
fn the_same_signal_again_does_nothing_and_says_so() {
    let mut evidence = evidence(place());
    evidence.judged = known(vec![Judged {
        service: Some("checkout".into()),
        verdict: Verdict::RollBack,
        release: Some("d-2".into()),
        at: at(91),
    }]);
    let decision = judged(&evidence, &change());
    assert_eq!(decision.verdict, Verdict::Ignore);
    assert!(first(&decision).to_string().contains("nothing is done or told twice"));
}

// Deployments.

fn began_evidence() -> ReleaseEvidence {
    ReleaseEvidence {
        deployment: known(release()),
        ledger: known(ReleaseLedger::default()),
        target: known(Target::KnownGood { deployment: "d-1".into(), revision: "v41".into() }),
        marked: known(None),
        alarms: known(BTreeMap::new()),
        delivery: known(1),
        cause: None,
    }
}

pub(super) fn event(what: ReleaseHappening) -> ReleaseChange {
    ReleaseChange {
        deployment: "d-2".into(),
        place: release().place,
        what,
        instance: None,
        account: None,
        region: None,
        at: at(1),
    }
}

pub(super) fn watched(state: AlarmState, since: i64) -> WatchedState {
    let said = "Threshold Crossed.".to_owned();
    WatchedState { state: known(state), since: Some(at(since)), arn: change().arn, said, suppressed: None }
}

#[test]
fn a_beginning_says_what_it_can_go_back_to_and_what_is_red() {
    let mut evidence = began_evidence();
    let red = watched(AlarmState::Alarm, -60);
    let late = watched(AlarmState::Ok, 2);
    evidence.alarms =
        known(BTreeMap::from([(AlarmName::from("checkout-5xx"), red), (AlarmName::from("late"), late)]));
    let judged = releases::decide(&policy(), &evidence, &event(ReleaseHappening::Started));
    let said: Vec<String> = judged.decision.reasons.iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "It can be undone: back to v41, which d-1 deployed.",
            "Watched alarms: 1 OK, 1 in ALARM.",
            "The alarm checkout-5xx is in ALARM already: it will not count against this release until it has been OK."
        ]
    );
    let began = judged.began.unwrap();
    assert_eq!(began.alarms["checkout-5xx"], crate::ledger::RecordedState::Was(AlarmState::Alarm));
    // What changed after the release began is not what it began with.
    assert!(matches!(began.alarms["late"], crate::ledger::RecordedState::Unknown { .. }));
}

impl std::borrow::Borrow<str> for AlarmName {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

#[test]
fn a_beginning_that_comes_after_the_end_records_nothing() {
    let mut evidence = began_evidence();
    evidence.deployment =
        known(Release { status: ReleaseStatus::Succeeded, completed_at: Some(at(60)), ..release() });
    let judged = releases::decide(&policy(), &evidence, &event(ReleaseHappening::Started));
    assert_eq!(judged.decision.verdict, Verdict::Ignore);
    assert_eq!(judged.began, None);
}

#[test]
fn an_end_without_a_rollback_is_loud() {
    let mut evidence = began_evidence();
    let mut stopped = Release {
        status: ReleaseStatus::Stopped,
        completed_at: Some(at(60)),
        error: Some(ReleaseError { code: "MANUAL_STOP".into(), message: "Stopped.".into() }),
        ..release()
    };
    evidence.deployment = known(stopped.clone());
    let event = event(ReleaseHappening::Stopped);
    let judged = releases::decide(&policy(), &evidence, &event);
    assert_eq!(judged.decision.verdict, Verdict::Notify(Urgency::Loud));
    stopped.rolled_back_by = Some("d-3".into());
    evidence.deployment = known(stopped);
    let judged = releases::decide(&policy(), &evidence, &event);
    assert_eq!(judged.decision.verdict, Verdict::Notify(Urgency::Calm));
    assert_eq!(judged.ended.unwrap().rolled_back_by, Some("d-3".into()));
}

#[test]
fn instances_and_foreign_groups_are_left_alone() {
    let instance = ReleaseChange { instance: Some("i-1".into()), ..event(ReleaseHappening::Failed) };
    let judged = releases::decide(&policy(), &began_evidence(), &instance);
    assert!(matches!(first(&judged.decision), Reason::NothingToDo { .. }));
    let foreign = ReleaseChange {
        place: DeploymentGroup { application: "other".into(), group: "prod".into() }.into(),
        ..event(ReleaseHappening::Started)
    };
    let judged = releases::decide(&policy(), &began_evidence(), &foreign);
    assert!(matches!(first(&judged.decision), Reason::NotGuarded { .. }));
    assert_eq!(releases::needs_evidence(&policy(), &foreign), None);
}

// Hooks.

fn hook_evidence(findings: Vec<Finding>) -> HookEvidence {
    let checks = findings
        .into_iter()
        .enumerate()
        .map(|(number, finding)| CheckResult { check: format!("check {number}"), finding })
        .collect();
    HookEvidence {
        before: None,
        deployment: known(release()),
        event: known("AfterAllowTraffic".into()),
        checks,
        answered: None,
        called: at(0),
    }
}

fn pass() -> Finding {
    Finding::Pass { saw: "200".into() }
}

fn answer(evidence: &HookEvidence) -> HookAnswer {
    match hook::decide(&policy(), evidence, &hook_call()).verdict {
        Verdict::Answer(answer) => answer,
        other => panic!("a hook is answered, not {other:?}"),
    }
}

#[test]
fn a_hook_passes_only_when_every_check_did() {
    assert_eq!(answer(&hook_evidence(vec![pass(), pass()])), HookAnswer::Succeeded);
    for other in [
        Finding::Fail { saw: "503".into() },
        Finding::Inconclusive { why: "two of three".into() },
        Finding::Error { why: "refused".into() },
    ] {
        assert_eq!(answer(&hook_evidence(vec![pass(), other])), HookAnswer::Failed);
    }
    // A check that left no result behind did not pass.
    assert_eq!(answer(&hook_evidence(vec![pass()])), HookAnswer::Failed);
    assert_eq!(answer(&hook_evidence(Vec::new())), HookAnswer::Failed);
}

#[test]
fn doubt_is_answered_as_the_policy_says_and_failure_is_not_doubt() {
    let lenient = |finding: Finding| {
        let mut evidence = hook_evidence(vec![finding]);
        let place = DeploymentGroup { application: "lenient".into(), group: "prod".into() }.into();
        evidence.deployment = known(Release { place, ..release() });
        evidence
    };
    assert_eq!(answer(&lenient(Finding::Error { why: "refused".into() })), HookAnswer::Succeeded);
    assert_eq!(answer(&lenient(Finding::Fail { saw: "503".into() })), HookAnswer::Failed);
}

#[test]
fn a_hook_that_checks_nothing_fails() {
    let mut unknown_event = hook_evidence(vec![pass(), pass()]);
    unknown_event.event = known(LifecycleEvent::from("BeforeAllowTraffic"));
    let mut unknown_service = hook_evidence(vec![pass(), pass()]);
    let place = DeploymentGroup { application: "other".into(), group: "prod".into() }.into();
    unknown_service.deployment = known(Release { place, ..release() });
    for evidence in [unknown_event, unknown_service] {
        let decision = hook::decide(&policy(), &evidence, &hook_call());
        assert_eq!(decision.verdict, Verdict::Answer(HookAnswer::Failed));
        assert!(matches!(first(&decision), Reason::NotConfigured { .. }));
    }
    for evidence in [
        HookEvidence { deployment: missing(), ..hook_evidence(vec![pass(), pass()]) },
        HookEvidence { event: missing(), ..hook_evidence(vec![pass(), pass()]) },
    ] {
        assert_eq!(answer(&evidence), HookAnswer::Failed);
    }
}

// Invariants, over arbitrary evidence.

fn observed<T: Clone + std::fmt::Debug + 'static>(
    values: impl Strategy<Value = T> + 'static,
) -> BoxedStrategy<Observed<T>> {
    prop_oneof![4 => values.prop_map(known), 1 => Just(missing())].boxed()
}

fn any_status() -> impl Strategy<Value = ReleaseStatus> {
    prop_oneof![
        Just(ReleaseStatus::Created),
        Just(ReleaseStatus::Queued),
        Just(ReleaseStatus::InProgress),
        Just(ReleaseStatus::Baking),
        Just(ReleaseStatus::Ready),
        Just(ReleaseStatus::Succeeded),
        Just(ReleaseStatus::Failed),
        Just(ReleaseStatus::Stopped),
        Just(ReleaseStatus::Unrecognised("Thinking".into())),
    ]
}

fn any_deployment() -> impl Strategy<Value = Release> {
    (
        any_status(),
        -4_000..200_i64,
        prop::option::of(-3_000..200_i64),
        prop::bool::weighted(0.2),
        prop::bool::weighted(0.2),
        prop::bool::weighted(0.2),
    )
        .prop_map(|(status, created, completed, rollback, rolled_back, creator)| Release {
            status,
            created_at: at(created),
            completed_at: completed.map(at),
            rolls_back: rollback.then(|| "d-1".into()),
            rolled_back_by: rolled_back.then(|| "d-3".into()),
            creator: if creator { "codeDeployRollback".into() } else { "user".into() },
            ..release()
        })
}

fn any_ledger() -> impl Strategy<Value = ReleaseLedger> {
    prop::option::of(prop_oneof![
        Just(EffectState::Done),
        Just(EffectState::Overtaken),
        (0..200_i64).prop_map(|until| EffectState::Claimed { until: at(until) }),
    ])
    .prop_map(|state| ReleaseLedger { undo: state.map(undo), ..ReleaseLedger::default() })
}

fn any_place() -> impl Strategy<Value = PlaceEvidence> {
    let back = prop_oneof![
        Just(back()),
        Just(Back::Nowhere { why: "first.".into() }),
        Just(Back::Later { why: "another one waits.".into() }),
    ];
    let marked = prop::option::weighted(0.2, Just("it migrates".to_owned()));
    let taken_back = prop::option::of(
        (any_deployment(), any_ledger()).prop_map(|(deployment, ledger)| TakenBack { deployment, ledger }),
    );
    (
        observed(prop::option::of(any_deployment())),
        observed(back),
        observed(marked),
        observed(any_ledger()),
        observed(prop::option::of(any_deployment())),
        observed(0..5_u32),
        observed(prop_oneof![Just(AlarmPast::News), Just(AlarmPast::RedSinceBefore)]),
        observed(taken_back),
        observed(0..=100_u8),
    )
        .prop_map(|(latest, back, marked, ledger, earlier, flaps, past, taken_back, traffic)| {
            PlaceEvidence {
                place: release().place,
                latest,
                back,
                marked,
                ledger,
                earlier,
                past,
                flaps,
                taken_back,
                next_stage: None,
                within: Vec::new(),
                deploys_to: Vec::new(),
                traffic,
            }
        })
}

pub(super) fn any_evidence() -> impl Strategy<Value = AlarmEvidence> {
    (any_place(), observed(Just(Vec::new())), observed(1..5_u32))
        .prop_map(|(place, judged, delivery)| AlarmEvidence { judged, delivery, ..evidence(place) })
}

fn any_finding() -> impl Strategy<Value = Finding> {
    prop_oneof![
        Just(pass()),
        Just(Finding::Fail { saw: "503".into() }),
        Just(Finding::Inconclusive { why: "unclear".into() }),
        Just(Finding::Error { why: "refused".into() }),
    ]
}

/// Everything that can go missing, each in turn.
fn holes(evidence: &AlarmEvidence) -> Vec<AlarmEvidence> {
    let punch: [fn(&mut PlaceEvidence); 8] = [
        |place| place.flaps = missing(),
        |place| place.marked = missing(),
        |place| place.earlier = missing(),
        |place| place.latest = missing(),
        |place| place.back = missing(),
        |place| place.ledger = missing(),
        |place| place.past = missing(),
        |place| place.taken_back = missing(),
    ];
    let mut all: Vec<AlarmEvidence> = punch
        .into_iter()
        .map(|punch| {
            let mut with_hole = evidence.clone();
            punch(&mut with_hole.services[0].places[0]);
            with_hole
        })
        .collect();
    all.push(AlarmEvidence { judged: missing(), ..evidence.clone() });
    let mut budget = evidence.clone();
    budget.services[0].taken_back = missing();
    all.push(budget);
    all
}

proptest! {
    #[test]
    fn more_missing_evidence_never_lets_a_release_go_on(evidence in any_evidence()) {
        let before = judged(&evidence, &change());
        if !before.verdict.lets_it_go_on() {
            for with_hole in holes(&evidence) {
                let after = judged(&with_hole, &change());
                prop_assert!(!after.verdict.lets_it_go_on(), "{before:?} became {after:?}");
            }
        }
    }

    #[test]
    fn a_worse_finding_never_lets_a_release_go_on(
        checks in prop::collection::vec(any_finding(), 1..4), worse in any_finding(), at in any::<prop::sample::Index>(),
    ) {
        // What the checks find is how a watched alarm reaches a hook: quiet passes, ALARM fails, unread is an error.
        let rank = |finding: &Finding| match finding {
            Finding::Pass { .. } => 0,
            Finding::Inconclusive { .. } | Finding::Error { .. } => 1,
            Finding::Fail { .. } => 2,
        };
        let before = hook_evidence(checks.clone());
        let mut after = checks;
        let at = at.index(after.len());
        if rank(&worse) < rank(&after[at]) {
            return Ok(());
        }
        after[at] = worse;
        let lenient = |mut evidence: HookEvidence| {
            let place = DeploymentGroup { application: "lenient".into(), group: "prod".into() }.into();
            evidence.deployment = known(Release { place, ..release() });
            evidence
        };
        for (before, after) in [
            (before.clone(), hook_evidence(after.clone())),
            (lenient(before), lenient(hook_evidence(after))),
        ] {
            if answer(&before) == HookAnswer::Failed {
                prop_assert_eq!(answer(&after), HookAnswer::Failed);
            }
        }
    }

    #[test]
    fn a_rollback_is_never_touched_and_nothing_unknown_is_gone_back_to(evidence in any_evidence()) {
        let decision = judged(&evidence, &change());
        if matches!(decision.verdict, Verdict::RollBack | Verdict::Halt) {
            let subject = decision.release.as_ref().unwrap();
            prop_assert!(!subject.deployment.is_rollback(), "{decision:?}");
            // A release that began after the alarm is not the one that it speaks of.
            prop_assert!(subject.deployment.created_at <= change().at);
        }
        let place = &evidence.services[0].places[0];
        let resumed = matches!(first(&decision), Reason::NoGoodTarget { why } if why == "kept");
        if decision.verdict == Verdict::RollBack && !resumed {
            let known_good = matches!(place.back.known(), Ok(Back::To { .. }));
            prop_assert!(known_good, "{decision:?}");
        }
    }

    #[test]
    fn every_plan_keeps_the_invariants(evidence in any_evidence(), to in prop_oneof![
        Just(AlarmState::Ok), Just(AlarmState::Alarm), Just(AlarmState::InsufficientData)
    ]) {
        let change = AlarmChange { to, ..change() };
        let signal = Signal::Alarm(change.clone());
        for decision in alarm::decide(&policy(), &evidence, &change, at(91)) {
            for reason in decision.reasons.iter() {
                prop_assert!(!reason.to_string().is_empty());
            }
            let around = Circumstances::of(&signal, at(91));
            let plan = plan(decision, around);
            prop_assert_eq!(check::check(&plan), Vec::new(), "{:?}", plan);
        }
    }

    #[test]
    fn every_hook_gets_an_answer_that_doubt_never_softens(
        deployment in observed(any_deployment()),
        event in observed(prop_oneof![
            Just(LifecycleEvent::from("AfterAllowTraffic")), Just(LifecycleEvent::from("BeforeInstall"))
        ]),
        checks in prop::collection::vec(any_finding(), 0..4),
    ) {
        let all_passed = checks.len() == 2 && checks.iter().all(|finding| *finding == pass());
        let evidence = HookEvidence { deployment, event, ..hook_evidence(checks) };
        let decision = hook::decide(&policy(), &evidence, &hook_call());
        let known = evidence.deployment.known().is_ok()
            && evidence.event.known().is_ok_and(|event| event.as_str() == "AfterAllowTraffic");
        // A rollback is held up by nothing, as long as it is known to be one.
        let rollback = evidence.deployment.known().is_ok_and(Release::is_rollback);
        let passes = rollback || (all_passed && known);
        let expected = if passes { HookAnswer::Succeeded } else { HookAnswer::Failed };
        prop_assert_eq!(decision.verdict, Verdict::Answer(expected), "{:?}", decision);
        let call = HookCall { deployment: "d-2".into(), execution: "e".into() };
        let signal = Signal::Hook(call);
        let around = Circumstances::of(&signal, at(91));
        prop_assert_eq!(check::check(&plan(decision, around)), Vec::new());
    }
}

#[test]
fn services_are_judged_each_for_itself() {
    let both = POLICY.replace("    on_doubt: succeed\n", "    alarms: { \"checkout-*\": roll_back }\n");
    let policy = Policy::parse(&both).unwrap();
    let decisions = alarm::decide(&policy, &evidence(place()), &change(), at(91));
    let verdicts: Vec<(Option<ServiceName>, Verdict)> =
        decisions.into_iter().map(|decision| (decision.service, decision.verdict)).collect();
    // Nothing was gathered for the second: that is missing evidence, not a release that is well.
    assert_eq!(
        verdicts,
        [(Some("checkout".into()), Verdict::RollBack), (Some("lenient".into()), Verdict::LookAgain)]
    );
}
