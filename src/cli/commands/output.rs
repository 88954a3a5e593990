//! `--output FORMAT FILE`: what a command came to, besides, in a format that CI reads.
//!
//! It must not know what is written.

use std::path::Path;

use super::super::out::{Done, Text};
use crate::disk::text::{needs_folder, write_named_text};
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
pub(super) struct Outputs<'a>(Vec<(Format, &'a str)>);

impl<'a> Outputs<'a> {
    /// Reads the flags, and looks whether the folders are there: whoever mistyped one should not wait for the work.
    ///
    /// # Errors
    /// Usage, for a format that is none or a folder that is not there.
    pub(super) fn of(output: &'a [String]) -> Result<Self, Failure> {
        let mut outputs = Vec::new();
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
            outputs.push((format, file.as_str()));
        }
        outputs.iter().filter(|(_, file)| *file != "-").try_for_each(|(_, file)| needs_folder(Path::new(file)))?;
        Ok(Self(outputs))
    }

    /// Tells whether nothing is to be written.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Writes each.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub(super) fn write(&self, done: &mut Done, text: impl Fn(Format) -> String) -> Result<(), Failure> {
        for (format, file) in &self.0 {
            let text = text(*format);
            if *file == "-" {
                done.text = Text::Lines(text);
            } else {
                write_named_text(Path::new(file), &text)?;
                done.notes.push(format!("wrote {file}"));
            }
        }
        Ok(())
    }
}
