//! One event and the AWS that it meets: prepared before, so that answering costs next to nothing, and a record of
//! who asked what when.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use ciborium::Value as Cbor;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::{
    Trouble,
    answers::{Play, Protocol, RELEASE, Recorded, STOP, find},
    relative::Times,
};

/// An event and its answers.
pub struct Scene {
    event: Bytes,
    calls: Vec<Recorded>,
    bodies: Vec<Bodies>,
    given: Vec<AtomicUsize>,
    /// How long each answer is held back.
    pub delay: Duration,
    seen: Mutex<Vec<Seen>>,
    unknown: Mutex<Vec<String>>,
}

struct Bodies {
    text: Bytes,
    cbor: Bytes,
}

/// A call that was made.
#[derive(Debug, Clone)]
pub struct Seen {
    /// `CodeDeploy.StopDeployment`.
    pub call: String,
    /// When its head had arrived.
    pub arrived: Instant,
    /// When its answer was ready to be written.
    pub answered: Instant,
}

impl Scene {
    /// The play with a deployment of its own, whose alarm went off just now.
    ///
    /// # Errors
    /// When an answer cannot be written in CBOR.
    pub fn of(play: &Play, delay: Duration) -> Result<Self, Trouble> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        // Of the same form: `d-` and nine digits or capitals (CodeDeploy API Reference, `deploymentId`, by example).
        let release = format!("d-B{:08}", COUNT.fetch_add(1, Ordering::Relaxed));
        // An event takes about a second from the alarm to the function.
        let times = Times::around(Timestamp::now() - SignedDuration::from_secs(1));
        let fill = |value: &Value| -> Result<Value, Trouble> {
            let text = times.fill_in(value).to_string().replace(RELEASE, &release);
            Ok(serde_json::from_str(&text)?)
        };
        let mut calls = play.calls.clone();
        let mut bodies = Vec::new();
        for call in &mut calls {
            let filled = fill(&call.answer)?;
            let text = match (&filled, call.protocol) {
                (Value::String(text), Protocol::Query) => text.clone(),
                (_, _) => filled.to_string(),
            };
            let mut cbor = Vec::new();
            ciborium::into_writer(&to_cbor(&times, &call.answer, &release), &mut cbor)?;
            bodies.push(Bodies { text: text.into(), cbor: cbor.into() });
            for about in &mut call.about {
                *about = about.replace(RELEASE, &release);
            }
        }
        let given = calls.iter().map(|_| AtomicUsize::new(0)).collect();
        let event = Bytes::from(fill(&play.event)?.to_string());
        Ok(Self { event, calls, bodies, given, delay, seen: Mutex::default(), unknown: Mutex::default() })
    }

    /// What the function gets.
    pub fn event(&self) -> Bytes {
        self.event.clone()
    }

    /// The answer to a request, and the protocol that it is in; `None` when nobody asked that when the answers were
    /// recorded.
    pub fn answer(&self, call: &str, protocol: Protocol, body: &[u8]) -> Option<Bytes> {
        let given = |place: usize| self.given.get(place).map_or(0, |given| given.load(Ordering::Relaxed));
        let Some(place) = find(&self.calls, call, body, given) else {
            locked(&self.unknown).push(format!("{call} {}", String::from_utf8_lossy(body)));
            return None;
        };
        self.given.get(place)?.fetch_add(1, Ordering::Relaxed);
        let bodies = self.bodies.get(place)?;
        Some(match protocol {
            Protocol::Cbor => bodies.cbor.clone(),
            Protocol::Json10 | Protocol::Json11 | Protocol::Query => bodies.text.clone(),
        })
    }

    /// Notes a call.
    pub fn note(&self, seen: Seen) {
        locked(&self.seen).push(seen);
    }

    /// What was asked so far, in the order of the answers.
    pub fn seen(&self) -> Vec<Seen> {
        locked(&self.seen).clone()
    }

    /// What was asked and could not be answered.
    pub fn unknown(&self) -> Vec<String> {
        locked(&self.unknown).clone()
    }

    /// When the stop was on the wire.
    pub fn stopped(&self) -> Option<Instant> {
        locked(&self.seen).iter().find(|seen| seen.call == STOP).map(|seen| seen.arrived)
    }

    /// How many calls came before the stop, and how many of them one after the other: a call that was made while
    /// another one was not answered yet does not wait for it. True only of a scene whose answers take their time.
    pub fn way(&self) -> Way {
        let Some(stopped) = self.stopped() else { return Way::default() };
        let mut before: Vec<(Seen, usize)> = Vec::new();
        let mut seen = self.seen();
        seen.sort_by_key(|seen| seen.arrived);
        for call in seen.into_iter().filter(|seen| seen.arrived < stopped) {
            let waited = before.iter().filter(|(earlier, _)| earlier.answered <= call.arrived);
            let row = 1 + waited.map(|(_, row)| *row).max().unwrap_or_default();
            before.push((call, row));
        }
        let in_a_row = before.iter().map(|(_, row)| *row).max().unwrap_or_default();
        Way { in_a_row, calls: before.into_iter().map(|(seen, row)| (row, seen.call)).collect() }
    }
}

/// The way from an event to the stop.
#[derive(Debug, Clone, Default)]
pub struct Way {
    /// How many answers had to be waited for one after the other.
    pub in_a_row: usize,
    /// The calls before the stop; each with the number of those that it waited for and itself.
    pub calls: Vec<(usize, String)>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// In CBOR moments are tagged (RFC 8949, tag 1), so what is a place for seconds becomes one.
fn to_cbor(times: &Times, value: &Value, release: &str) -> Cbor {
    match value {
        Value::Null => Cbor::Null,
        Value::Bool(flag) => Cbor::Bool(*flag),
        Value::Number(number) => match number.as_i64() {
            Some(integer) => Cbor::Integer(integer.into()),
            None => Cbor::Float(number.as_f64().unwrap_or_default()),
        },
        Value::String(text) => match times.whole_place(text) {
            Some(seconds) => Cbor::Tag(1, Box::new(Cbor::Float(seconds))),
            None => Cbor::Text(times.fill_in_text(text).replace(RELEASE, release)),
        },
        Value::Array(members) => {
            Cbor::Array(members.iter().map(|member| to_cbor(times, member, release)).collect())
        }
        Value::Object(members) => {
            let member =
                |(name, value): (&String, &Value)| (Cbor::Text(name.clone()), to_cbor(times, value, release));
            Cbor::Map(members.iter().map(member).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn play() -> Play {
        let recorded = |call: &str, protocol| Recorded {
            call: call.to_owned(),
            about: Vec::new(),
            protocol,
            answer: serde_json::json!({ "id": RELEASE, "at": "{seconds:-1.000}" }),
        };
        Play {
            event: serde_json::json!({ "id": RELEASE }),
            calls: vec![
                recorded("A.A", Protocol::Json11),
                recorded("B.B", Protocol::Cbor),
                recorded(STOP, Protocol::Json11),
            ],
        }
    }

    #[test]
    fn every_scene_is_about_a_deployment_of_its_own() {
        let (one, other) =
            (Scene::of(&play(), Duration::ZERO).unwrap(), Scene::of(&play(), Duration::ZERO).unwrap());
        assert_ne!(one.event(), other.event());
        let answer: Value =
            serde_json::from_slice(&one.answer("A.A", Protocol::Json11, b"").unwrap()).unwrap();
        let event: Value = serde_json::from_slice(&one.event()).unwrap();
        assert_eq!(answer["id"], event["id"]);
        assert!(answer["at"].as_f64().unwrap() > 1.7e9, "{answer}");
        let cbor: Cbor =
            ciborium::from_reader(one.answer("B.B", Protocol::Cbor, b"").unwrap().as_ref()).unwrap();
        assert!(cbor.as_map().unwrap().iter().any(|(_, value)| matches!(value, Cbor::Tag(1, _))), "{cbor:?}");
        assert_eq!(one.answer("C.C", Protocol::Json11, b""), None);
        assert_eq!(one.unknown(), ["C.C "]);
    }

    #[test]
    fn calls_side_by_side_count_once_on_the_way() {
        let scene = Scene::of(&play(), Duration::ZERO).unwrap();
        let begun = Instant::now();
        let call = |name: &str, arrived: u64, answered: u64| {
            let at = |millis| begun + Duration::from_millis(millis);
            scene.note(Seen { call: name.to_owned(), arrived: at(arrived), answered: at(answered) });
        };
        call("first", 0, 20);
        call("left", 21, 41);
        call("right", 22, 42);
        call("last", 43, 63);
        call(STOP, 64, 84);
        call("after", 85, 95);
        let way = scene.way();
        assert_eq!(way.in_a_row, 3);
        let rows: Vec<usize> = way.calls.iter().map(|(row, _)| *row).collect();
        assert_eq!(rows, [1, 2, 2, 3]);
    }
}
