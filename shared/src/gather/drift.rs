//! What is known of a stack that was looked at for drift.

use std::collections::BTreeMap;

use futures_util::future::try_join_all;
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use crate::{
    appspec::AppSpec,
    aws::{Adapters, AwsError},
    drift::{
        Drift, DriftedResource, How, MOVED_KINDS, Moved, PropertyDrift, StackCheck, StackEvidence,
        StackHappening, UncheckedResource, UndoneRelease,
    },
    evidence::{Observed, Undone},
    mask::{MASKED, is_environment, mask, mask_named},
    policy::{Policy, Service},
    release::{Place, Release, Revision, ServiceName},
};

/// Gathers what the decision about a stack needs: nothing for one that the policy does not name.
pub async fn gather(
    adapters: &Adapters,
    policy: &Policy,
    check: &StackCheck,
    now: Timestamp,
) -> StackEvidence {
    let missing = || "it was not asked for".to_owned();
    if !policy.drift().is_some_and(|rule| rule.names(check.stack.name())) {
        return StackEvidence {
            drift: Observed::Missing { why: missing() },
            told: Observed::Missing { why: missing() },
            undone: Vec::new(),
            unsure: None,
        };
    }
    let (drift, told) = tokio::join!(
        async {
            match check.what {
                StackHappening::Detected { .. } => {
                    let found = adapters.sources.drift().drift(&check.stack).await;
                    Observed::from_result(found.map(presentable), now)
                }
                StackHappening::Refused { .. }
                | StackHappening::NeverEnded { .. }
                | StackHappening::NotItsTurn { .. } => Observed::Missing { why: missing() },
            }
        },
        adapters.ledger.stack_told(&check.stack, now),
    );
    let told = Observed::from_result(told, now);
    let may_be_moved = drift.known().is_ok_and(|drift| {
        drift.resources.iter().any(|one| MOVED_KINDS.contains(&one.resource.kind.as_str()))
    });
    let (undone, unsure) = if may_be_moved {
        match undone(adapters, policy, check, now).await {
            Ok(undone) => (undone, None),
            Err(error) => (Vec::new(), Some(error.to_string())),
        }
    } else {
        (Vec::new(), None)
    };
    StackEvidence { drift, told, undone, unsure }
}

/// The last releases that Belay undid after the stack was last updated, of every service.
async fn undone(
    adapters: &Adapters,
    policy: &Policy,
    check: &StackCheck,
    now: Timestamp,
) -> Result<Vec<UndoneRelease>, AwsError> {
    let Some((_, updated)) = adapters.sources.drift().changed(&check.stack).await? else {
        return Ok(Vec::new());
    };
    let mut last: BTreeMap<ServiceName, Undone> = BTreeMap::new();
    for (service, undone) in adapters.ledger.all_taken_back(updated, now).await? {
        match last.get(&service) {
            Some(known) if known.at >= undone.at => {}
            _ if undone.at <= updated => {}
            Some(_) | None => drop(last.insert(service, undone)),
        }
    }
    // Of this account's services: the ledger holds those of all accounts.
    let guarded = last.iter().filter_map(|(name, undone)| Some((policy.service(name)?, undone)));
    let each = guarded.map(async |(service, last)| {
        let newest = adapters.ledger.releases_of(&service.name, 1, now).await?.into_iter().next();
        // Another one has followed it: what there is now is that one's.
        if newest.is_some_and(|newest| newest.release != last.release) {
            return Ok(None);
        }
        let moved = Observed::from_result(moved(adapters, service, last).await, now);
        let Undone { release, at } = last.clone();
        Ok(Some(UndoneRelease { service: service.name.clone(), release, at, moved }))
    });
    let all: Vec<_> = try_join_all(each).await?;
    Ok(all.into_iter().flatten().collect())
}

/// What a release had moved, by its AppSpec or by its deployment group.
async fn moved(adapters: &Adapters, service: &Service, undone: &Undone) -> Result<Moved, String> {
    if undone.release.execution().is_some() {
        return Err("a pipeline does not say what its stage moves".to_owned());
    }
    let release = adapters.codedeploy.deployment(&undone.release).await.map_err(|error| error.to_string())?;
    let Release { place, revision, .. } = &release;
    let Place::Group(group) = place else {
        return Err("it is no deployment of CodeDeploy".to_owned());
    };
    if !service.deployed_by.contains(place) {
        return Err(format!("it was deployed by {place}, which the policy does not name any more"));
    }
    if let Revision::AppSpec { sha256 } = revision {
        let text = adapters.codedeploy.app_spec(group, sha256).await.map_err(|error| error.to_string())?;
        if let AppSpec::Lambda { function, alias, .. } = AppSpec::read(&text)? {
            return Ok(Moved::Alias { function, alias });
        }
    }
    match adapters.codedeploy.ecs_service(group).await.map_err(|error| error.to_string())? {
        Some((cluster, service)) => Ok(Moved::EcsService { cluster, service }),
        None => Err(format!("the deployment group {group} names no ECS service, and its AppSpec no alias")),
    }
}

/// The longest value that is shown, in characters.
const SHOWN: usize = 120;
/// The longest of CloudFormation's own sentences.
const SENTENCE: usize = 400;

/// Drift as it may be shown and stored: without secrets, cut short, with digests of the values as they are.
fn presentable(drift: Drift) -> Drift {
    let Drift { resources, unchecked } = drift;
    let resources = resources.into_iter().map(|DriftedResource { resource, how }| {
        let how = match how {
            How::Deleted => How::Deleted,
            How::Modified(properties) => How::Modified(properties.into_iter().map(property).collect()),
        };
        DriftedResource { resource, how }
    });
    let unchecked = unchecked.into_iter().map(|UncheckedResource { resource, why }| UncheckedResource {
        resource,
        why: cut(&mask(&why), SENTENCE),
    });
    Drift { resources: resources.collect(), unchecked: unchecked.collect() }
}

fn property(property: PropertyDrift) -> PropertyDrift {
    let PropertyDrift { path, kind, expected, actual, digest: _ } = property;
    let mut hasher = Sha256::new();
    for part in [&path, &expected, &actual] {
        hasher.update(part.len().to_be_bytes());
        hasher.update(part);
    }
    let digest = hex::encode(&hasher.finalize()[..8]);
    let (expected, actual) = (value(&path, &expected), value(&path, &actual));
    PropertyDrift { path, kind, expected, actual, digest }
}

/// A value for people. Environment variables are never shown, since nothing tells which of them are secrets; of the
/// others, what the property's name or the value's own form says is one.
fn value(path: &str, value: &str) -> String {
    if value.is_empty() {
        return "nothing".to_owned();
    }
    if path.split('/').any(is_environment) {
        return MASKED.to_owned();
    }
    let name = path.rsplit('/').find(|step| step.parse::<usize>().is_err()).unwrap_or_default();
    cut(&mask_named(name, value), SHOWN)
}

fn cut(text: &str, longest: usize) -> String {
    if text.chars().count() <= longest {
        return text.to_owned();
    }
    let kept: String = text.chars().take(longest - 1).collect();
    format!("{kept}…")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_shown_without_their_secrets_and_cut_short() {
        for (path, found, shown) in [
            ("/Timeout", "30", "30"),
            ("/VpcConfig/SubnetIds/0", "", "nothing"),
            ("/Environment/Variables/LEVEL", "debug", MASKED),
            ("/ContainerDefinitions/0/Environment/2/Value", "plain", MASKED),
            ("/MasterUserPassword", "hunter2", MASKED),
            ("/Tags/0/Value", "AKIAIOSFODNN7EXAMPLE", MASKED),
            (
                "/ContainerDefinitions/1",
                r#"{"Name":"sidecar","Environment":[{"Name":"LEVEL","Value":"debug"}],"Image":"i"}"#,
                r#"{"Environment":"[masked]","Image":"i","Name":"sidecar"}"#,
            ),
            (
                "/Parameters",
                r#"[{"ParameterKey":"DbPassword","ParameterValue":"hunter2"},{"ParameterKey":"Tag","ParameterValue":"v1"}]"#,
                r#"[{"ParameterKey":"DbPassword","ParameterValue":"[masked]"},{"ParameterKey":"Tag","ParameterValue":"v1"}]"#,
            ),
            ("/Policy", r#"{"password":"p4ss","user":"ci"}"#, r#"{"password":"[masked]","user":"ci"}"#),
        ] {
            assert_eq!(value(path, found), shown, "{path}");
        }
        let long = value("/Description", &"é".repeat(500));
        assert_eq!(long.chars().count(), SHOWN);
        assert!(long.ends_with('…'));
    }

    #[test]
    fn digests_tell_masked_values_apart() {
        let drift = |actual: &str| {
            property(PropertyDrift {
                path: "/MasterUserPassword".to_owned(),
                kind: crate::drift::DifferenceKind::NotEqual,
                expected: "one".to_owned(),
                actual: actual.to_owned(),
                digest: String::new(),
            })
        };
        let (two, three) = (drift("two"), drift("three"));
        assert_eq!((two.actual.as_str(), three.actual.as_str()), (MASKED, MASKED));
        assert_ne!(two.digest, three.digest);
        assert_eq!(two, drift("two"));
    }
}
