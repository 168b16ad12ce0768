//! What the widget on a dashboard shows: read from the ledger, and from nothing else.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};

use crate::{
    aws::{AwsError, ledger::Ledger},
    chat::{command::did_you_mean, replies},
    ledger::{Incident, Watch},
    policy::Policy,
    release::ServiceName,
    widget::{Bar, LANES, Lane, MOST, Shown, Timeline, View},
};

/// How long before the time that is shown a release or an alarm is looked for that reaches into it.
const BEFORE: SignedDuration = SignedDuration::from_hours(24);

/// So many releases, and so many alarms, of a service are read: the newest. More than are drawn.
const PAGE: usize = 100;
const _: () = assert!(PAGE > MOST, "one more tells that not all are drawn");

/// How many releases are read side by side.
const AT_ONCE: usize = 10;

/// The releases and alarms of the services that a viewer asks for.
///
/// # Errors
/// When nothing at all could be read. What else could not be is said in the timeline.
pub async fn timeline(
    ledger: &Ledger,
    policy: &Policy,
    view: &View,
    now: Timestamp,
) -> Result<Timeline, AwsError> {
    let (services, mut notes) = services(policy, view);
    let (open, histories) = tokio::join!(
        ledger.open_incidents(now),
        join_all(services.iter().map(|service| lane(ledger, service, view, now)))
    );
    if let (Err(error), true) = (&open, histories.iter().all(Result::is_err)) {
        return Err(error.clone());
    }
    let open = open.unwrap_or_else(|error| {
        notes.push(format!("Which alarms are not OK again could not be read: {error}"));
        Vec::new()
    });
    let mut lanes: Vec<(Lane, Vec<Watch>)> = Vec::new();
    for (service, history) in services.into_iter().zip(histories) {
        let mut lane = Lane {
            service,
            releases: Vec::new(),
            older: 0,
            more: false,
            incidents: Vec::new(),
            unread: None,
        };
        let found = match history {
            Ok((watches, incidents)) => {
                lane.more = watches.len() >= PAGE;
                if incidents.len() >= PAGE {
                    notes.push(format!("Of the alarms of {} the newest {PAGE} are drawn.", lane.service));
                }
                let red = open.iter().filter(|incident| incident.service == lane.service).cloned();
                lane.incidents = bars(incidents.into_iter().chain(red), view);
                watches
            }
            Err(error) => {
                lane.unread = Some(format!("The history of {} could not be read: {error}", lane.service));
                Vec::new()
            }
        };
        lanes.push((lane, found));
    }
    newest(&mut lanes, view);
    for (lane, watches) in &mut lanes {
        lane.releases = releases(ledger, std::mem::take(watches), view, now).await;
    }
    Ok(Timeline { lanes: lanes.into_iter().map(|(lane, _)| lane).collect(), notes })
}

/// The services that are shown, and what there is to say about those that are not.
fn services(policy: &Policy, view: &View) -> (Vec<ServiceName>, Vec<String>) {
    let mut notes: Vec<String> = view
        .strange
        .iter()
        .map(|name| format!("The widget has no parameter “{name}”; it knows “services”."))
        .collect();
    let known = || policy.services().map(|service| service.name.as_str());
    let mut services: Vec<ServiceName> = Vec::new();
    for name in &view.services {
        if policy.service(name).is_none() {
            let meant = did_you_mean(name.as_str(), known());
            notes.push(replies::no_such_service(name.as_str(), meant, known()));
        } else if !services.contains(name) {
            services.push(name.clone());
        }
    }
    let mut count = services.len();
    services.truncate(LANES);
    if view.services.is_empty() {
        count = policy.services().count();
        services = policy.services().take(LANES).map(|service| service.name.clone()).collect();
    }
    if count > LANES {
        notes.push(format!(
            "{LANES} of {count} services are shown. Name those that you want in the widget's parameter “services”."
        ));
    }
    (services, notes)
}

async fn lane(
    ledger: &Ledger,
    service: &ServiceName,
    view: &View,
    now: Timestamp,
) -> Result<(Vec<Watch>, Vec<Incident>), AwsError> {
    let from = view.from.checked_sub(BEFORE).unwrap_or(Timestamp::MIN);
    let (releases, incidents) = tokio::join!(
        ledger.releases_between(service, (from, view.to), PAGE, now),
        ledger.incidents_between(service, (from, view.to), PAGE, now)
    );
    Ok((releases?, incidents?))
}

/// Alarms as bars: those that reach into the time that is shown, the oldest first.
fn bars(incidents: impl Iterator<Item = Incident>, view: &View) -> Vec<Bar> {
    let reaches = |incident: &Incident| {
        incident.began <= view.to && incident.ended.is_none_or(|ended| ended >= view.from)
    };
    let bar = |Incident { alarm, began, ended, .. }: Incident| Bar { alarm: alarm.to_string(), began, ended };
    let mut bars: Vec<Bar> = incidents.filter(reaches).map(bar).collect();
    bars.sort_by_key(|bar| bar.began);
    bars
}

/// Leaves the newest releases of all services, and counts what each of them loses. Of what began before the time that is
/// shown, only the last may still reach into it.
fn newest(lanes: &mut [(Lane, Vec<Watch>)], view: &View) {
    for (_, watches) in lanes.iter_mut() {
        let before = watches.iter().filter(|watch| watch.began < view.from).count();
        watches.drain(..before.saturating_sub(1));
    }
    let mut all: Vec<Timestamp> =
        lanes.iter().flat_map(|(_, watches)| watches.iter().map(|watch| watch.began)).collect();
    all.sort_unstable();
    let Some(since) = all.len().checked_sub(MOST).and_then(|at| all.get(at)).copied() else { return };
    for (lane, watches) in lanes {
        let (begins, left_out) = (view.from, watches.partition_point(|watch| watch.began < since));
        lane.older = watches.drain(..left_out).filter(|watch| watch.began >= begins).count();
    }
}

/// Each release with what its own records say.
async fn releases(ledger: &Ledger, watches: Vec<Watch>, view: &View, now: Timestamp) -> Vec<Shown> {
    let mut shown = Vec::new();
    for some in watches.chunks(AT_ONCE) {
        let read = join_all(some.iter().map(|watch| ledger.release(&watch.release, now))).await;
        shown.extend(some.iter().zip(read).map(|(watch, read)| match read {
            Ok(records) => Shown::of(watch, &records),
            Err(error) => Shown::unread(watch, &error.to_string()),
        }));
    }
    shown.retain(|release| release.began >= view.from || release.ended.is_none_or(|at| at >= view.from));
    // One that is released in several places is one release there each, and listed once.
    let mut seen = BTreeSet::new();
    shown.retain(|release| seen.insert(release.id.clone()));
    shown
}
