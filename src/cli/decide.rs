//! `dicast decide`: the pure function on a file's text.
//!
//! It must not read or write files; the command hands it the text and prints what comes back.

use crate::domain::consensus::{PanelError, decide, explain, parse_panel};

/// Decides a panel and returns the verdict as indented JSON, or, given the name of a claim (a key, the start of one,
/// "kind subject", or a subject), the arithmetic of that claim. Ends with a line feed.
///
/// # Errors
/// [`PanelError::Malformed`] names the agent and the field; [`PanelError::NoSuchClaim`] if nothing is called so.
pub fn decide_text(input: &str, name: Option<&str>) -> Result<String, PanelError> {
    let panel = parse_panel(input)?;
    let verdict = decide(&panel);
    match name {
        Some(name) => explain(&panel, &verdict, name)
            .map(|explanation| explanation.to_string())
            .ok_or_else(|| PanelError::NoSuchClaim(name.chars().take(80).collect())),
        None => {
            let mut text = serde_json::to_string_pretty(&verdict).unwrap_or_else(|e| e.to_string());
            text.push('\n');
            Ok(text)
        }
    }
}
