//! `dicast demo --chaos`: the sample with faults switched on by a seed. An agent hangs, one floods, one dies, memory does
//! not answer, and a second start meets a held lock; it shows that each of them ends as it must.
//!
//! It must not know how the faults are made, nor how they are met.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::super::args::Global;
use super::super::ask::Desk;
use super::super::out::{self, Done, table};
use super::{Context, READING, now, place, record, run};
use crate::actors::agents::process::{Children, OWNER_VAR};
use crate::actors::evidence::{self, Filter};
use crate::actors::mcp::memory;
use crate::disk::proc;
use crate::domain::chaos::Chaos;
use crate::domain::consensus::Verdict;
use crate::domain::failure::Failure;
use crate::domain::ids::{AgentName, RunId};
use crate::domain::redact::Redactor;
use crate::domain::safe::Safe;
use crate::domain::settings::Settings;
use crate::domain::stats::Stats;
use crate::shell::demo::{ABSENT, Copy, STAGE};
use crate::shell::engine::Flags;

/// What three agents that answer and differ come to, whoever else fails.
const CONFLICT: u8 = 1;

/// The exit code of a lock that somebody else holds.
const LOCKED: u8 = 3;

/// How long whoever meets a held lock may take to say so.
const AT_ONCE: Duration = Duration::from_secs(5);

/// The exit code when a fault did not end as it must.
const BROKEN: u8 = 3;

/// One thing that went wrong, how it must have ended, and how it did.
struct Row {
    who: &'static str,
    does: String,
    must: String,
    was: String,
}

impl Row {
    fn of(who: &'static str, does: impl Into<String>, must: impl Into<String>, was: impl Into<String>) -> Self {
        Self { who, does: does.into(), must: must.into(), was: was.into() }
    }

    fn is_met(&self) -> bool {
        self.must == self.was
    }
}

/// Runs the sample with the faults of a seed; exits 0 where each ended as it must, else 3.
///
/// # Errors
/// When the sample cannot be copied or read.
pub(super) fn chaos(global: &Global, speed: u32, seed: u64) -> Result<Done, Failure> {
    let chaos = Chaos::of(seed);
    let flags = Flags { speed: Some(speed.to_string()), ..run::flags(global) };
    let copy = Copy::with_faults(flags, &chaos.config())?;
    let context = Context::of(Global { repo: Some(copy.folder().to_owned()), ..global.clone() })?;
    let tell = |text: String| match global.json {
        true => out::say(&text),
        false => out::put(Safe::block(&text).as_str()),
    };
    tell(format!("CHAOS  seed {seed}: agents are SCRIPTED, the faults and what meets them are live\n"));
    for fault in chaos.agents.iter().chain([&chaos.memory]) {
        tell(format!("  {} {}\n", fault.name, fault.does));
    }
    tell(format!("the copy is in {}\n\n", copy.folder().display()));
    let exit = copy.ask()?;
    let rows = ended(&context, &copy, &chaos, exit)?;
    let is_met = rows.iter().all(Row::is_met);
    let shown = |row: &Row| {
        let (word, must) = match row.is_met() {
            true => ("ok", String::new()),
            false => ("BROKEN", format!("must be: {}", row.must)),
        };
        vec![word.to_owned(), format!("{} {}", row.who, row.does), format!("→ {}", row.was), must]
    };
    tell(format!("\n{}", table(&rows.iter().map(shown).collect::<Vec<_>>())));
    let code = if is_met { 0 } else { BROKEN };
    Ok(match global.json {
        false => Done::exit(code),
        true => Done::value(&serde_json::json!({
            "schema": "dicast.chaos/1", "seed": seed, "ok": is_met, "exit": code, "copy": copy.folder(),
            "faults": rows.iter().map(|row| serde_json::json!({
                "who": row.who, "does": row.does, "must": row.must, "was": row.was, "ok": row.is_met(),
            })).collect::<Vec<_>>(),
        }))
        .with_exit(code),
    })
}

/// Looks how everything ended.
fn ended(context: &Context, copy: &Copy, chaos: &Chaos, exit: u8) -> Result<Vec<Row>, Failure> {
    let desk = Desk::open()?;
    let kept = evidence::Settings {
        root: PathBuf::from(Settings::default().evidence.root),
        lock_timeout: AT_ONCE,
        redactor: Redactor::default(),
    };
    let evidence = desk.inside(|| evidence::spawn(&desk.scope, context.store(), kept));
    let folder = place::spec(context, Some(copy.spec.as_str()))?;
    let verdict = record::recorded(&context.store(), &folder, STAGE)?;
    let runs = desk.ask(READING, "reading the runs", evidence.runs(Some(copy.spec.clone()), desk.token()))?;
    let first = runs.into_iter().next().ok_or_else(|| Failure::needs_input("demo", "no run was kept", "try again"))?;
    let reply = evidence.records(copy.spec.clone(), first.run.clone(), desk.token());
    let entries = desk.ask(READING, "reading the journal", reply)?;
    let mut stats = Stats::default();
    stats.add(entries.iter().map(|(_, record)| record), &[]);
    let mut rows: Vec<Row> = Vec::new();
    for fault in &chaos.agents {
        rows.push(Row::of(fault.name, fault.does, fault.must, failed(&stats, fault.name)));
    }
    let waiting = memory::waiting(&context.store())?;
    let was = if waiting > 0 { chaos.memory.must } else { "nothing waits for it" };
    rows.push(Row::of(chaos.memory.name, chaos.memory.does, chaos.memory.must, was));
    rows.push(Row::of("the verdict", "of who answered", said(CONFLICT, &sorted(chaos)), judged(exit, &verdict)));
    rows.push(locked((&desk, &evidence), copy, first.run)?);
    let found = desk.ask(READING, "verifying", evidence.verify(Filter::default(), desk.token()))?;
    let was = if found.ok { "verified".to_owned() } else { format!("{:?}", found.problems) };
    rows.push(Row::of("the evidence", "of all that", "verified", was));
    let owner = desk.inside(|| Children::new(&desk.scope)).owner().to_string();
    rows.push(Row::of("processes", "that were started", "0 left", format!("{} left", left(&owner))));
    Ok(rows)
}

/// Names the errors that an agent ended with.
fn failed(stats: &Stats, name: &str) -> String {
    let of = AgentName::new(name).ok().and_then(|name| stats.work.get(&(name, STAGE)));
    let kinds: Vec<&str> = of.into_iter().flat_map(|work| work.failed.keys().map(String::as_str)).collect();
    if kinds.is_empty() { "it did not fail".to_owned() } else { kinds.join(", ") }
}

fn sorted(chaos: &Chaos) -> Vec<&str> {
    let mut names: Vec<&str> = chaos.agents.iter().map(|fault| fault.name).chain([ABSENT]).collect();
    names.sort_unstable();
    names
}

fn judged(exit: u8, verdict: &Verdict) -> String {
    let missing: Vec<&str> = verdict.missing_agents.iter().map(AgentName::as_str).collect();
    if exit == verdict.exit { said(exit, &missing) } else { format!("exit {exit}, recorded as {}", verdict.exit) }
}

fn said(exit: u8, missing: &[&str]) -> String {
    format!("exit {exit}, without {}", missing.join(", "))
}

/// Holds the spec's lock, and starts again: that must be refused at once.
fn locked((desk, evidence): (&Desk, &evidence::Handle), copy: &Copy, held: RunId) -> Result<Row, Failure> {
    let (at, must) = (now(), format!("refused at once, exit {LOCKED}"));
    desk.ask(READING, "holding a lock", evidence.open_run(copy.spec.clone(), held.clone(), at, desk.token()))?;
    let began = Instant::now();
    let code = match copy.ask() {
        Ok(code) => code,
        Err(failure) => failure.exit(),
    };
    let late = began.elapsed() > AT_ONCE;
    desk.ask(READING, "giving the lock back", evidence.close_run(copy.spec.clone(), held))?;
    let was = format!("refused {}, exit {code}", if late { "late" } else { "at once" });
    Ok(Row::of("a second start", "meets a held lock", must, was))
}

/// Counts the living processes that we started.
fn left(owner: &str) -> usize {
    let is_ours = |process: &proc::Process| {
        let environment = proc::environment(process.pid);
        proc::variable(&environment, OWNER_VAR) == Some(owner)
    };
    proc::living().iter().filter(|process| is_ours(process)).count()
}
