//! To be written.
pub mod play;
