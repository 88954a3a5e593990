//! `dicast mcp serve`: the commands of this program, asked by MCP clients.
//!
//! It must not know the protocol.

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};

use super::super::args::{Dissent as DissentArgs, Global, Serving};
use super::super::ask::{Desk, signalled};
use super::super::out::{self, Done, Text};
use super::super::plain;
use super::{Context, READING, check, dissent, explain, place, record, status, verdict};
use crate::domain::failure::Failure;
use crate::domain::ids::{RunId, SpecId};
use crate::domain::stage::Stage;
use crate::domain::wish::Wish;
use crate::pipeline::{Event, Pipeline, Request, Signal, Start};
use crate::server::mcp::http::{Door, serve_http};
use crate::server::mcp::{Address, Office, Question, RunStage, Session, serve_stdio};
use crate::shell::engine::Flags;

/// Serves until the input ends (or for good, over HTTP) or a signal comes; runs that are live then are stopped.
///
/// # Errors
/// When the handshake or the pipe fails; usage for an address that cannot be listened on, or needs a token.
pub(super) fn serve(context: &Context, serving: &Serving) -> Result<Done, Failure> {
    let desk = Desk::open()?;
    let commands = Arc::new(Commands::new(context));
    let (office, stop) = (Arc::clone(&commands), desk.scope.cancel.clone());
    let served = match serving.http {
        None => desk.serve(async move { serve_stdio(office, stop).await }),
        Some(address) => {
            let token = std::env::var(&serving.token_env).ok().filter(|token| !token.is_empty());
            let door = Door { address, token, names: serving.host.clone() };
            let tell = |url: &str| out::say(&format!("serving MCP on {url}\n"));
            desk.serve(async move { serve_http(door, office, stop, tell).await })
        }
    };
    commands.close();
    served.map(|()| Done::exit(signalled().map_or(0, Signal::exit)))
}

/// The commands, as an office.
struct Commands {
    context: Context,
    panel: Arc<Mutex<Panel>>,
}

/// The pipeline while somebody uses it. It is opened with the config as it is then, so that what was approved or changed
/// meanwhile holds, and closed with the last run, so that no server is kept for nobody.
#[derive(Default)]
struct Panel {
    pipeline: Option<Pipeline>,
    live: usize,
    is_closed: bool,
}

/// One live run of the panel.
struct Seat(Arc<Mutex<Panel>>);

impl Drop for Seat {
    fn drop(&mut self) {
        let mut panel = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        panel.live -= 1;
        if panel.live == 0 {
            // Closed under the lock: the next run must not meet what is still ending.
            panel.pipeline = None;
        }
    }
}

impl Commands {
    fn new(context: &Context) -> Self {
        // What programs read: the JSON of the commands.
        let global = Global { json: true, output: Vec::new(), ..context.global.clone() };
        Self { context: Context { global, ..context.clone() }, panel: Arc::default() }
    }

    /// The context of a question that is asked now.
    fn now(&self) -> Context {
        self.context.afresh()
    }

    /// Stops what runs, and takes nothing more on.
    fn close(&self) {
        let pipeline = {
            let mut panel = self.panel.lock().unwrap_or_else(PoisonError::into_inner);
            panel.is_closed = true;
            panel.pipeline.take()
        };
        drop(pipeline);
    }

    fn flags(&self) -> Flags {
        super::run::flags(&self.context.global)
    }
}

impl Office for Commands {
    fn answer(&self, question: &Question) -> Result<Value, Failure> {
        let context = &self.now();
        match question {
            Question::ListSpecs => {
                let specs = lines(&status::status(context, None, None)?);
                Ok(json!({"schema": "dicast.specs/1", "specs": specs}))
            }
            Question::Check(asked) => {
                let done = check::check(context, asked.spec.as_deref(), asked.range.as_deref())?;
                let of = |kind: &str| -> Vec<Value> {
                    lines(&done).into_iter().filter(|line| line["type"] == kind).map(bare).collect()
                };
                let (specs, findings) = (of("check.spec"), of("check.finding"));
                Ok(json!({"schema": "dicast.check/1", "exit": done.exit, "specs": specs, "findings": findings}))
            }
            Question::GetVerdict(asked) => {
                let about =
                    super::super::args::About { spec: asked.spec.clone(), stage: Some(asked.stage.to_string()) };
                one(&verdict::verdict(context, &about, None, &[])?)
            }
            Question::Explain(asked) => {
                one(&explain::explain(context, &asked.spec, asked.stage.name(), Some(&asked.claim))?)
            }
            Question::ListDissent(asked) => {
                let asked = DissentArgs { spec: Some(asked.spec.clone()), ..DissentArgs::default() };
                let done = dissent::dissent(context, &asked)?;
                Ok(json!({"schema": "dicast.dissents/1", "dissents": lines(&done), "notes": done.notes}))
            }
        }
    }

    fn start(&self, asked: &RunStage) -> Result<Session, Failure> {
        let spec = place::spec(&self.context, Some(&asked.spec))?.id;
        let without = Wish { without: asked.without.clone(), ..Wish::default() }.without()?;
        if asked.range.is_some() && asked.stage != Stage::Audit {
            return Err(Failure::usage("range", "only audit judges a range of commits", "leave it out, or run audit"));
        }
        let mut panel = self.panel.lock().unwrap_or_else(PoisonError::into_inner);
        if panel.is_closed {
            return Err(Failure::Cancelled);
        }
        let pipeline = match panel.pipeline.take() {
            Some(pipeline) => pipeline,
            None => Pipeline::of_server(self.context.sources()?, self.flags())?,
        };
        let (fresh, rerun_missing, range) = (asked.fresh, asked.rerun_missing, asked.range.clone());
        let start = Start::of(spec, vec![asked.stage]);
        let run = pipeline.run(Request::Start(Start { fresh, rerun_missing, range, without, ..start }));
        panel.pipeline = Some(pipeline);
        panel.live += 1;
        Ok(Session { run, held: Box::new(Seat(Arc::clone(&self.panel))) })
    }

    fn words(&self, event: &Event) -> String {
        let (progress, result) = plain::lines(event);
        progress + &result
    }

    fn contents(&self) -> Result<Vec<Address>, Failure> {
        let context = &self.now();
        let store = context.store();
        let mut all = Vec::new();
        for folder in place::folders(context)? {
            let recorded = Stage::RECORDED.into_iter().filter(|stage| {
                let path = record::verdict_path(&folder, *stage);
                matches!(store.digest(&path), Ok(Some(_)))
            });
            all.extend(recorded.map(|stage| Address::Verdict(folder.id.clone(), stage)));
        }
        let desk = Desk::open()?;
        let evidence = context.evidence(&desk)?;
        for run in desk.ask(READING, "reading the runs", evidence.runs(None, desk.token()))? {
            all.push(Address::Journal(run.spec, run.run));
        }
        Ok(all)
    }

    fn read(&self, address: &Address) -> Result<Option<String>, Failure> {
        let context = &self.now();
        match address {
            Address::Verdict(spec, stage) => {
                let folder = place::folders(context)?.into_iter().find(|folder| folder.id == *spec);
                let Some(folder) = folder else { return Ok(None) };
                let verdict = record::verdict(&context.store(), &folder, *stage)?;
                Ok(verdict.map(|verdict| serde_json::to_string_pretty(&verdict).unwrap_or_default()))
            }
            Address::Journal(spec, run) => journal(context, spec, run),
            Address::File(spec, run, path) => file(context, spec, run, path),
        }
    }

    fn hide(&self, told: &mut Value) {
        out::hide_in(told);
    }
}

/// Reads a run's journal, a record a line.
fn journal(context: &Context, spec: &SpecId, run: &RunId) -> Result<Option<String>, Failure> {
    let desk = Desk::open()?;
    let evidence = context.evidence(&desk)?;
    let runs = desk.ask(READING, "reading the runs", evidence.runs(Some(spec.clone()), desk.token()))?;
    if runs.iter().all(|known| known.run != *run) {
        return Ok(None);
    }
    let records = evidence.records(spec.clone(), run.clone(), desk.token());
    let records = desk.ask(READING, "reading the journal", records)?;
    let line = |(at, record)| format!("{}\n", json!({"at": at, "record": record}));
    Ok(Some(records.iter().map(|(at, record)| line((at.rfc3339(), record))).collect()))
}

/// Reads a file that a run's journal names; what it does not name is not there.
fn file(context: &Context, spec: &SpecId, run: &RunId, path: &str) -> Result<Option<String>, Failure> {
    let desk = Desk::open()?;
    let evidence = context.evidence(&desk)?;
    let runs = desk.ask(READING, "reading the runs", evidence.runs(Some(spec.clone()), desk.token()))?;
    if runs.iter().all(|known| known.run != *run) {
        return Ok(None);
    }
    let records =
        desk.ask(READING, "reading the journal", evidence.records(spec.clone(), run.clone(), desk.token()))?;
    let named = records.iter().flat_map(|(_, record)| record.files()).find(|file| file.path == path).cloned();
    let Some(named) = named else { return Ok(None) };
    let text = desk.ask(READING, "reading the file", evidence.read(spec.clone(), run.clone(), named, desk.token()))?;
    Ok(Some(text.to_string()))
}

/// Reads the JSON lines that a command came to.
fn lines(done: &Done) -> Vec<Value> {
    let (Text::Json(text) | Text::Lines(text)) = &done.text;
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// Reads the one JSON value that a command came to.
fn one(done: &Done) -> Result<Value, Failure> {
    let bad = || Failure::BadReply { from: "the command".into(), why: "it has no JSON".into() };
    lines(done).into_iter().next().ok_or_else(bad)
}

/// Takes off what a line carries only because it is one of a stream.
fn bare(mut line: Value) -> Value {
    if let Some(fields) = line.as_object_mut() {
        for name in ["schema", "seq", "at", "run", "type"] {
            fields.remove(name);
        }
    }
    line
}
