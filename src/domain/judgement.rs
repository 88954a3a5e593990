//! What consensus is asked, and what it answers.
//!
//! It must not know who gathers, looks up or decides: that is the consensus actor, over the pure parts beside this.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::agenda::agenda;
use super::artifact::Artifact;
use super::candidate::{Log, Patch, Tried};
use super::claim::derive::{in_words, unchecked};
use super::claim::lookup::{Citation, Found, Lookups, found_word};
use super::claim::{Assertion, Tier};
use super::consensus::{self, Help, Panel, Policy, Reckoning, Split, Verdict, Waiver};
use super::dissent::{Said, Signed, Standing};
use super::hash::Sha;
use super::ids::{AgentName, RunId};
use super::journal::{FileRef, Seat};
use super::moment::Moment;
use super::preparation::Preparation;
use super::round::{Ballot, Changes};
use super::safe::Safe;
use super::spec::Spec;

/// An answer that is durable.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// Which file of the run holds it.
    pub file: FileRef,
    /// Its JSON.
    pub text: Arc<str>,
}

/// The round of a stage: what was asked, and what is durable of the answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Round {
    /// What is asked.
    pub ballot: Arc<Ballot>,
    /// Who is asked: one of each family.
    pub asked: BTreeSet<AgentName>,
    /// The votes of those that answered.
    pub answers: BTreeMap<AgentName, Answer>,
    /// Who gave none, and stays silent.
    pub silent: BTreeSet<AgentName>,
    /// Whether it is over.
    pub closed: bool,
}

impl Round {
    /// Returns who has neither voted nor stays silent.
    pub fn out(&self) -> impl Iterator<Item = &AgentName> {
        self.asked.iter().filter(|agent| !self.answers.contains_key(*agent) && !self.silent.contains(*agent))
    }
}

/// Which answers of a stage the evidence does not have any more.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gathered {
    /// Whose answer memory had.
    pub from_memory: BTreeSet<AgentName>,
    /// Whose answer nobody has.
    pub missing: BTreeSet<AgentName>,
}

/// What the consensus actor is asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Question {
    /// For which run.
    pub run: RunId,
    /// When it is asked; a verdict names it as when it was recorded.
    pub at: Moment,
    /// What the stage started from.
    pub preparation: Arc<Preparation>,
    /// Who sits.
    pub seats: Vec<Seat>,
    /// What is in the evidence.
    pub answers: BTreeMap<AgentName, Answer>,
    /// What agents changed, where they may.
    #[serde(default)]
    pub changes: BTreeMap<AgentName, Arc<Patch>>,
    /// What became of the candidates when they were tried before.
    #[serde(default)]
    pub tried: Option<Arc<Tried>>,
    /// Which of them the evidence lacked.
    pub gathered: Gathered,
    /// Who will not answer, and why.
    pub absent: BTreeMap<AgentName, consensus::Answer>,
    /// By which rules.
    pub policy: Policy,
    /// What a human decided so far.
    pub human: Human,
    /// The votes of the stage's round, once it is over.
    pub round: Option<Round>,
    /// What was looked up or run before, so that it is not done twice.
    #[serde(with = "crate::domain::claim::lookup::as_pairs")]
    pub known: Arc<Lookups>,
    /// Whether no guardrail of the stage failed.
    pub guardrails_ok: bool,
    /// Whether answers are still out: then nothing is run.
    pub provisional: bool,
}

/// What a human decided about claims.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Human {
    /// Waivers and choices.
    pub waivers: Vec<Waiver>,
    /// Objections that were upheld, by key.
    pub rejected: BTreeSet<Sha>,
    /// Conditions that were accepted, by their canonical text.
    pub accepted_conditions: BTreeMap<String, Signed>,
    /// Texts that merging takes for one and that are two.
    #[serde(default)]
    pub splits: Vec<Split>,
}

impl Human {
    /// Returns what the ledger is told of it, with the grounds that agents gave.
    pub fn said(&self, grounds: &[Ground]) -> Said {
        let signed = |split: &Split| Signed { by: split.by.clone(), reason: split.reason.clone() };
        let mut said = Said {
            waivers: self.waivers.clone(),
            accepted: self.accepted_conditions.clone(),
            splits: self.splits.iter().map(|split| (split.pair.clone(), signed(split))).collect(),
            ..Said::default()
        };
        for ground in grounds {
            let of = said.grounds.entry((ground.claim.clone(), ground.agent.clone())).or_default();
            if of.because.is_empty() {
                of.because = ground.because.as_str().trim().chars().take(BECAUSE_MAX).collect();
            }
            let cited = |(citation, found): &(Citation, Option<Found>)| {
                format!("{} ({})", Safe::line(&citation.to_string()), found_word(found.as_ref()))
            };
            of.cited
                .extend(ground.cited.iter().map(cited).filter(|cited| !of.cited.contains(cited)).collect::<Vec<_>>());
            of.cited.truncate(CITED_MAX);
        }
        said
    }
}

/// Most characters of an agent's reason that the ledger keeps: it is read in one line, and the answer is in the evidence.
const BECAUSE_MAX: usize = 400;

/// Most citations of one assertion that the ledger keeps.
const CITED_MAX: usize = 8;

/// What consensus answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Judgement {
    /// What was decided on.
    pub panel: Arc<Panel>,
    /// The verdict.
    pub verdict: Arc<Verdict>,
    /// Why each claim has its label, by key.
    #[serde(default)]
    pub reckoned: BTreeMap<Sha, Reckoning>,
    /// What the host looked up and ran.
    #[serde(with = "crate::domain::claim::lookup::as_pairs")]
    pub lookups: Arc<Lookups>,
    /// Answers that came from memory, not from our own evidence.
    pub from_memory: BTreeMap<AgentName, Arc<str>>,
    /// What each agent gave as grounds for its assertions.
    pub grounds: Vec<Ground>,
    /// What each agent said that is not so.
    pub phantoms: Vec<Phantom>,
    /// What became of the candidates, where there are any.
    #[serde(default)]
    pub tried: Option<Arc<Tried>>,
    /// What the test runs wrote, if they were run for this judgement.
    #[serde(default)]
    pub logs: Vec<Log>,
    /// Where the verdict leaves the ledger; none while provisional.
    pub standing: Option<Arc<Standing>>,
    /// While provisional: claims whose label no answer that is still out can change.
    pub settled: BTreeSet<Sha>,
    /// Whether the panel helped; none while provisional, and where there was no panel.
    pub helped: Option<Help>,
    /// The stage's documents, by repository-relative path; empty while provisional.
    pub documents: Vec<(String, Arc<str>)>,
    /// What stands open, if a round could be held about it and none was.
    pub ballot: Option<Arc<Ballot>>,
    /// What the round changed, once it was held.
    pub round: Option<Changes>,
    /// What went wrong without changing the verdict.
    pub warnings: Vec<Safe>,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}

impl Judgement {
    /// Reads what the evidence keeps of a judgement, a panel and a verdict: enough to show and explain it. `None` where
    /// this version cannot read them.
    pub fn recorded(panel: &str, verdict: &str) -> Option<Self> {
        let panel = consensus::parse_panel(panel).ok()?;
        Some(Self {
            reckoned: consensus::reckon(&panel),
            panel: Arc::new(panel),
            verdict: serde_json::from_str(verdict).ok()?,
            lookups: Arc::default(),
            from_memory: BTreeMap::new(),
            grounds: Vec::new(),
            phantoms: Vec::new(),
            tried: None,
            logs: Vec::new(),
            standing: None,
            settled: BTreeSet::new(),
            helped: None,
            documents: Vec::new(),
            ballot: None,
            round: None,
            warnings: Vec::new(),
            took_ms: 0,
        })
    }

    /// Adds what agents gave as grounds, read again from their answers by the rules by which the claims were derived. What the
    /// host found of each is in the panel. Nothing is added where the spec is another text by now.
    pub fn grounded(self, spec: &Spec, answers: &[(AgentName, Artifact)]) -> Self {
        if self.panel.inputs.spec_sha256.as_ref() != Some(&spec.sha) {
            return self;
        }
        let (agenda, canon) = (agenda(spec, &[]), self.panel.canon());
        let (mut grounds, mut phantoms) = (Vec::new(), Vec::new());
        for (agent, artifact) in answers {
            let said = self.panel.agents.iter().find(|known| &known.name == agent).map(|known| known.claims.as_slice());
            let key = |said: &Assertion| canon.key(said.kind, &said.subject, &said.predicate);
            let kept: Vec<(Sha, Tier)> = said.unwrap_or_default().iter().map(|said| (key(said), said.tier)).collect();
            for backed in unchecked(artifact, spec, &agenda).assertions {
                let claim = key(&backed.assertion);
                // What was withdrawn in the round is not on the panel any more.
                let Some((_, tier)) = kept.iter().find(|(known, _)| *known == claim) else { continue };
                let cited = backed.evidence.into_iter().map(|citation| (citation, None)).collect();
                let (agent, because, tier) = (agent.clone(), backed.because, Some(*tier));
                grounds.push(Ground { tier, agent, claim, because, cited });
            }
            let struck = said.unwrap_or_default().iter().filter(|said| said.tier.is_false());
            phantoms.extend(struck.map(|said| Phantom {
                agent: agent.clone(),
                said: Safe::line(&in_words(said, &[])),
                found: Safe::line(if said.tier == Tier::E3False {
                    "it ran, and failed"
                } else {
                    "looked up, and not so"
                }),
            }));
        }
        Self { grounds, phantoms, ..self }
    }
}

/// What one agent gave as grounds for one assertion, and what the host found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ground {
    /// What the host found of all of it together, where the record tells no more than that.
    #[serde(default)]
    pub tier: Option<Tier>,
    /// Who.
    pub agent: AgentName,
    /// Key of the claim.
    pub claim: Sha,
    /// Its words.
    pub because: Safe,
    /// What it cited, and what was found there.
    pub cited: Vec<(Citation, Option<Found>)>,
}

/// A claim that was checked and is false, charged to its agent: phantom completion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phantom {
    /// Who said it.
    pub agent: AgentName,
    /// What was said.
    pub said: Safe,
    /// What is so instead.
    pub found: Safe,
}
