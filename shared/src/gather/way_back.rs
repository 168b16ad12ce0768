//! What an undo of a release would go back to, and how.

use jiff::{SignedDuration, Timestamp};

use crate::{
    appspec::AppSpec,
    aws::{Adapters, AwsError},
    evidence::{Back, Observed, Redeploy, Sent, Target, Way},
    ledger::{BLAMED_FOR, EffectState, ReleaseLedger},
    release::{DeploymentGroup, Platform, Release, ReleaseId, Revision, no_rollback},
};

/// The AppSpec of a release: its text, or why there is none to read.
pub(super) enum Spec {
    /// This.
    Text(String),
    /// The release has none, or CodeDeploy does not know it any more.
    None,
    /// It could not be read.
    Unread(AwsError),
}

/// Reads the AppSpec of a release, if it has one.
pub(super) async fn spec(adapters: &Adapters, group: &DeploymentGroup, revision: &Revision) -> Spec {
    let Revision::AppSpec { sha256 } = revision else {
        return Spec::None;
    };
    match adapters.codedeploy.app_spec(group, sha256).await {
        Ok(text) => Spec::Text(text),
        Err(error) if error.is("RevisionDoesNotExistException") => Spec::None,
        Err(error) => Spec::Unread(error),
    }
}

/// Why a release must not be rolled back, if its owners marked it so: in its deployment's description or in its
/// AppSpec.
pub(super) fn marked(release: &Release, spec: &Spec, now: Timestamp) -> Observed<Option<String>> {
    let described = release.description.as_deref().and_then(no_rollback);
    let value = match (described, spec) {
        (Some(why), _) => Some(why),
        (None, Spec::Text(text)) => no_rollback(text),
        (None, Spec::None) => None,
        (None, Spec::Unread(error)) => return Observed::Missing { why: error.to_string() },
    };
    Observed::Known { value, at: now }
}

/// While a release runs: CodeDeploy goes back to the newest deployment that ended well, by the group's own account.
/// While the release runs that cannot be the release itself.
pub(super) async fn while_it_runs(
    adapters: &Adapters,
    release: &ReleaseId,
    last_successful: Result<Option<ReleaseId>, AwsError>,
    now: Timestamp,
) -> Observed<Back> {
    let nowhere = |why: String| Observed::Known { value: Back::Nowhere { why }, at: now };
    let id = match last_successful {
        Err(error) => return Observed::Missing { why: error.to_string() },
        Ok(None) => return nowhere("no deployment of this group has succeeded before.".to_owned()),
        Ok(Some(id)) if id == *release => {
            return Observed::Missing {
                why: "the last deployment that succeeded is the release itself".to_owned(),
            };
        }
        Ok(Some(id)) => id,
    };
    let (found, ledger) =
        tokio::join!(adapters.codedeploy.deployment(&id), adapters.ledger.release(&id, now));
    match ledger {
        Err(error) => return Observed::Missing { why: error.to_string() },
        Ok(ledger) => {
            if let Some(why) = not_good(&id, &ledger, now) {
                return nowhere(why);
            }
        }
    }
    let good = match found {
        Err(error) => return Observed::Missing { why: error.to_string() },
        Ok(good) => good,
    };
    let revision = match named(adapters, &good).await {
        Err(error) if error.is("RevisionDoesNotExistException") => {
            return nowhere(format!("the revision that {id} deployed does not exist any more."));
        }
        Err(error) => return Observed::Missing { why: error.to_string() },
        Ok(name) => name,
    };
    let target = Target::KnownGood { deployment: id.to_string(), revision };
    Observed::Known { value: Back::To { target, way: Way::Stop }, at: now }
}

/// A revision's name for people. An AppSpec is read for it, which also tells whether it is still there.
async fn named(adapters: &Adapters, release: &Release) -> Result<String, AwsError> {
    match (&release.revision, release.group()) {
        (Revision::AppSpec { sha256 }, Some(group)) => {
            let text = adapters.codedeploy.app_spec(group, sha256).await?;
            Ok(AppSpec::read(&text).map_or_else(|_| release.revision.to_string(), |spec| spec.to_string()))
        }
        (revision, _) => Ok(revision.to_string()),
    }
}

/// Once a release has ended well: the newest deployment before it that ended well, brought something else, and was
/// neither taken back nor blamed, is deployed again.
pub(super) async fn once_it_ended(
    adapters: &Adapters,
    group: &DeploymentGroup,
    release: &Release,
    spec: &Spec,
    now: Timestamp,
) -> Observed<Back> {
    let nowhere = |why: String| Observed::Known { value: Back::Nowhere { why }, at: now };
    let mut why_not = "no deployment of this group has succeeded before it.".to_owned();
    let mut before = release.created_at;
    let mut looked_at = 0;
    // A good one of last week counts where all of today's are bad.
    for days in LOOKS_BACK {
        let since = release.created_at.checked_sub(SignedDuration::from_hours(24 * days));
        let since = since.unwrap_or(Timestamp::MIN);
        let candidates = match adapters.codedeploy.succeeded_between(group, since, before).await {
            Err(error) => return Observed::Missing { why: error.to_string() },
            Ok(candidates) => candidates,
        };
        before = since;
        for good in candidates {
            if looked_at == CANDIDATES {
                return nowhere(why_not);
            }
            looked_at += 1;
            if good.revision == release.revision {
                why_not = format!("what {} deployed before it is the same revision.", good.id);
                continue;
            }
            match adapters.ledger.release(&good.id, now).await {
                Err(error) => return Observed::Missing { why: error.to_string() },
                Ok(ledger) => {
                    if let Some(why) = not_good(&good.id, &ledger, now) {
                        why_not = why;
                        continue;
                    }
                }
            }
            return match redeploy(adapters, group, release, spec, &good).await {
                Ok(Ok((redeploy, revision))) => {
                    let target = Target::KnownGood { deployment: good.id.to_string(), revision };
                    let way = Way::Redeploy(Box::new(redeploy));
                    Observed::Known { value: Back::To { target, way }, at: now }
                }
                Ok(Err(why)) => nowhere(why),
                Err(error) => Observed::Missing { why: error.to_string() },
            };
        }
    }
    nowhere(why_not)
}

/// What a release of a deployment group that is over could be taken back to.
pub async fn way_back(adapters: &Adapters, release: &Release, now: Timestamp) -> Observed<Back> {
    match release.group() {
        None => Observed::Missing { why: format!("{} is no deployment of CodeDeploy", release.id) },
        Some(group) => {
            let spec = spec(adapters, group, &release.revision).await;
            once_it_ended(adapters, group, release, &spec, now).await
        }
    }
}

/// So many deployments are looked at for a good one.
const CANDIDATES: usize = 5;

/// In this order, until one is found: days before the release began.
const LOOKS_BACK: [i64; 4] = [1, 7, 30, 90];

/// The deployment that takes `release` back to `good`; the inner error says why there is none.
async fn redeploy(
    adapters: &Adapters,
    group: &DeploymentGroup,
    release: &Release,
    spec: &Spec,
    good: &Release,
) -> Result<Result<(Redeploy, String), String>, AwsError> {
    let (revision, name) = match &good.revision {
        Revision::AppSpec { sha256 } => {
            let text = match adapters.codedeploy.app_spec(group, sha256).await {
                Ok(text) => text,
                Err(error) if error.is("RevisionDoesNotExistException") => {
                    return Ok(Err(format!(
                        "the revision that {} deployed does not exist any more.",
                        good.id
                    )));
                }
                Err(error) => return Err(error),
            };
            let bad = match spec {
                Spec::Text(bad) => bad,
                Spec::Unread(error) => return Err(error.clone()),
                Spec::None => {
                    return Ok(Err(format!(
                        "the release's own AppSpec is gone, so what {} is at is not known.",
                        release.id
                    )));
                }
            };
            match AppSpec::back(&text, bad) {
                Ok(back) => {
                    let name = AppSpec::read(&back)
                        .map_or_else(|_| good.revision.to_string(), |spec| spec.to_string());
                    (Sent::AppSpec(back), name)
                }
                Err(why) => return Ok(Err(format!("{why}."))),
            }
        }
        location @ (Revision::S3 { .. } | Revision::GitHub { .. }) => {
            if let Some(why) = fixed(&release.platform, &good.id, location) {
                return Ok(Err(why));
            }
            (Sent::Location(location.clone()), location.to_string())
        }
        Revision::Named(name) => {
            return Ok(Err(format!("CodeDeploy does not say what {} deployed ({name}).", good.id)));
        }
    };
    // All at once, as CodeDeploy's own rollbacks: users are hurt already. On servers the group's own configuration
    // says how many may be out of service.
    let config = match release.platform {
        Platform::Lambda => Some("CodeDeployDefault.LambdaAllAtOnce".to_owned()),
        Platform::Ecs => Some("CodeDeployDefault.ECSAllAtOnce".to_owned()),
        Platform::Server | Platform::Pipeline | Platform::Unrecognised(_) => None,
    };
    Ok(Ok((Redeploy { group: group.clone(), revision, config }, name)))
}

/// Why what a release of Lambda deployed cannot be deployed again from where it lies: its AppSpec names the version that the
/// alias had then, and CodeDeploy refuses one that it has not now.
fn fixed(platform: &Platform, good: &ReleaseId, location: &Revision) -> Option<String> {
    (*platform == Platform::Lambda).then(|| {
        format!(
            "the AppSpec that {good} deployed lies in {location}, and names the version that the alias had then: CodeDeploy would refuse it now. Deploy the version before with a new AppSpec."
        )
    })
}

/// Why a release that succeeded is nothing to go back to all the same, if Belay knows a reason.
pub(super) fn not_good(id: &ReleaseId, ledger: &ReleaseLedger, now: Timestamp) -> Option<String> {
    if ledger.undo.as_ref().is_some_and(|undo| undo.state != EffectState::Overtaken) {
        return Some(format!("the last deployment that succeeded, {id}, was itself to be taken back."));
    }
    let (alarm, at) = ledger.blamed_by.as_ref()?;
    if now.duration_since(*at) > BLAMED_FOR {
        return None;
    }
    Some(format!(
        "the last deployment that succeeded, {id}, had its alarm {alarm} go off when it had finished."
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_app_spec_that_lies_in_s3_cannot_be_deployed_again_to_lambda() {
        let location = Revision::S3 {
            bucket: "specs".to_owned(),
            key: "orders.yaml".to_owned(),
            bundle_type: Some("YAML".to_owned()),
            version: None,
            e_tag: None,
        };
        let why = |platform| fixed(&platform, &"d-1".into(), &location);
        let said = why(Platform::Lambda).unwrap();
        assert!(said.contains("d-1") && said.contains("s3://specs/orders.yaml"), "{said}");
        assert_eq!((why(Platform::Ecs), why(Platform::Server)), (None, None));
    }
}
