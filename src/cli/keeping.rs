//! `evidence stats`, `archive`, `purge`, `bundle` and `anchor` as text for people and as JSON for programs.
//!
//! It must not know how the results came to be, nor print: it returns text.

use serde_json::json;

use super::out::table;
use crate::actors::evidence::Removal;
use crate::domain::failure::Failure;
use crate::domain::hash::Sha;
use crate::domain::ids::{RunId, SpecId};
use crate::domain::journal::sizes::{Amount, Sizes, megabytes};
use crate::domain::journal::tombstone::Fate;

/// Version of the JSON of `evidence stats`.
pub const SIZES_SCHEMA: &str = "dicast.evidence-stats/1";

/// Version of the JSON of `evidence archive` and `purge`.
pub const REMOVALS_SCHEMA: &str = "dicast.evidence-removals/1";

/// Version of the JSON of `evidence bundle`.
pub const BUNDLE_SCHEMA: &str = "dicast.bundle/1";

/// Version of the JSON of `evidence anchor`.
pub const ANCHORED_SCHEMA: &str = "dicast.anchored/1";

/// What archiving or purging came to.
#[derive(Debug, Default)]
pub struct Removals {
    /// Runs that were taken away.
    pub removed: Vec<Removal>,
    /// Runs that were left, with why.
    pub kept: Vec<(SpecId, RunId, Failure)>,
}

/// Writes sizes for people.
pub fn sizes_text(sizes: &Sizes) -> String {
    if sizes.specs.is_empty() {
        return "no evidence yet\n".into();
    }
    let mut rows = vec![["SPEC", "RUNS", "ARCHIVED", "PURGED", "FILES", "SIZE"].map(str::to_owned).to_vec()];
    for (spec, account) in &sizes.specs {
        rows.push(vec![
            spec.to_string(),
            account.runs.to_string(),
            account.archived.to_string(),
            account.purged.to_string(),
            account.all.files.to_string(),
            megabytes(account.all.bytes),
        ]);
    }
    let mut out = table(&rows);
    for (spec, account) in &sizes.specs {
        let part = |(name, amount): (&String, &Amount)| format!("{name} {}", megabytes(amount.bytes));
        let list =
            |parts: &std::collections::BTreeMap<String, Amount>| parts.iter().map(part).collect::<Vec<_>>().join(" · ");
        out.push_str(&format!("\n{spec}\n  stages  {}\n  kinds   {}\n", list(&account.stages), list(&account.kinds)));
    }
    let all = &sizes.all;
    out.push_str(&format!("\nall: {} files, {}\n", all.files, megabytes(all.bytes)));
    for warning in sizes.warnings() {
        out.push_str(&format!("warning: {warning}\n"));
    }
    out
}

/// Writes sizes as one JSON object with a line break.
pub fn sizes_json(sizes: &Sizes) -> String {
    let Sizes { specs, all, large: _ } = sizes;
    let value = json!({
        "schema": SIZES_SCHEMA, "files": all.files, "bytes": all.bytes, "specs": specs, "warnings": sizes.warnings(),
    });
    format!("{value}\n")
}

/// Writes for people what archiving or purging came to.
pub fn removals_text(removals: &Removals) -> String {
    let mut out = String::new();
    for removal in &removals.removed {
        let Removal { spec, run, fate, files, bytes, archive, tombstone } = removal;
        let size = megabytes(*bytes);
        match archive {
            Some(file) => out.push_str(&format!(
                "archived {run} of {spec}: {files} files, {size} -> {} ({}), sha256 {}\n",
                file.path,
                megabytes(file.bytes),
                file.sha256
            )),
            None => out.push_str(&format!(
                "{} {run} of {spec}: {files} files, {size}; every file with its sha256 stands in {tombstone}\n",
                fate.name()
            )),
        }
    }
    for (spec, run, why) in &removals.kept {
        out.push_str(&format!("kept {run} of {spec}: {why}\n  next: {}\n", why.hint()));
    }
    if out.is_empty() {
        out.push_str("nothing to do: no closed run is that old, or each decided a verdict that stands\n");
    }
    out
}

/// Writes what archiving or purging came to as one JSON object with a line break.
pub fn removals_json(removals: &Removals) -> String {
    let removed: Vec<_> = removals
        .removed
        .iter()
        .map(|r| {
            json!({
                "spec": r.spec, "run": r.run, "fate": r.fate, "files": r.files, "bytes": r.bytes,
                "archive": r.archive, "tombstone": r.tombstone,
            })
        })
        .collect();
    let kept: Vec<_> = removals
        .kept
        .iter()
        .map(|(spec, run, why)| json!({"spec": spec, "run": run, "why": why.to_string(), "next": why.hint()}))
        .collect();
    format!("{}\n", json!({"schema": REMOVALS_SCHEMA, "removed": removed, "kept": kept}))
}

/// Writes for people what a purge would take away.
pub fn purge_question(runs: &[(SpecId, RunId)]) -> String {
    let mut out = String::new();
    for (spec, run) in runs {
        out.push_str(&format!("  {run} of {spec}\n"));
    }
    format!("this removes for good, transcripts included:\n{out}")
}

/// Writes what was bundled, for people or for programs.
pub fn bundled(run: &RunId, spec: &SpecId, path: &str, sha256: &Sha, bytes: u64, is_json: bool) -> String {
    if is_json {
        let value = json!({
            "schema": BUNDLE_SCHEMA, "spec": spec, "run": run, "path": path, "sha256": sha256, "bytes": bytes,
        });
        return format!("{value}\n");
    }
    let size = megabytes(bytes);
    format!(
        "wrote {path}: {run} of {spec}, {size}, sha256 {sha256}\ncheck it with: dicast evidence verify --bundle {path}\n"
    )
}

/// Writes what was anchored, for people or for programs.
pub fn anchored(commit: &str, heads: usize, is_json: bool) -> String {
    if is_json {
        return format!("{}\n", json!({"schema": ANCHORED_SCHEMA, "commit": commit, "heads": heads}));
    }
    let chains = if heads == 1 { "1 chain".to_owned() } else { format!("{heads} chains") };
    format!(
        "anchored the end of {chains} in the git note of {commit}\n\
         let others keep it, too: git push origin refs/notes/dicast\n"
    )
}

/// Returns the exit code of archiving or purging: that of the first run that could not be taken away.
pub fn removals_exit(removals: &Removals) -> u8 {
    removals.kept.first().map_or(0, |(_, _, why)| why.exit())
}

/// Returns what a fate is called while it happens.
pub fn verb(fate: Fate) -> &'static str {
    match fate {
        Fate::Archived => "archiving",
        Fate::Purged => "purging",
    }
}
