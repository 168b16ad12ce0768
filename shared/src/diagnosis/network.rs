//! The network: what could not be reached, and who would not let in.

use super::{
    case::OUTPUT,
    cause::{Concerns, Retry, Rule, Sign, Specificity, always},
    failure::{Failure, Learnt},
};

fn in_vpc(failure: &Failure) -> bool {
    failure.learnt.iter().any(|learnt| {
        matches!(learnt, Learnt::Build(build) if build.known().is_ok_and(|build| build.vpc.is_some()))
    })
}

fn not_in_vpc(failure: &Failure) -> bool {
    !in_vpc(failure)
}

/// The words of what cannot be reached, with the host, by tool.
macro_rules! timeouts {
    ($what:literal) => {
        &[
            // npm: errors.js of npm-cli; "npm ERR! network request to https://… failed, reason: connect ETIMEDOUT".
            Sign::new(OUTPUT, "ETIMEDOUT", r"request to (?P<host>https?://[^/\s]+)\S* failed", $what),
            Sign::new(OUTPUT, "ETIMEDOUT", r"ETIMEDOUT (?P<host>[\w.:\[\]-]+)", $what),
            Sign::weak(OUTPUT, "ETIMEDOUT", r"(?:code|errno) ETIMEDOUT", "a download of {action} timed out"),
            Sign::new(OUTPUT, "network timeout at", r"network timeout at: (?P<host>https?://[^/\s]+)", $what),
            // pip, through urllib3: ReadTimeoutError and ConnectTimeoutError name the host.
            Sign::new(OUTPUT, "TimeoutError", r"(?:Read|Connect)TimeoutError\(.*host='(?P<host>[^']+)'", $what),
            Sign::new(OUTPUT, "TimeoutError", r"HTTPS?ConnectionPool\(host='(?P<host>[^']+)'.*(?:Read|Connect)TimeoutError", $what),
            Sign::new(OUTPUT, "Read timed out", r"HTTPS?ConnectionPool\(host='(?P<host>[^']+)'.*Read timed out", $what),
            // botocore: ConnectTimeoutError.
            Sign::new(OUTPUT, "Connect timeout on endpoint URL", r#"Connect timeout on endpoint URL: "(?P<host>https?://[^/"]+)"#, $what),
            // Go's net: modules, Docker, Terraform.
            Sign::new(OUTPUT, "i/o timeout", r"dial tcp (?P<host>[\w.:\[\]-]+): i/o timeout", $what),
            Sign::new(OUTPUT, "TLS handshake timeout", r#"(?P<host>https?://[^/\s"]+)\S* ?.*TLS handshake timeout"#, $what),
            // curl (28), git, apt, Maven.
            Sign::new(OUTPUT, "onnect", r"(?:Failed to connect to|Could not connect to) (?P<host>[\w.:-]+).*(?:timed out|Timeout|after \d+ ms)", $what),
            Sign::new(OUTPUT, "onnection timed out", r"(?:to|from|access) '?(?P<host>https?://[^/\s']+|[\w.-]+\.\w+).*[Cc]onnection timed out", $what),
            Sign::new(OUTPUT, "imed out", r"(?:Connect to|transfer artifact \S+ from/to \S+) \(?(?P<host>[\w.:/-]+).*(?:[Cc]onnect|[Rr]ead) timed out", $what),
        ]
    };
}

pub(super) static RULES: &[Rule] = &[
    // CodeBuild User Guide, "Use AWS CodeBuild with Amazon Virtual Private Cloud": a build in a VPC has no public
    // address, so without a NAT gateway it reaches nothing outside.
    Rule {
        id: "vpc-without-nat",
        looks_like: "a download or call times out, and the build runs in a VPC",
        to_do: "Give the project's subnets a route to a NAT gateway (not to an internet gateway: a build has no public address), or endpoints for what it calls; check the security group's rules outwards.",
        concerns: Concerns::NetworkOwner,
        retry: Retry::DoesNot,
        specificity: Specificity::Named,
        when: in_vpc,
        signs: timeouts!(
            "{action} runs in a VPC and could not reach ${host}: most likely its subnets have no way out"
        ),
    },
    Rule {
        id: "download-timed-out",
        looks_like: "a download or call times out, and the build runs in no VPC",
        to_do: "Retry. If it comes back, cache dependencies or mirror them (CodeArtifact).",
        concerns: Concerns::Outside,
        retry: Retry::Helps,
        specificity: Specificity::Named,
        when: not_in_vpc,
        signs: timeouts!("{action} could not reach ${host} in time"),
    },
    // libuv (`getaddrinfo ENOTFOUND host`), curl (6), Go's net, glibc.
    Rule {
        id: "name-not-resolved",
        looks_like: "`getaddrinfo ENOTFOUND …`, `Could not resolve host: …`, `no such host`",
        to_do: "Check the name. In a VPC: DNS support, the private hosted zone, or the endpoint. EAI_AGAIN by itself may pass.",
        concerns: Concerns::NetworkOwner,
        retry: Retry::Unknown,
        specificity: Specificity::Named,
        when: always,
        signs: &[
            Sign::new(
                OUTPUT,
                "getaddrinfo",
                r"getaddrinfo (?:ENOTFOUND|EAI_AGAIN) (?P<host>[\w.-]+)",
                "{action} could not resolve the name ${host}",
            ),
            Sign::new(
                OUTPUT,
                "Could not resolve host",
                r"Could not resolve host: (?P<host>[\w.-]+)",
                "{action} could not resolve the name ${host}",
            ),
            Sign::new(
                OUTPUT,
                "no such host",
                r"lookup (?P<host>[\w.-]+).*: no such host",
                "{action} could not resolve the name ${host}",
            ),
            Sign::new(
                OUTPUT,
                "ame or service not known",
                r"host='(?P<host>[^']+)'.*[Nn]ame or service not known",
                "{action} could not resolve the name ${host}",
            ),
            Sign::new(
                OUTPUT,
                "Temporary failure in name resolution",
                r"(?:host='(?P<host>[^']+)'.*)?Temporary failure in name resolution",
                "{action} could not resolve a name: ${host}",
            ),
        ],
    },
    // The codes of servers in front: npm ("503 Service Unavailable - GET …"), Maven ("status code: 502"), Docker.
    Rule {
        id: "registry-out-of-order",
        looks_like: "a package registry answers 500, 502, 503 or 504, or resets the connection",
        to_do: "Retry. If it comes back, look at the registry's status page, and cache or mirror dependencies.",
        concerns: Concerns::Outside,
        retry: Retry::Helps,
        specificity: Specificity::Named,
        when: always,
        signs: &[
            Sign::new(
                OUTPUT,
                "- GET http",
                r"(?P<code>50[0234]) [A-Z][\w ]+ - GET (?P<host>https?://[^/\s]+)",
                "${host} answered ${code}",
            ),
            Sign::new(
                OUTPUT,
                "status code: 50",
                r"from/to \S+ \((?P<host>https?://[^/)]+)[^)]*\).*status code: (?P<code>50[0234])",
                "${host} answered ${code}",
            ),
            Sign::new(
                OUTPUT,
                "received unexpected HTTP status: 50",
                r"received unexpected HTTP status: (?P<code>50[0234])",
                "a registry answered ${code}",
            ),
            Sign::new(
                OUTPUT,
                "ECONNRESET",
                r"request to (?P<host>https?://[^/\s]+)\S* failed.*ECONNRESET",
                "${host} dropped the connection",
            ),
            Sign::new(
                OUTPUT,
                "returned error: 50",
                r"unable to access '(?P<host>https?://[^/']+).*returned error: (?P<code>50[0234])",
                "${host} answered ${code}",
            ),
        ],
    },
    // npm (E401, E403), pip, Maven ("status code: 401"), git, Docker ("no basic auth credentials").
    Rule {
        id: "registry-refused",
        looks_like: "a registry or a repository answers 401 or 403: `E401`, `no basic auth credentials`, `Authentication failed for …`",
        to_do: "Log in to it in the build (`aws codeartifact login`, `aws ecr get-login-password`, a token from Secrets Manager); a token that is there may have run out.",
        concerns: Concerns::PipelineOwner,
        retry: Retry::DoesNot,
        specificity: Specificity::Named,
        when: always,
        signs: &[
            Sign::new(
                OUTPUT,
                "- GET http",
                r"(?P<code>40[13]) [A-Z][\w ]+ - GET (?P<host>https?://[^/\s]+)",
                "${host} answered ${code}: {action} is not logged in to it, or may not read it",
            ),
            Sign::weak(
                OUTPUT,
                "code E40",
                r"code (?P<code>E40[13])\b",
                "a registry refused {action}: ${code}",
            ),
            Sign::new(
                OUTPUT,
                "status code: 40",
                r"from/to \S+ \((?P<host>https?://[^/)]+)[^)]*\).*status code: (?P<code>40[13])",
                "${host} answered ${code}: {action} is not logged in to it, or may not read it",
            ),
            Sign::new(
                OUTPUT,
                "Client Error: ",
                r"(?P<code>40[13]) Client Error: \w+ for url: (?P<host>https?://[^/\s]+)",
                "${host} answered ${code}: {action} is not logged in to it, or may not read it",
            ),
            Sign::new(
                OUTPUT,
                "no basic auth credentials",
                r"no basic auth credentials",
                "Docker is not logged in to the registry that {action} uses",
            ),
            Sign::new(
                OUTPUT,
                "Your authorization token has expired",
                r"denied: Your authorization token has expired",
                "Docker's login to ECR has run out",
            ),
            Sign::new(
                OUTPUT,
                "Authentication failed for",
                r"Authentication failed for '(?P<host>https?://[^']+)'",
                "{action} may not read ${host}",
            ),
            Sign::new(
                OUTPUT,
                "could not read Username for",
                r"could not read Username for '(?P<host>https?://[^']+)'",
                "{action} has no credentials for ${host}",
            ),
        ],
    },
    // Docker Hub's own text: docs.docker.com, "Docker Hub usage and limits".
    Rule {
        id: "docker-hub-limit",
        looks_like: "`toomanyrequests: You have reached your … pull rate limit`",
        to_do: "Log in to Docker Hub in the build, or take the image from ECR Public or a pull-through cache. All builds without a login share a few addresses.",
        concerns: Concerns::PipelineOwner,
        retry: Retry::Helps,
        specificity: Specificity::Special,
        when: always,
        signs: &[Sign::new(
            super::case::ANY,
            "toomanyrequests: ",
            r"toomanyrequests: You have reached your (?:unauthenticated )?pull rate limit",
            "Docker Hub lets {action} pull no more images for now",
        )],
    },
    // Go's crypto/x509, Node, Python's ssl, Java's PKIX, git (CodeBuild User Guide, "Troubleshooting").
    Rule {
        id: "certificate-not-trusted",
        looks_like: "`x509: certificate signed by unknown authority`, `SELF_SIGNED_CERT_IN_CHAIN`, `CERTIFICATE_VERIFY_FAILED`, `PKIX path building failed`",
        to_do: "Add the authority's certificate to the build image (CodeBuild can take one from S3), or renew the server's certificate. Do not switch the check off.",
        concerns: Concerns::NetworkOwner,
        retry: Retry::DoesNot,
        specificity: Specificity::Kind,
        when: always,
        signs: &[
            Sign::new(
                OUTPUT,
                "x509: certificate",
                r"x509: certificate (?P<how>signed by unknown authority|has expired)",
                "{action} met a certificate that is not trusted: ${how}",
            ),
            Sign::new(
                OUTPUT,
                "SELF_SIGNED_CERT",
                r"SELF_SIGNED_CERT_IN_CHAIN|DEPTH_ZERO_SELF_SIGNED_CERT",
                "{action} met a self-signed certificate",
            ),
            Sign::new(
                OUTPUT,
                "CERTIFICATE_VERIFY_FAILED",
                r"CERTIFICATE_VERIFY_FAILED\]? ?(?P<how>[^()]*)",
                "{action} met a certificate that is not trusted: ${how}",
            ),
            Sign::new(
                OUTPUT,
                "PKIX path building failed",
                r"PKIX path building failed",
                "{action} met a certificate that Java does not trust",
            ),
            Sign::new(
                OUTPUT,
                "SSL certificate problem",
                r"SSL certificate problem: (?P<how>[\w -]+)",
                "{action} met a certificate that git does not trust: ${how}",
            ),
        ],
    },
];
