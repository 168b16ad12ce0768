//! Permissions: whoever may not do something, and keys and buckets that do not let in.

use super::{
    case::{ANY, Source},
    cause::{Concerns, Retry, Rule, Sign, Specificity, always},
};

/// AWS's sentence about a missing permission ("Access denied error messages", IAM User Guide): `User: ARN is not
/// authorized to perform: ACTION on resource: ARN because no identity-based policy allows the ACTION action`.
macro_rules! not_authorized {
    ($action:literal, $rest:literal) => {
        concat!(
            r"(?:[Uu]ser: )?(?P<who>arn:aws\S+|CodeBuild|\S+) is not authorized to perform: (?P<what>",
            $action,
            r")(?: on (?:resource: )?(?P<on>[^\s,]+))?",
            $rest
        )
    };
}

pub(super) static RULES: &[Rule] = &[
    // IAM User Guide, "Access denied error messages".
    Rule {
        id: "permission-missing",
        looks_like: "`… is not authorized to perform: …` without an explicit deny",
        to_do: "Allow the role that action on that resource, in its own policy; across accounts in the resource's policy too.",
        concerns: Concerns::AccountOwner,
        retry: Retry::DoesNot,
        specificity: Specificity::Named,
        when: always,
        signs: &[
            Sign::new(
                ANY,
                "is not authorized to perform:",
                not_authorized!(r"[\w-]+:\w+", ""),
                "${who} may not do ${what} on ${on}",
            ),
            // API: "You are not authorized to perform this operation" of EC2 names no action.
            Sign::new(
                ANY,
                "not authorized to perform this operation",
                r"not authorized to perform this operation",
                "{action} may not do something in EC2 that it does",
            ),
            // CodeDeploy (aws/serverless-application-model #219 quotes it), of anything but functions.
            Sign::new(
                ANY,
                "does not give you permission to perform operations in the following AWS service",
                r"role (?P<who>arn:\S+) does not give you permission to perform operations in the following AWS service: (?P<on>Amazon\w+|AWS(?:[A-KM-Z]\w*|L[b-z]\w*))",
                "${who} has no permissions in ${on}",
            ),
            // CodePipeline User Guide, "Troubleshooting": "The provided role does not have sufficient permissions: Service:…".
            Sign::new(
                &[Source::Action],
                "does not have sufficient permissions: ",
                r"role does not have sufficient permissions: (?P<what>[\w: ,]+)",
                "{action}'s role lacks permissions: ${what}",
            ),
        ],
    },
    // IAM User Guide, "Access denied error messages": "with an explicit deny in a service control policy".
    Rule {
        id: "permission-denied-explicitly",
        looks_like: "`… is not authorized to perform: … with an explicit deny in a …`",
        to_do: "A policy forbids it, so allowing it elsewhere does not help: ask whoever owns that policy (for a service control policy, the organisation's account).",
        concerns: Concerns::AccountOwner,
        retry: Retry::DoesNot,
        specificity: Specificity::Decisive,
        when: always,
        signs: &[Sign::new(
            ANY,
            "explicit deny",
            not_authorized!(r"[\w-]+:\w+", r".* with an explicit deny in (?P<by>[\w -]+)"),
            "${who} is forbidden to do ${what} on ${on} by ${by}",
        )],
    },
    // AWS KMS Developer Guide, "Key access and permissions"; S3 and CodePipeline pass KMS's sentence on. CodePipeline
    // User Guide, "Create a pipeline that uses resources from another account": the key needs a policy for both.
    Rule {
        id: "artifact-key-denied",
        looks_like: "`… is not authorized to perform: kms:…`, or `The ciphertext refers to a customer master key that does not exist …`",
        to_do: "Let the role use the key: in the key's policy (always, across accounts) and in the role's own. A pipeline across accounts needs a key of its own; the default key of S3 cannot be shared.",
        concerns: Concerns::AccountOwner,
        retry: Retry::DoesNot,
        specificity: Specificity::Special,
        when: always,
        signs: &[
            Sign::new(
                ANY,
                "perform: kms:",
                not_authorized!(r"kms:\w+", ""),
                "${who} may not do ${what} with the key ${on}",
            ),
            Sign::new(
                ANY,
                "The ciphertext refers to a customer master key",
                r"The ciphertext refers to a customer master key",
                "{action} may not use the key of an artifact, or the key is gone",
            ),
        ],
    },
    // CodePipeline's own sentence, quoted by many in public repositories.
    // CodeBuild's: AWS CodeBuild User Guide, "Troubleshooting".
    Rule {
        id: "artifact-bucket-denied",
        looks_like: "`Unable to access the artifact with Amazon S3 object key '…'`, or S3 says `AccessDenied` while the source is downloaded",
        to_do: "Let the action's role read and write the artifact bucket; across accounts the bucket's policy and the key's policy must name it too. If the object is missing, the build before did not make it.",
        concerns: Concerns::AccountOwner,
        retry: Retry::DoesNot,
        specificity: Specificity::Named,
        when: always,
        signs: &[
            Sign::new(
                &[Source::Action],
                "Unable to access the artifact",
                r"object key '(?P<key>[^']+)' located in the Amazon S3 artifact bucket '(?P<bucket>[^']+)'",
                "{action} may not read its artifact ${key} in the bucket ${bucket}",
            ),
            Sign::new(
                &[Source::Phase],
                "AccessDenied",
                r"^(?P<phase>DOWNLOAD_SOURCE|UPLOAD_ARTIFACTS) .*AccessDenied",
                "{action}'s role may not use the artifact bucket (${phase})",
            ),
            Sign::new(
                &[Source::Phase],
                "GetBucketAcl",
                r"Error calling GetBucketAcl",
                "{action}'s role may not read the artifact bucket's ACL, or the bucket has another owner",
            ),
        ],
    },
    // AWS CodeBuild User Guide, "Troubleshooting": "CodeBuild is not authorized to perform: sts:AssumeRole".
    Rule {
        id: "role-not-assumable",
        looks_like: "`… is not authorized to perform: sts:AssumeRole …`",
        to_do: "Let the caller assume the role: in the role's trust policy, and in the caller's own policy. A role that was made seconds ago may need a moment.",
        concerns: Concerns::AccountOwner,
        retry: Retry::DoesNot,
        specificity: Specificity::Special,
        when: always,
        signs: &[
            Sign::new(
                ANY,
                "perform: sts:AssumeRole",
                not_authorized!(r"sts:AssumeRole\w*", ""),
                "${who} may not assume the role ${on}",
            ),
            // CodeDeploy User Guide, "Error codes": IAM_ROLE_MISSING.
            Sign::new(
                &[Source::Deployment],
                "IAM_ROLE_MISSING",
                r"^IAM_ROLE_MISSING",
                "the service role of {action}'s deployment group does not exist",
            ),
        ],
    },
    // IAM User Guide, "Grant a user permissions to pass a role to an AWS service".
    Rule {
        id: "role-not-passable",
        looks_like: "`… is not authorized to perform: iam:PassRole on resource: …`",
        to_do: "Allow iam:PassRole on that role, for the service that it is passed to (condition iam:PassedToService).",
        concerns: Concerns::AccountOwner,
        retry: Retry::DoesNot,
        specificity: Specificity::Special,
        when: always,
        signs: &[Sign::new(
            ANY,
            "perform: iam:PassRole",
            not_authorized!(r"iam:PassRole", ""),
            "${who} may not pass the role ${on} to a service",
        )],
    },
    // botocore's `NoCredentialsError`; AWS CodeBuild User Guide, "Troubleshooting": "Unable to locate credentials".
    // STS's ExpiredToken and UnrecognizedClientException: "Common errors" of each service's API Reference.
    Rule {
        id: "credentials-missing",
        looks_like: "`Unable to locate credentials`, `ExpiredToken`, `The security token included in the request is invalid`",
        to_do: "Let the build use its own role: no credentials in variables, and a container that it starts needs AWS_CONTAINER_CREDENTIALS_RELATIVE_URI. Credentials that were copied run out.",
        concerns: Concerns::PipelineOwner,
        retry: Retry::DoesNot,
        specificity: Specificity::Kind,
        when: always,
        signs: &[
            Sign::new(
                ANY,
                "Unable to locate credentials",
                r"Unable to locate credentials",
                "a command of {action} found no AWS credentials",
            ),
            Sign::new(
                ANY,
                "security token included in the request is",
                r"security token included in the request is (?P<how>expired|invalid)",
                "a command of {action} used AWS credentials that are ${how}",
            ),
        ],
    },
    // AWS CodeBuild User Guide, "Troubleshooting": parameters that the role may not read do "not exist". ECS: "Stopped
    // tasks error codes". Secrets Manager's ResourceNotFoundException says this; SSM's is named ParameterNotFound.
    Rule {
        id: "secret-missing",
        looks_like: "`Secrets Manager can't find the specified secret`, `ParameterNotFound`, `Parameter does not exist: …`",
        to_do: "Make the secret or parameter in this account and region, or mend its name where it is asked for. A parameter that the role may not read is said not to exist as well.",
        concerns: Concerns::PipelineOwner,
        retry: Retry::DoesNot,
        specificity: Specificity::Special,
        when: always,
        signs: &[
            Sign::new(
                ANY,
                "Parameter does not exist",
                r"Parameters? do(?:es)? not exist: *(?P<name>[^\s,]+)?",
                "the parameter ${name} does not exist, or may not be read",
            ),
            Sign::new(
                ANY,
                "ParameterNotFound",
                r"ParameterNotFound",
                "a parameter that {action} asks for does not exist",
            ),
            Sign::new(
                ANY,
                "invalid ssm parameters",
                r"invalid ssm parameters: (?P<name>[^\s,]+)",
                "the parameter ${name} does not exist",
            ),
            Sign::new(
                ANY,
                "can't find the specified secret",
                r"secret (?P<name>arn:aws\S+?):? .*can't find the specified secret",
                "the secret ${name} does not exist, or has no such version",
            ),
            Sign::new(
                ANY,
                "can't find the specified secret",
                r"can't find the specified secret",
                "a secret that {action} asks for does not exist, or has no such version",
            ),
        ],
    },
];
