//! The benchmark's tables in `docs/benchmarks.md` are printed by the program, and the speed of a decision keeps its
//! measure.

#![expect(clippy::disallowed_methods, reason = "a test reads and writes the manual it compares")]

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use dicast::domain::bench::load::{self, Shape};
use dicast::domain::bench::score::Method;
use dicast::domain::bench::table::{Report, SEED, report};
use dicast::domain::consensus::{decide, parse_panel};

/// What stands around the tables in the docs.
const BEGIN: &str = "<!-- printed by the test `benchmarks` -->\n";
const END: &str = "<!-- end -->";

#[test]
fn the_tables_in_the_docs_are_those_of_the_program() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/benchmarks.md");
    let written = fs::read_to_string(&path).unwrap();
    let (head, rest) = written.split_once(BEGIN).unwrap();
    let (_, tail) = rest.split_once(END).unwrap();
    let printed = format!("{head}{BEGIN}\n{}\n{END}{tail}", report(SEED).unwrap().markdown());
    if std::env::var_os("WRITE_DOCS").is_some() {
        fs::write(&path, &printed).unwrap();
    }
    let now = fs::read_to_string(&path).unwrap();
    assert!(now == printed, "docs/benchmarks.md is old: run WRITE_DOCS=1 cargo test --test benchmarks");
}

#[test]
fn the_command_prints_the_same_bytes_for_the_same_seed() {
    let bench = |words: &[&str]| {
        let ran = Command::new(env!("CARGO_BIN_EXE_dicast")).args(["bench", "consensus"]).args(words).output().unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        String::from_utf8(ran.stdout).unwrap()
    };
    let json = bench(&["--json"]);
    assert_eq!(json, bench(&["--json", "--seed", "1"]));
    assert_ne!(json, bench(&["--json", "--seed", "2"]));
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&value["schema"], &value["seed"]), (&"dicast.bench/1".into(), &SEED.into()));
    let text = bench(&[]);
    for method in Method::ALL {
        assert!(text.contains(method.name()), "{} is missing:\n{text}", method.name());
    }
    let shipped: Report = report(SEED).unwrap();
    let counts: Vec<u64> = value["groups"].as_array().unwrap().iter().map(|g| g["count"].as_u64().unwrap()).collect();
    assert_eq!(counts, shipped.groups.iter().map(|g| g.count as u64).collect::<Vec<_>>());
}

/// Best times of parsing and deciding.
#[expect(clippy::unwrap_used, reason = "a measured panel that cannot be read has failed the test")]
fn best(shape: Shape, each: usize) -> (Duration, Duration) {
    let text = load::panel(shape, each);
    let (mut parsing, mut deciding) = (Duration::MAX, Duration::MAX);
    for _ in 0..4 {
        let start = Instant::now();
        let panel = parse_panel(&text).unwrap();
        let parsed = Instant::now();
        let verdict = decide(&panel);
        let decided = Instant::now();
        (parsing, deciding) = (parsing.min(parsed - start), deciding.min(decided - parsed));
        drop((panel, verdict));
    }
    (parsing, deciding)
}

#[test]
fn deciding_takes_a_few_times_parsing_and_grows_with_the_panel() {
    // Ratios of one run: the machine and the build may be slow, and then both are. A few times is what copying and
    // hashing cost; an algorithm that compares all with all would be thousands of times.
    let (parsing, deciding) = best(Shape::Shared, 1_000);
    assert!(deciding < parsing * 20, "decided in {deciding:?}, parsed in {parsing:?}");
    for shape in Shape::ALL {
        let (_, small) = best(shape, 250);
        let (_, large) = best(shape, 2_000);
        // Eight times the size; a square would take sixty-four times as long.
        assert!(large < small * 32, "{}: {small:?} for 2,000, {large:?} for 16,000", shape.name());
    }
}
