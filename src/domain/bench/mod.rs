//! The benchmark of the consensus: cases whose truth is known, and how often each method ends as it should. Beside it that of
//! `check` ([`mutants`]): sound projects, broken one change at a time.
//!
//! ```text
//! chance ─▶ world (what is true) ─▶ inject (spoilt, judged) ─▶ speak (a panel) ─▶ score ─▶ table
//!                                                             hand (written cases) ────▲
//! ```
//!
//! `docs/benchmarks.md` says what it can show and what it cannot. It must not know files, clocks or the command line.

pub mod baseline;
pub mod case;
pub mod chance;
pub mod exchange;
pub mod hand;
pub mod inject;
pub mod load;
pub mod mutants;
pub mod score;
pub mod speak;
pub mod table;
pub mod world;
