//! Which lines, tests and symbols agents gave for what they said, claim by claim.
//!
//! It must not know whether they are there: the claim's tier says what the host found.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::agenda::agenda;
use crate::domain::artifact::Artifact;
use crate::domain::claim::derive::unchecked;
use crate::domain::claim::lookup::Citation;
use crate::domain::consensus::{Judged, Panel};
use crate::domain::hash::Sha;
use crate::domain::ids::AgentName;
use crate::domain::spec::Spec;

/// What was cited, by the key of the claim: each place with who named it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cited(BTreeMap<Sha, BTreeMap<String, BTreeSet<AgentName>>>);

/// How many places of a claim are quoted: more would be noise beside it.
const QUOTED: usize = 6;

impl Cited {
    /// Reads the answers of a panel again, by the rules by which its claims were derived.
    pub fn of(spec: &Spec, panel: &Panel, answers: &[(AgentName, Artifact)]) -> Self {
        let (agenda, canon) = (agenda(spec, &[]), panel.canon());
        let mut cited = Self::default();
        for (agent, artifact) in answers {
            for backed in unchecked(artifact, spec, &agenda).assertions {
                let said = &backed.assertion;
                let key = canon.key(said.kind, &said.subject, &said.predicate);
                let places = cited.0.entry(key).or_default();
                // That a requirement exists is no evidence for it.
                let is_place = |citation: &&Citation| !matches!(citation, Citation::Requirement { .. });
                for place in backed.evidence.iter().filter(is_place) {
                    places.entry(place.to_string()).or_default().insert(agent.clone());
                }
            }
        }
        cited
    }

    /// Quotes what was cited for a claim: `src/limiter.rs:40 (ann, bob)`.
    pub(super) fn quote(&self, claim: &Judged) -> String {
        let keys = std::iter::once(&claim.key).chain(claim.merged_from.iter().map(|merged| &merged.key));
        let mut places: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (place, agents) in keys.filter_map(|key| self.0.get(key)).flatten() {
            places.entry(place).or_default().extend(agents.iter().map(AgentName::as_str));
        }
        let quoted = places.iter().take(QUOTED).map(|(place, agents)| {
            let names: Vec<&str> = agents.iter().copied().collect();
            format!("{place} ({})", names.join(", "))
        });
        let more = places.len().saturating_sub(QUOTED);
        let more = (more > 0).then(|| format!("{more} more"));
        quoted.chain(more).collect::<Vec<_>>().join("; ")
    }
}
