//! Draws a release's card from what is known.

mod story;

use sha2::{Digest, Sha256};

use self::story::{checks, story};
use crate::{
    approval::Choice,
    chat::{
        console::Console,
        release_card::{CardAlarm, CardOffer, CardStage, CardState, ReleaseCard},
    },
    decision::{
        approval::{lasting, standing},
        release::all_back,
    },
    evidence::CardFacts,
    ledger::{About, Answered, EffectState, Offer, RecordedState},
    message::Link,
    reason::{Silent, spoken},
    release::{
        Course, Phase, Place, Release, ReleaseId, ReleaseStatus, Revision,
        course::{Stands, Step},
    },
    signal::AlarmState,
};

/// The opaque id by which an offer is known outside: 128 bits of a hash of its key, of what it is about and of its choices. It stands for nothing
/// by itself; whoever presses is asked who they are each time. What may be done to a release changes as it goes, and a
/// button stands for what was offered where it was seen.
pub fn offer_id(offer: &Offer) -> String {
    let mut hash = Sha256::new();
    let about = [offer.key.as_str(), offer.service.as_str(), offer.release.as_str()];
    for part in about.into_iter().chain(offer.choices.iter().map(|choice| choice.word())) {
        hash.update(part);
        hash.update([0]);
    }
    hex::encode(&hash.finalize()[..16])
}

/// A digest of what is shown.
pub fn digest(text: &str, blocks: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(text);
    hash.update([0]);
    hash.update(blocks);
    hex::encode(&hash.finalize()[..16])
}

/// A release's card, and what its buttons stand for.
pub fn card(facts: &CardFacts, console: &Console) -> (ReleaseCard, Vec<(String, Offer)>) {
    let open = open_offers(facts);
    let (state, what) = state(facts, &open);
    let release = facts.release.known().ok();
    let course = release.and_then(|release| release.course.as_ref());
    let began = facts.ledger.began.as_ref();
    let offers: Vec<(String, Offer)> = open.into_iter().map(|offer| (offer_id(&offer), offer)).collect();
    let ended = facts.ledger.ended.as_ref().map(|ended| ended.at);
    let card = ReleaseCard {
        service: facts.service.name.to_string(),
        release: facts.id.to_string(),
        state,
        headline: format!("{}{what}", short(&facts.id)),
        facts: told(facts),
        began: release.map(|release| release.created_at).or(began.map(|began| began.at)).unwrap_or_default(),
        ended: release.and_then(|release| release.completed_at).or(ended),
        traffic: facts.traffic.known().ok().copied(),
        stages: course.iter().flat_map(|course| &course.steps).map(stage).collect(),
        pace: course.map(pace).unwrap_or_default(),
        alarms: alarms(facts),
        checks: checks(&facts.ledger),
        story: story(facts),
        offers: offers.iter().map(|(id, offer)| shown(id, offer)).collect(),
        links: links(facts, console),
    };
    (card, offers.into_iter().map(|(id, offer)| (id, lasting(offer))).collect())
}

fn stage(step: &Step) -> CardStage {
    CardStage { name: step.stage.clone(), state: step.state }
}

/// How long a pipeline took, beside what is usual. While it runs only what is usual: a card says nothing that changes
/// by itself.
fn pace(course: &Course) -> String {
    let usual = course.usual.map(|usual| {
        let of = match usual.of {
            1 => "as the last good one did".to_owned(),
            of => format!("the median of the last {of} good ones"),
        };
        (spoken(usual.median), of)
    });
    match (course.took.map(spoken), usual) {
        (Some(took), Some((usual, of))) => format!("The pipeline took {took}; usual are {usual}, {of}."),
        (Some(took), None) => format!("The pipeline took {took}."),
        (None, Some((usual, of))) => format!("The pipeline usually takes {usual}, {of}."),
        (None, None) => String::new(),
    }
}

/// What became of an execution that did not get to the stage that releases.
fn not_reached(course: Option<&Course>) -> (CardState, String) {
    let Some(course) = course else { return (CardState::Undone, " did not begin".to_owned()) };
    match (course.failed(), course.stands) {
        (Some(stage), _) => (CardState::Bad, format!(" did not begin: {stage} failed")),
        (None, Stands::Failed) => (CardState::Bad, " did not begin: the pipeline failed".to_owned()),
        (None, Stands::Superseded) => {
            (CardState::Undone, " did not begin: a newer execution took its place".to_owned())
        }
        (None, Stands::Stopped) => (CardState::Undone, " did not begin: the pipeline was stopped".to_owned()),
        (None, Stands::Running | Stands::Succeeded) => (CardState::Undone, " did not begin".to_owned()),
    }
}

/// A release as people call it: a deployment by its id, an execution by its stage and the beginning of its own, which is
/// a UUID.
pub fn short(id: &ReleaseId) -> String {
    match (id.as_str().rsplit_once('/'), id.execution()) {
        (Some((stage, _)), Some(execution)) => {
            format!("{stage} {}", execution.chars().take(8).collect::<String>())
        }
        (_, _) => id.to_string(),
    }
}

/// What people may answer now: what is asked and has no answer, and what may be done at any time.
fn open_offers(facts: &CardFacts) -> Vec<Offer> {
    if facts.service.approvers.is_empty() {
        return Vec::new();
    }
    let unanswered = facts.ledger.asked.iter().filter(|offer| !facts.ledger.answers.contains_key(&offer.key));
    let Ok(release) = facts.release.known() else {
        // The deadline goes on while the release cannot be read: whether an answer still matters is looked at then.
        return unanswered.cloned().collect();
    };
    let standing = standing(&facts.service, release, &facts.ledger);
    let over = release.status.phase() == Phase::Over;
    let mut open: Vec<Offer> = unanswered
        .filter(|offer| match &offer.about {
            // Once the release is being undone, or is to be let alone, there is nothing to answer.
            About::Question(_) => {
                !standing.choices.is_empty() || facts.service.mode == crate::policy::Mode::Observe
            }
            About::Hook { .. } => !over,
            // An approval may stand behind the stage that releases, which is over by then.
            About::Pipeline(manual) => {
                let course = release.course.as_ref();
                !over || course.is_some_and(|course| course.may_ask_in(&manual.stage.stage))
            }
            About::Release => !over,
        })
        .cloned()
        .collect();
    let asked: Vec<_> = open.iter().flat_map(|offer| offer.choices.clone()).collect();
    let rest: Vec<_> = standing.choices.iter().copied().filter(|choice| !asked.contains(choice)).collect();
    // What has not begun cannot be stopped.
    if !rest.is_empty() && release.status != ReleaseStatus::Created {
        open.push(Offer { choices: rest, ..standing });
    }
    open
}

fn shown(id: &str, offer: &Offer) -> CardOffer {
    let question = match &offer.about {
        About::Question(question) => Some(format!(
            "The alarm {} went off. What is to happen with {}?",
            question.change.alarm,
            short(&offer.release)
        )),
        About::Hook { event, .. } => Some(format!("May {} go on past {event}?", short(&offer.release))),
        About::Pipeline(manual) => Some(format!(
            "The pipeline {} waits in {} for the approval {}. May it go on?",
            manual.stage.pipeline, manual.stage.stage, manual.action
        )),
        About::Release => None,
    };
    let otherwise = offer.otherwise.map(|otherwise| match otherwise {
        Silent::RollsBack => "the release is taken back.",
        Silent::Keeps => "the release stays as it is.",
        Silent::LooksAgain => "Belay looks again and decides by what it finds then.",
        Silent::LetsThrough => "the deployment goes on.",
        Silent::HoldsUp => "the deployment fails.",
    });
    CardOffer {
        id: id.to_owned(),
        reason_box: question.is_some(),
        question,
        ahead: offer.ahead.as_ref().map(|ahead| ahead.sentences()).unwrap_or_default(),
        silence: offer.deadline.zip(otherwise.map(str::to_owned)),
        choices: offer.choices.clone(),
    }
}

/// How a release is doing, and the words for it right behind its name.
fn state(facts: &CardFacts, open: &[Offer]) -> (CardState, String) {
    let Ok(release) = facts.release.known() else {
        return (CardState::Bad, " cannot be read at the moment".to_owned());
    };
    let noun = if release.is_rollback() { ", a rollback," } else { "" };
    if let Some(undone) = undone(facts, release) {
        return undone;
    }
    let asked = open.iter().any(|offer| !matches!(offer.about, About::Release));
    let observed = facts.ledger.would.is_some();
    match &release.status {
        _ if asked => (CardState::Waiting, format!("{noun} waits for a person")),
        ReleaseStatus::Created | ReleaseStatus::Queued => {
            let is_in = release.course.as_ref().and_then(Course::is_in);
            let is_in = is_in.map_or(String::new(), |stage| format!(": its pipeline is in {stage}"));
            (CardState::Running, format!("{noun} has not begun yet{is_in}"))
        }
        ReleaseStatus::InProgress | ReleaseStatus::Baking | ReleaseStatus::Ready => {
            let would = if observed { ", and Belay would have taken it back" } else { "" };
            (CardState::Running, format!("{noun} is on its way{would}"))
        }
        ReleaseStatus::Succeeded if observed => {
            (CardState::Bad, format!("{noun} succeeded, and Belay would have taken it back"))
        }
        ReleaseStatus::Succeeded => (CardState::Good, format!("{noun} succeeded")),
        ReleaseStatus::Failed => (CardState::Bad, format!("{noun} failed")),
        ReleaseStatus::Stopped if release.never_began() => {
            let rejected = |answered: &Answered| answered.choice == Some(Choice::Reject);
            let (state, what) = if facts.ledger.answers.values().any(rejected) {
                // That it is asked about and refused is no failure.
                (CardState::Undone, " did not begin: it was not approved".to_owned())
            } else {
                not_reached(release.course.as_ref())
            };
            (state, format!("{noun}{what}"))
        }
        ReleaseStatus::Stopped => (CardState::Bad, format!("{noun} was stopped")),
        ReleaseStatus::Unrecognised(word) => {
            (CardState::Bad, format!("{noun} is in the unknown state {word}"))
        }
    }
}

/// How the undo of a release is doing, if there is one.
fn undone(facts: &CardFacts, release: &Release) -> Option<(CardState, String)> {
    let undo = facts.ledger.undo.as_ref().filter(|undo| undo.state != EffectState::Overtaken);
    let takes_back =
        undo.and_then(|undo| undo.effect.as_ref()).is_none_or(crate::decision::Effect::takes_back);
    if let Some(rollback) = &facts.rollback {
        let by = &rollback.id;
        return Some(match rollback.status.phase() {
            Phase::Running | Phase::Unknown => (CardState::Undoing, format!(" is being taken back by {by}")),
            Phase::Over if rollback.status == ReleaseStatus::Succeeded => {
                (CardState::Undone, format!(" was taken back by {by}"))
            }
            Phase::Over => (CardState::Bad, format!(" was to be taken back, and {by} failed")),
        });
    }
    let undo = undo?;
    // One that finished in spite of a stop is live again.
    if release.status == ReleaseStatus::Succeeded && undo.stops_only() {
        return None;
    }
    let over = release.status.phase() == Phase::Over;
    let by_codedeploy = matches!(undo.effect, Some(crate::decision::Effect::StopWithin { .. }));
    // CodeDeploy was to go back by itself, has not, and that was told.
    let left = facts.ledger.told.iter().any(|key| key.contains("/no-rollback/"));
    let whole = facts.ledger.told.contains(&all_back(&facts.service.name, &facts.id));
    Some(match (takes_back, over) {
        (true, true) if whole => (CardState::Undone, " was taken back".to_owned()),
        (true, true) if left => (CardState::Bad, " was stopped, and nothing was taken back".to_owned()),
        (true, true) if by_codedeploy => {
            (CardState::Undone, " was stopped, and CodeDeploy takes its deployments back".to_owned())
        }
        (true, _) => (CardState::Undoing, " is being taken back".to_owned()),
        (false, true) => (CardState::Halted, " was halted, and not taken back".to_owned()),
        (false, false) => (CardState::Undoing, " is being halted".to_owned()),
    })
}

/// What is released, and where.
fn told(facts: &CardFacts) -> Vec<(String, String)> {
    let release = facts.release.known().ok();
    let began = facts.ledger.began.as_ref();
    let change = began.map(|began| &began.change).or(release.map(|release| &release.change));
    let mut told = Vec::new();
    let mut tell = |name: &str, value: Option<String>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            told.push((name.to_owned(), value));
        }
    };
    let named = began.map(|began| began.revision.clone());
    let revision = named.or_else(|| {
        release.map(|release| match &release.revision {
            Revision::Named(name) => name.clone(),
            other => other.to_string(),
        })
    });
    let message = change.and_then(|change| change.message.clone());
    let commit = change.and_then(|change| change.commit.clone());
    tell("Brings", revision.filter(|revision| message.as_ref() != Some(revision)));
    tell("Commit", commit.map(|commit| commit.chars().take(12).collect()));
    tell("Message", message);
    tell("Author", change.and_then(|change| change.author.clone()));
    // Of an ARN, who it is: the rest is the same for everybody.
    let who = |arn: &String| arn.rsplit_once(['/', ':']).map_or(arn.clone(), |(_, who)| who.to_owned());
    tell("Started by", change.and_then(|change| change.started_by.as_ref()).map(who));
    let platform =
        release.map(|release| release.platform.to_string()).or(began.map(|began| began.platform.to_string()));
    let place = facts.place.to_string();
    tell("Where", Some(platform.map_or(place.clone(), |platform| format!("{place} ({platform})"))));
    told
}

fn alarms(facts: &CardFacts) -> Vec<CardAlarm> {
    let Ok(alarms) = facts.alarms.known() else {
        return vec![CardAlarm { name: "the watched alarms".to_owned(), state: None, note: None }];
    };
    let at_start = |name| facts.ledger.began.as_ref().and_then(|began| began.alarms.get(name));
    alarms
        .iter()
        .map(|(name, watched)| {
            let red = matches!(at_start(name), Some(RecordedState::Was(AlarmState::Alarm)));
            CardAlarm {
                name: name.to_string(),
                state: watched.state.known().ok().copied(),
                note: red.then(|| "red before the release".to_owned()),
            }
        })
        .collect()
}

fn links(facts: &CardFacts, console: &Console) -> Vec<Link> {
    let mut links = match &facts.place {
        Place::Group(_) => vec![console.deployment(facts.id.as_str())],
        Place::Stage(stage) => vec![console.pipeline(&stage.pipeline, facts.id.execution())],
    };
    links.extend(facts.rollback.as_ref().map(|rollback| console.deployment(rollback.id.as_str())));
    links
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::release::Stage;

    #[test]
    fn a_button_stands_for_what_was_offered_where_it_was_seen() {
        let running = Offer {
            key: "release/d-1/0".to_owned(),
            service: "checkout".into(),
            release: "d-1".into(),
            place: Place::Stage(Stage { pipeline: "checkout-release".into(), stage: "Production".into() }),
            about: About::Release,
            choices: vec![Choice::RollBack, Choice::Halt],
            asked: jiff::Timestamp::UNIX_EPOCH,
            deadline: None,
            otherwise: None,
            ahead: None,
        };
        let failed = Offer { choices: vec![Choice::Retry, Choice::RollBack], ..running.clone() };
        assert_eq!(offer_id(&running), offer_id(&running.clone()));
        assert_ne!(offer_id(&running), offer_id(&failed));
        // One alarm's question about another place's release is another question.
        assert_ne!(offer_id(&running), offer_id(&Offer { release: "d-2".into(), ..running.clone() }));
        assert_ne!(offer_id(&running), offer_id(&Offer { service: "search".into(), ..running.clone() }));
        assert_ne!(offer_id(&running), offer_id(&Offer { key: "release/d-1/1".to_owned(), ..running }));
    }
}
