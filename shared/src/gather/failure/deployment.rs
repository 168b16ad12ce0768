//! What is asked about a deployment: CodeDeploy's own account of it, and of one to ECS the service's tasks and targets.

use jiff::Timestamp;

use super::Asking;
use crate::{
    aws::{AwsError, Sources, targets::Groups},
    diagnosis::Learnt,
    evidence::Observed,
    release::ReleaseId,
};

/// A deployment of CodeDeploy.
pub(super) async fn learnt(asking: &Asking, sources: &Sources, id: &str) -> Vec<Learnt> {
    let codedeploy = sources.deployments();
    let found = match asking.within(codedeploy.failure(&ReleaseId::from(id))).await {
        Err(why) => return vec![Learnt::Deployment(Observed::Missing { why })],
        Ok(found) => found,
    };
    let mut learnt = vec![Learnt::Deployment(asking.known(found.failure))];
    let unread = |error: AwsError| Learnt::Deployment(Observed::Missing { why: error.to_string() });
    learnt.extend(found.unread.map(unread));
    if let Some(ecs) = found.service {
        let since = found.created.unwrap_or(Timestamp::MIN);
        let (cluster, service) = (&ecs.cluster, &ecs.service);
        learnt.extend(of_service(asking, sources, cluster, service, &ecs.target_groups, since).await);
    }
    learnt
}

/// An ECS service: what became of its tasks since then, and the health of its targets, in the target groups of these
/// names; where none is named, in those that the service itself names.
pub(super) async fn of_service(
    asking: &Asking,
    sources: &Sources,
    cluster: &str,
    service: &str,
    groups: &[String],
    since: Timestamp,
) -> Vec<Learnt> {
    let ecs = sources.tasks();
    let named = async {
        if groups.is_empty() {
            Vec::new()
        } else {
            of_targets(asking, sources, &Groups::Names(groups.to_vec())).await
        }
    };
    let (state, stopped, mut targets) = tokio::join!(
        asking.within(ecs.service(cluster, service, since)),
        asking.within(ecs.stopped(cluster, service, since)),
        named,
    );
    let missing = |why: String| Learnt::Tasks(Observed::Missing { why });
    let mut learnt = Vec::new();
    let mut own = Vec::new();
    match (state, stopped) {
        (Ok(state), stopped) => {
            let (stopped, why) = match stopped {
                Ok(stopped) => (stopped, None),
                Err(why) => (Vec::new(), Some(why)),
            };
            learnt.push(Learnt::Tasks(asking.known(state.with(service, stopped))));
            learnt.extend(why.map(missing));
            own = state.target_groups;
        }
        (Err(why), Ok(stopped)) => {
            let tasks =
                crate::diagnosis::Tasks { service: service.to_owned(), stopped, ..Default::default() };
            learnt.extend([Learnt::Tasks(asking.known(tasks)), missing(why)]);
        }
        (Err(why), Err(_)) => learnt.push(missing(why)),
    }
    // Also where those that were named are not there, as when they were named anew.
    if !own.is_empty() && targets.iter().all(|learnt| learnt.missing().is_some()) {
        targets = of_targets(asking, sources, &Groups::Arns(own)).await;
    }
    learnt.extend(targets);
    learnt
}

async fn of_targets(asking: &Asking, sources: &Sources, groups: &Groups) -> Vec<Learnt> {
    match asking.within(sources.targets().unhealthy(groups)).await {
        Err(why) => vec![Learnt::Targets(Observed::Missing { why })],
        Ok(groups) => groups
            .into_iter()
            .map(|group| Learnt::Targets(asking.observed(group.map_err(|error| error.to_string()))))
            .collect(),
    }
}
