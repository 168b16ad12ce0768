//! Belay catches bad releases on AWS. (Crate documentation follows with the map.)
pub mod release;
pub mod signal;
