//! What is said in the card's thread, in the words of `belay::chat::card`.

use belay::{
    decision::Urgency,
    message::{InSlack, Message, OnCard},
    reason::{Reason, Silent},
};

use super::{
    ALARM, RELEASE, ROLLBACK, at, because,
    cards::{alarm_went_off, console, marked, scoreboard},
    group,
};

/// A person has to decide.
pub(super) fn asked() -> Message {
    Message {
        title: format!("checkout: somebody has to decide about {RELEASE}"),
        reasons: because(&[
            Reason::RuleSaysAsk { alarm: ALARM.into() },
            alarm_went_off(),
            Reason::AnswerBy { deadline: at(72, 40), otherwise: Silent::RollsBack },
        ]),
        did: "Belay did nothing yet. Silence is an answer: it takes the release back at the deadline."
            .to_owned(),
        next_steps: vec![
            "Look whether users are hurt.".to_owned(),
            format!(
                "To take it back now: aws deploy stop-deployment --deployment-id {RELEASE} --auto-rollback-enabled"
            ),
        ],
        links: vec![console().deployment(RELEASE), console().alarm(ALARM)],
        asks: true,
        ..taken_back()
    }
}

/// It is being taken back.
pub(super) fn taken_back() -> Message {
    Message {
        thread: RELEASE.to_owned(),
        urgency: Urgency::Loud,
        title: format!("checkout: taking back {RELEASE}"),
        at: at(57, 40),
        reasons: because(&[alarm_went_off()]),
        did: format!(
            "Belay stopped {RELEASE}; CodeDeploy is going back to the last good revision by {ROLLBACK}."
        ),
        next_steps: vec![
            "Wait for the rollback's own message before you call it over.".to_owned(),
            "Do not release the same revision again before you know what was wrong with it.".to_owned(),
        ],
        links: vec![console().deployment(RELEASE), console().deployment(ROLLBACK), console().alarm(ALARM)],
        service: Some("checkout".to_owned()),
        release: Some(RELEASE.to_owned()),
        who: None,
        asks: false,
        slack: Some(InSlack {
            channel: "C07CHECKOUT".to_owned(),
            card: Some(OnCard { release: RELEASE.into(), service: "checkout".into(), place: group().into() }),
            broadcast: true,
        }),
        graph: None,
    }
}

/// It is stopped where it was.
pub(super) fn halted() -> Message {
    Message {
        title: format!("checkout: halted {RELEASE}, not rolled back"),
        reasons: because(&[marked(), alarm_went_off()]),
        did: format!(
            "Belay stopped {RELEASE} where it was. It did not go back, because it is marked as not to be rolled back."
        ),
        next_steps: vec![
            "The Lambda alias still splits its traffic over two versions, and later deployments fail until it does \
             not: once the deployment has stopped, point it at one version (aws lambda update-alias \
             --function-version GOOD --routing-config '{\"AdditionalVersionWeights\":{}}')."
                .to_owned(),
            "Decide what users should get, and release that: nothing else will change it.".to_owned(),
        ],
        links: vec![console().deployment(RELEASE), console().alarm(ALARM)],
        ..taken_back()
    }
}

/// What would have been done.
pub(super) fn observed() -> Message {
    Message {
        title: format!("checkout: would have taken back {RELEASE}"),
        reasons: because(&[alarm_went_off(), scoreboard()]),
        did: "Belay would have stopped it, and CodeDeploy would have gone back to the last good revision. It did \
              nothing, because the policy says `mode: observe`."
            .to_owned(),
        next_steps: vec![
            "Look whether users are hurt: nobody undoes this release for you.".to_owned(),
            "Set `mode: enforce` once you trust these decisions.".to_owned(),
        ],
        links: vec![console().deployment(RELEASE), console().alarm(ALARM)],
        ..taken_back()
    }
}
