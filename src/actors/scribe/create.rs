//! Making the folder of a new spec.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::pen;
use super::{Created, Scribe};
use crate::disk::{EntryKind, Store};
use crate::domain::draft::{self, Beginning};
use crate::domain::failure::Failure;
use crate::domain::ids::SpecId;
use crate::domain::moment::Moment;

/// Folders whose names have taken numbers.
const SHELVES: [&str; 2] = ["specs", ".specify/specs"];

/// How long git may take to list branches: it has a deadline of its own before this one.
const BRANCHES: Duration = Duration::from_secs(15);

/// Length of a date in a time as RFC 3339 writes it.
const DATE: usize = 10;

impl Scribe {
    /// Makes a spec from a sentence or a document, under the lock: two processes never get one number.
    pub(super) async fn create(
        &self,
        beginning: Beginning,
        at: Moment,
        token: &CancellationToken,
    ) -> Result<Created, Failure> {
        if beginning.name().trim().is_empty() {
            return Err(Failure::usage("new", "there are no words", "say in a sentence what is wanted"));
        }
        let _turn = self.turn.lock().await;
        let guard = self.lock(at, token).await?;
        // A spec may be at work on a branch whose folder is not here.
        let branches = self.repo.branches(self.root.clone(), token.clone()).within(BRANCHES, "the branches").await?;
        let created = self.off_thread(move |store| create(store, &beginning, at, branches)).await;
        drop(guard);
        created
    }
}

fn create(store: &Store, beginning: &Beginning, at: Moment, mut names: Vec<String>) -> Result<Created, Failure> {
    for shelf in SHELVES {
        names.extend(store.list(shelf)?.into_iter().filter(|entry| entry.kind == EntryKind::Dir).map(|e| e.name));
    }
    let spec: SpecId = draft::next_id(names.iter().map(String::as_str), &draft::slug(beginning.name()))?;
    let (source, text) = match beginning {
        Beginning::Sentence(text) => filled(store, &spec, text, at)?,
        Beginning::Document { text, .. } => (None, draft::adopt(&spec, beginning.name(), text)),
    };
    let dir = format!("{}/{spec}", draft::SHELF);
    let file = format!("{dir}/spec.md");
    store.make_dirs(&dir)?;
    store.replace(&file, text.as_bytes())?;
    if store.list(".specify")?.iter().any(|entry| entry.kind == EntryKind::Dir) {
        // As its own script does for a new spec: without it none of the others finds the folder.
        store.replace(draft::POINTER, draft::pointer(&dir).as_bytes())?;
    }
    Ok(Created { spec, file, template: source })
}

/// Fills the template of the repository in, or ours; returns whose it is.
fn filled(store: &Store, spec: &SpecId, text: &str, at: Moment) -> Result<(Option<String>, String), Failure> {
    let mut template = None;
    for path in draft::TEMPLATES {
        if template.is_none() {
            template = pen::text(store, path)?.map(|text| (path.to_owned(), text));
        }
    }
    let (source, body) = template.map_or_else(|| (None, draft::TEMPLATE.to_owned()), |(path, text)| (Some(path), text));
    let date: String = at.rfc3339().chars().take(DATE).collect();
    Ok((source, draft::fill(&body, spec, text, &date)))
}
