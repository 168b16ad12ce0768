//! AWS CodeDeploy: applications, groups, deployments.
//!
//! `evolution` moves deployments through time, `operations`, `listing` and `targets` answer
//! the API, `breaking` lets deployments fail for a reason, `undoing` stops, fails and rolls back.

use std::collections::BTreeMap;

pub(crate) mod breaking;
pub(crate) mod deployment;
mod evolution;
pub(crate) mod group;
pub(crate) mod lifecycle;
mod listing;
mod operations;
pub(crate) mod revision;
pub(crate) mod shifting;
mod starting;
mod targets;
mod undoing;

use deployment::Deployment;
use group::GroupState;
use revision::Revision;
pub(crate) use starting::Wishes;

/// How StopDeployment answers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum StopAnswer {
    /// Stopped when the answer is given.
    #[default]
    Succeeded,
    /// Accepted; the deployment stops ten seconds later.
    Pending,
}

/// The state of the service.
#[derive(Debug, Default)]
pub(crate) struct CodeDeploy {
    /// By name: unique across applications here.
    pub(crate) groups: BTreeMap<String, GroupState>,
    pub(crate) deployments: BTreeMap<String, Deployment>,
    /// Deployment ids, oldest first.
    pub(crate) order: Vec<String>,
    /// Application → its registered revisions.
    pub(crate) revisions: BTreeMap<String, Vec<Revision>>,
    pub(crate) stop_answer: StopAnswer,
    /// What a script lets go wrong in the next deployments of a group, in the order of its wishes.
    pub(crate) broken: Vec<breaking::Broken>,
    /// Whether automatic rollbacks do not follow where they should.
    pub(crate) forgets_rollbacks: bool,
}

impl CodeDeploy {
    pub(crate) fn group(&self, name: &str) -> &GroupState {
        self.groups.get(name).unwrap_or_else(|| panic!("no deployment group {name:?} was created"))
    }

    /// The group's deployment that is not over, if any: there is never more than one.
    pub(crate) fn running(&self, group: &str) -> Option<&Deployment> {
        self.groups[group]
            .deployments
            .iter()
            .map(|id| &self.deployments[id])
            .find(|deployment| !deployment.status.is_over())
    }

    /// The newest deployment of the group that succeeded, rollbacks included.
    pub(crate) fn last_successful(&self, group: &str) -> Option<&Deployment> {
        self.groups[group]
            .deployments
            .iter()
            .rev()
            .map(|id| &self.deployments[id])
            .find(|deployment| deployment.status == deployment::DeploymentStatus::Succeeded)
    }
}
