//! Whatever stands in the ledger: the widget is well-formed, holds nothing that comes alive, and does not grow too long.

use maud::PreEscaped;
use proptest::prelude::*;

use super::{
    tests::{HOSTILE, STOP, at, began, check_harmless, frame, lane, of, undone, view, watch},
    *,
};
use crate::{ledger::EffectState, reason::Reason};

fn any_outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        Just(Outcome::Running),
        Just(Outcome::Succeeded),
        Just(Outcome::Failed),
        Just(Outcome::Stopped),
        Just(Outcome::TakenBack),
        Just(Outcome::Undoing),
        Just(Outcome::Halted),
        Just(Outcome::Would),
        any_text().prop_map(|why| Outcome::Unknown { why }),
    ]
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(HOSTILE.to_owned()),
        any::<String>(),
        r#"[<>&"' \]\[{}/a-c!\-]{0,30}"#,
        Just("]]><!--".to_owned()),
        Just("😀".repeat(200)),
    ]
}

fn any_release() -> impl Strategy<Value = Shown> {
    (
        any_text(),
        -2_000_i64..2_000,
        prop::option::of(-2_000_i64..2_000),
        any_outcome(),
        any_text(),
        any::<bool>(),
    )
        .prop_map(|(words, begins, ends, outcome, other, back)| Shown {
            id: words.as_str().into(),
            began: at(begins),
            ended: ends.map(at),
            outcome,
            by: DecidedBy::Silence,
            why: Some(other.clone()),
            revision: Some(other.clone()),
            back_to: back.then(|| (other.as_str().into(), words.clone())),
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// Any name, any message, any alarm: no tag comes of it, and everything can be parsed.
    #[test]
    fn whatever_is_drawn_is_well_formed_and_harmless(
        service in any_text(),
        releases in prop::collection::vec(any_release(), 0..12),
        bars in prop::collection::vec((any_text(), -2_000_i64..2_000, prop::option::of(-2_000_i64..2_000)), 0..9),
        note in any_text(),
        width in 0_u32..20_000,
        dark in any::<bool>(),
    ) {
        let incidents = bars.into_iter().map(|(alarm, begins, ends)| Bar { alarm, began: at(begins), ended: ends.map(at) });
        let one = Lane { service: service.as_str().into(), ..lane(releases, incidents.collect()) };
        let timeline = Timeline { lanes: vec![one.clone(), one], notes: vec![note.clone()] };
        let view = View { width, ..view(if dark { Theme::Dark } else { Theme::Light }) };
        check_harmless(&page(&timeline, &frame(&view)));
        check_harmless(&unreadable(&note, &view));
        let (watch, ledger) = (watch(&note, 10), began(&watch("d-2", 10), &service));
        check_harmless(&why(&watch.release, &ledger, &frame(&view)));
    }

    /// What stands in a call is what was meant, whatever it is.
    #[test]
    fn a_call_carries_its_release(name in any_text()) {
        let PreEscaped(json) = payload(&name.as_str().into());
        prop_assert!(json.is_ascii() && !json.contains(['<', '>', '&']), "{}", json);
        let read: serde_json::Value = serde_json::from_str(&json).unwrap();
        prop_assert_eq!(&read["release"], &serde_json::Value::from(name));
    }
}

#[test]
fn sixty_releases_stay_far_below_what_lambda_returns() {
    // 6 MB (Lambda quotas, "Invocation payload").
    let reason = Reason::CouldNotLearn { what: "😀".repeat(500), why: "&".repeat(5_000) };
    let releases = (0..60).map(|minute| {
        let watch = watch(&format!("d-{minute}"), minute);
        Shown::of(&watch, &undone(began(&watch, &"&".repeat(3_000)), reason.clone(), STOP, EffectState::Done))
    });
    let view = view(Theme::Light);
    let html = page(&of(vec![lane(releases.collect(), Vec::new())]), &frame(&view));
    assert!(html.len() < 600_000, "{}", html.len());
    assert_eq!(html.matches("<cwdb-action").count(), 120);
}
