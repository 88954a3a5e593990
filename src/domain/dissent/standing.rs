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
    /// The pairs that were split at this stage.
    #[serde(with = "pairs")]
    pub splits: BTreeMap<(Sha, Sha), Signed>,
}

/// Writes splits as a list: JSON has no maps by pairs.
mod pairs {
    use super::{BTreeMap, Sha, Signed};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(map: &BTreeMap<(Sha, Sha), Signed>, out: S) -> Result<S::Ok, S::Error> {
        map.iter().collect::<Vec<_>>().serialize(out)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<(Sha, Sha), Signed>, D::Error> {
        Ok(Vec::deserialize(from)?.into_iter().collect())
    }
}

impl Standing {
    /// Takes a verdict into what earlier stages left, with what else is known of its stage.
    pub fn after(before: &Ledger, spec: &Spec, verdict: &Verdict, said: Said) -> Self {
        let held = |key: &Sha| {
            verdict.reasons.iter().any(|reason| reason.code == ReasonCode::Waived && reason.claims.contains(key))
        };
        let said = Said { waivers: said.waivers.into_iter().filter(|waiver| held(&waiver.claim)).collect(), ..said };
        let mut ledger = before.clone();
        ledger.take_in(spec, verdict, &said);
        let Said { waivers, accepted, splits, .. } = said;
        Self { stage: verdict.stage, verdict: verdict.hash.clone(), ledger, waivers, accepted, splits }
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
            let same = |held: &Waiver| held.digest == waiver.digest && held.choice == waiver.choice;
            if !held.remove(&waiver.claim).is_some_and(|held| same(&held)) {
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
            if held.remove(condition).is_none() {
                let (by, reason) = (signed.by.clone(), signed.reason.clone());
                due.push(Entry::ConditionAccepted { stage, condition: condition.clone(), by, reason });
            }
        }
        due.extend(held.into_keys().map(|text| Entry::Undone { stage, what: Taken::Condition(text) }));
        let mut held = entry::splits(before, stage);
        for (pair, Signed { by, reason }) in &self.splits {
            if held.remove(pair).is_none() {
                due.push(Entry::Split { stage, pair: pair.clone(), by: by.clone(), reason: reason.clone() });
            }
        }
        due.extend(held.into_keys().map(|pair| Entry::Undone { stage, what: Taken::Split(pair) }));
        due
    }
}

/// Returns the last entry about each dissent.
fn dissents(entries: &[Entry]) -> BTreeMap<(&Sha, &AgentName), &Entry> {
    let last = entries.iter().filter_map(|entry| match entry {
        Entry::Opened { key, agent, .. } | Entry::Closed { key, agent, .. } => Some(((key, agent), entry)),
        Entry::ConditionAccepted { .. } | Entry::Waived { .. } | Entry::Split { .. } | Entry::Undone { .. } => None,
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
        grounds: dissent.grounds.clone(),
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
