//! template.yaml, held to the code: events reach their function, roles allow what is called and nothing else, the
//! environment is the one that is read, and time is what the code counts on.

mod deadlines;
mod environment;
mod events;
mod guarding;
mod measures;
mod parameters;
mod patterns;
mod permissions;

use belay_tests::stage::{deployed, template::Stack};

/// The stack with chat.
fn with_chat() -> &'static Stack {
    deployed::stack()
}

/// The stack with every parameter at its default: no chat.
fn without_chat() -> Stack {
    deployed::template().stack(&[]).unwrap()
}
