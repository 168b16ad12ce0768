//! Files: asked for, uploaded, shared; three calls (Slack's developer site, "Working with files").

use serde_json::{Value, json};

use super::web_api::{Arguments, Done, No};
use super::{Slack, SlackMessage, SlackVersion};
use crate::chance::digest;
use crate::chat::{ChatAnswer, ChatCall};
use crate::timeline::ChatAct;
use crate::wire::Reply;
use crate::world::World;

/// A file in a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlackFile {
    /// Its id, such as `F0123456789`.
    pub id: String,
    /// Its name.
    pub filename: String,
    /// What people see above it.
    pub title: String,
    /// What a screen reader says, where that was given.
    pub alt_text: Option<String>,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// A file on its way.
#[derive(Debug)]
pub(super) struct Upload {
    file: SlackFile,
    length: u64,
    arrived: bool,
    completed: bool,
}

impl Slack {
    /// Whether a block may show this file.
    pub(super) fn is_file(&self, id: &str) -> bool {
        self.uploads.get(id).is_some_and(|upload| upload.completed)
    }
}

impl World {
    /// Takes a form only: JSON is refused with `invalid_arguments` (observed).
    pub(super) fn get_upload_url(&mut self, call: &ChatCall, arguments: &Arguments) -> Done {
        if arguments.are_json {
            return Err(No::Word("invalid_arguments"));
        }
        arguments.only(&["filename", "length", "alt_txt"])?;
        let filename = arguments.required("filename")?.to_owned();
        let length = arguments.values["length"]
            .as_u64()
            .filter(|length| *length > 0)
            .ok_or_else(|| No::Because("invalid_arguments", vec!["length".to_owned()]))?;
        let number = self.slack.uploads.len() + 1;
        let id = format!("F{number:010}");
        let file = SlackFile {
            id: id.clone(),
            title: filename.clone(),
            filename,
            alt_text: arguments.text("alt_txt")?.map(str::to_owned),
            bytes: Vec::new(),
        };
        let upload = Upload { file, length, arrived: false, completed: false };
        self.slack.uploads.insert(id.clone(), upload);
        // Whoever has the address may upload: it is long and random there.
        let secret = format!("{:016x}", digest(&id));
        let url = format!("{}/slack/upload/{id}?upload_ticket={secret}", call.base);
        Ok(json!({ "upload_url": url, "file_id": id }))
    }

    /// The upload itself: the bytes are the body, and there must be as many as were announced.
    pub(super) fn slack_upload(&mut self, id: &str, bytes: &[u8]) -> ChatAnswer {
        let input = json!({ "file": id, "length": bytes.len() });
        let text = |status, text: String| Reply {
            status,
            headers: vec![("content-type", "text/plain".to_owned())],
            body: text.into_bytes(),
        };
        let (reply, outcome) = match self.slack.uploads.get_mut(id) {
            Some(upload) if upload.length == bytes.len() as u64 && !upload.completed => {
                upload.file.bytes = bytes.to_vec();
                upload.arrived = true;
                (text(200, format!("OK - {}", bytes.len())), Ok(()))
            }
            Some(_) => (text(400, "wrong length".to_owned()), Err("wrong length".to_owned())),
            None => (text(404, "no such upload".to_owned()), Err("no such upload".to_owned())),
        };
        ChatAnswer { reply, input, outcome }
    }

    /// Makes uploaded files real, and shares them where a channel is named. The words for channels are those of
    /// messages (unverified for this method).
    pub(super) fn complete_upload(&mut self, arguments: &Arguments) -> Done {
        arguments.only(&["files", "channel_id", "thread_ts", "initial_comment"])?;
        let mut files = Vec::new();
        for asked in arguments.values["files"].as_array().into_iter().flatten() {
            let id = asked["id"].as_str().unwrap_or_default();
            let upload = self.slack.uploads.get(id).filter(|upload| upload.arrived && !upload.completed);
            let mut file = upload.ok_or(No::Word("file_not_found"))?.file.clone();
            if let Some(title) = asked["title"].as_str() {
                title.clone_into(&mut file.title);
            }
            files.push(file);
        }
        if files.is_empty() {
            return Err(No::Because("invalid_arguments", vec!["missing required field: files".to_owned()]));
        }
        let channel = arguments.text("channel_id")?;
        if let Some(channel) = channel {
            self.slack_place(channel)?;
            let thread = self.slack_thread(channel, arguments.text("thread_ts")?)?;
            let text = arguments.text("initial_comment")?.unwrap_or_default();
            self.share_files(channel, thread, text, &files);
        }
        for file in &files {
            if let Some(upload) = self.slack.uploads.get_mut(&file.id) {
                upload.completed = true;
                upload.file.title.clone_from(&file.title);
            }
        }
        let shown: Vec<Value> =
            files.iter().map(|file| json!({ "id": file.id, "title": file.title })).collect();
        Ok(json!({ "files": shown }))
    }

    fn share_files(&mut self, channel: &str, thread_ts: Option<String>, text: &str, files: &[SlackFile]) {
        let now = self.now;
        let message = SlackMessage {
            channel: channel.to_owned(),
            ts: self.slack.next_ts(channel, now),
            thread_ts,
            broadcast: false,
            author: None,
            text: text.to_owned(),
            blocks: Vec::new(),
            at: now,
            edits: 0,
            versions: vec![SlackVersion { at: now, text: text.to_owned(), blocks: Vec::new() }],
            files: files.to_vec(),
        };
        self.slack_happened(ChatAct::SharedFile, &message);
        self.slack.messages.push(message);
    }
}
