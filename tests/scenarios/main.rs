//! Stories about Belay, told to the real programs over the real wire, and the rules that hold the code in shape.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "tests")]

mod architecture;
