//! YAML with CloudFormation's short tags, into the long form: `!Ref X` becomes `{"Ref": "X"}`, `!Sub X`
//! `{"Fn::Sub": "X"}` (CloudFormation User Guide, "Intrinsic function reference").

use std::{borrow::Cow, collections::HashMap};

use saphyr_parser::{Event, Parser, ScalarStyle, Tag};
use serde_json::{Map, Number, Value};

/// The functions that have a short form, without their `Fn::`.
const FUNCTIONS: [&str; 18] = [
    "And",
    "Base64",
    "Cidr",
    "Equals",
    "FindInMap",
    "GetAtt",
    "GetAZs",
    "If",
    "ImportValue",
    "Join",
    "Length",
    "Not",
    "Or",
    "Select",
    "Split",
    "Sub",
    "ToJsonString",
    "Transform",
];

enum Open {
    List { tag: Option<String>, anchor: usize, items: Vec<Value> },
    Mapping { tag: Option<String>, anchor: usize, pairs: Map<String, Value>, key: Option<String> },
}

/// Reads one document.
pub(super) fn read(text: &str) -> Result<Value, String> {
    let mut open: Vec<Open> = Vec::new();
    // `&built` and `*built`: the parser numbers anchors from 1; 0 is none.
    let mut anchors: HashMap<usize, Value> = HashMap::new();
    let mut root = None;
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| format!("this is not YAML: {error}"))?;
        let at = |why: String| format!("line {}: {why}", span.start.line());
        let tag_of = |tag: Option<Cow<'_, Tag>>| tag.map(|tag| tag.suffix.clone());
        let done = match event {
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => None,
            Event::Alias(id) => {
                let meant = anchors.get(&id).cloned();
                Some((meant.ok_or_else(|| at("this alias stands inside what it repeats".to_owned()))?, 0))
            }
            Event::Scalar(text, style, anchor, tag) => {
                let value = if style == ScalarStyle::Plain && tag.is_none() {
                    plain(&text)
                } else {
                    Value::String(text.into_owned())
                };
                Some((tagged(tag_of(tag), value).map_err(at)?, anchor))
            }
            Event::SequenceStart(anchor, tag) => {
                open.push(Open::List { tag: tag_of(tag), anchor, items: Vec::new() });
                None
            }
            Event::MappingStart(anchor, tag) => {
                open.push(Open::Mapping { tag: tag_of(tag), anchor, pairs: Map::new(), key: None });
                None
            }
            Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                None => None,
                Some(Open::List { tag, anchor, items }) => {
                    Some((tagged(tag, items.into()).map_err(at)?, anchor))
                }
                Some(Open::Mapping { tag, anchor, pairs, .. }) => {
                    Some((tagged(tag, pairs.into()).map_err(at)?, anchor))
                }
            },
        };
        let Some((node, anchor)) = done else { continue };
        if anchor != 0 {
            anchors.insert(anchor, node.clone());
        }
        match open.last_mut() {
            None => root = Some(node),
            Some(Open::List { items, .. }) => items.push(node),
            Some(Open::Mapping { pairs, key, .. }) => match key.take() {
                None => *key = Some(as_key(&node).ok_or_else(|| at("a key is a word".to_owned()))?),
                Some(name) => {
                    if pairs.insert(name.clone(), node).is_some() {
                        return Err(at(format!("{name} stands here twice")));
                    }
                }
            },
        }
    }
    root.ok_or_else(|| "the template is empty".to_owned())
}

fn as_key(node: &Value) -> Option<String> {
    match node {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn tagged(tag: Option<String>, value: Value) -> Result<Value, String> {
    let Some(tag) = tag else { return Ok(value) };
    let (name, value) = match (tag.as_str(), value) {
        ("Ref" | "Condition", value) => (tag, value),
        ("GetAtt", Value::String(path)) => {
            let (resource, attribute) =
                path.split_once('.').ok_or_else(|| format!("!GetAtt {path} has no attribute"))?;
            ("Fn::GetAtt".to_owned(), Value::from(vec![resource, attribute]))
        }
        (function, value) if FUNCTIONS.contains(&function) => (format!("Fn::{function}"), value),
        (other, _) => return Err(format!("!{other} is not known here")),
    };
    Ok(Value::Object(Map::from_iter([(name, value)])))
}

/// What a word without quotes means. Dates stay text: `2012-10-17` is a policy's version.
fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" => Value::Null,
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        _ => match (text.parse::<i64>(), text.parse::<f64>()) {
            // A number that begins with 0 is an account or another name.
            (Ok(number), _) if number.to_string() == text => number.into(),
            (Err(_), Ok(number)) if text.contains('.') && number.is_finite() => {
                Number::from_f64(number).map_or_else(|| text.into(), Value::Number)
            }
            _ => text.into(),
        },
    }
}
