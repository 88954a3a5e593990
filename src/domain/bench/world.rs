//! What is true, and who judges it: drawn first, so that nothing that is decided later can touch it.
//!
//! It must not know panels or verdicts.

use super::chance::Chance;

/// What is true of one requirement in the code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deed {
    /// Its id.
    pub id: String,
    /// Whether the spec says MUST.
    pub is_must: bool,
    /// Whether the code does it.
    pub is_met: bool,
    /// The test that is there for it.
    pub test: Test,
}

/// What a requirement's test is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Test {
    /// There is none.
    None,
    /// It shows what it should: it passes if and only if the requirement is met.
    Sharp,
    /// It passes whatever the code does.
    Blunt,
}

impl Deed {
    /// Returns the test's id.
    pub fn test_id(&self) -> String {
        format!("spec::{}", self.id.to_lowercase().replace('-', "_"))
    }

    /// Tells whether the test would pass; none without one.
    pub fn passes(&self) -> Option<bool> {
        match self.test {
            Test::None => None,
            Test::Sharp => Some(self.is_met),
            Test::Blunt => Some(true),
        }
    }
}

/// A question with one true answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// The topic's id.
    pub topic: String,
    /// What is true.
    pub truth: &'static str,
    /// What those say who are mistaken.
    pub mistake: &'static str,
    /// Whether a must-requirement hangs on it.
    pub is_must: bool,
}

/// One who judges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judge {
    /// Its name.
    pub name: String,
    /// Its family.
    pub family: &'static str,
    /// How often it is mistaken about one thing, of a thousand.
    pub error: u32,
}

/// What there is to judge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct World {
    /// Its requirements.
    pub deeds: Vec<Deed>,
    /// Questions of fact (at stage plan).
    pub facts: Vec<Fact>,
    /// Who judges.
    pub judges: Vec<Judge>,
    /// Whether the project runs its tests before a stage may pass.
    pub has_guardrail: bool,
}

/// Families there are.
const FAMILIES: [&str; 5] = ["anthropic", "openai", "google", "qwen", "mistral"];

/// How often a judge is mistaken about one thing, of a thousand: three grades of skill.
const ERRORS: [u32; 3] = [60, 120, 200];

/// How often an agent follows its family's mistake or insight instead of its own draw: copies of a model err together.
const WITHIN_FAMILY: u32 = 600;

/// How often a family follows what all families get wrong or right together: some things mislead everybody.
pub const ACROSS_FAMILIES: u32 = 200;

/// How often a requirement has a test of its own.
const TESTED: u32 = 800;

/// How many of these tests pass whatever the code does.
const BLUNT: u32 = 30;

/// Questions, their truths and the mistake that suggests itself.
const FACTS: [(&str, &str); 6] = [
    ("10 1/s", "100 1/s"),
    ("token bucket", "fixed window"),
    ("30 s", "30 ms"),
    ("sqlite", "redis"),
    ("64 KiB", "64 kB"),
    ("429", "503"),
];

impl World {
    /// Draws a world in which every requirement is met.
    pub fn draw(chance: &mut Chance) -> Self {
        let count = chance.between(3, 6);
        let deeds = (1..=count)
            .map(|n| Deed {
                id: format!("FR-{n:03}"),
                is_must: n == 1 || chance.hits(700),
                is_met: true,
                test: test(chance),
            })
            .collect();
        let first = chance.below(FACTS.len());
        let facts = (0..chance.between(2, 3))
            .map(|i| {
                let (truth, mistake) = FACTS[(first + i) % FACTS.len()];
                Fact { topic: format!("D-{:03}", i + 1), truth, mistake, is_must: i == 0 || chance.hits(500) }
            })
            .collect();
        Self { deeds, facts, judges: judges(chance), has_guardrail: chance.hits(500) }
    }

    /// Makes one must-requirement unmet, and returns its place.
    pub fn break_one(&mut self, chance: &mut Chance) -> usize {
        let musts: Vec<usize> = (0..self.deeds.len()).filter(|&i| self.deeds[i].is_must).collect();
        let broken = musts.get(chance.below(musts.len())).copied().unwrap_or(0);
        self.deeds[broken].is_met = false;
        broken
    }

    /// Tells whether it deserves to pass: every must-requirement is met.
    pub fn is_fit(&self) -> bool {
        self.deeds.iter().all(|deed| deed.is_met || !deed.is_must)
    }

    /// Tells whether the host's run of all tests is green.
    pub fn is_green(&self) -> bool {
        self.deeds.iter().all(|deed| deed.passes() != Some(false))
    }

    /// Draws who is right about one thing: mistakes are shared inside a family, and some by all.
    pub fn insights(&self, chance: &mut Chance) -> Vec<bool> {
        let mean = self.judges.iter().map(|j| j.error).sum::<u32>() / (self.judges.len().max(1) as u32);
        let all_err = chance.hits(mean);
        let mut of_family: Vec<(&str, bool)> = Vec::new();
        let mut right = Vec::new();
        for judge in &self.judges {
            let known = of_family.iter().find(|(family, _)| *family == judge.family).map(|(_, errs)| *errs);
            let family_errs = known.unwrap_or_else(|| {
                let errs = if chance.hits(ACROSS_FAMILIES) { all_err } else { chance.hits(judge.error) };
                of_family.push((judge.family, errs));
                errs
            });
            let errs = if chance.hits(WITHIN_FAMILY) { family_errs } else { chance.hits(judge.error) };
            right.push(!errs);
        }
        right
    }

    /// Returns the judge that is mistaken least: known here only, where the truth is.
    pub fn best(&self) -> Option<&Judge> {
        self.judges.iter().min_by_key(|judge| judge.error)
    }
}

fn test(chance: &mut Chance) -> Test {
    match (chance.hits(TESTED), chance.hits(BLUNT)) {
        (false, _) => Test::None,
        (true, false) => Test::Sharp,
        (true, true) => Test::Blunt,
    }
}

/// Draws two to four families; in one case of four the first one sends two agents.
fn judges(chance: &mut Chance) -> Vec<Judge> {
    let families = [2, 3, 3, 3, 4][chance.below(5)];
    let first = chance.below(FAMILIES.len());
    let mut judges: Vec<Judge> =
        (0..families).map(|i| judge(chance, FAMILIES[(first + i) % FAMILIES.len()], 1)).collect();
    if chance.hits(250) {
        judges.push(judge(chance, FAMILIES[first], 2));
    }
    judges
}

/// Draws one more agent of a family.
pub fn judge(chance: &mut Chance, family: &'static str, number: usize) -> Judge {
    Judge { name: format!("{family}-{number}"), family, error: ERRORS[chance.below(ERRORS.len())] }
}
