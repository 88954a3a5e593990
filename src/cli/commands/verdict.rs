//! `dicast verdict`: what is recorded about a stage, and whether it still holds.

use super::super::args::About;
use super::super::out::Done;
use super::{Context, place, record};
use crate::domain::consensus::{Status, Verdict};
use crate::domain::failure::Failure;
use crate::domain::spec::Folder;

/// The exit code of a verdict about something that is not so any more.
const STALE: u8 = 7;

/// The exit code when the status is not one of those required.
const NOT_IN_LIST: u8 = 1;

/// Shows a recorded verdict; exits with its code, 7 when it is stale, 10 when there is none, 1 when its status is not
/// required.
///
/// # Errors
/// As described, and 64 for a status that is none.
pub(super) fn verdict(context: &Context, about: &About, at: Option<&str>, require: &[String]) -> Result<Done, Failure> {
    let required: Vec<Status> = require.iter().map(|name| status_of(name)).collect::<Result<_, _>>()?;
    let (folder, stage) = place::spec_and_stage(context, &about.spec, about.stage.as_deref())?;
    let verdict = record::recorded(&context.store(), &folder, stage)?;
    let changed = super::status::changed(context, &folder, &verdict, at)?;
    let exit = match changed {
        Some(_) => STALE,
        None if !required.is_empty() && !required.contains(&verdict.status) => NOT_IN_LIST,
        None => verdict.exit,
    };
    if context.global.json {
        let mut value = serde_json::to_value(&verdict).unwrap_or_default();
        if let Some(fields) = value.as_object_mut() {
            // Beside the recorded fields, and outside the hash.
            fields.insert("current".into(), changed.is_none().into());
            fields.insert("changed".into(), changed.clone().into());
        }
        return Ok(Done::value(&value).with_exit(exit));
    }
    Ok(Done::lines(text(&folder, &verdict, changed.as_deref())).with_exit(exit))
}

fn status_of(name: &str) -> Result<Status, Failure> {
    serde_json::from_value(serde_json::Value::String(name.trim().to_owned())).map_err(|_| {
        Failure::usage(
            "--require",
            format!("no status is called {:?}", name.chars().take(40).collect::<String>()),
            "agree, agree_with_dissent, hollow, degraded, no_quorum, conflict, rejected, blocked, infra, cancelled",
        )
    })
}

fn text(folder: &Folder, verdict: &Verdict, changed: Option<&str>) -> String {
    let mut rows = Vec::new();
    let mut row = |name: &str, value: String| rows.push(vec![name.to_owned(), value]);
    let call = match changed {
        Some(_) => "STALE".to_owned(),
        None => verdict.call().to_string(),
    };
    row(&call, format!("{} of {}: {} (exit {})", verdict.stage, folder.id, verdict.status.name(), verdict.exit));
    row("Why", verdict.why());
    if let Some(changed) = changed {
        row("Stale", format!("{changed}; run `dicast {} {}` again", verdict.stage, folder.id));
    }
    let coverage = &verdict.coverage;
    row("Covered", format!("{} of {} must-requirements", coverage.covered, coverage.must));
    if !coverage.uncovered.is_empty() {
        row("Open", coverage.uncovered.join(", "));
    }
    row("Families", format!("{} of {} answered", verdict.families.ok, verdict.families.expected));
    if !verdict.missing_agents.is_empty() {
        let names: Vec<&str> = verdict.missing_agents.iter().map(|agent| agent.as_str()).collect();
        row("Missing", names.join(", "));
    }
    if !verdict.conflicts.is_empty() {
        row("Conflicts", verdict.conflicts.join(", "));
    }
    let dissents: usize = verdict.claims.iter().map(|claim| claim.dissent.len()).sum();
    if dissents > 0 {
        row("Dissent", format!("{dissents}: see `dicast dissent {}`", folder.id));
    }
    row("Record", format!("{}  {}", record::verdict_path(folder, verdict.stage), verdict.hash));
    super::super::out::table(&rows)
}
