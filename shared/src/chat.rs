//! What people read: the words of every message, and one renderer per product.

pub mod amazon_q;
pub mod card;
pub mod console;
pub mod release_card;
