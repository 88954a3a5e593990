//! What version a program says it has: `--version`, under a deadline; what it started then is ended.
//!
//! It must not know which programs these are, nor be given one that the user did not install: it is started.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::process::{Children, Cut, Program, Tag, converse};
use crate::actors::{Reply, Scope, promise};
use crate::domain::classify::Exit;
use crate::domain::preset::PASSED;
use crate::domain::run::Limits;
use crate::domain::safe::Safe;

/// How long a program may take, in milliseconds: the slowest known one takes three seconds on a busy machine.
pub const PATIENCE_MS: u64 = 5_000;

/// Most bytes of output that are looked at.
const OUTPUT_MAX: u64 = 16 << 10;

/// A version, or why there is none, in words.
pub type Version = Result<Safe, Safe>;

/// Asks a program for its version.
pub fn version(scope: &Scope, children: &Children, program: PathBuf) -> Reply<Version> {
    let (promise, reply) = promise("agents", scope.waker());
    let (children, cancel) = (children.clone(), scope.cancel.clone());
    scope.spawn(async move { promise.keep(Ok(told(&children, &program, &cancel).await)) });
    reply
}

async fn told(children: &Children, program: &Path, stop: &CancellationToken) -> Version {
    let program = program.display().to_string();
    let tag = Tag { run: "version".into(), seat: program.clone() };
    let asked = Program {
        command: vec![program, "--version".into()],
        env: BTreeMap::from([("NO_COLOR".to_owned(), "1".to_owned())]),
        env_pass: PASSED.iter().map(|name| (*name).to_owned()).collect(),
        // Nothing of a repository is near.
        cwd: "/".into(),
        tag,
    };
    let child = children.start(&asked).map_err(|refusal| Safe::line(&refusal.to_string()))?;
    let limits = Limits {
        start_ms: PATIENCE_MS,
        first_event_ms: PATIENCE_MS,
        idle_ms: PATIENCE_MS,
        total_ms: PATIENCE_MS,
        kill_grace_ms: 0,
        stdout_max: OUTPUT_MAX,
        stderr_max: OUTPUT_MAX,
    };
    let spoken = converse(child, Arc::from(""), &limits, stop, stop, &mut ()).await;
    match (spoken.cut, spoken.ended.exit) {
        (Some(Cut::Late { .. }), _) => Err(Safe::line(&format!("no answer in {} s", PATIENCE_MS / 1_000))),
        (Some(Cut::Stopped), _) => Err(Safe::line("stopped")),
        (None, Some(Exit::Code(0))) => named(&spoken.stdout.text()).ok_or_else(|| Safe::line("it names no version")),
        (None, exit) => {
            let words = spoken.stderr.text();
            let last = words.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing");
            let how = match exit {
                Some(Exit::Code(code)) => format!("exit {code}"),
                Some(Exit::Signal(signal)) => format!("signal {signal}"),
                Some(Exit::Unknown) | None => "ended".to_owned(),
            };
            Err(Safe::line(&format!("{how}: {}", last.trim().chars().take(200).collect::<String>())))
        }
    }
}

/// Finds the first word that looks like a version: a number with a dot, with or without a `v` before it.
fn named(output: &str) -> Option<Safe> {
    const LONGEST: usize = 40;
    let looks_so =
        |word: &&str| word.starts_with(|c: char| c.is_ascii_digit()) && word.contains('.') && word.len() <= LONGEST;
    output
        .split_whitespace()
        .map(|word| word.trim_start_matches('v').trim_end_matches([',', ';']))
        .find(looks_so)
        .map(Safe::line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_found_in_what_programs_print() {
        let table = [
            ("2.1.330 (Claude Code)\n", Some("2.1.330")),
            ("codex-cli 0.169.0\n", Some("0.169.0")),
            ("warning: 1 thing\nv0.24.4\n", Some("0.24.4")),
            ("1.2.3-beta.4, built today", Some("1.2.3-beta.4")),
            ("usage: x [--help]", None),
            ("", None),
        ];
        for (output, version) in table {
            assert_eq!(named(output).as_ref().map(Safe::as_str), version, "{output:?}");
        }
    }
}
