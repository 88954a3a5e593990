//! How far a spec has come: what is recorded for its stages, what of it still holds, and which stage is next.
//!
//! It must not know how that is shown, nor what is asked for next.

use std::collections::{BTreeMap, BTreeSet};

use super::present::Present;
use super::{Context, record};
use crate::domain::consensus::Verdict;
use crate::domain::failure::Failure;
use crate::domain::moment::Moment;
use crate::domain::progress::{self, Step};
use crate::domain::range::Ends;
use crate::domain::skip::{self, Skipped};
use crate::domain::spec::Folder;
use crate::domain::stage::Stage;

/// Milliseconds of an hour.
const HOUR: u64 = 3_600_000;

/// What is recorded about a stage.
pub(super) enum Recorded {
    /// A verdict that can be read.
    Read(Box<Standing>),
    /// It cannot be read, or was changed by hand.
    Unreadable {
        stage: Stage,
        /// Why, in words.
        why: String,
    },
}

impl Recorded {
    /// Returns which.
    pub(super) fn stage(&self) -> Stage {
        match self {
            Recorded::Read(standing) => standing.verdict.stage,
            Recorded::Unreadable { stage, .. } => *stage,
        }
    }
}

/// A recorded verdict, and what became of what it was about.
pub(super) struct Standing {
    pub(super) verdict: Verdict,
    /// What changed since, in words.
    pub(super) changed: Option<String>,
    /// Whether it is older than asked for.
    pub(super) is_old: bool,
}

/// Reads what is recorded for a spec, and whether it still holds; older than `stale_hours` is old.
///
/// # Errors
/// When what was judged cannot be compared with what is there now.
pub(super) fn standings(
    context: &Context,
    present: &Present<'_>,
    folder: &Folder,
    stale_hours: Option<u64>,
) -> Result<Vec<Recorded>, Failure> {
    let mut recorded = beside_code(context, present, folder, stale_hours)?;
    hold_against_code(&mut recorded, present)?;
    Ok(recorded)
}

/// Does what [`standings`] does, but for the code: that is compared by [`hold_against_code`].
///
/// # Errors
/// When a document cannot be read.
pub(super) fn beside_code(
    context: &Context,
    present: &Present<'_>,
    folder: &Folder,
    stale_hours: Option<u64>,
) -> Result<Vec<Recorded>, Failure> {
    let store = context.store();
    let mut recorded = Vec::new();
    for stage in Stage::ALL {
        let verdict = match record::verdict(&store, folder, stage) {
            Ok(None) => continue,
            Ok(Some(verdict)) => verdict,
            // One bad file must not hide the others; `verdict` refuses it.
            Err(failure) => {
                recorded.push(Recorded::Unreadable { stage, why: failure.to_string() });
                continue;
            }
        };
        let changed = present.documents_changed(folder, &verdict)?;
        let limit = stale_hours.map(|hours| Moment(context.now.0.saturating_sub(hours.saturating_mul(HOUR))).rfc3339());
        // RFC 3339 in UTC with milliseconds sorts as text.
        let is_old = limit.is_some_and(|limit| verdict.recorded_at.as_ref().is_some_and(|at| *at < limit));
        recorded.push(Recorded::Read(Box::new(Standing { verdict, changed, is_old })));
    }
    Ok(recorded)
}

/// Compares what was judged with the code as it is now.
///
/// # Errors
/// When the code cannot be read.
pub(super) fn hold_against_code(recorded: &mut [Recorded], present: &Present<'_>) -> Result<(), Failure> {
    for one in recorded {
        if let Recorded::Read(standing) = one
            && standing.changed.is_none()
        {
            standing.changed = present.code_changed(&standing.verdict)?;
        }
    }
    Ok(())
}

/// Returns the commits of a change that was made elsewhere and was audited here.
pub(super) fn elsewhere(standings: &[Recorded]) -> Option<Ends> {
    if standings.iter().any(|recorded| recorded.stage() == Stage::Implement) {
        return None;
    }
    standings.iter().find_map(|recorded| match recorded {
        Recorded::Read(standing) if standing.verdict.stage == Stage::Audit => Ends::of(&standing.verdict.inputs),
        Recorded::Read(_) | Recorded::Unreadable { .. } => None,
    })
}

/// Returns what the rules of progress ask about each stage.
fn steps(standings: &[Recorded]) -> BTreeMap<Stage, Step> {
    let step = |recorded: &Recorded| match recorded {
        Recorded::Read(standing) => Step {
            has_passed: standing.changed.is_none() && standing.verdict.is_advancing(),
            is_of_commits: Ends::of(&standing.verdict.inputs).is_some(),
            skipped: skip::of(&standing.verdict.inputs),
        },
        Recorded::Unreadable { .. } => Step::default(),
    };
    standings.iter().map(|recorded| (recorded.stage(), step(recorded))).collect()
}

/// Returns the first stage that is not behind a spec.
pub(super) fn next(standings: &[Recorded]) -> Option<Stage> {
    progress::next(&steps(standings), &BTreeSet::new())
}

/// Returns what the verdicts that can be read say was left out, where nothing that passed is recorded.
pub(super) fn left_out(standings: &[Recorded]) -> Skipped {
    progress::left_out(&steps(standings))
}
