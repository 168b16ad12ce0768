//! What is due, and what is not.

use std::collections::BTreeMap;

use super::release::{left_of, rest_of_stage};
use super::sweep::{Due, due};
use super::tests::{at, change, known, missing, policy, release, undo, watched};
use crate::{
    decision::{Urgency, Verdict},
    evidence::{Back, Observed, OpenEvidence, Remains, Rest, Target, Way},
    ledger::{
        Began, DecisionRecord, EffectState, Ended, Half, Incident, Open, Owed, Partition, ReleaseLedger,
        WaitingHook, Watch,
    },
    release::{AlarmName, Place, Release, ReleaseStatus, Stage},
    signal::{AlarmState, HookCall, LeftAt, ReleaseHappening},
};

fn watch() -> Watch {
    Watch {
        release: "d-2".into(),
        service: "checkout".into(),
        place: release().place,
        began: release().created_at,
    }
}

fn told() -> ReleaseLedger {
    let began = Began {
        service: "checkout".into(),
        place: release().place,
        platform: release().platform,
        revision: "v42".into(),
        at: at(0),
        rolls_back: None,
        target: missing(),
        alarms: BTreeMap::new(),
        change: crate::release::Change::default(),
    };
    ReleaseLedger { began: Some(began), ..ReleaseLedger::default() }
}

fn ended(at_second: i64) -> Ended {
    Ended { status: ReleaseStatus::Succeeded, at: at(at_second), error: None, rolled_back_by: None }
}

fn seen(release: Release, ledger: ReleaseLedger, alarm: (AlarmState, i64)) -> OpenEvidence {
    OpenEvidence {
        open: Open { watches: vec![watch()], ..Open::default() },
        releases: BTreeMap::from([("d-2".into(), known(release))]),
        ledgers: BTreeMap::from([("d-2".into(), known(ledger))]),
        alarms: known(BTreeMap::from([(AlarmName::from("checkout-5xx"), watched(alarm.0, alarm.1))])),
    }
}

fn at_rest() -> OpenEvidence {
    seen(release(), told(), (AlarmState::Ok, -60))
}

#[test]
fn a_release_that_goes_well_is_left_alone() {
    assert_eq!(due(&policy(), &at_rest(), at(100)), []);
}

#[test]
fn an_alarm_that_no_event_told_of_is_judged_under_the_events_key() {
    let found = due(&policy(), &seen(release(), told(), (AlarmState::Alarm, 90)), at(100));
    let [Due::Alarm(found)] = &found[..] else { panic!("{found:?}") };
    let signal = |change: &crate::signal::AlarmChange| crate::signal::Signal::Alarm(change.clone()).key();
    assert_eq!(signal(found), signal(&change()));
    // Red since before the release: not found by looking, as its event was not about it.
    assert_eq!(due(&policy(), &seen(release(), told(), (AlarmState::Alarm, -1)), at(100)), []);
}

#[test]
fn what_does_not_answer_is_judged_after_what_does() {
    let mut evidence = seen(release(), told(), (AlarmState::Alarm, 90));
    let call = HookCall { deployment: "d-7".into(), execution: "x".into() };
    evidence.open.hooks.push(WaitingHook { call, since: at(0), until: at(50), otherwise: None });
    let order = |evidence: &OpenEvidence| {
        let due = due(&policy(), evidence, at(100));
        due.iter().map(|due| matches!(due, Due::Alarm(_))).collect::<Vec<_>>()
    };
    assert_eq!(order(&evidence), [true, false], "a bad release comes first");
    evidence.releases.insert("d-2".into(), missing());
    assert_eq!(order(&evidence), [false, true]);
}

#[test]
fn a_beginning_and_an_end_that_no_event_told_of_are_told() {
    let unseen = due(&policy(), &seen(release(), ReleaseLedger::default(), (AlarmState::Ok, -60)), at(100));
    let [Due::Release(began)] = &unseen[..] else { panic!("{unseen:?}") };
    assert_eq!((began.what, began.at), (ReleaseHappening::Started, at(0)));
    let over = Release { status: ReleaseStatus::Failed, completed_at: Some(at(60)), ..release() };
    let ended = due(&policy(), &seen(over, told(), (AlarmState::Ok, -60)), at(100));
    let [Due::Release(ended)] = &ended[..] else { panic!("{ended:?}") };
    assert_eq!((ended.what, ended.at), (ReleaseHappening::Failed, at(60)));
}

#[test]
fn a_watch_ends_half_an_hour_after_the_release_and_never_with_something_undone() {
    let over = Release { status: ReleaseStatus::Succeeded, completed_at: Some(at(60)), ..release() };
    let ledger = ReleaseLedger { ended: Some(ended(60)), ..told() };
    let evidence = seen(over.clone(), ledger.clone(), (AlarmState::Ok, -60));
    assert_eq!(due(&policy(), &evidence, at(60 + 1_800)), []);
    assert_eq!(due(&policy(), &evidence, at(61 + 1_800)), [Due::Unwatched("d-2".into())]);
    let claimed = undo(EffectState::Claimed { until: at(9_000) });
    let evidence = seen(over, ReleaseLedger { undo: Some(claimed), ..ledger }, (AlarmState::Ok, -60));
    assert_eq!(due(&policy(), &evidence, at(61 + 1_800)), []);
}

#[test]
fn a_release_that_waits_in_its_pipeline_is_not_told_and_one_that_never_began_is_let_go() {
    let stage = Stage { pipeline: "checkout-release".into(), stage: "Production".into() };
    let waits = Release { place: Place::Stage(stage.clone()), status: ReleaseStatus::Created, ..release() };
    let in_stage = |release: Release| {
        let mut evidence = seen(release, ReleaseLedger::default(), (AlarmState::Ok, -60));
        evidence.open.watches[0].place = Place::Stage(stage.clone());
        due(&policy(), &evidence, at(100))
    };
    assert_eq!(in_stage(waits.clone()), []);
    let never = Release { status: ReleaseStatus::Stopped, completed_at: None, ..waits };
    assert_eq!(in_stage(never.clone()), [Due::Unwatched("d-2".into())]);
    // One that did begin has an end, which is told first.
    let began = in_stage(Release { completed_at: Some(at(60)), ..never });
    assert!(matches!(&began[..], [Due::Release(_)]), "{began:?}");
}

#[test]
fn an_undo_that_was_left_half_done_is_finished_whatever_the_alarm_says() {
    let claimed = undo(EffectState::Claimed { until: at(130) });
    let evidence = seen(release(), ReleaseLedger { undo: Some(claimed), ..told() }, (AlarmState::Ok, -60));
    assert_eq!(due(&policy(), &evidence, at(129)), []);
    let found = due(&policy(), &evidence, at(130));
    assert!(matches!(&found[..], [Due::Left(_, _, LeftAt::Claimed)]), "{found:?}");
}

#[test]
fn an_undo_that_nobody_began_in_time_is_told_unless_it_was_decided_about_anew() {
    let live = Release { status: ReleaseStatus::Succeeded, completed_at: Some(at(100)), ..release() };
    let overtaken = undo(EffectState::Overtaken);
    let mut ledger = ReleaseLedger { undo: Some(overtaken.clone()), ended: Some(ended(100)), ..told() };
    let at_rest = |ledger: &ReleaseLedger| seen(live.clone(), ledger.clone(), (AlarmState::Ok, -60));
    assert_eq!(due(&policy(), &at_rest(&ledger), at(159)), []);
    let found = due(&policy(), &at_rest(&ledger), at(160));
    assert!(matches!(&found[..], [Due::Left(_, _, LeftAt::Missed)]), "{found:?}");
    ledger.decisions.push(DecisionRecord {
        service: None,
        verdict: Verdict::Ask,
        reasons: overtaken.reasons.clone(),
        signal: "alarm/checkout-5xx/ALARM/90".to_owned(),
        at: overtaken.at,
    });
    assert_eq!(due(&policy(), &at_rest(&ledger), at(160)), []);
    ledger.decisions.clear();
    ledger.told.insert("checkout/missed/d-2".to_owned());
    assert_eq!(due(&policy(), &at_rest(&ledger), at(160)), []);
}

#[test]
fn a_second_half_that_was_left_half_done_is_finished_as_such() {
    let claimed = undo(EffectState::Claimed { until: at(130) });
    let over = Release { status: ReleaseStatus::Stopped, completed_at: Some(at(20)), ..release() };
    let ledger = ReleaseLedger {
        undo: Some(undo(EffectState::Done)),
        redeploy: Some(claimed.clone()),
        ended: Some(ended(20)),
        ..told()
    };
    let found = due(&policy(), &seen(over.clone(), ledger, (AlarmState::Ok, -60)), at(130));
    let [Due::Left(_, second, LeftAt::Redeploying)] = &found[..] else { panic!("{found:?}") };
    // What was claimed is what is finished, under the claim of the second half: also on Lambda, where nothing could be
    // decided anew.
    let decision = super::release::unfinished(&policy(), &over, second, Half::Second);
    assert_eq!((decision.effect, decision.half), (claimed.effect, Half::Second));
}

#[test]
fn a_stop_that_no_rollback_follows_is_noticed_after_a_minute_and_once() {
    let stopped = Release { status: ReleaseStatus::Stopped, completed_at: Some(at(100)), ..release() };
    let mut ledger = ReleaseLedger { undo: Some(undo(EffectState::Done)), ended: Some(ended(100)), ..told() };
    let at_rest = |ledger: &ReleaseLedger| seen(stopped.clone(), ledger.clone(), (AlarmState::Ok, -60));
    assert_eq!(due(&policy(), &at_rest(&ledger), at(159)), []);
    let found = due(&policy(), &at_rest(&ledger), at(160));
    assert!(matches!(&found[..], [Due::Left(_, _, LeftAt::Stopped)]), "{found:?}");
    // As when CodeDeploy accepted to stop it, and it finished all the same.
    let live = Release { status: ReleaseStatus::Succeeded, ..stopped.clone() };
    let found = due(&policy(), &seen(live, ledger.clone(), (AlarmState::Ok, -60)), at(160));
    assert!(matches!(&found[..], [Due::Left(_, _, LeftAt::Stopped)]), "{found:?}");
    ledger.told.insert("checkout/no-rollback/d-2".to_owned());
    assert_eq!(due(&policy(), &at_rest(&ledger), at(160)), []);
}

#[test]
fn hooks_messages_and_incidents_are_looked_after() {
    let call = HookCall { deployment: "d-2".into(), execution: "e".into() };
    let hook = WaitingHook { call, since: at(0), until: at(90), otherwise: None };
    let owed = Owed {
        to: crate::ledger::Destination::Topic,
        partition: Partition::Alarm("a".into()),
        key: "k".into(),
        since: at(0),
    };
    let incident = Incident {
        alarm: "checkout-5xx".into(),
        service: "checkout".into(),
        began: at(30),
        release: None,
        ended: None,
    };
    let mut evidence = seen(release(), told(), (AlarmState::Ok, 80));
    evidence.open.hooks.push(hook.clone());
    evidence.open.owed.push(owed.clone());
    evidence.open.incidents.push(incident);
    assert!(!due(&policy(), &evidence, at(89)).contains(&Due::HookLeft(hook.clone())));
    let found = due(&policy(), &evidence, at(90));
    assert!(
        matches!(&found[..], [Due::Alarm(ok), Due::HookLeft(_), Due::Owed(_)] if ok.to == AlarmState::Ok)
    );
}

#[test]
fn what_cannot_be_read_hides_nothing_else() {
    let mut evidence = seen(release(), told(), (AlarmState::Alarm, 90));
    evidence.releases.insert("d-2".into(), Observed::Missing { why: "throttled".into() });
    assert!(matches!(&due(&policy(), &evidence, at(100))[..], [Due::Alarm(_)]));
}

#[test]
fn a_pipeline_that_failed_unheard_is_explained_once_its_events_must_have_come() {
    use crate::{
        decision::{Verdict, approval::not_begun},
        ledger::DecisionRecord,
        reason::Reason,
        release::{
            Change, Course, ReleaseId,
            course::{Stands, Step, StepState},
        },
    };

    let stage = |stage: &str| Stage { pipeline: "shop".to_owned(), stage: stage.to_owned() };
    let id = ReleaseId::of_stage("Prod", "e-1");
    let watch = Watch {
        release: id.clone(),
        service: "checkout".into(),
        place: Place::Stage(stage("Prod")),
        began: at(0),
    };
    let step = |stage: &str, state| Step { stage: stage.to_owned(), state };
    let course = Course {
        pipeline: "shop".to_owned(),
        stands: Stands::Failed,
        steps: vec![step("Build", StepState::Failed), step("Prod", StepState::Waiting)],
        took: None,
        over_since: Some(at(100)),
        usual: None,
    };
    let failed = Release {
        status: ReleaseStatus::Stopped,
        course: Some(course),
        ..not_begun(&watch, Change::default(), None)
    };
    let seen = |ledger: ReleaseLedger| OpenEvidence {
        open: Open { watches: vec![watch.clone()], ..Open::default() },
        releases: BTreeMap::from([(id.clone(), known(failed.clone()))]),
        ledgers: BTreeMap::from([(id.clone(), known(ledger))]),
        alarms: known(BTreeMap::new()),
    };
    let due_at = |second, ledger: ReleaseLedger| due(&policy(), &seen(ledger), at(second));
    let nothing_said = ReleaseLedger::default;
    // Its events may be on their way, and it stays on watch for them.
    assert_eq!(due_at(150, nothing_said()), []);
    assert_eq!(due_at(191, nothing_said()), [Due::StageFailed(watch.clone(), stage("Build"), at(100))]);
    let said = |second| {
        let record = DecisionRecord {
            service: None,
            verdict: Verdict::Ignore,
            reasons: Reason::NotApproved { stage: "Build".to_owned() }.into(),
            signal: "stage-failed/shop/Build/e-1/r-1".to_owned(),
            at: at(second),
        };
        ReleaseLedger { decisions: vec![record], ..ReleaseLedger::default() }
    };
    assert_eq!(due_at(191, said(101)), [Due::Unwatched(id.clone())]);
    // What was said before was about another failure, after which it was tried again.
    assert_eq!(due_at(191, said(50)), [Due::StageFailed(watch.clone(), stage("Build"), at(100))]);
}

#[test]
fn what_a_stopped_stage_deployed_moves_is_back_or_is_left() {
    let ended = |status| Release { status, completed_at: Some(at(60)), ..release() };
    let running = || Release { status: ReleaseStatus::InProgress, completed_at: None, ..release() };
    let deployed = |deployment: Release, rollback: Option<Release>| Rest::Deployed {
        action: "Europe".into(),
        deployment: deployment.into(),
        rollback: rollback.map(Box::new),
    };
    let (stopped, succeeded) = (ended(ReleaseStatus::Stopped), ended(ReleaseStatus::Succeeded));
    let failed = ended(ReleaseStatus::Failed);
    let other = |runs| Rest::Otherwise { action: "Europe".into(), runs };
    let moves = (true, Vec::new());
    let left = (false, vec!["Europe".to_owned()]);
    let back = (false, Vec::new());
    for (one, second, expected) in [
        (deployed(running(), None), 200, &moves),
        (deployed(stopped.clone(), Some(running())), 200, &moves),
        // A rollback that CodeDeploy does not name yet may follow for a minute.
        (deployed(stopped.clone(), None), 119, &moves),
        (deployed(failed.clone(), None), 119, &moves),
        (deployed(stopped.clone(), None), 120, &left),
        (deployed(stopped.clone(), Some(succeeded.clone())), 200, &back),
        (deployed(stopped.clone(), Some(failed)), 200, &left),
        // Nobody takes back what ended well before the stop, and nothing has to be waited for.
        (deployed(succeeded.clone(), None), 61, &left),
        (other(true), 200, &moves),
        (other(false), 200, &left),
    ] {
        assert_eq!(left_of(std::slice::from_ref(&one), at(second)), *expected, "{one:?}");
    }
    // An action that deploys to two groups is one action; what moves beside it does not hide it.
    let all = [deployed(succeeded.clone(), None), deployed(succeeded, None), deployed(running(), None)];
    assert_eq!(left_of(&all, at(200)), (true, vec!["Europe".to_owned()]));
}

#[test]
fn the_rest_of_a_stage_goes_back_once_nothing_of_it_moves() {
    let ended = Release { status: ReleaseStatus::Failed, completed_at: Some(at(60)), ..release() };
    let way = Way::RollBackStage {
        target: "e-1".into(),
        running: None,
        deployments: Vec::new(),
        finished: Vec::new(),
    };
    let target = Target::KnownGood { deployment: "e-1".into(), revision: "v41".into() };
    let rest = Remains {
        moves: false,
        actions: vec!["Europe".into()],
        followed: None,
        back: known(Back::To { target, way: way.clone() }),
    };
    let decided = |remains: Remains| rest_of_stage(&policy(), &ended, &known(remains), at(200));
    let back = decided(rest.clone()).unwrap();
    assert_eq!((back.verdict, back.half, back.effect), (Verdict::RollBack, Half::Second, Some(way.into())));
    assert_eq!(decided(Remains { moves: true, ..rest.clone() }), None);
    // For so long that people have to look.
    let moves = known(Remains { moves: true, ..rest.clone() });
    let told = rest_of_stage(&policy(), &ended, &moves, at(60 + 20_000)).unwrap();
    assert_eq!((told.verdict, told.effect), (Verdict::Notify(Urgency::Loud), None));
    let nothing = decided(Remains { actions: Vec::new(), ..rest.clone() }).unwrap();
    assert_eq!(nothing.verdict, Verdict::Notify(Urgency::Calm));
    for left in [
        Remains { followed: Some("d-9".into()), ..rest.clone() },
        Remains { back: known(Back::Nowhere { why: "it is gone.".into() }), ..rest.clone() },
        Remains { back: known(Back::Later { why: "another one waits.".into() }), ..rest.clone() },
    ] {
        let told = decided(left).unwrap();
        assert_eq!((told.verdict, told.effect), (Verdict::Notify(Urgency::Loud), None));
    }
    // What cannot be read is looked at again, and told once that has lasted.
    for (second, verdict) in [(200, Verdict::LookAgain), (400, Verdict::Notify(Urgency::Loud))] {
        let unread = rest_of_stage(&policy(), &ended, &missing(), at(second)).unwrap();
        assert_eq!((unread.verdict, unread.effect), (verdict, None));
        let unread = Remains { back: missing(), ..rest.clone() };
        let unread = rest_of_stage(&policy(), &ended, &known(unread), at(second)).unwrap();
        assert_eq!((unread.verdict, unread.effect), (verdict, None));
    }
}
