//! To be written.
pub mod lines;
pub mod proc;
pub mod text;
