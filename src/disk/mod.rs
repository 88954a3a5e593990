//! To be written.
pub mod proc;
