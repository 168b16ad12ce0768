//! CodePipeline itself: sources, approvals, rollbacks of stages, and its own failures.

use super::{
    case::{ANY, Source},
    cause::{Concerns, Retry, Rule, Sign, Specificity, always},
    failure::{Category, Failure},
};
use crate::cause::{APPROVAL_EXPIRED, APPROVAL_REJECTED};

const ACTION: &[Source] = &[Source::Action, Source::Summary];

fn approval(failure: &Failure) -> bool {
    failure.action.category == Category::Approval
}

fn source(failure: &Failure) -> bool {
    failure.action.category == Category::Source
}

pub(super) static RULES: &[Rule] = &[
    // Developer Tools console User Guide, "Troubleshooting connections": "Connection is not in available state or is
    // no longer pending". How an action's error words it is not verified beyond "… not in AVAILABLE state".
    Rule {
        id: "connection-pending",
        looks_like: "`Connection … is not in AVAILABLE state`, `… is not available`, `PENDING`",
        to_do: "Open the connection in the console (Settings, Connections) and choose Update pending connection; somebody with rights at the Git host must do so.",
        concerns: Concerns::PipelineOwner,
        retry: Retry::DoesNot,
        specificity: Specificity::Special,
        when: source,
        signs: &[Sign::new(
            ACTION,
            "onnection",
            r"(?i)connection(?:[: ]+\[?(?P<arn>arn:aws[\w:/.-]*\w))?\]?(?: is)? (?:not (?:in )?(?:the )?available|in (?:a |the )?pending|pending)",
            "the connection ${arn} was never completed, or was revoked",
        )],
    },
    // CodePipeline's own sentence, quoted by many in public repositories.
    Rule {
        id: "connection-not-allowed",
        looks_like: "`Unable to use Connection: …. The provided role does not have sufficient permissions.`",
        to_do: "Let the pipeline's role do codestar-connections:UseConnection (or codeconnections:UseConnection, as the ARN begins) on that connection.",
        concerns: Concerns::AccountOwner,
        retry: Retry::DoesNot,
        specificity: Specificity::Special,
        when: always,
        signs: &[Sign::new(
            ACTION,
            "Unable to use Connection",
            r"Unable to use Connection: (?P<arn>arn:aws[\w:/-]+)",
            "{action} may not use the connection ${arn}",
        )],
    },
    // CodePipeline User Guide, "Troubleshooting CodePipeline"; `[GitHub] No Branch […] found …` is quoted in public
    // repositories.
    Rule {
        id: "source-not-reached",
        looks_like: "`Could not access the … repository …`, `No Branch [main] found`",
        to_do: "Check that repository and branch exist, and that the connection, the token or the role may read them.",
        concerns: Concerns::PipelineOwner,
        retry: Retry::DoesNot,
        specificity: Specificity::Named,
        when: source,
        signs: &[
            Sign::new(
                ACTION,
                "Could not access the",
                r"Could not access the (?P<host>\w+) repository:? ?[`'\x22]?(?P<name>[\w./-]*\w)?",
                "{action} cannot read the ${host} repository ${name}",
            ),
            Sign::new(
                ACTION,
                "Unable to connect to the",
                r"Unable to connect to the (?P<host>\w+) repository",
                "{action} cannot reach the ${host} repository",
            ),
            Sign::new(
                ACTION,
                "ranch",
                r"No [Bb]ranch \[?(?P<branch>[^\]\s]+)\]? found(?: for FullRepository(?:Id|Name) \[?(?P<name>[^\]\s]+))?",
                "there is no branch ${branch} in ${name}",
            ),
        ],
    },
    // CodePipeline User Guide, "Approve or reject an approval action": no answer within seven days fails it. The words
    // of its error are not documented: it is told by "timed out", "timeout" or "expired".
    Rule {
        id: APPROVAL_EXPIRED,
        looks_like: "an approval that nobody answered in its time",
        to_do: "Ask again: retry the stage, and say who is to answer.",
        concerns: Concerns::Approvers,
        retry: Retry::Unknown,
        specificity: Specificity::Special,
        when: approval,
        signs: &[Sign::new(
            ACTION,
            "",
            r"(?i)^(?:\w+: )?(?:the )?(?:manual )?(?:approval (?:action )?(?:has )?)?(?:timed ?out|time-?out|expired)",
            "Nobody answered {action} in its time",
        )],
    },
    // reference: CodePipeline, "Manual approval"; tests/fixtures/codepipeline/codepipeline-action-approval-rejected.json.
    Rule {
        id: APPROVAL_REJECTED,
        looks_like: "an approval that somebody rejected; the summary has their words",
        to_do: "Talk to whoever rejected it.",
        concerns: Concerns::Author,
        retry: Retry::DoesNot,
        specificity: Specificity::Kind,
        when: approval,
        signs: &[
            Sign::new(&[Source::Summary], "", r"(?P<why>.+)", "{action} was rejected: ${why}"),
            Sign::weak(
                &[Source::Action],
                "",
                r"^\w+(?:: (?P<why>.+))?$",
                "{action} was rejected, or is set up wrong: ${why}",
            ),
        ],
    },
    // aws-sdk-codepipeline 1.131.0, UnableToRollbackStageException and PipelineExecutionOutdatedException; CodePipeline
    // User Guide, "Configuring stage rollback".
    Rule {
        id: "rollback-refused",
        looks_like: "`UnableToRollbackStageException`, `PipelineExecutionOutdatedException`: the pipeline has changed since",
        to_do: "The pipeline's structure changed after that execution, so the stage cannot go back to it: release an earlier commit anew instead.",
        concerns: Concerns::PipelineOwner,
        retry: Retry::DoesNot,
        specificity: Specificity::Special,
        when: always,
        signs: &[
            Sign::new(
                ACTION,
                "UnableToRollbackStage",
                r"UnableToRollbackStage(?:Exception)?(?:: (?P<why>.+))?",
                "the stage cannot go back: ${why}",
            ),
            Sign::new(
                ACTION,
                "Unable to roll back the stage",
                r"Unable to roll back the stage",
                "the stage cannot go back: the pipeline has most likely changed since",
            ),
            Sign::new(
                ACTION,
                "utdated",
                r"PipelineExecutionOutdated|pipeline execution is outdated",
                "the stage cannot go back to that execution: the pipeline has changed since",
            ),
        ],
    },
    // CodePipeline User Guide, "Troubleshooting": ConfigurationError and "Invalid action configuration" (aws-sdk
    // FailureType has ConfigurationError).
    Rule {
        id: "action-misconfigured",
        looks_like: "`ConfigurationError`, `ActionConfigurationError`, `Invalid action configuration`",
        to_do: "Mend the action's configuration in the pipeline: what it names does not exist or does not fit.",
        concerns: Concerns::PipelineOwner,
        retry: Retry::DoesNot,
        specificity: Specificity::Kind,
        when: always,
        signs: &[
            Sign::new(
                ACTION,
                "ConfigurationError",
                r"(?:Action)?ConfigurationError(?:: (?P<why>.+))?",
                "{action} is set up wrong: ${why}",
            ),
            Sign::new(
                ACTION,
                "nvalid action configuration",
                r"[Ii]nvalid action configuration(?:[:.] ?(?P<why>.+))?",
                "{action} is set up wrong: ${why}",
            ),
        ],
    },
    // CodePipeline User Guide, "Quotas": most actions have an hour.
    Rule {
        id: "action-timed-out",
        looks_like: "`The action … timed out`, `exceeded its timeout`",
        to_do: "Look at what it waited for at its provider; raise the action's timeout if the work is only long.",
        concerns: Concerns::PipelineOwner,
        retry: Retry::Unknown,
        specificity: Specificity::Symptom,
        when: |failure| !approval(failure),
        signs: &[Sign::new(
            ACTION,
            "ction",
            r"(?i)action .*(?:timed out|exceeded (?:its|the) timeout|did not complete within)",
            "{action} took longer than it may",
        )],
    },
    // Each service's InternalError, SystemUnavailable (aws-sdk-codepipeline, FailureType), CodeBuild's "experiencing an
    // issue" (CodeBuild User Guide, "Troubleshooting": also when variables are too large).
    Rule {
        id: "aws-failed",
        looks_like: "`InternalError`, `An internal error occurred`, `SystemUnavailable`, `CodeBuild is experiencing an issue`",
        to_do: "Retry, and look at the AWS Health Dashboard. If it comes back: a bucket of another region, or more than 5,500 characters of environment variables, look the same.",
        concerns: Concerns::Outside,
        retry: Retry::Helps,
        specificity: Specificity::Symptom,
        when: always,
        signs: &[
            Sign::new(
                ANY,
                "nternal",
                r"\b(?:InternalError|InternalFailure|ServiceInternalError)\b|[Aa]n internal (?:service )?error(?: has)? occurred|encountered an internal error",
                "AWS failed by itself while {action} ran",
            ),
            Sign::new(
                ANY,
                "INTERNAL_",
                r"\bINTERNAL_(?:SERVICE_)?ERROR\b",
                "AWS failed by itself while {action} ran",
            ),
            Sign::new(
                ACTION,
                "SystemUnavailable",
                r"^SystemUnavailable",
                "what {action} uses was not available",
            ),
            Sign::new(
                ANY,
                "experiencing an issue",
                r"CodeBuild is experiencing an issue",
                "CodeBuild failed by itself while {action} ran",
            ),
        ],
    },
];
