//! The commands, one file each or one for a small family: each takes its arguments and returns what it came to.
//!
//! They must not print, and they know of work only whom to ask.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::args::{Args, Command, Global, Mcp, Memory, Stage as Asked};
use super::ask::Desk;
use super::out::{self, Done};
use crate::actors::evidence;
use crate::config::{self, Loaded, Sources};
use crate::disk::{Store, look, text};
use crate::domain::failure::Failure;
use crate::domain::gate::Gate;
use crate::domain::moment::Moment;
use crate::domain::settings::Settings;
use crate::domain::stage::Stage;
use crate::domain::wish::Wish;

mod agents;
mod bench;
mod cancel;
mod chaos;
mod check;
mod consensus;
mod decide;
mod demo;
mod dissent;
mod doctor;
mod evidences;
mod explain;
mod first;
mod gate;
mod guardrail;
mod init;
mod keeping;
pub mod log;
mod mcp;
mod memory;
mod output;
mod place;
mod present;
mod progress;
mod ran;
mod record;
mod replay;
mod report;
mod run;
mod self_check;
mod servers;
mod specify;
mod stats;
mod status;
mod survey;
mod trust;
mod verdict;
mod watch;

/// How long a question about the evidence may take: it reads files, perhaps slow ones.
const READING: Duration = Duration::from_secs(60);

/// What every command starts from.
#[derive(Debug, Clone)]
pub struct Context {
    /// The flags that hold for every command.
    pub global: Global,
    /// The repository's root, canonical.
    pub repo: PathBuf,
    /// The time of the command.
    pub now: Moment,
    /// The config once it was read: all of a command goes by the same.
    config: Arc<OnceLock<Result<Loaded, Failure>>>,
}

/// Reads the wall clock.
pub fn now() -> Moment {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Moment(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// Does what the command line asks.
///
/// # Errors
/// Whatever stopped it, with a next step.
pub fn perform(args: Args) -> Result<Done, Failure> {
    let Args { global, command } = args;
    if !global.output.is_empty() && !command.as_ref().is_some_and(Command::writes_reports) {
        let why = "only stages, `auto`, `check` and `verdict` write reports";
        return Err(Failure::usage("--output", why, "leave it out, or use --json"));
    }
    if global.fail_on_dissent && !command.as_ref().is_some_and(Command::looks_at_dissent) {
        let why = "this command does not exit with a verdict's code";
        let next = "use it with a stage, auto, verdict, dissent, consensus or decide";
        return Err(Failure::usage("--fail-on-dissent", why, next));
    }
    let here = || Context::of(global.clone());
    let stage = |stage: Stage, asked: Asked| run::stage(&here()?, asked.spec.as_deref(), stage, &asked.wish());
    let Some(command) = command else { return run::screen(&here()?) };
    match command {
        Command::Check { spec, range } => check::check(&here()?, spec.as_deref(), range.as_deref()),
        Command::New { text, from } => gate::new(&here()?, &text.join(" "), from.as_deref()),
        Command::Specify(asked) => specify::specify(&here()?, &asked),
        Command::Clarify { spec, answer, by } => gate::clarify(&here()?, spec.as_deref(), &answer, by.as_deref()),
        Command::Checklist { spec } => gate::hold(&here()?, spec.as_deref(), &[Gate::Checklist]),
        Command::Analyze { spec } => gate::hold(&here()?, spec.as_deref(), &[Gate::Analyze]),
        Command::Gate(asked) => gate::gate(&here()?, &asked),
        Command::Guardrail { stage, spec } => guardrail::guardrail(&here()?, &stage, spec.as_deref()),
        Command::Plan(asked) => stage(Stage::Plan, asked),
        Command::Tasks(asked) => stage(Stage::Tasks, asked),
        Command::Implement { stage: asked, undo: true, .. } => run::undo(&here()?, asked.spec.as_deref()),
        Command::Implement { stage: asked, apply, with_unasked, undo: false } => {
            let wish = Wish { apply, with_unasked, ..asked.wish() };
            run::stage(&here()?, asked.spec.as_deref(), Stage::Implement, &wish)
        }
        Command::Validate(asked) => stage(Stage::Validate, asked),
        Command::Audit { stage: asked, range } => {
            let wish = Wish { range, ..asked.wish() };
            run::stage(&here()?, asked.spec.as_deref(), Stage::Audit, &wish)
        }
        Command::Unlock(asked) => stage(Stage::Unlock, asked),
        Command::Auto(asked) => run::auto(&here()?, &asked),
        Command::Status { spec, stale_hours } => status::status(&here()?, spec.as_deref(), stale_hours),
        Command::Verdict { about, at, require } => verdict::verdict(&here()?, &about, at.as_deref(), &require),
        Command::Explain { spec, stage, claim } => explain::explain(&here()?, &spec, &stage, claim.as_deref()),
        Command::Report { spec, format, out } => report::report(&here()?, spec.as_deref(), format, out.as_deref()),
        Command::Dissent(dissent) => dissent::dissent(&here()?, &dissent),
        Command::Consensus(about) => consensus::consensus(&here()?, &about),
        Command::Evidence(what) => evidences::evidence(&here()?, &what),
        Command::Bench(what) => bench::bench(&what, global.json),
        Command::Agents => agents::agents(&here()?),
        Command::Servers => servers::servers(&here()?),
        Command::Doctor => doctor::doctor(&here()?),
        Command::Init => init::init(&here()?),
        Command::Trust(what) => trust::trust(&here()?, &what),
        Command::Stats { spec } => stats::stats(&here()?, spec.as_deref()),
        Command::Log { lines, follow } => log::log(global.json, lines, follow),
        Command::SelfCheck => self_check::self_check(global.json),
        Command::Watch { spec } => watch::watch(&here()?, spec.as_deref()),
        Command::Replay { run, speed } => replay::replay(&here()?, &run, speed),
        Command::Cancel { what } => cancel::cancel(&here()?, what.as_deref()),
        Command::Memory(Memory::Status) => servers::waiting(&here()?),
        Command::Memory(Memory::Drain) => servers::drain(&here()?),
        Command::Memory(Memory::Serve { db, read_only, start_delay_ms }) => {
            memory::serve(&here()?, db, read_only, start_delay_ms)
        }
        Command::Mcp(Mcp::Serve(serving)) => mcp::serve(&here()?, &serving),
        // These know no repository.
        Command::Decide { panel, explain } => decide::decide(&panel, explain.as_deref(), &global),
        Command::Play { script, agent, speed } => memory::play(&script, agent.as_deref(), speed),
        Command::Demo { speed, chaos: true, seed } => chaos::chaos(&global, speed, seed),
        Command::Demo { speed, chaos: false, .. } => demo::demo(&global, speed),
    }
}

impl Context {
    /// Finds the repository.
    fn of(global: Global) -> Result<Self, Failure> {
        let repo = place::repository(global.repo.as_deref())?;
        let context = Self { global, repo, now: now(), config: Arc::default() };
        // With a config that cannot be read, what is a secret without it: whoever needs it says what is wrong there.
        let settings = context.loaded().map(|loaded| loaded.settings).unwrap_or_default();
        out::hide(crate::shell::hands::secrets(&settings));
        Ok(context)
    }

    /// Returns what config is read from.
    ///
    /// # Errors
    /// A `DICAST_` variable that is not UTF-8.
    pub fn sources(&self) -> Result<Sources, Failure> {
        let own = Sources::of_this_process(self.repo.clone())?;
        Ok(Sources { given_config: self.global.config.clone(), yes_trust: self.global.yes_trust.clone(), ..own })
    }

    /// Returns the config, read once.
    ///
    /// # Errors
    /// The place of the first problem, exit 64.
    pub fn loaded(&self) -> Result<Loaded, Failure> {
        self.config.get_or_init(|| config::load(&self.sources()?)).clone()
    }

    /// The same as of now: what was changed or approved since the config was read holds.
    #[must_use]
    pub fn afresh(&self) -> Self {
        Self { now: now(), config: Arc::default(), ..self.clone() }
    }

    /// Starts an evidence actor; secrets are taken out of what it keeps. Evidence outside the repository is touched only
    /// where that was approved.
    ///
    /// # Errors
    /// Exit 11 where it was not.
    pub fn evidence(&self, desk: &Desk) -> Result<evidence::Handle, Failure> {
        let loaded = self.loaded()?;
        let settings = match is_outside(&loaded.settings.evidence.root) {
            true => loaded.runnable()?,
            false => loaded.settings,
        };
        Ok(self.evidence_of(desk, &settings))
    }

    fn evidence_of(&self, desk: &Desk, settings: &Settings) -> evidence::Handle {
        let kept = evidence::Settings {
            root: PathBuf::from(&settings.evidence.root),
            lock_timeout: Duration::from_millis(settings.evidence.lock_timeout_ms),
            redactor: crate::shell::hands::redactor(settings),
        };
        evidence::spawn(&desk.scope, Store::real(&self.repo), kept)
    }

    /// Returns the files of the repository.
    pub fn store(&self) -> Store {
        Store::real(&self.repo)
    }
}

/// Tells whether an evidence root as configured leads out of the repository.
fn is_outside(root: &str) -> bool {
    root.starts_with('/') || root.split('/').any(|part| part == "..")
}

/// Reads a small file that was named on the command line.
fn given_text(path: &std::path::Path, most: u64) -> Result<String, Failure> {
    let place = path.display().to_string();
    if look::kind(path).is_none() {
        return Err(Failure::usage(place, "there is no such file", "check the path"));
    }
    text::read_text_capped(path, most)?.ok_or_else(|| Failure::usage(place, "there is no such file", "check the path"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_reads_the_config_once_and_a_later_question_reads_it_anew() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::real(dir.path());
        store.make_dirs(".dicast").unwrap();
        let write = |ms: u64| {
            let text = format!("[evidence]\nlock_timeout_ms = {ms}\n");
            store.replace(".dicast/config.toml", text.as_bytes()).unwrap();
        };
        let read = |context: &Context| context.loaded().unwrap().settings.evidence.lock_timeout_ms;
        write(1_111);
        let context = Context::of(Global { repo: Some(dir.path().to_owned()), ..Global::default() }).unwrap();
        write(2_222);
        assert_eq!((read(&context), read(&context.clone()), read(&context.afresh())), (1_111, 1_111, 2_222));
    }
}
