//! `dicast decide`: reads one file, and nothing else.

use std::path::Path;

use super::super::args::Global;
use super::super::decide::{decide_text, explained, explanation_json};
use super::super::out::Done;
use super::record;
use crate::disk::text::read_text_capped;
use crate::domain::consensus::parse_panel;
use crate::domain::dissent;
use crate::domain::failure::Failure;

/// Largest panel read, in bytes.
const PANEL_MAX: u64 = 64 << 20;

/// The exit code of a panel that cannot be read.
const UNREADABLE: u8 = 3;

/// Decides the panel in a file, or explains one claim of it. The exit code is the verdict's; with `--fail-on-dissent`
/// 1 instead of 0 where it leaves dissent.
///
/// # Errors
/// Exit 3 when the panel cannot be read or is malformed, usage when no claim is called so.
pub(super) fn decide(path: &Path, claim: Option<&str>, global: &Global) -> Result<Done, Failure> {
    let (text, json) = (panel(path)?, global.json);
    let (verdict, pretty) = decide_text(&text)?;
    if let Some(claim) = claim {
        let explanation = explained(&parse_panel(&text)?, &verdict, claim)?;
        return Ok(match json {
            true => Done::value(&explanation_json(&verdict, &explanation, None)),
            false => Done::lines(explanation.to_string()),
        });
    }
    let output = if json { serde_json::to_string(&verdict).unwrap_or_default() + "\n" } else { pretty };
    let mut done = Done::json(output).with_exit(verdict.exit);
    if global.fail_on_dissent && done.exit == 0 {
        let panel = parse_panel(&text)?;
        let waived = panel.waivers.iter().filter(|waiver| waiver.choice.is_none()).map(|waiver| waiver.claim.clone());
        let left = dissent::left(&verdict, &waived.collect());
        record::fail_on_dissent(&mut done, left.len(), "its claims show it under `dissent`");
    }
    Ok(done)
}

/// Reads the panel. Whatever is wrong with the file is not the command line's fault.
fn panel(path: &Path) -> Result<String, Failure> {
    let unreadable = |why: String, next: String| {
        let place = path.display().to_string();
        Failure::BadInput { place, why, next, exit: UNREADABLE }
    };
    match read_text_capped(path, PANEL_MAX) {
        Ok(Some(text)) => Ok(text),
        Ok(None) => Err(unreadable("there is no such file".into(), "check the path".into())),
        Err(Failure::BadInput { why, next, .. }) => Err(unreadable(why, next)),
        Err(failure) => Err(failure),
    }
}
