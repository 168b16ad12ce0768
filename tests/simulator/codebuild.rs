//! AWS CodeBuild: the builds that pipelines begin, and what is said of them.
//!
//! `build` is one build through its phases, `writing` what it writes into its log.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

pub(crate) mod build;
mod writing;

use build::{Build, FailedBuild};

use crate::chance::digest;
use crate::refusal::{Answer, Refusal};
use crate::simulator::Simulator;
use crate::stamps::{minutes, seconds};
use crate::wire::texts;
use crate::world::World;

/// "The names or ARNs of the builds", 100 at most (API reference, "BatchGetBuilds").
const BATCH: usize = 100;

/// The state of the service.
#[derive(Debug, Default)]
pub(crate) struct CodeBuild {
    /// By id: `project:uuid`.
    builds: BTreeMap<String, Build>,
    /// Project → builds so far.
    counted: BTreeMap<String, u32>,
}

impl Simulator {
    /// Adds a build that failed two minutes ago, without a pipeline; the answer is its id.
    pub fn add_failed_build(&self, failure: FailedBuild) -> String {
        let mut world = self.world();
        let began = world.now - minutes(2);
        let project = failure.project.clone();
        world.begin_build(&project, "user", began, 120, Some(failure))
    }
}

impl World {
    /// Begins a build that takes so many seconds, and fails if it is to; the answer is its id. Its name is drawn from
    /// what it is, so that builds do not change the names of everything else.
    pub(crate) fn begin_build(
        &mut self,
        project: &str,
        initiator: &str,
        began: Timestamp,
        lasts: u32,
        failure: Option<FailedBuild>,
    ) -> String {
        let number = self.code_build.counted.entry(project.to_owned()).or_default();
        *number += 1;
        let number = *number;
        let drawn = digest(&format!("{project} {number} {initiator}"));
        let uuid = format!("{:08x}-{:04x}-4000-8000-{number:012}", drawn >> 32, drawn & 0xffff);
        let id = format!("{project}:{uuid}");
        let build = Build {
            id: id.clone(),
            project: project.to_owned(),
            uuid,
            number,
            initiator: initiator.to_owned(),
            began,
            ends: began + seconds(i64::from(lasts.max(1))),
            failure,
        };
        self.write_build_log(&build);
        self.code_build.builds.insert(id.clone(), build);
        id
    }

    /// Answers an operation; `None` when it is not modelled.
    pub(crate) fn code_build(&self, operation: &str, input: &Value) -> Option<Answer> {
        match operation {
            "BatchGetBuilds" => Some(self.batch_get_builds(input)),
            _ => None,
        }
    }

    /// By ids or ARNs. CodeBuild keeps builds for a year (User Guide, "Quotas": the history of builds); that an older
    /// one is then among `buildsNotFound` is inferred from what that member is for.
    fn batch_get_builds(&self, input: &Value) -> Answer {
        let ids = texts(&input["ids"]);
        if ids.is_empty() || ids.len() > BATCH {
            return Err(Refusal::new(
                "InvalidInputException",
                "1 validation error detected: Value at 'ids' failed to satisfy constraint: Member must have length between 1 and 100",
            ));
        }
        let (mut found, mut missing) = (Vec::new(), Vec::new());
        for id in ids {
            let name = id.rsplit_once(":build/").map_or(id, |(_, name)| name);
            let known = self.code_build.builds.get(name);
            match known.filter(|build| build.began <= self.now && !build.is_forgotten(self.now)) {
                Some(build) => found.push(build.to_wire(self.now)),
                None => missing.push(id),
            }
        }
        Ok(json!({ "builds": found, "buildsNotFound": missing }))
    }
}
