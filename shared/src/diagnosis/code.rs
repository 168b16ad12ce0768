//! The change itself: tests that fail, code that does not compile, checks that are not met.

use super::{
    case::OUTPUT,
    cause::{Concerns, Retry, Rule, Sign, Specificity, always},
};

pub(super) static RULES: &[Rule] = &[
    // The summaries of pytest, Jest, Vitest, Surefire, Gradle, Go, Cargo, RSpec, PHPUnit, dotnet test, Mocha.
    Rule {
        id: "test-failed",
        looks_like: "`FAILED path::test - …`, `● suite › test`, `--- FAIL: Test…`, `test … ... FAILED`, `[ERROR] Class.method:line …`",
        to_do: "Read the assertion in the log and mend the code or the test. If the same commit has passed before, the test is flaky.",
        concerns: Concerns::Author,
        retry: Retry::DoesNot,
        specificity: Specificity::Named,
        when: always,
        signs: &[
            Sign::new(
                OUTPUT,
                "FAILED ",
                r"^FAILED (?P<test>\S+::\S+)(?: - (?P<why>.*))?",
                "the test ${test} failed: ${why}",
            ),
            Sign::new(OUTPUT, "●", r"^\s*● (?P<test>.+ › .+)", "the test ${test} failed"),
            Sign::weak(
                OUTPUT,
                "FAIL ",
                r"^\s*(?:❯|×)? ?FAIL  ?(?P<test>\S+\.(?:test|spec)\.\w+(?: > .+)?)",
                "the test ${test} failed",
            ),
            Sign::new(OUTPUT, "--- FAIL: ", r"^\s*--- FAIL: (?P<test>\S+)", "the test ${test} failed"),
            Sign::new(OUTPUT, "... FAILED", r"^test (?P<test>.+) \.\.\. FAILED", "the test ${test} failed"),
            Sign::new(
                OUTPUT,
                "[ERROR]",
                r"^\[ERROR\]\s+(?P<test>[A-Z]\w+\.\w+):\d+(?:->\S+)? (?P<why>.+)",
                "the test ${test} failed: ${why}",
            ),
            Sign::new(
                OUTPUT,
                "<<< FAILURE!",
                r"(?P<test>[\w.]+\.\w+)\S* +(?:--|Time).* <<< (?:FAILURE|ERROR)!",
                "the test ${test} failed",
            ),
            Sign::new(
                OUTPUT,
                "FAILED",
                r"^(?P<test>[A-Z]\w+(?:Test|Tests|Spec|IT) > .+) FAILED$",
                "the test ${test} failed",
            ),
            Sign::new(OUTPUT, "rspec ", r"^rspec (?P<test>\./\S+:\d+)", "the test ${test} failed"),
            Sign::new(
                OUTPUT,
                "Failed ",
                r"^\s*Failed (?P<test>[\w.]+\.\w+(?:\([^)]*\))?) \[[\d.<]+ ?m?s\]",
                "the test ${test} failed",
            ),
            Sign::new(OUTPUT, ") ", r"^\s*\d+\) (?P<test>[A-Z]\w+Test::test\w+)", "the test ${test} failed"),
        ],
    },
    // rustc, tsc, javac through Maven and Gradle, kotlinc, go build, gcc and clang, csc, Python, esbuild.
    Rule {
        id: "compile-error",
        looks_like: "`error[E…]` with `--> file:line`, `file(line,column): error TS…`, `[ERROR] …/File.java:[line,column]`, `./file.go:line:column: …`",
        to_do: "Mend it at the place that is named.",
        concerns: Concerns::Author,
        retry: Retry::DoesNot,
        specificity: Specificity::Named,
        when: always,
        signs: &[
            Sign::new(OUTPUT, "--> ", r"^\s*--> (?P<file>[^\s:]+\.rs:\d+)", "${file} does not compile"),
            Sign::new(
                OUTPUT,
                "error TS",
                r"^(?P<file>[^\s(]+)(?:\((?P<line>\d+),\d+\):|:\d+:\d+ -) error (?P<why>TS\d+: .+)",
                "${file} does not compile: ${why}",
            ),
            Sign::new(
                OUTPUT,
                "ERROR",
                r"^\[ERROR\] (?:/\S*?/src/)?(?P<file>\S+\.(?:java|kt|scala)):\[(?P<line>\d+),\d+\] (?P<why>.+)",
                "${file} does not compile, line ${line}: ${why}",
            ),
            Sign::new(
                OUTPUT,
                ".java:",
                r"^(?P<file>\S+\.java):(?P<line>\d+): error: (?P<why>.+)",
                "${file} does not compile, line ${line}: ${why}",
            ),
            Sign::new(
                OUTPUT,
                ".kt:",
                r"^e: (?:file://)?(?P<file>\S+\.kts?):\(?(?P<line>\d+)[:,] ?\d+\)?:? (?P<why>.+)",
                "${file} does not compile, line ${line}: ${why}",
            ),
            Sign::new(
                OUTPUT,
                ".go:",
                r"^(?:\./)?(?P<file>[^\s:]+\.go):(?P<line>\d+):\d+: (?P<why>.+)",
                "${file} does not compile, line ${line}: ${why}",
            ),
            Sign::new(
                OUTPUT,
                " error: ",
                r"^(?P<file>\S+\.(?:c|cc|cpp|cxx|h|hpp|m|swift)):(?P<line>\d+):\d+: (?:fatal )?error: (?P<why>.+)",
                "${file} does not compile, line ${line}: ${why}",
            ),
            Sign::new(
                OUTPUT,
                "error CS",
                r"(?P<file>[^\s(]+\.cs)\((?P<line>\d+),\d+\): error (?P<why>CS\d+: .+?)(?: \[|$)",
                "${file} does not compile, line ${line}: ${why}",
            ),
            Sign::new(
                OUTPUT,
                "SyntaxError",
                r"^(?:E\s+)?(?:Syntax|Indentation)Error: (?P<why>.+)",
                "{action} met a syntax error: ${why}",
            ),
            Sign::new(
                OUTPUT,
                "Could not resolve ",
                r#"\[ERROR\] Could not resolve "(?P<name>[^"]+)""#,
                "esbuild found no module ${name}",
            ),
        ],
    },
    // ESLint, Prettier, Black, Ruff, rustfmt (`Diff in`), golangci-lint.
    Rule {
        id: "style-refused",
        looks_like: "`✖ … problems (… errors, …)`, `would reformat …`, `Code style issues found`, `Diff in …`",
        to_do: "Run the formatter or the linter locally and commit what it says.",
        concerns: Concerns::Author,
        retry: Retry::DoesNot,
        specificity: Specificity::Kind,
        when: always,
        signs: &[
            Sign::new(
                OUTPUT,
                "problem",
                r"✖ \d+ problems? \((?P<count>[1-9]\d*) errors?",
                "the linter found ${count} errors",
            ),
            Sign::new(OUTPUT, "would reformat", r"^would reformat (?P<file>\S+)", "${file} is not formatted"),
            Sign::new(
                OUTPUT,
                "Code style issues",
                r"Code style issues (?:were )?found",
                "files are not formatted",
            ),
            Sign::new(
                OUTPUT,
                "Diff in ",
                r"^Diff in (?P<file>\S+?)(?::\d+)?(?::| at line)",
                "${file} is not formatted",
            ),
            Sign::new(
                OUTPUT,
                "Found ",
                r"^Found (?P<count>[1-9]\d*) errors?\.",
                "the linter found ${count} errors",
            ),
        ],
    },
    // Jest ("coverage threshold for … not met"), pytest-cov, JaCoCo.
    Rule {
        id: "coverage-too-low",
        looks_like: "`coverage threshold for … not met`, `Required test coverage of …% not reached`",
        to_do: "Test what the change added, or lower the threshold on purpose.",
        concerns: Concerns::Author,
        retry: Retry::DoesNot,
        specificity: Specificity::Kind,
        when: always,
        signs: &[
            Sign::new(
                OUTPUT,
                "threshold for",
                r"coverage threshold for (?P<what>\S+) \((?P<asked>[\d.]+%)\) not met: (?P<is>[\d.]+%)",
                "too little is tested: ${is} of ${what}, ${asked} are asked for",
            ),
            Sign::new(
                OUTPUT,
                "Required test coverage",
                r"Required test coverage of (?P<asked>[\d.]+%) not reached\. Total coverage: (?P<is>[\d.]+%)",
                "too little is tested: ${is}, ${asked} are asked for",
            ),
            Sign::new(
                OUTPUT,
                "covered ratio is",
                r"covered ratio is (?P<is>[\d.]+), but expected minimum is (?P<asked>[\d.]+)",
                "too little is tested: ${is}, ${asked} are asked for",
            ),
        ],
    },
];
