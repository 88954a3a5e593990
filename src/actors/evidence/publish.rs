//! Documents of the repository: written in one step each, never over a hand's edit.
//!
//! It must not know what the documents say.

use std::path::Path;

use super::book::numbered;
use super::vault::{Vault, bad_path};
use super::{Document, PublishReport};
use crate::disk::store::{is_inside, parent};
use crate::domain::failure::Failure;
use crate::domain::hash::Sha;
use crate::domain::journal::FileRef;
use crate::domain::journal::verification::TEMPORARY;

/// Put before a document's ending when a hand's edit keeps its name: `plan.dicast-new.md`.
const ASIDE: &str = "dicast-new";

/// Writes each document under its name if what stands there is ours (or nothing), else beside it. Doing it again
/// changes nothing. A failure may leave some written: the next publication goes on.
pub(super) fn publish(vault: &Vault, documents: &[Document]) -> Result<PublishReport, Failure> {
    if let Some(bad) = documents.iter().find(|document| !is_inside(&document.path)) {
        return Err(bad_path(&bad.path));
    }
    let mut report = PublishReport::default();
    for document in documents {
        let text = vault.redactor.clean(&document.bytes);
        let file = FileRef { path: document.path.clone(), sha256: Sha::of(text.as_bytes()), bytes: text.len() as u64 };
        let folder = parent(Path::new(&document.path));
        vault.repository.make_dirs(folder)?;
        sweep(vault, &document.path)?;
        let is_ours = |sha: &Sha| *sha == file.sha256 || document.ours.contains(sha);
        if put(vault, &file, &text, is_ours)? {
            report.written.push(file);
        } else {
            report.kept_aside.push(put_aside(vault, file, &text)?);
        }
    }
    Ok(report)
}

/// Writes a document unless something that is not ours stands there; returns whether it has the content now.
fn put(vault: &Vault, file: &FileRef, text: &str, is_ours: impl Fn(&Sha) -> bool) -> Result<bool, Failure> {
    // Looked at before, so that nothing is written in vain, and again after the slow part, so that a hand which saves
    // meanwhile is seen.
    let there = vault.repository.digest(&file.path)?;
    match there {
        Some((sha, _)) if sha == file.sha256 => return Ok(true),
        Some((sha, _)) if !is_ours(&sha) => return Ok(false),
        Some(_) | None => {}
    }
    let staged = vault.repository.stage(&file.path, text.as_bytes())?;
    if vault.repository.digest(&file.path)?.is_some_and(|(sha, _)| !is_ours(&sha)) {
        return Ok(false);
    }
    staged.land()?;
    vault.repository.sync_dir(parent(Path::new(&file.path)))?;
    Ok(true)
}

/// Writes ours beside a hand's version; what stands beside it already may have been edited too.
fn put_aside(vault: &Vault, mut file: FileRef, text: &str) -> Result<FileRef, Failure> {
    let aside = numbered_aside(&file.path);
    file.path.clone_from(&aside);
    let mut count = 2;
    while !put(vault, &file, text, |_| false)? {
        file.path = numbered(&aside, count);
        count += 1;
    }
    Ok(file)
}

fn numbered_aside(path: &str) -> String {
    let file = path.rfind('/').map_or(0, |slash| slash + 1);
    match path[file..].rfind('.').filter(|dot| *dot > 0) {
        Some(dot) => format!("{}.{ASIDE}{}", &path[..file + dot], &path[file + dot..]),
        None => format!("{path}.{ASIDE}"),
    }
}

/// Removes what a killed process left beside a document. The spec's lock is held: nobody else writes there.
fn sweep(vault: &Vault, path: &str) -> Result<(), Failure> {
    let path = Path::new(path);
    let start = format!(".{}.", path.file_name().unwrap_or_default().to_string_lossy());
    for entry in vault.repository.list(parent(path))? {
        if entry.name.starts_with(&start) && entry.name.ends_with(TEMPORARY) {
            vault.repository.remove(parent(path).join(entry.name))?;
        }
    }
    Ok(())
}
