//! `--output FORMAT FILE`: what a command came to, besides, in a format that CI reads; and what GitHub Actions reads
//! without being asked.
//!
//! It must not know what is written.

use std::path::{Path, PathBuf};

use super::super::github::{self, Annotation};
use super::super::out::{Done, Text};
use crate::disk::text::{append_named_text, length, needs_folder, write_named_text};
use crate::domain::failure::Failure;

/// A format that CI reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// JUnit XML.
    Junit,
    /// SARIF 2.1.0.
    Sarif,
    /// Markdown.
    Md,
}

/// What is to be written where.
#[derive(Debug, Clone)]
pub(super) struct Outputs<'a> {
    named: Vec<(Format, &'a str)>,
    /// The summary of the step that reads us.
    summary: Option<PathBuf>,
}

/// Longest summary of a step (GitHub shows nothing of a longer one), in bytes.
const SUMMARY_MAX: u64 = 1 << 20;

/// What the summary says in place of a report that is too long for it.
const TOO_LONG: &str = "The report is too long for a summary: `--output md FILE` writes it.\n";

impl<'a> Outputs<'a> {
    /// Reads the flags, and looks whether the folders are there: whoever mistyped one should not wait for the work.
    ///
    /// # Errors
    /// Usage, for a format that is none or a folder that is not there.
    pub(super) fn of(output: &'a [String]) -> Result<Self, Failure> {
        let (mut named, mut summary) = (Vec::new(), github::summary());
        for pair in output.chunks(2) {
            let [format, file] = pair else { continue };
            let format = match format.as_str() {
                "sarif" => Format::Sarif,
                "junit" => Format::Junit,
                "md" => Format::Md,
                other => {
                    let why = format!("no report is called {:?}", other.chars().take(40).collect::<String>());
                    return Err(Failure::usage("--output", why, "junit, sarif or md, then a file"));
                }
            };
            // Whoever names the summary does not want it twice.
            let is_summary = format == Format::Md && summary.as_deref() == Some(Path::new(file));
            if !is_summary {
                named.push((format, file.as_str()));
            }
        }
        named.iter().filter(|(_, file)| *file != "-").try_for_each(|(_, file)| needs_folder(Path::new(file)))?;
        // What the runner promised and did not make is not our user's mistake.
        summary = summary.filter(|file| needs_folder(file).is_ok());
        Ok(Self { named, summary })
    }

    /// Tells whether a report was asked for by name.
    pub(super) fn is_named(&self) -> bool {
        !self.named.is_empty()
    }

    /// Tells whether nobody reads more than stdout.
    pub(super) fn is_empty(&self) -> bool {
        self.named.is_empty() && !github::is_reading()
    }

    /// Writes each.
    ///
    /// # Errors
    /// When a file that was named cannot be written.
    pub(super) fn write(&self, done: &mut Done, text: impl Fn(Format) -> String) -> Result<(), Failure> {
        for (format, file) in &self.named {
            let text = text(*format);
            if *file == "-" {
                done.text = Text::Lines(text);
            } else {
                write_named_text(Path::new(file), &text)?;
                done.notes.push(format!("wrote {file}"));
            }
        }
        if let Some(file) = &self.summary
            && let Err(failure) = summarise(file, &text(Format::Md))
        {
            done.notes.push(format!("warning: could not write the summary of the step: {failure}"));
        }
        Ok(())
    }

    /// Tells what stands at which line to the step that reads us.
    pub(super) fn annotate(&self, done: &mut Done, annotations: &[Annotation]) {
        if github::is_reading() {
            done.commands.push_str(&github::commands(annotations));
        }
    }
}

/// Adds to the summary, which all commands of a step share.
fn summarise(file: &Path, text: &str) -> Result<(), Failure> {
    let room = SUMMARY_MAX.saturating_sub(length(file)?);
    let fits = u64::try_from(text.len()).is_ok_and(|long| long < room);
    append_named_text(file, &format!("{}\n", if fits { text } else { TOO_LONG }))
}
