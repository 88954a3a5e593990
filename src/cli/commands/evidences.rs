//! `dicast evidence`: verifies and lists; the rest is in `keeping`.
//!
//! It must not know the rules of either.

use std::path::Path;
use std::time::Duration;

use super::super::args::Evidence;
use super::super::ask::Desk;
use super::super::evidence::{runs_json, runs_text, verification_exit, verification_json, verification_text};
use super::super::out::Done;
use super::{Context, READING, keeping, place, record, survey};
use crate::actors::evidence::Filter;
use crate::disk::Store;
use crate::domain::failure::Failure;
use crate::domain::ids::{RunId, SpecId};
use crate::domain::journal::anchor::Anchors;
use crate::domain::journal::tombstone::Fate;
use crate::domain::journal::verification::{PublishedVerdict, Verification};

/// How long verifying may take: every byte is read, and there may be gigabytes.
const VERIFYING: Duration = Duration::from_secs(1_800);

/// Largest bundle that is read.
const BUNDLE_MAX: u64 = 1 << 30;

/// Does what is asked about the evidence.
///
/// # Errors
/// The command's.
pub(super) fn evidence(context: &Context, what: &Evidence) -> Result<Done, Failure> {
    match what {
        Evidence::Verify { spec, bundle } => verify(context, spec.as_deref(), bundle.as_deref()),
        Evidence::List { spec } => list(context, spec.as_deref()),
        Evidence::Stats { spec } => keeping::stats(context, spec.as_deref()),
        Evidence::Archive(old) => keeping::remove(context, old, Fate::Archived),
        Evidence::Purge(old) => keeping::remove(context, old, Fate::Purged),
        Evidence::Bundle { which, out } => keeping::bundle(context, which.as_deref(), out.as_deref()),
        Evidence::Anchor { spec } => keeping::anchor(context, spec.as_deref()),
    }
}

/// Compares what stands on disk with what was recorded; exit 0 or 3.
///
/// # Errors
/// When the evidence cannot be read.
fn verify(context: &Context, spec: Option<&str>, bundle: Option<&Path>) -> Result<Done, Failure> {
    let found = match bundle {
        Some(bundle) => verify_bundle(context, bundle)?,
        None => verify_here(context, spec)?,
    };
    let done = match context.global.json {
        true => Done::json(verification_json(&found)),
        false => Done::lines(verification_text(&found)),
    };
    Ok(done.with_exit(verification_exit(&found)))
}

fn verify_here(context: &Context, spec: Option<&str>) -> Result<Verification, Failure> {
    let (published, unreadable) = published(context)?;
    let notes = survey::notes(context)?;
    let (anchors, lost) = Anchors::read(notes.iter().map(String::as_str));
    let filter = Filter { spec: chosen(context, spec)?, run: named_run(context)?, published, anchors };
    let desk = Desk::open()?;
    let evidence = context.evidence(&desk)?;
    let mut found = desk.ask(VERIFYING, "verifying the evidence", evidence.verify(filter, desk.token()))?;
    // The evidence has its own copy: what became of this one is for `dicast verdict` to refuse.
    found.notes.extend(unreadable.iter().map(Failure::to_string));
    if lost > 0 {
        found.notes.push(format!("{lost} anchors in git notes cannot be read by this version"));
    }
    Ok(found)
}

fn verify_bundle(context: &Context, bundle: &Path) -> Result<Verification, Failure> {
    let missing = || Failure::usage(bundle.display().to_string(), "there is no such file", "check the path");
    let name = bundle.file_name().ok_or_else(missing)?;
    let folder = bundle.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let bytes = Store::real(folder).read(name, BUNDLE_MAX)?.ok_or_else(missing)?;
    let desk = Desk::open()?;
    let evidence = context.evidence(&desk)?;
    desk.ask(VERIFYING, "verifying the bundle", evidence.verify_bundle(bytes, desk.token()))
}

/// Reads the verdicts in the specs' folders, with why some cannot be read.
pub(super) fn published(context: &Context) -> Result<(Vec<PublishedVerdict>, Vec<Failure>), Failure> {
    let store = context.store();
    let (mut published, mut unreadable) = (Vec::new(), Vec::new());
    for folder in place::folders(context)? {
        let (verdicts, failures) = record::verdicts(&store, &folder);
        unreadable.extend(failures.into_iter().map(|(_, failure)| failure));
        for verdict in verdicts {
            let path = record::verdict_path(&folder, verdict.stage);
            let Some((sha256, _)) = store.digest(&path)? else { continue };
            let artifacts = verdict.artifacts.into_iter().map(|artifact| artifact.sha256).collect();
            published.push(PublishedVerdict { spec: folder.id.clone(), path, sha256, hash: verdict.hash, artifacts });
        }
    }
    Ok((published, unreadable))
}

/// Lists the runs, newest first.
///
/// # Errors
/// When the evidence cannot be read.
fn list(context: &Context, spec: Option<&str>) -> Result<Done, Failure> {
    let spec = chosen(context, spec)?;
    let desk = Desk::open()?;
    let evidence = context.evidence(&desk)?;
    let mut runs = desk.ask(READING, "reading the runs", evidence.runs(spec, desk.token()))?;
    if let Some(run) = named_run(context)? {
        runs.retain(|summary| summary.run == run);
    }
    Ok(match context.global.json {
        true => Done::json(runs_json(&runs)),
        false => Done::lines(runs_text(&runs)),
    })
}

/// Returns the spec that was named; one whose folder is gone may still have evidence.
pub(super) fn chosen(context: &Context, given: Option<&str>) -> Result<Option<SpecId>, Failure> {
    let Some(given) = given else { return Ok(None) };
    match place::spec(context, Some(given)) {
        Ok(folder) => Ok(Some(folder.id)),
        Err(failure) => {
            let kept = SpecId::new(given).ok().filter(|id| {
                let root = context.loaded().map(|loaded| loaded.settings.evidence.root).unwrap_or_default();
                crate::disk::look::kind(&context.repo.join(root).join("consensus").join(id.as_str())).is_some()
            });
            kept.map(Some).ok_or(failure)
        }
    }
}

/// Returns the run that was named with `--run`.
///
/// # Errors
/// Usage, when it is no run id.
pub(super) fn named_run(context: &Context) -> Result<Option<RunId>, Failure> {
    let given = context.global.run.clone();
    given
        .map(|given| RunId::try_from(given).map_err(|bad| Failure::usage("--run", bad.to_string(), LIST_HINT)))
        .transpose()
}

/// Where run ids are found.
pub(super) const LIST_HINT: &str = "run `dicast evidence list` to see the runs";
