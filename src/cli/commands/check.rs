//! `dicast check`: holds specs against the code by rules. No config is read, nothing is written but what is asked for.

use std::path::Path;

use super::super::check::{jsonl, junit, sarif, text};
use super::super::out::{Done, Text};
use super::{Context, survey};
use crate::disk::text::{needs_folder, write_named_text};
use crate::domain::check::Report;
use crate::domain::failure::Failure;

/// Checks every spec or one; exit 1 if something was found.
///
/// # Errors
/// When the repository cannot be read, there is no such spec or range, or a report cannot be written.
pub(super) fn check(context: &Context, spec: Option<&str>, range: Option<&str>) -> Result<Done, Failure> {
    let formats = formats(&context.global.output)?;
    // Before the work: whoever mistyped a folder should not wait for it.
    formats.iter().filter(|(_, file)| *file != "-").try_for_each(|(_, file)| needs_folder(Path::new(file)))?;
    let report = survey::report(context, spec, range)?;
    let mut done = match context.global.json {
        true => Done::json(jsonl(&report, context.now)),
        false => Done::lines(text(&report)),
    };
    for (write, file) in formats {
        if file == "-" {
            done.text = Text::Lines(write(&report));
        } else {
            write_named_text(Path::new(file), &write(&report))?;
            done.notes.push(format!("wrote {file}"));
        }
    }
    Ok(done.with_exit(report.exit()))
}

type Writer = fn(&Report) -> String;

/// Returns what is to be written where.
fn formats(output: &[String]) -> Result<Vec<(Writer, &str)>, Failure> {
    let mut formats: Vec<(Writer, &str)> = Vec::new();
    for pair in output.chunks(2) {
        let [format, file] = pair else { continue };
        let write: Writer = match format.as_str() {
            "sarif" => sarif,
            "junit" => junit,
            "md" => text,
            other => {
                let why = format!("no report is called {:?}", other.chars().take(40).collect::<String>());
                return Err(Failure::usage("--output", why, "junit, sarif or md, then a file"));
            }
        };
        formats.push((write, file));
    }
    Ok(formats)
}
