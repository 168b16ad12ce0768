//! What Belay answers to commands: one function per answer. Plain words; the renderer escapes them.

use crate::{
    approval::Choice,
    chat::{release_card::ReleaseCard, text::escape},
    decision::{HookAnswer, Verdict},
    ledger::{EffectState, Offer, Open, ReleaseLedger, Watch},
    policy::{Policy, Service},
    reason::spoken,
    release::{Place, Release, ReleaseId, ReleaseStatus},
};

/// How many releases a history shows.
pub const HISTORY: usize = 10;

/// How many decisions `why` shows.
const DECISIONS: usize = 5;

/// Something could not be read.
pub fn unreadable() -> String {
    "Belay could not read its ledger or AWS just now; nothing was done. Try again in a moment.".to_owned()
}

/// It took longer than Slack waits.
pub fn too_slow() -> String {
    "AWS answers slowly just now, and Slack does not wait. Nothing was done unless the release's card says so; try again in a moment.".to_owned()
}

/// The policy has no service of that name.
pub fn no_such_service<'a>(name: &str, meant: Option<&str>, known: impl Iterator<Item = &'a str>) -> String {
    match meant {
        Some(meant) => format!("There is no service `{name}` in the policy. Did you mean `{meant}`?"),
        None => {
            let known: Vec<String> = known.take(20).map(|name| format!("`{name}`")).collect();
            format!("There is no service `{name}` in the policy. There are: {}.", known.join(", "))
        }
    }
}

/// Nothing of the service was ever heard of.
pub fn never_released(service: &Service) -> String {
    format!("Belay has not heard of a release of {} yet.", service.name)
}

/// Neither a service nor a release that is known.
pub fn knows_nothing(what: &str, meant: Option<&str>) -> String {
    let meant = meant.map(|meant| format!(" Did you mean `{meant}`?")).unwrap_or_default();
    format!(
        "Belay has decided nothing about `{what}`: it is no service of the policy, and no release it knows.{meant}"
    )
}

/// How all services are doing.
pub fn all(policy: &Policy, open: &Open) -> String {
    let mut text = String::new();
    for service in policy.services() {
        let name = &service.name;
        let watched: Vec<String> = open
            .watches
            .iter()
            .filter(|watch| watch.service == *name)
            .map(|watch| format!("{} on watch since {:.0}", watch.release, watch.began))
            .collect();
        let questions = open.questions.iter().filter(|question| question.service == *name).count();
        let red = open.incidents.iter().filter(|incident| incident.service == *name).count();
        let mut parts = if watched.is_empty() { vec!["nothing on watch".to_owned()] } else { watched };
        if questions > 0 {
            parts.push(format!("{questions} open {}", if questions == 1 { "question" } else { "questions" }));
        }
        if red > 0 {
            parts.push(format!("{red} {} not OK since a release", if red == 1 { "alarm" } else { "alarms" }));
        }
        text.push_str(&format!("• {name}: {}\n", parts.join("; ")));
    }
    text.trim_end().to_owned()
}

/// How one release is doing, from its card.
pub fn status(card: &ReleaseCard) -> String {
    let mut text = format!("*{}: {}*\n", card.service, card.headline);
    for (name, value) in &card.facts {
        text.push_str(&format!("• {name}: {value}\n"));
    }
    if let Some(traffic) = card.traffic {
        text.push_str(&format!("• Traffic: {traffic} %\n"));
    }
    for alarm in &card.alarms {
        let state = alarm.state.map_or("cannot be read".to_owned(), |state| state.to_string());
        let note = alarm.note.as_ref().map(|note| format!(" ({note})")).unwrap_or_default();
        text.push_str(&format!("• Alarm {}: {state}{note}\n", alarm.name));
    }
    if let Some(last) = card.story.last() {
        text.push_str(&format!("• Last, at {:.0}: {}\n", last.at, last.what));
    }
    text.trim_end().to_owned()
}

/// Why Belay decided what it decided about a release: its newest decisions with their reasons and what they rested on.
pub fn why(release: &ReleaseId, ledger: &ReleaseLedger) -> String {
    let mut text = format!("*What Belay decided about {release}*\n");
    let skipped = ledger.decisions.len().saturating_sub(DECISIONS);
    if skipped > 0 {
        text.push_str(&format!("({skipped} earlier ones are left out)\n"));
    }
    for record in ledger.decisions.iter().skip(skipped) {
        text.push_str(&format!("*{:.0}: {}*\n", record.at, said(record.verdict)));
        for reason in record.reasons.iter() {
            text.push_str(&format!("• {reason}\n"));
        }
    }
    if let Some(began) = &ledger.began {
        text.push_str("*What it rested on*\n");
        text.push_str(&format!("• It began at {:.0} and brings {}.\n", began.at, began.revision));
        match began.target.known() {
            Ok(target) => text.push_str(&format!("• {}\n", replied_target(target))),
            Err(why) => text.push_str(&format!("• What it could go back to was not known: {why}\n")),
        }
        for (alarm, state) in &began.alarms {
            let state = match state {
                crate::ledger::RecordedState::Was(state) => state.to_string(),
                crate::ledger::RecordedState::Unknown { why } => format!("not known, because {why}"),
            };
            text.push_str(&format!("• {alarm} was {state} when it began.\n"));
        }
    }
    text.trim_end().to_owned()
}

/// A verdict as people say it.
pub(crate) fn said(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Ignore => "nothing to do",
        Verdict::Notify(_) => "told",
        Verdict::LookAgain => "looked again",
        Verdict::Ask => "asked",
        Verdict::Halt => "halt",
        Verdict::RollBack => "roll back",
        Verdict::Answer(HookAnswer::Succeeded) => "passed",
        Verdict::Answer(HookAnswer::Failed) => "failed",
        Verdict::Retry => "retry",
    }
}

fn replied_target(target: &crate::evidence::Target) -> String {
    match target {
        crate::evidence::Target::KnownGood { deployment, revision } => {
            format!("It could go back to {revision} ({deployment}).")
        }
        crate::evidence::Target::None { why } => format!("There was nothing to go back to: {why}"),
    }
}

/// A service's last releases and how they ended, the newest first.
pub fn history(service: &Service, releases: &[(Watch, ReleaseLedger)]) -> String {
    if releases.is_empty() {
        return never_released(service);
    }
    let mut text = format!("*The last releases of {}*\n", service.name);
    for (watch, ledger) in releases {
        let revision = ledger.began.as_ref().map_or(String::new(), |began| format!(", {}", began.revision));
        let took = ledger.ended.as_ref().map(|ended| spoken(ended.at.duration_since(watch.began)));
        let undo = ledger.undo.as_ref().filter(|undo| undo.state != EffectState::Overtaken);
        let ended = match (&ledger.ended, undo) {
            (_, Some(undo)) if undo.effect.as_ref().is_none_or(crate::decision::Effect::takes_back) => {
                "taken back".to_owned()
            }
            (_, Some(_)) => "halted".to_owned(),
            (Some(ended), None) => match ended.status {
                ReleaseStatus::Succeeded => "succeeded".to_owned(),
                ReleaseStatus::Failed => "failed".to_owned(),
                _ => "stopped".to_owned(),
            },
            (None, None) => "has not ended, as far as Belay knows".to_owned(),
        };
        let took = took.map(|took| format!(" after {took}")).unwrap_or_default();
        text.push_str(&format!("• {:.0} {}{revision}: {ended}{took}\n", watch.began, watch.release));
    }
    text.trim_end().to_owned()
}

fn doing(choice: Choice) -> &'static str {
    match choice {
        Choice::RollBack => "roll back",
        Choice::Halt => "halt",
        Choice::Keep => "keep",
        Choice::Extend => "extend",
        Choice::Approve => "approve",
        Choice::Reject => "reject",
        Choice::Retry => "retry",
    }
}

/// A command was taken.
pub fn taken(choice: Choice, release: &ReleaseId) -> String {
    format!("Asked to {} {release}. Its card says what comes of it.", doing(choice))
}

/// There is nothing that could be done.
pub fn nothing_to(choice: Choice, service: &Service, named: Option<&str>, seen: &[Release]) -> String {
    let what = doing(choice);
    if service.mode == crate::policy::Mode::Observe {
        return format!(
            "{} is only observed (`mode: observe`): Belay does not {what} its releases.",
            service.name
        );
    }
    if let (Some(named), []) = (named, seen) {
        return format!(
            "{named} is not the latest release of {}: Belay acts on that one only.",
            service.name
        );
    }
    let seen: Vec<String> =
        seen.iter().map(|release| format!("{} ({})", release.id, release.status)).collect();
    if seen.is_empty() {
        return format!("There is no release of {} to {what}.", service.name);
    }
    format!("There is nothing to {what} for {}: {}.", service.name, seen.join(", "))
}

/// A service is released in several places.
pub fn which(choice: Choice, service: &Service, offers: &[Offer]) -> String {
    let lines = commands(choice, service, offers);
    format!("{} is released in several places. Which one?\n{lines}", service.name)
}

/// What is released in some of a service's places could not be read: it may be what is meant.
pub fn not_read(choice: Choice, service: &Service, offers: &[Offer], unread: &[(Place, String)]) -> String {
    let places = unread.iter().map(|(place, why)| format!("• {place}: {}", escape(why)));
    let places = places.collect::<Vec<_>>().join("\n");
    let rest = if offers.is_empty() {
        "Nothing was done. Try again in a moment.".to_owned()
    } else {
        format!("Nothing was done. If it is not that which you mean:\n{}", commands(choice, service, offers))
    };
    format!("Belay could not read what {} has there just now:\n{places}\n{rest}", service.name)
}

/// The commands by which each of some releases is named.
fn commands(choice: Choice, service: &Service, offers: &[Offer]) -> String {
    let word = if choice == Choice::Halt { "halt" } else { "rollback" };
    let line =
        |offer: &Offer| format!("• `/belay {word} {} {}` ({})", service.name, offer.release, offer.place);
    offers.iter().map(line).collect::<Vec<_>>().join("\n")
}
