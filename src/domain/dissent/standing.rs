//! Where a stage's verdict leaves the ledger, and which entries say so that are not in it yet.
//!
//! It must not know the chain. What is due is a difference, so that writing it twice, or after a crash, adds nothing.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::entry::{self, Entry, Taken};
use super::{Closed, ClosedBy, Dissent, Ledger, Said};
use crate::domain::consensus::{ReasonCode, Verdict, Waiver};
use crate::domain::hash::Sha;
use crate::domain::ids::AgentName;
use crate::domain::spec::Spec;
use crate::domain::stage::Stage;

/// Who decided something, and why.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Signed {
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// Where a stage's verdict leaves the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// The stage.
    pub stage: Stage,
    /// The hash of its verdict.
    pub verdict: Sha,
    /// What is open and what is closed, this stage taken in.
    pub ledger: Ledger,
    /// The waivers and choices that hold at this stage.
    pub waivers: Vec<Waiver>,
    /// The conditions that were accepted at this stage.
    pub accepted: BTreeMap<String, Signed>,
}

impl Standing {
    /// Takes a verdict into what earlier stages left.
    pub fn after(
        before: &Ledger,
        spec: &Spec,
        verdict: &Verdict,
        waivers: &[Waiver],
        accepted: &BTreeMap<String, Signed>,
    ) -> Self {
        let held = |key: &Sha| {
            verdict.reasons.iter().any(|reason| reason.code == ReasonCode::Waived && reason.claims.contains(key))
        };
        let waivers: Vec<Waiver> = waivers.iter().filter(|waiver| held(&waiver.claim)).cloned().collect();
        let waived = waivers.iter().filter(|waiver| waiver.choice.is_none()).map(|waiver| waiver.claim.clone());
        let mut ledger = before.clone();
        ledger.take_in(spec, verdict, &Said { waived: waived.collect(), ..Said::default() });
        Self { stage: verdict.stage, verdict: verdict.hash.clone(), ledger, waivers, accepted: accepted.clone() }
    }

    /// Returns the entries that the spec's ledger lacks.
    pub fn due(&self, before: &[Entry]) -> Vec<Entry> {
        let mut due = self.decided(before);
        let mut known = dissents(before);
        for dissent in &self.ledger.dissents {
            let last = known.remove(&(&dissent.key, &dissent.agent));
            let is_open = matches!(last, Some(Entry::Opened { .. }));
            match &dissent.closed {
                None if !is_open => due.push(opened(dissent)),
                None => {}
                // Closed already, by whatever closed it first.
                Some(_) if matches!(last, Some(Entry::Closed { .. })) => {}
                Some(closed) => {
                    if !is_open {
                        due.push(opened(dissent));
                    }
                    due.push(self::closed(dissent, closed));
                }
            }
        }
        // Opened by an earlier verdict of this stage, and not by this one.
        for last in known.into_values() {
            if let Entry::Opened { stage, key, agent, .. } = last
                && *stage == self.stage
            {
                due.push(Entry::Closed {
                    stage: self.stage,
                    key: key.clone(),
                    agent: agent.clone(),
                    by: ClosedBy::Superseded,
                    verdict: self.verdict.clone(),
                });
            }
        }
        due
    }

    /// Returns what people decided at this stage and the ledger does not say, and what holds no more.
    fn decided(&self, before: &[Entry]) -> Vec<Entry> {
        let stage = self.stage;
        let mut due = Vec::new();
        let mut held = entry::waivers(before, stage);
        for waiver in &self.waivers {
            let same = Some((waiver.digest.clone(), waiver.choice.clone()));
            if held.remove(&waiver.claim) != same {
                due.push(Entry::Waived {
                    stage,
                    key: waiver.claim.clone(),
                    digest: waiver.digest.clone(),
                    by: waiver.by.clone(),
                    reason: waiver.reason.clone(),
                    choice: waiver.choice.clone(),
                });
            }
        }
        due.extend(held.into_keys().map(|key| Entry::Undone { stage, what: Taken::Waived(key) }));
        let mut held = entry::accepted(before, stage);
        for (condition, signed) in &self.accepted {
            if !held.remove(condition) {
                let (by, reason) = (signed.by.clone(), signed.reason.clone());
                due.push(Entry::ConditionAccepted { stage, condition: condition.clone(), by, reason });
            }
        }
        due.extend(held.into_iter().map(|text| Entry::Undone { stage, what: Taken::Condition(text) }));
        due
    }
}

/// Returns the last entry about each dissent.
fn dissents(entries: &[Entry]) -> BTreeMap<(&Sha, &AgentName), &Entry> {
    let last = entries.iter().filter_map(|entry| match entry {
        Entry::Opened { key, agent, .. } | Entry::Closed { key, agent, .. } => Some(((key, agent), entry)),
        Entry::ConditionAccepted { .. } | Entry::Waived { .. } | Entry::Undone { .. } => None,
    });
    last.collect()
}

fn opened(dissent: &Dissent) -> Entry {
    Entry::Opened {
        stage: dissent.opened,
        key: dissent.key.clone(),
        agent: dissent.agent.clone(),
        claim: dissent.claim.clone(),
        ask: dissent.ask.clone(),
        value: dissent.said.value.clone(),
        polarity: dissent.said.polarity,
        severity: dissent.severity,
        tier: dissent.tier,
        against: dissent.against.clone(),
        verdict: dissent.verdict.clone(),
    }
}

fn closed(dissent: &Dissent, closed: &Closed) -> Entry {
    Entry::Closed {
        stage: closed.stage,
        key: dissent.key.clone(),
        agent: dissent.agent.clone(),
        by: closed.by,
        verdict: closed.verdict.clone(),
    }
}
