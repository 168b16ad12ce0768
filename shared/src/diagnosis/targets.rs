//! Load balancers: why new targets get no traffic, which is what AllowTraffic waits for when it hangs.
//!
//! The reasons are Elastic Load Balancing's (API Reference, `TargetHealth`; Application Load Balancers Guide, "Target
//! health reason codes").

use super::{
    case::{ECS, Source},
    cause::{Concerns, Retry, Rule, Sign, Specificity, always},
};

const TARGET: &[Source] = &[Source::Target];
/// Where ECS repeats what the load balancer says of a target.
const TOLD: &[Source] = &[Source::Rollout, Source::Task];

pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "target-does-not-answer",
        looks_like: "`Target.Timeout`: `Request timed out`",
        to_do: "Let the target's security group in from the load balancer's, on the health check's port; if it does, the application accepts and does not answer in time: raise the check's timeout or mend it.",
        concerns: Concerns::NetworkOwner,
        retry: Retry::DoesNot,
        specificity: Specificity::Special,
        when: always,
        signs: &[
            Sign::new(
                TARGET,
                "Target.Timeout",
                r"^(?P<id>\S+) Target\.Timeout",
                "${id} does not answer the load balancer: most likely a security group keeps it out",
            ),
            Sign::new(
                TOLD,
                "Request timed out",
                r"(?:port (?P<port>\d+)\) is )?unhealthy.*Request timed out",
                "a task does not answer the load balancer (port ${port}): most likely a security group keeps it out",
            ),
        ],
    },
    Rule {
        id: "target-port-closed",
        looks_like: "`Target.FailedHealthChecks`: `Health checks failed`, with no code",
        to_do: "Nothing listens there, or the connection is cut: compare the container's port, the target group's and the one that the application listens on (0.0.0.0, not 127.0.0.1).",
        concerns: Concerns::Author,
        retry: Retry::DoesNot,
        specificity: Specificity::Special,
        when: always,
        signs: &[
            Sign::new(
                TARGET,
                "Target.FailedHealthChecks",
                r"^(?P<id>\S+) Target\.FailedHealthChecks: Health checks failed(?: \(expects|$|\.)",
                "${id} refuses the load balancer: most likely the wrong port",
            ),
            Sign::new(
                TOLD,
                "Health checks failed)",
                r"(?:port (?P<port>\d+)\) is )?unhealthy.*reason Health checks failed\)",
                "a task refuses the load balancer (port ${port}): most likely the wrong port",
            ),
        ],
    },
    Rule {
        id: "target-path-wrong",
        looks_like: "`Health checks failed with these codes: [404]` (or another 3xx or 4xx)",
        to_do: "Let the health check ask for a path that the application answers with the expected code, without a login and without a redirect.",
        concerns: Concerns::Author,
        retry: Retry::DoesNot,
        specificity: Specificity::Special,
        when: always,
        signs: &[
            Sign::new(
                TARGET,
                "with these codes: [",
                r"^(?P<id>\S+) .*with these codes: \[(?P<code>[34]\d\d)\] \(expects (?P<wants>\S+) at (?P<path>[^)]+)\)",
                "${id} answers the health check at ${path} with ${code} instead of ${wants}",
            ),
            Sign::new(
                TOLD,
                "with these codes: [",
                r"with these codes: \[(?P<code>[34]\d\d)\]",
                "a task answers the health check with ${code}: most likely the wrong path",
            ),
        ],
    },
    Rule {
        id: "target-answers-with-errors",
        looks_like: "`Health checks failed with these codes: [503]` (or another 5xx)",
        to_do: "The application runs and fails: read its log; often a database or a secret that it cannot reach.",
        concerns: Concerns::Author,
        retry: Retry::DoesNot,
        specificity: Specificity::Special,
        when: always,
        signs: &[
            Sign::new(
                TARGET,
                "with these codes: [",
                r"^(?P<id>\S+) .*with these codes: \[(?P<code>5\d\d)\] \(expects \S+ at (?P<path>[^)]+)\)",
                "${id} answers the health check at ${path} with ${code}",
            ),
            Sign::new(
                TOLD,
                "with these codes: [",
                r"with these codes: \[(?P<code>5\d\d)\]",
                "a task answers the health check with ${code}",
            ),
        ],
    },
    Rule {
        id: "target-not-in-use",
        looks_like: "`Target.NotInUse`: no listener uses the target group, or not the target's zone",
        to_do: "Let a listener's rule forward to the target group, and enable the target's availability zone for the load balancer.",
        concerns: Concerns::NetworkOwner,
        retry: Retry::DoesNot,
        specificity: Specificity::Special,
        when: always,
        signs: &[Sign::new(
            TARGET,
            "Target.NotInUse",
            r"^(?P<id>\S+) Target\.NotInUse: (?P<why>[^(]*)",
            "${id} gets no traffic: ${why}",
        )],
    },
    // ECS Developer Guide, "Stopped tasks error messages"; re:Post, "Why is my Amazon ECS task stopped?".
    Rule {
        id: "task-fails-target-health",
        looks_like: "`Task failed ELB health checks in (target-group …)`",
        to_do: "Ask the health check's path yourself; if the application only starts slowly, raise the service's health check grace period.",
        concerns: Concerns::Author,
        retry: Retry::DoesNot,
        specificity: Specificity::Kind,
        when: always,
        signs: &[Sign::new(
            ECS,
            "failed ELB health checks",
            r"failed ELB health checks in \((?:target-group (?:arn:\S+targetgroup/)?|elb )(?P<group>[\w-]+)",
            "tasks do not pass the load balancer's health check in ${group}",
        )],
    },
    // CodeDeploy: the event AllowTraffic waits for healthy targets ("AppSpec 'hooks' section").
    Rule {
        id: "traffic-hangs",
        looks_like: "AllowTraffic (or BlockTraffic) hangs or fails",
        to_do: "Look at the target group: a new target must pass its health checks before traffic goes to it. Check port, path, security group and grace period.",
        concerns: Concerns::PipelineOwner,
        retry: Retry::Unknown,
        specificity: Specificity::Kind,
        when: always,
        signs: &[Sign::new(
            &[Source::Lifecycle],
            "Traffic (",
            r"^(?P<event>AllowTraffic|BlockTraffic|AllowTestTraffic) \((?P<status>InProgress|Failed)\)",
            "${event} does not end: the targets most likely stay unhealthy",
        )],
    },
];
