//! CloudFormation: stacks that cannot change, and the resources that they stumble over.
//!
//! The sentences are CloudFormation's, from its User Guide, "Troubleshooting CloudFormation", where no other source
//! is said.

use super::{
    case::{ANY, Source},
    cause::{Concerns, Retry, Rule, Sign, Specificity, always},
};

/// The stack's own events, what the action says, and what the CLI printed in a build.
const STACK: &[Source] = &[Source::Stack, Source::Action, Source::Log];
/// The reason of the first failed resource: `ID (TYPE): REASON`.
const RESOURCE: &[Source] = &[Source::Stack];

pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "stack-rollback-failed",
        looks_like: "the stack is in UPDATE_ROLLBACK_FAILED",
        to_do: "Mend what kept the rollback from succeeding (see the first failed resource), then `aws cloudformation continue-update-rollback --stack-name NAME`; a resource that cannot be brought back is left out with `--resources-to-skip LOGICAL_ID`, and must be put right afterwards.",
        concerns: Concerns::PipelineOwner,
        retry: Retry::DoesNot,
        specificity: Specificity::Decisive,
        when: always,
        signs: &[
            Sign::new(
                STACK,
                "UPDATE_ROLLBACK_FAILED",
                r"stack (?P<stack>\S+) is in UPDATE_ROLLBACK_FAILED",
                "the stack ${stack} could not be rolled back and takes no update now",
            ),
            Sign::new(
                STACK,
                "UPDATE_ROLLBACK_FAILED",
                r"Stack[: ]\[?(?:arn:\S+stack/)?(?P<stack>[\w-]+)\S* is in (?:state )?UPDATE_ROLLBACK_FAILED",
                "the stack ${stack} could not be rolled back and takes no update now",
            ),
        ],
    },
    Rule {
        id: "stack-never-made",
        looks_like: "`Stack:… is in ROLLBACK_COMPLETE state and can not be updated`",
        to_do: "Its first deployment failed: delete the stack, and deploy again.",
        concerns: Concerns::PipelineOwner,
        retry: Retry::DoesNot,
        specificity: Specificity::Decisive,
        when: always,
        signs: &[Sign::new(
            STACK,
            "ROLLBACK_COMPLETE state",
            r"Stack[: ]\[?(?:arn:\S+stack/)?(?P<stack>[\w-]+)\S* is in (?:ROLLBACK_COMPLETE|ROLLBACK_FAILED|CREATE_FAILED) state and can ?not be updated",
            "the stack ${stack} was never made whole, and can only be deleted",
        )],
    },
    Rule {
        id: "stack-busy",
        looks_like: "`Stack:… is in …_IN_PROGRESS state and can not be updated`",
        to_do: "Wait until the other update is over, then retry; two pipelines should not update one stack.",
        concerns: Concerns::PipelineOwner,
        retry: Retry::Helps,
        specificity: Specificity::Special,
        when: always,
        signs: &[Sign::new(
            STACK,
            "_IN_PROGRESS state",
            r"Stack[: ]\[?(?:arn:\S+stack/)?(?P<stack>[\w-]+)\S* is in (?P<state>\w+_IN_PROGRESS) state",
            "the stack ${stack} is being changed already: ${state}",
        )],
    },
    // API Reference, CreateChangeSet, `Capabilities`.
    Rule {
        id: "capability-missing",
        looks_like: "`Requires capabilities : [CAPABILITY_NAMED_IAM]`",
        to_do: "Add the capability to the action's configuration (`Capabilities`).",
        concerns: Concerns::PipelineOwner,
        retry: Retry::DoesNot,
        specificity: Specificity::Named,
        when: always,
        signs: &[Sign::new(
            STACK,
            "apabilities",
            r"[Rr]equires capabilities ?: ?\[(?P<what>[\w, ]+)\]",
            "the template needs ${what}, which {action} does not grant",
        )],
    },
    Rule {
        id: "resource-exists",
        looks_like: "`… already exists` (HandlerErrorCode AlreadyExists)",
        to_do: "Let CloudFormation choose the name, or import the resource that is there, or remove it.",
        concerns: Concerns::Author,
        retry: Retry::DoesNot,
        specificity: Specificity::Named,
        when: always,
        signs: &[Sign::new(
            RESOURCE,
            "already exists",
            r"^(?P<id>\S+) \((?P<kind>[\w:]+)\): .*already exists",
            "${id} (${kind}) cannot be made: one of that name exists",
        )],
    },
    Rule {
        id: "template-wrong",
        looks_like: "`Template format error: …`, `Template error: …`, `Parameters: […] must have values`, `Encountered unsupported property …`",
        to_do: "Mend the template (cfn-lint finds most of it before) or pass the parameter.",
        concerns: Concerns::Author,
        retry: Retry::DoesNot,
        specificity: Specificity::Named,
        when: always,
        signs: &[
            Sign::new(
                STACK,
                "Template ",
                r"Template (?:format |validation )?error: (?P<why>.+)",
                "the template is wrong: ${why}",
            ),
            Sign::new(
                STACK,
                "must have values",
                r"Parameters: \[(?P<names>[^\]]+)\] must have values",
                "the template's parameters have no value: ${names}",
            ),
            Sign::new(
                STACK,
                "unsupported property",
                r"^(?:(?P<id>\S+) \([\w:]+\): )?.*Encountered unsupported property (?P<name>\w+)",
                "${id} has a property that CloudFormation does not know: ${name}",
            ),
            Sign::new(
                STACK,
                "Properties validation failed",
                r"Properties validation failed for resource (?P<id>\S+) with message:\s*(?P<why>.*)",
                "the properties of ${id} are wrong: ${why}",
            ),
        ],
    },
    Rule {
        id: "replacement-refused",
        looks_like: "`CloudFormation cannot update a stack when a custom-named resource requires replacing`",
        to_do: "Give it a new name, or let CloudFormation choose one.",
        concerns: Concerns::Author,
        retry: Retry::DoesNot,
        specificity: Specificity::Special,
        when: always,
        signs: &[Sign::new(
            STACK,
            "custom-named resource",
            r"(?:^(?P<id>\S+) \([\w:]+\): )?.*custom-named resource requires replacing",
            "${id} would have to be replaced, and its name is taken by itself",
        )],
    },
    Rule {
        id: "export-in-use",
        looks_like: "`Export … cannot be … as it is in use by …`",
        to_do: "Change the stacks that import it first, or export under a second name for a while.",
        concerns: Concerns::Author,
        retry: Retry::DoesNot,
        specificity: Specificity::Special,
        when: always,
        signs: &[Sign::new(
            STACK,
            "in use by",
            r"Export (?P<name>\S+) cannot be \w+ as it is in use by (?P<by>.+)",
            "the export ${name} is used by ${by}",
        )],
    },
    Rule {
        id: "no-changes",
        looks_like: "`No updates are to be performed`, `The submitted information didn't contain changes`",
        to_do: "There was nothing to deploy. Let the action allow an empty change set, if that is well.",
        concerns: Concerns::PipelineOwner,
        retry: Retry::DoesNot,
        specificity: Specificity::Kind,
        when: always,
        signs: &[
            Sign::new(
                STACK,
                "No updates are to be performed",
                r"No updates are to be performed",
                "nothing in the stack of {action} would change",
            ),
            Sign::new(
                STACK,
                "didn't contain changes",
                r"submitted information didn't contain changes",
                "nothing in the stack of {action} would change",
            ),
        ],
    },
    // CloudFormation User Guide, "Custom resources": one hour, or ServiceTimeout.
    Rule {
        id: "custom-resource-silent",
        looks_like: "`CloudFormation did not receive a response from your Custom Resource`",
        to_do: "Look at the function's log by the request id: it crashed, timed out or cannot reach S3 (a function in a VPC needs a way there). It must answer also when it fails.",
        concerns: Concerns::PipelineOwner,
        retry: Retry::Unknown,
        specificity: Specificity::Special,
        when: always,
        signs: &[Sign::new(
            RESOURCE,
            "did not receive a response",
            r"^(?P<id>\S+) \((?P<kind>[\w:]+)\): .*did not receive a response from your Custom Resource(?:.*requestId \[(?P<request>[\w-]+)\])?",
            "the custom resource ${id} (${kind}) never answered",
        )],
    },
    Rule {
        id: "custom-resource-failed",
        looks_like: "`Received response status [FAILED] from custom resource. Message returned: …`",
        to_do: "Look at what its function says; its log has more.",
        concerns: Concerns::PipelineOwner,
        retry: Retry::Unknown,
        specificity: Specificity::Kind,
        when: always,
        signs: &[Sign::new(
            RESOURCE,
            "from custom resource",
            r"^(?P<id>\S+) \((?P<kind>[\w:]+)\): .*status \[FAILED\] from custom resource\. Message returned: (?P<why>.+)",
            "the custom resource ${id} (${kind}) failed: ${why}",
        )],
    },
    Rule {
        id: "bucket-not-empty",
        looks_like: "`The bucket you tried to delete is not empty`",
        to_do: "Empty it (all versions) or keep it: `DeletionPolicy: Retain`.",
        concerns: Concerns::PipelineOwner,
        retry: Retry::DoesNot,
        specificity: Specificity::Named,
        when: always,
        signs: &[Sign::new(
            RESOURCE,
            "you tried to delete is not empty",
            r"^(?P<id>\S+) \(",
            "the bucket ${id} cannot be deleted: it is not empty",
        )],
    },
    // HandlerErrorCode NotStabilized: CloudFormation CLI User Guide, "Handler error codes".
    Rule {
        id: "resource-not-stable",
        looks_like: "`… did not stabilize`, `Exceeded attempts to wait`, HandlerErrorCode NotStabilized",
        to_do: "The resource was made and did not become ready in time: look at it in its own console.",
        concerns: Concerns::PipelineOwner,
        retry: Retry::Unknown,
        specificity: Specificity::Kind,
        when: always,
        signs: &[
            Sign::new(
                RESOURCE,
                "stabiliz",
                r"^(?P<id>\S+) \((?P<kind>[\w:]+)\): .*(?:did not stabilize|NotStabilized)",
                "${id} (${kind}) did not become ready in time",
            ),
            Sign::new(
                RESOURCE,
                "NotStabilized",
                r"^(?P<id>\S+) \((?P<kind>[\w:]+)\): .*NotStabilized",
                "${id} (${kind}) did not become ready in time",
            ),
            Sign::new(
                RESOURCE,
                "Exceeded attempts to wait",
                r"^(?P<id>\S+) \((?P<kind>[\w:]+)\): ",
                "${id} (${kind}) did not become ready in time",
            ),
        ],
    },
    Rule {
        id: "resource-failed",
        looks_like: "a resource failed, for a reason that no other rule knows",
        to_do: "Read the reason; it is the service's own word.",
        concerns: Concerns::Unknown,
        retry: Retry::Unknown,
        specificity: Specificity::Symptom,
        when: always,
        signs: &[Sign::new(
            RESOURCE,
            " (",
            r"^(?P<id>\S+) \((?P<kind>[\w:]+)\): (?P<why>.+)",
            "${id} (${kind}) failed: ${why}",
        )],
    },
    // ELB's own limits of naming and Lambda's of size are the author's; Lambda API Reference, CreateFunction.
    Rule {
        id: "package-too-large",
        looks_like: "`Unzipped size must be smaller than 262144000 bytes`",
        to_do: "Take out what is not needed at run time, or ship it as a container image (10 GB).",
        concerns: Concerns::Author,
        retry: Retry::DoesNot,
        specificity: Specificity::Special,
        when: always,
        signs: &[Sign::new(
            ANY,
            "nzipped size must be smaller",
            r"(?:^(?P<id>\S+) \([\w:]+\): )?.*[Uu]nzipped size must be smaller than (?P<limit>\d+) bytes",
            "the function ${id} is too large: unpacked it may have ${limit} bytes",
        )],
    },
];
