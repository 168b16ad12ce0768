//! The release's card, in each state.

use belay::{
    approval::Choice,
    chat::{
        console::Console,
        release_card::{CardAlarm, CardCheck, CardOffer, CardState, ReleaseCard, StoryLine},
    },
    evidence::Target,
    reason::Reason,
    signal::AlarmState,
};
use jiff::Timestamp;

use super::{ALARM, APPROVER, RELEASE, ROLLBACK, SAID, at, because, lasting};

/// The id by which an offer goes out: opaque.
const OFFER: &str = "9f1d2c7ab04e5368d1c07be24af95e13";
const STANDING: &str = "c27e0a94d8b1465fa3fe618b09d7425c";
/// An execution of the pipeline.
const EXECUTION: &str = "5f0c1d7e-2b64-4c1a-9a3e-7d1f0b9e6a21";

/// On its way, with 30 % of the traffic. Of an alarm that was red before it nothing follows.
pub(super) fn running() -> ReleaseCard {
    let mut alarms = checkout().alarms;
    alarms.push(CardAlarm {
        note: Some("red before the release".to_owned()),
        ..alarm("checkout-prod-queue-age", AlarmState::Alarm)
    });
    ReleaseCard { alarms, ..checkout() }
}

/// The release while all is well.
fn checkout() -> ReleaseCard {
    ReleaseCard {
        service: "checkout".to_owned(),
        release: RELEASE.to_owned(),
        state: CardState::Running,
        headline: format!("{RELEASE} is on its way"),
        facts: facts("checkout/prod (Lambda)"),
        began: at(52, 10),
        ended: None,
        traffic: Some(30),
        alarms: vec![
            alarm(ALARM, AlarmState::Ok),
            alarm("checkout-prod-latency-p99", AlarmState::Ok),
            alarm("checkout-prod-payments-declined", AlarmState::Ok),
        ],
        checks: vec![CardCheck {
            what: "https://checkout.example.com/healthz: 5 of 5 requests answered 200 within 300ms"
                .to_owned(),
            passed: Some(true),
        }],
        story: vec![it_began()],
        offers: vec![standing(&[Choice::RollBack, Choice::Halt])],
        links: vec![console().deployment(RELEASE)],
    }
}

/// A rule asks, and a person has a quarter of an hour.
pub(super) fn asked() -> ReleaseCard {
    let reasons = because(&[
        Reason::RuleSaysAsk { alarm: ALARM.into() },
        alarm_went_off(),
        Reason::AnswerBy { deadline: at(72, 40), otherwise: belay::reason::Silent::RollsBack },
    ]);
    ReleaseCard {
        state: CardState::Waiting,
        headline: format!("{RELEASE} waits for a person"),
        alarms: red(),
        story: vec![it_began(), line(at(57, 42), "❓", "Belay asks", reasons)],
        offers: vec![
            CardOffer {
                id: OFFER.to_owned(),
                question: Some(format!("The alarm {ALARM} went off. What is to happen with {RELEASE}?")),
                silence: Some((at(72, 40), "the release is taken back.".to_owned())),
                choices: vec![Choice::RollBack, Choice::Keep, Choice::Extend],
                reason_box: true,
            },
            standing(&[Choice::Halt]),
        ],
        ..checkout()
    }
}

/// The alarm went off, and what ran before has the traffic again.
pub(super) fn taken_back() -> ReleaseCard {
    ReleaseCard {
        state: CardState::Undone,
        headline: format!("{RELEASE} was taken back by {ROLLBACK}"),
        ended: Some(at(57, 46)),
        traffic: None,
        alarms: red(),
        story: vec![
            it_began(),
            line(at(57, 43), "⏪", "Belay decided to take it back", because(&[alarm_went_off()])),
            stopped(),
            line(at(57, 47), "⏪", &format!("{ROLLBACK} began to take it back"), Vec::new()),
            line(at(57, 58), "↩️", &format!("{ROLLBACK} is done"), Vec::new()),
        ],
        offers: Vec::new(),
        links: vec![console().deployment(RELEASE), console().deployment(ROLLBACK)],
        ..ended()
    }
}

/// A hook asks for an approval before users get anything.
pub(super) fn waits_at_hook() -> ReleaseCard {
    let event = "BeforeAllowTraffic";
    ReleaseCard {
        state: CardState::Waiting,
        headline: format!("{RELEASE} waits for a person"),
        traffic: Some(0),
        story: vec![
            it_began(),
            line(at(52, 44), "❓", "Belay asks", because(&[Reason::HookWaits { event: event.into() }])),
        ],
        offers: vec![
            CardOffer {
                id: OFFER.to_owned(),
                question: Some(format!("May {RELEASE} go on past {event}?")),
                silence: Some((at(82, 44), "the deployment fails.".to_owned())),
                choices: vec![Choice::Approve, Choice::Reject],
                reason_box: true,
            },
            standing(&[Choice::RollBack, Choice::Halt]),
        ],
        ..checkout()
    }
}

/// A pipeline stands before its stage for production.
pub(super) fn waits_in_pipeline() -> ReleaseCard {
    let release = format!("Production/{EXECUTION}");
    let reason = Reason::ManualWaits {
        stage: belay::release::Stage { pipeline: "checkout".to_owned(), stage: "Production".to_owned() },
        action: "ReleaseToUsers".to_owned(),
    };
    ReleaseCard {
        headline: format!("{release} waits for a person"),
        state: CardState::Waiting,
        facts: facts("checkout/Production (CodePipeline)"),
        traffic: None,
        checks: Vec::new(),
        story: vec![line(at(52, 12), "❓", "Belay asks", because(&[reason]))],
        offers: vec![CardOffer {
            id: OFFER.to_owned(),
            question: Some(
                "The pipeline checkout waits in Production for the approval ReleaseToUsers. May it go on?"
                    .to_owned(),
            ),
            silence: None,
            choices: vec![Choice::Approve, Choice::Reject],
            reason_box: true,
        }],
        links: vec![console().pipeline("checkout", Some(EXECUTION))],
        release,
        ..checkout()
    }
}

/// Stopped, and not taken back: it says of itself that going back would do harm.
pub(super) fn halted() -> ReleaseCard {
    ReleaseCard {
        state: CardState::Undone,
        headline: format!("{RELEASE} was halted, and not taken back"),
        ended: Some(at(57, 46)),
        traffic: None,
        alarms: red(),
        story: vec![
            it_began(),
            line(at(57, 43), "🛑", "Belay decided to halt it", because(&[marked(), alarm_went_off()])),
            stopped(),
        ],
        offers: Vec::new(),
        ..ended()
    }
}

/// It went well, after somebody let it go on.
pub(super) fn succeeded() -> ReleaseCard {
    ReleaseCard {
        state: CardState::Good,
        headline: format!("{RELEASE} succeeded"),
        facts: took(19, 41),
        ended: Some(at(71, 51)),
        traffic: None,
        story: vec![
            it_began(),
            StoryLine {
                who: Some(APPROVER.to_owned()),
                ..line(
                    at(55, 2),
                    "👤",
                    "chose Approve (BeforeAllowTraffic)",
                    vec!["“Paid with a test card in EUR and in SEK, both fine.”".to_owned()],
                )
            },
            line(at(71, 51), "✅", "It succeeded", Vec::new()),
        ],
        offers: vec![standing(&[Choice::RollBack])],
        ..checkout()
    }
}

/// A pipeline's stage failed: it can be run again, or rolled back.
pub(super) fn failed_stage() -> ReleaseCard {
    let release = format!("Production/{EXECUTION}");
    let error = "JobFailed: The ECS service checkout did not become stable within 30 minutes.";
    let mut facts = facts("checkout/Production (CodePipeline)");
    facts.push(("Took".to_owned(), belay::reason::spoken(lasting(31, 4))));
    ReleaseCard {
        state: CardState::Bad,
        headline: format!("{release} failed"),
        facts,
        ended: Some(at(83, 14)),
        traffic: None,
        checks: Vec::new(),
        story: vec![it_began(), line(at(83, 14), "❌", "It failed", vec![error.to_owned()])],
        offers: vec![standing(&[Choice::Retry, Choice::RollBack])],
        links: vec![console().pipeline("checkout", Some(EXECUTION))],
        release,
        ..checkout()
    }
}

/// A service in `observe`: what would have been done.
pub(super) fn observed() -> ReleaseCard {
    let reasons = because(&[alarm_went_off(), scoreboard()]);
    ReleaseCard {
        state: CardState::Bad,
        headline: format!("{RELEASE} succeeded, and Belay would have taken it back"),
        facts: took(19, 41),
        ended: Some(at(71, 51)),
        traffic: None,
        alarms: red(),
        story: vec![
            it_began(),
            line(at(57, 43), "⏪", "Belay decided to take it back", reasons),
            line(at(71, 51), "✅", "It succeeded", Vec::new()),
        ],
        offers: Vec::new(),
        ..checkout()
    }
}

/// The alarm that led to all of it.
pub(super) fn alarm_went_off() -> Reason {
    Reason::AlarmDuringRelease {
        alarm: ALARM.into(),
        since_start: lasting(5, 30),
        traffic: Some(30),
        said: SAID.to_owned(),
    }
}

/// The release asks not to be taken back.
pub(super) fn marked() -> Reason {
    Reason::MarkedNoRollback { why: "it moves the orders to a new table".to_owned() }
}

/// What `observe` has counted.
pub(super) fn scoreboard() -> Reason {
    Reason::Scoreboard { would_have: 4, succeeded: 1, ended_badly: 3 }
}

/// Where the links lead.
pub(super) fn console() -> Console {
    Console::of("eu-central-1")
}

fn stopped() -> StoryLine {
    let error = "MANUAL_STOP: The deployment was stopped by the user.";
    line(at(57, 46), "⏹️", "It was stopped", vec![error.to_owned()])
}

/// Stopped after five and a half minutes.
fn ended() -> ReleaseCard {
    ReleaseCard { facts: took(5, 36), ..checkout() }
}

fn facts(place: &str) -> Vec<(String, String)> {
    [
        ("Brings", "checkout:212"),
        ("Commit", "9f2c41e07ab3"),
        ("Message", "Charge in the customer's own currency (#1184)"),
        ("Author", "Mira Okafor"),
        ("Started by", "arn:aws:iam::111122223333:role/release-checkout"),
        ("Where", place),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec()
}

fn took(minutes: i64, seconds: i64) -> Vec<(String, String)> {
    let mut facts = facts("checkout/prod (Lambda)");
    facts.push(("Took".to_owned(), belay::reason::spoken(lasting(minutes, seconds))));
    facts
}

fn alarm(name: &str, state: AlarmState) -> CardAlarm {
    CardAlarm { name: name.to_owned(), state: Some(state), note: None }
}

/// The alarms after one of them went off.
fn red() -> Vec<CardAlarm> {
    let mut alarms = checkout().alarms;
    for alarm in alarms.iter_mut().filter(|alarm| alarm.name == ALARM) {
        alarm.state = Some(AlarmState::Alarm);
    }
    alarms
}

fn it_began() -> StoryLine {
    line(at(52, 10), "🚀", "It began", because(&[Reason::ReleaseBegan { target: target() }]))
}

/// What ran before.
pub(super) fn target() -> Target {
    Target::KnownGood { deployment: "d-1H8W3ZC5R".to_owned(), revision: "checkout:211".to_owned() }
}

fn line(at: Timestamp, sign: &'static str, what: &str, details: Vec<String>) -> StoryLine {
    StoryLine { at, sign, who: None, what: what.to_owned(), details }
}

/// What may be done at any time.
fn standing(choices: &[Choice]) -> CardOffer {
    CardOffer {
        id: STANDING.to_owned(),
        question: None,
        silence: None,
        choices: choices.to_vec(),
        reason_box: false,
    }
}
