//! The benchmark's table, as text, as JSON and as the Markdown of `docs/benchmarks.md`: the same numbers.
//!
//! It must not know the command line.

use serde::Serialize;

use super::case::{Case, Ended};
use super::hand::{self, ByHand};
use super::inject;
use super::score::{Method, Score, Share, score};
use crate::domain::failure::Failure;

/// The seed of the table in the docs.
pub const SEED: u64 = 1;

/// Seeds that no rule and no rate was chosen on: they say how far the table's numbers are the seed's.
pub const HELD_OUT: [u64; 5] = [2, 3, 4, 5, 6];

/// The format of the JSON.
pub const SCHEMA: &str = "dicast.bench/1";

/// All that was measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Always [`SCHEMA`].
    pub schema: &'static str,
    /// The injector's seed.
    pub seed: u64,
    /// The methods, first over all injected cases, then over each sort of them, then by hand.
    pub groups: Vec<Group>,
    /// The cases by hand that come out wrong, and why.
    pub wrong: Vec<Wrong>,
}

/// The scores over some cases.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Group {
    /// Which cases.
    pub cases: String,
    /// How many.
    pub count: usize,
    /// One for each method.
    pub scores: Vec<Score>,
}

/// A case by hand that comes out wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Wrong {
    /// Its name.
    pub case: String,
    /// What Dicast does.
    pub ends: String,
    /// What it does after a round, if those in the case answer as those of the injector do.
    pub after_round: String,
    /// What would be right.
    pub should: String,
    /// What happens in it.
    pub why: String,
    /// Which limit it shows.
    pub limit: String,
}

/// Measures everything.
///
/// # Errors
/// A shipped case that cannot be read.
pub fn report(seed: u64) -> Result<Report, Failure> {
    let injected = inject::cases(seed);
    let by_hand = hand::cases()?;
    let mut groups = vec![group("injected", injected.iter(), &Method::ALL)];
    for sort in inject::Sort::ALL {
        let of_sort = injected.iter().filter(|case| case.sort == sort.name());
        groups.push(group(sort.name(), of_sort, &Method::ALL));
    }
    groups.push(group("by hand", by_hand.iter().map(|written| &written.case), &Method::ALL));
    Ok(Report { schema: SCHEMA, seed, groups, wrong: by_hand.iter().filter_map(wrong).collect() })
}

/// Returns the rows of the last method over all injected cases of each of [`HELD_OUT`], under a head.
pub fn spread() -> Vec<Vec<String>> {
    let head = std::iter::once("seed").chain(HEAD[1..].iter().copied()).map(str::to_owned).collect();
    let of_seed = |seed: u64| {
        let score = score(Method::Round, &inject::cases(seed));
        std::iter::once(seed.to_string()).chain(row(&score).into_iter().skip(1)).collect()
    };
    std::iter::once(head).chain(HELD_OUT.map(of_seed)).collect()
}

fn group<'c>(name: &str, cases: impl Iterator<Item = &'c Case> + Clone, methods: &[Method]) -> Group {
    Group {
        cases: name.to_owned(),
        count: cases.clone().count(),
        scores: methods.iter().map(|method| score(*method, cases.clone())).collect(),
    }
}

fn wrong(written: &ByHand) -> Option<Wrong> {
    let ByHand { case, why, limit } = written;
    let ended = Method::Looked.end(case);
    let is_wrong = !ended.is_right(&case.truth);
    let ends = |ended: &Ended| {
        let falsely = if ended.is_false_pass(&case.truth) { "falsely " } else { "" };
        format!("{falsely}{}", ended.end)
    };
    is_wrong.then(|| Wrong {
        case: case.name.clone(),
        ends: ends(&ended),
        after_round: ends(&Method::Round.end(case)),
        should: case.truth.answer.to_string(),
        why: why.clone(),
        limit: limit.clone().unwrap_or_default(),
    })
}

const HEAD: [&str; 6] = ["method", "accuracy", "false pass", "nobody said it", "false block", "without a human"];

/// What a verdict is meant to reach on injected cases, of a thousand: the most false passes and false blocks, and the
/// least that is decided without a human.
const AIMS: (usize, usize, usize) = (10, 100, 600);

impl Report {
    /// Says which aims the last method reaches over all injected cases.
    pub fn aims(&self) -> String {
        let Some(score) = self.groups.first().and_then(|group| group.scores.last()) else { return String::new() };
        let (pass, block, decided) = AIMS;
        let word = |is_reached: bool| if is_reached { "reached" } else { "missed" };
        let aim = |what: &str, share: Share, limit: usize, is_reached: bool| {
            format!("{what} {} %: {}, {}", limit / 10, share.percent(), word(is_reached))
        };
        // What nobody says, no method that listens to agents can know: the share without those cases shows the method's own.
        let (unsaid, Share { part, whole }) = (score.unsaid.part, score.false_pass);
        let said = Share { part: part - unsaid, whole: whole - unsaid };
        let pass = aim("false pass at most", score.false_pass, pass, score.false_pass.per_mille() <= pass);
        let pass = format!("{pass}, or {} where somebody said what is true", said.percent());
        let [block, decided] = [
            aim("false block at most", score.false_block, block, score.false_block.per_mille() <= block),
            aim(
                "without a human at least",
                score.without_a_human,
                decided,
                score.without_a_human.per_mille() >= decided,
            ),
        ];
        format!("aims of {}: {pass}; {block}; {decided}", score.method)
    }

    /// Returns the rows of the table for people: a head, then one row for each method, of each group.
    pub fn rows(&self) -> Vec<(String, Vec<Vec<String>>)> {
        let head = || HEAD.map(str::to_owned).to_vec();
        self.groups
            .iter()
            .map(|group| {
                let rows = std::iter::once(head()).chain(group.scores.iter().map(row)).collect();
                (format!("{} ({} cases)", group.cases, group.count), rows)
            })
            .collect()
    }

    /// Writes the tables of the docs: all injected cases, the held-out seeds, the cases by hand, the last method by sort,
    /// and the cases by hand that come out wrong.
    pub fn markdown(&self) -> String {
        let mut out = String::new();
        let groups = self.rows();
        for (i, (title, rows)) in groups.iter().take(1).chain(groups.last()).enumerate() {
            out.push_str(&format!("### {}\n\n{}\n", capital(title), grid(rows)));
            if i == 0 {
                out.push_str(&format!("{}.\n\n", capital(&self.aims())));
                let method = Method::Round.name();
                out.push_str(&format!("### {}, other seeds\n\n{}\n", capital(method), grid(&spread())));
            }
        }
        let by_sort = self.groups.iter().filter(|g| g.cases != "injected" && g.cases != "by hand").map(|group| {
            let last = group.scores.last().map(row).unwrap_or_default();
            let cells = last.into_iter().skip(1);
            std::iter::once(format!("{} ({})", group.cases, group.count)).chain(cells).collect()
        });
        let head = std::iter::once("what was injected".to_owned()).chain(HEAD[1..].iter().map(|&s| s.to_owned()));
        let rows: Vec<Vec<String>> = std::iter::once(head.collect()).chain(by_sort).collect();
        let method = Method::Round.name();
        out.push_str(&format!("### {}, by what was injected\n\n{}\n", capital(method), grid(&rows)));
        let wrong = self
            .wrong
            .iter()
            .map(|w| [&w.case, &w.ends, &w.after_round, &w.should, &w.why, &w.limit].map(Clone::clone));
        let wrong = wrong.map(|cells| cells.to_vec());
        let head = ["case", "Dicast", "after a round", "right", "what happens", "the limit it shows"];
        let head = head.map(str::to_owned).to_vec();
        let rows: Vec<Vec<String>> = std::iter::once(head).chain(wrong).collect();
        out.push_str(&format!("### By hand: the {} that come out wrong\n\n{}", self.wrong.len(), grid(&rows)));
        out
    }
}

fn row(score: &Score) -> Vec<String> {
    let of = |share: Share| format!("{} ({}/{})", share.percent(), share.part, share.whole);
    vec![
        score.method.to_owned(),
        of(score.accuracy),
        of(score.false_pass),
        format!("{} of {}", score.unsaid.part, score.unsaid.whole),
        of(score.false_block),
        of(score.without_a_human),
    ]
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// Writes a Markdown table; the first row is its head.
fn grid(rows: &[Vec<String>]) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let columns = rows.first().map_or(0, Vec::len);
    let mut out = String::new();
    for (i, row) in rows.iter().enumerate() {
        out.push_str(&line(row));
        if i == 0 {
            out.push_str(&line(&vec!["---".to_owned(); columns]));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_report_and_another_seed_another() {
        let one = report(SEED).unwrap();
        assert_eq!(one, report(SEED).unwrap());
        assert_ne!(one.groups, report(SEED + 1).unwrap().groups);
    }

    #[test]
    fn there_are_two_hundred_injected_cases_and_all_can_be_decided() {
        let cases = inject::cases(SEED);
        assert!(cases.len() >= 200 && cases.len() == inject::EACH * inject::Sort::ALL.len(), "{}", cases.len());
        for case in &cases {
            assert_eq!(case.panel.check(), Ok(()), "{}", case.name);
        }
        let names: std::collections::BTreeSet<&str> = cases.iter().map(|case| case.name.as_str()).collect();
        assert_eq!(names.len(), cases.len());
    }

    #[test]
    fn on_held_out_seeds_too_the_verdict_lets_less_through_than_the_family_vote_and_stops_little() {
        assert!(!HELD_OUT.contains(&SEED));
        for seed in HELD_OUT {
            let cases = inject::cases(seed);
            let (vote, ours) = (score(Method::MostFamilies, &cases), score(Method::Round, &cases));
            assert!(3 * ours.false_pass.part < vote.false_pass.part, "seed {seed}: {ours:?}, {vote:?}");
            assert!(ours.false_block.per_mille() <= AIMS.1, "seed {seed}: {ours:?}");
        }
    }

    #[test]
    fn host_checks_let_less_that_is_false_through_than_any_vote() {
        let report = report(SEED).unwrap();
        let all = &report.groups[0].scores;
        let of = |method: Method| all.iter().find(|score| score.method == method.name()).unwrap().false_pass.part;
        for method in [Method::BestAlone, Method::MostAgents, Method::MostFamilies] {
            assert!(of(Method::Looked) < of(method), "{}: {all:#?}", method.name());
        }
    }
}
