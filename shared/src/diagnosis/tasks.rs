//! ECS: tasks that cannot pull, cannot start, or do not stay up.
//!
//! The sentences are from the ECS Developer Guide, "Stopped tasks error codes" and "Resolve stopped task errors", where
//! no other source is said.

use super::{
    case::{ECS, Source},
    cause::{Concerns, Retry, Rule, Sign, Specificity, always},
};

pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "image-not-found",
        looks_like: "`CannotPullContainerError: … not found`, `manifest unknown`",
        to_do: "Check that the tag was pushed to that repository, in that region, and that no lifecycle policy removed it.",
        concerns: Concerns::Author,
        retry: Retry::DoesNot,
        specificity: Specificity::Special,
        when: always,
        signs: &[Sign::new(
            ECS,
            "CannotPull",
            r"(?:(?P<image>[\w.-]+\.[\w.-]+/[\w./-]+(?:[:@][\w.:-]*\w)?).*?)?(?:: not found|manifest unknown|does not exist|not found: manifest)",
            "there is no image ${image}",
        )],
    },
    Rule {
        id: "image-not-allowed",
        looks_like: "`CannotPullContainerError: … 403 Forbidden`, `pull access denied`, `ecr:GetAuthorizationToken`",
        to_do: "Let the task's execution role pull (AmazonECSTaskExecutionRolePolicy); across accounts the repository's policy must let it too.",
        concerns: Concerns::AccountOwner,
        retry: Retry::DoesNot,
        specificity: Specificity::Special,
        when: always,
        signs: &[Sign::new(
            ECS,
            "CannotPull",
            r"(?:(?P<image>[\w.-]+\.[\w.-]+/[\w./-]+(?:[:@][\w.:-]*\w)?).*?)?(?:403 Forbidden|pull access denied|no basic auth credentials|denied: User)",
            "the task may not pull ${image}",
        )],
    },
    Rule {
        id: "image-not-reached",
        looks_like: "`CannotPullContainerError: … i/o timeout` (or `unable to pull secrets or registry auth: … i/o timeout`)",
        to_do: "Give the task's subnets a way to the registry: a NAT gateway, a public address, or the endpoints ecr.api, ecr.dkr, s3 (and secretsmanager, ssm, logs).",
        concerns: Concerns::NetworkOwner,
        retry: Retry::DoesNot,
        specificity: Specificity::Special,
        when: always,
        signs: &[
            Sign::new(
                ECS,
                "CannotPull",
                r"(?:i/o timeout|request canceled while waiting for connection|context deadline exceeded|connection timed out)",
                "the task has no way to the registry that its image is in",
            ),
            Sign::new(
                ECS,
                "ResourceInitializationError",
                r"(?:i/o timeout|deadline exceeded|There is a connection issue between the task and (?P<what>[\w .-]+))",
                "the task has no way to what it needs to start ${what}",
            ),
        ],
    },
    Rule {
        id: "task-not-prepared",
        looks_like: "`ResourceInitializationError: …`",
        to_do: "Read what it says: a secret, a log group, a file system or the network of the task could not be set up; the execution role needs the permissions for it.",
        concerns: Concerns::PipelineOwner,
        retry: Retry::Unknown,
        specificity: Specificity::Kind,
        when: always,
        signs: &[Sign::new(
            ECS,
            "ResourceInitializationError",
            r"ResourceInitializationError: (?P<why>.+)",
            "the task could not be prepared: ${why}",
        )],
    },
    // awslogs: "failed to validate logger args … ResourceNotFoundException: The specified log group does not exist".
    Rule {
        id: "log-group-missing",
        looks_like: "`The specified log group does not exist`",
        to_do: "Make the log group, or let the driver do so (`awslogs-create-group: true` and logs:CreateLogGroup).",
        concerns: Concerns::PipelineOwner,
        retry: Retry::DoesNot,
        specificity: Specificity::Special,
        when: always,
        signs: &[Sign::new(
            ECS,
            "log group does not exist",
            r"specified log group does not exist",
            "the log group that the task writes to does not exist",
        )],
    },
    Rule {
        id: "task-out-of-memory",
        looks_like: "`OutOfMemoryError: Container killed due to memory usage`, a container exits with 137",
        to_do: "Give the container more memory, or let it use less.",
        concerns: Concerns::Author,
        retry: Retry::DoesNot,
        specificity: Specificity::Special,
        when: always,
        signs: &[
            Sign::new(
                &[Source::Container],
                "OutOfMemory",
                r"^container (?P<name>\S+) .*OutOfMemory",
                "the container ${name} needed more memory than it may have",
            ),
            Sign::new(
                &[Source::Container],
                " 137: ",
                r"^container (?P<name>\S+) exited with 137: ",
                "the container ${name} was killed, most likely for memory",
            ),
            Sign::new(
                &[Source::Task, Source::Rollout],
                "OutOfMemoryError",
                r"OutOfMemoryError",
                "a container needed more memory than it may have",
            ),
        ],
    },
    // runc: "exec: \"X\": executable file not found in $PATH", "stat X: no such file or directory".
    Rule {
        id: "entry-point-missing",
        looks_like: "`exec: \"…\": executable file not found in $PATH`, a container exits with 127",
        to_do: "Mend ENTRYPOINT and CMD of the image, or the command in the task definition.",
        concerns: Concerns::Author,
        retry: Retry::DoesNot,
        specificity: Specificity::Special,
        when: always,
        signs: &[
            Sign::new(
                ECS,
                "executable file not found",
                r#"exec: \\?"(?P<what>[^"\\]+)\\?": executable file not found"#,
                "the image has no ${what} to start",
            ),
            Sign::new(
                ECS,
                "no such file or directory",
                r#"exec: \\?"(?P<what>[^"\\]+)\\?": (?:stat \S+: )?no such file or directory"#,
                "the image has no ${what} to start",
            ),
            Sign::new(
                &[Source::Container],
                " 127: ",
                r"^container (?P<name>\S+) exited with 127: ",
                "the container ${name} did not find the command that it is to run",
            ),
        ],
    },
    Rule {
        id: "task-fails-own-health",
        looks_like: "`Task failed container health checks`",
        to_do: "Run the health check's command in the container; curl may not be in the image. If it only starts slowly, raise `startPeriod`.",
        concerns: Concerns::Author,
        retry: Retry::DoesNot,
        specificity: Specificity::Named,
        when: always,
        signs: &[Sign::new(
            ECS,
            "failed container health checks",
            r"failed container health checks",
            "tasks do not pass their own health check",
        )],
    },
    Rule {
        id: "task-exits",
        looks_like: "`Essential container in task exited`, with the container's exit code",
        to_do: "Read the container's log: the application ended by itself.",
        concerns: Concerns::Author,
        retry: Retry::DoesNot,
        specificity: Specificity::Named,
        when: always,
        signs: &[Sign::new(
            &[Source::Container],
            "exited with",
            r"^container (?P<name>\S+) exited with (?P<code>[1-9]|[1-9]\d|1[0-1]\d|12[0-689]|13[0-689]|1[4-9]\d|2\d\d): (?P<why>.*)",
            "the container ${name} ended by itself with ${code}",
        )],
    },
    Rule {
        id: "task-cannot-start",
        looks_like: "`CannotStartContainerError`, `CannotCreateContainerError`, `ContainerRuntimeError`, `TaskFailedToStart`",
        to_do: "Read what the runtime says; if it names nothing of the image's, start the task again.",
        concerns: Concerns::PipelineOwner,
        retry: Retry::Unknown,
        specificity: Specificity::Kind,
        when: always,
        signs: &[Sign::new(
            ECS,
            "Error",
            r"(?P<what>Cannot(?:Start|Create|Inspect)ContainerError|ContainerRuntime(?:Timeout)?Error|DockerTimeoutError): (?P<why>.+)",
            "a container could not be started: ${why}",
        )],
    },
    // ECS Developer Guide, "How the Amazon ECS deployment circuit breaker detects failures"; CloudFormation passes it on.
    Rule {
        id: "circuit-breaker",
        looks_like: "`ECS deployment circuit breaker: …`, `ECS Deployment Circuit Breaker was triggered`",
        to_do: "Look at the stopped tasks of the service: they are kept for an hour.",
        concerns: Concerns::Author,
        retry: Retry::DoesNot,
        specificity: Specificity::Kind,
        when: always,
        signs: &[
            Sign::new(
                &[Source::Rollout, Source::Deployment, Source::Action],
                "circuit breaker: ",
                r"ECS deployment circuit breaker: (?P<why>.+)",
                "ECS gave the deployment up: ${why}",
            ),
            Sign::new(
                &[Source::Stack],
                "Circuit Breaker was triggered",
                r"^(?P<id>\S+) \(.*Circuit Breaker was triggered",
                "ECS gave the deployment of ${id} up: its tasks did not stay up",
            ),
        ],
    },
];
