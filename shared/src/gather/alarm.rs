//! What is known when an alarm went to ALARM.

use std::time::Duration;

use jiff::Timestamp;
use tokio::task::JoinSet;

use crate::{
    aws::{
        Adapters, AwsError,
        cloudwatch::{CloudWatch, Transition},
        codedeploy::CodeDeploy,
    },
    decision,
    evidence::{AlarmEvidence, AlarmPast, Observed, PlaceEvidence, ServiceEvidence, TakenBack, Target},
    gather::{Naming, target},
    ledger::{Partition, RecordedState, ReleaseLedger},
    policy::Policy,
    release::{Deployment, DeploymentGroup, DeploymentId, Phase},
    signal::{AlarmChange, AlarmState, Signal},
};

/// Gathers what the decision about `change` needs: nothing for an alarm that nobody watches.
///
/// Calls for each deployment group of each service that would act, none of which waits for another but where it
/// needs its answer: ListDeployments, BatchGetDeployments when something runs, GetDeploymentGroup and
/// GetDeployment (twice when nothing runs) for what to go back to, ListDeploymentTargets and GetDeploymentTarget
/// for the traffic, one ledger query; DescribeAlarmHistory only when the event does not say that the alarm came
/// from OK.
pub async fn gather(
    adapters: &Adapters,
    policy: &Policy,
    change: &AlarmChange,
    now: Timestamp,
) -> AlarmEvidence {
    let key = Signal::Alarm(change.clone()).key();
    let judged = if policy.watchers(&change.alarm).is_empty() {
        Observed::Known { value: Vec::new(), at: now }
    } else {
        let partition = Partition::Signal(key);
        let read = adapters.ledger.read(&partition, now).await.map(|ledger| ledger.judged);
        Observed::from_result(read, now)
    };
    let before = judged.known().map(Vec::as_slice).unwrap_or_default();
    let mut services: Vec<ServiceEvidence> = Vec::new();
    let mut tasks = JoinSet::new();
    for service in decision::alarm::needs_evidence(policy, change) {
        if before.iter().any(|before| before.service.as_ref() == Some(&service.name)) {
            continue;
        }
        services.push(ServiceEvidence { service: service.name.clone(), places: Vec::new() });
        let at = services.len() - 1;
        for group in service.groups() {
            let (adapters, group, change) = (adapters.clone(), group.clone(), change.clone());
            tasks.spawn(async move {
                let gathered = tokio::time::timeout(LIMIT, place(&adapters, &group, &change, now)).await;
                (at, gathered.unwrap_or_else(|_| unanswered(group)))
            });
        }
    }
    while let Some(joined) = tasks.join_next().await {
        // A task that panics leaves its place out, and a service without a place is judged as not gathered.
        if let Ok((at, place)) = joined {
            services[at].places.push(place);
        }
    }
    for service in &mut services {
        service.places.sort_by(|one, other| one.group.cmp(&other.group));
    }
    services.retain(|service| {
        let expected = policy.service(&service.service).map_or(0, |service| service.groups().count());
        service.places.len() == expected
    });
    AlarmEvidence { services, judged, delivery: Observed::Known { value: 1, at: now } }
}

/// What was not gathered by then is missing: an invocation has thirty seconds, and the larger part of them is for
/// doing and telling.
const LIMIT: Duration = Duration::from_secs(12);

/// A place of which nothing was learnt in time.
fn unanswered(group: DeploymentGroup) -> PlaceEvidence {
    fn missing<T>() -> Observed<T> {
        Observed::Missing { why: format!("nothing was answered within {} s", LIMIT.as_secs()) }
    }
    PlaceEvidence {
        group,
        latest: missing(),
        target: missing(),
        ledger: missing(),
        past: missing(),
        taken_back: missing(),
        traffic: missing(),
    }
}

async fn place(
    adapters: &Adapters,
    group: &DeploymentGroup,
    change: &AlarmChange,
    now: Timestamp,
) -> PlaceEvidence {
    let codedeploy = &adapters.codedeploy;
    let (running, last) = tokio::join!(codedeploy.running(group), codedeploy.last(group));
    let (latest, last_successful) = match (running, last) {
        (Ok(Some(running)), last) => (Ok(Some(running)), last.map(|(_, successful)| successful)),
        (Ok(None), Ok((attempted, successful))) => {
            let latest = match &attempted {
                None => Ok(None),
                Some(id) => latest_release(codedeploy, group, id).await,
            };
            (latest, Ok(successful))
        }
        (Ok(None), Err(error)) => (Err(error.clone()), Err(error)),
        // Whether something runs is not known: that something ended says nothing about it.
        (Err(error), last) => (Err(error), last.map(|(_, successful)| successful)),
    };
    let Ok(Some(release)) = latest else {
        return PlaceEvidence {
            group: group.clone(),
            latest: Observed::from_result(latest, now),
            target: nothing_released(now),
            ledger: Observed::Known { value: ReleaseLedger::default(), at: now },
            past: Observed::Known { value: AlarmPast::News, at: now },
            taken_back: Observed::Known { value: None, at: now },
            traffic: Observed::Missing { why: "nothing is being released".to_owned() },
        };
    };
    let runs = release.status.phase() == Phase::Running;
    let (target, ledger, traffic, taken_back) = tokio::join!(
        async {
            if runs {
                target(adapters, &release.id, last_successful, Naming::ByHash, now).await
            } else {
                nothing_released(now)
            }
        },
        adapters.ledger.release(&release.id, now),
        async { if runs { traffic(adapters, &release.id, now).await } else { over() } },
        taken_back(adapters, &release, now),
    );
    let ledger = Observed::from_result(ledger, now);
    let past = past(&adapters.cloudwatch, change, &release, &ledger, now).await;
    PlaceEvidence {
        group: group.clone(),
        latest: Observed::Known { value: Some(release), at: now },
        target,
        ledger,
        past,
        taken_back,
        traffic,
    }
}

fn nothing_released(now: Timestamp) -> Observed<Target> {
    Observed::Known { value: Target::None { why: "nothing is being released.".to_owned() }, at: now }
}

fn over() -> Observed<u8> {
    Observed::Missing { why: "the release is over".to_owned() }
}

/// The last deployment that ended, unless it released nothing: then the newest that did, within the time in which a
/// release can be watched at all.
async fn latest_release(
    codedeploy: &CodeDeploy,
    group: &DeploymentGroup,
    attempted: &DeploymentId,
) -> Result<Option<Deployment>, AwsError> {
    let last = codedeploy.deployment(attempted).await?;
    if last.is_release() { Ok(Some(last)) } else { codedeploy.newest_release(group, last.created_at).await }
}

/// The release that `release` takes back, if it is a rollback that says of which.
async fn taken_back(
    adapters: &Adapters,
    release: &Deployment,
    now: Timestamp,
) -> Observed<Option<TakenBack>> {
    let Some(of) = &release.rolls_back else {
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

async fn traffic(adapters: &Adapters, release: &DeploymentId, now: Timestamp) -> Observed<u8> {
    match adapters.codedeploy.target(release).await {
        Ok(state) => match state.traffic {
            Some(value) => Observed::Known { value, at: now },
            None => Observed::Missing { why: "the deployment's target does not say".to_owned() },
        },
        Err(error) => Observed::Missing { why: error.to_string() },
    }
}

/// What the alarm was when the release began, and since. An alarm that comes from OK has been OK since; only
/// the others need their past: from the release's record, else from the alarm's history.
async fn past(
    cloudwatch: &CloudWatch,
    change: &AlarmChange,
    release: &Deployment,
    ledger: &Observed<ReleaseLedger>,
    now: Timestamp,
) -> Observed<AlarmPast> {
    let news = Observed::Known { value: AlarmPast::News, at: now };
    if change.from == Some(AlarmState::Ok) || change.at < release.created_at {
        return news;
    }
    let recorded = ledger
        .known()
        .ok()
        .and_then(|ledger| ledger.began.as_ref())
        .and_then(|began| began.alarms.get(&change.alarm));
    match recorded {
        Some(RecordedState::Was(AlarmState::Ok | AlarmState::InsufficientData)) => return news,
        Some(RecordedState::Was(AlarmState::Alarm) | RecordedState::Unknown { .. }) | None => {}
    }
    let transitions = cloudwatch.transitions(&change.alarm, release.created_at, change.at).await;
    match transitions.and_then(|transitions| from_history(change, release, &transitions)) {
        Ok(value) => Observed::Known { value, at: now },
        Err(error) => Observed::Missing { why: error.to_string() },
    }
}

/// Reads an alarm's past out of its history, newest change first.
fn from_history(
    change: &AlarmChange,
    release: &Deployment,
    transitions: &[Transition],
) -> Result<AlarmPast, AwsError> {
    let unreadable = |why: &str| AwsError::unreadable("cloudwatch:DescribeAlarmHistory", &change.alarm, why);
    let since = transitions.iter().take_while(|transition| transition.at > release.created_at);
    for transition in since {
        match (transition.from, transition.to) {
            (Some(AlarmState::Ok), _) | (_, Some(AlarmState::Ok)) => return Ok(AlarmPast::News),
            (Some(_), Some(_)) => {}
            _ => return Err(unreadable("a change in its history has a state that Belay does not know")),
        }
    }
    let before = transitions.iter().find(|transition| transition.at <= release.created_at);
    let at_start = match before {
        Some(before) => before.to,
        // No change so old is kept: it began as what its oldest change came from.
        None => transitions.last().and_then(|oldest| oldest.from),
    };
    match at_start {
        Some(AlarmState::Alarm) => Ok(AlarmPast::RedSinceBefore),
        Some(AlarmState::Ok | AlarmState::InsufficientData) => Ok(AlarmPast::News),
        None => Err(unreadable("its history does not reach back to the release's start")),
    }
}
