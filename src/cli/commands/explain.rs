//! `dicast explain`: the arithmetic of one claim, from the panel in the evidence.

use super::super::decide::{explained, explanation_json};
use super::super::out::Done;
use super::{Context, place, record};
use crate::domain::consensus::decide;
use crate::domain::failure::Failure;

/// Explains a claim of the last recorded run of a stage. With two words, the spec is the branch's.
///
/// # Errors
/// Exit 10 when nothing is recorded, 64 when no single claim is called so.
pub(super) fn explain(context: &Context, first: &str, second: &str, third: Option<&str>) -> Result<Done, Failure> {
    let ((folder, stage), claim) = match third {
        Some(claim) => (place::spec_and_stage(context, first, Some(second))?, claim),
        None => (place::spec_and_stage(context, first, None)?, second),
    };
    let of_run = record::panel(context, &folder, stage)?;
    let verdict = decide(&of_run.panel);
    let explanation = explained(&of_run.panel, &verdict, claim)?;
    if !context.global.json {
        return Ok(Done::lines(explanation.to_string()));
    }
    Ok(Done::value(&explanation_json(&verdict, &explanation, Some(&of_run.run))))
}
