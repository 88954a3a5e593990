//! The command line: what can be typed, what each command does, and results as text and JSON.
//!
//! Commands return what they came to; only [`out`] writes. They must not know how work is done: they ask actors, or
//! the shell.

pub mod args;
pub mod ask;
pub mod candidates;
pub mod check;
pub mod commands;
pub mod decide;
pub mod evidence;
pub mod gate;
pub mod github;
pub mod keeping;
pub mod lines;
pub mod out;
pub mod plain;
pub mod play;
pub mod proposal;
pub mod ruled;
pub mod sample;

use std::ffi::OsString;

use clap::Parser as _;
use clap::error::ErrorKind;

use crate::domain::failure::Failure;
use args::{Args, Command, Mcp, Memory};

/// The exit code of a command line that cannot be read (`EX_USAGE` of sysexits(3)).
const USAGE: u8 = 64;

/// Reads the command line. What it has to say instead (help, the version, a mistake) is printed here, and the exit
/// code comes back as the error: 0, or 64.
///
/// # Errors
/// The exit code to end with.
pub fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Args, u8> {
    let words: Vec<OsString> = words.into_iter().collect();
    // Where the words cannot be read, nobody else can tell whether programs read our answer.
    let json = words.iter().any(|word| word == "--json");
    Args::try_parse_from(words).map_err(|error| {
        let text = error.render().to_string();
        if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
            out::put(&text);
            return out::settle(0);
        }
        out::say(&text);
        if json {
            let first = text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
            let line = out::ended(USAGE, Some((first, "see `dicast --help`".to_owned())), commands::now());
            out::put(&out::Text::Json(line).clean());
        }
        out::settle(USAGE)
    })
}

/// Does what the command line asks, prints what it came to, and returns the exit code.
pub fn run(args: Args) -> u8 {
    let aim = args.command.as_ref().map_or("open the screen", Command::aim);
    // The output of `decide` is the verdict or nothing, and that of our children is a protocol.
    let json = args.global.json
        && !matches!(
            args.command,
            Some(
                Command::Decide { .. }
                    | Command::Play { .. }
                    | Command::Memory(Memory::Serve { .. })
                    | Command::Mcp(Mcp::Serve(_))
            )
        );
    let exit = match commands::perform(args) {
        Ok(done) => out::finish(&done),
        Err(failure) => {
            tracing::warn!(?failure, "could not {aim}");
            let exit = match (&failure, ask::signalled()) {
                (Failure::Cancelled, Some(signal)) => signal.exit(),
                (failure, _) => failure.exit(),
            };
            out::fail(&failure, aim, exit, json, commands::now());
            exit
        }
    };
    out::settle(exit)
}

impl Args {
    /// Returns the level of the log, unless the command writes nothing, not even a log.
    pub fn log_level(&self) -> Option<&str> {
        match self.command {
            Some(
                Command::Check { .. }
                | Command::Decide { .. }
                | Command::Play { .. }
                | Command::Log { .. }
                | Command::SelfCheck,
            ) => None,
            _ if self.global.log_level == "off" => None,
            _ => Some(&self.global.log_level),
        }
    }
}
