//! What is known when a release began or ended.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{
    execution, watched,
    way_back::{Spec, marked, spec, while_it_runs},
};
use crate::{
    appspec::AppSpec,
    aws::{Adapters, AwsError},
    decision,
    evidence::{Back, Observed, ReleaseEvidence, Target},
    ledger::ReleaseLedger,
    policy::{Policy, Service},
    release::{DeploymentGroup, Place, Release, Revision, requested_by},
    signal::{ReleaseChange, ReleaseHappening},
};

/// Gathers what the decision about `change` needs: nothing for a release that the policy does not guard.
pub async fn gather(
    adapters: &Adapters,
    policy: &Policy,
    change: &ReleaseChange,
    now: Timestamp,
) -> ReleaseEvidence {
    let unasked = || "it was not asked for".to_owned();
    let Some(service) = decision::release::needs_evidence(policy, change) else {
        return ReleaseEvidence {
            deployment: Observed::Missing { why: unasked() },
            ledger: Observed::Known { value: ReleaseLedger::default(), at: now },
            target: Observed::Missing { why: unasked() },
            marked: Observed::Known { value: None, at: now },
            alarms: Observed::Known { value: BTreeMap::new(), at: now },
            delivery: Observed::Known { value: 1, at: now },
            cause: None,
        };
    };
    let begins = change.what == ReleaseHappening::Started;
    let (release, ledger, alarms) = tokio::join!(
        release(adapters, change, begins, now),
        adapters.ledger.release(&change.deployment, now),
        async { if begins { alarms(adapters, service, now).await } else { Ok(BTreeMap::new()) } },
    );
    let Told { release, back, marked } = release;
    ReleaseEvidence {
        deployment: release,
        ledger: Observed::from_result(ledger, now),
        target: back.map(|back| match back {
            Back::To { target, .. } => target,
            Back::Nowhere { why } | Back::Later { why } => Target::None { why },
        }),
        marked,
        alarms: Observed::from_result(alarms, now),
        delivery: Observed::Known { value: 1, at: now },
        cause: None,
    }
}

/// What the deployer tells of a release.
pub(super) struct Told {
    pub(super) release: Observed<Release>,
    pub(super) back: Observed<Back>,
    pub(super) marked: Observed<Option<String>>,
}

async fn release(adapters: &Adapters, change: &ReleaseChange, begins: bool, now: Timestamp) -> Told {
    match &change.place {
        Place::Group(group) => deployment(adapters, group, change, begins, now).await,
        Place::Stage(place) => execution::told(adapters, place, change, now).await,
    }
}

async fn deployment(
    adapters: &Adapters,
    group: &DeploymentGroup,
    change: &ReleaseChange,
    begins: bool,
    now: Timestamp,
) -> Told {
    let codedeploy = &adapters.codedeploy;
    if !begins {
        return Told {
            release: Observed::from_result(codedeploy.deployment(&change.deployment).await, now),
            back: Observed::Known {
                value: Back::Nowhere { why: "the release is over.".to_owned() },
                at: now,
            },
            marked: Observed::Known { value: None, at: now },
        };
    }
    let ((release, marked), back) = tokio::join!(
        async {
            let found = match codedeploy.deployment(&change.deployment).await {
                Ok(found) => found,
                Err(error) => {
                    let why = error.to_string();
                    return (Err::<Release, AwsError>(error), Observed::Missing { why });
                }
            };
            let spec = spec(adapters, group, &found.revision).await;
            let marked = marked(&found, &spec, now);
            // A name is worth a call, not a failure: where there is none, the hash stays.
            let revision = match &spec {
                Spec::Text(text) => AppSpec::read(text).ok().map(|spec| Revision::Named(spec.to_string())),
                Spec::None | Spec::Unread(_) => None,
            };
            let revision = revision.unwrap_or_else(|| found.revision.clone());
            let mut change = found.change.clone();
            if let Spec::Text(text) = &spec {
                change.requested_by.extend(requested_by(text));
            }
            (Ok(Release { revision, change, ..found }), marked)
        },
        async {
            let last = codedeploy.last(group).await.map(|(_, successful)| successful);
            while_it_runs(adapters, &change.deployment, last, now).await
        },
    );
    Told { release: Observed::from_result(release, now), back, marked }
}

/// Every alarm that the policy watches for the service, as it is now.
pub(super) async fn alarms(
    adapters: &Adapters,
    service: &Service,
    now: Timestamp,
) -> Result<BTreeMap<crate::release::AlarmName, crate::evidence::WatchedState>, AwsError> {
    let (names, prefixes) = watched(service);
    let mut alarms = adapters.cloudwatch.alarms(&names, &prefixes, now).await?;
    // A prefix finds more than the pattern means.
    alarms.retain(|alarm, _| service.watched(alarm).is_some());
    Ok(alarms)
}
