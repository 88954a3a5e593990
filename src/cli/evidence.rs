//! `evidence verify` and `evidence list` as text for people and as JSON for programs.
//!
//! It must not know how the results came to be, nor print: it returns text.

use std::fmt::Write as _;

use serde_json::json;

use crate::domain::journal::Closed;
use crate::domain::journal::summary::RunSummary;
use crate::domain::journal::verification::Verification;
use crate::domain::moment::Moment;
use crate::domain::safe::Safe;

/// Version of the JSON of `evidence verify`.
pub const VERIFICATION_SCHEMA: &str = "dicast.verification/1";

/// Version of the JSON of `evidence list`.
pub const RUNS_SCHEMA: &str = "dicast.runs/1";

/// Returns the exit code of `evidence verify`: 0, or 3 when something is wrong.
pub fn verification_exit(verification: &Verification) -> u8 {
    if verification.ok { 0 } else { 3 }
}

/// Writes a verification for people.
pub fn verification_text(verification: &Verification) -> String {
    let mut out = String::new();
    for problem in &verification.problems {
        let (path, why) = (Safe::line(&problem.path), Safe::line(&problem.why));
        // Writing to a String cannot fail, here and below.
        let _ = writeln!(out, "{:<9}  {path}: {why}", problem.kind.name());
    }
    for note in &verification.notes {
        let _ = writeln!(out, "note       {}", Safe::line(note));
    }
    let (runs, files) = (counted(verification.runs, "run"), counted(verification.files, "file"));
    let _ = match verification.problems.len() as u64 {
        0 => writeln!(out, "ok: {runs}, {files}, everything is as it was recorded"),
        n => writeln!(out, "not ok: {} in {runs}, {files}", counted(n, "problem")),
    };
    out
}

/// Writes a verification as one JSON object with a line break.
pub fn verification_json(verification: &Verification) -> String {
    let Verification { ok, runs, files, problems, notes } = verification;
    let value = json!({
        "schema": VERIFICATION_SCHEMA, "ok": ok, "runs": runs, "files": files, "problems": problems, "notes": notes,
    });
    format!("{value}\n")
}

/// Writes a list of runs for people: one line each, newest first as given.
pub fn runs_text(runs: &[RunSummary]) -> String {
    if runs.is_empty() {
        return "no runs yet\n".into();
    }
    let mut out = String::new();
    for run in runs {
        let at = run.updated.map_or_else(|| "-".into(), Moment::rfc3339);
        let _ = write!(out, "{}  {at:<24}  {}  {}", run.run, run.spec, state(run));
        let verdicts: Vec<String> =
            run.verdicts.iter().map(|v| format!("{} {} ({})", v.stage, Safe::line(&v.status), v.exit)).collect();
        if !verdicts.is_empty() {
            let _ = write!(out, "  {}", verdicts.join(", "));
        }
        if let Some(damage) = &run.damage {
            let _ = write!(out, "  damaged: {}", Safe::line(damage));
        }
        out.push('\n');
    }
    out
}

/// Writes a list of runs as one JSON object with a line break; moments are RFC 3339.
pub fn runs_json(runs: &[RunSummary]) -> String {
    let moment = |at: Option<Moment>| at.map(Moment::rfc3339);
    let runs: Vec<_> = runs
        .iter()
        .map(|run| {
            json!({
                "spec": run.spec, "run": run.run, "stages": run.stages, "verdicts": run.verdicts,
                "opened": moment(run.opened), "updated": moment(run.updated), "closed": run.closed,
                "damage": run.damage,
            })
        })
        .collect();
    format!("{}\n", json!({"schema": RUNS_SCHEMA, "runs": runs}))
}

fn state(run: &RunSummary) -> &'static str {
    match run.closed {
        None if run.damage.is_some() => "unknown",
        None => "open",
        Some(Closed::Decided) => "decided",
        Some(Closed::Failed) => "failed",
        Some(Closed::Stale) => "stale",
        Some(Closed::Abandoned) => "abandoned",
    }
}

fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::{RunId, SpecId};
    use crate::domain::journal::summary::Decided;
    use crate::domain::journal::verification::ProblemKind;
    use crate::domain::stage::Stage;

    fn verification() -> Verification {
        let mut verification = Verification { runs: 1, files: 7, ..Verification::default() };
        verification.accuse(ProblemKind::Altered, "consensus/x/r/raw/a\u{1b}[2J", "recorded with sha256 00");
        verification.notes.push("a note".into());
        verification
    }

    #[test]
    fn a_verification_is_written_for_people_without_escape_sequences() {
        assert_eq!(
            verification_text(&verification()),
            "altered    consensus/x/r/raw/a␛[2J: recorded with sha256 00\nnote       a note\nnot ok: 1 problem in 1 run, 7 files\n"
        );
        assert_eq!(
            verification_text(&Verification::default()),
            "ok: 0 runs, 0 files, everything is as it was recorded\n"
        );
    }

    #[test]
    fn a_verification_is_written_as_the_contract_says() {
        let value: serde_json::Value = serde_json::from_str(&verification_json(&verification())).unwrap();
        assert_eq!(
            value,
            json!({
                "schema": "dicast.verification/1", "ok": false, "runs": 1, "files": 7,
                "problems": [{"kind": "altered", "path": "consensus/x/r/raw/a\u{1b}[2J", "why": "recorded with sha256 00"}],
                "notes": ["a note"],
            })
        );
        assert_eq!((verification_exit(&verification()), verification_exit(&Verification::default())), (3, 0));
    }

    #[test]
    fn runs_are_listed_with_their_verdicts() {
        let run = RunSummary {
            spec: SpecId::new("001-x").unwrap(),
            run: RunId::try_from("0".repeat(26)).unwrap(),
            opened: Some(Moment(0)),
            updated: Some(Moment(1_000)),
            stages: vec![Stage::Plan],
            verdicts: vec![Decided { stage: Stage::Plan, status: "agree".into(), exit: 0, took_ms: Some(900) }],
            closed: Some(Closed::Decided),
            damage: None,
        };
        assert_eq!(
            runs_text(std::slice::from_ref(&run)),
            "00000000000000000000000000  1970-01-01T00:00:01.000Z  001-x  decided  plan agree (0)\n"
        );
        assert_eq!(runs_text(&[]), "no runs yet\n");
        let value: serde_json::Value = serde_json::from_str(&runs_json(&[run])).unwrap();
        assert_eq!(value["runs"][0]["updated"], "1970-01-01T00:00:01.000Z");
        assert_eq!(
            value["runs"][0]["verdicts"][0],
            json!({"stage": "plan", "status": "agree", "exit": 0, "took_ms": 900})
        );
    }
}
