//! `dicast evidence stats|archive|purge|bundle|anchor`: how much there is, taking closed runs away, handing one out,
//! telling git where the chains end.
//!
//! It must not know how runs are packed.

use std::collections::BTreeSet;
use std::io::{BufRead as _, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::super::args::Old;
use super::super::ask::Desk;
use super::super::keeping::{
    Removals, anchored, bundled, purge_question, removals_exit, removals_json, removals_text, sizes_json, sizes_text,
    verb,
};
use super::super::out::{self, Done};
use super::evidences::{LIST_HINT, chosen, named_run, published};
use super::{Context, READING, survey};
use crate::actors::agents::process::Children;
use crate::actors::{evidence, repo};
use crate::disk::Store;
use crate::disk::text::needs_folder;
use crate::domain::failure::Failure;
use crate::domain::hash::Sha;
use crate::domain::ids::{RunId, SpecId};
use crate::domain::journal::anchor::{Anchor, SCHEMA};
use crate::domain::journal::tombstone::{Fate, decided};
use crate::domain::moment::Moment;

/// How long taking one run away may take: it is read, packed, written, read back and removed.
const REMOVING: Duration = Duration::from_secs(300);

/// Milliseconds of a day.
const DAY: u64 = 86_400_000;

/// Counts what is there.
///
/// # Errors
/// When the evidence cannot be read.
pub(super) fn stats(context: &Context, spec: Option<&str>) -> Result<Done, Failure> {
    let spec = chosen(context, spec)?;
    let desk = Desk::open()?;
    let evidence = context.evidence(&desk)?;
    let sizes = desk.ask(READING, "counting the evidence", evidence.sizes(spec, desk.token()))?;
    Ok(match context.global.json {
        true => Done::json(sizes_json(&sizes)),
        false => Done::lines(sizes_text(&sizes)),
    })
}

/// Takes closed runs away: the one that was named, or those that are old. A purge is asked about on a terminal, and
/// needs `--yes` without one.
///
/// # Errors
/// Usage when neither run nor age is given; exit 10 when a purge was not agreed to; for a single run, why it was kept.
pub(super) fn remove(context: &Context, old: &Old, fate: Fate) -> Result<Done, Failure> {
    let desk = Desk::open()?;
    let evidence = context.evidence(&desk)?;
    let named = named_run(context)?;
    let runs = match (&named, old.older_than) {
        (Some(run), None) => vec![(spec_of(&desk, &evidence, run)?, run.clone())],
        (None, Some(days)) => {
            let spec = chosen(context, old.spec.as_deref())?;
            let before = Moment(context.now.0.saturating_sub(days.saturating_mul(DAY)));
            aged(context, &desk, &evidence, spec.as_ref(), before, fate)?
        }
        (Some(_), Some(_)) | (None, None) => {
            let next = "give --run ULID (see `dicast evidence list`), or --older-than DAYS";
            return Err(Failure::usage("--run", "which runs was not said, or in two ways", next));
        }
    };
    if fate == Fate::Purged && !runs.is_empty() {
        agreed(context, &runs)?;
    }
    let repo = repo::spawn(&desk.scope, Children::new(&desk.scope));
    let worktrees = context.repo.join(&context.loaded()?.settings.worktrees.root);
    let mut removals = Removals::default();
    for (spec, run) in runs {
        let what = format!("{} {run}", verb(fate));
        let reply = evidence.remove(spec.clone(), run.clone(), fate, context.now, desk.token());
        match desk.ask(REMOVING, &what, reply) {
            Ok(removal) => {
                // An archive can be brought back, and its candidates be taken then.
                if fate == Fate::Purged {
                    let forgotten = repo.forget(context.repo.clone(), worktrees.clone(), run.clone(), desk.token());
                    desk.ask(REMOVING, &format!("forget the candidates of {run}"), forgotten)?;
                }
                removals.removed.push(removal);
            }
            Err(failure) if named.is_some() || failure == Failure::Cancelled => return Err(failure),
            Err(failure) => removals.kept.push((spec, run, failure)),
        }
    }
    let done = match context.global.json {
        true => Done::json(removals_json(&removals)),
        false => Done::lines(removals_text(&removals)),
    };
    Ok(done.with_exit(removals_exit(&removals)))
}

/// Returns the closed runs whose last record is older, without those that decided what stands in a spec's folder: the
/// verdict there is to be explained.
fn aged(
    context: &Context,
    desk: &Desk,
    evidence: &evidence::Handle,
    spec: Option<&SpecId>,
    before: Moment,
    fate: Fate,
) -> Result<Vec<(SpecId, RunId)>, Failure> {
    let standing: BTreeSet<Sha> = published(context)?.0.into_iter().map(|published| published.hash).collect();
    let stands = |verdicts: &[Sha]| verdicts.iter().any(|hash| standing.contains(hash));
    let mut aged = Vec::new();
    for run in desk.ask(READING, "reading the runs", evidence.runs(spec.cloned(), desk.token()))? {
        if run.closed.is_some() && run.updated.is_some_and(|at| at < before) {
            let records = evidence.records(run.spec.clone(), run.run.clone(), desk.token());
            let records = desk.ask(READING, "reading a run", records)?;
            if !stands(&decided(records.iter().map(|(_, record)| record))) {
                aged.push((run.spec, run.run));
            }
        }
    }
    if fate == Fate::Purged {
        for tombstone in desk.ask(READING, "reading the archives", evidence.tombstones(desk.token()))? {
            let is_old = tombstone.fate == Fate::Archived && tombstone.ended < before && !stands(&tombstone.verdicts);
            let manifest = tombstone.manifest;
            if is_old && spec.is_none_or(|wanted| *wanted == manifest.spec) {
                aged.push((manifest.spec, manifest.run));
            }
        }
    }
    aged.sort();
    aged.dedup();
    Ok(aged)
}

/// Returns once a human, or a flag, has agreed to a purge.
fn agreed(context: &Context, runs: &[(SpecId, RunId)]) -> Result<(), Failure> {
    if context.global.yes {
        return Ok(());
    }
    out::say(&purge_question(runs));
    if !context.global.json && std::io::stdin().is_terminal() {
        out::say("type yes to go on: ");
        let mut line = String::new();
        // Whoever cannot be heard has not agreed.
        if std::io::stdin().lock().read_line(&mut line).is_ok() && line.trim() == "yes" {
            return Ok(());
        }
        return Err(Failure::Cancelled);
    }
    Err(Failure::BadInput {
        place: "purge".into(),
        why: "nobody has agreed to it, and nothing was removed".into(),
        next: "give --yes as well".into(),
        exit: 10,
    })
}

/// Returns the spec of a run that is here, or that was archived or purged.
fn spec_of(desk: &Desk, evidence: &evidence::Handle, run: &RunId) -> Result<SpecId, Failure> {
    let runs = desk.ask(READING, "reading the runs", evidence.runs(None, desk.token()))?;
    if let Some(summary) = runs.into_iter().find(|summary| summary.run == *run) {
        return Ok(summary.spec);
    }
    let tombstones = desk.ask(READING, "reading the archives", evidence.tombstones(desk.token()))?;
    let shelved = tombstones.into_iter().map(|tombstone| tombstone.manifest).find(|manifest| manifest.run == *run);
    let none = || Failure::usage("RUN", format!("there is no run {run} here"), LIST_HINT);
    shelved.map(|manifest| manifest.spec).ok_or_else(none)
}

/// Writes a run with what `verify` needs of it into one file.
///
/// # Errors
/// Usage when no run is named or there is none of that name; when the file cannot be written.
pub(super) fn bundle(context: &Context, run: Option<&str>, out: Option<&Path>) -> Result<Done, Failure> {
    let mut context = context.clone();
    context.global.run = run.map(str::to_owned).or(context.global.run);
    let none = || Failure::usage("RUN", "no run is named", LIST_HINT);
    let run = named_run(&context)?.ok_or_else(none)?;
    let out = out.map_or_else(|| PathBuf::from(format!("dicast-{run}.tar.gz")), Path::to_path_buf);
    needs_folder(&out)?;
    let desk = Desk::open()?;
    let evidence = context.evidence(&desk)?;
    let spec = spec_of(&desk, &evidence, &run)?;
    let bytes = desk.ask(REMOVING, "packing the run", evidence.bundle(spec.clone(), run.clone(), desk.token()))?;
    let name = out.file_name().ok_or_else(|| Failure::usage("--out", "it names no file", "give a file"))?;
    let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Store::real(folder).replace(name, &bytes)?;
    let shown = out.display().to_string();
    let text = bundled(&run, &spec, &shown, &Sha::of(&bytes), bytes.len() as u64, context.global.json);
    Ok(if context.global.json { Done::json(text) } else { Done::lines(text) })
}

/// Writes where the chains end into the git note of the commit that is checked out.
///
/// # Errors
/// Usage when there is nothing to anchor, or no commit; when git refuses.
pub(super) fn anchor(context: &Context, spec: Option<&str>) -> Result<Done, Failure> {
    let spec = chosen(context, spec)?;
    let desk = Desk::open()?;
    let evidence = context.evidence(&desk)?;
    let heads = desk.ask(READING, "reading the chains", evidence.heads(spec, desk.token()))?;
    if heads.is_empty() {
        return Err(Failure::usage("evidence", "there is no chain to anchor", "run a stage first"));
    }
    let count = heads.len();
    let anchor = Anchor { schema: SCHEMA.into(), at: context.now, heads };
    let text = serde_json::to_string(&anchor)
        .map_err(|e| Failure::BadReply { from: "the anchor".into(), why: e.to_string() })?;
    let commit = survey::add_note(context, text + "\n")?;
    let text = anchored(&commit, count, context.global.json);
    Ok(if context.global.json { Done::json(text) } else { Done::lines(text) })
}
