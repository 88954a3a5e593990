//! Dicast, a jury for coding agents.
//!
//! A written spec goes through six stages (plan, tasks, implement, validate, audit, unlock). At each stage several
//! coding agents answer the same questions, and this program, the *host*, computes what they agree on, where they
//! conflict, who never answered, and which of their words are true of the code.
//!
//! # Layers
//!
//! ```text
//! domain ← app ← view        domain ← disk ← {actors, config, server}        shell → all        main → cli → shell
//! pipeline → shell, without a terminal        server → pipeline
//! ```
//!
//! [`domain`] is what the program is about, [`app`] the brain (one pure `update`), [`view`] the face (one pure `draw`),
//! [`actors`] the hands (tokio tasks that do slow things and answer), [`disk`] the only door to files, [`shell`] the
//! nerves that join them in a loop.
//!
//! # As a library
//!
//! [`pipeline::Pipeline`] is the whole thing for a program: it opens a repository, runs stages, streams what happens and
//! can be stopped. `examples/embed.rs` does it on the sample; `dicast plan` without a screen and `dicast mcp serve` are
//! nothing else.
//!
//! ```no_run
//! use dicast::domain::{ids::SpecId, stage::Stage};
//! use dicast::pipeline::{Config, Pipeline, Request};
//!
//! # async fn plan() -> Result<(), Box<dyn std::error::Error>> {
//! let spec = SpecId::new("003-rate-limiter")?;
//! let outcome = Pipeline::open("my-repository", Config::default())?.run(Request::stage(spec, Stage::Plan)).await?;
//! println!("exit {}", outcome.exit);
//! # Ok(())
//! # }
//! ```
//!
//! # The three rules
//!
//! 1. The UI thread never waits, except for the next key, reply or animation tick.
//! 2. Every request gets exactly one answer; a dropped reply is an answer too.
//! 3. Messages are plain data: they can be compared, recorded and replayed.
//!
//! # A reading order
//!
//! [`domain::stage`], [`domain::run`], [`app::msg`], [`app::effect`], [`app::update`], [`actors`], [`shell`], [`pipeline`].

pub mod actors;
pub mod app;
pub mod cli;
pub mod config;
pub mod disk;
pub mod domain;
pub mod pipeline;
pub mod server;
pub mod shell;
pub mod telemetry;
pub mod view;
