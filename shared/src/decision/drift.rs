//! A stack was looked at: whether people are told, and what.
//!
//! | the stack | and was told of before | then |
//! | --- | --- | --- |
//! | is not named by the policy | | ignored |
//! | was looked at again since | | ignored |
//! | is as its template says | never | ignored, and remembered |
//! | is in the state that was told | | ignored |
//! | is in any other state | | told, once |
//!
//! The state is what has drifted, property by property with its values, and what could not be checked. What every
//! release of CodeDeploy moves is no drift: an alias's version and weights, an ECS service's task definition and target
//! groups, a listener's target groups (CloudFormation calls all of them MODIFIED). Unless Belay undid the service's last
//! release after the stack was last updated: then the template says what was taken back, and people must know.

use crate::{
    decision::{Decision, Urgency, Verdict},
    drift::{
        DriftedResource, How, MOVED_KINDS, PropertyDrift, ResourceName, StackCheck, StackEvidence,
        StackHappening, StackTold, UndoneRelease, fingerprint,
    },
    evidence::Observed,
    policy::Policy,
    reason::{Reason, Reasons},
    release::ServiceName,
};

/// A decision about a stack, and what is to be remembered of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// What is to happen.
    pub decision: Decision,
    /// What is told of the stack by now.
    pub told: Option<StackTold>,
    /// The key of the message: the same for everybody who judges this change of the stack's state, whatever detection
    /// showed it to them.
    pub message: Option<String>,
}

/// So many differences are told one by one: a message of Slack's holds fifty blocks, and nobody reads more.
const TOLD: usize = 20;

/// Decides what a look at a stack means.
pub fn decide(policy: &Policy, evidence: &StackEvidence, check: &StackCheck) -> Judged {
    let stack = &check.stack;
    if !policy.drift().is_some_and(|rule| rule.names(stack.name())) {
        return ignore(Reason::StackNotNamed { stack: stack.clone() }, None);
    }
    let told = match &evidence.told {
        Observed::Known { value, .. } => value.as_ref(),
        Observed::Missing { why } => return look_again("what was told of the stack before", why),
    };
    if let Some(told) = told
        && check.at < told.as_of
    {
        return ignore(Reason::DetectionCameLate { as_of: told.as_of }, None);
    }
    let state = match &check.what {
        StackHappening::Detected { failed, .. } => match &evidence.drift {
            Observed::Missing { why } => return look_again("what has drifted", why),
            Observed::Known { value, .. } => {
                let found = Found { evidence, resources: &value.resources };
                found.state(check, value, *failed, told)
            }
        },
        StackHappening::Refused { code, why } => not_checked(check, code, why.clone()),
        StackHappening::NeverEnded { since } => {
            let why = format!("the detection that was started at {since:.0} has not ended");
            not_checked(check, "never ended", why)
        }
        StackHappening::NotItsTurn { since, why } => {
            let kept = why.as_deref().unwrap_or("it was not its turn, or CloudFormation took no more calls");
            not_checked(check, "not its turn", format!("it has waited since {since:.0}: {kept}"))
        }
    };
    let same = told.is_some_and(|told| told.fingerprint == state.fingerprint);
    let turn = told.map_or(0, |told| told.turn);
    if let (true, Some(told)) = (same, told) {
        let told = StackTold { as_of: check.at, ..told.clone() };
        return ignore(Reason::StackUnchanged { since: told.since }, Some(told));
    }
    if state.in_sync && told.is_none() {
        let told = StackTold { turn, fingerprint: state.fingerprint, since: check.at, as_of: check.at };
        return ignore(state.reasons.first().clone(), Some(told));
    }
    let turn = turn.saturating_add(1);
    let message = format!("drift/{turn}/{}", state.fingerprint);
    let verdict = Verdict::Notify(Urgency::Calm);
    Judged {
        decision: Decision::plain(state.service.as_ref(), None, verdict, state.reasons),
        told: Some(StackTold { turn, fingerprint: state.fingerprint, since: check.at, as_of: check.at }),
        message: Some(message),
    }
}

/// A stack's state, as it would be told.
struct State {
    reasons: Reasons,
    fingerprint: String,
    in_sync: bool,
    /// The service whose release's undo left something so.
    service: Option<ServiceName>,
}

fn not_checked(check: &StackCheck, kind: &str, why: String) -> State {
    State {
        reasons: Reason::StackNotChecked { stack: check.stack.clone(), why }.into(),
        fingerprint: fingerprint(["not checked", kind]),
        in_sync: false,
        service: None,
    }
}

/// What a detection found.
struct Found<'a> {
    evidence: &'a StackEvidence,
    resources: &'a [DriftedResource],
}

impl Found<'_> {
    fn state(
        &self,
        check: &StackCheck,
        drift: &crate::drift::Drift,
        failed: bool,
        told: Option<&StackTold>,
    ) -> State {
        let (mut differences, mut by_undo, mut service) = (Vec::new(), Vec::new(), None);
        let mut parts: Vec<String> = Vec::new();
        let (mut drifted, mut moved) = (0, 0);
        for DriftedResource { resource, how } in self.resources {
            let before = differences.len();
            match how {
                How::Deleted => {
                    parts.push(format!("{}/deleted", resource.logical));
                    differences.push(Reason::ResourceDeleted { resource: resource.clone() });
                }
                How::Modified(properties) => {
                    let told = properties.iter().filter(|property| self.counts(resource, property));
                    for property in told {
                        let PropertyDrift { path, digest, .. } = property;
                        parts.push(format!("{}{path}/{digest}", resource.logical));
                        let (resource, property) = (resource.clone(), property.clone());
                        differences.push(Reason::PropertyDrifted { resource, property });
                    }
                }
            }
            if differences.len() == before {
                moved += 1;
                continue;
            }
            drifted += 1;
            if let Some(undone) = self.undone(resource) {
                service = service.or_else(|| Some(undone.service.clone()));
                by_undo.push(Reason::LeftByUndo {
                    resource: resource.clone(),
                    service: undone.service.clone(),
                    release: undone.release.clone(),
                    at: undone.at,
                });
            } else if let Some(why) = self.in_doubt(resource) {
                by_undo.push(Reason::UndoUnknown { resource: resource.clone(), why });
            }
        }
        let unchecked: Vec<Reason> = drift
            .unchecked
            .iter()
            .map(|one| {
                parts.push(format!("{}/unchecked", one.resource.logical));
                Reason::ResourceUnchecked { resource: one.resource.clone(), why: one.why.clone() }
            })
            .collect();
        let incomplete = failed && unchecked.is_empty();
        if incomplete {
            parts.push("incomplete".to_owned());
        }
        let stack = check.stack.clone();
        let whole = unchecked.is_empty() && !incomplete;
        let first = match (drifted, whole) {
            (0, true) => Reason::StackInSync { stack, not_since: told.map(|told| told.since) },
            (0, false) => Reason::StackPartlyChecked { stack },
            (resources, _) => Reason::StackDrifted { stack, resources, before: told.map(|told| told.since) },
        };
        // What an undo left is never what is cut.
        let count = differences.len();
        let mut rest = by_undo;
        rest.extend(differences.into_iter().take(TOLD));
        if count > TOLD {
            rest.push(Reason::MoreDrift { count: count - TOLD });
        }
        let unread = unchecked.len();
        rest.extend(unchecked.into_iter().take(TOLD));
        if unread > TOLD {
            rest.push(Reason::MoreDrift { count: unread - TOLD });
        }
        rest.extend(incomplete.then_some(Reason::DetectionIncomplete));
        rest.extend((moved > 0 && drifted > 0).then_some(Reason::MovedByReleases { resources: moved }));
        // In which order CloudFormation names them is its own affair.
        parts.sort_unstable();
        State {
            reasons: Reasons::new(first, rest),
            fingerprint: fingerprint(parts.iter().map(String::as_str)),
            in_sync: drifted == 0 && whole,
            service,
        }
    }

    /// Whether a difference is drift. In doubt it is.
    fn counts(&self, resource: &ResourceName, property: &PropertyDrift) -> bool {
        !is_moved(&resource.kind, &property.path)
            || self.undone(resource).is_some()
            || self.in_doubt(resource).is_some()
    }

    fn undone(&self, resource: &ResourceName) -> Option<&UndoneRelease> {
        let moved = |undone: &&UndoneRelease| undone.moved.known().is_ok_and(|moved| moved.is(resource));
        self.evidence.undone.iter().find(moved)
    }

    /// Why it is not known whether an undo left a resource so, if it could have.
    fn in_doubt(&self, resource: &ResourceName) -> Option<String> {
        if !MOVED_KINDS.contains(&resource.kind.as_str()) {
            return None;
        }
        let unread = self.evidence.undone.iter().find_map(|undone| {
            let why = undone.moved.known().err()?;
            Some(format!(
                "Belay undid {} ({}) at {:.0}, and what it had moved could not be learnt: {why}",
                undone.release, undone.service, undone.at
            ))
        });
        unread.or_else(|| self.evidence.unsure.clone())
    }
}

/// What a release of CodeDeploy's moves: differences there are its work, not somebody's.
fn is_moved(kind: &str, path: &str) -> bool {
    let below = |top: &str| path == top || path.strip_prefix(top).is_some_and(|rest| rest.starts_with('/'));
    match kind {
        "AWS::Lambda::Alias" => below("/FunctionVersion") || below("/RoutingConfig"),
        "AWS::ECS::Service" => {
            below("/TaskDefinition") || (below("/LoadBalancers") && path.ends_with("/TargetGroupArn"))
        }
        "AWS::ElasticLoadBalancingV2::Listener" => below("/DefaultActions") && path.contains("TargetGroup"),
        "AWS::ElasticLoadBalancingV2::ListenerRule" => below("/Actions") && path.contains("TargetGroup"),
        _ => false,
    }
}

fn look_again(what: &str, why: &str) -> Judged {
    let reason = Reason::CouldNotLearn { what: what.to_owned(), why: why.to_owned() };
    Judged {
        decision: Decision::plain(None, None, Verdict::LookAgain, reason.into()),
        told: None,
        message: None,
    }
}

fn ignore(reason: Reason, told: Option<StackTold>) -> Judged {
    Judged { decision: Decision::plain(None, None, Verdict::Ignore, reason.into()), told, message: None }
}
