//! A quarter: a script of many releases, played through Belay's functions, and what the four measures say of it.
//!
//! The scripts are YAML files that anybody can write; this is their format. Strict, like the policy: what is misspelt is
//! refused with its line, never ignored.

mod play;
mod report;

use std::{collections::BTreeMap, time::Duration};

use belay::{dora::Period, policy::Policy};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_saphyr::Spanned;

pub use self::{
    play::{Played, play},
    report::Report,
};
use crate::stage::script::{Delivery, PipelineScript, PlatformWord, Shifting, Span};

/// A scripted quarter, or any other time of up to 90 days: so long does the ledger remember.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quarter {
    /// What it shows, in one line.
    pub title: String,
    /// What happens, for people.
    pub story: String,
    /// When it begins.
    pub from: Timestamp,
    /// The first moment after it.
    pub until: Timestamp,
    /// The policy it is played under, as text.
    pub policy: Spanned<String>,
    /// What is released, by the name that the script uses; the policy's names are what is measured.
    pub services: BTreeMap<String, Released>,
    /// The alarms that the script moves. All are OK when it begins.
    pub alarms: Vec<String>,
    /// How the events reach Belay.
    #[serde(default)]
    pub delivery: Delivery,
    /// What happens, in any order.
    pub script: Vec<Moment>,
}

/// How a service is released: by one of the two.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Released {
    /// By a pipeline, whose source says when a commit was made.
    pub pipeline: Option<PipelineScript>,
    /// By CodeDeploy alone, which knows of no commit.
    pub codedeploy: Option<GroupScript>,
}

/// A deployment group.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupScript {
    /// CodeDeploy's application.
    pub application: String,
    /// The group's name.
    pub group: String,
    /// Onto what.
    pub platform: PlatformWord,
    /// How the traffic shifts.
    pub shifting: Shifting,
    /// The revision that runs before.
    pub baseline: String,
}

/// Something that happens: a release begins, or an alarm goes off.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Moment {
    /// When.
    pub at: Spanned<Timestamp>,
    /// A release of this service begins.
    pub releases: Option<String>,
    /// What people call its revision.
    pub revision: Option<String>,
    /// When its commit was made.
    pub committed: Option<Timestamp>,
    /// This stage of its pipeline fails, for this release only.
    pub fails_in: Option<String>,
    /// This alarm goes to ALARM.
    pub alarm: Option<String>,
    /// For so long; without it, it is never OK again.
    pub red_for: Option<Span>,
}

/// What a moment asks for.
#[derive(Clone, Debug)]
enum Wanted<'a> {
    Release { service: &'a str, revision: &'a str, committed: Option<Timestamp>, fails_in: Option<&'a str> },
    Red(&'a str),
    Ok(&'a str),
}

impl Quarter {
    /// Reads a quarter.
    ///
    /// # Errors
    /// The first mistake, with its line.
    pub fn parse(text: &str) -> Result<Self, String> {
        let quarter: Self = serde_saphyr::from_str(text).map_err(|error| error.to_string())?;
        quarter.checked_policy()?;
        quarter.moments()?;
        Ok(quarter)
    }

    /// The time that it measures.
    pub fn period(&self) -> Period {
        Period { from: self.from, until: self.until }
    }

    fn checked_policy(&self) -> Result<Policy, String> {
        Policy::parse(&self.policy.value).map_err(|mistakes| {
            format!(
                "the policy in line {} is refused, with lines counted from its own first:\n{mistakes}",
                self.policy.referenced.line()
            )
        })
    }

    /// Everything that the script says will happen, in order.
    fn moments(&self) -> Result<Vec<(Timestamp, Wanted<'_>)>, String> {
        if self.from >= self.until {
            return Err("`from` has to be before `until`".to_owned());
        }
        let mut moments = Vec::new();
        for moment in &self.script {
            let wanted =
                self.wanted(moment).map_err(|why| format!("line {}: {why}", moment.at.referenced.line()))?;
            let at = moment.at.value;
            if let (Wanted::Red(alarm), Some(Span(red_for))) = (&wanted, moment.red_for) {
                moments.push((after(at, red_for), Wanted::Ok(alarm)));
            }
            moments.push((at, wanted));
        }
        moments.sort_by_key(|(at, _)| *at);
        Ok(moments)
    }

    fn wanted<'a>(&'a self, moment: &'a Moment) -> Result<Wanted<'a>, String> {
        if !self.period().holds(moment.at.value) {
            return Err(format!("{} is not between `from` and `until`", moment.at.value));
        }
        match moment {
            Moment { at: _, releases: Some(service), revision: Some(revision), committed, fails_in, alarm: None, red_for: None } => {
                let known = self.services.get(service).ok_or_else(|| {
                    format!("there is no service `{service}`; there are {}", listed(self.services.keys()))
                })?;
                if known.pipeline.is_some() == known.codedeploy.is_some() {
                    return Err(format!("the service `{service}` needs either `pipeline` or `codedeploy`"));
                }
                let stages = known.pipeline.iter().flat_map(|pipeline| &pipeline.stages);
                if let Some(stage) = fails_in
                    && !stages.clone().any(|known| known.name == *stage)
                {
                    return Err(format!("there is no stage `{stage}`; there are {}", listed(stages.map(|known| &known.name))));
                }
                if committed.is_some() && known.codedeploy.is_some() {
                    return Err(format!("CodeDeploy alone does not know when the commit of {revision} was made"));
                }
                Ok(Wanted::Release { service, revision, committed: *committed, fails_in: fails_in.as_deref() })
            }
            Moment { at: _, releases: None, revision: None, committed: None, fails_in: None, alarm: Some(alarm), red_for: _ } => {
                if !self.alarms.contains(alarm) {
                    return Err(format!("there is no alarm `{alarm}`; there are {}", listed(&self.alarms)));
                }
                Ok(Wanted::Red(alarm))
            }
            Moment { .. } => Err("expected either `releases` and `revision`, with `committed` and `fails_in` where wanted, or `alarm`, with `red_for` where wanted".to_owned()),
        }
    }
}

fn listed<'a>(names: impl IntoIterator<Item = &'a String>) -> String {
    names.into_iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

fn after(at: Timestamp, span: Duration) -> Timestamp {
    SignedDuration::try_from(span).ok().and_then(|span| at.checked_add(span).ok()).unwrap_or(at)
}
