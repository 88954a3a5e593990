//! `dicast guardrail`: the guardrails of a stage, without the stage.

use std::time::Duration;

use super::super::ask::Desk;
use super::super::out::Done;
use super::super::plain::guardrails;
use super::{Context, place};
use crate::actors::agents::process::Children;
use crate::actors::repo;
use crate::actors::repo::guardrails::{Cuts, Watch};
use crate::domain::failure::Failure;
use crate::domain::guardrail::{Report, When};
use crate::domain::stage::Stage;
use crate::shell::guard::guarded;
use crate::shell::hands::redactor;

/// How long all of them may take: each has its own deadline.
const WATCHING: Duration = Duration::from_secs(24 * 3_600);

/// The exit code of a failed guardrail.
const RED: u8 = 2;

/// Runs the guardrails before and after a stage, up to the first that fails; exit 2 if one did.
///
/// # Errors
/// Usage for an unknown spec or stage, exit 10 where none is configured, exit 11 while the config is not approved.
pub(super) fn guardrail(context: &Context, stage: &str, spec: Option<&str>) -> Result<Done, Failure> {
    let stage = stage
        .parse::<Stage>()
        .map_err(|unknown| Failure::usage("STAGE", unknown.to_string(), "give a stage, then a spec"))?;
    let spec = place::spec(context, spec)?.id;
    let settings = context.loaded()?.runnable()?;
    let rails = settings.guardrails.get(&stage).cloned().ok_or_else(|| {
        let next = format!("add [guardrails.{stage}] with before or after to .dicast/config.toml");
        Failure::needs_input(format!("guardrails of {stage}"), "none is configured", next)
    })?;
    let desk = Desk::open()?;
    let repo = repo::spawn(&desk.scope, Children::new(&desk.scope));
    let evidence = context.evidence_of(&desk, &settings);
    let mut reports: Vec<Report> = Vec::new();
    for when in [When::Before, When::After] {
        if reports.iter().any(|report| !report.is_green()) {
            break;
        }
        let (rails, redactor) = (rails.clone(), redactor(&settings));
        let watch = Watch { spec: spec.clone(), stage, when, rails, at: context.now, redactor };
        let (hands, root) = ((repo.clone(), evidence.clone()), context.repo.clone());
        let cuts = Cuts { stop: desk.token(), kill: desk.token() };
        let (promise, reply) = crate::actors::promise("guardrail", desk.scope.waker());
        desk.scope.spawn(async move { promise.keep(guarded(hands, root, watch, cuts).await) });
        reports.push(desk.ask(WATCHING, "the guardrails", reply)?);
    }
    let is_green = reports.iter().all(Report::is_green);
    let exit = if is_green { 0 } else { RED };
    let done = match context.global.json {
        true => {
            let why = reports.iter().find_map(Report::why);
            Done::value(&serde_json::json!({
                "schema": "dicast.guardrail/1", "spec_id": spec, "stage": stage, "reports": reports, "passed": is_green,
                "why": why, "exit": exit,
            }))
        }
        false => {
            let lines: Vec<String> = reports.iter().map(guardrails).filter(|text| !text.is_empty()).collect();
            let verdict = if is_green { format!("{stage}: passed") } else { format!("{stage}: FAILED") };
            Done::lines(format!("{}\n{verdict}\n", lines.join("\n")).trim_start().to_owned())
        }
    };
    Ok(done.with_exit(exit))
}
