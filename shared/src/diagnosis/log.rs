//! Logs, read for what they tell: cleaned of colours, timestamps and CodeBuild's echo, and the one line that tells.
//!
//! The telling line is the first real error. The last lines of a failed build are wrappers that say again that
//! something failed: "exit status 1", "Phase complete: BUILD State: FAILED".

use std::{collections::HashSet, sync::LazyLock};

use regex_lite::Regex;

/// How much of a line is read, in characters. No error is longer; a bundle printed in one line is.
const LONGEST: usize = 2_000;

/// The lines of a text, cleaned. A progress bar that draws over itself counts as many lines.
pub(super) fn lines(text: &str) -> impl Iterator<Item = String> {
    text.split(['\n', '\r']).map(|line| {
        let line = without_escapes(line);
        without_head(&line).trim_end().to_owned()
    })
}

/// What the commands of a build printed: the lines of its log without CodeBuild's echo of the commands themselves.
///
/// CodeBuild prints a command before it runs it, and again, whole, after it failed ("Command did not exit
/// successfully … exit status 1"); a script in there that says `echo "ERROR: no image"` is no error. The second echo
/// says which lines belong to the first.
pub(super) fn output<'a>(log: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    let mut echoed: HashSet<String> = HashSet::new();
    let mut in_echo = false;
    for raw in log.flat_map(|line| line.split(['\n', '\r'])) {
        let bare = without_escapes(raw);
        let line = without_head(&bare).trim_end();
        if by_codebuild(&bare) {
            in_echo = false;
            if let Some(echo) = line.strip_prefix("Command did not exit successfully ") {
                in_echo = !echo.contains(" exit status ");
                echoed.insert(echo.to_owned());
            }
            continue;
        }
        if in_echo {
            in_echo = !line.starts_with(" exit status ") && !line.contains(" exit status ");
            echoed.insert(line.to_owned());
        } else if !line.is_empty() {
            kept.push(line.to_owned());
        }
    }
    kept.retain(|line| !echoed.contains(line));
    kept
}

/// Of a build's log the part that belongs to the command that failed first, with CodeBuild's own lines around it: from
/// where it began to where the next phase does. Everything, where the log does not say that a command failed.
///
/// A command before it may have printed errors and gone well, and what runs after it, in POST_BUILD, mostly fails because
/// of it.
pub fn of_failing_command(log: Vec<String>) -> Vec<String> {
    let said =
        |line: &String, what: &str| by_codebuild(line) && without_head(line).trim_start().starts_with(what);
    let Some(failed) = log.iter().position(|line| said(line, "Command did not exit successfully ")) else {
        return log;
    };
    let ran = log.iter().take(failed).rposition(|line| said(line, "Running command ")).unwrap_or(0);
    let next = log.iter().skip(failed).position(|line| said(line, "Entering phase "));
    let end = next.map_or(log.len(), |next| failed + next);
    log.into_iter().take(end).skip(ran).collect()
}

/// Whether CodeBuild itself wrote the line.
fn by_codebuild(line: &str) -> bool {
    line.starts_with("[Container] ") || line.starts_with("[Instance] ")
}

/// The first line that tells of an error: an outright one if there is any, else one that sounds like it.
pub(super) fn telling<'a>(lines: impl Iterator<Item = &'a str>) -> Option<usize> {
    let mut sounding = None;
    for (number, line) in lines.enumerate() {
        if noise(line) {
            continue;
        }
        if fits(&OUTRIGHT, line) {
            return Some(number);
        }
        if sounding.is_none() && fits(&SOUNDING, line) {
            sounding = Some(number);
        }
    }
    sounding
}

/// Whether a line says nothing by itself: progress, warnings, tests that passed, and wrappers that only repeat that
/// something below them failed.
pub(super) fn noise(line: &str) -> bool {
    line.trim().is_empty() || fits(&NOISE, line)
}

/// An outright error, in the ways in which tools begin one: rustc and clang, npm, Maven, Gradle, pytest, Go, Terraform.
static OUTRIGHT: Pattern = LazyLock::new(|| {
    pattern(
        r"^\s*(?:[│|>•×✕✖✗#]\s*)*(?:(?i:error|fatal|fatal error|panic|exception)(?:\[\w+\])?\s*:|(?i:\[error\]|\[fatal\])|npm (?:ERR!|error)|ERR!|E  +\S|e: |--- FAIL|FAILED |\w[\w.]*(?:Error|Exception)\b|Caused by:|An error occurred \(|Error (?:response|acquiring|while))|: (?i:fatal |syntax )?error(?: \w+)?: |\bpanicked at\b",
    )
});

/// A line that sounds like an error.
static SOUNDING: Pattern = LazyLock::new(|| {
    pattern(
        r"(?i)\b(?:errors?|failed|fails|failure|fatal|exception|denied|refused|killed|cannot|can't|could not|couldn't|unable to|not found|no such|not exist|not authorized|unauthorized|forbidden|timed out|timeout|invalid|missing|unhealthy|exceeded|aborted)\b",
    )
});

/// What tells nothing. Each alternative has been seen to come before, or to bury, the line that does.
static NOISE: Pattern = LazyLock::new(|| {
    pattern(concat!(
        // npm, yarn, pip and their kind, warning
        r"(?i:^\s*(?:npm )?(?:warn|warning|notice|info|debug|trace|deprecated|deprecation)\b)|(?i:^\s*\[(?:warn|warning|info|debug)\])",
        // the wrapper's wrapper
        r"|exit (?:status|code):? \d+\s*$|exited with (?:exit )?(?:code|status)|returned a non-zero code|did not complete successfully|Command failed with exit code|non-zero exit",
        r"|ELIFECYCLE|npm (?:ERR!|error) (?:errno|code 1$|path|command|signal|A complete log|Exit status|Failed at|This is probably not|\s*$)|A complete log of this run",
        r"|^make(?:\[\d+\])?: \*\*\*|subprocess-exited-with-error|^Traceback \(most recent|^\s+File \x22|This error originates from|note: run with|^error: (?:could not compile|aborting due to|test failed|process exited)",
        r"|^BUILD FAILED|^FAILURE: Build failed|BUILD FAILURE|^\* (?:What went wrong|Try|Exception is)|^> (?:Run with|Get more help)|Re-run Maven|To see the full stack trace|\[Help \d\]|^\[ERROR\]\s*$|Failed to execute goal",
        // CodeBuild itself
        r"|Phase (?:complete|context)|Entering phase|Running command|Command did not exit",
        // what went well, and counts of nothing
        r"|\b0 (?:errors?|failed|failures|vulnerabilities)\b|(?i:\b(?:errors?|failed|failures): ?0\b)|\.\.\. ok$|^\s*(?:✓|✔|√|PASS\b|ok\b)|\bPASSED\b",
        // progress, and stack frames
        r"|^\s*(?:Downloading|Downloaded|Fetching|Compiling|Collecting|Resolving|Progress)\b|^\s*[\d.]+%|^\s+at [\w$.<]|^goroutine \d",
    ))
});

/// A pattern, compiled when it is first needed. A test compiles all of this file, so none is ever missing.
type Pattern = LazyLock<Option<Regex>>;

fn pattern(text: &str) -> Option<Regex> {
    Regex::new(text).ok()
}

fn fits(pattern: &Pattern, line: &str) -> bool {
    pattern.as_ref().is_some_and(|regex| regex.is_match(line))
}

/// Without the sequences that colour a terminal, without other control characters, and cut to what is read of it.
fn without_escapes(line: &str) -> String {
    let mut clean = String::new();
    let mut characters = line.chars().take(LONGEST * 2).peekable();
    let mut kept = 0;
    while let Some(character) = characters.next() {
        if kept == LONGEST {
            break;
        }
        if character == '\u{1b}' {
            match characters.next() {
                // CSI: parameters, then one letter.
                Some('[') => {
                    for parameter in characters.by_ref() {
                        if ('\u{40}'..='\u{7e}').contains(&parameter) {
                            break;
                        }
                    }
                }
                // OSC: to the bell, or to ESC \.
                Some(']') => {
                    while let Some(parameter) = characters.next() {
                        if parameter == '\u{7}' {
                            break;
                        }
                        if parameter == '\u{1b}' {
                            characters.next_if_eq(&'\\');
                            break;
                        }
                    }
                }
                Some(_) | None => {}
            }
        } else if character == '\t' || !character.is_control() {
            clean.push(character);
            kept += 1;
        }
    }
    clean
}

/// Without what logs put before a line: CodeBuild's `[Container] date time`, an ISO time, BuildKit's `#12 3.456`.
fn without_head(line: &str) -> &str {
    static HEAD: Pattern = LazyLock::new(|| {
        pattern(
            r"^(?:\[(?:Container|Instance)\] \d{4}/\d\d/\d\d \d\d:\d\d:\d\d(?:\.\d+)? |\[?\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?\]?\s+|#\d+ \d+\.\d+ )",
        )
    });
    HEAD.as_ref().and_then(|head| head.find(line)).map_or(line, |head| line.get(head.end()..).unwrap_or(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tells(log: &str) -> Option<String> {
        let lines = output(log.lines());
        telling(lines.iter().map(String::as_str)).map(|number| lines[number].clone())
    }

    /// Shape: github.com/aws/aws-codebuild-docker-images issues; the wrapper lines are CodeBuild's own.
    #[test]
    fn the_first_error_is_told_and_not_the_wrappers_after_it() {
        let log = "[Container] 2026/03/05 16:12:29.123456 Running command npm run build\n\
            npm WARN deprecated request@2.88.2: request has been deprecated, errors may occur\n\
            \u{1b}[32mcompiling… 0 errors\u{1b}[0m\n\
            \u{1b}[31mError: Cannot find module './orders'\u{1b}[39m\n\
            \x20   at Module._resolveFilename (node:internal/modules/cjs/loader:1075:15)\n\
            npm ERR! code ELIFECYCLE\n\
            npm ERR! errno 1\n\
            error Command failed with exit code 1.\n\
            [Container] 2026/03/05 16:12:40 Command did not exit successfully npm run build exit status 1\n\
            [Container] 2026/03/05 16:12:40 Phase complete: BUILD State: FAILED";
        assert_eq!(tells(log).as_deref(), Some("Error: Cannot find module './orders'"));
    }

    /// CodeBuild echoes a command of several lines twice; what it would print is not what it did print.
    #[test]
    fn the_echo_of_a_command_is_no_output() {
        let log = "[Container] 2026/03/05 16:12:29 Running command set -e\n\
            test -f image.json || echo \"ERROR: image.json is missing\"\n\
            ./release\n\
            release: unable to reach the registry\n\
            [Container] 2026/03/05 16:12:40 Command did not exit successfully set -e\n\
            test -f image.json || echo \"ERROR: image.json is missing\"\n\
            ./release\n\
            \x20exit status 1\n\
            [Container] 2026/03/05 16:12:40 Phase complete: BUILD State: FAILED";
        assert_eq!(tells(log).as_deref(), Some("release: unable to reach the registry"));
    }

    #[test]
    fn only_the_command_that_failed_first_is_looked_at() {
        let log: Vec<String> = [
            "[Container] 2026/03/05 16:12:20 Running command npm run lint",
            "Error: a warning that is printed as an error",
            "[Container] 2026/03/05 16:12:29 Running command npm test",
            "not ok 3 adds up",
            "[Container] 2026/03/05 16:12:40 Command did not exit successfully npm test exit status 1",
            "[Container] 2026/03/05 16:12:40 Phase complete: BUILD State: FAILED",
            "[Container] 2026/03/05 16:12:40 Entering phase POST_BUILD",
            "[Container] 2026/03/05 16:12:40 Running command docker push orders",
            "An image does not exist locally with the tag: orders",
            "[Container] 2026/03/05 16:12:41 Command did not exit successfully docker push orders exit status 1",
        ]
        .map(str::to_owned)
        .to_vec();
        assert_eq!(of_failing_command(log.clone()), log[2..6]);
        // The end of a long log has no beginning of the command.
        assert_eq!(of_failing_command(log[3..].to_vec()), log[3..6]);
        // Nothing that says which command failed: nothing is left out.
        assert_eq!(of_failing_command(log[..4].to_vec()), log[..4]);
        // What a command prints is not what CodeBuild says.
        let printed = vec!["Command did not exit successfully x exit status 1".to_owned(), "b".to_owned()];
        assert_eq!(of_failing_command(printed.clone()), printed);
    }

    #[test]
    fn a_python_exception_is_told_by_its_last_line() {
        let log = "Traceback (most recent call last):\n  File \"x.py\", line 3, in <module>\n    import boto\n\
            ModuleNotFoundError: No module named 'boto'";
        assert_eq!(tells(log).as_deref(), Some("ModuleNotFoundError: No module named 'boto'"));
    }

    #[test]
    fn timestamps_colours_and_buildkit_s_numbers_go() {
        let heads = [
            "2026-03-05T16:14:21.123Z error: boom",
            "\u{1b}[1;31merror: boom\u{1b}[0m",
            "#12 3.456 error: boom",
            "\u{1b}]0;title\u{7}error: boom",
        ];
        for head in heads {
            assert_eq!(lines(head).collect::<Vec<_>>(), ["error: boom"], "{head:?}");
        }
    }

    #[test]
    fn tests_that_passed_and_counts_of_nothing_do_not_tell() {
        let log =
            "test error_handling ... ok\n✓ fails when refused (3 ms)\nTests: 3, Errors: 0, Failures: 0\n";
        assert_eq!(tells(log), None);
    }

    #[test]
    fn every_pattern_compiles() {
        for one in [&OUTRIGHT, &SOUNDING, &NOISE] {
            assert!(one.is_some());
        }
        assert_eq!(without_head("#12 3.456 x"), "x");
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_can_be_read(bytes: Vec<u8>) {
            let text = String::from_utf8_lossy(&bytes);
            let lines = output(std::iter::once(text.as_ref()));
            let told = telling(lines.iter().map(String::as_str));
            proptest::prop_assert!(told.is_none_or(|number| number < lines.len()));
        }

        #[test]
        fn a_line_is_never_longer_than_what_is_read_of_it(line in "(?s).{0,5000}") {
            for line in lines(&line) {
                proptest::prop_assert!(line.chars().count() <= LONGEST);
            }
        }
    }
}
