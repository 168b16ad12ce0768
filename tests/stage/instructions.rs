//! How many instructions a compiled program executes until it has answered its first event, counted by valgrind.

mod counting;
mod icicle;
mod phases;
mod record;
mod tree;

pub use self::{
    counting::{Count, Counted, Counter},
    icicle::Picture,
    phases::{Costs, Phase, Place},
    record::Record,
    tree::STACKS,
};
