//! Looking at the repository: through the repo actor, which reads files and asks git.

use std::sync::Arc;
use std::time::Duration;

use super::super::ask::Desk;
use super::Context;
use crate::actors::agents::process::Children;
use crate::actors::repo;
use crate::domain::check::Report;
use crate::domain::failure::Failure;
use crate::domain::overview::Overview;

/// How long looking may take: a large repository on a slow disk, and git beside it.
const LOOKING: Duration = Duration::from_secs(120);

/// Reads and checks the repository.
///
/// # Errors
/// When it cannot be read.
pub(super) fn overview(context: &Context) -> Result<Arc<Overview>, Failure> {
    let desk = Desk::open()?;
    let reply = actor(&desk).survey(context.repo.clone(), desk.token());
    desk.ask(LOOKING, "reading the repository", reply)
}

/// Checks every spec or one, with the changes of a range if one is given.
///
/// # Errors
/// When it cannot be read, there is no such spec, or git does not know the range.
pub(super) fn report(context: &Context, spec: Option<&str>, range: Option<&str>) -> Result<Arc<Report>, Failure> {
    let desk = Desk::open()?;
    let (spec, range) = (spec.map(str::to_owned), range.map(str::to_owned));
    let reply = actor(&desk).check(context.repo.clone(), spec, range, desk.token());
    desk.ask(LOOKING, "checking the repository", reply)
}

/// Names the state of the code that a verdict about a spec is bound to, in the working copy or at a commit.
///
/// # Errors
/// When git does not know the commit.
pub(super) fn tree(context: &Context, at: Option<&str>) -> Result<String, Failure> {
    let desk = Desk::open()?;
    let reply = actor(&desk).tree_id(context.repo.clone(), at.map(str::to_owned), desk.token());
    desk.ask(LOOKING, "reading the repository", reply)
}

/// Reads our git notes; none outside a git repository.
///
/// # Errors
/// When git does not end in time.
pub(super) fn notes(context: &Context) -> Result<Vec<String>, Failure> {
    let desk = Desk::open()?;
    let reply = actor(&desk).notes(context.repo.clone(), desk.token());
    desk.ask(LOOKING, "reading git notes", reply)
}

/// Adds a text to our git note of the commit that is checked out; returns the commit.
///
/// # Errors
/// When there is no commit, or git refuses.
pub(super) fn add_note(context: &Context, text: String) -> Result<String, Failure> {
    let desk = Desk::open()?;
    let reply = actor(&desk).add_note(context.repo.clone(), text, desk.token());
    desk.ask(LOOKING, "writing a git note", reply)
}

fn actor(desk: &Desk) -> repo::Handle {
    repo::spawn(&desk.scope, Children::new(&desk.scope))
}
