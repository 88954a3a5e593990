//! Documents of the repository: written in one step each, never over a hand's edit.
//!
//! It must not know what the documents say.

use std::path::Path;

use super::book::numbered;
use super::vault::{Vault, bad_path};
use super::{Document, Edited, PublishReport};
use crate::disk::store::{is_inside, parent};
use crate::domain::failure::Failure;
use crate::domain::hash::Sha;
use crate::domain::journal::FileRef;
use crate::domain::journal::verification::TEMPORARY;

/// Put before a document's ending when a hand's edit keeps its name: `plan.dicast-new.md`.
const NEW: &str = "dicast-new";

/// Put before the ending of what was not ours and made way: `plan.dicast-old.json`.
const OLD: &str = "dicast-old";

/// Writes each document under its name if what stands there is ours (or nothing, or gives way), else beside it. Doing it
/// again changes nothing. A failure may leave some written: the next publication goes on.
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
        let mut is_written = put(vault, &file, text.as_bytes(), is_ours)?;
        while !is_written && document.edited == Edited::GivesWay {
            let (old, bytes) = not_ours(vault, &file.path)?;
            report.gave_way.push(put_beside(vault, old.clone(), OLD, &bytes, |_| false)?);
            is_written = put(vault, &file, text.as_bytes(), |sha| is_ours(sha) || *sha == old.sha256)?;
        }
        if is_written {
            report.written.push(file);
        } else {
            report.kept_aside.push(put_beside(vault, file.clone(), NEW, text.as_bytes(), is_ours)?);
        }
    }
    Ok(report)
}

/// Writes a document unless something that is not ours stands there; returns whether it has the content now.
fn put(vault: &Vault, file: &FileRef, bytes: &[u8], is_ours: impl Fn(&Sha) -> bool) -> Result<bool, Failure> {
    // Looked at before, so that nothing is written in vain, and again after the slow part, so that a hand which saves
    // meanwhile is seen.
    let there = vault.repository.digest(&file.path)?;
    match there {
        Some((sha, _)) if sha == file.sha256 => return Ok(true),
        Some((sha, _)) if !is_ours(&sha) => return Ok(false),
        Some(_) | None => {}
    }
    let staged = vault.repository.stage(&file.path, bytes)?;
    if vault.repository.digest(&file.path)?.is_some_and(|(sha, _)| !is_ours(&sha)) {
        return Ok(false);
    }
    staged.land()?;
    vault.repository.sync_dir(parent(Path::new(&file.path)))?;
    Ok(true)
}

/// Reads what stands where a document is to be.
fn not_ours(vault: &Vault, path: &str) -> Result<(FileRef, Vec<u8>), Failure> {
    let bytes = vault.repository.read(path, u64::MAX)?.unwrap_or_default();
    Ok((FileRef { path: path.to_owned(), sha256: Sha::of(&bytes), bytes: bytes.len() as u64 }, bytes))
}

/// Writes a version beside the one that has the name; what stands beside it already may have been edited too.
fn put_beside(
    vault: &Vault,
    mut file: FileRef,
    mark: &str,
    bytes: &[u8],
    is_ours: impl Fn(&Sha) -> bool,
) -> Result<FileRef, Failure> {
    let beside = marked(&file.path, mark);
    file.path.clone_from(&beside);
    let mut count = 2;
    while !put(vault, &file, bytes, &is_ours)? {
        file.path = numbered(&beside, count);
        count += 1;
    }
    Ok(file)
}

fn marked(path: &str, mark: &str) -> String {
    let file = path.rfind('/').map_or(0, |slash| slash + 1);
    match path[file..].rfind('.').filter(|dot| *dot > 0) {
        Some(dot) => format!("{}.{mark}{}", &path[..file + dot], &path[file + dot..]),
        None => format!("{path}.{mark}"),
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
