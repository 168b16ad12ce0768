//! What must hold over a whole story, whatever went wrong in it. None shares code with what it judges.
//!
//! To add one: write a function from [`Record`] to the moments at which it broke, and name it in [`INVARIANTS`] by
//! the sentence that it holds. Then break it on purpose in scenarios/a_storm_of_faults.rs.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::{
    Call, DeploymentStatus, Fault, Service, What,
    stage::{
        play::reported,
        storm::{
            drawn::DrawnService,
            record::{Invoked, Published, Record, alarm_of, takes_back},
        },
    },
};

/// A moment at which an invariant did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    /// When.
    pub at: Timestamp,
    /// What broke it.
    pub what: String,
}

/// What an invariant is.
pub type Invariant = fn(&Record) -> Vec<Breach>;

/// All of them, by what they promise.
pub const INVARIANTS: &[(&str, Invariant)] = &[
    ("a release is undone once at most", undone_once),
    ("nobody asks twice without a reason", asked_once),
    ("no rollback is stopped", no_rollback_stopped),
    ("what is stopped has a cause since it began", stops_have_a_cause),
    ("an alarm that was heard is never met with silence", never_silent),
    ("an undo is told", undos_are_told),
    ("a message is whole", messages_are_whole),
    ("a message comes twice only for a fault", messages_come_once),
    ("a hook is answered once, in time", hooks_are_answered),
    ("nothing panics or refuses what AWS sends", nothing_panics),
    ("Ignore is silent", ignore_is_silent),
    ("the ledger tells the truth", the_ledger_is_true),
    ("what is owed is sent", nothing_is_owed),
    ("the story is over", the_story_is_over),
    ("who only observes does nothing", observing_does_nothing),
    ("nothing open is overdue", nothing_is_overdue),
    ("a red alarm of a release on watch is found without its event", found_without_events),
];

fn breach(at: Timestamp, what: impl Into<String>) -> Breach {
    Breach { at, what: what.into() }
}

fn text<'a>(call: &'a Call, member: &str) -> &'a str {
    call.input[member].as_str().unwrap_or_default()
}

fn stops(record: &Record) -> impl Iterator<Item = (usize, &Call)> {
    record.calls().filter(|(_, call)| call.operation == "StopDeployment")
}

/// Effective undos are stops, of which CodeDeploy makes one of however many it accepts, and deployments that
/// Belay creates under the release's undo key.
fn undone_once(record: &Record) -> Vec<Breach> {
    let mut undone: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let mut breaches = Vec::new();
    for (place, call) in record.calls().filter(|(_, call)| call.changed) {
        let (release, undo) = match call.operation.as_str() {
            "StopDeployment" => (text(call, "deploymentId"), "stop".to_owned()),
            "CreateDeployment" => {
                let Some((_, key)) = text(call, "description").split_once("undo/") else { continue };
                let Some(release) = record.deployments.iter().find(|one| key.contains(&one.id)) else {
                    breaches.push(breach(call.at, format!("the undo key {key} is of no release")));
                    continue;
                };
                (release.id.as_str(), format!("deployment {place}"))
            }
            _ => continue,
        };
        let before = undone.entry(release).or_default();
        before.insert(undo);
        // A stop that CodeDeploy was to follow by a rollback and did not, or that came too late, is half an undo: what
        // ran before is deployed again, once.
        let went_back = record.deployments.iter().any(|one| one.rolls_back.as_deref() == Some(release));
        let halves = usize::from(before.contains("stop") && !went_back);
        if before.len() > 1 + halves {
            breaches.push(breach(call.at, format!("{release} is undone twice: {before:?}")));
        }
    }
    breaches
}

/// A stop is asked for again only by an attempt after one that failed, or when the invocation that asked before
/// was disturbed in some call of its own.
fn asked_once(record: &Record) -> Vec<Breach> {
    let mut breaches = Vec::new();
    let mut last: BTreeMap<&str, (usize, &Call)> = BTreeMap::new();
    for (place, call) in stops(record) {
        let id = text(call, "deploymentId");
        if let Some((_, before)) = last.insert(id, (place, call)) {
            let excused = if before.invocation == call.invocation {
                before.fault.is_some()
            } else {
                disturbed(record, before.invocation)
            };
            if !excused {
                breaches
                    .push(breach(call.at, format!("asked to stop {id} again, though nothing had failed")));
            }
        }
    }
    breaches
}

fn disturbed(record: &Record, invocation: Option<u64>) -> bool {
    record.calls_of(invocation).any(|(_, call)| call.fault.is_some() || call.killed.is_some())
}

fn no_rollback_stopped(record: &Record) -> Vec<Breach> {
    stops(record)
        .filter(|(_, call)| record.deployment(text(call, "deploymentId")).is_none_or(takes_back))
        .map(|(_, call)| {
            breach(call.at, format!("asked to stop the rollback {}", text(call, "deploymentId")))
        })
        .collect()
}

/// Some alarm of its service whose rule acts went off since the release began; and the alarm whose event led to
/// it is such a one.
fn stops_have_a_cause(record: &Record) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for (_, call) in stops(record) {
        let id = text(call, "deploymentId");
        let Some(release) = record.deployment(id) else { continue };
        let acts =
            |alarm: &str| matches!(record.rule(&release.group, alarm), Some("roll_back" | "halt" | "ask"));
        let caused = record
            .went_off()
            .any(|alarm| acts(alarm.name) && release.created <= alarm.at && alarm.at <= call.at);
        if !caused {
            breaches.push(breach(call.at, format!("{id} is stopped, though no alarm of it went off")));
        }
        let by = record.invocations().find(|by| Some(by.number) == call.invocation);
        if let Some((alarm, _, at)) = by.and_then(|by| alarm_of(by.payload))
            && (at < release.created || !acts(&alarm))
        {
            breaches.push(breach(call.at, format!("{id} is stopped for {alarm}, which went off at {at}")));
        }
    }
    breaches
}

/// How long a finished release of a service can be blamed.
fn watched(service: &DrawnService) -> SignedDuration {
    SignedDuration::from_mins(i64::try_from(service.watched).unwrap_or(i64::MAX))
}

/// An alarm with the rule roll_back that went off while a release was on watch, and of which an invocation came to
/// its end, left the release undone or people told loudly.
fn never_silent(record: &Record) -> Vec<Breach> {
    let published = record.published();
    let mut heard: BTreeSet<(String, Timestamp)> = BTreeSet::new();
    for invoked in record.invocations() {
        if invoked.function == "alarm-transitions"
            && invoked.result.is_ok()
            && let Some((alarm, _, at)) = alarm_of(invoked.payload)
        {
            heard.insert((alarm, at));
        }
    }
    let mut breaches = Vec::new();
    for alarm in record.went_off().filter(|alarm| alarm.from_ok) {
        if !heard.contains(&(alarm.name.to_owned(), alarm.at)) {
            continue;
        }
        for service in &record.drawn.services {
            if record.rule(service.name, alarm.name) != Some("roll_back") {
                continue;
            }
            let newest = record
                .deployments
                .iter()
                .filter(|one| one.group == service.name && one.created <= alarm.at)
                .max_by_key(|one| one.created);
            let Some(release) = newest.filter(|newest| !takes_back(newest)) else { continue };
            if release.completed.is_some_and(|ended| alarm.at > ended + watched(service)) {
                continue;
            }
            let undone = is_undone(record, &release.id);
            let told = published.iter().any(|message| {
                // Who could not learn what is being released asks about the alarm.
                let about = message.is_about(&release.id) || message.is_about(alarm.name);
                // What would have been done to it is said once.
                about && (message.call.at >= alarm.at || service.observed) && message.is_loud()
            });
            if !undone && !told {
                let what = format!("{} went off during {} and nobody heard of it", alarm.name, release.id);
                breaches.push(breach(alarm.at, what));
            }
        }
    }
    breaches
}

/// Whether a release does not run any more: stopped, failed, or taken back.
fn is_undone(record: &Record, id: &str) -> bool {
    record
        .deployment(id)
        .is_some_and(|release| matches!(release.status, DeploymentStatus::Stopped | DeploymentStatus::Failed))
        || record.deployments.iter().any(|one| {
            let by_belay =
                || one.description.as_deref().is_some_and(|text| text.contains(&format!("undo/{id}:")));
            one.rolls_back.as_deref() == Some(id) || by_belay()
        })
}

/// A service in `observe`: no effect, and no hook that fails.
fn observing_does_nothing(record: &Record) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for (_, call) in record.calls().filter(|(_, call)| call.changed) {
        let acts = match call.operation.as_str() {
            "StopDeployment" => true,
            "CreateDeployment" => text(call, "description").contains("undo/"),
            "PutLifecycleEventHookExecutionStatus" => {
                text(call, "status") == "Failed" && known_deployment(record, call)
            }
            _ => false,
        };
        let group = record.deployment(text(call, "deploymentId")).map(|one| one.group.as_str());
        let group = group.unwrap_or_else(|| text(call, "deploymentGroupName"));
        if acts && record.drawn.service(group).is_some_and(|service| service.observed) {
            breaches.push(breach(call.at, format!("{} of {group}, which is only observed", call.operation)));
        }
    }
    breaches
}

/// Whether whoever answered a hook had learnt whose it was. Unknown, it fails: the policy cannot say otherwise.
fn known_deployment(record: &Record, answer: &Call) -> bool {
    record
        .calls_of(answer.invocation)
        .any(|(_, call)| call.operation == "GetDeployment" && call.outcome.is_ok() && call.fault.is_none())
}

/// In the calm after the storm the sweep has settled whatever was due: questions past their deadline, hooks past their
/// time, messages that were written down.
fn nothing_is_overdue(record: &Record) -> Vec<Breach> {
    let late = record.ended - SignedDuration::from_mins(4);
    let mut breaches = Vec::new();
    for item in record.table.iter().filter(|item| item["pk"]["S"] == "open") {
        let body: Value =
            serde_json::from_str(item["body"]["S"].as_str().unwrap_or_default()).unwrap_or_default();
        let due = ["deadline", "until", "since"].iter().find_map(|name| body[*name].as_str());
        let Some(due) = due.and_then(|due| due.parse::<Timestamp>().ok()) else { continue };
        if due < late {
            let key = item["sk"]["S"].as_str().unwrap_or_default();
            breaches.push(breach(record.ended, format!("{key} was due at {due}, and is open")));
        }
    }
    breaches
}

/// Whoever has once heard of a release looks after it: if an alarm of it is red in the end, and went off while it was
/// on watch, it is undone or people know, also if no event told of the alarm.
fn found_without_events(record: &Record) -> Vec<Breach> {
    let published = record.published();
    let mut breaches = Vec::new();
    for service in &record.drawn.services {
        let newest =
            record.deployments.iter().filter(|one| one.group == service.name).max_by_key(|one| one.created);
        let Some(release) = newest.filter(|newest| !takes_back(newest)) else { continue };
        let heard = record.invocations().any(|invoked| {
            ["pipeline-events", "lifecycle-hooks"].contains(&invoked.function)
                && invoked.result.is_ok()
                && invoked.payload.contains(&release.id)
                // What is heard of only after its watch is over is looked after by nobody.
                && release.completed.is_none_or(|ended| invoked.at < ended + watched(service))
        });
        for alarm in service.alarms.iter().filter(|alarm| alarm.rule == "roll_back") {
            let red = record.red_since(&alarm.name).filter(|since| {
                *since > release.created
                    && *since < record.ended - SignedDuration::from_mins(8)
                    && release.completed.is_none_or(|ended| *since <= ended + watched(service))
                    // The sweep has had calm minutes in which the release was on watch.
                    && release.completed.is_none_or(|ended| {
                        ended + watched(service) > record.ended - SignedDuration::from_mins(6)
                    })
            });
            let Some(since) = red.filter(|_| heard) else { continue };
            let told = published.iter().any(|message| {
                let about = message.is_about(&release.id) || message.is_about(&alarm.name);
                about && message.is_loud() && (message.call.at >= since || service.observed)
            });
            if !is_undone(record, &release.id) && !told {
                let what =
                    format!("{} is red since {since}, {} is live, and nobody knows", alarm.name, release.id);
                breaches.push(breach(record.ended, what));
            }
        }
    }
    breaches
}

/// Whoever stopped a release and came to an end, at this delivery or a later one, has told it.
fn undos_are_told(record: &Record) -> Vec<Breach> {
    let published = record.published();
    let mut breaches = Vec::new();
    for (_, call) in stops(record).filter(|(_, call)| call.changed) {
        let id = text(call, "deploymentId");
        let by = record.invocations().find(|by| Some(by.number) == call.invocation).map(|by| by.id);
        let ended = record.invocations().any(|one| Some(one.id) == by && one.result.is_ok());
        let key = format!("release/{id}/undo");
        if ended && !published.iter().any(|message| message.id == key) {
            breaches.push(breach(call.at, format!("{id} was stopped and nobody was told")));
        }
    }
    breaches
}

fn messages_are_whole(record: &Record) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for message in record.published() {
        let content = &message.body["content"];
        let description = content["description"].as_str().unwrap_or_default();
        let reasons = description.split("*What Belay did:*").next().unwrap_or_default();
        let lacks = [
            ("title", content["title"].as_str().unwrap_or_default().trim().is_empty()),
            ("reason", reasons.trim().is_empty()),
            ("word of what was done", !description.contains("*What Belay did:* ")),
            ("id", message.id.is_empty()),
            ("thread", message.body["metadata"]["threadId"].as_str().unwrap_or_default().is_empty()),
        ];
        for (what, lacking) in lacks {
            if lacking {
                breaches.push(breach(message.call.at, format!("the message {} has no {what}", message.id)));
            }
        }
    }
    breaches
}

/// The same id comes again only if the receipt was lost, or whoever sent it died or could not write that it was
/// sent, or whoever sends it again could not read so.
fn messages_come_once(record: &Record) -> Vec<Breach> {
    let mut last: BTreeMap<String, Published<'_>> = BTreeMap::new();
    let mut breaches = Vec::new();
    for message in record.published() {
        let (at, id) = (message.call.at, message.id.clone());
        let Some(before) = last.insert(id.clone(), message.clone()) else { continue };
        let receipt = before.call.fault == Some(Fault::TimeoutAfterEffect) || before.call.killed.is_some();
        let ledger = |call: &Call| call.service == Service::DynamoDb && call.fault.is_some();
        let not_written = record
            .calls_of(before.call.invocation)
            .any(|(place, call)| ledger(call) || (place > before.place && call.killed.is_some()));
        let not_read = record
            .calls_of(message.call.invocation)
            .any(|(place, call)| place < message.place && ledger(call));
        if !receipt && !not_written && !not_read {
            breaches.push(breach(at, format!("{id} was told before, and no fault explains it")));
        }
    }
    breaches
}

/// An hour is what CodeDeploy waits.
const HOOK_LIMIT: SignedDuration = SignedDuration::from_hours(1);

/// Answered once and in time, unless the deployment ended in the meantime for another reason, or nobody was left who
/// knew of the call.
fn hooks_are_answered(record: &Record) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for happening in &record.timeline {
        let What::HookCalled { id, event, execution } = &happening.what else { continue };
        let answers: Vec<&Call> = record
            .calls()
            .map(|(_, call)| call)
            .filter(|call| call.operation == "PutLifecycleEventHookExecutionStatus")
            .filter(|call| call.changed && text(call, "lifecycleEventHookExecutionId") == execution)
            .collect();
        let what = match answers.as_slice() {
            [answer] if !["Succeeded", "Failed"].contains(&text(answer, "status")) => {
                format!("was answered with {}", text(answer, "status"))
            }
            [answer] if answer.at.duration_since(happening.at) > HOOK_LIMIT => "was answered late".to_owned(),
            [_] => continue,
            [] if ended_otherwise(record, id) || nobody_knows(record, id, execution) => continue,
            [] => "was not answered".to_owned(),
            _ => format!("was answered {} times", answers.len()),
        };
        breaches.push(breach(happening.at, format!("the hook {event} of {id} {what}")));
    }
    breaches
}

/// Lambda gave the call up after three invocations, each of which died or could not get its answer through, and none of
/// which could write down that it had come. What CodeDeploy wants for an answer is in the call alone (seed 7534).
fn nobody_knows(record: &Record, id: &str, execution: &str) -> bool {
    let given_up =
        record.given_up.iter().any(|delivery| String::from_utf8_lossy(&delivery.payload).contains(execution));
    let written = record.calls().any(|(_, call)| {
        call.operation == "PutItem"
            && call.changed
            && call.input["Item"]["sk"]["S"]
                .as_str()
                .is_some_and(|key| key.starts_with("hook/") && key.contains(id))
    });
    given_up && !written
}

fn ended_otherwise(record: &Record, id: &str) -> bool {
    record.deployment(id).is_some_and(|deployment| {
        let hook = |(code, _): &(String, String)| code == "HOOK_EXECUTION_FAILURE";
        deployment.completed.is_some() && !deployment.error.as_ref().is_some_and(hook)
    })
}

fn nothing_panics(record: &Record) -> Vec<Breach> {
    let known = ["AwsCallFailed", "EvidenceMissing", "HookNotAnswered", "Unfinished"];
    record
        .invocations()
        .filter_map(|invoked| {
            let error = invoked.result.as_ref().err()?;
            let kind = error.split(':').next().unwrap_or_default();
            let expected = known.contains(&kind) || error == "the invocation was killed";
            (!expected).then(|| breach(invoked.at, format!("{} failed: {error}", invoked.function)))
        })
        .collect()
}

/// An invocation that decided Ignore and nothing else sends what was written down before it, if anything.
fn ignore_is_silent(record: &Record) -> Vec<Breach> {
    let mut breaches = Vec::new();
    let published = record.published();
    for Invoked { number, result, .. } in record.invocations() {
        let Ok(answer) = result else { continue };
        if !reported(answer).iter().all(|decision| decision.verdict == "Ignore") {
            continue;
        }
        for message in published.iter().filter(|message| message.call.invocation == Some(number)) {
            let owed = record.calls().take_while(|(place, _)| *place < message.place).any(|(_, call)| {
                call.operation == "PutItem"
                    && call.changed
                    && call.invocation != Some(number)
                    && message_of(&call.input["Item"]).as_deref() == Some(&message.id)
            });
            if !owed {
                breaches
                    .push(breach(message.call.at, format!("Ignore was decided, and {} told", message.id)));
            }
        }
    }
    breaches
}

/// The id of the message that a record of the ledger holds.
fn message_of(item: &Value) -> Option<String> {
    let key = item["sk"]["S"].as_str()?.strip_prefix("message/")?;
    Some(format!("{}/{key}", item["pk"]["S"].as_str()?))
}

fn the_ledger_is_true(record: &Record) -> Vec<Breach> {
    let published = record.published();
    let mut breaches = Vec::new();
    for item in &record.table {
        let (pk, sk) = (item["pk"]["S"].as_str().unwrap_or_default(), item["sk"]["S"].as_str());
        if item["state"]["S"] != "done" {
            continue;
        }
        if sk == Some("effect/undo") {
            let id = pk.trim_start_matches("release/");
            let undone = record.calls().any(|(_, call)| {
                call.changed
                    && (text(call, "deploymentId") == id || text(call, "description").contains(id))
                    && ["StopDeployment", "CreateDeployment"].contains(&call.operation.as_str())
            });
            if !undone {
                breaches.push(breach(record.ended, format!("{id} is written down as undone, and is not")));
            }
        }
        if let Some(id) = message_of(item)
            && !published.iter().any(|message| message.id == id)
        {
            breaches.push(breach(record.ended, format!("{id} is written down as told, and is not")));
        }
    }
    breaches
}

/// What was written down is sent in the end, unless the delivery that wrote it was given up.
fn nothing_is_owed(record: &Record) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for item in record.table.iter().filter(|item| item["state"]["S"] == "claimed") {
        let Some(id) = message_of(item) else { continue };
        let writers = record.calls().filter(|(_, call)| {
            call.operation == "PutItem"
                && call.changed
                && message_of(&call.input["Item"]).as_deref() == Some(&id)
        });
        let numbers: BTreeSet<u64> = writers.filter_map(|(_, call)| call.invocation).collect();
        let given_up = record
            .invocations()
            .filter(|invoked| numbers.contains(&invoked.number))
            .any(|invoked| record.gave_up(invoked.id));
        if !given_up && !record.published().iter().any(|message| message.id == id) {
            breaches.push(breach(record.ended, format!("{id} was written down and never sent")));
        }
    }
    breaches
}

fn the_story_is_over(record: &Record) -> Vec<Breach> {
    let waiting = record
        .on_its_way
        .iter()
        .map(|delivery| breach(record.ended, format!("{} waits for {}", delivery.function, delivery.due)));
    let unmodelled =
        record.unmodelled.iter().map(|name| breach(record.ended, format!("not modelled: {name}")));
    waiting.chain(unmodelled).collect()
}
