//! What has become of a release since it was undone, or was to be.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{
    execution::deployments,
    stage::{Waiting, stage},
};
use crate::{
    aws::{Adapters, AwsError, codepipeline::ActionRun},
    decision::release::left_of,
    evidence::{Back, Observed, Remains, Rest},
    release::{DeploymentGroup, Phase, Release, ReleaseId, ReleaseStatus, Stage},
};

/// What has become of a stage after what ran in it was stopped: its last runs by ListActionExecutions, their deployments and
/// the rollbacks of these by BatchGetDeployments, and the way back as it is told to an alarm.
///
/// # Errors
/// When any of it cannot be read.
pub async fn remains(
    adapters: &Adapters,
    place: &Stage,
    release: &ReleaseId,
    now: Timestamp,
) -> Result<Remains, AwsError> {
    let unnamed = || AwsError::unreadable("belay:gather", release, "it names no execution");
    let execution = release.execution().ok_or_else(unnamed)?;
    let what_users_have = Waiting::default();
    let (runs, standing) = tokio::join!(
        adapters.codepipeline.actions(&place.pipeline, execution),
        Box::pin(stage(adapters, place, &what_users_have, now)),
    );
    let mut newest: BTreeMap<String, ActionRun> = BTreeMap::new();
    for run in runs? {
        let deploys = run.stage == place.stage && run.detail.category.as_deref() == Some("Deploy");
        if deploys && newest.get(&run.action).is_none_or(|other| other.started < run.started) {
            newest.insert(run.action.clone(), run);
        }
    }
    let by_codedeploy: BTreeMap<ReleaseId, String> = newest
        .values()
        .flat_map(|run| {
            let ids = deployments(std::slice::from_ref(run), |_| true);
            ids.into_iter().map(|id| (id, run.action.clone()))
        })
        .collect();
    let ids: Vec<ReleaseId> = by_codedeploy.keys().cloned().collect();
    let deployed = adapters.codedeploy.described(&ids).await?;
    let rollbacks: Vec<ReleaseId> = deployed.iter().filter_map(|one| one.rolled_back_by.clone()).collect();
    let rollbacks = adapters.codedeploy.described(&rollbacks).await?;
    let by_codedeploys = deployed.iter().filter_map(|one| {
        let names = |rollback: &&Release| Some(&rollback.id) == one.rolled_back_by.as_ref();
        Some(Rest::Deployed {
            action: by_codedeploy.get(&one.id)?.clone(),
            deployment: Box::new(one.clone()),
            rollback: rollbacks.iter().find(names).cloned().map(Box::new),
        })
    });
    let others = newest.values().filter(|run| !by_codedeploy.values().any(|action| *action == run.action));
    let others =
        others.map(|run| Rest::Otherwise { action: run.action.clone(), runs: run.status == "InProgress" });
    let rest: Vec<Rest> = by_codedeploys.chain(others).collect();
    let (mut moves, mut actions) = left_of(&rest, now);
    let mut followed_by = None;
    let mut back = standing.back;
    let began = newest.values().map(|run| run.started).max();
    match standing.latest.known() {
        Err(why) => back = Observed::Missing { why: why.to_owned() },
        Ok(Some(latest)) if latest.id == *release => {}
        // Where one waits in the stage, the one before it is looked for by its start, which may be an older one's.
        Ok(Some(latest)) if began.is_some_and(|began| latest.created_at <= began) => {
            let why = format!("the stage shows {} in its place.", latest.id);
            back = Observed::Known { value: Back::Nowhere { why }, at: now };
        }
        // Somebody rolled the stage back by hand.
        Ok(Some(latest)) if latest.is_rollback() && latest.status.phase() == Phase::Running => moves = true,
        Ok(Some(latest)) if latest.is_rollback() && latest.status == ReleaseStatus::Succeeded => {
            actions.clear();
        }
        Ok(latest) => followed_by = latest.as_ref().map(|latest| latest.id.clone()),
    }
    if !moves && !actions.is_empty() && followed_by.is_none() {
        let mut first: BTreeMap<&DeploymentGroup, Timestamp> = BTreeMap::new();
        for (group, at) in deployed.iter().filter_map(|one| Some((one.group()?, one.created_at))) {
            first.entry(group).and_modify(|first| *first = at.min(*first)).or_insert(at);
        }
        for (group, since) in first {
            followed_by = followed(adapters, group, since, &deployed, now).await?;
            if followed_by.is_some() {
                break;
            }
        }
    }
    Ok(Remains { moves, actions, followed: followed_by, back })
}

/// What has been released in a group since, and is neither one of `ours` nor a rollback of one. What failed or was stopped
/// changed nothing for users.
///
/// # Errors
/// When CodeDeploy does not tell.
pub async fn followed(
    adapters: &Adapters,
    group: &DeploymentGroup,
    since: Timestamp,
    ours: &[Release],
    now: Timestamp,
) -> Result<Option<ReleaseId>, AwsError> {
    let later = adapters.codedeploy.releases_between(group, since, now).await?;
    let follows = |one: &Release| {
        one.created_at > since
            && ours.iter().all(|ours| ours.id != one.id && one.rolls_back.as_ref() != Some(&ours.id))
            && !matches!(one.status, ReleaseStatus::Failed | ReleaseStatus::Stopped)
    };
    Ok(later.into_iter().rfind(follows).map(|one| one.id))
}
