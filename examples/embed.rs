//! The pipeline as a library: plans the sample's rate limiter with its scripted panel, prints each event as it comes,
//! then the verdict. Nothing of it needs a terminal, an agent or a key.
//!
//! ```text
//! cargo build --bins && cargo run --example embed [SPEED]
//! ```
//!
//! SPEED divides the pauses of the scripted agents; 0, the default, leaves them out. The panel honestly disagrees: the
//! example ends with exit 1, the code of a conflict.
#![expect(clippy::print_stdout, reason = "an example shows what it gets")]

use std::process::ExitCode;

use dicast::domain::failure::Failure;
use dicast::pipeline::{Config, Pipeline, Request, What};
use dicast::shell::demo::{Copy, STAGE};
use dicast::shell::engine::Flags;

#[tokio::main]
#[expect(clippy::disallowed_methods, reason = "a main function of tokio's: there is no screen that could freeze")]
async fn main() -> ExitCode {
    match plan().await {
        Ok(exit) => ExitCode::from(exit),
        Err(failure) => {
            println!("could not plan: {failure}\n  next: {}", failure.hint());
            ExitCode::from(failure.exit())
        }
    }
}

async fn plan() -> Result<u8, Failure> {
    let copy = Copy::make(Flags::default())?;
    let config = Config {
        file: Some(copy.folder().join(".dicast/config.toml")),
        isolated: true,
        speed: Some(std::env::args().nth(1).unwrap_or_else(|| "0".to_owned())),
        ..Config::default()
    };
    let pipeline = Pipeline::open(copy.folder(), config)?;
    let mut run = pipeline.run(Request::stage(copy.spec.clone(), STAGE));
    let mut events = run.events();
    while let Some(event) = events.next().await {
        if !matches!(event.what, What::ClaimLabelled { .. }) {
            println!("{}", event.to_json());
        }
    }
    let outcome = run.await?;
    for (stage, judgement) in &outcome.verdicts {
        let verdict = &judgement.verdict;
        println!("{stage}: {} (exit {}), {}", verdict.status.name(), verdict.exit, verdict.why());
        println!("hash {}", verdict.hash);
    }
    Ok(outcome.exit)
}
