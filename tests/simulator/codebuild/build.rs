//! One build: its phases over time, and how BatchGetBuilds shows it.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::logs::LogLine;
use crate::stamps::epoch_seconds;

/// CodeBuild keeps the history of builds so many days (User Guide, "Quotas").
const KEPT_DAYS: i64 = 365;

/// The phases in order, with the share of the build's time that each takes. The shares are invented.
const PHASES: [(&str, i64); 10] = [
    ("SUBMITTED", 0),
    ("QUEUED", 1),
    ("PROVISIONING", 10),
    ("DOWNLOAD_SOURCE", 5),
    ("INSTALL", 10),
    ("PRE_BUILD", 5),
    ("BUILD", 50),
    ("POST_BUILD", 10),
    ("UPLOAD_ARTIFACTS", 5),
    ("FINALIZING", 4),
];

/// A build that fails, as a script describes it.
#[derive(Debug, Clone)]
pub struct FailedBuild {
    /// The project.
    pub project: String,
    /// The phase that fails, such as BUILD.
    pub phase: String,
    /// The status of the build and of that phase: FAILED, or FAULT, TIMED_OUT, STOPPED.
    pub status: String,
    /// The phase context's code, such as COMMAND_EXECUTION_ERROR.
    pub code: String,
    /// The phase context's sentence.
    pub message: String,
    /// The VPC in which it runs.
    pub vpc: Option<String>,
    /// What the failing phase writes into the log, between the lines that CodeBuild's agent writes.
    pub log: Vec<LogLine>,
    /// The log's stream does not exist yet.
    pub no_log_yet: bool,
    /// It ran more than a year ago, and CodeBuild has forgotten it.
    pub year_old: bool,
}

impl FailedBuild {
    /// Whether CodeBuild has a phase of this name that can fail.
    pub fn is_phase(name: &str) -> bool {
        PHASES.iter().any(|(known, _)| *known == name)
    }

    /// A build of this project that fails in a phase, such as BUILD, with a code and a sentence.
    pub fn of(project: &str, phase: &str, code: &str, message: &str) -> Self {
        assert!(Self::is_phase(phase), "CodeBuild has no phase {phase:?}");
        Self {
            project: project.to_owned(),
            phase: phase.to_owned(),
            status: "FAILED".to_owned(),
            code: code.to_owned(),
            message: message.to_owned(),
            vpc: None,
            log: Vec::new(),
            no_log_yet: false,
            year_old: false,
        }
    }

    /// What the failing phase writes into the log.
    pub fn log(mut self, lines: impl IntoIterator<Item = LogLine>) -> Self {
        self.log.extend(lines);
        self
    }

    /// CodePipeline's sentence about it, as observed since 2024; before, it ended after the state.
    pub(crate) fn summary(&self) -> String {
        let Self { phase, status, code, message, .. } = self;
        format!("Build terminated with state: {status}. Phase: {phase}, Code: {code}, Message: {message}")
    }
}

/// A phase of a build.
#[derive(Debug, Clone, Copy)]
pub(super) struct Phase {
    pub(super) name: &'static str,
    pub(super) starts: Timestamp,
    pub(super) ends: Timestamp,
    pub(super) fails: bool,
}

/// A build in the simulator's state.
#[derive(Debug, Clone)]
pub(crate) struct Build {
    pub(super) id: String,
    pub(super) project: String,
    pub(super) uuid: String,
    pub(super) number: u32,
    /// Such as `codepipeline/<pipeline>`.
    pub(super) initiator: String,
    pub(super) began: Timestamp,
    pub(super) ends: Timestamp,
    pub(super) failure: Option<FailedBuild>,
}

impl Build {
    pub(super) fn is_forgotten(&self, now: Timestamp) -> bool {
        self.failure.as_ref().is_some_and(|failure| failure.year_old)
            || now.duration_since(self.began) > SignedDuration::from_hours(24 * KEPT_DAYS)
    }

    pub(super) fn log_group(&self) -> String {
        format!("/aws/codebuild/{}", self.project)
    }

    /// The phases that this build goes through. After a failure: POST_BUILD follows BUILD and UPLOAD_ARTIFACTS follows
    /// POST_BUILD, from all others CodeBuild goes to FINALIZING (User Guide, "Build phase transitions"); a build that
    /// gets no container has nothing to finalize (inferred).
    pub(super) fn phases(&self) -> Vec<Phase> {
        let failing = self.failure.as_ref().map(|failure| failure.phase.as_str());
        let skips = |name: &str| match failing {
            Some("SUBMITTED" | "QUEUED" | "PROVISIONING") => failing != Some(name),
            Some("DOWNLOAD_SOURCE" | "INSTALL" | "PRE_BUILD") => name != "FINALIZING",
            Some(_) | None => false,
        };
        let place = failing.and_then(|failing| PHASES.iter().position(|(name, _)| *name == failing));
        let after = |index: usize| place.is_some_and(|place| index > place);
        let run: Vec<(&'static str, i64)> = PHASES
            .iter()
            .enumerate()
            .filter(|(index, (name, _))| !after(*index) || !skips(name))
            .map(|(_, phase)| *phase)
            .collect();
        let all: i64 = run.iter().map(|(_, share)| share).sum::<i64>().max(1);
        let lasts = self.ends.duration_since(self.began).as_millis() as i64;
        let mut gone = 0;
        let mut phases = Vec::new();
        for (name, share) in run {
            let at = |share: i64| self.began + SignedDuration::from_millis(lasts * share / all);
            let (starts, ends) = (at(gone), at(gone + share));
            phases.push(Phase { name, starts, ends, fails: failing == Some(name) });
            gone += share;
        }
        phases
    }

    /// When the container runs, and with it the log begins.
    pub(super) fn container_from(&self) -> Option<Timestamp> {
        self.phases().iter().find(|phase| phase.name == "DOWNLOAD_SOURCE").map(|phase| phase.starts)
    }

    pub(super) fn to_wire(&self, now: Timestamp) -> Value {
        let over = now >= self.ends;
        let status = match &self.failure {
            _ if !over => "IN_PROGRESS",
            Some(failure) => &failure.status,
            None => "SUCCEEDED",
        };
        let phases: Vec<Phase> = self.phases().into_iter().filter(|phase| phase.starts <= now).collect();
        let current = if over { "COMPLETED" } else { phases.last().map_or("SUBMITTED", |phase| phase.name) };
        let mut shown: Vec<Value> = phases.iter().map(|phase| self.phase_to_wire(phase, now)).collect();
        if over {
            shown.push(json!({ "phaseType": "COMPLETED", "startTime": epoch_seconds(self.ends) }));
        }
        let (id, project) = (&self.id, &self.project);
        let artifact = format!("codepipeline-us-east-1-111111111111/{project}/SourceArti/Ab12Cd3");
        let mut build = json!({
            "id": id,
            "arn": format!("arn:aws:codebuild:us-east-1:123456789012:build/{id}"),
            "buildNumber": self.number,
            "startTime": epoch_seconds(self.began),
            "currentPhase": current,
            "buildStatus": status,
            "sourceVersion": format!("arn:aws:s3:::{artifact}"),
            "projectName": project,
            "phases": shown,
            "source": { "type": "CODEPIPELINE", "insecureSsl": false },
            "artifacts": { "location": format!("arn:aws:s3:::{artifact}") },
            "cache": { "type": "NO_CACHE" },
            "environment": {
                "type": "LINUX_CONTAINER",
                "image": "aws/codebuild/standard:7.0",
                "computeType": "BUILD_GENERAL1_SMALL",
                "environmentVariables": [],
                "privilegedMode": false,
            },
            "serviceRole": "arn:aws:iam::123456789012:role/code-build",
            "logs": self.logs_to_wire(now),
            "timeoutInMinutes": 60,
            "queuedTimeoutInMinutes": 480,
            "buildComplete": over,
            "initiator": self.initiator,
            "encryptionKey": "arn:aws:kms:us-east-1:123456789012:alias/aws/s3",
            "exportedEnvironmentVariables": [],
        });
        if over {
            build["endTime"] = json!(epoch_seconds(self.ends));
        }
        if let Some(vpc) = self.failure.as_ref().and_then(|failure| failure.vpc.as_ref()) {
            build["vpcConfig"] = json!({
                "vpcId": vpc,
                "subnets": ["subnet-0123456789abcdef0"],
                "securityGroupIds": ["sg-0123456789abcdef0"],
            });
        }
        build
    }

    /// A phase in progress has no status and no end. The phases of the container show an empty context when they
    /// succeed, those before it none (API reference, "BatchGetBuilds", example).
    fn phase_to_wire(&self, phase: &Phase, now: Timestamp) -> Value {
        let mut shown = json!({ "phaseType": phase.name, "startTime": epoch_seconds(phase.starts) });
        if now < phase.ends {
            return shown;
        }
        let failure = self.failure.as_ref().filter(|_| phase.fails);
        shown["phaseStatus"] = json!(failure.map_or("SUCCEEDED", |failure| failure.status.as_str()));
        shown["endTime"] = json!(epoch_seconds(phase.ends));
        shown["durationInSeconds"] = json!(phase.ends.duration_since(phase.starts).as_secs());
        let in_container = self.container_from().is_some_and(|from| phase.starts >= from);
        if let Some(failure) = failure {
            shown["contexts"] = json!([{ "statusCode": failure.code, "message": failure.message }]);
        } else if in_container {
            shown["contexts"] = json!([{ "statusCode": "", "message": "" }]);
        }
        shown
    }

    /// Before there is a container, the names are missing and the links say `null` (API reference, "StartBuild",
    /// example).
    fn logs_to_wire(&self, now: Timestamp) -> Value {
        let named = self.container_from().is_some_and(|from| from <= now);
        let (group, stream) = (self.log_group(), self.uuid.clone());
        let (group, stream) = if named { (group, stream) } else { ("null".to_owned(), "null".to_owned()) };
        let console = "https://console.aws.amazon.com/cloudwatch/home?region=us-east-1";
        let mut shown = json!({
            "deepLink": format!("{console}#logEvent:group={group};stream={stream}"),
            "cloudWatchLogsArn":
                format!("arn:aws:logs:us-east-1:123456789012:log-group:{group}:log-stream:{stream}"),
            "cloudWatchLogs": { "status": "ENABLED" },
            "s3Logs": { "status": "DISABLED", "encryptionDisabled": false },
        });
        if named {
            shown["groupName"] = json!(group);
            shown["streamName"] = json!(stream);
        }
        shown
    }
}
