//! Limits: calls a second, quotas, time, disk and memory.

use super::{
    case::{ANY, OUTPUT, Source},
    cause::{Concerns, Retry, Rule, Sign, Specificity, always},
};

pub(super) static RULES: &[Rule] = &[
    // "Common errors" of each service's API Reference (ThrottlingException); CodeDeploy User Guide, "Error codes"
    // (THROTTLED); the CLI's and SDKs' "An error occurred (Throttling) when calling the X operation: Rate exceeded".
    Rule {
        id: "throttled",
        looks_like: "`Rate exceeded`, `ThrottlingException`, `TooManyRequestsException`, `THROTTLED`",
        to_do: "Retry. If it comes back, spread the calls, or ask for a higher rate in Service Quotas.",
        concerns: Concerns::PipelineOwner,
        retry: Retry::Helps,
        specificity: Specificity::Kind,
        when: always,
        signs: &[
            Sign::new(
                ANY,
                "when calling the",
                r"\((?:Throttling\w*|TooManyRequestsException|RequestLimitExceeded)\) when calling the (?P<call>\w+) operation",
                "AWS held {action} up at ${call}: too many calls at once",
            ),
            Sign::new(ANY, "Rate exceeded", r"Rate exceeded", "AWS held {action} up: too many calls at once"),
            Sign::new(
                ANY,
                "Throttling",
                r"ThrottlingException|Throttling:",
                "AWS held {action} up: too many calls at once",
            ),
            Sign::new(
                ANY,
                "TooManyRequestsException",
                r"TooManyRequestsException",
                "AWS held {action} up: too many calls at once",
            ),
            Sign::new(
                &[Source::Deployment],
                "THROTTLED",
                r"^THROTTLED",
                "CodeDeploy was held up: too many calls at once",
            ),
        ],
    },
    // CodeBuild's AccountLimitExceededException; CloudFormation's and EC2's LimitExceeded family; CodeDeploy User
    // Guide, "Error codes" (OVER_MAX_INSTANCES) and aws-sdk-codedeploy (RESOURCE_LIMIT_EXCEEDED).
    Rule {
        id: "quota-reached",
        looks_like: "`LimitExceededException`, `Cannot have more than … builds in queue`, `ServiceQuotaExceededException`, `… limit has been reached`",
        to_do: "Remove what is not used, or ask for more in Service Quotas; a new account may have to ask AWS Support.",
        concerns: Concerns::AccountOwner,
        retry: Retry::DoesNot,
        specificity: Specificity::Special,
        when: always,
        signs: &[
            Sign::new(
                ANY,
                "builds in queue",
                r"Cannot have more than (?P<count>\d+) builds in queue",
                "the account may run no more builds at once than ${count}",
            ),
            Sign::new(
                ANY,
                "imit",
                r"VcpuLimitExceeded|more vCPU capacity than your current vCPU limit",
                "the account's quota of vCPUs is used up",
            ),
            Sign::new(
                ANY,
                "imit",
                r"(?:Account)?(?P<what>\w*LimitExceeded)(?:Exception)?\b(?:: (?P<how>[^(\n]{0,160}))?",
                "a quota is used up: ${what} ${how}",
            ),
            Sign::new(
                ANY,
                "ServiceQuotaExceeded",
                r"ServiceQuotaExceeded(?:Exception)?(?:: (?P<how>[^(\n]{0,160}))?",
                "a quota is used up: ${how}",
            ),
            Sign::new(
                ANY,
                "The maximum number of",
                r"The maximum number of (?P<what>[\w -]+) has been reached",
                "a quota is used up: the number of ${what}",
            ),
            Sign::new(
                &[Source::Deployment],
                "OVER_MAX_INSTANCES",
                r"^OVER_MAX_INSTANCES",
                "the deployment is to more instances than the account may have",
            ),
            Sign::new(
                &[Source::Deployment],
                "RESOURCE_LIMIT_EXCEEDED",
                r"^RESOURCE_LIMIT_EXCEEDED(?:: (?P<how>.+))?",
                "a quota is used up: ${how}",
            ),
        ],
    },
    // ECS Developer Guide, "Service event messages" and "API failure reasons"; EC2's InsufficientInstanceCapacity.
    Rule {
        id: "no-capacity",
        looks_like: "`InsufficientInstanceCapacity`, `Capacity is unavailable at this time`, `was unable to place a task`",
        to_do: "For Fargate or EC2 out of capacity: retry later, or in another zone or size. For a cluster of instances: add one, or let tasks ask for less.",
        concerns: Concerns::PipelineOwner,
        retry: Retry::Unknown,
        specificity: Specificity::Special,
        when: always,
        signs: &[
            Sign::new(
                ANY,
                "Capacity is unavailable at this time",
                r"Capacity is unavailable at this time",
                "Fargate has no capacity for the task right now",
            ),
            Sign::new(
                ANY,
                "InsufficientInstanceCapacity",
                r"InsufficientInstanceCapacity",
                "EC2 has no instance of that type right now",
            ),
            Sign::new(
                ANY,
                "was unable to place a task",
                r"was unable to place a task(?: because (?P<why>[^.]+))?",
                "ECS could not place a task: ${why}",
            ),
        ],
    },
    // CodeBuild's phase context of a build that ran too long: BUILD_TIMED_OUT (not verified), and `buildStatus` TIMED_OUT (API Reference, Build).
    Rule {
        id: "build-timed-out",
        looks_like: "a build's status is TIMED_OUT: it ran longer than its project allows",
        to_do: "Find what hangs (a test that waits, a question that nobody answers), or raise the project's timeout.",
        concerns: Concerns::PipelineOwner,
        retry: Retry::Unknown,
        specificity: Specificity::Kind,
        when: always,
        signs: &[
            Sign::new(
                &[Source::Phase],
                "BUILD_TIMED_OUT",
                r"^(?P<phase>\w+) BUILD_TIMED_OUT",
                "the build of {action} ran out of time in ${phase}",
            ),
            Sign::new(
                &[Source::Phase],
                " TIMED_OUT",
                r"^(?P<phase>[A-PR-Z]\w+|Q[A-TV-Z]\w+) TIMED_OUT$",
                "the build of {action} ran out of time in ${phase}",
            ),
        ],
    },
    // CodeBuild API Reference, `queuedTimeoutInMinutes`.
    Rule {
        id: "build-queued-too-long",
        looks_like: "a build's status is TIMED_OUT in the phase QUEUED",
        to_do: "More builds wait than may run at once: raise the quota or the project's limit, or let it wait longer.",
        concerns: Concerns::AccountOwner,
        retry: Retry::Helps,
        specificity: Specificity::Kind,
        when: always,
        signs: &[Sign::new(
            &[Source::Phase],
            "QUEUED",
            r"^QUEUED (?:BUILD_)?TIMED_OUT",
            "the build of {action} waited too long for its turn",
        )],
    },
    // The kernel's ENOSPC, in everybody's words.
    Rule {
        id: "disk-full",
        looks_like: "`No space left on device`, `ENOSPC`",
        to_do: "Take a larger compute type, or remove layers, caches and artifacts that pile up; on an instance, clear old revisions.",
        concerns: Concerns::PipelineOwner,
        retry: Retry::DoesNot,
        specificity: Specificity::Special,
        when: always,
        signs: &[
            Sign::new(
                ANY,
                "space left on device",
                r"(?i:no space left on device)",
                "the disk that {action} works on is full",
            ),
            Sign::new(ANY, "ENOSPC", r"ENOSPC", "the disk that {action} works on is full"),
        ],
    },
    // V8, the JVM, rustc ("signal: 9, SIGKILL: kill"), the kernel; CodeBuild User Guide, "Troubleshooting" ("build
    // container died because it was out of memory").
    Rule {
        id: "out-of-memory",
        looks_like: "`JavaScript heap out of memory`, `OutOfMemoryError`, `Killed`, exit code 137",
        to_do: "Take a larger compute type, or let the tool use less (fewer workers, NODE_OPTIONS=--max-old-space-size, -Xmx).",
        concerns: Concerns::PipelineOwner,
        retry: Retry::DoesNot,
        specificity: Specificity::Special,
        when: always,
        signs: &[
            Sign::new(
                OUTPUT,
                "heap out of memory",
                r"JavaScript heap out of memory",
                "Node ran out of memory in {action}",
            ),
            Sign::new(
                OUTPUT,
                "OutOfMemoryError",
                r"java\.lang\.OutOfMemoryError(?:: (?P<what>[\w ]+))?",
                "Java ran out of memory in {action}: ${what}",
            ),
            Sign::new(
                OUTPUT,
                "SIGKILL",
                r"signal: 9, SIGKILL",
                "the system killed a command of {action}, most likely for memory",
            ),
            Sign::new(
                OUTPUT,
                "Killed",
                r"(?:^|: line \d+: +\d+ )Killed\b",
                "the system killed a command of {action}, most likely for memory",
            ),
            Sign::new(
                OUTPUT,
                "annot allocate memory",
                r"[Cc]annot allocate memory",
                "{action} ran out of memory",
            ),
            Sign::new(
                &[Source::Phase],
                "out of memory",
                r"died because it was out of memory",
                "the build's container ran out of memory",
            ),
            Sign::new(
                &[Source::Phase],
                "137",
                r"exit (?:code|status) 137",
                "the system killed a command of {action}, most likely for memory",
            ),
        ],
    },
];
