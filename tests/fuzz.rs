//! The fuzz targets in the ordinary suite: on every seed, and on a few hundred mutations of each, drawn from a fixed
//! seed. The long runs are steered by coverage and are `.ci/fuzz`'s (docs/fuzzing.md).

#![expect(clippy::unwrap_used, clippy::panic, reason = "a target panics when what it asserts does not hold")]
#![expect(clippy::disallowed_methods, reason = "a test reads the seeds beside it")]

#[path = "fuzz/targets.rs"]
mod targets;

use std::collections::BTreeMap;
use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use targets::TARGETS;

/// Mutations of each seed: enough to meet each kind of mutation often, few enough for the fast tier.
const MUTATIONS: u64 = 60;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The seeds of a target: its own, and the real files of its kind in the repository.
fn seeds(target: &str) -> BTreeMap<PathBuf, Vec<u8>> {
    let real = match target {
        "panel" => Some("tests/golden"),
        "answer" => Some("tests/fuzz/seeds/artifact"),
        "spec" => Some("examples/sample/specs"),
        _ => None,
    };
    let mut found = BTreeMap::new();
    for folder in [Some(format!("tests/fuzz/seeds/{target}")), real.map(str::to_owned)].into_iter().flatten() {
        collect(&root().join(folder), &mut found);
    }
    found
}

fn collect(folder: &Path, found: &mut BTreeMap<PathBuf, Vec<u8>>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, found);
        } else if let Ok(bytes) = fs::read(&path) {
            found.insert(path, bytes);
        }
    }
}

/// The words that the engine puts in, as bytes.
fn words() -> Vec<Vec<u8>> {
    let text = fs::read_to_string(root().join("tests/fuzz/words.dict")).unwrap();
    let unescaped = |word: &str| {
        let mut out = Vec::new();
        let mut rest = word.as_bytes();
        while let Some((byte, after)) = rest.split_first() {
            rest = after;
            match (byte, after) {
                (b'\\', [b'x', a, b, after @ ..]) => {
                    let hex = [*a, *b];
                    out.push(u8::from_str_radix(std::str::from_utf8(&hex).unwrap(), 16).unwrap());
                    rest = after;
                }
                (b'\\', [next, after @ ..]) => {
                    out.push(*next);
                    rest = after;
                }
                _ => out.push(*byte),
            }
        }
        out
    };
    text.lines().filter_map(|line| line.strip_prefix('"')?.strip_suffix('"').map(unescaped)).collect()
}

struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % (n.max(1) as u64)).unwrap_or(0)
    }
}

/// Changes a text in one to four places: a byte flipped, a part removed, doubled, or moved, a word or a part of another
/// seed put in.
fn mutated(bytes: &[u8], others: &[&Vec<u8>], words: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
    let mut out = bytes.to_vec();
    for _ in 0..=dice.below(4) {
        let from = dice.below(out.len() + 1);
        let to = (from + dice.below(40)).min(out.len());
        match dice.below(6) {
            0 if from < out.len() => out[from] ^= 1 << dice.below(8),
            1 => drop(out.drain(from..to)),
            2 => {
                let part = out[from..to].to_vec();
                out.splice(from..from, part);
            }
            3 => {
                let part: Vec<u8> = out.drain(from..to).collect();
                let at = dice.below(out.len() + 1);
                out.splice(at..at, part);
            }
            4 => {
                let other = others[dice.below(others.len())];
                let start = dice.below(other.len() + 1);
                let end = (start + dice.below(200)).min(other.len());
                out.splice(from..to, other[start..end].iter().copied());
            }
            _ => drop(out.splice(from..to, words[dice.below(words.len())].iter().copied())),
        }
    }
    out
}

fn holds(target: fn(&[u8]), name: &str, of: &Path, bytes: &[u8]) {
    let outcome = catch_unwind(|| target(bytes));
    assert!(
        outcome.is_ok(),
        "target {name} does not hold on a text made from {}:\n{}",
        of.display(),
        String::from_utf8_lossy(bytes)
    );
}

#[test]
fn every_target_holds_on_every_seed_and_on_mutations_of_it() {
    let words = words();
    assert!(words.len() > 100, "only {} words were read", words.len());
    let mut runs = 0;
    for (name, target) in TARGETS {
        let seeds = seeds(name);
        assert!(seeds.len() >= 4, "{name} has {} seeds", seeds.len());
        let others: Vec<&Vec<u8>> = seeds.values().collect();
        for (path, bytes) in &seeds {
            holds(target, name, path, bytes);
            let mut dice = Dice(0x9E37_79B9_7F4A_7C15 ^ bytes.len() as u64);
            for _ in 0..MUTATIONS {
                holds(target, name, path, &mutated(bytes, &others, &words, &mut dice));
            }
            runs += MUTATIONS + 1;
        }
    }
    assert!(runs > 1_000, "only {runs} texts were tried");
}

#[test]
fn the_seeds_reach_past_the_first_refusal() {
    let good = |name: &str, is_good: &dyn Fn(&str) -> bool| {
        let seeds = seeds(name);
        let good = seeds.values().filter(|bytes| std::str::from_utf8(bytes).is_ok_and(is_good)).count();
        assert!(2 * good >= seeds.len(), "{name}: {good} of {} seeds are read", seeds.len());
    };
    good("panel", &|text| dicast::domain::consensus::parse_panel(text).is_ok() || text.contains("dicast.verdict/1"));
    good("artifact", &|text| {
        dicast::domain::stage::Stage::RECORDED.into_iter().any(|s| dicast::domain::artifact::parse(s, text).is_ok())
    });
    good("spec", &|text| {
        let id = dicast::domain::ids::SpecId::new("001-a").unwrap();
        !dicast::domain::spec::parse(id, "specs/001-a", "specs/001-a/spec.md", text).requirements.is_empty()
            || !dicast::domain::spec::parse_tasks(text).is_empty()
    });
}
