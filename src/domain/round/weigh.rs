//! What a vote's evidence is worth: the same scales as for the drafts.
//!
//! It must not look anything up: lookups come in.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::apply::side_of;
use super::{Answer, Ballot, Vote};
use crate::domain::artifact::Artifact;
use crate::domain::artifact::body::{Scalar, Stated};
use crate::domain::claim::Tier;
use crate::domain::claim::derive::{self, Charge, DeriveInputs};
use crate::domain::claim::lookup::Citation;
use crate::domain::safe::Safe;

/// A vote with what the host found about its evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cast {
    /// The vote.
    pub vote: Vote,
    /// What its evidence is worth; words only without any.
    pub tier: Tier,
}

/// Returns everything that an answer cites and that the host should look up, sorted, each once.
pub fn cited(answer: &Answer) -> BTreeSet<Citation> {
    let cited = answer.votes.iter().flat_map(|vote| derive::cited(&vote.evidence));
    cited.filter(|citation| !matches!(citation, Citation::Requirement { .. })).collect()
}

/// Weighs an agent's votes, and returns what of them is false. `artifact` is its draft: what an outcome rests on.
pub fn weigh(
    ballot: &Ballot,
    answer: &Answer,
    artifact: &Artifact,
    inputs: &DeriveInputs<'_>,
) -> (Vec<Cast>, Vec<Charge>) {
    let mut charges = Vec::new();
    let cast = |(i, vote): (usize, &Vote)| {
        let tier = stated(ballot, vote).map_or(Tier::E0, |stated| {
            let derived = derive::stated(artifact, &stated, inputs);
            charges
                .extend(derived.phantoms.into_iter().map(|charge| Charge { field: format!("votes[{i}]"), ..charge }));
            derived.assertions.first().map_or(Tier::E0, |backed| backed.assertion.tier)
        });
        Cast { vote: Vote { because: Safe::line(&vote.because).to_string(), ..vote.clone() }, tier }
    };
    (answer.votes.iter().enumerate().map(cast).collect(), charges)
}

/// The claim that a vote amounts to, as an agent would have stated it.
fn stated(ballot: &Ballot, vote: &Vote) -> Option<Stated> {
    let item = ballot.item(vote.n)?;
    let says = side_of(item, vote).ok().flatten()?;
    Some(Stated {
        kind: item.kind,
        subject: item.subject.clone(),
        predicate: item.predicate.clone(),
        value: Some(Scalar(says.value.to_string())),
        polarity: Some(says.polarity),
        severity: Some(item.severity),
        evidence: vote.evidence.clone(),
    })
}
