//! Recorded verdicts, byte for byte: a panel in `tests/golden/*.panel.json` gives exactly `*.verdict.json`.
//!
//! After a change that is meant to change verdicts, write them anew with `DICAST_GOLDEN=write cargo test --test golden`
//! and read the difference before you commit it.

#![expect(clippy::disallowed_methods, reason = "a test reads the recorded files beside it")]

use std::fs;
use std::path::PathBuf;

use dicast::cli::decide::{decide_text, explained};
use dicast::domain::consensus::{decide, parse_panel};

/// Returns each recorded panel with the path of its verdict.
fn recorded() -> Vec<(PathBuf, PathBuf)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut found: Vec<(PathBuf, PathBuf)> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter_map(|panel| {
            let name = panel.file_name()?.to_str()?.strip_suffix(".panel.json")?.to_owned();
            let verdict = panel.with_file_name(format!("{name}.verdict.json"));
            Some((panel, verdict))
        })
        .collect();
    found.sort();
    found
}

#[test]
fn recorded_panels_give_the_recorded_verdicts_byte_for_byte() {
    let write = std::env::var("DICAST_GOLDEN").is_ok_and(|v| v == "write");
    let recorded = recorded();
    assert!(recorded.len() >= 5, "only {} recorded panels were found", recorded.len());
    for (panel, verdict) in recorded {
        let (_, now) = decide_text(&fs::read_to_string(&panel).unwrap()).unwrap();
        if write {
            fs::write(&verdict, &now).unwrap();
        }
        let then = fs::read_to_string(&verdict).unwrap();
        assert!(now == then, "{} gives another verdict than the recorded one:\n{now}", panel.display());
    }
}

#[test]
fn a_recorded_claim_is_explained_with_its_arithmetic() {
    let panel = recorded().into_iter().map(|(p, _)| p).find(|p| p.ends_with("conflict.panel.json")).unwrap();
    let panel = parse_panel(&fs::read_to_string(panel).unwrap()).unwrap();
    let explained = explained(&panel, &decide(&panel), "D-001").unwrap();
    assert_eq!(
        explained.to_string(),
        "decision D-001 · answer · major → conflict\n\
         key        c73e45b8b079106945896c7a59e13626640fc3281fb1256910fac60e03c07e47\n\
         side       local: 2 votes, wins\n           codex (openai) major E2 seen\n           gemini (google) minor E0 said\n\
         side       redis: 1 vote\n           claude (anthropic) major E2 seen\n\
         votes      3 of 3 families, 0 silent\n\
         numbers    1 ≥ 1 losing with evidence, though 3·2 ≥ 2·3 holds\n\
         rule       a losing assertion is major and was seen: not outvoted → conflict\n"
    );
}
