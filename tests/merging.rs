//! What merging catches, measured: precision and recall over labelled pairs, beside two other methods.
//!
//! The table in docs/verdicts.md is what `cargo test --test merging -- --nocapture` prints. Ours is measured through
//! `decide`; the others get the thresholds that suit them best on these very pairs, which flatters them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![expect(clippy::disallowed_methods, clippy::print_stdout, reason = "a test reads the pairs and prints the table")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use dicast::domain::claim::{Assertion, Kind, Polarity, Severity, Tier};
use dicast::domain::consensus::policy::Ratio;
use dicast::domain::consensus::{Answer, Panel, Participant, decide};
use dicast::domain::ids::{AgentName, Family, SpecId};
use dicast::domain::stage::Stage;

/// The classes of pairs, as the table shows them; the first two are the same thing said twice.
const CLASSES: [&str; 7] = ["near", "words", "number", "negation", "quoted", "swap", "topic"];

/// The lowest threshold that a policy accepts: whatever shares a run of words is near.
const LOWEST: &str = "1/1000000";

struct Pair {
    is_same: bool,
    class: String,
    texts: [String; 2],
}

fn read(path: &str) -> String {
    fs::read_to_string(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn pairs() -> Vec<Pair> {
    let text = read("tests/merging/pairs.tsv");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let fields: Vec<&str> = line.split('\t').collect();
            let [label, class, a, b] = fields.as_slice() else { unreachable!("{line}") };
            assert!(CLASSES.contains(class) && ["same", "different"].contains(label), "{line}");
            Pair { is_same: *label == "same", class: (*class).into(), texts: [(*a).into(), (*b).into()] }
        })
        .collect()
}

/// Tells whether a panel of two families that say one text each ends with one claim.
fn merges(texts: [&str; 2], threshold: Ratio) -> bool {
    let mut panel = Panel::new(SpecId::new("001-pairs").unwrap(), Stage::Plan);
    panel.policy.merge_threshold = threshold;
    for (name, text) in ["a", "b"].into_iter().zip(texts) {
        panel.agents.push(Participant {
            name: AgentName::new(name).unwrap(),
            family: Family::new(name).unwrap(),
            voter: true,
            status: Answer::Ok,
            open_dissent: Vec::new(),
            artifact: None,
            claims: vec![Assertion {
                kind: Kind::Risk,
                subject: text.into(),
                predicate: "open".into(),
                value: "yes".into(),
                polarity: Polarity::Yes,
                severity: Severity::Minor,
                tier: Tier::E0,
                requirement: None,
            }],
        });
    }
    decide(&panel).claims.len() == 1
}

fn cosine(a: &BTreeMap<String, f64>, b: &BTreeMap<String, f64>) -> f64 {
    let dot: f64 = a.iter().filter_map(|(gram, n)| b.get(gram).map(|m| n * m)).sum();
    let length = |v: &BTreeMap<String, f64>| v.values().map(|n| n * n).sum::<f64>().sqrt();
    dot / (length(a) * length(b)).max(f64::MIN_POSITIVE)
}

/// Counts the runs of three characters of a lower-case text with a space at both ends.
fn grams(text: &str) -> BTreeMap<String, f64> {
    let padded: Vec<char> = format!(" {} ", text.to_lowercase()).chars().collect();
    let mut counts = BTreeMap::new();
    for gram in padded.windows(3) {
        *counts.entry(gram.iter().collect()).or_insert(0.0) += 1.0;
    }
    counts
}

/// The word vectors: a word, and its hundred signed bytes in hex.
fn vectors() -> BTreeMap<String, Vec<f64>> {
    let text = read("tests/merging/vectors.txt");
    let byte = |pair: &[u8]| {
        let byte = u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        f64::from(byte.cast_signed())
    };
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (word, hex) = line.split_once(' ').unwrap();
            (word.to_owned(), hex.as_bytes().chunks(2).map(byte).collect())
        })
        .collect()
}

/// The mean direction of the words of a text that have a vector, by dimension.
fn meaning(text: &str, vectors: &BTreeMap<String, Vec<f64>>) -> BTreeMap<String, f64> {
    let mut sum = BTreeMap::new();
    for vector in text.to_lowercase().split(|c: char| !c.is_alphanumeric()).filter_map(|word| vectors.get(word)) {
        let length = vector.iter().map(|n| n * n).sum::<f64>().sqrt();
        for (dimension, n) in vector.iter().enumerate() {
            *sum.entry(format!("{dimension:03}")).or_insert(0.0) += n / length;
        }
    }
    sum
}

/// What a method merged: how many pairs of each class, and how many of them rightly.
#[derive(Default)]
struct Score {
    merged: BTreeMap<String, usize>,
    right: usize,
    wrong: usize,
    missed: usize,
}

impl Score {
    fn of(pairs: &[Pair], merged: &[bool]) -> Self {
        let mut score = Score::default();
        for (pair, merged) in pairs.iter().zip(merged) {
            *score.merged.entry(pair.class.clone()).or_default() += usize::from(*merged);
            match (pair.is_same, *merged) {
                (true, true) => score.right += 1,
                (true, false) => score.missed += 1,
                (false, true) => score.wrong += 1,
                (false, false) => {}
            }
        }
        score
    }

    /// F1 as an exact pair of integers: 2·right of (2·right + wrong + missed).
    fn f1(&self) -> (usize, usize) {
        (2 * self.right, 2 * self.right + self.wrong + self.missed)
    }

    fn row(&self, name: &str, table: &mut String) {
        let percent = |part: usize, whole: usize| (100 * part + whole / 2) / whole.max(1);
        let (precision, recall) =
            (percent(self.right, self.right + self.wrong), percent(self.right, self.right + self.missed));
        write!(table, "| {name} | {precision} % | {recall} % |").unwrap();
        for class in CLASSES {
            write!(table, " {} |", self.merged[class]).unwrap();
        }
        table.push('\n');
    }
}

/// A method that gives each pair a similarity.
struct Rival {
    name: &'static str,
    similar: Vec<f64>,
}

impl Rival {
    fn new(name: &'static str, pairs: &[Pair], similarity: impl Fn(&str, &str) -> f64) -> Self {
        Self { name, similar: pairs.iter().map(|pair| similarity(&pair.texts[0], &pair.texts[1])).collect() }
    }

    /// Returns the score at a threshold in hundredths.
    fn at(&self, pairs: &[Pair], hundredths: u32) -> Score {
        let merged: Vec<bool> = self.similar.iter().map(|s| *s >= f64::from(hundredths) / 100.0).collect();
        Score::of(pairs, &merged)
    }

    /// Writes two rows: at the threshold with the best F1, and at the one that finds most while no less precise than
    /// ours.
    fn rows(&self, pairs: &[Pair], ours: &Score, table: &mut String) {
        let better = |a: u32, b: u32| {
            let ((x, of_x), (y, of_y)) = (self.at(pairs, a).f1(), self.at(pairs, b).f1());
            if x * of_y > y * of_x { a } else { b }
        };
        let best = (1..=100).reduce(better).unwrap();
        self.at(pairs, best).row(&format!("{}, best F1 (from {})", self.name, decimal(best)), table);
        let is_as_precise = |score: &Score| {
            score.right > 0 && score.right * (ours.right + ours.wrong) >= ours.right * (score.right + score.wrong)
        };
        let scores = (1..=100).map(|hundredths| (hundredths, self.at(pairs, hundredths)));
        let precise = scores.filter(|(_, score)| is_as_precise(score)).max_by_key(|(_, score)| score.right);
        match precise {
            Some((from, score)) => {
                score.row(&format!("{}, as precise as ours (from {})", self.name, decimal(from)), table)
            }
            None => writeln!(table, "| {}, as precise as ours | at no threshold | | | | | | | | |", self.name).unwrap(),
        }
    }
}

fn decimal(hundredths: u32) -> String {
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

fn table(pairs: &[Pair]) -> String {
    let count = |class: &str| pairs.iter().filter(|pair| pair.class == class).count();
    let mut table = String::from("| method | precision | recall |");
    CLASSES.iter().for_each(|class| write!(table, " {class} ({}) |", count(class)).unwrap());
    table.push_str("\n|---|---|---|---|---|---|---|---|---|---|\n");
    let ours: Vec<bool> = pairs.iter().map(|p| merges([&p.texts[0], &p.texts[1]], Ratio::SIX_TENTHS)).collect();
    let ours = Score::of(pairs, &ours);
    ours.row("Dicast (6/10)", &mut table);
    let vectors = vectors();
    let by_characters = |a: &str, b: &str| cosine(&grams(a), &grams(b));
    let by_meaning = |a: &str, b: &str| cosine(&meaning(a, &vectors), &meaning(b, &vectors));
    Rival::new("cosine of character 3-grams", pairs, by_characters).rows(pairs, &ours, &mut table);
    Rival::new("mean of GloVe word vectors", pairs, by_meaning).rows(pairs, &ours, &mut table);
    table
}

#[test]
fn the_docs_show_what_merging_catches() {
    let pairs = pairs();
    assert!(pairs.len() >= 150, "only {} pairs", pairs.len());
    let table = table(&pairs);
    println!("{} pairs\n\n{table}", pairs.len());
    assert!(read("docs/verdicts.md").contains(&table), "docs/verdicts.md shows another table than this:\n{table}");
}

#[test]
fn what_differs_by_a_number_a_negation_or_a_quoted_name_never_merges_however_low_the_threshold() {
    for pair in pairs() {
        if ["number", "negation", "quoted"].contains(&pair.class.as_str()) {
            let [a, b] = &pair.texts;
            assert!(!merges([a, b], LOWEST.parse().unwrap()), "{a:?} is taken for {b:?}");
        }
    }
}

#[test]
fn a_number_or_a_negation_put_into_any_text_makes_it_another_claim() {
    for text in pairs().iter().flat_map(|pair| &pair.texts) {
        let words: Vec<&str> = text.split(' ').collect();
        for put in ["not", "never", "no", "7", "-7", "twelve", "`x`"] {
            for at in [1, words.len() / 2, words.len()] {
                let other = [&words[..at], &[put], &words[at..]].concat().join(" ");
                assert!(!merges([text, &other], LOWEST.parse().unwrap()), "{text:?} is taken for {other:?}");
            }
        }
    }
}

#[test]
fn merging_is_mutual_and_holds_for_a_text_and_itself() {
    for pair in pairs() {
        let [a, b] = [pair.texts[0].as_str(), pair.texts[1].as_str()];
        assert_eq!(merges([a, b], Ratio::SIX_TENTHS), merges([b, a], Ratio::SIX_TENTHS), "{a:?} {b:?}");
        assert!(merges([a, a], Ratio::SIX_TENTHS), "{a:?}");
    }
}
