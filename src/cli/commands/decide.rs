//! `dicast decide`: reads one file, and nothing else.

use std::path::Path;

use super::super::decide::decide_text;
use super::super::out::Done;
use super::given_text;
use crate::domain::failure::Failure;

/// Largest panel read, in bytes.
const PANEL_MAX: u64 = 64 << 20;

/// Decides the panel in a file, or explains one claim of it. The exit code is the verdict's.
///
/// # Errors
/// Usage when there is no such file, exit 3 when the panel is malformed.
pub(super) fn decide(path: &Path, claim: Option<&str>) -> Result<Done, Failure> {
    let text = given_text(path, PANEL_MAX)?;
    let output = decide_text(&text, claim)?;
    if claim.is_some() {
        return Ok(Done::lines(output));
    }
    // The text is our own: a verdict without an exit code cannot be.
    let verdict: serde_json::Value = serde_json::from_str(&output).unwrap_or_default();
    let exit = verdict.get("exit").and_then(serde_json::Value::as_u64).and_then(|exit| u8::try_from(exit).ok());
    Ok(Done::json(output).with_exit(exit.unwrap_or(3)))
}
