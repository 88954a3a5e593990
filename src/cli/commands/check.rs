//! `dicast check`: holds specs against the code by rules. No config is read, nothing is written but what is asked for.

use super::super::check::{annotations, jsonl, junit, markdown, sarif, text};
use super::super::out::Done;
use super::output::{Format, Outputs};
use super::{Context, survey};
use crate::domain::failure::Failure;

/// Checks every spec or one; exit 1 if something was found.
///
/// # Errors
/// When the repository cannot be read, there is no such spec or range, or a report cannot be written.
pub(super) fn check(context: &Context, spec: Option<&str>, range: Option<&str>) -> Result<Done, Failure> {
    let outputs = Outputs::of(&context.global.output)?;
    let report = survey::report(context, spec, range)?;
    let mut done = match context.global.json {
        true => Done::json(jsonl(&report, context.now)),
        false => Done::lines(text(&report)),
    };
    outputs.write(&mut done, |format| match format {
        Format::Junit => junit(&report),
        Format::Sarif => sarif(&report),
        Format::Md => markdown(&report),
    })?;
    outputs.annotate(&mut done, &annotations(&report));
    Ok(done.with_exit(report.exit()))
}
