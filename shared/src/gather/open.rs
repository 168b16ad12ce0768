//! What is known of everything that is not over yet.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;
use jiff::Timestamp;

use super::{card::in_stage, watched};
use crate::{
    aws::{Adapters, AwsError},
    evidence::{Observed, OpenEvidence, WatchedState},
    ledger::{Open, Watch},
    policy::Policy,
    release::{AlarmName, Place, Release, ReleaseId},
};

/// Gathers what the sweep needs. Nothing is open: no call. Otherwise, for all releases together BatchGetDeployments,
/// 25 a call, and DescribeAlarms, 100 names a call and one for each pattern; for each release a ledger query; for each
/// pipeline's stage what its event would have asked.
pub async fn gather(adapters: &Adapters, policy: &Policy, open: Open, now: Timestamp) -> OpenEvidence {
    let (releases, ledgers, alarms) = tokio::join!(
        releases(adapters, &open.watches, now),
        async {
            let each = open.watches.iter().map(async |watch| {
                let read = adapters.ledger.release(&watch.release, now).await;
                (watch.release.clone(), Observed::from_result(read, now))
            });
            join_all(each).await.into_iter().collect::<BTreeMap<_, _>>()
        },
        alarms(adapters, policy, &open, now),
    );
    OpenEvidence { open, releases, ledgers, alarms: Observed::from_result(alarms, now) }
}

async fn releases(
    adapters: &Adapters,
    watches: &[Watch],
    now: Timestamp,
) -> BTreeMap<ReleaseId, Observed<Release>> {
    let ids: Vec<ReleaseId> = watches
        .iter()
        .filter(|watch| matches!(watch.place, Place::Group(_)))
        .map(|watch| watch.release.clone())
        .collect();
    let stages = watches.iter().filter_map(|watch| match &watch.place {
        Place::Group(_) => None,
        Place::Stage(stage) => Some((watch, stage)),
    });
    let stages = stages.map(async |(watch, place)| {
        // It may not have begun there yet: its pipeline waits for a person.
        (watch.release.clone(), Box::pin(in_stage(adapters, place, &watch.release, now)).await)
    });
    let (described, stages) = tokio::join!(adapters.codedeploy.described(&ids), join_all(stages));
    let mut releases: BTreeMap<ReleaseId, Observed<Release>> = match described {
        Ok(described) => described
            .into_iter()
            .map(|one| (one.id.clone(), Observed::Known { value: one, at: now }))
            .collect(),
        // One that CodeDeploy does not know must not hide the others.
        Err(_) => join_all(ids.iter().map(async |id| {
            (id.clone(), Observed::from_result(adapters.codedeploy.deployment(id).await, now))
        }))
        .await
        .into_iter()
        .collect(),
    };
    releases.extend(stages);
    releases
}

async fn alarms(
    adapters: &Adapters,
    policy: &Policy,
    open: &Open,
    now: Timestamp,
) -> Result<BTreeMap<AlarmName, WatchedState>, AwsError> {
    let mut names: BTreeSet<AlarmName> = open.incidents.iter().map(|open| open.alarm.clone()).collect();
    let mut prefixes = BTreeSet::new();
    let services: BTreeSet<_> = open.watches.iter().map(|watch| &watch.service).collect();
    for service in services.into_iter().filter_map(|name| policy.service(name)) {
        let (exact, patterns) = watched(service);
        names.extend(exact);
        prefixes.extend(patterns);
    }
    let names: Vec<AlarmName> = names.into_iter().collect();
    let prefixes: Vec<String> = prefixes.into_iter().collect();
    adapters.cloudwatch.alarms(&names, &prefixes, now).await
}
