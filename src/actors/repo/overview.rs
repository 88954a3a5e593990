//! Joins what was read, checked and recorded into one overview.
//!
//! Pure: it must not read files or run anything.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::domain::check::{self, Finding, Reading, Report, Tree};
use crate::domain::consensus::Verdict;
use crate::domain::hash::Sha;
use crate::domain::overview::{Git, Overview, Recorded, SpecOverview};
use crate::domain::skip;
use crate::domain::spec::{self, Spec};
use crate::domain::stage::Stage;

use super::git::Whereabouts;

/// Joins everything. `name` is the folder's name.
pub(super) fn overview(
    name: String,
    tree: &Tree,
    reading: &Reading,
    report: Report,
    place: Option<Whereabouts>,
    took_ms: u64,
) -> Overview {
    let ids: Vec<_> = reading.specs.iter().map(|s| s.id.clone()).collect();
    let specs = reading
        .specs
        .iter()
        .filter_map(|spec| {
            let survey = report.specs.iter().find(|s| s.id == spec.id)?.clone();
            let findings: Vec<Finding> = report.of(&spec.id).cloned().collect();
            let verdicts = verdicts(tree, spec);
            Some(SpecOverview { spec: Arc::new(spec.clone()), survey, findings, verdicts })
        })
        .collect();
    let git = place.map(|place| Git {
        branch_spec: place.branch.as_deref().and_then(|branch| spec::from_branch(&ids, branch)),
        branch: place.branch,
        head: place.head.map(|head| head.chars().take(7).collect()),
        dirty: u32::try_from(place.history.dirty.len()).unwrap_or(u32::MAX),
        user: place.user,
    });
    Overview {
        name,
        git,
        specs,
        report: Arc::new(report),
        context: check::context_files(tree),
        hooks: check::hooks(tree),
        checks: check::checks(tree),
        took_ms,
    }
}

/// Reads the verdicts in a spec's folder. One that cannot be read is no verdict: `dicast verdict` says what is wrong.
fn verdicts(tree: &Tree, spec: &Spec) -> BTreeMap<Stage, Recorded> {
    let read = |stage: Stage| {
        let text = tree.text(&spec.verdict_path(stage))?;
        let verdict: Verdict = serde_json::from_str(text).ok()?;
        let is_current = is_current(tree, spec, &verdict);
        let skipped = skip::of(&verdict.inputs);
        Some((stage, Recorded { status: verdict.status, exit: verdict.exit, hash: verdict.hash, is_current, skipped }))
    };
    Stage::ALL.into_iter().filter_map(read).collect()
}

/// Tells whether the spec and the documents are what the verdict is bound to. Whether the code is too can only be said
/// with its tree, which `dicast verdict` compares.
fn is_current(tree: &Tree, spec: &Spec, verdict: &Verdict) -> bool {
    let is_same = |(path, sha): (&String, &Sha)| tree.text(path).is_some_and(|text| Sha::of(text) == *sha);
    verdict.inputs.spec_sha256.as_ref() == Some(&spec.sha) && verdict.inputs.documents.iter().all(is_same)
}
