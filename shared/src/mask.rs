//! Secrets in text from outside, masked before it is shown or stored: logs print them, and error messages quote them.
//!
//! Known by their own form (AWS, GitHub, GitLab, Slack, npm, PyPI and others give their tokens a prefix), or by what
//! stands before them (`password=`, `Authorization:`, `https://user:`). When in doubt it masks; what people need to
//! find their way is left: commits, digests, ARNs, account ids. A secret without any form and without any name
//! before it cannot be told from other text, and is not masked.
//!
//! No crate does this for plain text without a regex engine of its own; `regex-lite` is in the functions already
//! (the AWS SDK resolves endpoints with it), so it costs nothing.

use std::{borrow::Cow, collections::BTreeSet, sync::LazyLock};

use regex_lite::{Captures, Regex};
use serde_json::Value;

/// What stands in a secret's place.
pub const MASKED: &str = "[masked]";

/// The text without its secrets.
///
/// A private key is known by its first line, so a text is masked whole and cut into lines afterwards. Linear in the
/// length of the text.
pub fn mask(text: &str) -> String {
    let mut text = private_keys(text).into_owned();
    // Masking adds no hint, so those of the text as it came are enough.
    let lower = text.to_ascii_lowercase();
    for rule in RULES.iter() {
        if rule.hints.iter().any(|hint| lower.contains(hint))
            && let Some(regex) = &rule.regex
        {
            text = regex.replace_all(&text, |captures: &Captures<'_>| (rule.keep)(captures)).into_owned();
        }
    }
    secret_keys(&text)
}

/// Whether what has this name holds variables of an environment, of which nothing tells which are secrets. User data is
/// base64: what is in it cannot be seen.
pub(crate) fn is_environment(name: &str) -> bool {
    ["environment", "environmentvariables", "variables", "userdata"]
        .iter()
        .any(|hides| name.eq_ignore_ascii_case(hides))
}

/// The value of something that has a name, without its secrets, which may be known as such by the name only. Of JSON each
/// member is looked at, at any depth: also of a list of names and values, and of JSON in a string. Variables of an
/// environment are never shown.
pub(crate) fn mask_named(name: &str, value: &str) -> String {
    if is_environment(name) {
        return MASKED.to_owned();
    }
    match serde_json::from_str(value) {
        Ok(nested @ (Value::Object(_) | Value::Array(_))) => mask(&without_secrets(name, nested).to_string()),
        Ok(_) | Err(_) => {
            let before = format!("{name}: ");
            let masked = mask(&format!("{before}{value}"));
            masked.strip_prefix(&before).map_or_else(|| MASKED.to_owned(), str::to_owned)
        }
    }
}

fn without_secrets(name: &str, value: Value) -> Value {
    match value {
        Value::Object(_) | Value::Array(_) | Value::Number(_) | Value::String(_) if is_environment(name) => {
            MASKED.into()
        }
        Value::Object(members) => {
            // `{"name": "DB_PASSWORD", "value": "…"}`: what is named is a value itself.
            let says = |names: &[&str]| {
                let is_one = |key: &str| names.iter().any(|name| key.eq_ignore_ascii_case(name));
                members.iter().find(|(key, _)| is_one(key)).and_then(|(_, value)| value.as_str())
            };
            let named = says(&["name", "key", "parameterkey"]).map(str::to_owned);
            let of_pair = |key: &str| {
                ["value", "values", "parametervalue"].iter().any(|value| key.eq_ignore_ascii_case(value))
            };
            let hidden = |(key, value): (String, Value)| {
                let by = named.as_deref().filter(|_| of_pair(&key)).unwrap_or(&key);
                let value = without_secrets(by, value);
                (key, value)
            };
            Value::Object(members.into_iter().map(hidden).collect())
        }
        Value::Array(members) => {
            members.into_iter().map(|member| without_secrets(name, member)).collect::<Vec<_>>().into()
        }
        Value::String(text) => mask_named(name, &text).into(),
        // A secret may be a number: `{"pin": …}`.
        Value::Number(number) => {
            let text = number.to_string();
            let masked = mask_named(name, &text);
            if masked == text { Value::Number(number) } else { masked.into() }
        }
        Value::Bool(_) | Value::Null => value,
    }
}

/// Whether a line begins a private key that goes on in the next lines.
pub(crate) fn begins_private_key(line: &str) -> bool {
    line.find(BEGIN).is_some_and(|at| line[at..].contains(PRIVATE) && !line[at..].contains(END))
}

/// Whether a line ends a private key.
pub(crate) fn ends_private_key(line: &str) -> bool {
    line.contains(END)
}

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const PRIVATE: &str = "PRIVATE KEY";

struct Rule {
    /// One of these is in every text that the pattern fits, in any case; here in lower case.
    hints: &'static [&'static str],
    regex: Option<Regex>,
    /// What is written instead.
    keep: fn(&Captures<'_>) -> String,
}

fn whole(_: &Captures<'_>) -> String {
    MASKED.to_owned()
}

/// The first group stays, and the third, if there is one.
fn around(captures: &Captures<'_>) -> String {
    let group = |number| captures.get(number).map_or("", |group| group.as_str());
    format!("{}{MASKED}{}", group(1), group(3))
}

/// `name: value`. A name of a secret is no secret (`SecretName`, `secretArn`), and an ARN is not one either: neither
/// what follows `secretsmanager:` in it nor where it is itself the value.
fn assigned(captures: &Captures<'_>) -> String {
    let group = |number| captures.get(number).map_or("", |group| group.as_str());
    let (before, name, by, value) = (group(1), group(2), group(3), group(4));
    let bare = value.trim_start_matches(['\\', '"', '\'']);
    // `RequestToken`, `nextToken`, and the parser's "Unexpected token: …".
    let of_paging = name.to_ascii_lowercase().starts_with("token") && before.len() > 3;
    let in_arn = before.contains("secretsmanager:") && by.starts_with(':');
    if is_about_a_secret(name) || bare.starts_with("arn:aws") || in_arn || of_paging {
        return group(0).to_owned();
    }
    let quote = value.len() - bare.len();
    format!("{before}{}{by}{}{MASKED}", group(2), &value[..quote])
}

/// Whether the last word of a name says that it holds no secret: `SecretName`, `KEY_ID`. In the middle of a word such an
/// ending says nothing: `PASSWORD_ANDROID`.
fn is_about_a_secret(name: &str) -> bool {
    let endings = ["name", "arn", "id", "expected", "type", "version", "length", "count"];
    endings.iter().any(|ending| {
        let Some((before, last)) =
            name.len().checked_sub(ending.len()).and_then(|at| name.split_at_checked(at))
        else {
            return false;
        };
        let hump = before.ends_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
            && last.starts_with(|c: char| c.is_ascii_uppercase());
        last.eq_ignore_ascii_case(ending) && (hump || before.ends_with(['_', '-']))
    })
}

static RULES: LazyLock<Vec<Rule>> = LazyLock::new(|| {
    let rule = |hints, pattern: &str, keep| Rule { hints, regex: Regex::new(pattern).ok(), keep };
    vec![
        // Authorization headers, to the end of the line or the quote.
        rule(
            &["authorization"],
            r#"(?i)(\b(?:proxy-)?authorization\\?["']?\s*[:=]\s*\\?["']?)([^\n"']+)"#,
            around,
        ),
        rule(&["bearer ", "basic "], r"(?i)\b((?:bearer|basic) +)([A-Za-z0-9._~+/=-]{16,})", around),
        // URLs with a password, or with a token for a user.
        rule(&["://"], r#"([A-Za-z][A-Za-z0-9+.-]*://[^/\s:@"']*:)([^/\s"']+)(@)"#, around),
        rule(&["://"], r#"([A-Za-z][A-Za-z0-9+.-]*://)([^/\s:@"'\[\]]{16,})(@)"#, around),
        // Presigned URLs: whoever has one may do what it says.
        rule(
            &["x-amz-", "sig="],
            r#"(?i)(X-Amz-(?:Signature|Credential|Security-Token)=|[?&]sig=)([^&\s"']+)"#,
            around,
        ),
        rule(&["hooks.slack.com"], r"(hooks\.slack\.com/(?:services|workflows|triggers)/)([\w/-]+)", around),
        // Tokens by the prefixes that their makers gave them.
        rule(&["ghp_", "gho_", "ghu_", "ghs_", "ghr_"], r"gh[pousr]_[A-Za-z0-9_]{16,}", whole),
        rule(&["github_pat_"], r"github_pat_\w{16,}", whole),
        rule(
            &[
                "glpat-", "gldt-", "glrt-", "glcbt-", "glptt-", "glsoat-", "glft-", "glimt-", "glagent-",
                "gloas-",
            ],
            r"gl(?:pat|dt|rt|cbt|ptt|soat|ft|imt|agent|oas)-[\w.-]{16,}",
            whole,
        ),
        rule(&["xox", "xapp-"], r"(?:xox[a-z](?:\.xox[a-z])?|xapp)-[\w-]{10,}", whole),
        rule(&["npm_"], r"npm_[A-Za-z0-9]{30,}", whole),
        rule(&["pypi-age"], r"pypi-AgE[\w-]{16,}", whole),
        rule(&["cio"], r"\bcio[A-Za-z0-9]{32}\b", whole),
        rule(&["dckr_"], r"dckr_(?:pat|oat)_[\w-]{16,}", whole),
        rule(&["k_live_", "k_test_"], r"[srp]k_(?:live|test)_\w{10,}", whole),
        rule(&["aiza"], r"AIza[\w-]{35}", whole),
        rule(&["sk-"], r"\bsk-[\w-]{20,}", whole),
        rule(&["hvs.", "hvb."], r"\bhv[sb]\.[\w-]{20,}", whole),
        rule(&["atatt3", "atctt3"], r"AT[AC]TT3[\w=-]{20,}", whole),
        rule(&["sg."], r"\bSG\.[\w-]{16,}\.[\w-]{16,}", whole),
        rule(&["eyj"], r"eyJ[\w-]{6,}\.[\w-]{6,}\.?[\w-]*|eyJ[\w+/=-]{80,}", whole),
        // AWS: ids of keys begin with these ("IAM identifiers", IAM User Guide), session tokens with these by habit.
        rule(&["akia", "asia", "abia", "acca"], r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}", whole),
        rule(
            &["iqojb3jpz2lu", "zxivyxdz", "fqodyxdz"],
            r"(?:IQoJb3JpZ2lu|F[wQ]oGZXIvYXdz|FQoDYXdz)[\w+/=%-]{16,}",
            whole,
        ),
        // Names and values of a list, as AWS writes its parameters and variables.
        rule(
            &["\"name", "\"key", "parameterkey"],
            concat!(
                r#"(?i)("(?:name|key|parameterkey)\\?" *: *\\?"[^"\\\n]*"#,
                r"(?:passw|passphrase|secret|token|api_?key|access_?key|private_?key|credential)",
                r#"[^"\\\n]*\\?" *, *\\?"(?:parameter)?value\\?" *: *\\?")([^"\\\n]*)"#,
            ),
            around,
        ),
        // Whatever is called a secret.
        rule(&["docker login"], r"(docker login[^\n]*? -p[ =]?)(\S+)", around),
        rule(
            &["--password", "--token", "--secret", "--api-key", "--passphrase", "--auth"],
            r#"(?i)(--(?:password|token|secret|api-key|passphrase|auth-token)[ =])("[^"\n]*|'[^'\n]*|\S+)"#,
            around,
        ),
        rule(
            &["pass", "secret", "token", "key", "credential", "pwd"],
            concat!(
                r"((?i:request|next|continuation|idempotency|unexpected )|:?secretsmanager:[\w-]*:\d*:|[^\n]??)",
                r"((?i:password|passwd|passphrase|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|auth[_-]?key|encryption[_-]?key|credentials?)[A-Za-z0-9_-]{0,40}|[Pp]wd)",
                r#"(\\?["']? *[:=]>? *)"#,
                r#"(\\"[^"\\\n]*|"[^"\n]*|'[^'\n]*|[^\s"']+)"#,
            ),
            assigned,
        ),
    ]
});

/// Private keys, each from its first line to its last; one without a last line to the end of the text.
fn private_keys(text: &str) -> Cow<'_, str> {
    let mut masked = String::new();
    let mut rest = text;
    while let Some(begin) = rest.find(BEGIN) {
        let (before, from) = rest.split_at(begin);
        let head = from.find('\n').map_or(from, |end| &from[..end]);
        masked.push_str(before);
        if !head.contains(PRIVATE) {
            // A certificate, or a public key.
            masked.push_str(BEGIN);
            rest = &from[BEGIN.len()..];
            continue;
        }
        masked.push_str(MASKED);
        rest = from.find(END).map_or("", |end| {
            let tail = &from[end + END.len()..];
            tail.find("-----").map_or("", |dashes| &tail[dashes + 5..])
        });
    }
    if masked.is_empty() {
        return Cow::Borrowed(rest);
    }
    masked.push_str(rest);
    Cow::Owned(masked)
}

/// How long an AWS secret access key is. It has no form but this.
const SECRET_KEY: usize = 40;
/// How many different characters it has at least, of the 64 that it is drawn from: 30 in the mean, and fewer than 21
/// in one of 40,000. A word or a path of that length has fewer, and a commit's hash at most 16.
const DIFFERENT: usize = 21;

/// AWS secret access keys that stand alone.
fn secret_keys(text: &str) -> String {
    let of_key = |c: char| c.is_ascii_alphanumeric() || c == '/' || c == '+';
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(of_key) {
        let (before, from) = rest.split_at(start);
        masked.push_str(before);
        let end = from.find(|c| !of_key(c)).unwrap_or(from.len());
        let (run, after) = from.split_at(end);
        masked.push_str(if is_secret_key(run) { MASKED } else { run });
        rest = after;
    }
    masked.push_str(rest);
    masked
}

fn is_secret_key(run: &str) -> bool {
    run.len() == SECRET_KEY
        && run.bytes().any(|c| c.is_ascii_uppercase())
        && run.bytes().any(|c| c.is_ascii_lowercase())
        && run.bytes().collect::<BTreeSet<u8>>().len() >= DIFFERENT
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_pattern_compiles() {
        assert_eq!(RULES.iter().position(|rule| rule.regex.is_none()), None);
    }

    #[test]
    fn what_stands_around_a_secret_stays() {
        let cases = [
            (
                "fatal: https://ci:hunter2@git.example.com/x.git not found",
                "fatal: https://ci:[masked]@git.example.com/x.git not found",
            ),
            ("https://0123456789abcdef0123@github.com/a/b", "https://[masked]@github.com/a/b"),
            ("DB_PASSWORD=\"correct horse\" make", "DB_PASSWORD=\"[masked]\" make"),
            (r#"{"password":"p4ss","user":"ci"}"#, r#"{"password":"[masked]","user":"ci"}"#),
            (r#"{\"token\":\"p4ss\",\"user\":1}"#, r#"{\"token\":\"[masked]\",\"user\":1}"#),
            ("Authorization: Basic Y2k6aHVudGVyMg==\nnext", "Authorization: [masked]\nnext"),
            ("curl -H 'Authorization: Bearer abc.def'", "curl -H 'Authorization: [masked]'"),
            ("login --password hunter2 ci", "login --password [masked] ci"),
            ("docker login -u AWS -p s3cr3t host", "docker login -u AWS -p [masked] host"),
            ("Server=db;Pwd=hunter2", "Server=db;Pwd=[masked]"),
            ("KEYSTORE_PASSWORD_ANDROID=hunter2", "KEYSTORE_PASSWORD_ANDROID=[masked]"),
            (
                "API_TOKEN_DISCOUNT=s3cr3t AWS_ACCESS_KEY_ID=kept",
                "API_TOKEN_DISCOUNT=[masked] AWS_ACCESS_KEY_ID=kept",
            ),
            ("db:password:hunter2", "db:password:[masked]"),
            (
                r#"[{"name": "DB_PASSWORD", "value": "hunter2", "type": "PLAINTEXT"}, {"name": "A", "value": "b"}]"#,
                r#"[{"name": "DB_PASSWORD", "value": "[masked]", "type": "PLAINTEXT"}, {"name": "A", "value": "b"}]"#,
            ),
            (
                r#"{\"ParameterKey\":\"DbSecret\",\"ParameterValue\":\"hunter2\"}"#,
                r#"{\"ParameterKey\":\"DbSecret\",\"ParameterValue\":\"[masked]\"}"#,
            ),
        ];
        for (text, masked) in cases {
            assert_eq!(mask(text), masked);
        }
    }

    #[test]
    fn a_private_key_is_masked_whole_also_when_it_is_cut_off() {
        let key = "a\n-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nabc\n-----END RSA PRIVATE KEY-----\nb";
        assert_eq!(mask(key), "a\n[masked]\nb");
        assert_eq!(mask("a -----BEGIN OPENSSH PRIVATE KEY-----\nb3Blbn"), "a [masked]");
        let public = "-----BEGIN CERTIFICATE-----\nMIID\n-----END CERTIFICATE-----";
        assert_eq!(mask(public), public);
    }

    #[test]
    fn ordinary_text_is_left_as_it_is() {
        let ordinary = [
            "commit 4f9e3b1c2d5a6f7081928374655647382910abcd",
            "commit 4F9E3B1C2D5A6F7081928374655647382910ABCD",
            "sha256:6ccc2ae1df9d155ba83c597051611c42d60e09c6329dcb14a312cecc0a8e3900",
            "integrity sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg==",
            "arn:aws:secretsmanager:us-east-1:123456789012:secret:prod/orders/db-AbCdEf",
            "arn:aws:iam::123456789012:role/service-role/codebuild-orders-build-service-role",
            "arn:aws:codestar-connections:us-east-1:123456789012:connection/0f1e2d3c-0000-4000-8000-000000000026",
            "secret: arn:aws:secretsmanager:us-east-1:123456789012:secret:prod/orders/db-AbCdEf",
            "Secrets Manager can't find the specified secret.",
            "SecretName: prod/orders/db",
            "secret_version=7 tokenType: bearer privateKeyId=4f",
            "account 123456789012, role AROAEXAMPLEID1234567:session",
            "123456789012.dkr.ecr.us-east-1.amazonaws.com/orders@sha256:6ccc2ae1df9d155ba83c597051611c42d60e09c6329dcb14a312cecc0a8e3900",
            "https://registry.npmjs.org/@aws-sdk/client-s3/-/client-s3-3.600.0.tgz",
            "ssh://git@github.com/org/repo.git and git@github.com:org/repo.git",
            "SyntaxError: Unexpected token '}' at src/orders.js:10:2",
            "FAIL src/main/java/com/example/orders/OrderServiceTest.java",
            "at software.amazon.awssdk.core.internal.http.CombinedResponseHandler.handleErrorResponse",
            "src/main/java/com/example/checkout/orders/Repository",
            "(RequestToken: 0f1e2d3c-0000-4000-8000-000000000026, HandlerErrorCode: AlreadyExists)",
            "SyntaxError: Unexpected token: punc (})",
            // As long as a secret key, with both cases.
            "src/main/java/com/example/orders/OrdersI",
            "PWD=/codebuild/output/src123456789/src",
            "task-definition-with-a-long-name and disk-usage-of-the-build-machine",
            "npm_config_registry_and_others=1 pypi-attestations-and-more-of-it",
            "-----BEGIN PUBLIC KEY-----",
        ];
        for text in ordinary {
            assert_eq!(mask(text), text);
        }
    }

    /// Secrets by the forms that their makers document, each drawn anew.
    fn secret() -> impl Strategy<Value = String> {
        let drawn = [
            "AKIA[A-Z0-9]{16}",
            "ASIA[A-Z0-9]{16}",
            "ghp_[A-Za-z0-9]{36}",
            "ghs_[A-Za-z0-9]{36}",
            "github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}",
            "glpat-[A-Za-z0-9_-]{20}",
            "xoxb-[0-9]{11}-[0-9]{11}-[A-Za-z0-9]{24}",
            "npm_[A-Za-z0-9]{36}",
            "pypi-AgEIcHlwaS5vcmc[A-Za-z0-9_-]{60}",
            "dckr_pat_[A-Za-z0-9_-]{27}",
            "sk_live_[A-Za-z0-9]{24}",
            "IQoJb3JpZ2luX2Vj[A-Za-z0-9+/]{200}",
            "FwoGZXIvYXdzE[A-Za-z0-9+/]{200}",
            r"eyJ[A-Za-z0-9_-]{30}\.eyJ[A-Za-z0-9_-]{30}\.[A-Za-z0-9_-]{43}",
        ];
        proptest::strategy::Union::new(drawn)
    }

    proptest! {
        #[test]
        fn a_planted_secret_never_survives(
            before in "(?s).{0,40}[ \n\"'=(,]",
            secret in secret(),
            after in "[ \n\"'),](?s).{0,40}",
        ) {
            let masked = mask(&format!("{before}{secret}{after}"));
            prop_assert!(!masked.contains(&secret), "{masked}");
        }

        #[test]
        fn a_named_secret_never_survives(
            before in "(?s).{0,40}[ \n]",
            name in "(DB_PASSWORD|aws_secret_access_key|SecretAccessKey|client_secret|api-key|session_token|npm_token)",
            by in "(=|: |\":\"|=\"| = '|\\\\\":\\\\\")",
            secret in "[A-Za-z0-9+/!#$%&*.,;@^_-]{8,40}",
            after in "([ \n\"')].{0,40})?",
        ) {
            prop_assume!(!secret.starts_with("arn:aws"));
            let masked = mask(&format!("{before}{name}{by}{secret}{after}"));
            prop_assert!(!masked.contains(&secret), "{masked}");
        }

        #[test]
        fn a_secret_key_that_stands_alone_never_survives(
            before in "(?s)(.{0,40}[ \n\"'=])?",
            secret in "[A-Za-z0-9/+]{40}".prop_filter("as AWS draws them", |key| is_secret_key(key)),
            after in "([ \n\"'](?s).{0,40})?",
        ) {
            let masked = mask(&format!("{before}{secret}{after}"));
            prop_assert!(!masked.contains(&secret), "{masked}");
        }

        // Users whose names spell no secret's: those are masked together with what follows.
        #[test]
        fn a_url_s_password_never_survives(user in "[a-o]{0,8}", secret in "[A-Za-z0-9!$%&*+,;=._~-]{8,30}") {
            let masked = mask(&format!("cloning https://{user}:{secret}@git.example.com/x.git"));
            prop_assert!(!masked.contains(&secret), "{masked}");
            prop_assert!(masked.ends_with("@git.example.com/x.git"));
        }

        #[test]
        fn any_text_can_be_masked(text in "(?s).{0,400}") {
            let once = mask(&text);
            prop_assert!(once.len() <= text.len() * MASKED.len() + MASKED.len());
        }

        #[test]
        fn commits_and_digests_are_left(commit in "[0-9a-f]{40}", digest in "sha256:[0-9a-f]{64}", account in "[0-9]{12}") {
            let text = format!("commit {commit} of {account}.dkr.ecr.us-east-1.amazonaws.com/orders@{digest}");
            prop_assert_eq!(mask(&text), text);
        }
    }
}
