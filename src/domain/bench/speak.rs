//! How the judges of a world speak, and which tier the host gives to what they say (docs/verdicts.md).
//!
//! It must not know why they think what they think.

use super::chance::Chance;
use super::world::{Deed, Fact, Judge, Test, World};
use crate::domain::claim::{Assertion, Kind, Polarity, Severity, Tier, Value};
use crate::domain::consensus::{Answer, Inputs, PANEL_SCHEMA, Panel, Participant, Policy, Requirement};
use crate::domain::ids::{AgentName, Family, SpecId};
use crate::domain::spec::Level;
use crate::domain::stage::Stage;

/// What one judge takes for true, and how it goes about it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Opinion {
    /// For each requirement, whether it sees it as it is.
    pub deeds: Vec<bool>,
    /// For each question, whether it knows the answer.
    pub facts: Vec<bool>,
    /// For this requirement it names a test that does not exist.
    pub invents: Option<usize>,
    /// Of this requirement it names the test.
    pub shows: Option<usize>,
    /// Of this requirement it names nothing.
    pub is_bare: Option<usize>,
    /// Of this requirement it says yes and no.
    pub contradicts: Option<usize>,
    /// It names the risks.
    pub warns: bool,
}

/// How often a judge names the requirement's test, where there is one.
const NAMES_TEST: u32 = 700;

/// How often it names a place in the code instead.
const NAMES_PLACE: u32 = 600;

/// How often the test's source or the plan ties it to the requirement, so that its run shows the requirement.
const TIED: u32 = 850;

/// How often somebody who knows a fact names the line that shows it, and how often somebody mistaken names some line.
const SHOWS_FACT: u32 = 600;
const SHOWS_MISTAKE: u32 = 250;

/// What a judge names for what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Named {
    Nothing,
    Place,
    /// The requirement's test, and whether it is tied to it.
    Test {
        tied: bool,
    },
    /// A test that does not exist.
    Invented,
}

/// Lets the judges speak; the one that is absent timed out.
pub fn panel_of(
    world: &World,
    stage: Stage,
    opinions: &[Opinion],
    absent: Option<usize>,
    chance: &mut Chance,
) -> Option<Panel> {
    let tied: Vec<bool> = world.deeds.iter().map(|_| chance.hits(TIED)).collect();
    let mut agents = Vec::new();
    for (i, (judge, opinion)) in world.judges.iter().zip(opinions).enumerate() {
        let claims = match stage {
            Stage::Plan => plan(world, opinion, i, chance),
            Stage::Specify | Stage::Tasks | Stage::Implement | Stage::Validate | Stage::Audit | Stage::Unlock => {
                review(world, stage, opinion, &tied, chance)
            }
        };
        let is_absent = absent == Some(i);
        agents.push(participant(judge, if is_absent { Vec::new() } else { claims }, is_absent)?);
    }
    let requirements = world
        .deeds
        .iter()
        .map(|deed| Requirement { id: deed.id.clone(), level: if deed.is_must { Level::Must } else { Level::Should } });
    panel(stage, requirements.collect(), agents)
}

/// Makes a panel of what is given, and nothing else.
pub(super) fn panel(stage: Stage, requirements: Vec<Requirement>, agents: Vec<Participant>) -> Option<Panel> {
    Some(Panel {
        schema: PANEL_SCHEMA.to_owned(),
        spec_id: SpecId::new("001-bench").ok()?,
        stage,
        prompt_version: None,
        inputs: Inputs::default(),
        requirements,
        agents,
        policy: Policy::default(),
        accepted_conditions: Vec::new(),
        same_as: Vec::new(),
        splits: Vec::new(),
        waivers: Vec::new(),
        rejected: Vec::new(),
        candidates: Vec::new(),
    })
}

fn participant(judge: &Judge, claims: Vec<Assertion>, is_absent: bool) -> Option<Participant> {
    Some(Participant {
        name: AgentName::new(&judge.name).ok()?,
        family: Family::new(judge.family).ok()?,
        voter: true,
        status: if is_absent { Answer::Timeout } else { Answer::Ok },
        open_dissent: Vec::new(),
        artifact: None,
        claims,
    })
}

fn say(kind: Kind, subject: &str, predicate: &str, value: &str, polarity: Polarity) -> Assertion {
    Assertion {
        kind,
        subject: subject.to_owned(),
        predicate: predicate.to_owned(),
        value: Value::from(value),
        polarity,
        severity: Severity::Major,
        tier: Tier::E0,
        requirement: None,
    }
}

fn weight(is_must: bool) -> Severity {
    if is_must { Severity::Major } else { Severity::Minor }
}

/// Validate and audit: is each requirement met, and so what follows?
fn review(world: &World, stage: Stage, opinion: &Opinion, tied: &[bool], chance: &mut Chance) -> Vec<Assertion> {
    let mut said = Vec::new();
    let mut all_met = true;
    let mut has_seen_failure = false;
    for (i, deed) in world.deeds.iter().enumerate() {
        let thinks_met = deed.is_met == opinion.deeds[i];
        all_met &= thinks_met || !deed.is_must;
        let polarity = if thinks_met { Polarity::Yes } else { Polarity::No };
        let named = named(deed, opinion, i, tied[i], chance);
        let about = match stage {
            Stage::Audit => (Kind::Finding, "satisfied"),
            Stage::Specify | Stage::Plan | Stage::Tasks | Stage::Implement | Stage::Validate | Stage::Unlock => {
                (Kind::Covers, "covered")
            }
        };
        let mut claim = say(about.0, &deed.id, about.1, "yes", polarity);
        (claim.severity, claim.tier) = (weight(deed.is_must), tier(deed, named, polarity));
        has_seen_failure |= polarity == Polarity::No && claim.tier >= Tier::E2;
        if let (Stage::Validate, Named::Test { .. } | Named::Invented) = (stage, named) {
            said.push(passes(deed, named, polarity));
        }
        if opinion.contradicts == Some(i) {
            let other = if thinks_met { Polarity::No } else { Polarity::Yes };
            said.push(Assertion { polarity: other, tier: Tier::E0, ..claim.clone() });
        }
        said.push(claim);
    }
    let all_seen = said.iter().all(|claim| claim.tier >= Tier::E2);
    said.push(outcome(world, stage, all_met, has_seen_failure, all_seen));
    said
}

fn named(deed: &Deed, opinion: &Opinion, i: usize, tied: bool, chance: &mut Chance) -> Named {
    // Drawn also where it is not needed, so that what follows does not depend on it.
    let (test, place) = (chance.hits(NAMES_TEST), chance.hits(NAMES_PLACE));
    if opinion.is_bare == Some(i) {
        Named::Nothing
    } else if opinion.invents == Some(i) {
        Named::Invented
    } else if deed.test != Test::None && (test || opinion.shows == Some(i)) {
        Named::Test { tied }
    } else if place {
        Named::Place
    } else {
        Named::Nothing
    }
}

/// The tier of a word on a requirement.
fn tier(deed: &Deed, named: Named, polarity: Polarity) -> Tier {
    match named {
        Named::Nothing => Tier::E0,
        Named::Place | Named::Test { tied: false } => Tier::E2,
        Named::Test { tied: true } => ran(deed, polarity),
        Named::Invented => Tier::EFalse,
    }
}

/// The tier of a word that the run of the requirement's test confirms or belies.
fn ran(deed: &Deed, polarity: Polarity) -> Tier {
    match deed.passes() {
        None => Tier::EFalse,
        Some(passes) if passes == (polarity == Polarity::Yes) => Tier::E3True,
        Some(_) => Tier::E3False,
    }
}

fn passes(deed: &Deed, named: Named, polarity: Polarity) -> Assertion {
    let (id, tier) = match named {
        Named::Invented => (format!("{}_done", deed.test_id()), Tier::EFalse),
        Named::Nothing | Named::Place | Named::Test { .. } => (deed.test_id(), ran(deed, polarity)),
    };
    Assertion {
        severity: weight(deed.is_must),
        tier,
        requirement: Some(deed.id.clone()),
        ..say(Kind::Test, &id, "passes", "yes", polarity)
    }
}

fn outcome(world: &World, stage: Stage, is_yes: bool, has_seen_failure: bool, all_seen: bool) -> Assertion {
    let is_audit = stage == Stage::Audit;
    let is_red = world.has_guardrail && !world.is_green();
    let word = outcome_word(stage, is_yes);
    let tier = match (is_yes, is_audit) {
        (true, false) if is_red => Tier::E3False,
        (true, false) => Tier::E2,
        (true, true) if all_seen => Tier::E2,
        (true, true) => Tier::E0,
        (false, false) if is_red => Tier::E2,
        (false, _) if has_seen_failure => Tier::E2,
        (false, _) => Tier::E1,
    };
    Assertion { tier, ..say(Kind::Decision, "stage", "outcome", word, Polarity::Yes) }
}

/// Returns the word for yes or no at a stage that judges.
pub(super) fn outcome_word(stage: Stage, is_yes: bool) -> &'static str {
    match (stage, is_yes) {
        (Stage::Audit, true) => "GO",
        (Stage::Audit, false) => "NO-GO",
        (Stage::Unlock, true) => "APPROVED",
        (Stage::Unlock, false) => "REJECTED",
        (Stage::Specify | Stage::Plan | Stage::Tasks | Stage::Implement | Stage::Validate, true) => "PASS",
        (Stage::Specify | Stage::Plan | Stage::Tasks | Stage::Implement | Stage::Validate, false) => "FAIL",
    }
}

/// Plan: every requirement has a step, every question an answer, and perhaps there are risks.
fn plan(world: &World, opinion: &Opinion, judge: usize, chance: &mut Chance) -> Vec<Assertion> {
    let mut said = Vec::new();
    for deed in &world.deeds {
        let tier = if chance.hits(800) { Tier::E2 } else { Tier::E1 };
        let severity = weight(deed.is_must);
        said.push(Assertion { severity, tier, ..say(Kind::Covers, &deed.id, "covered", "yes", Polarity::Yes) });
    }
    for (fact, &knows) in world.facts.iter().zip(&opinion.facts) {
        said.push(answer(fact, knows, chance));
    }
    if opinion.warns {
        let risks = RISKS.iter().map(|words| Assertion {
            severity: Severity::Minor,
            ..say(Kind::Risk, words[judge % words.len()], "threatens", "yes", Polarity::Yes)
        });
        said.extend(risks);
    }
    said
}

fn answer(fact: &Fact, knows: bool, chance: &mut Chance) -> Assertion {
    let value = if knows { fact.truth } else { fact.mistake };
    let shows = chance.hits(if knows { SHOWS_FACT } else { SHOWS_MISTAKE });
    Assertion {
        severity: weight(fact.is_must),
        tier: if shows { Tier::E2 } else { Tier::E0 },
        ..say(Kind::Decision, &fact.topic, "answer", value, Polarity::Yes)
    }
}

/// Three risks, each in the words of five: some nearly the same, some not.
pub(super) const RISKS: [[&str; 5]; 3] = [
    [
        "the clock of a node may jump backwards and free the bucket too early",
        "the clock of a node may jump backwards, and free the bucket too early",
        "time skew between machines lets callers exceed their quota",
        "a backwards step of wall time refills tokens prematurely",
        "NTP corrections can grant extra requests",
    ],
    [
        "two nodes that share one counter may both let the last request through",
        "two nodes which share one counter may both let the last request through",
        "a race between replicas admits more than the limit",
        "the check and the decrement are not atomic across instances",
        "concurrent requests on several nodes can overrun the budget",
    ],
    [
        "the table of callers grows without bound when keys are never evicted",
        "the table of callers grows without bound if keys are never evicted",
        "memory leak: idle clients are kept forever",
        "no eviction of stale keys, so the process runs out of memory",
        "an attacker with many addresses can exhaust the heap",
    ],
];
