//! Where specs lie in a repository, and which one a short name means.
//!
//! It must not read files: it is given their paths.

use std::collections::BTreeMap;

use super::Layout;
use crate::domain::failure::Failure;
use crate::domain::ids::SpecId;

/// One spec's folder and what lies in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    /// The folder's name.
    pub id: SpecId,
    /// The folder, relative to the repository.
    pub dir: String,
    /// Which layout.
    pub layout: Layout,
    /// `spec.md` and `PRD.md`, as far as they are there; never empty.
    pub documents: Vec<String>,
}

/// Finds the specs among paths: `specs/<id>/spec.md`, `.specify/specs/<id>/spec.md`, `docs/SPEC-…/{PRD,spec}.md`.
/// Sorted by id; of two folders with one name the first path wins.
pub fn find<'a>(paths: impl IntoIterator<Item = &'a str>) -> Vec<Folder> {
    let mut found: BTreeMap<SpecId, Folder> = BTreeMap::new();
    for path in paths {
        let Some((dir, name)) = path.rsplit_once('/') else { continue };
        let Some((parent, folder)) = dir.rsplit_once('/') else { continue };
        let layout = match (parent, name) {
            ("specs" | ".specify/specs", "spec.md") => Layout::SpecKit,
            ("docs", "spec.md" | "PRD.md") if folder.starts_with("SPEC-") => Layout::Seed,
            _ => continue,
        };
        let Ok(id) = SpecId::new(folder) else { continue };
        let place =
            found.entry(id.clone()).or_insert(Folder { id, dir: dir.to_owned(), layout, documents: Vec::new() });
        if place.dir == dir {
            place.documents.push(path.to_owned());
        }
    }
    let mut places: Vec<Folder> = found.into_values().collect();
    for place in &mut places {
        // `spec.md` before `PRD.md`: it is the one that both layouts have.
        place.documents.sort_by_key(|d| !d.ends_with("/spec.md"));
    }
    places
}

/// Returns the layout of a spec's folder.
pub(super) fn layout_of(dir: &str) -> Layout {
    if dir.starts_with("docs/") { Layout::Seed } else { Layout::SpecKit }
}

/// Returns the spec that a name means: exactly, or as a prefix of one id only; letter case does not count.
///
/// # Errors
/// Usage (exit 64) if it names none or several, listing them.
pub fn resolve(all: &[SpecId], given: &str) -> Result<SpecId, Failure> {
    let given = given.trim().trim_end_matches('/');
    let given = given.rsplit('/').next().unwrap_or(given);
    if let Some(exact) = all.iter().find(|id| id.as_str() == given) {
        return Ok(exact.clone());
    }
    let lower = given.to_lowercase();
    let matches: Vec<&SpecId> =
        all.iter().filter(|id| !lower.is_empty() && id.as_str().to_lowercase().starts_with(&lower)).collect();
    let shown: String = given.chars().take(80).collect();
    match matches.as_slice() {
        [one] => Ok((*one).clone()),
        [] => Err(Failure::usage("SPEC", format!("no spec is called {shown:?}"), known(all))),
        several => {
            let list = list_of(several.iter().copied());
            let why = format!("{shown:?} could be {list}");
            Err(Failure::usage("SPEC", why, "write more of the name"))
        }
    }
}

/// Most ids listed in a hint.
const LISTED: usize = 12;

fn list_of<'a>(ids: impl ExactSizeIterator<Item = &'a SpecId>) -> String {
    let rest = ids.len().saturating_sub(LISTED);
    let mut list = ids.take(LISTED).map(SpecId::as_str).collect::<Vec<_>>().join(", ");
    if rest > 0 {
        list.push_str(&format!(" and {rest} more"));
    }
    list
}

fn known(all: &[SpecId]) -> String {
    if all.is_empty() {
        "write one as specs/001-name/spec.md".into()
    } else {
        format!("these are here: {}", list_of(all.iter()))
    }
}

/// Returns the spec that a branch belongs to: `003-rate-limiter`, `feature/003-rate-limiter`, or any branch whose name
/// starts with one spec's number.
pub fn from_branch(all: &[SpecId], branch: &str) -> Option<SpecId> {
    let name = branch.rsplit('/').next().unwrap_or(branch);
    if let Some(exact) = all.iter().find(|id| id.as_str() == name) {
        return Some(exact.clone());
    }
    let number = |text: &str| text.chars().take_while(char::is_ascii_digit).collect::<String>();
    let wanted = number(name);
    let mut matches = all.iter().filter(|id| !wanted.is_empty() && number(id.as_str()) == wanted);
    matches.next().filter(|_| matches.next().is_none()).cloned()
}
