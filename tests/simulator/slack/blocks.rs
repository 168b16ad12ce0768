//! Block Kit: which blocks a message may hold, and how long their parts may be. Limits from the block reference
//! of Slack's developer site and the SDKs' models (chatops.md, "Block limits"). Lengths are counted in code points;
//! what Slack counts is unverified.
//!
//! Not every block that Slack knows is known here: others are refused, loudly.

use std::collections::BTreeSet;

use serde_json::Value;

/// The most blocks of a message.
const BLOCKS: usize = 50;
/// The most text in all blocks together (observed: bolt-js issue 2509).
const CHARACTERS: usize = 13_200;

/// Why blocks are refused: Slack's word, and what is wrong where.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Rejected {
    pub(super) word: &'static str,
    pub(super) why: Vec<String>,
}

/// Checks a message's blocks. `file_exists` tells whether an image may show the file with this id.
pub(super) fn check(blocks: &Value, file_exists: &dyn Fn(&str) -> bool) -> Result<Vec<Value>, Rejected> {
    let mut reader = Reader { wrong: Vec::new(), names: BTreeSet::new(), characters: 0, file_exists };
    let Some(members) = blocks.as_array() else {
        reader.no("/blocks", "must provide an array");
        return Err(Rejected { word: "invalid_blocks", why: reader.wrong });
    };
    if members.len() > BLOCKS {
        reader.no("/blocks", "no more than 50 items allowed");
    }
    for (index, block) in members.iter().enumerate() {
        reader.block(block, &format!("/blocks/{index}"));
    }
    if !reader.wrong.is_empty() {
        return Err(Rejected { word: "invalid_blocks", why: reader.wrong });
    }
    if reader.characters > CHARACTERS {
        let why = vec![format!("{} characters in all blocks", reader.characters)];
        return Err(Rejected { word: "msg_blocks_too_long", why });
    }
    Ok(members.clone())
}

struct Reader<'a> {
    wrong: Vec<String>,
    /// The ids met so far, with their kind.
    names: BTreeSet<(&'static str, String)>,
    characters: usize,
    file_exists: &'a dyn Fn(&str) -> bool,
}

/// Which text objects a place takes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Text {
    Plain,
    Any,
}

impl Reader<'_> {
    fn no(&mut self, path: &str, why: &str) {
        self.wrong.push(format!("[ERROR] {why} [json-pointer:{path}]"));
    }

    /// A member that is not known is an error: "invalid additional property" (observed).
    fn only(&mut self, value: &Value, path: &str, known: &[&str]) {
        for name in value.as_object().into_iter().flatten().map(|(name, _)| name) {
            if !known.contains(&name.as_str()) {
                self.no(path, &format!("invalid additional property: {name}"));
            }
        }
    }

    fn name(&mut self, value: &Value, path: &str, kind: &'static str) {
        match &value[kind] {
            Value::Null => {}
            Value::String(name) if (1..=255).contains(&name.chars().count()) => {
                if !self.names.insert((kind, name.clone())) {
                    self.no(path, &format!("{kind} {name:?} is not unique"));
                }
            }
            _ => self.no(path, &format!("{kind} must be 1 to 255 characters")),
        }
    }

    fn string(&mut self, value: &Value, path: &str, most: usize) {
        match value {
            Value::String(text) if (1..=most).contains(&text.chars().count()) => {}
            Value::String(_) => self.no(path, &format!("must be 1 to {most} characters")),
            _ => self.no(path, "must be a string"),
        }
    }

    fn flag(&mut self, value: &Value, path: &str) {
        if !value.is_null() && !value.is_boolean() {
            self.no(path, "must be a boolean");
        }
    }

    fn text(&mut self, value: &Value, path: &str, kind: Text, most: usize) {
        match (value["type"].as_str(), kind) {
            (Some("plain_text"), _) => {
                self.only(value, path, &["type", "text", "emoji"]);
                self.flag(&value["emoji"], path);
            }
            (Some("mrkdwn"), Text::Any) => {
                self.only(value, path, &["type", "text", "verbatim"]);
                self.flag(&value["verbatim"], path);
            }
            _ => return self.no(path, "must be a text object of a type that may stand here"),
        }
        self.string(&value["text"], &format!("{path}/text"), most);
        self.characters += value["text"].as_str().map_or(0, |text| text.chars().count());
    }

    fn members<'v>(&mut self, value: &'v Value, path: &str, most: usize) -> &'v [Value] {
        let members = value.as_array().map(Vec::as_slice).unwrap_or_default();
        if !(1..=most).contains(&members.len()) {
            self.no(path, &format!("must have 1 to {most} items"));
        }
        members
    }

    fn block(&mut self, block: &Value, path: &str) {
        self.name(block, path, "block_id");
        match block["type"].as_str().unwrap_or_default() {
            "divider" => self.only(block, path, &["type", "block_id"]),
            "header" => {
                self.only(block, path, &["type", "block_id", "text"]);
                self.text(&block["text"], &format!("{path}/text"), Text::Plain, 150);
            }
            "section" => self.section(block, path),
            "context" => {
                self.only(block, path, &["type", "block_id", "elements"]);
                let place = format!("{path}/elements");
                for (index, element) in self.members(&block["elements"], &place, 10).iter().enumerate() {
                    let place = format!("{place}/{index}");
                    if element["type"] == "image" {
                        self.image(element, &place, &["type", "image_url", "slack_file", "alt_text"]);
                    } else {
                        self.text(element, &place, Text::Any, 3000);
                    }
                }
            }
            "actions" => {
                self.only(block, path, &["type", "block_id", "elements"]);
                let place = format!("{path}/elements");
                for (index, element) in self.members(&block["elements"], &place, 25).iter().enumerate() {
                    self.button(element, &format!("{place}/{index}"));
                }
            }
            "input" => self.input(block, path),
            "image" => {
                let known = ["type", "block_id", "image_url", "slack_file", "alt_text", "title"];
                self.image(block, path, &known);
                if !block["title"].is_null() {
                    self.text(&block["title"], &format!("{path}/title"), Text::Plain, 2000);
                }
            }
            other => self.no(path, &format!("unsupported type: {other}")),
        }
    }

    fn section(&mut self, block: &Value, path: &str) {
        self.only(block, path, &["type", "block_id", "text", "fields", "accessory", "expand"]);
        self.flag(&block["expand"], path);
        if block["text"].is_null() && block["fields"].is_null() {
            self.no(path, "must have text or fields");
        }
        if !block["text"].is_null() {
            self.text(&block["text"], &format!("{path}/text"), Text::Any, 3000);
        }
        if !block["fields"].is_null() {
            let place = format!("{path}/fields");
            for (index, field) in self.members(&block["fields"], &place, 10).iter().enumerate() {
                self.text(field, &format!("{place}/{index}"), Text::Any, 2000);
            }
        }
        let accessory = &block["accessory"];
        let place = format!("{path}/accessory");
        if accessory["type"] == "image" {
            self.image(accessory, &place, &["type", "image_url", "slack_file", "alt_text"]);
        } else if !accessory.is_null() {
            self.button(accessory, &place);
        }
    }

    fn button(&mut self, button: &Value, path: &str) {
        if button["type"] != "button" {
            return self.no(path, &format!("unsupported type: {}", button["type"]));
        }
        let known = ["type", "text", "action_id", "url", "value", "style", "confirm", "accessibility_label"];
        self.only(button, path, &known);
        self.name(button, path, "action_id");
        self.text(&button["text"], &format!("{path}/text"), Text::Plain, 75);
        for (name, most) in [("url", 3000), ("value", 2000), ("accessibility_label", 75)] {
            if !button[name].is_null() {
                self.string(&button[name], &format!("{path}/{name}"), most);
            }
        }
        self.style(&button["style"], path);
        let confirm = &button["confirm"];
        if !confirm.is_null() {
            let path = format!("{path}/confirm");
            self.only(confirm, &path, &["title", "text", "confirm", "deny", "style"]);
            for (name, kind, most) in [
                ("title", Text::Plain, 100),
                ("text", Text::Any, 300),
                ("confirm", Text::Plain, 30),
                ("deny", Text::Plain, 30),
            ] {
                self.text(&confirm[name], &format!("{path}/{name}"), kind, most);
            }
            self.style(&confirm["style"], &path);
        }
    }

    fn style(&mut self, style: &Value, path: &str) {
        if !style.is_null() && style != "primary" && style != "danger" {
            self.no(path, "style is primary or danger");
        }
    }

    fn input(&mut self, block: &Value, path: &str) {
        let known = ["type", "block_id", "label", "element", "dispatch_action", "hint", "optional"];
        self.only(block, path, &known);
        self.flag(&block["dispatch_action"], path);
        self.flag(&block["optional"], path);
        self.text(&block["label"], &format!("{path}/label"), Text::Plain, 2000);
        if !block["hint"].is_null() {
            self.text(&block["hint"], &format!("{path}/hint"), Text::Plain, 2000);
        }
        let (element, path) = (&block["element"], format!("{path}/element"));
        if element["type"] != "plain_text_input" {
            return self.no(&path, &format!("unsupported type: {}", element["type"]));
        }
        let known = [
            "type",
            "action_id",
            "initial_value",
            "multiline",
            "min_length",
            "max_length",
            "dispatch_action_config",
            "focus_on_load",
            "placeholder",
        ];
        self.only(element, &path, &known);
        self.name(element, &path, "action_id");
        self.flag(&element["multiline"], &path);
        self.flag(&element["focus_on_load"], &path);
        for name in ["min_length", "max_length"] {
            let length = &element[name];
            if !length.is_null() && length.as_u64().is_none_or(|length| length > 3000) {
                self.no(&path, &format!("{name} is at most 3000"));
            }
        }
        if !element["placeholder"].is_null() {
            self.text(&element["placeholder"], &format!("{path}/placeholder"), Text::Plain, 150);
        }
    }

    fn image(&mut self, image: &Value, path: &str, known: &[&str]) {
        self.only(image, path, known);
        self.string(&image["alt_text"], &format!("{path}/alt_text"), 2000);
        match (&image["image_url"], &image["slack_file"]["id"]) {
            (Value::String(url), Value::Null) => {
                if !url.starts_with("http") || url.chars().count() > 3000 {
                    self.no(path, "image_url is an address of at most 3000 characters");
                }
            }
            (Value::Null, Value::String(file)) if (self.file_exists)(file) => {}
            (Value::Null, Value::String(_)) => self.no(path, "invalid slack file"),
            _ => self.no(path, "must have either image_url or slack_file"),
        }
    }
}
