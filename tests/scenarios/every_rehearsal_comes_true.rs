//! Every script that ships is played, and what it expects must come of it.

use std::{fs, path::Path};

use belay_tests::stage::{play::play, script::Rehearsal};

const EXAMPLE_POLICY: &str = include_str!("../../policy/belay.yaml");

fn scripts() -> Vec<(String, Rehearsal)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("rehearsals");
    let mut scripts: Vec<(String, Rehearsal)> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let text = fs::read_to_string(&path).unwrap();
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            let script = Rehearsal::parse(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
            (name, script)
        })
        .collect();
    scripts.sort_by(|one, other| one.0.cmp(&other.0));
    scripts
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_rehearsal_comes_true() {
    let mut wrong = Vec::new();
    for (name, rehearsal) in scripts() {
        let policy = rehearsal.policy.clone().unwrap_or_else(|| EXAMPLE_POLICY.to_owned());
        let played = play(&rehearsal, Some(&policy)).await.unwrap();
        for disappointment in played.disappointments(&rehearsal) {
            wrong.push(format!("{name}: {disappointment}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_script_is_shipped_in_the_program() {
    let program = include_str!("../rehearse.rs");
    for (name, _) in scripts() {
        assert!(program.contains(&format!("(\"{name}\", include_str!")), "rehearse does not know {name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_belay_the_bad_canary_reaches_everybody() {
    let (_, rehearsal) = scripts().into_iter().find(|(name, _)| name == "canary-5xx").unwrap();
    let without = play(&rehearsal, None).await.unwrap();
    assert_eq!((without.status.as_str(), without.serves.as_str()), ("Succeeded", "v42"));
    assert!(without.undos().is_empty());
    // A rehearsal that could not be disappointed would show nothing.
    assert!(!without.disappointments(&rehearsal).is_empty());
}

#[test]
fn a_misspelt_script_is_refused_with_its_line() {
    let text =
        include_str!("../rehearsals/canary-5xx.yaml").replace("requests_per_minute", "request_per_minute");
    let error = Rehearsal::parse(&text).unwrap_err();
    assert!(error.contains("request_per_minute") && error.contains("line"), "{error}");
}
