//! Documents of the repository: written in one step each; a hand's edit is merged with, or it stays and ours goes beside.
//!
//! It must not know what the documents say.

use std::path::Path;

use super::book::numbered;
use super::vault::{Vault, backup_of, bad_path};
use super::{Document, Edited, PublishReport};
use crate::disk::store::{is_inside, parent};
use crate::domain::failure::Failure;
use crate::domain::hash::Sha;
use crate::domain::ids::SpecId;
use crate::domain::journal::FileRef;
use crate::domain::journal::base::BESIDE;
use crate::domain::journal::verification::TEMPORARY;
use crate::domain::merge::{Aside, Merge, Merged, Stays, Unmerged, merge};
use crate::domain::spec::DOCUMENT_MAX;

/// Put before the ending of what was not ours and made way: `plan.dicast-old.json`.
const OLD: &str = "dicast-old";

/// How often a document is merged anew because a hand saved it meanwhile.
const TRIES: usize = 3;

/// Writes each document under its name if what stands there is ours (or nothing, or gives way), else merges it with what a
/// hand made of the last one, else writes it beside that. Doing it again changes nothing. A failure may leave some written:
/// the next publication goes on.
pub(super) fn publish(vault: &Vault, spec: &SpecId, documents: &[Document]) -> Result<PublishReport, Failure> {
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
            continue;
        }
        match merge_in(vault, spec, document, &text)? {
            Ok(merge) => report.merged.push(merge),
            Err(why) => {
                let path = document.path.clone();
                let beside = put_beside(vault, file.clone(), BESIDE, text.as_bytes(), is_ours)?;
                report.kept_aside.push(Aside { path, beside, why });
            }
        }
    }
    Ok(report)
}

/// Merges a document with what a hand made of the one that was published before it. The hand's text is kept first.
fn merge_in(vault: &Vault, spec: &SpecId, document: &Document, ours: &str) -> Result<Result<Merge, Unmerged>, Failure> {
    let Some(base) = base_of(vault, spec, document)? else { return Ok(Err(Unmerged::NoBase)) };
    for _ in 0..TRIES {
        let (was, bytes) = not_ours(vault, &document.path)?;
        let Ok(hand) = std::str::from_utf8(&bytes) else { break };
        let merged = |text: &str, stays, backup| {
            let (sha256, bytes) = (Sha::of(text.as_bytes()), text.len() as u64);
            Merge { file: FileRef { path: document.path.clone(), sha256, bytes }, stays, backup }
        };
        if let Some((stays, backup)) = merged_before(vault, spec, (&document.path, &base, ours), hand)? {
            return Ok(Ok(merged(hand, stays, Some(backup))));
        }
        let (text, stays) = match merge(&base, ours, hand) {
            Merged::Clean { text, stays } => (text, stays),
            Merged::Collides(places) => return Ok(Err(Unmerged::Collides(places))),
        };
        if text == hand {
            return Ok(Ok(merged(hand, stays, None)));
        }
        let backup = backup_of(spec, &document.path, &was.sha256);
        vault.repository.make_dirs(parent(Path::new(&backup)))?;
        vault.repository.replace(&backup, &bytes)?;
        let merge = merged(&text, stays, Some(backup));
        if put(vault, &merge.file, text.as_bytes(), |sha| *sha == was.sha256)? {
            return Ok(Ok(merge));
        }
    }
    Ok(Err(Unmerged::Unreadable))
}

/// Reads what a hand began with: what was published last, unless that lies beside the document and waits. A run that was
/// taken away, or altered, has none.
fn base_of(vault: &Vault, spec: &SpecId, document: &Document) -> Result<Option<String>, Failure> {
    for base in &document.bases {
        if let Some(beside) = &base.beside
            && vault.repository.digest(beside)?.is_some()
        {
            continue;
        }
        return Ok(vault.read(spec, &base.run, &base.text).ok().map(|text| text.to_string()));
    }
    Ok(None)
}

/// Finds the text that a hand left, if what stands there is what it was merged to already: by a publication that was cut
/// short before it was recorded.
fn merged_before(
    vault: &Vault,
    spec: &SpecId,
    (path, base, ours): (&str, &str, &str),
    there: &str,
) -> Result<Option<(Stays, String)>, Failure> {
    let any = backup_of(spec, path, &Sha::of(there));
    let (folder, name) = (parent(Path::new(&any)), path.rsplit('/').next().unwrap_or(path));
    for entry in vault.repository.list(folder)? {
        if !entry.name.ends_with(&format!("-{name}")) {
            continue;
        }
        let backup = folder.join(&entry.name);
        let Some(bytes) = vault.repository.read(&backup, DOCUMENT_MAX)? else { continue };
        let Ok(hand) = std::str::from_utf8(&bytes) else { continue };
        if let Merged::Clean { text, stays } = merge(base, ours, hand)
            && text == there
        {
            return Ok(Some((stays, backup.display().to_string())));
        }
    }
    Ok(None)
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
