//! To be written.

pub mod decide;
