//! What must never be where. Reads the sources, so that a leak is named by file and line.

use std::{
    fs,
    path::{Path, PathBuf},
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if path.file_name().is_some_and(|name| name != "target") {
                files.extend(rust_files(&path));
            }
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// Every path that a file names: `use a::{b, c::d}` and inline `a::b::c`, flattened to text such as `a::c::d`.
fn paths_named(source: &str) -> Vec<String> {
    struct Paths(Vec<String>);
    impl<'ast> syn::visit::Visit<'ast> for Paths {
        fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
            flatten(&item.tree, String::new(), &mut self.0);
        }
        fn visit_path(&mut self, path: &'ast syn::Path) {
            let words: Vec<String> = path.segments.iter().map(|word| word.ident.to_string()).collect();
            self.0.push(words.join("::"));
            syn::visit::visit_path(self, path);
        }
        fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
            // What a test uses does not ship.
            let test = module.attrs.iter().any(|attribute| {
                attribute.path().is_ident("cfg")
                    && attribute.meta.require_list().is_ok_and(|list| list.tokens.to_string() == "test")
            });
            if !test {
                syn::visit::visit_item_mod(self, module);
            }
        }
    }
    fn flatten(tree: &syn::UseTree, prefix: String, into: &mut Vec<String>) {
        let join = |word: &str| if prefix.is_empty() { word.to_owned() } else { format!("{prefix}::{word}") };
        match tree {
            syn::UseTree::Path(path) => flatten(&path.tree, join(&path.ident.to_string()), into),
            syn::UseTree::Name(name) => into.push(join(&name.ident.to_string())),
            syn::UseTree::Rename(name) => into.push(join(&name.ident.to_string())),
            syn::UseTree::Glob(_) => into.push(join("*")),
            syn::UseTree::Group(group) => {
                for tree in &group.items {
                    flatten(tree, prefix.clone(), into);
                }
            }
        }
    }
    let mut paths = Paths(Vec::new());
    syn::visit::Visit::visit_file(&mut paths, &syn::parse_file(source).expect("it compiles"));
    paths.0
}

/// Which module of `belay` a file belongs to: the first word of its path under src.
fn module(file: &Path) -> String {
    let relative = file.strip_prefix(root().join("shared/src")).unwrap();
    let first = relative.components().next().unwrap().as_os_str().to_string_lossy().into_owned();
    first.trim_end_matches(".rs").to_owned()
}

const CORE: &[&str] = &[
    "yaml", "approval", "release", "signal", "evidence", "policy", "decision", "reason", "message", "plan",
    "ledger", "cause", "dora", "drift",
];
const TRANSLATION: &[&str] =
    &["appspec", "diagnosis", "events", "chat", "mask", "metric", "settings", "widget"];
const SHELL: &[&str] = &["gather", "carry_out", "judge", "start"];
const ADAPTERS: &[&str] = &["aws", "channel"];

/// What each tier may not name. A path is forbidden if it begins with one of these.
fn forbidden(tier: &[&str]) -> Vec<&'static str> {
    let outside = ["aws_", "lambda_runtime", "hyper", "reqwest", "http", "rustls"];
    let clocks = [
        "std::env::var",
        "std::env::vars",
        "std::time::SystemTime",
        "std::time::Instant",
        "SystemTime",
        "Instant",
        "Timestamp::now",
        "jiff::Timestamp::now",
        "rand",
        "getrandom",
    ];
    let mut list: Vec<&str> = clocks.to_vec();
    if tier == CORE {
        list.extend(outside);
        list.extend(["tokio", "tracing", "async_trait", "serde_json", "std::fs", "std::net"]);
        list.extend([
            "crate::events",
            "crate::chat",
            "crate::diagnosis",
            "crate::settings",
            "crate::aws",
            "crate::gather",
            "crate::carry_out",
            "crate::start",
        ]);
    } else if tier == TRANSLATION {
        // The envelopes of aws_lambda_events are plain data, and meant for here.
        list.extend([
            "aws_config",
            "aws_sdk",
            "aws_smithy",
            "lambda_runtime",
            "hyper",
            "reqwest",
            "http",
            "rustls",
        ]);
        list.extend(["tokio", "tracing", "std::fs", "std::net"]);
        list.extend(["crate::aws", "crate::gather", "crate::carry_out", "crate::start"]);
    } else if tier == SHELL {
        // `start` gives a failure its name at the Lambda edge, behind a feature of its own.
        list.extend(["aws_sdk", "aws_smithy", "aws_config"]);
    } else {
        list.extend([
            "crate::policy",
            "crate::plan",
            "crate::gather",
            "crate::carry_out",
            "crate::decision::alarm",
            "crate::decision::hook",
            "crate::decision::release",
        ]);
    }
    list
}

#[test]
fn every_module_stays_in_its_tier() {
    let mut leaks = Vec::new();
    for file in rust_files(&root().join("shared/src")) {
        let module = module(&file);
        if module == "lib" {
            continue;
        }
        let tier = [CORE, TRANSLATION, SHELL, ADAPTERS]
            .into_iter()
            .find(|tier| tier.contains(&module.as_str()))
            .unwrap_or_else(|| {
                panic!("{} is in no tier: add it to ARCHITECTURE.md and here", file.display())
            });
        // Files of tests beside the code they test do not ship.
        let stem = file.file_stem().unwrap().to_string_lossy().into_owned();
        if stem.ends_with("tests") || stem == "samples" {
            continue;
        }
        let source = fs::read_to_string(&file).unwrap();
        let forbidden = forbidden(tier);
        for path in paths_named(&source) {
            if let Some(ban) = forbidden.iter().find(|ban| begins_with(&path, ban)) {
                leaks.push(format!("{} names {path} (no {ban} in this tier)", file.display()));
            }
        }
    }
    assert!(leaks.is_empty(), "{}", leaks.join("\n"));
}

/// `aws_` bans every crate of that prefix; anything else bans what is under it, and a path of several words itself.
fn begins_with(path: &str, ban: &str) -> bool {
    (path == ban && ban.contains("::"))
        || path.starts_with(&format!("{ban}::"))
        || (ban.starts_with("aws") && path.starts_with(ban) && path.contains("::"))
}

#[test]
fn the_check_of_tiers_can_fail() {
    let paths = paths_named("use aws_sdk_sns::Client; fn f() { let t = jiff::Timestamp::now(); }");
    assert!(paths.iter().any(|path| begins_with(path, "aws_sdk")));
    assert!(paths.iter().any(|path| begins_with(path, "jiff::Timestamp::now")));
    let group = paths_named("use crate::{aws::{AwsError, sns::Topic}, policy::Policy};");
    assert!(group.iter().any(|path| path == "crate::aws::sns::Topic"));
    let test = paths_named("#[cfg(test)] mod tests { use tokio::time; }");
    assert!(test.is_empty(), "{test:?}");
}

#[test]
fn each_adapter_uses_one_sdk_crate_and_no_other_adapter() {
    for file in rust_files(&root().join("shared/src/aws")) {
        // What every one of them sends is compared with what the SDK's clients send.
        if file.ends_with("client/tests.rs") {
            continue;
        }
        let paths = paths_named(&fs::read_to_string(&file).unwrap());
        let mut sdks: Vec<&str> = paths
            .iter()
            .filter(|path| path.starts_with("aws_sdk_"))
            .map(|path| path.split("::").next().unwrap())
            .collect();
        sdks.sort_unstable();
        sdks.dedup();
        assert!(sdks.len() <= 1, "{} uses {sdks:?}", file.display());
        let own = file.file_stem().unwrap().to_string_lossy().into_owned();
        let adapters = [
            "codedeploy",
            "codepipeline",
            "cloudwatch",
            "lambda",
            "ledger",
            "sns",
            "endpoint",
            "secrets",
            "builds",
            "logs",
            "stacks",
            "tasks",
            "targets",
        ];
        for other in adapters {
            if other != own {
                let path = format!("crate::aws::{other}");
                assert!(
                    !paths.iter().any(|named| begins_with(named, &path)),
                    "{} uses the adapter {other}",
                    file.display()
                );
            }
        }
    }
}

#[test]
fn each_chat_product_is_on_its_own() {
    for file in rust_files(&root().join("shared/src/channel")) {
        let paths = paths_named(&fs::read_to_string(&file).unwrap());
        let own = file.file_stem().unwrap().to_string_lossy().into_owned();
        for path in paths {
            // Of AWS it knows its secret, how errors are told, and the HTTP that both speak.
            let strange = path.starts_with("aws_sdk_")
                || ["slack", "teams"].iter().any(|product| {
                    *product != own && begins_with(&path, &format!("crate::channel::{product}"))
                })
                || (path.starts_with("crate::aws::")
                    && ![
                        "crate::aws::AwsError",
                        "crate::aws::deepest",
                        "crate::aws::http",
                        "crate::aws::secrets",
                        "crate::aws::timer",
                    ]
                    .iter()
                    .any(|known| path.starts_with(known)));
            assert!(!strange, "{} names {path}", file.display());
        }
    }
}

#[test]
fn the_simulator_shares_no_assumption_with_what_it_tests() {
    for file in rust_files(&root().join("tests/simulator")) {
        // Its own checks ask it through the real SDK.
        if file.to_string_lossy().contains("simulator/checks") {
            continue;
        }
        let paths = paths_named(&fs::read_to_string(&file).unwrap());
        for path in paths {
            assert!(
                !path.starts_with("belay::") && !path.starts_with("aws_sdk_"),
                "{} names {path}",
                file.display()
            );
        }
    }
}

#[test]
fn every_file_says_what_it_is_for() {
    for folder in ["shared/src", "functions", "tests"] {
        for file in rust_files(&root().join(folder)) {
            let source = fs::read_to_string(&file).unwrap();
            assert!(source.starts_with("//! "), "{} does not begin with `//! `", file.display());
        }
    }
}

#[test]
fn a_function_is_thin() {
    for entry in fs::read_dir(root().join("functions")).unwrap() {
        let main = entry.unwrap().path().join("src/main.rs");
        let lines = fs::read_to_string(&main).unwrap().lines().count();
        assert!(lines <= 40, "{} has {lines} lines", main.display());
    }
}

#[test]
fn no_file_is_named_after_nothing() {
    let empty = [
        "utils", "util", "helpers", "helper", "common", "manager", "service", "handler", "data", "info",
        "context", "misc",
    ];
    for folder in ["shared/src", "functions", "tests"] {
        for file in rust_files(&root().join(folder)) {
            let stem = file.file_stem().unwrap().to_string_lossy().into_owned();
            assert!(!empty.contains(&stem.as_str()), "{}", file.display());
        }
    }
}

#[test]
fn there_is_one_tls_stack() {
    let lock = fs::read_to_string(root().join("Cargo.lock")).unwrap();
    for crate_name in ["aws-lc-rs", "aws-lc-sys", "openssl-sys", "native-tls", "s2n-tls"] {
        assert!(!lock.contains(&format!("name = \"{crate_name}\"")), "{crate_name} is in the tree");
    }
    assert_eq!(lock.matches("\nname = \"rustls\"").count(), 1, "more than one rustls");
}

#[test]
fn what_is_deployed_unwinds_when_it_panics() {
    // cargo-lambda makes a panic abort wherever the release profile does not say otherwise, and a hook that aborts is not
    // answered.
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let (_, profile) = manifest.split_once("[profile.release]").expect("the profile that is deployed");
    let profile = profile.split("\n[").next().unwrap();
    for line in ["opt-level = ", "lto = ", "codegen-units = ", "panic = \"unwind\""] {
        assert!(
            profile.lines().any(|found| found.starts_with(line)),
            "cargo-lambda would choose {line:?} itself"
        );
    }
}
