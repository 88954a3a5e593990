//! The injector: draws a world, spoils it in one known way, and lets its judges speak.
//!
//! The truth of a case is the world's. It must not call the function that is measured: a verdict never decides what is
//! true here.

use std::collections::BTreeMap;

use super::case::{Case, End, Truth};
use super::chance::Chance;
use super::speak::{Opinion, RISKS, outcome_word, panel_of};
use super::world::{ACROSS_FAMILIES, Judge, Test, World, judge};
use crate::domain::claim::{Kind, Polarity, Value};
use crate::domain::consensus::{Canon, Choice, OUTCOME};
use crate::domain::stage::Stage;

/// What is done to a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sort {
    /// Nothing: fit, and the judges are as mistaken as they are.
    Clean,
    /// A must-requirement is not met, and each judge finds out or not.
    Unmet,
    /// At stage plan, one family and perhaps others hold a wrong value for a must.
    WrongFact,
    /// A must-requirement is not met, and some say that it is, naming tests that do not exist.
    Phantom,
    /// One family sends three copies that say the same.
    Clones,
    /// A must-requirement is not met, one judge shows it, and all others say that it is.
    DissentWithEvidence,
    /// One judge says no and shows nothing; in a quarter of the cases it is right.
    DissentWithout,
    /// At stage plan, all name the same risks, each in its own words.
    Paraphrase,
    /// One judge says yes and no to the same must-requirement.
    Contradiction,
}

impl Sort {
    /// All sorts.
    pub const ALL: [Sort; 9] = [
        Sort::Clean,
        Sort::Unmet,
        Sort::WrongFact,
        Sort::Phantom,
        Sort::Clones,
        Sort::DissentWithEvidence,
        Sort::DissentWithout,
        Sort::Paraphrase,
        Sort::Contradiction,
    ];

    /// Returns its name.
    pub fn name(self) -> &'static str {
        match self {
            Sort::Clean => "clean",
            Sort::Unmet => "unmet requirement",
            Sort::WrongFact => "wrong fact",
            Sort::Phantom => "phantom task",
            Sort::Clones => "clones",
            Sort::DissentWithEvidence => "dissent with evidence",
            Sort::DissentWithout => "dissent without evidence",
            Sort::Paraphrase => "paraphrase",
            Sort::Contradiction => "contradiction",
        }
    }

    fn stage(self, chance: &mut Chance) -> Stage {
        match self {
            Sort::WrongFact | Sort::Paraphrase => Stage::Plan,
            Sort::Clean
            | Sort::Unmet
            | Sort::Phantom
            | Sort::Clones
            | Sort::DissentWithEvidence
            | Sort::DissentWithout
            | Sort::Contradiction => [Stage::Validate, Stage::Validate, Stage::Audit][chance.below(3)],
        }
    }
}

/// How many cases of each sort are made.
pub const EACH: usize = 28;

/// How often one judge does not answer, of a thousand cases.
const ABSENT: u32 = 40;

/// Makes the cases of a seed.
pub fn cases(seed: u64) -> Vec<Case> {
    let numbered = Sort::ALL.into_iter().flat_map(|sort| (0..EACH).map(move |n| (sort, n)));
    numbered.enumerate().filter_map(|(number, (sort, n))| case(sort, n, Chance::of(seed, number as u64))).collect()
}

fn case(sort: Sort, n: usize, mut chance: Chance) -> Option<Case> {
    let chance = &mut chance;
    let mut world = World::draw(chance);
    let stage = sort.stage(chance);
    let spoilt = spoil(sort, &mut world, chance);
    let mut opinions = opinions(&world, chance);
    sway(sort, &world, spoilt, &mut opinions, chance);
    let absent = chance.hits(ABSENT).then(|| chance.below(world.judges.len()));
    let panel = panel_of(&world, stage, &opinions, absent, chance)?;
    let canon = panel.canon();
    Some(Case {
        name: format!("{} {:02}", sort.name(), n + 1),
        sort: sort.name().to_owned(),
        truth: truth(&world, stage, &canon),
        best: world.best().map(|judge| judge.name.clone()).unwrap_or_default(),
        errors: world.judges.iter().map(|judge| (judge.name.clone(), judge.error)).collect(),
        chance: chance.clone(),
        panel,
    })
}

/// What is so in the world, as far as a stage is about it.
fn truth(world: &World, stage: Stage, canon: &Canon) -> Truth {
    let is_fit = stage == Stage::Plan || world.is_fit();
    let mut truth = Truth {
        answer: if is_fit { End::Pass } else { End::Stop },
        values: BTreeMap::new(),
        sides: BTreeMap::new(),
        same: Vec::new(),
    };
    if stage == Stage::Plan {
        for fact in &world.facts {
            let key = canon.key(Kind::Decision, &fact.topic, "answer");
            let value = canon.value("answer", &Value::from(fact.truth));
            truth.sides.insert(key.clone(), Choice { value: value.clone(), polarity: Polarity::Yes });
            if fact.is_must {
                truth.values.insert(key, value);
            }
        }
        let keys = |words: &[&str]| words.iter().map(|text| canon.key(Kind::Risk, text, "threatens")).collect();
        truth.same = RISKS.iter().map(|words| keys(words)).collect();
        return truth;
    }
    let yes = |holds: bool| {
        let polarity = if holds { Polarity::Yes } else { Polarity::No };
        Choice { value: Value::from("yes"), polarity }
    };
    for deed in &world.deeds {
        truth.sides.insert(canon.key(Kind::Covers, &deed.id, "covered"), yes(deed.is_met));
        truth.sides.insert(canon.key(Kind::Finding, &deed.id, "satisfied"), yes(deed.is_met));
        truth.sides.insert(canon.key(Kind::Test, &deed.test_id(), "passes"), yes(deed.passes() == Some(true)));
    }
    let word = outcome_word(stage, is_fit);
    let outcome = Choice { value: Value::from(word), polarity: Polarity::Yes };
    truth.sides.insert(canon.key(Kind::Decision, OUTCOME.0, OUTCOME.1), outcome);
    truth
}

/// Changes the world; returns the requirement that the case is about.
fn spoil(sort: Sort, world: &mut World, chance: &mut Chance) -> usize {
    match sort {
        Sort::Clean | Sort::WrongFact | Sort::Paraphrase => 0,
        Sort::Unmet => world.break_one(chance),
        Sort::Phantom => {
            let broken = world.break_one(chance);
            world.deeds[broken].test = Test::None;
            broken
        }
        Sort::DissentWithEvidence => {
            let broken = world.break_one(chance);
            world.deeds[broken].test = Test::Sharp;
            broken
        }
        Sort::Clones => {
            let family = world.judges[0].family;
            world.judges.retain(|judge| judge.family != family);
            let original = judge(chance, family, 1);
            let copy = |n: usize| Judge { name: format!("{family}-{n}"), ..original.clone() };
            world.judges.extend([copy(1), copy(2), copy(3)]);
            if chance.hits(500) { world.break_one(chance) } else { 0 }
        }
        Sort::DissentWithout if chance.hits(250) => world.break_one(chance),
        Sort::DissentWithout | Sort::Contradiction => 0,
    }
}

/// Draws what each judge takes for true.
fn opinions(world: &World, chance: &mut Chance) -> Vec<Opinion> {
    let mut opinions: Vec<Opinion> = world.judges.iter().map(|_| Opinion::default()).collect();
    for _ in &world.deeds {
        let insights = world.insights(chance);
        opinions.iter_mut().zip(insights).for_each(|(opinion, right)| opinion.deeds.push(right));
    }
    for _ in &world.facts {
        let insights = world.insights(chance);
        opinions.iter_mut().zip(insights).for_each(|(opinion, right)| opinion.facts.push(right));
    }
    opinions
}

/// Spoils what the judges take for true.
fn sway(sort: Sort, world: &World, about: usize, opinions: &mut [Opinion], chance: &mut Chance) {
    let broken = world.deeds.get(about).is_some_and(|deed| !deed.is_met);
    match sort {
        Sort::Clean | Sort::Unmet => {}
        Sort::WrongFact => {
            // One family is misled for certain, each other one as often as families are misled together.
            let mut misled: Vec<&str> = families(world);
            let first = misled.remove(0);
            misled.retain(|_| chance.hits(ACROSS_FAMILIES));
            for (judge, opinion) in world.judges.iter().zip(opinions) {
                opinion.facts[0] = judge.family != first && !misled.contains(&judge.family);
            }
        }
        Sort::Phantom => {
            for opinion in opinions.iter_mut() {
                opinion.invents = chance.hits(500).then_some(about);
                opinion.deeds[about] = opinion.invents.is_none() && opinion.deeds[about];
            }
            opinions[0].deeds[about] = false;
            opinions[0].invents = Some(about);
        }
        Sort::Clones => {
            let last = opinions.len() - 1;
            let leader = opinions[last - 2].clone();
            opinions[last - 1] = leader.clone();
            opinions[last] = leader;
        }
        Sort::DissentWithEvidence => {
            opinions.iter_mut().for_each(|opinion| opinion.deeds[about] = false);
            opinions[0].deeds[about] = true;
            opinions[0].shows = Some(about);
        }
        Sort::DissentWithout => {
            opinions.iter_mut().for_each(|opinion| opinion.deeds[about] = !broken);
            opinions[0].deeds[about] = broken;
            opinions[0].is_bare = Some(about);
        }
        Sort::Paraphrase => opinions.iter_mut().for_each(|opinion| opinion.warns = true),
        Sort::Contradiction => opinions[0].contradicts = Some(about),
    }
}

fn families(world: &World) -> Vec<&str> {
    let mut families: Vec<&str> = Vec::new();
    for judge in &world.judges {
        if !families.contains(&judge.family) {
            families.push(judge.family);
        }
    }
    families
}
