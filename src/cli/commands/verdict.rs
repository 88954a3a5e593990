//! `dicast verdict`: what is recorded about a stage, and whether it still holds.

use super::super::args::About;
use super::super::out::Done;
use super::super::ruled::{OfSpec, Ruled, annotations, junit, sarif};
use super::output::{Format, Outputs};
use super::present::Present;
use super::{Context, place, record, report};
use crate::domain::absent;
use crate::domain::claim::derive::in_words;
use crate::domain::claim::{Severity, Tier};
use crate::domain::consensus::{Call, Judged, Label, Reason, ReasonCode, Status, Verdict};
use crate::domain::failure::Failure;
use crate::domain::range::Ends;
use crate::domain::report::{Case, Mark, markdown, page};
use crate::domain::skip;
use crate::domain::spec::Folder;
use crate::domain::stage::Stage;

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
    let outputs = Outputs::of(&context.global.output)?;
    let required: Vec<Status> = require.iter().map(|name| status_of(name)).collect::<Result<_, _>>()?;
    let (folder, stage) = place::spec_and_stage(context, &about.spec, about.stage.as_deref())?;
    let verdict = record::recorded(&context.store(), &folder, stage)?;
    let changed = Present::new(context, at).changed(&folder, &verdict)?;
    let is_required = required.is_empty() || required.contains(&verdict.status);
    let exit = match changed {
        Some(_) => STALE,
        None if !is_required => NOT_IN_LIST,
        None => verdict.exit,
    };
    let done = match context.global.json {
        true => {
            let mut value = serde_json::to_value(&verdict).unwrap_or_default();
            if let Some(fields) = value.as_object_mut() {
                // Beside the recorded fields, and outside the hash.
                fields.insert("current".into(), changed.is_none().into());
                fields.insert("changed".into(), changed.clone().into());
                if let Some(ends) = Ends::of(&verdict.inputs) {
                    fields.insert("range".into(), serde_json::json!(ends));
                }
            }
            Done::value(&value)
        }
        false => {
            let struck = struck(context, &folder, &verdict);
            Done::lines(text(&folder, &verdict, changed.as_deref(), &struck))
        }
    };
    let mut done = record::heed_dissent(context, &folder, stage, done.with_exit(exit))?;
    let besides = match &changed {
        Some(changed) => Some(changed.clone()),
        None if !is_required => Some(format!("the status is {}, required is {}", verdict.status, require.join(" or "))),
        None if done.exit != exit => Some("a dissent is open".to_owned()),
        None => None,
    };
    if !outputs.is_empty() {
        write(context, &folder, &verdict, (changed, besides), &outputs, &mut done)?;
    }
    Ok(done)
}

/// Writes what CI reads: the verdict as it comes to now, with why it is no pass although it is one by itself.
fn write(
    context: &Context,
    folder: &Folder,
    verdict: &Verdict,
    (changed, besides): (Option<String>, Option<String>),
    outputs: &Outputs<'_>,
    done: &mut Done,
) -> Result<(), Failure> {
    let spec = record::spec(&context.store(), folder)?;
    let redactor = crate::shell::hands::redactor(&context.loaded()?.settings);
    let ledger = record::ledger_of(context, folder, &spec, std::slice::from_ref(verdict))?;
    let is_stale = changed.is_some();
    let stages = vec![report::of_stage(context, folder, Some(&spec), verdict, changed)?];
    let mut page = page(&Case { spec: &spec, stages, ledger: &ledger, at: context.now });
    if let Some(besides) = besides.as_ref().filter(|_| !is_stale) {
        page.mark = Mark::Call(Call::Stop);
        page.sentence = format!("{}: {besides}", verdict.stage);
    }
    let stages = vec![Ruled { verdict, exit: done.exit, besides: besides.as_deref() }];
    let (id, file) = (&folder.id, spec.file.as_str());
    let of = [OfSpec { id, file, spec: Some(&spec), stages, ended: None, redactor: &redactor }];
    outputs.annotate(done, &annotations(&of));
    outputs.write(done, |format| match format {
        Format::Junit => junit("dicast verdict", &of),
        Format::Sarif => sarif(&of),
        Format::Md => markdown(&page, &redactor),
    })
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
    for (left_out, reason) in skip::of(&verdict.inputs) {
        row("Left out", format!("{left_out}: {reason}"));
    }
    let absent = absent::of(&verdict.inputs);
    if !absent.is_empty() {
        row("Not asked", format!("{}: left out by a person", absent.join(", ")));
    }
    if let Some(coverage) = verdict.covered() {
        row("Covered", format!("{} of {} must-requirements", coverage.covered, coverage.must));
        if !coverage.uncovered.is_empty() {
            row("Open", coverage.uncovered.join(", "));
        }
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
        let see = if verdict.stage == Stage::Specify {
            format!("{}/review/specify.md", folder.own)
        } else {
            format!("`dicast dissent {}`", folder.id)
        };
        row("Dissent", format!("{dissents}: see {see}"));
    }
    row("Record", format!("{}  {}", record::verdict_path(folder, verdict.stage), verdict.hash));
    super::super::out::table(&rows)
}
