//! Every rule against a failure of the shape in which it was seen (tests/fixtures/failures/), and what holds of all.

use std::collections::BTreeSet;

use jiff::Timestamp;
use proptest::prelude::*;

use super::{case::Case, *};
use crate::evidence::Observed;

const FIXTURES: &[(&str, &str)] = &[
    ("access", include_str!("../../../tests/fixtures/failures/access.txt")),
    ("network", include_str!("../../../tests/fixtures/failures/network.txt")),
    ("packages", include_str!("../../../tests/fixtures/failures/packages.txt")),
    ("limits", include_str!("../../../tests/fixtures/failures/limits.txt")),
    ("code", include_str!("../../../tests/fixtures/failures/code.txt")),
    ("build", include_str!("../../../tests/fixtures/failures/build.txt")),
    ("stack", include_str!("../../../tests/fixtures/failures/stack.txt")),
    ("tasks", include_str!("../../../tests/fixtures/failures/tasks.txt")),
    ("deployment", include_str!("../../../tests/fixtures/failures/deployment.txt")),
    ("pipeline", include_str!("../../../tests/fixtures/failures/pipeline.txt")),
    ("more", include_str!("../../../tests/fixtures/failures/more.txt")),
    ("unknown", include_str!("../../../tests/fixtures/failures/unknown.txt")),
];

fn known<T>(value: T) -> Observed<T> {
    Observed::Known { value, at: Timestamp::UNIX_EPOCH }
}

/// A failure as tests/fixtures/failures/README.md describes it, and what must be said of it.
#[derive(Default)]
struct Fixture {
    rule: String,
    from: String,
    says: Vec<String>,
    category: String,
    provider: String,
    error: ActionError,
    build: Option<Build>,
    log: Option<Vec<String>>,
    stack: Option<StackFailure>,
    deployment: Option<DeploymentFailure>,
    tasks: Option<Tasks>,
    group: Option<TargetGroup>,
    function: Option<FunctionFailure>,
}

fn parts<const N: usize>(value: &str) -> [String; N] {
    let mut parts = value.splitn(N, '|').map(|part| part.trim().to_owned());
    std::array::from_fn(|_| parts.next().unwrap_or_default())
}

fn given(part: String) -> Option<String> {
    (!part.is_empty()).then_some(part)
}

impl Fixture {
    fn parse(rule: &str, text: &str) -> Self {
        let mut of = Self { rule: rule.to_owned(), ..Self::default() };
        for line in text.lines() {
            if let Some(log) = &mut of.log {
                log.push(line.replace("<ESC>", "\u{1b}"));
            } else if line == "log:" {
                of.log = Some(Vec::new());
            } else if !line.trim().is_empty() {
                let (key, value) = line.split_once(": ").unwrap_or_else(|| panic!("{rule}: {line}"));
                of.field(key, value);
            }
        }
        assert!(!of.from.is_empty(), "{rule} does not say where it comes from");
        of
    }

    fn field(&mut self, key: &str, value: &str) {
        match key {
            "from" => value.clone_into(&mut self.from),
            "says" => self.says.push(value.to_owned()),
            "action" => {
                let [category, provider] = parts(value);
                (self.category, self.provider) = (category, provider);
            }
            "error" => {
                let [code, message] = parts(value);
                (self.error.code, self.error.message) = (given(code), given(message));
            }
            "summary" => self.error.summary = Some(value.to_owned()),
            "phase" => {
                let [phase, code, message] = parts(value);
                let build = self.build.get_or_insert_default();
                (build.phase, build.status) = (given(phase), "FAILED".to_owned());
                build.contexts.extend(given(code).map(|code| PhaseContext { code, message }));
            }
            "status" => value.clone_into(&mut self.build.get_or_insert_default().status),
            "vpc" => self.build.get_or_insert_default().vpc = Some(value.to_owned()),
            "exit" => self.build.get_or_insert_default().exit_code = value.parse().ok(),
            "stack" => {
                let [name, status] = parts(value);
                let stack = self.stack.get_or_insert_default();
                (stack.name, stack.status) = (name, status);
            }
            "resource" => {
                let [id, kind, reason] = parts(value);
                self.stack.get_or_insert_default().first = Some(FailedResource { id, kind, reason });
            }
            "deployment" => {
                let [code, message] = parts(value);
                let deployment = self.deployment.get_or_insert_default();
                (deployment.code, deployment.message) = (given(code), given(message));
            }
            "event" => {
                let [event, status, code, script, message] = parts(value);
                let (code, script, message) = (given(code), Some(script), Some(message));
                let event = FailedEvent { event, status, code, script, message, log_tail: None };
                self.deployment.get_or_insert_default().events.push(event);
            }
            "tail" => {
                let events = &mut self.deployment.get_or_insert_default().events;
                let tail =
                    events.last_mut().expect("an event before its tail").log_tail.get_or_insert_default();
                tail.push_str(value);
                tail.push('\n');
            }
            "task" => {
                let stopped = StoppedTask { reason: value.to_owned(), containers: Vec::new() };
                self.tasks.get_or_insert_default().stopped.push(stopped);
            }
            "container" => {
                let [name, code, reason] = parts(value);
                let container =
                    StoppedContainer { name, exit_code: code.parse().ok(), reason: given(reason) };
                let tasks = self.tasks.get_or_insert_default();
                tasks.stopped.last_mut().expect("a task before its container").containers.push(container);
            }
            "rollout" => self.tasks.get_or_insert_default().rollout = Some(value.to_owned()),
            "message" => self.tasks.get_or_insert_default().messages.push(value.to_owned()),
            "check" => {
                let [path, expects] = parts(value);
                let group = self.group.get_or_insert_default();
                (group.path, group.expects) = (given(path), given(expects));
            }
            "target" => {
                let [id, reason, description] = parts(value);
                let target = UnhealthyTarget { id, reason, description };
                self.group.get_or_insert_default().unhealthy.push(target);
            }
            "function" => {
                let [name, error, payload] = parts(value);
                self.function = Some(FunctionFailure { name, error: given(error), payload });
            }
            other => panic!("{}: no such field: {other}", self.rule),
        }
    }

    fn failure(&self) -> Failure {
        let mut learnt = Vec::new();
        learnt.extend(self.build.clone().map(known).map(Learnt::Build));
        learnt.extend(self.log.clone().map(known).map(Learnt::Log));
        learnt.extend(self.stack.clone().map(known).map(Learnt::Stack));
        learnt.extend(self.deployment.clone().map(known).map(Learnt::Deployment));
        learnt.extend(self.tasks.clone().map(known).map(Learnt::Tasks));
        learnt.extend(self.group.clone().map(known).map(Learnt::Targets));
        learnt.extend(self.function.clone().map(known).map(Learnt::Function));
        let word = if self.category.is_empty() { "Build" } else { &self.category };
        Failure {
            action: FailedAction {
                stage: "Stage".to_owned(),
                name: "Act".to_owned(),
                category: Category::from_wire(word),
                provider: self.provider.clone(),
                error: known(self.error.clone()),
            },
            learnt,
        }
    }
}

/// All fixtures: each begins with `### rule`.
fn fixtures() -> Vec<Fixture> {
    FIXTURES
        .iter()
        .flat_map(|(_, text)| text.split("\n### ").skip(1))
        .map(|fixture| {
            let (rule, text) = fixture.split_once('\n').expect("a name and more");
            Fixture::parse(rule.trim(), text)
        })
        .collect()
}

#[test]
fn each_failure_is_put_down_to_its_cause() {
    let mut wrong = Vec::new();
    for fixture in fixtures() {
        let cause = explain(&fixture.failure());
        if cause.rule != fixture.rule {
            wrong.push(format!(
                "{} is taken for {}: {} ({})",
                fixture.rule, cause.rule, cause.what, fixture.from
            ));
        }
        for said in &fixture.says {
            if !cause.what.contains(said.as_str()) {
                wrong.push(format!("{} does not say {said:?}, but: {}", fixture.rule, cause.what));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_rule_has_a_failure_that_shows_it() {
    let shown: BTreeSet<String> = fixtures().into_iter().map(|fixture| fixture.rule).collect();
    let unseen: Vec<&str> = catalogue().map(|rule| rule.id).filter(|id| !shown.contains(*id)).collect();
    assert!(unseen.is_empty(), "no failure shows {}", unseen.join(", "));
    assert!(catalogue().count() >= 40);
}

/// Of the rules that fit a failure one is the most specific, or its line comes first: the table's order never decides.
#[test]
fn no_failure_fits_two_rules_equally_well() {
    let mut ties = Vec::new();
    for fixture in fixtures() {
        let failure = fixture.failure();
        let case = Case::of(&failure);
        let mut fits: Vec<_> = catalogue()
            .filter_map(|rule| Some((std::cmp::Reverse(rule.specificity), rule.sees(&case)?.line, rule.id)))
            .collect();
        fits.sort_unstable();
        if let [(one, line, id), (other, another, second), ..] = fits[..]
            && (one, line) == (other, another)
        {
            ties.push(format!("{}: {id} and {second}", fixture.rule));
        }
    }
    assert!(ties.is_empty(), "{}", ties.join("\n"));
}

#[test]
fn every_pattern_compiles_and_names_only_its_own_groups() {
    let mut wrong = Vec::new();
    for rule in catalogue() {
        for sign in rule.signs {
            match sign.regex() {
                None => wrong.push(format!("{}: a pattern does not compile", rule.id)),
                Some(regex) => {
                    let groups: BTreeSet<&str> = regex.capture_names().flatten().collect();
                    for name in sign.names() {
                        if !groups.contains(name) {
                            wrong.push(format!("{}: there is no group {name}", rule.id));
                        }
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Each sign is there because something looks so: one that no failure shows may be misspelt.
#[test]
fn every_sign_is_shown_by_a_failure() {
    let failures: Vec<Failure> = fixtures().iter().map(Fixture::failure).collect();
    let cases: Vec<Case<'_>> = failures.iter().map(Case::of).collect();
    let mut unseen = Vec::new();
    for rule in catalogue() {
        for (number, sign) in rule.signs.iter().enumerate() {
            if !cases.iter().any(|case| sign.shown_by(case)) {
                unseen.push(format!(
                    "{} {number}: {}",
                    rule.id,
                    sign.regex().map_or("", |regex| regex.as_str())
                ));
            }
        }
    }
    assert!(unseen.is_empty(), "{} are not shown:\n{}", unseen.len(), unseen.join("\n"));
}

#[test]
fn ids_are_unique_and_every_rule_says_what_to_do() {
    let mut ids = BTreeSet::new();
    for rule in catalogue() {
        assert!(ids.insert(rule.id), "{} twice", rule.id);
        assert!(rule.id.bytes().all(|c| c.is_ascii_lowercase() || c == b'-'), "{}", rule.id);
        assert!(
            rule.to_do.ends_with('.') && !rule.looks_like.is_empty() && !rule.signs.is_empty(),
            "{}",
            rule.id
        );
        assert_ne!(rule.id, UNKNOWN);
    }
}

#[test]
fn an_unknown_failure_shows_the_deepest_text_and_says_so() {
    let failure = fixtures().into_iter().find(|fixture| fixture.rule == UNKNOWN).unwrap().failure();
    let cause = explain(&failure);
    assert_eq!(
        (cause.evidence.as_str(), cause.seen_in.as_str()),
        ("fatal: the flux is inverted", "the build's log")
    );
    assert!(cause.what.contains("not known"), "{}", cause.what);
    assert_eq!((cause.concerns, cause.retry), (Concerns::Unknown, Retry::Unknown));
}

#[test]
fn the_causes_that_can_be_retried_are_those_whose_rules_say_so() {
    let helps: BTreeSet<&str> =
        catalogue().filter(|rule| rule.retry == Retry::Helps).map(|rule| rule.id).collect();
    assert_eq!(RETRYABLE.iter().copied().collect::<BTreeSet<_>>(), helps);
    assert_eq!(RETRYABLE.len(), helps.len(), "one is listed twice");
}

#[test]
fn what_could_not_be_learnt_is_said_with_its_reason() {
    let mut failure = Fixture::parse("x", "from: here\nerror: JobFailed | Build terminated").failure();
    failure.learnt = vec![
        Learnt::Log(Observed::Missing { why: "the log stream does not exist".to_owned() }),
        Learnt::Build(Observed::Missing { why: "AccessDeniedException token=hunter22".to_owned() }),
    ];
    let cause = explain(&failure);
    assert_eq!(
        cause.not_learnt,
        [
            "Not learnt: the build's log, because the log stream does not exist",
            "Not learnt: the build, because AccessDeniedException token=[masked]",
        ]
    );
    failure.action.error = Observed::Missing { why: "throttled".to_owned() };
    let cause = explain(&failure);
    assert_eq!(cause.rule, UNKNOWN);
    assert!(cause.what.contains("nothing was found"), "{}", cause.what);
    assert_eq!(cause.not_learnt[0], "Not learnt: what CodePipeline says, because throttled");
}

#[test]
fn secrets_are_masked_in_what_is_said_and_in_the_evidence() {
    let log = "from: here\nlog:\nFAILED t.py::test_login - AssertionError: password='hunter2hunter2' refused";
    let cause = explain(&Fixture::parse("x", log).failure());
    assert_eq!(cause.rule, "test-failed");
    assert!(!format!("{cause:?}").contains("hunter2"), "{cause:?}");
    let key = "from: here\nlog:\nWARN -----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA\n-----END RSA PRIVATE KEY-----";
    assert!(!format!("{:?}", explain(&Fixture::parse("x", key).failure())).contains("MIIE"));
}

#[test]
fn the_same_download_is_put_down_to_the_vpc_only_in_one() {
    let log =
        "log:\nnpm ERR! network request to https://registry.npmjs.org/a failed, reason: connect ETIMEDOUT";
    let inside = Fixture::parse("x", &format!("from: here\nvpc: vpc-1\n{log}"));
    let outside = Fixture::parse("x", &format!("from: here\n{log}"));
    assert_eq!(explain(&inside.failure()).rule, "vpc-without-nat");
    assert_eq!(explain(&outside.failure()).rule, "download-timed-out");
}

proptest! {
    #[test]
    fn anything_can_be_explained(log: Vec<Vec<u8>>, words in "(?s).{0,200}", code in any::<Option<i32>>()) {
        let log = log.iter().map(|line| String::from_utf8_lossy(line).into_owned()).collect();
        let mut fixture = Fixture { log: Some(log), ..Fixture::default() };
        fixture.error.message = Some(words.clone());
        fixture.build.get_or_insert_default().exit_code = code;
        fixture.field("resource", &words);
        fixture.field("event", &words);
        fixture.field("task", &words);
        fixture.field("container", &words);
        fixture.field("target", &words);
        fixture.field("function", &words);
        let cause = explain(&fixture.failure());
        prop_assert!(!cause.what.is_empty());
    }

    /// Noise before and after the telling line changes nothing.
    #[test]
    fn noise_around_an_error_changes_nothing(before in 0..200_usize, after in 0..200_usize) {
        let noise = "npm WARN deprecated request@2.88.2: errors may occur\n";
        let line = "src/app.ts(3,5): error TS2322: Type 'string' is not assignable to type 'number'.\n";
        let log = format!("from: here\nlog:\n{}{line}{}", noise.repeat(before), noise.repeat(after));
        let cause = explain(&Fixture::parse("x", &log).failure());
        prop_assert_eq!(cause.rule, "compile-error");
        prop_assert!(cause.what.starts_with("src/app.ts "));
    }
}
