//! CodeBuild and what builds use: the buildspec, commands, images, artifacts, Terraform.

use super::{
    case::{ANY, OUTPUT, Source},
    cause::{Concerns, Retry, Rule, Sign, Specificity, always},
};

pub(super) static RULES: &[Rule] = &[
    // sh, bash, and exit code 127 (POSIX, "Exit status for commands").
    Rule {
        id: "command-not-found",
        looks_like: "`sh: 1: …: not found`, `…: command not found`, exit code 127",
        to_do: "Install it in the build (phase `install`, or runtime-versions), or choose an image that has it.",
        concerns: Concerns::PipelineOwner,
        retry: Retry::DoesNot,
        specificity: Specificity::Named,
        when: always,
        signs: &[
            Sign::new(
                OUTPUT,
                "command not found",
                r": (?:line \d+: )?(?P<name>[\w./@+-]+): command not found",
                "the command ${name} is not in the image",
            ),
            Sign::new(
                OUTPUT,
                ": not found",
                r"(?:sh|dash): (?:\d+: )?(?P<name>[\w./@+-]+): not found",
                "the command ${name} is not in the image",
            ),
            Sign::new(
                &[Source::Phase],
                "127",
                r"while executing command: (?P<name>\S+).*exit status 127",
                "a command was not found in: ${name}",
            ),
        ],
    },
    // CodeBuild's YAML_FILE_ERROR (phase contexts); CodeBuild User Guide, "Troubleshooting" (runtime version).
    Rule {
        id: "buildspec-wrong",
        looks_like: "`YAML_FILE_ERROR`, `This build image requires selecting at least one runtime version`",
        to_do: "Mend the buildspec (or its path in the project); try it with the CodeBuild agent locally.",
        concerns: Concerns::Author,
        retry: Retry::DoesNot,
        specificity: Specificity::Special,
        when: always,
        signs: &[
            Sign::new(
                &[Source::Phase],
                "YAML_FILE_ERROR",
                r"YAML_FILE_ERROR:? ?(?:Message: )?(?P<why>.+)",
                "the buildspec of {action} cannot be used: ${why}",
            ),
            Sign::new(
                ANY,
                "at least one runtime version",
                r"requires selecting at least one runtime version",
                "the buildspec of {action} names no runtime version",
            ),
        ],
    },
    // CodeBuild User Guide, "Troubleshooting": "Cannot connect to the Docker daemon".
    Rule {
        id: "docker-not-allowed",
        looks_like: "`Cannot connect to the Docker daemon`",
        to_do: "Switch the project's privileged mode on; with an image of your own start dockerd in it.",
        concerns: Concerns::PipelineOwner,
        retry: Retry::DoesNot,
        specificity: Specificity::Kind,
        when: always,
        signs: &[Sign::new(
            OUTPUT,
            "onnect to the Docker daemon",
            r"Cannot connect to the Docker daemon",
            "Docker does not run in the build of {action}",
        )],
    },
    // CodeBuild User Guide, "Troubleshooting": BUILD_CONTAINER_UNABLE_TO_PULL_IMAGE and its four causes.
    Rule {
        id: "build-image-not-pulled",
        looks_like: "`BUILD_CONTAINER_UNABLE_TO_PULL_IMAGE`",
        to_do: "Check that the image and tag exist in this region, that CodeBuild (or the service role) may pull it, that it fits on the disk, and that a VPC has a way to the registry.",
        concerns: Concerns::PipelineOwner,
        retry: Retry::DoesNot,
        specificity: Specificity::Special,
        when: always,
        signs: &[Sign::new(
            &[Source::Phase],
            "UNABLE_TO_PULL_IMAGE",
            r"BUILD_CONTAINER_UNABLE_TO_PULL_IMAGE:? ?(?P<why>.*)",
            "the image in which {action} builds cannot be pulled: ${why}",
        )],
    },
    // Docker and BuildKit: "manifest for X not found", "pull access denied for X", "X: not found".
    Rule {
        id: "base-image-not-found",
        looks_like: "`manifest for … not found`, `pull access denied for …`, `failed to resolve source metadata for …: not found`",
        to_do: "Check the image's name and tag in the Dockerfile; a private one needs a login in the build.",
        concerns: Concerns::Author,
        retry: Retry::DoesNot,
        specificity: Specificity::Named,
        when: always,
        signs: &[
            Sign::new(
                OUTPUT,
                "manifest for",
                r"manifest for (?P<image>\S+) not found",
                "there is no image ${image}",
            ),
            Sign::new(
                OUTPUT,
                "pull access denied",
                r"pull access denied for (?P<image>[^\s,]+)",
                "there is no image ${image}, or it may not be pulled",
            ),
            Sign::new(
                OUTPUT,
                "not found",
                r"(?:load|resolve source) metadata for (?P<image>[^\s:]+(?::[\w.-]+)?): .*not found",
                "there is no image ${image}",
            ),
            Sign::new(
                OUTPUT,
                "manifest unknown",
                r"(?P<image>[\w./:-]+: )?.*manifest unknown",
                "there is no such image: ${image}",
            ),
        ],
    },
    // The kernel's ENOEXEC, as Docker, the shell and ECS's runtime say it.
    Rule {
        id: "architecture-wrong",
        looks_like: "`exec format error`",
        to_do: "Build the image for the processor it runs on (`docker build --platform linux/arm64`), or set the task's runtimePlatform.",
        concerns: Concerns::Author,
        retry: Retry::DoesNot,
        specificity: Specificity::Special,
        when: always,
        signs: &[Sign::new(
            ANY,
            "exec format error",
            r"(?:exec (?P<what>[^\s:]+): )?exec format error",
            "a program was built for another processor: ${what}",
        )],
    },
    // CodeBuild: CLIENT_ERROR in UPLOAD_ARTIFACTS, quoted in many logs in public repositories.
    Rule {
        id: "artifact-not-made",
        looks_like: "`no matching artifact paths found`, `no matching base directory path found`",
        to_do: "Let the build write what `artifacts: files` names, from the directory that it names; often an earlier command failed without ending the build.",
        concerns: Concerns::Author,
        retry: Retry::DoesNot,
        specificity: Specificity::Kind,
        when: always,
        signs: &[Sign::new(
            &[Source::Phase, Source::Action],
            "no matching ",
            r"no matching (?P<what>artifact paths|base directory path)",
            "{action} left no artifact: no matching ${what}",
        )],
    },
    // CodePipeline's ECS actions; CodePipeline User Guide, "Image definitions file reference".
    Rule {
        id: "image-definitions-missing",
        looks_like: "`Did not find the image definition file …`",
        to_do: "Let the build write imagedefinitions.json (imageDetail.json for CodeDeploy to ECS) and name it in `artifacts: files`.",
        concerns: Concerns::Author,
        retry: Retry::DoesNot,
        specificity: Specificity::Special,
        when: always,
        signs: &[Sign::new(
            &[Source::Action],
            "image definition",
            r"[Dd]id not find the image definitions? file (?P<file>\S+)",
            "{action} found no ${file} in its input",
        )],
    },
    // Git, in the source of a build.
    Rule {
        id: "commit-not-found",
        looks_like: "`reference not found for primary source`, `couldn't find remote ref …`, `did not match any file(s) known to git`",
        to_do: "The branch or commit is gone (rebased, deleted) or never pushed: start the pipeline anew from one that exists.",
        concerns: Concerns::Author,
        retry: Retry::DoesNot,
        specificity: Specificity::Named,
        when: always,
        signs: &[
            Sign::new(
                ANY,
                "reference not found",
                r"reference not found for (?P<what>\w+ source)(?: and source version (?P<ref>\S+))?",
                "{action} found no such commit or branch: ${ref}",
            ),
            Sign::new(
                ANY,
                "find remote ref",
                r"ouldn't find remote ref (?P<ref>\S+)",
                "there is no branch ${ref}",
            ),
            Sign::new(
                ANY,
                "known to git",
                r"pathspec '(?P<ref>[^']+)' did not match any file",
                "git knows no ${ref}",
            ),
        ],
    },
    // The kernel's ENOENT in the words of cat, cp, Node, Docker.
    Rule {
        id: "file-missing",
        looks_like: "`No such file or directory`, `ENOENT`, `failed to compute cache key: … not found`",
        to_do: "Check the path and the working directory; a file that another command makes must be made before, one from another action must be among its artifacts.",
        concerns: Concerns::Author,
        retry: Retry::DoesNot,
        specificity: Specificity::Kind,
        when: always,
        signs: &[
            Sign::new(
                OUTPUT,
                "ENOENT",
                r"ENOENT:? no such file or directory, \w+ '(?P<file>[^']+)'",
                "there is no file ${file}",
            ),
            Sign::new(
                OUTPUT,
                "No such file or directory",
                r"(?P<file>[\w./@+-]+)'?: No such file or directory",
                "there is no file ${file}",
            ),
            Sign::new(
                OUTPUT,
                "No such file or directory",
                r"No such file or directory: '(?P<file>[^']+)'",
                "there is no file ${file}",
            ),
            Sign::new(
                OUTPUT,
                "failed to compute cache key",
                r#""(?P<file>/[^"]+)"?: not found"#,
                "the Dockerfile copies ${file}, which is not in the build's context",
            ),
        ],
    },
    // Terraform: "Error acquiring the state lock" (developer.hashicorp.com, "State locking").
    Rule {
        id: "terraform-state-locked",
        looks_like: "`Error acquiring the state lock`",
        to_do: "Wait for the other run. If none runs, it died: look at the lock's owner in the log, then `terraform force-unlock`.",
        concerns: Concerns::PipelineOwner,
        retry: Retry::Unknown,
        specificity: Specificity::Special,
        when: always,
        signs: &[Sign::new(
            OUTPUT,
            "state lock",
            r"Error acquiring the state lock",
            "another run of Terraform holds the state, or one died with it",
        )],
    },
    // Terraform's diagnostics: `Error: …` and, below, `on FILE line N`.
    Rule {
        id: "terraform-error",
        looks_like: "`on main.tf line …` below an `Error:`",
        to_do: "Read the error above that place in the log.",
        concerns: Concerns::Author,
        retry: Retry::DoesNot,
        specificity: Specificity::Kind,
        when: always,
        signs: &[Sign::new(
            OUTPUT,
            " line ",
            r"^[│|\s]*on (?P<file>\S+\.tf) line (?P<line>\d+)",
            "Terraform refused ${file}, line ${line}",
        )],
    },
];
