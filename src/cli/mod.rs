//! To be written.

pub mod evidence;
