//! `dicast clarify`, `checklist`, `analyze`, `gate` and `new`: what rules ask of a spec, and what a person answers.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::super::args::Gate as Asked;
use super::super::ask::Desk;
use super::super::gate::{exit, json, text};
use super::super::out::Done;
use super::{Context, place};
use crate::actors::agents::process::Children;
use crate::actors::{repo, scribe};
use crate::domain::draft::Beginning;
use crate::domain::failure::Failure;
use crate::domain::gate::{Gate, Held, Response, Say};
use crate::domain::ids::SpecId;

/// The longest document that becomes a spec, in bytes.
const DOCUMENT_MAX: u64 = 1 << 20;

/// How long a gate may take: the repository is read for it, perhaps from a slow disk.
pub(super) const HOLDING: Duration = Duration::from_secs(120);

/// Holds gates over a spec; exit 10 while something critical is open.
///
/// # Errors
/// Usage for an unknown spec; when its document cannot be read.
pub(super) fn hold(context: &Context, spec: Option<&str>, gates: &[Gate]) -> Result<Done, Failure> {
    let spec = place::spec(context, spec)?.id;
    let desk = Desk::open()?;
    let scribe = scribe(context, &desk)?;
    let reply = scribe.hold(spec, gates.iter().copied().collect(), desk.token());
    let held = desk.ask(HOLDING, "holding the gates", reply)?;
    Ok(done(context, &held, String::new()))
}

/// Holds the clarify gate, or answers its questions.
///
/// # Errors
/// As [`hold`]; exit 64 for an unknown question, 10 for an answer that has no place.
pub(super) fn clarify(
    context: &Context,
    spec: Option<&str>,
    answers: &[String],
    by: Option<&str>,
) -> Result<Done, Failure> {
    if answers.is_empty() {
        return hold(context, spec, &[Gate::Clarify]);
    }
    let said = answers.iter().map(|answer| {
        let given = answer.split_once('=').filter(|(id, text)| !id.trim().is_empty() && !text.trim().is_empty());
        let (id, text) = given.ok_or_else(|| {
            Failure::usage("--answer", "it is not ID=TEXT", "write for example --answer CLR-1a2b3c=\"20 per second\"")
        })?;
        Ok((id.trim().to_owned(), Say::Answer(text.trim().to_owned())))
    });
    let said = said.collect::<Result<Vec<_>, Failure>>()?;
    respond(context, spec, &[Gate::Clarify], said, by)
}

/// Lists what all gates ask, or says something about one question.
///
/// # Errors
/// As [`clarify`].
pub(super) fn gate(context: &Context, asked: &Asked) -> Result<Done, Failure> {
    if asked.reason.is_some() && asked.defer.is_none() {
        return Err(Failure::usage("--reason", "it is the reason of --defer", "add --defer ID, or leave it out"));
    }
    let accept = asked.accept.clone().map(|id| (id, Say::Accept));
    let reason = asked.reason.clone().unwrap_or_default();
    let defer = asked.defer.clone().map(|id| (id, Say::Defer(reason)));
    let undo = asked.undo.clone().map(|id| (id, Say::Undo));
    match accept.or(defer).or(undo) {
        Some(said) => respond(context, asked.spec.as_deref(), &Gate::ALL, vec![said], asked.by.as_deref()),
        None => hold(context, asked.spec.as_deref(), &Gate::ALL),
    }
}

/// Makes the folder of a new spec.
///
/// # Errors
/// When it cannot be written, or another process writes specs for too long.
pub(super) fn new(context: &Context, words: &str, from: Option<&Path>) -> Result<Done, Failure> {
    // A document says something already; of a sentence a panel makes a draft.
    let (beginning, on) = match from {
        Some(path) => (Beginning::Document { title: words.to_owned(), text: document(path)? }, "clarify"),
        None => (Beginning::Sentence(words.to_owned()), "specify"),
    };
    let desk = Desk::open()?;
    let scribe = scribe(context, &desk)?;
    let reply = scribe.create(beginning, context.now, desk.token());
    let created = desk.ask(HOLDING, "making the spec", reply)?;
    let next = format!("dicast {on} {}", created.spec);
    if context.global.json {
        return Ok(Done::value(&serde_json::json!({
            "schema": "dicast.new/1", "spec_id": created.spec, "file": created.file, "template": created.template,
            "next": next,
        })));
    }
    let from = created.template.map(|path| format!(" from {path}")).unwrap_or_default();
    let by_hand = match on {
        "specify" => format!(" (a panel's draft; by hand: edit it, then dicast clarify {})", created.spec),
        _ => String::new(),
    };
    Ok(Done::lines(format!("{}  {}{from}\nnext: {next}{by_hand}\n", created.spec, created.file)))
}

/// Reads the document that a spec is made of.
fn document(path: &Path) -> Result<String, Failure> {
    if path != Path::new("-") {
        return super::given_text(path, DOCUMENT_MAX);
    }
    let mut text = String::new();
    let read = std::io::stdin().lock().take(DOCUMENT_MAX + 1).read_to_string(&mut text);
    let size = read.map_err(|error| Failure::usage("stdin", error.to_string(), "give the document as UTF-8 text"))?;
    if size as u64 > DOCUMENT_MAX {
        return Err(Failure::usage("stdin", "it is longer than 1 MiB", "give a shorter document"));
    }
    Ok(text)
}

/// Starts a scribe over the repository.
///
/// # Errors
/// Exit 11 where evidence outside the repository was not approved.
pub(super) fn scribe(context: &Context, desk: &Desk) -> Result<scribe::Handle, Failure> {
    let evidence = context.evidence(desk)?;
    let repo = repo::spawn(&desk.scope, Children::new(&desk.scope));
    Ok(scribe::spawn(&desk.scope, context.repo.clone(), context.store(), repo, evidence))
}

/// Returns whose word it is: the one named, else the user's.
pub(super) fn whose(by: Option<&str>) -> String {
    by.map(str::to_owned).unwrap_or_else(|| std::env::var("USER").unwrap_or_else(|_| "somebody".to_owned()))
}

fn respond(
    context: &Context,
    spec: Option<&str>,
    gates: &[Gate],
    said: Vec<(String, Say)>,
    by: Option<&str>,
) -> Result<Done, Failure> {
    let spec: SpecId = place::spec(context, spec)?.id;
    let by = whose(by);
    let gates: BTreeSet<Gate> = gates.iter().copied().collect();
    let desk = Desk::open()?;
    let scribe = scribe(context, &desk)?;
    if said.len() > 1 {
        // All or none: a slip in the last id must not leave the first answers written.
        let held = desk.ask(HOLDING, "holding the gates", scribe.hold(spec.clone(), Gate::ALL.into(), desk.token()))?;
        said.iter().try_for_each(|(issue, _)| held.asked(issue).map(drop))?;
    }
    let mut last: Option<Arc<Held>> = None;
    let mut words = String::new();
    for (issue, what) in said {
        let shown = match &what {
            Say::Answer(text) => format!("{issue} answered: {text}\n"),
            Say::Accept => format!("{issue} accepted\n"),
            Say::Defer(reason) => format!("{issue} put off: {reason}\n"),
            Say::Undo if issue.is_empty() => "what was said last is taken back\n".to_owned(),
            Say::Undo => format!("{issue} taken back\n"),
        };
        let response = Response { issue, what, by: by.clone() };
        let reply = scribe.respond(spec.clone(), gates.clone(), response, context.now, desk.token());
        last = Some(desk.ask(HOLDING, "writing the answer", reply)?);
        words.push_str(&shown);
    }
    Ok(last.map(|held| done(context, &held, words)).unwrap_or_default())
}

fn done(context: &Context, held: &Held, before: String) -> Done {
    let done = match context.global.json {
        true => Done::value(&json(held)),
        false => Done::lines(before + &text(held)),
    };
    done.with_exit(exit(held))
}
