//! Where a command works: the repository, its specs, the spec that is meant.
//!
//! It must not read more than names: what is in the specs is not needed to find one.

use std::path::{Path, PathBuf};

use super::Context;
use crate::disk::{EntryKind, look, text};
use crate::domain::failure::Failure;
use crate::domain::ids::SpecId;
use crate::domain::spec::{self, Folder};
use crate::domain::stage::Stage;

/// Folders that hold specs, with the start of the names in them that count.
const SHELVES: [(&str, &str); 4] = [("specs", ""), (".specify/specs", ""), ("docs", "SPEC-"), ("openspec/specs", "")];

/// Where OpenSpec keeps what is to be changed: a folder for each, with one for each capability.
const CHANGES: &str = "openspec/changes";

/// Most bytes of git's small files that are read.
const GIT_MAX: u64 = 4_096;

/// Returns the repository: the one given, else the enclosing git repository, else the current folder.
///
/// # Errors
/// Usage, when the one given is no folder.
pub(super) fn repository(given: Option<&Path>) -> Result<PathBuf, Failure> {
    if let Some(given) = given {
        return match look::kind(given) {
            Some(EntryKind::Dir) => text::canonical(given),
            Some(EntryKind::File | EntryKind::Odd) | None => {
                Err(Failure::usage(format!("--repo {}", given.display()), "it is no folder", "check the path"))
            }
        };
    }
    let here = text::canonical(Path::new("."))?;
    let enclosing = here.ancestors().find(|folder| look::kind(&folder.join(".git")).is_some());
    Ok(enclosing.map(Path::to_path_buf).unwrap_or(here))
}

/// Finds the specs of the repository.
///
/// # Errors
/// A folder that cannot be listed.
pub(super) fn folders(context: &Context) -> Result<Vec<Folder>, Failure> {
    let store = context.store();
    let mut paths = Vec::new();
    for (shelf, start) in SHELVES {
        for entry in store.list(shelf)? {
            if entry.kind != EntryKind::Dir || !entry.name.starts_with(start) {
                continue;
            }
            let dir = format!("{shelf}/{}", entry.name);
            let files = store.list(&dir)?.into_iter().filter(|file| file.kind == EntryKind::File);
            paths.extend(files.map(|file| format!("{dir}/{}", file.name)));
        }
    }
    let is_dir = |entry: &crate::disk::Entry| entry.kind == EntryKind::Dir;
    for change in store.list(CHANGES)?.into_iter().filter(is_dir) {
        let shelf = format!("{CHANGES}/{}/specs", change.name);
        for capability in store.list(&shelf)?.into_iter().filter(is_dir) {
            let dir = format!("{shelf}/{}", capability.name);
            let files = store.list(&dir)?.into_iter().filter(|file| file.kind == EntryKind::File);
            paths.extend(files.map(|file| format!("{dir}/{}", file.name)));
        }
    }
    Ok(spec::find(paths.iter().map(String::as_str)))
}

/// Returns the branch that is checked out, if one is.
pub(super) fn branch(repo: &Path) -> Option<String> {
    let dot_git = repo.join(".git");
    let folder = match look::kind(&dot_git)? {
        EntryKind::Dir => dot_git,
        // In a worktree it is a file that names the folder.
        EntryKind::File => repo.join(small(&dot_git)?.trim().strip_prefix("gitdir: ")?),
        EntryKind::Odd => return None,
    };
    Some(small(&folder.join("HEAD"))?.trim().strip_prefix("ref: refs/heads/")?.to_owned())
}

fn small(path: &Path) -> Option<String> {
    // A file that cannot be read names no branch; the caller says that none was found.
    text::read_text_capped(path, GIT_MAX).ok().flatten()
}

/// Returns the spec that is meant: the one given, else the branch's.
///
/// # Errors
/// Usage (exit 64), listing what there is.
pub(super) fn spec(context: &Context, given: Option<&str>) -> Result<Folder, Failure> {
    let folders = folders(context)?;
    let ids: Vec<SpecId> = folders.iter().map(|folder| folder.id.clone()).collect();
    let id = match given {
        Some(given) => spec::resolve(&ids, given)?,
        None => branch(&context.repo).and_then(|branch| spec::from_branch(&ids, &branch)).ok_or_else(|| {
            let listed = spec::resolve(&ids, "").err().map(|failure| failure.hint()).unwrap_or_default();
            Failure::usage("SPEC", "none was given, and the branch names none", listed)
        })?,
    };
    folders.into_iter().find(|folder| folder.id == id).ok_or_else(|| {
        Failure::usage("SPEC", format!("no spec is called {:?}", id.as_str()), "run `dicast status` to see the specs")
    })
}

/// Returns the spec and the stage that two words mean; a single word is the stage of the branch's spec.
///
/// # Errors
/// Usage (exit 64).
pub(super) fn spec_and_stage(context: &Context, first: &str, second: Option<&str>) -> Result<(Folder, Stage), Failure> {
    let (given, stage) = match second {
        Some(second) => (Some(first), second),
        None => (None, first),
    };
    let parsed = Stage::named(stage).map_err(|unknown| match second {
        Some(_) => Failure::usage("STAGE", unknown.to_string(), "give one of these"),
        None => Failure::usage("STAGE", "a stage is missing", "add plan, tasks, implement, validate, audit or unlock"),
    })?;
    Ok((spec(context, given)?, parsed))
}
