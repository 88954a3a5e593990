//! The simple methods that a panel has to beat: the best agent alone, most agents, most families.
//!
//! They hear the same words as the panel, and nothing that the host looked up. They must not use the consensus that they
//! are compared with; of it they know only how texts are compared.

use std::collections::BTreeMap;

use super::case::{End, Ended};
use crate::domain::claim::{Kind, Polarity, Severity, Value};
use crate::domain::consensus::{Canon, OUTCOME, Panel, Participant};
use crate::domain::hash::Sha;
use crate::domain::spec::Level;

/// What one voice says: on each claim of weight one value and sign, where it does not contradict itself.
type Voice = BTreeMap<Sha, (Value, Polarity)>;

/// The agent of that name alone: the others are not heard.
pub fn alone(panel: &Panel, name: &str) -> Ended {
    let one = panel.agents.iter().filter(|agent| agent.name.as_str() == name && agent.is_ok());
    settle(panel, one.map(|agent| voice(panel, agent)).collect())
}

/// One vote for each agent.
pub fn majority(panel: &Panel) -> Ended {
    settle(panel, voters(panel).map(|agent| voice(panel, agent)).collect())
}

/// One vote for each family: what most of its agents say.
pub fn families(panel: &Panel) -> Ended {
    let mut by_family: BTreeMap<&str, Vec<Voice>> = BTreeMap::new();
    for agent in voters(panel) {
        by_family.entry(agent.family.as_str()).or_default().push(voice(panel, agent));
    }
    settle(panel, by_family.into_values().map(|voices| most(&voices).0).collect())
}

fn voters(panel: &Panel) -> impl Iterator<Item = &Participant> {
    panel.agents.iter().filter(|agent| agent.voter && agent.is_ok())
}

fn voice(panel: &Panel, agent: &Participant) -> Voice {
    let canon = panel.canon();
    let mut voice = Voice::new();
    let mut torn = Vec::new();
    for said in agent.claims.iter().filter(|said| said.severity >= Severity::Minor) {
        let key = canon.key(said.kind, &said.subject, &said.predicate);
        let is_outcome = said.kind == Kind::Decision && (said.subject.as_str(), said.predicate.as_str()) == OUTCOME;
        let value = if is_outcome { said.value.clone() } else { canon.value(&said.predicate, &said.value) };
        let side = (value, said.polarity);
        if voice.get(&key).is_some_and(|known| *known != side) {
            torn.push(key.clone());
        }
        voice.insert(key, side);
    }
    torn.iter().for_each(|key| drop(voice.remove(key)));
    voice
}

/// Returns what most voices that speak on a claim say, and the claims on which two sides are equally strong.
fn most(voices: &[Voice]) -> (Voice, Vec<Sha>) {
    let mut counts: BTreeMap<&Sha, BTreeMap<&(Value, Polarity), usize>> = BTreeMap::new();
    for (key, side) in voices.iter().flatten() {
        *counts.entry(key).or_default().entry(side).or_default() += 1;
    }
    let (mut voice, mut ties) = (Voice::new(), Vec::new());
    for (key, sides) in counts {
        let top = sides.values().copied().max().unwrap_or(0);
        let mut leaders = sides.into_iter().filter(|(_, n)| *n == top).map(|(side, _)| side);
        match (leaders.next(), leaders.next()) {
            (Some(side), None) => drop(voice.insert(key.clone(), side.clone())),
            (Some(_) | None, _) => ties.push(key.clone()),
        }
    }
    (voice, ties)
}

/// Ends as most voices say: stop if the outcome or a must-requirement is denied, else ask if a tie leaves one of these
/// open or nobody covers a must, else pass.
fn settle(panel: &Panel, voices: Vec<Voice>) -> Ended {
    let canon = panel.canon();
    let (voice, ties) = most(&voices);
    let outcome = canon.key(Kind::Decision, OUTCOME.0, OUTCOME.1);
    let word = voice.get(&outcome).and_then(|(value, _)| value.as_text());
    let says_no = word.is_some_and(|word| matches!(word, "FAIL" | "NO-GO" | "REJECTED"));
    let is_maybe = word.is_some_and(|word| matches!(word, "PARTIAL" | "CONDITIONAL"));
    let musts = panel.requirements.iter().filter(|r| r.level == Level::Must);
    let on: Vec<[Sha; 2]> = musts.map(|r| on_must(&canon, &r.id)).collect();
    let sign = |key: &Sha| voice.get(key).map(|(_, polarity)| *polarity);
    let is_denied = on.iter().flatten().any(|key| sign(key) == Some(Polarity::No));
    let is_bare = on.iter().any(|keys| keys.iter().all(|key| sign(key) != Some(Polarity::Yes)));
    let end = if says_no || is_denied {
        End::Stop
    } else if !ties.is_empty() || is_bare || is_maybe || (panel.stage.has_outcome() && word.is_none()) {
        End::Ask
    } else {
        End::Pass
    };
    let values = voice.into_iter().filter(|(_, (_, polarity))| *polarity == Polarity::Yes);
    Ended { end, values: values.map(|(key, (value, _))| (key, value)).collect() }
}

fn on_must(canon: &Canon, id: &str) -> [Sha; 2] {
    [canon.key(Kind::Covers, id, "covered"), canon.key(Kind::Finding, id, "satisfied")]
}
