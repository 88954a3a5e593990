//! The laws of the round, held against generated panels and votes.

use std::collections::{BTreeMap, BTreeSet};

use dicast::domain::claim::Tier;
use dicast::domain::consensus::{Panel, decide};
use dicast::domain::ids::AgentName;
use dicast::domain::round::{Applied, Asking, Ballot, Cast, Heard, Vote, Word, apply, open};
use proptest::prelude::*;

use super::panels::{generate, tape};
use super::{bytes, config, json, shuffled};

/// A vote as five choices: who, on what, which word, which other number, how well backed.
type Choices = (u8, u8, u8, u8, u8);

fn choices() -> impl Strategy<Value = Vec<Choices>> {
    prop::collection::vec(any::<Choices>(), 0..24)
}

const WORDS: [Word; 6] = [Word::Agree, Word::Disagree, Word::SameAs, Word::Abstain, Word::Keep, Word::Withdraw];

fn listed(panel: &Panel) -> Option<Ballot> {
    open(panel, &Asking { seed: "law", voices: &BTreeMap::new(), requirements: &[], agenda: &[] })
}

/// Makes votes of anybody on the panel; they may not fit, as an agent's may not.
fn votes(panel: &Panel, ballot: &Ballot, choices: &[Choices]) -> Heard {
    let mut heard = Heard::new();
    for (who, on, word, other, tier) in choices {
        let agent = &panel.agents[usize::from(*who) % panel.agents.len()];
        let n = u32::from(*on) % (u32::try_from(ballot.items.len()).unwrap_or(1) + 1) + 1;
        let vote = Vote {
            n,
            vote: WORDS[usize::from(*word) % WORDS.len()],
            other: other.checked_sub(64).map(|other| u32::from(other) % 4 + 1),
            because: String::new(),
            evidence: Vec::new(),
        };
        let tier = Tier::ALL[usize::from(*tier) % Tier::ALL.len()];
        heard.entry(agent.name.clone()).or_default().push(Cast { vote, tier });
    }
    heard
}

/// One voice of each family, as a round asks them: what votes of others do is a law of its own.
fn asked(panel: &Panel, mut heard: Heard) -> Heard {
    let mut seen = BTreeSet::new();
    let first: BTreeSet<&AgentName> =
        panel.agents.iter().filter(|a| seen.insert(a.family.clone())).map(|a| &a.name).collect();
    heard.retain(|agent, _| first.contains(agent));
    heard
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_round_that_nobody_answers_changes_nothing(tape in tape()) {
        let panel = generate(&tape);
        let Some(ballot) = listed(&panel) else { return Ok(()) };
        let Applied { panel: after, ignored } = apply(&panel, &ballot, &Heard::new());
        prop_assert_eq!(&after, &panel);
        prop_assert!(ignored.is_empty());
    }

    #[test]
    fn whoever_only_abstains_or_keeps_changes_nothing(tape in tape(), choices in choices()) {
        let panel = generate(&tape);
        let Some(ballot) = listed(&panel) else { return Ok(()) };
        let mut heard = votes(&panel, &ballot, &choices);
        for cast in heard.values_mut().flatten() {
            cast.vote.vote = if cast.vote.vote == Word::Keep { Word::Keep } else { Word::Abstain };
        }
        prop_assert_eq!(apply(&panel, &ballot, &heard).panel, panel);
    }

    #[test]
    fn the_ballot_names_nobody_and_its_order_tells_nobody(tape in tape(), seed: u64) {
        let panel = generate(&tape);
        let (other, _) = renamed(&panel, seed)?;
        let items = |panel: &Panel| listed(panel).map(|ballot| ballot.items().to_string());
        let (mine, theirs) = (items(&panel), items(&other));
        prop_assert_eq!(&mine, &theirs, "{}", json(&panel));
        let text = theirs.unwrap_or_default();
        prop_assert!(!text.contains("renamed"), "{}", text);
        let mut moved = panel.clone();
        moved.agents = shuffled(moved.agents, seed);
        prop_assert_eq!(&mine, &items(&moved), "the order of arrival shows");
    }

    #[test]
    fn renaming_agents_renames_the_result_of_the_round_and_nothing_else(
        tape in tape(), choices in choices(), seed: u64,
    ) {
        let panel = generate(&tape);
        let Some(ballot) = listed(&panel) else { return Ok(()) };
        let heard = asked(&panel, votes(&panel, &ballot, &choices));
        let (other, names) = renamed(&panel, seed)?;
        let Some(theirs) = listed(&other) else { return Err(TestCaseError::fail("nothing is open under other names")) };
        let mut expected = apply(&panel, &ballot, &heard).panel;
        for agent in &mut expected.agents {
            agent.name = names[&agent.name].clone();
        }
        let heard = heard.into_iter().map(|(agent, casts)| (names[&agent].clone(), casts)).collect();
        prop_assert_eq!(apply(&other, &theirs, &heard).panel, expected, "{}", json(&panel));
    }

    #[test]
    fn the_order_of_arrival_does_not_matter_to_the_round(tape in tape(), choices in choices(), seed: u64) {
        let panel = generate(&tape);
        let Some(ballot) = listed(&panel) else { return Ok(()) };
        let heard = votes(&panel, &ballot, &choices);
        let mut other = panel.clone();
        other.agents = shuffled(other.agents, seed);
        let (one, two) = (apply(&panel, &ballot, &heard), apply(&other, &ballot, &heard));
        prop_assert_eq!(bytes(&decide(&one.panel)), bytes(&decide(&two.panel)), "{}", json(&panel));
        prop_assert_eq!(one.ignored, two.ignored);
    }

    #[test]
    fn who_did_not_answer_or_is_no_voter_never_votes(tape in tape(), choices in choices()) {
        let panel = generate(&tape);
        let Some(ballot) = listed(&panel) else { return Ok(()) };
        let after = apply(&panel, &ballot, &votes(&panel, &ballot, &choices)).panel;
        for (was, is) in panel.agents.iter().zip(&after.agents) {
            prop_assert!(was == is || (was.voter && was.is_ok()), "{}: {}", was.name, json(&panel));
        }
        let families: BTreeSet<_> =
            panel.agents.iter().zip(&after.agents).filter(|(a, b)| a != b).map(|(a, _)| a.family.clone()).collect();
        let changed = panel.agents.iter().zip(&after.agents).filter(|(a, b)| a != b).count();
        prop_assert_eq!(families.len(), changed, "one of each family: {}", json(&panel));
    }

    #[test]
    fn whatever_is_voted_the_panel_stays_sound(tape in tape(), choices in choices()) {
        let panel = generate(&tape);
        let Some(ballot) = listed(&panel) else { return Ok(()) };
        let after = apply(&panel, &ballot, &votes(&panel, &ballot, &choices)).panel;
        prop_assert!(after.check().is_ok(), "{:?}: {}", after.check(), json(&panel));
        prop_assert!(ballot.items.len() <= 40);
    }
}

/// The same panel under other names, and which name became which. Waivers sign names: they are left out.
fn renamed(panel: &Panel, seed: u64) -> Result<(Panel, BTreeMap<AgentName, AgentName>), TestCaseError> {
    let names: Vec<String> = (0..panel.agents.len()).map(|i| format!("renamed-{i:02}")).collect();
    let mut renames = BTreeMap::new();
    let mut other = panel.clone();
    for (agent, name) in other.agents.iter_mut().zip(shuffled(names, seed)) {
        let new = AgentName::new(&name).map_err(|e| TestCaseError::fail(e.to_string()))?;
        renames.insert(agent.name.clone(), new.clone());
        agent.name = new;
    }
    Ok((other, renames))
}
