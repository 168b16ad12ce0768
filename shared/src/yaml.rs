//! YAML as a tree that remembers lines and duplicate keys, which the usual loaders drop.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle};

/// So many nodes are read whatever the text.
const NODES: usize = 100_000;
/// And one more for each so many bytes of it. A node is written in eight bytes and more in what people write, its share
/// of `: ` and indentation included, and takes some hundred in memory: so what a text takes stays within a multiple of
/// its own length. What aliases repeat, and what is remembered for them, is counted by itself, to the same bound.
const BYTES: usize = 4;
/// And it nests at most so deep.
const DEPTH: usize = 64;

/// A value and the line it begins on.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) line: usize,
    pub(crate) value: Value,
}

/// A value as it is written.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    /// A word or a number; `quoted` when it stands in quotes.
    Scalar { text: String, quoted: bool },
    /// A list.
    List(Vec<Node>),
    /// Keys and values in the order of the file, duplicates included.
    Mapping(Vec<(Node, Node)>),
}

impl Node {
    /// What it is, for a message.
    pub(crate) fn shown(&self) -> String {
        match &self.value {
            Value::Scalar { text, quoted: false } if is_null(text) => "nothing".to_owned(),
            Value::Scalar { text, .. } => format!("`{}`", text.chars().take(60).collect::<String>()),
            Value::List(_) => "a list".to_owned(),
            Value::Mapping(_) => "a mapping".to_owned(),
        }
    }

    /// The text of a word or a number.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar { text, .. } => Some(text),
            Value::List(_) | Value::Mapping(_) => None,
        }
    }

    /// The value of a field, whatever the case of its name: AppSpec files write both.
    pub(crate) fn field(&self, name: &str) -> Option<&Node> {
        let Value::Mapping(pairs) = &self.value else {
            return None;
        };
        let named = |key: &Node| key.text().is_some_and(|text| text.eq_ignore_ascii_case(name));
        pairs.iter().find(|(key, _)| named(key)).map(|(_, value)| value)
    }

    /// Whether nothing is written here.
    pub(crate) fn is_empty(&self) -> bool {
        matches!(&self.value, Value::Scalar { text, quoted: false } if is_null(text))
    }
}

fn is_null(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "Null" | "NULL")
}

/// Why a text is not one tree.
#[derive(Debug)]
pub(crate) struct Broken {
    pub(crate) line: usize,
    pub(crate) why: String,
}

const TOO_LARGE: &str = "this is too large to be read (aliases count as what they repeat)";

enum Open {
    List { line: usize, anchor: usize, items: Vec<Node> },
    Mapping { line: usize, anchor: usize, pairs: Vec<(Node, Node)>, key: Option<Node> },
}

/// Reads one YAML document; `None` for an empty file.
pub(crate) fn read(text: &str) -> Result<Option<Node>, Broken> {
    let mut open: Vec<Open> = Vec::new();
    let mut anchors = Anchors::default();
    let mut root: Option<Node> = None;
    let mut documents = 0;
    let most = NODES + text.len() / BYTES;
    let mut written = 0_usize;
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| Broken {
            line: error.marker().line(),
            why: format!("this is not YAML: {}", error.info()),
        })?;
        let line = span.start.line();
        let broken = |why: &str| Err(Broken { line, why: why.to_owned() });
        let done = match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => None,
            Event::DocumentStart(_) => {
                documents += 1;
                if documents > 1 {
                    return broken("a second document begins here; this is read as one");
                }
                None
            }
            Event::Alias(id) => match anchors.remembered.get(&id) {
                Some((node, size)) => {
                    anchors.repeated += size;
                    if anchors.repeated > most {
                        return broken(TOO_LARGE);
                    }
                    Some(Node { line, value: node.value.clone() })
                }
                None => return broken("this alias stands inside what it repeats"),
            },
            Event::Scalar(text, style, anchor, tag) => {
                if tag.is_some() {
                    return broken("tags (`!…`) mean nothing here: remove it");
                }
                written += 1;
                let quoted = style != ScalarStyle::Plain;
                let node = Node { line, value: Value::Scalar { text: text.into_owned(), quoted } };
                anchors.remember(anchor, &node, most);
                Some(node)
            }
            Event::SequenceStart(anchor, tag) | Event::MappingStart(anchor, tag) if tag.is_some() => {
                let _ = anchor;
                return broken("tags (`!…`) mean nothing here: remove it");
            }
            Event::SequenceStart(anchor, _) => {
                written += 1;
                open.push(Open::List { line, anchor, items: Vec::new() });
                None
            }
            Event::MappingStart(anchor, _) => {
                written += 1;
                open.push(Open::Mapping { line, anchor, pairs: Vec::new(), key: None });
                None
            }
            Event::SequenceEnd | Event::MappingEnd => open.pop().map(|closed| {
                let (node, anchor) = match closed {
                    Open::List { line, anchor, items } => (Node { line, value: Value::List(items) }, anchor),
                    Open::Mapping { line, anchor, pairs, .. } => {
                        (Node { line, value: Value::Mapping(pairs) }, anchor)
                    }
                };
                anchors.remember(anchor, &node, most);
                node
            }),
        };
        if open.len() > DEPTH {
            return broken("this is nested too deep");
        }
        if written > most || anchors.repeated > most {
            return broken(TOO_LARGE);
        }
        if let Some(node) = done {
            match open.last_mut() {
                None => root = Some(node),
                Some(Open::List { items, .. }) => items.push(node),
                Some(Open::Mapping { pairs, key, .. }) => match key.take() {
                    None => *key = Some(node),
                    Some(name) => pairs.push((name, node)),
                },
            }
        }
    }
    Ok(root.filter(|root| !root.is_empty()))
}

/// What aliases may repeat.
#[derive(Default)]
struct Anchors {
    /// By the parser's number, with its size in nodes.
    remembered: HashMap<usize, (Node, usize)>,
    /// How many nodes were repeated or remembered. An anchor may stand within another, so that what is remembered may
    /// be far more than what is written.
    repeated: usize,
}

impl Anchors {
    fn remember(&mut self, anchor: usize, node: &Node, most: usize) {
        // The parser numbers anchors from 1; 0 is none.
        if anchor == 0 {
            return;
        }
        let size = size(node);
        self.repeated += size;
        // Too much: the reader is about to say so.
        if self.repeated <= most {
            self.remembered.insert(anchor, (node.clone(), size));
        }
    }
}

fn size(node: &Node) -> usize {
    1 + match &node.value {
        Value::Scalar { .. } => 0,
        Value::List(items) => items.iter().map(size).sum(),
        Value::Mapping(pairs) => pairs.iter().map(|(key, value)| size(key) + size(value)).sum(),
    }
}
