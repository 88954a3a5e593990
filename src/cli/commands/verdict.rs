//! `dicast verdict`: what is recorded about a stage, and whether it still holds.

use super::super::args::About;
use super::super::out::Done;
use super::{Context, place, record};
use crate::domain::claim::derive::in_words;
use crate::domain::claim::{Severity, Tier};
use crate::domain::consensus::{Judged, Label, Reason, ReasonCode, Status, Verdict};
use crate::domain::failure::Failure;
use crate::domain::range::Ends;
use crate::domain::spec::Folder;

/// The exit code of a verdict about something that is not so any more.
const STALE: u8 = 7;

/// The exit code when the status is not one of those required.
const NOT_IN_LIST: u8 = 1;

/// How many struck assertions are shown in words.
const SHOWN: usize = 5;

/// Shows a recorded verdict; exits with its code, 7 when it is stale, 10 when there is none, 1 when its status is not
/// required, or with `--fail-on-dissent` while dissent up to this stage is open.
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
            if let Some(ends) = Ends::of(&verdict.inputs) {
                fields.insert("range".into(), serde_json::json!(ends));
            }
        }
        return record::heed_dissent(context, &folder, stage, Done::value(&value).with_exit(exit));
    }
    let struck = struck(context, &folder, &verdict);
    let done = Done::lines(text(&folder, &verdict, changed.as_deref(), &struck)).with_exit(exit);
    record::heed_dissent(context, &folder, stage, done)
}

/// Returns what was said and is not so, in words: assertion by assertion from the evidence, or where that is not here
/// as the verdict counts it.
fn struck(context: &Context, folder: &Folder, verdict: &Verdict) -> Vec<String> {
    let is_charge = |code| matches!(code, ReasonCode::PhantomCompletion | ReasonCode::RanFalse);
    let charges: Vec<_> = verdict.reasons.iter().filter(|reason| is_charge(reason.code)).collect();
    if charges.is_empty() {
        return Vec::new();
    }
    if let Ok(of_run) = record::panel(context, folder, verdict.stage)
        && of_run.hash == verdict.hash
    {
        let found =
            |tier| if tier == Tier::E3False { "it was run, and is not so" } else { "it was looked up, and is not so" };
        return of_run
            .panel
            .agents
            .iter()
            .flat_map(|agent| agent.claims.iter().map(|claim| (&agent.name, claim)))
            .filter(|(_, claim)| claim.tier.is_false())
            .map(|(agent, claim)| format!("{agent} said {}: {}", in_words(claim, &[]), found(claim.tier)))
            .collect();
    }
    let of = |reason: &&Reason| {
        let agents: Vec<&str> = reason.agents.iter().map(|agent| agent.as_str()).collect();
        format!("{} {}", agents.join(", "), reason.code.words())
    };
    charges.iter().map(of).collect()
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

fn text(folder: &Folder, verdict: &Verdict, changed: Option<&str>, struck: &[String]) -> String {
    let mut rows = Vec::new();
    let mut row = |name: &str, value: String| rows.push(vec![name.to_owned(), value]);
    let call = match changed {
        Some(_) => "STALE".to_owned(),
        None => verdict.call().to_string(),
    };
    row(&call, format!("{} of {}: {} (exit {})", verdict.stage, folder.id, verdict.status.name(), verdict.exit));
    row("Why", verdict.why());
    for said in struck.iter().take(SHOWN) {
        row("Struck", said.clone());
    }
    if struck.len() > SHOWN {
        row("", format!("… {} more", struck.len() - SHOWN));
    }
    if let Some(changed) = changed {
        row("Stale", format!("{changed}; run `dicast {} {}` again", verdict.stage, folder.id));
    }
    if let Some(ends) = Ends::of(&verdict.inputs) {
        row("Range", ends.revisions());
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
    // Those of severity info never move a status.
    let matters = |claim: &&Judged| claim.label == Label::Conflict && claim.severity > Severity::Info;
    let conflicts: Vec<String> = verdict.claims.iter().filter(matters).map(Judged::title).collect();
    if !conflicts.is_empty() {
        row("Conflicts", conflicts.join(", "));
    }
    let dissents: usize = verdict.claims.iter().map(|claim| claim.dissent.len()).sum();
    if dissents > 0 {
        row("Dissent", format!("{dissents}: see `dicast dissent {}`", folder.id));
    }
    row("Record", format!("{}  {}", record::verdict_path(folder, verdict.stage), verdict.hash));
    super::super::out::table(&rows)
}
