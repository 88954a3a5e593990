//! Did the panel help? What each agent alone would have ended in, held against the panel's verdict.
//!
//! It must not know who asks, nor run anything: an agent alone is the same panel without the other voices.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::label::Label;
use super::panel::{Panel, Participant};
use super::policy::Quorum;
use super::verdict::{Decision, Judged, Verdict};
use crate::domain::claim::{Kind, Polarity, Severity, Value};
use crate::domain::hash::Sha;
use crate::domain::ids::AgentName;
use crate::domain::stage::Stage;

/// What an agent alone would have ended in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alone {
    /// Who.
    pub agent: AgentName,
    /// Where that differs from the panel's verdict, heaviest first.
    pub differs: Vec<Difference>,
}

/// One thing that an agent alone would have ended differently in. The texts are "kind subject" or an id, as foreign as
/// the claims are.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Difference {
    /// It comes to the other outcome of the stage.
    Outcome,
    /// It covers no such must-requirement, and the panel does.
    Uncovered {
        /// The requirement.
        requirement: String,
    },
    /// It says what the host found false.
    False {
        /// What.
        title: String,
    },
    /// It would have settled by itself what the panel differs about.
    Unopposed {
        /// What.
        title: String,
    },
    /// It says something else than was decided.
    Otherwise {
        /// What about.
        title: String,
    },
    /// It says nothing about what was decided.
    Silent {
        /// What about.
        title: String,
    },
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Difference::Outcome => f.write_str("comes to the other outcome"),
            Difference::Uncovered { requirement } => write!(f, "leaves {requirement} (MUST) uncovered"),
            Difference::False { title } => write!(f, "believes what is false: {title}"),
            Difference::Unopposed { title } => write!(f, "settles unasked: {title}"),
            Difference::Otherwise { title } => write!(f, "says otherwise: {title}"),
            Difference::Silent { title } => write!(f, "is silent on {title}"),
        }
    }
}

/// Whether asking several agents changed anything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Help {
    /// The best of them alone would have ended the same: the panel added nothing but certainty.
    No(AgentName),
    /// Even the best of them, who stands first, would have ended differently alone.
    Yes(Vec<Alone>),
}

/// How many agents, and how many differences of each, a sentence names.
const NAMED: usize = 2;

impl Help {
    /// Tells whether the panel changed anything.
    pub fn is_yes(&self) -> bool {
        matches!(self, Help::Yes(_))
    }
}

impl fmt::Display for Help {
    /// Says it in one line, naming what the best agents alone would have ended differently in.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Help::No(agent) => write!(f, "no: {agent} alone would have ended the same"),
            Help::Yes(each) => {
                let alone = each.iter().take(NAMED).map(|alone| {
                    let mut differs: Vec<String> = alone.differs.iter().take(NAMED).map(ToString::to_string).collect();
                    if alone.differs.len() > NAMED {
                        differs.push(format!("{} more", alone.differs.len() - NAMED));
                    }
                    format!("{} alone {}", alone.agent, differs.join(", "))
                });
                write!(f, "yes: {}", alone.collect::<Vec<_>>().join("; "))
            }
        }
    }
}

/// Tells whether the panel helped; `None` where fewer than two families answered: then there was no panel. Nor at
/// implement: there candidates are held against each other, and the table of them tells it.
pub fn helped(panel: &Panel, verdict: &Verdict) -> Option<Help> {
    if verdict.families.ok < 2 || panel.stage == Stage::Implement {
        return None;
    }
    let mut each: Vec<Alone> = panel
        .agents
        .iter()
        .filter(|agent| agent.voter && agent.is_ok())
        .map(|agent| alone(panel, verdict, agent))
        .collect();
    each.sort_by(|a, b| weight(a).cmp(&weight(b)).then_with(|| a.agent.cmp(&b.agent)));
    let best = each.first()?;
    Some(if best.differs.is_empty() { Help::No(best.agent.clone()) } else { Help::Yes(each) })
}

/// How far an agent alone is from the panel: what is wrong counts before what is only missing.
fn weight(alone: &Alone) -> (usize, usize) {
    let is_missing = |difference: &&Difference| matches!(difference, Difference::Silent { .. });
    let missing = alone.differs.iter().filter(is_missing).count();
    (alone.differs.len() - missing, missing)
}

fn alone(panel: &Panel, verdict: &Verdict, agent: &Participant) -> Alone {
    let mut only = panel.clone();
    only.agents.retain(|other| !other.voter || other.name == agent.name);
    only.policy.quorum = Quorum::Solo;
    // What a person decided about the panel's claims is not the agent's doing.
    only.waivers.clear();
    only.rejected.clear();
    only.same_as.clear();
    let own = super::decide(&only);
    let by_key: BTreeMap<&Sha, &Judged> = own.claims.iter().map(|claim| (&claim.key, claim)).collect();
    let mut differs: Vec<Difference> = Vec::new();
    if is_other_outcome(own.outcome, verdict.outcome) {
        differs.push(Difference::Outcome);
    }
    for requirement in own.coverage.uncovered.iter().filter(|id| !verdict.coverage.uncovered.contains(*id)) {
        differs.push(Difference::Uncovered { requirement: requirement.clone() });
    }
    for claim in &verdict.claims {
        // A cluster's first key may be another family's: its own is then among those merged into it.
        let members = std::iter::once(&claim.key).chain(claim.merged_from.iter().map(|merged| &merged.key));
        let mine = members.filter_map(|key| by_key.get(key).copied()).next();
        let is_said_otherwise = differs.iter().any(|known| is_of(known, claim));
        differs.extend(difference(claim, mine).filter(|_| !is_said_otherwise));
    }
    differs.sort();
    differs.dedup();
    Alone { agent: agent.name.clone(), differs }
}

fn is_other_outcome(alone: Decision, panel: Decision) -> bool {
    matches!((alone, panel), (Decision::Pass, Decision::Fail) | (Decision::Fail, Decision::Pass))
}

/// Tells whether a requirement that is left uncovered is what a claim is about: it is said once.
fn is_of(known: &Difference, claim: &Judged) -> bool {
    matches!(known, Difference::Uncovered { requirement } if claim.kind == Kind::Covers && claim.subject == *requirement)
}

fn difference(claim: &Judged, mine: Option<&Judged>) -> Option<Difference> {
    let title = claim.title();
    if mine.is_some_and(|mine| mine.label == Label::Refuted) {
        return Some(Difference::False { title });
    }
    if claim.severity < Severity::Minor {
        return None;
    }
    let is_stated = mine.is_some_and(|mine| mine.value.is_some());
    match claim.label {
        Label::Conflict => is_stated.then_some(Difference::Unopposed { title }),
        Label::Proven | Label::Agreed | Label::AgreedOver => match mine {
            Some(mine) if side(mine) == side(claim) => None,
            Some(_) if is_stated => Some(Difference::Otherwise { title }),
            // Risks and findings come from whoever sees them; a decision or a cover was asked of everybody.
            Some(_) | None => {
                matches!(claim.kind, Kind::Decision | Kind::Covers).then_some(Difference::Silent { title })
            }
        },
        Label::Single | Label::Hollow | Label::Refuted => None,
    }
}

fn side(claim: &Judged) -> (Option<&Value>, Option<Polarity>) {
    (claim.value.as_ref(), claim.polarity)
}
