//! What is said in a channel, as HTML: messages, their threads, and what only one person sees.

use belay::chat::slack::Post;
use jiff::Timestamp;

use super::{
    block::blocks,
    mrkdwn::{Viewer, clock, escape, mrkdwn},
};

/// A conversation, in order.
pub(super) struct Conversation(pub(super) Vec<Entry>);

/// One thing in it.
pub(super) enum Entry {
    /// A message of Belay's, and what hangs on it.
    Message {
        /// When it was posted.
        at: Timestamp,
        /// What it says.
        post: Post,
        /// Its thread.
        replies: Vec<Reply>,
    },
    /// What only one person sees. Without blocks its text is shown.
    Whisper {
        /// When it was said.
        at: Timestamp,
        /// What it says.
        post: Post,
    },
    /// What somebody has typed and is about to send.
    Typed(String),
}

/// A reply of Belay's in a thread.
pub(super) struct Reply {
    /// When it was posted.
    pub(super) at: Timestamp,
    /// What it says.
    pub(super) said: Said,
}

/// What a reply says.
pub(super) enum Said {
    /// A message.
    Words {
        /// What it says.
        post: Post,
        /// Whether the channel sees it too.
        broadcast: bool,
    },
    /// A picture.
    Picture {
        /// Its title.
        title: String,
        /// The picture, as SVG.
        svg: String,
    },
}

impl Conversation {
    /// All of it.
    pub(super) fn html(&self, viewer: &Viewer) -> String {
        self.0.iter().map(|entry| entry.html(viewer)).collect()
    }
}

impl Entry {
    fn html(&self, viewer: &Viewer) -> String {
        match self {
            Self::Message { at, post, replies } => {
                let mut html = message("", *at, &shown(post, viewer));
                if !replies.is_empty() {
                    let many = if replies.len() == 1 { "reply" } else { "replies" };
                    let count = replies.len();
                    html.push_str(&format!("<div class=\"thread\"><span>{count} {many}</span></div>"));
                }
                html.extend(replies.iter().map(|reply| reply.html(viewer)));
                html
            }
            Self::Whisper { at, post } => {
                let only = "<div class=\"above\"><i class=\"eye\"></i>Only visible to you</div>";
                message(only, *at, &shown(post, viewer))
            }
            Self::Typed(text) => {
                format!("<div class=\"composer\">{}<i class=\"send\"></i></div>", escape(text))
            }
        }
    }
}

impl Reply {
    fn html(&self, viewer: &Viewer) -> String {
        match &self.said {
            Said::Words { post, broadcast } => {
                let also = if *broadcast { "<div class=\"also\">Also sent to the channel</div>" } else { "" };
                message("", self.at, &format!("{}{also}", shown(post, viewer)))
            }
            Said::Picture { title, svg } => {
                let title = escape(title);
                message(
                    "",
                    self.at,
                    &format!("<div class=\"file\">{title}</div><div class=\"picture\">{svg}</div>"),
                )
            }
        }
    }
}

/// The blocks, or the text where there are none.
fn shown(post: &Post, viewer: &Viewer) -> String {
    if post.blocks.is_null() {
        format!("<div class=\"section\">{}</div>", mrkdwn(&post.text, viewer))
    } else {
        blocks(&post.blocks, viewer)
    }
}

/// A message with its frame: the picture and the name of who says it, and when.
fn message(above: &str, at: Timestamp, inside: &str) -> String {
    let time = clock(at);
    format!(
        "<div class=\"message\">{above}<div class=\"avatar\">{AVATAR}</div><div class=\"said\">\
         <div class=\"who\"><b>Belay</b><span class=\"badge\">APP</span><span class=\"time\">{time}</span></div>\
         {inside}</div></div>\n"
    )
}

/// A rope through a ring.
const AVATAR: &str = "<svg viewBox=\"0 0 36 36\"><rect width=\"36\" height=\"36\" rx=\"6\" fill=\"#17324d\"/>\
    <circle cx=\"18\" cy=\"15\" r=\"7\" fill=\"none\" stroke=\"#fff\" stroke-width=\"3\"/>\
    <path d=\"M12 33V19c0-9 12-9 12 0v14\" fill=\"none\" stroke=\"#f5a623\" stroke-width=\"3\"/></svg>";
