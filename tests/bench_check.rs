//! `dicast bench check`: its table is the one in the manual, and it reaches its aims.

#![expect(clippy::disallowed_methods, reason = "a test starts the program it judges")]

use std::process::Command;

use dicast::cli::sample;
use dicast::domain::bench::mutants;
use dicast::domain::check::{FileText, Tree};

fn table() -> mutants::Table {
    let files = sample::files().iter().map(|(path, text)| ((*path).to_owned(), FileText::text(*text))).collect();
    mutants::run(Tree { files, ..Tree::default() })
}

#[test]
fn the_manual_shows_the_table_that_the_bench_prints_and_its_aims_are_reached() {
    let table = table();
    let text = table.text();
    let manual = include_str!("../docs/benchmarks.md");
    assert!(manual.contains(&text), "docs/benchmarks.md does not have:\n{text}");
    assert_eq!(table.unsound, 0);
    let (found, all) = table.recall();
    assert!(found * 100 >= all * 95, "{found} of {all}");
    let (alarms, all) = table.alarms();
    assert!(alarms * 100 <= all * 3, "{alarms} of {all}");
    // A kind that makes no mutant measures nothing.
    assert!(table.rows.iter().all(|row| row.mutants > 0), "{text}");
}

#[test]
#[ignore = "slow: the whole table three times; .ci/run runs it"]
fn the_command_prints_the_table_as_text_and_as_json() {
    let bench = |words: &[&str]| {
        let ran = Command::new(env!("CARGO_BIN_EXE_dicast")).args(["bench", "check"]).args(words).output().unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        String::from_utf8(ran.stdout).unwrap()
    };
    assert!(include_str!("../docs/benchmarks.md").contains(bench(&[]).trim_end()));
    let json: serde_json::Value = serde_json::from_str(&bench(&["--json"])).unwrap();
    assert_eq!(json["schema"], "dicast.bench-check/1");
    assert_eq!(json["rows"].as_array().unwrap().len(), table().rows.len());
}
