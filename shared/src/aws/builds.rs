//! CodeBuild: how a build went, and where its log is.

use aws_sdk_codebuild::{
    operation::batch_get_builds::BatchGetBuildsInput,
    types::{BuildPhase, LogsConfigStatusType, LogsLocation, PhaseContext as Context, StatusType},
};
use aws_types::SdkConfig;
use jiff::Timestamp;

use super::client::{Call as _, Client, service};
use crate::{
    aws::{AwsError, timestamp},
    diagnosis::{Build, PhaseContext},
};

service! {
    Api = aws_sdk_codebuild, "CodeBuild", "codebuild", json "CodeBuild_20161006" "2016-10-06";
    batch_get_builds: BatchGetBuilds BatchGetBuildsInputBuilder BatchGetBuildsOutput BatchGetBuildsError;
}

/// The builds.
#[derive(Clone, Debug)]
pub struct Builds {
    client: Client<Api>,
}

/// A build, as CodeBuild describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildRun {
    /// How it went.
    pub build: Build,
    /// When the phase began that failed first.
    pub failing_since: Option<Timestamp>,
    /// Where its log is.
    pub log: LogPlace,
}

/// Where a build's log is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogPlace {
    /// In CloudWatch Logs.
    Stream {
        /// The log group.
        group: String,
        /// The stream in it.
        stream: String,
    },
    /// Nowhere where it could be read.
    Nowhere {
        /// Why not, as a sentence without its full stop.
        why: String,
    },
}

impl Builds {
    /// A client of one configuration.
    pub fn new(config: &SdkConfig) -> Self {
        Self { client: Client::of(config) }
    }

    /// One build, by its id (`project:uuid`) or its ARN.
    ///
    /// # Errors
    /// When CodeBuild does not tell, or knows no such build: it keeps builds for a year (CodeBuild User Guide, "View
    /// build details"), and names what it does not find in `buildsNotFound`.
    pub async fn build(&self, id: &str) -> Result<BuildRun, AwsError> {
        const OPERATION: &str = "codebuild:BatchGetBuilds";
        let output = BatchGetBuildsInput::builder()
            .ids(id)
            .sent_by(&self.client)
            .await
            .map_err(|error| AwsError::from_sdk(OPERATION, id, &error))?;
        let Some(build) = output.builds().first() else {
            let why = "CodeBuild knows no such build any more; it forgets builds after a year";
            return Err(AwsError::unreadable(OPERATION, id, why));
        };
        let failed = build.phases().iter().find(|phase| phase.phase_status().is_some_and(is_bad));
        let contexts: Vec<PhaseContext> =
            failed.map_or(&[][..], BuildPhase::contexts).iter().filter_map(context).collect();
        Ok(BuildRun {
            build: Build {
                project: build.project_name().unwrap_or_default().to_owned(),
                status: build.build_status().map_or_else(String::new, |status| status.as_str().to_owned()),
                phase: failed.and_then(|phase| phase.phase_type()).map(|phase| phase.as_str().to_owned()),
                exit_code: contexts.iter().find_map(|context| exit_code(&context.message)),
                contexts,
                vpc: build
                    .vpc_config()
                    .and_then(|vpc| vpc.vpc_id())
                    .filter(|id| !id.is_empty())
                    .map(str::to_owned),
            },
            failing_since: failed.and_then(|phase| phase.start_time()).and_then(timestamp),
            log: log_place(build.logs()),
        })
    }
}

fn is_bad(status: &StatusType) -> bool {
    matches!(status, StatusType::Failed | StatusType::Fault | StatusType::TimedOut | StatusType::Stopped)
}

/// What a phase says about its failure. A phase that went well has an empty one.
fn context(context: &Context) -> Option<PhaseContext> {
    let (code, message) =
        (context.status_code().unwrap_or_default(), context.message().unwrap_or_default().trim());
    let says = !(code.is_empty() && message.trim_matches([':', ' ']).is_empty());
    says.then(|| PhaseContext { code: code.to_owned(), message: message.to_owned() })
}

/// The exit code that a phase's message ends with: "Error while executing command: npm test. Reason: exit status 1".
/// CodeBuild has no field for it. The wording is as seen in public build logs; not verified with AWS.
fn exit_code(message: &str) -> Option<i32> {
    let (_, after) = message.rsplit_once("exit status ")?;
    after.trim_end_matches('.').trim().parse().ok()
}

/// CodeBuild names the stream once it has made it, in the phase PROVISIONING (aws-sdk-codebuild, `LogsLocation`).
fn log_place(logs: Option<&LogsLocation>) -> LogPlace {
    let nowhere = |why: &str| LogPlace::Nowhere { why: why.to_owned() };
    let Some(logs) = logs else {
        return nowhere("CodeBuild has begun no log for it");
    };
    let off =
        logs.cloud_watch_logs().is_some_and(|config| *config.status() == LogsConfigStatusType::Disabled);
    if off {
        return nowhere("its project writes no log to CloudWatch Logs");
    }
    match (logs.group_name(), logs.stream_name()) {
        (Some(group), Some(stream)) if !group.is_empty() && !stream.is_empty() => {
            LogPlace::Stream { group: group.to_owned(), stream: stream.to_owned() }
        }
        _ => nowhere("CodeBuild has begun no log for it"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_code_is_what_the_message_ends_with() {
        let message = "Error while executing command: npm test. Reason: exit status 137";
        assert_eq!(exit_code(message), Some(137));
        assert_eq!(exit_code("echo exit status 3 of 4. Reason: exit status 2."), Some(2));
        assert_eq!(exit_code("YAML_FILE_ERROR: file does not exist"), None);
        assert_eq!(exit_code("exit status x"), None);
    }

    #[test]
    fn an_empty_context_says_nothing() {
        assert_eq!(context(&Context::builder().status_code("").message(": ").build()), None);
        assert_eq!(context(&Context::builder().build()), None);
        let says = context(&Context::builder().status_code("CLIENT_ERROR").build());
        assert_eq!(says.map(|says| says.code).as_deref(), Some("CLIENT_ERROR"));
    }

    #[test]
    fn a_log_that_does_not_exist_yet_is_nowhere() {
        assert!(matches!(log_place(None), LogPlace::Nowhere { .. }));
        let begun = LogsLocation::builder().group_name("/aws/codebuild/orders");
        assert!(matches!(log_place(Some(&begun.clone().build())), LogPlace::Nowhere { .. }));
        let named = begun.stream_name("1-2").build();
        let stream = LogPlace::Stream { group: "/aws/codebuild/orders".to_owned(), stream: "1-2".to_owned() };
        assert_eq!(log_place(Some(&named)), stream);
    }
}
