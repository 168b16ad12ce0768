//! What one person is told: answers to commands, and why a press does not count.

use std::collections::BTreeMap;

use belay::{
    chat::{command::command, replies},
    decision::{Verdict, approval::Refused},
    evidence::Observed,
    ledger::{Began, DecisionRecord, RecordedState, ReleaseLedger},
    reason::Reasons,
    release::{Change, Platform},
    signal::AlarmState,
};

use super::{
    ALARM, RELEASE, at,
    cards::{alarm_went_off, running, target},
    group,
};

/// Somebody pressed whom the policy does not name.
pub(super) fn refused() -> String {
    Refused::NotAnApprover.to_string()
}

/// How a service's release is doing.
pub(super) fn status() -> String {
    replies::status(&running())
}

/// Why the last decision was taken.
pub(super) fn why() -> String {
    let alarms = [ALARM, "checkout-prod-latency-p99"].map(|alarm| {
        let was = RecordedState::Was(AlarmState::Ok);
        (alarm.into(), was)
    });
    let ledger = ReleaseLedger {
        began: Some(Began {
            service: "checkout".into(),
            place: group().into(),
            platform: Platform::Lambda,
            revision: "checkout:212".to_owned(),
            at: at(52, 10),
            rolls_back: None,
            target: Observed::Known { value: target(), at: at(52, 10) },
            alarms: BTreeMap::from(alarms),
            change: Change::default(),
        }),
        decisions: vec![DecisionRecord {
            service: Some("checkout".into()),
            verdict: Verdict::RollBack,
            reasons: Reasons::new(alarm_went_off(), Vec::new()),
            signal: format!(
                "alarm/arn:aws:cloudwatch:eu-central-1:111122223333:alarm:{ALARM}/ALARM/{}",
                at(57, 40)
            ),
            at: at(57, 43),
        }],
        ..ReleaseLedger::default()
    };
    replies::why(&RELEASE.into(), &ledger)
}

/// A command that there is not.
pub(super) fn misspelt() -> String {
    command("rolback checkout").map_or_else(|error| error.to_string(), |command| format!("{command:?}"))
}
