//! The measures, on cases small enough to be counted by hand.

use std::collections::BTreeMap;

use jiff::SignedDuration;

use super::{
    Band::{Elite, High, Low, Medium},
    *,
};
use crate::{
    decision::{Decision, Effect as Act, Verdict},
    evidence::Observed,
    ledger::{Began, DecisionRecord, Effect, EffectState, Ended, ReleaseLedger, Watch},
    reason::{Reason, Reasons},
    release::{Change, DeploymentGroup, Place, Platform, Release, ReleaseError, ReleaseId, Revision},
};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// March of 2026 up to the 29th: 28 days.
fn four_weeks() -> Period {
    Period { from: at("2026-03-01T00:00:00Z"), until: at("2026-03-29T00:00:00Z") }
}

fn minutes(count: i64) -> SignedDuration {
    SignedDuration::from_mins(count)
}

/// A release that began at noon of that day in March and ended after ten minutes; its commit was made two hours before
/// the end.
fn release(day: u8, status: ReleaseStatus) -> ReleaseFact {
    let began = at(&format!("2026-03-{day:02}T12:00:00Z"));
    let ended = began + minutes(10);
    ReleaseFact {
        service: "checkout".into(),
        release: ReleaseId::from(format!("d-{day}")),
        began,
        committed: Some(ended - minutes(120)),
        ended: Some((status, ended)),
        trouble: None,
        takes_back: false,
    }
}

fn incident(day: u8, minutes_long: Option<i64>) -> Incident {
    let began = at(&format!("2026-03-{day:02}T12:05:00Z"));
    Incident {
        alarm: "checkout-5xx".into(),
        service: "checkout".into(),
        began,
        release: None,
        ended: minutes_long.map(|long| began + minutes(long)),
    }
}

#[test]
fn a_percentile_is_by_nearest_rank_and_always_one_of_the_durations() {
    let of = |count: i64| (1..=count).map(minutes).collect::<Vec<_>>();
    let percentiles = |count| [50, 75, 90, 95].map(|p| percentile(&of(count), p).unwrap().as_mins());
    // ⌈0.5·1⌉ = 1 and so on: of one, every percentile is that one.
    assert_eq!(percentiles(1), [1, 1, 1, 1]);
    // ⌈2⌉, ⌈3⌉, ⌈3.6⌉, ⌈3.8⌉.
    assert_eq!(percentiles(4), [2, 3, 4, 4]);
    // ⌈10⌉, ⌈15⌉, ⌈18⌉, ⌈19⌉.
    assert_eq!(percentiles(20), [10, 15, 18, 19]);
    // ⌈10.5⌉, ⌈15.75⌉, ⌈18.9⌉, ⌈19.95⌉.
    assert_eq!(percentiles(21), [11, 16, 19, 20]);
    assert_eq!(percentile(&of(3), 0), Some(minutes(1)));
    assert_eq!((percentile(&[], 50), Spread::of(Vec::new())), (None, None));
    assert_eq!(Spread::of(vec![minutes(3), minutes(1), minutes(2)]).map(|s| s.median), Some(minutes(2)));
}

#[test]
fn what_gets_through_is_a_deployment_and_nothing_else_is() {
    let releases = [
        release(2, ReleaseStatus::Succeeded),
        release(3, ReleaseStatus::Succeeded),
        release(4, ReleaseStatus::Failed),
        release(5, ReleaseStatus::Stopped),
        ReleaseFact { takes_back: true, ..release(6, ReleaseStatus::Succeeded) },
        ReleaseFact { ended: None, ..release(7, ReleaseStatus::Succeeded) },
    ];
    let measures = measure(&releases, &[], &four_weeks());
    assert_eq!((measures.frequency.deployments, measures.never_arrived, measures.unfinished), (2, 2, 1));
    assert!((measures.frequency.per_week() - 0.5).abs() < 1e-9, "two in four weeks");
    assert_eq!(measures.frequency.band, Some(Medium));
    assert_eq!(measures.failures.of, 2);
}

#[test]
fn a_change_fails_once_and_one_that_did_not_get_through_is_one_of_all() {
    let with = |trouble, release| ReleaseFact { trouble: Some(trouble), ..release };
    let releases = [
        release(2, ReleaseStatus::Succeeded),
        with(Trouble::Undone, release(3, ReleaseStatus::Succeeded)),
        with(Trouble::Undone, release(4, ReleaseStatus::Stopped)),
        with(Trouble::Halted, release(5, ReleaseStatus::Stopped)),
        with(Trouble::Alarmed, release(6, ReleaseStatus::Succeeded)),
        // Nobody noticed anything: it is in no rate.
        release(7, ReleaseStatus::Failed),
    ];
    let FailureRate { failed, undone, halted, alarmed, of, band } =
        measure(&releases, &[], &four_weeks()).failures;
    assert_eq!((failed, undone, halted, alarmed, of), (4, 2, 1, 1, 5));
    assert_eq!(band, Some(Low));
    let nothing = measure(&[], &[], &four_weeks());
    assert_eq!((nothing.failures.share(), nothing.failures.band, nothing.frequency.band), (None, None, None));
}

#[test]
fn a_lead_time_is_from_the_commit_and_what_is_not_known_is_counted_apart() {
    let late = release(4, ReleaseStatus::Succeeded);
    let releases = [
        release(2, ReleaseStatus::Succeeded),
        ReleaseFact { committed: None, ..release(3, ReleaseStatus::Succeeded) },
        // Made after it was released: some clock is wrong.
        ReleaseFact { committed: Some(late.began + minutes(11)), ..late },
        // What does not get through has no lead time.
        release(5, ReleaseStatus::Failed),
    ];
    let LeadTime { times, unknown, band } = measure(&releases, &[], &four_weeks()).lead_time;
    assert_eq!(times.map(|times| (times.count, times.median)), Some((1, minutes(120))));
    assert_eq!((unknown, band), (2, Some(Elite)));
}

#[test]
fn the_time_to_restore_is_of_incidents_that_are_over() {
    let after = Incident { release: Some("d-3".into()), ..incident(3, Some(30)) };
    let incidents = [incident(2, Some(90)), after, incident(4, None)];
    let Restore { times, after_a_release, open, band } = measure(&[], &incidents, &four_weeks()).restore;
    let times = times.unwrap();
    assert_eq!((times.count, times.median, times.p95), (2, minutes(30), minutes(90)));
    assert_eq!((after_a_release, open, band), (1, 1, Some(Elite)));
}

#[test]
fn a_release_counts_where_it_ended_and_an_incident_where_it_began() {
    let period = Period { from: at("2026-03-02T12:10:00Z"), until: at("2026-03-03T12:10:00Z") };
    let of =
        |day| measure(&[release(day, ReleaseStatus::Succeeded)], &[incident(day, Some(60 * 24))], &period);
    // Ended in the period's first moment; its incident began before.
    assert_eq!((of(2).frequency.deployments, of(2).restore.times), (1, None));
    // Ended in the first moment after it, so that it is not finished; its incident began within and ends later.
    assert_eq!((of(3).frequency.deployments, of(3).unfinished), (0, 1));
    assert_eq!(of(3).restore.times.map(|times| times.median), Some(minutes(60 * 24)));
    assert_eq!((of(4).frequency.deployments, of(4).unfinished), (0, 0));
}

#[test]
fn each_service_is_measured_by_itself() {
    let other = ReleaseFact { service: "search".into(), ..release(3, ReleaseStatus::Succeeded) };
    let quiet = Incident { service: "billing".into(), ..incident(3, Some(1)) };
    let all = by_service(&[release(2, ReleaseStatus::Succeeded), other], &[quiet], &four_weeks());
    let counted: Vec<(&str, u32, bool)> = all
        .iter()
        .map(|(name, one)| (name.as_str(), one.frequency.deployments, one.restore.times.is_some()))
        .collect();
    assert_eq!(counted, [("billing", 0, true), ("checkout", 1, false), ("search", 1, false)]);
}

#[test]
fn the_lines_between_the_bands_belong_to_the_better_one_where_the_table_says_so() {
    let day = SignedDuration::from_hours(24);
    let second = SignedDuration::from_secs(1);
    let of = |band: fn(SignedDuration) -> Band, all: &[SignedDuration]| {
        all.iter().map(|one| band(*one)).collect::<Vec<_>>()
    };
    assert_eq!(
        of(Band::of_lead_time, &[day - second, day, day * 7, day * 7 + second, day * 30, day * 30 + second]),
        [Elite, High, High, Medium, Medium, Low]
    );
    let hour = SignedDuration::from_hours(1);
    assert_eq!(
        of(Band::of_restore, &[hour - second, hour, day - second, day, day * 7, day * 7 + second]),
        [Elite, High, High, Medium, Medium, Low]
    );
    assert_eq!(
        [0.0, 0.05, 0.051, 0.10, 0.15, 0.151].map(Band::of_failure_rate),
        [Elite, Elite, High, High, Medium, Low]
    );
    assert_eq!(
        [1.1, 1.0, 1.0 / 7.0, 0.142, 1.0 / 30.0, 0.033].map(Band::of_frequency),
        [Elite, High, High, Medium, Medium, Low]
    );
}

fn fired() -> Reasons {
    let (since_start, said) = (minutes(3), "2 of 3 datapoints were above 0.5".to_owned());
    Reason::AlarmDuringRelease { alarm: "checkout-5xx".into(), since_start, traffic: None, said }.into()
}

fn ending(status: ReleaseStatus) -> Reasons {
    Reason::ReleaseEnded { status, took: None, error: None }.into()
}

fn decided(reasons: Reasons) -> DecisionRecord {
    let (service, at) = (Some("checkout".into()), at("2026-03-02T12:30:00Z"));
    DecisionRecord { service, verdict: Verdict::Ask, reasons, signal: "signal".to_owned(), at }
}

fn ended(status: ReleaseStatus, code: Option<&str>, rolled_back_by: Option<&str>) -> Ended {
    Ended {
        status,
        at: at("2026-03-02T12:10:00Z"),
        error: code.map(|code| ReleaseError { code: code.to_owned(), message: String::new() }),
        rolled_back_by: rolled_back_by.map(ReleaseId::from),
    }
}

fn undo(state: EffectState, effect: Option<Act>) -> Effect {
    Effect { state, at: at("2026-03-02T12:03:00Z"), verdict: Verdict::Halt, reasons: fired(), effect }
}

#[test]
fn what_went_wrong_is_read_from_everything_that_the_ledger_holds() {
    let nothing = ReleaseLedger::default;
    assert_eq!(trouble(&nothing()), None);
    let undone = |state, effect| ReleaseLedger { undo: Some(undo(state, effect)), ..nothing() };
    let (back, halt) = (Act::Stop { auto_rollback: true }, Act::Stop { auto_rollback: false });
    assert_eq!(trouble(&undone(EffectState::Done, Some(back.clone()))), Some(Trouble::Undone));
    assert_eq!(trouble(&undone(EffectState::Done, Some(halt))), Some(Trouble::Halted));
    // A record of version 1 says by its verdict what it was.
    assert_eq!(trouble(&undone(EffectState::Done, None)), Some(Trouble::Halted));
    assert_eq!(trouble(&undone(EffectState::Overtaken, Some(back.clone()))), None);
    let until = at("2026-03-02T12:04:00Z");
    assert_eq!(trouble(&undone(EffectState::Claimed { until }, Some(back))), Some(Trouble::Undone));

    let over = |status, code, by| ReleaseLedger { ended: Some(ended(status, code, by)), ..nothing() };
    let stopped = ReleaseStatus::Stopped;
    assert_eq!(trouble(&over(stopped.clone(), Some("ALARM_ACTIVE"), Some("d-2"))), Some(Trouble::Undone));
    assert_eq!(trouble(&over(stopped.clone(), Some("ALARM_ACTIVE"), None)), Some(Trouble::Halted));
    // A hook refused it, or a person stopped it: no alarm, and nobody knows of a user who had it.
    assert_eq!(trouble(&over(ReleaseStatus::Failed, Some("HOOK_EXECUTION_FAILURE"), Some("d-2"))), None);
    assert_eq!(trouble(&over(stopped, Some("MANUAL_STOP"), None)), None);

    let said = |reasons| ReleaseLedger { decisions: vec![decided(reasons)], ..nothing() };
    assert_eq!(trouble(&said(fired())), Some(Trouble::Alarmed));
    assert_eq!(trouble(&said(Reason::RuleSaysAsk { alarm: "a".into() }.into())), None);
    let blamed = ("a".into(), until);
    assert_eq!(trouble(&ReleaseLedger { blamed_by: Some(blamed), ..nothing() }), Some(Trouble::Alarmed));
}

#[test]
fn a_release_is_what_the_ledger_holds_of_it_and_a_second_try_that_went_well_counts() {
    let began = at("2026-03-02T12:00:00Z");
    let committed = Some(at("2026-03-02T10:10:00Z"));
    let place = Place::Group(DeploymentGroup { application: "checkout".into(), group: "prod".into() });
    let (service, release) = ("checkout".into(), "d-1".into());
    let watch = Watch { release, service, place: place.clone(), began };
    let record = Began {
        service: "checkout".into(),
        place,
        platform: Platform::Lambda,
        revision: "v42".to_owned(),
        at: began,
        rolls_back: None,
        target: Observed::Missing { why: "not asked".to_owned() },
        alarms: BTreeMap::new(),
        change: Change { committed, ..Change::default() },
    };
    let failed = Some(ended(ReleaseStatus::Failed, None, None));
    let mut ledger = ReleaseLedger { began: Some(record), ended: failed, ..ReleaseLedger::default() };
    let fact = ReleaseFact::of(&watch, &ledger);
    assert_eq!(fact.lead_time(), Some(minutes(120)));
    assert_eq!((fact.takes_back, fact.ended), (false, Some((ReleaseStatus::Failed, began + minutes(10)))));
    ledger.decisions =
        vec![decided(ending(ReleaseStatus::Failed)), decided(ending(ReleaseStatus::Succeeded))];
    let fact = ReleaseFact::of(&watch, &ledger);
    assert_eq!(fact.ended, Some((ReleaseStatus::Succeeded, began + minutes(30))));
    if let Some(began) = &mut ledger.began {
        began.rolls_back = Some("d-0".into());
    }
    assert!(ReleaseFact::of(&watch, &ledger).takes_back);
    // Its START was lost: nothing is known of its commit.
    assert_eq!(ReleaseFact::of(&watch, &ReleaseLedger::default()).lead_time(), None);
}

fn deployment() -> Release {
    Release {
        id: "d-1".into(),
        place: Place::Group(DeploymentGroup { application: "checkout".into(), group: "prod".into() }),
        platform: Platform::Lambda,
        status: ReleaseStatus::InProgress,
        created_at: at("2026-03-02T12:00:00Z"),
        completed_at: None,
        creator: "user".to_owned(),
        rolls_back: None,
        rolled_back_by: None,
        error: None,
        revision: Revision::Named("v42".to_owned()),
        description: None,
        change: Change::default(),
        again: None,
        course: None,
        released_nothing: false,
    }
}

/// What a decision and an end add, by their keys.
fn keys(decision: &Decision, ended: Option<&Ended>, known: Option<Trouble>) -> Vec<String> {
    let now = at("2026-03-02T12:11:00Z");
    measured(decision, ended, known, None, now).iter().map(Measured::key).collect()
}

#[test]
fn what_a_signal_adds_follows_from_its_decision() {
    let service = ServiceName::from("checkout");
    let plain = |release: &Release, verdict, reasons| {
        Decision::plain(Some(&service), Some(release), verdict, reasons)
    };
    let (well, stopped) = (ReleaseStatus::Succeeded, ReleaseStatus::Stopped);
    let release = deployment();
    let ends = plain(&release, Verdict::Ignore, ending(well.clone()));
    assert_eq!(keys(&ends, Some(&ended(well.clone(), None, None)), None), ["deployed/d-1"]);
    // It failed before it got through, or nobody knows of a failure.
    let end = ended(stopped.clone(), Some("MANUAL_STOP"), None);
    assert_eq!(keys(&ends, Some(&end), Some(Trouble::Undone)), ["stopped/d-1"]);
    assert_eq!(keys(&ends, Some(&end), None), Vec::<String>::new());
    let end = ended(stopped, Some("ALARM_ACTIVE"), Some("d-2"));
    assert_eq!(keys(&ends, Some(&end), None), ["failed/d-1", "stopped/d-1"]);

    let asks = plain(&release, Verdict::Ask, fired());
    assert_eq!(keys(&asks, None, None), ["failed/d-1"]);
    let waits = plain(&release, Verdict::LookAgain, fired());
    assert_eq!(keys(&waits, None, None), Vec::<String>::new());
    // A person has it taken back, without any alarm.
    let acts = Decision {
        effect: Some(Act::Stop { auto_rollback: true }),
        ..plain(&release, Verdict::RollBack, Reason::RuleSaysAsk { alarm: "a".into() }.into())
    };
    assert_eq!(keys(&acts, None, None), ["failed/d-1"]);
    // In `observe` nothing is taken back; an alarm is an alarm all the same.
    assert_eq!(keys(&Decision { observed: true, ..acts.clone() }, None, None), Vec::<String>::new());

    // A rollback counts for what it takes back only.
    let rollback = Release { rolls_back: Some("d-0".into()), ..deployment() };
    let ends = plain(&rollback, Verdict::Ignore, ending(well.clone()));
    assert_eq!(keys(&ends, Some(&ended(well, None, None)), None), Vec::<String>::new());
    // An earlier release is to blame, and this one is not.
    let blames = Decision {
        blames: Some("d-0".into()),
        ..plain(&release, Verdict::Ignore, Reason::RuleSaysAsk { alarm: "a".into() }.into())
    };
    assert_eq!(keys(&blames, None, None), ["failed/d-0"]);
}

#[test]
fn an_incident_counts_when_it_is_over() {
    let decision = Decision::plain(None, None::<&Release>, Verdict::Ignore, fired());
    let now = at("2026-03-02T13:00:00Z");
    let of = |incident: &Incident| measured(&decision, None, None, Some(incident), now);
    assert_eq!(of(&incident(2, None)), []);
    let over = of(&incident(2, Some(12)));
    assert_eq!(over.len(), 1);
    assert_eq!(over[0].key(), "restored/2026-03-02T12:05:00.000Z/checkout-5xx");
    assert_eq!(over[0].at(), at("2026-03-02T12:17:00Z"));
}
