//! What is known when an alarm changed its state.

use std::{slice, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use tokio::task::JoinSet;

use super::{Looked, past::past};
use crate::{
    aws::Adapters,
    decision,
    evidence::{AlarmEvidence, AlarmPast, Observed, PlaceEvidence, ServiceEvidence, TakenBack, WatchedState},
    ledger::{EffectState, Partition, ReleaseLedger},
    policy::{Mode, Policy, Service},
    release::{Place, Release, ReleaseId, ReleaseStatus},
    signal::{AlarmChange, Signal},
};

/// Gathers what the decision about `change` needs: nothing for an alarm that nobody watches.
///
/// Independent calls go side by side. For the signal: one ledger query; for an alarm that is OK again another one, and
/// DescribeAlarms if it has an open incident. For each service that would act: one ledger
/// query (its budget; another one in `observe`). For each of its places, once an invocation: ListDeployments,
/// GetDeploymentGroup; of a release that runs BatchGetDeployments, GetDeployment and a ledger query for what to go back
/// to, GetApplicationRevision twice (is what it goes back to still there, is the release marked), ListDeploymentTargets
/// and GetDeploymentTarget for the traffic; of one that has ended GetDeployment, ListDeployments, BatchGetDeployments,
/// a ledger query and GetApplicationRevision twice. For each change and place: one ledger query and, unless the release
/// is undone already or somebody is at that, one DescribeAlarmHistory.
pub async fn gather(
    adapters: &Adapters,
    policy: &Policy,
    change: &AlarmChange,
    looked: &Arc<Looked>,
    now: Timestamp,
) -> AlarmEvidence {
    let key = Signal::Alarm(change.clone()).key();
    let nothing = || Observed::Known { value: Vec::new(), at: now };
    let judged = async {
        if policy.watchers(&change.alarm).is_empty() {
            return nothing();
        }
        let read = adapters.ledger.read(&Partition::Signal(key), now).await.map(|ledger| ledger.judged);
        Observed::from_result(read, now)
    };
    let incidents = async {
        if decision::alarm::needs_incidents(policy, change) {
            Observed::from_result(adapters.ledger.incidents(&change.alarm, now).await, now)
        } else {
            Observed::Known { value: Vec::new(), at: now }
        }
    };
    let (judged, incidents) = tokio::join!(judged, incidents);
    // What the event says may be over by now, if it comes late.
    let stands = match incidents.known() {
        Ok(open) if !open.is_empty() => stands(adapters, change, now).await,
        Ok(_) | Err(_) => not_asked_for(),
    };
    let before = judged.known().map(Vec::as_slice).unwrap_or_default();
    let mut wanted = decision::alarm::needs_evidence(policy, change);
    wanted.retain(|service| !before.iter().any(|before| before.service.as_ref() == Some(&service.name)));
    let services = services(adapters, policy, wanted, change, looked, now).await;
    AlarmEvidence { services, judged, incidents, stands, delivery: Observed::Known { value: 1, at: now } }
}

/// What an alarm is by now.
async fn stands(adapters: &Adapters, change: &AlarmChange, now: Timestamp) -> Observed<WatchedState> {
    let asked =
        tokio::time::timeout(LIMIT, adapters.cloudwatch.alarms(slice::from_ref(&change.alarm), &[], now));
    match asked.await {
        Ok(Ok(mut found)) => match found.remove(&change.alarm) {
            Some(value) => Observed::Known { value, at: now },
            None => Observed::Missing { why: "CloudWatch did not name it".to_owned() },
        },
        Ok(Err(error)) => Observed::Missing { why: error.to_string() },
        Err(_) => Observed::Missing { why: format!("nothing was answered within {} s", LIMIT.as_secs()) },
    }
}

/// A fact that the decision does not turn on.
pub(crate) fn not_asked_for<T>() -> Observed<T> {
    Observed::Missing { why: "it was not asked for: nothing turns on it".to_owned() }
}

/// Gathers what the answer to a question about `change` turns on: as [`gather`], for one service, and whether or not
/// the change was judged before (it was: that is how the question came about).
pub async fn gather_again(
    adapters: &Adapters,
    policy: &Policy,
    service: &Service,
    change: &AlarmChange,
    now: Timestamp,
) -> AlarmEvidence {
    let looked = Arc::new(Looked::in_brief());
    let services = services(adapters, policy, vec![service], change, &looked, now).await;
    AlarmEvidence {
        services,
        judged: Observed::Known { value: Vec::new(), at: now },
        incidents: Observed::Known { value: Vec::new(), at: now },
        stands: not_asked_for(),
        delivery: Observed::Known { value: 1, at: now },
    }
}

async fn services(
    adapters: &Adapters,
    policy: &Policy,
    wanted: Vec<&Service>,
    change: &AlarmChange,
    looked: &Arc<Looked>,
    now: Timestamp,
) -> Vec<ServiceEvidence> {
    let mut services: Vec<ServiceEvidence> = Vec::new();
    let mut places = JoinSet::new();
    let mut budgets = JoinSet::new();
    for service in wanted {
        let at = services.len();
        for place in &service.deployed_by {
            let (adapters, place, change) = (adapters.clone(), place.clone(), change.clone());
            let (looked, mode) = (Arc::clone(looked), service.mode);
            places.spawn(async move {
                let gathering = at_place(&adapters, &place, &change, mode, &looked, now);
                let gathered = tokio::time::timeout(looked.limit(), gathering).await;
                (at, gathered.unwrap_or_else(|_| unanswered(place, looked.limit())))
            });
        }
        let (adapters, name) = (adapters.clone(), service.name.clone());
        let per = SignedDuration::try_from(service.rollback_budget.per).unwrap_or(SignedDuration::MAX);
        let observed = service.mode == Mode::Observe;
        budgets.spawn(async move {
            let taken_back = Observed::from_result(adapters.ledger.taken_back(&name, per, now).await, now);
            let would_have = if observed {
                Observed::from_result(adapters.ledger.would_have(&name, now).await, now)
            } else {
                Observed::Missing { why: "the service is not observed".to_owned() }
            };
            (at, taken_back, would_have)
        });
        let unread = || "Belay's own program failed while it read that".to_owned();
        services.push(ServiceEvidence {
            service: service.name.clone(),
            places: Vec::new(),
            taken_back: Observed::Missing { why: unread() },
            would_have: Observed::Missing { why: unread() },
        });
    }
    while let Some(joined) = places.join_next().await {
        // A task that panics leaves its place out, and a service without a place is judged as not gathered.
        if let Ok((at, place)) = joined {
            services[at].places.push(place);
        }
    }
    while let Some(joined) = budgets.join_next().await {
        if let Ok((at, taken_back, would_have)) = joined {
            services[at].taken_back = taken_back;
            services[at].would_have = would_have;
        }
    }
    for service in &mut services {
        service.places.sort_by(|one, other| one.place.cmp(&other.place));
    }
    services.retain(|service| {
        let expected = policy.service(&service.service).map_or(0, |service| service.deployed_by.len());
        service.places.len() == expected
    });
    for service in &mut services {
        once_each(service);
    }
    services
}

/// A stage that deployed through a group which the service names as well is the same change, seen from further away:
/// it is judged once, where it can be undone most directly; also where the group is on its way back from what the stage
/// deployed, or has had another release since, past the pipeline: then the stage's is not what users have. What only the
/// stage tells goes along: a mark in its commit, which counts wherever it stands, and that the pipeline itself goes back,
/// of which the deployment that it makes for that says nothing. Where a stage does not tell, neither is known of the group's.
fn once_each(service: &mut ServiceEvidence) {
    let (mut groups, stages): (Vec<PlaceEvidence>, Vec<PlaceEvidence>) =
        service.places.drain(..).partition(|place| matches!(place.place, Place::Group(_)));
    let known = |place: &PlaceEvidence| place.latest.known().ok().and_then(Option::as_ref).cloned();
    for stage in stages {
        let mut seen_closer = false;
        let untold = stage.latest.known().err().filter(|_| stage.within.is_empty());
        for group in &mut groups {
            let Some(latest) = known(group) else { continue };
            if let Some(why) = untold {
                group.marked = either(&group.marked, &Observed::Missing { why: why.to_owned() });
            }
            let its = |id: &ReleaseId| stage.within.contains(id);
            // What was read before the stage began to deploy does not stand for it, nor does what came to nothing.
            seen_closer |= !latest.is_rollback()
                && !matches!(latest.status, ReleaseStatus::Failed | ReleaseStatus::Stopped)
                && stage
                    .deploys_to
                    .iter()
                    .any(|(to, at)| latest.group() == Some(to) && *at <= latest.created_at);
            if !its(&latest.id) && !latest.rolls_back.as_ref().is_some_and(its) {
                continue;
            }
            seen_closer = true;
            group.marked = either(&group.marked, &stage.marked);
            if let Err(why) = stage.latest.known() {
                // It may be the pipeline's own rollback.
                group.latest = Observed::Missing { why: why.to_owned() };
                continue;
            }
            if let (Some(whole), Observed::Known { value: Some(latest), .. }) =
                (known(&stage), &mut group.latest)
                && whole.is_rollback()
                && !latest.is_rollback()
            {
                latest.creator = whole.creator;
            }
        }
        if !seen_closer {
            service.places.push(stage);
        }
    }
    service.places.extend(groups);
    service.places.sort_by(|one, other| one.place.cmp(&other.place));
}

/// The mark of one change that was looked at in two places: one says so, or both must be known to say nothing.
fn either(here: &Observed<Option<String>>, there: &Observed<Option<String>>) -> Observed<Option<String>> {
    match (here.known(), there.known()) {
        (Ok(Some(_)), _) | (Ok(None), Ok(None)) => here.clone(),
        (_, Ok(Some(_))) | (Ok(None), Err(_)) => there.clone(),
        (Err(_), Ok(None) | Err(_)) => here.clone(),
    }
}

/// What was not gathered by then is missing: an invocation has thirty seconds, and the larger part of them is for
/// doing and telling.
pub(super) const LIMIT: Duration = Duration::from_secs(12);

/// A place of which nothing was learnt in time.
fn unanswered(place: Place, limit: Duration) -> PlaceEvidence {
    fn missing_for<T>(why: &str) -> Observed<T> {
        Observed::Missing { why: why.to_owned() }
    }
    let why = format!("nothing was answered within {} s", limit.as_secs());
    PlaceEvidence {
        place,
        latest: missing_for(&why),
        back: missing_for(&why),
        marked: missing_for(&why),
        ledger: missing_for(&why),
        earlier: missing_for(&why),
        past: missing_for(&why),
        flaps: missing_for(&why),
        taken_back: missing_for(&why),
        next_stage: None,
        within: Vec::new(),
        deploys_to: Vec::new(),
        traffic: missing_for(&why),
    }
}

async fn at_place(
    adapters: &Adapters,
    place: &Place,
    change: &AlarmChange,
    mode: Mode,
    looked: &Looked,
    now: Timestamp,
) -> PlaceEvidence {
    // Whether there is a way back and what is known of the release do not wait for each other.
    let latest = looked.latest(adapters, place, now).await;
    let release = latest.known().ok().and_then(Option::as_ref);
    let (standing, about) =
        tokio::join!(looked.at(adapters, place, now), about(adapters, release, change, mode, now));
    let About { ledger, taken_back, past, flaps, earlier } = about;
    PlaceEvidence {
        place: place.clone(),
        latest: standing.latest,
        back: standing.back,
        marked: standing.marked,
        ledger,
        earlier,
        past,
        flaps,
        taken_back,
        next_stage: standing.next_stage,
        within: standing.within,
        deploys_to: standing.deploys_to,
        traffic: standing.traffic,
    }
}

/// What is known of a release besides what its deployer says.
struct About {
    ledger: Observed<ReleaseLedger>,
    taken_back: Observed<Option<TakenBack>>,
    past: Observed<AlarmPast>,
    flaps: Observed<u32>,
    earlier: Observed<Option<Release>>,
}

async fn about(
    adapters: &Adapters,
    release: Option<&Release>,
    change: &AlarmChange,
    mode: Mode,
    now: Timestamp,
) -> About {
    let recorded = async {
        let ledger = match release {
            None => Observed::Known { value: ReleaseLedger::default(), at: now },
            Some(release) => Observed::from_result(adapters.ledger.release(&release.id, now).await, now),
        };
        let (past, flaps) = match release {
            Some(release) if !is_settled(release, &ledger, mode, now) => {
                past(&adapters.cloudwatch, change, release, &ledger, now).await
            }
            Some(_) | None => (not_asked_for(), not_asked_for()),
        };
        (ledger, past, flaps)
    };
    let taken_back = async {
        match release {
            None => Observed::Known { value: None, at: now },
            Some(release) => taken_back(adapters, release, now).await,
        }
    };
    let earlier = earlier(adapters, release, change, now);
    let ((ledger, past, flaps), taken_back, earlier) = tokio::join!(recorded, taken_back, earlier);
    About { ledger, taken_back, past, flaps, earlier }
}

/// The release that the alarm may be about, if it went off before the latest one began: an event that comes late.
async fn earlier(
    adapters: &Adapters,
    latest: Option<&Release>,
    change: &AlarmChange,
    now: Timestamp,
) -> Observed<Option<Release>> {
    match latest.map(|latest| (latest, latest.group())) {
        Some((latest, Some(group))) if change.at < latest.created_at => {
            Observed::from_result(adapters.codedeploy.newest_release(group, change.at).await, now)
        }
        Some((latest, None)) if change.at < latest.created_at => {
            Observed::Missing { why: "Belay does not look for what was in a stage earlier".to_owned() }
        }
        Some(_) | None => Observed::Known { value: None, at: now },
    }
}

/// Whether rows before the alarm's past decide: the release takes another one back, or is being undone.
fn is_settled(release: &Release, ledger: &Observed<ReleaseLedger>, mode: Mode, now: Timestamp) -> bool {
    if release.is_rollback() || release.is_being_undone() {
        return true;
    }
    let Ok(ledger) = ledger.known() else { return false };
    let undone = ledger.undo.as_ref().is_some_and(|undo| match undo.state {
        EffectState::Done => !(undo.stops_only() && release.status == ReleaseStatus::Succeeded),
        // Somebody is at it: whatever the alarm was before, that one is waited for.
        EffectState::Claimed { until } => now < until,
        EffectState::Overtaken => false,
    });
    undone || mode == Mode::Observe && ledger.would.is_some()
}

/// The release that `release` takes back, if it is a rollback that says of which.
async fn taken_back(adapters: &Adapters, release: &Release, now: Timestamp) -> Observed<Option<TakenBack>> {
    let (Some(of), Place::Group(_)) = (&release.rolls_back, &release.place) else {
        return Observed::Known { value: None, at: now };
    };
    let (deployment, ledger) =
        tokio::join!(adapters.codedeploy.deployment(of), adapters.ledger.release(of, now));
    let both = deployment.and_then(|deployment| Ok((deployment, ledger?))).map(|(mut deployment, ledger)| {
        // CodeDeploy may name the rollback on the one side before it does on the other.
        deployment.rolled_back_by.get_or_insert_with(|| release.id.clone());
        Some(TakenBack { deployment, ledger })
    });
    Observed::from_result(both, now)
}
