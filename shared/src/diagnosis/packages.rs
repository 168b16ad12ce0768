//! Dependencies: which is not there, and which do not fit together.

use super::{
    case::OUTPUT,
    cause::{Concerns, Retry, Rule, Sign, Specificity, always},
};

pub(super) static RULES: &[Rule] = &[
    // npm (E404), yarn, pip, Maven, Cargo, Go, NuGet (NU1101), Bundler.
    Rule {
        id: "dependency-not-found",
        looks_like: "`404 Not Found - GET …`, `No matching distribution found for …`, `Could not find artifact …`, `no matching package named …`",
        to_do: "Check the name, the version and the registry that is asked. A private package needs its registry in the build's configuration.",
        concerns: Concerns::Author,
        retry: Retry::DoesNot,
        specificity: Specificity::Named,
        when: always,
        signs: &[
            Sign::new(OUTPUT, "404", r"404 Not Found - GET (?P<name>\S+)", "there is no ${name}"),
            Sign::new(
                OUTPUT,
                "404",
                r"404\s+'(?P<name>[^']+)' is not in (?:this|the npm) registry",
                "the package ${name} is not in the registry",
            ),
            Sign::weak(
                OUTPUT,
                "ETARGET",
                r"code ETARGET",
                "a version that package.json asks for does not exist",
            ),
            Sign::new(
                OUTPUT,
                "No matching version found for",
                r"No matching version found for (?P<name>[^\s]+[^\s.])",
                "there is no version ${name}",
            ),
            Sign::new(
                OUTPUT,
                "No matching distribution found for",
                r"No matching distribution found for (?P<name>\S+)",
                "pip found no ${name} that fits this Python",
            ),
            Sign::new(
                OUTPUT,
                "Could not find artifact",
                r"Could not find artifact (?P<name>[\w.:-]+)",
                "Maven found no ${name}",
            ),
            Sign::new(
                OUTPUT,
                "Could not find ",
                r"^> Could not find (?P<name>[\w.-]+:[\w.-]+:[\w.-]+)\.",
                "Gradle found no ${name}",
            ),
            Sign::new(
                OUTPUT,
                "no matching package named",
                r"no matching package named `(?P<name>[^`]+)` found",
                "Cargo found no ${name}",
            ),
            Sign::new(
                OUTPUT,
                "unknown revision",
                r"(?P<name>[\w./-]+@[\w.+-]+).*unknown revision",
                "Go found no ${name}",
            ),
            Sign::new(
                OUTPUT,
                "NU110",
                r"error NU110[1-3]: (?P<name>Unable to find package \S+)",
                "NuGet: ${name}",
            ),
            Sign::new(
                OUTPUT,
                "Could not find gem",
                r"Could not find gem '(?P<name>[^']+)'",
                "Bundler found no ${name}",
            ),
            Sign::new(
                OUTPUT,
                "Unable to locate package",
                r"E: Unable to locate package (?P<name>\S+)",
                "apt knows no package ${name}; the build may lack `apt-get update`",
            ),
        ],
    },
    // npm (ERESOLVE), pip (ResolutionImpossible), Cargo.
    Rule {
        id: "dependencies-conflict",
        looks_like: "`ERESOLVE could not resolve`, `ResolutionImpossible`, `failed to select a version for …`",
        to_do: "Choose versions that fit together and commit the lock file.",
        concerns: Concerns::Author,
        retry: Retry::DoesNot,
        specificity: Specificity::Kind,
        when: always,
        signs: &[
            Sign::new(
                OUTPUT,
                "ERESOLVE",
                r"ERESOLVE (?:could not resolve|unable to resolve dependency tree)",
                "the dependencies that npm is asked for do not fit together",
            ),
            Sign::new(
                OUTPUT,
                "ResolutionImpossible",
                r"ResolutionImpossible",
                "the dependencies that pip is asked for do not fit together",
            ),
            Sign::new(
                OUTPUT,
                "conflicting dependencies",
                r"Cannot install (?P<names>.+) because these package versions have conflicting dependencies",
                "pip cannot install together: ${names}",
            ),
            Sign::new(
                OUTPUT,
                "failed to select a version for",
                r"failed to select a version for `(?P<name>[^`]+)`",
                "Cargo found no version of ${name} that fits all",
            ),
        ],
    },
    // npm ci (EUSAGE), yarn --frozen-lockfile, pnpm, Cargo --locked, Poetry, Go -mod=readonly.
    Rule {
        id: "lock-file-out-of-step",
        looks_like: "`npm ci can only install packages when your package.json and package-lock.json … are in sync`, `--locked was passed`, `ERR_PNPM_OUTDATED_LOCKFILE`",
        to_do: "Install locally with the tool's version of the build, and commit the lock file.",
        concerns: Concerns::Author,
        retry: Retry::DoesNot,
        specificity: Specificity::Named,
        when: always,
        signs: &[
            Sign::new(
                OUTPUT,
                "can only install",
                r"`?npm ci`? can only install packages when your (?P<file>package\.json and package-lock\.json)",
                "${file} are not in step",
            ),
            Sign::new(
                OUTPUT,
                "--frozen-lockfile",
                r"(?:lockfile needs to be updated|lockfile would have been modified).*",
                "yarn.lock is not in step with package.json",
            ),
            Sign::new(
                OUTPUT,
                "ERR_PNPM_OUTDATED_LOCKFILE",
                r"ERR_PNPM_OUTDATED_LOCKFILE",
                "pnpm-lock.yaml is not in step with package.json",
            ),
            Sign::new(
                OUTPUT,
                "--locked was passed",
                r"the lock file (?P<file>\S+) needs to be updated but --locked was passed",
                "${file} is not in step with Cargo.toml",
            ),
            Sign::new(
                OUTPUT,
                "poetry.lock",
                r"pyproject\.toml changed significantly since poetry\.lock was last generated",
                "poetry.lock is not in step with pyproject.toml",
            ),
            Sign::new(
                OUTPUT,
                "updates to go.mod needed",
                r"updates to go\.mod needed",
                "go.mod is not in step with the code",
            ),
            Sign::new(
                OUTPUT,
                "missing go.sum entry",
                r"missing go\.sum entry for (?:module providing package )?(?P<name>[^\s;]+)",
                "go.sum has no entry for ${name}",
            ),
        ],
    },
    // Node, Python.
    Rule {
        id: "module-missing",
        looks_like: "`Cannot find module '…'`, `ModuleNotFoundError: No module named '…'`",
        to_do: "Declare it as a dependency (not only for development, if it runs), or mend the path; case counts on Linux.",
        concerns: Concerns::Author,
        retry: Retry::DoesNot,
        specificity: Specificity::Named,
        when: always,
        signs: &[
            Sign::new(
                super::case::ANY,
                "Cannot find module",
                r"(?:^|[^\w]|Error: )Cannot find module '(?P<name>[^']+)'(?: imported from|$|[^ ]| R)",
                "there is no module ${name}",
            ),
            Sign::new(
                super::case::ANY,
                "No module named",
                r"No module named '?(?P<name>[\w.]+)'?",
                "there is no Python module ${name}",
            ),
            Sign::new(
                super::case::ANY,
                "Cannot find package",
                r"Cannot find package '(?P<name>[^']+)'",
                "there is no package ${name}",
            ),
        ],
    },
];
