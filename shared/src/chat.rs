//! What people read: the words of every message, and one renderer per product. What they answer: its signature and
//! its commands.

pub mod amazon_q;
pub mod card;
pub mod command;
pub mod console;
pub mod draw;
pub mod release_card;
pub mod replies;
pub mod signature;
pub mod slack;
pub mod teams;
pub mod text;
