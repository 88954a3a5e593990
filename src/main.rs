//! Parses arguments, keeps the log open, runs the command on this thread, and turns the outcome into an exit code.

use std::process::ExitCode;

use dicast::{cli, telemetry};

fn main() -> color_eyre::Result<ExitCode> {
    color_eyre::install()?;
    let args = match cli::parse(std::env::args_os()) {
        Ok(args) => args,
        Err(exit) => return Ok(ExitCode::from(exit)),
    };
    // Flushed when it is dropped: it lives as long as the command.
    let _log = args.log_level().and_then(telemetry::start);
    Ok(ExitCode::from(cli::run(args)))
}
