//! The stage: Belay's functions in the simulator, playing scripted releases.

pub mod as_read;
pub mod deployed;
pub mod functions;
pub mod pictures;
pub mod play;
pub mod print;
pub mod quarter;
pub mod script;
pub mod storm;
pub mod template;
