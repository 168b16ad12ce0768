//! What an alarm was before a release began, when it began, and since.

use jiff::{SignedDuration, Timestamp};

use crate::{
    aws::{
        AwsError,
        cloudwatch::{CloudWatch, Transition},
    },
    evidence::{AlarmPast, Observed},
    ledger::{RecordedState, ReleaseLedger},
    release::Release,
    signal::{AlarmChange, AlarmState},
};

/// What the alarm was when the release began and since, and how often it went to ALARM in the hour before. One call:
/// the alarm's history.
///
/// An alarm that comes from OK has been OK since, and one that was not red in the release's own record was not red:
/// that much is known also when the history cannot be read.
pub(super) async fn past(
    cloudwatch: &CloudWatch,
    change: &AlarmChange,
    release: &Release,
    ledger: &Observed<ReleaseLedger>,
    now: Timestamp,
) -> (Observed<AlarmPast>, Observed<u32>) {
    if change.at < release.created_at {
        // Not its doing, whatever it was before.
        return (Observed::Known { value: AlarmPast::News, at: now }, Observed::Known { value: 0, at: now });
    }
    let hour = SignedDuration::from_hours(1);
    let since = release.created_at.checked_sub(hour).unwrap_or(Timestamp::MIN);
    let transitions = cloudwatch.transitions(&change.alarm, since, change.at).await;
    let flaps = transitions.as_ref().map_err(Clone::clone).map(|transitions| {
        let before = transitions.iter().filter(|transition| {
            transition.to == Some(AlarmState::Alarm)
                && since <= transition.at
                && transition.at < release.created_at
        });
        u32::try_from(before.count()).unwrap_or(u32::MAX)
    });
    let recorded = ledger
        .known()
        .ok()
        .and_then(|ledger| ledger.began.as_ref())
        .and_then(|began| began.alarms.get(&change.alarm));
    let was_ok = match recorded {
        Some(RecordedState::Was(state)) => !is_red(*state, change),
        Some(RecordedState::Unknown { .. }) | None => false,
    };
    let past = if change.from == Some(AlarmState::Ok) || was_ok {
        Ok(AlarmPast::News)
    } else {
        transitions.and_then(|transitions| from_history(change, release, &transitions))
    };
    (Observed::from_result(past, now), Observed::from_result(flaps, now))
}

/// Whether a state is what the change is about: ALARM, and for a change to INSUFFICIENT_DATA (which is judged only
/// where the policy counts it as ALARM) that too.
fn is_red(state: AlarmState, change: &AlarmChange) -> bool {
    state == AlarmState::Alarm || state == change.to
}

/// Reads an alarm's past out of its history, newest change first.
fn from_history(
    change: &AlarmChange,
    release: &Release,
    transitions: &[Transition],
) -> Result<AlarmPast, AwsError> {
    let unreadable = |why: &str| AwsError::unreadable("cloudwatch:DescribeAlarmHistory", &change.alarm, why);
    let since = transitions.iter().take_while(|transition| transition.at >= release.created_at);
    for transition in since {
        match (transition.from, transition.to) {
            (Some(AlarmState::Ok), _) | (_, Some(AlarmState::Ok)) => return Ok(AlarmPast::News),
            (Some(_), Some(_)) => {}
            _ => return Err(unreadable("a change in its history has a state that Belay does not know")),
        }
    }
    let before = transitions.iter().find(|transition| transition.at < release.created_at);
    let at_start = match before {
        Some(before) => before.to,
        // No change so old is kept: it began as what its oldest change came from.
        None => transitions.last().and_then(|oldest| oldest.from),
    };
    match at_start {
        Some(state) if is_red(state, change) => Ok(AlarmPast::RedSinceBefore),
        Some(_) => Ok(AlarmPast::News),
        None => Err(unreadable("its history does not reach back to the release's start")),
    }
}
