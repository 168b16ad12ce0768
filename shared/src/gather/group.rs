//! What is known of a CodeDeploy deployment group: what is released there, and the way back from it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use tokio::sync::OnceCell;

use super::{
    alarm::LIMIT,
    stage::Waiting,
    way_back::{marked, once_it_ended, spec, while_it_runs},
};
use crate::{
    aws::{Adapters, AwsError, codedeploy::CodeDeploy},
    evidence::{Back, Observed},
    release::{DeploymentGroup, Phase, Place, Release, ReleaseId, ReleaseStatus},
};

/// What the deployer says of a place: everything about it that is the same for every alarm.
#[derive(Clone, Debug)]
pub(super) struct Standing {
    pub(super) latest: Observed<Option<Release>>,
    pub(super) back: Observed<Back>,
    pub(super) marked: Observed<Option<String>>,
    pub(super) traffic: Observed<u8>,
    pub(super) next_stage: Option<String>,
    /// The deployments that a stage ran.
    pub(super) within: Vec<ReleaseId>,
    /// Where those were deployed, as far as that is known, and when last.
    pub(super) deploys_to: Vec<(DeploymentGroup, Timestamp)>,
}

/// What one invocation has looked at already. A burst of alarms is about few places: each is looked at once, however
/// many changes an invocation carries. What the ledger holds is never kept: that is how invocations see each other.
#[derive(Debug)]
pub struct Looked {
    places: Mutex<HashMap<Place, Arc<Look>>>,
    /// Whether an execution is looked at that only waits in its stage.
    waiting: Waiting,
    /// What a place does not tell by then is missing.
    limit: Duration,
}

impl Default for Looked {
    fn default() -> Self {
        Self { places: Mutex::default(), waiting: Waiting::default(), limit: LIMIT }
    }
}

/// A look at one place.
#[derive(Debug, Default)]
struct Look {
    latest: OnceCell<Latest>,
    standing: OnceCell<Standing>,
}

impl Looked {
    /// For whoever stops what is in a place, also if that only waits there; an alarm is about what users have.
    pub(super) fn at_what_waits() -> Self {
        Self { waiting: Waiting::LookedAt, ..Self::default() }
    }

    /// For whoever answered about this release: it may be what only waits, or what users have while another one does.
    pub(super) fn about(release: &ReleaseId) -> Self {
        Self { waiting: Waiting::If(release.clone()), ..Self::default() }
    }

    /// For the sweep, which has looked at everything before, and has others to judge: half of the time.
    pub fn in_brief() -> Self {
        Self { limit: LIMIT / 2, ..Self::default() }
    }

    /// How long a look at a place may take.
    pub(super) fn limit(&self) -> Duration {
        self.limit
    }

    /// What is released at a place.
    pub(super) async fn latest(
        &self,
        adapters: &Adapters,
        place: &Place,
        now: Timestamp,
    ) -> Observed<Option<Release>> {
        match place {
            Place::Group(group) => {
                let look = self.look(place);
                let (found, _) =
                    look.latest.get_or_init(|| latest(&adapters.codedeploy, group)).await.clone();
                Observed::from_result(found, now)
            }
            // A stage's release is known when its pipeline is.
            Place::Stage(_) => self.at(adapters, place, now).await.latest,
        }
    }

    /// Everything that the deployer says of a place.
    pub(super) async fn at(&self, adapters: &Adapters, place: &Place, now: Timestamp) -> Standing {
        let look = self.look(place);
        let standing = look.standing.get_or_init(async || match place {
            Place::Group(deployment_group) => {
                let found = look.latest.get_or_init(|| latest(&adapters.codedeploy, deployment_group)).await;
                group(adapters, deployment_group, found.clone(), now).await
            }
            Place::Stage(stage) => super::stage::stage(adapters, stage, &self.waiting, now).await,
        });
        standing.await.clone()
    }

    fn look(&self, place: &Place) -> Arc<Look> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(places.entry(place.clone()).or_default())
    }
}

async fn group(
    adapters: &Adapters,
    group: &DeploymentGroup,
    (latest, last_successful): Latest,
    now: Timestamp,
) -> Standing {
    let Ok(Some(release)) = latest else {
        return Standing {
            latest: Observed::from_result(latest, now),
            back: nothing_released(now),
            marked: Observed::Known { value: None, at: now },
            traffic: Observed::Missing { why: "nothing is being released".to_owned() },
            next_stage: None,
            within: Vec::new(),
            deploys_to: Vec::new(),
        };
    };
    let (back, marked, traffic) = if release.status.phase() == Phase::Running {
        let (back, spec, traffic) = tokio::join!(
            while_it_runs(adapters, &release.id, last_successful, now),
            spec(adapters, group, &release.revision),
            traffic(adapters, &release.id, now),
        );
        (back, marked(&release, &spec, now), traffic)
    } else {
        let over = Observed::Missing { why: "the release is over".to_owned() };
        if release.status == ReleaseStatus::Succeeded && !release.is_rollback() {
            let spec = spec(adapters, group, &release.revision).await;
            let back = once_it_ended(adapters, group, &release, &spec, now).await;
            (back, marked(&release, &spec, now), over)
        } else {
            // Nothing of it is to be undone.
            (nothing_released(now), Observed::Known { value: None, at: now }, over)
        }
    };
    let latest = Observed::Known { value: Some(release), at: now };
    Standing { latest, back, marked, traffic, next_stage: None, within: Vec::new(), deploys_to: Vec::new() }
}

fn nothing_released(now: Timestamp) -> Observed<Back> {
    Observed::Known { value: Back::Nowhere { why: "nothing is being released.".to_owned() }, at: now }
}

type Known<T> = Result<Option<T>, AwsError>;

/// The latest release at a group, and the last deployment there that succeeded.
type Latest = (Known<Release>, Known<ReleaseId>);

/// The deployment that runs, else the last release that ended; and the last that ended well by the group's account.
async fn latest(codedeploy: &CodeDeploy, group: &DeploymentGroup) -> Latest {
    let (running, last) = tokio::join!(codedeploy.running(group), codedeploy.last(group));
    match (running, last) {
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
    }
}

/// The last deployment that ended, unless it released nothing: then the newest that did, within the time in which a
/// release can be watched at all.
async fn latest_release(
    codedeploy: &CodeDeploy,
    group: &DeploymentGroup,
    attempted: &ReleaseId,
) -> Known<Release> {
    let last = codedeploy.deployment(attempted).await?;
    if last.is_release() { Ok(Some(last)) } else { codedeploy.newest_release(group, last.created_at).await }
}

pub(super) async fn traffic(adapters: &Adapters, release: &ReleaseId, now: Timestamp) -> Observed<u8> {
    match adapters.codedeploy.target(release).await {
        Ok(state) => match state.traffic {
            Some(value) => Observed::Known { value, at: now },
            None => Observed::Missing { why: "the deployment's target does not say".to_owned() },
        },
        Err(error) => Observed::Missing { why: error.to_string() },
    }
}
