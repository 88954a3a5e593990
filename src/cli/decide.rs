//! `dicast decide`: the pure function on a file's text.
//!
//! It must not read or write files; the command hands it the text and prints what comes back.

use crate::domain::claim::Kind;
use crate::domain::consensus::{Explanation, Judged, Panel, PanelError, Verdict, decide, explain, parse_panel};
use crate::domain::failure::Failure;
use crate::domain::ids::RunId;

/// Longest name that an error repeats, in characters.
const SHOWN: usize = 80;

/// Decides a panel and returns the verdict and its indented JSON, which ends with a line feed.
///
/// # Errors
/// Exit 3: names the agent and the field.
pub fn decide_text(input: &str) -> Result<(Verdict, String), PanelError> {
    let verdict = decide(&parse_panel(input)?);
    let mut text = serde_json::to_string_pretty(&verdict).unwrap_or_else(|e| e.to_string());
    text.push('\n');
    Ok((verdict, text))
}

/// Explains the claim of a panel that is called so: a key, the start of one, "kind subject", or a subject. Where a
/// requirement's id names several, the one that it is covered is meant.
///
/// # Errors
/// Exit 64 when nothing is called so, or several are, which are listed.
pub fn explained(panel: &Panel, verdict: &Verdict, name: &str) -> Result<Explanation, Failure> {
    if let Some(explanation) = explain(panel, verdict, name) {
        return Ok(explanation);
    }
    let is_same = |text: &str| text.to_lowercase() == name.to_lowercase();
    let called: Vec<&Judged> =
        verdict.claims.iter().filter(|claim| is_same(&claim.subject) || is_same(&claim.title())).collect();
    let is_cover = |claim: &&&Judged| {
        claim.kind == Kind::Covers && panel.requirements.iter().any(|requirement| is_same(&requirement.id.to_string()))
    };
    let covers: Vec<&&Judged> = called.iter().filter(is_cover).collect();
    if let [one] = covers.as_slice()
        && let Some(explanation) = explain(panel, verdict, one.key.as_str())
    {
        return Ok(explanation);
    }
    let shown: String = name.chars().take(SHOWN).collect();
    if called.is_empty() {
        return Err(PanelError::NoSuchClaim(shown).into());
    }
    let names: Vec<String> = called
        .iter()
        .map(|claim| format!("{} ({})", claim.title(), claim.key.as_str().get(..12).unwrap_or_default()))
        .collect();
    let why = format!("{shown:?} names several claims: {}", names.join(", "));
    Err(Failure::usage("CLAIM", why, "give one of these, or its key"))
}

/// Version of the JSON of an explanation.
const EXPLANATION_SCHEMA: &str = "dicast.explanation/1";

/// Writes an explanation for programs; `run` is the one whose panel it is of, where it is one's.
pub fn explanation_json(verdict: &Verdict, explanation: &Explanation, run: Option<&RunId>) -> serde_json::Value {
    let judged = verdict.claims.iter().find(|judged| judged.key == explanation.key);
    serde_json::json!({
        "schema": EXPLANATION_SCHEMA, "spec_id": verdict.spec_id, "stage": verdict.stage, "run": run, "claim": judged,
        "rule": explanation.rule, "comparison": explanation.comparison, "answered": explanation.answered,
        "silent": explanation.silent, "merged_from": explanation.merged_from, "split_from": explanation.split_from,
        "text": explanation.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PANEL: &str = r#"{"schema":"dicast.panel/1","spec_id":"001-x","stage":"plan","agents":[
        {"name":"a","family":"a","status":"ok","claims":[
            {"kind":"risk","subject":"s","predicate":"open","value":"yes","polarity":1}]}]}"#;

    #[test]
    fn the_verdict_is_json_that_ends_with_a_line_feed() {
        let (verdict, text) = decide_text(PANEL).unwrap();
        assert_eq!(serde_json::from_str::<Verdict>(&text).unwrap(), verdict);
        assert!(text.ends_with("}\n") && verdict.exit == 4);
    }

    #[test]
    fn a_bad_panel_exits_3_and_an_unknown_claim_64() {
        let bad = decide_text(&PANEL.replace("\"open\"", "7")).unwrap_err();
        assert!(bad.to_string().starts_with("agent a: claims[0].predicate"), "{bad}");
        assert_eq!(Failure::from(bad).exit(), 3);
        let panel = parse_panel(PANEL).unwrap();
        let verdict = decide(&panel);
        assert_eq!(explained(&panel, &verdict, "nothing").unwrap_err().exit(), 64);
        assert!(explained(&panel, &verdict, "risk s").unwrap().to_string().contains("→ single"));
    }

    #[test]
    fn a_name_of_several_claims_lists_them_unless_it_is_a_requirement() {
        let claim = |kind: &str, subject: &str| {
            format!(r#"{{"kind":"{kind}","subject":"{subject}","predicate":"p","value":"yes","polarity":1}}"#)
        };
        let claims = [claim("covers", "FR-001"), claim("test", "FR-001"), claim("risk", "s"), claim("finding", "s")];
        let text = format!(
            r#"{{"schema":"dicast.panel/1","spec_id":"001-x","stage":"plan",
            "requirements":[{{"id":"FR-001","level":"must"}}],
            "agents":[{{"name":"a","family":"a","status":"ok","claims":[{}]}}]}}"#,
            claims.join(",")
        );
        let panel = parse_panel(&text).unwrap();
        let verdict = decide(&panel);
        assert_eq!(explained(&panel, &verdict, "FR-001").unwrap().kind, Kind::Covers);
        let failure = explained(&panel, &verdict, "s").unwrap_err();
        let said = failure.to_string();
        assert!(failure.exit() == 64 && said.contains("risk s (") && said.contains("finding s ("), "{said}");
    }
}
