//! The past of a service, as the functions would have left it in the ledger.

use std::collections::BTreeMap;

use belay::{
    aws::ledger::Ledger,
    decision::Verdict,
    evidence::{Observed, Target, Undone},
    ledger::{Began, DecisionRecord, Ended, Incident, Note, Partition, Watch},
    reason::Reason,
    release::{Change, DeploymentGroup, Place, Platform, ReleaseId, ReleaseStatus, ServiceName},
};
use jiff::{SignedDuration, Timestamp};
use tokio::task::JoinSet;

/// How far back the oldest goes: within the ninety days for which records are kept.
const OLDEST: SignedDuration = SignedDuration::from_hours(24 * 85);
/// How far back the newest is: beyond every budget's time and every watch.
const NEWEST: SignedDuration = SignedDuration::from_hours(12);

/// Writes so many releases of `s0`, the oldest first. One of ten had an incident, one of twenty was taken back.
pub(super) async fn write(ledger: &Ledger, past: usize, now: Timestamp) {
    let apart = OLDEST.as_millis() / i128::try_from(past.max(1)).unwrap_or(1);
    let mut writing = JoinSet::new();
    for n in (0..past).rev() {
        let before = i64::try_from(apart * i128::try_from(n).unwrap_or_default()).unwrap_or_default();
        let began = now - NEWEST - SignedDuration::from_millis(before);
        let ledger = ledger.clone();
        writing.spawn(async move { release(&ledger, n, began).await });
        while writing.len() >= 16 {
            // A past that was not written would be measured as if it were.
            writing.join_next().await.transpose().expect("the ledger takes a past");
        }
    }
    writing.join_all().await;
}

async fn release(ledger: &Ledger, n: usize, at: Timestamp) {
    let (id, service) = (ReleaseId::from(format!("d-PAST{n:05}")), ServiceName::from("s0"));
    let place = Place::Group(DeploymentGroup { application: "s0".to_owned(), group: "s0".to_owned() });
    let target = Target::KnownGood { deployment: format!("d-PAST{:05}", n + 1), revision: "v1".to_owned() };
    let watch = Watch { release: id.clone(), service: service.clone(), place: place.clone(), began: at };
    let began = Began {
        service: service.clone(),
        place,
        platform: Platform::Lambda,
        revision: "v2".to_owned(),
        at,
        rolls_back: None,
        target: Observed::Known { value: target, at },
        alarms: BTreeMap::new(),
        change: Change::default(),
    };
    let over = at + SignedDuration::from_mins(30);
    let back = n % 20 == 19;
    let status = if back { ReleaseStatus::Stopped } else { ReleaseStatus::Succeeded };
    let ended = Ended { status, at: over, error: None, rolled_back_by: None };
    let decision = DecisionRecord {
        service: Some(service.clone()),
        verdict: Verdict::Ignore,
        reasons: Reason::MarkedNoRollback { why: "it is past".to_owned() }.into(),
        signal: format!("release/{id}/Ended"),
        at: over,
    };
    let written = async {
        ledger.keep(&Note::Listed(watch), at).await?;
        ledger.open(&id, &began, at).await?;
        ledger.record(&Partition::Release(id.clone()), &decision, over).await?;
        ledger.close(&id, &ended, over).await?;
        if n % 10 == 9 {
            let incident = Incident {
                alarm: "s0-5xx".into(),
                service: service.clone(),
                began: at,
                release: Some(id.clone()),
                ended: Some(over),
            };
            ledger.keep(&Note::Restored(incident), over).await?;
        }
        if back {
            ledger.keep(&Note::TookBack(service, Undone { release: id, at: over }), over).await?;
        }
        Ok::<(), belay::aws::AwsError>(())
    };
    written.await.expect("the ledger takes a past");
}
