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
    /// Where its plan, tasks, verdicts and reviews are written: the folder, but for one of several capabilities of an
    /// OpenSpec change, which has a folder of its own in it.
    pub own: String,
    /// Which layout.
    pub layout: Layout,
    /// `spec.md` and `PRD.md`, as far as they are there; never empty.
    pub documents: Vec<String>,
}

impl Folder {
    /// Returns where the text is written that a panel proposes for the spec's document.
    pub fn proposal_path(&self) -> String {
        format!("{}/review/spec.md", self.own)
    }

    /// Tells whether a file is one that stages write for the spec: its plan, its task list, a version of either beside a
    /// hand's edit, a review, a verdict.
    pub fn publishes(&self, path: &str) -> bool {
        let Some(name) = path.strip_prefix(&self.own).and_then(|rest| rest.strip_prefix('/')) else { return false };
        let is_document = |rest: &str| rest == ".md" || (rest.starts_with(".dicast-new") && rest.ends_with(".md"));
        WRITTEN_BELOW.iter().any(|folder| name.starts_with(folder))
            || WRITTEN.iter().any(|stem| name.strip_prefix(stem).is_some_and(is_document))
    }
}

/// Folders of a spec in which stages write.
const WRITTEN_BELOW: [&str; 2] = ["verdicts/", "review/"];

/// Documents of a spec that stages write, without their ending.
const WRITTEN: [&str; 2] = ["plan", "tasks"];

/// Finds the specs among paths: `specs/<id>/spec.md`, `.specify/specs/<id>/spec.md`, `docs/SPEC-…/{PRD,spec}.md`,
/// `openspec/specs/<id>/spec.md`, `openspec/changes/<id>/specs/<capability>/spec.md`. Sorted by id; of two folders with
/// one name the first path wins. A change of several capabilities is a spec for each: `<id>.<capability>`.
pub fn find<'a>(paths: impl IntoIterator<Item = &'a str>) -> Vec<Folder> {
    let mut found: BTreeMap<SpecId, Folder> = BTreeMap::new();
    for path in paths {
        let Some((dir, folder, layout)) = home_of(path) else { continue };
        let Ok(id) = SpecId::new(folder) else { continue };
        let place = found.entry(id.clone()).or_insert(Folder {
            id,
            dir: dir.to_owned(),
            own: dir.to_owned(),
            layout,
            documents: Vec::new(),
        });
        if place.dir == dir {
            place.documents.push(path.to_owned());
        }
    }
    let mut places: Vec<Folder> = found.into_values().flat_map(capabilities).collect();
    for place in &mut places {
        // `spec.md` before `PRD.md`: it is the one that both layouts have.
        place.documents.sort_by_key(|d| !d.ends_with("/spec.md"));
    }
    places.sort_by(|a, b| a.id.cmp(&b.id));
    places
}

/// Where OpenSpec keeps what is to be changed.
const CHANGES: &str = "openspec/changes/";

/// Returns the folder of the spec that a document defines, the folder's name, and the layout.
fn home_of(path: &str) -> Option<(&str, &str, Layout)> {
    let (dir, name) = path.rsplit_once('/')?;
    if let Some(rest) = path.strip_prefix(CHANGES) {
        let (change, below) = rest.split_once('/')?;
        let is_delta = below.starts_with("specs/") && name == "spec.md" && below.split('/').count() == 3;
        // What was archived is part of `openspec/specs` by now.
        return (is_delta && change != "archive").then(|| {
            let end = CHANGES.len() + change.len();
            (&path[..end], change, Layout::OpenSpec)
        });
    }
    let (parent, folder) = dir.rsplit_once('/')?;
    let layout = match (parent, name) {
        ("specs" | ".specify/specs", "spec.md") => Layout::SpecKit,
        ("docs", "spec.md" | "PRD.md") if folder.starts_with("SPEC-") => Layout::Seed,
        ("openspec/specs", "spec.md") => Layout::OpenSpec,
        _ => return None,
    };
    Some((dir, folder, layout))
}

/// Takes a change of several capabilities apart. What they share (proposal, design, a task list) is read from the
/// change's folder; what is written for one lies beside its own delta, where OpenSpec looks for `spec.md` only.
fn capabilities(place: Folder) -> Vec<Folder> {
    if place.layout != Layout::OpenSpec || place.documents.len() < 2 {
        return vec![place];
    }
    let of = |path: &String| {
        let (own, _) = path.rsplit_once('/')?;
        let (_, capability) = own.rsplit_once('/')?;
        let id = SpecId::new(&format!("{}.{capability}", place.id)).ok()?;
        Some(Folder { id, own: own.to_owned(), documents: vec![path.clone()], ..place.clone() })
    };
    place.documents.iter().filter_map(of).collect()
}

/// Returns the layout of a spec's folder.
pub(super) fn layout_of(dir: &str) -> Layout {
    if dir.starts_with("docs/") {
        Layout::Seed
    } else if dir.starts_with("openspec/") {
        Layout::OpenSpec
    } else {
        Layout::SpecKit
    }
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
        "make one with `dicast new TEXT`, or write one as specs/001-name/spec.md".into()
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
