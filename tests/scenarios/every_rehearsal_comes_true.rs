//! Every script that ships is played, and what it expects must come of it.

use std::{fs, path::Path};

use belay_tests::stage::{
    play::{Played, play},
    print,
    script::Rehearsal,
};
use tokio::{sync::OnceCell, task::JoinError};

pub(crate) const EXAMPLE_POLICY: &str = include_str!("../../policy/belay.yaml");

pub(crate) fn scripts() -> Vec<(String, Rehearsal)> {
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

/// Every script, played once for all tests that look at what came of it. What went wrong is told by
/// `every_rehearsal_comes_true`.
pub(crate) async fn all_played() -> &'static [OnePlayed] {
    &played_once().await.0
}

/// A script's name, the script, and what came of it.
type OnePlayed = (String, Rehearsal, Played);

/// What was played, and what could not be.
async fn played_once() -> &'static (Vec<OnePlayed>, Vec<String>) {
    static PLAYED: OnceCell<(Vec<OnePlayed>, Vec<String>)> = OnceCell::const_new();
    let play_all = async || {
        let (mut all, mut wrong) = (Vec::new(), Vec::new());
        for (name, rehearsal) in scripts() {
            let policy = rehearsal.policy.clone().unwrap_or_else(|| EXAMPLE_POLICY.to_owned());
            // In a task of its own: a panic, as of a call that a role does not allow, is one of this rehearsal.
            let task = tokio::spawn(async move {
                let played = play(&rehearsal, Some(&policy)).await;
                (rehearsal, played)
            });
            match task.await {
                Ok((rehearsal, Ok(played))) => all.push((name, rehearsal, played)),
                Ok((_, Err(why))) => wrong.push(format!("{name}: {why}")),
                Err(panicked) => wrong.push(format!("{name}: {}", said(panicked))),
            }
        }
        (all, wrong)
    };
    PLAYED.get_or_init(play_all).await
}

/// What a panic said.
fn said(panicked: JoinError) -> String {
    match panicked.into_panic().downcast::<String>() {
        Ok(text) => *text,
        Err(other) => other.downcast_ref::<&str>().copied().unwrap_or("panicked").to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_rehearsal_comes_true() {
    let (all, unplayed) = played_once().await;
    let mut wrong = unplayed.clone();
    for (name, rehearsal, played) in all {
        for disappointment in played.disappointments(rehearsal) {
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

/// A script of ours with something else in it.
fn changed(name: &str, from: &str, to: &str) -> Result<Rehearsal, String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("rehearsals/{name}.yaml"));
    let text = fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{text}");
    Rehearsal::parse(&text.replace(from, to))
}

async fn played(rehearsal: &Rehearsal) -> Result<Played, String> {
    play(rehearsal, rehearsal.policy.as_deref()).await
}

#[tokio::test]
async fn a_button_that_is_not_there_is_an_error_that_names_those_that_are() {
    let absent = changed("chat-roll-back", "button: Roll back", "button: Approve").unwrap();
    let error = played(&absent).await.unwrap_err();
    assert!(error.contains("no button `Approve`"), "{error}");
    assert!(error.ends_with("there are Roll back, Keep, Extend, Halt"), "{error}");
    let too_early = changed("chat-roll-back", "- at: 6m", "- at: 1m").unwrap();
    assert!(played(&too_early).await.unwrap_err().contains("there is no card"));
    let no_box = changed("stage-retry", "button: Retry }", "button: Retry, why: x }").unwrap();
    assert!(played(&no_box).await.unwrap_err().contains("no box for a reason"));
    let error = changed("chat-roll-back", "button: Roll back", "buton: Roll back").unwrap_err();
    assert!(error.contains("buton") && error.contains("line"), "{error}");
    let too_soon = changed("pipeline-approval-console", "- at: 5m", "- at: 1m 30s").unwrap();
    assert!(played(&too_soon).await.unwrap_err().contains("no approval waits"));
}

#[tokio::test]
async fn what_does_not_come_true_in_chat_is_a_disappointment() {
    for (name, from, to, wrong) in [
        ("chat-roll-back", "cards: 1", "cards: 2", "1 cards, expected 2"),
        ("chat-roll-back", "chose Roll back\"", "chose Keep\"", "the card does not say"),
        ("chat-roll-back", "\"[Roll back]\", ", "\"was taken back by\", ", "the card says"),
        ("chat-late", "user: U03BOB, says", "user: U02ANNA, says", "U02ANNA was not told"),
        ("chat-commands", "Traffic: 10 %", "Traffic: 20 %", "no command was answered with"),
        ("slack-down", "thread: 1", "thread: 0", "1 messages in threads, expected 0"),
        ("chat-finished", "pictures: 1", "pictures: 2", "1 pictures in threads, expected 2"),
        ("slack-down", "teams_cards: 6", "teams_cards: 7", "6 cards in Teams, expected 7"),
    ] {
        let rehearsal = changed(name, from, to).unwrap();
        let disappointments = played(&rehearsal).await.unwrap().disappointments(&rehearsal);
        assert_eq!(disappointments.len(), 1, "{disappointments:#?}");
        assert!(disappointments[0].contains(wrong), "{disappointments:#?}");
    }
}

#[tokio::test]
async fn the_timeline_shows_people_and_what_is_new_on_the_card() {
    let (_, rehearsal) = scripts().into_iter().find(|(name, _)| name == "chat-roll-back").unwrap();
    let played = played(&rehearsal).await.unwrap();
    let text = print::timeline(&rehearsal, &played);
    let places: Vec<usize> = [
        "a card appears",
        "decides: Ask",
        "the card changes",
        "[Roll back] [Keep] [Extend]",
        "U02ANNA presses Roll back, with the reason “Payments fail, see the logs”",
        "chat-actions decides: RollBack",
        "@U02ANNA: chose Roll back",
        "(no buttons any more)",
    ]
    .iter()
    .map(|said| text.find(said).unwrap_or_else(|| panic!("{said}\n{text}")))
    .collect();
    assert!(places.is_sorted(), "{places:?}\n{text}");
    // What a card said before is not said again.
    assert_eq!(text.matches("Brings: checkout:live version 42").count(), 1, "{text}");
    let json = print::json(&rehearsal, &played, &played, &[]);
    assert_eq!(json["people"][0]["button"], "Roll back");
    assert_eq!(json["cards"].as_array().unwrap().len(), 1);
}
