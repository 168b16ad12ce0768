//! CodeDeploy: hooks, scripts, instances, and deployments that may not begin.
//!
//! Error codes are those of aws-sdk-codedeploy 1.124.0 (`ErrorCode`, `LifecycleErrorCode`) and of the CodeDeploy User
//! Guide, "Error codes". CodeDeploy's own words for hooks of functions are not documented; those here rest on the code
//! and on the event, not on the words.

use super::{
    case::Source,
    cause::{Concerns, Retry, Rule, Sign, Specificity, always},
};

const DEPLOYMENT: &[Source] = &[Source::Deployment];
const LIFECYCLE: &[Source] = &[Source::Lifecycle];
/// CodeDeploy's message, wherever it is repeated.
const TOLD: &[Source] = &[Source::Deployment, Source::Lifecycle, Source::Stack, Source::Action];

pub(super) static RULES: &[Rule] = &[
    // aws/serverless-application-model #219 quotes the sentence, and the cause: functions not named CodeDeployHook_*.
    Rule {
        id: "hook-not-invokable",
        looks_like: "`IAM_ROLE_PERMISSIONS`: the role `does not give you permission to perform operations in … AWSLambda`",
        to_do: "Let CodeDeploy's role invoke the hook's function (AWSCodeDeployRoleForLambda allows only functions named CodeDeployHook_*), and check that the function exists.",
        concerns: Concerns::PipelineOwner,
        retry: Retry::DoesNot,
        specificity: Specificity::Special,
        when: always,
        signs: &[
            Sign::new(
                TOLD,
                "AWSLambda",
                r"role (?P<role>arn:\S+) does not give you permission to perform operations in the following AWS service: AWSLambda",
                "${role} may not invoke the hook's function",
            ),
            Sign::new(
                LIFECYCLE,
                "Traffic",
                r"^(?P<event>BeforeAllowTraffic|AfterAllowTraffic|AfterAllowTestTraffic) .*(?:could not be invoked|cannot be invoked|[Ff]unction not found)",
                "the hook of ${event} cannot be invoked",
            ),
        ],
    },
    // CodeDeploy User Guide, "AppSpec 'hooks' section": a hook's function has one hour to answer (aws-sdk-codedeploy:
    // PutLifecycleEventHookExecutionStatus). The words of the message are not verified.
    Rule {
        id: "hook-silent",
        looks_like: "a hook's event times out: `ScriptTimedOut`, or `timed out`, of BeforeAllowTraffic and its kind",
        to_do: "Look at the hook's function: it must call PutLifecycleEventHookExecutionStatus within an hour, also when it fails, and needs the permission and a way to CodeDeploy.",
        concerns: Concerns::PipelineOwner,
        retry: Retry::Unknown,
        specificity: Specificity::Special,
        when: always,
        signs: &[
            Sign::new(
                LIFECYCLE,
                "ScriptTimedOut",
                r"^(?P<event>BeforeInstall|AfterInstall|BeforeAllowTraffic|AfterAllowTraffic|AfterAllowTestTraffic) \(\w+\) ScriptTimedOut(?::|$)",
                "the hook of ${event} did not answer in its hour",
            ),
            Sign::new(
                LIFECYCLE,
                "imed out",
                r"^(?P<event>BeforeInstall|AfterInstall|BeforeAllowTraffic|AfterAllowTraffic|AfterAllowTestTraffic) \(\w+\) UnknownError: .*[Tt]imed out",
                "the hook of ${event} did not answer in its hour",
            ),
        ],
    },
    // A target of Lambda whose hook answered Failed: event Failed, UnknownError, no words (tests/fixtures/codedeploy,
    // api-codedeploy-get-deployment-target-lambda.json). HOOK_EXECUTION_FAILURE: aws-sdk-codedeploy, `ErrorCode`.
    Rule {
        id: "hook-said-no",
        looks_like: "a hook's event fails with UnknownError and no message, or the deployment with HOOK_EXECUTION_FAILURE",
        to_do: "Look at what the hook's function found; Belay's own says it in its message.",
        concerns: Concerns::Author,
        retry: Retry::DoesNot,
        specificity: Specificity::Kind,
        when: always,
        signs: &[
            Sign::new(
                LIFECYCLE,
                "UnknownError",
                r"^(?P<event>BeforeInstall|AfterInstall|BeforeAllowTraffic|AfterAllowTraffic|AfterAllowTestTraffic) \(Failed\) UnknownError$",
                "the hook of ${event} refused the release",
            ),
            Sign::new(
                DEPLOYMENT,
                "HOOK_EXECUTION_FAILURE",
                r"^HOOK_EXECUTION_FAILURE(?:: (?P<why>.+))?",
                "a hook of the deployment failed: ${why}",
            ),
        ],
    },
    Rule {
        id: "script-failed",
        looks_like: "`ScriptFailed`: a script of the AppSpec ended with an error",
        to_do: "Read the script's output.",
        concerns: Concerns::Author,
        retry: Retry::DoesNot,
        specificity: Specificity::Symptom,
        when: always,
        signs: &[Sign::new(
            LIFECYCLE,
            "ScriptFailed",
            r"^(?P<event>\w+) \(\w+\) ScriptFailed (?P<script>[^\s:]+)(?:: (?P<why>.*))?",
            "the script ${script} failed in ${event}: ${why}",
        )],
    },
    Rule {
        id: "script-timed-out",
        looks_like: "`ScriptTimedOut` with a script's name",
        to_do: "Find what it waits for (a process that keeps its output open keeps the script open), or raise `timeout` in the AppSpec.",
        concerns: Concerns::Author,
        retry: Retry::Unknown,
        specificity: Specificity::Named,
        when: always,
        signs: &[Sign::new(
            LIFECYCLE,
            "ScriptTimedOut",
            r"^(?P<event>\w+) \(\w+\) ScriptTimedOut (?P<script>[^\s:]+)",
            "the script ${script} did not end in time in ${event}",
        )],
    },
    Rule {
        id: "script-not-runnable",
        looks_like: "`ScriptMissing`, `ScriptNotExecutable`",
        to_do: "Put the script into the revision at the path that the AppSpec names, with its execute bit and its first line.",
        concerns: Concerns::Author,
        retry: Retry::DoesNot,
        specificity: Specificity::Named,
        when: always,
        signs: &[Sign::new(
            LIFECYCLE,
            "Script",
            r"^(?P<event>\w+) \(\w+\) (?:ScriptMissing|ScriptNotExecutable) (?P<script>[^\s:]+)",
            "the script ${script} of ${event} is not there or cannot be run",
        )],
    },
    // CodeDeploy User Guide, "Troubleshoot EC2/On-premises deployment issues".
    Rule {
        id: "agent-silent",
        looks_like: "`AGENT_ISSUE`, `CodeDeploy agent was not able to receive the lifecycle event`",
        to_do: "Check that the CodeDeploy agent runs on the instances, is current, has an instance profile, and a way to CodeDeploy.",
        concerns: Concerns::PipelineOwner,
        retry: Retry::Unknown,
        specificity: Specificity::Named,
        when: always,
        signs: &[
            Sign::new(
                TOLD,
                "agent",
                r"CodeDeploy agent was not able to receive the lifecycle event",
                "the CodeDeploy agent does not answer",
            ),
            Sign::new(DEPLOYMENT, "AGENT_ISSUE", r"^AGENT_ISSUE", "the CodeDeploy agent does not work"),
        ],
    },
    Rule {
        id: "too-many-instances-failed",
        looks_like: "`HEALTH_CONSTRAINTS`: too many individual instances failed deployment",
        to_do: "Look at one of the instances that failed: its lifecycle events say why.",
        concerns: Concerns::PipelineOwner,
        retry: Retry::Unknown,
        specificity: Specificity::Symptom,
        when: always,
        signs: &[
            Sign::new(
                TOLD,
                "too many individual instances failed",
                r"too many individual instances failed",
                "the deployment failed on too many instances",
            ),
            Sign::new(
                DEPLOYMENT,
                "HEALTH_CONSTRAINTS",
                r"^HEALTH_CONSTRAINTS",
                "the deployment failed on too many instances, or too few were healthy to begin with",
            ),
        ],
    },
    Rule {
        id: "no-instances",
        looks_like: "`NO_INSTANCES`",
        to_do: "Check the deployment group's tags and Auto Scaling groups: no running instance has them.",
        concerns: Concerns::PipelineOwner,
        retry: Retry::DoesNot,
        specificity: Specificity::Named,
        when: always,
        signs: &[Sign::new(
            DEPLOYMENT,
            "NO_INSTANCES",
            r"^NO_INSTANCES",
            "the deployment group of {action} has no instances",
        )],
    },
    Rule {
        id: "stopped-by-alarm",
        looks_like: "`ALARM_ACTIVE`",
        to_do: "Look at the alarm that went off; the release was stopped because of it.",
        concerns: Concerns::Author,
        retry: Retry::DoesNot,
        specificity: Specificity::Named,
        when: always,
        signs: &[Sign::new(
            DEPLOYMENT,
            "ALARM_ACTIVE",
            r"^ALARM_ACTIVE(?:: (?P<why>.+))?",
            "an alarm of the deployment group went off: ${why}",
        )],
    },
    Rule {
        id: "stopped-by-hand",
        looks_like: "`MANUAL_STOP`",
        to_do: "Ask whoever stopped it (CloudTrail knows: StopDeployment).",
        concerns: Concerns::PipelineOwner,
        retry: Retry::Unknown,
        specificity: Specificity::Named,
        when: always,
        signs: &[Sign::new(DEPLOYMENT, "MANUAL_STOP", r"^MANUAL_STOP", "somebody stopped the deployment")],
    },
    // CodeDeploy API Reference, DeploymentLimitExceededException; the sentence is not verified.
    Rule {
        id: "deployment-under-way",
        looks_like: "`… already has an active Deployment '…'`, `The Deployment Group … is already deploying deployment '…'`",
        to_do: "Wait for the other deployment, or stop it, then retry.",
        concerns: Concerns::PipelineOwner,
        retry: Retry::Helps,
        specificity: Specificity::Special,
        when: always,
        signs: &[Sign::new(
            &[Source::Deployment, Source::Stack, Source::Action, Source::Log],
            "already",
            r"(?:already has an active [Dd]eployment|is already deploying deployment) '(?P<other>d-\w+)'",
            "the deployment ${other} is still under way",
        )],
    },
    Rule {
        id: "revision-missing",
        looks_like: "`REVISION_MISSING`, `The specified key does not exist`",
        to_do: "The revision was deleted from its bucket, or never put there: build again.",
        concerns: Concerns::PipelineOwner,
        retry: Retry::DoesNot,
        specificity: Specificity::Named,
        when: always,
        signs: &[
            Sign::new(
                DEPLOYMENT,
                "REVISION_MISSING",
                r"^REVISION_MISSING",
                "the revision that {action} is to deploy is gone",
            ),
            Sign::new(
                TOLD,
                "specified key does not exist",
                r"The specified key does not exist",
                "the revision that {action} is to deploy is not in its bucket",
            ),
        ],
    },
    // CodeDeploy User Guide, "AppSpec file reference"; INVALID_REVISION: aws-sdk-codedeploy, `ErrorCode`. The agent says:
    // "The CodeDeploy agent did not find an AppSpec file within the unpacked revision directory".
    Rule {
        id: "appspec-wrong",
        looks_like: "`INVALID_REVISION`, `did not find an AppSpec file`, `The AppSpec file … invalid`",
        to_do: "Put appspec.yml at the root of the revision, with version 0.0, and mend what is named.",
        concerns: Concerns::Author,
        retry: Retry::DoesNot,
        specificity: Specificity::Named,
        when: always,
        signs: &[
            Sign::new(
                DEPLOYMENT,
                "INVALID_REVISION",
                r"^INVALID_REVISION(?:: (?P<why>.+))?",
                "the AppSpec of {action} is wrong: ${why}",
            ),
            Sign::new(
                TOLD,
                "did not find an AppSpec file",
                r"did not find an AppSpec file",
                "the revision has no AppSpec file",
            ),
        ],
    },
    // CodeDeploy, by aws-sdk-codedeploy's `ErrorCode`.
    Rule {
        id: "deployment-timed-out",
        looks_like: "`TIMEOUT`: the deployment took too long",
        to_do: "Look at which lifecycle event hangs.",
        concerns: Concerns::PipelineOwner,
        retry: Retry::Unknown,
        specificity: Specificity::Symptom,
        when: always,
        signs: &[Sign::new(
            DEPLOYMENT,
            "TIMEOUT",
            r"^TIMEOUT(?:: (?P<why>.+))?",
            "the deployment of {action} took too long: ${why}",
        )],
    },
];
