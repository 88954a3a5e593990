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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::failure::Failure;

    const PANEL: &str = r#"{"schema":"dicast.panel/1","spec_id":"001-x","stage":"plan","agents":[
        {"name":"a","family":"a","status":"ok","claims":[
            {"kind":"risk","subject":"s","predicate":"open","value":"yes","polarity":1}]}]}"#;

    #[test]
    fn the_verdict_is_json_that_ends_with_a_line_feed() {
        let text = decide_text(PANEL, None).unwrap();
        let verdict: crate::domain::consensus::Verdict = serde_json::from_str(&text).unwrap();
        assert!(text.ends_with("}\n") && verdict.exit == 4);
    }

    #[test]
    fn a_bad_panel_exits_3_and_an_unknown_claim_64() {
        let exit = |e: PanelError| Failure::from(e).exit();
        let bad = decide_text(&PANEL.replace("\"open\"", "7"), None).unwrap_err();
        assert!(bad.to_string().starts_with("agent a: claims[0].predicate"), "{bad}");
        assert_eq!(exit(bad), 3);
        assert_eq!(exit(decide_text(PANEL, Some("nothing")).unwrap_err()), 64);
        assert!(decide_text(PANEL, Some("risk s")).unwrap().contains("→ single"));
    }
}
