//! How deployments come to be.

use jiff::Timestamp;
use serde_json::Value;

use super::deployment::{Deployment, DeploymentStatus};
use super::group::{AutoRollback, Group, GroupAlarms, GroupState, Routing};
use super::lifecycle::{self, EventStatus, LifecycleEvent};
use super::revision::{self, BEFORE_THE_FIRST, Revision};
use super::shifting::Shifting;
use crate::refusal::Refusal;
use crate::stamps;
use crate::world::World;

/// What CreateDeployment may say beyond group and revision.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wishes {
    pub(crate) creator: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) config: Option<(String, Shifting)>,
    pub(crate) auto_rollback: Option<AutoRollback>,
    pub(crate) override_alarms: Option<GroupAlarms>,
    pub(crate) rolls_back: Option<String>,
}

impl World {
    /// Adds a group. Its baseline, if any, was deployed a day ago.
    pub(crate) fn create_group(&mut self, settings: Group) {
        let name = settings.name.clone();
        assert!(
            !self.code_deploy.groups.contains_key(&name),
            "the simulator addresses groups by name: {name:?} exists"
        );
        let baseline = settings.baseline.clone();
        let state = GroupState {
            id: self.chance.uuid(),
            routing: Routing { old: BEFORE_THE_FIRST.to_owned(), new: None },
            deployments: Vec::new(),
            settings,
        };
        self.code_deploy.revisions.entry(state.settings.application.clone()).or_default();
        self.code_deploy.groups.insert(name.clone(), state);
        if let Some(label) = baseline {
            let ended = self.now - stamps::minutes(24 * 60);
            let began = ended - stamps::minutes(10);
            let id = self
                .create_labelled(&name, &label, Wishes::default(), began)
                .expect("nothing runs in a new group");
            let deployment = self.deployment_mut(&id);
            deployment.status = DeploymentStatus::Succeeded;
            deployment.started = Some(began);
            deployment.completed = Some(ended);
            deployment.last_updated = ended;
            for event in &mut deployment.events {
                event.status = EventStatus::Succeeded;
                event.started = Some(began);
                event.ended = Some(ended);
            }
            self.group_mut(&name).routing.old = label;
        }
    }

    /// Deploys a revision by its label, as the group's pipeline would.
    pub(crate) fn create_labelled(
        &mut self,
        group: &str,
        label: &str,
        wishes: Wishes,
        at: Timestamp,
    ) -> Result<String, Refusal> {
        let state = self.code_deploy.group(group);
        let sent = revision::revision_for(&state.settings, &state.routing.old, label);
        self.create_deployment(group, &sent, Some(label), wishes, at)
    }

    /// Registers the revision and creates the deployment. One at a time per group.
    pub(crate) fn create_deployment(
        &mut self,
        group: &str,
        sent: &Value,
        label: Option<&str>,
        wishes: Wishes,
        at: Timestamp,
    ) -> Result<String, Refusal> {
        if let Some(running) = self.code_deploy.running(group) {
            return Err(Refusal::new(
                "DeploymentLimitExceededException",
                format!("The Deployment Group '{group}' already has an active Deployment '{}'", running.id),
            ));
        }
        let settings = self.code_deploy.group(group).settings.clone();
        let (location, content, spec, version) = revision::read(settings.platform, sent)?;
        let label = match label {
            Some(label) => label.to_owned(),
            None => self.label_of(&settings.application, &version),
        };
        let revision = self.register(
            &settings,
            Revision {
                location,
                content,
                label,
                spec,
                groups: vec![group.to_owned()],
                first_used: at,
                last_used: at,
            },
        );
        let id = self.add_deployment(group, revision, wishes, at);
        if let Some(failure) = self.deployment_break_for(group) {
            self.let_deployment_fail(&id, failure);
        }
        Ok(id)
    }

    /// Puts a deployment into the group, whatever else runs there: an automatic rollback is never
    /// refused.
    pub(crate) fn add_deployment(
        &mut self,
        group: &str,
        revision: Revision,
        wishes: Wishes,
        at: Timestamp,
    ) -> String {
        let id = self.chance.deployment_id();
        let last_good = self.code_deploy.last_successful(group);
        let previous_revision = last_good.map(|deployment| deployment.revision.clone());
        let previous_label = last_good.map(|deployment| deployment.label.clone());
        let state = self.code_deploy.group(group);
        let settings = &state.settings;
        let is_rollback = wishes.rolls_back.is_some();
        let (config_name, shifting) = wishes
            .config
            .unwrap_or_else(|| (settings.shifting.config_name(settings.platform), settings.shifting));
        let events = lifecycle::events(settings)
            .into_iter()
            .map(|name| LifecycleEvent {
                name,
                status: EventStatus::Pending,
                started: None,
                ended: None,
                // A Lambda rollback reported its hooks Succeeded without calling them.
                hook: revision
                    .spec
                    .hooks
                    .get(name)
                    .filter(|_| !is_rollback && lifecycle::may_call(settings.platform, name))
                    .cloned(),
                hook_execution: None,
                diagnostics: None,
            })
            .collect();
        let deployment = Deployment {
            id: id.clone(),
            application: settings.application.clone(),
            group: group.to_owned(),
            label: revision.label.clone(),
            previous_label,
            status: DeploymentStatus::Created,
            creator: wishes.creator.unwrap_or_else(|| "user".to_owned()),
            description: wishes.description,
            error: None,
            rollback: None,
            rolls_back: wishes.rolls_back,
            created: at,
            completed: None,
            started: None,
            platform: settings.platform,
            config_name,
            shifting,
            revision,
            previous_revision,
            serving_before: state.routing.old.clone(),
            auto_rollback: wishes.auto_rollback.unwrap_or_else(|| settings.auto_rollback.clone()),
            override_alarms: wishes.override_alarms,
            events,
            stop_request: None,
            termination_wait_since: None,
            failure: None,
            last_updated: at,
        };
        self.code_deploy.deployments.insert(id.clone(), deployment);
        self.code_deploy.order.push(id.clone());
        self.group_mut(group).deployments.push(id.clone());
        id
    }

    fn register(&mut self, settings: &Group, revision: Revision) -> Revision {
        let known = self.code_deploy.revisions.entry(settings.application.clone()).or_default();
        match known.iter_mut().find(|known| known.location == revision.location) {
            Some(known) => {
                known.last_used = revision.last_used;
                for group in revision.groups {
                    if !known.groups.contains(&group) {
                        known.groups.push(group);
                    }
                }
                known.clone()
            }
            None => {
                known.push(revision.clone());
                revision
            }
        }
    }

    /// The label under which a script deployed this version before; else `v` and the version.
    fn label_of(&self, application: &str, version: &str) -> String {
        self.code_deploy.revisions[application]
            .iter()
            .map(|known| &known.label)
            .find(|label| revision::version_of(label) == version)
            .cloned()
            .unwrap_or_else(|| format!("v{version}"))
    }

    pub(crate) fn deployment_mut(&mut self, id: &str) -> &mut Deployment {
        self.code_deploy.deployments.get_mut(id).expect("a deployment of the simulator's own making")
    }

    pub(crate) fn group_mut(&mut self, name: &str) -> &mut GroupState {
        self.code_deploy
            .groups
            .get_mut(name)
            .unwrap_or_else(|| panic!("no deployment group {name:?} was created"))
    }
}
