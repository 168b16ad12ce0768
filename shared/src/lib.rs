//! Belay catches bad releases on AWS. (Crate documentation follows with the map.)
pub mod events;
pub mod release;
pub mod settings;
pub mod signal;
