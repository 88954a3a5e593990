//! Joins what was read, checked and recorded into one overview.
//!
//! Pure: it must not read files or run anything.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::domain::check::{self, Finding, Reading, Report, Tree};
use crate::domain::consensus::Verdict;
use crate::domain::draft;
use crate::domain::hash::Sha;
use crate::domain::overview::{Git, Overview, Recorded, SpecOverview};
use crate::domain::preparation::tree_id;
use crate::domain::proposal;
use crate::domain::range::Ends;
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
    let code = OnceCell::new();
    let specs = reading
        .specs
        .iter()
        .filter_map(|spec| {
            let survey = report.specs.iter().find(|s| s.id == spec.id)?.clone();
            let findings: Vec<Finding> = report.of(&spec.id).cloned().collect();
            let verdicts = verdicts(tree, &code, spec);
            let is_proposed = proposal::of_spec(tree, spec).is_ok_and(|proposal| proposal.waits());
            let is_blank = draft::is_blank(spec);
            Some(SpecOverview { spec: Arc::new(spec.clone()), survey, findings, verdicts, is_proposed, is_blank })
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
fn verdicts(tree: &Tree, code: &OnceCell<String>, spec: &Spec) -> BTreeMap<Stage, Recorded> {
    let read = |stage: Stage| {
        let text = tree.text(&spec.verdict_path(stage))?;
        let verdict: Verdict = serde_json::from_str(text).ok()?;
        let recorded = Recorded {
            status: verdict.status,
            exit: verdict.exit,
            is_advancing: verdict.is_advancing(),
            is_current: is_current(tree, code, spec, &verdict),
            is_of_commits: Ends::of(&verdict.inputs).is_some(),
            skipped: skip::of(&verdict.inputs),
            hash: verdict.hash,
        };
        Some((stage, recorded))
    };
    Stage::ALL.into_iter().filter_map(read).collect()
}

/// Tells whether the spec, the documents and the code are what the verdict is bound to. `code` is the name of its state,
/// which is found out only if somebody asks.
fn is_current(tree: &Tree, code: &OnceCell<String>, spec: &Spec, verdict: &Verdict) -> bool {
    let is_same = |(path, sha): (&String, &Sha)| tree.text(path).is_some_and(|text| Sha::of(text) == *sha);
    let judged = verdict.inputs.tree.as_ref().filter(|_| verdict.stage >= Stage::Implement);
    verdict.inputs.spec_sha256.as_ref() == Some(&spec.sha)
        && verdict.inputs.documents.iter().all(is_same)
        && judged.is_none_or(|judged| judged == code.get_or_init(|| tree_id(tree)))
}
