//! Lambda: functions that a pipeline or a deployment calls.
//!
//! The sentences are the runtimes' own (Lambda Developer Guide, "Troubleshoot execution issues in Lambda" and
//! "Understanding the Lambda execution environment lifecycle").

use super::{
    case::{ANY, Source},
    cause::{Concerns, Retry, Rule, Sign, Specificity, always},
};

const FUNCTION: &[Source] = &[Source::Function, Source::Action];

pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "function-timed-out",
        looks_like: "`Task timed out after … seconds`, `Sandbox.Timedout`",
        to_do: "Find what it waits for (in a VPC without NAT: any call to AWS), or raise its timeout.",
        concerns: Concerns::PipelineOwner,
        retry: Retry::Unknown,
        specificity: Specificity::Named,
        when: always,
        signs: &[
            Sign::new(
                &[Source::Function],
                "Task timed out after",
                r"^(?P<name>\S+) .*Task timed out after (?P<seconds>[\d.]+) seconds",
                "the function ${name} did not end within ${seconds} seconds",
            ),
            Sign::new(
                &[Source::Action, Source::Log, Source::Stack],
                "Task timed out after",
                r"Task timed out after (?P<seconds>[\d.]+) seconds",
                "a function did not end within ${seconds} seconds",
            ),
        ],
    },
    Rule {
        id: "function-cannot-load",
        looks_like: "`Runtime.ImportModuleError`, `Runtime.HandlerNotFound`, `Runtime.InvalidEntrypoint`, `Unable to import module`",
        to_do: "Package its dependencies with it, for its processor, and check the handler's name.",
        concerns: Concerns::Author,
        retry: Retry::DoesNot,
        specificity: Specificity::Special,
        when: always,
        signs: &[Sign::new(
            FUNCTION,
            "Runtime.",
            r"(?:^(?P<name>\S+) .*)?Runtime\.(?P<how>ImportModuleError|HandlerNotFound|InvalidEntrypoint|UserCodeSyntaxError|MalformedHandlerName)",
            "the function ${name} cannot be loaded: ${how}",
        )],
    },
    Rule {
        id: "function-crashed",
        looks_like: "`Runtime.ExitError`, `Runtime exited with error`, `Runtime exited without providing a reason`",
        to_do: "Look at its log and its memory: it was killed (signal: killed) or ended itself.",
        concerns: Concerns::Author,
        retry: Retry::Unknown,
        specificity: Specificity::Named,
        when: always,
        signs: &[Sign::new(
            FUNCTION,
            "untime",
            r"(?:^(?P<name>\S+) .*)?(?:Runtime\.ExitError|Runtime exited (?P<how>with error: [\w :]+|without providing a reason))",
            "the function ${name} ended itself: ${how}",
        )],
    },
    Rule {
        id: "function-failed",
        looks_like: "`FunctionError` with `errorType` and `errorMessage`",
        to_do: "Look at its log by the request id; the message is its own.",
        concerns: Concerns::Author,
        retry: Retry::Unknown,
        specificity: Specificity::Kind,
        when: always,
        signs: &[
            Sign::new(
                &[Source::Function],
                "errorMessage",
                r#"^(?P<name>\S+) \w+: .*"errorMessage": ?"(?P<why>[^"]*)""#,
                "the function ${name} failed: ${why}",
            ),
            Sign::new(
                &[Source::Function],
                " answered: ",
                r"^(?P<name>\S+) answered: (?P<why>.+)",
                "the function ${name} reported a failure: ${why}",
            ),
        ],
    },
    // CodePipeline User Guide, "Invoke an AWS Lambda function in a pipeline" (20 minutes without PutJobSuccessResult).
    // The words are not verified.
    Rule {
        id: "job-not-answered",
        looks_like: "`The AWS Lambda function … failed to return a result`",
        to_do: "Let it call PutJobSuccessResult or PutJobFailureResult on every way out, with the permission to do so; a return value is not looked at.",
        concerns: Concerns::PipelineOwner,
        retry: Retry::DoesNot,
        specificity: Specificity::Named,
        when: always,
        signs: &[Sign::new(
            &[Source::Action],
            "failed to return a result",
            r"AWS Lambda function (?P<name>\S+) failed to return a result",
            "the function ${name} did not tell CodePipeline how it ended",
        )],
    },
    // Lambda API Reference, Invoke: ResourceNotFoundException "Function not found: ARN".
    Rule {
        id: "function-not-found",
        looks_like: "`Function not found: arn:aws:lambda:…`",
        to_do: "Check the function's name, its alias and its region.",
        concerns: Concerns::PipelineOwner,
        retry: Retry::DoesNot,
        specificity: Specificity::Named,
        when: always,
        signs: &[Sign::new(
            ANY,
            "Function not found: ",
            r"Function not found: (?P<name>arn:aws[\w:.$-]+)",
            "there is no function ${name}",
        )],
    },
];
