//! To be written.
pub mod lookup;
