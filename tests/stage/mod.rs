//! The stage: Belay's functions in the simulator, playing scripted releases.

pub mod as_read;
pub mod burst;
pub mod compiled;
pub mod deployed;
pub mod everyday;
pub mod functions;
pub mod instructions;
pub mod pictures;
pub mod play;
pub mod print;
pub mod quarter;
pub mod scale;
pub mod script;
pub mod storm;
pub mod template;
