//! The policy as its owners meet it: what is accepted, and the exact words of every refusal.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use proptest::prelude::*;

use super::*;

const WHOLE: &str = r#"
version: 1

defaults:
  mode: enforce
  watch_for: 30m
  rollback_budget: { count: 2, per: 6h }
  ask: { within: 15m, otherwise: roll_back }
  on_doubt: fail

services:
  checkout:
    deployed_by:
      - codedeploy: { application: checkout, deployment_group: prod }
      - pipeline: { name: checkout, stage: Production }
    alarms:
      checkout-prod-5xx-rate: roll_back
      checkout-prod-latency-p99: { rule: roll_back, missing: alarm }
      checkout-prod-*: notify
    hooks:
      AfterAllowTestTraffic:
        - http: { url: "https://checkout.test.example.com/healthz", status: 200, within: 200ms, requests: 20, failures: 1 }
      BeforeAllowTraffic:
        - alarms: quiet
        - approval: { within: 45m, otherwise: fail }
      AfterAllowTraffic:
        - lambda: { function: checkout-smoke, within: 30s }
    approvers: [U02ABCDEF, { id: U02GHIJKL, also: [gil@example.com] }]
    chat: { slack: C0123456789 }

  search:
    mode: observe
    deployed_by: [ { pipeline: { name: search, stage: Prod } } ]
    alarms: { "search-*": ask }
"#;

pub(super) const SMALL: &str = "version: 1
services:
  checkout:
    deployed_by: [ { codedeploy: { application: checkout, deployment_group: prod } } ]
    alarms: { checkout-5xx: roll_back }
";

pub(super) fn mistakes(text: &str) -> String {
    match Policy::parse(text) {
        Ok(_) => panic!("accepted: {text}"),
        Err(mistakes) => mistakes.to_string(),
    }
}

/// One field of the small policy replaced.
fn with(from: &str, to: &str) -> String {
    assert!(SMALL.contains(from), "{from}");
    SMALL.replace(from, to)
}

/// Two services that are released by what is called the same, each in an account.
fn in_accounts(one: &str, other: &str) -> String {
    let first = with("    alarms:", &format!("    account_role: {one}\n    alarms:"));
    let second = "  search:\n    ROLE\n    deployed_by: [ { codedeploy: { application: checkout, deployment_group: prod } } ]\n    alarms: { checkout-5xx: notify }\n";
    format!("{first}{}", second.replace("ROLE", &format!("account_role: {other}")))
}

#[test]
fn every_mistake_about_a_role_has_its_words() {
    for (text, expected) in [
        (
            with("    alarms:", "    account_role: belay-workload\n    alarms:"),
            "line 5: services.checkout.account_role: found `belay-workload`, expected a role's ARN such as `arn:aws:iam::222222222222:role/belay-workload`",
        ),
        (
            with(
                "    alarms:",
                "    account_role: arn:aws:iam::222222222222:role/belay\n    hooks: { AfterAllowTraffic: [ { alarms: quiet } ] }\n    alarms:",
            ),
            "line 6: services.checkout.hooks: cannot stand with `account_role`: CodeDeploy calls a hook's function in the account of its deployment, and the answer must come from there",
        ),
        (
            in_accounts("arn:aws:iam::222222222222:role/one", "arn:aws:iam::222222222222:role/other"),
            "line 8: services.search.account_role: names another role of account 222222222222 than line 5, which has `arn:aws:iam::222222222222:role/one`: Belay works in an account by one role\nline 9: services.search.deployed_by: is released by what checkout is released by on line 4 already",
        ),
    ] {
        assert_eq!(mistakes(&text), expected, "{text}");
    }
}

#[test]
fn what_is_called_the_same_in_two_accounts_is_two_things() {
    let (one, other) = ("arn:aws:iam::222222222222:role/belay", "arn:aws:iam::333333333333:role/belay");
    let policy = Policy::parse(&in_accounts(one, other)).unwrap();
    let roles: Vec<&str> = policy.roles().into_iter().map(AccountRole::arn).collect();
    assert_eq!(roles, [one, other]);
    let place = policy.services().next().unwrap().deployed_by[0].clone();
    for (account, name) in [("222222222222", "checkout"), ("333333333333", "search")] {
        let there = policy.of_account(Some(account));
        assert_eq!(there.deployed_by(&place).map(|service| service.name.as_str()), Some(name));
        let watchers = there.watchers(&AlarmName::from("checkout-5xx"));
        assert_eq!(watchers.iter().map(|one| one.service.name.as_str()).collect::<Vec<_>>(), [name]);
    }
    assert_eq!(policy.of_account(None), Policy::default());
}

#[test]
fn the_whole_format_is_read() {
    let policy = Policy::parse(WHOLE).unwrap();
    let checkout = policy.service(&ServiceName::from("checkout")).unwrap();
    assert_eq!(checkout.watch_for, Duration::from_mins(30));
    assert_eq!(checkout.deployed_by.len(), 2);
    assert_eq!(checkout.alarms[1].missing, Missing::Alarm);
    let users: Vec<&str> = checkout.approvers.iter().map(|approver| approver.user.as_str()).collect();
    assert_eq!(users, ["U02ABCDEF", "U02GHIJKL"]);
    assert_eq!(checkout.approvers[1].also, ["gil@example.com"]);
    assert_eq!(checkout.chat.slack.as_deref(), Some("C0123456789"));
    assert_eq!(checkout.hooks[&LifecycleEvent::from("BeforeAllowTraffic")].len(), 2);
    assert_eq!(policy.service(&ServiceName::from("search")).unwrap().mode, Mode::Observe);
}

#[test]
fn the_example_policy_is_accepted() {
    let text = include_str!("../../../policy/belay.yaml");
    Policy::parse(text).unwrap_or_else(|mistakes| panic!("{mistakes}"));
}

#[test]
fn every_mistake_has_its_words() {
    let deployed = "[ { codedeploy: { application: checkout, deployment_group: prod } } ]";
    for (text, expected) in [
        (String::new(), "line 1: the policy is empty; begin with `version: 1` and `services:`"),
        (
            with("version: 1", "versoin: 1"),
            "line 1: versoin: there is no such field; did you mean `version`?\nline 1: version: is missing; for example `version: 1`",
        ),
        (with("version: 1", "version: 2"), "line 1: version: found `2`, but this Belay reads version 1"),
        (
            with("checkout-5xx: roll_back", "checkout-5xx: rollback"),
            "line 5: services.checkout.alarms.checkout-5xx: found `rollback`; did you mean `roll_back`?",
        ),
        (
            with("checkout-5xx: roll_back", "checkout-5xx: sing"),
            "line 5: services.checkout.alarms.checkout-5xx: found `sing`, expected `roll_back`, `halt`, `ask` or `notify`",
        ),
        (
            with("alarms:", "alarm:"),
            "line 4: services.checkout: has neither alarms nor hooks: nothing of it would be guarded\nline 5: services.checkout.alarm: there is no such field; did you mean `alarms`?",
        ),
        (
            with(deployed, "[]"),
            "line 4: services.checkout.deployed_by: is empty; for example `deployed_by: [ { codedeploy: { application: checkout, deployment_group: prod } } ]`",
        ),
        (
            with("    alarms:", "    watch_for: 30\n    alarms:"),
            "line 5: services.checkout.watch_for: found `30` without a unit; did you mean `30s` or `30m`?",
        ),
        (
            with("    alarms:", "    watch_for: soon\n    alarms:"),
            "line 5: services.checkout.watch_for: found `soon`, expected a duration with a unit such as `30m` (ms, s, m, h, d)",
        ),
        (
            with("    alarms:", "    watch_for: 0s\n    alarms:"),
            "line 5: services.checkout.watch_for: found `0s`, expected longer than nothing",
        ),
        (
            with("    alarms:", "    on_doubt: fial\n    alarms:"),
            "line 5: services.checkout.on_doubt: found `fial`; did you mean `fail`?",
        ),
        (
            with("    alarms:", "    hooks: { AfterAllowTrafic: [ { alarms: quiet } ] }\n    alarms:"),
            "line 5: services.checkout.hooks.AfterAllowTrafic: there is no such lifecycle event; did you mean `AfterAllowTraffic`?",
        ),
        (
            with("    alarms:", "    hooks: { AfterAllowTraffic: [] }\n    alarms:"),
            "line 5: services.checkout.hooks.AfterAllowTraffic: has no checks: a hook that checks nothing is a mistake",
        ),
        (
            with("    alarms:", "    hooks: { AfterAllowTraffic: { alarms: quiet } }\n    alarms:"),
            "line 5: services.checkout.hooks.AfterAllowTraffic: found a mapping, expected a list of checks such as `- alarms: quiet`",
        ),
        (
            with(
                "    alarms:",
                "    hooks: { AfterAllowTraffic: [ { http: { url: checkout, within: 1s } } ] }\n    alarms:",
            ),
            "line 5: services.checkout.hooks.AfterAllowTraffic[0].http.url: found `checkout`, expected an address such as `https://checkout.example.com/healthz`",
        ),
        (
            with(
                "    alarms:",
                "    hooks: { AfterAllowTraffic: [ { http: { url: \"http://a.b\", within: 1s, requests: 2, failures: 2 } } ] }\n    alarms:",
            ),
            "line 5: services.checkout.hooks.AfterAllowTraffic[0].http.failures: 2 of 2 requests may fail: the check could never fail",
        ),
        (
            with("{ checkout-5xx: roll_back }", "{ a-*: notify, a-5xx: roll_back }"),
            "line 5: services.checkout.alarms.a-5xx: never applies: `a-*` on line 5 covers it and comes first",
        ),
        (
            with("{ checkout-5xx: roll_back }", "{ \"*-5xx\": notify, \"prod-*\": roll_back }"),
            "line 5: services.checkout.alarms.prod-*: overlaps `*-5xx` on line 5, which has a different rule: some alarms match both",
        ),
        (
            with("checkout-5xx: roll_back", "a: notify, a: roll_back"),
            "line 5: services.checkout.alarms.a: is written twice; the first is on line 5",
        ),
        (
            format!("{SMALL}  other:\n    deployed_by: {deployed}\n    alarms: {{ b: notify }}\n"),
            "line 7: services.other.deployed_by: is released by what checkout is released by on line 4 already",
        ),
        (with("version: 1", "version: 1\n---"), "line 2: a second document begins here; this is read as one"),
        (with("roll_back", "!!str roll_back"), "line 5: tags (`!…`) mean nothing here: remove it"),
        (
            "version: 1\nservices: {}\n".to_owned(),
            "line 2: services: names no service: nothing would be guarded",
        ),
    ] {
        assert_eq!(mistakes(&text), expected, "\nof\n{text}");
    }
}

#[test]
fn what_would_be_accepted_and_was_not_meant_is_a_mistake() {
    for (text, expected) in [
        (
            with("    alarms:", "    watch_for: 10M\n    alarms:"),
            "line 5: services.checkout.watch_for: found `10M`, which is months; did you mean `10m`?",
        ),
        (
            with("    alarms:", "    watch_for: 1 month\n    alarms:"),
            "line 5: services.checkout.watch_for: found `1 month`, expected a duration such as `30m` (ms, s, m, h, d)",
        ),
        (
            with("{ checkout-5xx: roll_back }", "{}"),
            "line 4: services.checkout: has neither alarms nor hooks: nothing of it would be guarded",
        ),
    ] {
        assert_eq!(mistakes(&text), expected, "\nof\n{text}");
    }
}

#[test]
fn broken_yaml_is_one_mistake_with_its_line() {
    let said = mistakes("version: 1\nservices: [\n");
    assert!(said.contains("this is not YAML"), "{said}");
}

#[test]
fn all_mistakes_are_said_at_once() {
    let said = mistakes(
        "version: 3
defaults: { wach_for: 3m, on_doubt: maybe }
services:
  checkout:
    deployed_by: [ { codedeploy: { aplication: checkout } } ]
    alarms: { a: rolback, b: { rul: notify } }
    hooks: { Before: [ { alarms: loud } ] }
",
    );
    let lines: Vec<&str> = said.lines().map(|line| line.split(':').next().unwrap()).collect();
    assert_eq!(
        lines,
        [
            "line 1", "line 2", "line 2", "line 5", "line 5", "line 5", "line 6", "line 6", "line 6",
            "line 7", "line 7"
        ],
        "{said}"
    );
}

#[test]
fn a_name_before_the_pattern_that_covers_it_is_how_an_exception_is_written() {
    let policy =
        Policy::parse(&with("{ checkout-5xx: roll_back }", "{ a-5xx: roll_back, \"a-*\": notify }")).unwrap();
    let rule = |name: &str| policy.watchers(&AlarmName::from(name)).first().map(|watcher| watcher.alarm.rule);
    assert_eq!(rule("a-5xx"), Some(Rule::RollBack));
    assert_eq!(rule("a-other"), Some(Rule::Notify));
    assert_eq!(rule("b"), None);
}

#[test]
fn anchors_are_copied_and_cannot_explode() {
    let shared = with("{ checkout-5xx: roll_back }", "&red { checkout-5xx: roll_back }");
    let other = "  other:\n    deployed_by: [ { codedeploy: { application: o, deployment_group: p } } ]\n    alarms: *red\n";
    let policy = Policy::parse(&format!("{shared}{other}")).unwrap();
    assert_eq!(policy.watchers(&AlarmName::from("checkout-5xx")).len(), 2);
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for n in 1..12 {
        let before = n - 1;
        bomb.push_str(&format!("a{n}: &a{n} [{}]\n", vec![format!("*a{before}"); 10].join(", ")));
    }
    assert!(mistakes(&bomb).contains("too large"));
    // Whether the parser's own limit or ours comes first, it is a mistake and not a crash.
    let said = mistakes(&"[".repeat(10_000));
    assert!(said.contains("deep") || said.contains("this is not YAML"), "{said}");
}

#[test]
fn the_lookup_tries_no_more_services_than_begin_alike() {
    let mut text = String::from("version: 1\nservices:\n");
    for n in 0..500 {
        text.push_str(&format!("  s{n}:\n    deployed_by: [ {{ codedeploy: {{ application: a{n}, deployment_group: g }} }} ]\n    alarms: {{ s{n}-5xx: roll_back, \"s{n}-*\": notify, \"{n}-*-slow\": notify }}\n"));
    }
    let (policy, mistakes) = read(&text);
    assert_eq!(mistakes, []);
    let tried = |alarm: &str| policy.whole.index.candidates(&AlarmName::from(alarm)).len();
    // By its name and by a pattern; by a pattern; by a beginning that does not match to the end; by nothing.
    assert_eq!(tried("s137-5xx"), 2);
    assert_eq!(tried("s137-latency"), 1);
    assert_eq!(tried("137-5xx"), 1);
    assert_eq!(tried("s1370-5xx"), 0);
    assert_eq!(tried("warehouse-5xx"), 0);
    assert_eq!(tried(""), 0);
}

fn pattern() -> impl Strategy<Value = String> {
    "[ab*]{1,6}"
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in ".{0,200}") {
        let _ = Policy::parse(&text);
    }

    #[test]
    fn no_damage_makes_it_panic(at in 0..WHOLE.len(), what in "[ -~\n]{0,3}", cut in 0..20_usize) {
        let end = (at + cut).min(WHOLE.len());
        let text = format!("{}{what}{}", &WHOLE[..at], &WHOLE[end..]);
        let _ = Policy::parse(&text);
    }

    #[test]
    fn the_lookup_finds_what_trying_every_pattern_finds(
        patterns in prop::collection::vec((pattern(), pattern()), 1..6),
        name in "[ab]{0,6}",
    ) {
        let mut text = String::from("version: 1\nservices:\n");
        for (number, (first, second)) in patterns.iter().enumerate() {
            text.push_str(&format!("  s{number}:\n    deployed_by: [ {{ codedeploy: {{ application: a{number}, deployment_group: g }} }} ]\n    alarms: {{ \"{first}\": notify, \"{second}\": notify }}\n"));
        }
        // Some of these are refused because one entry covers the other; the lookup must hold for the rest.
        let (policy, _) = read(&text);
        let alarm = AlarmName::from(name);
        let found: Vec<&Service> = policy.watchers(&alarm).into_iter().map(|watcher| watcher.service).collect();
        let tried: Vec<&Service> = policy.services().filter(|service| service.watched(&alarm).is_some()).collect();
        prop_assert_eq!(found, tried);
    }

    #[test]
    fn overlap_is_found_exactly_when_some_name_matches_both(a in "[ab*]{1,4}", b in "[ab*]{1,4}") {
        let text = format!("version: 1\nservices:\n  s:\n    deployed_by: [ {{ codedeploy: {{ application: a, deployment_group: g }} }} ]\n    alarms: {{ \"{a}\": notify, \"{b}\": roll_back }}\n");
        let (policy, mistakes) = read(&text);
        let [first, second] = &policy.services().next().unwrap().alarms[..] else { return Ok(()) };
        let mut names = vec![String::new()];
        // `c` is in no pattern: whatever a star means besides a pattern's own letters.
        for length in 0..7 {
            let longest: Vec<String> = names.iter().filter(|name| name.len() == length).cloned().collect();
            names.extend(longest.iter().flat_map(|name| ["a", "b", "c"].map(|c| format!("{name}{c}"))));
        }
        let matching = |pattern: &AlarmPattern| -> Vec<bool> {
            names.iter().map(|name| pattern.matches(&AlarmName::from(name.as_str()))).collect()
        };
        let (first, second) = (matching(&first.pattern), matching(&second.pattern));
        let both = first.iter().zip(&second).any(|(first, second)| *first && *second);
        let only_first = first.iter().zip(&second).any(|(first, second)| *first && !*second);
        let only_second = first.iter().zip(&second).any(|(first, second)| !*first && *second);
        // Two that mean the same, and a later one within an earlier one, are refused as never applying; an
        // earlier one within a later one is how an exception is written.
        let expected = both && (only_first || !only_second);
        prop_assert_eq!(!mistakes.is_empty(), expected, "{:?}", mistakes);
    }
}

#[test]
fn what_is_retried_is_named_by_causes_that_pass_by_themselves() {
    let with = |pipelines: &str| {
        Policy::parse(&format!(
            "version: 1\n{pipelines}services:\n  a:\n    deployed_by: [ {{ pipeline: {{ name: a, stage: Prod }} }} ]\n    alarms: {{ a: ask }}\n"
        ))
    };
    assert_eq!(with("").unwrap().retry(), None);
    let read = with("pipelines: { retry: { causes: [throttled, download-timed-out] } }\n").unwrap();
    let causes = vec!["throttled".to_owned(), "download-timed-out".to_owned()];
    assert_eq!(read.retry(), Some(&RetryRule { causes, attempts: 1 }));
    assert_eq!(read.of_account(None).retry(), read.retry());
    for (pipelines, line, said) in [
        ("pipelines: { retry: { causes: [] } }\n", 2, "names no cause"),
        ("pipelines: { retry: { attempts: 1 } }\n", 2, "pipelines.retry.causes: is missing"),
        ("pipelines: {}\n", 2, "pipelines.retry: is missing"),
        ("pipelines: { retry: { causes: [throtled] } }\n", 2, "did you mean `throttled`?"),
        ("pipelines:\n  retry:\n    causes:\n    - tests-failed\n", 5, "no cause that passes by itself"),
        ("pipelines: { retry: { causes: [throttled, throttled] } }\n", 2, "twice"),
        ("pipelines: { retry: { causes: [throttled], attempts: 6 } }\n", 2, "from 1 to 5"),
        ("pipelines: { retries: {} }\n", 2, "known here: `retry`"),
    ] {
        let mistakes = with(pipelines).unwrap_err();
        let all = mistakes.to_string();
        assert!(all.contains(said) && all.contains(&format!("line {line}: ")), "{pipelines}: {all}");
    }
}
