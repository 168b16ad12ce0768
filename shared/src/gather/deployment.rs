//! What is known when a deployment began or ended.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::{
    aws::{Adapters, AwsError},
    decision,
    evidence::{DeploymentEvidence, Observed, Target},
    gather::{Naming, target, watched},
    ledger::ReleaseLedger,
    policy::{Policy, Service},
    signal::{DeploymentChange, DeploymentHappening},
};

/// Gathers what the decision about `change` needs: nothing for a deployment that the policy does not guard.
pub async fn gather(
    adapters: &Adapters,
    policy: &Policy,
    change: &DeploymentChange,
    now: Timestamp,
) -> DeploymentEvidence {
    let Some(service) = decision::deployment::needs_evidence(policy, change) else {
        return DeploymentEvidence {
            deployment: Observed::Missing { why: "it was not asked for".to_owned() },
            ledger: Observed::Known { value: ReleaseLedger::default(), at: now },
            target: Observed::Missing { why: "it was not asked for".to_owned() },
            alarms: Observed::Known { value: BTreeMap::new(), at: now },
            delivery: Observed::Known { value: 1, at: now },
        };
    };
    let begins = change.what == DeploymentHappening::Started;
    let codedeploy = &adapters.codedeploy;
    let (deployment, ledger, alarms, target) = tokio::join!(
        async {
            let found = codedeploy.deployment(&change.deployment).await?;
            Ok::<_, AwsError>(if begins { codedeploy.named(found).await } else { found })
        },
        adapters.ledger.release(&change.deployment, now),
        async { if begins { alarms(adapters, service, now).await } else { Ok(BTreeMap::new()) } },
        async {
            if begins {
                let last = codedeploy.last(&change.group).await.map(|(_, successful)| successful);
                target(adapters, &change.deployment, last, Naming::ForPeople, now).await
            } else {
                Observed::Known { value: Target::None { why: "the deployment is over.".to_owned() }, at: now }
            }
        },
    );
    let deployment = Observed::from_result(deployment, now);
    DeploymentEvidence {
        deployment,
        ledger: Observed::from_result(ledger, now),
        target,
        alarms: Observed::from_result(alarms, now),
        delivery: Observed::Known { value: 1, at: now },
    }
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
