//! Looking at the repository: through the repo actor, which reads files and asks git.

use std::sync::Arc;

use super::Context;
use crate::domain::check::Report;
use crate::domain::failure::Failure;
use crate::domain::ids::SpecId;
use crate::domain::overview::Overview;

/// Reads and checks the repository.
///
/// # Errors
/// When it cannot be read.
pub(super) fn overview(_context: &Context) -> Result<Arc<Overview>, Failure> {
    Err(Failure::ActorGone { actor: "repo".into() })
}

/// Checks every spec or one, with the changes of a range if one is given.
///
/// # Errors
/// When it cannot be read, or git does not know the range.
pub(super) fn report(context: &Context, _only: Option<SpecId>, _range: Option<&str>) -> Result<Arc<Report>, Failure> {
    overview(context).map(|overview| Arc::clone(&overview.report))
}

/// Returns the tree of the working copy or of a commit; `None` outside git.
///
/// # Errors
/// When git does not know the commit.
pub(super) fn tree(_context: &Context, _at: Option<&str>) -> Result<Option<String>, Failure> {
    Err(Failure::ActorGone { actor: "repo".into() })
}
