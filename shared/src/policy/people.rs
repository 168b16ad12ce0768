//! `approvers` and `chat`: who may answer, and where it is talked about.

use super::{
    path::Path,
    reading::{Fields, Reading},
};
use crate::yaml::{Node, Value};

/// Somebody who may answer for a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approver {
    /// Their user id in the chat product.
    pub user: String,
    /// What commits and AWS call them: addresses, names, ARNs. Who released something never approves it, and chat
    /// products do not say who somebody is elsewhere.
    pub also: Vec<String>,
}

impl Approver {
    /// Whether a commit's author, or whoever started a release, is this person: by their user id or one of their
    /// names, whatever the case. Of an ARN the last part counts as well: the user's or the session's name.
    pub fn is(&self, name: &str) -> bool {
        let names = || self.also.iter().map(String::as_str).chain([self.user.as_str()]);
        let last = name.starts_with("arn:").then(|| name.rsplit('/').next()).flatten();
        names().any(|known| {
            known.eq_ignore_ascii_case(name) || last.is_some_and(|last| known.eq_ignore_ascii_case(last))
        })
    }
}

/// Where a service is talked about, besides the topic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chat {
    /// A Slack channel's id.
    pub slack: Option<String>,
}

pub(super) fn approvers(reading: &mut Reading, fields: &Fields<'_>) -> Vec<Approver> {
    let Some(node) = fields.get("approvers") else {
        return Vec::new();
    };
    let path = fields.path("approvers");
    let mut approvers: Vec<Approver> = Vec::new();
    for (position, item) in
        reading.list(node, &path, || "a list of chat user ids".to_owned()).iter().enumerate()
    {
        let path = path.at(position);
        let Some(approver) = approver(reading, item, &path) else { continue };
        if approvers.iter().any(|other| other.user == approver.user) {
            reading.wrong(item.line, &path, format!("`{}` is written twice", approver.user));
        } else {
            approvers.push(approver);
        }
    }
    approvers
}

fn approver(reading: &mut Reading, node: &Node, path: &Path<'_>) -> Option<Approver> {
    if !matches!(node.value, Value::Mapping(_)) {
        return Some(Approver { user: user(reading, node, path)?, also: Vec::new() });
    }
    let fields = reading.fields(node, path, &["id", "also"]);
    let id = reading.required(&fields, "id", "U02ABCDEF");
    let id = id.and_then(|node| user(reading, node, &fields.path("id")));
    let mut also = Vec::new();
    if let Some(node) = reading.required(&fields, "also", "[anna@example.com]") {
        let path = fields.path("also");
        for (position, item) in reading.list(node, &path, || "a list of names".to_owned()).iter().enumerate()
        {
            let wanted = "an address, a name or an ARN such as `anna@example.com`";
            also.extend(reading.text(item, &path.at(position), wanted, 300));
        }
    }
    Some(Approver { user: id?, also })
}

/// Slack's user ids begin with U or W (reference: chat, "Inbound payloads"). A name would never match.
fn user(reading: &mut Reading, node: &Node, path: &Path<'_>) -> Option<String> {
    let wanted = "a chat user id such as `U02ABCDEF`";
    let text = reading.text(node, path, wanted, 100)?;
    if is_id(&text, "UW") {
        return Some(text);
    }
    let said = format!("found `{text}`, expected {wanted} (Slack: the person's profile, ⋮, Copy member ID)");
    reading.wrong(node.line, path, said);
    None
}

pub(super) fn chat(reading: &mut Reading, fields: &Fields<'_>) -> Chat {
    let Some(node) = fields.get("chat") else {
        return Chat::default();
    };
    let path = fields.path("chat");
    let chat = reading.fields(node, &path, &["slack"]);
    let wanted = "a channel id such as `C0123456789`";
    let path = chat.path("slack");
    let slack = chat.get("slack").and_then(|node| {
        let text = reading.text(node, &path, wanted, 100)?;
        if is_id(&text, "CG") {
            return Some(text);
        }
        let said =
            format!("found `{text}`, expected {wanted} (Slack: the channel's name, About, at the bottom)");
        reading.wrong(node.line, &path, said);
        None
    });
    Chat { slack }
}

fn is_id(text: &str, first: &str) -> bool {
    text.chars().next().is_some_and(|c| first.contains(c))
        && text.len() >= 2
        && text.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_is_known_by_what_commits_and_aws_call_them() {
        let anna = Approver { user: "U02ANNA".into(), also: vec!["anna@example.com".into(), "anna".into()] };
        for name in ["U02ANNA", "Anna@Example.com", "arn:aws:sts::123456789012:assumed-role/Admin/anna"] {
            assert!(anna.is(name), "{name}");
        }
        for name in ["", "ann", "annamaria", "arn:aws:iam::123456789012:user/bob", "bob/anna"] {
            assert!(!anna.is(name), "{name}");
        }
    }
}
