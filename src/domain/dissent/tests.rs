//! The fold, closings, questions and entries.
