//! What is known of everything that is not over yet.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt, future::join_all, stream};
use jiff::Timestamp;
use tokio::time::timeout;

use super::{alarm::LIMIT, card::in_stage, watched};
use crate::{
    aws::{Adapters, AwsError},
    evidence::{Observed, OpenEvidence, WatchedState},
    ledger::{Open, ReleaseLedger, Watch},
    policy::Policy,
    release::{AlarmName, Place, Release, ReleaseId},
};

/// Gathers what the sweep needs. Nothing is open: no call. Otherwise, for all releases together BatchGetDeployments,
/// 25 a call, and DescribeAlarms, 100 names a call and one for each pattern; for each release a ledger query; for each
/// pipeline's stage what its event would have asked.
///
/// What deployers and CloudWatch do not answer within 12 s is missing: who does not answer must not take the minute of all the others, since
/// nothing is begun late in an invocation.
pub async fn gather(adapters: &Adapters, policy: &Policy, open: Open, now: Timestamp) -> OpenEvidence {
    let (releases, ledgers, alarms) = tokio::join!(
        releases(adapters, &open.watches, now),
        ledgers(adapters, &open.watches, now),
        timeout(LIMIT, alarms(adapters, policy, &open, now)),
    );
    let alarms = alarms.map_or_else(|_| unanswered(), |alarms| Observed::from_result(alarms, now));
    OpenEvidence { open, releases, ledgers, alarms }
}

fn unanswered<T>() -> Observed<T> {
    Observed::Missing { why: format!("nothing was answered within {} s", LIMIT.as_secs()) }
}

/// So many releases' records are read side by side. Each read that is under way has a connection of its own, and opening
/// hundreds at once on a share of a processor takes longer than a read may.
const SIDE_BY_SIDE: usize = 32;

/// And so many releases of stages.
const STAGES_SIDE_BY_SIDE: usize = 8;

async fn ledgers(
    adapters: &Adapters,
    watches: &[Watch],
    now: Timestamp,
) -> BTreeMap<ReleaseId, Observed<ReleaseLedger>> {
    let reads = watches.iter().map(|watch| async move {
        let read = adapters.ledger.release(&watch.release, now).await;
        (watch.release.clone(), Observed::from_result(read, now))
    });
    let reads: Vec<_> = reads.collect();
    stream::iter(reads).buffer_unordered(SIDE_BY_SIDE).collect().await
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
    let stages = stages.map(|(watch, place)| {
        // It may not have begun there yet: its pipeline waits for a person. The time of all runs from here on.
        let found = timeout(LIMIT, Box::pin(in_stage(adapters, place, &watch.release, now)));
        async move { (watch.release.clone(), found.await.unwrap_or_else(|_| unanswered())) }
    });
    let stages: Vec<_> = stages.collect();
    // Each asks CodePipeline for half a dozen things, which alarms' events ask for as well.
    let stages = stream::iter(stages).buffer_unordered(STAGES_SIDE_BY_SIDE).collect::<Vec<_>>();
    let (described, stages) = tokio::join!(timeout(LIMIT, deployments(adapters, &ids, now)), stages);
    let mut releases = described.unwrap_or_else(|_| ids.into_iter().map(|id| (id, unanswered())).collect());
    releases.extend(stages);
    releases
}

async fn deployments(
    adapters: &Adapters,
    ids: &[ReleaseId],
    now: Timestamp,
) -> BTreeMap<ReleaseId, Observed<Release>> {
    match adapters.codedeploy.described(ids).await {
        Ok(described) => described
            .into_iter()
            .map(|one| (one.id.clone(), Observed::Known { value: one, at: now }))
            .collect(),
        // One that CodeDeploy does not know must not hide the others.
        Err(error) if error.refused && !error.is_throttling() => join_all(ids.iter().map(async |id| {
            (id.clone(), Observed::from_result(adapters.codedeploy.deployment(id).await, now))
        }))
        .await
        .into_iter()
        .collect(),
        // Who does not answer about all of them does not about each.
        Err(error) => {
            let missing = || Observed::Missing { why: error.to_string() };
            ids.iter().map(|id| (id.clone(), missing())).collect()
        }
    }
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
